"""Whether a class can be served here: tried before the hub starts, as what fails later fails in a student's log."""

import os
import subprocess
import sys
from pathlib import Path

from . import proxy
from .homes import FIRST_UID, NAME

ROOT = Path(__file__).resolve().parents[3]


def wrong(classroom: Path, password: str, students: list[str]) -> str | None:
    """What keeps the class from being served, in a sentence; None if nothing does. Makes the class's folders.

    Args: the classroom, which is a folder, the password that all type, and the names of students.
    """
    if os.geteuid() != 0:
        return "only root can give each student a user id of their own."
    if len(password) < 8:
        return "set COURSE_PASSWORD to eight characters or more."
    if not students:
        return "set COURSE_STUDENTS to the names of your students, separated by spaces."
    if bad := [name for name in students if not NAME.fullmatch(name)]:
        return f"names are a small letter, then small letters, digits, - and _, not {' '.join(bad)}."
    for folder, mode in ((classroom, 0o755), (classroom / "homes", 0o711), (classroom / "hub", 0o700)):
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.chmod(mode)
    return proxy.wrong() or _unfit(classroom)


PROBE = """\
import os, sys, course_utils, jupyter_core
course, classroom = sys.argv[1:]
if not os.access(classroom, os.X_OK):
    sys.exit(f"students cannot get to {classroom}")
if os.access(course, os.W_OK) or os.access(sys.prefix, os.W_OK):
    sys.exit("students could write into the course")
"""


def _unfit(classroom: Path) -> str | None:
    """What a student cannot do and has to, or can do and must not: tried as one."""
    command = [sys.executable, "-I", "-c", PROBE, str(ROOT), str(classroom)]
    student = {"user": FIRST_UID, "group": FIRST_UID, "extra_groups": []}
    try:
        subprocess.run(command, **student, cwd="/", check=True, capture_output=True, text=True)
    except PermissionError:
        return f"students cannot run {Path(sys.executable).resolve()}, which .venv is made from."
    except subprocess.CalledProcessError as error:
        return error.stderr.strip().splitlines()[-1] + "."
    return None
