"""RealNVP (Dinh et al. 2017)."""

import keras_gen as kg
from keras_gen.recipes.flow import FlowRecipe
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Published,
    SampleCount,
    Share,
)

ON_CIFAR10 = (Published("bits_per_dim", 3.49, "Dinh et al. 2017, table 1"),)


class RealNVPRecipe(FlowRecipe):
    """Scales of residual networks."""

    scales: PositiveInt = 2
    features: PositiveInt
    blocks: PositiveInt
    alpha: PositiveFloat = 0.05
    # 2: networks of checkerboard couplings see patches of 2x2 pixels as one position.
    patch: PositiveInt = 1
    # What features are multiplied by at a squeeze.
    growth: PositiveInt = 2

    def network(self, spec: "kg.ImageSpec") -> "kg.RealNVP":
        """A ``RealNVP``."""
        options = {"alpha": self.alpha, "patch": self.patch, "growth": self.growth}
        return kg.RealNVP(spec, self.scales, self.features, self.blocks, **options, dtype=self.dtype, seed=self.seed)


class RealNVPCIFAR10Full(RealNVPRecipe):
    """RealNVP on CIFAR-10, full size.

    Dinh et al. 2017: 3.49 bits/dim with two scales, 8 residual blocks and 64 maps (doubled at the squeeze), Adam 1e-3, batches
    of 64, horizontal flips, gradients clipped at a norm of 100 as in the authors' code. They do not say how long; here 300
    epochs, a number of our own. Never run whole by this project. About five days on a GPU, too
    long for a CPU.
    """

    published = ON_CIFAR10
    cost = Cost(5 * 24 * 60, "1 GPU")

    data: str = "cifar10"
    epochs: PositiveInt = 300
    augment: Augmentation | None = "flip"
    final_rate: Share = 1.0
    features: PositiveInt = 64
    blocks: PositiveInt = 8
    checkpoint_every: PositiveInt = 5
    sample_every: PositiveInt | None = 5


class RealNVPCIFAR10(RealNVPRecipe):
    """RealNVP on CIFAR-10, reduced.

    Dinh et al. 2017: 3.49 bits/dim with 8 residual blocks and 64 maps. Here one block and 32 maps everywhere, checkerboard
    networks on patches of 2x2 pixels, seven epochs with horizontal flips, the rate falling along a cosine. About 40 min on one
    CPU core, by the cost of a step.
    """

    published = ON_CIFAR10
    cost = Cost(40)

    data: str = "cifar10"
    epochs: PositiveInt = 7
    augment: Augmentation | None = "flip"
    learning_rate: PositiveFloat = 2e-3
    warm_up_epochs: NonNegativeFloat = 0.2
    features: PositiveInt = 32
    blocks: PositiveInt = 1
    patch: PositiveInt = 2
    growth: PositiveInt = 1
    samples: SampleCount = 2_000


class RealNVPMNIST(RealNVPRecipe):
    """RealNVP on MNIST, 256 levels.

    Dinh et al. 2017 give no figure on MNIST; Chen et al. 2019 (table 5) give RealNVP 1.06 bits/dim. Three scales (28, 14, 7
    px), one residual block and 24 maps everywhere, checkerboard networks on patches of 2x2 pixels where sides are even. The
    logit's alpha is 1e-6 in place of 0.05, since most pixels are of the one level 0. The bound is of one draw of dequantization
    noise an image. About 3 min an epoch on one CPU core, by the cost of a step.
    """

    published = (Published("bits_per_dim", 1.06, "RealNVP, by Chen et al. 2019, table 5"),)
    cost = Cost(35)

    epochs: PositiveInt = 12
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 5e-3
    warm_up_epochs: NonNegativeFloat = 0.2
    scales: PositiveInt = 3
    features: PositiveInt = 24
    blocks: PositiveInt = 1
    alpha: PositiveFloat = 1e-6
    patch: PositiveInt = 2
    growth: PositiveInt = 1
