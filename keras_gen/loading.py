"""A trained model from whatever a user has of it."""

import importlib
import os
from pathlib import Path
from typing import Any

import keras_gen
from keras_gen import presets
from keras_gen.core.errors import InvalidInput
from keras_gen.training.checkpoints import found, load_checked, load_latest


def load(run_or_file: str | os.PathLike) -> Any:
    """The model of a run folder (``model.keras``, or the newest good checkpoint) or of a ``.keras`` file, compiled as saved.

    ``"preset:NAME"`` is a trained model that comes with the package: float32, not compiled, its file checked against its
    card's SHA-256; ``keras_gen.presets.names()`` lists them. Anything else is an ``InvalidInput`` that says what was found there.
    """
    # The classes must be known to Keras before it reads a file that names them: models, and the optimizers they had.
    for module in {module for module in keras_gen.PUBLIC.values() if {"models", "training"} & {*module.split(".")}}:
        importlib.import_module(module)
    if (name := presets.name_of(run_or_file)) is not None:
        return load_checked(presets.file_of(name))
    path = Path(run_or_file)
    if path.is_file():
        return load_checked(path)
    if (path / "model.keras").is_file():
        return load_checked(path / "model.keras")
    if found(path / "checkpoints"):
        return load_latest(path / "checkpoints")[0]
    if (path / "manifest.json").is_file():
        raise InvalidInput(
            f"{path} is an exported artifact; give the run it came from, or draw from it with export/onnxruntime."
        )
    there = "holds no model.keras and no checkpoints" if path.is_dir() else "does not exist"
    raise InvalidInput(f"{path} {there}; give a run folder, a .keras file or preset:NAME.")
