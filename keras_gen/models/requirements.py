"""What of Keras' settings and arguments models stand on; each thing that they cannot do is said in one sentence, at once."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_gen.core.backend import require_tensorflow
from keras_gen.core.errors import InvalidInput

require_tensorflow()

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# Of Keras' ``compile``: a generative model brings its own.
OWN = ("loss", "loss_weights", "metrics", "weighted_metrics")


def check_settings(model: keras.Model) -> None:
    """``InvalidInput`` unless a model can be built under Keras' settings and its dtype policy."""
    if keras.config.image_data_format() != "channels_last":
        raise InvalidInput(
            "Keras' image_data_format is channels_first; images are [n, height, width, channels] here: "
            "keras.config.set_image_data_format('channels_last')."
        )
    if keras.config.floatx() != "float32":
        raise InvalidInput(
            f"Keras' floatx is {keras.config.floatx()}; models want keras.config.set_floatx('float32') and, for reduced "
            "precision, dtype='mixed_bfloat16' or 'mixed_float16'."
        )
    if model.dtype_policy.name not in POLICIES:
        raise InvalidInput(
            f"dtype={model.dtype_policy.name!r} is not supported; give one of {', '.join(POLICIES)} (a mixed policy keeps "
            "its weights in float32)."
        )


def check_compile(model: keras.Model, arguments: Mapping[str, Any]) -> None:
    """``InvalidInput`` for arguments of Keras' ``compile`` that this model cannot honour."""
    for name in OWN:
        if arguments.get(name) is not None:
            raise InvalidInput(
                f"compile got {name}, but {type(model).__name__} brings its own loss and metrics; leave it out, and measure "
                "other things in a callback."
            )


def check_scope(model: keras.Model, optimizers: Iterable[keras.optimizers.Optimizer]) -> None:
    """``InvalidInput`` unless networks and optimizers were made where the model was: in one strategy's scope, or in none."""
    made = model.distribute_strategy.extended.variable_created_in_scope
    parts = {"a network": model.weights, "the optimizer": [v for each in optimizers for v in each.variables]}
    for part, variables in parts.items():
        if not all(made(variable.value) for variable in variables):
            raise InvalidInput(
                f"{part} of {type(model).__name__} was not made in the scope() of the strategy that trains it; build networks "
                "and model, make the optimizer and compile inside one strategy.scope(), or all outside of any."
            )
    if tf.distribute.has_strategy() and model.distribute_strategy is not tf.distribute.get_strategy():
        raise InvalidInput(
            f"{type(model).__name__} was built in another strategy's scope() than it is compiled in; do both in one."
        )
