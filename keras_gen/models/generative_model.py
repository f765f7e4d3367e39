"""The contract of every model: noise in, image out; trained by ``fit``; exported with its sampling.

sampling is a pure function      generate(noise) -> uint8 images
what randomness it takes         noise_spec()    -> {"z": Normal((latent_dim,))}
"""

import contextlib
import copy
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput, TrainingDiverged
from keras_gen.core.finite import finite_images
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec
from keras_gen.core.registry import PROVIDED
from keras_gen.core.replicas import call_number, fit_for_policy, step_noise, steps_made
from keras_gen.core.sampler import Sampler
from keras_gen.layers.dropout import Dropout
from keras_gen.models.batch_methods import BatchMethods, replica_count_of
from keras_gen.models.requirements import check_compile, check_scope, check_settings
from keras_gen.training.adam import Adam
from keras_gen.training.checkpoints import first_not_finite

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


class GenerativeModel(Sampler, BatchMethods):
    """Base of all models. Images are uint8 ``[n, *image_spec.shape]`` at every public border.

    A subclass builds its networks in its constructor (inside the strategy's scope, where there is one), says what noise it
    takes (``noise_spec``) and what it makes of it (``generate``), and sets ``self.built = True``.
    """

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
        """``generate``, compiled, for noise (and conditions) given as arrays: uint8 ``[n, h, w, c]``.

        ``TrainingDiverged`` where values on the way to an image's levels are NaN or infinite.
        """
        noise, inputs = self.checked_inputs(noise, conditions or {})
        if self._generate_function is None:
            signature = [
                {name: tf.TensorSpec((None, *kind.shape), kind.dtype, name) for name, kind in spec.items()}
                for spec in (self.noise_spec(), self.condition_spec())
            ]
            self._generate_function = tf.function(
                self.generate, input_signature=signature, jit_compile=self.compiled_sampling or None
            )
        with finite_images(type(self).__name__):
            return self._generate_function(*tf.nest.map_structure(tf.convert_to_tensor, (noise, inputs))).numpy()

    def endpoints(self) -> dict[str, Endpoint]:
        """Name -> function and inputs of all that is exported. Every model has ``sample``."""
        image_range = {"image": (0, self.image_spec.levels - 1)}
        inputs = {**self.noise_spec(), **self.condition_spec()}
        how = {"compiled": self.compiled_sampling, "sequential": self.draws_in_order}
        return {"sample": Endpoint(lambda given: {"image": self.generate(given, given)}, inputs, image_range, **how)}

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

    def plan(self, images: int) -> str:
        """What changes in the course of a training that shows so many images, for a run's first lines; empty: nothing."""
        return ""

    def steps_made(self) -> int:
        """Training steps behind the model since ``compile``, those of its saved states included."""
        return steps_made(self.optimizer)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: networks, optimizers and metrics are built before ``fit``; Keras' build takes a batch and knows no step."""


def restored(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its serialized Keras objects (networks, optimizers) made again; ``safe_mode`` is Keras' own."""
    return {
        key: keras.saving.deserialize_keras_object(
            copy.deepcopy(value)
        )  # Keras empties the config of a functional model
        if isinstance(value, dict) and "class_name" in value
        else value
        for key, value in config.items()
    }


def name_by_place(layers: Iterable[keras.layers.Layer]) -> None:
    """Names layers, and those inside them, by place in their model. Keras' own count all layers of the process, and
    TensorFlow's optimizer of graphs orders sums by names: a reloaded model would add in another order, and part from its
    original in the last bit.
    """
    inside = [each for layer in layers for each in layer._flatten_layers()]
    for index, layer in enumerate(inside):
        layer.name = f"{type(layer).__name__.lower()}_{index:04d}"


def seed_generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    """What the model and all its layers draw from, in Keras' ways, the model's own count of calls first."""
    return [generator for layer in model._flatten_layers() for generator in layer._seed_generators]
