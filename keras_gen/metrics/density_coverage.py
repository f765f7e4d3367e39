"""Density and coverage: precision and recall that an outlier among the samples cannot inflate."""

from typing import Any, NamedTuple

import numpy as np

from keras_gen.metrics.feature_sets import check_pair
from keras_gen.metrics.precision_recall import distance_blocks, manifold_radii


class DensityCoverage(NamedTuple):
    """Density from 0, about 1 for equal distributions and above for samples in crowded places; coverage in ``[0, 1]``."""

    density: float
    coverage: float


def density_coverage(real: Any, fake: Any, k: int = 5) -> DensityCoverage:
    """Naeem et al. 2020, eq. 3 and 4.

    Round each real lies an open ball that reaches to its ``k``-th nearest other real. Density is the number of balls that a
    fake lies in, over ``k``, on average; coverage the share of balls that hold a fake. Of a set and itself both are 1. A
    real with ``k`` twins has a ball of radius 0, which holds nothing. Depends on sample sizes and feature space: name them.

    Args:
        real, fake: features ``[n, d]`` and ``[m, d]``, computed with in float64, in blocks of bounded memory.
        k: 5 in the paper.

    Raises:
        InvalidInput: NaN or infinite features, fewer than ``k + 1`` reals, no fakes, dimensions that differ.
    """
    real, fake = check_pair(real, fake)
    reach = np.square(manifold_radii(real, k, "real"))
    held, covered = 0, np.zeros(len(real), bool)
    for _, columns, squared, slack in distance_blocks(fake, real):
        # What rounding cannot tell from the surface counts as on it, hence outside: the k-th neighbour itself is.
        inside = squared < reach[None, columns] - slack
        held += int(inside.sum())
        covered[columns] |= inside.any(axis=0)
    return DensityCoverage(held / (k * len(fake)), float(covered.mean()))
