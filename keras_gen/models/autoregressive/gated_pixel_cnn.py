"""Gated PixelCNN, class-conditional where asked."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.causal import CausalLayer
from keras_gen.layers.causal_blocks import GatedBlock, Head
from keras_gen.models.autoregressive.autoregressive_model import AutoregressiveModel


@keras.saving.register_keras_serializable("keras_gen")
class GatedPixelCNN(AutoregressiveModel):
    """van den Oord et al. 2016b, "Conditional image generation with PixelCNN decoders": two stacks, no blind spot.

    Args:
        image_spec: the images.
        filters: features of each stack. A multiple of the image's channels.
        blocks: gated blocks behind the first.
        first_kernel, kernel_size: of the first block and of the others, odd.
        head: features of the layer before the output; default: filters.
        classes: how many, for a class-conditional model (their eq. 4, without the spatial map).
        output, mixtures, seed: see ``AutoregressiveModel``.
    """

    conditional = True

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
        self.filters, self.blocks, self.head = self.checked_sizes(filters=filters, blocks=blocks, head=head, default=1)
        self.first_kernel, self.kernel_size = self.checked_kernels(first_kernel, kernel_size)
        self.finish()

    def make_stack(self) -> list[CausalLayer]:
        """First block, blocks, head."""
        shared = {"groups": self.image_spec.channels, "conditions": self.classes or 0}
        return [
            GatedBlock(self.filters, self.first_kernel, first=True, **shared),
            *(GatedBlock(self.filters, self.kernel_size, **shared) for _ in range(self.blocks)),
            Head(self.head, self.distribution.parameters, self.image_spec.channels),
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "blocks", "first_kernel", "kernel_size", "head")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
