"""Does an artifact give what the model gave? Reference numbers travel with it, so anybody can ask again.

The rule: floats agree within 1e-4 absolute plus 1e-4 relative. Integers (levels of images) differ by at most one
level, and in at most one of 1000 values (one value is always allowed): those that lie on the border of rounding, where
the last bit of a float decides. A flipped pixel of a binary image is one level.

Where an endpoint draws values in order, each given those before it, one flip at a border changes all that follow it in that
image. There the first difference of an image counts alone, and one image in all may have one.
"""

import dataclasses
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import ExportFailed, InvalidInput, TrainingDiverged
from keras_gen.core.finite import finite_images
from keras_gen.core.noise import draw
from keras_gen.exporters.formats import FORMATS, Arrays, FormatFailed, Run
from keras_gen.exporters.manifest import check_files, read_manifest

ABSOLUTE = RELATIVE = 1e-4
BORDER_VALUES = 1e-3
BATCH_SIZES = (3, 8)
BY_VERSIONS = (
    "Its files are intact, so this machine or its versions compute otherwise than {}; export the model again here."
)

Reference = Mapping[int, tuple[Arrays, Arrays]]


@dataclasses.dataclass
class Agreement:
    """How far an endpoint's outputs lie from the reference, over all outputs and batch sizes.

    ``max_abs_error`` is in the output's own unit (levels, for images); ``differing`` of ``integers`` integer values
    differ; ``problems`` says which outputs break the rule. ``sequential``: integers are drawn in order.
    """

    sequential: bool = False
    batch_sizes: list[int] = dataclasses.field(default_factory=list)
    max_abs_error: float = 0.0
    differing: int = 0
    integers: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)

    def get_config(self) -> dict[str, Any]:
        """For the manifest and the report."""
        return {
            "batch_sizes": self.batch_sizes,
            "max_abs_error": self.max_abs_error,
            "differing_fraction": self.differing / max(self.integers, 1),
        }

    def add(self, name: str, wanted: np.ndarray, found: np.ndarray | None) -> None:
        """Takes one output into account."""
        if found is None or found.shape != wanted.shape or found.dtype != wanted.dtype:
            came = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            self.problems.append(f"{name!r} is {came}; wanted {wanted.dtype} {list(wanted.shape)}")
            return
        whole = wanted.dtype.kind in "iub"
        wide = np.int64 if whole else np.float64
        error = np.zeros(wanted.shape, wide)  # equal infinities do not differ
        np.subtract(found.astype(wide), wanted.astype(wide), out=error, where=found != wanted)
        error = np.abs(error)
        if whole and self.sequential:
            flat = error.reshape(len(error), -1)
            earlier = np.cumsum(flat > 0, axis=1) - (flat > 0)
            error = np.where(earlier == 0, flat, 0)  # what follows a difference is drawn after another image
        self.max_abs_error = max(self.max_abs_error, float(np.max(error, initial=0.0)))
        if whole:
            self.differing += int(np.count_nonzero(error))
            self.integers += error.size
            if error.max(initial=0) > 1:
                self.problems.append(f"{name!r} differs by up to {error.max()} levels; wanted at most 1")
        # Written so that NaN counts as a difference.
        elif not np.all(error <= ABSOLUTE + RELATIVE * np.abs(wanted)):
            self.problems.append(
                f"{name!r} differs by up to {error.max():.3g}; wanted {ABSOLUTE} + {RELATIVE} relative"
            )

    def close(self) -> None:
        """Called after the last output: too many values on the border are no border."""
        if self.sequential and self.differing > 1:
            self.problems.append(f"{self.differing} images differ; wanted 1 at most")
        elif self.differing > max(1, BORDER_VALUES * self.integers):
            self.problems.append(f"{self.differing} of {self.integers} integer values differ; wanted 1 of 1000 at most")


