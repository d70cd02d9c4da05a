"""Change the pictures of a batch, each in its own way, as tensor operations on the whole batch.

Each function draws one random number (or two) for every picture, from a generator of its own if one is given.
"""

import torch
from torch import Generator, Tensor


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
    down, right = torch.randint(-pixels, pixels + 1, (2, count, 1), generator=generator)
    rows, cols = torch.arange(height) - down, torch.arange(width) - right  # (N, H), (N, W): where each comes from
    inside = _inside(rows, height)[:, :, None] & _inside(cols, width)[:, None, :]  # (N, H, W)
    picture = torch.arange(count)[:, None, None]
    moved = x[picture, :, rows.clamp(0, height - 1)[:, :, None], cols.clamp(0, width - 1)[:, None, :]]  # (N, H, W, C)
    return moved.movedim(-1, 1).where(inside[:, None], torch.tensor(fill, dtype=x.dtype))


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


def _pictures(x: Tensor) -> torch.Size:
    if x.dim() != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {tuple(x.shape)}")
    return x.shape


def _inside(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)
