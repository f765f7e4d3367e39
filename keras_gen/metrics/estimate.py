"""A mean and how sure it is: what a metric that averages over examples gives."""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_gen.core.errors import InvalidInput


class Estimate(NamedTuple):
    """A mean over ``n`` examples and its standard error (None of a single example)."""

    value: float
    stderr: float | None
    n: int


def spelled(count: int) -> str:
    """A count as names of metrics hold it: ``10k``, ``359``."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def mean_with_error(values: Any) -> Estimate:
    """The mean of ``[n]`` numbers and its standard error, in float64. NaN or infinity is an ``InvalidInput``."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise InvalidInput(f"values have shape {list(values.shape)}; wanted [n], one number an image.")
    if bad := int((~np.isfinite(values)).sum()):
        raise InvalidInput(
            f"{bad} of {len(values)} values are NaN or infinite, so they have no mean: the model's weights have "
            "diverged, or it gives these images probability 0."
        )
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return Estimate(float(values.mean()), error, len(values))
