"""What all distances between sets of features refuse; kernel distance, Inception Score, density and coverage."""

import subprocess
import sys

import numpy as np
import prdc
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.stats
from feature_arrays import correlated, normal
from sklearn.metrics.pairwise import polynomial_kernel

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics import feature_sets, kernel_distance
from keras_gen.metrics.density_coverage import density_coverage
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.inception_score import inception_score
from keras_gen.metrics.kernel_distance import kernel_distance as kid
from keras_gen.metrics.kernel_distance import kernel_distance_full
from keras_gen.metrics.moments import Moments
from keras_gen.metrics.precision_recall import precision_recall
from keras_gen.metrics.sliced_wasserstein import sliced_wasserstein as swd

# --- the border ------------------------------------------------------------------------------------------------------


def test_these_metrics_load_without_tensorflow():
    names = "moments frechet kernel_distance inception_score density_coverage sliced_wasserstein".split()
    program = "import sys\n" + "".join(f"import keras_gen.metrics.{name}\n" for name in names)
    program += "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


GOOD = normal(20, 3, 0)
PAIRS = {
    "moments": lambda real, fake: frechet_distance(Moments.of(real), Moments.of(fake)),
    "kid": lambda real, fake: kid(real, fake, subset_size=5),
    "kid_full": kernel_distance_full,
    "density_coverage": density_coverage,
    "swd": swd,
}


def spoilt(value):
    bad = GOOD.copy()
    bad[2, 1] = value
    return bad


@pytest.mark.parametrize("side", [0, 1], ids=["real", "fake"])
@pytest.mark.parametrize(
    "bad, text",
    [
        (spoilt(np.nan), "NaN"),
        (spoilt(np.inf), "infinite"),
        (spoilt(-np.inf).astype(np.float32), "infinite"),
        (spoilt(1e200), "exceed 1e"),
        (GOOD[0], r"float64 \[3\]; wanted numbers \[n, d\]"),
        (GOOD[None], r"float64 \[1, 20, 3\]; wanted numbers \[n, d\]"),
        (GOOD[:, :0], r"\[20, 0\]; wanted"),
        (GOOD.astype(complex), "complex128"),
        (GOOD.astype(object), "object"),
        (GOOD[:, :2], "2 dimensions|dimensions, fake ones 2"),
        (GOOD[:0], "0 .*samples.*at least"),
    ],
)
@pytest.mark.parametrize("metric", PAIRS)
def test_unusable_features_are_refused(metric, bad, text, side):
    pair = [GOOD, GOOD]
    PAIRS[metric](*pair)
    pair[side] = bad
    with pytest.raises(InvalidInput, match=text):
        PAIRS[metric](*pair)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: frechet_distance(Moments.of(GOOD[:1]), Moments.of(GOOD)), "1 real samples.*at least 2"),
        (lambda: frechet_distance(Moments.of(GOOD), Moments(3)), "0 fake samples.*at least 2"),
        (lambda: frechet_distance(GOOD, Moments.of(GOOD)), "ndarray; give Moments"),
        (lambda: kid(GOOD, GOOD), "20 real samples.*at least 1000 samples, or subset_size=20"),
        (lambda: kid(GOOD, GOOD[:9], subset_size=10), "9 fake samples.*subset_size=9"),
        (lambda: kid(GOOD, GOOD, subset_size=1), "subset_size=1"),
        (lambda: kid(GOOD, GOOD, subset_size=5, subsets=0), "subsets=0"),
        (lambda: kid(GOOD, GOOD, subset_size=5, seed=-1), "seed=-1"),
        (lambda: kid(GOOD, GOOD, subset_size=5, seed=0.5), "seed=0.5"),
        (lambda: kernel_distance_full(GOOD[:1], GOOD), "1 real samples; give at least 2"),
        (lambda: density_coverage(GOOD[:5], GOOD), "5 real samples have no 5 neighbours.*at least 6"),
        (lambda: density_coverage(GOOD, GOOD, k=0), "k=0"),
        (lambda: density_coverage(GOOD, GOOD, k=True), "k=True"),
        (lambda: swd(GOOD, GOOD, 0), "projections=0"),
        (lambda: swd(GOOD, GOOD, 2.5), "projections=2.5"),
        (lambda: swd(GOOD, GOOD, seed=True), "seed=True"),
    ],
)
def test_unusable_arguments_are_refused(call, text):
    with pytest.raises(InvalidInput, match=text):
        call()


