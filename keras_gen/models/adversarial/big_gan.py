"""BigGAN: a large class-conditional GAN whose samples trade variety for quality."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, number
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input, Labels, Truncation
from keras_gen.core.noise import NoiseStream
from keras_gen.core.registry import Registry
from keras_gen.layers.truncation import truncated_normal
from keras_gen.models.adversarial.gan import GAN
from keras_gen.models.adversarial.papers import BIG_PAPERS
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.big_gan import big_gan_discriminator, big_gan_generator, noise_of
from keras_gen.training.adam import Adam
from keras_gen.training.standing_statistics import take_standing_statistics

# What ``GAN`` takes and ``BigGAN`` decides.
DECIDED = ("noise", "networks", "conditioning", "class_weights", "constraint", "clip")


@keras.saving.register_keras_serializable("keras_gen")
class BigGAN(GAN):
    """Brock et al. 2019: SNGAN's objective and blocks, larger, with one embedding of the classes and a chunk of noise in every
    block, attention, orthogonal regularization and an average of the weights. The defaults are the paper's at 128 px.

    ``sample(n, truncation=0.5, label=3)`` draws noise of which no number is larger: less variety for better images.
    ``BigGAN.named("biggan_cifar10_studiogan", spec, classes=10)`` gives published settings; the others are ``"biggan_cifar10"``,
    the authors' script, and ``"biggan_imagenet128"``. Images are square, of a side in ``networks.big_gan.PLANS``: 8, 16, 28, 32,
    64, 128 or 256 px.

    Args:
        image_spec: the images.
        classes: how many; ``fit`` wants labels.
        latent_dim: size of the noise ``z``; None for 20 a chunk, which is 120 at 128 px.
        width: the unit of both networks' numbers of maps.
        generator_width: the generator's, where it is another.
        shared_embedding: size of the vector of a class that all batch normalizations of the generator share; None: each has an
            embedding of its own.
        split_noise: each block has a chunk of ``z`` of its own beside the class.
        attention: sides of maps that attention stands behind, in the generator and, unless it has others, in the
            discriminator; ``()`` for none, None for the paper's.
        discriminator_attention: the discriminator's.
        initializer: ``"orthogonal"``, or ``"normal"`` of standard deviation 0.02.
        orthogonal_weight: of ``losses.orthogonality`` on the generator's kernels, all but the shared embedding. The default is
            the paper's; the authors' scripts have 0, whose truncated samples may saturate.
        objective, penalty, penalty_weight, penalty_target: as in ``GAN``.
        critic_steps, ema_decay, ema_start: as in ``AdversarialModel``.
        generator, discriminator: networks of your own in place of these: of ``z`` ``[b, latent_dim]`` and ``label`` ``[b]``, and
            of an image and ``label``; nothing is normalized for you.
        paper: whose optimizers are the default ones; ``named`` sets it. None: Adam, 5e-5 and 2e-4, betas 0 and 0.999.
        **kwargs: order and turns, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    papers: ClassVar[Registry] = BIG_PAPERS
    averages_buffers = True

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        classes: int,
        latent_dim: int | None = None,
        *,
        width: int = 96,
        generator_width: int | None = None,
        shared_embedding: int | None = 128,
        split_noise: bool = True,
        attention: Sequence[int] | None = None,
        discriminator_attention: Sequence[int] | None = None,
        initializer: str = "orthogonal",
        orthogonal_weight: float = 1e-4,
        objective: Any = "hinge",
        penalty: Any = None,
        penalty_weight: float | Sequence[float] | None = None,
        penalty_target: float | None = None,
        critic_steps: int = 2,
        ema_decay: float | None = 0.9999,
        ema_start: int = 20_000,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        paper: str | None = None,
        **kwargs: Any,
    ):
        image_spec, classes = ImageSpec.from_any(image_spec), integer("classes", classes, 1)
        latent_dim = noise_of(image_spec) if latent_dim is None else integer("latent_dim", latent_dim, 1)
        architecture = {
            "shared_embedding": shared_embedding,
            "split_noise": bool(split_noise),
            "attention": attention,
            "initializer": initializer,
            "orthogonal_weight": number("orthogonal_weight", orthogonal_weight, 0.0),
        }
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype") or keras.config.dtype_policy()).name):
            if generator is None:
                generator = big_gan_generator(image_spec, latent_dim, generator_width or width, classes, **architecture)
            if discriminator is None:
                sides = attention if discriminator_attention is None else discriminator_attention
                discriminator = big_gan_discriminator(
                    image_spec, width, classes, attention=sides, initializer=initializer
                )
        super().__init__(
            image_spec,
            latent_dim,
            generator=generator,
            discriminator=discriminator,
            classes=classes,
            conditioning="projection",
            objective=objective,
            penalty=penalty,
            penalty_weight=penalty_weight,
            penalty_target=penalty_target,
            width=width,
            generator_width=generator_width,
            critic_steps=critic_steps,
            ema_decay=ema_decay,
            ema_start=0 if ema_decay is None else ema_start,
            paper=paper,
            **kwargs,
        )
        self._architecture = {**architecture, "discriminator_attention": discriminator_attention}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        shared = {name: value for name, value in super().get_config().items() if name not in DECIDED}
        return {**shared, **self._architecture}

    def default_optimizers(
        self, steps: int | None = None
    ) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """The paper's: Adam, 5e-5 for the generator and 2e-4 for the discriminator, betas 0 and 0.999 (appendix C)."""
        if self.paper is not None:
            return super().default_optimizers(steps)
        return Adam(5e-5, beta_1=0.0), Adam(2e-4, beta_1=0.0)

    def condition_spec(self) -> Mapping[str, Input]:
        """``label`` and ``truncation``, which left out is none."""
        return {"label": Labels(self.classes), "truncation": Truncation()}

    def generator_inputs(self, given: Mapping[str, Any]) -> Any:
        """Noise and labels, the noise within ``truncation`` where it is given."""
        given = {name: tf.convert_to_tensor(value) for name, value in given.items()}
        if "truncation" in given:
            given["z"] = truncated_normal(given["z"], given["truncation"][:, None])
        return super().generator_inputs(given)

    def standing_statistics(
        self, truncation: float = Truncation.default, *, batches: int = 16, batch_size: int = 64, seed: int = 0
    ) -> None:
        """Sets the statistics of the generator that samples to those of many batches, as Brock et al. 2019 sample.

        In place of the moving ones of training: the means of the means and variances of ``batches`` batches of fakes of random
        classes, at the truncation that images will be drawn with. ``sample``, saved files and exports then have them; training
        goes on from them, and they are to be taken again after it.

        Args:
            truncation: of the fakes, as in ``sample``.
            batches: how many; the authors' code takes 16, the paper 100.
            batch_size: of each.
            seed: of noise and labels.
        """
        batches, batch_size = integer("batches", batches, 1), integer("batch_size", batch_size, 2)
        bound = self.checked_conditions({"truncation": truncation}, batch_size)["truncation"]
        self.check_sampling()
        take_standing_statistics(self.averaged(self.generator), self._fakes_inputs(bound, batches, seed))

    def _fakes_inputs(self, bound: np.ndarray, batches: int, seed: int) -> Iterator[Any]:
        """What the generator takes, batch by batch."""
        stream = NoiseStream(self.step_spec(), seed)
        for _ in range(batches):
            yield self.generator_inputs({**stream.take(len(bound)), "truncation": bound})
