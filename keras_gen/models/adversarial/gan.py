"""Generative adversarial networks, with DCGAN's networks unless others are given."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, Normal
from keras_gen.losses.adversarial import OBJECTIVES
from keras_gen.models.adversarial.adversarial_model import AdversarialModel, Batch
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.dcgan import dcgan_discriminator, dcgan_generator


@keras.saving.register_keras_serializable("keras_gen")
class GAN(AdversarialModel):
    """Goodfellow et al. 2014; with the default networks, DCGAN (Radford et al. 2015).

    Args:
        image_spec: the images; default networks need even sides.
        latent_dim: size of the standard normal noise ``z``.
        generator: Keras model ``[b, latent_dim] -> [b, h, w, c]`` in ``[-1, 1]``; default ``dcgan_generator``.
        discriminator: Keras model ``[b, h, w, c] -> [b, ...]`` logits (patch maps too); default ``dcgan_discriminator``.
        objective: ``"non_saturating"`` or ``"minimax"``.
        critic_steps: discriminator turns a step, each on fresh data.
        ema_decay: decay of the generator's moving average that ``sample`` and ``export`` then use; None keeps none.
        width: maps of the default networks' layer next to the image.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 100,
        *,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        objective: str = "non_saturating",
        width: int = 64,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        if not isinstance(latent_dim, int) or latent_dim < 1:
            raise InvalidInput(f"latent_dim={latent_dim!r}; give an integer of at least 1.")
        self.latent_dim = latent_dim
        self.objective = OBJECTIVES.get(objective)
        self.width = width
        spec = self.image_spec
        with dtype_policy(self.dtype_policy.name):
            self.generator = checked_network(
                generator or dcgan_generator(spec, latent_dim, width), "generator", (latent_dim,), spec.shape
            )
            self.discriminator = checked_network(
                discriminator or dcgan_discriminator(spec, width), "discriminator", spec.shape
            )
        self.finish()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            **self.config_of(generator=self.generator, discriminator=self.discriminator),
            "latent_dim": self.latent_dim,
            "objective": self.objective.name,
            "critic_steps": self.critic_steps,
            "ema_decay": self.ema_decay,
            "width": self.width,
        }

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``."""
        return {"z": Normal((self.latent_dim,))}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged generator's image of ``z``: uint8 ``[n, h, w, c]``."""
        return self.image_spec.from_unit(self.averaged(self.generator)(noise["z"], training=False))

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """``G(z)``, ``[b, h, w, c]`` in ``[-1, 1]``."""
        return self.generator(noise["z"], training=training)

    def discriminator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on a batch of reals and a batch of fakes, each normalized apart: ``[b]``."""
        reals = self.image_spec.to_unit(batch["image"])
        real_logits = self.discriminator(reals, training=training)
        return self.objective.discriminator_loss(real_logits, self.discriminator(fakes, training=training))

    def generator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on the fakes: ``[b]``."""
        return self.objective.generator_loss(self.discriminator(fakes, training=training))
