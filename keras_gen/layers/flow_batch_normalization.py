"""Batch normalization as a layer of a flow (Dinh et al. 2017, section 3.7)."""

from typing import Any

import numpy as np
from keras import ops

from keras_gen.core.replicas import global_batch_mean
from keras_gen.layers.coupling import checkerboard, halfway
from keras_gen.layers.invertible import Invertible


class FlowBatchNormalization(Invertible):
    """``(x - mean) / sqrt(variance + epsilon)`` per channel of what a coupling changed, with its log-determinant.

    Training normalizes by the moments of the global batch (differentiated through) and moves the moving ones by
    ``1 - momentum``; density, encoding and sampling take the moving ones, so that no image depends on its batch. No gain, no
    bias: couplings have them. Moments are those of the changed values alone; the authors' code counts the zeros of a masked
    map too, which scales the variance of a checkerboard by a constant.

    Args:
        changed: ``"even"`` or ``"odd"`` colour of a checkerboard, ``"first"`` or ``"last"`` half of the channels.
    """

    def __init__(self, changed: str, momentum: float = 0.9, epsilon: float = 1e-4, **kwargs: Any):
        super().__init__(**kwargs)
        self.changed, self.momentum, self.epsilon = changed, momentum, epsilon

    def build(self, input_shape: tuple) -> None:
        """Makes the mask and the moving moments."""
        _, height, width, channels = input_shape
        if self.changed in ("even", "odd"):
            mask = checkerboard(height, width, odd=self.changed == "odd") & np.ones((1, height, width, channels), bool)
        else:
            mask = np.broadcast_to(
                (np.arange(channels) < halfway(channels)) == (self.changed == "first"), input_shape[1:]
            )
            mask = mask[None]
        self.mask = mask.astype(self.compute_dtype)
        self.counts = self.mask.sum((0, 1, 2))  # of changed positions, a channel
        options = {"trainable": False, "aggregation": "only_first_replica"}
        self.moving_mean = self.add_weight(shape=(channels,), initializer="zeros", name="moving_mean", **options)
        self.moving_variance = self.add_weight(shape=(channels,), initializer="ones", name="moving_variance", **options)
        self.built = True

    def moments(self, x: Any) -> tuple[Any, Any]:
        """Mean and variance ``[c]`` of the changed values of the global batch."""
        share = self.mask * (np.prod(self.mask.shape[1:3]) / np.maximum(self.counts, 1.0)).astype(self.compute_dtype)
        mean = _mean(x * share)
        return mean, _mean(ops.square(x - mean) * share)

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """The log-determinant is the same for every example."""
        if training:
            mean, variance = self.moments(x)
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + ops.stop_gradient(now) * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        log_variance = ops.log(variance + self.epsilon)
        scale = ops.exp(-0.5 * log_variance)
        factor = self.mask * scale + (1.0 - self.mask)
        return x * factor - self.mask * (mean * scale), -0.5 * ops.sum(self.counts * log_variance)

    def inverse(self, y: Any) -> Any:
        """By the moving moments."""
        scale = ops.sqrt(self.moving_variance + self.epsilon)
        return y * (self.mask * scale + (1.0 - self.mask)) + self.mask * self.moving_mean.value


def _mean(values: Any) -> Any:
    """Over batch and positions, of all replicas: ``[c]``."""
    return global_batch_mean(values, axis=(0, 1, 2))
