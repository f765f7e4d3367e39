"""Residual blocks with the activation first (He et al. 2016), as WGAN-GP, SNGAN and BigGAN put them together."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_gen.layers.resampling_convolution import ConvolutionMeanPool, UpsampledConvolution


def glorot() -> keras.initializers.Initializer:
    """Uniform of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010): shortcuts, first and last layers."""
    return keras.initializers.GlorotUniform()


def glorot_of_relu() -> keras.initializers.Initializer:
    """Uniform of twice that variance: 3x3 convolutions between ReLUs, in both papers' code."""
    return keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")


@dataclasses.dataclass(frozen=True)
class ResidualBlocks:
    """One family of blocks on features ``[b, h, w, c]``.

    A shortcut's 1x1 convolution is done at the smaller of its two sizes: it commutes with nearest upsampling and with the mean.

    Args:
        norm: what stands before each ReLU: batch normalization, a conditional or a layer one; the default is none.
        kernel: makes the initializer of 3x3 convolutions.
        shortcut: makes the initializer of 1x1 convolutions.
        wrap: what becomes of each convolution, such as ``SpectralNormalization``.
        wide: the first 3x3 of ``down`` has the block's maps at once (BigGAN), not those of its input.
    """

    norm: Callable[[Any], Any] = lambda x: x
    kernel: Callable[[], Any] = glorot_of_relu
    shortcut: Callable[[], Any] = glorot
    wrap: Callable[[layers.Layer], layers.Layer] = lambda layer: layer
    wide: bool = False

    def up(self, x: Any, maps: int) -> Any:
        """Twice the sides: norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3; shortcut: 1x1, upsampling."""
        inner = self.wrap(UpsampledConvolution(maps, kernel_initializer=self.kernel()))(self._activated(x))
        inner = self._convolution(maps)(self._activated(inner))
        return layers.Add()([inner, layers.UpSampling2D()(self._resized(x, maps))])

    def down(self, x: Any, maps: int) -> Any:
        """Half the sides: norm, ReLU, 3x3, norm, ReLU, 3x3, mean pool; shortcut: mean pool, 1x1. The first 3x3 keeps the maps,
        unless ``wide``.
        """
        inner = self._convolution(maps if self.wide else x.shape[-1])(self._activated(x))
        return self._pooled(x, self._activated(inner), maps)

    def first(self, x: Any, maps: int) -> Any:
        """Half the sides of an image: 3x3, ReLU, 3x3, mean pool, no norm and no ReLU before; shortcut: mean pool, 1x1."""
        return self._pooled(x, layers.ReLU()(self._convolution(maps)(x)), maps)

    def flat(self, x: Any, maps: int) -> Any:
        """The same sides: norm, ReLU, 3x3, norm, ReLU, 3x3; the shortcut is the input, or 1x1 where maps change."""
        inner = self._convolution(maps)(self._activated(x))
        inner = self._convolution(maps)(self._activated(inner))
        return layers.Add()([inner, x if x.shape[-1] == maps else self._resized(x, maps)])

    def _activated(self, x: Any) -> Any:
        return layers.ReLU()(self.norm(x))

    def _convolution(self, maps: int) -> layers.Layer:
        return self.wrap(layers.Conv2D(maps, 3, padding="same", kernel_initializer=self.kernel()))

    def _resized(self, x: Any, maps: int) -> Any:
        return self.wrap(layers.Conv2D(maps, 1, kernel_initializer=self.shortcut()))(x)

    def _pooled(self, x: Any, inner: Any, maps: int) -> Any:
        inner = self.wrap(ConvolutionMeanPool(maps, kernel_initializer=self.kernel()))(inner)
        return layers.Add()([inner, self._resized(layers.AveragePooling2D(2)(x), maps)])
