"""Mean and covariance of features, batch by batch and replica by replica, and kept as a file between runs."""

import os
import zipfile
from typing import Any

import numpy as np
from scipy.linalg.blas import dsyrk

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import written_beside
from keras_gen.metrics.feature_sets import check_count, check_features, rows_a_block

# Of the largest eigenvalue (or entry): what a covariance summed in float64 may be off by in symmetry and positivity.
CARELESS = 1e-8
# What is converted and centred at once: bytes of float64, and rows at least.
CACHED_BYTES, FEWEST_ROWS = 1 << 21, 32


class Moments:
    """Streaming mean and covariance after Chan, Golub & LeVeque 1983: parts merge, in any order, into the whole.

    Only sums of squares around a mean are ever added, nothing is subtracted: features far from the origin keep their
    digits, and rounding cannot make the covariance indefinite. Memory: one ``d x d`` float64 matrix and a block of rows.

    Args:
        dimensions: ``d``, of the features.
    """

    def __init__(self, dimensions: int):
        self.dimensions = check_count("dimensions", dimensions, 1, "of the features")
        self.count = 0
        self._mean = np.zeros(self.dimensions)
        # Sum of (x - mean)(x - mean)^T. BLAS counts by columns and fills the lower triangle alone; the upper stays 0.
        self._scatter = np.zeros((self.dimensions, self.dimensions), order="F")

    @classmethod
    def of(cls, features: Any) -> "Moments":
        """Of features ``[n, d]`` all at once."""
        features = check_features(features, "these")
        moments = cls(features.shape[1])
        moments.update(features)
        return moments

    @classmethod
    def from_mean_and_covariance(cls, mean: Any, covariance: Any, count: int) -> "Moments":
        """Of statistics computed elsewhere: ``mean`` ``[d]``, unbiased ``covariance`` ``[d, d]`` of ``count`` samples.

        ``count`` (at least 2) weighs them when they are merged and has no part in distances. A covariance that is not
        symmetric and positive semidefinite, to 1e-8 of its largest eigenvalue, is an ``InvalidInput``.
        """
        count = check_count("count", count, 2, "samples have no covariance")
        mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
        _check_shapes(mean, covariance)
        largest = np.abs(covariance).max()
        if np.abs(covariance - covariance.T).max() > CARELESS * largest:
            raise InvalidInput("the covariance is not symmetric; give the matrix that np.cov(features.T) gives.")
        eigenvalues = np.linalg.eigvalsh(covariance)
        if eigenvalues[0] < -CARELESS * largest:
            raise InvalidInput(
                f"the covariance has an eigenvalue of {eigenvalues[0]:.3g} beside its largest of {eigenvalues[-1]:.3g}; "
                "no distribution has that. Compute it in float64."
            )
        moments = cls(len(mean))
        moments._set(count, mean, covariance * (count - 1))
        return moments

    def update(self, features: Any) -> None:
        """Takes in features ``[n, d]`` of any real dtype, n = 0 too; what is refused (``InvalidInput``) changes nothing."""
        features = check_features(features, "these", fewest=0)
        self._check_dimensions(features.shape[1], "features")
        # Converting and centring wait for memory unless a few rows at a time stay in the cache; the product wants many rows.
        rows = rows_a_block(self.dimensions)
        few = min(rows, max(FEWEST_ROWS, CACHED_BYTES // (8 * self.dimensions)))
        buffer = np.empty((min(rows, len(features)) + -(-rows // few), self.dimensions))
        for start in range(0, len(features), rows):
            block, filled = features[start : start + rows], 0
            for first in range(0, len(block), few):
                part = block[first : first + few]
                # Behind each part a row for the step from the old mean to the part's: one product takes in both.
                centred = buffer[filled : filled + len(part) + 1]
                centred[:-1] = part
                mean = np.full(len(part), 1.0 / len(part)) @ centred[:-1]
                centred[:-1] -= mean
                centred[-1] = self._step(mean, len(part))
                filled += len(centred)
            self._add_squares(buffer[:filled])

    def merge(self, other: "Moments") -> None:
        """Takes in what ``other`` has seen, as if it had been seen here; ``other`` stays as it is."""
        if not isinstance(other, Moments):
            raise InvalidInput(f"cannot merge a {type(other).__name__}; give Moments.")
        self._check_dimensions(other.dimensions, "the other moments")
        if other.count:
            self._scatter += other._scatter
            self._add_squares(self._step(other._mean, other.count)[None])

    @property
    def mean(self) -> np.ndarray:
        """float64 ``[d]``; ``InvalidInput`` before the first sample."""
        self._check_count(1, "mean")
        return self._mean.copy()

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased (divided by n - 1), float64 ``[d, d]``, symmetric to the bit; ``InvalidInput`` below two samples."""
        self._check_count(2, "covariance")
        covariance = _filled(self._scatter)
        covariance /= self.count - 1
        return covariance

    def save(self, path: str | os.PathLike) -> None:
        """Writes ``count``, ``mean`` and ``scatter`` (the covariance times n - 1) as an .npz file, atomically."""
        with written_beside(path) as beside, open(beside, "wb") as file:  # np.savez renames what it does not open
            np.savez(file, count=np.int64(self.count), mean=self._mean, scatter=_filled(self._scatter))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Moments":
        """What ``save`` wrote, bit by bit. ``InvalidInput`` for anything else; nothing in the file is ever executed."""
        try:
            with np.load(path, allow_pickle=False) as file:
                count, mean, scatter = file["count"], file["mean"], file["scatter"]
        # What NumPy raises for no file, no zip archive, a damaged one, pickles, a missing name, a bare array.
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"{path} holds no statistics of features ({error}); give a file that Moments.save wrote."
            ) from error
        if count.shape or count.dtype.kind not in "iu" or count < 0:
            raise InvalidInput(f"{path}: count is {count!r}; wanted one integer of at least 0.")
        if mean.dtype != np.float64 or scatter.dtype != np.float64:
            raise InvalidInput(f"{path}: mean and scatter are {mean.dtype} and {scatter.dtype}; wanted float64.")
        _check_shapes(mean, scatter)
        if not np.array_equal(scatter, scatter.T) or scatter.diagonal().min() < 0:
            raise InvalidInput(f"{path}: scatter is no sum of squares; the file was not written by Moments.save.")
        moments = cls(len(mean))
        moments._set(int(count), mean, scatter)
        return moments

    def _set(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        self.count, self._mean = count, mean.copy()
        self._scatter = np.asfortranarray(np.tril(scatter))

    def _step(self, mean: np.ndarray, count: int) -> np.ndarray:
        """Moves count and mean on to include ``count`` samples of ``mean``; what the move itself adds, as a row [d]."""
        step, old = mean - self._mean, self.count
        self.count += count
        self._mean = self._mean + step * (count / self.count)
        return step * np.sqrt(old * (count / self.count))

    def _add_squares(self, rows: np.ndarray) -> None:
        """Adds ``rows^T rows`` in place: half a matrix product, and no second matrix."""
        self._scatter = dsyrk(1.0, rows.T, beta=1.0, c=self._scatter, overwrite_c=1, lower=1)

    def _check_dimensions(self, dimensions: int, what: str) -> None:
        if dimensions != self.dimensions:
            raise InvalidInput(f"{what} have {dimensions} dimensions, these moments {self.dimensions}; use one space.")

    def _check_count(self, fewest: int, what: str) -> None:
        if self.count < fewest:
            raise InvalidInput(f"{self.count} samples have no {what}; update with at least {fewest} first.")


def _check_shapes(mean: np.ndarray, square: np.ndarray) -> None:
    if mean.ndim != 1 or not len(mean) or square.shape != (len(mean), len(mean)):
        raise InvalidInput(
            f"mean and covariance have shapes {list(mean.shape)} and {list(square.shape)}; wanted [d], [d, d]."
        )
    if not (np.isfinite(mean).all() and np.isfinite(square).all()):
        raise InvalidInput("mean or covariance hold NaN or infinite values; compute them again from finite features.")


def _filled(lower: np.ndarray) -> np.ndarray:
    """The symmetric matrix of a lower triangle, above which there are zeros."""
    symmetric = lower + lower.T
    np.fill_diagonal(symmetric, lower.diagonal())
    return symmetric
