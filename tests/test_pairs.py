"""Data with two images: one order for pairs, one for each of two sets, augmentation alike or apart, one border for every form."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from translators import Translator, TwoWays

import keras_gen as kg
from keras_gen.core.image_data import JITTERS, ImageData, _pair
from keras_gen.core.resizing import resized

SPEC, SOURCE = kg.ImageSpec(8, 8, 3), kg.ImageSpec(8, 8, 1)


def numbered(count, channels=1, size=8):
    """Images of one value each, their own number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, size, size, channels)).copy()


def noise_images(count, spec=SPEC, seed=0):
    return np.random.default_rng(seed).integers(0, spec.levels, (count, *spec.shape), dtype=np.uint8)


def paired(count=20):
    return ImageData("pairs", "train", SOURCE, {"image": numbered(count), "source": numbered(count) + 100})


def two_sets(images=20, sources=7):
    features = {"image": numbered(images), "source": numbered(sources) + 100, "label": np.arange(images)}
    return ImageData("two sets", "train", SOURCE, features, paired=False)


def numbers(batches, key):
    return [np.asarray(batch[key])[..., 0, 0, 0].tolist() for batch in batches]


def drawn(data, key, **options):
    return [each for batch in numbers(data.batches(4, **options), key) for each in batch]


# --- what a set of two kinds is -----------------------------------------------------------------------------------------


def test_pairs_stay_together_and_say_so():
    data = paired()
    assert repr(data).endswith("20 sources, 8x8x1 images of 256 levels") and len(data) == 20
    for batch in data.batches(4, epochs=2):
        np.testing.assert_array_equal(batch["source"], batch["image"] + 100)
    for part in (data.first(3), data.random_subset(5, seed=1)):
        np.testing.assert_array_equal(part.features["source"], part.images + 100)


def test_two_sets_have_an_epoch_of_the_longer_one():
    data = two_sets()
    assert len(data) == 20 and len(data.images) == 20 and "7 sources, not paired" in repr(data)
    assert len(two_sets(3, 9)) == 9 and two_sets(3, 9).full_batches(4) == 2
    assert len(data.random_subset(5, 0).images) == len(data.random_subset(5, 0).features["source"]) == 5
    some = data.random_subset(10, 0)
    assert (len(some.images), len(some.features["source"])) == (10, 7)
    np.testing.assert_array_equal(some.images[:, 0, 0, 0], some.features["label"])  # labels are the images'


def test_the_shorter_set_is_gone_through_in_new_orders_and_evenly():
    data = two_sets()
    sources = drawn(data, "source", epochs=7, drop_remainder=False)
    assert np.unique(sources, return_counts=True)[1].tolist() == [20] * 7  # 7 epochs of 20 are 20 cycles of 7
    cycles = [sources[start : start + 7] for start in range(0, 140, 7)]
    assert all(sorted(cycle) == list(range(100, 107)) for cycle in cycles)
    assert len({tuple(cycle) for cycle in cycles}) > 15
    images = drawn(data, "image", epochs=7)
    assert all(sorted(images[start : start + 20]) == list(range(20)) for start in range(0, 140, 20))


def test_the_order_of_one_set_is_that_of_the_images_alone():
    alone = ImageData("images", "train", SOURCE, {"image": numbered(20)})
    for data in (paired(), two_sets()):
        assert drawn(data, "image", epochs=2, seed=5) == drawn(alone, "image", epochs=2, seed=5)


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("data", [paired(), two_sets(), paired().unpaired()], ids=["pairs", "two sets", "truth known"])
def test_a_resumed_run_sees_what_the_straight_one_saw(data, turns):
    options = {"seed": 3, "turns": turns, "augment": "jitter_flip"}
    straight = list(data.batches(4, epochs=3, **options))
    per_epoch = data.full_batches(4, turns)
    resumed = list(data.batches(4, epochs=3, first_epoch=1, **options))
    epoch = iter((1, 2))
    training = data.training_epoch(4, lambda: next(epoch), steps=per_epoch, **options)
    for found in (resumed, [*training, *training]):
        for one, other in zip(straight[per_epoch:], found, strict=True):
            for key in one:
                np.testing.assert_array_equal(one[key], other[key])


def test_hidden_pairs_are_shuffled_apart_and_stay_known():
    data = paired().unpaired()
    together = [image + 100 == source for image, source in zip(drawn(data, "image"), drawn(data, "source"))]
    assert np.mean(together) < 0.5 and data.truth_known and not data.paired
    some = data.random_subset(5, 0)
    np.testing.assert_array_equal(some.features["source"], some.images + 100)


