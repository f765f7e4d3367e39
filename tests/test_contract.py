"""What every model promises, written once and run on each of ``cases.CASES``, case by case.

Tracing a training step is what takes the time here, so one run of each case (``run``) serves all that look at a trained model.
"""

import dataclasses
import inspect
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from cases import CASES

import keras_gen as kg
from keras_gen.core.noise import draw
from keras_gen.exporters.parity import verify
from keras_gen.training.checkpoints import Checkpoints, found, load_latest

# GatedPixelCNN's compiled SavedModel is verified whole.
DEEP = (kg.PixelCNN, kg.PixelRNN, kg.PixelCNNPlusPlus, kg.PixelVAE)
# One scope for all of a case's tests: pytest then runs them together, and ``run`` and ``shaken`` are made once.
every_case = pytest.mark.parametrize("case", CASES, ids=str, scope="module")


def weights_of(model):
    """All that training moves: networks, averages, optimizer slots, iterations."""
    optimizers = [model.optimizer] if model.optimizer else [model.generator_optimizer, model.discriminator_optimizer]
    return [variable.numpy() for variable in [*model.variables, *(v for o in optimizers for v in o.variables)]]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right):
        np.testing.assert_array_equal(one, other)


@dataclasses.dataclass
class Run:
    """Twelve epochs of a case, with a checkpoint after the sixth."""

    model: keras.Model
    history: dict[str, list[float]]
    folder: Path
    halfway: list[np.ndarray]
    final: list[np.ndarray]


@pytest.fixture(scope="module")
def run(case, tmp_path_factory):
    """A run of ``case``. Tests may change its model: what they compare with was written down before."""
    # A run resumes in a process of its own, where Keras counts layers' names from the start, as it did for the straight one:
    # TensorFlow's optimizer of graphs orders sums by names, and 9 does not come before 10.
    keras.utils.clear_session()
    folder = tmp_path_factory.mktemp("run")
    model = case.build(lambda: keras.optimizers.Adam(2e-3, beta_1=0.5))
    halfway = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda e, logs: halfway.extend(weights_of(model) if e == 5 else [])
    )
    watching = [Checkpoints(folder, epochs=12, every=6), note]
    history = model.fit(case.data(64), batch_size=16, epochs=12, verbose=0, callbacks=watching).history
    found(folder)[-1].unlink()  # as if the run had been stopped after its sixth epoch
    return Run(model, history, folder, halfway, weights_of(model))


@pytest.fixture(scope="module")
def shaken(case):
    """A model that no test may change."""
    return case.shaken()


def close_images(left, right):
    """Equal but for values on a rounding border, which another batch size may move by one level."""
    difference = np.abs(left.astype(int) - right.astype(int))
    return difference.max() <= 1 and (difference > 0).mean() <= 1e-3


@every_case
def test_config_round_trip(case):
    arguments = inspect.signature(case.model.__init__).parameters
    named = {name for name, p in arguments.items() if p.kind is not p.VAR_KEYWORD} - {"self"}
    networks = {"encoder", "decoder", "generator", "discriminator", "generator_ba", "discriminator_a", "image_encoder"}
    assert named - networks <= set(case.arguments), "a constructor argument has no value in this case"
    model = case.build()
    config = json.loads(json.dumps(model.get_config()))
    for name, value in case.arguments.items():
        wanted = (
            value.get_config()
            if isinstance(value, kg.ImageSpec)
            else list(value)
            if isinstance(value, tuple)
            else value
        )
        assert config[name] == wanted
    again = type(model).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config


@every_case
def test_saved_and_reloaded_model_takes_the_identical_next_step(case, run):
    """So a run that was stopped and resumed equals an uninterrupted one: a checkpoint is what ``model.save`` writes."""
    keras.utils.clear_session()
    resumed, epoch = load_latest(run.folder, like=run.model)
    assert epoch == 6
    assert_same(run.halfway, weights_of(resumed))
    assert_same(run.halfway, weights_of(keras.models.load_model(found(run.folder)[-1])))
    resumed.fit(case.data(64), batch_size=16, epochs=12, initial_epoch=epoch, verbose=0)
    assert_same(run.final, weights_of(resumed))


@every_case
def test_a_seed_gives_the_same_images_whatever_the_batch_size(case, shaken):
    model, given = shaken, case.conditions(20)
    first_7 = {name: values[:7] for name, values in given.items()}
    images = model.sample(20, seed=3, **given)
    assert images.shape == (20, *case.spec.shape) and images.dtype == np.uint8
    assert images.max() < case.spec.levels and len(np.unique(images)) > 1
    np.testing.assert_array_equal(images, model.sample(20, seed=3, **given))
    assert close_images(images, model.sample(20, seed=3, batch_size=7, **given))
    # Of a batch size that was drawn already: where XLA compiles, each one costs seconds and is kept.
    assert close_images(images[:7], model.sample(7, seed=3, **first_7))
    assert np.array_equal(images, model.sample(20, seed=4, **given)) == (not model.noise_spec())


