"""The optimizers that recipes choose by name, and the settings of recipes whose model has one."""

from typing import Any, Literal

from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, Recipe, Share

Optimizer = Literal["adam", "muon"]


def rate(learning_rate: float, steps: int, final_rate: float = 0.0) -> Any:
    """Falls along a cosine (Loshchilov and Hutter 2017, without restarts) to ``final_rate`` of itself; constant if that is 1."""
    import keras

    if final_rate == 1.0:
        return learning_rate
    return keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=final_rate)


class OneOptimizerRecipe(Recipe):
    """Adam or Muon, its rate falling along a cosine.

    Decay is decoupled, times the rate (Loshchilov and Hutter 2019); Muon's is of the matrices that it makes orthogonal.
    """

    learning_rate: PositiveFloat = 1e-3
    optimizer: Optimizer = "adam"
    weight_decay: NonNegativeFloat = 0.0
    # What is left of the rate in the end.
    final_rate: Share = 0.0

    def optimizer_options(self) -> dict[str, Any]:
        """More arguments of the optimizer."""
        return {}

    def compile(self, model: Any, steps: int) -> None:
        """One optimizer."""
        from keras_gen.training.adam import Adam
        from keras_gen.training.muon import Muon

        kind = {"adam": Adam, "muon": Muon}[self.optimizer]
        falling = rate(self.learning_rate, steps, self.final_rate)
        model.compile(kind(falling, weight_decay=self.weight_decay or None, **self.optimizer_options()))
