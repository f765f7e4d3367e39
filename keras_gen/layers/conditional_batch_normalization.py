"""Batch normalization with a gain and a bias for each class."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import integer
from keras_gen.layers.batch_normalization import BatchNormalization


@keras.saving.register_keras_serializable("keras_gen")
class ConditionalBatchNormalization(BatchNormalization):
    """Dumoulin et al. 2017; de Vries et al. 2017: statistics are those of all classes, gain and bias those of the label's.

    Takes ``[x, labels]``: ``[b, ..., c]`` and integers ``[b]``. Gains start at 1 and biases at 0, as in Miyato and Koyama 2018.
    """

    def __init__(self, classes: int, **kwargs: Any):
        super().__init__(**{**kwargs, "center": False, "scale": False})
        self.classes = integer("classes", classes, 1)

    def build(self, input_shape: Sequence[tuple]) -> None:
        """Makes moving statistics, gains and biases."""
        super().build(input_shape[0])
        self.input_spec = None  # the parent's is of one input
        shape = (self.classes, input_shape[0][-1])
        self.gains = self.add_weight(shape=shape, initializer="ones", name="gains")
        self.biases = self.add_weight(shape=shape, initializer="zeros", name="biases")

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        """The normalized features, same shape and dtype."""
        features, labels = inputs
        normalized = super().call(features, training=training)
        shape = (-1, *(1,) * (len(features.shape) - 2), features.shape[-1])
        gains, biases = (
            ops.cast(ops.reshape(ops.take(each, ops.cast(labels, "int32"), axis=0), shape), normalized.dtype)
            for each in (self.gains, self.biases)
        )
        return normalized * gains + biases

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """That of the features."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {**super().get_config(), "classes": self.classes}
        return {name: value for name, value in config.items() if name not in ("center", "scale")}
