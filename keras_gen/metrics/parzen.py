"""Parzen windows: the density that a set of samples gives with a Gaussian round each (Breuleux et al. 2010)."""

import logging
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_gen.core.checks import number
from keras_gen.metrics.estimate import Estimate, mean_with_error
from keras_gen.metrics.feature_sets import check_pair
from keras_gen.metrics.precision_recall import distance_blocks

SIGMAS = tuple(float(value) for value in np.logspace(-1, 0, 10))  # those of Goodfellow et al. 2014's code

log = logging.getLogger(__name__)


class ParzenScore(NamedTuple):
    """Mean log-density of the test points, in nats, and the windows' width that was chosen for it."""

    score: Estimate
    sigma: float


def parzen_log_density(points: Any, samples: Any, sigmas: Sequence[float]) -> np.ndarray:
    """``log mean_i N(x; s_i, sigma^2 I)`` of each point and width, nats, float64 ``[len(sigmas), n]``.

    Args:
        points, samples: ``[n, d]``, ``[m, d]``; converted and compared block by block, in bounded memory.
        sigmas: standard deviations, above 0, in the unit of the points.
    """
    samples, points = check_pair(samples, points)
    sigmas = [number("sigma", sigma, 0.0, above=True) for sigma in sigmas]
    found = np.full((len(sigmas), len(points)), -np.inf)
    for rows, _, squared, _ in distance_blocks(points, samples):
        nearest = squared.min(axis=1, keepdims=True)
        squared -= nearest
        for index, sigma in enumerate(sigmas):
            scale = -0.5 / sigma**2
            here = np.log(np.exp(scale * squared).sum(axis=1)) + scale * nearest[:, 0]
            found[index, rows] = np.logaddexp(found[index, rows], here)
    constants = [points.shape[1] * math.log(sigma * math.sqrt(2.0 * math.pi)) for sigma in sigmas]
    return found - math.log(len(samples)) - np.array(constants)[:, None]


def parzen_score(samples: Any, validation: Any, test: Any, sigmas: Sequence[float] = SIGMAS) -> ParzenScore:
    """Goodfellow et al. 2014, section 5: the mean log-density of ``test`` under windows round ``samples``.

    Their width is the one of ``sigmas`` under which ``validation`` is likeliest. All are ``[n, d]`` of one unit; in the paper
    pixels in [0, 1]. A density of real numbers, which no likelihood of discrete images compares with; it rewards samples that
    are training images or means of them (Theis et al. 2016), so never let it stand alone.
    """
    means = parzen_log_density(validation, samples, sigmas).mean(axis=1)
    best = int(means.argmax())
    if best in (0, len(sigmas) - 1) and len(sigmas) > 1:
        log.warning(
            "Parzen windows: sigma %.3g is the last of those tried; a wider range may fit better.", sigmas[best]
        )
    return ParzenScore(mean_with_error(parzen_log_density(test, samples, [sigmas[best]])[0]), float(sigmas[best]))
