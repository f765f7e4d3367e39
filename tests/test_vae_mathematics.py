"""The ELBO's derivation, line by line, where everything is known; and what each part of a VAE says of itself.

The model of the proofs is linear and Gaussian: z ~ N(0, I) of 2 dimensions, x = W z + b + s n of 3, with an encoder of the exact
posterior's kind that is not the posterior. Then log p(x), p(z|x) and every expectation have closed forms (probabilistic PCA).
"""

import functools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import draw
from keras_gen.core.replicas import global_mean
from keras_gen.losses.decoder_likelihoods import LIKELIHOODS
from keras_gen.losses.kl_weighting import capacity_penalty, free_bits, warmed_up
from keras_gen.losses.latent_distributions import DiagonalGaussian, GaussianMixture, StandardNormal
from keras_gen.metrics.active_units import ActiveUnits, active_units
from keras_gen.metrics.likelihood import log_mean_exp
from keras_gen.models.variational.objective import Objective, Terms

# --- the derivation in five steps ---------------------------------------------------------------------------------------

W = np.array([[1.0, 0.3], [-0.5, 0.8], [0.2, 0.0]])
B, NOISE = np.array([0.1, -0.2, 0.3]), 0.7
X = np.array([0.9, -0.4, 1.1])
Q_MEAN, Q_STD = np.array([0.4, -0.6]), np.array([0.6, 0.9])


def normal_nats(x, mean, covariance):
    return scipy.stats.multivariate_normal(mean, covariance).logpdf(x)


def gauss_hermite(mean, std, points=24):
    """Nodes and weights of expectations under a diagonal Gaussian, exact for polynomials: ``[n, 2]``, ``[n]``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    return mean + std * grid, np.outer(weights, weights).reshape(-1) / weights.sum() ** 2


@functools.cache
def linear_gaussian():
    """Everything that is known: log p(x), the posterior's mean and covariance."""
    evidence = normal_nats(X, B, W @ W.T + NOISE**2 * np.eye(3))
    covariance = np.linalg.inv(np.eye(2) + W.T @ W / NOISE**2)
    return evidence, covariance @ W.T @ (X - B) / NOISE**2, covariance


def expectations():
    """Under q, by quadrature: of log p(x|z), log p(z), log q(z) and log p(z|x)."""
    _, mean, covariance = linear_gaussian()
    z, weights = gauss_hermite(Q_MEAN, Q_STD)
    likelihood = scipy.stats.norm(z @ W.T + B, NOISE).logpdf(X).sum(-1)
    prior, q = normal_nats(z, np.zeros(2), np.eye(2)), normal_nats(z, Q_MEAN, np.diag(Q_STD**2))
    return tuple(float(weights @ each) for each in (likelihood, prior, q, normal_nats(z, mean, covariance)))


def ours():
    """q and the prior as the package has them."""
    q = DiagonalGaussian(*(np.array(part, np.float32) for part in (Q_MEAN, 2 * np.log(Q_STD))))
    return q, StandardNormal()


def gaussian_kl(mean, covariance, other_mean, other_covariance):
    inverse, moved = np.linalg.inv(other_covariance), other_mean - mean
    logs = np.linalg.slogdet(other_covariance)[1] - np.linalg.slogdet(covariance)[1]
    return 0.5 * (np.trace(inverse @ covariance) + moved @ inverse @ moved - len(mean) + logs)


def test_step_1_log_p_is_its_own_expectation_under_q():
    """log p(x) = E_q[log p(x)]: q is a distribution, and the evidence, here E_p(z)[p(x|z)], does not depend on z."""
    z, weights = gauss_hermite(np.zeros(2), np.ones(2), 60)
    evidence = np.log(weights @ np.exp(scipy.stats.norm(z @ W.T + B, NOISE).logpdf(X).sum(-1)))
    assert evidence == pytest.approx(linear_gaussian()[0], abs=1e-9) == pytest.approx(-3.472022, abs=1e-6)
    _, weights = gauss_hermite(Q_MEAN, Q_STD)
    assert weights @ np.full(len(weights), evidence) == pytest.approx(evidence, abs=1e-12)


