"""Inception Score: are single images recognised, and do all of them together show every class?"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics.feature_sets import check_count, lots, order_by_content, rows_a_block

# How far from 1 a row may sum: float32 stays within 1e-6, half precision and forgotten softmaxes do not.
TOLERANCE = 1e-4


class InceptionScore(NamedTuple):
    """Mean and standard deviation (of the population, as papers print it) over ``splits`` splits; from 1 to the classes."""

    value: float
    deviation: float
    splits: int


def inception_score(probabilities: Any, splits: int = 10, *, logarithms: bool = False, seed: int = 0) -> InceptionScore:
    """Salimans et al. 2016, section 4: ``exp(E_x KL(p(y|x) || p(y)))``, p(y) being the mean over the split's images.

    The paper's code splits the images as they come. Here lots decide, drawn from a seed and from an order that the
    probabilities alone give: the same images in any order have the same score, to the bit. Probabilities that differ by
    rounding (another batch size, another machine) fall into other splits, which moves the mean within the splits' spread;
    with ``splits=1`` nothing is random and nothing but the rounding moves. Fewer images a split give a lower score: name both.

    Args:
        probabilities: ``[n, classes]``, each row summing to 1; rounding of up to 1e-4 is divided out. Taken to float64.
        splits: 10 in the paper, of 5,000 images each.
        logarithms: the values are log-probabilities (minus infinity is fine).
        seed: of the lots; at least 0.

    Raises:
        InvalidInput: no probabilities, fewer than two classes, fewer than two images a split.
    """
    splits = check_count("splits", splits, 1, "to average over")
    values = np.asarray(probabilities)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or values.shape[1] < 2:
        raise InvalidInput(
            f"probabilities are {values.dtype} {list(values.shape)}; wanted numbers [n, classes] of at least 2 classes."
        )
    if len(values) < 2 * splits:
        raise InvalidInput(
            f"{len(values)} images cannot fill {splits} splits of at least 2; give at least {2 * splits} images (50,000 "
            "are usual) or fewer splits."
        )
    order = order_by_content(values)
    if splits > 1:
        order = order[lots(seed).permutation(len(order))]
    else:
        lots(seed)  # refuses a bad seed whatever the splits
    bounds = [split * len(order) // splits for split in range(splits + 1)]
    scores = [_score(values, order[start:stop], logarithms) for start, stop in zip(bounds, bounds[1:])]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)), splits)


def _score(values: np.ndarray, rows: np.ndarray, logarithms: bool) -> float:
    """The mean divergence is the entropy of the mean less the mean of the entropies."""
    total, negative_entropies = np.zeros(values.shape[1]), 0.0
    size = rows_a_block(values.shape[1])
    for start in range(0, len(rows), size):
        block = _probabilities(values[rows[start : start + size]], logarithms)
        total += block.sum(axis=0)
        negative_entropies += xlogy(block, block).sum()
    marginal = total / len(rows)
    return float(np.exp(negative_entropies / len(rows) - xlogy(marginal, marginal).sum()))


def _probabilities(values: np.ndarray, logarithms: bool) -> np.ndarray:
    """A block of rows as float64 that sum to 1, or an ``InvalidInput``."""
    values = values.astype(np.float64)
    if logarithms:
        with np.errstate(over="ignore"):  # becomes infinity, which is refused
            np.exp(values, out=values)
    sums = values.sum(axis=1)
    if not (np.abs(sums - 1.0) <= TOLERANCE).all() or values.min() < 0.0:  # NaN and infinity do not lie there
        off = sums[np.argmax(np.where(np.isnan(sums), np.inf, np.abs(sums - 1.0)))]
        raise InvalidInput(
            f"a row of {'exp(log-probabilities)' if logarithms else 'probabilities'} sums to {off:g}, its least entry "
            f"{values.min():g}; wanted entries of at least 0 that sum to 1. Take the softmax of logits, in float32."
        )
    return values / sums[:, None]
