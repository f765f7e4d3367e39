#!/usr/bin/env python3
"""Draws images from an artifact of keras_gen with NumPy, ONNX Runtime and Pillow alone.

    python draw.py ARTIFACT -n 64 --seed 0 --out grid.png

The artifact's manifest.json says what noise ``sample.onnx`` eats and how it is drawn from a seed; the pictures are
those of ``model.sample(n, seed)``. Neither keras_gen nor TensorFlow is needed, and none is imported.
"""

import argparse
import hashlib
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = "keras_gen/artifact/1"
DRAW = "numpy Generator(Philox(key=first 16 bytes, little endian, of sha256('<seed>:<name>')))"
DISTRIBUTIONS: dict[str, Callable] = {
    "normal": lambda generator, shape: generator.standard_normal(shape, dtype=np.float32),
    "uniform": lambda generator, shape: generator.random(shape, dtype=np.float32),
}
BATCH_SIZE = 64
CELL = 40  # pixels; smaller images are enlarged by whole factors
GAP = 4
PAPER = 255
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_SEED = 2**32 - 1
LARGEST_PICTURE = 2**30  # bytes; drawing takes a few times as many


class Refused(Exception):
    """What the user can mend; printed as one line, exit code 2."""


def read_manifest(folder: Path, verify: bool) -> dict[str, Any]:
    """The artifact's manifest, compared with its own checksum if ``verify``; or ``Refused``."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; give the folder that model.export wrote") from error
    except ValueError as error:
        raise Refused(f"{path} is no complete JSON ({error}); export the model again") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise Refused(f"{path} is not of schema {SCHEMA!r}; use the draw.py that came with the artifact's keras_gen")
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    if verify and digest != manifest.get("manifest_sha256"):
        raise Refused(f"{path} was changed after it was written: wrong SHA-256; export the model again")
    if manifest["draw"] != DRAW:
        raise Refused(f"{path} draws noise in a way unknown here ({manifest['draw']}); use a newer draw.py")
    return manifest


def sample_file(folder: Path, manifest: Mapping[str, Any], verify: bool) -> Path:
    """The path of ``sample.onnx``, its checksum compared if ``verify``."""
    entry = manifest["formats"].get("onnx")
    if entry is None or "sample" not in entry["files"]:
        held = ", ".join(manifest["formats"])
        raise Refused(f"{folder} holds no ONNX file of 'sample' (formats: {held}); export with format='onnx'")
    name = entry["files"]["sample"]
    path = folder / name
    if os.path.isabs(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{folder / 'manifest.json'} names {name!r}, which lies outside the artifact; do not use it")
    if not path.is_file():
        raise Refused(f"{path} is missing; export the model again")
    if verify and hashlib.sha256(path.read_bytes()).hexdigest() != manifest["files"][name]["sha256"]:
        raise Refused(f"{path} is not the file that was exported: wrong SHA-256; export the model again")
    return path


def labels_of(name: str, entry: Mapping[str, Any], n: int, label: int | None) -> np.ndarray:
    """``n`` class labels: the one asked for, or all classes in turn, as ``model.sample`` does."""
    low, high = entry["range"]
    if label is not None and not low <= label <= high:
        raise Refused(f"--label {label} is none of the model's classes; give one from {low} to {high}")
    return np.full(n, label, np.int32) if label is not None else np.arange(n, dtype=np.int32) % (high + 1)


def input_batches(
    inputs: Mapping[str, Any], n: int, seed: int, label: int | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The seed's noise for ``n`` images, by the manifest's recipe, and labels: name -> ``[up to 64, *shape]`` at a time."""
    labels = {
        name: labels_of(name, entry, n, label)
        for name, entry in inputs.items()
        if entry["distribution"] is None and entry["dtype"] == "int32" and len(entry["shape"]) == 1
    }
    if label is not None and not labels:
        raise Refused("--label is of class-conditional models; leave it out")
    inputs = {name: entry for name, entry in inputs.items() if name not in labels}
    for name, entry in inputs.items():
        if entry["distribution"] not in DISTRIBUTIONS:
            raise Refused(
                f"'sample' wants {name!r}, which cannot be drawn from a seed; this script serves noise and labels"
            )
    generators = {}
    for name in inputs:
        key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
        generators[name] = np.random.Generator(np.random.Philox(key=key))
    for start in range(0, n, BATCH_SIZE):
        count = min(BATCH_SIZE, n - start)
        yield {
            name: DISTRIBUTIONS[entry["distribution"]](generators[name], (count, *entry["shape"][1:]))
            for name, entry in inputs.items()
        } | {name: values[start : start + count] for name, values in labels.items()}


