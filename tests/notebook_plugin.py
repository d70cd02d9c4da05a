"""A pytest plug-in that makes nbval fit this course: it executes lessons and compares what comes out.

    python -m pytest --nbval --nbval-current-env --nbval-cell-timeout=600 notebooks/

It has four parts: comparing outputs, being the page a notebook is shown on, ending at the first failure
with a short report, and watching the kernel. nbval has no hooks for any of them, so methods of its classes
are replaced. They are internals, which is why requirements.txt pins nbval exactly. (A subclass would not do:
nbval's classes call ``super()`` through their global names.)
"""

import contextlib
import copy
import json
import math
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from queue import Empty

import nbformat
import psutil
import pytest
from nbformat import NotebookNode
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, transform_streams_for_comparison

MB = 2**20
KERNEL_LIMIT = 2048 * MB  # what a lesson may take on a small laptop
STATED = re.compile(r"about (\d+) seconds")  # in a lesson's first cell


class SlowLesson(pytest.PytestWarning):
    """A lesson took more than twice the seconds it states; a warning, as machines differ and are busy."""


def instead_of(owner: type) -> Callable:
    """Put the decorated function in the place of ``owner``'s method of the same name.

    The method it replaces stays within reach, as the function's ``original``.
    """

    def put(function: Callable) -> Callable:
        function.original = getattr(owner, function.__name__)
        setattr(owner, function.__name__, function)
        return function

    return put


@dataclass
class Run:
    """What the plug-in knows of one notebook while it runs."""

    cells: list[IPyNbCell] = field(default_factory=list)  # those that have started, in order
    page: "Page | None" = None  # of the cell that runs now
    stopped: str = ""  # why the rest of the notebook is not run
    pid: int = 0
    peak: int = 0  # bytes
    started: float = field(default_factory=time.monotonic)
    state: tempfile.TemporaryDirectory = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="vision-course-")
    )


RUN = pytest.StashKey[Run]()
SUMMARY = pytest.StashKey[list[str]]()


def run_of(notebook: IPyNbFile) -> Run:
    """The run of this notebook, begun with the first question for it."""
    if RUN not in notebook.stash:
        notebook.stash[RUN] = Run()
    return notebook.stash[RUN]


# ---- Comparing ------------------------------------------------------------------------------------------
# Text and integers must be equal. Floats may differ by the tolerance a cell asks for; it asks by a tag such
# as nbval-rtol=1e-3 or nbval-atol=0.02, or by metadata {"nbval": {"rtol": 1e-3}}, its own or the notebook's.
# Where nothing is asked for, floats must be equal too.

NUMBER = re.compile(r"(?<![\w.#])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|(?:nan|inf)\b)", re.IGNORECASE)
PADDING = re.compile(r"[ \t]*\0[ \t]*")  # a lost minus sign moves the columns of a table
TOLERANCE_TAG = re.compile(r"nbval-([ra]tol)=(.+)")


def tolerance_of(cell: IPyNbCell) -> dict[str, float]:
    """The tolerances that hold for a cell: its tags come first, then its metadata, then the notebook's."""
    asked = {**cell.parent.nb.metadata.get("nbval", {}), **cell.cell.metadata.get("nbval", {})}
    tags = map(TOLERANCE_TAG.fullmatch, cell.cell.metadata.get("tags", ()))
    asked.update((tag[1], tag[2]) for tag in tags if tag)
    return {name: float(value) for name, value in asked.items()}


def same_number(old: str, new: str, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Whether two numbers, as printed, are equal or are two floats close to each other."""
    if old == new:  # also nan and nan, which no arithmetic calls equal
        return True
    if any(number.lstrip("+-").isdigit() for number in (old, new)):
        return False  # an integer is a count, a shape or an index; as a float it has another dtype
    return math.isclose(float(old), float(new), rel_tol=rtol, abs_tol=atol)


def difference(old: str, new: str, tolerance: dict[str, float]) -> int | None:
    """The column at which two lines begin to differ, None where they do not."""
    if old == new:
        return None
    words = [PADDING.sub("\0", NUMBER.sub("\0", line)) for line in (old, new)]
    if tolerance and words[0] == words[1]:
        pairs = zip(NUMBER.finditer(old), NUMBER.finditer(new), strict=True)
        return next((a.start() for a, b in pairs if not same_number(a[0], b[0], **tolerance)), None)
    return next((i for i, (a, b) in enumerate(zip_longest(old, new)) if a != b), None)


def texts_by_kind(outputs: list[NotebookNode], skip: Iterable[str]) -> dict[str, list[list[str]]]:
    """The lines of every text that a cell gave, by stream or type."""
    found = defaultdict(list)
    for output in transform_streams_for_comparison(outputs):
        for kind, value in {**output, **output.get("data", {})}.items():
            if kind != "data" and kind not in skip:
                text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True)
                found[kind].append(text.splitlines(keepends=True))
    return found


@instead_of(IPyNbCell)
def compare_outputs(
    self: IPyNbCell, test: list[NotebookNode], ref: list[NotebookNode], skip_compare: Iterable[str] = ()
) -> bool:
    """Compare as nbval does, kind by kind, without pictures and widgets; but within the tolerance."""
    skip, tolerance = skip_compare or self.parent.skip_compare, tolerance_of(self)
    expected, got = texts_by_kind(ref, skip), texts_by_kind(test, skip)
    for kind in {**expected, **got}:
        for old_text, new_text in zip_longest(expected.get(kind, ()), got.get(kind, ())):
            lines = zip_longest(old_text or (), new_text or ())
            for number, (old, new) in enumerate(lines, start=1):
                column = 0 if old is None or new is None else difference(old, new, tolerance)
                if column is not None:
                    self.comparison_traceback = [  # nbval hands this on to the report
                        f"  expected  {kind}, line {number}: {excerpt(old, column)}",
                        f"  got       {kind}, line {number}: {excerpt(new, column)}",
                    ]
                    return False
    return True


# ---- The page -------------------------------------------------------------------------------------------
# nbval appends to a cell whatever the kernel sends. A page also clears outputs, updates what it has shown,
# and lets Output widgets take what is written inside them. The stored outputs were made by such a page.


class Page:
    """What a page does with the messages of one cell, beyond appending outputs."""

    def __init__(self, cell: IPyNbCell) -> None:
        self.cell = cell
        self.capturing: set[str] = set()  # Output widgets that are now written to
        self.shown = defaultdict(list)  # display id -> the data shown under it
        self.clear_before_next = False

    def takes(self, message: dict) -> bool:
        """Act on a message of the kernel; whether that was all, so that nbval need not see it."""
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg":
            state = content["data"].get("state", {})
            if "msg_id" in state:  # how an Output widget says that it begins, or ends, to take outputs
                change = self.capturing.add if state["msg_id"] else self.capturing.discard
                change(content["comm_id"])
            return False

        display_id = content.get("transient", {}).get("display_id")
        for earlier in self.shown[display_id]:
            earlier.clear()
            earlier.update(content["data"])
        if kind == "update_display_data":
            return True

        # An error is never taken: inside a widget it would hide from the test.
        if self.capturing and kind in {"stream", "display_data", "execute_result", "clear_output"}:
            return True
        if kind == "clear_output":
            self.clear_before_next = content["wait"]
            if not content["wait"]:
                self.cell.test_outputs.clear()
            return True
        if kind in {"stream", "display_data", "execute_result", "error"}:
            if self.clear_before_next:
                self.cell.test_outputs.clear()
                self.clear_before_next = False
            if display_id:
                content["data"] = nbformat.from_dict(content["data"])  # nbval keeps this very object
                self.shown[display_id].append(content["data"])
        return False


@instead_of(IPyNbFile)
def get_kernel_message(self: IPyNbFile, timeout: float | None = None, stream: str = "iopub") -> dict:
    """The next message that is for nbval, when the page has had its share."""
    while True:
        message = get_kernel_message.original(self, timeout, stream)
        of_this_cell = message["parent_header"].get("msg_id") == self.kernel.request
        if not (of_this_cell and run_of(self).page.takes(message)):
            return message


@instead_of(RunningKernel)
def execute_cell_input(self: RunningKernel, cell_input: str, allow_stdin: bool | None = None) -> str:
    """Execute with history, as a page does: without it ``x;`` prints, and ``_`` stays empty."""
    self.request = self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)
    return self.request


# ---- The first failure ----------------------------------------------------------------------------------
# What follows a failing cell fails for want of it. So the first failure ends a notebook, is reported in five
# lines, and the notebook as executed is kept for whoever wants to see more.


@instead_of(IPyNbCell)
def runtest(self: IPyNbCell) -> None:
    """Execute and compare one cell, note what the kernel took, and end the notebook if it fails."""
    run = run_of(self.parent)
    run.cells.append(self)
    run.page = Page(self)
    try:
        try:
            runtest.original(self)
        finally:
            run.peak = max(run.peak, peak_memory(run.pid))
        if self.parent.timed_out:  # the cell may have caught the interrupt and ended as if all was well
            self.raise_cell_error(f"it took over {self.config.option.nbval_cell_timeout:g} seconds")
        if run.peak > KERNEL_LIMIT:
            self.raise_cell_error(
                f"the kernel took {run.peak / MB:.0f} MB; a lesson may take {KERNEL_LIMIT / MB:.0f} MB"
            )
    except Exception:
        run.stopped = f"{name_of(self)} failed"
        keep_executed(self.parent)
        raise


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what comes after a failure."""
    if isinstance(item, IPyNbCell) and (reason := run_of(item.parent).stopped):
        pytest.skip(f"{item.parent.path.stem}: {reason}, so the cells after it are not run")


def name_of(cell: IPyNbCell) -> str:
    """A cell's number on the page and its number here, which counts code cells from 0."""
    return f"In [{cell.cell.execution_count or ' '}] (Cell {cell.cell_num})"


def excerpt(text: str | None, column: int, width: int = 80) -> str:
    """What stands round a column, quoted, on one line."""
    if text is None:
        return "nothing"
    start = max(0, column - width // 2)
    cut = text[start : start + width]
    return f"{'…' * (start > 0)}{cut!r}{'…' * (start + width < len(text))}"


def executed_path(notebook: IPyNbFile) -> Path:
    """Where a failed notebook is kept."""
    return notebook.config.rootpath / "build" / "executed" / notebook.path.name


def keep_executed(notebook: IPyNbFile) -> None:
    """Write the notebook with the outputs it really gave; cells that were not reached have none."""
    executed = copy.deepcopy(notebook.nb)
    ran = {cell.cell_num: cell for cell in run_of(notebook).cells}
    for number, cell in enumerate(cell for cell in executed.cells if cell.cell_type == "code"):
        cell.outputs = (ran[number].test_outputs or []) if number in ran else []
        cell.execution_count = cell.execution_count if number in ran else None
    path = executed_path(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, path)


def exception_of(cell: IPyNbCell) -> str:
    """The exception that a cell raised, and the line of the cell that led to it."""
    error = next(output for output in cell.test_outputs if output.output_type == "error")
    traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))  # without colours
    line = re.search(r"Cell In\[\d+\], (line \d+)", traceback)
    return f"{line[1] + ': ' if line else ''}{error.ename}: {excerpt(error.evalue, 0)}"


