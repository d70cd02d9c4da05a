"""Attention, written out from matrix products: every query looks at every key and takes home a mix of the values.

Names and results are those of ``torch.nn.functional`` and ``torch.nn``. One convention holds for every mask of the
course: True means "may look". Lesson 02 builds this file up.
"""

import math

import torch
from torch import Tensor, nn


def softmax(x: Tensor, dim: int) -> Tensor:
    """Turn scores into shares: ``exp(x) / sum(exp(x))``, at least 0 and, along ``dim``, 1 in sum.

    The largest score along ``dim`` is taken off first. That changes nothing, as ``exp(x - c) = exp(x) / exp(c)`` and
    the factor cancels; but no exponential can now overflow, and no sum can vanish.

    Args:
        x: any shape, floats.
        dim: along which the shares add up to 1.

    Returns:
        The same shape. As in ``torch.softmax``, a slice whose scores are all minus infinity gives no numbers (NaN).

    Raises:
        TypeError: if x does not hold floats.

    Source: Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 4.1.
    """
    if not x.is_floating_point():
        raise TypeError(f"x must hold floats, got {x.dtype}; convert it with x.float()")
    if x.numel() == 0:
        return x.clone()
    powers = (x - x.detach().amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """How much of its look does each query give to each key? ``softmax(query @ key.mT * scale)``, over the keys.

    Args:
        query: (..., L, d), what is asked.
        key: (..., S, d), what answers to it.
        attn_mask: (..., L, S): bool, True where the query may look at the key; or of the query's dtype, added to
            the scores: 0 to look, minus infinity not to.
        is_causal: query i may look at the keys 0 .. i only, aligned at the top left.
        scale: of the scores, ``1 / sqrt(d)`` unless given: a dot product of d numbers with mean 0 and variance 1
            has the variance d.

    Returns:
        (..., L, S), each row 1 in sum; a row that may look at no key holds zeros.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, or both a mask and ``is_causal`` are given.

    Source: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, "Attention is all you need"
    (2017), section 3.2.1.
    """
    _check_pair(query, key)
    if is_causal and attn_mask is not None:
        raise ValueError("is_causal and attn_mask: give one of them, or put both into attn_mask with &")
    if is_causal:
        attn_mask = causal_mask(query.shape[-2], key.shape[-2], query.device)
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    scores = query @ key.mT * scale  # (..., L, d) @ (..., d, S) -> (..., L, S)
    if attn_mask is None:
        return softmax(scores, dim=-1)
    _check_mask(attn_mask, scores)
    if attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    else:
        scores = scores + attn_mask
    empty = (scores == -math.inf).all(-1, keepdim=True)  # (..., L, 1): these rows would divide 0 by 0
    return softmax(scores.masked_fill(empty, 0), dim=-1).masked_fill(empty, 0)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """A soft look-up in a dictionary: a mix of the values, weighed by how well their keys answer the query.

    As ``torch.nn.functional.scaled_dot_product_attention``, which can also drop weights and share keys among heads.

    Args:
        query, key, attn_mask, is_causal, scale: as in ``attention_weights``.
        value: (..., S, width), what is brought home.

    Returns:
        (..., L, width). A query that may look at no key brings home zeros, as PyTorch's does.

    Raises:
        TypeError, ValueError: as ``attention_weights``; and if there is not one value for each key.

    Source: as ``attention_weights``, equation 1.
    """
    if value.dim() < 2 or value.shape[-2] != key.shape[-2]:
        raise ValueError(
            f"value must hold one row for each of the {key.shape[-2]} keys, got shape {tuple(value.shape)}"
        )
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value  # (..., L, S) @ (..., S, width)


def causal_mask(L: int, S: int | None = None, device: torch.device | None = None) -> Tensor:
    """Who may look where if nobody may look ahead: query i at the keys 0 .. i.

    Args:
        L: queries.
        S: keys, as many as queries unless given; where there are more, the first query still sees the first only.
        device: where the mask lies.

    Returns:
        (L, S), bool, True = may look.
    """
    return torch.ones(L, L if S is None else S, dtype=torch.bool, device=device).tril()


def padding_mask(lengths: Tensor, S: int) -> Tensor:
    """Who may be looked at if sequences of several lengths were filled up to S tokens: the real tokens.

    ``torch.nn.MultiheadAttention`` has it the other way round: True there means "blocked". Give it ``~mask``.

    Args:
        lengths: (N,) int64, how many real tokens each sequence has.
        S: tokens in each sequence, padding included.

    Returns:
        (N, 1, 1, S), bool, True = may be looked at; the ones stand for heads and queries.

    Raises:
        ValueError: if a length does not lie between 0 and S.
    """
    if lengths.dim() != 1 or lengths.is_floating_point():
        raise ValueError(
            f"lengths must be whole numbers of shape (N,), got {lengths.dtype} of shape {tuple(lengths.shape)}"
        )
    if len(lengths) and not 0 <= lengths.min() <= lengths.max() <= S:
        raise ValueError(f"lengths must lie between 0 and S = {S}, got {int(lengths.min())} to {int(lengths.max())}")
    return (torch.arange(S, device=lengths.device) < lengths[:, None])[:, None, None, :]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Give each head its part of the width: x (N, L, D) -> (N, heads, L, D / heads)"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """Lay the heads side by side again: (N, heads, L, D / heads) -> (N, L, D)"""
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    """Several looks at once: each head projects queries, keys and values its own way and attends; then they are mixed.

    Its state is that of ``torch.nn.MultiheadAttention`` and loads into it and back. Two things differ in use: the batch
    comes first, and True in a mask means "may look" (there, it means "blocked").

    Args:
        embed_dim: D, numbers in each token.
        num_heads: divides D.
        bias: whether the projections have one.

    Raises:
        ValueError: if ``num_heads`` does not divide ``embed_dim``.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.2.2.
    """

    def __init__(self, embed_dim: int, num_heads: int, bias: bool = True):
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"num_heads must divide embed_dim: {embed_dim} numbers cannot be shared out among {num_heads} heads"
            )
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))  # of queries, keys, values
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim)) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias)
        nn.init.xavier_uniform_(self.in_proj_weight)
        if bias:
            nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Give it the same x three times for self-attention; keys and values of another sequence for cross-attention.

        Args:
            query: (N, L, D).
            key, value: (N, S, D).
            key_padding_mask: (N, S) bool, True for a token that may be looked at.
            need_weights: whether to return them.
            attn_mask: (L, S), or (N, heads, L, S) or what stretches to it; as ``attention_weights`` takes it.
            average_attn_weights: over the heads; otherwise each head's own are returned.
            is_causal: as in ``attention_weights``.

        Returns:
            The tokens (N, L, D), and the weights (N, L, S) or (N, heads, L, S), or None. A query that may look at no
            key gets zeros from every head, as ``torch.nn.MultiheadAttention`` gives without ``need_weights``; with it,
            that one gives NaN.

        Raises:
            TypeError, ValueError: if shapes or masks do not fit.
        """
        self._check(query=query, key=key, value=value)
        if key_padding_mask is not None:
            attn_mask, is_causal = self._both(query, key, key_padding_mask, attn_mask, is_causal), False
        q, k, v = (split_heads(x, self.num_heads) for x in self._project(query, key, value))
        weights = attention_weights(q, k, attn_mask, is_causal)  # (N, heads, L, S)
        tokens = self.out_proj(join_heads(weights @ v))  # (N, heads, L, D / heads) -> (N, L, D)
        if not need_weights:
            return tokens, None
        return tokens, weights.mean(dim=1) if average_attn_weights else weights

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """To queries (N, L, D), keys and values (N, S, D); for self-attention in one product."""
        if query is key is value:
            return nn.functional.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        projections = zip((query, key, value), self.in_proj_weight.chunk(3), biases, strict=True)
        return tuple(nn.functional.linear(x, weight, bias) for x, weight, bias in projections)

    def _both(self, query, key, key_padding_mask, attn_mask, is_causal) -> Tensor:
        """One mask (N, heads, L, S), or what stretches to it, for both: who may look, and who may be looked at."""
        if key_padding_mask.shape != key.shape[:2] or key_padding_mask.dtype != torch.bool:
            raise ValueError(
                f"key_padding_mask must be bool of shape (N, S) = {tuple(key.shape[:2])}, True for a real token, got "
                f"{key_padding_mask.dtype} of shape {tuple(key_padding_mask.shape)}"
            )
        if is_causal and attn_mask is not None:
            raise ValueError("is_causal and attn_mask: give one of them, or put both into attn_mask with &")
        may_look = key_padding_mask[:, None, None, :]
        if is_causal:
            attn_mask = causal_mask(query.shape[1], key.shape[1], query.device)
        if attn_mask is None:
            return may_look
        _check_kind(attn_mask, query.dtype)
        return attn_mask & may_look if attn_mask.dtype == torch.bool else attn_mask.masked_fill(~may_look, -math.inf)

    def _check(self, **inputs: Tensor) -> None:
        for name, x in inputs.items():
            if x.dim() != 3 or x.shape[-1] != self.embed_dim:
                raise ValueError(f"{name} must have shape (N, tokens, {self.embed_dim}), got {tuple(x.shape)}")
        query, key, value = inputs.values()
        if key.shape != value.shape or len(query) != len(key):
            raise ValueError(
                f"key and value must have one shape, and as many sequences as query: got {tuple(key.shape)}, "
                f"{tuple(value.shape)} for query {tuple(query.shape)}"
            )


def sinusoidal_positions(n: int, d: int) -> Tensor:
    """A code for each position: a fan of clock hands, each pair of columns turning slower than the one before.

    Row p holds ``sin(p f), cos(p f)`` for ``f = 10000^(-2i/d)``, pair by pair, i = 0, 1, ... Moving on by one position
    turns each pair by a fixed angle, so it is a matrix product with a matrix that is the same everywhere.

    Args:
        n: positions.
        d: numbers in each code, even.

    Returns:
        (n, d), float32.

    Raises:
        ValueError: if d is not even, or n or d is below 1.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.5.
    """
    if n < 1 or d < 2 or d % 2:
        raise ValueError(f"n must be at least 1 and d even, got n = {n} and d = {d}: sine and cosine come in pairs")
    frequencies = 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)  # (d / 2,)
    angles = torch.arange(n)[:, None] * frequencies  # (n, d / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()  # (n, d / 2, 2) -> (n, d)


# --- What came in -------------------------------------------------------------------------------------------


def _check_pair(query: Tensor, key: Tensor) -> None:
    for name, x in (("query", query), ("key", key)):
        if x.dim() < 2 or not x.is_floating_point():
            raise TypeError(f"{name} must be floats of shape (..., tokens, d), got {x.dtype} of {tuple(x.shape)}")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have one width, as each query is multiplied with each key: got {query.shape[-1]} and "
            f"{key.shape[-1]} numbers in a row"
        )
    if query.dtype != key.dtype:
        raise TypeError(f"query and key must have one dtype, got {query.dtype} and {key.dtype}")


def _check_kind(mask: Tensor, dtype: torch.dtype) -> None:
    if mask.dtype not in (torch.bool, dtype):
        raise TypeError(
            f"attn_mask must be bool, True = may look, or {dtype} to be added to the scores; got {mask.dtype}"
        )


def _check_mask(mask: Tensor, scores: Tensor) -> None:
    _check_kind(mask, scores.dtype)
    try:
        fits = torch.broadcast_shapes(mask.shape, scores.shape) == scores.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"attn_mask must stretch to the scores' shape {tuple(scores.shape)}, queries by keys last; got shape "
            f"{tuple(mask.shape)}"
        )
