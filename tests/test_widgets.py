"""The explorers: what they show is what the blocks compute, wherever the controls stand."""

import base64
import io
import math
import re
import threading

import ipywidgets
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageColor
from torch import nn

from course_utils import (
    augment,
    cnn,
    convolution,
    data,
    dcgan,
    explain,
    metrics,
    own_pictures,
    palette,
    sketch,
    vae,
    vit,
    widgets,
)
from course_utils.widgets import lesson_00
from course_utils.widgets.explorer import Explorer

PNG = b"\x89PNG\r\n"
SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def boot():
    return data.read_idx(data.FOLDER / "t10k-images-idx3-ubyte.gz")[0] / 255


@pytest.fixture
def explorer(boot):
    return widgets.Convolution(boot, SOBEL)


@pytest.mark.parametrize(
    ("shift", "stride", "padding", "dilation"), [(0, 1, 0, 1), (3, 2, 1, 1), (-2, 1, 4, 4), (1, 4, 0, 3)]
)
def test_window_products_and_sum_are_those_of_the_output(explorer, boot, shift, stride, padding, dilation):
    explorer.shift.value, explorer.stride.value = shift, stride
    explorer.padding.value, explorer.dilation.value = padding, dilation
    explorer.row.value, explorer.column.value = 2, 3
    expected = F.conv2d(boot.roll(shift, -1)[None, None], SOBEL[None, None], None, stride, padding, dilation)[0, 0]
    under, products, total = explorer.window()
    assert total == pytest.approx(expected[2, 3].item(), abs=1e-5)
    torch.testing.assert_close(under * SOBEL, products)
    size = convolution.output_size(28, 3, stride, padding, dilation)
    assert f"({28} + 2·{padding} − {dilation}·(3 − 1) − 1) // {stride} + 1 = <b>{size}</b>" in explorer.sentence.value
    assert f"<b>{total:.2f}</b>" in explorer.sentence.value


def test_every_control_redraws(explorer):
    explorer.row.value = explorer.column.value = 5  # in the middle, whatever the size
    controls = [explorer.shift, explorer.stride, explorer.padding, explorer.dilation, explorer.row, explorer.column]
    for control in [*controls, *explorer.kernel]:
        before = explorer.picture.value
        control.value += 1
        assert explorer.picture.value != before, control.description or control.tooltip
        assert bytes(explorer.picture.value).startswith(PNG)


def test_what_the_page_sends_waits_until_the_picture_is_drawn():
    class LooksTwice(Explorer):
        def __init__(self):
            self.slider, self.seen, self.page = ipywidgets.IntSlider(0, 0, 9), [], threading.Thread()
            super().__init__("looks at its slider twice", [self.slider])

        def draw(self):
            before = self.slider.value
            if before == 1:  # while this is drawn the page sends the next number, in a thread of its own
                self.page = threading.Thread(target=self.slider.set_state, args=[{"value": 2}])
                self.page.start()
                self.page.join(0.2)
            self.seen.append((before, self.slider.value))
            return sketch.Sketch(10, 10), ""

    twice = LooksTwice()
    twice.slider.set_state({"value": 1})
    twice.page.join()
    assert twice.seen == [(0, 0), (1, 1), (2, 2)]


def test_window_stays_on_its_pixels_when_the_stride_changes(explorer):
    explorer.row.value, explorer.column.value = 16, 8
    explorer.stride.value = 2
    assert (explorer.row.value, explorer.column.value) == (8, 4)
    explorer.stride.value = 1
    assert (explorer.row.value, explorer.column.value) == (16, 8)


def test_window_stays_inside_when_the_output_shrinks(explorer):
    explorer.row.value = explorer.column.value = 25
    explorer.dilation.value = 4
    assert (explorer.row.value, explorer.row.max) == (19, 19)
    assert (explorer.column.value, explorer.column.max) == (19, 19)
    explorer.window()


def test_equal_settings_give_the_same_picture(explorer, boot):
    assert explorer.picture.value == widgets.Convolution(boot, SOBEL).picture.value


@pytest.mark.parametrize(
    "explorer_class", [widgets.Broadcasting, widgets.Ravine, lambda: widgets.Convolution(torch.eye(28), SOBEL)]
)
def test_without_a_kernel_the_picture_stays(explorer_class):
    explorer = explorer_class()
    bundle, described = explorer._repr_mimebundle_()
    still, picture = (
        Image.open(io.BytesIO(content)) for content in (base64.b64decode(bundle["image/png"]), explorer.picture.value)
    )
    picture = picture.reduce(sketch.SCALE)
    assert still.crop((0, 0, *picture.size)).tobytes() == picture.tobytes()
    below = still.crop((0, picture.height, *still.size))
    assert below.height > 20 and len(below.getcolors(10**6)) > 10  # the sentence
    assert described["image/png"]["alt"].startswith(explorer.title)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert bundle["text/plain"].startswith("Explorer: ")


