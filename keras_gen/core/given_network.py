"""Networks of the user's own, of every kind that Keras has: what they map to what, and whether they can be saved."""

from typing import Any

import keras

from keras_gen.core.errors import InvalidInput


def checked_network(
    network: Any, what: str, inputs: tuple[int, ...], outputs: tuple[int, ...] | None = None
) -> keras.Model:
    """The network, or an ``InvalidInput`` if it does not map ``[b, *inputs]`` to ``[b, *outputs]``.

    Of ``outputs``, -1 stands for any size, and None for any shape. Functional and Sequential models are read; a subclassed
    one is called once on a symbolic ``keras.Input``, which builds it, and must come back from its own config.
    """
    if not isinstance(network, keras.Model) or (_is_graph(network) and len(network.inputs) != 1):
        raise InvalidInput(
            f"{what}={network!r} is not a built Keras model of one input; give a keras.Sequential or functional model that "
            f"begins with keras.Input({inputs}), or a keras.Model of yours that takes one such tensor."
        )
    taken, given = _shapes(network, what, inputs)
    for side, wanted, found in (("takes", inputs, taken), ("gives", outputs, given)):
        if wanted is None:
            continue
        if len(found) != len(wanted) or any(w not in (-1, f) for w, f in zip(wanted, found)):
            wish = ", ".join("any" if size == -1 else str(size) for size in wanted)
            raise InvalidInput(f"{what} {side} [b, {', '.join(map(str, found))}]; wanted [b, {wish}].")
    if not _is_graph(network):
        _check_round_trip(network, what, inputs)
    return network


def _is_graph(network: keras.Model) -> bool:
    """Whether Keras knows the network's inputs and outputs: functional models, and Sequential ones that were built."""
    return bool(getattr(network, "inputs", None))


def _shapes(network: keras.Model, what: str, inputs: tuple[int, ...]) -> tuple[tuple, tuple]:
    """What one example of the input and of the output is, ``()`` first axis left out."""
    if not _is_graph(network):
        try:
            output = network(keras.Input(inputs))
        except Exception as error:  # whatever the user's code raises
            first = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise InvalidInput(
                f"{what}={type(network).__name__} cannot be called on one tensor [b, {', '.join(map(str, inputs))}]: "
                f"{type(error).__name__}: {first}"
            ) from error
        if not isinstance(output, keras.KerasTensor):
            raise InvalidInput(f"{what}={type(network).__name__} gives a {type(output).__name__}; wanted one tensor.")
        return tuple(inputs), tuple(output.shape)[1:]
    if len(network.outputs) != 1:
        raise InvalidInput(f"{what}={network.name} gives {len(network.outputs)} tensors; wanted one.")
    return tuple(network.input_shape)[1:], tuple(network.output_shape)[1:]


def _check_round_trip(network: keras.Model, what: str, inputs: tuple[int, ...]) -> None:
    """``InvalidInput`` unless Keras can save the network and make it again, as checkpoints and ``.keras`` files do."""
    try:
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
        again(keras.Input(inputs))
        problem = None if [w.shape for w in again.weights] == [w.shape for w in network.weights] else "other weights"
    except Exception as error:  # whatever the user's code raises
        problem = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    if problem:
        raise InvalidInput(
            f"{what}={type(network).__name__} does not come back from its config ({problem}), so that it could not be "
            "saved; register the class with @keras.saving.register_keras_serializable() and give it a get_config that "
            "holds the arguments of its constructor."
        )
