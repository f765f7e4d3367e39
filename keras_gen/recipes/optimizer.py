"""The optimizers that recipes choose by name, and the settings of recipes whose model has one."""

from typing import Any, Literal

from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, Recipe, Share

Optimizer = Literal["adam", "muon", "adamax"]


def rate(learning_rate: float, steps: int, final_rate: float = 0.0, warm_up: int = 0) -> Any:
    """Falls along a cosine (Loshchilov and Hutter 2017, without restarts) to ``final_rate`` of itself; constant if that is 1.

    In the first ``warm_up`` of the steps it climbs from 0 in a straight line.
    """
    import keras

    if warm_up:
        falling = {"decay_steps": max(1, steps - warm_up), "alpha": final_rate}
        return keras.optimizers.schedules.CosineDecay(0.0, warmup_target=learning_rate, warmup_steps=warm_up, **falling)
    if final_rate == 1.0:
        return learning_rate
    return keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=final_rate)


class OneOptimizerRecipe(Recipe):
    """Adam, Muon or Adamax, its rate falling along a cosine.

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

    def learning_rates(self, steps: int) -> Any:
        """The rate of each of the steps."""
        return rate(self.learning_rate, steps, self.final_rate)

    def compile(self, model: Any, steps: int) -> None:
        """One optimizer."""
        import keras

        from keras_gen.training.adam import Adam
        from keras_gen.training.muon import Muon

        kind = {"adam": Adam, "muon": Muon, "adamax": keras.optimizers.Adamax}[self.optimizer]
        model.compile(
            kind(self.learning_rates(steps), weight_decay=self.weight_decay or None, **self.optimizer_options())
        )
