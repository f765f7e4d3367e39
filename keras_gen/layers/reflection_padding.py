"""Padding that mirrors a map at its borders."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import integer


@keras.saving.register_keras_serializable("keras_gen")
class ReflectionPadding(layers.Layer):
    """``[b, h, w, c]`` to ``[b, h + 2 pixels, w + 2 pixels, c]``: mirrored at the outermost pixels, which are not repeated.

    NumPy's ``mode="reflect"``; a side wants more than ``pixels`` pixels. Zeros would show as a frame in translated images
    (Johnson et al. 2016, whose generator CycleGAN's is).
    """

    def __init__(self, pixels: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.pixels = integer("pixels", pixels, 1)

    def call(self, inputs: Any) -> Any:
        """The padded maps."""
        return ops.pad(inputs, [[0, 0], [self.pixels] * 2, [self.pixels] * 2, [0, 0]], mode="reflect")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Longer sides."""
        batch, height, width, maps = input_shape
        longer = (None if side is None else side + 2 * self.pixels for side in (height, width))
        return (batch, *longer, maps)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "pixels": self.pixels}
