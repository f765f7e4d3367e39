"""What a server allows, so that its memory and its time are bounded whatever is sent; and how it says that it does not."""

import dataclasses

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """All bounds of one server.

    Args:
        run_rows: the most examples that one run of a model computes.
        waiting_rows: the most examples of one model that are admitted and not yet answered; more are refused with 503.
        waiting_bytes: the most that their inputs and outputs take, which lowers ``waiting_rows`` for large images.
        body_bytes: the longest body of one request; 413 beyond.
        held_bytes: all bodies that are held at one time; 503 beyond.
        head_seconds: within which a request's head has to come.
        body_seconds: within which its body has to come; 408 afterwards.
        answer_seconds: how long a request waits for its turn and its result; 504 afterwards. As long a client may take to
            fetch an answer.
        connections: how many there may be at a time.
        idle_seconds: how long a connection is kept for its next request.
        poll_seconds: between two looks for new versions.
    """

    run_rows: int = 64
    waiting_rows: int = 1024
    waiting_bytes: int = 256 * MIB
    body_bytes: int = 8 * MIB
    held_bytes: int = 32 * MIB
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    idle_seconds: float = 30.0
    connections: int = 512
    poll_seconds: float = 2.0


class Refused(Exception):
    """A request that is not served, though nothing may be wrong with its numbers: a status and the reason.

    Args:
        retry_after: seconds after which it is worth trying again.
        close: whether the connection ends with the answer, because the rest of the request is not going to be read.
    """

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None, close: bool = False):
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        if close:
            self.headers["connection"] = "close"
