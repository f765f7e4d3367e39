"""Completing images whose first pixels are known: the same for a live model and for an artifact that was read back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseStream
from keras_gen.core.sampler import Sampler

Finish = Callable[[Mapping[str, np.ndarray], np.ndarray, np.ndarray], np.ndarray]


def completed(
    sampler: Sampler,
    finish: Finish,
    images: Any,
    known_mask: Any,
    seed: int,
    batch_size: int,
    conditions: Mapping[str, Any],
) -> np.ndarray:
    """``finish`` applied batch by batch to what ``sampler`` eats (noise of the seed, and conditions), images and known pixels.

    Arguments otherwise as in ``AutoregressiveModel.complete``, which says what is refused.
    """
    images = sampler.image_spec.check(images)
    known = checked_mask(known_mask, len(images), sampler.image_spec)
    conditions = sampler.checked_conditions(conditions, len(images))
    stream = NoiseStream(sampler.noise_spec(), seed)
    parts = []
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        inputs = {**stream.take(len(images[part])), **{name: values[part] for name, values in conditions.items()}}
        parts.append(finish(inputs, images[part], known[part]))
    return np.concatenate(parts)


def checked_mask(known_mask: Any, n: int, spec: ImageSpec) -> np.ndarray:
    """Which pixels are known, as the uint8 ``[n, h, w, 1]`` that endpoints eat: in each image the first so many.

    ``InvalidInput`` unless given as booleans ``[h, w]`` or ``[n, h, w]``, or where a known pixel follows an unknown one.
    """
    mask, size = np.asarray(known_mask), spec.shape[:2]
    if mask.dtype != bool or mask.shape not in (size, (n, *size)):
        raise InvalidInput(
            f"known_mask is {mask.dtype} {list(mask.shape)}; wanted booleans {list(size)}, or {[n, *size]}."
        )
    mask = np.broadcast_to(mask, (n, *size))
    flat = mask.reshape(n, -1)
    broken = (flat[:, 1:] & ~flat[:, :-1]).any(axis=1)
    if broken.any():
        raise InvalidInput(
            f"known_mask of image {int(broken.argmax())} knows a pixel that comes after an unknown one; the model draws in "
            "raster order and can condition on a first part alone: whole rows from the top, and the left of the next."
        )
    return mask[..., None].astype(np.uint8)
