"""Requests that come while a model is busy are computed together: one run for many, each with its own rows back.

Nobody waits for company: a batch is what has come by the time a slot is free, so an idle server answers at once and a busy one
fills its batches by itself. A row's result does not depend on its batch: noise comes with the row, and no layer of an exported
model mixes rows.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.serving.limits import Limits, Refused

Arrays = Mapping[str, np.ndarray]


class Room:
    """How many examples of one version of a model are admitted and not yet answered, and what they take."""

    def __init__(self, limits: Limits):
        self._limits, self.rows, self._bytes = limits, 0, 0

    def most_rows(self, row_bytes: int) -> int:
        """What there ever is room for."""
        return max(1, min(self._limits.waiting_rows, self._limits.waiting_bytes // max(1, row_bytes)))

    def check(self, rows: int = 1, row_bytes: int = 0) -> None:
        """``Refused``, 503, unless there is room for so many now."""
        if self.rows + rows > self._limits.waiting_rows or self._bytes + rows * row_bytes > self._limits.waiting_bytes:
            raise Refused(503, f"{self.rows} examples wait already; try again later.", retry_after=1)

    @contextlib.contextmanager
    def admitted(self, rows: int, row_bytes: int) -> Iterator[None]:
        """Within, these are among them; errors as of ``check``."""
        if self.rows:  # one request alone always fits
            self.check(rows, row_bytes)
        self.rows, self._bytes = self.rows + rows, self._bytes + rows * row_bytes
        try:
            yield
        finally:
            self.rows, self._bytes = self.rows - rows, self._bytes - rows * row_bytes


@dataclasses.dataclass(eq=False)
class _Waiting:
    """Rows of one request, at most as many as one run takes, and where their results go."""

    inputs: Arrays
    rows: int
    result: asyncio.Future


class Batcher:
    """Runs one endpoint.

    Args:
        run: ``inputs -> outputs``, arrays of any number of rows; called in ``threads``.
        row_bytes: of one example, inputs and outputs together.
        limits: how many rows one run takes, and how long a request waits.
        room: shared by the endpoints of a version.
        slots: how many runs go on at a time, shared by all endpoints of a server; the first to ask is the first to be served.
        observe: told of each run: rows and seconds.
    """

    def __init__(
        self,
        run: Callable[[Arrays], Arrays],
        row_bytes: int,
        limits: Limits,
        room: Room,
        slots: asyncio.Semaphore,
        threads: Executor,
        observe: Callable[[int, float], None] = lambda rows, seconds: None,
    ):
        self._run, self._limits, self._slots, self._threads, self._observe = run, limits, slots, threads, observe
        self._room, self._row_bytes = room, row_bytes
        self.most_rows = room.most_rows(row_bytes)
        self.admitted_rows = 0
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._arrived = asyncio.Event()
        self._forming = asyncio.get_running_loop().create_task(self._form_batches())

    def check_rows(self, rows: int) -> None:
        """``InvalidInput`` for more than there ever is room for."""
        if rows > self.most_rows:
            raise InvalidInput(f"{rows:,} examples at once; this server takes {self.most_rows:,}: send them in parts.")

    @contextlib.contextmanager
    def admitted(self, rows: int) -> Iterator[None]:
        """Within, the server has room for so many rows, their inputs and their outputs.

        Raises:
            InvalidInput: more than it ever has room for.
            Refused: 503, more than it has room for now.
        """
        self.check_rows(rows)
        with self._room.admitted(rows, self._row_bytes):
            self.admitted_rows += rows
            try:
                yield
            finally:
                self.admitted_rows -= rows

    async def outputs(self, inputs: Arrays, rows: int) -> dict[str, np.ndarray]:
        """The endpoint's outputs of these rows, which have been admitted. ``Refused``, 504, if it takes too long."""
        size = self._limits.run_rows
        starts = range(0, rows, size)
        waiting = [
            _Waiting(
                {name: values[start : start + size] for name, values in inputs.items()},
                min(size, rows - start),
                asyncio.get_running_loop().create_future(),
            )
            for start in starts
        ]
        self._queue.extend(waiting)
        self._arrived.set()
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                parts = await asyncio.gather(*(each.result for each in waiting))
        except TimeoutError as error:
            raise Refused(
                504, f"No result within {self._limits.answer_seconds:g} s; ask for fewer examples, or later."
            ) from error
        finally:  # of a request that is given up, nothing more is computed
            for each in waiting:
                each.result.cancel()
        return (
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )

    async def close(self) -> None:
        """Ends it. Nothing waits any more: its version has been left by all requests."""
        self._forming.cancel()
        await asyncio.gather(self._forming, return_exceptions=True)

    async def _form_batches(self) -> None:
        while True:
            await self._arrived.wait()
            await self._slots.acquire()
            if batch := self._take():
                running = asyncio.get_running_loop().run_in_executor(self._threads, self._results, batch)
                running.add_done_callback(functools.partial(self._hand_over, batch))
            else:
                self._slots.release()

    def _take(self) -> list[_Waiting]:
        """What waits longest, as much as one run takes."""
        batch, rows = [], 0
        while self._queue:
            if self._queue[0].result.done():  # given up
                self._queue.popleft()
                continue
            if batch and rows + self._queue[0].rows > self._limits.run_rows:
                return batch
            batch.append(self._queue.popleft())
            rows += batch[-1].rows
        self._arrived.clear()
        return batch

    def _hand_over(self, batch: list[_Waiting], computed: asyncio.Future) -> None:
        self._slots.release()
        if computed.cancelled():  # the server ends
            return
        for each, result in zip(batch, computed.result(), strict=True):
            if each.result.done():
                continue
            if isinstance(result, Exception):
                each.result.set_exception(result)
            else:
                each.result.set_result(result)

    def _results(self, batch: list[_Waiting]) -> list[dict[str, np.ndarray] | Exception]:
        """Of each its rows of the outputs, or why there are none. What fails together is tried apart: it may be one's alone."""
        start, rows = time.perf_counter(), sum(each.rows for each in batch)
        try:
            names = batch[0].inputs
            joined = {name: np.concatenate([each.inputs[name] for each in batch]) for name in names}
            outputs = self._run(joined)
        except Exception as error:
            if len(batch) == 1:
                return [error]
            return [result for each in batch for result in self._results([each])]
        self._observe(rows, time.perf_counter() - start)
        ends = np.cumsum([each.rows for each in batch])
        # Copies: a small part of a large run's output must not keep all of it.
        return [
            {name: values[end - each.rows : end].copy() for name, values in outputs.items()}
            for each, end in zip(batch, ends, strict=True)
        ]
