"""What accuracy does a training time buy: by a tutorial's recipe, with its loader and with ours, and by ours?

``python -m benchmarks.classifiers --seconds 60`` trains all sides for equal time on two threads, three seeds each,
and measures them on the 10,000 test pictures. With ``--seconds 600`` ours is the recipe for ten minutes. With
``--ablation`` it measures what each trick brings, for equal steps, on the validation pictures. The tables it printed
are in README.md in this folder. Training is bounded by steps: how many fit into the time is measured first, so do it
on an idle machine, or give ``--steps``.
"""

import argparse
import datetime
import functools
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmarks.usual import loader
from course_utils import augment, cnn, data, optimizers, training
from course_utils.hard_examples import HardBatches

THREADS = 2
NESTEROV = functools.partial(optimizers.SGD, momentum=0.9, nesterov=True)


@dataclass
class Recipe:
    """How to train a network, by default the course's own for a minute."""

    net: Callable[[], nn.Module] = cnn.FastNet
    batch_size: int = 256
    lr: float = 0.6
    optimizer: Callable = NESTEROV
    weight_decay: float = 5e-4
    schedule: Callable[[int, int], float] = training.one_cycle
    label_smoothing: float = 0.1
    hard: float = 0.4  # shares of the pictures in an epoch; hard = 1 takes all, as they come
    easy: float = 0.3
    augment: Callable | None = augment.flip
    average: float | None = None
    usual_loader: bool = False  # a picture at a time, through PIL

    def train(
        self, pictures: data.Pictures, steps: int, seed: int, **options: object
    ) -> tuple[nn.Module, training.History]:
        """On these pictures, with these options of ``fit`` beside the recipe's own."""
        generator = training.seed_everything(seed)
        model = self.net()
        batches, loss = self.feed(pictures, generator)
        history = training.fit(
            model,
            batches,
            self.moved_by(model),
            steps,
            loss=loss,
            schedule=self.schedule,
            average=self.average,
            **options,
        )
        return model, history

    def moved_by(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        return [self.optimizer(training.parameter_groups(model, self.weight_decay), lr=self.lr)]

    def feed(self, pictures: data.Pictures, generator: torch.Generator) -> tuple[Iterable, training.Loss]:
        """Batches, and the loss that goes with them."""
        if self.hard < 1:
            shares = dict(hard=self.hard, easy=self.easy, label_smoothing=self.label_smoothing)
            batches = HardBatches(*pictures, self.batch_size, generator, self.augment, **shares)
            return batches, batches.loss
        loss = functools.partial(training.classify, label_smoothing=self.label_smoothing)
        if self.usual_loader:  # has its own copy of the same pictures
            return loader(self.batch_size), loss
        return data.Batches(*pictures, self.batch_size, generator, self.augment), loss

    def seconds_a_step(self, pictures: data.Pictures) -> float:
        """The median of 100 steps, after some to warm up."""
        times: list[float] = []
        self.train(pictures, steps=121, seed=0, callbacks=[lambda *_: times.append(time.perf_counter())])
        return statistics.median(later - earlier for earlier, later in itertools.pairwise(times[20:]))


def without_norm() -> nn.Module:
    model = cnn.FastNet()
    for part in list(model.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(part, name, nn.Identity())
    return model


MINUTE = Recipe()
TEN_MINUTES = Recipe(
    net=functools.partial(cnn.FastNet, widths=(24, 48, 80)),
    augment=lambda x: augment.flip(augment.shift(x, 2)),
)
TUTORIAL = Recipe(
    net=cnn.TutorialNet,
    batch_size=32,
    lr=1e-3,
    optimizer=functools.partial(optimizers.SGD, momentum=0.9),
    weight_decay=0.0,
    schedule=training.constant,
    label_smoothing=0.0,
    hard=1.0,
    augment=None,
)
ABLATION = {
    "all of it": MINUTE,
    "all pictures in every epoch, not the hard ones": replace(MINUTE, hard=1.0),
    "no flips": replace(MINUTE, augment=None),
    "no label smoothing": replace(MINUTE, label_smoothing=0.0),
    "no weight decay": replace(MINUTE, weight_decay=0.0),
    "a constant rate, a third of the peak": replace(MINUTE, schedule=training.constant, lr=0.2),
    "no momentum, ten times the rate": replace(MINUTE, optimizer=optimizers.SGD, lr=6.0),
    "AdamW, rate 0.005, decay 0.05": replace(MINUTE, optimizer=optimizers.AdamW, lr=5e-3, weight_decay=0.05),
    "no residual parts (`PlainNet`)": replace(MINUTE, net=cnn.PlainNet),
    "no batch norm, a tenth of the rate": replace(MINUTE, net=without_norm, lr=0.06),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classifiers", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each side and seed")
    parser.add_argument("--steps", type=int, help="of our recipe; how many fit into the time, unless given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="the recipes with this in their names")
    parser.add_argument("--ablation", action="store_true", help="what each trick brings, on the validation pictures")
    asked = parser.parse_args()
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(THREADS)

    train, validation, test = data.fashion_mnist()
    ours, judge, kind = TEN_MINUTES if asked.seconds >= 300 and not asked.ablation else MINUTE, test, "test"
    sides = {
        "tutorial recipe, its usual loader": replace(TUTORIAL, usual_loader=True),
        "tutorial recipe, our loader": TUTORIAL,
        "the same at ten times its rate": replace(TUTORIAL, lr=1e-2),
        "ours": ours,
    }
    if asked.ablation:
        sides, judge, kind = ABLATION, validation, "validation"
    own = ours.seconds_a_step(train)
    steps_of_ours = asked.steps or int(asked.seconds / own)
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; seeds {asked.seeds};")
    print(f"accuracy in % on the {len(judge.labels):,} {kind} pictures: mean (standard deviation) over the seeds;")
    print("losses: the mean of the last 125 batches, one for each seed.\n")
    print("| recipe | steps | epochs | seconds | accuracy | asked twice, with the mirror image | accuracies | losses |")
    print("|---|--:|--:|--:|--:|--:|---|---|")
    for name, recipe in sides.items():
        if asked.only not in name:
            continue
        steps = steps_of_ours
        if recipe != ours and not asked.ablation:  # equal time
            steps = round(steps * own / recipe.seconds_a_step(train))
        seconds, once, twice, losses = [], [], [], []
        for seed in asked.seeds:
            start = time.perf_counter()
            model, history = recipe.train(train, steps, seed)
            seconds.append(time.perf_counter() - start)
            once.append(100 * training.evaluate(model, data.Batches(*judge, 500)))
            twice.append(100 * training.evaluate(cnn.Mirrored(model), data.Batches(*judge, 500)))
            losses.append(statistics.mean(history.loss[-125:]))
        epochs = steps * recipe.batch_size / len(train.labels)
        print(
            f"| {name} | {steps:,} | {epochs:.1f} | {statistics.mean(seconds):.0f} | {summary(once)} | "
            f"{summary(twice)} | {' '.join(f'{accuracy:.2f}' for accuracy in once)} | "
            f"{' '.join(f'{loss:.3f}' for loss in losses)} |",
            flush=True,
        )


def summary(values: list[float]) -> str:
    spread = f" ({statistics.stdev(values):.2f})" if len(values) > 1 else ""
    return f"**{statistics.mean(values):.2f}**{spread}"


if __name__ == "__main__":
    main()
