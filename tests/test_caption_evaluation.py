"""How models that are told what to draw by a sentence are measured, drawn and trained by recipes."""

import keras
import numpy as np
import pytest
from cases import CASES
from click.testing import CliRunner

import keras_gen as kg
from keras_gen import data
from keras_gen.cli import main
from keras_gen.core.captions import characters, sentences_of
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.evaluation.captions import caption_walk, right_captions
from keras_gen.evaluation.report import evaluate
from keras_gen.evaluation.style import correlation, ground_of
from keras_gen.recipes.recipe import build

CASE = next(case for case in CASES if case.model is kg.TextToImageGAN)
PLACES = ("first", "second", "third", "last")


def bars(split, n=64, seed=0):
    """Labelled images of bars with captions; every second one counts as held out."""
    features = CASE.data(n, seed)
    columns = features["image"].astype(float).sum((1, 3))
    label = columns.reshape(n, 4, -1).sum(2).argmax(1).astype(np.int64)
    names = tuple(f"{place} bar" for place in PLACES)
    return ImageData("bars", split, CASE.spec, {**features, "label": label, "held_out": np.arange(n) % 2}, names)


class Draughtsman(kg.TextToImageGAN):
    """Draws the bar that the caption's first letter names, but for every caption of the third, which is drawn as the first."""

    def generate(self, noise, conditions=None):
        letters = np.array([characters([place], 1)[0, 0] for place in PLACES])
        first = keras.ops.cast(conditions["caption"][:, :1], "int32")
        # "bar first" begins with b: what comes behind it says the place.
        named = keras.ops.where(first == 2, keras.ops.cast(conditions["caption"][:, 4:5], "int32"), first)
        one_hot = keras.ops.cast(keras.ops.equal(named, letters[None].astype("int32")), "float32")
        drawn = keras.ops.stack(
            [one_hot[:, 0] + one_hot[:, 2], one_hot[:, 1], 0 * one_hot[:, 0], one_hot[:, 3]], axis=1
        )
        rows = keras.ops.repeat(drawn[:, None, :, None], 4, axis=1)
        return self.image_spec.from_unit(1.8 * rows - 0.9 + 0.02 * noise["z"][:, :1, None, None])


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    """A classifier of bars that is always right: the mean of each column."""
    given = keras.Input(CASE.spec.shape)
    features = keras.layers.Reshape((4,), name="features")(keras.layers.AveragePooling2D((4, 1))(given))
    network = keras.Model(given, keras.layers.Rescaling(50.0)(features))
    path = tmp_path_factory.mktemp("probe") / "probe.keras"
    network.save(path)
    return f"network:{path}"


def lines_of(report):
    return {line["name"].split("_network-")[0]: line for line in report["metrics"]}


def test_a_classifier_and_the_encoder_say_how_often_captions_are_obeyed(probe, tmp_path):
    keras.utils.set_random_seed(1)
    # Where images and captions lie in one space by construction: the place of the bar, and of the letter that names it.
    judge = keras.Sequential(
        [keras.Input(CASE.spec.shape), keras.layers.AveragePooling2D((4, 1)), keras.layers.Flatten()]
    )
    model = Draughtsman(**{**CASE.arguments, "encoder_features": 4}, image_encoder=judge)
    train, test = bars("train", 48, 1), bars("test", 80, 2)
    model.embed_captions = lambda captions: np.array(
        [[place in text for place in PLACES] for text in sentences_of(model.caption.check("captions", captions))],
        np.float32,
    )
    names = ["caption_accuracy", "r_precision", "caption_diversity"]
    report = evaluate(model, train, test, out=tmp_path, samples=60, features=probe, metrics=names)
    found, close = lines_of(report), np.isclose
    rows = test.random_rows(60, 0, "caption")
    drawn_right = test.features["label"][rows] != 2
    held = test.features["held_out"][rows].astype(bool)
    for part, chosen in (("", np.ones(60, bool)), ("_seen", ~held), ("_held_out", held)):
        line = found[f"caption_accuracy{part}_{chosen.sum()}_test"]
        assert close(line["value"], drawn_right[chosen].mean()) and line["real_images_score"] == 1.0
        line = found[f"r_precision_1of4{part}_{chosen.sum()}_test"]
        assert close(line["value"], drawn_right[chosen].mean()) and line["real_images_score"] == 1.0
    assert close(found["caption_accuracy_word2_60_test"]["value"], 1.0)  # every picture shows a bar
    diversity = found["caption_diversity_25x8_test"]
    assert 0 < diversity["value"] < 0.1 < diversity["real_images_score"] < 0.5
    pictures = report["pictures"]
    assert {"samples", "captions", "interpolation"} <= set(pictures)
    assert all((tmp_path / entry["file"]).is_file() for entry in pictures.values())
    assert "a test caption a row" in pictures["captions"]["shows"]


