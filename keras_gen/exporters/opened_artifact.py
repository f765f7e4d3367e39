"""An exported artifact, checked and opened: its endpoints, run by name, whatever they are. No TensorFlow where it is ONNX."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input, input_of
from keras_gen.exporters.formats import FORMATS, FormatFailed, Run
from keras_gen.exporters.manifest import check_files, read_manifest

FASTEST_FIRST = ("onnx", "saved_model")


class OpenedArtifact:
    """What ``export`` wrote. ``inputs``: of each endpoint, name -> kind, as the manifest says.

    Args:
        path: the artifact's folder.
        format: ``"onnx"`` or ``"saved_model"``; default: the first of these that it holds.

    Raises:
        InvalidInput: no artifact, a damaged one, one without the format, or with an input of a kind that nobody registered in
            ``INPUT_KINDS``.
    """

    def __init__(self, path: str | os.PathLike, format: str | None = None):
        folder = Path(path)
        manifest = read_manifest(folder)
        held = [name for name in FASTEST_FIRST if name in manifest["formats"]]
        if not held or (format is not None and format not in held):
            there = ", ".join(held or manifest["formats"])
            raise InvalidInput(
                f"{folder} holds {there}, not {format or FASTEST_FIRST[0]!r}; export it in that format too."
            )
        self.check_endpoints(folder, manifest)
        check_files(folder, manifest)
        self.format = format or held[0]
        self.manifest, self.name, self.model_class = manifest, folder.name, manifest["model"]
        self.image_spec = ImageSpec.from_any(manifest["image_spec"])
        self.inputs = {
            name: self._kinds(folder, name, entry["inputs"]) for name, entry in manifest["endpoints"].items()
        }
        self._run = self._in_words(self.opened)(folder, manifest["formats"][self.format])

    def check_endpoints(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """``InvalidInput`` where it lacks an endpoint that a subclass needs."""

    def opened(self, folder: Path, entry: Mapping[str, Any]) -> Run:
        """What runs the endpoints."""
        return FORMATS.get(self.format).load(folder, entry)

    def outputs(self, endpoint: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the endpoint gives; ``InvalidInput`` if it does not run, or gives other outputs than the manifest says."""
        outputs, size = self._in_words(self._run)(endpoint, inputs), len(next(iter(inputs.values())))
        for name, entry in self.manifest["endpoints"][endpoint]["outputs"].items():
            found = outputs.get(name)
            if found is None or found.dtype.name != entry["dtype"] or found.shape != (size, *entry["shape"][1:]):
                came = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise InvalidInput(
                    f"{self.name}: endpoint {endpoint!r} gives {came} as {name!r}; its manifest says {entry}. Export the "
                    "model again."
                )
        return outputs

    @staticmethod
    def _kinds(folder: Path, endpoint: str, entries: Mapping[str, Any]) -> dict[str, Input]:
        try:
            return {name: input_of(name, entry) for name, entry in entries.items()}
        except InvalidInput as error:
            raise InvalidInput(f"{folder}: endpoint {endpoint!r}: {error}") from error

    def _in_words(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except FormatFailed as error:
                raise InvalidInput(
                    f"{self.name}: {error}. It was written with {self.manifest['versions']}; export the model again here."
                ) from error

        return called
