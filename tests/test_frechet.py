"""The Frechet distance against closed forms, an independent implementation and its own invariances."""

import numpy as np
import ot
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.stats
from feature_arrays import correlated, gaussian, normal

from keras_gen.metrics import frechet
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.moments import Moments


def rotation(d, seed):
    return np.linalg.qr(normal(d, d, seed))[0]


@pytest.mark.parametrize("d", [1, 2, 17, 128])
def test_gaussians_of_one_basis_have_the_closed_form(d):
    """Covariances that commute: |m1 - m2|^2 + sum (s1 - s2)^2 with the standard deviations along the common axes."""
    random = np.random.default_rng(d)
    axes, first, second = rotation(d, d), random.uniform(0.01, 3.0, d), random.uniform(0.01, 3.0, d)
    step = random.normal(size=d)
    wanted = np.square(step).sum() + np.square(first - second).sum()
    real = gaussian(step, (axes * first**2) @ axes.T)
    fake = gaussian(np.zeros(d), (axes * second**2) @ axes.T)
    assert frechet_distance(real, fake) == pytest.approx(wanted, rel=1e-6)


def test_gaussians_of_two_dimensions_have_the_closed_form():
    """Covariances that do not commute: tr (C1 C2)^(1/2) = (tr C1 C2 + 2 (det C1 det C2)^(1/2))^(1/2) of 2 x 2."""
    one, two = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[0.5, -0.3], [-0.3, 3.0]])
    shared = np.sqrt(np.trace(one @ two) + 2.0 * np.sqrt(np.linalg.det(one) * np.linalg.det(two)))
    wanted = 1.0 + 4.0 + 6.5 - 2.0 * shared
    assert frechet_distance(gaussian([1.0, 0.0], one), gaussian([0.0, 2.0], two)) == pytest.approx(wanted, rel=1e-9)


def test_independent_axes_of_very_unequal_scale_keep_their_share():
    """A feature of variance 1e-12 beside one of 1 is no rounding: both sides agree in all but that one."""
    scales = np.array([1.0, 1e-6, 1e-6])
    real, fake = gaussian(np.zeros(3), np.diag(scales**2)), gaussian(np.zeros(3), np.diag((scales * [1, 3, 1]) ** 2))
    assert frechet_distance(real, fake) == pytest.approx(4e-12, rel=1e-3)


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("n", [400, 120])
def test_distance_agrees_with_pot(n, decay):
    """Of full rank: POT takes matrix square roots, which rounding below zero turns into NaN where the rank is less."""
    d = 100
    real, fake = correlated(n, d, 0, decay), 1.3 * correlated(n + 20, d, 1, decay, mean=0.05)
    distance = frechet_distance(Moments.of(real), Moments.of(fake))
    covariances = np.cov(real.T), np.cov(fake.T)
    theirs = ot.gaussian.bures_wasserstein_distance(real.mean(axis=0), fake.mean(axis=0), *covariances) ** 2
    assert distance == pytest.approx(theirs, rel=1e-6)


def test_distance_agrees_with_pot_from_the_features_on():
    real, fake = correlated(5_000, 6, 0), 1.3 * correlated(4_000, 6, 1, mean=0.5)
    theirs = ot.gaussian.empirical_bures_wasserstein_distance(real, fake, reg=0.0) ** 2
    # POT divides by n, not n - 1.
    assert frechet_distance(Moments.of(real), Moments.of(fake)) == pytest.approx(theirs, rel=3e-4)


@pytest.mark.parametrize("sizes", [(2, 2), (5, 64), (20, 300), (64, 65)])
def test_rank_deficient_covariances_agree_with_the_samples_own_geometry(sizes):
    """tr (C1 C2)^(1/2) is the sum of singular values of X1 X2^T of the centred samples: no covariance, no square lost."""
    d = 64
    real, fake = correlated(sizes[0], d, 0), 2.0 * correlated(sizes[1], d, 1, mean=0.3)
    rows = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (real, fake)]
    shared = scipy.linalg.svdvals(rows[0] @ rows[1].T).sum()
    wanted = (
        np.square(real.mean(axis=0) - fake.mean(axis=0)).sum() + sum(np.square(x).sum() for x in rows) - 2.0 * shared
    )
    assert frechet_distance(Moments.of(real), Moments.of(fake)) == pytest.approx(wanted, rel=1e-6)


