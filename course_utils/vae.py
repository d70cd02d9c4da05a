"""A variational autoencoder for pictures of 28x28: the bound it trains by, term for term, and the networks.

An encoder q(z|x) says which codes z could have made a picture x, a decoder p(x|z) what a code looks like, and the
prior p(z) = N(0, I) is where codes are drawn from. Pictures lie in [0, 1], and all of the terms are in nats, one number
for each picture.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from . import training

SIZE = 28  # pixels along each side of the pictures
LEVELS = 255  # steps between black and white: grey values are k / 255


def log_normal(x: Tensor, mu: Tensor | float, logvar: Tensor | float) -> Tensor:
    """The log density of a Gaussian whose axes are independent: (..., D) -> (...,)

    ``-1/2 sum (log 2 pi + logvar + (x - mu)^2 / exp(logvar))``

    Args:
        x: points, (..., D).
        mu, logvar: means and log variances, numbers or shapes that broadcast against ``x``.
    """
    logvar = torch.as_tensor(logvar, dtype=x.dtype, device=x.device)
    return -0.5 * (math.log(2 * math.pi) + logvar + (x - mu).square() * (-logvar).exp()).sum(dim=-1)


def reparameterize(mu: Tensor, logvar: Tensor) -> Tensor:
    """Draw z from N(mu, exp(logvar)) so that gradients reach both: ``z = mu + sigma * noise``.

    The noise does not hang on the parameters, so that what is left is a plain function of them.

    Args:
        mu, logvar: (..., D), one shape.

    Raises:
        ValueError: if the shapes differ, or exp(logvar) would overflow.

    Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014), section 2.4.
    """
    _check_posterior(mu, logvar)
    return mu + (logvar / 2).exp() * torch.randn_like(mu)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """How far N(mu, exp(logvar)) is from N(0, I): ``1/2 sum (mu^2 + exp(logvar) - 1 - logvar)``, (..., D) -> (...,)

    Args:
        mu, logvar: (..., D), one shape.

    Returns:
        The Kullback-Leibler divergence in nats, summed over the D axes; at least 0.

    Raises:
        ValueError: as ``reparameterize``.

    Source: Kingma and Welling (2014), appendix B.
    """
    _check_posterior(mu, logvar)
    return 0.5 * (mu.square() + logvar.expm1() - logvar).sum(dim=-1)


def kl_by_sampling(mu: Tensor, logvar: Tensor, samples: int) -> Tensor:
    """The same divergence by Monte Carlo, for posteriors that have no closed form: the mean of log q(z) - log p(z).

    Args:
        mu, logvar: (..., D), one shape.
        samples: draws from q, at least 1. The error falls with their root.

    Returns:
        (...,), which can be below 0 where the samples are few.

    Raises:
        ValueError: as ``reparameterize``, and if ``samples`` is below 1.
    """
    _check_samples(samples)
    z = reparameterize(mu.expand(samples, *mu.shape), logvar.expand(samples, *mu.shape))  # (samples, ..., D)
    return (log_normal(z, mu, logvar) - log_normal(z, 0.0, 0.0)).mean(dim=0)


def bernoulli_cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """The reconstruction term of most VAEs: ``-sum (x log p + (1 - x) log(1 - p))`` with p the logits' sigmoid.

    For pixels that are 0 or 1 it is the negative log of their probability. For grey values it is a loss and no
    likelihood: the probabilities of all grey values do not add up to 1. Written with softplus, which is finite for
    every logit.

    Args:
        logits: what the decoder makes, (N, ...).
        x: grey values in [0, 1], the same shape.

    Returns:
        Nats a picture, (N,).

    Raises:
        ValueError: if the shapes differ, or ``x`` does not lie in [0, 1].

    Source: Kingma and Welling (2014), appendix C.1.
    """
    _check_shapes(logits=logits, x=x)
    _check_grey(x)
    return (F.softplus(logits) - x * logits).flatten(1).sum(dim=1)


def pixel_entropy(x: Tensor) -> Tensor:
    """The part of the cross-entropy that belongs to the pictures: what is left where every p is equal to its x.

    ``-sum (x log x + (1 - x) log(1 - x))``, 0 for black and for white, ln 2 for a pixel of 0.5.

    Args:
        x: grey values in [0, 1], (N, ...).

    Returns:
        Nats a picture, (N,).

    Raises:
        ValueError: if ``x`` does not lie in [0, 1].
    """
    _check_grey(x)
    return -(torch.xlogy(x, x) + torch.special.xlog1py(1 - x, -x)).flatten(1).sum(dim=1)


def gaussian_nll(mean: Tensor, logvar: Tensor | float, x: Tensor) -> Tensor:
    """The negative log density of pictures under Gaussian pixels. A density can exceed 1, so this can be below 0.

    Args:
        mean: what the decoder makes, (N, ...).
        logvar: log variances, a number or a shape that broadcasts against ``mean``.
        x: pictures, the shape of ``mean``.

    Returns:
        Nats a picture, (N,).

    Raises:
        ValueError: if the shapes differ.
    """
    _check_shapes(mean=mean, x=x)
    logvar = torch.as_tensor(logvar, dtype=mean.dtype, device=mean.device).expand_as(mean)
    return -log_normal(x.flatten(1), mean.flatten(1), logvar.flatten(1))


def logistic_nll(mean: Tensor, log_scale: Tensor | float, x: Tensor) -> Tensor:
    """The negative log probability of grey values k / 255: a proper likelihood, as over all 256 it adds up to 1.

    A logistic distribution is cut at the middle between neighbouring values; each value gets what lies between its
    two cuts, black and white also all that lies beyond.

    Args:
        mean: what the decoder makes, (N, ...).
        log_scale: the log of the logistic's scale, a number or a shape that broadcasts against ``mean``.
        x: grey values that are whole multiples of 1/255 in [0, 1], the shape of ``mean``.

    Returns:
        Nats a picture, (N,).

    Raises:
        ValueError: if the shapes differ, or ``x`` holds other values.

    Source: Salimans, Karpathy, Chen and Kingma, "PixelCNN++" (2017), section 2.1, with one logistic a pixel.
    """
    _check_shapes(mean=mean, x=x)
    _check_levels(x)
    inverse = (-torch.as_tensor(log_scale, dtype=mean.dtype, device=mean.device)).exp()
    above = (x + 0.5 / LEVELS - mean) * inverse  # the upper cut, in units of the scale
    below = (x - 0.5 / LEVELS - mean) * inverse
    # sigmoid(above) - sigmoid(below), without a difference of two numbers near 1:
    log_between = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-inverse / LEVELS))
    log_mass = torch.where(x <= 0, F.logsigmoid(above), torch.where(x >= 1, F.logsigmoid(-below), log_between))
    return -log_mass.flatten(1).sum(dim=1)


class Bernoulli(nn.Module):
    """What the decoder's numbers mean: the logit of a pixel being white. The loss is ``bernoulli_cross_entropy``."""

    channels, is_mass = 1, False

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """output and x, (N, 1, H, W) each -> nats a picture, (N,)"""
        return bernoulli_cross_entropy(output, x)

    def mean(self, output: Tensor) -> Tensor:
        """(N, 1, H, W) -> grey values, the same shape"""
        return output.sigmoid()

    def draw(self, output: Tensor) -> Tensor:
        """(N, 1, H, W) -> pixels that are 0 or 1, the same shape"""
        return output.sigmoid().bernoulli()


