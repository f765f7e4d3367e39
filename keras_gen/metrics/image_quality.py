"""How near images are to the ones that they should be, each to its own: L1, PSNR, SSIM."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec

BLOCK_BYTES = 1 << 25  # of float64, of each of the arrays that a metric makes
SIGMA, RADIUS = 1.5, 5  # pixels: the window's Gaussian, and where it ends
K1, K2 = 0.01, 0.03
HIGHEST_PSNR = 100.0  # dB: equal images have no finite one


def l1(images: np.ndarray, truths: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Mean absolute difference over pixels and channels, of fractions of the highest level: ``[n]`` in ``[0, 1]``."""
    return _each(lambda a, b: np.abs(a - b).mean(axis=(1, 2, 3)), images, truths, spec)


def psnr(images: np.ndarray, truths: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Peak signal-to-noise ratio of each image: ``-10 log10(mean squared difference)``, ``[n]`` dB, at most 100."""

    def of_block(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squared = np.square(a - b).mean(axis=(1, 2, 3))
        return -10.0 * np.log10(np.maximum(squared, 10 ** (-HIGHEST_PSNR / 10)))

    return _each(of_block, images, truths, spec)


def ssim(images: np.ndarray, truths: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Structural similarity (Wang et al. 2004, equation 13) of each image: ``[n]``, at most 1, which equal images have.

    As there: an 11x11 Gaussian window of 1.5 pixels, K1 = 0.01, K2 = 0.03, and where the window reaches beyond the image nothing
    is counted. Of colour, the mean over channels. Sides below 11 pixels are an ``InvalidInput``.
    """
    if too_small_for_ssim(spec):
        raise InvalidInput(f"SSIM's window is {2 * RADIUS + 1} pixels wide; {spec} are smaller.")

    def smooth(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, (0, SIGMA, SIGMA, 0), radius=(0, RADIUS, RADIUS, 0))

    def of_block(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        mean_a, mean_b = smooth(a), smooth(b)
        variance_a, variance_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
        covariance = smooth(a * b) - mean_a * mean_b
        brightness = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
        structure = (2 * covariance + K2**2) / (variance_a + variance_b + K2**2)
        return (brightness * structure)[:, RADIUS:-RADIUS, RADIUS:-RADIUS].mean(axis=(1, 2, 3))

    return _each(of_block, images, truths, spec)


def too_small_for_ssim(spec: ImageSpec) -> bool:
    """Whether SSIM's window does not fit into such images."""
    return min(spec.shape[:2]) < 2 * RADIUS + 1


def _each(
    metric: Callable[[np.ndarray, np.ndarray], np.ndarray], images: np.ndarray, truths: np.ndarray, spec: ImageSpec
) -> np.ndarray:
    """The metric of both sides as fractions of the highest level, float64, some images at a time."""
    images, truths = spec.check(images), spec.check(truths, "truths")
    if len(images) != len(truths):
        raise InvalidInput(f"{len(images)} images and {len(truths)} truths; give one each.")
    rows, top, parts = max(1, BLOCK_BYTES // (8 * spec.dimensions)), float(spec.levels - 1), []
    for start in range(0, len(images), rows):
        part = slice(start, start + rows)
        parts.append(metric(images[part] / top, truths[part] / top))
    return np.concatenate(parts)
