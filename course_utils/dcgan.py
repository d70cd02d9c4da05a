"""A DCGAN for pictures of 28x28 that learns on a CPU: two networks, the losses of their game, and the game itself.

The generator G makes pictures from noise, the discriminator D tells them from real ones. Both are made of
``torch.nn``'s layers, as in ``cnn``. Inside the game pictures lie in [-1, 1]; ``sample`` hands them out in [0, 1].
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from . import training

SIZE = 28  # pixels along each side of the pictures


def optimal_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best answer to "is x real?", where both densities are known: p / (p + q).

    It is the logistic of ``log p - log q``, which does not divide 0 by 0 where both densities vanish.

    Args:
        log_p, log_q: log densities of real and of generated points, any shape.

    Returns:
        Probabilities of being real, the same shape.

    Source: Goodfellow et al., "Generative adversarial nets" (2014), proposition 1.
    """
    return (log_p - log_q).sigmoid()


class Loss(NamedTuple):
    """What ``discriminator`` and ``generator`` minimise, on logits (N,): the first on real ones and fakes."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def tell_apart(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of logits (N,), real = 1 and fake = 0: ``-log D(x) - log(1 - D(G(z)))``, both as means.

    Written with softplus, as -log sigmoid(t) = softplus(-t), which is finite for every logit.

    Source: Goodfellow et al. (2014), equation 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def saturating(fake: Tensor) -> Tensor:
    """``log(1 - D(G(z)))``, of logits fake (N,): the game as derived. Its gradient vanishes where D knows the fakes.

    Source: Goodfellow et al. (2014), equation 1.
    """
    return -F.softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """``-log D(G(z))``, of logits fake (N,): the same fixed point, and the strongest gradient where D knows the fakes.

    Source: Goodfellow et al. (2014), section 3.
    """
    return F.softplus(-fake).mean()


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """``max(0, 1 - t)`` of logits real and ``max(0, 1 + t)`` of fake, (N,) each: right by a margin of 1 is enough.

    Source: Lim and Ye, "Geometric GAN" (2017), section 3; Miyato et al. (2018), equations 16 and 17.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def raise_logits(fake: Tensor) -> Tensor:
    """``-t`` of logits fake (N,): the generator's side of the hinge. Source: as ``hinge``."""
    return -fake.mean()


SATURATING = Loss(tell_apart, saturating)
NON_SATURATING = Loss(tell_apart, non_saturating)
HINGE = Loss(hinge, raise_logits)


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """How steep D is at real pictures: the squared length of its gradient there, the mean over the pictures.

    The result can be differentiated once more, with respect to D's parameters. Multiply it by gamma / 2.

    Args:
        logits: D(real), (N,), each of its own picture alone.
        real: the pictures, (N, C, H, W), with ``requires_grad``.

    Raises:
        ValueError: if the logits do not hang on ``real``.

    Source: Mescheder, Geiger and Nowozin, "Which training methods for GANs do actually converge?" (2018), equation 9.
    """
    if not real.requires_grad:
        raise ValueError("real must require a gradient before D is asked: real.requires_grad_()")
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()


class SpectralNorm(nn.Module):
    """Divide a weight by its largest singular value, so that the layer cannot stretch any input.

    The singular value is followed by power iteration, one round each time it is used in training:
    ``u <- W v / |W v|``, ``v <- W^T u / |W^T u|``, ``sigma = u^T W v``. Equal to what
    ``torch.nn.utils.parametrizations.spectral_norm`` registers.

    Args:
        weight: the weight to begin with, (rows, ...); all axes but the first are taken together.
        rounds: of power iteration before the first use.
        eps: keeps the divisors from 0.

    Source: Miyato, Kataoka, Koyama and Yoshida, "Spectral normalization for generative adversarial networks" (2018),
    algorithm 1.
    """

    def __init__(self, weight: Tensor, rounds: int = 15, eps: float = 1e-12):
        super().__init__()
        self.eps = eps
        matrix = weight.detach().flatten(1)  # (rows, columns)
        self.register_buffer("u", F.normalize(torch.randn_like(matrix[:, 0]), dim=0, eps=eps))
        self.register_buffer("v", F.normalize(torch.randn_like(matrix[0]), dim=0, eps=eps))
        self.iterate(matrix, rounds)

    @torch.no_grad()
    def iterate(self, matrix: Tensor, rounds: int) -> None:
        """Bring u and v, in rounds, nearer to the singular vectors of the largest singular value of a matrix (m, n)."""
        for _ in range(rounds):
            self.u = F.normalize(matrix @ self.v, dim=0, eps=self.eps)
            self.v = F.normalize(matrix.T @ self.u, dim=0, eps=self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        """Any shape -> the same, weight / sigma"""
        matrix = weight.flatten(1)
        if self.training:
            self.iterate(matrix, 1)
        return weight / (self.u @ matrix @ self.v)


def spectral_norm(layer: nn.Module) -> nn.Module:
    """Let a layer use its weight divided by the weight's largest singular value; returns the layer.

    Raises:
        ValueError: if the layer has no weight of two axes or more.
    """
    weight = getattr(layer, "weight", None)
    if weight is None or weight.dim() < 2:
        raise ValueError(f"layer must have a weight of two axes or more, and a {type(layer).__name__} has none")
    parametrize.register_parametrization(layer, "weight", SpectralNorm(weight))
    return layer


class Generator(nn.Module):
    """Noise -> pictures of 28x28 in [-1, 1]: a linear layer makes small maps, transposed convolutions enlarge them.

    Args:
        latent_dim: length of the noise vector.
        channels: maps at 7x7 and at 14x14 pixels.
        classes: 0, or how many classes there are to ask for.

    Attributes: latent_dim, classes.

    Raises:
        ValueError, TypeError: if ``latent_dim`` is below 1, or, in ``forward``, if noise or labels do not fit.

    Source: Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional GANs" (2016),
    section 3; as a smaller net for smaller pictures.
    """

    def __init__(self, latent_dim: int = 64, channels: tuple[int, int] = (64, 32), classes: int = 0):
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim, self.classes = latent_dim, classes
        first, second = channels
        self.maps = nn.Sequential(
            nn.Linear(latent_dim + classes, first * 7 * 7, bias=False),
            nn.Unflatten(1, (first, 7, 7)),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        self.enlarge = nn.Sequential(
            # Kernel 4 at stride 2: every pixel is written equally often, which 3 at stride 2 does not manage.
            nn.ConvTranspose2d(first, second, kernel_size=4, stride=2, padding=1, bias=False),  # 7x7 -> 14x14
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.ConvTranspose2d(second, 1, kernel_size=4, stride=2, padding=1),  # -> 28x28
            nn.Tanh(),
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z (N, latent_dim), and labels (N,) where there are classes -> (N, 1, 28, 28)"""
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z must be noise of shape (N, {self.latent_dim}), got {tuple(z.shape)}")
        _check_labels(labels, self.classes, len(z))
        if self.classes:
            z = torch.cat([z, F.one_hot(labels, self.classes).to(z.dtype)], dim=1)  # (N, latent_dim + classes)
        return self.enlarge(self.maps(z))


class Discriminator(nn.Module):
    """Pictures of 28x28 -> how real they look, as logits: three strided convolutions and a linear layer.

    With classes it judges pairs of picture and label: to the logit comes the product of the picture's features with a
    vector learnt for the class.

    Args:
        channels: maps at 14x14, 7x7 and 4x4 pixels.
        norm: "batch", "spectral" or "none".
        classes: 0, or how many classes there are.

    Raises:
        ValueError, TypeError: if ``norm`` is none of these, or, in ``forward``, if pictures or labels do not fit.

    Source: Radford et al. (2016), section 3; classes: Miyato and Koyama, "cGANs with projection discriminator" (2018),
    equation 3.
    """

    def __init__(self, channels: tuple[int, int, int] = (16, 32, 128), norm: str = "batch", classes: int = 0):
        super().__init__()
        if norm not in ("batch", "spectral", "none"):
            raise ValueError(f"norm must be 'batch', 'spectral' or 'none', got {norm!r}")
        bound = spectral_norm if norm == "spectral" else nn.Identity()
        between = nn.BatchNorm2d if norm == "batch" else lambda channels: nn.Identity()
        self.classes, bias = classes, norm != "batch"  # batch normalisation would take a bias out again
        first, second, third = channels
        self.layers = nn.Sequential(
            bound(nn.Conv2d(1, first, kernel_size=4, stride=2, padding=1)),  # 28x28 -> 14x14; no norm on pictures
            nn.LeakyReLU(0.2),
            bound(nn.Conv2d(first, second, kernel_size=4, stride=2, padding=1, bias=bias)),  # -> 7x7
            between(second),
            nn.LeakyReLU(0.2),
            bound(nn.Conv2d(second, third, kernel_size=3, stride=2, padding=1, bias=bias)),  # -> 4x4
            between(third),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.head = bound(nn.Linear(third * 4 * 4, 1))
        if classes:
            self.of_class = nn.Embedding(classes, third * 4 * 4)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """x (N, 1, 28, 28), and labels (N,) where there are classes -> logits (N,)"""
        if x.dim() != 4 or x.shape[1:] != (1, SIZE, SIZE):
            raise ValueError(f"x must be pictures of shape (N, 1, {SIZE}, {SIZE}), got {tuple(x.shape)}")
        _check_labels(labels, self.classes, len(x))
        features = self.layers(x)  # (N, F)
        logits = self.head(features).squeeze(1)  # (N,)
        return logits + (features * self.of_class(labels)).sum(dim=1) if self.classes else logits


def initialize(module: nn.Module, std: float = 0.02) -> None:
    """Draw the weights of a module as the DCGAN paper does; for ``network.apply(initialize)``.

    Weights of linear layers and convolutions come from a normal distribution around 0, scales of batch normalisation
    from one around 1, both with the deviation ``std``; biases are 0.

    Source: Radford et al. (2016), section 4; the norms' as in PyTorch's DCGAN example.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, std)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


@dataclass
class Game:
    """What a training went through: at each step both losses and how real D found both kinds; and the film.

    ``discriminator_loss`` and ``generator_loss`` are without what r1 and mismatch add, ``real`` and ``fake`` the means
    of D(x) and of D(G(z)) as probabilities. ``film`` holds what the averaged generator made of the fixed noise after
    the steps in ``filmed``, (N, 1, 28, 28) uint8 each.
    """

    discriminator_loss: list[float] = field(default_factory=list)
    generator_loss: list[float] = field(default_factory=list)
    real: list[float] = field(default_factory=list)
    fake: list[float] = field(default_factory=list)
    film: list[Tensor] = field(default_factory=list)
    filmed: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Game of {len(self.real)} steps, {len(self.film)} frames"

    def note(self, discriminator_loss: float, real: float, fake: float, generator_loss: float) -> None:
        """Keep the numbers of one step: discriminator_loss, real, fake and generator_loss.

        Raises:
            FloatingPointError: if a loss is infinite or no number.
        """
        if not math.isfinite(discriminator_loss + generator_loss):
            raise FloatingPointError(
                f"the losses are {discriminator_loss:.3g} and {generator_loss:.3g} after step {len(self.real)}: take "
                "smaller rates, and new networks"
            )
        self.discriminator_loss.append(discriminator_loss)
        self.generator_loss.append(generator_loss)
        self.real.append(real)
        self.fake.append(fake)


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    real: Tensor,
    fake: Tensor,
    *given: Tensor,
    r1: float = 0.0,
    mismatch: float = 0.0,
) -> tuple[float, float, float]:
    """The first half-step: D learns to tell real pictures from fakes.

    Args:
        discriminator: moved by ``optimizer``.
        loss: of the game.
        real, fake: pictures, (N, C, H, W). The fakes are detached: the generator learns nothing here.
        given: labels, for a discriminator that takes them.
        r1: gamma, the strength of ``r1_penalty``.
        mismatch: how much real pictures with a wrong label count as fakes, beside the loss itself.

    Returns:
        The loss without what r1 and mismatch add, and the means of D(x) and D(G(z)) as probabilities.

    Source: Goodfellow et al. (2014), algorithm 1; mismatch: Reed et al., "Generative adversarial text to image
    synthesis" (2016), algorithm 1.
    """
    real = real.detach().requires_grad_(r1 > 0)
    on_real = discriminator(real, *given)
    on_fake = discriminator(fake.detach(), *given)
    value = all_of_it = loss.discriminator(on_real, on_fake)
    if r1:
        all_of_it = all_of_it + r1 / 2 * r1_penalty(on_real, real)
    if mismatch:
        wrong = _other_labels(*given, discriminator.classes)
        all_of_it = all_of_it + mismatch * loss.discriminator(on_real, discriminator(real, wrong))
    optimizer.zero_grad()
    all_of_it.backward()
    optimizer.step()
    return value.item(), on_real.sigmoid().mean().item(), on_fake.sigmoid().mean().item()


def generator_step(discriminator: nn.Module, optimizer: Optimizer, loss: Loss, fake: Tensor, *given: Tensor) -> float:
    """The second half-step: G learns to make fakes that D takes for real.

    D's parameters are left out of the graph: it would cost a third of the time to work out gradients nobody uses.

    Args:
        optimizer: moves G.
        discriminator, loss, fake, given: as in ``discriminator_step``.

    Returns:
        The loss.

    Source: as ``discriminator_step``.
    """
    parameters = [p for p in discriminator.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    value = loss.generator(discriminator(fake, *given))
    for p in parameters:
        p.requires_grad_(True)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def train(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizers: tuple[Optimizer, Optimizer],
    steps: int,
    *,
    loss: Loss = NON_SATURATING,
    r1: float = 0.0,
    mismatch: float = 0.0,
    average: float | None = 0.98,
    schedule: Callable[[int, int], float] = training.constant,
    noise: Tensor | None = None,
    frames: int = 12,
) -> Game:
    """Let two networks play: so many steps, each a half-step of the discriminator and one of the generator.

    Both half-steps use the same fakes. The stop button (Ctrl-C) ends it after the step under way, and both networks
    keep what they have learnt.

    Args:
        generator: ends with the average of its weights, if one is asked for.
        discriminator: the other player. Where it has ``classes``, both get the labels of the real pictures.
        batches: pictures in [-1, 1] and labels, gone through again and again.
        optimizers: of the generator and of the discriminator; their rates are the peaks of the schedule.
        steps: capped by the environment variable COURSE_MAX_STEPS, if there is one.
        loss: what both minimise.
        r1, mismatch: what else the discriminator learns by, as in ``discriminator_step``.
        average: the decay of the average of the generator's weights; None for none.
        schedule: the share of the peak rates at a step of so many.
        noise: fixed noise (and for a generator with classes one label each, round the classes), filmed while training.
        frames: pictures of the film, more of them in the beginning.

    Returns:
        The course of the game.

    Raises:
        ValueError, TypeError: if pictures do not lie in [-1, 1] or do not fit the networks, or if ``mismatch`` is
            asked of networks without classes.
        FloatingPointError: if a loss is infinite or no number.
    """
    if mismatch and not discriminator.classes:
        raise ValueError("mismatch: a discriminator without classes has no labels that could be wrong")
    if len(batches) == 0:
        raise ValueError("batches: there are none")
    steps = training.capped(steps)
    game, device = Game(), next(generator.parameters()).device
    shadow = None if average is None else copy.deepcopy(generator)
    moments = _moments(steps, frames) if noise is not None else ()
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    with (
        training.in_mode(generator, True),
        training.in_mode(discriminator, True),
        training.stop_button() as pressed,
        training.bar(0, steps) as show,
    ):
        for step, (real, labels) in enumerate(_endless(batches, steps), start=1):
            _set_rates(optimizers, peaks, schedule(step - 1, steps))
            real, given = real.to(device), (labels.to(device),) if discriminator.classes else ()
            _check_range(real)
            fake = generator(torch.randn(len(real), generator.latent_dim).to(device), *given)
            game.note(
                *discriminator_step(discriminator, optimizers[1], loss, real, fake, *given, r1=r1, mismatch=mismatch),
                generator_step(discriminator, optimizers[0], loss, fake, *given),
            )
            if shadow is not None:  # in the beginning over fewer steps, as the first weights are drawn by lot
                training.ema_update(shadow, generator, min(average, step / (step + 9)))
            if step in moments:
                game.film.append((sample(shadow or generator, noise) * 255).round().to(torch.uint8).cpu())
                game.filmed.append(step)
            show(real=game.real[-1], fake=game.fake[-1])
            if pressed:
                print(f"Stopped after step {step} of {steps}; both networks keep what they have learnt.")
                break
    _set_rates(optimizers, peaks, 1.0)
    if shadow is not None:
        generator.load_state_dict(shadow.state_dict())
    return game


@torch.no_grad()
def sample(generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Pictures in [0, 1] from a generator in evaluation mode, in pieces, so that many fit into memory.

    Args:
        generator: (N, latent_dim) -> pictures in [-1, 1].
        z: noise, (N, latent_dim).
        labels: (N,), for a generator with classes; without them the classes take turns.

    Returns:
        (N, 1, 28, 28), on the device of the generator.
    """
    device = next(generator.parameters()).device
    inputs = [z.to(device)]
    if generator.classes:
        inputs.append((torch.arange(len(z)) % generator.classes if labels is None else labels).to(device))
    with training.in_mode(generator, False):
        parts = [generator(*part) for part in zip(*(tensor.split(500) for tensor in inputs), strict=True)]
    return (torch.cat(parts) + 1) / 2


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """A point on the way from a to b that keeps a typical length: along an arc, not along the straight line.

    Noise of d dimensions has a length of about root d, and the straight way between two of its points comes much
    nearer to 0 than any noise the generator has seen. Where a and b point the same way, it is the straight line.

    Args:
        a, b: (..., D), of any length.
        t: how far to go, in [0, 1]; a number or a shape that broadcasts against (..., 1).

    Returns:
        ``sin((1 - t) w) / sin w a + sin(t w) / sin w b``, with w the angle between them; (..., D).

    Raises:
        ValueError: if a and b point in opposite directions: no arc is the shortest.

    Source: Shoemake, "Animating rotation with quaternion curves" (1985), section 3.3; White, "Sampling generative
    networks" (2016), section 2.1.
    """
    cosine = F.cosine_similarity(a, b, dim=-1).unsqueeze(-1).clamp(-1, 1)  # (..., 1)
    angle = cosine.acos()
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    if (cosine < -1 + 1e-6).any():
        raise ValueError("a and b must not point in opposite directions: there are many shortest ways between them")
    straight = angle < 1e-3  # sin w is about w there, and 0 / 0 at 0
    below = torch.where(straight, 1.0, angle.sin())
    at_a = torch.where(straight, 1 - t, ((1 - t) * angle).sin() / below)
    at_b = torch.where(straight, t, (t * angle).sin() / below)
    return at_a * a + at_b * b


def truncated_noise(count: int, latent_dim: int, limit: float, generator: torch.Generator | None = None) -> Tensor:
    """Normal noise without its tails: what lies beyond the limit is drawn again. Safer pictures, fewer kinds of them.

    Args:
        count, latent_dim: the shape.
        limit: the largest absolute value, above 0; with a large one nothing is cut off.
        generator: the source of randomness.

    Returns:
        (count, latent_dim)

    Raises:
        ValueError: if ``limit`` is not above 0.

    Source: Brock, Donahue and Simonyan, "Large scale GAN training" (2019), section 3.1.
    """
    if limit <= 0:
        raise ValueError(f"limit must be above 0, got {limit}")
    # Drawn at once: the share of the normal distribution within the limit, spread evenly, and its inverse function.
    inside = math.erf(limit / math.sqrt(2))
    evenly = torch.rand(count, latent_dim, generator=generator) * 2 - 1  # (-1, 1)
    return (math.sqrt(2) * torch.erfinv(evenly * inside)).clamp(-limit, limit)


def _other_labels(labels: Tensor, classes: int) -> Tensor:
    """For each label one of the others, drawn evenly."""
    return (labels + torch.randint(1, classes, labels.shape).to(labels.device)) % classes


def _endless(batches: Iterable[tuple[Tensor, Tensor]], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches for so many steps, epoch after epoch."""
    return itertools.islice(itertools.chain.from_iterable(itertools.repeat(batches)), steps)


def _set_rates(optimizers: Iterable[Optimizer], peaks: list[list[float]], share: float) -> None:
    for optimizer, rates in zip(optimizers, peaks, strict=True):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share


def _moments(steps: int, frames: int) -> set[int]:
    """The steps after which to film: close together first, when most happens, and after the last one."""
    return {max(1, round(steps * ((frame + 1) / frames) ** 2)) for frame in range(frames)}


def _check_range(pictures: Tensor) -> None:
    if pictures.min() < -1 or pictures.max() > 1:
        raise ValueError(
            f"batches must give pictures in [-1, 1], as the generator's tanh does; these run from {pictures.min():.2f} "
            f"to {pictures.max():.2f}. Take data.Batches(..., mean=0.5, std=0.5)"
        )


def _check_labels(labels: Tensor | None, classes: int, count: int) -> None:
    if not classes and labels is None:
        return
    if not classes:
        raise ValueError("labels: this network was made without classes; Generator(classes=10) takes labels")
    if labels is None:
        raise ValueError(f"labels: this network needs one for each picture, from 0 to {classes - 1}")
    if labels.dtype != torch.int64 or labels.shape != (count,):
        raise TypeError(f"labels must be int64 of shape ({count},), got {labels.dtype} {tuple(labels.shape)}")
    if count and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels must lie between 0 and {classes - 1}, got {int(labels.min())} to {int(labels.max())}")