class Gaussian(nn.Module):
    """The decoder's numbers are logits of the mean; all pixels share one variance, which is learnt.

    Source: Rybkin, Daniilidis and Levine, "Simple and effective VAE training with calibrated decoders" (2021),
    section 3.1.
    """

    channels, is_mass = 1, False

    def __init__(self):
        super().__init__()
        self.logvar = nn.Parameter(torch.tensor(-2.0))

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """output and x, (N, 1, H, W) each -> nats a picture, (N,)"""
        return gaussian_nll(output.sigmoid(), self.logvar, x)

    def mean(self, output: Tensor) -> Tensor:
        """(N, 1, H, W) -> grey values, the same shape"""
        return output.sigmoid()

    def draw(self, output: Tensor) -> Tensor:
        """(N, 1, H, W) -> grey values with noise, cut off at 0 and 1, the same shape"""
        return (output.sigmoid() + (self.logvar / 2).exp() * torch.randn_like(output)).clamp(0, 1)


class Logistic(nn.Module):
    """The decoder makes two numbers a pixel, the logit of a mean and the log of a scale: ``logistic_nll``."""

    channels, is_mass = 2, True

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """output (N, 2, H, W) and x (N, 1, H, W) -> nats a picture, (N,)"""
        mean, log_scale = self.parts(output)
        return logistic_nll(mean, log_scale, x)

    def mean(self, output: Tensor) -> Tensor:
        """(N, 2, H, W) -> grey values, (N, 1, H, W)"""
        return self.parts(output)[0]

    def draw(self, output: Tensor) -> Tensor:
        """(N, 2, H, W) -> grey values k / 255, drawn, (N, 1, H, W)"""
        mean, log_scale = self.parts(output)
        x = mean + log_scale.exp() * torch.rand_like(mean).clamp(1e-6, 1 - 1e-6).logit()
        return (x.clamp(0, 1) * LEVELS).round() / LEVELS

    def parts(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2, H, W) -> mean and log scale, (N, 1, H, W) each"""
        mean, log_scale = output.chunk(2, dim=1)
        # It begins with a scale of about 12 grey values of 255; below a quarter of one there is nothing to gain.
        return mean.sigmoid(), (log_scale - 3).clamp(min=-7)


def elbo(nll: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """The evidence lower bound, which training maximises: ``-nll - beta kl``, for each picture.

    With beta = 1 it lies below log p(x), by as much as q(z|x) differs from the true posterior. With another beta it is
    an objective and no bound (below 1) or a looser one (above).

    Args:
        nll: -log p(x|z) for a z drawn from q(z|x), (N,).
        kl: (N,).
        beta: at least 0.

    Raises:
        ValueError: if the shapes differ, or ``beta`` is below 0.

    Source: Kingma and Welling (2014), equation 3; beta: Higgins et al., "beta-VAE" (2017), equation 4.
    """
    _check_shapes(nll=nll, kl=kl)
    _check_beta(beta)
    return -nll - beta * kl


def importance_bound(log_w: Tensor) -> Tensor:
    """A tighter bound from K draws a picture: the log of the mean weight, ``log 1/K sum p(x, z_k) / q(z_k|x)``.

    With K = 1 it is the ELBO; as K grows it rises, on average, to log p(x). Weights of e^-240 are 0 in float32, so
    the log of their sum is taken without leaving logs.

    Args:
        log_w: log p(x|z) + log p(z) - log q(z|x) of K draws for each of N pictures, (K, N).

    Returns:
        (N,)

    Raises:
        ValueError: if ``log_w`` is not (K, N) with K of at least 1.

    Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016), equation 8.
    """
    if log_w.dim() != 2 or len(log_w) == 0:
        raise ValueError(f"log_w must have shape (samples, pictures) with a sample at least, got {tuple(log_w.shape)}")
    largest = log_w.amax(dim=0)  # (N,); taken out and added again: the exp of what is left cannot vanish
    return (log_w - largest).exp().mean(dim=0).log() + largest


def bits_per_dimension(bound: Tensor, likelihood: nn.Module) -> Tensor:
    """A bound in nats a picture as bits a pixel: what a code made from this model would need for each of 784.

    Args:
        bound: the ELBO or the importance bound, (N,).
        likelihood: the model's. Only the negative log of a probability can be told in bits.

    Raises:
        ValueError: if ``likelihood`` is a density or a mere loss.
    """
    if not likelihood.is_mass:
        raise ValueError(
            f"likelihood: {type(likelihood).__name__} gives no probabilities of grey values, so its bound is no number "
            "of bits; train with Logistic()"
        )
    return -bound / (SIZE * SIZE * math.log(2))


class Posterior(NamedTuple):
    """q(z|x): a Gaussian for each picture, its mean ``mu`` and log variance ``logvar``, (N, latent_dim) each."""

    mu: Tensor
    logvar: Tensor


class Encoder(nn.Module):
    """Pictures of 28x28 -> numbers about their codes: a perceptron on what differs from the mean picture.

    Args:
        outputs: how many numbers.
        widths: of the hidden layers.

    Raises:
        ValueError: in ``forward``, if pictures do not fit.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...]):
        super().__init__()
        self.register_buffer("center", torch.zeros(1, SIZE, SIZE))
        self.layers = _perceptron(SIZE * SIZE, *widths, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) -> (N, outputs)"""
        if x.dim() != 4 or x.shape[1:] != (1, SIZE, SIZE):
            raise ValueError(f"x must be pictures of shape (N, 1, {SIZE}, {SIZE}), got {tuple(x.shape)}")
        return self.layers(4 * (x - self.center).flatten(1))  # 4 brings them to a spread of about 1


class Decoder(nn.Module):
    """Codes -> numbers for each pixel of 28x28, which the likelihood reads.

    Args:
        latent_dim: length of a code.
        widths: of the hidden layers.
        channels: numbers a pixel.

    Raises:
        ValueError: in ``forward``, if codes do not fit.
    """

    def __init__(self, latent_dim: int, widths: tuple[int, ...], channels: int):
        super().__init__()
        self.latent_dim, self.channels = latent_dim, channels
        self.layers = _perceptron(latent_dim, *widths, channels * SIZE * SIZE)

    def forward(self, z: Tensor) -> Tensor:
        """(N, latent_dim) -> (N, channels, 28, 28)"""
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z must be codes of shape (N, {self.latent_dim}), got {tuple(z.shape)}")
        return self.layers(z).unflatten(1, (self.channels, SIZE, SIZE))


class Autoencoder(nn.Module):
    """A code for each picture, and back: nothing says where codes lie, so there is no way to draw a new one.

    Args:
        latent_dim: length of a code.
        widths: of the encoder's hidden layers; the decoder has them the other way round.

    Raises:
        ValueError: if ``latent_dim`` is below 1, or, in its parts, if pictures or codes do not fit.

    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks" (2006).
    """

    def __init__(self, latent_dim: int = 20, widths: tuple[int, ...] = (512, 512)):
        super().__init__()
        _check_latent_dim(latent_dim)
        self.latent_dim, self.likelihood = latent_dim, Bernoulli()
        self.encoder = Encoder(latent_dim, widths)
        self.decoder = Decoder(latent_dim, widths[::-1], self.likelihood.channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) -> logits of the reconstruction, the same shape"""
        return self.decoder(self.encoder(x))


