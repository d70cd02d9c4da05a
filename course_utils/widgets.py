"""The explorers: one a lesson, a picture and the controls that move it.

Each is made of ipywidgets alone. Without a kernel (on a page, or before the cell is run) a still is left in its place:
the picture as it was when the cell was run, and its sentence below. When its kernel goes, it says so.
"""

import base64
import html
import io
import math
import re
import textwrap
import threading
from typing import ClassVar

import ipywidgets
import torch
import torch.nn.functional as F
from IPython import get_ipython
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.distributions import Normal

from . import (
    attention,
    augment,
    cnn,
    convolution,
    data,
    dcgan,
    explain,
    metrics,
    optimizers,
    palette,
    plots,
    training,
    vae,
    vit,
)

WIDE = {"description_width": "110px"}

# The page marks every widget that has lost its kernel. Only then is this seen.
ASLEEP = """<style>.explorer-asleep {display: none} .jupyter-widgets-disconnected .explorer-asleep {display: block}</style>
<b class="explorer-asleep" role="status">This explorer's kernel has stopped or restarted. To move it again, run the
lesson's cells from the top down to this one.</b>"""


class Explorer(ipywidgets.VBox):
    """Controls above a picture; every change of a control draws the picture anew.

    A subclass makes its controls, hands them on, and says in ``draw`` what the picture and the sentence above it are.

    Args:
        title: what it lets one explore, for readers without a kernel.
        controls: widgets with a ``value``.
        layout: how the controls are arranged; one below the other unless given.
    """

    def __init__(self, title: str, controls: list[ipywidgets.Widget], layout: ipywidgets.Widget | None = None):
        self.title, self.drawing, self.lock = title, False, threading.RLock()
        self.sentence = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
        super().__init__([ipywidgets.HTML(ASLEEP), layout or ipywidgets.VBox(controls), self.sentence, self.picture])
        for control in controls:
            control.observe(self._changed, "value")
        self._changed()
        self._replace_former()

    def draw(self) -> tuple[plots.Picture, str]:
        """The picture and the sentence (HTML) for the controls as they stand."""
        raise NotImplementedError

    def _changed(self, change: object = None) -> None:
        with self.lock:  # JupyterLab hands over changes of several controls in several threads
            if self.drawing:
                return  # draw itself has moved a control
            self.drawing = True
            try:
                picture, self.sentence.value = self.draw()
                self.picture.value = picture._repr_png_()
            finally:
                self.drawing = False

    def _repr_mimebundle_(self, **arguments) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        bundle = super()._repr_mimebundle_(**arguments)
        said = html.unescape(re.sub(r"<[^>]*>", "", self.sentence.value))
        still = base64.b64encode(_with_sentence(self.picture.value, f"{said} Run this cell to move it.")).decode()
        described = {"image/png": {"alt": f"{self.title}. {said}"}}
        return {**bundle, "image/png": still, "text/plain": f"{self.title}: run this cell to move it."}, described

    OF_CELLS: ClassVar[dict[str, tuple[str, list["Explorer"]]]] = {}

    def _replace_former(self) -> None:
        """Close what an earlier run of this cell has made: ipywidgets keeps each widget until it is closed."""
        shell = get_ipython()
        parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
        cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
        if cell is None:
            return  # not in JupyterLab
        of_run, made = self.OF_CELLS.get(cell, (run, []))
        if of_run != run:
            for explorer in made:
                explorer.close()
            made = []
        self.OF_CELLS[cell] = run, [*made, self]

    def close(self) -> None:
        """Close it with all that it is made of."""
        found, left = {}, [self, *vars(self).values()]
        while left:
            item = left.pop()
            if isinstance(item, (list, tuple)):
                left.extend(item)
            elif isinstance(item, ipywidgets.Widget) and id(item) not in found:
                found[id(item)] = item
                left.extend(getattr(item, name) for name in item.keys)
        for widget in found.values():
            ipywidgets.Widget.close(widget)


