"""What ``release`` hands out: the same bytes each time, nothing that students should not have, and it runs."""

import hashlib
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from traitlets.config import Config

from course_utils.classroom import release as room
from course_utils.classroom.records import release_from
from course_utils.classroom.release import release
from course_utils.exercises import EXERCISES, check, source_of
from course_utils.lessons import UnknownLesson, lessons
from tests.lesson_notebooks import code_cells, execute, tagged

LESSON = "00_start_here"
FEEDBACK = ("full", "verdict", "none")
each_feedback = pytest.mark.parametrize("feedback", FEEDBACK)


@pytest.fixture
def unexecuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved lessons are written as they are: most tests do not look at their outputs."""
    monkeypatch.setattr(room, "executed", lambda notebook, lesson: notebook)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def all_names(lesson: str) -> list[str]:
    return [name for name, exercise in EXERCISES.items() if exercise.lesson == lesson]


def as_nbgrader_releases(source: NotebookNode) -> NotebookNode:
    """The instructor's notebook, as nbgrader would hand it out with the settings that lie beside it."""
    config = Config()
    exec(room.NBGRADER_CONFIG, {"get_config": lambda: config})
    resources = {}
    for preprocessor in (ClearSolutions(config=config), ClearHiddenTests(config=config)):
        source, resources = preprocessor.preprocess(source, resources)
    return source


# -- what is written


@pytest.mark.usefixtures("unexecuted")
def test_the_same_command_writes_the_same_bytes_and_keeps_the_seed(tmp_path: Path) -> None:
    first, other = (release(["0", LESSON], None, tmp_path / name, due="Friday") for name in "ab")
    assert contents(tmp_path / "a" / "students") == contents(tmp_path / "b" / "students")
    assert first.seed != other.seed
    before = {folder: contents(tmp_path / "a" / folder) for folder in ("students", "instructor")}
    assert release(["00"], None, tmp_path / "a", due="Friday") == first
    assert before == {folder: contents(tmp_path / "a" / folder) for folder in ("students", "instructor")}


@pytest.mark.usefixtures("unexecuted")
def test_the_record_says_what_students_got_and_the_seed_is_the_instructors_alone(tmp_path: Path) -> None:
    made = release(["00"], ["standardize", "to_float"], tmp_path, points={"to_float": 2.5}, due="Friday, noon")
    assert [(a.name, a.points) for a in made.exercises] == [("to_float", 2.5), ("standardize", 10)]
    assert release_from((tmp_path / "instructor" / "release.json").read_text()) == made
    public = release_from((tmp_path / "students" / "release.json").read_text())
    assert (public.seed, public.due, public.exercises) == (None, "Friday, noon", made.exercises)
    for name, checksum in made.checksums.items():
        assert hashlib.sha256((tmp_path / "students" / name).read_bytes()).hexdigest() == checksum
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != tmp_path / "instructor" / "release.json":
            assert str(made.seed) not in path.read_text(), path
    assert sorted(contents(tmp_path / "students")) == ["00_start_here.ipynb", "release.json"]


@pytest.mark.usefixtures("unexecuted")
def test_what_is_no_longer_assigned_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    seed = release(["00", "01"], None, tmp_path).seed
    (tmp_path / "students" / "mine.txt").write_text("kept")
    assert release(["01"], ["output_size"], tmp_path).seed == seed
    assert sorted(contents(tmp_path / "students")) == ["01_convolution.ipynb", "mine.txt", "release.json"]
    assert sorted(contents(tmp_path / "instructor")) == ["01_convolution.ipynb", "nbgrader_config.py", "release.json"]


