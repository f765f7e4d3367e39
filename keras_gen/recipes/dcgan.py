"""DCGAN (Radford et al. 2015), scaled down."""

from typing import Literal

from keras_gen.recipes.adversarial import CIFAR10GANRecipe, GANRecipe, MNISTGANRecipe
from keras_gen.recipes.recipe import Augmentation, Cost, Expected, PositiveInt, Published, Rate, SampleCount

ON_CIFAR10 = (
    Published(
        "fid_inception",
        49.03,
        "StudioGAN's DCGAN, 10,000 samples and test images, batch statistics, Inception features",
    ),
)


class DCGANDigits(GANRecipe):
    """DCGAN on scikit-learn's digits (8x8).

    Radford et al. 2015, scaled down to 8 px: one halving, images of 17 levels. About 90 s on 2 busy CPU cores. Expect precision
    and recall (k = 3, 359 test images, random-conv features) of about 0.8 and 0.85; nothing is published on this data.
    """

    cost = Cost(1.5, "2 cores")
    expected = Expected("precision_k3", 0.8)

    data: str = "digits"
    epochs: PositiveInt = 150
    latent_dim: PositiveInt = 32
    ema_decay: Rate | None = 0.99
    checkpoint_every: PositiveInt = 50
    sample_every: PositiveInt | None = 25


class DCGANMNIST(MNISTGANRecipe):
    """DCGAN on MNIST (28x28).

    Radford et al. 2015, its networks scaled to 28 px: two halvings, from 7x7. About 5 min on one CPU core. No number in this
    feature space is published; expect a FID of about 8 and precision and recall of about 0.7 and 0.8 (10,000 test images,
    classifier-mnist features).
    """

    cost = Cost(5)
    expected = Expected("fid10k", 8)

    epochs: PositiveInt = 12
    checkpoint_every: PositiveInt = 1


class DCGANClassesMNIST(MNISTGANRecipe):
    """Class-conditional DCGAN on MNIST.

    Mirza and Osindero 2014 with the networks of Radford et al. 2015: the label one-hot beside z, and as maps beside the image.
    No number is published on this data in this feature space. About 10 min on one CPU core.
    """

    cost = Cost(10)

    epochs: PositiveInt = 18
    classes: PositiveInt | None = 10
    conditioning: Literal["concatenation", "projection", "auxiliary"] | None = "concatenation"


class DCGANCIFAR10(CIFAR10GANRecipe):
    """DCGAN on CIFAR-10, reduced.

    Radford et al. 2015, three halvings from 4x4, 48 maps next to the image. About 35 min on one CPU core.
    """

    cost = Cost(35)
    published = ON_CIFAR10

    epochs: PositiveInt = 20


class DCGANCIFAR10Full(DCGANCIFAR10):
    """DCGAN on CIFAR-10, the paper's width.

    Radford et al. 2015, section 4: 128 maps next to the image, batches of 128; 100,000 steps. About half a day on a GPU; no CPU
    will do.
    """

    cost = Cost(12 * 60, "1 GPU")
    published = ON_CIFAR10

    epochs: PositiveInt = 256
    batch_size: PositiveInt = 128
    width: PositiveInt = 128
    ema_decay: Rate | None = None
    augment: Augmentation | None = None
    samples: SampleCount = 50_000


class DCGANAnimeFaces(GANRecipe):
    """DCGAN on drawn faces (64x64), reduced.

    Radford et al. 2015, its 64 px networks with 32 maps in place of 128, on 2,250 faces, mirrored at random: few for a
    discriminator, which an average of the generator and small batches offset. Its latent space is for the paper's vector
    arithmetic, on hair colour: ``keras-gen latent attribute`` with ``classifier_anime_hair``. No number is published on this
    data. About 30 min on one CPU core.
    """

    cost = Cost(30)

    data: str = "anime_faces_64_subset"
    epochs: PositiveInt = 200
    batch_size: PositiveInt = 32
    ema_decay: Rate | None = 0.999
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 20
    sample_every: PositiveInt | None = 20
    samples: SampleCount = 2_500
