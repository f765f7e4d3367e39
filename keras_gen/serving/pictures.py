"""Pictures to look at: ``GET /models/NAME/sample.png?seed=0&n=16&label=3``.

One image is sent as it is, several as a grid. Each input that is not noise may be given in the query, in the words that its kind
reads; the first that has to be given and is not in the query may be the body of a POST: a picture's file, a sentence, a graph.
"""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.pictures import check_grid, image_grid
from keras_gen.serving.answering import Service, takes_noise
from keras_gen.serving.examples import seed_of
from keras_gen.serving.limits import Refused
from keras_gen.serving.served_artifact import ServedArtifact

MOST_FIELDS = 64


def routes(service: Service) -> list[Route]:
    """Below ``/models``."""

    async def picture(request: Request) -> Response:
        service.check_room(request)
        async with service.bodies.body(request) as body:
            with service.version(request) as version:
                artifact, endpoint = version.artifact, request.path_params["endpoint"]
                if endpoint not in artifact.inputs:
                    held = ", ".join(artifact.inputs)
                    raise Refused(404, f"{artifact.name} has no endpoint {endpoint:.80}; it has {held}")
                words = _words(request.scope["query_string"])
                rows, seed = _integer(words, "n", 1), seed_of(_integer(words, "seed", 0))
                output, spec = _pictured(artifact, endpoint)
                if not 1 <= rows:
                    raise InvalidInput("n=0 images cannot be drawn; give an integer of at least 1.")
                check_grid(rows, spec, int(np.ceil(np.sqrt(rows))))
                given = await service.apart(len(body), _given, artifact, endpoint, words, body)
                async with service.outputs(request, version, endpoint, given, rows, seed) as outputs:
                    png = await service.apart(outputs[output].nbytes, _png, outputs[output], spec)
                    return Response(png, media_type="image/png", headers={"x-model-version": str(artifact.version)})

    return [
        Route(f"/models/{place}/{{endpoint}}.png", picture, methods=["GET", "POST"])
        for place in ("{model}/versions/{version}", "{model}")
    ]


def _words(query: bytes) -> dict[str, str]:
    """The query's names and texts, each name once."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:  # UnicodeDecodeError too
        raise InvalidInput(f"The query cannot be read ({error}); write it as name=value&name=value.") from error
    words = dict(pairs)
    if len(words) < len(pairs):
        raise InvalidInput("The query gives a name twice; give each once.")
    return words


def _integer(words: dict[str, str], name: str, default: int) -> int:
    """Takes it out of the words."""
    text = words.pop(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise InvalidInput(f"{name}={text!r:.60} is no integer of at least 0 and at most 12 digits.")
    return int(text)


def _pictured(artifact: ServedArtifact, endpoint: str) -> tuple[str, ImageSpec]:
    """The output that is images, and what images they are: levels, or numbers in ``[0, 1]``."""
    for name, entry in artifact.outputs_of(endpoint).items():
        shape, ends = entry["shape"][1:], entry["range"]
        if len(shape) == 3 and ends is not None and min(shape) > 0:
            if entry["dtype"] == "uint8" and ends[0] == 0 and ends[1] >= 1:
                return name, ImageSpec(*shape, levels=int(ends[1]) + 1)
            if entry["dtype"] == "float32" and tuple(ends) == (0, 1):
                return name, ImageSpec(*shape)
    raise InvalidInput(f"{endpoint} of {artifact.name} gives no images; ask for it at /v1 or /v2.")


def _given(artifact: ServedArtifact, endpoint: str, words: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """What the query and the body give, each read by its kind; no text is taken for a file's name."""
    kinds = {name: kind for name, kind in artifact.inputs[endpoint].items() if not takes_noise(kind)}
    if unknown := [name for name in words if name not in kinds]:
        takes = ", ".join(("seed", "n", *kinds))
        raise InvalidInput(f"The query gives {unknown[0]!r:.80}; it takes {takes}.")
    given = {name: kinds[name].receive(name, text) for name, text in words.items()}
    if body:
        wanting = [name for name, kind in kinds.items() if name not in given and kind.default is None]
        if not wanting:
            raise InvalidInput(
                f"The body of {len(body)} bytes stands for nothing; {endpoint} is given all that it takes."
            )
        given[wanting[0]] = kinds[wanting[0]].receive(wanting[0], body)
    return given


def _png(images: np.ndarray, spec: ImageSpec) -> bytes:
    """One image with the pixels that it has; several as a grid, each pixel a square that can be seen."""
    levels = spec if images.dtype == np.uint8 else None
    alone = {"scale": 1, "gap": 0} if len(images) == 1 else {}
    file = io.BytesIO()
    image_grid(images, levels, **alone).save(file, "PNG")
    return file.getvalue()