# --- kernel distance -------------------------------------------------------------------------------------------------


def brute_kid(real, fake):
    """Gretton et al. 2012, eq. 3, with scikit-learn's kernel and whole matrices."""
    n, m, d = len(real), len(fake), real.shape[1]
    among_real, among_fake, across = (
        polynomial_kernel(a, b, degree=3, gamma=1.0 / d, coef0=1.0)
        for a, b in ((real, real), (fake, fake), (real, fake))
    )
    return (
        (among_real.sum() - among_real.trace()) / (n * (n - 1))
        + (among_fake.sum() - among_fake.trace()) / (m * (m - 1))
        - 2.0 * across.mean()
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernel_distance_agrees_with_scikit_learn(dtype, small_blocks):
    real, fake = correlated(60, 8, 0).astype(dtype), correlated(45, 8, 1, mean=0.3).astype(dtype)
    wanted = brute_kid(real.astype(float), fake.astype(float))
    assert kernel_distance_full(real, fake) == pytest.approx(wanted, rel=1e-9) and wanted > 0.1
    assert kernel_distance_full(fake, real) == pytest.approx(wanted, rel=1e-9)


def test_kernel_distance_by_hand():
    # d = 1: k(x, y) = (xy + 1)^3. Reals 0, 1: k = 1. Fakes 1, 2: k = 27. Across: 1, 1, 8, 27, so 9.25 on average.
    assert kernel_distance_full(np.array([[0.0], [1.0]]), np.array([[1], [2]])) == pytest.approx(1 + 27 - 2 * 9.25)


def test_subsets_are_samples_of_the_unbiased_distance():
    real, fake = correlated(50, 6, 0), correlated(40, 6, 1, mean=0.4)
    whole = kid(real[:40], fake, subset_size=40, subsets=3)
    assert whole.value == pytest.approx(brute_kid(real[:40], fake), rel=1e-9)
    assert whole.stderr == pytest.approx(0.0, abs=1e-12) and whole.n == 3
    many = kid(real, fake, subset_size=20, subsets=2_000)
    assert many.n == 2_000 and abs(many.value - brute_kid(real, fake)) < 4 * many.stderr < 0.1 * many.value


def test_subsets_are_drawn_without_replacement(monkeypatch):
    """Twins in a subset would count a sample's distance to itself, which the estimator leaves out for a reason."""
    seen = []
    monkeypatch.setattr(kernel_distance, "_squared_discrepancy", lambda a, b: seen.append((a, b)) or 0.0)
    features = np.arange(30.0)[:, None]
    kid(features, features, subset_size=20, subsets=50)
    assert len(seen) == 50
    for subset in (s for pair in seen for s in pair):
        assert len(np.unique(subset)) == 20
    assert (
        len({subset.tobytes() for pair in seen for subset in pair}) == 100
    )  # lots of their own for each side and turn
    assert set(np.concatenate([pair[0] for pair in seen]).ravel()) == set(features.ravel())


def test_kernel_distance_is_unbiased_and_goes_negative():
    values = np.array([kernel_distance_full(normal(12, 4, 2 * i), normal(12, 4, 2 * i + 1)) for i in range(1_500)])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * error
    assert 0.3 < (values < 0).mean() < 0.8
    # With pairs of a sample and itself the mean would lie this far off, so the test above can tell.
    own = np.mean([((np.square(normal(12, 4, i)).mean(axis=1) + 1) ** 3).mean() for i in range(200)]) - 1.0
    assert 2 * own / 12 > 20 * error
    sampled = kid(normal(300, 4, 0), normal(300, 4, 1), subset_size=50, subsets=200)
    assert sampled.stderr > 0 and abs(sampled.value) < 0.1


def test_the_order_of_images_does_not_matter_to_the_kernel_distance():
    real, fake = correlated(80, 5, 0).astype(np.float32), correlated(70, 5, 1, mean=0.2).astype(np.float32)
    value = kid(real, fake, subset_size=20, subsets=10)
    shuffled = [np.random.default_rng(i).permutation(x) for i, x in enumerate((real, fake))]
    assert kid(*shuffled, subset_size=20, subsets=10) == value
    assert kid(real.astype(np.float64), fake, subset_size=20, subsets=10) == value
    assert kernel_distance_full(*shuffled) == pytest.approx(kernel_distance_full(real, fake), rel=1e-10)
    assert kid(real, fake, subset_size=20, subsets=10, seed=1) != value


def test_the_order_by_content_is_the_sets_own(small_blocks):
    features = np.random.default_rng(0).integers(0, 3, (60, 2)).astype(np.float32)  # many twins
    features[:5, 0] = 0.0
    order = feature_sets.order_by_content(features)
    assert sorted(order) == list(range(60))
    negative = np.where(features == 0.0, np.float32(-0.0), features)
    shuffle = np.random.default_rng(1).permutation(60)
    for other in (features[shuffle], negative[shuffle], features[shuffle].astype(np.float64)):
        np.testing.assert_array_equal(other[feature_sets.order_by_content(other)], features[order])
    streams = [feature_sets.lots(3, stream).random(4).tolist() for stream in (0, 1, 0)]
    assert streams[0] == streams[2] != streams[1]


# --- Inception Score -------------------------------------------------------------------------------------------------


def probabilities(n, classes, seed, sharpness=2.0):
    logits = sharpness * np.random.default_rng(seed).normal(size=(n, classes))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("splits", [1, 3, 10])
@pytest.mark.parametrize("logarithms", [False, True])
def test_inception_score_agrees_with_scipy(splits, logarithms, small_blocks):
    p = probabilities(101, 7, 0)
    given = np.log(p) if logarithms else p
    lot = feature_sets.order_by_content(given)
    if splits > 1:
        lot = lot[feature_sets.lots(5).permutation(101)]
    parts = [p[lot[i * 101 // splits : (i + 1) * 101 // splits]] for i in range(splits)]
    scores = [np.exp(scipy.stats.entropy(part, part.mean(axis=0, keepdims=True), axis=1).mean()) for part in parts]
    result = inception_score(given, splits, logarithms=logarithms, seed=5)
    assert result == pytest.approx((np.mean(scores), np.std(scores), splits), rel=1e-9)
    assert splits == 1 or result.deviation > 0.01


def test_inception_score_of_known_images():
    certain = np.tile(np.eye(5), (8, 1))
    assert inception_score(certain, 1).value == pytest.approx(5.0)  # each recognised, all classes there
    with np.errstate(divide="ignore"):
        assert inception_score(np.log(certain), 1, logarithms=True).value == pytest.approx(5.0)
    assert inception_score(np.tile(np.eye(5)[:1], (40, 1)), 4) == pytest.approx((1.0, 0.0, 4))  # one class alone
    assert inception_score(np.full((40, 5), 0.2), 4).value == pytest.approx(1.0)  # nothing recognised
    half = np.tile(np.eye(5)[:2], (10, 1))
    assert inception_score(half.astype(np.float32), 1).value == pytest.approx(2.0)


def test_the_order_of_images_does_not_matter_to_the_score():
    p = probabilities(200, 10, 1).astype(np.float32)
    shuffled = np.random.default_rng(0).permutation(p)
    for splits in (1, 10):
        assert inception_score(shuffled, splits) == inception_score(p, splits)
    assert inception_score(p, 10, seed=1) != inception_score(p, 10)
    assert inception_score(p, 1, seed=1) == inception_score(p, 1)
    # Sorted by class, consecutive splits would hold one class each and score 1.
    sorted_by_class = np.repeat(np.eye(10), 20, axis=0)
    assert inception_score(sorted_by_class, 10).value > 6.0


@pytest.mark.parametrize(
    "given, options, text",
    [
        (probabilities(19, 4, 0), {}, "19 images cannot fill 10 splits.*at least 20"),
        (probabilities(20, 4, 0), {"splits": 0}, "splits=0"),
        (probabilities(20, 4, 0), {"splits": 1, "seed": -3}, "seed=-3"),
        (probabilities(20, 4, 0) * 1.01, {"splits": 1}, "sums to 1.01"),
        (np.log(probabilities(20, 4, 0)), {"splits": 1}, "sums to"),
        (probabilities(20, 4, 0), {"splits": 1, "logarithms": True}, "exp"),
        (np.full((20, 2), 1e4), {"splits": 1, "logarithms": True}, "sums to inf"),
        (np.tile([1.5, -0.5], (20, 1)), {"splits": 1}, "least entry -0.5"),
        (np.full((20, 2), np.nan), {"splits": 1}, "sums to nan"),
        (np.ones((20, 1)), {"splits": 1}, "at least 2 classes"),
        (np.ones(20), {"splits": 1}, r"\[20\]; wanted numbers \[n, classes\]"),
    ],
)
def test_what_is_no_probability_is_refused(given, options, text):
    with pytest.raises(InvalidInput, match=text):
        inception_score(given, **options)


# --- density and coverage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_neighbourhood_metrics_agree_with_prdc(k, dtype, small_blocks):
    real, fake = correlated(211, 6, 0).astype(dtype), 0.8 * correlated(150, 6, 1, mean=0.3).astype(dtype)
    wanted = prdc.compute_prdc(real.astype(float), fake.astype(float), nearest_k=k)
    shares, balls = precision_recall(real, fake, k), density_coverage(real, fake, k)
    assert shares == pytest.approx((wanted["precision"], wanted["recall"]), abs=1e-9)
    assert balls == pytest.approx((wanted["density"], wanted["coverage"]), abs=1e-9)
    assert all(0.05 < value < 1.5 for value in wanted.values()) and balls.coverage < 0.95


def test_density_and_coverage_by_hand():
    # Reals 0, 1, 3 with k = 1: balls (-1, 1), (0, 2), (1, 5).
    # Fakes: 0.5 lies in two, 4 in one, 1 in the second alone (on the others' surfaces), 9 in none.
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [4.0], [1.0], [9.0]])
    assert density_coverage(real, fake, 1) == (4 / 4, 1.0)
    assert density_coverage(real, fake[1:2], 1) == pytest.approx((1.0, 1 / 3))
    assert density_coverage(real, fake[3:], 1) == (0.0, 0.0)


def test_a_set_has_density_and_coverage_one_of_itself():
    points = normal(100, 5, 0)
    for offset in (0.0, 1e3):  # far from the origin squares have few digits
        assert density_coverage(points + offset, points + offset) == (1.0, 1.0)
    assert density_coverage(points, points + 100.0) == (0.0, 0.0)
    shuffle = np.random.default_rng(0).permutation(100)
    fake = normal(80, 5, 1, 0.5)
    assert density_coverage(points[shuffle], fake[::-1]) == density_coverage(points, fake)


def test_an_outlier_inflates_recall_but_not_coverage_and_crowds_raise_density():
    left, right = normal(500, 4, 0, -20.0), normal(500, 4, 1, 20.0)
    dropped = density_coverage(np.concatenate([left, right]), normal(1_000, 4, 2, -20.0))
    assert dropped.coverage == pytest.approx(0.5, abs=0.06)
    real = normal(400, 4, 3)
    crowded, spread = density_coverage(real, 0.3 * normal(400, 4, 4)), density_coverage(real, normal(400, 4, 4))
    assert crowded.density > spread.density + 0.15 and crowded.coverage < spread.coverage - 0.3
    fake = 0.3 * normal(400, 4, 5)
    outliers = np.concatenate([fake[:-4], 50.0 * np.eye(4)])  # few fakes, far away, with spheres over everything
    assert precision_recall(real, outliers).recall > precision_recall(real, fake).recall + 0.1
    assert density_coverage(real, outliers).coverage == pytest.approx(density_coverage(real, fake).coverage, abs=0.02)
