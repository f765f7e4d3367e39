"""What the recipes of two-player models share."""

from typing import Any, Literal

import pydantic

import keras_gen as kg
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Rate, Recipe


class AdversarialRecipe(Recipe):
    """An optimizer a player. The defaults are DCGAN's: Adam, 2e-4, beta1 0.5 (Radford et al. 2015, section 4)."""

    family = "adversarial"

    learning_rate: PositiveFloat = 2e-4
    # None: the generator's.
    discriminator_learning_rate: PositiveFloat | None = None
    optimizer: Literal["adam", "rmsprop"] = "adam"
    # Adam's.
    beta_1: Rate = 0.5
    beta_2: Rate = 0.999
    # Discriminator turns a step.
    critic_steps: PositiveInt = 1
    # Of the generator's moving average, which samples are drawn with; None keeps none.
    ema_decay: Rate | None = None

    def model_options(self) -> dict[str, Any]:
        """Arguments that every two-player model takes."""
        names = ("critic_steps", "ema_decay", "dtype", "seed")
        return {name: getattr(self, name) for name in names}

    def compile(self, model: Any, steps: int) -> None:
        """An optimizer for the generator's side and one for the discriminator's."""
        rates = (self.learning_rate, self.discriminator_learning_rate or self.learning_rate)
        model.compile(*map(self._optimizer, rates))

    def _optimizer(self, learning_rate: float) -> Any:
        import keras

        if self.optimizer == "rmsprop":
            return keras.optimizers.RMSprop(learning_rate)
        return keras.optimizers.Adam(learning_rate, beta_1=self.beta_1, beta_2=self.beta_2)


class GANRecipe(AdversarialRecipe):
    """A generator of noise alone and its discriminator, DCGAN's networks. Another objective is another default, no more."""

    batch_size: PositiveInt = 64
    latent_dim: PositiveInt = 100
    # Maps of the layer next to the image.
    width: PositiveInt = 32
    objective: str = "non_saturating"

    @pydantic.field_validator("objective")
    @classmethod
    def _registered(cls, name: str) -> str:
        """Asks the registry, and so loads Keras, for other objectives than the recipe's own alone."""
        if name != cls.model_fields["objective"].default:
            from keras_gen.losses.adversarial import OBJECTIVES

            OBJECTIVES.get(name)
        return name

    def model_options(self) -> dict[str, Any]:
        """Arguments of ``GAN``."""
        names = ("latent_dim", "width", "objective")
        return {**super().model_options(), **{name: getattr(self, name) for name in names}}

    def network(self, spec: "kg.ImageSpec") -> "kg.GAN":
        """A ``GAN``."""
        return kg.GAN(spec, **self.model_options())
