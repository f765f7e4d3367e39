"""Writing files so that a crash, a full disk or a kill never leaves half of one, and nothing but our own is replaced."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.exchange import exchange
from keras_gen.core.locks import hold

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on every system that matters
# What is being written (part) or about to be removed (old), beside its place; the name's end says the format.
LEFTOVER = re.compile(r"\.(?P<stem>.{0,40})-[0-9a-f]{8}\.(?P<state>part|old)(\.[^.]*)?", re.DOTALL)
EARLIER_LEFTOVER = re.compile(r"\.(epoch-\d{5}|sk)-[0-9a-f]{8}(\.\w+)?")  # what they were once called


def check_name(path: str | os.PathLike) -> Path:
    """The path, or ``InvalidInput`` if nothing can have this name: empty, over-long, with a NUL, or no UTF-8."""
    text = os.fsdecode(path)
    try:
        parts = text.encode("utf-8").split(b"/")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"The path {text!r} is no UTF-8; rename it, or give another.") from error
    if not text or "\0" in text:
        raise InvalidInput(f"The path {text!r} {'holds a NUL byte' if text else 'is empty'}; give another.")
    if max(map(len, parts)) > LONGEST_NAME or sum(map(len, parts)) + len(parts) - 1 > LONGEST_PATH:
        raise InvalidInput(f"The path {text[:60]!r}... is too long for a file system; give a shorter one.")
    return Path(text)


def check_file(path: str | os.PathLike, begins: bytes = b"") -> Path:
    """The path, if a file may be written to it; asked before anything long is done.

    A file that stands there is replaced if it begins with ``begins`` (or is empty): what is of another kind is somebody
    else's. A folder, a link, a device are never replaced.

    Raises:
        InvalidInput: no name for a file, or what stands there is not ours to replace.
        OutputFailed: its folder cannot be written to.
    """
    path = check_name(path)
    found = _standing(path)
    if found is None:
        _check_parent(path)
        return path
    if stat.S_ISLNK(found.st_mode):
        raise InvalidInput(f"{path} is a link to {os.readlink(path)}; name the file itself, or choose another.")
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
        raise InvalidInput(f"{path} is {what}, which a file cannot replace; choose another name.")
    if begins and found.st_size and _first_bytes(path, len(begins)) != begins:
        raise InvalidInput(f"{path} holds something else, which would be lost; choose another name, or remove it.")
    _check_parent(path)
    return path


def check_folder(path: str | os.PathLike) -> Path:
    """The path, if a folder is or may be made there; errors as of ``check_file``. A link to a folder is that folder."""
    path = check_name(path)
    found = _standing(path)
    if found is not None and stat.S_ISLNK(found.st_mode):
        try:
            found = os.stat(path)
        except OSError as error:
            raise InvalidInput(f"{path} is a link that leads nowhere; remove it, or choose another name.") from error
    if found is not None and not stat.S_ISDIR(found.st_mode):
        raise InvalidInput(f"{path} exists and is no folder, so it is not overwritten; choose another name.")
    _check_parent(path / "below" if found is not None else path)
    return path


def _standing(path: Path) -> os.stat_result | None:
    """What stands there, links not followed."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error) from error


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise InvalidInput(f"{path} exists and cannot be read: {error.strerror}; choose another name.") from error


def _check_parent(path: Path) -> None:
    for parent in path.absolute().parents:
        if not os.path.lexists(parent):
            continue
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            why = "cannot be written to" if parent.is_dir() else "is no folder"
            raise OutputFailed(
                f"Could not write {path}: {parent} {why}. What was there is untouched; choose another place."
            )
        return


