"""Lesson 04: one picture under every augmentation."""

import ipywidgets
import torch
from torch import Tensor

from .. import augment, data, training
from ..sketch import Sketch
from .explorer import WIDE, Explorer, judged


class Augmentations(Explorer):
    """One picture under every augmentation, and the class that a network then gives it.

    Args:
        images: (N, 1, H, W) uint8, to choose from.
        labels: (N,).
        model: gives logits for normalised pictures.
    """

    def __init__(self, images: Tensor, labels: Tensor, model: torch.nn.Module):
        self.images, self.labels, self.model = images, labels, model
        wide = {"width": "300px"}

        def slider(name: str, value: float, low: float, high: float, step: float) -> ipywidgets.FloatSlider:
            return ipywidgets.FloatSlider(
                value, min=low, max=high, step=step, description=name, style=WIDE, layout=wide
            )

        self.number = ipywidgets.IntSlider(0, 0, len(images) - 1, description="picture", style=WIDE, layout=wide)
        self.turn, self.slant = slider("turn (degrees)", 0, -180, 180, 5), slider("shear (degrees)", 0, -60, 60, 5)
        self.zoom, self.right = slider("zoom", 1, 0.4, 2, 0.05), slider("move right", 0, -12, 12, 1)
        self.brightness, self.contrast = slider("brightness", 1, 0, 2, 0.05), slider("contrast", 1, 0, 2, 0.05)
        self.mirror = ipywidgets.Checkbox(False, description="left to right", indent=False)
        self.upside_down = ipywidgets.Checkbox(False, description="upside down", indent=False)
        left = [self.number, self.turn, self.zoom, self.slant]
        right = [self.right, self.brightness, self.contrast, self.mirror, self.upside_down]
        layout = ipywidgets.HBox([ipywidgets.VBox(left), ipywidgets.VBox(right)], layout={"flex_flow": "row wrap"})
        super().__init__("Explorer: one picture under every augmentation", [*left, *right], layout)

    def changed(self) -> Tensor:
        """The chosen picture as the controls stand, (1, 1, H, W) uint8."""
        x = self.images[self.number.value][None]
        axes = [axis for axis, box in ((-1, self.mirror), (-2, self.upside_down)) if box.value]
        sliders = (self.turn, self.zoom, self.slant)
        matrices = augment.affine_matrices(*(torch.tensor([slider.value]) for slider in sliders))
        move = torch.tensor([-self.right.value, 0.0])
        matrices[..., 2] = matrices[..., :2] @ move  # the result is moved: its pixels come from so far to the left
        x = augment.warp(x.flip(axes), matrices)
        x = (x * self.brightness.value).clamp(0, 255)
        return (x.mean() + (x - x.mean()) * self.contrast.value).clamp(0, 255).to(torch.uint8)

    def draw(self) -> tuple[Sketch, str]:
        x = self.changed()
        logits, _ = training.predict(self.model, [(data.normalize(x), torch.zeros(1, dtype=torch.int64))])
        p = logits.softmax(dim=1)[0]
        named, label = data.CLASSES[p.argmax()], data.CLASSES[self.labels[self.number.value]]
        say = f"It is: <b>{label}</b>. The network says: <b>{named}</b>, with confidence {p.max():.2f}."
        sketch = Sketch(620, 260)
        sketch.picture(x[0, 0], 5, 5, 250)
        judged(sketch, p, 380)
        return sketch, say
