"""ONNX: one file ``onnx/<endpoint>.onnx`` an endpoint, opset 17, batch dimension ``"batch"``.

tf2onnx logs an operation it lacks and writes an invalid file, so nothing here is believed: names are compared,
operations looked up in the standard (in the bodies of Loop and If too), and the checker infers every shape.
"""

import contextlib
import importlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.errors import ExportFailed, InvalidInput
from keras_gen.exporters.conversion import convert
from keras_gen.exporters.formats import Arrays, Format, Graphs, Run, attempt

OPSET = 17  # tf2onnx 1.17 writes wrong graphs from 19 on


def write(graphs: Graphs, folder: Path, version: int) -> dict[str, Any]:
    """Converts every endpoint. ``ExportFailed`` names the endpoint and what in it ONNX cannot express."""
    onnx = _package("onnx")
    (folder / "onnx").mkdir()
    files: dict[str, str] = {}
    written: dict[int, str] = {}
    for endpoint, graph in graphs.items():
        if id(graph) in written:  # the same under another name
            files[endpoint] = written[id(graph)]
            continue
        proto = _converted(endpoint, graph)
        _name_the_batch(proto)
        try:
            onnx.checker.check_model(proto, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise _failed(endpoint, f"the ONNX checker says: {error}") from error
        files[endpoint] = written[id(graph)] = f"onnx/{endpoint}.onnx"
        onnx.save(proto, folder / files[endpoint])
    return {"opset": OPSET, "files": files}


def load(folder: Path, entry: Mapping[str, Any], threads: Mapping[str, int] | None = None) -> Run:
    """Opens the files of the manifest's ``entry`` in ONNX Runtime, on the CPU; its errors become ``FormatFailed``.

    ``threads``: of each endpoint, how many compute within one run; default: ONNX Runtime's choice, all cores. Runs from several
    threads of Python go on beside each other.
    """
    runtime = _package("onnxruntime")
    sessions = {}
    for endpoint, file in entry["files"].items():
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # fatal ones; others are raised
        if threads is not None:
            options.intra_op_num_threads = threads[endpoint]
        with attempt(f"ONNX Runtime cannot open endpoint {endpoint!r}"):
            sessions[endpoint] = runtime.InferenceSession(
                str(folder / file), options, providers=["CPUExecutionProvider"]
            )

    def run(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        with attempt(f"ONNX Runtime cannot run endpoint {endpoint!r}"):
            names = [output.name for output in sessions[endpoint].get_outputs()]
            return dict(zip(names, sessions[endpoint].run(names, dict(inputs)), strict=True))

    return run


ONNX = Format(("onnx", "tf2onnx", "onnxruntime"), write, load)


def unknown_operations(proto: Any) -> set[str]:
    """Operations of the model, bodies of Loop and If included, that its opsets do not define."""
    onnx = _package("onnx")
    versions = {opset.domain: opset.version for opset in proto.opset_import}
    unknown: set[str] = set()
    graphs = [proto.graph]
    while graphs:
        for node in graphs.pop().node:
            if not onnx.defs.has(node.op_type, versions.get(node.domain, 0), node.domain):
                unknown.add(node.op_type)
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs)
    return unknown


def _converted(endpoint: str, graph: Any) -> Any:
    """The endpoint's ModelProto, complete and with the endpoint's names."""
    _package("tf2onnx")
    concrete = graph.get_concrete_function()
    with _complaints() as complaints:
        try:
            proto = convert(graph, OPSET)
        except Exception as error:
            raise _failed(endpoint, f"tf2onnx says: {error}") from error
    if unknown := unknown_operations(proto):
        raise _failed(endpoint, f"ONNX has no operation {', '.join(sorted(unknown))}{_first(complaints)}")
    for side, wanted, found in (
        ("inputs", concrete.structured_input_signature[0][0], proto.graph.input),
        ("outputs", concrete.structured_outputs, proto.graph.output),
    ):
        names = {value.name for value in found}
        if names != set(wanted):
            raise _failed(endpoint, f"its {side} {sorted(wanted)} became {sorted(names)} (an unused input disappears)")
    return proto


def _name_the_batch(proto: Any) -> None:
    """tf2onnx gives every dynamic dimension a name of its own; the first of each input and output is the batch."""
    for value in (*proto.graph.input, *proto.graph.output):
        shape = value.type.tensor_type.shape
        if len(shape.dim):
            shape.dim[0].Clear()
            shape.dim[0].dim_param = "batch"


def _failed(endpoint: str, why: str) -> ExportFailed:
    return ExportFailed(
        f"Endpoint {endpoint!r} cannot be written as ONNX: {why}. Export with format='saved_model' alone, or build the "
        f"model so that {endpoint!r} does without it. Nothing was written."
    )


def _first(complaints: list[str]) -> str:
    return f" (tf2onnx: {complaints[0].splitlines()[0]})" if complaints else ""


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collects what tf2onnx logs as errors, and keeps all its log from the screen."""
    messages: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("tf2onnx")
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _package(name: str) -> Any:
    """Imported when first needed: who exports a SavedModel needs none of them."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InvalidInput(
            f"ONNX needs the package {name}, which is not installed; run: pip install onnx tf2onnx onnxruntime"
        ) from error
