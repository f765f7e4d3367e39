"""How models that are given scene graphs are measured: boxes, what a detector sees, flipped relations, pictures, the recipe."""

import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import keras_gen as kg
from keras_gen import data
from keras_gen.cli import main
from keras_gen.data.scene_graphs import name_of
from keras_gen.data.scenes import COLOURS, SHAPES, Scene, Thing, pictures
from keras_gen.data.shapes import scenes_of
from keras_gen.evaluation import scene_pictures
from keras_gen.evaluation.report import evaluate
from keras_gen.evaluation.scenes import SeenScenes, is_drawn_scene, relations_by_boxes
from keras_gen.metrics.boxes import found_at, intersection_over_union
from keras_gen.metrics.scene_detector import coloured, shape_of, things_of
from keras_gen.recipes.recipe import build

# --- boxes ---------------------------------------------------------------------------------------------------------------


def test_overlaps_of_known_boxes():
    unit = [0, 0, 1, 1]
    for other, wanted in (
        (unit, 1),
        ([0.5, 0, 1.5, 1], 1 / 3),
        ([0.25, 0.25, 0.75, 0.75], 0.25),
        ([1, 0, 2, 1], 0),
        ([0.5, 0.5, 0.2, 0.8], 0),  # turned round
        ([0.5, 0.5, 0.5, 0.5], 0),
    ):
        for pair in ((unit, other), (other, unit)):
            np.testing.assert_allclose(intersection_over_union(*map(np.array, pair)), wanted)
    at = found_at(np.array([0.2, 0.3, 0.5, 0.9]), (0.3, 0.5))
    assert [each.mean() for each in at] == [0.75, 0.5]
    with pytest.raises(kg.InvalidInput, match=r"give \[..., 4\] of both"):
        intersection_over_union(np.zeros((2, 4)), np.zeros((3, 4)))


def test_relations_that_boxes_obey():
    graph = {"objects": ["a", "b"], "relations": [[0, "left of", 1], [1, "left of", 0], [1, "right of", 0]]}
    boxes = np.array([[[0, 0, 0.2, 0.2], [0.5, 0, 0.7, 0.2], [0, 0, 0, 0]]])
    assert relations_by_boxes([graph], boxes).tolist() == [True, False, True]


# --- the detector ----------------------------------------------------------------------------------------------------------


def thing(colour="red", shape="circle", x=0.5, y=0.5, texture="plain", radius=0.2, size="large"):
    return Thing(size, texture, colour, shape, x, y, radius, 0.1)


@pytest.mark.parametrize("colour", COLOURS)
def test_things_of_every_colour_are_found_where_they_are(colour):
    scenes = [
        Scene((thing(colour, shape, 0.3, 0.6, texture),), 1, 0.0)
        for shape in SHAPES
        for texture in ("plain", "striped", "dotted")
    ]
    named = 0
    for scene, picture in zip(scenes, coloured(pictures(scenes, 64)), strict=True):
        seen = things_of(picture)
        assert colour in seen
        true = scene.masks(64)[0]
        assert (seen[colour] & true).sum() / (seen[colour] | true).sum() > 0.7
        named += scene.things[0].texture == "plain" and shape_of(seen[colour]) == scene.things[0].shape
    assert named >= len(SHAPES) - 1


def test_an_empty_picture_shows_nothing():
    for level in (225, 240, 255):
        assert not things_of(coloured(np.full((1, 32, 32, 3), level, np.uint8))[0])


@pytest.fixture(scope="module")
def scenes():
    """A test split, and the graphs of it by name."""
    found = data.load("shapes?objects=2-4&count=1200&held_out=false&graphs=true", "test")
    return found, found.kinds["graph"].named(found.features["graph"])


def test_the_detector_sees_what_real_images_show_and_no_more(scenes):
    test, graphs = scenes
    real = SeenScenes(graphs, test.images)
    assert real.colours.mean() > 0.99 and real.relations.mean() > 0.95 and real.shapes.mean() > 0.85
    mirrored = SeenScenes(graphs, test.images[:, :, ::-1])
    assert mirrored.colours.mean() > 0.99
    sideways = np.array([name in ("left of", "right of") for graph in graphs for name in _seen_relations(graph)])
    assert mirrored.relations[sideways].mean() < 0.1 and mirrored.relations[~sideways].mean() > 0.85
    others = SeenScenes(graphs, np.roll(test.images, 1, axis=0))
    assert others.colours.mean() < 0.8 and others.relations.mean() < 0.4


def _seen_relations(graph):
    """Of things whose colours no other has."""
    colours = [name.split()[1] for name in graph["objects"]]
    return [
        name for s, name, o in graph["relations"] if colours.count(colours[s]) == 1 and colours.count(colours[o]) == 1
    ]


# --- reports ---------------------------------------------------------------------------------------------------------------


class Draughtsman(kg.SceneGraphToImage):
    """Draws what a graph says, two things of it at most, and knows where: the first as its first relation has it to the other."""

    def scene(self, graph):
        place = {"left of": (0.25, 0.5), "right of": (0.75, 0.5), "above": (0.5, 0.25), "below": (0.5, 0.75)}
        way = graph["relations"][0] if graph["relations"] else (0, "left of", 1)
        x, y = place.get(way[1], (0.5, 0.5))
        places = [(x, y), (1 - x, 1 - y)][:: 1 if way[0] == 0 else -1]
        things = [
            thing(colour, shape, *places[number], radius=0.15, size=size)
            for number, (size, colour, shape) in enumerate(name.split() for name in graph["objects"][:2])
        ]
        return Scene(tuple(things), 0, 0.0)

    def images_of(self, noise, conditions=None):
        graphs = self.graph.named(self.graph.check("graph", conditions["graph"]))
        return pictures([self.scene(graph) for graph in graphs], self.image_spec.height)

    def predict_layout(self, graph):
        rows = self.graph.check("graph", graph)
        boxes, masks = (
            np.zeros((len(rows), self.graph.most_objects, 4)),
            np.ones((len(rows), self.graph.most_objects, 16, 16)),
        )
        for own, each in zip(boxes, self.graph.named(rows), strict=True):
            scene = self.scene(each)
            own[: len(scene.things)] = scene.boxes(64)
        return boxes, masks


