"""How long an explorer takes from a moved control to the new picture, as the browser sees it.

``python -m benchmarks.explorers`` runs each lesson in JupyterLab (training cut short, as it plays no part), moves a
slider by keyboard again and again (or draws a stroke), and prints the table that README.md in this folder holds: from
the key in the page, or the end of the stroke, to the picture that is loaded, and how much of that the kernel takes.
"""

import statistics
import tempfile
from pathlib import Path

from course_utils.lessons import lessons
from tests import browser
from tests.browser import Explorer, Notebook
from tests.test_browser import EXPLORERS, drag, find_explorer

MOVES = 31

# From the key, or the lifted pen, to the picture that has come after it.
WATCH = """image => new Promise(resolve => {
    let pressed = 0;
    for (const event of ['keydown', 'mouseup'])
        document.addEventListener(event, () => pressed = performance.now(), {capture: true, once: true});
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


def milliseconds(explorer: Explorer, slider: str | None) -> list[float]:
    """Of so many moves of a slider to and fro, or of so many strokes."""
    took = []
    for move in range(MOVES):
        image = explorer.picture.element_handle()
        explorer.page.evaluate(f"image => {{ window.took = ({WATCH})(image) }}", image)
        if slider:
            explorer.move(slider, "slider", times=-1 if move % 2 else 1)
        else:
            drag(explorer, (40, 20 + 7 * move), (240, 20 + 7 * move))
        took.append(explorer.page.evaluate("window.took"))
    assert None not in took, f"{slider}: a picture has not come"
    return took


def main() -> None:
    """Print a row for each explorer: the first of its sliders."""
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
                sliders = [label for label, kind, name, *_ in controls if name and kind == "slider"]
                if not sliders and call != "widgets.DrawYourOwn":
                    continue  # lesson 00: its shapes are typed
                slider = sliders[0] if sliders else None
                took = milliseconds(explorer, slider)
                drawn = notebook.ask(DRAW, "_times()")
                name, times = call.split(".")[1], f"{statistics.median(took):.0f} ms | {max(took):.0f} ms"
                print(f"| {path.stem[:2]} | `{name}` | {slider or 'a stroke'} | {times} | {drawn:.0f} ms |", flush=True)
            notebook.close()


if __name__ == "__main__":
    main()
