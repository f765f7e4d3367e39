"""Log-probabilities as papers print them: means with their errors, bits per dimension, importance-weighted bounds."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseStream, Normal
from keras_gen.metrics.estimate import Estimate, mean_with_error

# Images times samples that one call decodes: large enough for full matrix products, small enough for the cache.
DECODED_AT_ONCE = 4_000


def bits_per_dim(log_prob: Any, spec: ImageSpec) -> Estimate:
    """Mean bits per dimension of discrete images: ``-log P / (dimensions ln 2)`` of nats ``[n]``, with standard error.

    A uniform guess among 256 levels costs 8. Of a lower bound on log P it is an upper bound.
    """
    mean, error, n = mean_with_error(log_prob)
    nats = spec.dimensions * math.log(2.0)
    return Estimate(-mean / nats, None if error is None else error / nats, n)


def log_mean_exp(log_weights: Any) -> Any:
    """``log 1/k sum_i w_i`` of log-weights ``[b, k]``, in TensorFlow: ``[b]``."""
    return tf.reduce_logsumexp(log_weights, axis=-1) - tf.math.log(tf.cast(tf.shape(log_weights)[-1], tf.float32))


def importance_weighted_log_prob(
    log_weight: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: np.ndarray,
    latent_shape: Sequence[int],
    k: int,
    *,
    seed: int = 0,
    decoded_at_once: int = DECODED_AT_ONCE,
    rows: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Burda et al. 2016, eq. 8: ``log P(x) >= E[log 1/k sum_i p(x, z_i) / q(z_i|x)]``, one draw of k latents an image.

    The bound rises with ``k`` (their theorem 1) towards log P; papers take 5,000. Memory is bounded: k goes by in
    chunks whose sum is carried along as a logarithm, in float64.

    Args:
        log_weight: TensorFlow function of images ``[b, h, w, c]`` and standard normal noise
            ``[b, j, *latent_shape]`` that gives ``log p(x, z) - log q(z|x)``, nats ``[b, j]``.
        images: uint8 ``[n, h, w, c]``.
        latent_shape: the noise's, an example.
        k: latents an image.
        seed: of the noise. Image i's draws do not depend on the other images, nor on the chunks.
        decoded_at_once: how many pairs of image and latent go through the decoder together.
        rows: more arguments of ``log_weight``, ``[n, ...]`` each: the images' labels, say.

    Returns:
        float64 ``[n]`` nats.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInput(f"k={k!r} importance samples; give an integer of at least 1 (5,000 are usual).")
    shape = tuple(latent_shape)
    signature = [
        tf.TensorSpec((None, *images.shape[1:]), images.dtype),
        tf.TensorSpec((None, None, *shape), tf.float32),
        *(tf.TensorSpec((None, *row.shape[1:]), row.dtype) for row in rows),
    ]
    function = tf.function(log_weight, input_signature=signature)
    chunk = min(k, decoded_at_once)
    together = max(1, decoded_at_once // chunk)
    result = np.empty(len(images))
    for start in range(0, len(images), together):
        batch = images[start : start + together]
        streams = [NoiseStream({f"importance/{start + row}": Normal(shape)}, seed) for row in range(len(batch))]
        more = [row[start : start + together] for row in rows]
        total = np.full(len(batch), -np.inf)
        for first in range(0, k, chunk):
            size = min(chunk, k - first)
            noise = np.stack([next(iter(stream.take(size).values())) for stream in streams])
            weights = function(batch, noise, *more).numpy().astype(np.float64)  # [b, size]
            total = np.logaddexp(total, np.logaddexp.reduce(weights, axis=1))
        result[start : start + together] = total - math.log(k)
    return result
