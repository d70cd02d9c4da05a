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


def _check_scores(input: Tensor, target: Tensor) -> None:
    if input.dim() != 2 or not input.is_floating_point():
        raise TypeError(f"input must be floats of shape (N, C), got {input.dtype} {tuple(input.shape)}")
    if target.dim() != 1 or target.dtype != torch.int64:
        raise TypeError(f"target must be int64 of shape (N,), got {target.dtype} {tuple(target.shape)}")
    if len(input) != len(target):
        raise ValueError(f"target must hold a label for each of the {len(input)} rows of input, got {len(target)}")
    if len(target) and not 0 <= target.min() <= target.max() < input.shape[1]:
        raise ValueError(
            f"target must lie between 0 and {input.shape[1] - 1}, got {int(target.min())} to {int(target.max())}"
        )
