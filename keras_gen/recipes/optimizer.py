"""The optimizers that recipes choose by name."""

from typing import Any, Literal

Optimizer = Literal["adam", "muon"]


def annealed(optimizer: Optimizer, learning_rate: float, steps: int, **options: Any) -> Any:
    """The optimizer, its rate falling to zero along a cosine (Loshchilov and Hutter 2017, without restarts)."""
    import keras

    from keras_gen.training.adam import Adam
    from keras_gen.training.muon import Muon

    kinds = {"adam": Adam, "muon": Muon}
    return kinds[optimizer](keras.optimizers.schedules.CosineDecay(learning_rate, steps), **options)
