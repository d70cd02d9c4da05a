"""Hand out exercises: lessons as students get them, and the same lessons solved for the instructor.

The instructor's notebooks are nbgrader's *source* as well. What students get says no more than the assignment's
feedback allows; it is no vault, as the course they import holds ``check`` and all references.
"""

import copy
import hashlib
import math
import os
import re
import secrets
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from ..exercises import EXERCISES, source_of
from ..lessons import ROOT, find, in_short, make_storable, page
from .records import Assigned, Release, release_from, to_json, write_whole

POINTS = 10  # for an exercise, unless said otherwise
HELP = ("check", "hint", "show", "use", "progress", "solution")  # what the lessons import to help with exercises
GIVEN = {  # of these, by feedback
    "full": {"check", "hint", "show", "use", "progress"},
    "verdict": {"check", "use", "progress"},
    "none": {"check", "progress"},
}
SAYS = {
    "full": "In this copy there is no `solution`.",
    "verdict": "In this copy the checks of graded answers say whether they are right, no more; there is no `hint`, "
    "`show` or `solution`.",
    "none": "In this copy graded answers are checked after you hand them in; there is no `hint`, `show`, `use` or "
    "`solution`.",
}
LATER = "# Checked after you hand in."
NBGRADER_CONFIG = '''\
"""For the folder of your nbgrader course, beside `source/`: makes stubs of the solutions in these notebooks.

An answer cell holds the stub, whole, and then the solution between its marks. So nothing is put in the place of the
solution; nbgrader's own setting would leave an error there.
"""

c = get_config()  # noqa: F821
c.ClearSolutions.code_stub = {"python": ""}
'''


def release(
    lessons: Sequence[str],
    exercises: Sequence[str] | None,
    out: Path,
    *,
    points: Mapping[str, float] | None = None,
    due: str | None = None,
    feedback: str = "full",
    root: Path = ROOT,
) -> Release:
    """Write ``out/students`` and ``out/instructor``; the solved lessons are executed, some take two minutes.

    Args:
        lessons: as ``lessons.find`` takes them: "1", "01" or "01_convolution".
        exercises: names of exercises of these lessons; all those of the core path if None or empty.
        points: what an exercise is worth, by name; 10 where nothing is said.
        due: shown to students as it is.
        feedback: what checks tell while students work: "full", "verdict" (right or not) or "none".
        root: the checkout that the lessons are from.

    Returns:
        The release, with its secret seed: that of the release which ``out`` already holds, if it holds one.

    Raises:
        ValueError: if an argument does not fit, or if ``out`` holds something else than a release.
        UnknownLesson: if there is no such lesson.
        RuntimeError: if a solved lesson raises an error.
    """
    if feedback not in GIVEN:
        raise ValueError(f"feedback must be one of {', '.join(GIVEN)}, got {feedback!r}")
    paths = sorted({find(name, root) for name in lessons})
    assigned = assign([path.stem for path in paths], exercises, points or {})
    before = release_in(out)

    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    seed = secrets.randbits(62) if before is None else before.seed
    made = Release(version, assigned, due, feedback, seed=seed)
    students, solved = {}, {}
    for path in paths:
        notebook = handed_out(nbformat.read(path, as_version=4), path.stem, made)
        students[path.name] = text_of(notebook)
        solved[path.name] = text_of(executed(with_solutions(notebook, made), path))
    checksums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in students.items()}
    made = replace(made, checksums=checksums)

    write_whole(out / "instructor" / "release.json", to_json(made))  # first, as it says what the folder is
    write_whole(out / "instructor" / "nbgrader_config.py", NBGRADER_CONFIG)
    write_whole(out / "students" / "release.json", to_json(replace(made, seed=None)))
    for folder, texts in (("students", students), ("instructor", solved)):
        for name, text in texts.items():
            write_whole(out / folder / name, text)
        for name in (before.checksums if before else {}).keys() - texts.keys():  # no longer assigned
            (out / folder / Path(name).name).unlink(missing_ok=True)
    return made


