"""Kinds of inputs: what each says at every border, and one that the project does not have, all the way."""

import base64
import dataclasses
import importlib.util
import io
import json
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core.border import Border
from keras_gen.core.captions import ALPHABET, Caption, characters, sentences_of, vocabulary_of, words_of
from keras_gen.core.errors import InvalidInput
from keras_gen.core.graphs import Graph
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.input_kinds import INPUT_KINDS, InputKinds, Shorthand, texts_of
from keras_gen.core.inputs import Images, Input, KnownPixels, Labels, Temperature, Truncation, check_inputs, input_of
from keras_gen.core.noise import Normal, Uniform, check_noise, draw
from keras_gen.core.replicas import step_noise
from keras_gen.evaluation import latent
from keras_gen.exporters import parity
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.models.generative_model import GenerativeModel
from keras_gen.training.history import SampleGrid

SPEC = ImageSpec(4, 5, 1, 17)
BELOW_360 = float(np.nextafter(np.float32(360), np.float32(0)))


# --- a kind and a model of a user's own --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Angle(Input):
    """Degrees in ``[0, 360)``; left out, 45. All that it says of itself."""

    kind: ClassVar[str] = "angle"
    dtype: ClassVar[str] = "float32"
    shape: ClassVar[tuple[int, ...]] = ()
    range: ClassVar[tuple[float, float]] = (0.0, BELOW_360)
    default: ClassVar[float] = 45.0
    uniforms: ClassVar[int] = 1

    def draw(self, generator, n):
        return (generator.random(n, dtype=np.float32) * np.float32(360)).clip(0, np.float32(BELOW_360))

    def of_uniforms(self, uniforms):
        return tf.minimum(uniforms[0] * 360.0, BELOW_360)


@dataclasses.dataclass(frozen=True)
class Pose(Input):
    """Two angles of which a user has to give both."""

    kind: ClassVar[str] = "pose"
    dtype: ClassVar[str] = "float32"
    shape: ClassVar[tuple[int, ...]] = (2,)
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def draw(self, generator, n):
        return generator.uniform(-1, 1, (n, 2)).astype(np.float32)


INPUT_KINDS.register("angle", Angle)
INPUT_KINDS.register("pose", Pose)


