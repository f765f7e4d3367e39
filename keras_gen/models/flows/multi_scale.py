"""One bijection of images onto standard normal noise, made of invertible layers and places where variables leave."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_gen.layers.gaussian_prior import FactorOut
from keras_gen.layers.invertible import Invertible


class MultiScaleFlow(Invertible):
    """``[b, h, w, c]`` to flat noise ``[b, h w c]``: what leaves first stands first (Dinh et al. 2017, eq. 14 to 16).

    Args:
        steps: invertible layers; a ``FactorOut`` among them sends half of the variables away.
    """

    def __init__(self, steps: Sequence[Invertible], **kwargs: Any):
        super().__init__(**kwargs)
        self.steps = list(steps)

    def build(self, input_shape: tuple) -> None:
        """Every step, and the shapes of the parts in which variables leave."""
        shape, self.leaving = tuple(input_shape), []
        for step in self.steps:
            if not step.built:
                step.build(shape)
            shape = step.compute_output_shape(shape)
            if isinstance(step, FactorOut):
                shape, gone = shape
                self.leaving.append(tuple(gone[1:]))
        self.leaving.append(tuple(shape[1:]))
        self.built = True

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``z`` ``[b, d]`` and the log-determinant ``[b]``."""
        parts, log_det = [], ops.zeros_like(x[:, 0, 0, 0])
        for step in self.steps:
            x, change = step.forward(x, training)
            if isinstance(step, FactorOut):
                x, gone = x
                parts.append(gone)
            log_det = log_det + change
        flat = [ops.reshape(part, (-1, math.prod(shape))) for part, shape in zip([*parts, x], self.leaving)]
        return ops.concatenate(flat, axis=-1), log_det

    def inverse(self, y: Any) -> Any:
        """``[b, h, w, c]``."""
        parts, start = [], 0
        for shape in self.leaving:
            size = math.prod(shape)
            parts.append(ops.reshape(y[:, start : start + size], (-1, *shape)))
            start += size
        x = parts.pop()
        for step in reversed(self.steps):
            x = step.inverse((x, parts.pop()) if isinstance(step, FactorOut) else x)
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Flat."""
        return (input_shape[0], math.prod(input_shape[1:]))


def standard_normal_log_prob(z: Any) -> Any:
    """log N(z; 0, I) of ``[b, d]``: nats ``[b]``."""
    return -0.5 * ops.sum(ops.square(z) + math.log(2.0 * math.pi), axis=-1)
