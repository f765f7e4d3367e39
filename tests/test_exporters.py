"""Artifacts: what is written is what the model gives, or nothing is written."""

import importlib
import itertools
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from keras_gen import GAN, VAE, Classifier, GatedPixelCNN, InvalidInput, OutputFailed
from keras_gen.core.errors import ExportFailed
from keras_gen.core.files import sha256
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images
from keras_gen.core.noise import Normal, draw
from keras_gen.exporters import parity
from keras_gen.exporters.float32_twin import float32_twin, in_float32
from keras_gen.exporters.formats import FORMATS
from keras_gen.exporters.manifest import NAME, describe_endpoint, digest, files_of
from keras_gen.exporters.onnx import unknown_operations
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.classifier import convolutional_classifier

BOTH = ("saved_model", "onnx")


def stirred(model: keras.Model) -> keras.Model:
    """The model with weights as different as training makes them; fresh ones give one image for nearly any noise."""
    generator = np.random.default_rng(0)
    model.set_weights([weight + generator.uniform(0.0, 0.5, weight.shape) - 0.1 for weight in model.get_weights()])
    return model


def build(name: str, **options) -> keras.Model:
    if name == "gaussian_vae":
        return stirred(VAE((8, 8, 1, 17), latent_dim=4, hidden=(16,), **options))
    if name == "binary_vae":
        return stirred(VAE((8, 8, 1, 2), latent_dim=4, architecture="convolutional", width=8, **options))
    return stirred(GAN((8, 8, 1, 17), latent_dim=4, width=8, ema_decay=0.9, **options))


