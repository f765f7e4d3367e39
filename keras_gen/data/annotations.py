"""What readers of annotated photographs share: files of annotations, masks as COCO writes them, and squeezed photographs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import read_json
from keras_gen.data.decoding import PictureOptions, check_memory
from keras_gen.data.image_files import decode, size_of

WHITE = (255, 255, 255)


def folder_of(kind: str, path: str) -> Path:
    """The folder of annotations that ``KIND:PATH`` names."""
    folder = Path(path).expanduser() if path else None
    if folder is None or not folder.is_dir():
        raise InvalidInput(f"{kind} got {path!r}, which is no folder; give '{kind}:PATH'.")
    return folder


def annotations_of(file: Path, keys: Iterable[str] = ()) -> Any:
    """What a JSON file of annotations holds: an object with these keys, or, where there are none, a list."""
    found, keys = read_json(file, "get the annotations anew"), list(keys)
    kind = dict if keys else list
    if not isinstance(found, kind) or any(key not in found for key in keys):
        wish = f"an object of {', '.join(keys)}" if keys else "a list"
        raise InvalidInput(f"{file} is not in the format of such annotations; wanted {wish}.")
    return found


def squeezed(files: Sequence[tuple[Any, Path, tuple[int, int]]], size: int) -> np.ndarray:
    """Photographs of ``(id, file, (height, width))`` as uint8 ``[n, size, size, 3]``, the whole frame squeezed into a square.

    A file that is not of the size that its annotations say is ``InvalidInput``, and its id named.
    """
    check_memory({(size, size, 3): len(files)}, PictureOptions(size, 3, WHITE, False))
    images = np.empty((len(files), size, size, 3), np.uint8)
    for row, (number, file, wanted) in enumerate(files):
        found = size_of(file)
        if found != wanted:
            raise InvalidInput(
                f"Image {number} ({file}) is {found[1]}x{found[0]} pixels, its annotations are of {wanted[1]}x{wanted[0]}; they "
                "do not belong together."
            )
        pixels = Image.fromarray(decode(file, (*found, 3), False, WHITE))
        images[row] = np.asarray(pixels.resize((size, size), Image.Resampling.BILINEAR))
    return images


def mask_of(segmentation: Any, height: int, width: int) -> np.ndarray:
    """A segmentation of COCO's as bool ``[height, width]``: polygons, or runs (plain or packed). ``InvalidInput`` of anything
    else.
    """
    if isinstance(segmentation, Mapping):
        return _mask_of_runs(segmentation, height, width)
    picture = Image.new("1", (width, height))
    for polygon in segmentation if isinstance(segmentation, list) else [None]:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise InvalidInput(f"the segmentation {polygon!r:.60} is no polygon [x, y, x, y, x, y, ...]")
        ImageDraw.Draw(picture).polygon(list(map(float, polygon)), fill=1)
    return np.asarray(picture, bool)


def _mask_of_runs(segmentation: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    counts = segmentation.get("counts")
    if segmentation.get("size") != [height, width] or not isinstance(counts, (list, str)):
        raise InvalidInput(f"the segmentation {segmentation!r:.60} is not of {width}x{height} pixels")
    counts = _unpacked(counts) if isinstance(counts, str) else counts
    if not all(type(count) is int and count >= 0 for count in counts) or sum(counts) != height * width:
        raise InvalidInput(f"the runs of a segmentation do not fill {width}x{height} pixels")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(width, height).T  # column by column


def _unpacked(text: str) -> list[int]:
    """Runs as COCO packs them: five bits a character from 48 on, the sixth says that more follow; from the third on a run is the
    difference to the one two before it.
    """
    counts, place = [], 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place >= len(text):
                raise InvalidInput("the runs of a segmentation end in the middle of a number")
            bits = ord(text[place]) - 48
            value |= (bits & 0x1F) << shift
            more, place, shift = bool(bits & 0x20), place + 1, shift + 5
        if bits & 0x10:  # negative
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts
