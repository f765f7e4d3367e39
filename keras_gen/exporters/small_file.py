"""Trained networks as small ``.keras`` files that travel with a package: feature spaces and presets."""

import os
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import written_beside
from keras_gen.exporters.float32_twin import in_float32
from keras_gen.models.classifier import Classifier
from keras_gen.models.generative_model import GenerativeModel


def write_feature_network(classifier: Classifier, path: str | os.PathLike) -> None:
    """Writes ``classifier.network`` alone to ``path`` (``*.keras``), as ``write_preset`` writes a model.

    It is built of Keras' own layers. Read it with ``--features network:FILE.keras``.

    Raises:
        InvalidInput: a model of another kind, or a path that does not end in ``.keras``.
        OutputFailed: the file cannot be written; what stood there stays.
    """
    if not isinstance(classifier, Classifier):
        raise InvalidInput(f"A feature network is a Classifier's, got {type(classifier).__name__}; train one first.")
    _write(rounded(classifier).network, path, "A feature network")


def write_preset(model: GenerativeModel, path: str | os.PathLike) -> None:
    """Writes the model to ``path`` (``*.keras``) in about half the bytes of its weights, without optimizers, and with averaged
    networks in the place of those that they are averages of.

    It computes in float32. Its kernels are rounded to bfloat16, as training in ``mixed_bfloat16`` saw them anyway, so half of
    their bytes are zeros, which the archive's compression takes away.

    Raises:
        InvalidInput: a path that does not end in ``.keras``.
        OutputFailed: the file cannot be written; what stood there stays.
    """
    _write(rounded(model), path, "A preset")


def rounded(model: GenerativeModel) -> GenerativeModel:
    """A float32 copy of the model, not compiled, whose kernels (weights of rank 2 and more) have bfloat16's digits.

    Of a model that keeps averages, one that keeps none and has theirs: it draws the same.
    """
    config, averages = in_float32(model.get_config(), set()), getattr(model, "averages", [])
    if averages:
        config["ema_decay"] = None
    twin = type(model).from_config(config)
    kept = {id(weight) for average in averages for weight in average.weights}
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights if id(weight) not in kept]
    twin.set_weights([_rounded(weight) for weight in weights])
    for network, average in zip(twin.generator_side if averages else (), averages):
        network.set_weights([_rounded(weight) for weight in average.get_weights()])
    return twin


def _rounded(weight: np.ndarray) -> np.ndarray:
    is_kernel = weight.ndim > 1 and weight.dtype.kind == "f"
    return tf.cast(tf.cast(weight, tf.bfloat16), tf.float32).numpy() if is_kernel else weight


def _write(network: keras.Model, path: str | os.PathLike, what: str) -> None:
    if Path(path).suffix != ".keras":
        raise InvalidInput(f"{what} goes to a .keras file, got {os.fspath(path)!r}; rename it.")
    with written_beside(path) as beside, tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / beside.name
        network.save(whole)
        with (
            zipfile.ZipFile(whole) as source,
            zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
        ):
            for name in source.namelist():
                target.writestr(name, source.read(name))
