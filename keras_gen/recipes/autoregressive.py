"""What the recipes of autoregressive models share."""

from keras_gen.recipes.optimizer import OneOptimizerRecipe
from keras_gen.recipes.recipe import PositiveInt, SampleCount


class AutoregressiveRecipe(OneOptimizerRecipe):
    """Binarized MNIST unless a recipe says otherwise. Samples are drawn pixel by pixel, so there are fewer of them."""

    family = "autoregressive"

    data: str = "binarized_mnist"
    batch_size: PositiveInt = 32
    sample_every: PositiveInt | None = None
    samples: SampleCount = 2_000
