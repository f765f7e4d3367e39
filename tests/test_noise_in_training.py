"""Noise and draws move on in every way of training, and a resumed training meets what the uninterrupted one would."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import Normal
from keras_gen.core.replicas import step_noise
from keras_gen.layers.dropout import Dropout
from keras_gen.models.generative_model import GenerativeModel
from keras_gen.training.checkpoints import Checkpoints, load_latest

SPEC = kg.ImageSpec(4, 4, 1, 17)
IMAGES = np.random.default_rng(0).integers(0, 17, (32, 4, 4, 1), dtype=np.uint8)
LABELS = np.arange(32) % 3


def a_vae(**arguments):
    keras.utils.set_random_seed(1)
    return kg.VAE(SPEC, latent_dim=2, hidden=(6,), seed=4, **arguments)


def with_dropout(inputs, outputs, rate=0.5):
    """A user's own network that draws in Keras' way."""
    size = int(np.prod(outputs))
    return keras.Sequential(
        [
            keras.Input(inputs),
            keras.layers.Flatten(),
            keras.layers.Dense(8),
            keras.layers.Dropout(rate),
            keras.layers.Dense(size),
            keras.layers.Reshape(outputs),
        ]
    )


def a_users_vae():
    keras.utils.set_random_seed(2)
    model = kg.VAE(SPEC, latent_dim=2, encoder=with_dropout((4, 4, 1), (4,)), decoder=with_dropout((2,), (4, 4, 2)))
    model.compile()
    return model


def a_users_gan():
    keras.utils.set_random_seed(3)
    networks = dict(generator=with_dropout((2,), (4, 4, 1)), discriminator=with_dropout((4, 4, 1), (1,)))
    model = kg.GAN(SPEC, latent_dim=2, ema_decay=0.9, **networks)
    model.compile()
    return model


def a_classifier(**arguments):
    keras.utils.set_random_seed(4)
    model = kg.Classifier(SPEC, 3, width=2, features=4, binarize=0.5, **arguments)
    model.compile()
    return model


def state_of(model):
    """Everything that the next step depends on."""
    both = [getattr(model, f"{side}_optimizer", None) for side in ("generator", "discriminator")]
    optimizers = [each for each in (both if all(both) else [model.optimizer]) if each is not None]
    return [keras.ops.convert_to_numpy(v) for v in [*model.variables, *(v for o in optimizers for v in o.variables)]]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right):
        np.testing.assert_array_equal(one, other)


def by_fit(model):
    model.fit(IMAGES[:8], batch_size=8, epochs=3, shuffle=False, verbose=0)


def by_train_on_batch(model):
    for _ in range(3):
        model.train_on_batch(IMAGES[:8])


def by_hand(model, wrap=lambda step: step):
    """Somebody's own loop; the model need never have been compiled."""
    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(model.trainable_variables)

    @wrap
    def step(images):
        with tf.GradientTape() as tape:
            log_likelihood, kl = model(images, training=True)
            loss = tf.reduce_mean(kl - log_likelihood)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for _ in range(3):
        step(tf.constant(IMAGES[:8]))


WAYS = {
    "fit": by_fit,
    "train_on_batch": by_train_on_batch,
    "eager": by_hand,
    "function": lambda model: by_hand(model, tf.function),
}


def test_every_way_of_training_meets_the_same_moving_noise():
    reached = {}
    for name, train in WAYS.items():
        model = a_vae()
        if name in ("fit", "train_on_batch"):
            model.compile(keras.optimizers.SGD(1e-3))
        train(model)
        reached[name] = model.get_weights()
    for name, weights in reached.items():
        for one, other in zip(reached["fit"], weights, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)


def test_the_noise_of_a_call_is_that_of_its_number():
    model = a_vae()
    spec = {"epsilon": Normal((2,))}
    for number in range(3):
        epsilon = step_noise(spec, 8, 4, number)["epsilon"]
        expected = model.bound_terms(IMAGES[:8], epsilon, training=True)[0]
        np.testing.assert_allclose(model(IMAGES[:8], training=True)[0], expected, rtol=1e-6)
    held_out = [model(IMAGES[:8])[0].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*held_out)


