"""Gated PixelCNN on binarized MNIST (fixed binarization; Larochelle and Murray 2011).

van den Oord et al. 2016b give no number on this data; PixelCNN's 81.30 nats (van den Oord et al. 2016) is what the two
stacks without a blind spot should not fall behind. A first layer that sees 27 x 27 pixels (of one channel, it costs little) and 5
gated blocks of 5 x 5, 24 features, bfloat16. Expect 80.7. About 5 min an epoch on one CPU core, an hour in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def gated_pixel_cnn_mnist(
    data: str = "binarized_mnist",
    epochs: PositiveInt = 12,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 1e-3,
    filters: PositiveInt = 24,
    blocks: PositiveInt = 5,
    first_kernel: PositiveInt = 27,
    kernel_size: PositiveInt = 5,
    dtype: Precision = "mixed_bfloat16",
    seed: int = 0,
) -> Recipe:
    """Trained on the 50,000 training images."""
    return autoregressive_recipe(
        data,
        epochs,
        batch_size,
        learning_rate,
        seed,
        lambda spec: kg.GatedPixelCNN(
            spec, filters, blocks, first_kernel=first_kernel, kernel_size=kernel_size, head=64, dtype=dtype, seed=seed
        ),
        published=(("nll", 81.30, "van den Oord et al. 2016, table 4, PixelCNN (ungated)"),),
    )