def test_every_control_has_a_name_for_who_cannot_see_it(explorer):
    def controls(widget):
        if isinstance(widget, ipywidgets.Box):
            return [control for child in widget.children for control in controls(child)]
        return [widget] if hasattr(widget, "disabled") else []

    for control in [*controls(explorer), *controls(widgets.Broadcasting()), *controls(widgets.Ravine())]:
        assert control.description or control.tooltip


@pytest.mark.parametrize(
    ("a", "b"), [("4, 1, 3", "5, 3"), ("3", "3"), ("(2, 1)", "1, 2"), ("", "2, 3"), ("1", "1, 1"), ("7, 1", "1")]
)
def test_broadcasting_tells_the_shape_torch_gives(a, b):
    explorer = widgets.Broadcasting()
    explorer.first.value, explorer.second.value = a, b
    shapes = [tuple(int(n) for n in text.strip("()").split(",") if n) for text in (a, b)]
    expected = tuple((torch.zeros(shapes[0]) + torch.zeros(shapes[1])).shape)
    assert f"a + b has shape {expected}." in explorer.sentence.value


def test_broadcasting_names_what_is_stretched():
    say = widgets.Broadcasting.say
    assert say((4, 1, 3), (5, 3)).endswith("Stretched: a along axis -2, b along axis -3.")
    assert say((2, 3), (2, 3)).endswith("Stretched: nothing.")
    assert say((1, 3), (3,)).endswith("Stretched: nothing.")


def test_broadcasting_names_the_axis_that_does_not_fit():
    explorer = widgets.Broadcasting()
    explorer.first.value, explorer.second.value = "2, 3, 4", "5, 4"
    assert "axis -2 is 3 in one and 5 in the other" in explorer.sentence.value


@pytest.mark.parametrize("nonsense", ["x", "-1", "0, 2", "1.5", "1,1,1,1,1,1,1", "1000"])
def test_broadcasting_asks_for_a_shape(nonsense):
    explorer = widgets.Broadcasting()
    explorer.second.value = nonsense
    assert "The shape of b should be up to six whole numbers" in explorer.sentence.value
    assert bytes(explorer.picture.value).startswith(PNG)


# ---- The ravine


@pytest.mark.parametrize("name", widgets.Ravine.OPTIMIZERS)
def test_the_way_is_that_of_torchs_optimizer(name):
    """Followed by autograd and torch.optim, where the explorer uses the gradient's formula and our optimizers."""
    explorer = widgets.Ravine()
    explorer.optimizer.value, explorer.rate.value, explorer.momentum.value = name, 0.05, 0.7
    place = torch.nn.Parameter(torch.tensor(widgets.Ravine.START))
    theirs = {
        "gradient descent": lambda: torch.optim.SGD([place], 0.05),
        "momentum": lambda: torch.optim.SGD([place], 0.05, momentum=0.7),
        "Nesterov": lambda: torch.optim.SGD([place], 0.05, momentum=0.7, nesterov=True),
        "RMSprop": lambda: torch.optim.RMSprop([place], 0.05),
        "Adam": lambda: torch.optim.Adam([place], 0.05, (0.7, 0.99)),
    }[name]()
    places = [place.detach().clone()]
    for _ in range(widgets.Ravine.STEPS):
        theirs.zero_grad()
        ((place[0] ** 2 + 20 * place[1] ** 2) / 2).backward()
        theirs.step()
        places.append(place.detach().clone())
    torch.testing.assert_close(explorer.path(), torch.stack(places), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("rate", "falls"), [(0.099, True), (0.101, False)])
def test_gradient_descent_diverges_beyond_the_line(rate, falls):
    explorer = widgets.Ravine()
    explorer.rate.value = rate
    across = explorer.path()[:, 1].abs()
    assert (across[-1] < across[0]).item() is falls
    assert f"= −{rate * 20 - 1:.3g} (the noise" in explorer.sentence.value


