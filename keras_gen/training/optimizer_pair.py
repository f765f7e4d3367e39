"""The two optimizers of a two-player model, as Keras' callbacks know several."""

from typing import Any

import keras

_TWO_RATES = (
    "A two-player model has two learning rates: model.generator_optimizer.learning_rate and "
    "model.discriminator_optimizer.learning_rate."
)


class OptimizerPair:
    """What ``model.optimizer`` is where there are two sides: a view that owns nothing.

    Keras' callbacks go through ``optimizers``: ``LearningRateScheduler`` and ``ReduceLROnPlateau`` set each side's rate from
    its own, ``SwapEMAWeights`` swaps the weights of each whose optimizer has ``use_ema``.
    """

    built = True

    def __init__(self, generator: keras.optimizers.Optimizer, discriminator: keras.optimizers.Optimizer):
        self.sides = (generator, discriminator)

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The generator's and the discriminator's, without the loss scaling round them."""
        return [getattr(side, "inner_optimizer", side) for side in self.sides]

    @property
    def iterations(self) -> Any:
        """Steps of the model, which are those of the generator."""
        return self.optimizers[0].iterations

    @property
    def _iterations(self) -> Any:
        return self.optimizers[0]._iterations

    @property
    def variables(self) -> list[keras.Variable]:
        """The state of both."""
        return [variable for side in self.sides for variable in side.variables]

    @property
    def learning_rate(self) -> Any:
        """None of its own: there are two."""
        raise AttributeError(_TWO_RATES)

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        raise AttributeError(_TWO_RATES)
