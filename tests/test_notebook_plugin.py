"""The notebook plug-in: drift turns red, noise does not, and a failure is short and easy to follow.

What is compared is tested on outputs alone. Everything else is seen in one run of pytest, on small notebooks.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.lessons import ROOT, make_storable
from tests import notebook_plugin
from tests.lesson_notebooks import execute

# ---- What is compared

TABLE = "<td>0.123456</td><td>−</td>"
MATRIX = "tensor([[ 0.9000, -0.0001],\n        [ 3.0000,  5.0000]])"


def outputs_of(*texts: str, mime: str = "text/plain") -> list[NotebookNode]:
    return [new_output("display_data", data={mime: text}) for text in texts]


def compare(new: list[NotebookNode], stored: list[NotebookNode], *tags: str, **metadata: float) -> tuple[bool, str]:
    """Whether the plug-in calls them equal, and what it says if not."""
    skip = ("metadata", "output_type", "image/png", "application/vnd.jupyter.widget-view+json")
    cell = SimpleNamespace(
        parent=SimpleNamespace(skip_compare=skip, nb=SimpleNamespace(metadata={"nbval": metadata})),
        cell=SimpleNamespace(metadata={"tags": list(tags)}),
        comparison_traceback=[],
    )
    equal = notebook_plugin.compare_outputs(cell, new, stored)
    return equal, "\n".join(cell.comparison_traceback)


DRIFT = {
    "the third digit": ("loss 0.912", "loss 0.917"),
    "a missing line": ("0.5\n0.5\n", "0.5\n"),
    "an extra line": ("0.5\n", "0.5\n0.5\n"),
    "a missing end of line": ("0.5\n", "0.5"),
    "another shape": ("torch.Size([3, 4])", "torch.Size([3, 5])"),
    "another depth": ("tensor([0.5, 0.5])", "tensor([[0.5, 0.5]])"),
    "changed text": ("0.5 for shirts", "0.5 for skirts"),
    "an extra number": ("[0.5, 0.5]", "[0.5, 0.5, 0.5]"),
    "an integer": ("100000 weights", "100001 weights"),
    "an integer that became a float": ("tensor([1, 2])", "tensor([1., 2.])"),
    "a sign": ("0.5", "-0.5"),
    "nan for a number": ("loss 0.5", "loss nan"),
    "infinity for a number": ("loss 0.5", "loss inf"),
    "the other infinity": ("loss inf", "loss -inf"),
    "a number in a name": ("conv1 0.5", "conv2 0.5"),
    "a colour": ("#1e5000 0.5", "#1e5001 0.5"),
}
NOISE = {
    "the fifth digit": ("loss 0.91234", "loss 0.91236"),
    "a power of ten": ("1.0000e-05", "1.0001e-05"),
    "rounding that moves a digit": ("0.99999", "1.00001"),
    "columns moved by a sign": (MATRIX, MATRIX.replace(" -0.0001", "  0.0001")),
    "nan and infinity beside it": ("nan 0.12345 -inf", "nan 0.12346 -inf"),
    "nan moved by a sign": ("[    nan, -0.0001]", "[   nan, 0.0001]"),
    "a unit behind it": ("0.12345ms, 0.12345 %", "0.12346ms, 0.12346 %"),
}


@pytest.mark.parametrize("mime", ["text/plain", "text/html"])
@pytest.mark.parametrize(("old", "new"), DRIFT.values(), ids=DRIFT)
def test_drift_is_seen(old: str, new: str, mime: str) -> None:
    equal, report = compare(outputs_of(new, mime=mime), outputs_of(old, mime=mime), "nbval-rtol=1e-3")
    assert not equal
    assert f"expected  {mime}, line " in report


@pytest.mark.parametrize("mime", ["text/plain", "text/html"])
@pytest.mark.parametrize(("old", "new"), NOISE.values(), ids=NOISE)
def test_noise_passes_where_a_tolerance_allows_it(old: str, new: str, mime: str) -> None:
    new, old = outputs_of(new, mime=mime), outputs_of(old, mime=mime)
    assert compare(new, old, "nbval-rtol=1e-3", "nbval-atol=1e-3") == (True, "")
    assert not compare(new, old)[0], "without a tolerance the comparison is exact"


def test_where_a_tolerance_may_stand() -> None:
    new, old = outputs_of("0.91"), outputs_of("0.90")
    assert compare(new, old, "nbval-atol=0.02")[0]
    assert compare(new, old, atol=0.02)[0]
    assert not compare(new, old, "nbval-atol=0.001", atol=0.02)[0], "a cell's tag comes first"
    assert not compare(new, old, "nbval-rtol=0.001")[0]


def test_every_output_of_a_kind_is_compared() -> None:
    stored = outputs_of("0.1", "0.2", "0.3")
    assert compare(outputs_of("0.1", "0.2", "0.3"), stored, "nbval-atol=0.01")[0]
    assert not compare(outputs_of("0.1", "0.3", "0.2"), stored, "nbval-atol=0.01")[0]
    assert not compare(outputs_of("0.1", "0.2"), stored, "nbval-atol=0.01")[0]
    assert not compare(outputs_of("0.1", "0.2", "0.3", "0.4"), stored, "nbval-atol=0.01")[0]
    assert not compare([], stored)[0]
    assert not compare(stored, [])[0]


def test_pictures_and_widgets_are_not_compared() -> None:
    """A stored notebook has no widget view, and pictures differ by the fonts of a machine."""
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "5"}}
    new = new_output("display_data", data={"text/plain": "Explorer", "image/png": "new", **widget})
    stored = new_output("display_data", data={"text/plain": "Explorer", "image/png": "old"})
    assert compare([new], [stored])[0]


def test_a_long_line_is_cut_round_the_first_difference() -> None:
    old = " ".join(f"{i}.5" for i in range(100))
    _, report = compare(outputs_of(old.replace(" 70.5 ", " 70.7 ")), outputs_of(old), "nbval-rtol=1e-4")
    expected, got = report.splitlines()
    assert "70.5" in expected
    assert "70.7" in got
    assert max(len(expected), len(got)) < 120


# ---- One run of small notebooks


def cell(source: str, stdout: str = "", *tags: str) -> NotebookNode:
    outputs = [new_output("stream", name="stdout", text=stdout)] if stdout else []
    return new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)}, execution_count=1)


EMPTY_STATE = """\
import os, pathlib
state = pathlib.Path(os.environ["VISION_COURSE_STATE"])
assert list(state.iterdir()) == [], "somebody's progress"
(state / "progress").touch()
pathlib.Path(f"{state.name}.seen").write_text(str(state));"""

PAGE = (  # what works on a page; its outputs are made by nbclient, which is such a page
    EMPTY_STATE,
    "import atexit\natexit.register(pathlib.Path(f'{state.name}.ended').touch);",
    "import ipywidgets\nfrom IPython.display import clear_output, display\nout = ipywidgets.Output()",
    "with out:\n    print('inside')\n    display('inside')\nprint('outside')\nout",
    "with out:\n    clear_output()\nprint('this stays')",
    "with out, ipywidgets.Output():\n    print('both')\nprint('neither')",
    "ipywidgets.interact(lambda n: print(n), n=(0, 5))",
    "print('cleared')\nclear_output()\nprint('kept')",
    "print('cleared')\nclear_output(wait=True)\nprint('kept')",
    "print('kept')\nclear_output(wait=True)",
    "h = display('first', display_id='a')\ndisplay('first', display_id='a')\nh.update('last')\nprint('end')",
    "for i in range(3):\n    print(i, end='\\r')\nprint('done')",
    "x = 2\nx;",
    "x * 3",
    "_ + 1",
    "class Explorer:\n"
    "    def _repr_mimebundle_(self, **_):\n"
    "        return {'text/plain': 'Explorer', 'image/png': 'iVBORw0KGgo=',\n"
    "                'application/vnd.jupyter.widget-view+json': {'model_id': '1', 'version_major': 2}}\n"
    "Explorer()",
)

LIMIT = 250  # MB, in this run
NOTEBOOKS = {
    "drift": (
        cell("print('as ever')", "as ever\n"),
        cell("print('accuracy', 0.9155)", "accuracy 0.9151\n", "nbval-atol=0.002"),
        cell("import time; time.time()", "", "nbval-ignore-output"),
        cell("# what we found\nprint('accuracy', 0.9155)", "accuracy 0.8155\n", "nbval-atol=0.002"),
        cell("print('later')", "later\n"),
        cell("print('later still')", "later still\n"),
    ),
    "error": (cell(EMPTY_STATE), cell("x = 0\n1 / x"), cell("x")),
    "error_in_widget": (cell("import ipywidgets\nwith ipywidgets.Output():\n    1 / 0"),),
    "endless": (cell("while True:\n    pass"), cell("1")),
    "endless_in_spite": (cell("import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"),),
    "dead": (cell("import os\nos._exit(1)"), cell("1")),
    "large": (cell(f"x = b'x' * ({LIMIT} << 20)"), cell("1")),
}
SLOW = (new_markdown_cell("# Slow\nabout 1 seconds to run"), cell("import time\ntime.sleep(2.1)"))

STATE_TESTS = """
import os, pathlib, pytest

