"""Parzen windows: known densities, another implementation's log-sum-exp, the width that is chosen, the report's line."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

import keras_gen as kg
from keras_gen.evaluation.report import evaluate
from keras_gen.evaluation.results_table import rows
from keras_gen.metrics.parzen import SIGMAS, parzen_log_density, parzen_score
from keras_gen.recipes.recipe import build
from keras_gen.runner import _with_validation


def test_one_sample_is_one_gaussian():
    points = np.random.default_rng(0).normal(size=(5, 784))
    found = parzen_log_density(points, np.full((1, 784), 0.25), [0.2, 3.0])
    np.testing.assert_allclose(found, [norm(0.25, sigma).logpdf(points).sum(1) for sigma in (0.2, 3.0)], rtol=1e-12)


def test_many_samples_are_their_log_mean_exp(small_blocks):
    generator = np.random.default_rng(1)
    points, samples = generator.random((40, 6), np.float32), generator.random((31, 6), np.float32)
    squared = np.square(points[:, None].astype(float) - samples[None]).sum(-1)
    for sigma, found in zip(SIGMAS, parzen_log_density(points, samples, SIGMAS), strict=True):
        constant = 6 * math.log(sigma * math.sqrt(2 * math.pi)) + math.log(31)
        np.testing.assert_allclose(found, logsumexp(-squared / (2 * sigma**2), axis=1) - constant, rtol=1e-10)
    far = parzen_log_density(points + 1e4, samples, [1e-3])  # exp of anything near is 0
    assert np.isfinite(far).all() and far.max() < -1e13


def test_samples_of_a_known_density_give_its_entropy():
    """Windows of width s round samples of N(0, 1) are N(0, 1 + s^2)."""
    generator = np.random.default_rng(2)
    samples, points = generator.normal(size=(20_000, 1)), generator.normal(size=(4_000, 1)) * math.sqrt(1.25)
    found = parzen_log_density(points, samples, [0.5])[0]
    np.testing.assert_allclose(found, norm(0, math.sqrt(1.25)).logpdf(points)[:, 0], atol=0.35)
    assert found.mean() == pytest.approx(-0.5 * math.log(2 * math.pi * math.e * 1.25), abs=0.03)


def test_the_width_is_the_one_under_which_validation_is_likeliest(caplog):
    generator = np.random.default_rng(3)
    true = SIGMAS[4]
    validation, test = generator.normal(0, true, (300, 20)), generator.normal(0, true, (500, 20))
    score, sigma = parzen_score(np.zeros((1, 20)), validation, test)
    assert sigma == true and not caplog.records
    assert score.value == pytest.approx(norm(0, true).logpdf(test).sum(1).mean()) and score.n == 500
    assert score.stderr == pytest.approx(norm(0, true).logpdf(test).sum(1).std(ddof=1) / math.sqrt(500))
    assert parzen_score(np.zeros((1, 20)), 9 * validation, test).sigma == 1.0 and "last of those" in caplog.text


def test_what_is_no_width_is_refused():
    with pytest.raises(kg.InvalidInput, match="sigma"):
        parzen_log_density(np.zeros((2, 3)), np.zeros((2, 3)), [0.0])
    with pytest.raises(kg.InvalidInput, match="dimensions"):
        parzen_log_density(np.zeros((2, 3)), np.zeros((2, 4)), [1.0])


def test_the_reports_line(tmp_path):
    splits = [kg.data.load("digits", split) for split in ("train", "test", "validation")]
    model = kg.GAN((8, 8, 1, 17), 4, width=4)
    with pytest.raises(kg.InvalidInput, match="'parzen' cannot be measured here: the width .* give validation"):
        evaluate(model, *splits[:2], out=tmp_path, metrics=["parzen"])
    report = evaluate(model, *splits[:2], validation=splits[2], out=tmp_path, metrics=["parzen", "fid"], samples=200)
    line = report["metrics"][0]
    assert line["name"] == "parzen_200_test" and line["n"] == len(splits[1]) and line["sigma"] in SIGMAS
    pixels = [each.images.reshape(len(each), -1) / 16 for each in splits]
    fakes = model.sample(200, seed=0).reshape(200, -1) / 16
    assert line["value"] == pytest.approx(parzen_score(fakes, pixels[2], pixels[1]).score.value, rel=1e-5)
    assert line["value"] < line["real_images_score"]  # training images are likelier than an untrained model's
    report["published"] = [each._asdict() for each in build("gan_2014_mnist").published]
    name, shown, published, _ = next(iter(rows(report)))
    assert "nats of Parzen windows, no likelihood (real" in shown and published == "225.0"


def test_the_recipe_of_2014_asks_for_it(tmp_path):
    options = _with_validation(build("gan_2014_mnist").evaluation, "digits", False)
    assert options["validation"].split == "validation" and "parzen" not in options
    assert "validation" not in _with_validation(build("dcgan_mnist").evaluation, "digits", False)
    named = {**build("dcgan_mnist").evaluation, "metrics": ["parzen"]}
    assert _with_validation(named, "digits", False)["validation"].split == "validation"
    assert "validation" not in _with_validation({"parzen": True, "metrics": ["fid"]}, "digits", False)
