"""Every block of ``course_utils.convolution`` against PyTorch's or SciPy's, and its faults by name."""

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from course_utils import convolution as ours
from tests.drawing import drawn_cases

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's, about speed

drawn = drawn_cases(300)


# --- What is drawn ------------------------------------------------------------------------------------------


def sizes(least: int, most: int) -> st.SearchStrategy[int | Sequence[int]]:
    """One number, or a pair as a tuple or a list."""
    number = st.integers(least, most)
    return number | st.tuples(number, number) | st.lists(number, min_size=2, max_size=2)


def options(**strategies: st.SearchStrategy) -> st.SearchStrategy[dict]:
    """Keyword arguments, each of them given or left to its default."""
    return st.fixed_dictionaries({}, optional=strategies)


def same_numbers_laid_out_otherwise(x: Tensor) -> st.SearchStrategy[Tensor]:
    channels = max(-3, -x.dim())
    return st.sampled_from(
        [
            x,
            x.mT.contiguous().mT,
            x.movedim(channels, -1).contiguous().movedim(-1, channels),
            x.repeat_interleave(2, dim=-1)[..., ::2],
        ]
    )


@st.composite
def tensors(draw, *shape: int, dtype: torch.dtype = torch.float64, whole: bool = False) -> Tensor:
    """Noise; or, if ``whole``, small whole numbers, so that many are equal."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    if whole or not dtype.is_floating_point:
        lowest = 0 if dtype == torch.uint8 else -3
        x = torch.randint(lowest, 4, shape, generator=generator).to(dtype)
    else:
        x = torch.randn(shape, generator=generator, dtype=dtype)
    return draw(same_numbers_laid_out_otherwise(x))


batches = st.sampled_from([(), (), (0,), (1,), (2,), (3,)])
sides = st.integers(1, 9) | st.integers(5, 9)  # more often such that the kernel fits


@st.composite
def pictures(draw, channels: int | None = None, **kind) -> Tensor:
    """(N, C, H, W) or (C, H, W); the batch may be empty."""
    batch = draw(batches)
    channels = channels or draw(st.integers(1, 3))
    return draw(tensors(*batch, channels, draw(sides), draw(sides), **kind))


precisions = st.sampled_from([torch.float64, torch.float64, torch.float32])


# --- How two operators are compared -------------------------------------------------------------------------


def agree(mine: Callable, theirs: Callable, *inputs: Tensor | None, **named) -> None:
    """Same shape, dtype, numbers and gradients, from inputs left as they were; or both refuse.

    Theirs gets the numbers in plain order: PyTorch 2.14's own weight gradient is wrong for one float64 picture
    with its channels last, filters likewise, and groups.
    """
    before = [x if x is None else x.clone() for x in inputs]
    plain = [x if x is None else x.contiguous().requires_grad_(x.is_floating_point()) for x in before]
    inputs = [x if x is None else x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
    try:
        expected = theirs(*plain, **named)
    except (RuntimeError, ValueError, TypeError):
        with pytest.raises((ValueError, TypeError)):
            mine(*inputs, **named)
        return
    result = mine(*inputs, **named)
    assert_close(result, expected)
    assert result.is_contiguous() or not inputs[0].is_contiguous()  # so that it takes .view() where theirs does
    assert_close([x for x in inputs if x is not None], [x for x in before if x is not None], rtol=0, atol=0)
    if result.is_floating_point():
        upstream = torch.linspace(1, 2, expected.numel(), dtype=expected.dtype).view_as(expected)
        mine_and_theirs = [
            torch.autograd.grad(y, [x for x in leaves if x is not None], upstream)
            for y, leaves in ((result, inputs), (expected, plain))
        ]
        assert_close(*mine_and_theirs)


def strict(operator: Callable) -> Callable:
    """With an empty batch, or several float32 pictures, PyTorch skips checks that it makes on one picture."""

    def checked(x: Tensor, *rest, **named) -> Tensor:
        operator(x.new_zeros(1, *x.shape[-3:]), *rest, **named)
        return operator(x, *rest, **named)

    return checked


# --- Sizes --------------------------------------------------------------------------------------------------


@drawn
@given(st.integers(0, 12), st.integers(1, 6), st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))
def test_output_size_counts_the_places(size, kernel_size, stride, padding, dilation):
    reach = dilation * (kernel_size - 1)
    places = [first for first in range(0, size + 2 * padding, stride) if first + reach < size + 2 * padding]
    arguments = dict(stride=stride, padding=padding, dilation=dilation)
    if not places:
        with pytest.raises(ValueError, match="kernel_size"):
            ours.output_size(size, kernel_size, **arguments)
        return
    assert ours.output_size(size, kernel_size, **arguments) == len(places)
    if size:
        x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel_size, kernel_size)
        assert F.conv2d(x, weight, **arguments).shape[2:] == (len(places), len(places))


def test_output_size_by_hand():
    assert ours.output_size(28, 3) == 26
    assert ours.output_size(28, 2, 2) == 14
    assert ours.output_size(5, 3, 2, 1) == 3
    assert ours.output_size(7, 3, 1, 0, 2) == 3
    assert type(ours.output_size(np.int64(5), np.int32(3))) is int


@drawn
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.booleans()), max_size=4))
def test_receptive_field_is_the_stretch_with_a_gradient(stack):
    x = torch.zeros(1, 1, 1, 400, requires_grad=True)
    y = x
    for kernel_size, stride, dilation, pool in stack:
        if pool and dilation == 1:
            y = F.avg_pool2d(y, (1, kernel_size), (1, stride))
        else:
            y = F.conv2d(y, torch.ones(1, 1, 1, kernel_size), None, (1, stride), 0, (1, dilation))
    y[..., 0].sum().backward()
    seen = x.grad.flatten().nonzero().flatten()
    assert ours.receptive_field([layer[:3] for layer in stack]) == seen[-1] - seen[0] + 1


# --- One picture, one kernel --------------------------------------------------------------------------------


@st.composite
def picture_and_kernel(draw, **kind) -> tuple[Tensor, Tensor]:
    """Mostly, the kernel fits."""
    kh, kw, more_h, more_w = (draw(st.integers(least, 5)) for least in (1, 1, -1, -1))
    image = draw(tensors(max(1, kh + more_h), max(1, kw + more_w), **kind))
    return image, draw(tensors(kh, kw, **kind))


def alone(operator: Callable) -> Callable:
    """PyTorch's operator on batches, for one picture and one kernel."""
    return lambda image, kernel: operator(image[None], kernel[None, None])[0]


