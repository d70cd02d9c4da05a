"""The lessons as their readers see them: JupyterLab, as ``make lab`` starts it, in Chromium.

What an explorer shows is compared with what its ``draw`` gives when it is called directly in the lesson's own kernel,
past all callbacks, and its controls with what they are there.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser

from course_utils.lessons import ROOT, lessons
from tests import browser
from tests.browser import Explorer, Notebook
from tests.test_own_pictures import GOOD, HOSTILE

PICTURES = ROOT / "build" / "browser"
PATIENCE = 20  # seconds until a picture has to be there: on busy cores, and never a queue of stale ones
STEPS = "100"  # of each training, as in the other tests; with fewer, some lessons have nothing to show

# For each lesson what begins the line with an explorer, and its controls: label, kind, attribute, and what is typed
# into it. They are moved in this order: some do nothing before another one was moved. Those without an attribute are
# not moved here, but by hand below.
EXPLORERS = {
    "00": {"widgets.Broadcasting": [
        ("shape of a", "text", "first", "4, 2, 1"), ("shape of b", "text", "second", "2, 5"),
    ]},
    "01": {"widgets.Convolution": [
        ("shift picture", "slider", "shift"), ("stride", "slider", "stride"), ("padding", "slider", "padding"),
        ("dilation", "slider", "dilation"), ("window row", "slider", "row"), ("window column", "slider", "column"),
        *((f"kernel, {place}", "number", f"kernel[{number}]", f"{number / 2 + 2:g}") for number, place in enumerate((
            "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"))),
    ]},
    "02": {"widgets.SoftLookup": [
        ("query, right", "slider", "right"), ("query, up", "slider", "up"),
        ("divide by the root of d", "box", "scaled"), ("d", "slider", "d"),
        *((name, "box", f"may_look[{number}]") for number, name in enumerate("ABCDEF")),
    ]},
    "03": {"widgets.Ravine": [
        ("optimizer", "dropdown", "optimizer"), ("rate", "slider", "rate"), ("momentum", "slider", "momentum"),
        ("noise", "slider", "noise"), ("condition", "slider", "condition"),
    ]},
    "04": {"widgets.Augmentations": [
        ("picture", "slider", "number"), ("turn (degrees)", "slider", "turn"), ("zoom", "slider", "zoom"),
        ("shear (degrees)", "slider", "slant"), ("move right", "slider", "right"),
        ("brightness", "slider", "brightness"), ("contrast", "slider", "contrast"),
        ("left to right", "box", "mirror"), ("upside down", "box", "upside_down"),
    ]},
    "05": {
        "widgets.Looking": [
            ("picture", "slider", "number"), ("ask about", "dropdown", "about"),
            ("attack (levels)", "slider", "attack"),
        ],
        "widgets.DrawYourOwn": [
            ("on the sheet", "dropdown", "on_it"), ("pen (pixels)", "slider", None),
            ("clear the sheet", "button", None), ("choose a PNG or JPEG (0)", "button", None),
        ],
    },
    "06": {"widgets.Patches": [
        ("picture", "slider", "number"), ("patch asks", "dropdown", "asking"), ("block", "dropdown", "layer"),
        ("head", "dropdown", "head"), ("leave out", "slider", "hide"), ("which", "dropdown", "way"),
        ("shuffle the patches", "box", "shuffle"),
    ]},
    "07": {
        "widgets.OneDimensionalGame": [
            ("mean of fakes", "slider", "mean"), ("their width", "slider", "width"), ("loss of G", "dropdown", "loss"),
            ("one step of G", "button", "step"),
        ],
        "widgets.LatentWalk": [
            ("from noise", "slider", "start"), ("to noise", "slider", "end"), ("way", "dropdown", "way"),
            ("stop", "slider", "place"), ("play", "play", "play"),
        ],
    },
    "08": {"widgets.Corruptions": [("spoil by", "dropdown", "way"), ("strength", "slider", "strength")]},
    "09": {"widgets.LatentMap": [
        ("beta", "slider", "beta"), ("item", "slider", "item"), ("point: first", "slider", "first"),
        ("point: second", "slider", "second"),
    ]},
}  # fmt: skip

# Run in the lesson's kernel: an explorer's values, and what draw makes of them, called past all callbacks.
KERNEL = """
def _drawn(explorer, names):
    import hashlib
    with explorer.lock:  # callbacks run in other threads: none of them in between
        explorer.drawing = True  # draw may move other controls: no callback for these
        try:
            picture, sentence = explorer.draw()
        finally:
            explorer.drawing = False
        values = {name: eval('explorer.' + name, dict(explorer=explorer)).value for name in names}
    return dict(values=values, sentence=sentence, picture=hashlib.sha256(picture._repr_png_()).hexdigest())
