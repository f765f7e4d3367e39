"""Scene graphs of drawn scenes: objects called by size, colour and shape, boxes and masks of what is seen of them."""

from collections.abc import Sequence

import numpy as np

from keras_gen.core.graphs import Graph
from keras_gen.data.graph_making import box_of, centre_of, graphs_of, mask_in_box, relations_by_boxes
from keras_gen.data.relations import RELATIONS
from keras_gen.data.scenes import ALL_PAIRS, SIZES, Scene, Thing

NAMES = tuple(f"{size} {colour} {shape}" for size in SIZES for colour, shape in ALL_PAIRS)
SIDE = 64  # pixels that all of it is measured at, whatever side the pictures have


def name_of(thing: Thing) -> str:
    """What a graph calls it: ``"small red circle"``."""
    return f"{thing.size} {thing.colour} {thing.shape}"


def graph_kind(most_objects: int) -> Graph:
    """Of scenes of so many things at most: each is in one relation of its own, and in others'."""
    return Graph(NAMES, RELATIONS, most_objects, most_objects)


def truth_of(
    scene: Scene, generator: np.random.Generator
) -> tuple[list[str], list[list[list]], np.ndarray, np.ndarray]:
    """Names of a scene's things, relations of several graphs, boxes ``[n, 4]`` of what the things take, and masks ``[n, 16, 16]``
    of what is seen of them, in these.
    """
    whole, seen = scene.whole_and_seen(SIDE)
    boxes = np.array([box_of(mask) for mask in whole])
    centres = np.array([centre_of(mask) for mask in seen])
    relations = graphs_of(len(scene.things), relations_by_boxes(boxes.tolist(), centres.tolist()), generator)
    masks = np.array([mask_in_box(mask, of) for mask, of in zip(seen, whole, strict=True)])
    return [name_of(thing) for thing in scene.things], relations, boxes, masks


def truths_of(scenes: Sequence[Scene], generators: Sequence[np.random.Generator]) -> tuple[list, list, list, list]:
    """``truth_of`` of many, a list each."""
    found = [truth_of(scene, generator) for scene, generator in zip(scenes, generators, strict=True)]
    return tuple(map(list, zip(*found, strict=True)))