def test_every_control_of_the_ravine_redraws():
    explorer = widgets.Ravine()
    explorer.optimizer.value = "Adam"
    for control, value in (
        (explorer.rate, 0.5), (explorer.momentum, 0.3), (explorer.noise, 2.0), (explorer.condition, 90.0),
        (explorer.optimizer, "Nesterov"),
    ):  # fmt: skip
        before = explorer.picture.value
        control.value = value
        assert explorer.picture.value != before, control.description
        assert bytes(explorer.picture.value).startswith(PNG)


def test_the_ravine_survives_what_flies_away():
    explorer = widgets.Ravine()
    explorer.rate.value, explorer.condition.value = 10.0, 100.0
    assert "Loss" in explorer.sentence.value


# ---- Lessons 04 and 05: pictures and a network


@pytest.fixture(scope="module")
def pictures_and_net():
    images = data.read_idx(data.FOLDER / "t10k-images-idx3-ubyte.gz")[:5, None]
    labels = data.read_idx(data.FOLDER / "t10k-labels-idx1-ubyte.gz")[:5].long()
    torch.manual_seed(0)
    return images, labels, cnn.FastNet().eval()


def test_augmentations_show_the_picture_as_it_is_at_first(pictures_and_net):
    explorer = widgets.Augmentations(*pictures_and_net)
    assert torch.equal(explorer.changed(), pictures_and_net[0][:1])
    assert data.CLASSES[pictures_and_net[1][0]] in explorer.sentence.value


def test_augmentations_are_those_of_the_blocks(pictures_and_net):
    images, _, net = pictures_and_net
    explorer = widgets.Augmentations(*pictures_and_net)
    explorer.number.value, explorer.right.value = 2, 3
    assert torch.equal(explorer.changed(), F.pad(images[2:3, ..., :-3], (3, 0)))
    explorer.right.value, explorer.mirror.value, explorer.upside_down.value = 0, True, True
    turned = explorer.changed()
    assert torch.equal(turned, images[2:3].flip(-1, -2))
    explorer.mirror.value = explorer.upside_down.value = False
    explorer.turn.value = 180
    torch.testing.assert_close(explorer.changed(), turned, atol=1, rtol=0)
    explorer.turn.value, explorer.zoom.value, explorer.slant.value = 30, 1.5, 20
    matrices = augment.affine_matrices(*(torch.tensor([value]) for value in (30.0, 1.5, 20.0)))
    assert torch.equal(explorer.changed(), augment.warp(images[2:3], matrices))
    named = data.CLASSES[net(data.normalize(explorer.changed())).argmax()]
    assert f"The network says: <b>{named}</b>" in explorer.sentence.value


def test_every_control_of_the_augmentations_redraws(pictures_and_net):
    explorer = widgets.Augmentations(*pictures_and_net)
    sliders = [explorer.number, explorer.turn, explorer.zoom, explorer.slant, explorer.right, explorer.brightness]
    for control in [*sliders, explorer.contrast, explorer.mirror, explorer.upside_down]:
        before = explorer.picture.value
        control.value = not control.value if isinstance(control.value, bool) else control.value + control.step
        assert explorer.picture.value != before, control.description


def test_looking_asks_about_the_class_that_is_chosen(pictures_and_net):
    images, labels, net = pictures_and_net
    explorer = widgets.Looking(*pictures_and_net)
    torch.testing.assert_close(explorer.attacked(), data.normalize(images[:1]))
    before = explorer.picture.value
    explorer.number.value, explorer.about.value = 3, "Bag"
    assert explorer.picture.value != before
    assert "what speaks for <b>Bag</b>" in explorer.sentence.value
    assert data.CLASSES[labels[3]] in explorer.sentence.value
    explorer.attack.value = 8
    moved = (explorer.attacked() - data.normalize(images[3:4])).abs() * data.STD * 255
    assert moved.max().item() == pytest.approx(8, abs=1e-3)
    black, white = -data.MEAN / data.STD, (1 - data.MEAN) / data.STD
    expected = explain.fast_gradient_sign(
        net, data.normalize(images[3:4]), labels[3:4], 8 / 255 / data.STD, black, white
    )
    assert torch.equal(explorer.attacked(), expected)


# ---- Lessons 02 and 06: attention


def numbers_said(explorer):
    """Entropy, its limit and the gradient, as the sentence gives them."""
    plain = re.sub("<.*?>", "", explorer.sentence.value)
    found = re.search(r"weights ([\d.]+), at most ln \d = ([\d.]+)\. .*gradient ([\d.]+)\. ", plain)
    return [float(number) for number in found.groups()]


@pytest.mark.parametrize("d", [2, 32, 512])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_look_up_weighs_as_pytorch(d, scaled):
    explorer = widgets.SoftLookup()
    explorer.right.value, explorer.up.value, explorer.d.value, explorer.scaled.value = -0.7, 0.4, d, scaled
    explorer.may_look[2].value = False
    scores = explorer.KEYS @ torch.tensor([-0.7, 0.4]) * math.sqrt(d / 2) / (math.sqrt(d) if scaled else 1)
    scores[2] = -math.inf
    expected = F.softmax(scores, 0)
    torch.testing.assert_close(explorer.weights(), expected)
    entropy, limit, slope = numbers_said(explorer)
    assert entropy == pytest.approx(torch.distributions.Categorical(expected).entropy().item(), abs=0.006)
    assert limit == pytest.approx(math.log(5), abs=0.006)
    jacobian = torch.autograd.functional.jacobian(lambda s: F.softmax(s, 0), scores[[0, 1, 3, 4, 5]])
    assert slope == pytest.approx(jacobian.norm().item(), abs=0.0006)
    drawn = explorer.draw()[0].image
    x, y = (expected @ explorer.VALUES).tolist()
    place = 535 + 240 * (x + 2.3) / 4.6, 24 + 240 * (2.3 - y) / 4.6
    assert drawn.getpixel([round(of * sketch.SCALE) for of in place]) == ImageColor.getrgb(palette.ORANGE)


def test_scaled_the_length_of_a_key_does_not_matter():
    explorer = widgets.SoftLookup()
    before = explorer.weights()
    explorer.d.value = 512
    torch.testing.assert_close(explorer.weights(), before)
    explorer.scaled.value = False
    assert explorer.weights().max() > 1.5 * before.max()


def test_a_look_up_that_may_look_nowhere_brings_zeros():
    explorer = widgets.SoftLookup()
    for box in explorer.may_look:
        before = explorer.picture.value
        box.value = False
        assert explorer.picture.value != before
    assert explorer.weights().tolist() == [0] * 6
    assert "all weights are 0" in explorer.sentence.value


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(0)
    model = vit.ViT()
    nn.init.normal_(model.head.weight)
    nn.init.normal_(model.positions)
    return model.eval()


def test_patches_shows_the_models_own_maps(pictures_and_net, transformer):
    images, labels, _ = pictures_and_net
    explorer = widgets.Patches(images, labels, transformer)
    explorer.number.value, explorer.layer.value, explorer.head.value, explorer.asking.value = 3, 2, 4, 6
    x = data.normalize(images[3:4])
    maps = explain.attention_maps(transformer, x)
    weights, p = explorer.looks(x, torch.ones(16, dtype=torch.bool))
    torch.testing.assert_close(weights, maps[1, 0, 3, 6])
    torch.testing.assert_close(p, transformer(x).softmax(1)[0])
    explorer.asking.value = explorer.head.value = explorer.MEAN
    torch.testing.assert_close(explorer.looks(x, torch.ones(16, dtype=torch.bool))[0], maps[1, 0].mean((0, 1)))
    assert f"<b>{data.CLASSES[p.argmax()]}</b> ({p.max():.2f})" in explorer.sentence.value


@pytest.mark.parametrize(("way", "largest"), [("most looked at", True), ("least looked at", False)])
def test_patches_leaves_out_what_it_says(pictures_and_net, transformer, way, largest):
    images, labels, _ = pictures_and_net
    explorer = widgets.Patches(images, labels, transformer)
    explorer.asking.value, explorer.way.value, explorer.hide.value = 5, way, 3
    x = data.normalize(images[:1])
    weights, _ = explorer.looks(x, torch.ones(16, dtype=torch.bool))
    others = weights.clone()
    others[5] = -1 if largest else 2
    gone = others.topk(3, largest=largest).indices
    kept = torch.ones(16, dtype=torch.bool)
    kept[gone] = False
    p = transformer.head(transformer.encode(transformer.tokens(x)[:, kept])).softmax(1)[0]
    assert f"({p.max():.2f})" in explorer.sentence.value
    assert f"had {weights[gone].sum():.2f} of the look" in explorer.sentence.value
    explorer.hide.value = 15
    assert "of the look" in explorer.sentence.value


def test_patches_shuffles_and_every_control_redraws(pictures_and_net, transformer):
    images, labels, _ = pictures_and_net
    explorer = widgets.Patches(images, labels, transformer)
    for control, value in (
        (explorer.number, 1), (explorer.asking, 6), (explorer.layer, 1), (explorer.head, 2), (explorer.hide, 3),
        (explorer.way, "random"), (explorer.shuffle, True),
    ):  # fmt: skip
        before = explorer.picture.value
        control.value = value
        assert explorer.picture.value != before, control.description
        assert bytes(explorer.picture.value).startswith(PNG)
    shuffled = explorer.given()
    assert torch.equal(vit.patchify(shuffled, 7), vit.patchify(images[1:2], 7)[:, explorer.order])


