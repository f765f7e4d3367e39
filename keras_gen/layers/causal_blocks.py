"""What PixelCNNs are stacked from: residual blocks, gated blocks, and the head that gives the distributions' parameters."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gen.core.checks import integer, odd, sizes
from keras_gen.layers.causal import CausalLayer, Nest, Place, at, row_product
from keras_gen.layers.masked_convolution import MaskedConv2D, RowsAboveConv2D


@keras.saving.register_keras_serializable("keras_gen")
class ResidualBlock(CausalLayer):
    """van den Oord et al. 2016, figure 5 (left): 2h -> h, masked k x k at h, h -> 2h, added to its input."""

    def __init__(self, filters: int, kernel_size: int = 3, groups: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.groups = filters, groups = sizes(filters=filters, groups=groups)
        self.kernel_size = kernel_size = odd("kernel_size", kernel_size)
        self.narrow = MaskedConv2D(filters, groups=groups, dtype=self.dtype_policy)
        self.past = MaskedConv2D.of_size(filters, kernel_size, groups=groups, dtype=self.dtype_policy)
        self.widen = MaskedConv2D(2 * filters, groups=groups, dtype=self.dtype_policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "kernel_size", "groups")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds the three convolutions."""
        self.narrow.build(None, here_shape)
        self.past.build(None, (*here_shape[:-1], self.filters))
        self.widen.build(None, (*here_shape[:-1], self.filters))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``here`` ``[b, h, w, 2 filters]`` to the same shape."""
        narrow = ops.relu(self.narrow.convolve(ops.relu(here)))
        return above, here + self.widen.convolve(ops.relu(self.past.convolve(narrow)))

    def sampling_weights(self) -> Nest:
        """Of the three convolutions."""
        return [layer.sampling_weights() for layer in (self.narrow, self.past, self.widen)]

    def begin(self, batch: Any, width: int) -> Nest:
        """The masked convolution's."""
        return self.past.begin(batch, width)

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The masked convolution's."""
        return self.past.row(weights[1], carried, y, above, condition)

    def windows(self, batch: Any) -> Nest:
        """The masked convolution's."""
        return self.past.windows(batch)

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """As ``call``, for one pixel."""
        narrow = tf.nn.relu(self.narrow.point(weights[0], tf.nn.relu(here)))
        past, windows, remembered = self.past.pixel(weights[1], values, windows, place, narrow, condition)
        return here + self.widen.point(weights[2], tf.nn.relu(past)), windows, remembered

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The masked convolution's."""
        return self.past.end_row(weights[1], carried, kept, remembered)