@drawn
@given(precisions.flatmap(lambda dtype: picture_and_kernel(dtype=dtype)))
def test_cross_correlate2d_and_convolve2d_with_gradients(drawn_pair):
    agree(ours.cross_correlate2d, alone(F.conv2d), *drawn_pair)
    agree(ours.convolve2d, alone(lambda x, weight: F.conv2d(x, weight.flip(2, 3))), *drawn_pair)


@drawn
@given(st.sampled_from([torch.float64, torch.int64, torch.int32]).flatmap(lambda d: picture_and_kernel(dtype=d)))
def test_cross_correlate2d_and_convolve2d_equal_scipys(drawn_pair):
    image, kernel = drawn_pair
    for mine, scipys in (
        (ours.cross_correlate2d, scipy.signal.correlate2d),
        (ours.convolve2d, scipy.signal.convolve2d),
    ):
        if kernel.shape[0] > image.shape[0] or kernel.shape[1] > image.shape[1]:
            with pytest.raises(ValueError, match="kernel"):  # SciPy would slide the picture over the kernel
                mine(image, kernel)
        else:
            expected = scipys(image.numpy(), kernel.numpy(), mode="valid")
            assert_close(mine(image, kernel), torch.from_numpy(expected))


@drawn
@given(picture_and_kernel(), st.sampled_from([torch.float64, torch.int64]))
def test_toeplitz_does_what_cross_correlate2d_does(drawn_pair, dtype):
    image, kernel = ((10 * x).to(dtype) for x in drawn_pair)
    if kernel.shape[0] > image.shape[0] or kernel.shape[1] > image.shape[1]:
        with pytest.raises(ValueError, match="kernel"):
            ours.toeplitz(kernel, image.shape)
        return
    expected = ours.cross_correlate2d(image, kernel)
    matrix = ours.toeplitz(kernel, image.shape)
    assert matrix.shape == (expected.numel(), image.numel())
    assert_close(matrix @ image.flatten(), expected.flatten())
    if dtype.is_floating_point:
        agree(
            lambda kernel, image: ours.toeplitz(kernel, tuple(image.shape)) @ image.flatten(),
            lambda kernel, image: ours.cross_correlate2d(image, kernel).flatten(),
            kernel,
            image,
        )


def test_toeplitz_by_hand():
    kernel = torch.tensor([[1, 2], [3, 4]])
    assert ours.toeplitz(kernel, (2, 3)).tolist() == [[1, 2, 0, 3, 4, 0], [0, 1, 2, 0, 3, 4]]
    assert torch.equal(ours.toeplitz(kernel, 3), ours.toeplitz(kernel, [3, 3]))


# --- Windows as columns -------------------------------------------------------------------------------------

window_options = options(stride=sizes(1, 4), padding=sizes(0, 3), dilation=sizes(1, 3))


@drawn
@given(precisions.flatmap(lambda dtype: pictures(dtype=dtype)), sizes(1, 4), window_options)
def test_im2col_equals_unfold(x, kernel_size, named):
    agree(ours.im2col, F.unfold, x, kernel_size=kernel_size, **named)


