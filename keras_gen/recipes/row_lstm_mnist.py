"""PixelRNN with Row LSTMs on binarized MNIST (fixed binarization; Larochelle and Murray 2011).

van den Oord et al. 2016: 80.54 nats on the test images.
A first layer that sees 27 x 27 pixels (the paper's 7 x 7) and 4 layers of h = 32; XLA compiles their loops. Muon with
weight decay. Expect 80.0. About 5 min an epoch on one CPU core, 48 min in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import NonNegativeFloat, PositiveFloat, PositiveInt, Precision, Recipe


def row_lstm_mnist(
    data: str = "binarized_mnist",
    epochs: PositiveInt = 9,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 3e-3,
    optimizer: Optimizer = "muon",
    weight_decay: NonNegativeFloat = 0.1,
    filters: PositiveInt = 32,
    layers_deep: PositiveInt = 4,
    first_kernel: PositiveInt = 27,
    dtype: Precision = "float32",
    seed: int = 0,
) -> Recipe:
    """Trained on the 50,000 training images."""
    return autoregressive_recipe(
        data,
        epochs,
        batch_size,
        learning_rate,
        seed,
        lambda spec: kg.PixelRNN(
            spec, "row_lstm", filters, layers_deep, first_kernel=first_kernel, head=64, dtype=dtype, seed=seed
        ),
        optimizer=optimizer,
        weight_decay=weight_decay,
        published=(("nll", 80.54, "van den Oord et al. 2016, Row LSTM (quoted from memory)"),),
    )
