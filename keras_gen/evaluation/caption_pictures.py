"""The pictures of a model that is told what to draw by a sentence."""

import numpy as np
from PIL import Image

from keras_gen.core.captions import sentences_of
from keras_gen.core.pictures import image_grid
from keras_gen.evaluation.captions import caption_rows, caption_walk
from keras_gen.evaluation.subject import Subject

ROWS, COLUMNS = 8, 8


def caption_pictures(subject: Subject) -> dict[str, tuple[Image.Image, str]]:
    """Name -> picture and what it shows."""
    model, test = subject.model, subject.test
    captions = test.features["caption"][caption_rows(test, 2 * ROWS, subject.seed)]
    texts = sentences_of(captions)
    images = model.sample(ROWS * COLUMNS, seed=subject.seed, caption=np.repeat(captions[::2], COLUMNS, axis=0))
    drawn = {
        "captions": (
            image_grid(images, model.image_spec, columns=COLUMNS),
            f"a {test.split} caption a row, from above: {'; '.join(texts[::2])}",
        )
    }
    if hasattr(model, "images_of_embeddings"):
        walk = caption_walk(model, captions[::2], captions[1::2], COLUMNS, subject.seed)
        ways = "; ".join(f"{one} -> {other}" for one, other in zip(texts[::2], texts[1::2], strict=True))
        drawn["caption_walks"] = (
            image_grid(np.concatenate(walk), model.image_spec, columns=COLUMNS),
            f"a row each from one sentence to another, the noise of a row the same: {ways}",
        )
    return drawn
