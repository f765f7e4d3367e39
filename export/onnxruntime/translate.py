#!/usr/bin/env python3
"""Translates pictures by an artifact of keras_gen with NumPy, ONNX Runtime and Pillow alone.

    python translate.py ARTIFACT --images FOLDER --out FOLDER --seed 0 --condition deterministic=1

Pictures may have any size: what is not the model's goes through it in overlapping tiles. They become what ``keras-gen translate``
makes of them. Neither keras_gen nor TensorFlow is needed, and none is imported.
"""

import argparse
import hashlib
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from draw import (
    LARGEST_SEED,
    NOISE,
    Refused,
    check_out,
    conditions_of,
    field,
    file_of,
    kind_of,
    numbers_of,
    read_manifest,
    write_png,
)
from tiles import tiled

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# By content, whatever the name says.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # JPEG's reader also opens MPO
BATCH_SIZE = 16
LARGEST_PICTURE = 2**30  # bytes


def endpoint_of(manifest: Mapping[str, Any], direction: str | None) -> str:
    """The endpoint to run: ``translate``, or one of ``translate_ab`` and ``translate_ba``."""
    endpoints = field(manifest, "endpoints", dict)
    there = [name for name in endpoints if name.startswith("translate")]
    wanted = f"translate_{direction}" if direction else "translate" if "translate" in there else "translate_ab"
    if wanted not in there:
        held = f"it has {', '.join(there)}" if there else "give the artifact of a translator"
        raise Refused(f"the artifact has no endpoint {wanted!r}; {held}")
    return wanted


def picture_spec(manifest: Mapping[str, Any], *path: str) -> tuple[int, int, int, int]:
    """Height, width, channels and levels of an endpoint's input or output that holds pictures."""
    shape, ends = field(manifest, *path, "shape", list), field(manifest, *path, "range", list)
    sides, top = shape[1:], ends[1] if len(ends) == 2 else None
    whole = len(sides) == 3 and all(type(side) is int and side > 0 for side in sides) and math.prod(sides) <= 1 << 22
    if not whole or sides[2] not in (1, 3) or type(top) is not int or not 1 <= top <= 255:
        raise Refused(f"the manifest's {'.'.join(path)} is {sides} of {ends}; wanted pictures of 1 or 3 channels")
    return (*sides, top + 1)


def pictures_of(folder: Path, out: Path) -> dict[Path, Path]:
    """The files to read, by name, and where each goes: below ``out`` as it lies below the folder, as PNG."""
    if folder.is_file():
        return not_itself({folder: out / f"{folder.stem}.png"})
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder and no picture; give one that holds the pictures to translate")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise Refused(f"{folder} holds no picture; wanted files ending in {', '.join(SUFFIXES)}")
    places = {file: out / file.relative_to(folder).with_suffix(".png") for file in files}
    if len(set(places.values())) < len(places):
        twice = next(place for place in places.values() if list(places.values()).count(place) > 1)
        raise Refused(f"several pictures would become {twice}; rename all but one")
    return not_itself(places)


def not_itself(places: dict[Path, Path]) -> dict[Path, Path]:
    """The places; ``Refused`` where a translation would replace a picture that is to be translated."""
    originals = {os.path.realpath(file): file for file in places}
    if lost := next((place for place in places.values() if os.path.realpath(place) in originals), None):
        raise Refused(
            f"{lost} is one of the pictures to translate, which its translation would replace; name another --out"
        )
    return places


def unreadable(file: Path, error: Exception) -> Refused:
    """What is said of a file that is no picture; Pillow's readers raise many kinds of errors on damaged bytes."""
    return Refused(f"{file} cannot be read as a picture ({error or type(error).__name__}); remove or repair it")


def opened(file: Path, channels: int) -> Any:
    """The picture, of which the header alone has been read; its size is checked."""
    from PIL import Image

    try:
        image = Image.open(file, formats=FORMATS)
    except Exception as error:
        raise unreadable(file, error) from error
    if image.width * image.height * channels > LARGEST_PICTURE:
        image.close()
        raise Refused(f"{file} has {image.width}x{image.height} pixels, more than fit into memory; cut it")
    return image


def read(file: Path, channels: int, levels: int) -> np.ndarray:
    """The picture upright, on white where it is transparent: uint8 ``[h, w, channels]`` in ``[0, levels - 1]``."""
    from PIL import Image, ImageOps

    try:
        with opened(file, channels) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip
                grey = np.asarray(image).astype(np.int64).clip(0, 65535)
                image = Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))
            if image.has_transparency_data:
                behind = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(behind, image.convert("RGBA"))
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"), np.uint8)
    except Refused:
        raise
    except Exception as error:
        raise unreadable(file, error) from error
    return np.round(pixels.reshape(*pixels.shape[:2], channels) * ((levels - 1) / 255.0)).astype(np.uint8)


