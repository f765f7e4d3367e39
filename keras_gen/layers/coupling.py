"""Affine couplings: one half of the variables says how the other is shifted and scaled (Dinh et al. 2017, eq. 4 to 8).

Shift first, then scale, as both papers' code does: ``(x + t) exp(s)``. Their networks give ``[shift, raw scale]`` of every
changed channel.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.invertible import Invertible, stretch, sum_over_image

SCALES = ("sigmoid", "tanh")


class AffineCoupling(Invertible):
    """Base of couplings: a subclass parts the variables and joins them.

    Args:
        network: from the kept half to twice as many channels as are changed.
        scale: how the network's number bounds the scale: ``"sigmoid"``: ``sigmoid(raw + 2)`` (Glow); ``"tanh"``:
            ``exp(a tanh(raw))`` with a trained ``a`` (RealNVP).
        amplitude: where ``a`` starts.
    """

    def __init__(self, network: keras.layers.Layer, scale: str = "sigmoid", amplitude: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        if scale not in SCALES:
            raise InvalidInput(f"scale={scale!r} is unknown; give one of {', '.join(SCALES)}.")
        self.network, self.scale, self.start_amplitude = network, scale, amplitude

    def build(self, input_shape: tuple) -> None:
        """Builds the network, and ``a``."""
        self.part_up(input_shape)
        if not self.network.built:
            self.network.build(self.kept_shape(input_shape))
        if self.scale == "tanh":
            start = keras.initializers.Constant(self.start_amplitude)
            decay = keras.regularizers.L2(5e-5)  # the RealNVP authors' code
            self.amplitude = self.add_weight(shape=(), initializer=start, regularizer=decay, name="amplitude")
        self.built = True

    def shift_and_log_scale(self, kept: Any, training: bool) -> tuple[Any, Any]:
        """Of the changed half, in this layer's dtype."""
        shift, raw = ops.split(ops.cast(self.network(kept, training=training), self.compute_dtype), 2, axis=-1)
        if self.scale == "tanh":
            return shift, self.amplitude * ops.tanh(raw)
        return shift, ops.log_sigmoid(raw + 2.0)

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """The kept half as it was, the other shifted and scaled."""
        kept, changed = self.parted(x)
        shift, log_scale = self.shift_and_log_scale(kept, training)
        return self.joined(kept, (changed + shift) * ops.exp(log_scale)), sum_over_image(log_scale)

    def inverse(self, y: Any) -> Any:
        """Undoes it: the kept half says by how much."""
        kept, changed = self.parted(y)
        shift, log_scale = self.shift_and_log_scale(kept, training=False)
        return self.joined(kept, changed * stretch(-log_scale) - shift)

    # --- how variables are parted -----------------------------------------------------------------------------------

    def part_up(self, input_shape: tuple) -> None:
        """Looks at the shape."""

    def kept_shape(self, input_shape: tuple) -> tuple:
        """What the network is built for."""
        raise NotImplementedError

    def parted(self, x: Any) -> tuple[Any, Any]:
        """What the network sees, and what is changed."""
        raise NotImplementedError

    def joined(self, kept: Any, changed: Any) -> Any:
        """One map again."""
        raise NotImplementedError


class ChannelCoupling(AffineCoupling):
    """One half of the channels is kept (the first, the larger by one of an odd number), the other is changed.

    Args:
        change_first: the first half is changed, the last kept.
    """

    def __init__(self, network: keras.layers.Layer, change_first: bool = False, **kwargs: Any):
        super().__init__(network, **kwargs)
        self.change_first = change_first

    def part_up(self, input_shape: tuple) -> None:
        """Where the halves meet."""
        self.middle = halfway(input_shape[-1])

    def kept_shape(self, input_shape: tuple) -> tuple:
        """Fewer channels."""
        kept = input_shape[-1] - self.middle if self.change_first else self.middle
        return (*input_shape[:-1], kept)

    def parted(self, x: Any) -> tuple[Any, Any]:
        """Two slices."""
        first, last = x[..., : self.middle], x[..., self.middle :]
        return (last, first) if self.change_first else (first, last)

    def joined(self, kept: Any, changed: Any) -> Any:
        """In their places."""
        return ops.concatenate([changed, kept] if self.change_first else [kept, changed], axis=-1)


class CheckerboardCoupling(AffineCoupling):
    """Pixels of one colour of a checkerboard are kept; the network sees them, and zeros in place of the others.

    Args:
        keep_odd: those with an odd sum of row and column are kept, else the even ones.
    """

    def __init__(self, network: keras.layers.Layer, keep_odd: bool = False, **kwargs: Any):
        super().__init__(network, **kwargs)
        self.keep_odd = keep_odd

    def part_up(self, input_shape: tuple) -> None:
        """Makes the mask."""
        self.mask = checkerboard(*input_shape[1:3], odd=self.keep_odd).astype(self.compute_dtype)

    def kept_shape(self, input_shape: tuple) -> tuple:
        """The whole map."""
        return tuple(input_shape)

    def parted(self, x: Any) -> tuple[Any, Any]:
        """The network's view, and the whole map, of which the kept half meets shift and log-scale 0."""
        return x * self.mask, x

    def shift_and_log_scale(self, kept: Any, training: bool) -> tuple[Any, Any]:
        """Nought where a pixel is kept."""
        shift, log_scale = super().shift_and_log_scale(kept, training)
        return shift * (1.0 - self.mask), log_scale * (1.0 - self.mask)

    def joined(self, kept: Any, changed: Any) -> Any:
        """It holds both halves."""
        return changed


def checkerboard(height: int, width: int, odd: bool = False) -> np.ndarray:
    """Boolean ``[1, h, w, 1]``: true where row + column is even (or ``odd``)."""
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    return ((rows + columns) % 2 == int(odd))[None, :, :, None]


def halfway(channels: int) -> int:
    """How many channels the first half has."""
    if channels < 2:
        raise InvalidInput("A single channel has no halves; squeeze the map first.")
    return (channels + 1) // 2
