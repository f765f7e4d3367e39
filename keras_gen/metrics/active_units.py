"""How many latents a model uses (Burda et al. 2016, section 5.2): those whose posterior mean moves with the image."""

from typing import Any

import keras
import numpy as np
from keras import ops

ACTIVE = 0.01  # the variance over images from which on a unit counts


def active_units(means: np.ndarray) -> int:
    """How many columns of posterior means ``[n, d]`` have a variance above 0.01."""
    return int((np.var(np.asarray(means, np.float64), axis=0) > ACTIVE).sum())


class ActiveUnits(keras.metrics.Metric):
    """The same over the batches of an epoch, of all replicas."""

    def __init__(self, size: int, name: str = "active_units"):
        super().__init__(name=name, dtype="float32")
        zeros = keras.initializers.Zeros()
        self.count = self.add_variable((), zeros, name="count")
        self.total = self.add_variable((size,), zeros, name="total")
        self.squares = self.add_variable((size,), zeros, name="squares")

    def update_state(self, means: Any) -> None:
        """Adds posterior means ``[b, d]``."""
        means = ops.cast(means, "float32")
        self.count.assign_add(ops.cast(ops.shape(means)[0], "float32"))
        self.total.assign_add(ops.sum(means, axis=0))
        self.squares.assign_add(ops.sum(ops.square(means), axis=0))

    def result(self) -> Any:
        """How many there are, as a float."""
        count = ops.maximum(self.count, 1.0)
        variance = self.squares / count - ops.square(self.total / count)
        return ops.sum(ops.cast(variance > ACTIVE, "float32"))
