"""Measures against PyTorch, SciPy and scikit-learn's definitions."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_utils import metrics

drawn = settings(max_examples=200, deadline=None, derandomize=True, database=None)


@drawn
@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    st.sampled_from([1.0, 200.0, 1e4]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 99),
)
def test_cross_entropy(rows, classes, reduction, label_smoothing, scale, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, classes, dtype=dtype, generator=generator) * scale
    target = torch.randint(classes, (rows,), generator=generator)
    results = []
    for function in (metrics.cross_entropy, F.cross_entropy):
        x = scores.clone().requires_grad_()
        loss = function(x, target, reduction=reduction, label_smoothing=label_smoothing)
        results.append((loss, torch.autograd.grad(loss.sum(), x)[0]))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_cross_entropy_of_even_scores_is_the_log_of_the_classes():
    loss = metrics.cross_entropy(torch.zeros(4, 10), torch.arange(4))
    assert loss.item() == pytest.approx(2.302585, abs=1e-6)


def test_accuracy_is_the_share_of_right_ones():
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert metrics.accuracy(scores, torch.tensor([1, 0, 0, 1])) == 0.5


@drawn
@given(st.integers(1, 20_000), st.floats(0, 1))
def test_interval_is_wilsons(total, share):
    correct = round(total * share)
    low, high = metrics.accuracy_interval(correct, total, z=stats.norm.ppf(0.975))
    expected = stats.binomtest(correct, total).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@drawn
@given(st.integers(0, 3000), st.integers(0, 300), st.integers(0, 300))
def test_paired_comparison_is_the_exact_binomial_test(neither, only_first, only_second):
    first = torch.tensor([True] * only_first + [False] * (only_second + neither), dtype=torch.bool)
    second = torch.tensor([False] * only_first + [True] * only_second + [False] * neither, dtype=torch.bool)
    result = metrics.compare_paired(first, second)
    assert result[:2] == (only_first, only_second)
    tosses = only_first + only_second
    expected = stats.binomtest(only_first, tosses).pvalue if tosses else 1.0
    assert result.p_value == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_paired_comparison_of_many_pictures():
    first = torch.arange(10_000) % 3 == 0
    second = torch.arange(10_000) % 2 == 0
    result = metrics.compare_paired(first, second)
    assert 0 <= result.p_value < 1e-100


GOOD = torch.zeros(3, 4), torch.tensor([0, 1, 2])


@pytest.mark.parametrize("function", [metrics.cross_entropy, metrics.accuracy])
@pytest.mark.parametrize(
    ("scores", "target", "named"),
    [
        (torch.zeros(3), GOOD[1], "input"),
        (torch.zeros(3, 4, dtype=torch.uint8), GOOD[1], "input"),
        (GOOD[0], torch.zeros(3), "target"),
        (GOOD[0], torch.zeros(3, 1, dtype=torch.int64), "target"),
        (GOOD[0], torch.tensor([0, 1]), "target"),
        (GOOD[0], torch.tensor([0, 1, 4]), "target must lie between 0 and 3"),
        (GOOD[0], torch.tensor([-1, 1, 2]), "target must lie between 0 and 3"),
    ],
)
def test_scores_and_labels_that_do_not_fit_are_named(function, scores, target, named):
    with pytest.raises((TypeError, ValueError), match=f"^{named}"):
        function(scores, target)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: metrics.cross_entropy(*GOOD, reduction="average"), "reduction"),
        (lambda: metrics.cross_entropy(*GOOD, label_smoothing=1.5), "label_smoothing"),
        (lambda: metrics.accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)), "target"),
        (lambda: metrics.accuracy_interval(5, 4), "correct"),
        (lambda: metrics.accuracy_interval(0, 0), "correct"),
        (lambda: metrics.compare_paired(torch.zeros(3), torch.zeros(3)), "first"),
        (lambda: metrics.compare_paired(torch.zeros(3) > 0, torch.zeros(2) > 0), "second"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises((TypeError, ValueError), match=f"^{named}"):
        make()
