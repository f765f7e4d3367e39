"""Two-dimensional LSTMs over images (van den Oord, Kalchbrenner and Kavukcuoglu 2016, sections 3.1 to 3.3).

Both take ``2 filters`` features, add ``filters`` features of an LSTM made ``2 filters`` wide, and keep its memory at
``filters``. Gates lie in the order output, forget, input, content.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.core.checks import sizes
from keras_gen.layers.causal import CausalLayer, Nest, Place, at, row_product, shifted_columns
from keras_gen.layers.lstm_scan import GATES, activated, advanced, lstm_scan, scanned
from keras_gen.layers.masked_convolution import MaskedConv2D

IMAGES_IN_A_LINE = 4  # of a batch, side by side: the diagonals of one fill the corners that another's leave empty


_COMPILED: contextvars.ContextVar[bool] = contextvars.ContextVar("compiled_walks", default=False)


@contextlib.contextmanager
def compiled_walks(wanted: bool = True) -> Iterator[None]:
    """XLA compiles the walks traced inside: several times as fast, but bound to TensorFlow, so no part of an export."""
    before = _COMPILED.set(wanted)
    try:
        yield
    finally:
        _COMPILED.reset(before)


@functools.cache
def _compiled(walk: Callable, eager: bool) -> Callable:
    """A graph takes the gradient of a function that it calls by rewriting it, after which eager calls of it fail: two."""
    return tf.function(walk, jit_compile=True)


def cell(sums: Any, memory: Any) -> tuple[Any, Any]:
    """``(h, c)`` ``[..., filters]`` of the gates' sums ``[..., 4 filters]`` and the memory before ``[..., filters]``."""
    return advanced(*activated(sums), memory)


