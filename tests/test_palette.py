"""The palette: it can be read on its grounds, by WCAG 2.1, and what it says of greyscale holds."""

import ast
import itertools
import re
from pathlib import Path

import pytest
from matplotlib import colormaps

from course_utils import palette
from course_utils.exercises import checking

TEXT = ("INK", "BLUE", "GREEN", "RED", "GREY")
DRAWN = (*TEXT, "ORANGE")
JUPYTERLAB = ("#ffffff", "#111111")  # the grounds of its light and its dark theme


def luminance(colour: str) -> float:
    """WCAG 2.1: the relative luminance of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.1: from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def lightness(colour: str) -> float:
    """CIE L*: from black 0 to white 100, in steps that look alike; colours of one lightness are one grey."""
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_contrast_and_lightness_are_measured_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the grey that just fails
    assert [lightness(grey) for grey in ("#000000", "#777777", "#ffffff")] == pytest.approx([0, 50, 100], abs=0.2)


@pytest.mark.parametrize("name", TEXT)
def test_text_has_4_5_to_1_on_paper(name):
    assert contrast(getattr(palette, name), palette.PAPER) >= 4.5


@pytest.mark.parametrize("name", DRAWN)
def test_lines_and_bars_have_3_to_1_on_paper(name):
    assert contrast(getattr(palette, name), palette.PAPER) >= 3


@pytest.mark.parametrize("ground", JUPYTERLAB)
@pytest.mark.parametrize("state", checking.COLOURS)
def test_the_bar_of_a_note_has_3_to_1_in_both_themes(state, ground):
    """The note's text has the page's own colour."""
    assert contrast(checking.COLOURS[state], ground) >= 3


def test_text_of_explorers_has_a_colour_that_can_be_read():
    found = []
    for path in Path(palette.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in {"text", "multiline_text"}:
                found += re.findall(r"palette\.([A-Z]+)", ast.unparse(call))
    assert found
    assert set(found) <= set(TEXT)


def test_some_colours_are_one_grey_so_colour_alone_tells_nothing_apart():
    """Why figures use dashes and dots beside colours; tests/test_plots.py holds each of them to it."""
    tones = {name: lightness(getattr(palette, name)) for name in DRAWN if name != "INK"}
    near = [pair for pair in itertools.combinations(tones, 2) if abs(tones[pair[0]] - tones[pair[1]]) < 5]
    assert sorted(map(set, near), key=sorted) == [{"BLUE", "RED"}, {"GREEN", "GREY"}, {"GREEN", "RED"}]


def test_signs_can_be_told_apart_in_greyscale():
    colours = colormaps[palette.SIGNED]([step / 10 for step in range(11)])[:, :3]
    assert all(dark < light for dark, light in itertools.pairwise(colours @ [0.299, 0.587, 0.114]))