@pytest.mark.parametrize("n", [1, 2])
def test_state(n):
    state = pathlib.Path(os.environ["VISION_COURSE_STATE"])
    assert list(state.iterdir()) == []
    (state / "progress").touch()
    pathlib.Path(f"{state.name}.seen").write_text(str(state))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The one run: what it printed, how each cell ended, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("course")
    page = execute(new_notebook(cells=[new_code_cell(source) for source in PAGE]), folder)
    make_storable(page)
    nbformat.write(page, folder / "page.ipynb")
    for name, cells in NOTEBOOKS.items():
        nbformat.write(new_notebook(cells=list(cells)), folder / f"{name}.ipynb")
    nbformat.write(new_notebook(cells=list(SLOW)), folder / "slow.ipynb")

    (folder / "test_state.py").write_text(STATE_TESTS)
    limit = f"\nimport tests.notebook_plugin as plugin\nplugin.KERNEL_LIMIT = {LIMIT} * plugin.MB\n"
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text() + limit)
    stale = folder / "build" / "executed" / "page.ipynb"
    stale.parent.mkdir(parents=True)
    stale.touch()

    options = "--nbval --nbval-current-env --nbval-cell-timeout=4 -v -rs --color=no -p no:cacheprovider"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), f"--rootdir={folder}", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    ends = re.findall(r"^(\w+)(?:\.|::)ipynb::Cell \d+ ([A-Z]+)", done.stdout, re.MULTILINE)
    cells = {name: [end for which, end in ends if which == name] for name, _ in ends}
    return SimpleNamespace(folder=folder, text=done.stdout + done.stderr, cells=cells)


