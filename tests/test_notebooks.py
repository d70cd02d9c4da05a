"""Every lesson as its readers leave it: untouched, solved, and wrong in every way its exercises know.

Executed as committed, the lessons are compared with their stored outputs by nbval; see notebook_plugin.py.
"""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from torch import nn

from course_utils.exercises import EXERCISES, source_of
from course_utils.exercises.exercise import Exercise, Mistake
from course_utils.lessons import ROOT, lessons
from tests.lesson_notebooks import code_cells, execute, tagged

each_lesson = pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)


def open_lesson(path: Path) -> tuple[NotebookNode, dict[str, Exercise]]:
    """A lesson's notebook, and the exercises that are declared for it."""
    declared = {name: exercise for name, exercise in EXERCISES.items() if exercise.lesson == path.stem}
    return nbformat.read(path, as_version=4), declared


def setup_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that import what the lesson's code needs."""
    return [cell for cell in code_cells(notebook) if "setup" in cell.metadata.get("tags", ())]


def answered(notebook: NotebookNode, answers: dict[str, Callable]) -> NotebookNode:
    """A copy of the notebook with these functions written into the exercises' cells."""
    notebook = copy.deepcopy(notebook)
    for name, cell in tagged(notebook, "stub"):
        cell.source = source_of(answers[name], name)
    return notebook


def said(cell: NotebookNode) -> str:
    """What a cell answered, on one line: its value as text, or its error."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
        elif "data" in output:
            texts.append(output.data.get("text/plain", ""))
    return " ".join(" ".join(texts).split())


def unexpected_verdicts(notebook: NotebookNode, mark: str) -> list[str]:
    """What the checks said, for those that did not say ○, ✗ or ✓ as they should."""
    verdicts = ((name, said(cell)) for name, cell in tagged(notebook, "check"))
    return [f"check({name}): {text}" for name, text in verdicts if not text.startswith(f"{mark} {name}:")]


def misdiagnosed(notebook: NotebookNode, exercises: Iterable[Exercise]) -> list[str]:
    """The mistakes that a lesson's checks let pass, or take for another; tried one after the other."""
    checks = dict(tagged(notebook, "check"))
    tries = [(exercise, mistake) for exercise in exercises for mistake in exercise.mistakes]
    attempts = [
        (
            new_code_cell(source_of(mistake.function, exercise.name)),
            new_code_cell(checks[exercise.name].source),
        )
        for exercise, mistake in tries
    ]
    remember = new_code_cell(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests import remembering\nremembering.begin()"
    )
    cells = [*copy.deepcopy(setup_cells(notebook)), remember, *(cell for attempt in attempts for cell in attempt)]
    execute(new_notebook(cells=cells), allow_errors=True)

    complaints = []
    for (exercise, mistake), attempt in zip(tries, attempts, strict=True):
        text = " ".join(filter(None, map(said, attempt)))  # the first says something only if it fails
        own, others = mistake.sentence, {other.sentence for other in exercise.mistakes} - {mistake.sentence}
        rest = text.replace(own, "")  # where another sentence is a part of this one
        if not text.startswith(f"✗ {exercise.name}:"):
            fault = "is not called wrong"
        elif own not in text:
            fault = f"does not get its sentence, “{own}”"
        elif any(other in (rest if other in own else text) for other in others):
            fault = "gets another mistake's sentence too"
        else:
            continue
        complaints.append(f"{exercise.name}: the mistake {mistake.function.__name__} {fault}; check says: {text}")
    return complaints


def disagreements(notebook: NotebookNode, exercises: dict[str, Exercise]) -> list[str]:
    """Where a lesson and the exercises declared for it do not fit together."""
    complaints = [] if setup_cells(notebook) else ["no cell is tagged setup"]
    for kind in ("stub", "check"):
        found = Counter(name for name, _ in tagged(notebook, kind))
        for name in sorted(found.keys() | exercises.keys()):
            if name not in exercises:
                complaints.append(f"{kind}:{name}: no such exercise is declared for this lesson")
            elif found[name] != 1:
                complaints.append(f"{kind}:{name}: {found[name]} cells have this tag, and one should")
    for name, cell in tagged(notebook, "stub"):
        if name not in exercises:
            continue
        exercise, stub = exercises[name], function_in(cell.source, name)
        reference = function_in(source_of(exercise.reference, name), name)
        if stub is None:
            complaints.append(f"stub:{name}: the cell defines no function or class {name}")
        elif arguments(stub) != arguments(reference):
            complaints.append(f"stub:{name}: it takes {arguments(stub)}, the reference takes {arguments(reference)}")
        elif exercise.fault is not None and ast.dump(stub) != ast.dump(
            function_in(source_of(exercise.fault, name), name)
        ):
            complaints.append(f"stub:{name}: its code is not that of the declared fault")
    return complaints


def function_in(source: str, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    """The function or class of that name in a piece of code, without its docstring."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            if ast.get_docstring(node) is not None:
                del node.body[0]
            return node
    return None


def arguments(function: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The names of a function's arguments, in order; of a class those of its methods, after each method's name."""
    if isinstance(function, ast.ClassDef):
        methods = (node for node in function.body if isinstance(node, ast.FunctionDef))
        return [name for method in methods for name in (method.name, *arguments(method))]
    return [node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)]


# ---- The lessons


@each_lesson
def test_cells_and_exercises_agree(path: Path) -> None:
    assert not disagreements(*open_lesson(path))


@each_lesson
def test_untouched_no_exercise_counts_as_attempted(path: Path) -> None:
    notebook, _ = open_lesson(path)
    assert not unexpected_verdicts(notebook, "○"), "stored outputs of the check cells"