@instead_of(IPyNbCell)
def repr_failure(self: IPyNbCell, excinfo: pytest.ExceptionInfo) -> str:
    """Report a failure in five lines."""
    failure = excinfo.value
    if str(failure) == "Cell outputs differ":
        finding = failure.inner_traceback
    else:
        raised = str(failure) == "Cell execution caused an exception"
        finding = f"  expected  no error\n  got       {exception_of(self) if raised else failure}"
    first_line = next(iter(self.cell.source.splitlines()), "")
    return (
        f"{self.parent.path.stem}, {name_of(self)}\n"
        f"  source    {first_line}\n"
        f"{finding}\n"
        f"  executed  {executed_path(self.parent).relative_to(self.config.rootpath)}"
    )


# ---- The kernel -----------------------------------------------------------------------------------------
# Each notebook has a kernel and a state folder of its own. Its time and its memory are told at the end.


def peak_memory(pid: int) -> int:
    """The most memory a process has had, in bytes; where the system keeps no record, what it has now."""
    with contextlib.suppress(OSError):
        if kept := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(kept[1]) * 1024
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).memory_info().rss
    return 0  # it has ended


@instead_of(IPyNbFile)
def setup(self: IPyNbFile) -> None:
    """Start the kernel on an empty state folder, so that no notebook sees a reader's progress."""
    executed_path(self).unlink(missing_ok=True)  # that of an earlier failure
    run = run_of(self)
    run.stopped = "the kernel failed to start"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VISION_COURSE_STATE", run.state.name)
        setup.original(self)
    run.pid, run.stopped = self.kernel.km.provisioner.pid, ""


@instead_of(IPyNbFile)
def teardown(self: IPyNbFile) -> None:
    """End the kernel and note what the notebook took."""
    run = run_of(self)
    teardown.original(self)
    run.state.cleanup()
    seconds, stated = time.monotonic() - run.started, STATED.search(self.nb.cells[0].source)
    line = f"{self.path.stem}: {seconds:.0f} s, kernel peak {run.peak / MB:.0f} MB"
    self.config.stash.setdefault(SUMMARY, []).append(line)
    if stated and seconds > 2 * int(stated[1]):
        self.warn(SlowLesson(f"{self.path.stem} took {seconds:.0f} s, and says about {stated[1]}"))


@instead_of(RunningKernel)
def await_reply(self: RunningKernel, msg_id: str, timeout: float) -> None:
    """Wait for a cell to end, looking every second whether there still is a kernel that could end it."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return await_reply.original(self, msg_id, min(1, timeout))
        except Empty:
            if not self.is_alive():
                raise RuntimeError("the kernel died") from None
            if time.monotonic() > deadline:
                raise


@instead_of(RunningKernel)
def stop(self: RunningKernel) -> None:
    """Ask the kernel to end; nbval kills it, and with it the coverage it has measured."""
    self.kc.stop_channels()
    self.km.shutdown_kernel(now=False)
    del self.km  # how nbval knows that the kernel has ended


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what each notebook took."""
    if lines := config.stash.get(SUMMARY, []):
        terminalreporter.section("notebooks")
        for line in lines:
            terminalreporter.line(line)
