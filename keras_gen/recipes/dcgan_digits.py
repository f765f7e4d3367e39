"""DCGAN on scikit-learn's digits (8x8, 17 levels, embedded).

Radford et al. 2015, scaled down to 8 px. About 90 s on 2 busy CPU cores. Expect precision and recall (k = 3, 359 test images,
random-conv features) of about 0.8 and 0.85; nothing is published on this data.
"""

from typing import Literal

from keras_gen.recipes.dcgan import dcgan_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def dcgan_digits(
    data: str = "digits",
    epochs: PositiveInt = 150,
    batch_size: PositiveInt = 64,
    learning_rate: PositiveFloat = 2e-4,
    latent_dim: PositiveInt = 32,
    width: PositiveInt = 32,
    objective: Literal["non_saturating", "minimax"] = "non_saturating",
    critic_steps: PositiveInt = 1,
    ema_decay: float | None = 0.99,
    dtype: Precision = "float32",
    checkpoint_every: PositiveInt = 50,
    seed: int = 0,
) -> Recipe:
    """DCGAN's networks with one halving."""
    return dcgan_recipe(**locals(), sample_every=25)
