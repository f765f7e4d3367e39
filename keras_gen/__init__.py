"""Generative models for Keras 3 on TensorFlow: trained by ``fit``, measured honestly, exported with their sampling."""

import importlib
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"

# Public names and where they live. Imported when first used, so that `keras-gen --help` answers at once.
PUBLIC = {
    "ImageSpec": "keras_gen.core.image_spec",
    "InvalidInput": "keras_gen.core.errors",
    "TrainingDiverged": "keras_gen.core.errors",
    "OutputFailed": "keras_gen.core.errors",
    "ExportFailed": "keras_gen.core.errors",
    "VAE": "keras_gen.models.variational.vae",
    "GAN": "keras_gen.models.adversarial.gan",
    "PixelCNN": "keras_gen.models.autoregressive.pixel_cnn",
    "GatedPixelCNN": "keras_gen.models.autoregressive.gated_pixel_cnn",
    "PixelCNNPlusPlus": "keras_gen.models.autoregressive.pixel_cnn_pp",
    "PixelRNN": "keras_gen.models.autoregressive.pixel_rnn",
    "Classifier": "keras_gen.models.classifier",
    "Adam": "keras_gen.training.adam",
    "Muon": "keras_gen.training.muon",
    "load": "keras_gen.loading",
}
_MODULES = ("data", "exporters", "evaluation", "training", "recipes", "runner")
__all__ = [*PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        if "errors" not in PUBLIC[name]:
            importlib.import_module("keras_gen.core.backend").require_tensorflow()
        value = getattr(importlib.import_module(PUBLIC[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"keras_gen.{name}")
    else:
        raise AttributeError(f"module 'keras_gen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
