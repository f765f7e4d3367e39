"""The optimizers that recipes choose by name."""

from typing import Any, Literal

Optimizer = Literal["adam", "muon"]


def annealed(optimizer: Optimizer, learning_rate: float, steps: int, weight_decay: float = 0.0) -> Any:
    """The optimizer, its rate falling to zero along a cosine (Loshchilov and Hutter 2017, without restarts).

    Decay is decoupled, times the rate (Loshchilov and Hutter 2019); Muon's is of the matrices that it makes orthogonal.
    """
    import keras

    from keras_gen.training.adam import Adam
    from keras_gen.training.muon import Muon

    kinds = {"adam": Adam, "muon": Muon}
    return kinds[optimizer](
        keras.optimizers.schedules.CosineDecay(learning_rate, steps), weight_decay=weight_decay or None
    )