def assign(lessons: Sequence[str], names: Sequence[str] | None, points: Mapping[str, float]) -> tuple[Assigned, ...]:
    """The exercises of these lessons and names (the core ones, if none is named), in the course's order, with points.

    Raises:
        ValueError: if there is nothing to assign, or if a name or a number of points does not fit.
    """
    here = {name: exercise for name, exercise in EXERCISES.items() if exercise.lesson in lessons}
    chosen = list(names or (name for name, exercise in here.items() if not exercise.optional))
    if not chosen:
        raise ValueError("lessons: name one at least")
    for name in chosen:
        if name not in here:
            raise ValueError(f"exercises: {name!r} is none of {', '.join(lessons)}; there are {', '.join(here)}")
    for name, worth in points.items():
        if name not in chosen:
            raise ValueError(f"points: {name!r} is not assigned; there are {', '.join(chosen)}")
        if not isinstance(worth, int | float) or not 0 < worth < math.inf:
            raise ValueError(f"points: {name} must be worth a positive number, got {worth!r}")
    return tuple(
        Assigned(exercise.lesson, name, float(points.get(name, POINTS)))
        for name, exercise in here.items()
        if name in chosen
    )


def release_in(out: Path) -> Release | None:
    """The release that ``out`` holds; None if there is no folder or nothing in it.

    Raises:
        ValueError: if it holds something else.
    """
    try:
        if not out.exists() or not any(out.iterdir()):
            return None
        held = release_from((out / "instructor" / "release.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        held = None
    if held is None or not isinstance(held.seed, int):
        raise ValueError(f"out: {out} holds something that is not a release, and is left as it is; name a new folder")
    return held


def tagged(cell: NotebookNode, kind: str) -> str | None:
    """The name in a cell's tag ``kind:name``."""
    tags = cell.metadata.get("tags", ())
    return next((tag.removeprefix(f"{kind}:") for tag in tags if tag.startswith(f"{kind}:")), None)


def text_of(notebook: NotebookNode) -> str:
    """A notebook as a file holds it, after nbformat has looked it over."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


# -- what students get


def handed_out(lesson: NotebookNode, name: str, made: Release) -> NotebookNode:
    """A blank copy of the lesson of that name, with what nbgrader needs to know in the cells that ``made`` assigns."""
    notebook, worth = copy.deepcopy(lesson), {a.name: a.points for a in made.exercises if a.lesson == name}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            caution(cell, made.feedback)
            continue
        cell.outputs, cell.execution_count = [], None
        if (answer := tagged(cell, "stub")) in worth:
            cell.metadata.update(deletable=False, nbgrader=tracked(f"stub-{answer}", solution=True))
        elif (answer := tagged(cell, "check")) in worth:
            cell.source = check_source(answer, worth[answer], made.feedback)
            graded = tracked(f"check-{answer}", grade=True, locked=True, points=number(worth[answer]))
            cell.metadata.update(deletable=False, editable=False, nbgrader=graded)
        else:
            hush(cell, worth, made.feedback)
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", ()):
            limit_imports(cell, notebook, made.feedback)
    notebook.cells.insert(1, new_markdown_cell(notice(worth, made), id="assignment"))
    notebook.metadata["vision_course"] = {
        "version": made.version,
        "lesson": name,
        "exercises": list(worth),
        "due": made.due,
        "feedback": made.feedback,
    }
    return notebook


def tracked(grade_id: str, **fields: object) -> dict:
    """A cell's entry for nbgrader: ``grade_id``, and other fields of its schema, which allows no others."""
    roles = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"schema_version": 3, "grade_id": grade_id, **roles, **fields}


def number(points: float) -> int | float:
    """Points, as a whole number where they are one."""
    return int(points) if points == int(points) else points


def check_source(name: str, points: float, feedback: str) -> str:
    """The check cell of an exercise, by name, points and feedback; its last value, a number, is partial credit."""
    if feedback == "none":
        return LATER
    if feedback == "verdict":
        return f"{number(points)} * check({name}).passed"
    return f"verdict = check({name})\ndisplay(verdict)\n{number(points)} * verdict.passed"


def hush(cell: NotebookNode, assigned: Mapping[str, float], feedback: str) -> None:
    """Keep another cell from telling about assigned answers what, by this feedback, check cells may not tell."""
    if feedback == "none":  # `use` says whether an answer has passed
        cell.source = re.sub(r"\buse\((\w+)\)", r'EXERCISES["\1"].reference', cell.source)
    for name in assigned:
        if feedback != "full" and cell.source == f"check({name})":  # lesson 00 shows by one how checks work
            cell.source = LATER if feedback == "none" else f"check({name}).passed"


def limit_imports(setup: NotebookNode, notebook: NotebookNode, feedback: str) -> None:
    """Let the setup cell of a notebook import from the exercises what this feedback gives."""
    beginning = "from course_utils.exercises import "
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    given = set(GIVEN[feedback])
    if feedback == "none":
        given = {name for name in given if f"{name}(" in code} | ({"EXERCISES"} if "EXERCISES[" in code else set())

    def limited(match: re.Match) -> str:
        names = {name for name in match[1].split(", ") if name not in HELP} | given
        return beginning + ", ".join(sorted(names, key=lambda name: (name != name.upper(), name)))

    setup.source = re.sub(f"^{beginning}(.+)$", limited, setup.source, flags=re.MULTILINE)


def notice(worth: Mapping[str, float], made: Release) -> str:
    """What a student should know before beginning: the worth of exercises, and how the release is made."""
    exercises = "\n".join(f"- `{name}`: {number(points)} points" for name, points in worth.items())
    due = f"**Due:** {made.due}\n\n" if made.due else ""
    return (
        f"**This copy is an assignment.** Graded are the answer cells of\n{exercises}\n\n{due}"
        f"Leave these cells and the names of their functions as they are, and write your answers into them. "
        f"{SAYS[made.feedback]}"
    )


def caution(cell: NotebookNode, feedback: str) -> None:
    """Where a text cell sends the reader to what this feedback does not give, say so at its end."""
    missing = {*HELP} - GIVEN[feedback]
    if feedback != "full":
        missing.add("check")  # which says less
    if re.search(rf"`({'|'.join(sorted(missing))})[`(]", cell.source):
        cell.source += f"\n\n*{SAYS[feedback]}*"


# -- what the instructor gets


def with_solutions(handed: NotebookNode, made: Release) -> NotebookNode:
    """A copy of what is handed out, with the references of what ``made`` assigns between nbgrader's marks.

    They come after the stubs, which nbgrader then leaves whole.
    """
    notebook, worth = copy.deepcopy(handed), {a.name: a.points for a in made.exercises}
    for cell in notebook.cells:
        if (name := tagged(cell, "stub")) in worth:
            reference = source_of(EXERCISES[name].reference, name).rstrip()
            cell.source += f"\n### BEGIN SOLUTION\n{reference}\n### END SOLUTION"
        elif (name := tagged(cell, "check")) in worth and made.feedback == "none":
            cell.source += (
                "\n### BEGIN HIDDEN TESTS\n"
                "from course_utils.exercises import check\n"
                f"{check_source(name, worth[name], 'verdict')}\n"
                "### END HIDDEN TESTS"
            )
    return notebook


def executed(notebook: NotebookNode, lesson: Path) -> NotebookNode:
    """The notebook with its outputs, executed where the lesson lies, with a state folder of its own.

    Raises:
        RuntimeError: if a cell raises an error, or the kernel dies.
    """
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "COURSE_QUIET": "1", "VISION_COURSE_STATE": state}
        try:
            page(notebook, lesson.parent).execute(env=environment, stderr=subprocess.DEVNULL)
        except CellExecutionError as error:
            raise RuntimeError(f"{lesson.stem}, solved, raises an error:\n{in_short(error)}") from None
    make_storable(notebook)
    return notebook
