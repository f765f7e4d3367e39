"""CycleGAN's generator (Zhu et al. 2017, appendix 7.2; Johnson et al. 2016): residual blocks at a quarter of the size.

Fully convolutional: one network serves images of every size whose sides are multiples of 4. Kernels start at N(0, 0.02); no
convolution before a normalization has a bias, which would be taken out again.
"""

from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import integer, nearest_sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.layers.instance_normalization import InstanceNormalization
from keras_gen.layers.reflection_padding import ReflectionPadding

HALVINGS = 2
STEP = 1 << HALVINGS  # sides are multiples of it
LEAST = 2 * STEP  # pixels of a side: a map is mirrored at its border, which wants two pixels


def usual_blocks(height: int, width: int) -> int:
    """Residual blocks: 9 from 256 px on, else 6."""
    return 9 if min(height, width) >= 256 else 6


def check_sides(height: int, width: int) -> None:
    """``InvalidInput`` unless images of these sides come back in their own size."""
    if any(side % STEP or side < LEAST for side in (height, width)):
        raise InvalidInput(
            f"A residual translator cannot halve {height}x{width} images twice and double them again: sides have to be "
            f"multiples of {STEP} of at least {LEAST}. The nearest good sizes are {nearest_sizes(height, width, STEP, LEAST)}."
        )


def translation_resnet(
    channels: int, outputs: int, width: int = 64, blocks: int = 9, affine: bool = True, name: str = "generator"
) -> keras.Model:
    """Images ``[b, h, w, channels]`` in ``[-1, 1]`` to ``[b, h, w, outputs]`` in ``(-1, 1)``; h and w multiples of 4.

    Args:
        channels, outputs: that come and leave.
        width: maps next to the image; four times as many at a quarter of the size.
        blocks: residual blocks there; they add without an activation after the sum.
        affine: whether normalized maps get a gain and a bias, as in the authors' first code; in their later one not.
    """
    width, blocks = integer("width", width, 1), integer("blocks", blocks, 0)
    image = x = keras.Input((None, None, channels), name="image")
    x = _activated(_convolution(width, 7)(ReflectionPadding(3)(x)), affine)
    for level in range(1, HALVINGS + 1):
        # Padded before the first row and column; "same" would pad after the last.
        x = layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
        x = _activated(_convolution(width << level, 3, 2)(x), affine)
    for _ in range(blocks):
        y = _activated(_convolution(width << HALVINGS, 3)(ReflectionPadding(1)(x)), affine)
        y = _normalized(_convolution(width << HALVINGS, 3)(ReflectionPadding(1)(y)), affine)
        x = layers.Add()([x, y])
    for level in reversed(range(HALVINGS)):
        # Of twice the side plus one; cut where the padding of the way down stood.
        x = layers.Conv2DTranspose(width << level, 3, 2, "valid", use_bias=False, kernel_initializer=_init())(x)
        x = _activated(layers.Cropping2D(((1, 0), (1, 0)))(x), affine)
    x = _convolution(outputs, 7, use_bias=True)(ReflectionPadding(3)(x))
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    return keras.Model(image, layers.Activation("tanh", dtype="float32")(x), name=name)


def _init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _convolution(maps: int, kernel: int, stride: int = 1, use_bias: bool = False) -> layers.Layer:
    return layers.Conv2D(maps, kernel, stride, use_bias=use_bias, kernel_initializer=_init())


def _normalized(x: Any, affine: bool) -> Any:
    return InstanceNormalization(affine, gain_deviation=0.02 if affine else 0.0)(x)


def _activated(x: Any, affine: bool) -> Any:
    return layers.ReLU()(_normalized(x, affine))
