"""LSGAN (Mao et al. 2017)."""

from typing import ClassVar

from keras_gen.recipes.adversarial import MNISTGANRecipe
from keras_gen.recipes.recipe import Cost, Expected


class LSGANMNIST(MNISTGANRecipe):
    """LSGAN on MNIST.

    Mao et al. 2017, targets 0, 1, 1, with the networks and rates of ``dcgan_mnist``. No number is published on this data in
    this feature space. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("fid10k", 7.2)
    paper: ClassVar[str] = "lsgan"

    objective: str = "least_squares"
