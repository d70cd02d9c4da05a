"""The nets of the course: with the course's own blocks in place of torch.nn's they compute the same."""

import copy

import pytest
import torch
from torch import nn

from course_utils import cnn, convolution, layers, metrics

NETS = [cnn.TutorialNet, cnn.PlainNet, cnn.FastNet]


def ours(layer):
    """The course's own layer with the weights of PyTorch's, or the layer itself where the course has none."""
    if isinstance(layer, nn.Conv2d):
        size = layer.in_channels, layer.out_channels, layer.kernel_size
        own = convolution.Conv2d(*size, padding=layer.padding, bias=layer.bias is not None)
    elif isinstance(layer, nn.BatchNorm2d):
        own = layers.BatchNorm2d(layer.num_features)
    elif isinstance(layer, nn.MaxPool2d):
        return convolution.MaxPool2d(layer.kernel_size)
    else:
        return layer
    own.load_state_dict(layer.state_dict())
    return own


def rebuilt(model):
    model = copy.deepcopy(model)
    for part in list(model.modules()):
        for name, child in part.named_children():
            setattr(part, name, ours(child))
    return model


CONV, POOLED = "Conv2d BatchNorm2d ReLU ", "Conv2d MaxPool2d BatchNorm2d ReLU "
LAYOUT = {
    cnn.TutorialNet: (2 * "Conv2d ReLU MaxPool2d " + "Flatten " + 2 * "Linear ReLU Dropout " + "Linear", 44_426),
    cnn.PlainNet: (2 * POOLED + CONV + "Linear", 24_048),
    cnn.FastNet: (2 * POOLED + CONV + POOLED + 2 * CONV + "Linear", 107_312),
}


@pytest.mark.parametrize("net", NETS)
def test_layers_follow_each_other_as_the_docstring_says(net):
    model = net()
    layers = [type(part).__name__ for part in model.modules() if not [*part.children()]]
    assert (" ".join(layers), sum(p.numel() for p in model.parameters())) == LAYOUT[net]
    assert all(part.p == 0 for part in model.modules() if isinstance(part, nn.Dropout))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_the_courses_own_blocks_compute_the_same(net, training, count):
    torch.manual_seed(0)
    theirs = net()
    for part in theirs.modules():  # statistics that are no longer 0 and 1
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    mine, theirs = rebuilt(theirs).double().train(training), theirs.double().train(training)
    assert not any(type(part) in (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d) for part in mine.modules())
    x, labels = torch.randn(count, 1, 28, 28, dtype=torch.float64), torch.arange(count) % 10
    results = []
    for model in (mine, theirs):
        logits = model(x)
        metrics.cross_entropy(logits, labels).backward()
        results.append([logits, *(p.grad for p in model.parameters()), *model.buffers()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("net", NETS)
def test_a_batch_may_be_one_picture_and_order_does_not_matter(net):
    torch.manual_seed(0)
    model = net().eval()
    x = torch.randn(4, 1, 28, 28)
    together = model(x)
    assert together.shape == (4, 10)
    torch.testing.assert_close(torch.cat([model(picture[None]) for picture in x]), together)
    torch.testing.assert_close(model(x.flip(0)), together.flip(0))
    torch.testing.assert_close(model(x.transpose(2, 3).contiguous().transpose(2, 3)), together)


@pytest.mark.parametrize("net", [cnn.PlainNet, cnn.FastNet])
@pytest.mark.parametrize("size", [(8, 8), (28, 20), (33, 64)])
def test_pictures_of_any_size(net, size):
    model = net(channels=3, widths=(4, 6, 8), classes=7).eval()
    x = torch.randn(2, 3, *size)
    assert model(x).shape == (2, 7)
    assert model.features(x).shape == (2, 8)
    torch.testing.assert_close(model.head(model.features(x)) / 8, model(x))


def test_the_tutorial_net_knows_its_size():
    for size in (16, 32):
        assert cnn.TutorialNet(channels=3, size=size)(torch.zeros(2, 3, size, size)).shape == (2, 10)
    with pytest.raises(ValueError, match=r"^size must be at least 16, got 12"):
        cnn.TutorialNet(size=12)


def test_a_residual_of_nothing_changes_nothing():
    zero = nn.Conv2d(3, 3, 1)
    nn.init.zeros_(zero.weight)
    nn.init.zeros_(zero.bias)
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(cnn.Residual(zero)(x), x)
    torch.testing.assert_close(cnn.Residual(nn.ReLU(), nn.Identity())(x), x + x.relu())


def test_asked_twice_a_picture_and_its_mirror_image_get_one_answer():
    torch.manual_seed(0)
    model = cnn.FastNet().eval()
    x = torch.randn(3, 1, 28, 28)
    twice = cnn.Mirrored(model)
    torch.testing.assert_close(twice(x), twice(x.flip(-1)))
    torch.testing.assert_close(twice(x), (model(x) + model(x.flip(-1))) / 2)
