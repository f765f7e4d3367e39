"""Fully connected encoder and decoder (Kingma and Welling 2014, appendix C)."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_gen.core.checks import integers, sizes
from keras_gen.core.image_spec import ImageSpec


def mlp_encoder(
    spec: ImageSpec, outputs: int, hidden: Sequence[int] = (500, 500), activation: str = "relu"
) -> keras.Sequential:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, outputs]``."""
    [outputs], hidden = sizes(outputs=outputs), integers("hidden", hidden, 1)
    network = keras.Sequential([keras.Input(spec.shape), layers.Flatten()], name="encoder")
    for units in hidden:
        network.add(layers.Dense(units, activation=activation))
    network.add(layers.Dense(outputs, dtype="float32"))
    return network


def mlp_decoder(
    spec: ImageSpec, latent_dim: int, channels: int, hidden: Sequence[int] = (500, 500), activation: str = "relu"
) -> keras.Sequential:
    """Latents ``[b, latent_dim]`` to parameters of the pixels ``[b, h, w, channels]``."""
    latent_dim, channels = sizes(latent_dim=latent_dim, channels=channels)
    hidden = integers("hidden", hidden, 1)
    network = keras.Sequential([keras.Input((latent_dim,))], name="decoder")
    for units in reversed(hidden):
        network.add(layers.Dense(units, activation=activation))
    network.add(layers.Dense(spec.height * spec.width * channels, dtype="float32"))
    network.add(layers.Reshape((spec.height, spec.width, channels), dtype="float32"))
    return network
