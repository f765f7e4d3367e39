"""Places for channels: squeezing, the checkerboard's order of channels, and halves that leave."""

from typing import Any

import numpy as np
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.invertible import Invertible


class Squeeze(Invertible):
    """2 x 2 positions become 4 channels: ``[b, 2h, 2w, c]`` to ``[b, h, w, 4c]`` (Dinh et al. 2017, section 3.6).

    Channel ``4 c + 2 dy + dx`` is channel ``c`` of the block's pixel ``(dy, dx)``. ``ordered``: those of the pixels (0, 0) and
    (1, 1) come first, so that the first half of the channels is the half of a checkerboard.
    """

    def __init__(self, ordered: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.ordered = ordered

    def build(self, input_shape: tuple) -> None:
        """Checks that both sides can be halved."""
        _, height, width, channels = input_shape
        if height % 2 or width % 2:
            raise InvalidInput(f"Maps of {height}x{width} cannot be squeezed; both sides have to be even.")
        self.input_shape_of_one = (height, width, channels)
        self.order = checkerboard_order(channels)
        self.built = True

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """A permutation: the log-determinant is 0."""
        height, width, channels = self.input_shape_of_one
        blocks = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        y = ops.reshape(ops.transpose(blocks, (0, 1, 3, 5, 2, 4)), (-1, height // 2, width // 2, 4 * channels))
        return ops.take(y, self.order, axis=-1) if self.ordered else y, 0.0

    def inverse(self, y: Any) -> Any:
        """``[b, h, w, 4c]`` to ``[b, 2h, 2w, c]``."""
        height, width, channels = self.input_shape_of_one
        if self.ordered:
            y = ops.take(y, np.argsort(self.order), axis=-1)
        blocks = ops.reshape(y, (-1, height // 2, width // 2, channels, 2, 2))
        return ops.reshape(ops.transpose(blocks, (0, 1, 4, 2, 5, 3)), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Half the sides, four times the channels."""
        batch, height, width, channels = input_shape
        return (batch, height // 2, width // 2, 4 * channels)


def checkerboard_order(channels: int) -> np.ndarray:
    """Where a squeezed map of ``channels`` keeps the pixels (0, 0) and (1, 1), then those of (0, 1) and (1, 0): ``[4 c]``."""
    first = np.arange(channels)[:, None] * 4
    return np.concatenate([(first + [0, 3]).reshape(-1), (first + [1, 2]).reshape(-1)])


class CheckerboardChannels(Invertible):
    """Orders the channels of a plainly squeezed map as an ordered squeeze would have."""

    def build(self, input_shape: tuple) -> None:
        """Needs a map that was squeezed."""
        self.order = checkerboard_order(input_shape[-1] // 4)
        self.built = True

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """A permutation."""
        return ops.take(x, self.order, axis=-1), 0.0

    def inverse(self, y: Any) -> Any:
        """Undoes it."""
        return ops.take(y, np.argsort(self.order), axis=-1)
