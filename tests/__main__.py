"""All tests of the course, in order: ``python -m tests [--lesson 03] [--quick]``."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from course_utils.exercises import EXERCISES
from course_utils.lessons import ROOT, UnknownLesson, find, lessons
from tests import bubblewrap, chromium

REPORTS = ROOT / "build" / "tests"
OF_NOTEBOOKS = ["tests/test_notebooks.py", "tests/test_browser.py"]
OF_A_CLASS = [  # those that take long first, so that two side by side end together
    f"tests/test_{name}.py" for name in ("grading", "hostile", "nbgrader", "release", "sandbox", "jupyterhub")
]
NO_TESTS = 5  # pytest's exit status where nothing was selected
NEEDS = {"browser": (chromium.bring, "Chromium"), "class": (bubblewrap.bring, "bubblewrap")}


class Part(NamedTuple):
    """One command of the test run."""

    name: str
    what: str
    command: list[str]  # what follows `python -m`


class Result(NamedTuple):
    """What a part came to."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def parts(lesson: Path | None, quick: bool) -> list[Part]:
    """The parts to run: all, those of one lesson, or those that need no training."""
    of_lesson = [name for name, exercise in EXERCISES.items() if lesson and exercise.lesson == lesson.stem]
    pick = ["-k", " or ".join([lesson.name[:3], *of_lesson])] if lesson else []  # "03_ or cross_entropy or ..."
    notebooks = [str(path.relative_to(ROOT)) for path in ([lesson] if lesson else reversed(lessons()))]
    nbval = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600"]
    style = Part("style", "code and notebooks as ruff likes them", ["ruff", "check", "."])
    blocks = Part(
        "blocks",
        "the building blocks, the exercises and the commands",
        ["pytest", "tests", *(f"--ignore={test}" for test in (*OF_A_CLASS, *OF_NOTEBOOKS)), "-n", "2", *pick],
    )
    class_ = Part(
        "class",
        "released, graded in isolation, served",
        ["pytest", *OF_A_CLASS, "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"],
    )
    # Two lessons with a thread each end sooner than one after the other with two; the last ones take longest.
    side_by_side = [] if lesson else ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    stored = Part("notebooks", "what they give is what they store", ["pytest", *nbval, *notebooks, *side_by_side])
    answered = Part("answers", "notebooks solved and mistaken", ["pytest", "tests/test_notebooks.py", "-n", "2", *pick])
    seen = Part("browser", "notebooks in JupyterLab, moved", ["pytest", "tests/test_browser.py", "-n", "2", *pick])

    if quick:
        return [style, blocks]
    if not notebooks:
        print("There are no notebooks yet: their tests are left out.")
        return [style, blocks]
    return [blocks, stored, answered, seen] if lesson else [style, blocks, class_, stored, answered, seen]


def run(part: Part, may_be_empty: bool) -> Result:
    """Run one part, its output going to the screen, and count its tests."""
    report = REPORTS / f"{part.name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", *part.command]
    if part.command[0] == "pytest":
        command.append(f"--junitxml={report}")
    started = time.monotonic()
    # Side by side, and on tensors too small for it, more than one thread a process is only in the way.
    threads = {"OMP_NUM_THREADS": "1"} if "-n" in part.command else {}
    status = subprocess.run(command, cwd=ROOT, env=os.environ | threads).returncode
    seconds = time.monotonic() - started

    suites = list(ElementTree.parse(report).iter("testsuite")) if report.exists() else []
    tests, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    if not suites:  # not pytest, or it did not get that far
        tests = 1
    if status and not failed and not (status == NO_TESTS and may_be_empty):
        tests, failed = max(tests, 1), 1
    return Result(part.name, tests - failed - skipped, failed, skipped, seconds)


def left_out(part: Part, lacking: str) -> Result:
    """What a part comes to where something it needs cannot be had: under CI that is a failure."""
    print(f"No {lacking} on this machine, and none could be brought: the tests of the part {part.name!r} are left out.")
    failed = int(os.environ.get("CI") == "true")
    return Result(part.name, 0, failed, 1 - failed, 0)


def main() -> int:
    """Run the parts, all of them even where one fails; 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests", description="All tests of the course, in order.")
    parser.add_argument("--lesson", help="only what tests this lesson, for example 03")
    parser.add_argument("--quick", action="store_true", help="leave out the notebooks: no training")
    arguments = parser.parse_args()
    try:
        lesson = find(arguments.lesson) if arguments.lesson else None
    except UnknownLesson as error:
        parser.error(str(error))

    REPORTS.mkdir(parents=True, exist_ok=True)
    todo = parts(lesson, arguments.quick)
    results = []
    for number, part in enumerate(todo, start=1):
        print(f"\n-- {number}/{len(todo)} {part.name}: {part.what}", flush=True)
        bring, needed = NEEDS.get(part.name, (None, None))
        if bring is not None and not bring():
            results.append(left_out(part, needed))
            continue
        results.append(run(part, may_be_empty=lesson is not None))
        print(f"-- {part.name} took {results[-1].seconds:.0f} s", flush=True)

    print(f"\n{'':10} {'passed':>7} {'failed':>7} {'skipped':>7} {'seconds':>7}")
    for result in results:
        print("{:10} {:7} {:7} {:7} {:7.0f}".format(*result))
    passed, failed, skipped = (sum(column) for column in list(zip(*results, strict=True))[1:4])
    print(f"{passed} passed, {failed} failed, {skipped} skipped in {sum(r.seconds for r in results):.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
