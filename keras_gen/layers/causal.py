"""What lets a network of masked layers be computed whole for training, and pixel by pixel for sampling.

A causal layer maps two streams of feature maps to two. ``above`` at a pixel depends on the rows above it alone; ``here`` on
those, on the pixels to its left, and on the pixel's own earlier channels. Networks with one stream leave ``above`` alone.

Whole maps go through ``call``, ``[b, h, w, c]``. Sampling goes row by row, and in a row pixel by pixel:

    carried = layer.begin(batch, width)                      what the rows above leave behind; zeros before the first
    each row y:
        above, values, kept = layer.row(weights, carried, y, above, condition)     all columns at once
        windows = layer.windows(batch)                       what the pixels to the left leave behind
        each column x:
            here, windows, remembered = layer.pixel(weights, values, windows, (y, x), here, condition)
        carried = layer.end_row(weights, carried, kept, remembered of all columns)

so that a pixel costs its own left taps, and what rows above add is one large matrix product a row. Rows are ``[w, b, c]``,
columns first: reading a pixel is a slice. All these values are (possibly empty) nests of tensors.
"""

from typing import Any

import keras
import tensorflow as tf

Nest = Any
Place = tuple[Any, Any]


class CausalLayer(keras.layers.Layer):
    """Base: a layer that remembers nothing (pointwise), as far as a subclass does not say otherwise."""

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """Whole maps ``[b, h, w, c]`` of both streams (``above`` may be None) to whole maps."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of whole maps.")

    def sampling_weights(self) -> Nest:
        """The weights as sampling wants them, made once before the first pixel."""
        raise NotImplementedError(f"{type(self).__name__} must give its weights.")

    def begin(self, batch: Any, width: int) -> Nest:
        """What there is before the first row."""
        return ()

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The row's ``above`` for the next layer, the values its pixels will read ``[w, ...]``, and what ``end_row`` wants."""
        return above, (), ()

    def windows(self, batch: Any) -> Nest:
        """What there is to the left of the first column."""
        return ()

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel's ``here`` ``[b, c]`` for the next layer, the windows of the next column, and what ``end_row`` will want."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of a pixel.")

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """What the finished row leaves to the next one; ``remembered`` is of all columns ``[w, b, ...]``."""
        return carried


class Blanks:
    """Zeros like what a function makes, which runs once, for its shapes: rows ``[w, b, c]``, pixels ``[b, c]``, numbers."""

    def __init__(self):
        self._specs = None

    def specs(self, make: Any) -> Nest:
        """The nest's shapes; those of the batch are left open."""
        if self._specs is None:
            self._specs = tf.nest.map_structure(
                lambda x: tf.TensorSpec([None if i == len(x.shape) - 2 else n for i, n in enumerate(x.shape)], x.dtype),
                make(),
            )
        return self._specs

    def zeros(self, make: Any, batch: Any) -> Nest:
        """The nest, zero."""
        return tf.nest.map_structure(
            lambda spec: tf.zeros([batch if size is None else size for size in spec.shape], spec.dtype),
            self.specs(make),
        )


def where_due(due: tf.Tensor, new: Any, old: Nest) -> Nest:
    """``new()`` if ``due`` (and computed then alone), else ``old``.

    A loop of one turn or none: ``tf.cond`` in a loop's body is beyond the conversion to ONNX.
    """
    turns = tf.cast(due, tf.int32)
    _, result = tf.while_loop(
        lambda turn, _: turn < turns,
        lambda turn, _: (turn + 1, new()),
        (tf.constant(0), old),
        maximum_iterations=1,
        parallel_iterations=1,
    )
    return result


def at(nest: Nest, index: Any) -> Nest:
    """Entry ``index`` of every tensor's first axis."""
    return tf.nest.map_structure(lambda x: tf.gather(x, index), nest)


def shifted_columns(row: tf.Tensor, left: int, right: int, stride: int = 1) -> list[tf.Tensor]:
    """The row ``[w, b, c]`` as seen by its neighbours: columns x - left ... x + right of every ``stride``-th x, zero outside."""
    if not left and not right:
        return [row[::stride] if stride > 1 else row]
    width = row.shape[0]
    padded = tf.pad(row, [[left, right], [0, 0], [0, 0]])
    return [padded[shift : shift + width : stride] for shift in range(left + right + 1)]


def row_product(taps: list[tf.Tensor], kernel: tf.Tensor) -> tf.Tensor:
    """``concat(taps) @ kernel``: taps ``[w, b, c]`` each, kernel ``[len(taps) c, f]``; returns ``[w, b, f]``."""
    width, features = taps[0].shape[0], kernel.shape[1]
    stacked = tf.concat(taps, axis=-1) if len(taps) > 1 else taps[0]
    return tf.reshape(tf.reshape(stacked, (-1, kernel.shape[0])) @ kernel, (width, -1, features))
