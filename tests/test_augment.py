"""Shift, flip and cutout against the same thing done picture by picture; the others against torchvision's."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as theirs

from course_utils import augment, data

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


# ---- Against torchvision, picture by picture at the parameters that were drawn

BILINEAR = v2.InterpolationMode.BILINEAR
numbers = st.sampled_from([torch.float32, torch.float64, torch.uint8])


def noise(shape, dtype, seed):
    """Any grey level, or floats from 0 to 1; not contiguous, as slices of a larger batch often are."""
    count, channels, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (count, channels, width, height), generator=generator, dtype=torch.uint8).mT
    return x if dtype == torch.uint8 else x.to(dtype) / 255


def drawn_numbers(count, low, high, generator):
    return (low + (high - low) * torch.rand(count, dtype=torch.float64, generator=generator)).tolist()


def assert_like_theirs(ours, expected, levels=1):
    """Equal to rounding; bytes may differ by so many grey levels, as torchvision rounds in another order."""
    assert ours.dtype == (expected[0].dtype if expected else ours.dtype)
    if ours.dtype == torch.uint8:
        ours, expected = ours.int(), [picture.int() for picture in expected]
        tolerance = {"rtol": 0, "atol": levels}
    else:
        tolerance = {"rtol": 0, "atol": 2e-4 if ours.dtype == torch.float32 else 1e-6}
    for mine, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, other, **tolerance)


@drawn
@given(shapes, numbers, st.sampled_from([0.0, 90.0, 180.0]), st.sampled_from([(1.0, 1.0), (0.4, 1.7)]),
       st.sampled_from([0.0, 40.0]), st.sampled_from([0.0, 0.5, 200.0]), st.integers(0, 99))  # fmt: skip
def test_affine_is_torchvisions(shape, dtype, degrees, zoom, shear, fill, seed):
    fill = round(fill) if dtype == torch.uint8 else fill
    x = noise(shape, dtype, seed)
    before = x.clone()
    ours = augment.affine(x, degrees, zoom, shear, fill, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    ranges = ((-degrees, degrees), zoom, (-shear, shear))
    draws = [drawn_numbers(shape[0], low, high, generator) for low, high in ranges]
    expected = [
        theirs.affine(picture, angle, [0, 0], scale, [slant, 0.0], BILINEAR, [float(fill)] * shape[1])
        for picture, angle, scale, slant in zip(x, *draws, strict=True)
    ]
    assert_like_theirs(ours / max(1, fill) if dtype != torch.uint8 else ours,
                       [e / max(1, fill) if dtype != torch.uint8 else e for e in expected], levels=2)  # fmt: skip
    assert torch.equal(x, before)


@pytest.mark.parametrize("angle", [90.0, -90.0, 180.0, 270.0])
def test_quarter_turns_are_exact(angle):
    x = noise((2, 1, 6, 6), torch.uint8, 0)
    matrices = augment.affine_matrices(torch.full((2,), angle), torch.ones(2), torch.zeros(2))
    assert torch.equal(augment.warp(x, matrices), torch.rot90(x, -round(angle / 90), (2, 3)))


@drawn
@given(shapes, numbers, st.sampled_from([0.0, 0.4, 1.5]), st.sampled_from(["brightness", "contrast", "saturation"]),
       st.integers(0, 99))  # fmt: skip
def test_colours_are_torchvisions(shape, dtype, strength, name, seed):
    x = noise((shape[0], 3 if name == "saturation" or shape[1] == 2 else shape[1], *shape[2:]), dtype, seed)
    before = x.clone()
    ours = getattr(augment, name)(x, strength, torch.Generator().manual_seed(seed))
    factors = drawn_numbers(shape[0], max(0.0, 1 - strength), 1 + strength, torch.Generator().manual_seed(seed))
    adjust = getattr(theirs, f"adjust_{name}")
    assert_like_theirs(ours, [adjust(picture, factor) for picture, factor in zip(x, factors, strict=True)])
    assert torch.equal(x, before)


@drawn
@given(shapes, numbers, st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99))
def test_hue_is_torchvisions(shape, dtype, strength, seed):
    x = noise((shape[0], 3, *shape[2:]), dtype, seed)
    ours = augment.hue(x, strength, torch.Generator().manual_seed(seed))
    turns = drawn_numbers(shape[0], -strength, strength, torch.Generator().manual_seed(seed))
    assert_like_theirs(ours, [theirs.adjust_hue(picture, turn) for picture, turn in zip(x, turns, strict=True)])


@drawn
@given(shapes, numbers, st.integers(1, 9), st.integers(2, 9), st.integers(0, 99))
def test_resize_is_torchvisions(shape, dtype, height, width, seed):
    x = noise(shape, dtype, seed)
    ours = augment.resize(x, (height, width))
    assert ours.shape == (*shape[:2], height, width)
    assert_like_theirs(ours, [theirs.resize(picture, [height, width], BILINEAR, antialias=True) for picture in x])


def test_resize_to_one_column_is_resize_to_one_row_turned():
    """Here PyTorch 2.14 gives every row the first one's values, so it is no reference."""
    x = noise((2, 1, 4, 5), torch.float64, 0)
    torch.testing.assert_close(augment.resize(x, (7, 1)), augment.resize(x.mT, (1, 7)).mT)


