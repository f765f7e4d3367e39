"""What the recipes of models that translate share."""

from pathlib import Path
from typing import Any

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.adversarial import AdversarialRecipe
from keras_gen.recipes.recipe import (
    Augmentation,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Rate,
    SampleCount,
)


class TranslationRecipe(AdversarialRecipe):
    """Both papers': Adam 2e-4, beta1 0.5, batch 1, jitter and flip; rates that fall over the second half."""

    family = "translation"

    batch_size: PositiveInt = 1
    augment: Augmentation | None = "jitter_flip"
    falling: bool = True
    # The share of the run before the rates fall.
    constant: Rate = 0.5
    # Maps of the generator's layers next to the image, and of the discriminator's.
    width: PositiveInt = 32
    # Layers of stride 2 of the discriminator: it sees patches of 1, 16, 34, 70, 142 pixels for 0 to 4. None: by the size.
    patch_layers: NonNegativeInt | None = None
    objective: str = "non_saturating"
    # What the objective counts in the generator's loss.
    adversarial_weight: NonNegativeFloat = 1.0
    samples: SampleCount = 1_000

    def model_options(self) -> dict[str, Any]:
        """Arguments of both models."""
        names = ("width", "patch_layers", "objective", "adversarial_weight")
        return {**super().model_options(), **{name: getattr(self, name) for name in names}}

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for data with sources."""
        if data.source_spec is None:
            raise InvalidInput(
                f"{data.name} holds no sources to translate; give pairs or two sets, as --data drawn_shapes, "
                "--data colorize:cifar10 or --data paired_folder:PATH."
            )
        made = self.network(data.image_spec, data.source_spec)
        self.compile(made, steps)
        return made

    def callbacks(self, folder: Path, training: Any, validation: Any, first_epoch: int) -> list[Any]:
        """As of other two-player models, without ``Diversity``: a source has one translation, or hardly more."""
        from keras_gen.training.diversity import Diversity

        watching = super().callbacks(folder, training, validation, first_epoch)
        return [each for each in watching if not isinstance(each, Diversity)]

    def _optimizer(self, learning_rate: float, steps: int) -> Any:
        if self.optimizer != "adam":
            return super()._optimizer(learning_rate, steps)
        rate = kg.LinearDecay(learning_rate, steps, self.constant) if self.falling else learning_rate
        return kg.Adam(rate, beta_1=self.beta_1, beta_2=self.beta_2)
