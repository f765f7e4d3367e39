"""Pictures of any size through a translator: by tiles, from the command line, exported, and without TensorFlow."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import uniform_filter

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core import tiles
from keras_gen.core.inputs import Switch, input_of
from keras_gen.exporters.loaded_artifact import LoadedArtifact

RUNNERS = Path(__file__).parents[1] / "export" / "onnxruntime"
RANDOM = np.random.default_rng(0)


def stirred(model):
    model.set_weights([weight * 8.0 if weight.ndim > 1 else weight for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pix2pix from grey to colour and a CycleGAN, each live, as a file and as an artifact."""
    folder = tmp_path_factory.mktemp("translators")
    models = {
        "pix2pix": stirred(kg.Pix2Pix((8, 8, 3), (8, 8, 1, 17), width=2, patch_layers=0)),
        "cycle_gan": stirred(kg.CycleGAN((8, 8, 1, 17), (8, 8, 1), width=2, blocks=0, patch_layers=0)),
    }
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
        model.export(folder / name, format="onnx")
    return folder, models


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Of the model's size, larger, smaller and oblong; grey, in colour, transparent."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for name, shape in {"a.png": (8, 8), "b.png": (19, 8, 3), "below/c.png": (5, 30), "d.png": (8, 8, 4)}.items():
        Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return folder


def script():
    """``translate.py`` as its folder's other scripts see it."""
    sys.path.insert(0, str(RUNNERS))
    try:
        spec = importlib.util.spec_from_file_location("translate_script", RUNNERS / "translate.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(RUNNERS))
        sys.modules.pop("draw", None)
        sys.modules.pop("tiles", None)
    return module


# --- tiles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 57, 3), (16, 16, 1), (17, 64, 2), (100, 16, 1)])
@pytest.mark.parametrize("overlap", [8, 12, None])
def test_tiles_are_the_whole_away_from_borders(shape, overlap):
    """Of a mean over 3x3 pixels, which sees one pixel around: a quarter of an overlap of 4 and more."""
    picture = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    calls = []

    def blurred(batch):
        calls.append(len(batch))
        assert batch.shape[1:] == (16, 16, shape[2])
        return np.round(uniform_filter(batch.astype(float), (0, 3, 3, 0), mode="constant")).astype(np.uint8)

    whole = np.round(uniform_filter(picture.astype(float), (3, 3, 0), mode="constant")).astype(np.uint8)
    np.testing.assert_array_equal(tiles.tiled(blurred, picture, (16, 16), overlap), whole)
    assert len(calls) == 1


def test_tiles_that_disagree_leave_no_seam():
    """Each tile has a brightness of its own; from pixel to pixel no step is larger than the ramp's."""
    levels = iter((0, 200, 100, 40, 160, 80, 20, 180, 60))
    picture = np.zeros((32, 32, 1), np.uint8)
    whole = tiles.tiled(
        lambda batch: np.stack([np.full((16, 16, 1), next(levels), np.uint8) for _ in batch]), picture, (16, 16), 8
    )
    steps = [np.abs(np.diff(whole[..., 0].astype(int), axis=axis)).max() for axis in (0, 1)]
    assert max(steps) <= np.ceil(200 / 4) + 1 and len(np.unique(whole)) > 9


def test_places_cover_a_side_with_the_overlap_that_was_asked_for():
    for side in range(16, 90):
        places = tiles.starts(side, 16, 5)
        assert places[0] == 0 and places[-1] + 16 == side
        assert all(0 < after - before <= 11 for before, after in zip(places, places[1:]))


def test_small_pictures_are_mirrored_and_cut_again():
    picture = RANDOM.integers(0, 256, (5, 30, 1), dtype=np.uint8)
    np.testing.assert_array_equal(tiles.tiled(lambda batch: batch, picture, (16, 16)), picture)


def test_the_runners_tiles_are_the_packages():
    assert (RUNNERS / "tiles.py").read_bytes() == Path(tiles.__file__).read_bytes()


# --- live and exported ---------------------------------------------------------------------------------------------------


def test_artifacts_translate_as_their_models_do(made):
    folder, models = made
    grey, colour = (RANDOM.integers(0, top, (5, 8, 8, 1), dtype=np.uint8) for top in (17, 256))
    artifact, model = LoadedArtifact(folder / "pix2pix"), models["pix2pix"]
    for options in ({"seed": 3}, {"deterministic": True}, {"deterministic": [0, 1, 0, 1, 1], "seed": 1}):
        close(artifact.translate(grey, **options), model.translate(grey, **options))
    close(artifact.sample(5, seed=3, source=grey), model.translate(grey, seed=3))
    assert not hasattr(artifact, "translate_ab")
    artifact, model = LoadedArtifact(folder / "cycle_gan"), models["cycle_gan"]
    close(artifact.translate_ab(colour), model.translate_ab(colour))
    close(artifact.translate_ba(grey), model.translate_ba(grey))
    close(artifact.sample(5, source=colour), model.translate_ab(colour))
    assert artifact.noise_spec() == {}
    manifest = json.loads((folder / "cycle_gan" / "manifest.json").read_text())
    files = manifest["formats"]["onnx"]["files"]
    assert files["sample"] == files["translate_ab"] != files["translate_ba"]  # one graph, one file


def close(found, wanted):
    """But for values on a rounding border."""
    difference = np.abs(found.astype(int) - wanted.astype(int))
    assert found.shape == wanted.shape and difference.max() <= 1 and (difference > 0).mean() <= 0.01
    assert len(np.unique(wanted)) > 3


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    "name,options",
    [("pix2pix", ("--seed", 4)), ("pix2pix", ("--condition", "deterministic=1")), ("cycle_gan", ("--direction", "ba"))],
)
def test_a_folder_becomes_the_same_pictures_everywhere(made, pictures, tmp_path, name, options):
    folder, models = made
    names = ["a.png", "b.png", "below/c.png", "d.png"]
    for target, out in ((folder / f"{name}.keras", "live"), (folder / name, "artifact")):
        result = invoke("translate", target, "--images", pictures, "--out", tmp_path / out, *options)
        assert result.exit_code == 0 and f"Wrote 4 pictures to {tmp_path / out}" in result.output, result.output
    words = [str(word) for word in (folder / name, "--images", pictures, "--out", tmp_path / "script", *options)]
    assert script().main(words) == 0
    found = {}
    for out in ("live", "artifact", "script"):
        assert sorted(str(path.relative_to(tmp_path / out)) for path in (tmp_path / out).rglob("*.png")) == names
        found[out] = [np.asarray(Image.open(tmp_path / out / each)) for each in names]
    for live, artifact, by_script, each in zip(*found.values(), names):
        assert live.shape[:2] == Image.open(pictures / each).size[::-1]
        step = 255 // (
            models[name].translations()[f"translate{'_ba' if name == 'cycle_gan' else ''}"].image_spec.levels - 1
        )
        for other in (artifact, by_script):
            assert np.abs(live.astype(int) - other).max() <= step + 1
    if "--seed" in options:  # the model's own size goes through as it is, with the noise of its place
        source = np.round(np.asarray(Image.open(pictures / "a.png")) * (16 / 255)).astype(np.uint8)
        close(found["live"][0][None], models[name].translate(source[None, ..., None], seed=4))