"""

# Where a step of gradient descent leads to, within half a step of the sliders: they round it.
STEP = "[c.value - _shown.RATE * slope for c, slope in zip((_shown.mean, _shown.width), _shown.slopes())]"

# What JupyterLab itself says after a restart: of its debugger, and of the widgets that went with the kernel.
OF_RESTARTS = ("Could not restore the debugger state", "widget model not found")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(root: Path) -> Iterator[str]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    # one thread a kernel: on busy cores two wait for each other
    with browser.jupyterlab(root, COURSE_MAX_STEPS=STEPS, COURSE_QUIET="1", OMP_NUM_THREADS="1") as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as running:
        yield running


def same(shown: str, value: object) -> bool:
    """Whether a control shows this value, within the digits that it shows."""
    if isinstance(value, float):
        return abs(float(shown) - value) <= 0.0051 * max(1, abs(value))
    return shown is value if isinstance(value, bool) else shown == str(value)


def until(wrong: Callable[[], list[str]], explorer: Explorer) -> None:
    """Wait until nothing is wrong any more."""
    started = time.monotonic()
    while found := wrong():
        assert time.monotonic() - started < PATIENCE, "; ".join(found)
        explorer.page.wait_for_timeout(100)


def other_labels(explorer: Explorer, controls: list[tuple]) -> list[str]:
    """The labels on the page, unless they are those of the controls."""
    there, expected = sorted(explorer.labels()), sorted(label for label, *_ in controls)
    return [] if there == expected else [f"controls are called {there} instead of {expected}"]


def unlike(explorer: Explorer, expected: dict) -> list[str]:
    """What of sentence and picture is not as expected."""
    found = []
    if not explorer.says(expected["sentence"]):
        found.append(f"it says {explorer.sentence.inner_text()!r} instead of {expected['sentence']!r}")
    if hashlib.sha256(browser.png(explorer.picture)).hexdigest() != expected["picture"]:
        found.append("the picture is not what draw gives")
    return found


def drawn(explorer: Explorer, controls: list[tuple], before: dict | None = None, **ends: float) -> dict:
    """What the explorer should show now, by draw itself, waiting until it does show it.

    And until it is no longer as ``before``, and values, by name, are what they should end as, within half a step.
    """
    valued = {label: (kind, name) for label, kind, name, *_ in controls if kind not in ("button", "play")}
    names = [name for _, name in valued.values()]
    expected = {}

    def wrong() -> list[str]:
        expected.update(explorer.notebook.ask("", f"_drawn(_shown, {names})"))
        shown = {label: explorer.shown(label, kind) for label, (kind, _) in valued.items()}
        found = [
            f"{label} shows {shown[label]}, and the explorer has {expected['values'][name]}"
            for label, (_, name) in valued.items()
            if not same(shown[label], expected["values"][name])
        ]
        if before == expected:
            found.append("nothing has changed")
        for name, end in ends.items():
            if abs(expected["values"][name] - end) > 0.063:
                found.append(f"{name} is {expected['values'][name]}, not {end}")
        return found + unlike(explorer, expected)

    until(wrong, explorer)
    return expected


def find_explorer(notebook: Notebook, call: str) -> Explorer:
    """The explorer on the page; in its kernel it is _shown."""
    explorer = Explorer(notebook, call)
    count = notebook.js("return notebook.widgets[given[0]].model.executionCount", explorer.number)
    notebook.ask(f"{KERNEL}\n_shown = Out[{count}]", "1")
    return explorer


def without_kernel(saved: Path) -> int:
    """How many explorers a page without a kernel shows as a still with a sentence, as those in notebooks/ do."""
    notebook = nbformat.read(saved, 4)
    notebook.metadata.pop("widgets", None)  # what readers' own copies keep of the explorers
    page, described = (
        HTMLExporter(template_name=name).from_notebook_node(notebook)[0]
        for name in ("lab", "classic")  # of nbconvert's templates only the latter hands an alternative text on
    )
    assert "vnd.jupyter.widget-view" not in page
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    stills = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    for still in stills:
        assert still.data["image/png"].replace("\n", "") in page.replace("\n", "")
        assert len(still.metadata["image/png"]["alt"]) > len("Explorer: ") + 20
        assert f'alt="{escape(still.metadata["image/png"]["alt"])[:40]}' in described
    return len(stills)


def drag(explorer: Explorer, *places: tuple[float, float]) -> None:
    """Press a pointer on the explorer's canvas and move it from place to place, in its pixels, faster than any hand."""
    canvas, mouse = explorer.root.locator("canvas"), explorer.page.mouse
    canvas.scroll_into_view_if_needed()
    box, width = canvas.bounding_box(), canvas.evaluate("e => e.width")
    for number, (x, y) in enumerate(places):
        mouse.move(box["x"] + x * box["width"] / width, box["y"] + y * box["width"] / width, steps=20 if number else 1)
        mouse.down()
    mouse.up()


