"""Train the networks that ship with the course, and print what their cards say.

``python -m benchmarks.pretrained`` writes them all to data/pretrained; a name after it, only that one. An hour on two
threads. The test pictures are looked at once for each network, at the end.
"""

import argparse
import functools
import os
from dataclasses import dataclass, replace

import torch

from benchmarks import gans, vaes
from benchmarks.classifiers import MINUTE, TEN_MINUTES, THREADS, Recipe
from benchmarks.vits import HYBRID, PURE
from course_utils import cnn, data, training, vae, vit

SEED = 0
BLIND = functools.partial(vit.ViT, positions="none")


@dataclass
class Shipped:
    """A network, how it is trained, and what it is for."""

    recipe: Recipe
    steps: int
    net: str
    purpose: str


NETS = {
    "03_fast_net": Shipped(MINUTE, 1300, "FastNet()", "what lesson 03 trains in its notebook"),
    "ten_minutes": Shipped(
        TEN_MINUTES, 6000, "FastNet(widths=(24, 48, 80))", "the best classifier of the course, for lessons to look into"
    ),
    "ruler": Shipped(
        replace(MINUTE, label_smoothing=0.0, hard=1.0, augment=TEN_MINUTES.augment),
        4000,
        "FastNet()",
        "trained without label smoothing: later lessons measure generated pictures with its 64 features",
    ),
    "06_vit": Shipped(PURE, 900, "ViT()", "what lesson 06 trains in its notebook"),
    "vit": Shipped(replace(PURE, augment=TEN_MINUTES.augment), 6000, "ViT()", "a Vision Transformer to look into"),
    "vit_without_positions": Shipped(
        replace(PURE, net=BLIND, augment=TEN_MINUTES.augment),
        3000,
        "ViT(positions='none')",
        "lesson 06: a Transformer that does not know where its patches were",
    ),
    "hybrid_vit": Shipped(
        replace(HYBRID, augment=TEN_MINUTES.augment),
        6000,
        "HybridViT()",
        "a Vision Transformer with a convolutional stem",
    ),
}


@dataclass
class Artist:
    """A generator, how it is trained, and what it is for."""

    recipe: gans.Recipe
    steps: int
    net: str
    purpose: str


LESSON_07 = 3300  # steps of the notebook's training
ARTISTS = {
    # The rates fall in the second half only: with constant ones it is the same training, ended early.
    "07_dcgan_100": Artist(
        replace(gans.OURS, schedule=training.constant), 100, "Generator()", "07_dcgan after its first 100 steps"
    ),
    "07_dcgan_600": Artist(
        replace(gans.OURS, schedule=training.constant), 600, "Generator()", "07_dcgan after its first 600 steps"
    ),
    "07_dcgan": Artist(gans.OURS, LESSON_07, "Generator()", "what lesson 07 trains in its notebook"),
    "conditional_dcgan": Artist(
        gans.CONDITIONAL,
        12000,
        "Generator(classes=10)",
        "the best generator of the course: draws the class it is asked for, 0 to 9",
    ),
}


@dataclass
class Coder:
    """A VAE, how it is trained, and what it is for."""

    recipe: vaes.Recipe
    steps: int
    net: str
    purpose: str


SMALL = replace(vaes.OURS, model=functools.partial(vae.VAE, latent_dim=2, widths=(128, 128)))
BETAS = (0.1, 0.5, 1.0, 4.0, 16.0)
CODERS = {"09_vae": Coder(vaes.OURS, vaes.LESSON, "VAE()", "what lesson 09 trains in its notebook")} | {
    f"vae_beta_{beta:g}": Coder(
        replace(SMALL, beta=beta), 8000, "VAE(latent_dim=2, widths=(128, 128))", f"lesson 09's map: beta = {beta:g}"
    )
    for beta in BETAS
}


