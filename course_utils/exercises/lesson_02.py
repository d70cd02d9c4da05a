"""The exercises of lesson 02: how much each token looks at each other one, and what it takes home."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .exercise import Case, Draw, Exercise, Mistake

LESSON = "02_attention"


# --- softmax --------------------------------------------------------------------------------------------------


def softmax(x, dim):
    """Any shape -> the same: along dim the shares sum to 1, for very large and very small scores too

    Gradients flow back to the scores.
    """
    powers = (x - x.amax(dim, keepdim=True)).exp()  # the largest power is 1: nothing overflows, no sum is 0
    return powers / powers.sum(dim, keepdim=True)


def no_shift(x, dim):
    return x.exp() / x.exp().sum(dim, keepdim=True)


def maximum_of_everything(x, dim):
    powers = (x - x.max()).exp()
    return powers / powers.sum(dim, keepdim=True)


def shift_by_the_mean(x, dim):
    powers = (x - x.mean(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def scores_clamped(x, dim):
    powers = x.clamp(-80, 80).exp()
    return powers / powers.sum(dim, keepdim=True)


def zero_by_zero_hidden(x, dim):
    powers = x.exp()
    return powers / (powers.sum(dim, keepdim=True) + 1e-8)


def sum_without_keepdim(x, dim):
    powers = (x - x.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim)


def maximum_without_keepdim(x, dim):
    powers = (x - x.amax(dim)).exp()
    return powers / powers.sum(dim, keepdim=True)


def both_without_keepdim(x, dim):
    powers = (x - x.amax(dim)).exp()
    return powers / powers.sum(dim)


def maximum_by_max_without_keepdim(x, dim):
    powers = (x - x.max(dim).values).exp()  # as above, but of equal scores one alone gets the gradient
    return powers / powers.sum(dim, keepdim=True)


def both_by_max_without_keepdim(x, dim):
    powers = (x - x.max(dim).values).exp()
    return powers / powers.sum(dim)


def one_sum_for_everything(x, dim):
    powers = (x - x.max()).exp()
    return powers / powers.sum()


def always_the_last_axis(x, dim):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


def always_the_first_axis(x, dim):
    powers = (x - x.amax(0, keepdim=True)).exp()
    return powers / powers.sum(0, keepdim=True)


def always_axis_one(x, dim):
    powers = (x - x.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


def maximum_and_values(x, dim):
    powers = (x - x.max(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def shares_of_the_scores(x, dim):
    return x / x.sum(dim, keepdim=True)


def logarithm_of_the_shares(x, dim):
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def powers_not_shared(x, dim):
    return (x - x.amax(dim, keepdim=True)).exp()


def smallest_score_wins(x, dim):
    powers = (x.amin(dim, keepdim=True) - x).exp()
    return powers / powers.sum(dim, keepdim=True)


def each_score_by_itself(x, dim):
    return torch.sigmoid(x)


def softmax_detached(x, dim):
    x = x.detach()
    powers = (x - x.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def scores_shifted_in_place(x, dim):
    x -= x.amax(dim, keepdim=True)
    return x.exp() / x.exp().sum(dim, keepdim=True)


def drawn_scores(draw: Draw) -> tuple[Tensor, int]:
    """One to four axes, near 0 or far from it; float64 now and then, and axes that lie in another order in memory."""
    x = draw(*(draw.whole(1, 4) for _ in range(draw.whole(1, 4))))
    x = x * (1, 1, 5, 100)[draw.whole(0, 3)] + (0, 0, 500, -500)[draw.whole(0, 3)]
    if draw.whole(0, 1):
        x = x.transpose(0, -1)
    if draw.whole(0, 2) == 0:
        x = x.double()
    return x, draw.whole(-x.dim(), x.dim() - 1)


# --- scaled_dot_product_attention -----------------------------------------------------------------------------


def scaled_dot_product_attention(q, k, v, mask):
    """(..., L, d), (..., S, d), (..., S, dv), mask -> (..., L, dv): for each query a mix of the values

    mask: None, or bool, True = may look, of a shape that stretches to (..., L, S). Each query may look at one key at
    least.
    """
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (..., L, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)  # e^(-inf) = 0
    return torch.softmax(scores, dim=-1) @ v


def no_scale(q, k, v, mask):
    scores = q @ k.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def divided_by_the_width(q, k, v, mask):
    scores = q @ k.mT / q.shape[-1]
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def root_of_the_number_of_keys(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(k.shape[-2])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def root_of_the_value_width(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(v.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def softmax_over_the_queries(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-2) @ v


def softmax_along_axis_one(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=1) @ v


def no_softmax(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, 0)
    return scores @ v


def weights_without_values(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1)


def first_two_axes_turned(q, k, v, mask):
    scores = q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def second_and_third_axes_turned(q, k, v, mask):
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def keys_not_turned(q, k, v, mask):
    scores = q @ k / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def scores_times_the_mask(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores * mask
    return torch.softmax(scores, dim=-1) @ v


def filled_with_almost_zero(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, 1e-9)
    return torch.softmax(scores, dim=-1) @ v


def filled_with_minus_a_hundred(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -100)
    return torch.softmax(scores, dim=-1) @ v


def filled_with_minus_ten(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -10)
    return torch.softmax(scores, dim=-1) @ v


def mask_added(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, dim=-1) @ v


def infinity_times_zero(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores + (~mask) * -math.inf
    return torch.softmax(scores, dim=-1) @ v


def mask_the_wrong_way_round(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def mask_forgotten(q, k, v, mask):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1) @ v


def mask_always_there(q, k, v, mask):
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def mask_asked_for_its_truth(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def weights_masked(q, k, v, mask):
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v


def weights_masked_and_shared_out_again(q, k, v, mask):
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights @ v


def powers_without_a_shift(q, k, v, mask):
    powers = (q @ k.mT / math.sqrt(q.shape[-1])).exp()
    if mask is not None:
        powers = powers * mask
    return powers / powers.sum(dim=-1, keepdim=True) @ v


def attention_detached(q, k, v, mask):
    scores = q.detach() @ k.detach().mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def queries_scaled_in_place(q, k, v, mask):
    q /= math.sqrt(q.shape[-1])
    scores = q @ k.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def some_may_look(draw: Draw, *shape: int) -> Tensor:
    """A bool mask in which each row is True somewhere."""
    chance = draw(*shape)
    return (chance > 0) | (chance == chance.amax(dim=-1, keepdim=True))


def drawn_attention(draw: Draw) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Up to two axes before queries and keys, masks of several shapes or none; float64 now and then."""
    batch = [draw.whole(1, 3) for _ in range(draw.whole(0, 2))]
    queries, keys, width, value_width = (draw.whole(1, 6) for _ in range(4))
    q = draw(*batch, queries, width)
    k = draw(*batch, width, keys).mT  # as it lies in memory, a transposed matrix
    v = draw(*batch, keys, value_width)
    if draw.whole(0, 2) == 0:
        q, k, v = q.double(), k.double(), v.double()
    shapes = (None, (queries, keys), (*batch, queries, keys), (*(1 for _ in batch), 1, keys))
    shape = shapes[draw.whole(0, 3)]
    return q, k, v, None if shape is None else some_may_look(draw, *shape)


