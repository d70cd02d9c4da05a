"""Convolution and pooling, written out from slices and matrix products.

Names, order of arguments, defaults and results are those of ``torch.nn.functional`` and
``torch.nn``, so that a reader can swap one for the other. Lesson 01 builds this file up.
"""

import math
from collections.abc import Sequence
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = int | Sequence[int]  # one number for both directions, or (vertical, horizontal)
IMAGES = "(N, C, H, W)", "(C, H, W)"
NO_ARITHMETIC = torch.bool, torch.uint16, torch.uint32, torch.uint64  # PyTorch only stores these


# --- Sizes --------------------------------------------------------------------------------------------------


def output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """In how many places can a kernel stand along one side of a picture?

    The kernel, spread by ``dilation``, covers ``reach = dilation * (kernel_size - 1) + 1`` pixels. Its first
    place is at 0 and its last one at ``size + 2 * padding - reach``, in steps of ``stride``.

    Args:
        size, kernel_size, stride, padding, dilation: pixels along that side.

    Raises:
        TypeError: if one of them is not an int.
        ValueError: if one is out of range, or if the kernel is larger than the padded picture.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), section 2.4.
    """
    size, kernel_size = _whole(size, "size", 0), _whole(kernel_size, "kernel_size", 1)
    stride, dilation = _whole(stride, "stride", 1), _whole(dilation, "dilation", 1)
    padding = _whole(padding, "padding", 0)
    reach = dilation * (kernel_size - 1) + 1
    if reach > size + 2 * padding:
        raise ValueError(
            f"kernel_size: a kernel that reaches over {reach} pixels does not fit into {size + 2 * padding}, "
            f"padding included; take a smaller kernel or dilation, or more padding"
        )
    return (size + 2 * padding - reach) // stride + 1


def receptive_field(layers: Sequence[tuple[int, int, int]]) -> int:
    """How long, along one side, is the stretch of input pixels that can change one number of the last layer?

    Each layer, pooling included, widens the field by its own reach, counted in the steps between neighbours
    of its input; its stride widens the steps of the layers after it. Dilation, and a stride longer than the
    next kernel, leave gaps inside the stretch.

    Args:
        layers: (kernel_size, stride, dilation) of each layer, first layer first.

    Raises:
        TypeError, ValueError: if ``layers`` does not hold triples of ints, each at least 1.

    Source: Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks",
    Distill (2019), section "Single-path networks".
    """
    if not isinstance(layers, Sequence):
        raise TypeError(f"layers must be a list of (kernel_size, stride, dilation), got {layers!r}")
    field = step = 1
    for number, layer in enumerate(layers):
        if not isinstance(layer, Sequence) or len(layer) != 3:
            raise ValueError(f"layers[{number}] must be (kernel_size, stride, dilation), got {layer!r}")
        kernel_size, stride, dilation = (_whole(value, f"layers[{number}]", 1) for value in layer)
        field += dilation * (kernel_size - 1) * step
        step *= stride
    return field


# --- One picture, one kernel --------------------------------------------------------------------------------


def cross_correlate2d(image: Tensor, kernel: Tensor) -> Tensor:
    """Slide ``kernel`` over ``image``; at each place, multiply what lies on top of each other and add.

    ``result[i, j] = sum over u, v of image[i + u, j + v] * kernel[u, v]``. This is what networks call
    convolution; the sum runs over the kernel's numbers, and all places are computed at once.

    Args:
        image: (H, W).
        kernel: (kh, kw), of the same dtype.

    Returns:
        (H - kh + 1, W - kw + 1).

    Raises:
        TypeError, ValueError: if an argument is not such a tensor, or the kernel is larger than the image.

    Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), equation 9.6.
    """
    _tensor(image, "image", "(H, W)")
    _tensor(kernel, "kernel", "(kh, kw)", like=image)
    (height, width), (kh, kw) = image.shape, kernel.shape
    out_h, out_w = output_size(height, kh), output_size(width, kw)
    result = image.new_zeros(out_h, out_w)
    for u in range(kh):
        for v in range(kw):
            result = result + kernel[u, v] * image[u : u + out_h, v : v + out_w]
    return result


