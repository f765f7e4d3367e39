"""Two-dimensional LSTMs over images (van den Oord, Kalchbrenner and Kavukcuoglu 2016, sections 3.1 to 3.3).

Both take ``2 filters`` features, add ``filters`` features of an LSTM made ``2 filters`` wide, and keep its memory at
``filters``. Gates lie in the order output, forget, input, content; ``c' = f c + i g``, ``h = o tanh(c')`` (their eq. 3).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers.causal import CausalLayer, Nest, Place, at, row_product, shifted_columns
from keras_gen.layers.masked_convolution import MaskedConv2D

GATES = 4


def cell(gates: Any, memory: Any) -> tuple[Any, Any]:
    """``(h, c)`` ``[..., filters]`` of the gates' sums ``[..., 4 filters]`` and the memory before ``[..., filters]``."""
    filters = memory.shape[-1]
    squashed = ops.sigmoid(gates[..., : 3 * filters])
    output, forget, write = ops.split(squashed, 3, axis=-1)
    after = forget * memory + write * ops.tanh(gates[..., 3 * filters :])
    return output * ops.tanh(after), after


class CausalLSTM(CausalLayer):
    """What both have in common: masked input-to-state, widening 1 x 1, the residual round them.

    Args:
        filters: size of the memory, half of that of the input.
        groups: the image's channels.
    """

    directions = 1
    input_columns = 0  # to the left, that input-to-state sees beside the pixel itself

    def __init__(self, filters: int, groups: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.groups = filters, groups
        policy = self.dtype_policy
        width = GATES * filters
        self.input_to_state = [
            MaskedConv2D(width, 1, self.input_columns, groups=groups, blocks=GATES, dtype=policy)
            for _ in range(self.directions)
        ]
        self.widen = MaskedConv2D(2 * filters, groups=groups, dtype=policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Makes the weights; ``here`` must have ``2 filters`` features."""
        for layer in self.input_to_state:
            layer.build(None, here_shape)
        self.widen.build(None, (*here_shape[:-1], self.filters))
        self.recurrent = self.add_weight(
            shape=(self.directions, self.taps * self.filters, GATES * self.filters),
            initializer=keras.initializers.RandomUniform(
                -((self.taps * self.filters) ** -0.5), (self.taps * self.filters) ** -0.5
            ),
            name="recurrent",
        )
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``here`` ``[b, h, w, 2 filters]`` to the same shape."""
        return above, here + self.widen.convolve(self.states(here))

    def sampling_weights(self) -> Nest:
        """Of all parts."""
        return {
            "input": [layer.sampling_weights() for layer in self.input_to_state],
            "recurrent": tf.convert_to_tensor(self.recurrent),
            "widen": self.widen.sampling_weights(),
        }


@keras.saving.register_keras_serializable("keras_gen")
class RowLSTM(CausalLSTM):
    """Section 3.1: a row at a time; a pixel's state hears the three above it, and so a triangle of the image.

    Input-to-state is a masked 3 x 1 convolution along the row, state-to-state a 3 x 1 convolution of the row above's state.
    """

    taps = 3
    input_columns = 1

    def states(self, here: Any) -> Any:
        """The LSTM's output ``[b, h, w, filters]`` for inputs ``[b, h, w, 2 filters]``."""
        gates = ops.transpose(self.input_to_state[0].convolve(here), (1, 2, 0, 3))  # [h, w, b, 4 filters]
        states = lstm_scan([gates[:, None]], self.recurrent, _RowTaps)[:, 0]
        return ops.cast(ops.transpose(states, (2, 0, 1, 3)), here.dtype)

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
    """Sections 3.2 and 3.3: along the diagonals, from both top corners; together they hear all features before.

    A state hears its neighbours towards its corner: the pixel beside it and the one above. The map that comes from the right
    is shifted down by a row before it is added, so that it knows finished rows alone.
    """

    taps = 2
    directions = 2

    def states(self, here: Any) -> Any:
        """Both LSTMs' outputs, added: ``[b, h, w, filters]`` for inputs ``[b, h, w, 2 filters]``."""
        height, width = here.shape[1], here.shape[2]
        # Features are skewed rather than gates, which are twice as many: a 1 x 1 convolution does not mind.
        gates = [
            layer.convolve(skewed(maps))[:, None]
            for layer, maps in zip(self.input_to_state, (here, here[:, :, ::-1]), strict=True)
        ]  # two of [diagonals, 1, h, b, 4 filters]
        # Row y begins at diagonal y; what lies before it is no pixel and leaves no state.
        inside = np.arange(height)[None] <= np.arange(width + height - 1)[:, None]
        states = lstm_scan(gates, self.recurrent, _DiagonalTaps, inside[:, None, :, None, None].astype(np.float32))
        left, right = unskewed(states[:, 0], width), unskewed(states[:, 1], width)[:, :, ::-1]
        shifted = ops.pad(right[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        return ops.cast(left + shifted, here.dtype)

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def begin(self, batch: Any, width: int) -> Nest:
        """States of the row above, from the left and from the right."""
        return [tf.zeros((width, batch, self.filters)) for _ in range(2)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """What the row above adds to the gates of the map from the left; the finished map from the right, shifted."""
        left, right = carried
        gates = row_product([left], weights["recurrent"][0, self.filters :]) + weights["input"][0]["bias"]
        return above, [gates, right], ()

    def windows(self, batch: Any) -> Nest:
        """State and memory to the left."""
        return [tf.zeros((batch, self.filters)) for _ in range(2)]

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel's step of the map from the left."""
        added, right = at(values, place[1])
        gates = here @ weights["input"][0]["own"] + windows[0] @ weights["recurrent"][0, : self.filters] + added
        h, c = cell(gates, windows[1])
        return here + self.widen.point(weights["widen"], h + right), [h, c], [here, h]

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The finished row's states; the map from the right runs over it now, from its last column to its first."""
        inputs, left = remembered
        gates = row_product([inputs], weights["input"][1]["own"]) + weights["input"][1]["bias"]
        gates += row_product([carried[1]], weights["recurrent"][1, self.filters :])
        beside = weights["recurrent"][1, : self.filters]
        zeros = tf.zeros_like(left[0])

        gates = gates[::-1]

        def step(t: Any, state: Any) -> Any:
            h, c = cell(tf.gather(gates, t) + state[0] @ beside, state[1])
            return (h, c), h

        return [left, scanned(step, gates.shape[0], (zeros, zeros))[::-1]]


class _RowTaps:
    """The three states above: features of ``[..., w, b, f]`` from columns x - 1, x, x + 1 side by side."""

    @staticmethod
    def gather(h: Any) -> Any:
        padded = tf.pad(h, [[0, 0]] * (h.shape.rank - 3) + [[1, 1], [0, 0], [0, 0]])
        width = h.shape[-3]
        return tf.concat([padded[..., i : i + width, :, :] for i in range(3)], axis=-1)

    @staticmethod
    def scatter(d: Any) -> Any:
        """The adjoint of ``gather``."""
        left, middle, right = (
            tf.pad(part, [[0, 0]] * (d.shape.rank - 3) + [[1, 1], [0, 0], [0, 0]]) for part in tf.split(d, 3, axis=-1)
        )
        return left[..., 2:, :, :] + middle[..., 1:-1, :, :] + right[..., :-2, :, :]


class _DiagonalTaps:
    """The state beside and the one above: features of ``[..., h, b, f]`` from rows y and y - 1 side by side."""

    @staticmethod
    def gather(h: Any) -> Any:
        above = tf.pad(h, [[0, 0]] * (h.shape.rank - 3) + [[1, 0], [0, 0], [0, 0]])[..., :-1, :, :]
        return tf.concat([h, above], axis=-1)

    @staticmethod
    def scatter(d: Any) -> Any:
        """The adjoint of ``gather``."""
        beside, above = tf.split(d, 2, axis=-1)
        return beside + tf.pad(above, [[0, 0]] * (d.shape.rank - 3) + [[0, 1], [0, 0], [0, 0]])[..., 1:, :, :]


def lstm_scan(gates: Sequence[Any], recurrent: Any, taps: Any, inside: np.ndarray | None = None) -> Any:
    """LSTM states ``[t, d, m, b, f]`` of the gates' input sums, ``[t, 1, m, b, 4 f]`` for each direction d; in float32.

    At each t the states of all places m and directions d go on at once. The gradient is written out: it keeps states,
    memories and gates, so that memory grows as t does, and takes the kernel's in one product at the end.

    Args:
        recurrent: kernel ``[d, taps f, 4 f]``.
        taps: which states of t - 1 a place hears.
        inside: 1 where a state is one, else 0: ``[t, 1, m, 1, 1]``.
    """
    count, directions = gates[0].shape[0], len(gates)
    filters = gates[0].shape[-1] // GATES

    def product(x: Any, kernel: Any) -> Any:
        # One by one: XLA's batched product is much slower on a CPU.
        flat = [tf.reshape(x[d], (-1, kernel.shape[1])) @ kernel[d] for d in range(directions)]
        return tf.reshape(tf.stack(flat), tf.concat([tf.shape(x)[:-1], kernel.shape[-1:]], 0))

    def kept(t: Any, *values: Any) -> tuple:
        """Zeros where there is no place."""
        return values if inside is None else tuple(value * tf.gather(tf.constant(inside), t) for value in values)

    @tf.custom_gradient
    def run(*arguments: Any) -> Any:
        *gates, kernel = arguments
        zeros = tf.zeros_like(tf.concat([gate[0, ..., :filters] for gate in gates], axis=0))

        def forward(t: Any, state: Any) -> Any:
            h, c = state
            sums = tf.concat(at(gates, t), axis=0) + product(taps.gather(h), kernel)
            squashed, content = tf.sigmoid(sums[..., : 3 * filters]), tf.tanh(sums[..., 3 * filters :])
            output, forget, write = tf.split(squashed, 3, axis=-1)
            c = forget * c + write * content
            h, c = kept(t, output * tf.tanh(c), c)
            return (h, c), (h, c, squashed, content)

        states, memories, squashed, contents = scanned(forward, count, (zeros, zeros))

        def gradient(upstream: Any) -> Any:
            back = tf.transpose(kernel, (0, 2, 1))

            def backward(t: Any, state: Any) -> Any:
                up, memory, gate, content = at((upstream, memories, squashed, contents), t)
                before = tf.gather(memories, tf.maximum(t - 1, 0)) * tf.cast(t > 0, tf.float32)
                dh, dc = kept(t, state[0] + up, state[1])
                output, forget, write = tf.split(gate, 3, axis=-1)
                tanh = tf.tanh(memory)
                dc = dc + dh * output * (1.0 - tf.square(tanh))
                dgate = tf.concat([dh * tanh, dc * before, dc * content], axis=-1) * gate * (1.0 - gate)
                dsums = tf.concat([dgate, dc * write * (1.0 - tf.square(content))], axis=-1)
                parts = tuple(dsums[d : d + 1] for d in range(directions))
                return (taps.scatter(product(dsums, back)), dc * forget), parts

            dgates = scanned(backward, count, (zeros, zeros), reverse=True)
            heard = taps.gather(tf.concat([zeros[None], states[:-1]], axis=0))
            dkernel = [
                tf.matmul(
                    tf.reshape(heard[:, d], (-1, heard.shape[-1])),
                    tf.reshape(dgates[d], (-1, GATES * filters)),
                    transpose_a=True,
                )
                for d in range(directions)
            ]
            return (*dgates, tf.stack(dkernel))

        return states, gradient

    return run(*(tf.cast(gate, tf.float32) for gate in gates), tf.cast(tf.convert_to_tensor(recurrent), tf.float32))


def scanned(step: Any, count: int, state: Any, reverse: bool = False) -> Any:
    """``state, outputs = step(t, state)`` for each t from 0 (or from the last, in ``reverse``); all outputs ``[t, ...]``."""
    probe = step(tf.constant(0), state)[1]  # for its shapes alone
    arrays = tf.nest.map_structure(lambda x: tf.TensorArray(x.dtype, count, element_shape=x.shape), probe)

    def body(turn: Any, state: Any, arrays: Any) -> Any:
        t = count - 1 - turn if reverse else turn
        state, made = step(t, state)
        return turn + 1, state, tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, made)

    _, _, arrays = tf.while_loop(
        lambda turn, *_: turn < count,
        body,
        (tf.constant(0), state, arrays),
        maximum_iterations=count,
        parallel_iterations=1,
    )
    return tf.nest.map_structure(lambda array: array.stack(), arrays)


def skewed(maps: Any) -> Any:
    """``[b, h, w, c]`` to diagonals ``[w + h - 1, h, b, c]``: row y starts at diagonal y (figure 3)."""
    height, width, features = maps.shape[1], maps.shape[2], maps.shape[3]
    padded = ops.pad(maps, ((0, 0), (0, 0), (0, height), (0, 0)))
    flat = ops.reshape(padded, (-1, height * (width + height), features))[:, : height * (width + height - 1)]
    return ops.transpose(ops.reshape(flat, (-1, height, width + height - 1, features)), (2, 1, 0, 3))


def unskewed(diagonals: Any, width: int) -> Any:
    """The inverse of ``skewed``, back to ``[b, h, w, c]``."""
    height, features = diagonals.shape[1], diagonals.shape[3]
    rows = ops.reshape(ops.transpose(diagonals, (2, 1, 0, 3)), (-1, height * (width + height - 1), features))
    padded = ops.pad(rows, ((0, 0), (0, height), (0, 0)))
    return ops.reshape(padded, (-1, height, width + height, features))[:, :, :width]
