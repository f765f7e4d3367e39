"""Feature spaces of trained networks, and the classifier that they are made of."""

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen import data
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import Uniform
from keras_gen.core.replicas import step_noise
from keras_gen.exporters.small_file import write_feature_network
from keras_gen.metrics import network_features
from keras_gen.metrics.features import default_space, feature_space

SPEC = ImageSpec(8, 8, 1, levels=17)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    digits = data.load("digits", "train")
    keras.utils.set_random_seed(0)  # or the weights to begin with depend on which tests ran before
    model = kg.Classifier(SPEC, 10, width=8, features=12)
    model.fit(digits, batch_size=32, epochs=12, verbose=0)
    path = tmp_path_factory.mktemp("network") / "digits.keras"
    model.network.save(path)
    return model, path


def test_the_classifier_learns_and_its_saved_network_is_a_feature_space(trained):
    model, path = trained
    test = data.load("digits", "test")
    accuracy = (model.classify(test.images).argmax(axis=1) == test.features["label"]).mean()
    assert accuracy > 0.85
    space = feature_space(f"network:{path}")
    assert space.classifies and space.label.startswith("network-") and len(space.label) == len("network-") + 8
    read = space.read(test.images, SPEC)
    assert read.features.shape == (359, 12) and read.features.dtype == np.float32
    np.testing.assert_allclose(read.probabilities, model.classify(test.images), atol=1e-5)
    np.testing.assert_allclose(space.read(test.images[300:], SPEC).features, read.features[300:], atol=1e-5)


def test_a_small_file_is_nearly_the_same_feature_space(trained, tmp_path):
    model, whole = trained
    small = tmp_path / "small.keras"
    weights = model.get_weights()
    write_feature_network(model, small)
    images = data.load("digits", "test").images
    read, of_whole = (feature_space(f"network:{path}").read(images, SPEC) for path in (small, whole))
    np.testing.assert_allclose(read.probabilities, of_whole.probabilities, atol=0.05)
    assert (read.probabilities.argmax(axis=1) == of_whole.probabilities.argmax(axis=1)).mean() > 0.98
    assert [path.name for path in tmp_path.iterdir()] == ["small.keras"]  # nothing of the making stays beside it
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_file_of_a_reduced_model_computes_in_float32_and_is_small(tmp_path):
    model = kg.Classifier(SPEC, 10, width=32, features=12, dtype="mixed_bfloat16")
    model.network.save(tmp_path / "whole.keras")
    write_feature_network(model, tmp_path / "small.keras")
    network = keras.models.load_model(tmp_path / "small.keras")
    assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
    assert (tmp_path / "small.keras").stat().st_size < 0.6 * (tmp_path / "whole.keras").stat().st_size


def test_what_is_no_feature_network_is_not_written(trained, tmp_path):
    with pytest.raises(InvalidInput, match="goes to a .keras file, got .*mine.h5"):
        write_feature_network(trained[0], tmp_path / "mine.h5")
    with pytest.raises(InvalidInput, match="a Classifier's, got Functional"):
        write_feature_network(trained[0].network, tmp_path / "mine.keras")
    assert not list(tmp_path.iterdir())


def test_a_classifier_is_exported_and_loaded_whole(trained, tmp_path):
    model, _ = trained
    manifest = model.export(tmp_path / "artifact", ["saved_model", "onnx"])
    assert set(manifest["endpoints"]) == {"classify"}
    model.save(tmp_path / "model.keras")
    images = data.load("digits", "test").images
    np.testing.assert_allclose(kg.load(tmp_path / "model.keras").classify(images), model.classify(images), atol=1e-6)


def test_binarized_pixels_are_drawn_with_their_values_as_probabilities():
    model = kg.Classifier(ImageSpec(4, 4, 1), 3, network=_linear(4, 3), binarize=0.5)
    model.compile()
    images = np.full((400, 4, 4, 1), 0.25, np.float32)
    drawn = np.asarray(model._partly_binarized(keras.ops.convert_to_tensor(images))).reshape(400, 16)
    whole = (drawn == 0.25).all(axis=1)
    assert abs(whole.mean() - 0.5) < 0.08
    assert set(np.unique(drawn[~whole])) == {0.0, 1.0} and abs(drawn[~whole].mean() - 0.25) < 0.03
    chosen = step_noise({"pixels": Uniform((4, 4, 1)), "chosen": Uniform((1, 1, 1))}, 400, model.seed, 0)["chosen"]
    np.testing.assert_array_equal(whole, np.asarray(chosen).reshape(-1) >= 0.5)


def _linear(side, classes, features="features"):
    images = keras.Input((side, side, 1))
    hidden = keras.layers.Dense(5, name=features)(keras.layers.Flatten()(images))
    return keras.Model(images, keras.layers.Dense(classes)(hidden))


