"""Lesson 08: real pictures spoilt, and what measures say."""

import math
from typing import ClassVar

import ipywidgets
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import cnn, metrics
from ..sketch import Sketch
from .explorer import WIDE, Explorer


class Corruptions(Explorer):
    """Real pictures, spoilt in one way after another, and what each measure of samples says of it.

    Args:
        images: (N, 1, 28, 28) uint8, at least 1,000: 500 are spoilt and measured against the next 500.
        labels: (N,).
    """

    COUNT = 500

    def __init__(self, images: Tensor, labels: Tensor):
        self.samples, self.labels = images[: self.COUNT] / 255, labels[: self.COUNT]
        self.real = cnn.ruler_features(images[self.COUNT : 2 * self.COUNT] / 255)
        noise = torch.rand(self.samples.shape, generator=torch.Generator().manual_seed(0))
        self.of_noise = metrics.frechet_distance(cnn.ruler_features(noise), self.real)
        self.noise = torch.randn(self.samples.shape, generator=torch.Generator().manual_seed(1))
        number = {"style": WIDE, "layout": {"width": "360px"}}
        self.way = ipywidgets.Dropdown(options=list(self.WAYS), description="spoil by", **number)
        self.strength = ipywidgets.IntSlider(3, 0, 9, description="strength", **number)
        super().__init__("Explorer: spoil real pictures and measure them", [self.way, self.strength])

    def blurred(self, strength: int) -> Tensor:
        """(500, 1, 28, 28): so many times, as the strength says."""
        kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16
        x = self.samples
        for _ in range(strength):
            x = F.conv2d(x, kernel, padding=1)
        return x.clamp(0, 1)

    def noisy(self, strength: int) -> Tensor:
        """(500, 1, 28, 28): with normal noise of a deviation of strength / 20."""
        return (self.samples + strength / 20 * self.noise).clamp(0, 1)

    def without_classes(self, strength: int) -> Tensor:
        """(500, 1, 28, 28): as many as the strength says are left out, and the others repeated."""
        left = (self.labels >= strength).nonzero().flatten()
        return self.samples[left[torch.arange(self.COUNT) % len(left)]]

    def repeated(self, strength: int) -> Tensor:
        """(500, 1, 28, 28): only so many different pictures, by strength: 500, 200, 100, 50, 20, 10, 5, 3, 2, 1."""
        different = (500, 200, 100, 50, 20, 10, 5, 3, 2, 1)[strength]
        return self.samples[torch.arange(self.COUNT) % different]

    WAYS: ClassVar = {
        "blur": blurred,
        "noise": noisy,
        "leaving out classes": without_classes,
        "repeating few pictures": repeated,
    }

    def spoilt(self) -> Tensor:
        """(500, 1, 28, 28) in [0, 1], for the controls as they stand"""
        return self.WAYS[self.way.value](self, self.strength.value)

    def draw(self) -> tuple[Sketch, str]:
        x = self.spoilt()
        features = cnn.ruler_features(x)
        probabilities = cnn.ruler_probabilities(features)
        distance = metrics.frechet_distance(features, self.real)
        shares = {
            "distance share": distance / self.of_noise,
            **metrics.precision_recall(self.real, features)._asdict(),
            "class entropy": metrics.class_entropy(probabilities) / math.log(10),
            "Inception Score / 10": metrics.inception_score(probabilities) / 10,
        }
        sketch, pixels = Sketch(800, 180), (x[:10, 0] * 255).round()
        sketch.picture(torch.cat([torch.cat(list(row), 1) for row in pixels.split(5)]), 2, 2, 430)
        sketch.bars(shares, 600, 12, 150, 30, best=False)
        return (
            sketch,
            f"Spoilt by {self.way.value}, strength {self.strength.value}. Fréchet distance <b>{distance:.1f}</b> "
            f"(random pixels: {self.of_noise:.0f}), with 500 pictures.",
        )
