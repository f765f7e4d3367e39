"""Folders of pictures: which file is of which split and class, what is made of its pixels, what is refused and when."""

import os
import time

import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen import data
from keras_gen.data import decoding, image_files

SPLITS = ("train", "validation", "test")


def make(path, pixels=(4, 4, 3), **options):
    """A picture of these pixels (an array, an image, or a shape to fill at random)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(pixels, tuple):
        pixels = np.random.default_rng(len(str(path))).integers(0, 256, pixels, dtype=np.uint8)
    (Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels).save(path, **options)
    return path


def load(folder, split="train", query=""):
    return data.load(f"image_folder:{folder}{query}", split)


def only(folder, query=""):
    """The one picture of ``test/``."""
    part = load(folder, "test", query)
    assert len(part) == 1
    return part.images[0]


@pytest.fixture
def undecoded(monkeypatch):
    """Fails if a picture is decoded."""
    monkeypatch.setattr(decoding, "decode", lambda *_: pytest.fail("decoded before it was refused"))


@pytest.fixture
def pictures(tmp_path):
    generator = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for index in range(30):
            make(tmp_path / label / f"{index}.png", generator.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    return tmp_path


# --- splits -------------------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures(pictures):
    parts = [load(pictures, split, "?size=16") for split in SPLITS]
    assert sum(map(len, parts)) == 60 and len(parts[0]) > 30
    assert parts[0].image_spec == kg.ImageSpec(16, 16, 3)
    assert set(parts[0].features["label"]) == {0, 1}
    grey = load(pictures, query="?channels=1")
    assert grey.image_spec == kg.ImageSpec(20, 24, 1)


@pytest.mark.parametrize("suffix", [*image_files.SUFFIXES, ".mpo.jpg"])
def test_files_of_every_suffix_are_read(tmp_path, suffix):
    options = {"format": "MPO", "save_all": True} if "mpo" in suffix else {}
    pixels = np.full((5, 6, 3), 90, np.uint8)
    make(tmp_path / "test" / f"x{suffix}", pixels, **options)
    np.testing.assert_allclose(only(tmp_path), pixels, atol=1)


def test_own_split_folders_are_honoured(pictures):
    (pictures / "cat").rename(pictures / "train")
    (pictures / "dog").rename(pictures / "test")
    assert len(load(pictures, "test")) == 30
    make(pictures / "validation" / "1.png", (20, 24, 3))
    assert [len(load(pictures, split)) for split in SPLITS] == [30, 1, 30]


@pytest.mark.parametrize("own", [("train", "test"), ("train", "val"), ("train",)])
def test_a_split_without_a_folder_is_held_out_from_train(tmp_path, own):
    for split in own:
        for index in range(60):
            make(tmp_path / split / "cat" / f"{index}.png", np.full((2, 2, 3), 3 * index, np.uint8))
    parts = {split: set(load(tmp_path, split).images[:, 0, 0, 0] // 3) for split in SPLITS}
    folders = {"train": "train", "validation": "val", "test": "test"}
    held_out = [split for split in SPLITS if folders[split] not in own]
    assert all(len(parts[split]) == 60 for split in SPLITS[1:] if split not in held_out)
    whole = [parts["train"], *(parts[split] for split in held_out)]
    assert set.union(*whole) == set(range(60)) and sum(map(len, whole)) == 60 and len(parts["train"]) >= 40
    assert all(0 < len(parts[split]) < 15 for split in held_out)
    # A file's split is its own: others may come and go.
    (tmp_path / "train" / "cat" / "0.png").unlink()
    for split in held_out:
        assert set(load(tmp_path, split).images[:, 0, 0, 0] // 3) == parts[split] - {0}


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "VAL"])
def test_other_names_of_the_validation_split(tmp_path, name):
    for split in ("Train", name):
        make(tmp_path / split / "1.png", (4, 4, 3))
    assert len(load(tmp_path, "validation")) == 1


def test_folders_that_contradict_each_other_are_refused_before_decoding(tmp_path, undecoded):
    make(tmp_path / "train" / "1.png")
    (tmp_path / "test").mkdir()
    with pytest.raises(kg.InvalidInput, match="test holds no image"):
        load(tmp_path, "train")
    make(tmp_path / "test" / "1.png")
    make(tmp_path / "val" / "1.png")
    make(tmp_path / "validation" / "1.png")
    with pytest.raises(kg.InvalidInput, match="both the validation split"):
        load(tmp_path, "train")


def test_a_test_folder_without_a_training_folder(tmp_path, undecoded):
    make(tmp_path / "test" / "1.png")
    make(tmp_path / "cat" / "1.png")
    with pytest.raises(kg.InvalidInput, match="no image for split 'train'.*a folder train/"):
        load(tmp_path, "train")


def test_too_few_to_hold_out(tmp_path):
    make(tmp_path / "train" / "1.png")
    missing = [split for split in SPLITS if not _has(tmp_path, split)]
    assert len(missing) == 2
    with pytest.raises(kg.InvalidInput, match=f"no image for split '{missing[0]}'.*or a folder {missing[0]}/"):
        load(tmp_path, missing[0])


def _has(folder, split):
    try:
        return bool(len(load(folder, split)))
    except kg.InvalidInput:
        return False


def test_images_outside_of_the_split_folders_are_named(tmp_path, caplog):
    for name in ("train/1.png", "test/1.png", "validation/1.png", "logo.png"):
        make(tmp_path / name)
    assert len(load(tmp_path)) == 1
    assert "1 images outside of test/, train/, validation/ are left out" in caplog.text and "logo.png" in caplog.text


# --- classes ------------------------------------------------------------------------------------------------------------


def test_a_class_keeps_its_number_where_another_is_absent(tmp_path):
    shades = {"ape": 10, "bee": 20, "cat": 30}
    for split, classes in (("train", ("ape", "cat")), ("val", ("bee", "cat")), ("test", ("cat",))):
        for name in classes:
            make(tmp_path / split / name / "1.png", np.full((4, 4, 3), shades[name], np.uint8))
    for split in SPLITS:
        part = load(tmp_path, split)
        assert part.label_names == ("ape", "bee", "cat")
        for image, label in zip(part.images, part.features["label"]):
            assert shades[part.label_names[label]] == image[0, 0, 0]
    assert repr(load(tmp_path, "test")).endswith("labels 0 ape, 1 bee, 2 cat")


def test_what_lies_hidden_is_no_class(pictures):
    for name in (".thumbnails/1.png", "cat/.trash/1.png", "__MACOSX/cat/1.png", "cat/._7.png"):
        make(pictures / name)
    parts = [load(pictures, split) for split in SPLITS]
    assert parts[0].label_names == ("cat", "dog") and sum(map(len, parts)) == 60


def test_pictures_beside_class_folders_are_refused(tmp_path, undecoded):
    for name in ("train/cat/1.png", "train/2.png", "test/1.png", "val/1.png"):
        make(tmp_path / name)
    with pytest.raises(kg.InvalidInput, match=r"2\.png lies in no class folder.*'cat'"):
        load(tmp_path)


def test_pictures_in_no_folder_have_no_label(tmp_path):
    for split in SPLITS:
        make(tmp_path / split / "1.png")
    part = load(tmp_path)
    assert set(part.features) == {"image"} and part.label_names is None


def test_names_of_other_bytes_than_utf8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/train/caf\xe9"
    os.makedirs(folder)
    for index in range(40):
        make(tmp_path / "one.png").rename(os.fsdecode(folder + b"/\xff%d.png" % index))
    part = load(tmp_path)
    assert part.label_names == (r"caf\xe9",) and len(part) > 20


# --- pixels -------------------------------------------------------------------------------------------------------------


def sixteen_bits(levels):
    return Image.fromarray(np.array(levels, np.uint16))


def test_sixteen_bit_grey_is_scaled(tmp_path):
    levels = [[0, 128, 129, 257], [32767, 32768, 65407, 65535]]
    make(tmp_path / "test" / "1.png", sixteen_bits(levels))
    wanted = np.rint(np.array(levels) / 257)
    np.testing.assert_array_equal(only(tmp_path, "?channels=1")[..., 0], wanted)
    np.testing.assert_array_equal(only(tmp_path), np.repeat(wanted[..., None], 3, axis=-1))


def test_a_transparent_level_of_sixteen_bits(tmp_path):
    make(tmp_path / "test" / "1.png", sixteen_bits([[0, 257], [514, 65535]]), transparency=514)
    np.testing.assert_array_equal(only(tmp_path, "?channels=1")[..., 0], [[0, 1], [255, 255]])


def transparent(mode):
    """Left column opaque grey 40, right column transparent over a hidden 200."""
    grey = np.array([[40, 200], [40, 200]], np.uint8)
    alpha = np.array([[255, 0], [255, 0]], np.uint8)
    if mode == "P":
        image = Image.fromarray((grey == 200).astype(np.uint8)).convert("P")
        image.putpalette([40, 40, 40, 200, 200, 200])
        return image, {"transparency": 1}
    if mode == "L":
        return Image.fromarray(grey), {"transparency": 200}
    if mode == "RGB":
        return Image.fromarray(grey).convert("RGB"), {"transparency": (200, 200, 200)}
    image = Image.fromarray(grey).convert("RGB" if mode == "RGBA" else "L")
    image.putalpha(Image.fromarray(alpha))
    return image, {}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
@pytest.mark.parametrize(
    "query,ground",
    [
        ("?", (255, 255, 255)),
        ("?ground=black", (0, 0, 0)),
        ("?ground=20fF08", (32, 255, 8)),
    ],
)
def test_what_is_transparent_shows_the_ground(tmp_path, mode, query, ground):
    image, options = transparent(mode)
    make(tmp_path / "test" / "1.png", image, **options)
    found = only(tmp_path, query)
    np.testing.assert_array_equal(found[:, 0], 40)
    np.testing.assert_array_equal(found[:, 1], [ground, ground])
    if len(set(ground)) == 1:
        np.testing.assert_array_equal(only(tmp_path, f"{query}&channels=1")[:, 1, 0], ground[0])


def test_the_hidden_colour_does_not_bleed_when_resized(tmp_path):
    image = np.zeros((64, 64, 4), np.uint8)
    image[..., 0], image[:, :32, 3] = 255, 255  # red, the right half of it hidden
    make(tmp_path / "test" / "1.png", image)
    found = only(tmp_path, "?size=16&ground=black").astype(int)
    assert found[:, :6, 0].min() > 240 and found[:, 10:].max() < 16


def test_other_modes(tmp_path):
    dots = np.array([[True, False], [False, True]])
    make(tmp_path / "1bit" / "test" / "1.png", Image.fromarray(dots))
    np.testing.assert_array_equal(only(tmp_path / "1bit")[..., 0], 255 * dots)
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    make(tmp_path / "cmyk" / "test" / "1.jpg", ink, quality=100)
    red = only(tmp_path / "cmyk")
    assert red[..., 0].min() > 235 and red[..., 1:].max() < 20


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_on_its_side_is_turned(tmp_path, suffix):
    turned = Image.Exif()
    turned[image_files.ORIENTATION] = 6
    make(tmp_path / "test" / f"1.{suffix}", Image.new("RGB", (6, 4)), exif=turned)
    assert only(tmp_path).shape == (6, 4, 3)


# --- refused ------------------------------------------------------------------------------------------------------------


def test_a_truncated_picture_is_named_and_skipped_only_on_request(pictures):
    (pictures / "cat").rename(pictures / "train")
    (pictures / "dog").rename(pictures / "test")
    whole = len(load(pictures))
    broken = next(file for file in sorted((pictures / "train").iterdir()) if _is_of_train(pictures, file))
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(kg.InvalidInput, match=rf"{broken.name} cannot be read.*skip_unreadable=true"):
        load(pictures)
    assert len(load(pictures, query="?skip_unreadable=true")) == whole - 1


def _is_of_train(folder, file):
    before = len(load(folder))
    file.rename(file.with_suffix(".gone"))
    after = len(load(folder))
    file.with_suffix(".gone").rename(file)
    return after < before


def test_what_headers_tell_is_found_before_decoding(pictures, undecoded):
    (pictures / "cat" / "1.png").write_bytes(b"no picture")
    for split in SPLITS:
        with pytest.raises(kg.InvalidInput, match=r"1\.png cannot be read"):
            load(pictures, split, "?size=8")


@pytest.mark.parametrize("split", SPLITS)
def test_pictures_of_two_sizes_need_a_size(pictures, undecoded, split):
    Image.new("RGB", (9, 9)).save(pictures / "dog" / "odd.png")
    with pytest.raises(kg.InvalidInput, match="size=64"):
        load(pictures, split)


@pytest.mark.parametrize("query", ["", "?size=16"])
def test_the_memory_is_known_before_decoding(pictures, undecoded, monkeypatch, query):
    monkeypatch.setattr(decoding, "LARGEST_IN_MEMORY", 20_000)
    with pytest.raises(kg.InvalidInput, match=r"images of .*x3 need .* GiB.*'\?size=64'"):
        load(pictures, query=query)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, undecoded):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    make(tmp_path / "test" / "1.png", (20, 20, 3))
    with pytest.raises(kg.InvalidInput, match=r"1\.png cannot be read.*decompression bomb"):
        load(tmp_path, "test", "?size=8")


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "EPS"])
def test_the_content_decides_not_the_name(tmp_path, kind):
    path = tmp_path / "test" / "1.png"
    path.parent.mkdir()
    Image.new("RGB", (4, 4)).save(path, format=kind)
    with pytest.raises(kg.InvalidInput, match=r"1\.png cannot be read"):
        load(tmp_path, "test")


def test_a_pipe_or_a_dead_link_is_no_picture(tmp_path):
    make(tmp_path / "test" / "1.png")
    os.mkfifo(tmp_path / "test" / "2.png")
    (tmp_path / "test" / "3.png").symlink_to(tmp_path / "nothing.png")
    began = time.monotonic()
    with pytest.raises(kg.InvalidInput, match=r"2\.png cannot be read.*no regular file"):
        load(tmp_path, "test")
    assert len(load(tmp_path, "test", "?skip_unreadable=true")) == 1 and time.monotonic() - began < 5


def test_links_are_followed_but_no_folder_is_met_twice(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("linked")
    (folder / "train").mkdir()
    for name in ("cat", "dog"):
        (folder / "train" / name).symlink_to(pictures / name)
    make(folder / "test" / "cat" / "1.png", (20, 24, 3))
    assert load(folder).label_names == ("cat", "dog")
    (folder / "train" / "ape").symlink_to(pictures / "cat")
    with pytest.raises(kg.InvalidInput, match="already by another way"):
        load(folder)
    (folder / "train" / "ape").unlink()
    for target in (folder, folder.parent, "/", folder / "train"):
        (folder / "train" / "loop").symlink_to(target)
        with pytest.raises(kg.InvalidInput, match="loop leads to"):
            load(folder)
        (folder / "train" / "loop").unlink()


@pytest.mark.parametrize(
    "query",
    [
        *("size=big", "size=²", "size=٣", "size=0", "size=008", "size=", "size=-8", "size=+8", "size= 8", "size=8193"),
        *("size=99999999999999999999", "size=8.0", "size=1_0", "size=8&size=16", "channels=2", "channels=3&channels=1"),
        *("skip_unreadable=maybe", "skip_unreadable=", "colour=red", "ground=red", "ground=fff", "ground=#ffffff"),
        *("ground=", "ground=٣٣٣٣٣٣"),
    ],
)
def test_bad_folder_options_are_refused(pictures, undecoded, query):
    with pytest.raises(kg.InvalidInput, match="size=PIXELS"):
        load(pictures, query=f"?{query}")


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "/".join(["x" * 200] * 30), "~nobody-of-this-name/x", "\udcff"])
def test_paths_that_no_system_takes(path):
    with pytest.raises(kg.InvalidInput, match="no folder"):
        load(path)


def test_a_run_says_first_what_its_labels_are_called(tmp_path, capsys):
    from keras_gen.core.image_data import ImageData
    from keras_gen.training.progress import RunProgress

    images, spec = np.zeros((4, 8, 8, 1), np.uint8), kg.ImageSpec(8, 8, 1)
    model = kg.VAE(spec, latent_dim=2, hidden=(3,))
    for names, said in ((("cat", "dog"), True), (("0", "1"), False), (None, False)):
        data = ImageData("pets", "train", spec, {"image": images, "label": np.array([0, 1, 1, 0])}, names)
        RunProgress("mine", 1).announce(model, data, data, 2, tmp_path)
        assert ("labels: 0 cat, 1 dog" in capsys.readouterr().err) == said
