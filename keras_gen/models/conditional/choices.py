"""One of several sentences, or graphs, that a batch holds of each image."""

from collections.abc import Mapping

import tensorflow as tf

from keras_gen.core.errors import InvalidInput


def chosen(batch: Mapping[str, tf.Tensor], one: str, several: str, draws: tf.Tensor | None, length: int) -> tf.Tensor:
    """``[b, m, length]``: of each image's rows called ``several`` ``[b, k, length]`` those that ``draws`` ``[b, m]`` in ``[0,
    1)`` say, one of several maybe twice.

    Without draws, or where the batch holds one row an image, that one, called ``one``: ``[b, 1, length]``.
    """
    if several not in batch or draws is None:
        return tf.convert_to_tensor(batch[one])[:, None]
    every = tf.convert_to_tensor(batch[several])
    if every.shape.rank != 3 or every.shape[-1] != length or not every.dtype.is_integer:
        raise InvalidInput(
            f"{several!r} are {every.dtype.name} {every.shape.as_list()}; wanted the numbers of all {several} of an image, "
            f"integers [b, k, {length}], or leave them out."
        )
    count = tf.shape(every)[1]
    places = tf.cast(tf.floor(draws * tf.cast(count, tf.float32)), tf.int32)
    return tf.gather(every, tf.minimum(places, count - 1), axis=1, batch_dims=1)
