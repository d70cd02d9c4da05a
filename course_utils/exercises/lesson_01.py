"""The exercises of lesson 01: sliding a kernel, pooling, and what moves along with the picture."""

import math

import torch
import torch.nn.functional as F

from .. import convolution
from .exercise import Case, Draw, Exercise, Mistake

LESSON = "01_convolution"


# --- output_size ----------------------------------------------------------------------------------------------


def output_size(size, kernel_size, stride, padding, dilation):
    """Pixels along one side, where the kernel fits -> in how many places it can stand there, an int"""
    reach = dilation * (kernel_size - 1) + 1  # from the kernel's first number to its last
    return (size + 2 * padding - reach) // stride + 1


def padding_once(size, kernel_size, stride, padding, dilation):
    return (size + padding - dilation * (kernel_size - 1) - 1) // stride + 1


def rounded_up(size, kernel_size, stride, padding, dilation):
    return math.ceil((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1


def whole_kernel_spread(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - dilation * kernel_size) // stride + 1


def reach_one_short(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel_size - 1)) // stride + 1


def with_a_fraction(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1


def dilation_ignored(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - kernel_size) // stride + 1


def brackets_forgotten(size, kernel_size, stride, padding, dilation):
    return size + 2 * padding - dilation * (kernel_size - 1) - 1 // stride + 1


def steps_not_places(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride


def drawn_sizes(draw: Draw) -> tuple[int, ...]:
    kernel_size, stride, padding, dilation = (draw.whole(*ends) for ends in ((1, 5), (1, 3), (0, 2), (1, 3)))
    reach = dilation * (kernel_size - 1) + 1
    return max(1, reach - 2 * padding) + draw.whole(0, 20), kernel_size, stride, padding, dilation


# --- cross_correlate2d ----------------------------------------------------------------------------------------


def cross_correlate2d(image, kernel):
    """(H, W), (kh, kw), of one dtype -> (H - kh + 1, W - kw + 1), of that dtype"""
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kw + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result


def flipped(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kw + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel.flip(0, 1)).sum()
    return result


def one_short(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh, width - kw, dtype=image.dtype)
    for i in range(height - kh):
        for j in range(width - kw):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result


def square_size(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kh + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kh + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result


def square_window(image, kernel):
    k = kernel.shape[0]
    result = torch.zeros(image.shape[0] - k + 1, image.shape[1] - k + 1, dtype=image.dtype)
    for i in range(image.shape[0] - k + 1):
        for j in range(image.shape[1] - k + 1):
            result[i, j] = (image[i : i + k, j : j + k] * kernel).sum()
    return result


def mean_not_sum(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kw + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).mean()
    return result


def always_float32(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kw + 1)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result


def columns_first(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(width - kw + 1, height - kh + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[j, i] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result


# --- max_pool2d -----------------------------------------------------------------------------------------------


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """(N, C, H, W) -> (N, C, out_h, out_w)

    A padded pixel never wins; of equal numbers the first receives the gradient.
    """
    if stride is None:
        stride = kernel_size
    x = F.pad(x, (padding, padding, padding, padding), value=-math.inf)
    down = range(0, x.shape[2] - kernel_size + 1, stride)
    across = range(0, x.shape[3] - kernel_size + 1, stride)
    rows = []
    for i in down:
        windows = [x[:, :, i : i + kernel_size, j : j + kernel_size].flatten(2) for j in across]
        rows.append(torch.stack([window.max(dim=2).values for window in windows], dim=2))
    return torch.stack(rows, dim=2)


def pads_with_zero(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).flatten(4).max(4).values


def default_stride_one(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, stride or 1)
    return windows.unfold(3, kernel_size, stride or 1).flatten(4).max(4).values


def default_stride_two(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, stride or 2)
    return windows.unfold(3, kernel_size, stride or 2).flatten(4).max(4).values


def stride_ignored(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, kernel_size)
    return windows.unfold(3, kernel_size, kernel_size).flatten(4).max(4).values


def averages(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).flatten(4).mean(4)


def splits_ties(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).amax((4, 5))


def pads_with_zero_and_splits_ties(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).amax((4, 5))


def first_column_before_first_row(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).max(4).values.max(4).values


def windows_side_by_side_by_one(x, kernel_size, stride=None, padding=0):
    k, s = kernel_size, stride or kernel_size
    x = F.pad(x, (padding,) * 4, value=-math.inf)
    height, width = (x.shape[2] - k) // s + 1, (x.shape[3] - k) // s + 1
    places = [x[:, :, i : i + k, j : j + k].flatten(2).max(2).values for i in range(height) for j in range(width)]
    return torch.stack(places, 2).unflatten(2, (height, width))


def pads_with_minus_a_billion(x, kernel_size, stride=None, padding=0):
    windows = F.pad(x, (padding,) * 4, value=-1e9).unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).flatten(4).max(4).values


def padding_ignored(x, kernel_size, stride=None, padding=0):
    windows = x.unfold(2, kernel_size, stride or kernel_size)
    return windows.unfold(3, kernel_size, stride or kernel_size).flatten(4).max(4).values


def drawn_pooling(draw: Draw) -> tuple:
    kernel_size = draw.whole(1, 3)
    shape = draw.whole(1, 2), draw.whole(1, 3), draw.whole(3, 7), draw.whole(3, 7)
    return draw(*shape), kernel_size, draw.whole(1, 3), draw.whole(0, kernel_size // 2)


# --- equivariance_error ---------------------------------------------------------------------------------------


def equivariance_error(f, x, shift, stride):
    """max |f(x moved) - f(x) moved|, a number

    x (N, C, H, W) moves `shift` columns to the right, by roll. f makes one output column
    of every `stride` input columns, so its answer moves by shift // stride. The edges,
    width // 4 output columns on each side, are left out.
    """
    moved_before = f(x.roll(shift, dims=-1))
    moved_after = f(x).roll(shift // stride, dims=-1)
    width = moved_after.shape[-1]
    inside = (moved_before - moved_after)[..., width // 4 : width - width // 4]
    return inside.abs().max().item()


def tests_invariance(f, x, shift, stride):
    moved_before, still = f(x.roll(shift, dims=-1)), f(x)
    width = still.shape[-1]
    return (moved_before - still)[..., width // 4 : width - width // 4].abs().max().item()


def forgets_the_stride(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift, dims=-1)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].abs().max().item()


def keeps_the_rim(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    return (moved_before - moved_after).abs().max().item()


def without_absolute_values(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].max().item()


def absolute_value_last(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    width = moved_after.shape[-1]
    return abs((moved_before - moved_after)[..., width // 4 : width - width // 4].max().item())


def empty_without_edges(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    edge = moved_after.shape[-1] // 4
    return (moved_before - moved_after)[..., edge:-edge].abs().max().item()


def tests_invariance_and_is_empty(f, x, shift, stride):
    moved_before, still = f(x.roll(shift, dims=-1)), f(x)
    edge = still.shape[-1] // 4
    return (moved_before - still)[..., edge:-edge].abs().max().item()


def forgets_the_stride_and_is_empty(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift, dims=-1)
    edge = moved_after.shape[-1] // 4
    return (moved_before - moved_after)[..., edge:-edge].abs().max().item()


def without_absolute_values_and_empty(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    edge = moved_after.shape[-1] // 4
    return (moved_before - moved_after)[..., edge:-edge].max().item()


def mean_of_the_absolute_values(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].abs().mean().item()


def edges_of_the_picture(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    edge = x.shape[-1] // 4
    return (moved_before - moved_after)[..., edge : moved_after.shape[-1] - edge].abs().max().item()


def edges_of_the_picture_from_the_end(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    edge = x.shape[-1] // 4
    return (moved_before - moved_after)[..., edge:-edge].abs().max().item()


def moves_left(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(-shift, dims=-1)), f(x).roll(-(shift // stride), dims=-1)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].abs().max().item()


def errors_cancel(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-1)), f(x).roll(shift // stride, dims=-1)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].mean().item()


def moves_down(f, x, shift, stride):
    moved_before, moved_after = f(x.roll(shift, dims=-2)), f(x).roll(shift // stride, dims=-2)
    width = moved_after.shape[-1]
    return (moved_before - moved_after)[..., width // 4 : width - width // 4].abs().max().item()


def convolution_3x3(x):
    kernel = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 0.0, -0.5]], dtype=x.dtype)
    return F.conv2d(x, kernel.expand(1, 1, 3, 3))


def padded_convolution_3x3(x):
    return convolution_3x3(F.pad(x, (1, 1, 1, 1)))


def convolution_with_stride_2(x):
    return padded_convolution_3x3(x)[..., ::2, ::2]


def max_pooling_2x2(x):
    return F.max_pool2d(x, 2)


def brighter_to_the_right(x):
    return x * torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)


def uneven_floor(x):
    """Something added that stays where it is: differences of both signs, the negative ones larger."""
    return x - torch.tensor([0.0, 1.0, 2.0, 9.0], dtype=x.dtype).repeat(x.shape[-1])[: x.shape[-1]].cumsum(0)


def two_maps(x):
    """The second map breaks it, the first one does not."""
    return torch.cat([padded_convolution_3x3(x), brighter_to_the_right(x)], dim=1)


def one_column_fewer(x):
    return brighter_to_the_right(x)[..., 1:]


def drawn_equivariance(draw: Draw) -> tuple:
    f, stride = (
        (convolution_3x3, 1),
        (padded_convolution_3x3, 1),
        (convolution_with_stride_2, 2),
        (max_pooling_2x2, 2),
        (brighter_to_the_right, 1),
    )[draw.whole(0, 4)]
    return (
        f,
        draw(draw.whole(1, 2), 1, draw.whole(8, 10), draw.whole(16, 20)).double(),
        draw.whole(1, 3),
        stride,
    )


# --- conv2d ---------------------------------------------------------------------------------------------------


def conv2d(x, weight, bias):
    """(N, C, H, W), (O, C, kh, kw), (O,) -> (N, O, H - kh + 1, W - kw + 1)"""
    filters, _, kh, kw = weight.shape
    columns = convolution.im2col(x, (kh, kw))  # (N, C*kh*kw, L)
    result = weight.flatten(1) @ columns + bias[:, None]  # (O, C*kh*kw) @ (N, C*kh*kw, L) -> (N, O, L)
    return result.view(len(x), filters, x.shape[2] - kh + 1, x.shape[3] - kw + 1)


def kernel_before_channel(x, weight, bias):
    filters, _, kh, kw = weight.shape
    columns = convolution.im2col(x, (kh, kw))
    result = weight.permute(0, 2, 3, 1).flatten(1) @ columns + bias[:, None]
    return result.view(len(x), filters, x.shape[2] - kh + 1, x.shape[3] - kw + 1)


def bias_along_the_width(x, weight, bias):
    filters, _, kh, kw = weight.shape
    result = weight.flatten(1) @ convolution.im2col(x, (kh, kw))
    return result.view(len(x), filters, x.shape[2] - kh + 1, x.shape[3] - kw + 1) + bias


def reshaped_not_moved(x, weight, bias):
    filters, _, kh, kw = weight.shape
    columns = convolution.im2col(x, (kh, kw)).transpose(1, 2)
    result = columns @ weight.flatten(1).T + bias
    return result.reshape(len(x), filters, x.shape[2] - kh + 1, x.shape[3] - kw + 1)


def width_before_height(x, weight, bias):
    filters, _, kh, kw = weight.shape
    result = weight.flatten(1) @ convolution.im2col(x, (kh, kw)) + bias[:, None]
    return result.view(len(x), filters, x.shape[3] - kw + 1, x.shape[2] - kh + 1)


def bias_forgotten(x, weight, bias):
    filters, _, kh, kw = weight.shape
    result = weight.flatten(1) @ convolution.im2col(x, (kh, kw))
    return result.view(len(x), filters, x.shape[2] - kh + 1, x.shape[3] - kw + 1)


def filters_for(draw: Draw, channels: int, filters: int, kh: int, kw: int) -> tuple:
    return draw(filters, channels, kh, kw), draw(filters)


# --- receptive_field ------------------------------------------------------------------------------------------


def receptive_field(layers):
    """[(kernel_size, stride, dilation), ...], first layer first -> pixels along one side, an int"""
    field = step = 1
    for kernel_size, stride, dilation in layers:
        field += dilation * (kernel_size - 1) * step
        step *= stride  # for the layers after this one
    return field


def own_stride_first(layers):
    field = step = 1
    for kernel_size, stride, dilation in layers:
        step *= stride
        field += dilation * (kernel_size - 1) * step
    return field


def first_number_twice(layers):
    field = step = 1
    for kernel_size, stride, dilation in layers:
        field += dilation * kernel_size * step
        step *= stride
    return field


def last_stride_alone(layers):
    field = step = 1
    for kernel_size, stride, dilation in layers:
        field += dilation * (kernel_size - 1) * step
        step = stride
    return field


def wrong_end(layers):
    field = 1
    for kernel_size, stride, dilation in layers:
        field = (field - 1) * stride + dilation * (kernel_size - 1) + 1
    return field


def kernels_multiplied(layers):
    field = 1
    for kernel_size, _, dilation in layers:
        field *= dilation * (kernel_size - 1) + 1
    return field


def strides_forgotten(layers):
    return 1 + sum(dilation * (kernel_size - 1) for kernel_size, _, dilation in layers)


# --- flatten_features: find the fault -------------------------------------------------------------------------


def flatten_features(x):
    """(N, C, h, w) -> (N, C*h*w), a row for each picture"""
    return x.flatten(1)


def the_fault(x):
    """(N, C, h, w) -> (N, C*h*w), a row for each picture"""
    return x.view(-1, 16 * 5 * 5)


def the_fault_in_other_words(x):
    return x.reshape(-1, 400)


def another_fixed_size(x):
    return x.reshape(-1, 16 * 4 * 4)


def fixed_number_of_pictures(x):
    return x.reshape(100, -1)


def everything_in_one_row(x):
    return x.flatten()


EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=cross_correlate2d,
        minutes=10,
        difficulty=2,
        cases=lambda draw: [
            Case("a 2x2 kernel on a 3x3 image", draw(3, 3), draw(2, 2)),
            Case("a kernel taller than wide", draw(6, 7), draw(3, 2)),
            Case("an image that is one kernel large", draw(3, 2), draw(3, 2)),
            Case("double precision stays double", draw(5, 5).double().T, draw(3, 3).double()),
        ],
        drawn=lambda draw: (
            draw(draw.whole(4, 8), draw.whole(4, 8)),
            draw(draw.whole(1, 4), draw.whole(1, 4)),
        ),
        hints=(
            "In how many rows can the kernel's top edge stand? Write that number down for H = 5, kh = 3.",
            "One output number is the sum of a window times the kernel: `(window * kernel).sum()`.",
            "The window at (i, j) is `image[i : i + kh, j : j + kw]`. Two loops run over the output's places.",
        ),
        mistakes=(
            Mistake(
                flipped,
                "That is the convolution of signal processing, with the kernel turned by 180 degrees; "
                "networks leave out the turn.",
            ),
            Mistake(one_short, "The last place is missing: a kernel of 3 stands in H - 3 + 1 rows."),
            Mistake(square_size, "You used the kernel's height for its width too. Try a 3x2 kernel on paper."),
            Mistake(square_window, "You used the kernel's height for its width too. Try a 3x2 kernel on paper."),
            Mistake(mean_not_sum, "You averaged the products. The output is their sum."),
            Mistake(
                always_float32,
                "The result should have the input's precision: `torch.zeros(..., dtype=image.dtype)`.",
            ),
            Mistake(columns_first, "Rows come first: result[i, j] belongs to the window in row i and column j."),
        ),
        not_allowed=(
            "course_utils.convolution.cross_correlate2d",
            "course_utils.convolution.conv2d",
            "course_utils.convolution.conv_transpose2d",
            "course_utils.convolution.toeplitz",
            "torch.conv1d",
            "torch.conv2d",
            "torch.conv3d",
            "torch.conv_transpose2d",
            "torch.conv_tbc",
            "torch.convolution",
            "torch.mkldnn_convolution",
            "torch.nn.grad",
            "scipy.signal.correlate",
            "scipy.signal.correlate2d",
            "scipy.signal.convolve",
            "scipy.signal.convolve2d",
            "scipy.signal.fftconvolve",
            "scipy.signal.oaconvolve",
            "scipy.ndimage.correlate",
            "scipy.ndimage.convolve",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=output_size,
        minutes=6,
        difficulty=1,
        cases=lambda draw: [
            Case("a kernel of 3 over 5 pixels", 5, 3, 1, 0, 1),
            Case("stride 2, the last step does not fit", 8, 3, 2, 0, 1),
            Case("one pixel of padding", 7, 3, 1, 1, 1),
            Case("dilation 2", 10, 3, 1, 0, 2),
        ],
        drawn=drawn_sizes,
        hints=(
            "Lay a kernel of 3 on a strip of 5 pixels. Where can its first number stand? Count.",
            "Its last place starts where the reach of the kernel still fits: at size - reach, counted from 0.",
            "With gaps, k numbers reach over dilation * (k - 1) + 1 pixels. With stride s, every s-th place counts.",
        ),
        mistakes=(
            Mistake(padding_once, "Padding is laid on both sides."),
            Mistake(rounded_up, "The last window must fit whole; a piece that hangs over does not count."),
            Mistake(whole_kernel_spread, "Only the gaps stretch: between k numbers there are k - 1 gaps."),
            Mistake(reach_one_short, "The kernel's first number takes a pixel too: it reaches over d (k - 1) + 1."),
            Mistake(dilation_ignored, "The dilation that was given is not used: the reach is longer than the kernel."),
            Mistake(brackets_forgotten, "`//` comes before `-`: the difference that is divided needs brackets."),
            Mistake(with_a_fraction, "Half a pixel is no answer: use `//`."),
            Mistake(
                steps_not_places,
                "You counted the steps. Before the first step the kernel stands somewhere too.",
            ),
        ),
        not_allowed=("course_utils.convolution",),
    ),
    Exercise(
        lesson=LESSON,
        reference=equivariance_error,
        minutes=12,
        difficulty=3,
        cases=lambda draw: [
            Case("a convolution", convolution_3x3, draw(1, 1, 8, 18).double(), 3, 1),
            Case("a convolution with padding", padded_convolution_3x3, draw(2, 1, 8, 16).double(), 2, 1),
            Case("stride 2, moved by 2", convolution_with_stride_2, draw(1, 1, 8, 20).double(), 2, 2),
            Case("stride 2, moved by 1", convolution_with_stride_2, draw(1, 1, 8, 20).double(), 1, 2),
            Case("max pooling, moved by 3", max_pooling_2x2, draw(1, 1, 8, 20).double(), 3, 2),
            Case("a convolution with padding, moved far", padded_convolution_3x3, draw(1, 1, 6, 16).double(), 6, 1),
            Case("an uneven floor", uneven_floor, draw(1, 1, 4, 16).double(), 1, 1),
            Case("two maps, the second worse", two_maps, draw(1, 1, 6, 16).double(), 2, 1),
            Case("15 columns out of 16", one_column_fewer, draw(1, 1, 4, 16).double(), 2, 1),
            Case("3 columns, no edge to leave out", brighter_to_the_right, draw(1, 1, 4, 3).double(), 1, 1),
            Case("brighter to the right", brighter_to_the_right, draw(1, 1, 4, 16).double(), 2, 1),
        ],
        drawn=drawn_equivariance,
        hints=(
            "Two ways to one place: move, then apply f; apply f, then move. Equivariant means both agree.",
            "Where f has a stride, the second move is counted in output columns: shift // stride.",
            "Cut the edges off the last axis before you take the largest absolute difference.",
        ),
        mistakes=(
            *(
                Mistake(f, "You tested invariance (nothing changes); equivariance says that the answer moves along.")
                for f in (tests_invariance, tests_invariance_and_is_empty)
            ),
            *(
                Mistake(f, "With stride 2, two input pixels are one output pixel.")
                for f in (forgets_the_stride, forgets_the_stride_and_is_empty)
            ),
            Mistake(
                keeps_the_rim,
                "At the edges padding and wrap-around come in, which are not the convolution's doing: leave them out.",
            ),
            *(
                Mistake(f, "A large negative difference is an error too: take absolute values before the maximum.")
                for f in (without_absolute_values, without_absolute_values_and_empty, absolute_value_last)
            ),
            Mistake(mean_of_the_absolute_values, "The largest difference is asked for, not the mean of them."),
            Mistake(
                empty_without_edges, "Where the edge is 0 columns wide, `edge:-edge` is empty: end at width - edge."
            ),
            *(
                Mistake(f, "The edges are a quarter of the *output's* columns: the picture may have twice as many.")
                for f in (edges_of_the_picture, edges_of_the_picture_from_the_end)
            ),
            Mistake(moves_left, "The picture should move to the right; yours moves to the left."),
            Mistake(errors_cancel, "Errors of both signs cancel: take absolute values, then the maximum."),
            Mistake(moves_down, "The picture should move to the right, along the last axis; yours moves down."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=flatten_features,
        minutes=6,
        difficulty=2,
        gradients=True,
        fault=the_fault,
        cases=lambda draw: [
            Case("100 pictures, maps of 4x4", draw(100, 16, 4, 4)),
            Case("two pictures, maps of 5x5", draw(2, 16, 5, 5)),
            Case("one picture, maps of 4x4", draw(1, 16, 4, 4)),
            Case("three pictures, maps of 2x6", draw(3, 16, 2, 6)),
        ],
        drawn=lambda draw: (draw(draw.whole(1, 50), draw.whole(1, 16), draw.whole(1, 6), draw.whole(1, 6)),),
        hints=(
            "How many rows should come out when 100 pictures go in? How many do?",
            "In `view(-1, 400)` the -1 stands for whatever is left over. What should be fixed, and what may float?",
        ),
        mistakes=(
            Mistake(
                the_fault_in_other_words,
                "The -1 lets the number of pictures float: keep that axis, and flatten the others.",
            ),
            Mistake(
                another_fixed_size, "That fits maps of 4x4 alone: take the sizes from x, or let `flatten` find them."
            ),
            Mistake(fixed_number_of_pictures, "A batch has 100 pictures only sometimes: the last one is shorter."),
            Mistake(everything_in_one_row, "Everything lies in one row: keep the first axis."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=max_pool2d,
        minutes=15,
        difficulty=4,
        optional=True,
        gradients=True,
        cases=lambda draw: [
            Case("windows side by side, the usual stride", draw(2, 2, 4, 6), 2),
            Case("a kernel of 3, the usual stride", draw(1, 1, 7, 8), 3),
            Case("windows that overlap", draw(1, 2, 5, 6), 3, 1),
            Case("every number alike and far below 0, with padding", torch.full((1, 1, 4, 4), -1e30), 3, 2, 1),
            Case("all numbers far below 0, with padding", -1e30 * (1 + draw(1, 1, 5, 6).abs()), 3, 2, 1),
            Case("two equal numbers", torch.tensor([[[[0.0, 7.0], [7.0, 3.0]]]]), 2),
            Case("many equal numbers, as after ReLU", draw(1, 2, 4, 4).round().relu(), 2),
        ],
        drawn=drawn_pooling,
        hints=(
            "Where the stride is None, it is the kernel size. `output_size` tells the number of windows.",
            "Pad with a number that never wins: `F.pad(x, (p, p, p, p), value=-math.inf)`.",
            "`window.flatten(2).max(dim=2).values` takes the maximum, and its gradient goes to one place: the first.",
        ),
        mistakes=(
            *(
                Mistake(f, "A padded pixel must never win: what number is smaller than every other?")
                for f in (pads_with_zero, pads_with_zero_and_splits_ties, pads_with_minus_a_billion)
            ),
            Mistake(windows_side_by_side_by_one, "The number of windows is right, but window i begins at i * stride."),
            Mistake(default_stride_one, "In pooling the default stride is the kernel size."),
            Mistake(default_stride_two, "In pooling the default stride is the kernel size."),
            Mistake(stride_ignored, "Your windows never overlap: the stride that was given is not used."),
            Mistake(averages, "That is average pooling."),
            Mistake(
                splits_ties,
                "Where numbers tie, `amax` (and `max()` over everything) shares the gradient out. "
                "PyTorch's pooling gives it to the first: flatten the window and take `.max(dim)`.",
            ),
            Mistake(
                first_column_before_first_row,
                "Of equal numbers the first counts row by row: 7 in the first row comes before 7 in the second.",
            ),
            Mistake(padding_ignored, "The padding that was given is not used."),
        ),
        not_allowed=(
            "course_utils.convolution.max_pool2d",
            "torch.max_pool1d",
            "torch.max_pool2d",
            "torch.max_pool3d",
            "torch.nn.functional.max_pool2d_with_indices",
            "torch.nn.functional.adaptive_max_pool2d_with_indices",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=conv2d,
        minutes=10,
        difficulty=3,
        optional=True,
        gradients=True,
        cases=lambda draw: [
            Case("two channels, three filters", draw(2, 2, 5, 7), *filters_for(draw, 2, 3, 3, 2)),
            Case("as many filters as output columns", draw(1, 2, 5, 6), *filters_for(draw, 2, 4, 2, 3)),
            Case("a square output", draw(2, 3, 5, 5), *filters_for(draw, 3, 2, 3, 3)),
            Case("one channel, one filter", draw(1, 1, 4, 5), *filters_for(draw, 1, 1, 2, 2)),
        ],
        drawn=lambda draw: (
            draw(draw.whole(1, 2), c := draw.whole(1, 3), draw.whole(3, 6), draw.whole(3, 6)),
            *filters_for(draw, c, draw.whole(1, 4), draw.whole(1, 3), draw.whole(1, 3)),
        ),
        hints=(
            "`convolution.im2col(x, (kh, kw))` has a column for each window: (N, C*kh*kw, L).",
            "A filter is a row of C*kh*kw numbers: `weight.flatten(1)`. Rows times columns: `@` takes the batch along.",
            "The bias holds one number for each filter: (O,) must stand on the filter axis, `bias[:, None]`.",
        ),
        mistakes=(
            Mistake(
                kernel_before_channel,
                "A column of `im2col` runs channel by channel, then row by row: flatten the weight the same way.",
            ),
            Mistake(bias_along_the_width, "One number for each *filter*: it belongs on the channel axis."),
            Mistake(
                reshaped_not_moved,
                "Reshape does not move axes: your channels are shuffled into the pixels; transpose first.",
            ),
            Mistake(width_before_height, "Windows are counted row by row: height first."),
            Mistake(bias_forgotten, "The bias is not added."),
        ),
        not_allowed=(
            "course_utils.convolution.conv2d",
            "course_utils.convolution.cross_correlate2d",
            "torch.conv1d",
            "torch.conv2d",
            "torch.conv3d",
            "torch.conv_tbc",
            "torch.convolution",
            "torch.mkldnn_convolution",
            "torch.nn.grad",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=receptive_field,
        minutes=8,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("one layer", [(3, 1, 1)]),
            Case("a stride early on", [(7, 2, 1), (3, 2, 1), (3, 1, 1)]),
            Case("a stride, then a dilation", [(5, 2, 1), (3, 1, 2)]),
            Case("no layer: a pixel sees itself", []),
        ],
        drawn=lambda draw: ([(draw.whole(1, 5), draw.whole(1, 3), draw.whole(1, 2)) for _ in range(draw.whole(1, 4))],),
        hints=(
            "Two 3x3 layers with stride 1 see 5 pixels: each layer adds k - 1.",
            "After a layer with stride 2, neighbours lie two input pixels apart: keep that step as you go.",
        ),
        mistakes=(
            Mistake(own_stride_first, "A layer's stride widens the steps of the layers *after* it."),
            Mistake(first_number_twice, "The first of the k numbers is already counted: a layer adds k - 1 steps."),
            Mistake(
                last_stride_alone, "Strides multiply: after two layers of stride 2, neighbours lie four pixels apart."
            ),
            Mistake(
                wrong_end, "That is what the layers give in reverse order: a stride widens the steps of those after it."
            ),
            Mistake(kernels_multiplied, "Receptive fields grow by adding, not by multiplying."),
            Mistake(strides_forgotten, "The strides are not used: after a stride of 2, each step counts double."),
        ),
        not_allowed=("course_utils.convolution",),
    ),
)
