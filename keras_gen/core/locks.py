"""Folders that one process at a time may write to. The kernel lets go of a lock when its process ends, however it ends."""

import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from keras_gen.core.errors import InvalidInput, OutputFailed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds ``folder`` (which exists) against every other process that asks; ``InvalidInput`` says who holds it already.

    ``<folder>/.lock`` says so while the block runs, and is gone after it; one that a killed process left is no obstacle. Where
    the system has no such locks (Windows, some network file systems) a warning says that nobody is kept out.
    """
    if fcntl is None:
        log.warning("This system has no file locks: see to it that no other process writes to %s.", folder)
        yield
        return
    descriptor = _acquired(folder)
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(descriptor)


def check_free(folder: Path) -> None:
    """``InvalidInput`` if another process holds ``folder``; makes and changes nothing."""
    if (descriptor := _opened(folder / LOCK)) is None:
        return
    try:
        if not _taken(descriptor):
            raise _in_use(folder, descriptor)
    finally:
        os.close(descriptor)


def hold(folder: Path) -> int | None:
    """Holds a folder by itself until the descriptor is closed; None if another process does, or the system cannot say."""
    if (descriptor := _opened(folder)) is None:
        return None
    try:
        if fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB) is None:
            return descriptor
    except OSError:
        os.close(descriptor)
    return None


def _opened(path: Path) -> int | None:
    if fcntl is None:
        return None
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None


def _acquired(folder: Path) -> int:
    path = folder / LOCK
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise OutputFailed(f"Could not write {path}: {error.strerror}. Choose another place.") from error
        if not _taken(descriptor):
            refusal = _in_use(folder, descriptor)
            os.close(descriptor)
            raise refusal
        # The holder before may have removed the file between our opening and our taking it: that lock keeps nobody out.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        log.warning("This file system has no locks (%s): see to it that no other process writes here.", error.strerror)
    return True


def _in_use(folder: Path, descriptor: int) -> InvalidInput:
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        holder = f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written yet
        holder = "another process"
    return InvalidInput(f"{folder} is in use by {holder}; wait until it has ended, or choose another --out.")
