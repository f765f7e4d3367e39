"""Activation normalization (Kingma and Dhariwal 2018, section 3.1), alone and inside a convolution."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gen.layers.invertible import DataStarted, FullPrecision, Invertible

LOG_SCALE_FACTOR = 3.0  # the authors' code: the logarithm of a scale is this times its weight, which then learns faster
SMALLEST_STD = 1e-6


def standardizing(x: Any) -> tuple[Any, Any]:
    """Shift and log-scale weight, ``[c]`` each, that give ``x`` ``[..., c]`` mean 0 and standard deviation 1."""
    axes = tuple(range(len(x.shape) - 1))
    mean, std = ops.mean(x, axes), ops.std(x, axes)
    return -mean, -ops.log(std + SMALLEST_STD) / LOG_SCALE_FACTOR


class ActNorm(Invertible, DataStarted):
    """``(x + shift) exp(3 log_scale)`` per channel; the first batch sets mean 0 and standard deviation 1."""

    def build(self, input_shape: tuple) -> None:
        """Makes the weights: the identity, until a batch sets them."""
        channels = input_shape[-1]
        self.positions = input_shape[1] * input_shape[2]
        self.shift = self.add_weight(shape=(channels,), initializer="zeros", name="shift")
        self.log_scale = self.add_weight(shape=(channels,), initializer="zeros", name="log_scale")
        self.built = True

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """Same shape; the log-determinant is the same for every example."""
        if self.starting:
            for weight, value in zip((self.shift, self.log_scale), standardizing(x)):
                weight.assign(value)
        log_scale = LOG_SCALE_FACTOR * self.log_scale.value
        return (x + self.shift) * ops.exp(log_scale), self.positions * ops.sum(log_scale)

    def inverse(self, y: Any) -> Any:
        """Undoes it."""
        return y * ops.exp(-LOG_SCALE_FACTOR * self.log_scale.value) - self.shift


class EdgeConvolution(FullPrecision):
    """A k x k convolution that sees where the image ends: outside of it stand zeros, in a channel of their own ones.

    The authors' code calls it edge bias. ``[b, h, w, c]`` to ``[b, h, w, filters]``; weights are float32 and scaled as such,
    the convolution is of the layer's dtype.
    """

    def __init__(self, filters: int, kernel_size: int, kernel_initializer: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.kernel_initializer = filters, kernel_size, kernel_initializer

    def build(self, input_shape: tuple) -> None:
        """Makes the kernel, with an input channel for the edge where it reaches over it, and shift and log-scale."""
        _, height, width, channels = input_shape
        self.reach = self.kernel_size // 2
        around = ((0, 0), *[(self.reach, self.reach)] * 2, (0, 0))
        # NumPy's: a tensor would be an input of exported graphs.
        self.edge = np.pad(np.zeros((1, height, width, 1), np.float32), around, constant_values=1.0)
        shape = (self.kernel_size, self.kernel_size, channels + (self.reach > 0), self.filters)
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")
        self.shift = self.add_weight(shape=(self.filters,), initializer="zeros", name="shift")
        self.log_scale = self.add_weight(shape=(self.filters,), initializer="zeros", name="log_scale")
        self.built = True

    def convolve(self, x: Any, kernel: Any, bias: Any) -> Any:
        """With a kernel and a bias of this layer's shapes."""
        kernel, bias, x = (ops.cast(values, self.compute_dtype) for values in (kernel, bias, x))
        if not self.reach:
            return ops.conv(x, kernel, padding="same") + bias
        edge = ops.cast(self.edge, self.compute_dtype)
        if x.shape[-1] < self.filters:  # few channels are quickly padded and joined
            padded = ops.pad(x, ((0, 0), *[(self.reach, self.reach)] * 2, (0, 0)))
            edge = ops.zeros_like(padded[..., :1]) + edge
            return ops.conv(ops.concatenate([padded, edge], axis=-1), kernel, padding="valid") + bias
        inside, outside = kernel[:, :, :-1], kernel[:, :, -1:]
        return ops.conv(x, inside, padding="same") + (ops.conv(edge, outside, padding="valid") + bias)

    def scaled(self, x: Any) -> Any:
        """``(convolution + shift) exp(3 log_scale)``, the scale taken into the kernel."""
        scale = ops.exp(LOG_SCALE_FACTOR * self.log_scale.value)
        return self.convolve(x, self.kernel * scale, self.shift * scale)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """As many positions."""
        return (*input_shape[:-1], self.filters)


class ActNormConvolution(EdgeConvolution, DataStarted):
    """An ``EdgeConvolution`` without a bias, its output normalized by ``ActNorm``: N(0, 0.05) at first, as the authors' code."""

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any):
        super().__init__(filters, kernel_size, keras.initializers.RandomNormal(stddev=0.05), **kwargs)

    def call(self, x: Any) -> Any:
        """``[b, h, w, c]`` to ``[b, h, w, filters]``."""
        if self.starting:
            plain = self.convolve(x, self.kernel, ops.zeros((self.filters,)))
            for weight, value in zip((self.shift, self.log_scale), standardizing(ops.cast(plain, "float32"))):
                weight.assign(value)
        return self.scaled(x)


class ZeroConvolution(EdgeConvolution):
    """An ``EdgeConvolution`` that gives zeros at first, times ``exp(3 log_scale)``: the last layer of Glow's networks."""

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any):
        super().__init__(filters, kernel_size, "zeros", **kwargs)

    def call(self, x: Any) -> Any:
        """``[b, h, w, c]`` to ``[b, h, w, filters]``."""
        return self.scaled(x)
