"""A decoder that draws pixel after pixel: p(x|z) of a VAE as a PixelCNN that sees what z decodes to."""

from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.checks import integer, odd, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec
from keras_gen.layers.causal import Blanks
from keras_gen.layers.causal_blocks import GatedBlock, Head
from keras_gen.layers.condition_map import ConditionMap
from keras_gen.losses.pixel_distributions import OUTPUTS
from keras_gen.models.autoregressive.cached_sampler import draw_images
from keras_gen.models.generative_model import name_by_place


@keras.saving.register_keras_serializable("keras_gen")
class AutoregressiveLikelihood(keras.layers.Layer):
    """Gulrajani et al. 2017 (PixelVAE): ``p(x|z) = prod p(x_i | x_1 ... x_(i-1), z)``, gated blocks over the decoder's map.

    The decoder gives ``maps`` features a pixel, which join the network behind its first block. What a pixel sees of those before
    it is kept small (7 x 7, and a few 3 x 3), so that what is further away has to come through z: a decoder that sees everything
    needs no latents, and the posterior collapses.

    A ``likelihood=`` of ``VAE``, whose images are then drawn in raster order, by the one sampler of all autoregressive models.

    Args:
        filters: features of both streams. A multiple of the image's channels.
        blocks: gated blocks behind the first.
        first_kernel, kernel_size: of the first block and of the others, odd.
        head: features of the layer before the output; default: filters.
        maps: what the decoder gives a pixel; default: filters.
        output: ``"bernoulli"``, ``"softmax"`` or ``"logistic_mixture"``; default by levels.
        mixtures: components of the logistic mixture.
    """

    # Whether a pixel is drawn given those before it.
    in_order = True

    def __init__(
        self,
        filters: int = 24,
        blocks: int = 2,
        *,
        first_kernel: int = 7,
        kernel_size: int = 3,
        head: int | None = None,
        maps: int | None = None,
        output: str | None = None,
        mixtures: int = 5,
        **kwargs: Any,
    ):
        super().__init__(**{"name": "pixels", **kwargs})
        self.filters, self.blocks = sizes(filters=filters, blocks=blocks)
        self.first_kernel, self.kernel_size = odd("first_kernel", first_kernel, 3), odd("kernel_size", kernel_size)
        self.head = self.filters if head is None else integer("head", head, 1)
        self.maps = self.filters if maps is None else integer("maps", maps, 1)
        self.output_name, self.mixtures = output, integer("mixtures", mixtures, 1)

    def settings(self) -> dict[str, Any]:
        """The arguments that are of it alone."""
        names = ("filters", "blocks", "first_kernel", "kernel_size", "head", "maps", "mixtures")
        return {**{name: getattr(self, name) for name in names}, "output": self.output_name}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.settings()}

    def prepare(self, spec: ImageSpec) -> None:
        """Makes the network, for images of ``spec``."""
        if self.filters % spec.channels:
            raise InvalidInput(
                f"filters={self.filters} do not split among the image's {spec.channels} channels, which the masks keep in "
                f"order; give a multiple of {spec.channels}."
            )
        self.spec = spec
        self.output_name = self.output_name or ("bernoulli" if spec.levels == 2 else "softmax")
        self.pixels = OUTPUTS.get(self.output_name)(spec, self.mixtures)
        self.stack = [
            GatedBlock(self.filters, self.first_kernel, first=True, groups=spec.channels),
            ConditionMap(self.filters, self.maps),
            *(GatedBlock(self.filters, self.kernel_size, groups=spec.channels) for _ in range(self.blocks)),
            Head(self.head, self.pixels.parameters, spec.channels),
        ]
        name_by_place(self.stack)
        with tf.init_scope():
            self._parameters_of(tf.zeros((1, *spec.shape)), tf.zeros((1, spec.height, spec.width, self.maps)))
        self._blanks = Blanks()
        self._median_function = None
        self.built = True

    def _parameters_of(self, scaled: Any, decoded: Any) -> tf.Tensor:
        above = here = scaled
        for layer in self.stack:
            above, here = layer(above, here, decoded)
        return tf.cast(here, tf.float32)

    # --- what a VAE asks of its likelihood --------------------------------------------------------------------------

    @property
    def parameters(self) -> int:
        """``maps``."""
        return self.maps

    def noise_spec(self) -> NoiseSpec:
        """Of the pixels' distribution: one uniform a choice."""
        return self.pixels.noise_spec()

    def log_prob(self, images: Any, decoded: Any) -> tf.Tensor:
        """log P of uint8 images under what z decoded to: nats ``[b]``."""
        return self.pixels.log_prob(images, self._parameters_of(self.spec.to_unit(images), decoded))

    def draw(self, decoded: Any, u: Any, component: Any = None) -> tf.Tensor:
        """Images of uniform noise, pixel by pixel: uint8 ``[b, h, w, c]``."""
        noise = {"u": u} if component is None else {"u": u, "component": component}
        noise = {name: tf.convert_to_tensor(values) for name, values in noise.items()}
        decoded = tf.cast(decoded, tf.float32)
        return draw_images(self.stack, self.pixels, self.spec, noise, self._blanks, decoded)

    def mean(self, decoded: Any) -> tf.Tensor:
        """The image whose every value is the median given those before it, as fractions ``[b, h, w, c]``.

        The mean over all images is out of reach. This one is a function of z alone, and an image of the model.
        """
        if self._median_function is None:  # not by XLA, which would compile anew for every number of images
            self._median_function = tf.function(self._median, reduce_retracing=True)
        return self._median_function(decoded)

    def _median(self, decoded: Any) -> tf.Tensor:
        count = tf.shape(decoded)[0]
        noise = {name: tf.fill((count, *kind.shape), 0.5) for name, kind in self.noise_spec().items()}
        return tf.cast(self.draw(decoded, **noise), tf.float32) / (self.spec.levels - 1)
