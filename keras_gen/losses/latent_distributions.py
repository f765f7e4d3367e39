"""Distributions of latents ``[..., d]``: densities in nats, draws as functions of noise, KL divergences a latent.

``prior.kl_from(q, z)`` is KL(q || prior) by groups, ``[..., groups]``: a group a latent where it has a closed form or splits
into latents; where it has none (mixtures), one group, estimated at the one point ``z`` drawn from q.
"""

import math
from typing import Any

from keras import ops

# Variances stay in [e^-14, e^10]: what leaves it overflows float32 a few layers on.
LOG_VARIANCE_RANGE = (-14.0, 10.0)
LOG_2_PI = math.log(2.0 * math.pi)


class DiagonalGaussian:
    """N(mean, diag exp(log_variance)); both ``[..., d]``. Log-variances are clipped to ``LOG_VARIANCE_RANGE``."""

    def __init__(self, mean: Any, log_variance: Any):
        self.mean, self.log_variance = mean, ops.clip(log_variance, *LOG_VARIANCE_RANGE)

    @classmethod
    def of(cls, parameters: Any) -> "DiagonalGaussian":
        """Of a network's ``[..., 2 d]``: means, then log-variances."""
        return cls(*ops.split(ops.cast(parameters, "float32"), 2, axis=-1))

    def expanded(self, axis: int) -> "DiagonalGaussian":
        """With an axis of one more."""
        return DiagonalGaussian(*(ops.expand_dims(part, axis) for part in (self.mean, self.log_variance)))

    def draw(self, epsilon: Any) -> Any:
        """``mean + std epsilon``, for epsilon of N(0, I)."""
        return self.mean + ops.exp(0.5 * self.log_variance) * epsilon

    def log_prob_each(self, z: Any) -> Any:
        """log density of each latent, ``[..., d]``."""
        standard = ops.square(z - self.mean) * ops.exp(-self.log_variance)
        return -0.5 * (LOG_2_PI + self.log_variance + standard)

    def log_prob(self, z: Any) -> Any:
        """log density, ``[...]``."""
        return ops.sum(self.log_prob_each(z), axis=-1)

    def kl_from(self, q: "DiagonalGaussian", z: Any) -> Any:
        """KL(q || this), in closed form, ``[..., d]``."""
        ratio = q.log_variance - self.log_variance
        moved = ops.square(q.mean - self.mean) * ops.exp(-self.log_variance)
        return -0.5 * (1.0 + ratio - moved - ops.exp(ratio))


class StandardNormal:
    """N(0, I)."""

    def draw(self, epsilon: Any, uniform: Any = None) -> Any:
        """The noise itself."""
        return epsilon

    def log_prob(self, z: Any) -> Any:
        """log density, ``[...]``."""
        return -0.5 * ops.sum(LOG_2_PI + ops.square(z), axis=-1)

    def kl_from(self, q: DiagonalGaussian, z: Any) -> Any:
        """Kingma and Welling 2014, appendix B, a latent: ``[..., d]``."""
        return -0.5 * (1.0 + q.log_variance - ops.square(q.mean) - ops.exp(q.log_variance))


class GaussianMixture:
    """``sum_k w_k N(means_k, diag exp(log_variances_k))``: log-weights ``[K]``, the others ``[K, d]``."""

    def __init__(self, log_weights: Any, means: Any, log_variances: Any):
        self.log_weights = ops.log_softmax(log_weights, axis=-1)
        self.means, self.log_variances = means, ops.clip(log_variances, *LOG_VARIANCE_RANGE)

    def draw(self, epsilon: Any, uniform: Any) -> Any:
        """``[n, d]`` of noise ``[n, d]`` and a uniform ``[n, 1]`` that chooses each one's component."""
        index = chosen_components(self.log_weights, uniform)
        mean, log_variance = ops.take(self.means, index, axis=0), ops.take(self.log_variances, index, axis=0)
        return mean + ops.exp(0.5 * log_variance) * epsilon

    def log_prob(self, z: Any) -> Any:
        """log density, ``[...]``, by logsumexp over the components."""
        precisions = ops.exp(-self.log_variances)
        # The squares multiplied out: two matrix products in place of [..., K, d] numbers.
        constant = ops.sum(ops.square(self.means) * precisions + self.log_variances + LOG_2_PI, axis=-1)
        squares = ops.matmul(ops.square(z), ops.transpose(precisions))
        products = ops.matmul(z, ops.transpose(self.means * precisions))
        return ops.logsumexp(self.log_weights - 0.5 * (squares - 2.0 * products + constant), axis=-1)

    def kl_from(self, q: DiagonalGaussian, z: Any) -> Any:
        """log q(z) - log p(z): its mean over z ~ q is the divergence, which has no closed form. ``[..., 1]``."""
        return (q.log_prob(z) - self.log_prob(z))[..., None]


def log_ratio(q: DiagonalGaussian, prior: Any, z: Any) -> Any:
    """log q(z) - log prior(z), ``[...]``."""
    return q.log_prob(z) - prior.log_prob(z)


def chosen_components(log_weights: Any, uniform: Any) -> Any:
    """Which of K components each uniform ``[n, 1]`` chooses by their normalized log-weights: integers ``[n]``."""
    below = ops.cumsum(ops.exp(log_weights), axis=-1)
    last = log_weights.shape[0] - 1  # rounding may leave the sum a little below the largest uniform
    return ops.minimum(ops.sum(ops.cast(below[None] <= uniform, "int32"), axis=-1), last)
