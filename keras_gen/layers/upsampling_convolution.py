"""Transposed convolutions of 4x4 and stride 2 that train in the quickest of three forms."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.matrix_convolution import few_pixels, transposed

FEW_MAPS = 4  # up to so many leaving maps, measured by benchmarks/transposed_convolution.py


@keras.saving.register_keras_serializable("keras_gen")
class UpsamplingConvolution(layers.Conv2DTranspose):
    """``keras.layers.Conv2DTranspose(filters, 4, 2, "same")``, the same weights and numbers: ``[b, h, w, i]`` to twice the sides.

    In training, where few maps leave, as of a generator's last layer, it is computed as one 2x2 convolution whose maps are
    moved to pixels (``depth_to_space``; Shi et al. 2016): a forward and backward pass is then 1.4 to 1.6 times as fast on a CPU.
    Where there are few pixels, as at the bottom of a U-Net, it is a single matrix product.
    Out of training it is Keras' own, which exports well.
    """

    def __init__(self, filters: int, kernel_size: Any = 4, strides: Any = 2, padding: str = "same", **kwargs: Any):
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        if (self.kernel_size, self.strides, self.padding) != ((4, 4), (2, 2), "same") or self.dilation_rate != (1, 1):
            raise InvalidInput(
                f"UpsamplingConvolution got kernel_size={kernel_size}, strides={strides}, padding={padding!r}; it is of 4, 2 and "
                "'same'. Use keras.layers.Conv2DTranspose."
            )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The larger maps."""
        few = self.filters > FEW_MAPS and few_pixels(inputs)
        if not training or not tf.is_tensor(inputs) or (self.filters > FEW_MAPS and not few):
            return super().call(inputs)
        outputs = (transposed if few else quick)(inputs, tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype))
        if self.bias is not None:
            outputs = outputs + tf.cast(tf.convert_to_tensor(self.bias), outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)


@tf.custom_gradient
def quick(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """``subpixel`` forwards; backwards the gradients of TensorFlow's own form, which are the quicker ones at every size."""

    def gradients(slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_inputs = tf.nn.conv2d(slope, kernel, 2, "SAME")
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=slope, filter_sizes=tf.shape(kernel), out_backprop=inputs, strides=[1, 2, 2, 1], padding="SAME"
        )
        return of_inputs, of_kernel

    return subpixel(inputs, kernel), gradients


def subpixel(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transposed convolution of ``[b, h, w, i]`` with ``[4, 4, o, i]``, stride 2: ``[b, 2h, 2w, o]``.

    Output ``2p`` is made of inputs ``p - 1`` and ``p`` by taps 3 and 1, output ``2p + 1`` of ``p`` and ``p + 1`` by 2 and 0. A
    2x2 convolution at every place between the pixels of the padded map gives outputs ``2p - 1`` (taps 2, 0) and ``2p`` (3, 1);
    the outermost ones are cut off.
    """
    batch, height, width = (size or tf.shape(inputs)[axis] for axis, size in enumerate(inputs.shape[:3]))
    taps = tf.stack([kernel[2::-2], kernel[3::-2]])  # [down's parity, 2, 4, o, i]
    taps = tf.stack([taps[:, :, 2::-2], taps[:, :, 3::-2]], axis=1)  # [down's parity, across' parity, 2, 2, o, i]
    taps = tf.transpose(taps, (2, 3, 5, 0, 1, 4))  # [2, 2, i, down's parity, across' parity, o]
    outputs = kernel.shape[2]
    padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
    maps = tf.nn.conv2d(padded, tf.reshape(taps, (2, 2, -1, 4 * outputs)), 1, "VALID")
    pixels = tf.nn.depth_to_space(maps, 2)
    return tf.reshape(pixels[:, 1:-1, 1:-1], (batch, 2 * height, 2 * width, outputs))
