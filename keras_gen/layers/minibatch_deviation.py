"""How much a batch's examples differ, shown to the discriminator (Karras et al. 2018, section 3)."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.replicas import global_batch_mean


@keras.saving.register_keras_serializable("keras_gen")
class MinibatchDeviation(layers.Layer):
    """One more map, everywhere the standard deviation over the batch, averaged over pixels and maps.

    ``[b, h, w, c]`` to ``[b, h, w, c + 1]``. A discriminator that sees it notices fakes that resemble each other. Of reals and
    fakes in one batch it would say nothing: each has a call of its own.

    Args:
        group: examples in a row that are compared with each other, as in the authors' later code (4); None for the whole batch,
            that of all replicas together. Batches are multiples of the group on every replica.
    """

    def __init__(self, group: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.group = None if group is None else integer("group", group, 2)

    def call(self, inputs: Any) -> Any:
        """The maps with one more."""
        maps = tf.cast(inputs, tf.float32)
        if self.group is None:
            squares = global_batch_mean(tf.square(maps - global_batch_mean(maps, 0)), 0)
            number = tf.reduce_mean(tf.sqrt(squares + 1e-8))
            each = tf.fill(tf.shape(maps[..., :1]), number)
        else:
            if maps.shape[0] is not None and maps.shape[0] % self.group:
                raise InvalidInput(
                    f"A batch of {maps.shape[0]} on a replica makes no whole groups of {self.group}; give a multiple of it, or "
                    "group=None to compare the whole batch."
                )
            groups = tf.reshape(maps, tf.concat([[-1, self.group], tf.shape(maps)[1:]], 0))
            squares = tf.math.reduce_variance(groups, axis=1)
            numbers = tf.reduce_mean(tf.sqrt(squares + 1e-8), axis=(1, 2, 3))
            each = tf.repeat(numbers, self.group)[:, None, None, None] * tf.ones_like(maps[..., :1])
        return tf.concat([inputs, tf.cast(each, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """One map more."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "group": self.group}
