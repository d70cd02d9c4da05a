"""What helps against overfitting 500 pictures, one cure at a time?

``python -m benchmarks.cures`` trains each for equal steps from three seeds and prints the table that README.md in this
folder holds: accuracy on the 500 pictures, and accuracy and loss on the 5,000 validation pictures. How strong each cure
should be was chosen on other pictures, after 1,000 steps from one seed: ``--choose`` judges by those.
"""

import argparse
import datetime
import functools
import os
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks.classifiers import THREADS, Recipe, summary
from course_utils import augment, cnn, data, metrics, optimizers, training

STEPS = 600


@dataclass
class Cure(Recipe):
    """Without a cure: the network of many tutorials and AdamW at a constant rate, on few pictures."""

    net: type[nn.Module] = cnn.TutorialNet
    batch_size: int = 50
    lr: float = 3e-3
    optimizer: type = optimizers.AdamW
    weight_decay: float = 0.0
    schedule: object = training.constant
    label_smoothing: float = 0.0
    hard: float = 1.0
    augment: object = None
    pictures: int = 500
    l1: float = 0.0
    patience: int | None = None

    def feed(self, pictures: data.Pictures, generator: torch.Generator) -> tuple[Iterable, training.Loss]:
        batches, loss = super().feed(pictures, generator)
        return batches, functools.partial(with_l1, loss=loss, strength=self.l1) if self.l1 else loss

    def measured(self, train: data.Pictures, judge: data.Pictures, seed: int) -> dict[str, float]:
        """Train on the first pictures and judge; pictures that nobody trains on say when to stop, if at all."""
        few = data.Pictures(train.images[: self.pictures], train.labels[: self.pictures])
        known, judged = (data.Batches(*part, 500) for part in (few, judge))
        options = {"validation": data.Batches(*spare(train), 500), "patience": self.patience} if self.patience else {}
        model, _ = self.train(few, STEPS, seed, **options)
        logits, labels = training.predict(model, judged)
        return {
            "learnt": 100 * training.evaluate(model, known),
            "judged": 100 * metrics.accuracy(logits, labels),
            "loss": metrics.cross_entropy(logits, labels).item(),
        }


def spare(train: data.Pictures) -> data.Pictures:
    """The last 5,000 training pictures: on these the strengths of the cures were chosen."""
    return data.Pictures(train.images[50_000:], train.labels[50_000:])


def with_l1(model: nn.Module, images: Tensor, labels: Tensor, loss: training.Loss, strength: float) -> Tensor:
    """The loss plus ``strength`` times the sum of the weights' magnitudes."""
    weights = (p.abs().sum() for p in model.parameters() if p.dim() > 1)
    return loss(model, images, labels) + strength * sum(weights)


def moved(x: Tensor) -> Tensor:
    return augment.flip(augment.shift(x, 1))


NOTHING = Cure()
ALL = {"augment": moved, "schedule": training.one_cycle, "label_smoothing": 0.1}
CURES = {
    "nothing": NOTHING,
    "ten times as many pictures": replace(NOTHING, pictures=5000),
    "shifts by 1 pixel, and flips": replace(NOTHING, augment=moved),
    "dropout 0.4": replace(NOTHING, net=functools.partial(cnn.TutorialNet, dropout=0.4)),
    "weight decay 1 (AdamW)": replace(NOTHING, weight_decay=1.0),
    "L2 0.01 (Adam)": replace(NOTHING, optimizer=optimizers.Adam, weight_decay=0.01),
    "L1 0.0001": replace(NOTHING, l1=1e-4),
    "label smoothing 0.1": replace(NOTHING, label_smoothing=0.1),
    "average of the weights, 0.995": replace(NOTHING, average=0.995),
    "a falling rate": replace(NOTHING, schedule=training.one_cycle),
    "early stopping, patience 5": replace(NOTHING, patience=5),
    "several: moved, falling rate, smoothing, dropout 0.2": replace(
        NOTHING, net=functools.partial(cnn.TutorialNet, dropout=0.2), **ALL
    ),
    "another network: `PlainNet`, with batch norm": replace(NOTHING, net=cnn.PlainNet),
    "another network: `FastNet`, with residual parts": replace(NOTHING, net=cnn.FastNet),
    "`FastNet` and several: moved, falling rate, smoothing, decay 1": replace(
        NOTHING, net=cnn.FastNet, weight_decay=1.0, **ALL
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cures", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="the cures with this in their names")
    parser.add_argument("--choose", action="store_true", help="judge on the pictures on which strengths were chosen")
    asked = parser.parse_args()
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(THREADS)
    train, validation, _ = data.fashion_mnist()
    judge = spare(train) if asked.choose else validation
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; seeds {asked.seeds};")
    print("mean (standard deviation) over the seeds.\n")
    print("| cure | on its own pictures, % | validation, % | loss, validation | accuracies |")
    print("|---|--:|--:|--:|---|")
    for name, cure in CURES.items():
        if asked.only not in name:
            continue
        runs = [cure.measured(train, judge, seed) for seed in asked.seeds]
        learnt, judged, loss = ([run[part] for run in runs] for part in ("learnt", "judged", "loss"))
        print(
            f"| {name} | {statistics.mean(learnt):.1f} | {summary(judged)} | {summary(loss)} | "
            f"{' '.join(f'{accuracy:.1f}' for accuracy in judged)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
