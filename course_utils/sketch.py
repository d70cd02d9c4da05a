"""Pictures that follow a control: drawn through Pillow in milliseconds, where Matplotlib takes a tenth of a second.

A sketch is drawn at twice the size at which it is shown, so that its edges are smooth. Places are in pixels as shown,
from the top left; on a plane they are numbers of its two axes. ``x`` and ``y`` are a place; ``points``, ``start`` and
``end`` are such pairs; ``left``, ``top``, ``right`` and ``bottom`` are edges. The ``size`` of letters, the ``width`` of
a line, its ``dash`` and a ``radius`` are pixels; ``color``, ``fill`` and ``edge`` are colours, as Pillow has them.
"""

import io
import math
import textwrap
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from . import palette

SCALE = 2
FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
SIGNED = matplotlib.colormaps[palette.SIGNED](range(256), bytes=True)[:, :3]  # (256, 3)

Place = tuple[float, float]


class Sketch:
    """A white sheet, and what is drawn on it.

    Args:
        width, height: as shown, in pixels.
    """

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), palette.PAPER)
        self.pen = ImageDraw.Draw(self.image, "RGBA")  # colours may be transparent

    def place(self, x: float, y: float) -> Place:
        """A place in pixels as drawn."""
        return x * SCALE, y * SCALE

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.image.save(file, "PNG", compress_level=1)  # four times as fast as the default, and a third larger
        return file.getvalue()

    def text(self, x: float, y: float, text: str, anchor: str = "mm", size: float = 12, color: str = palette.INK):
        """A line of text; the two letters of its anchor say which part of it stands there, as Pillow has them."""
        self.pen.text(self.place(x, y), text, color, _font(size), anchor)

    def upwards(self, x: float, y: float, text: str, size: float = 12) -> None:
        """Text that runs from below to above, with its middle at a place."""
        _, top, right, bottom = _font(size).getbbox(text)
        lying = Image.new("L", (right, bottom - top))
        ImageDraw.Draw(lying).text((0, -top), text, 255, _font(size))
        standing, (x, y) = lying.rotate(90, expand=True), self.place(x, y)
        corner = round(x - standing.width / 2), round(y - standing.height / 2)
        self.image.paste(Image.new("RGB", standing.size, palette.INK), corner, standing)

    def line(self, points: Sequence[Place], color: str = palette.INK, width: float = 1.5, dash: float = 0) -> None:
        """From point to point, in dashes of some length, or unbroken."""
        points = [self.place(*point) for point in points]
        pieces = _dashes(points, dash * SCALE) if dash else [points]
        for piece in pieces:
            self.pen.line(piece, color, round(width * SCALE), joint="curve")

    def box(
        self, left: float, top: float, right: float, bottom: float, edge: str | None = None, fill: str | None = None,
        width: float = 1.5, dash: float = 0,
    ) -> None:  # fmt: skip
        """A rectangle, filled or with an edge or both."""
        if fill:
            self.area([(left, top), (right, top), (right, bottom), (left, bottom)], fill)
        if edge:
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            for side in pairwise(corners):
                self.line(side, edge, width, dash)

    def area(self, points: Sequence[Place], fill: str) -> None:
        """The inside of a closed line."""
        self.pen.polygon([self.place(*point) for point in points], fill)

    def dot(self, x: float, y: float, radius: float, color: str, edge: str | None = None) -> None:
        """A disc."""
        x, y = self.place(x, y)
        r = radius * SCALE
        self.pen.ellipse((x - r, y - r, x + r, y + r), color, edge, SCALE)

    def cross(self, x: float, y: float, radius: float, color: str, width: float = 2.5) -> None:
        """An x."""
        x, y = self.place(x, y)
        r = radius * SCALE
        for way in (-r, r):
            self.pen.line((x - r, y - way, x + r, y + way), color, round(width * SCALE))

    def arrow(self, start: Place, end: Place, color: str = palette.INK, width: float = 1.5) -> None:
        """From one place to another, with a head where there is room for it."""
        (x0, y0), (x1, y1) = self.place(*start), self.place(*end)
        length, head = math.hypot(x1 - x0, y1 - y0), 6 * SCALE
        self.pen.line((x0, y0, x1, y1), color, round(width * SCALE))
        if length > head / 2:
            dx, dy = (x1 - x0) / length * head, (y1 - y0) / length * head
            self.pen.polygon([(x1, y1), *((x1 - dx - way * dy / 2, y1 - dy + way * dx / 2) for way in (-1, 1))], color)

    def picture(self, pixels: Tensor, left: float, top: float, width: float, heat: Tensor | None = None) -> float:
        """A grey picture, each of its pixels a square.

        Args:
            pixels: (H, W), black 0 to white 255.
            left, top, width: where, and how wide.
            heat: (h, w), not negative; laid over it, light where it is large.

        Returns:
            Its height.
        """
        size = round(width * SCALE), round(width * SCALE * pixels.shape[0] / pixels.shape[1])
        image = Image.fromarray(pixels.round().clamp(0, 255).to(torch.uint8).numpy()).convert("RGB")
        image = image.resize(size, Image.Resampling.NEAREST)
        if heat is not None:
            levels = Image.fromarray((255 * heat / heat.max().clamp(min=1e-12)).round().to(torch.uint8).numpy())
            levels = np.asarray(levels.resize(size, Image.Resampling.BILINEAR))
            image = Image.blend(image, Image.fromarray(SIGNED[levels]), 0.65)
        self._paste(image, left, top)
        return size[1] / SCALE

    def signed(self, array: Tensor, left: float, top: float, width: float, largest: float, alpha: float = 1) -> None:
        """Numbers as colours, from dark (-largest) over grey (0) to light (largest).

        Args:
            array: (H, W).
            left, top, width: where, and how wide.
            largest: the magnitude of full colour.
            alpha: 1, or less where numbers are to be read on it.
        """
        levels = ((array / largest).clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8).numpy()
        size = round(width * SCALE), round(width * SCALE * array.shape[0] / array.shape[1])
        image = Image.fromarray(SIGNED[levels])
        image = Image.blend(Image.new("RGB", image.size, palette.PAPER), image, alpha)
        self._paste(image.resize(size, Image.Resampling.NEAREST), left, top)

    def _paste(self, image: Image.Image, left: float, top: float) -> None:
        x, y = Sketch.place(self, left, top)
        self.image.paste(image, (round(x), round(y)))

    def bars(
        self, shares: dict[str, float], left: float, top: float, width: float, height: float, best: bool = True
    ) -> None:
        """A bar from 0 to 1 for each name; beyond 1 it ends at the edge.

        Args:
            shares: name -> a number from 0 on.
            left: where the bars begin; their names stand before it.
            top, width: of the bars.
            height: of each.
            best: whether the longest is orange.
        """
        for line, (name, share) in enumerate(shares.items()):
            middle = top + (line + 0.5) * height
            color = palette.ORANGE if best and share == max(shares.values()) else palette.BLUE
            self.text(left - 6, middle, name, "rm")
            self.box(left, middle - 0.33 * height, left + width * min(share, 1), middle + 0.33 * height, fill=color)
            if share >= 0.005:
                self.text(left + width * min(share, 1) + 5, middle, f"{share:.2f}", "lm", 11)
        self.line([(left, top), (left, top + len(shares) * height)], palette.GREY, 1)

    def add(self, plane: "Plane", left: float, top: float, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
        """Lay a plane on the sheet, with its ticks, title, xlabel and ylabel around it."""
        right, bottom = left + plane.width, top + plane.height
        self._paste(plane.image, left, top)
        self.text(left + plane.width / 2, top - 6, title, "ms")
        self.text(left + plane.width / 2, bottom + 22, xlabel, "mt")
        if ylabel:
            self.upwards(left - 42, top + plane.height / 2, ylabel)
        self.line([(left, top), (left, bottom), (right, bottom)], palette.GREY, 1)
        for value, text in plane.ticks(0):
            x = left + plane.place(value, plane.y[0])[0] / SCALE
            self.line([(x, bottom), (x, bottom + 4)], palette.GREY, 1)
            self.text(x, bottom + 6, text, "mt", 10)
        for value, text in plane.ticks(1):
            y = top + plane.place(plane.x[0], value)[1] / SCALE
            self.line([(left - 4, y), (left, y)], palette.GREY, 1)
            self.text(left - 6, y, text, "rm", 10)


class Plane(Sketch):
    """A sheet whose places are numbers on two axes; what lies beyond them is cut off.

    Args:
        width, height: as shown, in pixels.
        x, y: lowest and highest number of each axis.
        log: which axes are logarithmic, "", "x" or "y".
        ticks: which axes have ticks, "", "x" or "xy".
    """

    def __init__(self, width: float, height: float, x: Place, y: Place, log: str = "", ticks: str = "xy"):
        super().__init__(width, height)
        self.x, self.y, self.log, self.ticked = x, y, log, ticks

    def place(self, x: float, y: float) -> Place:
        """A place in pixels as drawn; what is far away is brought nearer."""
        across, up = (
            self._share(value, limits, name in self.log) for value, limits, name in ((x, self.x, "x"), (y, self.y, "y"))
        )
        return across * self.width * SCALE, (1 - up) * self.height * SCALE

    def _share(self, value: float, limits: Place, log: bool) -> float:
        if log:
            value, limits = math.log10(max(value, 1e-30)), [math.log10(limit) for limit in limits]
        return min(max((value - limits[0]) / (limits[1] - limits[0]), -10), 10)

    def numbers(self, x: float, y: float) -> Place:
        """The numbers at a place in pixels as shown, where no axis is logarithmic."""
        (left, right), (low, high) = self.x, self.y
        return left + x / self.width * (right - left), high - y / self.height * (high - low)

    def ticks(self, axis: int) -> list[tuple[float, str]]:
        """Round numbers on the axis x (0) or y (1), and how they are written."""
        name, (low, high) = "xy"[axis], (self.x, self.y)[axis]
        if name not in self.ticked:
            return []
        if name in self.log:
            powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
            return [(10.0**power, f"{10.0**power:g}") for power in powers[:: max(1, len(powers) // 5)]]
        places = MaxNLocator(max(2, int((self.width, self.height)[axis] / 45)), steps=[1, 2, 5, 10])
        found = [value for value in places.tick_values(low, high).tolist() if low <= value <= high]
        return [(value, f"{value + 0.0:g}".replace("-", "−")) for value in found]


def written_below(png: bytes, sentence: str) -> bytes:
    """The PNG of a sketch at the size at which it is shown, with a sentence below it: what stays without a kernel."""
    image = Image.open(io.BytesIO(png)).reduce(SCALE)
    text = textwrap.fill(sentence, max(20, int(image.width * SCALE / _font(13).getlength("n"))))
    lines = text.count("\n") + 1
    whole = Sketch(image.width, image.height + 18 * lines + 10)
    whole.image = whole.image.reduce(SCALE)
    whole.image.paste(image)
    pen = ImageDraw.Draw(whole.image)
    pen.multiline_text((8, image.height + 2), text, palette.INK, _font(13 / SCALE), spacing=4)
    file = io.BytesIO()
    whole.image.save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, round(size * SCALE))


def _dashes(points: list[Place], length: float) -> list[list[Place]]:
    """Every other piece of some length along a line."""
    steps = [math.dist(a, b) for a, b in pairwise(points)]
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    x, y = np.array(points).T

    def at(way: float) -> Place:
        return float(np.interp(way, reached, x)), float(np.interp(way, reached, y))

    pieces = []
    for start in np.arange(0, reached[-1], 2 * length):
        end = start + length
        between = [point for point, way in zip(points, reached, strict=True) if start < way < end]
        pieces.append([at(start), *between, at(end)])
    return pieces
