"""The exercises of lesson 08: how good are pictures that nobody has seen, in numbers, and what fools the numbers."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .exercise import Case, Draw, Exercise, Mistake
from .lesson_05 import plain

LESSON = "08_measuring_generation"


# --- frechet_distance -----------------------------------------------------------------------------------------


def frechet_distance(a, b):
    """Features (N, D) and (M, D), D > 1 -> the squared Fréchet distance of the Gaussians fitted to them, a float

    |mean_a - mean_b|^2 + trace(A + B - 2 (A B)^(1/2)), where A and B are the covariances, divided by N - 1 and M - 1.
    Compute in float64, whatever comes in. The trace of a root is the sum of the roots of the eigenvalues.
    """
    a, b = a.double(), b.double()
    mean_a, mean_b = a.mean(dim=0), b.mean(dim=0)
    A = (a - mean_a).T @ (a - mean_a) / (len(a) - 1)
    B = (b - mean_b).T @ (b - mean_b) / (len(b) - 1)
    values, axes = torch.linalg.eigh(A)
    root = axes * values.clamp(min=0).sqrt() @ axes.T  # A^(1/2)
    values = torch.linalg.eigvalsh(root @ B @ root)  # those of A B, from a symmetric matrix
    return (mean_a - mean_b).square().sum() + A.trace() + B.trace() - 2 * values.clamp(min=0).sqrt().sum()


def means_only(a, b):
    return (a.double().mean(dim=0) - b.double().mean(dim=0)).square().sum()


def covariances_only(a, b):
    A, B = a.double().T.cov(), b.double().T.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return A.trace() + B.trace() - 2 * roots.sum()


def length_not_squared(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).norm() + A.trace() + B.trace() - 2 * roots.sum()


def mean_over_features(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().mean() + A.trace() + B.trace() - 2 * roots.sum()


def root_of_the_entries(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (A + B - 2 * (A @ B).sqrt()).trace()


def root_of_the_entries_clamped(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (A + B - 2 * (A @ B).clamp(min=0).sqrt()).trace()


def variances_alone(a, b):
    a, b = a.double(), b.double()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (a.std(dim=0) - b.std(dim=0)).square().sum()


def product_of_entries(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (A + B - 2 * (A * B).sqrt()).trace()


def without_the_two(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - roots.sum()


def root_of_a_negative_number(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    values, axes = torch.linalg.eigh(A)
    root = axes * values.sqrt() @ axes.T
    roots = torch.linalg.eigvalsh(root @ B @ root).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def root_of_a_negative_number_at_last(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).real.sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def small_number_on_the_diagonals(a, b):
    a, b = a.double(), b.double()
    A, B, small = a.T.cov(), b.T.cov(), 1e-6 * torch.eye(a.shape[1], dtype=torch.float64)
    roots = torch.linalg.eigvals((A + small) @ (B + small)).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def left_complex(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def root_at_the_end(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    squared = (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()
    return squared.clamp(min=0).sqrt()


def biased_covariance(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(correction=0), b.T.cov(correction=0)
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def not_centred(a, b):
    a, b = a.double(), b.double()
    A, B = a.T @ a / (len(a) - 1), b.T @ b / (len(b) - 1)
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def scatter_not_divided(a, b):
    a, b = a.double(), b.double()
    A = (a - a.mean(dim=0)).T @ (a - a.mean(dim=0))
    B = (b - b.mean(dim=0)).T @ (b - b.mean(dim=0))
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def correlations_for_covariances(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.corrcoef(), b.T.corrcoef()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def covariance_of_the_rows(a, b):
    a, b = a.double(), b.double()
    A, B = a.cov(), b.cov()
    roots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def squared_difference_of_covariances(a, b):
    a, b = a.double(), b.double()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (a.T.cov() - b.T.cov()).square().sum()


def root_of_the_trace(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * (A @ B).trace().sqrt()


def eigenvalues_without_root(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (A + B - 2 * A @ B).trace()


def product_of_the_roots(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    (values_a, axes_a), (values_b, axes_b) = torch.linalg.eigh(A), torch.linalg.eigh(B)
    root_a = axes_a * values_a.clamp(min=0).sqrt() @ axes_a.T
    root_b = axes_b * values_b.clamp(min=0).sqrt() @ axes_b.T
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + (root_a - root_b).square().sum()


def eigenvalues_of_each(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = (torch.linalg.eigvalsh(A) * torch.linalg.eigvalsh(B)).clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def one_half_of_a_product(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvalsh(A @ B).clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def by_singular_values(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    roots = torch.linalg.svdvals(A @ B).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def axes_the_wrong_way_round(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    values, axes = torch.linalg.eigh(A)
    root = axes.T @ values.clamp(min=0).sqrt().diag() @ axes
    roots = torch.linalg.eigvalsh(root @ B @ root).clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def by_cholesky(a, b):
    a, b = a.double(), b.double()
    A, B = a.T.cov(), b.T.cov()
    root = torch.linalg.cholesky(A)
    roots = torch.linalg.eigvalsh(root.T @ B @ root).clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


def in_single_precision(a, b):
    a, b = a.float(), b.float()
    A, B = a.T.cov(), b.T.cov()
    values, axes = torch.linalg.eigh(A)
    root = axes * values.clamp(min=0).sqrt() @ axes.T
    roots = torch.linalg.eigvalsh(root @ B @ root).clamp(min=0).sqrt()
    return (a.mean(dim=0) - b.mean(dim=0)).square().sum() + A.trace() + B.trace() - 2 * roots.sum()


CROSS = torch.tensor([[0.0, 0], [3, 0], [0, 3], [3, 3], [1, 2]])
LEANING = torch.tensor([[0.0, 0], [2, 1], [4, 5], [6, 5]])


def the_distance(frechet_distance: Callable, a: Tensor, b: Tensor) -> Any:
    distance = plain(frechet_distance(a, b))
    return round(distance, 9) if isinstance(distance, float) else distance  # 0 reads better than 1.776e-15


def drawn_features(draw: Draw) -> tuple[Tensor, Tensor]:
    """Two clouds, each stretched and turned its own way, and often flat: fewer samples than features."""
    size = draw.whole(2, 6)
    a, b = (draw(draw.whole(2, 9), size) @ draw(size, size) + draw(size) for _ in range(2))
    if draw.whole(0, 2) == 0:
        a, b = a.double(), b.double()
    return a, b


# --- inception_score ------------------------------------------------------------------------------------------


def inception_score(probabilities):
    """(N, C), each row sums to 1 -> exp of the mean over pictures of KL(p(y|x) || p(y)), a number

    p(y|x) is a picture's row, p(y) the mean of all rows. KL(p || q) is the sum over classes of p ln(p / q), and a
    class with p = 0 counts 0.
    """
    overall = probabilities.mean(dim=0)
    terms = torch.where(probabilities > 0, probabilities * (probabilities / overall).log(), 0)
    return terms.sum(dim=1).mean().exp()


def without_exp(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean()


def exp_of_each_picture(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).exp().mean()


def the_other_way_round(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=1).mean().exp()


def the_other_way_round_by_kl_div(probabilities):
    p, q = probabilities, probabilities.mean(dim=0).expand_as(probabilities)
    return F.kl_div(p.log(), q, reduction="batchmean").exp()


def mean_over_the_classes(probabilities):
    p, q = probabilities, probabilities.mean(dim=1, keepdim=True)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean().exp()


def evenly_spread(probabilities):
    p, q = probabilities, torch.full_like(probabilities, 1 / probabilities.shape[1])
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean().exp()


def logarithm_to_base_two(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return ((torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean() / math.log(2)).exp()


def power_of_two(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return 2 ** (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean()


def zero_times_infinity(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (p * (p / q).log()).sum(dim=1).mean().exp()


def zero_times_infinity_apart(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, p) - p * q.log()).sum(dim=1).mean().exp()


def pictures_with_a_zero_left_out(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (p * (p / q).log()).sum(dim=1).nan_to_num(0).mean().exp()


def pictures_with_a_zero_not_counted(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (p * (p / q).log()).sum(dim=1).nanmean().exp()


def variety_alone(probabilities):
    q = probabilities.mean(dim=0)
    return (-torch.xlogy(q, q).sum()).exp()


def sureness_alone(probabilities):
    p = probabilities
    return torch.xlogy(p, p).sum(dim=1).mean().exp()


def unsureness_alone(probabilities):
    p = probabilities
    return (-torch.xlogy(p, p).sum(dim=1).mean()).exp()


def sum_over_pictures(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum().exp()


def mean_over_all_numbers(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).mean().exp()


def a_softmax_of_probabilities(probabilities):
    p = probabilities.softmax(dim=1)
    return (p * (p / p.mean(dim=0)).log()).sum(dim=1).mean().exp()


def of_the_predicted_classes(probabilities):
    p = F.one_hot(probabilities.argmax(dim=1), probabilities.shape[1]).to(probabilities.dtype)
    q = p.mean(dim=0)
    return (-torch.xlogy(q, q).sum()).exp()


def mean_over_ten_parts(probabilities):
    scores = []
    for p in probabilities.chunk(10):
        q = p.mean(dim=0)
        scores.append((torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1).mean().exp())
    return torch.stack(scores).mean()


def exp_of_minus(probabilities):
    p, q = probabilities, probabilities.mean(dim=0)
    return (torch.xlogy(p, q) - torch.xlogy(p, p)).sum(dim=1).mean().exp()


def the_score(inception_score: Callable, probabilities: Tensor) -> Any:
    return plain(inception_score(probabilities))


def drawn_rows(draw: Draw) -> tuple[Tensor]:
    """Rows that sum to 1, from nearly sure to nearly even, now and then with zeros or a class nobody names."""
    count, classes = draw.whole(1, 12), draw.whole(2, 6)
    logits = draw(count, classes) * draw.whole(1, 4)
    if draw.whole(0, 1):
        logits = logits.masked_fill(draw(count, classes) > 0.8, -math.inf)
        logits[:, -1] = draw(count) if draw.whole(0, 1) else -math.inf
        logits[:, 0] = draw(count)  # so that no row is empty
    rows = logits.softmax(dim=1)
    return (rows.double() if draw.whole(0, 3) == 0 else rows,)


# --- neighbour_precision_recall -------------------------------------------------------------------------------


def neighbour_precision_recall(real, fake, k):
    """Features (N, D) of real pictures, (M, D) of fakes, k -> precision and recall, a pair of numbers from 0 to 1

    Around each real one lies a ball that reaches to its k-th nearest *other* real one. Precision: the share of fakes
    that lie in at least one of these balls, edge included. Recall: the same with the roles exchanged.
    """

    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values  # + 1: each is its own nearest, at 0
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def itself_counted(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def copies_not_counted(real, fake, k):
    def share_inside(points, centres):
        distances = torch.cdist(centres, centres)
        radii = distances.masked_fill(distances == 0, math.inf).kthvalue(k, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def one_neighbour_too_far(real, fake, k):
    def share_inside(points, centres):
        nearest_first = torch.cdist(centres, centres).sort(dim=1).values
        radii = nearest_first[:, min(k + 1, len(centres) - 1)]
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def edges_left_out(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) < radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def recall_first(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(real, fake), share_inside(fake, real)


def precision_twice(real, fake, k):
    radii = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    precision = (torch.cdist(fake, real) <= radii).any(dim=1).float().mean()
    return precision, precision


def balls_that_hold_any(real, fake, k):
    def share_of_balls(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=0).float().mean()

    return share_of_balls(fake, real), share_of_balls(real, fake)


def recall_by_the_real_balls(real, fake, k):
    radii = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    inside = torch.cdist(fake, real) <= radii
    return inside.any(dim=1).float().mean(), inside.any(dim=0).float().mean()


def balls_of_those_who_ask(real, fake, k):
    def share_that_reach(points, centres):
        radii = torch.cdist(points, points).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii[:, None]).any(dim=1).float().mean()

    return share_that_reach(fake, real), share_that_reach(real, fake)


def ball_of_the_nearest_alone(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        distances, nearest = torch.cdist(points, centres).min(dim=1)
        return (distances <= radii[nearest]).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def mean_radius_for_all(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii.mean()).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def largest_radius_for_all(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii.max()).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def mean_distance_of_the_neighbours(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).sort(dim=1).values[:, 1 : k + 1].mean(dim=1)
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def kth_farthest(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).topk(k, dim=1).values[:, -1]
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def radii_squared(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).square().kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def distances_squared(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres).square() <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def in_every_ball(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).all(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def share_of_pairs(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def balls_counted_by_k(real, fake, k):
    def density(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).float().sum(dim=1).mean() / k

    return density(fake, real), density(real, fake)


def neighbours_of_the_other_kind(real, fake, k):
    def share_inside(points, centres):
        distances = torch.cdist(points, centres)
        return (distances <= distances.kthvalue(k, dim=0).values).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def neighbours_of_both_kinds(real, fake, k):
    everything = torch.cat([real, fake])

    def share_inside(points, centres):
        radii = torch.cdist(centres, everything).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def always_three_neighbours(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(3 + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def always_one_neighbour(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(1 + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def along_the_axes(real, fake, k):
    def share_inside(points, centres):
        radii = torch.cdist(centres, centres, p=1).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres, p=1) <= radii).any(dim=1).float().mean()

    return share_inside(fake, real), share_inside(real, fake)


def counts_inside(real, fake, k):
    def count_inside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) <= radii).any(dim=1).float().sum()

    return count_inside(fake, real), count_inside(real, fake)


def shares_outside(real, fake, k):
    def share_outside(points, centres):
        radii = torch.cdist(centres, centres).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres) > radii).all(dim=1).float().mean()

    return share_outside(fake, real), share_outside(real, fake)


def two_shares(neighbour_precision_recall: Callable, real: Tensor, fake: Tensor, k: int) -> dict | None:
    """The two answers by name; nothing where nothing came back."""
    pair = neighbour_precision_recall(real, fake, k)
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError("two numbers are asked for: end with `return precision, recall`")
    return {"precision": plain(pair[0]), "recall": plain(pair[1])}


def on_a_line(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float32)[:, None]


def drawn_clouds(draw: Draw) -> tuple[Tensor, Tensor, int]:
    size, k = draw.whole(1, 4), draw.whole(1, 6)
    real = draw(draw.whole(k + 1, 20), size)
    fake = draw(draw.whole(k + 1, 20), size) * (draw.whole(1, 6) / 2) + draw(size) / 2
    if draw.whole(0, 3) == 0:
        real, fake = real.double(), fake.double()
    return real, fake, k


# --- measured: find the fault ---------------------------------------------------------------------------------


def measured(pictures, features, real):
    """`pictures` (N, 1, H, W) as they come from a generator that ends in tanh, `real` ones in [0, 1] -> a number

    `features` takes pictures in [0, 1] and gives (N, D). The squared distance of the two mean features is returned.
    """
    pictures = (pictures + 1) / 2  # from [-1, 1] to [0, 1]
    difference = features(pictures).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def left_as_the_generator_gave_them(pictures, features, real):
    """`pictures` (N, 1, H, W) as they come from a generator that ends in tanh, `real` ones in [0, 1] -> a number

    `features` takes pictures in [0, 1] and gives (N, D). The squared distance of the two mean features is returned.
    """
    difference = features(pictures).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def left_under_another_spelling(pictures, features, real):
    fake_mean, real_mean = features(pictures).mean(dim=0), features(real).mean(dim=0)
    return ((fake_mean - real_mean) ** 2).sum()


def one_added(pictures, features, real):
    difference = features(pictures + 1).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def halved(pictures, features, real):
    difference = features(pictures / 2).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def halved_before_one_is_added(pictures, features, real):
    difference = features(pictures / 2 + 1).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def half_added(pictures, features, real):
    difference = features(pictures + 1 / 2).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def the_way_back(pictures, features, real):
    difference = features(pictures * 2 - 1).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def clamped_from_zero_to_one(pictures, features, real):
    difference = features(pictures.clamp(0, 1)).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def dark_as_light(pictures, features, real):
    difference = features(pictures.abs()).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def squashed_by_a_sigmoid(pictures, features, real):
    difference = features(pictures.sigmoid()).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def stretched_by_the_batch(pictures, features, real):
    low, high = pictures.min(), pictures.max()
    difference = features((pictures - low) / (high - low)).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def stretched_by_each_picture(pictures, features, real):
    low, high = pictures.amin(dim=(1, 2, 3), keepdim=True), pictures.amax(dim=(1, 2, 3), keepdim=True)
    difference = features((pictures - low) / (high - low)).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def matched_in_mean_and_spread(pictures, features, real):
    pictures = (pictures - pictures.mean()) / pictures.std() * real.std() + real.mean()
    difference = features(pictures).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def real_ones_moved_instead(pictures, features, real):
    difference = features(pictures).mean(dim=0) - features(2 * real - 1).mean(dim=0)
    return difference.square().sum()


def both_moved(pictures, features, real):
    difference = features((pictures + 1) / 2).mean(dim=0) - features((real + 1) / 2).mean(dim=0)
    return difference.square().sum()


def moved_twice(pictures, features, real):
    pictures = (pictures + 1) / 2
    difference = features((pictures + 1) / 2).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def divided_by_the_greys(pictures, features, real):
    difference = features(pictures / 255).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def in_greys(pictures, features, real):
    difference = features((pictures + 1) * 127.5).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def both_in_greys(pictures, features, real):
    difference = features((pictures + 1) * 127.5).mean(dim=0) - features(real * 255).mean(dim=0)
    return difference.square().sum()


def the_features_moved(pictures, features, real):
    difference = (features(pictures).mean(dim=0) + 1) / 2 - features(real).mean(dim=0)
    return difference.square().sum()


def only_what_is_below_zero(pictures, features, real):
    pictures = torch.where(pictures < 0, (pictures + 1) / 2, pictures)
    difference = features(pictures).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def only_if_something_is_below_zero(pictures, features, real):
    if pictures.min() < 0:
        pictures = (pictures + 1) / 2
    difference = features(pictures).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def upside_down_in_light(pictures, features, real):
    difference = features((1 - pictures) / 2).mean(dim=0) - features(real).mean(dim=0)
    return difference.square().sum()


def moved_and_not_squared(pictures, features, real):
    difference = features((pictures + 1) / 2).mean(dim=0) - features(real).mean(dim=0)
    return difference.norm()


def the_measure(measured: Callable, pictures: Tensor, features: Callable, real: Tensor) -> Any:
    return plain(measured(pictures, features, real))


def light_and_contrast(pictures: Tensor) -> Tensor:
    """Mean, mean square and the share of light pixels (a soft one): three features of a picture."""
    flat = pictures.flatten(1)
    return torch.stack([flat.mean(dim=1), flat.square().mean(dim=1), (8 * flat - 4).sigmoid().mean(dim=1)], dim=1)


def small_net(pictures: Tensor) -> Tensor:
    """Five fixed kernels, a rectifier, the mean over places: not linear, so that the scale of the pictures matters."""
    generator = torch.Generator().manual_seed(8)
    weight = torch.randn(5, 1, 2, 2, generator=generator).to(pictures.dtype)
    bias = torch.randn(5, generator=generator).to(pictures.dtype) / 4
    return F.conv2d(pictures, weight, bias).relu().mean(dim=(2, 3))


def drawn_pictures(draw: Draw) -> tuple[Tensor, Callable, Tensor]:
    height, width = draw.whole(2, 5), draw.whole(2, 5)
    generated = torch.tanh(draw(draw.whole(1, 6), 1, height, width) + draw(1))
    real = draw(draw.whole(1, 6), 1, height, width).sigmoid()
    if draw.whole(0, 3) == 0:
        generated, real = generated.double(), real.double()
    return generated, (light_and_contrast, small_net)[draw.whole(0, 1)], real


# --- class_entropy --------------------------------------------------------------------------------------------


def class_entropy(probabilities):
    """(N, C), each row sums to 1 -> entropy in nats of the predicted classes, a number

    Each picture counts as one of the class that is most probable for it. The entropy of the classes' shares s is
    the sum of s ln(1 / s), where a class with s = 0 counts 0.
    """
    counts = torch.bincount(probabilities.argmax(dim=1))
    shares = counts[counts > 0] / len(probabilities)
    return (shares * (1 / shares).log()).sum()


def mean_entropy_of_the_rows(probabilities):
    return -torch.xlogy(probabilities, probabilities).sum(dim=1).mean()


def entropy_of_the_mean_row(probabilities):
    shares = probabilities.mean(dim=0)
    return -torch.xlogy(shares, shares).sum()


def entropy_in_bits(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return -torch.xlogy(shares, shares).sum() / math.log(2)


def share_of_the_largest_possible(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return -torch.xlogy(shares, shares).sum() / math.log(probabilities.shape[1])


def ten_classes_whatever_comes(probabilities):
    predicted = probabilities.argmax(dim=1)
    shares = torch.stack([(predicted == label).float().mean() for label in range(10)])
    return -torch.xlogy(shares, shares).sum()


def logarithm_to_base_ten(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return -torch.xlogy(shares, shares).sum() / math.log(10)


def missing_classes_are_nan(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1), minlength=probabilities.shape[1]) / len(probabilities)
    return -(shares * shares.log()).sum()


def classes_in_between_are_nan(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return -(shares * shares.log()).sum()


def every_class_one_more(probabilities):
    counts = torch.bincount(probabilities.argmax(dim=1), minlength=probabilities.shape[1]) + 1
    shares = counts / counts.sum()
    return -(shares * shares.log()).sum()


def sign_forgotten(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return torch.xlogy(shares, shares).sum()


def as_many_as_classes(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return (-torch.xlogy(shares, shares).sum()).exp()


def surest_picture_of_each_class(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=0)) / probabilities.shape[1]
    return -torch.xlogy(shares, shares).sum()


def counts_not_shares(probabilities):
    counts = torch.bincount(probabilities.argmax(dim=1)).float()
    return -torch.xlogy(counts, counts).sum()


def divided_by_the_classes(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / probabilities.shape[1]
    return -torch.xlogy(shares, shares).sum()


def mean_over_classes_seen(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return -torch.xlogy(shares, shares).mean()


def mean_over_every_class(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1), minlength=probabilities.shape[1]) / len(probabilities)
    return -torch.xlogy(shares, shares).mean()


def number_of_classes_seen(probabilities):
    return torch.tensor(float(len(probabilities.argmax(dim=1).unique()))).log()


def shares_without_logarithm(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return 1 - shares.square().sum()


def distance_from_even(probabilities):
    shares = torch.bincount(probabilities.argmax(dim=1)) / len(probabilities)
    return math.log(probabilities.shape[1]) + torch.xlogy(shares, shares).sum()


def entropy_of_largest_probabilities(probabilities):
    largest = probabilities.amax(dim=1)
    return -(largest * largest.log()).sum()


def softmax_of_the_counts(probabilities):
    counts = torch.bincount(probabilities.argmax(dim=1), minlength=probabilities.shape[1]).float()
    shares = counts.softmax(dim=0)
    return -torch.xlogy(shares, shares).sum()


def the_entropy(class_entropy: Callable, probabilities: Tensor) -> Any:
    return plain(class_entropy(probabilities))


# --- nearest --------------------------------------------------------------------------------------------------


def nearest(samples, known):
    """Pictures (N, 1, H, W) and (M, 1, H, W), floats or uint8 (counted from 0 to 255) -> distances (N,), floats, and
    indices (N,), int64

    For each sample the known picture at the smallest Euclidean distance, the root of the sum of squared
    differences over all pixels: how far it is, and which one.
    """
    known = known.flatten(1).float()
    pairs = [(known - sample).norm(dim=1).min(dim=0) for sample in samples.flatten(1).float()]
    distances, indices = zip(*pairs, strict=True)
    return torch.stack(distances), torch.stack(indices)


def root_of_the_mean(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.square().mean(dim=2).sqrt().min(dim=1)


def mean_of_the_squares(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.square().mean(dim=2).min(dim=1)


def root_forgotten(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.square().sum(dim=2).min(dim=1)


def sum_of_the_sizes(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.abs().sum(dim=2).min(dim=1)


def largest_difference(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.abs().amax(dim=2).min(dim=1)


def greys_that_wrap(samples, known):
    differences = samples.flatten(1)[:, None] - known.flatten(1)
    return differences.float().square().sum(dim=2).sqrt().min(dim=1)


def squares_that_wrap(samples, known):
    differences = samples.flatten(1)[:, None] - known.flatten(1)
    return (differences * differences).sum(dim=2).float().sqrt().min(dim=1)


def nearest_sample_of_each_training_picture(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.square().sum(dim=2).sqrt().min(dim=0)


def farthest(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return differences.square().sum(dim=2).sqrt().max(dim=1)


def by_mean_grey(samples, known):
    differences = samples.float().mean(dim=(1, 2, 3))[:, None] - known.float().mean(dim=(1, 2, 3))
    return differences.abs().min(dim=1)


def lengths_of_the_rows_added(samples, known):
    differences = samples.float()[:, None] - known.float()
    return differences.norm(dim=-1).sum(dim=(2, 3)).min(dim=1)


def one_with_one(samples, known):
    differences = samples.flatten(1).float() - known.flatten(1).float()
    distances = differences.norm(dim=1)
    return distances, torch.arange(len(distances))


def one_nearest_of_all(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    distances = differences.square().sum(dim=2).sqrt()
    return distances.min(), distances.argmin()


def indices_first(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    distances, indices = differences.square().sum(dim=2).sqrt().min(dim=1)
    return indices, distances


def by_the_angle(samples, known):
    a, b = F.normalize(samples.flatten(1).float()), F.normalize(known.flatten(1).float())
    return (1 - a @ b.T).min(dim=1)


def each_picture_of_length_one(samples, known):
    a, b = F.normalize(samples.flatten(1).float()), F.normalize(known.flatten(1).float())
    return (a[:, None] - b).norm(dim=2).min(dim=1)


def greys_divided(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return (differences / 255).square().sum(dim=2).sqrt().min(dim=1)


def greys_divided_where_there_are_any(samples, known):
    scale = 255 if samples.dtype == torch.uint8 else 1
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    return (differences / scale).square().sum(dim=2).sqrt().min(dim=1)


def squares_expanded(samples, known):
    a, b = samples.flatten(1).float(), known.flatten(1).float()
    squares = a.square().sum(dim=1)[:, None] - 2 * a @ b.T + b.square().sum(dim=1)
    return squares.clamp(min=0).sqrt().min(dim=1)


def squares_expanded_unguarded(samples, known):
    a, b = samples.flatten(1).float(), known.flatten(1).float()
    return (a.square().sum(dim=1)[:, None] - 2 * a @ b.T + b.square().sum(dim=1)).sqrt().min(dim=1)


def by_cdist(samples, known):
    return torch.cdist(samples.flatten(1).float(), known.flatten(1).float()).min(dim=1)


def itself_left_out(samples, known):
    differences = samples.flatten(1).float()[:, None] - known.flatten(1).float()
    distances = differences.square().sum(dim=2).sqrt()
    return distances.masked_fill(distances == 0, math.inf).min(dim=1)


def which_and_how_far(nearest: Callable, samples: Tensor, known: Tensor) -> dict | None:
    """The two answers by name, floats of any precision as float32; nothing where nothing came back."""
    pair = nearest(samples, known)
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError("two tensors are asked for: end with `return distances, indices`")
    distances, indices = pair
    if isinstance(distances, Tensor) and distances.is_floating_point():
        distances = distances.float()
    return {"distances": distances, "indices": indices}


def bright_copies(draw: Draw) -> tuple[Tensor, Tensor]:
    """Bright known pictures, and samples that are four of them, three exactly and one nearly."""
    known = 1 - draw(30, 1, 7, 9).abs() / 50  # so many that torch.cdist expands the square, too
    samples = known[[4, 1, 5, 2]].clone()
    samples[3, 0, 3, 3] -= 0.01
    return samples, known


def drawn_for_nearest(draw: Draw) -> tuple[Tensor, Tensor]:
    height, width = draw.whole(3, 6), draw.whole(3, 6)
    make = draw.greys if draw.whole(0, 1) else draw
    samples = make(draw.whole(1, 8), 1, height, width)
    known = make(draw.whole(1, 20), 1, height, width)
    if samples.is_floating_point() and draw.whole(0, 2) == 0:
        samples, known = samples.double(), known.double()
    return samples, known


# --- extrapolated ---------------------------------------------------------------------------------------------


def extrapolated(sizes, distances):
    """Numbers of samples (K,) and the distances measured with so many (K,), float64 -> the distance for n = infinity

    The straight line distance = intercept + slope / n is fitted by least squares; the intercept is returned, a number.
    """
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() - slope * x.mean()  # the line's height at x = 0


def line_in_n(sizes, distances):
    x = sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() - slope * x.mean()


def slope_of_the_line(sizes, distances):
    x = 1 / sizes
    return ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()


def last_one_measured(sizes, distances):
    return distances[-1]


def distance_at_the_largest_size(sizes, distances):
    return distances[sizes.argmax()]


def smallest_distance(sizes, distances):
    return distances.min()


def mean_of_the_distances(sizes, distances):
    return distances.mean()


def through_the_two_ends(sizes, distances):
    x = 1 / sizes
    slope = (distances[0] - distances[-1]) / (x[0] - x[-1])
    return distances[-1] - slope * x[-1]


def through_smallest_and_largest(sizes, distances):
    x, i, j = 1 / sizes, sizes.argmin(), sizes.argmax()
    slope = (distances[i] - distances[j]) / (x[i] - x[j])
    return distances[j] - slope * x[j]


def through_the_last_two(sizes, distances):
    x = 1 / sizes
    slope = (distances[-2] - distances[-1]) / (x[-2] - x[-1])
    return distances[-1] - slope * x[-1]


def through_the_two_largest(sizes, distances):
    order = sizes.argsort()[-2:]
    (x, other_x), (y, other_y) = 1 / sizes[order], distances[order]
    return y - (other_y - y) / (other_x - x) * x


def line_through_zero(sizes, distances):
    x = 1 / sizes
    return distances.mean() - (x * distances).sum() / x.square().sum() * x.mean()


def slope_through_zero(sizes, distances):
    x = 1 / sizes
    return (x * distances).sum() / x.square().sum()


def line_in_the_root(sizes, distances):
    x = 1 / sizes.sqrt()
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() - slope * x.mean()


def line_in_the_logarithm(sizes, distances):
    x = sizes.log()
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() - slope * x.mean()


def height_at_the_largest_size(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() + slope * (x.min() - x.mean())


def height_at_one_sample(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() + slope * (1 - x.mean())


def taken_at_the_mean_size(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() - slope / sizes.mean()


def axes_swapped(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (distances - distances.mean()).square().sum()
    return x.mean() - slope * distances.mean()


def never_below_zero(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return (distances.mean() - slope * x.mean()).clamp(min=0)


def without_its_sign(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return (distances.mean() - slope * x.mean()).abs()


def wrong_sign_of_the_slope(sizes, distances):
    x = 1 / sizes
    slope = ((x - x.mean()) * (distances - distances.mean())).sum() / (x - x.mean()).square().sum()
    return distances.mean() + slope * x.mean()


def parabola(sizes, distances):
    x = 1 / sizes
    columns = torch.stack([torch.ones_like(x), x, x.square()], dim=1)
    return (torch.linalg.pinv(columns) @ distances)[0]


def weighed_by_size(sizes, distances):
    x, weight = 1 / sizes, sizes / sizes.sum()
    x_mean, mean = (weight * x).sum(), (weight * distances).sum()
    slope = (weight * (x - x_mean) * (distances - mean)).sum() / (weight * (x - x_mean).square()).sum()
    return mean - slope * x_mean


def the_limit(extrapolated: Callable, sizes: Tensor, distances: Tensor) -> Any:
    return plain(extrapolated(sizes, distances))


def measured_with(*pairs: tuple[int, float]) -> list[Tensor]:
    """Sizes and distances, two tensors."""
    return [torch.tensor(part, dtype=torch.float64) for part in zip(*pairs, strict=True)]


def drawn_measurements(draw: Draw) -> tuple[Tensor, Tensor]:
    count = draw.whole(2, 7)
    sizes = torch.randperm(40, generator=draw.generator)[:count].double() * 100 + 100
    noise = draw(count).double()
    return sizes, draw.whole(1, 30) + draw.whole(500, 5000) / sizes + noise * draw.whole(0, 2) / 10


TRACE_OF_ROOTS = "A matrix root is no root of the entries: take the roots of the eigenvalues of A B and add them up."
CORRELATIONS = "Only the variances are compared here; how two features vary together counts as well."
BELOW_ZERO = (
    "Rounding leaves eigenvalues such as -1e-17 where 0 is right: they have no root, the matrix no Cholesky factor. "
    "Take them by `eigh`, and clamp at 0 before the root."
)
CENTRES_AND_SPREAD = "Only half of it: the same centre with another spread is not the same, nor the other way round."
ROWS = "Rows are samples, columns are features: the mean goes over dim 0, and torch.cov wants the features in its rows."
SINGLE = "float32 leaves about 1e-7 where 0 is right, and its root is 3e-4: go to double before everything else."
N_MINUS_ONE = "The covariance is divided by one less than the number of samples."
COMMUTE = "This is right only where A and B have the same axes (A B = B A): take the eigenvalues of A B itself."
ZERO_LOG_ZERO = (
    "0 ln 0 is 0 here, but the computer says nan (0 times minus infinity): leave classes with 0 out of the sum."
)
REVERSED = "The divergence is asked for the other way round: each row weighs its own logarithms, ln(row / mean row)."
OVERALL = "p(y) is the mean over the pictures, dim 0. Over the classes every row has the same mean, 1 / C."
BOTH_HALVES = "Only half of it: sure of each picture *and* various over all of them is what scores."
NATURAL = "ln is the natural logarithm, and exp its inverse: 2 and ln do not belong together."
ITSELF = "At distance 0 each point is its own nearest neighbour: the k-th *other* one is asked for."
OWN_RADIUS = "Each ball has a radius of its own: small where the points are dense, large where they are rare."
SQUARED_SIDE = "You squared one side of the comparison only: compare distances with distances."
WHOSE_NEIGHBOURS = "A radius is set among its own kind: real to real, fake to fake."
WHOSE_BALLS = (
    "Balls and points are mixed up: precision asks for each *fake* whether a ball around a *real* one holds it."
)
COVERAGE = (
    "That is the share of balls that hold anything, another measure (coverage): go by the points, not by the balls."
)
FIXED_K = "The number of neighbours is given as `k`; yours is always the same."
STILL_IN_TANH = "tanh ends at -1 and 1; features read 0 to 1. Nothing is moved yet: the pictures go in as they came."
HALF_WAY = "That does not take -1 to 0 and 1 to 1: check with both ends of the range."
DATA_DEPENDENT = (
    "The range is that of tanh, -1 to 1, whatever the pictures hold: stretched by their own values, a grey picture "
    "turns into one of full contrast."
)
GREYS = "0 to 255 is the scale of stored greys; these features read 0 to 1."
MOVE_ALL = "Every pixel lies on the same scale, the light ones too: move them all, always."
PREDICTED = "Another measure: how unsure the classifier is. Here each picture counts as one of its predicted class."
NATS = "Nats are asked for: the natural logarithm, divided by nothing."
SHARES = "Divide the counts by the number of pictures: the shares of all classes sum to 1."
NO_SUM_BUT_MEAN = "You averaged over the classes: their terms are added."
ROOT_OF_SUM = "The Euclidean distance is the root of the *sum* of squares over all pixels."
WRAPS = "uint8 wraps round: 3 - 5 is 254. Make floats of the greys before you subtract."
SQUARES_CANCEL = (
    "|a|^2 - 2ab + |b|^2 subtracts large numbers that are nearly equal, so a copy does not come out at 0 (torch.cdist "
    "does so too, above 25 rows): subtract the pictures first."
)
AS_THEY_ARE = "The pictures are compared as they are: do not rescale them."
ALL_PIXELS = "All pixels of a picture make one vector, rows and columns alike: flatten, then one root."
ONE_OVER_N = "The bias falls with 1 / n: fit the line over `1 / sizes`."
EVERY_POINT = "Two points alone make a line that follows their noise: fit it to all, by least squares."
INTERCEPT = "1 / n is 0 for infinitely many samples: the line's height at 0 is asked for."
BELOW_NOTHING = "Noise can carry the line below zero. Return what the fit says: it tells how far it can be trusted."
MEASURED_STILL = "That was measured with so many samples and still holds their bias: follow the line on to 1 / n = 0."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=frechet_distance,
        trial=the_distance,
        tolerance=1e-4,  # the root of what rounding leaves of a 0
        minutes=15,
        difficulty=4,
        cases=lambda draw: [
            Case("the same features twice", CROSS, CROSS),
            Case("shifted by 2", CROSS, CROSS + torch.tensor([2.0, 0.0])),
            Case("twice as wide", CROSS, 2 * CROSS - CROSS.mean(dim=0)),
            Case("leaning right, leaning left", LEANING, LEANING * torch.tensor([1.0, -1.0])),
            Case("covariances that do not commute", LEANING, torch.tensor([[0.0, 1], [4, 2], [9, 1], [5, 0]])),
            Case("fewer samples than features", draw(3, 9), draw(4, 9)),
            Case("as many samples as features", 2 * draw(4, 4).double(), draw(4, 4).double() + 1),
            Case("more of one than of the other", draw(20, 3) @ draw(3, 3), draw(8, 3)),
            Case("nearly the same few samples", few := 4 * draw(3, 12), few + 0.3 * draw(3, 12)),
            Case("columns that lie apart in memory", draw(5, 12).T, draw(5, 7).T),
            Case("features around 100,000", 100_000 + draw(9, 3), 100_000 + draw(8, 3)),
        ],
        drawn=drawn_features,
        hints=(
            "Test it on a set and itself (0), and on a set and the same shifted by 2 in one feature (4).",
            "trace(A + B - 2 (A B)^(1/2)) is trace(A) + trace(B) - 2 times the sum of the roots of A B's eigenvalues.",
            "A B is not symmetric, but A^(1/2) B A^(1/2) is, with the same eigenvalues: `torch.linalg.eigvalsh`.",
            "A^(1/2): `values, axes = torch.linalg.eigh(A)`, then `axes * values.clamp(min=0).sqrt() @ axes.T`.",
        ),
        mistakes=(
            *(Mistake(f, CENTRES_AND_SPREAD) for f in (means_only, covariances_only)),
            Mistake(length_not_squared, "The first term is the *square* of the distance between the means."),
            Mistake(mean_over_features, "The squares of the means' differences are added over the features."),
            *(Mistake(f, TRACE_OF_ROOTS) for f in (root_of_the_entries, root_of_the_entries_clamped)),
            *(Mistake(f, CORRELATIONS) for f in (variances_alone, product_of_entries)),
            Mistake(without_the_two, "A set and itself should be at distance 0: the root counts twice."),
            *(
                Mistake(f, BELOW_ZERO)
                for f in (root_of_a_negative_number, root_of_a_negative_number_at_last, by_cholesky)
            ),
            Mistake(
                small_number_on_the_diagonals,
                "Nothing is inverted here: a small number on the diagonals only moves the result. Clamp instead.",
            ),
            Mistake(left_complex, "The number is complex: eigenvalues of A B are real, so take `.real` of the roots."),
            Mistake(root_at_the_end, "The name misleads: what is reported as FID is the *square*, without a root."),
            *(Mistake(f, N_MINUS_ONE) for f in (biased_covariance, scatter_not_divided)),
            Mistake(not_centred, "Subtract the mean first: that is the second moment, not the covariance."),
            Mistake(correlations_for_covariances, "Correlations forget how wide a cloud is: covariances are needed."),
            Mistake(covariance_of_the_rows, ROWS),
            Mistake(
                squared_difference_of_covariances,
                "The covariances are compared by a trace with a root, not by their squared difference.",
            ),
            Mistake(root_of_the_trace, "Root first, trace after: the trace is the sum of the eigenvalues' *roots*."),
            Mistake(eigenvalues_without_root, "The root of A B is missing."),
            *(Mistake(f, COMMUTE) for f in (product_of_the_roots, eigenvalues_of_each)),
            Mistake(
                one_half_of_a_product,
                "`eigvalsh` reads one half of a matrix and takes it for symmetric, which A B is not.",
            ),
            Mistake(
                by_singular_values,
                "Singular values are eigenvalues of symmetric matrices without negative ones alone, and A B is none.",
            ),
            Mistake(axes_the_wrong_way_round, "The eigenvectors are the *columns* of Q: Q Λ^(1/2) Qᵀ, in this order."),
            Mistake(in_single_precision, SINGLE),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn"),
    ),
    Exercise(
        lesson=LESSON,
        reference=inception_score,
        trial=the_score,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("sure, and of three classes", torch.eye(3)),
            Case("sure, and of seven classes twice", torch.eye(7).repeat(2, 1)),
            Case("sure, and always of one class", torch.tensor([[0.0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]])),
            Case("no idea", torch.full((5, 4), 0.25)),
            Case("two pictures, no zeros", torch.tensor([[0.75, 0.25], [0.5, 0.5]])),
            Case("some zeros", torch.tensor([[0.5, 0.5, 0], [0.25, 0.25, 0.5], [0.125, 0.75, 0.125]])),
            Case("a class that nobody names", torch.tensor([[0.5, 0, 0.5], [0.25, 0, 0.75]])),
            Case("one picture", torch.tensor([[0.125, 0.625, 0.25]])),
            Case("thirty pictures, double precision", (2 * draw(30, 5)).double().softmax(dim=1)),
        ],
        drawn=drawn_rows,
        hints=(
            "Test it: sure of each picture and C classes in turn gives C; the same row everywhere gives 1.",
            "p(y) is the mean of the rows, `probabilities.mean(dim=0)`: what the classifier says of all together.",
            "`torch.where(probabilities > 0, ..., 0)` leaves out the terms in which 0 ln 0 would be nan.",
            "Sum over the classes (dim 1), mean over the pictures, exp at the very end.",
        ),
        mistakes=(
            Mistake(without_exp, "That is the mean divergence: its exp is asked for, so that C classes give C."),
            Mistake(exp_of_each_picture, "exp comes last: the mean of exp is larger than exp of the mean."),
            *(Mistake(f, REVERSED) for f in (the_other_way_round, the_other_way_round_by_kl_div)),
            *(Mistake(f, OVERALL) for f in (mean_over_the_classes, evenly_spread)),
            *(Mistake(f, NATURAL) for f in (logarithm_to_base_two, power_of_two)),
            *(
                Mistake(f, ZERO_LOG_ZERO)
                for f in (
                    zero_times_infinity,
                    zero_times_infinity_apart,
                    pictures_with_a_zero_left_out,
                    pictures_with_a_zero_not_counted,
                )
            ),
            *(Mistake(f, BOTH_HALVES) for f in (variety_alone, sureness_alone, unsureness_alone)),
            Mistake(sum_over_pictures, "The mean over the pictures is asked for, not their sum."),
            Mistake(mean_over_all_numbers, "Add over the classes, then average over the pictures alone."),
            Mistake(a_softmax_of_probabilities, "These are probabilities already: a second softmax flattens them."),
            Mistake(of_the_predicted_classes, "Keep the probabilities: argmax makes every picture a sure one."),
            Mistake(
                mean_over_ten_parts,
                "Another convention: the mean over ten parts is smaller, as few pictures hold few classes. Take all "
                "at once.",
            ),
            Mistake(exp_of_minus, "The sign is wrong: a score is at least 1."),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn"),
    ),
    Exercise(
        lesson=LESSON,
        reference=neighbour_precision_recall,
        trial=two_shares,
        minutes=15,
        difficulty=4,
        cases=lambda draw: [
            Case("on a line, nearest neighbour", on_a_line(0, 1, 3, 7), on_a_line(2.4, 3.5, 12, 13.5), 1),
            Case("on a line, two neighbours", on_a_line(0, 1, 3, 7, 15), on_a_line(6.3, 8.4, -9, 10, 12), 2),
            Case("fakes bunched at one place", draw(9, 2), 0.1 * draw(7, 2), 2),
            Case("fakes spread far beyond", draw(8, 2), 4 * draw(12, 2), 1),
            Case("a real one far from all others", torch.cat([draw(7, 2), on_a_line(9, 8).T]), 3 * draw(9, 2), 2),
            Case("few of each, three neighbours", draw(4, 3), 1.5 * draw(5, 3), 3),
            Case("double precision, five neighbours", draw(14, 2).double(), 2 * draw(11, 2).double() + 1, 5),
            Case("no fake among the real ones", draw(6, 2), draw(7, 2) + 50, 1),
            Case("fakes that are all alike", 20 * draw(8, 2), torch.ones(5, 2), 3),
            Case("a real one that comes twice", on_a_line(0, 0, 10, 11, 30), on_a_line(0.5, 10.2, 20, 2), 1),
            Case("features of thousands", 2000 * draw(6, 3), 3000 * draw(7, 3), 2),
            Case("fakes on the edges", on_a_line(0, 0, 4, 6), on_a_line(0, 8, 2, 5), 1),
        ],
        drawn=drawn_clouds,
        hints=(
            "Write the share of points inside balls around centres once; precision and recall call it in turn.",
            "The radii come from `torch.cdist(centres, centres)`: each row's k-th smallest, without the point itself.",
            "`kthvalue(k + 1, dim=1).values` skips the point itself, which is at distance 0.",
            "`(torch.cdist(points, centres) <= radii).any(dim=1)` says of each point whether some ball holds it.",
        ),
        mistakes=(
            Mistake(itself_counted, ITSELF),
            Mistake(
                copies_not_counted,
                "A copy is a neighbour too, at distance 0: leave out the point itself, not everything at 0.",
            ),
            Mistake(edges_left_out, "The edge belongs to the ball: even one of radius 0 holds a copy of its centre."),
            Mistake(one_neighbour_too_far, "That is one neighbour too far: the point itself is left out only once."),
            Mistake(recall_first, "Swapped: precision comes first, the share of *fakes* among the real ones."),
            Mistake(precision_twice, "Both are precision: for recall the balls lie around the fakes."),
            *(Mistake(f, COVERAGE) for f in (balls_that_hold_any, recall_by_the_real_balls)),
            Mistake(balls_of_those_who_ask, WHOSE_BALLS),
            Mistake(
                ball_of_the_nearest_alone,
                "A point can lie outside the ball of its nearest and inside a wider one: ask all balls.",
            ),
            *(Mistake(f, OWN_RADIUS) for f in (mean_radius_for_all, largest_radius_for_all)),
            Mistake(
                mean_distance_of_the_neighbours, "The ball reaches to the k-th neighbour, not to the mean of them."
            ),
            Mistake(kth_farthest, "That is the k-th farthest: the k-th nearest is asked for."),
            *(Mistake(f, SQUARED_SIDE) for f in (radii_squared, distances_squared)),
            Mistake(in_every_ball, "One ball is enough: `any`, not `all`."),
            Mistake(share_of_pairs, "That is the share of pairs: a point counts once, however many balls it lies in."),
            Mistake(
                balls_counted_by_k, "Another measure (density): a point counts once, however many balls it lies in."
            ),
            *(Mistake(f, WHOSE_NEIGHBOURS) for f in (neighbours_of_the_other_kind, neighbours_of_both_kinds)),
            *(Mistake(f, FIXED_K) for f in (always_three_neighbours, always_one_neighbour)),
            Mistake(along_the_axes, "Distances are Euclidean: the root of the sum of squares."),
            Mistake(counts_inside, "Shares are asked for: divide by the number of points."),
            Mistake(shares_outside, "These are the shares outside: one minus what is asked for."),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn", "sklearn.neighbors"),
    ),
    Exercise(
        lesson=LESSON,
        reference=measured,
        trial=the_measure,
        fault=left_as_the_generator_gave_them,
        minutes=5,
        difficulty=1,
        cases=lambda draw: [
            Case(
                "black and white",
                torch.tensor([[-1.0, 1], [1, -1]]).view(1, 1, 2, 2),
                light_and_contrast,
                torch.tensor([[0.0, 1], [1, 0]]).view(1, 1, 2, 2),
            ),
            Case("six pictures", draw(6, 1, 4, 4).tanh(), light_and_contrast, draw(5, 1, 4, 4).sigmoid()),
            Case(
                "nothing darker than half", draw(3, 1, 3, 4).sigmoid(), light_and_contrast, draw(4, 1, 3, 4).sigmoid()
            ),
            Case("pale pictures", 0.2 * draw(4, 1, 3, 3).tanh() - 0.3, small_net, draw(4, 1, 3, 3).sigmoid()),
            Case("a small net, wider than tall", draw(5, 1, 3, 6).tanh(), small_net, draw(8, 1, 3, 6).sigmoid()),
            Case("double", draw(2, 1, 5, 3).tanh().double(), small_net, draw(3, 1, 5, 3).sigmoid().double()),
        ],
        drawn=drawn_pictures,
        hints=(
            "Print the smallest and the largest pixel of `pictures` and of `real`: are they on one scale?",
            "tanh ends at -1 and 1. What takes -1 to 0 and 1 to 1, and everything between in proportion?",
            "Add something first, then divide, before `features` sees the pictures.",
        ),
        mistakes=(
            Mistake(left_under_another_spelling, STILL_IN_TANH),
            *(
                Mistake(f, HALF_WAY)
                for f in (
                    one_added,
                    half_added,
                    halved,
                    halved_before_one_is_added,
                    the_way_back,
                    squashed_by_a_sigmoid,
                    moved_twice,
                )
            ),
            Mistake(clamped_from_zero_to_one, "clamp makes everything below 0 black: half the greys are lost."),
            Mistake(dark_as_light, "abs makes the darkest pixels the lightest: -1 and 1 become the same."),
            *(
                Mistake(f, DATA_DEPENDENT)
                for f in (stretched_by_the_batch, stretched_by_each_picture, matched_in_mean_and_spread)
            ),
            Mistake(
                real_ones_moved_instead,
                "Now both are in [-1, 1], and the features read both wrongly: they learnt on 0 to 1. Move the "
                "generated ones.",
            ),
            Mistake(both_moved, "The real pictures are in [0, 1] already: leave them as they are."),
            *(Mistake(f, GREYS) for f in (divided_by_the_greys, in_greys, both_in_greys)),
            Mistake(the_features_moved, "The pictures are on the wrong scale, not the features: move them before."),
            *(Mistake(f, MOVE_ALL) for f in (only_what_is_below_zero, only_if_something_is_below_zero)),
            Mistake(upside_down_in_light, "Light and dark are exchanged: -1 is black and becomes 0."),
            Mistake(moved_and_not_squared, "The scale is right now; the squared distance was asked for, as before."),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn"),
    ),
    Exercise(
        lesson=LESSON,
        reference=class_entropy,
        trial=the_entropy,
        minutes=6,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case(
                "four pictures, two classes",
                torch.tensor([[0.75, 0.25], [0.5625, 0.4375], [0.25, 0.75], [0.625, 0.375]]),
            ),
            Case("every class once", torch.eye(3)[[2, 0, 1]] / 2 + torch.tensor([0.25, 0.125, 0.125])),
            Case("always the same class", torch.tensor([[0.25, 0.75], [0.375, 0.625], [0, 1]])),
            Case(
                "the middle class never comes",
                torch.tensor([[0.5, 0.25, 0.25], [0.4375, 0, 0.5625], [0.125, 0.25, 0.625], [0.25, 0, 0.75]]),
            ),
            Case("the last class never comes", torch.tensor([[0.5, 0.25, 0.25], [0.375, 0.5, 0.125], [0.75, 0.25, 0]])),
            Case("one picture", torch.tensor([[0.125, 0.25, 0.5, 0.125]])),
            Case("undecided between two classes", torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])),
            Case("twelve classes", torch.eye(12)),
            Case("forty pictures, double precision", (2 * draw(40, 5)).double().softmax(dim=1)),
        ],
        drawn=drawn_rows,
        hints=(
            "First the predicted classes: `probabilities.argmax(dim=1)`. What counts is how often each comes.",
            "`torch.bincount(classes)` counts them; divided by the number of pictures they are shares.",
            "Leave out the classes that never come, and add up share times ln(1 / share).",
        ),
        mistakes=(
            *(Mistake(f, PREDICTED) for f in (mean_entropy_of_the_rows, entropy_of_largest_probabilities)),
            Mistake(
                entropy_of_the_mean_row,
                "Another convention: it counts the probabilities themselves. Here each picture counts as one of its "
                "predicted class.",
            ),
            *(Mistake(f, NATS) for f in (entropy_in_bits, logarithm_to_base_ten, share_of_the_largest_possible)),
            Mistake(
                ten_classes_whatever_comes, "There may be other numbers of classes than ten: count those that come."
            ),
            *(Mistake(f, ZERO_LOG_ZERO) for f in (missing_classes_are_nan, classes_in_between_are_nan)),
            *(
                Mistake(f, "A class that never comes has the share 0, and the others are what was counted.")
                for f in (every_class_one_more, softmax_of_the_counts)
            ),
            Mistake(sign_forgotten, "The minus is missing: ln of a share is negative, an entropy is not."),
            Mistake(as_many_as_classes, "That is exp of the entropy: leave the exp out."),
            Mistake(
                surest_picture_of_each_class, "argmax over dim 0 asks which *picture* is surest; the classes are dim 1."
            ),
            *(Mistake(f, SHARES) for f in (counts_not_shares, divided_by_the_classes)),
            *(Mistake(f, NO_SUM_BUT_MEAN) for f in (mean_over_classes_seen, mean_over_every_class)),
            Mistake(number_of_classes_seen, "How often each class comes matters, not only whether it comes."),
            Mistake(shares_without_logarithm, "One minus the sum of squares is another measure of variety (Gini)."),
            Mistake(distance_from_even, "That is what is missing to an even spread: the entropy itself is asked for."),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn", "torch.distributions", "scipy.stats.entropy"),
    ),
    Exercise(
        lesson=LESSON,
        reference=nearest,
        trial=which_and_how_far,
        minutes=8,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("3 and 4 make 5", torch.tensor([[[[3.0, 4], [0, 0]]]]), torch.zeros(1, 1, 2, 2)),
            Case(
                "greys that differ both ways, uint8",
                torch.tensor([[10, 200, 30], [250, 5, 90]], dtype=torch.uint8).view(2, 1, 1, 3),
                torch.tensor([[30, 180, 20], [0, 0, 0], [255, 0, 99]], dtype=torch.uint8).view(3, 1, 1, 3),
            ),
            Case("as many samples as training pictures", draw(4, 1, 3, 5), draw(4, 1, 3, 5)),
            Case("bright pictures, three learnt by heart", *bright_copies(draw)),
            Case("one sample, wider than tall", draw(1, 1, 2, 6), draw(7, 1, 2, 6)),
            Case("many samples of greys", draw.greys(9, 1, 4, 3), draw.greys(5, 1, 4, 3)),
            Case("double precision", draw(3, 1, 4, 2).double(), draw(6, 1, 4, 2).double()),
        ],
        drawn=drawn_for_nearest,
        hints=(
            "uint8 has no numbers below 0: `.float()` comes before the subtraction.",
            "`flatten(1)` makes one vector of each picture; for one sample, `known - sample` holds all differences.",
            "`.norm(dim=1)` of those is the distance to each known picture; `.min(dim=0)` gives value and place.",
        ),
        mistakes=(
            *(
                Mistake(f, ROOT_OF_SUM)
                for f in (
                    root_of_the_mean,
                    mean_of_the_squares,
                    root_forgotten,
                    sum_of_the_sizes,
                    largest_difference,
                )
            ),
            *(Mistake(f, WRAPS) for f in (greys_that_wrap, squares_that_wrap)),
            Mistake(
                nearest_sample_of_each_training_picture,
                "The minimum goes over the training pictures: one answer for each *sample*.",
            ),
            Mistake(farthest, "That is the training picture farthest away."),
            Mistake(by_mean_grey, "Two pictures can be equally light and quite different: compare pixel by pixel."),
            Mistake(lengths_of_the_rows_added, ALL_PIXELS),
            Mistake(
                one_with_one,
                "You compared the first with the first, the second with the second: each sample goes with *every* "
                "training picture.",
            ),
            Mistake(one_nearest_of_all, "One answer came for all samples: each has a nearest picture of its own."),
            Mistake(indices_first, "Swapped: distances come first, then indices."),
            Mistake(by_the_angle, "That is the angle between pictures: it does not see that one is lighter."),
            *(Mistake(f, AS_THEY_ARE) for f in (each_picture_of_length_one, greys_divided)),
            Mistake(greys_divided_where_there_are_any, AS_THEY_ARE),
            *(Mistake(f, SQUARES_CANCEL) for f in (squares_expanded, squares_expanded_unguarded, by_cdist)),
            Mistake(itself_left_out, "A distance of 0 is just what is looked for: a picture learnt by heart. Keep it."),
        ),
        not_allowed=(
            "course_utils.metrics",
            "course_utils.cnn",
            "sklearn.metrics",
            "sklearn.neighbors",
            "scipy.spatial.KDTree",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=extrapolated,
        trial=the_limit,
        minutes=8,
        difficulty=2,
        tolerance=1e-3,
        optional=True,
        cases=lambda draw: [
            Case("5 + 1000 / n", *measured_with((100, 15), (200, 10), (400, 7.5), (1000, 6))),
            Case("two sizes", *measured_with((500, 14), (2000, 5))),
            Case("no bias at all", *measured_with((100, 3), (200, 3), (500, 3))),
            Case("with noise", *measured_with((100, 24), (200, 16.5), (500, 8.5), (1000, 8), (5000, 6.2))),
            Case("not in order", *measured_with((500, 8), (100, 26), (5000, 5.5), (200, 14), (1000, 7.5))),
            Case("the line ends below zero", *measured_with((250, 4.1), (500, 1.9), (1000, 0.6), (4000, 0.3))),
            Case("small distances", *measured_with((250, 0.95), (1000, 0.31), (4000, 0.16), (10000, 0.1))),
        ],
        drawn=drawn_measurements,
        hints=(
            "Plot the distances over 1 / n: they lie nearly on a line. Where is n = infinity on that axis?",
            "With x = 1 / sizes, the line's slope is the sum of (x - mean x)(d - mean d) over that of (x - mean x)^2.",
            "The line passes through (mean x, mean d): go from there along the slope to x = 0.",
        ),
        mistakes=(
            *(Mistake(f, ONE_OVER_N) for f in (line_in_n, line_in_the_root, line_in_the_logarithm)),
            *(Mistake(f, INTERCEPT) for f in (slope_of_the_line, height_at_one_sample, slope_through_zero)),
            *(
                Mistake(f, MEASURED_STILL)
                for f in (
                    last_one_measured,
                    distance_at_the_largest_size,
                    smallest_distance,
                    mean_of_the_distances,
                )
            ),
            Mistake(
                height_at_the_largest_size,
                "That is the line's height at the largest n, where bias is left: follow it on to 1 / n = 0.",
            ),
            *(
                Mistake(f, EVERY_POINT)
                for f in (
                    through_the_two_ends,
                    through_smallest_and_largest,
                    through_the_last_two,
                    through_the_two_largest,
                )
            ),
            Mistake(line_through_zero, "The line need not pass through 0: its height there is what is looked for."),
            Mistake(taken_at_the_mean_size, "The mean of 1 / n is not 1 / (mean of n): average after dividing."),
            Mistake(axes_swapped, "The axes are swapped: the distance is the height, 1 / n goes to the right."),
            Mistake(wrong_sign_of_the_slope, "From the mean to 0 is a step to the left: the slope counts with minus."),
            *(Mistake(f, BELOW_NOTHING) for f in (never_below_zero, without_its_sign)),
            Mistake(parabola, "A parabola follows the noise: a straight line in 1 / n is asked for."),
            Mistake(weighed_by_size, "Every measurement counts alike here: no weights."),
        ),
        not_allowed=("course_utils.metrics", "course_utils.cnn"),
    ),
)