@st.composite
def columns(draw) -> tuple[Tensor, dict]:
    """Columns that fit, and now and then too few or too many of them."""
    size, kernel_size, named = draw(sizes(1, 9) | sizes(5, 9)), draw(sizes(1, 4)), draw(window_options)
    blank = torch.zeros(1, 1, *((size, size) if isinstance(size, int) else size))
    try:
        rows, places = F.unfold(blank, kernel_size, **named).shape[1:]
    except RuntimeError:
        rows, places = 4, 4
    wrong_rows, wrong_places = draw(st.sampled_from([(0, 0)] * 8 + [(1, 0), (0, 1), (0, -1)]))
    batch = draw(batches)
    shape = *batch, rows * draw(st.integers(1, 3)) + wrong_rows, places + wrong_places
    return draw(tensors(*shape, dtype=draw(precisions))), dict(output_size=size, kernel_size=kernel_size, **named)


@drawn
@given(columns())
def test_col2im_equals_fold(case):
    taken, named = case
    agree(ours.col2im, F.fold, taken, **named)


@drawn
@given(pictures(), sizes(1, 4), window_options)
def test_col2im_is_the_transpose_of_im2col(x, kernel_size, named):
    try:
        taken = ours.im2col(x, kernel_size, **named)
    except ValueError:  # the kernel does not fit
        return
    y = torch.linspace(-1, 2, taken.numel(), dtype=x.dtype).view_as(taken)
    put_back = ours.col2im(y, x.shape[-2:], kernel_size, **named)
    assert_close((taken * y).sum(), (x * put_back).sum())


def test_im2col_and_col2im_by_position():
    x, arguments = torch.arange(48.0).view(2, 4, 6), ((2, 3), (1, 2), (1, 0), (2, 1))
    taken = F.unfold(x, *arguments)
    assert torch.equal(ours.im2col(x, *arguments), taken)
    assert torch.equal(ours.col2im(taken, (4, 6), *arguments), F.fold(taken, (4, 6), *arguments))


# --- Batches and channels -----------------------------------------------------------------------------------


words = st.sampled_from(["same", "valid"])
convolution_options = (
    options(stride=sizes(1, 4), padding=sizes(0, 3), dilation=sizes(1, 3))
    | st.fixed_dictionaries(dict(padding=words), optional=dict(dilation=sizes(1, 3)))
    | st.fixed_dictionaries(dict(padding=words, stride=sizes(1, 2)))  # "same" with another stride than 1 is a fault
)


@st.composite
def convolutions(draw) -> tuple[tuple, dict]:
    """Tensors and options of ``conv2d``."""
    dtype, groups = draw(precisions), draw(st.sampled_from([1, 1, 2, 3]))
    per_group, filters = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x = draw(pictures(groups * per_group, dtype=dtype))
    kernel_size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    weight = draw(tensors(filters, per_group, *kernel_size, dtype=dtype))
    bias = draw(st.none() | tensors(1, filters, dtype=dtype).map(lambda bias: bias[0]))
    named = draw(convolution_options)
    return (x, weight, bias), named | (dict(groups=groups) if groups > 1 else {})


@drawn
@given(convolutions())
def test_conv2d_equals_pytorchs(case):
    inputs, named = case
    agree(ours.conv2d, strict(F.conv2d), *inputs, **named)


@pytest.mark.parametrize("kernel_size", range(1, 6))
@pytest.mark.parametrize("dilation", range(1, 4))
def test_same_keeps_the_size(kernel_size, dilation):
    picture, filters = torch.arange(30.0).view(1, 5, 6), torch.arange(3.0 * kernel_size).view(1, 1, kernel_size, 3)
    for x, weight in ((picture, filters), (picture.mT, filters.mT)):
        result = ours.conv2d(x, weight, padding="same", dilation=dilation)
        assert_close(result, F.conv2d(x, weight, padding="same", dilation=dilation))
        assert result.shape == x.shape


@drawn
@given(convolutions(), st.integers(0, 3), st.integers(0, 3))
def test_conv2d_follows_a_picture_that_moves(case, down, right):
    (x, weight, bias), named = case
    groups, dilation = named.get("groups", 1), named.get("dilation", 1)
    moved = F.pad(x, (right, 0, down, 0))
    try:
        still = ours.conv2d(x, weight, bias, dilation=dilation, groups=groups)
    except ValueError:  # the kernel does not fit
        return
    assert_close(ours.conv2d(moved, weight, bias, 1, 0, dilation, groups)[..., down:, right:], still)


@st.composite
def transposed_convolutions(draw) -> tuple[tuple, dict]:
    """Tensors and options of ``conv_transpose2d``."""
    dtype, channels, filters = draw(precisions), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x = draw(pictures(channels, dtype=dtype))
    kernel_size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    weight = draw(tensors(channels, filters, *kernel_size, dtype=dtype))
    bias = draw(st.none() | tensors(1, filters, dtype=dtype).map(lambda bias: bias[0]))
    named = draw(options(stride=sizes(1, 4), padding=sizes(0, 3), output_padding=sizes(0, 1)))
    return (x, weight, bias), named


