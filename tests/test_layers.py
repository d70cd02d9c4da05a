"""Layers against PyTorch's and torchvision's: training, evaluation, values, gradients, running averages."""

import inspect

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils import layers
from tests.drawing import drawn_cases

drawn = drawn_cases(200)
shapes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)).filter(
    lambda s: s[0] * s[2] * s[3] > 1
)


def batch(shape, seed, dtype=torch.float64, layout="plain"):
    """Pictures whose channels differ in mean and spread; a spread of 1e-2 makes eps count."""
    generator = torch.Generator().manual_seed(seed)
    spread = 10.0 ** torch.randint(-2, 3, (shape[1], 1, 1), generator=generator)
    x = (torch.randn(shape, dtype=torch.float64, generator=generator) * spread + 3).to(dtype)
    return x.mT.contiguous().mT if layout == "strided" else x


def both(channels, seed, **options):
    """Ours and PyTorch's with the same learnt numbers and running averages."""
    generator = torch.Generator().manual_seed(seed)
    pair = layers.BatchNorm2d(channels, **options).double(), nn.BatchNorm2d(channels, **options).double()
    state = {
        "weight": torch.randn(channels, generator=generator).double(),
        "bias": torch.randn(channels, generator=generator).double(),
        "running_mean": torch.randn(channels, generator=generator).double(),
        "running_var": torch.rand(channels, generator=generator).double() + 0.1,
        "num_batches_tracked": torch.tensor(3),
    }
    for layer in pair:
        layer.load_state_dict(state)
    return pair


@drawn
@given(shapes, st.integers(0, 99), st.booleans(), st.sampled_from([1e-5, 1e-1]), st.sampled_from([0.1, 1.0, 0.7]))
def test_batch_norm(shape, seed, training, eps, momentum):
    ours, theirs = both(shape[1], seed, eps=eps, momentum=momentum)
    results = []
    for layer in (ours, theirs):
        layer.train(training)
        x = batch(shape, seed, layout=("plain", "strided")[seed % 2]).requires_grad_()
        for _ in range(2):
            y = layer(x)
        upstream = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).view(y.shape)
        gradients = torch.autograd.grad(y, (x, layer.weight, layer.bias), upstream)
        results.append([y, *gradients, *layer.buffers()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_batch_norm_single_precision_and_fresh():
    x = batch((8, 3, 5, 4), 0, torch.float32)
    ours, theirs = layers.BatchNorm2d(3), nn.BatchNorm2d(3)
    torch.testing.assert_close(ours(x), theirs(x))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value)


def test_evaluation_does_not_look_at_neighbours():
    x = batch((6, 2, 3, 3), 0)
    layer, _ = both(2, 0)
    layer.eval()
    torch.testing.assert_close(torch.cat([layer(picture[None]) for picture in x]), layer(x))
    assert not torch.allclose(layer.train()(x), layer.eval()(x))


def test_an_empty_batch_passes_in_evaluation():
    layer, theirs = both(2, 0)
    x = torch.zeros(0, 2, 3, 3, dtype=torch.float64)
    assert layer.eval()(x).shape == theirs.eval()(x).shape == (0, 2, 3, 3)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: layers.BatchNorm2d(0), "num_features"),
        (lambda: layers.BatchNorm2d(2, momentum=0), "momentum"),
        (lambda: layers.BatchNorm2d(2, momentum=1.5), "momentum"),
        (lambda: layers.BatchNorm2d(2)(torch.zeros(3, 2, 4)), "x must have shape"),
        (lambda: layers.BatchNorm2d(2)(torch.zeros(3, 1, 4, 4)), "x must have shape"),
        (lambda: layers.BatchNorm2d(2)(torch.zeros(1, 2, 1, 1)), "x: 1 value"),
        (lambda: layers.Dropout(-0.1), "p must lie"),
        (lambda: layers.Dropout(1.1), "p must lie"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        make()


def test_a_refused_batch_leaves_the_running_averages_alone():
    layer = layers.BatchNorm2d(2)
    with pytest.raises(ValueError, match="x: 1 value"):
        layer(torch.ones(1, 2, 1, 1))
    assert layer.num_batches_tracked == 0
    assert torch.equal(layer.running_mean, torch.zeros(2))


@drawn
@given(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 99), st.booleans())
def test_dropout_draws_as_pytorchs(p, seed, training):
    results = []
    for module in (layers, nn):
        layer = module.Dropout(p).train(training)
        x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        torch.manual_seed(seed)
        y = layer(x)
        results.append((y, torch.autograd.grad(y.sum(), x)[0]))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_dropout_keeps_the_mean():
    torch.manual_seed(0)
    y = layers.Dropout(0.3)(torch.ones(100_000))
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert (y == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)


