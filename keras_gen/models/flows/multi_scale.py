"""One bijection of images onto standard normal noise, made of invertible layers and places where variables leave."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.gaussian_prior import FactorOut
from keras_gen.layers.invertible import Invertible

MEMORIES = ("store", "invert")
FARTHEST = 1e6  # values of inverses


class MultiScaleFlow(Invertible):
    """``[b, h, w, c]`` to flat noise ``[b, h w c]``: what leaves first stands first (Dinh et al. 2017, eq. 14 to 16).

    Args:
        steps: invertible layers; a ``FactorOut`` among them sends half of the variables away.
        memory: what the gradient takes activations from. ``"store"``: as always, every one is kept from the forward pass.
            ``"invert"``: none is; backward, each step's input is computed again from its output, then the step itself (Gomez
            et al. 2017), so that memory does not grow with depth, for about a forward and an inverse pass more. Not for
            layers that normalize by moments of their batch, which the output does not hold.
    """

    def __init__(self, steps: Sequence[Invertible], memory: str = "store", **kwargs: Any):
        super().__init__(**kwargs)
        if memory not in MEMORIES:
            raise InvalidInput(f"memory={memory!r} is unknown; give one of {', '.join(MEMORIES)}.")
        self.steps, self.memory = list(steps), memory

    def build(self, input_shape: tuple) -> None:
        """Every step, and the shapes of the parts in which variables leave."""
        shape, self.leaving = tuple(input_shape), []
        for step in self.steps:
            if not step.built:
                step.build(shape)
            shape = step.compute_output_shape(shape)
            if isinstance(step, FactorOut):
                shape, gone = shape
                self.leaving.append(tuple(gone[1:]))
        self.leaving.append(tuple(shape[1:]))
        self.built = True

    # Every step is plain operations: to read the code of them all is half of tracing a flow.
    @tf.autograph.experimental.do_not_convert
    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``z`` ``[b, d]`` and the log-determinant ``[b]``."""
        return self._inverting(x) if training and self.memory == "invert" else self._forward(x, training)

    def _forward(self, x: Any, training: bool) -> tuple[Any, Any]:
        parts, log_det = [], _zeros(x)
        for step in self.steps:
            x, change = step.forward(x, training)
            if isinstance(step, FactorOut):
                x, gone = x
                parts.append(gone)
            log_det = log_det + change
        flat = [ops.reshape(part, (-1, math.prod(shape))) for part, shape in zip([*parts, x], self.leaving)]
        return ops.concatenate(flat, axis=-1), log_det

    @tf.autograph.experimental.do_not_convert
    def inverse(self, y: Any) -> Any:
        """``[b, h, w, c]``.

        Values on the way are kept within +-1e6, where no image leads: noise on which a network says a hundredfold scale, and of
        what that gives another, would end in infinities and NaN.
        """
        parts = self._parts(y)
        x = parts.pop()
        for step in reversed(self.steps):
            x = step.inverse((x, parts.pop()) if isinstance(step, FactorOut) else x)
            x = ops.clip(x, -FARTHEST, FARTHEST)
        return x

    def _parts(self, z: Any) -> list[Any]:
        """``[b, d]`` as the maps that left, in their order."""
        parts, start = [], 0
        for shape in self.leaving:
            size = math.prod(shape)
            parts.append(ops.reshape(z[:, start : start + size], (-1, *shape)))
            start += size
        return parts

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Flat."""
        return (input_shape[0], math.prod(input_shape[1:]))

    # --- a gradient without stored activations ----------------------------------------------------------------------

    def _inverting(self, x: Any) -> tuple[Any, Any]:
        """``forward`` whose gradient walks back from ``z``. Weights are arguments, so that it can tell their gradients."""
        weights = self.trainable_variables

        @tf.custom_gradient
        def run(x: Any, *values: Any) -> tuple:
            with keras.StatelessScope(state_mapping=list(zip(weights, values))):
                z, log_det = self._forward(x, training=True)

            def gradient(dz: Any, dlog_det: Any) -> tuple:
                value_of = dict(zip(map(id, weights), values))
                dx, found = self._walk_back(z, dz, dlog_det, value_of)
                return dx, *(found[id(weight)] for weight in weights)

            return (z, log_det), gradient

        return run(x, *(tf.convert_to_tensor(weight.value) for weight in weights))

    def _walk_back(self, z: Any, dz: Any, dlog_det: Any, value_of: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
        """The gradients of the input and of each weight (by id)."""
        parts, slopes, found = self._parts(z), self._parts(dz), {}
        y, dy = parts.pop(), slopes.pop()
        for step in reversed(self.steps):
            if isinstance(step, FactorOut):
                y, dy = (y, parts.pop()), (dy, slopes.pop())
            weights = step.trainable_variables
            values = [value_of[id(weight)] for weight in weights]
            # Nothing of this step is computed before the gradient has come so far: a graph would do all at once.
            with tf.control_dependencies(tf.nest.flatten(dy)):
                y = tf.nest.map_structure(tf.identity, y)
            with keras.StatelessScope(state_mapping=list(zip(weights, values))):
                x = tf.stop_gradient(step.inverse(y))
                with tf.GradientTape() as tape:
                    tape.watch([x, *values])
                    again, change = step.forward(x, training=True)
                    outputs = [*tf.nest.flatten(again), _zeros(x) + change]
                dx, *gradients = tape.gradient(
                    outputs,
                    [x, *values],
                    output_gradients=[*tf.nest.flatten(dy), dlog_det],
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
            found |= {id(weight): each for weight, each in zip(weights, gradients)}
            y, dy = x, dx
        return dy, found


def _zeros(x: Any) -> Any:
    """``[b]``."""
    return ops.zeros_like(x[:, 0, 0, 0])


def standard_normal_log_prob(z: Any) -> Any:
    """log N(z; 0, I) of ``[b, d]``: nats ``[b]``."""
    return -0.5 * ops.sum(ops.square(z) + math.log(2.0 * math.pi), axis=-1)