@each_lesson
def test_solved_every_check_passes(path: Path) -> None:
    notebook, exercises = open_lesson(path)
    solved = answered(notebook, {name: exercise.reference for name, exercise in exercises.items()})
    assert not unexpected_verdicts(execute(solved), "✓")


@each_lesson
def test_mistaken_it_reaches_the_end_and_no_check_passes(path: Path) -> None:
    notebook, exercises = open_lesson(path)
    wrong = answered(notebook, {name: exercise.mistakes[0].function for name, exercise in exercises.items()})
    assert not unexpected_verdicts(execute(wrong), "✗")


@each_lesson
def test_every_mistake_gets_its_own_sentence(path: Path) -> None:
    notebook, exercises = open_lesson(path)
    assert not misdiagnosed(notebook, exercises.values())


# ---- The tests above, on a small lesson with a fault planted


def double(x):
    """Twice x."""
    return 2 * x


def squared(x):
    return x * x


def halved(x):
    return x / 2


def same_again(x):
    """The fault as the lesson shows it."""
    return 1 * x


DOUBLE = SimpleNamespace(
    name="double",
    reference=double,
    mistakes=(Mistake(squared, "You squared."), Mistake(halved, "You halved. You squared.")),
    fault=None,
)

CHECK = """
class Verdict(str):
    __repr__ = str.__str__

def check(answer):
    try:
        came = answer(3)
    except NotImplementedError:
        return Verdict("○ double: not attempted")
    if came == 6:
        return Verdict("✓ double: all right")
    return Verdict("✗ double: wrong\\n" + {9: "You squared.", 1.5: "You\\n  halved. You squared."}[came])
"""
STUB = '"""An answer goes here."""\nraise NotImplementedError'


def small_lesson(check: str = CHECK) -> NotebookNode:
    def cell(source: str, tag: str) -> NotebookNode:
        return new_code_cell(source, metadata={"tags": [tag]})

    stub = "def double(x):\n    " + STUB.replace("\n", "\n    ")
    return new_notebook(cells=[cell(check, "setup"), cell(stub, "stub:double"), cell("check(double)", "check:double")])


@pytest.mark.parametrize(
    ("answer", "mark"), [(None, "○"), (squared, "✗"), (double, "✓")], ids=["untouched", "mistaken", "solved"]
)
def test_a_verdict_is_read_from_an_executed_lesson(answer: Callable | None, mark: str) -> None:
    lesson = answered(small_lesson(), {"double": answer}) if answer else small_lesson()
    execute(lesson)
    assert [m for m in "○✗✓" if not unexpected_verdicts(lesson, m)] == [mark]


def test_a_verdict_that_is_missing_or_of_another_exercise_is_noticed() -> None:
    lesson = small_lesson()
    assert unexpected_verdicts(lesson, "✓") == ["check(double): "]
    lesson.cells[2].outputs = [new_output("execute_result", data={"text/plain": "✓ triple: all right"})]
    assert unexpected_verdicts(lesson, "✓") == ["check(double): ✓ triple: all right"]


def test_right_diagnoses_pass() -> None:
    assert misdiagnosed(small_lesson(), [DOUBLE]) == []


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("came == 6", "came in (6, 9)", "squared is not called wrong"),
        ("{9: ", "{9: '', 0: ", "squared does not get its sentence, “You squared.”"),
        (
            "{9: ",
            "{9: 'You squared. You halved. You squared.', 0: ",
            "squared gets another mistake's sentence too",
        ),
        ("answer(3)", "answer(3, 4)", "squared is not called wrong; check says: TypeError"),
    ],
)
def test_a_check_that_errs_is_noticed(right: str, wrong: str, fault: str) -> None:
    complaints = misdiagnosed(small_lesson(CHECK.replace(right, wrong)), [DOUBLE])
    assert f"double: the mistake {fault}" in complaints[0]


def test_a_lesson_that_fits_its_exercises_passes() -> None:
    assert disagreements(small_lesson(), {"double": DOUBLE}) == []


def test_a_lesson_that_does_not_fit_its_exercises_is_noticed() -> None:
    def complaints(position: int = 1, tag: str = "stub:double", source: str | None = None, **declared) -> list:
        lesson = small_lesson()
        lesson.cells[position].metadata.tags = [tag]
        lesson.cells[position].source = source or lesson.cells[position].source
        return disagreements(lesson, {"double": SimpleNamespace(**{**vars(DOUBLE), **declared})})

    assert complaints(2, tag="") == ["check:double: 0 cells have this tag, and one should"]
    assert complaints(0) == [
        "no cell is tagged setup",
        "stub:double: 2 cells have this tag, and one should",
        "stub:double: the cell defines no function or class double",
    ]
    assert complaints(0, "check:triple")[1:] == ["check:triple: no such exercise is declared for this lesson"]
    assert complaints(source="def double(y): pass") == ["stub:double: it takes ['y'], the reference takes ['x']"]
    assert complaints(fault=same_again) == ["stub:double: its code is not that of the declared fault"]
    assert complaints(source="def double(x):\n    'Repair me.'\n    return 1*x", fault=same_again) == []


def test_the_stub_of_a_class_is_compared_by_its_methods() -> None:
    def complaints(source: str) -> list[str]:
        lesson = small_lesson()
        lesson.cells[1].source = source
        return disagreements(lesson, {"double": SimpleNamespace(**{**vars(DOUBLE), "reference": Double})})

    init = "class double:\n    def __init__(self, times): pass\n"
    assert complaints(init + "    def forward(self, x): raise NotImplementedError") == []
    assert complaints(init) == [
        "stub:double: it takes ['__init__', 'self', 'times'], "
        "the reference takes ['__init__', 'self', 'times', 'forward', 'self', 'x']"
    ]


class Double(nn.Module):
    """Twice x, or some other times."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def forward(self, x):
        return self.times * x
