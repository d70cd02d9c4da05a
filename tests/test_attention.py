"""Attention against PyTorch's: values and gradients, masks of every kind, heads, and what is refused."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils import attention
from tests.drawing import drawn_cases

drawn = drawn_cases(200)
dtypes = st.sampled_from([torch.float32, torch.float64])
seeds = st.integers(0, 999)
small = st.integers(1, 5)
TOLERANCE = {torch.float32: dict(rtol=1e-4, atol=1e-5), torch.float64: dict(rtol=1e-9, atol=1e-11)}


def numbers(*shape, seed, dtype=torch.float64, layout="plain"):
    """Drawn numbers; "strided" lie in memory with their last two axes exchanged."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    return x.mT.contiguous().mT if layout == "strided" and x.dim() > 1 else x


def agree(ours, theirs, inputs, dtype):
    """Both functions give the same, and so do the gradients of all inputs."""
    results = []
    for function in (ours, theirs):
        leaves = [x.detach().clone().requires_grad_() for x in inputs]
        out = function(*leaves)
        upstream = torch.linspace(0.5, 1.5, out.numel(), dtype=out.dtype).view(out.shape)
        results.append([out, *torch.autograd.grad(out, leaves, upstream, allow_unused=True)])
    for a, b in zip(*results, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, **TOLERANCE[dtype])


# --- softmax ------------------------------------------------------------------------------------------------


@drawn
@given(st.lists(st.integers(1, 4), max_size=4), seeds, dtypes, st.data())
def test_softmax(shape, seed, dtype, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1)) if shape else data.draw(st.sampled_from([0, -1]))
    x = numbers(*shape, seed=seed, dtype=dtype, layout=("plain", "strided")[seed % 2]) * 10 ** (seed % 3)
    agree(lambda x: attention.softmax(x, dim), lambda x: F.softmax(x, dim), [x], dtype)


@pytest.mark.parametrize("shift", [1e4, -1e4, 3e38, -3e38])
def test_softmax_of_scores_far_out(shift):
    x = torch.tensor([[0.0, 1.0], [shift, shift]])
    torch.testing.assert_close(attention.softmax(x, 1), F.softmax(x, 1))
    assert attention.softmax(x, 1).isfinite().all()


def test_softmax_where_nothing_is_left():
    x = torch.tensor([[-math.inf, -math.inf], [0.0, -math.inf]])
    torch.testing.assert_close(attention.softmax(x, 1), F.softmax(x, 1), equal_nan=True)
    for shape, dim in (((0, 3), 1), ((3, 0), 1), ((0,), 0)):
        assert attention.softmax(torch.zeros(shape), dim).shape == F.softmax(torch.zeros(shape), dim).shape


# --- scaled_dot_product_attention ---------------------------------------------------------------------------


def masked(kind, shape, seed, dtype):
    """A mask of that kind, in which rows may be empty; or none."""
    generator = torch.Generator().manual_seed(seed)
    may_look = torch.rand(shape, generator=generator) < 0.6
    if kind == "bool":
        return may_look
    if kind == "barred":
        return torch.zeros(shape, dtype=dtype).masked_fill(~may_look, -math.inf)
    if kind == "added":
        return torch.randn(shape, generator=generator).to(dtype)
    return None


@drawn
@given(
    st.lists(st.integers(1, 3), max_size=3), st.tuples(small, small, small, small), seeds, dtypes,
    st.sampled_from(["none", "bool", "barred", "added", "causal"]), st.sampled_from([None, 0.3, 2.0]),
    st.integers(0, 2),
)  # fmt: skip
def test_attention(leading, sizes, seed, dtype, kind, scale, spread):
    L, S, d, width = sizes
    layout = ("plain", "strided")[seed % 2]
    query = numbers(*leading, L, d, seed=seed, dtype=dtype, layout=layout) * 10 ** (spread - 1)
    key = numbers(*leading, S, d, seed=seed + 1, dtype=dtype, layout=layout)
    value = numbers(*leading, S, width, seed=seed + 2, dtype=dtype, layout=layout)
    shape = (*leading, L, S) if seed % 3 else (L, S) if seed % 2 else (1, S)
    options = dict(attn_mask=masked(kind, shape, seed, dtype), is_causal=kind == "causal", scale=scale)
    agree(
        lambda *qkv: attention.scaled_dot_product_attention(*qkv, **options),
        lambda *qkv: F.scaled_dot_product_attention(*qkv, **options),
        [query, key, value],
        dtype,
    )


