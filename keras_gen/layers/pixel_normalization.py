"""Pixel normalization (Karras et al. 2018, section 4.2)."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("keras_gen")
class PixelNormalization(layers.Layer):
    """``x / sqrt(mean over channels of x^2 + 1e-8)``, at each pixel apart: ``[b, ..., c]``, the same shape and dtype."""

    def call(self, inputs: Any) -> Any:
        """The normalized features."""
        features = ops.cast(inputs, "float32")
        scale = ops.rsqrt(ops.mean(ops.square(features), axis=-1, keepdims=True) + 1e-8)
        return ops.cast(features * scale, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The same."""
        return input_shape
