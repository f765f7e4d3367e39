"""Completing images whose first pixels are known: the same for a live model and for an artifact that was read back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_gen.core.inputs import Images, KnownPixels
from keras_gen.core.sampler import Sampler


def completed(
    sampler: Sampler,
    draw: Callable[[dict[str, np.ndarray], dict[str, np.ndarray]], np.ndarray],
    images: Any,
    known_mask: Any,
    seed: int,
    batch_size: int,
    conditions: Mapping[str, Any],
) -> np.ndarray:
    """``draw(noise, inputs)`` batch by batch; inputs are the conditions, ``known_image`` and ``known_mask``.

    Arguments otherwise as in ``AutoregressiveModel.complete``, which says what is refused.
    """
    spec = sampler.image_spec
    images = Images(spec).check("image", images)
    known = KnownPixels(spec).check("known_mask", known_mask, len(images))
    inputs = {**sampler.checked_conditions(conditions, len(images)), "known_image": images, "known_mask": known}
    return sampler.drawn(draw, len(images), seed, inputs, batch_size)
