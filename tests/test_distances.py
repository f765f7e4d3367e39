"""Distances between sets of features: closed forms, hand-computed values, and independent packages on the same features."""

import subprocess
import sys
import tracemalloc

import numpy as np
import ot
import prdc
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.stats
from sklearn.metrics.pairwise import polynomial_kernel

from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.metrics import feature_sets, frechet, kernel_distance, sliced_wasserstein
from keras_gen.metrics import precision_recall as neighbours
from keras_gen.metrics.density_coverage import density_coverage
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.inception_score import inception_score
from keras_gen.metrics.kernel_distance import kernel_distance as kid
from keras_gen.metrics.kernel_distance import kernel_distance_full
from keras_gen.metrics.moments import Moments
from keras_gen.metrics.precision_recall import precision_recall
from keras_gen.metrics.sliced_wasserstein import laplacian_swd
from keras_gen.metrics.sliced_wasserstein import sliced_wasserstein as swd


def normal(n, d, seed, mean=0.0, dtype=np.float64):
    return (np.random.default_rng(seed).standard_normal((n, d)) + mean).astype(dtype)


def correlated(n, d, seed, decay=1.0, mean=0.0):
    """Features as a network gives them: all dimensions correlated, variances falling as a power."""
    mix = np.linalg.qr(normal(d, d, 1000 + seed))[0] * np.arange(1, d + 1) ** (-decay / 2)
    return normal(n, d, seed) @ mix.T + mean


def gaussian(mean, covariance):
    return Moments.from_mean_and_covariance(mean, covariance, 50_000)


