"""Folders of pictures of two kinds: ``paired_folder:PATH`` and ``unpaired_folder:PATH``, with options as ``image_folder``.

The kinds lie in folders ``A`` and ``B`` (``?source=labels&image=photos`` where they are called otherwise): ``A/`` and ``B/``,
``train/A/`` and ``train/B/``, or ``trainA/`` and ``trainB/``, with ``validation`` (``val``, ``valid``) and ``test`` likewise;
splits that have no folder are held out as ``image_folder`` does it. A is the source, B the image that it is turned into.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.decoding import (
    Part,
    PictureOptions,
    check_memory,
    decoded,
    folder_and_options,
    shape_of,
    sizes_of,
)
from keras_gen.data.folder_layout import Picture, pictures_of, sides_of
from keras_gen.data.image_files import SUFFIXES

SIDES = {"source": "A", "image": "B"}
OPTIONS = "source=NAME and image=NAME (of the folders, A and B)"
Sizes = Mapping[Part, tuple[int, int]]

log = logging.getLogger(__name__)


def load_paired(argument: str, split: str, download: bool = False) -> ImageData:
    """Pairs of one split: of two folders, files of equal names (suffixes apart); of one folder, the two halves of each file.

    Two pictures side by side in one file are how pix2pix's data sets come: the left is the source. Both pictures of a pair
    must have one size; with ``size`` the middle square of each is resized. A file without partner, or a pair of two sizes,
    is an ``InvalidInput`` that names it.
    """
    folder, options, names = folder_and_options("paired_folder", argument, SIDES, OPTIONS)
    sides = sides_of(folder, SUFFIXES, (names["source"], names["image"]))
    if sides is None:
        pictures = pictures_of(folder, SUFFIXES)
        pairs = [(picture.split, (Part(picture.file, 0), Part(picture.file, 1))) for picture in pictures]
    else:
        pairs = _matched(*sides.values())
    mine = [pair for place, pair in pairs if place == split]
    if not mine:
        raise InvalidInput(
            f"{folder} holds no pair for split {split!r}; wanted files ending in {', '.join(SUFFIXES)}, about ten pairs or "
            f"more if the split is held out, or a folder of its own."
        )
    sizes = sizes_of(((part, place == split) for place, pair in pairs for part in pair), options.skip_unreadable)
    for _, (source, image) in pairs:
        if {source, image} <= set(sizes) and sizes[source] != sizes[image]:
            raise InvalidInput(
                f"{source.file} is {list(sizes[source])}, {image.file} is {list(sizes[image])}; the pictures of a pair must "
                "have one size."
            )
    rows = _readable(mine, sizes, folder, split)
    shape = shape_of(sizes, options)
    check_memory({shape: 2 * len(rows)}, options)
    _, (sources, images) = decoded(rows, [shape, shape], options)
    spec = ImageSpec.of(images)
    features = {"image": images, "source": sources}
    return ImageData(f"paired_folder:{folder}", split, spec, features, source_spec=spec)


def load_unpaired(argument: str, split: str, download: bool = False) -> ImageData:
    """Two sets of one split, of any numbers of pictures: A is ``"source"``, B is ``"image"``, and none belongs to another."""
    folder, options, names = folder_and_options("unpaired_folder", argument, SIDES, OPTIONS)
    sides = sides_of(folder, SUFFIXES, (names["source"], names["image"]))
    if sides is None:
        source, image = names.values()
        raise InvalidInput(
            f"{folder} holds no folders of two kinds; wanted {source}/ and {image}/, train{source}/ and train{image}/ (and "
            f"test{source}/, test{image}/), or train/{source}/ and train/{image}/."
        )
    found = [_side(pictures, folder, name, split, options) for name, pictures in sides.items()]
    check_memory({shape: len(rows) for rows, shape in found}, options)
    sources, images = (decoded(rows, [shape], options)[1][0] for rows, shape in found)
    features = {"image": images, "source": sources}
    specs = ImageSpec.of(images), ImageSpec.of(sources)
    return ImageData(f"unpaired_folder:{folder}", split, specs[0], features, source_spec=specs[1], paired=False)


def _side(
    pictures: Sequence[Picture], folder: Path, name: str, split: str, options: PictureOptions
) -> tuple[list[tuple[Part]], tuple[int, int, int]]:
    """The files of one kind and split, and the shape that they will have."""
    mine = [(Part(picture.file),) for picture in pictures if picture.split == split]
    if not mine:
        raise InvalidInput(f"{folder} holds no {name!r} picture for split {split!r}; add a folder of them, or more.")
    sizes = sizes_of(((Part(each.file), each.split == split) for each in pictures), options.skip_unreadable)
    return _readable(mine, sizes, folder, split), shape_of(sizes, options)


def _readable(rows: Sequence[tuple[Part, ...]], sizes: Sizes, folder: Path, split: str) -> list[tuple[Part, ...]]:
    readable = [row for row in rows if set(row) <= set(sizes)]
    if not readable:
        raise InvalidInput(f"None of the {len(rows)} images in {folder} for split {split!r} could be read.")
    return readable


def _matched(sources: Sequence[Picture], images: Sequence[Picture]) -> list[tuple[str, tuple[Part, Part]]]:
    """``(split, pair)`` of the files of both sides that have one name, suffixes apart."""
    of_sources, of_images = _by_name(sources), _by_name(images)
    for mine, theirs in ((of_sources, of_images), (of_images, of_sources)):
        if alone := [key for key in mine if key not in theirs]:
            place, inside = alone[0]
            root = next((other.root for key, other in theirs.items() if key[0] == place), None)
            raise InvalidInput(
                f"{mine[alone[0]].file} has no partner, {root / inside if root else inside} of any suffix (there are "
                f"{len(sources)} sources and {len(images)} images, {len(alone)} of these without one); give both pictures of a "
                "pair one name."
            )
    # Held out by one side's names: the other's may end in another suffix.
    pairs = [(of_images[key], of_sources[key]) for key in of_images]
    return [(image.split, (Part(source.file), Part(image.file))) for image, source in pairs]


def _by_name(pictures: Sequence[Picture]) -> dict[tuple[int, Path], Picture]:
    """Which split folder, and the path below it without suffix -> the picture."""
    roots = {root: place for place, root in enumerate(sorted({picture.root for picture in pictures}))}
    named: dict[tuple[int, Path], Picture] = {}
    for picture in pictures:
        key = roots[picture.root], picture.file.relative_to(picture.root).with_suffix("")
        if key in named:
            raise InvalidInput(
                f"{named[key].file} and {picture.file} have one name, so nobody knows which has the partner; keep one."
            )
        named[key] = picture
    return named
