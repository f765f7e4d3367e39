"""PixelRNN: Row LSTM and Diagonal BiLSTM."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.registry import Registry
from keras_gen.layers.causal import CausalLayer
from keras_gen.layers.causal_blocks import Head
from keras_gen.layers.causal_lstm import DiagonalBiLSTM, RowLSTM, compiled_walks
from keras_gen.layers.masked_convolution import MaskedConv2D
from keras_gen.models.autoregressive.autoregressive_model import AutoregressiveModel

CELLS = Registry("cell")
CELLS.register("row_lstm", RowLSTM)
CELLS.register("diagonal_bilstm", DiagonalBiLSTM)


@keras.saving.register_keras_serializable("keras_gen")
class PixelRNN(AutoregressiveModel):
    """van den Oord, Kalchbrenner and Kavukcuoglu 2016, sections 3.1 to 3.3 and table 1.

    A masked 7 x 7 convolution (A), LSTM layers with residuals, two 1 x 1 layers. A Row LSTM sees the triangle above a pixel
    (and, by its first layers, a little beside it), a Diagonal BiLSTM all that came before, except that the first layer's mask
    hides the last pixel of the row just above from pixels far to its left.

    Args:
        image_spec: the images.
        cell: ``"row_lstm"`` or ``"diagonal_bilstm"``.
        filters: size h of the LSTMs' memory; 2h features flow between layers. A multiple of the image's channels.
        layers_deep: LSTM layers.
        first_kernel: of the first layer, odd.
        head: features of the layer before the output; default 2h.
        output, mixtures, seed: see ``AutoregressiveModel``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        cell: str = "diagonal_bilstm",
        filters: int = 16,
        layers_deep: int = 7,
        *,
        first_kernel: int = 7,
        head: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.cell, self.make_cell = cell, CELLS.get(cell)
        self.filters, self.layers_deep, self.head = self.checked_sizes(
            filters=filters, layers_deep=layers_deep, head=head, default=2
        )
        self.first_kernel, _ = self.checked_kernels(first_kernel)
        self.finish()

    def compile(self, optimizer: Any = None, *, jit_compile: Any = None, **kwargs: Any) -> None:
        """As for any model, but XLA compiles the LSTMs' loops alone, each by itself; ``jit_compile=True``: the whole step.

        ``False`` and None mean the same: the loops are not worth running otherwise. By themselves the two directions of a
        Diagonal BiLSTM run at once, and several replicas may have them.
        """
        super().compile(optimizer, jit_compile=jit_compile is True, **kwargs)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """See ``AutoregressiveModel``."""
        # A program of XLA's inside another took thirty times as long as either.
        with compiled_walks(not self.jit_compile):
            return super().call(inputs, training)

    def log_prob(self, images: np.ndarray, **options: Any) -> np.ndarray:
        """See ``AutoregressiveModel``."""
        with compiled_walks():
            return super().log_prob(images, **options)

    def make_stack(self) -> list[CausalLayer]:
        """First layer, LSTMs, head."""
        channels = self.image_spec.channels
        return [
            MaskedConv2D.of_size(2 * self.filters, self.first_kernel, mask_type="A", groups=channels),
            *(self.make_cell(self.filters, channels) for _ in range(self.layers_deep)),
            Head(self.head, self.distribution.parameters, channels),
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("cell", "filters", "layers_deep", "first_kernel", "head")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
