"""What explains a model: against closed cases and loops, and the model is left as it was."""

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from course_utils import cnn, explain, metrics, vit
from tests.drawing import drawn_cases

drawn = drawn_cases(60)


class Pooled(nn.Module):
    """Convolution, ReLU, mean over the places, linear: Grad-CAM is here what Zhou and others (2016) called CAM."""

    def __init__(self, channels=1, classes=3):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.spare = nn.Conv2d(1, 1, 1)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, classes))

    def forward(self, x):
        return self.head(self.maps(x).mean((2, 3)))


def net(seed=0, **options):
    torch.manual_seed(seed)
    model = Pooled(**options)
    model.maps[1].running_mean.uniform_(-0.2, 0.2)
    return model


def pictures(count=3, channels=1, height=7, width=9, seed=0):
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(seed))


WAYS = {
    "feature_maps": lambda model, x, y: explain.feature_maps(model, "maps.0", x),
    "grad_cam": lambda model, x, y: explain.grad_cam(model, "maps", x, y),
    "occlusion": lambda model, x, y: explain.occlusion(model, x, y, size=3, stride=2),
    "fast_gradient_sign": lambda model, x, y: explain.fast_gradient_sign(model, x, y, 0.1, -1.0, 1.0),
    "region_importance": lambda model, x, y: explain.region_importance(model, x, y, 2, 2),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_the_pictures_are_left_as_they_were(way, training):
    model, x, y = net().train(training), pictures(), torch.tensor([0, 2, 1])
    model.head[0].train(not training)  # a part in another mode than the rest
    model.maps[0].weight.grad = torch.ones_like(model.maps[0].weight)
    before, modes = copy.deepcopy(model), [part.training for part in model.modules()]
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    given_x = x.clone()
    result = WAYS[way](model, x, y)
    assert not result.requires_grad and result.grad_fn is None
    assert [part.training for part in model.modules()] == modes
    for (name, a), (_, b) in zip(model.state_dict().items(), before.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    for p, gradient in zip(model.parameters(), gradients, strict=True):
        assert p.grad is None if gradient is None else torch.equal(p.grad, gradient)
    assert not any(part._forward_hooks or part._backward_hooks for part in model.modules())
    assert torch.equal(x, given_x) and not x.requires_grad and x.grad is None
    assert torch.equal(model.eval()(x), before.eval()(x))


@pytest.mark.parametrize("way", WAYS)
def test_hooks_and_modes_are_put_back_after_an_error(way):
    model = net().train()
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        WAYS[way](model, pictures(channels=2), torch.tensor([0, 2, 1]))
    assert all(part.training for part in model.modules())
    assert not any(part._forward_hooks for part in model.modules())


@pytest.mark.parametrize("way", ["grad_cam", "fast_gradient_sign"])
def test_gradients_are_found_under_no_grad_and_with_frozen_weights(way):
    model, x, y = net(), pictures(), torch.tensor([0, 2, 1])
    expected = WAYS[way](model, x, y)
    with torch.no_grad():
        assert torch.equal(WAYS[way](model, x, y), expected)
    assert torch.equal(WAYS[way](model.requires_grad_(False), x, y), expected)


@pytest.mark.parametrize("way", ["grad_cam", "occlusion", "fast_gradient_sign"])
def test_a_picture_does_not_depend_on_its_neighbours(way):
    model, x, y = net(), pictures(), torch.tensor([0, 2, 1])
    together = WAYS[way](model, x, y)
    alone = torch.cat([WAYS[way](model, x[i : i + 1], y[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_feature_maps_are_the_layers():
    model, x = net().eval(), pictures()
    for name, layer in (("maps.0", model.maps[0]), ("maps", model.maps)):
        assert torch.equal(explain.feature_maps(model, name, x), layer(x))


@drawn
@given(st.integers(1, 3), st.integers(1, 2), st.integers(4, 9), st.integers(4, 9), st.booleans(), st.integers(0, 50))
def test_grad_cam_of_pooled_maps_is_cam(count, channels, height, width, double, seed):
    """The gradient of a mean is the same everywhere: a map's weight is the linear layer's, by the number of places."""
    dtype = torch.float64 if double else torch.float32
    model, x = net(seed, channels=channels).to(dtype).eval(), pictures(count, channels, height, width, seed).to(dtype)
    y = torch.arange(count)
    maps = model.maps(x)
    weights = model.head[1].weight[y] / (maps.shape[2] * maps.shape[3])  # (N, channels)
    expected = torch.einsum("nc,nchw->nhw", weights, maps).clamp(min=0)
    torch.testing.assert_close(explain.grad_cam(model, "maps", x, y), expected.detach())


def test_occlusion_by_a_loop():
    model, x, y = net(), pictures(), torch.tensor([0, 2, 1])
    ours = explain.occlusion(model, x, y, size=3, stride=2, fill=0.5)
    model.eval()
    assert ours.shape == (3, 3, 4)
    for n in range(3):
        for i in range(3):
            for j in range(4):
                covered = x[n : n + 1].clone()
                covered[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = 0.5
                lost = model(x[n : n + 1]).softmax(1)[0, y[n]] - model(covered).softmax(1)[0, y[n]]
                assert ours[n, i, j].item() == pytest.approx(lost.item(), abs=1e-6)


def test_fast_gradient_sign_of_a_linear_model_is_known():
    """The gradient of the loss is (p - 1 at the right class) @ W, whatever the batch."""
    torch.manual_seed(0)
    model, x, y = nn.Sequential(nn.Flatten(), nn.Linear(63, 3)), pictures(), torch.tensor([0, 2, 1])
    slope = (model(x).softmax(1) - F.one_hot(y, 3)) @ model[1].weight
    expected = (x + 0.3 * slope.sign().view_as(x)).clamp(-1.5, 1.5).detach()
    changed = explain.fast_gradient_sign(model, x, y, 0.3, -1.5, 1.5)
    assert torch.equal(changed, expected)
    assert metrics.cross_entropy(model(changed), y) > metrics.cross_entropy(model(x), y)


def test_a_pixel_that_the_model_does_not_read_stays():
    torch.manual_seed(0)
    model, x, y = nn.Sequential(nn.Flatten(), nn.Linear(63, 3)), pictures(), torch.tensor([0, 2, 1])
    model[1].weight.data[:, 5] = 0
    moved = (explain.fast_gradient_sign(model, x, y, 0.3, -9.0, 9.0) - x).flatten(1)
    assert moved[:, 5].eq(0).all() and moved[:, :5].ne(0).all() and moved[:, 6:].ne(0).all()
    assert torch.equal(explain.fast_gradient_sign(model, x, y, 0.0, -9.0, 9.0), x), "moved by nothing"


def test_only_the_region_that_tells_the_class_matters():
    """The class stands in the top left pixel; the model reads it there."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(400, 1, 6, 8, generator=generator), torch.arange(400) % 2
    x[:, 0, 0, 0] = 2.0 * y - 1
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight[:, 0] = torch.tensor([-1.0, 1.0])
        model[1].bias.zero_()
    lost = explain.region_importance(model, x, y, 2, 3, generator)
    assert lost[0, 0].item() == pytest.approx(0.5, abs=0.1)
    assert lost.flatten()[1:].abs().max() == 0


def test_regions_of_unequal_size_and_of_one_pixel():
    model, x, y = net(), pictures(40), torch.arange(40) % 3
    assert explain.region_importance(model, x, y, 2, 4).shape == (2, 4)
    assert explain.region_importance(model, x, y, 7, 9).shape == (7, 9)


def test_the_courses_nets_are_explained():
    model, x = cnn.FastNet(), torch.randn(2, 1, 28, 28)
    assert explain.grad_cam(model, "layers.2", x, torch.tensor([0, 1])).shape == (2, 7, 7)


y3 = torch.tensor([0, 2, 1])


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda m, x: explain.feature_maps(m, "map", x),
            ValueError,
            "layer 'map' is not in the model; it has maps, maps.0",
        ),
        (lambda m, x: explain.feature_maps(m, "spare", x), ValueError, "layer 'spare' is in the model, but"),
        (lambda m, x: explain.grad_cam(m, "spare", x, y3), ValueError, "layer 'spare' is in the model, but"),
        (lambda m, x: explain.grad_cam(m, "head", x, y3), ValueError, "layer 'head' gives (3, 3); Grad-CAM needs maps"),
        (
            lambda m, x: explain.grad_cam(m, "maps", x, y3 + 1),
            ValueError,
            "target must lie between 0 and 2, got 1 to 3",
        ),
        (lambda m, x: explain.grad_cam(m, "maps", x, y3[:2]), TypeError, "target must be int64 of shape (3,)"),
        (lambda m, x: explain.occlusion(m, x, y3, 8, 1), ValueError, "size must lie between 1 and 7, got 8"),
        (lambda m, x: explain.occlusion(m, x, y3, 2, 0), ValueError, "stride must be at least 1"),
        (lambda m, x: explain.occlusion(m, x, y3.float(), 2, 1), TypeError, "target must be int64"),
        (lambda m, x: explain.fast_gradient_sign(m, x, y3, -0.1, 0, 1), ValueError, "epsilon must be at least 0"),
        (lambda m, x: explain.fast_gradient_sign(m, x, y3, 0.1, 1, 1), ValueError, "low must lie below high"),
        (lambda m, x: explain.fast_gradient_sign(m, x, y3 + 1, 0.1, 0, 1), ValueError, "target must lie between"),
        (lambda m, x: explain.region_importance(m, x, y3, 8, 1), ValueError, "rows and columns must lie between 1"),
    ],
)
def test_bad_arguments_are_named(call, error, said):
    with pytest.raises(error, match=f"^{re.escape(said)}"):
        call(net(), pictures())


# --- Attention ----------------------------------------------------------------------------------------------


def transformer(seed=0, **options):
    torch.manual_seed(seed)
    model = vit.ViT((8, 12), (4, 3), channels=1, width=8, depth=3, heads=2, mlp_width=6, **options)
    nn.init.normal_(model.head.weight)
    return model


@pytest.mark.parametrize("class_token", [False, True])
def test_attention_maps_are_what_each_block_computes(class_token):
    model, x = transformer(class_token=class_token).eval(), pictures(2, height=8, width=12)
    maps = explain.attention_maps(model, x)
    tokens = model.tokens(x)
    assert maps.shape == (3, 2, 2, tokens.shape[1], tokens.shape[1])
    for block, weights in zip(model.blocks, maps, strict=True):
        normed = block.norm1(tokens)
        torch.testing.assert_close(weights, block.attention(normed, normed, normed, average_attn_weights=False)[1])
        tokens = block(tokens)
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))


@pytest.mark.parametrize("training", [True, False])
def test_attention_maps_leave_the_model_as_it_was(training):
    model, x = transformer(drop_path=0.5).train(training), pictures(2, height=8, width=12)
    model.blocks[0].train(not training)
    before, modes = copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]
    maps = explain.attention_maps(model, x)
    assert not maps.requires_grad
    assert torch.equal(maps, explain.attention_maps(model, x)), "in evaluation mode no branch is left out"
    assert [part.training for part in model.modules()] == modes
    assert not any(part._forward_hooks for part in model.modules())
    assert all(p.grad is None for p in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    with pytest.raises(ValueError, match="x must have shape"):
        explain.attention_maps(model, pictures(2, channels=2, height=8, width=12))
    assert [part.training for part in model.modules()] == modes
    assert not any(part._forward_hooks for part in model.modules())


def test_torchvisions_transformer_has_maps_too():
    theirs = VisionTransformer(16, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=3)
    ours = vit.ViT(16, 8, channels=3, width=8, depth=2, heads=2, mlp_width=12, classes=3, class_token=True)
    ours.load_state_dict(vit.from_torchvision(theirs.state_dict()))
    x = pictures(2, channels=3, height=16, width=16)
    torch.testing.assert_close(explain.attention_maps(ours, x), explain.attention_maps(theirs, x))


def test_without_attention_there_are_no_maps():
    with pytest.raises(ValueError, match=r"^model: these pictures passed through no attention"):
        explain.attention_maps(net(), pictures())


@drawn
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(0, 99))
def test_rollout_is_the_sum_over_all_paths(depth, count, length, seed):
    """Each layer is taken or passed by: half and half; along a path the layers' weights are multiplied."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(depth, count, length, length, generator=generator, dtype=torch.float64).softmax(-1)
    paths = torch.zeros(count, length, length, dtype=torch.float64)
    for taken in range(2**depth):
        path = torch.eye(length, dtype=torch.float64).expand(count, -1, -1)
        for layer in range(depth):
            path = weights[layer] @ path if taken >> layer & 1 else path
        paths += path / 2**depth
    rollout = explain.attention_rollout(weights)
    torch.testing.assert_close(rollout, paths)
    torch.testing.assert_close(rollout.sum(-1), torch.ones(count, length, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 1, 3, 4), (2, 1, 2, 3, 3), (0, 1, 3, 3)])
def test_rollout_names_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"^weights must have shape"):
        explain.attention_rollout(torch.zeros(shape))
