"""The exercises of lesson 05: which classes are mixed up, how far confidence can be trusted, and what was looked at."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .exercise import Case, Draw, Exercise, Mistake, first_optimizer
from .lesson_03 import (
    labels_for,
    linear_net,
    made,
    mode_of,
    net_with_batch_norm,
    net_with_dropout,
    pictures_of,
    state_of,
)

LESSON = "05_reading_a_classifier"


# --- confusion_matrix -----------------------------------------------------------------------------------------


def confusion_matrix(labels, predictions, classes):
    """(N,) and (N,) int64 -> (classes, classes) int64, how many pictures of each class were given each class

    Row: the true class. Column: the predicted class.
    """
    pairs = labels * classes + predictions  # a number of its own for each pair
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def repeats_counted_once(labels, predictions, classes):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    matrix[labels, predictions] += 1
    return matrix


def set_to_one(labels, predictions, classes):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] = 1
    return matrix


def transposed(labels, predictions, classes):
    return torch.bincount(predictions * classes + labels, minlength=classes**2).view(classes, classes)


def as_many_as_the_largest_label(labels, predictions, classes):
    classes = int(labels.max()) + 1
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] += 1
    return matrix


def as_many_as_the_largest_prediction(labels, predictions, classes):
    classes = int(predictions.max()) + 1
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] += 1
    return matrix


def as_many_as_the_largest_seen(labels, predictions, classes):
    classes = int(torch.cat([labels, predictions]).max()) + 1
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] += 1
    return matrix


def as_many_as_there_are_kinds(labels, predictions, classes):
    seen = torch.cat([labels, predictions]).unique()
    return torch.stack([torch.stack([((labels == i) & (predictions == j)).sum() for j in seen]) for i in seen])


def bincount_without_minlength(labels, predictions, classes):
    return torch.bincount(labels * classes + predictions).view(classes, classes)


def counts_as_floats(labels, predictions, classes):
    matrix = torch.zeros(classes, classes)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label, prediction] += 1
    return matrix


def shares_of_a_row(labels, predictions, classes):
    matrix = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
    return matrix / matrix.sum(dim=1, keepdim=True)


def shares_of_a_row_guarded(labels, predictions, classes):
    matrix = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
    return matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1)


def shares_of_a_column(labels, predictions, classes):
    matrix = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
    return matrix / matrix.sum(dim=0, keepdim=True)


def shares_of_all(labels, predictions, classes):
    matrix = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
    return matrix / len(labels)


def both_or_neither(labels, predictions, classes):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for i in range(classes):
        for j in range(classes):
            matrix[i, j] = ((labels == i) == (predictions == j)).sum()
    return matrix


def one_or_the_other(labels, predictions, classes):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for i in range(classes):
        for j in range(classes):
            matrix[i, j] = ((labels == i) | (predictions == j)).sum()
    return matrix


def only_the_right_ones(labels, predictions, classes):
    return torch.bincount(labels[labels == predictions], minlength=classes).diag()


def only_the_errors(labels, predictions, classes):
    wrong = labels != predictions
    pairs = labels[wrong] * classes + predictions[wrong]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def sum_of_the_two(labels, predictions, classes):
    return torch.bincount(labels + predictions, minlength=classes**2).view(classes, classes)


# --- precision_recall -----------------------------------------------------------------------------------------


def precision_recall(matrix):
    """(C, C) counts, row: true class, column: predicted -> precision and recall of each class, two (C,) float32

    Precision: of the pictures given this class, which share is of it; 0 where no picture was given it.
    Recall: of the pictures of this class, which share was given it; 0 where there is no such picture.
    """
    right = matrix.diag()
    precision = right / matrix.sum(dim=0).clamp(min=1)  # where that sum is 0, right is 0 too
    recall = right / matrix.sum(dim=1).clamp(min=1)
    return precision, recall


def precision_and_recall_swapped(matrix):
    right = matrix.diag()
    return right / matrix.sum(dim=1).clamp(min=1), right / matrix.sum(dim=0).clamp(min=1)


def swapped_and_zero_by_zero(matrix):
    right = matrix.diag()
    return right / matrix.sum(dim=1), right / matrix.sum(dim=0)


def both_along_the_rows(matrix):
    recall = matrix.diag() / matrix.sum(dim=1).clamp(min=1)
    return recall, recall


def both_down_the_columns(matrix):
    precision = matrix.diag() / matrix.sum(dim=0).clamp(min=1)
    return precision, precision


def zero_by_zero(matrix):
    right = matrix.diag()
    return right / matrix.sum(dim=0), right / matrix.sum(dim=1)


def zero_by_zero_in_precision(matrix):
    right = matrix.diag()
    return right / matrix.sum(dim=0), right / matrix.sum(dim=1).clamp(min=1)


def zero_by_zero_in_recall(matrix):
    right = matrix.diag()
    return right / matrix.sum(dim=0).clamp(min=1), right / matrix.sum(dim=1)


def one_where_nothing_is_known(matrix):
    right = matrix.diag()
    return (right / matrix.sum(dim=0)).nan_to_num(1.0), (right / matrix.sum(dim=1)).nan_to_num(1.0)


def share_of_all_pictures(matrix):
    share = matrix.diag() / matrix.sum()
    return share, share


def accuracy_of_each_class_against_the_rest(matrix):
    right, total = matrix.diag(), matrix.sum()
    neither = total - matrix.sum(dim=0) - matrix.sum(dim=1) + right
    return (right + neither) / total, (right + neither) / total


def added_over_all_classes(matrix):
    accuracy = matrix.diag().sum() / matrix.sum()
    return accuracy.expand(len(matrix)), accuracy.expand(len(matrix))


def two_numbers_for_all(matrix):
    accuracy = matrix.diag().sum() / matrix.sum()
    return accuracy, accuracy


def mean_over_classes(matrix):
    right = matrix.diag()
    return (right / matrix.sum(dim=0).clamp(min=1)).mean(), (right / matrix.sum(dim=1).clamp(min=1)).mean()


def by_the_errors_only(matrix):
    right = matrix.diag()
    return right / (matrix.sum(dim=0) - right).clamp(min=1), right / (matrix.sum(dim=1) - right).clamp(min=1)


def by_the_errors_only_unguarded(matrix):
    right = matrix.diag()
    return right / (matrix.sum(dim=0) - right), right / (matrix.sum(dim=1) - right)


def shares_of_errors(matrix):
    right, predicted, true = matrix.diag(), matrix.sum(dim=0), matrix.sum(dim=1)
    return (predicted - right) / predicted.clamp(min=1), (true - right) / true.clamp(min=1)


def rounded_down(matrix):
    right = matrix.diag()
    return right // matrix.sum(dim=0).clamp(min=1), right // matrix.sum(dim=1).clamp(min=1)


def shares_in_percent(matrix):
    right = matrix.diag()
    return 100 * right / matrix.sum(dim=0).clamp(min=1), 100 * right / matrix.sum(dim=1).clamp(min=1)


def a_pair(precision_recall: Callable, matrix: Tensor) -> dict | None:
    """The two answers by name; nothing where nothing came back."""
    pair = precision_recall(matrix)
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError("two tensors are asked for: end with `return precision, recall`")
    return {"precision": pair[0], "recall": pair[1]}


def drawn_counts(draw: Draw) -> tuple[Tensor]:
    """Counts in which now and then a class is absent, or never predicted."""
    classes = draw.whole(1, 5)
    labels, predictions = (labels_for(draw, 12, classes) for _ in range(2))
    return (confusion_matrix(labels, predictions, classes + draw.whole(0, 1)),)


# --- calibration_error ----------------------------------------------------------------------------------------


def calibration_error(probabilities, labels, bins):
    """(N, C) probabilities, (N,) labels -> the expected calibration error, a number

    A picture's confidence is its largest probability. Bin i = 0, 1, ..., bins - 1 holds the pictures whose
    confidence lies above i / bins and at most at (i + 1) / bins. A bin's gap is |accuracy - mean confidence| of its
    pictures. The gaps are added up, each times its bin's share of all pictures; empty bins add nothing.
    """
    confidence, predictions = probabilities.max(dim=1)
    surplus = (predictions == labels).float() - confidence
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        error += surplus[inside].sum().abs() / len(labels)  # n / N times a mean over n pictures: n cancels
    return error


def of_the_true_class(probabilities, labels, bins):
    confidence = probabilities[torch.arange(len(labels)), labels]
    right = (probabilities.argmax(dim=1) == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def gaps_cancel(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean())
    return error


def confidence_first(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (confidence[inside].mean() - right[inside].mean())
    return error


def one_gap_for_all(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    return ((predictions == labels).float().mean() - confidence.mean()).abs()


def gap_of_each_picture(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    return ((predictions == labels).float() - confidence).abs().mean()


def mean_of_nonempty_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    gaps = []
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            gaps.append((right[inside].mean() - confidence[inside].mean()).abs())
    return sum(gaps) / len(gaps)


def mean_of_all_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += (right[inside].mean() - confidence[inside].mean()).abs() / bins
    return error


def sum_of_gaps(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def weighed_by_number(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.sum() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def number_by_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.sum() / bins * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def largest_gap(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    gaps = []
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            gaps.append((right[inside].mean() - confidence[inside].mean()).abs())
    return max(gaps)


def nan_of_empty_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def certainty_dropped(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence >= i / bins) & (confidence < (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def edges_to_the_bin_above(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    number = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for i in range(bins):
        inside = number == i
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def edges_in_no_bin(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence < (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def edges_in_two_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence >= i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def last_bin_missing(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins - 1):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def as_many_edges_as_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    edges = torch.linspace(0, 1, bins)
    error = 0.0
    for i in range(bins - 1):
        inside = (confidence > edges[i]) & (confidence <= edges[i + 1])
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def squared_gap(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()) ** 2
    return error


def root_of_squared_gaps(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()) ** 2
    return error**0.5


def middle_of_the_bin(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - (i + 0.5) / bins).abs()
    return error


def between_smallest_and_largest(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    low, width = confidence.min(), (confidence.max() - confidence.min()) / bins
    number = ((confidence - low) / width).ceil().long().clamp(1, bins) - 1
    error = 0.0
    for i in range(bins):
        inside = number == i
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def from_one_over_classes(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    low = 1 / probabilities.shape[1]
    error = 0.0
    for i in range(bins):
        above, upto = low + (1 - low) * i / bins, low + (1 - low) * (i + 1) / bins
        inside = (confidence > above) & (confidence <= upto)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def equally_full_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for inside in confidence.argsort().tensor_split(bins):
        if len(inside):
            error += len(inside) / len(labels) * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def always_ten_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(10):
        inside = (confidence > i / 10) & (confidence <= (i + 1) / 10)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def always_fifteen_bins(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def every_probability_counts(probabilities, labels, bins):
    confidence = probabilities.flatten()
    right = F.one_hot(labels, probabilities.shape[1]).flatten().float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def softmax_once_more(probabilities, labels, bins):
    confidence, predictions = probabilities.softmax(dim=1).max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def surest_picture_of_a_class(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=0)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def error_in_percent(probabilities, labels, bins):
    confidence, predictions = probabilities.max(dim=1)
    right = (predictions == labels).float()
    error = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            error += 100 * inside.float().mean() * (right[inside].mean() - confidence[inside].mean()).abs()
    return error


def plain(number: Any) -> Any:
    """A tensor that holds one number as that number, so that both kinds of answer are recognised alike."""
    return number.item() if isinstance(number, Tensor) and number.dim() == 0 else number


def the_error(calibration_error: Callable, probabilities: Tensor, labels: Tensor, bins: int) -> Any:
    return plain(calibration_error(probabilities, labels, bins))


def so_sure(confidences: list[float], right: list[int]) -> tuple[Tensor, Tensor]:
    """Probabilities of four classes, the largest as given and exact in binary; labels, right or not as given."""
    count = len(confidences)
    probabilities = torch.empty(count, 4)
    labels = torch.empty(count, dtype=torch.int64)
    for row, (confidence, is_right) in enumerate(zip(confidences, right, strict=True)):
        spread = torch.tensor([confidence, *((1 - confidence) * share / 8 for share in (4, 3, 1))])
        probabilities[row] = spread.roll(row)
        labels[row] = (row + (0 if is_right else 1 + row % 3)) % 4
    return probabilities, labels


def drawn_probabilities(draw: Draw) -> tuple[Tensor, Tensor, int]:
    count, classes = draw.whole(1, 30), draw.whole(2, 6)
    logits = draw(count, classes) * draw.whole(1, 4)
    return logits.softmax(dim=1), labels_for(draw, count, classes), draw.whole(1, 15)


# --- grad_cam -------------------------------------------------------------------------------------------------


def grad_cam(activations, gradients):
    """(N, C, H, W) what a layer gave, (N, C, H, W) the gradient of the class's logit -> (N, H, W), not scaled

    A channel's weight is the mean of its gradient over all places, for each picture apart. The map is the sum over
    the channels of weight times activation, with 0 in place of what is negative.
    """
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * activations).sum(dim=1).relu()


def no_mean_over_places(activations, gradients):
    return (gradients * activations).sum(dim=1).relu()


def no_relu(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def size_instead_of_relu(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).abs()


def relu_on_the_weights(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True).relu()
    return (weights * activations).sum(dim=1).relu()


def relu_on_the_weights_alone(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True).relu()
    return (weights * activations).sum(dim=1)


def relu_before_the_sum(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).relu().sum(dim=1)


def relu_on_the_gradients(activations, gradients):
    weights = gradients.relu().mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def size_of_the_weights(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True).abs()
    return (weights * activations).sum(dim=1).relu()


def weights_of_the_activations(activations, gradients):
    weights = activations.mean(dim=(2, 3), keepdim=True)
    return (weights * gradients).sum(dim=1).relu()


def activations_alone(activations, gradients):
    weights = activations.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def all_channels_alike(activations, gradients):
    return activations.sum(dim=1).relu()


def gradients_alone(activations, gradients):
    return gradients.mean(dim=(2, 3), keepdim=True).expand_as(activations).sum(dim=1).relu()


def sum_over_places(activations, gradients):
    weights = gradients.sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def mean_over_channels(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).mean(dim=1).relu()


def largest_gradient(activations, gradients):
    weights = gradients.amax(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def weights_of_the_batch(activations, gradients):
    weights = gradients.mean(dim=(0, 2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def weight_of_the_picture(activations, gradients):
    weights = gradients.mean(dim=(1, 2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def mean_down_the_columns(activations, gradients):
    weights = gradients.mean(dim=2, keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def mean_along_the_rows(activations, gradients):
    weights = gradients.mean(dim=3, keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def mean_across_the_channels(activations, gradients):
    weights = gradients.mean(dim=1, keepdim=True)
    return (weights * activations).sum(dim=1).relu()


def weights_along_the_pixels(activations, gradients):
    weights = gradients.mean(dim=(2, 3))
    return (weights * activations).sum(dim=1).relu()


def scaled_to_one(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    cam = (weights * activations).sum(dim=1).relu()
    return cam / cam.amax(dim=(1, 2), keepdim=True)


def scaled_to_one_guarded(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    cam = (weights * activations).sum(dim=1).relu()
    return cam / cam.amax(dim=(1, 2), keepdim=True).clamp(min=1e-8)


def scaled_by_the_batch(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    cam = (weights * activations).sum(dim=1).relu()
    return cam / cam.max()


def scaled_by_the_batch_guarded(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    cam = (weights * activations).sum(dim=1).relu()
    return cam / (cam.max() + 1e-8)


def stretched_from_zero_to_one(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    cam = (weights * activations).sum(dim=1).relu()
    low, high = cam.amin(dim=(1, 2), keepdim=True), cam.amax(dim=(1, 2), keepdim=True)
    return (cam - low) / (high - low)


def channel_axis_kept(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1, keepdim=True).relu()


def first_picture_only(activations, gradients):
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()[0]


def maps_not_added(activations, gradients):
    return (gradients.mean(dim=(2, 3), keepdim=True) * activations).relu()


# --- fast_gradient_sign ---------------------------------------------------------------------------------------


def fast_gradient_sign(model, images, labels, epsilon, low, high):
    """(N, C, H, W), (N,) -> the pictures moved towards a larger loss, (N, C, H, W), without a graph behind them

    images + epsilon * sign of the gradient of the cross-entropy with respect to images (sign of 0 is 0), then kept
    between low (black) and high (white). In evaluation mode; the model is left as it came (its mode, weights and
    running statistics, its parameters' gradients), and so is the tensor of images.
    """
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()  # the same numbers, but a tensor of our own
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images.detach() + epsilon * gradient.sign()).clamp(low, high)


def towards_a_smaller_loss(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images - epsilon * gradient.sign()).clamp(low, high)


def gradient_without_sign(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient).clamp(low, high)


def gradient_of_length_one(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(low, high)


def never_zero(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return torch.where(gradient > 0, images + epsilon, images - epsilon).clamp(low, high)


def zero_upwards(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return torch.where(gradient < 0, images - epsilon, images + epsilon).clamp(low, high)


def not_clamped(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return images + epsilon * gradient.sign()


def clamped_to_one(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(0, 1)


def step_clamped(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return images + (epsilon * gradient.sign()).clamp(low, high)


def only_white_clamped(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(max=high)


def only_black_clamped(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(min=low)


def the_step_alone(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return epsilon * gradient.sign()


def gradients_left_on_parameters(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    model.train(was_training)
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def gradients_wiped(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    model.zero_grad()
    F.cross_entropy(model(copies), labels).backward()
    model.zero_grad()
    model.train(was_training)
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def wiped_before_left_after(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    model.zero_grad()
    F.cross_entropy(model(copies), labels).backward()
    model.train(was_training)
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def backward_and_eval(model, images, labels, epsilon, low, high):
    model.eval()
    copies = images.clone().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def backward_and_eval_on_the_graph(model, images, labels, epsilon, low, high):
    model.eval()
    copies = images.clone().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    return (copies + epsilon * copies.grad.sign()).clamp(low, high)


def backward_as_it_came(model, images, labels, epsilon, low, high):
    copies = images.clone().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def backward_as_it_came_on_the_graph(model, images, labels, epsilon, low, high):
    copies = images.clone().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    return (copies + epsilon * copies.grad.sign()).clamp(low, high)


def parameters_frozen(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    model.requires_grad_(False)
    copies = images.detach().requires_grad_()
    F.cross_entropy(model(copies), labels).backward()
    model.train(was_training)
    return (images + epsilon * copies.grad.sign()).clamp(low, high)


def mode_left_in_eval(model, images, labels, epsilon, low, high):
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    return (images + epsilon * gradient.sign()).clamp(low, high)


def mode_left_in_training(model, images, labels, epsilon, low, high):
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train()
    return (images + epsilon * gradient.sign()).clamp(low, high)


def attacked_as_it_came(model, images, labels, epsilon, low, high):
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    return (images + epsilon * gradient.sign()).clamp(low, high)


def graph_behind_the_result(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (copies + epsilon * gradient.sign()).clamp(low, high)


def the_callers_tensor(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    images.requires_grad_()
    loss = F.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, images)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(low, high).detach()


def backward_on_the_callers_tensor(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    images.requires_grad_()
    F.cross_entropy(model(images), labels).backward()
    model.train(was_training)
    return (images + epsilon * images.grad.sign()).clamp(low, high).detach()


def everything_forgotten(model, images, labels, epsilon, low, high):
    model.eval()
    images.requires_grad_()
    F.cross_entropy(model(images), labels).backward()
    return (images + epsilon * images.grad.sign()).clamp(low, high)


def moved_in_place(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    images += epsilon * gradient.sign()
    return images.clamp_(low, high)


def away_from_its_own_answer(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    logits = model(copies)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, logits.argmax(dim=1)), copies)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(low, high)


def gradient_of_the_logit(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    score = model(copies)[torch.arange(len(labels)), labels].sum()
    (gradient,) = torch.autograd.grad(score, copies)
    model.train(was_training)
    return (images - epsilon * gradient.sign()).clamp(low, high)


def squashed_before_the_loss(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies).softmax(dim=1), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon * gradient.sign()).clamp(low, high)


def epsilon_in_greys(model, images, labels, epsilon, low, high):
    was_training = model.training
    model.eval()
    copies = images.detach().requires_grad_()
    loss = F.cross_entropy(model(copies), labels)
    (gradient,) = torch.autograd.grad(loss, copies)
    model.train(was_training)
    return (images + epsilon / 255 * gradient.sign()).clamp(low, high)


def net_blind_in_a_corner() -> nn.Sequential:
    """One pixel has no influence at all: its gradient is exactly 0."""
    net = linear_net()
    with torch.no_grad():
        net[1].weight[:, 0] = 0
    return net


def amid_training(net: Callable, training: bool) -> nn.Module:
    """A net whose parameters hold gradients already, but for the last one: that is frozen and has none."""
    model = made(net, training)
    *others, last = model.parameters()
    for p in others:
        p.grad = torch.full_like(p, 0.25)
    last.requires_grad_(False)
    return model


def gradients_of(model: nn.Module) -> Tensor:
    """The parameters' gradients in a row, 0 where there are none."""
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()])


