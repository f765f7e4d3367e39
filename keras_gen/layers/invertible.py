"""What an invertible layer is, and layers whose weights start at what their first batch says."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
from keras import ops


class FullPrecision(keras.layers.Layer):
    """A layer that reads its weights and inputs as they are, whatever dtype policy a model is called under, and casts itself."""

    def __init__(self, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Of float32, unless the layer is of a wider type."""
        return super().add_weight(*args, **{"autocast": False, **kwargs})


class Invertible(FullPrecision):
    """A bijection of feature maps ``[b, h, w, c]`` that knows how it changes volumes.

    ``forward(x)`` gives ``y`` and ``log |det dy/dx|`` in nats, ``[b]``, or a scalar where it is the same for every example.
    ``inverse(y)`` gives ``x`` back. It computes in its own dtype (default float32) whatever networks inside it compute in: a
    density of half precision would be none.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``y`` and the log-determinant."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of its input.")

    def inverse(self, y: Any) -> Any:
        """``x``, with moving statistics where there are any."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is undone.")

    def call(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``forward``."""
        return self.forward(x, training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Of ``y``: the same shape, unless a subclass says otherwise."""
        return tuple(input_shape)


def sum_over_image(values: Any) -> Any:
    """``[b, h, w, c]`` to ``[b]``."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


class DataStarted(keras.layers.Layer):
    """A layer that, while ``starting``, sets its weights by the batch it is called on (eagerly), and then uses them."""

    starting = False


@contextlib.contextmanager
def starting(layers: Iterable[keras.layers.Layer]) -> Iterator[None]:
    """Within, each layer that takes its start from data does so when it is called: walk a batch through the network once."""
    waiting = [layer for layer in layers if isinstance(layer, DataStarted)]
    for layer in waiting:
        layer.starting = True
    try:
        yield
    finally:
        for layer in waiting:
            layer.starting = False


def stretch(log_scale: Any) -> Any:
    """``exp``, bounded where inverses multiply by it: what is stretched more than e^20 times did not survive the way there."""
    return ops.exp(ops.minimum(log_scale, 20.0))