@drawn
@given(transposed_convolutions())
def test_conv_transpose2d_equals_pytorchs(case):
    inputs, named = case
    agree(ours.conv_transpose2d, strict(F.conv_transpose2d), *inputs, **named)


@drawn
@given(transposed_convolutions())
def test_conv_transpose2d_is_the_transpose_of_conv2d(case):
    (y, weight, _), named = case
    stride, padding = named.get("stride", 1), named.get("padding", 0)
    try:
        stamped = ours.conv_transpose2d(y, weight, stride=stride, padding=padding)
    except ValueError:  # the padding cuts off everything
        return
    x = torch.linspace(-1, 2, stamped.numel(), dtype=y.dtype).view_as(stamped)
    slid = ours.conv2d(x, weight, stride=stride, padding=padding)
    assert_close((slid * y).sum(), (x * stamped).sum(), rtol=1e-4, atol=1e-4)


def test_options_by_position():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=generator) for s in ((2, 4, 7, 9), (4, 2, 3, 2), (4,)))
    arguments = (2, 1), (1, 0), (1, 2), 2
    assert_close(ours.conv2d(x, weight, bias, *arguments), F.conv2d(x, weight, bias, *arguments))
    arguments = (3, 2), (1, 0), (2, 1)
    assert_close(
        ours.conv_transpose2d(x, weight, bias[:2], *arguments),
        F.conv_transpose2d(x, weight, bias[:2], *arguments),
    )
    for mine, theirs in ((ours.max_pool2d, F.max_pool2d), (ours.avg_pool2d, F.avg_pool2d)):
        assert_close(mine(x, (2, 3), (3, 1), (1, 0)), theirs(x, (2, 3), (3, 1), (1, 0)))


# --- Pooling ------------------------------------------------------------------------------------------------

pool_options = options(stride=st.none() | sizes(1, 5), padding=sizes(0, 1) | sizes(0, 2))


@drawn
@given(st.booleans().flatmap(lambda whole: pictures(whole=whole)), sizes(1, 4), pool_options)
def test_max_pool2d_equals_pytorchs(x, kernel_size, named):
    agree(ours.max_pool2d, F.max_pool2d, x, kernel_size=kernel_size, **named)
    agree(ours.max_pool2d, F.max_pool2d, -x.abs() - 1, kernel_size=kernel_size, **named)


@drawn
@given(
    st.sampled_from([torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float32]).flatmap(
        lambda dtype: pictures(dtype=dtype)
    ),
    sizes(1, 4),
    pool_options,
)
def test_max_pool2d_of_other_dtypes(x, kernel_size, named):
    agree(ours.max_pool2d, F.max_pool2d, x, kernel_size=kernel_size, **named)


@drawn
@given(precisions.flatmap(lambda dtype: pictures(dtype=dtype)), sizes(1, 4), pool_options)
def test_avg_pool2d_equals_pytorchs(x, kernel_size, named):
    agree(ours.avg_pool2d, F.avg_pool2d, x, kernel_size=kernel_size, **named)


# --- Numbers of other kinds ---------------------------------------------------------------------------------


strange = st.sampled_from([math.nan, math.inf, -math.inf])


@drawn
@given(pictures(2), st.lists(st.tuples(strange, st.integers(0, 99)), min_size=1, max_size=3))
def test_nan_and_infinity_go_where_pytorchs_go(x, spots):
    for value, spot in spots:
        x = x.clone()
        x[..., spot % x.shape[-2], spot % x.shape[-1]] = value
    weight = torch.ones(3, 2, 2, 2, dtype=x.dtype)
    for mine, theirs in (
        (lambda x: ours.max_pool2d(x, 2, 1, 1), lambda x: F.max_pool2d(x, 2, 1, 1)),
        (lambda x: ours.avg_pool2d(x, 2, 1, 1), lambda x: F.avg_pool2d(x, 2, 1, 1)),
        (lambda x: ours.conv2d(x, weight, padding=1), lambda x: F.conv2d(x, weight, padding=1)),
        (
            lambda x: ours.conv_transpose2d(x, weight.transpose(0, 1)),
            lambda x: F.conv_transpose2d(x, weight.transpose(0, 1)),
        ),
    ):
        assert_close(mine(x), theirs(x), equal_nan=True)


INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


