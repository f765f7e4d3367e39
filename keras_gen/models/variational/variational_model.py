"""The bounds on log P that variational autoencoders are measured by, and the training on them."""

import logging
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.inputs import Images
from keras_gen.core.noise import Normal, Uniform, draw
from keras_gen.core.replicas import global_mean
from keras_gen.metrics.active_units import ActiveUnits
from keras_gen.metrics.likelihood import importance_weighted_log_prob
from keras_gen.models.variational.latent_model import LatentModel
from keras_gen.models.variational.objective import Parts, Terms

log = logging.getLogger(__name__)


class VariationalModel(LatentModel):
    """Base: a ``LatentModel`` that is trained on its ``objective`` (``Objective``) and bounds log P of images."""

    def finish(self) -> None:
        """Last line of a subclass' constructor, when its parts are there."""
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction")
        self.kl_tracker = keras.metrics.Mean("kl")
        self.active_units_tracker = ActiveUnits(self.epsilon_dim)
        self._terms_function = None
        self.built = True

    # --- the bound --------------------------------------------------------------------------------------------------

    def terms(self, images: Any, epsilon: Any, label: Any = None, training: bool = False) -> Terms:
        """Of uint8 images ``[b, h, w, c]`` and noise ``[b, k, epsilon_dim]`` of N(0, I); each image is encoded once."""
        unit, count = self.image_spec.to_unit(images), tf.shape(epsilon)[1]
        q = self._encoded(unit, label, training).expanded(1)
        latents, layers = self.latents.infer(q, unit, self.prior_distribution(training), epsilon)
        flat = tf.reshape(latents, (-1, self.latents.decoder_inputs))
        if epsilon.shape[1] != 1:
            images, label = _repeated(images, count), None if label is None else _repeated(label, count)
        log_likelihood = self.pixel_log_prob(images, self._decoded(flat, label, training))
        return Terms(
            tf.reshape(log_likelihood, (-1, count)),
            tf.concat([tf.reduce_mean(layer.kl, axis=1) for layer in layers], -1),
            tf.add_n([layer.log_ratio for layer in layers]),
            tf.concat([tf.reduce_mean(layer.mean, axis=1) for layer in layers], -1),
        )

    def bound_terms(self, images: Any, epsilon: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """One-sample estimate of E_q[log p(x|z)], and KL(q(z|x) || p(z)): nats, ``[b]`` each; ``epsilon`` ~ N(0, I)."""
        return self.terms(images, epsilon[:, None], training=training).parts()

    def log_weight(self, images: Any, epsilon: Any, label: Any = None) -> tf.Tensor:
        """log p(x, z) - log q(z|x) at the posterior's draws: nats ``[b, k]`` of images ``[b, h, w, c]``.

        ``epsilon`` ~ N(0, I), ``[b, k, epsilon_dim]``: k latents an image, which is encoded once. The mean over k of the
        exponentials estimates P(x) without bias (Burda et al. 2016, eq. 8).
        """
        return self.terms(images, epsilon, label).log_weight

    def elbo(self, images: np.ndarray, seed: int = 0, batch_size: int = 256, **conditions: Any) -> np.ndarray:
        """The evidence lower bound on log P of the discrete images, one latent sample each: float32 ``[n]`` nats.

        The weight of its KL is 1, whatever was trained.
        """
        log_likelihood, kl, _ = self.elbo_terms(images, seed, batch_size, **conditions)
        return log_likelihood - kl.sum(axis=-1)

    def elbo_terms(
        self, images: np.ndarray, seed: int = 0, batch_size: int = 256, **conditions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each image log p(x|z) ``[n]`` and KL by groups ``[n, groups]``, nats; the posterior's means ``[n, epsilon_dim]``.

        A group is a latent, the upper layer's first; of a mixture prior, whose KL does not split, all latents of the layer.
        """
        if self._terms_function is None:
            self._terms_function = tf.function(
                lambda x, label, e: self.terms(x, e[:, None], label), reduce_retracing=True
            )
        noise = draw({"epsilon": Normal((self.epsilon_dim,))}, len(images), seed)["epsilon"]
        terms = Terms(*self._in_batches(self._terms_function, images, batch_size, conditions, noise))
        return terms.log_likelihood[:, 0], terms.kl, terms.means

    def log_prob_bound(self, images: np.ndarray, k: int = 5_000, *, seed: int = 0, **conditions: Any) -> np.ndarray:
        """The bound on log P of k weighted latents an image (Burda et al. 2016): float64 ``[n]`` nats; the ELBO at k = 1."""
        images = self.image_spec.check(images)
        label = self._own_labels(conditions, len(images))
        rows = () if label is None else (label,)
        return importance_weighted_log_prob(self.log_weight, images, (self.epsilon_dim,), k, seed=seed, rows=rows)

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Parts:
        """E_q[log p(x|z)] and KL(q || p), nats ``[b]`` each.

        Args:
            inputs: a batch, dict with ``"image"`` or images, which meets the call's own noise.
        """
        return self._terms_of(self.batch_of(inputs), training).parts()

    def _terms_of(self, batch: Mapping[str, Any], training: bool) -> Terms:
        images, count, label = batch["image"], self.objective.samples, self._label(batch)
        size = images.shape[0] or tf.shape(images)[0]
        shape = (self.epsilon_dim,) if count == 1 else (count, self.epsilon_dim)
        spec: dict[str, Any] = {"epsilon": Normal(shape)}
        if not (training and self.objective.resample):
            epsilon = self.call_noise(spec, size, training)["epsilon"]
            return self.terms(images, epsilon[:, None] if count == 1 else epsilon, label, training)
        noise = self.call_noise({**spec, "choice": Uniform((1,))}, size, training)
        return self.resampled_terms(images, noise["epsilon"], noise["choice"], label)

    def resampled_terms(self, images: Any, epsilon: Any, choice: Any, label: Any = None) -> Terms:
        """``terms`` of k draws whose gradient is that of one, which the uniform ``choice`` ``[b, 1]`` picks by its weight.

        The weighted bound's gradient is ``sum_i w~_i grad log w_i``, of which this is an estimate without bias: k passes forward,
        one back (Burda et al. 2016, section 3).
        """
        every = Terms(*map(tf.stop_gradient, self.terms(images, epsilon, label, training=True)))
        weight = self.objective.kl_weight(self._step())
        shares = tf.cumsum(tf.nn.softmax(every.log_likelihood - weight * every.log_ratio), axis=1)
        index = tf.reduce_sum(tf.cast(shares[:, :-1] <= choice, tf.int32), axis=1)
        one = self.terms(images, tf.gather(epsilon, index, batch_dims=1)[:, None], label, training=True)
        return Terms(
            every.log_likelihood + one.log_likelihood - tf.stop_gradient(one.log_likelihood),
            every.kl,
            every.log_ratio + one.log_ratio - tf.stop_gradient(one.log_ratio),
            every.means,
        )

    def _step(self) -> Any:
        """The training step that is being made, from 0: the count of calls has this one in it."""
        return self.training_calls.state.value[1] - 1

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The negative bound as the objective has it, this replica's share of the global mean."""
        terms = y_pred.terms
        log_likelihood, kl = terms.parts()
        self.reconstruction_tracker.update_state(-log_likelihood)
        self.kl_tracker.update_state(kl)
        self.active_units_tracker.update_state(terms.means)
        loss = self.objective.loss(terms, self._step(), training)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **kwargs: Any) -> keras.callbacks.History:
        """See ``GenerativeModel``; warns where the posterior has collapsed onto the prior, so that nothing is encoded.

        A ``PixelBias`` of the decoder starts at the mean of the images before the first step.
        """
        if not self.compiled:
            self.compile()
        if not self.steps_made():
            self.start_at_mean((self.decoder,), x, y)
        history = super().fit(x, y, *arguments, **kwargs)
        if history.history.get("active_units", [1.0])[-1] == 0.0:
            log.warning(
                "The posterior has collapsed: none of %s's %d latents depends on the image, and samples come from the decoder "
                "alone. Warm the KL up (warm_up=), give it free_bits=, or train longer at a smaller beta.",
                type(self).__name__,
                self.epsilon_dim,
            )
        return history

    # --- what is exported -------------------------------------------------------------------------------------------

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``; ``encode``: image -> mean, log_variance; ``decode``: z, ``reconstruct``: image -> mean image in ``[0, 1]``;
        ``elbo`` and ``log_weight``: image, epsilon -> nats.
        """
        given, labels = {"image": Images(self.image_spec)}, self.condition_spec()
        epsilon = {"epsilon": Normal((self.epsilon_dim,))}

        def terms(inputs: Mapping[str, Any]) -> Terms:
            return self.terms(inputs["image"], inputs["epsilon"][:, None], self._label(inputs))

        def encode(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            found = self.posterior(inputs["image"], label=self._label(inputs))
            return dict(zip(("mean", "log_variance"), found, strict=True))

        def decode(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"mean_image": self._decoded_mean(inputs["z"], self._label(inputs))}

        def reconstruct(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"mean_image": self._reconstructed(inputs["image"], self._label(inputs))}

        how = {"sequential": self.draws_in_order}  # seldom asked for: not worth XLA's seconds a batch size
        unit, nats = {"mean_image": (0.0, 1.0)}, {**given, **epsilon, **labels}
        return {
            **super().endpoints(),
            "encode": Endpoint(encode, {**given, **labels}, {"mean": None, "log_variance": None}),
            "decode": Endpoint(decode, {"z": Normal((self.latent_dim,)), **labels}, unit, **how),
            "reconstruct": Endpoint(reconstruct, {**given, **labels}, unit, **how),
            "elbo": Endpoint(lambda inputs: {"elbo": tf.subtract(*terms(inputs).parts())}, nats, {"elbo": None}),
            "log_weight": Endpoint(
                lambda inputs: {"log_weight": terms(inputs).log_weight[:, 0]}, nats, {"log_weight": None}
            ),
        }


def _repeated(values: Any, count: Any) -> tf.Tensor:
    """Each row ``count`` times, as ``tf.repeat``; XLA fuses a broadcast into what reads it, and gathers for a repeat."""
    values = tf.convert_to_tensor(values)
    shape = tf.shape(values)
    every = tf.broadcast_to(values[:, None], tf.concat([shape[:1], [count], shape[1:]], 0))
    return tf.reshape(every, (-1, *values.shape[1:]))
