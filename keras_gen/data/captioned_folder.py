"""Pictures with sentences of the user's own: ``captioned_folder:PATH[?size=64&...]``, options as of ``image_folder``.

Beside the pictures (and split folders, as ``image_folder`` has them) lies ``captions.json`` or ``captions.csv``. JSON is an
object of file names and sentences, ``{"cats/one.png": "a cat", "two.png": ["a dog", "a brown dog"]}``; CSV has the
columns ``image`` and ``caption``, a line a sentence. File names are paths below the folder.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from keras_gen.core.captions import words_of
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.data.captioned_sets import with_captions
from keras_gen.data.decoding import Part, check_memory, decoded, folder_and_options, shape_of, sizes_of
from keras_gen.data.folder_layout import pictures_of
from keras_gen.data.image_files import SUFFIXES

JSON, CSV = "captions.json", "captions.csv"
MOST_BYTES = 2**28
MOST_CAPTIONS = 10  # of an image; more are left out


def load(argument: str, split: str, download: bool = False) -> ImageData:
    """The folder's images of one split, ``captions`` uint8 ``[n, k, 201]`` (up to ten an image, longer ones cut), and
    ``caption``, one of them.

    A picture without a sentence, a sentence of no picture, an empty one, and a file that cannot be read are ``InvalidInput`` and
    named.
    """
    folder, options, _ = folder_and_options("captioned_folder", argument, {})
    pictures = pictures_of(folder, SUFFIXES)
    captions = _captions(folder)
    names = {picture.file.relative_to(folder).as_posix(): picture for picture in pictures}
    if alone := [name for name in names if name not in captions]:
        raise InvalidInput(
            f"{folder / alone[0]} has no caption ({len(alone)} of {len(names)} pictures have none); add it."
        )
    if alone := [name for name in captions if name not in names]:
        raise InvalidInput(
            f"{alone[0]!r} has a caption, but there is no such picture in {folder} ({len(alone)} such names); names are paths "
            "below the folder."
        )
    mine = [(name, picture) for name, picture in names.items() if picture.split == split]
    if not mine:
        raise InvalidInput(
            f"{folder} holds no image for split {split!r}; give about ten or more if the split is held out, or a folder {split}/."
        )
    sizes = sizes_of(((Part(each.file), each.split == split) for each in pictures), options.skip_unreadable)
    readable = [(name, Part(picture.file)) for name, picture in mine if Part(picture.file) in sizes]
    if not readable:
        raise InvalidInput(f"None of the {len(mine)} images in {folder} for split {split!r} could be read.")
    shape = shape_of(sizes, options)
    check_memory({shape: len(readable)}, options)
    kept, (images,) = decoded([(part,) for _, part in readable], [shape], options)
    return with_captions(f"captioned_folder:{folder}", split, images, [captions[readable[row][0]] for row in kept])


def _captions(folder: Path) -> dict[str, list[str]]:
    """File name -> its sentences."""
    there = [folder / name for name in (JSON, CSV) if (folder / name).is_file()]
    if len(there) != 1:
        held = f"both {JSON} and {CSV}" if there else f"neither {JSON} nor {CSV}"
        raise InvalidInput(f"{folder} holds {held}; write the captions of its pictures into one of the two.")
    file = there[0]
    try:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise InvalidInput(f"{file} has {size} bytes; at most {MOST_BYTES} are read.")
        text = file.read_text(encoding="utf-8-sig")
        pairs = _of_json(file, text) if file.name == JSON else _of_csv(file, text)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{file} cannot be read ({error}); write it as UTF-8.") from error
    captions: dict[str, list[str]] = {}
    for name, sentence in pairs:
        if not words_of(sentence):
            raise InvalidInput(f"{file}: the caption {sentence!r} of {name!r} is empty; give a sentence.")
        if len(row := captions.setdefault(name, [])) < MOST_CAPTIONS:
            row.append(sentence)
    return captions


def _of_json(file: Path, text: str) -> list[tuple[str, str]]:
    whole = json.loads(text)
    if not isinstance(whole, Mapping):
        raise InvalidInput(f'{file} holds a {type(whole).__name__}; wanted an object {{"picture.png": "a sentence"}}.')
    pairs = []
    for name, value in whole.items():
        sentences = [value] if isinstance(value, str) else value
        if not isinstance(sentences, list) or not sentences or not all(isinstance(each, str) for each in sentences):
            raise InvalidInput(f"{file}: {name!r} has {value!r:.60}; wanted a sentence or a list of sentences.")
        pairs += [(name, sentence) for sentence in sentences]
    return pairs


def _of_csv(file: Path, text: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(text.splitlines(keepends=True))
    if not {"image", "caption"} <= set(rows.fieldnames or ()):
        raise InvalidInput(f"{file} has the columns {rows.fieldnames}; wanted 'image' and 'caption' in its first line.")
    pairs = []
    for row in rows:
        if not row["image"] or row["caption"] is None:
            raise InvalidInput(f"{file}: line {rows.line_num} holds no image and caption.")
        pairs.append((row["image"], row["caption"]))
    return pairs