def leave_by_keyboard(explorer: Explorer) -> None:
    """A canvas keeps no key: neither after the pointer has been on it, nor when Tab has led to it."""
    canvas, is_there = explorer.root.locator("canvas"), "e => document.activeElement === e"
    for focus in (lambda: None, canvas.focus):
        focus()
        for _ in range(3):
            explorer.page.keyboard.press("Tab")
            explorer.page.wait_for_timeout(300)
        assert not canvas.evaluate(is_there)


def drag_the_query(explorer: Explorer, controls: list[tuple], folder: Path) -> None:
    before = drawn(explorer, controls)
    drag(explorer, (60, 60), (250, 60), (34 + 240 * 0.8 / 4.6, 24 + 240 * 1.6 / 4.6))
    drawn(explorer, controls, before, right=-1.5, up=0.7)
    leave_by_keyboard(explorer)


def drag_the_point(explorer: Explorer, controls: list[tuple], folder: Path) -> None:
    before = drawn(explorer, controls)
    reach = explorer.notebook.ask("", "_shown.plane().x[1]")
    drag(explorer, (60, 60), (250, 60), (34 + 240 * 0.75, 24 + 250 * 0.75))
    drawn(explorer, controls, before, first=reach / 2, second=-reach / 2)


def draw_by_hand(explorer: Explorer, controls: list[tuple], folder: Path) -> None:
    """A stroke, its end, and files: good ones lie on the sheet, others are answered with their sentence."""
    moved = [control for control in controls if control[2]]
    explorer.move("clear the sheet", "button")
    before = drawn(explorer, moved)
    assert "The sheet is empty" in before["sentence"]
    explorer.move("pen (pixels)", "slider", times=4)
    drag(explorer, (60, 60), (220, 60), (220, 220), (60, 220))
    before = drawn(explorer, moved, before)
    black = explorer.root.locator("canvas").evaluate(
        "(e, places) => places.map(([x, y]) => e.getContext('2d').getImageData(x, y, 1, 1).data[0] < 128)",
        places := [(140, 60), (220, 140), (60, 140), (140, 220), (20, 20), (140, 140)],
    )
    assert black == [True, True, False, True, False, False], "what is seen is what was drawn"
    assert black == explorer.notebook.ask("", f"[_shown.sheet.getpixel(place) < 128 for place in {places}]")
    explorer.cell.screenshot(path=PICTURES / "05_drawn.png")
    leave_by_keyboard(explorer)
    for name in ("PNG", "large JPEG", "heavy PNG", "bomb", "text", "SVG", "cut short JPEG"):
        make, said = HOSTILE.get(name) or (GOOD[name], "They know ten names")
        picture = folder / f"{name}.png"
        picture.write_bytes(make())
        with explorer.page.expect_file_chooser() as chooser:
            explorer.move("choose a PNG or JPEG (0)", "button")
        chooser.value.set_files(picture)
        after = drawn(explorer, moved, before)
        assert re.search(said, after["sentence"], re.IGNORECASE), name
        before = after
    explorer.cell.screenshot(path=PICTURES / "05_broken_file.png")