def test_step_2_bayes_rule_under_the_expectation():
    """= E_q[log p(x|z) + log p(z) - log p(z|x)]."""
    likelihood, prior, _, posterior = expectations()
    assert likelihood + prior - posterior == pytest.approx(linear_gaussian()[0], abs=1e-9)


def test_step_3_multiplied_and_divided_by_q():
    """= E_q[log p(x|z)] - E_q[log q/p(z)] + E_q[log q/p(z|x)]."""
    likelihood, prior, q, posterior = expectations()
    assert likelihood - (q - prior) + (q - posterior) == pytest.approx(linear_gaussian()[0], abs=1e-9)


def test_step_4_both_logarithms_are_divergences():
    """E_q[log q/p(z)] = KL(q || p(z)), ours in closed form; E_q[log q/p(z|x)] = KL(q || p(z|x))."""
    _, prior, q, posterior = expectations()
    mine, standard = ours()
    assert float(tf.reduce_sum(standard.kl_from(mine, None))) == pytest.approx(q - prior, abs=1e-6)
    _, mean, covariance = linear_gaussian()
    assert gaussian_kl(Q_MEAN, np.diag(Q_STD**2), mean, covariance) == pytest.approx(q - posterior, abs=1e-9)


def test_step_5_the_elbo_lacks_the_divergence_from_the_posterior_alone():
    """ELBO + KL(q || p(z|x)) = log p(x), so ELBO <= log p(x), with equality where q is the posterior."""
    likelihood, _, q, posterior = expectations()
    mine, standard = ours()
    elbo = likelihood - float(tf.reduce_sum(standard.kl_from(mine, None)))
    assert elbo + (q - posterior) == pytest.approx(linear_gaussian()[0], abs=1e-6)
    assert q - posterior > 0.05 and elbo < linear_gaussian()[0]


def test_under_the_true_posterior_every_importance_weight_is_the_evidence():
    evidence, mean, covariance = linear_gaussian()
    z = np.random.default_rng(0).multivariate_normal(mean, covariance, 50)
    weights = scipy.stats.norm(z @ W.T + B, NOISE).logpdf(X).sum(-1) + normal_nats(z, np.zeros(2), np.eye(2))
    np.testing.assert_allclose(weights - normal_nats(z, mean, covariance), evidence, atol=1e-9)


# --- distributions of latents ------------------------------------------------------------------------------------------


def some_q(generator, *shape):
    return DiagonalGaussian(*(generator.normal(0.0, 0.7, shape).astype("float32") for _ in range(2)))


def on_a_grid(reach=9.0, points=301):
    axis = np.linspace(-reach, reach, points)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2).astype("float32"), (
        axis[1] - axis[0]
    ) ** 2


def test_kl_in_closed_form_is_that_of_quadrature():
    generator = np.random.default_rng(1)
    q, p = some_q(generator, 2), some_q(generator, 2)
    z, weights = gauss_hermite(np.asarray(q.mean, np.float64), np.exp(0.5 * np.asarray(q.log_variance, np.float64)))
    for prior in (StandardNormal(), p):
        difference = np.asarray(q.log_prob(z.astype("float32"))) - np.asarray(prior.log_prob(z.astype("float32")))
        assert float(tf.reduce_sum(prior.kl_from(q, None))) == pytest.approx(float(weights @ difference), abs=1e-5)
    assert float(tf.reduce_sum(q.kl_from(q, None))) == pytest.approx(0.0, abs=1e-6)


