"""Generative adversarial networks, with DCGAN's networks unless others are given."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.checks import number, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.core.replicas import step_noise
from keras_gen.losses.adversarial import Objective, checked_per_example, per_example
from keras_gen.losses.penalties import penalties_of, saved_penalty
from keras_gen.models.adversarial.adversarial_model import AdversarialModel, Batch
from keras_gen.models.adversarial.constraints import CONSTRAINTS, check_agreement, check_shapes
from keras_gen.models.adversarial.papers import PAPERS
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.dcgan import dcgan_discriminator, dcgan_generator

MIXING = -2  # the turn of `step_noise` that places points between reals and fakes; evaluation's is -1


@keras.saving.register_keras_serializable("keras_gen")
class GAN(AdversarialModel):
    """Goodfellow et al. 2014; with the default networks, DCGAN (Radford et al. 2015). ``GAN.named`` gives other papers'.

    Args:
        image_spec: the images; default networks need even sides.
        latent_dim: size of the standard normal noise ``z``.
        generator: Keras model ``[b, latent_dim] -> [b, h, w, c]`` in ``[-1, 1]``; default ``dcgan_generator``.
        discriminator: Keras model ``[b, h, w, c] -> [b, ...]`` logits (patch maps too), without a sigmoid; default
            ``dcgan_discriminator``, whose batch normalization is left out where a penalty or constraint stands in for it.
        objective: a name of ``losses.adversarial.OBJECTIVES`` (``"non_saturating"``, ``"minimax"``, ``"least_squares"``,
            ``"least_squares_chi2"``, ``"wasserstein"``, ``"hinge"``, ``"relativistic_average"``), a pair of functions
            ``(f(fake_logits), f(real_logits, fake_logits))`` of ``[b]`` each, or an ``Objective``.
        penalty: a name of ``losses.penalties.PENALTIES`` (``"gradient"``, ``"one_sided_gradient"``, ``"r1"``, ``"r2"``,
            ``"drift"``), a function of the critic's gradients ``[b, h, w, c]`` between reals and fakes that gives ``[b]``, a
            ``Penalty``, a list of these, or None.
        penalty_weight: None for the penalty's own; for a list of penalties a list.
        penalty_target: the slope that a gradient penalty asks for; None for its own, 1.
        constraint: on the discriminator: ``"clip"`` (every trainable weight, gains and biases too, after its every update),
            ``"spectral"`` (every kernel has spectral norm 1), or None.
        clip: the bound of ``constraint="clip"``; None for 0.01.
        width: maps of the default networks' layer next to the image.
        paper: whose optimizers are the default ones, a name of ``PAPERS``; ``GAN.named`` sets it.
        **kwargs: turns, order and average, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 100,
        *,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        objective: Any = "non_saturating",
        penalty: Any = None,
        penalty_weight: float | Sequence[float] | None = None,
        penalty_target: float | None = None,
        constraint: str | None = None,
        clip: float | None = None,
        width: int = 64,
        paper: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.latent_dim, self.width = sizes(latent_dim=latent_dim, width=width)
        self.objective = Objective.from_any(objective)
        self.penalties = penalties_of(penalty, penalty_weight, penalty_target)
        self._penalty_arguments = {
            "penalty": penalty,
            "penalty_weight": penalty_weight,
            "penalty_target": penalty_target,
        }
        if clip is not None and constraint != "clip":
            raise InvalidInput(f"clip={clip!r} with constraint={constraint!r}; a bound belongs to constraint='clip'.")
        self.constraint, self.clip = constraint, None if clip is None else number("clip", clip, 0.0, above=True)
        self._constraint = CONSTRAINTS.get("none" if constraint is None else constraint)
        self.paper = paper
        PAPERS.get(paper or "dcgan")
        self._make_networks(generator, discriminator)
        check_agreement(self.objective, self.penalties, constraint, self.discriminator, self.generator_batch)
        self.finish()

    def _make_networks(self, generator: keras.Model | None, discriminator: keras.Model | None) -> None:
        spec = self.image_spec
        plain = self.constraint == "spectral" or any(penalty.of_gradients for penalty in self.penalties)
        with dtype_policy(self.dtype_policy.name):
            generator = generator or dcgan_generator(spec, self.latent_dim, self.width)
            discriminator = discriminator or dcgan_discriminator(spec, self.width, normalized=not plain)
            check_shapes(generator, discriminator)
            self.generator = checked_network(generator, "generator", (self.latent_dim,), spec.shape)
            discriminator = checked_network(discriminator, "discriminator", spec.shape)
            self.discriminator = self._constraint.prepare(discriminator)

    @classmethod
    def named(
        cls, paper: str, image_spec: ImageSpec | Sequence[int], *, steps: int | None = None, **changes: Any
    ) -> "GAN":
        """The system of a paper, compiled with its optimizers: objective, penalty, constraint, turns, rates.

        Args:
            paper: ``"gan_2014"``, ``"dcgan"``, ``"lsgan"``, ``"wgan"``, ``"wgan_gp"`` or ``"sngan"``; see ``PAPERS``.
            image_spec: the images.
            steps: all the generator's steps to come, over which the paper's rates fall; None keeps them constant.
            **changes: arguments of ``GAN`` that differ from the paper's.
        """
        model = cls(image_spec, **{**PAPERS.get(paper).arguments, "paper": paper, **changes})
        model.compile(*model.default_optimizers(steps))
        return model

    def default_optimizers(
        self, steps: int | None = None
    ) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """The paper's for the generator's and the discriminator's side; ``steps`` are the generator's, for rates that fall."""
        if self.paper is None:
            return super().default_optimizers()
        return PAPERS.get(self.paper).optimizers(steps, self.critic_steps)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("latent_dim", "constraint", "clip", "width", "paper")
        return {
            **super().get_config(),
            **self.config_of(generator=self.generator, discriminator=self.discriminator),
            **{name: getattr(self, name) for name in names},
            **self._penalty_arguments,
            "penalty": saved_penalty(self._penalty_arguments["penalty"]),
            "objective": self.objective.saved(),
        }

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``."""
        return {"z": Normal((self.latent_dim,))}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged generator's image of ``z``: uint8 ``[n, h, w, c]``."""
        return self.image_spec.from_unit(self.averaged(self.generator)(noise["z"], training=False))

    # On noise, not on images: Keras' own.
    predict, predict_on_batch = keras.Model.predict, keras.Model.predict_on_batch
    predict_step = keras.Model.predict_step

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """``gan(z)`` and ``gan.predict(z)``: the generator's images ``[n, h, w, c]`` in ``[-1, 1]`` of ``z`` ``[n, latent_dim]``.

        They are those of ``sample`` before rounding to levels, so of the averaged generator where one is kept; with
        ``training=True`` of the generator itself. A dict with ``"z"`` does as well.
        """
        z = inputs["z"] if isinstance(inputs, Mapping) and set(inputs) == {"z"} else inputs
        if isinstance(z, Mapping) or len(z.shape) != 2 or z.shape[1] != self.latent_dim:
            found = f"a dict of {sorted(z)}" if isinstance(z, Mapping) else f"shape {list(z.shape)}"
            raise InvalidInput(f"{type(self).__name__} got {found}; wanted noise z [n, {self.latent_dim}].")
        return (self.generator if training else self.averaged(self.generator))(z, training=training)

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """``G(z)``, ``[b, h, w, c]`` in ``[-1, 1]``."""
        return self.generator(noise["z"], training=training)

    def logits(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """The discriminator's verdict on images ``[b, h, w, c]`` in ``[-1, 1]``: float32 ``[b, ...]``."""
        return tf.cast(self.discriminator(images, training=training), tf.float32)

    def discriminator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on a batch of reals and a batch of fakes, each normalized apart, and in training the penalties'."""
        reals = self.image_spec.to_unit(batch["image"])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch((reals, fakes))
            real_logits, fake_logits = self.logits(reals, training), self.logits(fakes, training)
            real_sums, fake_sums = per_example(real_logits), per_example(fake_logits)
        loss = self.objective.discriminator_loss
        paid = checked_per_example(loss(real_logits, fake_logits), loss)
        seen = {
            "real_logits": lambda: real_logits,
            "reals": lambda: tape.gradient(real_sums, reals),
            "fakes": lambda: tape.gradient(fake_sums, fakes),
            "between": lambda: self._slope_between(reals, fakes, training),
        }
        places = {penalty.at for penalty in self.penalties} if training else ()
        values = {place: seen[place]() for place in places}
        return paid + sum(penalty(values[penalty.at]) for penalty in self.penalties if training)

    def generator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on the fakes, beside the reals where it compares them: ``[b]``."""
        logits = self.logits(fakes, training)
        loss, reals = self.objective.generator_loss, ()
        if self.objective.needs_reals:
            reals = (self.logits(self.image_spec.to_unit(batch["image"]), training),)
        return checked_per_example(loss(logits, *reals), loss)

    def after_discriminator_update(self) -> None:
        """Clips, where that is the constraint."""
        self._constraint.after_update(self.discriminator_side, self.clip or 0.01)

    def _slope_between(self, reals: tf.Tensor, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The critic's gradient at one random point between each real and its fake (Gulrajani et al. 2017): ``[b, h, w, c]``."""
        size = reals.shape[0] or tf.shape(reals)[0]
        mixing = {"mixing": Uniform((1, 1, 1))}
        share = step_noise(mixing, size, self.seed, self.discriminator_optimizer.iterations, MIXING)["mixing"]
        points = reals + share * (fakes - reals)
        # A look that leaves no trace in moving statistics or counters.
        with tf.GradientTape() as tape, keras.StatelessScope():
            tape.watch(points)
            verdicts = per_example(self.logits(points, training))
        return tape.gradient(verdicts, points)
