"""The ruler for generated pictures: what it refuses, that it is always the same, and that it puts pictures in order."""

import math
import re

import pytest
import torch
import torch.nn.functional as F

from course_utils import checkpoints, cnn, data, dcgan, metrics, training


@pytest.fixture(scope="module")
def real():
    _, _, test = data.fashion_mnist()
    return test.images / 255


def blurred(pictures: torch.Tensor) -> torch.Tensor:
    kernel = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16
    return F.conv2d(pictures, kernel, padding=1)


def test_the_ruler_is_as_accurate_as_its_docstring_says():
    card = checkpoints.load(data.PRETRAINED / "ruler.safetensors")[1]["card"]
    assert f"{100 * card['accuracy']['test']:.2f}%" in cnn.ruler.__doc__
    assert card["label smoothing"] == 0.0


def test_features_are_those_of_the_shipped_network_on_its_own_scale(real):
    model = cnn.FastNet()
    training.load(model, data.PRETRAINED / "ruler.safetensors")
    pictures = real[:700]  # more than one piece
    with torch.no_grad(), training.in_mode(model, False):
        features = model.features(data.normalize((pictures * 255).round().to(torch.uint8)))
        logits = model.head(features) / 8
    torch.testing.assert_close(cnn.ruler_features(pictures), features, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(cnn.ruler_probabilities(features), logits.double().softmax(1))
    assert not cnn.ruler_features(pictures).requires_grad
    torch.testing.assert_close(cnn.ruler_features(pictures[:1].double()), features[:1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("pictures", "error", "words"),
    [
        (torch.rand(2, 1, 28, 28) * 2 - 1, ValueError, "take (pictures + 1) / 2"),
        (torch.rand(2, 1, 28, 28) + 0.5, ValueError, "pictures must lie in [0, 1]"),
        (torch.full((2, 1, 28, 28), math.nan), ValueError, "these run from nan to nan"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), TypeError, "uint8 ones take pictures / 255"),
        (torch.rand(2, 28, 28), ValueError, "pictures must have shape (N, 1, 28, 28), got (2, 28, 28)"),
        (torch.rand(0, 1, 28, 28), ValueError, "got (0, 1, 28, 28)"),
    ],
)
def test_pictures_on_another_scale_are_refused(pictures, error, words):
    with pytest.raises(error, match=re.escape(words)):
        cnn.ruler_features(pictures)


def test_against_neither_of_the_two_is_refused():
    with pytest.raises(ValueError, match="against must be 'test' or 'validation', got 'train'"):
        cnn.quality(torch.rand(3, 1, 28, 28), "train")


def test_pictures_are_put_in_order(real):
    """Real before blurred, a generator before the same one earlier, noise last."""
    noise = torch.randn(10_000, 64, generator=torch.Generator().manual_seed(0))
    shares = {}
    for name in ("07_dcgan", "07_dcgan_600", "07_dcgan_100"):
        generator = dcgan.Generator()
        training.load(generator, data.PRETRAINED / f"{name}.safetensors")
        shares[name] = cnn.quality(dcgan.sample(generator, noise)).share
    train, _, _ = data.fashion_mnist()
    other = cnn.quality(train.images[:10_000] / 255)
    uniform = torch.rand(10_000, 1, 28, 28, generator=torch.Generator().manual_seed(5))
    order = [
        other.share,
        cnn.quality(blurred(real)).share,
        shares["07_dcgan_600"],
        shares["07_dcgan_100"],
        cnn.quality(uniform).share,
    ]
    assert order == sorted(order)
    assert shares["07_dcgan"] < shares["07_dcgan_600"]
    assert order[0] < 0.002 and order[-1] == pytest.approx(1, abs=0.01)
    assert other.precision > 0.8 and other.recall > 0.8 and other.entropy > 0.999


def test_quality_is_what_the_measures_say(real):
    _, validation, _ = data.fashion_mnist()
    pictures, known = blurred(real[:600]), validation.images / 255
    found = cnn.quality(pictures, "validation")
    features, of_known = cnn.ruler_features(pictures), cnn.ruler_features(known)
    assert found.distance == metrics.frechet_distance(features, of_known)
    assert (found.precision, found.recall) == metrics.precision_recall(of_known, features)
    probabilities = cnn.ruler_probabilities(features)
    assert found.entropy == metrics.class_entropy(probabilities) / math.log(10)
    assert found.score == metrics.inception_score(probabilities)


def test_the_surest_of_each_class_are_the_same_on_another_machine(real):
    """Lesson 08 shows ten of them; the order in which a machine adds up must not decide which."""
    _, _, test = data.fashion_mnist()
    p = cnn.ruler_probabilities(cnn.ruler_features(real))
    for label in range(10):
        first, second = p[test.labels == label, label].topk(2).values
        assert first - second > 100 * torch.finfo(p.dtype).eps, "rounding of the softmax"
        assert (1 - second) / (1 - first) > 1.01, "rounding of the logits, a few in a million"


def test_few_samples_are_further_away(real):
    """The bias that makes the number of samples a part of the number."""
    train, _, _ = data.fashion_mnist()
    features, of_real = cnn.ruler_features(train.images[:10_000] / 255), cnn.ruler_features(real)
    distances = [metrics.frechet_distance(features[:count], of_real) for count in (200, 1000, 10_000)]
    assert distances[0] > 3 * distances[1] > 9 * distances[2]
