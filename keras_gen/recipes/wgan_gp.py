"""WGAN-GP (Gulrajani et al. 2017): a critic with a gradient penalty."""

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
ON_CIFAR10 = (
    Published(
        "fid_inception", 22.29, "mimicry's WGAN-GP (a generator twice as wide), 50,000 samples, Inception features"
    ),
)


class WGANGPMNIST(MNISTGANRecipe):
    """WGAN-GP on MNIST.

    Gulrajani et al. 2017, algorithm 1: penalty 10, five critic turns a step, Adam 0, 0.9; networks of ``dcgan_mnist``, no batch
    normalization in the critic. No number is published on this data in this feature space. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("fid10k", 13.2)
    paper: ClassVar[str] = "wgan_gp"

    epochs: PositiveInt = 12
    objective: str = "wasserstein"
    penalty: Literal["gradient", "one_sided_gradient", "r1", "r2", "drift"] | None = "gradient"
    critic_steps: PositiveInt = 5
    learning_rate: PositiveFloat = 4e-4
    beta_1: Rate = 0.0
    beta_2: Rate = 0.9
    falling: bool = True


class WGANGPCIFAR10(CIFAR10GANRecipe):
    """WGAN-GP ResNet on CIFAR-10, reduced.

    Gulrajani et al. 2017, its residual pair with 32 maps in place of 128 and fewer steps. About 50 min on one CPU core.
    """

    cost = Cost(50)
    published = ON_CIFAR10
    paper: ClassVar[str] = "wgan_gp"

    epochs: PositiveInt = 20
    objective: str = "wasserstein"
    penalty: Literal["gradient", "one_sided_gradient", "r1", "r2", "drift"] | None = "gradient"
    networks: Networks = "wgan_gp_resnet"
    width: PositiveInt = 32
    latent_dim: PositiveInt = 128
    critic_steps: PositiveInt = 5
    generator_batch: PositiveInt = 2
    learning_rate: PositiveFloat = 2e-4
    beta_1: Rate = 0.0
    beta_2: Rate = 0.9
    falling: bool = True


class WGANGPCIFAR10Full(WGANGPCIFAR10):
    """WGAN-GP ResNet on CIFAR-10, the paper's.

    Gulrajani et al. 2017, section 5.2 and its code: 128 maps, 100,000 generator steps. About a day on a GPU; no CPU will do.
    """

    cost = Cost(24 * 60, "1 GPU")
    published = ON_CIFAR10

    epochs: PositiveInt = 640
    width: PositiveInt = 128
    ema_decay: Rate | None = None
    augment: Augmentation | None = None
    samples: SampleCount = 50_000