def classifiers(names: list[str]) -> None:
    """Train, save and print a table of classifiers."""
    train, validation, test = data.fashion_mnist()
    print("| file | network | steps | label smoothing | validation % | test % | for |")
    print("|---|---|--:|--:|--:|--:|---|")
    for name in names:
        shipped = NETS[name]
        known, final = (data.Batches(*part, 500) for part in (validation, test))
        model, history = shipped.recipe.train(train, shipped.steps, SEED, validation=known)
        scores = {"validation": training.evaluate(model, known), "test": training.evaluate(model, final)}
        card = card_of(name, shipped) | {"label smoothing": shipped.recipe.label_smoothing, "accuracy": scores}
        training.save(model, data.PRETRAINED / f"{name}.safetensors", history, **card)
        shares = " | ".join(f"{100 * accuracy:.2f}" for accuracy in scores.values())
        smoothing = shipped.recipe.label_smoothing
        print(
            f"| {name} | `{shipped.net}` | {shipped.steps:,} | {smoothing} | {shares} | {shipped.purpose} |", flush=True
        )


def generators(names: list[str]) -> None:
    """Train, save and print a table of generators; in %, but for the steps."""
    train, _, _ = data.fashion_mnist()
    print("| file | network | steps | share of noise | class entropy | precision | recall | as asked | for |")
    print("|---|---|--:|--:|--:|--:|--:|--:|---|")
    for name in names:
        artist = ARTISTS[name]
        generator, _ = artist.recipe.train(train, artist.steps, SEED)
        pictures = gans.samples(generator, 10_000)
        scores = cnn.quality(pictures)._asdict()
        if generator.classes:
            scores["as asked"] = gans.as_asked(generator, pictures)
        training.save(generator, data.PRETRAINED / f"{name}.safetensors", **card_of(name, artist) | {"quality": scores})
        kept = ("share", "entropy", "precision", "recall", "as asked")
        shares = " | ".join(f"{100 * scores[kind]:.1f}" if kind in scores else "" for kind in kept)
        print(f"| {name} | `{artist.net}` | {artist.steps:,} | {shares} | {artist.purpose} |", flush=True)


def coders(names: list[str]) -> None:
    """Train, save and print a table of VAEs; in nats a picture, on the test pictures."""
    train, _, test = data.fashion_mnist()
    print("| file | network | steps | cross-entropy | KL | for |")
    print("|---|---|--:|--:|--:|---|")
    for name in names:
        coder = CODERS[name]
        model = coder.recipe.train(train, coder.steps, SEED)
        nll, kl = (part.mean().item() for part in vae.terms(model, test.images / 255, 4))
        card = card_of(name, coder) | {"cross-entropy": nll, "KL": kl}
        training.save(model, data.PRETRAINED / f"{name}.safetensors", **card)
        print(f"| {name} | `{coder.net}` | {coder.steps:,} | {nll:.1f} | {kl:.1f} | {coder.purpose} |", flush=True)


def card_of(name: str, shipped: Shipped | Artist | Coder) -> dict[str, object]:
    """What all kinds have on their cards."""
    return {
        "network": shipped.net,
        "for": shipped.purpose,
        "data": "Fashion-MNIST, the 55,000 training pictures of course_utils.data.fashion_mnist()",
        "made by": f"python -m benchmarks.pretrained {name}",
        "seed": SEED,
        "steps": shipped.steps,
        "licence": "MIT, as the course's code",
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"{', '.join([*NETS, *ARTISTS, *CODERS])}; all if none is given")
    torch.set_num_threads(min(THREADS, len(os.sched_getaffinity(0))))
    names = parser.parse_args().names or [*NETS, *ARTISTS, *CODERS]
    if chosen := [name for name in names if name in NETS]:
        classifiers(chosen)
    if chosen := [name for name in names if name in ARTISTS]:
        generators(chosen)
    if chosen := [name for name in names if name in CODERS]:
        coders(chosen)


if __name__ == "__main__":
    main()
