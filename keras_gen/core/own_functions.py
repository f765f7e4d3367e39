"""Functions of the user's own in saved files: by the name they are registered under, never by their code."""

from collections.abc import Callable

import keras

from keras_gen.core.errors import InvalidInput


def saved_name(function: Callable, what: str) -> str:
    """The registered name that stands for ``function`` in a file; ``InvalidInput`` where it has none."""
    name = keras.saving.get_registered_name(function)
    if keras.saving.get_registered_object(name) is not function:
        called = getattr(function, "__name__", repr(function))
        raise InvalidInput(
            f"{what} is the function {called!r}, which no file can name; the model cannot be saved or exported with it. "
            f"Register it, now or at its definition: keras.saving.register_keras_serializable('my_package')({called})."
        )
    return name


def saved_function(name: str) -> Callable:
    """The function that a file names; ``InvalidInput`` where nothing registered it in this process."""
    function = keras.saving.get_registered_object(name)
    if not callable(function):
        raise InvalidInput(
            f"The file names a function {name!r} that is not registered here; import the module that defines it, decorated "
            "with keras.saving.register_keras_serializable, before loading."
        )
    return function