def test_r_precision_by_hand():
    known, embeddings = np.arange(3)[:, None], np.eye(3)
    right, among = right_captions(
        np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]), np.array([0, 1, 1]), known, embeddings, 0
    )
    assert right.tolist() == [True, False, True] and among == 3
    # Among a hundred of many: chance is one in a hundred.
    generator = np.random.default_rng(0)
    many = generator.normal(size=(500, 8))
    right, among = right_captions(generator.normal(size=(3000, 8)), np.arange(3000) % 500, many, many, 0)
    assert among == 100 and abs(right.mean() - 0.01) < 0.008


def test_walks_from_one_sentence_to_another(tmp_path):
    model = CASE.shaken()
    walk = caption_walk(model, ["first", "last"], ["second", "third bar"], steps=3, seed=2)
    assert walk.shape == (2, 3, *CASE.spec.shape)
    np.testing.assert_array_equal(walk[:, 0], model.sample(2, seed=2, caption=["first", "last"]))
    np.testing.assert_array_equal(walk[:, 2], model.sample(2, seed=2, caption=["second", "third bar"]))
    middle = model.embed_captions(["first", "second"]).mean(axis=0, keepdims=True)
    z = draw(model.noise_spec(), 1, 2)["z"]
    np.testing.assert_array_equal(walk[0, 1], model.images_of_embeddings(z, middle)[0])
    with pytest.raises(kg.InvalidInput, match="2 first sentences and 1 second ones"):
        caption_walk(model, ["first", "last"], "second")
    with pytest.raises(kg.InvalidInput, match="draws nothing between two sentences"):
        caption_walk(kg.GAN(CASE.spec, 3, width=2), "first", "second")
    model.save(tmp_path / "model.keras")
    words = ["latent", "captions", str(tmp_path / "model.keras"), "--from", "first", "--to", "third", "--rows", "2"]
    result = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "walk.png")])
    assert result.exit_code == 0 and (tmp_path / "walk.png").is_file(), result.output
    words = [
        "latent",
        "interpolate",
        str(tmp_path / "model.keras"),
        "--caption",
        "first",
        "--pairs",
        "2",
        "--steps",
        "3",
    ]
    result = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "noise.png")])
    assert result.exit_code == 0 and (tmp_path / "noise.png").is_file(), result.output


# --- the recipes -------------------------------------------------------------------------------------------------------------


SMALL = "shapes?objects=1&count=48"


TINY = {"width": "2", "batch_size": "12"}


def test_a_text_encoders_recipe_is_measured_by_retrieval(tmp_path):
    parts = {split: data.load(SMALL, split) for split in ("train", "test")}
    recipe = build("text_encoder_shapes", {**TINY, "features": "4", "image_width": "2"})
    encoder = recipe.model_for(parts["train"], steps=10)
    assert "circle" in encoder.caption.vocabulary and encoder.length == 128 and encoder.maps == (2, 2, 1)
    report = evaluate(encoder, *parts.values(), out=tmp_path / "report")
    names = [line["name"] for line in report["metrics"]]
    assert names == [f"caption_retrieval_1of10{part}_test" for part in ("_10", "_seen_5", "_held_out_5")]
    with pytest.raises(kg.InvalidInput, match="is a TextEncoder; give a classifier's run"):
        encoder.save(tmp_path / "encoder.keras")
        build("text_encoder_shapes", {"classifier": str(tmp_path / "encoder.keras")}).model_for(parts["train"], 10)


