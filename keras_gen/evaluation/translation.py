"""Models that answer images with images: what they are asked, what no learning would answer, and the way back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.core.resizing import resized
from keras_gen.core.sampler import Sampler
from keras_gen.evaluation.memorisation import nearest_training_images


def source_of(model: Any) -> ImageSpec | None:
    """What images the model makes its images of; None where it makes them of none."""
    kind = model.condition_spec().get("source")
    return kind.spec if isinstance(kind, Images) and model.is_sampled() else None


def goes_back(model: Any) -> bool:
    """Whether the model also makes sources of images."""
    return hasattr(model, "translate_ba") and source_of(model) is not None


class Backwards(Sampler):
    """The same model the other way: images are its sources."""

    draws_images = True

    def __init__(self, model: Any):
        self.model, self.image_spec, self.name = model, source_of(model), getattr(model, "name", "model")

    def noise_spec(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def condition_spec(self) -> Mapping[str, Input]:
        """``{"source": Images}`` of the model's images."""
        return {"source": Images(self.model.image_spec)}

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """The model's ``translate_ba``: uint8 ``[n, h, w, c]``."""
        return self.model.translate_ba(conditions["source"])


def told_apart(data: ImageData) -> str | None:
    """Why nobody can say how far an answer is from the right one; None where that is known."""
    if data.paired or data.truth_known:
        return None
    return f"{data.name} does not say which image belongs to which source."


def copied(sources: np.ndarray, spec: ImageSpec, wanted: ImageSpec) -> tuple[str, np.ndarray] | None:
    """Sources as images of ``wanted``, by no more than their levels, grey repeated over channels (or the channels' mean), and
    where sizes differ bicubic resizing; with the name of that: ``"copy"`` or ``"bicubic"``. None for other channels.
    """
    levels = sources.astype(np.float32) * np.float32((wanted.levels - 1) / (spec.levels - 1))
    if spec.channels != wanted.channels:
        if 1 not in (spec.channels, wanted.channels):
            return None
        levels = levels.mean(axis=-1, keepdims=True).repeat(wanted.channels, axis=-1)
    alike = spec.shape[:2] == wanted.shape[:2]
    if not alike:
        levels = resized(levels, wanted.shape[:2])
    return "copy" if alike else "bicubic", np.round(np.clip(levels, 0, wanted.levels - 1)).astype(np.uint8)


def of_nearest_sources(sources: np.ndarray, train: ImageData) -> np.ndarray:
    """For each source the image of the training source that is nearest to it in pixels."""
    rows = nearest_training_images(sources, train.features["source"], train.source_spec.levels)[1][:, 0]
    return train.images[rows]
