"""Which pictures a folder holds, of which split and class; from their names alone, before any is opened."""

import dataclasses
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import SPLITS

# Names of split folders, in any case; the shorter ones are torchvision's and others'.
SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, order=True)
class Picture:
    """A file, its split, and the folder that its place is counted from: the split's own, or the whole."""

    file: Path
    split: str
    root: Path

    @property
    def group(self) -> str | None:
        """The class folder it lies in, just below the root (None if in none); bytes that are no UTF-8 as escapes."""
        parts = self.file.relative_to(self.root).parts
        return os.fsencode(parts[0]).decode("utf-8", "backslashreplace") if len(parts) > 1 else None


def pictures_of(folder: Path, suffixes: Sequence[str], own: Mapping[str, Path] | None = None) -> list[Picture]:
    """All pictures of all splits, by path.

    Where there are split folders, those are the splits; of a split that has none, the files are held out from ``train``. Where
    there are none at all, all three are held out from the whole folder. Held out is by a hash of the file's path below the
    folder or ``train`` (80 / 10 / 10 %): a file stays in its split when others come or go.

    Args:
        own: the split folders, where they are not those of ``SPLIT_FOLDERS``; what lies elsewhere is then not looked at.
    """
    files = _files_below(folder, suffixes, [folder] if own is None else [*own.values()])
    outsiders = own is None
    own = _split_folders(folder) if own is None else own
    if not own:
        return [Picture(file, _split_of(file, folder), folder) for file in files]
    pictures = []
    for split, root in own.items():
        inside = [file for file in files if root in file.parents]
        if not inside:
            raise InvalidInput(
                f"{root} holds no image; put the {split} split there (files ending in {', '.join(suffixes)}), or remove the "
                "folder to have the split held out from train."
            )
        for file in inside:
            drawn = _split_of(file, root) if split == "train" else split
            pictures.append(Picture(file, split if drawn in own else drawn, root))
    if outsiders and len(pictures) < len(files):
        outside = next(file for file in files if not any(root in file.parents for root in own.values()))
        log.warning(
            "%s: %d images outside of %s are left out (%s ...).",
            folder,
            len(files) - len(pictures),
            ", ".join(f"{root.name}/" for root in own.values()),
            outside,
        )
    return sorted(pictures)


def sides_of(folder: Path, suffixes: Sequence[str], names: tuple[str, str]) -> dict[str, list[Picture]] | None:
    """The pictures of two kinds that lie in folders called ``names``, or None where there is none of either.

    They are looked for, in this order, as ``A/`` and ``B/`` (each laid out as ``pictures_of`` takes it), ``train/A/`` and
    ``train/B/``, or ``trainA/`` and ``trainB/``; and so for ``validation`` and ``test``, which both kinds have or neither.
    """
    found = {name: _side(folder, name) for name in names}
    if not any(found.values()):
        return None
    for name, other in (names, names[::-1]):
        for split, place in found[other].items():
            if split not in found[name]:
                there = ", ".join(sorted(str(path.relative_to(folder)) for path in found[other].values()))
                raise InvalidInput(
                    f"{folder} holds {place.relative_to(folder)}/, but no folder of its {name!r} pictures that goes with it "
                    f"({there} there are); add it, or say what the sides are called with '?source=NAME&image=NAME'."
                )
    sides = {}
    for name, places in found.items():
        own = {split: place for split, place in places.items() if split is not None}
        sides[name] = pictures_of(places.get(None, folder), suffixes, own or None)
    return sides


def _side(folder: Path, name: str) -> dict[str | None, Path]:
    """Split -> folder of one kind of pictures; None -> the folder that holds them all, where these are not told apart."""
    if os.path.isdir(folder / name):
        return dict(_split_folders(folder / name)) or {None: folder / name}
    splits = _split_folders(folder)
    within = {split: root / name for split, root in splits.items() if os.path.isdir(root / name)}
    if within and (bare := [root for split, root in splits.items() if split not in within]):
        raise InvalidInput(
            f"{bare[0]} has no folder {name!r} as {next(iter(within.values()))} is; add it, or remove {bare[0]}."
        )
    return within or _split_folders(folder, name)


def class_names(pictures: Sequence[Picture]) -> list[str]:
    """The class folders of all splits, in alphabetical order: a class's label is its place here."""
    return sorted({picture.group for picture in pictures if picture.group is not None})


def _split_folders(folder: Path, kind: str = "") -> dict[str, Path]:
    """Split -> its folder, of those that there are; ``kind`` follows the split's name, as in ``trainA``."""
    own: dict[str, Path] = {}
    names = {word + kind.lower(): split for word, split in SPLIT_FOLDERS.items()}
    for path in sorted(path for path in folder.iterdir() if path.name.lower() in names and os.path.isdir(path)):
        split = names[path.name.lower()]
        if split in own:
            raise InvalidInput(f"{own[split]} and {path} are both the {split} split; keep one of them.")
        own[split] = path
    return own


def _files_below(folder: Path, suffixes: Sequence[str], places: Sequence[Path]) -> list[Path]:
    """Files below the places by suffix, sorted; nothing whose name begins with a dot (thumbnails, trash), and no macOS
    resource forks.

    Links are followed, out of the folder too: subsets and splits are made of links. But each real folder is met once: a
    second way into it is a loop, or the same pictures in two splits.
    """
    home, met, found, waiting = Path(os.path.realpath(folder)), {}, [], list(places)
    while waiting:
        place = waiting.pop()
        real = Path(os.path.realpath(place))
        if real in met or (place != folder and home.is_relative_to(real)):
            raise InvalidInput(
                f"{place} leads to {real}, which is part of {folder} already by another way; remove the link."
            )
        met[real] = place
        try:
            names = sorted(os.listdir(place))
        except OSError as error:
            raise InvalidInput(
                f"{place} cannot be read ({error.strerror}); change its permissions, or move it."
            ) from error
        for path in (place / name for name in names if not name.startswith(".") and name != "__MACOSX"):
            if os.path.isdir(path):
                waiting.append(path)
            elif path.suffix.lower() in suffixes:
                found.append(path)
    return sorted(found)


def _split_of(file: Path, root: Path) -> str:
    """By a hash of the path below ``root``: 80 / 10 / 10 %."""
    name = os.fsencode(file.relative_to(root).as_posix())
    percentile = int.from_bytes(hashlib.sha256(name).digest()[:4], "little") % 100
    return SPLITS[0] if percentile < 80 else SPLITS[1] if percentile < 90 else SPLITS[2]
