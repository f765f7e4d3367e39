"""``manifest.json``: all that a program needs to run an artifact, and to know that it is whole.

It names every input (with its kind, and the distribution it is drawn from), every output (with its range), the files of
each format, the parity errors measured when it was written, and size and SHA-256 of each file. Programs under ``export/``
read it and nothing else of the project.
"""

import hashlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import ExportFailed, InvalidInput
from keras_gen.core.files import sha256, write_json
from keras_gen.core.noise import DRAW
from keras_gen.exporters.manifest_fields import check_fields

if TYPE_CHECKING:
    from keras_gen.models.generative_model import GenerativeModel

SCHEMA = "keras_gen/artifact/1"
NAME = "manifest.json"
AGAIN = "export the model again"
MOST_BYTES = 16 << 20  # a manifest has some KiB


def describe_model(model: "GenerativeModel", policies: set[str], version: int, packages: set[str]) -> dict[str, Any]:
    """The manifest's head. ``policies`` are the dtype policies that were replaced by float32 to export."""
    names = ("tensorflow", "keras", "numpy", *sorted(packages - {"tensorflow"}))
    return {
        "schema": SCHEMA,
        "model": type(model).__name__,
        "keras_gen": importlib.import_module("keras_gen").__version__,
        "versions": {name: importlib.import_module(name).__version__ for name in names},
        "version": version,
        "image_spec": model.image_spec.get_config(),
        "trained_with": ", ".join(sorted({model.dtype_policy.name, *policies})),
        "draw": DRAW,
    }


def describe_endpoint(endpoint: Endpoint, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One endpoint: what each kind of its inputs says; dtype, shape (null is the batch) and range of outputs."""
    return {
        "inputs": {name: kind.describe() for name, kind in endpoint.inputs.items()},
        "outputs": {
            name: {
                "dtype": value.dtype.name,
                "shape": [None, *value.shape[1:]],
                "range": None if endpoint.ranges[name] is None else list(endpoint.ranges[name]),
            }
            for name, value in outputs.items()
        },
        "sequential": endpoint.sequential,
    }


def seal(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Adds size and checksum of every file below ``folder``, and the manifest's own; writes ``manifest.json``.

    ``ExportFailed`` where nobody could read it, as of an input called by no identifier.
    """
    files = {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in files_of(folder)
    }
    sealed = {**manifest, "files": files}
    sealed["manifest_sha256"] = digest(sealed)
    try:
        check_fields(sealed)
    except InvalidInput as error:
        raise ExportFailed(f"The manifest would be refused by who reads it: {error}. Nothing was written.") from error
    write_json(folder / NAME, sealed)
    return sealed


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest as sorted JSON, without its own field ``manifest_sha256``."""
    rest = {name: value for name, value in manifest.items() if name != "manifest_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def files_of(folder: Path) -> list[str]:
    """Relative names of all that is no folder below ``folder``, the manifest excepted; links count as files."""
    names = (
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    return sorted(name for name in names if name != NAME)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an artifact, its structure and its own checksum verified; the other files are not looked at.

    Raises:
        InvalidInput: there is none, it is no JSON or of another schema, a field is missing or of a wrong type, a file
            name leaves the folder, or the manifest was changed after it was written.
    """
    path = folder / NAME
    if not path.is_file():
        what = "has no manifest.json" if folder.is_dir() else "is no folder"
        raise InvalidInput(
            f"{folder} {what}, so it is no artifact of keras_gen; give the folder that model.export wrote."
        )
    if (size := path.stat().st_size) > MOST_BYTES:
        raise InvalidInput(f"{path} has {size} bytes, which is no manifest; {AGAIN}.")
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no complete JSON ({error}); {AGAIN}.") from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise InvalidInput(
            f"{path} has schema {schema!r}; wanted {SCHEMA!r}. Use the keras_gen that wrote it, or {AGAIN}."
        )
    try:
        check_fields(manifest)
        _check_agreement(manifest)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}; {AGAIN}.") from error
    if manifest["manifest_sha256"] != digest(manifest):
        raise InvalidInput(f"{path} was changed after it was written: its own checksum does not fit; {AGAIN}.")
    return manifest


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises ``InvalidInput`` unless the folder holds exactly the manifest's files, byte for byte."""
    found = files_of(folder)
    for name, wanted in manifest["files"].items():
        path = folder / name
        if name not in found:
            raise InvalidInput(f"{path} is missing; {AGAIN}.")
        if path.is_symlink():
            raise InvalidInput(
                f"{path} is a link; wanted the file itself. Copy the artifact with its files, or {AGAIN}."
            )
        if (size := path.stat().st_size) != wanted["bytes"]:
            raise InvalidInput(
                f"{path} has {size} bytes; the manifest says {wanted['bytes']}. Copy it anew, or {AGAIN}."
            )
        if (now := sha256(path)) != wanted["sha256"]:
            raise InvalidInput(
                f"{path} was changed: its SHA-256 is {now[:12]}..., the manifest says {wanted['sha256'][:12]}...; "
                f"{AGAIN}."
            )
    if extra := foreign_files(folder, manifest):
        raise InvalidInput(f"{folder / extra[0]} does not belong to the artifact; move it elsewhere, or {AGAIN}.")


def foreign_files(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files in the folder that the manifest does not name."""
    return [name for name in files_of(folder) if name not in manifest["files"]]


def _check_agreement(manifest: Mapping[str, Any]) -> None:
    """What fields say of each other: all that is going to be opened has a checksum, and images are what the model makes."""
    endpoints, files = manifest["endpoints"], manifest["files"]
    opened = [f"parity/{endpoint}.npz" for endpoint in endpoints]
    for name, entry in manifest["formats"].items():
        if "path" in entry:
            opened.append(f"{entry['path']}/saved_model.pb")
        elif set(entry["files"]) != set(endpoints):
            raise InvalidInput(
                f"format {name!r} holds {sorted(entry['files'])}; wanted the endpoints {sorted(endpoints)}"
            )
        else:
            opened += entry["files"].values()
    if unlisted := [name for name in opened if name not in files]:
        raise InvalidInput(f"it uses {unlisted[0]!r} but lists no checksum for it")
    spec = manifest["image_spec"]
    wanted = {"dtype": "uint8", "shape": [None, spec["height"], spec["width"], spec["channels"]]}
    for endpoint in {"sample", "complete"} & set(endpoints):
        found = endpoints[endpoint]["outputs"].get("image", {})
        if {key: found.get(key) for key in wanted} != wanted:
            raise InvalidInput(
                f"endpoint {endpoint!r} gives {found or 'no image'}; wanted {wanted}, as image_spec says"
            )
