"""One picture file: its size from the header, and its pixels as uint8."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageOps

from keras_gen.core.errors import InvalidInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# By content, whatever the name says: Pillow would otherwise hand a mislabelled file to any of its readers, Ghostscript's too.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # JPEG's reader also opens MPO, cameras' pairs of them
ORIENTATION = 0x0112  # the EXIF tag; from 5 on the picture lies on its side


class Unreadable(InvalidInput):
    """A file that is no picture, or a damaged one."""


def _named(function: Any) -> Any:
    """Whatever the damaged bytes led Pillow to, as ``Unreadable`` with the file's name."""

    @functools.wraps(function)
    def reader(file: Path, *arguments: Any) -> Any:
        try:
            if not file.is_file():
                raise OSError("it is no regular file, or a link to none")
            return function(file, *arguments)
        # No narrower: Pillow's readers raise IndexError, struct.error, zlib.error and others on hostile bytes.
        except Exception as error:
            raise Unreadable(
                f"{file} cannot be read as an image ({error or type(error).__name__}). Repair or remove it, or skip such "
                "files with '?skip_unreadable=true' behind the folder."
            ) from error

    return reader


@_named
def size_of(file: Path) -> tuple[int, int]:
    """Height and width as ``decode`` will give them, from the header alone."""
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        # Pillow decodes a PNG to look for EXIF behind its pixels.
        told = image.format != "PNG" or "exif" in image.info
        sideways = told and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    return (width, height) if sideways else (height, width)


@_named
def decode(
    file: Path, shape: tuple[int, int, int], cropped: bool, ground: tuple[int, int, int], half: int | None = None
) -> np.ndarray:
    """uint8 of ``shape`` ``[h, w, channels]``, upright, on the ground where it is transparent.

    ``cropped``: the middle is resized to the shape; otherwise the picture must have it. ``half``: of its left half (0) or its
    right one (1), in place of the whole.
    """
    height, width, channels = shape
    with Image.open(file, formats=FORMATS) as image:
        image = _eight_bits(ImageOps.exif_transpose(image))
        if image.has_transparency_data:
            # Before resizing: the hidden colour of transparent pixels must not bleed into their neighbours.
            behind = Image.new("RGBA", image.size, ground)
            image = Image.alpha_composite(behind, image.convert("RGBA"))
        image = image.convert("L" if channels == 1 else "RGB")
        if half is not None:  # before resizing, which would mix the halves
            middle = image.width // 2
            image = image.crop((half * middle, 0, (1 + half) * middle, image.height))
        if cropped:
            image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
        if image.size != (width, height):
            raise ValueError(f"its pixels are {list(image.size[::-1])}, its header says {[height, width]}")
        return np.asarray(image, np.uint8).reshape(shape)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits: Pillow's own conversion clips at 255."""
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64).clip(0, 65535)
    grey = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if isinstance(hidden := image.info.get("transparency"), int):
        grey.putalpha(Image.fromarray(np.where(levels == hidden, 0, 255).astype(np.uint8)))
    return grey


def ground_of(text: str) -> tuple[int, int, int] | None:
    """``white``, ``black`` or ``RRGGBB`` as a colour; None for anything else."""
    if text in ("white", "black"):
        return ImageColor.getrgb(text)
    if len(text) == 6 and set(text) <= set("0123456789abcdefABCDEF"):
        return ImageColor.getrgb(f"#{text}")
    return None