def convolve2d(image: Tensor, kernel: Tensor) -> Tensor:
    """True convolution, as in signal processing: cross-correlation with the kernel turned by 180 degrees.

    ``result[i, j] = sum over u, v of image[i + kh - 1 - u, j + kw - 1 - v] * kernel[u, v]``, the same as
    ``scipy.signal.convolve2d(image, kernel, mode="valid")`` where the kernel fits into the image.

    Args, Returns, Raises: as ``cross_correlate2d``.

    Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), equation 9.5.
    """
    _tensor(kernel, "kernel", "(kh, kw)")
    return cross_correlate2d(image, kernel.flip(0, 1))


def toeplitz(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """The matrix that does to a flattened picture what ``cross_correlate2d`` does to the picture.

    Each row is one place of the kernel: its numbers stand in the columns of the pixels under it, the rest
    is zero. (Strictly, a Toeplitz matrix of Toeplitz blocks.)

    Args:
        kernel: (kh, kw).
        size: (H, W) of the picture.

    Returns:
        (out_h * out_w, H * W), so that ``toeplitz(kernel, image.shape) @ image.flatten()`` equals
        ``cross_correlate2d(image, kernel).flatten()``.

    Raises:
        TypeError, ValueError: if an argument is none of that, or the kernel is larger than the picture.

    Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 9.1.
    """
    _tensor(kernel, "kernel", "(kh, kw)")
    height, width = _pair(size, "size", 1)
    pixels = torch.arange(height * width, device=kernel.device).view(1, height, width)
    under = im2col(pixels, kernel.shape).T  # (places, kh*kw): which pixel lies under which number
    matrix = kernel.new_zeros(len(under), height * width)
    return matrix.scatter(1, under, kernel.flatten().expand(len(under), -1))


# --- Windows as columns -------------------------------------------------------------------------------------


def im2col(x: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """Lay out every window of ``x`` as a column, so that convolution becomes one matrix product.

    Same arguments and result as ``torch.nn.functional.unfold``.

    Args:
        x: images, (N, C, H, W) or (C, H, W).
        kernel_size, dilation, padding, stride: int or (vertical, horizontal), pixels.

    Returns:
        (N, C*kh*kw, L) or (C*kh*kw, L): L windows, row by row; within a column, channel by channel.

    Raises:
        TypeError, ValueError: if an argument is none of that, or the kernel does not fit.

    Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
    processing" (2006), section 2.
    """
    _tensor(x, "x", *IMAGES)
    kernel_size, dilation = _pair(kernel_size, "kernel_size", 1), _pair(dilation, "dilation", 1)
    x = _pad(x, _pair(padding, "padding", 0))
    windows = _windows(x, kernel_size, _pair(stride, "stride", 1), dilation)
    return windows.flatten(-2).flatten(-3, -2)  # (..., C, kh*kw, out_h, out_w) -> (..., C*kh*kw, L)


def col2im(
    columns: Tensor,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Tensor:
    """Put columns back where ``im2col`` took them from, and add where windows overlap.

    Same arguments and result as ``torch.nn.functional.fold``. It is no inverse of ``im2col`` but its
    transpose, and so its gradient: a pixel that stood in four windows receives four numbers.

    Args:
        columns: (N, C*kh*kw, L) or (C*kh*kw, L).
        output_size: (H, W) of the picture to fill.
        kernel_size, dilation, padding, stride: as they were given to ``im2col``.

    Returns:
        (N, C, H, W) or (C, H, W).

    Raises:
        TypeError, ValueError: if an argument is none of that, or ``columns`` does not match the sizes.
    """
    _tensor(columns, "columns", "(N, C*kh*kw, L)", "(C*kh*kw, L)")
    height, width = _pair(output_size, "output_size", 1)
    kernel_size, dilation = _pair(kernel_size, "kernel_size", 1), _pair(dilation, "dilation", 1)
    stride, (pad_h, pad_w) = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
    padded = height + 2 * pad_h, width + 2 * pad_w
    out_h, out_w = _places(padded, kernel_size, stride, dilation)
    area = kernel_size[0] * kernel_size[1]
    if columns.shape[-2] % area:
        raise ValueError(
            f"columns: needs channels * {area} rows, for kernel_size {kernel_size}; got {columns.shape[-2]}"
        )
    if columns.shape[-1] != out_h * out_w:
        raise ValueError(
            f"columns: such a kernel has {out_h} * {out_w} = {out_h * out_w} places in a picture of "
            f"{height}x{width}, but there are {columns.shape[-1]} columns"
        )
    channels = columns.shape[-2] // area
    taps = columns.unflatten(-1, (out_h, out_w)).unflatten(-3, (channels, area))  # (..., C, kh*kw, out_h, out_w)
    x = columns.new_zeros(*taps.shape[:-3], *padded)
    for tap, (rows, cols) in enumerate(_slices(kernel_size, (out_h, out_w), stride, dilation)):
        x[..., rows, cols] += taps[..., tap, :, :]
    return x[..., pad_h : pad_h + height, pad_w : pad_w + width].contiguous()


# --- Batches and channels -----------------------------------------------------------------------------------


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate every picture with every filter, as ``torch.nn.functional.conv2d``.

    ``result[n, o] = bias[o] + sum over c of cross_correlate2d(x[n, c], weight[o, c])``, computed as one
    matrix product with the columns of ``im2col``.

    Args:
        x: images, (N, C, H, W) or (C, H, W).
        weight: filters, (O, C/groups, kh, kw).
        bias: (O,), added to each filter's map.
        stride, dilation: int or (vertical, horizontal).
        padding: int or pair of zeros laid on both sides; "valid" for none; "same" for an output as large as
            the input (an odd zero goes below and to the right).
        groups: the channels are cut into so many parts, and each part has its own share of the filters.

    Returns:
        (N, O, out_h, out_w) or (O, out_h, out_w).

    Raises:
        TypeError, ValueError: if an argument is none of that, or shapes and dtypes do not belong together.

    Source: Dumoulin and Visin (2016), chapter 2; the columns: Chellapilla, Puri and Simard (2006).
    """
    _tensor(x, "x", *IMAGES)
    _tensor(weight, "weight", "(O, C/groups, kh, kw)", like=x)
    stride, dilation = _pair(stride, "stride", 1), _pair(dilation, "dilation", 1)
    groups = _whole(groups, "groups", 1)
    filters, per_group, kh, kw = weight.shape
    _check_channels(x.shape[-3], per_group, filters, groups)
    _check_bias(bias, filters, x)

    padding = _padding(padding, stride)
    x = _pad_same(x, (kh, kw), dilation) if padding == "same" else _pad(x, padding)
    columns = im2col(x, (kh, kw), dilation, stride=stride)  # (..., C*kh*kw, L)
    parts = columns.unflatten(-2, (groups, per_group * kh * kw))  # (..., groups, C/groups*kh*kw, L)
    matrices = weight.reshape(groups, filters // groups, per_group * kh * kw)
    result = (matrices @ parts).flatten(-3, -2)  # (..., groups, O/groups, L) -> (..., O, L)
    if bias is not None:
        result = result + bias[:, None]
    return result.unflatten(-1, _places(x.shape[-2:], (kh, kw), stride, dilation))  # L -> out_h, out_w


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
) -> Tensor:
    """Stamp the filter, weighted by each input number, onto a larger picture, and add where stamps overlap.

    Same arguments and result as ``torch.nn.functional.conv_transpose2d``, which also has groups and dilation.
    It is the transpose of ``conv2d`` with the same weight, and so the gradient of ``conv2d`` with respect to
    its input.

    Args:
        x: (N, C, H, W) or (C, H, W).
        weight: (C, O, kh, kw).
        bias: (O,).
        stride: how far apart neighbouring numbers put their stamps; int or (vertical, horizontal).
        padding: how many pixels are cut off on both sides.
        output_padding: how many pixels are kept beyond the last stamp, below and to the right; below stride.

    Returns:
        (N, O, out_h, out_w) or (O, out_h, out_w) with
        out_h = (H - 1) * stride - 2 * padding + kh + output_padding.

    Raises:
        TypeError, ValueError: if an argument is none of that, or shapes and dtypes do not belong together.

    Source: Dumoulin and Visin (2016), chapter 4.
    """
    _tensor(x, "x", *IMAGES)
    _tensor(weight, "weight", "(C, O, kh, kw)", like=x)
    stride, padding = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
    extra = _pair(output_padding, "output_padding", 0)
    channels, filters, *kernel_size = weight.shape
    _check_channels(x.shape[-3], channels, filters, groups=1)
    _check_bias(bias, filters, x)
    if extra[0] >= stride[0] or extra[1] >= stride[1]:
        raise ValueError(f"output_padding must be smaller than stride {stride}, got {extra}")
    size = tuple(
        (n - 1) * s - 2 * p + k + e
        for n, s, p, k, e in zip(x.shape[-2:], stride, padding, kernel_size, extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"padding: {padding} cuts off everything; the output would have size {size}")
    columns = weight.flatten(1).T @ x.flatten(-2)  # (O*kh*kw, C) @ (..., C, L) -> (..., O*kh*kw, L)
    result = col2im(columns, size, kernel_size, padding=padding, stride=stride)
    return result if bias is None else result + bias[:, None, None]


# --- Pooling ------------------------------------------------------------------------------------------------


def max_pool2d(x: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The largest number of each window, as ``torch.nn.functional.max_pool2d``.

    A padded pixel is minus infinity and never wins. Where two numbers tie, the gradient goes to the first.

    Args:
        x: (N, C, H, W) or (C, H, W).
        kernel_size: int or (vertical, horizontal).
        stride: likewise; the kernel size unless given.
        padding: likewise; at most half of the kernel.

    Returns:
        (N, C, out_h, out_w) or (C, out_h, out_w).

    Raises:
        TypeError, ValueError: if an argument is none of that, or the kernel does not fit.
    """
    _tensor(x, "x", *IMAGES)
    if x.is_complex() or x.dtype in NO_ARITHMETIC:
        raise TypeError(f"x: PyTorch does not compare {x.dtype}; convert it, for example with .float()")
    lowest = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
    windows = _pooling_windows(x, kernel_size, stride, padding, fill=lowest)
    winner = windows.argmax(-3, keepdim=True)  # argmax answers with the first of equal numbers
    return windows.gather(-3, winner).squeeze(-3)


def avg_pool2d(x: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> Tensor:
    """The mean of each window, as ``torch.nn.functional.avg_pool2d``: padded zeros count as numbers.

    Args, Returns: x, which holds floating-point numbers, kernel_size, stride and padding as in ``max_pool2d``.

    Raises:
        TypeError, ValueError: as there, and if ``x`` holds other numbers.
    """
    _tensor(x, "x", *IMAGES)
    if not x.is_floating_point():
        raise TypeError(f"x must hold floating-point numbers, got {x.dtype}")
    return _pooling_windows(x, kernel_size, stride, padding, fill=0).mean(-3)


# --- Modules ------------------------------------------------------------------------------------------------


class Conv2d(nn.Module):
    """``conv2d`` with a weight and a bias to learn; arguments and initial values as ``torch.nn.Conv2d``.

    Args:
        in_channels, out_channels: C and O; ``groups`` divides both.
        kernel_size, stride, padding, dilation, groups: as in ``conv2d``.
        bias: whether there is one.

    Attributes: weight (O, C/groups, kh, kw), bias (O,) or None.

    Raises:
        TypeError, ValueError: as ``conv2d``, for the arguments it is made with.

    Source of the initial values: He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015), section 2.2,
    with PyTorch's choice of a = sqrt(5), which makes them uniform within 1 / sqrt(C/groups * kh * kw).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        in_channels = _whole(in_channels, "in_channels", 1)
        out_channels = _whole(out_channels, "out_channels", 1)
        groups = _whole(groups, "groups", 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups: {groups} must divide in_channels {in_channels} and out_channels {out_channels}")
        self.stride, self.dilation = _pair(stride, "stride", 1), _pair(dilation, "dilation", 1)
        self.groups = groups
        self.padding = _padding(padding, self.stride)
        shape = (out_channels, in_channels // groups, *_pair(kernel_size, "kernel_size", 1))
        self.weight, self.bias = _learnable(shape, out_channels if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> (N, O, out_h, out_w) or (O, out_h, out_w)"""
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class ConvTranspose2d(nn.Module):
    """``conv_transpose2d`` with a weight and a bias to learn; as ``torch.nn.ConvTranspose2d``.

    Args:
        in_channels, out_channels: C and O.
        kernel_size, stride, padding, output_padding: as in ``conv_transpose2d``.
        bias: whether there is one.

    Attributes: weight (C, O, kh, kw), bias (O,) or None.

    Raises:
        TypeError, ValueError: as ``conv_transpose2d``, for the arguments it is made with.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        *,
        bias: bool = True,
    ):
        super().__init__()
        in_channels = _whole(in_channels, "in_channels", 1)
        out_channels = _whole(out_channels, "out_channels", 1)
        self.stride, self.padding = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
        self.output_padding = _pair(output_padding, "output_padding", 0)
        shape = (in_channels, out_channels, *_pair(kernel_size, "kernel_size", 1))
        self.weight, self.bias = _learnable(shape, out_channels if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> (N, O, out_h, out_w) or (O, out_h, out_w)"""
        return conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, self.output_padding)


class MaxPool2d(nn.Module):
    """``max_pool2d`` as a layer, with its kernel_size, stride and padding; as ``torch.nn.MaxPool2d``."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> the same with out_h, out_w"""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(nn.Module):
    """``avg_pool2d`` as a layer, with its kernel_size, stride and padding; as ``torch.nn.AvgPool2d``."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> the same with out_h, out_w"""
        return avg_pool2d(x, self.kernel_size, self.stride, self.padding)


# --- Parts that the blocks share ----------------------------------------------------------------------------


def _windows(x: Tensor, kernel_size: Size, stride: Size, dilation: Size) -> Tensor:
    """(..., C, H, W) -> (..., C, kh*kw, out_h, out_w): for each number of the kernel, all that it meets."""
    places = _places(x.shape[-2:], kernel_size, stride, dilation)
    return torch.stack([x[..., rows, cols] for rows, cols in _slices(kernel_size, places, stride, dilation)], dim=-3)


def _places(padded: Size, kernel_size: Size, stride: Size, dilation: Size) -> tuple[int, int]:
    """(out_h, out_w): in how many places the kernel can stand, down and across."""
    down, across = zip(padded, kernel_size, stride, dilation, strict=True)
    return tuple(output_size(n, k, s, dilation=d) for n, k, s, d in (down, across))


def _slices(kernel_size: Size, places: Size, stride: Size, dilation: Size) -> list[tuple[slice, slice]]:
    """For each number of the kernel, the rows and columns of the picture that it meets on its way."""
    rows, cols = (
        [slice(d * tap, d * tap + s * (n - 1) + 1, s) for tap in range(k)]
        for k, n, s, d in zip(kernel_size, places, stride, dilation, strict=True)
    )
    return [(r, c) for r in rows for c in cols]


def _pad(x: Tensor, padding: tuple[int, int], fill: float = 0) -> Tensor:
    vertical, horizontal = padding
    return F.pad(x, (horizontal, horizontal, vertical, vertical), value=fill) if any(padding) else x


def _pad_same(x: Tensor, kernel_size: Size, dilation: Size) -> Tensor:
    missing_h, missing_w = (d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
    left, above = missing_w // 2, missing_h // 2
    return F.pad(x, (left, missing_w - left, above, missing_h - above))


def _pooling_windows(x: Tensor, kernel_size: Size, stride: Size | None, padding: Size, fill: float) -> Tensor:
    kernel_size, padding = _pair(kernel_size, "kernel_size", 1), _pair(padding, "padding", 0)
    stride = kernel_size if stride is None else _pair(stride, "stride", 1)
    if 2 * padding[0] > kernel_size[0] or 2 * padding[1] > kernel_size[1]:
        raise ValueError(
            f"padding: at most half of kernel_size {kernel_size}, got {padding}; else a window is all padding"
        )
    return _windows(_pad(x, padding, fill), kernel_size, stride, dilation=(1, 1))


def _learnable(weight_shape: tuple[int, ...], bias_size: int | None) -> tuple[nn.Parameter, nn.Parameter | None]:
    """Weight and bias, uniform within 1 / sqrt(numbers summed up in one output), drawn in PyTorch's order."""
    weight = nn.Parameter(torch.empty(weight_shape))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias_size is None:
        return weight, None
    bound = 1 / math.sqrt(weight[0].numel())
    return weight, nn.Parameter(torch.empty(bias_size).uniform_(-bound, bound))


# --- Arguments ----------------------------------------------------------------------------------------------


def _whole(value: int, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def _pair(value: Size, name: str, least: int) -> tuple[int, int]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 2:
            raise ValueError(f"{name} must be one whole number or a pair (vertical, horizontal), got {value!r}")
        return _whole(value[0], name, least), _whole(value[1], name, least)
    return (_whole(value, name, least),) * 2


def _padding(value: Size | str, stride: tuple[int, int]) -> tuple[int, int] | str:
    """The padding of ``conv2d``: a pair, or "same"."""
    if not isinstance(value, str):
        return _pair(value, "padding", 0)
    if value not in ("same", "valid"):
        raise ValueError(f"padding must be an int, a pair, 'same' or 'valid', got {value!r}")
    if value == "same" and stride != (1, 1):
        raise ValueError(f"padding='same' needs stride 1: with stride {stride} the output is smaller than the input")
    return "same" if value == "same" else (0, 0)


def _tensor(value: Tensor, name: str, *layouts: str, like: Tensor | None = None) -> None:
    """``layouts``: the shapes it may have, as text: "(H, W)" has two axes. ``like``: what it multiplies."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    layout = {text.count(",") + 1: text for text in layouts}.get(value.dim())
    if layout is None:
        raise ValueError(f"{name} must have shape {' or '.join(layouts)}, got {tuple(value.shape)}")
    if 0 in value.shape[1 if layout.startswith("(N") else 0 :]:
        raise ValueError(f"{name} is empty, which only a batch may be; got shape {tuple(value.shape)}")
    if like is None:
        return
    if (value.dtype, value.device) != (like.dtype, like.device):
        raise TypeError(
            f"{name} is {value.dtype} on {value.device}, but the picture is {like.dtype} on {like.device}; "
            f"convert one of them with .to()"
        )
    if value.dtype in NO_ARITHMETIC:
        raise TypeError(
            f"{name}: PyTorch does not multiply {value.dtype}; convert it and the picture, as with .float()"
        )


def _check_channels(channels: int, per_group: int, filters: int, groups: int) -> None:
    if filters % groups or channels % groups:
        raise ValueError(f"groups: {groups} must divide the {channels} channels and the {filters} filters")
    if channels != per_group * groups:
        raise ValueError(f"weight: made for {per_group * groups} channels ({groups} groups), but x has {channels}")


def _check_bias(bias: Tensor | None, filters: int, x: Tensor) -> None:
    if bias is not None:
        _tensor(bias, "bias", "(O)", like=x)
        if len(bias) != filters:
            raise ValueError(f"bias must hold one number for each of the {filters} filters, got {len(bias)}")
