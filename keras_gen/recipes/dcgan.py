"""What the DCGAN recipes share."""

from collections.abc import Mapping
from typing import Any

import keras_gen as kg
from keras_gen.recipes.recipe import Recipe


def dcgan_recipe(
    data: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    *,
    checkpoint_every: int = 1,
    sample_every: int = 1,
    evaluation: Mapping[str, Any] | None = None,
    **model_arguments: Any,
) -> Recipe:
    """A GAN with DCGAN's networks and optimizers: Adam with beta1 0.5 each (Radford et al. 2015, section 4)."""

    def model(spec: Any, steps: int) -> Any:
        import keras

        gan = kg.GAN(spec, seed=seed, **model_arguments)
        gan.compile(*(keras.optimizers.Adam(learning_rate, beta_1=0.5) for _ in range(2)))
        return gan

    return Recipe(
        data,
        model,
        epochs,
        batch_size,
        seed,
        checkpoint_every=checkpoint_every,
        sample_every=sample_every,
        evaluation=evaluation or {},
    )
