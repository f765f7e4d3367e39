"""KServe's open inference protocol, version 2, in JSON: health, metadata and infer.

The protocol has no signatures: ``"parameters": {"signature_name": "encode", "seed": 3}`` names an endpoint other than the one
that samples, and the seed of noise that was left out.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import keras_gen
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import as_array
from keras_gen.serving.answering import Service, json_response, size_of
from keras_gen.serving.examples import json_of, known_keys, received, seed_of
from keras_gen.serving.limits import Refused
from keras_gen.serving.served_artifact import ServedArtifact
from keras_gen.serving.versions import Version

TYPES = {"float32": "FP32", "float64": "FP64", "float16": "FP16", "int32": "INT32", "int64": "INT64"}
TYPES |= {"uint8": "UINT8", "bool": "BOOL"}
TEXT = "BYTES"
PLATFORM = "onnxruntime_onnx"


def routes(service: Service) -> list[Route]:
    """Below ``/v2``."""

    async def server(request: Request) -> Response:
        return json_response({"name": "keras_gen", "version": keras_gen.__version__, "extensions": []})

    async def live(request: Request) -> Response:
        return json_response({"live": True})

    async def ready(request: Request) -> Response:
        return json_response({"ready": service.models.ready}, 200 if service.models.ready else 503)

    async def model_ready(request: Request) -> Response:
        with service.version(request) as version:
            return json_response({"name": version.artifact.name, "ready": True})

    async def metadata(request: Request) -> Response:
        with service.version(request) as version:
            endpoint = version.artifact.endpoint_named(request.query_params.get("signature_name"))
            return json_response(_metadata(version.artifact, endpoint))

    async def infer(request: Request) -> Response:
        if "inference-header-content-length" in request.headers:
            raise Refused(415, "Binary tensors are not taken; send all as JSON.", close=True)
        service.check_room(request)
        async with service.bodies.body(request) as body:
            with service.version(request) as version:
                endpoint, given, rows, seed, rest = await service.apart(len(body), _asked, version, body)
                async with service.outputs(request, version, endpoint, given, rows, seed) as outputs:
                    return await service.apart(size_of(outputs), _answer, version.artifact, outputs, rest)

    of_models = [("", metadata, "GET"), ("/ready", model_ready, "GET"), ("/infer", infer, "POST")]
    return [
        Route("/v2", server),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        *(
            Route(f"/v2/models/{place}{end}", handler, methods=[method])
            for end, handler, method in of_models
            for place in ("{model}/versions/{version}", "{model}")
        ),
    ]


def _metadata(artifact: ServedArtifact, endpoint: str) -> dict[str, Any]:
    outputs = artifact.outputs_of(endpoint)
    return {
        "name": artifact.name,
        "versions": [str(artifact.version)],
        "platform": PLATFORM,
        "inputs": [
            {"name": name, "datatype": TYPES[kind.dtype], "shape": [-1, *kind.shape]}
            for name, kind in artifact.inputs[endpoint].items()
        ],
        "outputs": [
            {"name": name, "datatype": TYPES[entry["dtype"]], "shape": [-1, *entry["shape"][1:]]}
            for name, entry in outputs.items()
        ],
    }


def _asked(version: Version, body: bytes) -> tuple[str, dict[str, Any], int, int, dict[str, Any]]:
    """Endpoint, what was given, how many examples, the seed, and what the answer takes over: its id and the outputs wanted."""
    asked = json_of(body)
    known_keys(asked, ("id", "parameters", "inputs", "outputs"), "The body")
    parameters = asked.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidInput(f"'parameters' is {parameters!r:.60}; give an object.")
    known_keys(parameters, ("signature_name", "seed"), "'parameters'")
    endpoint = version.artifact.endpoint_named(parameters.get("signature_name"))
    tensors, wanted = asked.get("inputs"), asked.get("outputs", [])
    if not isinstance(tensors, list) or not tensors or not all(isinstance(each, dict) for each in tensors):
        raise InvalidInput("'inputs' is no list of tensors; give one at least.")
    names = version.artifact.outputs_of(endpoint)
    if not isinstance(wanted, list) or not all(isinstance(each, dict) and each.get("name") in names for each in wanted):
        raise InvalidInput(
            f"'outputs' is {wanted!r:.80}; give a list of objects whose names are among {', '.join(names)}."
        )
    given: dict[str, Any] = {}
    rows = None
    for tensor in tensors:
        name, values = _tensor(version, endpoint, tensor)
        if name in given:
            raise InvalidInput(f"The input {name!r:.80} is given twice.")
        rows = len(values) if rows is None else rows
        if len(values) != rows:
            raise InvalidInput(
                f"{name!r:.80} holds {len(values)} examples, the first input {rows}; give as many of each."
            )
        given[name] = received(version.artifact.inputs[endpoint], name, values)
    rest = {"id": asked.get("id"), "wanted": [each["name"] for each in wanted] or list(names)}
    return endpoint, given, rows, seed_of(parameters.get("seed")), rest


def _tensor(version: Version, endpoint: str, tensor: Mapping[str, Any]) -> tuple[str, Any]:
    """The name and values ``[n, ...]`` of one input: flat or nested data in the order of rows."""
    known_keys(tensor, ("name", "shape", "datatype", "parameters", "data"), "An input")
    name, shape, datatype = tensor.get("name"), tensor.get("shape"), tensor.get("datatype")
    kind = version.artifact.inputs[endpoint].get(name) if isinstance(name, str) else None
    if kind is None:
        takes = ", ".join(version.artifact.inputs[endpoint])
        raise InvalidInput(f"There is no input {name!r:.80}; the endpoint takes {takes}.")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= 8
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise InvalidInput(
            f"{name} has the shape {shape!r:.80}; give a list of integers, the number of examples first."
        )
    if datatype not in (TYPES[kind.dtype], TEXT):
        raise InvalidInput(f"{name} is {datatype!r:.40}; wanted {TYPES[kind.dtype]}, or {TEXT} for text.")
    data = tensor.get("data")
    if not isinstance(data, list) or not data:
        raise InvalidInput(f"{name} has no list of data; binary tensors are not taken.")
    version.batchers[endpoint].check_rows(shape[0])
    if datatype == TEXT:
        if shape not in ([len(data)], [len(data), 1]) or not all(isinstance(each, str) for each in data):
            raise InvalidInput(f"{name} is {TEXT} of shape {shape}; give as many strings, one an example.")
        return name, data
    array = as_array(name, data)
    if array.dtype.kind not in "fiub" or array.size != math.prod(shape):
        raise InvalidInput(
            f"{name} holds {array.size} values of {array.dtype}; wanted {math.prod(shape):,} numbers, as its shape {shape} says."
        )
    return name, array.reshape(shape)


def _answer(artifact: ServedArtifact, outputs: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> Response:
    tensors = [
        {
            "name": name,
            "datatype": TYPES[outputs[name].dtype.name],
            "shape": list(outputs[name].shape),
            "data": outputs[name].reshape(-1).tolist(),
        }
        for name in rest["wanted"]
    ]
    answer = {"model_name": artifact.name, "model_version": str(artifact.version), "outputs": tensors}
    return json_response(answer if rest["id"] is None else {**answer, "id": rest["id"]})
