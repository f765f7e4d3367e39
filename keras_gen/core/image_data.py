"""A set of images in memory and the order in which training meets them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec

AUGMENTATIONS = ("flip",)
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class ImageData:
    """One split of a data set.

    ``features`` maps ``"image"`` to uint8 ``[n, h, w, c]`` and anything else (``"label"`` ...) to arrays of ``n`` rows.
    """

    name: str
    split: str
    image_spec: ImageSpec
    features: Mapping[str, np.ndarray]

    def __post_init__(self):
        self.image_spec.check(self.features["image"], f"images of {self.name}")
        for key, values in self.features.items():
            if len(values) != len(self):
                raise InvalidInput(
                    f"{self.name}: {len(values)} values of {key!r} for {len(self)} images; give one each."
                )

    def __len__(self) -> int:
        return len(self.features["image"])

    @property
    def images(self) -> np.ndarray:
        """uint8 ``[n, h, w, c]``."""
        return self.features["image"]

    def binarized(self, seed: int = 0) -> "ImageData":
        """Every value drawn once as Bernoulli(level / (levels - 1)): the images become binary and stay as drawn."""
        uniform = np.random.Generator(np.random.Philox(key=seed)).random(self.images.shape, dtype=np.float32)
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
        count = len(self)
        # On the host: a GPU must not be filled with the whole data set.
        with tf.device("CPU:0"):
            features = {key: tf.constant(values) for key, values in self.features.items()}

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.range(count, dtype=tf.int64)
            if shuffle:
                order = tf.random.experimental.stateless_shuffle(order, seed=tf.stack([tf.cast(seed, tf.int64), epoch]))
            rows = tf.data.Dataset.from_tensor_slices(order).batch(batch_size * turns, drop_remainder=drop_remainder)
            if turns > 1:
                rows = rows.map(lambda indices: tf.reshape(indices, [batch_size, turns]))
            return rows.map(lambda indices: pick(indices, epoch))

        def pick(indices: tf.Tensor, epoch: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = {key: tf.gather(values, indices) for key, values in features.items()}
            if augment == "flip":
                # A coin an image and epoch, wherever in the epoch the image stands.
                coins = tf.random.stateless_uniform([count], seed=tf.stack([tf.cast(seed + 1, tf.int64), epoch]))
                flip = tf.gather(coins, indices)[..., None, None, None] < 0.5
                batch["image"] = tf.where(flip, batch["image"][..., ::-1, :], batch["image"])
            return batch

        together = batch_size * turns
        steps = (epochs - first_epoch) * (count // together if drop_remainder else -(-count // together))
        batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
        return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)
