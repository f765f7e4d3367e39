"""TensorFlow Serving's REST API, version 1: status, metadata and predict.

An endpoint is a signature; ``serving_default`` is the one that samples. Unlike there, noise may be left out: it is then drawn of
the body's ``"seed"`` (0), as in ``model.sample``. So may conditions that have a default.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Input
from keras_gen.serving.answering import Service, json_response, size_of
from keras_gen.serving.examples import is_binary, json_of, known_keys, received, seed_of
from keras_gen.serving.limits import Refused
from keras_gen.serving.served_artifact import ServedArtifact
from keras_gen.serving.versions import Version

TYPES = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "int32": "DT_INT32", "int64": "DT_INT64"}
TYPES |= {"uint8": "DT_UINT8", "bool": "DT_BOOL"}
FORMS = ("instances", "inputs")


def routes(service: Service) -> list[Route]:
    """Below ``/v1``."""

    async def status(request: Request) -> Response:
        wanted = request.path_params.get("version")
        states = _states(service, request.path_params["model"])
        chosen = [state for state in states if wanted in (None, state["version"])]
        if not chosen:
            raise Refused(
                404, f"Servable not found for request: Specific({request.path_params['model']}, {wanted:.20})"
            )
        return json_response({"model_version_status": chosen})

    async def metadata(request: Request) -> Response:
        with service.version(request) as version:
            return json_response(_metadata(version.artifact))

    async def predict(request: Request) -> Response:
        service.check_room(request)
        async with service.bodies.body(request) as body:
            with service.version(request) as version:
                endpoint, by_rows, given, rows, seed = await service.apart(len(body), _asked, version, body)
                async with service.outputs(request, version, endpoint, given, rows, seed) as outputs:
                    return await service.apart(size_of(outputs), _answer, outputs, by_rows)

    both = [("/v1/models/{model}", status, "GET"), ("/v1/models/{model}/metadata", metadata, "GET")]
    both += [("/v1/models/{model}:predict", predict, "POST")]
    return [
        Route(path.replace("{model}", place), handler, methods=[method])
        for path, handler, method in reversed(both)  # the bare name last: it would take ":predict" for a part of itself
        for place in ("{model}/versions/{version}", "{model}")
    ]


def _states(service: Service, name: str) -> list[dict[str, Any]]:
    model = service.models.named(name)
    states = [("UNLOADING", version.artifact.version, "OK", "") for version in model.ending]
    if model.current is not None:
        states.append(("AVAILABLE", model.current.artifact.version, "OK", ""))
    states += [("END", version or 0, "INVALID_ARGUMENT", why) for version, why in model.failed.values()]
    return [
        {"version": str(version), "state": state, "status": {"error_code": code, "error_message": why}}
        for state, version, code, why in sorted(states, key=lambda state: -state[1])
    ]


def _metadata(artifact: ServedArtifact) -> dict[str, Any]:
    def tensors(entries: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
        return {
            name: {
                "dtype": TYPES[dtype],
                "tensor_shape": {
                    "dim": [{"size": str(side), "name": ""} for side in (-1, *shape)],
                    "unknown_rank": False,
                },
                "name": name,
            }
            for name, (dtype, shape) in entries.items()
        }

    signatures = {
        endpoint: {
            "inputs": tensors({name: (kind.dtype, kind.shape) for name, kind in kinds.items()}),
            "outputs": tensors(
                {name: (entry["dtype"], entry["shape"][1:]) for name, entry in artifact.outputs_of(endpoint).items()}
            ),
            "method_name": "tensorflow/serving/predict",
        }
        for endpoint, kinds in artifact.inputs.items()
    }
    signatures["serving_default"] = signatures[artifact.default_endpoint]
    return {
        "model_spec": {"name": artifact.name, "signature_name": "", "version": str(artifact.version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _asked(version: Version, body: bytes) -> tuple[str, bool, dict[str, Any], int, int]:
    """Endpoint, whether row by row, what was given, how many examples, and the seed."""
    asked = json_of(body)
    known_keys(asked, ("signature_name", *FORMS, "seed"), "The body")
    endpoint = version.artifact.endpoint_named(asked.get("signature_name"))
    kinds, forms = version.artifact.inputs[endpoint], [form for form in FORMS if form in asked]
    if len(forms) != 1:
        raise InvalidInput(
            "The body holds both 'instances' and 'inputs'." if forms else "The body holds no 'instances'."
        )
    by_rows = forms[0] == "instances"
    if by_rows and isinstance(asked["instances"], list):
        version.batchers[endpoint].check_rows(len(asked["instances"]))  # before each is looked at
    columns = (_of_instances if by_rows else _of_inputs)(kinds, asked[forms[0]])
    rows = len(asked["instances"]) if by_rows else len(next(iter(columns.values())))
    version.batchers[endpoint].check_rows(rows)
    given = {name: received(kinds, name, values) for name, values in columns.items()}
    return endpoint, by_rows, given, rows, seed_of(asked.get("seed"))


def _of_instances(kinds: Mapping[str, Input], instances: Any) -> dict[str, list]:
    """Row form: a list of objects, each with a value an input; of an endpoint with one input, a list of its values."""
    if not isinstance(instances, list) or not instances:
        raise InvalidInput("'instances' is no list of examples; give one example at least.")
    if all(isinstance(each, dict) and not is_binary(each) for each in instances):
        names = set(instances[0])
        for place, each in enumerate(instances):
            if set(each) != names:
                raise InvalidInput(
                    f"instance {place} holds {sorted(each)}, instance 0 {sorted(names)}; give the same inputs in each."
                )
        return {name: [each[name] for each in instances] for name in instances[0]}
    if len(kinds) != 1:
        raise InvalidInput(f"Each of 'instances' has to be an object of {', '.join(kinds)}.")
    return {next(iter(kinds)): instances}


def _of_inputs(kinds: Mapping[str, Input], inputs: Any) -> dict[str, list]:
    """Column form: an object with a list an input; of an endpoint with one input, its list."""
    if not isinstance(inputs, dict) or is_binary(inputs):
        if len(kinds) != 1:
            raise InvalidInput(f"'inputs' has to be an object of {', '.join(kinds)}.")
        inputs = {next(iter(kinds)): inputs}
    for name, values in inputs.items():
        if not isinstance(values, list):
            raise InvalidInput(f"{name:.80} is {values!r:.60}; give a list, one value an example.")
    if not inputs or not next(iter(inputs.values())):
        raise InvalidInput("'inputs' holds no example; give one at least.")
    return inputs


def _answer(outputs: Mapping[str, np.ndarray], by_rows: bool) -> Response:
    """One output is its values, several an object of them; by rows, of each example."""
    lists = {name: values.tolist() for name, values in outputs.items()}
    if len(lists) == 1:
        only = next(iter(lists.values()))
        return json_response({"predictions" if by_rows else "outputs": only})
    if not by_rows:
        return json_response({"outputs": lists})
    return json_response(
        {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}
    )
