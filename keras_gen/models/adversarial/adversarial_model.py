"""The two-player step, once, for every adversarial model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.replicas import fit_for_policy, global_mean, step_noise
from keras_gen.models.generative_model import GenerativeModel
from keras_gen.training.adam import Adam
from keras_gen.training.ema import copy_of, update_average

Batch = Mapping[str, tf.Tensor]


class AdversarialModel(GenerativeModel):
    """Goodfellow et al. 2014, algorithm 1: ``critic_steps`` discriminator turns on fresh data, then one generator turn.

    A subclass sets ``self.generator`` (and ``self.discriminator``) and answers three questions, per example and without
    reducing: ``make_fakes``, ``discriminator_loss``, ``generator_loss``. Networks beyond the two are named by overriding
    ``generator_side`` and ``discriminator_side``. The step does the rest: turns, tapes, scaling over the global batch, both
    optimizers, the moving average of the generator's side, metrics.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        *,
        critic_steps: int = 1,
        ema_decay: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        if not isinstance(critic_steps, int) or critic_steps < 1:
            raise InvalidInput(f"critic_steps={critic_steps!r}; give an integer of at least 1.")
        if ema_decay is not None and not 0.0 <= ema_decay < 1.0:
            raise InvalidInput(f"ema_decay={ema_decay!r}; give a number in [0, 1), or None for no average.")
        self.critic_steps = self.batches_per_step = critic_steps
        self.ema_decay = ema_decay
        self.discriminator_loss_tracker = keras.metrics.Mean("discriminator_loss")
        self.generator_loss_tracker = keras.metrics.Mean("generator_loss")
        self.generator_optimizer = self.discriminator_optimizer = None

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

    @property
    def generator_side(self) -> list[keras.Model]:
        """Networks that the generator's optimizer trains."""
        return [self.generator]

    @property
    def discriminator_side(self) -> list[keras.Model]:
        """Networks that the discriminator's optimizer trains."""
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
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets one optimizer a side (each a Keras optimizer of its own) and builds it; see ``default_optimizers``.

        Other arguments are Keras' (``jit_compile``, ``run_eagerly``, ``steps_per_execution``).
        """
        defaults = self.default_optimizers()
        generator_optimizer = keras.optimizers.get(generator_optimizer or defaults[0])
        discriminator_optimizer = keras.optimizers.get(discriminator_optimizer or defaults[1])
        if generator_optimizer is discriminator_optimizer:
            raise InvalidInput("Both sides got the same optimizer; its state would mix. Give two.")
        # optimizer=None: Keras would otherwise keep a stray RMSprop with slots for every weight.
        self.compile_keras(None, **kwargs)
        self.remember_compile(
            generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer, **kwargs
        )
        policy = self.dtype_policy.name
        with self.distribute_strategy.scope():
            self.generator_optimizer = fit_for_policy(generator_optimizer, policy)
            self.discriminator_optimizer = fit_for_policy(discriminator_optimizer, policy)
            self.generator_optimizer.build(_weights(self.generator_side))
            self.discriminator_optimizer.build(_weights(self.discriminator_side))

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """``critic_steps`` turns of the discriminator, each on its own part of the data, then one of the generator.

        The generator's turn is paid for the fakes of the last critic turn: the generator has not moved since.
        """
        turns = self._parts(data)
        for turn, batch in enumerate(turns[:-1]):
            self._discriminator_turn(batch, self.make_fakes(batch, self._noise(batch, turn), training=True))
        batch = turns[-1]
        with tf.GradientTape() as tape:
            fakes = self.make_fakes(batch, self._noise(batch, len(turns) - 1), training=True)
            with tape.stop_recording():
                self._discriminator_turn(batch, fakes)
            per_example = self.generator_loss(batch, fakes, training=True)
            loss = global_mean(per_example) + _regularization(self.generator_side)
            scaled = self.generator_optimizer.scale_loss(loss)
        weights = _weights(self.generator_side)
        self.generator_optimizer.apply(tape.gradient(scaled, weights), weights)
        for average, network in zip(self.averages, self.generator_side):
            update_average(average, network, self.ema_decay)
        self.generator_loss_tracker.update_state(per_example)
        return self.get_metrics_result()

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Both losses on held-out images, nothing moved."""
        noise = self._noise(data, turn=-1)
        fakes = self.make_fakes(data, noise, training=False)
        self.discriminator_loss_tracker.update_state(self.discriminator_loss(data, fakes, training=False))
        self.generator_loss_tracker.update_state(self.generator_loss(data, fakes, training=False))
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means over an epoch of what each side pays."""
        return [self.discriminator_loss_tracker, self.generator_loss_tracker]

    def _discriminator_turn(self, batch: Batch, fakes: Any) -> None:
        fakes = tf.nest.map_structure(tf.stop_gradient, fakes)
        with tf.GradientTape() as tape:
            per_example = self.discriminator_loss(batch, fakes, training=True)
            loss = global_mean(per_example) + _regularization(self.discriminator_side)
            scaled = self.discriminator_optimizer.scale_loss(loss)
        weights = _weights(self.discriminator_side)
        self.discriminator_optimizer.apply(tape.gradient(scaled, weights), weights)
        self.discriminator_loss_tracker.update_state(per_example)

    def _parts(self, data: Batch) -> list[Batch]:
        """``fit`` feeds ``[b, k, ...]``, a part a turn; ``train_on_batch`` feeds ``[b, ...]``, which serves every turn."""
        if data["image"].shape.rank == 5:
            return [{key: value[:, turn] for key, value in data.items()} for turn in range(self.critic_steps)]
        return [data] * self.critic_steps

    def _noise(self, batch: Batch, turn: int) -> dict[str, tf.Tensor]:
        size = batch["image"].shape[0] or tf.shape(batch["image"])[0]
        step = self.generator_optimizer.iterations
        return step_noise(self.noise_spec(), size, self.seed, step, turn)


def _weights(networks: Sequence[keras.Model]) -> list[keras.Variable]:
    return [weight for network in networks for weight in network.trainable_variables]


def _regularization(networks: Sequence[keras.Model]) -> tf.Tensor:
    """The networks' own penalties (kernel regularizers ...), this replica's share."""
    penalties = [penalty for network in networks for penalty in network.losses]
    return global_mean(tf.add_n(penalties)) if penalties else tf.constant(0.0)
