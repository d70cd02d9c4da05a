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
    batch_size: int, places: Sequence[int] | None = None, augment: Sequence[nn.Module] = (), workers: int = 0
) -> DataLoader:
    """Torchvision's own data set and transforms.

    Args:
        batch_size: pictures a batch.
        places: of the published training pictures, which to take; all if None.
        augment: transforms that come before those that every tutorial has.
        workers: processes beside this one.
    """
    steps = [*augment, transforms.ToTensor(), transforms.Normalize((data.MEAN,), (data.STD,))]
    dataset = datasets.FashionMNIST(unpacked(), train=True, transform=transforms.Compose(steps))
    chosen = dataset if places is None else Subset(dataset, places)
    return DataLoader(chosen, batch_size, shuffle=True, num_workers=workers)


def unpacked() -> Path:
    """A folder with the files of the course as torchvision wants them."""
    folder = Path(tempfile.gettempdir()) / "vision-course-unpacked"
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in data.FOLDER.glob("*.gz"):
        if not (raw / packed.stem).exists():
            (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder
