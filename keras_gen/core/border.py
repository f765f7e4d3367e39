"""The border of training data: whatever form images and labels come in, they become one kind of batch, or one error.

A batch is a dict: ``"image"`` uint8 ``[b, h, w, c]``, ``"label"`` integers ``[b]``, ``"source"`` uint8 ``[b, h2, w2, c2]``, and
what else a data set has. Arrays are checked whole, Python's batches one by one where they are made, and a ``tf.data`` pipeline
inside its own graph.
"""

import contextlib
import dataclasses
import itertools
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input

# Between these stands the text of an error of ours that a pipeline's threads raise.
_BEGIN, _END = "<keras_gen: ", " :keras_gen>"
_FORMS = (
    "uint8 images, (images, labels), a dict with 'image', what kg.data.load gives, a batched tf.data.Dataset, a "
    "keras.utils.PyDataset or a generator of batches"
)


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """An error of ours that TensorFlow carried out of a pipeline comes out as the ``InvalidInput`` that it is."""
    try:
        yield
    except (tf.errors.OpError, InvalidInput) as error:
        if found := re.search(f"{_BEGIN}(.*?){_END}", str(error), re.DOTALL):
            raise InvalidInput(found[1].replace("\\'", "'")) from None  # TensorFlow escapes what it prints
        raise


def is_batched(x: Any) -> bool:
    """Whether ``x`` gives batches (a dataset, a PyDataset, a generator) rather than holding all images at once."""
    return isinstance(x, (tf.data.Dataset, keras.utils.PyDataset, Iterator))


def refuse_unused(arguments: Mapping[str, Any], holder: str = "The data hold") -> None:
    """``InvalidInput`` if arguments or features hold weights or a split, which no model here honours."""
    for name in ("validation_split", "sample_weight", "class_weight"):
        value = arguments.get(name)
        if value is not None and not (name == "validation_split" and np.ndim(value) == 0 and value == 0):
            raise InvalidInput(f"{holder} {name}, which no generative model uses; leave it out.")


def features_of(x: Any, y: Any = None) -> dict[str, Any]:
    """Images, a dict, a pair or a triple, and labels beside them, as one dict; its values are not looked at."""
    if isinstance(x, tuple) or (isinstance(x, list) and _is_pair(x)):
        if y is not None or not 1 <= len(x) <= 3:
            raise InvalidInput(
                f"x is a tuple of {len(x)}{' with y beside it' if y is not None else ''}; wanted {_FORMS}."
            )
        x, y, weight = (*x, None, None)[:3]
        refuse_unused({"sample_weight": weight})
    features = dict(x) if isinstance(x, Mapping) else {"image": x}
    refuse_unused(features)
    if y is not None and "label" in features:
        raise InvalidInput("The labels came twice, in the dict and beside it; give them once.")
    if isinstance(y, Mapping):
        raise InvalidInput(
            f"y is a dict of {sorted(y)}; give the labels themselves, or one dict with 'image' and 'label'."
        )
    return features if y is None else {**features, "label": y}


