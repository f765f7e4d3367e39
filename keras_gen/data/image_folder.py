"""A folder of pictures of the user's own: ``image_folder:PATH[?size=64&channels=3&ground=white&skip_unreadable=true]``."""

import dataclasses
import logging
import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.folder_layout import Picture, class_names, pictures_of
from keras_gen.data.image_files import SUFFIXES, Unreadable, decode, ground_of, size_of

LARGEST_IN_MEMORY = 8 * 2**30  # bytes; the images of a split are held as uint8
LARGEST_SIZE = 8192  # pixels a side
OPTIONS = "size=PIXELS (1 to 8192), channels=1 or 3, ground=white, black or RRGGBB, skip_unreadable=true or false"

log = logging.getLogger(__name__)


def load(argument: str, split: str) -> ImageData:
    """The folder's images of one split, decoded into memory.

    Sub-folders ``train``, ``validation`` (or ``val``, ``valid``) and ``test`` are the splits. A split without a folder of its
    own is held out from ``train/``, or, if there is no split folder at all, all three from the whole: by a hash of each file's
    path, 80 / 10 / 10 %. If the images lie in sub-folders of their split, those are the classes: labels are numbered in
    alphabetical order over all splits, and ``label_names`` tells them. Names that begin with a dot, and ``__MACOSX``, are
    passed over; links are followed, but no folder is met twice.

    ``size`` crops the middle square and resizes it; without it all images of the folder must have one size. ``ground`` is the
    colour behind transparent pixels: white unless told, as pages and viewers show them. Grey of 16 bits is scaled to 8; of
    animations, the first picture is taken. Layout, headers, sizes and the memory needed (at most 8 GiB a split) are checked
    before anything is decoded. A file that cannot be decoded is an ``InvalidInput`` that names it, unless
    ``skip_unreadable=true``.
    """
    folder, options = _parse(argument)
    pictures = pictures_of(folder, SUFFIXES)
    mine = [picture for picture in pictures if picture.split == split]
    if not mine:
        raise InvalidInput(
            f"{folder} holds no image for split {split!r}; wanted files ending in {', '.join(SUFFIXES)}, about ten or more "
            f"if the split is held out, or a folder {split}/."
        )
    _check_classes(mine)
    sizes = _sizes(pictures, split, options.skip_unreadable)
    readable = [picture for picture in mine if picture.file in sizes]
    if not readable:
        raise InvalidInput(f"None of the {len(mine)} images in {folder} for split {split!r} could be read.")
    shape = (*((options.size,) * 2 if options.size else _common(sizes)), options.channels)
    if (needed := len(readable) * int(np.prod(shape))) > LARGEST_IN_MEMORY:
        raise InvalidInput(
            f"{len(readable)} images of {'x'.join(map(str, shape))} need {needed / 2**30:.1f} GiB, more than "
            f"{LARGEST_IN_MEMORY / 2**30:g} GiB; give {'a smaller size' if options.size else 'a size'}, as "
            "'?size=64' behind the folder."
        )
    kept, images = _decoded(readable, shape, options)
    features, names = {"image": images}, None
    if kept[0].group is not None:
        names = tuple(class_names(pictures))
        numbers = {name: number for number, name in enumerate(names)}
        features["label"] = np.array([numbers[picture.group] for picture in kept], np.int64)
    return ImageData(f"image_folder:{folder}", split, ImageSpec.of(images), features, names)


@dataclasses.dataclass(frozen=True)
class _Options:
    size: int | None
    channels: int
    ground: tuple[int, int, int]
    skip_unreadable: bool


def _parse(argument: str) -> tuple[Path, _Options]:
    path, _, query = argument.partition("?")
    try:
        folder = Path(path).expanduser()
        found = bool(path) and folder.is_dir()
    except (OSError, RuntimeError, ValueError):  # over-long, an unknown user's home, a NUL byte
        found = False
    if not found:
        raise InvalidInput(f"image_folder got {path!r}, which is no folder; give 'image_folder:PATH'.")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    options = {"size": "", "channels": "3", "ground": "white", "skip_unreadable": "false"} | dict(pairs)
    size, channels, skip = options["size"], options["channels"], options["skip_unreadable"]
    ground = ground_of(options["ground"])
    # isdigit() and int() know more digits than ASCII's: superscripts, other scripts'.
    sized = "size" not in dict(pairs) or (re.fullmatch("[1-9][0-9]{0,3}", size) and int(size) <= LARGEST_SIZE)
    known = len(options) == 4 and len(dict(pairs)) == len(pairs)
    if not known or not sized or channels not in ("1", "3") or not ground or skip not in ("true", "false"):
        raise InvalidInput(f"image_folder got options {query!r}; known are {OPTIONS}, each once.")
    return folder, _Options(int(size) if size else None, int(channels), ground, skip == "true")


def _check_classes(pictures: Sequence[Picture]) -> None:
    """All of a split lie in class folders, or none."""
    loose = [picture for picture in pictures if picture.group is None]
    if loose and len(loose) < len(pictures):
        grouped = next(picture for picture in pictures if picture.group is not None)
        raise InvalidInput(
            f"{loose[0].file} lies in no class folder, {grouped.file} in {grouped.group!r}; put all images of a split into "
            "class folders, or none."
        )


def _sizes(pictures: Sequence[Picture], split: str, skip_unreadable: bool) -> dict[Path, tuple[int, int]]:
    """Height and width of every file of every split whose header can be read."""
    sizes = {}
    for picture in pictures:
        try:
            sizes[picture.file] = size_of(picture.file)
        except Unreadable as error:
            _skip(error, skip_unreadable, picture.split == split)
    return sizes


def _skip(error: Unreadable, allowed: bool, said: bool = True) -> None:
    if not allowed:
        raise error
    if said:
        log.warning("skipped: %s", error)


def _common(sizes: dict[Path, tuple[int, int]]) -> tuple[int, int]:
    first, wanted = next(iter(sizes.items()))
    for file, size in sizes.items():
        if size != wanted:
            raise InvalidInput(
                f"{file} is {list(size)}, {first} is {list(wanted)}; give '?size=64' behind the folder to crop and resize "
                "all of them."
            )
    return wanted


def _decoded(
    pictures: Sequence[Picture], shape: tuple[int, int, int], options: _Options
) -> tuple[list[Picture], np.ndarray]:
    """The pictures that could be decoded, and their images ``[n, h, w, c]``."""
    images, kept = np.empty((len(pictures), *shape), np.uint8), []
    for picture in pictures:
        try:
            images[len(kept)] = decode(picture.file, shape, options.size is not None, options.ground)
        except Unreadable as error:
            _skip(error, options.skip_unreadable)
        else:
            kept.append(picture)
    if not kept:
        raise InvalidInput(f"None of the {len(pictures)} images, {pictures[0].file} the first, could be read.")
    return kept, images[: len(kept)]
