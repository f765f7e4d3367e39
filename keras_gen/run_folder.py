"""The folder of a run: whose it is, what its ``recipe.json`` says, and that one process at a time writes to it."""

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.files import check_folder, is_leftover, read_json, remove_leftovers, repair
from keras_gen.core.locks import LOCK, check_free, locked
from keras_gen.recipes import RECIPES
from keras_gen.recipes.recipe import settings_of

RECORD, ARTIFACT = "recipe.json", "artifact"
SCHEMA = "keras_gen/run/1"
# Where a run's files are written beside and renamed.
WRITTEN_IN = (".", "checkpoints", "samples", "pictures")


def read_recipe(run: str | os.PathLike) -> dict[str, Any]:
    """A run folder's ``recipe.json``, checked; every setting in it is one that its recipe takes."""
    path = Path(run) / RECORD
    if not path.is_file():
        raise InvalidInput(f"{run} is no run folder (it has no recipe.json); give one that 'keras-gen train' made.")
    record = read_json(path, "restore it or train anew")
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InvalidInput(f"{path} is not a recipe of this project (schema {SCHEMA!r} wanted).")
    for field, kind in (("recipe", str), ("settings", dict), ("command", str)):
        if not isinstance(record.get(field), kind):
            raise InvalidInput(
                f"{path}: {field!r} is {record.get(field)!r:.40}; wanted {kind.__name__}. Restore it or train anew."
            )
    try:
        RECIPES.get(record["recipe"])
    except InvalidInput as error:
        raise InvalidInput(
            f"{path}: {error} If the recipe is your own, register it first: "
            f"keras_gen.recipes.RECIPES.register({record['recipe']!r}, its class)."
        ) from error
    try:
        # Settings that were added to the recipe since have their defaults.
        return {**record, "settings": settings_of(record["recipe"], record["settings"])}
    except InvalidInput as error:
        raise InvalidInput(
            f"{path} is not of this version: {error} Correct that file, or use the version in it."
        ) from error


def check_run_folder(out: str | os.PathLike | None, description: Mapping[str, Any], resume: bool) -> None:
    """``InvalidInput`` unless the run may go there: into a new or empty folder or, resumed, into its own, held by nobody."""
    if out is not None:
        folder = check_folder(out)
        check_free(folder)
        _check_content(folder, description, resume)


def _check_content(folder: Path, description: Mapping[str, Any], resume: bool) -> None:
    if not (folder / RECORD).exists():
        if folder.exists() and any(entry.name != LOCK and not is_leftover(entry.name) for entry in folder.iterdir()):
            raise InvalidInput(f"{folder} exists and is no run of this project; choose another --out.")
        if resume:
            raise InvalidInput(
                f"There is no run in {folder} to resume; leave out --resume, or give its folder as --out."
            )
        return
    before = read_recipe(folder)
    if before["recipe"] != description["recipe"]:
        raise InvalidInput(
            f"{folder} is in use by recipe {before['recipe']!r}, not {description['recipe']!r}; choose another --out."
        )
    if not resume:
        raise InvalidInput(
            f"{folder} holds a run of {before['recipe']!r} already; add --resume, or choose another --out."
        )
    changed = [key for key, value in before["settings"].items() if description["settings"].get(key) != value]
    if changed:
        was = ", ".join(f"{key}={before['settings'][key]}" for key in changed)
        raise InvalidInput(f"{folder} was begun with {was}; resume it with the same settings, or choose another --out.")


@contextlib.contextmanager
def claimed(out: str | os.PathLike | None, description: Mapping[str, Any], resume: bool) -> Iterator[Path]:
    """The run's folder (default ``runs/<recipe>-<time>``), made if need be and this process' own while the block runs.

    What a killed run left half-written in it is removed. A folder made here in which nothing was written is gone afterwards.
    """
    folder, made = (Path(out), _made(Path(out))) if out is not None else (_new_folder(description["recipe"]), True)
    with _gone_if_empty(folder, made), locked(folder):
        _check_content(folder, description, resume)  # again: what another process did since
        _clean(folder)
        yield folder


@contextlib.contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Holds the run that ``folder`` is or lies in, or else ``folder`` itself, against other processes."""
    run = next((place for place in (folder, folder.resolve().parent) if (place / RECORD).is_file()), None)
    held = run or folder
    with _gone_if_empty(held, _made(held)), locked(held):
        if run:
            _clean(run)
        yield


def _made(folder: Path) -> bool:
    """Makes the folder if it is not there; whether it did."""
    there = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(f"Could not make {folder}: {error.strerror or error}. Choose another place.") from error
    return not there


def _new_folder(name: str) -> Path:
    """A folder made here and now: two runs that start in the same second get two."""
    stem = f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for count in itertools.count(1):
        folder = Path(stem if count == 1 else f"{stem}-{count}")
        if not os.path.lexists(folder):
            with contextlib.suppress(FileExistsError):
                _made(folder.parent)
                folder.mkdir()
                return folder
    raise AssertionError("numbers do not end")


@contextlib.contextmanager
def _gone_if_empty(folder: Path, made: bool) -> Iterator[None]:
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty: the usual case
                folder.rmdir()


def _clean(run: Path) -> None:
    repair(run / ARTIFACT)
    remove_leftovers(*(run / part for part in WRITTEN_IN))