def test_a_folder_that_holds_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    (tmp_path / "file").mkdir()
    broken = tmp_path / "broken" / "instructor" / "release.json"
    broken.parent.mkdir(parents=True)
    for text in ("", "[]", "{}", "3", '{"version": "1", "exercises": [], "seed": null}'):
        broken.write_text(text)
        with pytest.raises(ValueError, match="not a release"):
            release(["00"], None, tmp_path / "broken")
        assert broken.read_text() == text
    for out in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(ValueError, match="not a release"):
            release(["00"], None, out)
    assert (tmp_path / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((["00"], ["output_size"]), {}, "'output_size' is none of 00_start_here; there are to_float, standardize"),
        ((["00"], ["nonsense"]), {}, "'nonsense' is none of"),
        (([], None), {}, "lessons: name one"),
        ((["00"], None), {"points": {"distances": 3}}, "'distances' is not assigned; there are to_float, standardize"),
        ((["00"], None), {"points": {"to_float": 0}}, "positive number, got 0"),
        ((["00"], None), {"points": {"to_float": -1}}, "positive number, got -1"),
        ((["00"], None), {"points": {"to_float": float("inf")}}, "positive number, got inf"),
        ((["00"], None), {"points": {"to_float": float("nan")}}, "positive number, got nan"),
        ((["00"], None), {"points": {"to_float": "10"}}, "positive number, got '10'"),
        ((["00"], None), {"feedback": "loud"}, "feedback must be one of full, verdict, none, got 'loud'"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_written(tmp_path: Path, arguments, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        release(*arguments, tmp_path / "out", **options)
    with pytest.raises(UnknownLesson):
        release(["77"], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- students' notebooks


@each_feedback
@pytest.mark.usefixtures("unexecuted")
def test_students_get_stubs_and_nothing_of_the_answers(tmp_path: Path, feedback: str) -> None:
    names = [path.stem for path in lessons()]
    made = release(names, list(EXERCISES), tmp_path, feedback=feedback)
    for lesson in names:
        path = tmp_path / "students" / f"{lesson}.ipynb"
        notebook, course = read(path), read(room.ROOT / "notebooks" / f"{lesson}.ipynb")
        assert {name: cell.source for name, cell in tagged(notebook, "stub")} == {
            name: cell.source for name, cell in tagged(course, "stub")
        }
        imports = "\n".join(c.source for c in code_cells(notebook) if "setup" in c.metadata.get("tags", ()))
        held_back = {"full": [], "verdict": ["hint", "show"], "none": ["hint", "show", "use"]}[feedback]
        for name in ("solution", *held_back):
            assert f" {name}" not in imports.split("course_utils.exercises import")[1].split("\n")[0]
        for exercise in all_names(lesson):
            body = source_of(EXERCISES[exercise].reference, exercise)
            assert not any(body.rstrip() in cell.source for cell in notebook.cells)
        assert "BEGIN" not in path.read_text()
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code_cells(notebook))
        assert notebook.metadata.vision_course == {
            "version": made.version,
            "lesson": lesson,
            "exercises": all_names(lesson),
            "due": None,
            "feedback": feedback,
        }


@each_feedback
@pytest.mark.usefixtures("unexecuted")
def test_nbgrader_accepts_the_notebooks_and_makes_the_students_own_of_the_instructors(
    tmp_path: Path, feedback: str
) -> None:
    """For every exercise there is: functions, classes, and faults to be found."""
    release([path.stem for path in lessons()], list(EXERCISES), tmp_path, feedback=feedback)
    for path in sorted((tmp_path / "students").glob("*.ipynb")):
        students, source = read(path), read(tmp_path / "instructor" / path.name)
        for notebook in (students, source):
            MetadataValidator().validate_nb(notebook)
        for cell, hers in zip(as_nbgrader_releases(source).cells, students.cells, strict=True):
            assert cell.source.rstrip("\n") == hers.source
            assert cell.metadata == hers.metadata
        graded = [c.metadata.nbgrader for c in students.cells if c.metadata.get("nbgrader", {}).get("grade")]
        assert [entry.grade_id for entry in graded] == [f"check-{name}" for name, _ in tagged(students, "check")]
        assert all(entry.points == 10 and entry.locked for entry in graded)


@pytest.mark.usefixtures("unexecuted")
def test_what_is_not_assigned_stays_as_the_course_has_it(tmp_path: Path) -> None:
    release(["00"], ["standardize"], tmp_path, points={"standardize": 2.5})
    notebook, course = read(tmp_path / "students" / "00_start_here.ipynb"), read(lessons()[0])
    checks = dict(tagged(notebook, "check"))
    assert checks["standardize"].source.splitlines()[-1] == "2.5 * verdict.passed"
    assert checks["standardize"].metadata.nbgrader.points == 2.5
    del notebook.cells[1]  # the notice
    changed = [
        cell.get("id")
        for cell, before in zip(notebook.cells, course.cells, strict=True)
        if (cell.source, dict(cell.metadata)) != (before.source, dict(before.metadata))
    ]
    mention_solution, setup = {"0980025d", "6a9963ba"}, {"cdd6c0a4"}
    assert set(changed) == {"stub-standardize", "check-standardize"} | mention_solution | setup


@each_feedback
@pytest.mark.usefixtures("unexecuted")
def test_a_blank_copy_runs_to_its_end_and_earns_nothing(tmp_path: Path, feedback: str) -> None:
    release(["00"], ["to_float", "distances"], tmp_path, feedback=feedback)
    notebook = execute(read(tmp_path / "students" / "00_start_here.ipynb"))  # raises if a cell does
    said = {name: [output.data["text/plain"] for output in cell.outputs] for name, cell in tagged(notebook, "check")}
    full = ["○ to_float: not attempted yet (about 4 minutes)", "0"]
    assert said["to_float"] == {"full": full, "verdict": ["0"], "none": []}[feedback]
    assert said["standardize"] == ["○ standardize: not attempted yet (about 8 minutes)"]


@pytest.mark.parametrize("feedback", ["verdict", "none"])
@pytest.mark.usefixtures("unexecuted")
def test_no_cell_says_more_about_a_graded_answer_than_it_may(tmp_path: Path, feedback: str) -> None:
    release(["00", "03"], ["to_float", "standardize", "distances", "evaluate"], tmp_path, feedback=feedback)
    for path in (tmp_path / "students").glob("*.ipynb"):
        for cell in code_cells(read(path)):
            for name in ("to_float", "standardize", "distances", "evaluate"):
                assert cell.source != f"check({name})"
                if feedback == "none":
                    assert f"check({name})" not in cell.source and f"use({name})" not in cell.source


# -- the instructor's


def test_the_instructors_notebook_is_solved_and_every_check_passes(tmp_path: Path) -> None:
    release(["00"], all_names(LESSON), tmp_path)
    notebook = read(tmp_path / "instructor" / "00_start_here.ipynb")
    checks = dict(tagged(notebook, "check"))
    assert list(checks) == all_names(LESSON)
    for name, cell in checks.items():
        shown, earned = (output.data["text/plain"] for output in cell.outputs)
        assert shown.startswith(f"✓ {name}:") and earned == "10"
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))


@pytest.mark.parametrize("name", ["Discriminator", "EncoderBlock", "flatten_features"])
@pytest.mark.usefixtures("unexecuted")
def test_classes_and_repaired_faults_are_solved_too(tmp_path: Path, name: str) -> None:
    release([EXERCISES[name].lesson], [name], tmp_path, feedback="none")
    notebook = read(tmp_path / "instructor" / f"{EXERCISES[name].lesson}.ipynb")
    names = {}
    exec("import torch, math\nimport torch.nn.functional as F\nfrom torch import nn", names)
    exec(dict(tagged(notebook, "stub"))[name].source, names)
    assert check(names[name]).passed
    graded = dict(tagged(notebook, "check"))[name].source
    assert f"BEGIN HIDDEN TESTS\nfrom course_utils.exercises import check\n10 * check({name}).passed\n" in graded


def test_a_solved_lesson_that_raises_is_reported_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "source_of", lambda reference, name: "raise ValueError('the course is broken')")
    with pytest.raises(RuntimeError, match=r"(?s)00_start_here, solved, raises an error:.*the course is broken"):
        release(["00"], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()
