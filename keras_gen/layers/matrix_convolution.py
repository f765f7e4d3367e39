"""4x4 convolutions of stride 2 on maps of few pixels as single matrix products.

At the bottom of a U-Net a layer of 1024 to 512 maps has 8 million weights and 4 pixels: what counts is how often the weights are
read. A product reads them once; TensorFlow's convolutions bring them into an order of their own first, each time.
"""

from typing import Any

import tensorflow as tf

KERNEL = 4
FEW_PIXELS = 64  # of all images together, at the smaller end


@tf.custom_gradient
def transposed(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """``tf.nn.conv2d_transpose`` ("SAME") of ``[b, h, w, i]`` with ``[4, 4, o, i]``: ``[b, 2h, 2w, o]``; known sizes alone."""
    matrix = tf.reshape(kernel, (-1, kernel.shape[3]))  # [16 o, i]
    rows = tf.reshape(inputs, (-1, inputs.shape[3]))  # [b h w, i]

    def gradients(slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        patches = _patches(slope)
        of_inputs = tf.reshape(tf.matmul(patches, matrix), inputs.shape)
        return of_inputs, tf.reshape(tf.matmul(patches, rows, transpose_a=True), kernel.shape)

    return _spread(tf.matmul(rows, matrix, transpose_b=True), inputs.shape, kernel.shape[2]), gradients


@tf.custom_gradient
def strided(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """``tf.nn.conv2d`` ("SAME", stride 2) of ``[b, 2h, 2w, i]`` with ``[4, 4, i, o]``: ``[b, h, w, o]``; known sizes alone."""
    batch, height, width, maps = inputs.shape
    shape = tf.TensorShape((batch, height // 2, width // 2, kernel.shape[3]))
    matrix = tf.reshape(kernel, (-1, kernel.shape[3]))  # [16 i, o]
    patches = _patches(inputs)

    def gradients(slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.reshape(slope, (-1, kernel.shape[3]))
        of_inputs = _spread(tf.matmul(rows, matrix, transpose_b=True), shape, maps)
        return of_inputs, tf.reshape(tf.matmul(patches, rows, transpose_a=True), kernel.shape)

    return tf.reshape(tf.matmul(patches, matrix), shape), gradients


def few_pixels(maps: Any, factor: int = 1) -> bool:
    """Whether a tensor ``[b, factor h, factor w, c]`` of known size has so few places ``[b, h, w]`` that a product is quicker."""
    pixels = maps.shape[:-1].num_elements() if tf.is_tensor(maps) else None
    return pixels is not None and pixels <= FEW_PIXELS * factor**2


def _patches(maps: tf.Tensor) -> tf.Tensor:
    """``[b, 2h, 2w, c]`` to what each of ``[b, h, w]`` places of a strided convolution sees: ``[b h w, 16 c]``."""
    size, stride, rate = [1, KERNEL, KERNEL, 1], [1, 2, 2, 1], [1, 1, 1, 1]
    return tf.reshape(tf.image.extract_patches(maps, size, stride, rate, "SAME"), (-1, KERNEL * KERNEL * maps.shape[3]))


def _spread(patches: tf.Tensor, shape: tf.TensorShape, maps: int) -> tf.Tensor:
    """The other way: ``[b h w, 16 c]`` added up where they overlap, ``[b, 2h, 2w, c]``.

    Pixel ``2 p + t - 1`` gets tap ``t`` of place p: taps 0 and 1 go to the pair of pixels ``p``, 2 and 3 to the pair ``p + 1``.
    """
    batch, height, width, _ = shape
    taps = tf.reshape(patches, (batch, height, width, 2, 2, 2, 2, maps))
    pairs = tf.add_n(
        [
            tf.pad(
                tf.reshape(taps[:, :, :, down, :, across], (batch, height, width, 4 * maps)),
                [[0, 0], [down, 1 - down], [across, 1 - across], [0, 0]],
            )
            for down in (0, 1)
            for across in (0, 1)
        ]
    )
    return tf.nn.depth_to_space(pairs, 2)[:, 1:-1, 1:-1]
