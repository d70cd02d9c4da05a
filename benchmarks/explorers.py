"""How long an explorer takes from a moved control to the new picture, as the browser sees it.

``python -m benchmarks.explorers`` runs each lesson in JupyterLab (training cut short, as it plays no part), moves a
control by keyboard again and again, and prints the table that README.md in this folder holds: from the key in the page
to the picture that is loaded, and how long ``draw`` takes of that in the kernel.
"""

import statistics
import tempfile
from pathlib import Path

from course_utils.lessons import lessons
from tests import browser
from tests.browser import Explorer, Notebook
from tests.test_browser import EXPLORERS, find_explorer

MOVES = 31

# From the key to the picture that has come after it.
WATCH = """image => new Promise(resolve => {
    let pressed = 0;
    document.addEventListener('keydown', () => pressed ||= performance.now(), {capture: true, once: true});
    image.addEventListener('load', () => resolve(performance.now() - pressed), {once: true});
    setTimeout(() => resolve(null), 5000);
})"""
DRAW = """
import statistics, time
def _times():
    took = []
    for _ in range(9):
        start = time.perf_counter()
        _shown._changed()
        took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)
"""


def milliseconds(explorer: Explorer, label: str, kind: str) -> list[float]:
    """Of so many moves of one control, to and fro."""
    took = []
    for move in range(MOVES):
        image = explorer.picture.element_handle()
        explorer.page.evaluate(f"image => {{ window.took = ({WATCH})(image) }}", image)
        explorer.move(label, kind, times=-1 if move % 2 else 1)
        took.append(explorer.page.evaluate("window.took"))
    assert None not in took, f"{label}: a picture has not come"
    return took


def main() -> None:
    """Print a row for each explorer: the first of its controls that is a slider, else the first dropdown."""
    print("| lesson | explorer | control | key to picture, median | slowest | drawn in the kernel |")
    print("| --- | --- | --- | --: | --: | --: |")
    with (
        tempfile.TemporaryDirectory() as root,
        browser.jupyterlab(Path(root), COURSE_MAX_STEPS="100", COURSE_QUIET="1") as lab,
        browser.chromium() as chromium,
    ):
        for path in lessons():
            notebook = Notebook(chromium, lab, path.stem)
            notebook.run_all()
            for call, controls in EXPLORERS[path.stem[:2]].items():
                explorer = find_explorer(notebook, call)
                moved = [(label, kind) for label, kind, name, *_ in controls if name and kind in ("slider", "dropdown")]
                if not moved:
                    continue  # lesson 00: its shapes are typed
                label, kind = min(moved, key=lambda control: control[1] != "slider")
                took = milliseconds(explorer, label, kind)
                drawn = notebook.ask(DRAW, "_times()")
                print(
                    f"| {path.stem[:2]} | `{call.split('.')[1]}` | {label} | {statistics.median(took):.0f} ms | "
                    f"{max(took):.0f} ms | {drawn:.0f} ms |", flush=True,
                )  # fmt: skip
            notebook.close()


if __name__ == "__main__":
    main()
