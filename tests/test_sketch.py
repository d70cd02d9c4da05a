"""Sketches: what is drawn lies where it should, and what lies beyond a plane is cut off."""

import io
import itertools
import math

import pytest
import torch
from PIL import Image, ImageColor

from course_utils import palette, sketch
from course_utils.sketch import SCALE, Plane, Sketch

BLUE, ORANGE, PAPER, GREY = map(ImageColor.getrgb, (palette.BLUE, palette.ORANGE, palette.PAPER, palette.GREY))


def colour(drawn, x, y):
    return drawn.image.getpixel((round(x * SCALE), round(y * SCALE)))


def test_it_is_drawn_at_twice_its_size_and_always_the_same():
    pngs = []
    for _ in range(2):
        drawn = Sketch(80, 30)
        drawn.text(40, 15, "words")
        pngs.append(drawn._repr_png_())
    assert pngs[0] == pngs[1]
    assert Image.open(io.BytesIO(pngs[0])).size == (160, 60)


def test_lines_boxes_dots_and_crosses_lie_where_they_should():
    drawn = Sketch(100, 100)
    drawn.line([(10, 10), (90, 10), (90, 50)], palette.BLUE)
    drawn.box(20, 30, 40, 60, palette.ORANGE, palette.BLUE, width=2)
    drawn.dot(70, 80, 5, palette.ORANGE)
    drawn.cross(20, 80, 5, palette.BLUE)
    assert [colour(drawn, *place) for place in ((50, 10), (90, 30), (30, 45), (20, 80))] == [BLUE] * 4
    assert [colour(drawn, *place) for place in ((30, 30), (40, 45), (70, 84), (70, 80))] == [ORANGE] * 4
    assert [colour(drawn, *place) for place in ((50, 13), (15, 45), (70, 87), (20, 84))] == [PAPER] * 4


def test_half_of_a_dashed_line_is_there():
    drawn = Sketch(200, 10)
    drawn.line([(0, 5), (90, 5), (200, 5)], palette.BLUE, dash=5)
    row = [colour(drawn, x + 0.5, 5) == BLUE for x in range(200)]
    assert row[:5] == [True] * 5 and row[6:9] == [False] * 3
    assert 90 <= sum(row) <= 125


def test_an_arrow_has_its_head_at_its_end():
    drawn = Sketch(100, 40)
    drawn.arrow((10, 20), (90, 20), palette.BLUE)
    across = [sum(colour(drawn, x, y / 2) == BLUE for y in range(80)) for x in (20, 86)]
    assert across[1] > across[0] > 0
    drawn.arrow((50, 5), (50, 5))  # no way at all: no head, and no error


def test_a_picture_has_square_pixels_and_heat_lightens_it():
    drawn, pixels = Sketch(100, 60), torch.tensor([[0.0, 255.0], [100.4, 300.0], [-5.0, 7.0]])
    assert drawn.picture(pixels, 10, 0, 40) == 60
    shown = [[colour(drawn, 10 + 20 * (j + 0.5), 20 * (i + 0.5))[0] for j in range(2)] for i in range(3)]
    assert shown == [[0, 255], [100, 255], [0, 7]]
    drawn.picture(torch.full((2, 2), 128.0), 60, 0, 40, torch.tensor([[0.0, 0.0], [0.0, 4.0]]))
    assert sum(colour(drawn, 95, 35)) > sum(colour(drawn, 65, 5))
    drawn.picture(torch.zeros(2, 2), 60, 0, 40, torch.zeros(2, 2))  # where nothing counts: all dark, no division by 0


def test_signed_numbers_are_lighter_the_larger_they_are_even_in_grey():
    drawn = Sketch(70, 10)
    drawn.signed(torch.tensor([[-9.0, -2.0, -1.0, 0.0, 1.0, 2.0, 9.0]]), 0, 0, 70, largest=2)
    grey = [drawn.image.convert("L").getpixel((10 + 20 * i, 10)) for i in range(7)]
    assert grey[0] == grey[1] and grey[5] == grey[6]
    assert all(dark < light for dark, light in itertools.pairwise(grey[1:6]))


