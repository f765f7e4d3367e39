"""Gated PixelCNN on CIFAR-10, reduced.

van den Oord et al. 2016b: 3.03 bits/dim. Here 48 features and 6 blocks, ten logistics a channel in place of the 256-way softmax
(Salimans et al. 2017: they know from the first step that levels have an order), and six epochs; Muon with weight decay. Expect
3.35 bits/dim. About 8 min an epoch on one CPU core, 50 min in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, PositiveInt, Precision, Recipe


def gated_pixel_cnn_cifar10(
    data: str = "cifar10",
    epochs: PositiveInt = 6,
    batch_size: PositiveInt = 16,
    learning_rate: PositiveFloat = 4e-3,
    optimizer: Optimizer = "muon",
    weight_decay: NonNegativeFloat = 0.1,
    filters: PositiveInt = 48,
    blocks: PositiveInt = 6,
    mixtures: PositiveInt = 10,
    dtype: Precision = "mixed_bfloat16",
    seed: int = 0,
) -> Recipe:
    """Trained with horizontal flips."""
    return autoregressive_recipe(
        data,
        epochs,
        batch_size,
        learning_rate,
        seed,
        lambda spec: kg.GatedPixelCNN(
            spec, filters, blocks, head=96, output="logistic_mixture", mixtures=mixtures, dtype=dtype, seed=seed
        ),
        optimizer=optimizer,
        weight_decay=weight_decay,
        augment="flip",
        samples=500,
        published=(("bits_per_dim", 3.03, "van den Oord et al. 2016b, table 1"),),
    )
