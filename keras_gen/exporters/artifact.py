"""Writes a model as an artifact: a folder that is complete and verified, or not there at all. Below its path:

<path>/manifest.json                names, shapes, noise, checksums, parity: see manifest.py
<path>/saved_model/<version>/       one SavedModel, a signature an endpoint
<path>/onnx/<endpoint>.onnx         one file an endpoint
<path>/parity/<endpoint>.npz        inputs and the live model's outputs: see parity.py
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_gen.core.errors import ExportFailed, InvalidInput
from keras_gen.core.files import check_folder, repair, written_beside
from keras_gen.exporters.float32_twin import float32_twin
from keras_gen.exporters.formats import FORMATS, Format, FormatFailed, run_graphs, traced
from keras_gen.exporters.manifest import describe_endpoint, describe_model, foreign_files, read_manifest, seal
from keras_gen.exporters.parity import BATCH_SIZES, compare_format, reference_of, write_references
from keras_gen.models.generative_model import GenerativeModel


def write_artifact(
    model: GenerativeModel, path: str | os.PathLike, formats: Sequence[str], *, version: int | None = None
) -> dict[str, Any]:
    """Writes every endpoint of ``model`` in ``formats`` (``"saved_model"``, ``"onnx"``); returns the manifest.

    All is written beside ``path``, loaded back and compared with the live model at two batch sizes, and only then
    renamed; an artifact that stood there is replaced whole, at one instant where the system can (Linux), so that there is
    always one. Weights and computation are float32, whatever the model was
    trained with: a model of a reduced precision is compared with its float32 twin.

    Args:
        version: of the artifact, and folder name of its SavedModel; default: one more than that of the artifact at
            ``path``, or 1.

    Raises:
        InvalidInput: an unknown format, a version below 1, or ``path`` holds something that is no artifact.
        ExportFailed: an endpoint cannot be written in a format, or what was written disagrees with the model.
        OutputFailed: the disk is full or the place not writable.
    """
    path = check_folder(path).resolve()  # a link stays a link: what it points to is replaced
    repair(path)
    chosen = _chosen(formats)
    version = _version(path, version)
    twin, policies = float32_twin(model)
    endpoints = twin.endpoints()
    # The live model itself is asked wherever it computes in float32, from graphs of its own.
    live = run_graphs(traced((twin if policies else model).endpoints()))
    references = {name: reference_of(name, endpoint, live) for name, endpoint in endpoints.items()}
    with written_beside(path, folder=True) as folder:
        write_references(folder, references)
        entries = {
            name: target.write(traced(endpoints, target.compiled), folder, version) for name, target in chosen.items()
        }
        manifest = describe_model(model, policies, version, {p for target in chosen.values() for p in target.packages})
        manifest["endpoints"] = {
            name: describe_endpoint(endpoint, references[name][BATCH_SIZES[0]][1])
            for name, endpoint in endpoints.items()
        }
        manifest["formats"] = entries
        sequential = {name: endpoint.sequential for name, endpoint in endpoints.items()}
        manifest["parity"] = {name: _parity(folder, name, entry, sequential) for name, entry in entries.items()}
        return seal(folder, manifest)


def _chosen(formats: Sequence[str]) -> dict[str, Format]:
    if not formats:
        raise InvalidInput(f"No export format was given; give one or more of {', '.join(FORMATS)}.")
    return {name: FORMATS.get(name) for name in formats}


def _version(path: Path, wanted: int | None) -> int:
    """The version to write at ``path``, which holds nothing or an artifact; anything else is not ours to replace."""
    if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1):
        raise InvalidInput(f"version={wanted!r}; give an integer of at least 1, or nothing to count up.")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return wanted or 1
    try:
        manifest = read_manifest(path)
    except InvalidInput as error:
        raise InvalidInput(
            f"{path} exists and is not a whole artifact, so it is not overwritten; choose another path or remove it. "
            f"{error}"
        ) from error
    if foreign := foreign_files(path, manifest):
        raise InvalidInput(
            f"{path} also holds {foreign[0]}, which would be lost; move it elsewhere, or choose another path."
        )
    return wanted or manifest["version"] + 1


def _parity(folder: Path, format_name: str, entry: dict[str, Any], endpoints: Mapping[str, bool]) -> dict[str, Any]:
    """The format's parity for the manifest. ``ExportFailed`` if anything breaks the rule."""
    try:
        agreements = compare_format(folder, format_name, entry, endpoints)
    except FormatFailed as error:
        raise ExportFailed(
            f"What was written as {format_name} does not run. {error}. Export it in another format, or build the model "
            "so that its endpoints do without what is named here. Nothing was written."
        ) from error
    for endpoint, agreement in agreements.items():
        if agreement.problems:
            raise ExportFailed(
                f"{format_name} endpoint {endpoint!r} does not give what the model gives: "
                f"{'; '.join(agreement.problems)}. Endpoints must be pure functions of their inputs and the weights "
                "(all randomness an input). Nothing was written."
            )
    return {endpoint: agreement.get_config() for endpoint, agreement in agreements.items()}
