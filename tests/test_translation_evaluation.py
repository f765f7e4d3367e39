"""Reports of models that answer images with images: errors, baselines, both directions, pictures."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from translators import Translator, TwoWays

import keras_gen as kg
from keras_gen.core.image_data import ImageData
from keras_gen.core.resizing import resized
from keras_gen.evaluation.measurement import MEASUREMENTS
from keras_gen.evaluation.report import check_evaluation, evaluate
from keras_gen.evaluation.translation import copied
from keras_gen.metrics.image_quality import l1, psnr, ssim

SPEC, GREY = kg.ImageSpec(12, 12, 3), kg.ImageSpec(12, 12, 1)


def colours(count, seed=0):
    """Smooth pictures."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, 3, 3), dtype=np.uint8)
    return np.round(np.clip(resized(coarse, (12, 12)), 0, 255)).astype(np.uint8)


def pairs(count, split, seed, source_spec=GREY):
    images = colours(count, seed)
    sources = images[..., :1] if source_spec == GREY else resized(images, source_spec.shape[:2]).clip(0, 255)
    features = {"image": images, "source": np.round(sources).astype(np.uint8), "label": np.arange(count) % 3}
    return ImageData("pairs", split, SPEC, features, source_spec=source_spec)


TRAIN, TEST = pairs(30, "train", 0), pairs(16, "test", 1)


def values(report):
    return {line["name"]: line["value"] for line in report["metrics"]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return evaluate(Translator(SPEC, GREY), TRAIN, TEST, out=folder, seed=2), folder


def test_a_translator_is_measured_against_the_truth(report):
    model, found = Translator(SPEC, GREY), values(report[0])
    outputs = model.sample(16, seed=2, source=TEST.features["source"])
    grey = TEST.features["source"].repeat(3, axis=-1)
    distances = ((TEST.features["source"][:, None].astype(int) - TRAIN.features["source"][None]) ** 2).sum((2, 3, 4))
    nearest = TRAIN.images[distances.argmin(1)]
    for name, metric in (("l1", l1), ("psnr", psnr), ("ssim", ssim)):
        for who, answers in (("copy_", grey), ("nearest_", nearest)):
            wanted = metric(answers, TEST.images, SPEC).mean()
            np.testing.assert_allclose(found[f"{name}_{who}16_test"], wanted)
    assert found.keys() >= {"l1_16_test", "psnr_16_test", "ssim_16_test", "fid16_test_random-conv"}
    line = next(line for line in report[0]["metrics"] if line["name"] == "l1_16_test")
    assert line["n"] == 16 and line["stderr"] > 0 and line["unit"] == "fraction" and outputs.shape == (16, 12, 12, 3)
    assert not any(name.startswith(("ba_", "cycle", "accuracy")) for name in found)


def test_what_is_shown_are_the_sources_of_the_test_split(report):
    report, folder = report
    assert {"translations", "drawings", "samples", "real_and_fake", "nearest"} <= set(report["pictures"])
    for picture in report["pictures"].values():
        assert Image.open(folder / picture["file"]).size[0] > 100
    assert json.loads((folder / "report.json").read_text())["data"]["name"] == "pairs"
    subject, _ = check_evaluation(Translator(SPEC, GREY, noisy=0.0), TRAIN, TEST, samples=7, seed=5)
    np.testing.assert_array_equal(subject.source_rows, TEST.random_rows(7, 5))
    wanted = subject.model.sample(7, source=TEST.features["source"][subject.source_rows])
    np.testing.assert_array_equal(subject.fakes, wanted)


def test_more_samples_than_sources_are_not_drawn():
    """The training set would be large enough to compare with, but its sources are no test."""
    subject, _ = check_evaluation(Translator(SPEC, GREY), TRAIN, TEST, samples=20)
    assert subject.samples == 16 and subject.real is TEST


def test_there_and_back_is_measured_both_ways(tmp_path):
    images = colours(12)
    sources = (255 - images).astype(np.uint8)
    sides = {"image": images, "source": sources}
    train, test = (
        ImageData("negatives", split, SPEC, sides, paired=False, truth_known=True) for split in ("train", "test")
    )
    negative, identity = TwoWays(SPEC, negative=True), TwoWays(SPEC)
    found = values(evaluate(negative, train, test, out=tmp_path / "negative", samples=8))
    tail = "8_test"
    assert (
        found[f"l1_{tail}"]
        == found[f"ba_l1_{tail}"]
        == found[f"cycle_l1_aba_{tail}"]
        == found[f"cycle_l1_bab_{tail}"]
        == 0
    )
    assert found[f"psnr_{tail}"] == found[f"ba_psnr_{tail}"] == 100 and abs(found["fid8_test_random-conv"]) < 1e-3
    rows = test.random_rows(8, 0)
    np.testing.assert_allclose(found[f"l1_copy_{tail}"], l1(sources[rows], images[rows], SPEC).mean())
    np.testing.assert_allclose(found[f"ba_l1_copy_{tail}"], found[f"l1_copy_{tail}"])
    assert not any("nearest_8" in name for name in found)  # hidden pairs are no training set
    pictures = {path.stem for path in (tmp_path / "negative" / "pictures").iterdir()}
    assert {"translations", "translations_ba", "cycles", "cycles_ba"} <= pictures and "drawings" not in pictures
    found = values(
        evaluate(identity, train, test, out=tmp_path / "identity", samples=8, metrics=["translation", "cycle"])
    )
    np.testing.assert_allclose(found[f"l1_{tail}"], found[f"l1_copy_{tail}"])
    assert found[f"cycle_l1_aba_{tail}"] == 0


def test_two_sets_of_different_sizes_have_distances_alone(tmp_path):
    sides = {"image": colours(12), "source": colours(7, 1)}
    train, test = (ImageData("two sets", split, SPEC, sides, paired=False) for split in ("train", "test"))
    report = evaluate(TwoWays(SPEC), train, test, out=tmp_path)
    found = values(report)
    assert {"fid7_test_random-conv", "ba_fid7_test_random-conv", "cycle_l1_aba_7_test", "cycle_l1_bab_7_test"} <= set(
        found
    )
    assert not any(name.startswith(("l1_", "ba_l1_")) for name in found)
    assert report["pictures"]["translations"]["shows"].endswith("rows of two: source, the model's image")
    with pytest.raises(kg.InvalidInput, match="does not say which image belongs to which source"):
        check_evaluation(TwoWays(SPEC), train, test, metrics=["translation"])


def test_a_classifier_judges_the_answers(tmp_path):
    """Here, one that gives random classes, which are then the images' own."""
    import keras

    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Flatten()])
    network.add(keras.layers.Dense(8, name="features"))
    network.add(keras.layers.Dense(3, activation="softmax"))
    network.save(tmp_path / "classifier.keras")
    labels = network.predict(TEST.images / 255, verbose=0).argmax(1)
    test = dataclasses.replace(TEST, features={**TEST.features, "label": labels})
    report = evaluate(
        Translator(SPEC, GREY),
        *(TRAIN, test),
        out=tmp_path / "report",
        features=f"network:{tmp_path / 'classifier.keras'}",
        metrics=["translated_accuracy"],
    )
    mine, copy = report["metrics"]
    assert mine["name"].startswith("accuracy_translated_16_test_") and copy["name"].startswith(
        "accuracy_translated_copy_16_"
    )
    assert mine["real_images_score"] == copy["real_images_score"] == 1.0
    grey = network.predict(TEST.features["source"].repeat(3, axis=-1) / 255, verbose=0).argmax(1)
    assert copy["value"] == (grey == labels).mean()
    many = dataclasses.replace(test, features={**test.features, "label": labels + 3})
    with pytest.raises(kg.InvalidInput, match="tells 3 classes apart"):
        evaluate(
            Translator(SPEC, GREY),
            *(TRAIN, many),
            out=tmp_path / "many",
            features=f"network:{tmp_path / 'classifier.keras'}",
            metrics=["translated_accuracy"],
        )


