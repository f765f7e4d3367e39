"""Dropout that replicas share out as they share out a batch."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core import checks
from keras_gen.core.noise import Uniform
from keras_gen.core.replicas import call_number, step_noise


@keras.saving.register_keras_serializable("keras_gen")
class Dropout(keras.layers.Layer):
    """Srivastava et al. 2014, scaled in training. ``keras.layers.Dropout`` draws the same mask on every replica.

    The draw is a function of the seed and of the layer's own count of training calls, which is saved with the weights: a
    resumed training drops what the uninterrupted one would have, and two replicas what one would have.
    """

    def __init__(self, rate: float, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.seed = checks.rate("rate", rate), checks.integer("seed", seed)
        self.calls = keras.random.SeedGenerator(0)
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

    def save_own_variables(self, store: Any) -> None:
        """Writes the count of training calls."""
        store["0"] = np.asarray(keras.ops.convert_to_numpy(self.calls.state)[1], np.int32)

    def load_own_variables(self, store: Any) -> None:
        """Reads the count of training calls."""
        self.calls.state.assign([0, int(np.asarray(store["0"]))])

    def call(self, x: Any, training: bool = False) -> Any:
        """Features ``[b, ...]`` to the same, a share ``rate`` of them zero in training."""
        if not training or not self.rate:
            return x
        batch = x.shape[0] or tf.shape(x)[0]
        uniform = step_noise({"u": Uniform(tuple(x.shape[1:]))}, batch, self.seed, call_number(self.calls))["u"]
        return x * tf.cast(uniform >= self.rate, x.dtype) * tf.cast(1.0 / (1.0 - self.rate), x.dtype)
