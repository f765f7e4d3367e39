"""What couplings ask for shift and scale: from the kept half to two numbers a changed channel."""

from typing import Any

import keras
from keras import layers, ops

from keras_gen.layers.act_norm import ActNormConvolution, ZeroConvolution
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.coupling import checkerboard
from keras_gen.layers.squeeze import Squeeze
from keras_gen.layers.weight_norm_convolution import WeightNormConvolution


class GlowNetwork(layers.Layer):
    """Kingma and Dhariwal 2018, appendix B: 3x3, 1x1 and, zero at first, 3x3 convolution; ReLUs between.

    Args:
        outputs: channels.
        width: of the two layers between.
    """

    def __init__(self, outputs: int, width: int, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.outputs = outputs
        options = {"dtype": self.dtype_policy}
        self.convolutions = [ActNormConvolution(width, 3, **options), ActNormConvolution(width, 1, **options)]
        self.last = ZeroConvolution(outputs, 3, **options)

    def build(self, input_shape: tuple) -> None:
        """All three."""
        _build_in_turn([*self.convolutions, self.last], input_shape)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """``[b, h, w, c]`` to ``[b, h, w, outputs]``."""
        for convolution in self.convolutions:
            x = ops.relu(convolution(x))
        return self.last(x)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """As many positions."""
        return (*input_shape[:-1], self.outputs)


class ResidualBlock(layers.Layer):
    """BN, ReLU, 3x3, BN, ReLU, 3x3, added to the input."""

    def __init__(self, features: int, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        options = {"dtype": self.dtype_policy}
        self.norms = [BatchNormalization(**options) for _ in range(2)]
        self.convolutions = [
            WeightNormConvolution(features, 3, **options),
            WeightNormConvolution(features, 3, magnitude=True, **options),
        ]

    def build(self, input_shape: tuple) -> None:
        """Every layer keeps the shape."""
        for layer in (*self.norms, *self.convolutions):
            layer.build(input_shape)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """Same shape."""
        y = x
        for norm, convolution in zip(self.norms, self.convolutions):
            y = convolution(ops.relu(norm(y, training=training)))
        return x + y


class ResidualNetwork(layers.Layer):
    """RealNVP's, as its authors' code has it: residual blocks, weight normalization, and a 1x1 skip from each to the end.

    Biases stand where no batch normalization follows: at the end alone.

    Args:
        outputs: channels.
        features: of all maps between.
        blocks: how many.
        keep: ``"even"`` or ``"odd"``: the input is a map in which that colour of the checkerboard alone is not zero, and a
            channel says which; None: the input is whole.
        patch: 2: inside, a patch of 2x2 pixels is one position of four times the channels (a quarter of the computation).
    """

    def __init__(
        self, outputs: int, features: int, blocks: int, keep: str | None = None, patch: int = 1, **kwargs: Any
    ):
        super().__init__(autocast=False, **kwargs)
        self.outputs, self.keep, self.patch = outputs, keep, patch
        options = {"dtype": self.dtype_policy}
        skip = {"magnitude": True, **options}
        inside = outputs * patch**2
        self.norm, self.last_norm = BatchNormalization(**options), BatchNormalization(**options)
        self.first = WeightNormConvolution(features, 3, **options)
        self.blocks = [ResidualBlock(features, **options) for _ in range(blocks)]
        self.skips = [WeightNormConvolution(features, 1, **skip) for _ in range(blocks + 1)]
        self.last = WeightNormConvolution(inside, 1, use_bias=True, **skip)
        self.squeezes = [Squeeze(), Squeeze()] if patch == 2 else []

    def build(self, input_shape: tuple) -> None:
        """From input to output."""
        batch, height, width, channels = input_shape
        if self.keep:
            self.mask = checkerboard(height, width, odd=self.keep == "odd").astype("float32")
        self.norm.build(input_shape)
        seen = (batch, height, width, 2 * channels + bool(self.keep))
        if self.squeezes:
            self.squeezes[0].build(seen)
            self.squeezes[1].build((batch, height, width, self.outputs))
            seen = self.squeezes[0].compute_output_shape(seen)
        self.first.build(seen)
        hidden = self.first.compute_output_shape(seen)
        for layer in (*self.blocks, *self.skips, self.last_norm, self.last):
            layer.build(hidden)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """``[b, h, w, c]`` to ``[b, h, w, outputs]``."""
        v = self.norm(ops.cast(x, self.compute_dtype), training=training)
        seen = [2.0 * v, -2.0 * v] if self.keep else [v, -v]
        if self.keep:
            # Hidden pixels are exactly 0 again: of an input of mean 0 they would be rounding's, on either side of the ReLU.
            mask = ops.cast(self.mask, v.dtype)
            seen = [each * mask for each in seen]
            seen.append(ops.zeros_like(v[..., :1]) + mask)
        v = ops.relu(ops.concatenate(seen, axis=-1))
        if self.squeezes:
            v, _ = self.squeezes[0].forward(v)
        v = self.first(v)
        total = self.skips[0](v)
        for block, skip in zip(self.blocks, self.skips[1:]):
            v = block(v, training=training)
            total = total + skip(v)
        y = self.last(ops.relu(self.last_norm(total, training=training)))
        return self.squeezes[1].inverse(y) if self.squeezes else y

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """As many positions."""
        return (*input_shape[:-1], self.outputs)


def _build_in_turn(stack: list[keras.layers.Layer], shape: tuple) -> None:
    for layer in stack:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