@dataclasses.dataclass(frozen=True)
class Border:
    """What one model takes: images of ``image_spec`` and, for each, its ``conditions``.

    Args:
        model: its name, for errors.
        replicas: how many train in step.
        turns: how many batches one training step takes.
        unpaired: whether ``"source"`` and ``"image"`` are two sets that it learns to turn into each other, ``fit(a, b)``: of any
            lengths, and shuffled apart. Otherwise each source belongs to its image.
    """

    model: str
    image_spec: ImageSpec
    conditions: Mapping[str, Input]
    replicas: int = 1
    turns: int = 1
    unpaired: bool = False

    def features(self, x: Any, y: Any = None) -> dict[str, Any]:
        """``features_of``; of a model of two sets, a pair is ``(source, image)``."""
        if not self.unpaired or isinstance(x, Mapping):
            return features_of(x, y)
        pair = (x, y) if y is not None else x
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or any(part is None for part in pair):
            raise InvalidInput(
                f"{self.model} wants two sets of images: fit(a, b), or a dict with 'source' (a) and 'image' (b)."
            )
        return {"source": pair[0], "image": pair[1]}

    # --- all at once ------------------------------------------------------------------------------------------------

    def data(self, x: Any, y: Any = None) -> ImageData:
        """Arrays as checked ``ImageData``."""
        source = self.conditions.get("source")
        spec = source.spec if isinstance(source, Images) else None
        if not isinstance(x, ImageData):
            arrays = self.arrays(self.features(x, y), whole=True)
            spec = spec if "source" in arrays else None
            return ImageData(
                "the images given", "train", self.image_spec, arrays, source_spec=spec, paired=not self.unpaired
            )
        if y is not None:
            raise InvalidInput(f"{x.name} holds {'both sets' if self.unpaired else 'its labels'} already; leave y out.")
        if x.image_spec != self.image_spec:
            raise InvalidInput(
                f"{x.name} holds {x.image_spec}, this model makes {self.image_spec}; build it with "
                f"image_spec=data.image_spec."
            )
        if None not in (spec, x.source_spec) and x.source_spec != spec:
            raise InvalidInput(
                f"{x.name} holds sources of {x.source_spec}, this model takes {spec}; build it with "
                "source_spec=data.source_spec."
            )
        if not x.paired and not self.unpaired:
            raise InvalidInput(
                f"{x.name} holds two sets, and nobody says which images belong together; {self.model} takes one set, or pairs."
            )
        x.check_kinds(self.conditions)
        self.arrays(x.features, whole=True)
        return x.unpaired() if self.unpaired else x

    def arrays(self, features: Mapping[str, Any], whole: bool = False) -> dict[str, np.ndarray]:
        """The features as arrays: images, labels, conditions and counts checked.

        ``whole``: they are all there are, not a batch, and so two sets may differ in length.
        """
        if features.get("image") is None:
            came = "None" if "image" in features else f"a dict of {sorted(features)}"
            raise InvalidInput(f"x is {came}; wanted images, or a dict with 'image'.")
        read = {name: kind.read(name, features[name]) for name, kind in self.conditions.items() if name in features}
        arrays = {name: _as_array(name, values) for name, values in {**features, **read}.items()}
        arrays["image"] = self.image_spec.check(arrays["image"])
        self._require_conditions(arrays)
        n = len(arrays["image"])
        for name, values in arrays.items():
            if (name in self.conditions and self.conditions[name].converts) or name == "label":
                self._check_kind(name, values.dtype.name, values.shape)
            apart = whole and self.unpaired and name == "source"
            if values.ndim < 1 or (len(values) != n and not apart):
                raise InvalidInput(
                    f"{len(values) if values.ndim else 1} values of {name!r} for {n} images; give one each."
                )
        for name, kind in self.conditions.items():
            kind.check(name, arrays[name], len(arrays[name]))
        return arrays

    def per_replica(self, batch: dict[str, np.ndarray], strategy: tf.distribute.Strategy) -> dict[str, Any]:
        """A batch split over the replicas, each holding equally many examples."""
        if self.replicas == 1:
            return batch
        self.check_split(len(batch["image"]), "A batch")
        parts = {name: np.split(values, self.replicas) for name, values in batch.items()}
        return strategy.experimental_distribute_values_from_function(
            lambda context: {name: tf.constant(part[context.replica_id_in_sync_group]) for name, part in parts.items()}
        )

    def check_split(self, size: int, what: str) -> None:
        """``InvalidInput`` unless ``size`` images split evenly over the replicas."""
        if size % self.replicas:
            raise InvalidInput(
                f"{what} of {size} images does not split over {self.replicas} replicas; give a multiple of {self.replicas}."
            )

    def _require_conditions(self, features: Mapping[str, Any]) -> None:
        for name in self.conditions:
            if name not in features:
                pair = {"label": "fit(images, labels), or ", "source": "fit(a, b), or " if self.unpaired else ""}
                one, several = (name, name) if name.endswith("s") else (f"a {name}", f"{name}s")
                raise InvalidInput(
                    f"{self.model} wants {one} for each image; train and measure it on images with {several}: "
                    f"{pair.get(name, '')}a dict with 'image' and '{name}'."
                )

    def _check_kind(self, name: str, dtype: str, shape: Any) -> None:
        """``InvalidInput`` unless a condition is ``[n, ...]`` of its kind's type, labels integers ``[n]``, as far as is known."""
        kind, found = self.conditions.get(name), tf.as_dtype(dtype)
        floats, inner = (False, ()) if kind is None else (kind.dtype.startswith("float"), tuple(kind.shape))
        taken = found.is_integer or (floats and found.is_floating)
        if kind is not None and not kind.converts:
            taken = dtype == kind.dtype
        if taken and (shape is None or tuple(shape)[1:] == inner):
            return
        came = f"{dtype} {list(shape) if shape is not None else 'of unknown shape'}"
        if floats or inner:
            raise InvalidInput(f"{name} is {came}; wanted {kind.wanted(None)}.")
        hint = f" Flatten them with {name}s[:, 0]." if shape is not None and list(shape)[1:] == [1] else ""
        values = "integers" if kind is None else kind.values()
        raise InvalidInput(f"{name} is {came}; wanted {values}, one an image: [n].{hint}")

    # --- batch by batch ---------------------------------------------------------------------------------------------

    def batches(self, x: Any, y: Any = None, *, training: bool) -> tf.data.Dataset | keras.utils.PyDataset:
        """A dataset, PyDataset or generator of the user's as checked batches; for training, of ``turns`` at once.

        Batches of several turns are ``[b, turns, ...]``, full ones alone, as of arrays.
        """
        if y is not None:
            hold = "both images, as tf.data.Dataset.zip((a, b)) gives them" if self.unpaired else "their labels"
            raise InvalidInput(f"x is a {type(x).__name__}, whose batches hold {hold}; leave y out.")
        turns = self.turns if training else 1
        if isinstance(x, keras.utils.PyDataset):
            if training and self.replicas > 1:
                raise InvalidInput(
                    f"The batches of {type(x).__name__} may be of any size, which replicas cannot split evenly; give "
                    "arrays, or a tf.data.Dataset batched with drop_remainder=True."
                )
            return CheckedPyDataset(x, self, turns)
        if isinstance(x, tf.data.Dataset):
            dataset, size = self._checked(x, training)
            if size is None or turns == 1:  # else the first group is looked at, below
                size = self._first_size(dataset)
        else:
            dataset, size = self._of_generator(x, turns)
            dataset, _ = self._checked(dataset, training)
        if turns > 1:
            dataset = _grouped(dataset, size, turns)
            if isinstance(x, tf.data.Dataset) and next(iter(dataset.take(1)), None) is None:
                raise self.too_few(turns, size, "the dataset")
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _checked(self, dataset: tf.data.Dataset, training: bool) -> tuple[tf.data.Dataset, int | None]:
        """The dataset's batches as watched dicts, and their size where it is known."""

        @tf.autograph.experimental.do_not_convert  # its errors would come out in AutoGraph's words
        def as_dict(*element: Any) -> dict[str, Any]:
            return self.features(element if len(element) > 1 else element[0])

        dataset = dataset.map(as_dict, num_parallel_calls=tf.data.AUTOTUNE)
        if "image" not in dataset.element_spec:
            raise InvalidInput(f"The dataset gives dicts of {sorted(dataset.element_spec)}; wanted a key 'image'.")
        self.check_specs(dataset.element_spec, "The dataset gives images")
        size = dataset.element_spec["image"].shape[0]
        if training and self.replicas > 1:
            if size is None:
                raise InvalidInput(
                    "The dataset may end in a short batch, which replicas cannot split evenly; batch it with "
                    "drop_remainder=True."
                )
            self.check_split(size, "The dataset's batch")
        watched = tf.autograph.experimental.do_not_convert(self._watched)
        return dataset.map(watched, num_parallel_calls=tf.data.AUTOTUNE), size

    def _first_size(self, dataset: tf.data.Dataset) -> int:
        first = None if dataset.cardinality() == 0 else next(iter(dataset.take(1)), None)
        if first is None:
            raise InvalidInput("The dataset is empty; give at least one batch (is the batch larger than the data?).")
        return len(first["image"])

    def too_few(self, turns: int, size: int, source: str) -> InvalidInput:
        """The error of a source that does not fill one step of several turns."""
        return InvalidInput(
            f"A step of {self.model} takes {turns} batches of {size} images, one a critic step; {source} has fewer than "
            f"{turns * size} images. Give smaller batches or more images."
        )

    def check_specs(self, features: Mapping[str, Any], what: str) -> None:
        """``InvalidInput`` unless tensors, or their specs, can be a batch of this model: conditions, dtypes, shapes."""
        self._require_conditions(features)
        for name, value in features.items():
            dense = isinstance(value, (tf.TensorSpec, tf.Tensor, np.ndarray, keras.KerasTensor))
            if not dense or tf.TensorShape(value.shape).rank == 0:
                raise InvalidInput(f"{name!r} is a {type(value).__name__}; wanted a dense tensor, one row an image.")
        spec, dtype = self.image_spec, tf.as_dtype(features["image"].dtype).name
        shape = tf.TensorShape(features["image"].shape)
        if dtype != "uint8" or shape.rank != 4 or tuple(shape[1:]) != spec.shape:
            hint = " Batch it with .batch(n, drop_remainder=True)." if shape.rank == 3 else ""
            hint = " Say its shape with tf.ensure_shape." if shape.rank is None or None in shape[1:] else hint
            raise InvalidInput(
                f"{what} {dtype} {shape.as_list() if shape.rank is not None else shape}; "
                f"wanted uint8 [b, {', '.join(map(str, spec.shape))}] in [0, {spec.levels - 1}].{hint}"
            )
        for name in {"label", *self.conditions} & set(features):
            shape = tf.TensorShape(features[name].shape)
            known = None if shape.rank is None else shape.as_list()
            self._check_kind(name, tf.as_dtype(features[name].dtype).name, known)

    def _watched(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The batch behind assertions of what only its values show: levels, labels, counts."""
        checks = []

        def claim(holds: tf.Tensor, words: str, *values: tf.Tensor) -> None:
            checks.append(tf.debugging.Assert(holds, [tf.strings.format(_BEGIN + words + _END, values)]))

        levels, rows = self.image_spec.levels, tf.shape(batch["image"])[0]
        if batch["image"].shape[0] is None:
            claim(rows > 0, "A batch of the dataset holds no image at all; give at least one.")
        if levels < 256:
            highest = tf.cast(tf.reduce_max(batch["image"]), tf.int32)
            words = f"The dataset's images exceed level {levels - 1}, up to {{}}; quantise them, or build the model "
            claim(highest < levels, words + "with more levels.", highest)
        for name, kind in self.conditions.items():
            if kind.range is None:
                continue
            wide = tf.float64 if kind.dtype.startswith("float") else tf.int64
            low, high = (tf.cast(bound(batch[name]), wide) for bound in (tf.reduce_min, tf.reduce_max))
            words = f"The dataset's {name} {{}} is out of range; wanted {kind.values()}."
            fits = (low >= kind.range[0]) & (high <= kind.range[1])  # NaN does not
            claim(fits, words, tf.where(low < kind.range[0], low, high))
        for name, values in batch.items():
            if name != "image" and (values.shape.rank is None or None in (values.shape[0], batch["image"].shape[0])):
                count = tf.shape(values)[0]
                claim(count == rows, f"{{}} values of '{name}' for {{}} images in a batch; give one each.", count, rows)
        with tf.control_dependencies(checks):
            return {key: tf.identity(value) for key, value in batch.items()}

    def _of_generator(self, source: Iterator, turns: int) -> tuple[tf.data.Dataset, int]:
        """A generator's batches, each checked as arrays are; it is read once, and says so when it is read again."""
        first = next(source, None)
        if first is None:
            raise InvalidInput("The generator is empty; give at least one batch.")
        first = self.arrays(self.features(first))
        size, lock, rest = len(first["image"]), threading.Lock(), itertools.chain([first], source)

        def stream() -> Iterator[dict[str, np.ndarray]]:
            rows = 0
            while True:
                with lock, marked():  # a pipeline that Keras has left may still be reading ahead
                    batch = next(rest, None)
                    if batch is None and not rows:
                        raise InvalidInput(
                            "The generator has run out; it serves one epoch. Give steps_per_epoch (validation_steps) and an "
                            "endless one, or a tf.data.Dataset or keras.utils.PyDataset."
                        )
                    if batch is None and rows < turns * size:
                        raise self.too_few(turns, size, "the generator")
                    if batch is not None:
                        batch = _of_the_kind(self.arrays(self.features(batch)), first)
                        rows += len(batch["image"])
                if batch is None:
                    return
                yield batch

        signature = {name: tf.TensorSpec((None, *v.shape[1:]), v.dtype, name) for name, v in first.items()}
        return tf.data.Dataset.from_generator(stream, output_signature=signature), size


class CheckedPyDataset(keras.utils.PyDataset):
    """A user's PyDataset behind the border; workers, order and epochs stay its own.

    For several ``turns`` an item is as many batches at once, ``[b, turns, ...]``, full ones alone.
    """

    def __init__(self, source: keras.utils.PyDataset, border: Border, turns: int = 1):
        super().__init__(source.workers, source.use_multiprocessing, source.max_queue_size)
        self.source, self.border, self.turns = source, border, turns
        if source.num_batches == 0:
            raise InvalidInput(f"{type(source).__name__} is empty; give at least one batch.")
        self.first = self._checked(0)
        self.size, self._count = len(self.first["image"]), source.num_batches
        if turns > 1 and self._count is not None:
            self._count = (self._count - (len(self._checked(self._count - 1)["image"]) < self.size)) // turns
            if not self._count:
                raise border.too_few(turns, self.size, type(source).__name__)

    @property
    def num_batches(self) -> int | None:
        """How many items, None for an endless source."""
        return self._count

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        with marked():
            parts = [self._checked(self.turns * index + turn) for turn in range(self.turns)]
            if self.turns == 1:
                return parts[0]
            if any(len(part["image"]) != self.size for part in parts):
                raise InvalidInput(
                    f"{type(self.source).__name__} gives batches of {sorted({len(part['image']) for part in parts})} images; "
                    f"the {self.turns} of a step must be of one size, {self.size}."
                )
            return {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}

    def _checked(self, index: int) -> dict[str, np.ndarray]:
        batch = self.border.arrays(self.border.features(self.source[index]))
        return _of_the_kind(batch, self.first) if index else batch

    def on_epoch_begin(self) -> None:
        """The source's."""
        self.source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """The source's."""
        self.source.on_epoch_end()


def _grouped(dataset: tf.data.Dataset, size: int, turns: int) -> tf.data.Dataset:
    """``turns`` batches of ``size`` at once, ``[size, turns, ...]``; what is left at the end is dropped."""

    def by_turn(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        parts = {key: tf.reshape(v, (turns, size, *tf.unstack(tf.shape(v))[1:])) for key, v in batch.items()}
        turned = {key: tf.transpose(v, [1, 0, *range(2, v.shape.rank)]) for key, v in parts.items()}
        return {key: tf.ensure_shape(v, (size, turns, *batch[key].shape[1:])) for key, v in turned.items()}

    return dataset.rebatch(turns * size, drop_remainder=True).map(by_turn, num_parallel_calls=tf.data.AUTOTUNE)


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Marks our errors for ``own_errors`` on a thread whose exceptions TensorFlow turns into its own."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{_BEGIN}{error}{_END}") from None


def _is_pair(values: list) -> bool:
    """Whether a list is ``[images, labels]`` rather than a list of images."""
    return 1 < len(values) <= 3 and (isinstance(values[0], Mapping) or getattr(values[0], "ndim", 0) == 4)


def _as_array(name: str, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, NotImplementedError):
        array = None
    if array is None or array.dtype == object:
        raise InvalidInput(
            f"{name!r} is a {type(values).__name__} that is no array; wanted {_FORMS}. Of anything else that gives batches, "
            "pass iter(x) and steps_per_epoch."
        )
    return array


def _of_the_kind(batch: dict[str, np.ndarray], first: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The batch, in the dtypes of the first one; ``InvalidInput`` if its names or shapes are others."""
    if set(batch) != set(first):
        raise InvalidInput(f"A batch holds {sorted(batch)}, the first one {sorted(first)}; give the same each time.")
    for name, values in batch.items():
        if values.shape[1:] != first[name].shape[1:]:
            raise InvalidInput(
                f"{name!r} of a batch is {list(values.shape)}, of the first one {list(first[name].shape)}; give one shape."
            )
        if values.dtype.kind != first[name].dtype.kind:
            raise InvalidInput(
                f"{name!r} of a batch is {values.dtype}, of the first one {first[name].dtype}; give one dtype."
            )
    return {name: values.astype(first[name].dtype, copy=False) for name, values in batch.items()}
