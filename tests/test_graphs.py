"""Scene graphs as an input: by name at the border, numbers within, in the manifest and in the script that draws from it."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from keras_gen.core.border import Border
from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Boxes, Graph, Masks
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import input_of

SPEC = ImageSpec(4, 5, 1, 17)
GRAPHS = Graph(("sky", "sheep", "grass"), ("above", "inside"), 3, 2)
ONE = {"objects": ["sky", "sheep"], "relations": [[0, "above", 1]]}
TWO = {"objects": ["grass", "sheep", "sheep"], "relations": [[1, "inside", 0], [2, "above", 1]]}
ROWS = np.array([[1, 2, 0, 1, 1, 2, 0, 0, 0], [3, 2, 2, 2, 2, 1, 3, 1, 2]])
BAD_GRAPHS = (
    ({"objects": ["sheap"]}, "'sheap'.* not known; the nearest is 'sheep'"),
    ({"objects": ["sky"], "relations": [[0, "abov", 0]]}, "'abov'.* not known; the nearest is 'above'"),
    ({"objects": [3]}, "3.* not known"),
    ({"objects": []}, "is empty"),
    ({}, "list of objects"),
    ({"objects": "sky"}, "list of objects"),
    ({"objects": ["sky"] * 4}, "has 4 objects; this model takes 3"),
    ({"objects": ["sky"], "relations": [[0, "above", 0]] * 3}, "has 3 relations; this model takes 2"),
    ({"objects": ["sky", "sheep"], "relations": [[0, "above", 2]]}, "counted from 0 to 1"),
    ({"objects": ["sky"], "relations": [[-1, "above", 0]]}, "counted from 0 to 0"),
    ({"objects": ["sky"], "relations": [[True, "above", 0]]}, "counted from 0 to 0"),
    ({"objects": ["sky"], "relations": [[0, "above"]]}, r"give \[subject, relation, object\]"),
    ({"objects": ["sky"], "triples": []}, "wanted"),
)


def test_graphs_become_rows_and_rows_graphs():
    np.testing.assert_array_equal(GRAPHS.check("graph", ONE, 3), np.repeat(ROWS[:1], 3, axis=0))
    for given in ([ONE, TWO], (ONE, TWO), np.array([ONE, TWO]), ROWS, ROWS.tolist()):
        found = GRAPHS.check("graph", given, 2)
        np.testing.assert_array_equal(found, ROWS)
        assert found.dtype == np.int32
    assert GRAPHS.named(ROWS) == [ONE, TWO]
    drawn = GRAPHS.draw(np.random.default_rng(0), 50)
    np.testing.assert_array_equal(GRAPHS.check("graph", drawn), drawn)
    np.testing.assert_array_equal(GRAPHS.check("graph", GRAPHS.named(drawn)), drawn)


@pytest.mark.parametrize("given,match", BAD_GRAPHS)
def test_bad_graphs_are_refused(given, match):
    script, entry = _script(), json.loads(json.dumps(GRAPHS.describe()))
    with pytest.raises(InvalidInput, match=match):
        GRAPHS.check("graph", given, 2)
    with pytest.raises(script.Refused, match=match):
        script.graphs_of("graph", entry, 2, json.dumps(given))


def test_bad_rows_of_graphs_and_bad_vocabularies_are_refused():
    for row in ((0, 0, 0), (1, 0, 2), (4, 0, 0)):
        with pytest.raises(InvalidInput, match="graph 0 is no graph|out of range"):
            GRAPHS.check("graph", [[*row, 0, 0, 0, 0, 0, 0]])
    for triples in ((1, 1, 3, 0, 0, 0), (0, 0, 0, 1, 1, 1), (1, 0, 1, 0, 0, 0), (1, 3, 1, 0, 0, 0), (0, 1, 1, 0, 0, 0)):
        with pytest.raises(InvalidInput, match="graph 0 is no graph|out of range"):
            GRAPHS.check("graph", [[1, 2, 0, *triples]])
    for given, match in ((ROWS[:, :5], "wanted 2 graphs"), ([ONE], "holds 1 graphs for 2"), (3, "wanted 2 graphs")):
        with pytest.raises(InvalidInput, match=match):
            GRAPHS.check("graph", given, 2)
    for names in ((), "sky", ("sky", "sky"), ("",), (3,)):
        with pytest.raises(InvalidInput, match="objects="):
            Graph(names, ("above",), 2, 2)
    with pytest.raises(InvalidInput, match="most_objects=0"):
        Graph(("sky",), ("above",), 0, 2)
    with pytest.raises(InvalidInput, match="give data.kinds"):
        Graph.from_any({"objects": ["sky"]})


def test_graphs_travel_by_file_and_manifest(tmp_path):
    entry, script = json.loads(json.dumps(GRAPHS.describe())), _script()
    assert input_of("graph", entry) == GRAPHS == Graph.from_any(GRAPHS.get_config())
    file = tmp_path / "graphs.json"
    for given in (ONE, [ONE, TWO]):
        file.write_text(json.dumps(given))
        wanted = GRAPHS.check("graph", given, 2)
        for text in (str(file), json.dumps(given)):
            assert GRAPHS.parse("graph", text) == given
            found = script.reader_of(entry)("graph", entry, 2, text)
            np.testing.assert_array_equal(found, wanted)
            assert found.dtype == np.int32 and script.kind_of("graph", entry) == "graph"
    file.write_text("{")
    for text, match in ((str(file), "damaged"), ("{", "is no JSON"), (str(tmp_path / "none"), "cannot be read")):
        with pytest.raises(InvalidInput, match=match):
            GRAPHS.parse("graph", text)
        with pytest.raises(script.Refused, match="is no JSON that can be read"):
            script.graphs_of("graph", entry, 2, text)
    for text, match in (
        (None, "--graph FILE.json"),
        (json.dumps([ONE]), "1 graphs for 2 images"),
        ("[3, 4]", "wanted"),
    ):
        with pytest.raises(script.Refused, match=match):
            script.graphs_of("graph", entry, 2, text)
    for change in ({"objects": [3]}, {"relations": []}, {"most_objects": 2}, {"objects": "sky"}):
        with pytest.raises(script.Refused, match="export the model again"):
            script.graphs_of("graph", {**entry, **change}, 2, json.dumps(ONE))


def test_boxes_and_masks_beside_a_graph():
    boxes, masks = Boxes(3), Masks(3, 4)
    two = [[0, 0.25, 0.5, 1], [0.5, 0.5, 0.75, 0.75]]
    found = boxes.check("boxes", two, 2)
    np.testing.assert_array_equal(found[1], [*two, [-1] * 4])
    np.testing.assert_array_equal(boxes.defaults(2), np.full((2, 3, 4), -1))
    for bad, match in (
        ([[0.5, 0, 0.5, 1]], "boxes 0 has the box .* of object 0; give x0"),
        ([[0.5, 0.5, 1.5, 1]], "out of range"),
        ([[-0.5, 0.5, 0.5, 1]], "has the box"),
        ([[-1, -1, 0.5, 1]], "has the box"),
        (np.zeros((2, 4, 4)), "wanted"),
        ("here", "wanted"),
    ):
        with pytest.raises(InvalidInput, match=match):
            boxes.check("boxes", bad, 2)
    script = _script()
    for kind in (boxes, masks):
        entry = json.loads(json.dumps(kind.describe()))
        assert input_of("x", entry) == kind
        drawn = kind.draw(np.random.default_rng(0), 20)
        np.testing.assert_array_equal(kind.check("x", drawn, 20), drawn)
        assert script.kind_of("x", entry) == kind.kind
        np.testing.assert_array_equal(script.reader_of(entry)("x", entry, 2, None), kind.defaults(2))
    with pytest.raises(InvalidInput, match="out of range"):
        masks.check("masks", np.full((1, 3, 4, 4), 3, np.uint8))


def test_graphs_of_arrays_become_rows_at_the_border_and_other_names_are_refused():
    kinds = {"graph": GRAPHS, "boxes": Boxes(3)}
    border, images = Border("Model", SPEC, kinds), np.zeros((2, 4, 5, 1), np.uint8)
    features = {"image": images, "graph": [ONE, TWO], "boxes": np.full((2, 3, 4), -1.0)}
    np.testing.assert_array_equal(border.arrays(features)["graph"], ROWS)
    with pytest.raises(InvalidInput, match="wants a boxes for each image|wants a graph"):
        border.arrays({"image": images})
    data = ImageData("drawn", "train", SPEC, {**features, "graph": ROWS}, kinds=kinds)
    assert border.data(data) is data
    other = dataclasses.replace(data, kinds={"graph": Graph(("sky", "cow", "grass"), ("above", "inside"), 3, 2)})
    with pytest.raises(InvalidInput, match=r"build it with graph=data.kinds\['graph'\]"):
        border.data(other)
    with pytest.raises(InvalidInput, match="would move the objects"):
        data.check_batches(1, augment="flip")


def _script():
    path = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
