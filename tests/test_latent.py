"""Walks, traversals and sums of concepts in latent spaces: on models whose images tell their z, and on a run's files.

The VAEs here have a decoder that hands z through: over binary images its mean is ``sigmoid(z)``, so every picture can be
read back to the z that made it.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES
from click.testing import CliRunner
from keras import layers
from PIL import Image

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Labels
from keras_gen.core.noise import Normal, Uniform, draw
from keras_gen.core.pictures import beside, check_png, image_grid, sign
from keras_gen.evaluation import latent
from keras_gen.evaluation.latent_arithmetic import arithmetic, picture
from keras_gen.evaluation.latent_attributes import move
from keras_gen.models.generative_model import GenerativeModel

DIMENSIONS = 5
MEAN = dict(rtol=0, atol=1e-5)  # of z read back from float32 pictures


@functools.cache
def transparent(levels=2, make=kg.VAE):
    """A VAE whose picture is its z, one pixel a dimension; its encoder's mean is the image in ``[-1, 1]``."""
    spec = kg.ImageSpec(1, DIMENSIONS, 1, levels)
    parameters = 1 if levels == 2 else 2
    z, image = keras.Input((DIMENSIONS,)), keras.Input(spec.shape)
    pixels = layers.Reshape((1, DIMENSIONS, 1))(z)
    decoder = keras.Model(z, pixels if parameters == 1 else layers.Concatenate()([pixels, pixels]))
    flat = layers.Flatten()(image)
    encoder = keras.Model(image, layers.Concatenate()([flat, flat]))
    return make(spec, DIMENSIONS, encoder=encoder, decoder=decoder)


def read(images):
    """z of ``sigmoid(z)``: ``[..., d]`` of ``[..., 1, d, 1]``."""
    images = np.asarray(images, np.float64)[..., 0, :, 0]
    return np.log(images) - np.log1p(-images)


class UniformVAE(kg.VAE):
    """z is drawn from the cube; decoders are asked nothing else."""

    def noise_spec(self):
        return {"z": Uniform((self.latent_dim,))}


class LabelledVAE(kg.VAE):
    """Wants labels that its ``decode`` does not take."""

    def condition_spec(self):
        return {"label": Labels(3)}


class Labelled(GenerativeModel):
    """Pixels: the label; 16 z + 128, twice; 255 u. The second kind of noise and the label should rest."""

    def __init__(self, **kwargs):
        super().__init__(kg.ImageSpec(1, 4, 1), **kwargs)
        self.built = True

    def noise_spec(self):
        return {"z": Normal((2,)), "u": Uniform(())}

    def condition_spec(self):
        return {"label": Labels(3)}

    def generate(self, noise, conditions=None):
        label = tf.cast(conditions["label"], tf.float32)
        moved = 16.0 * noise["z"] + 128.0
        pixels = tf.stack([label, moved[:, 0], moved[:, 1], 255.0 * noise["u"]], axis=-1)
        return tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 255.0)), tf.uint8)[:, None, :, None]


def levels_of(images):
    """Labels, z's two pixels and u's pixel: ``[..., 4]``."""
    return np.round(np.asarray(images)[..., 0, :, 0] * 255).astype(int)


# --- walks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["linear", "spherical", None])
def test_a_walk_leads_from_draw_i_to_draw_pairs_plus_i(path):
    model = transparent()
    walked = read(latent.interpolation(model, pairs=3, steps=4, path=path, seed=2))
    ends = draw(model.noise_spec(), 6, 2)["z"].astype(np.float64)
    np.testing.assert_allclose(walked[:, 0], ends[:3], **MEAN)
    np.testing.assert_allclose(walked[:, -1], ends[3:], **MEAN)
    third = (latent.linear if path == "linear" else latent.spherical)(ends[:3], ends[3:], np.array([1 / 3]))[:, 0]
    np.testing.assert_allclose(walked[:, 1], third, **MEAN)


