"""sg2im: graph convolutions, layouts and crops, losses over objects, the model's switches, the way of a graph to a picture."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES
from click.testing import CliRunner

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core.graphs import Graph
from keras_gen.core.noise import draw
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.layers.graph_convolution import GraphConvolution, GraphNodes
from keras_gen.layers.object_layout import NARROWEST, ObjectLayout, cropped, warped
from keras_gen.layers.object_normalization import ObjectNormalization
from keras_gen.losses.scene_graphs import box_loss, mask_loss, over_objects
from keras_gen.metrics.boxes import intersection_over_union
from keras_gen.networks.cascaded_refinement import cascaded_refinement
from keras_gen.networks.object_discriminator import image_discriminator, object_discriminator
from keras_gen.networks.scene_graph import box_network, graph_network, mask_network

CASE = next(case for case in CASES if case.model is kg.SceneGraphToImage)
GRAPH = Graph.from_any(CASE.arguments["graph"])
TWO = {"objects": ["bar", "edge"], "relations": [[0, "left of", 1]]}
SMALL = Graph(("a", "b", "c"), ("left of", "above"), 3, 2)


# --- the graph -----------------------------------------------------------------------------------------------------------


def test_rows_become_nodes_and_edges():
    rows = SMALL.check("graph", [{"objects": ["b", "a"], "relations": [[1, "above", 0]]}])
    names, edges, begins, ends = (each.numpy()[0] for each in GraphNodes(3, 2, 3, 2)(rows))
    assert names.argmax(-1).tolist() == [2, 1, 0, 4] and (names.sum(-1) == 1).all()
    assert edges.argmax(-1).tolist() == [2, 0, 3, 3, 0]  # the relation, none, two objects in the image, none
    wanted = np.zeros((2, 5, 4))
    wanted[0, [0, 2, 3], [1, 0, 1]] = wanted[1, [0, 2, 3], [0, 3, 3]] = 1
    np.testing.assert_array_equal([begins, ends], wanted)


def convolution(features=3, hidden=2):
    keras.utils.set_random_seed(3)
    layer = GraphConvolution(features, hidden)
    layer.build(None)
    for weight in layer.weights:  # biases too
        weight.assign(np.random.default_rng(len(weight.shape)).normal(0.3, 0.5, weight.shape))
    return layer


def test_a_graph_convolution_by_hand():
    """Two nodes, one edge from the second to the first."""
    layer, generator = convolution(), np.random.default_rng(0)
    nodes, edge = generator.normal(size=(2, 3)), generator.normal(size=3)
    w = [each.numpy() for each in layer.weights]
    inner = np.maximum(np.concatenate([nodes[1], edge, nodes[0]]) @ w[0] + w[1], 0)
    out = np.maximum(inner @ w[2] + w[3], 0)
    wanted = [np.maximum(np.maximum(m @ w[4] + w[5], 0) @ w[6] + w[7], 0) for m in (out[5:], out[:2])]
    begins, ends = np.array([[[0.0, 1.0]]]), np.array([[[1.0, 0.0]]])
    found = layer([nodes[None].astype("f"), edge[None, None].astype("f"), begins.astype("f"), ends.astype("f")])
    np.testing.assert_allclose(found[0][0], wanted, rtol=1e-5)
    np.testing.assert_allclose(found[1][0, 0], out[2:5], rtol=1e-5)
    # The same edge twice changes no mean.
    twice = layer(
        [nodes[None].astype("f"), *(np.repeat(each, 2, 1).astype("f") for each in (edge[None, None], begins, ends))]
    )
    np.testing.assert_allclose(twice[0], found[0], rtol=1e-6)


def vectors_of(network, kind, *graphs):
    return network(kind.check("graph", list(graphs))).numpy()


@pytest.fixture(scope="module")
def graphs():
    keras.utils.set_random_seed(4)
    return graph_network(SMALL, features=5, hidden=6, convolutions=2)


def test_neither_the_order_of_objects_nor_that_of_relations_matters(graphs):
    one = {"objects": ["a", "b", "c"], "relations": [[0, "above", 1], [2, "left of", 0]]}
    turned = {"objects": ["c", "a", "b"], "relations": [[0, "left of", 1], [1, "above", 2]]}
    first, second = vectors_of(graphs, SMALL, one, turned)
    np.testing.assert_allclose(first[[2, 0, 1, 3]], second, atol=1e-5)
    other = vectors_of(graphs, SMALL, {**one, "relations": [[0, "above", 1], [0, "left of", 2]]})[0]
    assert np.abs(other - first).max() > 1e-3


def test_graphs_of_a_batch_do_not_see_each_other(graphs):
    alone = {"objects": ["b"], "relations": []}
    both = vectors_of(graphs, SMALL, alone, {"objects": ["a", "a"], "relations": [[0, "above", 1]]})
    np.testing.assert_allclose(both[0], vectors_of(graphs, SMALL, alone)[0], atol=1e-6)


def test_room_for_more_objects_and_relations_changes_nothing(graphs):
    larger = Graph(SMALL.objects, SMALL.relations, 5, 6)
    network = graph_network(larger, features=5, hidden=6, convolutions=2)
    network.set_weights(graphs.get_weights())
    graph = {"objects": ["a", "c"], "relations": [[1, "left of", 0]]}
    few, many = vectors_of(graphs, SMALL, graph)[0], vectors_of(network, larger, graph)[0]
    np.testing.assert_allclose(few[:2], many[:2], atol=1e-6)
    np.testing.assert_allclose(few[-1], many[-1], atol=1e-6)


def test_without_convolutions_an_object_sees_itself_alone():
    network = graph_network(SMALL, features=5, convolutions=0)
    first, second = vectors_of(network, SMALL, {"objects": ["a", "b"], "relations": []}, {"objects": ["a", "c"]})
    np.testing.assert_array_equal(first[0], second[0])
    related = vectors_of(network, SMALL, {"objects": ["a", "b"], "relations": [[0, "above", 1]]})[0]
    np.testing.assert_array_equal(first, related)


# --- the layout ----------------------------------------------------------------------------------------------------------


def layout_of(boxes, masks, vectors=None, side=8):
    boxes, masks = np.asarray(boxes, "f")[None], np.asarray(masks, "f")[None]
    vectors = np.ones((1, boxes.shape[1], 1), "f") if vectors is None else np.asarray(vectors, "f")[None]
    return ObjectLayout(side, side)([vectors, boxes, masks]).numpy()[0]


ONES = np.ones((4, 4))


def test_a_whole_box_gives_the_vector_everywhere_and_half_a_box_half():
    np.testing.assert_allclose(layout_of([[0, 0, 1, 1]], [ONES], [[2.0, -3.0]]), np.full((8, 8, 2), [2, -3]), atol=1e-6)
    half = layout_of([[0, 0, 0.5, 1]], [ONES])[..., 0]
    # Pixels lie at 0, 1/7, ..., 1; the first sample outside fades to zero.
    np.testing.assert_allclose(half[:, :4], 1, atol=1e-6)
    assert (half[:, 4] < 1).all() and not half[:, 5:].any()
    corner = layout_of([[0.5, 0, 1, 0.5]], [ONES])[..., 0]
    np.testing.assert_allclose(corner[:4, 4:], 1, atol=1e-6)
    assert not corner[5:].any() and not corner[:, :3].any()


def test_layouts_add_up_and_no_mask_no_layout():
    boxes, vectors = [[0, 0, 0.6, 1], [0.3, 0.2, 1, 0.8]], [[1.0], [2.0]]
    both = layout_of(boxes, [ONES, ONES], vectors)
    each = [layout_of(boxes[i : i + 1], [ONES], vectors[i : i + 1]) for i in (0, 1)]
    np.testing.assert_allclose(both, each[0] + each[1], atol=1e-6)
    assert not layout_of(boxes, [0 * ONES, 0 * ONES]).any()


def test_an_upright_mask_stays_upright():
    mask = np.zeros((4, 4))
    mask[0] = 1  # its upper edge
    drawn = layout_of([[0, 4 / 7, 1, 1]], [mask])[..., 0]
    assert drawn.mean(axis=1).argmax() == 4 and not drawn[:3].any() and not drawn[6:].any()


def test_the_gradient_in_a_box_is_that_of_differences():
    generator = np.random.default_rng(2)
    mask, weights = generator.random((1, 1, 4, 4)).astype("f"), generator.normal(size=(9, 9)).astype("f")
    box = tf.Variable([[[0.13, 0.24, 0.71, 0.88]]])

    def value(box):
        return float(np.sum(warped(mask, box, 9, 9).numpy()[0, 0] * weights))

    with tf.GradientTape() as tape:
        total = tf.reduce_sum(warped(mask, box, 9, 9)[0, 0] * weights)
    gradient, step = tape.gradient(total, box).numpy()[0, 0], 1e-3
    for end in range(4):
        moved = [box.numpy().copy() for _ in range(2)]
        moved[0][0, 0, end] += step
        moved[1][0, 0, end] -= step
        assert abs((value(moved[0]) - value(moved[1])) / (2 * step) - gradient[end]) < 0.01 * np.abs(gradient).max()


def test_a_crop_of_the_layout_at_its_box_is_the_mask():
    generator = np.random.default_rng(3)
    # Boxes whose ends lie on pixels: nothing is interpolated.
    mask, box = generator.random((1, 1, 5, 5)).astype("f"), np.array([[[4 / 16, 8 / 16, 8 / 16, 12 / 16]]], "f")
    layout = warped(mask, box, 17, 17)[0, 0][None, ..., None]
    np.testing.assert_allclose(cropped(layout, box, 5)[0, 0, ..., 0], mask[0, 0], atol=1e-5)
    image = generator.random((1, 6, 6, 2)).astype("f")
    np.testing.assert_allclose(cropped(image, np.array([[[0, 0, 1, 1]]], "f"), 6)[0, 0], image[0], atol=1e-5)


def test_a_box_that_is_turned_round_is_as_narrow_as_can_be():
    turned, narrow = [[0.5, 0.2, 0.3, 0.8]], [[0.5, 0.2, 0.5 + NARROWEST, 0.8]]
    np.testing.assert_array_equal(layout_of(turned, [ONES]), layout_of(narrow, [ONES]))
    assert np.isfinite(layout_of([[0.5, 0.5, 0.5, 0.5]], [ONES])).all()


# --- losses and normalization ----------------------------------------------------------------------------------------------


def test_images_pay_for_their_objects_as_the_mean_over_all_of_them():
    values, there = np.array([[1.0, 2.0, 9.0], [4.0, 9.0, 9.0]], "f"), np.array([[1, 1, 0], [1, 0, 0]], bool)
    paid = over_objects(tf.constant(values), tf.constant(there), training=True)
    np.testing.assert_allclose(paid, [3 / 1.5, 4 / 1.5])
    np.testing.assert_allclose(np.mean(paid), values[there].mean(), rtol=1e-6)


def test_unknown_boxes_and_masks_cost_nothing():
    there = tf.constant([[True, True, False]])
    boxes = tf.constant([[[0, 0, 1, 1], [-1, -1, -1, -1], [0, 0, 1, 1]]], tf.float32)
    predicted = tf.constant([[[0.5, 0, 1, 1], [7, 7, 7, 7], [7, 7, 7, 7]]], tf.float32)
    np.testing.assert_allclose(box_loss(boxes, predicted, there, training=False), [0.25 / 4])
    masks = tf.constant(np.stack([np.ones((2, 2)), np.full((2, 2), 2), np.zeros((2, 2))])[None], tf.uint8)
    logits = tf.fill((1, 3, 2, 2), 0.3)
    np.testing.assert_allclose(mask_loss(masks, logits, there, training=False), [np.logaddexp(0, -0.3)], rtol=1e-6)


def test_normalization_is_by_the_objects_that_are_there():
    generator = np.random.default_rng(1)
    maps, there = generator.normal(2, 3, (5, 2, 2, 3)).astype("f"), np.array([[1], [0], [1], [0], [1]], "f")
    layer = ObjectNormalization()
    found = layer(maps, there, training=True).numpy()
    own = maps[[0, 2, 4]]
    wanted = (maps - own.mean((0, 1, 2))) / np.sqrt(own.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * own.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer(maps, there, training=False), layer(maps, 0 * there, training=False))


# --- the networks ------------------------------------------------------------------------------------------------------------


def test_the_networks_have_the_papers_weights():
    """Of the authors' code at 64 px, less the biases that a normalization behind them takes away."""

    def count(network):
        return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)

    spec = kg.ImageSpec(64, 64, 3)
    assert count(image_discriminator(spec.shape)) == 659_521
    assert image_discriminator(spec.shape).output_shape == (None, 6, 6, 1)
    assert count(object_discriminator(32, 3, 184, features=1024)) == 3 * 64 * 16 + 64 + (
        64 * 128 + 128 * 256
    ) * 16 + 384 + (2 * (64 + 128) + 256 * 1024 + 1024 + 1025 + 1025 * 184)
    assert count(box_network()) == 128 * 512 + 512 + 512 * 4 + 4
    assert count(mask_network()) == 4 * (256 + 9 * 128 * 128 + 128) + 129
    kind = Graph(tuple(map(str, range(184))), tuple(map(str, range(6))), 8, 8)
    convolution = (384 * 512 + 512) + (512 * 1152 + 1152) + (512 * 512 + 512) + (512 * 128 + 128)
    assert count(graph_network(kind)) == 5 * convolution + 128 * (186 + 8)
    refinement = cascaded_refinement(spec)
    seen, modules = 160, ((0, 1024), (1024, 512), (512, 256), (256, 128), (128, 64))
    maps = sum(9 * ((seen + before) * now + now * now) + 4 * now for before, now in modules)
    assert count(refinement) == maps + 9 * 64 * 64 + 64 + 64 * 3 + 3
    assert refinement.output_shape == (None, 64, 64, 3)


@pytest.mark.parametrize(
    "change,match",
    [
        ({"mask_size": 6}, "mask_size=6; give a power of two"),
        ({"box_activation": "tanh"}, "box_activation='tanh'; give sigmoid"),
        ({"image_activation": "relu"}, "image_activation='relu'; give tanh"),
        ({"refinement_maps": (8, 8, 8, 8, 8)}, "5 refinement modules cannot make 8x8 images"),
        ({"discriminator_maps": (4, 4, 4)}, "discriminator_maps=.*give 1 to 1"),
        ({"object_maps": (4, 4, 4)}, "object_maps=.*of 10 px; give 1 to 2"),
        ({"noise_channels": 0}, "noise_channels=0"),
        ({"pixel_weight": -1.0}, "pixel_weight=-1.0"),
        ({"graph": {"objects": ["bar"]}}, "graph="),
        ({"generator": keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])}, "generator takes"),
    ],
)
def test_what_cannot_be_built_is_refused(change, match):
    with pytest.raises(kg.InvalidInput, match=match):
        CASE.build(**change)


# --- the model ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shaken():
    return CASE.shaken()


def of_step(model, batch):
    noise = draw(model.step_spec(), len(batch["image"]), seed=2)
    return [{name: tf.constant(values) for name, values in each.items()} for each in (batch, noise)]


def test_graph_boxes_masks_and_noise_all_move_the_picture(shaken):
    given = {"graph": TWO, "boxes": [[0, 0, 0.4, 1], [0.5, 0, 1, 1]]}
    images = shaken.sample(4, seed=1, **given)
    others = (
        {**given, "graph": {**TWO, "relations": [[0, "right of", 1]]}},
        {**given, "boxes": [[0.4, 0, 0.8, 1], [0.5, 0, 1, 1]]},
        {**given, "masks": np.zeros((3, 4, 4), np.uint8)},
        {"graph": TWO},
    )
    assert (images[0] != images[1]).any()
    for other in others:
        assert (shaken.sample(4, seed=1, **other) != images).any(), other
    boxes, masks = shaken.predict_layout(TWO)
    assert boxes.shape == (1, 3, 4) and masks.shape == (1, 3, 4, 4) and not boxes[0, 2].any() and not masks[0, 2].any()


def test_what_is_sampled_without_boxes_lies_where_the_model_says(shaken):
    boxes, masks = shaken.predict_layout(TWO)
    noise = draw(shaken.noise_spec(), 1, seed=1)["noise"]
    own = shaken({"noise": noise, "graph": GRAPH.check("graph", [TWO])})
    told = shaken({"noise": noise, "graph": GRAPH.check("graph", [TWO]), "boxes": np.where(boxes < 0, 0, boxes)})
    if (boxes >= 0).all():
        np.testing.assert_allclose(own, told, atol=1e-5)


