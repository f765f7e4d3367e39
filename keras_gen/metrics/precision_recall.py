"""Improved precision and recall (Kynkaanniemi et al. 2019), and the nearest neighbours that they rest on."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics.feature_sets import check_count, check_features, check_pair

# Rows of either side that are compared at once: a block of distances is 1,000 x 4,000 float64, 32 MB.
QUERY_ROWS, REFERENCE_ROWS = 1_000, 4_000
# |a - b|^2 comes from |a|^2 + |b|^2 - 2ab, which is off by about 1e-16 sqrt(d) of |a|^2 + |b|^2. A point this near to a
# sphere's surface counts as on it: without that, duplicates (spheres of radius 0) would miss themselves.
ROUNDING = 1e-12


class PrecisionRecall(NamedTuple):
    """Shares in ``[0, 1]``: fakes that look real, reals that could have been faked."""

    precision: float
    recall: float


def precision_recall(real: Any, fake: Any, k: int = 3) -> PrecisionRecall:
    """Kynkaanniemi et al. 2019, eq. 1 and 2.

    A set's manifold is the union of spheres, one round each of its points, reaching to that point's ``k``-th nearest
    other point of the set. Precision is the share of fakes inside the reals' manifold, recall the share of reals inside
    the fakes'. Both depend on the sample sizes and on the feature space: name them with the numbers.

    Args:
        real, fake: features ``[n, d]`` and ``[m, d]`` (the paper takes n = m), computed with in float64.
        k: 3 in the paper.

    Raises:
        InvalidInput: NaN or infinite features, fewer than ``k + 1`` points in a set, dimensions that differ.
    """
    real, fake = check_pair(real, fake)
    real_radii, fake_radii = manifold_radii(real, k, "real"), manifold_radii(fake, k, "fake")
    fake_inside, real_inside = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for rows, columns, squared, slack in distance_blocks(fake, real):
        fake_inside[rows] |= (squared <= np.square(real_radii[None, columns]) + slack).any(axis=1)
        real_inside[columns] |= (squared <= np.square(fake_radii[rows, None]) + slack).any(axis=0)
    return PrecisionRecall(float(fake_inside.mean()), float(real_inside.mean()))


def manifold_radii(features: Any, k: int, what: str = "these") -> np.ndarray:
    """Each point's distance to its ``k``-th nearest other point: float64 ``[n]``."""
    features, k = check_features(features, what), check_count("k", k, 1, "neighbours")
    if len(features) < k + 1:
        raise InvalidInput(
            f"{len(features)} {what} samples have no {k} neighbours each; give at least {k + 1} samples "
            "(10,000 are usual)."
        )
    return nearest_neighbours(features, features, k, skip_self=True)[0][:, -1]


def nearest_neighbours(
    queries: Any, references: Any, k: int, *, skip_self: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` references nearest to each query by Euclidean distance, in bounded memory.

    ``queries`` ``[n, d]`` and ``references`` ``[m, d]`` are of any numeric dtype (uint8 stays so in memory). Returns
    distances, float64 ``[n, k]``, ascending, and the references' rows, ``[n, k]``. ``skip_self``: the two are one set,
    and no point is its own neighbour.
    """
    queries, references = np.asarray(queries), np.asarray(references)
    best = np.full((len(queries), k), np.inf)
    found = np.zeros((len(queries), k), np.int64)
    for rows, columns, squared, _ in distance_blocks(queries, references):
        here = np.arange(columns.start, columns.stop)
        if skip_self:
            squared[np.arange(rows.start, rows.stop)[:, None] == here[None]] = np.inf
        if len(here) > k:
            nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
            squared, here = np.take_along_axis(squared, nearest, axis=1), here[nearest]
        together = np.concatenate([best[rows], squared], axis=1)
        places = np.concatenate([found[rows], np.broadcast_to(here, squared.shape)], axis=1)
        order = np.argsort(together, axis=1, kind="stable")[:, :k]
        best[rows], found[rows] = np.take_along_axis(together, order, axis=1), np.take_along_axis(places, order, axis=1)
    return _measured_again(queries, references, found)


def _measured_again(queries: np.ndarray, references: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the neighbours found, taken directly: the expanded square has no digits left between twins."""
    distances = np.empty(found.shape)
    for start in range(0, len(queries), QUERY_ROWS):
        rows = slice(start, start + QUERY_ROWS)
        here = queries[rows].astype(np.float64)
        for rank in range(found.shape[1]):
            distances[rows, rank] = np.linalg.norm(here - references[found[rows, rank]], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(found, order, axis=1)


def distance_blocks(
    queries: np.ndarray, references: np.ndarray
) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
    """Query rows, reference rows, their squared distances ``[q, r]`` and by how much these may be off (``[q, r]``)."""
    for start in range(0, len(references), REFERENCE_ROWS):
        columns = slice(start, min(start + REFERENCE_ROWS, len(references)))
        theirs = references[columns].astype(np.float64)
        their_norms = np.square(theirs).sum(axis=1)
        for first in range(0, len(queries), QUERY_ROWS):
            rows = slice(first, min(first + QUERY_ROWS, len(queries)))
            ours = queries[rows].astype(np.float64)
            norms = np.square(ours).sum(axis=1)[:, None] + their_norms[None]
            squared = ours @ theirs.T
            squared *= -2.0
            squared += norms
            norms *= ROUNDING
            yield rows, columns, np.maximum(squared, 0.0, out=squared), norms
