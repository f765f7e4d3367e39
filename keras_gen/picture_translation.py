"""A folder of pictures through a translator, live or exported, into another folder."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_file, check_folder
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.pictures import PNG, save_picture
from keras_gen.core.translation import Translation
from keras_gen.data.image_files import SUFFIXES, Unreadable, decode, ground_of, size_of
from keras_gen.target import Target


def translate(
    target: str | os.PathLike,
    images: str | os.PathLike,
    out: str | os.PathLike,
    *,
    direction: str | None = None,
    seed: int = 0,
    overlap: int | None = None,
    conditions: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes a PNG into ``out`` for every picture below ``images``, under its path there; returns the files in order.

    Pictures may have any size: larger ones than the model's go through it in overlapping tiles, smaller ones are mirrored at
    their ends. Picture i, by name, has the noise of the seed's image i.

    Args:
        target: a run, ``.keras`` file, preset or artifact.
        images: a folder, or one picture.
        out: a folder, made if there is none; pictures of these names in it are replaced.
        direction: ``"ab"`` or ``"ba"`` of a translator of both; None: the only one, or ``"ab"``.
        seed: of the noise.
        overlap: pixels that tiles share; None for a quarter of the model's shorter side.
        conditions: words of a command line, by name.

    Raises:
        InvalidInput: no translator, no picture, one that cannot be read (named, before any is written) ...
    """
    files, out = _pictures(Path(images)), check_folder(out)
    places = _places(files, out)
    opened = Target.of(target).opened()
    overlap = None if overlap is None else integer("overlap", overlap, 0)
    chosen = _direction(opened, direction)
    given = {name: kind.parse(name, text) for name, kind, text in _parsed(chosen, conditions or {})}
    for file, _ in files:
        size_of(file)
    sources = (_levels(file, chosen.source_spec) for file, _ in files)
    for path, made in zip(places, chosen.pictures(sources, seed, overlap, conditions=given)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(_shown(made, chosen.image_spec), path)
    return places


def _pictures(folder: Path) -> list[tuple[Path, str]]:
    """The files and their paths below the folder, by name."""
    if folder.is_file():
        return [(folder, folder.name)]
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder and no picture; give one that holds the pictures to translate.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise InvalidInput(f"{folder} holds no picture; wanted files ending in {', '.join(SUFFIXES)}.")
    names: dict[str, Path] = {}
    for file in files:
        other = names.setdefault(str(file.relative_to(folder).with_suffix("")), file)
        if other != file:
            raise InvalidInput(f"{other} and {file} would both become {file.stem}.png; rename one of them.")
    return [(file, str(file.relative_to(folder))) for file in files]


def _places(files: Sequence[tuple[Path, str]], out: Path) -> list[Path]:
    """Where each translation goes; ``InvalidInput`` where something stands there that is not ours to replace."""
    originals = {os.path.realpath(file) for file, _ in files}
    places = [out / Path(name).with_suffix(".png") for _, name in files]
    for path in places:
        if os.path.realpath(path) in originals:
            raise InvalidInput(
                f"{path} is one of the pictures to translate, which its translation would replace; name another --out."
            )
        if os.path.lexists(path):
            check_file(path, PNG)
    return places


def _direction(opened: Any, direction: str | None) -> Translation:
    there = opened.translations()
    name = "translate" if direction is None else f"translate_{direction}"
    if direction is None and name not in there:
        name = "translate_ab"
    if name not in there:
        kind = getattr(opened, "model_class", type(opened).__name__)
        held = ", ".join(each.removeprefix("translate_") for each in there if each != "translate")
        wish = (
            f"its directions are {held}"
            if held
            else "leave the direction out"
            if there
            else "give a Pix2Pix or a CycleGAN"
        )
        raise InvalidInput(f"{kind} has no {name.replace('_', ' ') if there else 'translation'}; {wish}.")
    return there[name]


def _parsed(chosen: Translation, texts: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    for name, text in texts.items():
        kind = chosen.inputs.get(name)
        if kind is None or kind.distribution is not None or name == "source":
            takes = [each for each, of in chosen.inputs.items() if of.distribution is None and each != "source"]
            raise InvalidInput(f"The translation takes no condition {name!r}; it takes {', '.join(takes) or 'none'}.")
        yield name, kind, text


def _levels(file: Path, spec: ImageSpec) -> np.ndarray:
    """The picture ``[h, w, c]`` in the levels and channels of the sources."""
    if spec.channels not in (1, 3):
        raise InvalidInput(f"The model takes {spec}, which no picture file holds; wanted 1 channel or 3.")
    try:
        pixels = decode(file, (*size_of(file), spec.channels), False, ground_of("white"))
    except Unreadable as error:
        raise InvalidInput(f"{str(error).partition(' Repair')[0]} Repair it, or take it out of the folder.") from error
    return np.round(pixels * ((spec.levels - 1) / 255.0)).astype(np.uint8)


def _shown(made: np.ndarray, spec: ImageSpec) -> Image.Image:
    if spec.channels not in (1, 3):
        raise InvalidInput(f"The model makes {spec}, which no picture file holds; wanted 1 channel or 3.")
    pixels = np.round(made * (255.0 / (spec.levels - 1))).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if spec.channels == 1 else pixels)
