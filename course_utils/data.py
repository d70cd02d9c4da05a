"""Fashion-MNIST as tensors: read, check, split, and hand out in batches.

Importing torchvision for this would cost each kernel two seconds and more; the format needs a dozen lines.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

FOLDER = Path(__file__).resolve().parent.parent / "data"
PRETRAINED = FOLDER / "pretrained"  # networks that the lessons have trained
MEASURED = FOLDER / "measured"  # tables that the benchmarks printed and lessons draw
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

# Mean and standard deviation of the training pictures' pixels, black = 0 and white = 1.
MEAN, STD = 0.2860, 0.3530

# SHA-256 of the content, unpacked: the same pictures may be packed by gzip in many ways.
CONTENT = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class DataFileError(RuntimeError):
    """A data file is missing, cut short or altered; the message says which and how to bring it back."""


class Pictures(NamedTuple):
    """Pictures and what they show: images (N, C, H, W) uint8, labels (N,) int64; of Fashion-MNIST, into ``CLASSES``."""

    images: Tensor
    labels: Tensor


def read_idx(path: Path | str) -> Tensor:
    """Read one gzipped IDX file of bytes and, where its name is in ``CONTENT``, compare its content.

    The format: two zero bytes, the type (8: unsigned byte), the number of axes, each axis' length as a
    big-endian 32-bit number, then the numbers, last axis fastest.

    Args:
        path: the .gz file.

    Returns:
        A uint8 tensor with the axes of the file, (60000, 28, 28) for the training pictures.

    Raises:
        DataFileError: if the file is missing, cut short, altered, or not such a file.

    Source: Yann LeCun, Corinna Cortes, "The MNIST database of handwritten digits", section "File formats".
    """
    path = Path(path)
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise _damaged(path, "is missing") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _damaged(path, "is cut short or damaged: it does not unpack") from None
    if path.name in CONTENT and hashlib.sha256(content).hexdigest() != CONTENT[path.name]:
        raise _damaged(path, "unpacks, but its content is not the published one")
    axes = content[3] if content[:3] == b"\0\0\x08" else 0
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes)]
    if axes == 0 or len(content) != 4 + 4 * axes + math.prod(shape):
        raise _damaged(path, "is no IDX file of bytes, or its length does not fit its header")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * axes).view(shape)


def fashion_mnist(folder: Path | str = FOLDER) -> tuple[Pictures, Pictures, Pictures]:
    """Training, validation and test pictures: 55,000, 5,000 and 10,000.

    The validation pictures are drawn from the published training pictures with a fixed seed, so that every
    lesson, test and benchmark speaks of the same ones. The test pictures are the published ones.

    Args:
        folder: where the four files lie.

    Raises:
        DataFileError: as ``read_idx``.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.
    """
    folder = Path(folder)
    known, test = (
        Pictures(
            read_idx(folder / f"{part}-images-idx3-ubyte.gz").unsqueeze(1),
            read_idx(folder / f"{part}-labels-idx1-ubyte.gz").long(),
        )
        for part in ("train", "t10k")
    )
    return *(Pictures(known.images[part], known.labels[part]) for part in split(len(known.labels), 5000)), test


def from_dataset(dataset: Sequence[tuple[Any, int]]) -> Pictures:
    """Any data set of ``torchvision.datasets`` as one tensor of pictures and one of labels.

    For example ``from_dataset(torchvision.datasets.ImageFolder("pictures"))``, for a folder that holds a folder of
    pictures for each class.

    Args:
        dataset: gives a PIL picture (or a uint8 tensor (C, H, W)) and a class for each place from 0 up.

    Returns:
        images (N, C, H, W) uint8, labels (N,) int64.

    Raises:
        ValueError: if there are no pictures, or if they differ in size or in channels, or are not of 8 bits.
    """
    from torchvision.transforms.functional import pil_to_tensor

    if len(dataset) == 0:
        raise ValueError("dataset: there are no pictures in it")
    images, labels = [], []
    for place in range(len(dataset)):
        image, label = dataset[place]
        if not isinstance(image, Tensor):
            image = pil_to_tensor(image.convert("RGB") if image.mode == "P" else image)  # P: numbers of a palette
        if image.dtype != torch.uint8 or image.dim() != 3:
            raise ValueError(
                f"dataset: picture {place} should be (C, H, W) of 8 bits, got {image.dtype} {tuple(image.shape)}"
            )
        if images and image.shape != images[0].shape:
            raise ValueError(
                f"dataset: picture {place} is {tuple(image.shape)}, the first one {tuple(images[0].shape)}; bring all "
                "to one size (transform=torchvision.transforms.Resize((32, 32))) and number of channels (Grayscale())"
            )
        images.append(image)
        labels.append(int(label))
    return Pictures(torch.stack(images), torch.tensor(labels))


def cifar10(folder: Path | str, download: bool = False) -> tuple[Pictures, Pictures, Pictures]:
    """CIFAR-10 from where you have it, as training, validation and test pictures: 45,000, 5,000 and 10,000.

    Args:
        folder: holds ``cifar-10-batches-py``, as ``torchvision.datasets.CIFAR10`` leaves it.
        download: fetch it (170 MB) if it is not there.

    Returns:
        images (N, 3, 32, 32) uint8 and labels (N,) of each part.

    Raises:
        DataFileError: if it is not there, or not whole.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
    """
    from torchvision.datasets import CIFAR10

    try:
        known, test = (from_dataset(CIFAR10(folder, train=part, download=download)) for part in (True, False))
    except RuntimeError:
        raise DataFileError(
            f"folder: there is no whole CIFAR-10 in {Path(folder).resolve().name}; name the folder that holds "
            "cifar-10-batches-py, or fetch it by cifar10(folder, download=True)"
        ) from None
    parts = split(len(known.labels), len(known.labels) // 10)
    return *(Pictures(known.images[part], known.labels[part]) for part in parts), test


def drawn_digits(count: int, generator: torch.Generator) -> Tensor:
    """White digits on black, drawn by code: pictures of 28x28 that are no clothing, to see whether a model notices.

    Args:
        count: at least 1.
        generator: the source of randomness: which digit, how large, and where.

    Returns:
        (count, 1, 28, 28) uint8.

    Raises:
        ValueError: if ``count`` is below 1.
    """

    def draw(sheet: ImageDraw.ImageDraw, value: Callable[[int, int], int]) -> None:
        font = ImageFont.load_default(size=value(20, 27))
        sheet.text((14 + value(-3, 4), 14 + value(-3, 4)), str(value(0, 10)), fill=255, font=font, anchor="mm")

    return _drawn(count, generator, draw)


def drawn_shapes(count: int, generator: torch.Generator) -> Tensor:
    """Outlines of rectangles and ellipses, and lines, some darker than others.

    Args, Returns, Raises: ``count`` and ``generator`` as in ``drawn_digits``.
    """

    def draw(sheet: ImageDraw.ImageDraw, value: Callable[[int, int], int]) -> None:
        left, top = value(2, 10), value(2, 10)
        corners = left, top, left + value(8, 17), top + value(8, 17)
        kind, grey, width = value(0, 3), value(100, 256), value(1, 4)
        if kind == 2:
            sheet.line(corners, fill=grey, width=width)
        else:
            (sheet.rectangle, sheet.ellipse)[kind](corners, outline=grey, width=width)

    return _drawn(count, generator, draw)


def _drawn(count: int, generator: torch.Generator, draw: Callable) -> Tensor:
    """So many black sheets with something drawn on each; ``value(low, high)`` draws a whole number below ``high``."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    sheets = []
    for _ in range(count):
        sheet = Image.new("L", (28, 28))
        draw(ImageDraw.Draw(sheet), lambda low, high: int(torch.randint(low, high, (), generator=generator)))
        sheets.append(torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8).view(1, 28, 28))
    return torch.stack(sheets)


