"""The road by nbgrader, whole: the instructor's notebook becomes an assignment, comes back, is graded and reported."""

import csv
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin
from traitlets.config import Config, PyFileConfigLoader

from course_utils.classroom import release as room
from course_utils.classroom.release import release
from course_utils.exercises import EXERCISES, source_of
from tests.lesson_notebooks import tagged

LESSON = "00_start_here.ipynb"
POINTS = {"to_float": 3, "standardize": 2, "distances": 4.5, "numerical_gradient": 8}  # all: no cell needs check
POSSIBLE = sum(POINTS.values())


def shortened(path: Path) -> None:
    """Keep of a notebook on disk the cells that set up, answer and check."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.get("tags")]
    nbformat.write(notebook, path)


class Course:
    """An nbgrader course with one assignment, made of a release."""

    def __init__(self, root: Path, feedback: str, short: bool):
        out, self.root = root / "out", root / "course"
        release(["00"], list(POINTS), out, points=POINTS, feedback=feedback)
        for folder in ("students", "instructor"):
            if short:
                shortened(out / folder / LESSON)
        self.students = out / "students" / LESSON
        source = self.root / "source" / "ps1" / LESSON
        source.parent.mkdir(parents=True)
        source.write_bytes((out / "instructor" / LESSON).read_bytes())
        config = PyFileConfigLoader("nbgrader_config.py", path=str(out / "instructor")).load_config()
        config.CourseDirectory.root = str(self.root)
        self.api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=Config(config))
        self.must(self.api.generate_assignment("ps1"))

    @staticmethod
    def must(result: dict) -> None:
        assert result["success"], result.get("error") or result.get("log")

    def hand_in(self, student: str, answered: list[str]) -> None:
        notebook = nbformat.read(self.students, as_version=4)
        for name, cell in tagged(notebook, "stub"):
            if name in answered:
                cell.source = source_of(EXERCISES[name].reference, name)
        path = self.root / "submitted" / student / "ps1" / LESSON
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)

    def grade(self, students: list[str]) -> None:
        for student in students:
            self.must(self.api.autograde("ps1", student))
            self.must(self.api.generate_feedback("ps1", student))

    def exported(self) -> dict[str, tuple[float, float]]:
        """Score and maximum of each student, from the table that nbgrader exports."""
        table = self.root / "grades.csv"
        with self.api.gradebook as gradebook:
            CsvExportPlugin(to=str(table)).export(gradebook)
        with table.open() as file:
            return {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Course:
    monkeypatch.setenv("PYTHONPATH", str(room.ROOT))  # for the kernels
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))  # for alembic
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "executed", lambda notebook, lesson: notebook)  # nbgrader clears what it finds
    feedback, short = request.param
    return Course(tmp_path, feedback, short)


def same_cells(one: NotebookNode, other: NotebookNode) -> bool:
    """But for nbgrader's own checksums, and for empty lines at an end."""
    return [(c.cell_type, c.source.rstrip("\n")) for c in one.cells] == [(c.cell_type, c.source) for c in other.cells]


@pytest.mark.parametrize(
    "course", [("full", False), ("none", True)], ids=["feedback at once", "tests hidden"], indirect=True
)
def test_right_half_and_blank_get_what_they_should(course: Course) -> None:
    generated = nbformat.read(course.root / "release" / "ps1" / LESSON, as_version=4)
    assert same_cells(generated, nbformat.read(course.students, as_version=4))

    course.hand_in("right", list(POINTS))
    course.hand_in("half", ["standardize", "distances"])
    course.hand_in("blank", [])
    course.grade(["right", "half", "blank"])
    assert course.exported() == {"right": (POSSIBLE, POSSIBLE), "half": (6.5, POSSIBLE), "blank": (0, POSSIBLE)}
    for student in ("right", "half", "blank"):
        page = (course.root / "feedback" / student / "ps1" / LESSON).with_suffix(".html").read_text()
        assert "to_float" in page and "Traceback (most recent" not in page
    with course.api.gradebook as gradebook:
        submission = gradebook.find_submission("ps1", "half")
        assert not submission.needs_manual_grade
        grades = {grade.name: grade.score for notebook in submission.notebooks for grade in notebook.grades}
    assert {name: score for name, score in grades.items() if score} == {"check-standardize": 2, "check-distances": 4.5}
