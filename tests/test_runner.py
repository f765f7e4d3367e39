"""The run folder and the command line: what they make, what they refuse, and that nothing made is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import keras_gen as kg
from keras_gen import runner
from keras_gen.cli import main
from keras_gen.core.locks import locked
from keras_gen.core.pictures import image_grid, save_picture
from keras_gen.recipes import RECIPES
from keras_gen.training.checkpoints import found, load_latest
from keras_gen.training.history import read_history

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TINY_VAE = {"epochs": "2", "batch_size": "128", "units": "8", "samples": "100"}
TINY_GAN = {"epochs": "2", "batch_size": "256", "width": "4", "latent_dim": "4"}


def arguments(settings):
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words):
    """The error text of a command that must fail cleanly."""
    result = invoke(*words)
    assert result.exit_code == 2, result.output
    # A run that had begun has said so in a line before.
    last = result.output.splitlines()[-1] if " -> " in result.output.splitlines()[0] else result.output
    assert last.startswith(("error: ", "Usage: ")) and "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One whole journey: train, report and export, through the command line."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    result = invoke("train", "vae_digits", *arguments(TINY_VAE), "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_a_run_folder_holds_all_that_is_promised(run):
    for name in ("recipe.json", "history.jsonl", "curves.png", "model.keras", "report.json", "artifact/manifest.json"):
        assert (run / name).is_file(), name
    assert [path.name for path in found(run / "checkpoints")] == ["epoch-00002.keras"]
    assert [path.name for path in (run / "samples").iterdir()] == ["epoch-00002.png"]
    record = json.loads((run / "recipe.json").read_text())
    assert record["settings"]["units"] == 8 and record["versions"]["keras"]
    history = read_history(run / "history.jsonl")
    assert [line["epoch"] for line in history] == [1, 2] and history[1]["loss"] < history[0]["loss"]
    report = json.loads((run / "report.json").read_text())
    names = {metric["name"].split("_")[0] for metric in report["metrics"]}
    assert {"elbo", "precision", "recall"} <= names
    assert report["command"].startswith("keras-gen train vae_digits --set epochs=2")
    for picture in (*run.rglob("*.png"),):
        with Image.open(picture) as image:
            assert min(image.size) >= 40, picture


def test_sample_evaluate_export_verify(run, tmp_path):
    assert invoke("sample", run, "-n", 9, "--seed", 3, "--out", tmp_path / "a.png").exit_code == 0
    assert invoke("sample", run / "model.keras", "-n", 9, "--seed", 3, "--out", tmp_path / "b.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert invoke("export", run, "--to", "onnx", "--out", tmp_path / "artifact").exit_code == 0
    result = invoke("verify", tmp_path / "artifact")
    assert result.exit_code == 0 and "verified" in result.output
    result = invoke("evaluate", run, "--samples", 50)
    assert result.exit_code == 0 and "precision_k3_50" in result.output
    earlier = json.loads((run / "report.json").read_text())["history"]
    assert [metric["name"] for metric in earlier[-1]["metrics"]][-1].startswith("nearest_train_distance_ratio")
    kept = tmp_path / "results"
    assert invoke("results", run, "--folder", kept, "--out", tmp_path / "RESULTS.md").exit_code == 0
    assert "| vae_digits | digits | elbo" in (tmp_path / "RESULTS.md").read_text()
    assert (kept / "vae_digits-samples.png").is_file()


def test_samples_of_one_class(run, tmp_path):
    model = kg.GatedPixelCNN(kg.ImageSpec(4, 4, 1, 4), filters=2, blocks=1, first_kernel=3, kernel_size=3, classes=3)
    model.save(tmp_path / "model.keras")
    words = ("sample", tmp_path / "model.keras", "-n", 4, "--seed", 3)
    assert invoke(*words, "--label", 2, "--out", tmp_path / "made.png").exit_code == 0
    images = model.sample(4, 3, label=2)
    save_picture(image_grid(images, model.image_spec, columns=2), tmp_path / "wanted.png")
    assert (tmp_path / "made.png").read_bytes() == (tmp_path / "wanted.png").read_bytes()
    assert "in [0, 2]" in refused(*words, "--label", 3, "--out", tmp_path / "none.png")
    assert "takes none" in refused("sample", run, "--label", 1, "--out", tmp_path / "none.png")


def test_an_artifact_is_measured_where_it_lies(run, tmp_path):
    words = ("--samples", 40, "--metrics", "fid, precision_recall", "--reference", "train", "--features", "pixels")
    result = invoke("evaluate", run / "artifact", *words)
    assert result.exit_code == 0 and "fid40_train_pixels" in result.output, result.output
    report = json.loads((run / "artifact-report" / "report.json").read_text())
    assert report["recipe"] == "vae_digits" and report["model"]["artifact"] == "onnx"
    assert {line["name"].split("_")[0] for line in report["metrics"]} == {"fid40", "precision", "recall"}
    assert invoke("verify", run / "artifact").exit_code == 0  # the report lies beside it
    alone = tmp_path / "alone"
    shutil.copytree(run / "artifact", alone)
    assert "name the data set with --data" in refused("evaluate", alone)
    result = invoke("evaluate", alone, *words, "--data", "digits", "--out", tmp_path / "out")
    assert result.exit_code == 0 and (tmp_path / "out" / "report.html").is_file(), result.output
    assert "Unknown metric 'fdi'" in refused("evaluate", run, "--metrics", "fdi")
    assert "Unknown split" in refused("evaluate", run, "--reference", "tset")


def test_dry_run_prints_every_setting_and_makes_nothing(tmp_path):
    result = invoke(
        "train", "dcgan_digits", "--set", "width=8", "--data", "mnist", "--out", tmp_path / "x", "--dry-run"
    )
    resolved = json.loads(result.output)
    assert resolved["settings"]["width"] == 8 and resolved["settings"]["data"] == "mnist"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_recipe_says_where_it_comes_from_and_resolves(recipe):
    from keras_gen.recipes.recipe import documentation

    text = documentation(recipe)
    assert any(authors in text for authors in ("et al.", "and Welling", "and Dhariwal"))
    assert "About" in text and "CPU" in text
    assert json.loads(invoke("train", recipe, "--dry-run").output)["recipe"] == recipe


@pytest.mark.parametrize(
    "recipe,settings",
    [
        ("vae_mnist", {"units": "8", "importance_samples": "5", "latent_dim": "4"}),
        ("autoencoder_mnist", {"latent_dim": "3", "components": "2"}),
        ("conditional_vae_mnist", {"units": "8", "latent_dim": "3", "mixtures": "2"}),
        ("dcgan_mnist", {"width": "4", "latent_dim": "4"}),
        ("gan_2014_mnist", {"width": "4", "latent_dim": "4"}),
        ("wgan_mnist", {"width": "4", "latent_dim": "4"}),
        ("sngan_classes_mnist", {"width": "4", "latent_dim": "4"}),
        ("biggan_mnist", {"width": "1", "shared_embedding": "4", "critic_steps": "1"}),
        ("progan_mnist", {"width": "4", "maps": "16", "latent_dim": "4", "start": "8"}),  # one phase to compile
        ("gated_pixel_cnn_classes_mnist", {"filters": "4", "blocks": "1", "mixtures": "2"}),
        ("classifier_mnist", {"width": "4", "features": "4"}),
        ("classifier_cifar10", {"width": "4", "features": "4"}),
        ("classifier_anime_hair", {"width": "4", "features": "4"}),
    ],
)
def test_the_larger_recipes_run(recipe, settings, tmp_path):
    """Quick, on data that needs no download: the recipe's own model, loop, report and export."""
    words = arguments({**settings, "epochs": "1", "batch_size": "64", "samples": "64"})  # as many as a grid has
    result = invoke("train", recipe, *words, "--data", "digits", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["published"] == []  # those are of MNIST
    assert (tmp_path / "run" / "report.html").is_file()
    assert list((tmp_path / "run" / "artifact" / "onnx").glob("*.onnx"))


@pytest.mark.parametrize(
    "recipe,settings",
    [
        ("pixel_cnn_mnist", {"filters": "4", "blocks": "1"}),
        ("pixel_cnn_pp_mnist", {"filters": "4", "resnets": "1"}),
        ("row_lstm_mnist", {"filters": "4", "layers_deep": "1", "first_kernel": "5", "optimizer": "adam"}),
        ("diagonal_bilstm_mnist", {"filters": "8", "layers_deep": "1", "first_kernel": "5"}),
    ],
)
def test_the_deep_recipes_train_and_are_measured(recipe, settings, tmp_path):
    """Their samplers take XLA minutes to compile; report and export of such a one are those of the gated recipe above, and the
    contract suite exports each model."""
    words = arguments({**settings, "epochs": "1", "batch_size": "64", "sample_every": "2"})
    fitted = invoke("train", recipe, *words, "--data", "digits", "--out", tmp_path / "run", "--fit-only")
    assert fitted.exit_code == 0, fitted.output
    measured = invoke("evaluate", tmp_path / "run", "--metrics", "nll")
    assert measured.exit_code == 0, measured.output
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["published"] == [] and (tmp_path / "run" / "report.html").is_file()
    lines = report["metrics"]
    assert [line["name"] for line in lines][:1] == ["nll_359_test"] and np.isfinite(lines[0]["value"])


@pytest.mark.parametrize(
    "words,message",
    [
        (["train", "vae_digit"], "Did you mean 'vae_digits'"),
        (["train", "vae_digits", "--set", "epoch=3"], "It has: data, epochs"),
        (["train", "vae_digits", "--set", "epochs=many"], "valid integer"),
        (["train", "vae_digits", "--set", "epochs=0"], "greater than 0"),
        (["train", "vae_digits", "--set", "dtype=int8"], "float32"),
        (["train", "dcgan_digits", "--set", "objective=least"], "minimax"),
        (["train", "vae_digits", "--set", "epochs"], "KEY=VALUE"),
        (["train", "vae_digits", "--data", "digit"], "Did you mean 'digits'"),
        (["train", "vae_digits", "--resume"], "give its folder as --out"),
        (["sample", "/no/such/run", "--out", "x.png"], "does not exist"),
        (["sample", "/no/such/run", "--out", "x.jpg"], "not a .png"),
        (["evaluate", "/no/such/run"], "no run folder"),
        (["export", "/no/such/run"], "no run folder"),
        (["verify", "/no/such/artifact"], "artifact"),
    ],
)
def test_bad_words_on_the_command_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(*words)
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    assert "--download" in refused("train", "dcgan_mnist", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_left_alone(run, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert "in use by recipe 'vae_digits'" in refused("train", "dcgan_digits", "--out", run)
    assert "add --resume" in refused("train", "vae_digits", *arguments(TINY_VAE), "--out", run)
    changed = arguments({**TINY_VAE, "units": "9"})
    assert "begun with units=8" in refused("train", "vae_digits", *changed, "--out", run, "--resume")
    (tmp_path / "notes.txt").write_text("mine")
    assert "no run of this project" in refused("train", "vae_digits", "--out", tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def weights_of(folder):
    model = kg.load(folder)
    optimizers = [model.optimizer] if model.optimizer else [model.generator_optimizer, model.discriminator_optimizer]
    return [v.numpy() for v in [*model.variables, *(v for o in optimizers for v in o.variables)]]


def test_killed_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    """A real kill of a real process, in the middle of an epoch."""
    settings = arguments({**TINY_GAN, "epochs": "12", "checkpoint_every": "1"})
    command = [sys.executable, "-m", "keras_gen.cli", "train", "dcgan_digits", *settings, "--fit-only", "--out"]
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    process = subprocess.Popen([*command, str(killed)], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    while len(found(killed / "checkpoints")) < 2:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "model.keras").exists()
    for words in ([str(killed), "--resume"], [str(straight)]):
        subprocess.run([*command, *words], env=ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)
    for resumed, uninterrupted in zip(weights_of(killed), weights_of(straight), strict=True):
        np.testing.assert_array_equal(resumed, uninterrupted)
    assert [line["epoch"] for line in read_history(killed / "history.jsonl")] == list(range(1, 13))


@pytest.fixture
def checkpoints(tmp_path):
    """A finished run of three epochs with a checkpoint after each of the last two."""
    out = tmp_path / "run"
    model = kg.VAE((8, 8, 1, 17), latent_dim=2, hidden=(4,))
    model.compile()
    from keras_gen.training.checkpoints import Checkpoints

    images = np.zeros((8, 8, 8, 1), np.uint8)
    model.fit(images, batch_size=8, epochs=3, verbose=0, callbacks=[Checkpoints(out, epochs=3)])
    return out


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "other model"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(checkpoints, damage, caplog):
    newest = found(checkpoints)[-1]
    like = kg.load(found(checkpoints)[0])
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 3] ^= 1
        newest.write_bytes(content)
    elif damage == "foreign":
        newest.write_bytes(b"not a model")
    else:
        kg.VAE((8, 8, 1, 17), latent_dim=3, hidden=(4,)).save(newest)
    model, epoch = load_latest(checkpoints, like=like)
    assert epoch == 2 and model.optimizer.iterations.numpy() == 2
    assert newest.name in caplog.text and "Falling back" in caplog.text


def test_no_usable_checkpoint_is_said(checkpoints):
    for path in found(checkpoints):
        path.write_bytes(b"gone")
    with pytest.raises(kg.InvalidInput, match="No usable checkpoint.*epoch-00003"):
        load_latest(checkpoints)


def test_a_loss_that_turns_nan_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    """The rate is raised in mid-run, as a schedule of the user's own might."""
    from keras_gen.training import checkpoints

    class Explode(checkpoints.StopOnNaN):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if epoch == 2:
                self.model.optimizer.learning_rate.assign(float("inf"))

    monkeypatch.setattr(checkpoints, "StopOnNaN", Explode)
    for every, left in ((20, "no checkpoint yet"), (1, "epoch-00002.keras")):
        words = arguments({**TINY_VAE, "epochs": "60", "checkpoint_every": every})
        output = refused("train", "vae_digits", *words, "--out", tmp_path / str(every))
        assert "at step 2 of epoch 3" in output and left in output
    assert all(np.isfinite(weight).all() for weight in weights_of(tmp_path / "1"))


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    """The kernel refuses to grow a file beyond 20 kB, as a full disk would: no checkpoint fits any more."""
    out = tmp_path / "run"
    words = ["train", "vae_digits", *arguments({**TINY_VAE, "epochs": "3", "checkpoint_every": "1"}), "--out", str(out)]
    full = invoke("train", "vae_digits", *arguments({**TINY_VAE, "checkpoint_every": "1"}), "--out", out, "--fit-only")
    assert full.exit_code == 0, full.output
    record = json.loads((out / "recipe.json").read_text())
    record["settings"]["epochs"] = 3  # as if it had been stopped after two of three
    (out / "recipe.json").write_text(json.dumps(record))
    before = {path.name: path.read_bytes() for path in found(out / "checkpoints")}
    program = (
        "import resource, signal\n"
        "from keras_gen.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"main({[*words, '--resume', '--fit-only']!r})\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT)
    assert result.returncode == 2, result.stderr[-800:]
    assert "error: Could not write" in result.stderr and "File too large" in result.stderr
    assert before == {path.name: path.read_bytes() for path in (out / "checkpoints").iterdir()}


def test_a_folder_is_never_replaced_by_a_file(run, tmp_path):
    """Refused before anything is loaded or drawn; what is in the folder stays."""
    (mine := tmp_path / "pics.png").mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for words in (
        ("sample", run, "--out", mine),
        ("latent", "manifold", run, "--out", mine),
        ("results", run, "--folder", tmp_path / "kept", "--out", mine),
    ):
        assert "is a folder, which a file cannot replace" in refused(*words)
    (note := tmp_path / "note").write_text("mine")
    assert "is no folder" in refused("evaluate", run, "--out", note)
    assert "is no folder" in refused("export", run, "--out", note)
    assert "is no folder" in refused("results", run, "--folder", note)
    assert "is no folder" in refused("train", "vae_digits", "--out", note)
    (readme := tmp_path / "README.md").write_text("# My project")
    assert "something else" in refused("results", run, "--folder", tmp_path / "kept", "--out", readme)
    assert (mine / "thesis.txt").exists() and note.read_text() == "mine" and readme.read_text() == "# My project"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "note", "pics.png"]


def test_a_run_in_use_is_left_alone(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with locked(run):
        words = ("train", "vae_digits", *arguments(TINY_VAE), "--out", run, "--resume")
        for refused_words in (words, ("evaluate", run), ("evaluate", run / "artifact"), ("export", run)):
            assert f"in use by process {os.getpid()} on" in refused(*refused_words)
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


@pytest.mark.parametrize(
    "recipe,settings,message",
    [
        ("vae_digits", {"batch_size": "5000"}, "batch_size from 1 to"),
        ("dcgan_digits", {"batch_size": "1000", "critic_steps": "2"}, "(times 2 critic steps)"),
        ("vae_digits", {"seed": "-1"}, "seed='-1' does not fit recipe 'vae_digits': give a number of at least 0"),
        ("vae_digits", {"seed": str(2**32)}, "give a number less than 4294967296"),
        ("vae_digits", {"units": str(10**9)}, "does not fit into memory"),
    ],
)
def test_a_refused_start_leaves_nothing(recipe, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("train", recipe, *arguments(settings))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_measured_is_refused_before_the_run_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evaluation, build = {"samples": 100, "metrics": ["fdi"]}, runner.build

    class Measured:
        """The recipe with other options of its report."""

        def __init__(self, *given):
            self.recipe, self.evaluation = build(*given), evaluation

        def __getattr__(self, name):
            return getattr(self.recipe, name)

    monkeypatch.setattr(runner, "build", Measured)
    assert "Unknown metric 'fdi'" in refused("train", "vae_digits", *arguments(TINY_VAE))
    evaluation |= {"metrics": None, "samples": 1}
    assert "samples=1; give an integer of at least" in refused("train", "vae_digits", *arguments(TINY_VAE))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words,message",
    [
        (("sample", "RUN", "-n", 0), "n=0; give an integer from 1 to"),
        (("sample", "RUN", "-n", -3), "n=-3; give an integer from 1 to"),
        (("sample", "RUN", "-n", 10**9), "fit into 1 GiB"),
        (("sample", "RUN", "-n", 10**400), "give an integer from 1 to"),
        (("sample", "RUN", "--seed", -1), "not in the range"),
        (("sample", "RUN", "--seed", 2**32), "not in the range"),
        (("latent", "interpolate", "RUN", "--pairs", 10**9), "fit into 1 GiB"),
        (("latent", "traverse", "RUN", "--steps", 10**9), "fit into 1 GiB"),
        (("latent", "manifold", "RUN", "--side", 10**6), "fit into 1 GiB"),
        (("latent", "arithmetic", "RUN", "--plus", 1, "--minus", 2, "--add", 3, "--draws", 10**9), "fit into 1 GiB"),
        (("sample", "a\0b"), "NUL byte"),
        (("sample", "x" * 300), "too long"),
        (("sample", "a\udcff"), "no UTF-8"),
    ],
)
def test_numbers_and_names_that_cannot_be(run, tmp_path, words, message):
    assert message in refused(*(run if word == "RUN" else word for word in words), "--out", tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda report: [report], "report.json is no report"),
        (lambda report: {**report, "schema": "x"}, "schema"),
        (lambda report: {**report, "metrics": {}}, "metrics"),
        (lambda report: {**report, "metrics": [{**report["metrics"][0], "value": "high"}]}, "metrics.0.value"),
        (lambda report: {**report, "metrics": [{**report["metrics"][0], "interval": [1]}]}, "metrics.0.interval"),
        (lambda report: {**report, "recipe": "../../escaped"}, "recipe"),
        (lambda report: {key: value for key, value in report.items() if key != "command"}, "command"),
        (lambda report: {**report, "epochs": "many"}, "epochs"),
    ],
)
def test_a_damaged_report_is_one_clear_error(run, tmp_path, change, message):
    report = json.loads((run / "report.json").read_text())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.json").write_text(json.dumps(change(report)))
    output = refused("results", tmp_path / "run", "--folder", tmp_path / "kept")
    assert message in output.replace("\n", "") and not (tmp_path / "kept").exists()
    for content in (b"\xff", b"[" * 100_000, b"{"):
        (tmp_path / "run" / "report.json").write_bytes(content)
        assert "is damaged" in refused("results", tmp_path / "run")


def test_kept_reports_lie_in_a_folder_of_their_own(run, tmp_path):
    (tmp_path / "package.json").write_text("{}")
    assert "package.json is no report" in refused("results", run, "--folder", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["package.json"]


def test_a_disk_full_of_a_saved_model_is_said(run, tmp_path):
    """TensorFlow writes the weights by itself, beyond 20 kB here, and has an error of its own for that."""
    program = (
        "import resource, signal, sys\n"
        "from keras_gen.cli import main\n"
        "from keras_gen.loading import load\n"
        "load(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))\n"
        "main(['export', *sys.argv[1:]])\n"
    )
    words = [str(run), "--to", "saved_model", "--out", str(tmp_path / "artifact")]
    result = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, env=ENVIRONMENT)
    assert result.returncode == 2, result.stderr[-800:]
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert (
        len(lines) == 1 and "Could not write" in lines[0] and "File too large" in lines[0] and "tables" not in lines[0]
    )
    assert not list(tmp_path.iterdir())


def test_help_and_list_answer_without_tensorflow():
    for words in (["--help"], ["train", "--help"], ["list"]):
        program = (
            "import sys\nfrom keras_gen.cli import main\n"
            f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
            "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=ENVIRONMENT)


def test_load_says_what_it_found(tmp_path):
    with pytest.raises(kg.InvalidInput, match="does not exist"):
        kg.load(tmp_path / "nothing")
    with pytest.raises(kg.InvalidInput, match="holds no model.keras"):
        kg.load(tmp_path)
    (tmp_path / "bad.keras").write_bytes(b"PK")
    with pytest.raises(kg.InvalidInput, match=r"bad\.keras is not a whole"):
        kg.load(tmp_path / "bad.keras")


def test_every_model_loads_in_a_process_that_has_seen_none(tmp_path):
    from cases import CASES

    models = {case.model: case for case in CASES}
    for case in models.values():
        # Files name their optimizers too.
        optimizer = kg.Muon if case.optimizers == 1 else kg.Adam
        case.build(optimizer).save(tmp_path / f"{case.name}.keras")
    loads = "import sys, keras_gen as kg; print(*(type(kg.load(path)).__name__ for path in sys.argv[1:]))"
    # One file a process would be the sharper test and a slow one; the loader knows all classes before the first file.
    files = [str(tmp_path / f"{case.name}.keras") for case in models.values()]
    result = subprocess.run([sys.executable, "-c", loads, *files], capture_output=True, text=True, env=ENVIRONMENT)
    assert result.stdout.split() == [model.__name__ for model in models], result.stderr
