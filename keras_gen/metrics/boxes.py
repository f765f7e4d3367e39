"""How well boxes fit: intersection over union, and the share of boxes that it finds good enough."""

from collections.abc import Sequence

import numpy as np

from keras_gen.core.errors import InvalidInput


def intersection_over_union(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of boxes ``(x0, y0, x1, y1)`` ``[..., 4]`` and as many others, in any unit: ``[...]`` in [0, 1]; a turned box meets
    nothing.
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    if boxes.shape != others.shape or boxes.shape[-1:] != (4,):
        raise InvalidInput(f"boxes are {list(boxes.shape)} and {list(others.shape)}; give [..., 4] of both.")
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [np.clip(each[..., 2:] - each[..., :2], 0, None).prod(axis=-1) for each in (boxes, others)]
    union = areas[0] + areas[1] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def found_at(overlaps: np.ndarray, thresholds: Sequence[float]) -> list[np.ndarray]:
    """Which boxes are found at each threshold of their overlap: R@t is the mean (Johnson et al. 2018, section 4.3)."""
    return [np.asarray(overlaps) >= threshold for threshold in thresholds]
