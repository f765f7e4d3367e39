"""Arithmetic of data-parallel training: the one place that knows how many replicas there are.

Gradients are summed over the replicas of a strategy, so a loss must be divided by the *global* batch; and noise must be
the noise of the one-device step, split, so that two replicas do what one would have done.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.inputs import Input

# Each replica's step runs on a thread of its own.
_UNEVEN = threading.local()


def replica_count() -> int:
    """How many replicas train in step under the current strategy; 1 without one."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def global_mean(per_example: tf.Tensor) -> tf.Tensor:
    """This replica's share of the mean over the global batch: ``sum(per_example[b]) / (b * replicas)``, float32.

    Shares add up to the mean when the optimizer sums gradients over replicas. Every replica must hold the same
    number of examples, which ``drop_remainder=True`` gives.
    """
    return tf.reduce_mean(tf.cast(per_example, tf.float32)) / replica_count()


def global_batch_mean(values: tf.Tensor, axis: int | Sequence[int] | None = None) -> tf.Tensor:
    """The mean of ``values`` over the batches of all replicas (and along ``axis``: all), differentiable.

    For losses that compare examples, and for moments.
    """
    mean = tf.reduce_mean(values, axis)
    if replica_count() == 1:
        return mean
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, mean) / replica_count()


def gathered(values: tf.Tensor) -> tf.Tensor:
    """The rows ``[b, ...]`` of all replicas, ``[b * replicas, ...]``, in the order in which one device would have had them."""
    if replica_count() == 1:
        return values
    return tf.distribute.get_replica_context().all_gather(values, axis=0)


def own_rows(values: tf.Tensor) -> tf.Tensor:
    """This replica's part of what ``gathered`` gave."""
    if (replicas := replica_count()) == 1:
        return values
    size = tf.shape(values)[0] // replicas
    start = tf.distribute.get_replica_context().replica_id_in_sync_group * size
    return values[start : start + size]


def global_norm(gradients: Sequence[Any]) -> tf.Tensor:
    """Euclidean norm of all gradients together, those of all replicas summed first, as the optimizer sums them: float32.

    Several replicas exchange their gradients once more for it; None (no gradient) counts as zero.
    """
    found = [tf.cast(tf.convert_to_tensor(each), tf.float32) for each in gradients if each is not None]
    if not found:
        return tf.constant(0.0)
    if replica_count() > 1:
        found = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, found)
    return tf.linalg.global_norm(found)


@contextlib.contextmanager
def uneven_batch(rows: tf.Tensor) -> Iterator[None]:
    """Within, replicas hold different numbers of examples, this one ``rows``, and ``step_noise`` splits its draw so.

    They tell each other how many; the last batch of an evaluation is such a one.
    """
    context, replicas = tf.distribute.get_replica_context(), replica_count()
    replica = context.replica_id_in_sync_group
    mine = tf.one_hot(replica, replicas, on_value=rows, off_value=0)
    counts = context.all_reduce(tf.distribute.ReduceOp.SUM, mine)
    _UNEVEN.place = tf.reduce_sum(tf.where(tf.range(replicas) < replica, counts, 0)), tf.reduce_sum(counts)
    try:
        yield
    finally:
        del _UNEVEN.place


def global_noise(
    spec: Mapping[str, Input], total: tf.Tensor | int, seed: int, step: tf.Tensor, turn: int = 0
) -> dict[str, tf.Tensor]:
    """Noise for the ``total`` examples of all replicas, the same on each of them; otherwise as ``step_noise``, which cuts it."""
    noise = {}
    for index, (name, kind) in enumerate(sorted(spec.items())):
        stream = tf.constant((seed * 1_000_003 + turn * 1_009 + index) % (2**31 - 1), tf.int64)
        noise[name] = _draw(kind, total, tf.stack([stream, tf.cast(step, tf.int64)]))
    return noise


