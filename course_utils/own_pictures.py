"""Readers' own pictures, made to look like those of Fashion-MNIST: from a file or a sheet to 28 x 28 grey values."""

import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

LARGEST = 50_000_000  # pixels; a PNG of so many takes 200 MB while it is read
SIDE = 28


def read(content: bytes) -> Image.Image:
    """A picture file as a grey picture, upright, its longer side at most 1,024 pixels.

    What is transparent becomes white, or black where the item itself is light.

    Args:
        content: the bytes of a PNG or JPEG file.

    Raises:
        ValueError: if they are no such file, a broken one, or one with more than 50 million pixels.
    """
    start = content[:1000].lstrip().lower()
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        raise ValueError("content: this is an SVG, which is a drawing in words. Save it as PNG, then try again.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the check below is stricter
        try:
            image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))  # only its head is read here
        except Image.DecompressionBombError:
            raise ValueError(_too_large("far too many")) from None
        except (OSError, SyntaxError, ValueError):
            raise ValueError("content: this is no PNG or JPEG, whatever its name says. Try another file.") from None
    if image.width * image.height > LARGEST:
        raise ValueError(_too_large(f"{image.width} x {image.height}"))
    image.draft("RGB", (1024, 1024))  # a large JPEG is read at half, a quarter or an eighth of its size
    try:
        image.load()
    except (OSError, SyntaxError, ValueError):
        raise ValueError("content: this file is broken or was cut short. Save or download it again.") from None
    image.thumbnail((1024, 1024), Image.Resampling.BILINEAR)
    return _grey(ImageOps.exif_transpose(image))


def _too_large(size: str) -> str:
    return f"content: this picture has {size} pixels, and more than 50 million are not read. Make it smaller first."


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("LA")
        grey, opaque = (np.asarray(channel, dtype=np.float32) for channel in image.split())
        item = (grey * opaque).sum() / max(opaque.sum(), 1)
        ground = Image.new("LA", image.size, (255 if item < 128 else 0, 255))
        return Image.alpha_composite(ground.convert("RGBA"), image.convert("RGBA")).convert("L")
    return image.convert("L")


def _ground(x: np.ndarray) -> tuple[float, float]:
    """Of the border of (H, W): its median, and the median distance from that."""
    border = np.concatenate([x[0], x[-1], x[:, 0], x[:, -1]])
    middle = np.median(border)
    return float(middle), float(np.median(np.abs(border - middle)))


def prepare(image: Image.Image) -> Tensor:
    """A picture as those of the data set are: light on black, cropped, its longer side 28 pixels, in the middle.

    What lies along the border is taken for the ground, with some patience for uneven light: it becomes black, and a
    picture dark on light is negated. The steps are those of Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), section
    2, but for their sharpening; the brightest pixels become white, as nearly every picture there has white ones.

    Args:
        image: grey (mode L), any size.

    Returns:
        (1, 28, 28) uint8.

    Raises:
        ValueError: if the picture is empty, one even area.
    """
    x = np.asarray(image, dtype=np.float32)
    behind, unevenness = _ground(x)
    lighter, darker = (x - behind).clip(0), (behind - x).clip(0)
    x = darker if darker.sum() > lighter.sum() else lighter  # of what there is more has been drawn
    if x.max() < 8:
        raise ValueError("image: there is nothing on it but one even area. Draw something, or choose a picture.")
    item = x > min(max(x.max() / 8, 4 * unevenness), 0.5 * x.max())
    white = np.percentile(x[item], 99)  # the very brightest may be a JPEG's noise at an edge
    x = np.minimum(x * item * (255 / white), 255)
    rows, columns = (np.flatnonzero(item.any(axis)) for axis in (1, 0))
    x = Image.fromarray(x.astype(np.uint8)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = SIDE / max(x.size)
    size = [max(1, round(length * scale)) for length in x.size]
    small = np.asarray(x.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR))
    prepared = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    top, left = ((SIDE - length + 1) // 2 for length in small.shape)  # the data has its odd pixel there
    prepared[0, top : top + small.shape[0], left : left + small.shape[1]] = torch.from_numpy(small.copy())
    return prepared
