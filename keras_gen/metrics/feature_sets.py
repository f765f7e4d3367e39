"""The border of the metrics that compare sets of features: what they take, and lots that the rows' order cannot sway."""

import hashlib
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput

# Distances square features and KID's kernel takes them to the sixth power: beyond this, sums of these leave float64.
LARGEST = 1e45
# Bytes of float64 that a block of converted rows takes: long enough for BLAS, short enough for the cache.
BLOCK_BYTES = 1 << 24


def check_features(values: Any, what: str, fewest: int = 1, why: str = "") -> np.ndarray:
    """``values`` as an array ``[n, d]`` of its own dtype (no copy), or an ``InvalidInput``.

    Args:
        values: integers or floats; NaN, infinities and magnitudes above 1e45 are refused.
        what: whose they are, for the message: ``"real"``.
        fewest: how many rows the metric needs.
        why: and what for, for the message.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.shape[1]:
        raise InvalidInput(f"{what} features are {array.dtype} {list(array.shape)}; wanted numbers [n, d].")
    if len(array) < fewest:
        raise InvalidInput(f"{len(array)} {what} samples; give at least {fewest}{why and ' ' + why}.")
    if array.dtype.kind == "f" and array.size:
        least, most = float(array.min()), float(array.max())  # NaN if anything is; no second array, as isfinite makes
        if not (np.isfinite(least) and np.isfinite(most)):
            raise InvalidInput(f"{what} features hold NaN or infinite values; look at the images they come from.")
        if max(-least, most) > LARGEST:
            raise InvalidInput(f"{what} features exceed {LARGEST:g}; their powers overflow. Scale both sets down.")
    return array


def check_pair(real: Any, fake: Any, fewest: int = 1, why: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features, each as ``check_features`` wants it, of one number of dimensions."""
    real, fake = check_features(real, "real", fewest, why), check_features(fake, "fake", fewest, why)
    if real.shape[1] != fake.shape[1]:
        raise InvalidInput(
            f"real features have {real.shape[1]} dimensions, fake ones {fake.shape[1]}; use one feature space."
        )
    return real, fake


def check_count(name: str, value: Any, least: int, what: str) -> int:
    """``value`` as an int if it is one of at least ``least``, else an ``InvalidInput``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidInput(f"{name}={value!r} {what}; give an integer of at least {least}.")
    return int(value)


def rows_a_block(dimensions: int) -> int:
    """How many rows of ``dimensions`` float64 fit ``BLOCK_BYTES``; at least 64, or a product would crawl."""
    return max(64, BLOCK_BYTES // (8 * dimensions))


def lots(seed: int, stream: int = 0) -> np.random.Generator:
    """The draws of a seed: NumPy's Philox, keyed by it, so the same on every machine. Streams do not overlap."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InvalidInput(f"seed={seed!r}; give an integer of at least 0.")
    return np.random.Generator(np.random.Philox(key=int(seed)).jumped(stream))


def order_by_content(features: np.ndarray) -> np.ndarray:
    """Rows in an order that depends on what they hold, not on where they stand: int64 ``[n]``.

    Lots drawn by position after this order make a metric a function of the set. Rows are sorted by the BLAKE2b of their
    values in float64, so one set has one order in float32 and in float64; equal rows may swap, which changes nothing.
    """
    rows = rows_a_block(features.shape[1])
    digests = []
    for start in range(0, len(features), rows):
        # Adding 0 turns -0 into 0: they are equal, so they must hash alike.
        block = features[start : start + rows].astype("<f8") + 0.0
        digests += [hashlib.blake2b(row, digest_size=16).digest() for row in block]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), np.int64)
