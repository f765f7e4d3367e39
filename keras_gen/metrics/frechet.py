"""Frechet distance between the Gaussians of two feature sets: of Inception features, FID."""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpstrf

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics.moments import Moments

# Of the distance: how much the quick way may be off, as it estimates, before the slow way is taken.
QUICK = 1e-7
# Standard deviation of a feature given those before it, of its own: from here on pivots would find nothing to drop.
FULL_RANK = 1e-4


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Squared Frechet distance of the Gaussians with these moments: Dowson & Landau 1982; Heusel et al. 2017, eq. 6.

    ``|m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)``, at least 0, in the features' unit squared. With ``C = F F^T`` the
    last trace is the sum of the singular values of ``F1^T F2``: no square root of a matrix is taken, none can turn out
    complex, and fewer samples than dimensions are as good as more, for F is then narrow.

    Exactly symmetric: the two sides are put in an order of their own (by trace, then by their bytes) before anything is
    computed. Falls as the sample size grows (Chong & Forsyth 2020): name both sizes and the feature space with the number.

    Args:
        real, fake: of at least two samples each, of one feature space.

    Raises:
        InvalidInput: fewer than two samples, dimensions that differ.
    """
    for moments in (real, fake):
        if not isinstance(moments, Moments):
            raise InvalidInput(f"got a {type(moments).__name__}; give Moments of features: Moments.of(features).")
    if real.dimensions != fake.dimensions:
        raise InvalidInput(
            f"real features have {real.dimensions} dimensions, fake ones {fake.dimensions}; use one feature space."
        )
    for moments, what in ((real, "real"), (fake, "fake")):
        if moments.count < 2:
            raise InvalidInput(
                f"{moments.count} {what} samples have no covariance; give at least 2 (10,000 are usual)."
            )
    (mean, covariance), (other_mean, other_covariance) = _ordered(real, fake)
    apart = float(np.square(mean - other_mean).sum() + (np.trace(covariance) + np.trace(other_covariance)))
    product = _factor(covariance).T @ _factor(other_covariance)
    shared, error = _nuclear_norm_by_squares(product)
    if 2.0 * error > QUICK * (apart - 2.0 * shared):
        shared = float(np.linalg.svd(product, compute_uv=False).sum())
    distance = apart - 2.0 * shared
    # Cauchy and Schwarz forbid a negative one, so what is below 0 by rounding is 0; anything more would be seen.
    return 0.0 if -len(mean) * np.finfo(np.float64).eps * apart < distance < 0.0 else distance


def _ordered(real: Moments, fake: Moments) -> list[tuple[np.ndarray, np.ndarray]]:
    """Means and covariances in an order that does not depend on which came first."""
    sides = [(moments.mean, moments.covariance) for moments in (real, fake)]
    traces = [float(np.trace(covariance)) for _, covariance in sides]
    if traces[0] == traces[1]:  # bytes of a large matrix are a copy of it: only where they decide
        return sorted(sides, key=lambda side: (side[0].tobytes(), side[1].tobytes()))
    return sides if traces[0] < traces[1] else sides[::-1]


def _factor(covariance: np.ndarray) -> np.ndarray:
    """``F`` ``[d, rank]`` with ``F F^T`` = ``covariance``: Cholesky; with pivots, which stops where only rounding is left,
    unless the plain one, twice as fast, shows that nothing is.

    Of unit variances, so that a feature of small variance next to large ones is not taken for rounding.
    """
    scales = np.sqrt(covariance.diagonal())
    if not np.isfinite(scales).all():
        raise InvalidInput("the features' variances overflow float64; scale both sets down.")
    safe = np.where(scales > 0.0, scales, 1.0)
    scaled = covariance / safe
    scaled /= safe[:, None]
    triangle, failed = dpotrf(scaled.T, lower=1, clean=1)
    if not failed and triangle.diagonal().min() > FULL_RANK:
        return triangle * scales[:, None]
    triangle, pivots, rank, _ = dpstrf(scaled, lower=1)
    factor = np.empty((len(scales), rank))
    factor[pivots - 1] = np.tril(triangle)[:, :rank]
    factor *= scales[:, None]
    return factor


def _nuclear_norm_by_squares(matrix: np.ndarray) -> tuple[float, float]:
    """The sum of singular values from the eigenvalues of ``M^T M``, and an estimate of how much it is off.

    A quarter of the singular value decomposition's time. But squares are known to the largest one's rounding alone, so
    singular values below 1e-8 of the largest have no digits: harmless where others outweigh them, not where many are tiny.
    """
    narrow = matrix if matrix.shape[1] <= matrix.shape[0] else matrix.T
    if not narrow.size:
        return 0.0, 0.0
    squares = np.linalg.eigvalsh(narrow.T @ narrow)
    # Rounding is a matrix of norm sqrt(d) eps |M|^2 that knows nothing of the eigenvectors: each square moves by a
    # sqrt(d)-th of that, either way. What lies below its norm may be rounding altogether, and then only adds.
    rounding = np.finfo(np.float64).eps * max(squares[-1], 0.0)
    floor = np.sqrt(len(squares)) * rounding
    seen = squares[squares > floor]
    error = np.sqrt(np.square(rounding / np.sqrt(seen)).sum()) + np.sqrt(floor) * (len(squares) - len(seen))
    return float(np.sqrt(np.maximum(squares, 0.0)).sum()), float(error)
