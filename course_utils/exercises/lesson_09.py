"""The exercises of lesson 09: an encoder that is not sure, a decoder that is trained by a bound, and what it is worth.

Where an answer draws random numbers, its trial says in words what it draws ("around mu", "with the spread sigma"): any
right way to draw gives the same words, at any seed, and so does any form of one mistake.
"""

import itertools
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
    N may be ten thousand: no loop over the pictures.
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
DRAWN_ANEW = "drawn anew for each number"


def many_codes(reparameterize: Callable, mu: Tensor, logvar: Tensor) -> dict:
    """Draw a few times for many copies of the pictures, and once as they are, to see what goes back."""
    copies = math.ceil(DRAWS / CALLS / mu.numel())
    many = torch.stack([mu.repeat(copies, 1), logvar.repeat(copies, 1)])
    given = [many.clone() for _ in range(CALLS)]
    draws = [like(many[0], reparameterize(*one)).detach().clone() for one in given]
    leaves = [mu.detach().clone().requires_grad_(), logvar.detach().clone().requires_grad_()]
    z = like(mu, reparameterize(*(leaf * 1 for leaf in leaves)))  # not the leaves, which cannot be written to
    received = torch.autograd.grad(z, leaves, weights_of(z), allow_unused=True) if z.requires_grad else (None, None)
    return {"draws": torch.stack(draws), "given": torch.stack(given), "z": z.detach(), "received": received}


def codes_in_words(came: dict, mu: Tensor, logvar: Tensor) -> dict[str, str]:
    seen = draws_in_words(came["draws"], mu, logvar) | what_goes_back(came["received"], came["z"] - mu)
    copies = came["given"].unflatten(2, (-1, len(mu))).movedim(1, -3)  # (CALLS, copies, 2, N, D)
    untouched = copies.equal(torch.stack([mu, logvar]).expand_as(copies))
    return seen | {"mu and logvar afterwards": "as they were" if untouched else "changed"}


def draws_in_words(draws: Tensor, mu: Tensor, logvar: Tensor) -> dict:
    """What was drawn in (calls, copies * N, D), for pictures with means and log variances (N, D).

    Each of the N * D numbers is drawn two thousand times, so that its mean is known to 0.022 of its standard deviation,
    and that to 1.6 per cent; over all numbers both are known to half a per cent. What is asked for is eight times as
    wide and more, so that no right answer fails by chance.
    """
    mu, logvar = mu.double(), logvar.double()
    each = draws.double().unflatten(1, (-1, len(mu)))  # (calls, copies, N, D)
    mean, std = each.mean(dim=(0, 1)), each.std(dim=(0, 1))
    means = {"mu": mu, "0": 0 * mu, "the log variances": logvar, "mu, but 0 where mu is below 0": mu.clamp(min=0)}
    if (std < 3e-6 * (1 + mean.abs())).all():  # nothing but rounding
        return {"the noise is": "missing", "the mean of z is": name_of(mean, means, 1e-5)}
    noise = (each - mean) / std.clamp(min=1e-9)
    words = {"the noise is": noise_in_words(noise.flatten(1, 2))}
    if words["the noise is"] == DRAWN_ANEW:
        spreads = {"sigma": logvar / 2, "the variance": logvar, "its square": 2 * logvar, "1": 0 * mu}
        spreads["1 / sigma"] = -logvar / 2
        gaps = ((name, (mean - other) / std) for name, other in means.items())
        ratios = ((name, std.log() - other) for name, other in spreads.items())
        words["the mean of z is"] = next((name for name, gap in gaps if near_zero(gap, 0.18, 0.05)), "something else")
        near = (name for name, ratio in ratios if near_zero(ratio, 0.15, 0.04))
        words["the standard deviation of z is"] = next(near, "something else")
        words["the noise's shape is"] = shape_in_words(noise)
    return words


def near_zero(values: Tensor, each: float, on_average: float) -> bool:
    return bool(values.abs().max() < each and values.mean().abs() < on_average)


def name_of(value: Tensor, known: dict[str, Tensor], tolerance: Tensor | float) -> str:
    return next((name for name, other in known.items() if ((value - other).abs() <= tolerance).all()), "something else")


def noise_in_words(noise: Tensor) -> str:
    """Who shares noise with whom? From (calls, pictures, D), of variance 1."""
    if not noise.isfinite().all():
        return "nan or infinite in places"
    if related_along(noise, 1):
        return "shared by pictures"  # what else is shared is left to chance then: few numbers are drawn
    if noise.shape[2] > 1 and related_along(noise, 2):
        return "shared by the coordinates of a picture"
    if related_along(noise, 0):
        return "the same at each call"
    return DRAWN_ANEW


def shape_in_words(noise: Tensor) -> str:
    """By the shares beyond 1, 2 and 3 standard deviations; for the normal distribution 0.317, 0.0455 and 0.0027."""
    if noise.pow(3).mean().abs() > 0.15:
        return "lopsided"
    first, second, third = ((noise.abs() > limit).double().mean() for limit in (1, 2, 3))
    if 0.30 < first < 0.335 and 0.038 < second < 0.053 and 0.001 < third < 0.005:
        return "that of the normal distribution"
    return "that of the uniform distribution" if 0.4 < first < 0.445 and second == 0 else "another one"


def weights_of(z: Tensor) -> Tensor:
    """What is sent back into z, different for each of its numbers."""
    return torch.linspace(0.5, 1.5, z.numel(), dtype=z.dtype).view(z.shape)


def what_goes_back(received: tuple[Tensor | None, Tensor | None], from_the_mean: Tensor) -> dict[str, str]:
    """The gradients of mu and logvar for one draw, which follow from z itself: 1, and (z - mu) / 2."""
    weights = weights_of(from_the_mean)
    step = from_the_mean * weights
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


def logarithm_of_a_logarithm(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar.log()).sum(dim=1)


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


