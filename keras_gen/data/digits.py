"""Handwritten digits that come with scikit-learn: 1,797 images of 8x8, 17 levels, no download.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", the UCI test set.
"""

import numpy as np

from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec

SPEC = ImageSpec(8, 8, 1, levels=17)
# Which of every ten images in a row belongs to which split: the file is ordered by writer, so each split meets all of them.
RESIDUES = {"train": (0, 1, 2, 4, 5, 7, 8), "validation": (3,), "test": (6, 9)}


def load(split: str, download: bool = False) -> ImageData:
    """``train`` 1,258, ``validation`` 180, ``test`` 359 images with ``label`` 0 to 9; ``download`` has nothing to do."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.isin(np.arange(len(digits.target)) % 10, RESIDUES[split])
    images = digits.images[rows].astype(np.uint8)[..., None]
    features = {"image": images, "label": digits.target[rows].astype(np.int64)}
    return ImageData("digits", split, SPEC, features, tuple(map(str, digits.target_names)))
