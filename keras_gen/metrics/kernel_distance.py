"""Kernel distance: an unbiased squared maximum mean discrepancy of two feature sets; of Inception features, KID."""

from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics.estimate import Estimate, mean_with_error
from keras_gen.metrics.feature_sets import check_count, check_pair, lots, order_by_content

# Rows of either side that meet at once: a block of the kernel is 1,000 x 4,000 float64, 32 MB.
ROWS, COLUMNS = 1_000, 4_000


def kernel_distance(real: Any, fake: Any, *, subsets: int = 100, subset_size: int = 1_000, seed: int = 0) -> Estimate:
    """Binkowski et al. 2018, section 4: the mean of ``kernel_distance_full`` over random subsets of equal size.

    Without bias at any sample size, so about half of the values for two sets of one distribution are negative.

    The standard error is the subsets': how far another seed would move the value, given these samples. More subsets make it
    smaller; that these samples are all there are, it does not know. Where a subset is the whole set it is 0.

    Subsets are drawn without replacement, from a seed and from an order that the features' values alone give: the order of
    the images does not matter. The two sides have lots of their own, so swapping them moves the value within its error.

    Args:
        real, fake: features ``[n, d]`` and ``[m, d]``, computed with in float64.
        subsets, subset_size: 100 of 1,000 in the paper's code.
        seed: of the lots; at least 0.

    Returns:
        Value, standard error and number of subsets; papers print 1,000 times the value.

    Raises:
        InvalidInput: NaN or infinite features, dimensions that differ, a set smaller than a subset.
    """
    subsets = check_count("subsets", subsets, 1, "to average over")
    subset_size = check_count("subset_size", subset_size, 2, "samples in a subset")
    real, fake = check_pair(real, fake)
    for features, what in ((real, "real"), (fake, "fake")):
        if len(features) < subset_size:
            raise InvalidInput(
                f"{len(features)} {what} samples have no subset of {subset_size}; give at least {subset_size} samples, "
                f"or subset_size={max(2, len(features))} or less."
            )
    generator, orders = lots(seed), (order_by_content(real), order_by_content(fake))
    values = np.empty(subsets)
    for turn in range(subsets):
        ours, theirs = (
            features[order[generator.choice(len(features), subset_size, replace=False)]]
            for features, order in zip((real, fake), orders)
        )
        values[turn] = _squared_discrepancy(ours, theirs)
    return mean_with_error(values)


def kernel_distance_full(real: Any, fake: Any) -> float:
    """Gretton et al. 2012, eq. 3, with the kernel of Binkowski et al. 2018, ``(x . y / d + 1)^3``, on all samples.

    ``mean k(x, x') + mean k(y, y') - 2 mean k(x, y)``, pairs of a sample with itself left out: unbiased, negative at times.
    ``n + m`` rows squared meet, in blocks of bounded memory. No order of the rows matters, but for rounding.

    Args:
        real, fake: features ``[n, d]`` and ``[m, d]`` of at least two samples, computed with in float64.

    Raises:
        InvalidInput: NaN or infinite features, dimensions that differ, fewer than two samples.
    """
    return _squared_discrepancy(*check_pair(real, fake, 2, "(10,000 are usual): pairs of them are compared"))


def _squared_discrepancy(real: np.ndarray, fake: np.ndarray) -> float:
    return float(_mean_among(real) + _mean_among(fake) - 2.0 * _kernel_sum(real, fake) / (len(real) * len(fake)))


def _mean_among(features: np.ndarray) -> float:
    """The kernel's mean over ordered pairs of two different rows."""
    n, own = len(features), 0.0
    for start in range(0, n, ROWS):
        rows = features[start : start + ROWS].astype(np.float64)
        own += _kernel(np.einsum("nd,nd->n", rows, rows), rows.shape[1]).sum()
    return (_kernel_sum(features, features) - own) / (n * (n - 1))


def _kernel_sum(left: np.ndarray, right: np.ndarray) -> float:
    """The kernel's sum over all pairs of a row of each."""
    total = 0.0
    for first in range(0, len(right), COLUMNS):
        columns = right[first : first + COLUMNS].astype(np.float64).T
        for start in range(0, len(left), ROWS):
            total += _kernel(left[start : start + ROWS].astype(np.float64) @ columns, len(columns)).sum()
    return total


def _kernel(products: np.ndarray, dimensions: int) -> np.ndarray:
    products /= dimensions
    products += 1.0
    return products * products * products
