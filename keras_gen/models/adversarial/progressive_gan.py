"""ProGAN: a GAN that begins with 4x4 images and doubles them as it learns (Karras et al. 2018)."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.replicas import replica_count
from keras_gen.models.adversarial.adversarial_model import Batch
from keras_gen.models.adversarial.gan import GAN
from keras_gen.models.adversarial.growth import GrowthSchedule, Place
from keras_gen.models.adversarial.turns import CompiledPhases
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.growing import GrowingDiscriminator, GrowingGenerator, doubled, halved
from keras_gen.training.adam import Adam

log = logging.getLogger(__name__)
ONE_REPLICA = "only_first_replica"  # counts are the same on all
# Arguments of ``GAN`` that have no meaning for networks that grow.
OTHERS = ("generator", "discriminator", "networks", "classes", "conditioning", "class_weights", "constraint", "clip")
OTHERS += ("generator_width", "paper", "critic_schedule", "ema_start")


@keras.saving.register_keras_serializable("keras_gen")
class ProgressiveGAN(GAN):
    """Karras et al. 2018. Layers fade in as ``schedule`` says; before they are there, images are of half the sides.

    Reals are pooled inside, and fade as the fakes do; ``sample`` enlarges what is not grown yet. Place and share are functions of
    ``images_seen``, which is saved, so a run goes on in mid-fade. Each phase is one compiled step.

    Args:
        image_spec: square, of 8, 16, 32 ... 1024 pixels a side.
        latent_dim: size of the noise, which the generator puts on the sphere.
        schedule: ``{"start": 4, "steady": 400_000, "fade": 400_000}`` images shown (the defaults, those of the paper's
            CIFAR-10; each a number, or a list of one for each doubling). ``start`` of the full side: no growth.
        width: most feature maps of a layer. maps: ``maps / 2**n`` maps where images have ``2**(n + 1)`` pixels a side (the
            paper's 8192 for 1024 px).
        group: examples whose deviation the discriminator sees, see ``MinibatchDeviation``; None: all of the global batch.
        penalty_target: the slope that the gradient penalty asks for, 750 on CIFAR-10 and 1 elsewhere in the paper.
        penalty_weight: lambda of that penalty, ``10 (norm - target)^2 / target^2``, and of ``D(x)^2``.
        ema_decay: of the generator's average, at a batch of ``ema_batch``; with other batches it lasts as many images.
        restart: whether both optimizers begin anew, slots and steps, with each phase; a schedule of rates then does too.
        order: both sides move at once, as in the authors' code for CIFAR-10.
        **kwargs: objective, penalties and turns, see ``GAN``; ``seed``, ``dtype``, ``name``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 128,
        *,
        schedule: Mapping[str, Any] | None = None,
        width: int = 128,
        maps: int = 4096,
        group: int | None = None,
        objective: Any = "wasserstein",
        penalty: Any = ("gradient", "drift"),
        penalty_weight: float | Sequence[float] | None = (10.0, 1e-3),
        penalty_target: float | None = 750.0,
        order: str = "simultaneous",
        ema_decay: float | None = 0.999,
        ema_batch: int = 16,
        restart: bool = True,
        **kwargs: Any,
    ):
        if unknown := sorted(set(OTHERS) & set(kwargs)):
            raise InvalidInput(
                f"ProgressiveGAN got {', '.join(unknown)}; its own networks grow, and have no labels. Leave it out."
            )
        self.schedule = GrowthSchedule.of(ImageSpec.from_any(image_spec), schedule)
        self.maps, self.ema_batch = integer("maps", maps, 1), integer("ema_batch", ema_batch, 1)
        self.group = None if group is None else integer("group", group, 2)
        self.restart = bool(restart)
        as_list = {"penalty": penalty, "penalty_weight": penalty_weight}
        as_list = {name: list(value) if isinstance(value, tuple) else value for name, value in as_list.items()}
        super().__init__(
            image_spec,
            latent_dim,
            width=width,
            objective=objective,
            **as_list,
            penalty_target=penalty_target,
            order=order,
            ema_decay=ema_decay,
            **kwargs,
        )
        counter = {"shape": (), "dtype": "int64", "initializer": "zeros", "trainable": False}
        self.images_seen, self.turns_made, self.phase_begun = (
            self.add_weight(**counter, aggregation=ONE_REPLICA, name=name)
            for name in ("images_seen", "turns_made", "phase_begun")
        )
        self.phase_begun.assign(self.schedule.at(0).phase)
        self.track("side", "fade", training_alone=True)
        self._place: Place | None = None
        self._stand(self.schedule.at(0))

    def _make_networks(self, generator: Any, discriminator: Any) -> None:
        spec = self.image_spec
        sizes = {"stages": (spec.height // 4).bit_length() - 1, "channels": spec.channels}
        sizes |= {"width": self.width, "maps": self.maps}
        with dtype_policy(self.dtype_policy.name):
            self.generator = GrowingGenerator(self.latent_dim, **sizes, name="generator")
            self.discriminator = GrowingDiscriminator(**sizes, group=self.group, name="discriminator")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; both networks follow from them."""
        config = {name: value for name, value in super().get_config().items() if name not in OTHERS}
        names = ("maps", "group", "ema_batch", "restart")
        return {**config, **{name: getattr(self, name) for name in names}, "schedule": self.schedule.get_config()}

    def default_optimizers(self, steps: int | None = None) -> tuple[Adam, Adam]:
        """The paper's, for both sides: Adam 1e-3, beta1 0, beta2 0.99, epsilon 1e-8."""
        return tuple(Adam(1e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8) for _ in range(2))

    # --- growth -----------------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Where in its growth it is: ``schedule.at(images_seen)``."""
        return self.schedule.at(int(self.images_seen.numpy()))

    def _stand(self, place: Place) -> None:
        """Puts all networks there; what was compiled for another phase is dropped, with its memory."""
        if self._place is None or place[:2] != self._place[:2]:
            for network in (self.generator, self.discriminator, *self.averages):
                network.stand(place.stage, place.fading)
            if isinstance(self.train_function, CompiledPhases):
                self.train_function.functions.clear()
            self._generate_function = self.predict_function = self.test_function = None
        if place.fading:  # a file's own share, which is that of its last step, may have come after its place
            for network in (self.generator, self.discriminator, *self.averages):
                network.fade.assign(place.fade)
        self._place = place

    def phase(self) -> Hashable:
        """Stage and whether the next one fades in. Where that is new, optimizers begin anew."""
        place = self.place
        self._stand(place)
        if place.phase != int(self.phase_begun.numpy()):
            log.info("%s: %s images shown, %s", self.name, int(self.images_seen.numpy()), _told(place))
            if self.restart:
                for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
                    restart(optimizer)
            self.phase_begun.assign(place.phase)
        return place[:2]

    def load_own_variables(self, store: Any) -> None:
        """Also puts the networks where the file's were."""
        super().load_own_variables(store)
        self._stand(self.place)

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> Any:
        """See ``GenerativeModel``: of the moment's networks, enlarged to ``image_spec``."""
        self._stand(self.place)
        return super().images_of(noise, conditions)

    def endpoints(self) -> dict[str, Any]:
        """See ``GenerativeModel``: of the moment's networks. ``at_resolution`` gives smaller images as they are."""
        self._stand(self.place)
        return super().endpoints()

    def at_resolution(self, side: int) -> "ProgressiveGAN":
        """A model of the layers up to images of this side, at the end of its growth, its average too: to sample and to export."""
        reached = self.place.side >> self.place.fading
        sides = [size for size in (8 << power for power in range(8)) if size <= reached]
        if side not in sides:
            raise InvalidInput(
                f"side={side!r}; the model has grown to {reached}x{reached}"
                + (f", so give one of {', '.join(map(str, sides))}." if sides else "; train it further.")
            )
        spec = ImageSpec(side, side, self.image_spec.channels, self.image_spec.levels)
        config = {**self.get_config(), "image_spec": spec, "schedule": self.schedule.up_to(side)}
        smaller = type(self).from_config(config)
        pairs = [(smaller.generator, self.generator), (smaller.discriminator, self.discriminator)]
        for own, given in [*pairs, *zip(smaller.averages, self.averages)]:
            layers = {layer.name: layer for layer in given._flatten_layers(include_self=False)}
            for layer in own._flatten_layers(include_self=False):
                layer.set_weights(layers[layer.name].get_weights())
        smaller.images_seen.assign(smaller.schedule.grown)
        smaller.phase_begun.assign(smaller.place.phase)
        smaller._stand(smaller.place)
        return smaller

    def plan(self, images: int) -> str:
        """The phases, of a run that shows so many images in all."""
        return self.schedule.table(images)

    # --- the step ---------------------------------------------------------------------------------------------------

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """The shared step; then the images are counted."""
        size = data["image"].shape[0] or tf.shape(data["image"])[0]
        self._batch = size * replica_count()
        self.observe("side", float(self._place.side))
        self.observe("fade", self.generator.fade if self._place.fading else 1.0)
        logs = super().train_step(data)
        self.images_seen.assign_add(tf.cast(self._batch * self.critic_steps, tf.int64))
        return logs

    def trained_weights(self, networks: Sequence[keras.Model]) -> list[keras.Variable]:
        """Of the layers in use."""
        return [weight for network in networks for weight in network.in_use()]

    def average_decay(self) -> Any:
        """``ema_decay``, for a step of this batch."""
        return self.ema_decay ** (self._batch / self.ema_batch)

    def after_discriminator_update(self) -> None:
        """Counts the turns, which an optimizer that begins anew does not."""
        super().after_discriminator_update()
        self.turns_made.assign_add(1)

    def turns_behind(self) -> tf.Tensor:
        """Those that were counted."""
        return tf.cast(self.turns_made.value, tf.int64)

    def _step(self) -> tf.Tensor:
        return self.turns_behind()

    def steps_made(self) -> int:
        """Training steps behind the model, in all phases."""
        return int(self.turns_made.numpy()) // self.critic_steps

    def _reals(self, batch: Batch) -> dict[str, tf.Tensor]:
        """At the moment's size; while a size fades in, blended with their own smaller version, as the fakes are."""
        reals = super()._reals(batch)
        images = reals["image"]
        for _ in range(self.generator.stages - self._place.stage):
            images = halved(images)
        if self._place.fading:
            coarse = doubled(halved(images))
            images = coarse + self.generator.fade * (images - coarse)
        return {**reals, "image": images}

    def unit_images(self, network: GrowingGenerator, given: Mapping[str, Any], training: bool) -> tf.Tensor:
        """The network's images, enlarged to the full size."""
        images = super().unit_images(network, given, training)
        for _ in range(network.stages - network.stage):
            images = doubled(images)
        return images

    def check_batches(self, data: Any, batch_size: int, augment: str | None = None) -> None:
        """Also that a batch makes whole groups on every replica."""
        super().check_batches(data, batch_size, augment)
        replicas = self.distribute_strategy.num_replicas_in_sync if self.distribute_strategy else 1
        if batch_size < 2 and self.group is None:
            raise InvalidInput("batch_size=1: the discriminator compares the examples of a batch; give 2 or more.")
        if self.group is not None and (batch_size // replicas) % self.group:
            raise InvalidInput(
                f"batch_size={batch_size} makes no whole groups of {self.group} on {replicas} replica(s); give a multiple of "
                f"{self.group * replicas}, or group=None to compare the whole batch."
            )


def restart(optimizer: keras.optimizers.Optimizer) -> None:
    """Its slots and its count of steps back to zero; the learning rate stays."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for variable in optimizer.variables:
        if variable is not getattr(optimizer, "_learning_rate", None):
            variable.assign(tf.zeros(variable.shape, variable.dtype))


def _told(place: Place) -> str:
    return f"{place.side}x{place.side} {'fade in' if place.fading else 'stand'}"