@pytest.mark.parametrize("dtype", [*INTEGERS, torch.float16, torch.bfloat16, torch.cfloat])
def test_other_dtypes(dtype):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randint(5, shape, generator=generator).to(dtype) for shape in ((2, 4, 6, 5), (4, 2, 3, 2), (4,))
    )
    named = dict(stride=2, padding=1)
    assert_close(ours.conv2d(x, weight, bias, groups=2, **named), F.conv2d(x, weight, bias, groups=2, **named))

    # The others PyTorch offers for int64 or for no whole numbers. Ours take all.
    wide = torch.int64 if dtype in INTEGERS else dtype
    stamped = F.conv_transpose2d(x.to(wide), weight.to(wide), bias[:2].to(wide), **named)
    assert_close(ours.conv_transpose2d(x, weight, bias[:2], **named), stamped.to(dtype))
    wide = torch.float64 if dtype in INTEGERS else dtype
    taken = F.unfold(x.to(wide), 3)
    assert torch.equal(ours.im2col(x, 3), taken.to(dtype))
    assert torch.equal(ours.col2im(taken.to(dtype), (6, 5), 3), F.fold(taken, (6, 5), 3).to(dtype))

    if dtype.is_floating_point:
        assert_close(ours.avg_pool2d(x, 2, padding=1), F.avg_pool2d(x, 2, padding=1))
        assert_close(ours.max_pool2d(x, 2, padding=1), F.max_pool2d(x, 2, padding=1))


def test_windows_of_a_mask():
    mask = torch.eye(5, dtype=torch.bool)[None]
    assert torch.equal(ours.im2col(mask, 3, padding=1), F.unfold(mask, 3, padding=1))
    assert torch.equal(ours.col2im(F.unfold(mask, 3), 5, 3), F.fold(F.unfold(mask, 3), 5, 3))


@pytest.mark.parametrize(
    "operator",
    [
        lambda x, w: ours.cross_correlate2d(x[0, 0], w[0, 0]),
        lambda x, w: ours.convolve2d(x[0, 0], w[0, 0]),
        lambda x, w: ours.toeplitz(w[0, 0], (4, 4)) * x.sum(),
        lambda x, w: ours.im2col(x, 2, 2, 1, 2) * w.sum(),
        lambda x, w: ours.col2im(x.reshape(1, 8, 4), (4, 2), 2, 2, 1, (2, 1)) * w.sum(),
        lambda x, w: ours.conv2d(x, w, w[:, 0, 0, 0], 2, "valid"),
        lambda x, w: ours.conv2d(x, w, w[:, 0, 0, 0], 1, "same"),
        lambda x, w: ours.conv_transpose2d(x, w, w[0, :, 0, 0], 2, 1, 1),
        lambda x, w: ours.max_pool2d(x, 2, 1, 1) * w.sum(),
        lambda x, w: ours.avg_pool2d(x, 2, 1, 1) * w.sum(),
    ],
)
def test_first_and_second_derivatives(operator):
    generator = torch.Generator().manual_seed(0)
    x, w = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((1, 2, 4, 4), (2, 2, 2, 2))
    )
    assert torch.autograd.gradcheck(operator, (x, w))
    assert torch.autograd.gradgradcheck(operator, (x, w))


def test_results_stay_on_the_device():
    """The meta device has shapes without numbers: it stands here for a GPU."""
    x, weight, bias = (torch.ones(shape, device="meta") for shape in ((2, 4, 7, 8), (4, 4, 3, 2), (4,)))
    picture, kernel = x[0, 0], weight[0, 0]
    for result, shape in (
        (ours.cross_correlate2d(picture, kernel), (5, 7)),
        (ours.convolve2d(picture, kernel), (5, 7)),
        (ours.toeplitz(kernel, (7, 8)), (35, 56)),
        (ours.im2col(x, 2, padding=1), (2, 16, 72)),
        (ours.col2im(x.flatten(2), (8, 9), 2), (2, 1, 8, 9)),
        (ours.conv2d(x, weight, bias, padding="same"), (2, 4, 7, 8)),
        (ours.conv_transpose2d(x, weight, bias, 2), (2, 4, 15, 16)),
        (ours.max_pool2d(x, 2, padding=1), (2, 4, 4, 5)),
        (ours.avg_pool2d(x, 2, padding=1), (2, 4, 4, 5)),
    ):
        assert result.device.type == "meta"
        assert result.shape == shape


