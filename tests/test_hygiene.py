"""What a reader of the notebooks, or of the repository, should never stumble over.

A rule takes a notebook, or a file, and says what is wrong with it. Beside each rule stand spoiled examples,
which it must notice: a rule that cannot fail is no rule.
"""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.lessons import ROOT, WIDGET_VIEW, lessons
from tests.lesson_notebooks import code_cells, tagged

MOST_LINES = 25  # printed by a cell, or of code in it
MOST_BYTES = 1_500_000

# Written so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.+/-])/(?:home|Users|root|tmp|work|mnt)/\w|\b[C-E]:\\\w")
CLOCK = re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b|\b[0-2]\d:[0-5]\d:[0-5]\d\b|\dit/s\b")
UNFINISHED = re.compile(r"\bTO[D]O\b|\bFIX[M]E\b")


# ---- Notebooks


def where(cell: NotebookNode) -> str:
    """A cell as a contributor finds it: its number on the page and its first line."""
    first_line = next(iter(cell.source.splitlines()), "")
    number = f"In [{cell.execution_count}] " if cell.get("execution_count") else ""
    return f"{number}“{first_line[:50]}”"


def outputs_of(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """Every stored output, with its cell."""
    return ((cell, output) for cell in code_cells(notebook) for output in cell.outputs)


def text_of(output: NotebookNode) -> str:
    """All that can be read in an output."""
    data = output.get("data", {})
    texts = [str(value) for kind, value in data.items() if not kind.startswith("image/")]
    return "\n".join([output.get("text", ""), output.get("evalue", ""), *texts, *output.get("traceback", ())])


def executed_in_order(notebook: NotebookNode) -> Iterator[str]:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"the execution counts are {counts}, not 1, 2, 3, …: run it from top to bottom"


def opens_without_a_question(notebook: NotebookNode) -> Iterator[str]:
    name = notebook.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"the kernel is {name!r}, not 'python3': JupyterLab would ask the reader for one"


def stores_no_error(notebook: NotebookNode) -> Iterator[str]:
    for cell, output in outputs_of(notebook):
        if output.output_type == "error":
            yield f"{where(cell)} stores an error: {output.ename}"


def stores_no_stderr(notebook: NotebookNode) -> Iterator[str]:
    for cell, output in outputs_of(notebook):
        if output.get("name") == "stderr":
            yield f"{where(cell)} stores a warning: {output.text.strip()[:80]}"


def stores_no_widget(notebook: NotebookNode) -> Iterator[str]:
    if "widgets" in notebook.metadata:
        yield "the states of widgets are stored: drop metadata.widgets"
    for cell, output in outputs_of(notebook):
        if WIDGET_VIEW in output.get("data", {}):
            yield f"{where(cell)} stores the view of a widget, which shows nothing without its kernel"


def stores_nothing_where_nothing_is_compared(notebook: NotebookNode) -> Iterator[str]:
    for cell, _ in outputs_of(notebook):
        if "nbval-ignore-output" in cell.metadata.get("tags", ()):
            yield f"{where(cell)} stores an output though it is tagged nbval-ignore-output"


def tells_of_no_machine(notebook: NotebookNode) -> Iterator[str]:
    for cell, output in outputs_of(notebook):
        if found := MACHINE_PATH.search(text_of(output)):
            yield f"{where(cell)} stores a path of one machine: {found[0]}…"


def tells_no_time(notebook: NotebookNode) -> Iterator[str]:
    for cell, output in outputs_of(notebook):
        if found := CLOCK.search(text_of(output)):
            yield f"{where(cell)} stores a time, which no other run repeats: {found[0]}"


def prints_little(notebook: NotebookNode) -> Iterator[str]:
    for cell in code_cells(notebook):
        texts = [output.get("text", "") for output in cell.outputs]
        for output in cell.outputs:
            if set(output.get("data", ())) == {"text/plain"}:  # beside a figure or a table it is not shown
                texts.append(output.data["text/plain"])
        lines = sum(len(text.splitlines()) for text in texts)
        if lines > MOST_LINES:
            yield f"{where(cell)} prints {lines} lines; {MOST_LINES} can be read"


def codes_little(notebook: NotebookNode) -> Iterator[str]:
    for cell in code_cells(notebook):
        if (lines := len(cell.source.splitlines())) > MOST_LINES:
            yield f"{where(cell)} has {lines} lines of code; split it, {MOST_LINES} fit on a screen"


def describes_its_pictures(notebook: NotebookNode) -> Iterator[str]:
    bare = re.compile(r"!\[\s*\]|<img\b(?![^>]*\balt=([\"'])\s*[^\"'\s])[^>]*>")
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := bare.search(cell.source)):
            yield f"{where(cell)} has a picture without a description for those who cannot see it: {found[0]}"


