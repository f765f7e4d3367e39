"""What sg2im is trained to beside its images (Johnson et al. 2018): pure functions, an image each, unreduced."""

import tensorflow as tf

from keras_gen.core.replicas import global_batch_mean


def over_objects(values: tf.Tensor, there: tf.Tensor, training: bool) -> tf.Tensor:
    """What an image pays for its objects, ``[b]``, of values ``[b, n]`` and which objects are there ``[b, n]``.

    The authors' code averages over all objects of a batch, so an image of many counts more. A sum over an image's objects,
    divided by how many the images of the (global) batch have on average, has that as its mean; of held-out images, whose last
    batch may be uneven, by the average of those at hand.
    """
    weights = tf.cast(there, tf.float32)
    counts = tf.reduce_sum(weights, axis=1)
    mean = global_batch_mean(counts) if training else tf.reduce_mean(counts)
    return tf.reduce_sum(tf.where(there, values, 0.0), axis=1) / tf.maximum(mean, 1e-6)


def box_loss(boxes: tf.Tensor, predicted: tf.Tensor, there: tf.Tensor, training: bool) -> tf.Tensor:
    """The mean square of the four ends of boxes ``[b, n, 4]`` of the objects that are there and have one (none has -1):
    ``[b]``.
    """
    boxes = tf.cast(boxes, tf.float32)
    errors = tf.reduce_mean(tf.square(boxes - predicted), axis=-1)
    return over_objects(errors, there & tf.reduce_all(boxes >= 0, axis=-1), training)


def mask_loss(masks: tf.Tensor, logits: tf.Tensor, there: tf.Tensor, training: bool) -> tf.Tensor:
    """The mean cross-entropy of the pixels of masks ``[b, n, m, m]`` of the objects that are there and have one (none is 2), nats
    ``[b]``.
    """
    masks = tf.cast(masks, tf.float32)
    known = tf.reduce_all(masks < 1.5, axis=[2, 3])
    errors = tf.nn.sigmoid_cross_entropy_with_logits(tf.minimum(masks, 1.0), tf.cast(logits, tf.float32))
    return over_objects(tf.reduce_mean(errors, axis=[2, 3]), there & known, training)
