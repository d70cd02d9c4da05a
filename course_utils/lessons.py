"""Open, renew and execute the lessons: ``python -m course_utils.lessons COMMAND``.

The lessons in ``notebooks/`` belong to the course. Readers work on copies in ``my/``, so that
their work never dirties the checkout and an update never meets a conflict. ``root`` is the checkout.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class UnknownLesson(LookupError):
    """No lesson has the name that was asked for; the message says which there are."""


def lessons(root: Path = ROOT) -> list[Path]:
    """The notebooks of the course, in order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def find(name: str, root: Path = ROOT) -> Path:
    """The notebook of the lesson whose name is "1", "01" or "01_convolution".

    Raises:
        UnknownLesson: if there is none.
    """
    for path in lessons(root):
        if name == path.stem or (name.isdecimal() and int(name) == int(path.stem[:2])):
            return path
    known = ", ".join(path.stem for path in lessons(root)) or "none yet"
    raise UnknownLesson(f"There is no lesson {name!r}. The lessons are: {known}.")


# -- a reader's copies


def copy_new(root: Path = ROOT) -> list[Path]:
    """Copy the lessons that are not yet in ``my/`` there, overwriting nothing. Returns the new copies."""
    mine = root / "my"
    mine.mkdir(exist_ok=True)
    return [_copy(path, mine / path.name) for path in lessons(root) if not (mine / path.name).exists()]


def reset(name: str, root: Path = ROOT) -> Path | None:
    """Put a fresh copy of the lesson of that name into ``my/``.

    Returns:
        Where the old copy is kept: beside the new one, with the time in its name. None if there was none.
    """
    lesson = find(name, root)
    copy, kept = root / "my" / lesson.name, None
    copy.parent.mkdir(exist_ok=True)
    if copy.exists():
        old = f"{copy.stem}.{datetime.now():%Y-%m-%d_%H%M}"
        kept, number = copy.with_name(f"{old}.ipynb"), count(2)
        while kept.exists():
            kept = copy.with_name(f"{old}_{next(number)}.ipynb")
        copy.rename(kept)
    _copy(lesson, copy)
    return kept


def _copy(lesson: Path, copy: Path) -> Path:
    """Signed, as Jupyter shows no widget in a notebook that nobody trusts."""
    from nbformat import read
    from nbformat.sign import NotebookNotary

    shutil.copyfile(lesson, copy)  # leaves permissions behind: the copy of a write-protected lesson can be written
    NotebookNotary().sign(read(copy, as_version=4))
    return copy


# -- execution


def page(notebook: "NotebookNode", folder: Path, **options: Any) -> "NotebookClient":
    """What executes a notebook as if it lay in ``folder``, and takes its outputs as a page in JupyterLab does.

    The options are those of nbclient.
    """
    from nbclient import NotebookClient
    from nbclient.output_widget import OutputWidget

    class SilentOutput(OutputWidget):
        """Takes what is written into an Output widget, and keeps nothing: it is the widget's, not the cell's.

        nbclient's own needs the widget states, and sends the text back to the kernel, by which it may
        miss the kernel's next answer and wait for ever (nbclient, issue 312).
        """

        def output(self, *_: object) -> None:
            pass

        def clear_output(self, *_: object) -> None:
            pass

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        **options,
    )
    client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": SilentOutput}}
    return client


def execute(lesson: Path) -> tuple["NotebookNode", str]:
    """Execute a lesson in a kernel of its own and print each cell with its seconds.

    The kernel starts with an empty state folder, so that nobody's progress is read or changed.

    Returns:
        The notebook with its outputs, ready to be stored, and what went wrong ("" if nothing did).
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None  # a cell that is not reached shows nothing
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    position, started = "", 0.0

    def keep_ctrl_c(**_: object) -> None:
        # nbclient takes Ctrl-C for itself and ends in a traceback; let it be Python's KeyboardInterrupt
        with suppress(NotImplementedError):  # Windows: nothing was taken
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    def heading(cell: "NotebookNode", cell_index: int) -> None:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            print("\n" + cell.source.splitlines()[0].lstrip("# "))

    def begin(cell: "NotebookNode", cell_index: int) -> None:
        nonlocal position, started
        position, started = f"{code.index(cell_index) + 1}/{len(code)}", time.monotonic()
        print(f"{position:>8}  {cell.source.strip().splitlines()[0]:<70.70}", end=" ", flush=True)

    def end(**_: object) -> None:
        print(f"{time.monotonic() - started:6.1f} s", flush=True)

    client = page(
        notebook,
        lesson.parent,
        on_notebook_start=keep_ctrl_c,
        on_cell_start=heading,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    print(f"\n{lesson.stem}")
    problem = ""
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "COURSE_QUIET": "1", "VISION_COURSE_STATE": state}
        try:
            # what cells write to stderr is in their outputs; this is only the kernel's talk about itself
            client.execute(env=environment, stderr=subprocess.DEVNULL)
        except CellExecutionError as error:
            problem = f"{lesson.stem}, cell {position}, raised an error:\n{in_short(error)}"
        except RuntimeError as error:  # the kernel did not start, or died
            problem = f"{lesson.stem}, cell {position or 0}: {error} (not enough memory, perhaps?)"
    make_storable(notebook)
    return notebook, problem


def in_short(error: "CellExecutionError") -> str:
    """The lines that an error's traceback points at, and its message, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback)
    arrows = [line for line in plain.splitlines() if re.match(r"-+> ", line)]
    message = f"{error.ename}: {error.evalue}".splitlines()
    return textwrap.indent("\n".join(arrows[-4:] + message[:6]), "    ")