@pytest.fixture(scope="module", params=["gaussian_vae", "binary_vae", "ema_gan"])
def exported(request, tmp_path_factory):
    """A model, its artifact's folder and manifest."""
    model = build(request.param)
    path = tmp_path_factory.mktemp("artifacts") / request.param
    return model, path, model.export(path, format=BOTH)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A small whole artifact to copy and spoil."""
    path = tmp_path_factory.mktemp("pristine") / "gan"
    build("ema_gan").export(path, format=BOTH)
    return path


@pytest.fixture
def artifact(pristine, tmp_path):
    return Path(shutil.copytree(pristine, tmp_path / "gan"))


def contents(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in [*files_of(path), NAME]}


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", BOTH)
@pytest.mark.parametrize("batch", [1, 5])
def test_every_endpoint_gives_what_the_model_gives(exported, format_name, batch):
    model, path, manifest = exported
    run = FORMATS.get(format_name).load(path, manifest["formats"][format_name])
    for name, endpoint in model.endpoints().items():
        inputs = draw(endpoint.inputs, batch, seed=11)
        wanted = {key: np.asarray(value) for key, value in endpoint.function(inputs).items()}
        agreement = parity.compare({batch: (inputs, wanted)}, run, name)
        assert agreement.problems == []
        assert set(wanted) == set(endpoint.ranges)


def test_sample_of_an_artifact_is_sample_of_the_model(exported):
    model, path, manifest = exported
    run = FORMATS.get("saved_model").load(path, manifest["formats"]["saved_model"])
    images = run("sample", draw(model.noise_spec(), 4, seed=3))["image"]
    assert images.std() > 0
    np.testing.assert_array_equal(images, model.sample(4, seed=3))


def test_saved_model_has_named_signatures_with_any_batch(exported):
    model, path, manifest = exported
    assert manifest["formats"]["saved_model"] == {"path": "saved_model/1"}
    loaded = tf.saved_model.load(str(path / "saved_model/1"))
    assert set(loaded.signatures) == set(model.endpoints())
    for name, endpoint in model.endpoints().items():
        _, inputs = loaded.signatures[name].structured_input_signature
        assert {key: spec.shape.as_list() for key, spec in inputs.items()} == {
            key: [None, *kind.shape] for key, kind in endpoint.inputs.items()
        }
        assert set(loaded.signatures[name].structured_outputs) == set(endpoint.ranges)


def test_onnx_has_the_names_and_a_named_batch(exported):
    model, path, manifest = exported
    assert manifest["formats"]["onnx"]["opset"] == 17
    for name, endpoint in model.endpoints().items():
        graph = onnx.load(path / manifest["formats"]["onnx"]["files"][name]).graph
        assert {value.name for value in graph.input} == set(endpoint.inputs)
        assert {value.name for value in graph.output} == set(endpoint.ranges)
        for value in (*graph.input, *graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_manifest_says_it_all(exported):
    model, path, manifest = exported
    assert manifest == json.loads((path / NAME).read_text())
    assert manifest["schema"] == "keras_gen/artifact/1"
    assert manifest["model"] == type(model).__name__
    assert manifest["image_spec"] == model.image_spec.get_config()
    assert manifest["trained_with"] == "float32"
    assert {"tensorflow", "keras", "numpy", "onnx", "tf2onnx", "onnxruntime"} == set(manifest["versions"])
    sample = manifest["endpoints"]["sample"]
    normal = {"kind": "normal", "distribution": "normal", "mean": 0.0, "stddev": 1.0}
    assert sample["inputs"]["z"] == {"dtype": "float32", "shape": [None, 4], **normal}
    levels = [0, model.image_spec.levels - 1]
    assert sample["outputs"]["image"] == {"dtype": "uint8", "shape": [None, 8, 8, 1], "range": levels}
    assert ("u" in sample["inputs"]) == (type(model) is VAE and model.sample_pixels)
    for format_name, endpoint in itertools.product(BOTH, manifest["endpoints"]):
        measured = manifest["parity"][format_name][endpoint]
        assert measured["batch_sizes"] == [3, 8]
        assert measured["max_abs_error"] <= 1.0 and measured["differing_fraction"] <= 1e-3
    assert set(manifest["files"]) == set(files_of(path))


def test_an_image_input_is_described_by_its_range():
    endpoint = build("gaussian_vae").endpoints()["encode"]
    described = describe_endpoint(endpoint, {"mean": np.zeros((3, 4), np.float32)})
    assert described["inputs"] == {
        "image": {"kind": "images", "dtype": "uint8", "shape": [None, 8, 8, 1], "distribution": None, "range": [0, 16]}
    }
    assert described["outputs"] == {"mean": {"dtype": "float32", "shape": [None, 4], "range": None}}


def test_only_what_is_sampled_leaves(pristine):
    """The discriminator stays at home: weights in the SavedModel are those of the averaged generator."""
    names = [name for name, _ in tf.train.list_variables(str(pristine / "saved_model/1/variables/variables"))]
    assert sum("weights" in name for name in names) == len(build("ema_gan").averages[0].weights)


# --- versions, places -------------------------------------------------------------------------------------------------


def test_versions_count_up_and_the_old_one_goes(artifact):
    model = build("ema_gan")
    assert model.export(artifact, format="onnx")["version"] == 2
    assert not (artifact / "saved_model").exists()
    manifest = model.export(artifact)
    assert manifest["formats"] == {"saved_model": {"path": "saved_model/3"}}
    assert [path.name for path in (artifact / "saved_model").iterdir()] == ["3"]
    assert model.export(artifact, version=9)["formats"]["saved_model"]["path"] == "saved_model/9"


@pytest.mark.parametrize("version", [0, True, 1.5])
def test_a_version_is_a_positive_integer(tmp_path, version):
    with pytest.raises(InvalidInput, match="at least 1"):
        build("ema_gan").export(tmp_path / "a", version=version)


def test_unknown_format_lists_the_known(tmp_path):
    with pytest.raises(InvalidInput, match="onnx, saved_model"):
        build("ema_gan").export(tmp_path / "a", format="tflite")
    with pytest.raises(InvalidInput, match="onnx, saved_model"):
        build("ema_gan").export(tmp_path / "a", format=[])


def test_foreign_places_are_refused_and_untouched(artifact, tmp_path):
    model = build("ema_gan")
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    (artifact / "notes.txt").write_text("notes")
    for path, why in (
        (mine, "not overwritten"),
        (tmp_path / "file", "not overwritten"),
        (artifact, "notes.txt, which would be lost"),
    ):
        before = contents(path) if path == artifact else None
        with pytest.raises(InvalidInput, match=why):
            model.export(path)
        assert before is None or contents(path) == before
    assert (mine / "chapter.txt").read_text() == "years of work"
    with pytest.raises(OutputFailed, match="untouched"):
        model.export(tmp_path / "file" / "below")


def test_an_empty_folder_is_a_fine_place(tmp_path):
    assert build("ema_gan").export(tmp_path, format="onnx")["version"] == 1
    parity.verify(tmp_path)


# --- nothing is written on failure ------------------------------------------------------------------------------------


def fails(model, path: Path, formats, match: str) -> None:
    """Exporting over an artifact fails and leaves it, and its surroundings, as they were."""
    before, beside = contents(path), sorted(os.listdir(path.parent))
    with pytest.raises(ExportFailed, match=match):
        model.export(path, format=formats)
    assert contents(path) == before
    assert sorted(os.listdir(path.parent)) == beside


@pytest.mark.parametrize("format_name", BOTH)
def test_an_impure_endpoint_is_caught(artifact, monkeypatch, format_name):
    model, turns = build("ema_gan"), itertools.count()
    pure = model.generate
    monkeypatch.setattr(
        model, "generate", lambda noise, conditions: tf.minimum(pure(noise), tf.constant(2 + 4 * next(turns), tf.uint8))
    )
    fails(model, artifact, format_name, f"{format_name} endpoint 'sample' does not give what the model gives")


def test_an_operation_without_onnx_is_named(artifact, monkeypatch):
    model = build("ema_gan")
    pure = model.generate
    monkeypatch.setattr(model, "generate", lambda noise, conditions: pure({"z": tf.math.ndtri(tf.sigmoid(noise["z"]))}))
    fails(model, artifact, list(BOTH), "Endpoint 'sample'.*no operation Ndtri.*saved_model")


@pytest.mark.parametrize("case", ["float64 convolutions", "1x1 images"])
def test_what_onnx_runtime_refuses_is_a_failed_export(artifact, case):
    if case == "1x1 images":
        model, how = GatedPixelCNN((1, 1, 1, 2), 4, 1), "cannot run endpoint 'log_prob': Fail"
    else:
        with dtype_policy("float64"):
            network = convolutional_classifier(ImageSpec(8, 8, 1, 17), 3, 4, 5)
        model, how = Classifier((8, 8, 1, 17), 3, network=network), "open endpoint 'classify': Not"
    fails(model, artifact, "onnx", f"written as onnx does not run. ONNX Runtime .*{how}.*Nothing was written")


def test_names_that_no_reader_would_take_do_not_leave(artifact, monkeypatch):
    model = build("ema_gan")
    monkeypatch.setattr(model, "noise_spec", lambda: {"z/1": Normal((4,))})
    monkeypatch.setattr(
        model, "generate", lambda noise, conditions: tf.cast(noise["z/1"][:, None, None, :1], tf.uint8) * 0
    )
    fails(model, artifact, "saved_model", "manifest would be refused.*'endpoints.sample.inputs.z/1' is 'z/1'")


def test_drawn_gaussian_pixels_leave_with_the_model(tmp_path):
    model = build("gaussian_vae", sample_pixels=True)
    manifest = model.export(tmp_path / "artifact", format=list(BOTH))
    assert set(manifest["endpoints"]["sample"]["inputs"]) == {"z", "u"}


def test_diverged_weights_do_not_leave(artifact):
    model = build("gaussian_vae")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    fails(model, artifact, "saved_model", "NaN or infinite values.*earlier checkpoint")


def test_undeclared_output_ranges_are_caught(artifact, monkeypatch):
    model = build("ema_gan")
    monkeypatch.setattr(
        model, "generate", lambda noise, conditions: tf.fill((len(noise["z"]), 8, 8, 1), tf.constant(40, tf.uint8))
    )
    fails(model, artifact, "saved_model", r"declares \[0, 16\]")


def test_a_missing_package_says_how_to_install_it(tmp_path, monkeypatch):
    real = importlib.import_module

    def without(name, package=None):
        if name == "tf2onnx":
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(InvalidInput, match="pip install .*tf2onnx"):
        build("ema_gan").export(tmp_path / "a", format="onnx")
    assert not (tmp_path / "a").exists()


def test_unknown_operations_are_found_in_the_bodies_of_if():
    def branch(operation: str):
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
        return helper.make_graph([helper.make_node(operation, ["x"], ["y"])], operation, [], [result])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Ndtri"))
    graph = helper.make_graph([node], "outer", [], [])
    assert unknown_operations(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])) == {"Ndtri"}


# --- precision and strategies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_reduced_precision_leaves_as_its_float32_twin(tmp_path, policy):
    model = build("ema_gan", dtype=policy)
    manifest = model.export(tmp_path / "a", format=BOTH)
    assert manifest["trained_with"] == policy
    twin, replaced = float32_twin(model)
    assert replaced == {policy}
    assert model.dtype_policy.name == policy
    layers = twin.averages[0].layers + twin.generator.layers + twin.discriminator.layers
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    for before, after in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    run = FORMATS.get("onnx").load(tmp_path / "a", manifest["formats"]["onnx"])
    images = run("sample", draw(model.noise_spec(), 6, seed=2))["image"].astype(int)
    assert np.abs(images - twin.sample(6, seed=2)).max() <= 1
    # The trained model itself rounds more coarsely, yet makes the same pictures.
    assert np.abs(images - model.sample(6, seed=2)).mean() < 0.5


def test_policies_are_replaced_wherever_they_stand():
    replaced: set[str] = set()
    config = {
        "dtype": "mixed_bfloat16",
        "name": "float16",
        "layers": [
            {"dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}},
            {"dtype": "int32"},
            ({"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}},),
        ],
    }
    assert in_float32(config, replaced) == {
        "dtype": "float32",
        "name": "float16",
        "layers": [
            {"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}},
            {"dtype": "int32"},
            ({"dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}}},),
        ],
    }
    assert replaced == {"mixed_bfloat16", "mixed_float16"}


def test_a_float32_model_is_its_own_twin():
    model = build("ema_gan")
    assert float32_twin(model) == (model, set())


def test_a_mirrored_model_leaves_as_one(tmp_path):
    strategy = tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices("CPU")])
    with strategy.scope():
        model = build("ema_gan")
        with pytest.raises(InvalidInput, match="outside"):
            model.export(tmp_path / "a")
    manifest = model.export(tmp_path / "a", format=BOTH)
    run = FORMATS.get("saved_model").load(tmp_path / "a", manifest["formats"]["saved_model"])
    images = run("sample", draw(model.noise_spec(), 4, seed=3))["image"]
    np.testing.assert_array_equal(images, model.sample(4, seed=3))


# --- the rule of agreement --------------------------------------------------------------------------------------------


def problems(wanted: np.ndarray, found: np.ndarray) -> list[str]:
    return parity.compare({len(wanted): ({}, {"y": wanted})}, lambda name, inputs: {"y": found}, "endpoint").problems


def test_rule_for_floats():
    wanted = np.array([[0.0], [100.0], [np.inf]], np.float32)
    assert problems(wanted, wanted + np.array([[9e-5], [9e-3], [0]], np.float32)) == []
    assert problems(wanted, wanted + np.array([[2e-4], [0], [0]], np.float32))
    assert problems(wanted, np.array([[0.0], [np.nan], [np.inf]], np.float32))
    assert problems(wanted, wanted.astype(np.float64))
    assert problems(wanted, wanted[:2])


def test_rule_for_levels():
    wanted = np.zeros((4, 1000), np.uint8)
    border, far, many = wanted.copy(), wanted.copy(), wanted.copy()
    border[0, :4] = 1
    far[0, 0] = 2
    many[0, :5] = 1
    assert problems(wanted, border) == []
    assert problems(wanted, far) and problems(wanted, many)
    tiny = np.zeros((3, 4), np.uint8)
    one, three = tiny.copy(), np.eye(3, 4, dtype=np.uint8)
    one[0, 0] = 1
    assert problems(tiny, one) == [] and problems(tiny, three)


def test_rule_for_levels_drawn_in_order():
    """One image may part from the reference, at one border; what follows in it is not compared."""

    def sequential_problems(found):
        reference = {len(wanted): ({}, {"y": wanted})}
        return parity.compare(reference, lambda name, inputs: {"y": found}, "endpoint", sequential=True).problems

    wanted = np.zeros((4, 5, 5, 1), np.uint8)
    parted, far, two = wanted.copy(), wanted.copy(), wanted.copy()
    parted[1, 2, 2], parted[1, 3:] = 1, 200
    far[1, 2, 2] = 2
    two[0, 4, 4] = two[1, 4, 4] = 1
    assert sequential_problems(wanted) == [] and sequential_problems(parted) == []
    assert "by up to 2 levels" in sequential_problems(far)[0]
    assert sequential_problems(two) == ["2 images differ; wanted 1 at most"]


def test_a_missing_output_is_a_problem():
    wanted = {3: ({}, {"y": np.zeros(3)})}
    assert "nothing" in parity.compare(wanted, lambda name, inputs: {}, "endpoint").problems[0]


def test_references_survive_the_disk(tmp_path):
    inputs = draw({"z": Normal((4,)), "image": Images(build("gaussian_vae").image_spec)}, 3, seed=0)
    reference = {3: (inputs, {"image": np.arange(3, dtype=np.uint8), "mean": np.ones((3, 2), np.float32)})}
    parity.write_references(tmp_path, {"encode": reference})
    read = parity.read_reference(tmp_path, "encode")
    for before, after in zip(reference[3], read[3], strict=True):
        assert set(before) == set(after)
        for name in before:
            np.testing.assert_array_equal(before[name], after[name])


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_reports(exported):
    model, path, manifest = exported
    report = parity.verify(path)
    assert report["model"] == type(model).__name__ and report["files"] == len(manifest["files"])
    assert {name: set(endpoints) for name, endpoints in report["formats"].items()} == {
        name: set(model.endpoints()) for name in BOTH
    }
    assert json.loads(json.dumps(report)) == report


def test_verify_runs_the_formats_asked_for_after_all_checksums(exported, tmp_path):
    _, path, manifest = exported
    assert list(parity.verify(path, ["onnx"])["formats"]) == ["onnx"]
    for asked in ([], ["tflite"]):
        with pytest.raises(InvalidInput, match="holds saved_model, onnx, not"):
            parity.verify(path, asked)
    copy = Path(shutil.copytree(path, tmp_path / "a"))
    flip_a_byte("saved_model/1/saved_model.pb")(copy)
    with pytest.raises(InvalidInput, match="saved_model.pb was changed"):
        parity.verify(copy, ["onnx"])


def edited(change):
    """Changes the manifest and signs it anew, as a forger would."""

    def spoil(path: Path) -> None:
        manifest = json.loads((path / NAME).read_text())
        change(manifest)
        manifest["manifest_sha256"] = digest(manifest)
        (path / NAME).write_text(json.dumps(manifest))

    return spoil


def flip_a_byte(name: str):
    def spoil(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)

    return spoil


def truncate(name: str):
    return lambda path: os.truncate(path / name, (path / name).stat().st_size - 7)


def link_away(path: Path) -> None:
    shutil.move(path / "onnx/sample.onnx", path.parent / "sample.onnx")
    (path / "onnx/sample.onnx").symlink_to(path.parent / "sample.onnx")


ENTRY = {"sha256": "0" * 64, "bytes": 1}
TAMPERED = {
    "onnx byte": (flip_a_byte("onnx/sample.onnx"), r"onnx/sample\.onnx was changed: its SHA-256"),
    "weights byte": (flip_a_byte("saved_model/1/variables/variables.data-00000-of-00001"), "data-00000.*was changed"),
    "reference byte": (flip_a_byte("parity/sample.npz"), r"sample\.npz was changed"),
    "onnx cut": (truncate("onnx/sample.onnx"), r"sample\.onnx has \d+ bytes; the manifest says"),
    "file missing": (lambda path: (path / "saved_model/1/saved_model.pb").unlink(), r"saved_model\.pb is missing"),
    "file extra": (lambda path: (path / "saved_model/1/evil.pb").touch(), r"evil\.pb does not belong"),
    "link": (link_away, "is a link"),
    "no manifest": (lambda path: (path / NAME).unlink(), r"has no manifest\.json"),
    "no folder": (shutil.rmtree, "is no folder"),
    "manifest cut": (truncate(NAME), r"manifest\.json is no complete JSON"),
    "manifest a list": (lambda path: (path / NAME).write_text("[]"), "has schema None"),
    "manifest binary": (lambda path: (path / NAME).write_bytes(b"\xff\xfe\x00"), r"manifest\.json is no complete JSON"),
    "other schema": (edited(lambda m: m.update(schema="keras_gen/artifact/9")), "artifact/9.*wanted"),
    "number changed": (
        lambda path: (path / NAME).write_text((path / NAME).read_text().replace('"stddev": 1.0', '"stddev": 1.1')),
        r"manifest\.json was changed after",
    ),
    "field missing": (edited(lambda m: m.pop("endpoints")), "field 'endpoints' is missing"),
    "checksum missing": (
        edited(lambda m: m["files"]["onnx/sample.onnx"].pop("sha256")),
        r"field 'files\.onnx/sample\.onnx\.sha256' is missing",
    ),
    "file unlisted": (edited(lambda m: m["files"].pop("onnx/sample.onnx")), "lists no checksum"),
    "traversal": (edited(lambda m: m["files"].update({"../x": ENTRY})), r"'\.\./x', which lies outside"),
    "deep traversal": (edited(lambda m: m["files"].update({"onnx/../../x": ENTRY})), "lies outside"),
    "absolute": (edited(lambda m: m["files"].update({"/etc/passwd": ENTRY})), "'/etc/passwd', which lies outside"),
    "windows": (edited(lambda m: m["files"].update({"..\\x": ENTRY})), "lies outside"),
    "deep nesting": (lambda path: (path / NAME).write_text("[" * 100_000), "no complete JSON"),
    "huge manifest": (lambda path: (path / NAME).write_text(" " * (16 << 20) + "1"), "is no manifest"),
    "huge shape": (
        edited(lambda m: m["endpoints"]["sample"]["inputs"]["z"].update(shape=[None, 10**9])),
        r"'endpoints\.sample\.inputs\.z\.shape\.1.*' is 1000000000; .*less than or equal to 1048576",
    ),
    "huge product": (
        edited(lambda m: m["endpoints"]["sample"]["outputs"]["image"].update(shape=[None, 10**4, 10**4, 1])),
        r"outputs\.image\.shape' is \[None, 10000, 10000, 1\]; .*at most 4194304 values",
    ),
    "negative shape": (edited(lambda m: m["endpoints"]["sample"]["inputs"]["z"].update(shape=[None, -4])), r"is -4; "),
    "shape a word": (edited(lambda m: m["endpoints"]["sample"]["inputs"]["z"].update(shape="4")), "'4'; .*valid list"),
    "dtype": (
        edited(lambda m: m["endpoints"]["sample"]["inputs"]["z"].update(dtype="O")),
        r"z\.dtype' is 'O'; .*'float32'",
    ),
    "range": (edited(lambda m: m["endpoints"]["sample"]["outputs"]["image"].update(range=[16, 0])), "lower end first"),
    "levels": (edited(lambda m: m["image_spec"].update(levels=True)), r"image_spec\.levels' is True"),
    "another image": (edited(lambda m: m["image_spec"].update(height=9)), "'sample' gives .*, as image_spec says"),
    "endpoints a list": (
        edited(lambda m: m.update(endpoints=["sample"])),
        r"'endpoints' is \['sample'\]; .*dictionary",
    ),
    "a name": (
        edited(lambda m: m["endpoints"].update({"../x": m["endpoints"]["sample"]})),
        r"'endpoints\.\.\./x' is '\.\./x'",
    ),
    "bytes a word": (
        edited(lambda m: m["files"]["onnx/sample.onnx"].update(bytes="1")),
        "bytes' is '1'; .*valid integer",
    ),
    "no format": (edited(lambda m: m.update(formats={})), "'formats' is {}"),
    "a path and files": (
        edited(lambda m: m["formats"]["onnx"].update(path="saved_model/1")),
        "either 'path' or 'files'",
    ),
    "opened elsewhere": (edited(lambda m: m["formats"]["onnx"]["files"].update(sample="../x")), "'../x' but lists"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_refused_before_anything_is_loaded(artifact, monkeypatch, case):
    monkeypatch.setattr(parity, "compare_format", lambda *_: pytest.fail("loaded before all checksums were compared"))
    spoil, match = TAMPERED[case]
    spoil(artifact)
    with pytest.raises(InvalidInput, match=match):
        parity.verify(artifact)


def test_intact_files_with_other_numbers_are_refused(artifact):
    """As on a machine that computes otherwise: here the references are another model's, honestly signed."""
    run = FORMATS.get("onnx").load(artifact, json.loads((artifact / NAME).read_text())["formats"]["onnx"])
    endpoint = build("ema_gan").endpoints()["sample"]
    reference = parity.reference_of("sample", endpoint, lambda n, i: {"image": 16 - run(n, i)["image"]})
    shutil.rmtree(artifact / "parity")
    parity.write_references(artifact, {"sample": reference})
    name = "parity/sample.npz"
    entry = {"sha256": sha256(artifact / name), "bytes": (artifact / name).stat().st_size}
    edited(lambda manifest: manifest["files"].update({name: entry}))(artifact)
    with pytest.raises(InvalidInput, match="'sample' does not give what the model gave"):
        parity.verify(artifact)
