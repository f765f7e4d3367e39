"""Convolutional encoder and decoder: strided convolutions down to a small map, a dense layer, and back."""

import keras
from keras import layers

from keras_gen.core.checks import sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution


def convolutional_encoder(spec: ImageSpec, outputs: int, width: int = 32) -> keras.Sequential:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, outputs]``; maps double from ``width`` at every halving."""
    outputs, width = sizes(outputs=outputs, width=width)
    network = keras.Sequential([keras.Input(spec.shape)], name="encoder")
    for stage in range(spec.halvings()):
        network.add(layers.Conv2D(width << stage, 4, 2, "same", activation="relu"))
    network.add(layers.Flatten())
    network.add(layers.Dense(outputs, dtype="float32"))
    return network


def convolutional_decoder(spec: ImageSpec, latent_dim: int, channels: int, width: int = 32) -> keras.Sequential:
    """Latents ``[b, latent_dim]`` to parameters of the pixels ``[b, h, w, channels]``; the encoder's mirror image."""
    latent_dim, channels, width = sizes(latent_dim=latent_dim, channels=channels, width=width)
    stages = spec.halvings()
    height, breadth, maps = spec.height >> stages, spec.width >> stages, width << (stages - 1)
    network = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    network.add(layers.Dense(height * breadth * maps, activation="relu"))
    network.add(layers.Reshape((height, breadth, maps)))
    for stage in reversed(range(stages - 1)):
        network.add(UpsamplingConvolution(width << stage, activation="relu"))
    network.add(UpsamplingConvolution(channels, dtype="float32"))
    return network
