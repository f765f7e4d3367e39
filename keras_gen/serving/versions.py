"""Which artifacts are served: loaded, proven on this machine, and replaced by newer versions without a request lost.

A model's place is an artifact's folder, which an export replaces whole, or a folder of versions ``1``, ``2`` ..., each an
artifact, of which the highest whole one is served. A new version is read and compared with the reference outputs that it carries
while the old one goes on; then new requests go to the new one, and the old one ends with its last request.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.exporters.manifest import NAME
from keras_gen.serving.batching import Batcher, Room
from keras_gen.serving.limits import Limits, Refused
from keras_gen.serving.metrics import Metrics
from keras_gen.serving.served_artifact import ServedArtifact

IN_RUN = "artifact"  # where a run's folder holds what was exported of it
LOG = logging.getLogger("keras_gen.serving")


class Version:
    """A version in use: its batchers and the room that they share, and how many requests hold it."""

    def __init__(self, artifact: ServedArtifact, stamp: Any, batchers: Mapping[str, Batcher], room: Room):
        self.artifact, self.stamp, self.batchers, self.room = artifact, stamp, batchers, room
        self._holders = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextlib.contextmanager
    def held(self) -> Iterator["Version"]:
        """Within, it is not ended."""
        self._holders += 1
        self._free.clear()
        try:
            yield self
        finally:
            self._holders -= 1
            if not self._holders:
                self._free.set()

    async def end(self) -> None:
        """Waits for the last request, then ends its batchers. Nobody takes hold of it any more."""
        await self._free.wait()
        for batcher in self.batchers.values():
            await batcher.close()


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """An artifact on disk. ``stamp``: names, sizes and times of its files: one that changed may have become whole."""

    version: int | None
    folder: Path
    stamp: Any


class Model:
    """One name: where its versions come from, the one that is served, and why others are not."""

    def __init__(self, name: str, place: Path):
        self.name, self.place = name, place
        self.current: Version | None = None
        self.ending: list[Version] = []
        self.failed: dict[Any, tuple[int | None, str]] = {}

    def candidates(self) -> list[_Candidate]:
        """What might be served, the newest first."""
        if (self.place / NAME).is_file():
            return [_Candidate(None, self.place, _stamp(self.place))]
        with contextlib.suppress(OSError):
            versions = sorted(
                (int(each.name) for each in self.place.iterdir() if _is_version(each) and (each / NAME).is_file()),
                reverse=True,
            )
            return [_Candidate(n, self.place / str(n), _stamp(self.place / str(n))) for n in versions]
        return []

    def read_newest(self, threads: int) -> tuple[ServedArtifact, Any] | None:
        """The newest that is whole, unless it is served already. What cannot be read is said once, until its files change."""
        candidates = self.candidates()
        self.failed = {stamp: why for stamp, why in self.failed.items() if stamp in [c.stamp for c in candidates]}
        for candidate in candidates:
            if self.current is not None and candidate.stamp == self.current.stamp:
                return None
            if candidate.stamp in self.failed:
                continue
            try:
                artifact = ServedArtifact(candidate.folder, self.name, candidate.version, threads)
                if _stamp(candidate.folder) == candidate.stamp:
                    return artifact, candidate.stamp
                why = "it changed while it was read"  # and so has another stamp when it is looked at again
            except (InvalidInput, OSError) as error:
                why = str(error)
            self.failed[candidate.stamp] = (candidate.version, why)
            LOG.warning("%s: %s is not served: %s", self.name, candidate.folder, why)
        return None


class Models(Mapping[str, Model]):
    """All models of a server, and what their runs share: ``cores`` of them go on at a time.

    Args:
        places: name -> folder.
        threads: of one run; see ``ServedArtifact``.
        cores: how many runs go on beside each other.
    """

    def __init__(self, places: Mapping[str, Path], limits: Limits, metrics: Metrics, threads: int, cores: int):
        self._models = {name: Model(name, place) for name, place in places.items()}
        self._limits, self._metrics, self._threads = limits, metrics, threads
        self._slots = asyncio.Semaphore(cores)
        self._pool = ThreadPoolExecutor(cores, "run")
        self._reader = ThreadPoolExecutor(1, "read")
        self._ends: set[asyncio.Task] = set()

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @contextlib.contextmanager
    def version(self, name: str, version: str | None = None) -> Iterator[Version]:
        """The version that is served, held within. ``Refused``, 404, for another name or version; 503 before there is one."""
        model = self.named(name)
        if model.current is None:
            raise Refused(503, f"Servable not available yet: {name}", retry_after=1)
        if version is not None and version != str(model.current.artifact.version):
            served = model.current.artifact.version
            raise Refused(404, f"Servable not found for request: Specific({name}, {version:.20}); served is {served}")
        with model.current.held() as held:
            yield held

    def named(self, name: str) -> Model:
        """The model; ``Refused``, 404."""
        if name not in self._models:
            raise Refused(404, f"Servable not found for request: Latest({name:.80}); there is {', '.join(self)}")
        return self._models[name]

    @property
    def ready(self) -> bool:
        """Whether each has a version to serve."""
        return all(model.current is not None for model in self.values())

    async def refresh(self) -> None:
        """Reads what is new and puts it in the place of what was."""
        for model in self.values():
            failures = len(model.failed)
            found = await asyncio.get_running_loop().run_in_executor(self._reader, model.read_newest, self._threads)
            if len(model.failed) > failures:
                self._metrics.loads.labels(model.name, "failed").inc(len(model.failed) - failures)
            if found is not None:
                self._serve(model, *found)

    async def watch(self) -> None:
        """Refreshes again and again."""
        while True:
            await asyncio.sleep(self._limits.poll_seconds)
            try:
                await self.refresh()
            except Exception:  # of a file system, or a defect: what is served goes on being served
                LOG.exception("Looking for new versions failed; it is tried again.")

    def _serve(self, model: Model, artifact: ServedArtifact, stamp: Any) -> None:
        room = Room(self._limits)
        old, model.current = model.current, Version(artifact, stamp, self._batchers(artifact, room), room)
        self._metrics.version.labels(model.name).set(artifact.version)
        self._metrics.loads.labels(model.name, "served").inc()
        LOG.info("%s: version %d of %s is served.", model.name, artifact.version, model.place)
        if old is not None:
            model.ending.append(old)
            task = asyncio.get_running_loop().create_task(self._end(model, old))
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

    async def _end(self, model: Model, version: Version) -> None:
        await version.end()
        model.ending.remove(version)
        LOG.info("%s: version %d has ended.", model.name, version.artifact.version)

    def _batchers(self, artifact: ServedArtifact, room: Room) -> dict[str, Batcher]:
        def batcher(endpoint: str) -> Batcher:
            def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
                try:
                    return artifact.outputs(endpoint, inputs)
                except InvalidInput as error:  # all inputs have been checked: it is none of the client's doing
                    LOG.error("%s", error)
                    raise Refused(500, str(error)) from error

            made = Batcher(
                run,
                artifact.row_bytes(endpoint),
                self._limits,
                room,
                self._slots,
                self._pool,
                self._metrics.run_observer(artifact.name, endpoint),
            )
            self._metrics.waiting.labels(artifact.name, endpoint).set_function(lambda: made.admitted_rows)
            return made

        return {endpoint: batcher(endpoint) for endpoint in artifact.inputs}

    async def close(self) -> None:
        """Ends all, each with its last request."""
        for model in self.values():
            for version in (model.current, *model.ending):
                if version is not None:
                    await version.end()
        await asyncio.gather(*self._ends, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)


def _is_version(folder: Path) -> bool:
    return (
        folder.name.isascii()
        and folder.name.isdecimal()
        and len(folder.name) <= 18
        and folder.name == str(int(folder.name))
    )


def _stamp(folder: Path) -> tuple:
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            found.append((str(path.relative_to(folder)), status.st_ino, status.st_size, status.st_mtime_ns))
    return (str(folder), *found)


def places_of(arguments: tuple[str, ...]) -> dict[str, Path]:
    """Name -> folder of ``FOLDER`` or ``NAME=FOLDER`` words; a folder is its model's name, and a run's stands for its artifact.

    ``InvalidInput`` for a name that no address can hold, one given twice, or a folder with no artifact in it.
    """
    places: dict[str, Path] = {}
    for argument in arguments:
        named, equals, folder = argument.partition("=")
        place = Path(os.path.abspath(folder if equals else argument))
        name = named if equals else place.name
        if (place / IN_RUN / NAME).is_file():
            place = place / IN_RUN
        if (
            not name
            or len(name) > 100
            or not all(sign.isascii() and (sign.isalnum() or sign in "_-.") for sign in name)
        ):
            raise InvalidInput(
                f"{argument!r}: {name!r} cannot be a model's name in an address; give one of letters, digits, '_', '-' and '.' "
                "as NAME=FOLDER."
            )
        if name in places:
            raise InvalidInput(f"Two models are called {name!r}; name one of them otherwise, as NAME=FOLDER.")
        if not Model(name, place).candidates():
            raise InvalidInput(
                f"{place} is no artifact, and no folder of versions 1, 2 ... that are; give what keras-gen export wrote."
            )
        places[name] = place
    return places