@pytest.mark.parametrize("kind", ["bool", "barred"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_may_look_nowhere_gives_zeros_and_no_gradient(kind, dtype):
    query, key, value = (numbers(2, 3, 4, seed=seed, dtype=dtype) for seed in range(3))
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    mask = mask if kind == "bool" else torch.zeros(3, 3, dtype=dtype).masked_fill(~mask, -math.inf)
    out = attention.scaled_dot_product_attention(query, key, value, mask)
    assert (out[:, 1] == 0).all()
    agree(
        lambda *qkv: attention.scaled_dot_product_attention(*qkv, mask),
        lambda *qkv: F.scaled_dot_product_attention(*qkv, mask),
        [query, key, value],
        dtype,
    )


def test_keys_and_values_can_be_shared_by_the_leading_axes():
    query, key, value = numbers(2, 3, 4, 5, seed=0), numbers(6, 5, seed=1), numbers(6, 7, seed=2)
    torch.testing.assert_close(
        attention.scaled_dot_product_attention(query, key, value),
        F.scaled_dot_product_attention(query, key.expand(2, 3, 6, 5), value.expand(2, 3, 6, 7)),
    )


@pytest.mark.parametrize(("L", "S", "d"), [(3, 0, 2), (0, 3, 2), (3, 2, 0)])
def test_nothing_to_ask_to_look_at_or_to_compare(L, S, d):
    query, key, value = numbers(1, L, d, seed=0), numbers(1, S, d, seed=1), numbers(1, S, 2, seed=2)
    torch.testing.assert_close(
        attention.scaled_dot_product_attention(query, key, value), F.scaled_dot_product_attention(query, key, value)
    )


@drawn
@given(small, small, seeds, st.sampled_from(["none", "bool", "added", "causal"]))
def test_weights_are_shares(L, S, seed, kind):
    query, key = numbers(2, L, 3, seed=seed), numbers(2, S, 3, seed=seed + 1)
    mask = masked(kind, (L, S), seed, torch.float64)
    weights = attention.attention_weights(query, key, mask, kind == "causal")
    sums = weights.sum(-1)
    full = torch.ones_like(sums) if kind != "bool" else mask.any(-1).double().expand_as(sums)
    torch.testing.assert_close(sums, full)
    assert (weights >= 0).all()


# --- Masks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("L", "S"), [(4, 4), (2, 5), (5, 2), (1, 1)])
def test_causal_mask_is_what_is_causal_means(L, S):
    mask = attention.causal_mask(L, S)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[key <= query for key in range(S)] for query in range(L)]
    query, key, value = numbers(L, 3, seed=0), numbers(S, 3, seed=1), numbers(S, 2, seed=2)
    torch.testing.assert_close(
        attention.scaled_dot_product_attention(query, key, value, mask),
        F.scaled_dot_product_attention(query, key, value, is_causal=True),
    )
    assert attention.causal_mask(3).shape == (3, 3)


def test_padding_mask():
    mask = attention.padding_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.tolist() == [[[[True, True, False]]], [[[False, False, False]]], [[[True, True, True]]]]
    assert attention.padding_mask(torch.tensor([2, 2]), 3).tolist() == [[[[True, True, False]]]] * 2


def test_padding_cannot_be_seen():
    """What stands in the padding changes nothing for the real tokens."""
    layer = attention.MultiHeadAttention(8, 2).double()
    x = numbers(3, 3, 8, seed=0)  # N = L = S, so that a mask along the wrong axis would fit as well
    lengths = torch.tensor([1, 2, 3])
    real = attention.padding_mask(lengths, 3)[:, 0, 0]
    other = x.masked_fill(~real[..., None], 100.0)
    a, b = (layer(tokens, tokens, tokens, key_padding_mask=real)[0] for tokens in (x, other))
    torch.testing.assert_close(a[real], b[real])
    alone = [layer(x[i : i + 1, :n], x[i : i + 1, :n], x[i : i + 1, :n])[0] for i, n in enumerate(lengths)]
    torch.testing.assert_close(a[real], torch.cat([tokens[0] for tokens in alone]))


# --- Heads --------------------------------------------------------------------------------------------------


def test_heads_are_parts_of_the_width():
    x = torch.arange(24.0).view(1, 3, 8)
    heads = attention.split_heads(x, 2)
    assert torch.equal(heads[0, 1], x[0, :, 4:])
    assert torch.equal(attention.join_heads(heads), x)


def both(width, heads, bias, dtype, seed):
    """Ours, and PyTorch's with the same drawn state."""
    generator = torch.Generator().manual_seed(seed)
    theirs = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True).to(dtype)
    for p in theirs.parameters():
        p.data = torch.randn(p.shape, generator=generator).to(dtype) / width**0.5
    ours = attention.MultiHeadAttention(width, heads, bias).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())  # and back
    return ours, theirs


