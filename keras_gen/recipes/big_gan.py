"""BigGAN (Brock et al. 2019): one embedding of the classes, noise in every block, attention, truncation."""

from pathlib import Path
from typing import Any, Literal

import keras_gen as kg
from keras_gen.recipes.adversarial import AdversarialRecipe
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Published,
    Rate,
    SampleCount,
)

# The paper's number and that of the largest published comparison; the latter's network differs from both recipes'.
ON_CIFAR10 = (
    Published("fid_inception", 14.73, "Brock et al. 2019, Inception features"),
    Published(
        "fid_inception",
        8.03,
        "StudioGAN's modified BigGAN, 10,000 samples and test images, batch statistics, Inception features",
    ),
)


class BigGANRecipe(AdversarialRecipe):
    """A ``BigGAN`` with all its parts, of a width that one core can train."""

    batch_size: PositiveInt = 64
    classes: PositiveInt = 10
    # None: 20 a chunk.
    latent_dim: PositiveInt | None = None
    width: PositiveInt = 16
    shared_embedding: PositiveInt | None = 128
    split_noise: bool = True
    # Side of the maps that it stands behind; 0: nowhere, None: the network's own choice.
    attention: NonNegativeInt | None = None
    initializer: Literal["orthogonal", "normal"] = "orthogonal"
    orthogonal_weight: NonNegativeFloat = 1e-4
    critic_steps: PositiveInt = 2
    learning_rate: PositiveFloat = 2e-4
    beta_1: Rate = 0.0
    ema_decay: Rate | None = 0.999
    # The generator's steps before the average begins.
    ema_start: NonNegativeInt = 1_000
    # Batches that the finished generator's statistics are of, instead of training's; None: training's.
    standing_batches: PositiveInt | None = 16

    def model_options(self) -> dict[str, Any]:
        """Arguments of ``BigGAN``."""
        names = (
            "classes",
            "latent_dim",
            "width",
            "shared_embedding",
            "split_noise",
            "initializer",
            "orthogonal_weight",
        )
        own = {name: getattr(self, name) for name in (*names, "ema_start")}
        sides = None if self.attention is None else [self.attention] if self.attention else []
        return {**super().model_options(), **own, "attention": sides}

    def network(self, spec: "kg.ImageSpec") -> "kg.BigGAN":
        """A ``BigGAN``."""
        return kg.BigGAN(spec, **self.model_options())

    def final_model(self, model: Any, folder: Path) -> Any:
        """The last or the best, with standing statistics of untruncated noise."""
        model = super().final_model(model, folder)
        if self.standing_batches is not None:
            model.standing_statistics(batches=self.standing_batches, seed=self.seed)
        return model


class BigGANMNIST(BigGANRecipe):
    """BigGAN on MNIST, reduced.

    Brock et al. 2019 at 28 px (two blocks, from 7x7), 64 maps, 3,000 generator steps of 1.2 s. No number is published on this
    data in this feature space. About 60 min on one CPU core.
    """

    cost = Cost(60)

    data: str = "mnist"
    epochs: PositiveInt = 7


class BigGANCIFAR10(BigGANRecipe):
    """BigGAN on CIFAR-10, reduced.

    Brock et al. 2019, 64 maps in place of StudioGAN's 384 and 4,600 generator steps of 1.5 s. About 2 h on one CPU core.
    """

    cost = Cost(120)
    published = ON_CIFAR10

    data: str = "cifar10"
    epochs: PositiveInt = 13
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 2


class BigGANTinyImageNet(BigGANRecipe):
    """BigGAN on 10 classes of Tiny-ImageNet, 64 px, reduced.

    Brock et al. 2019, the 64 px networks of its code with a quarter of the maps, 1,750 generator steps of 3.9 s. 4,500 images are
    few, so they are mirrored and jittered. No number is published on this data. About 2 h on one CPU core.
    """

    cost = Cost(120)

    data: str = "tiny_imagenet_10_subset"
    epochs: PositiveInt = 50
    augment: Augmentation | None = "jitter_flip"
    checkpoint_every: PositiveInt = 5


class BigGANCIFAR10AuthorFull(BigGANRecipe):
    """BigGAN on CIFAR-10 as in its author's script.

    Brock et al. 2019 by the PyTorch code's launch_cifar_ema.sh: an embedding a layer, no split noise, no attention; 256 maps,
    batches of 50, 4 turns, 125,000 generator steps. About 10 h on a GPU; no CPU will do.
    """

    cost = Cost(10 * 60, "1 GPU")
    published = ON_CIFAR10

    data: str = "cifar10"
    epochs: PositiveInt = 556
    batch_size: PositiveInt = 50
    latent_dim: PositiveInt | None = 128
    width: PositiveInt = 64
    shared_embedding: PositiveInt | None = None
    split_noise: bool = False
    attention: NonNegativeInt | None = 0
    initializer: Literal["orthogonal", "normal"] = "normal"
    orthogonal_weight: NonNegativeFloat = 0.0
    critic_steps: PositiveInt = 4
    ema_decay: Rate | None = 0.9999
    checkpoint_every: PositiveInt = 10
    samples: SampleCount = 50_000


class BigGANCIFAR10Full(BigGANRecipe):
    """BigGAN on CIFAR-10, the whole system.

    Brock et al. 2019 in the sizes of PyTorch-StudioGAN's configuration: 384 maps, attention at 16 px, 5 turns, 100,000 generator
    steps. About a day on a GPU; no CPU will do.
    """

    cost = Cost(24 * 60, "1 GPU")
    published = ON_CIFAR10

    data: str = "cifar10"
    epochs: PositiveInt = 714
    latent_dim: PositiveInt | None = 80
    width: PositiveInt = 96
    attention: NonNegativeInt | None = 16
    orthogonal_weight: NonNegativeFloat = 0.0
    critic_steps: PositiveInt = 5
    beta_1: Rate = 0.5
    ema_decay: Rate | None = 0.9999
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 10
    samples: SampleCount = 50_000
