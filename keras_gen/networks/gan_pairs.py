"""The pairs of generator and discriminator that ``GAN`` knows by name."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from keras_gen.core.registry import Registry
from keras_gen.networks.dcgan import dcgan_discriminator, dcgan_generator
from keras_gen.networks.maxout_gan import maxout_discriminator, maxout_generator
from keras_gen.networks.resnet_gan import resnet_discriminator, resnet_generator


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two networks made for each other.

    Args:
        generator: ``f(spec, latent_dim, width, classes=, conditioning=)``.
        discriminator: ``f(spec, width, classes=, conditioning=)``.
        plain_discriminator: the same without batch normalization, for a critic with a penalty or a constraint in its place.
    """

    generator: Callable[..., keras.Model]
    discriminator: Callable[..., keras.Model]
    plain_discriminator: Callable[..., keras.Model] | None = None


PAIRS = Registry("pair of networks")
for _name, _pair in {
    "dcgan": Pair(dcgan_generator, dcgan_discriminator, functools.partial(dcgan_discriminator, normalized=False)),
    "maxout": Pair(maxout_generator, maxout_discriminator),
    "wgan_gp_resnet": Pair(resnet_generator, resnet_discriminator),
    "sngan_resnet": Pair(resnet_generator, functools.partial(resnet_discriminator, pooling="sum")),
}.items():
    PAIRS.register(_name, _pair)
