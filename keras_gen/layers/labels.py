"""Labels beside what they belong to."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import integer


@keras.saving.register_keras_serializable("keras_gen")
class ConcatenateLabels(layers.Layer):
    """Mirza and Osindero 2014: the label, one-hot, as further features of a vector or further channels of an image.

    ``[b, d]`` and ``[b]`` to ``[b, d + classes]``; ``[b, h, w, c]`` and ``[b]`` to ``[b, h, w, c + classes]``.
    """

    def __init__(self, classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes = integer("classes", classes, 1)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Of ``[features, labels]``."""
        features, labels = inputs
        hot = ops.one_hot(ops.cast(labels, "int32"), self.classes, dtype=features.dtype)
        if len(features.shape) > 2:
            # Broadcast along the features, whose batch size may not be known.
            hot = ops.expand_dims(ops.expand_dims(hot, 1), 1) + ops.zeros_like(features[..., :1])
        return ops.concatenate([features, hot], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """That of the features, wider by the classes."""
        return (*input_shape[0][:-1], input_shape[0][-1] + self.classes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "classes": self.classes}
