"""Trained models that come with the package: what ships is what was measured, and how one is made."""

import dataclasses
import json
import os
import re
import shutil

import numpy as np
import pytest
from cases import CASES
from click.testing import CliRunner
from PIL import Image

import keras_gen as kg
from keras_gen import data, presets
from keras_gen import preset_making as making
from keras_gen.cli import main
from keras_gen.core.files import sha256
from keras_gen.exporters.small_file import rounded

MADE = presets.names()


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("name", MADE)
def test_a_preset_draws_and_scores_as_its_card_says(name):
    card = presets.card(name)
    model = kg.load(f"preset:{name}")
    assert type(model).__name__ == card["report"]["model"]["class"] and model.dtype_policy.name == "float32"
    wanted = [key for key, kind in model.condition_spec().items() if kind.defaults(1) is None]
    if model.noise_spec() and not wanted:
        images = model.sample(4, seed=1)
        assert images.shape == (4, *model.image_spec.shape) and len(np.unique(images)) > 1
    source = card["run"]["settings"]["data"]
    if source.partition("?")[0] not in ("digits", "drawn_shapes", "shapes") and "TFDS_DATA_DIR" not in os.environ:
        pytest.skip(f"{source} is not here: set TFDS_DATA_DIR to measure this preset")
    data = {split: kg.data.load(source, split) for split in ("train", "test")}
    if wanted:
        given = {key: data["test"].features[key][:4] for key in wanted}
        if model.is_sampled():
            images = model.sample(4, seed=1, **given)
        else:
            images = model.transfer(data["test"].images[:4], given["caption"])
        assert images.shape == (4, *model.image_spec.shape) and len(np.unique(images)) > 1
    found = making.measured_check(model, data, card["check"]["metric"])["check"]
    assert found["line"] == card["check"]["line"]
    assert found["value"] == pytest.approx(card["check"]["value"], rel=1e-3, abs=1e-4)


def test_presets_fit_their_place():
    assert "vae_digits" in MADE, "the one that needs no data set"
    sizes = {name: (presets.FOLDER / f"{name}.keras").stat().st_size for name in MADE}
    assert max(sizes.values()) <= making.LARGEST and sum(sizes.values()) <= making.LARGEST_IN_ALL
    listed = invoke("list").output
    for name in MADE:
        assert sizes[name] == presets.card(name)["bytes"] and name in listed


