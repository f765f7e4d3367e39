"""Scene graphs in networks (Johnson et al. 2018, section 3): rows of numbers to nodes and edges, and convolutions over these.

A graph is padded to fixed sizes and needs no masks: what names which node an edge begins and ends at is zero for edges that are
none, so nothing is gathered for them and nothing of them is summed.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import sizes


@keras.saving.register_keras_serializable("keras_gen")
class GraphNodes(layers.Layer):
    """Rows of ``core.graphs.Graph`` ``[b, length]`` as nodes and edges, with the published node of the whole image behind them.

    Every object has an edge ``in image`` to that node. Gives, with ``O`` objects and ``T`` relations at most,

        names      what each node is, one-hot ``[b, O + 1, objects + 2]``: 0 nothing, then the objects, the image
        edges      what each edge is, one-hot ``[b, T + O, relations + 2]``: 0 none, then the relations, ``in image``
        begins     which node each edge begins at, one-hot ``[b, T + O, O + 1]``; zeros of edges that are none
        ends       likewise which it ends at

    Args:
        objects, relations: how many names there are.
        most_objects, most_relations: O and T.
    """

    def __init__(self, objects: int, relations: int, most_objects: int, most_relations: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.objects, self.relations, self.most_objects, self.most_relations = sizes(
            objects=objects, relations=relations, most_objects=most_objects, most_relations=most_relations
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("objects", "relations", "most_objects", "most_relations")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def call(self, rows: Any) -> tuple[Any, Any, Any, Any]:
        """``names``, ``edges``, ``begins``, ``ends``."""
        rows, most = ops.cast(rows, "int32"), self.most_objects
        numbers = rows[:, :most]
        triples = ops.reshape(rows[:, most:], (-1, self.most_relations, 3))
        there = ops.cast(numbers > 0, "int32")  # [b, O]
        image = ops.zeros_like(numbers[:, :1]) + (self.objects + 1)
        places = (ops.arange(most, dtype="int32") + 1) * there
        names = self._hot(ops.concatenate([numbers, image], axis=1), self.objects + 2)
        edges = self._hot(ops.concatenate([triples[..., 1], (self.relations + 1) * there], axis=1), self.relations + 2)
        begins = self._hot(ops.concatenate([triples[..., 0], places], axis=1), most + 2)[..., 1:]
        ends = self._hot(ops.concatenate([triples[..., 2], (most + 1) * there], axis=1), most + 2)[..., 1:]
        return names, edges, begins, ends

    def _hot(self, numbers: Any, count: int) -> Any:
        # By comparison: ONNX has another notion of numbers that lie outside.
        return ops.cast(ops.expand_dims(numbers, -1) == ops.arange(count, dtype="int32"), self.compute_dtype)


@keras.saving.register_keras_serializable("keras_gen")
class GraphConvolution(layers.Layer):
    """Johnson et al. 2018, equation 1 and figure 4: each edge and both its nodes see each other, each node the mean of what it
    got.

    A network of two layers makes of (node, edge, node) a message to either node and the new edge; a node's messages over all its
    edges are averaged, and another network makes the new node of them. ReLU behind every layer, the last too. A node without
    edges gets the network's answer to zeros.

    Args:
        features: of nodes and edges, in and out.
        hidden: of both networks' inner layers and of messages.
    """

    def __init__(self, features: int, hidden: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.features, self.hidden = sizes(features=features, hidden=hidden)
        units = (hidden, 2 * hidden + features, hidden, features)
        self.message, self.messages, self.node, self.nodes = (
            layers.Dense(count, "relu", kernel_initializer="he_normal", dtype=self.dtype_policy) for count in units
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "features": self.features, "hidden": self.hidden}

    def build(self, input_shape: Any) -> None:
        """Makes both networks."""
        for layer, inputs in (
            (self.message, 3 * self.features),
            (self.messages, self.hidden),
            (self.node, self.hidden),
            (self.nodes, self.hidden),
        ):
            layer.build((None, None, inputs))
        self.built = True

    def call(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Of nodes ``[b, n, features]``, edges ``[b, e, features]``, ``begins`` and ``ends`` ``[b, e, n]``: nodes and edges."""
        nodes, edges, begins, ends = inputs
        triples = ops.concatenate([ops.matmul(begins, nodes), edges, ops.matmul(ends, nodes)], axis=-1)
        found = self.messages(self.message(triples))
        to_first, edges, to_second = ops.split(found, [self.hidden, self.hidden + self.features], axis=-1)
        got = ops.matmul(_turned(begins), to_first) + ops.matmul(_turned(ends), to_second)
        count = ops.expand_dims(ops.sum(begins + ends, axis=1), -1)
        return self.nodes(self.node(got / ops.maximum(count, 1))), edges

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple[tuple, tuple]:
        """As nodes and edges came."""
        return tuple(input_shape[0]), tuple(input_shape[1])


def _turned(matrices: Any) -> Any:
    return ops.transpose(matrices, (0, 2, 1))