def test_a_mixture_integrates_to_one_and_is_scipys():
    generator = np.random.default_rng(2)
    logits, means, logs = (generator.normal(0.0, 1.0, shape).astype("float32") for shape in ((3,), (3, 2), (3, 2)))
    mixture, (z, cell) = GaussianMixture(logits, means, logs), on_a_grid()
    found = np.asarray(mixture.log_prob(z), np.float64)
    assert np.exp(found).sum() * cell == pytest.approx(1.0, abs=1e-4)
    each = [normal_nats(z, mean, np.diag(np.exp(log))) for mean, log in zip(means, logs)]
    weights = scipy.special.log_softmax(logits.astype(np.float64))
    np.testing.assert_allclose(found, scipy.special.logsumexp(np.array(each).T + weights, axis=-1), atol=2e-4)


def test_mixtures_draw_what_their_density_says():
    means, logs = np.array([[-2.0], [1.0]], np.float32), np.array([[-1.0], [0.5]], np.float32)
    mixture = GaussianMixture(np.log(np.array([0.3, 0.7], np.float32)), means, logs)
    noise = draw(kg.VAE((2, 2, 1, 2), 1, hidden=(2,), prior="mixture").prior.noise_spec(1), 20_000, 0)
    drawn = np.asarray(mixture.draw(noise["z"], noise["z_component"]))[:, 0]

    def cdf(x):
        parts = zip((0.3, 0.7), means[:, 0], logs[:, 0], strict=True)
        return sum(weight * scipy.stats.norm(mean, np.exp(0.5 * log)).cdf(x) for weight, mean, log in parts)

    assert scipy.stats.kstest(drawn, cdf).pvalue > 1e-3
    last = np.asarray(mixture.draw(np.zeros((1, 1), np.float32), np.array([[1 - 2.0**-24]], np.float32)))
    assert last[0, 0] == pytest.approx(1.0)  # the largest uniform still chooses a component


def test_log_variances_that_would_overflow_are_bounded():
    q = DiagonalGaussian(np.zeros((1, 2), np.float32), np.array([[1e4, -1e4]], np.float32))
    assert np.asarray(q.log_variance).tolist() == [[10.0, -14.0]]
    assert np.isfinite(np.asarray(StandardNormal().kl_from(q, None))).all()


def test_the_reparametrized_gradient_is_the_score_functions_within_its_error():
    """d/dm E_q[f(z)]: one moves z, the other weighs f by the score; they share no term, so they agree only if both are right."""
    generator = np.random.default_rng(3)
    epsilon = generator.standard_normal((200_000, 2)).astype("float32")
    mean, log_variance = tf.Variable([0.3, -0.5]), tf.Variable([-0.4, 0.2])

    def f(z):
        return tf.sin(2.0 * z[:, 0]) + z[:, 0] * tf.square(z[:, 1])

    with tf.GradientTape() as tape:
        value = tf.reduce_mean(f(DiagonalGaussian(mean, log_variance).draw(epsilon)))
    moved = tf.concat(tape.gradient(value, [mean, log_variance]), 0).numpy()
    z = DiagonalGaussian(mean, log_variance).draw(epsilon).numpy()
    standard = epsilon / np.exp(0.5 * log_variance.numpy())
    scores = np.concatenate([standard, 0.5 * (epsilon**2 - 1.0)], axis=1)  # of the mean, of the log-variance
    each = scores * f(z).numpy()[:, None]
    np.testing.assert_array_less(np.abs(each.mean(0) - moved), 4.0 * each.std(0) / np.sqrt(len(z)) + 0.01)
    assert np.abs(moved).max() > 0.1


# --- bounds and weights ------------------------------------------------------------------------------------------------


def an_objective(**given):
    defaults = {"bound": "elbo", "samples": 1, "beta": 1.0, "warm_up": 0, "free_bits": 0.0, "capacity": None}
    return Objective(**{**defaults, **given})


def some_terms(k=5, b=4, d=3):
    generator = np.random.default_rng(4)
    parts = [generator.normal(size=shape).astype("float32") for shape in ((b, k), (b, d), (b, k), (b, d))]
    parts[1] = np.abs(parts[1])
    return Terms(*map(tf.constant, parts))