def small_number_in_the_log(mu, logvar):
    var = logvar.exp()
    return 0.5 * (mu.square() + var - 1 - torch.log(var + 1e-8)).sum(dim=1)


def kl_of_a_draw(mu, logvar):
    z = mu + (logvar / 2).exp() * torch.randn_like(mu)
    return 0.5 * (z.square() - logvar - (z - mu).square() / logvar.exp()).sum(dim=1)


# --- bernoulli_cross_entropy ----------------------------------------------------------------------------------


def bernoulli_cross_entropy(logits, x):
    """Minus the log of what Bernoulli pixels give to grey values x in [0, 1], in nats a picture

    logits, x: (N, C, H, W) -> (N,). A pixel with pi = sigmoid(logit) gives minus (x log pi + (1 - x) log(1 - pi)), and
    logits may be as large as 200.
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


def smallest_number_in_the_logs(logits, x):
    p = logits.sigmoid()
    return -(x * (p + 1e-12).log() + (1 - x) * (1 - p + 1e-12).log()).flatten(1).sum(dim=1)


def probabilities_clamped_closer(logits, x):
    p = logits.sigmoid().clamp(1e-7, 1 - 1e-7)
    return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)


def probabilities_clamped(logits, x):
    p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
    return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)


def softplus_by_hand(logits, x):
    return ((1 + logits.exp()).log() - logits * x).flatten(1).sum(dim=1)


def both_softplus_by_hand(logits, x):
    terms = x * (1 + (-logits).exp()).log() + (1 - x) * (1 + logits.exp()).log()
    return terms.flatten(1).sum(dim=1)


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


def drawn_terms(draw: Draw) -> tuple[Tensor, Tensor, float]:
    count = draw.whole(1, 6)
    nll, kl = 90 + 20 * draw(count), (3 * draw(count)).square()
    beta = float((0, 0.25, 0.5, 1, 2, 4, 10)[draw.whole(0, 6)])
    return (nll.double(), kl.double(), beta) if draw.whole(0, 2) == 0 else (nll, kl, beta)


# --- called_a_vae ---------------------------------------------------------------------------------------------


def called_a_vae(x, encoder, decoder):
    """The loss of a VAE, minus the ELBO, one number for each picture. x: (N, P) in [0, 1] -> (N,)

    encoder(x): (N, 2 D), the means and then the log variances of q(z|x); decoder(z): (N, D) -> logits (N, P).
    By one draw of z for each picture, and with the KL in closed form; N may be ten thousand: no loop over the pictures.
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
    By one draw of z for each picture, and with the KL in closed form; N may be ten thousand: no loop over the pictures.
    """
    z = F.relu(encoder(x).chunk(2, dim=1)[0])
    logits = decoder(z)
    return (F.softplus(logits) - logits * x).sum(dim=1)


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


def codes_and_loss(called_a_vae: Callable, x: Tensor, to_mu: Tensor, to_logvar: Tensor, to_logits: Tensor) -> dict:
    """The codes that the decoder is given, and a loss with those of its own, and with what goes back from it.

    Encoder and decoder are linear: mu = x @ to_mu, logvar = x @ to_logvar and logits = z @ to_logits.
    """
    codes: list[Tensor] = []

    def decoder(z: Tensor) -> Tensor:
        codes.append(z)
        return z @ to_logits

    draws = []
    many = x.repeat(math.ceil(DRAWS / CALLS / len(x) / to_mu.shape[1]), 1)
    for _ in range(CALLS):
        codes.clear()
        called_a_vae(many, lambda pictures: linear(pictures, to_mu, to_logvar), decoder)
        if not codes:
            raise ValueError("the decoder is never asked for logits")
        draws.append(like(many @ to_mu, codes[-1]).detach().clone())
    codes.clear()
    to_mu, to_logvar, to_logits = leaves = [w.clone().requires_grad_() for w in (to_mu, to_logvar, to_logits)]
    loss = called_a_vae(x, lambda pictures: linear(pictures, to_mu, to_logvar), decoder)
    z = torch.stack(codes).detach()  # (K, N, D), where K is 1 but for those who average over several draws
    received = (None,) * 3
    if isinstance(loss, Tensor) and loss.shape == x.shape[:1] and loss.requires_grad:
        received = torch.autograd.grad(loss, leaves, one_a_picture(x), allow_unused=True)
    loss = loss.detach() if isinstance(loss, Tensor) else loss
    return {"draws": torch.stack(draws), "z": z, "loss": loss, "received": received}


def one_a_picture(x: Tensor) -> Tensor:
    """What is sent back into the losses of pictures (N, P), different for each of them; (N,)"""
    return torch.linspace(0.5, 1.5, len(x), dtype=x.dtype)


def what_the_loss_holds(came: dict, x: Tensor, to_mu: Tensor, to_logvar: Tensor, to_logits: Tensor) -> dict[str, str]:
    """How the codes were drawn, the two terms of the loss for just those of its own, and whom the loss teaches."""
    mu, logvar, z, loss = x @ to_mu, x @ to_logvar, came["z"], came["loss"]
    seen = draws_in_words(came["draws"], mu, logvar)
    seen["the loss is"] = terms_in_words(loss, x, z @ to_logits, mu, logvar)
    if loss.dim() == 0:
        return seen
    to_mu, to_logvar, to_logits = leaves = [w.clone().requires_grad_() for w in (to_mu, to_logvar, to_logits)]
    noise = (z - mu) / (logvar / 2).exp()
    mu, logvar = x @ to_mu, x @ to_logvar
    logits = (mu + (logvar / 2).exp() * noise) @ to_logits
    weights = one_a_picture(x)
    terms = {"what the reconstruction says": reconstruction_of(logits, x), "what the KL says": divergence(mu, logvar)}
    terms["what both terms say"] = sum(terms.values())
    wanted = {name: torch.autograd.grad(term, leaves, weights, True, allow_unused=True) for name, term in terms.items()}
    for i, whom in enumerate(("the means", "the log variances", "the decoder")):
        known = {name: gradients[i] for name, gradients in reversed(wanted.items())}
        seen[f"{whom} learn"] = gradient_in_words(came["received"][i], known)
    return seen


def gradient_in_words(gradient: Tensor | None, known: dict[str, Tensor | None]) -> str:
    if gradient is None or not gradient.any():
        return "nothing"
    near = (name for name, g in known.items() if g is not None and torch.allclose(gradient, g, rtol=1e-3, atol=1e-3))
    return next(near, "something else")


def reconstruction_of(logits: Tensor, x: Tensor) -> Tensor:
    return (F.softplus(logits) - logits * x).sum(dim=-1).mean(dim=0)  # (K, N, P) -> (N,)


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)


def terms_in_words(loss: Any, x: Tensor, logits: Tensor, mu: Tensor, logvar: Tensor) -> str:
    """Which two terms add up to this loss? Those of the codes that the decoder was given, in double precision."""
    if isinstance(loss, Tensor) and loss.dim() == 0:
        whole = reconstruction_of(logits, x) + divergence(mu, logvar)
        known = {"their mean": whole.mean(), "their sum": whole.sum()}
        return f"one number for all pictures, {name_of(loss.detach(), known, 1e-4 * whole.abs().sum())}"
    loss, x, logits = like(x[:, 0], loss).detach().double(), x.double(), logits.double()
    mu, logvar = mu.double(), logvar.double()
    right, kl = reconstruction_of(logits, x), divergence(mu, logvar)
    reconstructions = {
        "the reconstruction term": right,
        "the pixels' mean": right / x.shape[1],
        "minus the reconstruction term": -right,
    }
    divergences = {
        "plus the KL": kl,
        "without a KL": 0 * kl,
        "minus the KL": -kl,
        "plus half of the KL": kl / 2,
        "plus twice the KL": 2 * kl,
        "plus the mean of the KL's coordinates": kl / mu.shape[1],
        "plus the mean of all that is in the batch's KLs": kl.mean() / mu.shape[1],
        "plus the mean KL of the batch": kl.mean(),
        "plus the sum of the batch's KLs": kl.sum(),
        "plus a KL that takes logvar for log sigma": divergence(mu, 2 * logvar),
        "plus a KL of the halves swapped": divergence(logvar, mu),
        "plus a KL of the means after ReLU": divergence(mu.relu(), logvar),
    }
    for (first, a), (second, b) in itertools.product(reconstructions.items(), divergences.items()):
        if torch.allclose(loss, a + b, rtol=1e-4, atol=1e-4):
            return f"{first} {second}"
    return "something else"


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
    spread = (1, 4, 400)[draw.whole(0, 2)]
    log_w = (-5.0, -240.0, -2000.0)[draw.whole(0, 2)] + 30 * draw(count) + spread * draw(draws, count)
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


def ties_by_isclose(normal, anomalous):
    ties = torch.isclose(anomalous[:, None].double(), normal.double())
    return ((anomalous[:, None] > normal) & ~ties).double().mean() + 0.5 * ties.double().mean()


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
    return ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).sum() / (len(normal) + len(anomalous))


def one_for_each_anomaly(normal, anomalous):
    return ((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)).mean(dim=1)


def scores_subtracted(normal, anomalous):
    return ((anomalous[:, None] - normal).sign() + 1).mul(0.5).mean()


def scores_subtracted_as_they_are(normal, anomalous):
    gaps = anomalous[:, None] - normal
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean()


def scores_subtracted_in_double(normal, anomalous):
    gaps = anomalous[:, None].double() - normal.double()
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean()


def curve_without_its_corner(normal, anomalous):
    limits = torch.cat([normal, anomalous]).unique().flip(0)
    false_alarms = torch.stack([(normal >= limit).float().mean() for limit in limits])
    found = torch.stack([(anomalous >= limit).float().mean() for limit in limits])
    return torch.trapezoid(found, false_alarms)


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
    caught = [
        (anomalous >= score).sum() / ((anomalous >= score).sum() + (normal >= score).sum()) for score in anomalous
    ]
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


SIGMA = "logvar is the logarithm of the *variance*, and noise is scaled with sigma, its root: half the exponent."
LOGARITHM = "logvar is a logarithm and may be below zero: sigma is the exponential of half of it."
NOISE_IS_WHOLE = "Without noise it is an autoencoder: the code of a picture is always the same point."
MEANS_AND_SIGMA = "z is mu plus noise scaled with sigma: mu says where, sigma says how far."
UNIFORM = "Uniform noise is not N(0, 1): its mean, its spread or its tails are others. The bell curve is `randn`."
NOT_NORMAL = "Noise with another shape: the bell curve has both signs, all sizes and tails that are not cut off."
SHARED_NOISE = "All pictures jump the same way: draw noise of mu's shape, one number for each number of mu."
NO_WAY_BACK = (
    "No gradient comes back through z: torch.normal, .sample(), no_grad and detach all cut it off. Draw noise alone, "
    "then shift and scale it with mu and sigma."
)
HALF_DETACHED = "One of the two learns nothing: gradients should reach both mu and logvar."
LATENTS_ADD = (
    "Each coordinate costs on its own, and independent costs add up: twenty coordinates cost twenty times one."
)
EACH_PICTURE = "One number for each picture is asked for: add over its own numbers, and keep the pictures apart."
THE_HALF = "The whole sum is halved, as in the exponent of a bell curve: you are up to twice too large."
ALREADY_VARIANCE = "logvar is the logarithm of the variance, not of sigma: exp(logvar) already is the variance."
AS_IF_NO_LOG = "logvar is a logarithm, below zero for small variances: take its exponential before you use it as one."
THE_ONE = "At mu = 0 and logvar = 0 the two are the same and the KL is 0: each coordinate takes off 1."
BITS = "That is in bits: nats come from the natural logarithm, without dividing by ln 2."
DETACHED = "The values are right, but no gradient comes back: nothing can learn from them."
PIXELS_ADD = (
    "That is a mean over the pixels, hundreds of times too small: the KL wins, and every picture comes out the same."
)
NO_PIXEL_LEFT = "One number for each picture: add over channels, rows and columns, all of them."
SQUASHED = "Squashed twice: what comes out of a sigmoid is at least 0, and no pixel can get darker than a half."
PREDICTION_FIRST = "Prediction and target are swapped: the logs are those of the prediction, the greys weigh them."
LOGITS_FORM = (
    "At a logit of 200 the sigmoid is exactly 1, and 1 minus it is 0: stay with logits, F.softplus or F.logsigmoid."
)
BOTH_SIDES = "A grey pixel pays on both sides: x for being light, and 1 - x for being dark."
NOT_SQUARES = "A squared error is the log of a Gaussian: Bernoulli pixels are asked for."
WEIGHS_KL = "beta weighs the KL and nothing else: at beta = 1 it is the bound itself."
PAYS_ENCODER = "That pays the encoder for leaving the prior: a KL makes the bound lower, and the loss higher."
PER_PICTURE = "One number for each picture: averaging is left to the training loop."
STILL_NO_VAE = "Still an autoencoder: nothing is drawn, and nothing holds the codes near the prior."
NO_KL_YET = "The code is drawn now, but noise costs nothing to avoid: the loss still lacks the KL."
RELU_TOO = (
    "A ReLU still stands in the way: codes from the prior lie below zero half of the time, and q's should be able to."
)
KL_UNTOUCHED = "The loss has a KL now, but the decoder still sees no noise: draw z from q(z|x)."
HALVES = "The encoder gives the means first, then the log variances, each in one block."
OWN_KL = "Each picture pays its own KL: do not mix the batch."
PIXELS_AND_LATENTS = "Pixels and coordinates are both added up: a mean over one of them changes what the other weighs."
BEFORE_LOG = "That is the ELBO, or lower still: average the *weights*, then take the log."
FREE_NATS = (
    "More draws raise your bound for free, 6.2 nats at K = 500: a mean divides by K, and its log takes off log K."
)
UNDERFLOW = "e^-240 is 0 in float32, and e^-2000 in any format: take the largest out first, or let logsumexp do it."
OWN_DRAWS = "The mean goes over the draws, dim 0: each picture has a bound of its own."
TIES = "A tie is half a win: a score that is the same for all should give 0.5."
DIRECTION = "The other way round: an anomaly should score *above*. Decide which side is which before you look."
NO_THRESHOLD = "No threshold: every anomaly is compared with every normal one, wherever they lie."
ALL_PAIRS = "Pairs were made in order: every anomaly meets every normal one, N times M pairs."
A_CHANCE = "A chance lies between 0 and 1: the share of all N times M pairs."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=reparameterize,
        trial=many_codes,
        judge=codes_in_words,
        minutes=6,
        difficulty=2,
        cases=lambda draw: [
            Case("one picture", torch.tensor([[3.0, -2.0]]), torch.tensor([[1.0, -2.0]])),
            Case(
                "three pictures",
                torch.tensor([[4.0, -3.0], [-5.0, 1.0], [2.0, 6.0]]),
                torch.tensor([[-2.0, 1.5], [-1.0, -3.0], [2.0, -4.0]]),
            ),
            Case("as many coordinates as pictures", 5 * draw(3, 3).sign() + draw(3, 3), 2 * draw(3, 3).clamp(-2, 1)),
            Case("hardly any noise", 3 * draw(2, 3), draw(2, 3) - 6),
            Case("very sure, and hardly at all", torch.tensor([[0.5, -1.0]]), torch.tensor([[-12.0, 11.0]])),
            Case("double precision", 3 * draw(2, 4).double(), draw(2, 4).double() - 1),
        ],
        drawn=drawn_posterior,
        hints=(
            "Noise that hangs on nothing, `torch.randn_like(mu)`, can be made into z by a sum and a product.",
            "Noise of N(0, 1) times sigma has the standard deviation sigma; adding mu moves it.",
            "sigma is the root of exp(logvar): `torch.exp(logvar / 2)`.",
        ),
        mistakes=(
            *(Mistake(f, SIGMA) for f in (variance_for_sigma, variance_squared)),
            Mistake(precision_for_sigma, "The sign is wrong: a large log variance is a wide posterior."),
            *(
                Mistake(f, LOGARITHM)
                for f in (
                    logarithm_for_sigma,
                    half_the_logarithm_for_sigma,
                    root_of_the_logarithm,
                    root_of_its_size,
                    spread_squashed,
                )
            ),
            *(Mistake(f, NOISE_IS_WHOLE) for f in (without_noise, a_constant_for_noise)),
            *(
                Mistake(f, MEANS_AND_SIGMA)
                for f in (noise_alone, a_draw_from_the_prior, without_sigma, noise_times_mu, sum_times_noise)
            ),
            Mistake(arguments_swapped, "mu and logvar are exchanged: the mean comes first."),
            *(
                Mistake(f, UNIFORM)
                for f in (uniform_noise, uniform_noise_from_minus_one, uniform_noise_of_variance_one)
            ),
            *(Mistake(f, NOT_NORMAL) for f in (noise_of_signs, noise_cut_at_two, noise_above_zero)),
            *(Mistake(f, SHARED_NOISE) for f in (one_noise_for_the_batch, one_number_for_all)),
            Mistake(
                one_noise_for_each_picture,
                "All coordinates of a picture jump together: draw noise of mu's shape, one number for each of them.",
            ),
            Mistake(
                the_same_noise_at_each_call,
                "The seed is set inside, so every call draws the same noise: leave it to the caller.",
            ),
            *(
                Mistake(f, NO_WAY_BACK)
                for f in (drawn_without_a_way_back, sampled_without_autograd, sampled_under_no_grad)
            ),
            *(Mistake(f, HALF_DETACHED) for f in (sigma_detached, mean_detached)),
            *(
                Mistake(f, "mu and logvar belong to the caller, who needs them for the KL: work on new tensors.")
                for f in (halved_in_place, added_in_place)
            ),
        ),
        not_allowed=("course_utils.vae",),
    ),
    Exercise(
        lesson=LESSON,
        reference=kl_to_standard_normal,
        minutes=6,
        difficulty=2,
        gradients=True,
        cases=lambda draw: [
            Case("the prior itself, and a mean of 2", torch.tensor([[0.0], [2.0]]), torch.zeros(2, 1)),
            Case("variances of 4 and 1/4", torch.zeros(2, 1), torch.tensor([[4.0], [0.25]]).log()),
            Case(
                "two pictures, three coordinates",
                torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.5, -1.0]]),
                torch.tensor([[1.0, -1.0, 2.0], [-3.0, 0.5, 1.5]]),
            ),
            Case("as many pictures as coordinates", 2 * draw(3, 3), 2 * draw(3, 3)),
            Case("one picture, twenty coordinates", draw(1, 20), draw(1, 20) - 1),
            Case(
                "an encoder that is very sure", torch.tensor([[0.5, -1.0, 0.0]]), torch.tensor([[-12.0, -20.0, -120.0]])
            ),
            Case("double precision, not contiguous", draw(2, 4).double().T, 2 * draw(2, 4).double().T),
        ],
        drawn=drawn_posterior,
        hints=(
            "Coordinates are independent, so the KL is a sum over them, halved.",
            "Each coordinate pays for three things: mu^2, the variance exp(logvar), and minus its logarithm.",
            "Take 1 off each coordinate, so that N(0, 1) pays nothing; add over dim 1.",
        ),
        mistakes=(
            *(Mistake(f, LATENTS_ADD) for f in (mean_over_latents, mean_over_everything)),
            *(
                Mistake(f, EACH_PICTURE)
                for f in (
                    mean_over_pictures,
                    sum_over_the_batch,
                    sum_over_the_pictures_alone,
                    one_for_each_coordinate,
                    in_a_column,
                )
            ),
            *(Mistake(f, THE_HALF) for f in (without_the_half, half_of_the_mean_alone)),
            *(
                Mistake(f, ALREADY_VARIANCE)
                for f in (logvar_as_log_sigma, exponential_squared, sigma_for_the_variance, logarithm_of_sigma)
            ),
            *(Mistake(f, AS_IF_NO_LOG) for f in (logvar_as_the_variance, logvar_as_sigma)),
            Mistake(logarithm_of_a_logarithm, "logvar is the logarithm already: what is taken off is logvar itself."),
            Mistake(sign_of_the_bound, "The sign: a KL is never below zero. The ELBO *subtracts* it, but later."),
            Mistake(the_other_kl, "That is KL(prior || q): the average goes over codes of q, the first of the two."),
            Mistake(logarithm_added, "A small variance is what costs: the logarithm is taken off, not added."),
            *(
                Mistake(f, "Two terms speak of the variance: exp(logvar), and minus logvar. Both are needed.")
                for f in (logarithm_forgotten, variance_forgotten, length_of_the_mean_alone)
            ),
            *(Mistake(f, THE_ONE) for f in (one_forgotten, one_for_all_coordinates, one_added)),
            *(
                Mistake(f, "The mean pays with its square: both sides of 0 are equally far from the prior.")
                for f in (mean_not_squared, mean_forgotten)
            ),
            Mistake(in_bits, BITS),
            Mistake(kl_without_gradient, DETACHED),
            Mistake(
                small_number_in_the_log,
                "logvar is the logarithm itself: take it as it is, without exp, a small number and log.",
            ),
            Mistake(
                kl_of_a_draw,
                "That is a guess from one draw, right on average: for two Gaussians the KL is known exactly.",
            ),
        ),
        not_allowed=("torch.distributions", "course_utils.vae"),
    ),
    Exercise(
        lesson=LESSON,
        reference=bernoulli_cross_entropy,
        trial=without_a_gradient_for_x,
        minutes=8,
        difficulty=2,
        gradients=True,
        tolerance=1e-6,  # F.softplus and F.logsigmoid round differently in double precision
        cases=lambda draw: [
            Case(
                "two pictures of two pixels",
                torch.tensor([[[[1.0, 2.0]]], [[[-1.0, 3.0]]]]),
                torch.tensor([[[[1.0, 0.25]]], [[[0.0, 0.75]]]]),
            ),
            Case(
                "logits of 200 and -200",
                torch.tensor([200.0, -200.0, 200.0, -200.0]).view(2, 1, 1, 2),
                torch.tensor([0.0, 1.0, 0.75, 0.5]).view(2, 1, 1, 2),
            ),
            Case("grey pictures, a batch of three", 2 * draw(3, 1, 4, 5), draw(3, 1, 4, 5).sigmoid()),
            Case("three channels", draw(2, 3, 3, 2), draw(2, 3, 3, 2).sigmoid()),
            Case("one picture, taller than wide", draw(1, 1, 6, 2) - 1, (draw(1, 1, 6, 2) > 0).float()),
            Case("square all round", draw(2, 2, 2, 2) + 0.5, draw(2, 2, 2, 2).sigmoid()),
            Case(
                "logits around 30, double precision",
                30 * draw(2, 1, 3, 4).double(),
                draw(2, 1, 3, 4).double().sigmoid(),
            ),
        ],
        drawn=drawn_greys,
        hints=(
            "Begin with one pixel: F.logsigmoid(logit) is log pi, and log(1 - pi) is F.logsigmoid of minus the logit.",
            "Minus log pi is softplus(logit) - logit, minus log(1 - pi) is softplus(logit): mix them, x to 1 - x.",
            "`.flatten(1).sum(dim=1)` adds everything that belongs to one picture.",
        ),
        mistakes=(
            *(Mistake(f, PIXELS_ADD) for f in (mean_over_pixels, mean_over_all_pixels)),
            *(
                Mistake(f, "One number for the whole batch came: each picture has its own.")
                for f in (sum_over_all_pictures, mean_of_the_pictures)
            ),
            *(
                Mistake(f, NO_PIXEL_LEFT)
                for f in (
                    sum_for_each_channel,
                    first_channel_only,
                    mean_over_channels,
                    rows_not_added,
                    pixels_not_added,
                )
            ),
            Mistake(squashed_before, SQUASHED),
            *(Mistake(f, PREDICTION_FIRST) for f in (target_first, target_first_with_logs_cut, target_first_with_logs)),
            *(
                Mistake(f, LOGITS_FORM)
                for f in (
                    log_of_a_sigmoid,
                    logs_cut_at_minus_100,
                    small_number_in_the_logs,
                    smallest_number_in_the_logs,
                    probabilities_clamped_closer,
                    larger_number_in_the_logs,
                    probabilities_clamped,
                )
            ),
            *(
                Mistake(
                    f,
                    "In float32 e^200 is infinite, and the sigmoid of -200 is 0: F.softplus and F.logsigmoid reach the "
                    "logarithm without that step.",
                )
                for f in (log_of_a_sigmoid_of_minus, softplus_by_hand, both_softplus_by_hand)
            ),
            Mistake(logits_as_probabilities, "Logits are no probabilities: p is the sigmoid of the logit."),
            *(Mistake(f, BOTH_SIDES) for f in (light_pixels_only, dark_pixels_only)),
            Mistake(
                dark_and_light_exchanged,
                "Light and dark are exchanged: a large logit says that the pixel is light, x = 1.",
            ),
            Mistake(
                log_likelihood, "The sign: that is the log likelihood. Asked for is minus it, a cost, never below 0."
            ),
            *(Mistake(f, NOT_SQUARES) for f in (squared_error, half_the_squared_error)),
            Mistake(greys_rounded, "Greys were made black or white: x weighs the two logs as it is."),
            Mistake(
                entropy_of_the_greys_taken_off,
                "That is the KL, from which the greys' own entropy is taken off: the cross-entropy keeps it.",
            ),
            Mistake(cross_entropy_in_bits, BITS),
            Mistake(softmax_over_the_pixels, "Pixels do not compete: each has a sigmoid of its own."),
            Mistake(cross_entropy_without_gradient, DETACHED),
        ),
        not_allowed=(
            "torch.nn.functional.binary_cross_entropy",
            "torch.nn.functional.binary_cross_entropy_with_logits",
            "torch.binary_cross_entropy_with_logits",
            "torch.nn.functional.cross_entropy",
            "torch.nn.functional.multilabel_soft_margin_loss",
            "torch.distributions",
            "course_utils.vae",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=elbo,
        minutes=4,
        difficulty=1,
        gradients=True,
        cases=lambda draw: [
            Case("beta of 1", torch.tensor([100.0, 80.0]), torch.tensor([10.0, 20.0]), 1.0),
            Case("beta of 4", torch.tensor([100.0, 80.0]), torch.tensor([10.0, 20.0]), 4.0),
            Case(
                "beta of a half, and a KL below 1",
                torch.tensor([90.0, 70.0, 110.0]),
                torch.tensor([0.5, 5.0, 9.0]),
                0.5,
            ),
            Case("beta of 0", torch.tensor([100.0, 80.0]), torch.tensor([10.0, 20.0]), 0.0),
            Case("one picture, double precision", 100 + draw(1).double(), 5 + draw(1).double(), 2.0),
        ],
        drawn=drawn_terms,
        hints=(
            "ELBO: a lower bound on log p(x). The higher, the better.",
            "A good likelihood lifts it; a code far from the prior lowers it.",
            "Both terms come as costs, so both count with a minus; beta stands before one of them.",
        ),
        mistakes=(
            Mistake(the_loss, "That is the loss, which is minimised: the bound is *maximised*, and is minus that."),
            *(Mistake(f, PAYS_ENCODER) for f in (kl_added_to_the_bound, kl_taken_off_the_loss)),
            *(
                Mistake(f, WEIGHS_KL)
                for f in (beta_on_the_reconstruction, beta_on_both, beta_shared_out, divided_by_beta, beta_subtracted)
            ),
            Mistake(beta_left_out, "beta is not used: it weighs the KL."),
            *(
                Mistake(f, PER_PICTURE)
                for f in (
                    averaged_over_the_batch,
                    added_over_the_batch,
                    kl_averaged_over_the_batch,
                    likelihood_averaged_over_the_batch,
                    kl_added_over_the_batch,
                )
            ),
            Mistake(reconstruction_alone, "The KL is missing: without it an encoder may put codes anywhere."),
            Mistake(kl_never_below_one, "No floor under the KL is asked for: that is another method (free bits)."),
            Mistake(bound_without_gradient, DETACHED),
            Mistake(kl_detached, "The KL weighs in the value and teaches nobody: its gradient has to come back too."),
        ),
        not_allowed=("course_utils.vae",),
    ),
    Exercise(
        lesson=LESSON,
        reference=called_a_vae,
        trial=codes_and_loss,
        judge=what_the_loss_holds,
        fault=an_autoencoder,
        minutes=8,
        difficulty=3,
        cases=lambda draw: [
            Case(
                "two pictures, one number for a code",
                torch.tensor([[1.0, 0.25], [1.0, 0.75]]),
                torch.tensor([[-3.0], [8.0]]),
                torch.tensor([[-3.0], [3.0]]),
                torch.tensor([[1.0, -2.0]]),
            ),
            Case(
                "hardly any noise",
                white_first(draw(3, 4)),
                2 * draw(4, 2),
                torch.tensor([[-9.0, -11.0], [0.5, -0.5], [-1.0, 1.0], [0.5, 1.0]]),
                draw(2, 4),
            ),
            Case("as many pictures as coordinates", white_first(draw(3, 5)), 2 * draw(5, 3), draw(5, 3), draw(3, 5)),
            Case("wide posteriors", white_first(draw(4, 3)), 4 * draw(3, 2), 1 + 0.5 * draw(3, 2), draw(2, 3)),
            Case("one picture", white_first(draw(1, 6)), 2 * draw(6, 4), draw(6, 4), draw(4, 6)),
            Case(
                "logits around 200, of both signs",
                torch.tensor([[1.0, 0.25], [1.0, 0.75]]),
                torch.tensor([[2.0], [0.5]]),
                torch.tensor([[-6.0], [1.0]]),
                torch.tensor([[100.0, -90.0]]),
            ),
            Case(
                "very sure, and hardly at all",
                torch.tensor([[1.0, 0.25], [1.0, 0.75]]),
                torch.tensor([[2.0, -1.0], [0.5, 1.0]]),
                torch.tensor([[-11.0, 7.0], [-1.0, -1.0]]),
                torch.tensor([[1.0, -2.0], [0.01, 0.02]]),
            ),
            Case(
                "double precision",
                white_first(draw(2, 4)).double(),
                2 * draw(4, 3).double(),
                draw(4, 3).double(),
                draw(3, 4).double(),
            ),
        ],
        drawn=drawn_codes,
        hints=(
            "Send one picture through twice: does its code differ? And which codes can never come out of a ReLU?",
            "z is drawn from N(mu, exp(logvar)), so that gradients reach both halves: your reparameterize does it.",
            "The reconstruction term is right as it is; the KL of each picture is still to be added.",
        ),
        mistakes=(
            *(Mistake(f, STILL_NO_VAE) for f in (an_autoencoder_in_other_words, an_autoencoder_without_relu)),
            *(
                Mistake(f, NO_KL_YET)
                for f in (noise_without_kl, noise_on_the_relu_without_kl, relu_of_noise_without_kl)
            ),
            *(
                Mistake(f, KL_UNTOUCHED)
                for f in (kl_without_noise, kl_without_noise_and_with_relu, kl_of_the_relu_without_noise)
            ),
            *(
                Mistake(f, RELU_TOO)
                for f in (
                    relu_of_the_drawn_code,
                    relu_of_the_means,
                    relu_of_the_means_in_the_code_alone,
                    relu_of_all_the_encoder_says,
                )
            ),
            *(Mistake(f, HALVES) for f in (halves_swapped, every_other_number)),
            Mistake(drawn_with_the_variance, SIGMA),
            *(Mistake(f, ALREADY_VARIANCE) for f in (log_sigma_throughout, log_sigma_in_the_kl)),
            *(Mistake(f, MEANS_AND_SIGMA) for f in (noise_of_spread_one, code_from_the_prior)),
            Mistake(code_of_uniform_noise, UNIFORM),
            Mistake(codes_that_share_noise, SHARED_NOISE),
            *(Mistake(f, NO_WAY_BACK) for f in (codes_without_a_way_back, codes_detached)),
            Mistake(kl_subtracted, PAYS_ENCODER),
            *(
                Mistake(f, PIXELS_AND_LATENTS)
                for f in (kl_averaged, kl_averaged_over_everything, pixels_averaged, both_averaged)
            ),
            *(Mistake(f, OWN_KL) for f in (kl_of_the_whole_batch, mean_kl_of_the_batch)),
            Mistake(kl_without_the_half, "The KL is twice too large: its sum is halved."),
            Mistake(the_bound_itself, "That is the bound, which is maximised: the loss is minus it."),
            *(Mistake(f, PER_PICTURE) for f in (mean_loss_of_the_batch, loss_of_the_batch_added)),
            Mistake(
                kl_detached_from_the_encoder,
                "The KL is in the loss and teaches nobody: its gradient has to reach the encoder.",
            ),
        ),
        not_allowed=("course_utils.vae",),
    ),
    Exercise(
        lesson=LESSON,
        reference=importance_bound,
        minutes=8,
        difficulty=3,
        gradients=True,
        tolerance=1e-6,  # log K may have been taken in single precision
        optional=True,
        cases=lambda draw: [
            Case("weights 1 and 3, and 2 and 8", torch.tensor([[1.0, 2.0], [3.0, 8.0]]).log()),
            Case("one draw: the ELBO itself", torch.tensor([[-240.0, -90.5, -130.25]])),
            Case("four draws around -240", -240 + 3 * draw(4, 3)),
            Case("pictures far apart", torch.tensor([[-300.0, -2000.0], [-302.0, -1999.0], [-301.0, -2003.0]])),
            Case("draws far apart", torch.tensor([[-300.0, -1800.0], [-1900.0, -250.0], [-310.0, -240.0]])),
            Case("more pictures than draws, double precision, not contiguous", -5 + draw(5, 2).double().T),
        ],
        drawn=drawn_log_weights,
        hints=(
            "The weights are exp(log_w); the bound is the log of their mean over the draws.",
            "A mean is a sum divided by K: in logs, the log of the sum, minus log K.",
            "The log of a sum of exponentials is `torch.logsumexp(log_w, dim=...)`, which never underflows.",
        ),
        mistakes=(
            *(Mistake(f, BEFORE_LOG) for f in (mean_of_the_logs, sum_of_the_logs)),
            Mistake(weighed_mean_of_the_logs, "A mean of logs, however it is weighed, is not the log of the mean."),
            Mistake(without_log_k, FREE_NATS),
            Mistake(log_k_added, "The mean divides by K, so log K is taken off, not added."),
            *(
                Mistake(f, "Nats throughout: the natural logarithm of K.")
                for f in (log_k_to_base_two, log_k_to_base_ten)
            ),
            *(
                Mistake(f, "The mean goes over K draws, so log K is taken off: count the draws, not the pictures.")
                for f in (log_of_the_pictures, log_of_all_numbers)
            ),
            Mistake(divided_by_k, "Dividing by K belongs inside the log, where it becomes minus log K."),
            *(
                Mistake(f, UNDERFLOW)
                for f in (
                    log_of_the_mean_of_exp,
                    log_of_the_mean_of_exp_in_double,
                    log_of_the_mean_plus_a_small_number,
                )
            ),
            Mistake(
                the_mean_weight,
                "That is the mean weight: its log is asked for, by logsumexp, as e^-240 is 0 in float32.",
            ),
            Mistake(
                one_shift_for_all_pictures,
                "One largest for all pictures: another picture's weights are still 0 then. Take each one's own.",
            ),
            Mistake(shift_not_added_again, "What was taken out before exp has to come back after the log."),
            *(Mistake(f, OWN_DRAWS) for f in (over_the_pictures, over_everything)),
            *(
                Mistake(f, "One bound for each picture, (N,): no mean or sum over the pictures, no further axis.")
                for f in (mean_over_the_pictures, sum_over_the_pictures, kept_as_a_row)
            ),
            *(Mistake(f, "All K draws count, not one of them.") for f in (largest_log_weight, first_draw_only)),
            Mistake(as_a_loss, "The sign: that is the loss. The bound itself is asked for."),
            Mistake(importance_bound_detached, DETACHED),
        ),
        not_allowed=("course_utils.vae",),
    ),
    Exercise(
        lesson=LESSON,
        reference=auroc,
        trial=the_area,
        minutes=10,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("five pairs of six", torch.tensor([1.0, 4.0]), torch.tensor([3.0, 5.0, 6.0])),
            Case("a constant score", torch.full((4,), 2.0), torch.full((3,), 2.0)),
            Case("ties, in whole numbers", torch.tensor([0, 1, 1, 3, 2]), torch.tensor([1, 2, 3])),
            Case(
                "greys from 0 to 255",
                torch.tensor([10, 200, 90, 90, 40], dtype=torch.uint8),
                torch.tensor([250, 90, 60, 120], dtype=torch.uint8),
            ),
            Case("anomalies below", torch.tensor([0.7, 0.6, 0.9]), torch.tensor([0.2, 0.8, 0.1, 0.4, 0.3])),
            Case("as many of each, every second number", draw(12)[::2], draw(12)[1::2] + 0.5),
            Case(
                "scores that are infinite",
                torch.tensor([1.0, math.inf, 2.0]),
                torch.tensor([math.inf, 3.0, math.inf, 0.0]),
            ),
            Case(
                "scores around 240, a thousandth apart",
                torch.tensor([240.0, 240.002]),
                torch.tensor([240.001, 240.003]),
            ),
            Case(
                "a billionth apart, double precision", torch.tensor([1.0]).double(), torch.tensor([1.0]).double() + 1e-9
            ),
            Case("one of each, double precision", torch.tensor([0.25]).double(), torch.tensor([0.75]).double()),
        ],
        drawn=drawn_scores,
        hints=(
            "Write down all pairs of one anomaly and one normal picture: in how many does the anomaly score higher?",
            "`anomalous[:, None]` against `normal` compares all of them at once, in a table (M, N).",
            "Add half of the table of ties (==) to the table of wins (>), and take the mean of it all.",
        ),
        mistakes=(
            *(
                Mistake(f, TIES)
                for f in (
                    ties_count_nothing,
                    ties_count_whole,
                    ties_left_out,
                    ties_counted_twice,
                    ranks_that_break_ties,
                )
            ),
            Mistake(ties_by_isclose, "A tie is an equal score: what is near enough for isclose may still be above."),
            *(Mistake(f, DIRECTION) for f in (normal_above, normal_above_without_ties)),
            Mistake(
                larger_of_both_sides,
                "A detector that is wrong most of the time scores below 0.5: do not turn it round.",
            ),
            *(Mistake(f, ALL_PAIRS) for f in (pairs_in_order, pairs_in_order_until_one_ends, pairs_in_order_of_size)),
            *(
                Mistake(f, NO_THRESHOLD)
                for f in (
                    accuracy_at_a_half,
                    accuracy_at_the_median,
                    best_accuracy,
                    found_above_every_normal_one,
                    found_above_the_normal_mean,
                    found_above_the_normal_median,
                    average_precision,
                )
            ),
            *(
                Mistake(f, "Means forget how the two overlap: compare each anomaly with each normal one.")
                for f in (compares_the_means, difference_of_the_means)
            ),
            *(Mistake(f, A_CHANCE) for f in (twice_minus_one, in_percent, pairs_counted, divided_by_all_items)),
            Mistake(one_for_each_anomaly, "One number for all is asked for: average over the anomalies too."),
            *(
                Mistake(f, "Compare, do not subtract: whole numbers without a sign wrap round, and inf - inf is nan.")
                for f in (scores_subtracted, scores_subtracted_as_they_are, scores_subtracted_in_double)
            ),
            Mistake(
                curve_without_its_corner,
                "The curve begins at (0, 0), above every score: without that corner its first step is lost.",
            ),
            Mistake(
                rank_sum_not_reduced,
                "A rank counts the other anomalies too: take off what they add, m (m + 1) / 2 for m of them.",
            ),
        ),
        not_allowed=("course_utils.metrics", "sklearn.metrics", "scipy.stats.mannwhitneyu", "scipy.stats.ranksums"),
    ),
)