# --- A Transformer's ----------------------------------------------------------------------------------------

dtypes = st.sampled_from([torch.float32, torch.float64])
# single precision loses digits where drawn numbers cancel; double precision tells whether it is the same function
TOLERANCE = {torch.float32: dict(rtol=1e-3, atol=1e-3), torch.float64: dict(rtol=1e-8, atol=1e-9)}


def tokens(*shape, seed, dtype=torch.float64, layout="plain"):
    """Tokens with a mean far from 0; "strided" lie in memory with their last two axes exchanged."""
    x = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2 + 3).to(dtype)
    return x.mT.contiguous().mT if layout == "strided" and x.dim() > 1 else x


def agree(ours, theirs, x, dtype):
    """Two modules give the same output, and the same gradients of input and parameters."""
    results = []
    for module in (ours, theirs):
        leaf = x.detach().clone().requires_grad_()
        y = module(leaf)
        upstream = torch.linspace(-1, 1.5, y.numel(), dtype=y.dtype).view(y.shape).sin()
        parameters = dict(module.named_parameters())
        gradients = torch.autograd.grad(y, [leaf, *parameters.values()], upstream)
        results.append((y, gradients[0], layers.from_encoder_layer(dict(zip(parameters, gradients[1:], strict=True)))))
    (y, gradient, of_parameters), (their_y, their_gradient, theirs) = results
    torch.testing.assert_close(y, their_y, **TOLERANCE[dtype])
    torch.testing.assert_close(gradient, their_gradient, **TOLERANCE[dtype])
    assert of_parameters.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(of_parameters[name], value, **TOLERANCE[dtype])


@drawn
@given(
    st.lists(st.integers(1, 4), max_size=3), st.integers(2, 6), st.integers(0, 99), dtypes,
    st.sampled_from([1e-5, 1e-6, 1e-1]),
)  # fmt: skip
def test_layer_norm(leading, width, seed, dtype, eps):
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(width, generator=generator).to(dtype) for name in ("weight", "bias")}
    pair = layers.LayerNorm(width, eps).to(dtype), nn.LayerNorm(width, eps).to(dtype)
    for layer in pair:
        layer.load_state_dict(state)
    agree(*pair, tokens(*leading, width, seed=seed, dtype=dtype, layout=("plain", "strided")[seed % 2]), dtype)


def test_layer_norm_where_all_numbers_are_equal():
    x = torch.full((2, 4), 7.0)
    torch.testing.assert_close(layers.LayerNorm(4)(x), F.layer_norm(x, (4,)))


@drawn
@given(st.sampled_from(["none", "tanh"]), st.integers(0, 99), dtypes)
def test_gelu(approximate, seed, dtype):
    x = (tokens(3, 4, seed=seed, dtype=dtype) - 3) * 10 ** (seed % 3 - 1)
    agree(layers.GELU(approximate), nn.GELU(approximate), x, dtype)


@drawn
@given(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.integers(0, 99), st.booleans())
def test_stochastic_depth_draws_as_torchvisions(p, seed, training):
    results = []
    for make in (layers.StochasticDepth(p), torchvision.ops.StochasticDepth(p, mode="row")):
        x = tokens(4, 3, 2, seed=seed).requires_grad_()
        torch.manual_seed(seed)
        y = make.train(training)(x)
        results.append((y, torch.autograd.grad(y.sum(), x)[0]))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_stochastic_depth_leaves_out_whole_pictures_and_keeps_the_mean():
    torch.manual_seed(0)
    y = layers.StochasticDepth(0.3)(torch.ones(20_000, 2, 3))
    assert ((y == 0).all((1, 2)) | (y > 1).all((1, 2))).all()
    assert y.mean().item() == pytest.approx(1, abs=0.03)


