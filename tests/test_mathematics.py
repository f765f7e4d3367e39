"""Objectives, likelihoods, divergences and layers against hand-computed or independent values."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import Normal, Uniform, draw
from keras_gen.core.replicas import ReplicaSafeLossScaleOptimizer, step_noise
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.losses.adversarial import OBJECTIVES, per_example
from keras_gen.losses.divergences import standard_normal_kl
from keras_gen.losses.likelihoods import (
    bernoulli_log_prob,
    discretized_gaussian_log_prob,
    log_normal_cdf,
    normal_quantile,
)
from keras_gen.training.adam import Adam
from keras_gen.training.ema import copy_of, update_average

REAL, FAKE = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [-3.0]], np.float32)


def test_discriminator_loss_by_hand():
    # -log sigmoid(2) - log(1 - sigmoid(0.5)) = 0.126928 + 0.974077; -log sigmoid(-1) - log(1 - sigmoid(-3)) = 1.313262 + 0.048587
    for name in ("minimax", "non_saturating"):
        loss = OBJECTIVES.get(name).discriminator_loss(REAL, FAKE)
        np.testing.assert_allclose(loss, [1.101005, 1.361849], atol=1e-6)


def test_generator_losses_by_hand():
    # log(1 - sigmoid(0.5)) = -0.974077, log(1 - sigmoid(-3)) = -0.048587
    np.testing.assert_allclose(OBJECTIVES.get("minimax").generator_loss(FAKE), [-0.974077, -0.048587], atol=1e-6)
    # -log sigmoid(0.5) = 0.474077, -log sigmoid(-3) = 3.048587
    np.testing.assert_allclose(OBJECTIVES.get("non_saturating").generator_loss(FAKE), [0.474077, 3.048587], atol=1e-6)


def test_patch_maps_are_averaged_per_example():
    maps = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)
    np.testing.assert_allclose(per_example(maps), [1.5, 5.5])


def test_kl_equals_a_sampled_estimate():
    generator = np.random.default_rng(0)
    mean, log_variance = generator.normal(0, 1, (3, 4)), generator.normal(0, 0.5, (3, 4))
    scale = np.exp(log_variance / 2)
    z = mean[:, None] + scale[:, None] * generator.normal(size=(3, 400_000, 4))
    ratio = scipy.stats.norm.logpdf(z, mean[:, None], scale[:, None]) - scipy.stats.norm.logpdf(z)
    closed = standard_normal_kl(mean.astype("float32"), log_variance.astype("float32"))
    np.testing.assert_allclose(closed, ratio.sum(-1).mean(-1), rtol=5e-3)
    np.testing.assert_allclose(standard_normal_kl(np.zeros((1, 4)), np.zeros((1, 4))), [0.0])


def test_log_normal_cdf_in_both_tails():
    x = np.concatenate([np.linspace(-30, 8, 400), [0.0]]).astype(np.float32)
    reference = scipy.stats.norm.logcdf(x.astype(np.float64))
    np.testing.assert_allclose(np.asarray(log_normal_cdf(x)), reference, rtol=3e-6, atol=3e-7)
    with tf.GradientTape() as tape:
        tape.watch(t := tf.constant(x))
        value = log_normal_cdf(t)
    assert np.isfinite(tape.gradient(value, t)).all()


def test_normal_quantile():
    u = np.concatenate([np.linspace(1e-6, 0.9999, 500), [0.0]]).astype(np.float32)
    reference = scipy.stats.norm.ppf(np.maximum(u, 6e-8).astype(np.float64))
    np.testing.assert_allclose(np.asarray(normal_quantile(u)), reference, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("mean,log_scale", [(0.1, -1.0), (-0.97, -4.0), (1.4, -2.0), (0.3, 1.0), (-0.5, -6.5)])
def test_every_pixels_probabilities_sum_to_one(levels, mean, log_scale):
    values = np.arange(levels, dtype=np.uint8).reshape(levels, 1, 1, 1)
    full = np.full(values.shape, mean, np.float32), np.full(values.shape, log_scale, np.float32)
    log_prob = np.asarray(discretized_gaussian_log_prob(values, *full, levels), np.float64)
    assert abs(np.exp(log_prob).sum() - 1.0) < 2e-4 * max(1.0, np.exp(log_scale))
    edges = 2.0 * (np.arange(levels + 1) - 0.5) / (levels - 1) - 1.0
    edges[0], edges[-1] = -np.inf, np.inf
    reference = np.diff(scipy.stats.norm.cdf(edges, mean, np.exp(log_scale)))
    seen = reference > 1e-6
    np.testing.assert_allclose(np.exp(log_prob)[seen], reference[seen], rtol=2e-3)


def test_bernoulli_log_prob_by_hand():
    images = np.array([1, 0, 1, 1], np.uint8).reshape(1, 2, 2, 1)
    logits = np.array([0.0, 2.0, -1.0, 3.0], np.float32).reshape(1, 2, 2, 1)
    # log 0.5 + log(1 - sigmoid(2)) + log sigmoid(-1) + log sigmoid(3)
    np.testing.assert_allclose(
        bernoulli_log_prob(images, logits), [-0.693147 - 2.126928 - 1.313262 - 0.048587], atol=1e-5
    )


def test_bernoulli_draws_follow_their_probabilities():
    vae = kg.VAE((4, 4, 1, 2), latent_dim=1, hidden=(4,))
    logits = np.tile(np.linspace(-3, 3, 16, dtype=np.float32).reshape(1, 4, 4, 1), (20_000, 1, 1, 1))
    uniform = draw({"u": Uniform((4, 4, 1))}, 20_000, 0)["u"]
    frequency = np.asarray(vae.pixel_draw(logits, uniform)).mean(0)
    np.testing.assert_allclose(frequency, 1 / (1 + np.exp(-logits[0])), atol=0.012)


def test_gaussian_draws_follow_the_discretized_probabilities():
    vae = kg.VAE((1, 1, 1, 9), latent_dim=1, hidden=(4,), sample_pixels=True)
    decoded = np.tile(np.array([0.4, -0.7], np.float32).reshape(1, 1, 1, 2), (40_000, 1, 1, 1))
    images = np.asarray(vae.pixel_draw(decoded, draw({"u": Uniform((1, 1, 1))}, 40_000, 0)["u"]))
    counts = np.bincount(images.ravel(), minlength=9)
    each = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    expected = np.exp(np.asarray(vae.pixel_log_prob(each, decoded[:9]), np.float64))
    expected *= counts.sum() / expected.sum()
    assert (
        scipy.stats.chisquare(
            counts[expected > 5], expected[expected > 5] * counts[expected > 5].sum() / expected[expected > 5].sum()
        ).pvalue
        > 1e-3
    )


def test_levels_survive_the_way_to_the_unit_interval_and_back():
    for levels in (2, 3, 17, 255, 256):
        spec = kg.ImageSpec(1, levels, 1, levels)
        images = np.arange(levels, dtype=np.uint8).reshape(1, 1, levels, 1)
        unit = np.asarray(spec.to_unit(images))
        assert unit.min() == -1.0 and unit.max() == pytest.approx(1.0)
        np.testing.assert_array_equal(np.asarray(spec.from_unit(unit)), images)
    np.testing.assert_array_equal(np.asarray(spec.from_unit(np.float32([[[[-9.0], [9.0]]]]))).ravel(), [0, 255])


@pytest.mark.parametrize("side,left", [(4, 2), (8, 2), (12, 3), (16, 4), (28, 7), (32, 4), (64, 4), (128, 4)])
def test_halvings(side, left):
    assert side >> kg.ImageSpec(side, side, 1).halvings() == left


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64])
def test_dcgan_keeps_the_papers_rules(side):
    gan = kg.GAN((side, side, 3), latent_dim=8, width=4)
    for network in (gan.generator, gan.discriminator):
        kinds = [type(layer).__name__ for layer in network.layers]
        assert not [kind for kind in kinds if "Pool" in kind or "UpSampling" in kind]
        assert kinds.count("Dense") == 1  # the projection of z, and the logit: none hidden
        convolutions = [layer for layer in network.layers if "Conv" in type(layer).__name__]
        assert all(layer.strides == (2, 2) for layer in convolutions)
        assert np.std(convolutions[0].kernel.numpy()) == pytest.approx(0.02, rel=0.3)
    generator, discriminator = (
        [type(layer).__name__ for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
        for network in (gan.generator, gan.discriminator)
    )
    assert "LeakyReLU" not in generator and "ReLU" not in discriminator
    assert "BatchNormalization" in generator and "BatchNormalization" in discriminator
    assert generator[-2:] == ["UpsamplingConvolution", "Activation"]
    assert isinstance(gan.generator.layers[-2], keras.layers.Conv2DTranspose)
    assert discriminator[:2] == ["Conv2D", "LeakyReLU"]
    assert gan.generator(np.zeros((2, 8), np.float32)).shape == (2, side, side, 3)
    assert gan.discriminator(np.zeros((2, side, side, 3), np.float32)).shape == (2, 1)


def test_fused_batch_normalization_equals_keras():
    inputs = np.random.default_rng(0).normal(2.0, 3.0, (5, 4, 3, 6)).astype(np.float32)
    ours, keras_own = BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    for training in (True, True, False):
        results = []
        for layer in (ours, keras_own):
            with tf.GradientTape() as tape:
                tape.watch(x := tf.constant(inputs))
                y = layer(x, training=training)
                target = tf.reduce_sum(y * tf.sin(x))
            results.append((y, tape.gradient(target, x)))
        for mine, theirs in zip(*results):
            np.testing.assert_allclose(mine, theirs, atol=2e-5)
    for mine, theirs in zip(ours.weights, keras_own.weights):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5)


def test_average_lags_weights_and_copies_buffers():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    average = copy_of(network)
    before = [weight.numpy() for weight in average.weights]
    for variable in network.variables:
        variable.assign(variable + 1.0)
    update_average(average, network, 0.75)
    for old, kept, now in zip(before, average.weights, network.weights):
        wanted = now.numpy() if "moving" in now.path else 0.75 * old + 0.25 * now.numpy()
        np.testing.assert_allclose(kept.numpy(), wanted, rtol=1e-6)
    assert not average.trainable_variables


def test_each_players_step_leaves_the_other_alone():
    def gan(generator_rate, discriminator_rate):
        keras.utils.set_random_seed(1)
        model = kg.GAN((8, 8, 1, 17), latent_dim=4, width=4)
        model.compile(keras.optimizers.SGD(generator_rate), keras.optimizers.SGD(discriminator_rate))
        return model

    def trainable(network):
        return [weight.numpy() for weight in network.trainable_variables]

    images = np.random.default_rng(0).integers(0, 17, (16, 8, 8, 1), dtype=np.uint8)
    for still, moving, rates in (
        ("discriminator", "generator", (0.1, 0.0)),
        ("generator", "discriminator", (0.0, 0.1)),
    ):
        model = gan(*rates)
        before = {side: trainable(getattr(model, side)) for side in (still, moving)}
        model.fit(images, batch_size=16, verbose=0)
        for old, new in zip(before[still], trainable(getattr(model, still))):
            np.testing.assert_array_equal(old, new)
        assert any((old != new).any() for old, new in zip(before[moving], trainable(getattr(model, moving))))


def test_each_critic_turn_sees_its_own_data(digits):
    dataset = digits.batches(4, turns=3, seed=1)
    batch = next(iter(dataset))
    assert batch["image"].shape == (4, 3, 8, 8, 1) and batch["label"].shape == (4, 3)
    flat = np.asarray(batch["image"]).reshape(12, -1)
    assert len(np.unique(flat, axis=0)) == 12


def test_noise_is_a_function_of_seed_and_name_and_not_of_the_count():
    spec = {"z": Normal((3,)), "u": Uniform((2, 2, 1))}
    many, few = draw(spec, 50_000, 9), draw(spec, 5, 9)
    for name in spec:
        np.testing.assert_array_equal(many[name][:5], few[name])
        assert many[name].dtype == np.float32
    assert abs(many["z"].mean()) < 0.01 and abs(many["z"].std() - 1) < 0.01
    assert many["u"].min() >= 0 and many["u"].max() < 1 and abs(many["u"].mean() - 0.5) < 0.01
    assert not np.allclose(draw(spec, 5, 10)["z"], few["z"])


def test_step_noise_differs_between_steps_and_turns_and_survives_xla():
    spec = {"z": Normal((4,)), "u": Uniform((3,))}
    step = tf.Variable(5, dtype=tf.int64)  # a constant would be folded before XLA saw it

    def noise(turn=0, **options):
        return {
            k: v.numpy() for k, v in tf.function(lambda: step_noise(spec, 20_000, 3, step, turn), **options)().items()
        }

    base, compiled, other_turn = noise(), noise(jit_compile=True), noise(turn=1)
    step.assign(6)
    other_step = noise()
    for name in spec:
        np.testing.assert_allclose(base[name], compiled[name], atol=2e-5)
        assert not np.allclose(base[name], other_turn[name]) and not np.allclose(base[name], other_step[name])
    assert scipy.stats.kstest(base["z"].ravel(), "norm").pvalue > 1e-3
    assert scipy.stats.kstest(base["u"].ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(base["z"].T) - np.eye(4)).max() < 0.03


def test_replicas_split_the_one_device_draw(two_replicas):
    spec = {"z": Normal((4,))}
    whole = step_noise(spec, 8, 3, tf.constant(5, tf.int64))["z"].numpy()
    per_replica = two_replicas.run(tf.function(lambda: step_noise(spec, 4, 3, tf.constant(5, tf.int64))["z"]))
    parts = [part.numpy() for part in two_replicas.experimental_local_results(per_replica)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_overflow_on_one_replica_skips_the_step_on_all(two_replicas):
    with two_replicas.scope():
        weight = keras.Variable(np.ones(3, np.float32))
        optimizer = ReplicaSafeLossScaleOptimizer(keras.optimizers.SGD(0.1))
        optimizer.build([weight])

    @tf.function
    def step(overflow):
        def on_replica():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            bad = tf.logical_and(overflow, tf.equal(replica, 1))
            gradient = tf.where(bad, float("inf"), 0.5) * tf.ones(3) * optimizer.dynamic_scale
            optimizer.apply([gradient], [weight])

        two_replicas.run(on_replica)

    step(tf.constant(False))
    scale = float(optimizer.dynamic_scale.numpy())
    np.testing.assert_allclose(weight.numpy(), 0.9, rtol=1e-6)
    step(tf.constant(True))
    np.testing.assert_allclose(weight.numpy(), 0.9, rtol=1e-6)
    assert float(optimizer.dynamic_scale.numpy()) == scale / 2 and int(optimizer.iterations.numpy()) == 1
    step(tf.constant(False))
    np.testing.assert_allclose(weight.numpy(), 0.8, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"beta_1": 0.5, "epsilon": 1e-3}, {"amsgrad": True}], ids=str)
def test_adam_takes_the_steps_of_keras_adam(options):
    generator = np.random.default_rng(0)
    start = generator.normal(size=(7, 5)).astype(np.float32)
    gradients = generator.normal(size=(6, 7, 5)).astype(np.float32)
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.5)

    def ended(kind):
        weight, optimizer = keras.Variable(start), kind(schedule, **options)
        optimizer.build([weight])
        step = tf.function(lambda gradient: optimizer.apply([gradient], [weight]))
        for gradient in gradients:
            step(tf.constant(gradient))
        return [weight.numpy(), *(v.numpy() for v in optimizer.variables)]

    for wanted, found in zip(ended(keras.optimizers.Adam), ended(Adam), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    one = Adam(1e-3, **options)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    assert type(again) is Adam and again.get_config() == one.get_config()