@pytest.mark.parametrize(
    "arguments,words",
    [
        (dict(features={"image": numbered(3), "source": numbered(4)}), "4 values of 'source' for 3 images"),
        (dict(features={"image": numbered(3)}, paired=False), "no 'source'"),
        (dict(features={"image": numbered(3)}, source_spec=SOURCE), "no 'source'"),
        (dict(features={"image": numbered(3), "source": numbered(0)}, paired=False), "hold no image at all"),
        (dict(features={"image": numbered(3), "source": numbered(4)}, paired=False, truth_known=True), "one length"),
        (
            dict(features={"image": numbered(3), "source": numbered(3)}, source_spec=SPEC),
            r"wanted uint8 \[n, 8, 8, 3\]",
        ),
    ],
)
def test_what_is_no_data_of_two_kinds_is_refused(arguments, words):
    with pytest.raises(kg.InvalidInput, match=words):
        ImageData("mine", "train", SOURCE, **arguments)


# --- augmentation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("augment", ["flip", "jitter", "jitter_flip"])
def test_both_sides_of_a_pair_are_augmented_alike(augment):
    images = noise_images(30)
    data = ImageData("negatives", "train", SPEC, {"image": images, "source": 255 - images})
    batches = list(data.batches(10, augment=augment, seed=1))
    for batch in batches:
        np.testing.assert_allclose(255 - np.asarray(batch["source"], int), batch["image"], atol=1)  # halves round apart
    assert not {image.tobytes() for image in images} >= {np.asarray(i).tobytes() for b in batches for i in b["image"]}
    apart = list(data.unpaired().batches(10, augment=augment, shuffle=False))
    assert any(np.abs(255 - np.asarray(b["source"], int) - b["image"]).max() > 50 for b in apart)


@pytest.mark.parametrize("size", [(8, 8), (32, 24)])
def test_a_jittered_image_is_cut_out_of_the_enlarged_one(size):
    spec = kg.ImageSpec(*size, 3)
    images = noise_images(40, spec)
    data = ImageData("noise", "train", spec, {"image": images})
    large = [int(np.ceil(side * 286 / 256)) for side in size]
    enlarged = np.round(tf.image.resize(images.astype(np.float32), large))
    draws = tf.random.stateless_uniform([40, 2], seed=_pair(3 + JITTERS, tf.constant(0, tf.int64))).numpy()
    places = set()
    for row, image in enumerate(
        np.concatenate([b["image"] for b in data.batches(8, shuffle=False, augment="jitter", seed=3)])
    ):
        top, left = (draws[row] * [new - old + 1 for new, old in zip(large, size)]).astype(int)
        np.testing.assert_array_equal(image, enlarged[row, top : top + size[0], left : left + size[1]])
        places.add((top, left))
    assert {top for top, _ in places} == set(range(large[0] - size[0] + 1))


def test_an_augmentation_belongs_to_the_image_and_epoch():
    data = ImageData("noise", "train", SPEC, {"image": noise_images(12), "label": np.arange(12)})

    def seen(**options):
        batches = list(data.batches(4, augment="jitter_flip", **options))
        return {
            int(label): image.tobytes() for b in batches for label, image in zip(b["label"], np.asarray(b["image"]))
        }

    assert seen(seed=1) == seen(seed=1, shuffle=False) != seen(seed=2, shuffle=False)
    assert seen(seed=1) != seen(seed=1, epochs=2, first_epoch=1)


def test_jitter_wants_one_size_of_both():
    sides = {"image": noise_images(8), "source": numbered(8, size=4)}
    data = ImageData("small sources", "train", SPEC, sides)
    with pytest.raises(kg.InvalidInput, match="wants one size.*give 'flip'"):
        data.batches(4, augment="jitter")
    assert next(iter(data.batches(4, augment="flip")))["source"].shape == (4, 4, 4, 1)
    apart = ImageData("small sources", "train", SPEC, sides, paired=False)
    assert next(iter(apart.batches(4, augment="jitter")))["source"].shape == (4, 4, 4, 1)


# --- the border ---------------------------------------------------------------------------------------------------------

IMAGES, SOURCES = noise_images(16), noise_images(16, SOURCE, 1)


class Batches(keras.utils.PyDataset):
    def __init__(self, whole, size=8):
        super().__init__()
        self.whole, self.size = whole, size

    def __len__(self):
        return len(self.whole["image"]) // self.size

    def __getitem__(self, index):
        return {key: values[index * self.size : (index + 1) * self.size] for key, values in self.whole.items()}


