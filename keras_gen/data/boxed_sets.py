"""Images with boxes through tensorflow-datasets, where they lie prepared; their scene graphs are made of where the boxes lie.

``coco_boxes_128_subset[?size=64]``: photographs of COCO 2017 (Lin et al. 2014) that show one to eight objects of more than a
fiftieth of the image: things alone, and no masks. The last 40 of the training photographs are for validation. They belong to
their photographers, and stay there (``redistributable``).
``nlvr_boxes_subset[?size=64]``: drawn scenes of NLVR (Suhr et al. 2017) of one to eight coloured shapes, as "small yellow
circle"; the last 200 are for validation.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Graph
from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.core.resizing import resized
from keras_gen.data.graph_making import graphs_of, relations_by_boxes, with_graphs
from keras_gen.data.options import only_options, positive
from keras_gen.data.relations import RELATIONS
from keras_gen.data.tensorflow_datasets import whole_split

MOST = 8
SMALLEST = 0.02  # of the image: smaller objects of photographs are left out (Johnson et al. 2018, section 4)
SIZES = {10: "small", 20: "medium", 30: "large"}  # pixels of NLVR's shapes in 100
SLICES = {
    "coco_boxes_128_subset": {"train": "train[:-40]", "validation": "train[-40:]", "test": "validation"},
    "nlvr_boxes_subset": {"train": "train[:-200]", "validation": "train[-200:]", "test": "test"},
}


def load_coco_boxes(argument: str, split: str, download: bool = False) -> ImageData:
    """Objects by COCO's 80 names; of more than eight the largest eight."""
    name = "coco_boxes_128_subset"
    size, whole, info = _whole(name, argument, split, download, 128)
    names = info.features["objects"].feature["label"].names
    found = []
    for boxes, labels, crowd in zip(*(whole["objects"][key] for key in ("bbox", "label", "is_crowd")), strict=True):
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        rows = np.flatnonzero((areas > SMALLEST) & ~crowd)
        rows = np.sort(rows[np.argsort(-areas[rows], kind="stable")][:MOST])
        found.append(([names[label] for label in labels[rows]], boxes[rows]))
    made = _with_graphs(name, size, 128, split, whole["image"], found, names)
    return dataclasses.replace(made, redistributable=False)


def load_nlvr_boxes(argument: str, split: str, download: bool = False) -> ImageData:
    """Objects by size, colour and shape."""
    name = "nlvr_boxes_subset"
    size, whole, info = _whole(name, argument, split, download, 100)
    kinds = info.features["objects"].feature
    colours, shapes = kinds["color"].names, kinds["label"].names
    names = [f"{each} {colour} {shape}" for each in SIZES.values() for colour in colours for shape in shapes]
    found = []
    for boxes, labels, colour, sizes in zip(
        *(whole["objects"][key] for key in ("bbox", "label", "color", "size")), strict=True
    ):
        rows = np.flatnonzero(boxes[:, 2] > boxes[:, 0])
        told = [f"{SIZES[int(sizes[row])]} {colours[colour[row]]} {shapes[labels[row]]}" for row in rows]
        found.append((told, boxes[rows]))
    return _with_graphs(name, size, 100, split, whole["image"], found, names)


def _whole(name: str, argument: str, split: str, download: bool, most: int) -> tuple[int, Mapping[str, Any], Any]:
    wanted = f"size=PIXELS (8 to {most})"
    before, options = only_options(name, argument, {"size": "64"}, wanted)
    size = positive(options["size"], most)
    if before or not size or size < 8:
        raise InvalidInput(f"{name} got {argument!r}; known is ?{wanted}.")
    whole, info = whole_split(name, SLICES[name][split], download)
    return size, whole, info


def _with_graphs(
    name: str,
    size: int,
    whole_size: int,
    split: str,
    images: np.ndarray,
    found: list[tuple[list[str], np.ndarray]],
    names: list[str],
) -> ImageData:
    """Of the images that have one to eight objects: names, and boxes ``(y0, x0, y1, x1)``."""
    kept = [row for row, (objects, _) in enumerate(found) if 1 <= len(objects) <= MOST]
    objects, boxes, relations = [], [], []
    for row in kept:
        own = np.clip(found[row][1][:, [1, 0, 3, 2]], 0, 1).astype(np.float32)
        generator = np.random.Generator(np.random.Philox(key=(SPLITS.index(split) << 32) + row))
        objects.append(found[row][0])
        boxes.append(own)
        relations.append(graphs_of(len(own), relations_by_boxes(own.tolist()), generator))
    pictures = images[kept]
    if size != whole_size:
        pictures = np.round(resized(pictures, (size, size), "area")).astype(np.uint8)
    told = name if size == 64 else f"{name}?size={size}"
    return with_graphs(told, split, pictures, Graph(names, RELATIONS, MOST, MOST), objects, relations, boxes)