@keras.saving.register_keras_serializable("tests")
class Slope(GenerativeModel):
    """Images whose brightness rises in the direction of an angle, moved by a pose, with a little noise."""

    def __init__(self, image_spec=SPEC, posed=False, **kwargs):
        super().__init__(image_spec, **kwargs)
        self.posed = posed
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")
        self.built = True

    def get_config(self):
        return {**super().get_config(), "posed": self.posed}

    def noise_spec(self):
        return {"z": Normal((1,))}

    def condition_spec(self):
        return {"angle": Angle(), **({"pose": Pose()} if self.posed else {})}

    def generate(self, noise, conditions=None):
        radians = conditions["angle"][:, None, None, None] * (np.pi / 180)
        rows, columns = np.mgrid[-1 : 1 : self.image_spec.height * 1j, -1 : 1 : self.image_spec.width * 1j].astype("f")
        ramp = self.gain * (tf.cos(radians) * columns[None, :, :, None] + tf.sin(radians) * rows[None, :, :, None])
        if self.posed:
            ramp += conditions["pose"][:, :1, None, None] - conditions["pose"][:, 1:, None, None]
        return self.image_spec.from_unit(0.6 * ramp + 0.01 * noise["z"][:, :, None, None])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The model and its artifact, in both formats."""
    path = tmp_path_factory.mktemp("slope") / "artifact"
    model = Slope(posed=True)
    return model, path, model.export(path, ["saved_model", "onnx"])


def test_a_kind_of_ones_own_goes_all_the_way(exported, tmp_path):
    model, path, manifest = exported
    pose = [0.25, -0.5]
    wanted = model.sample(6, seed=3, angle=90, pose=pose)
    assert wanted.std() > 2 and (wanted[0].mean(axis=(1, 2)).argsort() == np.arange(4)).all()  # brighter downwards
    entry = manifest["endpoints"]["sample"]["inputs"]["angle"]
    assert entry == {
        "kind": "angle",
        "dtype": "float32",
        "shape": [None],
        "distribution": None,
        "range": [0.0, BELOW_360],
        "default": 45.0,
    }
    assert {name: set(found) for name, found in parity.verify(path)["formats"].items()} == {
        name: {"sample"} for name in ("saved_model", "onnx")
    }
    model.save(tmp_path / "slope.keras")
    again = keras.models.load_model(tmp_path / "slope.keras")
    read = {name: LoadedArtifact(path, name) for name in ("onnx", "saved_model")}
    assert read["onnx"].condition_spec() == model.condition_spec() and read["onnx"].noise_spec() == model.noise_spec()
    for other in (again, *read.values()):
        words = other.parsed_conditions({"angle": "90", "pose": "0.25,-0.5"})
        np.testing.assert_array_equal(other.sample(6, seed=3, **words), wanted)
        np.testing.assert_array_equal(other.sample(6, seed=3, pose=pose), model.sample(6, seed=3, angle=45, pose=pose))
        for given, match in (
            ({"angle": 360, "pose": pose}, r"angle 360\.0 is out of range; wanted numbers in \[0\.0, 359\.99"),
            ({"angle": [1, 2], "pose": pose}, r"angle is int64 \[2\]; wanted \[6\] of float32, or one for all"),
            ({"angle": "north", "pose": pose}, "angle is <U5"),
            ({"angle": np.nan, "pose": pose}, "angle holds NaN"),
            ({"angle": True, "pose": pose}, "angle is bool"),
            ({"angle": 90}, "wants pose="),
            ({"slope": 90}, "condition 'slope'; it takes angle, pose"),
        ):
            with pytest.raises(InvalidInput, match=match):
                other.sample(6, **given)
        for texts, match in (
            ({"angle": "north"}, "angle='north' is no number; give numbers in"),
            ({"pose": "1"}, r"pose='1' stands for \[2\]; give 2 numbers, separated by commas"),
            ({"label": "3"}, "condition 'label'; it takes angle, pose"),
        ):
            with pytest.raises(InvalidInput, match=match):
                other.parsed_conditions(texts)


def test_the_command_line_and_the_script_take_it(exported, tmp_path, monkeypatch):
    model, path, _ = exported
    alone = Slope()
    alone.save(tmp_path / "slope.keras")

    def made(*words):
        out = tmp_path / "grid.png"
        out.unlink(missing_ok=True)
        result = CliRunner().invoke(
            main, ["sample", str(tmp_path / "slope.keras"), "-n", "4", "--out", str(out), *words]
        )
        return result.exit_code, (np.asarray(Image.open(out)) if out.exists() else None), result.output

    upright, slanted = made("--condition", "angle=90"), made()
    assert upright[0] == slanted[0] == 0 and (upright[1] != slanted[1]).any()
    for words, match in (
        (("--condition", "angle=361"), "angle 361.0 is out of range"),
        (("--condition", "angle"), "is no NAME=VALUE"),
        (("--condition", "angle=1", "--condition", "angle=2"), "given twice"),
        (("--label", "3"), "condition 'label'; it takes angle"),
        (("--label", "3", "--condition", "label=2"), "'label' is given twice"),
    ):
        code, picture, output = made(*words)
        assert code == 2 and picture is None and match in output, output

    script = _script()
    conditions = script.conditions_of(["angle=90", "pose=0.25,-0.5"])
    images, _ = script.draw(path, 6, seed=3, conditions=conditions)
    np.testing.assert_array_equal(images, model.sample(6, seed=3, angle=90, pose=[0.25, -0.5]))
    images, _ = script.draw(path, 6, seed=3, conditions={"pose": "0,0"})  # the default that the manifest names
    np.testing.assert_array_equal(images, model.sample(6, seed=3, pose=[0, 0]))
    for given, match in (
        ({}, "'sample' wants 'pose'; give it with --condition pose=..., numbers from -1.0 to 1.0"),
        ({"pose": "0"}, "holds 1 of 2 numbers"),
        ({"pose": "0,0", "angle": "nan"}, "angle=nan is out of range"),
        ({"pose": "0,0", "angle": "360"}, "angle=360 is out of range"),
        ({"pose": "0,0", "angle": "x"}, "angle=x is no number"),
        ({"pose": "0,0", "label": "1"}, "no condition 'label'; it takes angle, pose"),
    ):
        with pytest.raises(script.Refused, match=match):
            script.draw(path, 6, seed=3, conditions=given)
    with pytest.raises(script.Refused, match="given twice"):
        script.conditions_of(["a=1", "a=2"])


def _script():
    path = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_artifact_of_an_unknown_kind_names_it(exported, monkeypatch):
    _, path, _ = exported
    monkeypatch.delitem(INPUT_KINDS._entries, "angle")
    with pytest.raises(InvalidInput, match=r"endpoint 'sample': input 'angle' is of kind 'angle'.*import the module"):
        LoadedArtifact(path)


def test_walks_and_sample_grids_go_through_the_kinds(tmp_path):
    model = Slope(posed=True)
    walk = latent.interpolation(model, pairs=2, steps=3, angle=[0, 180], pose=[0.0, 0.0])
    assert (walk[0, :, :, -1].mean(axis=(-3, -2, -1)) > walk[1, :, :, -1].mean(axis=(-3, -2, -1)) + 0.2).all()
    grid = SampleGrid(tmp_path, epochs=1, count=4)
    grid.set_model(model)
    grid.on_epoch_end(0)  # a pose has no default: one is drawn
    assert (tmp_path / "epoch-00001.png").exists()
    shown = model.shown_conditions(4, seed=1)
    assert (shown["angle"] == 45).all() and len(np.unique(shown["pose"])) == 8


# --- drawn in a training step ------------------------------------------------------------------------------------------


STEP_KINDS = {"z": Normal((4,)), "u": Uniform((2, 1)), "label": Labels(7), "angle": Angle()}


def test_replicas_split_the_one_device_draw_of_every_kind(two_replicas):
    step = tf.constant(5, tf.int64)
    whole = {name: value.numpy() for name, value in step_noise(STEP_KINDS, 8, 3, step).items()}
    per_replica = two_replicas.run(tf.function(lambda: step_noise(STEP_KINDS, 4, 3, step)))
    for name, kind in STEP_KINDS.items():
        parts = [part.numpy() for part in two_replicas.experimental_local_results(per_replica[name])]
        np.testing.assert_array_equal(np.concatenate(parts), whole[name])
        assert whole[name].dtype == kind.dtype and whole[name].shape == (8, *kind.shape)
        kind.check(name, whole[name], 8)


def test_labels_of_a_step_are_uniform_and_stay_below_the_count():
    step = tf.Variable(5, dtype=tf.int64)
    compiled = tf.function(lambda: step_noise({"label": Labels(7)}, 7_000, 3, step)["label"], jit_compile=True)
    labels = compiled().numpy()
    np.testing.assert_array_equal(labels, step_noise({"label": Labels(7)}, 7_000, 3, step)["label"])
    counts = np.bincount(labels, minlength=7)
    assert len(counts) == 7 and ((counts - 1_000) ** 2 / 1_000).sum() < 22.5  # chi-square of 6, p = 0.001
    step.assign(6)
    assert (compiled().numpy() != labels).mean() > 0.8
    highest = tf.constant(1 - 2.0**-24, tf.float32)
    for count in [*range(1, 70), 1_000, 4_095, 4_097, 2**20 + 1]:
        assert int(Labels(count).of_uniforms(highest[None])) == count - 1


def test_what_cannot_be_drawn_in_a_step_says_so():
    with pytest.raises(InvalidInput, match="Images cannot be drawn in a training step; take it from the batch"):
        step_noise({"image": Images(SPEC)}, 2, 0, tf.constant(0, tf.int64))


# --- every kind at every border ----------------------------------------------------------------------------------------


KINDS = [
    Normal((3,)),
    Normal(()),
    Uniform((2, 1)),
    Labels(4),
    Temperature(),
    Truncation(),
    Images(SPEC),
    KnownPixels(ImageSpec(4, 5, 1)),
    Angle(),
    Pose(),
    Caption(20, ("a", "blue", "red", "dot")),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_kind_comes_back_from_its_description(kind):
    entry = json.loads(json.dumps(kind.describe()))
    assert input_of("x", entry) == kind
    drawn = kind.draw(np.random.default_rng(0), 5)
    assert drawn.shape == (5, *kind.shape) and drawn.dtype == kind.dtype
    given = drawn[..., 0].astype(bool) if isinstance(kind, KnownPixels) else drawn
    for n in (5, None):
        checked = kind.check("x", given, n)
        assert checked.dtype == kind.dtype
        np.testing.assert_array_equal(checked, drawn)
    for wrong, match in ((given[:, None], "x"), (given[:3], "x"), ([[1], [2, 3]], "makes no array"), ("word", "x")):
        with pytest.raises(InvalidInput, match=match):
            kind.check("x", wrong, 5)
    other_shape = {"shape": [None, *kind.shape, 7]} if kind.distribution is None else {"range": [0, 1]}
    for change in ({"kind": "flavour"}, {"dtype": "float16"}, {"distribution": "dice"}, other_shape):
        with pytest.raises(InvalidInput, match="input 'x' is"):
            input_of("x", {**entry, **change})


def test_artifacts_of_before_kinds_had_names_are_understood():
    images, flat = {"dtype": "uint8", "shape": [None, 4, 5, 1], "distribution": None}, {"distribution": None}
    normal = {"dtype": "float32", "shape": [None, 3], "distribution": "normal", "mean": 0.0, "stddev": 1.0}
    assert input_of("z", normal) == Normal((3,))
    assert input_of("label", {**flat, "dtype": "int32", "shape": [None], "range": [0, 3]}) == Labels(4)
    assert input_of("image", {**images, "range": [0, 16]}) == Images(SPEC)
    assert input_of("known_mask", {**images, "range": [0, 1]}) == KnownPixels(ImageSpec(4, 5, 1))
    with pytest.raises(InvalidInput, match="input 'z' is described as"):
        input_of("z", {**normal, "stddev": 2.0})


def test_noise_of_another_kind_is_refused_in_words():
    spec = {"z": Normal((2,)), "u": Uniform(())}
    good = draw(spec, 3, seed=0)
    checked = check_noise(spec, {"z": good["z"].tolist(), "u": tf.constant(good["u"])})
    for name, values in checked.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, good[name])
    for change, match in (
        ({"z": good["z"].astype(np.float64)}, r"noise 'z' is float64; wanted \[n, 2\] of float32"),
        ({"z": tf.constant(good["z"], tf.float64)}, "noise 'z' is float64"),
        ({"z": good["z"].astype(int)}, "noise 'z' is int64"),
        ({"z": [["a", "b"]] * 3}, "noise 'z' is <U1"),
        ({"z": np.full((3, 2), np.nan, np.float32)}, "noise 'z' holds NaN"),
        ({"z": good["z"][:, :1]}, r"wanted \[n, 2\]"),
        ({"z": good["z"][0]}, r"wanted \[n, 2\]"),
        ({"u": np.float32([0.0, 0.5, 1.0])}, r"noise 'u' leaves \[0, 1\)"),
        ({"u": np.float32([0.0, np.nan, 0.5])}, "noise 'u' holds NaN"),
        ({"u": good["u"][:2]}, r"noise 'u' is float32 \[2\]; wanted \[3\]"),
    ):
        with pytest.raises(InvalidInput, match=match):
            check_noise(spec, {**good, **change})


def test_numbers_are_compared_before_they_could_wrap_round():
    labels, normal = Labels(3), Normal((1,))
    with pytest.raises(InvalidInput, match="label 4294967296 is out of range"):
        labels.check("label", [2**32, 0], 2)
    with pytest.raises(InvalidInput, match="x holds NaN or infinite"):
        normal.check("x", np.array([[1e300]]), 1)
    with pytest.raises(InvalidInput, match="is out of range; give integers"):
        labels.check("label", labels.parse("label", "9" * 30), 2)
    assert labels.check("label", labels.parse("label", "2"), 3).tolist() == [2, 2, 2]
    assert labels.check("label", np.uint8(1), 2).dtype == np.int32
    with pytest.raises(InvalidInput, match="batch wants label=, one an image"):
        check_inputs({"z": normal, "label": labels}, {"z": [[0.0]]}, "batch")
    with pytest.raises(InvalidInput, match="batch got 'w'; it takes z"):
        check_inputs({"z": normal}, {"w": [[0.0]]}, "batch")


def test_pictures_and_masks_are_parsed(tmp_path):
    levels = np.arange(20, dtype=np.uint8).reshape(4, 5) % 17
    Image.fromarray(np.round(levels * (255 / 16)).astype(np.uint8)).save(tmp_path / "source.png")
    source = Images(SPEC).parse("source", str(tmp_path / "source.png"))
    np.testing.assert_array_equal(source[..., 0], levels)
    assert Images(SPEC).check("source", source, 3).shape == (3, 4, 5, 1)
    (tmp_path / "text.png").write_text("no picture")
    for text, match in (("none.png", "no picture"), ("text.png", "no picture"), ("\0", "no picture")):
        with pytest.raises(InvalidInput, match=match):
            Images(SPEC).parse("source", str(tmp_path / text))
    with pytest.raises(InvalidInput, match="is 5x4 pixels; wanted 4x4"):
        Images(ImageSpec(4, 4, 1)).parse("source", str(tmp_path / "source.png"))
    mask = KnownPixels(SPEC)
    assert mask.check("known", mask.parse("known", "3"), 2)[1, :, 0, 0].tolist() == [1, 1, 1, 0]
    for text in ("5", "-1", "x", ""):
        with pytest.raises(InvalidInput, match="how many rows are known, an integer from 0 to 4"):
            mask.parse("known", text)


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_what_a_stranger_sends_becomes_what_check_takes():
    source, levels = Images(SPEC), np.arange(20, dtype=np.uint8).reshape(4, 5) % 17
    sent = png(np.round(levels * (255 / 16)).astype(np.uint8))
    coded = base64.b64encode(sent).decode()
    for form in (sent, coded, base64.urlsafe_b64encode(sent).decode().rstrip("="), coded.replace("+", " ")):
        np.testing.assert_array_equal(source.receive("source", form)[..., 0], levels)
    numbers = levels[..., None].tolist()
    assert source.check("source", source.receive("source", [numbers, numbers])).dtype == np.uint8
    mask = KnownPixels(SPEC)
    known = np.arange(20).reshape(1, 4, 5, 1) < 7
    for form in (known.astype(int).tolist(), known[..., 0].tolist(), "1"):
        assert mask.check("known", mask.receive("known", form), 1).sum() == (5 if form == "1" else 7)
    assert Labels(5).check("label", Labels(5).receive("label", b"3"), 2).tolist() == [3, 3]
    graph = Graph(("sky", "sea"), ("above",), 2, 1)
    assert graph.receive("graph", b'{"objects": ["sky"]}') == {"objects": ["sky"]}
    assert graph.check("graph", graph.receive("graph", {"objects": ["sea"]}), 1)[0, 0] == 2


def test_what_a_stranger_should_not_send_is_refused(tmp_path):
    """A name of a file on the server above all; a picture that would fill the memory is not decoded."""
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "here.png")
    (tmp_path / "graph.json").write_text('{"objects": ["sky"]}')
    source, bomb = Images(SPEC), png(np.zeros((12_000, 12_000), np.uint8))
    assert len(bomb) < 200_000
    for sent, match in (
        (str(tmp_path / "here.png"), "no base64|no picture"),
        (b"x", "no picture that can be read"),
        (bomb, "is 12000x12000 pixels; wanted 5x4"),
        (png(np.arange(0, 200, 10, np.uint8).reshape(4, 5))[:50], "no picture that can be read"),
        ([[300]], "reaches from 300 to 300; wanted integers in"),
        ([[1], [1, 2]], "makes no array"),
    ):
        with pytest.raises(InvalidInput, match=match):
            source.receive("source", sent)
    with pytest.raises(InvalidInput, match="graph begins"):
        Graph(("sky",), ("above",), 2, 1).receive("graph", str(tmp_path / "graph.json"))
    with pytest.raises(InvalidInput, match="no UTF-8 text"):
        Labels(3).receive("label", b"\xff")
    with pytest.raises(InvalidInput, match="known reaches from 0 to 2"):
        KnownPixels(SPEC).receive("known", (2 * np.eye(4, 5, dtype=int)[None, ..., None]).tolist())


def test_kinds_name_shorthands_of_the_command_line():
    kinds = InputKinds()
    kinds.register("angle", Angle, Shorthand("angle", "DEGREES", "The direction."))
    assert kinds.shorthands["angle"].value == "DEGREES"
    with pytest.raises(InvalidInput, match="--angle is taken"):
        kinds.register("pose", Pose, Shorthand("angle", "N", ""))
    with pytest.raises(InvalidInput, match="kind='pose'; wanted 'bearing'"):
        kinds.register("bearing", Pose)
    assert "pose" not in kinds
    assert texts_of({"label": None, "angle": "3"}, ("pose=1=2",)) == {"angle": "3", "pose": "1=2"}
    option = INPUT_KINDS.shorthands["label"]
    listed = CliRunner().invoke(main, ["sample", "--help"]).output
    assert f"--{option.name} {option.value}" in listed and "--condition NAME=VALUE" in listed


def test_an_artifact_checks_what_it_codes(tmp_path):
    model = kg.VAE(ImageSpec(8, 8, 1, 17), 2, hidden=(4,))
    model.export(tmp_path / "a", "onnx")
    read = LoadedArtifact(tmp_path / "a")
    np.testing.assert_allclose(read.decode([[0.0, 1.0]]), model.decode([[0.0, 1.0]]), atol=1e-5)
    images = np.zeros((3, 8, 8, 1), np.uint8)
    for call, match in (
        (lambda: read.decode(np.zeros((3, 5))), r"z is float64 \[3, 5\]; wanted \[n, 2\]"),
        (lambda: read.decode(np.zeros(2)), r"wanted \[n, 2\]"),
        (lambda: read.decode([["a", "b"]]), "z is <U1"),
        (lambda: read.decode([[np.nan, 0.0]]), "z holds NaN"),
        (lambda: read.decode(np.zeros((0, 2))), "no example at all"),
        (lambda: read.decode(np.zeros((3, 2)), batch_size=0), "batch_size=0"),
        (lambda: read.decode(np.zeros((3, 2)), label=1), "decode of a got 'label'; it takes z"),
        (lambda: read.encode(images.astype(np.float32)), "images are float32"),
        (lambda: read.encode(images + 17), "images reach level 17"),
        (lambda: read.encode(images[:, :4]), "images have shape"),
        (lambda: read.encode(images, batch_size=1.5), "batch_size=1.5"),
        (lambda: read.sample(3, batch_size=True), "batch_size=True"),
        (lambda: read.images_of({"z": np.zeros((3, 2))}), "noise 'z' is float64"),
    ):
        with pytest.raises(InvalidInput, match=match):
            call()


# --- sentences ---------------------------------------------------------------------------------------------------------


SENTENCES = Caption(24, ("a", "above", "blue", "circle", "red", "small", "square"))


def test_characters_are_numbered_as_in_the_paper_and_unknown_ones_are_none():
    assert len(ALPHABET) == 70 and ALPHABET.count("-") == 2  # the later one counts
    row = characters(["Ab- z\u00e9\u20ac9"], 12)[0]
    assert row.tolist() == [1, 2, 1 + ALPHABET.rindex("-"), 70, 26, 0, 0, 36, 0, 0, 0, 0]
    assert sentences_of(row[None]) == ["ab- z\ufffd\ufffd9"]
    assert sentences_of(characters(["a longer text"], 5)) == ["a lon"]
    every = "".join(sorted(set(ALPHABET) - {" "}))
    assert sentences_of(characters([every, every.upper()], 80)) == [every, every]
    assert words_of('A (red) "circle", ...  blue.') == ["a", "red", "circle", "blue"]
    rows = characters(["a red dot", "\u00e9t\u00e9 a", "a long text"], 10)  # the last is cut
    assert vocabulary_of(rows) == ("a", "dot", "long", "red")


def test_sentences_are_checked_word_by_word():
    red, both = characters(["a red circle"], 24), characters(["a red circle", "a blue square"], 24)
    np.testing.assert_array_equal(SENTENCES.check("caption", "A red circle", 3), np.repeat(red, 3, axis=0))
    for given in (
        ["a red circle", "a blue square"],
        ("a red circle", "a blue square"),
        both,
        both.astype(int).tolist(),
    ):
        np.testing.assert_array_equal(SENTENCES.check("caption", given, 2), both)
    np.testing.assert_array_equal(SENTENCES.check("caption", np.array(["a red circle", "a blue square"])), both)
    assert SENTENCES.parse("caption", "a red circle") == "a red circle"
    for given, match in (
        ("a red circel", r"the word 'circel', which is not known; the nearest is 'circle'\. Known are a, above"),
        ("a red dog", "'dog', which is not known"),
        ("", "caption='' is empty"),
        (" ?! ", "is empty"),
        (["a red circle", ""], "is empty"),
        ("a red circle above a small", r"begins 'a red circle .* has 26 characters; this model takes 24"),
        (["a red circle"], "holds 1 sentences for 2 images"),
        (["a red circle"] * 3, "holds 3 sentences for 2 images"),
        (np.zeros((2, 24), np.uint8), "caption 0 is empty"),
        (both + 70, "is out of range"),
        (both[:, :20], "wanted 2 sentences, or one for all, or their characters"),
        (3, "wanted 2 sentences"),
        ([["a"], ["b", "c"]], "makes no array"),
    ):
        with pytest.raises(InvalidInput, match=match):
            SENTENCES.check("caption", given, 2)
    free = Caption(24)
    assert sentences_of(free.check("caption", "any words", 1)) == ["any words"]
    with pytest.raises(InvalidInput, match="has no character of this alphabet"):
        free.check("caption", "\u00e9\u00e9", 1)
    for vocabulary in ("red", ["Red"], ["a red"], [""], [3], ["dot."]):
        with pytest.raises(InvalidInput, match="vocabulary="):
            Caption(24, vocabulary)


def test_the_script_reads_sentences_as_the_kind_does():
    script, entry = _script(), json.loads(json.dumps(SENTENCES.describe()))
    assert script.is_text(entry) and script.kind_of("caption", entry) == "caption"
    for text in ("a red circle", "A small, blue square!", "red"):
        found = script.sentence_of("caption", entry, 3, text)
        np.testing.assert_array_equal(found, SENTENCES.check("caption", text, 3))
        assert found.dtype == np.uint8
    for text, match in (
        (None, "give it with --condition caption=..., a sentence"),
        ("a red circel", "'circel', which is not known; the nearest is 'circle'"),
        ("  ", "is empty"),
        ("a red circle above a small", "has 26 characters; this model takes 24"),
    ):
        with pytest.raises(script.Refused, match=match):
            script.sentence_of("caption", entry, 3, text)
    for change in ({"alphabet": 3}, {"vocabulary": "red"}, {"vocabulary": [3]}, {"range": [0, 5]}):
        with pytest.raises(script.Refused, match="export the model again"):
            script.sentence_of("caption", {**entry, **change}, 1, "a red circle")


def test_sentences_of_arrays_become_characters_at_the_border():
    border = Border("Model", SPEC, {"caption": SENTENCES})
    images = np.zeros((2, 4, 5, 1), np.uint8)
    for given in (["a red circle", "a blue square"], np.array(["a red circle", "a blue square"])):
        found = border.arrays({"image": images, "caption": given})["caption"]
        np.testing.assert_array_equal(found, SENTENCES.check("caption", given, 2))
    with pytest.raises(InvalidInput, match="'circel', which is not known"):
        border.arrays({"image": images, "caption": ["a red circel", "a blue square"]})
    with pytest.raises(InvalidInput, match="1 values of 'caption' for 2 images"):
        border.arrays({"image": images, "caption": ["a red circle"]})
    with pytest.raises(InvalidInput, match="wants a caption for each image"):
        border.arrays({"image": images})
    strings = tf.data.Dataset.from_tensor_slices({"image": images, "caption": ["a red circle"] * 2}).batch(2)
    with pytest.raises(InvalidInput, match=r"caption is string .*; wanted sentences"):
        border.batches(strings, training=True)
