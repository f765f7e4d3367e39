"""What the recipes of variational autoencoders share."""

from typing import Any, Literal

import keras_gen as kg
from keras_gen.recipes.optimizer import rate
from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, PositiveInt, Recipe, Share


class VariationalRecipe(Recipe):
    """A VAE of two hidden layers each way, trained with Adam."""

    family = "variational"

    learning_rate: PositiveFloat = 1e-3
    # What is left of the rate in the end, along a cosine; 1 keeps it constant.
    final_rate: Share = 1.0
    # Decoupled, of all weights (Loshchilov and Hutter 2019).
    weight_decay: NonNegativeFloat = 0.0
    latent_dim: PositiveInt
    units: PositiveInt
    # Of the hidden layers; "gated": gated.
    activation: Literal["relu", "tanh", "gated"] = "relu"
    beta: NonNegativeFloat = 1.0
    # k of the importance-weighted bound in the report, and on how many test images; None leaves it out, or takes all.
    importance_samples: PositiveInt | None = None
    importance_images: PositiveInt | None = None
    # More than one: so many steps a call, compiled by XLA; a step of 1 ms would otherwise wait on Python.
    steps_per_execution: PositiveInt = 1

    def options(self, spec: "kg.ImageSpec") -> dict[str, Any]:
        """More arguments of the model."""
        return {}

    def network(self, spec: "kg.ImageSpec") -> "kg.VAE":
        """An MLP each way."""
        shared = {"hidden": (self.units, self.units), "activation": self.activation, "beta": self.beta}
        return kg.VAE(spec, self.latent_dim, **shared, **self.options(spec), dtype=self.dtype, seed=self.seed)

    def compile(self, model: Any, steps: int) -> None:
        """Keras' Adam."""
        import keras

        from keras_gen.core.replicas import replica_count

        # Neither XLA nor several steps a call work on several GPUs in step.
        together = self.steps_per_execution if replica_count() == 1 else 1
        optimizer = keras.optimizers.Adam(
            rate(self.learning_rate, steps, self.final_rate), weight_decay=self.weight_decay or None
        )
        model.compile(optimizer, jit_compile=True if together > 1 else "auto", steps_per_execution=together)

    @property
    def evaluation(self) -> dict[str, Any]:
        """Samples, and the importance-weighted bound where one is asked for."""
        bound = {name: getattr(self, name) for name in ("importance_samples", "importance_images")}
        return {**super().evaluation, **{name: value for name, value in bound.items() if value is not None}}
