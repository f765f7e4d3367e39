"""PixelCNN on binarized MNIST (fixed binarization; Larochelle and Murray 2011).

van den Oord et al. 2016: 81.30 nats on the test images. A first mask-A layer that sees 27 x 27 pixels (of one channel, it costs
little) and 7 residual blocks of 5 x 5 mask-B layers, 32 features in 64, bfloat16 arithmetic. The paper's layers are 7 x 7 and
3 x 3; the network of this size with those sees ten rows up, too few to know whether the digit is finished (87.8 nats after 16
epochs). Expect 81.1. About 5 min an epoch on one CPU core, 50 min in all.
"""

import keras_gen as kg
from keras_gen.recipes.autoregressive import autoregressive_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def pixel_cnn_mnist(
    data: str = "binarized_mnist",
    epochs: PositiveInt = 10,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 1e-3,
    filters: PositiveInt = 32,
    blocks: PositiveInt = 7,
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
        lambda spec: kg.PixelCNN(
            spec, filters, blocks, first_kernel=first_kernel, kernel_size=kernel_size, dtype=dtype, seed=seed
        ),
        published=(("nll", 81.30, "van den Oord et al. 2016, table 4, PixelCNN"),),
    )
