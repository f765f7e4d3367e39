"""Convolutions that see the past of the raster scan alone (van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.4)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.core.checks import integer, odd, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.layers.causal import CausalLayer, Nest, Place, at, row_product, shifted_columns

MASK_TYPES = ("A", "B")


def channel_groups(features: int, groups: int, blocks: int = 1) -> np.ndarray:
    """Group of each feature: ``blocks`` equal blocks (gates, say), each split evenly among the image's channels."""
    if features % (groups * blocks):
        raise InvalidInput(
            f"{features} features do not split into {blocks} x {groups} equal parts, one for each of the image's "
            f"{groups} channels; give a multiple of {groups * blocks}."
        )
    return np.tile(np.repeat(np.arange(groups), features // (groups * blocks)), blocks)


def centre_mask(mask_type: str, inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Which input group each output group may see of its own pixel: earlier ones (A), and its own too (B). ``[in, out]``."""
    if mask_type not in MASK_TYPES:
        raise InvalidInput(f"mask_type={mask_type!r} is unknown; give 'A' (first layer) or 'B'.")
    seen = inputs[:, None] < outputs[None, :] if mask_type == "A" else inputs[:, None] <= outputs[None, :]
    return seen.astype(np.float32)


@keras.saving.register_keras_serializable("keras_gen")
class MaskedConv2D(CausalLayer):
    """A convolution of the rows above and the pixels to the left; channels see each other in the order R, G, B.

    Only the rows that live are computed: the kernel is ``[rows, left + 1 + right, in, filters]`` and its last row the pixel's
    own, whose taps to the right are masked. A k x k masked convolution of the paper is ``rows = k // 2 + 1``,
    ``left = right = k // 2``; see ``of_size``.

    Args:
        filters: output features.
        rows: kernel rows, the pixel's own included.
        left, right: columns to each side.
        mask_type: of the pixel itself: ``"A"`` sees its earlier channels, ``"B"`` their features and its own channel's.
        groups: the image's channels; features split evenly among them.
        blocks: equal blocks of the output, each split among the groups by itself (tanh and sigmoid half; gates).
        stride: both ways; output (y, x) stands at input (stride y, stride x).
    """

    def __init__(
        self,
        filters: int,
        rows: int = 1,
        left: int = 0,
        right: int = 0,
        *,
        mask_type: str = "B",
        groups: int = 1,
        blocks: int = 1,
        stride: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.rows, self.stride = sizes(filters=filters, rows=rows, stride=stride)
        self.left, self.right = integer("left", left, 0), integer("right", right, 0)
        self.groups, self.blocks = sizes(groups=groups, blocks=blocks)
        self.outputs, self.mask_type = channel_groups(self.filters, self.groups, self.blocks), mask_type
        if mask_type not in MASK_TYPES:
            raise InvalidInput(f"mask_type={mask_type!r} is unknown; give 'A' (first layer) or 'B'.")

    @classmethod
    def of_size(cls, filters: int, kernel_size: int, **kwargs: Any) -> "MaskedConv2D":
        """The paper's masked k x k convolution, k odd."""
        half = odd("kernel_size", kernel_size) // 2
        return cls(filters, half + 1, half, half, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "rows", "left", "right", "mask_type", "groups", "blocks", "stride")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Makes the kernel for the features of ``here``."""
        self.inputs = here_shape[-1]
        columns = self.left + 1 + self.right
        mask = np.ones((self.rows, columns, self.inputs, self.filters), np.float32)
        mask[-1, self.left + 1 :] = 0.0
        mask[-1, self.left] = centre_mask(self.mask_type, channel_groups(self.inputs, self.groups), self.outputs)
        self.mask = mask
        # Variance by the taps that live: a masked kernel has about half the inputs that its shape says.
        live = max(1.0, mask.sum() / self.filters)
        start = keras.initializers.RandomUniform(-np.sqrt(3.0 / live), np.sqrt(3.0 / live))
        self.kernel = self.add_weight(shape=mask.shape, initializer=start, name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def convolve(self, x: Any) -> Any:
        """``[b, h, w, in]`` to ``[b, h / stride, w / stride, filters]``."""
        kernel = ops.cast(self.kernel, x.dtype)
        if not self.mask.all():
            kernel = kernel * ops.cast(self.mask, x.dtype)
        above = self.rows - 1
        if kernel.shape[:2] == (1, 1) and self.stride == 1:  # a matrix product has the quicker gradient
            flat = ops.matmul(ops.reshape(x, (-1, self.inputs)), kernel[0, 0]) + ops.cast(self.bias, x.dtype)
            return ops.reshape(flat, (*ops.shape(x)[:-1], self.filters))
        if above or self.left or self.right:
            x = ops.pad(x, ((0, 0), (above, 0), (self.left, self.right), (0, 0)))
        return ops.conv(x, kernel, strides=self.stride, padding="valid") + ops.cast(self.bias, x.dtype)

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``above`` goes by; ``here`` ``[b, h, w, in]`` becomes ``[b, h, w, filters]``."""
        return above, self.convolve(here)

    # --- pixel by pixel ---------------------------------------------------------------------------------------------

    def sampling_weights(self) -> Nest:
        """The kernel's rows above, and its left taps with the centre, as matrices."""
        kernel = tf.convert_to_tensor(self.kernel) * self.mask
        own = tf.reshape(kernel[-1, : self.left + 1], (-1, self.filters))
        above = tf.reshape(kernel[:-1], (-1, self.filters)) if self.rows > 1 else ()
        return {"above": above, "own": own, "bias": tf.convert_to_tensor(self.bias)}

    def begin(self, batch: Any, width: int) -> Nest:
        """The last rows of the input."""
        return [tf.zeros((width, batch, self.inputs)) for _ in range(self.rows - 1)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """What the rows above add to each pixel."""
        if self.rows == 1:
            return above, (), ()
        taps = [tap for row in carried for tap in shifted_columns(row, self.left, self.right, self.stride)]
        return above, row_product(taps, weights["above"]) + weights["bias"], ()

    def windows(self, batch: Any) -> Nest:
        """The last inputs to the left, oldest first, side by side."""
        return tf.zeros((batch, self.left * self.inputs)) if self.left else ()

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """The left taps and the centre, on top of what the rows above add."""
        taps = tf.concat([windows, here], axis=-1) if self.left else here
        added = weights["bias"] if self.rows == 1 else at(values, place[1])
        windows = taps[:, self.inputs :] if self.left else ()
        return taps @ weights["own"] + added, windows, here if self.rows > 1 else ()

    def point(self, weights: Nest, here: Any) -> Any:
        """``pixel`` of a 1 x 1 convolution, which keeps nothing."""
        return here @ weights["own"] + weights["bias"]

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The finished row becomes the last."""
        return [*carried[1:], remembered] if self.rows > 1 else carried


@keras.saving.register_keras_serializable("keras_gen")
class RowsAboveConv2D(CausalLayer):
    """A convolution on the ``above`` stream: whole rows, the present one among them unless ``shifted`` (first layers).

    The vertical stack of van den Oord et al. 2016b (section 2.1). Kernel ``[rows, 2 half + 1, in, filters]``.

    Args:
        filters: output features.
        rows: how many rows it sees.
        half: columns to each side.
        shifted: whether its last row is the one above the pixel's (the input is the image itself).
        stride: both ways.
    """

    def __init__(self, filters: int, rows: int, half: int, *, shifted: bool = False, stride: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.rows, self.stride = sizes(filters=filters, rows=rows, stride=stride)
        self.half, self.shifted = integer("half", half, 0), shifted

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "rows", "half", "shifted", "stride")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Makes the kernel for the features of ``above``."""
        self.inputs = above_shape[-1]
        shape = (self.rows, 2 * self.half + 1, self.inputs, self.filters)
        self.kernel = self.add_weight(shape=shape, initializer="lecun_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def convolve(self, x: Any) -> Any:
        """``[b, h, w, in]`` to ``[b, h / stride, w / stride, filters]``."""
        rows = self.rows if self.shifted else self.rows - 1
        if self.shifted:
            x = x[:, :-1]
        x = ops.pad(x, ((0, 0), (rows, 0), (self.half, self.half), (0, 0)))
        kernel, bias = ops.cast(self.kernel, x.dtype), ops.cast(self.bias, x.dtype)
        return ops.conv(x, kernel, strides=self.stride, padding="valid") + bias

    def call(self, above: Any, here: Any = None, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``above`` ``[b, h, w, in]`` becomes ``[b, h, w, filters]``; ``here`` goes by."""
        return self.convolve(above), here

    # --- row by row -------------------------------------------------------------------------------------------------

    def sampling_weights(self) -> Nest:
        """The kernel as a matrix."""
        kernel = tf.reshape(tf.convert_to_tensor(self.kernel), (-1, self.filters))
        return {"kernel": kernel, "bias": tf.convert_to_tensor(self.bias)}

    def begin(self, batch: Any, width: int) -> Nest:
        """The last rows of the input."""
        return [tf.zeros((width, batch, self.inputs)) for _ in range(self.rows if self.shifted else self.rows - 1)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The whole row; ``end_row`` wants this row of the input."""
        seen = carried if self.shifted else [*carried, above]
        taps = [tap for row in seen for tap in shifted_columns(row, self.half, self.half, self.stride)]
        return row_product(taps, weights["kernel"]) + weights["bias"], (), () if self.shifted else above

    def end_row(self, weights: Nest, carried: Nest, kept: Nest, remembered: Nest) -> Nest:
        """The finished row becomes the last: of the image, or of the stream."""
        last = remembered if self.shifted else kept
        return [*carried[1:], last] if carried else carried
