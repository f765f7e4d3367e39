"""Data sets by name, their splits and the order in which training meets them."""

import os

import numpy as np
import pytest

import keras_gen as kg
from keras_gen import data
from keras_gen.core.image_data import ImageData

PREPARED = os.environ.get("TFDS_DATA_DIR")


def test_digits_splits_are_apart_and_whole():
    splits = {split: data.load("digits", split) for split in ("train", "validation", "test")}
    assert {split: len(part) for split, part in splits.items()} == {"train": 1258, "validation": 180, "test": 359}
    for part in splits.values():
        assert part.image_spec == kg.ImageSpec(8, 8, 1, 17)
        assert set(np.unique(part.features["label"])) == set(range(10))
        assert part.images.max() == 16


def test_order_is_a_function_of_seed_and_epoch():
    source = data.load("digits")

    def order(**options):
        return [np.asarray(batch["image"]) for batch in source.batches(256, **options)]

    both = order(epochs=2, seed=3)
    assert len(both) == 2 * (1258 // 256)
    for resumed, straight in zip(order(epochs=2, first_epoch=1, seed=3), both[4:]):
        np.testing.assert_array_equal(resumed, straight)
    assert not np.array_equal(both[0], both[4])
    assert not np.array_equal(both[0], order(seed=4)[0])
    unshuffled = np.concatenate(order(shuffle=False, drop_remainder=False))
    np.testing.assert_array_equal(unshuffled, source.images)


def test_flips_are_seeded_and_belong_to_the_image():
    source = data.load("digits", "validation")

    def flipped(seed, shuffle):
        found = {}
        for batch in source.batches(30, seed=seed, shuffle=shuffle, augment="flip"):
            for image in np.asarray(batch["image"]):
                found[min(image.tobytes(), image[:, ::-1].tobytes())] = image.tobytes()
        return found

    one = flipped(1, shuffle=False)
    assert one == flipped(1, shuffle=True)
    assert one != flipped(2, shuffle=False)
    originals = {image.tobytes() for image in source.images}
    kept = sum(value in originals for value in one.values())
    assert 0.3 < kept / len(one) < 0.7


def test_binarized_draws_each_pixel_with_its_own_probability():
    grey = np.full((400, 5, 5, 1), 64, np.uint8)
    binary = ImageData("grey", "train", kg.ImageSpec(5, 5, 1, 256), {"image": grey}).binarized(seed=1)
    assert binary.image_spec.levels == 2 and set(np.unique(binary.images)) == {0, 1}
    assert abs(binary.images.mean() - 64 / 255) < 0.02


def test_label_names_stay_with_the_labels():
    source = data.load("digits", "validation")
    assert source.label_names == tuple("0123456789") and source.binarized().label_names == source.label_names
    assert repr(source) == (
        "digits (validation): 180 8x8x1 images of 17 levels, labels 0 0, 1 1, 2 2, 3 3, 4 4, 5 5, 6 6, 7 7, 8 8, 9 9"
    )
    many = ImageData("many", "train", source.image_spec, source.features, tuple(f"class {k}" for k in range(1000)))
    assert "0 class 0, 1 class 1" in repr(many) and repr(many).endswith("19 class 19 and 980 more")


@pytest.mark.parametrize(
    "features,message",
    [
        ({}, "no 'image'"),
        (None, "no 'image'"),
        ({"image": np.zeros((2, 4, 4, 1), np.uint8), "label": 3}, "a single value of 'label' for 2 images"),
        ({"image": np.zeros((2, 4, 4, 1), np.uint8), "label": [1]}, "1 values of 'label' for 2 images"),
        ({"image": [[1], [2, 3]]}, "'image' of mine make no array"),
    ],
)
def test_features_are_checked(features, message):
    with pytest.raises(kg.InvalidInput, match=message):
        ImageData("mine", "train", kg.ImageSpec(4, 4, 1), features)


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"height": 8, "width": 8},
        {"height": 8, "width": 8, "channels": 1, "depth": 3},
        {"height": True, "width": 8, "channels": 1},
        {1: 8, 2: 8, 3: 1},
        (8, 8),
        (8, 8, True),
        (8, 8, np.bool_(True)),
        (8.0, 8, 1),
        (0, 8, 1),
        (8, 8, 1, 257),
        (8, 8, 1, 1),
        "8x8x1",
        8,
    ],
)
def test_what_describes_no_image_is_refused(description):
    with pytest.raises(kg.InvalidInput, match="ImageSpec"):
        kg.ImageSpec.from_any(description)


