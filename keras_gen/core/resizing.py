"""Resizing of many images at once, as Pillow does it for one."""

import functools

import numpy as np
from PIL import Image

from keras_gen.core.errors import InvalidInput

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX, "nearest": Image.Resampling.NEAREST}


def resized(images: np.ndarray, size: tuple[int, int], how: str = "bicubic") -> np.ndarray:
    """``[n, h, w, c]`` to float32 ``[n, *size, c]``, neither rounded nor clipped.

    ``bicubic`` (Keys 1981, a = -1/2) and ``area`` average over all that falls into a pixel where they reduce; ``nearest``
    invents no value. All three are linear along each side, so two small matrices hold them: Pillow's answer to a unit image.
    """
    if how not in FILTERS:
        raise InvalidInput(f"Images cannot be resized by {how!r}; give one of {', '.join(FILTERS)}.")
    rows, columns = (_weights(old, new, how) for old, new in zip(images.shape[1:3], size, strict=True))
    upright = np.einsum("yh,nhwc->nywc", rows, images.astype(np.float32, copy=False), optimize=True)
    return np.einsum("xw,nywc->nyxc", columns, upright, optimize=True)


@functools.lru_cache(maxsize=64)
def _weights(old: int, new: int, how: str) -> np.ndarray:
    """``[new, old]``: how much of each old pixel a new one holds."""
    unit = Image.fromarray(np.eye(old, dtype=np.float32))  # mode F: no rounding
    return np.asarray(unit.resize((old, new), FILTERS[how]), np.float32)
