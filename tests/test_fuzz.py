"""Random settings, folders and arrays against the border: what comes is taken, or refused as ``InvalidInput``; never else.

Derandomized, so that a run tells of the code and not of its luck. ``FUZZ_EXAMPLES=5000 pytest tests/test_fuzz.py`` looks further,
elsewhere each time.
"""

import json
import math
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

import keras_gen as kg
from keras_gen import data, runner
from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.recipes import RECIPES

MORE = int(os.environ.get("FUZZ_EXAMPLES", 0))


def examples(count):
    """This many, or as many as the environment asks for."""
    return settings(
        max_examples=MORE or count,
        derandomize=not MORE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def mostly(good, wild):
    """Three in four from ``good``: what is wrong everywhere is refused at once, and nothing behind it is met."""
    return st.integers(0, 3).flatmap(lambda drawn: good if drawn else wild)


def taken(function, *arguments):
    """The outcome, or None if it was refused with an ``InvalidInput`` that says something."""
    try:
        return function(*arguments)
    except kg.InvalidInput as error:
        assert len(str(error)) > 20
        return None


# --- settings -----------------------------------------------------------------------------------------------------------

# What a command line carries: text of all kinds, and near misses of numbers.
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "1",
            "1.5",
            "1e3",
            "1e400",
            "nan",
            "-inf",
            "٣",
            "²",
            "0x10",
            "1_000",
            " 7 ",
            "true",
            "None",
            "[]",
            "a\0b",
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
)
VALUES = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=4), st.lists(TEXTS, max_size=2)
)


def settings_named():
    names = {name: sorted(runner.resolve(name)["settings"]) for name in RECIPES}
    return st.sampled_from(sorted(names)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.dictionaries(st.one_of(st.sampled_from(names[name]), st.text(max_size=8)), VALUES, max_size=3),
        )
    )


@examples(40)  # each asks Git for the commit
@given(st.deferred(settings_named))
def test_settings(named):
    name, chosen = named
    found = taken(runner.resolve, name, chosen)
    if found is None:
        return
    assert found["recipe"] == name and set(chosen) <= set(found["settings"])
    for key in ("epochs", "batch_size"):
        assert type(found["settings"][key]) is int and found["settings"][key] >= 1
    # What was resolved resolves to itself: a run can be made again from its record.
    again = runner.resolve(name, json.loads(json.dumps(found["settings"])))["settings"]
    for key, value in found["settings"].items():
        assert again[key] == value or (math.isnan(value) and math.isnan(again[key]))


@examples(60)
@given(st.text(max_size=20))
def test_recipes_and_data_sets_by_any_name(name):
    if name not in RECIPES:
        assert taken(runner.resolve, name) is None
    if name.partition(":")[0] not in data.SOURCES:
        assert taken(data.load, name) is None


# --- folders ------------------------------------------------------------------------------------------------------------

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
KINDS = {".png": MODES, ".gif": ("1", "L", "P", "RGB"), ".bmp": ("1", "L", "P", "RGB"), ".jpg": ("L", "RGB", "CMYK")}
ORDERLY = ("train/a", "train/b", "val/a", "test/b", "test/a", ".hidden", "train/__MACOSX")
DISORDERLY = ("", "train", "train/a", "validation", "val/a", "Test", "a", "a/deep", "__MACOSX", "b.png")
DAMAGE = ("cut", "flipped", "empty", "other", "directory", "dead link")


