"""Metrics against known answers, independent computations and a model small enough to enumerate."""

import itertools
import math

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.metrics import precision_recall as module
from keras_gen.metrics.features import _random_network, feature_space, pixels, random_conv
from keras_gen.metrics.likelihood import bits_per_dim, importance_weighted_log_prob, mean_with_error
from keras_gen.metrics.precision_recall import manifold_radii, nearest_neighbours, precision_recall
from keras_gen.models.variational.vae import VAE


def normal(n, d, seed, mean=0.0, dtype=np.float64):
    return (np.random.default_rng(seed).standard_normal((n, d)) + mean).astype(dtype)


# --- precision and recall --------------------------------------------------------------------------------------------


def test_identical_sets_score_one_and_distant_ones_zero():
    points = normal(200, 5, 0)
    assert precision_recall(points, points) == (1.0, 1.0)
    assert precision_recall(points, points + 100.0) == (0.0, 0.0)


def test_hand_computed_on_a_line():
    # Radii of 0, 1, 3: 1, 1, 2, so the reals' manifold is [-1, 5]. Radii of 4, 5, 10: 1, 1, 5, the fakes' is [3, 15].
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[4.0], [5.0], [10.0]])
    assert manifold_radii(real, 1).tolist() == [1.0, 1.0, 2.0]
    assert manifold_radii(fake, 1).tolist() == [1.0, 1.0, 5.0]
    result = precision_recall(
        real, fake, k=1
    )  # 4 and the boundary point 5 lie inside; of the reals 3 does, on the boundary
    assert result.precision == pytest.approx(2 / 3) and result.recall == pytest.approx(1 / 3)


def test_a_dropped_mode_costs_recall_and_noise_costs_precision():
    left, right = normal(500, 4, 0, -20.0), normal(500, 4, 1, 20.0)
    dropped = precision_recall(np.concatenate([left, right]), normal(1000, 4, 2, -20.0))
    assert dropped.precision > 0.85 and dropped.recall == pytest.approx(0.5, abs=0.06)
    half_junk = precision_recall(normal(1000, 4, 3), np.concatenate([normal(500, 4, 4), normal(500, 4, 5, 50.0)]))
    assert half_junk.precision == pytest.approx(0.5, abs=0.06) and half_junk.recall > 0.8


@pytest.mark.parametrize("k", [1, 3, 7])
def test_agrees_with_scikit_learn(k, monkeypatch):
    # Blocks that end in the middle of either set.
    monkeypatch.setattr(module, "QUERY_ROWS", 37)
    monkeypatch.setattr(module, "REFERENCE_ROWS", 53)
    real, fake = normal(211, 6, 0, dtype=np.float32), normal(150, 6, 1, 0.7, dtype=np.float32)

    def share_inside(points, manifold):
        radii = NearestNeighbors(n_neighbors=k + 1).fit(manifold).kneighbors(manifold)[0][:, -1]
        distances = np.linalg.norm(points[:, None].astype(float) - manifold[None].astype(float), axis=-1)
        return (distances <= radii[None]).any(axis=1).mean()

    result = precision_recall(real, fake, k)
    assert 0.0 < result.precision < 1.0 and 0.0 < result.recall < 1.0
    assert result == pytest.approx((share_inside(fake, real), share_inside(real, fake)))


def test_duplicates_and_far_offsets_do_not_drown_in_rounding():
    collapsed = np.full((10, 8), 0.1)  # spheres of radius 0, and 0.1 has no exact square
    assert precision_recall(collapsed, collapsed) == (1.0, 1.0)
    real, fake = normal(100, 3, 0), normal(100, 3, 1)
    assert precision_recall(real + 1e3, fake + 1e3) == precision_recall(real, fake)


