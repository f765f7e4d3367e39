"""How latents hang together: one layer, or two in one of the papers' two ways. All draws are functions of given noise.

                 inference                  generation                      decoder sees
one              q(z|x)                     p(z)                            z
top_down         q(z2|x) q(z1|x,z2)         p(z2) p(z1|z2)                  z1, z2       Tomczak and Welling 2018
bottom_up        q(z1|x) q(z2|z1)           p(z2) p(z1|z2)                  z1           Burda et al. 2016

z2 are the top latents, those of ``latent_dim``. Arrays are ``[b, k, d]``: k draws an image. Noise is one vector a draw: the
top latents' part first.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_gen.core.noise import NoiseSpec, Normal
from keras_gen.losses.latent_distributions import DiagonalGaussian, log_ratio
from keras_gen.networks.mlp import vector_network


class Inferred(NamedTuple):
    """What the posterior's draws say of one stochastic layer."""

    kl: Any
    """KL(q || p) by groups: ``[b, k, groups]``, k = 1 where no draw matters."""
    log_ratio: Any
    """log q - log p at the draws, ``[b, k]``."""
    mean: Any
    """Means of q, ``[b, k, d]``, k = 1 where no draw matters."""

    @classmethod
    def of(cls, q: DiagonalGaussian, prior: Any, z: Any) -> "Inferred":
        """Of a layer whose prior does not depend on z."""
        return cls(prior.kl_from(q, z), log_ratio(q, prior, z), q.mean)


class OneLayer:
    """The latents of Kingma and Welling 2014."""

    def __init__(self, latent_dim: int):
        self.sizes, self.decoder_inputs, self.encoder_outputs = (latent_dim,), latent_dim, latent_dim

    def infer(self, q: DiagonalGaussian, image: Any, prior: Any, epsilon: Any) -> tuple[Any, list[Inferred]]:
        """What the decoder sees, and a layer each: of q ``[b, 1, d]``, the images in ``[-1, 1]`` and epsilon ``[b, k, d]``."""
        z = q.draw(epsilon)
        return z, [Inferred.of(q, prior, z)]

    def top(self, q: DiagonalGaussian) -> DiagonalGaussian:
        """q of the top latents, of the encoder's."""
        return q

    def reconstructed(self, q: DiagonalGaussian, image: Any) -> Any:
        """What the decoder sees of the posterior's means."""
        return q.mean

    def noise_spec(self) -> NoiseSpec:
        """Of the lower layers."""
        return {}

    def below(self, z: Any, noise: Any = None) -> Any:
        """What the decoder sees of the top latents ``[n, d]``; without noise, of the lower ones' means."""
        return z


class _TwoLayers(keras.layers.Layer):
    """Base.

    Args:
        latent_dim, lower_latent_dim: sizes of z2 and z1.
        hidden: units of the layers of each network between latents, from the image's side.
        activation: theirs.
    """

    def __init__(
        self, latent_dim: int, lower_latent_dim: int, hidden: Sequence[int], activation: str, name: str = "latents"
    ):
        super().__init__(name=name, dtype=keras.config.dtype_policy())
        self.sizes = (latent_dim, lower_latent_dim)
        self.lower_prior = vector_network(latent_dim, 2 * lower_latent_dim, hidden[::-1], activation, "lower_prior")

    def noise_spec(self) -> NoiseSpec:
        """``z_lower``."""
        return {"z_lower": Normal((self.sizes[1],))}

    def prior_of_lower(self, z: Any) -> DiagonalGaussian:
        """p(z1|z2), of ``[..., d2]``."""
        return DiagonalGaussian.of(_applied(self.lower_prior, z))

    def lower_draw(self, z: Any, noise: Any) -> Any:
        """z1 of z2 ``[n, d2]``, or its mean."""
        p = self.prior_of_lower(z)
        return p.mean if noise is None else p.draw(noise["z_lower"])


