"""A recipe carried out: data, model, fit, report and artifact, all in one run folder.

``recipe.json`` (every resolved value, versions, commit), ``history.jsonl``, ``curves.png``, ``samples/``, ``checkpoints/``,
``model.keras``, ``report.json``, ``pictures/``, ``artifact/``.
"""

import json
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import write_json, written_beside
from keras_gen.recipes import RECIPES
from keras_gen.recipes.recipe import Recipe, build

FORMATS = ("saved_model", "onnx")
SCHEMA = "keras_gen/run/1"

log = logging.getLogger(__name__)


def resolve(
    recipe: str | Recipe | type[Recipe], given: Mapping[str, Any] | None = None, data: str | None = None
) -> dict[str, Any]:
    """What ``train`` would run: recipe, every setting, versions, commit. Loads neither data nor TensorFlow.

    A recipe of your own, a class or an object, is registered under its class' name if it is under none yet.
    """
    chosen = build(recipe, {**(given or {}), **({"data": data} if data else {})})
    name = recipe if isinstance(recipe, str) else RECIPES.enter(type(chosen))
    about = {"schema": SCHEMA, "recipe": name, "settings": chosen.settings(), "command": _command(name, chosen)}
    return {**about, **_versions()}


def train(
    recipe: str | Recipe | type[Recipe],
    given: Mapping[str, Any] | None = None,
    *,
    data: str | None = None,
    out: str | os.PathLike | None = None,
    resume: bool = False,
    download: bool = False,
    fit_only: bool = False,
) -> Path:
    """Runs a recipe into ``out`` (default ``runs/<recipe>-<time>``) and returns that folder.

    It is a name, or a recipe of your own (``train(MyRecipe(epochs=3))``). ``resume`` goes on from the newest good checkpoint,
    to the same weights an uninterrupted run would have. Data, settings and folder are checked before anything is made.
    """
    from keras_gen.core.backend import require_tensorflow
    from keras_gen.data import load as load_data

    require_tensorflow()
    description = resolve(recipe, given, data)
    name = description["recipe"]
    recipe = build(name, description["settings"])
    folder = Path(out or f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    _check_folder(folder, description, resume)
    training = load_data(recipe.data, "train", download=download)
    validation = load_data(recipe.data, "validation", download=download)
    steps = recipe.epochs * (len(training) // recipe.batch_size)
    _seed(recipe.seed)
    with _strategy().scope():
        model = recipe.model(training.image_spec, steps)
        model, first_epoch = _resumed(folder, model, resume)
    write_json(folder / "recipe.json", {**description, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
    _fit(model, recipe, name, folder, training, validation, first_epoch)
    with written_beside(folder / "model.keras") as beside:
        model.save(beside)
    if not fit_only:
        evaluate(folder, download=download)
        export(folder, FORMATS)
    return folder


def _fit(model: Any, recipe: Recipe, name: str, folder: Path, training: Any, validation: Any, first_epoch: int) -> None:
    from keras_gen.training.checkpoints import Checkpoints, StopOnNaN
    from keras_gen.training.history import HistoryLog, SampleGrid
    from keras_gen.training.progress import RunProgress

    if first_epoch >= recipe.epochs:
        log.warning("%s is trained already (%d epochs); nothing to go on with.", folder, first_epoch)
        return
    progress = RunProgress(name, recipe.epochs, first_epoch)
    progress.announce(model, training, validation, recipe.batch_size, folder)
    callbacks = [
        StopOnNaN(folder / "checkpoints"),
        HistoryLog(folder, first_epoch),
        SampleGrid(folder / "samples", recipe.epochs, recipe.grid_every, seed=recipe.seed),
        # After the log: an epoch that has a checkpoint has its line.
        Checkpoints(folder / "checkpoints", recipe.epochs, recipe.checkpoint_every),
        progress,
    ]
    try:
        model.fit(
            training,
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            augment=recipe.augment,
            validation_data=validation,
            callbacks=callbacks,
            verbose=0,
        )
    finally:
        progress.close()


def _resumed(folder: Path, model: Any, resume: bool) -> tuple[Any, int]:
    """The model to go on with and the epochs behind it; a run killed before its first checkpoint starts again."""
    from keras_gen.training.checkpoints import found, load_latest

    if not resume or not found(folder / "checkpoints"):
        return model, 0
    model, epoch = load_latest(folder / "checkpoints", like=model)
    log.warning("Going on after epoch %d of %s.", epoch, folder)
    return model, epoch


def _check_folder(folder: Path, description: Mapping[str, Any], resume: bool) -> None:
    """A run goes into a new or empty folder, or, resumed, into its own."""
    record = folder / "recipe.json"
    if not record.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InvalidInput(f"{folder} exists and is no run of this project; choose another --out.")
        if resume:
            raise InvalidInput(
                f"There is no run in {folder} to resume; leave out --resume, or give its folder as --out."
            )
        return
    before = read_recipe(folder)
    if before["recipe"] != description["recipe"]:
        raise InvalidInput(
            f"{folder} is in use by recipe {before['recipe']!r}, not {description['recipe']!r}; choose another --out."
        )
    if not resume:
        raise InvalidInput(
            f"{folder} holds a run of {before['recipe']!r} already; add --resume, or choose another --out."
        )
    settings = _recorded(before).settings()  # those it knew not, at their defaults
    changed = [key for key, value in settings.items() if description["settings"].get(key) != value]
    if changed:
        was = ", ".join(f"{key}={settings[key]}" for key in changed)
        raise InvalidInput(f"{folder} was begun with {was}; resume it with the same settings, or choose another --out.")


def read_recipe(run: str | os.PathLike) -> dict[str, Any]:
    """A run folder's ``recipe.json``, checked."""
    path = Path(run) / "recipe.json"
    if not path.is_file():
        raise InvalidInput(f"{run} is no run folder (it has no recipe.json); give one that 'keras-gen train' made.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path} is damaged ({error}); restore it or train anew.") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InvalidInput(f"{path} is not a recipe of this project (schema {SCHEMA!r} wanted).")
    return record


def _recorded(record: Mapping[str, Any]) -> Recipe:
    """The recipe of a ``recipe.json``; settings that were added since have their defaults."""
    if record["recipe"] not in RECIPES:
        raise InvalidInput(
            f"The run is of recipe {record['recipe']!r}, which is none of {', '.join(RECIPES)}. If it is your own, register it "
            f"first: keras_gen.recipes.RECIPES.register({record['recipe']!r}, its class)."
        )
    try:
        return build(record["recipe"], record["settings"])
    except InvalidInput as error:
        raise InvalidInput(
            f"The run's recipe.json is not of this version: {error} Mend that file, or use the version in it."
        ) from error


def sample(
    run: str | os.PathLike,
    n: int,
    seed: int,
    out: str | os.PathLike,
    conditions: Mapping[str, str] | None = None,
) -> Path:
    """Draws ``n`` images of a run, ``.keras`` file or preset into one PNG grid.

    ``conditions``: words of the command line, by name; those left out are their kinds' defaults (labels come in turn).
    """
    from keras_gen.core.pictures import check_png, image_grid, save_picture
    from keras_gen.loading import load

    check_png(out)
    model = load(run)
    columns = max(1, round(n**0.5))
    images = model.sample(n, seed, **model.parsed_conditions(conditions or {}))
    save_picture(image_grid(images, model.image_spec, columns=columns), out)
    return Path(out)


def evaluate(
    target: str | os.PathLike,
    *,
    model: str | os.PathLike | None = None,
    about: Mapping[str, Any] | None = None,
    metrics: Sequence[str] | None = None,
    samples: int | None = None,
    reference: str | None = None,
    features: str | None = None,
    data: str | None = None,
    out: str | os.PathLike | None = None,
    seed: int = 0,
    download: bool = False,
) -> dict[str, Any]:
    """Measures a run, a preset or an exported artifact by its recipe's protocol; writes ``report.json``, ``report.html``,
    ``pictures/``.

    A run's report goes into the run, an artifact's beside it (``<artifact>-report``), a preset's to ``runs/preset-NAME``, unless
    ``out`` names a folder. What is given overrides the recipe; an artifact that lies in no run needs ``data``, the data set's
    name. ``model`` is a ``.keras`` file to measure in place of the run's own; ``about`` goes into the report.
    """
    from keras_gen import presets
    from keras_gen.data import load as load_data
    from keras_gen.evaluation.report import evaluate as measure

    preset = presets.name_of(target)
    opened = model or target
    target = preset_folder(preset) if preset else Path(target)
    is_artifact = not preset and (target / "manifest.json").is_file()
    run = target.resolve().parent if is_artifact else target
    if preset:
        record, trained = presets.card(preset)["run"], presets.card(preset)["report"]
    else:
        record = read_recipe(run) if not is_artifact or (run / "recipe.json").is_file() else None
        trained = _trained(run)
    recipe = _recorded(record) if record else None
    source = data or (recipe and recipe.data)
    if source is None:
        raise InvalidInput(f"{target} lies in no run folder, so nobody knows its data; name the data set with --data.")
    model = _opened(opened, is_artifact)
    given = {"metrics": metrics, "samples": samples, "features": features}
    options = {**(recipe.evaluation if recipe else {}), **{key: value for key, value in given.items() if value}}
    if is_artifact:  # what needs the live model's densities
        options = {key: value for key, value in options.items() if not key.startswith("importance")}
    training, test = (load_data(source, split, download=download) for split in ("train", "test"))
    splits = {"train": training, "test": test}
    if reference:
        options["reference"] = splits.get(reference) or load_data(source, reference, download=download)
    about = {**(_about(record, recipe, trained, source) if record else {}), **(about or {})}
    name = record["recipe"] if record else target.resolve().name
    folder = Path(out) if out else target.resolve().with_name(f"{target.resolve().name}-report") if is_artifact else run
    return measure(model, training, test, seed=seed, name=name, out=folder, about=about, **options)


def preset_folder(name: str) -> Path:
    """Where what is made of a preset goes, unless told otherwise."""
    return Path("runs") / f"preset-{name}"


def _trained(run: Path) -> dict[str, Any]:
    """How long a run's training took: ``epochs`` and ``training_seconds``, None where nobody knows."""
    from keras_gen.training.history import read_history

    last = (read_history(run / "history.jsonl") or [{}])[-1]
    return {"epochs": last.get("epoch"), "training_seconds": last.get("seconds")}


def _opened(target: str | os.PathLike, is_artifact: bool) -> Any:
    if is_artifact:
        from keras_gen.exporters.loaded_artifact import LoadedArtifact

        return LoadedArtifact(target)
    from keras_gen.loading import load

    return load(target)


def _about(record: Mapping[str, Any], recipe: Recipe, trained: Mapping[str, Any], data: str) -> dict[str, Any]:
    """How a run's model came to be, for its report."""
    # Published numbers are of the recipe's own data set; beside another one's they would mislead.
    published = recipe.published if data == recipe.default("data") else ()
    return {
        "recipe": record["recipe"],
        "command": record["command"],
        "epochs": trained["epochs"],
        "training_seconds": trained["training_seconds"],
        "published": [line._asdict() for line in published],
    }


def export(
    run: str | os.PathLike, formats: Sequence[str] = FORMATS, out: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Exports a run (into its ``artifact/``), a preset (``runs/preset-NAME/artifact``) or a ``.keras`` file (into ``out``).

    Returns the manifest.
    """
    from keras_gen import presets
    from keras_gen.loading import load

    preset = presets.name_of(run)
    if out is None and not preset and not Path(run).is_dir():
        raise InvalidInput(f"{run} is no run folder; say where the artifact goes with --out.")
    return load(run).export(out or (preset_folder(preset) if preset else Path(run)) / "artifact", list(formats))


def _strategy() -> Any:
    """All GPUs in step where there are several; otherwise TensorFlow's default."""
    import tensorflow as tf

    several = len(tf.config.list_physical_devices("GPU")) > 1
    return tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()


def _seed(seed: int) -> None:
    """Initial weights come from Keras' own generators; everything else draws from the recipe's seed by itself."""
    import keras

    keras.utils.set_random_seed(seed)


def _command(name: str, recipe: Recipe) -> str:
    """What trains it again: on the command line, or in Python if the recipe is not the project's."""
    changed, kind = recipe.changed(), type(recipe)
    if not kind.__module__.startswith("keras_gen."):
        arguments = ", ".join(f"{key}={value!r}" for key, value in changed.items())
        return f"keras_gen.runner.train({kind.__name__}({arguments}))"
    words = (word for key, value in changed.items() for word in ("--set", f"{key}={value}"))
    return shlex.join(["keras-gen", "train", name, *words])


def _versions() -> dict[str, Any]:
    from importlib import metadata

    import keras_gen

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    ).stdout.strip()
    packages = {name: metadata.version(name) for name in ("keras", "numpy")}
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            packages["tensorflow"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    versions = {"keras_gen": keras_gen.__version__, "python": sys.version.split()[0], **packages}
    return {"versions": versions, "commit": commit or None}
