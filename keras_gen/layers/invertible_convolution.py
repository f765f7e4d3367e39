"""The invertible 1x1 convolution (Kingma and Dhariwal 2018, section 3.2)."""

from typing import Any

import keras
import numpy as np
import scipy.linalg
from keras import ops

from keras_gen.layers.invertible import Invertible


class InvertibleConvolution(Invertible):
    """Mixes the channels by a trained matrix ``W`` that starts as a random rotation: ``y = x W`` at each position.

    Args:
        lu: keep ``W = P L (U + diag(s))`` (their eq. 10) with ``P`` and the signs of ``s`` fixed: the determinant is then a
            sum, and ``W`` cannot become singular. Both forms start at the same matrix.
    """

    def __init__(self, lu: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.lu = lu

    def build(self, input_shape: tuple) -> None:
        """Draws the rotation."""
        _, height, width, channels = input_shape
        self.channels, self.positions = channels, height * width
        start = keras.initializers.Orthogonal()((channels, channels), "float32")
        start = np.asarray(ops.convert_to_numpy(start), np.float64)
        if not self.lu:
            self.matrix = self._weight("matrix", start)
        else:
            permutation, lower, upper = scipy.linalg.lu(start)
            diagonal = np.diag(upper)
            self.permutation = self._weight("permutation", permutation, trainable=False)
            self.signs = self._weight("signs", np.sign(diagonal), trainable=False)
            self.lower = self._weight("lower", np.tril(lower, -1))
            self.upper = self._weight("upper", np.triu(upper, 1))
            self.log_diagonal = self._weight("log_diagonal", np.log(np.abs(diagonal)))
        self.built = True

    def _weight(self, name: str, value: np.ndarray, trainable: bool = True) -> keras.Variable:
        return self.add_weight(
            shape=value.shape, initializer=lambda shape, dtype: ops.cast(value, dtype), trainable=trainable, name=name
        )

    def weights_matrix(self) -> Any:
        """``W``, ``[c, c]``."""
        if not self.lu:
            return ops.copy(self.matrix.value)
        below = np.tril(np.ones((self.channels, self.channels), self.compute_dtype), -1)
        lower = self.lower * below + np.eye(self.channels, dtype=self.compute_dtype)
        upper = self.upper * below.T + ops.diag(self.signs * ops.exp(self.log_diagonal))
        return ops.matmul(self.permutation, ops.matmul(lower, upper))

    def log_det(self) -> Any:
        """``log |det W|`` times the positions, a scalar; the determinant of many channels leaves float32's range."""
        if self.lu:
            return self.positions * ops.sum(self.log_diagonal)
        wide = ops.cast(self.weights_matrix(), "float64")
        return self.positions * ops.cast(ops.slogdet(wide)[1], self.compute_dtype)

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        """``x W``."""
        return ops.matmul(x, self.weights_matrix()), self.log_det()

    def inverse(self, y: Any) -> Any:
        """``y W^-1``, inverted in float64."""
        inverted = ops.inv(ops.cast(self.weights_matrix(), "float64"))
        return ops.matmul(y, ops.cast(inverted, self.compute_dtype))
