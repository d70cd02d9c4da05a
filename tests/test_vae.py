"""The terms of the bound against torch.distributions, SciPy and quadrature; and the networks."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats
from torch.distributions import ContinuousBernoulli, Independent, Normal, kl_divergence

from course_utils import data, training, vae
from tests.drawing import drawn_cases

drawn = drawn_cases(200)
dtypes = st.sampled_from([torch.float32, torch.float64])


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def posterior(seed: int, *shape: int, dtype=torch.float64, contiguous: bool = True) -> tuple[torch.Tensor, ...]:
    """mu and logvar that need gradients; not contiguous ones are transposed."""
    source = generator_of(seed)
    shape = shape if contiguous else shape[::-1]
    both = [torch.randn(shape, dtype=dtype, generator=source) * scale for scale in (2.0, 3.0)]
    return tuple((x if contiguous else x.mT).requires_grad_() for x in both)


def normal(mu: torch.Tensor, logvar: torch.Tensor) -> Independent:
    return Independent(Normal(mu, (logvar / 2).exp()), 1)


@drawn
@given(st.integers(1, 5), st.integers(1, 6), dtypes, st.booleans(), st.integers(0, 99))
def test_density_and_kl_against_torch_distributions(rows, latents, dtype, contiguous, seed):
    mu, logvar = posterior(seed, rows, latents, dtype=dtype, contiguous=contiguous)
    x = torch.randn(rows, latents, dtype=dtype, generator=generator_of(seed + 1))
    prior = normal(torch.zeros_like(mu), torch.zeros_like(mu))
    pairs = [
        (vae.log_normal(x, mu, logvar), normal(mu, logvar).log_prob(x)),
        (vae.kl_to_standard_normal(mu, logvar), kl_divergence(normal(mu, logvar), prior)),
    ]
    for got, expected in pairs:
        assert got.dtype == dtype and got.shape == (rows,)
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
        slopes = [torch.autograd.grad(value.sum(), (mu, logvar), retain_graph=True) for value in (got, expected)]
        torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-4)


def test_kl_is_never_below_0_near_the_prior():
    logvar = torch.linspace(-1e-3, 1e-3, 201)[:, None]
    assert (vae.kl_to_standard_normal(torch.zeros_like(logvar), logvar) >= 0).all()
    assert vae.kl_to_standard_normal(torch.zeros(1, 20), torch.zeros(1, 20)).item() == 0


def test_kl_against_quadrature():
    q, p = stats.norm(0.7, math.exp(-0.6)), stats.norm(0, 1)
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -8, 8)
    got = vae.kl_to_standard_normal(torch.tensor([[0.7]]), torch.tensor([[-1.2]]))
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_kl_by_sampling_comes_to_the_closed_form():
    mu, logvar = (x.detach() for x in posterior(3, 4, 2))
    torch.manual_seed(0)
    got = vae.kl_by_sampling(mu, logvar, 200_000)
    z = normal(mu, logvar).sample((100_000,))
    spread = (vae.log_normal(z, mu, logvar) - vae.log_normal(z, 0.0, 0.0)).std(dim=0) / math.sqrt(200_000)
    assert ((got - vae.kl_to_standard_normal(mu, logvar)).abs() < 4 * spread).all()


def test_reparameterized_draws():
    mu, logvar = torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[0.0, 2.0], [-3.0, -1.0]])
    mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
    torch.manual_seed(0)
    z = vae.reparameterize(mu.expand(100_000, 2, 2), logvar.expand(100_000, 2, 2))
    sigma = (logvar / 2).exp()
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        result = stats.kstest(z[:, i, j].detach().numpy(), stats.norm(mu[i, j].item(), sigma[i, j].item()).cdf)
        assert result.pvalue > 1e-3
    correlation = torch.corrcoef(z.detach().flatten(1).T) - torch.eye(4)
    assert correlation.abs().max() < 0.02  # each number has noise of its own
    torch.manual_seed(0)
    one = vae.reparameterize(mu, logvar)
    by_mu, by_logvar = torch.autograd.grad(one.sum(), (mu, logvar))
    torch.testing.assert_close(by_mu, torch.ones(2, 2))
    torch.testing.assert_close(by_logvar, (one - mu).detach() / 2)  # noise * sigma / 2


@drawn
@given(
    st.integers(1, 4),
    st.sampled_from([(1, 3, 5), (2, 4, 1), (7,)]),
    st.sampled_from([1.0, 20.0, 300.0]),
    dtypes,
    st.integers(0, 99),
)
def test_bernoulli_cross_entropy_against_pytorch(rows, shape, scale, dtype, seed):
    source = generator_of(seed)
    logits = (torch.randn(rows, *shape, dtype=dtype, generator=source) * scale).requires_grad_()
    x = torch.rand(rows, *shape, dtype=dtype, generator=source)
    x = torch.where(x < 0.3, 0.0, torch.where(x > 0.8, 1.0, x)).to(dtype)  # black, white and grey
    got = vae.bernoulli_cross_entropy(logits, x)
    expected = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    assert got.dtype == dtype
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-4)
    slopes = [torch.autograd.grad(value.sum(), logits, retain_graph=True)[0] for value in (got, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-5)


def test_pixel_entropy_is_what_the_best_logits_leave():
    x = torch.rand(3, 1, 4, 5, generator=generator_of(0), dtype=torch.float64)
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(vae.pixel_entropy(x), vae.bernoulli_cross_entropy(x.clamp(1e-12, 1 - 1e-12).logit(), x))
    expected = (special.entr(x.numpy()) + special.entr(1 - x.numpy())).sum(axis=(1, 2, 3))
    torch.testing.assert_close(vae.pixel_entropy(x), torch.from_numpy(expected))
    _, _, test = data.fashion_mnist()
    assert vae.pixel_entropy(test.images / 255).mean().item() == pytest.approx(189.86, abs=0.01)


def test_a_cross_entropy_of_grey_values_is_no_likelihood():
    """Its exp does not add up to 1 over [0, 1]; the continuous Bernoulli's normalising constant is what is missing."""
    for logit in (-2.0, 0.5):
        p = torch.tensor(logit).sigmoid().item()
        area, _ = integrate.quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)
        assert area < 0.9
        proper = ContinuousBernoulli(logits=torch.tensor([[logit]], dtype=torch.float64))
        x = torch.tensor([[0.3]], dtype=torch.float64)
        plain = vae.bernoulli_cross_entropy(proper.logits, x)
        assert (plain + proper.log_prob(x).sum()).item() == pytest.approx(-math.log(area), rel=1e-6)


@drawn
@given(st.integers(1, 4), st.sampled_from([(1, 3, 2), (5,)]), st.booleans(), dtypes, st.integers(0, 99))
def test_gaussian_against_torch_distributions(rows, shape, one_variance, dtype, seed):
    source = generator_of(seed)
    mean, x = (torch.randn(rows, *shape, dtype=dtype, generator=source) for _ in range(2))
    logvar = torch.randn(() if one_variance else shape, dtype=dtype, generator=source).requires_grad_()
    got = vae.gaussian_nll(mean, logvar, x)
    expected = F.gaussian_nll_loss(mean, x, logvar.exp().expand_as(mean), full=True, reduction="none")
    expected = expected.flatten(1).sum(1)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    slopes = [torch.autograd.grad(value.sum(), logvar, retain_graph=True)[0] for value in (got, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-4)


@drawn
@given(st.floats(-0.2, 1.2), st.floats(-6, 1), st.integers(0, 255))
def test_discretised_logistic_against_scipy(mean, log_scale, level):
    logistic = stats.logistic(mean, math.exp(log_scale))
    x = torch.tensor([[level / 255]], dtype=torch.float64)
    got = vae.logistic_nll(torch.full_like(x, mean), log_scale, x).item()
    upper = math.inf if level == 255 else (level + 0.5) / 255
    lower = -math.inf if level == 0 else (level - 0.5) / 255
    # Both from the side where the numbers are small, so that the difference keeps its digits.
    mass = max(logistic.cdf(upper) - logistic.cdf(lower), logistic.sf(lower) - logistic.sf(upper))
    if mass > 1e-12:
        assert got == pytest.approx(-math.log(mass), rel=1e-3, abs=1e-9)
    assert math.isfinite(got)


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("log_scale", [-8.0, -3.0, 2.0])
def test_the_masses_of_all_grey_values_add_up_to_1(mean, log_scale):
    x = (torch.arange(256) / 255)[:, None]
    masses = (-vae.logistic_nll(torch.full_like(x, mean), log_scale, x)).exp()
    assert masses.sum().item() == pytest.approx(1, abs=1e-4)


def test_a_decoder_as_sure_as_can_be_costs_a_finite_price():
    """Numbers as a training that goes astray makes them: neither infinite nor NaN, nor their gradients."""
    x = (torch.tensor([0, 100, 255]) / 255).view(1, 1, 3, 1)
    for log_scale in (-300.0, 50.0):
        output = torch.tensor([-40.0, 0.0, 40.0, *3 * [log_scale]]).view(1, 2, 3, 1).requires_grad_()
        nll = vae.Logistic().nll(output, x)
        nll.sum().backward()
        assert nll.isfinite().all() and output.grad.isfinite().all()


def test_draws_follow_their_likelihood():
    torch.manual_seed(0)
    output = torch.tensor([0.3, 2.0]).view(1, 2, 1, 1).expand(1, 2, 200, 200)
    logistic = vae.Logistic()
    x = logistic.draw(output)
    levels = (torch.arange(256) / 255)[:, None]
    mean, log_scale = (part[0, 0, 0, 0] for part in logistic.parts(output))
    expected = (-vae.logistic_nll(mean.expand_as(levels), log_scale, levels)).exp() * x.numel()
    came = torch.bincount((x.flatten() * 255).round().long(), minlength=256)
    chi_squared = ((came - expected).square() / expected)[expected > 5].sum().item()
    assert stats.chi2.sf(chi_squared, int((expected > 5).sum()) - 1) > 1e-3
    gaussian = vae.Gaussian()
    drawn = gaussian.draw(torch.zeros(1, 1, 200, 200))
    assert (drawn.min(), drawn.max()) == (0, 1)
    inside = drawn[(drawn > 0) & (drawn < 1)]
    sigma = math.exp(gaussian.logvar.item() / 2)
    cut = stats.truncnorm(-0.5 / sigma, 0.5 / sigma, 0.5, sigma)
    assert stats.kstest(inside.detach().numpy(), cut.cdf).pvalue > 1e-3
    coins = vae.Bernoulli().draw(torch.full((1, 1, 200, 200), 1.0))
    assert set(coins.unique().tolist()) == {0.0, 1.0}
    assert coins.mean().item() == pytest.approx(torch.tensor(1.0).sigmoid().item(), abs=0.01)


def test_the_logistic_reads_a_mean_and_a_scale():
    output = torch.tensor([0.3, 0.0, -2.0, -9.0]).view(2, 2, 1, 1)
    mean, log_scale = vae.Logistic().parts(output)
    torch.testing.assert_close(mean.flatten(), torch.tensor([0.3, -2.0]).sigmoid())
    assert log_scale.flatten().tolist() == [-3.0, -7.0]


@pytest.mark.parametrize("price", [vae.log_normal, vae.gaussian_nll, vae.logistic_nll])
def test_a_scale_given_as_a_number_is_as_exact_as_the_pictures(price):
    x, mean = torch.tensor([[0.2, 1.0]], dtype=torch.float64), torch.tensor([[0.3, 0.6]], dtype=torch.float64)
    numbers = (x, mean, -2.3) if price == vae.log_normal else (mean, -2.3, x)
    tensors = [torch.full_like(x, part) if isinstance(part, float) else part for part in numbers]
    torch.testing.assert_close(price(*numbers), price(*tensors), rtol=1e-14, atol=0)


def test_the_gaussian_learns_the_variance_that_is_there():
    """The best shared variance is the mean squared error (Rybkin et al. 2021, equation 8)."""
    likelihood = vae.Gaussian()
    output, x = torch.randn(8, 1, 28, 28), torch.rand(8, 1, 28, 28)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood.nll(output, x).mean().backward()
        optimizer.step()
    assert likelihood.logvar.exp().item() == pytest.approx(F.mse_loss(output.sigmoid(), x).item(), rel=1e-3)


# One latent, two pixels, all Gaussian: x = a z + noise of variance s2, so that the evidence is known.
A, S2 = torch.tensor([1.5, -0.5], dtype=torch.float64), 0.3
X = torch.tensor([[1.0, 0.2], [-2.0, 1.0], [0.1, 0.0]], dtype=torch.float64)


def log_joint(z: torch.Tensor) -> torch.Tensor:
    """log p(x, z): (..., 3, 1) -> (..., 3)"""
    return vae.log_normal(X, z * A, math.log(S2)) + vae.log_normal(z, 0.0, 0.0)


def evidence() -> torch.Tensor:
    covariance = A[:, None] * A + S2 * torch.eye(2, dtype=torch.float64)
    return torch.from_numpy(stats.multivariate_normal([0, 0], covariance.numpy()).logpdf(X.numpy()))


def true_posterior() -> tuple[torch.Tensor, torch.Tensor]:
    variance = 1 / (1 + A.square().sum() / S2)
    return (X @ A * variance / S2)[:, None], variance.log().expand(3, 1)


def test_elbo_is_the_evidence_less_the_gap():
    """By quadrature over z for a q that is wrong; and with the true posterior there is no gap."""
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None, None]  # (4001, 1, 1)
    width = z[1, 0, 0] - z[0, 0, 0]
    wrong = torch.tensor([[0.3], [-0.9], [0.0]], dtype=torch.float64), torch.full((3, 1), -1.0, dtype=torch.float64)
    for (mu, logvar), gap in ((wrong, True), (true_posterior(), False)):
        q = vae.log_normal(z, mu, logvar).exp()  # (4001, 3)
        nll = -(q * vae.log_normal(X, z * A, math.log(S2))).sum(0) * width
        bound = vae.elbo(nll, vae.kl_to_standard_normal(mu, logvar))
        from_posterior = kl_divergence(normal(mu, logvar), normal(*true_posterior()))
        torch.testing.assert_close(bound, evidence() - from_posterior, rtol=1e-6, atol=1e-6)
        assert (from_posterior > 0.01).all() if gap else (from_posterior.abs() < 1e-6).all()


