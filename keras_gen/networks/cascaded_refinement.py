"""The cascaded refinement network of sg2im (Chen and Koltun 2017; Johnson et al. 2018): a layout to an image, from coarse to
fine.
"""

from collections.abc import Sequence

import keras
from keras import layers

from keras_gen.core.checks import integer, integers, nearest_sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.batch_normalization import BatchNormalization

SLOPE = 0.2


def cascaded_refinement(
    spec: ImageSpec,
    features: int = 128,
    noise: int = 32,
    maps: Sequence[int] = (1024, 512, 256, 128, 64),
    activation: str = "tanh",
) -> keras.Model:
    """A layout ``[b, h, w, features]`` and noise of each pixel ``[b, h, w, noise]`` to images ``[b, h, w, c]`` around ``[-1,
    1]``.

    A module a number of ``maps``, each at twice the size of the one before: of what that one made, enlarged, and of the layout
    and noise, averaged to the module's size. The published network begins with a channel of zeros, which changes nothing and is
    left out, and has no ``activation`` at its end (``"linear"``).
    """
    integer("noise_channels", noise, 0)
    maps = integers("refinement_maps", maps, 1)
    if activation not in ("tanh", "linear"):
        raise InvalidInput(f"image_activation={activation!r}; give tanh or linear.")
    step = 1 << (len(maps) - 1)
    if not maps or spec.height % step or spec.width % step:
        raise InvalidInput(
            f"{len(maps)} refinement modules cannot make {spec.height}x{spec.width} images; give refinement_maps of fewer, or "
            f"images of {nearest_sizes(spec.height, spec.width, step)}."
        )
    layout = keras.Input((spec.height, spec.width, features), name="layout")
    given = keras.Input((spec.height, spec.width, noise), name="noise")
    whole, x = (layers.Concatenate()([layout, given]) if noise else layout), None
    for place, count in enumerate(maps):
        scale = step >> place
        seen = layers.AveragePooling2D(scale)(whole) if scale > 1 else whole
        x = seen if x is None else layers.Concatenate()([seen, layers.UpSampling2D()(x)])
        for _ in range(2):
            # No bias: the normalization behind it would take it away.
            x = layers.Conv2D(count, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
            x = layers.LeakyReLU(SLOPE)(BatchNormalization()(x))
    x = layers.Conv2D(maps[-1], 3, padding="same", kernel_initializer="he_normal")(x)
    x = layers.Conv2D(spec.channels, 1, kernel_initializer="glorot_uniform", dtype="float32")(
        layers.LeakyReLU(SLOPE)(x)
    )
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    image = layers.Activation(activation, dtype="float32")(x)
    return keras.Model([layout, given], image, name="generator")
