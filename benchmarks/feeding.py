"""What the sides of a training benchmark are fed, and how they are driven: the same for all."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits


def digits(levels: int = 256) -> np.ndarray:
    """scikit-learn's 1,797 digits, enlarged to uint8 ``[n, 28, 28, 1]``: training on noise soon degenerates."""
    images = np.round(load_digits().images * ((levels - 1) / 16.0)).astype(np.uint8)
    return np.pad(images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))[..., None]


def numpy_batches(images: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Full batches for ever, shuffled anew each epoch."""
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(images))
        for start in range(0, len(images) - batch_size + 1, batch_size):
            yield images[order[start : start + batch_size]]


def keras_execution(model: keras.Model, images: np.ndarray, batch_size: int) -> Callable[[], Iterable[Any]]:
    """One call of the compiled function that ``fit`` calls, on the batches that ``fit`` feeds; returns the losses."""
    batches = iter(model.as_image_data(images).batches(batch_size, epochs=1_000_000))
    model.make_train_function()
    return lambda: model.train_function(batches).values()


def turn(execute: Callable[[], Iterable[Any]], executions: int, read_every: int = 1) -> Callable[[], None]:
    """A side's turn: so many executions, the losses read (as floats on the host) after every ``read_every`` of them."""

    def run() -> None:
        for execution in range(1, executions + 1):
            losses = execute()
            if execution % read_every == 0 and not all(math.isfinite(float(loss)) for loss in losses):
                raise ArithmeticError("A loss is not finite; these times mean nothing.")

    return run
