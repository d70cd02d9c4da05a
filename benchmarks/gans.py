"""How good are pictures from a GAN that trains for so many seconds on two cores, and what helps where one fails?

``python -m benchmarks.gans`` trains all sides, five seeds each, and measures 10,000 samples of each against the 10,000
test pictures by the course's ruler (``cnn.quality``). ``--validation`` measures 5,000 against the validation pictures:
that is what was chosen by. ``--cures`` makes three failures happen and tries every cure on each; with ``--write`` the
table goes to data/measured/gan_cures.csv as well, where lesson 07 draws it from. ``--rates`` trains as lesson 07 does,
with rates that fall and with rates that do not. ``--truncation`` measures the shipped generator with the tails of its
noise cut off. The tables it printed are in README.md in this folder.
"""

import argparse
import csv
import datetime
import functools
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.classifiers import THREADS
from course_utils import cnn, data, dcgan, training

ADAM = functools.partial(torch.optim.Adam, betas=(0.0, 0.99), fused=True)


@dataclass
class Recipe:
    """How to train a GAN, by default the course's own."""

    generator: Callable[[], nn.Module] = dcgan.Generator
    discriminator: Callable[[], nn.Module] = dcgan.Discriminator
    loss: dcgan.Loss = dcgan.HINGE
    lr: tuple[float, float] = (8e-3, 4e-3)  # of generator and discriminator
    optimizer: Callable = ADAM
    batch_size: int = 32
    schedule: Callable[[int, int], float] = training.hold_then_fall
    average: float | None = 0.98
    r1: float = 0.0
    mismatch: float = 0.0
    initialize: bool = False  # as the DCGAN paper does, not as PyTorch does
    wait: int = 1  # the discriminator is moved in every so-manyth step only

    def train(self, pictures: data.Pictures, steps: int, seed: int, **film: object) -> tuple[nn.Module, dcgan.Game]:
        order = training.seed_everything(seed)
        networks = self.generator(), self.discriminator()
        if self.initialize:
            for network in networks:
                network.apply(dcgan.initialize)
        optimizers = [self.optimizer(each.parameters(), lr=lr) for each, lr in zip(networks, self.lr, strict=True)]
        if self.wait > 1:
            optimizers[1] = Waiting(optimizers[1], self.wait)
        game = dcgan.train(
            *networks,
            data.Batches(*pictures, self.batch_size, order, mean=0.5, std=0.5),
            tuple(optimizers),
            steps,
            loss=self.loss,
            r1=self.r1,
            mismatch=self.mismatch,
            average=self.average,
            schedule=self.schedule,
            **film,
        )
        return networks[0], game

    def seconds_a_step(self, pictures: data.Pictures) -> float:
        """The mean over some steps, after some to warm up."""
        self.train(pictures, 10, seed=0)
        start = time.perf_counter()
        self.train(pictures, 60, seed=0)
        return (time.perf_counter() - start) / 60


class Waiting:
    """An optimizer that takes only every so-manyth of its steps."""

    def __init__(self, optimizer: torch.optim.Optimizer, every: int):
        self.optimizer, self.every, self.count = optimizer, every, 0
        self.param_groups, self.zero_grad = optimizer.param_groups, optimizer.zero_grad

    def step(self) -> None:
        self.count += 1
        if self.count % self.every == 0:
            self.optimizer.step()


class Tutorial(nn.Sequential):
    """The generator of tutorials, for pictures of 64x64, brought to 28x28 at the end."""

    latent_dim, classes = 100, 0

    def __init__(self, width: int = 64):
        sizes = [8 * width, 4 * width, 2 * width, width]
        layers = [nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, sizes[0], 4, bias=False)]
        for before, after in zip(sizes, [*sizes[1:], None], strict=True):
            layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after or 1, 4, 2, 1, bias=False)]
        super().__init__(*layers, nn.Tanh(), Resized(28))