def test_a_gan_on_a_line_moves_where_its_loss_falls():
    explorer = widgets.OneDimensionalGame()
    for loss in explorer.LOSSES:
        explorer.mean.value, explorer.width.value, explorer.loss.value = 2.0, 0.8, loss
        real, fakes = explorer.densities()
        places = torch.linspace(0.5, 3.5, 7)
        for number, place in enumerate(places):  # the pull is minus the slope of the loss, by a difference quotient
            ends = torch.tensor([place - 1e-3, place + 1e-3], dtype=torch.float64)
            logits = real.log_prob(ends) - fakes.log_prob(ends)
            values = [explorer.LOSSES[loss](logit[None]).item() for logit in logits]
            slope = (values[1] - values[0]) / 2e-3
            assert explorer.pull(places)[number].item() == pytest.approx(-slope, rel=1e-2, abs=1e-3)
        before, picture = explorer.slopes(), explorer.picture.value
        explorer.step.click()
        assert explorer.mean.value == pytest.approx(2.0 - explorer.RATE * before[0], abs=0.03)
        assert explorer.width.value == pytest.approx(0.8 - explorer.RATE * before[1], abs=0.03)
        assert explorer.picture.value != picture


def test_the_best_discriminator_pays_what_the_divergence_says():
    explorer = widgets.OneDimensionalGame()
    explorer.mean.value, explorer.width.value = 0.0, 1.0
    assert f"<b>{2 * math.log(2):.3f}</b>" in explorer.sentence.value  # fakes as good as real ones: a coin toss
    assert "<b>+0.000</b>" in explorer.sentence.value
    explorer.mean.value = 1.5
    p, q = explorer.densities()
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    logits = p.log_prob(x) - q.log_prob(x)
    losses = p.log_prob(x).exp() * F.softplus(-logits) + q.log_prob(x).exp() * F.softplus(logits)
    expected = torch.trapezoid(losses, x).item()
    shown = float(explorer.sentence.value.split("<b>")[1].split("</b>")[0])
    assert shown == pytest.approx(expected, abs=0.01)


def test_every_control_of_the_game_redraws():
    explorer = widgets.OneDimensionalGame()
    for control, value in ((explorer.mean, -1.0), (explorer.width, 1.5), (explorer.loss, "saturating")):
        before = explorer.picture.value
        control.value = value
        assert explorer.picture.value != before, control.description
        assert bytes(explorer.picture.value).startswith(PNG)


