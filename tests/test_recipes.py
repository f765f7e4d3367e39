"""Recipes as classes of settings: nothing changed on the way, all is said before anything starts, and a new one is short."""

import inspect
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, get_args

import pytest
from click.testing import CliRunner

import keras_gen as kg
from keras_gen import runner
from keras_gen.cli import main
from keras_gen.recipes import RECIPES, catalogue
from keras_gen.recipes.adversarial import GANRecipe
from keras_gen.recipes.dcgan import DCGANMNIST, DCGANDigits
from keras_gen.recipes.pixel_cnn_pp import PixelCNNPlusPlusCIFAR10, PixelCNNPlusPlusCIFAR10Full, PixelCNNPlusPlusReduced
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    Expected,
    PositiveInt,
    Published,
    Recipe,
    build,
    class_of,
    settings_of,
)
from keras_gen.target import Target

ROOT = Path(__file__).parent.parent
# What each recipe resolved to while it was a function: its settings, and what the runner made of them.
BEFORE = json.loads((ROOT / "tests" / "recipes_before_classes.json").read_text(encoding="utf-8"))
# A recipe.json of that time, whole.
OLD_RECORD = {
    "schema": "keras_gen/run/1",
    "recipe": "vae_digits",
    "settings": {
        "data": "digits",
        "epochs": 2,
        "batch_size": 128,
        "learning_rate": 0.002,
        "latent_dim": 2,
        "units": 8,
        "beta": 1.0,
        "dtype": "float32",
        "checkpoint_every": 1,
        "seed": 0,
    },
    "command": "keras-gen train vae_digits --set epochs=2 --set batch_size=128 --set units=8 --set checkpoint_every=1",
    "versions": {"keras_gen": "0.1.0", "python": "3.11.7", "keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    "commit": None,
    "started": "2026-11-02T10:11:12+0000",
}


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words):
    result = invoke(*words)
    assert result.exit_code == 2 and result.output.startswith("error: "), result.output
    return result.output


@pytest.fixture
def registry(monkeypatch):
    """``RECIPES``, as it was before the test afterwards."""
    monkeypatch.setattr(RECIPES, "_entries", dict(RECIPES._entries))
    return RECIPES


# --- nothing changed on the way -----------------------------------------------------------------------------------------


# Trained again since, with settings that reach the paper's number.
RETRAINED = {"vae_mnist"}


@pytest.mark.parametrize("name", sorted(set(BEFORE) - RETRAINED))
def test_no_default_changed(name):
    recipe, before = build(name), BEFORE[name]["experiment"]
    assert {key: recipe.settings()[key] for key in BEFORE[name]["settings"]} == BEFORE[name]["settings"]
    for key in ("data", "epochs", "batch_size", "seed", "augment", "checkpoint_every"):
        assert getattr(recipe, key) == before[key], key
    assert recipe.grid_every == before["sample_every"]
    # The report's own default, where a recipe said nothing.
    unsaid = inspect.signature(kg.evaluation.evaluate).parameters["samples"].default
    assert recipe.evaluation == {"samples": unsaid, **before["evaluation"]}
    assert [list(line) for line in recipe.published] == before["published"]


@pytest.mark.parametrize("name", BEFORE)
def test_an_old_record_is_read(name, tmp_path):
    """Every setting of another value than the default's, as a run with ``--set`` recorded it."""
    settings = {**BEFORE[name]["settings"], "epochs": 3, "seed": 7, "data": "digits", "learning_rate": 0.5}
    (tmp_path / "recipe.json").write_text(json.dumps({**OLD_RECORD, "recipe": name, "settings": settings}))
    recipe = Target.of(tmp_path).recipe
    assert {key: recipe.settings()[key] for key in settings} == settings


def test_an_old_run_goes_on_and_is_measured_and_exported(tmp_path):
    run = tmp_path / "run"
    changed = {"epochs": 1, "batch_size": 128, "units": 8, "checkpoint_every": 1}
    runner.train("vae_digits", changed, out=run, fit_only=True)
    (run / "recipe.json").write_text(json.dumps(OLD_RECORD))  # as if stopped after one of two epochs
    words = [word for key, value in {**changed, "epochs": 2}.items() for word in ("--set", f"{key}={value}")]
    # A setting that the old version did not have is compared at its default.
    assert "begun with samples=10000" in refused(
        "train", "vae_digits", *words, "--set", "samples=50", "--out", run, "--resume"
    )
    result = invoke("train", "vae_digits", *words, "--out", run, "--resume", "--fit-only")
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["epoch"] for line in (run / "history.jsonl").read_text().splitlines()] == [1, 2]
    (run / "recipe.json").write_text(json.dumps(OLD_RECORD))
    result = invoke("evaluate", run, "--samples", 40, "--metrics", "precision_recall")
    assert result.exit_code == 0, result.output
    assert json.loads((run / "report.json").read_text())["command"] == OLD_RECORD["command"]
    assert invoke("export", run, "--to", "onnx").exit_code == 0


