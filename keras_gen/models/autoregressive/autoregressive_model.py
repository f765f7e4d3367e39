"""What all autoregressive models share: exact likelihood, cached sampling, completion, endpoints, training."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, odd, sizes
from keras_gen.core.completion import completed
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, KnownPixels, Labels
from keras_gen.core.noise import NoiseSpec
from keras_gen.core.replicas import global_mean
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE
from keras_gen.layers.causal import Blanks, CausalLayer
from keras_gen.losses.pixel_distributions import OUTPUTS, PixelDistribution
from keras_gen.models.autoregressive.cached_sampler import draw_images
from keras_gen.models.generative_model import GenerativeModel, dtype_policy, name_by_place


class AutoregressiveModel(GenerativeModel):
    """log P(x) = sum of log P(x_i | x_1 ... x_(i-1)) over pixels in raster order, channels in the order R, G, B.

    A subclass gives its network as causal layers (``make_stack``); the first takes the image in ``[-1, 1]`` as both streams,
    the last gives ``distribution.parameters`` features.

    Args:
        image_spec: the images.
        output: ``"bernoulli"`` (binary images alone), ``"softmax"``, ``"logistic_mixture"``; default by levels.
        mixtures: components of the logistic mixture.
        classes: for class-conditional models, how many; labels are then part of training data and sampling.
    """

    # Small graphs of many steps: XLA samples them many times faster than the plain graph.
    compiled_sampling = draws_in_order = True
    # Whether the network takes a condition.
    conditional = False

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        *,
        output: str | None = None,
        mixtures: int = 10,
        classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.output_name = output or ("bernoulli" if self.image_spec.levels == 2 else "softmax")
        if classes is not None and not self.conditional:
            raise InvalidInput(f"{type(self).__name__} takes no classes; the class-conditional model is GatedPixelCNN.")
        self.mixtures = integer("mixtures", mixtures, 1)
        self.classes = None if classes is None else integer("classes", classes, 1)
        self.distribution = self.make_distribution()
        self._log_prob_function = self._complete_function = None

    def finish(self) -> None:
        """Last lines of a subclass' constructor: makes and builds the network."""
        with dtype_policy(self.dtype_policy.name):
            self.stack = self.make_stack()
            name_by_place(self.stack)
            # A 1 x 1 picture of the right features would do; the real size also tries pyramids and strides.
            with tf.init_scope():
                image = tf.zeros((1, *self.image_spec.shape))
                self.parameters_of(image, tf.zeros((1, self.classes or 1)))
        self._blanks = Blanks()
        self.bits_tracker = keras.metrics.Mean("bits_per_dim")
        self.built = True

    # --- the subclass' part -----------------------------------------------------------------------------------------

    def make_distribution(self) -> PixelDistribution:
        """What the network's outputs mean."""
        return OUTPUTS.get(self.output_name)(self.image_spec, self.mixtures)

    def make_stack(self) -> list[CausalLayer]:
        """The network, a causal layer after the other."""
        raise NotImplementedError(f"{type(self).__name__} must give its layers.")

    def checked_kernels(self, first_kernel: int, kernel_size: int = 1) -> tuple[int, int]:
        """Kernel sizes, each odd; the first, whose centre is masked, of at least 3."""
        return odd("first_kernel", first_kernel, 3), odd("kernel_size", kernel_size)

    def checked_sizes(self, *, head: int | None = None, default: int, **values: int) -> list[int]:
        """The sizes, each an integer of at least 1, ``head`` last (None: ``default`` times ``filters``).

        ``filters`` must split among the image's channels.
        """
        named = dict(zip(values, sizes(**values)))
        named["head"] = default * named["filters"] if head is None else integer("head", head, 1)
        channels = self.image_spec.channels
        if named["filters"] % channels:
            raise InvalidInput(
                f"filters={named['filters']} do not split among the image's {channels} channels, which the masks keep in order; "
                f"give a multiple of {channels}."
            )
        return list(named.values())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "output": self.output_name, "mixtures": self.mixtures, "classes": self.classes}

    # --- the density ------------------------------------------------------------------------------------------------

    def parameters_of(self, scaled: Any, condition: Any = None, training: bool = False) -> tf.Tensor:
        """Every pixel's distribution, float32 ``[b, h, w, parameters]``, of images in ``[-1, 1]``, all pixels at once."""
        above = here = scaled
        for layer in self.stack:
            above, here = layer(above, here, condition, training=training)
        return tf.cast(here, tf.float32)

    def image_log_prob(self, images: Any, labels: Any = None, training: bool = False) -> tf.Tensor:
        """log P of uint8 images, nats ``[b]``, as TensorFlow computes it."""
        parameters = self.parameters_of(self.image_spec.to_unit(images), self._condition(labels), training)
        return self.distribution.log_prob(images, parameters)

    def log_prob(self, images: np.ndarray, *, batch_size: int = 100, **conditions: Any) -> np.ndarray:
        """Exact log P of discrete images: float32 ``[n]`` nats. Class-conditional models want ``label=``."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        labels = self.checked_conditions(conditions, len(images), required=True).get("label")
        if self._log_prob_function is None:
            self._log_prob_function = tf.function(self.image_log_prob, reduce_retracing=True)
        parts = [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]
        return np.concatenate(
            [self._log_prob_function(images[p], None if labels is None else labels[p]).numpy() for p in parts]
        )

    def bits_per_dim(self, images: np.ndarray, **conditions: Any) -> np.ndarray:
        """``-log2 P / dimensions`` of each image: float32 ``[n]``."""
        return -self.log_prob(images, **conditions) / np.float32(self.image_spec.dimensions * np.log(2.0))

    def _condition(self, labels: Any) -> tf.Tensor | None:
        """One-hot ``[b, classes]``; a label that is none of the classes gives zeros, as no class was seen in training."""
        return None if self.classes is None else tf.one_hot(tf.cast(labels, tf.int32), self.classes)

    # --- sampling ---------------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"u": Uniform([h, w, c])}``, and ``"component"`` for mixtures: one uniform a choice."""
        return self.distribution.noise_spec()

    def condition_spec(self) -> dict[str, Labels]:
        """``{"label": Labels(classes)}`` for class-conditional models."""
        return {} if self.classes is None else {"label": Labels(self.classes)}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of uniforms (and labels), pixel by pixel: uint8 ``[n, h, w, c]``."""
        return self._drawn(noise, conditions, None)

    def _drawn(self, noise: Mapping[str, Any], conditions: Any, known: tuple[Any, Any] | None) -> tf.Tensor:
        noise = {name: tf.convert_to_tensor(noise[name]) for name in self.noise_spec()}
        condition = self._condition((conditions or {}).get("label"))
        return draw_images(self.stack, self.distribution, self.image_spec, noise, self._blanks, condition, known)

    def complete(
        self,
        images: np.ndarray,
        known_mask: np.ndarray,
        seed: int = 0,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        **conditions: Any,
    ) -> np.ndarray:
        """Draws the unknown pixels given the known ones: uint8 ``[n, h, w, c]``, known pixels kept.

        Exact conditional samples, which this order of pixels allows where what is known comes first.

        Args:
            images: uint8 ``[n, h, w, c]``; unknown pixels may hold anything.
            known_mask: boolean ``[h, w]`` or ``[n, h, w]``, true where a pixel is known: in each image the first so many
                pixels in raster order.
            seed: of the uniforms; with nothing known the images are those of ``sample``.

        Raises:
            InvalidInput: images or mask of a wrong kind, or a known pixel after an unknown one.
        """
        if self._complete_function is None:
            self._complete_function = tf.function(self._completed, jit_compile=self.compiled_sampling)

        def draw(*arguments: Any) -> np.ndarray:
            return self._complete_function(*tf.nest.map_structure(tf.convert_to_tensor, arguments)).numpy()

        return completed(self, draw, images, known_mask, seed, batch_size, conditions)

    def _completed(self, noise: Mapping[str, Any], inputs: Mapping[str, Any]) -> tf.Tensor:
        return self._drawn(noise, inputs, (inputs["known_image"], inputs["known_mask"]))

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``; ``complete``: the same with an image and a mask of its known pixels; ``log_prob``: image -> nats."""
        noise, conditions, spec = self.noise_spec(), self.condition_spec(), self.image_spec
        levels = {"image": (0, spec.levels - 1)}
        return {
            "sample": Endpoint(
                lambda inputs: {"image": self._drawn(inputs, inputs, None)},
                {**noise, **conditions},
                levels,
                compiled=self.compiled_sampling,
                sequential=True,
            ),
            "complete": Endpoint(
                lambda inputs: {"image": self._completed(inputs, inputs)},
                {"known_image": Images(spec), "known_mask": KnownPixels(spec), **noise, **conditions},
                levels,
                compiled=self.compiled_sampling,
                sequential=True,
            ),
            "log_prob": Endpoint(
                lambda inputs: {"log_prob": self.image_log_prob(inputs["image"], inputs.get("label"))},
                {"image": Images(spec), **conditions},
                {"log_prob": None},
            ),
        }

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """log P of a batch (dict with ``"image"`` and, for class-conditional models, ``"label"``): nats ``[b]``."""
        batch = self.batch_of(inputs)
        return self.image_log_prob(batch["image"], batch.get("label"), training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The negative log-likelihood in nats, this replica's share of the global mean."""
        self._blanks = Blanks()
        self.bits_tracker.update_state(-y_pred / (self.image_spec.dimensions * np.log(2.0)))
        loss = global_mean(-y_pred)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss
