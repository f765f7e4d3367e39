"""Floor 4: measures any model and writes what it found."""

from typing import Any

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    # Late, so that the command line's `results`, which only reads files, does not wait for TensorFlow.
    if name == "evaluate":
        from keras_gen.evaluation.report import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
