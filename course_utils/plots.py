"""Figures of the lessons: each function returns a Figure, which a notebook shows where it ends a cell.

They are made without pyplot, so nothing is kept open behind the reader's back and nothing is shown twice. The ``width``
of a figure is in inches; ``title``, ``xlabel`` and ``ylabel`` are the words at its axes.
"""

import base64
import html
import io
from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, ScalarFormatter
from PIL import Image
from torch import Tensor

from . import palette

if TYPE_CHECKING:
    from .dcgan import Game
    from .metrics import Bins
    from .training import History, Watch

DPI = 110
FONT, SMALL = 9.0, 8.0  # points; small are legends, and what stands close together
TEXT = {"fontsize": FONT, "color": palette.INK}
LEGEND = {"fontsize": SMALL, "labelcolor": palette.INK, "frameon": False}
LINE = 1.8  # its width, in points

# Of several lines in one panel. The colours are not far enough apart in grey: dashes and dots tell them apart there.
STYLES = (
    {"color": palette.BLUE, "linestyle": "-"},
    {"color": palette.ORANGE, "linestyle": "--"},
    {"color": palette.GREEN, "linestyle": ":"},
    {"color": palette.RED, "linestyle": "-."},
    {"color": palette.GREY, "linestyle": "-", "marker": "o", "markersize": 4, "markevery": 0.1},
)


class Picture(Figure):
    """A Figure that a notebook can show by itself, always as the same PNG for the same content, and with words for it.

    Args:
        width, height: in inches.
        about: what it is, where titles, labels and legends do not tell.
    """

    def __init__(self, width: float, height: float, about: str = ""):
        super().__init__(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=palette.PAPER)
        FigureCanvasAgg(self)
        self.about = about

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()

    def __repr__(self) -> str:
        return f"Picture with {_count(self.axes, 'panel')}"

    def _repr_mimebundle_(self, **_) -> tuple[dict[str, bytes | str], dict[str, dict[str, str]]]:
        return {"image/png": self._repr_png_(), "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}

    @property
    def alt(self) -> str:
        """For those who do not see it: what it is, and what things in it are called, but nothing that was measured."""
        both = [axis for axes in self.axes for axis in (axes.xaxis, axes.yaxis)]
        worded = [axis for axis in both if not isinstance(axis.get_major_formatter(), (ScalarFormatter, LogFormatter))]
        legends = [*self.legends, *filter(None, (axes.get_legend() for axes in self.axes))]
        names = [text for axis in worded for text in axis.get_ticklabels()]
        names += [text for legend in legends for text in legend.get_texts()]
        lists = {
            "Titles": [self.get_suptitle(), *(axes.get_title() for axes in self.axes)],
            "x axis": dict.fromkeys([self.get_supxlabel(), *(axes.get_xlabel() for axes in self.axes)]),
            "y axis": dict.fromkeys([self.get_supylabel(), *(axes.get_ylabel() for axes in self.axes)]),
            "Names": dict.fromkeys(text.get_text() for text in names),
        }
        return _told(self.about or repr(self), lists)


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _told(about: str, lists: dict[str, Iterable[str]], most: int = 300) -> str:
    """A sentence for each list; all end after so many entries that the whole has at most so many characters."""
    lists = {name: [" ".join(entry.split()) for entry in entries if entry] for name, entries in lists.items()}
    for kept in range(max(map(len, lists.values())), -1, -1):
        cut = {name: all_[:kept] + ["…"] * (len(all_) > kept) for name, all_ in lists.items()}
        text = " ".join([f"{about}.", *(f"{name}: {'; '.join(entries)}." for name, entries in cut.items() if entries)])
        if len(text) <= most:
            break
    return text.replace("….", "…")


def images(pictures: Tensor, titles: Sequence[str] = (), columns: int = 10, width: float = 8.0) -> Picture:
    """Grey pictures side by side.

    Args:
        pictures: (N, 1, H, W) or (N, H, W); uint8 from black 0 to white 255, floats from their least to their most.
        titles: one for each picture, or none.
        columns: how many stand in a row.
        width: of the figure, in inches.

    Raises:
        ValueError: if there are not as many titles as pictures.
    """
    pictures = pictures.flatten(0, 1) if pictures.dim() == 4 else pictures
    if titles and len(titles) != len(pictures):
        raise ValueError(f"titles: {len(titles)} of them for {len(pictures)} pictures")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    side = width / columns
    figure = Picture(
        width, rows * (side + (0.22 if titles else 0)), f"{_count(pictures, 'picture')}, {columns} in a row"
    )
    for number, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, number + 1)
        # Bytes have a white of their own, so that a dark picture stays dark; floats are stretched to what they hold.
        white = {"vmin": 0, "vmax": 255} if picture.dtype == torch.uint8 else {}
        axes.imshow(picture.numpy(), cmap=palette.PICTURE, **white)
        axes.set_axis_off()
        if titles:
            axes.set_title(titles[number], **TEXT)
    return figure


