"""Lesson 01: a kernel on its way over a picture."""

import ipywidgets
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import convolution, palette
from ..sketch import Sketch
from .explorer import WIDE, Explorer

SIDE = 230  # of each of the six panels


class Convolution(Explorer):
    """A picture, a 3x3 kernel, and everything between them and the output.

    Args:
        image: (H, W), floats.
        kernel: (3, 3), where to begin.
    """

    def __init__(self, image: Tensor, kernel: Tensor):
        self.image = image

        def slider(name: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
            return ipywidgets.IntSlider(value, low, high, description=name, style=WIDE, layout={"width": "280px"})

        self.shift = slider("shift picture", 0, -6, 6)
        self.stride, self.padding = slider("stride", 1, 1, 4), slider("padding", 0, 0, 4)
        self.dilation = slider("dilation", 1, 1, 4)
        self.row, self.column = slider("window row", 15, 0, 25), slider("window column", 13, 0, 25)
        self.kernel = [
            ipywidgets.FloatText(value, step=0.5, layout={"width": "64px"}) for value in kernel.flatten().tolist()
        ]
        sliders = [self.shift, self.stride, self.padding, self.dilation, self.row, self.column]
        names = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
        for field, name in zip(self.kernel, names, strict=True):
            field.tooltip = f"kernel, {name}"
        grid = ipywidgets.GridBox(self.kernel, layout={"grid_template_columns": "repeat(3, 70px)"})
        layout = ipywidgets.HBox(
            [ipywidgets.VBox(sliders[:3]), ipywidgets.VBox(sliders[3:]), grid], layout={"flex_flow": "row wrap"}
        )
        self.last_stride = 1
        super().__init__("Explorer: a kernel on its way over a picture", [*sliders, *self.kernel], layout)

    def apply(self, image: Tensor) -> Tensor:
        """(H, W) -> (out_h, out_w), with the kernel and the options as they stand."""
        options = self.stride.value, self.padding.value, self.dilation.value
        return convolution.conv2d(image[None, None], self.weight()[None, None], None, *options)[0, 0]

    def weight(self) -> Tensor:
        """The kernel as it stands in its fields, (3, 3)."""
        return torch.tensor([field.value for field in self.kernel]).view(3, 3)

    def shifted(self) -> Tensor:
        """The picture, moved to the right as far as its slider says, (H, W)."""
        return self.image.roll(self.shift.value, dims=-1)

    def window(self) -> tuple[Tensor, Tensor, float]:
        """What lies under the kernel (3, 3), its products with the kernel (3, 3), and their sum."""
        stride, padding, dilation = self.stride.value, self.padding.value, self.dilation.value
        columns = convolution.im2col(self.shifted()[None], 3, dilation, padding, stride)  # (9, L)
        under = columns.view(9, *self.apply(self.image).shape)[:, self.row.value, self.column.value].view(3, 3)
        products = under * self.weight()
        return under, products, products.sum().item()

    def draw(self) -> tuple[Sketch, str]:
        output = self.apply(self.shifted())
        self._keep_window(output.shape)
        moved = self.apply(self.image).roll(self.shift.value // self.stride.value, dims=-1)
        padded = F.pad(self.shifted(), [self.padding.value] * 4)
        under, products, _ = self.window()
        largest = max(output.abs().max().item(), 1e-6)
        sketch = Sketch(810, 520)
        titled = lambda column, row, title: sketch.text(120 + 250 * column, 10 + 260 * row, title)  # noqa: E731
        titled(0, 0, f"picture with padding: {padded.shape[0]}x{padded.shape[1]}")
        sketch.picture(255 * padded / padded.max().clamp(min=1e-6), 5, 22, SIDE)
        titled(0, 1, f"output: {output.shape[0]}x{output.shape[1]}")
        sketch.signed(output, 5, 282, SIDE, largest)
        titled(1, 1, "f(shift x) − shift f(x)")
        sketch.signed(output - moved, 255, 282, SIDE, largest)
        for column, row, title, numbers in (
            (1, 0, "under the kernel", under), (2, 0, "kernel", self.weight()), (2, 1, "products", products)
        ):  # fmt: skip
            titled(column, row, title)
            cells(sketch, numbers, 5 + 250 * column, 22 + 260 * row)
        reach, row, column = 2 * self.dilation.value + 1, self.row.value * self.stride.value, self.column.value
        frame(sketch, padded, 22, row, column * self.stride.value, reach)
        frame(sketch, output, 282, self.row.value, column, 1)
        scale(sketch, largest)
        return sketch, self.say()

    def _keep_window(self, size: tuple[int, int]) -> None:
        """Leave the window where it was on the picture when the stride changes, and inside when the output shrinks."""
        before, self.last_stride = self.last_stride, self.stride.value
        for slider, places in zip((self.row, self.column), size, strict=True):
            place = slider.value * before // self.stride.value
            slider.max = places - 1
            slider.value = place

    def say(self) -> str:
        """The size formula filled in, and the sum of the window."""
        size, s, p, d = self.image.shape[-1], self.stride.value, self.padding.value, self.dilation.value
        out = convolution.output_size(size, 3, s, p, d)
        return (
            f"<b>Size:</b> ({size} + 2·{p} − {d}·(3 − 1) − 1) // {s} + 1 = <b>{out}</b> columns. "
            f"<b>Sum</b> of the nine products: <b>{self.window()[2]:.2f}</b>."
        )


def cells(sketch: Sketch, numbers: Tensor, left: float, top: float) -> None:
    """Nine numbers (3, 3) in their cells, from a place left and top, coloured by their sign and size."""
    sketch.signed(numbers, left, top, SIDE, max(numbers.abs().max().item(), 1e-6), alpha=0.5)
    side = SIDE / 3
    for place in (1, 2):
        sketch.line([(left, top + place * side), (left + SIDE, top + place * side)], palette.PAPER, 1)
        sketch.line([(left + place * side, top), (left + place * side, top + SIDE)], palette.PAPER, 1)
    for row, line in enumerate(numbers.tolist()):
        for column, value in enumerate(line):
            text = f"{value + 0.0:.0f}" if value == round(value) else f"{value:.2f}"
            sketch.text(left + (column + 0.5) * side, top + (row + 0.5) * side, text.replace("-", "−"), size=15)


def frame(sketch: Sketch, array: Tensor, top: float, row: int, column: int, reach: int) -> None:
    """Frame reach x reach pixels of an array (H, W), from a row and a column on, in the panel at (5, top)."""
    pixel = SIDE / array.shape[1]
    left, top = 5 + column * pixel, top + row * pixel
    sketch.box(left, top, left + reach * pixel, top + reach * pixel, palette.ORANGE, width=2)


def scale(sketch: Sketch, largest: float) -> None:
    """What the colours of the output mean, up to its largest number."""
    sketch.signed(torch.linspace(largest, -largest, 64)[:, None].expand(64, 5), 752, 282, 230 * 5 / 64, largest)
    for share in (0, 0.5, 1):
        sketch.text(774, 282 + 230 * share, f"{largest * (1 - 2 * share):.2g}".replace("-", "−"), "lm", 10)
