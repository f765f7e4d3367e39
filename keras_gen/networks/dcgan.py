"""The generator and discriminator of DCGAN (Radford et al. 2015), for images from 8 to 64 px and beyond.

The paper's rules: strided convolutions in place of pooling, batch normalization in both but not on the generator's output
nor the discriminator's input, no hidden dense layers, ReLU and a tanh output in the generator, LeakyReLU 0.2 in the
discriminator, weights from N(0, 0.02). Kernels are 4x4, so that stride 2 covers every pixel equally often; the paper's
code has 5x5.
"""

import keras
from keras import layers

from keras_gen.core.checks import integer, sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution
from keras_gen.networks.class_conditioning import DiscriminatorInputs, GeneratorInputs

KERNEL = 4


def _init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def dcgan_generator(
    spec: ImageSpec, latent_dim: int, width: int = 64, classes: int | None = None, conditioning: str | None = None
) -> keras.Model:
    """Noise ``[b, latent_dim]`` (and labels ``[b]``) to images ``[b, h, w, c]`` in ``[-1, 1]``.

    ``width`` is the number of maps before the last layer; each layer towards the noise has twice as many (the paper's
    64 px network is ``width=128``). With ``classes``, see ``networks/class_conditioning.py``.
    """
    latent_dim, width = sizes(latent_dim=latent_dim, width=width)
    stages = spec.halvings()
    height, breadth, maps = spec.height >> stages, spec.width >> stages, width << (stages - 1)
    given = GeneratorInputs(latent_dim, classes, conditioning)
    x = layers.Dense(height * breadth * maps, use_bias=False, kernel_initializer=_init())(given.start)
    x = layers.Reshape((height, breadth, maps))(x)
    for stage in range(stages):
        x = layers.ReLU()(given.normalized(x))
        if stage < stages - 1:
            maps //= 2
            x = UpsamplingConvolution(maps, use_bias=False, kernel_initializer=_init())(x)
    x = UpsamplingConvolution(spec.channels, kernel_initializer=_init())(x)
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    return given.network(layers.Activation("tanh", dtype="float32")(x))


def dcgan_discriminator(
    spec: ImageSpec,
    width: int = 64,
    normalized: bool = True,
    classes: int | None = None,
    conditioning: str | None = None,
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` (and labels ``[b]``) to logits ``[b, 1]``. ``width``: maps of the first layer.

    Not ``normalized``, it has no batch normalization: a penalty on each example's slope, or spectral norms, replace it. It then
    has biases, as the convolutions of Miyato et al. 2018 do: without any, its logits are proportional to the image but for the
    last bias, so that a generator that is losing gains by shrinking its images to grey, and stays there.
    """
    stages, width = spec.halvings(), integer("width", width, 1)
    given = DiscriminatorInputs(spec.shape, classes, conditioning)
    x = given.with_label(given.image)
    for stage in range(stages):
        # Normalized, it has no bias, not even in the first layer: it changes little.
        x = layers.Conv2D(width << stage, KERNEL, 2, "same", use_bias=not normalized, kernel_initializer=_init())(x)
        if stage and normalized:
            x = BatchNormalization()(x)
        x = layers.LeakyReLU(0.2)(x)
    return given.network(layers.Flatten()(x), _init)
