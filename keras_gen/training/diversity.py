"""Whether a generator still makes different images: the spread of its samples against that of real ones."""

import logging
from collections.abc import Mapping

import keras
import numpy as np

from keras_gen.core.errors import TrainingDiverged
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw

REAL_IMAGES, ROWS = 1_000, 64  # in all, and of those in float64 at once
# K images drawn over and over have a spread of sqrt(1 - 1/K): 0.71 for two, 0.95 for ten. Below 0.25 samples hold a sixteenth
# of the real images' variance: they are one image and its shades.
COLLAPSED = 0.25
# Until then a generator's images may be grey only because it has hardly moved.
WARMUP_STEPS = 500

log = logging.getLogger(__name__)


def spread(images: np.ndarray, conditions: Mapping[str, np.ndarray]) -> float | None:
    """Root mean square distance, in levels, of all pairs of images ``[n, h, w, c]`` that share their conditions ``[n, ...]``.

    None where no two do. Within a condition, since a class-conditional generator that ignores its noise still makes another
    image of each class.
    """
    flat, groups = images.reshape(len(images), -1), {}
    for row in range(len(flat)):
        groups.setdefault(tuple(values[row].tobytes() for values in conditions.values()), []).append(row)
    pairs = sum(len(rows) * (len(rows) - 1) / 2 for rows in groups.values())
    return float(np.sqrt(sum(_squared_distances(flat, rows) for rows in groups.values()) / pairs)) if pairs else None


def _squared_distances(flat: np.ndarray, rows: list[int]) -> float:
    """Their sum over all pairs: n times the sum of squares less the square of the sum, of integers without rounding."""
    total, squares = np.zeros(flat.shape[1]), 0.0
    for start in range(0, len(rows), ROWS):
        block = flat[rows[start : start + ROWS]].astype(np.float64)
        total += block.sum(axis=0)
        squares += np.square(block).sum()
    return max(0.0, len(rows) * squares - np.square(total).sum())


class Diversity(keras.callbacks.Callback):
    """Logs ``diversity`` after each epoch: the ``spread`` of images of always the same noise over that of real images.

    About 1 for a generator that is right, 0 for one that always makes one image. A single warning says when it is below 0.25:
    mode collapse. Pixels tell a loss of nearly all modes, not of some (digits of one class are at about 0.7 of all): that
    is what recall and coverage of a report measure.

    Args:
        real: what the model is trained on.
        count: samples.
        seed: of the noise, and of the real images' random subset.
        warmup_steps: of the model, before which nothing is warned of.
    """

    def __init__(self, real: ImageData, *, count: int = 64, seed: int = 0, warmup_steps: int = WARMUP_STEPS):
        super().__init__()
        self.real, self.count, self.seed, self.warmup_steps = real, count, seed, warmup_steps
        self.warned = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Measures the real images."""
        some = self.real.random_subset(REAL_IMAGES, self.seed)
        held = [name for name, kind in self.model.condition_spec().items() if kind.of_data]
        self.real_spread = spread(some.images, {name: some.features[name] for name in held})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Draws, measures, and warns once."""
        noise = draw(self.model.noise_spec(), self.count, self.seed)
        conditions = self.model.shown_conditions(self.count, self.seed, self.real)
        try:
            found = spread(self.model.images_of(noise, conditions), conditions)
        except TrainingDiverged:  # whoever watches the loss or draws the grid of samples says it
            return
        if found is None or not self.real_spread or logs is None:
            return
        logs["diversity"] = diversity = found / self.real_spread
        if diversity < COLLAPSED and not self.warned and self.model.steps_made() >= self.warmup_steps:
            self.warned = True
            log.warning(
                "Mode collapse: after epoch %d the generator's images are %.2f times as far apart as real ones (below %.2f). "
                "Try another seed, a lower learning rate, or an objective with a penalty (objective='wasserstein', "
                "penalty='gradient'); an earlier checkpoint may be sound.",
                *(epoch + 1, diversity, COLLAPSED),
            )