# --- causal_mask ----------------------------------------------------------------------------------------------


def causal_mask(L, S):
    """Queries, keys -> bool (L, S), True = may look: query i may look at the keys 0, 1, ..., i"""
    return torch.ones(L, S, dtype=torch.bool).tril()


def upper_triangle(L, S):
    return torch.ones(L, S, dtype=torch.bool).triu()


def inverted(L, S):
    return ~torch.ones(L, S, dtype=torch.bool).tril()


def not_even_itself(L, S):
    return torch.ones(L, S, dtype=torch.bool).tril(diagonal=-1)


def one_key_ahead(L, S):
    return torch.ones(L, S, dtype=torch.bool).tril(diagonal=1)


def ones_and_zeros(L, S):
    return torch.ones(L, S).tril()


def zero_and_minus_infinity(L, S):
    return torch.full((L, S), -math.inf).triu(diagonal=1)


def aligned_bottom_right(L, S):
    return torch.ones(L, S, dtype=torch.bool).tril(diagonal=S - L)


def square_of_the_queries(L, S):
    return torch.ones(L, L, dtype=torch.bool).tril()


def square_of_the_keys(L, S):
    return torch.ones(S, S, dtype=torch.bool).tril()


def keys_by_queries(L, S):
    return torch.ones(S, L, dtype=torch.bool).tril()


def only_itself(L, S):
    return torch.eye(L, S, dtype=torch.bool)


def everything_allowed(L, S):
    return torch.ones(L, S, dtype=torch.bool)


def lists_of_bools(L, S):
    return [[key <= query for key in range(S)] for query in range(L)]


# --- multi_head_attention -------------------------------------------------------------------------------------


def multi_head_attention(q, k, v, heads):
    """(N, L, D), (N, S, D), (N, S, D) -> (N, L, D): attention in each of the heads, side by side again

    heads divides D. Head 0 gets the first D / heads numbers of each token, head 1 the next, and so on. In each head
    scores are divided by the root of D / heads. No projections, no mask.
    """
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # (N, heads, L or S, D / heads)
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)  # (N, heads, L, S)
    return (weights @ v).transpose(1, 2).flatten(2)


