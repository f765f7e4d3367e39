"""What the recipes of flows share."""

from typing import Any

from keras_gen.recipes.optimizer import OneOptimizerRecipe, rate
from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, PositiveInt


class FlowRecipe(OneOptimizerRecipe):
    """MNIST of 256 levels unless a recipe says otherwise; gradients clipped by their norm, the rate warmed up."""

    family = "flow"

    data: str = "mnist"
    batch_size: PositiveInt = 64
    # Of the gradient of nats per image, over all weights.
    clip_norm: PositiveFloat = 100.0
    # Epochs in which the rate climbs from 0.
    warm_up_epochs: NonNegativeFloat = 0.0

    def learning_rates(self, steps: int) -> Any:
        """Warmed up."""
        return rate(self.learning_rate, steps, self.final_rate, round(steps * self.warm_up_epochs / self.epochs))

    def optimizer_options(self) -> dict[str, Any]:
        """Clips the gradient."""
        return {"global_clipnorm": self.clip_norm}
