"""Which epoch of the data's order a training meets next."""

from collections.abc import Callable

import keras


class EpochOrder(keras.callbacks.Callback):
    """Called, it gives the number of epochs of ``steps`` steps that lay behind when this epoch began; ``made()`` counts steps.

    Asked at every epoch's beginning, since callbacks (Keras' ``BackupAndRestore``) may set the model back before the first,
    and on the host, since a step counts itself while it is still fetching its batch.
    """

    def __init__(self, made: Callable[[], int], steps: int):
        super().__init__()
        self.made, self.steps, self.epoch = made, steps, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Counts; an epoch that was stopped in its middle counts as a whole one."""
        self.epoch = -(-self.made() // self.steps)

    def __call__(self) -> int:
        return self.epoch