def has_cells_of_its_own_id(notebook: NotebookNode) -> Iterator[str]:
    for name, count in Counter(cell.get("id") for cell in notebook.cells).items():
        if name is None:
            yield "a cell has no id"
        elif count > 1:
            yield f"{count} cells have the id {name}"


def is_light(notebook: NotebookNode) -> Iterator[str]:
    size = len(nbformat.v4.writes(notebook).encode())
    if size > MOST_BYTES:
        yield f"it has {size / 1e6:.1f} MB; {MOST_BYTES / 1e6} MB can still be reviewed: draw smaller figures"


def clean_lesson() -> NotebookNode:
    """A notebook that keeps every rule."""
    figure = {"text/plain": "line\n" * 30, "image/png": "aGVsbG8="}
    cells = [
        new_markdown_cell("![A boot](boot.png) and <img src='boot.png' alt='A boot'>"),
        new_code_cell("def f(): ...", metadata={"tags": ["stub:f"]}),
        new_code_cell("check(f)", metadata={"tags": ["check:f"]}),
        new_code_cell("print('see https://example.org/home/boots at 10:30, 1/2')"),
    ]
    cells[3].outputs = [
        new_output("stream", text="line\n" * MOST_LINES),
        new_output("display_data", data=figure),
    ]
    for count, cell in enumerate(cells[1:], start=1):
        cell.execution_count = count
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def with_output(kind: str, **content: object) -> Callable[[NotebookNode], None]:
    """Spoil a notebook with an output of its last cell."""
    return lambda notebook: notebook.cells[3].outputs.append(new_output(kind, **content))


def with_text(text: str) -> Callable[[NotebookNode], None]:
    return with_output("display_data", data={"text/html": text})


