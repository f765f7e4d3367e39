"""Generator, discriminator and style encoder of GAN-CLS (Reed et al. 2016b, section 4), for images from 8 px on (paper: 64).

As DCGAN's, with two residual blocks at the generator's smallest maps and one at the discriminator's. Each projects the embedded
caption for itself: the generator's beside the noise, the discriminator's beside its maps of 4x4. Weights begin as N(0, 0.02), the
gains of batch normalization as N(1, 0.02). Convolutions have no biases (the authors' code sets them to zero in every step), but
for the last of each network.
"""

from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution

SLOPE = 0.2


def _init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _normalized(x: Any) -> Any:
    return BatchNormalization(gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02))(x)


def _convolution(x: Any, maps: int, kernel: int = 3, strides: int = 1) -> Any:
    return layers.Conv2D(maps, kernel, strides, "same", use_bias=False, kernel_initializer=_init())(x)


def _residual(x: Any, activation: Any) -> Any:
    """``x`` and 1x1, 3x3, 3x3 convolutions of it, a quarter of its maps in between; normalized each, activated between."""
    maps = x.shape[-1]
    inner = x
    for count, kernel in ((maps // 4, 1), (maps // 4, 3)):
        inner = activation(_normalized(_convolution(inner, max(1, count), kernel)))
    return layers.Add()([x, _normalized(_convolution(inner, maps))])


def _relu(x: Any) -> Any:
    return layers.ReLU()(x)


def _leaky(x: Any) -> Any:
    return layers.LeakyReLU(SLOPE)(x)


def text_generator(
    spec: ImageSpec,
    latent_dim: int,
    features: int,
    width: int = 128,
    projection: int = 128,
    normalized_text: bool = False,
) -> keras.Model:
    """Noise ``[b, latent_dim]`` and an embedded caption ``[b, features]`` to images ``[b, h, w, c]`` in ``[-1, 1]``.

    ``width``: maps before the last layer, doubled at every layer towards the noise. ``normalized_text``: whether the projected
    caption is normalized over the batch, as the discriminator's is; the paper's is not. Where embeddings vary less than the
    noise does (an encoder needs them no larger than its margin asks), the generator is else slow to see them.
    """
    latent_dim, features, width, projection = sizes(
        latent_dim=latent_dim, features=features, width=width, projection=projection
    )
    stages = spec.halvings()
    height, breadth, maps = spec.height >> stages, spec.width >> stages, width << (stages - 1)
    z, embedding = keras.Input((latent_dim,), name="z"), keras.Input((features,), name="embedding")
    text = layers.Dense(projection, use_bias=not normalized_text, kernel_initializer=_init())(embedding)
    text = _leaky(_normalized(text) if normalized_text else text)
    x = layers.Concatenate()([text, z])
    x = layers.Dense(height * breadth * maps, use_bias=False, kernel_initializer=_init())(x)
    x = _normalized(layers.Reshape((height, breadth, maps))(x))
    for stage in range(stages):
        x = _relu(_residual(x, _relu) if stage < 2 else x)
        if stage < stages - 1:
            maps //= 2
            x = _normalized(UpsamplingConvolution(maps, use_bias=False, kernel_initializer=_init())(x))
    x = UpsamplingConvolution(spec.channels, kernel_initializer=_init())(x)
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    return keras.Model([z, embedding], layers.Activation("tanh", dtype="float32")(x), name="generator")


def text_discriminator(spec: ImageSpec, features: int, width: int = 64, projection: int = 128) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` and embedded captions ``[b, features]`` to logits ``[b, 1]``.

    ``width``: maps of the first layer.
    """
    features, width, projection = sizes(features=features, width=width, projection=projection)
    stages = spec.halvings()
    image, embedding = keras.Input(spec.shape, name="image"), keras.Input((features,), name="embedding")
    x = image
    for stage in range(stages):
        x = _convolution(x, width << stage, 4, 2)
        if stage:
            x = _normalized(x)
        # The authors' code has no activation behind the third of its four convolutions, and the block's behind the last.
        if stage < stages - 1 and not (stages > 3 and stage == stages - 2):
            x = _leaky(x)
    x = _leaky(_residual(x, _leaky))
    height, breadth, maps = x.shape[1:]
    text = layers.Dense(projection, use_bias=False, kernel_initializer=_init())(embedding)
    text = layers.Reshape((1, 1, projection))(_leaky(_normalized(text)))
    x = layers.Concatenate()([x, layers.UpSampling2D((height, breadth))(text)])
    x = _leaky(_normalized(_convolution(x, maps, 1)))
    logits = layers.Dense(1, kernel_initializer=_init(), dtype="float32")(layers.Flatten()(x))
    return keras.Model([image, embedding], logits, name="discriminator")


def style_network(spec: ImageSpec, latent_dim: int, width: int = 64) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` to noise ``[b, latent_dim]``; ``width``: of the first layer, doubled at each."""
    latent_dim, width = sizes(latent_dim=latent_dim, width=width)
    image = x = keras.Input(spec.shape, name="image")
    for stage in range(spec.halvings()):
        x = _convolution(x, width << stage, 4, 2)
        x = _leaky(_normalized(x) if stage else x)
    z = layers.Dense(latent_dim, kernel_initializer=_init(), dtype="float32")(layers.Flatten()(x))
    return keras.Model(image, z, name="style")
