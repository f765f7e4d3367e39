"""Glow (Kingma and Dhariwal 2018)."""

from typing import Any

import keras_gen as kg
from keras_gen.recipes.flow import FlowRecipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import (
    Cost,
    Expected,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Published,
    Rate,
    SampleCount,
    Share,
)

ON_CIFAR10 = (Published("bits_per_dim", 3.35, "Kingma and Dhariwal 2018, table 2"),)


class GlowRecipe(FlowRecipe):
    """Levels of steps of one width."""

    levels: PositiveInt = 3
    depth: PositiveInt
    width: PositiveInt
    # Of the logit that pixels go through; None: no logit, as the paper has it.
    alpha: PositiveFloat | None = None

    def network(self, spec: "kg.ImageSpec") -> "kg.Glow":
        """A ``Glow``."""
        options = {"alpha": self.alpha, "dtype": self.dtype, "seed": self.seed}
        return kg.Glow(spec, self.levels, self.depth, self.width, **options)


class GlowCIFAR10Full(GlowRecipe):
    """Glow on CIFAR-10, full size.

    Kingma and Dhariwal 2018: 3.35 bits/dim with 3 levels of 32 steps of width 512 (44 million weights). Batch, optimizer and
    warm-up are those of the authors' code: Adamax 1e-3 with its second beta at 1 - 1/97, 512 images, the rate climbing through
    10 epochs and constant then. It trains until it is stopped, on images shifted by up to a tenth, and keeps what tests best;
    here 1,000 epochs, a number of our own, without shifts, and the last weights count. Never run whole by this project. About
    five days on 8 GPUs, too long for a CPU.
    """

    published = ON_CIFAR10
    cost = Cost(5 * 24 * 60, "8 GPUs")

    data: str = "cifar10"
    epochs: PositiveInt = 1_000
    batch_size: PositiveInt = 512
    optimizer: Optimizer = "adamax"
    final_rate: Share = 1.0
    warm_up_epochs: NonNegativeFloat = 10.0
    beta_2: Rate = 1.0 - 1.0 / 97.0
    depth: PositiveInt = 32
    width: PositiveInt = 512
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 10

    def optimizer_options(self) -> dict[str, Any]:
        """Their beta; they do not clip, and a norm of 1e6 does not either."""
        return {**super().optimizer_options(), "beta_2": self.beta_2}


class GlowCIFAR10(GlowRecipe):
    """Glow on CIFAR-10, reduced.

    Kingma and Dhariwal 2018: 3.35 bits/dim with 3 levels of 32 steps of width 512. Here 8 steps of width 64 and seven epochs of
    Adam, its rate falling along a cosine, for a CPU. About 40 min on one CPU core, by the cost of a step.
    """

    published = ON_CIFAR10
    cost = Cost(40)

    data: str = "cifar10"
    epochs: PositiveInt = 7
    learning_rate: PositiveFloat = 5e-3
    warm_up_epochs: NonNegativeFloat = 0.2
    depth: PositiveInt = 8
    width: PositiveInt = 64
    samples: SampleCount = 2_000


class GlowMNIST(GlowRecipe):
    """Glow on MNIST, 256 levels.

    Kingma and Dhariwal 2018 give no figure for 28x28; Chen et al. 2019 (table 5) give Glow 1.05 bits/dim. Two levels (28, 14,
    7 px) of 8 steps of width 64; pixels go through a logit, since most of them are of the one level 0. The bound is of one draw
    of dequantization noise an image. About 2.6 min an epoch on one CPU core of a busy machine, half an hour in all.
    """

    published = (Published("bits_per_dim", 1.05, "Glow, by Chen et al. 2019, table 5"),)
    cost = Cost(32)
    expected = Expected("bits_per_dim", 1.13)

    epochs: PositiveInt = 12
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 5e-3
    warm_up_epochs: NonNegativeFloat = 0.2
    levels: PositiveInt = 2
    depth: PositiveInt = 8
    width: PositiveInt = 64
    alpha: PositiveFloat | None = 1e-6
