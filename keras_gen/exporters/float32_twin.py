"""The model that leaves: float32 throughout and outside any strategy, with the weights of the one that was trained.

bfloat16 has no ONNX conversion, and weights mirrored over devices are not one set of weights. Both are cured by
building the model again from its configuration.
"""

from typing import Any

import tensorflow as tf

from keras_gen.core.errors import ExportFailed, InvalidInput
from keras_gen.models.generative_model import GenerativeModel

REDUCED = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


def float32_twin(model: GenerativeModel) -> tuple[GenerativeModel, set[str]]:
    """The model to export and the dtype policies that were replaced in it; the model itself where it needs no twin.

    Raises:
        InvalidInput: called inside a strategy's scope, where a twin would be mirrored again.
        ExportFailed: the model's configuration does not build a model that its weights fit.
    """
    if tf.distribute.has_strategy():
        raise InvalidInput("export was called inside a strategy's scope(); call it outside. Nothing was written.")
    replaced: set[str] = set()
    config = in_float32(model.get_config(), replaced)
    if not replaced and model.distribute_strategy is tf.distribute.get_strategy():
        return model, replaced
    twin = type(model).from_config(config)
    try:
        twin.set_weights(model.get_weights())
    except ValueError as error:
        raise ExportFailed(
            f"{type(model).__name__}.from_config(get_config()) gives a model whose weights differ in number or shape: "
            f"{error}. Let get_config hold every argument that shapes a network. Nothing was written."
        ) from error
    return twin, replaced


def in_float32(config: Any, replaced: set[str]) -> Any:
    """A Keras configuration, nested networks included, with reduced dtype policies made float32.

    Adds the names of those it met to ``replaced``. Other dtypes (integers, float32) stay.
    """
    if isinstance(config, (list, tuple)):
        return type(config)(in_float32(value, replaced) for value in config)
    if not isinstance(config, dict):
        return config
    key = "name" if config.keys() == {"name"} else "dtype"  # a policy's own config is {"name": "mixed_bfloat16"}
    config = {name: in_float32(value, replaced) for name, value in config.items()}
    if isinstance(config.get(key), str) and config[key] in REDUCED:
        if not config.keys() & {
            "batch_shape",
            "keras_history",
        }:  # those of input layers and tensors follow from a policy
            replaced.add(config[key])
        config[key] = "float32"
    return config
