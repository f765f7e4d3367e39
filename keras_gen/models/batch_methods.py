"""Keras' ways in, for images: ``fit``, ``evaluate``, ``predict`` and the ``*_on_batch`` methods, all through one border."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.border import Border, is_batched, marked, own_errors, refuse_unused
from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.replicas import replica_count, uneven_batch
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE
from keras_gen.layers.pixel_bias import PixelBias
from keras_gen.training.epoch_order import EpochOrder

MOST_FOR_THE_MEAN = 10_000  # images of a dataset


class BatchMethods(keras.Model):
    """A model whose steps take dicts with ``"image"``: uint8 ``[b, *image_spec.shape]``, checked whatever they came from.

    A subclass has ``image_spec``, ``seed``, ``condition_spec()`` and ``steps_made()``.
    """

    # How many batches one training step takes; a two-player model sets it to its critic's turns.
    batches_per_step = 1
    # Whether the conditions are what ``call`` predicts (a classifier's labels), not what it is given.
    predicts_conditions = False
    # Whether ``"source"`` and ``"image"`` are two sets to be turned into each other, ``fit(a, b)``, not pairs.
    unpaired = False

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
        integer labels ``[n]``. A model that makes images of others takes these as ``"source"`` in the dict; one that learns
        from two sets takes ``fit(a, b)``. Arrays are cut into full batches, in an order (and with augmentations) that
        ``data_seed or seed`` and the number of epochs that the optimizer has behind it decide: training goes on where it
        stands, through ``fit(epochs=n)``, n times ``fit(epochs=1)``, a reloaded model or Keras' ``BackupAndRestore`` alike;
        ``compile`` begins anew. ``initial_epoch`` only says which number the first epoch has for callbacks. The rest is
        Keras' own (``callbacks``, ``verbose``, ``steps_per_epoch`` ...).
        """
        refuse_unused(kwargs, "fit got")
        epochs, initial_epoch = integer("epochs", epochs, 1), integer("initial_epoch", initial_epoch, 0)
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
            self.before_training(dataset)
            if validation_data is not None:
                size = kwargs.pop("validation_batch_size", None if is_batched(validation_data) else batch_size)
                validation_data = self._held_out(validation_data, None, size)
            return super().fit(
                dataset,
                epochs=epochs,
                initial_epoch=initial_epoch,
                validation_data=validation_data,
                shuffle=False,
                **kwargs,
            )

    def before_training(self, batches: tf.data.Dataset | keras.utils.PyDataset) -> None:
        """Called by ``fit`` with the checked batches that it will take: a model that starts from data looks at the first."""

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
        data = self.border().data(x, y)
        self.before_training(data.batches(len(data), shuffle=False))
        return super().train_on_batch(self._one_batch(data), return_dict=return_dict)

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

    def start_at_mean(self, networks: Sequence[keras.Model], x: Any, y: Any = None) -> None:
        """Every ``PixelBias`` of the networks starts at the mean of the images that ``fit`` was given."""
        layers = [one for network in networks for one in network._flatten_layers() if isinstance(one, PixelBias)]
        if layers:
            mean = self._mean_image(x, y)
            for layer in layers:
                layer.start_at(mean)

    def _mean_image(self, x: Any, y: Any) -> np.ndarray:
        """``[h, w, c]`` in ``[0, 1]``; of what comes in batches, that of the first ones."""
        top = self.image_spec.levels - 1
        if not is_batched(x):
            return self.as_image_data(x, y).images.mean(0) / top
        if not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
            raise InvalidInput(
                "This network starts at the mean of the training images, for which a generator of batches would be "
                "used up; give arrays, a tf.data.Dataset or a keras.utils.PyDataset."
            )
        with own_errors():
            batches, total, count = self.border().batches(x, y, training=False), np.zeros(self.image_spec.shape), 0
            if isinstance(batches, keras.utils.PyDataset):
                batches = (batches[index] for index in range(batches.num_batches or 1))
            for batch in batches:
                images = np.asarray(batch["image"])
                total, count = total + images.sum(0), count + len(images)
                if count >= MOST_FOR_THE_MEAN:
                    break
        return total / count / top

    def border(self, predicting: bool = False) -> Border:
        """What this model takes to train on, or (``predicting``) for ``call`` alone."""
        spec = {} if predicting and self.predicts_conditions else self.condition_spec()
        conditions = {name: kind for name, kind in spec.items() if kind.of_data}
        training = replica_count_of(self), self.batches_per_step, self.unpaired
        return Border(type(self).__name__, self.image_spec, conditions, *training)

    def as_image_data(self, x: Any, y: Any = None) -> ImageData:
        """Arrays as checked ``ImageData``; an ``InvalidInput`` says what is wrong with them."""
        return self.border().data(x, y)

    def batch_of(self, inputs: Any) -> dict[str, Any]:
        """What ``call`` was given, as a batch: values are checked where they are known, dtypes and shapes in a graph too."""
        with marked():  # Keras wraps what call raises in words of its own
            border = self.border(predicting=True)
            features = border.features(inputs)
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
            if batch_size is not None:
                raise InvalidInput(f"x is a {type(x).__name__}, which batches by itself; leave batch_size out.")
            return border.batches(x, y, training=False)
        return border.data(x, y).batches(self._batch_size(batch_size), shuffle=False, drop_remainder=False)

    def _one_batch(self, x: Any, y: Any = None) -> dict[str, Any]:
        border = self.border()
        # Again, as a batch: two sets of different lengths are none.
        return border.per_replica(border.arrays(border.data(x, y).features), self.distribute_strategy)

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


def replica_count_of(model: keras.Model) -> int:
    """How many replicas train this model: those of the strategy in whose scope it was built."""
    return model.distribute_strategy.num_replicas_in_sync if model.distribute_strategy else replica_count()
