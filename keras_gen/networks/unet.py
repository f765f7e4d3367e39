"""pix2pix's generator (Isola et al. 2017, appendix A.1.1): down to one pixel and back, with skips from each size to itself.

Names of layers follow the paper's: e1 ... eN go down, d1 ... dN up. Instance normalization stands where the paper has batch
normalization over batches of one; kernels start at N(0, 0.02), gains at N(1, 0.02). No convolution has a bias, since the
authors' code sets all to zero at every step, but for the last.
"""

import itertools
from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import integer, nearest_sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import Uniform
from keras_gen.layers.halving_convolution import HalvingConvolution
from keras_gen.layers.instance_normalization import InstanceNormalization
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution

MOST_MAPS = 8  # times the width
DROPPED = 3  # of the decoder's layers, from the innermost on
LARGEST_BOTTLENECK = 4  # pixels of the shorter side that may be left where nobody says how many halvings


def _init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def unet_downs(height: int, width: int, downs: int | None = None) -> int:
    """How often a U-Net halves these sides: ``downs`` times, or by default as long as both are even.

    Raises:
        InvalidInput: a side cannot be halved so often, or by default more than 4 pixels of the shorter one would be left; the
            nearest good sizes are named.
    """
    halvings = 0
    while (height >> halvings) % 2 == 0 and (width >> halvings) % 2 == 0:
        halvings += 1
    if downs is None and min(height, width) >> halvings <= LARGEST_BOTTLENECK and halvings >= 2:
        return halvings
    wanted = _usual(min(height, width)) if downs is None else integer("downs", downs, 2)
    if downs is not None and wanted <= halvings:
        return wanted
    near = nearest_sizes(height, width, 1 << wanted)
    fewer = "" if halvings < 2 else f", or downs={halvings}" if downs is None else f", or downs={halvings} at most"
    raise InvalidInput(
        f"A U-Net cannot halve {height}x{width} images {wanted} times: both sides have to be multiples of {1 << wanted}. The "
        f"nearest good sizes are {near}{fewer}."
    )


def _usual(side: int) -> int:
    """The fewest halvings that leave few enough pixels of a side, 2 at least."""
    return max(2, next(count for count in itertools.count() if -(-side >> count) <= LARGEST_BOTTLENECK))


def dropout_spec(height: int, width: int, maps: int = 64, downs: int | None = None) -> dict[str, Uniform]:
    """The noise that the decoder's dropout takes: ``{"drop1": Uniform([2, 2, 512]), ...}`` at 256 px, 43,008 numbers."""
    downs = unet_downs(height, width, downs)
    return {
        f"drop{place}": Uniform((height >> (downs - place), width >> (downs - place), _maps(maps, downs - place)))
        for place in range(1, min(DROPPED, downs - 1) + 1)
    }


def _maps(width: int, level: int) -> int:
    """Maps after ``level`` halvings: 64, 128, 256, 512, 512 ..."""
    return width * min(1 << (level - 1), MOST_MAPS)


def unet(
    shape: tuple[int, int, int],
    outputs: int,
    width: int = 64,
    downs: int | None = None,
    skips: bool = True,
    dropped: bool = True,
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, h, w, outputs]`` in ``(-1, 1)``.

    Args:
        shape: ``(h, w, c)``.
        outputs: channels that leave.
        width: maps of the layer next to the image.
        downs: halvings, see ``unet_downs``: 8 at 256 px.
        skips: False makes the encoder-decoder of the paper's ablation (section 4.2), which has nothing but the bottleneck.
        dropped: whether it takes factors ``drop1`` ... as further inputs (shapes of ``dropout_spec``), by which the maps of the
            decoder's innermost layers are multiplied: a mask of 0 and 2 is dropout of 0.5, ones leave it out.
    """
    height, breadth, _ = shape
    downs, width = unet_downs(height, breadth, downs), integer("width", width, 1)
    masks = {
        name: keras.Input(kind.shape, name=name) for name, kind in dropout_spec(height, breadth, width, downs).items()
    }
    image = x = keras.Input(shape, name="source")
    kept = []
    for level in range(1, downs + 1):
        if level > 1:
            x = layers.LeakyReLU(0.2, name=f"e{level}_activation")(x)
        maps = _maps(width, level)
        x = HalvingConvolution(maps, use_bias=False, kernel_initializer=_init(), name=f"e{level}")(x)
        if 1 < level < downs:  # of the innermost, one pixel, normalization would leave nothing
            x = _normalized(x, f"e{level}")
        kept.append(x)
    for place in range(1, downs):
        x = layers.ReLU(name=f"d{place}_activation")(x)
        maps = _maps(width, downs - place)
        x = UpsamplingConvolution(maps, use_bias=False, kernel_initializer=_init(), name=f"d{place}")(x)
        x = _normalized(x, f"d{place}")
        if dropped and f"drop{place}" in masks:
            x = layers.Multiply(name=f"d{place}_dropout")([x, masks[f"drop{place}"]])
        if skips:
            x = layers.Concatenate(name=f"d{place}_skip")([x, kept[downs - place - 1]])
    x = layers.ReLU(name=f"d{downs}_activation")(x)
    x = UpsamplingConvolution(outputs, kernel_initializer=_init(), name=f"d{downs}")(x)
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    x = layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model([image, *masks.values()] if dropped else image, x, name="generator")


def _normalized(x: Any, name: str) -> Any:
    return InstanceNormalization(gain_deviation=0.02, name=f"{name}_normalization")(x)
