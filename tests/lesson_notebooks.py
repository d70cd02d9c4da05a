"""Reading and executing lessons, for the tests of the notebooks."""

import os
import tempfile
from pathlib import Path

from nbformat import NotebookNode

from course_utils.lessons import ROOT, page


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
    """Execute a notebook, in place, as if it lay in ``folder``, on an empty state folder.

    Training is cut short, as what it prints is not compared here.
    """
    client = page(notebook, folder, timeout=600, **options)
    with tempfile.TemporaryDirectory() as state:
        return client.execute(env={**os.environ, "VISION_COURSE_STATE": state, "COURSE_MAX_STEPS": "100"})