@pytest.mark.parametrize("blocks", [(1000, 4000), (7, 11)])
def test_nearest_neighbours_agree_with_scikit_learn(blocks, monkeypatch):
    monkeypatch.setattr(module, "QUERY_ROWS", blocks[0])
    monkeypatch.setattr(module, "REFERENCE_ROWS", blocks[1])
    rng = np.random.default_rng(0)
    queries, references = (rng.integers(0, 256, (n, 12), dtype=np.uint8) for n in (31, 90))
    distances, rows = nearest_neighbours(queries, references, 4)
    wanted, wanted_rows = (
        NearestNeighbors(n_neighbors=4, algorithm="brute").fit(references.astype(float)).kneighbors(queries)
    )
    np.testing.assert_allclose(distances, wanted)
    assert (rows == wanted_rows).mean() > 0.97  # ties may swap
    own = nearest_neighbours(references, references, 1, skip_self=True)
    assert (own[1][:, 0] != np.arange(90)).all() and (own[0] > 0).all()


def test_unusable_features_are_refused():
    good = normal(10, 3, 0)
    bad = good.copy()
    bad[2, 1] = np.nan
    for arguments, text in [
        ((bad, good), "NaN"),
        ((good, np.full_like(good, np.inf)), "infinite"),
        ((good[:3], good), "at least 4 samples"),
        ((good, good[:3]), "at least 4 samples"),
        ((good, normal(10, 4, 0)), "3 dimensions, fake ones 4"),
        ((good[0], good), r"\[n, d\]"),
        ((good, good, 0), "k=0"),
        ((good, good, 2.5), "k=2.5"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            precision_recall(*arguments)


# --- feature spaces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 48, 4), (2, 2, 1)])
def test_random_conv_takes_any_size_and_channels(shape):
    spec = ImageSpec(*shape)
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    features = random_conv(images, spec)
    assert features.shape == (5, 64) and features.dtype == np.float32 and np.isfinite(features).all()
    assert 0.05 < features.std() < 20.0  # He scaling keeps the signal's size through the layers
    _random_network.cache_clear()
    np.testing.assert_array_equal(random_conv(images, spec), features)


def test_random_conv_gives_each_image_its_own_features_whatever_the_batch(monkeypatch):
    spec = ImageSpec(8, 8, 1, levels=17)
    images = np.random.default_rng(0).integers(0, 17, (260, 8, 8, 1), dtype=np.uint8)  # more than one batch
    features = random_conv(images, spec)
    np.testing.assert_allclose(random_conv(images[255:], spec), features[255:], atol=1e-5)
    assert len(np.unique(features, axis=0)) == 260


def test_random_conv_weights_are_the_same_everywhere():
    """Golden numbers: another draw or layout would make reports incomparable without anyone noticing."""
    golden = [-0.311131, 0.010212, 0.683294, -0.770959]
    ramp = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    np.testing.assert_allclose(random_conv(ramp, ImageSpec(8, 8, 1, levels=64))[0, :4], golden, atol=1e-4)


def test_random_conv_tells_digits_apart():
    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., None]
    features = random_conv(images, ImageSpec(8, 8, 1, levels=17))
    classifier = KNeighborsClassifier(3).fit(features[:1300], digits.target[:1300])
    assert classifier.score(features[1300:], digits.target[1300:]) > 0.9


def test_pixels_are_fractions_and_names_are_known():
    images = np.array([[[[0], [3]], [[6], [12]]]], np.uint8)
    spec = ImageSpec(2, 2, 1, levels=13)
    np.testing.assert_allclose(feature_space("pixels").read(images, spec).features, [[0.0, 0.25, 0.5, 1.0]])
    with pytest.raises(InvalidInput, match="Did you mean 'inception_v3'.*pixels, random_conv"):
        feature_space("inceptoin_v3")
    with pytest.raises(InvalidInput, match="takes no argument, got 'x'"):
        feature_space("pixels:x")
    with pytest.raises(InvalidInput, match="float64"):
        pixels(images / 12.0, spec)


# --- likelihood ------------------------------------------------------------------------------------------------------


def test_bits_per_dim_of_a_uniform_guess_is_eight():
    spec = ImageSpec(4, 4, 3)
    result = bits_per_dim(np.full(10, -48 * math.log(256)), spec)
    assert result.value == pytest.approx(8.0) and result.stderr == pytest.approx(0.0, abs=1e-12) and result.n == 10
    spread = bits_per_dim(np.array([-48.0, -96.0]) * math.log(2), spec)
    assert spread.value == pytest.approx(1.5) and spread.stderr == pytest.approx(0.5)
    assert mean_with_error([3.0]) == (3.0, None, 1)


def test_means_of_nan_are_refused():
    with pytest.raises(InvalidInput, match="1 of 2 values"):
        bits_per_dim(np.array([-1.0, -np.inf]), ImageSpec(2, 2, 1))


ALL_IMAGES = np.array(list(itertools.product([0, 1], repeat=4)), np.uint8).reshape(16, 2, 2, 1)


@pytest.fixture(scope="module")
def tiny():
    """A VAE of 2x2 binary images whose decoder bends enough for posterior and prior to differ."""
    model = VAE(ImageSpec(2, 2, 1, levels=2), latent_dim=2, hidden=(8,), activation="tanh", seed=0)
    rng = np.random.default_rng(0)
    for network, scale in ((model.encoder, 0.3), (model.decoder, 0.9)):
        network.set_weights([rng.normal(0.0, scale, w.shape) for w in network.get_weights()])
    return model


def exact_log_prob(model, images, points=60):
    """log P(x) = log E_z p(x|z) by Gauss-Hermite quadrature over the 2-d prior: [n] nats."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / weights.sum()
    z = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2).astype(np.float32)
    log_mass = np.log(np.outer(weights, weights).reshape(-1))
    decoded = model.decoder(z)
    return np.array(
        [np.logaddexp.reduce(log_mass + model.pixel_log_prob(image[None], decoded).numpy()) for image in images]
    )


def test_the_exact_model_is_a_distribution(tiny):
    exact = exact_log_prob(tiny, ALL_IMAGES)
    assert np.exp(exact).sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(exact, exact_log_prob(tiny, ALL_IMAGES, 40), atol=1e-4)  # the quadrature has converged
    assert exact.std() > 0.1


def test_bounds_rise_with_k_to_the_exact_log_probability(tiny):
    exact = exact_log_prob(tiny, ALL_IMAGES)
    repeats = 200
    images = np.repeat(ALL_IMAGES, repeats, axis=0)
    elbo = tiny.elbo(images).reshape(16, repeats).mean(axis=1)

    def bound(k, seed=0):
        values = importance_weighted_log_prob(tiny.log_weight, images, (2,), k, seed=seed)
        return values.reshape(16, repeats).mean(axis=1)

    one, ten, many = bound(1), bound(10), bound(500)
    assert (elbo < exact).all() and (one < exact + 0.02).all()
    np.testing.assert_allclose(one.mean(), elbo.mean(), atol=0.05)  # k = 1 is the ELBO, with its KL sampled
    assert exact.mean() - one.mean() > 0.1  # a gap worth closing
    assert one.mean() < ten.mean() < many.mean()
    assert many.mean() == pytest.approx(exact.mean(), abs=0.01)
    np.testing.assert_allclose(many, exact, atol=0.03)


def test_importance_weights_average_to_the_probability(tiny):
    """E_q[w] = P(x) without bias, whatever q: the sharpest test of the Gaussian terms."""
    values = importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES, (2,), 100_000)
    np.testing.assert_allclose(np.exp(values).sum(), 1.0, atol=0.01)


def test_importance_bound_does_not_depend_on_chunks_or_company(tiny):
    whole = importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES, (2,), 50, seed=3)
    chunked = importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES, (2,), 50, seed=3, decoded_at_once=7)
    np.testing.assert_allclose(chunked, whole, atol=1e-5)
    np.testing.assert_allclose(
        importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES[:3], (2,), 50, seed=3), whole[:3], atol=1e-5
    )
    assert not np.allclose(
        importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES, (2,), 50, seed=4), whole, atol=1e-3
    )
    with pytest.raises(InvalidInput, match="k=0"):
        importance_weighted_log_prob(tiny.log_weight, ALL_IMAGES, (2,), 0)


def test_importance_bound_survives_log_weights_no_float_could_exponentiate():
    values = importance_weighted_log_prob(
        lambda x, e: e[:, :, 0] * 0.0 - 5000.0, ALL_IMAGES, (1,), 10, decoded_at_once=4
    )
    np.testing.assert_allclose(values, -5000.0)
