"""The residual pair of WGAN-GP (Gulrajani et al. 2017) and SNGAN (Miyato et al. 2018, table 4) for images of 32 px.

Other sizes: the generator doubles a small map as often as DCGAN's does (28 px: twice, from 7x7), the discriminator halves
images until a side is at most 8 px (28 -> 7), once at least. All blocks of a network have equally many maps.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.sum_pooling import SumPooling2D
from keras_gen.networks.class_conditioning import DiscriminatorInputs, GeneratorInputs
from keras_gen.networks.residual import ResidualBlocks, glorot

LARGEST_LAST = 8  # sides of the discriminator's last maps


def resnet_generator(
    spec: ImageSpec, latent_dim: int, width: int = 128, classes: int | None = None, conditioning: str | None = None
) -> keras.Model:
    """Noise ``[b, latent_dim]`` (and labels ``[b]``) to images ``[b, h, w, c]`` in ``[-1, 1]``.

    ``width`` is the number of maps: 128 in WGAN-GP, 256 in SNGAN. With ``classes``, see ``networks/class_conditioning.py``.
    """
    latent_dim, width = sizes(latent_dim=latent_dim, width=width)
    stages = spec.halvings()
    height, breadth = spec.height >> stages, spec.width >> stages
    given = GeneratorInputs(latent_dim, classes, conditioning)
    blocks = ResidualBlocks(given.normalized)
    x = layers.Dense(height * breadth * width, kernel_initializer=glorot())(given.start)
    x = layers.Reshape((height, breadth, width))(x)
    for _ in range(stages):
        x = blocks.up(x, width)
    x = layers.ReLU()(given.normalized(x))
    x = layers.Conv2D(spec.channels, 3, padding="same", kernel_initializer=glorot())(x)
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    return given.network(layers.Activation("tanh", dtype="float32")(x))


def resnet_discriminator(
    spec: ImageSpec,
    width: int = 128,
    classes: int | None = None,
    conditioning: str | None = None,
    *,
    pooling: str = "mean",
    norm: Callable[[Any], Any] | None = None,
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` (and labels ``[b]``) to logits ``[b, 1]``.

    Args:
        spec, width, classes, conditioning: as for the generator.
        pooling: over the last maps: ``"mean"`` with a biased last layer (WGAN-GP), or ``"sum"`` without (SNGAN).
        norm: before each ReLU, such as ``lambda x: keras.layers.LayerNormalization()(x)``; none in either paper.
    """
    [width] = sizes(width=width)
    if pooling not in ("mean", "sum"):
        raise InvalidInput(f"pooling={pooling!r}; give 'mean' or 'sum'.")
    if spec.height % 2 or spec.width % 2:
        raise InvalidInput(f"The residual discriminator cannot halve {spec}; use even sides.")
    given = DiscriminatorInputs(spec.shape, classes, conditioning)
    blocks = ResidualBlocks(norm) if norm else ResidualBlocks()
    x = blocks.first(given.with_label(given.image), width)
    while max(x.shape[1:3]) > LARGEST_LAST and not any(side % 2 for side in x.shape[1:3]):
        x = blocks.down(x, width)
    for _ in range(2):
        x = blocks.flat(x, width)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x) if pooling == "mean" else SumPooling2D()(x)
    return given.network(x, glorot, use_bias=pooling == "mean")