def test_uniform_noise_is_walked_straight_and_never_left():
    model = transparent(256, UniformVAE)
    walk = latent.interpolation(model, pairs=2, steps=5, seed=1)
    ends = draw(model.noise_spec(), 4, 1)["z"]
    middle = (ends[:2] + ends[2:]) / 2
    np.testing.assert_allclose(walk[:, 2, 0, :, 0], (middle + 1) / 2, atol=0.5 / 255 + 1e-6)
    with pytest.raises(InvalidInput, match=r"path='spherical' leaves \[0, 1\).*path='linear'"):
        latent.interpolation(model, path="spherical")


def test_labels_rest_along_a_walk():
    model = Labelled()
    assert levels_of(latent.interpolation(model, pairs=4, steps=3))[..., 0].tolist() == [[i % 3] * 3 for i in range(4)]
    chosen = latent.interpolation(model, pairs=2, steps=3, label=[2, 1])
    assert levels_of(chosen)[..., 0].tolist() == [[2] * 3, [1] * 3]
    for label in (3, [0, 1, 2]):
        with pytest.raises(InvalidInput, match="label"):
            latent.interpolation(model, pairs=2, label=label)


def test_labels_come_in_turn_beyond_a_batch():
    noise = draw(Labelled().noise_spec(), latent.BATCH + 4, 0)
    labels = levels_of(latent.render(Labelled(), noise))[:, 0]
    assert labels.tolist() == [i % 3 for i in range(latent.BATCH + 4)]


# --- traversals -------------------------------------------------------------------------------------------------------


def test_a_traversal_moves_its_dimension_alone():
    model = transparent()
    images = latent.traversal(model, [3, 0], steps=7, reach=2.0, seed=4)
    assert images.shape == (2, 7, 1, DIMENSIONS, 1) and images.dtype == np.float32
    z, rest = read(images), draw(model.noise_spec(), 1, 4)["z"][0]
    for row, dimension in enumerate((3, 0)):
        np.testing.assert_allclose(z[row, :, dimension], np.linspace(-2.0, 2.0, 7), **MEAN)
        others = np.delete(np.arange(DIMENSIONS), dimension)
        np.testing.assert_allclose(z[row][:, others], np.tile(rest[others], (7, 1)), **MEAN)


def test_uniform_dimensions_move_over_their_own_range():
    model = transparent(256, UniformVAE)
    images = latent.traversal(model, [1], steps=3, reach=50.0, seed=4)[0, :, 0, :, 0]
    np.testing.assert_allclose(images[:, 1], [0.5, 0.75, 1.0], atol=0.5 / 255 + 1e-6)  # (z + 1) / 2 of z = 0, 1/2, 1
    assert (images[:, [0, 2, 3, 4]] == images[0, [0, 2, 3, 4]]).all()


def test_other_noise_and_the_label_rest_in_a_traversal():
    model = Labelled()
    pixels = levels_of(latent.traversal(model, [1], steps=5, seed=3))[0]
    first = levels_of(model.sample(1, seed=3) / 255)[0]
    assert (pixels[:, [0, 1, 3]] == first[[0, 1, 3]]).all()
    assert pixels[:, 2].tolist() == [80, 104, 128, 152, 176]  # 16 z + 128 over [-3, 3]
    assert (levels_of(latent.traversal(model, [0, 1], steps=5, label=2))[..., 0] == 2).all()


def test_the_first_ten_dimensions_are_walked_unless_told():
    assert latent.traversal(transparent(), steps=2).shape[0] == DIMENSIONS
    assert latent.dimensions_of(kg.VAE((2, 2, 1, 2), 13, hidden=(4,))) == list(range(10))


def test_every_model_with_a_latent_is_walked_and_every_other_refused():
    def sentence(model):
        return {name: "bar first" for name in model.condition_spec() if name == "caption"}

    tools = (
        lambda model: latent.interpolation(model, 2, 3, **sentence(model)),
        lambda model: latent.traversal(model, [0, 1], 3, **sentence(model)),
        lambda model: (
            arithmetic(
                model, [0, 1], [2, 3], [4, 5], **{**dict.fromkeys(model.condition_spec(), 1), **sentence(model)}
            ).block
        ),
    )
    seen = set()
    for case in CASES:
        model = case.shaken()
        seen.add(latent.has_latent(model))
        for tool in tools:
            if not latent.has_latent(model):
                with pytest.raises(InvalidInput, match=r"takes \[.*wanted a latent vector 'z'.*Give a VAE"):
                    tool(model)
                continue
            images = tool(model)
            assert images.shape[-3:] == case.spec.shape and images.min() >= 0.0 and images.max() <= 1.0
            np.testing.assert_array_equal(images, tool(model))
            assert images.std() > 0.0
    assert seen == {True, False}


# --- sums of concepts -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sum_of_draws():
    """Of the transparent VAE: the result, and z of the seed's draws in float64."""
    model = transparent()
    result = arithmetic(model, [3, 17, 41], [5, 8, 60], [1, 2, 99], seed=6)
    return model, result, draw(model.noise_spec(), 100, 6)["z"].astype(np.float64)


def test_the_centre_is_the_sum_of_the_means(sum_of_draws):
    model, result, z = sum_of_draws
    y = z[[3, 17, 41]].mean(0) - z[[5, 8, 60]].mean(0) + z[[1, 2, 99]].mean(0)
    np.testing.assert_array_equal(result.points[4], y.astype(np.float32))
    np.testing.assert_allclose(result.block, model.decode(result.points), rtol=0, atol=1e-6)
    np.testing.assert_allclose(read(result.centre), y, **MEAN)
    means = [z[rows].mean(0) for rows in ([3, 17, 41], [5, 8, 60], [1, 2, 99])]
    np.testing.assert_allclose(read(result.means), means, **MEAN)


def test_exemplars_are_the_sample_grids_images(sum_of_draws):
    model, result, z = sum_of_draws
    grid = latent.render(model, draw(model.noise_spec(), 100, 6))  # what the report draws
    np.testing.assert_allclose(result.exemplars[0], grid[[3, 17, 41]], atol=1e-6)
    np.testing.assert_allclose(read(result.exemplars[2]), z[[1, 2, 99]], **MEAN)


def test_neighbours_lie_evenly_within_the_scale_of_the_centre(sum_of_draws):
    _, result, _ = sum_of_draws
    away = np.delete(result.points, 4, axis=0) - result.points[4]
    assert away.shape == (8, DIMENSIONS) and 0.2 < np.abs(away).max() <= 0.25 + 1e-6
    np.testing.assert_array_equal(result.neighbours, np.delete(result.block, 4, axis=0))
    many = np.concatenate([_away(seed, scale=0.5) for seed in range(40)]).ravel()  # 1,600 draws
    assert np.abs(many).max() <= 0.5 + 1e-6
    counts = np.histogram(many, bins=10, range=(-0.5, 0.5))[0]
    assert ((counts - 160.0) ** 2 / 160.0).sum() < 27.9  # chi-square of 9 degrees of freedom at 0.001
    np.testing.assert_array_equal(_away(0, scale=0.5), _away(0, scale=0.5))
    assert (_away(0, scale=0.0) == 0).all()


def _away(seed, scale):
    points = arithmetic(transparent(), [0], [1], [2], seed=seed, scale=scale).points
    return np.delete(points, 4, axis=0) - points[4]


def test_pixel_arithmetic_by_hand():
    """Images as concepts: their z is the posterior's mean, and their pixels are added and clipped."""
    model = transparent(levels=5)
    plus = np.array([[0, 0, 4, 4, 2], [4, 0, 4, 4, 0]], np.uint8).reshape(2, 1, DIMENSIONS, 1)
    minus = np.array([[0, 4, 0, 4, 1], [0, 4, 0, 4, 1]], np.uint8).reshape(2, 1, DIMENSIONS, 1)
    add = np.array([[0, 0, 4, 2, 3], [0, 0, 4, 2, 3]], np.uint8).reshape(2, 1, DIMENSIONS, 1)
    result = arithmetic(model, plus, minus, add)
    # .5 - 0 + 0, 0 - 1 + 0 (black), 1 - 0 + 1 (white), 1 - 1 + .5, .25 - .25 + .75
    np.testing.assert_allclose(result.pixels[0, :, 0], [0.5, 0.0, 1.0, 0.5, 0.75], atol=1e-6)
    np.testing.assert_allclose(result.exemplars[0, 1, 0, :, 0], [1.0, 0.0, 1.0, 1.0, 0.0], atol=1e-6)
    # The encoder's mean is 2 x - 1 of the fraction x, so y is 2 (a - b + c) - 1, which nothing clips.
    np.testing.assert_allclose(result.points[4], [0.0, -3.0, 3.0, 0.0, 0.5], atol=1e-6)
    mixed = arithmetic(model, plus, [3, 4], add, seed=1)
    z = draw(model.noise_spec(), 5, 1)["z"]
    wanted = np.array([0.0, -1.0, 1.0, 1.0, -0.5]) - z[3:5].mean(0) + np.array([-1.0, -1.0, 1.0, 0.0, 0.5])
    np.testing.assert_allclose(mixed.points[4], wanted, atol=1e-5)


def test_pixel_arithmetic_of_draws(sum_of_draws):
    _, result, z = sum_of_draws
    a, b, c = (1 / (1 + np.exp(-z[rows])) for rows in ([3, 17, 41], [5, 8, 60], [1, 2, 99]))
    np.testing.assert_allclose(result.pixels[0, :, 0], np.clip(a.mean(0) - b.mean(0) + c.mean(0), 0, 1), atol=1e-6)


def test_sums_of_uniform_noise_stay_where_it_is_drawn():
    model = transparent(256, UniformVAE)
    z = draw(model.noise_spec(), 100, 0)["z"]
    high, low = int(z[:, 0].argmax()), int(z[:, 0].argmin())
    above, below = (arithmetic(model, [a], [b], [a]).points for a, b in ((high, low), (low, high)))
    assert above[4, 0] == np.nextafter(np.float32(1), np.float32(0)) and below[4, 0] == 0.0
    for points in (above, below):
        assert points.dtype == np.float32 and (points >= 0.0).all() and (points < 1.0).all()