@pytest.mark.parametrize("name", MADE)
def test_the_readme_shows_a_preset_with_its_numbers(name):
    from keras_gen.evaluation.results_table import rows

    root = presets.FOLDER.parent.parent
    card, text = presets.card(name), (root / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    metric, value, *_ = next(iter(rows(card["report"])))
    assert f"{metric} {value}" in row and f"{card['bytes'] / 1e6:.1f} MB" in row
    assert (root / re.search('src="(.*?)"', row)[1]).is_file()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder, and an empty place for presets."""
    folder = tmp_path / "run"
    words = ["train", "vae_digits", "--set", "epochs=2", "--set", "units=8", "--fit-only", "--out", folder]
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    monkeypatch.setattr(presets, "FOLDER", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_run_becomes_a_preset_that_every_command_takes(run, tmp_path):
    result = invoke("preset", "make", run, "--name", "tiny")
    assert result.exit_code == 0, result.output
    file = tmp_path / "presets" / "tiny.keras"
    card = presets.card("tiny")
    assert card["sha256"] == sha256(file) and card["bytes"] == file.stat().st_size
    assert card["run"]["recipe"] == "vae_digits" and card["report"]["epochs"] == 2
    whole, small = kg.load(run), kg.load("preset:tiny")
    assert not small.compiled
    for one, other in zip(whole.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=2**-8)
        assert one.ndim < 2 or not (other.view(np.uint32) & 0xFFFF).any()  # bfloat16's digits
    assert json.loads((run / "report.json").read_text())["preset"]["sha256"] == card["sha256"]
    for words in (
        ("sample", "preset:tiny", "-n", 4, "--out", "sample.png"),
        ("latent", "interpolate", "preset:tiny", "--out", "walk.png"),
        ("preset", "draw", "-n", 4, "--out", "grids"),
        ("evaluate", "preset:tiny", "--metrics", "elbo"),
        ("export", "preset:tiny", "--to", "onnx"),
    ):
        result = invoke(*words)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "grids" / "tiny.png").read_bytes() == (tmp_path / "sample.png").read_bytes()
    made = tmp_path / "runs" / "preset-tiny"
    report = json.loads((made / "report.json").read_text())
    assert report["epochs"] == 2 and report["command"] == card["run"]["command"]
    assert report["metrics"][0]["value"] == pytest.approx(card["report"]["metrics"][0]["value"])
    assert (made / "artifact" / "onnx" / "sample.onnx").is_file()


@pytest.mark.parametrize("model", [kg.GAN, kg.TextToImageGAN], ids=lambda model: model.__name__)
def test_a_preset_has_averages_in_place_of_what_they_are_averages_of(model):
    case = next(case for case in CASES if case.model is model and case.arguments.get("ema_decay"))
    whole = case.shaken()
    whole.fit(case.data(16), batch_size=8, verbose=0)
    small = rounded(whole)
    assert small.ema_decay is None and not small.averages and whole.averages
    for network, average, moved in zip(small.generator_side, whole.averages, whole.generator_side, strict=True):
        pairs = list(zip(network.get_weights(), average.get_weights(), moved.get_weights(), strict=True))
        assert any(np.abs(mine - its).max() > 1e-5 for _, mine, its in pairs)
        for one, other, _ in pairs:
            np.testing.assert_allclose(one, other, rtol=2**-8)
    for network, other in zip(small.discriminator_side, whole.discriminator_side, strict=True):
        for one, its in zip(network.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(one, its, rtol=2**-8)
    if model is kg.TextToImageGAN:
        np.testing.assert_allclose(small.embed_captions("first"), whole.embed_captions("first"), rtol=0.05, atol=0.01)


def test_what_data_may_not_be_passed_on_makes_no_preset(run, tmp_path, monkeypatch):
    whole = data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: dataclasses.replace(whole(*a, **k), redistributable=False))
    result = invoke("preset", "make", run, "--name", "tiny")
    assert result.exit_code == 2 and "was trained on digits, whose terms do not let" in result.output
    assert not (tmp_path / "presets").exists() and not (run / "report.json").exists()


def test_presets_that_are_shown_images_are_drawn_where_those_are(tmp_path, monkeypatch):
    from keras_gen import runner

    for name in ("pix2pix_shapes", "style_encoder_shapes"):
        drawn = runner.draw_preset(name, 4, 0, tmp_path / f"{name}.png")
        with Image.open(drawn) as picture:
            assert picture.height > 1.9 * picture.width  # sources above, images below

    def missing(name, split):
        raise kg.InvalidInput(f"{name} is not here")

    monkeypatch.setattr("keras_gen.data.load", missing)
    assert runner.draw_preset("pix2pix_shapes", 4, 0, tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def test_what_is_no_preset_is_said(run, tmp_path, monkeypatch):
    shutil.copytree(presets.__path__[0], presets.FOLDER, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    with pytest.raises(kg.InvalidInput, match="Unknown preset 'vae_digit'.*Did you mean 'vae_digits'"):
        kg.load("preset:vae_digit")
    with pytest.raises(kg.InvalidInput, match="Unknown preset '../run'"):
        kg.load("preset:../run")
    file = presets.FOLDER / "vae_digits.keras"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(kg.InvalidInput, match="wrong SHA-256"):
        kg.load("preset:vae_digits")
    file.unlink()
    assert "vae_digits.keras is missing" in invoke("sample", "preset:vae_digits", "--out", "x.png").output
    assert "small letters" in invoke("preset", "make", run, "--name", "../up").output
    monkeypatch.setattr(making, "LARGEST", 1000)
    assert "above 0 MB; it is not made" in invoke("preset", "make", run, "--name", "heavy").output
    assert not (presets.FOLDER / "heavy.keras").exists()
    (presets.FOLDER / "vae_digits.json").write_text("[]")
    with pytest.raises(kg.InvalidInput, match="no card of a preset"):
        kg.load("preset:vae_digits")
