"""A learning rate that falls in a straight line."""

from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import integer, number


@keras.saving.register_keras_serializable("keras_gen")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """``rate`` until the share ``constant`` of ``steps`` has passed, then in a straight line to 0 at ``steps``.

    ``constant=0``: over all steps, as WGAN-GP and SNGAN; ``constant=0.5``: over the second half, as CycleGAN.

    Args:
        rate: the first learning rate, above 0.
        steps: the optimizer's own steps, of which a critic makes several for one of the generator's.
        constant: share of the steps before the fall, in [0, 1).
    """

    def __init__(self, rate: float, steps: int, constant: float = 0.0):
        super().__init__()
        self.rate, self.steps = number("rate", rate, 0.0, above=True), integer("steps", steps, 1)
        self.constant = number("constant", constant, 0.0, 0.999_999)

    def __call__(self, step: Any) -> Any:
        """The rate of the step of this number, counted from 0."""
        passed = ops.cast(step, "float32") / self.steps
        return self.rate * ops.clip((1.0 - passed) / (1.0 - self.constant), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"rate": self.rate, "steps": self.steps, "constant": self.constant}