def translator(
    session: Any, inputs: Mapping[str, Any], seed: int, conditions: Mapping[str, str]
) -> Callable[[int], Callable[[np.ndarray], np.ndarray]]:
    """Of a picture's number, in order from 0, the function of its tiles ``[n, h, w, c]``, which share its noise."""
    kinds = {name: kind_of(name, entry) for name, entry in inputs.items() if name != "source"}
    given = [name for name, kind in kinds.items() if kind not in NOISE]
    if unknown := [name for name in conditions if name not in given]:
        raise Refused(f"the translation takes no condition {unknown[0]!r}; it takes {', '.join(given) or 'none'}")
    numbers = {name: numbers_of(name, inputs[name], 1, conditions.get(name)) for name in given}
    generators = {}
    for name in kinds:
        key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
        generators[name] = np.random.Generator(np.random.Philox(key=key))

    def of(number: int) -> Callable[[np.ndarray], np.ndarray]:
        one = {
            name: numbers[name] if name in numbers else NOISE[kind](generators[name], (1, *inputs[name]["shape"][1:]))
            for name, kind in kinds.items()
        }

        def translated(tiles: np.ndarray) -> np.ndarray:
            parts = []
            for start in range(0, len(tiles), BATCH_SIZE):
                part = tiles[start : start + BATCH_SIZE]
                shared = {name: np.repeat(values, len(part), axis=0) for name, values in one.items()}
                parts.append(session.run(["image"], {"source": part, **shared})[0])
            return np.concatenate(parts)

        return translated

    return of


def translate(
    artifact: Path,
    images: Path,
    out: Path,
    direction: str | None = None,
    seed: int = 0,
    overlap: int | None = None,
    conditions: Mapping[str, str] | None = None,
    verify: bool = True,
    threads: int = 1,
) -> list[Path]:
    """Writes a PNG below ``out`` for every picture below ``images``; returns the files."""
    manifest = read_manifest(artifact, verify)
    endpoint = endpoint_of(manifest, direction)
    path = file_of(artifact, manifest, verify, endpoint)
    place = ("endpoints", endpoint)
    height, width, channels, levels = picture_spec(manifest, *place, "inputs", "source")
    *_, made_levels = picture_spec(manifest, *place, "outputs", "image")
    places = pictures_of(images, out)
    for file in places:
        opened(file, channels).close()
    for target in places.values():
        target.parent.mkdir(parents=True, exist_ok=True)
        check_out(target)
    import onnxruntime  # half of the start's time: not before the arguments are known to be good

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # fatal errors; others are raised
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        of = translator(session, field(manifest, *place, "inputs", dict), seed, conditions or {})
        for number, (file, target) in enumerate(places.items()):
            picture = tiled(of(number), read(file, channels, levels), (height, width), overlap)
            shown = np.round(picture * (255.0 / (made_levels - 1))).astype(np.uint8)
            write_png(shown[..., 0] if shown.shape[-1] == 1 else shown, target)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # ONNX Runtime's have no common class
        raise Refused(
            f"ONNX Runtime cannot run {path}: {str(error).splitlines()[0]}; export the model again"
        ) from error
    return list(places.values())


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path, help="folder that model.export(..., format='onnx') wrote")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures, or one picture")
    parser.add_argument("--out", type=Path, required=True, help="folder that the translations are written to, as PNG")
    parser.add_argument("--direction", choices=("ab", "ba"), help="which way, of a CycleGAN (ab)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise: the same seed gives the same pictures (0)")
    parser.add_argument("--condition", action="append", default=[], metavar="NAME=VALUE", help="as deterministic=1")
    parser.add_argument("--overlap", type=int, help="pixels that tiles share (a quarter of a tile)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of ONNX Runtime (all)")
    parser.add_argument(
        "--verify", action=argparse.BooleanOptionalAction, default=True, help="compare checksums first (default)"
    )
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        if options.threads < 1 or not 0 <= options.seed <= LARGEST_SEED or (options.overlap or 0) < 0:
            raise Refused(
                f"--threads {options.threads} --seed {options.seed} --overlap {options.overlap}; give at least 1, 0 to "
                f"{LARGEST_SEED}, and at least 0"
            )
        written = translate(
            *(options.artifact, options.images, options.out, options.direction, options.seed, options.overlap),
            *(conditions_of(options.condition), options.verify, options.threads),
        )
    except (Refused, OSError) as refusal:
        print(f"translate.py: {refusal}.".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
        return 2
    loaded = "loaded" if "tensorflow" in sys.modules else "not loaded"
    seconds = time.perf_counter() - start
    print(f"{options.out}: {len(written)} pictures in {seconds:.2f} s; TensorFlow is {loaded}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
