"""The networks that ship with the course are what their cards say."""

import re

import nbformat
import pytest
import torch

from course_utils import checkpoints, cnn, data, dcgan, training, vae, vit
from course_utils.lessons import find

FILES = sorted(data.PRETRAINED.glob("*.safetensors"))
README = (data.PRETRAINED / "README.md").read_text()
AT_LEAST = {
    "03_fast_net": 0.915,
    "ten_minutes": 0.93,
    "ruler": 0.92,
    "06_vit": 0.875,
    "vit": 0.90,
    "vit_without_positions": 0.80,
    "hybrid_vit": 0.92,
}

# Generators: the largest share of noise's distance and the least class entropy, of the largest there is.
DRAW_AT_LEAST = {
    "07_dcgan_100": (0.80, 0.30),
    "07_dcgan_600": (0.45, 0.80),
    "07_dcgan": (0.15, 0.90),
    "conditional_dcgan": (0.06, 0.97),
}
# VAEs: the largest cross-entropy and KL, in nats a picture.
CODE_AT_MOST = {
    "09_vae": (226, 18),
    "vae_beta_0.1": (252, 14),
    "vae_beta_0.5": (253, 9),
    "vae_beta_1": (254, 8),
    "vae_beta_4": (258, 6),
    "vae_beta_16": (277, 4),
}
CLASSIFIERS = [path for path in FILES if path.stem in AT_LEAST]
GENERATORS = [path for path in FILES if path.stem in DRAW_AT_LEAST]
CODERS = [path for path in FILES if path.stem in CODE_AT_MOST]


def card_of(path):
    return checkpoints.load(path)[1]["card"]


def loaded(path):
    model = eval(card_of(path)["network"], {**vars(cnn), **vars(vit), **vars(dcgan), **vars(vae)})
    training.load(model, path)
    return model


def test_those_that_should_be_there_are():
    assert {path.stem for path in FILES} == set(AT_LEAST) | set(DRAW_AT_LEAST) | set(CODE_AT_MOST)


@pytest.mark.parametrize("path", CLASSIFIERS, ids=lambda path: path.stem)
def test_it_is_as_good_as_its_card_says(path):
    """On the pictures of both kinds; a sum in another order may tip one picture or two."""
    _, validation, test = data.fashion_mnist()
    card, model = card_of(path), loaded(path)
    for name, part in (("validation", validation), ("test", test)):
        accuracy = training.evaluate(model, data.Batches(*part, 500))
        assert accuracy == pytest.approx(card["accuracy"][name], abs=3 / len(part.labels))
        assert f"| {100 * card['accuracy'][name]:.2f} |" in README
    assert card["accuracy"]["test"] >= AT_LEAST[path.stem]


@pytest.mark.parametrize("path", GENERATORS, ids=lambda path: path.stem)
def test_it_draws_as_well_as_its_card_says(path):
    card, generator = card_of(path), loaded(path)
    noise = torch.randn(10_000, generator.latent_dim, generator=torch.Generator().manual_seed(0))
    pictures = dcgan.sample(generator, noise)
    found = cnn.quality(pictures)
    for name, value in found._asdict().items():
        assert value == pytest.approx(card["quality"][name], rel=1e-2), name
    largest, least = DRAW_AT_LEAST[path.stem]
    assert found.share <= largest and found.entropy >= least
    assert f"| {100 * card['quality']['share']:.1f} |" in README
    if generator.classes:
        witness = cnn.FastNet(widths=(24, 48, 80))  # had no part in the training, and is not the ruler
        training.load(witness, data.PRETRAINED / "ten_minutes.safetensors")
        asked = torch.arange(10_000) % generator.classes
        parts = zip(((pictures - data.MEAN) / data.STD).split(500), asked.split(500), strict=True)
        share = training.evaluate(witness, list(parts))
        assert share == pytest.approx(card["quality"]["as asked"], abs=2e-3) and share >= 0.90


@pytest.mark.parametrize("path", CODERS, ids=lambda path: path.stem)
def test_it_codes_as_well_as_its_card_says(path):
    card, model = card_of(path), loaded(path)
    torch.manual_seed(0)
    found = vae.terms(model, data.fashion_mnist()[2].images / 255, 4)
    for name, value, most in zip(("cross-entropy", "KL"), found, CODE_AT_MOST[path.stem], strict=True):
        assert value.mean().item() == pytest.approx(card[name], abs=0.1), name
        assert value.mean().item() <= most
        assert f"| {card[name]:.1f} |" in README


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_small_and_has_a_card(path):
    largest = {"09_vae": 6_000_000} | {path.stem: 2_000_000 for path in GENERATORS}
    assert path.stat().st_size < largest.get(path.stem, 1_000_000)
    known = {"network", "for", "data", "made by", "seed", "steps", "licence"}
    known |= {"label smoothing", "accuracy"} if path in CLASSIFIERS else set()
    known |= {"quality"} if path in GENERATORS else set()
    assert known <= set(card_of(path))
    assert f"| {path.stem} |" in README
    history = training.load(loaded(path), path)
    assert len(history.loss) == (card_of(path)["steps"] if path in CLASSIFIERS else 0)


def test_the_ruler_was_trained_without_label_smoothing_and_has_64_features():
    path = data.PRETRAINED / "ruler.safetensors"
    assert card_of(path)["label smoothing"] == 0.0
    assert loaded(path).features(torch.zeros(2, 1, 28, 28)).shape == (2, 64)


@pytest.mark.parametrize(("lesson", "name", "band"), [("03", "03_fast_net", 0.4), ("06", "06_vit", 0.6)])
def test_a_lesson_tells_of_the_network_that_ships(lesson, name, band):
    """Trained by the same steps from the same seed: what the notebook has stored is what this network does."""
    outputs = [cell.get("outputs", ()) for cell in nbformat.read(find(lesson), as_version=4).cells]
    texts = [output.get("text", "") for cell in outputs for output in cell]
    said = next(float(found[1]) for text in texts if (found := re.match(r"test accuracy: ([\d.]+) %", text)))
    _, _, test = data.fashion_mnist()
    twice = cnn.Mirrored(loaded(data.PRETRAINED / f"{name}.safetensors"))
    assert 100 * training.evaluate(twice, data.Batches(*test, 500)) == pytest.approx(said, abs=band)
