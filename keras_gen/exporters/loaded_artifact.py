"""An exported artifact as something that can be sampled and measured, without the model it came from."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.completion import completed
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input, check_inputs
from keras_gen.core.noise import draw
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE, Sampler
from keras_gen.core.translation import Translation, translates
from keras_gen.exporters.opened_artifact import OpenedArtifact


class LoadedArtifact(OpenedArtifact, Sampler):
    """What ``export`` wrote, checked and opened: ``sample(n, seed)`` draws what the live model would.

    Endpoints are methods where they exist: ``log_prob(images)``, ``complete(images, known_mask, seed)``, ``encode(images)``,
    ``decode(z)``, ``translate(images, seed)``, ``translate_ab(images)``, ``translate_ba(images)``.

    Args:
        path: the artifact's folder.
        format: ``"onnx"`` or ``"saved_model"``; default: the first of these that it holds.

    Raises:
        InvalidInput: no artifact, a damaged one, one without the format or without the endpoint ``sample``, or with an input
            of a kind that nobody registered in ``INPUT_KINDS``.
    """

    def __init__(self, path: str | os.PathLike, format: str | None = None):
        super().__init__(path, format)
        self.draws_in_order = self.manifest["endpoints"]["sample"].get("sequential", False)
        drawn = self.inputs["sample"]
        self._noise = {name: kind for name, kind in drawn.items() if kind.distribution is not None}
        self._conditions = {name: kind for name, kind in drawn.items() if kind.distribution is None}

    def check_endpoints(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """It has ``sample``."""
        if "sample" not in manifest["endpoints"]:
            raise InvalidInput(
                f"{folder} ({manifest['model']}) has no endpoint 'sample', only {', '.join(manifest['endpoints'])}, so it "
                "cannot be measured by its images; export a model that samples."
            )

    # Its endpoint "sample" was proven.
    draws_images = True

    def noise_spec(self) -> Mapping[str, Any]:
        """As the manifest says."""
        return self._noise

    def condition_spec(self) -> Mapping[str, Any]:
        """As the manifest says."""
        return self._conditions

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """The endpoint ``sample``: uint8 ``[n, h, w, c]``."""
        noise, inputs = self.checked_inputs(noise, conditions or {})
        return self.outputs("sample", {**noise, **inputs})["image"]

    def __getattr__(self, name: str) -> Callable[..., np.ndarray]:
        """The artifact's other endpoints, which may be absent, as ``hasattr`` then says."""
        methods = {"log_prob": self._log_prob, "complete": self._complete}
        methods |= {"encode": self._encode, "decode": self._decode}
        if name.startswith("translate_") or name == "translate":
            methods[name] = functools.partial(self._translate, name)
        if name in methods and name in self.manifest["endpoints"]:
            return methods[name]
        raise AttributeError(f"{type(self).__name__} of {self.__dict__.get('name')} has no {name!r}")

    def dequantization_spec(self) -> Mapping[str, Input]:
        """The noise that ``log_prob`` takes: of a flow; empty where there is none."""
        return {name: kind for name, kind in self.inputs.get("log_prob", {}).items() if kind.distribution is not None}

    def _log_prob(
        self, images: Any, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any
    ) -> np.ndarray:
        """Of a flow with one draw of its dequantization noise an image, the live model's of that seed."""
        images = self.image_spec.check(images)
        noise = draw(self.dequantization_spec(), len(images), seed)
        return self._batched("log_prob", {"image": images, **noise, **conditions}, batch_size)["log_prob"]

    def _complete(
        self, images: Any, known_mask: Any, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any
    ) -> np.ndarray:
        def draw(noise: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            return self.outputs("complete", {**noise, **inputs})["image"]

        return completed(self, draw, images, known_mask, seed, batch_size, conditions)

    def translations(self) -> Mapping[str, Translation]:
        """The endpoints whose names begin with ``translate``."""
        found = {}
        for name, inputs in self.inputs.items():
            output = self.manifest["endpoints"][name]["outputs"].get("image")
            if (
                not name.startswith("translate")
                or not translates(inputs)
                or output is None
                or output["dtype"] != "uint8"
            ):
                continue
            spec = ImageSpec(*output["shape"][1:], levels=int((output["range"] or (0, 255))[1]) + 1)
            run = functools.partial(self._images_of, name)
            found[name] = Translation(self, inputs, spec, run)
        return found

    def _images_of(self, name: str, noise: Mapping[str, Any], conditions: Mapping[str, Any]) -> np.ndarray:
        return self.outputs(name, {**noise, **conditions})["image"]

    def _translate(
        self, name: str, images: Any, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any
    ) -> np.ndarray:
        return self.translations()[name].images(images, seed, batch_size, conditions)

    def _encode(self, images: Any, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any) -> Any:
        outputs = self._batched("encode", {"image": images, **conditions}, batch_size)
        # A VAE's distribution in the order of its live method, or the one code of a plain encoder.
        return (outputs["mean"], outputs["log_variance"]) if "mean" in outputs else next(iter(outputs.values()))

    def _decode(self, z: Any, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any) -> np.ndarray:
        return next(iter(self._batched("decode", {"z": z, **conditions}, batch_size).values()))

    def _batched(self, endpoint: str, given: Mapping[str, Any], batch_size: int) -> dict[str, np.ndarray]:
        """The endpoint's outputs of all that was given, each input checked by its kind."""
        size = integer("batch_size", batch_size, 1)
        inputs = check_inputs(self.inputs[endpoint], given, f"{endpoint} of {self.name}")
        count = len(next(iter(inputs.values())))
        if not count:
            raise InvalidInput(f"{endpoint} of {self.name} got no example at all; give at least one.")
        parts = [
            self.outputs(endpoint, {name: values[start : start + size] for name, values in inputs.items()})
            for start in range(0, count, size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
