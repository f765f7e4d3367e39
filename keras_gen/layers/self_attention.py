"""Attention of each pixel to all others."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.layers.spectral_normalization import SpectralNormalization


@keras.saving.register_keras_serializable("keras_gen")
class SelfAttention(layers.Layer):
    """Zhang et al. 2019, eq. 1 to 3, with the sizes of BigGAN's code: ``x + gamma o``, ``gamma`` from 0.

    Maps ``[b, h, w, c]``. ``theta`` and ``phi`` are ``c / 8`` maps, ``g`` is ``c / 2``, ``phi`` and ``g`` pooled by their 2x2
    maxima; each pixel's ``o`` is the mean of ``g`` under ``softmax(theta^T phi)``, brought back to ``c`` maps. All four are 1x1
    convolutions without bias, of spectral norm 1.

    Args:
        kernel_initializer: of all four.
        kernel_regularizer: likewise.
    """

    def __init__(self, kernel_initializer: Any = "glorot_uniform", kernel_regularizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple) -> None:
        """Makes the convolutions and ``gamma``."""
        maps = input_shape[-1]
        narrow, half = max(1, maps // 8), max(1, maps // 2)
        self.theta, self.phi = self._convolution("theta", narrow), self._convolution("phi", narrow)
        self.g, self.o = self._convolution("g", half), self._convolution("o", maps)
        for each in (self.theta, self.phi, self.g):
            each.build(input_shape)
        self.o.build((*input_shape[:-1], half))
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")
        self.built = True

    def _convolution(self, name: str, maps: int) -> layers.Layer:
        # Names of their own, for Keras counts those that have none through the whole process.
        return SpectralNormalization(
            layers.Conv2D(
                maps,
                1,
                use_bias=False,
                kernel_initializer=self.kernel_initializer.clone(),
                kernel_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=name,
            )
        )

    def attention(self, inputs: Any) -> Any:
        """``[b, h w, places]``: how much each pixel takes of each of the pooled places; float32, rows sum to 1."""
        theta, phi = _rows(self.theta(inputs)), _rows(_pooled(self.phi(inputs)))
        return ops.softmax(ops.cast(ops.matmul(theta, ops.transpose(phi, (0, 2, 1))), "float32"))

    def call(self, inputs: Any) -> Any:
        """Maps of the same shape."""
        g = _rows(_pooled(self.g(inputs)))
        attended = ops.matmul(ops.cast(self.attention(inputs), g.dtype), g)
        maps = ops.reshape(attended, (-1, *inputs.shape[1:3], g.shape[-1]))
        return inputs + ops.cast(self.gamma, inputs.dtype) * self.o(maps)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """That of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def _pooled(maps: Any) -> Any:
    return ops.max_pool(maps, 2, 2, padding="valid")


def _rows(maps: Any) -> Any:
    """``[b, h, w, c]`` to ``[b, h w, c]``."""
    return ops.reshape(maps, (-1, maps.shape[1] * maps.shape[2], maps.shape[3]))