def test_elbo_weighs_the_kl():
    nll, kl = torch.tensor([200.0, 10.0]), torch.tensor([10.0, 2.0])
    torch.testing.assert_close(vae.elbo(nll, kl), torch.tensor([-210.0, -12.0]))
    torch.testing.assert_close(vae.elbo(nll, kl, beta=4.0), torch.tensor([-240.0, -18.0]))


def test_importance_bound_rises_to_the_evidence_and_stays_below():
    mu, logvar = torch.zeros(3, 1, dtype=torch.float64), torch.full((3, 1), -0.5, dtype=torch.float64)
    torch.manual_seed(0)
    z = vae.reparameterize(mu.expand(500 * 400, 3, 1), logvar.expand(500 * 400, 3, 1))
    log_w = log_joint(z) - vae.log_normal(z, mu, logvar)  # (200000, 3)
    means = []
    for samples in (1, 5, 50, 500):
        groups = log_w.unflatten(0, (-1, samples))  # (repeats, samples, 3)
        bounds = torch.stack([vae.importance_bound(group) for group in groups[:400]])
        means.append(bounds.mean(0))
        slack = 4 * bounds.std(0) / math.sqrt(len(bounds))
        assert (means[-1] <= evidence() + slack).all()
    means = torch.stack(means)
    assert (means.diff(dim=0) > 0).all()
    # The second picture is where q hardly ever draws, so that 500 samples leave a gap there.
    torch.testing.assert_close(means[-1][[0, 2]], evidence()[[0, 2]], atol=0.02, rtol=0)
    exact = true_posterior()
    z = vae.reparameterize(*(part.expand(7, 3, 1) for part in exact))
    torch.testing.assert_close(vae.importance_bound(log_joint(z) - vae.log_normal(z, *exact)), evidence())