def test_a_record_that_does_not_fit_says_what_to_do(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps({**OLD_RECORD, "settings": {"unit": 8}}))
    message = refused("evaluate", tmp_path)
    assert "has no setting 'unit'. Did you mean 'units'?" in message and "Correct that file" in message
    (tmp_path / "recipe.json").write_text(json.dumps({**OLD_RECORD, "recipe": "somebodys"}))
    assert "RECIPES.register('somebodys', its class)" in refused("evaluate", tmp_path)


# --- what is given is checked -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe,setting,messages",
    [
        ("vae_digits", "epoch=3", ["no setting 'epoch'", "Did you mean 'epochs'?", "It has: data, epochs"]),
        ("dcgan_digits", "widht=3", ["no setting 'widht'", "Did you mean 'width'"]),
        ("vae_digits", "epochs=1.5", ["epochs='1.5' does not fit recipe 'vae_digits': give a valid integer"]),
        ("vae_digits", "learning_rate=0", ["greater than 0"]),
        ("vae_digits", "learning_rate=nan", ["give a finite number"]),
        ("vae_digits", "beta=inf", ["give a finite number"]),
        ("vae_digits", "beta=-1", ["at least 0"]),
        ("vae_digits", "epochs=none", ["valid integer"]),
        ("vae_digits", "samples=3", ["at least 4"]),
        ("vae_digits", f"seed={2**32}", ["less than"]),
        ("vae_digits", "augment=flop", ["give 'flip'"]),
        ("pixel_cnn_pp_mnist", "dropout=1", ["less than 1"]),
        ("classifier_mnist", "binarize=1.5", ["at most 1"]),
        ("dcgan_digits", "objective=least", ["objective='least' does not fit", "minimax"]),
        ("dcgan_digits", "ema_decay=high", ["give a number"]),
        ("pixel_cnn_pp_cifar10_full", "optimizer=muon", ["give 'adam'"]),
    ],
)
def test_bad_settings(recipe, setting, messages):
    output = refused("train", recipe, "--set", setting, "--dry-run")
    assert all(message in output for message in messages) and "pydantic" not in output, output


def test_python_gets_the_same_words_for_all_that_is_wrong():
    with pytest.raises(kg.InvalidInput) as caught:
        DCGANDigits(epoch=3, bach_size=2, width=0, seed=True)
    text = str(caught.value)
    assert "'epoch', 'bach_size'" in text and "'epochs' or 'batch_size'" in text and text.count("It has:") == 1
    assert "width=0 does not fit recipe 'dcgan_digits'" in text and "seed=True" in text


