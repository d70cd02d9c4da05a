"""Submissions a minute: ours with one and two workers, and nbgrader's autograde, on the same notebooks in one go.

Run: python -m benchmarks.classroom [--submissions 12]
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from course_utils.classroom.grading import grade
from course_utils.classroom.release import release
from course_utils.exercises import EXERCISES, source_of

NAMES = ("cross_correlate2d", "output_size", "equivariance_error")
LESSON = "01_convolution"


def hand_in(students: Path, folder: Path, count: int) -> None:
    """As many submissions, in nbgrader's folders: right answers and known mistakes in turn."""
    for number in range(count):
        notebook = nbformat.read(students / f"{LESSON}.ipynb", as_version=4)
        for cell in notebook.cells:
            for tag in cell.metadata.get("tags", ()):
                if (name := tag.removeprefix("stub:")) in NAMES and tag.startswith("stub:"):
                    choices = [EXERCISES[name].reference, *(m.function for m in EXERCISES[name].mistakes)]
                    cell.source = source_of(choices[number % len(choices)], name)
        place = folder / f"s{number:03}" / LESSON
        place.mkdir(parents=True)
        nbformat.write(notebook, place / f"{LESSON}.ipynb")


def by_nbgrader(course: Path, instructor: Path) -> float:
    """nbgrader's own road from the instructor's notebook: generate_assignment, then autograde; seconds of that."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where it looks for alembic
    source = course / "source" / LESSON
    source.mkdir(parents=True)
    (source / f"{LESSON}.ipynb").write_bytes((instructor / f"{LESSON}.ipynb").read_bytes())
    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.course_id = "course"
    config.ClearSolutions.code_stub = {"python": ""}
    api = NbGraderAPI(config=config)
    made = api.generate_assignment(LESSON)
    assert made["success"], made
    started = time.perf_counter()
    graded = api.autograde(LESSON, "*", force=True)
    assert graded["success"], graded["log"][-2000:]
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=12)
    count = parser.parse_args().submissions
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        release([LESSON], NAMES, place / "released")
        course = place / "course"
        hand_in(place / "released" / "students", course / "submitted", count)
        seconds = {}
        for workers in (1, 2):
            started = time.perf_counter()
            grade(place / "released", course / "submitted", place / f"graded {workers}", workers=workers)
            seconds[f"ours, {workers} worker{'s' * (workers > 1)}"] = time.perf_counter() - started
        slowest = by_nbgrader(course, place / "released" / "instructor")
        seconds["nbgrader autograde"] = slowest
    print(f"{count} submissions of {len(NAMES)} exercises of lesson 01, start of the graders included\n")
    print(f"{'':22} {'seconds':>8} {'a minute':>9} {'times':>6}")
    for who, spent in seconds.items():
        print(f"{who:22} {spent:8.1f} {60 * count / spent:9.1f} {slowest / spent:6.1f}")


if __name__ == "__main__":
    main()
