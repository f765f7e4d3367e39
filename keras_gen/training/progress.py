"""How a run shows that it is alive: one bar on a terminal, about twenty lines elsewhere."""

import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keras_gen.core.image_data import ImageData

MOST_NUMBERS = 6  # of a line


def weight_count(model: keras.Model) -> int:
    """How many numbers training moves; 0 for an artifact, whose weights are not variables."""
    return int(sum(np.prod(weight.shape) for weight in getattr(model, "trainable_variables", [])))


def shown(logs: Mapping[str, float]) -> dict[str, float]:
    """All numbers of an epoch or, of more than a line holds, the losses and distances."""
    most = {name: value for name, value in logs.items() if name.endswith("loss") or name.startswith("val_fid")}
    return most if len(logs) > MOST_NUMBERS else dict(logs)


class RunProgress(keras.callbacks.Callback):
    """One line for the whole run: epoch, losses, time left."""

    def __init__(self, name: str, epochs: int, first_epoch: int = 0):
        super().__init__()
        self.label, self.epochs, self.first_epoch = name, epochs, first_epoch
        self.console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, TextColumn("{task.fields[losses]}"), console=self.console)
        self.every = max(1, epochs // 20)

    def announce(
        self, model: keras.Model, training: ImageData, validation: ImageData, batch_size: int, folder: Path
    ) -> None:
        """The run's first lines: what is trained, how large it is, on what, for how long, where it goes; labels, phases."""
        size = f"{type(model).__name__}, {weight_count(model):,} weights"
        data = f"{training.name} ({len(training):,} training, {len(validation):,} validation images)"
        length = f"{self.epochs:,} epoch{'s' * (self.epochs > 1)} of batch {batch_size:,}"
        line = f"{self.label}: {size}, on {data}, {length} -> {folder}"
        names = list(training.label_names or ())
        own = names == [str(label) for label in range(len(names))]  # digits are their own names
        for each in (line,) if own else (line, f"labels: {training.named_labels()}"):
            self.console.print(each, soft_wrap=True, highlight=False, markup=False)
        if plan := model.plan(self.epochs * (len(training) // batch_size) * batch_size):
            self.console.print(plan, soft_wrap=True, highlight=False, markup=False)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Shows the bar, or remembers when the run began."""
        self.started = time.monotonic()
        if self.console.is_terminal:
            self.bar.start()
            self.task = self.bar.add_task(self.label, total=self.epochs, completed=self.first_epoch, losses="")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Moves the bar, or prints a line now and then."""
        losses = "  ".join(f"{name} {value:.4g}" for name, value in shown(logs or {}).items())
        if self.console.is_terminal:
            self.bar.update(self.task, completed=epoch + 1, losses=losses)
        elif (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            seconds = time.monotonic() - self.started
            self.console.print(
                f"{self.label}  epoch {epoch + 1}/{self.epochs}  {seconds:.0f} s  {losses}", soft_wrap=True
            )

    def close(self) -> None:
        """Gives the terminal back, after an error too."""
        if self.bar.live.is_started:
            self.bar.stop()
