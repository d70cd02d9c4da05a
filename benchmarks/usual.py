"""Fashion-MNIST as tutorials feed it: a picture at a time, through PIL, by a DataLoader."""

import gzip
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from course_utils import data


def loader(
    batch_size: int,
    before: Sequence[nn.Module] = (),
    after: Sequence[nn.Module] = (),
    workers: int = 0,
) -> DataLoader:
    """Torchvision's own data set and transforms, on the training pictures of the course.

    Args:
        batch_size: pictures a batch.
        before, after: transforms on each PIL picture, and on each tensor.
        workers: processes beside this one.
    """
    normal = transforms.Normalize((data.MEAN,), (data.STD,))
    transform = transforms.Compose([*before, transforms.ToTensor(), *after, normal])
    dataset = datasets.FashionMNIST(unpacked(), train=True, transform=transform)
    train, _ = data.split(len(dataset), 5000)
    return DataLoader(Subset(dataset, train.tolist()), batch_size, shuffle=True, num_workers=workers)


def unpacked() -> Path:
    """A folder with the files of the course as torchvision wants them."""
    folder = Path(tempfile.gettempdir()) / "vision-course-unpacked"
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in data.FOLDER.glob("*.gz"):
        if not (raw / packed.stem).exists():
            (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder
