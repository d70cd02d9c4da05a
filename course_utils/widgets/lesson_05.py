"""Lesson 05: where a network looks."""

import ipywidgets
import torch
from torch import Tensor

from .. import data, explain, training
from ..sketch import Sketch
from .explorer import WIDE, Explorer, judged


class Looking(Explorer):
    """Where in a picture is what speaks for a class, before and after an attack on it?

    Args:
        images: (N, 1, H, W) uint8, to choose from.
        labels: (N,).
        model: gives logits for normalised pictures.
        layer: whose maps Grad-CAM weighs, by name.
    """

    NAMED = "what it names"

    def __init__(self, images: Tensor, labels: Tensor, model: torch.nn.Module, layer: str = "layers.2"):
        self.images, self.labels, self.model, self.layer = images, labels, model, layer
        wide = {"width": "340px"}
        self.number = ipywidgets.IntSlider(0, 0, len(images) - 1, description="picture", style=WIDE, layout=wide)
        self.about = ipywidgets.Dropdown(options=[self.NAMED, *data.CLASSES], description="ask about", style=WIDE)
        self.attack = ipywidgets.IntSlider(0, 0, 32, description="attack (levels)", style=WIDE, layout=wide)
        super().__init__("Explorer: where the network looks", [self.number, self.about, self.attack])

    def attacked(self) -> Tensor:
        """The chosen picture after the attack, (1, 1, H, W) normalised."""
        black, white = -data.MEAN / data.STD, (1 - data.MEAN) / data.STD
        x = data.normalize(self.images[self.number.value][None])
        label, epsilon = self.labels[self.number.value][None], self.attack.value / 255 / data.STD
        return explain.fast_gradient_sign(self.model, x, label, epsilon, black, white)

    def draw(self) -> tuple[Sketch, str]:
        x = self.attacked()
        logits, _ = training.predict(self.model, [(x, torch.zeros(1, dtype=torch.int64))])
        p = logits.softmax(dim=1)[0]
        named = int(p.argmax())
        about = named if self.about.value == self.NAMED else data.CLASSES.index(self.about.value)
        where = explain.grad_cam(self.model, self.layer, x, torch.tensor([about]))[0]
        pixels = 255 * (x[0, 0] * data.STD + data.MEAN)
        sketch = Sketch(840, 260)
        sketch.picture(pixels, 5, 24, 230)
        sketch.picture(pixels, 245, 24, 230, where)
        sketch.text(120, 14, "picture")
        sketch.text(360, 14, "where it looks (light)")
        judged(sketch, p, 600)
        label = data.CLASSES[self.labels[self.number.value]]
        return sketch, (
            f"It is: <b>{label}</b>. The network says: <b>{data.CLASSES[named]}</b> ({p[named]:.2f}). "
            f"In the middle: what speaks for <b>{data.CLASSES[about]}</b>."
        )
