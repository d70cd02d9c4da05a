"""Release exercises to a class, grade what comes back in isolation, and report: for instructors."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..lessons import UnknownLesson
from . import grading
from .release import release
from .sandbox import NoSandbox


def points_of(pairs: Sequence[str]) -> dict[str, float]:
    """["output_size=5"] -> {"output_size": 5.0}

    Raises:
        ValueError: if a pair is not NAME=NUMBER.
    """
    try:
        return {name: float(worth) for name, worth in (pair.split("=") for pair in pairs)}
    except ValueError:
        raise ValueError(f"--points: write NAME=NUMBER, as in output_size=5, not {' '.join(pairs)}") from None


def parser() -> argparse.ArgumentParser:
    """What reads the command line: release, grade or report."""
    whole = argparse.ArgumentParser(prog="python -m course_utils.classroom", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)

    make = commands.add_parser(
        "release",
        help="make notebooks to hand out, without answers",
        description="Write DIR/students, which you hand out, and DIR/instructor, which you keep: the solved notebooks "
        "and the secret that graded cases are drawn from. The lessons are executed once, solved.",
    )
    make.add_argument("lessons", nargs="+", metavar="LESSON", help="for example 01")
    make.add_argument("--exercises", nargs="+", metavar="NAME", default=[], help="all core ones if none is named")
    make.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or that of this release")
    make.add_argument("--points", nargs="+", default=[], metavar="NAME=N", help="10 each where nothing is said")
    make.add_argument("--due", help="shown to students as you write it")
    make.add_argument(
        "--feedback",
        choices=("full", "verdict", "none"),
        default="full",
        help="what checks tell students while they work: everything (as in the course), right or not, or nothing",
    )

    mark = commands.add_parser(
        "grade",
        help="grade what came back",
        description="Only the answer cells of what was handed in are run, each in a process of its own that can reach "
        "neither files nor network nor other processes. DIR then has results/, feedback/ with a page for each student, "
        "moodle.csv, canvas.csv and results.json.",
    )
    mark.add_argument("release", type=Path, metavar="RELEASE", help="the DIR of `release`")
    mark.add_argument("submissions", type=Path, help="a folder or zip file, as Moodle, Canvas or nbgrader have it")
    mark.add_argument("--out", type=Path, required=True, metavar="DIR")
    mark.add_argument("--students", type=Path, metavar="CSV", help="with columns id, name and perhaps file")
    mark.add_argument("--workers", type=int, default=1, metavar="N", help="processes; about 1 GB of memory each")
    mark.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, whose workers grade instead")
    mark.add_argument("--resume", action="store_true", help="keep results that are there, where nothing has changed")
    mark.add_argument(
        "--accept",
        nargs="+",
        default=[],
        metavar="STUDENT:EXERCISE",
        help="answers that were held, that you have read and found harmless",
    )
    mark.add_argument(
        "--trust",
        action="store_true",
        help="without any isolation, in your own account: only for answers that you have read",
    )

    page = commands.add_parser("report", help="a page on the whole class")
    page.add_argument("graded", type=Path, metavar="DIR", help="the DIR of `grade`")
    page.add_argument("--anonymous", action="store_true", help="numbers instead of names, in DIR/anonymous")
    return whole


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Do what the arguments of the command line say. Returns what went wrong, for ``sys.exit``."""
    said = parser().parse_args(arguments)
    try:
        if said.command == "release":
            made = release(
                said.lessons,
                said.exercises,
                said.out,
                points=points_of(said.points),
                due=said.due,
                feedback=said.feedback,
            )
            print(f"{len(made.exercises)} exercises, {made.points:g} points.")
            print(f"Hand out {said.out / 'students'}; keep {said.out / 'instructor'} to yourself.")
        elif said.command == "grade":
            if said.workers < 1:
                return f"--workers must be at least 1, got {said.workers}"
            results = grading.grade(
                said.release,
                said.submissions,
                said.out,
                students=said.students,
                workers=said.workers,
                scheduler=said.scheduler,
                resume=said.resume,
                trust=said.trust,
                accepted=frozenset(said.accept),
            )
            print(f"{len(results)} submissions graded: {said.out / 'feedback'} has a page for each student.")
            print(f"Next: python -m course_utils.classroom report {said.out}")
        else:
            print(f"Open {grading.report(said.graded, said.anonymous)} in a browser.")
    except (ValueError, UnknownLesson, NoSandbox, RuntimeError) as error:
        return str(error)
    except KeyboardInterrupt:
        return "\nStopped. What was graded is kept: the same command with --resume goes on from there."
    return None


if __name__ == "__main__":
    sys.exit(main())
