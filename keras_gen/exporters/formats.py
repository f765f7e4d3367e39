"""What an export format is: one way to write endpoints, one way to run what was written."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput, TrainingDiverged
from keras_gen.core.registry import Registry

if TYPE_CHECKING:
    import tensorflow as tf

Arrays = dict[str, np.ndarray]
# run(endpoint, inputs) -> outputs, whatever lies beneath: so that every format is compared by the same code.
Run = Callable[[str, Mapping[str, np.ndarray]], Arrays]
Graphs = Mapping[str, Any]


class FormatFailed(Exception):
    """What was written of an endpoint cannot be opened or run; the text says why. Who asked for it decides whose fault it is."""


@contextlib.contextmanager
def attempt(what: str) -> Iterator[None]:
    """Within, an error of the program that runs a format (it has its own kinds) becomes a ``FormatFailed`` about ``what``."""
    try:
        yield
    except (FormatFailed, InvalidInput, TrainingDiverged, MemoryError):
        raise
    except Exception as error:
        raise FormatFailed(f"{what}: {type(error).__name__}: {str(error).strip()[:600]}") from error


@dataclasses.dataclass(frozen=True)
class Format:
    """One export format.

    ``write(graphs, folder, version)`` writes all endpoints below the artifact's ``folder`` and returns the format's
    entry for the manifest; ``load(folder, entry)`` makes them runnable again; both it and what it returns raise
    ``FormatFailed``. ``packages`` are those whose versions
    matter. ``compiled``: whether graphs may carry XLA where an endpoint asks for it.
    """

    packages: tuple[str, ...]
    write: Callable[[Graphs, Path, int], dict[str, Any]]
    load: Callable[[Path, Mapping[str, Any]], Run]
    compiled: bool = False


FORMATS = Registry("export format")
FORMATS.register("saved_model", "keras_gen.exporters.saved_model:SAVED_MODEL")
FORMATS.register("onnx", "keras_gen.exporters.onnx:ONNX")


def signature(endpoint: Endpoint) -> dict[str, "tf.TensorSpec"]:
    """Name -> shape ``[any, *shape]`` and dtype of the endpoint's inputs."""
    import tensorflow as tf

    return {name: tf.TensorSpec((None, *kind.shape), kind.dtype, name) for name, kind in endpoint.inputs.items()}


def traced(endpoints: Mapping[str, Endpoint], compiled: bool = False) -> dict[str, Any]:
    """Each endpoint as a ``tf.function`` of one dict, any batch size; ``compiled``: by XLA, where the endpoint asks for it.

    Two names of one endpoint share one function.
    """
    import tensorflow as tf

    graphs: dict[int, Any] = {}
    for endpoint in endpoints.values():
        if id(endpoint) not in graphs:
            graphs[id(endpoint)] = tf.function(
                endpoint.function,
                input_signature=[signature(endpoint)],
                jit_compile=True if compiled and endpoint.compiled else None,
            )
    return {name: graphs[id(endpoint)] for name, endpoint in endpoints.items()}


def run_graphs(graphs: Graphs) -> Run:
    """Runs traced endpoints, as ``Format.load`` does with written ones."""
    import tensorflow as tf

    def run(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        function = graphs[endpoint].get_concrete_function()
        outputs = function({name: tf.convert_to_tensor(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return run
