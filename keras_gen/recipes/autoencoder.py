"""Autoencoders (Hinton and Salakhutdinov 2006; denoising: Vincent et al. 2010)."""

from typing import Literal

import keras_gen as kg
from keras_gen.recipes.optimizer import OneOptimizerRecipe
from keras_gen.recipes.recipe import Cost, Expected, NonNegativeFloat, PositiveFloat, PositiveInt


class AutoencoderMNIST(OneOptimizerRecipe):
    """Autoencoder on MNIST, sampled through a density.

    Hinton and Salakhutdinov 2006 for the codes of 30 numbers (a squared error of 3.00 an image, pixels in [0, 1], by
    1000-500-250 sigmoid units each way, pretrained layer by layer); here two ReLU layers each way, trained at once. Nothing says
    where its codes lie, so that codes drawn at random decode to no digits (the report's picture of them); a mixture of 50
    Gaussians, fitted to the training images' codes in the end, makes it one that can be sampled. With ``corruption`` it is the
    denoising one of Vincent et al. 2010. No number is published for such samples. About 4 min on one CPU core.
    """

    family = "variational"
    cost = Cost(4)
    expected = Expected("fid10k", 3.6)

    data: str = "mnist"
    epochs: PositiveInt = 30
    batch_size: PositiveInt = 100
    learning_rate: PositiveFloat = 1e-3
    latent_dim: PositiveInt = 30
    units: tuple[PositiveInt, ...] = (500, 250)
    # What the encoder sees in training, and how strong; None: clean images.
    corruption: Literal["masking", "gaussian"] | None = None
    noise: NonNegativeFloat = 0.3
    # Gaussians of the codes' density.
    components: PositiveInt = 50
    sample_every: PositiveInt | None = None

    def network(self, spec: "kg.ImageSpec") -> "kg.Autoencoder":
        """An MLP each way."""
        names = ("corruption", "noise", "components", "dtype", "seed")
        return kg.Autoencoder(spec, self.latent_dim, hidden=self.units, **{name: getattr(self, name) for name in names})
