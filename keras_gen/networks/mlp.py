"""Fully connected encoder and decoder (Kingma and Welling 2014, appendix C).

``activation="gated"`` makes ``GatedDense`` layers (Tomczak and Welling 2018).
``pixel_bias`` ends a decoder in a ``PixelBias``, which starts at the logit of the training images' mean (Burda et al. 2016).
With ``classes``, networks take ``[x, label]``, the label one-hot beside the vector that the first dense layer sees.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import integers, sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.gated_dense import GatedDense
from keras_gen.layers.pixel_bias import PixelBias
from keras_gen.networks.labelled import network_of


def mlp_encoder(
    spec: ImageSpec,
    outputs: int,
    hidden: Sequence[int] = (500, 500),
    activation: str = "relu",
    classes: int | None = None,
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, outputs]``."""
    [outputs], hidden = sizes(outputs=outputs), integers("hidden", hidden, 1)
    stack = [layers.Flatten()]
    stack += [hidden_layer(units, activation) for units in hidden]
    stack.append(layers.Dense(outputs, dtype="float32"))
    return network_of(spec.shape, stack, "encoder", classes)


def mlp_decoder(
    spec: ImageSpec,
    latent_dim: int,
    channels: int,
    hidden: Sequence[int] = (500, 500),
    activation: str = "relu",
    classes: int | None = None,
    pixel_bias: bool = False,
) -> keras.Model:
    """Latents ``[b, latent_dim]`` to parameters of the pixels ``[b, h, w, channels]``."""
    latent_dim, channels = sizes(latent_dim=latent_dim, channels=channels)
    stack = [hidden_layer(units, activation) for units in reversed(integers("hidden", hidden, 1))]
    stack.append(layers.Dense(spec.height * spec.width * channels, dtype="float32"))
    stack.append(layers.Reshape((spec.height, spec.width, channels), dtype="float32"))
    stack += [PixelBias(dtype="float32")] if pixel_bias else []
    return network_of((latent_dim,), stack, "decoder", classes)


def vector_network(
    inputs: int, outputs: int | None, hidden: Sequence[int], activation: str, name: str
) -> keras.Sequential:
    """Vectors to vectors, float32; without ``outputs``, to the last hidden layer."""
    network = keras.Sequential([keras.Input((inputs,))], name=name)
    for index, units in enumerate(hidden):
        network.add(hidden_layer(units, activation, name=f"{name}_{index}"))
    if outputs is not None:
        network.add(layers.Dense(outputs, dtype="float32", name=f"{name}_output"))
    return network


def hidden_layer(units: int, activation: str, **options: Any) -> layers.Layer:
    """A dense layer with its activation, or a gated one."""
    return (
        GatedDense(units, **options) if activation == "gated" else layers.Dense(units, activation=activation, **options)
    )
