"""Lesson 05: draw an item, or bring a picture of one, and see what networks make of it."""

from typing import ClassVar

import ipycanvas
import ipywidgets
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from .. import data, explain, own_pictures, training
from ..sketch import FONT, Sketch
from .explorer import WIDE, Explorer, judged

SIDE = 280  # of the sheet, in pixels


def _blank() -> Image.Image:
    return Image.new("L", (SIDE, SIDE), 255)


def _t_shirt() -> Image.Image:
    image = _blank()
    half = [(115, 50), (70, 60), (25, 110), (55, 135), (80, 115), (80, 235)]
    corners = [*half, *((SIDE - x, y) for x, y in reversed(half))]
    ImageDraw.Draw(image).polygon(corners, 90)
    return image


def _trousers() -> Image.Image:
    image = _blank()
    half = [(95, 30), (85, 250), (125, 250), (140, 90)]
    ImageDraw.Draw(image).polygon([*half, *((SIDE - x, y) for x, y in reversed(half))], 60)
    return image


def _bag() -> Image.Image:
    image = _blank()
    drawing = ImageDraw.Draw(image)
    drawing.rectangle((50, 120, 230, 230), 80)
    drawing.arc((90, 60, 190, 180), 180, 360, 80, 12)
    return image


def _letter() -> Image.Image:
    image = _blank()
    ImageDraw.Draw(image).text((140, 140), "A", 0, ImageFont.truetype(FONT, 240), "mm")
    return image


def _chequers() -> Image.Image:
    rows, columns = np.indices((SIDE, SIDE)) // 35
    return Image.fromarray((255 * ((rows + columns) % 2)).astype(np.uint8))


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8))


