"""Gather what students have done, for grading: ``python -m course_utils.classroom.jupyterhub.collect OUT``."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from course_utils.classroom.records import write_whole

MOST = 50_000_000  # bytes of one notebook


def collect(classroom: Path, names: list[str], out: Path) -> dict[str, int]:
    """Copy the notebooks of these names from every home of a classroom, its folder, to ``out/STUDENT/``.

    Each is read by a process that has no more rights than its student. Root would follow a link in a home to anywhere,
    for example to somebody else's answers.

    Returns:
        How many came from each student.
    """
    counts = {}
    for home in sorted((classroom / "homes").glob("[a-z]*")):
        counts[home.name] = 0
        for name in names:
            if content := _read_as(home.stat().st_uid, home / "lessons" / name):
                write_whole(out / home.name / name, content)
                counts[home.name] += 1
    return counts


def _read_as(uid: int, file: Path) -> bytes:
    """The content of a student's file, nothing if it is not to be had."""
    try:
        return subprocess.run(
            ["head", "-c", str(MOST), file],
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
            timeout=20,
            check=True,
        ).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return b""


def main() -> str | None:
    """Collect into the folder that is named. Returns what went wrong, for ``sys.exit``."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.classroom.jupyterhub.collect", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder that is not there yet")
    out = parser.parse_args().out
    if os.geteuid() != 0:
        return "Only root can read what students have written."
    if out.exists():
        return f"{out} is there already. Name a new folder: what is collected is never mixed."
    classroom = Path(os.environ.get("COURSE_CLASS", "/srv/vision-course"))
    handed_out = classroom / "lessons"
    lessons = handed_out if handed_out.is_dir() else Path(__file__).resolve().parents[3] / "notebooks"
    out.mkdir(mode=0o700, parents=True)
    names = sorted(path.name for path in lessons.glob("*.ipynb"))
    for student, count in collect(classroom, names, out).items():
        print(f"{student:<32} {count} of {len(names)} notebooks")
    return None


if __name__ == "__main__":
    sys.exit(main())