def test_smaller_sources_are_enlarged_for_comparison():
    small = kg.ImageSpec(6, 6, 3)
    test = pairs(16, "test", 1, small)
    subject, wanted = check_evaluation(Translator(SPEC, small), pairs(30, "train", 0, small), test)
    name, images = copied(test.features["source"], small, SPEC)
    assert name == "bicubic" and "translation" in wanted
    np.testing.assert_allclose(images, resized(test.features["source"], (12, 12)).clip(0, 255), atol=0.5)


def test_copies_change_levels_and_channels_alone():
    binary = np.array([0, 1], np.uint8).reshape(1, 1, 2, 1)
    name, images = copied(binary, kg.ImageSpec(1, 2, 1, 2), kg.ImageSpec(1, 2, 3))
    assert name == "copy" and images.tolist() == [[[[0] * 3, [255] * 3]]]
    colour = np.array([10, 20, 60], np.uint8).reshape(1, 1, 1, 3)
    assert copied(colour, kg.ImageSpec(1, 1, 3), kg.ImageSpec(1, 1, 1))[1].item() == 30
    assert copied(colour, kg.ImageSpec(1, 1, 3), kg.ImageSpec(1, 1, 2)) is None


@pytest.mark.parametrize(
    "model,metric,words",
    [
        (kg.VAE(SPEC, latent_dim=2, hidden=(4,)), "translation", "makes no images of other images"),
        (Translator(SPEC, GREY), "cycle", "does not go back"),
        (Translator(SPEC, GREY), "translated_accuracy", "gives no class probabilities"),
    ],
    ids=str,
)
def test_what_cannot_be_measured_says_why(model, metric, words):
    assert metric in MEASUREMENTS
    with pytest.raises(kg.InvalidInput, match=words):
        check_evaluation(model, TRAIN, TEST, metrics=[metric])


def test_sources_of_another_kind_are_refused():
    with pytest.raises(kg.InvalidInput, match="Measure the model on the data that it was trained on"):
        check_evaluation(Translator(SPEC, SPEC), TRAIN, TEST)
    with pytest.raises(kg.InvalidInput, match="wants a source for each image"):
        alone = ImageData("alone", "test", SPEC, {"image": TEST.images})
        check_evaluation(Translator(SPEC, GREY), alone, alone)
