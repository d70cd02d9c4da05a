"""Reading and executing lessons, for the tests of the notebooks."""

import os
import tempfile
from pathlib import Path

from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode

from course_utils.lessons import ROOT


class SilentOutput(OutputWidget):
    """An Output widget that takes what is written into it and keeps nothing.

    nbclient's own sends the text back to the kernel, and by that may overlook the kernel's next answer: about
    every fourth such cell then waits until its time is up (nbclient, issue 312). It also needs widget states.
    """

    def output(self, *_: object) -> None:
        pass

    def clear_output(self, *_: object) -> None:
        pass


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that are executed."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: NotebookNode, kind: str) -> list[tuple[str, NotebookNode]]:
    """Each cell with a tag ``kind:name``, with the name, in order."""
    prefix = f"{kind}:"
    return [
        (tag.removeprefix(prefix), cell)
        for cell in code_cells(notebook)
        for tag in cell.metadata.get("tags", ())
        if tag.startswith(prefix)
    ]


def execute(notebook: NotebookNode, folder: Path = ROOT / "notebooks", **options: object) -> NotebookNode:
    """Execute a notebook, in place, as if it lay in ``folder``, on an empty state folder."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        coalesce_streams=True,
        **options,
    )
    client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": SilentOutput}}
    with tempfile.TemporaryDirectory() as state:
        return client.execute(env={**os.environ, "VISION_COURSE_STATE": state})
