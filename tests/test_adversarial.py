"""The two-player step against NumPy references; turns, orders, penalties, constraints; a user's own networks and losses."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen.core.noise import Normal, Uniform
from keras_gen.core.replicas import step_noise
from keras_gen.models.adversarial.adversarial_model import AdversarialModel
from keras_gen.models.adversarial.gan import MIXING
from keras_gen.models.adversarial.papers import PAPERS
from keras_gen.models.adversarial.turns import CriticSchedule

SPEC = kg.ImageSpec(2, 2, 1, 17)
SEED, BATCH, LATENT = 4, 8, 3
RATES = 0.3, 0.2  # of the generator and the discriminator


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 17, (BATCH, *SPEC.shape), dtype=np.uint8)


def linear_generator(*more):
    return keras.Sequential([keras.Input((LATENT,)), layers.Dense(4), layers.Reshape(SPEC.shape), *more], name="toy_g")


def critic(*hidden):
    return keras.Sequential([keras.Input(SPEC.shape), layers.Flatten(), *hidden, layers.Dense(1)], name="toy_d")


def tanh_layer():
    """Seeded by itself: made before ``gan`` seeds Keras."""
    return layers.Dense(3, activation="tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1))


def gan(*hidden, **arguments):
    keras.utils.set_random_seed(2)
    model = kg.GAN(SPEC, LATENT, generator=linear_generator(), discriminator=critic(*hidden), seed=SEED, **arguments)
    model.compile(*(keras.optimizers.SGD(rate) for rate in RATES))
    return model


def latent(step, turn=0, batch=BATCH):
    return step_noise({"z": Normal((LATENT,))}, batch, SEED, tf.constant(step, tf.int64), turn)["z"].numpy()


def unit(images):
    return images.reshape(len(images), -1) / 8.0 - 1.0


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def minimax_reference(weights, images, order, critic_steps, steps):
    """Goodfellow et al. 2014, algorithm 1, of a linear generator ``z W + b`` and discriminator ``x v + c``."""
    W, b, v, c = (weight.astype(np.float64) for weight in weights)
    x, n = unit(images), len(images)

    def discriminator_gradient(fakes):
        real, fake = -sigmoid(-(x @ v + c)) / n, sigmoid(fakes @ v + c) / n
        return x.T @ real + fakes.T @ fake, (real + fake).sum(0)

    def generator_gradient(z, fakes):
        slope = -sigmoid(fakes @ v + c) / n @ v.T
        return z.T @ slope, slope.sum(0)

    for step in range(steps):
        noise = [latent(step, turn).astype(np.float64) for turn in range(critic_steps)]
        shared = 0 if order == "generator_first" else critic_steps - 1
        for turn, z in enumerate(noise):
            fakes = z @ W + b
            if turn == shared and order != "discriminator_first":  # paid to the discriminator that has not moved
                gW, gb = generator_gradient(z, fakes)
                W, b = W - RATES[0] * gW, b - RATES[0] * gb
            gv, gc = discriminator_gradient(fakes)
            v, c = v - RATES[1] * gv, c - RATES[1] * gc
            if turn == shared and order == "discriminator_first":
                gW, gb = generator_gradient(z, fakes)
                W, b = W - RATES[0] * gW, b - RATES[0] * gb
    return W, b, v, c


def weights_of(model):
    return model.generator.get_weights() + model.discriminator.get_weights()


@pytest.mark.parametrize(
    "order,critic_steps",
    [("discriminator_first", 1), ("discriminator_first", 2), ("simultaneous", 1), ("generator_first", 2)],
)
def test_the_algorithm_of_2014_step_for_step(images, order, critic_steps):
    model = gan(objective="minimax", order=order, critic_steps=critic_steps)
    start = weights_of(model)
    for _ in range(3):
        model.train_on_batch(images)
    ended = minimax_reference(start, images, order, critic_steps, steps=3)
    others = minimax_reference(start, images, "discriminator_first", critic_steps, steps=3)
    assert order == "discriminator_first" or np.abs(ended[0] - others[0]).max() > 1e-3  # the order can be seen
    for found, wanted in zip(weights_of(model), ended):
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_the_generator_is_paid_for_a_larger_batch_of_fresh_fakes(images):
    model = gan(objective="wasserstein", penalty="drift", penalty_weight=0.0, generator_batch=3)
    W, b, v, c = weights_of(model)
    model.train_on_batch(images)
    moved = weights_of(model)
    fresh = latent(0, turn=1, batch=3 * BATCH)
    np.testing.assert_allclose(moved[0] - W, RATES[0] * fresh.mean(0)[:, None] * moved[2][:, 0], atol=1e-6)
    np.testing.assert_allclose(
        moved[2] - v, RATES[1] * (unit(images) - (latent(0) @ W + b)).mean(0)[:, None], atol=1e-6
    )


# --- penalties ------------------------------------------------------------------------------------------------------

PENALTIES = {"gradient": 2.0, "one_sided_gradient": 1.5, "r1": 0.7, "r2": 0.4, "drift": 0.3}


def penalized_loss(weights, x, fakes, mixing):
    """In float64: what a critic ``tanh(x A + a) w + d`` pays, its slopes in closed form."""
    A, a, w, d = weights

    def f(points):
        return np.tanh(points @ A + a) @ w[:, 0] + d[0]

    def norms(points):
        return np.sqrt((((1 - np.tanh(points @ A + a) ** 2) * w[:, 0] @ A.T) ** 2).sum(1) + 1e-12)

    between = norms(x + mixing * (fakes - x)) / 0.3 - 1.0
    return (
        (f(fakes) - f(x)).mean()
        + PENALTIES["gradient"] * (between**2).mean()
        + PENALTIES["one_sided_gradient"] * (np.maximum(between, 0.0) ** 2).mean()
        + PENALTIES["r1"] * (norms(x) ** 2).mean() / 2
        + PENALTIES["r2"] * (norms(fakes) ** 2).mean() / 2
        + PENALTIES["drift"] * (f(x) ** 2).mean()
    )


def test_penalties_second_order_gradients_are_finite_differences_on_one_and_two_replicas(images, two_replicas):
    arguments = dict(
        objective="wasserstein",
        penalty=list(PENALTIES),
        penalty_weight=list(PENALTIES.values()),
        penalty_target=0.3,
    )

    def build():
        return gan(tanh_layer(), **arguments)

    one = build()
    with two_replicas.scope():
        two = build()
    W, b = (weight.astype(np.float64) for weight in one.generator.get_weights())
    start = [weight.astype(np.float64) for weight in one.discriminator.get_weights()]
    zero = tf.constant(0, tf.int64)
    mixing = step_noise({"mixing": Uniform((1, 1, 1))}, BATCH, SEED, zero, MIXING)["mixing"].numpy().reshape(-1, 1)
    seen = unit(images), latent(0).astype(np.float64) @ W + b, mixing.astype(np.float64)
    gradients = []
    for index, weight in enumerate(start):
        gradient = np.zeros_like(weight)
        for place in np.ndindex(weight.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [each.copy() for each in start]
                moved[index][place] += step
                values.append(penalized_loss(moved, *seen))
            gradient[place] = (values[0] - values[1]) / 2e-5
        gradients.append(gradient)
    for model in (one, two):
        history = model.fit(images, batch_size=BATCH, shuffle=False, verbose=0).history
        assert history["discriminator_loss"][0] == pytest.approx(penalized_loss(start, *seen), rel=1e-4)
        for old, new, gradient in zip(start, model.discriminator.get_weights(), gradients):
            np.testing.assert_allclose((old - new) / RATES[1], gradient, atol=2e-3, rtol=2e-4)


def test_a_linear_critics_penalty_in_closed_form(images):
    model = gan(objective="wasserstein", penalty="gradient", penalty_target=2.0)
    v = model.discriminator.get_weights()[0]
    fakes = model.make_fakes({}, {"z": latent(0)}, training=True)
    batch = {"image": tf.constant(images)}
    paid = [model.discriminator_loss(batch, fakes, training=training) for training in (True, False)]
    np.testing.assert_allclose(paid[0] - paid[1], 10 * (np.linalg.norm(v) / 2 - 1) ** 2, rtol=1e-4)


def test_the_penaltys_own_look_leaves_no_trace(images):
    model = gan(layers.BatchNormalization(momentum=0.5), objective="wasserstein", penalty="gradient")
    moving = model.discriminator.layers[1].moving_mean
    once = unit(images).mean(0) / 2  # moved by a look at the reals alone
    model.discriminator(unit(images).reshape(images.shape).astype(np.float32), training=True)
    np.testing.assert_allclose(moving.numpy(), once, atol=1e-6)
    before = moving.numpy()
    model._slope_between({"image": tf.ones((8, 2, 2, 1))}, {"image": tf.zeros((8, 2, 2, 1))}, training=True)
    np.testing.assert_array_equal(moving.numpy(), before)


# --- work and turns -------------------------------------------------------------------------------------------------


class Counting(layers.Layer):
    """Counts how often it is called with a tensor of a training step."""

    calls = 0

    def call(self, x, training=False):
        self.calls += bool(training)
        return x


@pytest.mark.parametrize(
    "arguments,calls",
    [
        ({}, (1, 3)),  # as many as PyTorch's own DCGAN example
        ({"critic_steps": 3}, (3, 7)),
        ({"order": "simultaneous"}, (1, 3)),
        ({"penalty": ["r1", "r2", "drift"]}, (1, 3)),
        ({"objective": "wasserstein", "penalty": "gradient", "critic_steps": 5, "generator_batch": 2}, (6, 16)),
        ({"objective": "relativistic_average"}, (1, 4)),
    ],
    ids=str,
)
def test_no_network_is_called_twice_for_one_answer(images, arguments, calls):
    counters = Counting(), Counting()
    model = kg.GAN(
        SPEC, LATENT, generator=linear_generator(counters[0]), discriminator=critic(counters[1]), **arguments
    )
    model.compile()
    model.train_on_batch(images)
    assert tuple(counter.calls for counter in counters) == calls


def test_the_critics_schedule():
    schedule = CriticSchedule.from_any({"steps": 100, "first": 25, "every": 500}, 5)
    turns = [schedule.turns(step) for step in range(1002)]
    assert turns[:25] == [100] * 25 and turns[25] == 5 and turns[500] == turns[1000] == 100
    assert sum(turns) == 1002 * 5 + 27 * 95
    for step in (0, 24, 25, 499, 500, 501, 1001):
        assert schedule.turns_through(step) == sum(turns[: step + 1])
    assert CriticSchedule.from_any({"steps": 6, "every": 4}, 3).turns_through(8) == sum([6, 3, 3, 3, 6, 3, 3, 3, 6])


def test_the_generator_waits_for_long_turns_also_after_a_resume(images, tmp_path):
    model = gan(
        objective="wasserstein", constraint="clip", critic_steps=2, critic_schedule={"steps": 4, "first": 1, "every": 3}
    )
    moves, noises = [], []
    for step in range(6):
        noises.append(model._noise({"image": images}, 0)["z"].numpy())
        model.train_on_batch(images)
        moves.append((int(model.discriminator_optimizer.iterations), int(model.generator_optimizer.iterations)))
        if step == 0:  # in the middle of a long turn
            model.save(tmp_path / "model.keras")
            model = keras.models.load_model(tmp_path / "model.keras")
    assert moves == [(2, 0), (4, 1), (6, 2), (8, 3), (10, 3), (12, 4)]
    assert len({noise.tobytes() for noise in noises}) == 6


def test_what_a_schedule_cannot_do_is_refused(images):
    for schedule, message in (
        ({"steps": 5}, "no multiple of critic_steps=2"),
        ({"step": 4}, "give {'steps'"),
        ({"steps": 0}, "steps=0"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            gan(critic_steps=2, critic_schedule=schedule)
    model = gan(critic_schedule={"steps": 2, "first": 1})
    model.compile(steps_per_execution=2)
    with pytest.raises(kg.InvalidInput, match="steps_per_execution"):
        model.fit(images, batch_size=4, verbose=0)


def test_clipped_weights_stay_in_range_and_a_linear_critic_finds_the_distance():
    """A critic of slope at most c on pixels in [-1, 1]: its estimate over c is W1, here the distance of two grey levels."""
    spec = kg.ImageSpec(1, 1, 1, 3)
    generator = keras.Sequential([keras.Input((1,)), layers.Dense(1), layers.Reshape((1, 1, 1))])
    norm = layers.BatchNormalization()
    for hidden in ((), (norm,)):
        discriminator = keras.Sequential([keras.Input(spec.shape), layers.Flatten(), *hidden, layers.Dense(1)])
        model = kg.GAN(
            spec,
            1,
            generator=generator,
            discriminator=discriminator,
            objective="wasserstein",
            constraint="clip",
            clip=0.1,
        )
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.2))
        generator.set_weights([np.zeros((1, 1)), np.array([-0.5])])
        for _ in range(4):
            paid = model.train_on_batch(np.full((8, 1, 1, 1), 2, np.uint8))
            assert all(np.abs(weight.numpy()).max() <= 0.1 for weight in discriminator.trainable_variables)
        if not hidden:
            losses = model.evaluate(np.full((8, 1, 1, 1), 2, np.uint8), verbose=0, return_dict=True)
            assert -losses["discriminator_loss"] / 0.1 == pytest.approx(1.5, rel=1e-4)
    assert np.isfinite(paid).all() and norm.gamma.numpy()[0] <= np.float32(0.1)


class TwoPairs(AdversarialModel):
    """Two networks a side, something drawn beside the noise, and a discriminator that is shown an older picture."""

    def __init__(self):
        super().__init__(SPEC, order="generator_first", ema_decay=0.5)
        self.generators, self.discriminators = [linear_generator(), linear_generator()], [critic(), critic()]
        self.finish()

    generator_side = property(lambda self: self.generators)
    discriminator_side = property(lambda self: self.discriminators)

    def noise_spec(self):
        return {"z": Normal((LATENT,))}

    def step_spec(self):
        return {**self.noise_spec(), "scale": Uniform((1, 1, 1))}

    def make_fakes(self, batch, noise, training):
        return [network(noise["z"], training=training) * noise["scale"] for network in self.generators]

    def shown_to_discriminator(self, batch, fakes):
        return [tf.zeros_like(fakes[0]), fakes[1]]

    def discriminator_loss(self, batch, fakes, training):
        return sum(network(image)[:, 0] for network, image in zip(self.discriminators, fakes))

    def generator_loss(self, batch, fakes, training):
        return -self.discriminator_loss(batch, fakes, training)


def test_a_model_answers_with_several_networks_and_a_pool(images):
    model = TwoPairs()
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    before = [network.get_weights() for network in (*model.generators, *model.discriminators, *model.averages)]
    model.train_on_batch(images)
    after = [network.get_weights() for network in (*model.generators, *model.discriminators, *model.averages)]
    kernels = [np.abs(new[0] - old[0]).max() for old, new in zip(before, after)]
    biases = [np.abs(new[-1] - old[-1]).max() for old, new in zip(before, after)]
    assert kernels[2] == 0.0 and min(kernels[:2] + kernels[3:]) > 1e-4  # black pictures move a bias alone
    assert min(biases) > 1e-4
    for old, new, average in zip(before[:2], after[:2], after[4:]):
        np.testing.assert_allclose(average[0], (old[0] + new[0]) / 2, rtol=1e-5)


# --- papers, and the user's own -------------------------------------------------------------------------------------


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_builds_and_takes_a_step(paper):
    turns = min(2, PAPERS.get(paper).arguments.get("critic_steps", 1))  # of which each costs a residual pair a second
    model = kg.GAN.named(paper, (8, 8, 1, 17), steps=50, width=4, latent_dim=3, critic_steps=turns)
    images = np.random.default_rng(0).integers(0, 17, (4, 8, 8, 1), dtype=np.uint8)
    before = [weight.copy() for weight in model.discriminator.get_weights()]
    assert np.isfinite(model.train_on_batch(images)).all()
    assert any((old != new).any() for old, new in zip(before, model.discriminator.get_weights()))
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    for one, other in zip(again.default_optimizers(), model.default_optimizers()):
        assert type(one) is type(other)
        assert {**one.get_config(), "name": ""} == {**other.get_config(), "name": ""}


def test_the_papers_rates():
    rates = {paper: PAPERS.get(paper).optimizers(100, 5) for paper in PAPERS}
    assert type(rates["wgan"][0]).__name__ == "RMSprop" and float(rates["wgan"][0].learning_rate) == pytest.approx(5e-5)
    for paper in ("wgan_gp", "sngan"):
        generator, discriminator = rates[paper]
        assert (generator.beta_1, generator.beta_2) == (0.0, 0.9)
        assert float(generator._learning_rate(50)) == float(discriminator._learning_rate(250)) == pytest.approx(1e-4)
    assert isinstance(kg.GAN((8, 8, 1), width=4).default_optimizers()[0], kg.Adam)
    with pytest.raises(kg.InvalidInput, match="Unknown paper 'wgangp'. Did you mean 'wgan_gp'"):
        kg.GAN.named("wgangp", (8, 8, 1))


@keras.saving.register_keras_serializable("tests")
def own_generator_loss(fake_logits):
    return keras.ops.exp(-fake_logits[:, 0])


@keras.saving.register_keras_serializable("tests")
def own_discriminator_loss(real_logits, fake_logits):
    return keras.ops.exp(-real_logits[:, 0]) + keras.ops.exp(fake_logits[:, 0])


@keras.saving.register_keras_serializable("tests")
def own_penalty(gradients):
    return keras.ops.sum(keras.ops.abs(gradients), axis=(1, 2, 3))


def test_a_users_networks_losses_and_penalty_train_save_resume_and_leave(images, tmp_path):
    model = gan(
        layers.Dense(3, activation="tanh"),
        objective=(own_generator_loss, own_discriminator_loss),
        penalty=kg.Penalty("own", own_penalty, at="reals", weight=0.2),
    )
    assert model.objective.generator_loss is own_generator_loss and model.penalties[0].function is own_penalty
    many = np.tile(images, (4, 1, 1, 1))
    model.fit(many, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    again = kg.load(tmp_path / "model.keras")
    assert again.objective == model.objective and again.penalties == model.penalties
    for each in (model, again):
        each.fit(many, batch_size=8, epochs=2, initial_epoch=1, verbose=0)
    for one, other in zip(weights_of(model), weights_of(again)):
        np.testing.assert_array_equal(one, other)
    assert "onnx" in model.export(tmp_path / "artifact", format="onnx")["parity"]


def test_a_function_that_no_file_can_name_is_refused_when_saved_and_can_be_named_then(images, tmp_path):
    def late_penalty(gradients):
        return own_penalty(gradients)

    model = gan(penalty=late_penalty)
    model.train_on_batch(images)
    with pytest.raises(kg.InvalidInput, match="'late_penalty', which no file can name.*register_keras_serializable"):
        model.save(tmp_path / "model.keras")
    keras.saving.register_keras_serializable("tests")(late_penalty)
    model.save(tmp_path / "model.keras")
    assert kg.load(tmp_path / "model.keras").penalties[0].function is late_penalty
    del keras.saving.get_custom_objects()["tests>late_penalty"]
    with pytest.raises(kg.InvalidInput, match="tests>late_penalty"):
        kg.load(tmp_path / "model.keras")


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"critic_steps": 0}, "critic_steps=0"),
        ({"generator_batch": 0}, "generator_batch=0"),
        ({"order": "together"}, "discriminator_first, simultaneous, generator_first"),
        ({"objective": "wasserstien"}, "Did you mean 'wasserstein'"),
        ({"objective": (own_generator_loss,)}, "a pair of functions"),
        ({"penalty": "gradients"}, "Did you mean 'gradient'"),
        ({"constraint": "clipping"}, "Unknown constraint 'clipping'"),
        ({"clip": 0.1}, "belongs to constraint='clip'"),
        ({"constraint": "clip", "objective": "wasserstein", "clip": 0.0}, "clip=0.0"),
        ({"constraint": "clip", "objective": "wasserstein", "penalty": "gradient"}, "give one of them"),
        ({"constraint": "clip", "objective": "non_saturating"}, "stay near 0.*objective='wasserstein'"),
        ({"objective": "relativistic_average", "generator_batch": 2}, "compares fakes with the batch's reals"),
        ({"paper": "stylegan"}, "Unknown paper"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments, message):
    with pytest.raises(kg.InvalidInput, match=message):
        gan(**arguments)


def test_networks_that_do_not_meet_are_both_named():
    with pytest.raises(
        kg.InvalidInput, match=r"'toy_g' gives \[b, 2, 2, 1\], discriminator 'other' takes \[b, 4, 4, 3\]"
    ):
        other = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(1)], name="other")
        kg.GAN(SPEC, LATENT, generator=linear_generator(), discriminator=other)


@pytest.mark.parametrize("part", ["generator", "discriminator", "penalty"])
def test_a_loss_that_is_a_mean_already_is_refused(images, part):
    def mean(*logits):
        return keras.ops.mean(logits[0])

    parts = {
        "generator": own_generator_loss,
        "discriminator": own_discriminator_loss,
        "penalty": own_penalty,
        part: mean,
    }
    model = gan(objective=(parts["generator"], parts["discriminator"]), penalty=parts["penalty"])
    with pytest.raises(kg.InvalidInput, match=r"mean gives \[\]; wanted \[b\]"):
        model.fit(images, batch_size=8, verbose=0)


def test_what_works_against_itself_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        gan(layers.BatchNormalization(name="coupling"), objective="wasserstein", penalty="gradient")
        assert "layer 'coupling' of discriminator 'toy_d'" in caplog.text and "LayerNormalization" in caplog.text
        caplog.clear()
        gan(objective="wasserstein")
        assert "no lower bound" in caplog.text
        caplog.clear()
        kg.GAN((8, 8, 1), width=4, objective="wasserstein", penalty="gradient")
        kg.GAN((8, 8, 1), width=4, objective="hinge", penalty="drift")
        assert not caplog.records