class Broadcasting(Explorer):
    """Two shapes: how they align from the right, which axis stretches, or why they do not fit."""

    def __init__(self):
        self.first = ipywidgets.Text("4, 1, 3", description="shape of a", style=WIDE)
        self.second = ipywidgets.Text("5, 3", description="shape of b", style=WIDE)
        super().__init__("Explorer: two shapes and how they align", [self.first, self.second])

    def draw(self) -> tuple[plots.Picture, str]:
        shapes = [_shape(field.value) for field in (self.first, self.second)]
        if None in shapes:
            field = self.first if shapes[0] is None else self.second
            return plots.shapes((), ()), f"The {field.description} should be up to six whole numbers, such as 4, 1, 3."
        return plots.shapes(*shapes), self.say(*shapes)

    @staticmethod
    def say(a: tuple[int, ...], b: tuple[int, ...]) -> str:
        """What happens when tensors of these shapes are added, axis by axis."""
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
        return self.image.roll(self.shift.value, dims=-1)

    def window(self) -> tuple[Tensor, Tensor, float]:
        """What lies under the kernel (3, 3), its products with the kernel (3, 3), and their sum."""
        stride, padding, dilation = self.stride.value, self.padding.value, self.dilation.value
        columns = convolution.im2col(self.shifted()[None], 3, dilation, padding, stride)  # (9, L)
        under = columns.view(9, *self.apply(self.image).shape)[:, self.row.value, self.column.value].view(3, 3)
        products = under * self.weight()
        return under, products, products.sum().item()

    def draw(self) -> tuple[plots.Picture, str]:
        output = self.apply(self.shifted())
        self._keep_window(output.shape)
        moved = self.apply(self.image).roll(self.shift.value // self.stride.value, dims=-1)
        picture = plots.convolution_step(
            F.pad(self.shifted(), [self.padding.value] * 4),
            self.weight(),
            *self.window()[:2],
            output,
            output - moved,
            place=(self.row.value, self.column.value),
            stride=self.stride.value,
            dilation=self.dilation.value,
        )
        return picture, self.say()

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


class Ravine(Explorer):
    """A ravine, steep across and flat along, and the way an optimizer takes down it."""

    STEPS = 60
    START = (-4.0, 1.0)

    def __init__(self):
        def slider(name: str, value: float, low: float, high: float, step: float) -> ipywidgets.FloatSlider:
            return ipywidgets.FloatSlider(
                value, min=low, max=high, step=step, description=name, style=WIDE, layout={"width": "330px"}
            )

        self.optimizer = ipywidgets.Dropdown(options=list(self.OPTIMIZERS), description="optimizer", style=WIDE)
        self.rate = ipywidgets.FloatLogSlider(
            0.09, min=-3, max=1, step=0.02, description="rate", style=WIDE, layout={"width": "330px"}
        )
        self.momentum = slider("momentum", 0.8, 0.0, 0.98, 0.01)
        self.noise = slider("noise", 0.0, 0.0, 5.0, 0.1)
        self.condition = slider("condition", 20.0, 1.0, 100.0, 1.0)
        controls = [self.optimizer, self.rate, self.momentum, self.noise, self.condition]
        layout = ipywidgets.HBox(
            [ipywidgets.VBox(controls[:2]), ipywidgets.VBox(controls[2:])], layout={"flex_flow": "row wrap"}
        )
        super().__init__("Explorer: an optimizer on its way down a ravine", controls, layout)

    OPTIMIZERS: ClassVar = {
        "gradient descent": lambda p, rate, momentum: optimizers.SGD(p, rate),
        "momentum": lambda p, rate, momentum: optimizers.SGD(p, rate, momentum),
        "Nesterov": lambda p, rate, momentum: optimizers.SGD(p, rate, momentum, nesterov=momentum > 0),
        "RMSprop": lambda p, rate, momentum: optimizers.RMSprop(p, rate),
        "Adam": lambda p, rate, momentum: optimizers.Adam(p, rate, (momentum, 0.99)),
    }

    def path(self) -> Tensor:
        """Where it stands after each step, (STEPS + 1, 2); the noise is the same whatever the controls."""
        generator = torch.Generator().manual_seed(0)
        steepness = torch.tensor([1.0, self.condition.value])
        place = torch.nn.Parameter(torch.tensor(self.START))
        optimizer = self.OPTIMIZERS[self.optimizer.value]([place], self.rate.value, self.momentum.value)
        places = [place.detach().clone()]
        for _ in range(self.STEPS):
            noise = self.noise.value * torch.randn(2, generator=generator)
            place.grad = steepness * place.detach() + noise
            optimizer.step()
            places.append(place.detach().clone())
        return torch.stack(places)

    def draw(self) -> tuple[plots.Picture, str]:
        path = self.path()
        picture = plots.ravine({self.optimizer.value: path}, self.condition.value, self.rate.value)
        return picture, self.say(path)

    def say(self, path: Tensor) -> str:
        """The loss where it ended, and how gradient descent multiplies each coordinate in a step."""
        loss = ((path[-1] ** 2) * torch.tensor([1.0, self.condition.value])).sum().item() / 2
        rate, steep = self.rate.value, self.condition.value
        end = f"<b>Loss</b> after {self.STEPS} steps: <b>{loss:.3g}</b>."
        if self.optimizer.value != "gradient descent":
            return end
        return (
            f"{end} Each step multiplies the place along by 1 − {rate:.3g} = {1 - rate:.3g} "
            f"and across by 1 − {rate:.3g}·{steep:g} = {1 - rate * steep:.3g} (the noise is added)."
        )


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

    def draw(self) -> tuple[plots.Picture, str]:
        x = self.changed()
        logits, _ = training.predict(self.model, [(data.normalize(x), torch.zeros(1, dtype=torch.int64))])
        p = logits.softmax(dim=1)[0]
        named, label = data.CLASSES[p.argmax()], data.CLASSES[self.labels[self.number.value]]
        say = f"It is: <b>{label}</b>. The network says: <b>{named}</b>, with confidence {p.max():.2f}."
        return plots.judged(x[0, 0], data.CLASSES, p), say


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

    def draw(self) -> tuple[plots.Picture, str]:
        x = self.attacked()
        logits, _ = training.predict(self.model, [(x, torch.zeros(1, dtype=torch.int64))])
        p = logits.softmax(dim=1)[0]
        named = int(p.argmax())
        about = named if self.about.value == self.NAMED else data.CLASSES.index(self.about.value)
        where = explain.grad_cam(self.model, self.layer, x, torch.tensor([about]))[0]
        picture = plots.judged(255 * (x[0, 0] * data.STD + data.MEAN), data.CLASSES, p, where)
        label = data.CLASSES[self.labels[self.number.value]]
        return picture, (
            f"It is: <b>{label}</b>. The network says: <b>{data.CLASSES[named]}</b> ({p[named]:.2f}). "
            f"In the middle: what speaks for <b>{data.CLASSES[about]}</b>."
        )


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
        self.right = ipywidgets.FloatSlider(
            1.0, min=-2, max=2, step=0.1, description="query, right", style=WIDE, layout=wide
        )
        self.up = ipywidgets.FloatSlider(0.8, min=-2, max=2, step=0.1, description="query, up", style=WIDE, layout=wide)
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

    def weights(self) -> Tensor:
        """(6,), for the controls as they stand"""
        query = torch.tensor([[self.right.value, self.up.value]]) * (self.d.value / 2) ** 0.5
        mask = torch.tensor([[box.value for box in self.may_look]])
        scale = self.d.value**-0.5 if self.scaled.value else 1.0
        return attention.attention_weights(query, self.KEYS, mask, scale=scale)[0]

    def draw(self) -> tuple[plots.Picture, str]:
        weights, query = self.weights(), torch.tensor([self.right.value, self.up.value])
        output, seen = weights @ self.VALUES, sum(box.value for box in self.may_look)
        entropy = -torch.special.xlogy(weights, weights).sum()
        slope = (weights.diag() - weights[:, None] * weights).norm()
        picture = plots.lookup(self.NAMES, self.KEYS, query, weights, self.VALUES, output)
        if not seen:
            return picture, "The query may look at nothing: all weights are 0, and so is the output."
        return picture, (
            f"Entropy of the weights <b>{entropy:.2f}</b>, at most ln {seen} = {math.log(seen):.2f}. Length of the "
            f"softmax's gradient <b>{slope:.3f}</b>. Output ({output[0]:.2f}, {output[1]:.2f})."
        ).replace("-", "−")


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
        """How much each patch is looked at (patches,), and the classes' probabilities, by what is kept (patches,)"""
        places = kept.nonzero().flatten()
        some = _Some(self.model, places)
        maps = explain.attention_maps(some, x)[self.layer.value - 1, 0]  # (heads, L, L)
        of_head = maps.mean(dim=0) if self.head.value == self.MEAN else maps[self.head.value - 1]
        row = of_head.mean(dim=0) if self.asking.value == self.MEAN else of_head[places == self.asking.value][0]
        logits, _ = training.predict(some, [(x, torch.zeros(1, dtype=torch.int64))])
        return torch.zeros(self.count).index_copy(0, places, row), logits.softmax(dim=1)[0]

    def draw(self) -> tuple[plots.Picture, str]:
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
        picture = plots.patches(given[0, 0], self.model.grid, ~kept, asking, weights, data.CLASSES, p)
        named, label = data.CLASSES[p.argmax()], data.CLASSES[self.labels[self.number.value]]
        say = f"It is: <b>{label}</b>. The network says: <b>{named}</b> ({p.max():.2f})."
        if len(gone):
            say += f" The patches left out had {share:.2f} of the look."
        return picture, say


class OneDimensionalGame(Explorer):
    """A GAN on a line: real numbers around 0, a generator with a mean and a width, and the best discriminator there is.

    The arrows are steps of gradient descent of single fakes, scaled to be seen; the button moves mean and width by what
    all fakes together ask for, while the discriminator waits.
    """

    LOSSES: ClassVar = {"non-saturating": dcgan.non_saturating, "saturating": dcgan.saturating}
    NOISE = torch.special.ndtri(torch.arange(0.5, 200) / 200)  # 200 even quantiles of the normal distribution
    SHOWN = NOISE[12::25]
    X = torch.linspace(-6, 6, 241)
    RATE, ARROW = 0.5, 0.6

    def __init__(self):
        number = {"style": WIDE, "layout": {"width": "330px"}}
        self.mean = ipywidgets.FloatSlider(2.5, min=-5, max=5, step=0.05, description="mean of fakes", **number)
        self.width = ipywidgets.FloatSlider(0.6, min=0.1, max=3, step=0.05, description="their width", **number)
        self.loss = ipywidgets.Dropdown(options=list(self.LOSSES), description="loss of G", **number)
        self.step = ipywidgets.Button(description="one step of G")
        self.step.on_click(self._step)
        layout = ipywidgets.HBox(
            [ipywidgets.VBox([self.mean, self.width]), ipywidgets.VBox([self.loss, self.step])],
            layout={"flex_flow": "row wrap"},
        )
        super().__init__("Explorer: a GAN on a line", [self.mean, self.width, self.loss], layout)

    def densities(self) -> tuple[Normal, Normal]:
        """Of real numbers and of fakes."""
        return Normal(0.0, 1.0), Normal(self.mean.value, self.width.value)

    def slopes(self) -> tuple[float, float]:
        """The gradient of the generator's loss with respect to its mean and its width, D* held still."""
        real, fakes = self.densities()
        mean, width = (torch.tensor(slider.value, requires_grad=True) for slider in (self.mean, self.width))
        places = mean + width * self.NOISE
        loss = self.LOSSES[self.loss.value](real.log_prob(places) - fakes.log_prob(places))
        return tuple(slope.item() for slope in torch.autograd.grad(loss, (mean, width)))

    def pull(self, places: Tensor) -> Tensor:
        """Which way, and how strongly, the loss moves single fakes; (N,)"""
        real, fakes = self.densities()
        places = places.clone().requires_grad_()
        losses = [self.LOSSES[self.loss.value](real.log_prob(x) - fakes.log_prob(x)) for x in places[:, None]]
        return -torch.autograd.grad(torch.stack(losses).sum(), places)[0]

    def _step(self, button: object = None) -> None:
        with self.lock:
            of_mean, of_width = self.slopes()
            self.drawing = True  # one picture for both
            self.mean.value -= self.RATE * of_mean
            self.width.value = max(self.width.min, self.width.value - self.RATE * of_width)
            self.drawing = False
            self._changed()

    def draw(self) -> tuple[plots.Picture, str]:
        real, fakes = self.densities()
        log_p, log_q = real.log_prob(self.X), fakes.log_prob(self.X)
        points = self.mean.value + self.width.value * self.SHOWN
        judged = {"best, D*": dcgan.optimal_discriminator(log_p, log_q)}
        picture = plots.one_dimension(self.X, log_p.exp(), log_q.exp(), judged, points, self.ARROW * self.pull(points))
        asked = [of.mean + of.stddev * self.NOISE for of in (real, fakes)]
        pays = dcgan.tell_apart(*(real.log_prob(x) - fakes.log_prob(x) for x in asked)).item()
        of_mean, of_width = self.slopes()
        return picture, (
            f"D* pays <b>{pays:.3f}</b> nats; a coin toss costs {2 * math.log(2):.3f}. The loss pulls the mean by "
            f"<b>{-of_mean:+z.3f}</b> and the width by <b>{-of_width:+z.3f}</b>."
        ).replace("-", "−")


class LatentWalk(Explorer):
    """From one noise vector to another, along an arc or straight, and what a generator draws on the way.

    Args:
        generator: noise (N, latent_dim) -> pictures in [-1, 1]; a ``dcgan.Generator`` without classes.
    """

    STOPS = 12
    WAYS: ClassVar = {"along an arc": dcgan.slerp, "straight": lambda a, b, t: a + (b - a) * t}

    def __init__(self, generator: dcgan.Generator):
        self.generator = generator
        number = {"style": WIDE, "layout": {"width": "330px"}}
        self.start = ipywidgets.IntSlider(0, 0, 50, description="from noise", **number)
        self.end = ipywidgets.IntSlider(1, 0, 50, description="to noise", **number)
        self.way = ipywidgets.Dropdown(options=list(self.WAYS), description="way", **number)
        self.place = ipywidgets.IntSlider(0, 0, self.STOPS - 1, description="stop", **number)
        self.play = ipywidgets.Play(min=0, max=self.STOPS - 1, interval=400, repeat=True)
        self.link = ipywidgets.jslink((self.play, "value"), (self.place, "value"))
        layout = ipywidgets.HBox(
            [ipywidgets.VBox([self.start, self.end, self.way]), ipywidgets.VBox([self.place, self.play])],
            layout={"flex_flow": "row wrap"},
        )
        super().__init__("Explorer: a walk in latent space", [self.start, self.end, self.way, self.place], layout)

    def noise(self) -> Tensor:
        """(STOPS, latent_dim), the stops of the walk."""
        a, b = (
            torch.randn(self.generator.latent_dim, generator=torch.Generator().manual_seed(end.value))
            for end in (self.start, self.end)
        )
        return self.WAYS[self.way.value](a, b, torch.linspace(0, 1, self.STOPS)[:, None])

    def draw(self) -> tuple[plots.Picture, str]:
        z, place = self.noise(), self.place.value
        picture = plots.walk((dcgan.sample(self.generator, z) * 255).round().to(torch.uint8), place)
        length, typical = z[place].norm(), self.generator.latent_dim**0.5
        return picture, f"Length of the noise <b>{length:.1f}</b>; noise as it is drawn has about {typical:.1f}."


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
        kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16
        x = self.samples
        for _ in range(strength):
            x = F.conv2d(x, kernel, padding=1)
        return x.clamp(0, 1)

    def noisy(self, strength: int) -> Tensor:
        return (self.samples + strength / 20 * self.noise).clamp(0, 1)

    def without_classes(self, strength: int) -> Tensor:
        """The classes that are left are repeated."""
        left = (self.labels >= strength).nonzero().flatten()
        return self.samples[left[torch.arange(self.COUNT) % len(left)]]

    def repeated(self, strength: int) -> Tensor:
        """Only so many different pictures: 500, 200, 100, 50, 20, 10, 5, 3, 2, 1."""
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

    def draw(self) -> tuple[plots.Picture, str]:
        x = self.spoilt()
        features = cnn.ruler_features(x)
        probabilities = cnn.ruler_probabilities(features)
        distance = metrics.frechet_distance(features, self.real)
        shares = {
            "distance, share of noise": distance / self.of_noise,
            **metrics.precision_recall(self.real, features)._asdict(),
            "class entropy": metrics.class_entropy(probabilities) / math.log(10),
            "Inception Score / 10": metrics.inception_score(probabilities) / 10,
        }
        picture = plots.measured((x[:10] * 255).round().to(torch.uint8), shares)
        return (
            picture,
            f"Fréchet distance <b>{distance:.1f}</b> (uniform noise: {self.of_noise:.0f}), with 500 pictures.",
        )


class LatentMap(Explorer):
    """Where an item lies on the map of codes, how surely, and what the decoder makes of a place nearby.

    Args:
        models: VAEs of two latents, by the beta they were trained with, beginning with the smallest.
        images: (N, 1, 28, 28) uint8, for the map, the items, and what the models cost.
    """

    def __init__(self, models: dict[float, vae.VAE], images: Tensor):
        self.models, self.images, self.pictures = models, images, images / 255
        found = [vae.terms(model, self.pictures) for model in models.values()]
        self.rates = torch.stack([terms.kl.mean() for terms in found])
        self.distortions = torch.stack([terms.nll.mean() for terms in found])
        with torch.no_grad():
            self.posteriors = {beta: model.posterior(self.pictures) for beta, model in models.items()}
        number = {"style": WIDE, "layout": {"width": "330px"}}
        options = [(f"{beta:g}", beta) for beta in models]
        self.beta = ipywidgets.SelectionSlider(options=options, value=1.0, description="beta", **number)
        self.item = ipywidgets.IntSlider(0, 0, min(len(images) - 1, 200), description="item", **number)
        self.first = ipywidgets.FloatSlider(0.0, min=-4, max=4, step=0.1, description="point: first", **number)
        self.second = ipywidgets.FloatSlider(0.0, min=-4, max=4, step=0.1, description="point: second", **number)
        controls = [self.beta, self.item, self.first, self.second]
        layout = ipywidgets.HBox(
            [ipywidgets.VBox(controls[:2]), ipywidgets.VBox(controls[2:])], layout={"flex_flow": "row wrap"}
        )
        super().__init__("Explorer: the map of codes", controls, layout)

    def codes(self) -> dict[str, Tensor]:
        """What is decoded: the item's mean, a draw from its posterior, and the point; (1, 2) each"""
        mu, logvar = (part[self.item.value][None] for part in self.posteriors[self.beta.value])
        noise = torch.randn(1, 2, generator=torch.Generator().manual_seed(self.item.value))
        point = torch.tensor([[self.first.value, self.second.value]])
        return {"decoded mean": mu, "decoded draw": mu + (logvar / 2).exp() * noise, "decoded x": point}

    def draw(self) -> tuple[plots.Picture, str]:
        model, number, place = self.models[self.beta.value], self.item.value, list(self.models).index(self.beta.value)
        codes, mu, logvar = self.codes(), *self.posteriors[self.beta.value]
        decoded = {name: (vae.decode(model, z)[0] * 255).round().to(torch.uint8) for name, z in codes.items()}
        sigma = (logvar[number] / 2).exp()
        picture = plots.posterior(
            mu, mu[number], sigma, codes["decoded x"][0], {"item": self.images[number], **decoded},
            self.rates, self.distortions, place,
        )  # fmt: skip
        with torch.no_grad():
            nll = model.likelihood.nll(model.decoder(codes["decoded mean"]), self.pictures[number][None]).item()
        return picture, (
            f"This item: KL <b>{vae.kl_to_standard_normal(mu[number], logvar[number]):.1f}</b> nats, cross-entropy at "
            f"its mean <b>{nll:.0f}</b> nats, standard deviations {sigma[0]:.2f} and {sigma[1]:.2f}. All items: rate "
            f"{self.rates[place]:.1f}, distortion {self.distortions[place]:.0f}."
        )


def _with_sentence(picture: bytes, sentence: str) -> bytes:
    """A PNG with a sentence written below it."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    font = ImageFont.truetype(findfont("DejaVu Sans"), 14)
    text = textwrap.fill(sentence, max(20, int(image.width / font.getlength("n"))))
    _, _, _, height = ImageDraw.Draw(image).multiline_textbbox((0, 0), text, font=font)
    whole = Image.new("RGB", (image.width, image.height + int(height) + 16), palette.PAPER)
    whole.paste(image)
    ImageDraw.Draw(whole).multiline_text((8, image.height + 4), text, palette.INK, font)
    file = io.BytesIO()
    whole.save(file, "png", optimize=True)
    return file.getvalue()


class _Some(torch.nn.Module):
    """A ViT that is given only some of the patches."""

    def __init__(self, model: vit.ViT, places: Tensor):
        super().__init__()
        self.model, self.places = model, places

    def forward(self, x: Tensor) -> Tensor:
        return self.model.head(self.model.encode(self.model.tokens(x)[:, self.places]))


def _shape(text: str) -> tuple[int, ...] | None:
    """ "4, 1, 3" -> (4, 1, 3); None if it is no shape."""
    words = text.replace("(", " ").replace(")", " ").replace(",", " ").split()
    if len(words) > 6 or not all(word.isdecimal() and 0 < int(word) < 1000 for word in words):
        return None
    return tuple(int(word) for word in words)