def test_a_custom_loop_does_not_learn_one_draw():
    """Trained on one frozen draw, the loss falls far below the bound that fresh noise shows."""
    model = a_vae()
    optimizer = keras.optimizers.Adam(1e-2)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            log_likelihood, kl = model(IMAGES[:8], training=True)
            loss = tf.reduce_mean(kl - log_likelihood)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    optimizer.build(model.trainable_variables)
    losses = [float(step()) for _ in range(300)]
    bound = -np.mean([model.elbo(IMAGES[:8], seed=seed).mean() for seed in range(10)])
    assert np.mean(losses[-10:]) > 0.9 * bound


@pytest.mark.parametrize("make", [a_users_vae, a_users_gan, a_classifier, lambda: a_classifier(flips=True)])
def test_draws_of_keras_layers_are_resumed(make, tmp_path):
    features = {"image": IMAGES, "label": LABELS} if make().condition_spec() else IMAGES
    straight = make()
    straight.fit(features, batch_size=8, epochs=3, verbose=0)
    stopped = make()
    stopped.fit(features, batch_size=8, epochs=1, verbose=0, callbacks=[Checkpoints(tmp_path, epochs=3)])
    keras.utils.set_random_seed(99)  # as another process would have it
    resumed, epoch = load_latest(tmp_path, like=stopped)
    resumed.fit(features, batch_size=8, epochs=3, initial_epoch=epoch, verbose=0)
    assert_same(state_of(straight), state_of(resumed))


def test_files_without_the_states_of_draws_still_load(tmp_path, monkeypatch):
    model = a_users_vae()
    model.fit(IMAGES, batch_size=8, verbose=0)
    with monkeypatch.context() as old:
        old.delattr(GenerativeModel, "save_own_variables")
        model.save(tmp_path / "old.keras")
    loaded = keras.models.load_model(tmp_path / "old.keras")
    assert_same(model.get_weights(), loaded.get_weights())
    assert int(loaded.training_calls.state[1]) == 0 and int(model.training_calls.state[1]) == 4
    loaded.train_on_batch(IMAGES[:8])


def test_states_of_another_number_of_draws_are_refused(tmp_path):
    a_users_vae().save_weights(tmp_path / "one.weights.h5")
    encoder = with_dropout((4, 4, 1), (4,), rate=0.5)
    decoder = keras.Sequential([*with_dropout((2,), (4, 4, 2)).layers, keras.layers.Dropout(0.1)])
    decoder.build((None, 2))
    with pytest.raises(ValueError, match="3 states of random draws"):
        kg.VAE(SPEC, latent_dim=2, encoder=encoder, decoder=decoder).load_weights(tmp_path / "one.weights.h5")


def test_two_replicas_meet_the_noise_of_one_in_a_loop_of_ones_own(two_replicas):
    one = a_vae()
    with two_replicas.scope():
        two = a_vae()
    alone = [one(IMAGES[:8], training=True)[0].numpy() for _ in range(2)]

    @tf.function
    def step(images):
        return two_replicas.run(lambda x: two(x, training=True)[0], args=(images,))

    dataset = two_replicas.experimental_distribute_dataset(tf.data.Dataset.from_tensors(IMAGES[:8]).unbatch().batch(8))
    for expected in alone:
        for batch in dataset:
            shared = tf.concat(two_replicas.experimental_local_results(step(batch)), 0)
            np.testing.assert_allclose(shared, expected, rtol=1e-5)


def test_dropout_saves_its_count_as_it_always_did(tmp_path):
    network = keras.Sequential([keras.Input((5,)), Dropout(0.5, seed=3)])
    first = network(np.ones((2, 5)), training=True)
    network.save_weights(tmp_path / "dropout.weights.h5")
    second = network(np.ones((2, 5)), training=True)
    again = keras.Sequential([keras.Input((5,)), Dropout(0.5, seed=3)])
    again.load_weights(tmp_path / "dropout.weights.h5")
    np.testing.assert_array_equal(again(np.ones((2, 5)), training=True), second)
    assert not np.array_equal(first, second)


def test_draws_that_replicas_would_share_are_warned_of(two_replicas, caplog):
    with two_replicas.scope():
        a_users_vae()
    assert "dropout" in caplog.text and "the same numbers on every replica" in caplog.text
    caplog.clear()
    a_users_vae()
    with two_replicas.scope():
        a_vae().compile()
    assert not caplog.text
