"""What a server counts, for Prometheus. Labels are names of models, endpoints and protocols: never what a request made up."""

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """One server's, in a registry of its own."""

    def __init__(self):
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "keras_gen_requests", "Requests answered.", ("protocol", "model", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "keras_gen_request_seconds",
            "From a request's head to its answer.",
            ("protocol", "model"),
            registry=registry,
        )
        self.rows = Counter("keras_gen_rows", "Examples computed.", ("model", "endpoint"), registry=registry)
        self.batch_rows = Histogram(
            "keras_gen_batch_rows", "Examples of one run.", ("model", "endpoint"), registry=registry, buckets=_ROWS
        )
        self.run_seconds = Histogram(
            "keras_gen_run_seconds", "Of one run of a model.", ("model", "endpoint"), registry=registry
        )
        self.waiting = Gauge(
            "keras_gen_waiting_rows", "Examples admitted and not answered.", ("model", "endpoint"), registry=registry
        )
        self.version = Gauge("keras_gen_model_version", "The version that is served.", ("model",), registry=registry)
        self.loads = Counter(
            "keras_gen_loads", "Versions read: good ones are served.", ("model", "result"), registry=registry
        )

    def run_observer(self, model: str, endpoint: str) -> Callable[[int, float], None]:
        """What a batcher tells of its runs."""
        rows, batch, seconds = (
            metric.labels(model, endpoint) for metric in (self.rows, self.batch_rows, self.run_seconds)
        )

        def observe(count: int, took: float) -> None:
            rows.inc(count)
            batch.observe(count)
            seconds.observe(took)

        return observe

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


class Counted:
    """ASGI middleware: counts requests by protocol (the first part of the path), model and status."""

    def __init__(self, app: Any, metrics: Metrics, models: Any):
        self._app, self._metrics, self._models = app, metrics, models

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """Passes all on; what is no request is not counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def sending(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = status or 500  # the answer is made further out
            raise
        finally:
            first = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
            protocol = first if first in ("v1", "v2", "models") else "other"
            named = scope.get("path_params", {}).get("model", "")
            model = named if named in self._models else ""
            self._metrics.requests.labels(protocol, model, str(status)).inc()
            self._metrics.request_seconds.labels(protocol, model).observe(time.perf_counter() - start)
