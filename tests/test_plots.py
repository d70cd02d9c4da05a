"""Figures: made without pyplot, the same each time, and with text that can be read."""

import base64
import io
import itertools
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text
from nbclient import NotebookClient
from PIL import Image

from course_utils import dcgan, environment, metrics, palette, plots, training
from tests.test_palette import contrast, lightness

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
    "row with a bar in the middle": lambda: plots.row({"x": SIGNED, "y": SIGNED, "z": torch.rand(28, 28)}),
    "beside": lambda: plots.beside(torch.zeros(1, 2, 3, 4), torch.ones(1, 2, 3, 4), "case"),
    "beside, other shape": lambda: plots.beside(torch.zeros(3), torch.ones(2, 2), "case"),
    "bars": lambda: plots.bars({"one": 1.0, "two": 2.5e6}, "steps"),
    "curves": lambda: plots.curves(training.History([2.0, 1.0, 0.5], [0.1, 0.2, 0.1], [0.8, 0.9], [2, 3])),
    "curves without validation": lambda: plots.curves(training.History([2.0] * 99, [0.1] * 99)),
    "ravine": lambda: plots.ravine({"one": WAY, "two": -WAY}, condition=20),
    "ravine that is left": lambda: plots.ravine({"one": WAY * 1e12}, condition=100),
    "watched": lambda: plots.watched(WATCH),
    "cures": lambda: plots.cures(WATCH, dict.fromkeys(["one cure", "two", "three", "four", "five"], WATCH)),
    "five lines": lambda: plots.lines({name: ([1, 2], [1.0, int(name)]) for name in "12345"}, "step", "loss"),
    "lines": lambda: plots.lines({"one": ([1, 2], [3.0, 0.1]), "two": ([1, 2], [1.0, 2.0])}, "step", "loss", log=True),
    "histograms": lambda: plots.histograms({"one": SIGNED, "two": 9 * SIGNED}, "weight", reach=0.5),
    "confusion": lambda: plots.confusion(torch.tensor([[9, 1], [0, 0]]), ["shirt", "coat"]),
    "reliability": lambda: plots.reliability(dict.fromkeys(["one model", "another"], BINS)),
    "heat": lambda: plots.heat(
        torch.rand(2, 1, 8, 8), {"one": torch.rand(2, 3, 3), "two": -SIGNED[:2, None]}, ["a", "b"]
    ),
    "colours": lambda: plots.colours(torch.rand(2, 3, 4, 4), columns=2),
    "latent map": lambda: plots.latent_map(
        torch.randn(40, 2), torch.arange(40) % 10, "abcdefghij", torch.zeros(9, 1, 2, 2, dtype=torch.uint8), reach=2.0
    ),
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


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_what_a_figure_says_and_draws_can_be_read(make):
    figure = make()
    figure.draw_without_rendering()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            assert text.get_fontsize() >= 7, text
            assert contrast(to_hex(text.get_color()), palette.PAPER) >= 4.5, text
    drawn = [line.get_color() for axes in figure.axes for line in axes.lines]
    drawn += [bar.get_facecolor() for axes in figure.axes for bars in axes.containers for bar in bars]
    drawn += [color for axes in figure.axes for some in axes.collections for color in some.get_facecolor()]
    faint = (palette.GRID, palette.AREA, palette.PAPER)  # nobody needs to see what these show
    assert all(contrast(color, palette.PAPER) >= 3 for color in map(to_hex, drawn) if color not in faint)


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_lines_in_one_panel_can_be_told_apart_without_colour(make):
    for axes in make().axes:
        looks = [(line.get_linestyle(), line.get_marker(), to_hex(line.get_color())) for line in axes.lines]
        for one, other in itertools.combinations(looks, 2):
            assert one[:2] != other[:2] or abs(lightness(one[2]) - lightness(other[2])) > 30


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_every_figure_has_words_for_those_who_do_not_see_it(make):
    words = make().alt
    assert 20 < len(words) <= 300
    assert "\n" not in words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images", "3 pictures, 3 in a row. Titles: a; b; c."),
        ("row of pictures", "Picture with 2 panels. Titles: x; y."),
        ("bars", "Bar chart. x axis: steps. Names: one; two."),
        ("lines", "Line chart. x axis: step. y axis: loss. Names: one; two."),
        (
            "watched",
            "Picture with 2 panels. Titles: loss; accuracy. x axis: step. Names: training; validation; lowest.",
        ),
        (
            "ravine",
            "Picture with 2 panels. Titles: where it goes (+: the lowest point); loss at each step. "
            "x axis: x; step. y axis: y. Names: one; two.",
        ),
        ("confusion", "Confusion matrix. x axis: called. y axis: is. Names: shirt; coat."),
        ("film", "Film strip, from left to right. x axis: step. Names: 1; 20; 3,000."),
    ],
)
def test_the_words_say_what_it_is_and_how_things_are_called(name, words):
    assert FIGURES[name]().alt == words


