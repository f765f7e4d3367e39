"""Where variables leave a flow: standardized by the Gaussian that they are said to come from.

As a bijection onto standard normal noise, a learnt prior is one more affine layer: ``log N(x; m, s) = log N((x - m) / s; 0, 1)
- log s``. What leaves is noise, and generating needs no random numbers but those it is given.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gen.layers.coupling import halfway
from keras_gen.layers.invertible import Invertible, stretch, sum_over_image


class FactorOut(Invertible):
    """The last half of the channels leaves (Dinh et al. 2017, section 3.6), under a prior that the first half may tell.

    ``forward`` gives ``(kept, noise), log_det``; ``inverse`` takes both.

    Args:
        prior: from the kept half to mean and log-scale of the other; None: it is standard normal already.
    """

    def __init__(self, prior: keras.layers.Layer | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.prior = prior

    def build(self, input_shape: tuple) -> None:
        """Where the halves meet."""
        self.middle = halfway(input_shape[-1])
        if self.prior is not None and not self.prior.built:
            self.prior.build((*input_shape[:-1], self.middle))
        self.built = True

    def mean_and_log_scale(self, kept: Any) -> tuple[Any, Any]:
        """Of what leaves."""
        return tuple(ops.split(ops.cast(self.prior(kept), self.compute_dtype), 2, axis=-1))

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``(kept, noise)`` and the log-determinant."""
        kept, gone = x[..., : self.middle], x[..., self.middle :]
        if self.prior is None:
            return (kept, gone), 0.0
        mean, log_scale = self.mean_and_log_scale(kept)
        return (kept, (gone - mean) * ops.exp(-log_scale)), -sum_over_image(log_scale)

    def inverse(self, y: tuple[Any, Any]) -> Any:
        """All channels again."""
        kept, noise = y
        if self.prior is not None:
            mean, log_scale = self.mean_and_log_scale(kept)
            noise = noise * stretch(log_scale) + mean
        return ops.concatenate([kept, noise], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Of what is kept, and of what leaves."""
        kept = halfway(input_shape[-1])
        return (*input_shape[:-1], kept), (*input_shape[:-1], input_shape[-1] - kept)


class TopPrior(Invertible):
    """A learnt Gaussian for what is left in the end: mean and log-scale are those that ``prior`` makes of zeros.

    Args:
        prior: from ``[b, h, w, c]`` to ``[b, h, w, 2c]``.
    """

    def __init__(self, prior: keras.layers.Layer, **kwargs: Any):
        super().__init__(**kwargs)
        self.prior = prior

    def build(self, input_shape: tuple) -> None:
        """Builds the prior."""
        self.zeros = np.zeros((1, *input_shape[1:]), np.float32)  # a tensor would be an input of exported graphs
        if not self.prior.built:
            self.prior.build(tuple(input_shape))
        self.built = True

    def mean_and_log_scale(self) -> tuple[Any, Any]:
        """``[1, h, w, c]`` each."""
        return tuple(ops.split(ops.cast(self.prior(self.zeros), self.compute_dtype), 2, axis=-1))

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """Standardized."""
        mean, log_scale = self.mean_and_log_scale()
        return (x - mean) * ops.exp(-log_scale), -ops.sum(log_scale)

    def inverse(self, y: Any) -> Any:
        """Scaled and shifted."""
        mean, log_scale = self.mean_and_log_scale()
        return y * stretch(log_scale) + mean
