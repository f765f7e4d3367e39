"""A dense layer with a gate."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import integer


@keras.saving.register_keras_serializable("keras_gen")
class GatedDense(layers.Layer):
    """``h * sigmoid(g)`` of two linear maps h and g (Dauphin et al. 2017), as in Tomczak and Welling 2018: ``[..., units]``."""

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = integer("units", units, 1)
        # One product for both; fan-in decides He's scale, so each starts as it would alone.
        self.both = layers.Dense(2 * units, kernel_initializer="he_normal", name="both", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Builds the maps."""
        self.both.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The product."""
        linear, gate = ops.split(self.both(inputs), 2, axis=-1)
        return linear * ops.sigmoid(gate)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """``units`` features."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}