BY_HAND = {
    "widgets.SoftLookup": drag_the_query,
    "widgets.DrawYourOwn": draw_by_hand,
    "widgets.LatentMap": drag_the_point,
}


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_lesson(path: Path, root: Path, lab: str, chromium: Browser, tmp_path: Path) -> None:
    started = time.monotonic()
    notebook = Notebook(chromium, lab, path.stem)
    try:
        notebook.run_all()
        ran = time.monotonic()
        assert notebook.errors() == []
        assert EXPLORERS[path.stem[:2]], "each lesson has an explorer"
        for call, controls in EXPLORERS[path.stem[:2]].items():
            explorer = find_explorer(notebook, call)
            until(partial(other_labels, explorer, controls), explorer)
            moved = [control for control in controls if control[2]]
            before = drawn(explorer, moved)
            for label, kind, name, *typed in moved:
                if kind == "button":
                    expected = notebook.ask("", STEP)
                explorer.move(label, kind, *typed)
                after = drawn(explorer, moved, before)
                assert (after["sentence"], after["picture"]) != (before["sentence"], before["picture"]), label
                if kind == "button":
                    assert [after["values"][of] for of in ("mean", "width")] == pytest.approx(expected, abs=0.026)
                elif kind != "play":
                    assert after["values"][name] != before["values"][name], f"{label} has not moved"
                before = after
            explorer.cell.screenshot(path=PICTURES / f"{path.stem}_{call.split('.')[1]}.png")
            if call in BY_HAND:
                BY_HAND[call](explorer, controls, tmp_path)
        assert notebook.complaints == []
        notebook.js("await app.commands.execute('docmanager:save')")
        assert without_kernel(root / "my" / path.name) == len(EXPLORERS[path.stem[:2]])
        print(f"{path.stem}: {ran - started:.0f} s to run, {time.monotonic() - ran:.0f} s to explore")
    finally:
        notebook.close()


def test_02_survives_dragging_a_restart_and_fifty_runs(lab: str, chromium: Browser) -> None:
    call, controls = "widgets.SoftLookup", EXPLORERS["02"]["widgets.SoftLookup"]
    notebook = Notebook(chromium, lab, "02_attention")
    try:
        number, _ = notebook.cell(call)

        def start() -> Explorer:
            for cell in (1, 2, number):  # what finds the course, the imports, the explorer
                notebook.run_cell(cell)
            return find_explorer(notebook, call)

        explorer = start()
        before = drawn(explorer, controls)
        for label in ("query, right", "query, up"):
            explorer.move(label, "slider", times=-25)  # as fast as keys come, and nothing waits in between
        drawn(explorer, controls, before, right=-2, up=-2)

        assert not explorer.asleep.is_visible()
        notebook.js("await context.session.kernel.restart()")
        explorer.asleep.wait_for(state="visible")  # a sentence that says what to do
        explorer.cell.screenshot(path=PICTURES / "02_attention_asleep.png")
        assert not start().asleep.is_visible()

        memory = "[len(_widgets), psutil.Process().memory_info().rss / 2**20]"
        for _ in range(5):
            notebook.run_cell(number)
        widgets, used = notebook.ask(
            "import psutil\nfrom ipywidgets.widgets.widget import _instances as _widgets", memory
        )
        for _ in range(50):
            notebook.run_cell(number)
        assert Explorer(notebook, call).root.count() == 1
        now = notebook.ask("", memory)
        print(f"50 runs of a cell: {widgets} widgets, then {now[0]}; {now[1] - used:.1f} MiB more")
        assert now[0] == widgets
        assert now[1] - used < 30  # 2 MiB each, 100 in all, before the former explorers were closed
        drawn(find_explorer(notebook, call), controls)
        assert not [said for said in notebook.complaints if not any(known in said for known in OF_RESTARTS)]
    finally:
        notebook.close()


def test_02_is_seen_when_it_is_opened_again(lab: str, chromium: Browser) -> None:
    call = "widgets.SoftLookup"
    notebook = Notebook(chromium, lab, "02_attention")
    try:
        for cell in (1, 2, notebook.cell(call)[0]):  # what finds the course, the imports, the explorer
            notebook.run_cell(cell)
        expected = drawn(find_explorer(notebook, call), EXPLORERS["02"][call])
        notebook.js("await app.commands.execute('docmanager:save')")
        notebook.close()
        notebook = Notebook(chromium, lab, "02_attention")
        explorer = Explorer(notebook, call)
        explorer.asleep.wait_for(state="visible")
        until(partial(unlike, explorer, expected), explorer)
        assert notebook.complaints == []
    finally:
        notebook.close()


def test_00_restarted_and_run_twice(lab: str, chromium: Browser) -> None:
    notebook = Notebook(chromium, lab, "00_start_here")
    try:
        for _ in range(2):
            notebook.run_all("notebook:restart-run-all")
            assert notebook.errors() == []
            drawn(find_explorer(notebook, "widgets.Broadcasting"), EXPLORERS["00"]["widgets.Broadcasting"])
        assert not [said for said in notebook.complaints if not any(known in said for known in OF_RESTARTS)]
    finally:
        notebook.close()