def with_source(position: int, source: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[position].update(source=source)


NOTEBOOK_RULES = {
    executed_in_order: [
        lambda nb: nb.cells[1].update(execution_count=None),
        lambda nb: nb.cells[3].update(execution_count=7),
        lambda nb: nb.cells.reverse(),
    ],
    opens_without_a_question: [
        lambda nb: nb.metadata.pop("kernelspec"),
        lambda nb: nb.metadata.kernelspec.update(name="venv"),
    ],
    stores_no_error: [with_output("error", ename="NameError", evalue="x", traceback=[])],
    stores_no_stderr: [with_output("stream", name="stderr", text="Warning: deprecated")],
    stores_no_widget: [
        lambda nb: nb.metadata.update(widgets={}),
        with_output("display_data", data={WIDGET_VIEW: {"model_id": "1"}}),
    ],
    stores_nothing_where_nothing_is_compared: [lambda nb: nb.cells[3].metadata.update(tags=["nbval-ignore-output"])],
    tells_of_no_machine: [
        *(with_text("in " + "/".join(("", folder, "anna", "x.py"))) for folder in ("home", "Users", "root", "tmp")),
        with_text("in " + "\\".join(("C:", "Users", "anna"))),
        with_output("stream", text="HOME=" + "/".join(("", "home", "anna"))),
    ],
    tells_no_time: [with_text("2026-01-31"), with_text("at 09:15:00"), with_text("12.3it/s")],
    prints_little: [
        with_output("stream", text="one more\n"),
        with_output("execute_result", data={"text/plain": "one more"}),
    ],
    codes_little: [with_source(3, "x = 1\n" * (MOST_LINES + 1))],
    describes_its_pictures: [
        *(with_source(0, picture) for picture in ("![](boot.png)", "![ ][boot]", "<img src='boot.png'>")),
        *(with_source(0, picture) for picture in ("<img alt='' src='x'>", "<img\n src='x'>")),
    ],
    has_cells_of_its_own_id: [
        lambda nb: nb.cells[1].update(id=nb.cells[2].id),
        lambda nb: nb.cells[1].pop("id"),
    ],
    is_light: [with_output("display_data", data={"image/png": "a" * MOST_BYTES})],
}


def read(path: Path) -> NotebookNode:
    """A notebook exactly as it is stored; ``nbformat.read`` would mend doubled ids."""
    return nbformat.v4.reads(path.read_text(encoding="utf-8"))


def report(complaints: list[str]) -> str:
    return "\n" + "\n".join(complaints)


@pytest.mark.parametrize("rule", NOTEBOOK_RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_lesson(path: Path, rule: Callable) -> None:
    complaints = list(rule(read(path)))
    assert not complaints, report(complaints)


@pytest.mark.parametrize("rule", NOTEBOOK_RULES, ids=lambda rule: rule.__name__)
def test_rule_for_lessons_notices_what_it_is_for(rule: Callable) -> None:
    assert not list(rule(clean_lesson()))
    for spoil in NOTEBOOK_RULES[rule]:
        notebook = clean_lesson()
        spoil(notebook)
        assert list(rule(notebook)), spoil


# ---- The first cell, which is the same everywhere

FIRST_CELL = (ROOT / "course_utils" / "first_cell.py").read_text(encoding="utf-8").rstrip()


def first_cell_complaints(notebook: NotebookNode) -> Iterator[str]:
    """A lesson opened alone brings the course with this cell, so it comes first and holds the one address."""
    first = next(iter(code_cells(notebook)), None)
    if first is None or first.source != FIRST_CELL:
        yield "the first code cell is not the text of course_utils/first_cell.py"
    elif "setup" not in first.metadata.get("tags", ()) or first.outputs:
        yield "the first code cell is not tagged setup, or stores an output"


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_lesson_starts_with_the_first_cell(path: Path) -> None:
    complaints = list(first_cell_complaints(read(path)))
    assert not complaints, report(complaints)


def test_another_first_cell_is_noticed() -> None:
    first = new_code_cell(FIRST_CELL, metadata={"tags": ["setup"]})
    assert not list(first_cell_complaints(new_notebook(cells=[new_markdown_cell("# A lesson"), first])))
    other_address = new_code_cell(FIRST_CELL.replace("https://", "http://"), metadata={"tags": ["setup"]})
    said_something = new_code_cell(FIRST_CELL, metadata={"tags": ["setup"]}, outputs=[new_output("stream", text="x")])
    for cells in (
        [],
        [new_code_cell("import torch"), first],
        [other_address],
        [new_code_cell(FIRST_CELL)],
        [said_something],
    ):
        assert list(first_cell_complaints(new_notebook(cells=cells)))


def test_the_address_of_the_course_stands_in_one_place() -> None:
    address = re.search(r'"(https://\S+)"', FIRST_CELL)[1]
    others = [name for name, text in repository() if address in text and not name.endswith(".ipynb")]
    assert others == ["course_utils/first_cell.py"]


# ---- The exercises, over all notebooks


def exercise_complaints(notebooks: dict[str, NotebookNode]) -> Iterator[str]:
    """Names that stand for two exercises, and exercises that lack one of their two cells."""
    found = {
        kind: [(name, lesson) for lesson, notebook in notebooks.items() for name, _ in tagged(notebook, kind)]
        for kind in ("stub", "check")
    }
    for kind, places in found.items():
        for name, count in Counter(name for name, _ in places).items():
            if count > 1:
                here = ", ".join(lesson for other, lesson in places if other == name)
                yield f"{count} cells are tagged {kind}:{name}, in {here}: a name may be used once in the course"
    for name, lesson in sorted(set(found["stub"]) ^ set(found["check"])):
        missing = "check" if (name, lesson) in found["stub"] else "stub"
        yield f"the exercise {name} has no cell tagged {missing}:{name} in {lesson}"


def test_every_exercise_has_a_name_of_its_own_and_two_cells() -> None:
    complaints = list(exercise_complaints({path.stem: read(path) for path in lessons()}))
    assert not complaints, report(complaints)


def test_exercises_that_clash_or_lack_a_cell_are_noticed() -> None:
    clean, without_check = clean_lesson(), clean_lesson()
    del without_check.cells[2]
    without_stub = clean_lesson()
    del without_stub.cells[1]
    assert not list(exercise_complaints({"01": clean}))
    assert len(list(exercise_complaints({"01": clean, "02": clean}))) == 2
    assert list(exercise_complaints({"01": without_check})) == ["the exercise f has no cell tagged check:f in 01"]
    assert list(exercise_complaints({"01": without_stub})) == ["the exercise f has no cell tagged stub:f in 01"]


# ---- The repository

FLOORS = (  # from the ground up; on a floor, from left to right
    (
        "convolution",
        "attention",
        "layers",
        "data",
        "augment",
        "metrics",
        "optimizers",
        "hard_examples",
        "checkpoints",
        "training",
        "own_pictures",
    ),
    ("cnn", "vit", "dcgan", "vae", "explain"),
    ("palette", "plots", "sketch"),
    ("first_cell", "environment", "exercises", "widgets"),
    ("lessons", "classroom"),
)
ROOMS = [room for floor in FLOORS for room in floor]


def names_no_machine(path: PurePosixPath, text: str) -> Iterator[str]:
    for found in MACHINE_PATH.finditer(text):
        yield f"a path of one machine: {found[0]}…"


def is_finished(path: PurePosixPath, text: str) -> Iterator[str]:
    for found in UNFINISHED.finditer(text):
        yield f"{found[0]}: do it, or open an issue"


def is_no_clutter(path: PurePosixPath, text: str) -> Iterator[str]:
    folders = {"__pycache__", ".ipynb_checkpoints", "build", "my", ".venv"}
    endings = {".pyc", ".log", ".tmp", ".swp", ".orig", ".rej", ".pt", ".pth", ".ckpt"}
    if folders & set(path.parts) or path.suffix in endings or path.name in {".DS_Store", "Thumbs.db"}:
        yield "left behind by a tool: it belongs into .gitignore"


def imports_only_downwards(path: PurePosixPath, text: str) -> Iterator[str]:
    if path.parts[0] != "course_utils" or path.suffix != ".py":
        return
    room = PurePosixPath(path.parts[1]).stem
    if room not in [*ROOMS, "__init__"]:
        yield f"{room} is on no floor: give it its place in FLOORS"
        return
    below = ROOMS[: ROOMS.index(room)] if room in ROOMS else []  # the package itself imports none
    for other in sorted(imported_rooms(path, text)):
        if other not in [*below, room]:
            yield f"{room} imports {other}, which is not below it, nor to its left on the same floor"


def imported_rooms(path: PurePosixPath, text: str) -> set[str]:
    """The rooms of course_utils that a file imports, anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.parts[: -node.level] if node.level else ()  # the dots climb from the file
            start = ".".join([*package, *([node.module] if node.module else [])])
            modules |= {f"{start}.{name.name}" for name in node.names}
    parts = [module.split(".") for module in modules]
    return {names[1] for names in parts if names[0] == "course_utils" and names[1:] and names[1] in ROOMS}


FILE_RULES = {  # each with files that break it
    names_no_machine: [
        *(("README.md", "cd " + "/".join(("", folder, "anna"))) for folder in ("root", "work", "home", "Users")),
        ("README.md", "cd " + "\\".join(("C:", "anna"))),
    ],
    is_finished: [("a.py", "# TO" + "DO: later"), ("a.md", "FIX" + "ME")],
    is_no_clutter: [
        ("course_utils/__pycache__/a.py", ""),
        ("notebooks/.ipynb_checkpoints/a.ipynb", ""),
        ("my/00_start_here.ipynb", ""),
        ("run.log", ""),
        ("best.pt", ""),
        ("data/.DS_Store", ""),
    ],
    imports_only_downwards: [
        ("course_utils/attention.py", "from .layers import Linear"),
        ("course_utils/attention.py", "from . import layers"),
        ("course_utils/attention.py", "from course_utils import layers"),
        ("course_utils/attention.py", "def f():\n    import course_utils.plots as plots"),
        ("course_utils/exercises/checking.py", "from ..widgets import show"),
        ("course_utils/exercises/checking.py", "from .. import widgets"),
        ("course_utils/__init__.py", "from .data import load"),
        ("course_utils/cellar.py", ""),
    ],
}
CLEAN_FILES = [
    ("README.md", "see https://example.org/home/anna, /home/ and todos"),
    ("course_utils/layers.py", "import math\nfrom .attention import softmax\nfrom course_utils import convolution"),
    ("course_utils/exercises/checking.py", "from . import memory\nfrom .data import x\nfrom .. import plots"),
    ("course_utils/__init__.py", ""),
]


def repository() -> list[tuple[str, str]]:
    """Every file that is in git or would be with the next commit; without its text where it is no text."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("this copy of the course is no git repository")
    files = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            content = (ROOT / name).read_bytes()
            files.append((name, "" if b"\0" in content else content.decode()))
    return files


@pytest.mark.parametrize("rule", FILE_RULES, ids=lambda rule: rule.__name__)
def test_repository(rule: Callable) -> None:
    complaints = [f"{name}: {said}" for name, text in repository() for said in rule(PurePosixPath(name), text)]
    assert not complaints, report(complaints)


@pytest.mark.parametrize("rule", FILE_RULES, ids=lambda rule: rule.__name__)
def test_rule_for_files_notices_what_it_is_for(rule: Callable) -> None:
    for name, text in CLEAN_FILES:
        assert not list(rule(PurePosixPath(name), text)), name
    for name, text in FILE_RULES[rule]:
        assert list(rule(PurePosixPath(name), text)), (name, text)
