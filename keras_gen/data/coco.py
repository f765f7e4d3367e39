"""COCO of the user's own: ``coco:PATH[?size=64&objects=3-8&validation=1024]``, its files as they are handed out.

Below PATH lie ``annotations/instances_train2017.json`` and ``..._val2017.json``, ``stuff_train2017.json`` and
``..._val2017.json`` beside them if there are any (COCO-Stuff, Caesar et al. 2018: sky, grass ...), and the photographs in
``train2017/`` and ``val2017/``, or in ``images/`` these. By Johnson et al. 2018, section 4: objects of more than a fiftieth of
the image, "other" left out, images of 3 to 8 objects, and with stuff annotations those that have some. The first 1,024 images of
``val2017`` (half, where there are fewer than twice as many) are for validation, the others the test.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Graph
from keras_gen.core.image_data import ImageData
from keras_gen.data.annotations import annotations_of, folder_of, mask_of, squeezed
from keras_gen.data.graph_making import MASK_SIZE, centre_of, graphs_of, relations_by_boxes, with_graphs
from keras_gen.data.options import only_options, positive
from keras_gen.data.relations import RELATIONS

SMALLEST, OTHER = 0.02, "other"
DEFAULTS = {"size": "64", "objects": "3-8", "validation": "1024"}
WANTED = "size=PIXELS (8 to 1024), objects=3-8 (1 to 64), validation=1024 (images)"
KEYS = ("images", "annotations", "categories")


def load(argument: str, split: str, download: bool = False) -> ImageData:
    """One split, with ``graph``, ``graphs``, ``boxes`` and ``masks``. What does not fit is ``InvalidInput``, the image's id
    named.
    """
    path, given = only_options("coco", argument, DEFAULTS, WANTED)
    folder = folder_of("coco", path)
    size, held_out = positive(given["size"], 1024), positive(given["validation"], 9999)
    ends = [positive(word, 64) for word in given["objects"].split("-")]
    if not size or size < 8 or not held_out or len(ends) > 2 or None in ends or ends[0] > ends[-1]:
        raise InvalidInput(f"coco got {argument!r}; known are ?{WANTED}.")
    part = "train2017" if split == "train" else "val2017"
    names, images, objects = _annotations(folder, part)
    chosen = [number for number, own in objects.items() if ends[0] <= len(own) <= ends[-1]]
    if split != "train":
        border = min(held_out, len(chosen) // 2)
        chosen = chosen[:border] if split == "validation" else chosen[border:]
    if not chosen:
        raise InvalidInput(
            f"{folder} holds no image of {given['objects']} objects for split {split!r}; give objects=1-8."
        )
    truths = [_truth(number, images[number], objects[number], names) for number in chosen]
    files = [(number, _file(folder, part, number, images[number]), _size(images[number])) for number in chosen]
    graph = Graph(tuple(dict.fromkeys(names.values())), RELATIONS, ends[-1], ends[-1])
    told = "".join(f"{'&' if place else '?'}{n}={v}" for place, (n, v) in enumerate(_changed(given)))
    columns = (list(column) for column in zip(*truths, strict=True))
    return with_graphs(f"coco:{path}{told}", split, squeezed(files, size), graph, *columns)


def _changed(given: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in given.items() if value != DEFAULTS[name]]


def _annotations(folder: Path, part: str) -> tuple[dict[int, str], dict[int, dict], dict[int, list[dict]]]:
    """Names of the categories, images, and of each image its objects that are large enough, by id; images in the file's order."""
    instances = folder / "annotations" / f"instances_{part}.json"
    stuff = instances.with_name(f"stuff_{part}.json")
    parts = [annotations_of(file, KEYS) for file in (instances, stuff) if file is instances or file.is_file()]
    try:
        names = {each["id"]: each["name"] for found in parts for each in found["categories"]}
        images = {each["id"]: each for each in parts[0]["images"]}
        for number, each in images.items():
            if not all(type(value) is int and value > 0 for value in (*_size(each), number + 1)):
                raise InvalidInput(
                    f"{instances}: image {number!r} of {_size(each)!r} pixels; wanted counts, and an id from 0."
                )
        objects: dict[int, list[dict]] = {number: [] for number in images}
        with_stuff = set()
        for place, found in enumerate(parts):
            for each in found["annotations"]:
                number = each["image_id"]
                if number not in images:
                    raise InvalidInput(
                        f"{instances.parent}: an annotation is of image {number!r}, which {part} does not have."
                    )
                if each["category_id"] not in names:
                    shown = each["category_id"]
                    raise InvalidInput(f"{instances.parent}: image {number} shows category {shown!r}, which is none.")
                with_stuff |= {number} if place else set()
                height, width = _size(images[number])
                large = each["bbox"][2] * each["bbox"][3] > SMALLEST * height * width
                if large and names[each["category_id"]] != OTHER:
                    objects[number].append(each)
    except (KeyError, TypeError, IndexError) as error:
        raise InvalidInput(
            f"{instances.parent}: annotations of {part} are not in COCO's format ({error!r})."
        ) from error
    if len(parts) > 1:
        objects = {number: own for number, own in objects.items() if number in with_stuff}
    used = {number: name for number, name in sorted(names.items()) if name != OTHER}
    return used, images, objects


def _size(image: Mapping[str, Any]) -> tuple[int, int]:
    return image["height"], image["width"]


def _file(folder: Path, part: str, number: int, image: Mapping[str, Any]) -> Path:
    name = Path(str(image.get("file_name"))).name
    for place in (folder / part / name, folder / "images" / part / name):
        if place.is_file():
            return place
    raise InvalidInput(
        f"Image {number} ({name}) is neither in {folder / part} nor in {folder / 'images' / part}; put it there."
    )


def _truth(number: int, image: Mapping[str, Any], objects: list[dict], names: Mapping[int, str]) -> tuple:
    """Names, relations of several graphs, boxes and masks of an image's objects."""
    height, width = _size(image)
    boxes, masks, centres = [], [], []
    for each in objects:
        x, y, w, h = each["bbox"]
        box = np.array([x / width, y / height, (x + w) / width, (y + h) / height])
        if not (-1e-3 <= box.min() and box.max() <= 1 + 1e-3 and w > 0 and h > 0):
            raise InvalidInput(f"Image {number} has a box {each['bbox']!r} outside of its {width}x{height} pixels.")
        try:
            mask = mask_of(each["segmentation"], height, width)
        except (InvalidInput, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"Image {number}: {error}.") from error
        left, top = int(x), int(y)
        cut = mask[top : max(top + 1, round(y + h)), left : max(left + 1, round(x + w))]
        small = Image.fromarray(cut.astype(np.uint8) * 255).resize((MASK_SIZE, MASK_SIZE), Image.Resampling.BILINEAR)
        boxes.append(np.clip(box, 0, 1))
        masks.append((np.asarray(small) >= 128).astype(np.uint8))
        centres.append(centre_of(mask) if mask.any() else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    generator = np.random.Generator(np.random.Philox(key=int(number)))
    boxes = np.array(boxes)
    relations = graphs_of(len(objects), relations_by_boxes(boxes.tolist(), centres), generator)
    return [names[each["category_id"]] for each in objects], relations, boxes, np.array(masks)
