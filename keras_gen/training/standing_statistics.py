"""Batch normalization's statistics of many batches that are drawn as samples are."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.batch_normalization import BatchNormalization


def take_standing_statistics(network: keras.Model, batches: Iterable[Any]) -> None:
    """Brock et al. 2019, appendix C: moving means and variances become the means of those of ``batches``.

    Each batch passes through the network normalized by its own statistics, as in training, and nothing else of the network
    changes; the order of batches does not matter. Nothing changes where a batch fails.

    Args:
        network: with ``BatchNormalization`` of this project.
        batches: what it takes, one batch after the other, of equally many examples.
    """
    norms = [layer for layer in network._flatten_layers() if isinstance(layer, BatchNormalization)]
    if not norms:
        raise InvalidInput(
            f"{network.name!r} has no layer of keras_gen.layers.batch_normalization.BatchNormalization, so there are no "
            "statistics to take."
        )
    count = 0
    with _measured(norms):
        sums = [[np.zeros(v.shape) for v in (norm.moving_mean, norm.moving_variance)] for norm in norms]
        for batch in batches:
            network(batch, training=False)
            count += 1
            for norm, both in zip(norms, sums):
                for total, value in zip(both, norm.seen.pop()):
                    total += keras.ops.convert_to_numpy(value)
    if not count:
        raise InvalidInput("No batch was given; statistics want one at least.")
    for norm, (mean, variance) in zip(norms, sums):
        norm.moving_mean.assign(mean / count)
        norm.moving_variance.assign(variance / count)


@contextlib.contextmanager
def _measured(norms: list[BatchNormalization]) -> Iterator[None]:
    """Within, these layers normalize by the batch and note its statistics."""
    for norm in norms:
        norm.seen = []
    try:
        yield
    finally:
        for norm in norms:
            norm.seen = None
