"""Batch normalization over objects some of which only fill up their picture's row."""

from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.replicas import global_batch_mean
from keras_gen.layers.batch_normalization import BatchNormalization


@keras.saving.register_keras_serializable("keras_gen")
class ObjectNormalization(BatchNormalization):
    """Batch normalization whose statistics are those of the objects that are there, of the global batch.

    ``layer(maps, there)`` of maps ``[n, h, w, c]`` and ``[n, 1]``, 1 where the object is there and 0 where it fills up: the
    normalized maps.
    """

    def build(self, maps_shape: tuple, there_shape: tuple | None = None) -> None:
        """Makes gain, bias and moving statistics."""
        super().build(maps_shape)

    def call(self, maps: Any, there: Any, training: bool | None = None) -> Any:
        """The normalized maps, same shape and dtype."""
        if not (training and self.trainable):
            return super().call(maps, training=False)
        wide = tf.cast(maps, tf.float32)
        weight = tf.cast(there, tf.float32)[:, None, None]
        count = global_batch_mean(weight)
        # A batch always holds an object; one without any would be divided by the least that is no zero.
        count = tf.maximum(count, 1e-6)
        mean = global_batch_mean(wide * weight, axis=[0, 1, 2]) / count
        variance = global_batch_mean(tf.square(wide - mean) * weight, axis=[0, 1, 2]) / count
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + tf.stop_gradient(now) * (1.0 - self.momentum))
        scale = tf.convert_to_tensor(self.gamma) * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast((wide - mean) * tf.cast(scale, tf.float32) + tf.cast(self.beta, tf.float32), maps.dtype)

    def compute_output_shape(self, maps_shape: tuple, there_shape: tuple | None = None) -> tuple:
        """The maps'."""
        return maps_shape
