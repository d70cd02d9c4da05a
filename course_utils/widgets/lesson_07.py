"""Lesson 07: a GAN on a line, and a walk in latent space."""

import math
from typing import ClassVar

import ipywidgets
import torch
from torch import Tensor
from torch.distributions import Normal

from .. import dcgan, palette
from ..sketch import Plane, Sketch
from .explorer import WIDE, Explorer, move_to


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
        fine = {"step": 1 / 32, "readout_format": ".3f", **number}
        self.mean = ipywidgets.FloatSlider(2.5, min=-4, max=4, description="mean of fakes", **fine)
        self.width = ipywidgets.FloatSlider(0.625, min=0.125, max=2.125, description="their width", **fine)
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
        """Which way, and how strongly, the loss moves single fakes at these places, (N,) each"""
        real, fakes = self.densities()
        places = places.clone().requires_grad_()
        losses = [self.LOSSES[self.loss.value](real.log_prob(x) - fakes.log_prob(x)) for x in places[:, None]]
        return -torch.autograd.grad(torch.stack(losses).sum(), places)[0]

    def _step(self, button: object = None) -> None:
        with self.together():
            sliders, slopes = (self.mean, self.width), self.slopes()
            move_to(sliders, [s.value - self.RATE * slope for s, slope in zip(sliders, slopes, strict=True)])

    def draw(self) -> tuple[Sketch, str]:
        real, fakes = self.densities()
        asked = [of.mean + of.stddev * self.NOISE for of in (real, fakes)]
        pays = dcgan.tell_apart(*(real.log_prob(x) - fakes.log_prob(x) for x in asked)).item()
        of_mean, of_width = self.slopes()
        sketch = Sketch(760, 390)
        sketch.add(self.seen(), 70, 10, ylabel="density")
        sketch.add(self.judged(), 70, 230, xlabel="x", ylabel="real?")
        return sketch, (
            f"D* pays <b>{pays:.3f}</b> nats; a coin toss costs {2 * math.log(2):.3f}. The loss pulls the mean by "
            f"<b>{-of_mean:+z.3f}</b> and the width by <b>{-of_width:+z.3f}</b>."
        ).replace("-", "−")

    def seen(self) -> Plane:
        """Both densities, and how some fakes are pulled; these stand one above the other, so that none is hidden."""
        real, fakes = (of.log_prob(self.X).exp() for of in self.densities())
        top = 1.08 * max(real.max(), fakes.max()).item()
        plane, x = Plane(660, 190, (-6, 6), (0, top), ticks="y"), self.X.tolist()
        plane.area([(x[0], 0), *zip(x, real.tolist(), strict=True), (x[-1], 0)], palette.AREA)
        plane.line(list(zip(x, real.tolist(), strict=True)), palette.BLUE, 2)
        plane.line(list(zip(x, fakes.tolist(), strict=True)), palette.ORANGE, 2, dash=5)
        points = self.mean.value + self.width.value * self.SHOWN
        ends = points + self.ARROW * self.pull(points)
        heights = torch.linspace(0.06, 0.5, len(points)) * top
        for start, end, height in zip(points.tolist(), ends.tolist(), heights.tolist(), strict=True):
            plane.dot(start, height, 3, palette.ORANGE)
            plane.arrow((start, height), (end, height))
        legend(plane, top, (("real, p", palette.BLUE, 0), ("generated, q", palette.ORANGE, 5)))
        return plane

    def judged(self) -> Plane:
        """For how real the best discriminator takes a number."""
        log_p, log_q = (of.log_prob(self.X) for of in self.densities())
        plane = Plane(660, 110, (-6, 6), (-0.05, 1.05))
        plane.line([(-6, 0.5), (6, 0.5)], palette.GRID, 1)
        best = dcgan.optimal_discriminator(log_p, log_q)
        plane.line(list(zip(self.X.tolist(), best.tolist(), strict=True)), palette.INK, 2)
        legend(plane, 1.0, (("best, D*", palette.INK, 0),))
        return plane


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

    def draw(self) -> tuple[Sketch, str]:
        z, place = self.noise(), self.place.value
        drawn = (dcgan.sample(self.generator, z) * 255).round().to(torch.uint8)[:, 0]  # (STOPS, 28, 28)
        sketch, half, side = Sketch(800, 190), self.STOPS // 2, 92
        sketch.picture(drawn[place], 2, 2, 2 * side)
        sketch.picture(torch.cat([torch.cat(list(row), 1) for row in drawn.split(half)]), 220, 2, half * side)
        left, top = 220 + place % half * side, 2 + place // half * side
        sketch.box(left, top, left + side, top + side, palette.ORANGE, width=2.5)
        length, typical = z[place].norm(), self.generator.latent_dim**0.5
        return sketch, f"Length of the noise <b>{length:.1f}</b>; noise as it is drawn has about {typical:.1f}."


def legend(plane: Plane, top: float, lines: tuple[tuple[str, str, float], ...]) -> None:
    """The name, colour and dash of lines, at the upper right of a plane whose top is given."""
    for number, (name, color, dash) in enumerate(lines):
        y = top * (1 - 0.11 * number) * 0.93
        plane.line([(4.0, y), (4.5, y)], color, 2, dash)
        plane.text(4.6, y, name, "lm")
