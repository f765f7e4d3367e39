"""Global pooling by sums."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("keras_gen")
class SumPooling2D(layers.Layer):
    """Sum over all pixels: ``[b, h, w, c]`` to ``[b, c]``, in float32, which a sum of many needs."""

    def call(self, inputs: Any) -> Any:
        """The sums."""
        return ops.sum(ops.cast(inputs, "float32"), axis=(1, 2))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """``[b, c]``."""
        return (input_shape[0], input_shape[-1])
