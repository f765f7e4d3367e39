"""Dense layers of maxout units."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import integer


@keras.saving.register_keras_serializable("keras_gen")
class Maxout(layers.Dense):
    """Goodfellow et al. 2013, eq. 1: each unit gives the largest of its ``pieces`` linear functions of the input.

    ``[..., d]`` to ``[..., units]``; convex in the input. Other arguments are those of ``keras.layers.Dense``.
    """

    def __init__(self, units: int, pieces: int = 5, **kwargs: Any):
        self.pieces = integer("pieces", pieces, 1)
        super().__init__(integer("units", units, 1) * self.pieces, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Features ``[..., d]`` to ``[..., units]``."""
        linear = super().call(inputs, training=training)
        return ops.max(ops.reshape(linear, (-1, *linear.shape[1:-1], self.units // self.pieces, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """``[..., units]``."""
        return (*input_shape[:-1], self.units // self.pieces)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units // self.pieces, "pieces": self.pieces}