def row(panels: dict[str, Tensor], width: float = 8.0) -> Picture:
    """Arrays of numbers side by side, each under its name: pictures in grey, signed ones in two colours.

    Small arrays (up to 8 rows and 16 columns) carry their numbers; if all are small, their cells are of one size.
    Large signed ones share one scale, with a colour bar beside the last of them.

    Args:
        panels: name -> (H, W).
        width: of the figure in inches, at most.
    """
    arrays = list(panels.values())
    small, signed = [_few(a) for a in arrays], [bool((a < 0).any()) and not _few(a) for a in arrays]
    largest = max(
        (a.abs().max().item() for a, is_signed in zip(arrays, signed, strict=True) if is_signed), default=None
    )
    if all(small):
        ratios = [max(array.shape[1], 2.6) for array in arrays]  # room for the name above
        cell = min(0.5, width / (sum(ratios) + len(ratios)))
        figure = Picture(cell * (sum(ratios) + len(ratios)), cell * max(len(array) for array in arrays) + 0.4)
    else:
        ratios = [array.shape[1] / len(array) for array in arrays]
        bar = 0.6 if any(signed) else 0.0
        figure = Picture(width, min((width - bar) / sum(ratios), 3.4) + 0.4)
    grid = figure.add_gridspec(1, len(panels), width_ratios=ratios)
    for number, (name, array) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[number])
        axes.set_title(name, **TEXT)
        numbers(axes, array, largest if signed[number] else None)
        if signed[number] and not any(signed[number + 1 :]):
            beside_it = axes.inset_axes((1 + 0.04 / ratios[number], 0, 0.05 / ratios[number], 1))  # no panel of its own
            figure.colorbar(_scale(largest), beside_it).ax.tick_params(labelsize=SMALL, colors=palette.INK)
    return figure


def numbers(axes: Axes, array: Tensor, largest: float | None = None) -> None:
    """One array: its cells as colours, and its numbers where they are few enough to read.

    All are written with as many decimals as the array needs, at most two; what is exactly 0 is written so.

    Args:
        array: (H, W), signed or not.
        largest: the magnitude that has full colour; the array's own unless given.
    """
    array = array.detach().double()
    few = _few(array)
    if not (few or largest is not None or (array < 0).any()):
        axes.imshow(array.numpy(), cmap=palette.PICTURE)
    else:
        scale = _scale(largest or max(array.abs().max().item(), 1e-12))
        axes.imshow(array.numpy(), cmap=scale.cmap, norm=scale.norm, alpha=0.5 if few else 1.0)
    axes.set_xticks([])
    axes.set_yticks([])
    if few:
        axes.hlines([i - 0.5 for i in range(1, array.shape[0])], -0.5, array.shape[1] - 0.5, palette.PAPER, linewidth=1)
        axes.vlines([j - 0.5 for j in range(1, array.shape[1])], -0.5, array.shape[0] - 0.5, palette.PAPER, linewidth=1)
        rounded = (d for d in (0, 1) if torch.allclose(array, array.round(decimals=d), 0, 1e-5, equal_nan=True))
        decimals = next(rounded, 2)
        for i, line in enumerate(array.tolist()):
            for j, value in enumerate(line):
                text = f"{value:.{decimals}f}".replace("-", "−") if value else "0"
                axes.text(j, i, text, ha="center", va="center", **TEXT)
    for spine in axes.spines.values():
        spine.set_color(palette.GRID)


