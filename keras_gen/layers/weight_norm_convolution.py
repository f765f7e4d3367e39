"""Convolutions with normalized weights (Salimans and Kingma 2016)."""

import math
from typing import Any

import keras
from keras import ops

from keras_gen.layers.invertible import FullPrecision


class WeightNormConvolution(FullPrecision):
    """A k x k convolution whose kernel has norm 1, or a trained one, for each output.

    ``[b, h, w, c]`` to ``[b, h, w, filters]``. Kernels are normalized in float32; the convolution is of the layer's dtype.

    Args:
        filters: outputs. kernel_size: k.
        magnitude: whether the norms are trained (from 1); a normalization that follows makes them meaningless.
        use_bias: likewise the bias.
    """

    def __init__(
        self, filters: int, kernel_size: int, *, magnitude: bool = False, use_bias: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size
        self.has_magnitude, self.use_bias = magnitude, use_bias

    def build(self, input_shape: tuple) -> None:
        """Kernels are uniform of variance ``2 / (3 features)``, as in the RealNVP authors' code; so is their penalty."""
        channels = input_shape[-1]
        limit = math.sqrt(2.0 / self.filters)
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, channels, self.filters),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name="kernel",
        )
        if self.has_magnitude:
            decay = keras.regularizers.L2(5e-5)
            self.magnitude = self.add_weight(
                shape=(self.filters,), initializer="ones", regularizer=decay, name="magnitude"
            )
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: Any) -> Any:
        """The convolution, padded with zeros to the same size."""
        squares = ops.sum(ops.square(self.kernel.value), axis=(0, 1, 2))
        scale = ops.rsqrt(squares + 1e-12)
        kernel = self.kernel * (scale * self.magnitude if self.has_magnitude else scale)
        y = ops.conv(ops.cast(x, self.compute_dtype), ops.cast(kernel, self.compute_dtype), padding="same")
        return y + ops.cast(self.bias, self.compute_dtype) if self.use_bias else y

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """As many positions."""
        return (*input_shape[:-1], self.filters)
