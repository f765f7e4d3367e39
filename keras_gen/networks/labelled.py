"""One stack of layers as a network, with or without labels beside its input."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_gen.layers.labels import ConcatenateLabels


def network_of(
    inputs: tuple[int, ...], stack: Sequence[layers.Layer], name: str, classes: int | None = None
) -> keras.Model:
    """``[b, *inputs]`` through the layers; with ``classes``, of ``[x, label]``.

    The label is one-hot, beside the vector or the image that the first layer sees, flat where that one flattens.
    """
    if classes is None:
        return keras.Sequential([keras.Input(inputs), *stack], name=name)
    x = given = keras.Input(inputs, name="z" if len(inputs) == 1 else "image")
    label = keras.Input((), dtype="int32", name="label")
    first = next(index for index, layer in enumerate(stack) if not isinstance(layer, layers.Flatten))
    for layer in stack[:first]:
        x = layer(x)
    x = ConcatenateLabels(classes)([x, label])
    for layer in stack[first:]:
        x = layer(x)
    return keras.Model([given, label], x, name=name)
