"""The parts of the game against PyTorch, SciPy and torch.distributions; and that it is played fairly."""

import copy
import math
import re
import signal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.distributions import Normal

from course_utils import data, dcgan, training
from tests.drawing import drawn_cases

drawn = drawn_cases(200)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_optimal_discriminator_far_from_both():
    p, q = Normal(0.0, 1.0), Normal(3.0, 0.5)
    x = torch.tensor([-2.0, 0.0, 1.7, 3.0, 40.0])
    expected = p.log_prob(x).double().exp() / (p.log_prob(x).double().exp() + q.log_prob(x).double().exp())
    got = dcgan.optimal_discriminator(p.log_prob(x), q.log_prob(x))
    torch.testing.assert_close(got[:4].double(), expected[:4], rtol=1e-5, atol=1e-7)
    assert got[4] == 1  # where both densities are 0 in float32, p is still the wider one
    assert dcgan.optimal_discriminator(torch.tensor(-500.0), torch.tensor(-501.0)).item() == pytest.approx(0.731059)


@drawn
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([0.1, 3.0, 200.0]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 99),
)
def test_losses_against_pytorch(reals, fakes, scale, dtype, seed):
    logits = torch.randn(reals + fakes, dtype=dtype, generator=generator_of(seed)) * scale
    entropy = F.binary_cross_entropy_with_logits
    expected = {
        dcgan.NON_SATURATING: (
            lambda r, f: entropy(r, torch.ones_like(r)) + entropy(f, torch.zeros_like(f)),
            lambda f: entropy(f, torch.ones_like(f)),
        ),
        dcgan.SATURATING: (
            lambda r, f: entropy(r, torch.ones_like(r)) + entropy(f, torch.zeros_like(f)),
            lambda f: -entropy(f, torch.zeros_like(f)),
        ),
        dcgan.HINGE: (
            lambda r, f: (
                F.hinge_embedding_loss(1 - (1 - r).clamp(min=0), -torch.ones_like(r), margin=1.0)
                + F.hinge_embedding_loss(-f, -torch.ones_like(f), margin=1.0)
            ),
            lambda f: f.mean().neg(),
        ),
    }
    for ours, (of_discriminator, of_generator) in expected.items():
        for a, b in (
            (ours.discriminator, of_discriminator),
            (lambda r, f, o=ours: o.generator(f), lambda r, f, g=of_generator: g(f)),
        ):
            results = []
            for function in (a, b):
                t = logits.clone().requires_grad_()
                value = function(t[:reals], t[reals:])
                results.append((value, torch.autograd.grad(value, t)[0]))
            torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


def test_the_non_saturating_loss_pulls_where_the_saturating_one_does_not():
    slopes = []
    for function in (dcgan.saturating, dcgan.non_saturating):
        t = torch.tensor([-8.0], requires_grad=True)
        function(t).backward()
        slopes.append(t.grad.item())
    assert slopes == [pytest.approx(-0.000335, rel=1e-2), pytest.approx(-0.99966, rel=1e-4)]