class VAE(nn.Module):
    """A variational autoencoder: the encoder names a Gaussian for each picture, and the decoder gets a draw from it.

    Args:
        latent_dim: length of a code.
        widths: of the encoder's hidden layers; the decoder has them the other way round.
        likelihood: what the decoder's numbers mean: ``Bernoulli()`` if none is given, ``Gaussian()``, ``Logistic()``.

    Raises:
        ValueError: if ``latent_dim`` is below 1, or, in its parts, if pictures or codes do not fit.

    Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014), section 3; Rezende, Mohamed and Wierstra,
    "Stochastic backpropagation" (2014).
    """

    def __init__(self, latent_dim: int = 20, widths: tuple[int, ...] = (512, 512), likelihood: nn.Module | None = None):
        super().__init__()
        _check_latent_dim(latent_dim)
        self.latent_dim, self.likelihood = latent_dim, likelihood or Bernoulli()
        self.encoder = Encoder(2 * latent_dim, widths)
        self.decoder = Decoder(latent_dim, widths[::-1], self.likelihood.channels)

    def posterior(self, x: Tensor) -> Posterior:
        """(N, 1, 28, 28) -> mu and logvar, (N, latent_dim) each"""
        return Posterior(*self.encoder(x).chunk(2, dim=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 1, 28, 28) -> the decoder's (N, channels, 28, 28) for one draw of z; mu and logvar, (N, latent_dim)"""
        mu, logvar = self.posterior(x)
        return self.decoder(reparameterize(mu, logvar)), mu, logvar


def start_at_mean(model: VAE | Autoencoder, pictures: Tensor) -> None:
    """Let a new model begin from the mean picture: the encoder sees what differs from it, the decoder makes it.

    It need not spend its first steps on finding out what all pictures have in common.

    Args:
        model: changed in place.
        pictures: of the training part, (N, 1, 28, 28) uint8.

    Raises:
        TypeError: if ``pictures`` are not uint8.
    """
    if pictures.dtype != torch.uint8:
        raise TypeError(f"pictures must be uint8, 0 to 255, got {pictures.dtype}")
    mean = pictures.sum(dim=0) / (255 * len(pictures))  # (1, 28, 28)
    model.encoder.center.copy_(mean)
    with torch.no_grad():
        model.decoder.layers[-1].bias[: SIZE * SIZE] = mean.clamp(0.005, 0.995).logit().flatten()


class Objective:
    """The loss of a VAE for ``training.fit``: minus the ELBO, the mean over a batch; beta rises to its value first.

    It counts its own calls, so a training takes a new one.

    Args:
        beta: the weight of the KL term, at least 0.
        warm_up: steps in which it rises from 0 in a straight line, so that the codes carry something before they are
            charged for it.

    Raises:
        ValueError: if one of them is below 0.

    Source: Sønderby, Raiko, Maaløe, Sønderby and Winther, "Ladder variational autoencoders" (2016), section 2.3.
    """

    def __init__(self, beta: float = 1.0, warm_up: int = 0):
        _check_beta(beta)
        if warm_up < 0:
            raise ValueError(f"warm_up must be a number of steps from 0 up, got {warm_up}")
        self.beta, self.warm_up, self.calls = beta, warm_up, 0

    def __call__(self, model: VAE, images: Tensor, labels: Tensor) -> Tensor:
        share = min(1.0, self.calls / self.warm_up) if self.warm_up else 1.0
        self.calls += 1
        output, mu, logvar = model(images)
        bound = elbo(model.likelihood.nll(output, images), kl_to_standard_normal(mu, logvar), self.beta * share)
        return -bound.mean()


def reconstruction_loss(model: Autoencoder, images: Tensor, labels: Tensor) -> Tensor:
    """The loss of a plain autoencoder for ``training.fit``: the cross-entropy alone, the mean over a batch, ().

    Args: the model, images (N, 1, 28, 28), and labels, which it does not look at.
    """
    return model.likelihood.nll(model(images), images).mean()


class Terms(NamedTuple):
    """Both terms of the ELBO, in nats, (N,) each: ``nll`` of x given z, and ``kl`` of q(z|x) from the prior."""

    nll: Tensor
    kl: Tensor


@torch.no_grad()
def terms(model: VAE, pictures: Tensor, samples: int = 1) -> Terms:
    """What the bound is made of for each picture, in pieces, so that many fit into memory.

    Args:
        model: any VAE.
        pictures: (N, 1, 28, 28) in [0, 1].
        samples: draws of z a picture, over which the first term is averaged.

    Raises:
        ValueError: if pictures do not fit, or ``samples`` is below 1.
    """
    _check_samples(samples)

    def of(x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = model.posterior(x)
        nll = [model.likelihood.nll(model.decoder(reparameterize(mu, logvar)), x) for _ in range(samples)]
        return torch.stack(nll).mean(dim=0), kl_to_standard_normal(mu, logvar)

    return Terms(*_in_pieces(model, of, pictures, 1000))


@torch.no_grad()
def log_weights(model: VAE, pictures: Tensor, samples: int) -> Tensor:
    """For ``importance_bound``: log p(x|z) + log p(z) - log q(z|x) of so many draws for each picture, in pieces.

    Args:
        model: any VAE.
        pictures: (N, 1, 28, 28) in [0, 1].
        samples: draws of z a picture, at least 1.

    Returns:
        (samples, N)

    Raises:
        ValueError: as ``terms``.
    """
    _check_samples(samples)

    def of(x: Tensor) -> tuple[Tensor]:
        mu, logvar = (part.repeat_interleave(samples, dim=0) for part in model.posterior(x))  # (n * samples, D)
        z = reparameterize(mu, logvar)
        nll = model.likelihood.nll(model.decoder(z), x.repeat_interleave(samples, dim=0))
        log_w = -nll + log_normal(z, 0.0, 0.0) - log_normal(z, mu, logvar)
        return (log_w.unflatten(0, (-1, samples)),)  # (n, samples)

    return _in_pieces(model, of, pictures, max(1, 2000 // samples))[0].T


@torch.no_grad()
def decode(model: VAE | Autoencoder, z: Tensor, draw: bool = False) -> Tensor:
    """Pictures of codes, in pieces: the means p(x|z), or one draw of each, which has the noise of the pixels too.

    Args:
        model: either.
        z: codes, (N, latent_dim).
        draw: draw grey values. The smooth pictures in papers are means.

    Returns:
        (N, 1, 28, 28) in [0, 1].

    Raises:
        ValueError: if codes do not fit.
    """
    make = model.likelihood.draw if draw else model.likelihood.mean
    return _in_pieces(model, lambda z: (make(model.decoder(z)),), z, 1000)[0]


def sample(model: VAE, count: int, temperature: float = 1.0, draw: bool = False) -> Tensor:
    """New pictures: codes from the prior, decoded.

    Args:
        model: a VAE.
        count: at least 1.
        temperature: what the prior's standard deviation is multiplied by; below 1 come safer pictures, fewer kinds.
        draw: as in ``decode``.

    Returns:
        (count, 1, 28, 28) in [0, 1].

    Raises:
        ValueError: if ``count`` is below 1 or ``temperature`` below 0.
    """
    _check_samples(count, "count")
    if not temperature >= 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}")
    return decode(model, temperature * torch.randn(count, model.latent_dim), draw)


def fit_gaussian(codes: Tensor) -> MultivariateNormal:
    """The Gaussian with the mean and the covariance of codes: what an autoencoder's new codes can be drawn from.

    Args:
        codes: (N, D), more of them than D.

    Raises:
        ValueError: if there are too few.

    Source: Ghosh, Sajjadi, Vergari, Black and Schölkopf, "From variational to deterministic autoencoders" (2020),
    section 4, with one Gaussian.
    """
    if codes.dim() != 2 or len(codes) <= codes.shape[1]:
        raise ValueError(f"codes must have shape (N, D) with N above D, got {tuple(codes.shape)}")
    return MultivariateNormal(codes.mean(dim=0), codes.T.cov().view(codes.shape[1], -1))


def _perceptron(*sizes: int) -> nn.Sequential:
    """Linear layers with a SiLU after each but the last."""
    layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
    return nn.Sequential(*layers[:-1])


def _in_pieces(model: nn.Module, function: Callable, inputs: Tensor, size: int) -> list[Tensor]:
    """The results of a function of so many rows at a time, put together; on the model's device, in evaluation mode."""
    device = next(model.parameters()).device
    with training.in_mode(model, False):
        parts = [function(part.to(device)) for part in inputs.split(size)]
    return [torch.cat(results) for results in zip(*parts, strict=True)]


def _check_posterior(mu: Tensor, logvar: Tensor) -> None:
    _check_shapes(mu=mu, logvar=logvar)
    largest = math.log(torch.finfo(logvar.dtype).max)
    if logvar.numel() and not logvar.detach().max() < largest:
        raise ValueError(
            f"logvar must stay below {largest:.0f}, where exp(logvar) overflows; it reaches {logvar.max():.3g}. Try a "
            "smaller rate, clip=1.0 in fit, or a longer warm-up; and is it a log variance, not a variance?"
        )


def _check_shapes(**tensors: Tensor) -> None:
    (one, a), (other, b) = tensors.items()
    if a.shape != b.shape:
        raise ValueError(f"{one} and {other} must have one shape, got {tuple(a.shape)} and {tuple(b.shape)}")


def _check_grey(x: Tensor) -> None:
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"x must be grey values in [0, 1], these run from {x.min():.3g} to {x.max():.3g}; pictures in 0 to 255 "
            "take x / 255, data.Batches takes mean=0.0, std=1.0"
        )


def _check_levels(x: Tensor) -> None:
    _check_grey(x)
    if not torch.allclose(x * LEVELS, (x * LEVELS).round(), atol=1e-2):
        raise ValueError("x must be grey values k / 255 with whole k: this likelihood gives nothing to those between")


def _check_beta(beta: float) -> None:
    if not beta >= 0:
        raise ValueError(f"beta must be at least 0, got {beta}: below it the KL term would be rewarded")


def _check_samples(samples: int, name: str = "samples") -> None:
    if samples < 1:
        raise ValueError(f"{name} must be at least 1, got {samples}")


def _check_latent_dim(latent_dim: int) -> None:
    if latent_dim < 1:
        raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