def test_the_gradient_of_the_weighted_bound_is_that_of_normalized_weights():
    """Burda et al. 2016, eq. 13: sum_i w~_i grad log w_i with the weights held constant."""
    terms = some_terms()
    with tf.GradientTape() as tape:
        tape.watch(terms.log_likelihood)
        loss = an_objective(bound="iwae", samples=5).loss(terms, 0, True)
    expected = -scipy.special.softmax(terms.log_weight.numpy().astype(np.float64), axis=1) / 4
    np.testing.assert_allclose(tape.gradient(loss, terms.log_likelihood), expected, atol=1e-6)


def test_the_weighted_bound_of_one_draw_is_the_elbo_in_value_and_gradient():
    terms = some_terms(k=1)
    one = Terms(terms.log_likelihood, terms.log_ratio, terms.log_ratio, terms.means)  # the KL by the same draw
    for bound in ("elbo", "iwae"):
        with tf.GradientTape() as tape:
            tape.watch(one.log_likelihood)
            loss = an_objective(bound=bound).loss(one, 0, True)
        assert float(loss) == pytest.approx(-float(tf.reduce_mean(one.log_weight)), abs=1e-6)
        np.testing.assert_allclose(tape.gradient(loss, one.log_likelihood), np.full((4, 1), -0.25), atol=1e-7)


def test_the_gradient_through_a_chosen_draw_is_that_of_all_on_average():
    """Every choice once, evenly: the choices' frequencies are the weights, so the mean gradient is the whole one."""
    keras.utils.set_random_seed(0)
    model = kg.VAE((2, 2, 1, 2), 2, hidden=(6,), bound="iwae", samples=4, resample=True)
    count = 2_000
    image = np.repeat(np.array([1, 0, 1, 1], np.uint8).reshape(1, 2, 2, 1), count, axis=0)
    epsilon = np.repeat(np.random.default_rng(0).standard_normal((1, 4, 2)).astype("float32") * 2.0, count, axis=0)
    evenly = ((np.arange(count, dtype=np.float32) + 0.5) / count)[:, None]
    gradients, values = [], []
    for terms in (
        lambda: model.terms(image, epsilon, training=True),
        lambda: model.resampled_terms(image, epsilon, evenly),
    ):
        with tf.GradientTape() as tape:
            loss = model.objective.loss(terms(), 0, True)
        values.append(float(loss))
        gradients.append([gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)])
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    for whole, chosen in zip(*gradients, strict=True):
        np.testing.assert_allclose(chosen, whole, atol=3e-3)
    assert max(np.abs(each).max() for each in gradients[0]) > 0.1


def test_log_mean_exp_survives_what_no_float_could_exponentiate():
    assert float(log_mean_exp(tf.constant([[-5000.0, -5000.0]]))[0]) == pytest.approx(-5000.0)


