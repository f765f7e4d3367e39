"""Which pictures a folder holds, of which split and class; from their names alone, before any is opened."""

import dataclasses
import hashlib
import logging
import os
from collections.abc import Sequence
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
    """A file, its split, and the class folder it lies in (None if in none)."""

    file: Path
    split: str
    group: str | None


def pictures_of(folder: Path, suffixes: Sequence[str]) -> list[Picture]:
    """All pictures of all splits, by path.

    Where there are split folders, those are the splits; of a split that has none, the files are held out from ``train``. Where
    there are none at all, all three are held out from the whole folder. Held out is by a hash of the file's path below the
    folder or ``train`` (80 / 10 / 10 %): a file stays in its split when others come or go.
    """
    files = _files_below(folder, suffixes)
    own = _split_folders(folder)
    if not own:
        return [Picture(file, _split_of(file, folder), _group(file, folder)) for file in files]
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
            pictures.append(Picture(file, split if drawn in own else drawn, _group(file, root)))
    if len(pictures) < len(files):
        outside = next(file for file in files if not any(root in file.parents for root in own.values()))
        log.warning(
            "%s: %d images outside of %s are left out (%s ...).",
            folder,
            len(files) - len(pictures),
            ", ".join(f"{root.name}/" for root in own.values()),
            outside,
        )
    return sorted(pictures)


def class_names(pictures: Sequence[Picture]) -> list[str]:
    """The class folders of all splits, in alphabetical order: a class's label is its place here."""
    return sorted({picture.group for picture in pictures if picture.group is not None})


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split -> its folder, of those that there are."""
    own: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.name.lower() in SPLIT_FOLDERS and os.path.isdir(path)):
        split = SPLIT_FOLDERS[path.name.lower()]
        if split in own:
            raise InvalidInput(f"{own[split]} and {path} are both the {split} split; keep one of them.")
        own[split] = path
    return own


def _files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files by suffix, sorted; nothing whose name begins with a dot (thumbnails, trash), and no macOS resource forks.

    Links are followed, out of the folder too: subsets and splits are made of links. But each real folder is met once: a
    second way into it is a loop, or the same pictures in two splits.
    """
    home, met, found, waiting = Path(os.path.realpath(folder)), {}, [], [folder]
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


def _group(file: Path, root: Path) -> str | None:
    """The folder just below ``root`` in which the file lies; bytes that are no UTF-8 are written as escapes."""
    parts = file.relative_to(root).parts
    return os.fsencode(parts[0]).decode("utf-8", "backslashreplace") if len(parts) > 1 else None