def test_the_model_is_trained_with_an_encoder_that_was_trained_before(tmp_path):
    words = ["train", "text_to_image_shapes", "--data", SMALL, "--out", str(tmp_path / "run"), "--fit-only"]
    settings = {**TINY, "generator_width": "2", "projection": "4", "latent_dim": "4", "epochs": "1"}
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    refused = CliRunner().invoke(main, [*words, "--set", f"encoder={tmp_path / 'none'}"])
    assert refused.exit_code == 2 and "keras-gen train text_encoder_shapes" in " ".join(refused.output.split())
    # No report and no artifact: those of its kind are measured above, and the contract suite exports the model.
    encoder = build("text_encoder_shapes", {**TINY, "features": "4", "image_width": "2"})
    encoder.model_for(data.load(SMALL), steps=10).save(tmp_path / "encoder.keras")
    result = CliRunner().invoke(main, [*words, "--set", f"encoder={tmp_path / 'encoder.keras'}"])
    assert result.exit_code == 0, result.output
    drawn = kg.load(tmp_path / "run").sample(2, caption="a small red circle on the left")
    assert drawn.shape == (2, 32, 32, 3)
    recipe = build("text_to_image_shapes", {"encoder": str(tmp_path / "encoder.keras")})
    with pytest.raises(kg.InvalidInput, match="was trained on 32x32x3 .* the data hold 64x64x3"):
        recipe.model_for(data.load("shapes?objects=1&count=10&side=64"), 10)
    with pytest.raises(kg.InvalidInput, match="holds no captions"):
        recipe.model_for(data.load("digits"), 10)
    with pytest.raises(kg.InvalidInput, match="is a TextToImageGAN; give a text encoder"):
        build("text_to_image_shapes", {"encoder": str(tmp_path / "run")}).model_for(data.load(SMALL), 10)


def test_recipes_name_the_papers_variants():
    names = ("matching", "mixing")
    recipe = build("text_to_image_shapes", {"matching": False})
    assert [getattr(recipe, name) for name in names] == [False, True]
    assert not build("text_to_image_flickr8k").mixing


def test_a_style_encoders_recipe_is_measured_and_drawn(tmp_path):
    CASE.shaken().save(tmp_path / "gan.keras")
    settings = {"text_to_image": str(tmp_path / "gan.keras"), "width": "2"}
    recipe = build("style_encoder_shapes", settings)
    style = recipe.model_for(bars("train"), steps=4)
    style.fit(bars("train"), batch_size=16, verbose=0)
    report = evaluate(style, bars("train"), bars("test"), out=tmp_path / "report", samples=20)
    explained, ground = report["metrics"]
    assert [explained["name"], ground["name"]] == ["style_explained_20_test", "style_ground_correlation_20_test"]
    assert explained["value"] < 1 and -1 <= ground["value"] <= 1 and ground["same_noise_score"] <= 1
    assert list(report["pictures"]) == ["transfers"] and (tmp_path / "report" / "pictures" / "transfers.png").is_file()
    for data_set, change, match in (
        (data.load("shapes?objects=1&count=10"), {}, "makes 4x4x1 .* the data hold 32x32x3"),
        (data.load("digits"), {}, "holds no captions"),
        (bars("train"), {"text_to_image": str(tmp_path / "none")}, "keras-gen train text_to_image_shapes"),
    ):
        with pytest.raises(kg.InvalidInput, match=match):
            build("style_encoder_shapes", {**settings, **change}).model_for(data_set, 4)


def test_grounds_are_the_sides_and_correlate_where_they_go_together():
    images = np.full((3, 4, 4, 1), 9, np.uint8)
    images[:, 1:3, 1:3] = 200
    images[1, 0] += 16
    np.testing.assert_allclose(ground_of(images)[:, 0], [9, 9 + 16 * 4 / 12, 9])
    values = np.random.default_rng(0).normal(size=(50, 3))
    assert correlation(values, 2 * values + [1, 2, 3]) == pytest.approx(1) and correlation(
        values, -values
    ) == pytest.approx(-1)
    assert correlation(values, np.ones((50, 3))) == 0 and abs(correlation(values, values[::-1])) < 0.3
    assert correlation(values, values**3) == pytest.approx(_by_numpy(values, values**3))


def _by_numpy(left, right):
    flat = [(side - side.mean(axis=0)).ravel() for side in (left, right)]
    return np.corrcoef(*flat)[0, 1]
