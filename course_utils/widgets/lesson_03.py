"""Lesson 03: an optimizer on its way down a ravine."""

import math
from typing import ClassVar

import ipywidgets
import torch
from torch import Tensor

from .. import optimizers, palette
from ..sketch import Plane, Sketch
from .explorer import WIDE, Explorer


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
            10**-1.04, min=-3, max=1, step=0.02, description="rate", style=WIDE, layout={"width": "330px"}
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

    def draw(self) -> tuple[Sketch, str]:
        path = self.path()
        sketch = Sketch(800, 400)
        sketch.add(self.seen_from_above(path), 34, 24, "where it goes (+: the lowest point)")
        sketch.add(self.losses(path), 545, 24, "loss at each step", "step")
        sketch.add(self.rates(), 34, 352)
        limit = 2 / self.condition.value
        sketch.text(
            400, 346, f"rate {self.rate.value:.3g} (dot); gradient descent diverges beyond "
            f"2/λ_max = {limit:.3g} (grey)", "ms",
        )  # fmt: skip
        return sketch, self.say(path)

    def seen_from_above(self, path: Tensor) -> Plane:
        """The path, (STEPS + 1, 2), over lines of equal loss, which are ellipses."""
        plane = Plane(450, 270, (-5, 5), (-2, 2))
        circle = torch.linspace(0, 2 * math.pi, 90)
        for power in range(8):
            radius = math.sqrt(2 * 0.05 * 3**power)
            across = radius / math.sqrt(self.condition.value) * circle.sin()
            plane.line(list(zip((radius * circle.cos()).tolist(), across.tolist(), strict=True)), palette.GRID, 1)
        gone = (path.abs() > torch.tensor([15.0, 6.0])).any(dim=1).cumsum(0) > 1  # the step after it has left the page
        points = path[~gone].tolist()
        plane.line(points, palette.BLUE)
        for x, y in points:
            plane.dot(x, y, 2.5, palette.BLUE)
        plane.text(0, 0, "+", size=15)
        return plane

    def losses(self, path: Tensor) -> Plane:
        """After each step of a path, (STEPS + 1, 2), on a logarithmic scale."""
        plane = Plane(240, 270, (0, self.STEPS), (1e-7, 1e4), log="y")
        heights = (path[:, 0] ** 2 + self.condition.value * path[:, 1] ** 2) / 2
        plane.line(list(enumerate(heights.nan_to_num(1e9).clamp(1e-9, 1e9).tolist())), palette.BLUE, 2)
        return plane

    def rates(self) -> Plane:
        """The rate on a line of rates, beyond whose limit gradient descent diverges."""
        plane, limit = Plane(751, 22, (1e-3, 10), (0, 1), log="x", ticks="x"), 2 / self.condition.value
        plane.box(limit, 0, 10, 1, fill=palette.GRID)
        plane.line([(limit, 0), (limit, 1)])
        plane.dot(self.rate.value, 0.5, 6, palette.ORANGE)
        return plane

    def say(self, path: Tensor) -> str:
        """The loss at a path's end, (STEPS + 1, 2), and how gradient descent multiplies each coordinate in a step."""
        loss = ((path[-1] ** 2) * torch.tensor([1.0, self.condition.value])).sum().item() / 2
        rate, steep = self.rate.value, self.condition.value
        end = f"<b>Loss</b> after {self.STEPS} steps: <b>{loss:.3g}</b>."
        if self.optimizer.value != "gradient descent":
            return end
        return (
            f"{end} Each step multiplies the place along by 1 − {rate:.3g} = {1 - rate:.3g} "
            f"and across by 1 − {rate:.3g}·{steep:g} = {1 - rate * steep:.3g} (the noise is added)."
        ).replace("= -", "= −")
