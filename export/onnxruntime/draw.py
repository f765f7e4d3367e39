#!/usr/bin/env python3
"""Draws images from an artifact of keras_gen with NumPy, ONNX Runtime and Pillow alone.

    python draw.py ARTIFACT -n 64 --seed 0 --condition label=3 --out grid.png

The artifact's manifest.json says what noise ``sample.onnx`` takes and how it is drawn from a seed, and what numbers it takes
beside (of a sentence, the numbers of its characters; of a scene graph, those of its names); the pictures are those of
``model.sample(n, seed)``. Neither keras_gen nor TensorFlow is needed, and none is imported.
"""

import argparse
import difflib
import hashlib
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = "keras_gen/artifact/1"
DRAW = "numpy Generator(Philox(key=first 16 bytes, little endian, of sha256('<seed>:<name>')))"
# Kinds of noise, and how a generator draws them.
NOISE: dict[str, Callable] = {
    "normal": lambda generator, shape: generator.standard_normal(shape, dtype=np.float32),
    "uniform": lambda generator, shape: generator.random(shape, dtype=np.float32),
}
# Kinds of numbers that mean more than numbers within a range, and are not made here.
FOREIGN = ("images", "known_pixels")
NUMBERS = ("float32", "float64", "int32", "int64", "uint8")
IN_TURN = "in turn"
MOST_VALUES = 1 << 22  # of one example
GRAPH = '{"objects": ["sky", ...], "relations": [[0, "above", 1], ...]}'
PUNCTUATION = ".,;:!?'\"()[]{}"  # what may stand round a word and is none of it
BATCH_SIZE = 64
CELL = 40  # pixels; smaller images are enlarged by whole factors
GAP = 4
PAPER = 255
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_SEED = 2**32 - 1
LARGEST_PICTURE = 2**30  # bytes; drawing takes a few times as many


class Refused(Exception):
    """What the user can put right; printed as one line, exit code 2."""


