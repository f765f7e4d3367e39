"""Watching a training of two players: the numbers of a step against NumPy, on one device and on two replicas."""

import dataclasses
import importlib.util
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from keras import layers
from PIL import Image

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import Normal
from keras_gen.core.replicas import step_noise
from keras_gen.metrics.features import feature_space
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.moments import Moments
from keras_gen.recipes.recipe import build
from keras_gen.training.animation import LONGEST_SIDE, MOST_FRAMES, write_animation
from keras_gen.training.diversity import Diversity, spread
from keras_gen.training.feature_fid import FeatureFID
from keras_gen.training.history import best_of, draw_curves
from keras_gen.training.progress import shown

SPEC = kg.ImageSpec(2, 2, 1, 17)
BATCH, LATENT, SEED = 8, 3, 4
RATES = 0.3, 0.2  # of the generator and the discriminator
LOSSES = {"discriminator_loss", "generator_loss"}
ACCURACIES, NORMS = (
    {"accuracy_on_reals", "accuracy_on_fakes"},
    {"generator_gradient_norm", "discriminator_gradient_norm"},
)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 17, (BATCH, *SPEC.shape), dtype=np.uint8)


def gan(rates=RATES, **arguments):
    keras.utils.set_random_seed(2)
    networks = {
        "generator": keras.Sequential([keras.Input((LATENT,)), layers.Dense(4), layers.Reshape(SPEC.shape)]),
        "discriminator": keras.Sequential([keras.Input(SPEC.shape), layers.Flatten(), layers.Dense(1)]),
    }
    model = kg.GAN(SPEC, LATENT, seed=SEED, **networks, **arguments)
    model.compile(*(keras.optimizers.SGD(rate) for rate in rates))
    return model


def logits_of(model, images):
    """Those of the reals and of the first step's fakes, by NumPy."""
    W, b = model.generator.get_weights()
    v, c = model.discriminator.get_weights()
    zero = tf.constant(0, tf.int64)
    z = step_noise({"z": Normal((LATENT,))}, len(images), SEED, zero)["z"].numpy()
    return ((images.reshape(len(images), -1) / 8.0 - 1.0) @ v + c)[:, 0], ((z @ W + b) @ v + c)[:, 0]


def moved(before, after, rate):
    return np.sqrt(sum(np.square((old - new) / rate).sum() for old, new in zip(before, after)))


@pytest.mark.parametrize(
    "objective,threshold,distance",
    [
        ("non_saturating", 0.0, False),
        ("least_squares", 0.5, False),
        ("least_squares_chi2", 0.0, False),
        ("hinge", 0.0, True),
        ("wasserstein", None, True),
        ("relativistic_average", None, False),
    ],
)
def test_what_a_step_shows_equals_numpy_on_one_and_two_replicas(images, two_replicas, objective, threshold, distance):
    weight = {"penalty": "drift", "penalty_weight": 0.25}
    models = [gan(objective=objective, **weight)]
    if objective in ("hinge", "relativistic_average"):  # all numbers, and the loss that looks at all replicas
        with two_replicas.scope():
            models.append(gan(objective=objective, **weight))
    wanted = LOSSES | NORMS | {"penalty"} | (ACCURACIES if threshold is not None else set())
    wanted |= {"wasserstein_estimate"} if distance else set()
    for model in models:
        v, _ = model.discriminator.get_weights()
        reals, _ = logits_of(model, images)
        model.discriminator.set_weights([v, np.array([(threshold or 0.0) - np.median(reals)])])  # half of them right
        reals, fakes = logits_of(model, images)
        before = [network.get_weights() for network in (model.generator, model.discriminator)]
        logs = {k: v[0] for k, v in model.fit(images, batch_size=BATCH, shuffle=False, verbose=0).history.items()}
        after = [network.get_weights() for network in (model.generator, model.discriminator)]
        assert set(logs) == wanted
        assert logs["penalty"] == pytest.approx(0.25 * np.square(reals).mean(), rel=1e-5)
        assert logs["generator_gradient_norm"] == pytest.approx(moved(before[0], after[0], RATES[0]), rel=1e-4)
        assert logs["discriminator_gradient_norm"] == pytest.approx(moved(before[1], after[1], RATES[1]), rel=1e-4)
        if threshold is not None:
            assert logs["accuracy_on_reals"] == pytest.approx((reals > threshold).mean()) == 0.5
            assert logs["accuracy_on_fakes"] == pytest.approx((fakes < threshold).mean())
        if distance:
            assert logs["wasserstein_estimate"] == pytest.approx(reals.mean() - fakes.mean(), rel=1e-5)


def test_an_epochs_number_is_the_mean_over_its_examples(images):
    model = gan((0.0, 0.0), objective="wasserstein", critic_steps=2, penalty="drift")
    reals, _ = logits_of(model, images)
    logs = model.fit(images, batch_size=2, shuffle=False, verbose=0).history
    assert int(model.discriminator_optimizer.iterations) == 4
    assert logs["penalty"][0] == pytest.approx(1e-3 * np.square(reals).mean(), rel=1e-5)
    assert logs["wasserstein_estimate"][0] == pytest.approx(
        -logs["discriminator_loss"][0] + logs["penalty"][0], rel=1e-5
    )


def test_held_out_images_have_no_penalty_and_no_gradients(images, two_replicas):
    with two_replicas.scope():
        two = gan((0.0, 0.0), objective="hinge", penalty="drift")
    one = gan((0.0, 0.0), objective="hinge", penalty="drift")
    held_out = images[:5]  # one replica has fewer
    found = [model.evaluate(held_out, batch_size=4, verbose=0, return_dict=True) for model in (one, two)]
    assert set(found[0]) == set(found[1]) == LOSSES | ACCURACIES | {"wasserstein_estimate"}
    reals, _ = logits_of(one, held_out)
    assert found[0]["accuracy_on_reals"] == pytest.approx((reals > 0).mean())
    for name, value in found[0].items():
        assert found[1][name] == pytest.approx(value, rel=1e-5), name
    logs = one.fit(images, batch_size=4, validation_data=held_out, verbose=0).history
    assert {name for name in logs if name.startswith("val_")} == {f"val_{name}" for name in found[0]}
    assert logs["val_accuracy_on_reals"][0] == pytest.approx(found[0]["accuracy_on_reals"])
    assert logs["penalty"][0] > 0 and logs["generator_gradient_norm"][0] > 0
    assert set(one.test_on_batch(held_out, return_dict=True)) == set(found[0])


def test_gradient_norms_are_those_of_the_unscaled_loss(images):
    plain = gan().train_on_batch(images, return_dict=True)
    model = gan(dtype="mixed_float16")
    scaled = model.train_on_batch(images, return_dict=True)
    assert scaled["discriminator_gradient_norm"] == pytest.approx(plain["discriminator_gradient_norm"], rel=0.05)
    model.discriminator_optimizer.dynamic_scale.assign(1e30)  # overflows
    overflowed = model.train_on_batch(images, return_dict=True)
    assert overflowed["discriminator_gradient_norm"] == 0.0 and overflowed["generator_gradient_norm"] > 0


