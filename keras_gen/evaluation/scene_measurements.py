"""The metrics of models that are told what to draw by a scene graph.

Boxes are held against those of the test image whose graph it was, though a graph leaves open where its objects lie: what counts
is how models compare. What samples show of a graph is seen by a detector that was not trained, and beside it stands what it sees
in the test images themselves.
"""

import time

import numpy as np

from keras_gen.evaluation.measurement import Lines, line, measurement
from keras_gen.evaluation.scenes import SeenScenes, graph_of, graph_rows, is_drawn_scene, relations_by_boxes
from keras_gen.evaluation.subject import Subject
from keras_gen.metrics.boxes import found_at, intersection_over_union
from keras_gen.metrics.estimate import mean_with_error, spelled
from keras_gen.training.diversity import spread

THRESHOLDS = (0.3, 0.5)
FLIPPED = 200  # graphs of two objects
FIXED, DRAWINGS = 25, 8  # graphs, and drawings of each, for the diversity
OPPOSITE = ("left of", "right of")


def _no_graph(subject: Subject) -> str | None:
    if graph_of(subject.model) is None or "graph" not in subject.test.features:
        return "the model is given no scene graph, or the test images have none."
    return None


def _no_layout(subject: Subject) -> str | None:
    if (reason := _no_graph(subject)) is not None:
        return reason
    if not hasattr(subject.model, "predict_layout") or "boxes" not in subject.test.features:
        return "the model tells no boxes (an artifact's are its endpoint 'layout'), or the test images have none."
    return None


def _no_detector(subject: Subject) -> str | None:
    if (reason := _no_graph(subject)) is not None:
        return reason
    return (
        None
        if is_drawn_scene(graph_of(subject.model))
        else "only things of drawn scenes can be found without training."
    )


@measurement("layout", missing=_no_layout)
def _layout(subject: Subject) -> Lines:
    """Of the boxes that the model gives the objects of test graphs: mean IoU with the true ones, R@0.3 and R@0.5 (Johnson et al.
    2018, section 4.3; the image's own node left out), the share of relations that they obey, and of boxes that are turned round.
    """
    began, test = time.perf_counter(), subject.test
    rows = np.unique(graph_rows(test, subject.samples, subject.seed))
    graphs, true = test.features["graph"][rows], test.features["boxes"][rows]
    boxes, _ = subject.model.predict_layout(graphs)
    known = (true >= 0).all(axis=-1)
    overlaps = intersection_over_union(boxes[known], true[known])
    end, named = f"{spelled(len(rows))}_{test.split}", graph_of(subject.model).named(graphs)
    lines = [line(f"box_iou_{end}", mean_with_error(overlaps), "IoU", test.split, began)]
    for threshold, found in zip(THRESHOLDS, found_at(overlaps, THRESHOLDS), strict=True):
        lines.append(line(f"box_r{threshold}_{end}", mean_with_error(found), "fraction", test.split, began))
    if len(right := relations_by_boxes(named, boxes)):
        best = float(relations_by_boxes(named, true).mean())
        value = mean_with_error(right)
        lines.append(line(f"box_relations_{end}", value, "fraction", test.split, began, real_images_score=best))
    turned = (boxes[known][:, :2] >= boxes[known][:, 2:]).any(axis=-1)
    lines.append(line(f"box_turned_{end}", mean_with_error(turned), "fraction", test.split, began))
    return lines


@measurement("scenes", missing=_no_detector)
def _scenes(subject: Subject) -> Lines:
    """How much of its graph a sample shows: relations, things' colours, and colours with shapes; the same of samples that are
    told where their things lie (``_given_layout``).
    """
    model, test = subject.model, subject.test
    rows = graph_rows(test, subject.samples, subject.seed)
    named = graph_of(model).named(test.features["graph"][rows])
    real = SeenScenes(named, test.images[rows])
    sides = {"": subject.fakes}
    if {"boxes", "masks"} <= set(model.condition_spec()) & set(test.features):
        given = {name: test.features[name][rows] for name in ("graph", "boxes", "masks")}
        sides["_given_layout"] = model.sample(len(rows), seed=subject.seed, **given)
    lines = []
    for end, images in sides.items():
        began, seen = time.perf_counter(), SeenScenes(named, images)
        for name, what in (("relation", "relations"), ("object_colour", "colours"), ("object", "shapes")):
            values, best = getattr(seen, what), getattr(real, what)
            if len(values):
                told = f"{name}_accuracy{end}_{spelled(len(rows))}_{test.split}"
                value, best = mean_with_error(values), float(best.mean())
                lines.append(line(told, value, "fraction", test.split, began, real_images_score=best))
    return lines


@measurement("flipped_relation", missing=_no_detector)
def _flipped_relation(subject: Subject) -> Lines:
    """How often one thing lies left of another in a sample where the graph says so, and right of it where it says that, the noise
    being
    the same: both have to be right.
    """
    began, graph, split = time.perf_counter(), graph_of(subject.model), subject.test.split
    if graph.most_objects < 2 or not set(OPPOSITE) <= set(graph.relations):
        return []
    generator, pairs = np.random.Generator(np.random.Philox(key=subject.seed)), []
    while len(pairs) < FLIPPED:
        pair = [graph.objects[number] for number in generator.integers(len(graph.objects), size=2)]
        if pair[0].split()[1] != pair[1].split()[1]:
            pairs.append(pair)
    right = np.ones(FLIPPED, bool)
    for way in OPPOSITE:
        graphs = [{"objects": pair, "relations": [[0, way, 1]]} for pair in pairs]
        right &= SeenScenes(graphs, subject.model.sample(FLIPPED, seed=subject.seed, graph=graphs)).relations
    return [line(f"flipped_relation_accuracy_{FLIPPED}", mean_with_error(right), "fraction", split, began)]


@measurement("graph_diversity", missing=_no_graph)
def _graph_diversity(subject: Subject) -> Lines:
    """How far samples of one graph lie apart, over how far all real images do."""
    began, test = time.perf_counter(), subject.test
    graphs = np.repeat(test.features["graph"][graph_rows(test, FIXED, subject.seed)], DRAWINGS, axis=0)
    whole = spread(subject.reals, {})
    if not whole:
        return []
    images = subject.model.sample(len(graphs), seed=subject.seed, graph=graphs)
    value = spread(images, {"graph": graphs}) / whole
    return [line(f"graph_diversity_{FIXED}x{DRAWINGS}_{test.split}", value, "ratio", test.split, began, len(images))]