def disjoint(d, shared_variance):
    """Each has half of the axes to itself, one they share: entries are exact in float64, the distance is d - 2."""
    axes = scipy.linalg.hadamard(d) / np.sqrt(d)
    first = np.r_[shared_variance, np.ones(d // 2 - 1), np.zeros(d // 2)]
    second = np.r_[shared_variance, np.zeros(d // 2 - 1), np.ones(d // 2 - 1), 0.0]
    return [gaussian(np.zeros(d), (axes * variances) @ axes.T) for variances in (first, second)]


def test_many_singular_values_of_nothing_are_not_taken_for_something():
    real, fake = disjoint(256, 2.0**20)
    assert frechet_distance(real, fake) == pytest.approx(254.0, rel=1e-6)


def test_the_slow_way_is_taken_where_the_quick_one_has_no_digits(monkeypatch):
    real, fake = disjoint(256, 2.0**20)
    quick = gaussian(np.zeros(30), np.diag(np.arange(1.0, 31.0))), gaussian(np.zeros(30), np.eye(30))
    wanted = np.square(np.sqrt(np.arange(1.0, 31.0)) - 1.0).sum()
    ways = []
    monkeypatch.setattr(frechet.np.linalg, "svd", lambda *a, **k: ways.append("slow") or SVD(*a, **k))
    assert frechet_distance(*quick) == pytest.approx(wanted, rel=1e-9) and ways == []
    frechet_distance(real, fake)
    assert ways == ["slow"]


SVD = np.linalg.svd


@pytest.mark.parametrize("decay", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("n", [500, 20])
def test_what_the_quick_way_says_of_its_error_is_no_less_than_the_error(n, decay):
    one, two = (frechet._factor(np.cov(correlated(n, 64, seed, decay).T)) for seed in (0, 1))
    quick, error = frechet._nuclear_norm_by_squares(one.T @ two)
    exact = scipy.linalg.svdvals(one.T @ two).sum()
    assert abs(quick - exact) <= error + 64 * np.finfo(float).eps * exact


@pytest.mark.parametrize("n", [300, 20, 2])
@pytest.mark.parametrize("decay", [0.0, 2.0, 6.0])
def test_distance_is_symmetric_to_the_bit_and_zero_on_itself(n, decay):
    real, fake = Moments.of(correlated(n, 40, 0, decay)), Moments.of(correlated(n, 40, 1, decay))
    there, back = frechet_distance(real, fake), frechet_distance(fake, real)
    assert there == back and type(there) is float and there > 1e-3
    assert 0.0 <= frechet_distance(real, real) < 1e-12 * real.covariance.trace()


def test_sides_of_equal_trace_are_symmetric_too():
    one, two = np.diag([1.0, 2.0, 3.0]), np.array([[3.0, 0.5, 0.1], [0.5, 2.0, 0.3], [0.1, 0.3, 1.0]])
    real, fake = gaussian(np.ones(3), one), gaussian(np.zeros(3), two)
    assert frechet_distance(real, fake) == frechet_distance(fake, real)
    mirrored = gaussian(np.ones(3), two), gaussian(np.zeros(3), two)
    assert frechet_distance(*mirrored) == frechet_distance(*mirrored[::-1]) == pytest.approx(3.0)


def test_constant_features_have_a_distance():
    constant, point = Moments.of(np.zeros((10, 3))), Moments.of(np.full((4, 3), 2.0))
    spread = gaussian(np.zeros(3), np.diag([1.0, 4.0, 0.0]))
    assert frechet_distance(constant, constant) == 0.0
    assert frechet_distance(constant, point) == pytest.approx(12.0)
    assert frechet_distance(constant, spread) == pytest.approx(5.0)


def test_only_rounding_below_zero_becomes_zero(monkeypatch):
    """A bug that makes a distance truly negative must be seen."""
    real = gaussian(np.zeros(4), np.eye(4))
    for off, wanted in ((1e-16, 0.0), (0.1, -0.2)):
        monkeypatch.setattr(frechet, "_nuclear_norm_by_squares", lambda matrix, off=off: (4.0 + off, 0.0))
        monkeypatch.setattr(frechet.np.linalg, "svd", lambda matrix, compute_uv, off=off: np.array([4.0 + off]))
        assert frechet_distance(real, real) == pytest.approx(wanted)


def test_more_samples_come_nearer_and_worse_ones_lie_farther():
    few, many = (frechet_distance(Moments.of(normal(n, 10, 0)), Moments.of(normal(n, 10, 1))) for n in (100, 10_000))
    assert many < 0.1 * few
    real = Moments.of(normal(2_000, 10, 0))
    steps = [frechet_distance(real, Moments.of(normal(2_000, 10, 1, mean))) for mean in (0.0, 0.5, 1.0)]
    assert steps == sorted(steps) and steps[2] == pytest.approx(10.0, rel=0.1)
