"""Arithmetic of data-parallel training: the one place that knows how many replicas there are.

Gradients are summed over the replicas of a strategy, so a loss must be divided by the *global* batch; and noise must be
the noise of the one-device step, split, so that two replicas do what one would have done.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.noise import NoiseSpec, Normal


def replica_count() -> int:
    """How many replicas train in step under the current strategy; 1 without one."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def global_mean(per_example: tf.Tensor) -> tf.Tensor:
    """This replica's share of the mean over the global batch: ``sum(per_example[b]) / (b * replicas)``, float32.

    Shares add up to the mean when the optimizer sums gradients over replicas. Every replica must hold the same number of
    examples, which ``drop_remainder=True`` in training gives.
    """
    return tf.reduce_mean(tf.cast(per_example, tf.float32)) / replica_count()


def step_noise(spec: NoiseSpec, batch: tf.Tensor | int, seed: int, step: tf.Tensor, turn: int = 0) -> dict[str, tf.Tensor]:
    """Noise for this replica's ``batch`` examples in training step ``step``: name -> ``[batch, *shape]``, float32.

    A pure function of its arguments and the replica's place: each replica takes its slice of the draw for the global
    batch, so replicas never share noise, and together they eat what one device would have eaten. ``turn`` tells apart
    several draws in one step (critic turns).
    """
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    noise = {}
    for index, (name, kind) in enumerate(sorted(spec.items())):
        stream = tf.constant((seed * 1_000_003 + turn * 1_009 + index) % (2**31 - 1), tf.int64)
        pair = tf.stack([stream, tf.cast(step, tf.int64)])
        shape = tf.concat([[batch * replica_count()], tf.constant(kind.shape, tf.int32)], 0)
        sampler = tf.random.stateless_normal if isinstance(kind, Normal) else tf.random.stateless_uniform
        everyone = sampler(shape, seed=pair)
        mine = everyone[replica * batch : (replica + 1) * batch] if replica_count() > 1 else everyone
        noise[name] = tf.ensure_shape(mine, (batch if isinstance(batch, int) else None, *kind.shape))
    return noise


@keras.saving.register_keras_serializable("keras_gen")
class ReplicaSafeLossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Loss scaling for float16 whose replicas agree on whether a gradient overflowed.

    Keras asks the first replica only; an overflow that another one alone sees would be summed into every weight.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """As in Keras, after an overflow on one replica has been made an overflow on all."""
        context = tf.distribute.get_replica_context()
        if replica_count() > 1 and context:
            overflowed = 1.0 - tf.cast(self.check_finite(grads), tf.float32)
            anywhere = context.all_reduce(tf.distribute.ReduceOp.SUM, overflowed) > 0
            grads = [g if g is None else tf.where(anywhere, tf.cast(float("inf"), g.dtype), g) for g in grads]
        super().apply(grads, trainable_variables)


def fit_for_policy(optimizer: keras.optimizers.Optimizer, policy: str) -> keras.optimizers.Optimizer:
    """The optimizer itself, or with loss scaling round it where the dtype policy is ``mixed_float16``."""
    if policy == "mixed_float16" and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return ReplicaSafeLossScaleOptimizer(optimizer)
    return optimizer
