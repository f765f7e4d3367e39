"""The two discriminators of sg2im (Johnson et al. 2018): one of patches of the image, one of objects cut out of it.

Convolutions of 4x4 and stride 2 without padding. Normalization and activation stand before a convolution, none behind the last.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import integers, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.object_normalization import ObjectNormalization

SLOPE, KERNEL = 0.2, 4


def image_discriminator(shape: tuple[int, int, int], maps: Sequence[int] = (64, 128, 256)) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to logits ``[b, h', w', 1]``: 6x6 of 64 px."""
    maps = _fitting("discriminator_maps", maps, shape[:2])
    image = keras.Input(shape, name="image")
    x = _convolutions(image, maps, lambda maps: BatchNormalization()(maps))
    return keras.Model(image, layers.Conv2D(1, 1, dtype="float32")(x), name="discriminator")


def object_discriminator(
    size: int, channels: int, classes: int, maps: Sequence[int] = (64, 128, 256), features: int = 1024
) -> keras.Model:
    """Crops ``[n, size, size, channels]``, and which are of objects ``[n, 1]``, to logits of being real ``[n, 1]`` and of the
    classes ``[n, classes]``.
    """
    size, channels, classes, features = sizes(
        crop_size=size, channels=channels, classes=classes, object_features=features
    )
    maps = _fitting("object_maps", maps, (size, size))
    crops, there = keras.Input((size, size, channels), name="crops"), keras.Input((1,), name="there")
    x = _convolutions(crops, maps, lambda maps: ObjectNormalization()(maps, there))
    x = layers.Dense(features)(layers.GlobalAveragePooling2D()(x))  # no activation, as published
    heads = [layers.Dense(count, dtype="float32")(x) for count in (1, classes)]
    return keras.Model([crops, there], heads, name="object_discriminator")


def _convolutions(x: Any, maps: Sequence[int], normalized: Any) -> Any:
    for place, count in enumerate(maps):
        if place:
            x = layers.LeakyReLU(SLOPE)(normalized(x))
        x = layers.Conv2D(count, KERNEL, 2)(x)
    return x


def _fitting(name: str, maps: Sequence[int], sides: Sequence[int]) -> tuple[int, ...]:
    """The maps, or ``InvalidInput`` unless so many convolutions leave something of the sides."""
    maps, most = integers(name, maps, 1), 0
    left = min(sides)
    while left >= KERNEL:
        most, left = most + 1, (left - KERNEL) // 2 + 1
    if not 1 <= len(maps) <= most:
        raise InvalidInput(f"{name}={maps}: {len(maps)} layers of stride 2 of {min(sides)} px; give 1 to {most}.")
    return maps
