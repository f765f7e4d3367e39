"""DCGAN on MNIST (28x28, 256 levels).

Radford et al. 2015, its networks scaled to 28 px. About 4 min on one CPU core. No number in this feature space is published;
expect a FID of about 8 and precision and recall of about 0.7 and 0.8 (10,000 test images, classifier-mnist features).
"""

from typing import Literal

from keras_gen.recipes.dcgan import dcgan_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def dcgan_mnist(
    data: str = "mnist",
    epochs: PositiveInt = 12,
    batch_size: PositiveInt = 64,
    learning_rate: PositiveFloat = 2e-4,
    latent_dim: PositiveInt = 100,
    width: PositiveInt = 32,
    objective: Literal["non_saturating", "minimax"] = "non_saturating",
    critic_steps: PositiveInt = 1,
    ema_decay: float | None = 0.999,
    dtype: Precision = "float32",
    seed: int = 0,
) -> Recipe:
    """DCGAN's networks with two halvings, from 7x7."""
    return dcgan_recipe(**locals(), evaluation={"samples": 10_000})
