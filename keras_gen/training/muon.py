"""Keras' Muon for networks whose weights are kernels of any rank."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_gen")
class Muon(keras.optimizers.Muon):
    """Momentum made orthogonal (Jordan et al. 2024), each step as large as one of Adam's (Liu et al. 2025, eq. 4).

    Keras' own takes weights of rank 2 alone and leaves all others to Adam, which in a convolutional network is all of them.
    Here a kernel ``[..., inputs, outputs]`` is the matrix that it is to one patch, ``[everything else, outputs]``. Adam keeps
    biases and kernels that read or make fewer than ``fewest_features``: first layers on images, and outputs of a few numbers a
    pixel, which Jordan et al. leave to it too. Taps that a mask closes get no gradient, so they stay at rest.

    Args:
        learning_rate: a number or a schedule; Adam's too, times ``adam_lr_ratio``.
        fewest_features: that a kernel reads and makes to be made orthogonal.
        weight_decay, adam_weight_decay: none by default, unlike in Keras.
        **kwargs: those of ``keras.optimizers.Muon``.
    """

    def __init__(
        self,
        learning_rate: Any = 3e-3,
        *,
        fewest_features: int = 8,
        weight_decay: float | None = None,
        adam_weight_decay: float | None = None,
        **kwargs: Any,
    ):
        decay = {"weight_decay": weight_decay, "adam_weight_decay": adam_weight_decay}
        super().__init__(learning_rate, **decay, **kwargs)
        self.fewest_features = fewest_features

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "fewest_features": self.fewest_features}

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) < 2 or min(variable.shape[-2:]) < self.fewest_features

    def _muon_update_step(self, gradient: Any, variable: keras.Variable, lr: Any, m: keras.Variable) -> None:
        self.assign(m, m * self.momentum + gradient)
        direction = gradient + self.momentum * m if self.nesterov else m
        orthogonal = self.zeropower_via_newtonschulz5(ops.reshape(direction, _matrix(variable.shape)), self.ns_steps)
        self.assign_sub(
            variable, ops.reshape(self.lr_adjust(ops.cast(lr, variable.dtype) * orthogonal), variable.shape)
        )


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a kernel as a matrix."""
    return math.prod(shape[:-1]), shape[-1]