def reference_of(name: str, endpoint: Endpoint, run: Run) -> Reference:
    """The endpoint's seeded inputs and the outputs of ``run``, at each of ``BATCH_SIZES``.

    Raises:
        ExportFailed: outputs that are not what the endpoint declares, or NaN: nobody should serve those.
    """
    reference = {}
    for size in BATCH_SIZES:
        inputs = draw(endpoint.inputs, size, seed=size)
        try:
            with finite_images(f"Endpoint {name!r}"):
                outputs = run(name, inputs)
        except TrainingDiverged as error:
            raise ExportFailed(f"{error} Nothing was written.") from error
        if set(outputs) != set(endpoint.ranges):
            raise ExportFailed(f"Endpoint {name!r} gives {sorted(outputs)} but declares {sorted(endpoint.ranges)}.")
        for output, value in outputs.items():
            what = f"Endpoint {name!r}: output {output!r} of {size} examples"
            if value.ndim < 1 or len(value) != size:
                raise ExportFailed(f"{what} has shape {list(value.shape)}; wanted the batch first.")
            if value.dtype.kind == "f" and np.isnan(value).any():
                raise ExportFailed(f"{what} holds NaN; the model diverged in training. Export an earlier checkpoint.")
            low, high = endpoint.ranges[output] or (-np.inf, np.inf)
            if value.size and (value.min() < low or value.max() > high):
                raise ExportFailed(f"{what} reaches [{value.min()}, {value.max()}]; it declares [{low}, {high}].")
        reference[size] = (inputs, outputs)
    return reference


def write_references(folder: Path, references: Mapping[str, Reference]) -> None:
    """One ``parity/<endpoint>.npz`` each: arrays ``<batch size>/inputs/<name>``, ``<batch size>/outputs/<name>``."""
    (folder / "parity").mkdir()
    for endpoint, reference in references.items():
        arrays = {
            f"{size}/{side}/{name}": value
            for size, pair in reference.items()
            for side, values in zip(("inputs", "outputs"), pair, strict=True)
            for name, value in values.items()
        }
        np.savez(folder / "parity" / f"{endpoint}.npz", **arrays)


def read_reference(folder: Path, endpoint: str) -> Reference:
    """What ``write_references`` wrote of one endpoint."""
    reference: dict[int, tuple[Arrays, Arrays]] = {}
    path = folder / "parity" / f"{endpoint}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                size, side, name = key.split("/", 2)
                reference.setdefault(int(size), ({}, {}))[side == "outputs"][name] = arrays[key]
    except (ValueError, TypeError, MemoryError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InvalidInput(f"{path} holds no reference arrays ({error}); export the model again.") from error
    return reference


def compare(reference: Reference, run: Run, endpoint: str, sequential: bool = False) -> Agreement:
    """Runs the endpoint on the reference's inputs and holds its outputs against the rule."""
    agreement = Agreement(sequential)
    for size, (inputs, wanted) in reference.items():
        found = run(endpoint, inputs)
        agreement.batch_sizes.append(size)
        for name, value in wanted.items():
            agreement.add(name, value, found.get(name))
    agreement.close()
    return agreement


def compare_format(
    folder: Path, format_name: str, entry: Mapping[str, Any], endpoints: Mapping[str, bool]
) -> dict[str, Agreement]:
    """Loads one written format and compares each endpoint (name -> is it sequential) with the references beside it."""
    run = FORMATS.get(format_name).load(folder, entry)
    return {
        name: compare(read_reference(folder, name), run, name, sequential) for name, sequential in endpoints.items()
    }


def verify(path: str | os.PathLike, formats: Sequence[str] | None = None) -> dict[str, Any]:
    """Checks an artifact: its manifest, then every file's checksum, then the numbers of each format it holds.

    ``formats``: those alone whose numbers are asked for; running a compiled SavedModel costs what compiling it did.

    Returns a report ``{"artifact", "model", "files": count, "formats": {format: {endpoint: parity}}}``.

    Raises:
        InvalidInput: whatever is wrong first; it names the file, what was expected and what to do. Nothing is loaded
            before all checksums have been found right.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    wanted = list(manifest["formats"]) if formats is None else list(formats)
    if not wanted or (absent := [name for name in wanted if name not in manifest["formats"]]):
        held = ", ".join(manifest["formats"])
        raise InvalidInput(f"{folder} holds {held}, not {', '.join(absent) if wanted else 'no format'}; ask for those.")
    found = {}
    for name in wanted:
        entry = manifest["formats"][name]
        sequential = {endpoint: entry.get("sequential", False) for endpoint, entry in manifest["endpoints"].items()}
        try:
            agreements = compare_format(folder, name, entry, sequential)
        except FormatFailed as error:
            raise InvalidInput(f"{folder}: {error}. {BY_VERSIONS.format(manifest['versions'])}") from error
        for endpoint, agreement in agreements.items():
            if agreement.problems:
                raise InvalidInput(
                    f"{folder}: {name} endpoint {endpoint!r} does not give what the model gave: "
                    f"{'; '.join(agreement.problems)}. {BY_VERSIONS.format(manifest['versions'])}"
                )
        found[name] = {endpoint: agreement.get_config() for endpoint, agreement in agreements.items()}
    return {"artifact": str(folder), "model": manifest["model"], "files": len(manifest["files"]), "formats": found}
