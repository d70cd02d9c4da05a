"""Shift, flip and cutout against the same thing done picture by picture."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import augment

drawn = settings(max_examples=200, deadline=None, derandomize=True, database=None)
shapes = st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(2, 6), st.integers(2, 7))
dtypes = st.sampled_from([torch.float32, torch.float64, torch.uint8])


def pictures(shape, dtype=torch.float32):
    """Every pixel another number above 0, so that its way can be followed."""
    count = torch.Size(shape).numel()
    return (torch.arange(1, count + 1) % 255 + 1).view(shape).to(dtype)


def moved(picture, down, right, fill):
    """(C, H, W), by one loop over the pixels."""
    _, height, width = picture.shape
    result = torch.full_like(picture, fill)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                result[:, i, j] = picture[:, i - down, j - right]
    return result


@drawn
@given(shapes, dtypes, st.integers(0, 5), st.sampled_from([0.0, 7.0]), st.integers(0, 99))
def test_each_picture_is_moved_by_its_own_draw(shape, dtype, most, fill, seed):
    most = min(most, min(shape[2:]) - 1)
    x = pictures(shape, dtype)
    before = x.clone()
    y = augment.shift(x, most, fill, torch.Generator().manual_seed(seed))
    steps = torch.randint(-most, most + 1, (2, shape[0], 1), generator=torch.Generator().manual_seed(seed))
    expected = [moved(p, int(d), int(r), fill) for p, d, r in zip(x, *steps.squeeze(2), strict=True)]
    assert torch.equal(y, torch.stack(expected) if expected else x)
    assert torch.equal(x, before)
    assert y.dtype == dtype


def test_all_moves_come_and_not_all_pictures_alike():
    x = torch.zeros(500, 1, 9, 9)
    x[:, :, 4, 4] = 1
    y = augment.shift(x, 2, generator=torch.Generator().manual_seed(0))
    places = {tuple(place) for place in y.nonzero()[:, 2:].tolist()}
    assert places == {(i, j) for i in range(2, 7) for j in range(2, 7)}


@drawn
@given(shapes, dtypes, st.integers(0, 99))
def test_a_flip_is_left_to_right_or_nothing(shape, dtype, seed):
    x = pictures(shape, dtype)
    y = augment.flip(x, torch.Generator().manual_seed(seed))
    assert y.shape == x.shape
    assert y.dtype == dtype
    for before, after in zip(x, y, strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(-1))


def test_half_of_the_pictures_are_flipped():
    x = pictures((1000, 1, 1, 2))
    turned = (augment.flip(x, torch.Generator().manual_seed(0)) != x).any(dim=-1).double().mean()
    assert turned.item() == pytest.approx(0.5, abs=0.06)


@drawn
@given(shapes, dtypes, st.integers(1, 6), st.integers(0, 99))
def test_cutout_covers_a_square_where_it_was_drawn(shape, dtype, size, seed):
    x = pictures(shape, dtype)
    y = augment.cutout(x, size, 0.0, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    rows, cols = (torch.randint(side, (shape[0], 1), generator=generator) for side in shape[2:])
    for before, after, i, j in zip(x, y, rows.flatten().tolist(), cols.flatten().tolist(), strict=True):
        expected = before.clone()
        top, left = i - size // 2, j - size // 2
        expected[:, max(top, 0) : top + size, max(left, 0) : left + size] = 0
        assert torch.equal(after, expected)


@pytest.mark.parametrize("change", [lambda x, g: augment.shift(x, 1, generator=g), lambda x, g: augment.flip(x, g),
                                    lambda x, g: augment.cutout(x, 2, generator=g)])  # fmt: skip
def test_a_generator_of_its_own_leaves_the_global_one_alone(change):
    x = pictures((8, 1, 5, 5))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = change(x, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, change(x, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, change(x, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: augment.shift(torch.zeros(3, 4, 4), 1), "x must have shape"),
        (lambda: augment.flip(torch.zeros(4, 4)), "x must have shape"),
        (lambda: augment.cutout(torch.zeros(4), 1), "x must have shape"),
        (lambda: augment.shift(torch.zeros(1, 1, 4, 5), 4), "pixels must lie between 0 and 3"),
        (lambda: augment.shift(torch.zeros(1, 1, 4, 5), -1), "pixels"),
        (lambda: augment.cutout(torch.zeros(1, 1, 4, 5), 0), "size"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        make()
