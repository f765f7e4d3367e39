"""The metrics of models that are told what to draw by a sentence, and of text encoders.

Each line that looks at single images has, where the test says so, one for the captions of pairs that no training showed
(``_held_out``) and one for the others (``_seen``).
"""

import time
from collections.abc import Iterator

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.evaluation.captions import caption_of, caption_rows, right_captions
from keras_gen.evaluation.measurement import Lines, line, measurement
from keras_gen.evaluation.subject import Subject
from keras_gen.metrics.estimate import mean_with_error, spelled
from keras_gen.training.diversity import spread

FIXED, DRAWINGS = 25, 8  # captions, and drawings of each, for the diversity


def _no_caption(subject: Subject) -> str | None:
    return None if caption_of(subject.model) else "the model is given no sentence."


def _parts(subject: Subject, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The end of a line's name, and which of the rows it is of."""
    yield "", np.ones(len(rows), bool)
    if "held_out" in subject.test.features:
        held = subject.test.features["held_out"][rows].astype(bool)
        if held.any() and not held.all():
            yield "_seen", ~held
            yield "_held_out", held


def _shares(
    subject: Subject, name: str, tail: str, rows: np.ndarray, fake: np.ndarray, real: np.ndarray | None, began: float
) -> Lines:
    """Lines of the share of samples that are right, beside them the real images'."""
    lines, split = [], subject.test.split
    for part, chosen in _parts(subject, rows):
        best = None if real is None else float(real[chosen].mean())
        told = f"{name}{part}_{spelled(int(chosen.sum()))}_{split}{tail}"
        lines.append(line(told, mean_with_error(fake[chosen]), "fraction", split, began, real_images_score=best))
    return lines


# --- what a classifier sees ------------------------------------------------------------------------------------------------


def _no_labels(subject: Subject) -> str | None:
    if (reason := _no_caption(subject)) is not None:
        return reason
    if subject.test.label_names is None or "label" not in subject.test.features:
        return f"the images of {subject.test.name} have no labels."
    if not subject.space.classifies:
        return f"{subject.space.label} gives no class probabilities; name a classifier of the labels as features."
    return None


@measurement("caption_accuracy", missing=_no_labels)
def _caption_accuracy(subject: Subject) -> Lines:
    """How many samples a classifier puts into the class of the image whose caption they were made of; of classes named by
    several words (colour and shape, say), also how many have each word right.
    """
    began, test = time.perf_counter(), subject.test
    rows, names = caption_rows(test, subject.samples, subject.seed), test.label_names
    labels, tail = test.features["label"][rows], f"_{subject.space.label}"
    sides = [subject.fake_read.probabilities, subject.space.read(test.images[rows], test.image_spec).probabilities]
    if sides[0].shape[1] != len(names):
        raise InvalidInput(
            f"{subject.space.label} tells {sides[0].shape[1]} classes apart, {test.name} has {len(names)}; choose the features "
            "of a classifier of these labels."
        )
    found = [probabilities.argmax(axis=1) for probabilities in sides]
    lines = _shares(subject, "caption_accuracy", tail, rows, *(each == labels for each in found), began)
    words = [name.split() for name in names]
    if (count := len(words[0])) > 1 and all(len(each) == count for each in words):
        table = np.array(words)
        for place in range(count):
            began, column = time.perf_counter(), table[:, place]
            right = (column[each] == column[labels] for each in found)
            lines += _shares(subject, f"caption_accuracy_word{place + 1}", tail, rows, *right, began)
    return lines


# --- what the text encoder sees -----------------------------------------------------------------------------------------------


def _no_judge(subject: Subject) -> str | None:
    if getattr(subject.model, "image_encoder", None) is None or _no_caption(subject):
        return "the model has no image_encoder, which embeds images where captions lie."
    return None


def _known(test_captions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All different captions, and which of these each row is."""
    known, own = np.unique(test_captions, axis=0, return_inverse=True)
    return known, own.reshape(-1)


@measurement("r_precision", missing=_no_judge)
def _r_precision(subject: Subject) -> Lines:
    """Xu et al. 2018: how often a sample's own caption scores highest among it and 99 others, by the model's own text encoder."""
    began, model, test = time.perf_counter(), subject.model, subject.test
    rows = caption_rows(test, subject.samples, subject.seed)
    known, own = _known(test.features["caption"])
    embeddings = model.embed_captions(known)
    right = []
    for images in (subject.fakes, test.images[rows]):
        read = model.image_encoder.predict(model.image_spec.to_unit(images), batch_size=250, verbose=0)
        found, among = right_captions(read, own[rows], known, embeddings, subject.seed)
        right.append(found)
    return _shares(subject, f"r_precision_1of{among}", "", rows, *right, began)


def _no_encoder(subject: Subject) -> str | None:
    return None if hasattr(subject.model, "embed_images") else "the model is no text encoder."


@measurement("text_retrieval", missing=_no_encoder)
def _text_retrieval(subject: Subject) -> Lines:
    """Of a text encoder: how often a test image's own caption scores highest among it and 99 others, no two of them alike."""
    began, model, test = time.perf_counter(), subject.model, subject.test
    known, own = _known(test.features["caption"])
    images, embeddings = model.embed_images(test.images), model.embed_captions(known)
    right, among = right_captions(images, own, known, embeddings, subject.seed)
    return _shares(subject, f"caption_retrieval_1of{among}", "", np.arange(len(test)), right, None, began)


# --- what one caption leaves open ---------------------------------------------------------------------------------------------


@measurement("caption_diversity", missing=_no_caption)
def _caption_diversity(subject: Subject) -> Lines:
    """How far samples of one caption lie apart, over how far all real images do; beside it the real images of one label."""
    began, test = time.perf_counter(), subject.test
    captions = test.features["caption"][caption_rows(test, FIXED, subject.seed)]
    captions = np.repeat(captions, DRAWINGS, axis=0)
    images = subject.model.sample(len(captions), seed=subject.seed, caption=captions)
    whole = spread(subject.reals, {})
    if not whole:
        return []
    ceiling = None
    if "label" in test.features:
        ceiling = spread(test.images, {"label": test.features["label"]})
    name = f"caption_diversity_{FIXED}x{DRAWINGS}_{test.split}"
    best = None if ceiling is None else ceiling / whole
    return [
        line(
            name,
            spread(images, {"caption": captions}) / whole,
            "ratio",
            test.split,
            began,
            len(images),
            real_images_score=best,
        )
    ]
