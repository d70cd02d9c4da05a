"""Change the pictures of a batch, each in its own way, as tensor operations on the whole batch.

Each function draws random numbers of its own for every picture, from ``generator`` if one is given. It makes a new
tensor of the same dtype and leaves ``x`` as it was. ``Compose`` chains them:

    Compose(lambda x: shift(x, 2), flip, lambda x: brightness(x, 0.3))

At equal numbers each picture comes out as from torchvision.transforms.v2, which draws once for all of a batch.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Real

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, pad

Change = Callable[[Tensor], Tensor]  # a batch of pictures in, a batch of pictures out


def shift(x: Tensor, pixels: int, fill: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Move each picture by up to so many pixels, down or up and right or left.

    Args:
        x: (N, C, H, W), of any dtype.
        pixels: the farthest move, at least 0 and less than H and W.
        fill: what comes in at the rim; black is 0 before normalising and (0 - mean) / std after it.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        ValueError: if x has not four axes, or ``pixels`` is out of range.
    """
    count, _, height, width = _pictures(x)
    if not 0 <= pixels < min(height, width):
        raise ValueError(f"pixels must lie between 0 and {min(height, width) - 1}, got {pixels}")
    down, right = torch.randint(-pixels, pixels + 1, (2, count), generator=generator)
    padded = pad(x, (pixels, pixels, pixels, pixels), value=fill)  # (N, C, H + 2 pixels, W + 2 pixels)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # views: each place where the picture may be cut out
    return windows[torch.arange(count), :, pixels - down, pixels - right]  # (N, C, H, W)