def test_the_script_needs_no_tensorflow(made, pictures, tmp_path):
    command = [
        sys.executable,
        "-S",
        "-c",
        "import sys; sys.path += %r; import runpy; sys.argv[1:] = %r; runpy.run_path(%r, run_name='__main__')",
    ]
    site = [path for path in sys.path if "site-packages" in path]
    words = [str(made[0] / "cycle_gan"), "--images", str(pictures / "a.png"), "--out", str(tmp_path)]
    command[3] = command[3] % ([str(RUNNERS), *site], words, str(RUNNERS / "translate.py"))
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0 and "1 pictures" in result.stdout and "TensorFlow is not loaded" in result.stdout, (
        result
    )


@pytest.mark.parametrize(
    "words,message",
    [
        (("--images", "nowhere"), "nowhere is no folder and no picture"),
        (("--images", "empty"), "holds no picture; wanted files ending in .png"),
        (("--images", "broken"), "bad.png cannot be read"),
        (("--images", "twice"), "would both become|several pictures would become"),
        (
            ("--images", "PICTURES", "--direction", "ba"),
            "no endpoint 'translate_ba'|no translate ba; leave the direction out",
        ),
        (("--images", "PICTURES", "--condition", "z=1"), "takes no condition 'z'; it takes deterministic"),
        (("--images", "PICTURES", "--condition", "deterministic=2"), "out of range|from 0 to 1"),
    ],
)
def test_what_cannot_be_translated_is_one_clear_error(made, pictures, tmp_path, words, message, capsys):
    (tmp_path / "empty").mkdir()
    for name in ("broken", "twice"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    for suffix in ("png", "bmp"):
        Image.new("L", (8, 8)).save(tmp_path / "twice" / f"a.{suffix}")
    words = [
        pictures if word == "PICTURES" else tmp_path / word if word in ("nowhere", "empty", "broken", "twice") else word
        for word in words
    ]
    result = invoke("translate", made[0] / "pix2pix", *words, "--out", tmp_path / "out")
    assert result.exit_code == 2 and result.output.startswith("error: ") and result.output.count("\n") == 1, (
        result.output
    )
    assert script().main([str(word) for word in (made[0] / "pix2pix", *words, "--out", tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    for text in (result.output, said):
        assert any(part in text for part in message.split("|")), text
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".webp"])
def test_pictures_of_every_kind_are_translated_alike(made, tmp_path, suffix):
    (tmp_path / "in").mkdir()
    Image.fromarray(RANDOM.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "in" / f"a{suffix}")
    words = [made[0] / "pix2pix", "--images", tmp_path / "in", "--out"]
    assert invoke("translate", *words, tmp_path / "one").exit_code == 0
    assert script().main([str(word) for word in (*words, tmp_path / "two")]) == 0
    one, two = (np.asarray(Image.open(tmp_path / out / "a.png")) for out in ("one", "two"))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("place", [".", "link"])
def test_no_picture_is_replaced_by_its_translation(made, tmp_path, place, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.fromarray(RANDOM.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / "a.png")
    before = (folder / "a.png").read_bytes()
    (tmp_path / "link").symlink_to(folder)
    out = folder if place == "." else tmp_path / "link"
    for images in (folder, folder / "a.png"):
        words = [made[0] / "pix2pix", "--images", images, "--out", out]
        result = invoke("translate", *words)
        assert result.exit_code == 2 and "a.png is one of the pictures to translate" in result.output
        assert script().main([str(word) for word in words]) == 2
        assert "a.png is one of the pictures to translate" in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == before and len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("bad", ["picture", "place"])
def test_nothing_is_written_where_one_cannot_be(made, pictures, tmp_path, bad):
    """The last of several: what is wrong is seen before the first is translated."""
    shutil.copytree(pictures, tmp_path / "in")
    (tmp_path / "out").mkdir()
    if bad == "picture":
        (tmp_path / "in" / "z.png").write_bytes(b"no picture")
    else:
        (tmp_path / "out" / "d.png").mkdir()
    words = [made[0] / "pix2pix", "--images", tmp_path / "in", "--out", tmp_path / "out"]
    assert invoke("translate", *words).exit_code == 2
    assert script().main([str(word) for word in words]) == 2
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_other_models_do_not_translate(tmp_path, pictures):
    kg.GAN((8, 8, 1), latent_dim=2, width=2).save(tmp_path / "gan.keras")
    result = invoke("translate", tmp_path / "gan.keras", "--images", pictures, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "GAN has no translation; give a Pix2Pix or a CycleGAN" in result.output


# --- the switch ---------------------------------------------------------------------------------------------------------


def test_a_switch_is_off_unless_told():
    kind = Switch()
    np.testing.assert_array_equal(kind.defaults(3), [0, 0, 0])
    np.testing.assert_array_equal(kind.check("deterministic", True, 2), [1, 1])
    np.testing.assert_array_equal(kind.check("deterministic", [True, False]), [1, 0])
    assert kind.check("deterministic", np.array([1, 0, 1], np.int64)).dtype == np.int32
    assert input_of("deterministic", kind.describe()) == kind
    assert kind.parse("deterministic", "1") == 1 and not kind.of_data
    for wrong in (2, -1, 0.5, "on"):
        with pytest.raises(kg.InvalidInput, match="deterministic"):
            kind.check("deterministic", wrong, 1)


# --- recipes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe,changes",
    [
        ("pix2pix_shapes", {"downs": 2, "adversarial_weight": 0}),
        ("cycle_gan_maps", {"data": "unpaired:drawn_shapes", "blocks": 0, "identity_weight": 0}),
    ],
)
def test_a_recipe_trains_and_its_run_translates(recipe, changes, tmp_path):
    small = {"epochs": 1, "width": 1, "patch_layers": 0, "batch_size": 200, "augment": "none", "sample_every": 1}
    run = kg.runner.train(recipe, {**small, **changes}, out=tmp_path / "run", fit_only=True)
    assert (run / "samples" / "epoch-00001.png").is_file()
    (tmp_path / "in").mkdir()
    Image.fromarray(RANDOM.integers(0, 256, (40, 36), dtype=np.uint8)).save(tmp_path / "in" / "a.png")
    result = invoke("translate", run, "--images", tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0 and Image.open(tmp_path / "out" / "a.png").size == (36, 40), result.output


def test_recipes_say_what_data_they_want_and_how_rates_fall():
    from keras_gen.data import load
    from keras_gen.recipes.recipe import build

    with pytest.raises(kg.InvalidInput, match="digits holds no sources to translate; give pairs or two sets"):
        build("pix2pix_shapes").model_for(load("digits"), 10)
    recipe = build("colorize_cifar10", {"width": 1})
    data = load("drawn_shapes")
    model = recipe.model_for(data, 100)
    assert model.predicts == "colour" and model.adversarial_weight == 1.0
    for optimizer, rate in zip(model.optimizer.optimizers, (5e-4, 2e-4), strict=True):
        assert [float(optimizer._learning_rate(step)) for step in (0, 50, 75, 100)] == pytest.approx(
            [rate, rate, rate / 2, 0.0]
        )
    cycle = build("cycle_gan_maps", {"width": 1}).network(data.image_spec, data.image_spec)
    assert (cycle.adversarial_weight, cycle.order, cycle.pool_size) == (2.0, "generator_first", 50)
