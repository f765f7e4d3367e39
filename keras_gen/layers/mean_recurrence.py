"""A recurrent layer without gates, and the mean of its states."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import integer


@keras.saving.register_keras_serializable("keras_gen")
class MeanRecurrence(layers.Layer):
    """``h_t = relu(W x_t + U h_(t-1) + b)``, h_0 = 0; the mean of all h_t: ``[b, steps, c]`` to ``[b, units]``.

    The steps are known and few, and are written out: a plain graph, which goes everywhere. Keras' ``SimpleRNN`` has a generator
    of dropout even where nothing is dropped.
    """

    def __init__(self, units: int, kernel_initializer: Any = "glorot_uniform", **kwargs: Any):
        super().__init__(**kwargs)
        self.units = integer("units", units, 1)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple) -> None:
        """Makes W, U and b."""
        init, units = self.kernel_initializer, self.units
        self.kernel = self.add_weight((input_shape[-1], units), initializer=init, name="kernel")
        self.recurrent_kernel = self.add_weight((units, units), initializer=init.clone(), name="recurrent_kernel")
        self.bias = self.add_weight((units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The mean state."""
        driven = ops.matmul(inputs, self.kernel) + self.bias
        state, total = ops.zeros_like(driven[:, 0]), 0.0
        for step in range(inputs.shape[1]):
            state = ops.relu(driven[:, step] + ops.matmul(state, self.recurrent_kernel))
            total = total + state
        return total / inputs.shape[1]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """``[b, units]``."""
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        init = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "kernel_initializer": init}
