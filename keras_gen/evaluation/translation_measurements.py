"""The metrics of models that answer images with images: how far from the truth, and what answers without learning score.

The forward direction makes images of sources; lines that begin with ``ba_`` are of the way back.
"""

import time
from collections.abc import Callable

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.evaluation.measurement import MEASUREMENTS, Lines, line, measurement
from keras_gen.evaluation.subject import Subject
from keras_gen.evaluation.translation import copied, goes_back, of_nearest_sources, source_of, told_apart
from keras_gen.metrics.estimate import mean_with_error, spelled
from keras_gen.metrics.image_quality import l1, psnr, ssim, too_small_for_ssim

NEAREST = (
    1_000  # test sources whose nearest training source is looked for: each is compared with the whole training set
)
QUALITIES: dict[str, tuple[Callable, str]] = {"l1": (l1, "fraction"), "psnr": (psnr, "dB"), "ssim": (ssim, "score")}
BACK = ("translation", "translated_accuracy", "fid", "kid")  # what is measured of the way back too


def _no_source(subject: Subject) -> str | None:
    return None if source_of(subject.model) else "the model makes no images of other images."


def _no_truth(subject: Subject) -> str | None:
    return _no_source(subject) or told_apart(subject.test)


@measurement("translation", missing=_no_truth)
def _translation(subject: Subject) -> Lines:
    """L1, PSNR and SSIM (Wang et al. 2004) of the model's answers to test sources, and of three that take no learning.

    ``copy`` is the source itself (``bicubic`` where it must be enlarged for that), ``nearest`` the image of the nearest
    training source.
    """
    test, rows = subject.test, subject.source_rows
    lines = _qualities(subject, "", lambda: subject.fakes, rows)
    if answer := copied(test.features["source"][rows], test.source_spec, test.image_spec):
        lines += _qualities(subject, f"_{answer[0]}", lambda: answer[1], rows)
    if subject.train.paired:
        some = rows[:NEAREST]
        lines += _qualities(
            subject, "_nearest", lambda: of_nearest_sources(test.features["source"][some], subject.train), some
        )
    return lines


def _qualities(subject: Subject, answers: str, images: Callable[[], np.ndarray], rows: np.ndarray) -> Lines:
    test, lines = subject.test, []
    for name, (metric, unit) in QUALITIES.items():
        if metric is ssim and too_small_for_ssim(test.image_spec):
            continue
        began = time.perf_counter()
        values = mean_with_error(metric(images(), test.images[rows], test.image_spec))
        lines.append(line(f"{name}{answers}_{spelled(len(rows))}_{test.split}", values, unit, test.split, began))
    return lines


def _no_labels(subject: Subject) -> str | None:
    if (reason := _no_truth(subject)) is not None:
        return reason
    if "label" not in subject.test.features:
        return f"the images of {subject.test.name} have no labels."
    return (
        None if subject.space.classifies else f"{subject.space.label} gives no class probabilities; name a classifier."
    )


@measurement("translated_accuracy", missing=_no_labels)
def _translated_accuracy(subject: Subject) -> Lines:
    """How many answers a classifier puts into their image's class, and of the sources as they are; beside it of the images."""
    began, test, rows = time.perf_counter(), subject.test, subject.source_rows
    labels, tail = test.features["label"][rows], f"{spelled(len(rows))}_{test.split}_{subject.space.label}"

    def right(probabilities: np.ndarray) -> np.ndarray:
        if labels.max() >= probabilities.shape[1]:
            raise InvalidInput(
                f"{subject.space.label} tells {probabilities.shape[1]} classes apart, {test.name} has label {labels.max()}; "
                "choose the features of a classifier of these images."
            )
        return probabilities.argmax(axis=1) == labels

    ceiling = right(subject.space.read(test.images[rows], test.image_spec).probabilities).mean()
    found = mean_with_error(right(subject.fake_read.probabilities))
    name, told = "accuracy_translated", {"real_images_score": float(ceiling)}
    lines = [line(f"{name}_{tail}", found, "fraction", test.split, began, **told)]
    if answer := copied(test.features["source"][rows], test.source_spec, test.image_spec):
        began = time.perf_counter()
        found = mean_with_error(right(subject.space.read(answer[1], test.image_spec).probabilities))
        lines.append(line(f"{name}_{answer[0]}_{tail}", found, "fraction", test.split, began, **told))
    return lines


def _one_way(subject: Subject) -> str | None:
    return None if goes_back(subject.model) else "the model does not go back from images to sources."


@measurement("cycle", missing=_one_way)
def _cycle(subject: Subject) -> Lines:
    """L1 between what went in and what there and back makes of it (Zhu et al. 2017, equation 2): ``aba`` and ``bab``."""
    lines = []
    for name, way, back in (("aba", subject, subject.backwards), ("bab", subject.backwards, subject)):
        began = time.perf_counter()
        sources = way.test.features["source"][way.source_rows]
        returned = back.model.sample(len(sources), seed=subject.seed, source=way.fakes)
        error = mean_with_error(l1(returned, sources, way.test.source_spec))
        tail = f"{spelled(len(sources))}_{way.test.split}"
        lines.append(line(f"cycle_l1_{name}_{tail}", error, "fraction", way.test.split, began))
    return lines


@measurement("backwards", missing=_one_way)
def _backwards(subject: Subject) -> Lines:
    """The other metrics, of the way back."""
    lines, back = [], subject.backwards
    for name in BACK:
        if MEASUREMENTS[name].missing(back) is None:
            lines += [{**each, "name": f"ba_{each['name']}"} for each in MEASUREMENTS[name].measure(back)]
    return lines
