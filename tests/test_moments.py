"""Streaming moments of features: equal to NumPy's, mergeable, and files of them that come back bit by bit."""

import tracemalloc

import numpy as np
import pytest
from feature_arrays import correlated, normal

from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.metrics import feature_sets
from keras_gen.metrics.moments import Moments

GOOD = normal(20, 3, 0)


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
    """Sums of squares less the square of the sum have no digits left here: (1e8)^2 swallows a variance of 1 in float64."""
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
