"""Batch normalization that is one function on one device and the same function on many."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gen.core.replicas import replica_count


@keras.saving.register_keras_serializable("keras_gen")
class BatchNormalization(keras.layers.BatchNormalization):
    """Ioffe and Szegedy 2015. Statistics are those of the global batch, under a strategy too.

    Keras' own layer lets the moving statistics of replicas drift apart unless ``synchronized=True``, and on one device it
    computes elementwise what TensorFlow has one fused kernel for; neither is so here. Inputs ``[b, ..., c]``.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, synchronized: bool = True, **kwargs: Any):
        super().__init__(momentum=momentum, epsilon=epsilon, synchronized=synchronized, **kwargs)
        # While standing statistics are taken, the mean and variance of each batch that was normalized by its own.
        self.seen: list[tuple[Any, Any]] | None = None

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized inputs, same shape and dtype."""
        if self.seen is not None:
            mean, variance = ops.moments(ops.cast(inputs, "float32"), axes=tuple(range(len(inputs.shape) - 1)))
            self.seen.append((mean, variance))
            return self._of_moments(inputs, mean, variance)
        fits = len(inputs.shape) == 4 and self.axis in (-1, 3) and self.scale == self.center and mask is None
        if not (training and self.trainable and fits and tf.is_tensor(inputs) and replica_count() == 1):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma) if self.scale else tf.ones(inputs.shape[-1]),
            tf.convert_to_tensor(self.beta) if self.center else tf.zeros(inputs.shape[-1]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel reports the unbiased variance; Keras' moving variance is of the biased one.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], tf.float32)
        variance *= (count - 1.0) / count
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        return outputs

    def _of_moments(self, inputs: Any, mean: Any, variance: Any) -> Any:
        scaled = (ops.cast(inputs, "float32") - mean) * ops.rsqrt(variance + self.epsilon)
        scaled = scaled * self.gamma if self.scale else scaled
        return ops.cast(scaled + self.beta if self.center else scaled, inputs.dtype)
