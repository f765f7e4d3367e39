"""ProGAN (Karras et al. 2018): networks that grow from 4x4 pixels."""

from typing import Any, Literal

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.adversarial import AdversarialRecipe
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


class ProgressiveRecipe(AdversarialRecipe):
    """A ``ProgressiveGAN``. The defaults are those of the paper's CIFAR-10, reduced in maps and in images shown."""

    batch_size: PositiveInt = 16
    latent_dim: PositiveInt = 128
    # Pixels a side at the start; the images' own for networks that do not grow.
    start: PositiveInt = 4
    # Images shown at a size, and while the next one fades in.
    steady: PositiveInt = 20_000
    fade: PositiveInt = 20_000
    # Most maps of a layer, and maps at 2 px, halved at each doubling.
    width: PositiveInt = 64
    maps: PositiveInt = 512
    # Examples that the discriminator compares; None: the batch.
    group: PositiveInt | None = None
    # The slope that the gradient penalty asks for.
    target: PositiveFloat = 750.0
    # Optimizers begin anew with each phase.
    restart: bool = True
    order: Literal["discriminator_first", "simultaneous", "generator_first"] = "simultaneous"
    learning_rate: PositiveFloat = 1e-3
    beta_1: Rate = 0.0
    beta_2: Rate = 0.99
    ema_decay: Rate | None = 0.999
    checkpoint_every: PositiveInt = 1

    def network(self, spec: "kg.ImageSpec") -> "kg.ProgressiveGAN":
        """A ``ProgressiveGAN``."""
        names = ("latent_dim", "width", "maps", "group", "restart", "order")
        return kg.ProgressiveGAN(
            spec,
            schedule={"start": self.start, "steady": self.steady, "fade": self.fade},
            penalty_target=self.target,
            **{name: getattr(self, name) for name in names},
            **self.model_options(),
        )

    def compile(self, model: Any, steps: int) -> None:
        """Refuses a run that ends before its networks have grown."""
        images, grown = steps * self.batch_size, model.schedule.grown
        if images <= grown:
            raise InvalidInput(
                f"The run shows {images:,} images, and its networks grow for {grown:,}; give more epochs, or smaller steady and "
                f"fade. The phases:\n{model.schedule.table(images)}"
            )
        super().compile(model, steps)

    def _optimizer(self, learning_rate: float, steps: int) -> Any:
        from keras_gen.training.adam import Adam

        if self.falling or self.optimizer == "rmsprop":
            return super()._optimizer(learning_rate, steps)
        return Adam(learning_rate, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=1e-8)


class ProGANMNIST(ProgressiveRecipe):
    """ProGAN on MNIST, padded to 32 px.

    Karras et al. 2018, appendix A.2's settings with at most 32 maps in place of 128 and 330,000 images in place of 20 million.
    No number is published on this data in this feature space. About 30 min on one CPU core.
    """

    cost = Cost(30)
    expected = Expected("fid10k", 8.1)

    data: str = "pad:mnist?size=32"
    epochs: PositiveInt = 6
    width: PositiveInt = 32
    maps: PositiveInt = 256


class ProGANCIFAR10(ProgressiveRecipe):
    """ProGAN on CIFAR-10, reduced.

    Karras et al. 2018, appendix A.2, with at most 64 maps (32 at 32 px) and 900,000 images in place of 20 million. About 2.5 h
    on one CPU core.
    """

    cost = Cost(150)
    published = (Published("fid_inception", 15.52, "quoted in later tables, protocol unknown; the paper has IS 8.80"),)

    data: str = "cifar10"
    epochs: PositiveInt = 20
    steady: PositiveInt = 40_000
    fade: PositiveInt = 40_000


class ProGANAnimeFaces(ProgressiveRecipe):
    """ProGAN on drawn faces (64x64), reduced.

    Karras et al. 2018 with the settings of its larger images: a slope of 1, deviation in groups of 4 (their later code). No
    number is published on this data. About 2 h on one CPU core.
    """

    cost = Cost(120)

    data: str = "anime_faces_64_subset"
    epochs: PositiveInt = 60
    width: PositiveInt = 64
    maps: PositiveInt = 512
    group: PositiveInt | None = 4
    target: PositiveFloat = 1.0
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 5


class ProGANCIFAR10Full(ProgressiveRecipe):
    """ProGAN on CIFAR-10, the paper's.

    Karras et al. 2018, appendix A.2 and the authors' Theano code: 128 maps everywhere, 20 million images, of which 2.4 million
    while it grows. Inception Score 8.80 at best, 8.56 in the mean of ten runs. About three days on a GPU; no CPU will do.
    """

    cost = Cost(3 * 24 * 60, "1 GPU")
    published = (
        Published("inception_score", 8.56, "Karras et al. 2018, table 3, mean of 10 runs (Inception, 50,000 samples)"),
        Published("fid_inception", 15.52, "quoted in later tables, protocol unknown"),
    )

    data: str = "cifar10"
    epochs: PositiveInt = 445
    steady: PositiveInt = 400_000
    fade: PositiveInt = 400_000
    width: PositiveInt = 128
    maps: PositiveInt = 4096
    checkpoint_every: PositiveInt = 5
    samples: SampleCount = 50_000
