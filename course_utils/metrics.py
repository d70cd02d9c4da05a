"""How good is it? Measures on tensors of scores and labels, never on models."""

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor


def cross_entropy(input: Tensor, target: Tensor, *, reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:
    """How surprised scores are by the labels, in nats: minus the log of the probability given to the right class.

    ``-log softmax(input)[target]``, written with the log of a sum of exponentials, which does not overflow. With
    smoothing s the target is 1 - s on the right class plus s spread evenly over all. As
    ``torch.nn.functional.cross_entropy``, which also has class weights, probabilities as targets and more axes.

    Args:
        input: scores before any softmax (logits), (N, C).
        target: classes, (N,), whole numbers from 0 to C - 1.
        reduction: "mean", "sum" or "none".
        label_smoothing: s, in [0, 1].

    Returns:
        One number, or (N,) without reduction.

    Raises:
        TypeError, ValueError: if shapes, dtypes or labels do not fit, or an option is none of that.

    Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 6.2.2.3; smoothing: Szegedy, Vanhoucke,
    Ioffe, Shlens and Wojna, "Rethinking the Inception architecture" (2016), section 7.
    """
    _check_scores(input, target)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}")
    largest = input.amax(dim=1, keepdim=True).detach()  # taken out and added again: exp of it could overflow
    log_sum = (input - largest).exp().sum(dim=1, keepdim=True).log() + largest
    log_p = input - log_sum  # (N, C)
    loss = -log_p.gather(1, target[:, None]).squeeze(1)  # (N,)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * log_p.mean(dim=1)
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


def accuracy(input: Tensor, target: Tensor) -> float:
    """The share of rows whose largest score is the right class's.

    Args:
        input: scores, (N, C).
        target: classes, (N,).

    Raises:
        TypeError, ValueError: as ``cross_entropy``, and if there are no rows.
    """
    _check_scores(input, target)
    if len(target) == 0:
        raise ValueError("target: there are no labels, so there is no share of them")
    return (input.argmax(dim=1) == target).double().mean().item()


def top_k_accuracy(input: Tensor, target: Tensor, k: int) -> float:
    """The share of rows whose right class is among the k largest scores. With k = 1 it is ``accuracy``.

    Args:
        input: scores, (N, C).
        target: classes, (N,).
        k: from 1 to C.

    Raises:
        TypeError, ValueError: as ``accuracy``, and if ``k`` is out of its range.
    """
    _check_scores(input, target)
    if not 1 <= k <= input.shape[1]:
        raise ValueError(f"k must lie between 1 and the number of classes, {input.shape[1]}; got {k}")
    if len(target) == 0:
        raise ValueError("target: there are no labels, so there is no share of them")
    largest = input.topk(k, dim=1).indices  # (N, k)
    return (largest == target[:, None]).any(dim=1).double().mean().item()


