"""PixelCNN."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.causal import CausalLayer
from keras_gen.layers.causal_blocks import Head, ResidualBlock
from keras_gen.layers.masked_convolution import MaskedConv2D
from keras_gen.models.autoregressive.autoregressive_model import AutoregressiveModel


@keras.saving.register_keras_serializable("keras_gen")
class PixelCNN(AutoregressiveModel):
    """van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.4 and table 1.

    A masked 7 x 7 convolution (A), residual blocks of masked 3 x 3 ones (B), two 1 x 1 layers. The paper's mask leaves a blind
    spot to the upper right: a block sees one column further there for each row that it climbs, no more.

    Args:
        image_spec: the images.
        filters: features h of the blocks' convolutions; 2h flow between them. A multiple of the image's channels.
        blocks: residual blocks.
        first_kernel, kernel_size: of the first layer and of the blocks, odd.
        head: features of the layer before the output; default 2h.
        output, mixtures, seed: see ``AutoregressiveModel``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        filters: int = 32,
        blocks: int = 7,
        *,
        first_kernel: int = 7,
        kernel_size: int = 3,
        head: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.filters, self.blocks, self.head = self.checked_sizes(filters=filters, blocks=blocks, head=head, default=2)
        self.first_kernel, self.kernel_size = self.checked_kernels(first_kernel, kernel_size)
        self.finish()

    def make_stack(self) -> list[CausalLayer]:
        """First layer, blocks, head."""
        channels = self.image_spec.channels
        return [
            MaskedConv2D.of_size(2 * self.filters, self.first_kernel, mask_type="A", groups=channels),
            *(ResidualBlock(self.filters, self.kernel_size, channels) for _ in range(self.blocks)),
            Head(self.head, self.distribution.parameters, channels),
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "blocks", "first_kernel", "kernel_size", "head")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
