"""Batch normalization whose gains and biases are computed for each example."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_gen.layers.batch_normalization import BatchNormalization


@keras.saving.register_keras_serializable("keras_gen")
class ModulatedBatchNormalization(BatchNormalization):
    """Brock et al. 2019, appendix B: ``(1 + gain) * normalized + bias``; statistics are those of all examples.

    Takes ``[x, gains, biases]``: ``[b, ..., c]``, ``[b, c]``, ``[b, c]``, the latter two what other layers make of a class.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "center": False, "scale": False})

    def build(self, input_shape: Sequence[tuple]) -> None:
        """Makes moving statistics."""
        super().build(input_shape[0])
        self.input_spec = None  # the parent's is of one input

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """The normalized features, same shape and dtype."""
        features, *modulation = inputs
        normalized = super().call(features, training=training)
        shape = (-1, *(1,) * (len(features.shape) - 2), features.shape[-1])
        gains, biases = (ops.reshape(ops.cast(each, normalized.dtype), shape) for each in modulation)
        return normalized * (1.0 + gains) + biases

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """That of the features."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: value for name, value in super().get_config().items() if name not in ("center", "scale")}