def _scale(largest: float) -> ScalarMappable:
    """Signed numbers as colours, 0 in the middle."""
    return ScalarMappable(TwoSlopeNorm(0, -largest, largest), palette.SIGNED)


def beside(expected: Tensor, came: Tensor, title: str) -> Picture:
    """What should come, what came, and where they differ, for arrays of up to four axes (the first (H, W) is drawn).

    Args:
        expected, came: tensors; shapes may differ, and then there is no third panel.
        title: of the case.
    """
    should, yours = _plane(expected), _plane(came.detach().cpu())
    panels = {f"should be {tuple(expected.shape)}": should, f"yours {tuple(came.shape)}": yours}
    if came.shape == expected.shape:
        panels["yours − should be"] = yours.double() - should.double()
    figure = row(panels)
    figure.suptitle(title, **TEXT, fontweight="bold")
    figure.set_figwidth(max(figure.get_figwidth(), 6.0))
    figure.set_figheight(figure.get_figheight() + 0.3)
    return figure


def bars(heights: dict[str, float], xlabel: str, width: float = 7.0) -> Picture:
    """Horizontal bars of some heights, one a name, with their values written at the end."""
    figure = Picture(width, 0.34 * len(heights) + 0.7, "Bar chart")
    axes = figure.add_subplot()
    drawn = axes.barh(list(heights), list(heights.values()), color=palette.BLUE, height=0.62)
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3, **TEXT)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    plain(axes, xlabel=xlabel)
    axes.set_xticks([])  # the values stand at the bars
    return figure