def test_where_ours_differs_from_pytorch_by_choice():
    x, weight = torch.ones(1, 2, 4, 4), torch.ones(2, 3, 2, 2)

    # A pair is two numbers. PyTorch also takes a sequence of one, for both directions.
    F.max_pool2d(x, (2,))
    with pytest.raises(ValueError, match="kernel_size"):
        ours.max_pool2d(x, (2,))

    # An empty batch is checked like any other. PyTorch lets this one pass.
    F.conv_transpose2d(x[:0], weight, output_padding=1)
    with pytest.raises(ValueError, match="output_padding"):
        ours.conv_transpose2d(x[:0], weight, output_padding=1)

    # A picture without channels is refused. PyTorch loses the filters.
    assert F.conv2d(x[:, :0], torch.ones(3, 0, 2, 2)).shape == (1, 0, 3, 3)
    with pytest.raises(ValueError, match="x is empty"):
        ours.conv2d(x[:, :0], torch.ones(3, 0, 2, 2))

    # A mean is no whole number. PyTorch rounds it towards zero, for int64 alone.
    assert F.avg_pool2d(x.long(), 2).dtype == torch.int64
    with pytest.raises(TypeError, match="x must hold floating-point"):
        ours.avg_pool2d(x.long(), 2)

    # The gradient of several NaNs goes to the first; PyTorch's goes to the last.
    missing = torch.full((1, 2, 2), math.nan, requires_grad=True)
    for pool, first in ((ours.max_pool2d, 1), (F.max_pool2d, 0)):
        (gradient,) = torch.autograd.grad(pool(missing, 2).sum(), missing)
        assert gradient[0, 0, 0] == first

    # The gradient of a window of nothing but minus infinity is lost in the padding; PyTorch's stays inside.
    lowest = torch.full((1, 1, 1), -math.inf, requires_grad=True)
    for pool, inside in ((ours.max_pool2d, 0), (F.max_pool2d, 1)):
        (gradient,) = torch.autograd.grad(pool(lowest, 2, padding=1), lowest, torch.ones(1, 1, 1))
        assert gradient == inside


# --- Modules ------------------------------------------------------------------------------------------------


@st.composite
def layers(draw) -> tuple[type[nn.Module], type[nn.Module], tuple, dict, int]:
    """Our class and PyTorch's, arguments for both, and how many channels the layer takes."""
    groups, kernel_size, bias = draw(st.sampled_from([1, 1, 2])), draw(sizes(1, 4)), draw(st.booleans())
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    if draw(st.booleans()):
        named = draw(convolution_options) | dict(groups=groups, bias=bias)
        return ours.Conv2d, nn.Conv2d, (channels, filters, kernel_size), named, channels
    named = draw(options(stride=sizes(1, 4), padding=sizes(0, 3), output_padding=sizes(0, 1))) | dict(bias=bias)
    return ours.ConvTranspose2d, nn.ConvTranspose2d, (channels, filters, kernel_size), named, channels


