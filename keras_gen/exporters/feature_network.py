"""A classifier's network as a small ``.keras`` file: a feature space that travels with a package."""

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import written_beside
from keras_gen.exporters.float32_twin import in_float32
from keras_gen.models.classifier import Classifier


def write_feature_network(classifier: Classifier, path: str | os.PathLike) -> None:
    """Writes ``classifier.network`` to ``path`` (``*.keras``), in about half the bytes that ``network.save`` takes.

    It computes in float32. Its kernels are rounded to bfloat16, as training in ``mixed_bfloat16`` saw them anyway, so half of
    their bytes are zeros, which the archive's compression takes away. Read it with ``--features network:FILE.keras``.

    Raises:
        InvalidInput: a model of another kind, or a path that does not end in ``.keras``.
        OutputFailed: the file cannot be written; what stood there stays.
    """
    if not isinstance(classifier, Classifier):
        raise InvalidInput(f"A feature network is a Classifier's, got {type(classifier).__name__}; train one first.")
    if Path(path).suffix != ".keras":
        raise InvalidInput(f"A feature network goes to a .keras file, got {os.fspath(path)!r}; rename it.")
    twin = Classifier.from_config(in_float32(classifier.get_config(), set()))
    twin.set_weights([_rounded(weight) if weight.ndim > 1 else weight for weight in classifier.get_weights()])
    with written_beside(path) as beside, tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / beside.name
        twin.network.save(whole)
        with (
            zipfile.ZipFile(whole) as source,
            zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
        ):
            for name in source.namelist():
                target.writestr(name, source.read(name))


def _rounded(weight: np.ndarray) -> np.ndarray:
    return tf.cast(tf.cast(weight, tf.bfloat16), tf.float32).numpy()