def draw(
    artifact: Path, n: int, seed: int, verify: bool = True, threads: int = 1, label: int | None = None
) -> tuple[np.ndarray, int]:
    """``n`` images of the seed, uint8 ``[n, h, w, c]``, and how many levels their channels have."""
    manifest = read_manifest(artifact, verify)
    path = sample_file(artifact, manifest, verify)
    check_size(n, [manifest["image_spec"][side] for side in ("height", "width", "channels")])
    import onnxruntime  # half of the start's time: not before the arguments are known to be good

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = manifest["endpoints"]["sample"]["inputs"]
    images = [session.run(["image"], noise)[0] for noise in input_batches(inputs, n, seed, label)]
    return np.concatenate(images), manifest["image_spec"]["levels"]


def check_out(path: Path) -> None:
    """``Refused`` unless a PNG may be written there: over nothing, or over a PNG; never over a folder, link or device."""
    try:
        if not path.parent.is_dir():
            raise Refused(f"cannot write {path}: {path.parent} is no folder")
        if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
            raise Refused(f"cannot write {path}: it is no file that a picture could replace; name another")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise Refused(f"cannot write {path}: no permission")
        with open(path, "rb") as file:
            if file.read(len(PNG)) not in (b"", PNG):
                raise Refused(f"cannot write {path}: it holds something that is no PNG; name another, or remove it")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # over-long, a NUL, no permission
        raise Refused(f"cannot write {str(path)[:60]}: {getattr(error, 'strerror', None) or error}") from error


def check_size(n: int, shape: list[int]) -> None:
    """``Refused`` unless ``n`` images ``[h, w, c]`` and their picture can be held in memory; see ``grid``."""
    height, width, channels = shape
    scale = max(1, math.ceil(CELL / min(height, width)))
    cell = (height * scale + GAP) * (width * scale + GAP) * channels
    if n * cell > LARGEST_PICTURE:
        raise Refused(f"-n {n} is a picture of {n * cell >> 30:,} GiB; give at most {LARGEST_PICTURE // cell}")


def grid(images: np.ndarray, levels: int) -> np.ndarray:
    """The images in the squarest grid, levels spread over 0 to 255, small ones enlarged: uint8 ``[h, w]`` or RGB."""
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise Refused(f"images of {channels} channels have no PNG; wanted 1 (grey) or 3 (colour)")
    columns = math.ceil(math.sqrt(count))
    scale = max(1, math.ceil(CELL / min(height, width)))
    cells = np.round(images * (255.0 / (levels - 1))).astype(np.uint8).repeat(scale, axis=1).repeat(scale, axis=2)
    high, wide = height * scale + GAP, width * scale + GAP
    picture = np.full((math.ceil(count / columns) * high + GAP, columns * wide + GAP, channels), PAPER, np.uint8)
    for index, cell in enumerate(cells):
        top, left = GAP + index // columns * high, GAP + index % columns * wide
        picture[top : top + high - GAP, left : left + wide - GAP] = cell
    return picture[..., 0] if channels == 1 else picture


def write_png(picture: np.ndarray, path: Path) -> None:
    """Written beside and renamed: a failure leaves what was there."""
    from PIL import Image

    beside = path.with_name(f".{path.stem[:40]}-{uuid.uuid4().hex[:8]}.part")
    try:
        Image.fromarray(picture).save(beside, format="PNG")
        os.replace(beside, path)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path, help="folder that model.export(..., format='onnx') wrote")
    parser.add_argument("-n", type=int, default=64, help="how many images (64)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same images (0)")
    parser.add_argument("--label", type=int, help="class of all images, for class-conditional models (all in turn)")
    parser.add_argument("--out", type=Path, default=Path("grid.png"), help="PNG to write (grid.png)")
    parser.add_argument("--threads", type=int, default=1, help="threads of ONNX Runtime (1, best for small models)")
    parser.add_argument(
        "--verify", action=argparse.BooleanOptionalAction, default=True, help="compare checksums first (default)"
    )
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        if options.n < 1 or options.threads < 1:
            raise Refused(f"-n {options.n} --threads {options.threads}; give integers of at least 1")
        if not 0 <= options.seed <= LARGEST_SEED:
            raise Refused(f"--seed {options.seed}; give an integer from 0 to {LARGEST_SEED}")
        check_out(options.out)
        images, levels = draw(options.artifact, options.n, options.seed, options.verify, options.threads, options.label)
        write_png(grid(images, levels), options.out)
    except Refused as refusal:
        print(f"draw.py: {refusal}.".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
        return 2
    loaded = "loaded" if "tensorflow" in sys.modules else "not loaded"
    seconds = time.perf_counter() - start
    print(f"{options.out}: {len(images)} images of seed {options.seed} in {seconds:.2f} s; TensorFlow is {loaded}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
