"""Trained weights that come with the package: ``<name>.keras`` and, beside it, ``<name>.json``, the card that says what it is.

A card holds the run (recipe, settings, command), the report of the file as it is shipped, its size and SHA-256, and one number
on few images that a test measures again. ``keras_gen.preset_making`` writes both from a run folder.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import sha256
from keras_gen.core.registry import Registry

SCHEMA = "keras_gen/preset/1"
PREFIX = "preset:"
FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The presets that there are, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def name_of(target: str | os.PathLike) -> str | None:
    """``NAME`` of ``"preset:NAME"``; None of a path."""
    text = os.fspath(target)
    return text.removeprefix(PREFIX) if isinstance(text, str) and text.startswith(PREFIX) else None


def card(name: str) -> dict[str, Any]:
    """The preset's card. An unknown name is an ``InvalidInput`` that lists the known ones."""
    known = Registry("preset")
    for each in names():
        known.register(each, FOLDER / f"{each}.json")
    path = known.get(name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}); install keras_gen again.") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InvalidInput(f"{path} is no card of a preset (schema {SCHEMA!r} wanted); install keras_gen again.")
    return found


def cards() -> Iterator[dict[str, Any]]:
    """All cards, by name."""
    return (card(name) for name in names())


def file_of(name: str) -> Path:
    """The preset's ``.keras`` file, after its SHA-256 was found to be the card's; ``InvalidInput`` otherwise."""
    path, wanted = FOLDER / f"{name}.keras", card(name)["sha256"]
    if not path.is_file():
        raise InvalidInput(f"{path} is missing; install keras_gen again.")
    if sha256(path) != wanted:
        raise InvalidInput(f"{path} is not the file that its card describes: wrong SHA-256; install keras_gen again.")
    return path
