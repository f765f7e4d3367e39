"""What can be asked, as OpenAPI 3.1, written from the manifests of what is served: shape, type and range of each input."""

from collections.abc import Mapping
from typing import Any

import keras_gen
from keras_gen.core.checks import LARGEST_SEED
from keras_gen.core.inputs import Input
from keras_gen.serving.answering import takes_noise
from keras_gen.serving.served_artifact import ServedArtifact
from keras_gen.serving.versions import Models

SEED = {
    "type": "integer",
    "minimum": 0,
    "maximum": LARGEST_SEED,
    "default": 0,
    "description": "Of noise that is left out.",
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
BINARY = {"type": "object", "required": ["b64"], "properties": {"b64": {"type": "string", "contentEncoding": "base64"}}}
FAILURES = {
    "400": "What was sent is wrong; the text says what came and what was wanted.",
    "404": "No such model, version or endpoint.",
    "408": "The body came too slowly.",
    "413": "The body is too long.",
    "503": "Too much is asked at the moment, or nothing is served yet; Retry-After says when to try again.",
    "504": "No result in time.",
}


def description(models: Models) -> dict[str, Any]:
    """The document, of the versions that are served now."""
    paths: dict[str, Any] = {
        "/health": {"get": _operation("Whether all models are served, and which versions.")},
        "/metrics": {"get": _operation("Counters for Prometheus.", {"text/plain": {"schema": {"type": "string"}}})},
        "/v2": {"get": _operation("Name and version of the server.")},
        "/v2/health/live": {"get": _operation("Whether the process answers.")},
        "/v2/health/ready": {"get": _operation("Whether all models are served.")},
    }
    for model in models.values():
        if model.current is not None:
            paths |= _paths(model.current.artifact)
    return {
        "openapi": "3.1.0",
        "info": {"title": "keras_gen serve", "version": keras_gen.__version__},
        "paths": paths,
        "components": {"schemas": {"error": ERROR}},
    }


def _paths(artifact: ServedArtifact) -> dict[str, Any]:
    v1, v2, shown = (f"{root}/models/{artifact.name}" for root in ("/v1", "/v2", ""))
    paths = {
        v1: {"get": _operation("State of the versions.")},
        f"{v1}/metadata": {"get": _operation("Signatures: an endpoint each.")},
        f"{v1}:predict": {
            "post": {**_operation("Run an endpoint, row by row or in columns."), **_body(_predict(artifact))}
        },
        v2: {"get": _operation("Inputs and outputs.")},
        f"{v2}/ready": {"get": _operation("Whether it is served.")},
        f"{v2}/infer": {"post": {**_operation("Run an endpoint on tensors."), **_body(_infer(artifact))}},
    }
    for endpoint, kinds in artifact.inputs.items():
        picture = _operation(f"Images of {endpoint} as a PNG.", {"image/png": {}})
        count = {"type": "integer", "minimum": 1, "default": 1}
        fields = [_field("seed", SEED, True), _field("n", count, True)]
        fields += [
            _field(name, {"type": "string", "description": kind.wanted(None)}, kind.default is not None)
            for name, kind in kinds.items()
            if not takes_noise(kind)
        ]
        paths[f"{shown}/{endpoint}.png"] = {"get": {**picture, "parameters": fields}}
    return paths


def _operation(summary: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    good = {"description": "As asked.", "content": content or {"application/json": {"schema": {"type": "object"}}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
    failures = {status: {"description": text, "content": error} for status, text in FAILURES.items()}
    return {"summary": summary, "responses": {"200": good, **failures}}


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _field(name: str, schema: Mapping[str, Any], optional: bool) -> dict[str, Any]:
    # What has to be given may also be the body of a POST, so nothing in the query is ever asked for.
    return {"name": name, "in": "query", "required": False, "schema": {**schema, "x-optional": optional}}


def _predict(artifact: ServedArtifact) -> dict[str, Any]:
    """Of each endpoint the body with ``instances``, and with ``inputs``."""
    forms = []
    for endpoint, kinds in artifact.inputs.items():
        names = [endpoint] + (["serving_default"] if endpoint == artifact.default_endpoint else [])
        asked = [name for name, kind in kinds.items() if not takes_noise(kind) and kind.default is None]
        rows = {name: _value(kind) for name, kind in kinds.items()}
        columns = {name: {"type": "array", "minItems": 1, "items": schema} for name, schema in rows.items()}
        instance = {"type": "object", "properties": rows, "required": asked, "additionalProperties": False}
        instances = {"type": "array", "minItems": 1, "items": instance}
        inputs = {"type": "object", "properties": columns, "required": asked, "additionalProperties": False}
        for form, schema in (("instances", instances), ("inputs", inputs)):
            properties = {"signature_name": {"enum": names}, "seed": SEED, form: schema}
            required = [form] if endpoint == artifact.default_endpoint else [form, "signature_name"]
            forms.append(
                {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
            )
    return {"oneOf": forms}


def _value(kind: Input) -> dict[str, Any]:
    """One example: numbers nested as its shape says, or text or bytes for what is no plain noise."""
    number = {"type": "integer" if "int" in kind.dtype else "boolean" if kind.dtype == "bool" else "number"}
    if kind.range is not None:
        number |= {"minimum": kind.range[0], "maximum": kind.range[1]}
    for side in reversed(kind.shape):
        number = {"type": "array", "minItems": side, "maxItems": side, "items": number}
    if takes_noise(kind):
        return {**number, "description": kind.wanted(None)}
    return {"anyOf": [number, {"type": "string"}, BINARY, {"type": "object"}], "description": kind.wanted(None)}


def _infer(artifact: ServedArtifact) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": sorted({name for kinds in artifact.inputs.values() for name in kinds})},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 8},
            "datatype": {"enum": ["FP16", "FP32", "FP64", "INT32", "INT64", "UINT8", "BOOL", "BYTES"]},
            "data": {"type": "array"},
        },
    }
    signature = {"enum": [*artifact.inputs, "serving_default"], "default": artifact.default_endpoint}
    parameters = {"type": "object", "properties": {"signature_name": signature, "seed": SEED}}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": parameters,
            "inputs": {"type": "array", "minItems": 1, "items": tensor},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
    }
