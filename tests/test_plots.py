"""Figures: made without pyplot, the same each time, and with text that can be read."""

import base64
import io
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import dcgan, environment, metrics, palette, plots, training

SIGNED = torch.linspace(-1, 1, 400).view(20, 20)

WAY = torch.linspace(4, 0, 12).view(6, 2)

WATCH = training.Watch(10, training=[], validation=[])
WATCH.steps = [10, 20, 30]
WATCH.loss = {"training": [1.0, 0.5, 0.1], "validation": [1.0, 0.8, 1.2]}
WATCH.accuracy = {"training": [0.5, 0.9, 1.0], "validation": [0.5, 0.8, 0.8]}
BINS = metrics.Bins(torch.tensor([0.0, 0.7, 0.9]), torch.tensor([0.0, 0.6, 1.0]), torch.tensor([0, 10, 500]))

FRAMES = [
    torch.full((4, 1, 6, 5), 60 * frame, dtype=torch.uint8) + torch.arange(4).view(4, 1, 1, 1).byte()
    for frame in range(3)
]
COURSE = dcgan.Game([1.0, 0.5], [2.0, 3.0], [0.6, 0.8], [0.4, 0.2])

FIGURES = {
    "one dimension": lambda: plots.one_dimension(
        torch.linspace(-2, 2, 9),
        torch.ones(9),
        torch.rand(9),
        {"best, D*": torch.rand(9)},
    ),
    "game": lambda: plots.game(COURSE),
    "film": lambda: plots.film(FRAMES, [1, 20, 3000], 4),
    "images": lambda: plots.images(torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)), ["a", "b", "c"]),
    "row of numbers": lambda: plots.row({"x": torch.arange(6.0).view(2, 3), "y": -torch.eye(3)}),
    "row of pictures": lambda: plots.row({"x": torch.rand(28, 28), "y": SIGNED}),
    "beside": lambda: plots.beside(torch.zeros(1, 2, 3, 4), torch.ones(1, 2, 3, 4), "case"),
    "beside, other shape": lambda: plots.beside(torch.zeros(3), torch.ones(2, 2), "case"),
    "bars": lambda: plots.bars({"one": 1.0, "two": 2.5e6}, "steps"),
    "curves": lambda: plots.curves(training.History([2.0, 1.0, 0.5], [0.1, 0.2, 0.1], [0.8, 0.9], [2, 3])),
    "curves without validation": lambda: plots.curves(training.History([2.0] * 99, [0.1] * 99)),
    "ravine": lambda: plots.ravine({"one": WAY, "two": -WAY}, condition=20),
    "ravine that is left": lambda: plots.ravine({"one": WAY * 1e12}, condition=100),
    "watched": lambda: plots.watched(WATCH),
    "cures": lambda: plots.cures(WATCH, dict.fromkeys(["one cure", "two", "three", "four", "five"], WATCH)),
    "lines": lambda: plots.lines({"one": ([1, 2], [3.0, 0.1]), "two": ([1, 2], [1.0, 2.0])}, "step", "loss", log=True),
    "histograms": lambda: plots.histograms({"one": SIGNED, "two": 9 * SIGNED}, "weight", reach=0.5),
    "confusion": lambda: plots.confusion(torch.tensor([[9, 1], [0, 0]]), ["shirt", "coat"]),
    "reliability": lambda: plots.reliability(dict.fromkeys(["one model", "another"], BINS)),
    "heat": lambda: plots.heat(
        torch.rand(2, 1, 8, 8), {"one": torch.rand(2, 3, 3), "two": -SIGNED[:2, None]}, ["a", "b"]
    ),
    "colours": lambda: plots.colours(torch.rand(2, 3, 4, 4), columns=2),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_figure_draws_inside_its_page_without_overlapping_titles(make):
    figure = make()
    assert figure._repr_png_().startswith(b"\x89PNG")
    page = figure.bbox
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    for box in titles:
        assert page.x0 - 1 <= box.x0
        assert box.x1 <= page.x1 + 1
    for number, box in enumerate(titles):
        assert not any(box.overlaps(other) for other in titles[number + 1 :])


def test_same_content_gives_the_same_bytes():
    assert FIGURES["images"]()._repr_png_() == FIGURES["images"]()._repr_png_()


def test_importing_plots_leaves_pyplot_alone():
    code = "import sys, course_utils.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_numbers_are_written_where_they_stand():
    figure = plots.row({"x": torch.tensor([[1.0, -2.0, 0.25], [0.0, -0.0, 10.0]])})
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "−2", "0.25", "0", "0", "10"]


def test_titles_for_each_picture_or_none():
    with pytest.raises(ValueError, match="titles: 1 of them for 2 pictures"):
        plots.images(torch.zeros(2, 4, 4), ["only one"])


def test_signs_can_be_told_apart_in_greyscale():
    from matplotlib import colormaps

    grey = colormaps[palette.SIGNED](torch.linspace(0, 1, 11).numpy())[:, :3] @ [0.299, 0.587, 0.114]
    assert all(dark < light for dark, light in itertools.pairwise(grey))


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["INK", "BLUE", "GREEN", "RED", "GREY"])
def test_text_colours_meet_wcag_aa_on_paper(name):
    contrast = (_luminance(palette.PAPER) + 0.05) / (_luminance(getattr(palette, name)) + 0.05)
    assert contrast >= 4.5


