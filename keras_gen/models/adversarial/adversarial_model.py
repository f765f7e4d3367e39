"""The two-player step, once, for every adversarial model."""

import contextlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.checks import integer, rate
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec
from keras_gen.core.replicas import fit_for_policy, global_mean, global_norm, step_noise, steps_made
from keras_gen.layers.spectral_normalization import advance_buffers
from keras_gen.losses.adversarial import Objective, checked_per_example, per_example
from keras_gen.models.adversarial.turns import ORDERS, CompiledPhases, CriticSchedule
from keras_gen.models.generative_model import GenerativeModel
from keras_gen.training.adam import Adam
from keras_gen.training.ema import copy_of, update_average
from keras_gen.training.optimizer_pair import OptimizerPair

Batch = Mapping[str, tf.Tensor]
LOSSES = ("discriminator_loss", "generator_loss")
ACCURACIES, DISTANCE = ("accuracy_on_reals", "accuracy_on_fakes"), "wasserstein_estimate"
GRADIENT_NORMS = ("discriminator_gradient_norm", "generator_gradient_norm")


class AdversarialModel(GenerativeModel):
    """Goodfellow et al. 2014, algorithm 1: ``critic_steps`` discriminator turns on fresh data, then one generator turn.

    A subclass sets ``self.generator`` (and ``self.discriminator``) and answers three questions, per example and without
    reducing: ``make_fakes``, ``discriminator_loss``, ``generator_loss``. Networks beyond the two are named by overriding
    ``generator_side`` and ``discriminator_side``. The step does the rest: turns, tapes, scaling over the global batch, both
    optimizers, the moving average of the generator's side, metrics. What else an algorithm does is one overridden method:

        step_spec                     what a step draws for its fakes beside the noise (their labels)
        shown_to_discriminator        a pool of earlier fakes
        after_discriminator_update    weight clipping
        trained_weights               layers that are not in use yet
        phase                         steps that differ and are compiled apart: long critic turns, a network that grows

    and a layer with a method ``advance`` moves its buffers there, once a turn however often its network is called.

    Logs hold the mean over an epoch of what each side pays, and of the norm of its gradients; ``track`` adds numbers that an
    answer finds on its way.

    Args:
        critic_steps: discriminator turns a step, each on a batch of its own.
        critic_schedule: longer turns at some of the generator's steps, ``{"steps": 100, "first": 25, "every": 500}``: 100
            turns (a multiple of ``critic_steps``) before each of its first 25 steps and every 500th. A step of ``fit`` stays
            ``critic_steps`` turns, and the generator moves in those that complete what it waits for; an epoch in which it
            does not move reports a ``generator_loss`` of 0.
        order: ``"discriminator_first"`` (the generator answers the discriminator that has just moved), ``"simultaneous"``
            (both gradients at one point, then both move), or ``"generator_first"``.
        generator_batch: how many times the discriminator's batch of fakes the generator is paid for, freshly drawn if above 1.
        fresh_noise: the generator is paid for new fakes, not for those of the discriminator's last turn.
        ema_decay: decay of the generator's moving average that ``sample`` and ``export`` then use; None keeps none.
        ema_start: the generator's steps after which it begins; before, the average is the weights.
    """

    # Whether the average is of moving statistics and singular vectors too, or has the network's own.
    averages_buffers = False

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        *,
        critic_steps: int = 1,
        critic_schedule: Mapping[str, int] | None = None,
        order: str = "discriminator_first",
        generator_batch: int = 1,
        fresh_noise: bool = False,
        ema_decay: float | None = None,
        ema_start: int = 0,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.critic_steps = self.batches_per_step = integer("critic_steps", critic_steps, 1)
        schedule = None if critic_schedule is None else CriticSchedule.from_any(critic_schedule, self.critic_steps)
        self.critic_schedule = schedule
        if order not in ORDERS:
            raise InvalidInput(f"order={order!r}; give one of {', '.join(ORDERS)}.")
        self.order = order
        self.generator_batch = integer("generator_batch", generator_batch, 1)
        self.fresh_noise = bool(fresh_noise)
        ema_decay = None if ema_decay is None else rate("ema_decay", ema_decay)
        self.ema_decay = ema_decay
        self.ema_start = integer("ema_start", ema_start, 0)
        if self.ema_start and ema_decay is None:
            raise InvalidInput(f"ema_start={ema_start} without ema_decay; there is no average to start.")
        self.generator_moves = True
        self._held_out_alone = False
        self.trackers: dict[str, keras.metrics.Mean] = {}
        self.track(*LOSSES)
        self.track(*GRADIENT_NORMS, training_alone=True)
        self.generator_optimizer = self.discriminator_optimizer = None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("critic_steps", "order", "generator_batch", "fresh_noise", "ema_decay", "ema_start")
        schedule = self.critic_schedule and self.critic_schedule.get_config()
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "critic_schedule": schedule}

    # --- the questions ----------------------------------------------------------------------------------------------

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> Any:
        """What the generator's side makes of a batch and noise, ``[b, ...]`` first."""
        raise NotImplementedError

    def discriminator_loss(self, batch: Batch, fakes: Any, training: bool) -> tf.Tensor:
        """What the discriminator's side pays for each example: ``[b]``."""
        raise NotImplementedError

    def generator_loss(self, batch: Batch, fakes: Any, training: bool) -> tf.Tensor:
        """What the generator's side pays for each example: ``[b]``."""
        raise NotImplementedError

    def step_spec(self) -> NoiseSpec:
        """What a training step draws for its fakes: the noise of ``generate``; a subclass may add their labels."""
        return self.noise_spec()

    def shown_to_discriminator(self, batch: Batch, fakes: Any) -> Any:
        """What the discriminator pays for in place of ``fakes``: themselves, or some out of a pool of earlier ones."""
        return fakes

    def after_discriminator_update(self) -> None:
        """Runs after every update of the discriminator's side, on each replica."""

    def phase(self) -> Hashable:
        """Which kind of step comes next; asked on the host, before it. Each kind is compiled when it first comes.

        ``self.generator_moves`` is False in a step of critic turns alone. None: all steps are alike.
        """
        self.generator_moves = self.critic_schedule is None or self.critic_schedule.generator_due(
            *(int(each.iterations.numpy()) for each in (self.generator_optimizer, self.discriminator_optimizer))
        )
        return None if self.critic_schedule is None else self.generator_moves

    def trained_weights(self, networks: Sequence[keras.Model]) -> list[keras.Variable]:
        """Which weights of a side a step moves."""
        return _weights(networks)

    def average_decay(self) -> Any:
        """By which the average keeps what it is, after the generator's latest step."""
        if not self.ema_start:
            return self.ema_decay
        return tf.where(self.generator_optimizer.iterations < self.ema_start, 0.0, self.ema_decay)

    def turns_behind(self) -> tf.Tensor:
        """The discriminator's turns so far: what a turn draws of its own, it draws by them."""
        return self.discriminator_optimizer.iterations

    @property
    def generator_side(self) -> list[keras.Model]:
        """Networks that the generator's optimizer trains."""
        return [self.generator]

    @property
    def discriminator_side(self) -> list[keras.Model]:
        """Networks that the discriminator's optimizer trains; none where a loss stands in for all of them."""
        return [self.discriminator]

    # --- the rest ---------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Last line of a subclass' constructor: copies the generator's side for the average and declares the model built."""
        self.averages = [copy_of(network) for network in self.generator_side] if self.ema_decay is not None else []
        self.built = True

    def averaged(self, network: keras.Model) -> keras.Model:
        """The network that sampling uses for one of the generator's side: its average, where one is kept."""
        return self.averages[self.generator_side.index(network)] if self.averages else network

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """For the generator's and the discriminator's side: Adam 2e-4, beta1 0.5 (Radford et al. 2015)."""
        return Adam(2e-4, beta_1=0.5), Adam(2e-4, beta_1=0.5)

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | str | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets one optimizer a side (each a Keras optimizer of its own) and builds it; see ``default_optimizers``.

        Other arguments are Keras' (``jit_compile``, ``run_eagerly``, ``steps_per_execution``). ``model.optimizer`` is then a view
        of both, for Keras' callbacks; in their logs each has its side's name (``learning_rate_generator``).
        """
        if "optimizer" in kwargs:
            raise InvalidInput(
                f"{type(self).__name__} trains two sides; give generator_optimizer= and discriminator_optimizer=, or neither "
                "for its defaults."
            )
        policy = self.dtype_policy.name
        with self.distribute_strategy.scope():
            defaults = self.default_optimizers()
            generator_optimizer = keras.optimizers.get(generator_optimizer or defaults[0])
            discriminator_optimizer = keras.optimizers.get(discriminator_optimizer or defaults[1])
            if generator_optimizer is discriminator_optimizer:
                raise InvalidInput("Both sides got the same optimizer; its state would mix. Give two.")
            for optimizer in (generator_optimizer, discriminator_optimizer):
                if gathered := getattr(optimizer, "inner_optimizer", optimizer).gradient_accumulation_steps:
                    raise InvalidInput(
                        f"gradient_accumulation_steps={gathered}: what two players gather apart is no larger batch, since one "
                        "moves while the other still gathers; leave it out, and give fit a larger batch_size."
                    )
            generator_optimizer.name, discriminator_optimizer.name = "generator", "discriminator"
            # optimizer=None: Keras would otherwise keep a stray RMSprop with slots for every weight.
            self.compile_keras(None, [generator_optimizer, discriminator_optimizer], **kwargs)
            self.remember_compile(
                generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer, **kwargs
            )
            self.generator_optimizer = fit_for_policy(generator_optimizer, policy)
            self.discriminator_optimizer = fit_for_policy(discriminator_optimizer, policy)
            self.generator_optimizer.build(_weights(self.generator_side))
            self.discriminator_optimizer.build(_weights(self.discriminator_side))
            self.optimizer = OptimizerPair(self.generator_optimizer, self.discriminator_optimizer)

    def steps_made(self) -> int:
        """Training steps behind the model: ``critic_steps`` discriminator turns each, whether the generator moved or not."""
        if not self.discriminator_side:  # an optimizer of no weights does not count its steps
            return steps_made(self.generator_optimizer)
        return steps_made(self.discriminator_optimizer) // self.critic_steps

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """See ``GenerativeModel``. As in Keras, an optimizer with ``use_ema`` leaves its average as the weights of its side."""
        history = super().fit(*args, **kwargs)
        self.generator_optimizer.finalize_variable_values(_weights(self.generator_side))
        self.discriminator_optimizer.finalize_variable_values(_weights(self.discriminator_side))
        return history

    def make_train_function(self, force: bool = False) -> None:
        """Keras' own, or one for each ``phase``: a conditional round an optimizer's update fails under a strategy."""
        if self.train_function is None or force:
            super().make_train_function(force=True)
            if self.phase() is not None:
                self.train_function = CompiledPhases(self.phase, self._compiled_step, self.steps_per_execution)

    def _compiled_step(self) -> Any:
        phases = self.train_function
        super().make_train_function(force=True)
        made, self.train_function = self.train_function, phases
        return made

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """``critic_steps`` turns of the discriminator, each on its own part of the data, one of the generator among them."""
        parts = self._parts(data)
        shared = 0 if self.order == "generator_first" else len(parts) - 1
        step = self._step()  # read before anyone moves
        for turn, batch in enumerate(parts):
            if turn == shared and self.generator_moves:
                self._turn_of_both(batch, (step, turn), fresh=(step, len(parts)))
            else:
                self._move(*self._discriminator_turn(batch, self._fakes(batch, step, turn)))
        return self.get_metrics_result()

    def _turn_of_both(self, batch: Batch, place: tuple, fresh: tuple) -> None:
        """Fakes are made once and serve both players, unless the generator is owed other ones: it has not moved since."""
        advance_buffers(self.generator_side)
        with tf.GradientTape() as tape:
            fakes = self._fakes(batch, *place)
            with tape.stop_recording():
                if self.order == "discriminator_first":
                    self._move(*self._discriminator_turn(batch, fakes))
                elif self.order == "simultaneous":
                    discriminators = self._discriminator_turn(batch, fakes)
            own_batch, own_fakes = batch, fakes
            if self.fresh_noise or self.generator_batch > 1:
                # Every example so often in a row: replicas then hold what one device would have in the same order.
                own_batch = {key: tf.repeat(value, self.generator_batch, axis=0) for key, value in batch.items()}
                own_fakes = self._fakes(own_batch, *fresh)
            per_example = self._paid(self.generator_loss, own_batch, own_fakes, training=True)
            scaled = self._scaled(per_example, self.generator_side, self.generator_optimizer)
        weights = self.trained_weights(self.generator_side)
        generators = self.generator_optimizer, tape.gradient(scaled, weights), weights
        self.observe("generator_loss", per_example)
        self._move(*generators)
        if self.order == "simultaneous":
            self._move(*discriminators)
        elif self.order == "generator_first":
            self._move(*self._discriminator_turn(batch, fakes))

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Both losses on held-out images, nothing moved."""
        noise = self._noise(data, turn=-1)
        fakes = self.make_fakes(data, noise, training=False)
        self.observe("discriminator_loss", self.discriminator_loss(data, fakes, training=False))
        self.observe("generator_loss", self.generator_loss(data, fakes, training=False))
        return self.get_metrics_result()

    # --- what is watched --------------------------------------------------------------------------------------------

    def track(self, *names: str, training_alone: bool = False) -> None:
        """Adds means over an epoch to the logs, which ``observe`` feeds; ``training_alone``: held-out images have none."""
        for name in names:
            self.trackers[name] = keras.metrics.Mean(name)
            self.trackers[name].training_alone = training_alone

    def observe(self, name: str, values: tf.Tensor, weight: tf.Tensor | None = None) -> None:
        """Counts the values of a tracked number, one for each example ``[b]``, or one for the step."""
        self.trackers[name].update_state(values, sample_weight=weight)

    def track_verdicts(self, objective: Objective) -> None:
        """Tracks what ``watch_verdicts`` sees."""
        self.track(*(ACCURACIES if objective.threshold is not None else ()))
        self.track(*((DISTANCE,) if objective.estimates_distance else ()))

    def watch_verdicts(self, objective: Objective, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> None:
        """Of the verdicts of a turn, which are there already: the share that is right, and how far apart they lie."""
        if (threshold := objective.threshold) is not None:
            for name, right in zip(ACCURACIES, (real_logits > threshold, fake_logits < threshold)):
                self.observe(name, per_example(right))
        if objective.estimates_distance:
            self.observe(DISTANCE, per_example(real_logits) - per_example(fake_logits))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means over an epoch, of held-out images while these are measured."""
        return [each for each in self.trackers.values() if not (self._held_out_alone and each.training_alone)]

    def reset_metrics(self) -> None:
        """All of them, whatever is being measured."""
        for each in self.trackers.values():
            each.reset_state()

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """See ``BatchMethods``."""
        with self._held_out_metrics():
            return super().evaluate(*args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """See ``BatchMethods``."""
        with self._held_out_metrics():
            return super().test_on_batch(*args, **kwargs)

    @contextlib.contextmanager
    def _held_out_metrics(self) -> Iterator[None]:
        self._held_out_alone = True
        try:
            yield
        finally:
            self._held_out_alone = False

    # --- within a step ----------------------------------------------------------------------------------------------

    def _discriminator_turn(self, batch: Batch, fakes: Any) -> tuple:
        """What ``_move`` takes of the discriminator's side, nothing moved but its buffers."""
        advance_buffers(self.discriminator_side)
        fakes = tf.nest.map_structure(tf.stop_gradient, self.shown_to_discriminator(batch, fakes))
        with tf.GradientTape() as tape:
            per_example = self._paid(self.discriminator_loss, batch, fakes, training=True)
            scaled = self._scaled(per_example, self.discriminator_side, self.discriminator_optimizer)
        self.observe("discriminator_loss", per_example)
        weights = self.trained_weights(self.discriminator_side)
        return self.discriminator_optimizer, tape.gradient(scaled, weights), weights

    def _move(self, optimizer: keras.optimizers.Optimizer, gradients: list, weights: list) -> None:
        """One side's update, and what follows it."""
        of_discriminator = optimizer is self.discriminator_optimizer
        norm = global_norm(gradients) / optimizer.scale_loss(tf.constant(1.0))
        # A step of float16 that overflowed is no step.
        seen = tf.math.is_finite(norm)
        self.observe(GRADIENT_NORMS[0 if of_discriminator else 1], tf.where(seen, norm, 0.0), tf.cast(seen, tf.float32))
        if weights:  # a side may be empty
            optimizer.apply(gradients, weights)
        if of_discriminator:
            self.after_discriminator_update()
        else:
            for average, network in zip(self.averages, self.generator_side):
                update_average(average, network, self.average_decay(), self.averages_buffers)

    def _paid(self, question: Any, batch: Batch, fakes: Any, training: bool) -> tf.Tensor:
        """A side's answer, ``[b]``."""
        return checked_per_example(tf.convert_to_tensor(question(batch, fakes, training=training)), question)

    def _scaled(self, per_example: tf.Tensor, side: Sequence[keras.Model], optimizer: Any) -> tf.Tensor:
        return optimizer.scale_loss(global_mean(per_example) + _regularization(side))

    def _fakes(self, batch: Batch, step: tf.Tensor, turn: int) -> Any:
        return self.make_fakes(batch, self._noise(batch, turn, step), training=True)

    def _step(self) -> tf.Tensor:
        """A number that no other step has; under a schedule the generator stands still for several."""
        step = tf.cast(self.generator_optimizer.iterations, tf.int64)
        return step + tf.cast(self.discriminator_optimizer.iterations, tf.int64) if self.critic_schedule else step

    def _parts(self, data: Batch) -> list[Batch]:
        """``fit`` feeds ``[b, k, ...]``, a part a turn; ``train_on_batch`` feeds ``[b, ...]``, which serves every turn."""
        if len(data["image"].shape) == 5:
            return [{key: value[:, turn] for key, value in data.items()} for turn in range(self.critic_steps)]
        return [data] * self.critic_steps

    def _noise(self, batch: Batch, turn: int, step: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        size = batch["image"].shape[0] or tf.shape(batch["image"])[0]
        return step_noise(self.step_spec(), size, self.seed, self._step() if step is None else step, turn)


def _weights(networks: Sequence[keras.Model]) -> list[keras.Variable]:
    return [weight for network in networks for weight in network.trainable_variables]


def _regularization(networks: Sequence[keras.Model]) -> tf.Tensor:
    """The networks' own penalties (kernel regularizers ...), this replica's share."""
    penalties = [penalty for network in networks for penalty in network.losses]
    return global_mean(tf.add_n(penalties)) if penalties else tf.constant(0.0)
