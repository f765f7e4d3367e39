"""Images with sentences: drawn scenes and what is true of them, folders, sets that lie prepared."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen import data
from keras_gen.core.captions import sentences_of, vocabulary_of, words_of
from keras_gen.data import shapes
from keras_gen.data.relations import OPPOSITES, RELATIONS, relation
from keras_gen.data.scene_captions import captions_of
from keras_gen.data.scenes import HELD_OUT, SEEN_PAIRS, Scene, Thing, pictures, scene_of

SMALL = "shapes?objects=1&count=120"


# --- relations -----------------------------------------------------------------------------------------------------------


def lying(x, y, half=1.0):
    return (x - half, y - half, x + half, y + half), (x, y)


@pytest.mark.parametrize(
    "subject,wanted",
    [
        ((0, 4), "left of"),
        ((8, 4), "right of"),
        ((4, 0), "above"),  # y grows downwards
        ((4, 8), "below"),
        ((0, 0), "left of"),  # the diagonals, which two quarters share
        ((0, 8), "left of"),
        ((8, 0), "right of"),
        ((8, 8), "below"),
        ((0, 3), "left of"),
        ((5, 1), "above"),
    ],
)
def test_the_direction_between_centres_is_the_relation(subject, wanted):
    assert relation(*lying(*subject), *lying(4, 4)) == wanted


def test_boxes_within_each_other_are_the_relation():
    inner, outer = lying(4.2, 4, 0.5), lying(4, 4, 2)
    assert relation(*inner, *outer) == "inside" and relation(*outer, *inner) == "surrounding"
    touching = lying(2.5, 4, 0.5)  # not strictly within
    assert relation(*touching, *outer) == "left of"


def test_exchanging_the_two_inverts_a_relation():
    generator, met = np.random.default_rng(0), set()
    for _ in range(300):
        one, other = (lying(*generator.uniform(0, 8, 2), generator.uniform(0.2, 4)) for _ in range(2))
        found = relation(*one, *other)
        assert relation(*other, *one) == OPPOSITES[found]
        met.add(found)
    assert met == set(RELATIONS)


# --- scenes --------------------------------------------------------------------------------------------------------------


def drawn(number, least=1, most=8):
    generator = np.random.Generator(np.random.Philox(key=number))
    return scene_of(generator, least, most, SEEN_PAIRS, SEEN_PAIRS), generator


def test_scenes_hold_as_many_things_as_asked_and_these_do_not_overlap():
    counts = set()
    for number in range(60):
        scene, _ = drawn(number)
        counts.add(len(scene.things))
        masks, boxes = scene.masks(64), scene.boxes(64)
        assert (masks.sum(axis=0) <= 1).all() and (masks.sum(axis=(1, 2)) >= 4).all()
        assert (boxes[:, :2] < boxes[:, 2:]).all() and boxes.min() >= 0 and boxes.max() <= 1
        for mask, (x0, y0, x1, y1) in zip(masks, np.round(boxes * 64).astype(int)):
            assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert counts == set(range(1, 9))


def test_what_is_drawn_is_where_the_scene_says():
    """A thing's pixels are of its colour, those of the ground are light."""
    thing = Thing("large", "plain", "red", "circle", 0.5, 0.5, 0.3, 0.0)
    scene = Scene((thing,), 0, 0.0)
    for side in (32, 64):
        image, mask = pictures([scene], side)[0].astype(int), scene.masks(side)[0]
        assert abs(mask.mean() - np.pi * 0.29**2) < 0.02
        np.testing.assert_allclose(scene.boxes(side)[0], [0.2, 0.2, 0.8, 0.8], atol=2 / side)
        assert np.median(image[mask][:, 0]) > 150 and np.median(image[mask][:, 1]) < 80
        assert image[~mask].min() > 20 and np.median(image[~mask]) > 220
    inner = Thing("small", "plain", "blue", "square", 0.5, 0.5, 0.1, 0.0)
    nested = Scene((inner, thing), 0, 0.0)
    masks = nested.masks(32)
    assert nested.relations(32) == [[None, "inside"], ["surrounding", None]]
    assert not (masks[0] & masks[1]).any() and masks[1].sum() + masks[0].sum() == scene.masks(32)[0].sum()


