"""The contract of every model: noise in, image out; trained by ``fit``; exported with its sampling.

sampling is a pure function      generate(noise) -> uint8 images
what randomness it eats          noise_spec()    -> {"z": Normal((latent_dim,))}
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.border import Border, features_of, is_batched, marked, own_errors, refuse_unused
from keras_gen.core.checks import integer
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput, TrainingDiverged
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, check_noise
from keras_gen.core.registry import PROVIDED
from keras_gen.core.replicas import (
    call_number,
    fit_for_policy,
    replica_count,
    step_noise,
    steps_made,
    uneven_batch,
)
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE, Sampler
from keras_gen.layers.dropout import Dropout
from keras_gen.models.requirements import check_compile, check_scope, check_settings
from keras_gen.training.adam import Adam
from keras_gen.training.checkpoints import first_not_finite
from keras_gen.training.epoch_order import EpochOrder

log = logging.getLogger(__name__)
_SEEDS = "states_of_draws"  # among a model's own variables in its files


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Layers built inside have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class GenerativeModel(Sampler, keras.Model):
    """Base of all models. Images are uint8 ``[n, *image_spec.shape]`` at every public border.

    A subclass builds its networks in its constructor (inside the strategy's scope, where there is one), says what noise it
    eats (``noise_spec``) and what it makes of it (``generate``), and sets ``self.built = True``.
    """

    # How many batches one training step eats; a two-player model sets it to its critic's turns.
    batches_per_step = 1
    # Whether the conditions are what ``call`` predicts (a classifier's labels), not what it is given.
    predicts_conditions = False

    def __init__(self, image_spec: ImageSpec | Sequence[int], seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        check_settings(self)
        self.image_spec = ImageSpec.from_any(image_spec)
        self.seed = integer("seed", seed)
        self.training_calls = keras.random.SeedGenerator(0)
        self._generate_function = None

    def get_config(self) -> dict[str, Any]:
        """What the constructor was given, networks included, so that ``.keras`` files restore the model."""
        config = {"image_spec": self.image_spec.get_config(), "seed": self.seed}
        return {**config, "name": self.name, "dtype": self.dtype_policy.name}

    def config_of(self, **networks: keras.Model | None) -> dict[str, Any]:
        """The networks as config entries; ``from_config`` restores them."""
        return {name: network and keras.saving.serialize_keras_object(network) for name, network in networks.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "GenerativeModel":
        """The model of a ``get_config``; weights are new."""
        return cls(**restored(config))

    def save_own_variables(self, store: Any) -> None:
        """Also the states of all draws (count of training calls, Dropout's, augmentations'), which Keras does not save."""
        super().save_own_variables(store)
        store[_SEEDS] = np.stack([keras.ops.convert_to_numpy(each.state) for each in seed_generators(self)])

    def load_own_variables(self, store: Any) -> None:
        """Files without the states of draws load too; draws then begin anew."""
        super().load_own_variables({key: store[key] for key in store.keys() if key != _SEEDS})
        if _SEEDS not in store.keys():
            return
        states, generators = np.asarray(store[_SEEDS]), seed_generators(self)
        if len(states) != len(generators):
            raise InvalidInput(
                f"The file holds {len(states)} states of random draws, {self.name} has {len(generators)}; load it into a "
                "model of the same layers."
            )
        for generator, state in zip(generators, states):
            generator.state.assign(state)

    # --- sampling ---------------------------------------------------------------------------------------------------

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of the noise: a pure function, for any batch size. Returns uint8 ``[n, h, w, c]``."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of noise.")

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """``generate``, compiled, for noise (and conditions) given as arrays: uint8 ``[n, h, w, c]``."""
        noise = check_noise(self.noise_spec(), noise)
        n = len(next(iter(noise.values())))
        inputs = self.checked_conditions(conditions or {}, n)
        if self._generate_function is None:
            signature = [
                {name: tf.TensorSpec((None, *kind.shape), kind.dtype, name) for name, kind in spec.items()}
                for spec in (self.noise_spec(), self.condition_spec())
            ]
            self._generate_function = tf.function(
                self.generate, input_signature=signature, jit_compile=self.compiled_sampling or None
            )
        return self._generate_function(*tf.nest.map_structure(tf.convert_to_tensor, (noise, inputs))).numpy()

    def endpoints(self) -> dict[str, Endpoint]:
        """Name -> function and inputs of all that is exported. Every model has ``sample``."""
        image_range = {"image": (0, self.image_spec.levels - 1)}
        inputs = {**self.noise_spec(), **self.condition_spec()}
        return {"sample": Endpoint(lambda given: {"image": self.generate(given, given)}, inputs, image_range)}

    def check_sampling(self) -> None:
        """``TrainingDiverged`` if a weight is NaN or infinite: what it would draw are no images of the model."""
        if path := first_not_finite(self.weights):
            raise TrainingDiverged(
                f"Weight {path} of {type(self).__name__} is not finite, so it makes no images; go back to the last good "
                "checkpoint and train with a smaller learning rate."
            )

    def export(
        self,
        filepath: str | os.PathLike,
        format: str | Sequence[str] = "saved_model",
        verbose: bool | None = None,
        *,
        version: int | None = None,
        **unknown: Any,
    ) -> dict:
        """Writes an artifact folder (``saved_model``, ``onnx`` or both) with ``manifest.json``; returns the manifest.

        Nothing is written unless the artifact, loaded back, gave what the live model gives.

        Args:
            filepath: the folder. format: one or several names.
            verbose: whether to print where the artifact went, as in Keras; default: no.
            version: see ``exporters.artifact.write_artifact``.
        """
        if unknown:
            raise InvalidInput(
                f"export got {', '.join(sorted(unknown))}, which it does not take: the endpoints decide signatures and all "
                "else. Leave it out."
            )
        formats = [format] if isinstance(format, str) else list(format)
        manifest = PROVIDED.get("write_artifact")(self, filepath, formats, version=version)
        if verbose:
            print(
                f"Saved artifact at {str(filepath)!r}: {', '.join(manifest['formats'])} of {', '.join(self.endpoints())}"
            )
        return manifest

    # --- training ---------------------------------------------------------------------------------------------------

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Sets the optimizer (default Adam 1e-3) and builds it.

        Other arguments are Keras' (``jit_compile``, ``run_eagerly``, ``steps_per_execution``); ``loss`` and ``metrics`` are the
        model's own and refused.
        """
        with self.distribute_strategy.scope():
            optimizer = keras.optimizers.get(optimizer or Adam(1e-3))
            self.compile_keras(fit_for_policy(optimizer, self.dtype_policy.name), [optimizer], **kwargs)
            self.remember_compile(optimizer=optimizer, **kwargs)
            self.optimizer.build(self.trainable_variables)

    def compile_keras(self, optimizer: Any, optimizers: Sequence[keras.optimizers.Optimizer], **kwargs: Any) -> None:
        """Keras' own ``compile``; what the model or replicas cannot do is refused here, not in mid-training.

        Args:
            optimizer: what Keras holds; None where the model's own step holds several.
            optimizers: all there are.
        """
        check_compile(self, kwargs)
        check_scope(self, optimizers)
        if replica_count_of(self) > 1:
            if kwargs.get("jit_compile") is True:
                raise InvalidInput("jit_compile=True does not work under a strategy of several replicas; leave it out.")
            if kwargs.get("steps_per_execution", 1) > 1:
                raise InvalidInput(
                    "steps_per_execution > 1 does not work under a strategy of several replicas; leave it out."
                )
            layers = self._flatten_layers(include_self=False)
            if repeating := [each.name for each in layers if each._seed_generators and not isinstance(each, Dropout)]:
                log.warning(
                    "%s draws the same numbers on every replica, as Keras' layers do; training goes on, but not as on one "
                    "device. keras_gen.layers.dropout.Dropout draws as one device would.",
                    ", ".join(repeating),
                )
        super().compile(optimizer, **kwargs)

    def remember_compile(self, **arguments: Any) -> None:
        """A subclass' ``compile`` says here what it was given, so that a reloaded model comes back compiled."""
        self._compile_arguments = {
            name: keras.saving.serialize_keras_object(value) if isinstance(value, keras.optimizers.Optimizer) else value
            for name, value in arguments.items()
        }

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was given, or None before it was called."""
        return dict(self._compile_arguments) if self.compiled else None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as ``get_compile_config`` says, optimizers built, so that their saved state finds its place."""
        self.compile(**restored(config))

    def call_noise(self, spec: NoiseSpec, batch: Any, training: bool) -> dict[str, tf.Tensor]:
        """The noise of this call of the model on ``batch`` images: new at every training call, and always the same of the n-th.

        Held-out images meet noise of their own, that of the trainings so far.
        """
        step = call_number(self.training_calls) if training else self.training_calls.state.value[1]
        return step_noise(spec, batch, self.seed, step, turn=0 if training else -1)

    def steps_made(self) -> int:
        """Training steps behind the model since ``compile``, those of its saved states included."""
        return steps_made(self.optimizer)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: networks, optimizers and metrics are built before ``fit``; Keras' build eats a batch and knows no step."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        validation_data: Any = None,
        initial_epoch: int = 0,
        shuffle: bool = True,
        augment: str | None = None,
        data_seed: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Keras' ``fit`` on images.

        ``x`` is uint8 ``[n, h, w, c]``, a pair ``(images, labels)``, a dict of arrays with ``"image"``, an ``ImageData``, or
        what gives batches of any of these: a ``tf.data.Dataset``, a ``keras.utils.PyDataset``, a generator. ``y`` are
        integer labels ``[n]``. Arrays are cut into full batches, in an order (and with augmentations) that ``data_seed or
        seed`` and the number of epochs that the optimizer has behind it decide: training goes on where it stands, through
        ``fit(epochs=n)``, n times ``fit(epochs=1)``, a reloaded model or Keras' ``BackupAndRestore`` alike; ``compile`` begins
        anew. ``initial_epoch`` only says which number the first epoch has for callbacks. The rest is Keras' own
        (``callbacks``, ``verbose``, ``steps_per_epoch`` ...).
        """
        refuse_unused(kwargs, "fit got")
        if not self.compiled:
            self.compile()
        self._initial_epoch = None  # BackupAndRestore sets it for one fit, and Keras would keep it for the next
        with own_errors():
            if is_batched(x):
                unused = {"batch_size": batch_size, "augment": augment, "data_seed": data_seed}
                if given := [name for name, value in unused.items() if value is not None]:
                    raise InvalidInput(f"x is a {type(x).__name__}, which batches by itself; leave {given[0]} out.")
                dataset = self.border().batches(x, y, training=True)
            else:
                data = self.as_image_data(x, y)
                size, turns = self._batch_size(batch_size), self.batches_per_step
                self.check_batches(data, size, augment)
                seed = self.seed if data_seed is None else integer("data_seed", data_seed)
                steps = data.full_batches(size, turns)
                if (given := kwargs.pop("steps_per_epoch", None)) is not None:
                    steps = integer("steps_per_epoch", given, 1)
                order = EpochOrder(self.steps_made, steps)
                kwargs["callbacks"] = [*keras.tree.flatten(kwargs.get("callbacks") or []), order]
                dataset = data.training_epoch(
                    size, order, steps=steps, seed=seed, shuffle=shuffle, augment=augment, turns=turns
                )
            if validation_data is not None:
                validation_data = self._held_out(validation_data, None, kwargs.pop("validation_batch_size", batch_size))
            return super().fit(
                dataset,
                epochs=epochs,
                initial_epoch=initial_epoch,
                validation_data=validation_data,
                shuffle=False,
                **kwargs,
            )

    def check_batches(self, data: ImageData, batch_size: int, augment: str | None = None) -> None:
        """``InvalidInput`` unless a step of ``fit`` can be fed from ``data``, on every replica."""
        if batch_size % replica_count_of(self):
            raise InvalidInput(
                f"batch_size={batch_size} does not split over {replica_count_of(self)} replicas; give a multiple of it."
            )
        data.check_batches(batch_size, turns=self.batches_per_step, augment=augment)

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Keras' ``evaluate`` on images, given as to ``fit``: over all of them, on several replicas too."""
        if kwargs.get("_use_cached_eval_dataset"):  # set by Keras' fit, which holds its prepared validation data
            return super().evaluate(x, y, batch_size=batch_size, **kwargs)
        refuse_unused(kwargs, "evaluate got")
        with own_errors():
            return super().evaluate(self._held_out(x, y, batch_size), **kwargs)

    def predict(self, x: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Keras' ``predict`` on images, given as to ``fit``: what ``call`` gives for each."""
        with own_errors():
            return super().predict(self._held_out(x, None, batch_size, predicting=True), **kwargs)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Keras' ``train_on_batch`` on images, given as to ``fit``."""
        refuse_unused({"sample_weight": sample_weight, "class_weight": class_weight}, "train_on_batch got")
        if not self.compiled:
            self.compile()
        return super().train_on_batch(self._one_batch(x, y), return_dict=return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Keras' ``test_on_batch`` on images, given as to ``fit``."""
        refuse_unused({"sample_weight": sample_weight}, "test_on_batch got")
        return super().test_on_batch(self._one_batch(x, y), return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Keras' ``predict_on_batch`` on images, given as to ``fit``."""
        data = self.border(predicting=True).data(x)
        if replica_count_of(self) > 1:  # Keras would feed each replica the whole batch
            return self.predict(data, batch_size=len(data), verbose=0)
        return super().predict_on_batch(data.features)

    def predict_step(self, data: Any) -> Any:
        """What ``call`` gives for a batch, of none where a replica was left without any example."""
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if not self._may_be_uneven(batch):
            return super().predict_step(batch)
        rows = tf.shape(batch["image"])[0]
        filler = tf.maximum(1 - rows, 0)  # networks fail on no example at all
        filled = {name: tf.pad(v, [[0, filler], *[[0, 0]] * (v.shape.rank - 1)]) for name, v in batch.items()}
        with uneven_batch(rows):
            outputs = super().predict_step(filled)
        return tf.nest.map_structure(lambda output: output[:rows], outputs)

    def border(self, predicting: bool = False) -> Border:
        """What this model takes to train on, or (``predicting``) for ``call`` alone."""
        conditions = {} if predicting and self.predicts_conditions else self.condition_spec()
        return Border(type(self).__name__, self.image_spec, conditions, replica_count_of(self), self.batches_per_step)

    def as_image_data(self, x: Any, y: Any = None) -> ImageData:
        """Arrays as checked ``ImageData``; an ``InvalidInput`` says what is wrong with them."""
        return self.border().data(x, y)

    def batch_of(self, inputs: Any) -> dict[str, Any]:
        """What ``call`` was given, as a batch: values are checked where they are known, dtypes and shapes in a graph too."""
        with marked():  # Keras wraps what call raises in words of its own
            features, border = features_of(inputs), self.border(predicting=True)
            symbolic = [
                isinstance(v, keras.KerasTensor) or (tf.is_tensor(v) and not hasattr(v, "numpy"))
                for v in features.values()
            ]
            if any(symbolic):
                border.check_specs(features, "The images are")
            else:
                border.arrays(features)
            return features

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``call`` by way of Keras, its errors in our words."""
        with own_errors():
            return super().__call__(*args, **kwargs)

    def _held_out(self, x: Any, y: Any, batch_size: int | None, predicting: bool = False) -> Any:
        """Batches to measure on: in their order, a short last one included."""
        border = self.border(predicting)
        if is_batched(x):
            return border.batches(x, y, training=False)
        return border.data(x, y).batches(self._batch_size(batch_size), shuffle=False, drop_remainder=False)

    def _one_batch(self, x: Any, y: Any) -> dict[str, Any]:
        border = self.border()
        return border.per_replica(border.data(x, y).features, self.distribute_strategy)

    def _may_be_uneven(self, batch: Mapping[str, Any]) -> bool:
        """Whether replicas may hold different numbers of the batch's examples, some of them none."""
        return replica_count_of(self) > 1 and batch["image"].shape[0] is None

    def _batch_size(self, given: int | None) -> int:
        return DEFAULT_BATCH_SIZE if given is None else integer("batch_size", given, 1)

    def _make_function(self, step_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Keras' own loop of steps; each takes a batch, and does nothing before the batch is there.

        Keras learns that a dataset of unknown length has ended when its next batch fails to come, in the graph of the step:
        whatever needs no batch (the optimizer's iterations, the count of a static batch size) would be done once more.
        """

        def step(data: Any) -> Any:
            batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)  # train_on_batch feeds triples
            with tf.control_dependencies(list(batch.values())):
                if step_function != self.test_step or not self._may_be_uneven(batch):
                    return step_function(batch)
                rows = tf.shape(batch["image"])[0]
                with uneven_batch(rows):
                    # A replica may be left without any; networks fail on that, and there is nothing to measure.
                    return tf.cond(rows > 0, lambda: step_function(batch), self.get_metrics_result)

        return super()._make_function(step)


def restored(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its serialized Keras objects (networks, optimizers) made again; ``safe_mode`` is Keras' own."""
    return {
        key: keras.saving.deserialize_keras_object(value)
        if isinstance(value, dict) and "class_name" in value
        else value
        for key, value in config.items()
    }


def seed_generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    """What the model and all its layers draw from, in Keras' ways, the model's own count of calls first."""
    return [generator for layer in model._flatten_layers() for generator in layer._seed_generators]


def replica_count_of(model: keras.Model) -> int:
    """How many replicas train this model: those of the strategy in whose scope it was built."""
    return model.distribute_strategy.num_replicas_in_sync if model.distribute_strategy else replica_count()