def test_beta_one_without_warm_up_is_the_plain_bound_bit_for_bit():
    terms = some_terms(k=1)
    log_likelihood, kl = terms.parts()
    assert float(an_objective().loss(terms, 7, True)) == float(global_mean(kl - log_likelihood))
    images = np.random.default_rng(0).integers(0, 2, (64, 4, 4, 1), dtype=np.uint8)
    weights = []
    for options in ({}, {"beta": 1.0, "warm_up": 0, "free_bits": 0.0, "capacity": None}):
        keras.utils.set_random_seed(0)
        model = kg.VAE((4, 4, 1, 2), 2, hidden=(8,), **options)
        model.fit(images, batch_size=16, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_warm_up_rises_evenly_and_stays():
    assert [float(warmed_up(2.0, step, 10)) for step in (0, 5, 10, 1000)] == [0.0, 1.0, 2.0, 2.0]
    objective, terms = an_objective(warm_up=10), some_terms(k=1)
    log_likelihood, kl = (float(tf.reduce_mean(part)) for part in terms.parts())
    assert float(objective.loss(terms, 5, True)) == pytest.approx(0.5 * kl - log_likelihood, abs=1e-6)
    assert float(objective.loss(terms, 0, False)) == pytest.approx(kl - log_likelihood, abs=1e-6)  # held-out images


def test_a_reloaded_model_warms_up_where_it_stood(tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (32, 4, 4, 1), dtype=np.uint8)
    model = kg.VAE((4, 4, 1, 2), 2, hidden=(4,), warm_up=8)
    model.fit(images, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.objective.warm_up == 8 and int(again.training_calls.state.value[1]) == 4
    for each in (model, again):
        each.fit(images, batch_size=8, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_free_bits_floor_the_batchs_mean_a_latent_and_pass_no_gradient_below():
    kl = tf.constant([[0.1, 2.0, 0.9], [0.1, 1.0, 0.0]])
    assert float(free_bits(tf.reduce_mean(kl, 0), 0.5)) == pytest.approx(0.5 + 1.5 + 0.5)
    terms = some_terms(k=1, b=2)._replace(kl=kl)
    with tf.GradientTape() as tape:
        tape.watch(terms.kl)
        loss = an_objective(free_bits=0.5).loss(terms, 0, True)
    # The last latent exceeds the floor in one image alone: it is the mean that counts.
    assert tape.gradient(loss, terms.kl).numpy().tolist() == [[0.0, 0.5, 0.0]] * 2
    assert float(loss) == pytest.approx(2.5 - float(tf.reduce_mean(terms.log_likelihood)), abs=1e-6)


def test_capacity_pulls_the_kl_to_a_target_that_rises():
    given = {"nats": 10.0, "steps": 100, "weight": 3.0}
    assert [float(capacity_penalty(4.0, step, **given)) for step in (0, 40, 100, 500)] == [12.0, 0.0, 18.0, 18.0]
    terms = some_terms(k=1)
    log_likelihood, kl = (float(tf.reduce_mean(part)) for part in terms.parts())
    loss = float(an_objective(capacity=given).loss(terms, 50, True))
    assert loss == pytest.approx(3.0 * abs(kl - 5.0) - log_likelihood, abs=1e-5)


# --- what a decoder says of pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,options",
    [("gaussian", {}), ("gaussian", {"log_scale": -1.0}), ("logistic", {}), ("logistic_mixture", {}), ("softmax", {})],
)
def test_a_pixels_levels_sum_to_one_and_are_drawn_as_often(name, options):
    spec = kg.ImageSpec(1, 1, 1, 7)
    likelihood = LIKELIHOODS.get(name)(spec, options.get("log_scale"), 2)
    generator = np.random.default_rng(5)
    decoded = generator.normal(0.0, 0.5, (1, 1, 1, likelihood.parameters)).astype("float32")
    levels = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1)
    nats = np.asarray(likelihood.log_prob(levels, np.repeat(decoded, 7, 0)), np.float64)
    assert np.exp(nats).sum() == pytest.approx(1.0, abs=1e-5)
    noise = draw(likelihood.noise_spec(), 20_000, 0)
    drawn = np.asarray(likelihood.draw(np.repeat(decoded, 20_000, 0), noise["u"], noise.get("component")))
    expected = 20_000 * np.exp(nats)
    counts = np.bincount(drawn.ravel(), minlength=7)
    kept = expected > 5
    assert scipy.stats.chisquare(counts[kept], expected[kept] * counts[kept].sum() / expected[kept].sum()).pvalue > 1e-3
    if name == "softmax":
        mean = np.asarray(likelihood.mean(decoded)).item()
        assert mean == pytest.approx((np.exp(nats) * np.arange(7)).sum() / 6, abs=1e-5)


# --- latents in use ----------------------------------------------------------------------------------------------------


def test_active_units_are_those_whose_mean_moves():
    means = np.random.default_rng(6).normal(2.0, [1.0, 0.05, 0.2, 0.0], (500, 4)).astype("float32")
    metric = ActiveUnits(4)
    for start in range(0, 500, 60):
        metric.update_state(means[start : start + 60])
    assert active_units(means) == 2 == int(metric.result())
