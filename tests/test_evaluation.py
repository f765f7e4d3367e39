"""Reports, walks through latent spaces, memorisation and pictures, on tiny models and models with known answers."""

import dataclasses
import json
import math
import statistics

import numpy as np
import pytest
from PIL import Image

from keras_gen import data
from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Labels
from keras_gen.core.noise import Normal, Uniform, draw
from keras_gen.core.pictures import image_grid, save_picture, stacked
from keras_gen.core.sampler import Sampler
from keras_gen.evaluation import evaluate, latent
from keras_gen.evaluation.memorisation import memorisation, nearest_training_images
from keras_gen.metrics.bootstrap import bootstrap_error
from keras_gen.metrics.estimate import spelled
from keras_gen.metrics.features import FEATURES, FeatureSpace, Read
from keras_gen.models.adversarial.gan import GAN
from keras_gen.models.variational.vae import VAE


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "train"), data.load("digits", "test")


class Gallery(Sampler):
    """A "model" that shows the images it was given, one a sample, and keeps to the contract otherwise."""

    name = "gallery"

    def __init__(self, images, spec):
        self.images, self.image_spec = images, spec

    def noise_spec(self):
        return {"u": Uniform(())}

    def images_of(self, noise, conditions=None):
        return self.images[(np.asarray(noise["u"]) * len(self.images)).astype(int)]


class Coins(Gallery):
    """Every pixel uniform over the levels, and an exact density to match."""

    def log_prob(self, images):
        return np.full(len(images), -self.image_spec.dimensions * math.log(self.image_spec.levels))


def by_name(report):
    return {entry["name"]: entry for entry in report["metrics"]}


# --- the report ------------------------------------------------------------------------------------------------------


def test_report_of_a_vae(digits, tmp_path):
    train, test = digits
    model = VAE(train.image_spec, latent_dim=2, hidden=(32,), seed=1)
    model.fit(train, batch_size=64, epochs=3, verbose=0)
    report = evaluate(
        model, train, test, out=tmp_path, seed=3, importance_samples=50, importance_images=100, name="tiny"
    )
    assert {**report, "history": []} == json.loads((tmp_path / "report.json").read_text())
    assert report["schema"] == "keras_gen/report/1" and report["seed"] == 3
    assert report["model"] == {"name": "tiny", "class": "VAE", "parameters": model.count_params()}
    assert report["data"] == {"name": "digits", "train": 1258, "test": 359}
    metrics = by_name(report)
    elbo = metrics["elbo_359_test"]
    assert elbo["value"] == pytest.approx(model.elbo(test.images, seed=3).mean(), rel=1e-5)
    assert elbo["stderr"] > 0 and elbo["unit"] == "nats" and elbo["n"] == 359 and elbo["seconds"] >= 0
    kl, reconstruction = metrics["elbo_kl_359_test"]["value"], metrics["elbo_reconstruction_359_test"]["value"]
    assert kl > 0 and reconstruction - kl == pytest.approx(elbo["value"], rel=1e-6)
    assert metrics["bits_per_dim_elbo_359_test"]["value"] == pytest.approx(-elbo["value"] / (64 * math.log(2)))
    tighter = metrics["nll_iw50_100_test"]
    assert tighter["n"] == 100 and tighter["value"] < -elbo["value"] + 5 * elbo["stderr"]
    precision = metrics["precision_k3_359_test_random-conv"]
    assert 0 <= precision["value"] <= 1 and precision["real_images_score"] > 0.7 and precision["split"] == "test"
    drawn = {"samples", "real_and_fake", "nearest", "interpolation", "manifold", "reconstructions", "random_codes"}
    drawn |= {"latent_kl", "traversals"}
    used = metrics["used_latents_359_test"]
    assert sum(used["per_latent"]) == pytest.approx(kl, abs=1e-3) and used["value"] == sum(
        each > 0.01 for each in used["per_latent"]
    )
    assert metrics["active_units_359_test"]["of"] == 2
    assert set(report["pictures"]) == drawn
    for picture in report["pictures"].values():
        with Image.open(tmp_path / picture["file"]) as image:
            assert np.asarray(image).std() > 10  # something is drawn on it
    assert not [path for path in tmp_path.rglob(".*")]


def test_report_of_a_gan(digits, tmp_path):
    train, test = digits
    model = GAN(train.image_spec, latent_dim=4, width=4)
    report = evaluate(model, train, test, out=tmp_path, samples=400, features="pixels")
    assert set(by_name(report)) == {
        "fid400_train_pixels",  # test holds 359
        "kid_100x200_400_train_pixels",
        "precision_k3_400_train_pixels",
        "recall_k3_400_train_pixels",
        "density_k5_400_train_pixels",
        "coverage_k5_400_train_pixels",
        "nearest_train_distance_ratio",
    }
    assert set(report["pictures"]) == {"samples", "real_and_fake", "nearest", "interpolation"}


def test_the_metrics_that_were_asked_for_are_taken_and_earlier_reports_kept(digits, tmp_path):
    train, test = digits
    model = Gallery(data.load("digits", "validation").images, train.image_spec)
    first = evaluate(model, train, test, out=tmp_path, samples=100, metrics=["fid"], name="one")
    (fid,) = first["metrics"]
    assert (
        fid["name"] == "fid100_test_random-conv" and 0 < fid["stderr"] < fid["value"] and 0 < fid["real_images_score"]
    )
    (tmp_path / "curves.png").write_bytes((tmp_path / "pictures" / "samples.png").read_bytes())
    evaluate(model, train, test, out=tmp_path, samples=50, metrics=["kid"], reference=train, name="<two>")
    kept = json.loads((tmp_path / "report.json").read_text())
    assert [line["name"] for line in kept["metrics"]] == ["kid_100x25_50_train_random-conv"]
    assert kept["history"] == [first]
    page = (tmp_path / "report.html").read_text()
    assert "&lt;two&gt;" in page and "<two>" not in page and "kid_100x25_50_train_random-conv" in page
    assert page.count('src="data:image/png;base64,') == len(kept["pictures"]) + 1  # the curves
    assert "http" not in page  # nothing is fetched
    (tmp_path / "report.json").write_text("{torn")
    with pytest.raises(InvalidInput, match="report.json cannot be read, so what it held would be lost"):
        evaluate(model, train, test, out=tmp_path, samples=50, metrics=["kid"])
    for options, text in [
        ({"metrics": ["fdi"]}, "Unknown metric 'fdi'; known: .*fid"),
        ({"metrics": []}, "No metric was named"),
        ({"metrics": ["nll"]}, "'nll' cannot be measured here: the model has no log_prob"),
        ({"metrics": ["inception_score"]}, "random-conv gives no class probabilities"),
        ({"metrics": ["swd"]}, "at least 16 px, these have 8"),
        ({"metrics": ["density_coverage"], "samples": 5}, "wants at least 6 samples"),
        ({"features": "classifier_mnist"}, "reads images of 28x28x1, these are 8x8x1"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            evaluate(model, train, test, out=tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_labels_and_features_that_do_not_fit_are_said(digits, tmp_path, monkeypatch):
    train, test = digits

    class OfFive(Gallery):
        def condition_spec(self):
            return {"label": Labels(5)}

    with pytest.raises(InvalidInput, match=r"digits: label 9 is out of range; wanted integers in \[0, 4\].*trained on"):
        evaluate(OfFive(train.images, train.image_spec), train, test, out=tmp_path / "new")
    bare = dataclasses.replace(test, features={"image": test.images})
    with pytest.raises(InvalidInput, match="wants a label for each image, which digits does not have"):
        evaluate(OfFive(train.images, train.image_spec), train, bare, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()

    def diverged(argument):
        return FeatureSpace("diverged", "", lambda images, spec: Read(np.full((len(images), 3), np.nan, np.float32)))

    monkeypatch.setitem(FEATURES._entries, "diverged", diverged)
    with pytest.raises(InvalidInput, match="diverged gives 50 of the test images features that are NaN or infinite"):
        evaluate(Gallery(train.images, train.image_spec), train, test, samples=50, features="diverged", out=tmp_path)


def test_the_bootstrap_error_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    error = bootstrap_error(lambda rows: values[rows].mean(), 400, resamples=2000)
    assert error == pytest.approx(values.std() / 20.0, rel=0.06)
    assert bootstrap_error(lambda rows: values[rows].mean(), 400, resamples=2000) == error


def test_real_images_score_high_and_are_not_called_copies(digits, tmp_path):
    train, test = digits
    unseen = data.load("digits", "validation")
    report = by_name(evaluate(Gallery(unseen.images, train.image_spec), train, test, out=tmp_path, samples=180))
    assert report["precision_k3_180_test_random-conv"]["value"] > 0.75
    ratio = report["nearest_train_distance_ratio"]
    assert ratio["value"] == pytest.approx(1.0, abs=0.1) and ratio["verdict"].startswith("No sign of memorisation")
    assert ratio["interval"][0] < ratio["value"] < ratio["interval"][1]


def test_a_model_that_remembers_is_caught(digits, tmp_path):
    train, test = digits
    ratio = by_name(evaluate(Gallery(train.images, train.image_spec), train, test, out=tmp_path, samples=100))
    ratio = ratio["nearest_train_distance_ratio"]
    assert ratio["value"] == 0.0 and ratio["verdict"].startswith("Training images are probably being copied")


def test_exact_densities_get_their_likelihood(tmp_path):
    spec = ImageSpec(8, 8, 3)
    images = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
    train, test = (
        ImageData("noise", split, spec, {"image": part})
        for split, part in (("train", images[:200]), ("test", images[200:]))
    )
    metrics = by_name(evaluate(Coins(images[:50], spec), train, test, out=tmp_path))
    assert metrics["bits_per_dim_100_test"]["value"] == pytest.approx(8.0)
    assert metrics["nll_100_test"]["value"] == pytest.approx(192 * math.log(256))
    with Image.open(tmp_path / "pictures" / "samples.png") as picture:
        assert picture.mode == "RGB"


def test_what_does_not_fit_is_refused_before_any_work(digits, tmp_path):
    train, test = digits

    class Busy(Gallery):
        def sample(self, n, seed=0, **options):
            raise AssertionError("worked before it looked")

    model = Busy(train.images, train.image_spec)
    small = ImageData("few", "test", test.image_spec, {"image": test.images[:3]})
    for arguments, options, text in [
        (
            (model, train.binarized(), test),
            {},
            "train='digits' holds 8x8x1 images of 2 levels, the model makes .* 17 levels",
        ),
        ((model, train, test.binarized()), {}, "test='digits'"),
        ((model, train, small), {}, "3 images"),
        ((model, train, test), {"features": "random"}, "Unknown feature space 'random'.*random_conv"),
        ((model, train, test), {"samples": 3}, "samples=3"),
        ((model, train, test), {"importance_samples": 5}, "no log_prob_bound"),
        ((model, train, test), {"importance_samples": 0}, "importance_samples=0"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            evaluate(*arguments, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputFailed, match="file"):
        evaluate(model, train, test, out=tmp_path / "file")


def test_counts_are_spelled_as_in_papers():
    assert [spelled(n) for n in (359, 1000, 1258, 10_000, 50_000)] == ["359", "1k", "1258", "10k", "50k"]


# --- memorisation ----------------------------------------------------------------------------------------------------


def test_distances_to_the_training_set_by_hand():
    train = np.array([0, 4, 16], np.uint8).reshape(3, 1, 1, 1)
    images = np.array([6, 15], np.uint8).reshape(2, 1, 1, 1)
    distances, rows = nearest_training_images(images, train, levels=17, count=2)
    assert rows.tolist() == [[1, 0], [2, 1]] and distances.tolist() == [[2 / 16, 6 / 16], [1 / 16, 11 / 16]]
    found = memorisation(images, train, np.array([[[[8]]]], np.uint8), scale=16.0)
    assert found.ratio == pytest.approx(1.5 / 4) and "copied" in found.verdict


def test_a_test_set_within_the_training_set_says_nothing():
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    found = memorisation(images[:5], images, images)
    assert found.ratio is None and found.interval is None and found.verdict.startswith("Nothing can be said")


# --- latent space ----------------------------------------------------------------------------------------------------


def test_paths_begin_and_end_where_they_should():
    start, end = np.random.default_rng(0).standard_normal((2, 3, 50))
    t = np.array([0.0, 0.25, 1.0])
    for path in (latent.linear, latent.spherical):
        points = path(start, end, t)
        assert points.shape == (3, 3, 50)
        np.testing.assert_allclose(points[:, 0], start, atol=1e-12)
        np.testing.assert_allclose(points[:, 2], end, atol=1e-12)
    np.testing.assert_allclose(latent.linear(start, end, t)[:, 1], 0.75 * start + 0.25 * end)


def test_the_sphere_is_not_left():
    right, up = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    arc = latent.spherical(right, up, np.linspace(0, 1, 5))[0]
    np.testing.assert_allclose(np.linalg.norm(arc, axis=-1), 2.0)
    np.testing.assert_allclose(arc[2], [math.sqrt(2), math.sqrt(2)])  # halfway in angle
    for other in (right, -right, 0 * right):  # no arc, or too many of them
        np.testing.assert_allclose(
            latent.spherical(right, other, np.array([0.5])), latent.linear(right, other, np.array([0.5]))
        )


class Recorder(Sampler):
    """Two kinds of noise, so that what moves and what rests can be seen."""

    image_spec = ImageSpec(2, 2, 1)

    def noise_spec(self):
        return {"z": Normal((3,)), "u": Uniform((2,))}

    def images_of(self, noise, conditions=None):
        self.noise = noise
        return np.zeros((len(noise["z"]), 2, 2, 1), np.uint8)


def test_only_z_walks_between_the_seeds_points():
    model = Recorder()
    images = latent.interpolation(model, pairs=2, steps=5, path="linear", seed=4)
    assert images.shape == (2, 5, 2, 2, 1) and images.dtype == np.float32
    ends = draw(model.noise_spec(), 4, 4)
    walked = model.noise["z"].reshape(2, 5, 3)
    np.testing.assert_allclose(walked[:, 0], ends["z"][:2])
    np.testing.assert_allclose(walked[:, -1], ends["z"][2:])
    np.testing.assert_array_equal(model.noise["u"].reshape(2, 5, 2), np.repeat(ends["u"][:2, None], 5, axis=1))
    with pytest.raises(InvalidInput, match="linear, spherical"):
        latent.interpolation(model, path="circular")
    with pytest.raises(InvalidInput, match="latent vector 'z'"):
        latent.interpolation(Gallery(images, model.image_spec))


def test_the_manifold_is_even_in_probability():
    points = latent.manifold_points(4).reshape(4, 4, 2)
    cdf = statistics.NormalDist().cdf
    assert [round(cdf(float(x)), 4) for x in points[0, :, 0]] == [0.125, 0.375, 0.625, 0.875]  # left to right
    assert [round(cdf(float(y)), 4) for y in points[:, 0, 1]] == [0.875, 0.625, 0.375, 0.125]  # top to bottom
    spec = ImageSpec(2, 2, 1, levels=2)
    plane = VAE(spec, 2, hidden=(4,))
    np.testing.assert_allclose(latent.manifold(plane, side=3), plane.decode(latent.manifold_points(3)))
    with pytest.raises(InvalidInput, match="latent_dim=2"):
        latent.manifold(VAE(spec, 3, hidden=(4,)))


def test_binary_images_are_shown_as_means_and_others_as_they_are():
    binary = VAE(ImageSpec(2, 2, 1, levels=2), 3, hidden=(4,))
    noise = draw(binary.noise_spec(), 300, 0)  # more than a batch
    np.testing.assert_allclose(latent.render(binary, noise), binary.decode(noise["z"]), atol=1e-6)
    grey = VAE(ImageSpec(2, 2, 1, levels=17), 3, hidden=(4,), sample_pixels=True)
    noise = draw(grey.noise_spec(), 5, 0)
    np.testing.assert_allclose(latent.render(grey, noise) * 16, grey.images_of(noise), atol=1e-5)


def test_reconstructions_go_through_the_posterior_mean():
    model = VAE(ImageSpec(2, 2, 1, levels=2), 3, hidden=(4,))
    images = np.random.default_rng(0).integers(0, 2, (5, 2, 2, 1), dtype=np.uint8)
    np.testing.assert_allclose(latent.reconstructions(model, images), model.decode(model.encode(images)[0]))


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_grid_by_hand():
    images = np.array([0, 8, 16], np.uint8).reshape(3, 1, 1, 1)
    picture = np.asarray(image_grid(images, ImageSpec(1, 1, 1, levels=17), columns=2, scale=1, gap=1))
    assert picture.tolist() == [
        [255, 255, 255, 255, 255],
        [255, 0, 255, 128, 255],
        [255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255],  # 16 of 16 levels is white, and so is the empty cell
        [255, 255, 255, 255, 255],
    ]


def test_small_images_are_enlarged_in_whole_pixels():
    images = np.random.default_rng(0).random((6, 8, 8, 3), dtype=np.float32)
    picture = image_grid(images, gap=0)
    assert picture.mode == "RGB" and picture.size == (3 * 48, 2 * 48)
    np.testing.assert_array_equal(
        np.asarray(picture)[:6, :6].reshape(-1, 3), np.tile(np.round(images[0, 0, 0] * 255), (36, 1))
    )
    assert image_grid(np.zeros((4, 64, 64, 2))).mode == "L"
    assert image_grid(np.zeros((4, 64, 64, 1)), gap=0).size == (128, 128)


def test_grids_refuse_what_is_no_picture():
    for images, options, text in [
        (np.zeros((2, 4, 4, 1), np.uint8), {}, "uint8"),
        (np.zeros((4, 4, 1)), {}, r"\[4, 4, 1\]"),
        (np.full((1, 4, 4, 1), np.nan), {}, "NaN"),
        (np.zeros((1, 4, 4, 1)), {"columns": 0}, "columns=0"),
    ]:
        with pytest.raises(InvalidInput, match=text):
            image_grid(images, **options)


def test_pictures_are_stacked_and_saved_whole(tmp_path):
    grey, colour = image_grid(np.zeros((1, 4, 4, 1))), image_grid(np.zeros((2, 4, 4, 3)))
    page = stacked([grey, colour], gap=5)
    assert page.mode == "RGB" and page.size == (colour.width, grey.height + 5 + colour.height)
    assert page.getpixel((0, grey.height + 2)) == (255, 255, 255)
    save_picture(page, tmp_path / "new" / "page.png")
    with Image.open(tmp_path / "new" / "page.png") as found:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(page))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.png"]
