"""What all explorers have in common."""

import base64
import functools
import html
import io
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import ipycanvas
import ipywidgets
from IPython import get_ipython
from PIL import Image
from torch import Tensor

from .. import data
from ..sketch import SCALE, Sketch, written_below

WIDE = {"description_width": "110px"}

# The page marks every widget that has lost its kernel. Only then is this seen.
ASLEEP = """<style>.explorer-asleep {display: none}
.jupyter-widgets-disconnected .explorer-asleep {display: block}</style>
<b class="explorer-asleep" role="status">This explorer's kernel has stopped or restarted. To move it again, run the
lesson's cells from the top down to this one.</b>"""


class Explorer(ipywidgets.VBox):
    """Controls above a picture; every change of a control draws the picture anew.

    A subclass makes its controls, hands them on, and says in ``draw`` what the picture and the sentence above it are.
    Where it has a ``point_at``, a pointer that is pressed on the picture moves controls too.

    Args:
        title: what it lets one explore, for readers without a kernel.
        controls: widgets with a ``value``.
        layout: how the controls are arranged; one below the other unless given.
    """

    def __init__(self, title: str, controls: list[ipywidgets.Widget], layout: ipywidgets.Widget | None = None):
        self.title, self.drawing, self.lock = title, False, threading.RLock()
        self.sentence = ipywidgets.HTML()
        # without a tooltip, which breaks an Image in the page: what it shows is said by the sentence
        self.picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
        super().__init__([ipywidgets.HTML(ASLEEP), layout or ipywidgets.VBox(controls), self.sentence, self.picture])
        for control in controls:
            # JupyterLab hands over changes of several controls in several threads: none of them while draw looks
            control.set_state = self._one_by_one(control.set_state)
            control.observe(self._changed, "value")
        self._changed()
        if hasattr(self, "point_at"):
            self.children = (*self.children[:-1], self._under_glass())
        self._replace_former()

    def draw(self) -> tuple[Sketch, str]:
        """The picture and the sentence (HTML) for the controls as they stand."""
        raise NotImplementedError

    def _one_by_one(self, handler: Callable) -> Callable:
        """What the page sends goes through ``handler`` alone, or draw would see some controls before a change."""

        @functools.wraps(handler)
        def locked(*arguments: object) -> None:
            with self.lock:
                handler(*arguments)

        return locked

    def _changed(self, change: object = None) -> None:
        with self.lock:
            if self.drawing:
                return  # draw itself has moved a control
            self.drawing = True
            try:
                sketch, self.sentence.value = self.draw()
                self.picture.width, self.picture.value = str(sketch.width), sketch._repr_png_()
            finally:
                self.drawing = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """One picture for all controls that are moved in here."""
        with self.lock:
            self.drawing = True
            try:
                yield
            finally:
                self.drawing = False
            self._changed()

    def _under_glass(self) -> ipywidgets.GridBox:
        """The picture, and over it a canvas without anything on it, which tells where a pointer is."""
        self.pressed, self.followed = False, 0.0
        size = [int(self.picture.width), Image.open(io.BytesIO(self.picture.value)).height // SCALE]
        place = {"grid_area": "1 / 1", "max_width": "100%"}
        self.glass = ipycanvas.Canvas(width=size[0], height=size[1], layout={**place, "width": f"{size[0]}px"})
        self.glass.on_key_down(lambda *_: self.glass.blur())  # it would keep every key to itself, Tab too
        self.picture.layout.grid_area = "1 / 1"
        for handler, of_mouse, of_fingers in (
            (self._press, self.glass.on_mouse_down, self.glass.on_touch_start),
            (self._point, self.glass.on_mouse_move, self.glass.on_touch_move),
            (self._release, self.glass.on_mouse_up, self.glass.on_touch_end),
            (self._release, self.glass.on_mouse_out, self.glass.on_touch_cancel),
        ):
            of_mouse(handler)
            of_fingers(lambda fingers, handler=handler: handler(*(fingers[0] if fingers else ())))
        return ipywidgets.GridBox([self.picture, self.glass], layout={"justify_items": "flex-start"})

    def _press(self, *place: float) -> None:
        self.pressed = True
        self._follow(*place)

    def _point(self, *place: float) -> None:
        """Places that have waited while a picture was drawn come all at once after it: they are passed over."""
        if self.pressed and time.monotonic() - self.followed > 0.03:
            self._follow(*place)

    def _release(self, *place: float) -> None:
        if self.pressed:
            self.pressed = False
            self._follow(*place)
            self.glass.blur()

    def _follow(self, *place: float) -> None:
        if place:  # when the last finger is lifted, nothing says where
            with self.together():
                self.point_at(*place)
        self.followed = time.monotonic()

    def _repr_mimebundle_(self, **arguments) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        bundle = super()._repr_mimebundle_(**arguments)
        said = html.unescape(re.sub(r"<[^>]*>", "", self.sentence.value))
        still = written_below(self.picture.value, f"{said} Run this cell to move it.")
        described = {"image/png": {"alt": f"{self.title}. {said}"}}
        text = f"{self.title}: run this cell to move it."
        return {**bundle, "image/png": base64.b64encode(still).decode(), "text/plain": text}, described

    OF_CELLS: ClassVar[dict[str, tuple[str, list["Explorer"]]]] = {}

    def _replace_former(self) -> None:
        """Close what an earlier run of this cell has made: ipywidgets keeps each widget until it is closed."""
        shell = get_ipython()
        parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
        cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
        if cell is None:
            return  # not in JupyterLab
        of_run, made = self.OF_CELLS.get(cell, (run, []))
        if of_run != run:
            for explorer in made:
                explorer.close()
            made = []
        self.OF_CELLS[cell] = run, [*made, self]

    def close(self) -> None:
        """Close it with all that it is made of."""
        found, left = {}, [self, *vars(self).values()]
        while left:
            item = left.pop()
            if isinstance(item, (list, tuple)):
                left.extend(item)
            elif isinstance(item, ipywidgets.Widget) and id(item) not in found:
                found[id(item)] = item
                # names with an underscore are the library's own: all canvases share a manager
                left.extend(getattr(item, name) for name in item.keys if not name.startswith("_"))
        for widget in found.values():
            ipywidgets.Widget.close(widget)


def move_to(sliders: Sequence[ipywidgets.FloatSlider], numbers: Sequence[float]) -> None:
    """Set sliders as near to some numbers as their steps allow: the page shows no value in between.

    Steps and ends have to be exact in binary, as 1/8 is. The page sends what it has rounded back, and would so undo
    the next move.
    """
    for slider, number in zip(sliders, numbers, strict=True):
        slider.value = round(number / slider.step) * slider.step


def judged(sketch: Sketch, probabilities: Tensor, left: float, width: float = 190, title: str = "probability") -> None:
    """How probable a network holds each class, as bars.

    Args:
        sketch: to draw on.
        probabilities: (10,).
        left, width: of the bars; the classes' names stand before them.
        title: stands above them.
    """
    sketch.text(left + width / 2, 14, title)
    sketch.bars(dict(zip(data.CLASSES, probabilities.tolist(), strict=True)), left, 24, width, 23)
