"""Does the model draw or remember? Samples beside their nearest training images, and how near these are."""

import dataclasses
from typing import Any

import numpy as np

from keras_gen.metrics.precision_recall import nearest_neighbours

RESAMPLES = 1_000
# Times the distance of unseen images: below half, copying is what explains it best; within a tenth, nothing needs to be
# explained.
COPIED, ALIKE, FAR = 0.5, 0.9, 1.1


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """Medians of the distance to the nearest training image, of samples and of images never trained on.

    Distances are Euclidean, of pixels as fractions of the highest level or of features; ``ratio`` is samples' over test images'
    (None where the latter is 0), ``interval`` its 95 % bootstrap interval.
    """

    sample_distance: float
    test_distance: float
    ratio: float | None
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """What the ratio says, in one sentence."""
        if self.ratio is None:
            return "Nothing can be said: most test images are themselves among the training images."
        text = f"samples lie {self.ratio:.2f} times as far from their nearest training image as test images do"
        if self.ratio < COPIED:
            return f"Training images are probably being copied: {text}."
        if self.ratio < ALIKE:
            return f"Look at nearest.png: {text}, which copying explains, and so does blur or a lack of variety."
        if self.ratio > FAR:
            return f"No sign of memorisation, rather of samples unlike real images: {text}."
        return f"No sign of memorisation: {text}."


def nearest_training_images(
    images: Any, train: np.ndarray, levels: int, count: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """For uint8 ``images`` ``[n, h, w, c]``: distances to, and rows of, the nearest in ``train``, ``[n, count]`` each.

    Distances are Euclidean over all pixels as fractions of the highest level, so at most ``sqrt(h w c)``.
    """
    flat, references = (array.reshape(len(array), -1) for array in (images, train))
    distances, rows = nearest_neighbours(flat, references, count)
    return distances / (levels - 1), rows


def memorisation(samples: Any, train: Any, test: Any, scale: float = 1.0, seed: int = 0) -> Memorisation:
    """Compares samples with held-out ``test`` images by their way to ``train``: arrays ``[n, ...]``, pixels or features.

    A model that draws from the images' distribution gives a ratio of about 1; one that remembers, of about 0. Compare
    Goodfellow et al. 2014, figure 2, and Theis et al. 2016 on how little a nearest neighbour in pixels proves: a copy
    shifted by a few pixels escapes it, which features see better. Distances are divided by ``scale``.
    """
    train = np.asarray(train).reshape(len(train), -1)
    ours, theirs = (
        nearest_neighbours(np.asarray(images).reshape(len(images), -1), train, 1)[0][:, 0] / scale
        for images in (samples, test)
    )
    middle, reference = float(np.median(ours)), float(np.median(theirs))
    if reference == 0.0:
        return Memorisation(middle, reference, None, None)
    generator = np.random.Generator(np.random.Philox(key=seed))

    def resampled(values: np.ndarray) -> np.ndarray:
        return np.median(generator.choice(values, (RESAMPLES, len(values))), axis=1)

    ratios = resampled(ours) / np.maximum(resampled(theirs), 1e-12)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Memorisation(middle, reference, middle / reference, (float(low), float(high)))
