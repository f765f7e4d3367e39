"""Requests that come while a model is busy are computed together: one run for many, each with its own rows back.

Nobody waits for company: a batch is what has come by the time a slot is free, so an idle server answers at once and a busy one
fills its batches by itself. A row's result does not depend on its batch: noise comes with the row, and no layer of an exported
model mixes rows.
"""

import asyncio
import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.serving.limits import Limits, Refused

Arrays = Mapping[str, np.ndarray]


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
        slots: how many runs go on at a time, shared by all endpoints of a server; the first to ask is the first to be served.
        observe: told of each run: rows and seconds.
    """

    def __init__(
        self,
        run: Callable[[Arrays], Arrays],
        row_bytes: int,
        limits: Limits,
        slots: asyncio.Semaphore,
        threads: Executor,
        observe: Callable[[int, float], None] = lambda rows, seconds: None,
    ):
        self._run, self._limits, self._slots, self._threads, self._observe = run, limits, slots, threads, observe
        self.most_rows = max(1, min(limits.waiting_rows, limits.waiting_bytes // max(1, row_bytes)))
        self.admitted_rows = 0
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._arrived = asyncio.Event()
        self._tasks = {asyncio.get_running_loop().create_task(self._form_batches())}

    @contextlib.contextmanager
    def admitted(self, rows: int) -> Iterator[None]:
        """Within, the server has room for so many rows, their inputs and their outputs.

        Raises:
            InvalidInput: more than it ever has room for.
            Refused: 503, more than it has room for now.
        """
        if rows > self.most_rows:
            raise InvalidInput(f"{rows:,} examples at once; this server takes {self.most_rows:,}: send them in parts.")
        if self.admitted_rows + rows > self.most_rows:
            raise Refused(503, f"{self.admitted_rows} examples wait already; try again later.", retry_after=1)
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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _form_batches(self) -> None:
        while True:
            await self._arrived.wait()
            await self._slots.acquire()
            if batch := self._take():
                task = asyncio.get_running_loop().create_task(self._compute(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
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

    async def _compute(self, batch: list[_Waiting]) -> None:
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._threads, self._results, batch)
        finally:
            self._slots.release()
        for each, result in zip(batch, results, strict=True):
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
