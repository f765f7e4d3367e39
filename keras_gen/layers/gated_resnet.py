"""PixelCNN++'s gated residual block on two streams (Salimans et al. 2017, sections 2.3 and 2.4)."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gen.core.checks import integer, rate
from keras_gen.layers.causal import CausalLayer, Nest, Place, row_product
from keras_gen.layers.dropout import Dropout
from keras_gen.layers.masked_convolution import MaskedConv2D, RowsAboveConv2D


def concat_elu(x: Any) -> Any:
    """``elu`` of the features and of their negatives: ``[..., f]`` to ``[..., 2 f]``."""
    return ops.elu(ops.concatenate([x, -x], axis=-1))


def halves_gated(x: Any) -> Any:
    """First half of the features times the sigmoid of the second."""
    features, gate = ops.split(x, 2, axis=-1)
    return features * ops.cast(ops.sigmoid(ops.cast(gate, "float32")), x.dtype)


@keras.saving.register_keras_serializable("keras_gen")
class GatedResnet(CausalLayer):
    """``x + a sigmoid(b)`` of two convolutions, on both streams; the second sees the first, and both see the skips.

    The first stream's convolutions are 2 x 3 (this row and the one above), the second's 2 x 2 (up and left). Weight
    normalization, which the paper's code has, is left out.

    Args:
        filters: features of both streams.
        skips: whether ``above`` and ``here`` come as pairs, each stream with its skip.
        dropout: rate, between the convolutions.
        seed: of the dropout.
    """

    def __init__(self, filters: int, skips: bool = False, dropout: float = 0.0, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.skips = filters, skips = integer("filters", filters, 1), bool(skips)
        self.dropout, self.seed = dropout, seed = rate("dropout", dropout), integer("seed", seed)
        policy = {"dtype": self.dtype_policy}
        self.rows = [RowsAboveConv2D(features, 2, 1, **policy) for features in (filters, 2 * filters)]
        self.past = [MaskedConv2D(features, 2, 1, 0, **policy) for features in (filters, 2 * filters)]
        self.across = keras.layers.Dense(filters, use_bias=False, **policy)
        self.across_skips = [keras.layers.Dense(filters, use_bias=False, **policy) for _ in range(2 if skips else 0)]
        self.drop = [Dropout(dropout, seed=2 * seed + stream) for stream in range(2)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "skips", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds the convolutions, all on ``2 filters`` features."""
        shape = (None, None, None, 2 * self.filters)
        for layer in self.rows:
            layer.build(shape)
        for layer in self.past:
            layer.build(None, shape)
        for layer in (self.across, *self.across_skips):
            layer.build((None, 2 * self.filters))
        for layer in self.drop:
            layer.build((None, None, None, 2 * self.filters))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, filters]`` each, or pairs of them with skips, to ``[b, h, w, filters]`` each."""
        (above, skip_above), (here, skip_here) = self._pair(above), self._pair(here)
        first = self.rows[0].convolve(concat_elu(above))
        if self.skips:
            first = first + self.across_skips[0](concat_elu(skip_above))
        above = above + halves_gated(self.rows[1].convolve(self.drop[0](concat_elu(first), training=training)))
        first = self.past[0].convolve(concat_elu(here)) + self.across(concat_elu(above))
        if self.skips:
            first = first + self.across_skips[1](concat_elu(skip_here))
        return above, here + halves_gated(self.past[1].convolve(self.drop[1](concat_elu(first), training=training)))

    def _pair(self, stream: Any) -> tuple[Any, Any]:
        return stream if self.skips else (stream, None)

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def sampling_weights(self) -> Nest:
        """Of all parts."""
        return {
            "rows": [layer.sampling_weights() for layer in self.rows],
            "past": [layer.sampling_weights() for layer in self.past],
            "across": tf.convert_to_tensor(self.across.kernel),
            "skips": [tf.convert_to_tensor(layer.kernel) for layer in self.across_skips],
        }

    def begin(self, batch: Any, width: int) -> Nest:
        """The last rows of each convolution's input."""
        return [layer.begin(batch, width) for layer in (*self.rows, *self.past)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The first stream's row; what it and the rows above add to the second's two convolutions."""
        above, skip = self._pair(above)
        first, _, kept_first = self.rows[0].row(weights["rows"][0], carried[0], y, concat_elu(above), None)
        if self.skips:
            first = first + row_product([concat_elu(skip)], weights["skips"][0])
        second, _, kept_second = self.rows[1].row(weights["rows"][1], carried[1], y, concat_elu(first), None)
        above = above + halves_gated(second)
        values = [
            layer.row(w, state, y, None, None)[1] for layer, w, state in zip(self.past, weights["past"], carried[2:])
        ]
        values[0] = values[0] + row_product([concat_elu(above)], weights["across"])
        return above, values, [kept_first, kept_second]

    def windows(self, batch: Any) -> Nest:
        """What each of the second stream's convolutions saw to the left."""
        return [layer.windows(batch) for layer in self.past]

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel of the second stream."""
        here, skip = self._pair(here)
        states = zip(self.past, weights["past"], values, windows)
        layer, *state = next(states)
        first, window_first, seen_first = layer.pixel(*state, place, concat_elu(here), None)
        if self.skips:
            first = first + concat_elu(skip) @ weights["skips"][1]
        layer, *state = next(states)
        second, window_second, seen_second = layer.pixel(*state, place, concat_elu(first), None)
        return here + halves_gated(second), [window_first, window_second], [seen_first, seen_second]

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The inputs' rows become the last."""
        ends = [layer.end_row((), state, row, ()) for layer, state, row in zip(self.rows, carried[:2], kept)]
        return ends + [
            layer.end_row((), state, (), row) for layer, state, row in zip(self.past, carried[2:], remembered)
        ]