def plain(axes: Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """The look of all axes of the course: two spines, quiet ticks, and what is there in one size and colour."""
    axes.set_title(title, **TEXT)
    axes.set_xlabel(xlabel, **TEXT)
    axes.set_ylabel(ylabel, **TEXT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.GREY)
    axes.tick_params(labelsize=FONT, colors=palette.INK)


def _few(array: Tensor) -> bool:
    """Few enough cells that each can carry its number."""
    return array.shape[0] <= 8 and array.shape[1] <= 16


def _plane(array: Tensor) -> Tensor:
    """The first picture's first channel; a row of numbers becomes one line."""
    if array.dim() < 2:
        return array.reshape(1, -1)
    return array[(0,) * (array.dim() - 2)] if array.numel() else torch.zeros(1, 1)


def colours(pictures: Tensor, columns: int, width: float = 4.2) -> Picture:
    """Colour pictures in rows.

    Args:
        pictures: (N, 3, H, W), from 0 to 1; what lies outside is cut off.
        columns: how many stand in a row.
        width: of the figure, in inches.
    """
    rows = -(-len(pictures) // columns)
    figure = Picture(width, width * rows / columns, f"{_count(pictures, 'colour picture')}, {columns} in a row")
    for number, picture in enumerate(pictures.clamp(0, 1)):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(picture.permute(1, 2, 0).numpy())  # (3, H, W) -> (H, W, 3)
        axes.set_axis_off()
    return figure


def curves(history: "History") -> Picture:
    """How a training went: loss and rate at each step, and accuracy on the validation pictures where it was measured.

    Args:
        history: as ``training.fit`` returned it. Its loss is drawn faintly, and over that its running mean.
    """
    figure = Picture(8.0, 2.5)
    loss, rate, *rest = figure.subplots(1, 2 + bool(history.validation))
    steps, mean = range(1, len(history.loss) + 1), _running_mean(history.loss)
    loss.plot(steps, history.loss, color=palette.GRID, linewidth=0.8)
    loss.plot(steps, mean, color=palette.BLUE, linewidth=LINE)
    loss.set_ylim(0.9 * min(history.loss), 1.05 * mean[0])
    rate.plot(steps, history.rate, color=palette.BLUE, linewidth=LINE)
    rate.set_ylim(0, None)
    for axes in rest:
        axes.plot(history.validated, history.validation, "o-", color=palette.BLUE, markersize=4, linewidth=LINE)
    for axes, name in zip(figure.axes, ("loss on the batch", "rate", "accuracy, validation"), strict=False):
        axes.locator_params(nbins=5)
        plain(axes, name, "step")
    return figure


def _running_mean(values: Sequence[float]) -> list[float]:
    """Of the last 2% of the steps, at least 10, or of as many as there are."""
    width, sums = max(10, len(values) // 50), [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [(sums[i] - sums[max(0, i - width)]) / min(i, width) for i in range(1, len(sums))]


def watched(watch: "Watch", width: float = 8.0) -> Picture:
    """Loss and accuracy of each part that was watched, step by step; the lowest loss of the last part is marked."""
    figure = Picture(width, 2.6)
    for axes, (name, measured) in zip(
        figure.subplots(1, 2), (("loss", watch.loss), ("accuracy", watch.accuracy)), strict=True
    ):
        for (part, values), style in zip(measured.items(), STYLES, strict=False):
            axes.plot(watch.steps, values, **style, linewidth=LINE, label=part)
        axes.set_ylim(0, None if name == "loss" else 1.03)
        plain(axes, name, "step")
    lowest = min(range(len(watch.steps)), key=_last(watch.loss).__getitem__)
    loss_axes = figure.axes[0]
    loss_axes.plot(watch.steps[lowest], _last(watch.loss)[lowest], "o", color=palette.INK, markersize=6, label="lowest")
    loss_axes.legend(**LEGEND)
    return figure


def _last(measured: dict[str, list[float]]) -> list[float]:
    return list(measured.values())[-1]


def cures(nothing: "Watch", others: "dict[str, Watch]", columns: int = 4) -> Picture:
    """The validation loss with each cure (blue) beside that without any (grey, dashed), on one scale.

    Args:
        nothing: watched a part called ``validation``, as all others did.
        others: by the cure's name.
        columns: panels in a row.
    """
    rows = -(-len(others) // columns)
    figure = Picture(8.4, 1.9 * rows + 0.3)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, (name, watch) in zip(grid, others.items(), strict=False):
        axes.plot(nothing.steps, nothing.loss["validation"], "--", color=palette.GREY, linewidth=LINE, label="without")
        axes.plot(watch.steps, watch.loss["validation"], color=palette.BLUE, linewidth=LINE, label="with")
        axes.set_ylim(0, None)
        axes.locator_params(nbins=4)
        plain(axes, name)
    grid[0].legend(loc="lower left", **LEGEND)
    for axes, above in zip(grid[len(others) :], grid[len(others) - columns :], strict=False):
        axes.remove()
        above.tick_params(labelbottom=True)
    figure.supxlabel("step", **TEXT)
    figure.supylabel("loss, validation", **TEXT)
    return figure


def lines(
    series: dict[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str, log: bool = False
) -> Picture:
    """Up to five lines, told apart by colour, and by dashes or dots.

    Args:
        series: name -> (x, y), as long as each other.
        xlabel, ylabel: what the axes count.
        log: whether the y axis is logarithmic.

    Raises:
        ValueError: if there are more lines than can be told apart.
    """
    if len(series) > len(STYLES):
        raise ValueError(f"series: {len(series)} lines; only {len(STYLES)} can be told apart")
    figure = Picture(6.6, 2.9, "Line chart")
    axes = figure.add_subplot()
    for (name, (x, y)), style in zip(series.items(), STYLES, strict=False):
        axes.plot(x, y, **style, linewidth=LINE, label=name)
    if log:
        axes.set_yscale("log")
    axes.legend(**LEGEND)
    plain(axes, "", xlabel, ylabel)
    return figure


def histograms(values: dict[str, Tensor], xlabel: str, reach: float) -> Picture:
    """How often values occur, one panel a name on one scale, counts logarithmic.

    Args:
        values: name -> any shape.
        xlabel: what the values are.
        reach: shown from -reach to reach; what lies beyond counts in the last bar.
    """
    figure = Picture(8.4, 2.3, "Histograms")
    all_axes = figure.subplots(1, len(values), sharey=True, squeeze=False).flatten()
    edges = torch.linspace(-reach, reach, 62).tolist()
    for axes, (name, array) in zip(all_axes, values.items(), strict=True):
        axes.hist(array.detach().flatten().clamp(-reach, reach).numpy(), bins=edges, color=palette.BLUE, log=True)
        plain(axes, name, xlabel)
    all_axes[0].set_ylabel("how many", **TEXT)
    return figure


def confusion(matrix: Tensor, names: Sequence[str]) -> Picture:
    """A confusion matrix as numbers; the darker a wrong cell, the more of its row (the truth) went there.

    Args:
        matrix: counts, (C, C), rows = truth.
        names: of the classes.

    Raises:
        ValueError: if there is not one name for each class.
    """
    if len(names) != len(matrix):
        raise ValueError(f"names: {len(names)} of them for {len(matrix)} classes")
    figure = Picture(5.4, 5.2, "Confusion matrix")
    axes = figure.add_subplot()
    wrong = matrix.double().clone()
    wrong.fill_diagonal_(0)
    shares = wrong / matrix.sum(dim=1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Greys", vmin=0, vmax=0.125, alpha=0.45)  # never too dark for its number
    for i, row in enumerate(matrix.tolist()):
        for j, count in enumerate(row):
            color = palette.BLUE if i == j else palette.INK
            weight = "bold" if i == j else "normal"
            if count:
                axes.text(j, i, count, ha="center", va="center", fontsize=FONT, color=color, fontweight=weight)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    plain(axes, "", "called", "is")
    return figure


def reliability(models: "dict[str, Bins]") -> Picture:
    """Accuracy against confidence, a panel for each model; on the diagonal, what is promised is kept.

    The area of a dot tells how many pictures have that confidence.

    Args:
        models: name -> ``metrics.calibration_bins``.
    """
    figure = Picture(min(2.9 * len(models), 8.6), 3.0, "Reliability: accuracy against confidence")
    all_axes = figure.subplots(1, len(models), sharey=True, squeeze=False).flatten()
    for axes, (name, bins) in zip(all_axes, models.items(), strict=True):
        filled = bins.count > 0
        confidence, accuracy, count = bins.confidence[filled], bins.accuracy[filled], bins.count[filled]
        axes.plot((0, 1), (0, 1), "--", color=palette.GREY, linewidth=1.2)
        axes.vlines(confidence, confidence, accuracy, color=palette.ORANGE, linewidth=2)
        axes.scatter(confidence, accuracy, s=8 + 300 * count / count.sum(), color=palette.BLUE, zorder=3, clip_on=False)
        axes.set(xlim=(0, 1.03), ylim=(0, 1.05))
        plain(axes, name, "confidence")
    all_axes[0].set_ylabel("accuracy", **TEXT)
    return figure


def heat(pictures: Tensor, maps: dict[str, Tensor], titles: Sequence[str]) -> Picture:
    """Pictures in the first row, and under each what a map says about its places: light is much.

    Args:
        pictures: (N, 1, H, W).
        maps: name of a row -> (N, h, w), brought to the picture's size; each picture's map has its own scale,
            from 0 or its lowest negative to its largest.
        titles: one for each picture.
    """
    count, (height, width) = len(pictures), pictures.shape[-2:]
    side = 8.4 / max(count, 6)
    figure = Picture(8.4, (1 + len(maps)) * side + 0.4, "Pictures, and below each where a map has much (light)")
    grid = figure.subplots(1 + len(maps), count, squeeze=False)
    for column, title in enumerate(titles):
        grid[0, column].imshow(pictures[column, 0].numpy(), cmap=palette.PICTURE)
        grid[0, column].set_title(title, fontsize=SMALL, color=palette.INK)
        for line, some in enumerate(maps.values(), start=1):
            axes = grid[line, column]
            large = torch.nn.functional.interpolate(some[column][None, None].float(), (height, width), mode="bilinear")
            axes.imshow(pictures[column, 0].numpy(), cmap=palette.PICTURE)
            axes.imshow(large[0, 0].numpy(), cmap=palette.SIGNED, alpha=0.65, vmin=min(0.0, float(large.min())))
    for axes in grid.flatten():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid[1:, 0], maps, strict=True):
        axes.set_yticks([height / 2], [name], rotation="vertical", va="center", **TEXT)
        axes.tick_params(length=0)
    return figure


def one_dimension(x: Tensor, real: Tensor, fake: Tensor, judged: dict[str, Tensor]) -> Picture:
    """The game on a line: two densities, and what discriminators say at each place.

    Args:
        x: places, (K,).
        real, fake: the densities there, (K,).
        judged: up to two discriminators by name, probabilities of being real, (K,) each.
    """
    figure = Picture(7.6, 3.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
    above.fill_between(x, real, color=palette.AREA)
    above.plot(x, real, **STYLES[0], linewidth=LINE, label="real, p")
    above.plot(x, fake, **STYLES[1], linewidth=LINE, label="generated, q")
    above.set_ylim(0, None)
    for (name, values), (color, style) in zip(judged.items(), ((palette.INK, "-"), (palette.GREEN, ":")), strict=False):
        below.plot(x, values, style, color=color, linewidth=LINE, label=name)
    below.axhline(0.5, color=palette.GRID, linewidth=0.8)
    below.set_ylim(-0.05, 1.05)
    above.set_xlim(x.min().item(), x.max().item())
    plain(above, ylabel="density")
    plain(below, xlabel="x", ylabel="real?")
    for axes in (above, below):
        axes.legend(loc="upper right", **LEGEND)
    figure.align_ylabels()
    return figure


def game(course: "Game") -> Picture:
    """The course of a game, in running means: both losses, and how real the discriminator took pictures and fakes."""
    figure = Picture(8.0, 2.6)
    losses, answers = figure.subplots(1, 2)
    steps = range(1, len(course.real) + 1)
    for axes, title, shown in (
        (losses, "loss", {"discriminator": course.discriminator_loss, "generator": course.generator_loss}),
        (answers, "discriminator's answer", {"to real ones, D(x)": course.real, "to fakes, D(G(z))": course.fake}),
    ):
        for (name, values), style in zip(shown.items(), STYLES, strict=False):
            axes.plot(steps, _running_mean(values), **style, linewidth=LINE, label=name)
        axes.legend(**LEGEND)
        plain(axes, title, "step")
    answers.set_ylim(0, 1)
    return figure


def film(frames: Sequence[Tensor], steps: Sequence[int], pictures: int = 8, width: float = 8.0) -> Picture:
    """A film strip: a column for each frame, a row for each picture, so that one follows a picture to the right.

    Args:
        frames: (N, 1, H, W) uint8 each, N at least ``pictures``.
        steps: after which each was taken.
        pictures: rows.
        width: of the figure, in inches.
    """
    strip = torch.cat([torch.cat(list(frame[:pictures, 0]), dim=0) for frame in frames], dim=1)  # (rows*H, columns*W)
    figure = Picture(width, width * strip.shape[0] / strip.shape[1] + 0.4, "Film strip, from left to right")
    axes = figure.add_subplot()
    axes.imshow(strip.numpy(), cmap=palette.PICTURE, vmin=0, vmax=255)
    side = frames[0].shape[-1]
    axes.set_xticks([side * (column + 0.5) for column in range(len(steps))], [f"{step:,}" for step in steps])
    axes.set_yticks([])
    plain(axes, xlabel="step")
    axes.spines[:].set_visible(False)
    return figure


def latent_map(codes: Tensor, labels: Tensor, names: Sequence[str], pictures: Tensor, reach: float) -> Picture:
    """Codes of two numbers: where pictures of each class come to lie, and what the decoder makes of each place.

    Args:
        codes: (N, 2); each is drawn as the number of its class.
        labels: (N,), into ``names``.
        names: of the classes, at most ten.
        pictures: (K * K, 1, H, W) uint8, decoded from a grid of K x K codes, from the top left, row by row.
        reach: the grid runs from -reach to reach both ways.
    """
    figure = Picture(8.8, 4.6)
    numbered, decoded = figure.subplots(1, 2)
    for place, name in enumerate(names):
        color = (palette.BLUE, palette.RED, palette.INK, palette.GREEN)[place % 4]
        numbered.scatter(*codes[labels == place].T, s=24, marker=f"${place}$", color=color, linewidths=0.4, label=name)
    side = round(len(pictures) ** 0.5)
    edge = reach * side / (side - 1)  # half a picture beyond the outer codes
    decoded.imshow(
        _sheet(pictures, side).numpy(), cmap=palette.PICTURE, vmin=0, vmax=255, extent=(-edge, edge, -edge, edge)
    )
    plain(numbered, "codes of test pictures (means)", "first latent", "second latent")
    plain(decoded, "what the decoder makes of each place", "first latent")
    for axes in (numbered, decoded):
        axes.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal")
    figure.legend(loc="outside lower center", ncols=5, markerscale=1.3, **LEGEND)
    return figure


class Animation:
    """Pictures one after the other, as a GIF, which every browser plays and needs no other program to be made.

    Args:
        frames: (N, 1, H, W) uint8 each.
        about: what there is to see, for those who do not see it.
        columns: pictures in a row.
        seconds: of each frame; the last one stays four times as long.
    """

    def __init__(self, frames: Sequence[Tensor], about: str, columns: int = 8, seconds: float = 0.35):
        sheets = [Image.fromarray(_sheet(frame, columns).numpy()) for frame in frames]
        times = [int(1000 * seconds)] * (len(sheets) - 1) + [int(4000 * seconds)]
        file = io.BytesIO()
        sheets[0].save(file, "GIF", save_all=True, append_images=sheets[1:], duration=times, loop=0, optimize=False)
        self.gif, self.about, self.width = file.getvalue(), about, 2 * sheets[0].width

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.gif).decode()
        return (
            f'<img alt="{html.escape(self.about)}" width="{self.width}" style="image-rendering: pixelated" '
            f'src="data:image/gif;base64,{data}">'
        )

    def __repr__(self) -> str:
        return f"Animation: {self.about}"


def _sheet(pictures: Tensor, columns: int) -> Tensor:
    """(N, 1, H, W) -> one picture with so many in a row; N a multiple of the columns"""
    n, _, h, w = pictures.shape
    return pictures.view(n // columns, columns, h, w).transpose(1, 2).reshape(n // columns * h, columns * w)


def ravine(paths: dict[str, Tensor], condition: float) -> Picture:
    """Ways down the ravine (x² + condition · y²) / 2: where they lead, and the loss on them.

    Args:
        paths: name -> (steps + 1, 2), at most five.
        condition: how much steeper it is across than along.
    """
    figure = Picture(8.4, 3.6)
    place, loss = figure.subplots(1, 2, width_ratios=(1.5, 1))
    x, y = torch.meshgrid(torch.linspace(-5, 5, 201), torch.linspace(-2, 2, 161), indexing="xy")
    levels = [0.05 * 3**i for i in range(8)]
    place.contour(x, y, (x**2 + condition * y**2) / 2, levels, colors=palette.GRID, linewidths=0.8)
    for (name, path), style, marker in zip(paths.items(), STYLES, "os^Dx", strict=False):
        gone = (path.abs() > torch.tensor([15.0, 6.0])).any(dim=1).cumsum(0) > 1  # the step after it has left the page
        style = style | {"marker": marker, "markersize": 3.5}
        place.plot(*path[~gone].T, **style | {"markevery": 1}, linewidth=1.2)
        heights = (path[:, 0] ** 2 + condition * path[:, 1] ** 2) / 2
        loss.semilogy(heights.clamp(1e-9, 1e9), **style | {"markevery": 0.1}, linewidth=LINE, label=name)
    place.plot(0, 0, "+", color=palette.INK, markersize=9)
    place.set(xlim=(-5, 5), ylim=(-2, 2))
    loss.set_ylim(1e-7, 1e4)
    if len(paths) > 1:
        loss.legend(loc="upper right", ncols=2, **LEGEND)
    plain(place, "where it goes (+: the lowest point)", "x", "y")
    plain(loss, "loss at each step", "step")
    return figure
