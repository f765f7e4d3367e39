"""Watching a training of two players: the numbers of a step against NumPy, on one device and on two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen.core.noise import Normal
from keras_gen.core.replicas import step_noise

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
    one = gan(objective=objective, **weight)
    with two_replicas.scope():
        two = gan(objective=objective, **weight)
    wanted = LOSSES | NORMS | {"penalty"} | (ACCURACIES if threshold is not None else set())
    wanted |= {"wasserstein_estimate"} if distance else set()
    for model in (one, two):
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