def an_attack(
    attack: Callable,
    net: Callable,
    training: bool,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    low: float,
    high: float,
) -> dict:
    """Attack a net, and look what else was touched."""
    model = amid_training(net, training)
    before = images.clone()
    moved = attack(model, images, labels, epsilon, low, high)
    held = "hold a gradient now" if images.grad is not None else "as they were" if images.equal(before) else "moved"
    return {
        "pictures": moved,
        "the model is left in": mode_of(model),
        "weights and running statistics": state_of(model),
        "the parameters' gradients": gradients_of(model),
        "parameters that can still learn": sum(p.requires_grad for p in model.parameters()),
        "the images given": "want a gradient now" if images.requires_grad else held,
        "the result": "hangs on a graph" if isinstance(moved, Tensor) and moved.requires_grad else "is detached",
    }


def pictures_between(draw: Draw, count: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    images, labels = pictures_of(draw, count)
    return images.clamp(low, high), labels


def quite_wrong(draw: Draw, count: int) -> tuple[Tensor, Tensor]:
    """Pictures that the linear net is sure of, and for labels the classes that it finds least likely."""
    images = 200 * draw(count, 1, 3, 4)
    return images, made(linear_net, False)(images).argmin(dim=1)


def drawn_attack(draw: Draw) -> tuple:
    net = (linear_net, net_with_dropout, net_with_batch_norm)[draw.whole(0, 2)]
    low, high = -0.1 * draw.whole(5, 10), 0.2 * draw.whole(5, 10)
    images, labels = pictures_between(draw, draw.whole(1, 6), low, high)
    return net, bool(draw.whole(0, 1)), images, labels, 0.05 * draw.whole(1, 10), low, high


# --- temperature ----------------------------------------------------------------------------------------------


def temperature(logits, labels):
    """(N, C) logits, (N,) labels -> the T > 0 for which cross_entropy(logits / T, labels) is smallest, a float

    To within 1%, by any search you like; it lies between 0.1 and 10.
    """
    low, high = math.log(0.1), math.log(10)
    while high - low > 1e-3:  # the loss has one valley only: leave out the third that the bottom cannot be in
        third = (high - low) / 3
        left, right = (F.cross_entropy(logits / math.exp(t), labels) for t in (low + third, high - third))
        if left < right:
            high -= third
        else:
            low += third
    return math.exp((low + high) / 2)


def times_instead_of_divided(logits, labels):
    grid = torch.logspace(-1, 1, 1001).tolist()
    return min(grid, key=lambda t: F.cross_entropy(logits * t, labels).item())


def logarithm_of_it(logits, labels):
    grid = torch.logspace(-1, 1, 1001).tolist()
    return math.log(min(grid, key=lambda t: F.cross_entropy(logits / t, labels).item()))


def loss_instead_of_temperature(logits, labels):
    return min(F.cross_entropy(logits / t, labels).item() for t in torch.logspace(-1, 1, 1001).tolist())


def squared_temperature(logits, labels):
    return min(torch.logspace(-1, 1, 1001).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item()) ** 2


def never_below_one(logits, labels):
    return min(torch.linspace(1, 10, 2001).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item())


def never_above_one(logits, labels):
    return min(torch.linspace(0.1, 1, 901).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item())


def never_above_three(logits, labels):
    return min(torch.linspace(0.1, 3, 2901).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item())


def never_above_five(logits, labels):
    return min(torch.linspace(0.1, 5, 4901).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item())


def never_below_a_half(logits, labels):
    return min(torch.linspace(0.5, 10, 9501).tolist(), key=lambda t: F.cross_entropy(logits / t, labels).item())


def in_steps_of_a_tenth(logits, labels):
    return min((i / 10 for i in range(1, 101)), key=lambda t: F.cross_entropy(logits / t, labels).item())


def in_steps_of_a_half(logits, labels):
    return min((i / 2 for i in range(1, 21)), key=lambda t: F.cross_entropy(logits / t, labels).item())


def a_few_small_steps(logits, labels):
    t = torch.ones((), requires_grad=True)
    optimizer = torch.optim.SGD([t], lr=0.01)
    for _ in range(50):
        optimizer.zero_grad()
        F.cross_entropy(logits / t, labels).backward()
        optimizer.step()
    return t.item()


def a_few_steps_of_adam(logits, labels):
    t = torch.ones((), requires_grad=True)
    optimizer = torch.optim.Adam([t], lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        F.cross_entropy(logits / t, labels).backward()
        optimizer.step()
    return t.item()


def always_one(logits, labels):
    return 1.0


def accuracy_by_temperature(logits, labels):
    grid = torch.linspace(0.1, 10, 991).tolist()
    return max(grid, key=lambda t: ((logits / t).softmax(dim=1).argmax(dim=1) == labels).float().mean().item())


def confidence_meets_accuracy(logits, labels):
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    low, high = 0.1, 10.0
    for _ in range(20):
        t = (low * high) ** 0.5
        if (logits / t).softmax(dim=1).amax(dim=1).mean().item() > accuracy:
            low = t
        else:
            high = t
    return (low * high) ** 0.5


def smallest_squared_error(logits, labels):
    target = F.one_hot(labels, logits.shape[1])
    grid = torch.logspace(-1, 1, 1001).tolist()
    return min(grid, key=lambda t: ((logits / t).softmax(dim=1) - target).square().sum().item())


def smallest_calibration_error(logits, labels):
    right = (logits.argmax(dim=1) == labels).float()
    grid = torch.logspace(-1, 1, 201).tolist()
    errors = []
    for t in grid:
        confidence = (logits / t).softmax(dim=1).amax(dim=1)
        number = (confidence * 15).ceil().long() - 1
        errors.append(torch.zeros(15).index_add(0, number, right - confidence).abs().sum().item())
    return grid[errors.index(min(errors))]


def temperature_of_probabilities(logits, labels):
    probabilities = logits.softmax(dim=1)
    grid = torch.logspace(-1, 1, 1001).tolist()
    return min(grid, key=lambda t: F.cross_entropy(probabilities / t, labels).item())


def softmax_of_the_cooled(logits, labels):
    grid = torch.logspace(-1, 1, 1001).tolist()
    return min(grid, key=lambda t: F.cross_entropy((logits / t).softmax(dim=1), labels).item())


def its_own_answers(logits, labels):
    answers = logits.argmax(dim=1)
    grid = torch.logspace(-1, 1, 1001).tolist()
    return min(grid, key=lambda t: F.cross_entropy(logits / t, answers).item())


def spread_of_the_logits(logits, labels):
    return logits.std().item()


def the_temperature(temperature: Callable, logits: Tensor, labels: Tensor) -> dict:
    """T, and 1 / T, in which 1% of a T below 1 is more than the absolute 0.01 that is allowed too."""
    T = plain(temperature(logits, labels))
    return {"T": T, "1 / T": 1 / T if isinstance(T, float) and T != 0 else T}


def too_sure_by(draw: Draw, factor: float, count: int = 300, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Labels drawn from honest probabilities, and logits that are larger than the honest ones by that factor."""
    honest = 1.5 * draw(count, classes)
    labels = torch.multinomial(honest.softmax(dim=1), 1, generator=draw.generator).squeeze(1)
    return factor * honest, labels


def sure_and_sometimes_wrong(draw: Draw) -> tuple[Tensor, Tensor]:
    """Every tenth label is another's: no temperature makes such logits honest, yet one is the best."""
    logits, labels = too_sure_by(draw, 2.0, classes=3)
    labels[::10] = (labels[::10] + 1) % 3
    return logits, labels


def cooled_and_heated(draw: Draw) -> list[Case]:
    first_optimizer()
    return [
        Case("too sure of itself", *too_sure_by(draw, 2.5)),
        Case("far too sure of itself", *too_sure_by(draw, 7.0)),
        Case("too modest", *too_sure_by(draw, 0.5)),
        Case("far too modest", *too_sure_by(draw, 0.25)),
        Case("nearly right already", *too_sure_by(draw, 1.0)),
        Case("sure, and sometimes wrong", *sure_and_sometimes_wrong(draw)),
        Case("two classes", *too_sure_by(draw, 1.7, count=200, classes=2)),
        Case("T near 0.1", *too_sure_by(draw, 0.115)),
        Case("T near 10", *too_sure_by(draw, 9.0)),
    ]


# --- predicted_classes: find the fault ------------------------------------------------------------------------


def predicted_classes(model, images):
    """(N, C, H, W) -> the class of each picture, (N,) int64, the same whatever else is in the batch

    The model is left as it came: its mode, weights and running statistics, its parameters' gradients.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def no_grad_taken_for_eval(model, images):
    """(N, C, H, W) -> the class of each picture, (N,) int64, the same whatever else is in the batch

    The model is left as it came: its mode, weights and running statistics, its parameters' gradients.
    """
    with torch.no_grad():
        logits = model(images)
    return logits.argmax(dim=1)


def inference_mode_taken_for_eval(model, images):
    with torch.inference_mode():
        classes = model(images).argmax(dim=1)
    return classes.clone()


def no_mode_at_all(model, images):
    return model(images).softmax(dim=1).argmax(dim=1)


def set_back_but_never_in_eval(model, images):
    was_training = model.training
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def eval_after_the_answer(model, images):
    was_training = model.training
    with torch.no_grad():
        logits = model(images)
    model.eval()
    classes = logits.argmax(dim=1)
    model.train(was_training)
    return classes


def in_training_mode(model, images):
    was_training = model.training
    model.train()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def model_left_in_eval(model, images):
    model.eval()
    with torch.no_grad():
        return model(images).argmax(dim=1)


def model_left_in_training(model, images):
    model.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train()
    return classes


def eval_for_one_picture_only(model, images):
    was_training = model.training
    if len(images) == 1:
        model.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def one_by_one_without_eval(model, images):
    with torch.no_grad():
        return torch.cat([model(image[None]).argmax(dim=1) for image in images])


def a_copy_without_eval(model, images):
    import copy

    with torch.no_grad():
        return copy.deepcopy(model)(images).argmax(dim=1)


def only_dropout_off(model, images):
    was_training = model.training
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def only_batch_norm_fixed(model, images):
    was_training = model.training
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def which_picture(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=0)
    model.train(was_training)
    return classes


def one_class_for_all(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        classes = model(images).argmax()
    model.train(was_training)
    return classes


def class_in_a_column(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        classes = model(images).argmax(dim=1, keepdim=True)
    model.train(was_training)
    return classes


def logits_not_classes(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(images)
    model.train(was_training)
    return logits


def probabilities_not_classes(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        probabilities = model(images).softmax(dim=1)
    model.train(was_training)
    return probabilities


def largest_logit(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        largest = model(images).amax(dim=1)
    model.train(was_training)
    return largest


def weights_frozen(model, images):
    was_training = model.training
    model.eval()
    model.requires_grad_(False)
    classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def autograd_left_off(model, images):
    was_training = model.training
    model.eval()
    torch.set_grad_enabled(False)
    classes = model(images).argmax(dim=1)
    model.train(was_training)
    return classes


def net_that_drops_maps() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 2), nn.Dropout2d(0.5), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))


def answers_together_and_alone(predicted_classes: Callable, net: Callable, training: bool, images: Tensor) -> dict:
    """The classes of a batch, then of each of its pictures alone, and what the model is afterwards."""
    model = amid_training(net, training)
    together = predicted_classes(model, images)
    alone = {f"picture {i} alone": predicted_classes(model, images[i : i + 1]) for i in range(len(images))}
    return {
        "all pictures together": together,
        **alone,
        "the model is left in": mode_of(model),
        "weights and running statistics": state_of(model),
        "the parameters' gradients": gradients_of(model),
        "parameters that can still learn": sum(p.requires_grad for p in model.parameters()),
        "autograd is": "on" if torch.is_grad_enabled() else "off",
    }


WEIGH = (
    "Weigh each bin's gap by its share of all pictures: a bin of three should not count as much as one of thousands."
)
FIXED_BINS = "The number of bins is given as `bins`; yours is always the same."
EDGES = "An edge belongs to the bin below it: above i / bins, at most (i + 1) / bins."
NOT_SCALED = "The map is asked for as it is: scaled, a picture without any evidence would look like one full of it."
SUBTRACT = "A channel that speaks against the class must be allowed to subtract: ReLU comes once, after the sum."
ZERO_STAYS = "A pixel with gradient 0 has no influence and stays as it is: `gradient.sign()` is 0 there."
CLAMP = "Keep the result between black and white, on both sides: `.clamp(low, high)` of the moved pictures."
OWN_TENSOR = (
    "The caller's tensor was made to want gradients: start with one of your own, `images.detach().requires_grad_()`."
)
LEAVE_GRADIENTS = (
    "The parameters' gradients are no longer what they were: `torch.autograd.grad(loss, copies)` gives the pictures' "
    "alone and touches no other."
)
STOPPED_EARLY = "The search stopped on its way from 1: take more steps, or larger ones, until T moves no more."
TOO_COARSE = "The steps are too coarse for 1%: take finer ones, best by factors (`torch.logspace`)."
EVAL = (
    "The answer still depends on the rest of the batch, or on chance: no_grad only saves memory, model.eval() changes "
    "what batch norm and dropout do."
)
BOTH_LAYERS = "One kind of layer was put right, not the other: model.eval() reaches batch norm and dropout alike."
PUT_BACK = "The model is left in another mode: remember `model.training` first, `model.train(was_training)` at the end."
CLASSES = "Classes are asked for: `argmax(dim=1)` of the logits."
LOW_END = (
    "T stays at its low end. Accuracy is the same for every T, of its own answers a net is never sure enough, and a "
    "smallest loss that begins at 0 is never undercut: begin at `math.inf`, and compare by cross-entropy with `labels`."
)
BEST_BY_LABELS = "Another measure is smallest there: compare temperatures by `F.cross_entropy(logits / T, labels)`."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=confusion_matrix,
        minutes=6,
        difficulty=2,
        cases=lambda draw: [
            Case("three classes", torch.tensor([0, 0, 0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 1, 2, 2, 0]), 3),
            Case("the last class is absent", torch.tensor([0, 1, 1, 1, 2]), torch.tensor([0, 0, 0, 1, 2]), 4),
            Case("the last class is never predicted", torch.tensor([0, 2, 2, 1]), torch.tensor([0, 0, 0, 1]), 3),
            Case("a class in the middle is absent", torch.tensor([3, 3, 0, 0]), torch.tensor([3, 0, 0, 3]), 4),
            Case("one picture", torch.tensor([1]), torch.tensor([0]), 2),
        ],
        drawn=lambda draw: (
            labels_for(draw, count := draw.whole(1, 20), classes := draw.whole(1, 5)),
            labels_for(draw, count, classes),
            classes + draw.whole(0, 2),
        ),
        hints=(
            "A loop is a good start: a table of zeros, and for each picture one more at [its class, what was said].",
            "Without a loop: `labels * classes + predictions` gives every pair a number of its own.",
            "`torch.bincount(pairs, minlength=classes**2)` counts those numbers; `.view(classes, classes)` makes rows.",
        ),
        mistakes=(
            *(
                Mistake(
                    f,
                    "A pair that comes twice is counted once: `matrix[labels, predictions] += 1` writes each place "
                    "only once. Loop, or use `torch.bincount`.",
                )
                for f in (repeats_counted_once, set_to_one)
            ),
            Mistake(transposed, "Rows should be the true classes, columns the predicted ones; yours are swapped."),
            *(
                Mistake(f, "A class that nobody saw has its row and column too: make the table `classes` wide.")
                for f in (
                    as_many_as_the_largest_label,
                    as_many_as_the_largest_prediction,
                    as_many_as_the_largest_seen,
                    as_many_as_there_are_kinds,
                )
            ),
            Mistake(
                bincount_without_minlength,
                "bincount stops at the largest number it sees: `minlength=classes**2` keeps the empty places after it.",
            ),
            Mistake(counts_as_floats, "Pictures are counted: whole numbers, `dtype=torch.int64`."),
            *(
                Mistake(f, "Counts are asked for, not shares: leave out the division.")
                for f in (shares_of_a_row, shares_of_a_row_guarded, shares_of_a_column, shares_of_all)
            ),
            Mistake(
                both_or_neither,
                "`==` between the two comparisons also counts pictures that are neither: join them with `&`.",
            ),
            Mistake(one_or_the_other, "`|` counts pictures for which one of the two holds: both must, so `&`."),
            Mistake(only_the_right_ones, "The errors are missing: they stand beside the diagonal."),
            Mistake(only_the_errors, "The right answers are missing: they stand on the diagonal."),
            Mistake(
                sum_of_the_two,
                "`labels + predictions` is the same for (0, 1) and (1, 0): multiply the label by `classes` first.",
            ),
        ),
        not_allowed=("course_utils.metrics", "sklearn.metrics"),
    ),
    Exercise(
        lesson=LESSON,
        reference=precision_recall,
        trial=a_pair,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("two classes", torch.tensor([[6, 2], [1, 3]])),
            Case("three classes", torch.tensor([[5, 1, 0], [2, 3, 4], [0, 1, 8]])),
            Case("a class that is never predicted", torch.tensor([[4, 2, 0], [1, 5, 0], [2, 1, 0]])),
            Case("a class of which there is no picture", torch.tensor([[3, 1, 1], [0, 0, 0], [0, 2, 5]])),
            Case("a class of one picture", torch.tensor([[1, 0, 0], [0, 1, 3], [0, 0, 2]])),
            Case("no error at all", torch.tensor([[2, 0], [0, 7]])),
        ],
        drawn=drawn_counts,
        hints=(
            "The right ones stand on the diagonal: `matrix.diag()`. What each is divided by makes the difference.",
            "A column holds all that were given one class (precision); a row all that are of it (recall).",
            "Where a sum is 0 the diagonal is 0 as well: divide by `.clamp(min=1)` of it.",
        ),
        mistakes=(
            *(
                Mistake(
                    f,
                    "Swapped: precision looks down a column (what was called a shirt), recall along a row (what is "
                    "one).",
                )
                for f in (precision_and_recall_swapped, swapped_and_zero_by_zero)
            ),
            Mistake(both_along_the_rows, "Both are recall: for precision, divide by the sum of the column."),
            Mistake(both_down_the_columns, "Both are precision: for recall, divide by the sum of the row."),
            *(
                Mistake(f, "0/0: where a class is never predicted, or absent, 0 is asked for.")
                for f in (zero_by_zero, zero_by_zero_in_precision, zero_by_zero_in_recall, one_where_nothing_is_known)
            ),
            Mistake(
                share_of_all_pictures,
                "You divided by all pictures: that is each class's part in the accuracy. Divide by its column or row.",
            ),
            Mistake(
                accuracy_of_each_class_against_the_rest,
                "Pictures that have nothing to do with the class make this number large: leave them out.",
            ),
            *(
                Mistake(
                    f, "Added over all classes, precision and recall are both the accuracy: keep the classes apart."
                )
                for f in (added_over_all_classes, two_numbers_for_all)
            ),
            Mistake(mean_over_classes, "The mean hides which class is bad: one number for each class is asked for."),
            *(
                Mistake(f, "You divided by the errors alone: the right ones belong below the line too.")
                for f in (by_the_errors_only, by_the_errors_only_unguarded)
            ),
            Mistake(shares_of_errors, "These are the shares of errors: one minus what is asked for."),
            Mistake(rounded_down, "`//` rounds down, so that only 0 and 1 remain: divide with `/`."),
            Mistake(shares_in_percent, "Shares from 0 to 1 are asked for, not percent."),
        ),
        not_allowed=("course_utils.metrics",),
    ),
    Exercise(
        lesson=LESSON,
        reference=calibration_error,
        trial=the_error,
        minutes=12,
        difficulty=3,
        cases=lambda draw: [
            Case(
                "one bin too sure, one too modest",
                *so_sure([0.625, 0.6875, 0.65625, 0.875, 0.9375, 0.8125, 0.90625], [1, 1, 1, 0, 1, 0, 1]),
                4,
            ),
            Case("unequal and empty bins", *so_sure([0.53, 0.91, 0.93, 0.94, 0.97, 0.96], [1, 1, 0, 1, 0, 1]), 10),
            Case("a confidence of exactly 1", *so_sure([1.0, 1.0, 1.0, 0.6875, 0.625], [1, 0, 0, 1, 0]), 5),
            Case(
                "confidences on the edges of bins",
                *so_sure([0.5, 0.75, 0.625, 0.875, 0.5, 0.75, 0.9375], [1, 0, 1, 1, 0, 0, 1]),
                4,
            ),
            Case("one bin", *so_sure([0.5625, 0.8125, 0.71875, 0.96875], [0, 1, 0, 1]), 1),
            Case("one picture", *so_sure([0.8125], [1]), 3),
            Case("fifty pictures", (2 * draw(50, 4)).softmax(dim=1), labels_for(draw, 50, 4), 8),
        ],
        drawn=drawn_probabilities,
        hints=(
            "`confidence, predictions = probabilities.max(dim=1)`: how sure, and of which class.",
            "A loop over the bins is fine: `inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)`.",
            "For each bin with pictures: |mean of right[inside] - mean of confidence[inside]| times its share of all.",
        ),
        mistakes=(
            Mistake(
                of_the_true_class,
                "Confidence is the probability of what was predicted, right or wrong; you took the true class's.",
            ),
            *(
                Mistake(
                    f,
                    "The gaps cancel: a bin that is too sure cannot pay for one that is too modest. Take each bin's "
                    "gap without its sign.",
                )
                for f in (gaps_cancel, confidence_first, one_gap_for_all)
            ),
            Mistake(
                gap_of_each_picture,
                "A single picture is right or wrong, never 80% right: take the means over a bin first, then the gap.",
            ),
            *(Mistake(f, WEIGH) for f in (mean_of_nonempty_bins, mean_of_all_bins, sum_of_gaps)),
            *(
                Mistake(
                    f, "You weighed by a bin's number of pictures: by its *share* of all, number / N, is asked for."
                )
                for f in (weighed_by_number, number_by_bins)
            ),
            Mistake(largest_gap, "That is the largest gap; the mean gap is asked for, weighed by the pictures."),
            Mistake(
                nan_of_empty_bins,
                "An empty bin counts nothing: the mean over no pictures is 0/0, so leave such a bin out.",
            ),
            *(Mistake(f, EDGES) for f in (certainty_dropped, edges_to_the_bin_above)),
            Mistake(edges_in_no_bin, "A confidence on an edge, 1 among them, falls into no bin: `<=` on the right."),
            Mistake(edges_in_two_bins, "A confidence on an edge is counted in two bins: `>` on the left."),
            Mistake(as_many_edges_as_bins, "`bins` bins have `bins + 1` edges: `torch.linspace(0, 1, bins + 1)`."),
            Mistake(last_bin_missing, "The last bin, that of the surest answers, is missing."),
            *(
                Mistake(f, "You squared the gaps; their absolute values are asked for.")
                for f in (squared_gap, root_of_squared_gaps)
            ),
            Mistake(
                middle_of_the_bin, "Compare with the mean confidence of the bin's pictures, not with the bin's middle."
            ),
            *(
                Mistake(f, "The bins divide the whole range from 0 to 1, whatever confidences there are.")
                for f in (between_smallest_and_largest, from_one_over_classes)
            ),
            Mistake(equally_full_bins, "Your bins hold equally many pictures; equally wide ones are asked for."),
            *(Mistake(f, FIXED_BINS) for f in (always_ten_bins, always_fifteen_bins)),
            Mistake(
                every_probability_counts, "Only each picture's largest probability counts: that of its predicted class."
            ),
            Mistake(softmax_once_more, "These are probabilities already: a second softmax flattens them."),
            Mistake(surest_picture_of_a_class, "`dim=0` runs over the pictures: the classes are dim 1."),
            Mistake(error_in_percent, "A number from 0 to 1 is asked for, not percent."),
        ),
        not_allowed=("course_utils.metrics",),
    ),
    Exercise(
        lesson=LESSON,
        reference=grad_cam,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("one picture, two channels", draw(1, 2, 3, 4), draw(1, 2, 3, 4)),
            Case("several pictures, taller than wide", draw(3, 4, 5, 2), draw(3, 4, 5, 2)),
            Case("as many rows as pictures, columns as channels", draw(3, 4, 3, 4), draw(3, 4, 3, 4)),
            Case("everything speaks against the class", draw(2, 3, 4, 3).abs(), -draw(2, 3, 4, 3).abs()),
            Case("double precision stays double", draw(2, 5, 2, 3).double(), draw(2, 5, 2, 3).double()),
        ],
        drawn=lambda draw: (
            draw(*(shape := [draw.whole(1, 5) for _ in range(4)])),
            draw(*shape),
        ),
        hints=(
            "First one weight for each picture and channel: the mean of its gradient over both axes of places.",
            "`mean(dim=(2, 3), keepdim=True)` has the shape (N, C, 1, 1), which multiplies (N, C, H, W).",
            "Add the weighted channels (dim 1), and only then set what is negative to 0.",
        ),
        mistakes=(
            Mistake(
                no_mean_over_places,
                "Average the gradient over its map first: one weight for each channel, not one for each place.",
            ),
            Mistake(no_relu, "ReLU is missing: evidence against the class shows beside that for it."),
            Mistake(size_instead_of_relu, "The absolute value shows evidence against the class as if it were for it."),
            *(
                Mistake(f, SUBTRACT)
                for f in (relu_on_the_weights, relu_on_the_weights_alone, relu_before_the_sum, relu_on_the_gradients)
            ),
            Mistake(
                size_of_the_weights, "The sign of a weight says whether the channel speaks for or against: keep it."
            ),
            *(
                Mistake(
                    f, "Weights come from the gradients: you asked what is bright, not what matters for this class."
                )
                for f in (weights_of_the_activations, activations_alone, all_channels_alike)
            ),
            Mistake(gradients_alone, "The activations are missing: without them no place differs from another."),
            Mistake(sum_over_places, "You added the gradient over the places: a weight is their mean."),
            Mistake(mean_over_channels, "You averaged over the channels: the weighted channels are added."),
            Mistake(largest_gradient, "You took the largest gradient of a channel: a weight is the mean."),
            Mistake(weights_of_the_batch, "You averaged over the pictures too: each picture has its own weights."),
            Mistake(weight_of_the_picture, "You averaged over the channels too: each channel has its own weight."),
            *(
                Mistake(f, "Average over both axes of places, `dim=(2, 3)`, and over no other.")
                for f in (mean_down_the_columns, mean_along_the_rows, mean_across_the_channels)
            ),
            Mistake(
                weights_along_the_pixels,
                "Shapes align from the right: your (N, C) weights lie along the pixels. `keepdim=True` holds them in "
                "place.",
            ),
            *(
                Mistake(f, NOT_SCALED)
                for f in (
                    scaled_to_one,
                    scaled_to_one_guarded,
                    scaled_by_the_batch,
                    scaled_by_the_batch_guarded,
                    stretched_from_zero_to_one,
                )
            ),
            Mistake(channel_axis_kept, "One map for each picture, (N, H, W): the channels are added up and gone."),
            Mistake(first_picture_only, "You returned the first picture's map alone: all are asked for."),
            Mistake(maps_not_added, "The channels' maps are weighted, but not yet added: sum over dim 1."),
        ),
        not_allowed=("course_utils.explain",),
    ),
    Exercise(
        lesson=LESSON,
        reference=fast_gradient_sign,
        trial=an_attack,
        minutes=10,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("a linear net", linear_net, False, *pictures_between(draw, 2, -0.5, 1.5), 0.1, -0.5, 1.5),
            Case("a pixel without influence", net_blind_in_a_corner, False, *pictures_of(draw, 3), 0.3, -3.0, 3.0),
            Case("dropout, in train()", net_with_dropout, True, *pictures_between(draw, 4, -0.8, 2.0), 0.2, -0.8, 2.0),
            Case("batch norm, in train()", net_with_batch_norm, True, *pictures_of(draw, 6), 0.25, -1.0, 0.5),
            Case("batch norm, in eval()", net_with_batch_norm, False, *pictures_of(draw, 5), 0.25, -0.2, 2.0),
            Case(
                "sure of its answers", linear_net, False, 5 * draw(8, 1, 3, 4), labels_for(draw, 8, 3), 0.5, -9.0, 9.0
            ),
            Case("sure of wrong answers", linear_net, False, *quite_wrong(draw, 4), 0.5, -900.0, 900.0),
        ],
        drawn=drawn_attack,
        hints=(
            "`copies = images.detach().requires_grad_()` makes a tensor of your own that wants a gradient.",
            "`(gradient,) = torch.autograd.grad(loss, copies)` gives its gradient and leaves the parameters' alone.",
            "Evaluation mode before, the old mode after: `was_training = model.training` remembers it.",
            "`gradient.sign()` is -1, 0 or 1 at each pixel; `.clamp(low, high)` keeps the result in range.",
        ),
        mistakes=(
            Mistake(
                towards_a_smaller_loss, "Minus is what training does: plus the gradient's sign makes the loss rise."
            ),
            *(
                Mistake(f, "Every pixel moves by the same epsilon: take the gradient's sign, not the gradient.")
                for f in (gradient_without_sign, gradient_of_length_one)
            ),
            *(Mistake(f, ZERO_STAYS) for f in (never_zero, zero_upwards)),
            *(Mistake(f, CLAMP) for f in (not_clamped, step_clamped, only_white_clamped, only_black_clamped)),
            Mistake(
                clamped_to_one,
                "Black and white are not 0 and 1 after normalising: clamp between `low` and `high`.",
            ),
            Mistake(the_step_alone, "That is the step: add it to the pictures."),
            *(
                Mistake(f, LEAVE_GRADIENTS)
                for f in (
                    gradients_left_on_parameters,
                    gradients_wiped,
                    wiped_before_left_after,
                    backward_and_eval,
                    backward_and_eval_on_the_graph,
                    backward_as_it_came,
                    backward_as_it_came_on_the_graph,
                )
            ),
            Mistake(
                parameters_frozen,
                "The parameters no longer want gradients, so the next epoch learns nothing: leave that switch alone.",
            ),
            *(Mistake(f, PUT_BACK) for f in (mode_left_in_eval, mode_left_in_training)),
            Mistake(
                attacked_as_it_came,
                "The net was attacked in the mode it came in: in training mode dropout and batch statistics have "
                "their say. Call model.eval() first.",
            ),
            Mistake(
                graph_behind_the_result,
                "The result hangs on the graph: add the step to `images`, or detach.",
            ),
            *(
                Mistake(f, OWN_TENSOR)
                for f in (the_callers_tensor, backward_on_the_callers_tensor, everything_forgotten)
            ),
            Mistake(
                moved_in_place, "The caller's pictures were changed: `images + ...` makes new ones, `+=` does not."
            ),
            Mistake(
                away_from_its_own_answer,
                "You took the model's answers for the truth: the cross-entropy is with `labels`.",
            ),
            Mistake(
                gradient_of_the_logit,
                "That lowers the right class's logit; the cross-entropy also looks at the others.",
            ),
            Mistake(
                squashed_before_the_loss,
                "F.cross_entropy takes logits and does the softmax itself: yours is squashed twice.",
            ),
            Mistake(epsilon_in_greys, "epsilon is in the pictures' own units already: do not divide it."),
        ),
        not_allowed=("course_utils.explain",),
    ),
    Exercise(
        lesson=LESSON,
        reference=temperature,
        trial=the_temperature,
        minutes=12,
        difficulty=3,
        tolerance=0.01,
        optional=True,
        cases=cooled_and_heated,
        drawn=lambda draw: too_sure_by(draw, 0.4 * draw.whole(1, 8), draw.whole(150, 300), draw.whole(2, 6)),
        hints=(
            "The simplest search: try many temperatures, keep the one with the smallest loss.",
            "1% at 0.1 is finer than 1% at 10: `torch.logspace(-1, 1, 1001)` steps by factors, 0.5% each.",
            "With gradients: let log T be the parameter, so that T = exp(log T) stays above 0.",
        ),
        mistakes=(
            Mistake(times_instead_of_divided, "The logits are divided by T; you multiplied, and found 1 / T."),
            Mistake(logarithm_of_it, "That is log T: return T itself."),
            Mistake(
                loss_instead_of_temperature, "That is the smallest loss; the temperature that gives it is asked for."
            ),
            Mistake(squared_temperature, "That is T squared."),
            Mistake(never_below_one, "A net that is too modest needs a T below 1: search there too."),
            Mistake(never_above_one, "A net that is too sure needs a T above 1: search there too."),
            *(
                Mistake(f, "Your search ends before the best T comes: it may lie anywhere between 0.1 and 10.")
                for f in (never_above_three, never_above_five, never_below_a_half)
            ),
            *(Mistake(f, TOO_COARSE) for f in (in_steps_of_a_tenth, in_steps_of_a_half)),
            *(Mistake(f, STOPPED_EARLY) for f in (a_few_small_steps, a_few_steps_of_adam)),
            Mistake(
                always_one, "T is 1 still: nothing was searched, no step was taken, or no loss was below the first."
            ),
            *(
                Mistake(f, BEST_BY_LABELS)
                for f in (confidence_meets_accuracy, smallest_squared_error, smallest_calibration_error)
            ),
            *(
                Mistake(f, "F.cross_entropy does the softmax itself: divide the logits, and hand over logits.")
                for f in (temperature_of_probabilities, softmax_of_the_cooled)
            ),
            *(Mistake(f, LOW_END) for f in (accuracy_by_temperature, its_own_answers)),
            Mistake(spread_of_the_logits, "That is the logits' spread: what fits depends on the labels as well."),
        ),
        not_allowed=("course_utils.metrics.temperature",),
    ),
    Exercise(
        lesson=LESSON,
        reference=predicted_classes,
        trial=answers_together_and_alone,
        fault=no_grad_taken_for_eval,
        minutes=6,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("a linear net, in eval()", linear_net, False, pictures_of(draw, 3)[0]),
            Case("a linear net, in train()", linear_net, True, pictures_of(draw, 4)[0]),
            Case("dropout, in train()", net_with_dropout, True, pictures_of(draw, 8)[0]),
            Case("batch norm, in train()", net_with_batch_norm, True, pictures_of(draw, 8)[0]),
            Case("batch norm, in eval()", net_with_batch_norm, False, pictures_of(draw, 8)[0]),
            Case("dropout of whole maps, in train()", net_that_drops_maps, True, pictures_of(draw, 8)[0]),
        ],
        drawn=lambda draw: (
            (linear_net, net_with_dropout, net_with_batch_norm)[draw.whole(0, 2)],
            bool(draw.whole(0, 1)),
            pictures_of(draw, draw.whole(1, 8))[0],
        ),
        hints=(
            "Ask for the same picture alone and among others: does it get the same class?",
            "Which layers compute something else in training? Does no_grad tell them that training is over?",
            "`model.training` tells the mode before you change it; `model.train(was_training)` puts it back.",
        ),
        mistakes=(
            *(
                Mistake(f, EVAL)
                for f in (
                    inference_mode_taken_for_eval,
                    no_mode_at_all,
                    set_back_but_never_in_eval,
                    eval_after_the_answer,
                    eval_for_one_picture_only,
                    one_by_one_without_eval,
                    a_copy_without_eval,
                )
            ),
            Mistake(in_training_mode, "You switched to training mode; evaluation is model.eval()."),
            *(Mistake(f, PUT_BACK) for f in (model_left_in_eval, model_left_in_training)),
            *(Mistake(f, BOTH_LAYERS) for f in (only_dropout_off, only_batch_norm_fixed)),
            Mistake(
                which_picture, "argmax over dim 0 asks which *picture* has the highest score; the classes are dim 1."
            ),
            Mistake(
                one_class_for_all, "One number came back for the whole batch: `argmax(dim=1)` gives each its class."
            ),
            Mistake(class_in_a_column, "One number for each picture, (N,): leave `keepdim` out."),
            *(Mistake(f, CLASSES) for f in (logits_not_classes, probabilities_not_classes, largest_logit)),
            Mistake(weights_frozen, "The weights no longer want gradients, so nothing can be learnt after this call."),
            Mistake(
                autograd_left_off,
                "Autograd is off for all cells to come: `with torch.no_grad():` switches it on again.",
            ),
        ),
        not_allowed=("course_utils.training",),
    ),
)
