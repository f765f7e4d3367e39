"""Log-probabilities of discrete images under a decoder's output, in nats, summed over each image."""

import math
from typing import Any

from keras import ops


def sum_per_image(values: Any) -> Any:
    """``[b, ...]`` to ``[b]``."""
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def bernoulli_log_prob(images: Any, logits: Any) -> Any:
    """log P(image) of binary images: levels 0 or 1 ``[b, h, w, c]``, logits of the same shape; returns ``[b]`` nats."""
    # Flat first: where the last axis is one channel, XLA makes the loop over it the inner one, at twice the time.
    images, logits = (ops.reshape(ops.cast(x, "float32"), (ops.shape(x)[0], -1)) for x in (images, logits))
    return ops.sum(images * logits - ops.softplus(logits), axis=1)


def discretized_gaussian_log_prob(images: Any, mean: Any, log_scale: Any, levels: int) -> Any:
    """log P(image) of images whose pixels are Gaussians rounded to levels.

    ``images`` are levels ``[b, h, w, c]`` in ``[0, levels - 1]``; ``mean`` and ``log_scale`` (same shape) live where the
    levels are spread over ``[-1, 1]``. A level owns the bin half a level to each side, the outermost own the tails
    (Salimans et al. 2017, eq. 2, with a Gaussian for the logistic), so each pixel's probabilities sum to 1. Returns ``[b]``
    nats.
    """
    images, mean = ops.cast(images, "float32"), ops.cast(mean, "float32")
    inverse_scale = ops.exp(-ops.cast(log_scale, "float32"))
    half_bin = 1.0 / (levels - 1)
    centre = images * (2.0 * half_bin) - 1.0 - mean
    low, high = (centre - half_bin) * inverse_scale, (centre + half_bin) * inverse_scale
    # Phi(high) - Phi(low) loses all digits in the right tail; mirrored to the left one it keeps them.
    mirror = low + high > 0.0
    left, right = ops.where(mirror, -high, low), ops.where(mirror, -low, high)
    log_right = log_normal_cdf(right)
    # The gap is negative; its floor keeps the logarithm finite where a bin is too narrow for float32 to see.
    gap = ops.minimum(log_normal_cdf(left) - log_right, -1e-7)
    # 1 - e^gap, by tanh: ONNX has no expm1.
    t = ops.tanh(-0.5 * gap)
    inside = log_right + ops.log(2.0 * t / (1.0 + t))
    log_mass = ops.where(
        images < 0.5, log_normal_cdf(high), ops.where(images > levels - 1.5, log_normal_cdf(-low), inside)
    )
    return sum_per_image(log_mass)


def log_normal_cdf(x: Any) -> Any:
    """log Phi(x) of the standard normal, accurate to about 2e-7 relative in both tails, finite with finite gradient.

    erfc by the Chebyshev fit of Numerical Recipes (section 6.2, fractional error below 1.2e-7 everywhere).
    """
    z = ops.abs(x) * math.sqrt(0.5)
    t = 1.0 / (1.0 + 0.5 * z)
    polynomial = ops.zeros_like(t)
    for coefficient in _ERFC_COEFFICIENTS:
        polynomial = polynomial * t + coefficient
    log_tail = ops.log(0.5 * t) - z * z + polynomial  # log Phi(-|x|)
    tail = ops.exp(log_tail)
    # log(1 - tail), whose digits survive where the tail is small: ONNX has no log1p.
    return ops.where(x > 0.0, -2.0 * ops.arctanh(tail / (2.0 - tail)), log_tail)


def normal_quantile(probability: Any) -> Any:
    """Phi^-1 of probabilities in ``[0, 1)``, float32, to about 1e-5, in the far tails 1e-3; 0 is taken as 6e-8.

    By Giles 2010, "Approximating the erfinv function" (table 5, single precision): ONNX has no operator for it.
    """
    x = 2.0 * ops.maximum(probability, 6e-8) - 1.0
    return normal_of_erf(x, -ops.log((1.0 - x) * (1.0 + x)))


def normal_of_erf(x: Any, w: Any) -> Any:
    """``sqrt(2) erfinv(x)``, float32; ``w`` is ``-log(1 - x^2)``, which in the tails has digits that ``x`` has lost."""
    centre, tail = ops.zeros_like(w), ops.zeros_like(w)
    for coefficient in _ERFINV_CENTRE:
        centre = centre * (w - 2.5) + coefficient
    for coefficient in _ERFINV_TAIL:
        tail = tail * (ops.sqrt(w) - 3.0) + coefficient
    return math.sqrt(2.0) * x * ops.where(w < 5.0, centre, tail)


_ERFINV_CENTRE = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_ERFINV_TAIL = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)
_ERFC_COEFFICIENTS = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)
