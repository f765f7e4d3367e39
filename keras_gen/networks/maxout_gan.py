"""The pair of Goodfellow et al. 2014 for MNIST: a generator of ReLU layers, a discriminator of maxout units with dropout.

Sizes, initial ranges and dropout are those of the authors' code (goodfeli/adversarial, mnist.yaml). Inside, pixels are in
``[0, 1]``, so that a black one gives a layer nothing. No normalization anywhere.
"""

import keras
from keras import layers

from keras_gen.core.checks import integer, sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.dropout import Dropout
from keras_gen.layers.maxout import Maxout
from keras_gen.layers.pixel_bias import PixelBias
from keras_gen.networks.class_conditioning import DiscriminatorInputs, GeneratorInputs

PIECES = 5


def _init(limit: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-limit, limit)


def maxout_generator(
    spec: ImageSpec, latent_dim: int, width: int = 240, classes: int | None = None, conditioning: str | None = None
) -> keras.Model:
    """Noise ``[b, latent_dim]`` (and labels ``[b]``) to images ``[b, h, w, c]`` in ``[-1, 1]``: two layers of ``5 width`` ReLUs.

    Its last bias starts at the data's mean image, which ``GAN.fit`` tells it. The labels of each kind of conditioning are
    beside ``z``.
    """
    latent_dim, width = sizes(latent_dim=latent_dim, width=width)
    given = GeneratorInputs(latent_dim, classes, conditioning, normalizes=False)
    x = given.start
    for _ in range(2):
        x = layers.Dense(PIECES * width, activation="relu", kernel_initializer=_init(0.05))(x)
    x = layers.Dense(spec.dimensions, use_bias=False, kernel_initializer=_init(0.05))(x)
    x = PixelBias(dtype="float32")(layers.Reshape(spec.shape)(x))
    x = layers.Activation("sigmoid", dtype="float32")(x)
    return given.network(layers.Rescaling(2.0, -1.0, dtype="float32")(x))


def maxout_discriminator(
    spec: ImageSpec, width: int = 240, classes: int | None = None, conditioning: str | None = None
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` (and labels ``[b]``) to logits ``[b, 1]``: two layers of ``width`` units, 5 pieces.

    Dropout of 0.2 at its input and 0.5 before the other layers, a mask of its own for every call in training, the
    generator's turn included.
    """
    width = integer("width", width, 1)
    given = DiscriminatorInputs(spec.shape, classes, conditioning)
    x = given.with_label(layers.Flatten()(layers.Rescaling(0.5, 0.5)(given.image)))
    for place, rate in enumerate((0.2, 0.5)):
        x = Maxout(width, PIECES, kernel_initializer=_init(0.005))(Dropout(rate, seed=place)(x))
    return given.network(Dropout(0.5, seed=2)(x), lambda: _init(0.005))