def images(n, seed, shape=(32, 32, 3)):
    """Coloured noise, smooth enough for all levels of a pyramid to differ."""
    smooth = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(n, *shape)), (0, 1.5, 1.5, 0))
    return np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks that end in the middle of every set."""
    for name in ("feature_sets", "sliced_wasserstein", "moments", "inception_score"):
        monkeypatch.setattr(f"keras_gen.metrics.{name}.rows_a_block", lambda dimensions: 7)
    monkeypatch.setattr("keras_gen.metrics.moments.CACHED_BYTES", 0)
    monkeypatch.setattr("keras_gen.metrics.moments.FEWEST_ROWS", 3)
    monkeypatch.setattr(kernel_distance, "ROWS", 7)
    monkeypatch.setattr(kernel_distance, "COLUMNS", 11)
    monkeypatch.setattr(neighbours, "QUERY_ROWS", 7)
    monkeypatch.setattr(neighbours, "REFERENCE_ROWS", 11)
    monkeypatch.setattr(sliced_wasserstein, "PROJECTED_BYTES", 20_000)


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


# --- moments ---------------------------------------------------------------------------------------------------------


def assert_same_moments(moments, features, rtol=1e-12):
    features = features.astype(np.float64)
    assert moments.count == len(features)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=rtol, atol=rtol)
    wanted = np.cov(features.T).reshape(2 * [features.shape[1]])
    np.testing.assert_allclose(moments.covariance, wanted, rtol=0, atol=rtol * np.abs(wanted).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32, np.uint8])
def test_moments_are_numpys(dtype, small_blocks):
    features = (100 + 20 * correlated(100, 5, 0)).astype(dtype)
    moments = Moments.of(features)
    assert_same_moments(moments, features)
    assert moments.mean.dtype == moments.covariance.dtype == np.float64
    np.testing.assert_array_equal(moments.covariance, moments.covariance.T)


@pytest.mark.parametrize("splits", [[], [1], [50], [1, 2, 3, 99], [0, 0, 30, 30, 100], [13, 27, 64]])
def test_batches_in_any_split_are_all_at_once(splits):
    features = correlated(100, 6, 1, mean=3.0)
    streamed = Moments(6)
    for batch in np.split(features, splits):
        streamed.update(batch)
    assert_same_moments(streamed, features)


def test_replicas_merge_in_any_order_into_the_whole(small_blocks):
    features = correlated(300, 6, 2, mean=-5.0)
    features[100:] += 40.0  # replicas that saw different things
    bounds = [0, 1, 1, 90, 100, 250, 300]
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [1, 4, 0, 5, 3, 2]):
        parts = [Moments.of(features[a:b]) if b > a else Moments(6) for a, b in zip(bounds, bounds[1:])]
        left, right = Moments(6), Moments(6)
        for turn, part in enumerate(order):  # a tree, not a chain
            (left, right)[turn % 2].merge(parts[part])
        left.merge(right)
        assert_same_moments(left, features)
    before = right.covariance
    assert_same_moments(left, features)
    np.testing.assert_array_equal(right.covariance, before)
    doubled = Moments.of(features)
    doubled.merge(doubled)
    assert_same_moments(doubled, np.concatenate([features, features]))


def test_moments_far_from_the_origin_keep_their_digits():
    """Sums of squares less the square of the sum have no digits left here: (1e8)^2 eats a variance of 1 in float64."""
    features = np.round(1e6 * correlated(500, 4, 3)) / 2**20
    near = Moments.of(features)
    far = Moments(4)
    for batch in np.split(features + 1e8, [3, 200]):
        far.update(batch)
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=1e-6, atol=1e-6)
    assert far.covariance.trace() > 1.0


def test_an_update_that_is_refused_changes_nothing(small_blocks):
    moments = Moments.of(GOOD)
    mean, covariance = moments.mean.copy(), moments.covariance
    bad = normal(20, 3, 9)
    bad[-1, 0] = np.nan  # in the last block
    for call in (lambda: moments.update(bad), lambda: moments.update(GOOD[:, :2]), lambda: moments.merge(Moments(2))):
        with pytest.raises(InvalidInput):
            call()
    assert moments.count == 20
    np.testing.assert_array_equal(moments.mean, mean)
    np.testing.assert_array_equal(moments.covariance, covariance)
    moments.mean[:] = 7.0  # what was handed out is the caller's own
    np.testing.assert_array_equal(moments.mean, mean)


def test_memory_of_an_update_is_a_block_and_of_the_object_one_matrix(monkeypatch):
    monkeypatch.setattr(feature_sets, "BLOCK_BYTES", 1 << 20)
    d, features = 128, normal(20_000, 128, 0, dtype=np.float32)
    moments = Moments(d)
    tracemalloc.start()
    moments.update(features)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * feature_sets.BLOCK_BYTES + 8 * d * d < features.nbytes
    assert moments._scatter.nbytes == 8 * d * d


@pytest.mark.parametrize("name", ["statistics.npz", "statistics", "deeper/folder/statistics.npz"])
def test_statistics_come_back_bit_by_bit_and_go_on(name, tmp_path):
    moments = Moments.of(correlated(30, 5, 4, mean=2.0))
    moments.save(tmp_path / name)
    assert [file.name for file in (tmp_path / name).parent.iterdir()] == [(tmp_path / name).name]
    loaded = Moments.load(tmp_path / name)
    assert loaded.count == 30 and loaded.dimensions == 5
    np.testing.assert_array_equal(loaded.mean, moments.mean)
    np.testing.assert_array_equal(loaded.covariance, moments.covariance)
    more = correlated(20, 5, 5)
    loaded.update(more), moments.update(more)
    np.testing.assert_array_equal(loaded.covariance, moments.covariance)
    Moments(3).save(tmp_path / "none.npz")
    assert Moments.load(tmp_path / "none.npz").count == 0


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "statistics.npz"
    Moments.of(GOOD).save(path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputFailed, match="No space left"):
        Moments.of(GOOD[:5]).save(path)
    assert Moments.load(path).count == 20 and len(list(tmp_path.iterdir())) == 1


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was executed')",))


def written(tmp_path, **changes):
    arrays = {"count": np.int64(4), "mean": np.zeros(2), "scatter": np.eye(2)} | changes
    np.savez(tmp_path / "bad.npz", **{name: value for name, value in arrays.items() if value is not None})
    return tmp_path / "bad.npz"


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"mean": None}, "no statistics"),
        ({"count": np.float64(4)}, "count is"),
        ({"count": np.int64(-1)}, "count is"),
        ({"count": np.array([1, 2])}, "count is"),
        ({"mean": np.zeros(2, np.float32)}, "float32"),
        ({"mean": np.zeros(3)}, r"\[3\] and \[2, 2\]"),
        ({"scatter": np.array([[1.0, 2.0], [0.0, 1.0]])}, "no sum of squares"),
        ({"scatter": -np.eye(2)}, "no sum of squares"),
        ({"scatter": np.full((2, 2), np.nan)}, "NaN"),
        ({"mean": np.array([Bomb(), Bomb()], object)}, "no statistics"),
    ],
)
def test_files_that_are_no_statistics_are_refused(changes, text, tmp_path):
    assert Moments.load(written(tmp_path)).count == 4
    with pytest.raises(InvalidInput, match=text):
        Moments.load(written(tmp_path, **changes))


@pytest.mark.parametrize("what", ["missing", "empty", "text", "array", "cut", "damaged"])
def test_files_that_are_no_archives_are_refused(what, tmp_path):
    path = written(tmp_path, scatter=np.eye(2) * 3.0)
    whole = path.read_bytes()
    middle = whole.index(np.float64(3.0).tobytes())
    contents = {
        "empty": b"",
        "text": b"mean,covariance\n",
        "cut": whole[: len(whole) // 2],
        "damaged": whole[:middle] + b"\x01" + whole[middle + 1 :],
    }
    if what == "missing":
        path = tmp_path / "missing.npz"
    elif what == "array":
        np.save(path.open("wb"), np.zeros(3))
    else:
        path.write_bytes(contents[what])
    with pytest.raises(InvalidInput, match="no statistics.*Moments.save"):
        Moments.load(path)


@pytest.mark.parametrize(
    "mean, covariance, count, text",
    [
        ([0, 0], np.eye(3), 9, r"\[2\] and \[3, 3\]"),
        ([[0, 0]], np.eye(2), 9, r"\[1, 2\]"),
        ([0, 0], [[1, 2], [0, 1]], 9, "not symmetric"),
        ([0, 0], [[1, 2], [2, 1]], 9, "eigenvalue of -1"),
        ([0, 0], [[0, 1], [1, 0]], 9, "eigenvalue of -1"),
        ([0, np.nan], np.eye(2), 9, "NaN"),
        ([0, 0], np.eye(2), 1, "count=1"),
    ],
)
def test_no_gaussian_has_such_moments(mean, covariance, count, text):
    with pytest.raises(InvalidInput, match=text):
        Moments.from_mean_and_covariance(mean, covariance, count)


def test_moments_of_too_few_samples_are_refused():
    with pytest.raises(InvalidInput, match="0 samples have no mean"):
        _ = Moments(2).mean
    with pytest.raises(InvalidInput, match="1 samples have no covariance.*at least 2"):
        _ = Moments.of(np.zeros((1, 2))).covariance
    with pytest.raises(InvalidInput, match="dimensions=0"):
        Moments(0)
    with pytest.raises(InvalidInput, match="list; give Moments"):
        Moments(2).merge([1.0, 2.0])


# --- Frechet distance ------------------------------------------------------------------------------------------------


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


# --- sliced Wasserstein ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(60, 60), (60, 45), (7, 40), (1, 3)])
def test_sliced_wasserstein_agrees_with_pot_and_scipy(sizes, small_blocks):
    real, fake = correlated(sizes[0], 6, 0), correlated(sizes[1], 6, 1, mean=0.4).astype(np.float32)
    lines = sliced_wasserstein.directions(6, 40, 3)
    value = swd(real, fake, 40, seed=3)
    theirs = ot.sliced_wasserstein_distance(real, fake.astype(float), projections=lines.T, p=1)
    by_line = [scipy.stats.wasserstein_distance(real @ line, fake.astype(float) @ line) for line in lines]
    assert value == pytest.approx(theirs, rel=1e-4) and value == pytest.approx(np.mean(by_line), rel=1e-9)
    assert swd(fake, real, 40, seed=3) == pytest.approx(value, rel=1e-12)


def test_sliced_wasserstein_of_known_sets():
    points = normal(50, 3, 0)
    assert swd(points, points) == 0.0
    shuffled = np.random.default_rng(0).permutation(points)
    assert swd(points, shuffled) == pytest.approx(0.0, abs=1e-12)
    assert swd([[0.0], [1.0], [3.0]], [[1.0], [4.0], [2.0]]) == pytest.approx(1.0)  # sorted: 1, 1, 1 apart
    # A shift by v moves each projection by v . line: on a sphere in 3 dimensions |cos| is uniform, so |v| / 2 on average.
    assert swd(points, points + [2.0, 0.0, 0.0], 20_000) == pytest.approx(1.0, abs=0.02)


def test_directions_are_uniform_on_the_sphere():
    lines = sliced_wasserstein.directions(5, 20_000, 0)
    np.testing.assert_allclose(np.linalg.norm(lines, axis=1), 1.0)
    np.testing.assert_allclose(lines.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(lines.T @ lines / 20_000, np.eye(5) / 5, atol=0.01)
    np.testing.assert_array_equal(sliced_wasserstein.directions(5, 7, 0), lines[:7])
    assert not np.allclose(sliced_wasserstein.directions(5, 7, 1), lines[:7])


# --- Laplacian pyramid -----------------------------------------------------------------------------------------------


def reference_pyramid(image, count):
    """Karras et al. 2018 as their code goes about it: one kernel of 5 x 5, an image at a time; sides must be even."""
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[..., None] / 256.0
    levels = [image.astype(float)]
    for _ in range(count - 1):
        levels.append(scipy.ndimage.convolve(levels[-1], kernel, mode="mirror")[::2, ::2])
        spread = np.zeros(levels[-2].shape)
        spread[::2, ::2] = levels[-1]
        levels[-2] = levels[-2] - scipy.ndimage.convolve(spread, 4.0 * kernel, mode="mirror")
    return levels


def test_the_pyramid_is_the_papers():
    batch = images(2, 0, (64, 32, 3))
    for image in range(2):
        for level, wanted in enumerate(reference_pyramid(batch[image], 3)):
            np.testing.assert_allclose(sliced_wasserstein.laplacian_level(batch, level, 3)[image], wanted, atol=1e-9)


@pytest.mark.parametrize(
    "shape, sides", [((64, 64), [64, 32, 16]), ((28, 28), [28]), ((33, 50), [33, 17]), ((15, 99), [])]
)
def test_levels_halve_down_to_sixteen_and_add_up_to_the_image(shape, sides):
    assert sliced_wasserstein.level_sides(*shape) == sides
    if sides:
        batch = images(1, 1, (*shape, 1))
        total = 0.0
        for level in reversed(range(len(sides))):
            part = sliced_wasserstein.laplacian_level(batch, level, len(sides))
            assert min(part.shape[1:3]) == sides[level]
            total = part if level == len(sides) - 1 else part + sliced_wasserstein._up(total, part.shape)
        np.testing.assert_allclose(total, batch, atol=1e-9)


def reference_laplacian(real, fake, patches, projections, seed):
    """Patch by patch, normalised set by set, distances from POT; only places and directions are the module's."""
    results = {}
    count = len(sliced_wasserstein.level_sides(*real.shape[1:3]))
    for level in range(count):
        sets = []
        for batch in (real, fake):
            batch = batch[feature_sets.order_by_content(batch.reshape(len(batch), -1))]
            found = []
            side = batch.shape[1] // 2**level
            places = sliced_wasserstein.corners(len(batch), side, batch.shape[2] // 2**level, patches, seed, level)
            for image, corners in zip(batch, places):
                pixels = reference_pyramid(image, count)[level]
                found += [pixels[y : y + 7, x : x + 7].transpose(2, 0, 1) for y, x in corners]
            found = np.array(found)
            found = (found - found.mean(axis=(0, 2, 3), keepdims=True)) / found.std(axis=(0, 2, 3), keepdims=True)
            sets.append(found.reshape(len(found), -1))
        lines = sliced_wasserstein.directions(sets[0].shape[1], projections, seed)
        results[side] = 1e3 * ot.sliced_wasserstein_distance(*sets, projections=lines.T, p=1)
    return results


@pytest.mark.parametrize("count", [6, 9])
@pytest.mark.parametrize("held", [True, False])
def test_laplacian_distance_agrees_with_a_plain_computation(held, count, small_blocks, monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, "BLOCK_BYTES", 2 * 8 * 32 * 32 * 3)  # two images at a time
    if not held:
        monkeypatch.setattr(sliced_wasserstein, "HELD_BYTES", 0)
    real, fake = images(6, 0), images(count, 1) // 2 + images(count, 2) // 3
    ours = laplacian_swd(real, fake, patches=10, projections=24, seed=4)
    wanted = reference_laplacian(real, fake, 10, 24, 4)
    assert list(ours) == [32, 16]
    assert ours == pytest.approx(wanted, rel=1e-4) and min(ours.values()) > 1.0


def test_laplacian_distance_of_known_sets():
    real, fake = images(30, 0), images(30, 1)
    options = {"patches": 32, "projections": 64}
    there = laplacian_swd(real, fake, **options)
    assert laplacian_swd(real, real, **options) == {32: 0.0, 16: 0.0}
    assert laplacian_swd(fake, real, **options) == there
    assert laplacian_swd(real[::-1], np.random.default_rng(0).permutation(fake), **options) == there
    assert laplacian_swd(real, fake, seed=1, **options) != there
    noise, more = np.random.default_rng(0).integers(0, 256, (2, 100, 32, 32, 3), dtype=np.uint8)
    blurred = scipy.ndimage.gaussian_filter(more, (0, 1.0, 1.0, 0))
    options["patches"] = 128
    apart, floor = laplacian_swd(noise, blurred, **options), laplacian_swd(noise, more, **options)
    assert apart[32] > 2.5 * floor[32]  # the finest textures are what blur destroys
    # Half the contrast, another brightness: each set is normalised by its own. (Of one image: the order stays the same.)
    pale = 100 + real[:1] // 2
    assert laplacian_swd(real[:1] // 2 * 2, pale, **options) == pytest.approx({32: 0.0, 16: 0.0}, abs=1e-3)
    binary = (images(5, 3, (28, 28, 1)) > 128).astype(np.uint8)
    assert list(laplacian_swd(binary, 1 - binary, levels=2, **options)) == [28]


def test_patches_lie_anywhere_and_nowhere_outside():
    places = sliced_wasserstein.corners(500, 16, 20, 128, 0, 1)
    assert places.shape == (500, 128, 2) and places.min() == 0
    assert places[..., 0].max() == 16 - 7 and places[..., 1].max() == 20 - 7
    counts = np.unique(places[..., 1], return_counts=True)[1]
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    assert not np.array_equal(places[:, :, 0], sliced_wasserstein.corners(500, 16, 20, 128, 0, 0)[:, :, 0])


@pytest.mark.parametrize("side", [0, 1], ids=["real", "fake"])
@pytest.mark.parametrize(
    "bad, text",
    [
        (images(4, 0) / 255.0, r"float64 \[4, 32, 32, 3\]; wanted uint8"),
        (images(4, 0)[0], r"uint8 \[32, 32, 3\]; wanted uint8 \[n, h, w, c\]"),
        (images(4, 0)[:0], "at least 1 image"),
        (np.minimum(images(4, 0, (32, 32, 1)), 250), r"\[32, 32, 1\].*resize one side"),
        (images(4, 0)[:, :15], "15x32 pixels; the smallest level has 16"),
        (np.full((4, 32, 32, 3), 255, np.uint8), "reach 255; wanted at most 253"),
        (np.full((4, 32, 32, 3), 7, np.uint8), "level 32 hold one single value"),
    ],
)
def test_unusable_images_are_refused(bad, text, side):
    pair = [np.minimum(images(4, 0), 250)] * 2
    pair[side] = bad
    with pytest.raises(InvalidInput, match=text):
        laplacian_swd(*pair, levels=254, patches=4, projections=4)


def test_rounding_is_no_spread():
    """The mean of many 77s is not 77 to the bit, so a level that is one single value deviates from it by rounding."""
    single = np.full((30, 16, 16, 1), 77, np.uint8)
    with pytest.raises(InvalidInput, match="real images at level 16 hold one single value"):
        laplacian_swd(single, images(30, 0, (16, 16, 1)), projections=4)


@pytest.mark.parametrize("options", [{"patches": 0}, {"projections": 0}, {"seed": -1}])
def test_unusable_settings_of_the_pyramid_are_refused(options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        laplacian_swd(images(2, 0), images(2, 1), **({"patches": 4, "projections": 4} | options))