class CausalLSTM(CausalLayer):
    """What both have in common: masked input-to-state, widening 1 x 1, the residual round them.

    Args:
        filters: size of the memory, half of that of the input.
        groups: the image's channels.
    """

    directions = 1
    looks = (0,)  # steps along the line to the inputs that a place sees
    receives = ()  # and to the states of the line before

    def __init__(self, filters: int, groups: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.groups = filters, groups = sizes(filters=filters, groups=groups)
        policy = self.dtype_policy
        width = GATES * filters
        self.input_to_state = [
            MaskedConv2D(width, 1, len(self.looks) - 1, groups=groups, blocks=GATES, dtype=policy)
            for _ in range(self.directions)
        ]
        self.widen = MaskedConv2D(2 * filters, groups=groups, dtype=policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Makes the weights; ``here`` must have ``2 filters`` features."""
        # Forget gates start open, so that memories outlive a line from the first step on (Jozefowicz et al. 2015).
        bias = np.repeat([0.0, 1.0, 0.0, 0.0], self.filters)
        for layer in self.input_to_state:
            layer.build(None, here_shape)
            layer.bias.assign(bias)
        self.widen.build(None, (*here_shape[:-1], self.filters))
        received = len(self.receives) * self.filters
        self.recurrent = [
            self.add_weight(
                shape=(received, GATES * self.filters),
                initializer=keras.initializers.RandomUniform(-(received**-0.5), received**-0.5),
                name=f"recurrent_{side}",
            )
            for side in range(self.directions)
        ]
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``here`` ``[b, h, w, 2 filters]`` to the same shape."""
        return above, here + self.widen.convolve(self.states(here))

    def states(self, here: Any) -> Any:
        """The LSTMs' outputs, added: ``[b, h, w, filters]`` for inputs ``[b, h, w, 2 filters]``.

        Inside ``compiled_walks`` each direction is a program of XLA's by itself: two run at once, on two cores.
        """
        walk = _compiled(self.walk, tf.executing_eagerly()) if _COMPILED.get() else self.walk
        inputs = [layer.sampling_weights() for layer in self.input_to_state]
        kernels = [
            tf.concat([own["own"], received], axis=0) for own, received in zip(inputs, self.recurrent, strict=True)
        ]
        return sum(walk(here, kernels[side], inputs[side]["bias"], side) for side in range(self.directions))

    @classmethod
    def walk(cls, here: Any, kernel: Any, bias: Any, side: int) -> Any:
        """States ``[b, h, w, filters]`` of one direction, for weights as ``lstm_scan`` wants them."""
        raise NotImplementedError(f"{cls.__name__} must say how it walks.")

    def sampling_weights(self) -> Nest:
        """Of all parts."""
        return {
            "input": [layer.sampling_weights() for layer in self.input_to_state],
            "recurrent": [tf.convert_to_tensor(kernel) for kernel in self.recurrent],
            "widen": self.widen.sampling_weights(),
        }


@keras.saving.register_keras_serializable("keras_gen")
class RowLSTM(CausalLSTM):
    """Section 3.1: a row at a time; a pixel's state receives the three above it, and so a triangle of the image.

    Input-to-state is a masked 3 x 1 convolution along the row, state-to-state a 3 x 1 convolution of the row above's state.
    """

    looks = (-1, 0)
    receives = (-1, 0, 1)

    @classmethod
    def walk(cls, here: Any, kernel: Any, bias: Any, side: int) -> Any:
        """Row by row."""
        states = lstm_scan(ops.transpose(here, (1, 3, 2, 0)), kernel, bias, looks=cls.looks, receives=cls.receives)
        return ops.transpose(states, (3, 0, 2, 1))

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def begin(self, batch: Any, width: int) -> Nest:
        """State and memory of the row above."""
        return [tf.zeros((width, batch, self.filters)) for _ in range(2)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """State-to-state of the whole row, and its memory."""
        h, c = carried
        gates = row_product(shifted_columns(h, 1, 1), weights["recurrent"][0])
        return above, [gates + weights["input"][0]["bias"], c], ()

    def windows(self, batch: Any) -> Nest:
        """The input to the left."""
        return self.input_to_state[0].windows(batch)

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel's step."""
        added, memory = at(values, place[1])
        own = {**weights["input"][0], "bias": added}
        gates, windows, _ = self.input_to_state[0].pixel(own, (), windows, place, here, condition)
        h, c = cell(gates, memory)
        return here + self.widen.point(weights["widen"], h), windows, [h, c]

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """State and memory of the finished row."""
        return remembered


@keras.saving.register_keras_serializable("keras_gen")
class DiagonalBiLSTM(CausalLSTM):
    """Sections 3.2 and 3.3: along the diagonals, from both top corners; together they see all features before.

    A state receives its neighbours towards its corner: the pixel beside it and the one above. The map that comes from the right
    is shifted down by a row before it is added, so that it knows finished rows alone.
    """

    receives = (0, -1)
    directions = 2

    @classmethod
    def walk(cls, here: Any, kernel: Any, bias: Any, side: int) -> Any:
        """Diagonal by diagonal; from the right (side 1) in the mirror, and then shifted down."""
        width = here.shape[2]
        maps = skewed(side_by_side(here[:, :, ::-1] if side else here))
        columns = np.arange(maps.shape[0])[:, None] - np.arange(here.shape[1])[None]
        # An image's first column receives nothing beside it: there the image before ends.
        carries = (columns % width != 0).astype(np.float32)
        states = lstm_scan(maps, kernel, bias, looks=cls.looks, receives=cls.receives, carries=carries)
        states = apart(unskewed(states), width)[: ops.shape(here)[0]]
        return ops.pad(states[:, :-1, ::-1], ((0, 0), (1, 0), (0, 0), (0, 0))) if side else states

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def begin(self, batch: Any, width: int) -> Nest:
        """States of the row above, from the left and from the right."""
        return [tf.zeros((width, batch, self.filters)) for _ in range(2)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """What the row above adds to the gates of the map from the left; the finished map from the right, shifted."""
        left, right = carried
        gates = row_product([left], weights["recurrent"][0][self.filters :]) + weights["input"][0]["bias"]
        return above, [gates, right], ()

    def windows(self, batch: Any) -> Nest:
        """State and memory to the left."""
        return [tf.zeros((batch, self.filters)) for _ in range(2)]

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel's step of the map from the left."""
        added, right = at(values, place[1])
        gates = here @ weights["input"][0]["own"] + windows[0] @ weights["recurrent"][0][: self.filters] + added
        h, c = cell(gates, windows[1])
        return here + self.widen.point(weights["widen"], h + right), [h, c], [here, h]

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The finished row's states; the map from the right runs over it now, from its last column to its first."""
        inputs, left = remembered
        gates = row_product([inputs], weights["input"][1]["own"]) + weights["input"][1]["bias"]
        gates += row_product([carried[1]], weights["recurrent"][1][self.filters :])
        beside = weights["recurrent"][1][: self.filters]
        zeros = tf.zeros_like(left[0])

        gates = gates[::-1]

        def step(t: Any, state: Any) -> Any:
            h, c = cell(tf.gather(gates, t) + state[0] @ beside, state[1])
            return (h, c), h

        return [left, scanned(step, gates.shape[0], (zeros, zeros))[1][::-1]]


def side_by_side(maps: Any) -> Any:
    """``[b, h, w, c]`` to rows of ``IMAGES_IN_A_LINE`` images, filled up with empty ones: ``[b', h, images w, c]``."""
    images, (_, height, width, features) = IMAGES_IN_A_LINE, maps.shape
    missing = (images - ops.shape(maps)[0] % images) % images  # of positive numbers: ONNX has its own rule for others
    filled = ops.pad(maps, ((0, missing), (0, 0), (0, 0), (0, 0)))
    lines = ops.transpose(ops.reshape(filled, (-1, images, height, width, features)), (0, 2, 1, 3, 4))
    return ops.reshape(lines, (-1, height, images * width, features))


def apart(lines: Any, width: int) -> Any:
    """The inverse of ``side_by_side``, the empty images included."""
    _, height, columns, features = lines.shape
    maps = ops.transpose(ops.reshape(lines, (-1, height, columns // width, width, features)), (0, 2, 1, 3, 4))
    return ops.reshape(maps, (-1, height, width, features))


def skewed(maps: Any) -> Any:
    """``[b, h, w, c]`` to diagonals ``[w + h - 1, c, h, b]``: row y starts at diagonal y (figure 3)."""
    height, width, features = maps.shape[1], maps.shape[2], maps.shape[3]
    padded = ops.pad(maps, ((0, 0), (0, 0), (0, height), (0, 0)))
    flat = ops.reshape(padded, (-1, height * (width + height), features))[:, : height * (width + height - 1)]
    return ops.transpose(ops.reshape(flat, (-1, height, width + height - 1, features)), (2, 3, 1, 0))


def unskewed(diagonals: Any) -> Any:
    """The inverse of ``skewed``, back to ``[b, h, w, c]``."""
    lines, features, height = diagonals.shape[:3]
    rows = ops.reshape(ops.transpose(diagonals, (3, 2, 0, 1)), (-1, height * lines, features))
    padded = ops.pad(rows, ((0, 0), (0, height), (0, 0)))
    return ops.reshape(padded, (-1, height, lines + 1, features))[:, :, : lines + 1 - height]
