"""What each lesson takes: seconds on two cores and on one, those of its trainings, memory, size and steps.

``python -m benchmarks.lessons [03 ...]`` executes all lessons on two cores, then all on one, each in a kernel of its
own, and prints the table that README.md holds. It takes about half an hour, on a machine that does nothing else.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell
from tqdm import tqdm

from course_utils.lessons import find, lessons, page
from tests.test_documents import steps_of

CORES = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else []

# The first cell and the last, run beside the lesson's own: every training goes through a bar.
BEFORE = """
import contextlib as _contextlib, time as _time
from course_utils import training as _training
_bar, _seconds = _training.bar, []

@_contextlib.contextmanager
def _timed(done, steps):
    started = _time.perf_counter()
    with _bar(done, steps) as show:
        yield show
    _seconds.append(_time.perf_counter() - started)

_training.bar = _timed
"""
AFTER = """
import json as _json, resource as _resource
print(_json.dumps([sum(_seconds), _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measured(lesson: Path, cores: list[int]) -> tuple[float, float, float]:
    """A lesson's seconds on these cores, those of its trainings, and the kernel's peak memory in MB."""
    os.sched_setaffinity(0, cores)  # a kernel inherits it
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells = [new_code_cell(BEFORE), *notebook.cells, new_code_cell(AFTER)]
    with tempfile.TemporaryDirectory() as state:
        environment = {"COURSE_QUIET": "1", "VISION_COURSE_STATE": state, "OMP_NUM_THREADS": str(len(cores))}
        started = time.monotonic()
        page(notebook, lesson.parent, timeout=1200).execute(env={**os.environ, **environment})
        seconds = time.monotonic() - started
    return seconds, *json.loads(notebook.cells[-1].outputs[0].text)


def main() -> None:
    if len(CORES) < 2:
        sys.exit("This needs Linux and two cores.")
    chosen = [find(name) for name in sys.argv[1:]] or lessons()
    on_two, on_one = ([measured(lesson, cores) for lesson in tqdm(chosen)] for cores in (CORES, CORES[:1]))
    print("| lesson | seconds, two cores | one core | of training | memory, MB | size, MB | steps of each training |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for lesson, (two, training, memory), (one, *_) in zip(chosen, on_two, on_one, strict=True):
        size, steps = lesson.stat().st_size / 1e6, ", ".join(map(str, steps_of(lesson))) or "–"
        print(f"| {lesson.stem[:2]} | {two:.0f} | {one:.0f} | {training:.0f} | {memory:.0f} | {size:.1f} | {steps} |")
    (two, training, _), (one, *_) = (map(sum, zip(*found, strict=True)) for found in (on_two, on_one))
    print(f"| together | {two:.0f} | {one:.0f} | {training:.0f} | | | |")


if __name__ == "__main__":
    main()