def test_words_that_are_too_many_end_with_an_ellipsis_after_a_whole_name():
    figure = plots.images(torch.zeros(40, 2, 2), [f"name {i}\nand number" for i in range(40)])
    assert re.fullmatch(r"40 pictures, 10 in a row\. Titles: (name \d+ and number; )+…", figure.alt)
    assert 280 < len(figure.alt) <= 300
    assert plots.images(torch.zeros(1, 2, 2), ["word " * 99]).alt == "1 picture, 1 in a row. Titles: …"


def test_panels_are_counted_without_colour_bars_and_one_is_no_more_than_one():
    assert repr(FIGURES["lines"]()) == "Picture with 1 panel"
    assert repr(FIGURES["row of pictures"]()) == "Picture with 2 panels"
    assert repr(FIGURES["cures"]()) == "Picture with 5 panels"


def test_a_notebook_shows_the_picture_once_and_keeps_its_words():
    code = "from course_utils import plots\nplots.bars({'one': 1.0}, 'steps')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == {"image/png", "text/plain"}
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    assert output.data["text/plain"] == "Picture with 1 panel"
    assert output.metadata == {"image/png": {"alt": "Bar chart. x axis: steps. Names: one."}}


@pytest.mark.parametrize(("names", "last"), [("xyz", 1), ("xzy", 2), ("zy", 1), ("y", 0)])
def test_the_colour_bar_stands_beside_the_last_signed_panel(names, last):
    panels = {name: torch.rand(20, 20) if name == "z" else SIGNED for name in names}
    figure = plots.row(panels)
    figure.draw_without_rendering()
    ((at, bar),) = [(i, child) for i, axes in enumerate(figure.axes) for child in axes.child_axes]
    assert at == last
    panel, place = (axes.get_window_extent() for axes in (figure.axes[last], bar))
    assert 0 < place.x0 - panel.x1 < 0.1 * panel.width
    assert (place.y0, place.y1) == pytest.approx((panel.y0, panel.y1))
    assert all(place.x1 < axes.get_window_extent().x0 for axes in figure.axes[last + 1 :])


def test_same_content_gives_the_same_bytes():
    assert FIGURES["images"]()._repr_png_() == FIGURES["images"]()._repr_png_()


def test_importing_plots_leaves_pyplot_alone():
    code = "import sys, course_utils.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("array", "written"),
    [
        ([[1.0, -2.0, 0.25], [0.0, -0.0, 10.0]], ["1.00", "−2.00", "0.25", "0", "0", "10.00"]),
        ([[1.0, -2.0], [0.0, 10.0]], ["1", "−2", "0", "10"]),
        ([[2.1, 2.0], [-0.2, 0.0]], ["2.1", "2.0", "−0.2", "0"]),
        ([[1 / 3, 200.0], [-1 / 3, 0.0]], ["0.33", "200.00", "−0.33", "0"]),
    ],
)
def test_numbers_are_written_where_they_stand_with_as_many_decimals_each(array, written):
    figure = plots.row({"x": torch.tensor(array)})
    assert [text.get_text() for text in figure.axes[0].texts] == written


def test_numbers_can_be_read_on_their_cells():
    figure = plots.row({"x": torch.linspace(-1, 1, 128).view(8, 16)})
    wrong = plots.confusion(torch.tensor([[0, 9], [4, 5]]), ["a", "b"])
    for shown in (figure.axes[0].images[0], wrong.axes[0].images[0]):
        colours = shown.cmap(shown.norm(shown.get_array())).reshape(-1, 4)[:, :3]
        cells = [to_hex(shown.get_alpha() * colour + 1 - shown.get_alpha()) for colour in colours]
        assert min(contrast(palette.INK, cell) for cell in cells) >= 4.5


def test_titles_for_each_picture_or_none():
    with pytest.raises(ValueError, match="titles: 1 of them for 2 pictures"):
        plots.images(torch.zeros(2, 4, 4), ["only one"])


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
    first, second = (of_class.get_paths()[0].vertices for of_class in numbered.collections)
    assert not np.array_equal(first, second)  # digits, which tell classes apart without colour
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["shoe", "coat"]
    assert decoded.images[0].get_extent() == [-3.0, 3.0, -3.0, 3.0]  # the outer pictures stand around -2 and 2
    assert decoded.images[0].get_array()[0, 0] == 0 and decoded.images[0].get_array()[5, 5] == 8
