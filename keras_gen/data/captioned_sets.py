"""Images with sentences through tensorflow-datasets, where they lie prepared: nobody offers them for download.

``anime_faces_64_subset`` (2,500 drawn faces, 250 of them for validation, and 250 for the test): the tags are the captions, labels
are the colours of hair, or with ``?label=eyes`` of eyes. ``flickr8k_64`` (Hodosh et al. 2013): 5,997 photographs, and 1,000 each
for validation and test, five captions each. Pictures of both belong to others, and stay there (``redistributable``).
"""

import dataclasses

import numpy as np

from keras_gen.core.captions import LENGTH, characters
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.options import only_options
from keras_gen.data.tensorflow_datasets import whole_split

SPEC = ImageSpec(64, 64, 3)
TAGS = 96  # characters: the longest tags have fewer, and convolutions need some


def load_anime_faces(argument: str, split: str, download: bool = False) -> ImageData:
    """``caption`` uint8 ``[n, 96]``: the tags, as ``"aqua hair blue eyes"``; ``label``: the colour of hair, or of eyes."""
    name, slices = "anime_faces_64_subset", {"train": "train[:-250]", "validation": "train[-250:]", "test": "test"}
    before, options = only_options(name, argument, {"label": "hair"}, "label=hair or eyes")
    label = options["label"]
    if before or label not in ("hair", "eyes"):
        raise InvalidInput(f"{name} got {argument!r}; known is ?label=hair or ?label=eyes.")
    whole, info = whole_split(name, slices[split], download)
    features = {
        "image": whole["image"].astype(np.uint8),
        "caption": characters([text.decode() for text in whole["tags"]], TAGS),
        "label": whole[label].astype(np.int64),
    }
    told = name if label == "hair" else f"{name}?label={label}"
    return ImageData(told, split, SPEC, features, tuple(info.features[label].names), redistributable=False)


def load_flickr8k(argument: str, split: str, download: bool = False) -> ImageData:
    """``captions`` uint8 ``[n, 5, 201]``, longer ones cut; ``caption`` is one of the five."""
    if argument:
        raise InvalidInput(f"Data set 'flickr8k_64' takes no {argument!r}; give 'flickr8k_64' alone.")
    whole, _ = whole_split("flickr8k_64", split, download)
    texts = whole["captions"]
    texts = texts.to_list() if hasattr(texts, "to_list") else texts.tolist()
    images = whole["image"].astype(np.uint8)
    made = with_captions("flickr8k_64", split, images, [[text.decode() for text in row] for row in texts])
    return dataclasses.replace(made, redistributable=False)


def with_captions(name: str, split: str, images: np.ndarray, texts: list[list[str]]) -> ImageData:
    """Images and their sentences, of each the same number or fewer; where there are fewer they come up again."""
    most = max(map(len, texts))
    rows = characters([row[place % len(row)] for row in texts for place in range(most)], LENGTH)
    captions = rows.reshape(len(texts), most, LENGTH)
    turns = np.arange(len(texts))
    features = {"image": images, "caption": captions[turns, turns % most], "captions": captions}
    return ImageData(name, split, ImageSpec.of(images), features)
