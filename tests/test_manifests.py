"""Manifests that somebody changed and sealed again: refused in words or as good as before, whatever was changed."""

import copy
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Images, KnownPixels, Labels
from keras_gen.core.noise import Normal, Uniform
from keras_gen.exporters import parity
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.exporters.manifest import NAME, digest
from keras_gen.models.generative_model import GenerativeModel

SCRIPT = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"

# What stands where something else stood: other types, sizes beyond memory, names that lead elsewhere.
SCALARS = st.sampled_from(
    [None, True, False, 0, 1, -1, 2, 3, 5, 10**9, 10**30, 0.5, -0.0, 1e300, float("inf"), float("nan")]
    + ["", "x", "../x", "/etc/passwd", "\0", "é" * 3, "z" * 300, "float32", "float64", "int32", "uint8", "object"]
    + ["normal", "uniform", "labels", "images", "in turn", "sample", "onnx/sample.onnx", "keras_gen/artifact/1"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """The paths to all fields of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def spoilt(draw, manifest):
    """The manifest with one to three fields replaced, removed, added or swapped."""
    manifest = copy.deepcopy(manifest)
    for _ in range(draw(st.integers(1, 3))):
        # Of the fields alike (files, versions) each stands for all: what programs act on comes up more often.
        section = draw(st.sampled_from(["endpoints", "endpoints", "formats", "image_spec", "files", "any"]))
        paths = [path for path in places(manifest) if section == "any" or path[0] == section]
        if not paths:
            continue
        *above, key = draw(st.sampled_from(paths))
        holder = manifest
        for name in above:
            holder = holder[name]
        what = draw(st.sampled_from(["replace", "replace", "remove", "add", "nudge"]))
        if what == "remove":
            del holder[key]
        elif what == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["kind", "range", "default", "path", "z", "label", "x", ""]))] = draw(VALUES)
        elif what == "nudge" and type(holder[key]) is int:
            holder[key] += draw(st.integers(-2, 2))
        else:
            holder[key] = draw(VALUES)
    return manifest


class Toy(GenerativeModel):
    """Noise plus a label; its endpoints take every kind of input that there is."""

    def __init__(self, **kwargs):
        super().__init__((4, 3, 1, 17), **kwargs)
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")
        self.built = True

    def noise_spec(self):
        return {"u": Uniform((4, 3, 1)), "z": Normal((2,))}

    def condition_spec(self):
        return {"label": Labels(3)}

    def generate(self, noise, conditions=None):
        label = tf.cast(conditions["label"], tf.float32)[:, None, None, None]
        return self.image_spec.from_unit(self.gain * (noise["u"] + 0.1 * noise["z"][:, :1, None, None] - 0.3 * label))

    def completed(self, inputs):
        return tf.where(inputs["known_mask"] > 0, inputs["known_image"], self.generate(inputs, inputs))

    def endpoints(self):
        images, mask = Images(self.image_spec), KnownPixels(self.image_spec)
        complete = {"known_image": images, "known_mask": mask, **self.noise_spec(), **self.condition_spec()}
        log_prob = Endpoint(
            lambda inputs: {
                "log_prob": tf.reduce_sum(tf.cast(inputs["image"], tf.float32), axis=(1, 2, 3)) * self.gain
            },
            {"image": images},
            {"log_prob": None},
        )
        whole = Endpoint(lambda inputs: {"image": self.completed(inputs)}, complete, {"image": (0, 16)})
        return {**super().endpoints(), "complete": whole, "log_prob": log_prob}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """A folder, and the manifest that belongs there."""
    path = tmp_path_factory.mktemp("manifests") / "toy"
    return path, Toy().export(path, "onnx")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_resealed_manifest_is_refused_in_words_or_works(artifact, script, data):
    path, whole = artifact
    manifest = data.draw(spoilt(whole))
    manifest["manifest_sha256"] = digest(manifest)
    (path / NAME).write_text(json.dumps(manifest))
    try:
        read = LoadedArtifact(path, data.draw(st.sampled_from(["onnx", None])))
        images = read.sample(2, seed=1)
        assert images.shape == (2, *[manifest["image_spec"][side] for side in ("height", "width", "channels")])
        if hasattr(read, "complete"):
            read.complete(images, np.zeros(images.shape[1:3], bool))
        if hasattr(read, "log_prob"):
            read.log_prob(images)
        parity.verify(path)
    except InvalidInput:
        pass
    try:
        images, levels = script.draw(path, 2, 1)
        script.grid(images, levels)
    except script.Refused:
        pass


def test_the_whole_manifest_still_works(artifact, script):
    """What the fuzzer starts from: otherwise it would be content with anything."""
    path, whole = artifact
    (path / NAME).write_text(json.dumps(whole))
    read = LoadedArtifact(path)
    images = read.sample(4, seed=1)
    np.testing.assert_array_equal(script.draw(path, 4, 1)[0], images)
    np.testing.assert_array_equal(read.complete(images, np.ones((4, 3), bool)), images)
    assert (read.log_prob(images) > 0).all()


def test_artifacts_of_before_kinds_had_names_are_read_alike(artifact, script):
    path, whole = artifact
    (path / NAME).write_text(json.dumps(whole))
    wanted = LoadedArtifact(path).sample(5, seed=2)
    old = copy.deepcopy(whole)
    for endpoint in old["endpoints"].values():
        for entry in endpoint["inputs"].values():
            del entry["kind"]
            entry.pop("default", None)
    old["manifest_sha256"] = digest(old)
    (path / NAME).write_text(json.dumps(old))
    read = LoadedArtifact(path)
    np.testing.assert_array_equal(read.sample(5, seed=2), wanted)  # labels left out come in turn
    assert read.condition_spec() == {"label": Labels(3)}
    for texts in ({}, {"label": "1"}):
        same = read.sample(5, seed=2, **read.parsed_conditions(texts))
        np.testing.assert_array_equal(script.draw(path, 5, 2, conditions=texts)[0], same)
    np.testing.assert_array_equal(read.complete(wanted, np.ones((4, 3), bool)), wanted)
    parity.verify(path)
