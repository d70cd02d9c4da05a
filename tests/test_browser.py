"""The lessons as their readers see them: JupyterLab, as ``make lab`` starts it, in Chromium.

What an explorer shows is compared with what its ``draw`` gives when a second explorer, made of the same expression in
the lesson's own kernel, is called directly, past all callbacks, with the values that stand on the page.
"""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from course_utils.lessons import ROOT, lessons
from tests import browser
from tests.browser import Explorer, Notebook

PICTURES = ROOT / "build" / "browser"
STEPS = "50"  # of each training; fewer, and lesson 04 has nothing to compare

# For each lesson what begins the line with an explorer, and its controls in order: label, kind, attribute, and what is
# typed into it. They are moved in this order too, as some do nothing before another one was moved.
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
        ("query, right", "slider", "right"), ("query, up", "slider", "up"), ("d", "slider", "d"),
        ("divide by the root of d", "box", "scaled"),
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
    "05": {"widgets.Looking": [
        ("picture", "slider", "number"), ("ask about", "dropdown", "about"), ("attack (levels)", "slider", "attack"),
    ]},
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
EXPLORE = [(path, call) for path in lessons() for call in EXPLORERS.get(path.stem[:2], {})]

# Run in the lesson's kernel: _drawn gives an explorer's values, and what draw makes of them in another explorer. Twice,
# because the stride changes which windows there are.
KERNEL = """
def _drawn(explorer, other, names):
    import hashlib
    value = lambda explorer, name: eval('explorer.' + name)
    values = {name: value(explorer, name).value for name in names}
    other.drawing = True  # no callback of the other one runs
    for _ in range(2):
        for name in names:
            value(other, name).value = values[name]
        picture, sentence = other.draw()
    return dict(values=values, sentence=sentence, picture=hashlib.sha256(picture._repr_png_()).hexdigest())
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser.jupyterlab(tmp_path_factory.mktemp("lab"), COURSE_MAX_STEPS=STEPS, COURSE_QUIET="1") as address:
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


def drawn(explorer: Explorer, controls: list[tuple], before: dict | None = None) -> dict:
    """What the explorer should show now, by draw itself, waiting until it does show it (and no longer ``before``)."""
    valued = {label: (kind, name) for label, kind, name, *_ in controls if kind not in ("button", "play")}
    names = [name for _, name in valued.values()]
    started = time.monotonic()
    while True:
        expected = explorer.notebook.ask("", f"_drawn(_shown, _other, {names})")
        shown = {label: explorer.shown(label, kind) for label, (kind, _) in valued.items()}
        wrong = [
            f"{label} shows {shown[label]}, and the explorer has {expected['values'][name]}"
            for label, (_, name) in valued.items()
            if not same(shown[label], expected["values"][name])
        ]
        if not explorer.says(expected["sentence"]):
            wrong.append(f"it says {explorer.sentence.inner_text()!r} instead of {expected['sentence']!r}")
        if hashlib.sha256(browser.png(explorer.picture)).hexdigest() != expected["picture"]:
            wrong.append("the picture is not what draw gives")
        if before == expected:
            wrong.append("nothing has changed")
        if not wrong:
            return expected
        assert time.monotonic() - started < 8, "; ".join(wrong)
        explorer.page.wait_for_timeout(100)


def find_explorer(notebook: Notebook, call: str) -> Explorer:
    """The explorer on the page; in its kernel it is _shown, and one made of the same expression is _other."""
    explorer = Explorer(notebook, call)
    source, count = notebook.js("const c = notebook.widgets[given[0]].model; return [c.sharedModel.source, c.executionCount]", explorer.number)
    notebook.ask(f"{KERNEL}\n_shown = Out[{count}]\n_other = {source.splitlines()[-1]}", "1")
    return explorer


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_lesson(path: Path, lab: str, chromium: Browser) -> None:
    started = time.monotonic()
    notebook = Notebook(chromium, lab, path.stem)
    try:
        notebook.run_all()
        ran = time.monotonic()
        assert notebook.errors() == []
        assert EXPLORERS[path.stem[:2]], "each lesson has an explorer"
        for call, controls in EXPLORERS[path.stem[:2]].items():
            explorer = find_explorer(notebook, call)
            assert explorer.labels() == [label for label, *_ in controls]
            before = drawn(explorer, controls)
            for label, kind, name, *typed in controls:
                explorer.move(label, kind, *typed)
                after = drawn(explorer, controls, before)
                assert (after["sentence"], after["picture"]) != (before["sentence"], before["picture"]), label
                if name in before["values"]:
                    assert after["values"][name] != before["values"][name], f"{label} has not moved"
                before = after
            explorer.cell.screenshot(path=PICTURES / f"{path.stem}_{call.split('.')[1]}.png")
        assert notebook.complaints == []
        print(f"{path.stem}: {ran - started:.0f} s to run, {time.monotonic() - ran:.0f} s to explore")
    finally:
        notebook.close()
