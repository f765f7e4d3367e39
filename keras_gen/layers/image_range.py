"""From images in [0, 1] to where a flow likes them."""

import math
from typing import Any

from keras import ops

from keras_gen.core.checks import number
from keras_gen.layers.invertible import Invertible, sum_over_image


class Logit(Invertible):
    """``logit(alpha + (1 - 2 alpha) x)`` of ``x`` in [0, 1] (Dinh et al. 2017, section 4.1): the real line, no borders.

    Its density takes part in bits/dim: ``log dy/dx = softplus(y) + softplus(-y) + log(1 - 2 alpha)``.
    """

    def __init__(self, alpha: float = 0.05, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = number("alpha", alpha, 0.0, 0.49, above=True)

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """Same shape, log-determinant ``[b]``."""
        slope = 1.0 - 2.0 * self.alpha
        # 1 - x is exact near 1, where 1 - (alpha + slope x) would not be.
        y = ops.log(self.alpha + slope * x) - ops.log(self.alpha + slope * (1.0 - x))
        slopes = ops.softplus(y) + ops.softplus(-y) + math.log(slope)
        return y, sum_over_image(slopes)

    def inverse(self, y: Any) -> Any:
        """In ``(-alpha, 1 + alpha)`` about: a sample may lie a little outside of [0, 1]."""
        return (ops.sigmoid(y) - self.alpha) / (1.0 - 2.0 * self.alpha)


class Centre(Invertible):
    """``x - 1/2``: Glow's."""

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """In ``[-1/2, 1/2]``."""
        return x - 0.5, 0.0

    def inverse(self, y: Any) -> Any:
        """In ``[0, 1]``."""
        return y + 0.5