@drawn
@given(
    st.sampled_from([(4, 1), (6, 2), (6, 3), (8, 8)]), st.booleans(), st.tuples(small, small, small), dtypes, seeds,
    st.sampled_from(["self", "cross", "keys are values"]), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(["none", "bool", "added", "per head", "causal"]),
)  # fmt: skip
def test_multi_head_attention(shape, bias, sizes, dtype, seed, use, padded, need_weights, average, kind):
    (width, heads), (N, L, S) = shape, sizes
    ours, theirs = both(width, heads, bias, dtype, seed)
    S = L if use == "self" else S
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(N, S, generator=generator) < 0.7
    real[:, 0] = True  # for empty rows PyTorch's gives NaN with weights and zeros without
    mask = masked({"per head": "bool", "causal": "none"}.get(kind, kind), (N, heads, L, S), seed, dtype)
    if kind in ("bool", "per head"):
        mask[..., 0] = True
    if kind in ("bool", "added"):
        mask = mask[0, 0]
    causal = attention.causal_mask(L, S)
    their_mask = {"none": None, "causal": ~causal, "added": mask}.get(kind, ~mask if kind == "bool" else None)
    if kind == "per head":
        their_mask = ~mask.flatten(0, 1)
    their_padding = ~real if padded else None
    if padded and kind == "added":  # PyTorch asks for one kind of both
        their_padding = torch.zeros(N, S, dtype=dtype).masked_fill(~real, -math.inf)

    def inputs(query, *others):
        keys = {"self": (query, query), "cross": others, "keys are values": others[:1] * 2}[use]
        return query, *keys

    def call_ours(*x):
        options = dict(attn_mask=mask, is_causal=kind == "causal", key_padding_mask=real if padded else None)
        return ours(*inputs(*x), need_weights=need_weights, average_attn_weights=average, **options)

    def call_theirs(*x):
        options = dict(attn_mask=their_mask, key_padding_mask=their_padding)
        return theirs(*inputs(*x), need_weights=need_weights, average_attn_weights=average, **options)

    x = [numbers(N, L, width, seed=seed, dtype=dtype)]
    x += [numbers(N, S, width, seed=seed + i, dtype=dtype) for i in ((1, 2) if use == "cross" else (1,))]
    x = x if use != "self" else x[:1]
    agree(lambda *x: call_ours(*x)[0], lambda *x: call_theirs(*x)[0], x, dtype)
    if need_weights:
        agree(lambda *x: call_ours(*x)[1], lambda *x: call_theirs(*x)[1], x, dtype)
    else:
        assert call_ours(*x)[1] is None
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        (a,), (b,) = (torch.autograd.grad(call(*x)[0].sin().sum(), w) for call, w in ((call_ours, p), (call_theirs, q)))
        torch.testing.assert_close(a, b, **TOLERANCE[dtype])


def test_no_key_to_look_at_gives_only_the_bias():
    ours, theirs = both(4, 2, True, torch.float64, 0)
    x, real = numbers(2, 3, 4, seed=0), torch.tensor([[True, False, True], [False, False, False]])
    out, weights = ours(x, x, x, key_padding_mask=real)
    torch.testing.assert_close(out[1], ours.out_proj.bias.expand(3, 4))
    assert (weights[1] == 0).all()
    torch.testing.assert_close(out, theirs(x, x, x, key_padding_mask=~real, need_weights=False)[0])


def test_one_number_a_token_is_enough():
    ours, theirs = both(1, 1, True, torch.float64, 0)
    x = numbers(2, 3, 1, seed=0)
    torch.testing.assert_close(ours(x, x, x), theirs(x, x, x))


def test_begins_as_pytorchs():
    ours, theirs = attention.MultiHeadAttention(64, 4), nn.MultiheadAttention(64, 4)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for key, value in theirs.state_dict().items():
        assert ours.state_dict()[key].std().item() == pytest.approx(value.std().item(), rel=0.05)


def test_the_order_of_tokens_does_not_matter():
    """Permutation equivariance: self-attention of reordered tokens is the reordered self-attention."""
    layer, x, order = attention.MultiHeadAttention(8, 2).double(), numbers(2, 5, 8, seed=0), torch.randperm(5)
    mixed = x[:, order]
    torch.testing.assert_close(layer(mixed, mixed, mixed)[0], layer(x, x, x)[0][:, order])


# --- Positions ----------------------------------------------------------------------------------------------


