"""PatchGAN (Isola et al. 2017, section 3.3): a verdict on each patch of an image, by convolutions alone.

Kernels start at N(0, 0.02); instance normalization stands where the paper has batch normalization over batches of one. Biases are
where no normalization follows: in the first layer and the last.
"""

from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.layers.instance_normalization import InstanceNormalization

KERNEL, MOST_MAPS = 4, 8


def receptive_field(halvings: int) -> int:
    """Pixels of a side that one verdict sees: 1, 16, 34, 70, 142, 286 of 0 to 5 layers of stride 2."""
    if not halvings:
        return 1
    field = 1
    for stride in (1, 1, *[2] * halvings):  # from the verdict outwards
        field = (field - 1) * stride + KERNEL
    return field


def usual_halvings(height: int, width: int) -> int:
    """Layers of stride 2 where nobody says how many: the paper's 3 (70 pixels) from 128 px on, 2 (34) from 32, else 1 or 0."""
    side = min(height, width)
    return next((halvings for least, halvings in ((128, 3), (32, 2), (8, 1)) if side >= least), 0)


def verdicts(side: int, halvings: int) -> int:
    """Along a side of so many pixels: 30 of 256 at 3 halvings; below 1 where the image is too small."""
    if not halvings:
        return side
    for _ in range(halvings):
        side = (side - 2) // 2 + 1
    return side - 2


def patch_discriminator(
    shape: tuple[int, int, int], width: int = 64, halvings: int | None = None, affine: bool = True
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to logits ``[b, h', w', 1]``, one a patch.

    A conditional one is given image and source beside each other, as channels.

    Args:
        shape: ``(h, w, c)``.
        width: maps of the first layer.
        halvings: layers of stride 2, which decide the ``receptive_field``; 0 makes 1x1 convolutions, the paper's PixelGAN; None
            for ``usual_halvings``.
        affine: whether normalized maps get a gain and a bias.
    """
    height, breadth, _ = shape
    width = integer("width", width, 1)
    halvings = usual_halvings(height, breadth) if halvings is None else integer("patch_layers", halvings, 0)
    if min(verdicts(side, halvings) for side in (height, breadth)) < 1:
        least = 3 << halvings
        raise InvalidInput(
            f"A patch discriminator of {halvings} layers of stride 2 leaves nothing of {height}x{breadth} images; give "
            f"sides of at least {least}, or patch_layers={usual_halvings(height, breadth)}."
        )
    image = x = keras.Input(shape, name="image")
    if not halvings:
        x = layers.LeakyReLU(0.2)(_convolution(width, 1, 1)(x))
        x = layers.LeakyReLU(0.2)(_normalized(_convolution(2 * width, 1, 1, use_bias=False)(x), affine))
        return keras.Model(image, _convolution(1, 1, 1, dtype="float32")(x), name="discriminator")
    for level in range(halvings + 1):
        stride = 2 if level < halvings else 1
        maps = width * min(1 << level, MOST_MAPS)
        x = _padded(x, stride, maps, use_bias=not level)
        x = layers.LeakyReLU(0.2)(_normalized(x, affine) if level else x)
    return keras.Model(image, _padded(x, 1, 1, dtype="float32"), name="discriminator")


def _padded(x: Any, stride: int, maps: int, **options: Any) -> Any:
    """A convolution of 4x4 on a map padded by 1 on all sides, as "same" is of even sides and stride 2 alone."""
    if stride == 2 and all(side % 2 == 0 for side in x.shape[1:3]):
        return _convolution(maps, KERNEL, 2, "same", **options)(x)
    return _convolution(maps, KERNEL, stride, **options)(layers.ZeroPadding2D(1)(x))


def _convolution(maps: int, kernel: int, stride: int, padding: str = "valid", **options: Any) -> layers.Layer:
    init = keras.initializers.RandomNormal(stddev=0.02)
    return layers.Conv2D(maps, kernel, stride, padding, kernel_initializer=init, **options)


def _normalized(x: Any, affine: bool) -> Any:
    return InstanceNormalization(affine, gain_deviation=0.02 if affine else 0.0)(x)
