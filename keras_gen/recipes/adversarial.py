"""What the recipes of two-player models share."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

import keras_gen as kg
from keras_gen.recipes.recipe import Augmentation, PositiveFloat, PositiveInt, Rate, Recipe

BEST = "best.keras"  # in the run folder


class AdversarialRecipe(Recipe):
    """An optimizer a player. The defaults are DCGAN's: Adam, 2e-4, beta1 0.5 (Radford et al. 2015, section 4)."""

    family = "adversarial"

    learning_rate: PositiveFloat = 2e-4
    # None: the generator's.
    discriminator_learning_rate: PositiveFloat | None = None
    # "paper": those of ``papers.PAPERS``, rates and all.
    optimizer: Literal["adam", "rmsprop", "paper"] = "adam"
    # Adam's.
    beta_1: Rate = 0.5
    beta_2: Rate = 0.999
    # In a straight line to 0 over the whole run.
    falling: bool = False
    # Discriminator turns a step.
    critic_steps: PositiveInt = 1
    # Of the generator's moving average, which samples are drawn with; None keeps none.
    ema_decay: Rate | None = None
    # Epochs from one FID on validation images to the next, the best model so far kept as ``best.keras``; None: neither.
    fid_every: PositiveInt | None = None
    # The model that the run ends with: of the last epoch, or the best by that FID.
    keep: Literal["last", "best"] = "last"

    @pydantic.model_validator(mode="after")
    def _best_by_something(self) -> "AdversarialRecipe":
        if self.keep == "best" and self.fid_every is None:
            raise ValueError("keep=best wants fid_every, the epochs from one FID to the next")
        return self

    def callbacks(self, folder: Path, training: Any, validation: Any, first_epoch: int) -> list[Any]:
        """``Diversity``, and ``FeatureFID`` where it is asked for."""
        from keras_gen.training.diversity import Diversity
        from keras_gen.training.feature_fid import FeatureFID
        from keras_gen.training.history import best_of, read_history

        watching: list[Any] = [Diversity(training, seed=self.seed)]
        if self.fid_every is not None:
            fid = FeatureFID(validation, self.fid_every, seed=self.seed, keep=folder / BEST)
            fid.best = best_of(read_history(folder / "history.jsonl"), fid.metric, first_epoch)
            watching.append(fid)
        return watching

    def final_model(self, model: Any, folder: Path) -> Any:
        """The last, or ``best.keras``."""
        if self.keep == "last":
            return model
        from keras_gen.training.checkpoints import load_checked

        return load_checked(folder / BEST, like=model)

    def model_options(self) -> dict[str, Any]:
        """Arguments that every two-player model takes."""
        names = ("critic_steps", "ema_decay", "dtype", "seed")
        return {name: getattr(self, name) for name in names}

    def compile(self, model: Any, steps: int) -> None:
        """An optimizer for the generator's side and one for the discriminator's; ``steps`` counts batches, one a turn."""
        turns = (max(1, steps // self.critic_steps), steps)
        if self.optimizer == "paper":
            model.compile(*model.default_optimizers(turns[0] if self.falling else None))
            return
        rates = (self.learning_rate, self.discriminator_learning_rate or self.learning_rate)
        model.compile(*map(self._optimizer, rates, turns))

    def _optimizer(self, learning_rate: float, steps: int) -> Any:
        import keras

        from keras_gen.training.linear_decay import LinearDecay

        rate = LinearDecay(learning_rate, steps) if self.falling else learning_rate
        if self.optimizer == "rmsprop":
            return keras.optimizers.RMSprop(rate)
        return keras.optimizers.Adam(rate, beta_1=self.beta_1, beta_2=self.beta_2)


class GANRecipe(AdversarialRecipe):
    """A ``GAN``: DCGAN's networks and loss. What differs in another paper is another default, no more."""

    batch_size: PositiveInt = 64
    latent_dim: PositiveInt = 100
    noise: Literal["normal", "uniform"] = "normal"
    # ``networks.gan_pairs.PAIRS``, which would load Keras here.
    networks: Literal["dcgan", "maxout", "wgan_gp_resnet", "sngan_resnet"] = "dcgan"
    # Maps of the layer next to the image.
    width: PositiveInt = 32
    # None: as wide.
    generator_width: PositiveInt | None = None
    objective: str = "non_saturating"
    penalty: Literal["gradient", "one_sided_gradient", "r1", "r2", "drift"] | None = None
    # None: the penalty's own.
    penalty_weight: PositiveFloat | None = None
    constraint: Literal["clip", "spectral"] | None = None
    # Turns of the critic before each of the generator's first 25 steps and every 500th; None: as at all others.
    long_turns: PositiveInt | None = None
    order: Literal["discriminator_first", "simultaneous", "generator_first"] = "discriminator_first"
    # Fakes that the generator is paid for, for each of the discriminator's.
    generator_batch: PositiveInt = 1
    # None: no labels.
    classes: PositiveInt | None = None
    conditioning: Literal["concatenation", "projection", "auxiliary"] | None = None
    # The score by Parzen windows in the report too.
    parzen: bool = False
    # A name of ``papers.PAPERS``, whose optimizers ``optimizer=paper`` takes.
    paper: ClassVar[str] = "dcgan"

    @pydantic.field_validator("objective")
    @classmethod
    def _registered(cls, name: str) -> str:
        """Asks the registry, and so loads Keras, for other objectives than the recipe's own alone."""
        if name != cls.model_fields["objective"].default:
            from keras_gen.losses.adversarial import OBJECTIVES

            OBJECTIVES.get(name)
        return name

    def model_options(self) -> dict[str, Any]:
        """Arguments of ``GAN``."""
        names = (
            "latent_dim",
            "noise",
            "networks",
            "width",
            "generator_width",
            "objective",
            "penalty",
            "penalty_weight",
        )
        names += ("constraint", "order", "generator_batch", "classes", "conditioning")
        long = self.long_turns and {"steps": self.long_turns, "first": 25, "every": 500}
        own = {name: getattr(self, name) for name in names}
        return {**super().model_options(), **own, "critic_schedule": long, "paper": self.paper}

    @property
    def evaluation(self) -> dict[str, Any]:
        """Samples, and Parzen windows where they are asked for."""
        return {**super().evaluation, **({"parzen": True} if self.parzen else {})}

    def network(self, spec: "kg.ImageSpec") -> "kg.GAN":
        """A ``GAN``."""
        return kg.GAN(spec, **self.model_options())


class MNISTGANRecipe(GANRecipe):
    """What the GANs on MNIST share, so that their results compare: networks, noise, batch, average, and about six minutes."""

    data: str = "mnist"
    epochs: PositiveInt = 14
    ema_decay: Rate | None = 0.999
    checkpoint_every: PositiveInt = 5


class CIFAR10GANRecipe(GANRecipe):
    """What the reduced GANs on CIFAR-10 share."""

    data: str = "cifar10"
    epochs: PositiveInt = 20
    width: PositiveInt = 48
    ema_decay: Rate | None = 0.999
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 5
