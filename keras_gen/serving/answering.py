"""What all ways of asking share: from a version, an endpoint and what was given to the outputs, and who writes them down."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from keras_gen.core.inputs import Input
from keras_gen.serving.bodies import Bodies, unless_gone
from keras_gen.serving.examples import inputs_of
from keras_gen.serving.limits import Limits
from keras_gen.serving.versions import Models, Version

AT_ONCE = 64 << 10  # bytes: about a millisecond of work


class Service:
    """One server's models, what it holds of requests, and a thread that reads and writes the large ones.

    One is enough: what it does holds Python's lock, and a second would only hold as much memory again. Lists take some 20 times
    what they take as JSON.
    """

    def __init__(self, models: Models, limits: Limits):
        self.models, self.limits, self.bodies = models, limits, Bodies(limits)
        self._pen = ThreadPoolExecutor(1, "pen")

    async def apart(self, size: int, function: Callable, *arguments: Any) -> Any:
        """``function(*arguments)``, in a thread if it works on many bytes: others are answered meanwhile.

        Of few, handing it over and waiting for Python's lock would take longer than the work.
        """
        if size <= AT_ONCE:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pen, function, *arguments)

    @contextlib.contextmanager
    def version(self, request: Request) -> Any:
        """The version that the request's path names, held within."""
        with self.models.version(request.path_params["model"], request.path_params.get("version")) as version:
            yield version

    def check_room(self, request: Request) -> None:
        """``Refused`` where there is room for nothing: before a body is read, which takes longer than a small model does."""
        with self.version(request) as version:
            version.room.check()

    @contextlib.asynccontextmanager
    async def outputs(
        self, request: Request, version: Version, endpoint: str, given: Mapping[str, Any], rows: int, seed: int
    ) -> AsyncIterator[dict[str, np.ndarray]]:
        """The endpoint's outputs of ``rows`` examples; they count as admitted within, until they have been written down."""
        batcher, kinds = version.batchers[endpoint], version.artifact.inputs[endpoint]
        with batcher.admitted(rows):
            size = rows * version.artifact.row_bytes(endpoint)
            inputs = await self.apart(size, inputs_of, kinds, given, rows, seed, endpoint)
            yield await unless_gone(request, batcher.outputs(inputs, rows))

    def close(self) -> None:
        """Ends the thread."""
        self._pen.shutdown(wait=False, cancel_futures=True)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; infinities, as of a log-probability, are written as Python and TensorFlow Serving write them."""
    return Response(json.dumps(value, separators=(",", ":")), status, headers, "application/json")


def size_of(arrays: Mapping[str, np.ndarray]) -> int:
    """Bytes of all."""
    return sum(values.nbytes for values in arrays.values())


def takes_noise(kind: Input) -> bool:
    """Whether a seed can stand for it."""
    return kind.distribution is not None
