"""Convolutions joined with the resampling before or behind them: the same numbers for fewer multiplications."""

from typing import Any

import keras
from keras import layers, ops


def overlaid(kernel: Any) -> Any:
    """``[3, 3, i, o]`` to the sum of its four places in a ``[4, 4, i, o]`` one."""
    shifts = ((0, 1), (1, 0))
    return sum(ops.pad(kernel, (down, across, (0, 0), (0, 0))) for down in shifts for across in shifts)


class _Joined(layers.Conv2D):
    """A 3x3 convolution, padded to keep its size, with the resampling by 2 that it is joined with."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(filters, 3, **{**kwargs, "padding": "same"})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        fixed = ("kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups")
        return {name: value for name, value in super().get_config().items() if name not in fixed}

    def _finished(self, outputs: Any) -> Any:
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable("keras_gen")
class ConvolutionMeanPool(_Joined):
    """``Conv2D(filters, 3, padding="same")`` and ``AveragePooling2D(2)``: one 4x4 convolution of stride 2, 4/9 of the work.

    The weights are the 3x3 convolution's. ``[b, 2h, 2w, i]`` to ``[b, h, w, filters]``; no activation between the two.
    """

    def call(self, inputs: Any) -> Any:
        """The pooled maps."""
        kernel = overlaid(self.kernel) * 0.25
        return self._finished(ops.conv(inputs, ops.cast(kernel, inputs.dtype), strides=2, padding="same"))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Half the sides."""
        batch, height, width, _ = input_shape
        return (batch, height // 2, width // 2, self.filters)


@keras.saving.register_keras_serializable("keras_gen")
class UpsampledConvolution(_Joined):
    """``UpSampling2D(2)`` (nearest) and ``Conv2D(filters, 3, padding="same")``: one transposed convolution, 4/9 of the work.

    The weights are the 3x3 convolution's. ``[b, h, w, i]`` to ``[b, 2h, 2w, filters]``.
    """

    def call(self, inputs: Any) -> Any:
        """The larger maps."""
        kernel = ops.transpose(overlaid(ops.flip(self.kernel, axis=(0, 1))), (0, 1, 3, 2))
        return self._finished(ops.conv_transpose(inputs, ops.cast(kernel, inputs.dtype), strides=2, padding="same"))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Twice the sides."""
        batch, height, width, _ = input_shape
        return (batch, 2 * height, 2 * width, self.filters)
