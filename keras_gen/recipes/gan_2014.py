"""The GAN of 2014 (Goodfellow et al. 2014): maxout against ReLU."""

from typing import ClassVar, Literal

from keras_gen.recipes.adversarial import MNISTGANRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveInt, Published, Rate


class GAN2014MNIST(MNISTGANRecipe):
    """GAN of 2014 on MNIST.

    Goodfellow et al. 2014 and its code, the pair whole: 1200 ReLUs twice, 240 maxout units twice, dropout, uniform noise, both
    gradients at one point, SGD whose momentum rises. The paper gives 225 nats by Parzen windows, a density that compares with
    no likelihood. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("fid10k", 17.7)
    published = (Published("parzen", 225.0, "Goodfellow et al. 2014, table 1, nats"),)
    paper: ClassVar[str] = "gan_2014"

    epochs: PositiveInt = 20
    batch_size: PositiveInt = 100
    noise: Literal["normal", "uniform"] = "uniform"
    networks: Literal["dcgan", "maxout", "wgan_gp_resnet", "sngan_resnet"] = "maxout"
    # Maxout units; the generator's layers are five times as wide.
    width: PositiveInt = 240
    order: Literal["discriminator_first", "simultaneous", "generator_first"] = "simultaneous"
    optimizer: Literal["adam", "rmsprop", "paper"] = "paper"
    ema_decay: Rate | None = None
    parzen: bool = True
