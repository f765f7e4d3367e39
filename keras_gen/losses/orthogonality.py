"""How far the vectors of a matrix are from orthogonal, as a regularizer of kernels."""

from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import number


def orthogonality(kernel: Any, axis: int = -1) -> Any:
    """Brock et al. 2019, eq. 3: ``|W^T W (1 - I)|^2``, the sum over all pairs of a matrix' columns of their products squared.

    A scalar, float32, in which lengths do not count. Its gradient is the true one, ``4 W (W^T W (1 - I))``; the authors'
    PyTorch code adds half of it.

    Args:
        kernel: of any rank; ``axis`` counts the vectors, the other axes make up each: of a convolution the outputs.
    """
    vectors = ops.moveaxis(ops.cast(kernel, "float32"), axis, -1)
    matrix = ops.reshape(vectors, (-1, vectors.shape[-1]))
    long, many = matrix.shape
    if many <= long:
        products = ops.matmul(ops.transpose(matrix), matrix)
        return ops.sum(ops.square(products * (1.0 - ops.eye(many))))
    # More vectors than dimensions, hence never orthogonal: W W^T has the same norm as W^T W, and is smaller.
    products, lengths = ops.matmul(matrix, ops.transpose(matrix)), ops.sum(ops.square(matrix), axis=0)
    return ops.sum(ops.square(products)) - ops.sum(ops.square(lengths))


@keras.saving.register_keras_serializable("keras_gen")
class OrthogonalRegularizer(keras.regularizers.Regularizer):
    """``weight * orthogonality(kernel, axis)``."""

    def __init__(self, weight: float, axis: int = -1):
        self.weight, self.axis = number("weight", weight, 0.0), axis

    def __call__(self, kernel: Any) -> Any:
        """A scalar."""
        return self.weight * orthogonality(kernel, self.axis)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"weight": self.weight, "axis": self.axis}