def read_manifest(folder: Path, verify: bool) -> dict[str, Any]:
    """The artifact's manifest, compared with its own checksum if ``verify``; or ``Refused``."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; give the folder that model.export wrote") from error
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path} is no complete JSON ({error}); export the model again") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise Refused(f"{path} is not of schema {SCHEMA!r}; use the draw.py that came with the artifact's keras_gen")
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    if verify and digest != manifest.get("manifest_sha256"):
        raise Refused(f"{path} was changed after it was written: wrong SHA-256; export the model again")
    if (drawn := field(manifest, "draw", str)) != DRAW:
        raise Refused(f"{path} draws noise in a way unknown here ({drawn}); use a newer draw.py")
    return manifest


def field(mapping: Mapping[str, Any], *names: Any) -> Any:
    """What lies below the names, the last of which is the type wanted there; ``Refused`` where it is missing or another."""
    *path, kind = names
    found: Any = mapping
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if type(found) is not kind:
        where = ".".join(map(str, path))
        raise Refused(f"the manifest's {where} is {found!r:.60}; wanted {kind.__name__}: export the model again")
    return found


def file_of(folder: Path, manifest: Mapping[str, Any], verify: bool, endpoint: str = "sample") -> Path:
    """The path of an endpoint's ONNX file, its checksum compared if ``verify``."""
    formats = field(manifest, "formats", dict)
    if endpoint not in (field(formats, "onnx", "files", dict) if "onnx" in formats else {}):
        raise Refused(
            f"{folder} holds no ONNX file of {endpoint!r} (formats: {', '.join(formats)}); export with format='onnx'"
        )
    name = field(formats, "onnx", "files", endpoint, str)
    if "\0" in name or len(name) > 1024:
        raise Refused(f"{folder / 'manifest.json'} names {name!r:.60}, which is no file's name; do not use it")
    path = folder / name
    if os.path.isabs(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{folder / 'manifest.json'} names {name!r}, which lies outside the artifact; do not use it")
    if not path.is_file():
        raise Refused(f"{path} is missing; export the model again")
    if verify and hashlib.sha256(path.read_bytes()).hexdigest() != field(manifest, "files", name, "sha256", str):
        raise Refused(f"{path} is not the file that was exported: wrong SHA-256; export the model again")
    return path


def kind_of(name: str, entry: Mapping[str, Any]) -> str:
    """The kind of an input. Artifacts of before kinds had names say the distribution of noise, and else hold labels."""
    dtype, shape, noise = field(entry, "dtype", str), field(entry, "shape", list), entry.get("distribution")
    if (
        not shape
        or not all(type(side) is int and side >= 0 for side in shape[1:])
        or math.prod(shape[1:]) > MOST_VALUES
    ):
        raise Refused(f"the manifest gives {name!r} the shape {shape!r:.80}; export the model again")
    before = noise or ("labels" if dtype == "int32" and len(shape) == 1 else None)
    kind = entry.get("kind") or before
    if not isinstance(kind, str | None):
        raise Refused(f"the manifest says that {name!r} is of kind {kind!r:.60}; export the model again")
    if noise is None and (kind in NOISE or kind in FOREIGN or not is_numbers(entry)):
        way = "translate.py" if kind == "images" else "keras_gen"
        raise Refused(
            f"'sample' wants {name!r} of kind {kind!r}, which cannot be drawn from a seed or given as numbers; use {way}"
        )
    if noise is not None and kind not in NOISE:
        raise Refused(f"'sample' wants {name!r}, noise of kind {kind!r}, which is unknown here; use a newer draw.py")
    return kind


def is_numbers(entry: Mapping[str, Any]) -> bool:
    """Whether an input can be given as numbers, whatever its kind: one or a row of them (of more, if it may be left out), within
    a range.
    """
    dtype, ends = entry["dtype"], entry.get("range")
    if dtype not in NUMBERS or not isinstance(ends, list) or len(ends) != 2:
        return False
    if len(entry["shape"]) > 2 and type(entry.get("default")) not in (int, float):
        return False
    held = np.finfo(dtype) if "float" in dtype else np.iinfo(dtype)
    types = (int, float) if "float" in dtype else (int,)
    return all(type(end) in types for end in ends) and held.min <= ends[0] <= ends[1] <= held.max


def numbers_of(name: str, entry: Mapping[str, Any], n: int, text: str | None) -> np.ndarray:
    """A condition of ``n`` images: what was asked for, or its default, as ``model.sample`` takes it: ``[n, *shape]``."""
    (low, high), shape, dtype = entry["range"], entry["shape"][1:], entry["dtype"]
    number, what = (int, "integer") if "int" in dtype else (float, "number")
    wanted = f"{what}s from {low} to {high}"
    default = entry.get("default", None if "kind" in entry else IN_TURN)
    if text is None and default == IN_TURN and number is int:
        return np.broadcast_to(
            (low + np.arange(n) % (high - low + 1)).astype(dtype).reshape(n, *[1] * len(shape)), (n, *shape)
        )
    if text is None and type(default) not in (int, float):
        raise Refused(f"'sample' wants {name!r}; give it with --condition {name}=..., {wanted}")
    try:
        words = text.split(",") if text is not None else [default] * math.prod(shape)
        values = [number(word) for word in words]
    except (ValueError, OverflowError) as error:
        raise Refused(f"{name}={text} is no {what}; give {wanted}") from error
    if len(values) != math.prod(shape):
        raise Refused(f"{name}={text} holds {len(values)} of {math.prod(shape)} numbers; separate them by commas")
    if number is float:
        with np.errstate(over="ignore"):
            values = [float(np.array(value, dtype)) for value in values]  # the range is one of rounded numbers
    if not all(low <= value <= high for value in values):  # NaN does not lie there
        raise Refused(f"{name}={default if text is None else text} is out of range; give {wanted}")
    return np.broadcast_to(np.array(values, dtype).reshape(shape), (n, *shape))


def is_text(entry: Mapping[str, Any]) -> bool:
    """Whether an input stands for a sentence: one row of numbers of characters, by an alphabet that the manifest tells."""
    return "alphabet" in entry


def sentence_of(name: str, entry: Mapping[str, Any], n: int, text: str | None) -> np.ndarray:
    """A sentence as ``model.sample`` takes it: the place of each of its characters in the alphabet, from 1, then zeros."""
    alphabet, vocabulary = field(entry, "alphabet", str), field(entry, "vocabulary", list)
    shape, high = entry["shape"][1:], entry["range"][1]
    if len(shape) != 1 or len(alphabet) > high or not all(type(word) is str for word in vocabulary):
        raise Refused(f"the manifest's {name!r} is no sentence that can be read; export the model again")
    if text is None:
        raise Refused(f"'sample' wants {name!r}; give it with --condition {name}=..., a sentence")
    words = [word for each in text.lower().split() if (word := each.strip(PUNCTUATION))]
    if not words:
        raise Refused(f"{name}={text!r} is empty; give a sentence")
    if len(text) > shape[0]:
        raise Refused(f"{name} begins {text[:30]!r} and has {len(text)} characters; this model takes {shape[0]}")
    for word in words if vocabulary else ():
        if word not in vocabulary:
            near = difflib.get_close_matches(word, vocabulary, n=1, cutoff=0.0)
            raise Refused(f"{name} holds the word {word!r}, which is not known; the nearest is {near[0]!r}")
    numbers = {character: number for number, character in enumerate(alphabet, start=1)}
    row = [numbers.get(character, 0) for character in text.lower()[: shape[0]]]
    if not any(row):
        raise Refused(f"{name}={text!r} has no character of this alphabet: {alphabet}")
    made = np.zeros(shape[0], entry["dtype"])
    made[: len(row)] = row
    return np.broadcast_to(made, (n, shape[0]))


def is_graph(entry: Mapping[str, Any]) -> bool:
    """Whether an input stands for scene graphs: one row of numbers, by names that the manifest tells."""
    return "most_objects" in entry


def graphs_of(name: str, entry: Mapping[str, Any], n: int, text: str | None) -> np.ndarray:
    """The graph of a JSON file (or JSON itself), or a list of ``n`` of them, as ``model.sample`` takes them: places of names from
    1, the objects' first, then three numbers a relation: ``[n, length]``.
    """
    names = {what: field(entry, what, list) for what in ("objects", "relations")}
    most = {what: field(entry, f"most_{what}", int) for what in names}
    length = most["objects"] + 3 * most["relations"]
    if entry["shape"][1:] != [length] or not all(names.values()) or min(most.values()) < 1:
        raise Refused(f"the manifest's {name!r} is no graph that can be read; export the model again")
    if not all(type(word) is str for word in (*names["objects"], *names["relations"])):
        raise Refused(f"the manifest's {name!r} is no graph that can be read; export the model again")
    if text is None:
        raise Refused(f"'sample' wants {name!r}; give it with --{name} FILE.json, which holds {GRAPH}")
    try:
        given = json.loads(text if text.lstrip()[:1] in ("{", "[") else Path(text).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{name}={text[:60]} is no JSON that can be read ({error}); write {GRAPH}") from error
    graphs = given if isinstance(given, list) else [given]
    if isinstance(given, list) and len(given) != n:
        raise Refused(f"{name} holds {len(given)} graphs for {n} images; give {n}, or one for all")
    rows = [graph_row(name, names, most, graph) for graph in graphs]
    return np.broadcast_to(np.array(rows, entry["dtype"]), (n, length))


def graph_row(name: str, names: Mapping[str, list], most: Mapping[str, int], graph: Any) -> list[int]:
    """The numbers of one graph."""
    if not isinstance(graph, dict) or not set(graph) <= set(names):
        raise Refused(f"{name} holds {graph!r:.60}; wanted {GRAPH}")
    objects, relations = graph.get("objects"), graph.get("relations", [])
    if not isinstance(objects, list) or not isinstance(relations, list) or not objects:
        raise Refused(f"{name} {'is empty' if objects == [] else 'lacks a list of objects'}; give {GRAPH}")
    for what, found in (("objects", objects), ("relations", relations)):
        if len(found) > most[what]:
            raise Refused(f"{name} has {len(found)} {what}; this model takes {most[what]}")

    def number(what: str, word: Any) -> int:
        if word not in names[what]:
            near = difflib.get_close_matches(str(word), names[what], n=1, cutoff=0.0)
            raise Refused(f"{name} holds {word!r:.60} among its {what}, which is not known; the nearest is {near[0]!r}")
        return names[what].index(word) + 1

    row = [number("objects", word) for word in objects] + [0] * (most["objects"] - len(objects))
    for each in relations:
        if not isinstance(each, list) or len(each) != 3:
            raise Refused(f"{name} has the relation {each!r:.60}; give [subject, relation, object], as [0, 'above', 1]")
        if any(type(place) is not int or not 0 <= place < len(objects) for place in (each[0], each[2])):
            raise Refused(f"{name} has the relation {each!r:.60}; its objects are counted from 0 to {len(objects) - 1}")
        row += [each[0] + 1, number("relations", each[1]), each[2] + 1]
    return row + [0] * (3 * (most["relations"] - len(relations)))


def reader_of(entry: Mapping[str, Any]) -> Callable:
    """What makes arrays of the words that a condition is given in."""
    return sentence_of if is_text(entry) else graphs_of if is_graph(entry) else numbers_of


def input_batches(
    inputs: Mapping[str, Any], n: int, seed: int, conditions: Mapping[str, str] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The seed's noise for ``n`` images, by the manifest's recipe, and conditions: name -> ``[up to 64, *shape]`` at a time."""
    conditions = conditions or {}
    kinds = {name: kind_of(name, field(inputs, name, dict)) for name in inputs}
    given = [name for name, kind in kinds.items() if kind not in NOISE]
    if unknown := [name for name in conditions if name not in given]:
        takes = f"it takes {', '.join(given)}" if given else "it takes noise alone; leave it out"
        raise Refused(f"the model takes no condition {unknown[0]!r}; {takes}")
    numbers = {name: reader_of(inputs[name])(name, inputs[name], n, conditions.get(name)) for name in given}
    generators = {}
    for name in inputs:
        key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
        generators[name] = np.random.Generator(np.random.Philox(key=key))
    for start in range(0, n, BATCH_SIZE):
        count = min(BATCH_SIZE, n - start)
        yield {
            name: numbers[name][start : start + count]
            if name in numbers
            else NOISE[kinds[name]](generators[name], (count, *entry["shape"][1:]))
            for name, entry in inputs.items()
        }


def conditions_of(pairs: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as name -> value, each name once."""
    conditions: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name or name in conditions:
            raise Refused(f"--condition {pair} is {'given twice' if name in conditions else 'no NAME=VALUE'}")
        conditions[name] = text
    return conditions


def draw(
    artifact: Path,
    n: int,
    seed: int,
    verify: bool = True,
    threads: int = 1,
    conditions: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, int]:
    """``n`` images of the seed under the conditions, uint8 ``[n, h, w, c]``, and how many levels their channels have."""
    manifest = read_manifest(artifact, verify)
    path = file_of(artifact, manifest, verify)
    check_size(n, [field(manifest, "image_spec", side, int) for side in ("height", "width", "channels")])
    import onnxruntime  # half of the start's time: not before the arguments are known to be good

    inputs, levels = (
        field(manifest, "endpoints", "sample", "inputs", dict),
        field(manifest, "image_spec", "levels", int),
    )
    if not 2 <= levels <= 256:
        raise Refused(f"the manifest says that images have {levels} levels; wanted 2 to 256: export the model again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # fatal errors; others are raised
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        images = [session.run(["image"], given)[0] for given in input_batches(inputs, n, seed, conditions)]
    except (Refused, MemoryError):
        raise
    except Exception as error:  # ONNX Runtime's have no common class
        raise Refused(
            f"ONNX Runtime cannot run {path}: {str(error).splitlines()[0]}; export the model again"
        ) from error
    if any(part.dtype != np.uint8 or part.ndim != 4 for part in images):
        raise Refused(f"{path} gives no images; export the model again")
    return np.concatenate(images), levels


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
    parser.add_argument(
        "--condition",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what all images are drawn under; repeatable",
    )
    parser.add_argument("--label", metavar="N", help="the same as --condition label=N: the class (all in turn)")
    parser.add_argument("--caption", metavar="TEXT", help="the same as --condition caption=TEXT: the sentence")
    parser.add_argument("--graph", metavar="FILE.json", help="the same as --condition graph=FILE.json: the scene graph")
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
        short = {name: getattr(options, name) for name in ("label", "caption", "graph")}
        pairs = options.condition + [f"{name}={text}" for name, text in short.items() if text is not None]
        conditions = conditions_of(pairs)
        images, levels = draw(options.artifact, options.n, options.seed, options.verify, options.threads, conditions)
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
