"""How good is it? Measures on tensors of scores and labels, never on models."""

import math
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
    """Of each class, (C,), or averaged, ()."""

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
    """Predictions sorted by their confidence: for each bin, what was promised, what was kept, and how many."""

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
    sums = probabilities.sum(dim=1)
    if (probabilities < 0).any() or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise ValueError(
            f"probabilities must be at least 0 and sum to 1 in each row; the sums run from {sums.min():.3g} to "
            f"{sums.max():.3g}. Are they logits? Then take logits.softmax(dim=1)"
        )
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

    0 would mean that of a hundred pictures named with 80% confidence, 80 are named rightly. Arguments and errors as
    ``calibration_bins``.

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

    only_first: int
    only_second: int
    p_value: float


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
