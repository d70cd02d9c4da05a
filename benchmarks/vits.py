"""How well does a Vision Transformer learn in a minute on two cores, and how many pictures does it need?

``python -m benchmarks.vits`` trains all sides for equal time, three seeds each, and measures them on the 10,000 test
pictures. With ``--ablation`` it measures what each part brings, for equal steps, on the validation pictures; with
``--pictures`` how CNN and ViT fare with 500 to 55,000 training pictures, which with ``--write`` also goes to
data/measured/cnn_against_vit.csv, where lesson 06 draws it from. The tables it printed are in README.md in this folder.
"""

import argparse
import csv
import datetime
import functools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.classifiers import MINUTE, THREADS, Recipe, summary
from course_utils import attention, cnn, data, optimizers, training, vit

ADAMW = functools.partial(torch.optim.AdamW, betas=(0.9, 0.99), fused=True)
SIZES = [500, 2000, 8000, 20000, 55000]


@dataclass
class VitRecipe(Recipe):
    """How to train a Vision Transformer, by default the course's own for a minute.

    Muon moves the matrices inside the blocks, AdamW the rest.
    """

    net: Callable[[], nn.Module] = vit.ViT
    lr: float = 8e-3
    optimizer: Callable = ADAMW
    weight_decay: float = 0.05
    muon: float | None = 0.02  # the rate of Muon; None leaves all to the other optimizer

    def moved_by(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        if self.muon is None:
            return super().moved_by(model)
        matrices = [p for p in model.blocks.parameters() if p.dim() == 2]
        groups = training.parameter_groups(model, self.weight_decay, but=matrices)
        muon = optimizers.Muon(matrices, lr=self.muon, momentum=0.9, weight_decay=self.weight_decay)
        return [muon, self.optimizer(groups, lr=self.lr)]


class Large(nn.Module):
    """A ViT as textbooks have it for photographs: pictures brought to 96x96, patches of 16x16, tokens of 512."""

    def __init__(self):
        super().__init__()
        self.vit = vit.ViT(96, 16, width=512, depth=2, heads=8, mlp_width=2048, class_token=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.vit(F.interpolate(x, (96, 96), mode="bilinear"))


class Unscaled(attention.MultiHeadAttention):
    """Its scores are not divided by the root of the heads' width."""

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        q, k, v = super()._project(query, key, value)
        return q * (self.embed_dim / self.num_heads) ** 0.5, k, v


def unscaled() -> nn.Module:
    model = vit.ViT()
    for block in model.blocks:
        state = block.attention.state_dict()
        block.attention = Unscaled(64, 4)
        block.attention.load_state_dict(state)
    return model


PURE = VitRecipe()
HYBRID = VitRecipe(net=vit.HybridViT, lr=1e-2)
TEXTBOOK = VitRecipe(
    net=functools.partial(vit.ViT, class_token=True), batch_size=128, lr=1e-3, optimizer=torch.optim.Adam, muon=None,
    weight_decay=0.0, schedule=training.constant, label_smoothing=0.0, hard=1.0, augment=None,
)  # fmt: skip
SIDES = {
    "a textbook's ViT (96x96, 512 wide), its recipe": replace(TEXTBOOK, net=Large),
    "ViT, a textbook's recipe": TEXTBOOK,
    "ViT, ours": PURE,
    "ViT with a convolutional stem, ours": HYBRID,
    "the CNN of lesson 03": MINUTE,
}
ABLATION = {
    "all of it": PURE,
    "AdamW for all, rate 0.004": replace(PURE, muon=None, lr=4e-3),
    "all pictures in every epoch, not the hard ones": replace(PURE, hard=1.0),
    "no flips": replace(PURE, augment=None),
    "no label smoothing": replace(PURE, label_smoothing=0.0),
    "a constant rate, a third of the peak": replace(PURE, schedule=training.constant, lr=PURE.lr / 3, muon=0.02 / 3),
    "class token instead of the mean": replace(PURE, net=functools.partial(vit.ViT, class_token=True)),
    "sinusoidal positions": replace(PURE, net=functools.partial(vit.ViT, positions="sinusoidal")),
    "no positions": replace(PURE, net=functools.partial(vit.ViT, positions="none")),
    "scores not divided by the root": replace(PURE, net=unscaled),
    "stochastic depth 0.1": replace(PURE, net=functools.partial(vit.ViT, drop_path=0.1)),
    "one head": replace(PURE, net=functools.partial(vit.ViT, heads=1)),
    "two blocks": replace(PURE, net=functools.partial(vit.ViT, depth=2)),
    "with the stem": HYBRID,
}
FEW = {"cnn": MINUTE, "vit": PURE, "stem": HYBRID}


def measured(recipe: Recipe, train: data.Pictures, judge: data.Pictures, steps: int, seed: int) -> tuple[float, ...]:
    """Seconds of training; accuracy in %, of single answers and of those asked twice, with the mirror image."""
    start = time.perf_counter()
    model, _ = recipe.train(train, steps, seed)
    seconds, feed = time.perf_counter() - start, data.Batches(*judge, 500)
    return seconds, *(100 * training.evaluate(asked, feed) for asked in (model, cnn.Mirrored(model)))


def race(sides: dict[str, Recipe], train, judge, seeds: list[int], steps: int | None, seconds: float) -> None:
    """A row for each side, for equal steps, or for as many as fit into the seconds."""
    print("| recipe | parameters | steps | seconds | accuracy | asked twice, with the mirror image | accuracies |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for name, recipe in sides.items():
        count = steps or int(seconds / recipe.seconds_a_step(train))
        runs = [measured(recipe, train, judge, count, seed) for seed in seeds]
        times, once, twice = zip(*runs, strict=True)
        size = sum(p.numel() for p in recipe.net().parameters())
        print(
            f"| {name} | {size:,} | {count:,} | {statistics.mean(times):.0f} | {summary(once)} | {summary(twice)} | "
            f"{' '.join(f'{accuracy:.2f}' for accuracy in once)} |",
            flush=True,
        )


def few_pictures(train, judge, seeds: list[int], steps: int, write: bool) -> None:
    """CNN and ViT by the number of training pictures, for equal steps."""
    print("| network | " + " | ".join(f"{size:,}" for size in SIZES) + " |")
    print("|---|" + "--:|" * len(SIZES))
    rows = [("network", "pictures", "seed", "steps", "accuracy")]
    for name, recipe in FEW.items():
        cells = []
        for size in SIZES:
            part = data.Pictures(train.images[:size], train.labels[:size])
            once = [measured(recipe, part, judge, steps, seed)[1] for seed in seeds]
            rows += [(name, size, seed, steps, f"{accuracy:.2f}") for seed, accuracy in zip(seeds, once, strict=True)]
            cells.append(summary(once))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if write:
        with open(data.MEASURED / "cnn_against_vit.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vits", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each side and seed")
    parser.add_argument("--steps", type=int, help="of training, in place of seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="the rows with this in their names")
    parser.add_argument("--ablation", action="store_true", help="what each part brings, on the validation pictures")
    parser.add_argument("--pictures", action="store_true", help="CNN against ViT by the number of training pictures")
    parser.add_argument("--write", action="store_true", help="keep what --pictures gives for lesson 06")
    asked = parser.parse_args()
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(THREADS)
    train, validation, test = data.fashion_mnist()
    judge = validation if asked.ablation or asked.pictures else test
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; seeds {asked.seeds};")
    print(f"accuracy in % on {len(judge.labels):,} pictures: mean (standard deviation) over the seeds.\n")
    sides = {name: side for name, side in (ABLATION if asked.ablation else SIDES).items() if asked.only in name}
    if asked.pictures:
        few_pictures(train, judge, asked.seeds, asked.steps or 600, asked.write)
    else:
        race(sides, train, judge, asked.seeds, asked.steps or (800 if asked.ablation else None), asked.seconds)


if __name__ == "__main__":
    main()
