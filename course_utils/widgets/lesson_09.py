"""Lesson 09: the map of codes."""

import math

import ipywidgets
import torch
from torch import Tensor

from .. import palette, vae
from ..sketch import Plane, Sketch
from .explorer import WIDE, Explorer, move_to

LEFT, TOP, RIGHT_OF_MAP = 34, 24, 290  # the map on the sketch


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
        eighths = {"min": -4, "max": 4, "step": 1 / 8, "readout_format": ".3f", **number}
        self.first = ipywidgets.FloatSlider(0.0, description="point: first", **eighths)
        self.second = ipywidgets.FloatSlider(0.0, description="point: second", **eighths)
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

    def draw(self) -> tuple[Sketch, str]:
        model, number, place = self.models[self.beta.value], self.item.value, list(self.models).index(self.beta.value)
        codes, mu, logvar = self.codes(), *self.posteriors[self.beta.value]
        decoded = {name: vae.decode(model, z)[0, 0] * 255 for name, z in codes.items()}
        sigma = (logvar[number] / 2).exp()
        sketch = Sketch(860, 310)
        plane, title = self.map(mu, mu[number], sigma, codes["decoded x"][0]), "item: o, posterior x 10; point: x"
        sketch.add(plane, LEFT, TOP, title, "first latent")
        sketch.upwards(7, TOP + plane.height / 2, "second latent")
        for number_of, (name, pixels) in enumerate({"item": self.images[number, 0], **decoded}.items()):
            left, top = 315 + number_of % 2 * 130, 24 + number_of // 2 * 145
            sketch.text(left + 58, top - 6, name, "ms")
            sketch.picture(pixels, left, top, 116)
        sketch.add(self.costs(place), 640, 24, "all items, each beta", "rate: KL in nats", "distortion: nats")
        with torch.no_grad():
            nll = model.likelihood.nll(model.decoder(codes["decoded mean"]), self.pictures[number][None]).item()
        return sketch, (
            f"This item: KL <b>{vae.kl_to_standard_normal(mu[number], logvar[number]):.1f}</b> nats, cross-entropy at "
            f"its mean <b>{nll:.0f}</b> nats, standard deviations {sigma[0]:.2f} and {sigma[1]:.2f}. All items: rate "
            f"{self.rates[place]:.1f}, distortion {self.distortions[place]:.0f}."
        )

    def plane(self) -> Plane:
        """Without anything on it, as large as the codes of this beta ask for."""
        reach = max(4.0, 1.05 * self.posteriors[self.beta.value][0].abs().max().item())
        return Plane(240, 250, (-reach, reach), (-reach, reach))

    def point_at(self, x: float, y: float) -> None:
        """A pointer at x and y, in pixels, moves the point if it is on the map."""
        if x < RIGHT_OF_MAP:
            move_to((self.first, self.second), self.plane().numbers(x - LEFT, y - TOP))

    def map(self, codes: Tensor, mu: Tensor, sigma: Tensor, point: Tensor) -> Plane:
        """All codes (N, 2), a posterior as an ellipse of ten standard deviations, as one would be a dot, and a point.

        The posterior's mu and sigma, and the point, are (2,) each.
        """
        plane = self.plane()
        for x, y in codes.tolist():
            plane.dot(x, y, 1.2, palette.GREY + "90")
        circle = torch.linspace(0, 2 * math.pi, 90)[:, None] - torch.tensor([0, math.pi / 2])  # (90, 2)
        plane.line((mu + 10 * sigma * circle.cos()).tolist(), palette.BLUE, 2)
        plane.dot(*mu.tolist(), 4, palette.BLUE, palette.PAPER)
        plane.cross(*point.tolist(), 7, palette.ORANGE, 3)
        return plane

    def costs(self, chosen: int) -> Plane:
        """Rate and distortion of all models; the chosen one, by its place, is the large dot."""
        rates, distortions = self.rates.tolist(), self.distortions.tolist()
        margin = 0.08 * (max(rates) - min(rates) + 1), 0.08 * (max(distortions) - min(distortions) + 1)
        plane = Plane(
            210, 250, (min(rates) - margin[0], max(rates) + margin[0]),
            (min(distortions) - margin[1], max(distortions) + margin[1]),
        )  # fmt: skip
        points = list(zip(rates, distortions, strict=True))
        plane.line(points, palette.GREY, 1)
        for place, point in enumerate(points):
            plane.dot(*point, 7 if place == chosen else 3, palette.BLUE if place == chosen else palette.GREY)
        return plane