@st.composite
def pictures(draw, places):
    """A file: where, of what kind, and what was done to its bytes."""
    suffix = draw(st.sampled_from(sorted(KINDS)))
    return {
        "place": draw(st.sampled_from(places)),
        "name": draw(st.text("ab.é\udcff ", min_size=1, max_size=3)) + suffix,
        "mode": draw(st.sampled_from(KINDS[suffix])),
        "size": draw(st.sampled_from([(4, 4), (4, 4), (4, 4), (1, 3), (5, 2)])),
        "damage": draw(mostly(st.just("none"), st.sampled_from(DAMAGE))),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def written(folder, picture):
    path = folder / picture["place"] / picture["name"]
    if path.parent.is_file() or os.path.lexists(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(picture["seed"])
    if picture["damage"] == "directory":
        path.mkdir()
    elif picture["damage"] == "dead link":
        path.symlink_to(folder / "nothing")
    else:
        levels = random.integers(0, 65536, picture["size"]).astype(np.uint16)
        image = Image.fromarray(levels)
        if picture["mode"] != "I;16":
            image = Image.fromarray((levels >> 8).astype(np.uint8)).convert(picture["mode"])
        with path.open("wb") as stream:
            image.save(stream, {"jpg": "JPEG"}.get(path.suffix[1:], path.suffix[1:].upper()))
        damage(path, picture["damage"], random)


def damage(path, how, random):
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: random.integers(len(content))]
    elif how == "flipped":
        for place in random.integers(0, len(content), 4):
            content[place] ^= 1 << random.integers(8)
    elif how == "empty":
        content = b""
    elif how == "other":
        content = random.bytes(40)
    path.write_bytes(bytes(content))


FILES = mostly(st.lists(pictures(ORDERLY), min_size=2, max_size=8), st.lists(pictures(DISORDERLY), max_size=8))
QUERIES = mostly(
    st.sampled_from(["?size=4&channels=1&skip_unreadable=true", "?size=3&skip_unreadable=true&ground=00ff00"]),
    st.one_of(st.sampled_from(["", "?size=4"]), st.text("size=&1²?%ground", max_size=10).map("?{}".format)),
)


@examples(60)
@given(FILES, QUERIES)
def test_folders(files, query):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, of damaged files
        for picture in files:
            written(Path(folder), picture)
        parts = [taken(data.load, f"image_folder:{folder}{query}", split) for split in SPLITS]
    parts = [part for part in parts if part is not None]
    assert sum(map(len, parts)) <= len(files)
    for part in parts:
        assert isinstance(part, ImageData) and part.image_spec.levels == 256
        if part.label_names:
            assert part.features["label"].max() < len(part.label_names)
            assert not set(part.label_names) & {".hidden", "__MACOSX"}


@examples(200)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1), st.data())
def test_damaged_pictures(suffix, seed, choice):
    """One split of one picture, its bytes damaged: pixels of the size asked for, or the file's name in the refusal."""
    picture = {"place": "test", "name": f"x{suffix}", "size": (9, 7), "seed": seed}
    picture |= {
        "mode": choice.draw(st.sampled_from(KINDS[suffix])),
        "damage": choice.draw(st.sampled_from(["cut", "flipped"])),
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written(Path(folder), picture)
        try:
            part = data.load(f"image_folder:{folder}?size=5", "test")
        except kg.InvalidInput as error:
            assert f"x{suffix} cannot be read" in str(error)
        else:
            assert part.images.shape == (1, 5, 5, 3)


# --- arrays -------------------------------------------------------------------------------------------------------------

SHAPES = st.one_of(
    st.just((2, 4, 4, 1)), st.just((3, 4, 4, 1)), arrays_of.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
)
ARRAYS = st.one_of(
    arrays_of.scalar_dtypes(), st.just(np.dtype("uint8")), st.just(np.dtype("O")), st.just(np.dtype("U3"))
).flatmap(lambda dtype: arrays_of.arrays(dtype, SHAPES, elements=st.just(None) if dtype.hasobject else None))
ANYTHING = st.one_of(
    ARRAYS, st.none(), st.text(max_size=3), st.integers(), st.recursive(st.integers(0, 9), st.lists, max_leaves=5)
)
SPECS = st.builds(kg.ImageSpec, st.just(4), st.just(4), st.just(1), st.sampled_from([2, 17, 256]))
IMAGES = st.builds(
    lambda count, highest: np.full((count, 4, 4, 1), highest, np.uint8),
    st.integers(1, 3),
    st.sampled_from([0, 1, 2, 16, 17]),
)
LABELS = arrays_of.arrays(np.int64, st.integers(1, 3))
NUMBERS = ("height", "width", "channels", "levels")
SIDES = mostly(st.one_of(st.integers(1, 260), st.integers(1, 260).map(np.int64)), VALUES)


@examples(200)
@given(SPECS, mostly(IMAGES, ANYTHING))
def test_images(spec, images):
    checked = taken(spec.check, images)
    fits = (
        isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == spec.shape and len(images)
    )
    assert (checked is not None) == bool(fits and images.max() < spec.levels)
    if checked is not None:
        np.testing.assert_array_equal(checked, images)
    assert isinstance(taken(kg.ImageSpec.of, images), (kg.ImageSpec, type(None)))


@examples(200)
@given(
    mostly(
        SPECS,
        st.one_of(st.dictionaries(st.text(max_size=3), st.integers(0, 5)), st.lists(st.integers(-1, 300), max_size=5)),
    ),
    mostly(
        st.fixed_dictionaries({"image": mostly(IMAGES, ANYTHING)}, optional={"label": mostly(LABELS, ANYTHING)}),
        ANYTHING,
    ),
)
def test_sets_of_images(spec, features):
    made = taken(ImageData, "any", "train", spec, features)
    if made is None:
        return
    assert made.images.dtype == np.uint8 and made.images.max() < made.image_spec.levels and len(made) >= 1
    assert all(isinstance(values, np.ndarray) and len(values) == len(made) for values in made.features.values())
    assert repr(made).startswith("any (train)")


@examples(200)
@given(
    mostly(
        st.one_of(
            st.fixed_dictionaries({name: SIDES for name in NUMBERS[:3]}, optional={"levels": SIDES}),
            st.lists(SIDES, min_size=3, max_size=4).map(tuple),
        ),
        st.one_of(ANYTHING, st.dictionaries(st.one_of(st.sampled_from(NUMBERS), st.text(max_size=3)), VALUES)),
    )
)
def test_descriptions_of_images(description):
    spec = taken(kg.ImageSpec.from_any, description)
    if spec is not None:
        assert kg.ImageSpec.from_any(spec.get_config()) == spec
        assert min(spec.shape) >= 1 and 2 <= spec.levels <= 256
        assert {type(value) for value in spec.get_config().values()} == {int}


@pytest.mark.parametrize("value", ["²", "٣", "1_000", "0x10"])
def test_digits_of_other_scripts_are_no_number_of_epochs(value):
    found = taken(runner.resolve, "vae_digits", {"epochs": value})
    assert found is None or found["settings"]["epochs"] == 1000
