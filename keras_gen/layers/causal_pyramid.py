"""PixelCNN++'s network (Salimans et al. 2017, sections 2.3 to 2.5): two streams through a pyramid with skips.

At a lower level each pixel stands for 2 x 2 of the one above, and is known before the first of them; so in sampling it is
computed once for the four, at even rows and columns, and read at the others.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gen.core.checks import integer, rate, sizes
from keras_gen.layers.causal import Blanks, CausalLayer, Nest, Place, at, row_product, where_due
from keras_gen.layers.gated_resnet import GatedResnet
from keras_gen.layers.masked_convolution import MaskedConv2D, RowsAboveConv2D


@keras.saving.register_keras_serializable("keras_gen")
class PyramidEntrance(CausalLayer):
    """The image as two streams: the two rows above it; the row above, and the pixel to the left."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters = integer("filters", filters, 1)
        self.rows = RowsAboveConv2D(filters, 2, 1, shifted=True, dtype=self.dtype_policy)
        self.left = MaskedConv2D.of_size(filters, 3, mask_type="A", dtype=self.dtype_policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds both convolutions."""
        self.rows.build(above_shape)
        self.left.build(None, here_shape)
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """The image twice, ``[b, h, w, c]``, to ``[b, h, w, filters]`` each."""
        return self.rows.convolve(above), self.left.convolve(here)

    def sampling_weights(self) -> Nest:
        """Of both."""
        return [self.rows.sampling_weights(), self.left.sampling_weights()]

    def begin(self, batch: Any, width: int) -> Nest:
        """The image's last rows, for each."""
        return [self.rows.begin(batch, width), self.left.begin(batch, width)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The row of the first stream, what rows above add to the second."""
        above = self.rows.row(weights[0], carried[0], y, None, None)[0]
        return above, self.left.row(weights[1], carried[1], y, None, None)[1], ()

    def windows(self, batch: Any) -> Nest:
        """The pixel to the left."""
        return self.left.windows(batch)

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel of the second stream."""
        return self.left.pixel(weights[1], values, windows, place, here, condition)

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The image's row becomes the last."""
        layers = (self.rows, self.left)
        return [layer.end_row(w, c, (), remembered) for layer, w, c in zip(layers, weights, carried)]


@keras.saving.register_keras_serializable("keras_gen")
class Pyramid(CausalLayer):
    """``resnets`` blocks, the same at half the size (``levels - 1`` times), and back up with a skip from every block.

    On the way up each pixel becomes 2 x 2 by a matrix of its own for each of the four (the paper's code widens the first
    stream's by a column).

    Args:
        filters: features of both streams, at all levels.
        resnets: blocks of a level on the way down.
        levels: 1 halves nothing; sides must be multiples of ``2 ** (levels - 1)``.
        dropout: rate. seed: its seed.
    """

    def __init__(self, filters: int, resnets: int, levels: int, dropout: float = 0.0, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        names = {"filters": filters, "resnets": resnets, "levels": levels}
        self.filters, self.resnets, self.levels = filters, resnets, levels = sizes(**names)
        self.dropout, self.seed = dropout, seed = rate("dropout", dropout), integer("seed", seed)
        policy = {"dtype": self.dtype_policy}
        seeds = iter(range(1_000 * levels + 100_000 * seed, 1_000 * (levels + 1) + 100_000 * seed))
        self.down = [GatedResnet(filters, False, dropout, next(seeds), **policy) for _ in range(resnets)]
        back = resnets if levels == 1 else resnets + 1
        self.up = [GatedResnet(filters, True, dropout, next(seeds), **policy) for _ in range(back)]
        self.lower = None
        self.blank_row, self.blank_pixel = Blanks(), Blanks()
        if levels > 1:
            self.shrink_above = RowsAboveConv2D(filters, 2, 1, stride=2, **policy)
            self.shrink_here = MaskedConv2D(filters, 2, 1, 0, stride=2, **policy)
            self.lower = Pyramid(filters, resnets, levels - 1, dropout, seed, **policy)
            self.grow_above = keras.layers.Dense(4 * filters, **policy)
            self.grow_here = keras.layers.Dense(4 * filters, **policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "resnets", "levels", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds all levels."""
        shape = (None, None, None, self.filters)
        for layer in (*self.down, *self.up):
            layer.build(shape, shape)
        if self.lower is not None:
            self.shrink_above.build(shape)
            self.shrink_here.build(None, shape)
            self.lower.build(shape, shape)
            self.grow_above.build((None, self.filters))
            self.grow_here.build((None, self.filters))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, filters]`` each to the same."""
        skips = [(above, here)]
        for layer in self.down:
            above, here = layer(above, here, training=training)
            skips.append((above, here))
        if self.lower is None:
            above, here = skips.pop()
        else:
            above, here = self.shrink_above.convolve(above), self.shrink_here.convolve(here)
            above, here = self.lower(above, here, training=training)
            above, here = doubled(self.grow_above(above)), doubled(self.grow_here(here))
        for layer in self.up:
            skip_above, skip_here = skips.pop()
            above, here = layer((above, skip_above), (here, skip_here), training=training)
        return above, here

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def sampling_weights(self) -> Nest:
        """Of all levels."""
        weights = {
            "down": [layer.sampling_weights() for layer in self.down],
            "up": [layer.sampling_weights() for layer in self.up],
        }
        if self.lower is None:
            return weights
        grow = [
            (
                tf.reshape(tf.convert_to_tensor(layer.kernel), (self.filters, 2, 2, self.filters)),
                tf.reshape(tf.convert_to_tensor(layer.bias), (2, 2, self.filters)),
            )
            for layer in (self.grow_above, self.grow_here)
        ]
        return weights | {
            "shrink_above": self.shrink_above.sampling_weights(),
            "shrink_here": self.shrink_here.sampling_weights(),
            "lower": self.lower.sampling_weights(),
            # [row, column, in, out]: which of the four, first.
            "grow": [(tf.transpose(kernel, (1, 2, 0, 3)), bias) for kernel, bias in grow],
        }

    def begin(self, batch: Any, width: int) -> Nest:
        """What every block carries; of the lower level also its last row of both streams, which two rows read."""
        carried = {
            "down": [layer.begin(batch, width) for layer in self.down],
            "up": [layer.begin(batch, width) for layer in self.up],
        }
        if self.lower is None:
            return carried
        last = [tf.zeros((width // 2, batch, self.filters)) for _ in range(2)]
        return carried | {
            "shrink_above": self.shrink_above.begin(batch, width),
            "shrink_here": self.shrink_here.begin(batch, width),
            "lower": self.lower.begin(batch, width // 2),
            "last": last,
        }

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The row of the first stream at every level that begins a row here."""
        values, kept, skips = {"down": [], "up": []}, {"down": [], "up": []}, [above]
        for layer, w, state in zip(self.down, weights["down"], carried["down"]):
            above, value, keep = layer.row(w, state, y, above, condition)
            values["down"].append(value)
            kept["down"].append(keep)
            skips.append(above)
        if self.lower is None:
            above = skips.pop()
        else:
            above = self._lower_row(weights, carried, y, above, values, kept)
        for layer, w, state in zip(self.up, weights["up"], carried["up"]):
            above, value, keep = layer.row(w, state, y, (above, skips.pop()), condition)
            values["up"].append(value)
            kept["up"].append(keep)
        return above, values, kept

    def _lower_row(self, weights: Nest, carried: Nest, y: Any, above: Any, values: dict, kept: dict) -> Any:
        """The lower level's row (a new one at even rows), grown to this level's."""

        def new() -> tuple:
            shrunk = self.shrink_above.row(weights["shrink_above"], carried["shrink_above"], y, above, None)[0]
            added = self.shrink_here.row(weights["shrink_here"], carried["shrink_here"], y, None, None)[1]
            return (*self.lower.row(weights["lower"], carried["lower"], y // 2, shrunk, None), added)

        old = (carried["last"][0], *self.blank_row.zeros(lambda: new()[1:], tf.shape(above)[1]))
        row, lower_values, lower_kept, added = where_due(tf.equal(y % 2, 0), new, old)
        values |= {"lower": lower_values, "added": added, "last": carried["last"][1]}
        kept |= {"y": y, "shrink_above": above, "lower": lower_kept, "last": row}
        kernel, bias = (tf.gather(part, y % 2) for part in weights["grow"][0])  # [column, in, out]
        pair = [row_product([row], kernel[column]) + bias[column] for column in range(2)]
        return tf.reshape(tf.stack(pair, axis=1), (2 * row.shape[0], -1, self.filters))

    def windows(self, batch: Any) -> Nest:
        """What every block saw to the left; of the lower level also its present pixel."""
        windows = {
            "down": [layer.windows(batch) for layer in self.down],
            "up": [layer.windows(batch) for layer in self.up],
        }
        if self.lower is None:
            return windows
        present = tf.zeros((batch, self.filters))
        shrink = self.shrink_here.windows(batch)
        return windows | {"shrink_here": shrink, "lower": self.lower.windows(batch), "present": present}

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """One pixel of the second stream, at every level that begins one here."""
        after, seen, skips = {"down": [], "up": []}, {"down": [], "up": []}, [here]
        for layer, *state in zip(self.down, weights["down"], values["down"], windows["down"]):
            here, window, memory = layer.pixel(*state, place, here, condition)
            after["down"].append(window)
            seen["down"].append(memory)
            skips.append(here)
        if self.lower is None:
            here = skips.pop()
        else:
            here = self._lower_pixel(weights, values, windows, place, here, after, seen)
        for layer, *state in zip(self.up, weights["up"], values["up"], windows["up"]):
            here, window, memory = layer.pixel(*state, place, (here, skips.pop()), condition)
            after["up"].append(window)
            seen["up"].append(memory)
        return here, after, seen

    def _lower_pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, after: dict, seen: dict
    ) -> Any:
        """The lower level's pixel (a new one at even rows and columns), grown to this one."""
        y, x = (tf.convert_to_tensor(coordinate) for coordinate in place)
        lower_place = (y // 2, x // 2)
        shrunk, beside, memory = self.shrink_here.pixel(
            weights["shrink_here"], values["added"], windows["shrink_here"], lower_place, here, None
        )

        def new() -> tuple:
            return self.lower.pixel(weights["lower"], values["lower"], windows["lower"], lower_place, shrunk, None)

        present = tf.where(tf.equal(y % 2, 0), windows["present"], at(values["last"], lower_place[1]))
        old = (present, windows["lower"], self.blank_pixel.zeros(lambda: new()[2], tf.shape(here)[0]))
        begins = tf.logical_and(tf.equal(y % 2, 0), tf.equal(x % 2, 0))
        present, lower_windows, lower_memory = where_due(begins, new, old)
        after |= {"shrink_here": beside, "lower": lower_windows, "present": present}
        seen |= {"shrink_here": memory, "lower": lower_memory, "present": present}
        kernel, bias = (tf.gather(tf.gather(part, y % 2), x % 2) for part in weights["grow"][1])
        return present @ kernel + bias

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The rows become the last; the lower level's after its even rows."""
        ended = {
            side: [
                layer.end_row(*state)
                for layer, *state in zip(
                    getattr(self, side), weights[side], carried[side], kept[side], remembered[side]
                )
            ]
            for side in ("down", "up")
        }
        if self.lower is None:
            return ended

        def new() -> tuple:
            lower_remembered = tf.nest.map_structure(lambda x: x[::2], remembered["lower"])
            lower = self.lower.end_row(weights["lower"], carried["lower"], kept["lower"], lower_remembered)
            return lower, remembered["present"][::2]

        lower, last = where_due(tf.equal(kept["y"] % 2, 0), new, (carried["lower"], carried["last"][1]))
        shrink = self.shrink_above.end_row((), carried["shrink_above"], kept["shrink_above"], ())
        beside = self.shrink_here.end_row((), carried["shrink_here"], (), remembered["shrink_here"])
        return ended | {"shrink_above": shrink, "shrink_here": beside, "lower": lower, "last": [kept["last"], last]}


@keras.saving.register_keras_serializable("keras_gen")
class PyramidReadout(CausalLayer):
    """ELU and a 1 x 1 convolution: the second stream to each pixel's parameters."""

    def __init__(self, parameters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.parameters = parameters = integer("parameters", parameters, 1)
        self.outcome = MaskedConv2D(parameters, dtype=self.dtype_policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "parameters": self.parameters}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds the convolution."""
        self.outcome.build(None, here_shape)
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, c]`` to ``[b, h, w, parameters]``."""
        return above, self.outcome.convolve(ops.elu(here))

    def sampling_weights(self) -> Nest:
        """The convolution's."""
        return self.outcome.sampling_weights()

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """As ``call``, for one pixel."""
        return self.outcome.point(weights, tf.nn.elu(here)), (), ()


def doubled(x: Any) -> Any:
    """``[b, h, w, 4 f]`` to ``[b, 2 h, 2 w, f]``: the features of each pixel's four, row by row."""
    height, width, features = x.shape[1], x.shape[2], x.shape[3] // 4
    split = ops.transpose(ops.reshape(x, (-1, height, width, 2, 2, features)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(split, (-1, 2 * height, 2 * width, features))
