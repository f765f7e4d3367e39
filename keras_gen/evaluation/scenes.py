"""Models that are given scene graphs: rows of the test that samples are made of, and what is seen of a graph in a picture."""

from typing import Any

import numpy as np

from keras_gen.core.graphs import Graph
from keras_gen.core.image_data import ImageData
from keras_gen.data.relations import relation
from keras_gen.data.scene_graphs import NAMES
from keras_gen.metrics.scene_detector import coloured, shape_of, things_of


def graph_of(model: Any) -> Graph | None:
    """How the model is told what to draw, if by a graph."""
    kind = model.condition_spec().get("graph")
    return kind if isinstance(kind, Graph) and model.is_sampled() else None


def graph_rows(test: ImageData, count: int, seed: int) -> np.ndarray:
    """Rows of the test graphs that ``count`` samples are made of, as ``Sampler.shown_conditions`` takes them."""
    return np.resize(test.random_rows(count, seed, "graph"), count)


def is_drawn_scene(graph: Graph) -> bool:
    """Whether the graph's objects are those of drawn scenes, which ``metrics.scene_detector`` finds."""
    return set(graph.objects) <= set(NAMES)


def relations_by_boxes(graphs: list[dict[str, list]], boxes: np.ndarray) -> np.ndarray:
    """Which relations of all graphs hold between the boxes ``[n, most, 4]`` of their objects, by their middles: booleans."""
    right = []
    for graph, own in zip(graphs, boxes.tolist(), strict=True):
        middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in own]
        right += [name == relation(own[s], middles[s], own[o], middles[o]) for s, name, o in graph["relations"]]
    return np.array(right, bool)


class SeenScenes:
    """What the detector sees of graphs of drawn scenes in pictures of them: uint8 ``[n, h, w, 3]``.

    Things are found by colour, so those whose colour another thing of their graph has are not looked for.

    ``colours``, ``shapes``: of each thing that is looked for, whether its colour is there, and whether that and its shape.
    ``relations``: of each relation of two such things, whether both are there and lie so.
    """

    def __init__(self, graphs: list[dict[str, list]], images: np.ndarray):
        colours, shapes, relations = [], [], []
        for graph, picture in zip(graphs, coloured(images), strict=True):
            words = [name.split() for name in graph["objects"]]
            named = [colour for _, colour, _ in words]
            seen = things_of(picture)
            alone = [named.count(colour) == 1 for colour in named]
            for (_, colour, shape), is_alone in zip(words, alone, strict=True):
                if is_alone:
                    colours.append(colour in seen)
                    shapes.append(colour in seen and shape_of(seen[colour]) == shape)
            for s, name, o in graph["relations"]:
                if alone[s] and alone[o]:
                    masks = [seen.get(named[place]) for place in (s, o)]
                    relations.append(all(mask is not None for mask in masks) and _relation(*masks) == name)
        self.colours, self.shapes, self.relations = (np.array(each, bool) for each in (colours, shapes, relations))


def _relation(subject: np.ndarray, other: np.ndarray) -> str:
    ends = []
    for mask in (subject, other):
        rows, columns = np.nonzero(mask)
        ends += [(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), (columns.mean(), rows.mean())]
    return relation(*ends)
