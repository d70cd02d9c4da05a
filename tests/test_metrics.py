"""Measures against PyTorch, SciPy and scikit-learn's definitions."""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, optimize, stats
from sklearn import metrics as theirs
from sklearn import neighbors

from course_utils import metrics
from tests.drawing import drawn_cases

drawn = drawn_cases(200)


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


def test_interval_of_all_right_ends_at_one_and_is_of_95_percent_unless_told():
    assert metrics.accuracy_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert metrics.accuracy_interval(2, 2, z=10.0)[1] == 1.0


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


# ---- Which mistakes


def predictions(classes, count, seed, scale=2.0):
    """Logits that are right more often than not, and labels; the last class may be absent."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(max(1, classes - 1), (count,), generator=generator)
    scores = torch.randn(count, classes, generator=generator)
    scores[torch.arange(count), target] += 1
    return scores * scale, target


sizes = st.integers(2, 6), st.integers(1, 60), st.integers(0, 99)


@drawn
@given(*sizes)
def test_confusion_matrix(classes, count, seed):
    scores, target = predictions(classes, count, seed)
    predicted = scores.argmax(dim=1)
    matrix = metrics.confusion_matrix(target, predicted, classes)
    assert matrix.dtype == torch.int64
    assert matrix.tolist() == theirs.confusion_matrix(target, predicted, labels=range(classes)).tolist()


@drawn
@given(*sizes, st.sampled_from([None, "macro", "weighted"]))
def test_class_scores(classes, count, seed, average):
    scores, target = predictions(classes, count, seed)
    predicted = scores.argmax(dim=1)
    expected = theirs.precision_recall_fscore_support(
        target, predicted, labels=range(classes), average=average, zero_division=0
    )
    ours = metrics.class_scores(metrics.confusion_matrix(target, predicted, classes), average)
    for mine, other in zip(ours, expected[:3], strict=True):
        torch.testing.assert_close(mine, torch.as_tensor(other, dtype=torch.float64))


@drawn
@given(*sizes, st.data())
def test_top_k_accuracy(classes, count, seed, data):
    scores, target = predictions(classes, count, seed)
    k = data.draw(st.integers(1, classes))
    if classes == 2 or k == classes:  # scikit-learn wants one score for two classes, and warns where k is all of them
        rank = (scores > scores.gather(1, target[:, None])).sum(dim=1)
        expected = (rank < k).double().mean().item()
    else:
        expected = theirs.top_k_accuracy_score(target, scores, k=k, labels=range(classes))
    assert metrics.top_k_accuracy(scores, target, k) == pytest.approx(expected, abs=1e-12)
    assert metrics.top_k_accuracy(scores, target, 1) == metrics.accuracy(scores, target)


# ---- How sure


@drawn
@given(*sizes, st.integers(1, 20))
def test_calibration_error_by_a_loop(classes, count, seed, bins):
    scores, target = predictions(classes, count, seed)
    p = scores.softmax(dim=1)
    expected = 0.0
    for b in range(bins):
        chosen = [i for i in range(count) if b / bins < p[i].max().item() <= (b + 1) / bins]
        if chosen:
            right = sum(p[i].argmax().item() == target[i].item() for i in chosen) / len(chosen)
            promised = sum(p[i].max().item() for i in chosen) / len(chosen)
            expected += len(chosen) / count * abs(right - promised)
    assert metrics.calibration_error(p, target, bins) == pytest.approx(expected, abs=1e-6)


def test_each_confidence_lies_in_its_bin():
    """Bin b holds (b / bins, (b + 1) / bins]; what rounding has put above 1 lies in the last one."""
    a_little_more = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)).item()
    p = torch.tensor([[0.55, 0.45], [0.6, 0.4], [0.61, 0.39], [1.0, 0.0], [a_little_more, 0.0]])
    assert metrics.calibration_bins(p, torch.zeros(5, dtype=torch.long), 10).count.nonzero().tolist() == [[5], [6], [9]]
    alone = torch.ones(3, 1)
    assert metrics.calibration_bins(alone, torch.zeros(3, dtype=torch.long), 1).count.tolist() == [3]
    tenth = torch.full((1, 10), 0.1, dtype=torch.float64)
    assert metrics.calibration_bins(tenth, torch.zeros(1, dtype=torch.long), 10).count[0] == 1
    assert len(metrics.calibration_bins(p, torch.zeros(5, dtype=torch.long)).count) == 15


def test_error_of_fifteen_bins_unless_told():
    scores, target = predictions(4, 300, 0)
    p = scores.softmax(dim=1)
    assert metrics.calibration_error(p, target) == metrics.calibration_error(p, target, 15)
    assert metrics.calibration_error(p, target) != metrics.calibration_error(p, target, 16)


def test_bins_are_scikit_learns():
    scores, target = predictions(2, 500, 0)
    p = scores.softmax(dim=1)
    right, promised = theirs_calibration_curve(p, target)
    ours = metrics.calibration_bins(p, target, 10)
    filled = ours.count > 0
    torch.testing.assert_close(ours.accuracy[filled], right)
    torch.testing.assert_close(ours.confidence[filled], promised)


def theirs_calibration_curve(p, target):
    from sklearn.calibration import calibration_curve

    confidence, predicted = p.double().max(dim=1)
    right, promised = calibration_curve(predicted == target, confidence, n_bins=10)
    return torch.from_numpy(right), torch.from_numpy(promised)


def test_closed_cases_of_the_calibration_error():
    sure = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert metrics.calibration_error(sure, torch.tensor([0, 0])) == 0
    assert metrics.calibration_error(sure, torch.tensor([0, 1])) == 0.5
    # Two bins that err in opposite directions do not cancel: 0.9 promised, 1 kept; 0.6 promised, 0.5 kept.
    p = torch.tensor([[0.9, 0.1]] * 2 + [[0.6, 0.4]] * 2, dtype=torch.float64)
    assert metrics.calibration_error(p, torch.tensor([0, 0, 0, 1]), 10) == pytest.approx(0.1)


@drawn
@given(st.integers(2, 5), st.integers(30, 60), st.integers(0, 30), st.sampled_from([0.3, 1.0, 5.0]))
def test_temperature_is_the_lowest_point(classes, count, seed, scale):
    scores, target = predictions(classes, count, seed, scale)
    fitted = metrics.temperature(scores, target)

    def loss(log_t):
        return F.cross_entropy(scores.double() / math.exp(log_t), target).item()

    expected = optimize.minimize_scalar(loss, bounds=(math.log(0.01), math.log(100)), method="bounded")
    assert loss(math.log(fitted)) <= expected.fun + 1e-9
    assert metrics.accuracy(scores / fitted, target) == metrics.accuracy(scores, target)


def test_temperature_undoes_what_was_multiplied():
    scores, target = predictions(4, 3000, 1)
    fitted = metrics.temperature(scores, target)
    assert metrics.temperature(scores * 3, target) == pytest.approx(3 * fitted, rel=1e-4)


scores, labels = torch.zeros(3, 4), torch.tensor([0, 1, 3])


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: metrics.confusion_matrix(labels, labels[:2], 4), ValueError, "predicted must hold a class for each"),
        (
            lambda: metrics.confusion_matrix(labels, labels, 3),
            ValueError,
            "target must lie between 0 and 2, got 0 to 3",
        ),
        (lambda: metrics.confusion_matrix(labels, scores, 4), TypeError, "predicted must be int64"),
        (lambda: metrics.class_scores(torch.ones(2, 2)), ValueError, "matrix must be counts"),
        (lambda: metrics.class_scores(torch.ones(2, 3).long()), ValueError, "matrix must be counts"),
        (lambda: metrics.class_scores(torch.ones(2, 2).long(), "micro"), ValueError, "average must be None, 'macro'"),
        (lambda: metrics.top_k_accuracy(scores, labels, 5), ValueError, "k must lie between 1 and the number of"),
        (lambda: metrics.top_k_accuracy(scores, labels, 0), ValueError, "k must lie"),
        (
            lambda: metrics.calibration_error(scores, labels),
            ValueError,
            "probabilities must be at least 0 and sum to 1",
        ),
        (lambda: metrics.calibration_error(labels, labels), TypeError, "probabilities must be floats"),
        (lambda: metrics.calibration_error(scores + 0.25, labels, 0), ValueError, "bins must be at least 1"),
        (lambda: metrics.calibration_error(scores[:0], labels[:0]), ValueError, "target: there are no labels"),
        (lambda: metrics.temperature(scores[:0], labels[:0]), ValueError, "target: there are no labels"),
        (lambda: metrics.temperature(scores, labels + 1), ValueError, "target must lie between 0 and 3, got 1 to 4"),
    ],
)
def test_bad_arguments_of_what_reads_a_classifier(call, error, said):
    with pytest.raises(error, match=f"^{re.escape(said)}"):
        call()


# Generated pictures


def _spread(dimensions: int, seed: int) -> torch.Tensor:
    """A drawn covariance."""
    a = torch.randn(dimensions, dimensions, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return a @ a.T


@drawn
@given(st.integers(1, 12), st.integers(0, 99))
def test_frechet_distance_of_gaussians_against_the_matrix_root(dimensions, seed):
    A, B = _spread(dimensions, seed), _spread(dimensions, seed + 100)  # drawn apart: they do not commute
    mean_a, mean_b = torch.randn(2, dimensions, dtype=torch.float64)
    root = linalg.sqrtm((A @ B).numpy()).real
    expected = (mean_a - mean_b).square().sum() + (A + B).trace() - 2 * root.trace()
    assert metrics.frechet_gaussians(mean_a, A, mean_b, B) == pytest.approx(expected.item(), rel=1e-6, abs=1e-6)


def test_frechet_distance_in_closed_cases():
    a = torch.randn(500, 6)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    shifted = a + torch.tensor([2.0, 0, 0, 0, 0, 0])
    assert metrics.frechet_distance(a, shifted) == pytest.approx(4, rel=1e-5)
    spread = a.double().T.cov().trace().item()  # scaled by 3: |1 - 3|^2 of it, and the mean moves by twice itself
    assert metrics.frechet_distance(a, 3 * a) == pytest.approx(
        4 * spread + 4 * a.mean(0).square().sum().item(), rel=1e-5
    )
    assert metrics.frechet_distance(a.T.contiguous().T, shifted) == pytest.approx(4, rel=1e-5)  # not contiguous


def test_frechet_distance_of_sets_is_that_of_their_gaussians():
    a, b = torch.randn(40, 5, dtype=torch.float64), torch.randn(30, 5, dtype=torch.float64).exp()
    fitted = [torch.from_numpy(np.cov(x.numpy(), rowvar=False)) for x in (a, b)]
    expected = metrics.frechet_gaussians(a.mean(0), fitted[0], b.mean(0), fitted[1])
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_singular_covariances():
    line = torch.tensor([[1.0, 2.0, 3.0]]) * torch.randn(200, 1)  # all on one line
    assert metrics.frechet_distance(line, line) == pytest.approx(0, abs=1e-5)
    assert metrics.frechet_distance(line, line.flip(1)) > 1
    one = torch.randn(50, 1)
    assert metrics.frechet_distance(one, one + 1) == pytest.approx(1, rel=1e-5)  # one feature


def test_two_rows_are_enough_for_a_covariance():
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [5.0], [5.0]])
    assert metrics.frechet_distance(a, b) == pytest.approx(4**2 + 2)  # means 1 and 5, variances 2 and 0


def test_frechet_distance_warns_of_few_samples():
    with pytest.warns(UserWarning, match="a has 8 rows of 8 features: take at least 9"):
        metrics.frechet_distance(torch.randn(8, 8), torch.randn(80, 8))


@drawn
@given(st.integers(1, 30), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_inception_score_is_the_mutual_information(rows, classes, certain, seed):
    p = torch.randn(rows, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).softmax(1)
    p = F.one_hot(p.argmax(1), classes).double() if certain else p  # zeros among them
    expected = np.exp(np.mean([stats.entropy(row, p.mean(0)) for row in p.numpy()]))
    assert metrics.inception_score(p) == pytest.approx(expected, rel=1e-9)
    assert 1 - 1e-9 <= metrics.inception_score(p) <= classes + 1e-9


@drawn
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 99))
def test_class_entropy(rows, classes, seed):
    p = torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed)).softmax(1)
    counts = np.bincount(p.argmax(1).numpy(), minlength=classes)
    assert metrics.class_entropy(p) == pytest.approx(stats.entropy(counts), abs=1e-9)


@drawn
@given(st.integers(5, 40), st.integers(5, 40), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_precision_and_recall_against_a_loop(reals, fakes, dimensions, k, seed):
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(reals, dimensions, generator=generator)
    fake = torch.randn(fakes, dimensions, generator=generator) + 0.5

    def share(points, centres):
        tree = neighbors.NearestNeighbors(n_neighbors=k + 1).fit(centres.numpy())
        radii = tree.kneighbors(centres.numpy())[0][:, -1]
        far = np.linalg.norm(points.numpy()[:, None] - centres.numpy()[None], axis=2)
        return (far <= radii + 1e-6).any(axis=1).mean()

    got = metrics.precision_recall(real, fake, k)
    assert got.precision == pytest.approx(share(fake, real))
    assert got.recall == pytest.approx(share(real, fake))


def test_precision_and_recall_in_closed_cases():
    real = torch.randn(60, 3)
    assert metrics.precision_recall(real, real) == (1, 1)
    assert metrics.precision_recall(real, real + 100) == (0, 0)
    repeated = real[:1].expand(60, 3)  # one right picture, sixty times: precise, and its balls have no size
    assert metrics.precision_recall(real, repeated) == (1, pytest.approx(1 / 60))


def test_precision_and_recall_in_pieces_are_those_of_the_whole():
    real, fake = torch.randn(2300, 4), torch.randn(1100, 4) + 1
    far = torch.cdist(fake, real)
    of_real, of_fake = (torch.cdist(x, x).sort(dim=1).values[:, 3] for x in (real, fake))
    found = metrics.precision_recall(real, fake)
    assert found.precision == (far <= of_real).any(1).double().mean().item()
    assert found.recall == (far <= of_fake[:, None]).any(0).double().mean().item()


def test_probabilities_in_three_digits_are_probabilities():
    assert metrics.inception_score(torch.tensor([[0.333, 0.333, 0.333]] * 2)) == pytest.approx(1, abs=1e-6)


@drawn
@given(st.integers(1, 6), st.integers(1, 9), st.sampled_from([torch.uint8, torch.float32]), st.integers(0, 99))
def test_nearest_training_pictures(samples, training, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    greys = torch.randint(0, 256, (samples + training, 1, 4, 3), generator=generator, dtype=torch.uint8)
    ours, theirs = greys.to(dtype).split([samples, training])
    found = metrics.nearest(ours, theirs)
    tree = neighbors.NearestNeighbors(n_neighbors=1).fit(theirs.flatten(1).double().numpy())
    distances, _ = tree.kneighbors(ours.flatten(1).double().numpy())
    torch.testing.assert_close(found.distances.double(), torch.from_numpy(distances)[:, 0], rtol=1e-5, atol=1e-5)
    direct = (ours.double() - theirs[found.indices].double()).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.distances.double(), direct, rtol=1e-5, atol=1e-5)


features, probabilities = torch.randn(9, 3), torch.full((4, 5), 0.2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: metrics.frechet_distance(features, features[:, :2]),
            ValueError,
            "one number of features, got 3 and 2",
        ),
        (lambda: metrics.frechet_distance(features[0], features), TypeError, "a must be floats of shape (N, D)"),
        (
            lambda: metrics.frechet_distance(features, features * torch.nan),
            ValueError,
            "b holds 27 numbers that are NaN",
        ),
        (lambda: metrics.frechet_distance(features[:1], features), ValueError, "a has 1 row; a covariance needs"),
        (
            lambda: metrics.frechet_gaussians(features[0], torch.eye(3), features[0], torch.eye(2)),
            ValueError,
            "mean_b and cov_b must have shapes",
        ),
        (
            lambda: metrics.frechet_gaussians(features[:3], torch.eye(3), features[:3], torch.eye(3)),
            ValueError,
            "mean_a and cov_a must have shapes",
        ),
        (lambda: metrics.inception_score(torch.randn(4, 5)), ValueError, "Are they logits?"),
        (lambda: metrics.inception_score(probabilities * torch.nan), ValueError, "probabilities must be at least 0"),
        (lambda: metrics.inception_score(probabilities[:0]), ValueError, "probabilities: there are no rows"),
        (lambda: metrics.class_entropy(probabilities[0]), TypeError, "probabilities must be floats of shape (N, C)"),
        (lambda: metrics.precision_recall(features, features, 9), ValueError, "k must lie between 1 and 8"),
        (lambda: metrics.precision_recall(features, features, 0), ValueError, "k must lie between 1 and 8"),
        (lambda: metrics.precision_recall(features, features[:, :1]), ValueError, "real and fake must have one number"),
        (lambda: metrics.precision_recall(features / 0, features), ValueError, "real holds 27 numbers"),
        (lambda: metrics.nearest(features, features.double()), TypeError, "one dtype"),
        (lambda: metrics.nearest(features, features[:, :2]), ValueError, "must be alike"),
        (lambda: metrics.nearest(features[:0], features), ValueError, "must not be empty, got 0 and 9"),
    ],
)
def test_bad_samples_get_a_sentence(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()


@drawn
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([2, 5, 10_000]),
    st.sampled_from([torch.float32, torch.float64, torch.int64]),
    st.integers(0, 99),
)
def test_auroc_against_scikit_learn(normals, anomalies, levels, dtype, seed):
    """With few levels there are many ties."""
    source = torch.Generator().manual_seed(seed)
    normal, anomalous = (
        torch.randint(0, levels, (2 * n,), generator=source).to(dtype)[::2] for n in (normals, anomalies)
    )
    truth = np.r_[np.zeros(normals), np.ones(anomalies)]
    expected = theirs.roc_auc_score(truth, torch.cat([normal, anomalous]).numpy())
    assert metrics.auroc(normal, anomalous) == pytest.approx(expected, abs=1e-9)
    assert metrics.auroc(-normal, -anomalous) == pytest.approx(1 - expected, abs=1e-9)
    assert metrics.auroc(normal, normal) == 0.5


@pytest.mark.parametrize(
    ("normal", "anomalous", "words"),
    [
        (torch.zeros(3), torch.zeros(0), "anomalous must hold scores"),
        (torch.tensor([math.nan]), torch.zeros(1), "none that are NaN"),
        (torch.zeros(3, 1), torch.zeros(1), "normal must have shape (N,), got (3, 1)"),
        (torch.zeros(3), torch.tensor(1.0), "anomalous must have shape (N,), got ()"),
    ],
)
def test_bad_scores_get_a_sentence(normal, anomalous, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        metrics.auroc(normal, anomalous)
