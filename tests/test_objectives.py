"""Objectives and penalties against values computed by hand or in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.losses import adversarial, penalties
from keras_gen.losses.adversarial import OBJECTIVES
from keras_gen.losses.penalties import PENALTIES, Penalty, penalties_of
from keras_gen.training.linear_decay import LinearDecay
from keras_gen.training.momentum_ramp import MomentumRampSGD

REAL, FAKE = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [-3.0]], np.float32)


def softplus(x):
    return np.log1p(np.exp(x))


@pytest.mark.parametrize(
    "name,discriminator,generator",
    [
        ("least_squares", [0.5 + 0.125, 2.0 + 4.5], [0.125, 8.0]),
        ("least_squares_chi2", [0.5 + 1.125, 2.0 + 2.0], [0.125, 4.5]),
        ("wasserstein", [-1.5, -2.0], [-0.5, 3.0]),
        ("hinge", [1.5, 2.0], [-0.5, 3.0]),
    ],
)
def test_losses_by_hand(name, discriminator, generator):
    objective = OBJECTIVES.get(name)
    np.testing.assert_allclose(objective.discriminator_loss(REAL, FAKE), discriminator, atol=1e-6)
    np.testing.assert_allclose(objective.generator_loss(FAKE), generator, atol=1e-6)


def test_relativistic_losses_by_hand():
    # Means: reals 0.5, fakes -1.25.
    objective = OBJECTIVES.get("relativistic_average")
    real, fake = REAL[:, 0], FAKE[:, 0]
    np.testing.assert_allclose(
        objective.discriminator_loss(REAL, FAKE), softplus(-(real + 1.25)) + softplus(fake - 0.5), atol=1e-6
    )
    np.testing.assert_allclose(
        objective.generator_loss(FAKE, REAL), softplus(-(fake - 0.5)) + softplus(real + 1.25), atol=1e-6
    )


def test_squares_are_taken_before_the_mean_over_a_patch_map():
    fakes = np.array([0.0, 2.0], np.float32).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(OBJECTIVES.get("least_squares").generator_loss(fakes), [0.5])


def test_no_gradient_beyond_the_hinge_and_a_strong_one_of_the_square():
    real, fake = tf.constant([[2.0]]), tf.constant([[-3.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        hinge = OBJECTIVES.get("hinge").discriminator_loss(real, fake)
        square = OBJECTIVES.get("least_squares").generator_loss(real + 1.0)
    assert not np.any(tape.gradient(hinge, [real, fake])) and float(hinge[0]) == 0.0
    assert float(tape.gradient(square, real)[0, 0]) == 2.0


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares", "least_squares_chi2", "hinge"])
def test_the_best_discriminator_of_two_known_distributions(name):
    """Enumerated on three points; the losses' minimum over the logits lies where the papers say."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    best = {
        "minimax": np.log(p / q),
        "least_squares": p / (p + q),
        "least_squares_chi2": (p - q) / (p + q),
        "hinge": np.sign(p - q),
    }
    best["non_saturating"] = best["minimax"]

    def value(logits):
        column = logits.astype(np.float32)[:, None]
        paid_real = OBJECTIVES.get(name).discriminator_loss(column, np.zeros_like(column))
        paid_fake = OBJECTIVES.get(name).discriminator_loss(np.zeros_like(column), column)
        return np.sum(p * np.asarray(paid_real, np.float64) + q * np.asarray(paid_fake, np.float64))

    least = value(best[name])
    for shift in np.eye(3)[:, None] * np.array([[-0.05], [0.05]]):
        for moved in shift:
            assert value(best[name] + moved) > least
    if name == "minimax":  # -log 4 + 2 JSD, negated
        half = (p + q) / 2
        divergence = (np.sum(p * np.log(p / half)) + np.sum(q * np.log(q / half))) / 2
        zeros = 2 * np.log(2.0)  # what value() pays on the zero columns
        assert least - zeros == pytest.approx(np.log(4) - 2 * divergence, abs=1e-5)


