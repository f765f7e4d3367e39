"""Grids of images as one picture, for epoch samples and reports alike."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_file, check_name, written_beside
from keras_gen.core.image_spec import ImageSpec

SMALLEST_CELL = 48  # pixels; smaller images are enlarged by whole factors, so that their pixels stay squares
PAPER = 255  # the white of gaps and empty cells
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 2**30  # bytes; drawing takes a few times as many


def image_grid(
    images: Any,
    spec: ImageSpec | None = None,
    *,
    columns: int | None = None,
    scale: int | None = None,
    gap: int | None = None,
) -> Image.Image:
    """The images row by row as one picture, grey (mode ``L``) or colour (``RGB``).

    Args:
        images: uint8 levels ``[n, h, w, c]`` of ``spec``; or, without a spec, floats in ``[0, 1]`` (clipped). One
            channel is grey, three are colour; of any other number the mean is shown, in grey.
        columns: images a row; default: the squarest grid.
        scale: each pixel becomes ``scale`` x ``scale`` pixels; default: as many as bring the shorter side to 48.
        gap: white pixels between cells and around them; default: about a twentieth of a cell.

    Raises:
        InvalidInput: other images than these, NaN, or a ``columns``, ``scale`` or ``gap`` that makes no grid.
    """
    cells = _bytes(images, spec)
    count, height, width, channels = cells.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    scale = _scale(height, width) if scale is None else scale
    gap = _gap(height, width, scale) if gap is None else gap
    if columns < 1 or scale < 1 or gap < 0:
        raise InvalidInput(f"columns={columns}, scale={scale}, gap={gap}; give at least 1, 1 and 0.")
    columns = min(columns, count)
    cells = cells.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = height * scale, width * scale
    rows = math.ceil(count / columns)
    picture = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), PAPER, np.uint8)
    for index, cell in enumerate(cells):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        picture[top : top + height, left : left + width] = cell
    return Image.fromarray(picture[..., 0] if channels == 1 else picture)


def _scale(height: int, width: int) -> int:
    return max(1, math.ceil(SMALLEST_CELL / min(height, width)))


def _gap(height: int, width: int, scale: int) -> int:
    return max(2, round(min(height, width) * scale / 20))


def check_grid(count: int, spec: ImageSpec, columns: int) -> None:
    """``InvalidInput`` unless ``image_grid`` of ``count`` images would be at most 1 GiB; asked before they are drawn."""
    scale = _scale(spec.height, spec.width)
    gap = _gap(spec.height, spec.width, scale)
    cell = (spec.height * scale + gap) * (spec.width * scale + gap) * (3 if spec.channels == 3 else 1)
    size = -(-count // columns) * columns * cell
    if size > LARGEST_PICTURE:
        raise InvalidInput(
            f"A picture of {count} images of {spec.height}x{spec.width} pixels would take {size >> 30:,} GiB; give "
            f"fewer: at most {LARGEST_PICTURE // cell:,} fit into 1 GiB."
        )


def stacked(pictures: Sequence[Image.Image], gap: int = 12) -> Image.Image:
    """The pictures below each other, ``gap`` white pixels between them: blocks that belong together stay apart."""
    height = sum(picture.height for picture in pictures) + gap * (len(pictures) - 1)
    page = _page(pictures, max(picture.width for picture in pictures), height)
    top = 0
    for picture in pictures:
        page.paste(picture, (0, top))
        top += picture.height + gap
    return page


def beside(pictures: Sequence[Image.Image], gap: int = 12) -> Image.Image:
    """The pictures from left to right, ``gap`` white pixels between them, their middles on one line."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    page = _page(pictures, width, max(picture.height for picture in pictures))
    left = 0
    for picture in pictures:
        page.paste(picture, (left, (page.height - picture.height) // 2))
        left += picture.width + gap
    return page


def sign(which: str, size: int) -> Image.Image:
    """A black ``+``, ``-`` or ``=`` on ``size`` x ``size`` white pixels, to stand between pictures that are added."""
    across = {"+": (0.5,), "-": (0.5,), "=": (0.3, 0.7)}  # the middles of its horizontal bars
    if which not in across or size < 8:
        raise InvalidInput(f"sign {which!r} of {size} pixels; give one of {', '.join(across)} and at least 8 pixels.")
    picture, thick = np.full((size, size), PAPER, np.uint8), max(2, size // 8)
    for middle in across[which]:
        top = round(size * middle - thick / 2)
        picture[top : top + thick] = 0
    if which == "+":
        picture = np.minimum(picture, picture.T)
    return Image.fromarray(picture)


def _page(pictures: Sequence[Image.Image], width: int, height: int) -> Image.Image:
    """White, in colour if one of the pictures is."""
    return Image.new("RGB" if any(picture.mode == "RGB" for picture in pictures) else "L", (width, height), "white")


def check_png(path: str | os.PathLike) -> None:
    """``InvalidInput`` unless a picture can be written under this name, before anything long is done for it.

    What stands there is replaced if it is a PNG; see ``check_file``.
    """
    if check_name(path).suffix.lower() != ".png":
        raise InvalidInput(f"--out {path} is not a .png file; name one.")
    check_file(path, begins=PNG)


def save_picture(picture: Image.Image, path: str | os.PathLike) -> None:
    """Writes the picture, atomically; the format is the suffix'. ``OutputFailed`` if it cannot be written."""
    with written_beside(path) as beside:
        picture.save(beside)


def _bytes(images: Any, spec: ImageSpec | None) -> np.ndarray:
    """Levels or fractions as uint8 ``[n, h, w, 1 or 3]`` in ``[0, 255]``."""
    if spec is not None:
        fractions = spec.check(images).astype(np.float32) / (spec.levels - 1)
    else:
        fractions = np.asarray(images)
        if fractions.dtype.kind != "f" or fractions.ndim != 4 or not fractions.size:
            raise InvalidInput(
                f"A grid got {fractions.dtype} {list(fractions.shape)}; wanted floats [n, h, w, c] in [0, 1], or uint8 "
                "levels and their ImageSpec."
            )
        if not np.isfinite(fractions).all():
            raise InvalidInput("A grid got images with NaN or infinite values; wanted floats in [0, 1].")
    if fractions.shape[-1] not in (1, 3):
        fractions = fractions.mean(axis=-1, keepdims=True)
    return np.round(np.clip(fractions, 0.0, 1.0) * 255.0).astype(np.uint8)
