"""Style encoders: how well they find an image's noise, whether another caption's image keeps its style, and a picture of it."""

import time

import numpy as np
from PIL import Image

from keras_gen.core.captions import sentences_of
from keras_gen.core.noise import draw
from keras_gen.core.pictures import image_grid
from keras_gen.evaluation.captions import caption_rows
from keras_gen.evaluation.measurement import Lines, line, measurement
from keras_gen.evaluation.subject import Subject
from keras_gen.metrics.estimate import mean_with_error, spelled

ROWS, COLUMNS = 8, 7


def transfers(model: object) -> bool:
    """Whether the model is a ``StyleEncoder``, or one that does as it does."""
    return hasattr(model, "transfer") and hasattr(model, "styles")


def _no_style(subject: Subject) -> str | None:
    return None if transfers(subject.model) else "the model is no style encoder."


def ground_of(images: np.ndarray) -> np.ndarray:
    """Means of the pixels along an image's four sides, float64 ``[n, c]``: the ground's colour, where objects lie inside."""
    edges = [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]]
    return np.concatenate(edges, axis=1).astype(np.float64).mean(axis=1)


def correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson's correlation of ``[n, c]`` values, channels together, each less its own mean; 0 where one side is constant."""
    left, right = left - left.mean(axis=0), right - right.mean(axis=0)
    size = np.sqrt((left**2).sum() * (right**2).sum())
    return float((left * right).sum() / size) if size else 0.0


@measurement("style", missing=_no_style)
def _style(subject: Subject) -> Lines:
    """How much of the noise of generated images is found again: 1 minus the mean squared error (a normal's variance is 1). And
    the correlation of the ground's colour between test images and their transfers to captions of other images; beside it that
    of generated images, whose noise is known, and images of other captions made of the same noise.
    """
    model, test, split = subject.model, subject.test, subject.test.split
    began = time.perf_counter()
    captions = test.features["caption"][caption_rows(test, subject.samples, subject.seed)]
    z = draw({"z": model.z}, len(captions), subject.seed)["z"]
    made = model.drawn(z, captions)
    explained = 1.0 - np.square(z - model.styles(made)).mean(axis=1)
    count = spelled(len(captions))
    lines = [line(f"style_explained_{count}_{split}", mean_with_error(explained), "fraction", split, began)]
    began, others = time.perf_counter(), np.roll(captions, 1, axis=0)
    rows = caption_rows(test, subject.samples, subject.seed)
    kept = correlation(ground_of(test.images[rows]), ground_of(model.transfer(test.images[rows], others)))
    best = correlation(ground_of(made), ground_of(model.drawn(z, others)))
    name = f"style_ground_correlation_{count}_{split}"
    return [*lines, line(name, kept, "correlation", split, began, len(rows), same_noise_score=best)]


def style_pictures(subject: Subject) -> dict[str, tuple[Image.Image, str]]:
    """Name -> picture and what it shows."""
    model, test = subject.model, subject.test
    captions = test.features["caption"][caption_rows(test, COLUMNS, subject.seed + 1)]
    images = test.images[test.random_rows(ROWS, subject.seed)]
    rows = [
        np.concatenate([image[None], model.transfer(np.repeat(image[None], COLUMNS, axis=0), captions)])
        for image in images
    ]
    told = "; ".join(sentences_of(captions))
    shows = f"left: {test.split} images; then, in the style of each, images of other captions, a column each: {told}"
    return {"transfers": (image_grid(np.concatenate(rows), model.image_spec, columns=COLUMNS + 1), shows)}
