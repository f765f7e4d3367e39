"""Runs a recipe: data, model, fit, report and artifact, all in one run folder.

``recipe.json`` (every resolved value, versions, commit), ``history.jsonl``, ``curves.png``, ``samples/``, ``samples.gif``,
``checkpoints/``, ``model.keras``, ``report.json``, ``pictures/``, ``artifact/``; where asked for, ``best.keras`` and
``tensorboard/``.
"""

import contextlib
import importlib.util
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_gen.core.checks import LARGEST_SEED, integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import check_folder, write_json, written_beside
from keras_gen.recipes import RECIPES
from keras_gen.recipes.recipe import Recipe, build
from keras_gen.run_folder import ARTIFACT, RECORD, SCHEMA, check_run_folder, claimed, written_to
from keras_gen.target import Target

FORMATS = ("saved_model", "onnx")

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
    tensorboard: bool = False,
) -> Path:
    """Runs a recipe into ``out`` (default ``runs/<recipe>-<time>``) and returns that folder.

    It is a name, or a recipe of your own (``train(MyRecipe(epochs=3))``). ``resume`` goes on from the newest good checkpoint,
    to the same weights an uninterrupted run would have. Data, settings and folder are checked before anything is made.
    ``tensorboard`` also writes Keras' event files into the run's ``tensorboard/``.
    """
    from keras_gen.core.backend import require_tensorflow
    from keras_gen.training.animation import write_animation

    require_tensorflow()
    description = resolve(recipe, given, data)
    name = description["recipe"]
    recipe = build(name, description["settings"])
    check_run_folder(out, description, resume)
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise InvalidInput("Event files want the package tensorboard; install it with: pip install tensorboard")
    strategy = _strategy()
    model, training, validation = _prepared(recipe, strategy, download, measured=not fit_only)
    with claimed(out, description, resume) as folder:
        with strategy.scope():
            model, first_epoch = _resumed(folder, model, resume)
        write_json(folder / RECORD, {**description, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
        _fit(model, recipe, name, folder, training, validation, first_epoch, tensorboard)
        write_animation(folder / "samples", folder / "samples.gif")
        model = recipe.final_model(model, folder)
        with written_beside(folder / "model.keras") as beside:
            model.save(beside)
        if not fit_only:
            run = Target(folder)
            _evaluate(run, run.opened(), folder, {}, download=download)
            run.opened().export(folder / ARTIFACT, list(FORMATS))
    return folder


def _prepared(recipe: Recipe, strategy: Any, download: bool, measured: bool) -> tuple[Any, Any, Any]:
    """The model, its training and its validation images; all that may be wrong with them is found before a folder is made."""
    from keras_gen.data import load as load_data

    training, validation = (load_data(recipe.data, split, download=download) for split in ("train", "validation"))
    training.check_batches(recipe.batch_size, augment=recipe.augment)
    _seed(recipe.seed)
    with strategy.scope(), _memory_errors(recipe):
        model = recipe.model_for(training, recipe.epochs * (len(training) // recipe.batch_size))
    model.check_batches(training, recipe.batch_size, recipe.augment)
    if measured:
        from keras_gen.evaluation.report import check_evaluation

        options = _with_validation(recipe.evaluation, recipe.data, download)
        check_evaluation(model, training, load_data(recipe.data, "test", download=download), **options)
    return model, training, validation


@contextlib.contextmanager
def _memory_errors(recipe: Recipe) -> Iterator[None]:
    """Networks too large for this machine are the settings' fault, not a defect."""
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise InvalidInput(
            f"The model does not fit into memory ({str(error).splitlines()[0]:.200}); choose smaller sizes with --set."
        ) from error


def _fit(
    model: Any,
    recipe: Recipe,
    name: str,
    folder: Path,
    training: Any,
    validation: Any,
    first_epoch: int,
    tensorboard: bool,
) -> None:
    import keras

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
        # Before all that write the logs down.
        *recipe.callbacks(folder, training, validation, first_epoch),
        *([keras.callbacks.TensorBoard(folder / "tensorboard")] if tensorboard else []),
        HistoryLog(folder, first_epoch),
        SampleGrid(folder / "samples", recipe.epochs, recipe.grid_every, seed=recipe.seed, data=validation),
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
    from keras_gen.training.history import read_history

    read_history(folder / "history.jsonl")  # a damaged one is refused before it is written to
    if not resume or not found(folder / "checkpoints"):
        return model, 0
    model, epoch = load_latest(folder / "checkpoints", like=model)
    log.warning("Going on after epoch %d of %s.", epoch, folder)
    return model, epoch


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
    from keras_gen.core.pictures import LARGEST_PICTURE, check_grid, check_png, image_grid, save_picture
    from keras_gen.loading import load

    check_png(out)
    n = integer("n", n, 1, LARGEST_PICTURE)
    model = load(run)
    columns = max(1, round(n**0.5))
    check_grid(n, model.image_spec, columns)
    images = model.sample(n, seed, **model.parsed_conditions(conditions or {}))
    save_picture(image_grid(images, model.image_spec, columns=columns), out)
    return Path(out)


def draw_preset(name: str, n: int, seed: int, out: str | os.PathLike) -> Path | None:
    """As ``sample`` of a preset. What has to be given, a source or a sentence, comes from the preset's test data, sources above
    what is made of them (of a style encoder, images above those of other words in their style); None where those data are not on
    this machine.
    """
    import numpy as np

    from keras_gen import presets
    from keras_gen.core.inputs import Images
    from keras_gen.core.pictures import check_grid, check_png, image_grid, save_picture, stacked
    from keras_gen.data import load as load_data
    from keras_gen.loading import load

    model = load(f"preset:{name}")
    kinds = {key: kind for key, kind in model.condition_spec().items() if kind.defaults(1) is None}
    if not kinds:
        return sample(f"preset:{name}", n, seed, out)
    check_png(out)
    try:
        test = load_data(presets.card(name)["run"]["settings"]["data"], "test")
    except InvalidInput:
        return None
    n = min(integer("n", n, 1), len(test))
    given, columns = {key: test.features[key][:n] for key in kinds}, max(1, round(n**0.5))
    check_grid(n, model.image_spec, columns)
    if hasattr(model, "transfer"):  # a picture's style with the next one's words
        sides = [(test.images[:n], model.image_spec)]
        drawn = model.transfer(test.images[:n], np.roll(given["caption"], -1, axis=0))
    else:
        sides = [(given[key], kind.spec) for key, kind in kinds.items() if isinstance(kind, Images)]
        drawn = model.sample(n, seed, **given)
    sides.append((drawn, model.image_spec))
    save_picture(stacked([image_grid(images, spec, columns=columns) for images, spec in sides]), out)
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
    """Measures a run, a preset or an exported artifact by its recipe's protocol.

    Writes ``report.json``, ``report.html`` and ``pictures/``: a run's into the run, an artifact's beside it
    (``<artifact>-report``), a preset's to ``runs/preset-NAME``, unless ``out`` names a folder. What is given overrides the
    recipe; an artifact that lies in no run needs ``data``, the data set's name. ``model`` is a ``.keras`` file to measure in
    place of the run's own; ``about`` goes into the report.
    """
    aim = Target.of(target)
    if aim.record is None and data is None:
        raise InvalidInput(f"{target} lies in no run folder, so nobody knows its data; name the data set with --data.")
    folder = check_folder(out) if out is not None else aim.report_folder
    given = {"metrics": metrics, "samples": samples, "features": features}
    seed = integer("seed", seed, 0, LARGEST_SEED)
    with written_to(folder):
        opened = aim.opened() if model is None else Target.of(model).opened()
        return _evaluate(aim, opened, folder, given, reference, data, seed, download, about or {})


def _evaluate(
    target: Target,
    model: Any,
    folder: Path,
    given: Mapping[str, Any],
    reference: str | None = None,
    data: str | None = None,
    seed: int = 0,
    download: bool = False,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``evaluate`` into a folder that this process holds."""
    from keras_gen.data import load as load_data
    from keras_gen.evaluation.report import evaluate as measure

    recipe = target.recipe
    source = data or recipe.data
    options = {**(recipe.evaluation if recipe else {}), **{key: value for key, value in given.items() if value}}
    if target.is_artifact:  # what needs the live model's densities
        options = {key: value for key, value in options.items() if not key.startswith("importance")}
    options = _with_validation(options, source, download)
    training, test = (load_data(source, split, download=download) for split in ("train", "test"))
    splits = {"train": training, "test": test}
    if reference:
        options["reference"] = splits.get(reference) or load_data(source, reference, download=download)
    about = {**target.about(source), **(about or {})}
    return measure(model, training, test, seed=seed, name=target.name, out=folder, about=about, **options)


def _with_validation(options: Mapping[str, Any], source: str, download: bool) -> dict[str, Any]:
    """Options of an evaluation, with the validation images in place of ``parzen`` where that score is asked for."""
    from keras_gen.data import load as load_data

    options = dict(options)
    wanted = options.pop("parzen", False)
    metrics = options.get("metrics")
    if "parzen" in metrics if metrics else wanted:
        options["validation"] = load_data(source, "validation", download=download)
    return options


def export(
    run: str | os.PathLike, formats: Sequence[str] = FORMATS, out: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Exports a run (into its ``artifact/``), a preset (``runs/preset-NAME/artifact``) or a ``.keras`` file (into ``out``).

    Returns the manifest.
    """
    aim = Target.of(run)
    folder = check_folder(out if out is not None else aim.artifact_folder)
    model = aim.opened()
    # An artifact elsewhere needs no lock: it is written beside its place and exchanged whole.
    in_run = (folder.resolve().parent / RECORD).is_file()
    with written_to(folder.resolve().parent) if in_run else contextlib.nullcontext():
        return model.export(folder, list(formats))


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

    packages = {name: metadata.version(name) for name in ("keras", "numpy")}
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            packages["tensorflow"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    versions = {"keras_gen": keras_gen.__version__, "python": sys.version.split()[0], **packages}
    return {"versions": versions, "commit": _commit(Path(keras_gen.__file__).resolve().parent)}


def _commit(package: Path) -> str | None:
    """The commit of the checkout that ``package`` is used from; None if it was installed, or git is not at hand.

    A package inside somebody's environment inside somebody's repository is not of that repository.
    """
    # What a git hook or a wrapper sets would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        found = subprocess.run(command, cwd=package, env=environment, capture_output=True, timeout=10, check=True)
        top, commit = os.fsdecode(found.stdout).splitlines()
        setup = (package.parent / "setup.py").read_text(encoding="utf-8")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    ours = Path(top).resolve() == package.parent and 'name="keras_gen"' in setup
    return commit if ours else None
