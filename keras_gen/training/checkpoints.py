"""Checkpoints of everything: weights, averages, every optimizer, iteration, seeds; the last good one is always there."""

import logging
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from keras_gen.core.errors import InvalidInput, TrainingDiverged
from keras_gen.core.files import check_file, written_beside

# What Python's and Keras' readers raise at a file that is cut off, changed or somebody else's.
DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, struct.error, EOFError)
DAMAGED += (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError)
NAME = re.compile(r"epoch-(\d{5,})\.keras")

log = logging.getLogger(__name__)


class Checkpoints(keras.callbacks.Callback):
    """Saves the whole model as ``epoch-00012.keras`` after every ``every`` epochs and the last one; keeps ``keep``.

    With the states of all layers' draws (Keras' ``Dropout``, ``RandomFlip`` ...), so that a resumed run ends with the bits of
    an uninterrupted one. Draws without a layer's ``SeedGenerator`` (``keras.random.normal(shape)``) are not among them, and
    where a weight serves three times in a step (a gradient penalty), TensorFlow adds its gradients in the order in which they
    are ready: there the last bits are only the same with ``TF_NUM_INTEROP_THREADS=1``.

    A file appears whole or not at all. Weights that are not finite are never saved: they end the run instead.
    """

    def __init__(self, folder: str | os.PathLike, epochs: int, every: int = 1, keep: int = 2):
        super().__init__()
        self.folder, self.epochs, self.every, self.keep = Path(folder), epochs, every, keep

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Better known now than after the epoch: what stands where a checkpoint is to be."""
        for path in self.folder.glob("epoch-*.keras"):
            if NAME.fullmatch(path.name):
                check_file(path)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Saves where it is time to."""
        done = epoch + 1
        if done % self.every and done != self.epochs:
            return
        if path := first_not_finite(self.model.variables):
            raise diverged(f"weight {path} is not finite after epoch {done}", self.folder)
        with written_beside(self.folder / f"epoch-{done:05d}.keras") as beside:
            self.model.save(beside)
        for old in found(self.folder)[: -self.keep]:
            old.unlink()


class StopOnNaN(keras.callbacks.Callback):
    """Ends the run with ``TrainingDiverged`` at the first step whose loss is NaN or infinite."""

    def __init__(self, folder: str | os.PathLike):
        super().__init__()
        self.folder, self.epoch = Path(folder), 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remembers where the run stands."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Looks at every number the step reported (means over the epoch, in which a NaN stays)."""
        for name, value in (logs or {}).items():
            if not np.isfinite(value):
                raise diverged(f"{name} became {value} at step {batch + 1} of epoch {self.epoch + 1}", self.folder)


def first_not_finite(variables: Iterable[keras.Variable]) -> str | None:
    """Path of the first variable that holds a NaN or an infinity, or None."""
    return next((each.path for each in variables if not np.isfinite(keras.ops.convert_to_numpy(each)).all()), None)


def diverged(what: str, folder: Path) -> TrainingDiverged:
    """The error, with the checkpoint that is left to go on from."""
    good = found(folder)
    left = f"The last good checkpoint is {good[-1]}" if good else "There is no checkpoint yet"
    return TrainingDiverged(f"Training diverged: {what}. {left}. Try a smaller learning rate.")


def found(folder: str | os.PathLike) -> list[Path]:
    """The folder's checkpoints, oldest first; what only looks like one is left alone."""
    paths = [path for path in Path(folder).glob("epoch-*.keras") if NAME.fullmatch(path.name) and path.is_file()]
    return sorted(paths, key=_epoch)


def _epoch(path: Path) -> int:
    return int(NAME.fullmatch(path.name)[1])


def load_latest(folder: str | os.PathLike, like: keras.Model | None = None) -> tuple[keras.Model, int]:
    """The newest checkpoint that loads (and is of ``like``'s kind), and how many epochs it has behind it.

    A truncated or foreign one is passed over with a warning that names it; ``InvalidInput`` if none is left.
    """
    reasons = []
    for path in reversed(found(folder)):
        try:
            model = load_checked(path, like)
        except InvalidInput as error:
            reasons.append(str(error))
            log.warning("%s Falling back to the checkpoint before it.", error)
            continue
        return model, _epoch(path)
    why = f": {' '.join(reasons)}" if reasons else ""
    raise InvalidInput(f"No usable checkpoint in {folder}{why}. Train without --resume, in another folder.")


def load_checked(path: str | os.PathLike, like: keras.Model | None = None) -> keras.Model:
    """The model of a ``.keras`` file; an ``InvalidInput`` that names the file if it is damaged or of another kind."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise InvalidInput(f"{path} is damaged (its {damaged} fails the checksum).")
        model = keras.models.load_model(path)
    except FileNotFoundError as error:
        raise InvalidInput(f"{path} does not exist.") from error
    except DAMAGED as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path} is not a whole .keras file of this project ({_first_line(error)}).") from error
    if like is not None and _kind(model) != _kind(like):
        raise InvalidInput(
            f"{path} holds a {type(model).__name__} of other sizes than this recipe's {type(like).__name__}."
        )
    return model


def _kind(model: keras.Model) -> tuple:
    return type(model), getattr(model, "image_spec", None), [tuple(variable.shape) for variable in model.variables]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
