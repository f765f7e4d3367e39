"""A small classifier of MNIST, whose features and probabilities serve the metrics (FID, KID, precision ...) offline.

Five 3x3 convolutions with batch normalization (LeCun et al. 1998 for the data; no paper is followed); slanted, shifted and
zoomed images, half of them binarized at random, so that binarized MNIST can be measured too.
Expect 99.5 % of the test images right, 98.9 % of binarized ones. About 13 min on one busy CPU core.
"""

from keras_gen.recipes.classifier import classifier_recipe
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def classifier_mnist(
    data: str = "mnist",
    epochs: PositiveInt = 8,
    batch_size: PositiveInt = 64,
    learning_rate: PositiveFloat = 2e-3,
    width: PositiveInt = 24,
    features: PositiveInt = 64,
    binarize: float = 0.5,
    dtype: Precision = "float32",
    seed: int = 0,
) -> Recipe:
    """Trained on the training images; the accuracy is of the test images."""
    return classifier_recipe(
        data, epochs, batch_size, learning_rate, seed, width=width, features=features, binarize=binarize, dtype=dtype
    )
