"""What lets a causal network see a map that is known whole before its first pixel, such as what a latent decodes to."""

from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.checks import sizes
from keras_gen.layers.causal import CausalLayer, Nest, Place, at, row_product


@keras.saving.register_keras_serializable("keras_gen")
class ConditionMap(CausalLayer):
    """Adds a 1 x 1 convolution of the condition ``[b, h, w, c]`` to both streams (van den Oord et al. 2016b, section 2.3).

    Nothing of it is masked: every pixel may depend on the whole map.

    Args:
        filters: features of both streams.
        conditions: c.
    """

    def __init__(self, filters: int, conditions: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters, self.conditions = sizes(filters=filters, conditions=conditions)
        self.to_above, self.to_here = (keras.layers.Dense(filters, dtype=self.dtype_policy) for _ in range(2))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "conditions": self.conditions}

    def build(self, above_shape: Any = None, here_shape: Any = None, condition_shape: Any = None) -> None:
        """Makes both projections."""
        for layer in (self.to_above, self.to_here):
            layer.build((None, self.conditions))
        self.built = True

    def call(self, above: Any, here: Any, condition: Any = None, training: bool = False) -> tuple[Any, Any]:
        """``[b, h, w, filters]`` each to the same."""
        return above + self.to_above(condition), here + self.to_here(condition)

    def sampling_weights(self) -> Nest:
        """Of both projections."""
        return [[tf.convert_to_tensor(w) for w in (d.kernel, d.bias)] for d in (self.to_above, self.to_here)]

    def row(self, weights: Nest, carried: Nest, y: Any, above: Any, condition: Any) -> tuple[Any, Nest, Nest]:
        """The row's ``above``, and what is added to each of its pixels."""
        here = tf.transpose(tf.gather(condition, y, axis=1), (1, 0, 2))  # [w, b, c]
        added, values = (row_product([here], kernel) + bias for kernel, bias in weights)
        return above + added, values, ()

    def pixel(
        self, weights: Nest, values: Nest, windows: Nest, place: Place, here: Any, condition: Any
    ) -> tuple[Any, Nest, Nest]:
        """As ``call``, for one pixel."""
        return here + at(values, place[1]), (), ()
