"""Does label smoothing, or training on hard examples, make a classifier's confidence worse?

``python -m benchmarks.smoothing`` trains the recipe of a minute with and without each, 700 steps from one seed, and
prints the table that README.md in this folder holds.
"""

import os
from dataclasses import replace

import torch

from benchmarks.classifiers import MINUTE, THREADS
from course_utils import data, metrics, training

STEPS = 700


def main() -> None:
    os.environ["COURSE_QUIET"] = "1"
    torch.set_num_threads(THREADS)
    train, validation, _ = data.fashion_mnist()
    print("| pictures in an epoch | label smoothing | accuracy, % | calibration error | temperature |")
    print("|---|--:|--:|--:|--:|")
    for hard, kind in ((MINUTE.hard, "the hard ones"), (1.0, "all")):
        for smoothing in (0.1, 0.0):
            model, _ = replace(MINUTE, hard=hard, label_smoothing=smoothing).train(train, STEPS, seed=0)
            logits, labels = training.predict(model, data.Batches(*validation, 500))
            print(
                f"| {kind} | {smoothing} | {100 * metrics.accuracy(logits, labels):.2f} | "
                f"{metrics.calibration_error(logits.softmax(dim=1), labels):.3f} | "
                f"{metrics.temperature(logits, labels):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
