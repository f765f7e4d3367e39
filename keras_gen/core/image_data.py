"""A set of images in memory and the order in which training meets them."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec, as_array

AUGMENTATIONS = ("flip",)
SPLITS = ("train", "validation", "test")
NAMES_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class ImageData:
    """One split of a data set.

    ``features`` maps ``"image"`` to uint8 ``[n, h, w, c]`` and anything else (``"label"`` ...) to arrays of ``n`` rows.
    ``label_names[k]`` is what label ``k`` is called, the same in all splits of a data set; None where they have no names.
    """

    name: str
    split: str
    image_spec: ImageSpec
    features: Mapping[str, np.ndarray]
    label_names: tuple[str, ...] | None = None

    def __post_init__(self):
        if not isinstance(self.features, Mapping) or "image" not in self.features:
            raise InvalidInput(f"{self.name} has no 'image' among its features; give a dict of arrays with one.")
        object.__setattr__(self, "image_spec", ImageSpec.from_any(self.image_spec))
        features = {key: as_array(values, f"{key!r} of {self.name}") for key, values in self.features.items()}
        features["image"] = self.image_spec.check(features["image"], f"images of {self.name}")
        object.__setattr__(self, "features", features)
        for key, values in features.items():
            if values.shape[:1] != (len(self),):
                came = f"{len(values)} values" if values.ndim else "a single value"
                raise InvalidInput(f"{self.name}: {came} of {key!r} for {len(self)} images; give one each.")

    def __len__(self) -> int:
        return len(self.features["image"])

    def __repr__(self) -> str:
        text = f"{self.name} ({self.split}): {len(self)} {self.image_spec}"
        return f"{text}, labels {self.named_labels()}" if self.label_names else text

    def named_labels(self) -> str:
        """Labels and their names, ``0 cat, 1 dog``, the first twenty; empty where they have none."""
        names = self.label_names or ()
        shown = [f"{label} {name}" for label, name in enumerate(names[:NAMES_SHOWN])]
        more = len(names) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    @property
    def images(self) -> np.ndarray:
        """uint8 ``[n, h, w, c]``."""
        return self.features["image"]

    def first(self, count: int) -> "ImageData":
        """The first ``count`` images, or all of them where there are fewer."""
        return dataclasses.replace(self, features={key: values[:count] for key, values in self.features.items()})

    def random_rows(self, count: int, seed: int) -> np.ndarray:
        """A random subset of ``count`` rows, in order."""
        return np.sort(np.random.Generator(np.random.Philox(key=seed)).permutation(len(self))[:count])

    def random_subset(self, count: int, seed: int) -> "ImageData":
        """A random subset of ``count`` images (files are often sorted), or all of them where there are no more."""
        if count >= len(self):
            return self
        rows = self.random_rows(count, seed)
        return dataclasses.replace(self, features={key: values[rows] for key, values in self.features.items()})

    def binarized(self, seed: int = 0) -> "ImageData":
        """Every value drawn once as Bernoulli(level / (levels - 1)): the images become binary and stay as drawn."""
        key = integer("seed", seed) % 2**128
        uniform = np.random.Generator(np.random.Philox(key=key)).random(self.images.shape, dtype=np.float32)
        drawn = (uniform * (self.image_spec.levels - 1) < self.images).astype(np.uint8)
        spec = dataclasses.replace(self.image_spec, levels=2)
        return dataclasses.replace(self, image_spec=spec, features={**self.features, "image": drawn})

    def check_batches(
        self, batch_size: int, *, turns: int = 1, drop_remainder: bool = True, augment: str | None = None
    ) -> None:
        """``InvalidInput`` unless ``batches`` with these arguments gives one at least."""
        if augment is not None and augment not in AUGMENTATIONS:
            raise InvalidInput(f"augment={augment!r} is unknown; give one of {', '.join(AUGMENTATIONS)} or nothing.")
        if batch_size < 1 or (drop_remainder and batch_size * turns > len(self)):
            times = f" (times {turns} critic steps)" if turns > 1 else ""
            raise InvalidInput(
                f"batch_size={batch_size}{times} with {len(self)} images of {self.name} ({self.split}) makes no full "
                f"batch; give a batch_size from 1 to {len(self) // turns}."
            )

    def batches(
        self,
        batch_size: int,
        *,
        epochs: int = 1,
        first_epoch: int = 0,
        seed: int = 0,
        shuffle: bool = True,
        drop_remainder: bool = True,
        augment: str | None = None,
        turns: int = 1,
    ) -> tf.data.Dataset:
        """Batches (dicts) of epochs ``first_epoch`` to ``epochs - 1``, one epoch after the other.

        The order, and every augmentation, is a pure function of ``(seed, epoch)``: a run resumed at epoch 7 sees what the
        uninterrupted one saw there. ``augment="flip"`` mirrors each image left to right with probability 1/2.
        ``turns=k > 1`` gives k batches at once, as ``[batch, k, ...]``: one a critic turn.
        """
        self.check_batches(batch_size, turns=turns, drop_remainder=drop_remainder, augment=augment)
        together = batch_size * turns
        per_epoch = len(self) // together if drop_remainder else -(-len(self) // together)
        order, pick = self._order(batch_size, seed, shuffle, drop_remainder, turns), self._picking(seed, augment)
        batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(order).map(pick)
        return _sized(batches, (epochs - first_epoch) * per_epoch)

    def training_epoch(
        self,
        batch_size: int,
        epoch: Callable[[], int],
        *,
        steps: int,
        seed: int = 0,
        shuffle: bool = True,
        augment: str | None = None,
        turns: int = 1,
    ) -> tf.data.Dataset:
        """The batches of one epoch of training; which one, ``epoch`` says whenever an iteration begins.

        Every epoch has ``steps`` batches. Where these are not all full ones, they cut one endless row of batches into epochs,
        so that none is left out: epoch e has those from ``e steps`` on. Otherwise as ``batches``.
        """
        self.check_batches(batch_size, turns=turns, augment=augment)
        per_epoch = self.full_batches(batch_size, turns)
        order, pick = self._order(batch_size, seed, shuffle, True, turns), self._picking(seed, augment)

        def begin(_: tf.Tensor) -> tf.data.Dataset:
            first = tf.ensure_shape(tf.numpy_function(lambda: np.int64(epoch()), [], tf.int64), []) * steps
            row = tf.data.Dataset.range(first // per_epoch, tf.int64.max).flat_map(order)
            return row.skip(first % per_epoch).take(steps)

        return _sized(tf.data.Dataset.from_tensors(0).flat_map(begin).map(pick), steps)

    def full_batches(self, batch_size: int, turns: int = 1) -> int:
        """How many full batches (of ``turns`` batches each) there are; ``InvalidInput`` if none."""
        self.check_batches(batch_size, turns=turns)
        return len(self) // (batch_size * turns)

    def _order(
        self, batch_size: int, seed: int, shuffle: bool, drop_remainder: bool, turns: int
    ) -> Callable[[tf.Tensor], tf.data.Dataset]:
        """Epoch to its batches as ``(indices, epoch)``."""
        count = len(self)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.range(count, dtype=tf.int64)
            if shuffle:
                order = tf.random.experimental.stateless_shuffle(order, seed=_pair(seed, epoch))
            rows = tf.data.Dataset.from_tensor_slices(order).batch(batch_size * turns, drop_remainder=drop_remainder)
            if turns > 1:
                rows = rows.map(lambda indices: tf.reshape(indices, [batch_size, turns]))
            return rows.map(lambda indices: (indices, epoch))

        return one_epoch

    def _picking(self, seed: int, augment: str | None) -> Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
        """``(indices, epoch)`` to the batch."""
        count = len(self)
        # On the host: a GPU must not be filled with the whole data set.
        with tf.device("CPU:0"):
            features = {key: tf.constant(values) for key, values in self.features.items()}

        def pick(indices: tf.Tensor, epoch: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = {key: tf.gather(values, indices) for key, values in features.items()}
            if augment == "flip":
                # A coin an image and epoch, wherever in the epoch the image stands.
                coins = tf.random.stateless_uniform([count], seed=_pair(seed + 1, epoch))
                flip = tf.gather(coins, indices)[..., None, None, None] < 0.5
                batch["image"] = tf.where(flip, batch["image"][..., ::-1, :], batch["image"])
            return batch

        return pick


def _pair(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    seed = (seed + 2**63) % 2**64 - 2**63  # of any size; those of 64 bits stay as they are
    return tf.stack([tf.constant(seed, tf.int64), epoch])


def _sized(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)
