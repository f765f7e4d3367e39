"""Which epoch of the data's order a training meets next."""

from typing import Any

import keras

from keras_gen.core.replicas import steps_made


class EpochOrder(keras.callbacks.Callback):
    """Called, it gives the number of epochs of ``steps`` steps that the optimizer had behind it when this epoch began.

    Asked at every epoch's beginning, since callbacks (Keras' ``BackupAndRestore``) may set the model back before the first,
    and on the host, since a step counts itself while it is still fetching its batch.
    """

    def __init__(self, optimizer: Any, steps: int):
        super().__init__()
        self.optimizer, self.steps, self.epoch = optimizer, steps, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Counts; an epoch that was stopped in its middle counts as a whole one."""
        self.epoch = -(-steps_made(self.optimizer) // self.steps)

    def __call__(self) -> int:
        return self.epoch