@contextlib.contextmanager
def written_beside(path: str | os.PathLike, *, folder: bool = False) -> Iterator[Path]:
    """Gives a path beside ``path`` to write a file to; renames it into place if the block succeeds.

    If it fails, what was written is removed and whatever stood at ``path`` is untouched. With ``folder`` the path given is
    an empty folder to fill, and a folder that stands at ``path`` is replaced whole: the caller has seen that it may be.

    Raises:
        InvalidInput: what stands at ``path`` is of another kind; see ``check_file`` and ``check_folder``.
        OutputFailed: an ``OSError`` (disk full, no permission), with ``path`` named.
    """
    path = check_folder(path).resolve() if folder else check_file(path)  # a link to a folder stays
    beside, descriptor = _beside(path, "part"), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            repair(path)
            beside.mkdir()
            descriptor = hold(beside)  # as long as this process lives, nobody takes it for a leftover
        yield beside
        (_replace_folder if folder else os.replace)(beside, path)
    except OSError as error:
        if isinstance(error, OutputFailed):
            raise
        raise _failed(path, error) from error
    finally:
        _remove(beside)
        if descriptor is not None:
            os.close(descriptor)


def _failed(path: Path, error: OSError) -> OutputFailed:
    return OutputFailed(
        f"Could not write {path}: {error.strerror or error}. What was there before is untouched; "
        "free some space or choose another place, then run the same command again."
    )


def append_line(path: str | os.PathLike, text: str) -> None:
    """Adds one line to a file at once; ``OutputFailed`` if it cannot."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise _failed(Path(path), error) from error


# --- temporary files, and what a kill leaves of them --------------------------------------------------------------------


def _beside(path: Path, state: str) -> Path:
    # The suffix stays last: several writers (Keras, Pillow) choose the format by it. Names stay short: see LONGEST_NAME.
    suffix = path.suffix if len(path.suffix) <= 20 else ""
    return path.with_name(f".{path.stem[:40]}-{uuid.uuid4().hex[:8]}.{state}{suffix}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _replace_folder(new: Path, path: Path) -> None:
    """Puts ``new`` in the place of ``path``. Afterwards ``new`` may hold what was there, to be removed."""
    with contextlib.suppress(OSError):
        os.rename(new, path)  # nothing, or an empty folder, stood there
        return
    if exchange(new, path):
        return
    # Without an exchange there is a moment with none; a kill in it is repaired by whoever writes here next.
    old = _beside(path, "old")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def repair(path: Path) -> None:
    """Mends what a kill left of replacing the folder ``path``: the old one comes back, half-written ones go."""
    left = [entry for entry in _leftovers(path.parent) if LEFTOVER.fullmatch(entry.name)]
    left = [entry for entry in left if LEFTOVER.fullmatch(entry.name)["stem"] == path.stem[:40] and entry.is_dir()]
    olds = sorted((e for e in left if LEFTOVER.fullmatch(e.name)["state"] == "old"), key=lambda e: e.stat().st_mtime)
    if olds and not os.path.lexists(path):
        os.rename(olds[-1], path)
    for entry in left:
        _remove_abandoned(entry)


def remove_leftovers(*folders: Path) -> None:
    """Removes what killed processes left half-written in these folders, which the caller holds; only names of our making."""
    for folder in folders:
        for entry in _leftovers(folder):
            if entry.is_dir() and not entry.is_symlink():
                _remove_abandoned(entry)
            else:
                _remove(entry)


def _leftovers(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if is_leftover(entry.name)]
    except OSError:
        return []


def is_leftover(name: str) -> bool:
    """Whether a file of this name is one that we write beside its place."""
    return bool(LEFTOVER.fullmatch(name) or EARLIER_LEFTOVER.fullmatch(name))


def _remove_abandoned(folder: Path) -> None:
    """Unless a living process writes in it."""
    if (descriptor := hold(folder)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


# --- JSON ----------------------------------------------------------------------------------------------------------------


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes ``value`` as indented JSON, atomically."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_bytes(path: str | os.PathLike) -> bytes:
    """The file's content; ``InvalidInput`` if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error


def read_text(path: str | os.PathLike) -> str:
    """The file's text; ``InvalidInput`` if it cannot be read, or is no UTF-8."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is damaged, or no UTF-8 text ({error}); restore it.") from error


def read_json(path: str | os.PathLike, remedy: str) -> Any:
    """What a JSON file holds; ``InvalidInput`` says what is wrong with it and, in the words of ``remedy``, what to do."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path} is damaged ({error}); {remedy}.") from error


def sha256(path: str | os.PathLike) -> str:
    """The file's SHA-256 in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