def tokens_shared_out_by_view(q, k, v, heads):
    n, _, width = q.shape
    q, k, v = (x.reshape(n, heads, -1, width // heads) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def tokens_shared_out_and_back(q, k, v, heads):
    shape, (n, _, width) = q.shape, q.shape
    q, k, v = (x.reshape(n, heads, -1, width // heads) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).reshape(shape)


def joined_without_moving_back(q, k, v, heads):
    shape = q.shape
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).reshape(shape)


def joined_by_view(q, k, v, heads):
    shape = q.shape
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).view(shape)


def tokens_cut_into_chunks(q, k, v, heads):
    results = []
    for a, b, c in zip(q.chunk(heads, dim=1), k.chunk(heads, dim=1), v.chunk(heads, dim=1), strict=False):
        weights = torch.softmax(a @ b.mT / math.sqrt(q.shape[-1] // heads), dim=-1)
        results.append(weights @ c)
    return torch.cat(results, dim=1)


def root_of_the_whole_width(q, k, v, heads):
    scale = math.sqrt(q.shape[-1])
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / scale, dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def root_of_the_heads(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(heads), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def heads_without_scale(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT, dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def heads_averaged(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).mean(dim=1)


def weights_averaged_over_heads(q, k, v, heads):
    q, k = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return weights.mean(dim=1) @ v


def one_large_head(q, k, v, heads):
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return weights @ v


def columns_dealt_out(q, k, v, heads):
    q, k, v = (x.unflatten(2, (-1, heads)).permute(0, 3, 1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).permute(0, 2, 3, 1).flatten(2)


def heads_look_at_heads(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).flatten(2)


def heads_one_below_the_other(q, k, v, heads):
    results = []
    for a, b, c in zip(q.chunk(heads, dim=-1), k.chunk(heads, dim=-1), v.chunk(heads, dim=-1), strict=True):
        results.append(torch.softmax(a @ b.mT / math.sqrt(a.shape[-1]), dim=-1) @ c)
    return torch.cat(results, dim=1)


def heads_left_apart(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return weights @ v


def heads_over_the_queries(q, k, v, heads):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-2)
    return (weights @ v).transpose(1, 2).flatten(2)


def heads_and_width_exchanged(q, k, v, heads):
    q, k, v = (x.unflatten(2, (x.shape[2] // heads, heads)).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def as_wide_as_there_are_heads(q, k, v, heads):
    results = []
    for a, b, c in zip(*(x.split(heads, dim=-1) for x in (q, k, v)), strict=True):
        results.append(torch.softmax(a @ b.mT / math.sqrt(a.shape[-1]), dim=-1) @ c)
    return torch.cat(results, dim=-1)


def width_of_a_head_as_a_float(q, k, v, heads):
    n, _, width = q.shape
    q, k, v = (x.reshape(n, -1, heads, width / heads).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def as_many_keys_as_queries(q, k, v, heads):
    shape = (*q.shape[:2], heads, q.shape[2] // heads)
    q, k, v = (x.reshape(shape).transpose(1, 2) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def tokens_that_find_themselves() -> tuple[Tensor, Tensor, Tensor, int]:
    """Three tokens, in both heads so far apart that each gives itself all its weight: the values should come back."""
    corners = 20 * torch.tensor([[[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, -1.0, 0.0], [-1.0, 0.0, 0.0, -1.0]]])
    return corners, corners.clone(), torch.arange(12.0).view(1, 3, 4), 2


def heads_without_fused_kernels(multi_head_attention: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """The answer, if with F.scaled_dot_product_attention then with the version of it that looks at shapes.

    The fused one for processors does not: where there are more values than keys it reads, and its gradient writes,
    beyond the end of the keys, and the kernel dies (github.com/pytorch/pytorch/pull/193728).
    """
    with sdpa_kernel(SDPBackend.MATH):
        return multi_head_attention(q, k, v, heads)


def drawn_heads(draw: Draw) -> tuple[Tensor, Tensor, Tensor, int]:
    """As many keys as queries or not; float64 now and then, and axes that lie in another order in memory."""
    n, queries, heads, width = draw.whole(1, 3), draw.whole(1, 5), draw.whole(1, 4), draw.whole(1, 4)
    keys = queries if draw.whole(0, 1) else draw.whole(1, 5)
    q, k, v = (draw(n, heads * width, tokens).mT for tokens in (queries, keys, keys))
    if draw.whole(0, 2) == 0:
        q, k, v = q.double(), k.double(), v.double()
    return q, k, v, heads


# --- attention_weights: find the fault ------------------------------------------------------------------------


def attention_weights(q, k):
    """(..., L, d), (..., S, d) -> (..., L, S): how much each query looks at each key; each row sums to 1"""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores, dim=-1)


def shares_among_the_queries(q, k):
    """(..., L, d), (..., S, d) -> (..., L, S): how much each query looks at each key; each row sums to 1"""
    scores = q @ k.mT
    return torch.softmax(scores, dim=-2)


def the_fault_in_one_line(q, k):
    return (q @ k.mT).softmax(-2)


def only_the_scale_mended(q, k):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores, dim=-2)


def only_the_axis_mended(q, k):
    scores = q @ k.mT
    return torch.softmax(scores, dim=-1)


def scaled_by_the_width_itself(q, k):
    scores = q @ k.mT / q.shape[-1]
    return torch.softmax(scores, dim=-1)


def scaled_by_the_keys(q, k):
    scores = q @ k.mT / math.sqrt(k.shape[-2])
    return torch.softmax(scores, dim=-1)


def scaled_after_the_softmax(q, k):
    return torch.softmax(q @ k.mT, dim=-1) / math.sqrt(q.shape[-1])


def scaled_by_a_fixed_width(q, k):
    scores = q @ k.mT / math.sqrt(64)
    return torch.softmax(scores, dim=-1)


def axis_one(q, k):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores, dim=1)


def rows_made_to_sum_to_one(q, k):
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-2)
    return weights / weights.sum(dim=-1, keepdim=True)


def shares_without_a_shift(q, k):
    powers = (q @ k.mT / math.sqrt(q.shape[-1])).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def scaled_in_place(q, k):
    q /= math.sqrt(q.shape[-1])
    return torch.softmax(q @ k.mT, dim=-1)


def keys_look_at_queries(q, k):
    scores = k @ q.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores, dim=-1)


def all_pairs_share_one(q, k):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores.flatten(-2), dim=-1).view(scores.shape)


def drawn_queries_and_keys(draw: Draw) -> tuple[Tensor, Tensor]:
    q, k, _, _ = drawn_attention(draw)
    return q, k


# --- sinusoidal_positions -------------------------------------------------------------------------------------


def sinusoidal_positions(n, d):
    """n positions, d numbers each (even) -> (n, d) float32, row p: sin(p f0), cos(p f0), sin(p f1), cos(p f1), ...

    The frequencies fall from pair to pair: f_i = 10000^(-2i/d), i = 0, 1, ..., d/2 - 1.
    """
    frequencies = 10000 ** (-torch.arange(0, d, 2) / d)  # (d / 2,), the step of 2 makes 2i
    angles = torch.arange(n)[:, None] * frequencies  # (n, d / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)  # (n, d / 2, 2) -> (n, d)


def a_frequency_for_each_column(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(d) / d)
    code = torch.zeros(n, d)
    code[:, 0::2] = angles[:, 0::2].sin()
    code[:, 1::2] = angles[:, 1::2].cos()
    return code


def number_of_the_pair(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(d // 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def frequencies_that_grow(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def twice_the_column(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-2 * torch.arange(d) / d)
    code = torch.zeros(n, d)
    code[:, 0::2] = angles[:, 0::2].sin()
    code[:, 1::2] = angles[:, 1::2].cos()
    return code


def exponent_rounded_down(n, d):
    angles = torch.arange(n)[:, None] * 10000.0 ** (-(torch.arange(0, d, 2) // d))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def logarithm_forgotten(n, d):
    angles = torch.arange(n)[:, None] * torch.exp(-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def down_to_the_very_last(n, d):
    angles = torch.arange(n)[:, None] * torch.logspace(0, -4, d // 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def cosine_first(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)


def block_of_sines_first(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sines_alone(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return angles.sin().repeat_interleave(2, dim=1)


def half_as_wide(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return angles.sin()


def positions_from_one(n, d):
    angles = torch.arange(1, n + 1)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def positions_as_shares(n, d):
    angles = torch.arange(n)[:, None] / n * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def whole_turns(n, d):
    angles = 2 * math.pi * torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def positions_along_the_columns(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).T


def code_in_float64(n, d):
    angles = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# --- padding_mask ---------------------------------------------------------------------------------------------


def padding_mask(lengths, S):
    """(N,) int64, how many real tokens; tokens with padding -> (N, 1, 1, S) bool, True = real: may be looked at

    The real tokens stand first. The two ones are there for heads and queries.
    """
    real = torch.arange(S) < lengths[:, None]  # (N, S)
    return real[:, None, None, :]


def pictures_by_tokens(lengths, S):
    return torch.arange(S) < lengths[:, None]


def pictures_along_the_queries(lengths, S):
    return (torch.arange(S) < lengths[:, None])[None, None]


def one_axis_too_few(lengths, S):
    return (torch.arange(S) < lengths[:, None])[:, None, :]


def queries_blocked(lengths, S):
    return (torch.arange(S) < lengths[:, None])[:, None, :, None]


def heads_blocked(lengths, S):
    return (torch.arange(S) < lengths[:, None])[:, :, None, None]


def stretched_to_all_queries(lengths, S):
    return (torch.arange(S) < lengths[:, None])[:, None, None, :].expand(-1, 1, S, S)


def real_tokens_look_at_real_tokens(lengths, S):
    real = torch.arange(S) < lengths[:, None]
    return (real[:, :, None] & real[:, None, :])[:, None]


def one_padded_token_visible(lengths, S):
    return (torch.arange(S) <= lengths[:, None])[:, None, None, :]


def last_real_token_hidden(lengths, S):
    return (torch.arange(S) < lengths[:, None] - 1)[:, None, None, :]


def counted_from_one(lengths, S):
    return (torch.arange(1, S + 1) < lengths[:, None])[:, None, None, :]


def true_for_padding(lengths, S):
    return (torch.arange(S) >= lengths[:, None])[:, None, None, :]


def true_beyond_the_length(lengths, S):
    return (torch.arange(S) > lengths[:, None])[:, None, None, :]


def as_wide_as_the_longest(lengths, S):
    return (torch.arange(lengths.max()) < lengths[:, None])[:, None, None, :]


def real_ones_and_zeros(lengths, S):
    return (torch.arange(S) < lengths[:, None])[:, None, None, :].float()


def padding_first(lengths, S):
    return (torch.arange(S) >= S - lengths[:, None])[:, None, None, :]


def the_last_real_one_alone(lengths, S):
    return (torch.arange(S) == lengths[:, None] - 1)[:, None, None, :]


def lengths_against_themselves(lengths, S):
    return (torch.arange(S) < lengths).expand(len(lengths), -1)[:, None, None, :]


# --- left_neighbour -------------------------------------------------------------------------------------------


def left_neighbour(positions):
    """(n, d) sinusoidal code of the positions 0, 1, ..., n - 1, d >= 8 -> two (d, d) matrices w_q, w_k

    With scores = (positions @ w_q) @ (positions @ w_k).T / sqrt(d) and a softmax over the keys, query p should give
    the key p - 1 a weight of 0.9 or more, for each p from 1 on.
    """
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        turn = [[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]]  # sin(a), cos(a) -> sin(a - f), cos(a - f)
        w_q[i : i + 2, i : i + 2] = torch.tensor(turn)
    return 100 * w_q, torch.eye(d)


def looks_to_the_right(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_q[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), -math.sin(f)], [math.sin(f), math.cos(f)]])
    return 100 * w_q, torch.eye(d)


def keys_turned_instead(positions):
    d = positions.shape[1]
    w_k = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_k[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 100 * torch.eye(d), w_k


def a_little_too_cool(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_q[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 20 * w_q, torch.eye(d)


def nearly_firm_enough(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_q[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 30 * w_q, torch.eye(d)


def too_cool(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_q[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return w_q, torch.eye(d)


def looks_at_itself(positions):
    d = positions.shape[1]
    return 100 * torch.eye(d), torch.eye(d)


def both_turned_alike(positions):
    d = positions.shape[1]
    w = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 100 * w, w


def both_turned_against_each_other(positions):
    d = positions.shape[1]
    w = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 100 * w, w.T


def looks_at_the_first(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    w_q[-1, 1::2] = 100.0
    return w_q, torch.eye(d)


def one_angle_for_all_pairs(positions):
    d = positions.shape[1]
    turn = torch.tensor([[math.cos(1), math.sin(1)], [-math.sin(1), math.cos(1)]])
    return 100 * torch.block_diag(*[turn] * (d // 2)), torch.eye(d)


def first_pair_alone(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    w_q[:2, :2] = torch.tensor([[math.cos(1), math.sin(1)], [-math.sin(1), math.cos(1)]])
    return 100 * w_q, torch.eye(d)


def no_minus(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w_q[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [math.sin(f), math.cos(f)]])
    return 100 * w_q, torch.eye(d)


def pairs_half_a_code_apart(positions):
    d = positions.shape[1]
    w_q = torch.zeros(d, d)
    for i in range(d // 2):
        f, j = 10000 ** (-2 * i / d), i + d // 2
        w_q[i, i], w_q[i, j], w_q[j, i], w_q[j, j] = math.cos(f), math.sin(f), -math.sin(f), math.cos(f)
    return 100 * w_q, torch.eye(d)


def columns_moved_by_one(positions):
    d = positions.shape[1]
    return 100 * torch.eye(d).roll(1, 0), torch.eye(d)


def positions_moved_by_one(positions):
    n = positions.shape[0]
    return 100 * torch.diag(torch.ones(n - 1), -1), torch.eye(n)


def one_matrix_for_both(positions):
    d = positions.shape[1]
    w = torch.zeros(d, d)
    for i in range(0, d, 2):
        f = 10000 ** (-i / d)
        w[i : i + 2, i : i + 2] = torch.tensor([[math.cos(f), math.sin(f)], [-math.sin(f), math.cos(f)]])
    return 100 * w


def a_head_over_positions(pair: object, positions: Tensor) -> dict | None:
    """Where a head with the two matrices looks: any two that do what is asked are right."""
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError("two matrices are asked for: end with `return w_q, w_k`")
    d = positions.shape[1]
    for name, matrix in zip(("w_q", "w_k"), pair, strict=True):
        if not isinstance(matrix, Tensor):
            raise TypeError(f"{name} should be a tensor, yours is a {type(matrix).__name__}")
        if matrix.shape != (d, d):
            raise ValueError(f"{name} should have the shape (d, d) = {(d, d)}, yours has {tuple(matrix.shape)}")
    w_q, w_k = pair
    weights = torch.softmax((positions @ w_q) @ (positions @ w_k).T / math.sqrt(d), dim=-1)
    enough = bool((weights.diagonal(offset=-1) >= 0.9).all())  # below the diagonal: query p, key p - 1
    return {
        "the matrices hold": "numbers" if w_q.isfinite().all() and w_k.isfinite().all() else "infinity or nan",
        "the keys that queries 1, 2, ... look at most": weights[1:].argmax(dim=-1),
        "the left neighbour's weight is 0.9 or more": "for each query" if enough else "not for each query",
    }


KEEPDIM = "Your sums or maxima lie along the wrong axis: `keepdim=True` holds them in place."
ALONG_DIM = "The axis is given as `dim`, and may count from the end; yours is always the same."
WHICH_WIDTH = "The sum in q.k runs over the d numbers of a key: that is the d whose root counts."
ZERO_IS_NOT_NO = 'A score of 0 is not "no": e^0 = 1 still gets weight. A blocked score is minus infinity.'
LAST_TWO_AXES = (
    "Only the keys' last two axes change places, whatever stands before them: `k.mT`, or `.transpose(-2, -1)`."
)
ONE_KEY_FROM_THE_MASK = "No mask is None: ask `mask is not None` first, and then use its numbers, not its truth."
NO_GRADIENT = (
    "The values are right, but nothing can be learnt through numbers that were cut off from the scores, as by "
    "`detach`, `.data`, `torch.tensor(...)` or `no_grad`."
)
QUERIES_CHANGED = (
    "What is written in place (`/=`, `*=`, `div_`) changes the caller's queries: `q / ...` makes new ones."
)
BOOL = "A mask of numbers is *added* to the scores, where 0 and 1 hardly block anything: return bool."
ROWS_ARE_QUERIES = "The shape is (L, S): a row for each query, a column for each key."
SPLIT_THE_WIDTH = (
    "Your first head got the first tokens, whole: each head should get a part of the *width* of every token. Split the "
    "last axis, then move the new one."
)
SIDE_BY_SIDE = "Heads are laid side by side, so that all they have found stays there: join them along the width."
OWN_LOOK = "Each head has a look of its own: scores and softmax are computed in each head."
ASKED_ORDER = "As good a code as ours, but in another order: sin, cos, sin, cos, ... is asked for."
LINES_UP = (
    "Shapes align from the right: against (N, heads, L, S) the axis of sequences would not meet the first. Put in one "
    "axis for the heads and one for the queries."
)
BOUND = "Token number 0 is the first: with a length of 3 the tokens 0, 1 and 2 are real, those *below* the length."
REAL_IS_TRUE = "True should mark the real tokens."
TURNED_FORWARDS = "It looks to the right: turn the other way, by transposing your matrix or exchanging w_q and w_k."
AT_ITSELF = "Each query looks at itself: turn the queries by one position, and leave the keys as they are."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=softmax,
        minutes=8,
        difficulty=2,
        gradients=True,
        cases=lambda draw: [
            Case("three scores in a row", torch.tensor([[0.0, 1.0, 2.0]]), 1),
            Case("large scores", torch.tensor([[1000.0, 1001.0]]), 1),
            Case("one row near 0, one near -1000", torch.tensor([[0.0, 1.0], [-1000.0, -999.0]]), 1),
            Case("scores far apart", torch.tensor([[-200.0, 0.0, 200.0], [200.0, 199.0, -200.0]]), 1),
            Case("as many rows as columns", torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 0.0], [1.0, 0.0, 4.0]]), 1),
            Case("down the columns", torch.tensor([[0.0, 1.0, 2.0], [1.0, 1.0, 0.0]]), 0),
            Case("a blocked score", torch.tensor([[0.0, -math.inf, 1.0], [2.0, 1.0, -math.inf]]), 1),
            Case("one axis", torch.tensor([1.0, 3.0, 2.0, 3.0]), 0),
            Case("the middle one of three axes", draw(2, 3, 4), 1),
            Case("an axis counted from the end", draw(3, 2, 4), -2),
            Case("float64", 3 * draw(2, 5).double(), -1),
        ],
        drawn=drawn_scores,
        hints=(
            "Shares are powers divided by their sum: e^x is positive for each x.",
            "e^(x - c) = e^x / e^c: taking the same c off each score changes no share. Which c stops every overflow?",
            "`x.amax(dim, keepdim=True)` is the largest score of each slice, in a shape that stretches over x.",
        ),
        mistakes=(
            Mistake(
                no_shift,
                "e^1000 is too large for any float, and e^(-1000) is 0, so that 0/0 follows: take the largest score "
                "off first.",
            ),
            Mistake(
                maximum_of_everything,
                "Each slice needs its own maximum: far below another's, all its powers are 0, and 0/0 follows.",
            ),
            Mistake(shift_by_the_mean, "Take off the largest, not the mean: then no power is above 1."),
            Mistake(
                scores_clamped, "Clamped scores are equal where the scores were not: take the largest off instead."
            ),
            Mistake(
                zero_by_zero_hidden,
                "Where all powers have become 0, a small number below the line does not bring the shares back: take "
                "the largest score off first.",
            ),
            *(
                Mistake(f, KEEPDIM)
                for f in (
                    sum_without_keepdim,
                    maximum_without_keepdim,
                    both_without_keepdim,
                    maximum_by_max_without_keepdim,
                    both_by_max_without_keepdim,
                )
            ),
            Mistake(one_sum_for_everything, "Everything together sums to 1: each slice along `dim` should."),
            *(Mistake(f, ALONG_DIM) for f in (always_the_last_axis, always_the_first_axis, always_axis_one)),
            Mistake(
                maximum_and_values,
                "`x.max(dim)` gives two things, the values and where they stand: take `.values`, or use `amax`.",
            ),
            Mistake(shares_of_the_scores, "Scores may be negative, shares may not: exponentials come first."),
            Mistake(logarithm_of_the_shares, "These are the logarithms of the shares: an `exp` is missing."),
            Mistake(powers_not_shared, "These are the powers: divide them by their sum along `dim`."),
            Mistake(smallest_score_wins, "The sign is turned: the largest score should get the largest share."),
            Mistake(
                each_score_by_itself,
                "Sigmoid looks at each score by itself; in a softmax the scores of a slice compete for a whole of 1.",
            ),
            Mistake(softmax_detached, NO_GRADIENT),
            Mistake(
                scores_shifted_in_place,
                "That changes the caller's tensor: `x - ...` makes a new one, `x -= ...` does not.",
            ),
        ),
        not_allowed=(
            "course_utils.attention",
            "torch.softmax",
            "torch.Tensor.softmax",
            "torch.nn.functional.softmax",
            "torch.nn.functional.softmin",
            "torch.special.softmax",
            "torch.log_softmax",
            "torch.Tensor.log_softmax",
            "torch.nn.functional.log_softmax",
            "torch.special.log_softmax",
            "torch.logsumexp",
            "torch.Tensor.logsumexp",
            "torch.special.logsumexp",
            "torch.logcumsumexp",
            "torch.Tensor.logcumsumexp",
            "torch.nn.functional.scaled_dot_product_attention",
            "scipy.special.softmax",
            "scipy.special.log_softmax",
            "scipy.special.logsumexp",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=scaled_dot_product_attention,
        tolerance=1e-6,  # a root that torch.tensor(d) keeps in single precision is no mistake
        minutes=12,
        difficulty=3,
        gradients=True,
        cases=lambda draw: [
            Case(
                "one query, two keys",
                torch.tensor([[1.0, 1.0, 1.0, 1.0]]),
                torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[10.0], [20.0]]),
                None,
            ),
            Case(
                "one query, three keys, the last one blocked",
                torch.tensor([[2.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[10.0, 1.0], [20.0, 2.0], [90.0, 9.0]]),
                torch.tensor([[True, True, False]]),
            ),
            Case("two queries, three keys, values of another width", draw(2, 4), draw(3, 4), draw(3, 5), None),
            Case("64 numbers in each key", draw(3, 64), draw(5, 64), draw(5, 2), None),
            Case("a batch of two, as many queries as keys", draw(2, 3, 8), draw(2, 3, 8), draw(2, 3, 8), None),
            Case(
                "a batch of one and two heads, one mask for all",
                draw(1, 2, 3, 6),
                draw(1, 2, 4, 6),
                draw(1, 2, 4, 2),
                torch.tensor([[True, False, True, True], [False, True, False, False], [True, True, True, True]]),
            ),
            Case(
                "a mask for each sequence's keys",
                draw(2, 3, 4, 2),
                draw(2, 3, 5, 2),
                draw(2, 3, 5, 3),
                torch.tensor([[[[True, True, True, False, False]]], [[[True, True, True, True, False]]]]),
            ),
            Case(
                "the best key is blocked",
                torch.tensor([[60.0, 0.0, 0.0, 0.0], [-60.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[-60.0, 0.0, 0.0, 0.0], [60.0, 0.0, 0.0, 0.0], [-62.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[1.0], [5.0], [2.0]]),
                torch.tensor([[True, False, True], [True, True, False]]),
            ),
            Case(
                "large scores",
                torch.tensor([[40.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[40.0, 0.0, 0.0, 0.0], [38.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[1.0], [5.0]]),
                None,
            ),
            Case(
                "as many keys as numbers in each, float64",
                draw(2, 4).double(),
                draw(4, 4).double(),
                draw(4, 2).double(),
                some_may_look(draw, 2, 4),
            ),
        ],
        drawn=drawn_attention,
        hints=(
            "All products of queries and keys at once: `q @ k.mT` is (..., L, S), a row for each query.",
            "Divide the scores by the root of d, the width of a key, and put minus infinity where the mask is False.",
            "`torch.softmax` along the keys turns a row of scores into weights; the weights times v is the mix.",
        ),
        mistakes=(
            Mistake(
                no_scale,
                "No scale: where q and k have variance 1, the scores' spread grows like the root of d, and the weights "
                "become nearly one-hot.",
            ),
            Mistake(divided_by_the_width, "That flattens too much: the *standard deviation* of q.k is the root of d."),
            *(Mistake(f, WHICH_WIDTH) for f in (root_of_the_number_of_keys, root_of_the_value_width)),
            Mistake(
                softmax_over_the_queries,
                "Each key shares itself out among the queries; each *query* should share its look among the keys.",
            ),
            Mistake(
                softmax_along_axis_one,
                "The keys are the last axis of the scores, however many stand before it: count from the end.",
            ),
            Mistake(no_softmax, "Scores may be negative and sum to anything: a softmax turns them into weights."),
            Mistake(weights_without_values, "These are the weights: the values, mixed by them, are asked for."),
            *(
                Mistake(f, LAST_TWO_AXES)
                for f in (first_two_axes_turned, second_and_third_axes_turned, keys_not_turned)
            ),
            *(Mistake(f, ZERO_IS_NOT_NO) for f in (scores_times_the_mask, filled_with_almost_zero)),
            Mistake(
                infinity_times_zero, "0 times infinity is nan: `masked_fill` writes the infinity only where it belongs."
            ),
            *(
                Mistake(f, "That is low, but a score may be lower: only minus infinity never gets weight.")
                for f in (filled_with_minus_ten, filled_with_minus_a_hundred)
            ),
            Mistake(
                mask_added,
                "Added, True counts 1 and False 0: that hardly blocks anything. Where it is False, minus infinity.",
            ),
            Mistake(mask_the_wrong_way_round, 'True means "may look": you blocked the keys that are allowed.'),
            Mistake(mask_forgotten, "The mask is not used: where it is False, the key may get no weight."),
            *(Mistake(f, ONE_KEY_FROM_THE_MASK) for f in (mask_always_there, mask_asked_for_its_truth)),
            Mistake(
                weights_masked,
                "The weights were blocked after they had been shared out: what is left no longer sums to 1.",
            ),
            Mistake(
                weights_masked_and_shared_out_again,
                "A blocked key may hold so much weight that nothing is left of the others: block the scores, before "
                "the softmax.",
            ),
            Mistake(
                powers_without_a_shift,
                "With large scores exp overflows: leave the powers to `torch.softmax`, which takes the largest off.",
            ),
            Mistake(attention_detached, NO_GRADIENT),
            Mistake(queries_scaled_in_place, QUERIES_CHANGED),
        ),
        not_allowed=(
            "course_utils.attention",
            "torch.nn.functional.scaled_dot_product_attention",
            "torch.nn.functional.multi_head_attention_forward",
            "torch.nn.MultiheadAttention.forward",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=causal_mask,
        minutes=5,
        difficulty=1,
        cases=lambda draw: [
            Case("four queries, four keys", 4, 4),
            Case("two queries, five keys", 2, 5),
            Case("five queries, three keys", 5, 3),
            Case("one query, one key", 1, 1),
            Case("one query, three keys", 1, 3),
        ],
        drawn=lambda draw: (draw.whole(1, 30), draw.whole(1, 30)),
        hints=(
            "Write it down for three queries and three keys, a row for each query: who may see key 2?",
            "The allowed places are on the diagonal and below it.",
            "`torch.ones(L, S, dtype=torch.bool)` and `.tril()`; or compare `torch.arange` as a column and as a row.",
        ),
        mistakes=(
            Mistake(upper_triangle, "Rows are queries: row 0 may see column 0 only."),
            Mistake(
                inverted,
                'Here True means "may look"; yours is `nn.MultiheadAttention`\'s mask, where True means "blocked".',
            ),
            Mistake(not_even_itself, "A query may look at itself as well; your first one may look nowhere."),
            Mistake(one_key_ahead, "That is one key too many: query i sees the keys up to i, itself included."),
            Mistake(ones_and_zeros, BOOL),
            Mistake(
                zero_and_minus_infinity,
                "That is a mask to be added to the scores, and does the same; a bool one is asked for.",
            ),
            Mistake(
                aligned_bottom_right,
                "Both start at 0: query 0 sees key 0 only, however many keys there are. Aligned at the end is what a "
                "cache of earlier keys needs.",
            ),
            *(Mistake(f, ROWS_ARE_QUERIES) for f in (square_of_the_queries, square_of_the_keys, keys_by_queries)),
            Mistake(only_itself, "Query i may also look back: at all keys from 0 to i."),
            Mistake(everything_allowed, "Nothing is blocked: keys after the query are what it must not see."),
            Mistake(lists_of_bools, "A tensor is asked for: `torch.tensor(...)` makes one of your lists."),
        ),
        not_allowed=("course_utils.attention",),
    ),
    Exercise(
        lesson=LESSON,
        reference=multi_head_attention,
        tolerance=1e-6,  # a root that torch.tensor(d) keeps in single precision is no mistake
        trial=heads_without_fused_kernels,
        minutes=12,
        difficulty=3,
        gradients=True,
        cases=lambda draw: [
            Case("each token finds itself", *tokens_that_find_themselves()),
            Case("all weights equal", torch.zeros(1, 3, 4), torch.zeros(1, 3, 4), torch.arange(12.0).view(1, 3, 4), 2),
            Case("two queries, five keys, three heads", draw(2, 2, 6), draw(2, 5, 6), draw(2, 5, 6), 3),
            Case("as many queries as keys, two heads", draw(2, 4, 6), draw(2, 4, 6), draw(2, 4, 6), 2),
            Case("one head", draw(1, 3, 4), draw(1, 2, 4), draw(1, 2, 4), 1),
            Case("a head for each number", draw(2, 3, 4), draw(2, 3, 4), draw(2, 3, 4), 4),
            Case("one query", draw(3, 1, 8), draw(3, 4, 8), draw(3, 4, 8), 2),
            Case("float64", draw(1, 4, 9).double(), draw(1, 4, 9).double(), draw(1, 4, 9).double(), 3),
        ],
        drawn=drawn_heads,
        hints=(
            "With a loop: cut q, k and v into heads along the width (`chunk(heads, dim=-1)`), attend, `torch.cat`.",
            "Without: split the last axis in two, (N, L, heads, D / heads), then let heads and tokens change places.",
            "Afterwards the same way back: `.transpose(1, 2)` first, and only then `.flatten(2)`.",
        ),
        mistakes=(
            *(
                Mistake(f, SPLIT_THE_WIDTH)
                for f in (tokens_shared_out_by_view, tokens_shared_out_and_back, tokens_cut_into_chunks)
            ),
            Mistake(
                joined_without_moving_back,
                "Tokens and heads are interleaved now: let their axes change places before you flatten.",
            ),
            Mistake(
                joined_by_view,
                "After a transpose the numbers no longer lie in that order, so `view` refuses: use reshape or flatten.",
            ),
            Mistake(root_of_the_whole_width, "Each head's dot product has only D / heads terms: that is the root."),
            Mistake(root_of_the_heads, "The root is of D / heads, the width of a head, not of the number of heads."),
            Mistake(heads_without_scale, "The scale is missing: divide each head's scores by the root of D / heads."),
            *(Mistake(f, SIDE_BY_SIDE) for f in (heads_averaged, heads_one_below_the_other)),
            *(Mistake(f, OWN_LOOK) for f in (weights_averaged_over_heads, one_large_head)),
            Mistake(
                columns_dealt_out,
                "You dealt the columns out in turn, like cards; head 0 should get the first D / heads of them.",
            ),
            Mistake(
                heads_look_at_heads,
                "Here the heads of one token look at each other: let the axes of tokens and heads change places first.",
            ),
            Mistake(
                heads_left_apart,
                "The heads lie in an axis of their own still: move it beside the width and flatten the two.",
            ),
            Mistake(heads_over_the_queries, "Each *query* should share its look among the keys: softmax along dim -1."),
            *(
                Mistake(f, "You made D / heads heads, each `heads` wide: it is `heads` of them, each D / heads wide.")
                for f in (heads_and_width_exchanged, as_wide_as_there_are_heads)
            ),
            Mistake(width_of_a_head_as_a_float, "A shape is made of whole numbers: `D // heads`."),
            Mistake(
                as_many_keys_as_queries,
                "There may be more keys than queries, or fewer: take the number of tokens from each tensor itself.",
            ),
        ),
        not_allowed=(
            "course_utils.attention",
            "torch.nn.MultiheadAttention.forward",
            "torch.nn.functional.multi_head_attention_forward",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=attention_weights,
        tolerance=1e-6,  # a root that torch.tensor(d) keeps in single precision is no mistake
        fault=shares_among_the_queries,
        minutes=6,
        difficulty=2,
        gradients=True,
        cases=lambda draw: [
            Case(
                "two queries, three keys",
                torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]),
                torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
            ),
            Case("as many queries as keys", draw(4, 9), draw(4, 9)),
            Case("64 numbers in each key", draw(3, 64), draw(5, 64)),
            Case("one query", draw(1, 6), draw(4, 6)),
            Case(
                "large scores",
                torch.tensor([[40.0, 0.0, 0.0, 0.0]]),
                torch.tensor([[40.0, 0.0, 0.0, 0.0], [38.0, 0.0, 0.0, 0.0]]),
            ),
            Case("a batch of two", draw(2, 3, 8), draw(2, 4, 8)),
            Case("a batch of one and two heads, float64", draw(1, 2, 3, 5).double(), draw(1, 2, 6, 5).double()),
        ],
        drawn=drawn_queries_and_keys,
        hints=(
            "Add up a row of the weights, then a column: which of them sums to 1, and which should?",
            "Draw q and k for d = 4 and for d = 400 and look at the largest weight of each: it should not depend on d.",
            "There are two faults, one in each line: the axis of the softmax, and the size of the scores.",
        ),
        mistakes=(
            Mistake(
                the_fault_in_one_line,
                "Both faults are still there: look at the sums of the rows, and at what happens where d is large.",
            ),
            Mistake(
                only_the_scale_mended,
                "The scale is mended. But each key still shares itself out among the queries: add up a row of weights.",
            ),
            Mistake(
                only_the_axis_mended,
                "Each row sums to 1 now. But the scores' spread still grows like the root of d: look at the entropy of "
                "the weights where d is large.",
            ),
            Mistake(
                scaled_by_the_width_itself,
                "That flattens too much: the *standard deviation* of q.k is the root of d.",
            ),
            Mistake(scaled_by_the_keys, WHICH_WIDTH),
            Mistake(scaled_after_the_softmax, "The scale belongs before the softmax: your rows no longer sum to 1."),
            Mistake(scaled_by_a_fixed_width, "That is right for one width alone: take d from the shape of q."),
            Mistake(axis_one, "The keys are the last axis, however many stand before it: count from the end."),
            Mistake(
                rows_made_to_sum_to_one,
                "Divided once more the rows sum to 1, but softmax's shares are others: choose the right axis at once.",
            ),
            Mistake(
                shares_without_a_shift,
                "Repaired, but with large scores exp overflows: leave the powers to `torch.softmax`.",
            ),
            Mistake(scaled_in_place, QUERIES_CHANGED),
            Mistake(keys_look_at_queries, "Queries and keys have changed places: a row for each query is asked for."),
            Mistake(all_pairs_share_one, "All pairs together sum to 1: each row should."),
        ),
        not_allowed=(
            "course_utils.attention",
            "torch.nn.functional.scaled_dot_product_attention",
            "torch.nn.functional.multi_head_attention_forward",
            "torch.nn.MultiheadAttention.forward",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=sinusoidal_positions,
        minutes=12,
        difficulty=3,
        optional=True,
        tolerance=1e-4,
        cases=lambda draw: [
            Case("position 0 alone", 1, 6),
            Case("three positions, one pair", 3, 2),
            Case("two positions, three pairs", 2, 6),
            Case("four positions, two pairs", 4, 4),
            Case("150 positions, sixteen pairs", 150, 32),
        ],
        drawn=lambda draw: (draw.whole(1, 200), 2 * draw.whole(1, 16)),
        hints=(
            "Row 0 is sin 0, cos 0, ...: 0, 1, 0, 1. The first pair of row p is sin p, cos p.",
            "All angles at once: positions as a column (n, 1) times frequencies as a row (d / 2,).",
            "Into every second column: `code[:, 0::2] = angles.sin()`, and the cosines from column 1 on.",
        ),
        mistakes=(
            *(
                Mistake(f, "Columns come in pairs: sine and cosine share one frequency.")
                for f in (a_frequency_for_each_column, twice_the_column)
            ),
            Mistake(
                number_of_the_pair,
                "The even *column* number goes into the exponent: 0, 2, 4, ... The second pair has 10000^(-2/d).",
            ),
            Mistake(
                frequencies_that_grow,
                "Frequencies should fall: yours grow until neighbours are unrelated. The exponent is negative.",
            ),
            Mistake(exponent_rounded_down, "`//` rounds the exponent to a whole number: divide with `/`."),
            Mistake(logarithm_forgotten, "exp needs the logarithm of 10000: 10000^a is exp(a log 10000)."),
            Mistake(
                down_to_the_very_last,
                "Yours end at 1/10000 exactly; in the formula the last frequency is 10000^(-(d - 2)/d), a little more.",
            ),
            *(Mistake(f, ASKED_ORDER) for f in (cosine_first, block_of_sines_first)),
            Mistake(sines_alone, "The cosines are missing: with the sine alone two angles have one code."),
            Mistake(half_as_wide, "Each frequency fills two columns, its sine and its cosine."),
            Mistake(positions_from_one, "Positions count from 0: the first row is 0, 1, 0, 1, ..."),
            Mistake(positions_as_shares, "Positions are taken as they are: divided by n, a code would depend on n."),
            Mistake(whole_turns, "No 2 pi is asked for: the angle is position times frequency."),
            Mistake(positions_along_the_columns, "A row for each position, a column for each number: (n, d)."),
            Mistake(code_in_float64, "float32 is asked for, the dtype of the tokens that the code is added to."),
        ),
        not_allowed=("course_utils.attention",),
    ),
    Exercise(
        lesson=LESSON,
        reference=padding_mask,
        minutes=6,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("two sequences, four tokens", torch.tensor([3, 1]), 4),
            Case("as many sequences as tokens", torch.tensor([1, 3, 2]), 3),
            Case("no padding at all", torch.tensor([2, 2]), 2),
            Case("more tokens than the longest has", torch.tensor([2, 1, 2]), 5),
            Case("one sequence", torch.tensor([2]), 3),
            Case("no real token", torch.tensor([0, 2]), 3),
        ],
        drawn=lambda draw: (
            torch.tensor([draw.whole(0, tokens := draw.whole(1, 7)), *(draw.whole(0, tokens) for _ in range(3))])[
                : draw.whole(1, 4)
            ],
            tokens,
        ),
        hints=(
            "Compare the number of each token, 0 to S - 1, with the length: which are real?",
            "`torch.arange(S)` as a row and `lengths[:, None]` as a column stretch to (N, S).",
            "`[:, None, None, :]` puts in an axis for the heads and one for the queries.",
        ),
        mistakes=(
            *(Mistake(f, LINES_UP) for f in (pictures_by_tokens, pictures_along_the_queries, one_axis_too_few)),
            Mistake(
                queries_blocked,
                "Padded tokens may ask, nobody may look at them: the lengths speak of the keys, the last axis.",
            ),
            Mistake(heads_blocked, "Your tokens lie along the axis of the heads: the keys are the last axis."),
            *(
                Mistake(f, "One row for all queries is enough, (N, 1, 1, S): it stretches by itself.")
                for f in (stretched_to_all_queries, real_tokens_look_at_real_tokens)
            ),
            Mistake(one_padded_token_visible, "One padded token remains visible. " + BOUND),
            *(
                Mistake(f, "The last real token is hidden. " + BOUND)
                for f in (last_real_token_hidden, counted_from_one)
            ),
            *(Mistake(f, REAL_IS_TRUE) for f in (true_for_padding, true_beyond_the_length)),
            Mistake(as_wide_as_the_longest, "S tells how many tokens there are; the longest may be shorter than that."),
            Mistake(real_ones_and_zeros, BOOL),
            Mistake(padding_first, "The real tokens stand first, the padding after them."),
            Mistake(the_last_real_one_alone, "That marks the last real token alone: all up to it are real."),
            Mistake(
                lengths_against_themselves,
                "The lengths lie along the tokens: make them a column, `lengths[:, None]`.",
            ),
        ),
        not_allowed=("course_utils.attention",),
    ),
    Exercise(
        lesson=LESSON,
        reference=left_neighbour,
        judge=a_head_over_positions,
        minutes=15,
        difficulty=5,
        optional=True,
        cases=lambda draw: [
            Case("16 positions, 32 numbers each", sinusoidal_positions(16, 32)),
            Case("as many positions as numbers", sinusoidal_positions(8, 8)),
            Case("6 positions, 16 numbers each", sinusoidal_positions(6, 16)),
            Case("50 positions, 8 numbers each", sinusoidal_positions(50, 8)),
            Case("two positions", sinusoidal_positions(2, 12)),
        ],
        drawn=lambda draw: (sinusoidal_positions(draw.whole(2, 60), 2 * draw.whole(4, 24)),),
        hints=(
            "The code of p times the code of s is a sum of cos((p - s) f) over the pairs: it is largest at s = p.",
            "So turn the queries back by one position: sin(a - f) and cos(a - f) are made of sin a and cos a by a 2x2 "
            "matrix, one for each pair, along the diagonal of w_q. w_k may be `torch.eye(d)`.",
            "Then the left neighbour's score is the largest, but by little: multiply w_q by a number until its weight "
            "is 0.9. Try 10, then 100.",
        ),
        mistakes=(
            *(Mistake(f, TURNED_FORWARDS) for f in (looks_to_the_right, keys_turned_instead)),
            *(
                Mistake(
                    f,
                    "It looks to the left, but not firmly enough: neighbours have similar codes. Multiply one of the "
                    "matrices by a larger number.",
                )
                for f in (too_cool, a_little_too_cool, nearly_firm_enough)
            ),
            *(Mistake(f, AT_ITSELF) for f in (looks_at_itself, both_turned_alike)),
            Mistake(
                both_turned_against_each_other,
                "It looks two positions to the left: turn the queries alone, or each of the two by half.",
            ),
            Mistake(
                looks_at_the_first,
                "Each query looks at the first token: what it looks for should move along with its position.",
            ),
            Mistake(
                one_angle_for_all_pairs,
                "One step turns each pair by its own frequency, the first by 1, the last by almost nothing.",
            ),
            Mistake(
                first_pair_alone,
                "The first pair has nearly come round after 6 positions, and again after 44: the slower ones, turned "
                "by their own angles, tell those apart.",
            ),
            Mistake(no_minus, "A turn has a minus before one of its two sines; without it the pair is mirrored."),
            Mistake(
                pairs_half_a_code_apart,
                "Sine and cosine of one frequency stand side by side, in the columns 2i and 2i + 1: turn these two.",
            ),
            Mistake(
                columns_moved_by_one,
                "You moved the d numbers of a code, not its position: a matrix here mixes columns.",
            ),
            Mistake(
                positions_moved_by_one,
                "w_q and w_k act on the d numbers of each code, not on the n positions: their shape is (d, d).",
            ),
            Mistake(one_matrix_for_both, "Two matrices are asked for: end with `return w_q, w_k`."),
        ),
    ),
)
