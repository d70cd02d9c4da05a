"""The commands that copy, renew, execute and open the lessons, on a course of two small ones."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils import lessons
from tests.browser import address_of

EXPLORER = """\
from IPython.display import display
shown = ipywidgets.Output()
display(shown)
for i in range(3):
    with shown:
        shown.clear_output(wait=True)
        print("within the widget")
"""
CELLS = (
    new_markdown_cell("# A small lesson"),
    new_code_cell("import os\nfrom pathlib import Path\nprint('one')\nprint('two')"),
    new_code_cell("state = Path(os.environ['VISION_COURSE_STATE'])\nstate.is_dir(), list(state.iterdir())"),
    new_code_cell("import ipywidgets\nipywidgets.IntSlider()"),
    new_code_cell("import time\ntime.time()", metadata={"tags": ["nbval-ignore-output"]}),
    new_code_cell(EXPLORER),
    new_code_cell("shown;"),  # the cell after such a widget is the one that may never be answered
    new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"),
)


def write(path: Path, *cells: nbformat.NotebookNode) -> None:
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), path)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))  # where signatures are kept
    root = tmp_path / "a course"  # with a space in its name
    root.mkdir()
    write(root / "notebooks" / "00_start_here.ipynb", *CELLS)
    write(root / "notebooks" / "01_convolution.ipynb", new_code_cell("1 + 1"))
    return root


@pytest.mark.parametrize("name", ["1", "01", "01_convolution"])
def test_a_lesson_has_three_names(course: Path, name: str) -> None:
    assert lessons.find(name, course).name == "01_convolution.ipynb"


def test_copies_are_trusted(course: Path) -> None:
    copies = [*lessons.copy_new(course), course / "my" / "01_convolution.ipynb"]
    lessons.reset("1", course)
    for copy in copies:
        assert NotebookNotary().check_signature(nbformat.read(copy, 4))


@pytest.mark.parametrize("name", ["2", "01_", "convolution", "-1", ""])
def test_an_unknown_lesson_is_answered_with_those_there_are(course: Path, name: str) -> None:
    with pytest.raises(lessons.UnknownLesson, match=r"00_start_here, 01_convolution\.$"):
        lessons.find(name, course)


def test_copying_never_overwrites(course: Path) -> None:
    assert [path.name for path in lessons.copy_new(course)] == ["00_start_here.ipynb", "01_convolution.ipynb"]
    mine = course / "my" / "01_convolution.ipynb"
    mine.write_text("my work")
    (course / "my" / "00_start_here.ipynb").unlink()
    assert [path.name for path in lessons.copy_new(course)] == ["00_start_here.ipynb"]
    assert mine.read_text() == "my work"


def test_the_copy_of_a_write_protected_lesson_can_be_written(course: Path) -> None:
    lessons.find("1", course).chmod(0o444)
    lessons.copy_new(course)
    assert (course / "my" / "01_convolution.ipynb").stat().st_mode & 0o200


def test_reset_keeps_every_old_copy(course: Path) -> None:
    mine = course / "my" / "01_convolution.ipynb"
    assert lessons.reset("1", course) is None
    kept = []
    for work in ("first", "second", "third"):  # within one minute
        mine.write_text(work)
        kept.append(lessons.reset("1", course))
    assert mine.read_bytes() == lessons.find("1", course).read_bytes()
    assert [path.read_text() for path in kept] == ["first", "second", "third"]
    assert all(re.match(r"01_convolution\.\d{4}-\d\d-\d\d_\d{4}(_\d)?\.ipynb$", path.name) for path in kept)


def test_outputs_are_stored_the_same_twice(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_COURSE_STATE", str(course))  # somebody's progress, which must not show
    lesson = lessons.find("0", course)
    ids = [cell.id for cell in nbformat.read(lesson, 4).cells]
    assert lessons.store_outputs(["0"], course) == []
    first = lesson.read_bytes()
    assert lessons.store_outputs(["0"], course) == []
    assert lesson.read_bytes() == first
    assert first.endswith(b"}\n")
    assert b"widget-view" not in first

    notebook = nbformat.read(lesson, 4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == ids
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5, 6, 7]
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    assert "widgets" not in notebook.metadata
    printed, state, slider, ignored, explorer, quiet, figure = (cell.outputs for cell in code)
    assert [output.text for output in printed] == ["one\ntwo\n"]
    assert state[0].data["text/plain"] == "(True, [])"
    assert slider[0].data["text/plain"].startswith("IntSlider(")
    assert ignored == quiet == []
    assert [output.data for output in explorer] == [{"text/plain": "Output()"}]
    assert "image/png" in figure[0].data


def test_outputs_of_a_lesson_that_fails_are_not_stored(course: Path) -> None:
    lesson = lessons.find("1", course)
    write(lesson, new_code_cell("1 / 0"))
    before = lesson.read_bytes()
    (problem,) = lessons.store_outputs(["1"], course)
    assert "ZeroDivisionError" in problem
    assert lesson.read_bytes() == before


def test_run_leaves_a_page_that_needs_no_other_file(course: Path, capsys: pytest.CaptureFixture) -> None:
    before = lessons.find("0", course).read_bytes()
    assert lessons.main(["run", "00"], course) is None
    page = (course / "build" / "00_start_here.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in page
    assert "two" in page
    assert lessons.find("0", course).read_bytes() == before
    shown = capsys.readouterr().out
    assert "A small lesson" in shown
    assert re.search(r"7/7  import matplotlib.pyplot as plt +\d+\.\d s\n", shown)
    assert "build/00_start_here.html" in shown.replace("\\", "/")


def test_run_says_where_and_why_a_lesson_fails(course: Path, capsys: pytest.CaptureFixture) -> None:
    broken = new_code_cell("def halve(x):\n    return x / 0\n\nhalve(1)")
    write(lessons.find("1", course), new_code_cell("'before'"), broken, new_code_cell("'after'"))
    problem = lessons.main(["run", "1"], course)
    assert problem.splitlines()[0] == "01_convolution, cell 2/3, raised an error:"
    assert "halve(1)" in problem and "return x / 0" in problem
    assert problem.endswith("ZeroDivisionError: division by zero")
    assert len(problem.splitlines()) <= 8
    page = (course / "build" / "01_convolution.html").read_text(encoding="utf-8")
    assert "before" in page and "ZeroDivisionError" in page


def test_run_survives_a_kernel_that_dies(course: Path) -> None:
    write(lessons.find("1", course), new_code_cell("import os\nos._exit(1)"))
    assert lessons.run("1", course).startswith("01_convolution, cell 1/1: Kernel died")
    assert (course / "build" / "01_convolution.html").exists()


def test_commands_tell_of_a_lesson_or_an_option_that_is_not_there(course: Path) -> None:
    for command in ("run", "reset", "outputs"):
        assert lessons.main([command, "77"], course).startswith("There is no lesson '77'.")
    with pytest.raises(SystemExit):
        lessons.main(["run", "1", "--fast"], course)


@pytest.mark.parametrize(
    ("platform", "display", "uid", "expected"),
    [
        ("linux", {}, 0, {"--no-browser", "--allow-root"}),
        ("linux", {"DISPLAY": ":0"}, 1000, set()),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, 1000, set()),
        ("linux", {}, 1000, {"--no-browser"}),
        ("darwin", {}, 501, set()),
        ("win32", {}, None, set()),
    ],
)
def test_jupyterlab_is_told_what_the_machine_needs(
    platform: str, display: dict, uid: int | None, expected: set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in display.items():
        monkeypatch.setenv(name, value)
    if uid is None:
        monkeypatch.delattr(os, "geteuid", raising=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: uid, raising=False)
    options = lessons.server_options(["--port", "9000"], Path("here"))
    assert {"--no-browser", "--allow-root"} & set(options) == expected
    assert "--ServerApp.root_dir=here" in options
    assert options[-2:] == ["--port", "9000"]


def wait_until_somebody_listens(port: int) -> None:
    for _ in range(600):
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("localhost", port)).close()
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens at port {port}")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_jupyterlab_starts_beside_a_taken_port_and_ends_quietly(course: Path, tmp_path: Path) -> None:
    keyboard, terminal = os.openpty()  # JupyterLab looks after Ctrl-C only where there is a keyboard
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    start = "import sys, pathlib; from course_utils import lessons; "
    start += "lessons.lab(sys.argv[2:], pathlib.Path(sys.argv[1]))"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-c", start, str(course), "--no-browser", f"--port={port}"],
            env={**os.environ, **folders},
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            host, other_port, path, token = address_of(server)
            assert int(other_port) != port
            assert path == "/lab/tree/my/00_start_here.ipynb"
            wait_until_somebody_listens(int(other_port))  # the address is said a moment before

            def fetch(path: str) -> str:
                with urllib.request.urlopen(f"{host}{path}?{token}", timeout=60) as page:
                    return page.read().decode()

            assert "<title>JupyterLab</title>" in fetch(path)
            assert "A small lesson" in fetch("/api/contents/my/00_start_here.ipynb")
            assert "notebooks" in fetch("/api/contents")
            settings = json.loads(fetch("/lab/api/settings/@jupyterlab/apputils-extension:notification"))
            choices = settings["schema"]["properties"]
            assert choices["fetchNews"]["default"] == "false"  # "none" would ask
            assert choices["checkForUpdates"]["default"] is False
            server.send_signal(signal.SIGINT)
            rest = server.communicate(timeout=60)[0]
        finally:
            server.kill()
            os.close(keyboard)
            os.close(terminal)
    assert server.returncode == 0
    assert "Traceback" not in rest


def test_readers_see_nothing_of_nbgrader(tmp_path):
    """It comes along for instructors; its menus and its warnings would be in a reader's way."""
    lessons.set_jupyterlab(tmp_path / "settings")
    hidden = json.loads((tmp_path / "settings" / "page_config.json").read_text())["disabledExtensions"]
    assert hidden["@jupyter/nbgrader"] is True
    lessons.set_server(tmp_path / "config")
    (written,) = (tmp_path / "config").iterdir()
    assert written.name > "nbgrader.json"  # the last one read has the last word
    installed = Path(sys.prefix) / "etc" / "jupyter" / "jupyter_server_config.d" / "nbgrader.json"
    parts = json.loads(installed.read_text())["ServerApp"]["jpserver_extensions"]
    assert json.loads(written.read_text())["ServerApp"]["jpserver_extensions"] == dict.fromkeys(parts, False)
