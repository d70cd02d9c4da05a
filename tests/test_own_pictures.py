"""Readers' own pictures: files good and hostile, and what is made of them."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from course_utils import cnn, data, own_pictures, training


@pytest.fixture(scope="module")
def test_pictures():
    return data.fashion_mnist()[2].images[:300]


def shirt(size=(200, 260), ground=255, ink=60, mode="L") -> Image.Image:
    """An item that is not the same upside down or mirrored."""
    image = Image.new("L", size, ground)
    ImageDraw.Draw(image).polygon([(60, 40), (150, 40), (180, 90), (140, 100), (140, 220), (60, 220)], ink)
    return image.convert(mode)


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png_head(width: int, height: int) -> bytes:
    """A PNG of some size that ends where its pixels should begin."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000)))


def close(a: torch.Tensor, b: torch.Tensor, most: float = 12) -> bool:
    return (a.float() - b.float()).abs().mean().item() < most


def transparent() -> Image.Image:
    image = shirt(mode="RGBA")
    image.putalpha(ImageOps.invert(shirt(ink=0)))
    return image


def uneven() -> Image.Image:
    """Photographed on paper, with the light from the left and some noise."""
    shade = np.linspace(0, -60, 200) + np.random.default_rng(0).normal(0, 4, (260, 200))
    return Image.fromarray((np.asarray(shirt(ground=230, ink=40)) + shade).clip(0, 255).astype(np.uint8))


GOOD = {
    "PNG": lambda: file(shirt()),
    "JPEG": lambda: file(shirt(mode="RGB"), "JPEG"),
    "CMYK JPEG": lambda: file(shirt(mode="CMYK"), "JPEG"),
    "palette": lambda: file(shirt(mode="P")),
    "black and white": lambda: file(shirt(ink=0, mode="1")),
    "transparent": lambda: file(transparent()),
    "16 bits": lambda: file(Image.fromarray(np.asarray(shirt(), dtype=np.uint16) * 257)),
    "light on dark": lambda: file(ImageOps.invert(shirt())),
    "large JPEG": lambda: file(shirt(mode="RGB").resize((6000, 7800)), "JPEG"),
    "in uneven light": lambda: file(uneven()),
    "heavy PNG": lambda: file(shirt()) + bytes(12_000_000),  # more than a server takes unless told to
    "pale": lambda: file(shirt(ground=240, ink=200)),
    "dark on middling grey": lambda: file(shirt(ground=120, ink=20)),
    "light on middling grey": lambda: file(shirt(ground=135, ink=235)),
}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_the_same_item_is_found_in_every_kind_of_file(make):
    image = own_pictures.read(make())
    assert image.mode == "L" and max(image.size) <= 1024
    expected = own_pictures.prepare(shirt())
    assert close(own_pictures.prepare(image), expected)
    assert expected[0].max() == 255 and expected[0, 0, -1] == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_otherwise_makes_no_difference(orientation):
    as_stored = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the ways to turn, as Pillow numbers them
    stored = shirt(mode="RGB")
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(as_stored[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    came = own_pictures.read(file(stored, "JPEG", exif=exif, quality=95))
    assert close(own_pictures.prepare(came), own_pictures.prepare(shirt()))


HOSTILE = {
    "bomb": (lambda: png_head(20_000, 20_000), "far too many pixels|20000 x 20000 pixels"),
    "large": (lambda: png_head(10_000, 10_000), "10000 x 10000 pixels"),
    "cut short PNG": (lambda: png_head(100, 100), "broken or was cut short"),
    "cut short JPEG": (lambda: file(shirt(mode="RGB"), "JPEG")[:1500], "broken or was cut short|no PNG or JPEG"),
    "text": (lambda: b"this is a shirt", "no PNG or JPEG"),
    "SVG": (lambda: b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'></svg>", "this is an SVG"),
    "GIF": (lambda: file(shirt(), "GIF"), "no PNG or JPEG"),
    "nothing": (lambda: b"", "no PNG or JPEG"),
    "zip": (lambda: b"PK\x03\x04" + bytes(100), "no PNG or JPEG"),
    "head only": (lambda: b"\x89PNG\r\n\x1a\n", "no PNG or JPEG"),
}


@pytest.mark.parametrize(("make", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_gets_a_sentence(make, said):
    with pytest.raises(ValueError, match=f"^content: .*({said})"):
        own_pictures.read(make())


def test_a_bomb_takes_no_memory():
    """A PNG of 400 million even pixels is small as a file; in a process of its own, so that the peak is its."""
    code = """
import resource, sys
from course_utils import own_pictures
from tests.test_own_pictures import png_head
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in ((20_000, 20_000), (8_000, 8_000)):
    try:
        own_pictures.read(png_head(*size))
    except ValueError:
        continue
    sys.exit("read")
sys.exit(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 20_000 and "too much memory")
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (30, 30), (1, 5000)])
def test_an_even_area_is_nothing(grey, size):
    with pytest.raises(ValueError, match=r"^image: there is nothing on it"):
        own_pictures.prepare(Image.new("L", size, grey))


@pytest.mark.parametrize("size", [(1, 40), (300, 4), (2, 2)])
def test_thin_and_tiny_pictures_come_out(size):
    image = Image.new("L", size, 255)
    image.putpixel((0, 0), 0)
    assert own_pictures.prepare(image).shape == (1, 28, 28)


@pytest.mark.parametrize("where", [(0, 0), (150, 10), (60, 170)])
@pytest.mark.parametrize("size", [(20, 60), (70, 20)])
def test_the_longer_side_fills_the_picture_and_the_shorter_stands_in_the_middle(where, size):
    image = Image.new("L", (300, 300), 255)
    image.paste(0, (where[0] + 20, where[1] + 20, where[0] + 20 + size[0], where[1] + 20 + size[1]))
    x = own_pictures.prepare(image)[0]
    rows, columns = (x.amax(1) > 0).nonzero().flatten(), (x.amax(0) > 0).nonzero().flatten()
    found = [columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    assert found == [round(28 * length / max(size)) for length in size]
    for places in (rows, columns):
        assert abs(places[0] - (27 - places[-1])) <= 1


@pytest.mark.parametrize("dark", [True, False])
def test_test_pictures_that_were_enlarged_keep_their_names(test_pictures, dark):
    net = cnn.FastNet(widths=(24, 48, 80))
    training.load(net, data.PRETRAINED / "ten_minutes.safetensors")

    def named(images: torch.Tensor) -> torch.Tensor:
        batches = [(data.normalize(images), torch.zeros(len(images), dtype=torch.int64))]
        return training.predict(net, batches)[0].argmax(dim=1)

    again = []
    for picture in test_pictures[:, 0].numpy():
        large = Image.fromarray(picture if dark else 255 - picture).resize((200, 200), Image.Resampling.BICUBIC)
        sheet = Image.new("L", (300, 250), 0 if dark else 255)
        sheet.paste(large, (70, 20))
        again.append(own_pictures.prepare(sheet))
    same = (named(torch.stack(again)) == named(test_pictures)).float().mean().item()
    assert same >= 0.93  # 0.97 when this was written