def test_environment_report_ends_well_here(capsys):
    environment.report()
    lines = capsys.readouterr().out.splitlines()
    assert [line[2:10].strip() for line in lines] == ["Python", "torch", "device", "cores", "memory", "data"]
    assert all(line.startswith("✓") for line in lines)


def test_environment_report_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(environment.torch, "__version__", "1.0")
    monkeypatch.setattr(environment.data, "fashion_mnist", _missing)
    environment.report()
    text = capsys.readouterr().out
    assert "✗ torch   1.0\n  -> the course was made with 2.14" in text
    assert "✗ data    data/x.gz is missing\n  -> then run this cell again" in text


def _missing():
    raise environment.data.DataFileError("data/x.gz is missing")


def test_a_curve_shows_each_step_and_a_running_mean():
    figure = plots.curves(training.History([4.0, 2.0, 3.0], [0.1, 0.2, 0.1], [0.8, 0.9], [2, 3]))
    (loss, smooth), (rate,), (accuracy,) = (axes.lines for axes in figure.axes)
    assert loss.get_ydata().tolist() == [4.0, 2.0, 3.0]
    assert smooth.get_ydata().tolist() == [4.0, 3.0, 3.0]
    assert rate.get_ydata().tolist() == [0.1, 0.2, 0.1]
    assert accuracy.get_xdata().tolist() == [2, 3]


def test_a_running_mean_forgets():
    assert plots._running_mean([1.0] * 20 + [2.0] * 20)[29:31] == pytest.approx([2.0, 2.0])


def test_bytes_keep_their_white_and_floats_are_stretched():
    dark = torch.full((1, 4, 4), 40, dtype=torch.uint8)
    assert plots.images(dark).axes[0].images[0].get_clim() == (0, 255)
    assert plots.images(dark / 255).axes[0].images[0].get_clim() != (0, 255)


def test_the_lowest_loss_of_the_last_part_is_marked():
    mark = plots.watched(WATCH).axes[0].lines[-1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (20, 0.8)


def test_names_and_lines_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"^names: 1 of them for 2 classes"):
        plots.confusion(torch.eye(2).long(), ["a"])
    with pytest.raises(ValueError, match=r"^series: 6 lines; only 5"):
        plots.lines({str(i): ([0], [0]) for i in range(6)}, "x", "y")


def test_a_film_strip_has_a_column_for_each_frame_and_a_row_for_each_picture():
    strip = plots.film(FRAMES, [1, 20, 3000], pictures=2).axes[0]
    shown = strip.images[0].get_array()
    assert shown.shape == (2 * 6, 3 * 5)
    assert (shown[0, 0], shown[6, 0], shown[0, 5], shown[11, 14]) == (0, 1, 60, 121)
    assert [label.get_text() for label in strip.get_xticklabels()] == ["1", "20", "3,000"]


def test_an_animation_plays_the_frames_in_order():
    animation = plots.Animation(FRAMES, 'two "rows"', columns=2, seconds=0.2)
    film = Image.open(io.BytesIO(animation.gif))
    assert (film.n_frames, film.size, film.info["loop"]) == (3, (10, 12), 0)
    for number, frame in enumerate(FRAMES):
        film.seek(number)
        assert film.info["duration"] == (800 if number == 2 else 200)
        grey = torch.from_numpy(np.array(film.convert("L")))
        assert grey[::6, ::5].tolist() == frame[:, 0, 0, 0].view(2, 2).tolist()
    page = animation._repr_html_()
    assert 'alt="two &quot;rows&quot;"' in page
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page)[1]) == animation.gif


def test_a_game_shows_both_losses_and_both_answers():
    losses, answers = plots.game(COURSE).axes
    assert [line.get_ydata().tolist() for line in losses.lines] == [[1.0, 0.75], [2.0, 2.5]]
    assert [line.get_ydata().tolist() for line in answers.lines] == [
        [0.6, pytest.approx(0.7)],
        [0.4, pytest.approx(0.3)],
    ]


def test_the_map_of_codes_has_a_number_at_each_and_pictures_in_their_places():
    codes = torch.tensor([[1.0, 2.0], [1.2, 2.5], [9.0, 9.0], [-1.0, 0.0]])
    pictures = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(9, 1, 2, 2)
    figure = plots.latent_map(codes, torch.tensor([0, 0, 0, 1]), ["shoe", "coat"], pictures, reach=2.0)
    numbered, decoded = figure.axes
    assert [len(of_class.get_offsets()) for of_class in numbered.collections] == [3, 1]
    assert numbered.collections[1].get_offsets().tolist() == [[-1.0, 0.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["shoe", "coat"]
    assert decoded.images[0].get_extent() == [-3.0, 3.0, -3.0, 3.0]  # the outer pictures stand around -2 and 2
    assert decoded.images[0].get_array()[0, 0] == 0 and decoded.images[0].get_array()[5, 5] == 8
