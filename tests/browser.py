"""JupyterLab in Chromium, for the tests of the lessons as their readers see them."""

import ast
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

from course_utils.lessons import ROOT
from tests.chromium import on_path

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
START = "import sys, pathlib; from course_utils import lessons; lessons.main(sys.argv[2:], pathlib.Path(sys.argv[1]))"
IN_ERROR = """notebook.widgets.flatMap(c => c.model.type === 'code' ? c.model.outputs.toJSON() : [])
    .filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue)"""
MINUTE = 60_000  # milliseconds, as Playwright wants them


def address_of(server: subprocess.Popen) -> tuple[str, str, str, str]:
    """What a JupyterLab that is starting says of itself: its host and port, the port, the path, and token=..."""
    watchdog = threading.Timer(150, server.kill)  # ends the loop below where no address ever comes
    watchdog.start()
    try:
        said = ""
        while not (found := re.search(r"(http://\S+:(\d+))(/lab/tree/\S+)\?(token=\w+)", said)):
            line = server.stdout.readline()
            assert line, f"JupyterLab ended without an address:\n{said}"
            said += line
        return found.groups()
    finally:
        watchdog.cancel()


@contextmanager
def jupyterlab(root: Path, **environment: str) -> Iterator[str]:
    """What ``make lab`` starts, on copies of the lessons below ``root``: the address of the file browser.

    Neither the reader's ``my/`` nor their settings and workspaces are touched.
    """
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    folders = {f"JUPYTER_{name}_DIR": str(root / ".jupyter" / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    server = subprocess.Popen(
        [sys.executable, "-c", START, str(root), "lab", "--no-browser", "--port=0", "--expose-app-in-browser"],
        env={**os.environ, **folders, "VISION_COURSE_STATE": str(root / ".state"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        host, _, _, token = address_of(server)
        # read on, or the server waits for ever once the pipe is full
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield f"{host}/lab?{token}"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium from the PATH, or the one that Playwright has downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=on_path(), args=OPTIONS)
        yield browser
        browser.close()


class Notebook:
    """A lesson that is open in JupyterLab: its cells, its kernel, and what the page complained of."""

    def __init__(self, browser: Browser, address: str, name: str):
        self.name, self.complaints = name, []
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 1000})
        self.page.set_default_timeout(MINUTE / 3)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # a workspace of its own, or the tabs of another lesson come back
        self.page.goto(address.replace("/lab?", f"/lab/workspaces/{uuid4()}?"))
        for item in ("my", f"{name}.ipynb"):
            self.page.locator(".jp-DirListing-item").get_by_text(item, exact=True).dblclick()
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.wait("context.session?.kernel?.status === 'idle'", "a kernel")

    def js(self, body: str, *arguments: object) -> object:
        """The value of JavaScript that sees the app, the notebook, its context (of the session), and ``given``."""
        return self.page.evaluate(
            """async ([body, given]) => {
                const app = window.jupyterapp, panel = app.shell.currentWidget;
                const names = ['app', 'notebook', 'context', 'given'];
                const run = new (Object.getPrototypeOf(async function () {}).constructor)(...names, body);
                return await run(app, panel.content, panel.sessionContext, given);
            }""",
            [body, list(arguments)],
        )

    def wait(self, condition: str, what: str, seconds: float = 60, *arguments: object) -> None:
        """Until a condition in JavaScript holds."""
        for _ in range(int(seconds * 5)):
            if self.js(f"return {condition}", *arguments):
                return
            self.page.wait_for_timeout(200)
        raise TimeoutError(f"{self.name}: waited {seconds:g} s for {what}")

    def run_all(self, command: str = "notebook:run-all-cells", seconds: float = 480) -> None:
        """Run every cell, and wait until the last one is done."""
        self.js("for (const c of notebook.widgets) if (c.model.type === 'code') c.model.executionCount = null")
        self.js("void app.commands.execute(given[0])", command)
        if "restart" in command:
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
            self.page.wait_for_timeout(1000)
        idle = "context.session?.kernel?.status === 'idle'"
        left = "notebook.widgets.filter(c => c.model.sharedModel.source.trim() && c.model.executionCount === null)"
        self.wait(f"{idle} && !{left}.length || {IN_ERROR}.length", "all cells to be run", seconds)

    def errors(self) -> list[str]:
        """The errors that cells ended with."""
        return self.js(f"return {IN_ERROR}")

    def cell(self, source: str) -> tuple[int, Locator]:
        """The number of the cell whose code has such a line, and the cell, scrolled to."""
        number = self.js(
            """const begins = cell => cell.model.sharedModel.source.split('\\n').some(l => l.startsWith(given[0]));
            const i = notebook.widgets.findIndex(cell => cell.model.type === 'code' && begins(cell));
            notebook.activeCellIndex = i; await notebook.scrollToItem(i, 'start'); return i""",
            source,
        )
        assert number >= 0, f"{self.name} has no cell with {source}"
        return number, self.page.locator(f".jp-Cell[data-windowed-list-index='{number}']")

    def run_cell(self, number: int) -> None:
        """Run one cell once more, and wait until it is done."""
        self.js("notebook.widgets[given[0]].model.executionCount = null; notebook.activeCellIndex = given[0]", number)
        self.js("void app.commands.execute('notebook:run-cell')")
        done = "context.session.kernel.status === 'idle' && notebook.widgets[given[0]].model.executionCount"
        self.wait(done, "a cell to be run", 60, number)

    def ask(self, code: str, expression: str) -> object:
        """Run code in the lesson's own kernel, and give the value of an expression after it."""
        reply = self.js(
            """const future = context.session.kernel.requestExecute(
                {code: given[0], silent: true, user_expressions: {answer: given[1]}});
            return (await future.done).content""",
            code,
            f"__import__('json').dumps({expression})",
        )
        assert reply["status"] == "ok", f"{reply['ename']}: {reply['evalue']}"
        answer = reply["user_expressions"]["answer"]
        assert answer["status"] == "ok", f"{answer['ename']}: {answer['evalue']}"
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.js("await context.shutdown()")
        self.page.close()


def png(image: Locator) -> bytes:
    """The bytes of a picture as it stands on the page; none while it changes, or where it cannot be seen."""
    return base64.b64decode(
        image.evaluate(
            """async image => {
                try {
                    await image.decode();
                    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
                    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
                } catch { return ''; }
            }"""
        )
    )


class Explorer:
    """An explorer on the page: its controls by their labels, moved with the keyboard."""

    CONTROLS = ", ".join(
        f".widget-{kind}" for kind in ("hslider", "dropdown", "text", "checkbox", "button", "upload", "play")
    )
    LABELS = """controls => controls.filter(e => !e.closest('.widget-play') || e.matches('.widget-play')).map(e => {
        const texts = [...e.querySelectorAll('.widget-label, .widget-label-basic')].map(l => l.innerText);
        const label = e.querySelector('.widget-label');  // ipywidgets puts a tooltip there even where it is hidden
        return [...texts, e.matches('button') ? e.innerText : '', e.title, label ? label.title : '']
            .map(t => t.replace('\\u200b', '').trim()).find(t => t) ?? (e.matches('.widget-play') ? 'play' : '');
    })"""

    def __init__(self, notebook: Notebook, source: str):
        self.notebook, self.page, self.source = notebook, notebook.page, source
        for patience in (3_000, 3_000, 3_000, 20_000):  # only cells near the page are in it, and figures push them away
            self.number, self.cell = notebook.cell(source)
            self.root = self.cell.locator(".jp-OutputArea-output > .widget-vbox")
            self.picture = self.root.locator("img.widget-image")
            with suppress(TimeoutError):
                self.picture.wait_for(timeout=patience)
                break
        else:
            raise AssertionError(f"{notebook.name}: no picture comes from {source}")
        self.sentence = self.root.locator(".widget-html-content").nth(1)
        self.asleep = self.root.locator(".explorer-asleep")
        self.outer = self.root.locator(self.CONTROLS).filter(visible=True)

    def labels(self) -> list[str]:
        """What each control is called, in the order of the page."""
        return self.outer.evaluate_all(self.LABELS)

    def control(self, label: str) -> Locator:
        """The control with this label."""
        return self.outer.and_(self.root.locator(f":nth-match({self.CONTROLS}, {self.labels().index(label) + 1})"))

    def move(self, label: str, kind: str, typed: str = "", times: int = 2) -> None:
        """Move a control as somebody without a mouse does."""
        control, press = self.control(label), self.page.keyboard.press
        if kind == "slider":
            handle = control.locator(".noUi-handle")
            handle.focus()
            place, end = (float(handle.get_attribute(f"aria-value{name}")) for name in ("now", "max"))
            for _ in range(abs(times)):
                press("ArrowRight" if place < end and times > 0 else "ArrowLeft")
        elif kind == "dropdown":
            select = control.locator("select")
            select.focus()
            last = select.evaluate("e => e.selectedIndex === e.options.length - 1")
            for key in ("Space", "ArrowUp" if last else "ArrowDown", "Enter"):  # closed, the arrows are JupyterLab's
                press(key)
        elif kind in ("text", "number"):
            control.locator("input").focus()
            press("Control+a")
            self.page.keyboard.type(typed)
            press("Enter")
        elif kind == "box":
            control.locator("input").focus()
            press("Space")
        elif kind == "button":
            control.focus()
            press("Enter")
        elif kind == "play":
            control.locator("button").first.focus()
            press("Enter")
            self.page.wait_for_timeout(1500)
            press("Enter")  # pauses
        else:
            raise ValueError(f"{label} is a {kind}")

    def shown(self, label: str, kind: str) -> str | bool | None:
        """The value that a control shows."""
        control = self.control(label)
        if kind == "slider":
            return control.locator(".widget-readout").inner_text().replace("−", "-")
        if kind == "dropdown":
            return control.locator("select").evaluate("e => e.selectedOptions[0].innerText").replace("\xa0", " ")
        if kind in ("text", "number"):
            return control.locator("input").input_value()
        return control.locator("input").is_checked() if kind == "box" else None

    def says(self, html: str) -> bool:
        """Whether the sentence on the page is this one, both as the browser writes HTML."""
        return self.sentence.evaluate(
            "(e, html) => { const other = document.createElement('div'); other.innerHTML = html;"
            " return other.innerHTML === e.innerHTML; }",
            html,
        )
