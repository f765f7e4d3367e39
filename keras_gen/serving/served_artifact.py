"""One version of a model as it is served: an artifact in ONNX Runtime, proven on this machine before anybody asks it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.exporters import onnx
from keras_gen.exporters.formats import Run
from keras_gen.exporters.opened_artifact import OpenedArtifact
from keras_gen.exporters.parity import BY_VERSIONS, compare, read_reference

DEFAULT = ("", "serving_default")  # signatures that stand for the endpoint a client did not name


class ServedArtifact(OpenedArtifact):
    """One version, in ONNX Runtime, its numbers compared with those of the model it came from.

    Args:
        threads: of one run, where its endpoint is not drawn pixel by pixel.
    """

    def __init__(self, path: Path, name: str, version: int | None, threads: int):
        self._threads = threads
        super().__init__(path, "onnx")
        self.name = name
        self.version = version or self.manifest["version"]
        self.default_endpoint = "sample" if "sample" in self.inputs else next(iter(self.inputs))
        for endpoint, entry in self.manifest["endpoints"].items():
            reference = read_reference(path, endpoint)
            agreement = compare(reference, self.outputs, endpoint, entry.get("sequential", False))
            if agreement.problems:
                raise InvalidInput(
                    f"{path}: endpoint {endpoint!r} does not give what the model gave: {'; '.join(agreement.problems)}. "
                    f"{BY_VERSIONS.format(self.manifest['versions'])}"
                )

    def opened(self, folder: Path, entry: Mapping[str, Any]) -> Run:
        """Each endpoint in a session of its own.

        A sampler's loop is thousands of small operations, each over before a second thread has woken up: one thread runs it
        quickest. So does one thread run small convolutions: a DCGAN of 8 px takes 0.55 ms for 32 images with one and 1.4 ms with
        two. Cores are used by several runs beside each other; ``threads`` is for models large enough to gain from more.
        """
        endpoints = self.manifest["endpoints"]
        threads = {name: 1 if endpoints[name].get("sequential", False) else self._threads for name in entry["files"]}
        return onnx.load(folder, entry, threads)

    def endpoint_named(self, signature: Any) -> str:
        """The endpoint that a request's signature names; left out (None), the one that samples, or else the first."""
        if signature is None or signature in DEFAULT:
            return self.default_endpoint
        if not isinstance(signature, str) or signature not in self.inputs:
            raise InvalidInput(
                f"{self.name} has no signature {signature!r:.80}; it has {', '.join(self.inputs)} and serving_default, which is "
                f"{self.default_endpoint}."
            )
        return signature

    def outputs_of(self, endpoint: str) -> Mapping[str, Any]:
        """The manifest's entries of the endpoint's outputs."""
        return self.manifest["endpoints"][endpoint]["outputs"]

    def row_bytes(self, endpoint: str) -> int:
        """What one example's inputs and outputs take."""
        entries = [(kind.dtype, kind.shape) for kind in self.inputs[endpoint].values()]
        entries += [(entry["dtype"], entry["shape"][1:]) for entry in self.outputs_of(endpoint).values()]
        return sum(np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64)) for dtype, shape in entries)