def dataset(whole, size=8):
    return tf.data.Dataset.from_tensor_slices(whole).batch(size)


def generator(whole):
    return (Batches(whole)[index] for index in range(len(whole["image"]) // 8))


@pytest.fixture(scope="module")
def model():
    made = Translator(SPEC, SOURCE)
    made.compile()
    return made


@pytest.fixture(scope="module")
def two_ways():
    made = TwoWays(SOURCE)
    made.compile()
    return made


FORMS = {
    "dict": lambda whole: whole,
    "ImageData": lambda whole: ImageData("mine", "train", SPEC, whole),
    "dataset": dataset,
    "PyDataset": Batches,
    "generator": generator,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_both_images(model, form):
    whole = {"image": IMAGES, "source": SOURCES}
    wanted = model.evaluate(whole, batch_size=8, verbose=0)
    np.testing.assert_allclose(model.evaluate(FORMS[form](whole), verbose=0), wanted, rtol=1e-5)
    size = {"batch_size": 8} if form in ("dict", "ImageData") else {}
    history = model.fit(FORMS[form](whole), **size, validation_data=FORMS[form](whole), verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


WAYS = {
    "fit": lambda model, whole: model.fit(whole, verbose=0),
    "evaluate": lambda model, whole: model.evaluate(whole, verbose=0),
    "validation_data": lambda model, whole: model.fit(
        {"image": IMAGES, "source": SOURCES}, batch_size=8, validation_data=whole, verbose=0
    ),
    "train_on_batch": lambda model, whole: model.train_on_batch(whole),
    "test_on_batch": lambda model, whole: model.test_on_batch(whole),
    "predict": lambda model, whole: model.predict(whole, verbose=0),
    "predict_on_batch": lambda model, whole: model.predict_on_batch(whole),
    "call": lambda model, whole: model(whole),
    "dataset": lambda model, whole: model.fit(dataset(whole), verbose=0),
    "PyDataset": lambda model, whole: model.fit(Batches(whole), verbose=0),
    "generator": lambda model, whole: model.fit(generator(whole), verbose=0),
}
WRONG = {
    "no source": ({"image": IMAGES}, "wants a source for each image.*a dict with 'image' and 'source'"),
    "floats": ({"image": IMAGES, "source": SOURCES / np.float32(255)}, "sources? (are|is) float32.*wanted"),
    "integers": ({"image": IMAGES, "source": SOURCES.astype(np.int64)}, "sources? (are|is) int64.*wanted"),
    "size": ({"image": IMAGES, "source": SOURCES[:, :4]}, r"wanted (uint8 )?\[n, 8, 8, 1\]"),
    "three for one": ({"image": IMAGES, "source": IMAGES}, r"wanted (uint8 )?\[n, 8, 8, 1\]"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", WRONG)
def test_every_way_in_refuses_the_same(model, way, what):
    whole, words = WRONG[what]
    with pytest.raises(kg.InvalidInput, match=words):
        WAYS[way](model, whole)


@pytest.mark.parametrize("way", WAYS)
def test_levels_of_sources_are_those_of_their_spec(way):
    binary = Translator(SPEC, (8, 8, 1, 2))
    binary.compile()
    whole = {"image": IMAGES, "source": SOURCES}
    if way == "validation_data":
        with pytest.raises(kg.InvalidInput, match="reach level 255"):
            binary.fit({"image": IMAGES, "source": SOURCES % 2}, validation_data=whole, batch_size=8, verbose=0)
        return
    with pytest.raises(kg.InvalidInput, match="reach level 255|out of range"):
        WAYS[way](binary, whole)


@pytest.mark.parametrize(
    "train,words",
    [
        (lambda m: m.fit(IMAGES, IMAGES), "wants a source for each image"),
        (lambda m: m.fit({"image": IMAGES, "source": SOURCES[:15]}), "15 values of 'source' for 16 images"),
        (lambda m: m.fit(two_sets()), "this model makes 8x8x3"),
        (
            lambda m: m.fit(ImageData("a", "train", SPEC, {"image": IMAGES, "source": SOURCES}, paired=False)),
            "two sets",
        ),
        (
            lambda m: m.fit(ImageData("a", "train", SPEC, {"image": IMAGES, "source": IMAGES})),
            "source_spec=data.source_spec",
        ),
        (lambda m: m.fit(ImageData("a", "train", SPEC, {"image": IMAGES})), "wants a source"),
    ],
)
def test_what_is_no_pair_is_refused(model, train, words):
    with pytest.raises(kg.InvalidInput, match=words):
        train(model)


def test_one_channel_where_three_are_wanted_is_said():
    colour = Translator(SPEC, SPEC)
    with pytest.raises(kg.InvalidInput, match=r"shape \[16, 8, 8, 1\].*np.repeat\(sources, 3, axis=-1\)"):
        colour.fit({"image": IMAGES, "source": SOURCES})


def test_a_model_of_two_sets_takes_them_in_every_form(two_ways):
    a, b = SOURCES, noise_images(11, SOURCE, 2)
    forms = {
        "arrays": (a, b),
        "a pair": ((a, b),),
        "a list": ([a, b],),
        "a dict": ({"source": a, "image": b},),
        "ImageData": (ImageData("mine", "train", SOURCE, {"source": a, "image": b}, paired=False),),
    }
    for name, given in forms.items():
        data = two_ways.as_image_data(*given)
        assert not data.paired and len(data) == 16, name
        np.testing.assert_array_equal(data.features["source"], a)
    assert two_ways.fit(a, b, batch_size=4, verbose=0).params["steps"] == 4
    zipped = tf.data.Dataset.zip(dataset(a), dataset(a))
    assert np.isfinite(two_ways.fit(zipped, verbose=0).history["loss"]).all()
    assert np.isfinite([*two_ways.train_on_batch(a, a), *two_ways.evaluate(a, b, verbose=0)]).all()
    kept = two_ways.as_image_data(ImageData("pairs", "train", SOURCE, {"source": a, "image": a}))
    assert kept.truth_known and not kept.paired


@pytest.mark.parametrize(
    "train,words",
    [
        (lambda m: m.fit(SOURCES), r"two sets of images: fit\(a, b\)"),
        (lambda m: m.fit((SOURCES, SOURCES, SOURCES)), "two sets of images"),
        (lambda m: m.fit({"image": SOURCES}), r"wants a source.*fit\(a, b\), or a dict"),
        (lambda m: m.fit(SOURCES, IMAGES), r"images have shape \[16, 8, 8, 3\]"),
        (lambda m: m.fit(SOURCES, SOURCES[:0]), "no image at all"),
        (lambda m: m.train_on_batch(SOURCES, SOURCES[:3]), "16 values of 'source' for 3 images"),
        (lambda m: m.fit(dataset({"image": SOURCES, "source": SOURCES}), SOURCES), r"zip\(\(a, b\)\)"),
    ],
)
def test_what_are_no_two_sets_is_refused(two_ways, train, words):
    with pytest.raises(kg.InvalidInput, match=words):
        train(two_ways)


def test_a_model_of_images_alone_takes_pairs_too():
    vae = kg.VAE(SPEC, latent_dim=2, hidden=(4,))
    vae.compile(run_eagerly=True)
    assert np.isfinite(vae.train_on_batch({"image": IMAGES, "source": SOURCES})).all()


# --- what a model is looked at under ------------------------------------------------------------------------------------


def test_a_model_is_shown_the_sources_of_the_data():
    data = ImageData("pairs", "train", SPEC, {"image": noise_images(5), "source": numbered(5)})
    shown = Translator(SPEC, SOURCE).shown_conditions(8, 0, data)["source"][:, 0, 0, 0]
    assert shown.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    again = Translator(SPEC, SOURCE).shown_conditions(3, 1, data)["source"][:, 0, 0, 0]
    assert again.tolist() == data.random_rows(3, 1).tolist()


# --- resizing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["bicubic", "area", "nearest"])
@pytest.mark.parametrize("size", [(4, 6), (32, 20), (16, 12)])
def test_resizing_is_pillows(how, size):
    from PIL import Image

    filters = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX, "nearest": Image.Resampling.NEAREST}
    images = noise_images(3, kg.ImageSpec(16, 12, 3, 100)) + np.uint8(80)  # Pillow also clips between its two passes
    found = np.round(np.clip(resized(images, size, how), 0, 255))
    for image, mine in zip(images, found):
        pillow = np.asarray(Image.fromarray(image).resize(size[::-1], filters[how]))
        np.testing.assert_allclose(mine, pillow, atol=2)  # and rounds there
    with pytest.raises(kg.InvalidInput, match="bicubic, area, nearest"):
        resized(images, size, "cubic")
