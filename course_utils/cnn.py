"""The convolutional networks of the course, from a tutorial's to the one that trains in a minute.

They are made of ``torch.nn``'s layers, which compute what ``course_utils.convolution`` and ``course_utils.layers``
do (the tests put ours in their place and compare), two to three times as fast. One of them, trained and shipped, is
the ruler that measures generated pictures.
"""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import data, metrics, training


class TutorialNet(nn.Module):
    """Two 5x5 convolutions with 6 and 16 filters, each pooled, then three linear layers: LeNet with ReLU.

    Args:
        channels: of the pictures.
        size: pixels along each side of the pictures, at least 16.
        classes: logits in the answer.
        dropout: the share of numbers dropped after each of the two inner linear layers.

    Raises:
        ValueError: if ``size`` is below 16.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998),
    section II, as tutorials simplify it.
    """

    def __init__(self, channels: int = 1, size: int = 28, classes: int = 10, dropout: float = 0.0):
        super().__init__()
        if size < 16:
            raise ValueError(f"size must be at least 16, got {size}: two convolutions and poolings leave nothing")
        rows = ((size - 4) // 2 - 4) // 2  # of the last maps
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 6, kernel_size=5),  # (N, C, 28, 28) -> (N, 6, 24, 24)
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> (N, 6, 12, 12)
            nn.Conv2d(6, 16, kernel_size=5),  # -> (N, 16, 8, 8)
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> (N, 16, 4, 4)
            nn.Flatten(),  # -> (N, 256)
            nn.Linear(16 * rows * rows, 120),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(84, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, size, size) -> logits (N, classes)"""
        return self.layers(x)


def conv_block(channels: int, filters: int, pool: bool = False) -> nn.Sequential:
    """3x3 convolution, pooling, batch normalisation, ReLU: (N, channels, H, W) -> (N, filters, H or H/2, W or W/2).

    Pooling, with ``pool``, comes before the normalisation, which then has a quarter of the numbers to go through. The
    convolution has no bias, as the normalisation would take it out again.
    """
    layers = [nn.Conv2d(channels, filters, kernel_size=3, padding=1, bias=False)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.BatchNorm2d(filters), nn.ReLU())


class Residual(nn.Module):
    """Add to x what some layers make of it, so that they learn a change, and the gradient has a way past them.

    Args:
        layers: keep the shape of what they are given.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), section 3.
    """

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same"""
        return x + self.layers(x)


class _Net(nn.Module):
    """Layers that make maps, the largest number of each map, and a linear layer on these."""

    def __init__(self, layers: nn.Sequential, width: int, classes: int):
        super().__init__()
        self.layers = layers
        self.head = nn.Linear(width, classes, bias=False)
        # Channels last in memory suits the convolutions of CPUs: the same numbers, in two thirds of the time.
        self.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width): how strongly each of the last filters answers where it answers most"""
        return self.layers(x).amax((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)"""
        return self.head(self.features(x)) / 8  # begins with small logits: no class is favoured yet


class PlainNet(_Net):
    """Three convolutions, one after the other, two of them pooled; for pictures of any size from 4x4 up.

    Args:
        channels: of the pictures.
        widths: filters of the three stages.
        classes: logits in the answer.
    """

    def __init__(self, channels: int = 1, widths: tuple[int, int, int] = (16, 32, 64), classes: int = 10):
        first, second, third = widths
        layers = nn.Sequential(
            conv_block(channels, first, pool=True),  # (N, C, 28, 28) -> (N, 16, 14, 14)
            conv_block(first, second, pool=True),  # -> (N, 32, 7, 7)
            conv_block(second, third),  # -> (N, 64, 7, 7)
        )
        super().__init__(layers, third, classes)


class FastNet(_Net):
    """The course's own: ``PlainNet`` with two residual parts where the maps are small and depth is cheap.

    Args: channels, widths and classes as in ``PlainNet``; pictures of any size from 8x8 up.

    Source: in the manner of Page, "How to train your ResNet" (2018), measured anew for pictures of 28x28 and a CPU.
    """

    def __init__(self, channels: int = 1, widths: tuple[int, int, int] = (16, 32, 64), classes: int = 10):
        first, second, third = widths
        layers = nn.Sequential(
            conv_block(channels, first, pool=True),  # (N, C, 28, 28) -> (N, 16, 14, 14)
            conv_block(first, second, pool=True),  # -> (N, 32, 7, 7)
            Residual(conv_block(second, second)),
            conv_block(second, third, pool=True),  # -> (N, 64, 3, 3)
            Residual(conv_block(third, third), conv_block(third, third)),
        )
        super().__init__(layers, third, classes)


