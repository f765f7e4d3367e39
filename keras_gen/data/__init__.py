"""Floor 1: data sets by name, one file per source."""

import re
from typing import TYPE_CHECKING

from keras_gen.core.errors import InvalidInput
from keras_gen.core.registry import Registry

if TYPE_CHECKING:
    from keras_gen.core.image_data import ImageData

SOURCES = Registry("data set")
SOURCES.register("digits", "keras_gen.data.digits:load")
SOURCES.register("drawn_shapes", "keras_gen.data.drawn_shapes:load")
for _name in (
    "mnist",
    "binarized_mnist",
    "fashion_mnist",
    "cifar10",
    "tiny_imagenet_10_subset",
):
    SOURCES.register(_name, f"keras_gen.data.tensorflow_datasets:load_{_name}")
# Those that take more than their name: ``NAME:ARGUMENT``, or options.
WITH_ARGUMENT = {
    "shapes": "keras_gen.data.shapes:load",
    "anime_faces_64_subset": "keras_gen.data.captioned_sets:load_anime_faces",
    "flickr8k_64": "keras_gen.data.captioned_sets:load_flickr8k",
    "coco_boxes_128_subset": "keras_gen.data.boxed_sets:load_coco_boxes",
    "nlvr_boxes_subset": "keras_gen.data.boxed_sets:load_nlvr_boxes",
    "coco": "keras_gen.data.coco:load",
    "visual_genome": "keras_gen.data.visual_genome:load",
    "captioned_folder": "keras_gen.data.captioned_folder:load",
    "pix2pix_maps_128_subset": "keras_gen.data.tensorflow_pairs:load_maps",
    "camvid_256": "keras_gen.data.tensorflow_pairs:load_camvid",
    "camvid_dusk_to_day": "keras_gen.data.tensorflow_pairs:load_dusk_to_day",
    "image_folder": "keras_gen.data.image_folder:load",
    "paired_folder": "keras_gen.data.side_folders:load_paired",
    "unpaired_folder": "keras_gen.data.side_folders:load_unpaired",
    "pad": "keras_gen.data.derived:pad",
    "colorize": "keras_gen.data.derived:colorize",
    "upscale": "keras_gen.data.derived:upscale",
    "inpaint": "keras_gen.data.derived:inpaint",
    "edges": "keras_gen.data.derived:edges_of",
    "reverse": "keras_gen.data.derived:reverse",
    "unpaired": "keras_gen.data.derived:unpaired",
    "unpaired_classes": "keras_gen.data.derived:unpaired_classes",
}
for _name, _target in WITH_ARGUMENT.items():
    SOURCES.register(_name, _target)


def load(name: str, split: str = "train", *, download: bool = False) -> "ImageData":
    """One split of a data set as an ``ImageData``.

    ``name`` is one of these; ``split`` is ``train``, ``validation`` or ``test``.

    ======================================================  ===============================================================
    ``digits``, ``drawn_shapes``                            come along
    ``mnist``, ``binarized_mnist``, ``fashion_mnist``,      through tensorflow-datasets
    ``cifar10``
    ``shapes[?side=32&objects=1-3&count=10000&...]``        drawn scenes with captions, and graphs: see ``shapes``
    ``tiny_imagenet_10_subset``                             where it lies prepared
    ``anime_faces_64_subset[?label=eyes]``,                 with captions, where they lie prepared
    ``flickr8k_64``
    ``coco_boxes_128_subset[?size=64]``,                    with scene graphs, where they lie prepared
    ``nlvr_boxes_subset[?size=64]``
    ``coco:PATH[?size=64&...]``,                            photographs and annotations of your own, as they are handed out:
    ``visual_genome:PATH[?size=64&...]``                    see ``coco``, ``visual_genome``
    ``captioned_folder:PATH[?size=64&...]``                 pictures and captions of your own: see ``captioned_folder``
    ``pix2pix_maps_128_subset[?size=64]``                   pairs, where they lie prepared: map to aerial photograph
    ``camvid_256[?size=128]``                               likewise: labels to photograph
    ``camvid_dusk_to_day[?size=128]``                       two sets that are not paired
    ``image_folder:PATH[?size=64&channels=3&...]``          pictures of your own: see ``image_folder.load``
    ``paired_folder:PATH``, ``unpaired_folder:PATH``        of two kinds: see ``side_folders``
    ``pad:NAME?size=32``                                    with level 0 around them
    ``colorize:NAME``, ``upscale:NAME[?factor=4]``,         pairs made of any set of images: see ``derived``
    ``inpaint:NAME``, ``edges:NAME``
    ``reverse:NAME``, ``unpaired:NAME``                     pairs the other way round; their sides shuffled apart
    ``unpaired_classes:NAME?source=CLASS&image=CLASS``      two classes of a labelled set
    ======================================================  ===============================================================

    Where the labels have names, ``label_names`` tells them. Nothing is downloaded unless ``download=True``. Unknown names,
    splits and data that is not prepared raise ``InvalidInput``.
    """
    from keras_gen.core.image_data import SPLITS

    if split not in SPLITS:
        raise InvalidInput(f"Unknown split {split!r}; give one of {', '.join(SPLITS)}.")
    if not isinstance(name, str):
        raise InvalidInput(f"Data set {name!r} is no name; give one of {', '.join(SOURCES)}.")
    # Of "a:b?c", "a?c", "a": what comes first is the source's name.
    source = re.split("[:?]", name, maxsplit=1)[0]
    argument = name[len(source) :].removeprefix(":")
    loader = SOURCES.get(source)
    if source in WITH_ARGUMENT:
        return loader(argument, split, download)
    if argument:
        raise InvalidInput(f"Data set {source!r} takes no '{name[len(source) :]}'; give {source!r} alone.")
    return loader(split, download=download)
