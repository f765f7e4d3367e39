"""tf2onnx on deep loops in seconds: what it repeats for nothing is done once.

A sampler's loop carries hundreds of tensors (a cache a layer). tf2onnx searches the nodes that a body needs anew from
each of its outputs, and copies the whole graph before each of its twelve optimizations, round after round. Neither
changes the result: a PixelCNN++ takes less than a third of the time without them (``benchmarks/onnx_conversion.py``).
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def convert(graph: Any, opset: int) -> Any:
    """The ModelProto of a ``tf.function`` with one input signature. Raises whatever tf2onnx raises."""
    from tf2onnx.convert import from_function

    def converted() -> Any:
        return from_function(graph, input_signature=graph.input_signature, opset=opset)[0]

    with one_search():
        try:
            with _without_copies():
                return converted()
        except Exception:  # an optimization may fail: with copies, tf2onnx goes on without it
            return converted()


@contextlib.contextmanager
def one_search() -> Iterator[None]:
    """Within, tf2onnx finds the nodes below several outputs by one search from all of them."""
    from tf2onnx.graph import Graph

    before = Graph.extract_sub_graph_nodes
    Graph.extract_sub_graph_nodes = nodes_below
    try:
        yield
    finally:
        Graph.extract_sub_graph_nodes = before


def nodes_below(
    graph: Any,
    outputs_name: Iterable[str],
    input_checker: Callable[[Any], bool] | None = None,
    remove_unused_inputs: bool = True,
) -> list[Any]:
    """The nodes that the outputs are computed from: in the place, and with the arguments, of tf2onnx's own method.

    Args:
        graph: tf2onnx's ``Graph``.
        outputs_name: names of tensors in it.
        input_checker: a node for which this gives False is left out, with what only it needs.
        remove_unused_inputs: whether inputs that nothing needs are left out.
    """
    names = [*outputs_name, *([] if remove_unused_inputs else (node.output[0] for node in graph.inputs))]
    found: set[Any] = set()
    while names:
        node = graph.get_node_by_output(names.pop(), search_in_parent_graphs=False)
        if node and node not in found and not (input_checker and input_checker(node) is False):
            found.add(node)
            names += [*node.input, *node.get_implicit_inputs()]
    return list(found)


@contextlib.contextmanager
def _without_copies() -> Iterator[None]:
    """Within, an optimization of tf2onnx's works on the graph itself, and its error is raised.

    tf2onnx 1.17 takes the variable as set to false whatever its value, which is what is wanted here.
    """
    name = "TF2ONNX_CATCH_ERRORS"
    before = os.environ.get(name)
    os.environ[name] = "FALSE"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
