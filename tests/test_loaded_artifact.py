"""Artifacts sampled and measured without their model."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

import keras_gen as kg
from keras_gen import data
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.evaluation import evaluate
from keras_gen.exporters.loaded_artifact import LoadedArtifact

SPEC = ImageSpec(8, 8, 1, levels=17)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    path = tmp_path_factory.mktemp("vae") / "artifact"
    model = kg.VAE(SPEC, 2, hidden=(16,), seed=1)
    model.compile()
    model.export(path, ["saved_model", "onnx"])
    return model, path


@pytest.mark.parametrize("format", ["onnx", "saved_model"])
def test_a_loaded_artifact_draws_and_codes_as_the_model_does(vae, format):
    model, path = vae
    loaded = LoadedArtifact(path, format)
    assert loaded.image_spec == model.image_spec and loaded.noise_spec() == model.noise_spec()
    difference = np.abs(loaded.sample(70, seed=3).astype(int) - model.sample(70, seed=3))
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3
    images = data.load("digits", "test").images[:70]
    for ours, theirs in zip(loaded.encode(images), model.encode(images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    z = model.encode(images)[0]
    np.testing.assert_allclose(loaded.decode(z), model.decode(z), atol=1e-5)
    assert not any(hasattr(loaded, name) for name in ("log_prob", "complete", "elbo"))


def test_an_onnx_artifact_is_opened_without_tensorflow(vae):
    model, path = vae
    program = "import sys; from keras_gen.exporters.loaded_artifact import LoadedArtifact; "
    program += f"print(LoadedArtifact({str(path)!r}, 'onnx').sample(3, seed=3).sum()); "
    program += "assert not {'tensorflow', 'keras', 'onnx', 'tf2onnx'} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == LoadedArtifact(path, "onnx").sample(3, seed=3).sum()


def test_a_flow_live_and_exported_is_measured_by_the_same_bound(tmp_path):
    train, test = data.load("digits"), data.load("digits", "test").first(40)
    model = kg.Glow(SPEC, 1, 1, 4, seed=3)
    model.fit(train, batch_size=64, verbose=0)
    model.export(tmp_path / "artifact", "onnx")
    loaded = LoadedArtifact(tmp_path / "artifact")
    np.testing.assert_allclose(loaded.log_prob(test.images, 2), model.log_prob(test.images, 1, 2), rtol=1e-4)
    cool = model.sample(9, seed=1, temperature=0.5)
    assert np.abs(loaded.sample(9, seed=1, temperature=0.5).astype(int) - cool).max() <= 1
    np.testing.assert_allclose(loaded.decode(loaded.encode(test.images)), (test.images + 0.5) / 17, atol=1e-4)
    reports = [
        evaluate(each, train, test, samples=20, metrics=["nll"], out=tmp_path / name)
        for name, each in (("live", model), ("artifact", loaded))
    ]
    for live, exported in zip(*(report["metrics"] for report in reports)):
        np.testing.assert_allclose(live["value"], exported["value"], rtol=1e-4)
    assert [line["name"] for line in reports[0]["metrics"]] == [
        "nll_dequantized_40_test",
        "bits_per_dim_dequantized_40_test",
    ]
    for name in ("temperatures", "interpolation", "reconstructions"):
        assert (tmp_path / "live" / "pictures" / f"{name}.png").is_file()


def test_labels_and_densities_of_an_artifact(tmp_path):
    spec = ImageSpec(4, 4, 1, levels=2)
    model = kg.GatedPixelCNN(spec, 4, 1, classes=3)
    model.compile()
    model.export(tmp_path / "artifact", "onnx")
    loaded = LoadedArtifact(tmp_path / "artifact")
    assert loaded.condition_spec() == model.condition_spec()
    np.testing.assert_array_equal(loaded.sample(9, seed=1), model.sample(9, seed=1))
    np.testing.assert_array_equal(loaded.sample(5, seed=1, label=2), model.sample(5, seed=1, label=2))
    images, labels = model.sample(7, seed=5), np.arange(7) % 3
    np.testing.assert_allclose(loaded.log_prob(images, label=labels), model.log_prob(images, label=labels), rtol=1e-4)
    upper = np.arange(16).reshape(4, 4) < 6
    completions = loaded.complete(images, upper, seed=2, label=labels)
    np.testing.assert_array_equal(completions, model.complete(images, upper, seed=2, label=labels))
    with pytest.raises(InvalidInput, match="label 3 is out of range"):
        loaded.sample(5, label=3)
    with pytest.raises(InvalidInput, match="comes after an unknown one"):
        loaded.complete(images, ~upper)


def test_an_artifact_is_measured_like_its_model(vae, tmp_path):
    model, path = vae
    train, test = data.load("digits", "train"), data.load("digits", "test")
    chosen = ["fid", "kid", "precision_recall", "density_coverage", "memorisation"]
    live, read = (
        evaluate(subject, train, test, samples=200, out=tmp_path / name, metrics=chosen)
        for name, subject in (("live", model), ("artifact", LoadedArtifact(path)))
    )
    assert read["model"] == {"name": "artifact", "class": "VAE", "artifact": "onnx"}
    assert len(live["metrics"]) == len(read["metrics"]) >= 8
    for ours, theirs in zip(live["metrics"], read["metrics"], strict=True):
        assert ours["name"] == theirs["name"]
        # A level in a thousand may differ at a rounding border, hence a neighbour.
        assert theirs["value"] == pytest.approx(ours["value"], rel=0.02, abs=0.011)
    assert {"samples", "nearest", "interpolation", "manifold", "reconstructions"} <= set(read["pictures"])


def test_what_cannot_be_measured_is_refused(vae, tmp_path):
    _, path = vae
    with pytest.raises(InvalidInput, match="is no folder, so it is no artifact"):
        LoadedArtifact(tmp_path / "absent")
    with pytest.raises(InvalidInput, match="holds onnx, saved_model, not 'tflite'"):
        LoadedArtifact(path, "tflite")
    classifier = kg.Classifier(SPEC, 3, width=4, features=5)
    classifier.compile()
    classifier.export(tmp_path / "classifier", "onnx")
    with pytest.raises(InvalidInput, match=r"\(Classifier\) has no endpoint 'sample', only classify"):
        LoadedArtifact(tmp_path / "classifier")
    damaged = tmp_path / "damaged"
    shutil.copytree(path, damaged)
    file = damaged / "onnx" / "sample.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match="sample.onnx has .* bytes; the manifest says"):
        LoadedArtifact(damaged)