def flip(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Turn about half of the pictures left to right.

    Args:
        x: (N, C, H, W).

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        ValueError: if x has not four axes.
    """
    count = _pictures(x)[0]
    turned = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    return x.flip(-1).where(turned, x)


def cutout(x: Tensor, size: int, fill: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Cover a square of each picture; its middle may be any pixel, so at the rim a part of it falls outside.

    Args:
        x: (N, C, H, W).
        size: pixels along the square's side, at least 1.
        fill: what covers it.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        ValueError: if x has not four axes, or ``size`` is below 1.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
    """
    count, _, height, width = _pictures(x)
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    top = torch.randint(height, (count, 1), generator=generator) - size // 2
    left = torch.randint(width, (count, 1), generator=generator) - size // 2
    rows, cols = torch.arange(height) - top, torch.arange(width) - left  # counted from the square's corner
    covered = _inside(rows, size)[:, None, :, None] & _inside(cols, size)[:, None, None, :]  # (N, 1, H, W)
    return torch.tensor(fill, dtype=x.dtype).where(covered, x)


def crop(x: Tensor, size: int | tuple[int, int], generator: Generator | None = None) -> Tensor:
    """Cut a window out of each picture; every place where it fits is as likely as the others.

    Args:
        x: (N, C, H, W), of any dtype.
        size: (h, w) of the window, or one number for both; no larger than the picture.

    Returns:
        (N, C, h, w), of the same dtype.

    Raises:
        TypeError, ValueError: if x has not four axes, or the window is no size or does not fit into the picture.
    """
    count, _, height, width = _pictures(x)
    h, w = _size(size)
    if h > height or w > width:
        raise ValueError(f"size must fit into the pictures, which are {(height, width)}, got {(h, w)}")
    top = torch.randint(height - h + 1, (count,), generator=generator)
    left = torch.randint(width - w + 1, (count,), generator=generator)
    windows = x.unfold(2, h, 1).unfold(3, w, 1)  # (N, C, H-h+1, W-w+1, h, w): views, nothing is copied yet
    return windows[torch.arange(count), :, top, left]  # (N, C, h, w)


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Make each picture larger or smaller: bilinear, and with antialiasing where it becomes smaller.

    Each new row is a weighted mean of the old rows around its place, and the same goes for the columns, so that
    all of it is two matrix products: ``rows @ picture @ columns.T``. For ``F.resize(x, size, antialias=True)`` of
    torchvision a single number is the length of the shorter side; here it is that of both.

    Args:
        x: (N, C, H, W), uint8 or floats.
        size: (h, w), or one number for both.

    Returns:
        (N, C, h, w), of the same dtype. In uint8 torchvision rounds between rows and columns too, and may give one
        grey level more or less.

    Raises:
        TypeError, ValueError: if x is no such batch, or ``size`` no size.
    """
    _, _, height, width = _numbers(x)
    h, w = _size(size)
    floats = _floats(x)
    rows, columns = _shares(height, h).to(floats.dtype), _shares(width, w).to(floats.dtype)  # (h, H), (w, W)
    return _rounded(rows @ (floats @ columns.T), x)  # (N, C, H, W) -> (N, C, H, w) -> (N, C, h, w)


def affine(
    x: Tensor,
    degrees: float = 0.0,
    zoom: tuple[float, float] = (1.0, 1.0),
    shear: float = 0.0,
    fill: float = 0.0,
    generator: Generator | None = None,
) -> Tensor:
    """Turn, enlarge and shear each picture about its middle, all in one step, so that it is blurred only once.

    Args:
        x: (N, C, H, W), uint8 or floats.
        degrees: the farthest turn to either side, at least 0.
        zoom: the smallest and the largest factor; 2 makes things twice as large.
        shear: the farthest slant to either side in degrees, from 0 to 89.
        fill: what comes in at the rim, as in ``shift``; between 0 and 255 for uint8.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        TypeError, ValueError: if x is no such batch, or a number is out of its range.
    """
    count = _numbers(x)[0]
    _between(degrees, "degrees", 0, math.inf)
    _between(shear, "shear", 0, 89)
    if not isinstance(zoom, Sequence) or len(zoom) != 2:
        raise ValueError(f"zoom must be a pair (smallest, largest), got {zoom!r}")
    low, high = (_between(factor, "zoom", 0, math.inf) for factor in zoom)
    if not 0 < low <= high:
        raise ValueError(f"zoom must be a pair (smallest, largest) of factors above 0, got {zoom!r}")
    angles = _uniform(count, -degrees, degrees, generator)
    zooms = _uniform(count, low, high, generator)
    shears = _uniform(count, -shear, shear, generator)
    return warp(x, affine_matrices(angles, zooms, shears), fill)


def affine_matrices(angles: Tensor, zooms: Tensor, shears: Tensor) -> Tensor:
    """The matrices for ``warp`` that shear, enlarge and then turn each picture.

    A point of the picture at (across, down) from its middle goes to ::

        zoom * [cos -sin] @ [1 -tan(shear)] @ [across]
               [sin  cos]   [0           1]   [  down]

    and the matrix is the inverse of this, since ``warp`` asks where a pixel comes from.

    Args:
        angles: (N,) in degrees, clockwise, as in torchvision's ``affine`` (its ``rotate`` turns the other way).
        zooms: (N,) factors above 0.
        shears: (N,) in degrees; above 0 the upper part goes to the right.

    Returns:
        (N, 2, 3); the last column, the way of the middle, is 0.

    Raises:
        ValueError: if the three are not (N,) alike.
    """
    if angles.dim() != 1 or not angles.shape == zooms.shape == shears.shape:
        shapes = ", ".join(str(tuple(numbers.shape)) for numbers in (angles, zooms, shears))
        raise ValueError(f"angles, zooms and shears must all have one shape (N,), got {shapes}")
    turn, slant = angles.deg2rad(), shears.deg2rad().tan()
    cos, sin = turn.cos(), turn.sin()
    still = torch.zeros_like(cos)
    rows = [cos - sin * slant, sin + cos * slant, still, -sin, cos, still]
    return torch.stack(rows, dim=1).view(-1, 2, 3) / zooms[:, None, None]  # (N, 6) -> (N, 2, 3)


def warp(x: Tensor, matrices: Tensor, fill: float = 0.0) -> Tensor:
    """Fetch each pixel of the result from the place in the picture where its matrix points: bilinear.

    Places are counted in pixels from the picture's middle, to the right and downwards. The pixel at (across, down)
    is fetched from ``matrix @ (across, down, 1)``, mostly a place between four pixels of the picture, which are
    averaged by their nearness. Gradients reach x and the matrices.

    Args:
        x: (N, C, H, W), uint8 or floats.
        matrices: (N, 2, 3), floats.
        fill: what lies outside; between 0 and 255 for uint8. A place that is half outside is black by half, and is
            then mixed with as much of ``fill``, as torchvision does it.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        TypeError, ValueError: if x is no such batch, matrices are not such, or there is no such ``fill``.

    Source: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial transformer networks" (2015), section 3.
    """
    count, _, height, width = _numbers(x)
    if not isinstance(matrices, Tensor) or not matrices.is_floating_point() or matrices.shape != (count, 2, 3):
        got = f"{matrices.dtype} {tuple(matrices.shape)}" if isinstance(matrices, Tensor) else repr(matrices)
        raise ValueError(f"matrices must be floats of shape {(count, 2, 3)}, one for each picture, got {got}")
    _between(fill, "fill", *((0, 255) if x.dtype == torch.uint8 else (-math.inf, math.inf)))
    with_white = _floats(pad(x, (0, 0, 0, 0, 0, 1), value=1))  # (N, C+1, H, W): one more channel, 1 everywhere
    across = torch.arange(width) - (width - 1) / 2  # (W,)
    down = torch.arange(height)[:, None] - (height - 1) / 2  # (H, 1)
    sides = torch.tensor([[width / 2], [height / 2]])  # grid_sample counts from -1 at one side to 1 at the other
    scaled = (matrices.to(with_white.dtype) / sides)[..., None, None]  # (N, 2, 3, 1, 1)
    from_across, from_down, move = scaled.unbind(2)  # (N, 2, 1, 1) each
    places = from_across * across + (from_down * down + move)  # (N, 2, H, W)
    grid = places.movedim(1, -1)  # (N, H, W, 2)
    fetched = grid_sample(with_white, grid, "bilinear", "zeros", align_corners=False)  # (N, C+1, H, W)
    picture, inside = fetched[:, :-1], fetched[:, -1:]  # inside: 1 in the picture, 0 outside, less than 1 at the rim
    return _rounded(torch.lerp(torch.tensor(fill, dtype=fetched.dtype), picture, inside), x)


def brightness(x: Tensor, strength: float, generator: Generator | None = None) -> Tensor:
    """Make each picture darker or brighter: multiply it by a factor from 1 - strength to 1 + strength.

    Args:
        x: (N, C, H, W), uint8 or floats from 0 to 1.
        strength: at least 0; the factor never falls below 0.

    Returns:
        A new tensor of the same shape and dtype; what would be brighter than white is white.

    Raises:
        TypeError, ValueError: if x is no such batch, or ``strength`` is negative.
    """
    count = _colours(x)
    return _blend(x, _floats(x), torch.zeros(()), _factors(count, strength, generator))


def contrast(x: Tensor, strength: float, generator: Generator | None = None) -> Tensor:
    """Draw the pixels of each picture towards its mean grey (factor below 1) or away from it (above 1).

    Args:
        x: (N, 1 or 3, H, W), uint8 or floats from 0 to 1.
        strength: the factor lies between 1 - strength and 1 + strength, and never below 0.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        TypeError, ValueError: if x is no such batch, or ``strength`` is negative.
    """
    count = _colours(x, 1, 3)
    floats = _floats(x)
    mean = _grey(x, floats).mean((1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return _blend(x, floats, mean, _factors(count, strength, generator))


def saturation(x: Tensor, strength: float, generator: Generator | None = None) -> Tensor:
    """Draw the colours of each picture towards grey (factor below 1) or away from it (above 1).

    Args:
        x: (N, 3, H, W), uint8 or floats from 0 to 1.
        strength: the factor lies between 1 - strength and 1 + strength, and never below 0.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        TypeError, ValueError: if x is no such batch, or ``strength`` is negative.
    """
    count = _colours(x, 3)
    floats = _floats(x)
    return _blend(x, floats, _grey(x, floats), _factors(count, strength, generator))


def hue(x: Tensor, strength: float, generator: Generator | None = None) -> Tensor:
    """Turn the colours of each picture on the colour circle; 1/3 makes red green, green blue and blue red.

    A pixel has all of its lowest channel, and on top of that its chroma, highest less lowest, in some colour of the
    circle: red at 0 and 6, green at 2, blue at 4. A channel is full within one step of its own place and empty from
    two steps on.

    Args:
        x: (N, 3, H, W), uint8 or floats from 0 to 1.
        strength: the farthest turn to either side, from 0 to 0.5, which is half of the circle.

    Returns:
        A new tensor of the same shape and dtype. In uint8 torchvision may give one grey level more or less.

    Raises:
        TypeError, ValueError: if x is no such batch, or ``strength`` is out of its range.

    Source: Smith, "Color gamut transform pairs" (1978), the hexcone model.
    """
    count = _colours(x, 3)
    _between(strength, "strength", 0, 0.5)
    floats = _floats(x)
    turns = 6 * _uniform(count, -strength, strength, generator).to(floats.dtype)[:, None, None, None]
    red, green, blue = floats.split(1, dim=1)  # (N, 1, H, W) each, as lowest, highest, chroma and place
    lowest, highest = floats.amin(1, keepdim=True), floats.amax(1, keepdim=True)
    chroma = highest - lowest
    near_green_or_blue = torch.where(highest == green, blue - red + 2 * chroma, red - green + 4 * chroma)
    place = torch.where(highest == red, green - blue, near_green_or_blue) / chroma.clamp_min(1e-6)  # grey has none
    place = (place + turns).remainder(6)
    share = torch.cat([(place - 3).abs() - 1, 2 - (place - 2).abs(), 2 - (place - 4).abs()], dim=1)  # (N, 3, H, W)
    turned = torch.addcmul(lowest, chroma, share.clamp_(0, 1))
    if x.dtype == torch.uint8:
        turned = turned * (255.999 / 255)  # the levels are cut as torchvision cuts them: 254.9 is white, too
    return _cut(turned, x)


class Compose:
    """Make several changes, one after the other; fits ``augment`` of ``data.Batches``.

    Args:
        changes: functions of one batch, (N, C, H, W) -> (N, C, H, W).

    Raises:
        TypeError: if one of them cannot be called.
    """

    def __init__(self, *changes: Change):
        for change in changes:
            if not callable(change):
                raise TypeError(f"changes must be functions of a batch, such as lambda x: shift(x, 2), got {change!r}")
        self.changes = changes

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)"""
        for change in self.changes:
            x = change(x)
        return x


def _shares(old: int, new: int) -> Tensor:
    """(new, old): how much of each old row goes into each new one; every line sums to 1.

    A row's share falls in a straight line with its distance, to 0 at one row, or at one new row if that is farther.
    """
    step = old / new  # rows of the old picture for one of the new
    middles = (torch.arange(new, dtype=torch.float64) + 0.5) * step
    distances = (torch.arange(old) + 0.5 - middles[:, None]).abs()  # (new, old)
    shares = (1 - distances / max(step, 1.0)).clamp_min(0)
    return shares / shares.sum(1, keepdim=True)


def _blend(x: Tensor, floats: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """factor * floats + (1 - factor) * other, held between black and white, as x's dtype; ``factors``: (N,)."""
    factors = factors.to(floats.dtype)[:, None, None, None]
    white = 255 if x.dtype == torch.uint8 else 1
    mixed = torch.addcmul((1 - factors) * other, floats, factors).clamp_(0, white)
    return _cut(mixed, x)


def _grey(x: Tensor, floats: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) -> (N, 1, H, W): as bright as the eye sees it; in whole grey levels if x is uint8."""
    if floats.shape[1] == 1:
        return floats
    red, green, blue = floats.split(1, dim=1)
    grey = (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)
    return grey.floor_() if x.dtype == torch.uint8 else grey


def _factors(count: int, strength: float, generator: Generator | None) -> Tensor:
    _between(strength, "strength", 0, math.inf)
    return _uniform(count, max(0.0, 1 - strength), 1 + strength, generator)


def _uniform(count: int, low: float, high: float, generator: Generator | None) -> Tensor:
    """One number for each picture, in double precision."""
    return low + (high - low) * torch.rand(count, dtype=torch.float64, generator=generator)


def _floats(x: Tensor) -> Tensor:
    """What to compute with: single precision, or double if x has it."""
    return x if x.dtype == torch.float64 else x.float()


def _rounded(floats: Tensor, x: Tensor) -> Tensor:
    """As x's dtype, to the nearest grey level if that is uint8."""
    return _cut(floats.round_(), x) if x.dtype == torch.uint8 else floats.to(x.dtype)


def _cut(floats: Tensor, x: Tensor) -> Tensor:
    """As x's dtype, without what stands behind the point if that is uint8; by way of int16 it takes half the time."""
    return floats.to(torch.int16).to(x.dtype) if x.dtype == torch.uint8 else floats.to(x.dtype)


def _pictures(x: Tensor) -> torch.Size:
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor of pictures (N, C, H, W), got {type(x).__name__}")
    if x.dim() != 4:
        raise ValueError(f"x must have shape (N, C, H, W), a batch of pictures, got {x.dtype} {tuple(x.shape)}")
    return x.shape


def _numbers(x: Tensor) -> torch.Size:
    """The shape of pictures that can be computed with."""
    shape = _pictures(x)
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise TypeError(f"x must be uint8, 0 to 255, or floats, got {x.dtype}")
    if 0 in shape[1:]:
        raise ValueError(f"x must have a channel, a row and a column at least, got shape {tuple(shape)}")
    return shape


def _colours(x: Tensor, *channels: int) -> int:
    """How many pictures; ``channels``: how many each may have, none for any."""
    count, found = _numbers(x)[:2]
    if channels and found not in channels:
        raise ValueError(f"x must have {' or '.join(map(str, channels))} channels, got shape {tuple(x.shape)}")
    if x.is_floating_point() and x.numel() and (x.min() < -0.01 or x.max() > 1.01):  # sums may be rounded past 1
        raise ValueError(
            f"x must be floats from 0 to 1 (or uint8), got {x.min().item():.3g} to {x.max().item():.3g}; "
            "are they normalised already?"
        )
    return count


def _between(value: float, name: str, low: float, high: float) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (low <= value <= high and math.isfinite(value)):
        least = f", {low} at least" if low > -math.inf else ""
        most = f" and {high} at most" if high < math.inf else ""
        raise ValueError(f"{name} must be a finite number{least}{most}, got {value}")
    return float(value)


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, Sequence) else ()
    if len(pair) != 2 or not all(isinstance(side, int) and side >= 1 for side in pair):
        raise ValueError(f"size must be one whole number or a pair (h, w), 1 at least, got {size!r}")
    return pair


def _inside(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)
