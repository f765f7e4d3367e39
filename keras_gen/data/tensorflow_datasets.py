"""MNIST, binarized MNIST, Fashion-MNIST and CIFAR-10 through tensorflow-datasets, prepared beforehand or on request.

Where a data set has no validation split of its own, the last images of ``train`` serve: 5,000 of MNIST, Fashion-MNIST and
CIFAR-10. ``binarized_mnist`` has its own 50,000 / 10,000 / 10,000 (Larochelle and Murray 2011).

``tiny_imagenet_10_subset`` (10 of Tiny-ImageNet's classes: 500 images each, 50 of them for validation; its validation images are
the test) has no builder: it loads where it lies prepared, and its pictures, which belong to others, stay there
(``redistributable``).
"""

import functools
import os
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec

GREY = ImageSpec(28, 28, 1)
_HELD_OUT = {"train": "train[:-5000]", "validation": "train[-5000:]", "test": "test"}
_OWN = {split: split for split in _HELD_OUT}


def whole_split(name: str, part: str, download: bool) -> tuple[dict[str, np.ndarray], Any]:
    """A split (or a slice of one) of a prepared data set, as arrays by feature, and what tensorflow-datasets says of the set."""
    import tensorflow_datasets as tfds

    folder = os.environ.get("TFDS_DATA_DIR") or os.path.join("~", "tensorflow_datasets")
    try:
        builder = tfds.builder(name, data_dir=os.path.expanduser(folder))
    except tfds.core.registered.DatasetNotFoundError as error:
        raise InvalidInput(
            f"Data set {name!r} is not prepared in {folder}, and nobody offers it for download; set TFDS_DATA_DIR to a folder "
            "that has it."
        ) from error
    if not builder.is_prepared():
        if not download:
            raise InvalidInput(
                f"Data set {name!r} is not prepared in {folder}, and nothing is downloaded unless you say so. Allow it "
                "(--download on the command line, download=True in Python), or set TFDS_DATA_DIR to a folder that has it."
            )
        builder.download_and_prepare()
    # batch_size=-1 gives the split as whole arrays: the largest here, CIFAR-10, is 150 MB.
    whole = builder.as_dataset(split=part, batch_size=-1, shuffle_files=False)
    return tfds.as_numpy(whole), builder.info


def _load(
    name: str,
    spec: ImageSpec,
    slices: dict[str, str],
    split: str,
    download: bool = False,
    label: str = "label",
    redistributable: bool = True,
) -> ImageData:
    whole, info = whole_split(name, slices[split], download)
    features, names = {"image": whole["image"].astype(np.uint8)}, None
    if label in whole:
        features["label"] = whole[label].astype(np.int64)
        names = tuple(info.features[label].names)
    return ImageData(name, split, spec, features, names, redistributable=redistributable)


load_mnist = functools.partial(_load, "mnist", GREY, _HELD_OUT)
load_fashion_mnist = functools.partial(_load, "fashion_mnist", GREY, _HELD_OUT)
load_cifar10 = functools.partial(_load, "cifar10", ImageSpec(32, 32, 3), _HELD_OUT)
load_binarized_mnist = functools.partial(_load, "binarized_mnist", ImageSpec(28, 28, 1, levels=2), _OWN)
load_tiny_imagenet_10_subset = functools.partial(
    _load,
    "tiny_imagenet_10_subset",
    ImageSpec(64, 64, 3),
    {"train": "train[:-500]", "validation": "train[-500:]", "test": "validation"},
    redistributable=False,
)
