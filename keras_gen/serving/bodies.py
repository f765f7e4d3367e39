"""Reading what a client sends, within bounds: bytes are counted while they come, and time too."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from keras_gen.serving.limits import MIB, Limits, Refused

Result = TypeVar("Result")


class Bodies:
    """All bodies that a server holds at a time."""

    def __init__(self, limits: Limits):
        self._limits, self._held = limits, 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The request's body, which counts as held within.

        Raises:
            Refused: 413, too long; 415, compressed; 408, too slow; 503, no room for it now.
            ClientDisconnect: the client went away before it was whole.
        """
        if (coding := request.headers.get("content-encoding", "identity")) != "identity":
            raise Refused(415, f"The body is {coding:.40}; send it as it is.", close=True)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._limits.body_bytes:
            raise self._too_long()
        taken, chunks = 0, []
        try:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    async for chunk in request.stream():
                        self._held += len(chunk)
                        taken += len(chunk)
                        if taken > self._limits.body_bytes:
                            raise self._too_long()
                        if self._held > self._limits.held_bytes:
                            raise Refused(
                                503, "There is no room for the body now; try again later.", retry_after=1, close=True
                            )
                        chunks.append(chunk)
            except TimeoutError as error:
                raise Refused(
                    408, f"The body did not come within {self._limits.body_seconds:g} s.", close=True
                ) from error
            yield b"".join(chunks)
        finally:
            self._held -= taken

    def _too_long(self) -> Refused:
        most = self._limits.body_bytes / MIB
        return Refused(413, f"The body is longer than {most:g} MiB; send fewer examples at once.", close=True)


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """The work's result; it is given up, and ``ClientDisconnect`` raised, when the client goes away. The body has been read."""
    working, leaving = asyncio.current_task(), asyncio.ensure_future(_gone(request))

    def give_up(_: asyncio.Task) -> None:
        working.cancel()

    leaving.add_done_callback(give_up)
    try:
        return await work
    except asyncio.CancelledError:
        if leaving.done():
            working.uncancel()
            raise ClientDisconnect() from None
        raise
    finally:
        leaving.remove_done_callback(give_up)
        leaving.cancel()


async def _gone(request: Request) -> Any:
    while (await request.receive())["type"] != "http.disconnect":
        pass
