"""Where Keras' ways meet this project's: callbacks, orders of epochs, compile, calls, policies, scopes."""

import csv
import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.layers.causal_lstm import RowLSTM, compiled_walks
from keras_gen.training.checkpoints import Checkpoints

SPEC = kg.ImageSpec(8, 8, 1, 17)
IMAGES = np.random.default_rng(0).integers(0, 17, (24, 8, 8, 1), dtype=np.uint8)
CALLBACKS = keras.callbacks
TENSORBOARD = importlib.util.find_spec("tensorboard") is not None  # without it Keras' callback works for no model


def a_gan(generator_rate=1e-3, discriminator_rate=4e-3, **arguments):
    keras.utils.set_random_seed(1)
    model = kg.GAN(SPEC, latent_dim=3, width=4, **arguments)
    ema = {"use_ema": True, "ema_momentum": 0.5}
    model.compile(keras.optimizers.Adam(generator_rate, **ema), keras.optimizers.Adam(discriminator_rate, **ema))
    return model


def a_vae():
    keras.utils.set_random_seed(2)
    model = kg.VAE(SPEC, latent_dim=2, hidden=(6,))
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def rates(model):
    return [float(each.learning_rate) for each in (model.generator_optimizer, model.discriminator_optimizer)]


def state(model):
    return [np.asarray(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


# --- keras.callbacks on two players -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gan():
    return a_gan()


def fitted(model, *callbacks, epochs=2):
    return model.fit(IMAGES, batch_size=8, epochs=epochs, callbacks=[*callbacks], verbose=0).history


def test_rates_are_set_in_proportion(gan):
    history = fitted(gan, CALLBACKS.LearningRateScheduler(lambda epoch, rate: rate / 2))
    np.testing.assert_allclose(rates(gan), [0.25e-3, 1e-3])
    np.testing.assert_allclose(history["learning_rate_generator"], [0.5e-3, 0.25e-3], rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate_discriminator"], [2e-3, 1e-3], rtol=1e-6)
    fitted(
        gan, CALLBACKS.ReduceLROnPlateau("generator_loss", mode="min", factor=0.1, patience=1, min_delta=1e9), epochs=2
    )
    np.testing.assert_allclose(rates(gan), [0.25e-4, 1e-4], rtol=1e-5)
    with pytest.raises(AttributeError, match=r"model\.generator_optimizer\.learning_rate"):
        gan.optimizer.learning_rate = 1.0


def test_averages_of_the_optimizers_become_weights_as_in_keras(gan):
    averages = {}
    pairs = ((gan.generator_optimizer, gan.generator), (gan.discriminator_optimizer, gan.discriminator))
    swap = CALLBACKS.SwapEMAWeights(swap_on_epoch=True)
    seen = CALLBACKS.LambdaCallback(
        on_epoch_end=lambda epoch, logs: averages.update({n: n.trainable_weights[0].numpy() for _, n in pairs})
    )
    fitted(gan, swap, seen)
    for optimizer, network in pairs:
        np.testing.assert_array_equal(network.trainable_weights[0], averages[network])
        np.testing.assert_array_equal(network.trainable_weights[0], optimizer._model_variables_moving_average[0])
    before = gan.generator.trainable_weights[0].numpy()
    fitted(gan)
    np.testing.assert_array_equal(
        gan.generator.trainable_weights[0], gan.generator_optimizer._model_variables_moving_average[0]
    )
    assert not np.array_equal(before, gan.generator.trainable_weights[0])


def test_callbacks_that_write_and_stop(gan, tmp_path):
    history = fitted(
        gan,
        CALLBACKS.CSVLogger(tmp_path / "log.csv"),
        *([CALLBACKS.TensorBoard(tmp_path / "board", write_steps_per_second=True)] if TENSORBOARD else []),
        CALLBACKS.ModelCheckpoint(tmp_path / "{epoch}.keras", monitor="generator_loss", mode="min"),
        CALLBACKS.TerminateOnNaN(),
        CALLBACKS.EarlyStopping("generator_loss", mode="min", patience=1, min_delta=1e9, restore_best_weights=True),
        epochs=4,
    )
    assert len(history["generator_loss"]) == 2
    with open(tmp_path / "log.csv", encoding="utf-8") as file:
        assert [float(row["generator_loss"]) for row in csv.DictReader(file)] == history["generator_loss"]
    assert not TENSORBOARD or list((tmp_path / "board" / "train").iterdir())
    saved = keras.models.load_model(tmp_path / "2.keras")
    assert int(saved.optimizer.iterations) == int(gan.optimizer.iterations)
    assert [each.name for each in saved.optimizer.optimizers] == ["generator", "discriminator"]


class Killed(Exception):
    pass


class Kill(CALLBACKS.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise Killed


@pytest.mark.parametrize("make", [a_vae, lambda: a_gan(ema_decay=0.5)], ids=["vae", "gan"])
def test_backup_and_restore_gives_the_bits_of_an_uninterrupted_run(make, tmp_path):
    straight = make()
    straight.fit(IMAGES, batch_size=8, epochs=4, augment="flip", verbose=0)
    options = dict(batch_size=8, epochs=4, augment="flip", verbose=0)
    killed = make()
    with pytest.raises(Killed):
        killed.fit(IMAGES, callbacks=[CALLBACKS.BackupAndRestore(tmp_path / "backup"), Kill()], **options)
    again = make()
    history = again.fit(IMAGES, callbacks=[CALLBACKS.BackupAndRestore(tmp_path / "backup")], **options)
    assert history.epoch == [2, 3]
    assert_same(state(straight), state(again))
    assert again.fit(IMAGES, batch_size=8, epochs=1, verbose=0).epoch == [0]  # the restored number does not stick


# --- the order of epochs ------------------------------------------------------------------------------------------------


def test_fits_go_on_where_training_stands():
    at_once, in_turns = a_vae(), a_vae()
    at_once.fit(IMAGES, batch_size=8, epochs=3, augment="flip", verbose=0)
    for _ in range(3):
        in_turns.fit(IMAGES, batch_size=8, epochs=1, augment="flip", verbose=0)
    assert_same(state(at_once), state(in_turns))


def epochs_met(model, images, **options):
    """What each step of ``fit`` is fed, an epoch after the other, by the sums of its images."""
    met = []
    step = model.train_step
    model.train_step = lambda data: (met.append(data["image"].numpy()), step(data))[1]
    model.fit(images, verbose=0, **options)
    return met


def test_other_numbers_of_steps_cut_one_row_of_batches_into_epochs():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1) * np.ones((10, 8, 8, 1), np.uint8)

    def a_model():
        model = kg.VAE(SPEC, latent_dim=2, hidden=(6,))
        model.compile(run_eagerly=True)
        return model

    natural = np.concatenate(epochs_met(a_model(), images, batch_size=2, epochs=2))[:, 0, 0, 0]
    assert sorted(natural[:10]) == sorted(natural[10:]) == list(range(10))
    assert list(natural[:10]) != list(natural[10:])
    for steps, epochs in ((2, 5), (10, 1)):
        cut = np.concatenate(epochs_met(a_model(), images, batch_size=2, epochs=epochs, steps_per_epoch=steps))
        np.testing.assert_array_equal(cut[:, 0, 0, 0], natural)


def test_two_replicas_go_on_too(two_replicas):
    one = a_vae()
    with two_replicas.scope():
        two = a_vae()
    for model in (one, two):
        for _ in range(2):
            model.fit(IMAGES, batch_size=8, epochs=1, verbose=0)
    for left, right in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


# --- calls, predict, compile, export ------------------------------------------------------------------------------------


def test_a_gan_called_on_noise_gives_its_images():
    gan = a_gan(ema_decay=0.5)
    fitted(gan)
    z = np.random.default_rng(0).standard_normal((5, 3)).astype("float32")
    images = gan(z)
    np.testing.assert_array_equal(images, gan.averaged(gan.generator)(z, training=False))
    np.testing.assert_array_equal(SPEC.from_unit(images), gan.generate({"z": z}))
    np.testing.assert_allclose(gan.predict(z, verbose=0), images, atol=1e-6)
    np.testing.assert_array_equal(gan({"z": z}), images)
    assert not np.array_equal(gan(z, training=True), images)
    with pytest.raises(kg.InvalidInput, match=r"wanted noise z \[n, 3\]"):
        gan(IMAGES)


def test_predict_gives_what_the_call_gives():
    vae = a_vae()
    log_likelihood, kl = vae.predict(IMAGES, batch_size=24, verbose=0)
    for found, called in zip((log_likelihood, kl), vae(IMAGES), strict=True):
        np.testing.assert_allclose(found, called, rtol=1e-5)
    pixels = kg.PixelCNN((4, 4, 1, 2), filters=4, blocks=1, first_kernel=3, kernel_size=3)
    binary = (IMAGES[:, :4, :4] > 8).astype(np.uint8)
    np.testing.assert_allclose(pixels.predict(binary, verbose=0), pixels.log_prob(binary), rtol=1e-5)


@pytest.mark.parametrize(
    "argument", [{"loss": "mse"}, {"metrics": ["accuracy"]}, {"weighted_metrics": ["mse"]}, {"loss_weights": [1.0]}]
)
def test_losses_and_metrics_of_keras_are_refused(gan, argument):
    for model in (gan, a_vae()):
        with pytest.raises(kg.InvalidInput, match=f"compile got {next(iter(argument))}.*brings its own loss"):
            model.compile(**argument)


def test_optimizers_by_name(gan):
    with pytest.raises(kg.InvalidInput, match="generator_optimizer= and discriminator_optimizer="):
        gan.compile(optimizer="adam")
    other = kg.GAN(SPEC, latent_dim=3, width=4)
    other.compile(generator_optimizer="sgd", discriminator_optimizer="sgd")
    assert [type(each) for each in other.optimizer.optimizers] == [keras.optimizers.SGD] * 2
    assert [each.name for each in other.optimizer.optimizers] == ["generator", "discriminator"]
    other.summary(print_fn=lambda line: None)


def test_export_takes_keras_verbose_and_refuses_the_rest(tmp_path, capsys):
    vae = a_vae()
    with pytest.raises(kg.InvalidInput, match="input_signature"):
        vae.export(tmp_path / "artifact", input_signature=[])
    vae.export(tmp_path / "artifact", format="onnx", verbose=True)
    assert "onnx of sample, encode, decode" in capsys.readouterr().out
    vae.export(tmp_path / "artifact", format="onnx", verbose=False)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("make", [a_vae, a_gan], ids=["vae", "gan"])
def test_weights_that_are_not_finite_make_no_images(make, tmp_path):
    model = make()
    model.trainable_weights[0].assign(np.full(model.trainable_weights[0].shape, np.nan))
    with pytest.raises(kg.TrainingDiverged, match="is not finite, so it makes no images"):
        model.sample(2)
    with pytest.raises(kg.TrainingDiverged, match="no checkpoint yet"):
        model.fit(IMAGES, batch_size=8, verbose=0, callbacks=[Checkpoints(tmp_path, epochs=1)])


# --- where models are built ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [kg.VAE, kg.GAN, kg.PixelCNN, kg.PixelRNN, kg.Classifier])
@pytest.mark.parametrize("policy", ["bfloat16", "float16", "float64"])
def test_pure_policies_are_refused_at_once(model, policy):
    with pytest.raises(kg.InvalidInput, match=f"dtype='{policy}'.*float32, mixed_bfloat16, mixed_float16"):
        model(SPEC, dtype=policy)


def test_other_float_types_and_layouts_are_refused_at_once():
    keras.utils.clear_session()  # no policy yet: the next one would be made of the float type
    keras.config.set_floatx("float64")
    with pytest.raises(kg.InvalidInput, match=r"floatx is float64.*set_floatx\('float32'\)"):
        kg.VAE(SPEC)
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_first")
    with pytest.raises(kg.InvalidInput, match="channels_first"):
        kg.GAN(SPEC)


def test_a_model_and_its_parts_belong_to_one_scope(two_replicas):
    outside = a_gan()
    with two_replicas.scope():
        with pytest.raises(kg.InvalidInput, match="a network of GAN was not made in the scope"):
            outside.compile()
        model = kg.VAE(SPEC, latent_dim=2, hidden=(4,))
    with pytest.raises(kg.InvalidInput, match="the optimizer of VAE was not made in the scope"):
        model.compile(keras.optimizers.SGD())
    model.compile("sgd")  # made by the model, where it belongs
    model.fit(IMAGES, batch_size=8, verbose=0)


@pytest.mark.parametrize("seed", [-3, np.int64(7), 2**70, np.uint8(200)])
def test_seeds_of_every_size_work_alike(seed):
    keras.utils.set_random_seed(3)
    model = kg.VAE(SPEC, latent_dim=2, hidden=(4,), seed=seed)
    model.compile()
    model.fit(IMAGES, batch_size=8, augment="flip", verbose=0)
    np.testing.assert_array_equal(model.sample(2, seed=seed), model.sample(2, seed=int(seed)))
    assert type(model.get_config()["seed"]) is int
    data = model.as_image_data(IMAGES)
    np.testing.assert_array_equal(data.binarized(seed).images, data.binarized(int(seed)).images)


def test_another_backend_is_refused_in_one_sentence_and_help_is_not():
    def run(*command):
        environment = {**os.environ, "KERAS_BACKEND": "torch"}
        return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)

    said = run("-c", "import keras_gen as kg\ntry: kg.VAE\nexcept kg.InvalidInput as error: print(error)").stdout
    assert "Keras runs on torch here, keras_gen on TensorFlow" in said and len(said.splitlines()) == 1
    assert run("-m", "keras_gen.cli", "--help").returncode == 0


def test_lstms_have_eager_gradients_after_a_graphs():
    """A graph rewrote the compiled walk that eager calls of every model then met."""
    layer = RowLSTM(2)
    layer.build(None, (2, 3, 2, 4))

    def gradients():
        with tf.GradientTape() as tape, compiled_walks():
            loss = tf.reduce_sum(layer(None, tf.ones((2, 3, 2, 4)))[1])
        return tape.gradient(loss, layer.trainable_variables)

    for graph, eager in zip(tf.function(gradients)(), gradients(), strict=True):
        np.testing.assert_allclose(eager, graph, atol=1e-5)
