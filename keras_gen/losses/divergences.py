"""Divergences between distributions, in closed form, per example."""

from typing import Any

from keras import ops


def standard_normal_kl(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, diag exp(log_variance)) || N(0, I)) in nats: ``[b, d]`` each, returns ``[b]``.

    Kingma and Welling 2014, appendix B: ``-1/2 sum(1 + log s^2 - m^2 - s^2)``.
    """
    return -0.5 * ops.sum(1.0 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
