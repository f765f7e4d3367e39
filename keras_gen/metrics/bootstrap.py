"""Sampling noise of statistics that have no standard error of their own."""

from collections.abc import Callable

import numpy as np

RESAMPLES = 200


def bootstrap_error(
    statistic: Callable[[np.ndarray], float], n: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """The bootstrap standard error (Efron 1979) of ``statistic``, a function of rows ``0 ... n - 1``.

    It is the standard deviation over ``resamples`` draws of n rows with replacement, from a seed. A distance such as FID is
    shifted upwards by rows that repeat; its spread is not, so ``value +- 1.96`` errors is the 95 % interval of what another
    sample of the same size would give, bias at that size included.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    found = [statistic(generator.integers(0, n, n)) for _ in range(resamples)]
    return float(np.std(found, ddof=1))