@keras.saving.register_keras_serializable("keras_gen")
class GatedBlock(CausalLayer):
    """van den Oord et al. 2016b, figure 2: a vertical stack that sees all rows above, a horizontal one that receives it.

    Each convolution's halves meet as ``tanh(W_f x + V_f y) * sigmoid(W_g x + V_g y)`` (eq. 2 and 4, ``y`` the condition).

    Args:
        filters: features of both streams.
        kernel_size: odd.
        first: whether the inputs are the image itself: rows and mask are shifted, nothing is added to ``here``.
        groups: the image's channels.
        conditions: size of the conditioning vector, or 0.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        *,
        first: bool = False,
        groups: int = 1,
        conditions: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.groups = filters, groups = sizes(filters=filters, groups=groups)
        self.kernel_size = kernel_size = odd("kernel_size", kernel_size, 3 if first else 1)
        self.first, self.conditions = first, integer("conditions", conditions, 0)
        half, policy = kernel_size // 2, {"dtype": self.dtype_policy}
        self.vertical = RowsAboveConv2D(2 * filters, half if first else half + 1, half, shifted=first, **policy)
        self.horizontal = MaskedConv2D(
            2 * filters, 1, half, 0, mask_type="A" if first else "B", groups=groups, blocks=2, **policy
        )
        self.across = keras.layers.Dense(2 * filters, use_bias=False, **policy)
        self.onward = MaskedConv2D(filters, groups=groups, **policy)
        self.condition_above = keras.layers.Dense(2 * filters, use_bias=False, **policy) if conditions else None
        self.condition_here = keras.layers.Dense(2 * filters, use_bias=False, **policy) if conditions else None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "kernel_size", "first", "groups", "conditions")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds the convolutions."""
        self.vertical.build(above_shape)
        self.horizontal.build(None, here_shape)
        self.across.build((None, 2 * self.filters))
        self.onward.build(None, (*here_shape[:-1], self.filters))
        for layer in filter(None, (self.condition_above, self.condition_here)):
            layer.build((None, self.conditions))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, filters]`` each (the image, if first) to ``[b, h, w, filters]`` each; condition ``[b, conditions]``."""
        vertical = self.vertical.convolve(above)
        if self.conditions:
            vertical = vertical + self.condition_above(condition)[:, None, None]
        horizontal = self.horizontal.convolve(here) + self.across(vertical)
        if self.conditions:
            horizontal = horizontal + self.condition_here(condition)[:, None, None]
        onward = self.onward.convolve(gated(horizontal))
        return gated(vertical), onward if self.first else here + onward

    def sampling_weights(self) -> Nest:
        """Of all parts."""
        return {
            "vertical": self.vertical.sampling_weights(),
            "horizontal": self.horizontal.sampling_weights(),
            "across": tf.convert_to_tensor(self.across.kernel),
            "onward": self.onward.sampling_weights(),
            "condition": [tf.convert_to_tensor(d.kernel) for d in (self.condition_above, self.condition_here) if d],
        }

    def begin(self, batch: Any, width: int) -> Nest:
        """The vertical stack's rows."""
        return self.vertical.begin(batch, width)

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The vertical stack's row, and what it adds to each pixel of the horizontal one."""
        vertical, _, kept = self.vertical.row(weights["vertical"], carried, y, above, condition)
        if self.conditions:
            vertical = vertical + (condition @ weights["condition"][0])[None]
        values = row_product([vertical], weights["across"]) + weights["horizontal"]["bias"]
        if self.conditions:
            values = values + (condition @ weights["condition"][1])[None]
        return gated(vertical), values, kept

    def windows(self, batch: Any) -> Nest:
        """The horizontal stack's."""
        return self.horizontal.windows(batch)

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """As ``call``, for one pixel of the horizontal stack."""
        own = {**weights["horizontal"], "bias": at(values, place[1])}
        horizontal, windows, _ = self.horizontal.pixel(own, (), windows, place, here, condition)
        onward = self.onward.point(weights["onward"], gated(horizontal))
        # The first block's vertical stack reads the image's rows.
        return (onward, windows, here) if self.first else (here + onward, windows, ())

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The vertical stack's rows."""
        return self.vertical.end_row(weights["vertical"], carried, kept, remembered)


def gated(x: Any) -> Any:
    """``tanh`` of the first half of the features times ``sigmoid`` of the second."""
    features, gate = ops.split(ops.cast(x, "float32"), 2, axis=-1)  # bfloat16 would be slower here, and coarse
    return ops.cast(ops.tanh(features) * ops.sigmoid(gate), x.dtype)


@keras.saving.register_keras_serializable("keras_gen")
class Head(CausalLayer):
    """Two ReLU + 1 x 1 masked convolutions (van den Oord et al. 2016, table 1): features to each pixel's parameters."""

    def __init__(self, filters: int, parameters: int, groups: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        names = {"filters": filters, "parameters": parameters, "groups": groups}
        self.filters, self.parameters, self.groups = filters, parameters, groups = sizes(**names)
        self.hidden = MaskedConv2D(filters, groups=groups, dtype=self.dtype_policy)
        self.outcome = MaskedConv2D(parameters, groups=groups, dtype=self.dtype_policy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "parameters", "groups")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Builds both."""
        self.hidden.build(None, here_shape)
        self.outcome.build(None, (*here_shape[:-1], self.filters))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, c]`` to ``[b, h, w, parameters]``."""
        return above, self.outcome.convolve(ops.relu(self.hidden.convolve(ops.relu(here))))

    def sampling_weights(self) -> Nest:
        """Of both."""
        return [self.hidden.sampling_weights(), self.outcome.sampling_weights()]

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """As ``call``, for one pixel."""
        hidden = tf.nn.relu(self.hidden.point(weights[0], tf.nn.relu(here)))
        return self.outcome.point(weights[1], hidden), (), ()
