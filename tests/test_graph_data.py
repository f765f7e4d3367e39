"""Data with scene graphs: drawn scenes, COCO and Visual Genome as they are handed out, sets that lie prepared."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen import data
from keras_gen.data.annotations import mask_of
from keras_gen.data.graph_making import box_of, centre_of, graphs_of, mask_in_box, relations_by_boxes
from keras_gen.data.relations import relation
from keras_gen.data.shapes import scenes_of

# --- drawn scenes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes():
    return data.load("shapes?objects=1-3&count=40&graphs=true")


def test_drawn_scenes_have_graphs_that_are_true(shapes):
    kind, scenes = shapes.kinds["graph"], scenes_of("?objects=1-3&count=40", "train")
    assert shapes.name == "shapes?count=40&graphs=true" and len(kind.objects) == 96 and kind.most_objects == 3
    np.testing.assert_array_equal(shapes.features["graph"], shapes.features["graphs"][:, 0])
    several = 0
    for row, scene in enumerate(scenes):
        things, boxes = scene.things, shapes.features["boxes"][row]
        np.testing.assert_allclose(boxes[: len(things)], scene.boxes(64), atol=1e-6)
        assert (boxes[len(things) :] == -1).all() and (shapes.features["masks"][row, len(things) :] == 2).all()
        assert shapes.features["masks"][row, : len(things)].max() == 1
        lies = scene.relations(64)
        graphs = kind.named(shapes.features["graphs"][row])
        several += len({json.dumps(graph) for graph in graphs}) > 1
        for graph in graphs:
            assert graph["objects"] == [f"{thing.size} {thing.colour} {thing.shape}" for thing in things]
            assert len(graph["relations"]) == (len(things) if len(things) > 1 else 0)
            assert all(s != o and lies[s][o] == name for s, name, o in graph["relations"])
    assert several > 10


def test_graphs_change_nothing_else(shapes):
    plain = data.load("shapes?objects=1-3&count=40")
    assert "graph" not in plain.features and not plain.kinds
    for name, values in plain.features.items():
        np.testing.assert_array_equal(values, shapes.features[name])
    with pytest.raises(kg.InvalidInput, match="graphs=true or false"):
        data.load("shapes?graphs=yes")


def test_every_object_has_a_relation():
    boxes = [[0, 0, 1, 1], [2, 0, 3, 1], [0.2, 0.2, 0.8, 0.8]]
    for triples in graphs_of(3, relations_by_boxes(boxes), np.random.default_rng(0)):
        assert len(triples) == 3 and all(place in (*triples[place][::2],) for place in range(3))
        for s, name, o in triples:
            middles = [((boxes[i][0] + boxes[i][2]) / 2, (boxes[i][1] + boxes[i][3]) / 2) for i in (s, o)]
            assert name == relation(boxes[s], middles[0], boxes[o], middles[1])
    assert graphs_of(1, None, np.random.default_rng(0)) == [[]] * 5


def test_masks_are_cut_to_their_boxes():
    mask = np.zeros((40, 20), bool)
    mask[10:30, 5:15] = True
    mask[10:20, 5:10] = False
    np.testing.assert_allclose(box_of(mask), [0.25, 0.25, 0.75, 0.75])
    small = mask_in_box(mask)
    assert small.shape == (16, 16) and not small[:8, :8].any() and small[8:].all() and small[:, 8:].all()
    assert centre_of(mask)[0] > 0.5 and centre_of(mask)[1] > 0.5


# --- COCO ----------------------------------------------------------------------------------------------------------------


def coco_folder(folder: Path, **changes) -> Path:
    """Two photographs a part, each of a dog left of a cat below a sky; the second of "val" of stuff alone."""
    (folder / "annotations").mkdir(parents=True)
    for part, first in (("train2017", 1), ("val2017", 11)):
        (folder / part).mkdir()
        images = [{"id": i, "file_name": f"{i:012}.jpg", "height": 20, "width": 40} for i in range(first, first + 3)]
        things, stuff = [], []
        for each in images:
            picture = np.full((20, 40, 3), 200, np.uint8)
            picture[10:, :10], picture[10:, 30:] = (255, 0, 0), (0, 0, 255)
            Image.fromarray(picture).save(folder / part / each["file_name"], quality=95)
            dog = {
                "category_id": 18,
                "bbox": [0, 10, 10, 10],
                "segmentation": [[0, 10, 9, 10, 9, 19, 0, 19]],
                "iscrowd": 0,
            }
            # Runs of columns: 30 whole columns of nothing, then 10 of nothing and 10 of cat in each.
            runs = [30 * 20 + 10, *[10] * 19]
            cat = {"category_id": 17, "bbox": [30, 10, 10, 10], "segmentation": {"size": [20, 40], "counts": runs}}
            tiny = {"category_id": 17, "bbox": [0, 0, 2, 2], "segmentation": [[0, 0, 1, 0, 1, 1]]}
            things += [{**own, "image_id": each["id"]} for own in (dog, cat, tiny)]
            sky = {"category_id": 157, "bbox": [0, 0, 40, 10], "segmentation": [[0, 0, 39, 0, 39, 9, 0, 9]]}
            other = {"category_id": 183, "bbox": [0, 0, 40, 20], "segmentation": [[0, 0, 39, 0, 39, 19, 0, 19]]}
            stuff += [{**own, "image_id": each["id"]} for own in (sky, other)]
        parts = {
            "instances": (things, [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}]),
            "stuff": (stuff, [{"id": 157, "name": "sky"}, {"id": 183, "name": "other"}]),
        }
        for what, (annotations, categories) in parts.items():
            whole = {"images": images, "annotations": annotations, "categories": categories}
            whole = changes.get(what, lambda whole: whole)(whole)
            (folder / "annotations" / f"{what}_{part}.json").write_text(json.dumps(whole))
    return folder


def test_coco_as_it_is_handed_out(tmp_path):
    folder = coco_folder(tmp_path / "coco")
    train = data.load(f"coco:{folder}?size=16")
    assert len(train) == 3 and train.image_spec.shape == (16, 16, 3) and train.name == f"coco:{folder}?size=16"
    kind = train.kinds["graph"]
    assert kind.objects == ("cat", "dog", "sky") and kind.most_objects == 8
    graph = kind.named(train.features["graph"][:1])[0]
    assert graph["objects"] == ["dog", "cat", "sky"] and len(graph["relations"]) == 3
    wanted = {(0, 1): "left of", (1, 0): "right of", (2, 0): "above", (2, 1): "above", (0, 2): "below", (1, 2): "below"}
    for graphs in train.features["graphs"]:
        for graph in kind.named(graphs):
            assert all(name == wanted[s, o] for s, name, o in graph["relations"])
    np.testing.assert_allclose(train.features["boxes"][0, :3], [[0, 0.5, 0.25, 1], [0.75, 0.5, 1, 1], [0, 0, 1, 0.5]])
    assert train.features["masks"][0, :3].mean() > 0.95 and (train.features["masks"][0, 3:] == 2).all()
    assert (train.images[0, 12, 14] > (-1, -1, 200)).all() and train.images[0, 12, 2, 0] > 200
    assert [len(data.load(f"coco:{folder}", split)) for split in ("validation", "test")] == [1, 2]
    (folder / "annotations" / "stuff_train2017.json").unlink()
    things = data.load(f"coco:{folder}?objects=1-2")
    assert things.kinds["graph"].objects == ("cat", "dog") and things.kinds["graph"].most_objects == 2


def _with(change):
    def changed(whole):
        change(whole)
        return whole

    return changed


@pytest.mark.parametrize(
    "what,change,match",
    [
        ("instances", lambda w: w["annotations"][0].update(image_id=77), "an annotation is of image 77"),
        ("instances", lambda w: w["annotations"][0].update(category_id=5), "shows category 5, which is none"),
        (
            "instances",
            lambda w: w["annotations"][0].update(bbox=[35, 10, 10, 10]),
            r"Image \d+ has a box .* outside of its 40x20",
        ),
        (
            "instances",
            lambda w: w["annotations"][0].update(segmentation=[[1, 2, 3]]),
            r"Image \d+: the segmentation .* no polygon",
        ),
        (
            "instances",
            lambda w: w["annotations"][1]["segmentation"].update(counts=[3]),
            r"Image \d+: the runs .* do not fill",
        ),
        (
            "instances",
            lambda w: w["annotations"][1]["segmentation"].update(size=[3, 3]),
            r"Image \d+: .* is not of 40x20",
        ),
        ("instances", lambda w: w["images"][0].update(height=21, width=41), r"Image \d+|is not of"),
        ("instances", lambda w: w["images"][0].update(file_name="none.jpg"), r"Image \d+ \(none.jpg\) is neither in"),
        ("instances", lambda w: w["images"][0].update(width=0), r"of \(20, 0\) pixels; wanted counts"),
        ("instances", lambda w: w["images"].append({**w["images"][0], "id": -4}), "image -4 .* an id from 0"),
        ("instances", lambda w: w["images"].append({**w["images"][0], "id": "x"}), "not in COCO's format"),
        ("instances", lambda w: w["annotations"][0].pop("bbox"), "not in COCO's format"),
        ("instances", lambda w: w.pop("annotations"), "wanted an object of images, annotations, categories"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(tmp_path, what, change, match):
    folder = coco_folder(tmp_path / "coco", **{what: _with(change)})
    with pytest.raises(kg.InvalidInput, match=match):
        data.load(f"coco:{folder}")


def test_what_is_no_coco_is_refused(tmp_path):
    (tmp_path / "annotations").mkdir()
    for name, match in (
        ("coco", "is no folder"),
        (f"coco:{tmp_path / 'none'}", "is no folder"),
        (f"coco:{tmp_path}", "cannot be read"),
        (f"coco:{tmp_path}?size=2", "known are"),
        (f"coco:{tmp_path}?objects=3-2", "known are"),
        (f"coco:{tmp_path}?sides=2", "known are"),
    ):
        with pytest.raises(kg.InvalidInput, match=match):
            data.load(name)


def packed(counts):
    """COCO's packing of runs."""
    text = ""
    for place, count in enumerate(counts):
        value = count - (counts[place - 2] if place > 2 else 0)
        while True:
            bits, value = value & 0x1F, value >> 5
            done = value == (-1 if bits & 0x10 else 0)
            text += chr(bits + 48 + (0 if done else 0x20))
            if done:
                break
    return text


