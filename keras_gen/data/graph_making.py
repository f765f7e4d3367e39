"""Scene graphs made of where objects lie, by sg2im's rule (Johnson et al. 2018, section 3.2), and what else a model is told of
them.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from keras_gen.core.graphs import Boxes, Graph, Masks, padded
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.relations import relation

GRAPHS = 5  # an image, of which training draws one each time
MASK_SIZE = 16

Relations = Callable[[int, int], str]  # how the object of the first number lies to that of the second


def graphs_of(count: int, relations: Relations, generator: np.random.Generator) -> list[list[list]]:
    """Relations of several graphs of ``count`` objects: of each object, in any order, one with another object, as subject or
    object.
    """
    return [_graph_of(count, relations, generator) for _ in range(GRAPHS)]


def _graph_of(count: int, relations: Relations, generator: np.random.Generator) -> list[list]:
    triples = []
    for one in range(count if count > 1 else 0):
        other = int(generator.integers(count - 1))
        other += other >= one
        s, o = (one, other) if generator.integers(2) else (other, one)
        triples.append([s, relations(s, o), o])
    return triples


def relations_by_boxes(boxes: Sequence[Sequence[float]], centres: Sequence[Sequence[float]] | None = None) -> Relations:
    """By boxes ``[n, 4]`` and centres of mass ``[n, 2]``; by the boxes' middles where there are none."""
    if centres is None:
        centres = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]
    return lambda s, o: relation(boxes[s], centres[s], boxes[o], centres[o])


def with_graphs(
    name: str,
    split: str,
    images: np.ndarray,
    graph: Graph,
    objects: Sequence[Sequence[str]],
    relations: Sequence[Sequence[list[list]]],
    boxes: Iterable[np.ndarray],
    masks: Iterable[np.ndarray] | None = None,
    more: dict[str, np.ndarray] | None = None,
    label_names: tuple[str, ...] | None = None,
) -> ImageData:
    """Images with graphs.

    Args:
        objects: names of each image's objects, ``graph.most_objects`` at most.
        relations: of each image those of several graphs, as many of each image, by place among its objects.
        boxes: of each image ``[objects, 4]``, fractions of it.
        masks: of each image ``[objects, 16, 16]`` of 0 and 1; None where nobody knows them.
        more: further features.
    """
    rows = [
        [graph.row(name, {"objects": list(names), "relations": triples}) for triples in several]
        for names, several in zip(objects, relations, strict=True)
    ]
    graphs, most = np.array(rows), graph.most_objects
    features = {
        "image": images,
        "graph": graphs[:, 0],
        "graphs": graphs,
        "boxes": padded(list(boxes), most, -1.0, "float32"),
        "masks": np.full((len(images), most, MASK_SIZE, MASK_SIZE), 2, np.uint8)
        if masks is None
        else padded(list(masks), most, 2, "uint8"),
        **(more or {}),
    }
    kinds = {"graph": graph, "boxes": Boxes(most), "masks": Masks(most, MASK_SIZE)}
    return ImageData(name, split, ImageSpec.of(images), features, label_names, kinds=kinds)


def mask_in_box(mask: np.ndarray, box: np.ndarray | None = None) -> np.ndarray:
    """What an object covers of its box: a mask of the picture, bool ``[h, w]``, cut to its own box, or that of another mask
    ``box``, and sampled to 16x16 of 0 and 1.
    """
    box = mask if box is None else box
    rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
    picked = [np.rint(np.linspace(ends[0], ends[-1], MASK_SIZE)).astype(int) for ends in (rows, columns)]
    return mask[np.ix_(*picked)].astype(np.uint8)


def box_of(mask: np.ndarray) -> np.ndarray:
    """``(x0, y0, x1, y1)`` of a mask of the picture ``[h, w]``, fractions of its sides: float32."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    ends = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return np.array(ends, np.float32)


def centre_of(mask: np.ndarray) -> tuple[float, float]:
    """The centre of mass of a mask of the picture, ``(x, y)``, fractions of its sides."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean() + 0.5) / mask.shape[1], float(rows.mean() + 0.5) / mask.shape[0]