@drawn
@given(
    st.sampled_from([(4, 1, 3), (6, 2, 12), (6, 3, 1)]), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99),
    dtypes, st.booleans(), st.sampled_from(["relu", "gelu"]), st.sampled_from([1e-5, 1e-6]),
    st.sampled_from(["none", "causal", "own"]),
)  # fmt: skip
def test_encoder_block(sizes, batch, length, seed, dtype, norm_first, activation, eps, mask):
    width, heads, mlp_width = sizes
    theirs = nn.TransformerEncoderLayer(
        width, heads, mlp_width, 0.0, activation, eps, batch_first=True, norm_first=norm_first
    ).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    for p in theirs.parameters():
        p.data = torch.randn(p.shape, generator=generator).to(dtype)
    act = nn.ReLU() if activation == "relu" else None
    ours = layers.EncoderBlock(width, heads, mlp_width, act, norm_first, eps).to(dtype)
    ours.load_state_dict(layers.from_encoder_layer(theirs.state_dict()))
    may_look = torch.rand(length, length, generator=generator) < 0.5
    may_look.fill_diagonal_(True)
    may_look = {"none": None, "causal": torch.ones(length, length).bool().tril(), "own": may_look}[mask]

    class Masked(nn.Module):
        def __init__(self, block, mask):
            super().__init__()
            self.block, self.mask = block, mask

        def named_parameters(self):
            return self.block.named_parameters()

        def forward(self, x):
            return self.block(x, self.mask)

    their_mask = None if may_look is None else ~may_look
    agree(
        Masked(ours, may_look), Masked(theirs, their_mask), tokens(batch, length, width, seed=seed, dtype=dtype), dtype
    )


def test_encoder_block_from_the_layers_of_this_file():
    """torch.nn's norm and GELU inside may be exchanged for ours."""
    block = layers.EncoderBlock(6, 2, 12).double()
    x = tokens(2, 5, 6, seed=0)
    expected = block(x)
    for name in ("norm1", "norm2"):
        ours = layers.LayerNorm(6, getattr(block, name).eps).double()
        ours.load_state_dict(getattr(block, name).state_dict())
        setattr(block, name, ours)
    block.mlp[1] = layers.GELU()
    torch.testing.assert_close(block(x), expected)


def test_a_branch_left_out_leaves_the_shortcut():
    block, x = layers.EncoderBlock(4, 2, 8, drop_path=1.0), torch.randn(2, 3, 4)
    torch.testing.assert_close(block(x), x)
    assert not torch.allclose(block.eval()(x), x)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: layers.LayerNorm(0), "normalized_shape"),
        (lambda: layers.LayerNorm(3)(torch.zeros(2, 4)), "x must have shape"),
        (lambda: layers.GELU("erf"), "approximate must be"),
        (lambda: layers.StochasticDepth(1.5), "p must lie"),
        (lambda: layers.EncoderBlock(6, 4, 8), "num_heads must divide embed_dim"),
        (lambda: layers.EncoderBlock(4, 2, 8)(torch.zeros(2, 4)), "x must have shape"),
        (lambda: layers.EncoderBlock(4, 2, 8)(torch.zeros(2, 3, 5)), "x must have shape"),
    ],
)
def test_bad_arguments_of_a_transformers_layers_are_named(make, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        make()


@pytest.mark.parametrize("name", ["BatchNorm2d", "Dropout", "LayerNorm", "GELU"])
def test_options_are_pytorchs_unless_told(name):
    ours, theirs = (inspect.signature(getattr(of, name)).parameters for of in (layers, nn))
    assert {key: ours[key].default for key in ours} == {key: theirs[key].default for key in ours}


def test_one_number_normalized_is_the_bias():
    assert layers.LayerNorm(1)(torch.tensor([[3.0]])).tolist() == [[0.0]]


def test_the_norms_of_a_block_are_those_of_a_norm_alone():
    block = layers.EncoderBlock(8, 2, 16)
    assert block.norm1.eps == block.norm2.eps == layers.LayerNorm(8).eps
