"""PixelRNN (van den Oord et al. 2016)."""

from typing import ClassVar

import keras_gen as kg
from keras_gen.recipes.autoregressive import AutoregressiveRecipe
from keras_gen.recipes.optimizer import Optimizer
from keras_gen.recipes.recipe import Cost, Expected, NonNegativeFloat, PositiveFloat, PositiveInt, Published


class PixelRNNRecipe(AutoregressiveRecipe):
    """A first layer that sees 27 x 27 pixels (the paper's 7 x 7), then LSTM layers, whose loops XLA compiles."""

    layer: ClassVar[str]

    epochs: PositiveInt = 9
    learning_rate: PositiveFloat = 3e-3
    optimizer: Optimizer = "muon"
    filters: PositiveInt = 32
    layers_deep: PositiveInt
    first_kernel: PositiveInt = 27

    def network(self, spec: "kg.ImageSpec") -> "kg.PixelRNN":
        """A ``PixelRNN``."""
        sizes = {"first_kernel": self.first_kernel, "head": 64}
        return kg.PixelRNN(spec, self.layer, self.filters, self.layers_deep, **sizes, dtype=self.dtype, seed=self.seed)


class RowLSTMMNIST(PixelRNNRecipe):
    """PixelRNN with Row LSTMs on binarized MNIST.

    van den Oord et al. 2016: 80.54 nats on the test images (fixed binarization; Larochelle and Murray 2011).
    A first layer that sees 27 x 27 pixels (the paper's 7 x 7) and 4 layers of h = 32; XLA compiles their loops. Muon with
    weight decay. Expect 80.0. About 5 min an epoch on one CPU core, 48 min in all.
    """

    layer = "row_lstm"
    published = (Published("nll", 80.54, "van den Oord et al. 2016, Row LSTM (quoted from memory)"),)
    cost = Cost(48)
    expected = Expected("nll", 80.0, "nats")

    weight_decay: NonNegativeFloat = 0.1
    layers_deep: PositiveInt = 4


class DiagonalBiLSTMMNIST(PixelRNNRecipe):
    """PixelRNN with Diagonal BiLSTMs on binarized MNIST.

    van den Oord et al. 2016: 80.75 nats on the test images (fixed binarization; Larochelle and Murray 2011) with one layer, 79.20
    with seven. A first layer that sees 27 x 27 pixels (the paper's 7 x 7) and 2 layers of h = 32; XLA compiles their loops.
    Expect 80.4. About 5 min an epoch on one CPU core, 45 min in all.
    """

    layer = "diagonal_bilstm"
    published = (Published("nll", 80.75, "van den Oord et al. 2016, table 4, Diagonal BiLSTM, 1 layer"),)
    cost = Cost(45)
    expected = Expected("nll", 80.4, "nats")

    layers_deep: PositiveInt = 2