@drawn
@given(shapes, dtypes, st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_a_crop_is_a_window_of_its_own_for_each_picture(shape, dtype, height, width, seed):
    height, width = min(height, shape[2]), min(width, shape[3])
    x = pictures(shape, dtype)
    ours = augment.crop(x, (height, width), torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    tops, lefts = (
        torch.randint(most + 1, (shape[0],), generator=generator) for most in (shape[2] - height, shape[3] - width)
    )
    for mine, picture, top, left in zip(ours, x, tops.tolist(), lefts.tolist(), strict=True):
        assert torch.equal(mine, theirs.crop(picture, top, left, height, width))


RANDOM = {
    "affine": lambda x, g: augment.affine(x, 30, (0.5, 1.5), 20, generator=g),
    "brightness": lambda x, g: augment.brightness(x, 0.5, g),
    "contrast": lambda x, g: augment.contrast(x, 0.5, g),
    "saturation": lambda x, g: augment.saturation(x, 0.5, g),
    "hue": lambda x, g: augment.hue(x, 0.3, g),
    "crop": lambda x, g: augment.crop(x, 4, g),
}


@pytest.mark.parametrize("name", RANDOM)
def test_each_picture_gets_its_own_draw_from_the_given_generator(name):
    x = noise((1, 3, 9, 9), torch.uint8, 0).expand(6, -1, -1, -1)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, same, other = (RANDOM[name](x, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert any(not torch.equal(first[0], picture) for picture in first[1:])
    assert len(RANDOM[name](x[:0], None)) == 0
    assert RANDOM[name](x[:1], None).shape[0] == 1


def test_gradients_reach_the_pictures():
    x = noise((2, 1, 5, 6), torch.float64, 0).clone().requires_grad_()
    matrices = augment.affine_matrices(torch.tensor([20.0, -35.0]), torch.tensor([1.2, 0.8]), torch.zeros(2))
    assert torch.autograd.gradcheck(lambda x: augment.warp(x, matrices, 0.3), x)


def test_compose_makes_one_change_after_the_other_and_fits_batches():
    x = pictures((4, 1, 6, 6), torch.uint8)
    change = augment.Compose(lambda x: x.flip(-1), lambda x: augment.crop(x, 4))
    torch.manual_seed(0)
    ours = change(x)
    torch.manual_seed(0)
    assert torch.equal(ours, augment.crop(x.flip(-1), 4))
    images, _ = next(iter(data.Batches(x, torch.arange(4), 4, augment=change)))
    assert images.shape == (4, 1, 4, 4)


grey, colour = torch.zeros(2, 1, 4, 5, dtype=torch.uint8), torch.zeros(2, 3, 4, 5)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: augment.flip(torch.arange(4)), ValueError, "x must have shape (N, C, H, W), a batch of pictures, got"),
        (lambda: augment.affine(torch.arange(4), 10), ValueError, "x must have shape (N, C, H, W)"),
        (lambda: augment.affine(grey.long(), 10), TypeError, "x must be uint8, 0 to 255, or floats, got torch.int64"),
        (lambda: augment.affine([grey], 10), TypeError, "x must be a tensor of pictures"),
        (lambda: augment.affine(grey, -1), ValueError, "degrees must be a finite number, 0 at least, got -1"),
        (lambda: augment.affine(grey, zoom=1.5), ValueError, "zoom must be a pair"),
        (lambda: augment.affine(grey, zoom=(1.5, 1.0)), ValueError, "zoom must be a pair"),
        (lambda: augment.affine(grey, zoom=(0, 1)), ValueError, "zoom must be a pair"),
        (lambda: augment.affine(grey, shear=90), ValueError, "shear must be"),
        (lambda: augment.affine(grey, fill=-1), ValueError, "fill must be"),
        (lambda: augment.warp(grey, torch.zeros(3, 2, 3)), ValueError, "matrices must be floats of shape (2, 2, 3)"),
        (lambda: augment.affine_matrices(torch.ones(2), torch.ones(3), torch.ones(2)), ValueError, "angles, zooms and"),
        (lambda: augment.brightness(grey, -0.1), ValueError, "strength must be"),
        (lambda: augment.brightness(colour - 1, 0.1), ValueError, "x must be floats from 0 to 1 (or uint8), got"),
        (lambda: augment.contrast(torch.zeros(1, 2, 4, 4), 0.1), ValueError, "x must have 1 or 3 channels"),
        (lambda: augment.saturation(grey, 0.1), ValueError, "x must have 3 channels"),
        (lambda: augment.hue(grey, 0.1), ValueError, "x must have 3 channels"),
        (lambda: augment.hue(colour, 0.6), ValueError, "strength must be"),
        (lambda: augment.crop(grey, 5), ValueError, "size must fit into the pictures, which are (4, 5), got (5, 5)"),
        (lambda: augment.resize(grey, 0), ValueError, "size must be one whole number or a pair"),
        (lambda: augment.Compose(3), TypeError, "changes must be functions of a batch"),
    ],
)
def test_what_does_not_fit_is_named(call, error, said):
    with pytest.raises(error, match=f"^{re.escape(said)}"):
        call()