@every_case
def test_generate_is_pure(case, shaken):
    model = shaken
    given = draw({**model.noise_spec(), **model.condition_spec()}, 6, seed=1)
    before = weights_of(model)
    first = np.asarray(model.generate(given, given))
    np.testing.assert_array_equal(first, np.asarray(model.generate(given, given)))
    assert_same(before, weights_of(model))
    third = {name: values[2:3] for name, values in given.items()}
    one = np.asarray(model.generate(third, third))
    assert close_images(first[2:3], one)


@every_case
def test_loss_falls_on_a_tiny_set(case, run):
    history = run.history[case.falling]
    assert history[-1] < 0.95 * history[0]


@every_case
def test_two_replicas_equal_one(case, two_replicas):
    """SGD, because Adam hides a gradient that is n times too large. Noise and data order must be the one-device ones."""

    def sgd():
        return keras.optimizers.SGD(case.sgd_rate)

    images = case.data(64)
    one = case.build(sgd)
    with two_replicas.scope():
        two = case.build(sgd)
    before = [weight.copy() for weight in one.get_weights()]
    histories = [model.fit(images, batch_size=16, epochs=2, verbose=0).history for model in (one, two)]
    moved = max(np.abs(a - b).max() for a, b in zip(one.get_weights(), before))
    assert moved > 2e-4
    for left, right in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(left, right, atol=1e-5)
    for name in histories[0]:
        # A logit within rounding of the threshold may fall on either side of it; a difference of means rounds at their size.
        rounding = 1.01 / 64 if "accuracy" in name else 1e-6
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-4, atol=rounding)


@every_case
def test_exports_agree_and_a_tampered_one_is_refused(case, run, tmp_path):
    model = case.shake(run.model)
    manifest = model.export(tmp_path / "artifact", format=["saved_model", "onnx"])
    assert set(manifest["parity"]) == {"saved_model", "onnx"}
    for endpoints in manifest["parity"].values():
        assert set(endpoints) == set(model.endpoints())
        assert all(len(measured["batch_sizes"]) == 2 for measured in endpoints.values())
    # Export has just run all of this; a deep sampler's SavedModel would compile four programs anew, 90 MiB each.
    formats = ["onnx"] if case.model in DEEP else None
    assert set(verify(tmp_path / "artifact", formats)["formats"]) == set(formats or manifest["parity"])
    for file in ("onnx/sample.onnx", "saved_model/1/saved_model.pb"):
        copy = tmp_path / file.replace("/", "_")
        shutil.copytree(tmp_path / "artifact", copy)
        content = bytearray((copy / file).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / file).write_bytes(content)
        with pytest.raises(kg.InvalidInput, match=file.rsplit("/", 1)[-1]):
            verify(copy)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@every_case
def test_mixed_precision_trains(case, policy):
    model = case.build(dtype=policy)
    assert model.compute_dtype == policy.removeprefix("mixed_")
    history = model.fit(case.data(64), batch_size=16, epochs=8, verbose=0).history[case.falling]
    assert np.isfinite(history).all() and history[-1] < history[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert model.sample(3, **case.conditions(3)).dtype == np.uint8


GOOD = {"vae_mlp_gaussian": (4, 8, 8, 1), "gan_averaged": (4, 8, 8, 1)}
BAD_IMAGES = {
    "rank": (np.zeros((4, 8, 8), np.uint8), r"rank 3.*\[\.\.\., None\]"),
    "channels": (np.zeros((4, 8, 8, 3), np.uint8), r"\[4, 8, 8, 3\].*wanted uint8 \[n, 8, 8, 1\]"),
    "dtype": (np.zeros((4, 8, 8, 1), np.float32), r"are float32.*astype"),
    "nan": (np.full((4, 8, 8, 1), np.nan, np.float32), "NaN"),
    "range": (np.full((4, 8, 8, 1), 200, np.uint8), r"reach level 200.*\[0, 16\]"),
    "empty": (np.zeros((0, 8, 8, 1), np.uint8), "no image at all"),
    "none": (None, "wanted images"),
    "dict": ({"picture": np.zeros((4, 8, 8, 1), np.uint8)}, "'image'"),
}


@pytest.mark.parametrize("case", [case for case in CASES if case.name in GOOD], ids=str)
@pytest.mark.parametrize("what", BAD_IMAGES)
def test_bad_images_are_refused_with_one_clear_error(case, what):
    images, message = BAD_IMAGES[what]
    model = case.build()
    before = weights_of(model)
    with pytest.raises(kg.InvalidInput, match=message):
        model.fit(images, batch_size=2, verbose=0)
    assert_same(before, weights_of(model))