@drawn
@given(st.integers(1, 5), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 99))
def test_r1_against_the_gradient_of_each_picture_alone(count, dtype, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(27, 1)).to(dtype)
    real = torch.randn(count, 1, 7, 7, dtype=dtype)
    ours = dcgan.r1_penalty(model(real.requires_grad_()).squeeze(1), real)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: model(x[None]).squeeze()))(real.detach())
    torch.testing.assert_close(ours, jacobian.square().sum() / count, rtol=1e-4, atol=1e-6)
    # and once more, with respect to a weight, against a difference quotient
    if dtype == torch.float64:
        weight = model[0].weight
        (slope,) = torch.autograd.grad(ours, weight)
        with torch.no_grad():
            values = []
            for step in (1e-5, -2e-5):
                weight[0, 0, 1, 1] += step
                with torch.enable_grad():
                    values.append(dcgan.r1_penalty(model(real).squeeze(1), real).item())
        assert slope[0, 0, 1, 1].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("layer", [nn.Linear(7, 5), nn.Conv2d(3, 6, (2, 3)), nn.Linear(1, 4), nn.Linear(4, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spectral_norm_is_pytorchs(layer, dtype):
    layer = copy.deepcopy(layer).to(dtype)
    torch.manual_seed(3)
    theirs = nn.utils.parametrizations.spectral_norm(copy.deepcopy(layer))
    torch.manual_seed(3)
    ours = dcgan.spectral_norm(copy.deepcopy(layer))
    x = torch.randn(4, *([3, 4, 5] if layer.weight.dim() == 4 else layer.weight.shape[1:]), dtype=dtype)
    for round in range(4):
        if round == 3:
            ours.eval(), theirs.eval()
        answers = []
        for model in (ours, theirs):
            model.zero_grad()
            answer = model(x)
            answer.square().sum().backward()
            answers.append((answer, model.parametrizations.weight.original.grad))
        for a, b in zip(*answers, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="layer must have a weight of two axes or more, and a BatchNorm2d"):
        dcgan.spectral_norm(nn.BatchNorm2d(3))


def test_spectral_norm_finds_the_largest_singular_value():
    torch.manual_seed(0)
    layer = nn.Linear(20, 30)
    dcgan.spectral_norm(layer)
    for _ in range(200):
        values = torch.linalg.svdvals(layer.weight)  # each look at the weight is a round
    assert values[0].item() == pytest.approx(1, rel=1e-4)


def test_networks_keep_their_shapes_on_every_batch():
    generator, discriminator = dcgan.Generator(5, (4, 3)), dcgan.Discriminator((3, 4, 5))
    for count in (2, 7):
        pictures = generator(torch.randn(count, 5))
        assert pictures.shape == (count, 1, 28, 28)
        assert pictures.abs().max() <= 1
        assert discriminator(pictures).shape == (count,)
    assert dcgan.sample(generator, torch.randn(1, 5)).shape == (1, 1, 28, 28)
    assert discriminator(torch.randn(2, 28, 28, 1).permute(0, 3, 1, 2)).shape == (2,)


def test_networks_are_laid_out_as_their_docstrings_say():
    def layers(model):
        return " ".join(type(part).__name__ for part in model.modules() if not [*part.children()])

    assert layers(dcgan.Generator(1, (4, 3))) == (
        "Linear Unflatten BatchNorm2d ReLU ConvTranspose2d BatchNorm2d ReLU ConvTranspose2d Tanh"
    )
    for norm, between, biases in (
        ("batch", "BatchNorm2d", [True, False, False, True]),
        ("none", "Identity", [True, True, True, True]),
    ):
        judge = dcgan.Discriminator((3, 4, 5), norm)
        inner = f"Conv2d {between} LeakyReLU "
        assert layers(judge) == "Conv2d LeakyReLU " + 2 * inner + "Flatten Linear"
        learnt = [part for part in judge.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        assert [part.bias is not None for part in learnt] == biases
        x, sizes = torch.zeros(2, 1, 28, 28), []
        for part in judge.layers[:-1]:
            x = part(x)
            sizes.append(x.shape[-1])
        assert sorted(set(sizes), reverse=True) == [14, 7, 4]


def test_a_class_changes_the_picture_and_the_judgement():
    torch.manual_seed(0)
    generator, discriminator = (
        dcgan.Generator(5, (4, 3), classes=10),
        dcgan.Discriminator((3, 4, 5), "none", classes=10),
    )
    z = torch.randn(1, 5).expand(10, 5)
    pictures = dcgan.sample(generator, z, torch.arange(10))
    assert len(pictures.flatten(1).unique(dim=0)) == 10
    torch.testing.assert_close(dcgan.sample(generator, z), pictures)  # the classes take turns
    logits = discriminator(pictures[:1].expand(10, -1, -1, -1), torch.arange(10))
    assert len(logits.unique()) == 10
    features = discriminator.layers(pictures[:1]).squeeze(0)
    expected = discriminator.head(features) + discriminator.of_class.weight @ features
    torch.testing.assert_close(logits, expected)


def test_initialize_draws_as_the_paper_does():
    torch.manual_seed(0)
    generator = dcgan.Generator().apply(dcgan.initialize)
    weight = generator.maps[0].weight
    assert stats.kstest(weight.detach().flatten().numpy() / 0.02, "norm").pvalue > 0.01
    assert generator.enlarge[-2].bias.abs().max() == 0
    assert generator.maps[2].weight.mean().item() == pytest.approx(1, abs=0.02)


def small_game(**options) -> tuple[nn.Module, nn.Module, dcgan.Game]:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8, generator=generator_of(0))
    batches = data.Batches(images, torch.arange(40) % 10, 8, generator_of(1), mean=0.5, std=0.5)
    classes = options.pop("classes", 0)
    networks = (
        dcgan.Generator(4, (4, 3), classes),
        dcgan.Discriminator((3, 4, 5), options.pop("norm", "batch"), classes),
    )
    rate = options.pop("rate", 1e-3)
    optimizers = [torch.optim.Adam(network.parameters(), rate) for network in networks]
    return *networks, dcgan.train(*networks, batches, tuple(optimizers), options.pop("steps", 9), **options)


def test_a_game_is_written_down_and_repeats_itself():
    noise = torch.randn(6, 4, generator=generator_of(2))
    generator, discriminator, game = small_game(noise=noise, frames=3)
    again = small_game(noise=noise, frames=3)[2]
    assert (game.real, game.fake, game.generator_loss) == (again.real, again.fake, again.generator_loss)
    assert len(game.real) == len(game.discriminator_loss) == 9
    assert game.filmed == [1, 4, 9]
    assert game.film[0].shape == (6, 1, 28, 28) and game.film[0].dtype == torch.uint8
    last = (dcgan.sample(generator, noise) * 255).round().to(torch.uint8)
    assert torch.equal(game.film[-1], last)  # the film shows the averaged generator, which is what stays
    assert generator.training and discriminator.training


@pytest.mark.parametrize(
    "options",
    [
        {"loss": dcgan.HINGE, "norm": "spectral"},
        {"loss": dcgan.SATURATING},
        {"r1": 1.0, "norm": "none"},
        {"classes": 10},
        {"classes": 10, "mismatch": 2.0},
    ],
    ids=["hinge and spectral norm", "saturating", "R1", "classes", "classes and mismatch"],
)
def test_every_kind_of_game_can_be_played(options):
    game = small_game(**options)[2]
    assert all(math.isfinite(value) for value in game.discriminator_loss + game.generator_loss)


def test_the_discriminator_half_step_leaves_the_generator_alone():
    torch.manual_seed(0)
    generator, discriminator = dcgan.Generator(4, (4, 3)), dcgan.Discriminator((3, 4, 5))
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    before = copy.deepcopy(discriminator.state_dict())
    fake = generator(torch.randn(6, 4))
    value, on_real, on_fake = dcgan.discriminator_step(
        discriminator, optimizer, dcgan.NON_SATURATING, torch.rand(6, 1, 28, 28), fake
    )
    assert all(p.grad is None for p in generator.parameters())
    assert any(not torch.equal(before[name], p) for name, p in discriminator.state_dict().items())
    assert 0 < on_real < 1 and 0 < on_fake < 1 and value > 0


def test_real_pictures_with_a_wrong_label_count_as_fakes():
    torch.manual_seed(0)
    discriminator = dcgan.Discriminator((3, 4, 5), "none", classes=10)
    twin = copy.deepcopy(discriminator)
    real, fake, labels = torch.rand(6, 1, 28, 28), torch.rand(6, 1, 28, 28), torch.arange(6)
    torch.manual_seed(1)
    wrong = (labels + torch.randint(1, 10, (6,))) % 10
    torch.manual_seed(1)
    moving = torch.optim.SGD(discriminator.parameters(), 0.1)
    value, *_ = dcgan.discriminator_step(discriminator, moving, dcgan.HINGE, real, fake, labels, mismatch=2.0)
    on_real, on_fake, on_wrong = twin(real, labels), twin(fake, labels), twin(real, wrong)
    hinge = F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
    (hinge + 2 * (F.relu(1 - on_real).mean() + F.relu(1 + on_wrong).mean())).backward()
    assert value == pytest.approx(hinge.item(), rel=1e-6)  # what is told is the game's own loss
    for ours, theirs in zip(discriminator.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - 0.1 * theirs.grad)


def test_the_discriminator_pays_half_of_gamma_for_each_squared_slope():
    torch.manual_seed(0)
    discriminator = dcgan.Discriminator((3, 4, 5), "none")
    twin = copy.deepcopy(discriminator)
    real, fake = torch.rand(6, 1, 28, 28), torch.rand(6, 1, 28, 28)
    moving = torch.optim.SGD(discriminator.parameters(), 0.1)
    dcgan.discriminator_step(discriminator, moving, dcgan.HINGE, real, fake, r1=3.0)
    seen = real.clone().requires_grad_()
    on_real = twin(seen)
    (slope,) = torch.autograd.grad(on_real.sum(), seen, create_graph=True)
    hinge = F.relu(1 - on_real).mean() + F.relu(1 + twin(fake)).mean()
    (hinge + 1.5 * slope.square().sum(dim=(1, 2, 3)).mean()).backward()
    for ours, theirs in zip(discriminator.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - 0.1 * theirs.grad)


def test_a_wrong_label_is_any_but_the_right_one():
    labels = torch.arange(10).repeat(300)
    wrong = dcgan._other_labels(labels, 10)
    assert not (wrong == labels).any()
    counts = torch.bincount(labels * 10 + wrong, minlength=100).view(10, 10)
    assert counts.diagonal().sum() == 0 and (counts + 100 * torch.eye(10).long()).min() > 10
    with pytest.raises(ValueError, match="mismatch: a discriminator without classes"):
        small_game(mismatch=1.0)


def test_the_generator_half_step_leaves_the_discriminator_alone():
    torch.manual_seed(0)
    generator, discriminator = dcgan.Generator(4, (4, 3)), dcgan.Discriminator((3, 4, 5), norm="none")
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    before = copy.deepcopy(generator.state_dict())
    dcgan.generator_step(discriminator, optimizer, dcgan.NON_SATURATING, generator(torch.randn(6, 4)))
    assert all(p.grad is None and p.requires_grad for p in discriminator.parameters())
    assert any(not torch.equal(before[name], p) for name, p in generator.state_dict().items())


def test_without_an_average_the_generator_ends_as_it_was_moved():
    plain, averaged = small_game(average=None)[0], small_game(average=0.9)[0]
    assert not torch.equal(plain.maps[0].weight, averaged.maps[0].weight)


def test_the_average_begins_over_few_steps():
    (moved, _, _), (averaged, _, _) = (small_game(average=average, steps=1) for average in (None, 0.98))
    first = small_game(average=None, steps=1, rate=0.0)[0]
    for mean, new, old in zip(averaged.parameters(), moved.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.9 * new + 0.1 * old)


def test_the_schedule_is_asked_for_each_step_from_0():
    asked = []
    small_game(schedule=lambda step, steps: asked.append((step, steps)) or 1.0, steps=3)
    assert asked == [(0, 3), (1, 3), (2, 3)]


def test_rates_are_put_back():
    torch.manual_seed(0)
    networks = dcgan.Generator(4, (4, 3)), dcgan.Discriminator((3, 4, 5))
    optimizers = tuple(
        torch.optim.SGD(network.parameters(), rate) for network, rate in zip(networks, (0.1, 0.2), strict=True)
    )
    batches = data.Batches(torch.zeros(4, 1, 28, 28, dtype=torch.uint8), torch.zeros(4), 4, mean=0.5, std=0.5)
    dcgan.train(*networks, batches, optimizers, 3, schedule=training.one_cycle)
    assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [0.1, 0.2]


@drawn
@given(st.integers(2, 70), st.floats(0, 1), st.sampled_from([0.01, 1.0, 30.0]), st.integers(0, 99))
def test_slerp_turns_at_an_even_pace(dimensions, t, scale, seed):
    a, b = scale * torch.randn(2, 3, dimensions, dtype=torch.float64, generator=generator_of(seed))
    a, b = (scale * F.normalize(v, dim=1) for v in (a, b))  # on a sphere it stays there
    point = dcgan.slerp(a, b, t)
    torch.testing.assert_close(point.norm(dim=1), torch.full((3,), scale, dtype=torch.float64))
    angle = F.cosine_similarity(a, b).clamp(-1, 1).acos()
    torch.testing.assert_close(F.cosine_similarity(a, point).clamp(-1, 1).acos(), t * angle, rtol=1e-5, atol=1e-5)


def test_slerp_of_parallel_vectors_is_the_straight_line():
    a = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(dcgan.slerp(a, 3 * a, 0.25), 1.5 * a)
    torch.testing.assert_close(dcgan.slerp(a, a, torch.tensor([[0.0], [1.0]])), a.expand(2, 2))
    with pytest.raises(ValueError, match="opposite directions"):
        dcgan.slerp(a, -a, 0.5)


@pytest.mark.parametrize("limit", [0.3, 1.0, 8.0])
def test_truncated_noise_is_scipys(limit):
    noise = dcgan.truncated_noise(400, 50, limit, generator_of(0))
    assert noise.abs().max() <= limit
    torch.manual_seed(1)  # which has no say
    assert torch.equal(dcgan.truncated_noise(400, 50, limit, generator_of(0)), noise)
    assert stats.kstest(noise.flatten().numpy(), stats.truncnorm(-limit, limit).cdf).pvalue > 0.01


generator, discriminator = dcgan.Generator(4, (4, 3)), dcgan.Discriminator((3, 4, 5))
asked = dcgan.Generator(4, (4, 3), classes=10)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: generator(torch.randn(2, 5)), ValueError, "z must be noise of shape (N, 4), got (2, 5)"),
        (lambda: generator(torch.randn(4)), ValueError, "z must be noise"),
        (lambda: dcgan.spectral_norm(nn.ReLU()), ValueError, "a ReLU has none"),
        (lambda: discriminator(torch.randn(2, 1, 32, 32)), ValueError, "x must be pictures of shape (N, 1, 28, 28)"),
        (lambda: asked(torch.randn(2, 4)), ValueError, "needs one for each picture, from 0 to 9"),
        (lambda: asked(torch.randn(2, 4), torch.tensor([0, 10])), ValueError, "between 0 and 9, got 0 to 10"),
        (lambda: asked(torch.randn(2, 4), torch.tensor([0.0, 1.0])), TypeError, "labels must be int64 of shape (2,)"),
        (lambda: asked(torch.randn(2, 4), torch.tensor([0])), TypeError, "labels must be int64 of shape (2,)"),
        (lambda: generator(torch.randn(2, 4), torch.tensor([0, 1])), ValueError, "made without classes"),
        (lambda: dcgan.Generator(0), ValueError, "latent_dim must be at least 1"),
        (lambda: dcgan.Discriminator(norm="layer"), ValueError, "norm must be 'batch', 'spectral' or 'none'"),
        (lambda: dcgan.truncated_noise(2, 2, 0), ValueError, "limit must be above 0"),
        (lambda: dcgan.r1_penalty(torch.zeros(2), torch.zeros(2, 1, 3, 3)), ValueError, "real must require a gradient"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()


def play(batches) -> None:
    optimizers = [torch.optim.SGD(network.parameters(), 0.1) for network in (generator, discriminator)]
    dcgan.train(generator, discriminator, batches, tuple(optimizers), 3)


def test_pictures_on_another_scale_are_refused():
    with pytest.raises(ValueError, match=re.escape("pictures in [-1, 1]")):
        play([(3 * torch.ones(2, 1, 28, 28), torch.zeros(2))])


def test_a_loss_that_is_no_number_stops_the_game():
    with pytest.raises(FloatingPointError, match="take smaller rates"):
        play([(torch.full((2, 1, 28, 28), math.nan), torch.zeros(2))])


def test_no_batches_are_named():
    with pytest.raises(ValueError, match="batches: there are none"):
        play([])


def test_the_stop_button_ends_the_game_after_the_step_under_way(capsys):
    class Pressed(list):
        def __iter__(self):
            for number, batch in enumerate(super().__iter__()):
                if number == 2:
                    signal.raise_signal(signal.SIGINT)
                yield batch

    pictures = torch.rand(2, 1, 28, 28) * 2 - 1
    torch.manual_seed(0)
    networks = dcgan.Generator(4, (4, 3)), dcgan.Discriminator((3, 4, 5))
    optimizers = tuple(torch.optim.SGD(network.parameters(), 0.1) for network in networks)
    before = networks[0].maps[0].weight.clone()
    game = dcgan.train(*networks, Pressed([(pictures, torch.zeros(2))] * 9), optimizers, 9)
    assert len(game.real) == 3
    assert "Stopped after step 3 of 9" in capsys.readouterr().out
    assert not torch.equal(networks[0].maps[0].weight, before)


def test_steps_are_capped_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv("COURSE_MAX_STEPS", "2")
    assert len(small_game()[2].real) == 2
