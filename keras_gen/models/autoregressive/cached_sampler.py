"""Ancestral sampling at a cost per pixel that does not grow with the image (Ramachandran et al. 2017).

Every layer keeps what later pixels will ask of it (see ``layers/causal.py``). Two nested loops, over rows and over columns;
they run under XLA, as a plain graph, and as ONNX ``Loop``, from the same lines.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.causal import Blanks, CausalLayer, at
from keras_gen.losses.pixel_distributions import PixelDistribution


@tf.autograph.experimental.do_not_convert  # its loops are written out, and to read all of a stack's code is half of tracing it
def draw_images(
    stack: Sequence[CausalLayer],
    distribution: PixelDistribution,
    spec: ImageSpec,
    noise: Mapping[str, tf.Tensor],
    blanks: Blanks,
    condition: tf.Tensor | None = None,
    known: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Images of the noise, uint8 ``[b, h, w, c]``.

    Args:
        stack: the network; its first layer takes the image in ``[-1, 1]``, its last gives the pixel's parameters.
        distribution: what the parameters mean.
        noise: name -> ``[b, h, w, ...]``.
        blanks: the stack's own, which keeps the shapes of what it remembers.
        condition: ``[b, conditions]`` or None.
        known: images ``[b, h, w, c]`` and a mask ``[b, h, w, 1]``, not 0 where their pixels are kept.
    """
    first = next(iter(noise.values()))
    batch = tf.shape(first)[0]
    weights = [layer.sampling_weights() for layer in stack]
    inputs = {name: tf.transpose(values, (1, 2, 0, 3)) for name, values in noise.items()}  # [h, w, b, ...]
    if known is not None:
        image, mask = (tf.transpose(tf.cast(x, tf.float32), (1, 2, 0, 3)) for x in known)
        inputs |= {"_image": image, "_mask": mask}

    def one_row(y: tf.Tensor, carried: Any, image: tf.TensorArray) -> tuple:
        above, values, kept = None, [], []
        for layer, weight, state in zip(stack, weights, carried):
            above, value, keep = layer.row(weight, state, y, above, condition)
            values.append(value)
            kept.append(keep)
        row, remembered = _row(stack, weights, values, distribution, spec, at(inputs, y), y, condition, blanks)
        carried = [layer.end_row(*state) for layer, *state in zip(stack, weights, carried, kept, remembered)]
        return y + 1, carried, image.write(y, row)

    image = tf.TensorArray(tf.float32, spec.height, element_shape=(spec.width, first.shape[0], spec.channels))
    carried = [layer.begin(batch, spec.width) for layer in stack]
    _, _, image = tf.while_loop(
        lambda y, *_: y < spec.height,
        one_row,
        (tf.constant(0), carried, image),
        maximum_iterations=spec.height,
        parallel_iterations=1,
    )
    return tf.cast(tf.transpose(image.stack(), (2, 0, 1, 3)), tf.uint8)


def _row(
    stack: Sequence[CausalLayer],
    weights: Sequence[Any],
    values: Sequence[Any],
    distribution: PixelDistribution,
    spec: ImageSpec,
    inputs: Mapping[str, tf.Tensor],
    y: tf.Tensor,
    condition: tf.Tensor | None,
    blanks: Blanks,
) -> tuple[tf.Tensor, Any]:
    """One row of levels ``[w, b, c]``, and what every layer remembers of it ``[w, b, ...]``."""

    def network(
        x: Any, windows: Sequence[Any], here: tf.Tensor, depth: int | None = None
    ) -> tuple[tf.Tensor, list, list]:
        """The first ``depth`` layers (all, without it) at column x."""
        after, remembered = [], []
        for layer, *state in list(zip(stack, weights, values, windows))[:depth]:
            here, window, memory = layer.pixel(*state, (y, x), here, condition)
            after.append(window)
            remembered.append(memory)
        return here, after, remembered

    def one_pixel(x: tf.Tensor, windows: Any, arrays: Any, row: tf.TensorArray) -> tuple:
        levels, windows, remembered = _pixel(network, x, windows, distribution, spec, at(inputs, x))
        written = [array.write(x, value) for array, value in zip(arrays, tf.nest.flatten(remembered), strict=True)]
        return x + 1, windows, written, row.write(x, levels)

    batch = tf.shape(next(iter(inputs.values())))[1]
    windows = [layer.windows(batch) for layer in stack]
    remembered = blanks.specs(lambda: network(0, windows, tf.zeros((batch, spec.channels)))[2])
    arrays = [tf.TensorArray(s.dtype, spec.width, element_shape=s.shape) for s in tf.nest.flatten(remembered)]
    row = tf.TensorArray(tf.float32, spec.width, element_shape=(None, spec.channels))
    _, _, arrays, row = tf.while_loop(
        lambda x, *_: x < spec.width,
        one_pixel,
        (tf.constant(0), windows, arrays, row),
        maximum_iterations=spec.width,
        parallel_iterations=1,
    )
    return row.stack(), tf.nest.pack_sequence_as(remembered, [array.stack() for array in arrays])


def _pixel(
    network: Any,
    x: tf.Tensor,
    windows: Sequence[Any],
    distribution: PixelDistribution,
    spec: ImageSpec,
    inputs: Mapping[str, tf.Tensor],
) -> tuple[tf.Tensor, list[Any], list[Any]]:
    """The levels of one pixel ``[b, c]``, channel after channel, the windows after it, and what is remembered of it.

    Masks keep a channel from what is not drawn yet, so its place holds zeros until then. What the layers remember depends
    on all channels but the last, which the first layer alone sees: it is computed once more at the end. Where the
    distribution couples the channels itself, one pass of the network gives the parameters of all.
    """
    unknown = tf.zeros_like(next(iter(inputs.values()))[:, 0])
    scaled, levels = [unknown] * spec.channels, []
    for channel in range(spec.channels):
        if channel == 0 or not distribution.couples_channels:
            here, after, remembered = network(x, windows, tf.stack(scaled, axis=-1))
        level = distribution.draw(here, channel, scaled[:channel], inputs)
        if "_mask" in inputs:
            level = tf.where(inputs["_mask"][:, 0] > 0.0, inputs["_image"][:, channel], level)
        levels.append(level)
        scaled[channel] = spec.to_unit(level)
    _, first_after, first_remembered = network(x, windows, tf.stack(scaled, axis=-1), depth=1)
    return tf.stack(levels, axis=-1), first_after + after[1:], first_remembered + remembered[1:]
