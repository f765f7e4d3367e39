"""WGAN (Arjovsky et al. 2017): a clipped critic."""

from typing import ClassVar, Literal

from keras_gen.recipes.adversarial import MNISTGANRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveFloat, PositiveInt


class WGANMNIST(MNISTGANRecipe):
    """WGAN on MNIST.

    Arjovsky et al. 2017, algorithm 1: weights clipped to 0.01, RMSprop, five critic turns a step and a hundred before the first
    25; networks of ``dcgan_mnist``. No number is published on this data in this feature space. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("fid10k", 32.5)
    paper: ClassVar[str] = "wgan"

    epochs: PositiveInt = 18
    objective: str = "wasserstein"
    constraint: Literal["clip", "spectral"] | None = "clip"
    critic_steps: PositiveInt = 5
    long_turns: PositiveInt | None = 100
    optimizer: Literal["adam", "rmsprop", "paper"] = "rmsprop"
    # Five times the paper's: a run is a hundred times shorter.
    learning_rate: PositiveFloat = 2.5e-4
