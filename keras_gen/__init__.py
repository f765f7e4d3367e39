"""Generative models for Keras 3 on TensorFlow: trained by ``fit``, measured honestly, exported with their sampling."""

import importlib
import os
from typing import Any

from keras_gen.core.quiet import start_quietly

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") not in ("0", "1"):  # who asks for TensorFlow's log gets it whole
    start_quietly()

__version__ = "0.1.0"

# Public names and where they live. Imported when first used, so that `keras-gen --help` answers at once.
PUBLIC = {
    "ImageSpec": "keras_gen.core.image_spec",
    "InvalidInput": "keras_gen.core.errors",
    "TrainingDiverged": "keras_gen.core.errors",
    "OutputFailed": "keras_gen.core.errors",
    "ExportFailed": "keras_gen.core.errors",
    "Autoencoder": "keras_gen.models.variational.autoencoder",
    "VAE": "keras_gen.models.variational.vae",
    "BetaVAE": "keras_gen.models.variational.variants",
    "ConditionalVAE": "keras_gen.models.variational.variants",
    "IWAE": "keras_gen.models.variational.variants",
    "VampVAE": "keras_gen.models.variational.variants",
    "HierarchicalVAE": "keras_gen.models.variational.variants",
    "PixelVAE": "keras_gen.models.variational.variants",
    "AutoregressiveLikelihood": "keras_gen.models.variational.autoregressive_likelihood",
    "GAN": "keras_gen.models.adversarial.gan",
    "ProgressiveGAN": "keras_gen.models.adversarial.progressive_gan",
    "BigGAN": "keras_gen.models.adversarial.big_gan",
    "Objective": "keras_gen.losses.adversarial",
    "Penalty": "keras_gen.losses.penalties",
    "SpectralNormalization": "keras_gen.layers.spectral_normalization",
    "PixelCNN": "keras_gen.models.autoregressive.pixel_cnn",
    "GatedPixelCNN": "keras_gen.models.autoregressive.gated_pixel_cnn",
    "PixelCNNPlusPlus": "keras_gen.models.autoregressive.pixel_cnn_pp",
    "PixelRNN": "keras_gen.models.autoregressive.pixel_rnn",
    "RealNVP": "keras_gen.models.flows.real_nvp",
    "Glow": "keras_gen.models.flows.glow",
    "Pix2Pix": "keras_gen.models.translation.pix2pix",
    "CycleGAN": "keras_gen.models.translation.cycle_gan",
    "TextToImageGAN": "keras_gen.models.conditional.text_to_image",
    "SceneGraphToImage": "keras_gen.models.conditional.scene_graph_to_image",
    "TextEncoder": "keras_gen.models.conditional.text_encoder",
    "StyleEncoder": "keras_gen.models.conditional.style_encoder",
    "Classifier": "keras_gen.models.classifier",
    "Adam": "keras_gen.training.adam",
    "Muon": "keras_gen.training.muon",
    "LinearDecay": "keras_gen.training.linear_decay",
    "MomentumRampSGD": "keras_gen.training.momentum_ramp",
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