def test_one_scene_is_the_same_at_both_sizes():
    small, large = (data.load(f"shapes?objects=1-8&count=12&side={side}") for side in (32, 64))
    halved = large.images.reshape(12, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - small.images).mean() < 12
    assert large.image_spec == kg.ImageSpec(64, 64, 3)


def test_scenes_are_a_function_of_split_and_number():
    few, many = data.load("shapes?count=20"), data.load("shapes?count=40")
    for name, values in few.features.items():
        np.testing.assert_array_equal(values, many.features[name][:20])
    test, validation = data.load("shapes?count=40", "test"), data.load("shapes?count=40", "validation")
    assert len(test) == len(validation) == 10 and (test.images != validation.images).any()
    assert few.name == "shapes?count=20" and "label" not in few.features


def test_captions_are_true():
    for number in range(120):
        scene, generator = drawn(number, 1, 4)
        relations = scene.relations(32) if len(scene.things) > 1 else [[None]]
        for caption in captions_of(scene, relations, generator):
            words = words_of(caption)
            assert len(caption) <= 128 and caption == caption.lower()
            told = [(t, r) for t in scene.things for r in [f"{t.colour} {t.shape}"] if r in caption]
            assert told
            if len(scene.things) == 1:
                (thing,) = scene.things
                assert {"small", "large"} & set(words) <= {thing.size}
                assert {"plain", "striped", "dotted"} & set(words) <= {thing.texture}
                for word, true in (("left", thing.x < 0.45), ("right", thing.x > 0.55), ("top", thing.y < 0.45)):
                    assert true or word not in words
            elif " above " in caption:
                one, other = caption.split(" above ")
                assert any(f"{s.colour} {s.shape}" in one and f"{o.colour} {o.shape}" in other and s.y < o.y
                           for s in scene.things for o in scene.things if s is not o)  # fmt: skip


def test_pairs_that_are_held_out_are_in_no_training_scene():
    for split in ("train", "validation"):
        for scene in shapes.scenes_of("?objects=1-4&count=300", split):
            assert not {(t.colour, t.shape) for t in scene.things} & set(HELD_OUT)
    test = data.load(SMALL, "test")
    assert test.features["held_out"].tolist() == [0, 1] * 6
    names = {test.label_names[label] for label in test.features["label"][1::2]}
    assert names <= {f"{colour} {shape}" for colour, shape in HELD_OUT}
    everywhere = shapes.scenes_of("?objects=1&count=300&held_out=false", "train")
    assert any((s.things[0].colour, s.things[0].shape) in HELD_OUT for s in everywhere)
    # All their words are known from other scenes.
    known = vocabulary_of(data.load(SMALL.replace("120", "600")).features["captions"])
    assert set(vocabulary_of(test.features["captions"])) <= set(known)


def test_labels_name_what_a_lone_thing_is():
    for label in ("pair", "colour", "shape", "size", "texture", "place"):
        found = data.load(f"{SMALL}&label={label}".replace("120", "40"))
        for number, first in zip(found.features["label"], sentences_of(found.features["captions"][:, 0])):
            assert found.label_names[number] in first


@pytest.mark.parametrize(
    "name",
    [
        "shapes:3",
        "shapes?side=48",
        "shapes?objects=0",
        "shapes?objects=3-1",
        "shapes?objects=1-9",
        "shapes?objects=1-2-3",
    ]
    + ["shapes?count=0", "shapes?count=1e3", "shapes?label=area", "shapes?held_out=yes", "shapes?colour=red"],
)
def test_options_of_shapes_that_cannot_be(name):
    with pytest.raises(kg.InvalidInput, match="shapes got"):
        data.load(name)


# --- folders -------------------------------------------------------------------------------------------------------------


CAPTIONS = {"a.png": ["A red dot.", "it is red"], "sub/b.png": "one GREEN dot", "c.png": "a blue dot"}


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "validation", "test"):
        (tmp_path / split / "sub").mkdir(parents=True)
        for number, name in enumerate(CAPTIONS):
            Image.fromarray(np.full((8, 8, 3), 80 * number, np.uint8)).save(tmp_path / split / name)
    write(tmp_path)
    return tmp_path


