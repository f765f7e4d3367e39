"""Priors of the (top) latents: what a VAE's ``prior=`` names, or an object of one's own.

A prior has weights or none; ``distribution(encode)`` gives the distribution that they stand for now.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.core.registry import Registry
from keras_gen.losses.latent_distributions import DiagonalGaussian, GaussianMixture, StandardNormal

Encode = Callable[[tf.Tensor], DiagonalGaussian]


class Prior(keras.layers.Layer):
    """Base: a subclass makes its weights in ``prepare`` and says what they mean in ``distribution``."""

    # Whether it takes ``components``.
    mixes = False
    # Whether it is made of the encoder's posteriors.
    pseudo_images_encoded = False

    def prepare(self, spec: ImageSpec, latent_dim: int, seed: int) -> None:
        """Makes the weights, for images of ``spec``."""
        self.built = True

    def distribution(self, encode: Encode) -> Any:
        """With ``draw(epsilon, uniform)``, ``log_prob(z)``, ``kl_from(q, z)``; ``encode``: images in ``[-1, 1]`` to q(z|x)."""
        raise NotImplementedError(f"{type(self).__name__} must say what distribution it is.")

    def noise_spec(self, latent_dim: int) -> NoiseSpec:
        """``z`` and ``z_component``, which chooses a component."""
        return {"z": Normal((latent_dim,)), "z_component": Uniform((1,))}


@keras.saving.register_keras_serializable("keras_gen")
class StandardNormalPrior(Prior):
    """N(0, I)."""

    def distribution(self, encode: Encode) -> StandardNormal:
        """N(0, I)."""
        return StandardNormal()

    def noise_spec(self, latent_dim: int) -> NoiseSpec:
        """``z`` alone."""
        return {"z": Normal((latent_dim,))}


class _MixturePrior(Prior):
    """Args: components: how many."""

    mixes = True

    def __init__(self, components: int = 100, **kwargs: Any):
        super().__init__(**kwargs)
        self.components = integer("components", components, 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "components": self.components}

    def _weight(self, name: str, shape: tuple[int, ...], values: Any = "zeros") -> keras.Variable:
        if isinstance(values, np.ndarray):
            values = keras.initializers.Constant(values.astype("float32"))
        return self.add_weight(shape=shape, initializer=values, dtype="float32", name=name)


@keras.saving.register_keras_serializable("keras_gen")
class MixturePrior(_MixturePrior):
    """A mixture of diagonal Gaussians, learnt with the rest: weights, means and variances."""

    def prepare(self, spec: ImageSpec, latent_dim: int, seed: int) -> None:
        """Means start at draws of N(0, I), which sets the components apart; weights and variances alike."""
        shape = (self.components, latent_dim)
        self.logits = self._weight("logits", (self.components,))
        self.means = self._weight("means", shape, np.random.Generator(np.random.Philox(seed)).standard_normal(shape))
        self.log_variances = self._weight("log_variances", shape)
        self.built = True

    def distribution(self, encode: Encode) -> GaussianMixture:
        """The mixture."""
        return GaussianMixture(*(tf.convert_to_tensor(w) for w in (self.logits, self.means, self.log_variances)))


@keras.saving.register_keras_serializable("keras_gen")
class VampPrior(_MixturePrior):
    """``p(z) = 1/K sum_k q(z | u_k)`` (Tomczak and Welling 2018): the encoder of K pseudo-images, learnt with the rest.

    Pseudo-images live in ``[0, 1]``, where they are clipped, and start as N(0.05, 0.01), as the authors' code has it.
    """

    pseudo_images_encoded = True

    def prepare(self, spec: ImageSpec, latent_dim: int, seed: int) -> None:
        """Draws the pseudo-images."""
        shape = (self.components, *spec.shape)
        start = np.random.Generator(np.random.Philox(seed)).normal(0.05, 0.01, shape)
        self.pseudo_images = self._weight("pseudo_images", shape, start)
        self.built = True

    def distribution(self, encode: Encode) -> GaussianMixture:
        """Equal parts of the pseudo-images' posteriors."""
        q = encode(2.0 * tf.clip_by_value(tf.convert_to_tensor(self.pseudo_images), 0.0, 1.0) - 1.0)
        return GaussianMixture(tf.zeros((self.components,)), q.mean, q.log_variance)


PRIORS = Registry("prior")
PRIORS.register("standard_normal", StandardNormalPrior)
PRIORS.register("mixture", MixturePrior)
PRIORS.register("vamp", VampPrior)
