"""PixelCNN++ on CIFAR-10, reduced.

Salimans et al. 2017: 2.92 bits/dim with 160 features, 5 blocks a level, days on 8 GPUs. Here 32 features and 2 blocks, seven
epochs, for a CPU; Muon with weight decay. Expect 3.21 bits/dim. About 14.5 min an epoch on one CPU core, 100 min in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, PositiveInt, Precision, Recipe


def pixel_cnn_pp_cifar10(
    data: str = "cifar10",
    epochs: PositiveInt = 7,
    batch_size: PositiveInt = 16,
    learning_rate: PositiveFloat = 4e-3,
    optimizer: Optimizer = "muon",
    weight_decay: NonNegativeFloat = 0.1,
    filters: PositiveInt = 32,
    resnets: PositiveInt = 2,
    dropout: float = 0.0,
    dtype: Precision = "mixed_bfloat16",
    seed: int = 0,
) -> Recipe:
    """Trained with horizontal flips; so small a network does not overfit, hence no dropout."""
    return autoregressive_recipe(
        data,
        epochs,
        batch_size,
        learning_rate,
        seed,
        lambda spec: kg.PixelCNNPlusPlus(spec, filters, resnets, dropout=dropout, dtype=dtype, seed=seed),
        optimizer=optimizer,
        weight_decay=weight_decay,
        augment="flip",
        samples=500,
        published=(("bits_per_dim", 2.92, "Salimans et al. 2017, table 1"),),
    )
