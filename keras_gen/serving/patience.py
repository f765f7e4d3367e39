"""How long a connection may take: uvicorn itself waits for ever for a head that comes byte by byte, and for a slow reader."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


def patient(head_seconds: float, take_seconds: float) -> type[asyncio.Protocol]:
    """The protocol of one connection, for ``uvicorn.Config(http=...)``.

    Args:
        head_seconds: from a connection's beginning, or from a request's first byte, to the end of its head.
        take_seconds: how long a client may leave an answer in our buffer.
    """

    class PatientProtocol(H11Protocol):
        _head: asyncio.TimerHandle | None = None
        _taking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._head = self.loop.call_later(head_seconds, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._head = _cancelled(self._head)  # a whole head came; who reads the body looks at the time
            elif self._head is None:
                self._head = self.loop.call_later(head_seconds, self.transport.abort)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._taking = _cancelled(self._taking) or self.loop.call_later(take_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._taking = _cancelled(self._taking)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            # Closing waits until all that was written has been taken.
            self._taking = _cancelled(self._taking) or self.loop.call_later(take_seconds, self.transport.abort)

        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            self._head, self._taking = _cancelled(self._head), _cancelled(self._taking)

    return PatientProtocol


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
