"""Writing files so that a crash, a full disk or a kill never leaves half of one."""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_gen.core.errors import OutputFailed


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a path beside ``path`` to write a file or folder to; renames it into place if the block succeeds.

    If it fails, what was written is removed and whatever stood at ``path`` is untouched. An ``OSError`` (disk full, no
    permission) becomes an ``OutputFailed`` that names ``path``.
    """
    path = Path(path)
    # The suffix stays last: several writers (Keras, Pillow) choose the format by it.
    beside = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _replace(beside, path)
    except OSError as error:
        if isinstance(error, OutputFailed):
            raise
        raise _failed(path, error) from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        elif beside.exists():
            beside.unlink()


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


def _replace(new: Path, path: Path) -> None:
    """Renames ``new`` to ``path``. A folder cannot be renamed over a full one, so the old one steps aside first."""
    if not path.is_dir():
        os.replace(new, path)
        return
    old = path.with_name(f".{path.name}-old-{uuid.uuid4().hex[:8]}")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes ``value`` as indented JSON, atomically."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def sha256(path: str | os.PathLike) -> str:
    """The file's SHA-256 in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