@pytest.mark.parametrize("name", list(RECIPES))
def test_what_is_printed_makes_the_same_recipe_again(name):
    """Through JSON, and through the command that the run folder keeps."""
    settings = {"data": "image_folder:/my pictures", "seed": "3", "samples": "40", "sample_every": "none"}
    printed = invoke("train", name, *(f"--set={key}={value}" for key, value in settings.items()), "--dry-run").output
    record = json.loads(printed, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert settings_of(name, record["settings"]) == record["settings"]
    assert record["settings"]["seed"] == 3 and record["settings"]["sample_every"] is None
    words = [word.strip("'") for word in re.findall(r"'[^']*'|[^ ]+", record["command"])]
    assert json.loads(invoke(*words[1:], "--dry-run").output)["settings"] == record["settings"]


def test_none_is_a_value_where_a_setting_may_be_none():
    assert build("dcgan_digits", {"ema_decay": "none"}).ema_decay is None
    assert build("vae_digits", {"data": "none"}).data == "none"
    assert "--set ema_decay=None" in runner.resolve("dcgan_digits", {"ema_decay": None})["command"]


def test_augmentations_are_those_of_the_data():
    from keras_gen.core.image_data import AUGMENTATIONS

    assert get_args(Augmentation) == AUGMENTATIONS


# --- full size, reduced, and one's own ------------------------------------------------------------------------------------


def test_full_size_and_reduced_are_two_classes_of_one_network():
    """The paper's size holds without a word said in the recipe: the network's own defaults are the paper's."""
    full, reduced = PixelCNNPlusPlusCIFAR10Full(), PixelCNNPlusPlusCIFAR10()
    defaults = inspect.signature(kg.PixelCNNPlusPlus.__init__).parameters
    for key in ("filters", "resnets", "dropout"):
        assert getattr(full, key) == defaults[key].default, key
    assert (full.batch_size, full.learning_rate, full.beta_1, full.beta_2) == (128, 1e-3, 0.95, 0.9995)
    assert full.published == reduced.published and (reduced.filters, reduced.resnets, reduced.dropout) == (32, 2, 0.0)
    tiny = build(full, {"filters": 4, "resnets": 1})
    model = tiny.model(kg.ImageSpec(8, 8, 1, 17), steps=10)
    assert (model.filters, model.resnets, model.dropout) == (4, 1, 0.5)
    assert isinstance(model.optimizer, kg.Adam) and (model.optimizer.beta_1, model.optimizer.beta_2) == (0.95, 0.9995)


def test_numbers_are_not_inherited():
    class Elsewhere(DCGANMNIST):
        """DCGAN on Fashion-MNIST."""

        data: str = "fashion_mnist"

    assert DCGANMNIST.expected and DCGANMNIST.cost
    assert Elsewhere.published == () and Elsewhere.expected is None and Elsewhere.cost is None
    assert not PixelCNNPlusPlusReduced.published and PixelCNNPlusPlusCIFAR10.published


class MineOnDigits(DCGANMNIST):
    """DCGAN of MNIST's settings on digits. Radford et al. 2015. About 1 s on one CPU core. Expect little."""

    published = (Published("fid", 1.0, "nobody"),)
    data: str = "digits"
    epochs: PositiveInt = 1
    width: PositiveInt = 4
    batch_size: PositiveInt = 256
    samples: PositiveInt = 40


def test_a_recipe_for_another_data_set_is_under_15_lines_and_runs(registry, tmp_path):
    assert len(inspect.getsource(MineOnDigits).splitlines()) < 15
    registry.register("mine", MineOnDigits)
    assert "mine" in invoke("list").output
    result = invoke("train", "mine", "--set", "latent_dim=4", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["recipe"] == "mine" and report["published"][0]["source"] == "nobody"
    assert report["command"] == "keras_gen.runner.train(MineOnDigits(latent_dim=4))"
    assert (tmp_path / "run" / "artifact" / "manifest.json").is_file()


def test_a_recipe_of_your_own_trains_from_python(registry, tmp_path):
    def defined():
        class Own(MineOnDigits):
            """No docstring's contents are needed."""

            latent_dim: PositiveInt  # no default: whoever trains it says how many

        return Own

    folder = runner.train(defined()(latent_dim=3), out=tmp_path / "run", fit_only=True)
    assert json.loads((folder / "recipe.json").read_text())["recipe"] == "Own"
    assert kg.load(folder).latent_dim == 3
    again = defined()  # a notebook's cell, run again
    assert runner.resolve(again(latent_dim=5))["recipe"] == "Own" and RECIPES.get("Own") is again
    with pytest.raises(kg.InvalidInput, match="latent_dim does not fit recipe 'Own': give it a value"):
        runner.resolve(again)
    other = type("Own", (MineOnDigits,), {"__module__": "elsewhere", "__doc__": ""})
    with pytest.raises(kg.InvalidInput, match="registered already"):
        runner.resolve(other())
    registry.register("function", lambda: None)
    with pytest.raises(kg.InvalidInput, match="no recipe; register a subclass"):
        build("function")


@pytest.mark.parametrize("optimizer,kind", [("adam", "Adam"), ("rmsprop", "RMSprop")])
def test_two_players_two_rates(optimizer, kind):
    class Critic(GANRecipe):
        data: str = "digits"
        epochs: PositiveInt = 1
        learning_rate: float = 1e-4
        discriminator_learning_rate: float | None = 4e-4
        beta_1: float = 0.0
        critic_steps: PositiveInt = 5

    model = Critic(optimizer=optimizer, width=4, latent_dim=2).model(kg.ImageSpec(8, 8, 1, 17), steps=1)
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    assert [type(each).__name__ for each in optimizers] == [kind] * 2 and model.critic_steps == 5
    assert [float(each.learning_rate) for each in optimizers] == pytest.approx([1e-4, 4e-4])
    assert optimizer == "rmsprop" or all(each.beta_1 == 0.0 for each in optimizers)


def test_another_objective_is_another_default(monkeypatch):
    """Of the project's, and of a user's own file."""
    from keras_gen.losses.adversarial import OBJECTIVES, Objective

    class Minimax(DCGANDigits):
        objective: str = "minimax"

    spec = kg.ImageSpec(8, 8, 1, 17)
    assert Minimax(width=4).network(spec).objective is OBJECTIVES.get("minimax")
    monkeypatch.setattr(OBJECTIVES, "_entries", dict(OBJECTIVES._entries))
    mine = Objective("mine", lambda fake: -fake[:, 0], lambda real, fake: fake[:, 0] - real[:, 0])
    OBJECTIVES.register("mine", mine)
    assert build(Minimax, {"objective": "mine", "width": 4}).network(spec).objective is mine


# --- the table of all ---------------------------------------------------------------------------------------------------


FAMILIES = {
    "adversarial",
    "autoregressive",
    "classifier",
    "flow",
    "graph",
    "text",
    "translation",
    "variational",
}


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_says_its_family_cost_and_expected_number(name):
    """The expected number is what the recorded run of the recipe gave, to the digits that are said."""
    kind = class_of(name)
    assert issubclass(kind, Recipe) and kind.family in FAMILIES
    unknown = "No number is published" in " ".join(kind.__doc__.split())
    assert kind.cost and (kind.expected or kind.published or unknown)
    text = kind.__doc__.splitlines()[0]
    assert text.endswith(".") and len(text) <= 60, text
    recorded = ROOT / "results" / f"{name}.json"
    assert recorded.is_file() == (kind.expected is not None)
    if kind.expected:
        metrics = json.loads(recorded.read_text(encoding="utf-8"))["metrics"]
        measured = next(line for line in metrics if line["name"].startswith(kind.expected.metric + "_"))
        digits = len(str(kind.expected.value).partition(".")[2])
        assert round(measured["value"], digits) == kind.expected.value
        assert kind.expected.unit in ("", measured["unit"])


@pytest.mark.parametrize(
    "cost,text",
    [
        (Cost(0.5), "30 s, 1 core"),
        (Cost(100), "100 min, 1 core"),
        (Cost(150, "2 cores"), "2.5 h, 2 cores"),
        (Cost(7200, "8 GPUs"), "5 days, 8 GPUs"),
    ],
)
def test_costs_are_read_at_a_glance(cost, text):
    assert str(cost) == text


class LongNamed(DCGANMNIST):
    """A first line that is longer than any terminal is wide, so that it has to go on over several lines of its own column."""

    cost = Cost(100)
    expected = Expected("fid10k", 12.5)
    family: ClassVar[str] = "adversarial"


@pytest.mark.parametrize("width", [80, 120, None])
def test_list_is_grouped_and_aligned(registry, width, monkeypatch):
    """On a terminal it keeps to the width and cuts no name; into a pipe each recipe is one line."""
    long = "a_name_of_thirty_characters_in"
    registry.register(long, LongNamed)
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
    lines = re.sub("\x1b\\[[0-9;]*m", "", invoke("list").output).splitlines()
    starts = {line.split()[0]: number for number, line in enumerate(lines) if line.strip() and line[0] != " "}
    assert set(RECIPES) < set(starts)
    texts = {name: re.search(r"(?<=  )\S", lines[starts[name]]).start() for name in RECIPES}
    assert set(texts.values()) == {len(max(RECIPES, key=len)) + 2}
    end = starts["Data"]
    if width:
        assert max(map(len, lines[:end])) <= width
        block = "\n".join(lines[starts[long] : starts["biggan_cifar10"]])
        assert "100 min, 1 core" in block and "fid10k 12.5" in block and block.count("\n") < 10
        assert ("100 min, 1 core  fid10k 12.5" in block) == (width == 120)
    else:
        assert lines[starts[long]].endswith("go on over several lines of its own column  100 min, 1 core  fid10k 12.5")
        assert lines[starts["pixel_cnn_pp_cifar10_full"]].endswith("5 days, 8 GPUs   bits_per_dim 2.92 (paper)")
    families = [name for name in starts if name in FAMILIES]
    assert families == sorted(FAMILIES)
    of_gans = [name for name in starts if starts["adversarial"] < starts[name] < starts["autoregressive"]]
    assert of_gans == sorted(name for name in RECIPES if class_of(name).family == "adversarial")
    assert of_gans[0] == long and {"dcgan_digits", "dcgan_mnist"} < set(of_gans)
    assert "digits" in lines[end] and lines[end + 1] == "Export formats: saved_model, onnx"


def test_a_column_more_is_one_entry(monkeypatch):
    """What a table of presets needs."""
    monkeypatch.setattr(
        catalogue, "COLUMNS", (*catalogue.COLUMNS, catalogue.Column("twice", lambda name, kind: 2 * name))
    )
    assert "vae_mnistvae_mnist" in invoke("list").output


def test_settings_are_checked_and_listed_without_tensorflow():
    program = (
        "import sys\nfrom keras_gen import runner\nfrom keras_gen.recipes import RECIPES, catalogue\n"
        "catalogue.show()\nfor name in RECIPES:\n    runner.resolve(name, {'epochs': '3'})\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=ROOT)


def test_a_recipe_is_plain_data_and_never_changes():
    recipe = build("vae_mnist")
    with pytest.raises(ValueError, match="frozen"):
        recipe.epochs = 3
    assert all(
        value is None or isinstance(value, (str, int)) or math.isfinite(value) for value in recipe.settings().values()
    )
    assert recipe == build("vae_mnist", recipe.settings())
