"""Lesson 00: two shapes and how they align."""

import ipywidgets
import torch

from .. import palette
from ..sketch import Sketch
from .explorer import WIDE, Explorer


class Broadcasting(Explorer):
    """Two shapes: how they align from the right, which axis stretches, or why they do not fit."""

    def __init__(self):
        self.first = ipywidgets.Text("4, 1, 3", description="shape of a", style=WIDE)
        self.second = ipywidgets.Text("5, 3", description="shape of b", style=WIDE)
        super().__init__("Explorer: two shapes and how they align", [self.first, self.second])

    def draw(self) -> tuple[Sketch, str]:
        shapes = [_shape(field.value) for field in (self.first, self.second)]
        if None in shapes:
            field = self.first if shapes[0] is None else self.second
            return sketched((), ()), f"The {field.description} should be up to six whole numbers, such as 4, 1, 3."
        return sketched(*shapes), self.say(*shapes)

    @staticmethod
    def say(a: tuple[int, ...], b: tuple[int, ...]) -> str:
        """What happens when tensors of the shapes a and b are added, axis by axis."""
        try:
            result = tuple(torch.broadcast_shapes(a, b))
        except RuntimeError:
            pairs = zip(reversed(a), reversed(b), strict=False)
            place, (p, q) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1] and 1 not in pair)
            return f"They do not fit: axis -{place} is {p} in one and {q} in the other, and neither is 1."
        stretched = [
            f"{name} along axis {axis - len(result)}"
            for name, shape in (("a", a), ("b", b))
            for axis, length in enumerate((1,) * (len(result) - len(shape)) + shape)
            if length != result[axis]
        ]
        return f"a + b has shape {result}. Stretched: {', '.join(stretched) or 'nothing'}."


def sketched(a: tuple[int, ...], b: tuple[int, ...]) -> Sketch:
    """Two shapes, a and b, aligned from the right, and what broadcasting makes of each pair of lengths.

    A length of 1, or one that is not there, is stretched (orange, dashed); a pair that does not fit is red.
    """
    count = max(len(a), len(b), 1)
    sketch, side = Sketch(110 + 90 * count, 190), 80
    padded = [(None,) * (count - len(shape)) + shape for shape in (a, b)]
    for column, (p, q) in enumerate(zip(*padded, strict=True)):
        left = 90 + 90 * column
        fits = p == q or 1 in (p, q) or None in (p, q)
        longest = max(p or 1, q or 1)
        for top, length in ((6, p), (62, q)):
            stretched = fits and length in (None, 1) and longest > 1
            color = palette.RED if not fits else palette.ORANGE if stretched else palette.BLUE
            text = f"{length or '–'}→{longest}" if stretched else str(length or "–")
            sketch.box(left, top, left + side, top + 46, color, width=2, dash=6 if stretched else 0)
            sketch.text(left + side / 2, top + 23, text, size=16, color=palette.INK if stretched else color)
        color = palette.INK if fits else palette.RED
        sketch.box(left, 136, left + side, 182, color, width=2)
        sketch.text(left + side / 2, 159, str(longest) if fits else "✗", size=16, color=color)
    for middle, name in ((29, "a"), (85, "b"), (159, "a + b")):
        sketch.text(74, middle, name, "rm", 15)
    sketch.line([(10, 122), (sketch.width - 10, 122)], palette.INK, 1)
    return sketch


def _shape(text: str) -> tuple[int, ...] | None:
    """ "4, 1, 3" -> (4, 1, 3); None if it is no shape."""
    words = text.replace("(", " ").replace(")", " ").replace(",", " ").split()
    if len(words) > 6 or not all(word.isdecimal() and 0 < int(word) < 1000 for word in words):
        return None
    return tuple(int(word) for word in words)
