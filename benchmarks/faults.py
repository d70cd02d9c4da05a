"""Are the lessons regression tests? A fault is planted in one code cell at a time, and nbval should turn red.

    python -m benchmarks.faults                          # every fault; broken off, it goes on
    python -m benchmarks.faults --lesson 03              # those of one lesson
    python -m benchmarks.faults --fault 7                # the seventh of the list below
    python -m benchmarks.faults --lesson 03 --again      # what has a result already, once more

A quarter of an hour or more: a fault that is not found costs its whole lesson, up to two minutes. Each is a small slip
of the kind that people make, runs without an error, and changes something that the reader is told, as a number, a word
or a bar. They were chosen by reading the cells' source and outputs, without looking at the cells' tolerances, and
without having been tried.

The lessons themselves must pass (``make test``). The copies and the results lie in build/faults/.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from course_utils.lessons import ROOT, find
from tests.lesson_notebooks import code_cells

BUILD = ROOT / "build" / "faults"
RESULTS = BUILD / "results.json"
PYTEST = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]


class Fault(NamedTuple):
    lesson: str  # by its file's name, without the ending
    what: str  # the slip in a few words, for the table
    old: str  # text that stands exactly once in the lesson's code cells
    new: str


FAULTS = (
    # 00: tensors, distances, gradients
    Fault("00_start_here", "greys divided by 256, not 255", "greys = test.images / 255", "greys = test.images / 256"),
    Fault(
        "00_start_here",
        "a one-sided difference where a two-sided one is told",
        "(f(3 + h, 2) - f(3 - h, 2)) / (2 * h)",
        "(f(3 + h, 2) - f(3, 2)) / h",
    ),
    # 01: windows, equivariance, costs
    Fault(
        "01_convolution", "the window one column too far left", "window = small[0:2, 2:4]", "window = small[0:2, 1:3]"
    ),
    Fault(
        "01_convolution",
        "the largest gap over the wrong axes: rows, not columns",
        "gap.abs().amax(dim=(0, 1, 2))",
        "gap.abs().amax(dim=(0, 1, 3))",
    ),
    Fault(
        "01_convolution",
        "the kernel's size not squared in what it costs",
        "filters * size * size * channels * kernel_size**2",
        "filters * size * size * channels * kernel_size",
    ),
    # 02: attention
    Fault(
        "02_attention",
        "scores divided by d, not by its root",
        "(scores / math.sqrt(d)).var()",
        "(scores / d).var()",
    ),
    Fault(
        "02_attention",
        "a convolution over the pixels of a row, not over the rows",
        "near(tokens.mT).mT",
        "near(tokens)",
    ),
    Fault("02_attention", "the last measured size left out of the slope", "few <= n <= many", "few <= n < many"),
    # 03: train a CNN
    Fault(
        "03_training_a_cnn",
        "batches in fixed order, not shuffled",
        "data.Batches(*train, batch_size=64, generator=torch.Generator().manual_seed(0))",
        "data.Batches(*train, batch_size=64)",
    ),
    Fault(
        "03_training_a_cnn",
        "label smoothing left out of the training",
        "augment=augment.flip, label_smoothing=0.1)",
        "augment=augment.flip)",
    ),
    Fault(
        "03_training_a_cnn",
        "validation pictures in place of the test pictures",
        "final = data.Batches(*test, batch_size=500)",
        "final = data.Batches(*validation, batch_size=500)",
    ),
    # 04: generalization
    Fault(
        "04_generalization",
        "L1 on the biases too",
        "sum(p.abs().sum() for p in model.parameters() if p.dim() > 1)",
        "sum(p.abs().sum() for p in model.parameters())",
    ),
    Fault(
        "04_generalization",
        "early stopping by the pictures that are learnt from",
        "trained(validation=stop_on, patience=5)",
        "trained(validation=known, patience=5)",
    ),
    Fault(
        "04_generalization",
        "evaluation mode forgotten",
        "norm.eval()\n",
        "",
    ),
    Fault(
        "04_generalization",
        "one model for all folds, so that it has seen what it is judged by",
        "    for known_places, judged_places in data.k_fold(500, 5, generator):\n        model = make()\n",
        "    model = make()\n    for known_places, judged_places in data.k_fold(500, 5, generator):\n",
    ),
    # 05: read a classifier
    Fault(
        "05_reading_a_classifier",
        "labels and answers exchanged in the confusion matrix",
        "metrics.confusion_matrix(labels, predicted, classes=10)",
        "metrics.confusion_matrix(predicted, labels, classes=10)",
    ),
    Fault(
        "05_reading_a_classifier",
        "the temperature fitted on the test pictures",
        "metrics.temperature(*training.predict(model, data.Batches(*validation, 500)))",
        "metrics.temperature(*training.predict(model, data.Batches(*test, 500)))",
    ),
    Fault(
        "05_reading_a_classifier",
        "one noise for all pictures",
        "30 * torch.randn(images.shape, generator=generator)",
        "30 * torch.randn(images.shape[1:], generator=generator)",
    ),
    Fault(
        "05_reading_a_classifier",
        "the attack's size not brought to the scale of normalised pictures",
        "epsilon = levels / 255 / data.STD",
        "epsilon = levels / 255",
    ),
    # 06: Vision Transformer
    Fault(
        "06_vision_transformer",
        "test pictures among the training ones",
        "batches = HardBatches(*train, 256, generator",
        "every = data.Pictures(*(torch.cat(parts) for parts in zip(train, test, strict=True)))\n"
        "batches = HardBatches(*every, 256, generator",
    ),
    Fault(
        "06_vision_transformer",
        "the wrong checkpoint: the network of a minute",
        'training.load(best, data.PRETRAINED / "vit.safetensors")',
        'training.load(best, data.PRETRAINED / "06_vit.safetensors")',
    ),
    Fault(
        "06_vision_transformer",
        "shares averaged over the wrong axis: who looks, not who is looked at",
        '"most looked at, last block": maps[-1].mean(dim=1)',
        '"most looked at, last block": maps[-1].mean(dim=2)',
    ),
    Fault(
        "06_vision_transformer",
        "first weights not seeded",
        "generator = training.seed_everything(0)\nsmall = vit.ViT()",
        "generator = torch.Generator().manual_seed(0)\nsmall = vit.ViT()",
    ),
    # 07: DCGAN
    Fault(
        "07_dcgan",
        "the rates of the two players exchanged",
        "((generator, 8e-3), (discriminator, 4e-3))",
        "((generator, 4e-3), (discriminator, 8e-3))",
    ),
    Fault(
        "07_dcgan",
        "the falling rate left out",
        "schedule=training.hold_then_fall, ",
        "",
    ),
    Fault(
        "07_dcgan",
        "uniform noise drawn in place of normal noise",
        "torch.randn(10_000, 64, generator=torch.Generator().manual_seed(0))",
        "torch.rand(10_000, 64, generator=torch.Generator().manual_seed(0))",
    ),
    Fault(
        "07_dcgan",
        "drawn pictures not normalised for the classifier",
        "feed = [((part - data.MEAN) / data.STD, label) for part",
        "feed = [(part, label) for part",
    ),
    # 08: measuring generation
    Fault(
        "08_measuring_generation",
        "a standard deviation where a variance is asked for",
        "torch.tensor([2.0]), torch.tensor([[9.0]])",
        "torch.tensor([2.0]), torch.tensor([[3.0]])",
    ),
    Fault(
        "08_measuring_generation",
        "a mean over ten parts, however many there are",
        "sum(distances) / len(distances)",
        "sum(distances) / 10",
    ),
    Fault(
        "08_measuring_generation",
        "any over the wrong axis: pixels inside a ball, not balls that hold some",
        "inside.any(dim=1)",
        "inside.any(dim=0)",
    ),
    Fault(
        "08_measuring_generation",
        "1,000 drawn pictures measured, not 10,000",
        "cnn.quality(dcgan.sample(generator, noise))",
        "cnn.quality(dcgan.sample(generator, noise[:1000]))",
    ),
    # 09: VAE
    Fault(
        "09_vae",
        "the log of the standard deviation for that of the variance",
        "torch.tensor([2 * math.log(std)])",
        "torch.tensor([math.log(std)])",
    ),
    Fault(
        "09_vae",
        "the lowest place of the bound for its top",
        "top = (nll + kl).argmin()",
        "top = vae.elbo(nll, kl).argmin()",
    ),
    Fault(
        "09_vae",
        "a rate ten times too small",
        "torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True)",
        "torch.optim.AdamW(model.parameters(), lr=2e-4, fused=True)",
    ),
    Fault(
        "09_vae",
        "the KL left out of the cost",
        "cost = -vae.elbo(*terms).mean()",
        "cost = terms.nll.mean()",
    ),
    Fault(
        "09_vae",
        "reconstructions made from draws, not from means",
        '"VAE, reconstructions": vae.decode(model, mu),',
        '"VAE, reconstructions": vae.decode(model, vae.reparameterize(mu, logvar)),',
    ),
)


def planted(fault: Fault) -> tuple[NotebookNode, int]:
    """The lesson with the fault in it, and the place of the changed cell among the code cells."""
    notebook = nbformat.read(find(fault.lesson), as_version=4)
    cells = code_cells(notebook)
    (place,) = (place for place, cell in enumerate(cells) if fault.old in cell.source)
    cells[place].source = cells[place].source.replace(fault.old, fault.new)
    return notebook, place


def tried(fault: Fault) -> dict:
    """What nbval says of the lesson with the fault in it: whether it is found, where, and in how many seconds."""
    notebook, place = planted(fault)
    copy = BUILD / f"{fault.lesson}.ipynb"
    nbformat.write(notebook, copy)
    started = time.monotonic()
    report = subprocess.run([*PYTEST, str(copy)], cwd=ROOT, capture_output=True, text=True)
    seconds = round(time.monotonic() - started)
    if report.returncode == 0:
        return {"found": False, "where": "", "seconds": seconds}
    failed = re.search(r"^\S+, (In \[\d+\]) \(Cell (\d+)\)$", report.stdout, re.MULTILINE)
    if failed is None or int(failed[2]) < place:
        sys.exit(f"{fault.lesson} fails, and not by the fault in cell {place}:\n{report.stdout}{report.stderr}")
    lines = (line.strip() for line in report.stdout.splitlines() if line.startswith(("  expected", "  got")))
    excerpt = "; ".join(" ".join(line.split())[:120] for line in lines).replace("|", r"\|").replace("`", "'")
    return {"found": True, "where": f"{failed[1]}: `{excerpt}`", "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--lesson", default="", help="how its name begins: 03")
    parser.add_argument("--fault", type=int, help="its number in the list, from 1")
    parser.add_argument("--again", action="store_true", help="also those that have a result already")
    arguments = parser.parse_args()
    chosen = [
        (number, fault)
        for number, fault in enumerate(FAULTS, 1)
        if fault.lesson.startswith(arguments.lesson) and arguments.fault in (None, number)
    ]
    BUILD.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    print("| lesson | fault | found? | first cell that fails | seconds |")
    print("|---|---|---|---|--:|", flush=True)
    found = 0
    for number, fault in chosen:
        key = "\n".join(fault)
        if arguments.again or key not in results:
            results[key] = tried(fault)
            RESULTS.write_text(json.dumps(results, indent=1))
        result = results[key]
        found += result["found"]
        answer = "yes" if result["found"] else "**no**"
        print(
            f"| {fault.lesson[:2]} | {number}. {fault.what} | {answer} | {result['where']} | {result['seconds']} |",
            flush=True,
        )
    print(f"\n{found} of {len(chosen)} found")


if __name__ == "__main__":
    main()
