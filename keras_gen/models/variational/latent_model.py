"""Images of latents, and latents of images: what a model of p(z) p(x|z) and q(z|x) gives a user."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.finite import finite
from keras_gen.core.inputs import Labels, check_inputs
from keras_gen.core.noise import NoiseSpec
from keras_gen.losses.latent_distributions import DiagonalGaussian
from keras_gen.models.generative_model import GenerativeModel


class LatentModel(GenerativeModel):
    """Base: draws, encodes, decodes.

    A subclass' constructor makes the parts: ``encoder`` and ``decoder`` (Keras models), ``latents`` (``stochastic_layers``),
    ``prior``, ``distribution`` (of pixels), and sets ``latent_dim``, ``classes``, ``unit_inputs`` and ``sample_pixels``.
    """

    # --- the distributions ------------------------------------------------------------------------------------------

    @property
    def epsilon_dim(self) -> int:
        """Latents of all layers: the size of a draw's noise."""
        return sum(self.latents.sizes)

    def _encoded(self, image: Any, label: Any = None, training: bool = False) -> DiagonalGaussian:
        """The encoder's q of images in ``[-1, 1]``: ``[b, d]``."""
        image = 0.5 * image + 0.5 if self.unit_inputs else image
        return DiagonalGaussian.of(self.encoder(_with(image, label), training=training))

    def posterior(self, images: Any, training: bool = False, label: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """q(z|x) of uint8 images: mean and log-variance ``[b, latent_dim]``; of two layers, of the upper."""
        q = self.latents.top(self._encoded(self.image_spec.to_unit(images), label, training))
        return q.mean, q.log_variance

    def _decoded(self, latents: Any, label: Any = None, training: bool = False) -> tf.Tensor:
        return self.decoder(_with(latents, label), training=training)

    def prior_distribution(self, training: bool = False) -> Any:
        """p(z), as the weights have it now."""
        return self.prior.distribution(lambda image: self._encoded(image, training=training))

    def pixel_log_prob(self, images: Any, decoded: tf.Tensor) -> tf.Tensor:
        """log p(x|z) of the discrete images under the decoder's output: ``[b]`` nats."""
        return self.distribution.log_prob(images, decoded)

    def pixel_mean(self, decoded: tf.Tensor) -> tf.Tensor:
        """E[x|z] as a fraction of the highest level: float32 ``[b, h, w, c]`` in ``[0, 1]``; of a decoder that draws in order,
        which has none, the median image (``AutoregressiveLikelihood.mean``).
        """
        return self.distribution.mean(decoded)

    def pixel_draw(self, decoded: tf.Tensor, uniform: tf.Tensor, component: tf.Tensor | None = None) -> tf.Tensor:
        """x ~ p(x|z) by inverting its distribution function at ``uniform``: uint8 ``[b, h, w, c]``."""
        return self.distribution.draw(decoded, uniform, component)

    @property
    def draws_in_order(self) -> bool:
        """Where the decoder is autoregressive."""
        return self.distribution.in_order

    compiled_sampling = draws_in_order

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``; ``"z_component"`` of mixtures, ``"z_lower"`` of two layers, ``"u"`` of pixels."""
        latent = {**self.prior.noise_spec(self.latent_dim), **self.latents.noise_spec()}
        return {**latent, **self.distribution.noise_spec()} if self.sample_pixels else latent

    def condition_spec(self) -> dict[str, Labels]:
        """``{"label": Labels(classes)}`` for conditional models."""
        return {} if self.classes is None else {"label": Labels(self.classes)}

    def _label(self, conditions: Mapping[str, Any] | None) -> Any:
        return None if self.classes is None else (conditions or {}).get("label")

    def _drawn(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None) -> tf.Tensor:
        """What the decoder says of latents from the prior."""
        z = self.prior_distribution().draw(noise["z"], noise.get("z_component"))
        return self._decoded(self.latents.below(z, noise), self._label(conditions))

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of latents from the prior (and of pixel noise): uint8 ``[n, h, w, c]``."""
        decoded = finite(self._drawn(noise, conditions))
        if self.sample_pixels:
            return self.pixel_draw(decoded, noise["u"], noise.get("component"))
        return self.image_spec.from_unit(2.0 * self.pixel_mean(decoded) - 1.0)

    def mean_images(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """E[x|z] of the noise's latents, float32 ``[n, h, w, c]`` in ``[0, 1]``: what is shown where pixels are drawn."""
        return self.pixel_mean(self._drawn(noise, conditions)).numpy()

    def encode(self, images: np.ndarray, batch_size: int = 256, **conditions: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log-variance of q(z|x), float32 ``[n, latent_dim]`` each, of uint8 images."""
        found = self._in_batches(lambda x, label: self.posterior(x, label=label), images, batch_size, conditions)
        return found[0], found[1]

    def decode(self, z: np.ndarray, **conditions: Any) -> np.ndarray:
        """E[x|z] as a fraction of the highest level: float32 ``[n, h, w, c]`` in ``[0, 1]``; of lower latents at their mean."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise InvalidInput(f"z has shape {list(z.shape)}; wanted [n, {self.latent_dim}].")
        return self._decoded_mean(z, self._own_labels(conditions, len(z))).numpy()

    def _decoded_mean(self, z: Any, label: Any = None) -> tf.Tensor:
        return self.pixel_mean(self._decoded(self.latents.below(z), label))

    def reconstruct(self, images: np.ndarray, batch_size: int = 256, **conditions: Any) -> np.ndarray:
        """The mean image of the posterior's mean: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        return self._in_batches(lambda x, label: (self._reconstructed(x, label),), images, batch_size, conditions)[0]

    def _reconstructed(self, images: Any, label: Any = None) -> tf.Tensor:
        unit = self.image_spec.to_unit(images)
        latents = self.latents.reconstructed(self._encoded(unit, label), unit)
        return self.pixel_mean(self._decoded(latents, label))

    def _own_labels(self, conditions: Mapping[str, Any], n: int) -> np.ndarray | None:
        checked = check_inputs(self.condition_spec(), conditions, type(self).__name__, n)
        return None if self.classes is None else checked["label"]

    def _in_batches(
        self, function: Any, images: np.ndarray, batch_size: int, conditions: Mapping[str, Any], *rows: np.ndarray
    ) -> list[np.ndarray]:
        """The outputs of ``function(images, label, *rows)`` of all images."""
        images, size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        label = self._own_labels(conditions, len(images))
        parts = [
            function(images[p], None if label is None else label[p], *(row[p] for row in rows))
            for p in (slice(start, start + size) for start in range(0, len(images), size))
        ]
        return [np.concatenate([np.asarray(part) for part in column]) for column in zip(*parts, strict=True)]


def _with(x: Any, label: Any) -> Any:
    """What a network with or without labels takes."""
    return x if label is None else [tf.convert_to_tensor(x), tf.convert_to_tensor(label)]