def test_a_sum_has_one_label_and_one_other_noise():
    model = Labelled()
    result = arithmetic(model, [0, 1], [2, 3], [4, 5], seed=2, label=1)
    for images in (result.exemplars, result.means, result.block):
        assert (levels_of(images)[..., 0] == 1).all()
    sampled = levels_of(model.sample(6, seed=2, label=1) / 255)
    assert (levels_of(result.exemplars).reshape(6, 4) == sampled).all()
    assert (levels_of(np.concatenate([result.means, result.block]))[:, 3] == sampled[0, 3]).all()
    with pytest.raises(InvalidInput, match="draws under a label; give one label= .*sample\\(100, seed, label="):
        arithmetic(model, [0], [1], [2])
    with pytest.raises(InvalidInput, match="wanted 1 integers"):
        arithmetic(model, [0], [1], [2], label=[0, 1, 2])


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_picture_holds_every_part(sum_of_draws):
    """Each part is looked for where the paper's figure has it."""
    _, result, _ = sum_of_draws
    drawn = np.asarray(picture(result))
    part, mean = image_grid(result.exemplars[0], columns=1), image_grid(result.means[:1])
    column, symbol = part.width, max(16, mean.height // 3)  # the cells are wide
    block = image_grid(result.block, columns=3)
    lefts = [index * (column + symbol + 24) for index in range(4)]
    tall = part.height + 12 + mean.height
    for index in range(3):
        found = drawn[: part.height, lefts[index] : lefts[index] + column]
        np.testing.assert_array_equal(found, np.asarray(image_grid(result.exemplars[index], columns=1)))
        found = drawn[part.height + 12 : tall, lefts[index] : lefts[index] + column]
        np.testing.assert_array_equal(found, np.asarray(image_grid(result.means[index][None])))
    top = (tall - block.height) // 2
    found = drawn[top : top + block.height, lefts[3] : lefts[3] + block.width]
    np.testing.assert_array_equal(found, np.asarray(block))
    sums = [*result.exemplars.mean(axis=1), result.pixels]
    for left, pixels in zip(lefts, sums):
        found = drawn[tall + 36 :, left : left + column]
        np.testing.assert_array_equal(found, np.asarray(image_grid(pixels[None])))
    assert drawn.shape == (tall + 36 + mean.height, lefts[3] + block.width)


def test_pictures_stand_beside_each_other_on_one_line():
    grey, colour = image_grid(np.zeros((1, 4, 4, 1)), gap=0), image_grid(np.zeros((2, 4, 4, 3)), columns=1, gap=0)
    row = beside([grey, colour], gap=5)
    assert row.mode == "RGB" and row.size == (48 + 5 + 48, 96)
    dark = np.asarray(row).max(axis=-1) == 0
    assert dark[24:72, :48].all() and not dark[:24, :48].any() and not dark[72:, :48].any()
    assert not dark[:, 48:53].any() and dark[:, 53:].all()


def test_signs_by_hand():
    dark = {which: np.asarray(sign(which, 16)) == 0 for which in "+-="}
    assert dark["-"][7:9].all() and dark["-"].sum() == 32
    assert (dark["+"] == dark["-"] | dark["-"].T).all() and dark["+"].sum() == 60
    assert dark["="].sum() == 64 and (dark["="] == dark["="][::-1]).all() and not dark["="][7:9].any()
    for which, size in (("*", 16), ("+", 7)):
        with pytest.raises(InvalidInput, match=r"give one of \+, -, ="):
            sign(which, size)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda m: latent.interpolation(m, steps=1), "steps=1; give an integer of at least 2"),
        (lambda m: latent.interpolation(m, pairs=0), "pairs=0; give an integer of at least 1"),
        (lambda m: latent.interpolation(m, pairs=2.0), "pairs=2.0"),
        (lambda m: latent.interpolation(m, path="sphericle"), "Did you mean 'spherical'.*linear, spherical"),
        (lambda m: latent.interpolation(m, label=1), "'label'; it takes none"),
        (lambda m: latent.traversal(m, [0], steps=1), "steps=1"),
        (lambda m: latent.traversal(m, [5]), "dimensions hold 5; VAE's z has 5, give integers from 0 to 4"),
        (lambda m: latent.traversal(m, [0, -1]), "dimensions hold -1"),
        (lambda m: latent.traversal(m, [True]), "dimensions hold True"),
        (lambda m: latent.traversal(m, 7), "dimensions hold 7"),
        (lambda m: latent.traversal(m, []), "dimensions hold none"),
        (lambda m: latent.traversal(m, [0], reach=0.0), "reach=0.0; give a number above 0"),
        (lambda m: latent.traversal(m, [0], reach=float("nan")), "reach=nan"),
        (lambda m: latent.traversal(m, [0], seed=0.5), "seed=0.5"),
        (lambda m: latent.manifold(m), r"VAE has a decode and takes .*Normal\(shape=\(5,\)\).*latent_dim=2"),
        (lambda m: latent.manifold(Labelled()), "this Labelled has no decode and takes .* and a label. Give"),
        (lambda m: latent.manifold(UniformVAE((2, 2, 1, 2), 2, hidden=(4,))), r"takes {'z': Uniform\(shape=\(2,\)\)}"),
        (lambda m: latent.manifold(LabelledVAE((2, 2, 1, 2), 2, hidden=(4,))), "has a decode and takes .* and a label"),
        (lambda m: latent.manifold(kg.VAE((2, 2, 1, 2), 2, hidden=(4,)), side=0), "side=0"),
        (lambda m: arithmetic(m, [], [1], [2]), "plus holds no exemplar; give indices of draws, such as"),
        (lambda m: arithmetic(m, [0], [], [2]), "minus holds no exemplar"),
        (lambda m: arithmetic(m, [0], [1], [100]), "add holds 100; wanted .*100 draws, integers from 0 to 99"),
        (lambda m: arithmetic(m, [0], [1], [5], draws=5), "add holds 5; .* 0 to 4"),
        (lambda m: arithmetic(m, [0], [-1], [2]), "minus holds -1"),
        (lambda m: arithmetic(m, ["a"], [1], [2]), "plus holds 'a'"),
        (lambda m: arithmetic(m, None, [1], [2]), "plus holds None"),
        (lambda m: arithmetic(m, [0, 1, 2], [3, 4], [5, 6, 7]), r"\(plus 3, minus 2, add 3\); give each as many"),
        (lambda m: arithmetic(m, [0], [1], [2], scale=-0.1), "scale=-0.1; give a number of at least 0"),
        (lambda m: arithmetic(m, [0], [1], [2], draws=0), "draws=0"),
        (lambda m: arithmetic(m, [0], [1], [2], label=1), "'label'; it takes none"),
        (lambda m: arithmetic(m, np.zeros((1, 2, 2, 1), np.uint8), [1], [2]), r"plus have shape \[1, 2, 2, 1\]"),
        (lambda m: arithmetic(m, [0], np.zeros((1, 1, 5, 1)), [2]), "minus are float64"),
        (lambda m: arithmetic(Labelled(), np.zeros((1, 1, 4, 1), np.uint8), [1], [2], label=0), "cannot encode"),
    ],
)
def test_what_makes_no_picture_is_refused(call, message):
    with pytest.raises(InvalidInput, match=message):
        call(transparent())


