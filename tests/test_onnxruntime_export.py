"""``export/onnxruntime/draw.py`` draws what the model draws, without the package it comes from."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_gen import GAN, VAE, GatedPixelCNN
from keras_gen.core import noise
from keras_gen.exporters import manifest as manifests

SCRIPT = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
COUNT = 70  # more than one batch of the script


def load_script():
    spec = importlib.util.spec_from_file_location("draw_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


draw_script = load_script()


def stirred(model):
    generator = np.random.default_rng(0)
    model.set_weights([weight + generator.uniform(0.0, 0.5, weight.shape) - 0.1 for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module", params=["grey VAE with pixel noise", "colour GAN", "class-conditional PixelCNN"])
def exported(request, tmp_path_factory):
    """A model and the folder of its artifact."""
    if "VAE" in request.param:
        model = stirred(VAE((8, 8, 1, 2), latent_dim=4, hidden=(16,), sample_pixels=True))
    elif "PixelCNN" in request.param:
        model = GatedPixelCNN((4, 5, 1, 2), 4, 1, classes=3)
    else:
        model = stirred(GAN((8, 8, 3, 17), latent_dim=4, width=8, ema_decay=0.9))
    path = tmp_path_factory.mktemp("artifact") / "a"
    model.export(path, format="onnx")
    return model, path


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    path = tmp_path_factory.mktemp("pristine") / "a"
    stirred(GAN((8, 8, 1, 17), latent_dim=4, width=8)).export(path, format=["onnx", "saved_model"])
    return path


@pytest.fixture
def artifact(pristine, tmp_path):
    return Path(shutil.copytree(pristine, tmp_path / "a"))


def run_script(*arguments, python=()) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *python, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def test_the_process_draws_what_the_model_draws(exported, tmp_path):
    model, path = exported
    result = run_script(path, "-n", COUNT, "--seed", 5, "--out", tmp_path / "g.png", python=("-X", "importtime"))
    assert result.returncode == 0, result.stderr
    assert re.search(rf"g\.png: {COUNT} images of seed 5 in [\d.]+ s; TensorFlow is not loaded\.", result.stdout)
    imported = {line.rsplit("|")[-1].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert {"numpy", "onnxruntime", "PIL"} <= imported
    assert not imported & {"tensorflow", "keras", "keras_gen", "onnx", "tf2onnx"}
    images, levels = draw_script.draw(path, COUNT, 5)
    wanted = model.sample(COUNT, seed=5)
    assert levels == model.image_spec.levels and images.dtype == np.uint8 and wanted.std() > 0
    difference = np.abs(images.astype(int) - wanted)
    assert difference.max() <= 1 and np.mean(difference > 0) <= 1e-3  # values on the border of rounding
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "g.png")), draw_script.grid(images, levels))
    assert [file.name for file in tmp_path.iterdir()] == ["g.png"]


def test_noise_is_the_models_bit_for_bit():
    spec = {"z": noise.Normal((4,)), "u": noise.Uniform((3, 5, 1))}
    inputs = {name: {"shape": [None, *kind.shape], **kind.describe()} for name, kind in spec.items()}
    parts = list(draw_script.input_batches(inputs, COUNT, seed=-3))
    assert [len(part["z"]) for part in parts] == [64, 6]
    for name, wanted in noise.draw(spec, COUNT, seed=-3).items():
        drawn = np.concatenate([part[name] for part in parts])
        assert drawn.dtype == wanted.dtype
        np.testing.assert_array_equal(drawn, wanted)


def test_the_protocol_is_the_projects():
    assert draw_script.DRAW == noise.DRAW
    assert draw_script.SCHEMA == manifests.SCHEMA


def test_the_script_imports_little():
    names = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "PIL"}


def test_grid_shows_levels_in_order():
    images = np.arange(17, dtype=np.uint8).reshape(17, 1, 1, 1).repeat(8, 1).repeat(8, 2)
    picture = draw_script.grid(images, 17)
    cell = 8 * 5 + draw_script.GAP  # 8 pixels enlarged to 40
    assert picture.shape == (4 * cell + draw_script.GAP, 5 * cell + draw_script.GAP)
    centres = picture[24::cell, 24::cell].ravel()
    np.testing.assert_array_equal(centres[:17], np.round(np.arange(17) * 255 / 16))
    assert set(centres[17:]) == {255}
    with pytest.raises(draw_script.Refused, match="2 channels"):
        draw_script.grid(np.zeros((1, 8, 8, 2), np.uint8), 17)


def change(path: Path, edit, sign: bool = True) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    edit(manifest)
    if sign:
        manifest["manifest_sha256"] = manifests.digest(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def flip_a_byte(path: Path) -> None:
    data = bytearray((path / "onnx/sample.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "onnx/sample.onnx").write_bytes(data)


def aim(name: str):
    return lambda path: change(path, lambda m: m["formats"]["onnx"]["files"].update(sample=name))


REFUSED = {
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "No such file"),
    "manifest cut": (lambda path: os.truncate(path / "manifest.json", 100), "no complete JSON"),
    "other schema": (lambda path: change(path, lambda m: m.update(schema="x/2")), "not of schema"),
    "other recipe": (lambda path: change(path, lambda m: m.update(draw="dice")), "unknown here \\(dice\\)"),
    "manifest changed": (lambda path: change(path, lambda m: m.update(model="X"), sign=False), "changed after"),
    "no onnx": (lambda path: change(path, lambda m: m["formats"].pop("onnx")), "holds no ONNX.*saved_model"),
    "file missing": (lambda path: (path / "onnx/sample.onnx").unlink(), "is missing"),
    "byte changed": (flip_a_byte, "wrong SHA-256"),
    "traversal": (aim("../a.onnx"), "outside the artifact"),
    "absolute": (aim("/etc/passwd"), "outside the artifact"),
    "an image wanted": (
        lambda path: change(path, lambda m: m["endpoints"]["sample"]["inputs"]["z"].update(distribution=None)),
        "cannot be drawn from a seed",
    ),
}


def refused(capsys, match: str, *arguments) -> None:
    assert draw_script.main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and re.search(match, lines[0]), lines


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_line(artifact, tmp_path, capsys, case):
    spoil, match = REFUSED[case]
    spoil(artifact)
    out = tmp_path / "g.png"
    out.write_bytes(older := draw_script.PNG + b"an older picture")
    refused(capsys, match, artifact, "-n", 2, "--out", out)
    assert out.read_bytes() == older


def test_refused_arguments(artifact, tmp_path, capsys):
    refused(capsys, "at least 1", artifact, "-n", 0, "--out", tmp_path / "g.png")
    refused(capsys, "at least 1", artifact, "--threads", 0, "--out", tmp_path / "g.png")
    refused(capsys, "is no folder", artifact, "-n", 2, "--out", tmp_path / "none" / "g.png")
    refused(capsys, "cannot write", artifact, "-n", 2, "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_a_place_that_is_not_ours_is_refused_before_anything_is_drawn(artifact, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(draw_script, "draw", lambda *_: pytest.fail("drawn before the place was looked at"))
    (folder := tmp_path / "pics.png").mkdir()
    (note := tmp_path / "thesis.png").write_text("years of work")
    (link := tmp_path / "link.png").symlink_to(note)
    for out, match in (
        (folder, "no file that a picture could replace"),
        (link, "no file that a picture could replace"),
        ("/dev/null", "no file that a picture could replace"),
        (note, "holds something that is no PNG"),
        (tmp_path / ("x" * 300 + ".png"), "name too long"),
        (tmp_path / "a\0b.png", "null"),
    ):
        refused(capsys, f"(?i){match}", artifact, "-n", 2, "--out", out)
    assert folder.is_dir() and note.read_text() == "years of work" and link.is_symlink()


def test_seeds_and_counts_that_cannot_be(artifact, tmp_path, capsys):
    out = tmp_path / "g.png"
    refused(capsys, "from 0 to", artifact, "--seed", -1, "--out", out)
    refused(capsys, "from 0 to", artifact, "--seed", 2**32, "--out", out)
    refused(capsys, r"GiB; give at most \d+", artifact, "-n", 10**9, "--out", out)
    assert not out.exists()


def test_checksums_can_be_left_out(artifact, tmp_path):
    change(artifact, lambda manifest: manifest["files"]["onnx/sample.onnx"].update(sha256="0" * 64), sign=False)
    out = tmp_path / "g.png"
    assert draw_script.main([str(artifact), "-n", "2", "--no-verify", "--out", str(out)]) == 0
    assert out.exists()


def test_a_refusal_of_the_process_has_exit_code_2(tmp_path):
    result = run_script(tmp_path, "--out", tmp_path / "g.png")
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "manifest.json" in result.stderr


def test_a_label_is_drawn_or_refused(pristine, tmp_path):
    model = GatedPixelCNN((4, 5, 1, 2), 4, 1, classes=3)
    model.export(tmp_path / "a", format="onnx")
    images, _ = draw_script.draw(tmp_path / "a", 6, seed=4, conditions={"label": "2"})
    np.testing.assert_array_equal(images, model.sample(6, seed=4, label=2))
    with pytest.raises(draw_script.Refused, match="label=3 is out of range; give integers from 0 to 2"):
        draw_script.draw(tmp_path / "a", 6, seed=4, conditions={"label": "3"})
    with pytest.raises(draw_script.Refused, match="takes no condition 'label'; it takes noise alone"):
        draw_script.draw(pristine, 6, seed=4, conditions={"label": "1"})
