"""Images are made of finite numbers or not at all: NaN cast to a level would be a black pixel that nobody asked about."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_gen.core.errors import TrainingDiverged

_MARK = "an image would be made of values that are NaN or infinite"


def finite(values: Any) -> Any:
    """The values, floats that become an image. Where one is NaN or infinite, what computes it fails.

    So in eager code, graphs and SavedModels. XLA and ONNX have no operation that fails: what they run computes on.
    """
    import tensorflow as tf  # here: what runs artifacts reads images' specs, and has none

    return tf.debugging.check_numerics(values, _MARK)


@contextlib.contextmanager
def finite_images(maker: str) -> Iterator[None]:
    """``TrainingDiverged`` where ``finite`` fails inside."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if _MARK not in str(error):
            raise
        raise TrainingDiverged(
            f"{maker} makes NaN or infinite values of this noise, which are no image. Go back to an earlier checkpoint, train "
            "with a smaller learning rate or, where there is a temperature, draw at a lower one."
        ) from None
