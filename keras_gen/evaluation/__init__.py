"""Floor 4: measures any model and writes what it found."""

from keras_gen.evaluation.report import evaluate

__all__ = ["evaluate"]
