"""How good a bound does a VAE reach that trains for a minute on two cores, and how good are its pictures?

``python -m benchmarks.vaes`` trains all sides, three seeds each, and prints four tables: the bound of the course's
recipe beside a textbook's, which gets as many steps as take equal time (both are timed in turn first); other
likelihoods, with the importance bound and bits; samples and reconstructions by the course's ruler, beside a plain
autoencoder and lesson 07's DCGAN; and anomalies found by the bound. ``--validation`` measures on the validation
pictures: that is what was chosen by. The tables it printed are in README.md in this folder.
"""

import argparse
import datetime
import functools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks import gans
from benchmarks.classifiers import THREADS
from course_utils import cnn, data, metrics, training, vae

ADAMW = functools.partial(torch.optim.AdamW, fused=True)
LESSON = 4500  # steps of the notebook's training
DCGAN = 3300  # steps of lesson 07's


@dataclass
class Recipe:
    """How to train a VAE or an autoencoder, by default the course's own."""

    model: Callable[[], nn.Module] = vae.VAE
    beta: float = 1.0
    warm_up: float = 0.0  # the share of the steps in which beta rises
    lr: float = 2e-3
    optimizer: Callable = ADAMW
    batch_size: int = 128
    schedule: Callable[[int, int], float] = training.one_cycle
    start_at_mean: bool = True
    clip: float | None = None

    def train(self, pictures: data.Pictures, steps: int, seed: int) -> nn.Module:
        order = training.seed_everything(seed)
        model = self.model()
        if self.start_at_mean:
            vae.start_at_mean(model, pictures.images)
        loss = vae.reconstruction_loss
        if isinstance(model, vae.VAE):
            loss = vae.Objective(self.beta, round(self.warm_up * steps))
        batches = data.Batches(*pictures, self.batch_size, order, mean=0.0, std=1.0)
        optimizer = self.optimizer(model.parameters(), lr=self.lr)
        training.fit(model, batches, optimizer, steps, loss=loss, schedule=self.schedule, clip=self.clip)
        return model


def times_faster(recipe: Recipe, than: Recipe, pictures: data.Pictures) -> float:
    """How many steps a recipe takes in the time of one of another's; the median of rounds in turn."""
    ratios = []
    for _ in range(6):
        seconds = []
        for each in (than, recipe):
            start = time.perf_counter()
            each.train(pictures, 100, seed=0)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios[1:])  # the first one warms up


