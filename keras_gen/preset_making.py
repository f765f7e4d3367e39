"""From a run folder to a preset: the network written small, measured as it is shipped, and its card."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_gen import presets
from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import sha256, write_json, written_beside
from keras_gen.core.image_data import ImageData

LARGEST, LARGEST_IN_ALL = 4 * 10**6, 40 * 10**6  # bytes: what a package may weigh
CHECKED = 100  # images of the number that tests measure again
# The first that the model can give; each is a name of ``evaluation.measurements``.
CHECKS = ("nll", "elbo", "accuracy", "style", "fid")


def make(run: str | os.PathLike, name: str | None = None, *, download: bool = False) -> Path:
    """Writes the run's model as preset ``name`` (default: its recipe's name) into the package; returns the card's path.

    The run's report is written anew: of the small file, by the recipe's protocol (its earlier reports stay in ``history``).
    A preset of that name is replaced once the new one is whole.

    Raises:
        InvalidInput: no run, a name that is no plain word, data that may not be passed on, or a file above ``LARGEST`` bytes.
        OutputFailed: the package's folder is not writable.
    """
    from keras_gen.data import load as load_data
    from keras_gen.exporters.small_file import write_preset
    from keras_gen.loading import load
    from keras_gen.run_folder import read_recipe
    from keras_gen.runner import evaluate

    record = read_recipe(run)
    name = name or record["recipe"]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InvalidInput(f"A preset cannot be called {name!r}; give a word of small letters, digits and underscores.")
    data = {split: load_data(record["settings"]["data"], split, download=download) for split in ("train", "test")}
    if not data["train"].redistributable:
        raise InvalidInput(
            f"{run} was trained on {data['train'].name}, whose terms do not let what is made of it be passed on; a package takes "
            "no preset of it. Its numbers can be kept: keras-gen results."
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.keras"
        write_preset(load(run), file)
        size = _checked_size(file, name)
        facts = {"preset": {"name": name, "bytes": size, "sha256": sha256(file)}}
        report = evaluate(run, model=file, about=facts, download=download)
        check = measured_check(load(file), data)
        with written_beside(presets.FOLDER / file.name) as beside:
            shutil.copyfile(file, beside)
    card = presets.FOLDER / f"{name}.json"
    described = {key: value for key, value in report.items() if key != "history"}
    write_json(
        card, {"schema": presets.SCHEMA, "name": name, **facts["preset"], "run": record, "report": described, **check}
    )
    return card


def measured_check(model: Any, data: Mapping[str, ImageData], metric: str | None = None) -> dict[str, Any]:
    """``{"check": {"metric", "line", "value"}}``: one number on the first ``CHECKED`` test images, for tests to repeat."""
    from keras_gen.evaluation import report  # noqa: F401 with it come all metrics
    from keras_gen.evaluation.measurement import MEASUREMENTS
    from keras_gen.evaluation.subject import Subject
    from keras_gen.metrics.features import default_space, feature_space

    few = data["test"].first(CHECKED)
    subject = Subject(model, data["train"], few, few, CHECKED, feature_space(default_space(few.name)), seed=0)
    metric = metric or next(name for name in CHECKS if MEASUREMENTS[name].missing(subject) is None)
    line = MEASUREMENTS[metric].measure(subject)[0]
    return {"check": {"metric": metric, "line": line["name"], "value": line["value"]}}


def _checked_size(file: Path, name: str) -> int:
    size = file.stat().st_size
    if size > LARGEST:
        raise InvalidInput(
            f"Preset {name!r} would take {size / 1e6:.1f} MB, above {LARGEST / 1e6:.0f} MB; it is not made."
        )
    others = sum(card["bytes"] for card in presets.cards() if card["name"] != name)
    if others + size > LARGEST_IN_ALL:
        raise InvalidInput(
            f"With {name!r} the presets would take {(others + size) / 1e6:.1f} MB, above {LARGEST_IN_ALL / 1e6:.0f} MB; remove "
            "one first."
        )
    return size