class TutorialJudge(nn.Sequential):
    """The discriminator of tutorials: pictures are brought to 64x64 first."""

    classes = 0

    def __init__(self, width: int = 64):
        layers = [Resized(64), nn.Conv2d(1, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for before in (width, 2 * width, 4 * width):
            layers += [
                nn.Conv2d(before, 2 * before, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * before),
                nn.LeakyReLU(0.2),
            ]
        super().__init__(*layers, nn.Conv2d(8 * width, 1, 4, bias=False), nn.Flatten(0))


class Resized(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)


OURS = Recipe()
CONDITIONAL = replace(
    OURS,
    generator=functools.partial(dcgan.Generator, classes=10),
    discriminator=functools.partial(dcgan.Discriminator, classes=10),
    mismatch=2.0,
)
TUTORIAL = Recipe(
    generator=Tutorial, discriminator=TutorialJudge, loss=dcgan.NON_SATURATING, lr=(2e-4, 2e-4), batch_size=128,
    optimizer=functools.partial(torch.optim.Adam, betas=(0.5, 0.999), fused=True), schedule=training.constant,
    average=None, initialize=True,
)  # fmt: skip
SIDES = {"DCGAN, ours": OURS, "DCGAN, ours, told the class": CONDITIONAL, "a tutorial's DCGAN (64x64)": TUTORIAL}


def samples(generator: nn.Module, count: int) -> Tensor:
    """The first draw, (count, 1, 28, 28) in [0, 1]."""
    noise = torch.randn(count, generator.latent_dim, generator=torch.Generator().manual_seed(0))
    return dcgan.sample(generator, noise)


@functools.cache
def witness() -> nn.Module:
    """A classifier that is not the ruler."""
    model = cnn.FastNet(widths=(24, 48, 80))
    training.load(model, data.PRETRAINED / "ten_minutes.safetensors")
    return model


def as_asked(generator: nn.Module, pictures: Tensor) -> float:
    """The share of samples that the witness takes for the class they were asked to be; NaN without classes."""
    if not generator.classes:
        return float("nan")
    asked = torch.arange(len(pictures)) % generator.classes
    logits, _ = training.predict(
        witness(), [((part - data.MEAN) / data.STD, asked[:0]) for part in pictures.split(500)]
    )
    return (logits.argmax(1) == asked).double().mean().item()


@dataclass
class Row:
    """A trained generator, measured: numbers in %."""

    seconds: float
    share: float
    entropy: float
    precision: float
    recall: float
    asked: float


def measured(recipe: Recipe, train: data.Pictures, steps: int, seed: int, against: str) -> Row:
    start = time.perf_counter()
    generator, _ = recipe.train(train, steps, seed)
    seconds = time.perf_counter() - start
    pictures = samples(generator, 10_000 if against == "test" else 5000)
    found, asked = cnn.quality(pictures, against), as_asked(generator, pictures)
    return Row(seconds, *(100 * value for value in (found.share, found.entropy, found.precision, found.recall, asked)))


def summary(values: list[float]) -> str:
    """Mean and standard deviation; nothing where there is nothing to measure."""
    if any(math.isnan(value) for value in values):
        return ""
    spread = f" ({statistics.stdev(values):.1f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def race(sides: dict[str, Recipe], train, seeds: list[int], steps: int | None, seconds: float, against: str) -> None:
    """A row for each side, for equal steps, or for as many as fit into the seconds."""
    print(
        "| recipe | steps | seconds | share of noise | worst | class entropy | worst | precision | recall | as asked |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, recipe in sides.items():
        count = steps or int(seconds / recipe.seconds_a_step(train))
        runs = [measured(recipe, train, count, seed, against) for seed in seeds]
        shares, entropies = [run.share for run in runs], [run.entropy for run in runs]
        print(
            f"| {name} | {count:,} | {statistics.mean(run.seconds for run in runs):.0f} | {summary(shares)} | "
            f"{max(shares):.1f} | {summary(entropies)} | {min(entropies):.1f} | "
            f"{summary([run.precision for run in runs])} | {summary([run.recall for run in runs])} | "
            f"{summary([run.asked for run in runs])} |",
            flush=True,
        )


def scale() -> None:
    """What the ruler says of pictures that no network made."""
    train, _, test = data.fashion_mnist()
    generator = torch.Generator().manual_seed(1)
    noise, real = torch.rand(test.images.shape, generator=generator), test.images / 255
    chosen = torch.randperm(len(train.images), generator=generator)[:10_000]
    soft = torch.tensor([1.0, 2.0, 1.0])
    kernel = (soft[:, None] * soft / 16)[None, None]
    kinds = {
        "real: 10,000 training pictures": train.images[chosen] / 255,
        "the test pictures, blurred by 1 2 1 both ways": F.conv2d(real, kernel, padding=1),
        "the same, four times": functools.reduce(lambda x, _: F.conv2d(x, kernel, padding=1), range(4), real),
        "independent uniform noise": noise,
        "flat grey, 0.5": torch.full_like(real, 0.5),
    }
    print("| 10,000 pictures | distance | share of noise | class entropy | precision | recall | Inception Score |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, pictures in kinds.items():
        found = cnn.quality(pictures.clamp(0, 1))
        print(
            f"| {name} | {found.distance:.1f} | {100 * found.share:.2f} | {100 * found.entropy:.1f} | "
            f"{100 * found.precision:.1f} | {100 * found.recall:.1f} | {found.score:.2f} |",
            flush=True,
        )


FAILURES = {
    "vanishing gradient": replace(OURS, loss=dcgan.SATURATING, lr=(1e-3, 8e-3)),
    "instability": replace(OURS, lr=(8e-2, 4e-2), average=None, schedule=training.constant),
    "collapse": replace(OURS, wait=10),
}
CURES: dict[str, Callable[[Recipe], Recipe]] = {
    "nothing": lambda recipe: recipe,
    "non-saturating loss": lambda recipe: replace(recipe, loss=dcgan.NON_SATURATING),
    "hinge": lambda recipe: replace(recipe, loss=dcgan.HINGE),
    "spectral norm": lambda recipe: replace(
        recipe, discriminator=functools.partial(dcgan.Discriminator, norm="spectral")
    ),
    "R1, gamma 1": lambda recipe: replace(recipe, r1=1.0),
    "a tenth of both rates": lambda recipe: replace(recipe, lr=tuple(rate / 10 for rate in recipe.lr)),
    "a tenth of G's rate": lambda recipe: replace(recipe, lr=(recipe.lr[0] / 10, recipe.lr[1])),
    "a tenth of D's rate": lambda recipe: replace(recipe, lr=(recipe.lr[0], recipe.lr[1] / 10)),
    "one-sided smoothing": lambda recipe: replace(
        recipe,
        loss=dcgan.Loss(smoothed, dcgan.saturating if recipe.loss == dcgan.SATURATING else dcgan.non_saturating),
    ),
    "average of the weights": lambda recipe: replace(recipe, average=0.98),
}


def smoothed(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy with 0.9 as the answer wanted for real pictures. Salimans et al. (2016), section 3.4."""
    return 0.9 * F.softplus(-real).mean() + 0.1 * F.softplus(real).mean() + F.softplus(fake).mean()


def cures(train, seeds: list[int], steps: int, write: bool) -> None:
    """Every cure on every failure: share of noise and class entropy, on the validation pictures."""
    print("| failure | cure | share of noise | class entropy | shares |")
    print("|---|---|--:|--:|---|")
    rows = [("failure", "cure", "seed", "steps", "share", "entropy")]
    for failure, broken in FAILURES.items():
        for cure, mend in CURES.items():
            if cure != "nothing" and mend(broken) == broken:
                continue  # it has that already
            runs = [measured(mend(broken), train, steps, seed, "validation") for seed in seeds]
            rows += [
                (failure, cure, seed, steps, f"{run.share:.2f}", f"{run.entropy:.2f}")
                for seed, run in zip(seeds, runs, strict=True)
            ]
            print(
                f"| {failure} | {cure} | {summary([run.share for run in runs])} | "
                f"{summary([run.entropy for run in runs])} | {' '.join(f'{run.share:.1f}' for run in runs)} |",
                flush=True,
            )
    if write:
        with open(data.MEASURED / "gan_cures.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def truncation() -> None:
    """The shipped generator, its noise cut off at several limits."""
    generator = CONDITIONAL.generator()
    training.load(generator, data.PRETRAINED / "conditional_dcgan.safetensors")
    print("| noise within | share of noise | class entropy | precision | recall |")
    print("|---|--:|--:|--:|--:|")
    for limit in (0.25, 0.5, 1.0, 1.5, 2.0, 10.0):
        noise = dcgan.truncated_noise(10_000, generator.latent_dim, limit, torch.Generator().manual_seed(0))
        found = cnn.quality(dcgan.sample(generator, noise))
        print(
            f"| {limit:g} | {100 * found.share:.1f} | {100 * found.entropy:.1f} | {100 * found.precision:.1f} | "
            f"{100 * found.recall:.1f} |",
            flush=True,
        )


def rates(train, seeds: list[int], steps: int) -> None:
    """What the falling rate brings: the share of noise, and how far the film's last picture is from the one before."""
    print("| rates | share of noise | class entropy | last change of a pixel, grey levels |")
    print("|---|--:|--:|--:|")
    for name, recipe in (
        ("fall in the second half", OURS),
        ("the same all along", replace(OURS, schedule=training.constant)),
    ):
        found, changes = [], []
        for seed in seeds:
            noise = torch.randn(32, 64, generator=torch.Generator().manual_seed(1))  # the film of lesson 07
            generator, game = recipe.train(train, steps, seed, noise=noise)
            found.append(cnn.quality(samples(generator, 10_000)))
            changes.append((game.film[-1].float() - game.film[-2].float()).abs().mean().item())
        shares, entropies = [100 * one.share for one in found], [100 * one.entropy for one in found]
        print(f"| {name} | {summary(shares)} | {summary(entropies)} | {summary(changes)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gans", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=90, help="of training, for each side and seed")
    parser.add_argument("--steps", type=int, help="of training, in place of seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", default="", help="the rows with this in their names")
    parser.add_argument("--validation", action="store_true", help="measure against the validation pictures, to choose")
    parser.add_argument("--cures", action="store_true", help="every cure on every failure")
    parser.add_argument("--rates", action="store_true", help="lesson 07's training with rates that do not fall")
    parser.add_argument("--truncation", action="store_true", help="the shipped generator with noise cut off")
    parser.add_argument("--scale", action="store_true", help="what the ruler says of pictures no network made")
    parser.add_argument("--write", action="store_true", help="keep what --cures gives for lesson 07")
    asked = parser.parse_args()
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(min(THREADS, len(os.sched_getaffinity(0))))
    train, _, _ = data.fashion_mnist()
    print(
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {datetime.date.today()}; seeds {asked.seeds};"
    )
    print("in %: mean (standard deviation) over the seeds.\n")
    if asked.scale:
        scale()
    elif asked.rates:
        rates(train, asked.seeds, asked.steps or 3300)
    elif asked.truncation:
        truncation()
    elif asked.cures:
        cures(train, asked.seeds, asked.steps or 400, asked.write)
    else:
        sides = {name: side for name, side in SIDES.items() if asked.only in name}
        race(sides, train, asked.seeds, asked.steps, asked.seconds, "validation" if asked.validation else "test")


if __name__ == "__main__":
    main()