# --- attributes -------------------------------------------------------------------------------------------------------


@functools.cache
def probe_of(spec, pixel=0, threshold=0.5):
    """A classifier that calls an image 1 where a pixel, as a fraction of the highest level, lies above a threshold, else 0."""
    images = keras.Input(spec.shape)
    last = layers.Dense(2)
    network = keras.Model(images, last(layers.Flatten(name="features")(images)))
    kernel = np.zeros((spec.dimensions, 2))
    kernel[pixel, 1] = 100.0
    last.set_weights([kernel, np.array([0.0, -100.0 * threshold])])
    return kg.Classifier(spec, 2, network=network)


def test_an_attribute_moves_by_the_difference_of_means():
    model = transparent()
    probe = probe_of(model.image_spec)
    found = move(model, probe, source=0, target=1, rows=3, steps=5, draws=400, seed=4)
    z = draw(model.noise_spec(), 800, 4)["z"]
    shows = z[:, 0] > 0  # the probe's label 1
    first, second = slice(0, 400), slice(400, 800)
    vector = z[first][shows[first]].mean(0) - z[first][~shows[first]].mean(0)
    np.testing.assert_allclose(found.vector, vector, atol=1e-5)
    assert found.made_of == (int((~shows[first]).sum()), int(shows[first].sum()))
    others = z[second][~shows[second]]
    assert found.moved == len(others)
    steps = others[:, None] + np.linspace(0, 1, 5)[:, None] * vector
    np.testing.assert_allclose(found.shares, np.mean(steps[..., 0] > 0, axis=0), atol=1e-6)
    assert found.shares[0] == 0.0 and found.shares[-1] > 0.8
    pictured = 1 / (1 + np.exp(-steps[:3]))
    np.testing.assert_allclose(found.images.reshape(3, 5, DIMENSIONS), pictured, **MEAN)
    twice = move(model, probe, source=0, target=1, rows=1, steps=2, draws=400, seed=4, reach=2.0)
    assert twice.shares[-1] > found.shares[-1]


@pytest.mark.parametrize(
    "change,message",
    [
        ({"source": 1}, "both 1; give two labels"),
        ({"target": 2}, "target=2; give a label of the probe's, an integer from 0 to 1"),
        ({"target": True}, "target=True"),
        ({"reach": 0.0}, "reach=0.0; give a number above 0"),
        ({"draws": 4}, "Raise draws"),
        ({"rows": 300}, "300 are wanted"),
        ({"steps": 1}, "steps=1"),
        ({"probe": "a VAE"}, "The probe is a VAE; give a Classifier"),
        ({"probe": "other images"}, r"reads 1x4x1 images of 2 levels, the model draws 1x5x1"),
    ],
    ids=str,
)
def test_moves_that_make_no_sense_are_refused(change, message):
    model = transparent()
    probes = {"a VAE": model, "other images": probe_of(kg.ImageSpec(1, 4, 1, 2))}
    probe = probes.get(change.get("probe"), probe_of(model.image_spec))
    with pytest.raises(InvalidInput, match=message):
        move(model, **{"source": 0, "target": 1, "draws": 400, **change, "probe": probe})


# --- the command line -------------------------------------------------------------------------------------------------

CONCEPTS = ("--plus", "3,17,41", "--minus", "5,8,60", "--add", "1, 2,9")


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vae"
    settings = ("--set", "epochs=1", "--set", "batch_size=256", "--set", "units=8")
    result = invoke("train", "vae_digits", *settings, "--out", folder, "--fit-only")
    assert result.exit_code == 0, result.output
    return folder


def test_the_command_moves_an_attribute_by_a_saved_classifier(run, tmp_path):
    model, out = kg.load(run), tmp_path / "moved.png"
    pixels = model.sample(200, seed=2).reshape(200, -1) / 16.0
    pixel = int(pixels.std(axis=0).argmax())
    probe = probe_of(model.image_spec, pixel, float(np.median(pixels[:, pixel])) + 0.01)  # between two levels
    probe.save(tmp_path / "probe.keras")
    ends = ("--probe", tmp_path / "probe.keras", "--from", 0, "--to", 1, "--draws", 200, "--seed", 2)
    result = invoke("latent", "attribute", run, *ends, "--rows", 2, "--steps", 3, "--out", out)
    assert result.exit_code == 0, result.output
    wanted = move(model, probe, 0, 1, rows=2, steps=3, draws=200, seed=2)
    assert f"of {wanted.moved} others the probe calls {wanted.shares[-1]:.0%} 1 in the end" in result.output
    with Image.open(out) as found:
        np.testing.assert_array_equal(
            np.asarray(found), np.asarray(image_grid(np.concatenate(wanted.images), columns=3))
        )
    refused = invoke("latent", "attribute", run, "--probe", run, *ends[2:], "--out", out)
    assert refused.exit_code == 2 and "give a Classifier" in refused.output


def test_the_commands_draw_what_the_library_computes(run, tmp_path):
    model, out = kg.load(run), tmp_path / "new" / "picture.png"
    walk = latent.interpolation(model, 2, 4, path="linear", seed=3)
    moved = latent.traversal(model, [1, 0], 5, reach=2.5, seed=3)
    commands = {
        ("interpolate", "--pairs", 2, "--steps", 4, "--path", "linear", "--seed", 3): (
            image_grid(walk.reshape(-1, 8, 8, 1), columns=4),
            "2 linear walks of 4 steps between draws of seed 3, one a row.",
        ),
        ("traverse", "--dimensions", "1,0", "--steps", 5, "--reach", 2.5, "--seed", 3): (
            image_grid(moved.reshape(-1, 8, 8, 1), columns=5),
            "dimensions 1, 0 of z, one a row, in 5 steps; the rest is the first draw of seed 3.",
        ),
        ("manifold", "--side", 3): (
            image_grid(latent.manifold(model, 3), columns=3),
            "the latent plane at 3 x 3 points, evenly in probability.",
        ),
        ("arithmetic", *CONCEPTS, "--seed", 3, "--scale", 0.5): (
            picture(arithmetic(model, [3, 17, 41], [5, 8, 60], [1, 2, 9], seed=3, scale=0.5)),
            "mean(3,17,41) - mean(5,8,60) + mean(1,2,9) of the draws of seed 3; below, the same sum of their pixels.",
        ),
    }
    for (name, *options), (wanted, shows) in commands.items():
        for source in (run, run / "model.keras"):
            result = invoke("latent", name, source, *options, "--out", out)
            assert result.exit_code == 0, result.output
            assert result.output == f"Wrote {out}: {shows}\n"
            with Image.open(out) as found:
                np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
            assert [path.name for path in out.parent.iterdir()] == ["picture.png"]
            out.unlink()


@pytest.mark.parametrize("command", [("interpolate",), ("traverse",), ("arithmetic", *CONCEPTS)], ids=lambda c: c[0])
def test_a_seed_is_a_picture(run, tmp_path, command):
    pictures = []
    for index, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"{index}.png"
        assert invoke("latent", *command, run, "--seed", seed, "--out", out).exit_code == 0
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    "words,message",
    [
        (["interpolate", "RUN", "--steps", 1], "steps=1; give an integer of at least 2"),
        (["interpolate", "RUN", "--path", "round"], "Known: linear, spherical"),
        (["interpolate", "RUN", "--label", 3], "'label'; it takes none"),
        (["interpolate", "/no/such/run"], "does not exist; give a run folder"),
        (["traverse", "RUN", "--dimensions", "0,2"], "dimensions hold 2; VAE's z has 2"),
        (["traverse", "RUN", "--dimensions", "0,x"], "--dimensions '0,x' is no list of integers"),
        (["traverse", "RUN", "--dimensions", ""], "dimensions hold none"),
        (["manifold", "RUN", "--side", 0], "side=0"),
        (["manifold", "/"], "holds no model.keras"),
        (["arithmetic", "RUN", "--plus", "1,2", "--minus", "3", "--add", "4,5"], "plus 2, minus 1, add 2"),
        (["arithmetic", "RUN", "--plus", "1,200", "--minus", "3,4", "--add", "4,5"], "plus holds 200; wanted"),
        (["arithmetic", "RUN", "--plus", "", "--minus", "3,4", "--add", "4,5"], "plus holds no exemplar"),
        (["arithmetic", "RUN", "--plus", "1,,2", "--minus", "3", "--add", "4"], "--plus '1,,2' is no list"),
        (["arithmetic", "RUN", "--plus", "1"], "Missing option '--minus'"),
    ],
)
def test_bad_words_draw_nothing(run, tmp_path, words, message):
    result = invoke("latent", *(run if word == "RUN" else word for word in words), "--out", tmp_path / "x.png")
    assert result.exit_code == 2 and message in result.output, result.output
    assert result.output.startswith(("error: ", "Usage: ")) and "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_picture_is_a_png(run, tmp_path):
    result = invoke("latent", "traverse", run, "--out", tmp_path / "x.jpg")
    assert result.exit_code == 2 and "x.jpg is not a .png file; name one" in result.output
    check_png(tmp_path / "x.PNG")
    assert not list(tmp_path.iterdir())


def test_help_answers_without_tensorflow():
    program = (
        "import sys\nfrom keras_gen.cli import main\n"
        "try:\n    main(['latent', 'arithmetic', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    )
    assert "--plus" in result.stdout
