"""The pictures of a model that answers images with images: input, output and truth, several drawings of one, the way back."""

import numpy as np
from PIL import Image

from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.pictures import image_grid, stacked
from keras_gen.evaluation.subject import Subject
from keras_gen.evaluation.translation import copied, goes_back, told_apart

COLUMNS, BLOCKS = 10, 3
DRAWINGS, DRAWN = 9, 5  # of one input, and of how many


def translation_pictures(subject: Subject) -> dict[str, tuple[Image.Image, str]]:
    """Name -> picture and what it shows."""
    known = told_apart(subject.test) is None
    rows = (
        "rows of three: source, the model's image, the right one" if known else "rows of two: source, the model's image"
    )
    drawn = {"translations": (_translations(subject), f"{subject.test.split} sources; {rows}")}
    if subject.model.noise_spec() and _as_images(subject, slice(1)) is not None:
        drawn["drawings"] = (
            _drawings(subject),
            f"left: {subject.test.split} sources; then {DRAWINGS} drawings of each",
        )
    if goes_back(subject.model):
        drawn["translations_ba"] = (_translations(subject.backwards), f"the way back; {rows}")
        drawn["cycles"] = (
            _cycles(subject),
            "rows of three: source, the model's image, the source that it makes of that",
        )
        there = "rows of three: image, the model's source, the image that it makes of that"
        drawn["cycles_ba"] = (_cycles(subject.backwards, subject), there)
    return drawn


def _translations(subject: Subject) -> Image.Image:
    test, rows, known = subject.test, subject.source_rows, told_apart(subject.test) is None
    blocks = []
    for start in range(0, min(len(rows), BLOCKS * COLUMNS), COLUMNS):
        some = rows[start : start + COLUMNS]
        sides = [
            (test.features["source"][some], test.source_spec),
            (subject.fakes[start : start + COLUMNS], test.image_spec),
        ]
        blocks.append(_rows([*sides, (test.images[some], test.image_spec)] if known else sides))
    return stacked(blocks)


def _drawings(subject: Subject) -> Image.Image:
    """A row a source: as it is, then the model's images of noise ``seed``."""
    model, test, lines = subject.model, subject.test, []
    for row in subject.source_rows[:DRAWN]:
        source = test.features["source"][row]
        drawings = model.sample(DRAWINGS, seed=subject.seed, source=source)
        lines.append(np.concatenate([_as_images(subject, slice(row, row + 1)), drawings]))
    return image_grid(np.concatenate(lines), test.image_spec, columns=1 + DRAWINGS)


def _cycles(way: Subject, back: Subject | None = None) -> Image.Image:
    back, rows = back or way.backwards, way.source_rows[:COLUMNS]
    images = way.fakes[: len(rows)]
    returned = back.model.sample(len(images), seed=way.seed, source=images)
    spec, sources = way.test.source_spec, way.test.features["source"][rows]
    return _rows([(sources, spec), (images, way.test.image_spec), (returned, spec)])


def _as_images(subject: Subject, rows: slice) -> np.ndarray | None:
    test = subject.test
    found = copied(test.features["source"][rows], test.source_spec, test.image_spec)
    return None if found is None else found[1]


def _rows(sides: list[tuple[np.ndarray, ImageSpec]]) -> Image.Image:
    """One below the other without a gap between them."""
    return stacked([image_grid(images, spec, columns=len(images)) for images, spec in sides], gap=0)
