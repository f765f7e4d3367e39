"""Which of Keras' backends runs, asked without importing Keras."""

import os
import sys

from keras_gen.core.errors import InvalidInput


def require_tensorflow() -> None:
    """``InvalidInput`` if Keras runs on another backend, or would once it is imported."""
    keras = sys.modules.get("keras")
    found = keras.backend.backend() if keras else os.environ.get("KERAS_BACKEND", "tensorflow")
    if found != "tensorflow":
        raise InvalidInput(
            f"Keras runs on {found} here, keras_gen on TensorFlow; set KERAS_BACKEND=tensorflow, or leave it out, before Keras "
            "is first imported."
        )
