"""PixelCNN (van den Oord et al. 2016)."""

import keras_gen as kg
from keras_gen.recipes.autoregressive import AutoregressiveRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveInt, Precision, Published


class PixelCNNMNIST(AutoregressiveRecipe):
    """PixelCNN on binarized MNIST.

    van den Oord et al. 2016: 81.30 nats on the test images (fixed binarization; Larochelle and Murray 2011). A first mask-A layer
    that sees 27 x 27 pixels (of one channel, it costs little) and 7 residual blocks of 5 x 5 mask-B layers, 32 features in 64,
    bfloat16 arithmetic. The paper's layers are 7 x 7 and 3 x 3; the network of this size with those sees ten rows up, too few to
    know whether the digit is finished (87.8 nats after 16 epochs). Expect 81.1. About 5 min an epoch on one CPU core, 50 min in
    all.
    """

    published = (Published("nll", 81.30, "van den Oord et al. 2016, table 4, PixelCNN"),)
    cost = Cost(50)
    expected = Expected("nll", 81.1, "nats")

    epochs: PositiveInt = 10
    dtype: Precision = "mixed_bfloat16"
    filters: PositiveInt = 32
    blocks: PositiveInt = 7
    first_kernel: PositiveInt = 27
    kernel_size: PositiveInt = 5

    def network(self, spec: "kg.ImageSpec") -> "kg.PixelCNN":
        """A ``PixelCNN``."""
        sizes = {"first_kernel": self.first_kernel, "kernel_size": self.kernel_size}
        return kg.PixelCNN(spec, self.filters, self.blocks, **sizes, dtype=self.dtype, seed=self.seed)