# --- callbacks ------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("test_watching")
class Shrink(layers.Layer):
    """Leaves so much of its input."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

    def call(self, x):
        return x * self.factor


def shrunk_gan(factor, classes=None):
    """A generator of random pixels, drawn together."""
    keras.utils.set_random_seed(2)
    z, label = keras.Input((64,), name="z"), keras.Input((), dtype="int32", name="label")
    image = layers.Reshape((8, 8, 1))(Shrink(factor)(layers.Activation("tanh")(z)))
    if classes:
        level = layers.Embedding(classes, 1, embeddings_initializer=keras.initializers.RandomUniform(-0.5, 0.5, 1))
        image = image + layers.Reshape((1, 1, 1))(level(label))
    model = kg.GAN(
        (8, 8, 1, 256),
        64,
        generator=keras.Model([z, label] if classes else z, layers.Activation("tanh")(image)),
        width=4,
        classes=classes,
    )
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    return model


def noise_images(n=32, classes=None):
    features = {"image": np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)}
    features |= {"label": np.arange(n) % classes} if classes else {}
    return ImageData("noise", "train", kg.ImageSpec(8, 8, 1, 256), features)


def test_spread_is_the_mean_over_pairs():
    images = np.random.default_rng(0).integers(0, 256, (7, 2, 2, 1), dtype=np.uint8)
    labels = np.array([0, 0, 1, 0, 1, 2, 1])
    flat = images.reshape(7, -1).astype(float)
    for groups in ({}, {"label": labels}):
        pairs = [(i, j) for i in range(7) for j in range(i) if not groups or labels[i] == labels[j]]
        wanted = np.sqrt(np.mean([np.square(flat[i] - flat[j]).sum() for i, j in pairs]))
        assert spread(images, groups) == pytest.approx(wanted)
    assert spread(images, {"label": np.arange(7)}) is None
    assert spread(np.repeat(images[:1], 5, 0), {}) == 0.0


@pytest.mark.parametrize("classes", [None, 4])
def test_a_collapsed_generator_is_warned_of_once(caplog, classes):
    data, found = noise_images(classes=classes), {}
    for factor in (1.0, 0.05):
        caplog.clear()
        model = shrunk_gan(factor, classes)
        watching = Diversity(data, warmup_steps=2)
        history = model.fit(data, batch_size=16, epochs=3, callbacks=[watching], verbose=0).history["diversity"]
        assert len(history) == 3 and len(set(history)) == 1
        found[factor] = history[0], [r.message for r in caplog.records if "Mode collapse" in r.message]
    assert 0.5 < found[1.0][0] < 1.5 and found[0.05][0] < 0.1, found
    # Classes that differ do not hide that images of a class do not.
    assert not found[1.0][1] and len(found[0.05][1]) == 1 and "after epoch 1 " in found[0.05][1][0]


def test_a_generator_that_has_hardly_moved_is_not_warned_of(caplog):
    data = noise_images()
    shrunk_gan(0.05).fit(data, batch_size=16, epochs=2, callbacks=[Diversity(data)], verbose=0)
    assert "Mode collapse" not in caplog.text


def test_the_best_model_by_fid_is_kept_and_training_is_as_without(tmp_path):
    data, held_out = noise_images(), dataclasses.replace(noise_images(40), split="validation")

    def fitted(*callbacks):
        keras.utils.set_random_seed(2)
        model = kg.GAN((8, 8, 1, 256), 4, width=4, seed=3)
        model.compile(keras.optimizers.Adam(0.05), keras.optimizers.Adam(0.05))
        history = model.fit(data, batch_size=16, epochs=5, callbacks=list(callbacks), verbose=0).history
        return model, history

    fid = FeatureFID(held_out, every=2, samples=30, seed=1, keep=tmp_path / "best.keras")
    assert fid.metric == "val_fid30_random-conv"
    seen = {}
    remember = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.update(
            {logs[fid.metric]: fid.model.get_weights()} if fid.metric in logs else {}
        )
    )
    model, history = fitted(fid, remember)
    plain, _ = fitted()
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert history[fid.metric] == list(seen) and len(seen) == 3  # epochs 2, 4 and the last
    space, chosen = feature_space("random_conv"), held_out.random_subset(30, 1)
    sides = [space.read(images, data.image_spec).features for images in (chosen.images, model.sample(30, seed=1))]
    assert history[fid.metric][-1] == frechet_distance(*map(Moments.of, sides))
    best = keras.models.load_model(tmp_path / "best.keras")
    for one, other in zip(best.get_weights(), seen[min(seen)], strict=True):
        np.testing.assert_array_equal(one, other)
    before = (tmp_path / "best.keras").read_bytes()
    fitted(FeatureFID(held_out, every=2, samples=30, seed=1, keep=tmp_path / "best.keras", best=min(seen)))
    assert (tmp_path / "best.keras").read_bytes() == before  # no better one was found


def test_an_animation_of_the_grids(tmp_path, caplog):
    grids = tmp_path / "samples"
    grids.mkdir()
    assert write_animation(grids, tmp_path / "run.gif") is None
    for epoch in range(1, 101):
        Image.new("L", (900, 600), epoch).save(grids / f"epoch-{epoch:05d}.png")
    (grids / "epoch-00001.png").write_bytes(b"broken")
    write_animation(grids, tmp_path / "run.gif")
    assert "epoch-00001.png cannot be read" in caplog.text
    with Image.open(tmp_path / "run.gif") as made:
        assert made.n_frames == MOST_FRAMES - 1 and max(made.size) == LONGEST_SIDE and made.info["loop"] == 0
        shades = []
        for frame in range(made.n_frames):
            made.seek(frame)
            shades.append(made.convert("L").getpixel((0, 0)))
    assert shades[-1] == 100 and shades == sorted(set(shades))
    Image.new("RGB", (30, 20), "red").save(grids / "epoch-00101.png")
    assert write_animation(grids, tmp_path / "other.gif") is None  # of one size there is one alone


def test_a_number_that_few_epochs_have_is_drawn(tmp_path):
    history = [{"epoch": e, "seconds": 1.0, "loss": 1.0, **({"val_fid": 2.0} if e % 2 else {})} for e in range(2, 6)]
    draw_curves(history, tmp_path / "two.png")
    draw_curves(
        [{key: value for key, value in line.items() if key != "val_fid"} for line in history], tmp_path / "one.png"
    )
    widths = [Image.open(tmp_path / name).width for name in ("one.png", "two.png")]
    assert widths == [400, 800]
    draw_curves([{**line, **dict.fromkeys("abcdef", 1.0)} for line in history], tmp_path / "many.png")
    assert Image.open(tmp_path / "many.png").size == (1600, 600)
    assert [best_of(history, "val_fid", epochs) for epochs in (2, 4)] == [float("inf"), 2.0]


def run(folder, *words):
    command = ["train", "dcgan_digits", "--fit-only", "--out", folder, *words]
    for setting in (
        "epochs=4",
        "width=4",
        "latent_dim=4",
        "sample_every=1",
        "checkpoint_every=1",
        "fid_every=2",
        "keep=best",
    ):
        command += ["--set", setting]
    result = CliRunner().invoke(main, list(map(str, command)))
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_a_run_ends_with_its_best_model_also_after_a_resume(tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    lines = run(whole)
    (metric,) = {name for line in lines for name in line if name.startswith("val_fid")}
    assert [metric in line for line in lines] == [False, True, False, True] and "diversity" in lines[0]
    with Image.open(whole / "samples.gif") as made:
        assert made.n_frames == 4
    best = kg.load(whole / "best.keras")
    assert all(map(np.array_equal, kg.load(whole).get_weights(), best.get_weights()))
    spec = {"held_out": kg.data.load("digits", "validation"), "features": None, "seed": 0}
    fid = FeatureFID(**spec)
    fid.set_model(best)
    fid.set_params({"epochs": 1})
    fid.on_train_begin()
    fid.on_epoch_end(0, logs := {})
    assert logs == {metric: min(line.get(metric, np.inf) for line in lines)}
    shutil.copytree(whole, resumed)
    for epoch in (3, 4):  # as if killed in epoch 4
        (resumed / "samples" / f"epoch-{epoch:05d}.png").unlink()
    (resumed / "checkpoints" / "epoch-00004.keras").unlink()
    for name in ("model.keras", "samples.gif"):
        (resumed / name).unlink()
    (resumed / "samples" / "epoch-00003.png").write_bytes((whole / "samples" / "epoch-00003.png").read_bytes())
    assert run(resumed, "--resume") == lines
    assert (resumed / "samples.gif").read_bytes() == (whole / "samples.gif").read_bytes()
    assert all(map(np.array_equal, kg.load(resumed).get_weights(), kg.load(whole).get_weights()))


def test_the_line_of_an_epoch_holds_what_fits():
    few = {"loss": 1.0, "accuracy": 0.5, "val_loss": 2.0}
    many = {**few, **dict.fromkeys("abcd", 0.0), "val_fid2k_x": 3.0}
    assert shown(few) == few and set(shown(many)) == {"loss", "val_loss", "val_fid2k_x"}


def test_the_best_wants_something_to_be_best_by():
    with pytest.raises(kg.InvalidInput, match="keep=best wants fid_every"):
        build("dcgan_digits", {"keep": "best"})


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="it is here")
def test_without_tensorboard_its_install_line_is_shown(tmp_path):
    result = CliRunner().invoke(main, ["train", "dcgan_digits", "--tensorboard", "--out", str(tmp_path / "run")])
    assert result.exit_code == 2 and "pip install tensorboard" in result.output and not (tmp_path / "run").exists()


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="Keras' callback wants tensorboard")
def test_keras_own_event_files_hold_all_that_is_watched(tmp_path):
    lines = run(tmp_path / "run", "--tensorboard")
    found = {}
    for path in (tmp_path / "run" / "tensorboard").rglob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.tag.startswith("epoch_") or value.tag.startswith("evaluation_"):
                    found.setdefault((path.parent.name, value.tag), []).append(float(tf.make_ndarray(value.tensor)))
    for name in ("diversity", "discriminator_gradient_norm", "accuracy_on_fakes"):
        assert found["train", f"epoch_{name}"] == pytest.approx([line[name] for line in lines])
    (metric,) = {name for line in lines for name in line if name.startswith("val_fid")}
    wanted = [line[metric] for line in lines if metric in line]
    assert found["validation", f"epoch_{metric.removeprefix('val_')}"] == pytest.approx(wanted)
