"""Scene graphs as an input: objects and relations by name at the border, and a fixed row of numbers everywhere within.

Beside a graph may be given where its objects lie (``Boxes``) and what of their boxes they cover (``Masks``).
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_gen.core.captions import nearest
from keras_gen.core.checks import sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import read_json
from keras_gen.core.inputs import Input, as_array, as_text

MOST_NAMES, LONGEST_NAME = 50_000, 200
FORM = '{"objects": ["red circle", ...], "relations": [[0, "left of", 1], ...]}'


@dataclass(frozen=True)
class Graph(Input):
    """A condition: one scene graph an example, as numbers int32 ``[most_objects + 3 most_relations]``.

    First the objects, each by its place among ``objects`` from 1, zeros behind the last; then the relations, three numbers each:
    the subject's place among the graph's objects, the relation's among ``relations``, the object's place, all from 1; zeros
    behind the last. A caller gives graphs of names, ``{"objects": ["sky", "sheep"], "relations": [[0, "above", 1]]}`` (which
    counts objects from 0), one or a list of them, or such rows.

    Args:
        objects: names of the objects there are.
        relations: names of the relations there are.
        most_objects, most_relations: of one graph.
    """

    objects: tuple[str, ...]
    relations: tuple[str, ...]
    most_objects: int
    most_relations: int
    kind: ClassVar[str] = "graph"
    dtype: ClassVar[str] = "int32"

    def __post_init__(self):
        for what in ("objects", "relations"):
            names = getattr(self, what)
            good = isinstance(names, (tuple, list)) and 1 <= len(names) <= MOST_NAMES
            good = good and all(isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME for name in names)
            if not good or len(set(names)) < len(names):
                raise InvalidInput(f"{what}={names!r:.80}; give a list of 1 to {MOST_NAMES:,} names, no two alike.")
            object.__setattr__(self, what, tuple(names))
        counts = sizes(most_objects=self.most_objects, most_relations=self.most_relations)
        for what, count in zip(("most_objects", "most_relations"), counts, strict=True):
            object.__setattr__(self, what, count)

    @classmethod
    def from_any(cls, graph: Any) -> "Graph":
        """A ``Graph``, or one of the dict that ``get_config`` gives."""
        if isinstance(graph, cls):
            return graph
        wanted = {"objects", "relations", "most_objects", "most_relations"}
        if not isinstance(graph, Mapping) or set(graph) != wanted:
            raise InvalidInput(
                f"graph={graph!r:.80}; give data.kinds['graph'], or a dict of {', '.join(sorted(wanted))}."
            )
        return cls(**graph)

    def get_config(self) -> dict[str, Any]:
        """What ``from_any`` takes."""
        counts = {"most_objects": self.most_objects, "most_relations": self.most_relations}
        return {"objects": list(self.objects), "relations": list(self.relations), **counts}

    @property
    def shape(self) -> tuple[int]:
        """``(most_objects + 3 most_relations,)``."""
        return (self.most_objects + 3 * self.most_relations,)

    @property
    def range(self) -> tuple[int, int]:
        """From 0 to the largest number that any of them can be."""
        return (0, max(len(self.objects), len(self.relations), self.most_objects))

    # --- borders ----------------------------------------------------------------------------------------------------

    def read(self, name: str, values: Any) -> Any:
        """Graphs of names as rows; what holds none as it is."""
        if isinstance(values, Mapping):
            return self.row(name, values)
        graphs = values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values
        if isinstance(graphs, (list, tuple)) and graphs and all(isinstance(graph, Mapping) for graph in graphs):
            return np.stack([self.row(f"{name} {place}", graph) for place, graph in enumerate(graphs)])
        return values

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """int32 ``[n, length]`` of a graph for all, of ``n`` graphs, or of rows.

        ``InvalidInput`` for an empty graph, too many objects or relations, a name that is not known, a relation of an object that
        is not there, or another number of graphs.
        """
        rows = as_array(name, self.read(name, values))
        if rows.dtype.kind in "iu" and rows.shape[1:] == self.shape and n is not None and len(rows) != n:
            raise InvalidInput(f"{name} holds {len(rows)} graphs for {n} images; give {n}, or one for all.")
        found = super().check(name, rows, n)
        if (wrong := _wrong(found, self)).any():
            raise InvalidInput(
                f"{name} {int(wrong.argmax())} is no graph: an object, then zeros behind the last; relations of these objects, "
                f"zeros behind the last. Give names: {FORM}."
            )
        return found

    def wanted(self, n: int | None) -> str:
        """What ``check`` takes, in words."""
        many = "graphs" if n is None else f"{n} graphs, or one for all"
        return f"{many}, as {FORM}, or their rows [{'n' if n is None else n}, {self.shape[0]}] as integers"

    def parse(self, name: str, text: str) -> Any:
        """The graph, or list of graphs, of a JSON file, or of JSON itself where the text begins with a bracket."""
        if text.lstrip()[:1] in ("{", "["):
            try:
                return json.loads(text)
            except (ValueError, RecursionError) as error:
                raise InvalidInput(f"{name}={text!r:.60} is no JSON ({error}); give a graph as {FORM}.") from error
        return read_json(text, f"write a graph into it as {FORM}")

    def receive(self, name: str, sent: Any) -> Any:
        """The graph, or list of graphs, of JSON itself; names and rows are what ``check`` takes."""
        if not isinstance(sent, (str, bytes)):
            return sent
        text = as_text(name, sent)
        if text.lstrip()[:1] not in ("{", "["):
            raise InvalidInput(f"{name} begins {text[:30]!r}; give a graph as {FORM}.")
        return self.parse(name, text)

    def row(self, name: str, graph: Mapping[str, Any]) -> np.ndarray:
        """The numbers of a graph of names: int32 ``[length]``."""
        if not set(graph) <= {"objects", "relations"}:
            raise InvalidInput(f"{name} holds {', '.join(map(str, graph))}; wanted objects and relations, as {FORM}.")
        objects, relations = graph.get("objects"), graph.get("relations", [])
        if not isinstance(objects, (list, tuple)) or not isinstance(relations, (list, tuple)):
            raise InvalidInput(f"{name} has no list of objects, or none of relations; give a graph as {FORM}.")
        if not objects:
            raise InvalidInput(f"{name} is empty; give one object at least, as {FORM}.")
        for what, given, most in (
            ("objects", objects, self.most_objects),
            ("relations", relations, self.most_relations),
        ):
            if len(given) > most:
                raise InvalidInput(f"{name} has {len(given)} {what}; this model takes {most}: leave some out.")
        row = np.zeros(self.shape, np.int32)
        row[: len(objects)] = [self._number(name, "object", each) for each in objects]
        for place, each in enumerate(relations):
            begin = self.most_objects + 3 * place
            row[begin : begin + 3] = self._triple(name, each, len(objects))
        return row

    def _triple(self, name: str, given: Any, count: int) -> tuple[int, int, int]:
        if not isinstance(given, (list, tuple)) or len(given) != 3:
            raise InvalidInput(
                f"{name} has the relation {given!r:.80}; give [subject, relation, object], as [0, 'above', 1]."
            )
        for place in (given[0], given[2]):
            if type(place) is not int or not 0 <= place < count:
                raise InvalidInput(
                    f"{name} has the relation {list(given)!r:.80}, but no object {place!r:.40}; its {count} objects are counted "
                    f"from 0 to {count - 1}."
                )
        return given[0] + 1, self._number(name, "relation", given[1]), given[2] + 1

    def _number(self, name: str, what: str, word: Any) -> int:
        known = self._numbers[what]
        if not isinstance(word, str) or word not in known:
            raise InvalidInput(
                f"{name} holds the {what} {word!r:.80}, which is not known; {nearest(str(word), known)}."
            )
        return known[word]

    @functools.cached_property
    def _numbers(self) -> dict[str, dict[str, int]]:
        sides = {"object": self.objects, "relation": self.relations}
        return {what: {name: number for number, name in enumerate(names, 1)} for what, names in sides.items()}

    def named(self, rows: np.ndarray) -> list[dict[str, list]]:
        """The graphs of names of rows ``[n, length]``."""
        graphs = []
        for row in np.asarray(rows).tolist():
            objects = [self.objects[number - 1] for number in row[: self.most_objects] if number]
            triples = [row[begin : begin + 3] for begin in range(self.most_objects, len(row), 3)]
            relations = [[s - 1, self.relations[p - 1], o - 1] for s, p, o in triples if p]
            graphs.append({"objects": objects, "relations": relations})
        return graphs

    # --- manifests --------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Its entry in a manifest: all names too, so that a program without this kind can take a graph."""
        return {**super().describe(), **self.get_config()}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Graph":
        """The kind that an entry describes."""
        return cls(entry["objects"], entry["relations"], entry["most_objects"], entry["most_relations"])

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Random objects and random relations of them: ``[n, length]``."""
        rows = np.zeros((n, *self.shape), np.int32)
        for row in rows:
            count, related = generator.integers(1, self.most_objects + 1), generator.integers(self.most_relations + 1)
            row[:count] = generator.integers(1, len(self.objects) + 1, count)
            triples = generator.integers(1, [count + 1, len(self.relations) + 1, count + 1], (related, 3))
            row[self.most_objects : self.most_objects + 3 * related] = triples.reshape(-1)
        return rows


def _wrong(rows: np.ndarray, kind: Graph) -> np.ndarray:
    """Which rows are no graphs: booleans ``[n]``."""
    objects, triples = rows[:, : kind.most_objects], rows[:, kind.most_objects :].reshape(len(rows), -1, 3)
    count, relations = (objects > 0).sum(axis=1), triples[..., 1]
    wrong = (objects[:, 0] == 0) | (objects > len(kind.objects)).any(axis=1)
    for numbers in (objects, relations):
        wrong |= ((numbers[:, 1:] > 0) & (numbers[:, :-1] == 0)).any(axis=1)
    wrong |= (relations > len(kind.relations)).any(axis=1)
    ends = triples[..., [0, 2]]
    good = np.where(relations[..., None] > 0, (ends > 0) & (ends <= count[:, None, None]), ends == 0)
    return wrong | ~good.all(axis=(1, 2))


@dataclass(frozen=True)
class Boxes(Input):
    """A condition beside a graph: the box of each of up to ``count`` objects, ``(x0, y0, x1, y1)`` float32 ``[count, 4]``.

    Fractions of the picture from its upper left corner. Four times -1, as where it is left out: the model places the object.
    """

    count: int
    kind: ClassVar[str] = "boxes"
    dtype: ClassVar[str] = "float32"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    default: ClassVar[float] = -1.0

    @property
    def shape(self) -> tuple[int, int]:
        """``(count, 4)``."""
        return (self.count, 4)

    def read(self, name: str, values: Any) -> Any:
        """Fewer boxes than ``count`` (lists of one graph's) are filled up with the model's own."""
        try:
            array = np.asarray(values, np.float32)
        except (ValueError, TypeError):
            return values
        if array.ndim not in (2, 3) or array.shape[-1] != 4 or array.shape[-2] >= self.count:
            return values
        missing = [(0, 0)] * (array.ndim - 2) + [(0, self.count - array.shape[-2]), (0, 0)]
        return np.pad(array, missing, constant_values=self.default)

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """float32 ``[n, count, 4]``; boxes of one graph serve all. A box outside the picture, or of no size, is refused."""
        boxes = super().check(name, self.read(name, values), n)
        own = (boxes == self.default).all(axis=-1)
        good = own | ((boxes >= 0).all(axis=-1) & (boxes[..., :2] < boxes[..., 2:]).all(axis=-1))
        if not good.all():
            row, place = np.argwhere(~good)[0]
            raise InvalidInput(
                f"{name} {row} has the box {boxes[row, place].tolist()} of object {place}; give x0, y0, x1, y1 in [0, 1], "
                "x0 < x1 and y0 < y1, or four times -1: the model's own."
            )
        return boxes

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Boxes":
        """The kind that an entry describes."""
        return cls(entry["shape"][1])

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Any boxes, of each second object or so: ``[n, count, 4]``."""
        ends = np.sort(generator.random((n, self.count, 2, 2), dtype=np.float32), axis=2)
        ends[:, :, 1] = np.minimum(ends[:, :, 1] + np.float32(0.05), 1)
        ends[:, :, 0] = np.minimum(ends[:, :, 0], np.float32(0.9))
        own = generator.integers(0, 2, (n, self.count, 1)).astype(bool)
        return np.where(own, np.float32(self.default), ends.reshape(n, self.count, 4))


@dataclass(frozen=True)
class Masks(Input):
    """A condition beside a graph: of each of up to ``count`` objects what it covers of its box, uint8 ``[count, side, side]``.

    0 or 1; 2, as where it is left out: the model's own mask.
    """

    count: int
    side: int
    kind: ClassVar[str] = "masks"
    dtype: ClassVar[str] = "uint8"
    range: ClassVar[tuple[int, int]] = (0, 2)
    default: ClassVar[int] = 2

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(count, side, side)``."""
        return (self.count, self.side, self.side)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Masks":
        """The kind that an entry describes."""
        return cls(*entry["shape"][1:3])

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """By a coin each, of each second object or so: ``[n, count, side, side]``."""
        coins = generator.integers(0, 2, (n, *self.shape), dtype=np.uint8)
        own = generator.integers(0, 2, (n, self.count, 1, 1)).astype(bool)
        return np.where(own, np.uint8(self.default), coins)


def padded(rows: Sequence[np.ndarray], count: int, value: float, dtype: str) -> np.ndarray:
    """Arrays of up to ``count`` rows each as one, ``[n, count, ...]``, filled up with ``value``."""
    made = np.full((len(rows), count, *np.shape(rows[0])[1:]), value, dtype)
    for whole, row in zip(made, rows, strict=True):
        whole[: len(row)] = row
    return made