def report(finished: SimpleNamespace, name: str) -> list[str]:
    """The lines that tell of the failure in a notebook, without pytest's headings."""
    lines = finished.text.splitlines()
    start = next(i for i, line in enumerate(lines) if re.match(rf"_+ {name}\.ipynb::Cell \d+ _+$", line))
    length = next(i for i, line in enumerate(lines[start + 1 :]) if re.match("(_|=|-)+ ", line))
    return lines[start + 1 : start + 1 + length]


def test_what_works_on_a_page_passes(finished: SimpleNamespace) -> None:
    assert finished.cells["page"] == ["PASSED"] * len(PAGE), finished.text


def test_the_page_was_put_to_the_test(finished: SimpleNamespace) -> None:
    """The stored outputs are those of a page, not those of a bare kernel."""
    page = nbformat.read(finished.folder / "page.ipynb", as_version=4)
    texts = ["".join(o.get("text", o.get("data", {}).get("text/plain", "")) for o in c.outputs) for c in page.cells]
    assert texts[3].startswith("outside\n")
    assert texts[4:6] + texts[7:15] == [
        *("this stays\n", "neither\n"),
        *("kept\n", "kept\n", "kept\n", "'last''last'end\n", "done\n", "", "6", "7"),
    ]


@pytest.mark.parametrize(
    ("name", "ends"),
    {
        "drift": ["PASSED", "PASSED", "PASSED", "FAILED", "SKIPPED", "SKIPPED"],
        "error": ["PASSED", "FAILED", "SKIPPED"],
        "error_in_widget": ["FAILED"],
        "endless": ["FAILED", "SKIPPED"],
        "endless_in_spite": ["FAILED"],
        "dead": ["FAILED", "SKIPPED"],
        "large": ["FAILED", "SKIPPED"],
    }.items(),
)
def test_the_first_failure_ends_a_notebook(finished: SimpleNamespace, name: str, ends: list[str]) -> None:
    assert finished.cells[name] == ends, finished.text


