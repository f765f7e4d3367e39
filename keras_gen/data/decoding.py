"""Many picture files as arrays, however they are arranged: sizes and memory first, from headers, then pixels."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.data.image_files import Unreadable, decode, ground_of, size_of
from keras_gen.data.options import only_options, positive

LARGEST_IN_MEMORY = 8 * 2**30  # bytes; the images of a split are held as uint8
LARGEST_SIZE = 8192  # pixels a side
DEFAULTS = {"size": None, "channels": "3", "ground": "white", "skip_unreadable": "false"}
OPTIONS = "size=PIXELS (1 to 8192), channels=1 or 3, ground=white, black or RRGGBB, skip_unreadable=true or false"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """How files become arrays: resized to a square of ``size`` or as they are (None), of 1 or 3 ``channels``, on ``ground``."""

    size: int | None
    channels: int
    ground: tuple[int, int, int]
    skip_unreadable: bool


@dataclasses.dataclass(frozen=True)
class Part:
    """A picture file, or its left half (0), or its right half (1)."""

    file: Path
    half: int | None = None


def folder_and_options(
    kind: str, argument: str, more: Mapping[str, str], wanted: str = ""
) -> tuple[Path, PictureOptions, dict[str, str]]:
    """The folder that ``PATH?options`` names, how its files are read, and ``more`` options with these defaults."""
    path = argument.partition("?")[0]
    try:
        folder = Path(path).expanduser()
        found = bool(path) and folder.is_dir()
    except (OSError, RuntimeError, ValueError):  # over-long, an unknown user's home, a NUL byte
        found = False
    if not found:
        raise InvalidInput(f"{kind} got {path!r}, which is no folder; give '{kind}:PATH'.")
    wanted = OPTIONS + (f", {wanted}" if wanted else "")
    _, options = only_options(kind, argument, {**DEFAULTS, **more}, wanted)
    size = None if options["size"] is None else positive(options["size"], LARGEST_SIZE)
    sized, ground = options["size"] is None or size, ground_of(options["ground"])
    channels, skip = options["channels"], options["skip_unreadable"]
    if not sized or channels not in ("1", "3") or not ground or skip not in ("true", "false"):
        raise InvalidInput(f"{kind} got options {argument.partition('?')[2]!r}; known are {wanted}, each once.")
    read = PictureOptions(size, int(channels), ground, skip == "true")
    return folder, read, {name: options[name] for name in more}


def sizes_of(parts: Iterable[tuple[Part, bool]], skip_unreadable: bool) -> dict[Part, tuple[int, int]]:
    """Height and width of every part whose header can be read; ``(part, said)``: whether skipping it is worth a warning."""
    sizes = {}
    for part, said in parts:
        try:
            height, width = size_of(part.file)
        except Unreadable as error:
            skip(error, skip_unreadable, said)
            continue
        if part.half is not None:
            if width % 2:
                raise InvalidInput(f"{part.file} is {width} pixels wide; two pictures side by side have an even width.")
            width //= 2
        sizes[part] = (height, width)
    return sizes


def skip(error: Unreadable, allowed: bool, said: bool = True) -> None:
    """Raises the error, or warns of it where such files may be skipped."""
    if not allowed:
        raise error
    if said:
        log.warning("skipped: %s", error)


def shape_of(sizes: Mapping[Part, tuple[int, int]], options: PictureOptions) -> tuple[int, int, int]:
    """The shape that all these parts will have."""
    if options.size:
        return (options.size, options.size, options.channels)
    first, wanted = next(iter(sizes.items()))
    for part, size in sizes.items():
        if size != wanted:
            raise InvalidInput(
                f"{part.file} is {list(size)}, {first.file} is {list(wanted)}; give '?size=64' behind the folder to crop and "
                "resize all of them."
            )
    return (*wanted, options.channels)


def check_memory(counts: Mapping[tuple[int, int, int], int], options: PictureOptions) -> None:
    """``InvalidInput`` unless so many images of each shape fit into memory."""
    if (needed := sum(count * int(np.prod(shape)) for shape, count in counts.items())) > LARGEST_IN_MEMORY:
        many = " and ".join(f"{count} images of {'x'.join(map(str, shape))}" for shape, count in counts.items())
        raise InvalidInput(
            f"{many} need {needed / 2**30:.1f} GiB, more than {LARGEST_IN_MEMORY / 2**30:g} GiB; give "
            f"{'a smaller size' if options.size else 'a size'}, as '?size=64' behind the folder."
        )


def decoded(
    rows: Sequence[tuple[Part, ...]], shapes: Sequence[tuple[int, int, int]], options: PictureOptions
) -> tuple[list[int], list[np.ndarray]]:
    """Which rows of parts could be decoded, all parts of them, and an array ``[n, h, w, c]`` for each place in a row."""
    columns, kept = [np.empty((len(rows), *shape), np.uint8) for shape in shapes], []
    for number, row in enumerate(rows):
        try:
            for part, shape, column in zip(row, shapes, columns, strict=True):
                column[len(kept)] = decode(part.file, shape, options.size is not None, options.ground, part.half)
        except Unreadable as error:
            skip(error, options.skip_unreadable)
        else:
            kept.append(number)
    if not kept:
        raise InvalidInput(f"None of the {len(rows)} images, {rows[0][0].file} the first, could be read.")
    return kept, [column[: len(kept)] for column in columns]