@drawn
@given(st.integers(1, 40), st.integers(1, 5), st.sampled_from([0.0, -240.0, 800.0]), dtypes, st.integers(0, 99))
def test_importance_bound_against_log_sum_exp(samples, rows, level, dtype, seed):
    log_w = torch.randn(samples, rows, dtype=dtype, generator=generator_of(seed)) * 5 + level
    expected = log_w.logsumexp(dim=0) - math.log(samples)
    torch.testing.assert_close(vae.importance_bound(log_w), expected, rtol=1e-5, atol=1e-4)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return data.fashion_mnist()[2].images[:60] / 255


@pytest.mark.parametrize("likelihood", [vae.Bernoulli, vae.Gaussian, vae.Logistic])
def test_terms_weights_and_bound_agree(likelihood, pictures):
    torch.manual_seed(0)
    model = vae.VAE(3, (16,), likelihood()).double()
    x = pictures.double()
    nll, kl = vae.terms(model, x, samples=200)
    log_w = vae.log_weights(model, x, 200)
    assert log_w.shape == (200, 60)
    slack = 5 * log_w.std(dim=0) / math.sqrt(200) + 5 * nll.std() / math.sqrt(60 * 200)
    assert ((log_w.mean(dim=0) - vae.elbo(nll, kl)).abs() < slack.clamp(min=0.5)).all()
    assert (vae.importance_bound(log_w) >= log_w.mean(dim=0)).all()


def test_weights_belong_to_their_pictures(pictures):
    """With posteriors as narrow as e^-10 the draws do not matter, and each weight is known up to noise of 3 axes."""
    torch.manual_seed(0)
    model = vae.VAE(3, (16,)).double()
    with torch.no_grad():
        model.encoder.layers[-1].weight[3:] = 0.0
        model.encoder.layers[-1].bias[3:] = -20.0
        model.decoder.layers[-1].weight *= 100  # pictures that differ much
    x = pictures.double()
    mu, logvar = model.posterior(x)
    expected = -vae.terms(model, x).nll + vae.log_normal(mu, 0.0, 0.0) - vae.log_normal(mu, mu, logvar)
    log_w = vae.log_weights(model, x, 4)
    assert ((log_w - expected).abs() < 15).all() and expected.std() > 50
    torch.testing.assert_close(log_w.mean(dim=0), expected + 1.5, atol=4.0, rtol=0)  # half of a chi-squared of 3


@pytest.mark.parametrize("likelihood", [vae.Bernoulli, vae.Gaussian, vae.Logistic])
def test_a_few_steps_make_every_likelihood_better(likelihood, monkeypatch):
    monkeypatch.setenv("COURSE_QUIET", "1")
    pictures = data.fashion_mnist()[0]
    order = training.seed_everything(0)
    model = vae.VAE(2, (32,), likelihood())
    vae.start_at_mean(model, pictures.images)
    before = [p.clone() for p in model.parameters()]
    batches = data.Batches(*pictures, 64, order, mean=0.0, std=1.0)
    objective = vae.Objective(warm_up=10)
    history = training.fit(model, batches, torch.optim.Adam(model.parameters(), lr=2e-3), 60, loss=objective)
    assert objective.calls == 60
    assert sum(history.loss[-10:]) < sum(history.loss[:10])
    assert all((p != old).any() for p, old in zip(model.parameters(), before, strict=True))


def test_the_objective_raises_beta_step_by_step(pictures):
    model = vae.VAE(2, (16,))
    with torch.no_grad():
        model.encoder.layers[-1].bias[:2] = 3.0  # codes far from the prior, so that beta tells
        model.encoder.layers[-1].bias[2:] = -20.0  # and so sure of themselves that the draw does not
    kl = vae.terms(model, pictures).kl.mean().item()
    objective = vae.Objective(beta=2.0, warm_up=4)
    values = [objective(model, pictures, None).item() for _ in range(6)]
    steps = [(value - values[0]) / (2 * kl) for value in values]
    assert steps == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1], abs=1e-3)


