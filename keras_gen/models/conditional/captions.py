"""What models do with the captions of a batch: choose among them, tell apart, find images that they are wrong for."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from keras_gen.core.replicas import gathered, replica_count
from keras_gen.models.conditional.choices import chosen

ONE, ALL = "caption", "captions"  # of a batch: a sentence an image [b, length], and all of them [b, k, length]


def chosen_captions(batch: Mapping[str, tf.Tensor], draws: tf.Tensor | None, length: int) -> tf.Tensor:
    """``[b, m, length]``: of each image's captions those that ``draws`` ``[b, m]`` in ``[0, 1)`` say, one of several maybe twice.

    Without draws, or where the batch holds one caption an image, that one: ``[b, 1, length]``.
    """
    return chosen(batch, ONE, ALL, draws, length)


def embedded(network: keras.Model, captions: tf.Tensor) -> tf.Tensor:
    """The mean of the embeddings of each image's captions: ``[b, m, length]`` to ``[b, features]`` float32."""
    count, length = captions.shape[1], captions.shape[2]
    found = tf.cast(network(tf.reshape(captions, [-1, length]), training=False), tf.float32)
    return tf.reduce_mean(tf.reshape(found, [-1, count, found.shape[-1]]), axis=1) if count > 1 else found


def alike(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Which rows ``[b, ...]`` equal which others ``[B, ...]``: booleans ``[b, B]``."""
    equal = tf.equal(rows[:, None], others[None])
    return tf.reduce_all(tf.reshape(equal, [tf.shape(rows)[0], tf.shape(others)[0], -1]), axis=2)


def of_all(values: tf.Tensor, training: bool) -> tf.Tensor:
    """The rows of all replicas; of held-out batches, whose parts may differ in size, this replica's alone."""
    return gathered(values) if training else values


def wrong_images(images: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """For each caption the next image of the (global) batch that has another one, and another label where there are labels.

    Returns the images ``[b, h, w, c]``, and ``[b]``: 1 where there is such an image, else 0.
    """
    size, first = tf.shape(images)[0], 0
    if training and replica_count() > 1:
        first = tf.distribute.get_replica_context().replica_id_in_sync_group * size
    everyone = of_all(images, training)
    differ = None
    for key in (ONE, "label"):
        if key in batch:
            own = tf.cast(batch[key], tf.int32)
            different = ~alike(own, of_all(own, training))
            differ = different if differ is None else differ & different
    total = tf.shape(everyone)[0]
    order = (first + tf.range(size)[:, None] + 1 + tf.range(total)[None]) % total  # itself comes last
    fits = tf.gather(differ, order, axis=1, batch_dims=1)
    place = tf.argmax(tf.cast(fits, tf.int32), axis=1, output_type=tf.int32)
    chosen = tf.gather(order, place, axis=1, batch_dims=1)
    return tf.gather(everyone, chosen), tf.cast(tf.reduce_any(fits, axis=1), tf.float32)
