"""A set of images in memory, of one kind or of two, and the order in which training meets them."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec, as_array
from keras_gen.core.inputs import Input

AUGMENTATIONS = ("flip", "jitter", "jitter_flip")
SPLITS = ("train", "validation", "test")
NAMES_SHOWN = 20
JITTER = 286 / 256  # how much larger the picture is that a jittered one is cut out of (Isola et al. 2017, section 6.2)
# Streams of a seed: of the side "image", and so many further on of an unpaired "source".
ORDER, FLIPS, JITTERS, STREAMS = 0, 1, 2, 3


@dataclasses.dataclass(frozen=True)
class ImageData:
    """One split of a data set.

    ``features`` maps ``"image"`` to uint8 ``[n, h, w, c]``, ``"source"`` (where each image is to be made of another one) to
    uint8 ``[n, h2, w2, c2]``, and anything else (``"label"`` ...) to arrays of ``n`` rows. ``label_names[k]`` is what label
    ``k`` is called, the same in all splits of a data set; None where they have no names.

    Args:
        source_spec: of the sources; None where there are none, or to take shape and 256 levels from them.
        paired: whether source i belongs to image i. Otherwise the two are sets of their own, of any lengths: an epoch is as
            long as the longer one, and training meets each in an order of its own.
        truth_known: of unpaired sets: rows still belong together, which nothing is trained with but all can be measured by.
        redistributable: whether its terms let its pictures be shown and passed on. Of other data, numbers alone are kept:
            ``keras-gen results`` leaves the pictures out, and what was trained on it becomes no preset.
        kinds: what a feature's numbers stand for, by its name, where a model has to know: the names of a graph's objects, say.
    """

    name: str
    split: str
    image_spec: ImageSpec
    features: Mapping[str, np.ndarray]
    label_names: tuple[str, ...] | None = None
    source_spec: ImageSpec | None = None
    paired: bool = True
    truth_known: bool = False
    redistributable: bool = True
    kinds: Mapping[str, Input] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.features, Mapping) or "image" not in self.features:
            raise InvalidInput(f"{self.name} has no 'image' among its features; give a dict of arrays with one.")
        object.__setattr__(self, "image_spec", ImageSpec.from_any(self.image_spec))
        features = {key: as_array(values, f"{key!r} of {self.name}") for key, values in self.features.items()}
        features["image"] = self.image_spec.check(features["image"], f"images of {self.name}")
        if "source" in features:
            given = self.source_spec or ImageSpec.of(features["source"])
            object.__setattr__(self, "source_spec", ImageSpec.from_any(given))
            features["source"] = self.source_spec.check(features["source"], f"sources of {self.name}")
        elif self.source_spec is not None or not self.paired:
            raise InvalidInput(
                f"{self.name} has no 'source' among its features; give a dict with 'image' and 'source'."
            )
        object.__setattr__(self, "features", features)
        for key, values in features.items():
            wanted = len(features[self._side_of(key)])
            if values.shape[:1] != (wanted,):
                came = f"{len(values)} values" if values.ndim else "a single value"
                raise InvalidInput(f"{self.name}: {came} of {key!r} for {wanted} images; give one each.")
        if self.truth_known and (self.paired or len(set(self._sides().values())) > 1):
            raise InvalidInput(f"{self.name}: truth_known wants two sides of one length that are told to be unpaired.")

    def __len__(self) -> int:
        """How many images an epoch has: of two sets, the larger one's."""
        return max(self._sides().values())

    def _sides(self) -> dict[str, int]:
        """What is shuffled apart, and how many rows that has."""
        sides = ("image",) if self.paired else ("image", "source")
        return {side: len(self.features[side]) for side in sides}

    def _side_of(self, key: str) -> str:
        return "source" if key == "source" and not self.paired else "image"

    def unpaired(self) -> "ImageData":
        """Both sides as sets of their own, though it stays known which belong together."""
        return self if not self.paired else dataclasses.replace(self, paired=False, truth_known=True)

    def reversed(self) -> "ImageData":
        """Sources and images in each other's place; labels go with pairs alone, since they are the images'."""
        if self.source_spec is None:
            raise InvalidInput(f"{self.name} holds images alone; nothing can change places.")
        together = self.paired or self.truth_known
        rest = {key: self.features[key] for key in self.features if together and key not in ("image", "source")}
        return dataclasses.replace(
            self,
            image_spec=self.source_spec,
            source_spec=self.image_spec,
            features={"image": self.features["source"], "source": self.features["image"], **rest},
            label_names=self.label_names if together else None,
        )

    def taken(self, rows: Mapping[str, np.ndarray | slice]) -> "ImageData":
        """Some rows of each side: ``{"image": rows}``; of two sets, ``"source"`` too."""
        return dataclasses.replace(
            self, features={key: values[rows[self._side_of(key)]] for key, values in self.features.items()}
        )

    def check_kinds(self, kinds: Mapping[str, Input]) -> None:
        """``InvalidInput`` if a feature's numbers stand for something else than a model takes them for."""
        for name, kind in kinds.items():
            if name in self.kinds and self.kinds[name] != kind:
                raise InvalidInput(
                    f"{self.name} has its own {name} ({self.kinds[name].describe()!r:.120}...), this model takes another; "
                    f"build it with {name}=data.kinds[{name!r}], or give the data that it was trained on."
                )

    def __repr__(self) -> str:
        text = f"{self.name} ({self.split}): {len(self.images)} {self.image_spec}"
        if self.source_spec is not None:
            text += (
                f", {len(self.features['source'])} sources, {'' if self.paired else 'not paired, '}{self.source_spec}"
            )
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
        """The first ``count`` images (of each side), or all of them where there are fewer."""
        return self.taken({side: slice(count) for side in self._sides()})

    def random_rows(self, count: int, seed: int, of: str = "image") -> np.ndarray:
        """A random subset of ``count`` rows of one of the features, in order, or all where there are no more."""
        return _random_rows(len(self.features[of]), count, seed)

    def random_subset(self, count: int, seed: int) -> "ImageData":
        """A random subset of ``count`` images, of each side (files are often sorted), or all where there are no more."""
        if count >= len(self):
            return self
        return self.taken({side: _random_rows(rows, count, seed) for side, rows in self._sides().items()})

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
        sizes = {spec.shape[:2] for spec in (self.image_spec, self.source_spec) if spec is not None}
        if "jitter" in (augment or "") and self.paired and len(sizes) > 1:
            raise InvalidInput(
                f"augment={augment!r} cuts both pictures of a pair at one place, which wants one size; {self.name} has "
                f"{self.image_spec} and sources of {self.source_spec}. Leave it out, or give 'flip'."
            )
        if augment is not None and "boxes" in self.features:
            raise InvalidInput(
                f"augment={augment!r} would move the objects of {self.name} and leave their boxes and relations; leave it out."
            )
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
        uninterrupted one saw there. Of two unpaired sets each has an order of its own; the shorter one is gone through again
        and again, each time in a new order, so that all its images come up equally often.
        ``augment="flip"`` mirrors each image left to right with probability 1/2, ``"jitter"`` enlarges it by 286/256 and cuts
        its size out of that at random, ``"jitter_flip"`` does both: alike on both sides of a pair, apart on unpaired ones.
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
        """Epoch to its batches as ``(indices of each side, epoch)``."""
        longest, sides = len(self), self._sides()

        def order_of(side: str, epoch: tf.Tensor) -> tf.Tensor:
            """``[longest]``: where the side's endless row of permutations stands in this epoch."""
            count = sides[side]

            def permutation(cycle: tf.Tensor) -> tf.Tensor:
                rows = tf.range(count, dtype=tf.int64)
                if not shuffle:
                    return rows
                pair = _pair(seed + _stream(ORDER, side), cycle)
                return tf.random.experimental.stateless_shuffle(rows, seed=pair)

            if count == longest:
                return permutation(epoch)
            first, within = epoch * longest // count, epoch * longest % count
            cycles = tf.map_fn(permutation, first + tf.range(longest // count + 2, dtype=tf.int64))
            return tf.reshape(cycles, [-1])[within : within + longest]

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            orders = {side: order_of(side, epoch) for side in sides}
            rows = tf.data.Dataset.from_tensor_slices(orders).batch(batch_size * turns, drop_remainder=drop_remainder)
            if turns > 1:
                rows = rows.map(lambda each: {side: tf.reshape(v, [batch_size, turns]) for side, v in each.items()})
            return rows.map(lambda each: (each, epoch))

        return one_epoch

    def _picking(
        self, seed: int, augment: str | None
    ) -> Callable[[Mapping[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]:
        """``(indices of each side, epoch)`` to the batch."""
        # On the host: a GPU must not be filled with the whole data set.
        with tf.device("CPU:0"):
            features = {key: tf.constant(values) for key, values in self.features.items()}
        sides, pictures = self._sides(), [key for key in ("image", "source") if key in features]

        def draws(stream: int, side: str, indices: tf.Tensor, epoch: tf.Tensor, *shape: int) -> tf.Tensor:
            """Uniform, ``[*indices.shape, *shape]``: those of an image and epoch, wherever in the epoch the image stands."""
            pair = _pair(seed + _stream(stream, side), epoch)
            return tf.gather(tf.random.stateless_uniform([sides[side], *shape], seed=pair), indices)

        def pick(indices: Mapping[str, tf.Tensor], epoch: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = {key: tf.gather(values, indices[self._side_of(key)]) for key, values in features.items()}
            for key in pictures if augment else ():
                side = self._side_of(key)
                if "jitter" in augment:
                    batch[key] = _jittered(batch[key], draws(JITTERS, side, indices[side], epoch, 2))
                if "flip" in augment:
                    flip = draws(FLIPS, side, indices[side], epoch)[..., None, None, None] < 0.5
                    batch[key] = tf.where(flip, batch[key][..., ::-1, :], batch[key])
            return batch

        return pick


def _jittered(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Each of ``[..., h, w, c]`` cut out of itself enlarged, at the place that ``[..., 2]`` in ``[0, 1)`` say."""
    shape = images.shape[-3:]
    flat, draws = tf.reshape(images, [-1, *shape]), tf.reshape(draws, [-1, 2])
    large = [math.ceil(side * JITTER) for side in shape[:2]]
    enlarged = tf.image.resize(tf.cast(flat, tf.float32), large)  # bilinear: stays within the levels
    for axis in (0, 1):
        place = tf.cast(draws[:, axis] * (large[axis] - shape[axis] + 1), tf.int32)
        rows = place[:, None] + tf.range(shape[axis])
        enlarged = tf.gather(enlarged, rows, axis=1 + axis, batch_dims=1)
    cut = tf.reshape(tf.cast(tf.round(enlarged), tf.uint8), tf.shape(images))
    return tf.ensure_shape(cut, images.shape)


def _random_rows(rows: int, count: int, seed: int) -> np.ndarray:
    return np.sort(np.random.Generator(np.random.Philox(key=seed)).permutation(rows)[:count])


def _stream(kind: int, side: str) -> int:
    return kind + (STREAMS if side == "source" else 0)


def _pair(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    seed = (seed + 2**63) % 2**64 - 2**63  # of any size; those of 64 bits stay as they are
    return tf.stack([tf.constant(seed, tf.int64), epoch])


def _sized(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(tf.data.AUTOTUNE)
