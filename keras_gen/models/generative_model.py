"""The contract of every model: noise in, image out; trained by ``fit``; exported with its sampling.

sampling is a pure function      generate(noise) -> uint8 images
what randomness it eats          noise_spec()    -> {"z": Normal((latent_dim,))}
"""

import contextlib
import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import check_noise
from keras_gen.core.registry import PROVIDED
from keras_gen.core.replicas import fit_for_policy, replica_count
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE, Sampler
from keras_gen.training.adam import Adam


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Layers built inside have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def checked_network(network: Any, what: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> keras.Model:
    """The network, or an ``InvalidInput`` if it does not map ``[b, *inputs]`` to ``[b, *outputs]`` (-1: any)."""
    if not isinstance(network, keras.Model) or not network.built or len(network.inputs) != 1:
        raise InvalidInput(
            f"{what}={network!r} is not a built Keras model of one input; give a keras.Sequential or functional model that "
            f"begins with keras.Input({inputs})."
        )
    for side, wanted, shape in (("takes", inputs, network.input_shape), ("gives", outputs, network.output_shape)):
        found = tuple(shape)[1:]
        if len(found) != len(wanted) or any(w not in (-1, f) for w, f in zip(wanted, found)):
            wish = ", ".join("any" if size == -1 else str(size) for size in wanted)
            raise InvalidInput(f"{what} {side} [b, {', '.join(map(str, found))}]; wanted [b, {wish}].")
    return network


class GenerativeModel(Sampler, keras.Model):
    """Base of all models. Images are uint8 ``[n, *image_spec.shape]`` at every public border.

    A subclass builds its networks in its constructor (inside the strategy's scope, where there is one), says what noise it
    eats (``noise_spec``) and what it makes of it (``generate``), and sets ``self.built = True``.
    """

    # How many batches one training step eats; a two-player model sets it to its critic's turns.
    batches_per_step = 1

    def __init__(self, image_spec: ImageSpec | Sequence[int], seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.image_spec = ImageSpec.from_any(image_spec)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InvalidInput(f"seed={seed!r} is a {type(seed).__name__}; give an integer.")
        self.seed = int(seed)
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

    def export(self, filepath: str | os.PathLike, format: str | Sequence[str] = "saved_model", **options: Any) -> dict:
        """Writes an artifact folder (``saved_model``, ``onnx`` or both) with ``manifest.json``; returns the manifest.

        Nothing is written unless the artifact, loaded back, gave what the live model gives.
        """
        formats = [format] if isinstance(format, str) else list(format)
        return PROVIDED.get("write_artifact")(self, filepath, formats, **options)

    # --- training ---------------------------------------------------------------------------------------------------

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Sets the optimizer (default Adam 1e-3) and builds it. Other arguments are Keras' (``jit_compile`` ...)."""
        optimizer = keras.optimizers.get(optimizer or Adam(1e-3))
        self.compile_keras(fit_for_policy(optimizer, self.dtype_policy.name), **kwargs)
        self.remember_compile(optimizer=optimizer, **kwargs)
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)

    def compile_keras(self, optimizer: Any, **kwargs: Any) -> None:
        """Keras' own ``compile``; what replicas cannot do is refused here, not in mid-training."""
        if replica_count_of(self) > 1:
            if kwargs.get("jit_compile") is True:
                raise InvalidInput("jit_compile=True does not work under a strategy of several replicas; leave it out.")
            if kwargs.get("steps_per_execution", 1) > 1:
                raise InvalidInput(
                    "steps_per_execution > 1 does not work under a strategy of several replicas; leave it out."
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

        ``x`` is uint8 ``[n, h, w, c]``, a dict of arrays with ``"image"``, an ``ImageData``, or a batched
        ``tf.data.Dataset`` of any of these; ``y`` are labels. Arrays are shuffled by ``(data_seed or seed, epoch)`` and
        cut into full batches. The rest is Keras' own (``callbacks``, ``verbose``, ``steps_per_epoch`` ...).
        """
        for unknown in ("validation_split", "sample_weight", "class_weight"):
            if kwargs.get(unknown):
                raise InvalidInput(f"fit got {unknown}, which no generative model uses; leave it out.")
        if not self.compiled:
            self.compile()
        if isinstance(x, tf.data.Dataset):
            dataset = self._checked_dataset(x, training=True)
        else:
            data = self.as_image_data(x, y)
            size, turns = batch_size or DEFAULT_BATCH_SIZE, self.batches_per_step
            if size % replica_count_of(self):
                raise InvalidInput(
                    f"batch_size={size} does not split over {replica_count_of(self)} replicas; give a multiple of it."
                )
            seed = self.seed if data_seed is None else data_seed
            dataset = data.batches(
                size, epochs=epochs, first_epoch=initial_epoch, seed=seed, shuffle=shuffle, augment=augment, turns=turns
            )
            kwargs.setdefault("steps_per_epoch", len(data) // (size * turns))
        if validation_data is not None:
            validation_data = self._evaluation_dataset(
                validation_data, batch_size=kwargs.pop("validation_batch_size", batch_size)
            )
        return super().fit(
            dataset,
            epochs=epochs,
            initial_epoch=initial_epoch,
            validation_data=validation_data,
            shuffle=False,
            **kwargs,
        )

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Keras' ``evaluate`` on images, given as to ``fit``."""
        if not kwargs.get("_use_cached_eval_dataset"):  # set by Keras' fit, which holds its prepared validation data
            x, y, batch_size = self._evaluation_dataset(x, y, batch_size), None, None
        return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    def as_image_data(self, x: Any, y: Any = None) -> ImageData:
        """Arrays as checked ``ImageData``; an ``InvalidInput`` says what is wrong with them."""
        if isinstance(x, ImageData):
            if x.image_spec != self.image_spec:
                raise InvalidInput(
                    f"{x.name} holds {x.image_spec}, this model makes {self.image_spec}; build it with "
                    f"image_spec=data.image_spec."
                )
            self.require_conditions(x.features)
            return x
        if x is None or (isinstance(x, dict) and "image" not in x):
            raise InvalidInput(
                f"fit got x={'a dict of ' + str(sorted(x)) if x else x}; wanted images, or a dict with 'image'."
            )
        features = dict(x) if isinstance(x, dict) else {"image": x}
        if y is not None:
            features["label"] = np.asarray(y)
        features["image"] = self.image_spec.check(features["image"])
        self.require_conditions(features)
        return ImageData("the images given", "train", self.image_spec, features)

    def require_conditions(self, features: Mapping[str, Any]) -> None:
        """``InvalidInput`` unless the features of a batch or data set hold the model's conditions, arrays in range."""
        for name, kind in self.condition_spec().items():
            if name not in features:
                raise InvalidInput(
                    f"{type(self).__name__} wants a {name} for each image; train and measure it on images with {name}s: "
                    f"fit(images, {name}s), or a dict with 'image' and '{name}'."
                )
            if isinstance(features[name], np.ndarray):
                kind.check(name, features[name], len(features["image"]))

    def _evaluation_dataset(self, x: Any, y: Any = None, batch_size: int | None = None) -> tf.data.Dataset:
        if isinstance(x, (tuple, list)) and len(x) == 2:
            x, y = x
        if isinstance(x, tf.data.Dataset):
            return self._checked_dataset(x, training=False)
        data = self.as_image_data(x, y)
        replicas = replica_count_of(self)
        size = batch_size or DEFAULT_BATCH_SIZE
        # One device may see a short last batch; replicas must all hold equally many examples.
        return data.batches(size, shuffle=False, drop_remainder=replicas > 1)

    def _checked_dataset(self, dataset: tf.data.Dataset, training: bool) -> tf.data.Dataset:
        """The user's dataset as dicts, its elements checked; grouped for several critic turns."""
        if isinstance(dataset.element_spec, dict) and "image" not in dataset.element_spec:
            raise InvalidInput(f"The dataset gives dicts of {sorted(dataset.element_spec)}; wanted a key 'image'.")
        dataset = dataset.map(_as_batch, num_parallel_calls=tf.data.AUTOTUNE)
        self.require_conditions(dataset.element_spec)
        image = dataset.element_spec["image"]
        if image.dtype != tf.uint8 or image.shape.rank != 4 or tuple(image.shape[1:]) != self.image_spec.shape:
            hint = " Batch it with .batch(n, drop_remainder=True)." if image.shape.rank == 3 else ""
            raise InvalidInput(
                f"The dataset gives images {image.dtype.name} {image.shape.as_list() if image.shape.rank else image.shape}; "
                f"wanted uint8 [b, {', '.join(map(str, self.image_spec.shape))}] in [0, {self.image_spec.levels - 1}].{hint}"
            )
        if training and replica_count_of(self) > 1 and image.shape[0] is None:
            raise InvalidInput(
                "The dataset may end in a short batch, which replicas cannot split evenly; batch it with drop_remainder=True."
            )
        if dataset.cardinality() == 0 or next(iter(dataset.take(1)), None) is None:
            raise InvalidInput("The dataset is empty; give at least one batch (is the batch larger than the data?).")
        if self.image_spec.levels < 256:
            dataset = dataset.map(self._assert_levels, num_parallel_calls=tf.data.AUTOTUNE)
        if training and self.batches_per_step > 1:
            dataset = dataset.batch(self.batches_per_step, drop_remainder=True).map(
                lambda batch: {key: tf.transpose(v, [1, 0, *range(2, v.shape.rank)]) for key, v in batch.items()}
            )
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _assert_levels(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        levels = self.image_spec.levels
        highest = tf.cast(tf.reduce_max(batch["image"]), tf.int32)
        message = f"The dataset's images exceed level {levels - 1}; quantise them, or build the model with more levels."
        with tf.control_dependencies([tf.debugging.assert_less(highest, levels, message)]):
            return {key: tf.identity(value) for key, value in batch.items()}


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


def replica_count_of(model: keras.Model) -> int:
    """How many replicas train this model: those of the strategy in whose scope it was built."""
    return model.distribute_strategy.num_replicas_in_sync if model.distribute_strategy else replica_count()


def _as_batch(*element: Any) -> dict[str, tf.Tensor]:
    if len(element) == 1 and isinstance(element[0], dict):
        return dict(element[0])
    return {"image": element[0]} if len(element) == 1 else {"image": element[0], "label": element[1]}
