"""Stochastic gradient descent whose momentum rises."""

from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import integer, number
from keras_gen.core.errors import InvalidInput


@keras.saving.register_keras_serializable("keras_gen")
class MomentumRampSGD(keras.optimizers.SGD):
    """Keras' SGD whose momentum goes in a straight line from ``momentum`` to ``final_momentum`` (Goodfellow et al. 2014).

    Args:
        learning_rate: a number or a schedule.
        momentum, final_momentum: in (0, 1).
        begin, end: the optimizer's steps between which it rises.
        **kwargs: those of ``keras.optimizers.SGD``; no ``nesterov``.
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.5,
        final_momentum: float = 0.7,
        begin: int = 500,
        end: int = 125_000,
        **kwargs: Any,
    ):
        if kwargs.pop("nesterov", False):
            raise InvalidInput("MomentumRampSGD knows no nesterov=True; use keras.optimizers.SGD.")
        super().__init__(learning_rate, momentum=number("momentum", momentum, 0.0, 1.0, above=True), **kwargs)
        self.final_momentum = number("final_momentum", final_momentum, 0.0, 1.0, above=True)
        self.begin = integer("begin", begin, 0)
        self.end = integer("end", end, self.begin + 1)

    def momentum_at(self, step: Any) -> Any:
        """The momentum of the step of this number, counted from 0."""
        passed = (ops.cast(step, "float32") - self.begin) / (self.end - self.begin)
        return self.momentum + (self.final_momentum - self.momentum) * ops.clip(passed, 0.0, 1.0)

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """One variable's step."""
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum = ops.cast(self.momentum_at(self.iterations), variable.dtype)
        step = ops.cast(learning_rate, variable.dtype) * ops.cast(gradient, variable.dtype)
        self.assign(velocity, velocity * momentum - step)
        self.assign_add(variable, velocity)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"final_momentum": self.final_momentum, "begin": self.begin, "end": self.end}
        return {**super().get_config(), **own}