def test_the_shipped_classifier_reads_mnist_and_tells_ones_from_blanks():
    space = feature_space("classifier_mnist")
    assert space.label == "classifier-mnist" and space.classifies
    blank = np.zeros((1, 28, 28, 1), np.uint8)
    one = blank.copy()
    one[0, 5:23, 13:16] = 1
    for levels in (2, 256):
        spec = ImageSpec(28, 28, 1, levels)
        read = space.read(np.concatenate([blank, one * np.uint8(levels - 1)]), spec)
        assert read.features.shape[0] == 2 and np.isfinite(read.features).all()
        np.testing.assert_allclose(read.probabilities.sum(axis=1), 1.0, atol=1e-5)
        assert read.probabilities[1].argmax() == 1 and read.probabilities[1, 1] > 0.9
    # Of padded images it reads the middle.
    padded = space.read(np.pad(one * np.uint8(255), ((0, 0), (2, 2), (2, 2), (0, 0))), ImageSpec(32, 32, 1))
    np.testing.assert_array_equal(padded.features[0], read.features[1])
    with pytest.raises(InvalidInput, match="reads images of 28x28x1, these are 8x8x1.*random_conv"):
        space.check(SPEC)
    with pytest.raises(InvalidInput, match="these are 33x33x1"):
        space.check(ImageSpec(33, 33, 1))


def test_the_shipped_classifier_of_cifar10_reads_colour_images():
    space = feature_space("classifier_cifar10")
    spec = ImageSpec(32, 32, 3)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    read = space.read(images, spec)
    assert read.features.shape == (3, 128) and (read.features.std(axis=0) > 0).mean() > 0.3
    np.testing.assert_allclose(read.probabilities.sum(axis=1), 1.0, atol=1e-5)
    with pytest.raises(InvalidInput, match="reads images of 32x32x3, these are 8x8x1.*random_conv"):
        space.check(SPEC)


def test_the_shipped_classifier_of_shapes_reads_what_a_scene_holds():
    scenes = data.load("shapes?objects=1&count=200", "test")
    assert default_space(scenes.name) == "classifier_shapes" and len(scenes.label_names) == 48
    found = feature_space("classifier_shapes").read(scenes.images, scenes.image_spec).probabilities.argmax(axis=1)
    assert (found == scenes.features["label"]).mean() >= 0.95
    for other in (
        "shapes",
        "shapes?objects=1-2",
        "shapes?objects=1&side=64",
        "shapes?objects=1&label=size",
        "reverse:shapes",
    ):
        assert default_space(other) == "random_conv"


def test_inception_reads_what_a_weight_file_says(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(InvalidInput, match="no Inception v3 weights at .*none are downloaded silently.*InceptionV3"):
        feature_space("inception_v3")
    path = tmp_path / "some.weights.h5"
    keras.utils.set_random_seed(0)
    model = keras.applications.InceptionV3(weights=None)
    model.save_weights(path)
    space = feature_space(f"inception_v3:{path}")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    read = space.read(images, ImageSpec(32, 32, 3))
    assert read.features.shape == (2, 2048) and space.label.startswith("inception-v3-")
    resized = keras.ops.image.resize(images / 127.5 - 1.0, (299, 299), antialias=True)
    np.testing.assert_allclose(read.probabilities, model(resized), atol=1e-5)
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InvalidInput, match="damaged.h5 holds no weights of Inception v3"):
        feature_space(f"inception_v3:{damaged}").check(ImageSpec(32, 32, 3))
    with pytest.raises(InvalidInput, match="these have 2 channels"):
        space.check(ImageSpec(32, 32, 2))
    for keeping in (network_features._inception, network_features._inception_reader):
        keeping.cache_clear()  # half a gigabyte


def test_what_is_no_classifier_is_refused(tmp_path):
    nameless = tmp_path / "nameless.keras"
    _linear(8, 3, features="hidden").save(nameless)
    lambda_layer = tmp_path / "lambda.keras"
    images = keras.Input((8, 8, 1))
    hidden = keras.layers.Lambda(lambda x: x + 1)(images)
    keras.Model(images, hidden).save(lambda_layer)
    (tmp_path / "text.keras").write_text("no zip")
    for name, text in [
        ("network", "write network:PATH.keras"),
        ("network:", "write network:PATH.keras"),
        (f"network:{tmp_path / 'absent.keras'}", "give an existing .keras file"),
        (f"network:{nameless}", "no classifier of images with a layer called 'features'"),
        (f"network:{lambda_layer}", "cannot be read as a Keras model"),  # safe_mode: no code from files
        (f"network:{tmp_path / 'text.keras'}", "cannot be read as a Keras model"),
        ("classifier_mnist:x", "takes no argument"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            feature_space(name).check(SPEC)
    for arguments, options, text in [
        ((SPEC, 1), {}, "classes=1"),
        ((SPEC, 3), {"binarize": 1.5}, "binarize=1.5"),
        ((SPEC, 3), {"dropout": 1.0}, "dropout=1.0"),
        ((SPEC, 3), {"network": _linear(8, 3, features="hidden")}, "no layer called 'features'"),
        ((SPEC, 3), {"network": _linear(8, 4)}, r"gives \[b, 4\]; wanted \[b, 3\]"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            kg.Classifier(*arguments, **options)
    with pytest.raises(InvalidInput, match="wants a label for each image"):
        kg.Classifier(SPEC, 3, network=_linear(8, 3)).fit(np.zeros((8, 8, 8, 1), np.uint8))