class DrawYourOwn(Explorer):
    """A white sheet to draw on, or to lay a picture file on; what the networks are given of it, and what they answer.

    The sheet is kept in the kernel: what is judged is this copy, and the page only shows it.

    Args:
        models: two or more, by name; they give logits for normalised pictures. The first one is also asked where it
            looks.
        layer: whose maps Grad-CAM weighs in the first model, by name.
    """

    NOTHING, MINE = "nothing", "your own"
    DRAWN: ClassVar = {
        NOTHING: _blank,
        "a T-shirt, drawn by code": _t_shirt,
        "trousers, drawn by code": _trousers,
        "a bag, drawn by code": _bag,
        "nonsense: the letter A": _letter,
        "nonsense: chequers": _chequers,
        "nonsense: noise": _noise,
    }

    def __init__(self, models: dict[str, torch.nn.Module], layer: str = "layers.2"):
        self.models, self.layer, self.problem, self.pen = models, layer, "", None
        self.sheet = _blank()
        self.canvas = ipycanvas.Canvas(width=SIDE, height=SIDE, layout={"width": f"{SIDE}px", "border": "1px solid"})
        self.canvas.on_client_ready(self._show)
        self.canvas.on_mouse_down(self._begin)
        self.canvas.on_mouse_move(self._go_on)
        self.canvas.on_mouse_up(self._end)
        self.canvas.on_mouse_out(self._end)
        self.canvas.on_touch_start(lambda touches: self._begin(*touches[0]))
        self.canvas.on_touch_move(lambda touches: self._go_on(*touches[0]))
        self.canvas.on_touch_end(self._end)
        self.canvas.on_touch_cancel(self._end)
        self.canvas.on_key_down(lambda *_: self.canvas.blur())  # it would keep every key to itself, Tab too
        wide = {"width": "330px"}
        self.width = ipywidgets.IntSlider(20, 2, 60, description="pen (pixels)", style=WIDE, layout=wide)
        self.on_it = ipywidgets.Dropdown(
            options=[*self.DRAWN, self.MINE], description="on the sheet", style=WIDE, layout=wide
        )
        self.file = ipywidgets.FileUpload(accept=".png,.jpg,.jpeg", description="choose a PNG or JPEG", layout=wide)
        self.clear = ipywidgets.Button(description="clear the sheet", layout=wide)
        self.on_it.observe(self._chosen, "value")
        self.file.observe(self._brought, "value")
        self.clear.on_click(self._cleared)
        controls = ipywidgets.VBox([self.width, self.clear, self.file, self.on_it])
        layout = ipywidgets.HBox([self.canvas, controls], layout={"flex_flow": "row wrap"})
        super().__init__("Explorer: draw your own", [], layout)

    # -- the sheet

    def put(self, image: Image.Image) -> None:
        """Lay a grey picture on the sheet, as large as it fits, and judge it."""
        size = [max(1, round(length * SIDE / max(image.size))) for length in image.size]
        small = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        room = [((SIDE - length) // 2, SIDE - length - (SIDE - length) // 2) for length in small.shape]
        self.sheet = Image.fromarray(np.pad(small, room, mode="edge"))  # its ground goes on to the edge of the sheet
        self.problem = ""
        self._show()
        self._changed()

    def bring(self, content: bytes) -> None:
        """Lay the content of a picture file on the sheet; one that cannot be read is answered with a sentence."""
        try:
            image = own_pictures.read(content)
        except ValueError as error:
            self.problem = str(error).removeprefix("content: ")
            self.problem = self.problem[0].upper() + self.problem[1:]
            self._changed()
            return
        self.on_it.value = self.MINE
        self.put(image)

    def _show(self) -> None:
        self.canvas.put_image_data(np.stack([np.asarray(self.sheet)] * 3, axis=-1))

    # -- what readers do

    def _begin(self, x: float, y: float) -> None:
        self.pen = x, y
        self._go_on(x, y)

    def _go_on(self, x: float, y: float) -> None:
        if self.pen is None:
            return
        drawing, width = ImageDraw.Draw(self.sheet), self.width.value
        with ipycanvas.hold_canvas():
            self.canvas.line_width, self.canvas.line_cap, self.canvas.stroke_style = width, "round", "black"
            self.canvas.stroke_line(*self.pen, x + 0.01, y)  # a line without length would leave no point
        drawing.line((*self.pen, x, y), 0, width)
        for place_x, place_y in (self.pen, (x, y)):  # round ends
            r = (width - 1) / 2
            drawing.ellipse((place_x - r, place_y - r, place_x + r, place_y + r), 0)
        self.pen = x, y

    def _end(self, *place: object) -> None:
        if self.pen is not None:  # judged when the pen is lifted
            if len(place) == 2:  # a mouse says where; fingers do not
                self._go_on(*place)
            self.canvas.blur()
            self.pen, self.problem, self.on_it.value = None, "", self.MINE
            self._changed()

    def _cleared(self, _: object) -> None:
        self.on_it.value = self.NOTHING
        self.put(_blank())  # also where nothing was chosen before, and something drawn

    def _chosen(self, change: dict) -> None:
        if change["new"] != self.MINE:
            self.put(self.DRAWN[change["new"]]())

    def _brought(self, change: dict) -> None:
        if change["new"]:
            content = bytes(change["new"][0].content)
            self.file.value = ()  # the file is not kept
            self.bring(content)

    # -- what is shown

    def draw(self) -> tuple[Sketch, str]:
        sketch, problem = Sketch(890, 260), self.problem
        try:
            pixels = own_pictures.prepare(self.sheet)
        except ValueError:
            problem = problem or "The sheet is empty: draw on it, choose a file, or something from the list."
        if problem:
            sketch.text(445, 130, "Here stands what the networks are given, and what they answer.")
            return sketch, problem
        x = data.normalize(pixels[None])
        said = []
        for place, (name, model) in enumerate(self.models.items()):
            logits, _ = training.predict(model, [(x, torch.zeros(1, dtype=torch.int64))])
            p = logits.softmax(dim=1)[0]
            said.append(f"{name} says <b>{data.CLASSES[p.argmax()]}</b> ({p.max():.2f})")
            judged(sketch, p, 520 + 245 * place, 80, name)
            if place == 0:
                where = explain.grad_cam(model, self.layer, x, p.argmax()[None])[0]
        sketch.text(97, 14, "what they are given")
        sketch.picture(pixels[0], 5, 24, 190)
        sketch.text(302, 14, f"where {next(iter(self.models))} looks (light)")
        sketch.picture(pixels[0], 207, 24, 190, where)
        return sketch, ", ".join(said) + ". They know ten names, and answer with one of them whatever they are shown."
