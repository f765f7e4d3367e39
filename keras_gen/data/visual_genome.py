"""Visual Genome of the user's own: ``visual_genome:PATH[?size=64&least_objects=2000&least_relations=500]``, its files as handed
out.

Below PATH lie ``objects.json``, ``relationships.json``, ``image_data.json``, photographs in ``VG_100K/`` and ``VG_100K_2/``,
and, if there are any, ``object_alias.txt``, ``relationship_alias.txt`` and ``vg_splits.json`` (``{"train": [ids], "val": [...],
"test": [...]}``); without it, 80 / 10 / 10 % of the images by their ids. By Johnson et al. 2018, section 4: names that training
objects have 2,000 times at least and relations 500 times; images of 200 px at least, objects of 32 px; 3 to 30 objects and 1 to
30 relations, of which nine objects are kept, those in relations first.
"""

import collections
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Graph
from keras_gen.core.image_data import ImageData
from keras_gen.data.annotations import annotations_of, folder_of, squeezed
from keras_gen.data.graph_making import with_graphs
from keras_gen.data.options import only_options, positive

DEFAULTS = {"size": "64", "least_objects": "2000", "least_relations": "500"}
WANTED = "size=PIXELS (8 to 1024), least_objects=2000, least_relations=500"
SMALLEST_IMAGE, SMALLEST_OBJECT = 200, 32  # pixels
OBJECTS, RELATIONS = (3, 30), (1, 30)
MOST = 9  # objects of a graph


def load(argument: str, split: str, download: bool = False) -> ImageData:
    """One split, with ``graph``, ``boxes``, and ``masks`` that nobody knows. What does not fit is ``InvalidInput``, ids named."""
    path, given = only_options("visual_genome", argument, DEFAULTS, WANTED)
    folder = folder_of("visual_genome", path)
    numbers = {name: positive(value, 9999) for name, value in given.items()}
    if None in numbers.values() or not 8 <= numbers["size"] <= 1024:
        raise InvalidInput(f"visual_genome got {argument!r}; known are ?{WANTED}.")
    try:
        images = {each["image_id"]: each for each in annotations_of(folder / "image_data.json")}
        if strange := [i for i in images if type(i) is not int or i < 0]:
            raise InvalidInput(f"{folder / 'image_data.json'} has image {strange[0]!r:.40}; wanted integers from 0.")
        splits = _splits(folder, images)
        objects, relations = _found(folder, images)
        names = _frequent(
            (each["name"] for i in splits["train"] for each in objects.get(i, ())), numbers["least_objects"]
        )
        words = _frequent(
            (each[1] for i in splits["train"] for each in relations.get(i, ())), numbers["least_relations"]
        )
        if not names or not words:
            raise InvalidInput(
                f"{folder} has no objects, or no relations, that often; give smaller least_objects, least_relations."
            )
        graph, size = Graph(names, words, MOST, RELATIONS[1]), numbers["size"]
        scenes = [_scene(i, images[i], objects.get(i, []), relations.get(i, []), graph) for i in splits[split]]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidInput(f"{folder} is not in Visual Genome's format ({error!r}).") from error
    kept = [(i, scene) for i, scene in zip(splits[split], scenes, strict=True) if scene is not None]
    if not kept:
        raise InvalidInput(
            f"{folder} holds no image for split {split!r} with objects and relations that are frequent enough."
        )
    files = [(i, _file(folder, i), (images[i]["height"], images[i]["width"])) for i, _ in kept]
    changed = [f"{name}={value}" for name, value in given.items() if value != DEFAULTS[name]]
    told = f"visual_genome:{path}{'?' if changed else ''}{'&'.join(changed)}"
    columns = (list(column) for column in zip(*(scene for _, scene in kept), strict=True))
    return with_graphs(told, split, squeezed(files, size), graph, *columns)