def test_penalties_by_hand():
    gradients = np.array([[3.0, 4.0], [0.0, 0.5]], np.float32).reshape(2, 2, 1, 1)  # norms 5 and 0.5
    np.testing.assert_allclose(penalties.gradient_norm(gradients), [5.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(penalties.gradient_penalty(gradients), [16.0, 0.25], rtol=1e-5)
    np.testing.assert_allclose(penalties.gradient_penalty(gradients, 2.5), [1.0, 0.64], rtol=1e-5)
    np.testing.assert_allclose(penalties.one_sided_gradient_penalty(gradients), [16.0, 0.0], rtol=1e-5)
    np.testing.assert_allclose(penalties.zero_centred_gradient_penalty(gradients), [12.5, 0.125], rtol=1e-6)
    np.testing.assert_allclose(penalties.drift_penalty(REAL), [4.0, 1.0])
    np.testing.assert_allclose(PENALTIES.get("gradient")(gradients), [160.0, 2.5], rtol=1e-5)


def test_a_slope_of_zero_gives_no_nan():
    with tf.GradientTape() as tape:
        tape.watch(gradients := tf.zeros((2, 3, 3, 1)))
        paid = penalties.gradient_penalty(gradients)
    assert np.isfinite(paid).all() and np.isfinite(tape.gradient(paid, gradients)).all()


def test_weights_and_targets_reach_their_penalties():
    first, second = penalties_of(["gradient", "drift"], [10 / 3, 0.01], 750.0)
    assert (first.weight, first.target, second.weight, second.target) == (10 / 3, 750.0, 0.01, None)
    assert penalties_of(None) == () and penalties_of("r1", 0.5)[0].weight == 0.5
    for arguments, message in (
        (("gradient", -1.0), "penalty_weight=-1.0"),
        (("gradient", None, 0.0), "penalty_target=0.0"),
        (("r1", None, 2.0), "'r1' has no target"),
        ((["r1", "drift"], None, 2.0), "none of the penalties has a target"),
        ((["r1", "drift"], 2.0), "one weight for each"),
        ((None, 2.0), "without a penalty"),
        (("slope",), "Unknown penalty 'slope'"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            penalties_of(*arguments)
    with pytest.raises(kg.InvalidInput, match="at='nowhere'"):
        Penalty("mine", penalties.drift_penalty, at="nowhere")


def test_rates_fall_in_a_straight_line():
    whole, half = LinearDecay(0.2, 100), LinearDecay(0.2, 100, constant=0.5)
    for step, wanted in ((0, 0.2), (25, 0.15), (100, 0.0), (130, 0.0)):
        assert float(whole(step)) == pytest.approx(wanted, abs=1e-7)
    for step, wanted in ((0, 0.2), (50, 0.2), (75, 0.1), (100, 0.0)):
        assert float(half(step)) == pytest.approx(wanted, abs=1e-7)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(half))
    assert type(again) is LinearDecay and again.get_config() == half.get_config()
    with pytest.raises(kg.InvalidInput, match="steps=0"):
        LinearDecay(0.2, 0)


def test_momentum_rises_in_a_straight_line():
    optimizer = MomentumRampSGD(0.5, 0.2, 0.6, begin=1, end=3)
    weight = keras.Variable(np.float32([1.0]))
    optimizer.build([weight])
    velocity, wanted = 0.0, 1.0
    for momentum in (0.2, 0.2, 0.4, 0.6, 0.6):
        velocity = momentum * velocity - 0.5 * wanted
        wanted += velocity
        optimizer.apply([weight.value * 1.0], [weight])
        np.testing.assert_allclose(weight.numpy(), [wanted], rtol=1e-5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is MomentumRampSGD and again.get_config() == optimizer.get_config()


def test_every_loss_of_ours_can_stand_in_a_users_pair():
    own = kg.Objective("mine", adversarial.non_saturating_generator_loss, adversarial.hinge_discriminator_loss)
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(own)) == own
