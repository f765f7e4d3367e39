"""What sg2im makes of a scene graph before there is a picture (Johnson et al. 2018): vectors, boxes and masks of its objects."""

import keras
from keras import layers

from keras_gen.core.checks import integer, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Graph
from keras_gen.layers.graph_convolution import GraphConvolution, GraphNodes
from keras_gen.layers.object_normalization import ObjectNormalization


def graph_network(graph: Graph, features: int = 128, hidden: int = 512, convolutions: int = 5) -> keras.Model:
    """Rows of ``graph`` ``[b, length]`` to a vector of each node, the image's last: ``[b, most_objects + 1, features]``.

    ``convolutions=0``: one dense layer of each node alone in their place, the published ablation.
    """
    features, hidden = sizes(features=features, hidden=hidden)
    convolutions = integer("convolutions", convolutions, 0)
    rows = keras.Input(graph.shape, dtype="int32", name="graph")
    counts = (len(graph.objects), len(graph.relations), graph.most_objects, graph.most_relations)
    names, edges, begins, ends = GraphNodes(*counts)(rows)
    begin = keras.initializers.RandomNormal(stddev=1.0)
    nodes, edges = (
        layers.Dense(features, use_bias=False, kernel_initializer=begin, name=f"embedding_of_{what}")(hot)
        for what, hot in (("objects", names), ("relations", edges))
    )
    if not convolutions:
        nodes = layers.Dense(features)(nodes)
    for _ in range(convolutions):
        nodes, edges = GraphConvolution(features, hidden)([nodes, edges, begins, ends])
    return keras.Model(rows, nodes, name="graph_network")


def box_network(features: int = 128, hidden: int = 512, activation: str = "sigmoid") -> keras.Model:
    """Vectors ``[b, n, features]`` to boxes ``(x0, y0, x1, y1)`` float32 ``[b, n, 4]``.

    ``activation="relu"``, as published: boxes are at least 0 and may be of any size, and an output that is 0 for all objects
    learns no more.
    """
    if activation not in ("sigmoid", "relu", "linear"):
        raise InvalidInput(f"box_activation={activation!r}; give sigmoid, relu or linear.")
    vectors = keras.Input((None, features), name="vectors")
    x = layers.Dense(hidden, "relu", kernel_initializer="he_normal")(vectors)
    boxes = layers.Dense(4, activation, kernel_initializer="he_normal", dtype="float32")(x)
    return keras.Model(vectors, boxes, name="box_network")


def mask_network(features: int = 128, side: int = 16) -> keras.Model:
    """Vectors ``[n, features]``, and which are of objects ``[n, 1]``, to logits of masks float32 ``[n, side, side, 1]``."""
    if side < 2 or side & (side - 1):
        raise InvalidInput(f"mask_size={side!r}; give a power of two of at least 2: the network doubles.")
    vectors, there = keras.Input((features,), name="vectors"), keras.Input((1,), name="there")
    x = layers.Reshape((1, 1, features))(vectors)
    while x.shape[1] < side:
        x = ObjectNormalization()(layers.UpSampling2D()(x), there)
        x = layers.Conv2D(features, 3, padding="same", activation="relu")(x)
    return keras.Model([vectors, there], layers.Conv2D(1, 1, dtype="float32")(x), name="mask_network")