def test_a_skipped_cell_names_the_one_that_failed(finished: SimpleNamespace) -> None:
    assert "drift: In [1] (Cell 3) failed, so the cells after it are not run" in finished.text


@pytest.mark.parametrize(
    ("name", "lines"),
    {
        "drift": (
            "drift, In [1] (Cell 3)",
            "  source    # what we found",
            "  expected  stdout, line 1: 'accuracy 0.8155\\n'",
            "  got       stdout, line 1: 'accuracy 0.9155\\n'",
            "  executed  build/executed/drift.ipynb",
        ),
        "error": (
            "error, In [1] (Cell 1)",
            "  source    x = 0",
            "  expected  no error",
            "  got       line 2: ZeroDivisionError: 'division by zero'",
            "  executed  build/executed/error.ipynb",
        ),
        "endless": (
            "endless, In [1] (Cell 0)",
            "  source    while True:",
            "  expected  no error",
            "  got       Timeout of 4 seconds exceeded executing cell",
            "  executed  build/executed/endless.ipynb",
        ),
    }.items(),
)
def test_a_failure_is_told_in_five_lines(finished: SimpleNamespace, name: str, lines: tuple[str, ...]) -> None:
    assert report(finished, name) == list(lines)


@pytest.mark.parametrize(
    ("name", "sentence"),
    {
        "error_in_widget": "line 2: ZeroDivisionError: 'division by zero'",
        "endless_in_spite": "it took over 4 seconds",
        "dead": "the kernel died",
        "large": f"MB; a lesson may take {LIMIT} MB",
    }.items(),
)
def test_other_failures_say_what_happened(finished: SimpleNamespace, name: str, sentence: str) -> None:
    assert sentence in report(finished, name)[3]


def test_a_failed_notebook_is_kept_as_executed(finished: SimpleNamespace) -> None:
    kept = nbformat.read(finished.folder / "build" / "executed" / "drift.ipynb", as_version=4)
    nbformat.validate(kept)
    assert kept.cells[3].outputs[0].text == "accuracy 0.9155\n"
    assert [bool(cell.outputs) for cell in kept.cells] == [True, True, True, True, False, False]
    error = nbformat.read(finished.folder / "build" / "executed" / "error.ipynb", as_version=4)
    assert error.cells[1].outputs[0].ename == "ZeroDivisionError"


def test_a_kept_notebook_goes_when_its_lesson_passes(finished: SimpleNamespace) -> None:
    kept = {path.stem for path in (finished.folder / "build" / "executed").iterdir()}
    assert kept == set(NOTEBOOKS)


@pytest.mark.parametrize("name", ["page", *NOTEBOOKS])
def test_seconds_and_memory_are_told(finished: SimpleNamespace, name: str) -> None:
    told = re.search(rf"^{name}: (\d+) s, kernel peak (\d+) MB$", finished.text, re.MULTILINE)
    assert told, finished.text
    seconds, megabytes = map(int, told.groups())
    assert seconds < 60
    assert (megabytes > LIMIT) == (name == "large")


def test_a_lesson_slower_than_it_says_is_reported_and_passes(finished: SimpleNamespace) -> None:
    assert finished.cells["slow"] == ["PASSED"]
    told = re.findall(r"SlowLesson: (\w+) took (\d+) s, and says about (\d+)", finished.text)
    assert [name for name, *_ in told] == ["slow"], "and no other"
    assert int(told[0][1]) > 2 * int(told[0][2])


def test_a_kernel_ends_by_itself(finished: SimpleNamespace) -> None:
    """What it has to do in the end, it does: coverage writes what it measured only then."""
    assert len(list(finished.folder.glob("*.ended"))) == 2, "page as stored and as tested"


def test_every_notebook_and_every_test_begins_without_progress(finished: SimpleNamespace) -> None:
    assert len(re.findall(r"test_state\[\d\] PASSED", finished.text)) == 2, finished.text
    folders = [path.read_text() for path in finished.folder.glob("*.seen")]
    assert len(folders) == 5, "page as stored and as tested, error, and two tests"
    assert not any(Path(folder).exists() for folder in folders), "they are removed in the end"
