"""Batch normalisation and dropout against PyTorch's: training, evaluation, gradients, running averages."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import layers

drawn = settings(max_examples=200, deadline=None, derandomize=True, database=None)
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