@drawn
@given(layers(), st.integers(0, 99), st.data())
def test_layers_start_and_learn_as_pytorchs(case, seed, data):
    kind, pytorchs, arguments, named, channels = case
    torch.manual_seed(seed)
    try:
        theirs = pytorchs(*arguments, **named)
    except ValueError:
        with pytest.raises(ValueError, match="padding"):
            kind(*arguments, **named)
        return
    torch.manual_seed(seed)
    mine = kind(*arguments, **named)
    assert_close(dict(mine.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)

    x = data.draw(pictures(channels, dtype=torch.float32))
    agree(mine, strict(theirs), x)
    try:
        theirs(x).square().sum().backward()
        mine(x).square().sum().backward()
    except (RuntimeError, ValueError):  # that both refuse x, agree has seen
        return
    for parameter, expected in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert_close(parameter.grad, expected.grad, rtol=1e-4, atol=1e-4)


@drawn
@given(pictures(), sizes(1, 4), pool_options)
def test_pooling_layers_equal_pytorchs(x, kernel_size, named):
    for mine, theirs in ((ours.MaxPool2d, nn.MaxPool2d), (ours.AvgPool2d, nn.AvgPool2d)):
        agree(mine(kernel_size, **named), theirs(kernel_size, **named), x)
        assert not mine(kernel_size, **named).state_dict()


@pytest.mark.parametrize(
    ("kind", "pytorchs", "arguments"),
    [
        (ours.Conv2d, nn.Conv2d, (4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, False)),
        (ours.Conv2d, nn.Conv2d, (4, 6, 3)),
        (ours.Conv2d, nn.Conv2d, (4, 6, 3, 1, "same")),
        (ours.ConvTranspose2d, nn.ConvTranspose2d, (4, 6, (3, 2), (2, 3), (1, 0), (1, 2))),
        (ours.ConvTranspose2d, nn.ConvTranspose2d, (4, 6, 3)),
        (ours.MaxPool2d, nn.MaxPool2d, ((3, 2), (2, 1), (1, 0))),
        (ours.AvgPool2d, nn.AvgPool2d, ((3, 2), (2, 1), (1, 0))),
    ],
)
def test_layers_are_stored_copied_and_exchanged(kind, pytorchs, arguments):
    x = torch.randn(2, 4, 7, 8, generator=torch.Generator().manual_seed(0))
    mine, theirs, other = kind(*arguments), pytorchs(*arguments), kind(*arguments)
    theirs.load_state_dict(mine.state_dict())
    other.load_state_dict(theirs.state_dict())
    twin = copy.deepcopy(mine)
    for layer in (theirs, other, twin):
        assert_close(layer(x), mine(x))
    assert_close(mine.double()(x.double()), theirs.double()(x.double()))
    for parameter in twin.parameters():
        assert parameter.requires_grad
        parameter.data.zero_()
    assert not mine.state_dict() or not torch.equal(mine(x.double()), twin(x).double())


# --- Faults -------------------------------------------------------------------------------------------------


def not_whole(least: int) -> list:
    """What may not stand for a whole number of at least so much."""
    wrong = [1.0, math.nan, "1", b"1", True, None, {1, 2}, torch.tensor(2), np.array(2), np.array([2, 2])]
    return [least - 1, -7, *wrong]


def not_sizes(least: int) -> list:
    """What may stand neither for a whole number nor for a pair of them."""
    wrong = [(), (1,), (1, 2, 3), (1, 1.0), (True, 1), (1, None), ("1", "1"), (least - 1, 1), [1, least - 1]]
    return [*not_whole(least), *wrong, "same"]


def not_tensors(*shapes: tuple[int, ...]) -> list:
    """What is no tensor, or has one of these shapes."""
    return [3, "x", [[[[1.0]]]], np.ones((1, 4, 5, 5)), *map(torch.ones, shapes)]


def of_other_kind(x: Tensor) -> list[Tensor]:
    return [x.double(), x.long(), x.to("meta")]


NUMBER = [*not_whole(1), (1, 1)]
SIZE = not_sizes(1)
STRIDE = [wrong for wrong in SIZE if wrong is not None]  # pooling takes None
PADDING = not_sizes(0)
PICTURE = [
    None,
    *not_tensors((5, 5), (1, 1, 4, 5, 5), (), (1, 0, 5, 5), (1, 4, 0, 5), (0, 4, 5, 0), (0, 5, 5)),
]
MATRIX = [None, *not_tensors((5,), (1, 5, 5), (0, 5), (5, 0))]
KERNEL = [*MATRIX, torch.ones(6, 3), torch.ones(3, 6)]
COLUMNS = [None, *not_tensors((8,), (1, 1, 8, 16), (1, 7, 16), (8, 15), (1, 8, 17), (1, 0, 16), (8, 0))]
WEIGHT = [
    None,
    *not_tensors((4, 4), (4, 2, 2), (2, 3, 2, 2), (2, 8, 2, 2), (0, 4, 2, 2), (4, 4, 0, 2), (4, 0, 2, 2)),
]
BIAS = not_tensors((3,), (1,), (2, 1), (0,), ())

matrix, kernel, x, weight, bias = map(torch.ones, ((5, 5), (3, 3), (1, 4, 5, 5), (2, 4, 2, 2), (2,)))
UNORDERED = [x.bool(), x.to(torch.uint16), x.to(torch.cfloat)]

# Each operator, arguments that are right, and for each argument what may not stand in its place.
FAULTS = [
    (ours.output_size, dict(size=9, kernel_size=3), dict(
        size=[*not_whole(0), (9, 9)], kernel_size=[*NUMBER, 10],
        stride=NUMBER, padding=[*not_whole(0), (1, 1)], dilation=[*NUMBER, 5],
    )),
    (ours.receptive_field, dict(layers=[(3, 1, 1)]), dict(
        layers=[None, 3, torch.ones(1, 3), {(3, 1, 1)}, "311", [3], [None], [(3, 1)], [[3, 1, 1, 1]], [{3, 2, 1}]]
        + [[(3, 1, 1), wrong] for wrong in ((0, 1, 1), (3, 0, 1), (3, 1, 0), (3, 1.0, 1), (3, True, 1))],
    )),
    (ours.cross_correlate2d, dict(image=matrix, kernel=kernel), dict(
        image=MATRIX, kernel=[*KERNEL, *of_other_kind(kernel)],
    )),
    (ours.convolve2d, dict(image=matrix, kernel=kernel), dict(
        image=MATRIX, kernel=[*KERNEL, *of_other_kind(kernel)],
    )),
    (ours.toeplitz, dict(kernel=kernel, size=(5, 5)), dict(kernel=KERNEL, size=SIZE)),
    (ours.im2col, dict(x=x, kernel_size=2), dict(
        x=PICTURE, kernel_size=[*SIZE, 6], dilation=SIZE, padding=PADDING, stride=SIZE,
    )),
    (ours.col2im, dict(columns=torch.ones(1, 8, 16), output_size=5, kernel_size=2), dict(
        columns=COLUMNS, output_size=SIZE, kernel_size=[*SIZE, 6], dilation=SIZE, padding=PADDING, stride=SIZE,
    )),
    (ours.conv2d, dict(x=x, weight=weight, bias=bias), dict(
        x=PICTURE, weight=[*WEIGHT, *of_other_kind(weight)], bias=[*BIAS, *of_other_kind(bias)],
        stride=SIZE, padding=[*PADDING[:-1], "SAME", "full", ""], dilation=SIZE, groups=[*NUMBER, 3, 4],
    )),
    (ours.conv_transpose2d, dict(x=x, weight=torch.ones(4, 2, 2, 2), bias=bias), dict(
        x=PICTURE, weight=[*WEIGHT, *of_other_kind(weight.view(4, 2, 2, 2))], bias=[*BIAS, *of_other_kind(bias)],
        stride=SIZE, padding=[*PADDING, 3, (0, 3), (3, 0)], output_padding=[*PADDING, 1, (0, 1), (1, 0)],
    )),
    (ours.max_pool2d, dict(x=x, kernel_size=2), dict(
        x=[*PICTURE, *UNORDERED], kernel_size=[*SIZE, 6, (2, 6), (6, 2)],
        stride=STRIDE, padding=[*PADDING, 2, (0, 2), (2, 0)],
    )),
    (ours.avg_pool2d, dict(x=x, kernel_size=2), dict(
        x=[*PICTURE, *UNORDERED, x.long()], kernel_size=[*SIZE, 6, (2, 6), (6, 2)],
        stride=STRIDE, padding=[*PADDING, 2, (0, 2), (2, 0)],
    )),
    (ours.Conv2d, dict(in_channels=4, out_channels=6, kernel_size=2), dict(
        in_channels=NUMBER, out_channels=NUMBER, kernel_size=SIZE,
        stride=SIZE, padding=[*PADDING[:-1], "SAME"], dilation=SIZE, groups=[*NUMBER, 3, 4],
    )),
    (ours.ConvTranspose2d, dict(in_channels=4, out_channels=6, kernel_size=2), dict(
        in_channels=NUMBER, out_channels=NUMBER, kernel_size=SIZE, stride=SIZE, padding=PADDING, output_padding=PADDING,
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "right", "argument", "faults"),
    [
        pytest.param(operator, right, argument, faults, id=f"{operator.__name__}-{argument}")
        for operator, right, table in FAULTS
        for argument, faults in table.items()
    ],
)
def test_a_wrong_argument_is_named(operator, right, argument, faults):
    operator(**right)
    for wrong in faults:
        with pytest.raises((TypeError, ValueError), match=rf"\b{argument}\b"):
            operator(**right | {argument: wrong})


LAYERS = [ours.Conv2d(4, 2, 2), ours.ConvTranspose2d(4, 2, 2), ours.MaxPool2d(2), ours.AvgPool2d(2)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_name_a_wrong_picture(layer):
    for wrong in PICTURE:
        with pytest.raises((TypeError, ValueError), match=r"\bx\b"):
            layer(wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.conv2d(x, weight, padding="same", stride=2), "padding='same' needs stride 1"),
        (lambda: ours.conv2d(x, weight, padding="same", stride=(1, 2)), "padding='same' needs stride 1"),
        (lambda: ours.Conv2d(4, 2, 3, padding="same", stride=2), "padding='same' needs stride 1"),
        (lambda: ours.output_size(5, 8, padding=1), "kernel_size.* 8 pixels does not fit into 7"),
        (lambda: ours.conv2d(x, weight, dilation=5), "kernel_size.* 6 pixels does not fit into 5"),
        (lambda: ours.conv2d(x, torch.ones(2, 4, 8, 1), padding=1), "kernel_size.* 8 pixels .* into 7"),
        (lambda: ours.conv2d(x, weight, groups=2), r"weight: made for 8 channels \(2 groups\), but x has 4"),
        (lambda: ours.conv2d(x, torch.ones(3, 2, 2, 2), groups=2), "groups: 2 must divide"),
        (lambda: ours.conv2d(x.bool(), weight.bool()), "weight: PyTorch does not multiply torch.bool"),
        (lambda: ours.cross_correlate2d(matrix.bool(), kernel.bool()), "kernel: PyTorch does not multiply"),
        (lambda: ours.conv2d(x.double(), weight), "weight is torch.float32 on cpu, .* torch.float64 on cpu"),
        (lambda: ours.Conv2d(3, 2, 3)(x), "weight: made for 3 channels .* x has 4"),
        (lambda: ours.conv_transpose2d(x[:, :2], weight, padding=3), "padding: .* cuts off everything"),
        (lambda: ours.receptive_field([(3, 1, 1), (3, 1)]), r"layers\[1\] must be"),
        (lambda: ours.col2im(x.view(1, 50, 2), 5, 2), r"columns: needs channels \* 4 rows, .* got 50"),
        (lambda: ours.col2im(x.view(1, 20, 5), 4, 2), r"columns: .* 3 \* 3 = 9 places .* 4x4, but there are 5 columns"),
        (lambda: ours.im2col([1.0], 2), "x must be a tensor, got list"),
        (lambda: ours.im2col(matrix, 2), r"x must have shape \(N, C, H, W\) or \(C, H, W\), got \(5, 5\)"),
        (lambda: ours.ConvTranspose2d(4, 2, 3, 2, 1, 1, False), "positional"),
    ],
)
def test_what_does_not_belong_together_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
