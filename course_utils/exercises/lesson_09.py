"""The exercises of lesson 09: an encoder that is not sure, a decoder that is trained by a bound, and what it is worth.

Where an answer draws random numbers, its trial says in words what it draws ("around mu", "with the spread sigma"): any
right way to draw gives the same words, at any seed, and so does any form of one mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .exercise import Case, Draw, Exercise, Mistake
from .lesson_04 import like, related_along
from .lesson_05 import plain

LESSON = "09_vae"


# --- reparameterize -------------------------------------------------------------------------------------------


def reparameterize(mu, logvar):
    """One draw of z ~ N(mu, exp(logvar)) for each picture, through which gradients reach mu and logvar

    mu, logvar: (N, D) -> z: (N, D). Every coordinate of every picture has noise of its own, drawn anew at each call.
    """
    sigma = torch.exp(logvar / 2)
    return mu + sigma * torch.randn_like(mu)


def variance_for_sigma(mu, logvar):
    return mu + torch.exp(logvar) * torch.randn_like(mu)


def variance_squared(mu, logvar):
    return mu + torch.exp(2 * logvar) * torch.randn_like(mu)


def precision_for_sigma(mu, logvar):
    return mu + torch.exp(-logvar / 2) * torch.randn_like(mu)


def logarithm_for_sigma(mu, logvar):
    return mu + logvar * torch.randn_like(mu)


def half_the_logarithm_for_sigma(mu, logvar):
    return mu + logvar / 2 * torch.randn_like(mu)


def root_of_the_logarithm(mu, logvar):
    return mu + logvar.sqrt() * torch.randn_like(mu)


def root_of_its_size(mu, logvar):
    return mu + logvar.abs().sqrt() * torch.randn_like(mu)


def without_noise(mu, logvar):
    return mu


def a_constant_for_noise(mu, logvar):
    return mu + torch.exp(logvar / 2)


def noise_alone(mu, logvar):
    return torch.exp(logvar / 2) * torch.randn_like(mu)


def a_draw_from_the_prior(mu, logvar):
    return torch.randn_like(mu)


def without_sigma(mu, logvar):
    return mu + torch.randn_like(mu)


def noise_times_mu(mu, logvar):
    return torch.exp(logvar / 2) + mu * torch.randn_like(mu)


def sum_times_noise(mu, logvar):
    return (mu + torch.exp(logvar / 2)) * torch.randn_like(mu)


def arguments_swapped(mu, logvar):
    return logvar + torch.exp(mu / 2) * torch.randn_like(mu)


def uniform_noise(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.rand_like(mu)


def uniform_noise_from_minus_one(mu, logvar):
    return mu + torch.exp(logvar / 2) * (2 * torch.rand_like(mu) - 1)


def uniform_noise_of_variance_one(mu, logvar):
    return mu + torch.exp(logvar / 2) * math.sqrt(12) * (torch.rand_like(mu) - 0.5)


def noise_of_signs(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu).sign()


def noise_cut_at_two(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu).clamp(-2, 2)


def noise_above_zero(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu).abs()


def one_noise_for_the_batch(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu[:1])


def one_noise_for_each_picture(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu[:, :1])


def one_number_for_all(mu, logvar):
    return mu + torch.exp(logvar / 2) * torch.randn((), dtype=mu.dtype)


def the_same_noise_at_each_call(mu, logvar):
    torch.manual_seed(0)
    return mu + torch.exp(logvar / 2) * torch.randn_like(mu)


def drawn_without_a_way_back(mu, logvar):
    return torch.normal(mu, torch.exp(logvar / 2))


def sampled_without_autograd(mu, logvar):
    return torch.distributions.Normal(mu, torch.exp(logvar / 2)).sample()


def sampled_under_no_grad(mu, logvar):
    with torch.no_grad():
        return mu + torch.exp(logvar / 2) * torch.randn_like(mu)


def sigma_detached(mu, logvar):
    return mu + torch.exp(logvar.detach() / 2) * torch.randn_like(mu)


def mean_detached(mu, logvar):
    return mu.detach() + torch.exp(logvar / 2) * torch.randn_like(mu)


def halved_in_place(mu, logvar):
    return mu + logvar.mul_(0.5).exp() * torch.randn_like(mu)


def added_in_place(mu, logvar):
    return mu.add_(torch.exp(logvar / 2) * torch.randn_like(mu))


def spread_squashed(mu, logvar):
    return mu + F.softplus(logvar) * torch.randn_like(mu)


CALLS, DRAWS = 4, 40_000  # numbers drawn in all calls together, at least
DRAWN_ANEW, NO_NOISE = "drawn anew for each number", "missing"


def many_codes(reparameterize: Callable, mu: Tensor, logvar: Tensor) -> dict:
    """Draw a few times for many copies of the pictures, and once as they are, to see what goes back."""
    copies = math.ceil(DRAWS / CALLS / mu.numel())
    many_mu, many_logvar = mu.repeat(copies, 1), logvar.repeat(copies, 1)
    untouched, draws = True, []
    for _ in range(CALLS):
        given = many_mu.clone(), many_logvar.clone()
        draws.append(like(many_mu, reparameterize(*given)).detach().clone())
        untouched &= given[0].equal(many_mu) and given[1].equal(many_logvar)
    seen = draws_in_words(torch.stack(draws), mu, logvar)
    seen |= what_goes_back(reparameterize, mu, logvar)
    return seen | {"mu and logvar afterwards": "as they were" if untouched else "changed"}


def draws_in_words(draws: Tensor, mu: Tensor, logvar: Tensor) -> dict:
    """What was drawn in (calls, copies * N, D), for pictures with means and log variances (N, D).

    Each of the N * D numbers is drawn more than a thousand times, so that its mean lies within 0.03 standard deviations
    of the true one, and its standard deviation within 2 per cent: what is asked for is eight times as wide and more.
    """
    mu, logvar = mu.double(), logvar.double()
    each = draws.double().unflatten(1, (-1, len(mu)))  # (calls, copies, N, D)
    mean, std = each.mean(dim=(0, 1)), each.std(dim=(0, 1))
    means = {"mu": mu, "0": 0 * mu, "the log variances": logvar, "mu, but 0 where mu is below 0": mu.clamp(min=0)}
    spreads = {"sigma": (logvar / 2).exp(), "the variance": logvar.exp(), "1": torch.ones_like(mu)}
    noise = (each - mean) / std.clamp(min=1e-9)
    still = (std < 3e-6 * (1 + mean.abs())).all()  # but for rounding
    words = {"the noise is": NO_NOISE if still else noise_in_words(noise.flatten(1, 2))}
    if words["the noise is"] not in (DRAWN_ANEW, NO_NOISE):
        return words
    words["the mean of z is"] = name_of(mean, means, 0.25 * std + 1e-5)
    if words["the noise is"] == NO_NOISE:
        return words
    near = (name for name, spread in spreads.items() if ((std / spread).log().abs() < 0.25).all())
    words["the standard deviation of z is"] = next(near, "something else")
    words["the noise's shape is"] = shape_in_words(noise)
    return words


def name_of(value: Tensor, known: dict[str, Tensor], tolerance: Tensor | float) -> str:
    return next((name for name, other in known.items() if ((value - other).abs() <= tolerance).all()), "something else")


def noise_in_words(noise: Tensor) -> str:
    """Who shares noise with whom? From (calls, pictures, D), of variance 1."""
    if not noise.isfinite().all():
        return "nan or infinite in places"
    if related_along(noise, 0):
        return "the same at each call"
    pictures, coordinates = related_along(noise, 1), noise.shape[2] > 1 and related_along(noise, 2)
    if pictures or coordinates:
        return "shared by " + " and ".join(["pictures"] * pictures + ["coordinates"] * coordinates)
    return DRAWN_ANEW


def shape_in_words(noise: Tensor) -> str:
    """The shares beyond 1, 2 and 3 standard deviations, whose chances are 0.317, 0.0455 and 0.0027."""
    size = noise.abs()
    bounds = ((1, 0.30, 0.335), (2, 0.038, 0.053), (3, 0.001, 0.005))
    normal = all(low < (size > limit).double().mean() < high for limit, low, high in bounds)
    return "that of the normal distribution" if normal and noise.pow(3).mean().abs() < 0.15 else "another one"


def what_goes_back(reparameterize: Callable, mu: Tensor, logvar: Tensor) -> dict[str, str]:
    """The gradients of mu and logvar for one draw, which follow from z itself: 1, and (z - mu) / 2."""
    leaves = [mu.detach().clone().requires_grad_(), logvar.detach().clone().requires_grad_()]
    z = like(mu, reparameterize(*(leaf.view_as(leaf) for leaf in leaves)))
    weights = torch.linspace(0.5, 1.5, z.numel(), dtype=z.dtype).view(z.shape)
    received = torch.autograd.grad(z, leaves, weights, allow_unused=True) if z.requires_grad else (None, None)
    step = (z.detach() - mu) * weights
    wanted = {"mu": {"1": weights}, "logvar": {"half of z - mu": step / 2, "z - mu, twice too large": step}}
    words = {}
    for (name, known), gradient in zip(wanted.items(), received, strict=True):
        if gradient is None or not gradient.any():
            words[f"the gradient of {name} is"] = "0, or none"
            continue
        near = (said for said, right in known.items() if torch.allclose(gradient, right, rtol=0.02, atol=1e-4))
        words[f"the gradient of {name} is"] = next(near, "something else")
    return words


def drawn_posterior(draw: Draw) -> tuple[Tensor, Tensor]:
    """Means and log variances of up to four pictures and five coordinates."""
    shape = draw.whole(1, 4), draw.whole(1, 5)
    mu, logvar = 2 * draw(*shape), (2 * draw(*shape)).clamp(-8, 4)
    return (mu.double(), logvar.double()) if draw.whole(0, 2) == 0 else (mu, logvar)


# --- kl_to_standard_normal ------------------------------------------------------------------------------------


def kl_to_standard_normal(mu, logvar):
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats, one number for each picture. (N, D), (N, D) -> (N,)"""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def mean_over_latents(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(dim=1)


def mean_over_everything(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()


def mean_over_pictures(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean()


def sum_over_the_batch(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()


def sum_over_the_pictures_alone(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=0)


def one_for_each_coordinate(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def in_a_column(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1, keepdim=True)


def without_the_half(mu, logvar):
    return (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def half_of_the_mean_alone(mu, logvar):
    return (0.5 * mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def logvar_as_log_sigma(mu, logvar):
    return 0.5 * (mu.square() + (2 * logvar).exp() - 1 - 2 * logvar).sum(dim=1)


def exponential_squared(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp().square() - 1 - logvar).sum(dim=1)


def logvar_as_the_variance(mu, logvar):
    return 0.5 * (mu.square() + logvar - 1 - logvar.log()).sum(dim=1)


def logvar_as_sigma(mu, logvar):
    return 0.5 * (mu.square() + logvar.square() - 1 - logvar.square().log()).sum(dim=1)


def sigma_for_the_variance(mu, logvar):
    return 0.5 * (mu.square() + (logvar / 2).exp() - 1 - logvar).sum(dim=1)


def logarithm_of_sigma(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar / 2).sum(dim=1)


def sign_of_the_bound(mu, logvar):
    return 0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(dim=1)


def the_other_kl(mu, logvar):
    return 0.5 * ((1 + mu.square()) * (-logvar).exp() - 1 + logvar).sum(dim=1)


def logarithm_added(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 + logvar).sum(dim=1)


def logarithm_forgotten(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1).sum(dim=1)


def variance_forgotten(mu, logvar):
    return 0.5 * (mu.square() - logvar).sum(dim=1)


def one_forgotten(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - logvar).sum(dim=1)


def one_for_all_coordinates(mu, logvar):
    return 0.5 * ((mu.square() + logvar.exp() - logvar).sum(dim=1) - 1)


def one_added(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() + 1 - logvar).sum(dim=1)


def mean_not_squared(mu, logvar):
    return 0.5 * (mu + logvar.exp() - 1 - logvar).sum(dim=1)


def mean_forgotten(mu, logvar):
    return 0.5 * (logvar.exp() - 1 - logvar).sum(dim=1)


def length_of_the_mean_alone(mu, logvar):
    return 0.5 * mu.square().sum(dim=1)


def in_bits(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1) / math.log(2)


def kl_without_gradient(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1).detach()


def kl_in_place(mu, logvar):
    mu *= mu
    return 0.5 * (mu + logvar.exp() - 1 - logvar).sum(dim=1)


def kl_of_a_draw(mu, logvar):
    z = mu + (logvar / 2).exp() * torch.randn_like(mu)
    return 0.5 * (z.square() - logvar - (z - mu).square() / logvar.exp()).sum(dim=1)


# --- bernoulli_cross_entropy ----------------------------------------------------------------------------------


def bernoulli_cross_entropy(logits, x):
    """Minus the log of what Bernoulli pixels give to grey values x in [0, 1], in nats a picture. (N, C, H, W) both -> (N,)

    A pixel with p = sigmoid(logit) gives minus (x log p + (1 - x) log(1 - p)); logits may be as large as 200.
    """
    return (F.softplus(logits) - logits * x).flatten(1).sum(dim=1)


def mean_over_pixels(logits, x):
    return (F.softplus(logits) - logits * x).flatten(1).mean(dim=1)


def mean_over_all_pixels(logits, x):
    return (F.softplus(logits) - logits * x).mean()


def sum_over_all_pictures(logits, x):
    return (F.softplus(logits) - logits * x).sum()


def mean_of_the_pictures(logits, x):
    return (F.softplus(logits) - logits * x).flatten(1).sum(dim=1).mean()


def sum_for_each_channel(logits, x):
    return (F.softplus(logits) - logits * x).sum(dim=(2, 3))


def first_channel_only(logits, x):
    return (F.softplus(logits) - logits * x)[:, 0].flatten(1).sum(dim=1)


def mean_over_channels(logits, x):
    return (F.softplus(logits) - logits * x).sum(dim=(2, 3)).mean(dim=1)


def rows_not_added(logits, x):
    return (F.softplus(logits) - logits * x).sum(dim=(1, 3))


def pixels_not_added(logits, x):
    return F.softplus(logits) - logits * x


def squashed_before(logits, x):
    p = logits.sigmoid()
    return (F.softplus(p) - p * x).flatten(1).sum(dim=1)


def target_first(logits, x):
    return (F.softplus(x) - x * logits).flatten(1).sum(dim=1)


def target_first_with_logs_cut(logits, x):
    p = logits.sigmoid()
    terms = p * x.log().clamp(min=-100) + (1 - p) * (1 - x).log().clamp(min=-100)
    return -terms.flatten(1).sum(dim=1)


def target_first_with_logs(logits, x):
    p = logits.sigmoid()
    return -(p * x.log() + (1 - p) * (1 - x).log()).flatten(1).sum(dim=1)


def log_of_a_sigmoid(logits, x):
    p = logits.sigmoid()
    return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)


def log_of_a_sigmoid_of_minus(logits, x):
    return -(x * logits.sigmoid().log() + (1 - x) * (-logits).sigmoid().log()).flatten(1).sum(dim=1)


def logs_cut_at_minus_100(logits, x):
    p = logits.sigmoid()
    terms = x * p.log().clamp(min=-100) + (1 - x) * (1 - p).log().clamp(min=-100)
    return -terms.flatten(1).sum(dim=1)


def small_number_in_the_logs(logits, x):
    p = logits.sigmoid()
    return -(x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()).flatten(1).sum(dim=1)


def larger_number_in_the_logs(logits, x):
    p = logits.sigmoid()
    return -(x * (p + 1e-6).log() + (1 - x) * (1 - p + 1e-6).log()).flatten(1).sum(dim=1)


def probabilities_clamped(logits, x):
    p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
    return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)


def softplus_by_hand(logits, x):
    return ((1 + logits.exp()).log() - logits * x).flatten(1).sum(dim=1)


def logits_as_probabilities(logits, x):
    return -(x * logits.log() + (1 - x) * (1 - logits).log()).flatten(1).sum(dim=1)


def light_pixels_only(logits, x):
    return -(x * F.logsigmoid(logits)).flatten(1).sum(dim=1)


def dark_pixels_only(logits, x):
    return -((1 - x) * F.logsigmoid(-logits)).flatten(1).sum(dim=1)


def dark_and_light_exchanged(logits, x):
    return (F.softplus(logits) - logits * (1 - x)).flatten(1).sum(dim=1)


def log_likelihood(logits, x):
    return (logits * x - F.softplus(logits)).flatten(1).sum(dim=1)


def squared_error(logits, x):
    return (logits.sigmoid() - x).square().flatten(1).sum(dim=1)


def half_the_squared_error(logits, x):
    return 0.5 * (logits.sigmoid() - x).square().flatten(1).sum(dim=1)


def greys_rounded(logits, x):
    return (F.softplus(logits) - logits * (x > 0.5)).flatten(1).sum(dim=1)


def entropy_of_the_greys_taken_off(logits, x):
    terms = F.softplus(logits) - logits * x + torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)
    return terms.flatten(1).sum(dim=1)


def cross_entropy_in_bits(logits, x):
    return (F.softplus(logits) - logits * x).flatten(1).sum(dim=1) / math.log(2)


def softmax_over_the_pixels(logits, x):
    return -(x * F.log_softmax(logits.flatten(1), dim=1).view(x.shape)).flatten(1).sum(dim=1)


def cross_entropy_without_gradient(logits, x):
    return (F.softplus(logits) - logits * x).flatten(1).sum(dim=1).detach()


def without_a_gradient_for_x(bernoulli_cross_entropy: Callable, logits: Tensor, x: Tensor) -> Any:
    """Pictures are given and not learnt: only the gradient of the logits counts."""
    return bernoulli_cross_entropy(logits, x.detach())


def drawn_greys(draw: Draw) -> tuple[Tensor, Tensor]:
    """Logits, now and then large, and grey values in 255 steps, of which some are quite black or white."""
    shape = draw.whole(1, 4), draw.whole(1, 3), draw.whole(1, 6), draw.whole(1, 6)
    logits = draw(*shape) * (1, 5, 60)[draw.whole(0, 2)]
    x = (draw.greys(*shape).float() / 200 - 0.1).clamp(0, 1)
    return (logits.double(), x.double()) if draw.whole(0, 2) == 0 else (logits, x)


# --- elbo -----------------------------------------------------------------------------------------------------


def elbo(nll, kl, beta):
    """The bound that training maximises, one number for each picture: (N,), (N,), beta -> (N,)

    nll: minus the log likelihood of a picture, given its code; kl: of its code, which is weighed with beta.
    """
    return -(nll + beta * kl)


def the_loss(nll, kl, beta):
    return nll + beta * kl


def kl_added_to_the_bound(nll, kl, beta):
    return beta * kl - nll


def kl_taken_off_the_loss(nll, kl, beta):
    return nll - beta * kl


def beta_on_the_reconstruction(nll, kl, beta):
    return -(beta * nll + kl)


def beta_on_both(nll, kl, beta):
    return -beta * (nll + kl)


def beta_shared_out(nll, kl, beta):
    return -((1 - beta) * nll + beta * kl)


def beta_left_out(nll, kl, beta):
    return -(nll + kl)


def divided_by_beta(nll, kl, beta):
    return -(nll + kl / max(beta, 1e-12))


def beta_subtracted(nll, kl, beta):
    return -(nll + kl - beta)


def averaged_over_the_batch(nll, kl, beta):
    return -(nll + beta * kl).mean()


def added_over_the_batch(nll, kl, beta):
    return -(nll + beta * kl).sum()


def kl_averaged_over_the_batch(nll, kl, beta):
    return -(nll + beta * kl.mean())


def likelihood_averaged_over_the_batch(nll, kl, beta):
    return -(nll.mean() + beta * kl)


def kl_added_over_the_batch(nll, kl, beta):
    return -(nll + beta * kl.sum())


def reconstruction_alone(nll, kl, beta):
    return -nll


def kl_never_below_one(nll, kl, beta):
    return -(nll + beta * kl.clamp(min=1))


def bound_without_gradient(nll, kl, beta):
    return -(nll + beta * kl).detach()


def kl_detached(nll, kl, beta):
    return -(nll + beta * kl.detach())


def kl_scaled_in_place(nll, kl, beta):
    kl *= beta
    return -(nll + kl)


def drawn_terms(draw: Draw) -> tuple[Tensor, Tensor, float]:
    count = draw.whole(1, 6)
    nll, kl = 90 + 20 * draw(count), (3 * draw(count)).square()
    beta = float((0, 0.25, 0.5, 1, 2, 4, 10)[draw.whole(0, 6)])
    return (nll.double(), kl.double(), beta) if draw.whole(0, 2) == 0 else (nll, kl, beta)


# --- called_a_vae ---------------------------------------------------------------------------------------------


def called_a_vae(x, encoder, decoder):
    """The loss of a VAE, minus the ELBO, one number for each picture. x: (N, P) in [0, 1] -> (N,)

    encoder(x): (N, 2 D), the means and then the log variances of q(z|x); decoder(z): (N, D) -> logits (N, P).
    """
    mu, logvar = encoder(x).chunk(2, dim=1)
    z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
    logits = decoder(z)
    reconstruction = (F.softplus(logits) - logits * x).sum(dim=1)
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return reconstruction + kl


def an_autoencoder(x, encoder, decoder):
    """The loss of a VAE, minus the ELBO, one number for each picture. x: (N, P) in [0, 1] -> (N,)

    encoder(x): (N, 2 D), the means and then the log variances of q(z|x); decoder(z): (N, D) -> logits (N, P).
    """
    mu, logvar = encoder(x).chunk(2, dim=1)
    z = F.relu(mu)
    logits = decoder(z)
    reconstruction = (F.softplus(logits) - logits * x).sum(dim=1)
    return reconstruction


def an_autoencoder_in_other_words(x, encoder, decoder):
    logits = decoder(encoder(x).chunk(2, dim=1)[0].clamp(min=0))
    return (F.softplus(logits) - logits * x).sum(dim=1)


def an_autoencoder_without_relu(x, encoder, decoder):
    logits = decoder(encoder(x).chunk(2, dim=1)[0])
    return (F.softplus(logits) - logits * x).sum(dim=1)


def noise_on_the_relu_without_kl(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(F.relu(mu) + torch.exp(logvar / 2) * torch.randn_like(mu))
    return (F.softplus(logits) - logits * x).sum(dim=1)


def relu_of_noise_without_kl(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(F.relu(mu + torch.exp(logvar / 2) * torch.randn_like(mu)))
    return (F.softplus(logits) - logits * x).sum(dim=1)


def noise_without_kl(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    return (F.softplus(logits) - logits * x).sum(dim=1)


def kl_without_noise(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu)
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_without_noise_and_with_relu(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(F.relu(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_of_the_relu_without_noise(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    mu = F.relu(mu)
    logits = decoder(mu)
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def relu_of_the_drawn_code(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(F.relu(mu + torch.exp(logvar / 2) * torch.randn_like(mu)))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def relu_of_the_means(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    mu = F.relu(mu)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def relu_of_the_means_in_the_code_alone(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(F.relu(mu) + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def relu_of_all_the_encoder_says(x, encoder, decoder):
    mu, logvar = F.relu(encoder(x)).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def halves_swapped(x, encoder, decoder):
    logvar, mu = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def every_other_number(x, encoder, decoder):
    h = encoder(x)
    mu, logvar = h[:, ::2], h[:, 1::2]
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def drawn_with_the_variance(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + logvar.exp() * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def log_sigma_throughout(x, encoder, decoder):
    mu, log_sigma = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + log_sigma.exp() * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def log_sigma_in_the_kl(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + (2 * logvar).exp() - 1 - 2 * logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def noise_of_spread_one(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def code_from_the_prior(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def code_of_uniform_noise(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.rand_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def codes_that_share_noise(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn(mu.shape[1], dtype=mu.dtype))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def codes_without_a_way_back(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(torch.normal(mu, torch.exp(logvar / 2)))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def codes_detached(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
    logits = decoder(z.detach())
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_subtracted(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) - kl


def kl_averaged(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_averaged_over_everything(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_of_the_whole_batch(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def mean_kl_of_the_batch(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean()
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def kl_without_the_half(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl


def pixels_averaged(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).mean(dim=1) + kl


def both_averaged(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(dim=1)
    return (F.softplus(logits) - logits * x).mean(dim=1) + kl


def the_bound_itself(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return -(F.softplus(logits) - logits * x).sum(dim=1) - kl


def mean_loss_of_the_batch(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return ((F.softplus(logits) - logits * x).sum(dim=1) + kl).mean()


def loss_of_the_batch_added(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return ((F.softplus(logits) - logits * x).sum(dim=1) + kl).sum()


def kl_detached_from_the_encoder(x, encoder, decoder):
    mu, logvar = encoder(x).chunk(2, dim=1)
    logits = decoder(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
    return (F.softplus(logits) - logits * x).sum(dim=1) + kl.detach()


def linear(pictures: Tensor, to_mu: Tensor, to_logvar: Tensor) -> Tensor:
    return torch.cat([pictures @ to_mu, pictures @ to_logvar], dim=1)


def what_the_loss_holds(
    called_a_vae: Callable, x: Tensor, to_mu: Tensor, to_logvar: Tensor, to_logits: Tensor
) -> dict[str, str]:
    """The codes that the decoder is given, the two terms of the loss for just those codes, and whom the loss teaches.

    Encoder and decoder are linear: mu = x @ to_mu, logvar = x @ to_logvar and logits = z @ to_logits.
    """
    codes: list[Tensor] = []

    def decoder(z: Tensor) -> Tensor:
        codes.append(z)
        return z @ to_logits

    mu, logvar, draws = x @ to_mu, x @ to_logvar, []
    many = x.repeat(math.ceil(DRAWS / CALLS / mu.numel()), 1)
    for _ in range(CALLS):
        codes.clear()
        called_a_vae(many, lambda pictures: linear(pictures, to_mu, to_logvar), decoder)
        if not codes:
            raise ValueError("the decoder is never asked for logits")
        draws.append(like(many @ to_mu, codes[-1]).detach().clone())
    seen = draws_in_words(torch.stack(draws), mu, logvar)
    codes.clear()
    to_mu, to_logvar, to_logits = leaves = [w.clone().requires_grad_() for w in (to_mu, to_logvar, to_logits)]
    loss = called_a_vae(x, lambda pictures: linear(pictures, to_mu, to_logvar), decoder)
    z = torch.stack(codes).detach()  # (K, N, D), where K is 1 but for those who average over several draws
    seen |= terms_in_words(loss, x, z @ to_logits.detach(), mu, logvar)
    if loss.shape != (len(x),):
        return seen
    noise = (z - mu) / (logvar / 2).exp()
    mu, logvar = x @ to_mu, x @ to_logvar
    logits = (mu + (logvar / 2).exp() * noise) @ to_logits
    right = reconstruction_of(logits, x) + divergence(mu, logvar)
    weights = torch.linspace(0.5, 1.5, len(x), dtype=x.dtype)
    wanted = torch.autograd.grad(right, leaves, weights)
    received = torch.autograd.grad(loss, leaves, weights, allow_unused=True) if loss.requires_grad else (None,) * 3
    for whom, gradient, share in zip(("the means", "the log variances", "the decoder"), received, wanted, strict=True):
        if gradient is None or not gradient.any():
            words = "nothing"
        else:
            words = "what is theirs" if torch.allclose(gradient, share, rtol=1e-3, atol=1e-3) else "something else"
        seen[f"from the loss, {whom} learn"] = words
    return seen


def reconstruction_of(logits: Tensor, x: Tensor) -> Tensor:
    return (F.softplus(logits) - logits * x).sum(dim=-1).mean(dim=0)  # (K, N, P) -> (N,)


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def terms_in_words(loss: Any, x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor) -> dict[str, str]:
    """Which two terms add up to this loss? Those of the codes that the decoder was given, in double precision."""
    if isinstance(loss, Tensor) and loss.dim() == 0:
        whole = reconstruction_of(logits, x) + divergence(mu, logvar)
        known = {"their mean": whole.mean(), "their sum": whole.sum()}
        found = name_of(loss.detach(), known, 1e-4 * whole.abs().sum())
        return {"the numbers that come back are": f"only one, {found}"}
    loss, x, logits = like(x[:, 0], loss).detach().double(), x.double(), logits.double()
    mu, logvar = mu.double(), logvar.double()
    right = reconstruction_of(logits, x)
    kl, kl_of_relu = divergence(mu, logvar), divergence(mu.relu(), logvar)
    reconstructions = {
        "right": right,
        "averaged over the pixels": right / x.shape[1],
        "taken off": -right,
    }
    divergences = {
        "right": kl,
        "missing": 0 * kl,
        "taken off": -kl,
        "averaged over the coordinates": kl / mu.shape[1],
        "averaged over everything": kl.mean() / mu.shape[1],
        "the batch's mean": kl.mean(),
        "the batch's sum": kl.sum(),
        "twice too large": 2 * kl,
        "that of log sigma": divergence(mu, 2 * logvar),
        "that of the halves swapped": divergence(logvar, mu),
        "that of means after ReLU": kl_of_relu,
    }
    words = "the numbers that come back are", "the reconstruction term is", "the KL is"
    for first, reconstruction in reconstructions.items():
        for second, other in divergences.items():
            if torch.allclose(loss, reconstruction + other, rtol=1e-4, atol=1e-4):
                return dict(zip(words, ("one for each picture", first, second), strict=True))
    return dict(zip(words, ("one for each picture", "something else", "something else"), strict=True))


def drawn_codes(draw: Draw) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Up to four pictures of up to six pixels, the first of which is always white, so that it serves as a bias."""
    count, pixels, size = draw.whole(1, 4), draw.whole(2, 6), draw.whole(1, 4)
    drawn = white_first(draw(count, pixels)), draw(pixels, size), 0.7 * draw(pixels, size), draw(size, pixels)
    return tuple(thing.double() for thing in drawn) if draw.whole(0, 2) == 0 else drawn


def white_first(x: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(x[:, :1]), x[:, 1:].sigmoid()], dim=1)


# --- importance_bound -----------------------------------------------------------------------------------------


def importance_bound(log_w):
    """The importance-weighted bound of each picture, from the log weights of K draws. (K, N) -> (N,)

    log_w[k, n]: log p(x, z_k) - log q(z_k | x) of picture n -> the log of the mean weight over the K draws
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


def mean_of_the_logs(log_w):
    return log_w.mean(dim=0)


def without_log_k(log_w):
    return torch.logsumexp(log_w, dim=0)


def log_k_added(log_w):
    return torch.logsumexp(log_w, dim=0) + math.log(len(log_w))


def log_k_to_base_two(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log2(len(log_w))


def log_k_to_base_ten(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log10(len(log_w))


def log_of_the_pictures(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log(log_w.shape[1])


def log_of_all_numbers(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log(log_w.numel())


def divided_by_k(log_w):
    return torch.logsumexp(log_w, dim=0) / len(log_w)


def log_of_the_mean_of_exp(log_w):
    return log_w.exp().mean(dim=0).log()


def log_of_the_mean_of_exp_in_double(log_w):
    return log_w.double().exp().mean(dim=0).log().to(log_w.dtype)


def log_of_the_mean_plus_a_small_number(log_w):
    return (log_w.exp().mean(dim=0) + 1e-12).log()


def one_shift_for_all_pictures(log_w):
    largest = log_w.max()
    return largest + (log_w - largest).exp().mean(dim=0).log()


def shift_not_added_again(log_w):
    largest = log_w.max(dim=0).values
    return (log_w - largest).exp().mean(dim=0).log()


def over_the_pictures(log_w):
    return torch.logsumexp(log_w, dim=1) - math.log(log_w.shape[1])


def over_everything(log_w):
    return torch.logsumexp(log_w.flatten(), dim=0) - math.log(log_w.numel())


def mean_over_the_pictures(log_w):
    return (torch.logsumexp(log_w, dim=0) - math.log(len(log_w))).mean()


def sum_over_the_pictures(log_w):
    return (torch.logsumexp(log_w, dim=0) - math.log(len(log_w))).sum()


def kept_as_a_row(log_w):
    return torch.logsumexp(log_w, dim=0, keepdim=True) - math.log(len(log_w))


def largest_log_weight(log_w):
    return log_w.max(dim=0).values


def first_draw_only(log_w):
    return log_w[0]


def weighed_mean_of_the_logs(log_w):
    return (log_w.softmax(dim=0) * log_w).sum(dim=0)


def sum_of_the_logs(log_w):
    return log_w.sum(dim=0)


def as_a_loss(log_w):
    return math.log(len(log_w)) - torch.logsumexp(log_w, dim=0)


def the_mean_weight(log_w):
    return log_w.exp().mean(dim=0)


def importance_bound_detached(log_w):
    return torch.logsumexp(log_w.detach(), dim=0) - math.log(len(log_w))


def drawn_log_weights(draw: Draw) -> tuple[Tensor]:
    """Weights as a model of Fashion-MNIST gives them, and others; pictures lie far apart."""
    draws, count = draw.whole(1, 8), draw.whole(1, 6)
    log_w = (-5.0, -240.0, -2000.0)[draw.whole(0, 2)] + 30 * draw(count) + draw.whole(1, 4) * draw(draws, count)
    return (log_w.double() if draw.whole(0, 2) == 0 else log_w,)


# --- auroc ----------------------------------------------------------------------------------------------------


def auroc(normal, anomalous):
    """The chance that a random anomaly scores above a random normal one; a tie counts half. (N,), (M,) -> one number"""
    above = anomalous[:, None] > normal
    ties = anomalous[:, None] == normal
    return (above + 0.5 * ties).mean()


def ties_count_nothing(normal, anomalous):
    return (anomalous[:, None] > normal).float().mean()


def ties_count_whole(normal, anomalous):
    return (anomalous[:, None] >= normal).float().mean()


def ties_left_out(normal, anomalous):
    above, below = anomalous[:, None] > normal, anomalous[:, None] < normal
    return above.sum() / (above.sum() + below.sum())


def ties_counted_twice(normal, anomalous):
    above, ties = anomalous[:, None] > normal, anomalous[:, None] == normal
    return (above.float() + 2 * ties).mean()


def normal_above(normal, anomalous):
    return ((anomalous[:, None] < normal) + 0.5 * (anomalous[:, None] == normal)).mean()


def normal_above_without_ties(normal, anomalous):
    return (anomalous[:, None] < normal).float().mean()


def larger_of_both_sides(normal, anomalous):
    area = ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).mean()
    return max(area, 1 - area)


def pairs_in_order(normal, anomalous):
    return ((anomalous > normal) + 0.5 * (anomalous == normal)).mean()


def pairs_in_order_until_one_ends(normal, anomalous):
    size = min(len(normal), len(anomalous))
    a, b = anomalous[:size], normal[:size]
    return ((a > b) + 0.5 * (a == b)).mean()


def pairs_in_order_of_size(normal, anomalous):
    size = min(len(normal), len(anomalous))
    a, b = anomalous.sort().values[:size], normal.sort().values[:size]
    return ((a > b) + 0.5 * (a == b)).mean()


def accuracy_at_a_half(normal, anomalous):
    return ((anomalous > 0.5).sum() + (normal <= 0.5).sum()) / (len(normal) + len(anomalous))


def accuracy_at_the_median(normal, anomalous):
    limit = torch.cat([normal, anomalous]).median()
    return ((anomalous > limit).sum() + (normal <= limit).sum()) / (len(normal) + len(anomalous))


def best_accuracy(normal, anomalous):
    limits = torch.cat([normal, anomalous, normal.min()[None] - 1])
    right = [((anomalous > limit).sum() + (normal <= limit).sum()).item() for limit in limits]
    return max(right) / (len(normal) + len(anomalous))


def found_above_every_normal_one(normal, anomalous):
    return (anomalous > normal.max()).float().mean()


def found_above_the_normal_mean(normal, anomalous):
    return (anomalous > normal.double().mean()).float().mean()


def found_above_the_normal_median(normal, anomalous):
    return (anomalous > normal.median()).float().mean()


def compares_the_means(normal, anomalous):
    return float(anomalous.double().mean() > normal.double().mean())


def difference_of_the_means(normal, anomalous):
    return anomalous.double().mean() - normal.double().mean()


def twice_minus_one(normal, anomalous):
    return 2 * ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).mean() - 1


def in_percent(normal, anomalous):
    return 100 * ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).mean()


def pairs_counted(normal, anomalous):
    return ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).sum()


def divided_by_all_items(normal, anomalous):
    return ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).sum() / (
        len(normal) + len(anomalous)
    )


def one_for_each_anomaly(normal, anomalous):
    return ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).mean(dim=1)


def scores_subtracted(normal, anomalous):
    return ((anomalous[:, None] - normal).sign() + 1).mul(0.5).mean()


def scores_subtracted_as_they_are(normal, anomalous):
    gaps = anomalous[:, None] - normal
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean()


def ranks_that_break_ties(normal, anomalous):
    ranks = torch.cat([normal, anomalous]).argsort(stable=True).argsort() + 1
    m = len(anomalous)
    return (ranks[len(normal) :].sum() - m * (m + 1) / 2) / (m * len(normal))


def rank_sum_not_reduced(normal, anomalous):
    scores = torch.cat([normal, anomalous])
    below, equal = scores[:, None] > scores, scores[:, None] == scores
    ranks = (below + 0.5 * equal).sum(dim=1) + 0.5
    return ranks[len(normal) :].sum() / (len(anomalous) * len(normal))


def average_precision(normal, anomalous):
    caught = [(anomalous >= score).sum() / ((anomalous >= score).sum() + (normal >= score).sum()) for score in anomalous]
    return torch.stack(caught).mean()


def the_area(auroc: Callable, normal: Tensor, anomalous: Tensor) -> Any:
    return plain(auroc(normal, anomalous))


def drawn_scores(draw: Draw) -> tuple[Tensor, Tensor]:
    """Scores of two kinds of picture, which overlap; often in whole numbers, so that there are ties."""
    normal, anomalous = draw(draw.whole(1, 9)), draw(draw.whole(1, 9)) + 0.7
    kind = draw.whole(0, 3)
    if kind < 2:
        normal, anomalous = (2 * normal).round(), (2 * anomalous).round()
    if kind == 1:
        normal, anomalous = normal.long(), anomalous.long()
    return (normal.double(), anomalous.double()) if kind == 3 else (normal, anomalous)
