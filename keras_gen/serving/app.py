"""The web application: all ways of asking under one roof, one form of error, health, counters and the description of it all."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from keras_gen.core.errors import InvalidInput
from keras_gen.serving import kserve_v2, pictures, rest_v1
from keras_gen.serving.answering import Service, json_response
from keras_gen.serving.limits import Limits, Refused
from keras_gen.serving.metrics import CONTENT_TYPE, Counted, Metrics
from keras_gen.serving.openapi import description
from keras_gen.serving.versions import Models

LOG = logging.getLogger("keras_gen.serving")


def application(models: Models, limits: Limits, metrics: Metrics) -> Starlette:
    """Serves the models. As long as it lives it looks for new versions; when it ends, it waits for what was asked."""
    service = Service(models, limits)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        if not models.ready:
            await models.refresh()
        watching = asyncio.create_task(models.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await models.close()
            service.close()

    async def health(request: Request) -> Response:
        served = {name: model.current and model.current.artifact.version for name, model in models.items()}
        return json_response({"ready": models.ready, "models": served}, 200 if models.ready else 503)

    async def counters(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    async def described(request: Request) -> Response:
        return json_response(description(models))

    own = [Route("/health", health), Route("/openapi.json", described)]
    own += [Route(path, counters) for path in ("/metrics", "/monitoring/prometheus/metrics")]
    return Starlette(
        routes=[*own, *rest_v1.routes(service), *kserve_v2.routes(service), *pictures.routes(service)],
        middleware=[Middleware(Counted, metrics=metrics, models=models)],
        exception_handlers={
            InvalidInput: _invalid,
            Refused: _refused,
            HTTPException: _no_such_page,
            ClientDisconnect: _gone,
            Exception: _defect,
        },
        lifespan=life,
    )


async def _invalid(request: Request, error: InvalidInput) -> Response:
    return json_response({"error": str(error)}, 400)


async def _refused(request: Request, error: Refused) -> Response:
    return json_response({"error": error.reason}, error.status, error.headers)


async def _no_such_page(request: Request, error: HTTPException) -> Response:
    text = f"Malformed request: {request.method} {request.url.path[:200]}" if error.status_code == 404 else error.detail
    return json_response({"error": text}, error.status_code, error.headers)


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return json_response({"error": "The client went away."}, 499)  # nobody reads it; it is counted


async def _defect(request: Request, error: Exception) -> Response:
    return json_response({"error": "The server failed at this request; its log says why."}, 500)
