"""Gated PixelCNN (van den Oord et al. 2016b)."""

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
    SampleCount,
)


class GatedPixelCNNMNIST(AutoregressiveRecipe):
    """Gated PixelCNN on binarized MNIST.

    Fixed binarization (Larochelle and Murray 2011). van den Oord et al. 2016b give no number on this data; PixelCNN's 81.30 nats
    (van den Oord et al. 2016) is what the two stacks without a blind spot should not fall behind. A first layer that sees 27 x 27
    pixels (of one channel, it costs little) and 5 gated blocks of 5 x 5, 24 features, bfloat16. Expect 80.7. About 5 min an epoch
    on one CPU core, an hour in all.
    """

    published = (Published("nll", 81.30, "van den Oord et al. 2016, table 4, PixelCNN (ungated)"),)
    cost = Cost(60)
    expected = Expected("nll", 80.7, "nats")

    epochs: PositiveInt = 12
    dtype: Precision = "mixed_bfloat16"
    filters: PositiveInt = 24
    blocks: PositiveInt = 5
    first_kernel: PositiveInt = 27
    kernel_size: PositiveInt = 5

    def network(self, spec: "kg.ImageSpec") -> "kg.GatedPixelCNN":
        """One Bernoulli a pixel."""
        sizes = {"first_kernel": self.first_kernel, "kernel_size": self.kernel_size, "head": 64}
        return kg.GatedPixelCNN(spec, self.filters, self.blocks, **sizes, dtype=self.dtype, seed=self.seed)


class GatedPixelCNNClassesMNIST(AutoregressiveRecipe):
    """Class-conditional Gated PixelCNN on MNIST.

    van den Oord et al. 2016b, eq. 4, for the conditioning; Salimans et al. 2017 for the output, a mixture of logistics. Nothing
    is published for this pair of model and data; flows give 1.05 bits/dim without labels (Glow, by Chen et al. 2019, table 5).
    The first block sees 27 x 27 pixels. Sample grids go through the classes, a column each. Expect 1.11 bits/dim. About 5 min
    an epoch on one CPU core, half an hour in all.
    """

    cost = Cost(30)
    expected = Expected("bits_per_dim", 1.11)

    data: str = "mnist"
    epochs: PositiveInt = 6
    dtype: Precision = "mixed_bfloat16"
    filters: PositiveInt = 24
    blocks: PositiveInt = 4
    first_kernel: PositiveInt = 27
    kernel_size: PositiveInt = 5
    mixtures: PositiveInt = 5
    classes: PositiveInt = 10

    def network(self, spec: "kg.ImageSpec") -> "kg.GatedPixelCNN":
        """A mixture of logistics a pixel, conditioned on labels."""
        sizes = {"first_kernel": self.first_kernel, "kernel_size": self.kernel_size, "head": 48}
        output = {"output": "logistic_mixture", "mixtures": self.mixtures, "classes": self.classes}
        return kg.GatedPixelCNN(spec, self.filters, self.blocks, **sizes, **output, dtype=self.dtype, seed=self.seed)


class GatedPixelCNNCIFAR10(AutoregressiveRecipe):
    """Gated PixelCNN on CIFAR-10, reduced.

    van den Oord et al. 2016b: 3.03 bits/dim. Here 48 features and 6 blocks, ten logistics a channel in place of the 256-way
    softmax (Salimans et al. 2017: they know from the first step that levels have an order), horizontal flips and six epochs; Muon
    with weight decay. Expect 3.35 bits/dim. About 8 min an epoch on one CPU core, 50 min in all.
    """

    published = (Published("bits_per_dim", 3.03, "van den Oord et al. 2016b, table 1"),)
    cost = Cost(50)
    expected = Expected("bits_per_dim", 3.35)

    data: str = "cifar10"
    epochs: PositiveInt = 6
    batch_size: PositiveInt = 16
    dtype: Precision = "mixed_bfloat16"
    augment: Augmentation | None = "flip"
    samples: SampleCount = 500
    learning_rate: PositiveFloat = 4e-3
    optimizer: Optimizer = "muon"
    weight_decay: NonNegativeFloat = 0.1
    filters: PositiveInt = 48
    blocks: PositiveInt = 6
    mixtures: PositiveInt = 10

    def network(self, spec: "kg.ImageSpec") -> "kg.GatedPixelCNN":
        """A mixture of logistics a channel."""
        output = {"head": 96, "output": "logistic_mixture", "mixtures": self.mixtures}
        return kg.GatedPixelCNN(spec, self.filters, self.blocks, **output, dtype=self.dtype, seed=self.seed)