@drawn
@given(st.integers(1, 40), st.integers(1, 20))
def test_sinusoidal_positions_by_the_formula(n, pairs):
    d = 2 * pairs
    code = attention.sinusoidal_positions(n, d)
    assert code.shape == (n, d)
    assert code.dtype == torch.float32
    p, i = n - 1, pairs - 1
    assert code[p, 2 * i].item() == pytest.approx(math.sin(p / 10000 ** (2 * i / d)), abs=1e-6)
    assert code[p, 2 * i + 1].item() == pytest.approx(math.cos(p / 10000 ** (2 * i / d)), abs=1e-6)
    assert code[0].tolist() == [0, 1] * pairs


def test_far_positions_are_as_exact_as_near_ones():
    """In float32 an angle of 4,999 would have three digits behind the point."""
    p, i = 4999, 1
    code = attention.sinusoidal_positions(p + 1, 8)
    assert code[p, 2 * i].item() == pytest.approx(math.sin(p / 10000 ** (2 * i / 8)), abs=1e-6)


def test_a_step_is_the_same_turn_everywhere():
    code = attention.sinusoidal_positions(50, 16).double()
    turn = torch.linalg.lstsq(code[:-1], code[1:]).solution  # (16, 16)
    torch.testing.assert_close(code[:-1] @ turn, code[1:], atol=1e-5, rtol=0)


# --- What is refused ----------------------------------------------------------------------------------------

x = torch.zeros(2, 3, 4)
layer = attention.MultiHeadAttention(4, 2)


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (lambda: attention.softmax(torch.tensor([1, 2]), 0), TypeError, "x must hold floats"),
        (lambda: attention.attention_weights(x, torch.zeros(2, 3, 5)), ValueError, "query and key"),
        (lambda: attention.attention_weights(x, x.double()), TypeError, "query and key"),
        (lambda: attention.attention_weights(x.long(), x.long()), TypeError, "query must be floats"),
        (lambda: attention.attention_weights(x, torch.zeros(4)), TypeError, "key must be floats"),
        (lambda: attention.attention_weights(x, x, torch.ones(3, 4) > 0), ValueError, "attn_mask must stretch"),
        (lambda: attention.attention_weights(x, x, torch.ones(4, 2, 3, 3) > 0), ValueError, "attn_mask must stretch"),
        (lambda: attention.attention_weights(x, x, torch.ones(3, 3).int()), TypeError, "attn_mask must be bool"),
        (lambda: attention.attention_weights(x, x, torch.ones(3, 3).double()), TypeError, "attn_mask must be bool"),
        (lambda: attention.attention_weights(x, x, torch.ones(3, 3) > 0, True), ValueError, "is_causal and attn_mask"),
        (lambda: attention.scaled_dot_product_attention(x, x, x[:, :2]), ValueError, "value must hold one row"),
        (lambda: attention.padding_mask(torch.tensor([4]), 3), ValueError, "lengths must lie"),
        (lambda: attention.padding_mask(torch.tensor([-1]), 3), ValueError, "lengths must lie"),
        (lambda: attention.padding_mask(torch.tensor([1.0]), 3), ValueError, "lengths must be whole"),
        (lambda: attention.padding_mask(torch.tensor([[1]]), 3), ValueError, "lengths must be whole"),
        (lambda: attention.MultiHeadAttention(6, 4), ValueError, "num_heads must divide embed_dim"),
        (lambda: attention.MultiHeadAttention(6, 0), ValueError, "num_heads must divide embed_dim"),
        (lambda: layer(x[0], x[0], x[0]), ValueError, "query must have shape"),
        (lambda: layer(x, torch.zeros(2, 3, 5), x), ValueError, "key must have shape"),
        (lambda: layer(x, x, x[:, :2]), ValueError, "key and value"),
        (lambda: layer(x, x[:1], x[:1]), ValueError, "key and value"),
        (lambda: layer(x, x, x, key_padding_mask=torch.ones(3, 2) > 0), ValueError, "key_padding_mask"),
        (lambda: layer(x, x, x, key_padding_mask=torch.ones(2, 3)), ValueError, "key_padding_mask"),
        (
            lambda: layer(x, x, x, torch.ones(2, 3) > 0, attn_mask=torch.ones(3, 3) > 0, is_causal=True),
            ValueError,
            "is_causal and attn_mask",
        ),
        (
            lambda: layer(x, x, x, torch.ones(2, 3) > 0, attn_mask=torch.ones(3, 3).int()),
            TypeError,
            "attn_mask must be",
        ),
        (lambda: attention.sinusoidal_positions(3, 5), ValueError, "n must be at least 1 and d even"),
        (lambda: attention.sinusoidal_positions(0, 4), ValueError, "n must be at least 1 and d even"),
    ],
)
def test_bad_arguments_are_named(make, error, named):
    with pytest.raises(error, match=f"^{named}"):
        make()