def _splits(folder: Path, images: Mapping[int, Any]) -> dict[str, list[int]]:
    file, splits = folder / "vg_splits.json", {"train": [], "validation": [], "test": []}
    if file.is_file():
        given = annotations_of(file, ("train", "val", "test"))
        for split, key in zip(splits, ("train", "val", "test"), strict=True):
            if missing := [i for i in given[key] if i not in images]:
                raise InvalidInput(f"{file} has image {missing[0]!r}, which image_data.json does not have.")
            splits[split] = list(given[key])
        return splits
    for i in images:
        tenth = int(hashlib.sha256(str(i).encode()).hexdigest(), 16) % 10
        splits["train" if tenth < 8 else "validation" if tenth == 8 else "test"].append(i)
    return splits


def _found(folder: Path, images: Mapping[int, Any]) -> tuple[dict[int, list[dict]], dict[int, list[tuple]]]:
    """Of each image its objects (id, name, box in pixels) and relations (subject's id, name, object's id)."""
    aliases = [_aliases(folder / f"{what}_alias.txt") for what in ("object", "relationship")]
    objects, relations = {}, {}
    for each in annotations_of(folder / "objects.json"):
        i = each["image_id"]
        if i not in images:
            raise InvalidInput(f"{folder / 'objects.json'} has image {i!r}, which image_data.json does not have.")
        objects[i] = [
            {
                "id": own["object_id"],
                "name": _called(own["names"][0], aliases[0]),
                "box": [own[key] for key in ("x", "y", "w", "h")],
            }
            for own in each["objects"]
        ]
    for each in annotations_of(folder / "relationships.json"):
        relations[each["image_id"]] = [
            (own["subject"]["object_id"], _called(own["predicate"], aliases[1]), own["object"]["object_id"])
            for own in each["relationships"]
        ]
    return objects, relations


def _aliases(file: Path) -> dict[str, str]:
    """Each word of a line as the line's first."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    rows = [[word.strip().lower() for word in line.split(",")] for line in lines]
    return {word: row[0] for row in rows for word in row}


def _called(name: str, aliases: Mapping[str, str]) -> str:
    name = name.strip().lower()
    return aliases.get(name, name)


def _frequent(names: Any, least: int) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in collections.Counter(names).items() if count >= least and name))


def _scene(i: int, image: Mapping[str, Any], objects: list[dict], relations: list[tuple], graph: Graph) -> tuple | None:
    """Names, the relations of one graph, and boxes; None of an image that is left out."""
    width, height = image["width"], image["height"]
    names, words = set(graph.objects), set(graph.relations)
    large = {each["id"]: each for each in objects if each["name"] in names and min(each["box"][2:]) >= SMALLEST_OBJECT}
    triples = [each for each in relations if each[1] in words and {each[0], each[2]} <= set(large)]
    few = min(width, height) < SMALLEST_IMAGE or not OBJECTS[0] <= len(large) <= OBJECTS[1]
    if few or not RELATIONS[0] <= len(triples) <= RELATIONS[1]:
        return None
    generator = np.random.Generator(np.random.Philox(key=int(i)))
    related = {end for s, _, o in triples for end in (s, o)}
    order = [list(large)[place] for place in generator.permutation(len(large))]
    chosen = sorted(order, key=lambda number: number not in related)[:MOST]
    boxes = np.array([large[number]["box"] for number in chosen], np.float64)
    boxes[:, 2:] += boxes[:, :2]
    boxes /= [width, height, width, height]
    if (boxes[:, :2] >= 1).any() or boxes.min() < -0.01 or boxes.max() > 1.01:
        raise InvalidInput(f"Image {i} has a box outside of its {width}x{height} pixels.")
    places = {number: place for place, number in enumerate(chosen)}
    kept = [[places[s], name, places[o]] for s, name, o in triples if s in places and o in places]
    return [large[number]["name"] for number in chosen], [kept], np.clip(boxes, 0, 1)


def _file(folder: Path, i: int) -> Path:
    for part in ("VG_100K", "VG_100K_2"):
        if (file := folder / part / f"{i}.jpg").is_file():
            return file
    raise InvalidInput(f"Image {i} is neither in {folder / 'VG_100K'} nor in {folder / 'VG_100K_2'}; put it there.")
