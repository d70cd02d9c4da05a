"""How many pictures a second reach a network: by a loader that takes one at a time, and as slices of one tensor.

``python -m benchmarks.feeding`` prints the tables that README.md in this folder holds: whole loaders, and single
augmentations beside torchvision's, on one batch.
"""

import argparse
import datetime
import itertools
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torchvision import transforms
from torchvision.transforms import v2

from benchmarks.usual import loader
from course_utils import augment, data

THREADS = 2
ROUNDS = 5
SECONDS = 1.0  # at least so long is each measurement


class Cutout(nn.Module):
    """One picture's, as torchvision has none: a square of 8 pixels, its middle anywhere."""

    def forward(self, picture: Tensor) -> Tensor:
        top, left = (int(torch.randint(28, ())) - 4 for _ in range(2))
        picture[..., max(0, top) : top + 8, max(0, left) : left + 8] = 0
        return picture


THEIRS = {
    "before": (transforms.RandomAffine(0, translate=(2 / 28, 2 / 28)), transforms.RandomHorizontalFlip()),
    "after": (Cutout(),),
}


def ours(images: Tensor) -> Tensor:
    """The same three, for a whole batch at once."""
    return augment.cutout(augment.flip(augment.shift(images, 2)), 8)


def pictures_a_second(batches: Iterable) -> float:
    """Of the batches after the first, for so many seconds; starting workers is not counted."""
    stream = itertools.chain.from_iterable(itertools.repeat(batches))
    next(stream)
    pictures, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS:
        pictures += len(next(stream)[1])
    return pictures / passed


# Ours, torchvision's (one draw for whatever it is given), and channels.
CHANGES = {
    "shift by up to 2": (
        lambda x: augment.shift(x, 2),
        v2.RandomAffine(0, translate=(2 / 28, 2 / 28)),
        1,
    ),
    "turn, zoom, shear": (
        lambda x: augment.affine(x, 15, (0.8, 1.2), 10),
        v2.RandomAffine(15, scale=(0.8, 1.2), shear=10, interpolation=v2.InterpolationMode.BILINEAR),
        1,
    ),
    "brightness, contrast": (
        lambda x: augment.contrast(augment.brightness(x, 0.4), 0.4),
        v2.Compose([v2.ColorJitter(brightness=0.4), v2.ColorJitter(contrast=0.4)]),
        1,
    ),
    "saturation, hue": (
        lambda x: augment.hue(augment.saturation(x, 0.4), 0.1),
        v2.Compose([v2.ColorJitter(saturation=0.4), v2.ColorJitter(hue=0.1)]),
        3,
    ),
    "resize to 32x32": (lambda x: augment.resize(x, 32), v2.Resize((32, 32), antialias=True), 1),
}


def changed_a_second(change: Callable, x: Tensor) -> float:
    """Pictures that a change gets through in a second."""
    change(x)
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS / 2:
        change(x)
        calls += 1
    return calls * len(x) / passed


def changes(images: Tensor) -> None:
    """Each change on one batch of 256: ours, torchvision's on each picture, and torchvision's on the batch."""
    print("| change | torchvision, each picture | torchvision, one draw a batch | ours | ours / each | ours / batch |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, (own, usual, channels) in CHANGES.items():
        x = images[:256].expand(-1, channels, -1, -1).contiguous()
        sides = [lambda x, f=usual: [f(picture) for picture in x], usual, own]
        rounds = [[changed_a_second(side, x) for side in sides] for _ in range(ROUNDS)]
        medians = " | ".join(f"{statistics.median(side):,.0f}" for side in zip(*rounds, strict=True))
        for_each, for_batch = ([mine / r[place] for *r, mine in rounds] for place in (0, 1))
        print(
            f"| {name} | {medians} | "
            f"**{statistics.median(for_each):.0f}x** ({min(for_each):.0f} .. {max(for_each):.0f}) | "
            f"**{statistics.median(for_batch):.1f}x** ({min(for_batch):.1f} .. {max(for_batch):.1f}) |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeding", description=__doc__.split("\n")[0])
    parser.add_argument("--changes", action="store_true", help="only the second table")
    only_changes = parser.parse_args().changes
    torch.set_num_threads(THREADS)
    train, _, _ = data.fashion_mnist()
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; medians of {ROUNDS} rounds.\n")
    if not only_changes:
        loaders(train)
        print()
    changes(train.images)


def loaders(train: data.Pictures) -> None:
    """Loaders that take one picture at a time, and ours."""
    print("| augmentation | batch | per item | per item, 2 workers | ours | ours / faster of both, median (range) |")
    print("|---|--:|--:|--:|--:|--:|")
    for augmented, batch_size in itertools.product((False, True), (32, 256)):
        theirs = THEIRS if augmented else {}
        sides = [
            loader(batch_size, **theirs),
            loader(batch_size, **theirs, workers=2),
            data.Batches(*train, batch_size, torch.Generator(), ours if augmented else None),
        ]
        rounds = [[pictures_a_second(side) for side in sides] for _ in range(ROUNDS)]
        medians = " | ".join(f"{statistics.median(side):,.0f}" for side in zip(*rounds, strict=True))
        ratios = [mine / max(alone, with_workers) for alone, with_workers, mine in rounds]
        print(
            f"| {'shift, flip, cutout' if augmented else 'none'} | {batch_size} | {medians} | "
            f"**{statistics.median(ratios):.0f}x** ({min(ratios):.0f} .. {max(ratios):.0f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