def confusion_matrix(target: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """How often each class was taken for each: row = what it is, column = what it was called.

    Args:
        target, predicted: classes, (N,).
        classes: how many there are; one that never comes has its row and column too.

    Returns:
        Counts, (classes, classes) int64.

    Raises:
        TypeError, ValueError: if they are not whole numbers from 0 to classes - 1, as many of each.
    """
    for name, values in (("target", target), ("predicted", predicted)):
        _check_classes(name, values, classes)
    if len(target) != len(predicted):
        raise ValueError(f"predicted must hold a class for each of the {len(target)} targets, got {len(predicted)}")
    cells = target * classes + predicted  # each pair as one number
    return torch.bincount(cells, minlength=classes**2).view(classes, classes)


class ClassScores(NamedTuple):
    """Precision, recall and F1 (harmonic mean of both) of each class, (C,), or averaged, ()."""

    precision: Tensor
    recall: Tensor
    f1: Tensor


def class_scores(matrix: Tensor, average: str | None = None) -> ClassScores:
    """Precision, recall and F1, from a confusion matrix.

    Precision: of the pictures that were called a shirt, the share that are shirts (down a column). Recall: of the
    shirts, the share that were called so (along a row). F1 is their harmonic mean. Where nothing is to be shared out
    (a class that was never called, or never came), they are 0.

    Args:
        matrix: counts, (C, C), rows = truth.
        average: None, one number for each class; "macro", their mean; "weighted", their mean by how often each
            class comes. (The third average in use, "micro", is the accuracy, three times.)

    Raises:
        ValueError: if ``matrix`` is not square counts, or ``average`` is none of these.

    Source: van Rijsbergen, "Information retrieval" (1979), chapter 7.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or matrix.is_floating_point() or (matrix < 0).any():
        raise ValueError(f"matrix must be counts (C, C), whole numbers; got {matrix.dtype} {tuple(matrix.shape)}")
    if average not in (None, "macro", "weighted"):
        raise ValueError(f"average must be None, 'macro' or 'weighted', got {average!r}")
    right, called, came = matrix.diagonal().double(), matrix.sum(dim=0), matrix.sum(dim=1)  # (C,) each
    scores = ClassScores(
        right / called.clamp(min=1), right / came.clamp(min=1), 2 * right / (called + came).clamp(min=1)
    )
    if average is None:
        return scores
    weights = came.double() / came.sum() if average == "weighted" else torch.full_like(right, 1 / len(matrix))
    return ClassScores(*(score @ weights for score in scores))


class Bins(NamedTuple):
    """Predictions sorted by their confidence, (bins,) each: what was promised, the accuracy that came, the count."""

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


def calibration_bins(probabilities: Tensor, target: Tensor, bins: int = 15) -> Bins:
    """Mean confidence and accuracy of predictions of about equal confidence.

    The confidence is the probability of the class that is predicted. Bin b holds confidences in
    (b / bins, (b + 1) / bins].

    Args:
        probabilities: (N, C), each row sums to 1.
        target: classes, (N,).
        bins: at least 1.

    Returns:
        Three tensors (bins,); confidence and accuracy are 0 in empty bins.

    Raises:
        TypeError, ValueError: if shapes, dtypes or labels do not fit, or rows are no probabilities.
    """
    _check_scores(probabilities, target, "probabilities")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    if len(target) == 0:
        raise ValueError("target: there are no labels")
    _check_probabilities(probabilities)
    confidence, predicted = probabilities.double().max(dim=1)  # (N,)
    place = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
    count = torch.bincount(place, minlength=bins)
    filled = count.clamp(min=1)
    right = (predicted == target).double()
    return Bins(
        torch.bincount(place, confidence, minlength=bins) / filled,
        torch.bincount(place, right, minlength=bins) / filled,
        count,
    )


def calibration_error(probabilities: Tensor, target: Tensor, bins: int = 15) -> float:
    """How far confidence and accuracy lie apart: the mean over the pictures of their bins' gaps.

    0 would mean that of a hundred pictures named with 80% confidence, 80 are named rightly.

    Args, Raises: probabilities (N, C), target (N,) and bins as in ``calibration_bins``.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015);
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017), equation 3.
    """
    confidence, accuracy, count = calibration_bins(probabilities, target, bins)
    return ((confidence - accuracy).abs() @ (count / count.sum()).double()).item()


def temperature(input: Tensor, target: Tensor) -> float:
    """The number to divide logits by so that their softmax can be believed: the one with the least cross-entropy.

    It changes no prediction, only confidences: above 1 it takes confidence away. Fit it on validation logits, never
    on those you report about.

    Args:
        input: logits, (N, C).
        target: classes, (N,).

    Returns:
        T, between 0.01 and 100.

    Raises:
        TypeError, ValueError: as ``accuracy``.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017), section 4.2.
    """
    _check_scores(input, target)
    if len(target) == 0:
        raise ValueError("target: there are no labels to fit a temperature to")
    logits = input.detach().double()
    low, high = math.log(0.01), math.log(100)  # of T; the loss has one valley, so thirds of the range can be dropped
    while high - low > 1e-6:
        one, other = (2 * low + high) / 3, (low + 2 * high) / 3
        if cross_entropy(logits / math.exp(one), target) < cross_entropy(logits / math.exp(other), target):
            high = other
        else:
            low = one
    return math.exp((low + high) / 2)


def frechet_gaussians(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared Fréchet distance of two Gaussians: what it costs to move the one onto the other.

    ``|mean_a - mean_b|^2 + trace(A + B - 2 (A B)^(1/2))``. A B is not symmetric where A and B do not commute; but
    its eigenvalues are those of ``A^(1/2) B A^(1/2)``, which is, so that no complex number comes up on the way, and
    a singular covariance is no exception.

    Args:
        mean_a, mean_b: (D,).
        cov_a, cov_b: covariances A and B, (D, D), symmetric.

    Returns:
        The squared distance, as it is reported under the name FID; at least 0.

    Raises:
        TypeError, ValueError: if shapes do not fit, or numbers are NaN or infinite.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions" (1982), equation 4.
    """
    for name, mean, cov in (("a", mean_a, cov_a), ("b", mean_b, cov_b)):
        if mean.shape != mean_a.shape or mean.dim() != 1 or cov.shape != (len(mean_a), len(mean_a)):
            raise ValueError(
                f"mean_{name} and cov_{name} must have shapes (D,) and (D, D) with one D, got {tuple(mean.shape)} and "
                f"{tuple(cov.shape)}; mean_a is {tuple(mean_a.shape)}"
            )
        _check_finite(f"mean_{name}", mean)
        _check_finite(f"cov_{name}", cov)
    A, B = cov_a.double(), cov_b.double()
    values, axes = torch.linalg.eigh(A)
    root = axes * values.clamp(min=0).sqrt() @ axes.T  # A^(1/2); rounding can leave an eigenvalue at -1e-12
    shared = torch.linalg.eigvalsh(root @ B @ root).clamp(min=0).sqrt().sum()
    distance = (mean_a.double() - mean_b.double()).square().sum() + A.trace() + B.trace() - 2 * shared
    return max(0.0, distance.item())


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """How far two sets of feature vectors lie apart: the squared Fréchet distance of Gaussians fitted to them.

    With the features of an Inception network this is the FID of papers. With other features it is another number:
    compare only what was measured with the same features and the same number of samples, as few samples make it
    larger.

    Args:
        a, b: features, (N, D) and (M, D).

    Returns:
        The squared distance, at least 0.

    Raises:
        TypeError, ValueError: if shapes do not fit, there are fewer than two rows, or numbers are NaN or infinite.

    Warns:
        UserWarning: if there are no more rows than features: the covariance then has no spread in some directions.

    Source: Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium" (2017), section 2, equation 6.
    """
    _check_features(a=a, b=b)
    for name, features in (("a", a), ("b", b)):
        if len(features) < 2:
            raise ValueError(f"{name} has {len(features)} row; a covariance needs at least 2")
        if len(features) <= features.shape[1]:
            warnings.warn(
                f"{name} has {len(features)} rows of {features.shape[1]} features: take at least "
                f"{features.shape[1] + 1}, better ten times as many, or the distance is mostly chance",
                stacklevel=2,
            )
    a, b = a.double(), b.double()
    return frechet_gaussians(a.mean(0), a.T.cov().view(a.shape[1], -1), b.mean(0), b.T.cov().view(b.shape[1], -1))


def inception_score(probabilities: Tensor) -> float:
    """exp of the mean divergence between what a classifier says of one picture and what it says of all together.

    It is large where each picture is named with confidence and all classes come; at most the number of classes.

    Args:
        probabilities: (N, C), each row sums to 1.

    Raises:
        TypeError, ValueError: if they are no probabilities, or there are none.

    Source: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, "Improved techniques for training GANs" (2016),
    section 4.
    """
    _check_probabilities(probabilities)
    p = probabilities.double()
    divergence = (torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(dim=1)  # (N,); xlogy: 0 log 0 = 0
    return divergence.mean().exp().item()


def class_entropy(probabilities: Tensor) -> float:
    """How evenly the predicted classes are spread, in nats: ln C where all come equally often, 0 where one comes.

    Args:
        probabilities: (N, C), each row sums to 1. The class of a row is its largest.

    Raises:
        TypeError, ValueError: as ``inception_score``.
    """
    _check_probabilities(probabilities)
    shares = torch.bincount(probabilities.argmax(dim=1)).double() / len(probabilities)
    return max(0.0, -torch.xlogy(shares, shares).sum().item())  # and never -0.0


class Coverage(NamedTuple):
    """Two shares: precision, of the samples that look real, and recall, of the real ones that samples come near to."""

    precision: float
    recall: float


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> Coverage:
    """Do samples lie among the real ones (precision), and do they reach all of them (recall)?

    Around each real one lies a ball that reaches to its k-th nearest other real one. A sample inside any of these
    balls counts as real-looking. Recall is the same the other way round: balls around the samples.

    Args:
        real, fake: features, (N, D) and (M, D).
        k: which neighbour sets the radius; from 1 to one less than there are rows.

    Raises:
        TypeError, ValueError: if shapes do not fit, ``k`` is out of its range, or numbers are NaN or infinite.

    Source: Kynkäänniemi, Karras, Laine, Lehtinen and Aila, "Improved precision and recall metric for assessing
    generative models" (2019), equations 1 and 2.
    """
    _check_features(real=real, fake=fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k must lie between 1 and {min(len(real), len(fake)) - 1}, one less than rows; got {k}")
    middle = real.mean(0)  # cdist works with squares: the smaller the numbers, the more digits stay
    real, fake = real - middle, fake - middle
    of_real, of_fake = _radii(real, k), _radii(fake, k)
    inside, reached = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for part, radii in zip(fake.split(1000), of_fake.split(1000), strict=True):  # all distances at once are many
        distances = torch.cdist(part, real)  # (up to 1000, N)
        inside.append((distances <= of_real).any(dim=1))
        reached |= (distances <= radii[:, None]).any(dim=0)
    return Coverage(torch.cat(inside).double().mean().item(), reached.double().mean().item())


def _radii(features: Tensor, k: int) -> Tensor:
    """How far the k-th nearest other row is from each row, (N,)"""
    nearest = [torch.cdist(part, features).topk(k + 1, largest=False).values for part in features.split(1000)]
    return torch.cat(nearest)[:, -1]  # the nearest of all is the row itself


class Neighbours(NamedTuple):
    """Of each sample, (N,): distances to its nearest training picture, and indices, which one that is."""

    distances: Tensor
    indices: Tensor


def nearest(samples: Tensor, training: Tensor) -> Neighbours:
    """The training pictures that samples are nearest to, pixel by pixel: has a network learnt them by heart?

    Args:
        samples, training: pictures, (N, C, H, W) and (M, C, H, W), on one scale; or features, (N, D) and (M, D).

    Returns:
        Euclidean distances, and indices into ``training``.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, or one of them is empty.
    """
    if samples.dtype != training.dtype:
        raise TypeError(f"samples and training must have one dtype, got {samples.dtype} and {training.dtype}")
    if samples.shape[1:] != training.shape[1:] or samples.dim() < 2:
        raise ValueError(f"samples and training must be alike, got {tuple(samples.shape)} and {tuple(training.shape)}")
    if len(samples) == 0 or len(training) == 0:
        raise ValueError(f"samples and training must not be empty, got {len(samples)} and {len(training)}")
    flat = training.flatten(1).float()
    indices = torch.cat([torch.cdist(part.flatten(1).float(), flat).argmin(dim=1) for part in samples.split(200)])
    # Measured once more, directly: cdist works with squares, which leave 0.003 where 0 is right.
    return Neighbours((samples.flatten(1).float() - flat[indices]).norm(dim=1), indices)


def auroc(normal: Tensor, anomalous: Tensor) -> float:
    """The chance that a random anomaly scores above a random normal one: the area under the ROC curve.

    0.5 is a score that tells nothing apart, below it one that has its sides the wrong way round. A tie counts half.

    Args:
        normal, anomalous: scores, (N,) and (M,). Which side should score higher is settled before looking.

    Raises:
        ValueError: if they do not have one axis, if one is empty, or numbers are NaN.

    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve"
    (1982).
    """
    for name, scores in (("normal", normal), ("anomalous", anomalous)):
        if scores.dim() != 1:
            raise ValueError(f"{name} must have shape (N,), got {tuple(scores.shape)}")
        if len(scores) == 0 or scores.isnan().any():
            raise ValueError(f"{name} must hold scores, and none that are NaN; got {len(scores)} of them")
    ordered, anomalous = normal.double().sort().values, anomalous.double().contiguous()
    below = torch.searchsorted(ordered, anomalous)  # of each anomaly: how many normal ones score less
    not_above = torch.searchsorted(ordered, anomalous, right=True)
    return ((below + not_above).double() / 2).mean().item() / len(normal)


def accuracy_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Between which accuracies the true one lies, given so many right answers on a sample: Wilson's interval.

    It tells how far the number would move with other test pictures of the same kind, not with another training run.

    Args:
        correct, total: right answers and all answers.
        z: standard deviations to each side; 1.96 holds the true accuracy in 95% of samples.

    Raises:
        ValueError: if ``correct`` does not lie between 0 and ``total``, or ``total`` is below 1.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"correct must lie between 0 and total, and total be at least 1; got {correct} of {total}")
    share = correct / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)


class Paired(NamedTuple):
    """Two models on the same pictures: how often only one was right, and how likely such odds are by chance."""

    only_first: int  # pictures that the first alone names rightly
    only_second: int  # that the second alone names rightly
    p_value: float  # that chance, in [0, 1]


def compare_paired(first: Tensor, second: Tensor) -> Paired:
    """Is one model better than another, judged on the same pictures? McNemar's exact test.

    Pictures that both name, or neither, say nothing about the difference. Of the others, equally good models would
    each win half, as by tossing a coin: the p-value is the chance of a split at least as uneven.

    Args:
        first, second: (N,) bool, whether each model was right on each picture.

    Raises:
        TypeError, ValueError: if they are not bool tensors of one length.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions" (1947), with the
    binomial distribution in place of its approximation.
    """
    for name, right in (("first", first), ("second", second)):
        if right.dtype != torch.bool or right.dim() != 1:
            raise TypeError(f"{name} must be a bool tensor of shape (N,), got {right.dtype} {tuple(right.shape)}")
    if len(first) != len(second):
        raise ValueError(f"second must be as long as first: {len(second)} against {len(first)}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = term = 1  # to lose at most `fewer` of so many tosses; whole numbers, so nothing is rounded
    for k in range(fewer):
        term = term * (tosses - k) // (k + 1)
        ways += term
    return Paired(only_first, only_second, min(1.0, 2 * ways / 2**tosses))


def _check_scores(input: Tensor, target: Tensor, name: str = "input") -> None:
    if input.dim() != 2 or not input.is_floating_point():
        raise TypeError(f"{name} must be floats of shape (N, C), got {input.dtype} {tuple(input.shape)}")
    _check_classes("target", target, input.shape[1])
    if len(input) != len(target):
        raise ValueError(f"target must hold a label for each of the {len(input)} rows of {name}, got {len(target)}")


def _check_classes(name: str, values: Tensor, classes: int) -> None:
    if values.dim() != 1 or values.dtype != torch.int64:
        raise TypeError(f"{name} must be int64 of shape (N,), got {values.dtype} {tuple(values.shape)}")
    if len(values) and not 0 <= values.min() <= values.max() < classes:
        raise ValueError(f"{name} must lie between 0 and {classes - 1}, got {int(values.min())} to {int(values.max())}")


def _check_probabilities(probabilities: Tensor) -> None:
    if probabilities.dim() != 2 or not probabilities.is_floating_point():
        raise TypeError(
            f"probabilities must be floats of shape (N, C), got {probabilities.dtype} {tuple(probabilities.shape)}"
        )
    if len(probabilities) == 0:
        raise ValueError("probabilities: there are no rows")
    sums = probabilities.sum(dim=1)
    if not (probabilities >= 0).all() or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise ValueError(
            f"probabilities must be at least 0 and sum to 1 in each row; the sums run from {sums.min():.3g} to "
            f"{sums.max():.3g}. Are they logits? Then take logits.softmax(dim=1)"
        )


def _check_features(**features: Tensor) -> None:
    for name, values in features.items():
        if values.dim() != 2 or not values.is_floating_point():
            raise TypeError(f"{name} must be floats of shape (N, D), got {values.dtype} {tuple(values.shape)}")
        _check_finite(name, values)
    (one, a), (other, b) = features.items()
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{one} and {other} must have one number of features, got {a.shape[1]} and {b.shape[1]}")


def _check_finite(name: str, values: Tensor) -> None:
    if not values.isfinite().all():
        bad = int((~values.isfinite()).sum())
        raise ValueError(f"{name} holds {bad} numbers that are NaN or infinite; are the pictures themselves finite?")
