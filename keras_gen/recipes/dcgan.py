"""DCGAN (Radford et al. 2015), scaled down."""

from keras_gen.recipes.adversarial import GANRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveInt, Rate


class DCGANDigits(GANRecipe):
    """DCGAN on scikit-learn's digits (8x8).

    Radford et al. 2015, scaled down to 8 px: one halving, images of 17 levels. About 90 s on 2 busy CPU cores. Expect precision
    and recall (k = 3, 359 test images, random-conv features) of about 0.8 and 0.85; nothing is published on this data.
    """

    cost = Cost(1.5, "2 cores")
    expected = Expected("precision_k3", 0.8)

    data: str = "digits"
    epochs: PositiveInt = 150
    latent_dim: PositiveInt = 32
    ema_decay: Rate | None = 0.99
    checkpoint_every: PositiveInt = 50
    sample_every: PositiveInt | None = 25


class DCGANMNIST(GANRecipe):
    """DCGAN on MNIST (28x28).

    Radford et al. 2015, its networks scaled to 28 px: two halvings, from 7x7. About 4 min on one CPU core. No number in this
    feature space is published; expect a FID of about 8 and precision and recall of about 0.7 and 0.8 (10,000 test images,
    classifier-mnist features).
    """

    cost = Cost(4)
    expected = Expected("fid10k", 8)

    data: str = "mnist"
    epochs: PositiveInt = 12
    ema_decay: Rate | None = 0.999
