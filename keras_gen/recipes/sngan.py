"""SNGAN (Miyato et al. 2018): a discriminator of spectral norm 1, the hinge loss; with labels, a projection."""

from typing import ClassVar, Literal

from keras_gen.recipes.adversarial import CIFAR10GANRecipe, MNISTGANRecipe
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    Expected,
    PositiveFloat,
    PositiveInt,
    Published,
    Rate,
    SampleCount,
)

Networks = Literal["dcgan", "maxout", "wgan_gp_resnet", "sngan_resnet"]
ON_CIFAR10 = (Published("fid_inception", 16.77, "mimicry's SNGAN, 50,000 samples, Inception features"),)


class SNGANMNIST(MNISTGANRecipe):
    """SNGAN on MNIST.

    Miyato et al. 2018: spectral normalization and the hinge loss, with the networks of ``dcgan_mnist``, a critic turn a step. No
    number is published on this data in this feature space. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("fid10k", 5.4)
    paper: ClassVar[str] = "sngan"

    objective: str = "hinge"
    constraint: Literal["clip", "spectral"] | None = "spectral"


class SNGANClassesMNIST(SNGANMNIST):
    """Class-conditional SNGAN on MNIST.

    Miyato and Koyama 2018, after Miyato et al. 2018: a gain and a bias a class in the generator's batch normalization, a
    projection in the discriminator. No number is published on this data in this feature space. About 10 min on one CPU core.
    """

    cost = Cost(10)

    epochs: PositiveInt = 20
    classes: PositiveInt | None = 10
    conditioning: Literal["concatenation", "projection", "auxiliary"] | None = "projection"


class SNGANCIFAR10(CIFAR10GANRecipe):
    """SNGAN ResNet on CIFAR-10, reduced.

    Miyato et al. 2018, its residual pair with 32 maps in place of 256 and 128. About 40 min on one CPU core.
    """

    cost = Cost(40)
    published = ON_CIFAR10
    paper: ClassVar[str] = "sngan"

    epochs: PositiveInt = 20
    objective: str = "hinge"
    constraint: Literal["clip", "spectral"] | None = "spectral"
    networks: Networks = "sngan_resnet"
    width: PositiveInt = 32
    latent_dim: PositiveInt = 128
    critic_steps: PositiveInt = 5
    generator_batch: PositiveInt = 2
    order: Literal["discriminator_first", "simultaneous", "generator_first"] = "generator_first"
    learning_rate: PositiveFloat = 2e-4
    beta_1: Rate = 0.0
    beta_2: Rate = 0.9
    falling: bool = True


class SNGANCIFAR10Full(SNGANCIFAR10):
    """SNGAN ResNet on CIFAR-10, the paper's.

    Miyato et al. 2018, table 4 and its code: 256 and 128 maps, 50,000 generator steps. About a day on a GPU; no CPU will do.
    """

    cost = Cost(24 * 60, "1 GPU")
    published = ON_CIFAR10

    epochs: PositiveInt = 320
    width: PositiveInt = 128
    generator_width: PositiveInt | None = 256
    ema_decay: Rate | None = None
    augment: Augmentation | None = None
    samples: SampleCount = 50_000
