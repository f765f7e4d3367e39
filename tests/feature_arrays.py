"""Arrays that stand for features and images in tests of metrics."""

import numpy as np
import scipy.ndimage

from keras_gen.metrics.moments import Moments


def normal(n, d, seed, mean=0.0, dtype=np.float64):
    return (np.random.default_rng(seed).standard_normal((n, d)) + mean).astype(dtype)


def correlated(n, d, seed, decay=1.0, mean=0.0):
    """Features as a network gives them: all dimensions correlated, variances falling as a power."""
    mix = np.linalg.qr(normal(d, d, 1000 + seed))[0] * np.arange(1, d + 1) ** (-decay / 2)
    return normal(n, d, seed) @ mix.T + mean


def gaussian(mean, covariance):
    return Moments.from_mean_and_covariance(mean, covariance, 50_000)


def images(n, seed, shape=(32, 32, 3)):
    """Coloured noise, smooth enough for all levels of a pyramid to differ."""
    smooth = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(n, *shape)), (0, 1.5, 1.5, 0))
    return np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)
