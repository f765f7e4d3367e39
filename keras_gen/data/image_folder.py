"""A folder of pictures of the user's own: ``image_folder:PATH[?size=64&channels=3&ground=white&skip_unreadable=true]``."""

from collections.abc import Sequence

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.decoding import Part, check_memory, decoded, folder_and_options, shape_of, sizes_of
from keras_gen.data.folder_layout import Picture, class_names, pictures_of
from keras_gen.data.image_files import SUFFIXES


def load(argument: str, split: str, download: bool = False) -> ImageData:
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
    folder, options, _ = folder_and_options("image_folder", argument, {})
    pictures = pictures_of(folder, SUFFIXES)
    mine = [picture for picture in pictures if picture.split == split]
    if not mine:
        raise InvalidInput(
            f"{folder} holds no image for split {split!r}; wanted files ending in {', '.join(SUFFIXES)}, about ten or more "
            f"if the split is held out, or a folder {split}/."
        )
    _check_classes(mine)
    sizes = sizes_of(((Part(each.file), each.split == split) for each in pictures), options.skip_unreadable)
    readable = [picture for picture in mine if Part(picture.file) in sizes]
    if not readable:
        raise InvalidInput(f"None of the {len(mine)} images in {folder} for split {split!r} could be read.")
    shape = shape_of(sizes, options)
    check_memory({shape: len(readable)}, options)
    kept, (images,) = decoded([(Part(picture.file),) for picture in readable], [shape], options)
    features, names = {"image": images}, None
    if readable[0].group is not None:
        names = tuple(class_names(pictures))
        numbers = {name: number for number, name in enumerate(names)}
        features["label"] = np.array([numbers[readable[row].group] for row in kept], np.int64)
    return ImageData(f"image_folder:{folder}", split, ImageSpec.of(images), features, names)


def _check_classes(pictures: Sequence[Picture]) -> None:
    """All of a split lie in class folders, or none."""
    loose = [picture for picture in pictures if picture.group is None]
    if loose and len(loose) < len(pictures):
        grouped = next(picture for picture in pictures if picture.group is not None)
        raise InvalidInput(
            f"{loose[0].file} lies in no class folder, {grouped.file} in {grouped.group!r}; put all images of a split into "
            "class folders, or none."
        )
