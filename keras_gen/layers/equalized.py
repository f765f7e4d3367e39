"""Layers whose weights learn at one speed, whatever their size (Karras et al. 2018, section 4.1)."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gen.layers.resampling_convolution import overlaid

GAIN = 2.0**0.5  # He et al. 2015, before a ReLU


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=1.0)


@keras.saving.register_keras_serializable("keras_gen")
class EqualizedConvolution(layers.Conv2D):
    """A ``Conv2D`` whose kernel is drawn from N(0, 1) and multiplied by ``gain / sqrt(fan_in)`` at every use; biases are not.

    An optimizer that divides by the size of its gradients moves all kernels by the same share of their range: after a step of
    Adam the kernel in use has moved by ``learning_rate * gain / sqrt(fan_in)``.

    Args:
        filters, kernel_size, padding: as in Keras; stride 1.
        gain: sqrt 2 before a leaky ReLU, 1 before nothing.
        enlarge: nearest upsampling by 2 comes first, the two done as one transposed convolution of 4/9 of the multiplications:
            ``[b, h, w, i]`` to ``[b, 2h, 2w, filters]``. Kernels are then 3x3.
    """

    def __init__(self, filters: int, kernel_size: int = 3, *, gain: float = GAIN, enlarge: bool = False, **kwargs: Any):
        super().__init__(
            filters,
            kernel_size,
            **{"padding": "same", **kwargs, "kernel_initializer": kwargs.get("kernel_initializer", _normal())},
        )
        self.gain, self.enlarge = float(gain), bool(enlarge)

    def call(self, inputs: Any) -> Any:
        """The convolution."""
        scale = self.gain / math.sqrt(math.prod(self.kernel.shape[:3]))
        kernel = self.kernel * scale
        if self.enlarge:
            kernel = ops.transpose(overlaid(ops.flip(kernel, axis=(0, 1))), (0, 1, 3, 2))
            outputs = ops.conv_transpose(inputs, ops.cast(kernel, inputs.dtype), strides=2, padding="same")
        else:
            outputs = ops.conv(inputs, ops.cast(kernel, inputs.dtype), padding=self.padding)
        return outputs if self.bias is None else outputs + ops.cast(self.bias, outputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """That of a convolution, of twice the sides where it enlarges."""
        batch, height, width, channels = input_shape
        factor = 2 if self.enlarge else 1
        return super().compute_output_shape((batch, factor * height, factor * width, channels))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "gain": self.gain, "enlarge": self.enlarge}


@keras.saving.register_keras_serializable("keras_gen")
class EqualizedDense(layers.Layer):
    """``[b, n]`` to ``[b, *shape]``, its kernel scaled as in ``EqualizedConvolution``; one bias for each of the last axis.

    Of shape ``(4, 4, maps)`` it is the 4x4 convolution that spreads noise over a map.
    """

    def __init__(self, shape: int | Sequence[int], gain: float = GAIN, **kwargs: Any):
        super().__init__(**kwargs)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.gain = float(gain)

    def build(self, input_shape: tuple) -> None:
        """Makes kernel and bias."""
        shape = (input_shape[-1], math.prod(self.shape))
        self.kernel = self.add_weight(shape=shape, initializer=_normal(), name="kernel")
        self.bias = self.add_weight(shape=self.shape[-1:], initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """The product."""
        kernel = ops.cast(self.kernel * (self.gain / math.sqrt(self.kernel.shape[0])), inputs.dtype)
        outputs = ops.reshape(ops.matmul(inputs, kernel), (-1, *self.shape))
        return outputs + ops.cast(self.bias, outputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """``[b, *shape]``."""
        return (input_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "shape": list(self.shape), "gain": self.gain}
