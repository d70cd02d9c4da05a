"""Lesson 06: where a Vision Transformer looks."""

import math

import ipywidgets
import torch
from torch import Tensor

from .. import data, explain, palette, training, vit
from ..sketch import Sketch
from .explorer import WIDE, Explorer, judged


class Patches(Explorer):
    """Where a Vision Transformer looks in a picture, and what it says when some patches are left out or all are moved.

    Args:
        images: (N, 1, H, W) uint8, to choose from.
        labels: (N,).
        model: a ``vit.ViT`` without a class token.
    """

    MEAN = "the mean of all"
    WAYS = ("most looked at", "least looked at", "random")

    def __init__(self, images: Tensor, labels: Tensor, model: vit.ViT):
        self.images, self.labels, self.model = images, labels, model
        self.count = math.prod(model.grid)
        generator = torch.Generator().manual_seed(0)
        self.order = torch.randperm(self.count, generator=generator)
        self.chance = torch.rand(self.count, generator=generator)
        wide = {"width": "300px"}
        layers, heads = len(model.blocks), model.blocks[0].attention.num_heads
        number = {"style": WIDE, "layout": wide}
        self.number = ipywidgets.IntSlider(0, 0, len(images) - 1, description="picture", **number)
        self.asking = ipywidgets.Dropdown(options=[self.MEAN, *range(self.count)], description="patch asks", **number)
        self.layer = ipywidgets.Dropdown(options=range(1, layers + 1), value=layers, description="block", **number)
        self.head = ipywidgets.Dropdown(options=[self.MEAN, *range(1, heads + 1)], description="head", **number)
        self.hide = ipywidgets.IntSlider(0, 0, self.count - 1, description="leave out", **number)
        self.way = ipywidgets.Dropdown(options=self.WAYS, description="which", **number)
        self.shuffle = ipywidgets.Checkbox(False, description="shuffle the patches", indent=False)
        left = [self.number, self.asking, self.layer, self.head]
        right = [self.hide, self.way, self.shuffle]
        layout = ipywidgets.HBox([ipywidgets.VBox(left), ipywidgets.VBox(right)], layout={"flex_flow": "row wrap"})
        super().__init__("Explorer: where a Vision Transformer looks", [*left, *right], layout)

    def given(self) -> Tensor:
        """The chosen picture, shuffled or not, (1, 1, H, W) uint8"""
        x = self.images[self.number.value][None]
        if not self.shuffle.value:
            return x
        size = x.shape[2] // self.model.grid[0], x.shape[3] // self.model.grid[1]
        return vit.unpatchify(vit.patchify(x, size)[:, self.order], size, x.shape[-2:])

    def looks(self, x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """x (1, 1, H, W), kept (patches,) -> how much each patch is looked at (patches,), and probabilities (10,)"""
        places = kept.nonzero().flatten()
        some = _Some(self.model, places)
        maps = explain.attention_maps(some, x)[self.layer.value - 1, 0]  # (heads, L, L)
        of_head = maps.mean(dim=0) if self.head.value == self.MEAN else maps[self.head.value - 1]
        row = of_head.mean(dim=0) if self.asking.value == self.MEAN else of_head[places == self.asking.value][0]
        logits, _ = training.predict(some, [(x, torch.zeros(1, dtype=torch.int64))])
        return torch.zeros(self.count).index_copy(0, places, row), logits.softmax(dim=1)[0]

    def draw(self) -> tuple[Sketch, str]:
        given, asking = self.given(), None if self.asking.value == self.MEAN else self.asking.value
        x = data.normalize(given)
        kept = torch.ones(self.count, dtype=torch.bool)
        weights, _ = self.looks(x, kept)
        scores = {self.WAYS[0]: weights, self.WAYS[1]: -weights, self.WAYS[2]: self.chance}[self.way.value].clone()
        if asking is not None:
            scores[asking] = -math.inf  # who asks is not left out
        gone = scores.argsort(descending=True)[: self.hide.value]
        share, kept[gone] = weights[gone].sum(), False
        weights, p = self.looks(x, kept)
        named, label = data.CLASSES[p.argmax()], data.CLASSES[self.labels[self.number.value]]
        say = f"It is: <b>{label}</b>. The network says: <b>{named}</b> ({p.max():.2f})."
        if len(gone):
            say += f" The patches left out had {share:.2f} of the look."
        return self.sketched(given[0, 0], weights, p, gone.tolist(), asking), say

    def sketched(self, pixels: Tensor, weights: Tensor, p: Tensor, gone: list[int], asking: int | None) -> Sketch:
        """What the model is given, and where it looks: patches left out are covered, the one that asks is framed.

        Args:
            pixels: of the picture, (H, W).
            weights: how much each patch is looked at, (patches,).
            p: probabilities of the classes, (10,).
            gone, asking: the patches that are left out, and the one that asks, if it is one.
        """
        sketch = Sketch(840, 260)
        rows, columns = self.model.grid
        large = weights.view(rows, columns)
        for axis, times in ((0, pixels.shape[0] // rows), (1, pixels.shape[1] // columns)):
            large = large.repeat_interleave(times, axis)  # (rows, columns) -> (H, W)
        sketch.picture(pixels, 5, 24, 230)
        sketch.picture(pixels, 245, 24, 230, large)
        sketch.text(120, 14, "what it is given")
        sketch.text(360, 14, f"where it looks (yellow: up to {weights.max():.2f})")
        width, height = 230 / columns, 230 / rows
        for left in (5, 245):
            for place in [*gone, *([] if asking is None else [asking])]:
                x, y = left + place % columns * width, 24 + place // columns * height
                if place == asking:
                    sketch.box(x, y, x + width, y + height, palette.ORANGE, width=2.5)
                else:
                    sketch.box(x, y, x + width, y + height, palette.PAPER, palette.GREY)
        judged(sketch, p, 600)
        return sketch


class _Some(torch.nn.Module):
    """A ViT that is given only some of the patches."""

    def __init__(self, model: vit.ViT, places: Tensor):
        super().__init__()
        self.model, self.places = model, places

    def forward(self, x: Tensor) -> Tensor:
        return self.model.head(self.model.encode(self.model.tokens(x)[:, self.places]))
