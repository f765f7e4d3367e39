"""The text encoder of Reed et al. 2016a ("Learning deep representations of fine-grained visual descriptions"), section 3.3."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_gen.core.checks import integer, integers
from keras_gen.core.errors import InvalidInput
from keras_gen.layers.characters import OneHotCharacters
from keras_gen.layers.mean_recurrence import MeanRecurrence

KERNEL = 4
# Of each pooling its size and stride, as in the authors' code.
POOLS = ((3, 3), (3, 3), (3, 2))
MAPS = (384, 512, 256)
FEATURES = 1024
INIT = 0.08


def lengths(length: int) -> list[int]:
    """What is left of a row of characters after each convolution and each pooling: of 201, 198, 66, 63, 21, 18, 8."""
    left = []
    for size, stride in POOLS:
        length = length - KERNEL + 1
        left.append(length)
        length = (length - size) // stride + 1
        left.append(length)
    return left


def char_cnn_rnn(
    length: int, maps: Sequence[int] = MAPS, features: int = FEATURES, initializer: str | None = None
) -> keras.Model:
    """Numbers of characters ``[b, length]`` to ``[b, features]`` float32.

    Three times a convolution of four characters with ReLU and max pooling; a recurrent layer of ReLUs without gates, of as many
    units as the last convolution has maps, walks over what is left; the mean of its states goes through a dense layer. Kernels
    begin as ``initializer`` says, or as the authors' do: uniformly in [-0.08, 0.08].
    """
    length, features, maps = integer("length", length, 1), integer("features", features, 1), integers("maps", maps, 1)
    if len(maps) != len(POOLS):
        raise InvalidInput(f"maps={maps}; give {len(POOLS)}, one a convolution.")
    if min(lengths(length)) < 1:
        raise InvalidInput(f"length={length}; give at least {shortest()}, of which three convolutions leave something.")
    init = keras.initializers.get(initializer) if initializer else keras.initializers.RandomUniform(-INIT, INIT)
    given = keras.Input((length,), dtype="uint8", name="caption")
    x = OneHotCharacters()(given)
    for count, (size, stride) in zip(maps, POOLS):
        x = layers.Conv1D(count, KERNEL, activation="relu", kernel_initializer=init.clone())(x)
        x = layers.MaxPooling1D(size, stride)(x)
    x = MeanRecurrence(maps[-1], kernel_initializer=init.clone())(x)
    x = layers.Dense(features, kernel_initializer=init.clone(), dtype="float32")(x)
    return keras.Model(given, x, name="text_encoder")


def shortest() -> int:
    """The fewest characters that leave anything."""
    return next(length for length in range(1, 1000) if min(lengths(length)) >= 1)