class Mirrored(nn.Module):
    """Asks a model twice, with each picture and with its mirror image, and averages both answers.

    Args:
        model: (N, C, H, W) -> logits (N, classes).
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)"""
        return (self.model(x) + self.model(x.flip(-1))) / 2


@functools.cache
def ruler() -> FastNet:
    """The classifier whose features measure generated pictures; trained without label smoothing, 92.63% on the test.

    Always the same one: a distance in its 64 features can be compared with another only if both were measured so.
    """
    model = FastNet()
    training.load(model, data.PRETRAINED / "ruler.safetensors")
    return model.eval().requires_grad_(False)


def ruler_features(pictures: Tensor) -> Tensor:
    """What the ruler sees in pictures: (N, 1, 28, 28) in [0, 1] -> (N, 64), in pieces, so that many fit into memory.

    Raises:
        ValueError, TypeError: if they are not such pictures, above all if they lie in [-1, 1], as a generator's do.
    """
    if pictures.dim() != 4 or pictures.shape[1:] != (1, 28, 28) or len(pictures) == 0:
        raise ValueError(f"pictures must have shape (N, 1, 28, 28), got {tuple(pictures.shape)}")
    if not pictures.is_floating_point():
        raise TypeError(f"pictures must be floats in [0, 1], got {pictures.dtype}; uint8 ones take pictures / 255")
    low, high = pictures.min().item(), pictures.max().item()
    if not (low >= 0 and high <= 1):
        cure = "a generator's pictures in [-1, 1] take (pictures + 1) / 2"
        raise ValueError(f"pictures must lie in [0, 1], these run from {low:.3g} to {high:.3g}; {cure}")
    parts = pictures.detach().float().cpu().split(500)
    return torch.cat([ruler().features((part - data.MEAN) / data.STD) for part in parts])


def ruler_probabilities(features: Tensor) -> Tensor:
    """Which classes the ruler takes the pictures for, by their features: (N, 64) -> (N, 10) float64, rows sum to 1."""
    return (ruler().head(features) / 8).double().softmax(dim=1)  # in single precision the surest would be alike


class Quality(NamedTuple):
    """How good samples are, by the ruler: Fréchet distance, precision, recall, and as ``score`` the Inception Score.

    ``share`` is the distance as a share of that of uniform noise, ``entropy`` the class entropy as a share of the
    largest there is, ln 10.
    """

    distance: float
    share: float
    precision: float
    recall: float
    entropy: float
    score: float


def quality(pictures: Tensor, against: str = "test") -> Quality:
    """Measure samples: Fréchet distance, precision and recall (3 neighbours), class entropy, Inception Score.

    Args:
        pictures: samples in [0, 1], (N, 1, 28, 28). As many as there are to compare with: 10,000, or 5,000 for the
            validation pictures. Fewer give larger distances.
        against: "test", or "validation" to choose by.

    Raises:
        ValueError, TypeError: as ``ruler_features``, and if ``against`` is neither.
    """
    real, noise = _yardstick(against)
    features = ruler_features(pictures)
    probabilities = ruler_probabilities(features)
    distance = metrics.frechet_distance(features, real)
    return Quality(
        distance,
        distance / noise,
        *metrics.precision_recall(real, features),
        metrics.class_entropy(probabilities) / math.log(len(data.CLASSES)),
        metrics.inception_score(probabilities),
    )


@functools.cache
def _yardstick(against: str) -> tuple[Tensor, float]:
    """The features of real pictures, and how far as many pictures of uniform noise are from them."""
    if against not in ("test", "validation"):
        raise ValueError(f"against must be 'test' or 'validation', got {against!r}")
    _, validation, test = data.fashion_mnist()
    images = (test if against == "test" else validation).images
    real = ruler_features(images / 255)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    return real, metrics.frechet_distance(ruler_features(noise), real)
