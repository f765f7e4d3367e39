"""The quicker conversion to ONNX: the same nodes, nothing of it left behind, and tf2onnx's own way where it fails."""

import os

import pytest
import tf2onnx
from tf2onnx.graph import Graph
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

from keras_gen import GAN, PixelCNNPlusPlus
from keras_gen.exporters import conversion
from keras_gen.exporters.formats import traced

VARIABLE = "TF2ONNX_CATCH_ERRORS"


def converted(model):
    graph = traced(model.endpoints())["sample"]
    return conversion.convert(graph, 17)


def test_one_search_finds_what_a_search_an_output_finds(monkeypatch):
    search, own, outputs = conversion.nodes_below, Graph.extract_sub_graph_nodes, []

    def both(graph, names, *arguments, **options):
        names = list(names)
        found = search(graph, names, *arguments, **options)
        assert len(found) == len(set(found))
        assert set(found) == set(own(graph, names, *arguments, **options))
        outputs.append(len(names))
        return found

    monkeypatch.setattr(conversion, "nodes_below", both)
    converted(PixelCNNPlusPlus((4, 4, 1, 2), filters=4, resnets=1, levels=1))
    assert max(outputs) > 20  # bodies of loops, which carry a cache a layer


@pytest.mark.parametrize("remove_unused_inputs", [True, False])
def test_what_the_caller_leaves_out_and_what_only_it_needs_are_left_out(remove_unused_inputs):
    proto = converted(GAN((8, 8, 1, 17), latent_dim=4, width=8))
    graph = tf2onnx.graph.GraphUtil.create_graph_from_onnx_model(proto)
    last = graph.get_node_by_output(graph.outputs[0])

    def checker(node):
        return node is last

    arguments = (graph, graph.outputs, checker, remove_unused_inputs)
    assert conversion.nodes_below(*arguments) == [last]
    assert set(Graph.extract_sub_graph_nodes(*arguments)) == {last}


@pytest.mark.parametrize("value", [None, "TRUE"])
def test_nothing_stays_changed(monkeypatch, value):
    monkeypatch.delenv(VARIABLE, raising=False)
    if value:
        monkeypatch.setenv(VARIABLE, value)
    method = Graph.extract_sub_graph_nodes
    converted(GAN((8, 8, 1, 17), latent_dim=4, width=8))
    assert os.environ.get(VARIABLE) == value
    assert Graph.extract_sub_graph_nodes is method


def test_an_optimization_that_fails_is_left_out(monkeypatch):
    calls = []

    class Failing(GraphOptimizerBase):
        def _optimize(self, graph):
            calls.append(os.environ.get(VARIABLE))
            raise ValueError("no")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setitem(tf2onnx.optimizer._optimizers, "failing", Failing)
    proto = converted(GAN((8, 8, 1, 17), latent_dim=4, width=8))
    assert calls[0] is not None and calls[-1] is None  # first without copies, then as tf2onnx does it
    assert [value.name for value in (*proto.graph.input, *proto.graph.output)] == ["z", "image"]