def test_a_latent_walk_shows_what_the_generator_draws():
    torch.manual_seed(0)
    generator = dcgan.Generator(6, (4, 3))
    explorer = widgets.LatentWalk(generator)
    lengths = explorer.noise().norm(dim=1)
    ends = [torch.randn(6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    assert torch.equal(explorer.noise()[0], ends[0])
    torch.testing.assert_close(explorer.noise()[-1], ends[1])
    assert lengths.min() >= min(end.norm() for end in ends) - 0.5
    explorer.way.value = "straight"
    torch.testing.assert_close(explorer.noise()[3], ends[0] + (ends[1] - ends[0]) * 3 / 11)
    for control, value in ((explorer.start, 5), (explorer.end, 7), (explorer.place, 6)):
        before = explorer.picture.value
        control.value = value
        assert explorer.picture.value != before, control.description
    assert f"<b>{explorer.noise()[6].norm():.1f}</b>" in explorer.sentence.value


def test_spoilt_pictures_get_what_the_measures_say_of_them():
    _, _, test = data.fashion_mnist()
    images, labels = test.images[:1000], test.labels[:1000]
    explorer = widgets.Corruptions(images, labels)
    real = cnn.ruler_features(images[500:] / 255)
    for way, strength in (("blur", 2), ("noise", 4), ("leaving out classes", 5), ("repeating few pictures", 8)):
        before = explorer.picture.value
        explorer.way.value, explorer.strength.value = way, strength
        assert explorer.picture.value != before
        distance = metrics.frechet_distance(cnn.ruler_features(explorer.spoilt()), real)
        assert f"<b>{distance:.1f}</b>" in explorer.sentence.value
    assert len(explorer.spoilt().flatten(1).unique(dim=0)) == 2
    explorer.way.value, explorer.strength.value = "leaving out classes", 9
    boots = labels[:500] == 9
    assert torch.equal(explorer.spoilt()[: int(boots.sum())], images[:500][boots] / 255)
    for way in explorer.WAYS:  # with no strength nothing is changed
        explorer.way.value, explorer.strength.value = way, 0
        torch.testing.assert_close(explorer.spoilt(), images[:500] / 255)


def test_the_map_shows_the_posterior_of_the_item_and_what_is_decoded():
    _, _, test = data.fashion_mnist()
    images = test.images[:50]
    torch.manual_seed(0)
    models = {beta: vae.VAE(2, (8,)) for beta in (0.5, 1.0, 4.0)}
    explorer = widgets.LatentMap(models, images)
    explorer.beta.value, explorer.item.value = 4.0, 7
    mu, logvar = models[4.0].posterior(images[7:8] / 255)
    torch.testing.assert_close(explorer.codes()["decoded mean"], mu)
    assert ((explorer.codes()["decoded draw"] - mu).abs() < 4 * (logvar / 2).exp()).all()
    kl = vae.kl_to_standard_normal(mu, logvar).item()
    assert f"<b>{kl:.1f}</b>" in explorer.sentence.value
    rate = vae.kl_to_standard_normal(*models[4.0].posterior(images / 255)).mean().item()
    assert f"rate {rate:.1f}" in explorer.sentence.value
    for control, value in ((explorer.first, 2.0), (explorer.second, -1.5), (explorer.item, 3), (explorer.beta, 0.5)):
        before = explorer.picture.value
        control.value = value
        assert explorer.picture.value != before, control.description
    torch.testing.assert_close(explorer.codes()["decoded x"], torch.tensor([[2.0, -1.5]]))


# ---- What is drawn: colours at places, in pixels as shown


def colour(drawn, x, y):
    return drawn.image.getpixel((round(x * sketch.SCALE), round(y * sketch.SCALE)))


def test_patches_left_out_are_covered_and_the_one_that_asks_is_framed(pictures_and_net, transformer):
    images, labels, _ = pictures_and_net
    explorer = widgets.Patches(torch.full_like(images, 200), labels, transformer)
    drawn = explorer.sketched(torch.full((28, 28), 200.0), torch.ones(16) / 16, torch.ones(10) / 10, [0, 15], 5)
    side = 230 / 4
    for place in range(16):
        middle = 5 + (place % 4 + 0.5) * side, 24 + (place // 4 + 0.5) * side
        assert (colour(drawn, *middle) == ImageColor.getrgb(palette.GREY)) is (place in (0, 15))
    assert colour(drawn, 5 + 1.5 * side, 24 + side) == ImageColor.getrgb(palette.ORANGE)
    assert colour(drawn, 5 + 2.5 * side, 24 + side) == (200, 200, 200)


def test_a_walk_frames_the_place_it_shows_large():
    torch.manual_seed(0)
    explorer = widgets.LatentWalk(dcgan.Generator())
    explorer.place.value = 8
    drawn, _ = explorer.draw()
    assert colour(drawn, 220 + 2 * 92 + 46, 2 + 92) == ImageColor.getrgb(palette.ORANGE)
    for x, y in ((7, 9), (20, 13)):  # the large one has the pixels of the framed one
        small = colour(drawn, 220 + 2 * 92 + (x + 0.5) * 92 / 28, 2 + 92 + (y + 0.5) * 92 / 28)
        assert small == colour(drawn, 2 + (x + 0.5) * 184 / 28, 2 + (y + 0.5) * 184 / 28)


def test_the_window_is_framed_on_the_picture_and_on_the_output(explorer):
    explorer.padding.value, explorer.stride.value, explorer.row.value, explorer.column.value = 1, 2, 3, 5
    drawn, _ = explorer.draw()
    on_picture, on_output = 230 / 30, 230 / 14
    orange = ImageColor.getrgb(palette.ORANGE)
    assert colour(drawn, 5 + 10 * on_picture, 22 + 7.5 * on_picture) == orange
    assert colour(drawn, 5 + 13 * on_picture, 22 + 7.5 * on_picture) == orange
    assert colour(drawn, 5 + 5 * on_output, 282 + 3.5 * on_output) == orange
    assert colour(drawn, 5 + 11.5 * on_picture, 22 + 7.5 * on_picture) != orange


def test_a_posterior_is_drawn_ten_times_as_wide():
    explorer = widgets.LatentMap({1.0: vae.VAE(2, (8,))}, torch.zeros(3, 1, 28, 28, dtype=torch.uint8))
    drawn = explorer.map(
        torch.zeros(3, 2), torch.tensor([1.0, -1.0]), torch.tensor([0.2, 0.1]), torch.tensor([-3.0, 3])
    )
    blue, at = ImageColor.getrgb(palette.BLUE), drawn.place
    for x, y in ((3.0, -1.0), (-1.0, -1.0), (1.0, 0.0), (1.0, -2.0), (1.0, -1.0)):
        assert drawn.image.getpixel(tuple(map(round, at(x, y)))) == blue
    assert drawn.image.getpixel(tuple(map(round, at(2.0, -1.0)))) != blue
    assert drawn.image.getpixel(tuple(map(round, at(-3.0, 3.0)))) == ImageColor.getrgb(palette.ORANGE)


def test_the_axes_of_the_map_have_names():
    drawn, _ = latent_map().draw()
    for strip in ((0, 100, 13, 200), (100, 296, 210, 309)):  # left of the numbers, and below them
        inked = drawn.image.convert("L").crop([sketch.SCALE * place for place in strip])
        assert inked.getextrema()[0] < 100, strip


def test_broadcasting_colours_what_is_stretched_and_what_does_not_fit():
    drawn = lesson_00.sketched((4, 1, 3), (4, 5, 2))
    edges = [[colour(drawn, 90 + 90 * column + 1, top) for column in range(3)] for top in (6, 62, 136)]
    blue, orange, red, ink = map(ImageColor.getrgb, (palette.BLUE, palette.ORANGE, palette.RED, palette.INK))
    assert edges == [[blue, orange, red], [blue, blue, red], [ink, ink, red]]


# ---- The sheet to draw on


@pytest.fixture
def sheet(pictures_and_net, transformer):
    return widgets.DrawYourOwn({"CNN": pictures_and_net[2], "ViT": transformer})


def stroke(explorer, *places):
    explorer._begin(*places[0])
    for place in places[1:]:
        explorer._go_on(*place)
    explorer._end()


STROKES = {
    "a dot": [[(140, 140)]],
    "a dot at the edge": [[(0, 0)]],
    "a line": [[(20, 20), (260, 20)]],
    "a line that leaves the sheet": [[(20, 140), (400, 140)]],
    "two lines": [[(60, 20), (60, 260)], [(220, 20), (220, 260)]],
    "trousers": [[(80, 20), (200, 20), (220, 260)], [(80, 20), (60, 260)], [(140, 100), (130, 260)]],
    "a shirt": [[(20, 120), (60, 60), (220, 60), (260, 120)], [(90, 80), (90, 240), (190, 240)]],
    "a bag": [[(40, 120), (240, 120), (240, 250), (40, 250), (40, 120)], [(90, 120), (140, 40), (190, 120)]],
    "a scribble": [[(30 + 37 * i % 220, 20 + 53 * i % 230) for i in range(40)]],
    "a full sheet but a corner": [[(x, y) for y in range(0, 281, 20) for x in ((0, 280) if y < 240 else (0, 100))]],
}  # fmt: skip


@pytest.mark.parametrize("strokes", STROKES.values(), ids=STROKES)
def test_what_is_drawn_is_what_the_networks_are_given(sheet, strokes):
    assert "The sheet is empty" in sheet.sentence.value
    for places in strokes:
        stroke(sheet, *places)
    x = data.normalize(own_pictures.prepare(sheet.sheet)[None])
    for name, model in sheet.models.items():
        p = model(x).softmax(1)[0]
        assert f"{name} says <b>{data.CLASSES[p.argmax()]}</b> ({p.max():.2f})" in sheet.sentence.value
    assert sheet.on_it.value == sheet.MINE
    for x, y in (place for places in strokes for place in places if max(place) < 280):
        assert sheet.sheet.getpixel((x, y)) == 0
    sheet.clear.click()
    assert "The sheet is empty" in sheet.sentence.value and sheet.on_it.value == sheet.NOTHING


def test_an_empty_sheet_that_is_being_looked_at_leaves_nothing_behind(sheet):
    sheet.put(sheet.DRAWN[sheet.NOTHING]())
    sheet.draw()  # as another thread may, while something is laid on the sheet
    sheet.sheet = sheet.DRAWN["a T-shirt, drawn by code"]()
    assert "They know ten names" in sheet.draw()[1]


def test_a_pen_that_only_hovers_draws_nothing(sheet):
    sheet._go_on(50, 50)
    sheet._end()
    assert sheet.sheet.getextrema() == (255, 255)


def test_what_is_chosen_lies_on_the_sheet_and_can_be_drawn_on(sheet):
    seen = set()
    for name in list(sheet.DRAWN)[1:]:
        sheet.on_it.value = name
        assert sheet.sheet.tobytes() == sheet.DRAWN[name]().tobytes()
        assert "CNN says" in sheet.sentence.value
        seen.add(bytes(sheet.picture.value))
    assert len(seen) == len(sheet.DRAWN) - 1
    sheet.on_it.value = "a bag, drawn by code"
    stroke(sheet, (20, 20), (60, 20))
    assert sheet.on_it.value == sheet.MINE
    assert sheet.sheet.getpixel((100, 150)) == 80 and sheet.sheet.getpixel((40, 20)) == 0


def test_a_file_lies_on_the_sheet_and_a_broken_one_is_answered(sheet):
    content = io.BytesIO()
    Image.new("RGB", (400, 100), "white").save(content, "PNG")
    image = Image.open(content)
    image.paste((0, 0, 90), (100, 20, 300, 80))
    image.save(content := io.BytesIO(), "PNG")
    sheet.bring(content.getvalue())
    assert "CNN says" in sheet.sentence.value and sheet.on_it.value == sheet.MINE
    assert sheet.sheet.getpixel((140, 140)) < 30 and sheet.sheet.getpixel((140, 60)) == 255
    before = sheet.sheet.tobytes()
    sheet.bring(b"no picture")
    assert sheet.sentence.value == "This is no PNG or JPEG, whatever its name says. Try another file."
    assert sheet.sheet.tobytes() == before, "what was on the sheet is still there"
    stroke(sheet, (10, 10), (20, 20))
    assert "CNN says" in sheet.sentence.value


# ---- A pointer on the picture


def latent_map() -> widgets.LatentMap:
    return widgets.LatentMap({1.0: vae.VAE(2, (8,))}, torch.zeros(3, 1, 28, 28, dtype=torch.uint8))


def test_a_pointer_moves_the_query_and_a_finger_too():
    explorer = widgets.SoftLookup()

    def after(event: str, *places: tuple[float, float]) -> tuple[float, float]:
        """Where the query is after what the page says of a mouse, or of fingers."""
        touches = [{"x": x, "y": y} for x, y in places]
        content = {"touches": touches} if event.startswith("touch") else touches[0]
        explorer.glass._handle_frontend_event(None, {"event": event, **content}, [])
        return explorer.right.value, explorer.up.value

    at = 34 + 240 * (-1.52 + 2.3) / 4.6, 24 + 240 * (2.3 - 0.73) / 4.6  # steps are 1 / 8
    middle, beyond_the_keys, beyond_the_sliders = (154, 144), (2000, 144), (-500, -500)
    assert after("mouse_move", at) == (1.0, 0.75), "a pointer that is not pressed moves nothing"
    assert after("mouse_down", at) == (-1.5, 0.75)
    assert after("mouse_up", middle) == (0, 0)
    assert after("touch_start", at, middle) == (-1.5, 0.75), "the first finger"
    assert after("touch_end") == (-1.5, 0.75), "fingers that are lifted are nowhere"
    assert after("touch_move", middle) == (-1.5, 0.75)
    assert after("mouse_down", beyond_the_keys) == (-1.5, 0.75)
    assert after("mouse_out", beyond_the_sliders) == (-2, 2)


def test_sliders_that_are_moved_by_code_have_steps_without_rounding():
    look_up, game, latents = widgets.SoftLookup(), widgets.OneDimensionalGame(), latent_map()
    for slider in (look_up.right, look_up.up, game.mean, game.width, latents.first, latents.second):
        width = slider.max - slider.min
        for place in range(round(width / slider.step) + 1):
            value = slider.min + place * slider.step
            percentage = (value - slider.min) * 100 / width  # to which the page's slider goes, and back
            assert percentage * width / 100 + slider.min == value, slider.description


def test_a_pointer_moves_the_point_on_the_map_and_stale_places_are_passed_over():
    explorer = latent_map()
    drawn = []
    explorer.picture.observe(lambda change: drawn.append(change["new"]), "value")

    explorer._press(154, 149)
    for x in range(40, 220):
        explorer._point(x, 149)
    explorer._release(217, 149 - 250 / 4)
    assert (explorer.first.value, explorer.second.value) == pytest.approx((-4 + (217 - 34) / 30, 2.0), abs=1 / 16)
    assert drawn[-1] == explorer.draw()[0]._repr_png_()
    assert len(drawn) < 20, "of 182 places"
