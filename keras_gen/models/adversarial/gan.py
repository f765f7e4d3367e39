"""Generative adversarial networks, class-conditional where asked, with DCGAN's networks unless others are given."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_gen.core.checks import integer, number, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input, Labels
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.core.registry import Registry
from keras_gen.core.replicas import step_noise
from keras_gen.losses.adversarial import Objective, checked_per_example, class_loss, per_example
from keras_gen.losses.penalties import penalties_of, saved_penalty
from keras_gen.models.adversarial.adversarial_model import AdversarialModel, Batch
from keras_gen.models.adversarial.conditional_networks import (
    checked_conditional_discriminator,
    checked_conditional_generator,
)
from keras_gen.models.adversarial.constraints import CONSTRAINTS, check_agreement, check_shapes
from keras_gen.models.adversarial.papers import PAPERS
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.class_conditioning import checked_conditioning
from keras_gen.networks.gan_pairs import PAIRS

MIXING = -2  # the turn of `step_noise` that places points between reals and fakes; evaluation's is -1
NOISES = {"normal": Normal, "uniform": Uniform}
CLASS_WEIGHTS = (1.0, 0.1)  # Gulrajani et al. 2017's code


@keras.saving.register_keras_serializable("keras_gen")
class GAN(AdversarialModel):
    """Goodfellow et al. 2014; with the default networks, DCGAN (Radford et al. 2015). ``GAN.named`` gives other papers'.

    Args:
        image_spec: the images; default networks need even sides.
        latent_dim: size of the noise ``z``.
        noise: of the generator's input: ``"normal"``, or ``"uniform"`` on ``[-sqrt(3), sqrt(3)]``; either has variance 1.
            (``noise_spec`` has uniform noise in ``[0, 1)``, as everywhere; ``generate`` stretches it.)
        generator: Keras model ``[b, latent_dim] -> [b, h, w, c]`` in ``[-1, 1]``; with ``classes`` of two inputs, ``z`` and
            ``label`` (integers ``[b]``).
        discriminator: Keras model ``[b, h, w, c] -> [b, ...]`` logits (patch maps too), without a sigmoid; with ``classes`` of
            two inputs, image and ``label``, or of two outputs, logits and ``[b, classes]``, if ``conditioning="auxiliary"``.
        networks: those of neither given, a name of ``networks.gan_pairs.PAIRS``: ``"dcgan"``, whose discriminator has no batch
            normalization where a penalty or constraint stands in for it, ``"maxout"`` (2014), ``"wgan_gp_resnet"`` or
            ``"sngan_resnet"``.
        classes: how many, for a class-conditional GAN; ``fit`` then wants labels, and ``sample`` takes ``label``. A step draws
            the labels of its fakes uniformly.
        conditioning: where labels enter the networks: ``"concatenation"`` (Mirza and Osindero 2014; the default),
            ``"projection"`` (Miyato and Koyama 2018) or ``"auxiliary"``, a classifier beside the verdict (Odena et al. 2017);
            ``networks/class_conditioning.py`` says how.
        class_weights: what the classifier's cross-entropy counts: of reals in the discriminator's loss, and of fakes in the
            generator's; None for (1, 0.1) (Gulrajani et al. 2017).
        objective: a name of ``losses.adversarial.OBJECTIVES`` (``"non_saturating"``, ``"minimax"``, ``"least_squares"``,
            ``"least_squares_chi2"``, ``"wasserstein"``, ``"hinge"``, ``"relativistic_average"``), a pair of functions
            ``(f(fake_logits), f(real_logits, fake_logits))`` of ``[b]`` each, or an ``Objective``. It says what logs show: the
            discriminator's ``accuracy_on_reals`` and ``accuracy_on_fakes`` where a logit decides, ``wasserstein_estimate``
            where the critic's means are what is played for.
        penalty: a name of ``losses.penalties.PENALTIES`` (``"gradient"``, ``"one_sided_gradient"``, ``"r1"``, ``"r2"``,
            ``"drift"``), a function of the critic's gradients ``[b, h, w, c]`` between reals and fakes that gives ``[b]``, a
            ``Penalty``, a list of these, or None.
        penalty_weight: None for the penalty's own; for a list of penalties a list.
        penalty_target: the slope that a gradient penalty asks for; None for its own, 1.
        constraint: on the discriminator: ``"clip"`` (every trainable weight, gains and biases too, after its every update),
            ``"spectral"`` (every kernel has spectral norm 1), or None.
        clip: the bound of ``constraint="clip"``; None for 0.01.
        width: of the default networks: maps of the layer next to the image, all maps of a residual network, or maxout units.
        generator_width: the generator's, where it is another.
        paper: whose optimizers are the default ones, a name of ``PAPERS``; ``GAN.named`` sets it.
        **kwargs: turns, order and average, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    # Those whose settings ``named`` and ``paper`` know.
    papers: ClassVar[Registry] = PAPERS

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 100,
        *,
        noise: str = "normal",
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        networks: str = "dcgan",
        classes: int | None = None,
        conditioning: str | None = None,
        class_weights: Sequence[float] | None = None,
        objective: Any = "non_saturating",
        penalty: Any = None,
        penalty_weight: float | Sequence[float] | None = None,
        penalty_target: float | None = None,
        constraint: str | None = None,
        clip: float | None = None,
        width: int = 64,
        generator_width: int | None = None,
        paper: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.latent_dim, self.width = sizes(latent_dim=latent_dim, width=width)
        self.generator_width = None if generator_width is None else integer("generator_width", generator_width, 1)
        self.networks, self._pair = networks, PAIRS.get(networks)
        if noise not in NOISES:
            raise InvalidInput(f"noise={noise!r}; give one of {', '.join(NOISES)}.")
        self.noise = noise
        self.classes = None if classes is None else integer("classes", classes, 1)
        self.conditioning = checked_conditioning(self.classes, conditioning)
        self.class_weights = self._checked_class_weights(class_weights)
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
        if paper is not None:
            self.papers.get(paper)
        self._make_networks(generator, discriminator)
        check_agreement(self.objective, self.penalties, constraint, self.discriminator, self.generator_batch)
        self.track_verdicts(self.objective)
        self.track(*(("penalty",) if self.penalties else ()), training_alone=True)
        self.finish()

    def _checked_class_weights(self, weights: Sequence[float] | None) -> list[float] | None:
        if weights is None:
            return None
        if self.conditioning != "auxiliary":
            raise InvalidInput(
                f"class_weights={weights!r} with conditioning={self.conditioning!r}; they belong to conditioning='auxiliary'."
            )
        if not isinstance(weights, (list, tuple)) or len(weights) != 2:
            raise InvalidInput(f"class_weights={weights!r}; give two numbers, the discriminator's and the generator's.")
        return [number("class_weights", weight, 0.0) for weight in weights]

    def _make_networks(self, generator: keras.Model | None, discriminator: keras.Model | None) -> None:
        spec, pair = self.image_spec, self._pair
        plain = self.constraint == "spectral" or any(penalty.of_gradients for penalty in self.penalties)
        labels = {"classes": self.classes, "conditioning": self.conditioning}
        with dtype_policy(self.dtype_policy.name):
            if generator is None:
                generator = pair.generator(spec, self.latent_dim, self.generator_width or self.width, **labels)
            if discriminator is None:
                make = pair.plain_discriminator if plain and pair.plain_discriminator else pair.discriminator
                discriminator = make(spec, self.width, **labels)
            check_shapes(generator, discriminator)
            if self.classes is None:
                generator = checked_network(generator, "generator", (self.latent_dim,), spec.shape)
                discriminator = checked_network(discriminator, "discriminator", spec.shape)
            else:
                generator = checked_conditional_generator(generator, spec, self.latent_dim)
                discriminator = checked_conditional_discriminator(discriminator, spec, **labels)
            self.generator = generator
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
            **changes: arguments of ``GAN`` that differ from the paper's; ``width`` is then both networks'.
        """
        arguments = dict(cls.papers.get(paper).arguments)
        if "width" in changes:
            arguments.pop("generator_width", None)
        model = cls(image_spec, **{**arguments, "paper": paper, **changes})
        model.compile(*model.default_optimizers(steps))
        return model

    def default_optimizers(
        self, steps: int | None = None
    ) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """The paper's for the generator's and the discriminator's side; ``steps`` are the generator's, for rates that fall."""
        if self.paper is None:
            return super().default_optimizers()
        return self.papers.get(self.paper).optimizers(steps, self.critic_steps)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("latent_dim", "noise", "networks", "classes", "conditioning", "class_weights", "constraint", "clip")
        names += ("width", "generator_width", "paper")
        return {
            **super().get_config(),
            **self.config_of(generator=self.generator, discriminator=self.discriminator),
            **{name: getattr(self, name) for name in names},
            **self._penalty_arguments,
            "penalty": saved_penalty(self._penalty_arguments["penalty"]),
            "objective": self.objective.saved(),
        }

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``, or ``Uniform``."""
        return {"z": NOISES[self.noise]((self.latent_dim,))}

    def condition_spec(self) -> Mapping[str, Input]:
        """``{"label": Labels(classes)}`` for class-conditional GANs."""
        return {} if self.classes is None else {"label": Labels(self.classes)}

    def label_spec(self) -> Mapping[str, Input]:
        """Of the conditions those that each image of the data has, which fakes are drawn: ``label``."""
        return {name: kind for name, kind in self.condition_spec().items() if kind.of_data}

    def step_spec(self) -> Mapping[str, Input]:
        """The noise, and labels for the fakes."""
        return {**self.noise_spec(), **self.label_spec()}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged generator's image of ``z`` (and of ``label``): uint8 ``[n, h, w, c]``."""
        given = {**(conditions or {}), **noise}
        return self.image_spec.from_unit(self.unit_images(self.averaged(self.generator), given, training=False))

    def unit_images(self, network: keras.Model, given: Mapping[str, Any], training: bool) -> tf.Tensor:
        """What a generator makes of noise (and labels): ``[n, h, w, c]``, about in ``[-1, 1]``."""
        return network(self.generator_inputs(given), training=training)

    # On noise, not on images: Keras' own.
    predict, predict_on_batch = keras.Model.predict, keras.Model.predict_on_batch
    predict_step = keras.Model.predict_step

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """``gan(z)`` and ``gan.predict(z)``: the generator's images ``[n, h, w, c]`` in ``[-1, 1]`` of ``z`` ``[n, latent_dim]``.

        With classes ``gan([z, label])``, or a dict of both; what else ``sample`` takes may follow. ``z`` is as ``noise_spec`` has
        it. The images are those of ``sample`` before rounding to levels, so of the averaged generator where one is kept; with
        ``training=True`` of the generator itself.
        """
        names = ("z", *self.label_spec())
        several = isinstance(inputs, (list, tuple))
        known = dict.fromkeys((*names, *self.condition_spec()))
        given = inputs if isinstance(inputs, Mapping) else dict(zip(known, inputs if several else [inputs]))
        z = given.get("z")
        if not set(names) <= set(given) <= set(known) or len(z.shape) != 2 or z.shape[1] != self.latent_dim:
            found = f"shape {list(z.shape)}" if set(given) == {"z"} else f"a dict of {sorted(given)}"
            also = "".join(f" and {name} [n]" for name in names[1:])
            raise InvalidInput(f"{type(self).__name__} got {found}; wanted noise z [n, {self.latent_dim}]{also}.")
        network = self.generator if training else self.averaged(self.generator)
        return self.unit_images(network, given, training)

    def generator_inputs(self, given: Mapping[str, Any]) -> Any:
        """What the generator takes, of noise as ``noise_spec`` has it and, with classes, of labels."""
        z = given["z"] if self.noise == "normal" else (2.0 * given["z"] - 1.0) * 3.0**0.5
        return z if self.classes is None else [z, given["label"]]

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """A batch as the reals are one: ``"image"`` is ``G(z)``, ``[b, h, w, c]`` in ``[-1, 1]``; with classes ``"label"``."""
        labels = {name: noise[name] for name in self.label_spec()}
        return {"image": self.generator(self.generator_inputs(noise), training=training), **labels}

    def logits(self, images: tf.Tensor, training: bool, labels: tf.Tensor | None = None) -> tf.Tensor:
        """The discriminator's verdict on images ``[b, h, w, c]`` in ``[-1, 1]`` (of ``labels``): float32 ``[b, ...]``."""
        return self._verdict({"image": images, "label": labels}, training)[0]

    def _verdict(self, batch: Batch, training: bool) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Logits of images in ``[-1, 1]`` and, of an auxiliary classifier, those of the classes."""
        takes_labels = self.classes is not None and self.conditioning != "auxiliary"
        given = [batch["image"], batch["label"]] if takes_labels else batch["image"]
        found = self.discriminator(given, training=training)
        logits, class_logits = found if self.conditioning == "auxiliary" else (found, None)
        return tf.cast(logits, tf.float32), class_logits

    def _reals(self, batch: Batch) -> dict[str, tf.Tensor]:
        labels = {name: batch[name] for name in self.label_spec()}
        return {"image": self.image_spec.to_unit(batch["image"]), **labels}

    def _class_loss(self, player: int, batch: Batch, class_logits: tf.Tensor | None) -> tf.Tensor | float:
        """What the auxiliary classifier adds to a player's loss, ``[b]``; 0 where there is none."""
        if class_logits is None:
            return 0.0
        return (self.class_weights or CLASS_WEIGHTS)[player] * class_loss(class_logits, batch["label"])

    def discriminator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """The objective's, on a batch of reals and a batch of fakes, each normalized apart, the auxiliary classifier's on the
        reals, and in training the penalties'.
        """
        reals = self._reals(batch)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch((reals["image"], fakes["image"]))
            real_logits, class_logits = self._verdict(reals, training)
            fake_logits, _ = self._verdict(fakes, training)
            real_sums, fake_sums = per_example(real_logits), per_example(fake_logits)
        loss = self.objective.discriminator_loss
        paid = checked_per_example(loss(real_logits, fake_logits), loss) + self._class_loss(0, reals, class_logits)
        seen = {
            "real_logits": lambda: real_logits,
            "reals": lambda: tape.gradient(real_sums, reals["image"]),
            "fakes": lambda: tape.gradient(fake_sums, fakes["image"]),
            "between": lambda: self._slope_between(reals, fakes, training),
        }
        self.watch_verdicts(self.objective, real_logits, fake_logits)
        if not training or not self.penalties:
            return paid
        values = {place: seen[place]() for place in {penalty.at for penalty in self.penalties}}
        penalties = sum(penalty(values[penalty.at]) for penalty in self.penalties)
        self.observe("penalty", penalties)
        return paid + penalties

    def generator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """The objective's, on the fakes, beside the reals where it compares them, and the auxiliary classifier's: ``[b]``."""
        logits, class_logits = self._verdict(fakes, training)
        loss, reals = self.objective.generator_loss, ()
        if self.objective.needs_reals:
            reals = (self._verdict(self._reals(batch), training)[0],)
        return checked_per_example(loss(logits, *reals), loss) + self._class_loss(1, fakes, class_logits)

    def after_discriminator_update(self) -> None:
        """Clips, where that is the constraint."""
        self._constraint.after_update(self.discriminator_side, self.clip or 0.01)

    def _slope_between(self, reals: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """The critic's gradient at one random point between each real and its fake (Gulrajani et al. 2017): ``[b, h, w, c]``.

        With classes it is of the real's label, whatever the fake's: the point lies between two classes.
        """
        size = reals["image"].shape[0] or tf.shape(reals["image"])[0]
        mixing = {"mixing": Uniform((1, 1, 1))}
        share = step_noise(mixing, size, self.seed, self.turns_behind(), MIXING)["mixing"]
        points = reals["image"] + share * (fakes["image"] - reals["image"])
        # A look that leaves no trace in moving statistics or counters.
        with tf.GradientTape() as tape, keras.StatelessScope():
            tape.watch(points)
            verdicts = per_example(self._verdict({**reals, "image": points}, training)[0])
        return tape.gradient(verdicts, points)

    # --- the mean image ---------------------------------------------------------------------------------------------

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """See ``GenerativeModel``. A ``PixelBias`` of the generator starts at the mean of the images before the first step."""
        if not self.compiled:
            self.compile()
        if not int(self.discriminator_optimizer.iterations.numpy()):
            self.start_at_mean((self.generator, *self.averages), x, y)
        return super().fit(x, y, *args, **kwargs)
