"""The Frechet distance of 50,000 features of 2,048 dimensions to known statistics, against NumPy's bare linear algebra.

Ours: mean and covariance of float32 features, block by block, then the distance to a reference's moments. Theirs: ``X.T @ X``
of the same features, in float64 from the start, and one ``eigh``; nothing is converted, centred, checked or made of the two, and
for the product NumPy calls the same half-cost BLAS routine (syrk) as ours. So theirs is a floor under what computes a matrix
square root with eigenvectors, not a distance; and its features take 800 MB, ours 400 and blocks of 16.

Beyond the product, ours pays two pivoted Cholesky factors, two products of d x d matrices and eigenvalues without vectors.
Features whose variances fall so steeply that eigenvalues of a square have no digits take singular values instead, about four
times the time of that last step; the third line, of such features, shows it.
"""

from collections.abc import Callable

import numpy as np
from alternate import alternate, arguments, report

from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.moments import Moments

SAMPLES, DIMENSIONS = 50_000, 2_048
OURS, STEEP, BARE = "keras_gen", "keras_gen, steep spectrum", "NumPy, product + eigh"
TARGET = 1.2  # times NumPy's side


def features(samples: int, dimensions: int, decay: float, seed: int) -> np.ndarray:
    """Correlated float32 features whose k-th largest variance falls as ``k^-decay``."""
    random = np.random.default_rng(seed)
    deviations = np.arange(1, dimensions + 1) ** (-decay / 2)
    # A reflection mixes all dimensions at no cost: x - 2 (x v) v with a unit vector v.
    direction = random.standard_normal(dimensions).astype(np.float32)
    direction /= np.linalg.norm(direction)
    values = random.standard_normal((samples, dimensions), np.float32)
    values *= deviations.astype(np.float32)
    values -= 2.0 * (values @ direction)[:, None] * direction
    return values


def of_keras_gen(samples: int, dimensions: int, decay: float) -> Callable[[], None]:
    """Statistics of the fakes and their distance to the reals', whose statistics lie on disk in earnest."""
    reference = Moments.of(features(samples, dimensions, decay, seed=0))
    fake = features(samples, dimensions, decay, seed=1)
    fake *= np.float32(1.1)

    def run() -> None:
        if not frechet_distance(reference, Moments.of(fake)) > 0.0:
            raise ArithmeticError("The distance is not positive; this time means nothing.")

    return run


def of_numpy(samples: int, dimensions: int) -> Callable[[], None]:
    """The bare product and one decomposition."""
    values = features(samples, dimensions, decay=1.0, seed=1).astype(np.float64)

    def run() -> None:
        np.linalg.eigh(values.T @ values)

    return run


def main(samples: int = SAMPLES, dimensions: int = DIMENSIONS) -> None:
    """The command."""
    options = arguments(__doc__, rounds=5, seconds_warm_up=1.0)
    sides = {
        OURS: of_keras_gen(samples, dimensions, decay=1.0),
        STEEP: of_keras_gen(samples, dimensions, decay=4.0),
        BARE: of_numpy(samples, dimensions),
    }
    print(f"{samples:,} x {dimensions:,}")
    times = alternate(sides, options.rounds, options.warm_up)
    figures = report(times, ours=OURS, others=[STEEP, BARE], targets={BARE: 1.0 / TARGET}, record=options.record)
    print(f"{OURS} takes {1.0 / figures[BARE]['ratio']:.2f} times as long as {BARE}; wanted at most {TARGET}.")


if __name__ == "__main__":
    main()
