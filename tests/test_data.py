"""Data sets by name, their splits and the order in which training meets them."""

import os

import numpy as np
import pytest
from PIL import Image

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
    assert not list(tmp_path.rglob("*.tfrecord*"))


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
    ],
)
def test_the_real_data_sets(name, spec, sizes):
    for split, size in zip(("train", "validation", "test"), sizes):
        part = data.load(name, split)
        assert len(part) == size and part.image_spec == kg.ImageSpec(*spec)


@pytest.fixture
def pictures(tmp_path):
    generator = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for index in range(30):
            path = tmp_path / label / f"{index}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path


def test_a_folder_of_pictures(pictures):
    parts = [data.load(f"image_folder:{pictures}?size=16", split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 60 and len(parts[0]) > 30
    assert parts[0].image_spec == kg.ImageSpec(16, 16, 3)
    assert set(parts[0].features["label"]) == {0, 1}
    grey = data.load(f"image_folder:{pictures}?channels=1")
    assert grey.image_spec == kg.ImageSpec(20, 24, 1)


def test_own_split_folders_are_honoured(pictures):
    (pictures / "cat").rename(pictures / "train")
    (pictures / "dog").rename(pictures / "test")
    assert len(data.load(f"image_folder:{pictures}", "train")) == 30
    with pytest.raises(kg.InvalidInput, match="no image for split 'validation'"):
        data.load(f"image_folder:{pictures}", "validation")


def test_a_truncated_picture_is_named_and_skipped_only_on_request(pictures):
    (pictures / "cat").rename(pictures / "train")
    broken = pictures / "train" / "7.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(kg.InvalidInput, match=r"7\.png cannot be read.*skip_unreadable=true"):
        data.load(f"image_folder:{pictures}")
    assert len(data.load(f"image_folder:{pictures}?skip_unreadable=true")) == 29


@pytest.mark.parametrize("query", ["size=big", "channels=2", "skip_unreadable=maybe", "colour=red"])
def test_bad_folder_options_are_refused(pictures, query):
    with pytest.raises(kg.InvalidInput, match="size=PIXELS"):
        data.load(f"image_folder:{pictures}?{query}")


def test_pictures_of_two_sizes_need_a_size(pictures):
    (pictures / "cat").rename(pictures / "train")
    Image.new("RGB", (9, 9)).save(pictures / "train" / "odd.png")
    with pytest.raises(kg.InvalidInput, match="size=64"):
        data.load(f"image_folder:{pictures}")
