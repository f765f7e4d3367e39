"""Convolutional encoder and decoder: strided convolutions down to a small map, a dense layer, and back."""

import keras
from keras import layers

from keras_gen.core.checks import sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.pixel_bias import PixelBias
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution
from keras_gen.networks.labelled import network_of


def convolutional_encoder(spec: ImageSpec, outputs: int, width: int = 32, classes: int | None = None) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, outputs]``; maps double from ``width`` at every halving."""
    outputs, width = sizes(outputs=outputs, width=width)
    stack = [layers.Conv2D(width << stage, 4, 2, "same", activation="relu") for stage in range(spec.halvings())]
    stack += [layers.Flatten(), layers.Dense(outputs, dtype="float32")]
    return network_of(spec.shape, stack, "encoder", classes)


def convolutional_decoder(
    spec: ImageSpec,
    latent_dim: int,
    channels: int,
    width: int = 32,
    classes: int | None = None,
    pixel_bias: bool = False,
) -> keras.Model:
    """Latents ``[b, latent_dim]`` to parameters of the pixels ``[b, h, w, channels]``; the encoder's mirror image."""
    latent_dim, channels, width = sizes(latent_dim=latent_dim, channels=channels, width=width)
    stages = spec.halvings()
    height, breadth, maps = spec.height >> stages, spec.width >> stages, width << (stages - 1)
    stack = [layers.Dense(height * breadth * maps, activation="relu"), layers.Reshape((height, breadth, maps))]
    stack += [UpsamplingConvolution(width << stage, activation="relu") for stage in reversed(range(stages - 1))]
    stack.append(UpsamplingConvolution(channels, dtype="float32"))
    stack += [PixelBias(dtype="float32")] if pixel_bias else []
    return network_of((latent_dim,), stack, "decoder", classes)