def make_storable(notebook: "NotebookNode") -> None:
    """Take out of a notebook what differs between runs, or shows only while a kernel lives."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    notebook.metadata.kernelspec = {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", ()):
            cell.outputs = []
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def run(name: str, root: Path = ROOT) -> str:
    """Execute the lesson of that name and leave it with its outputs as ``build/<lesson>.html``.

    Returns:
        What went wrong, "" if nothing did. The page is written in both cases.
    """
    from nbconvert import HTMLExporter

    lesson = find(name, root)
    notebook, problem = execute(lesson)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(
        notebook, {"metadata": {"name": lesson.stem, "path": str(lesson.parent)}}
    )
    path = root / "build" / f"{lesson.stem}.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page, encoding="utf-8")
    print(f"\n{path.relative_to(root)} shows the lesson with its outputs.")
    return problem


def store_outputs(names: Sequence[str] = (), root: Path = ROOT) -> list[str]:
    """Execute the lessons of these names (all, if there are none) and write them, with outputs, to ``notebooks/``.

    A lesson that raises an error is left as it was.

    Returns:
        What went wrong, lesson by lesson.
    """
    import nbformat

    problems = []
    for lesson in [find(name, root) for name in names] or lessons(root):
        notebook, problem = execute(lesson)
        if problem:
            problems.append(problem)
            continue
        nbformat.validate(notebook)
        before = lesson.read_bytes()
        lesson.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        print(f"\n{lesson.name}: {'unchanged' if lesson.read_bytes() == before else 'written'}")
    return problems


# -- JupyterLab


def set_jupyterlab(settings: Path | None = None) -> None:
    """Keep JupyterLab from asking about news and looking for updates (the course needs no network), and have it save
    the explorers as they stand, so that they are seen when a lesson is opened again. Menus for those who grade with
    nbgrader, which comes along for instructors, stay away from readers. ``settings`` is its folder.
    """
    if settings is None:
        from jupyterlab.commands import get_app_dir

        settings = Path(get_app_dir()) / "settings"
    # a file of our own in overrides.d is read together with the user's and others'
    overrides = settings / "overrides.d" / "vision_course.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    choices = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    }
    overrides.write_text(json.dumps(choices))
    menus = dict.fromkeys(("@jupyter/nbgrader", "@jupyter-notebook/lab-extension"), True)
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": menus}))


def set_server(config: Path = Path(sys.prefix) / "etc" / "jupyter" / "jupyter_server_config.d") -> None:
    """Keep nbgrader's part of the server from starting: it is for a class, and warns readers of what it lacks.

    ``config`` is the folder in which the server reads what starts with it.
    """
    parts = ("formgrader", "validate_assignment", "assignment_list", "course_list")
    off = dict.fromkeys((f"nbgrader.server_extensions.{part}" for part in parts), False)
    config.mkdir(parents=True, exist_ok=True)
    # read in the order of their names: after nbgrader.json, which switches them on
    (config / "vision_course.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": off}}))


def server_options(options: Sequence[str] = (), root: Path = ROOT) -> list[str]:
    """The command line for JupyterLab. ``options`` come last, and so have the last word."""
    import zmq

    screenless = sys.platform == "linux" and not (os.getenv("DISPLAY") or os.getenv("WAYLAND_DISPLAY"))
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # Windows has no such function
    return [
        f"--ServerApp.root_dir={root}",
        "--LabApp.default_url=/lab/tree/my/00_start_here.ipynb",
        "--Application.log_level=ERROR",  # leaves the address as the last thing on the screen
        # bytes of a message from the page: at Tornado's 10 MB a large photograph cuts the connection
        "--ServerApp.tornado_settings={'websocket_max_message_size': 67108864}",
        "-y",  # one Ctrl-C is enough
        *(["--KernelManager.transport_encryption=auto"] if zmq.has("curve") else []),  # or each kernel warns
        *(["--no-browser"] if screenless else []),
        *(["--allow-root"] if is_root else []),
        *options,
    ]


def lab(options: Sequence[str] = (), root: Path = ROOT) -> None:
    """Copy what is new to ``my/`` and run JupyterLab with these options until Ctrl-C."""
    from jupyterlab.labapp import LabApp

    if new := copy_new(root):
        print("New in my/: " + ", ".join(path.stem for path in new))
    set_jupyterlab()
    set_server()
    print("JupyterLab starts. Its address follows; Ctrl-C here ends it.", flush=True)
    with suppress(KeyboardInterrupt):
        LabApp.launch_instance(server_options(options, root))


# -- the command line


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> str | None:
    """Do what the arguments of the command line say. Returns what went wrong, for ``sys.exit``."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.lessons", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lab", help="open your copies in JupyterLab; what follows is handed on to it")
    for command, text in (
        ("run", "execute a lesson and leave it as a page in build/"),
        ("reset", "put a fresh copy of a lesson into my/, keeping the old one"),
    ):
        commands.add_parser(command, help=text).add_argument("lesson", help="for example 01")
    outputs = commands.add_parser("outputs", help="execute lessons and store their outputs in notebooks/")
    outputs.add_argument("lesson", nargs="*", help="for example 01; all if none is given")
    parsed, others = parser.parse_known_args(arguments)
    if others and parsed.command != "lab":
        parser.error(f"unknown: {' '.join(others)}")

    # an environment that belongs to somebody else would otherwise yield to a kernel in the home folder
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        if parsed.command == "lab":
            lab(others, root)
        elif parsed.command == "run":
            return run(parsed.lesson, root) or None
        elif parsed.command == "reset":
            kept = reset(parsed.lesson, root)
            print("my/ has a fresh copy." + (f" The old one is my/{kept.name}" if kept else ""))
        else:
            return "\n".join(store_outputs(parsed.lesson, root)) or None
    except UnknownLesson as error:
        return str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):  # the second while a kernel starts
        return "\nStopped."
    return None


if __name__ == "__main__":
    sys.exit(main())