def mean_and_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, black = 0 and white = 1, for ``normalize`` and ``Batches``.

    Args:
        images: (N, C, H, W) uint8.

    Returns:
        Two tensors (C, 1, 1).

    Raises:
        TypeError, ValueError: if images are not such, or there are none.
    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise TypeError(f"images must be uint8 of shape (N, C, H, W), got {images.dtype} {tuple(images.shape)}")
    if images.numel() == 0:
        raise ValueError("images: there are none")
    pixels = images.transpose(0, 1).flatten(1)  # (C, N*H*W)
    counts = torch.stack([torch.bincount(channel, minlength=256) for channel in pixels]).double()  # (C, 256)
    shares, values = counts / pixels.shape[1], torch.arange(256).double() / 255
    mean = shares @ values  # (C,)
    std = (shares * (values - mean[:, None]) ** 2).sum(dim=1).sqrt()
    return mean.float()[:, None, None], std.float()[:, None, None]


def normalize(images: Tensor, mean: float | Tensor = MEAN, std: float | Tensor = STD) -> Tensor:
    """Grey values 0 to 255 -> floats with about zero mean and unit spread: ``(images / 255 - mean) / std``.

    Args:
        images: (..., C, H, W) uint8.
        mean, std: of the training pictures, black = 0 and white = 1; a number, or (C, 1, 1).

    Returns:
        float32, the same shape.

    Raises:
        TypeError: if ``images`` is not uint8, which would normalise twice.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, 0 to 255, got {images.dtype}; are they normalised already?")
    return (images / 255 - mean) / std


@dataclass
class Batches:
    """Go through pictures in batches, normalised on the way; each ``for`` loop is one epoch.

    A whole batch is cut from one tensor at once, so no time goes into single pictures.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,).
        batch_size: pictures a batch; the last one may be shorter.
        generator: shuffles anew in each epoch; without one the order is kept.
        augment: changes the pictures of a batch before they are normalised: (N, C, H, W) uint8 -> the same.
        mean, std: as in ``normalize``.

    Yields:
        images (batch_size, C, H, W) float32, labels (batch_size,).

    Raises:
        ValueError: if there are no pictures, not one label for each, or ``batch_size`` is below 1.
    """

    images: Tensor
    labels: Tensor
    batch_size: int
    generator: torch.Generator | None = None
    augment: Callable[[Tensor], Tensor] | None = None
    mean: float | Tensor = MEAN
    std: float | Tensor = STD

    def __post_init__(self):
        if len(self.images) == 0:
            raise ValueError("images: there are none")
        if len(self.images) != len(self.labels):
            raise ValueError(f"labels: {len(self.labels)} of them for {len(self.images)} images")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in self.order().split(self.batch_size):
            yield self.batch(chosen)

    def order(self) -> Tensor:
        """The places of the pictures in the order of the next epoch, (N,)."""
        if self.generator is None:
            return torch.arange(len(self.images))
        return torch.randperm(len(self.images), generator=self.generator)

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures at the places ``chosen`` (n,), augmented and normalised, (n, C, H, W), and their labels (n,)."""
        images = self.images[chosen]
        if self.augment is not None:
            images = self.augment(images)
        return normalize(images, self.mean, self.std), self.labels[chosen]

    def state_dict(self) -> dict[str, Tensor]:
        """What the order of the next epoch depends on."""
        return {} if self.generator is None else {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        if self.generator is not None:
            self.generator.set_state(state["generator"])


def split(count: int, for_validation: int) -> tuple[Tensor, Tensor]:
    """Which of ``count`` pictures to train on, and which to keep ``for_validation``: places (n,), always the same."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return order[for_validation:], order[:for_validation]


def k_fold(count: int, folds: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Cut so many pictures into folds, each of which is the validation part once and trained on otherwise.

    Args:
        count: pictures.
        folds: from 2 to ``count``; their sizes differ by at most one.
        generator: shuffles the pictures first.

    Returns:
        For each fold the places of its training and of its validation pictures, (n,) each.

    Raises:
        ValueError: if ``folds`` is out of its range.

    Source: Stone, "Cross-validatory choice and assessment of statistical predictions" (1974).
    """
    if not 2 <= folds <= count:
        raise ValueError(f"folds must lie between 2 and the number of pictures, {count}; got {folds}")
    parts = torch.randperm(count, generator=generator).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]


def _damaged(path: Path, what: str) -> DataFileError:
    cure = "To bring it back, type in the course's folder: git checkout -- data"
    return DataFileError(f"{path.parent.name}/{path.name} {what}. {cure}")
