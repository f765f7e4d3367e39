"""The buffer of earlier fakes that a discriminator is shown (Shrivastava et al. 2017, section 2.3; Zhu et al. 2017)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import NoiseSpec, Uniform

SWAP, PLACE = "swap", "place"


class ImagePool:
    """Up to ``size`` images of ``shape``, float32. Each new image, one after the other, goes through it:

    while the pool fills, the image is stored and returned; when it is full, with probability 1/2 the image takes the place of
    a stored one, which is returned, and otherwise it is returned itself.

    The state is two variables that are no weights: what is stored ``[size, *shape]``, and how many. Which images swap is decided
    by noise that is given, so that what a pool does is a function of its state, the images and the noise.
    """

    def __init__(self, size: int, shape: tuple[int, ...], name: str):
        self.size, self.name = size, name
        options = {"initializer": "zeros", "trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        self.images = keras.Variable(shape=(size, *shape), dtype="float32", name=f"{name}_images", **options)
        self.stored = keras.Variable(shape=(), dtype="int32", name=f"{name}_stored", **options)

    def noise_spec(self) -> NoiseSpec:
        """What ``exchange`` takes, one of each an image."""
        return {f"{self.name}_{SWAP}": Uniform(()), f"{self.name}_{PLACE}": Uniform(())}

    def exchange(self, images: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """What comes back for ``images`` ``[b, *shape]``, in their order; the pool moves on."""
        old, stored, count = tf.convert_to_tensor(self.images), tf.convert_to_tensor(self.stored), tf.shape(images)[0]
        numbers = tf.range(count)
        fills = stored + numbers < self.size
        swaps = ~fills & (noise[f"{self.name}_{SWAP}"] < 0.5)
        places = tf.minimum(tf.cast(noise[f"{self.name}_{PLACE}"] * self.size, tf.int32), self.size - 1)
        places = tf.where(fills, stored + numbers, places)
        enters = fills | swaps
        # [b, b]: whether an image, down, finds one of its own batch, across, in its place; the latest of them is there.
        finds = (places[:, None] == places) & enters & (numbers < numbers[:, None])
        latest = tf.reduce_max(tf.where(finds, numbers, -1), axis=1)
        found = tf.where(_rows(latest >= 0, images), tf.gather(images, tf.maximum(latest, 0)), tf.gather(old, places))
        returned = tf.where(_rows(swaps, images), found, images)
        overtaken = tf.reduce_any(finds & enters[:, None], axis=0)
        rows = tf.boolean_mask(numbers, enters & ~overtaken)
        self.images.assign(tf.tensor_scatter_nd_update(old, tf.gather(places, rows)[:, None], tf.gather(images, rows)))
        self.stored.assign(tf.minimum(stored + count, self.size))
        return returned

    def save(self, store: Any) -> None:
        """Writes what is stored."""
        store[self.name] = keras.ops.convert_to_numpy(self.images)[: int(keras.ops.convert_to_numpy(self.stored))]

    def load(self, store: Any) -> None:
        """Reads what ``save`` wrote; a file without it leaves the pool empty."""
        kept = (
            np.asarray(store[self.name])
            if self.name in store.keys()
            else np.zeros((0, *self.images.shape[1:]), np.float32)
        )
        if len(kept) > self.size or kept.shape[1:] != tuple(self.images.shape[1:]):
            raise InvalidInput(
                f"The file's {self.name} holds {list(kept.shape)}; wanted at most {list(self.images.shape)}. Load it into a "
                "model of the same pool_size and image sizes."
            )
        images = np.zeros(self.images.shape, np.float32)
        images[: len(kept)] = kept
        self.images.assign(images)
        self.stored.assign(len(kept))


def _rows(mask: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """``[b]`` as ``[b, 1, 1, 1]``."""
    return tf.reshape(mask, (-1, *[1] * (images.shape.rank - 1)))
