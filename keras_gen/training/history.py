"""What a run leaves behind to look at: one JSON line an epoch, curves, sample grids from fixed noise."""

import json
import logging
import math
import os
import time
from pathlib import Path
from typing import Any

import keras

from keras_gen.core.errors import InvalidInput, TrainingDiverged
from keras_gen.core.files import append_line, read_bytes, written_beside
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.core.pictures import image_grid, save_picture

COLUMNS = 4  # of panels in a row

log = logging.getLogger(__name__)


class HistoryLog(keras.callbacks.Callback):
    """Appends ``{"epoch", "seconds", metrics...}`` to ``history.jsonl`` after each epoch; draws ``curves.png`` at the end.

    Lines at or after the epoch that a resumed run starts with are dropped first.
    """

    def __init__(self, folder: str | os.PathLike, first_epoch: int = 0):
        super().__init__()
        self.path = Path(folder) / "history.jsonl"
        kept = [line for line in read_history(self.path) if line["epoch"] <= first_epoch]
        self.before = kept[-1]["seconds"] if kept else 0.0
        with written_beside(self.path) as beside:
            beside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the clock; a resumed run's goes on."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the epoch's line."""
        seconds = round(self.before + time.monotonic() - self.started, 3)
        line = {"epoch": epoch + 1, "seconds": seconds, **{name: float(value) for name, value in (logs or {}).items()}}
        append_line(self.path, json.dumps(line))

    def on_train_end(self, logs: dict | None = None) -> None:
        """Draws the curves."""
        draw_curves(read_history(self.path), self.path.with_name("curves.png"))


def read_history(path: str | os.PathLike) -> list[dict[str, Any]]:
    """The epochs of a ``history.jsonl``, none if there is no such file; a last line cut off by a kill is left out.

    Any other damage is an ``InvalidInput`` that names the line.
    """
    if not os.path.lexists(path):
        return []
    texts, lines = read_bytes(path).split(b"\n"), []
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(_checked(json.loads(text.decode("utf-8"))))
        except (ValueError, RecursionError) as error:
            if number == len(texts):  # behind the last newline: nothing, or what a kill left of a line
                break
            raise InvalidInput(
                f"{path}: line {number} is damaged ({error}); restore the file, or remove the line."
            ) from error
    return lines


def best_of(history: list[dict[str, Any]], name: str, epochs: int) -> float:
    """The smallest of one of the numbers over the first ``epochs`` epochs; infinite where none of them has it."""
    return min((line[name] for line in history if name in line and line["epoch"] <= epochs), default=math.inf)


def _checked(line: Any) -> dict[str, Any]:
    numbers = isinstance(line, dict) and all(type(value) in (int, float) for value in line.values())
    if not numbers or type(line.get("epoch")) is not int or line["epoch"] < 1 or "seconds" not in line:
        raise ValueError("wanted an object of numbers with 'epoch' and 'seconds'")
    return line


def draw_curves(history: list[dict[str, Any]], path: str | os.PathLike) -> None:
    """One panel a metric, four in a row, training and validation together, written to ``path`` as PNG."""
    from matplotlib.figure import Figure  # not pyplot: no display, no global state

    names = [
        name for name in dict.fromkeys(key for line in history for key in line) if name not in ("epoch", "seconds")
    ]
    panels = list(dict.fromkeys(name.removeprefix("val_") for name in names))
    if not panels:
        return
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flat
    for axes, name in zip(places, panels):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            # A number that few epochs have is a line through those, each marked.
            known = [(line["epoch"], line[key]) for line in history if key in line]
            if known:
                axes.plot(*zip(*known), marker="." if len(known) < len(history) else None, label=label)
        axes.set(title=name.replace("_", " "), xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    for axes in places:
        axes.remove()
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=100)


class SampleGrid(keras.callbacks.Callback):
    """Draws the same noise every ``every`` epochs (and the last) as ``samples/epoch-00012.png``: progress at a glance.

    What else the model is to be given comes from ``data``.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        epochs: int,
        every: int = 1,
        count: int = 64,
        seed: int = 0,
        data: ImageData | None = None,
    ):
        super().__init__()
        self.data = data
        self.folder, self.epochs, self.every, self.count, self.seed = Path(folder), epochs, every, count, seed

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Draws where it is time to."""
        done = epoch + 1
        if (done % self.every and done != self.epochs) or not self.model.is_sampled():  # a classifier draws nothing
            return
        noise = draw(self.model.noise_spec(), self.count, self.seed)
        conditions = self.model.shown_conditions(self.count, self.seed, self.data)
        try:
            images = self.model.images_of(noise, conditions)
        except TrainingDiverged as error:  # a flow may train well while single samples are beyond its inverse
            log.warning("No samples are shown of epoch %d: %s", done, error)
            return
        grid = image_grid(images, self.model.image_spec, columns=8)
        save_picture(grid, self.folder / f"epoch-{done:05d}.png")
