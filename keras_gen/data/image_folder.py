"""A folder of pictures of the user's own: ``image_folder:PATH[?size=64&channels=3&skip_unreadable=true]``."""

import hashlib
import logging
import urllib.parse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.core.image_spec import ImageSpec

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
LARGEST_IN_MEMORY = 8 * 2**30  # bytes; the images of a split are held as uint8

log = logging.getLogger(__name__)


def load(argument: str, split: str) -> ImageData:
    """The folder's images, decoded into memory.

    Sub-folders ``train``, ``validation`` and ``test`` are the splits if there is one of that name; otherwise each file
    belongs to one by a hash of its name (80 / 10 / 10 %). If the images lie in sub-folders, those are the labels, in
    alphabetical order. ``size`` crops the middle square and resizes it; without it all images must have one size.
    A file that cannot be decoded is an ``InvalidInput`` that names it, unless ``skip_unreadable=true``.
    """
    folder, size, channels, skip_unreadable = _parse(argument)
    root = folder / split if (folder / split).is_dir() else folder
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if root == folder:
        own_splits = [folder / name for name in SPLITS if (folder / name).is_dir()]
        files = [file for file in files if not any(part in file.parents for part in own_splits)]
        files = [file for file in files if _split_of(file.relative_to(folder)) == split]
    if not files:
        raise InvalidInput(f"{root} holds no image for split {split!r}; wanted files ending in {', '.join(SUFFIXES)}.")
    if size and len(files) * size * size * channels > LARGEST_IN_MEMORY:
        raise InvalidInput(
            f"{len(files)} images of {size}x{size}x{channels} need more than 8 GiB; give a smaller size."
        )
    kept, images = [], []
    for file in files:
        try:
            image = _decode(file, size, channels)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if not skip_unreadable:
                raise InvalidInput(
                    f"{file} cannot be read as an image ({error}). Repair or remove it, or skip such files with "
                    "'?skip_unreadable=true' behind the folder."
                ) from error
            log.warning("skipped %s: %s", file, error)
            continue
        if images and image.shape != images[0].shape:
            raise InvalidInput(
                f"{file} is {list(image.shape)}, {kept[0]} is {list(images[0].shape)}; give '?size=64' behind the folder "
                "to crop and resize all of them."
            )
        kept.append(file)
        images.append(image)
    if not images:
        raise InvalidInput(f"None of the {len(files)} images in {root} could be read.")
    features = {"image": np.stack(images)}
    groups = [file.relative_to(root).parts[0] if file.parent != root else "" for file in kept]
    if any(groups):
        names = sorted(set(groups))
        features["label"] = np.array([names.index(group) for group in groups], np.int64)
    return ImageData(f"image_folder:{folder}", split, ImageSpec.of(features["image"]), features)


def _parse(argument: str) -> tuple[Path, int | None, int, bool]:
    path, _, query = argument.partition("?")
    folder = Path(path).expanduser()
    if not path or not folder.is_dir():
        raise InvalidInput(f"image_folder got {path!r}, which is no folder; give 'image_folder:PATH'.")
    options = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    size, channels, skip = (
        options.pop(key, default) for key, default in (("size", "0"), ("channels", "3"), ("skip_unreadable", "false"))
    )
    if options or not size.isdigit() or channels not in ("1", "3") or skip not in ("true", "false"):
        raise InvalidInput(
            f"image_folder got options {query!r}; known are size=PIXELS, channels=1 or 3, skip_unreadable=true or false."
        )
    return folder, int(size) or None, int(channels), skip == "true"


def _split_of(file: Path) -> str:
    percentile = int.from_bytes(hashlib.sha256(file.as_posix().encode()).digest()[:4], "little") % 100
    return "train" if percentile < 80 else "validation" if percentile < 90 else "test"


def _decode(file: Path, size: int | None, channels: int) -> np.ndarray:
    with Image.open(file) as image:
        image = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
        if size:
            image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        array = np.asarray(image, np.uint8)
    return array[..., None] if channels == 1 else array