def test_packed_runs_are_the_plain_ones():
    generator = np.random.default_rng(0)
    for _ in range(20):
        mask = generator.random((13, 7)) < generator.choice([0.05, 0.5, 0.95])
        flat = np.concatenate([[False], mask.T.reshape(-1)])
        counts = np.diff([0, *np.flatnonzero(flat[1:] != flat[:-1]), flat.size - 1]).tolist()
        for runs in (counts, packed(counts)):
            np.testing.assert_array_equal(mask_of({"size": [13, 7], "counts": runs}, 13, 7), mask)
    with pytest.raises(kg.InvalidInput, match="in the middle of a number"):
        mask_of({"size": [13, 7], "counts": "P"}, 13, 7)


# --- Visual Genome ---------------------------------------------------------------------------------------------------------


def genome_folder(folder: Path, splits=True) -> Path:
    """Ten photographs of a man who wears a hat beside a tree."""
    for part in ("VG_100K", "VG_100K_2"):
        (folder / part).mkdir(parents=True)
    numbers = range(1, 11)
    objects, relations = [], []
    for i in numbers:
        Image.new("RGB", (240, 200), (i, 100, 0)).save(folder / ("VG_100K" if i % 2 else "VG_100K_2") / f"{i}.jpg")
        boxes = {"man": (20, 20, 60, 160), "Cap": (20, 20, 40, 40), "tree": (140, 10, 90, 180), "ant": (5, 5, 8, 8)}
        objects.append(
            {
                "image_id": i,
                "objects": [
                    {"object_id": 10 * i + place, "names": [name], "x": x, "y": y, "w": w, "h": h}
                    for place, (name, (x, y, w, h)) in enumerate(boxes.items())
                ],
            }
        )
        triples = [(0, "WEARING", 1), (0, "next to", 2), (3, "on", 2)]
        relations.append(
            {
                "image_id": i,
                "relationships": [
                    {"predicate": name, "subject": {"object_id": 10 * i + s}, "object": {"object_id": 10 * i + o}}
                    for s, name, o in triples
                ],
            }
        )
    told = [{"image_id": i, "width": 240, "height": 200} for i in numbers]
    for name, value in (("objects", objects), ("relationships", relations), ("image_data", told)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    (folder / "object_alias.txt").write_text("hat,cap\n")
    (folder / "relationship_alias.txt").write_text("wears,wearing\n")
    if splits:
        (folder / "vg_splits.json").write_text(json.dumps({"train": [1, 2, 3, 4], "val": [5, 6], "test": [7, 8, 9]}))
    return folder


LEAST = "least_objects=2&least_relations=2"


def test_visual_genome_as_it_is_handed_out(tmp_path):
    folder = genome_folder(tmp_path / "vg")
    train = data.load(f"visual_genome:{folder}?{LEAST}&size=16")
    kind = train.kinds["graph"]
    assert kind.objects == ("ant", "hat", "man", "tree") and kind.relations == ("next to", "on", "wears")
    assert kind.most_objects == 9 and kind.most_relations == 30
    assert [len(data.load(f"visual_genome:{folder}?{LEAST}", split)) for split in ("train", "validation", "test")] == [
        4,
        2,
        3,
    ]
    graph, boxes = kind.named(train.features["graph"][:1])[0], train.features["boxes"][0]
    assert sorted(graph["objects"]) == ["hat", "man", "tree"]  # ants are too small
    names = {(graph["objects"][s], name, graph["objects"][o]) for s, name, o in graph["relations"]}
    assert names == {("man", "wears", "hat"), ("man", "next to", "tree")}
    np.testing.assert_allclose(boxes[graph["objects"].index("man")], [20 / 240, 0.1, 80 / 240, 0.9], rtol=1e-6)
    assert (train.features["masks"] == 2).all() and train.images.shape == (4, 16, 16, 3)
    # Without a file of splits every image has one by its id.
    (folder / "vg_splits.json").unlink()
    sizes = []
    for split in ("train", "validation", "test"):
        try:
            sizes.append(len(data.load(f"visual_genome:{folder}?{LEAST}", split)))
        except kg.InvalidInput:
            sizes.append(0)
    assert sum(sizes) == 10 and sizes[0] >= 5


def test_what_is_no_visual_genome_is_refused(tmp_path):
    folder = genome_folder(tmp_path / "vg")
    with pytest.raises(kg.InvalidInput, match="give smaller least_objects"):
        data.load(f"visual_genome:{folder}")
    with pytest.raises(kg.InvalidInput, match="known are"):
        data.load(f"visual_genome:{folder}?size=0")
    (folder / "VG_100K" / "1.jpg").unlink()
    with pytest.raises(kg.InvalidInput, match="Image 1 is neither in"):
        data.load(f"visual_genome:{folder}?{LEAST}")
    Image.new("RGB", (230, 200)).save(folder / "VG_100K" / "1.jpg")
    with pytest.raises(kg.InvalidInput, match="Image 1 .* is 230x200 pixels, its annotations are of 240x200"):
        data.load(f"visual_genome:{folder}?{LEAST}")
    (folder / "vg_splits.json").write_text(json.dumps({"train": [99], "val": [], "test": []}))
    with pytest.raises(kg.InvalidInput, match="has image 99, which image_data.json does not have"):
        data.load(f"visual_genome:{folder}?{LEAST}")
    told = json.loads((folder / "image_data.json").read_text())
    (folder / "image_data.json").write_text(json.dumps([*told, {**told[0], "image_id": "../1"}]))
    with pytest.raises(kg.InvalidInput, match="has image '../1'; wanted integers from 0"):
        data.load(f"visual_genome:{folder}?{LEAST}")
    (folder / "image_data.json").write_text(json.dumps(told))
    (folder / "objects.json").write_text("[{}]")
    (folder / "vg_splits.json").unlink()
    with pytest.raises(kg.InvalidInput, match="not in Visual Genome's format"):
        data.load(f"visual_genome:{folder}?{LEAST}")


# --- where they lie prepared -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name,count", [("coco_boxes_128_subset", 80), ("nlvr_boxes_subset", 27)])
def test_prepared_sets_have_graphs(name, count):
    if not (Path(os.environ.get("TFDS_DATA_DIR", "")) / name).is_dir():
        pytest.skip(f"{name} is not prepared here")
    found = data.load(f"{name}?size=32", "validation")
    kind = found.kinds["graph"]
    assert len(kind.objects) == count and found.image_spec.shape == (32, 32, 3) and len(found) > 20
    for name, kind in found.kinds.items():
        kind.check(name, found.features[name], len(found))
    with pytest.raises(kg.InvalidInput, match="known is"):
        data.load(f"{found.name.partition('?')[0]}?size=4")
