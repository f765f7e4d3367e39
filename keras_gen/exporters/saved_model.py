"""TensorFlow's SavedModel: a folder ``saved_model/<version>``, as TF Serving wants it, one signature an endpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gen.core.errors import ExportFailed
from keras_gen.core.finite import finite_images
from keras_gen.exporters.formats import Arrays, Format, Graphs, Run, attempt


def write(graphs: Graphs, folder: Path, version: int) -> dict[str, Any]:
    """Writes each endpoint as a named signature, dict in and dict out. ``ExportFailed`` says why TensorFlow refused."""
    path = f"saved_model/{version}"
    module = tf.Module()
    functions = [graph.get_concrete_function() for graph in graphs.values()]
    # What the endpoints read and nothing else: no discriminator, no optimizer, no metric is written.
    module.weights = list({id(variable): variable for f in functions for variable in f.graph.variables}.values())
    try:
        tf.saved_model.save(module, str(folder / path), signatures=dict(graphs))
    except OSError:
        raise
    except tf.errors.OpError as error:
        # TensorFlow writes by itself and has errors of its own for a full disk; those name the file.
        if str(folder) in str(error):
            raise OSError(_reason(str(error))) from error
        raise _refused(graphs, error) from error
    except Exception as error:
        raise _refused(graphs, error) from error
    return {"path": path}


def _reason(message: str) -> str:
    """``"No space left on device"`` of ``"... /path/part-00000; No space left on device [Op:SaveV2]"``."""
    return message.rpartition("; ")[2].partition(" [Op:")[0]


def _refused(graphs: Graphs, error: Exception) -> ExportFailed:
    return ExportFailed(
        f"TensorFlow could not save endpoints {', '.join(graphs)}: {error}. Endpoints may read the model's weights "
        "and constants alone; keep tables and other resources out of them. Nothing was written."
    )


def load(folder: Path, entry: Mapping[str, Any]) -> Run:
    """Loads the folder of the manifest's ``entry`` and runs its signatures; errors become ``FormatFailed``."""
    with attempt("TensorFlow cannot open the SavedModel"):
        loaded = tf.saved_model.load(str(folder / entry["path"]))

    def run(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        with attempt(f"TensorFlow cannot run endpoint {endpoint!r}"), finite_images(f"Endpoint {endpoint!r}"):
            # Asked of `loaded` at each call: signatures alone do not keep their weights alive.
            outputs = loaded.signatures[endpoint](
                **{name: tf.convert_to_tensor(value) for name, value in inputs.items()}
            )
            return {name: value.numpy() for name, value in outputs.items()}

    return run


SAVED_MODEL = Format(("tensorflow",), write, load, compiled=True)
