"""A bias for each pixel that can start at what a data set is on average."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

DARKEST = 1e-3  # a pixel that is black in every image starts here: its logit has to be finite


@keras.saving.register_keras_serializable("keras_gen")
class PixelBias(layers.Layer):
    """Adds a trained number to every value of ``[b, h, w, c]``; zero until ``start_at`` is told the mean image."""

    def build(self, input_shape: Any) -> None:
        """Makes the bias."""
        self.bias = self.add_weight(shape=tuple(input_shape[1:]), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The sum, same shape."""
        return inputs + ops.cast(self.bias, inputs.dtype)

    def start_at(self, mean: np.ndarray) -> None:
        """Sets the bias to the logit of ``mean`` ``[h, w, c]`` in ``[0, 1]``: a sigmoid then gives the mean image."""
        mean = np.clip(np.asarray(mean, np.float64), DARKEST, 1.0 - DARKEST)
        self.bias.assign(np.log(mean / (1.0 - mean)).astype(np.float32))