def test_bars_are_as_long_as_their_shares_and_end_at_the_edge():
    drawn = Sketch(300, 100)
    drawn.bars({"a": 0.5, "b": 2.0, "c": 0.0}, 100, 10, 100, 25)
    assert [colour(drawn, x, 22.5) for x in (101, 149)] == [BLUE, BLUE]
    assert colour(drawn, 152, 22.5) == PAPER
    assert [colour(drawn, x, 47.5) for x in (101, 199)] == [ORANGE, ORANGE]
    assert colour(drawn, 202, 47.5) == PAPER
    assert colour(drawn, 104, 72.5) == PAPER
    drawn.bars({"a": 0.5, "b": 0.7}, 100, 10, 100, 25, best=False)
    assert colour(drawn, 101, 47.5) == BLUE


@pytest.mark.parametrize("log", ["", "y"])
def test_a_plane_puts_numbers_in_their_places_and_cuts_off_what_is_beyond(log):
    plane = Plane(100, 100, (-1, 1), (0.01, 100), log)
    assert plane.place(-1, 0.01) == (0, 200)
    assert plane.place(1, 100) == (200, 0)
    middle = 1.0 if log else (100.01) / 2
    assert plane.place(0, middle) == pytest.approx((100, 100))
    if not log:
        for place in ((-1, 0.01), (0.3, 77.0)):
            assert plane.numbers(*(pixel / SCALE for pixel in plane.place(*place))) == pytest.approx(place)
    plane.line([(0, 0.01), (0, 1e30), (50, 1e30)], palette.BLUE)  # far beyond: cut off, not folded back
    whole = Sketch(200, 200)
    whole.add(plane, 60, 30)
    assert colour(whole, 110, 80) == BLUE
    assert BLUE not in {colour(whole, x, y) for x, y in ((110, 20), (180, 20), (40, 80), (170, 80))}
    assert plane.place(0, math.inf)[1] < 0


@pytest.mark.parametrize(
    ("limits", "log", "expected"),
    [
        ((-1, 1), "", ["−1", "−0.5", "0", "0.5", "1"]),
        ((0, 60), "", ["0", "20", "40", "60"]),
        ((1e-3, 10), "x", ["0.001", "0.01", "0.1", "1", "10"]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(limits, log, expected):
    plane = Plane(240, 50, limits, (0, 1), log, ticks="x")
    assert [text for _, text in plane.ticks(0)] == expected
    assert all(limits[0] <= value <= limits[1] for value, _ in plane.ticks(0))
    assert plane.ticks(1) == []


def test_labels_stand_beside_the_plane():
    whole = Sketch(300, 300)
    whole.add(Plane(150, 150, (0, 1), (0, 1)), 100, 60, "title", "along", "upwards")
    ink = [
        any(colour(whole, x, y) != PAPER for x in range(left, right) for y in range(top, bottom))
        for left, top, right, bottom in (
            (150, 40, 200, 58),
            (150, 230, 200, 250),
            (50, 110, 66, 160),
            (80, 55, 98, 215),
        )
    ]
    assert ink == [True] * 4
    assert colour(whole, 100, 120) == GREY


def test_the_still_is_the_sketch_as_shown_with_its_sentence_below():
    drawn = Sketch(300, 50)
    drawn.box(0, 0, 300, 50, fill=palette.BLUE)
    still = Image.open(io.BytesIO(sketch.written_below(drawn._repr_png_(), "A sentence of many words. " * 5)))
    assert still.width == 300 and still.height > 50 + 3 * 16
    assert still.getpixel((150, 25)) == BLUE
    assert len(still.crop((0, 50, *still.size)).getcolors(10**6)) > 10
    assert still.getpixel((299, still.height - 1)) == PAPER