@pytest.mark.parametrize("warm_up", [0, 1])
def test_the_objective_without_a_rise(pictures, warm_up):
    model, objective = vae.VAE(1, (16,)), vae.Objective(warm_up=warm_up)
    if warm_up:
        objective(model, pictures, None)  # the first step is free of charge
    torch.manual_seed(0)
    loss = objective(model, pictures, None)
    torch.manual_seed(0)
    torch.testing.assert_close(loss.item(), -vae.elbo(*vae.terms(model, pictures)).mean().item())


def test_an_autoencoder_pays_for_its_reconstructions_alone(pictures):
    model = vae.Autoencoder(2, (8,))
    expected = F.binary_cross_entropy_with_logits(model(pictures), pictures, reduction="sum") / len(pictures)
    torch.testing.assert_close(vae.reconstruction_loss(model, pictures, None), expected)


@pytest.mark.parametrize("network", [vae.VAE, vae.Autoencoder])
def test_the_decoder_has_the_widths_the_other_way_round(network):
    model = network(2, (16, 8))
    sizes = [[layer.out_features for layer in part.layers[::2]] for part in (model.encoder, model.decoder)]
    assert sizes == [[16, 8, 4 if network == vae.VAE else 2], [8, 16, 784]]


def test_a_new_model_begins_from_the_mean_picture():
    images = data.fashion_mnist()[0].images[:2000].clone()
    images[:, 0, 0, 0], images[:, 0, 0, 1] = 255, 0  # nobody is surer than 0.995
    mean = (images / 255).mean(dim=0)
    for model in (vae.VAE(4, (8,)), vae.VAE(4, (8,), vae.Logistic()), vae.Autoencoder(4, (8,))):
        vae.start_at_mean(model, images)
        with torch.no_grad():
            model.decoder.layers[-1].weight.zero_()
            torch.testing.assert_close(vae.decode(model, torch.zeros(1, 4))[0], mean.clamp(0.005, 0.995))
            quiet = model.encoder(mean[None])
        torch.testing.assert_close(quiet, model.encoder.layers(torch.zeros(1, 784)))


def test_decoding_in_pieces_is_decoding_at_once():
    torch.manual_seed(0)
    model = vae.VAE(2, (8,))
    z = torch.randn(2300, 2)
    torch.testing.assert_close(vae.decode(model, z), model.decoder(z).sigmoid().detach())
    assert vae.decode(model, z, draw=True).unique().tolist() == [0.0, 1.0]
    assert model.training  # as it came


def test_temperature_scales_the_codes():
    model = vae.VAE(2, (8,))
    torch.manual_seed(0)
    z = torch.randn(5, 2)
    torch.manual_seed(0)
    torch.testing.assert_close(vae.sample(model, 5, temperature=0.5), vae.decode(model, z / 2))
    torch.manual_seed(0)
    torch.testing.assert_close(vae.sample(model, 5), vae.decode(model, z))
    assert set(vae.sample(model, 5, draw=True).unique().tolist()) == {0.0, 1.0}
    still = vae.sample(model, 3, temperature=0.0)
    torch.testing.assert_close(still, vae.decode(model, torch.zeros(3, 2)))


def test_a_gaussian_of_codes():
    codes = torch.randn(500, 3, generator=generator_of(0)) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0, 0.1]]) + 4
    fitted = vae.fit_gaussian(codes)
    torch.testing.assert_close(fitted.mean, codes.mean(0))
    torch.testing.assert_close(fitted.covariance_matrix, codes.T.cov())
    assert vae.fit_gaussian(torch.tensor([[1.0], [3.0]])).stddev.item() == pytest.approx(math.sqrt(2))


def test_bits_are_for_probabilities():
    bound = torch.tensor([-784 * math.log(2) * 3])
    assert vae.bits_per_dimension(bound, vae.Logistic()).item() == pytest.approx(3)
    for likelihood in (vae.Bernoulli(), vae.Gaussian()):
        with pytest.raises(ValueError, match="no probabilities"):
            vae.bits_per_dimension(bound, likelihood)