def step_noise(
    spec: Mapping[str, Input], batch: tf.Tensor | int, seed: int, step: tf.Tensor, turn: int = 0
) -> dict[str, tf.Tensor]:
    """Noise for this replica's ``batch`` examples in training step ``step``: name -> ``[batch, *shape]``.

    Any kind that ``of_uniforms`` makes can be drawn: noise, and conditions of fakes, such as ``Labels``.

    A pure function of its arguments and the replica's place: each replica takes its slice of the draw for the global
    batch, so replicas never share noise, and together they take what one device would have taken. ``turn`` tells apart
    several draws in one step (critic turns). Replicas hold ``batch`` examples each, but for ``uneven_batch``.
    """
    context, place = tf.distribute.get_replica_context(), getattr(_UNEVEN, "place", None)
    replica = context.replica_id_in_sync_group if context else 0
    start, total = place or (replica * batch, batch * replica_count())
    noise = {}
    for name, everyone in global_noise(spec, total, seed, step, turn).items():
        if place:  # an example that only fills up an empty batch takes anyone's noise
            mine = tf.gather(everyone, tf.range(start, start + batch) % total)
        else:
            mine = everyone[start : start + batch] if replica_count() > 1 else everyone
        noise[name] = tf.ensure_shape(mine, (batch if isinstance(batch, int) else None, *spec[name].shape))
    return noise


def call_number(calls: keras.random.SeedGenerator) -> tf.Tensor:
    """How many training calls came before this one, which is counted: int64, the ``step`` of ``step_noise``.

    So noise moves on in ``fit`` and in anybody's own loop alike. The count stands where Keras keeps the state of draws: it
    is no weight, each replica counts for itself (and all count the same), and models save it with the rest.
    """
    return calls.next()[1]


def steps_made(optimizer: keras.optimizers.Optimizer) -> int:
    """Training steps behind an optimizer, those whose gradients it only gathered too."""
    return int(keras.ops.convert_to_numpy(getattr(optimizer, "inner_optimizer", optimizer)._iterations))


def _draw(kind: Input, n: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
    """``[n, *kind.shape]`` from Philox bits.

    The bits are the same on every device and under XLA; TensorFlow's own normals and uniforms made of them are not (XLA
    takes other bits for its floats), so the floats are made here.
    """
    shape = tf.concat([[kind.uniforms or 1, n], tf.constant(kind.shape, tf.int32)], 0)
    bits = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")
    uniform = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24  # [0, 1)
    return kind.of_uniforms(uniform)


@keras.saving.register_keras_serializable("keras_gen")
class ReplicaSafeLossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Loss scaling for float16 (Micikevicius et al. 2018, section 3.2) that also holds under a strategy.

    Keras asks the first replica alone whether a gradient overflowed, so an overflow that another one sees is summed into
    every weight. Here the replicas agree first, update always, and take the update back where one of them overflowed.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Unscales and applies, or skips the step and halves the scale after an overflow on any replica."""
        context = tf.distribute.get_replica_context()
        if replica_count() == 1 or context is None:
            super().apply(grads, trainable_variables)
            return
        here = 1.0 - tf.cast(self.check_finite(grads), tf.float32)
        overflow = context.all_reduce(tf.distribute.ReduceOp.SUM, here) > 0
        scale = tf.convert_to_tensor(self.dynamic_scale)
        unscaled = [
            g if g is None else tf.where(overflow, tf.zeros_like(g), g / tf.cast(scale, g.dtype)) for g in grads
        ]
        moving = [*(trainable_variables or self._trainable_variables), *self.inner_optimizer.variables]
        before = [tf.identity(variable.value) for variable in moving]
        self.inner_optimizer.apply(unscaled, trainable_variables)
        for variable, old in zip(moving, before):
            variable.assign(tf.where(overflow, old, variable.value))
        stepped = self.step_counter.value + 1
        calm_steps = tf.where(overflow, tf.zeros_like(stepped), stepped)
        grow = calm_steps >= self.dynamic_growth_steps
        self.dynamic_scale.assign(scale * tf.where(overflow, 0.5, tf.where(grow, 2.0, 1.0)))
        self.step_counter.assign(tf.where(grow, tf.zeros_like(stepped), calm_steps))


def fit_for_policy(optimizer: keras.optimizers.Optimizer, policy: str) -> keras.optimizers.Optimizer:
    """The optimizer itself, or with loss scaling round it where the dtype policy is ``mixed_float16``."""
    if policy == "mixed_float16" and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return ReplicaSafeLossScaleOptimizer(optimizer)
    return optimizer
