"""How many pictures a second reach a network: by a loader that takes one at a time, and as slices of one tensor.

``python -m benchmarks.feeding`` prints the table that README.md in this folder holds.
"""

import datetime
import itertools
import statistics
import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchvision import transforms

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


def main() -> None:
    torch.set_num_threads(THREADS)
    train, _, _ = data.fashion_mnist()
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; medians of {ROUNDS} rounds.\n")
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
