"""An exported artifact as something that can be sampled and measured, without the model it came from."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.completion import completed
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import check_noise, drawn_kind
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE, Sampler
from keras_gen.exporters.formats import FORMATS
from keras_gen.exporters.manifest import check_files, read_manifest

FASTEST_FIRST = ("onnx", "saved_model")


class LoadedArtifact(Sampler):
    """What ``export`` wrote, checked and opened: ``sample(n, seed)`` draws what the live model would.

    Endpoints are methods where they exist: ``log_prob(images)``, ``complete(images, known_mask, seed)``, ``encode(images)``,
    ``decode(z)``.

    Args:
        path: the artifact's folder.
        format: ``"onnx"`` or ``"saved_model"``; default: the first of these that it holds.

    Raises:
        InvalidInput: no artifact, a damaged one, or one without the format or without the endpoint ``sample``.
    """

    def __init__(self, path: str | os.PathLike, format: str | None = None):
        folder = Path(path)
        manifest = read_manifest(folder)
        held = [name for name in FASTEST_FIRST if name in manifest["formats"]]
        if format is not None and format not in held:
            raise InvalidInput(f"{folder} holds {', '.join(held)}, not {format!r}; export it in that format too.")
        endpoints = manifest["endpoints"]
        if "sample" not in endpoints:
            raise InvalidInput(
                f"{folder} ({manifest['model']}) has no endpoint 'sample', only {', '.join(endpoints)}, so it cannot be "
                "measured by its images; export a model that samples."
            )
        check_files(folder, manifest)
        self.format = format or held[0]
        self.manifest, self.name, self.model_class = manifest, folder.name, manifest["model"]
        self.image_spec = ImageSpec.from_any(manifest["image_spec"])
        kinds = {name: drawn_kind(entry) for name, entry in endpoints["sample"]["inputs"].items()}
        described = {name: entry["distribution"] for name, entry in endpoints["sample"]["inputs"].items()}
        if unknown := [name for name, kind in kinds.items() if kind is None]:
            raise InvalidInput(f"{folder}: 'sample' eats {unknown[0]!r}, which is neither noise nor a label.")
        self._noise = {name: kind for name, kind in kinds.items() if described[name] is not None}
        self._conditions = {name: kind for name, kind in kinds.items() if described[name] is None}
        self._run = FORMATS.get(self.format).load(folder, manifest["formats"][self.format])

    def noise_spec(self) -> Mapping[str, Any]:
        """As the manifest says."""
        return self._noise

    def condition_spec(self) -> Mapping[str, Any]:
        """As the manifest says."""
        return self._conditions

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """The endpoint ``sample``: uint8 ``[n, h, w, c]``."""
        check_noise(self._noise, noise)
        inputs = self.checked_conditions(conditions or {}, len(next(iter(noise.values()))))
        return self._run("sample", {**noise, **inputs})["image"]

    def __getattr__(self, name: str) -> Callable[..., np.ndarray]:
        """The artifact's other endpoints, which may be absent, as ``hasattr`` then says."""
        methods = {"log_prob": self._log_prob, "complete": self._complete}
        methods |= {"encode": self._encode, "decode": self._decode}
        if name in methods and name in self.manifest["endpoints"]:
            return methods[name]
        raise AttributeError(f"{type(self).__name__} of {self.__dict__.get('name')} has no {name!r}")

    def _log_prob(self, images: Any, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any) -> np.ndarray:
        images = self.image_spec.check(images)
        inputs = {"image": images, **self.checked_conditions(conditions, len(images), required=True)}
        return self._batched("log_prob", inputs, batch_size)["log_prob"]

    def _complete(
        self, images: Any, known_mask: Any, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any
    ) -> np.ndarray:
        def draw(noise: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            return self._run("complete", {**noise, **inputs})["image"]

        return completed(self, draw, images, known_mask, seed, batch_size, conditions)

    def _encode(self, images: Any, *, batch_size: int = DEFAULT_BATCH_SIZE) -> Any:
        outputs = self._batched("encode", {"image": self.image_spec.check(images)}, batch_size)
        # A VAE's distribution in the order of its live method, or the one code of a plain encoder.
        return (outputs["mean"], outputs["log_variance"]) if "mean" in outputs else next(iter(outputs.values()))

    def _decode(self, z: Any, *, batch_size: int = DEFAULT_BATCH_SIZE) -> np.ndarray:
        return next(iter(self._batched("decode", {"z": np.asarray(z, np.float32)}, batch_size).values()))

    def _batched(self, endpoint: str, inputs: Mapping[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
        count = len(next(iter(inputs.values())))
        parts = [
            self._run(endpoint, {name: values[start : start + size] for name, values in inputs.items()})
            for start in range(0, count, size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
