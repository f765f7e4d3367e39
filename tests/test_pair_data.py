"""Pairs and unpaired sets by name: from folders, made of other data sets, drawn, and through tensorflow-datasets."""

import os

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.feature import canny

import keras_gen as kg
from keras_gen import data
from keras_gen.core.lab import lightness, rgb_to_lab
from keras_gen.core.pictures import image_grid
from keras_gen.data import decoding
from keras_gen.data.drawn_shapes import picture
from keras_gen.data.edges import HIGH, LOW, edges
from keras_gen.metrics.features import default_space

PREPARED = os.environ.get("TFDS_DATA_DIR")
SPLITS = ("train", "validation", "test")


# --- folders ------------------------------------------------------------------------------------------------------------


def make(path, value, size=(6, 6)):
    """A picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


LAYOUTS = {
    "A/train": lambda split, side, name: f"{side}/{split}/{name}",
    "train/A": lambda split, side, name: f"{split}/{side}/{name}",
    "trainA": lambda split, side, name: f"{split}{side}/{name}",
}


def sides(
    folder, layout="trainA", names=("A", "B"), splits=("train", "val", "test"), count=6, suffixes=(".png", ".png")
):
    """Pairs whose source is 100 lighter than the image."""
    for number, split in enumerate(splits):
        for index in range(count):
            for side, suffix, more in zip(names, suffixes, (100, 0)):
                make(folder / LAYOUTS[layout](split, side, f"{index}{suffix}"), 10 * number + index + more)


@pytest.fixture
def undecoded(monkeypatch):
    monkeypatch.setattr(decoding, "decode", lambda *_: pytest.fail("decoded before it was refused"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_of_two_folders(tmp_path, layout):
    sides(tmp_path, layout, suffixes=(".bmp", ".png"))
    for number, split in enumerate(SPLITS):
        part = data.load(f"paired_folder:{tmp_path}", split)
        assert part.images[:, 0, 0, 0].tolist() == [10 * number + index for index in range(6)]
        np.testing.assert_array_equal(part.features["source"], part.images + 100)
        assert part.paired and part.image_spec == part.source_spec == kg.ImageSpec(6, 6, 3)
        apart = data.load(f"unpaired_folder:{tmp_path}", split)
        assert not apart.paired and not apart.truth_known
        np.testing.assert_array_equal(apart.features["source"], apart.images + 100)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_without_folders_are_held_out_with_their_partners(tmp_path, layout):
    sides(tmp_path, layout, names=("labels", "photos"), splits=("train",), count=40, suffixes=(".png", ".bmp"))
    query = "?source=labels&image=photos"
    parts = [data.load(f"paired_folder:{tmp_path}{query}", split) for split in SPLITS]
    assert sum(map(len, parts)) == 40 and len(parts[0]) > 25
    for part in parts:
        np.testing.assert_array_equal(part.features["source"], part.images + 100)


def test_pictures_side_by_side(tmp_path):
    for index in range(20):
        halves = [np.full((6, 6, 3), value, np.uint8) for value in (index + 100, index)]
        path = tmp_path / ("train" if index < 18 else "test") / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.concatenate(halves, axis=1)).save(path)
    for query, shape in (("", (6, 6, 3)), ("?size=4", (4, 4, 3)), ("?channels=1", (6, 6, 1))):
        part = data.load(f"paired_folder:{tmp_path}{query}")
        np.testing.assert_array_equal(part.features["source"], part.images + 100)  # no half bleeds into the other
        assert part.image_spec.shape == shape
    assert len(data.load(f"paired_folder:{tmp_path}", "test")) == 2
    other = data.load(f"reverse:paired_folder:{tmp_path}?size=4")
    np.testing.assert_array_equal(other.features["source"], other.images - 100)


def test_unpaired_folders_hold_any_numbers_and_sizes(tmp_path):
    for index in range(3):
        make(tmp_path / "trainA" / f"{index}.png", 5, (8, 8))
    for index in range(7):
        make(tmp_path / "trainB" / f"b{index}.jpg", 9, (6, 6))
    for side in "AB":
        make(tmp_path / f"valid{side}" / "x.png", 1, (8, 8))
        make(tmp_path / f"test{side}" / "x.png", 1, (8, 8))
    with pytest.raises(kg.InvalidInput, match=r"b0.jpg is \[6, 6\]|x.png is \[8, 8\].*\?size=64"):
        data.load(f"unpaired_folder:{tmp_path}")
    part = data.load(f"unpaired_folder:{tmp_path}?size=4")
    assert (len(part.features["source"]), len(part.images), len(part)) == (3, 7, 7)


def wrong_sizes(folder):
    sides(folder, "train/A")
    make(folder / "train" / "B" / "3.png", 1, (6, 8))


def alone(folder):
    sides(folder, "train/A")
    make(folder / "train" / "A" / "z.png", 1)


def named_twice(folder):
    sides(folder, "train/A")
    make(folder / "train" / "A" / "3.jpg", 1)


def no_side(folder):
    sides(folder, "trainA")
    for path in (folder / "testB").iterdir():
        path.unlink()
    (folder / "testB").rmdir()


def empty_side(folder):
    sides(folder, "trainA")
    for path in (folder / "trainB").iterdir():
        path.unlink()


def half_split(folder):
    sides(folder, "train/A")
    for side in "AB":
        (folder / "test" / side).rename(folder / "test" / f"other{side}")


def only_one(folder):
    make(folder / "A" / "1.png", 1)


def damaged(folder):
    sides(folder, "trainA")
    (folder / "trainB" / "2.png").write_bytes(b"no picture")


def odd(folder):
    make(folder / "train" / "1.png", 1, (6, 13))


BAD = {
    "paired_folder": [
        (wrong_sizes, "", r"train/A/3.png is \[6, 6\], .*train/B/3.png is \[6, 8\]; the pictures of a pair"),
        (alone, "", r"train/A/z.png has no partner, .*train/B/z of any suffix \(there are 19 sources and 18 images"),
        (named_twice, "", "3.jpg and .*3.png have one name"),
        (odd, "", "13 pixels wide.*even"),
        (sides, "?direction=reverse", "known are.*source=NAME and image=NAME"),
        (sides, "?size=", "known are size="),
    ],
    "unpaired_folder": [(odd, "", "no folders of two kinds; wanted A/ and B/")],
    "both": [
        (no_side, "", r"holds testA/, but no folder of its 'B' pictures"),
        (empty_side, "", "trainB holds no image"),
        (half_split, "", "test has no folder 'A' as"),
        (only_one, "", "holds A/, but no folder of its 'B' pictures"),
        (damaged, "", "trainB/2.png cannot be read as an image"),
    ],
}


@pytest.mark.parametrize(
    "kind,break_it,query,words",
    [
        (kind, *case)
        for group, cases in BAD.items()
        for case in cases
        for kind in (("paired_folder", "unpaired_folder") if group == "both" else (group,))
    ],
)
def test_what_is_wrong_in_folders_is_named_before_decoding(tmp_path, undecoded, kind, break_it, query, words):
    break_it(tmp_path)
    with pytest.raises(kg.InvalidInput, match=words):
        data.load(f"{kind}:{tmp_path}{query}")


def test_of_a_damaged_pair_both_are_skipped_on_request(tmp_path):
    damaged(tmp_path)
    part = data.load(f"paired_folder:{tmp_path}?skip_unreadable=true")
    assert part.images[:, 0, 0, 0].tolist() == [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(part.features["source"], part.images + 100)
    apart = data.load(f"unpaired_folder:{tmp_path}?skip_unreadable=true")
    assert len(apart.images) == 5 and len(apart.features["source"]) == 6


# --- made of others -----------------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    """Smooth coloured pictures of 16 px."""
    generator = np.random.default_rng(0)
    for index in range(30):
        coarse = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((16, 16), Image.Resampling.BICUBIC).save(tmp_path / f"{index}.png")
    return f"image_folder:{tmp_path}"


def test_colourless_pictures_keep_the_lightness(photos):
    part = data.load(f"colorize:{photos}?size=8")
    assert part.source_spec == kg.ImageSpec(8, 8, 1) and part.image_spec == kg.ImageSpec(8, 8, 3)
    found = lightness(part.features["source"] / np.float32(255))[..., 0]
    np.testing.assert_allclose(found, rgb_to_lab(part.images / np.float32(255))[..., 0], atol=0.4)  # half a level
    with pytest.raises(kg.InvalidInput, match="have no colours"):
        data.load("colorize:digits")


def test_reduced_pictures_are_enlarged_again(photos):
    part = data.load(f"upscale:{photos}?factor=2&channels=1", "test")
    assert part.source_spec == part.image_spec and part.name.endswith("?factor=2")
    for source, image in zip(part.features["source"][..., 0], part.images[..., 0]):
        small = Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC)
        np.testing.assert_allclose(source, np.asarray(small.resize((16, 16), Image.Resampling.BICUBIC)), atol=4)
    digits = data.load("upscale:digits")
    assert digits.source_spec.levels == 17 and digits.features["source"].max() <= 16 and "label" in digits.features
    assert (
        default_space("upscale:cifar10?factor=4") == default_space("unpaired:colorize:cifar10") == "classifier_cifar10"
    )
    assert default_space("reverse:colorize:cifar10") == default_space("image_folder:/cifar10") == "random_conv"


def test_padded_images_stand_in_the_middle():
    digits, padded = data.load("digits", "test"), data.load("pad:digits?size=13", "test")
    assert padded.name == "pad:digits?size=13" and padded.image_spec == kg.ImageSpec(13, 13, 1, 17)
    np.testing.assert_array_equal(padded.images[:, 2:10, 2:10], digits.images)
    assert padded.images.sum() == digits.images.sum()
    np.testing.assert_array_equal(padded.features["label"], digits.features["label"])
    assert default_space("pad:mnist?size=32") == "classifier_mnist"


def test_the_middle_is_gone(photos):
    part = data.load(f"inpaint:{photos}")
    source = part.features["source"]
    assert (source[:, 4:12, 4:12] == 255).all()
    changed = (source != part.images).any(axis=(0, 3))
    assert changed.sum() == 64 and changed[4:12, 4:12].all()


def test_steep_edges_are_those_of_another_implementation():
    """To a pixel, corners apart; where edges are weak, a gap decides whether they hang on a steep one."""
    generator = np.random.default_rng(0)
    steps = generator.random((5, 6, 6)).repeat(6, axis=1).repeat(6, axis=2)
    for image, lines in zip(steps, edges(steps) == 0):
        np.testing.assert_array_equal(edges(image[None])[0] == 0, lines)  # whatever its neighbours are
        smooth = ndimage.gaussian_filter(image, 1.0)
        steepness = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
        top = steepness.max()
        theirs = canny(image, 1.0, LOW * top, HIGH * top, mode="reflect")
        inside = np.pad(steepness[2:-2, 2:-2] > HIGH * top, 2)  # it looks for none at the border
        for one, other in ((lines, theirs), (theirs, lines)):
            assert ndimage.binary_dilation(other, np.ones((3, 3)))[one & inside].mean() > 0.95


def test_edges_of_a_square_are_its_outline():
    image = np.zeros((1, 20, 20), np.float32)
    image[0, 6:14, 6:14] = 1
    lines = edges(image)[0] == 0
    rows, columns = np.nonzero(lines)
    assert {rows.min(), columns.min()} <= {5, 6} and {rows.max(), columns.max()} <= {13, 14}
    assert not lines[8:12, 8:12].any() and 20 <= lines.sum() <= 32
    part = data.load("edges:digits", "test")
    assert part.source_spec == kg.ImageSpec(8, 8, 1, 2) and 0.1 < part.features["source"].mean() < 0.9


def test_sides_change_places_and_come_apart(photos):
    straight, other = (data.load(f"{way}colorize:{photos}", "test") for way in ("", "reverse:"))
    assert other.image_spec == straight.source_spec and other.name == f"reverse:{straight.name}"
    np.testing.assert_array_equal(other.images, straight.features["source"])
    apart = data.load(f"unpaired:reverse:colorize:{photos}", "test")
    assert not apart.paired and apart.truth_known
    np.testing.assert_array_equal(apart.images, other.images)


def test_two_classes_as_two_sets():
    part = data.load("unpaired_classes:digits?source=3&image=8")
    of = data.load("digits")
    np.testing.assert_array_equal(part.features["source"], of.images[of.features["label"] == 3])
    np.testing.assert_array_equal(part.images, of.images[of.features["label"] == 8])
    other = data.load("reverse:unpaired_classes:digits?source=3&image=8")
    np.testing.assert_array_equal(other.images, part.features["source"])
    assert set(part.features) == {"image", "source"} and part.label_names is None and part.redistributable


@pytest.mark.parametrize(
    "name,words",
    [
        ("colorize", "name it, as 'colorize:cifar10'"),
        ("reverse:", "name it, as 'reverse:colorize:cifar10'"),
        ("colorize:digit", "Did you mean 'digits'"),
        ("upscale:digits?factor=3", "divides 8 and 8"),
        ("pad:digits", r"size='' for 8x8x1.*'\?size=SIDE' of 8 or more"),
        ("pad:digits?size=7", "of 8 or more"),
        ("upscale:digits?factor=1", "above 1"),
        ("upscale:digits?factor=²", "above 1"),
        ("upscale:digits?factor=2&factor=4", "says factor= twice"),
        ("upscale:digits?size=4", r"takes no '\?size=4'"),
        ("digits?size=4", r"takes no '\?size=4'"),
        ("edges:upscale:digits", "holds sources already"),
        ("unpaired:digits", "holds images alone"),
        ("reverse:digits", "as 'reverse:edges:digits'"),
        ("unpaired_classes:digits", r"got source=''.*\?source=CLASS&image=CLASS"),
        ("unpaired_classes:digits?source=3&image=12", "got image='12'"),
        ("unpaired_classes:edges:digits?source=3&image=1", "holds sources already"),
        ("paired_folder:/no/such", "no folder"),
        ("drawn_shapes:3", "takes no ':3'"),
    ],
)
def test_what_cannot_be_made_is_refused(name, words):
    with pytest.raises(kg.InvalidInput, match=words):
        data.load(name)


# --- drawn --------------------------------------------------------------------------------------------------------------


def test_drawn_shapes_are_a_function_of_split_and_number(monkeypatch):
    from keras_gen.data import drawn_shapes

    drawn_shapes._drawn.cache_clear()
    monkeypatch.setattr(drawn_shapes, "COUNTS", {"train": 30, "validation": 10, "test": 20})
    parts = {split: data.load("drawn_shapes", split) for split in SPLITS}
    drawn_shapes._drawn.cache_clear()
    seen = [image.tobytes() for part in parts.values() for image in part.images]
    assert len(set(seen)) == len(seen) == 60
    image, outline = picture("test", 7)
    np.testing.assert_array_equal(parts["test"].images[7], image)
    np.testing.assert_array_equal(parts["test"].features["source"][7], outline)


def test_drawn_lines_lie_on_the_shapes_borders():
    """Dark in both pictures; where the sheet is, the outline is white."""
    for number in range(20):
        image, outline = picture("train", number)
        lines, sheet = outline[..., 0] < 60, (image.min(axis=-1) > 190)
        assert lines.any() and image[lines].mean() < 110 and sheet.mean() > 0.2
        assert (outline[sheet] > 200).mean() > 0.98
    image_grid(np.stack([picture("train", 0)[0]]), kg.ImageSpec(32, 32, 3))


# --- through tensorflow-datasets ----------------------------------------------------------------------------------------


@pytest.fixture
def tiny_camvid(tmp_path, monkeypatch):
    """What tensorflow-datasets itself writes of 30 frames of each of two videos, shuffled over the splits."""
    import tensorflow_datasets as tfds

    image, names = tfds.features.Image(shape=(256, 256, 3)), ["0001TP", "0006R0"]
    features = {"photo": image, "labels": image, "file_name": tfds.features.Text()}
    features["sequence"] = tfds.features.ClassLabel(names=names)
    order = np.random.default_rng(0).permutation(60)
    examples = []
    for row in order:
        video, frame = divmod(int(row), 30)
        photo = np.full((256, 256, 3), 2 * row, np.uint8)
        labels = (
            np.where(np.arange(256)[:, None, None] < 128, 3 * row, 255).repeat(256, 1).repeat(3, 2).astype(np.uint8)
        )
        name = f"{names[video]}_{frame:05d}.png"
        examples.append({"photo": photo, "labels": labels, "file_name": name, "sequence": names[video]})
    parts = {"train": examples[:30], "validation": examples[30:40], "test": examples[40:]}

    identity = tfds.core.dataset_info.DatasetIdentity("camvid_256", tfds.core.Version("1.0.0"), str(tmp_path), "")
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features))
    (tmp_path / "camvid_256" / "1.0.0").mkdir(parents=True)
    info.set_file_format("tfrecord")
    identity.data_dir = str(tmp_path / "camvid_256" / "1.0.0")
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=100)
    writer.initialize_splits(list(parts))
    writer.add_examples(parts)
    writer.close_all()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))


def test_frames_in_their_order_make_the_evening_and_the_day(tiny_camvid):
    found = {split: data.load("camvid_dusk_to_day?size=8", split) for split in SPLITS}
    for side, first in (("source", 0), ("image", 30)):
        rows = [(part.features[side][:, 0, 0, 0] // 2).tolist() for part in found.values()]
        assert rows == [
            list(range(first, first + 24)),
            list(range(first + 24, first + 27)),
            list(range(first + 27, first + 30)),
        ]
    pairs = data.load("camvid_256?size=64", "test")
    assert len(pairs) == 20 and pairs.source_spec == kg.ImageSpec(64, 64, 3)
    numbers = pairs.images[:, 0, 0, 0] // 2
    np.testing.assert_array_equal(
        pairs.features["source"][:, :32, :, 0], np.broadcast_to(3 * numbers[:, None, None], (20, 32, 64))
    )
    assert (pairs.features["source"][:, 32:] == 255).all()  # no colour between the two
    for query in ("?size=100", "?size=300", "?scale=2", ":64"):
        with pytest.raises(kg.InvalidInput, match="camvid_256 got"):
            data.load(f"camvid_256{query}")


@pytest.mark.skipif(not PREPARED, reason="the real data sets are prepared where TFDS_DATA_DIR points")
@pytest.mark.parametrize(
    "name,sizes",
    [
        ("pix2pix_maps_128_subset", (360, 40, 100)),
        ("unpaired_classes:tiny_imagenet_10_subset?source=orange&image=lemon", (None, None, 50)),
    ],
)
def test_the_real_data_sets(name, sizes):
    for split, size in zip(SPLITS, sizes):
        part = data.load(name, split)
        assert size in (None, len(part)) and part.source_spec == part.image_spec
        assert not part.redistributable and not part.first(1).reversed().redistributable
    if part.paired:  # maps are paler than photographs
        assert part.features["source"].mean() > part.images.mean() + 50
