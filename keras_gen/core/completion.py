"""Completing images whose first pixels are known: the same for a live model and for an artifact that was read back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
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
    images = sampler.image_spec.check(images)
    known = checked_mask(known_mask, len(images), sampler.image_spec)
    inputs = {**sampler.checked_conditions(conditions, len(images)), "known_image": images, "known_mask": known}
    return sampler.drawn(draw, len(images), seed, inputs, batch_size)


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