TINY = dict(features=4, hidden=4, convolutions=1, noise_channels=1, refinement_maps=(4, 4, 4), discriminator_maps=(2,))
TINY |= dict(object_maps=(2,), object_features=2, crop_size=8)


@pytest.fixture(scope="module")
def pair():
    name = "shapes?objects=2&count=80&held_out=false&graphs=true"
    return [data.load(name, split) for split in ("train", "test")]


def test_a_model_that_draws_what_graphs_say_is_measured_so(tmp_path, pair):
    model = Draughtsman(pair[0].image_spec, pair[0].kinds["graph"], **TINY)
    report = evaluate(
        model,
        *pair,
        out=tmp_path,
        samples=10,
        metrics=["layout", "scenes", "flipped_relation", "graph_diversity"],
        features="pixels",
    )
    lines = {line["name"]: line for line in report["metrics"]}
    assert lines["flipped_relation_accuracy_200"]["value"] > 0.97
    assert lines["relation_accuracy_10_test"]["value"] > 0.6  # inside and around are not drawn
    assert lines["object_colour_accuracy_10_test"]["value"] == 1
    assert lines["object_accuracy_given_layout_10_test"]["real_images_score"] > 0.5
    assert lines["graph_diversity_25x8_test"]["value"] == 0  # it has no use for noise
    assert lines["box_turned_10_test"]["value"] == 0
    assert 0 < lines["box_iou_10_test"]["value"] < 1 and lines["box_relations_10_test"]["value"] > 0.6
    boxes, _ = model.predict_layout(pair[1].features["graph"])
    overlaps = intersection_over_union(boxes, pair[1].features["boxes"])
    np.testing.assert_allclose(lines["box_r0.3_10_test"]["value"], (overlaps >= 0.3).mean())
    np.testing.assert_allclose(lines["box_r0.5_10_test"]["value"], (overlaps >= 0.5).mean())
    assert {"graphs", "layouts"} <= set(report["pictures"]) and (tmp_path / "pictures" / "layouts.png").is_file()


def test_graphs_of_other_names_are_not_detected_and_other_data_refused(tmp_path, pair, monkeypatch):
    assert is_drawn_scene(pair[0].kinds["graph"])
    keras.utils.set_random_seed(0)
    kind = {**pair[0].kinds["graph"].get_config(), "objects": ["sky"]}
    model = kg.SceneGraphToImage(pair[0].image_spec, kind, **TINY)
    with pytest.raises(kg.InvalidInput, match="has its own graph"):
        evaluate(model, *pair, out=tmp_path, samples=4)
    assert not is_drawn_scene(model.graph)
    with pytest.raises(kg.InvalidInput, match="has its own graph"):
        model.fit(pair[0], batch_size=4)
    # From here on the command that draws the graphs of a file; the model need not be saved for that.
    monkeypatch.setattr(scene_pictures, "load", lambda run: model)
    graphs, out = (
        [{"objects": ["sky"], "relations": []}, {"objects": ["sky", "sky"], "relations": [[0, "above", 1]]}],
        tmp_path / "a.png",
    )
    file = tmp_path / "graphs.json"
    file.write_text(json.dumps(graphs))
    result = CliRunner().invoke(main, ["graphs", "run", str(file), "--out", str(out)])
    assert result.exit_code == 0 and "2 graphs" in result.output, result.output
    with Image.open(out) as picture:
        assert picture.mode == "RGB" and min(picture.size) > 100
    drawn = out.read_bytes()
    for given, match in (([{"objects": ["sea"]}], "nearest is 'sky'"), ([graphs[0]] * 41, "at most 40")):
        file.write_text(json.dumps(given))
        result = CliRunner().invoke(main, ["graphs", "run", str(file), "--out", str(out)])
        assert result.exit_code == 2 and match in result.output and out.read_bytes() == drawn
    model.condition_spec = lambda: {}
    with pytest.raises(kg.InvalidInput, match="is given no scene graph"):
        scene_pictures.draw_file("run", str(file), out)


def test_the_recipe_trains_the_model_of_its_data(pair, tmp_path):
    """One step, not compiled; a whole run is the contract suite's."""
    words = ["train", "scene_graph_shapes", "--out", str(tmp_path / "run"), "--data", "shapes?objects=1&count=40"]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2 and "holds no graphs; give a set that does" in " ".join(refused.output.split())
    settings = {"features": 4, "hidden": 4, "refinement_width": 8, "finest_width": 4, "discriminator_width": 2}
    model = build("scene_graph_shapes", {**settings, "convolutions": 1}).model_for(pair[0], 10)
    assert model.graph == pair[0].kinds["graph"] and model.refinement_maps == (8, 4, 4, 4)
    model.run_eagerly = True
    found = model.train_on_batch(pair[0].first(4), return_dict=True)
    assert all(map(np.isfinite, found.values())) and found["box_loss"] > 0 and found["mask_loss"] > 0
    assert model.steps_made() == 1
    full = build("scene_graph_coco_full")
    assert (full.box_activation, full.image_activation, full.freeze_after) == ("relu", "linear", 100_000)


def test_things_are_called_by_size_colour_and_shape():
    assert name_of(scenes_of("?objects=1&count=1", "train")[0].things[0]).split()[1] in COLOURS
