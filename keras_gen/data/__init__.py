"""Floor 1: data sets by name, one file per source."""

from typing import TYPE_CHECKING

from keras_gen.core.errors import InvalidInput
from keras_gen.core.registry import Registry

if TYPE_CHECKING:
    from keras_gen.core.image_data import ImageData

SOURCES = Registry("data set")
SOURCES.register("digits", "keras_gen.data.digits:load")
for _name in ("mnist", "binarized_mnist", "fashion_mnist", "cifar10", "anime_faces_64_subset"):
    SOURCES.register(_name, f"keras_gen.data.tensorflow_datasets:load_{_name}")
SOURCES.register("image_folder", "keras_gen.data.image_folder:load")


def load(name: str, split: str = "train", *, download: bool = False) -> "ImageData":
    """One split of a data set as an ``ImageData``.

    ``name`` is ``digits``, ``mnist``, ``binarized_mnist``, ``fashion_mnist``, ``cifar10``, ``anime_faces_64_subset`` or
    ``image_folder:PATH[?size=64&channels=3&ground=white&skip_unreadable=true]`` (see ``image_folder.load`` for the folder's
    layout); ``split`` is ``train``, ``validation`` or ``test``. Where the labels have names, ``label_names`` tells them.
    Nothing is downloaded unless ``download=True``. Unknown names, splits and data that is not prepared raise
    ``InvalidInput``.
    """
    from keras_gen.core.image_data import SPLITS

    if split not in SPLITS:
        raise InvalidInput(f"Unknown split {split!r}; give one of {', '.join(SPLITS)}.")
    if not isinstance(name, str):
        raise InvalidInput(f"Data set {name!r} is no name; give one of {', '.join(SOURCES)}.")
    source, _, argument = name.partition(":")
    loader = SOURCES.get(source)
    if source == "image_folder":
        return loader(argument, split)
    if argument:
        raise InvalidInput(f"Data set {source!r} takes no ':{argument}'; give {source!r} alone.")
    return loader(split, download=download)
