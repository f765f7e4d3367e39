"""L1, PSNR and SSIM against scikit-image's, and by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import keras_gen as kg
from keras_gen.metrics import image_quality
from keras_gen.metrics.image_quality import l1, psnr, ssim


def pair(spec, count=5, seed=0):
    """Smooth images, and the same with noise."""
    generator = np.random.default_rng(seed)
    waves = generator.random((count, 1, 1, spec.channels)) * 6
    down, right = np.mgrid[: spec.height, : spec.width] / 10
    truths = 0.5 + 0.4 * np.sin(waves * down[None, ..., None] + right[None, ..., None])
    images = truths + generator.normal(0, 0.1, truths.shape) * np.arange(1, count + 1)[:, None, None, None] / count
    return (np.round(np.clip(side, 0, 1) * (spec.levels - 1)).astype(np.uint8) for side in (images, truths))


@pytest.mark.parametrize("spec", [(32, 32, 3), (11, 20, 1), (28, 28, 1, 17)], ids=str)
def test_quality_is_that_of_scikit_image(spec, monkeypatch):
    spec = kg.ImageSpec(*spec)
    images, truths = pair(spec)
    monkeypatch.setattr(image_quality, "BLOCK_BYTES", 2 * 8 * spec.dimensions)  # blocks of two
    top = spec.levels - 1
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=top, channel_axis=-1)
    wanted = [
        (
            structural_similarity(one, other, **options),
            peak_signal_noise_ratio(other, one, data_range=top),
            np.abs(one.astype(float) - other).mean() / top,
        )
        for one, other in zip(images, truths)
    ]
    found = [metric(images, truths, spec) for metric in (ssim, psnr, l1)]
    np.testing.assert_allclose(found, np.transpose(wanted), rtol=1e-6)


def test_equal_images_are_as_near_as_can_be():
    spec = kg.ImageSpec(12, 12, 2)
    images, _ = pair(spec)
    assert l1(images, images, spec).max() == 0 and (psnr(images, images, spec) == 100).all()
    np.testing.assert_allclose(ssim(images, images, spec), 1)


def test_black_and_white_by_hand():
    spec = kg.ImageSpec(11, 11, 1)
    black, white = np.zeros((1, 11, 11, 1), np.uint8), np.full((1, 11, 11, 1), 255, np.uint8)
    assert l1(black, white, spec) == 1 and psnr(black, white, spec) == 0
    np.testing.assert_allclose(ssim(black, white, spec), 1e-4 / (1 + 1e-4), rtol=1e-6)  # C1 / (1 + C1)
    half = black.copy()
    half[:, :, :5] = 51
    np.testing.assert_allclose(psnr(half, black, spec), -10 * np.log10(0.04 * 5 / 11))


@pytest.mark.parametrize(
    "metric,images,truths,words",
    [
        (ssim, (2, 8, 12, 1), (2, 8, 12, 1), "11 pixels wide"),
        (l1, (2, 8, 12, 1), (3, 8, 12, 1), "2 images and 3 truths"),
        (psnr, (2, 8, 12, 1), (2, 8, 12, 3), "truths have shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, images, truths, words):
    with pytest.raises(kg.InvalidInput, match=words):
        metric(np.zeros(images, np.uint8), np.zeros(truths, np.uint8), kg.ImageSpec(8, 12, 1))
