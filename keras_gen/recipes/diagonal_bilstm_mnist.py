"""PixelRNN with Diagonal BiLSTMs on binarized MNIST (fixed binarization; Larochelle and Murray 2011).

van den Oord et al. 2016: 80.75 nats on the test images with one layer, 79.20 with seven.
A 15 x 15 mask-A layer (the paper's is 7 x 7) and 3 layers of h = 16; the step is compiled by XLA.
Not trained to its end yet, so there is no number to expect (5 of 10 epochs reached a validation NLL of 85.2 nats). About
5.5 min an epoch on one CPU core.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def diagonal_bilstm_mnist(
    data: str = "binarized_mnist",
    epochs: PositiveInt = 10,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 1e-3,
    filters: PositiveInt = 16,
    layers_deep: PositiveInt = 3,
    first_kernel: PositiveInt = 15,
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
            spec, "diagonal_bilstm", filters, layers_deep, first_kernel=first_kernel, dtype=dtype, seed=seed
        ),
        published=(("nll", 80.75, "van den Oord et al. 2016, table 4, Diagonal BiLSTM, 1 layer"),),
    )
