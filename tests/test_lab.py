"""Lab against scikit-image, there and back, and colours put on a lightness that stays."""

import numpy as np
import pytest
import tensorflow as tf
from skimage import color

from keras_gen.core.lab import coloured, grey_of, lab_to_rgb, lightness, rgb_to_lab

LEVELS = np.random.default_rng(0).integers(0, 256, (20_000, 3))
LEVELS[:8] = np.stack(np.meshgrid(*[[0, 255]] * 3), -1).reshape(8, 3)  # the corners
RGB = (LEVELS / 255).astype(np.float32)
GREYS = (np.arange(256)[:, None] / 255).astype(np.float32)


def test_lab_is_that_of_scikit_image():
    lab = rgb_to_lab(RGB)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, color.rgb2lab(RGB.astype(np.float64)), atol=0.03)  # it rounds white otherwise


def test_published_colours():
    """Of sRGB's red, green, blue and white under D65, as tables give them."""
    wanted = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100.0, 0.0, 0.0]]
    found = rgb_to_lab(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], np.float32))
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_there_and_back_is_the_same_level():
    np.testing.assert_array_equal(np.round(lab_to_rgb(rgb_to_lab(RGB)) * 255), LEVELS)
    np.testing.assert_array_equal(np.round(coloured(grey_of(RGB), rgb_to_lab(RGB)[:, 1:]) * 255), LEVELS)


def test_greys_have_no_colour_and_keep_their_level():
    lab = rgb_to_lab(np.repeat(GREYS, 3, axis=1))
    assert np.abs(lab[:, 1:]).max() < 1e-3
    np.testing.assert_allclose(lab[:, :1], lightness(GREYS), atol=1e-4)
    np.testing.assert_allclose(grey_of(np.repeat(GREYS, 3, axis=1)), GREYS, atol=1e-6)


@pytest.mark.parametrize("reach", [20.0, 110.0])
def test_whatever_the_colour_the_lightness_is_kept(reach):
    """Also of colours that no screen shows: where the picture is rounded to levels, by at most one."""
    generator = np.random.default_rng(1)
    ab = generator.uniform(-reach, reach, (20_000, 2)).astype(np.float32)
    grey = GREYS[generator.integers(0, 256, len(ab))]
    rgb = coloured(grey, ab)
    assert rgb.min() >= 0.0 and rgb.max() <= 1.0
    rounded = (np.round(rgb * 255) / 255).astype(np.float32)
    assert np.abs(np.round(grey_of(rounded) * 255) - np.round(grey * 255)).max() <= 1
    found = rgb_to_lab(rgb)
    share = np.linalg.norm(found[:, 1:], axis=1) / np.linalg.norm(ab, axis=1)
    middle = ((grey > 0.5) & (grey < 0.7))[:, 0]
    assert share.max() < 1.01 and (share[middle].min() < 0.9) == (reach > 50)
    hue = found[:, 1] * ab[:, 1] - found[:, 2] * ab[:, 0]  # of parallel vectors
    assert np.abs(hue).max() < 0.01 * reach**2


def test_tensors_give_what_arrays_give_and_their_gradients_are_finite():
    for function in (rgb_to_lab, grey_of):
        np.testing.assert_allclose(function(tf.constant(RGB)), function(RGB), atol=2e-4)
    lab = rgb_to_lab(RGB)
    np.testing.assert_allclose(lab_to_rgb(tf.constant(lab)), lab_to_rgb(lab), atol=1e-5)
    rgb, ab = tf.Variable(np.repeat(GREYS, 3, axis=1)), tf.Variable(np.zeros((256, 2), np.float32))
    with tf.GradientTape(persistent=True) as tape:
        there, back = rgb_to_lab(rgb), coloured(tf.constant(GREYS), ab)
    for found in (tape.gradient(there, rgb), tape.gradient(back, ab)):
        assert np.isfinite(found).all() and np.abs(found).max() > 0
