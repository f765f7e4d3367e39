"""The variational autoencoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, integers, number
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images
from keras_gen.core.noise import NoiseSpec, Normal, Uniform, draw
from keras_gen.core.replicas import global_mean
from keras_gen.losses.divergences import standard_normal_kl
from keras_gen.losses.likelihoods import bernoulli_log_prob, discretized_gaussian_log_prob, normal_quantile
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.networks.convolutional import convolutional_decoder, convolutional_encoder
from keras_gen.networks.mlp import mlp_decoder, mlp_encoder

LIKELIHOODS = ("bernoulli", "gaussian")
ARCHITECTURES = ("mlp", "convolutional")
# A pixel's scale stays between a small part of a bin of 256 levels and the whole range.
LOG_SCALE_RANGE = (-7.0, 1.0)


@keras.saving.register_keras_serializable("keras_gen")
class VAE(GenerativeModel):
    """Kingma and Welling 2014: diagonal Gaussian posterior, KL in closed form, likelihood of the discrete image.

    On a CPU, long runs of small networks gain from ``compile(jit_compile=True, steps_per_execution=8)``: about two thirds of
    the time a step (benchmarks/vae_step.py), after some seconds of compilation.

    Args:
        image_spec: the images.
        latent_dim: size of the latent ``z``.
        encoder: Keras model ``[b, h, w, c]`` in ``[-1, 1]`` ``-> [b, 2 latent_dim]``, mean and log-variance.
        decoder: Keras model ``[b, latent_dim] -> [b, h, w, c]`` logits (Bernoulli) or ``[b, h, w, 2 c]``, mean in
            ``[-1, 1]`` and log-scale (Gaussian).
        likelihood: ``"bernoulli"`` (binary images alone) or ``"gaussian"`` (discretized to the levels); default by levels.
        architecture: ``"mlp"`` or ``"convolutional"`` default networks.
        hidden: units of the MLP's hidden layers. activation: theirs.
        width: maps of the convolutional networks' layer next to the image.
        beta: weight of the KL term in training (Higgins et al. 2017); bounds are always reported with weight 1.
        sample_pixels: whether ``generate`` draws each pixel from the decoder's distribution or takes its mean. Default:
            draws where the images are binary, whose mean is no image; the mean otherwise, as papers show it.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 50,
        *,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        likelihood: str | None = None,
        architecture: str = "mlp",
        hidden: Sequence[int] = (500, 500),
        activation: str = "relu",
        width: int = 32,
        beta: float = 1.0,
        sample_pixels: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        spec = self.image_spec
        self.likelihood = likelihood or ("bernoulli" if spec.levels == 2 else "gaussian")
        self._check_kinds(architecture)
        self.latent_dim = latent_dim = integer("latent_dim", latent_dim, 1)
        self.hidden, self.width = integers("hidden", hidden, 1), integer("width", width, 1)
        self.architecture, self.activation, self.beta = architecture, activation, number("beta", beta, 0)
        self.sample_pixels = self.likelihood == "bernoulli" if sample_pixels is None else bool(sample_pixels)
        parameters = spec.channels * (2 if self.likelihood == "gaussian" else 1)
        with dtype_policy(self.dtype_policy.name):
            if architecture == "mlp":
                encoder = encoder or mlp_encoder(spec, 2 * latent_dim, self.hidden, activation)
                decoder = decoder or mlp_decoder(spec, latent_dim, parameters, self.hidden, activation)
            else:
                encoder = encoder or convolutional_encoder(spec, 2 * latent_dim, self.width)
                decoder = decoder or convolutional_decoder(spec, latent_dim, parameters, self.width)
        self.encoder = checked_network(encoder, "encoder", spec.shape, (2 * latent_dim,))
        self.decoder = checked_network(decoder, "decoder", (latent_dim,), (spec.height, spec.width, parameters))
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction")
        self.kl_tracker = keras.metrics.Mean("kl")
        self._elbo_function = None
        self.built = True

    def _check_kinds(self, architecture: str) -> None:
        if architecture not in ARCHITECTURES:
            raise InvalidInput(f"architecture={architecture!r} is unknown; give one of {', '.join(ARCHITECTURES)}.")
        if self.likelihood not in LIKELIHOODS:
            raise InvalidInput(f"likelihood={self.likelihood!r} is unknown; give one of {', '.join(LIKELIHOODS)}.")
        if self.likelihood == "bernoulli" and self.image_spec.levels != 2:
            raise InvalidInput(
                f"A Bernoulli likelihood is one of binary images; these have {self.image_spec.levels} levels. Use "
                "likelihood='gaussian', or binarize them (data.binarized(), ImageSpec(..., levels=2))."
            )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("latent_dim", "likelihood", "architecture", "activation", "width", "beta", "sample_pixels")
        networks = self.config_of(encoder=self.encoder, decoder=self.decoder)
        return {**super().get_config(), **networks, **{n: getattr(self, n) for n in names}, "hidden": list(self.hidden)}

    # --- the distributions ------------------------------------------------------------------------------------------

    def posterior(self, images: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """q(z|x): mean and log-variance ``[b, latent_dim]`` of uint8 images."""
        encoded = tf.cast(self.encoder(self.image_spec.to_unit(images), training=training), tf.float32)
        mean, log_variance = tf.split(encoded, 2, axis=-1)
        return mean, log_variance

    def pixel_log_prob(self, images: Any, decoded: tf.Tensor) -> tf.Tensor:
        """log p(x|z) of the discrete images under the decoder's output: ``[b]`` nats."""
        if self.likelihood == "bernoulli":
            return bernoulli_log_prob(images, decoded)
        mean, log_scale = tf.split(tf.cast(decoded, tf.float32), 2, axis=-1)
        return discretized_gaussian_log_prob(
            images, mean, tf.clip_by_value(log_scale, *LOG_SCALE_RANGE), self.image_spec.levels
        )

    def pixel_mean(self, decoded: tf.Tensor) -> tf.Tensor:
        """E[x|z] as a fraction of the highest level: float32 ``[b, h, w, c]`` in ``[0, 1]``."""
        if self.likelihood == "bernoulli":
            return tf.sigmoid(tf.cast(decoded, tf.float32))
        mean, _ = tf.split(tf.cast(decoded, tf.float32), 2, axis=-1)
        return tf.clip_by_value((mean + 1.0) / 2.0, 0.0, 1.0)

    def pixel_draw(self, decoded: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """x ~ p(x|z) by inverting its distribution function at ``uniform``: uint8 ``[b, h, w, c]``."""
        if self.likelihood == "bernoulli":
            return tf.cast(uniform < self.pixel_mean(decoded), tf.uint8)
        mean, log_scale = tf.split(tf.cast(decoded, tf.float32), 2, axis=-1)
        normal = normal_quantile(uniform)
        return self.image_spec.from_unit(mean + tf.exp(tf.clip_by_value(log_scale, *LOG_SCALE_RANGE)) * normal)

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``, and ``"u": Uniform([h, w, c])`` where pixels are drawn."""
        latent: dict[str, Any] = {"z": Normal((self.latent_dim,))}
        return {**latent, "u": Uniform(self.image_spec.shape)} if self.sample_pixels else latent

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of latents from the prior (and of pixel noise): uint8 ``[n, h, w, c]``."""
        decoded = self.decoder(noise["z"], training=False)
        if self.sample_pixels:
            return self.pixel_draw(decoded, noise["u"])
        return self.image_spec.from_unit(2.0 * self.pixel_mean(decoded) - 1.0)

    def encode(self, images: np.ndarray, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log-variance of q(z|x), float32 ``[n, latent_dim]`` each, of uint8 images."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        parts = [self.posterior(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        return tuple(np.concatenate([part[side].numpy() for part in parts]) for side in (0, 1))

    def decode(self, z: np.ndarray) -> np.ndarray:
        """E[x|z] as a fraction of the highest level: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise InvalidInput(f"z has shape {list(z.shape)}; wanted [n, {self.latent_dim}].")
        return self.pixel_mean(self.decoder(z, training=False)).numpy()

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``; ``encode``: image -> mean, log_variance; ``decode``: z -> mean image in ``[0, 1]``."""
        encode = Endpoint(
            lambda inputs: dict(zip(("mean", "log_variance"), self.posterior(inputs["image"]))),
            {"image": Images(self.image_spec)},
            {"mean": None, "log_variance": None},
        )
        decode = Endpoint(
            lambda inputs: {"mean_image": self.pixel_mean(self.decoder(inputs["z"], training=False))},
            {"z": Normal((self.latent_dim,))},
            {"mean_image": (0.0, 1.0)},
        )
        return {**super().endpoints(), "encode": encode, "decode": decode}

    # --- the bound --------------------------------------------------------------------------------------------------

    def bound_terms(self, images: Any, epsilon: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """One-sample estimate of E_q[log p(x|z)], and KL(q(z|x) || p(z)): nats, ``[b]`` each; ``epsilon`` ~ N(0, I)."""
        mean, log_variance = self.posterior(images, training)
        z = mean + tf.exp(0.5 * log_variance) * epsilon
        decoded = self.decoder(z, training=training)
        return self.pixel_log_prob(images, decoded), standard_normal_kl(mean, log_variance)

    def log_weight(self, images: Any, epsilon: Any) -> tf.Tensor:
        """log p(x, z) - log q(z|x) at z = mean + std epsilon: nats ``[b, k]`` of images ``[b, h, w, c]``.

        ``epsilon`` ~ N(0, I), ``[b, k, latent_dim]``: k latents an image, which is encoded once. The mean over k of the
        exponentials estimates P(x) without bias (Burda et al. 2016, eq. 8).
        """
        mean, log_variance = self.posterior(images)
        z = mean[:, None] + tf.exp(0.5 * log_variance)[:, None] * epsilon  # [b, k, latent_dim]
        count = tf.shape(epsilon)[1]
        decoded = self.decoder(tf.reshape(z, (-1, self.latent_dim)), training=False)
        log_likelihood = tf.reshape(self.pixel_log_prob(tf.repeat(images, count, axis=0), decoded), (-1, count))
        # Of the two Gaussians' densities the constants cancel.
        log_ratio = 0.5 * tf.reduce_sum(tf.square(epsilon) - tf.square(z) + log_variance[:, None], axis=-1)
        return log_likelihood + log_ratio

    def elbo(self, images: np.ndarray, seed: int = 0, batch_size: int = 256) -> np.ndarray:
        """The evidence lower bound on log P of the discrete images, one latent sample each: float32 ``[n]`` nats."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        noise = draw({"epsilon": Normal((self.latent_dim,))}, len(images), seed)["epsilon"]
        if self._elbo_function is None:
            self._elbo_function = tf.function(lambda x, e: tf.subtract(*self.bound_terms(x, e)), reduce_retracing=True)
        parts = range(0, len(images), batch_size)
        return np.concatenate(
            [self._elbo_function(images[i : i + batch_size], noise[i : i + batch_size]).numpy() for i in parts]
        )

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """``bound_terms`` of a batch (dict with ``"image"``, or images), with the call's noise."""
        images = self.batch_of(inputs)["image"]
        size = images.shape[0] or tf.shape(images)[0]
        epsilon = self.call_noise({"epsilon": Normal((self.latent_dim,))}, size, training)["epsilon"]
        return self.bound_terms(images, epsilon, training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The negative bound (its KL weighed by ``beta``), this replica's share of the global mean."""
        log_likelihood, kl = y_pred
        self.reconstruction_tracker.update_state(-log_likelihood)
        self.kl_tracker.update_state(kl)
        loss = global_mean(self.beta * kl - log_likelihood)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss
