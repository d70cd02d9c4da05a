"""Lesson 02: a soft look-up."""

import itertools
import math

import ipywidgets
import torch
from torch import Tensor

from .. import attention, palette
from ..sketch import Plane, Sketch
from .explorer import WIDE, Explorer, move_to

REACH = (-2.3, 2.3)
LEFT, TOP, RIGHT_OF_KEYS = 34, 24, 290  # the keys on the sketch


class SoftLookup(Explorer):
    """A query among six keys: scores, weights, the output among the values, and how saturated the softmax is.

    Keys are seen in a plane. To show what the length d of keys does, scores are spread as those of independent numbers
    would be: the plane's dot product, times the root of d / 2.
    """

    NAMES = "ABCDEF"
    KEYS = torch.tensor([[1.6, 0.3], [0.6, 1.5], [-0.9, 1.2], [-1.6, -0.3], [-0.5, -1.4], [0.9, -1.1]])
    VALUES = torch.tensor([[1.5, -1.2], [-0.2, 0.2], [1.2, 1.3], [-1.5, 1.0], [0.2, -1.5], [-1.6, -0.9]])

    def __init__(self):
        wide = {"width": "300px"}
        eighths = {"min": -2, "max": 2, "step": 1 / 8, "readout_format": ".3f", "style": WIDE, "layout": wide}
        self.right = ipywidgets.FloatSlider(1.0, description="query, right", **eighths)
        self.up = ipywidgets.FloatSlider(0.75, description="query, up", **eighths)
        self.d = ipywidgets.SelectionSlider(options=[2, 8, 32, 128, 512], description="d", style=WIDE, layout=wide)
        self.scaled = ipywidgets.Checkbox(True, description="divide by the root of d", indent=False)
        small = {"width": "50px"}
        self.may_look = [ipywidgets.Checkbox(True, description=name, indent=False, layout=small) for name in self.NAMES]
        allowed = ipywidgets.HBox([ipywidgets.Label("may look at"), *self.may_look], layout={"flex_flow": "row wrap"})
        layout = ipywidgets.VBox(
            [ipywidgets.HBox([self.right, self.up], layout={"flex_flow": "row wrap"}),
             ipywidgets.HBox([self.d, self.scaled], layout={"flex_flow": "row wrap"}), allowed]
        )  # fmt: skip
        super().__init__("Explorer: a soft look-up", [self.right, self.up, self.d, self.scaled, *self.may_look], layout)

    def point_at(self, x: float, y: float) -> None:
        """A pointer at x and y, in pixels, moves the query if it is among the keys."""
        if x < RIGHT_OF_KEYS:
            move_to((self.right, self.up), Plane(240, 240, REACH, REACH).numbers(x - LEFT, y - TOP))

    def weights(self) -> Tensor:
        """(6,), for the controls as they stand"""
        query = torch.tensor([[self.right.value, self.up.value]]) * (self.d.value / 2) ** 0.5
        mask = torch.tensor([[box.value for box in self.may_look]])
        scale = self.d.value**-0.5 if self.scaled.value else 1.0
        return attention.attention_weights(query, self.KEYS, mask, scale=scale)[0]

    def draw(self) -> tuple[Sketch, str]:
        weights, query = self.weights(), torch.tensor([self.right.value, self.up.value])
        output, seen = weights @ self.VALUES, sum(box.value for box in self.may_look)
        entropy = -torch.special.xlogy(weights, weights).sum()
        slope = (weights.diag() - weights[:, None] * weights).norm()
        sketch = self.sketched(weights, query, output)
        if not seen:
            return sketch, "The query may look at nothing: all weights are 0, and so is the output."
        return sketch, (
            f"Entropy of the weights <b>{entropy:.2f}</b>, at most ln {seen} = {math.log(seen):.2f}. Length of the "
            f"softmax's gradient <b>{slope:.3f}</b>. Output ({output[0]:.2f}, {output[1]:.2f})."
        ).replace("-", "−")

    def sketched(self, weights: Tensor, query: Tensor, output: Tensor) -> Sketch:
        """Keys and query (2,), weights (6,), output (2,) in the hull of the values; large dots have large weights."""
        sketch, keys, mixed = Sketch(800, 300), Plane(240, 240, REACH, REACH), Plane(240, 240, REACH, REACH)
        for corners in itertools.combinations(self.VALUES[weights > 0.001].tolist(), 3):
            mixed.area(corners, palette.AREA)  # all triangles together are the hull
        for plane, points, color in ((keys, self.KEYS, palette.BLUE), (mixed, self.VALUES, palette.GREEN)):
            for name, (x, y), weight in zip(self.NAMES, points.tolist(), weights.tolist(), strict=True):
                plane.dot(x, y, 3 + 11 * weight**0.5, color, palette.PAPER)
                plane.text(x, y + 0.33, name)
        keys.arrow((0, 0), query.tolist(), palette.ORANGE, 2.5)
        mixed.cross(*output.tolist(), 7, palette.ORANGE)
        sketch.add(keys, LEFT, TOP, "keys, and the query (arrow)")
        sketch.text(392, 18, "weights", "ms")
        sketch.bars(dict(zip(self.NAMES, weights.tolist(), strict=True)), 322, 30, 130, 38)
        sketch.add(mixed, 535, 24, "values, and the output (x)")
        return sketch
