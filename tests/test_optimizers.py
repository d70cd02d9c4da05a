"""Every optimizer against torch.optim's, step by step, while the rate changes."""

import copy
import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils import optimizers
from tests.drawing import drawn_cases

share = st.sampled_from([0.0, 0.5, 0.9, 0.99])
decay = st.sampled_from([0.0, 0.01, 0.3])
eps = st.sampled_from([1e-8, 1e-3])
betas = st.tuples(share, share)
OPTIONS = {
    "SGD": st.fixed_dictionaries({}, optional={"momentum": st.sampled_from([0.5, 0.9]), "weight_decay": decay})
    | st.fixed_dictionaries({"momentum": st.sampled_from([0.5, 0.9]), "nesterov": st.just(True)}),
    "RMSprop": st.fixed_dictionaries({}, optional={"alpha": share, "eps": eps}),
    "Adam": st.fixed_dictionaries({}, optional={"betas": betas, "eps": eps, "weight_decay": decay}),
    "AdamW": st.fixed_dictionaries({}, optional={"betas": betas, "eps": eps, "weight_decay": decay}),
}


def race(name, options, dtype=torch.float64, steps=40, seed=0):
    """The same parameters under ours and PyTorch's; the rate follows one cycle, and gradients shrink and vanish."""
    generator = torch.Generator().manual_seed(seed)
    start = [torch.randn(shape, dtype=dtype, generator=generator) for shape in ((3, 2), (4,), ())]
    ours, theirs = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    pair = [
        getattr(module, name)(parameters, lr=1e-3, **options)
        for module, parameters in ((optimizers, ours), (torch.optim, theirs))
    ]
    schedules = [torch.optim.lr_scheduler.OneCycleLR(o, 0.1, steps + 1, cycle_momentum=False) for o in pair]
    for step in range(steps):
        for number, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            gradient = torch.randn(p.shape, dtype=dtype, generator=generator) * 10.0 ** (-step % 7 - 3)
            absent = number == 1 and step % 3 == 0  # a parameter that this batch did not use
            p.grad, q.grad = (None, None) if absent else (gradient, gradient.clone())
        for optimizer, schedule in zip(pair, schedules, strict=True):
            optimizer.step()
            schedule.step()
        for p, q in zip(ours, theirs, strict=True):
            torch.testing.assert_close(p, q)
    assert all(not torch.equal(p, before) for p, before in zip(ours, start, strict=True))


@pytest.mark.parametrize("name", OPTIONS)
@drawn_cases(60)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_steps_are_those_of_torch(name, data, seed):
    race(name, data.draw(OPTIONS[name]), seed=seed)


@pytest.mark.parametrize("name", OPTIONS)
def test_single_precision(name):
    race(name, {}, torch.float32)


@pytest.mark.parametrize("name", OPTIONS)
def test_groups_have_options_of_their_own(name):
    start = torch.randn(5, generator=torch.Generator().manual_seed(0))
    results = []
    for module in (optimizers, torch.optim):
        a, b = nn.Parameter(start.clone()), nn.Parameter(start.clone())
        optimizer = getattr(module, name)([{"params": [a], "lr": 0.3}, {"params": [b]}], lr=0.01)
        for _ in range(3):
            a.grad, b.grad = start.clone(), start.clone()
            optimizer.step()
        results.append(torch.cat([a, b]).detach())
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_saved_state_goes_on_as_if_never_stopped(name):
    options = {"momentum": 0.9} if name == "SGD" else {}

    def steps(parameter, optimizer, gradients):
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()

    gradients = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    whole, first, second = (nn.Parameter(torch.zeros(4)) for _ in range(3))
    make = getattr(optimizers, name)
    steps(whole, make([whole], lr=0.1, **options), gradients)
    stopped = make([first], lr=0.1, **options)
    steps(first, stopped, gradients[:3])
    second.data = first.data.clone()
    resumed = make([second], lr=0.1, **options)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    steps(second, resumed, gradients[3:])
    assert torch.equal(whole, second)


@pytest.mark.parametrize("name", OPTIONS)
def test_zeroing_the_gradient_keeps_the_state(name):
    """A buffer that is the gradient itself would be wiped with it."""
    options = {"momentum": 0.9} if name == "SGD" else {}
    p = nn.Parameter(torch.ones(2))
    optimizer = getattr(optimizers, name)([p], lr=0.1, **options)
    p.grad = torch.ones(2)
    optimizer.step()
    state = copy.deepcopy(optimizer.state[p])
    p.grad.zero_()
    for key, value in optimizer.state[p].items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(state[key]))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Muon"])
def test_options_are_pytorchs_unless_told(name):
    ours, theirs = (inspect.signature(getattr(of, name)).parameters for of in (optimizers, torch.optim))
    assert {key: ours[key].default for key in ours} == {key: theirs[key].default for key in ours}


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        *((name, {"lr": rate}, "lr") for name in OPTIONS for rate in (0, -1)),
        ("SGD", {"momentum": 1.0}, "momentum"),
        ("SGD", {"nesterov": True}, "nesterov"),
        ("SGD", {"weight_decay": -0.1}, "weight_decay"),
        ("RMSprop", {"alpha": -0.1}, "alpha"),
        ("RMSprop", {"eps": -1}, "eps"),
        ("Adam", {"betas": (1.0, 0.9)}, "betas"),
        ("AdamW", {"betas": (0.9, 1.5)}, "betas"),
        ("AdamW", {"weight_decay": -1}, "weight_decay"),
        ("Adam", {"eps": -1}, "eps"),
        ("AdamW", {"eps": -1}, "eps"),
        ("Muon", {"weight_decay": -1}, "weight_decay"),
        ("Muon", {"momentum": 1.0}, "momentum"),
    ],
)
def test_bad_options_are_named(name, options, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        getattr(optimizers, name)([nn.Parameter(torch.zeros(1))], **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.5, "weight_decay": 0.3}])
def test_muon_steps_as_torchs_but_for_bfloat16(options, dtype, monkeypatch):
    """torch.optim.Muon orthogonalises in bfloat16; with that conversion taken out, the steps are equal."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, dtype=dtype, generator=generator) for shape in ((6, 4), (3, 5), (1, 4))]
    ours, theirs = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    pair = optimizers.Muon(ours, lr=0.1, **options), torch.optim.Muon(theirs, lr=0.1, **options)
    for _ in range(20):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, dtype=dtype, generator=generator)
            q.grad = p.grad.clone()
        for optimizer in pair:
            optimizer.step()
        for p, q in zip(ours, theirs, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3 if dtype == torch.float32 else 1e-7, atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (5, 16)])
def test_orthogonalized_keeps_the_directions_and_evens_out_their_lengths(shape):
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    lengths = u.mT @ optimizers.orthogonalized(matrix) @ v.mT  # in the directions of the matrix's own decomposition
    assert (lengths - lengths.diag().diag()).abs().max() < 1e-8
    assert 0.6 < lengths.diag().min() <= lengths.diag().max() < 1.25
    assert s.max() / s.min() > 2
    assert optimizers.orthogonalized(torch.zeros(3, 2)).abs().max() == 0


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match=r"^params must be matrices"):
        optimizers.Muon([nn.Parameter(torch.zeros(3))])
