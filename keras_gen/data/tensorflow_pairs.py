"""Pairs of images through tensorflow-datasets, where they lie prepared: nobody offers these for download, and they stay there
(``redistributable``).

``pix2pix_maps_128_subset``: 500 of the aerial photographs and street maps of Isola et al. 2017, 100 of them for the test and
40 of the others for validation. ``camvid_256``: 701 frames of street videos with 12 classes painted in colours (Brostow et al.
2009, in SegNet's edition), its own splits; neighbouring frames are alike. ``camvid_dusk_to_day``: its photographs of the
evening, and those of the day, which belong to no others.
"""

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.resizing import resized
from keras_gen.data.options import only_options, positive
from keras_gen.data.tensorflow_datasets import whole_split

MAPS, CAMVID = 128, 256  # pixels
EVENING = "0001TP"
# Of a video's frames in a row the first eight tenths are trained on: frames that lie side by side are nearly one picture.
TENTHS = {"train": (0, 8), "validation": (8, 9), "test": (9, 10)}


def load_maps(argument: str, split: str, download: bool = False) -> ImageData:
    """The source is the map, the image the aerial photograph; ``reverse:pix2pix_maps_128_subset`` is the other way.

    ``size`` reduces both.
    """
    name = "pix2pix_maps_128_subset"
    size = _size(name, argument, MAPS)
    slices = {"train": "train[:-40]", "validation": "train[-40:]", "test": "validation"}
    whole, _ = whole_split(name, slices[split], download)
    features = {"image": _reduced(whole["aerial"], size, "area"), "source": _reduced(whole["map"], size, "area")}
    spec = ImageSpec(size, size, 3)
    return _kept_here(_named(name, size, MAPS), split, spec, features)


def load_camvid(argument: str, split: str, download: bool = False) -> ImageData:
    """The source are the painted classes, the image is the photograph; ``size`` reduces both, the classes without mixing them."""
    size = _size("camvid_256", argument)
    whole, _ = whole_split("camvid_256", split, download)
    features = {"image": _reduced(whole["photo"], size, "area"), "source": _reduced(whole["labels"], size, "nearest")}
    spec = ImageSpec(size, size, 3)
    return _kept_here(_named("camvid_256", size), split, spec, features)


def load_dusk_to_day(argument: str, split: str, download: bool = False) -> ImageData:
    """Sources are photographs of the evening (124 in all), images those of the day (577): two sets that are not paired."""
    size = _size("camvid_dusk_to_day", argument)
    parts = [whole_split("camvid_256", part, download) for part in SPLITS]
    names = parts[0][1].features["sequence"].names
    photos, videos, files = (
        np.concatenate([whole[key] for whole, _ in parts]) for key in ("photo", "sequence", "file_name")
    )
    first, last = TENTHS[split]
    sides: dict[str, list[np.ndarray]] = {"source": [], "image": []}
    for number, video in enumerate(names):
        rows = np.flatnonzero(videos == number)
        rows = rows[np.argsort(files[rows])]
        some = rows[first * len(rows) // 10 : last * len(rows) // 10]
        sides["source" if video == EVENING else "image"].append(some)
    features = {side: _reduced(photos[np.concatenate(rows)], size, "area") for side, rows in sides.items()}
    spec = ImageSpec(size, size, 3)
    return _kept_here(_named("camvid_dusk_to_day", size), split, spec, features, paired=False)


def _kept_here(
    name: str, split: str, spec: ImageSpec, features: dict[str, np.ndarray], paired: bool = True
) -> ImageData:
    return ImageData(name, split, spec, features, source_spec=spec, paired=paired, redistributable=False)


def _size(name: str, argument: str, whole: int = CAMVID) -> int:
    wanted = f"size=PIXELS (8 to {whole}, that {whole} is a multiple of)"
    before, options = only_options(name, argument, {"size": str(whole)}, wanted)
    size = positive(options["size"], whole)
    if before or not size or size < 8 or whole % size:
        raise InvalidInput(f"{name} got {argument!r}; known is ?{wanted}.")
    return size


def _named(name: str, size: int, whole: int = CAMVID) -> str:
    return name if size == whole else f"{name}?size={size}"


def _reduced(images: np.ndarray, size: int, how: str) -> np.ndarray:
    if images.shape[1] == size:
        return images
    return np.concatenate([np.round(resized(part, (size, size), how)).astype(np.uint8) for part in _blocks(images)])


def _blocks(images: np.ndarray, rows: int = 64) -> list[np.ndarray]:
    """Few at a time: as floats they take four times the room."""
    return [images[start : start + rows] for start in range(0, len(images), rows)]