class TopDown(_TwoLayers):
    """q(z2|x) q(z1|x,z2): the encoder gives z2."""

    def __init__(self, latent_dim: int, lower_latent_dim: int, hidden: Sequence[int], activation: str, pixels: int):
        super().__init__(latent_dim, lower_latent_dim, hidden, activation)
        self.encoder_outputs, self.decoder_inputs = latent_dim, latent_dim + lower_latent_dim
        self.lower_features = vector_network(pixels, None, hidden[:1], activation, "lower_features")
        self.lower_posterior = vector_network(
            hidden[0] + latent_dim, 2 * lower_latent_dim, hidden[1:] or hidden, activation, "lower_posterior"
        )

    def infer(self, q: DiagonalGaussian, image: Any, prior: Any, epsilon: Any) -> tuple[Any, list[Inferred]]:
        """See ``OneLayer``; the image is encoded once, whatever k."""
        top, lower = tf.split(epsilon, self.sizes, axis=-1)
        z2 = q.draw(top)
        q1 = self._lower(image, z2)
        z1 = q1.draw(lower)
        return tf.concat([z1, z2], -1), [Inferred.of(q, prior, z2), Inferred.of(q1, self.prior_of_lower(z2), z1)]

    def _lower(self, image: Any, z: Any) -> DiagonalGaussian:
        """q(z1|x,z2) of z2 ``[b, k, d2]``."""
        features = self.lower_features(tf.reshape(image, (tf.shape(image)[0], -1)))[:, None]
        features = tf.repeat(tf.cast(features, tf.float32), tf.shape(z)[1], axis=1)
        return DiagonalGaussian.of(_applied(self.lower_posterior, tf.concat([features, z], -1)))

    def top(self, q: DiagonalGaussian) -> DiagonalGaussian:
        """The encoder's own."""
        return q

    def reconstructed(self, q: DiagonalGaussian, image: Any) -> Any:
        """Means all the way."""
        return tf.concat([self._lower(image, q.mean[:, None]).mean[:, 0], q.mean], -1)

    def below(self, z: Any, noise: Any = None) -> Any:
        """z1 and z2."""
        return tf.concat([self.lower_draw(z, noise), z], -1)


class BottomUp(_TwoLayers):
    """q(z1|x) q(z2|z1): the encoder gives z1."""

    def __init__(self, latent_dim: int, lower_latent_dim: int, hidden: Sequence[int], activation: str, pixels: int):
        super().__init__(latent_dim, lower_latent_dim, hidden, activation)
        self.encoder_outputs = self.decoder_inputs = lower_latent_dim
        self.upper_encoder = vector_network(lower_latent_dim, 2 * latent_dim, hidden, activation, "upper_encoder")

    def infer(self, q: DiagonalGaussian, image: Any, prior: Any, epsilon: Any) -> tuple[Any, list[Inferred]]:
        """See ``OneLayer``. p(z1|z2) depends on z1 through z2, so the lower layer's KL is estimated at the draws."""
        top, lower = tf.split(epsilon, self.sizes, axis=-1)
        z1 = q.draw(lower)
        q2 = self._upper(z1)
        z2 = q2.draw(top)
        each = q.log_prob_each(z1) - self.prior_of_lower(z2).log_prob_each(z1)
        return z1, [Inferred.of(q2, prior, z2), Inferred(each, tf.reduce_sum(each, -1), q.mean)]

    def _upper(self, z: Any) -> DiagonalGaussian:
        return DiagonalGaussian.of(_applied(self.upper_encoder, z))

    def top(self, q: DiagonalGaussian) -> DiagonalGaussian:
        """q(z2|z1) at the mean of z1."""
        return self._upper(q.mean)

    def reconstructed(self, q: DiagonalGaussian, image: Any) -> Any:
        """The mean of z1."""
        return q.mean

    def below(self, z: Any, noise: Any = None) -> Any:
        """z1."""
        return self.lower_draw(z, noise)


HIERARCHIES = {"top_down": TopDown, "bottom_up": BottomUp}


def _applied(network: keras.Model, values: Any) -> tf.Tensor:
    """The network, which maps vectors, on ``[..., d]``."""
    flat = network(tf.reshape(values, (-1, values.shape[-1])))
    return tf.reshape(flat, tf.concat([tf.shape(values)[:-1], [flat.shape[-1]]], 0))