def write(folder: Path, change=lambda captions: captions):
    whole = {f"{split}/{name}": text for split in ("train", "validation", "test") for name, text in CAPTIONS.items()}
    (folder / "captions.json").write_text(json.dumps(change(whole)))


def test_a_folder_with_captions(folder):
    found = data.load(f"captioned_folder:{folder}")
    assert found.features["captions"].shape == (3, 2, 201)
    wanted = {0: ["a red dot.", "it is red"], 80: ["one green dot"] * 2, 160: ["a blue dot"] * 2}
    for image, captions in zip(found.images, found.features["captions"]):
        assert sentences_of(captions) == wanted[image[0, 0, 0]]
    assert set(sentences_of(found.features["caption"])) <= {text for texts in wanted.values() for text in texts}
    whole = json.loads((folder / "captions.json").read_text())
    (folder / "captions.json").unlink()
    with open(folder / "captions.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        rows.writerows((n, t) for n, texts in whole.items() for t in ([texts] if isinstance(texts, str) else texts))
    again = data.load(f"captioned_folder:{folder}")
    for name, values in found.features.items():
        np.testing.assert_array_equal(values, again.features[name])


@pytest.mark.parametrize(
    "change,match",
    [
        (lambda c: {k: v for k, v in c.items() if k != "test/c.png"}, "test/c.png has no caption"),
        (lambda c: {**c, "d.png": "a dot"}, "'d.png' has a caption, but there is no such picture"),
        (lambda c: {**c, "test/c.png": " . "}, "of 'test/c.png' is empty"),
        (lambda c: {**c, "test/c.png": []}, "wanted a sentence or a list"),
        (lambda c: {**c, "test/c.png": 3}, "wanted a sentence or a list"),
        (lambda c: [*c], "holds a list; wanted an object"),
    ],
)
def test_captions_that_do_not_fit_their_pictures(folder, change, match):
    write(folder, change)
    with pytest.raises(kg.InvalidInput, match=match):
        data.load(f"captioned_folder:{folder}")


def test_files_of_captions_that_cannot_be_read(folder):
    (folder / "captions.csv").write_text("picture,text\n")
    with pytest.raises(kg.InvalidInput, match="both captions.json and captions.csv"):
        data.load(f"captioned_folder:{folder}")
    (folder / "captions.json").unlink()
    with pytest.raises(kg.InvalidInput, match="wanted 'image' and 'caption'"):
        data.load(f"captioned_folder:{folder}")
    (folder / "captions.csv").write_text("image,caption\ntrain/a.png\n")
    with pytest.raises(kg.InvalidInput, match="line 2 holds no image and caption"):
        data.load(f"captioned_folder:{folder}")
    (folder / "captions.csv").unlink()
    with pytest.raises(kg.InvalidInput, match="neither captions.json nor captions.csv"):
        data.load(f"captioned_folder:{folder}")
    for content in (b"{", b"\xff\xfe\x00", b"[" * 100_000):
        (folder / "captions.json").write_bytes(content)
        with pytest.raises(kg.InvalidInput, match="captions.json cannot be read"):
            data.load(f"captioned_folder:{folder}")


# --- sets that lie prepared ------------------------------------------------------------------------------------------------

PREPARED = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser() / "flickr8k_64"


@pytest.mark.skipif(not PREPARED.is_dir(), reason="the real data sets are prepared where TFDS_DATA_DIR points")
def test_prepared_sets_with_captions():
    faces = data.load("anime_faces_64_subset?label=eyes", "test")
    for label, text in zip(faces.features["label"], sentences_of(faces.features["caption"])):
        assert f"{faces.label_names[label]} eyes" in text
    assert len(vocabulary_of(faces.features["caption"])) < 30
    with pytest.raises(kg.InvalidInput, match=r"known is \?label=hair"):
        data.load("anime_faces_64_subset?label=nose")
    photographs = data.load("flickr8k_64", "validation")
    assert photographs.features["captions"].shape == (1000, 5, 201) and photographs.image_spec == kg.ImageSpec(
        64, 64, 3
    )
    assert len(words_of(sentences_of(photographs.features["caption"][:1])[0])) > 3
    with pytest.raises(kg.InvalidInput, match="takes no"):
        data.load("flickr8k_64?size=32")
