"""The process: a socket, the models, uvicorn, and an end without a request lost."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from keras_gen.core.errors import InvalidInput
from keras_gen.serving.app import application
from keras_gen.serving.limits import Limits
from keras_gen.serving.metrics import Metrics
from keras_gen.serving.patience import patient
from keras_gen.serving.versions import Models, places_of

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    artifacts: tuple[str, ...],
    host: str = "127.0.0.1",
    port: int = 8501,
    threads: int = 1,
    limits: Limits | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serves artifacts until the process is told to stop (SIGTERM, SIGINT): then what was asked is answered, nothing new taken.

    Args:
        artifacts: ``FOLDER`` or ``NAME=FOLDER``: an artifact, or a folder of versions ``1``, ``2`` ...
        port: 0: one that is free.
        threads: of one run of a model that is not drawn pixel by pixel.
        say: told the address, once it is served there.

    Raises:
        InvalidInput: no artifact, one that does not run here, or an address that is not to be had.
    """
    places, limits = places_of(artifacts), limits or Limits()
    logging.getLogger("keras_gen.serving").setLevel(logging.INFO)
    with _listening(host, port) as listening:
        asyncio.run(_serve(places, listening, host, threads, limits, say))


async def _serve(
    places: Mapping[str, Path],
    listening: socket.socket,
    host: str,
    threads: int,
    limits: Limits,
    say: Callable[[str], None],
) -> None:
    metrics = Metrics()
    models = Models(places, limits, metrics, threads, cores=os.cpu_count() or 1)
    await models.refresh()
    for model in models.values():
        if model.current is None:
            raise InvalidInput(f"{model.place} cannot be served: {next(iter(model.failed.values()))[1]}")
    # JSON makes millions of lists and no cycles; looking for those at every 700th takes three times as long as reading it.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    config = uvicorn.Config(
        application(models, limits, metrics),
        http=patient(limits.head_seconds, limits.answer_seconds),
        ws="none",
        timeout_keep_alive=int(limits.idle_seconds),
        lifespan="on",
        access_log=False,
        log_level="warning",
        limit_concurrency=limits.connections,
        backlog=limits.connections,
        timeout_graceful_shutdown=int(limits.body_seconds + limits.answer_seconds) + 1,
    )
    server = uvicorn.Server(config)

    def stop(*_: Any) -> None:
        server.should_exit = True

    # uvicorn has handlers of its own as long as it runs; when all is over it raises the signal that ended it once more, and the
    # process then goes on to its own end, with exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    listening.listen(limits.connections)  # who reads the next line may ask at once
    address, found = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    say(f"Serving {', '.join(models)} at http://{shown}:{found} (description: /openapi.json)")
    if host not in LOOPBACK:
        say("Whoever reaches this address may ask: there are no passwords, and nothing is encrypted.")
    await server.serve(sockets=[listening])
    say("Stopped; what was asked has been answered.")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        return listening
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(
            f"Nothing can be served at {host}:{port}: {reason}; choose another --host or --port."
        ) from error