def test_numpy_integers_describe_an_image():
    spec = kg.ImageSpec.from_any({"height": np.int64(8), "width": np.uint8(8), "channels": 1})
    assert spec == kg.ImageSpec(8, 8, 1) and type(spec.height) is int


@pytest.mark.parametrize(
    "name,split,message",
    [
        ("digit", "train", "Did you mean 'digits'"),
        ("digits", "dev", "train, validation, test"),
        ("digits:8", "train", "takes no ':8'"),
        ("image_folder:/no/such", "train", "no folder"),
        ("image_folder:", "train", "no folder"),
    ],
)
def test_unknown_names_are_refused(name, split, message):
    with pytest.raises(kg.InvalidInput, match=message):
        data.load(name, split)


def test_nothing_is_downloaded_unless_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(kg.InvalidInput, match="--download.*TFDS_DATA_DIR"):
        data.load("mnist")
    with pytest.raises(kg.InvalidInput, match="nobody offers it for download; set TFDS_DATA_DIR"):
        data.load("anime_faces_64_subset", download=True)
    assert not list(tmp_path.rglob("*.tfrecord*"))


@pytest.mark.skipif(not PREPARED, reason="the real data sets are prepared where TFDS_DATA_DIR points")
def test_drawn_faces_are_labelled_by_their_hair():
    faces = data.load("anime_faces_64_subset", "test")
    assert len(faces.label_names) == 12 and faces.label_names.index("aqua") == 2
    upper = faces.images[:, :24].astype(float).mean(axis=(1, 2))  # hair is on top
    mean = {
        name: upper[faces.features["label"] == faces.label_names.index(name)].mean(axis=0) for name in ("red", "blue")
    }
    assert mean["red"][0] > mean["red"][2] and mean["blue"][2] > mean["blue"][0]


def test_a_prepared_data_set_loads(tmp_path, monkeypatch):
    """A tiny MNIST written by tensorflow-datasets itself, so that the real reader runs without the real data."""
    import tensorflow_datasets as tfds

    official = tfds.builder("mnist", data_dir=tmp_path)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (5040, 28, 28, 1), dtype=np.uint8)
    labels = generator.integers(0, 10, 5040)

    def examples(rows):
        return ({"image": images[row], "label": labels[row]} for row in rows)

    official.data_path.mkdir(parents=True)
    writer = tfds.core.SequentialWriter(official.info, max_examples_per_shard=10_000)
    writer.initialize_splits(["train", "test"])
    writer.add_examples({"train": list(examples(range(5030))), "test": list(examples(range(5030, 5040)))})
    writer.close_all()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    sizes = {split: len(data.load("mnist", split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 30, "validation": 5000, "test": 10}
    loaded = data.load("mnist", "test")
    assert loaded.label_names == tuple("0123456789")
    assert loaded.image_spec == kg.ImageSpec(28, 28, 1)
    wanted = {image.tobytes(): label for image, label in zip(images[5030:], labels[5030:])}
    assert {image.tobytes(): label for image, label in zip(loaded.images, loaded.features["label"])} == wanted


@pytest.mark.skipif(not PREPARED, reason="the real data sets are prepared where TFDS_DATA_DIR points")
@pytest.mark.parametrize(
    "name,spec,sizes",
    [
        ("mnist", (28, 28, 1, 256), (55_000, 5_000, 10_000)),
        ("binarized_mnist", (28, 28, 1, 2), (50_000, 10_000, 10_000)),
        ("cifar10", (32, 32, 3, 256), (45_000, 5_000, 10_000)),
        ("anime_faces_64_subset", (64, 64, 3, 256), (2_250, 250, 250)),
    ],
)
def test_the_real_data_sets(name, spec, sizes):
    for split, size in zip(("train", "validation", "test"), sizes):
        part = data.load(name, split)
        assert len(part) == size and part.image_spec == kg.ImageSpec(*spec)