class Textbook(vae.VAE):
    """784-400-20 with ReLU, as in most tutorials."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
        self.decoder = nn.Sequential(
            nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Unflatten(1, (1, vae.SIZE, vae.SIZE))
        )


OURS = Recipe()
TEXTBOOK = Recipe(
    Textbook,
    lr=1e-3,
    optimizer=functools.partial(torch.optim.Adam, fused=True),
    schedule=training.constant,
    start_at_mean=False,
)
PLAIN = replace(OURS, model=vae.Autoencoder)
LIKELIHOODS = {
    "Gaussian, one learnt variance": replace(OURS, model=lambda: vae.VAE(likelihood=vae.Gaussian())),
    "discretised logistic": replace(OURS, model=lambda: vae.VAE(likelihood=vae.Logistic()), clip=200.0),
}


def summary(values: list[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    spread = f" ({statistics.stdev(values):.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def bounds(trained: dict[str, list[tuple[nn.Module, float]]], x: Tensor) -> None:
    """The negative ELBO and its parts; and what is left above the pictures' own entropy."""
    own = vae.pixel_entropy(x).mean().item()
    print(f"The pictures' own entropy: {own:.1f} nats.\n")
    print("| recipe | seconds | cross-entropy | KL | negative ELBO | worst | above the pictures' entropy |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, runs in trained.items():
        found = [[part.mean().item() for part in vae.terms(model, x, 4)] for model, _ in runs]
        nll, kl = zip(*found, strict=True)
        totals = [sum(parts) for parts in found]
        print(
            f"| {name} | {statistics.mean(seconds for _, seconds in runs):.0f} | {summary(nll)} | {summary(kl)} | "
            f"{summary(totals)} | {max(totals):.1f} | {summary([total - own for total in totals])} |",
            flush=True,
        )


def likelihoods(trained: dict[str, list[tuple[nn.Module, float]]], x: Tensor) -> None:
    """The importance bound with 500 samples beside the ELBO, on the same pictures; bits where it is a probability."""
    x = x[:1000]
    print(f"The first {len(x):,} pictures; bounds on log p(x) in nats, but for the first row, which has no p(x).\n")
    print("| likelihood | ELBO | importance bound, 500 samples | bits per dimension |")
    print("|---|--:|--:|--:|")
    for name, runs in trained.items():
        elbos, tight, bits = [], [], []
        for model, _ in runs:
            log_w = vae.log_weights(model, x, 500)
            bound = vae.importance_bound(log_w)
            elbos.append(log_w.mean().item())
            tight.append(bound.mean().item())
            if model.likelihood.is_mass:
                bits.append(vae.bits_per_dimension(bound, model.likelihood).mean().item())
        print(f"| {name} | {summary(elbos)} | {summary(tight)} | {summary(bits, 3) if bits else ''} |", flush=True)


def qualities(
    vaes: list[nn.Module], plain: list[nn.Module], dcgans: list[nn.Module], train: Tensor, x: Tensor, against: str
) -> None:
    """By the ruler, first draw of each."""
    count = len(x)

    def codes(model: vae.Autoencoder, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([model.encoder(part) for part in pictures.split(1000)])

    def fitted(model: vae.Autoencoder) -> Tensor:
        return vae.decode(model, vae.fit_gaussian(codes(model, train)).sample((count,)))

    def mean_codes(model: vae.VAE) -> Tensor:
        with torch.no_grad():
            return torch.cat([model.posterior(part).mu for part in x.split(1000)])

    ways: dict[str, tuple[list[nn.Module], Callable[[nn.Module], Tensor]]] = {
        "VAE, samples: means": (vaes, lambda model: vae.sample(model, count)),
        "VAE, samples: means, temperature 0.7": (vaes, lambda model: vae.sample(model, count, temperature=0.7)),
        "VAE, samples: draws": (vaes, lambda model: vae.sample(model, count, draw=True)),
        "VAE, reconstructions": (vaes, lambda model: vae.decode(model, mean_codes(model))),
        "autoencoder, codes from N(0, I)": (plain, lambda model: vae.decode(model, torch.randn(count, 20))),
        "autoencoder, codes from a fitted Gaussian": (plain, fitted),
        "autoencoder, reconstructions": (plain, lambda model: vae.decode(model, codes(model, x))),
        "DCGAN of lesson 07": (dcgans, lambda model: gans.samples(model, count)),
    }
    print(f"{count:,} pictures, first draw, in %.\n")
    print("| pictures | share of noise | class entropy | precision | recall |")
    print("|---|--:|--:|--:|--:|")
    for name, (models, make) in ways.items():
        found = []
        for seed, model in enumerate(models):
            torch.manual_seed(seed)
            found.append(cnn.quality(make(model), against))
        columns = (
            summary([100 * getattr(one, part) for one in found]) for part in ("share", "entropy", "precision", "recall")
        )
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


def anomalies(models: list[nn.Module], x: Tensor) -> None:
    """AUROC of the negative bound as a score, and of the negative bound less the pictures' own entropy."""
    source = torch.Generator().manual_seed(0)
    strangers = {
        "digits": data.drawn_digits(2000, source) / 255,
        "shapes": data.drawn_shapes(2000, source) / 255,
        "items upside down": x[:2000].flip(2),
        "uniform noise": torch.rand(2000, *x.shape[1:], generator=source),
    }

    def scores(model: vae.VAE, pictures: Tensor) -> tuple[Tensor, Tensor]:
        cost = -vae.elbo(*vae.terms(model, pictures, 4))
        return cost, cost - vae.pixel_entropy(pictures)

    print("| anomalies | negative bound | the same, less the pictures' entropy | their entropy |")
    print("|---|--:|--:|--:|")
    normal = [scores(model, x) for model in models]
    for name, pictures in strangers.items():
        odd = [scores(model, pictures) for model in models]
        plain, less = (
            [metrics.auroc(known[kind], new[kind]) for known, new in zip(normal, odd, strict=True)] for kind in (0, 1)
        )
        own = vae.pixel_entropy(pictures).mean().item()
        print(f"| {name} | {summary(plain, 3)} | {summary(less, 3)} | {own:.0f} |", flush=True)
    own = vae.pixel_entropy(x)
    correlations = [torch.corrcoef(torch.stack([cost, own]))[0, 1].item() for cost, _ in normal]
    print(f"\nCorrelation of the negative bound with the entropy of normal pictures: {summary(correlations, 3)}.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vaes", description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=LESSON, help="of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--validation", action="store_true", help="measure on the validation pictures, to choose")
    asked = parser.parse_args()
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(min(THREADS, len(os.sched_getaffinity(0))))
    train, validation, test = data.fashion_mnist()
    x = (validation if asked.validation else test).images / 255
    print(
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {datetime.date.today()}; seeds {asked.seeds};"
    )
    print("mean (standard deviation) over the seeds.\n")

    def trained(name: str, recipe: Recipe, steps: int = asked.steps) -> list[tuple[nn.Module, float]]:
        runs = []
        for seed in asked.seeds:
            start = time.perf_counter()
            model = recipe.train(train, steps, seed)
            runs.append((model, time.perf_counter() - start))
        print(f"({name}: {steps:,} steps)\n", flush=True)
        return runs

    ours = trained("VAE, ours", OURS)
    more = round(asked.steps * times_faster(TEXTBOOK, OURS, train))
    bounds({"VAE, ours": ours, "784-400-20, a textbook's": trained("a textbook's", TEXTBOOK, more)}, x)
    others = {name: trained(name, recipe) for name, recipe in LIKELIHOODS.items()}
    print()
    likelihoods({"Bernoulli cross-entropy, ours": ours, **others}, x)
    plain = [model for model, _ in trained("autoencoder", PLAIN)]
    dcgans = [gans.OURS.train(train, min(DCGAN, asked.steps), seed)[0] for seed in asked.seeds]
    vaes = [model for model, _ in ours]
    print()
    qualities(vaes, plain, dcgans, train.images / 255, x, "validation" if asked.validation else "test")
    print()
    anomalies(vaes, x)


if __name__ == "__main__":
    main()
