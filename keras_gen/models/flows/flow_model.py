"""What all flows share: dequantization, a bound on log P, encoding, sampling at a temperature, endpoints, training."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.border import features_of
from keras_gen.core.checks import integer
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.finite import finite, finite_images
from keras_gen.core.inputs import Images, Temperature
from keras_gen.core.noise import NoiseSpec, NoiseStream, Normal, Uniform, draw
from keras_gen.core.replicas import global_mean
from keras_gen.layers.invertible import Invertible, starting
from keras_gen.models.flows.multi_scale import MultiScaleFlow, standard_normal_log_prob
from keras_gen.models.generative_model import GenerativeModel, dtype_policy, name_by_place

START_IMAGES = 256  # of which data-dependent weights take their start, as Glow's authors' code does
BATCH_SIZE = 100


class FlowModel(GenerativeModel):
    """An invertible network from images to standard normal noise: density by the change of variables, sampling by its inverse.

    Discrete images become continuous by uniform noise, ``x = (image + u) / levels``, ``u`` in ``[0, 1)`` (Theis et al. 2016,
    section 3.1): ``log P(image) >= E_u[log p(x)] - dimensions log levels``. A subclass gives the layers (``make_steps``).

    A flow computes in float32 whatever its dtype policy; the policy is that of the networks inside its couplings.
    """

    def finish(self, memory: str = "store") -> None:
        """Last lines of a subclass' constructor: makes and builds the flow; ``memory`` is ``MultiScaleFlow``'s."""
        with dtype_policy(self.dtype_policy.name):
            self.flow = MultiScaleFlow(self.make_steps(), memory)
            name_by_place([self.flow])
            with tf.init_scope():
                self.flow.build((None, *self.image_spec.shape))
        self.started = self.add_weight(shape=(), initializer="zeros", trainable=False, name="started")
        self.bits_tracker = keras.metrics.Mean("bits_per_dim")
        self._first_of_generator = None
        self._log_prob_function = self._encode_function = self._decode_function = None
        self.built = True

    def make_steps(self) -> list[Invertible]:
        """The layers, from the image in [0, 1] to noise."""
        raise NotImplementedError(f"{type(self).__name__} must give its layers.")

    def halves(self, count: int) -> bool:
        """Whether both sides of the image can be halved so often."""
        return self.image_spec.height % 2**count == 0 and self.image_spec.width % 2**count == 0

    def check_halvings(self, name: str, count: int, less: int = 0) -> None:
        """``InvalidInput`` unless both sides can be halved ``count - less`` times; it names the sizes that can."""
        block, spec = 2 ** (count - less), self.image_spec
        if not self.halves(count - less):
            most = max(k for k in range(9) if self.halves(k)) + less
            fewer = f" or give {name}={most}" if most >= 1 else ""
            near = sorted({max(block, side // block * block + up) for side in spec.shape[:2] for up in (0, block)})
            raise InvalidInput(
                f"{name}={count} halves both sides {count - less} times, which {spec.height}x{spec.width} images do not "
                f"allow; use sides that are multiples of {block} ({', '.join(map(str, near))} ...: pad or crop){fewer}."
            )

    # --- the density ------------------------------------------------------------------------------------------------

    def dequantized(self, images: Any, u: Any) -> tf.Tensor:
        """uint8 images and uniform noise to ``[0, 1)``, float32."""
        return (tf.cast(images, tf.float32) + u) / float(self.image_spec.levels)

    def image_log_prob(self, images: Any, u: Any, training: bool = False) -> tf.Tensor:
        """The bound of uint8 images with one draw ``u`` ``[b, h, w, c]`` each: nats ``[b]``, as TensorFlow computes it."""
        z, log_det = self.flow.forward(self.dequantized(images, u), training)
        levels = self.image_spec.dimensions * math.log(self.image_spec.levels)
        return standard_normal_log_prob(z) + log_det - levels

    def log_prob(
        self, images: np.ndarray, samples: int = 1, seed: int = 0, *, batch_size: int = BATCH_SIZE
    ) -> np.ndarray:
        """A lower bound on log P of discrete images, by uniform dequantization: float32 ``[n]`` nats.

        With ``samples=1`` an unbiased estimate of ``E_u[log p((image + u) / levels)] - dimensions log levels``, which papers
        report. With k draws of ``u`` the logarithm of their mean density: in expectation at least as high, and towards log P
        itself as k grows (Burda et al. 2016, theorem 1, with ``u`` as the latent). Figures of different k do not compare.

        Args:
            images: uint8 ``[n, h, w, c]``.
            samples: k, draws of ``u`` an image.
            seed: of the draws.
        """
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        samples, stream = (
            integer("samples", samples, 1),
            NoiseStream({"u": Uniform((samples, *images.shape[1:]))}, seed),
        )
        if self._log_prob_function is None:
            self._log_prob_function = tf.function(self.image_log_prob, reduce_retracing=True)
        parts = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            noise = stream.take(len(batch))["u"]  # [b, k, h, w, c]
            bounds = [self._log_prob_function(batch, noise[:, k]).numpy().astype(np.float64) for k in range(samples)]
            parts.append(np.logaddexp.reduce(bounds) - math.log(samples))
        return np.concatenate(parts).astype(np.float32)

    def bits_per_dim(self, images: np.ndarray, samples: int = 1, seed: int = 0) -> np.ndarray:
        """``-log2 P / dimensions`` by ``log_prob``'s bound, so at least that: float32 ``[n]``."""
        return -self.log_prob(images, samples, seed) / np.float32(self.image_spec.dimensions * np.log(2.0))

    def dequantization_spec(self) -> NoiseSpec:
        """``{"u": Uniform([h, w, c])}``: the noise that ``log_prob`` takes, of which it is a bound."""
        return {"u": Uniform(self.image_spec.shape)}

    # --- noise and images -------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([dimensions])}``: all variables in one flat vector, what leaves the flow first at its front."""
        return {"z": Normal((self.image_spec.dimensions,))}

    def condition_spec(self) -> Mapping[str, Temperature]:
        """``{"temperature": Temperature()}``: the standard deviation of all noise, that of learnt priors included."""
        return {"temperature": Temperature()}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of noise: uint8 ``[n, h, w, c]``."""
        z, temperature = noise["z"], (conditions or {}).get("temperature")
        return self._images(z if temperature is None else z * tf.reshape(temperature, (-1, 1)))

    def _continuous(self, z: Any) -> tf.Tensor:
        """In ``[0, 1]``: what is a little outside, where no image lies, is brought to its border."""
        return tf.clip_by_value(finite(self.flow.inverse(z)), 0.0, 1.0)

    def _images(self, z: Any) -> tf.Tensor:
        levels = float(self.image_spec.levels)
        return tf.cast(tf.minimum(tf.floor(self._continuous(z) * levels), levels - 1.0), tf.uint8)

    def _codes(self, images: Any, u: Any = 0.5) -> tf.Tensor:
        return self.flow.forward(self.dequantized(images, u))[0]

    def encode(self, images: np.ndarray, seed: int | None = None, *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The noise that images come from: float32 ``[n, dimensions]``; ``decode`` gives their continuous images back.

        Args:
            images: uint8 ``[n, h, w, c]``.
            seed: dequantizes by its uniform noise; None: each value stands in the middle of its level.
        """
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        if self._encode_function is None:
            self._encode_function = tf.function(self._codes, reduce_retracing=True)
        u = np.full((len(images), *self.image_spec.shape), 0.5, np.float32)
        if seed is not None:
            u = draw(self.dequantization_spec(), len(images), seed)["u"]
        parts = [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]
        return np.concatenate([self._encode_function(images[part], u[part]).numpy() for part in parts])

    def decode(self, z: np.ndarray, *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The continuous images of noise, float32 ``[n, h, w, c]`` in ``[0, 1]``: level k is what lies in [k, k + 1) / levels."""
        z, batch_size = np.asarray(z, np.float32), integer("batch_size", batch_size, 1)
        if z.ndim != 2 or z.shape[1] != self.image_spec.dimensions:
            raise InvalidInput(f"z has shape {list(z.shape)}; wanted [n, {self.image_spec.dimensions}].")
        if self._decode_function is None:
            self._decode_function = tf.function(self._continuous, reduce_retracing=True)
        with finite_images(type(self).__name__):
            return np.concatenate(
                [self._decode_function(z[start : start + batch_size]).numpy() for start in range(0, len(z), batch_size)]
            )

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample`` of z and temperature; ``encode`` an image to z; ``decode`` z; ``log_prob`` of an image and its noise u."""
        spec = self.image_spec
        return {
            **super().endpoints(),
            "encode": Endpoint(
                lambda inputs: {"z": self._codes(inputs["image"])}, {"image": Images(spec)}, {"z": None}
            ),
            "decode": Endpoint(
                lambda inputs: {"continuous_image": self._continuous(inputs["z"])},
                self.noise_spec(),
                {"continuous_image": (0.0, 1.0)},
            ),
            "log_prob": Endpoint(
                lambda inputs: {"log_prob": self.image_log_prob(inputs["image"], inputs["u"])},
                {"image": Images(spec), **self.dequantization_spec()},
                {"log_prob": None},
            ),
        }

    # --- training ---------------------------------------------------------------------------------------------------

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As ``BatchMethods.fit``; a model that has not started does so by the first images."""
        self._first_of_generator = None
        if isinstance(x, Iterator) and not self.has_started() and (first := next(x, None)) is not None:
            # What is read of a generator is gone; it is put in front again.
            self._first_of_generator, x = first, itertools.chain([first], x)
        return super().fit(x, y, *args, **kwargs)

    def before_training(self, batches: tf.data.Dataset | keras.utils.PyDataset) -> None:
        """Starts from the first batches."""
        if self.has_started():
            return
        if self._first_of_generator is not None:
            images = [np.asarray(features_of(self._first_of_generator)["image"])]
        elif isinstance(batches, tf.data.Dataset):
            images = []
            for batch in batches:
                images.append(batch["image"].numpy())
                if sum(map(len, images)) >= START_IMAGES:
                    break
        else:
            images = [batches[0]["image"]]
        self.start(np.concatenate(images))

    def has_started(self) -> bool:
        """Whether data-dependent weights are set; saved with the model."""
        return bool(self.started.numpy())

    def start(self, images: np.ndarray) -> None:
        """Sets data-dependent weights (``ActNorm``'s) by these images, once: a model that has started stays as it is.

        ``fit`` and ``train_on_batch`` call it with the first images they meet, at most 256, before any replica computes:
        on several devices the weights start as on one. A loop of your own calls it itself.
        """
        if self.has_started():
            return
        images = self.image_spec.check(images)[:START_IMAGES]
        noise = draw(self.dequantization_spec(), len(images), self.seed)["u"]
        with self.distribute_strategy.scope():
            with starting(self.flow._flatten_layers()):
                self.flow.forward(self.dequantized(images, noise))
            self.started.assign(1.0)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The bound of a batch (dict with ``"image"``, or images), with the call's noise: nats ``[b]``."""
        images = self.batch_of(inputs)["image"]
        size = images.shape[0] or tf.shape(images)[0]
        u = self.call_noise(self.dequantization_spec(), size, training)["u"]
        return self.image_log_prob(images, u, training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The negative bound in nats, this replica's share of the global mean."""
        self.bits_tracker.update_state(-y_pred / (self.image_spec.dimensions * np.log(2.0)))
        loss = global_mean(-y_pred)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss
