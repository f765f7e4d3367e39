"""What a VAE's training step pays for its batch: which bound, of how many draws, and how the KL in it is weighed."""

from typing import Any, NamedTuple

import tensorflow as tf

from keras_gen.core.checks import integer, number
from keras_gen.core.errors import InvalidInput
from keras_gen.core.replicas import global_batch_mean, global_mean, replica_count
from keras_gen.losses.kl_weighting import capacity_penalty, checked_capacity, free_bits, warmed_up
from keras_gen.metrics.likelihood import log_mean_exp

BOUNDS = ("elbo", "iwae")


class Terms(NamedTuple):
    """What k draws of the posterior say of each image of a batch; nats."""

    log_likelihood: tf.Tensor
    """log p(x|z), ``[b, k]``."""
    kl: tf.Tensor
    """KL(q(z|x) || p(z)) by groups, the mean over the draws where it is estimated: ``[b, groups]``."""
    log_ratio: tf.Tensor
    """log q(z|x) - log p(z) at the draws, ``[b, k]``."""
    means: tf.Tensor
    """The posterior's means, ``[b, d]``."""

    @property
    def log_weight(self) -> tf.Tensor:
        """log p(x, z) - log q(z|x), ``[b, k]``."""
        return self.log_likelihood - self.log_ratio

    def parts(self) -> "Parts":
        """E_q[log p(x|z)] and KL(q || p), ``[b]`` each: their difference is the ELBO."""
        parts = Parts((tf.reduce_mean(self.log_likelihood, axis=1), tf.reduce_sum(self.kl, axis=-1)))
        parts.terms = self
        return parts


class Parts(tuple):
    """A pair that knows the ``Terms`` it was taken of, which the loss of a training step wants."""

    terms: Terms | None = None


class Objective:
    """Args: see ``VAE``."""

    def __init__(
        self,
        bound: str,
        samples: int,
        beta: float,
        warm_up: int,
        free_bits: float,
        capacity: Any,
        resample: bool = False,
    ):
        if bound not in BOUNDS:
            raise InvalidInput(f"bound={bound!r} is unknown; give one of {', '.join(BOUNDS)}.")
        self.bound, self.samples, self.beta = bound, integer("samples", samples, 1), number("beta", beta, 0)
        self.warm_up, self.free_bits = integer("warm_up", warm_up, 0), number("free_bits", free_bits, 0)
        self.capacity = checked_capacity(capacity)
        if bound == "iwae" and (self.free_bits or self.capacity):
            raise InvalidInput(
                "bound='iwae' has no KL term of its own to floor or steer; leave free_bits and capacity out."
            )
        self.resample = bool(resample)
        if self.resample and (bound != "iwae" or samples == 1):
            raise InvalidInput(
                "resample=True chooses among the draws of bound='iwae'; give that bound and samples= of some, or leave it out."
            )
        if self.capacity and (self.free_bits or self.warm_up or self.beta != 1.0):
            raise InvalidInput("capacity= weighs the KL by itself; leave beta, warm_up and free_bits out.")

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {
            name: getattr(self, name)
            for name in ("bound", "samples", "resample", "beta", "warm_up", "free_bits", "capacity")
        }

    def kl_weight(self, step: Any) -> Any:
        """The weight at a training step, counted from 0."""
        return warmed_up(self.beta, step, self.warm_up)

    def loss(self, terms: Terms, step: Any, training: bool) -> tf.Tensor:
        """This replica's share of the loss. Of held-out images: with the last weight, without floor or capacity."""
        weight = self.kl_weight(step) if training else self.beta
        if self.bound == "iwae":
            return global_mean(-log_mean_exp(terms.log_likelihood - weight * terms.log_ratio))
        log_likelihood, kl = terms.parts()
        if not training or not (self.free_bits or self.capacity):
            return global_mean(weight * kl - log_likelihood)
        share = 1.0 / replica_count()  # of what is one number for all replicas
        if self.capacity:
            return global_mean(-log_likelihood) + share * capacity_penalty(global_batch_mean(kl), step, **self.capacity)
        floored = free_bits(global_batch_mean(terms.kl, axis=0), self.free_bits)
        return global_mean(-log_likelihood) + share * weight * floored
