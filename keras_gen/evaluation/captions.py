"""Models that are given sentences: the way from one sentence to another, and the rows of a test that samples are made of."""

from typing import Any

import numpy as np

from keras_gen.core.captions import Caption
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.evaluation.latent import at_least, linear

OTHERS = 99  # captions beside the right one, of R-precision (Xu et al. 2018, section 4)


def caption_of(model: Any) -> Caption | None:
    """How the model is told what to draw, if by a sentence."""
    kind = model.condition_spec().get("caption")
    return kind if isinstance(kind, Caption) and model.is_sampled() else None


def caption_rows(test: ImageData, count: int, seed: int) -> np.ndarray:
    """Rows of the test captions that ``count`` samples are made of, as ``Sampler.shown_conditions`` takes them."""
    return np.resize(test.random_rows(count, seed, "caption"), count)


def caption_walk(model: Any, first: Any, second: Any, steps: int = 8, seed: int = 0) -> np.ndarray:
    """Images on the way between the embeddings of two sentences (Reed et al. 2016, figure 8): uint8 ``[n, steps, h, w, c]``.

    Args:
        model: a ``TextToImageGAN``.
        first, second: a sentence each, or n (or rows of characters): a walk each. The noise of a walk stays one draw of the seed.
        steps: images a walk, ends included.
    """
    if not hasattr(model, "images_of_embeddings"):
        raise InvalidInput(f"{type(model).__name__} draws nothing between two sentences; give a TextToImageGAN.")
    steps = at_least("steps", steps, 2)
    ends = [model.embed_captions(each) for each in (first, second)]
    if len(ends[0]) != len(ends[1]):
        raise InvalidInput(
            f"There are {len(ends[0])} first sentences and {len(ends[1])} second ones; give as many of each."
        )
    between = linear(*ends, np.linspace(0.0, 1.0, steps)).astype(np.float32)  # [n, steps, features]
    z = np.repeat(draw(model.noise_spec(), len(between), seed)["z"], steps, axis=0)
    images = model.images_of_embeddings(z, between.reshape(-1, between.shape[-1]))
    return images.reshape(len(between), steps, *images.shape[1:])


def right_captions(
    images: np.ndarray, captions: np.ndarray, known: np.ndarray, embeddings: np.ndarray, seed: int
) -> tuple[np.ndarray, int]:
    """Which images score highest with their own caption among it and ``OTHERS`` others: booleans ``[n]``; and among how many.

    Args:
        images: embeddings ``[n, d]``.
        captions: which of the ``known`` is the own one, ``[n]``.
        known: rows of characters ``[k, length]``, no two alike. embeddings: of these, ``[k, d]``.
        seed: of the choice of the others.
    """
    others = min(OTHERS, len(known) - 1)
    generator, right = np.random.Generator(np.random.Philox(key=seed)), np.empty(len(images), bool)
    for row, own in enumerate(captions):
        chosen = generator.permutation(len(known) - 1)[:others]
        chosen += chosen >= own  # the own one is left out
        scores = embeddings[chosen] @ images[row]
        right[row] = embeddings[own] @ images[row] > scores.max(initial=-np.inf)
    return right, 1 + others
