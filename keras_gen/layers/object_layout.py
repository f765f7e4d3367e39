"""Objects to where they lie and back: masks warped into boxes, and boxes cut out of images, differentiable in both.

Both sample bilinearly, corners aligned (the first and last samples are the first and last pixel), zeros outside, as spatial
transformers do (Jaderberg et al. 2015). Boxes are upright, so a sample's weights are a product of one for its row and one for its
column, and all of it is matrix products.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.checks import sizes

NARROWEST = 0.01  # of a side: what a box is widened to that a network made narrower, or turned round


def tents(places: Any, count: int) -> Any:
    """How much each of ``count`` samples in a row, at 0, 1 ..., counts at ``places`` ``[...]`` between: ``[..., count]``."""
    distance = ops.abs(ops.expand_dims(places, -1) - ops.arange(count, dtype="float32"))
    return ops.relu(1.0 - distance)


def _ends(boxes: Any, axis: int) -> tuple[Any, Any]:
    """Where boxes ``[..., 4]`` begin along x (0) or y (1), and how wide they are there: ``[..., 1]`` each."""
    boxes = ops.cast(boxes, "float32")
    begin, end = boxes[..., axis : axis + 1], boxes[..., axis + 2 : axis + 3]
    return begin, ops.maximum(end - begin, NARROWEST)


def warped(masks: Any, boxes: Any, height: int, width: int) -> Any:
    """Masks ``[b, n, m, m]``, each in its box ``[b, n, 4]`` of a picture, zeros around: float32 ``[b, n, height, width]``."""
    sides = []
    for axis, count, samples in ((1, height, masks.shape[2]), (0, width, masks.shape[3])):
        begin, size = _ends(boxes, axis)
        pixels = ops.linspace(0.0, 1.0, count) if count > 1 else ops.zeros((1,))
        sides.append(tents((pixels - begin) / size * (samples - 1), samples))
    rows, columns = sides  # [b, n, height, m], [b, n, width, m]
    return ops.matmul(ops.matmul(rows, ops.cast(masks, "float32")), ops.transpose(columns, (0, 1, 3, 2)))


def cropped(images: Any, boxes: Any, size: int) -> Any:
    """What lies in each box ``[b, n, 4]`` of images ``[b, h, w, c]``: float32 ``[b, n, size, size, c]``."""
    images = ops.cast(images, "float32")
    height, width, channels = images.shape[1:]
    sides = []
    for axis, count in ((1, height), (0, width)):
        begin, extent = _ends(boxes, axis)
        steps = ops.linspace(0.0, 1.0, size) if size > 1 else ops.zeros((1,))
        sides.append(tents((begin + extent * steps) * (count - 1), count))
    rows, columns = sides  # [b, n, size, h], [b, n, size, w]
    boxes_each = rows.shape[1]
    flat = ops.reshape(rows, (-1, boxes_each * size, height))
    cut = ops.matmul(flat, ops.reshape(images, (-1, height, width * channels)))
    cut = ops.transpose(ops.reshape(cut, (-1, boxes_each, size, width, channels)), (0, 1, 3, 2, 4))
    cut = ops.matmul(columns, ops.reshape(cut, (-1, boxes_each, width, size * channels)))
    return ops.transpose(ops.reshape(cut, (-1, boxes_each, size, size, channels)), (0, 1, 3, 2, 4))


@keras.saving.register_keras_serializable("keras_gen")
class ObjectLayout(layers.Layer):
    """Johnson et al. 2018, section 3: each object's vector wherever its mask lies in the picture, summed over the objects.

    Of vectors ``[b, n, d]``, boxes ``[b, n, 4]`` and masks ``[b, n, m, m]`` the layout ``[b, height, width, d]``.
    """

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.height, self.width = sizes(height=height, width=width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "height": self.height, "width": self.width}

    def call(self, inputs: Sequence[Any]) -> Any:
        """The layout."""
        vectors, boxes, masks = inputs
        where = warped(masks, boxes, self.height, self.width)
        where = ops.transpose(where, (0, 2, 3, 1))  # [b, height, width, n]
        where = ops.reshape(where, (-1, self.height * self.width, where.shape[-1]))
        found = ops.matmul(ops.cast(where, vectors.dtype), vectors)
        return ops.reshape(found, (-1, self.height, self.width, vectors.shape[-1]))

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """``[b, height, width, d]``."""
        return (input_shape[0][0], self.height, self.width, input_shape[0][-1])
