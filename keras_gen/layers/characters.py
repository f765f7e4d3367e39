"""Characters as vectors."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.captions import ALPHABET


@keras.saving.register_keras_serializable("keras_gen")
class OneHotCharacters(layers.Layer):
    """Numbers of characters ``[b, length]`` to ``[b, length, 70]``: one 1 each; 0, which is no character, gives zeros."""

    def call(self, inputs: Any) -> Any:
        """Of integers in ``[0, 70]``."""
        # Not one_hot(inputs - 1): to ONNX, -1 means the last.
        return ops.one_hot(ops.cast(inputs, "int32"), len(ALPHABET) + 1, dtype=self.compute_dtype)[..., 1:]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """One axis more."""
        return (*input_shape, len(ALPHABET))
