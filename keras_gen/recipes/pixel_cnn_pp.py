"""PixelCNN++ (Salimans et al. 2017)."""

from typing import Any, Literal

import keras_gen as kg
from keras_gen.recipes.autoregressive import AutoregressiveRecipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    Expected,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Precision,
    Published,
    Rate,
    SampleCount,
)

ON_CIFAR10 = (Published("bits_per_dim", 2.92, "Salimans et al. 2017, table 1"),)


class PixelCNNPlusPlusRecipe(AutoregressiveRecipe):
    """The network in the paper's size."""

    filters: PositiveInt = 160
    resnets: PositiveInt = 5
    dropout: Rate = 0.5

    def network(self, spec: "kg.ImageSpec") -> "kg.PixelCNNPlusPlus":
        """A ``PixelCNNPlusPlus``."""
        options = {"dropout": self.dropout, "dtype": self.dtype, "seed": self.seed}
        return kg.PixelCNNPlusPlus(spec, self.filters, self.resnets, **options)


class PixelCNNPlusPlusCIFAR10Full(PixelCNNPlusPlusRecipe):
    """PixelCNN++ on CIFAR-10, full size.

    Salimans et al. 2017: 2.92 bits/dim with 160 features, 5 blocks a level, dropout 0.5. Batch, rate and Adam's betas are those
    of the authors' code (16 images on each GPU, 0.001, 0.95, 0.9995). It lets the rate fall by 5e-6 of itself a step until the
    likelihood stays, and measures a moving average of the weights; here the rate falls along a cosine over 200 epochs, a
    number of our own, and there is no average. Never run whole by this project. About 5 days on 8 GPUs (the authors' README,
    Maxwell TITAN X), too long for a CPU.
    """

    published = ON_CIFAR10
    cost = Cost(5 * 24 * 60, "8 GPUs")

    data: str = "cifar10"
    epochs: PositiveInt = 200
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1e-3
    optimizer: Literal["adam"] = "adam"
    beta_1: Rate = 0.95
    beta_2: Rate = 0.9995

    def optimizer_options(self) -> dict[str, Any]:
        """Adam's betas."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2}


class PixelCNNPlusPlusReduced(PixelCNNPlusPlusRecipe):
    """For a CPU core: Muon with weight decay, bfloat16; so small a network does not overfit, hence no dropout."""

    dtype: Precision = "mixed_bfloat16"
    learning_rate: PositiveFloat = 4e-3
    optimizer: Optimizer = "muon"
    weight_decay: NonNegativeFloat = 0.1
    resnets: PositiveInt = 2
    dropout: Rate = 0.0


class PixelCNNPlusPlusCIFAR10(PixelCNNPlusPlusReduced):
    """PixelCNN++ on CIFAR-10, reduced.

    Salimans et al. 2017: 2.92 bits/dim with 160 features, 5 blocks a level, days on 8 GPUs. Here 32 features and 2 blocks, seven
    epochs with horizontal flips, for a CPU; Muon with weight decay. Expect 3.21 bits/dim. About 14.5 min an epoch on one CPU
    core, 100 min in all.
    """

    published = ON_CIFAR10
    cost = Cost(100)
    expected = Expected("bits_per_dim", 3.21)

    data: str = "cifar10"
    epochs: PositiveInt = 7
    batch_size: PositiveInt = 16
    augment: Augmentation | None = "flip"
    samples: SampleCount = 500
    filters: PositiveInt = 32


class PixelCNNPlusPlusMNIST(PixelCNNPlusPlusReduced):
    """PixelCNN++ on binarized MNIST.

    Fixed binarization (Larochelle and Murray 2011). Salimans et al. 2017 give no number on this data; PixelCNN's 81.30 nats (van
    den Oord et al. 2016) is what it should not fall behind. The pyramid (28, 14 and 7 px) gives each pixel the whole image before
    it; 16 features, 2 blocks a level, bfloat16, one Bernoulli a pixel in place of the mixture; Muon with weight decay. Expect
    79.2. About 5.5 min an epoch on one CPU core, 22 min in all.
    """

    published = (Published("nll", 81.30, "van den Oord et al. 2016, table 4, PixelCNN"),)
    cost = Cost(22)
    expected = Expected("nll", 79.2, "nats")

    epochs: PositiveInt = 4
    filters: PositiveInt = 16