def test_a_vae_differs_from_draw_to_draw_and_an_autoencoder_does_not(pictures):
    model, plain = vae.VAE(2, (8,)), vae.Autoencoder(2, (8,))
    assert (model(pictures)[0] != model(pictures)[0]).any()
    torch.testing.assert_close(plain(pictures), plain(pictures), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: vae.VAE(0), ValueError, "latent_dim must be at least 1, got 0"),
        (lambda: vae.VAE(2, (8,))(torch.rand(3, 28, 28)), ValueError, "(N, 1, 28, 28), got (3, 28, 28)"),
        (lambda: vae.VAE(2, (8,))(torch.rand(3, 1, 27, 28)), ValueError, "(N, 1, 28, 28), got (3, 1, 27, 28)"),
        (lambda: vae.VAE(2, (8,)).decoder(torch.rand(3, 5)), ValueError, "codes of shape (N, 2), got (3, 5)"),
        (lambda: vae.reparameterize(torch.zeros(2, 3), torch.zeros(2, 4)), ValueError, "one shape, got (2, 3) and"),
        (lambda: vae.kl_to_standard_normal(torch.zeros(1, 2), torch.full((1, 2), 95.0)), ValueError, "reaches 95"),
        (lambda: vae.reparameterize(torch.zeros(1, 2), torch.full((1, 2), math.nan)), ValueError, "a longer warm-up"),
        (lambda: vae.bernoulli_cross_entropy(torch.zeros(1, 4), torch.full((1, 4), 255.0)), ValueError, "x / 255"),
        (lambda: vae.bernoulli_cross_entropy(torch.zeros(1, 4), torch.zeros(1, 5)), ValueError, "logits and x"),
        (lambda: vae.pixel_entropy(torch.full((1, 4), -1.0)), ValueError, "run from -1 to -1"),
        (lambda: vae.logistic_nll(torch.zeros(1, 4), -3.0, torch.full((1, 4), 0.123)), ValueError, "k / 255"),
        (lambda: vae.gaussian_nll(torch.zeros(1, 4), 0.0, torch.zeros(2, 4)), ValueError, "mean and x"),
        (lambda: vae.elbo(torch.zeros(2), torch.zeros(2), beta=-1.0), ValueError, "beta must be at least 0, got -1"),
        (lambda: vae.elbo(torch.zeros(2), torch.zeros(3)), ValueError, "nll and kl must have one shape"),
        (lambda: vae.Objective(beta=-0.5), ValueError, "beta must be at least 0"),
        (lambda: vae.Objective(warm_up=-1), ValueError, "warm_up must be a number of steps"),
        (lambda: vae.importance_bound(torch.zeros(5)), ValueError, "(samples, pictures)"),
        (lambda: vae.importance_bound(torch.zeros(0, 5)), ValueError, "with a sample at least"),
        (lambda: vae.kl_by_sampling(torch.zeros(1, 2), torch.zeros(1, 2), 0), ValueError, "samples must be at least 1"),
        (lambda: vae.terms(vae.VAE(2, (8,)), torch.rand(1, 1, 28, 28), 0), ValueError, "samples must be at least 1"),
        (lambda: vae.log_weights(vae.VAE(2, (8,)), torch.rand(1, 1, 28, 28), 0), ValueError, "samples must be at"),
        (lambda: vae.sample(vae.VAE(2, (8,)), 0), ValueError, "count must be at least 1"),
        (lambda: vae.sample(vae.VAE(2, (8,)), 1, temperature=-1.0), ValueError, "temperature must be at least 0"),
        (lambda: vae.start_at_mean(vae.VAE(2, (8,)), torch.rand(1, 1, 28, 28)), TypeError, "must be uint8"),
        (lambda: vae.fit_gaussian(torch.zeros(3, 3)), ValueError, "with N above D, got (3, 3)"),
    ],
)
def test_bad_input_gets_a_sentence(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()
