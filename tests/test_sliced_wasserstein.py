"""Sliced Wasserstein distances, of features and of Laplacian pyramids."""

import numpy as np
import ot
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.stats
from feature_arrays import correlated, images, normal

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics import feature_sets, sliced_wasserstein
from keras_gen.metrics.sliced_wasserstein import laplacian_swd
from keras_gen.metrics.sliced_wasserstein import sliced_wasserstein as swd

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
