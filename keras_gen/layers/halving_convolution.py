"""Convolutions of 4x4 and stride 2 that train in the quicker of two forms."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.matrix_convolution import few_pixels, strided


@keras.saving.register_keras_serializable("keras_gen")
class HalvingConvolution(layers.Conv2D):
    """``keras.layers.Conv2D(filters, 4, 2, "same")``, the same weights and numbers: ``[b, 2h, 2w, i]`` to half the sides.

    In training, where few pixels leave, as at the bottom of a U-Net, it is a single matrix product; see
    ``layers/matrix_convolution.py``. Out of training it is Keras' own, which exports well.
    """

    def __init__(self, filters: int, kernel_size: Any = 4, strides: Any = 2, padding: str = "same", **kwargs: Any):
        super().__init__(filters, kernel_size, strides, padding, **kwargs)
        if (self.kernel_size, self.strides, self.padding) != ((4, 4), (2, 2), "same") or self.dilation_rate != (1, 1):
            raise InvalidInput(
                f"HalvingConvolution got kernel_size={kernel_size}, strides={strides}, padding={padding!r}; it is of 4, 2 and "
                "'same'. Use keras.layers.Conv2D."
            )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The smaller maps."""
        even = all(side is not None and side % 2 == 0 for side in inputs.shape[1:3])
        if not (training and even and self.groups == 1 and few_pixels(inputs, 2)):
            return super().call(inputs)
        outputs = strided(inputs, tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype))
        if self.bias is not None:
            outputs = outputs + tf.cast(tf.convert_to_tensor(self.bias), outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)