def test_what_fills_up_a_graph_is_not_seen(shaken):
    """Boxes and masks of objects that are none change neither picture nor losses."""
    batch, noise = of_step(shaken, CASE.data(6))
    batch["boxes"], before = tf.constant(batch["boxes"].numpy()), []
    for value in (0.0, 0.7):
        boxes = batch["boxes"].numpy()
        boxes[:, 2] = (0, 0, 1, value or 0.2)
        masks = batch["masks"].numpy()
        masks[:, 2] = int(value > 0)
        changed = {**batch, "boxes": tf.constant(boxes), "masks": tf.constant(masks)}
        fakes = shaken.make_fakes(changed, noise, training=False)
        losses = [loss(changed, fakes, training=False) for loss in (shaken.generator_loss, shaken.discriminator_loss)]
        before.append([fakes["image"], *losses])
    for one, other in zip(*before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_one_of_an_images_graphs_is_drawn(shaken):
    batch, noise = of_step(shaken, CASE.data(4))
    for draws, place in ((0.0, 0), (0.9, 1)):
        noise["graphs"] = tf.fill((4, 1), draws)
        fakes = shaken.make_fakes(batch, noise, training=False)
        np.testing.assert_array_equal(fakes["graph"], batch["graphs"][:, place])


@pytest.mark.parametrize(
    "switched,sides", [({"image_weight": 0.0}, 1), ({"object_weight": 0.0, "class_weight": 0.0}, 1)]
)
def test_a_discriminator_that_counts_nothing_is_none(switched, sides):
    model = CASE.build(**switched)
    assert len(model.discriminator_side) == sides
    batch, noise = of_step(model, CASE.data(4))
    fakes = model.make_fakes(batch, noise, training=True)
    for loss in (model.discriminator_loss, model.generator_loss):
        assert loss(batch, fakes, training=True).shape == (4,)


def test_normalization_freezes_after_so_many_steps():
    model = CASE.build(freeze_after=1, order="generator_first")
    model.run_eagerly = True  # two steps need not be compiled
    statistics = [w for w in model.generator.weights + model.mask_network.weights if "moving" in w.path]
    moved = []
    for _ in range(2):
        before = [weight.numpy() for weight in statistics]
        model.train_on_batch(CASE.data(8))
        moved.append(any((weight.numpy() != old).any() for weight, old in zip(statistics, before, strict=True)))
    assert moved == [True, False]


def test_without_boxes_there_is_nothing_to_train_on():
    model, data = CASE.build(), CASE.data(8)
    del data["boxes"]
    with pytest.raises(kg.InvalidInput, match="wants boxes for each image"):
        model.fit(data, batch_size=4)


def test_boxes_learn_what_relations_say_and_flip_with_them():
    """Two equal objects, one left of the other: only the graph tells which. The box network alone fits it."""
    kind = Graph(("a", "b"), ("left of", "right of"), 2, 1)
    keras.utils.set_random_seed(1)
    graphs, boxes = graph_network(kind, 16, 32, 1), box_network(16, 32)
    network = keras.Sequential([keras.Input(kind.shape), graphs, boxes])
    ways = {
        "left of": [[0.1, 0.3, 0.4, 0.7], [0.6, 0.3, 0.9, 0.7]],
        "right of": [[0.6, 0.3, 0.9, 0.7], [0.1, 0.3, 0.4, 0.7]],
    }
    rows = kind.check(
        "graph", [{"objects": [x, y], "relations": [[0, w, 1]]} for x in "ab" for y in "ab" for w in ways]
    )
    true = np.array([[*ways[w], [0, 0, 1, 1]] for _ in range(4) for w in ways], "f")
    network.compile(keras.optimizers.Adam(1e-2), "mse")
    network.fit(rows, true, batch_size=8, epochs=60, verbose=0)
    found = network(rows).numpy()[:, :2]
    assert intersection_over_union(found, true[:, :2]).min() > 0.5
    assert (found[0::2, 0, 0] < found[0::2, 1, 0]).all() and (found[1::2, 0, 0] > found[1::2, 1, 0]).all()


def test_a_graph_goes_to_the_command_line_the_artifact_and_the_script(tmp_path, shaken):
    shaken.save(tmp_path / "model.keras")
    manifest = shaken.export(tmp_path / "artifact", "onnx")
    assert manifest["endpoints"]["sample"]["inputs"]["graph"]["objects"] == list(GRAPH.objects)
    wanted, file = shaken.sample(4, seed=3, graph=TWO), tmp_path / "graph.json"
    file.write_text(json.dumps(TWO))
    read, script = LoadedArtifact(tmp_path / "artifact"), _script()
    assert read.condition_spec() == shaken.condition_spec()
    for found in (
        read.sample(4, seed=3, graph=TWO),
        script.draw(tmp_path / "artifact", 4, seed=3, conditions={"graph": str(file)})[0],
    ):
        assert np.abs(found.astype(int) - wanted).max() <= 1 and (found != wanted).mean() <= 0.01
    out = tmp_path / "grid.png"
    assert script.main([str(tmp_path / "artifact"), "-n", "4", "--graph", str(file), "--out", str(out)]) == 0
    drawn = out.read_bytes()
    words = [str(tmp_path / "model.keras"), "--out", str(out)]
    result = CliRunner().invoke(main, ["sample", *words, "-n", "4", "--graph", str(file)])
    assert result.exit_code == 0 and out.read_bytes() != drawn, result.output


def _script():
    path = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
