"""Every change of a batch against the same thing done picture by picture, by a loop or by torchvision."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as theirs

from course_utils import augment, data
from tests.drawing import drawn_cases

drawn = drawn_cases(200)
shapes = st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(2, 6), st.integers(2, 7))
dtypes = st.sampled_from([torch.float32, torch.float64, torch.uint8])
seeds = st.integers(0, 99)
grey = torch.zeros(2, 1, 4, 5)
turns = st.sampled_from([0.0, 15.0, 90.0, 170.0])
zooms = st.sampled_from([(1.0, 1.0), (0.5, 0.9), (0.8, 3.0)])
slants = st.sampled_from([0.0, 10.0, 50.0])
strengths = st.sampled_from([0.0, 0.3, 1.0, 2.5])
colours = {
    "brightness": (augment.brightness, theirs.adjust_brightness),
    "contrast": (augment.contrast, theirs.adjust_contrast),
    "saturation": (augment.saturation, theirs.adjust_saturation),
}


def pictures(shape, dtype=torch.float32):
    """Every pixel another number above 0, so that its way can be followed."""
    count = torch.Size(shape).numel()
    return (torch.arange(1, count + 1) % 255 + 1).view(shape).to(dtype)


def noise(shape, dtype, seed=0):
    """Grey levels for uint8, 0 to 1 for floats; every other drawn one has its axes in another order in memory."""
    values = torch.rand(shape, dtype=torch.float64, generator=seeded(seed))
    values = (values * 255).round().to(dtype) if dtype == torch.uint8 else values.to(dtype)
    return values.movedim(1, -1).contiguous().movedim(-1, 1) if seed % 2 else values


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def uniform(count, low, high, generator):
    """A number for each picture, as the module draws it."""
    return (low + (high - low) * torch.rand(count, dtype=torch.float64, generator=generator)).tolist()


def each(change, x, *numbers):
    """One picture after the other, each with its own numbers."""
    return torch.stack([change(*one) for one in zip(x, *numbers, strict=True)]) if len(x) else x


def assert_same(ours, expected, float_tolerance=2e-6):
    """To rounding; uint8 to one grey level, in which a float just below and one just above a half differ."""
    assert ours.dtype == expected.dtype
    assert ours.shape == expected.shape
    tolerance = 1 if ours.dtype == torch.uint8 else 1e-9 if ours.dtype == torch.float64 else 0
    tolerance = tolerance or float_tolerance
    torch.testing.assert_close(ours.double(), expected.double(), rtol=0, atol=tolerance)


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


@drawn
@given(shapes, dtypes, turns, zooms, slants, st.sampled_from([0.0, 1.0, 77.0]), seeds)
def test_affine_is_torchvisions_with_its_own_draw_for_each_picture(shape, dtype, degrees, zoom, shear, fill, seed):
    x = noise(shape, dtype, seed)
    before = x.clone()
    y = augment.affine(x, degrees, zoom, shear, fill, seeded(seed))
    generator, count = seeded(seed), shape[0]
    numbers = [uniform(count, *ends, generator) for ends in [(-degrees, degrees), zoom, (-shear, shear)]]
    expected = each(
        lambda p, turn, size, slant: theirs.affine(
            p, turn, [0, 0], size, [slant, 0], InterpolationMode.BILINEAR, fill=fill
        ),
        x,
        *numbers,
    )
    assert_same(y, expected, float_tolerance=2e-4 if fill > 1 else 2e-5)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_few_grey_levels_differ_from_torchvisions(dtype):
    """One level in a few thousand pixels, where a sum of floats falls on the other side of a half."""
    x = noise((200, 1, 9, 12), dtype)
    y = augment.affine(x, 40, (0.7, 1.4), 20, generator=seeded(0))
    generator = seeded(0)
    numbers = [uniform(200, *ends, generator) for ends in [(-40, 40), (0.7, 1.4), (-20, 20)]]
    expected = each(lambda p, *n: theirs.affine(p, n[0], [0, 0], n[1], [n[2], 0], InterpolationMode.BILINEAR, 0.0),
                    x, *numbers)  # fmt: skip
    assert ((y.double() - expected.double()).abs() > 1e-4).double().mean() < 1e-3


@drawn
@given(shapes, dtypes, turns, st.sampled_from([0.0, 1.0]), seeds)
def test_a_turn_alone_is_torchvisions_rotate_the_other_way(shape, dtype, degrees, fill, seed):
    x = noise(shape, dtype, seed)
    y = augment.affine(x, degrees, fill=fill, generator=seeded(seed))
    angles = uniform(shape[0], -degrees, degrees, seeded(seed))
    expected = each(lambda p, angle: theirs.rotate(p, -angle, InterpolationMode.BILINEAR, fill=fill), x, angles)
    assert_same(y, expected, float_tolerance=2e-5)


def test_a_matrix_says_where_a_pixel_comes_from():
    x = noise((4, 2, 5, 5), torch.uint8)
    there = torch.tensor(
        [[[1.0, 0, 0], [0, 1, 0]], [[1, 0, 2], [0, 1, -1]], [[0, 1, 0], [-1, 0, 0]], [[-1, 0, 0], [0, 1, 0]]]
    )
    y = augment.warp(x, there, fill=9)
    expected = torch.stack([x[0], moved(x[1], 1, -2, 9), x[2].rot90(-1, (1, 2)), x[3].flip(-1)])
    assert torch.equal(y, expected)


def test_half_a_pixel_is_the_mean_of_two():
    x = torch.tensor([[[[10.0, 30.0, 70.0]]]])
    half = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]]])
    torch.testing.assert_close(augment.warp(x, half), torch.tensor([[[[20.0, 50.0, 17.5]]]]))  # 70 by half, by half
    assert augment.warp((x + 1).to(torch.uint8), half)[0, 0, 0, :2].tolist() == [21, 51]
    assert augment.warp(torch.tensor([[[[10, 13]]]], dtype=torch.uint8), half).flatten()[0] == 12  # 11.5, to even


def test_gradients_pass_through_the_warp_and_the_brightness():
    x = noise((2, 2, 4, 5), torch.float64).requires_grad_()
    matrices = torch.eye(2, 3, dtype=torch.float64).repeat(2, 1, 1) + 0.13 * noise((2, 2, 3, 1), torch.float64)[..., 0]
    assert torch.autograd.gradcheck(lambda x, m: augment.warp(x, m, 0.3), (x, matrices.requires_grad_()))
    augment.warp(x.float(), matrices, 0.5).sum().backward()
    assert x.grad.abs().sum() > 0
    for change in (augment.brightness, augment.contrast, lambda x, s, g: augment.resize(x, 3)):
        inner = (0.3 + 0.2 * noise((2, 1, 4, 5), torch.float64)).requires_grad_()
        assert torch.autograd.gradcheck(lambda x, change=change: change(x, 0.2, seeded(0)), inner)
    for change in (augment.saturation, augment.hue):
        inner = (0.3 + 0.2 * noise((2, 3, 4, 5), torch.float64)).requires_grad_()
        assert torch.autograd.gradcheck(lambda x, change=change: change(x, 0.2, seeded(0)), inner)


@drawn
@given(st.sampled_from(sorted(colours)), shapes, dtypes, strengths, seeds)
def test_colours_change_as_torchvisions_with_a_factor_for_each_picture(name, shape, dtype, strength, seed):
    ours, adjust = colours[name]
    shape = (shape[0], 3 if name == "saturation" or shape[1] == 2 else shape[1], *shape[2:])
    x = noise(shape, dtype, seed)
    before = x.clone()
    y = ours(x, strength, seeded(seed))
    factors = uniform(shape[0], max(0, 1 - strength), 1 + strength, seeded(seed))
    assert_same(y, each(adjust, x, factors))
    assert torch.equal(x, before)


@drawn
@given(shapes, dtypes, st.sampled_from([0.0, 0.1, 0.5]), st.booleans(), seeds)
def test_hue_turns_as_torchvisions(shape, dtype, strength, coarse, seed):
    x = noise((shape[0], 3, *shape[2:]), dtype, seed)
    if coarse:  # channels that are equal: grey, two highest ones, two lowest ones
        x = (x / 85).floor().mul(85).to(dtype) if dtype == torch.uint8 else (x * 3).floor() / 3
    before = x.clone()
    y = augment.hue(x, strength, seeded(seed))
    expected = each(theirs.adjust_hue, x, uniform(shape[0], -strength, strength, seeded(seed)))
    assert y.dtype == dtype
    # torchvision computes in single precision even for doubles
    torch.testing.assert_close(y.double(), expected.double(), rtol=0, atol=1 if dtype == torch.uint8 else 1e-5)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("change", "adjust", "ends"),
    [(augment.saturation, theirs.adjust_saturation, (0.6, 1.4)), (augment.hue, theirs.adjust_hue, (-0.4, 0.4))],
)
def test_few_grey_levels_of_colours_differ_from_torchvisions(change, adjust, ends):
    x = noise((100, 3, 20, 20), torch.uint8)
    differ = change(x, 0.4, seeded(0)) != each(adjust, x, uniform(100, *ends, seeded(0)))
    assert differ.double().mean() < 0.01


def test_a_third_of_the_circle_takes_red_to_green(monkeypatch):
    monkeypatch.setattr(augment, "_uniform", lambda count, low, high, generator: torch.full((count,), 1 / 3))
    x = torch.tensor([[200, 0, 10], [0, 200, 10], [0, 0, 10]], dtype=torch.uint8).view(1, 3, 1, 3)
    assert augment.hue(x, 0.5)[0, :, 0].T.tolist() == [[0, 200, 0], [0, 0, 200], [10, 10, 10]]


@drawn
@given(shapes, dtypes, st.integers(2, 9), st.integers(2, 9), seeds)
def test_resize_is_torchvisions_with_antialiasing(shape, dtype, height, width, seed):
    x = noise(shape, dtype, seed)
    before = x.clone()
    y = augment.resize(x, (height, width))
    expected = theirs.resize(x, [height, width], antialias=True)
    assert_same(y, expected)
    assert torch.equal(x, before)
    assert y.data_ptr() != x.data_ptr() or not len(x)
    assert torch.equal(augment.resize(x, height), augment.resize(x, [height, height]))


def test_a_picture_becomes_one_pixel():
    assert augment.resize(noise((3, 3, 4, 4), torch.uint8) * 0 + 7, 1).tolist() == [[[[7]]] * 3] * 3


@drawn
@given(shapes, dtypes, st.integers(1, 6), st.integers(1, 7), seeds)
def test_crop_is_a_window_of_each_picture_where_it_was_drawn(shape, dtype, height, width, seed):
    height, width = min(height, shape[2]), min(width, shape[3])
    x = pictures(shape, dtype)
    y = augment.crop(x, (height, width), seeded(seed))
    generator = seeded(seed)
    tops, lefts = (
        torch.randint(room + 1, (shape[0],), generator=generator) for room in (shape[2] - height, shape[3] - width)
    )
    windows = [p[:, i : i + height, j : j + width] for p, i, j in zip(x, tops.tolist(), lefts.tolist(), strict=True)]
    assert y.shape == (*shape[:2], height, width)
    assert y.dtype == dtype
    assert all(torch.equal(*pair) for pair in zip(y, windows, strict=True))


def test_all_windows_come():
    x = torch.arange(20.0).view(1, 1, 4, 5).expand(400, 1, 4, 5)
    corners = augment.crop(x, (3, 2), seeded(0))[:, 0, 0, 0]
    assert set(corners.tolist()) == {0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0}
    y = augment.crop(x, (4, 5), seeded(0))
    assert torch.equal(y, x)
    assert y.data_ptr() != x.data_ptr()


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        (lambda x, g: augment.brightness(x, 0.4, g) / 0.4, 0.6, 1.4),
        (lambda x, g: augment.brightness(x, 1.5, g) / 0.4, 0.0, 2.5),
        (lambda x, g: augment.affine(x, zoom=(0.5, 2.0), generator=g)[..., 20:21, :].sum(-1) / 0.4 / 16, 0.5, 2.0),
    ],
)
def test_the_whole_range_is_reached_and_all_of_it_alike(change, low, high):
    x = torch.full((2000, 1, 1, 1), 0.4)
    if high == 2.0:
        x = torch.zeros(2000, 1, 41, 41)
        x[..., 13:28, 12:28] = 0.4  # 16 wide about (nearly) the middle: its width grows with the zoom
    found = change(x, seeded(0)).flatten()
    assert found.min().item() == pytest.approx(low, abs=0.02)
    assert found.max().item() == pytest.approx(high, abs=0.02)
    assert found.mean().item() == pytest.approx((low + high) / 2, abs=0.06)


def test_compose_makes_one_change_after_the_other():
    x = noise((6, 1, 5, 5), torch.uint8)
    both = augment.Compose(lambda x: x + 1, lambda x: x * 2)
    assert torch.equal(both(x), (x + 1) * 2)
    assert torch.equal(augment.Compose()(x), x)
    with pytest.raises(TypeError, match=r"^changes must be functions of a batch"):
        augment.Compose(augment.flip, 3)
    with pytest.raises(TypeError, match=r"^changes must be functions of a batch"):
        augment.Compose([augment.flip])


def test_a_composition_augments_batches():
    images = noise((10, 1, 9, 8), torch.uint8)
    changes = augment.Compose(
        lambda x: augment.affine(x, 10), lambda x: augment.contrast(x, 0.3), lambda x: augment.crop(x, 7)
    )
    batches = list(data.Batches(images, torch.arange(10), 4, augment=changes))
    assert [len(batch) for batch, _ in batches] == [4, 4, 2]
    assert all(batch.shape[1:] == (1, 7, 7) and batch.dtype == torch.float32 for batch, _ in batches)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays(dtype):
    x = noise((2, 3, 5, 6), dtype)
    for change in (lambda x: augment.affine(x, 20), lambda x: augment.hue(x, 0.2),
                   lambda x: augment.contrast(x, 0.2), lambda x: augment.resize(x, 4)):  # fmt: skip
        assert change(x).dtype == dtype


changes = {
    "shift": lambda x, g: augment.shift(x, 1, generator=g),
    "flip": augment.flip,
    "cutout": lambda x, g: augment.cutout(x, 2, generator=g),
    "crop": lambda x, g: augment.crop(x, 3, g),
    "affine": lambda x, g: augment.affine(x, 20, (0.8, 1.2), 5, generator=g),
    "brightness": lambda x, g: augment.brightness(x, 0.5, g),
    "contrast": lambda x, g: augment.contrast(x, 0.5, g),
    "saturation": lambda x, g: augment.saturation(x, 0.5, g),
    "hue": lambda x, g: augment.hue(x, 0.5, g),
}


@pytest.mark.parametrize("name", changes)
def test_equal_pictures_do_not_all_change_alike(name):
    one = noise((1, 3, 6, 6), torch.uint8, seed=2)
    y = changes[name](one.expand(20, -1, -1, -1), seeded(0))
    assert len({tuple(picture.flatten().tolist()) for picture in y}) > 1


@pytest.mark.parametrize("change", changes.values(), ids=changes)
def test_a_generator_of_its_own_leaves_the_global_one_alone(change):
    x = noise((8, 3, 5, 5), torch.uint8)
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
        (
            lambda: augment.affine(torch.arange(5), 10),
            r"x must have shape \(N, C, H, W\), a batch of pictures, got torch.i",
        ),
        (lambda: augment.hue(torch.arange(5), 0.1), "x must have shape .* batch of pictures"),
        (lambda: augment.affine(torch.zeros(1, 1, 0, 4), 10), "x must have a channel, a row"),
        (lambda: augment.affine(grey, -1), "degrees must be a finite number, 0 at least, got -1"),
        (lambda: augment.affine(grey, math.inf), "degrees must be a finite"),
        (lambda: augment.affine(grey, math.nan), "degrees must be a finite"),
        (lambda: augment.affine(grey, shear=90), "shear must be a finite number, 0 at least and 89 at most, got 90"),
        (lambda: augment.affine(grey, zoom=1.2), r"zoom must be a pair \(smallest, largest\), got 1.2"),
        (lambda: augment.affine(grey, zoom=(1, 2, 3)), "zoom must be a pair"),
        (lambda: augment.affine(grey, zoom=(1.2, 0.8)), "zoom must be a pair .* above 0, got .1.2, 0.8"),
        (lambda: augment.affine(grey, zoom=(0, 1)), "zoom must be a pair .* above 0"),
        (lambda: augment.affine(grey.byte(), fill=256), "fill must be a finite number, 0 at least and 255 at most"),
        (lambda: augment.affine(grey.byte(), fill=-1), "fill"),
        (lambda: augment.affine(grey, fill=math.nan), "fill must be a finite number, got nan"),
        (lambda: augment.warp(grey, torch.zeros(3, 2, 3)), r"matrices must be floats of shape \(2, 2, 3\), .* got t"),
        (lambda: augment.warp(grey, torch.zeros(2, 2, 3).long()), "matrices must be floats"),
        (lambda: augment.warp(grey, [1, 2]), r"matrices must be floats .* got \[1, 2\]"),
        (lambda: augment.affine_matrices(*torch.zeros(3, 2, 1)), "angles, zooms and shears must all have one shape"),
        (lambda: augment.affine_matrices(torch.zeros(2), torch.ones(3), torch.zeros(2)), "angles, zooms and shears"),
        (lambda: augment.brightness(grey, -0.1), "strength must be a finite number, 0 at least, got -0.1"),
        (lambda: augment.contrast(grey, -0.1), "strength"),
        (lambda: augment.saturation(grey.expand(2, 3, 4, 5), -0.1), "strength"),
        (lambda: augment.hue(grey.expand(2, 3, 4, 5), 0.6), "strength must .* 0 at least and 0.5 at most, got 0.6"),
        (lambda: augment.hue(grey.expand(2, 3, 4, 5), -0.1), "strength"),
        (lambda: augment.saturation(grey, 0.5), r"x must have 3 channels, got shape \(2, 1, 4, 5\)"),
        (lambda: augment.hue(grey, 0.5), "x must have 3 channels"),
        (lambda: augment.contrast(grey.expand(2, 2, 4, 5), 0.5), "x must have 1 or 3 channels"),
        (lambda: augment.brightness(grey - 0.5, 0.5), "x must be floats from 0 to 1 .*got -0.5 to -0.5"),
        (lambda: augment.brightness(grey + 1.5, 0.5), "x must be floats from 0 to 1 .*are they normalised already"),
        (lambda: augment.crop(grey, 5), r"size must fit into the pictures, which are \(4, 5\), got \(5, 5\)"),
        (lambda: augment.crop(grey, (4, 6)), "size must fit"),
        (lambda: augment.crop(grey, 0), "size must be one whole number or a pair"),
        (lambda: augment.resize(grey, (2, 0)), "size must be one whole number or a pair"),
        (lambda: augment.resize(grey, (2, 3, 4)), "size must be one whole number or a pair"),
        (lambda: augment.resize(grey, 2.5), "size must be one whole number or a pair .* got 2.5"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        make()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: augment.flip([1, 2]), "x must be a tensor of pictures .* got list"),
        (lambda: augment.affine(grey.long(), 10), "x must be uint8, 0 to 255, or floats, got torch.int64"),
        (lambda: augment.brightness(grey.bool(), 0.1), "x must be uint8"),
        (lambda: augment.resize(grey.int(), 3), "x must be uint8"),
        (lambda: augment.affine(grey, "10"), "degrees must be a number, got '10'"),
        (lambda: augment.affine(grey, zoom=("1", "2")), "zoom must be a number"),
        (lambda: augment.contrast(grey, (0.5, 1.5)), "strength must be a number"),
    ],
)
def test_wrong_types_are_named(make, named):
    with pytest.raises(TypeError, match=f"^{named}"):
        make()


def test_a_square_is_covered_by_zeros_unless_told():
    covered = augment.cutout(torch.ones(4, 1, 6, 6), 3)
    assert set(covered.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("shape", [(2, 0, 4, 5), (2, 1, 0, 5), (2, 1, 4, 0)])
def test_pictures_of_nothing_are_refused(shape):
    with pytest.raises(ValueError, match="x must have a channel, a row and a column at least"):
        augment.affine(torch.zeros(shape), 10)
