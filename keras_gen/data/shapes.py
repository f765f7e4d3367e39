"""``shapes[?side=32&objects=1-3&count=10000&label=pair&held_out=true&graphs=false]``: drawn scenes with known truth, and
sentences of them.

One to eight coloured, textured shapes, small or large; scene i of a split is a function of the split, i and ``objects``, the same
at any ``side``. No download, any number. A batch holds

    image      uint8 ``[b, side, side, 3]``
    caption    the sentence that says most of each, as characters (``core.captions``): uint8 ``[b, 128]``
    captions   all five: uint8 ``[b, 5, 128]``
    held_out   1 where the scene holds a pair of colour and shape that no training scene does
    label      of scenes of one thing alone: what ``label`` names of it

and with ``graphs=true``, for the most things that ``objects`` allows,

    graph      how each thing lies to another (``core.graphs``), things called as "small red circle": int32 ``[b, 4 most]``
    graphs     the first and four more, other things compared: ``[b, 5, 4 most]``
    boxes      of the things: float32 ``[b, most, 4]``, -1 of none
    masks      what is seen of them in their boxes: uint8 ``[b, most, 16, 16]``, 2 of none

What else is known of a scene (boxes, masks, relations) ``scenes_of`` tells.
"""

import functools
import itertools
from collections.abc import Callable

import numpy as np

from keras_gen.core.captions import characters
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.graph_making import with_graphs
from keras_gen.data.options import only_options
from keras_gen.data.scene_captions import LENGTH, PLACES, captions_of
from keras_gen.data.scene_graphs import graph_kind, truths_of
from keras_gen.data.scenes import (
    ALL_PAIRS,
    COLOURS,
    HELD_OUT,
    MOST,
    SEEN_PAIRS,
    SHAPES,
    SIZES,
    TEXTURES,
    Scene,
    Thing,
    pictures,
    scene_of,
    third_of,
)

SIDES = (32, 64)
MOST_SCENES = 200_000
HELD_BACK = 10  # validation and test hold a tenth of the training's count, at least so many scenes
DEFAULTS = {"side": "32", "objects": "1-3", "count": "10000", "label": "pair", "held_out": "true", "graphs": "false"}
WANTED = (
    "side=32 or 64, objects=1-3 (1 to 8, or one number), count=10000 (of the training scenes), label=pair, colour, shape, size, "
    "texture or place, held_out=true or false, graphs=true or false"
)
BLOCK = 256  # scenes drawn at once

# Name of a label -> the words that it may be, and which of them is true of a thing.
LABELS: dict[str, tuple[tuple[str, ...], Callable[[Thing], str]]] = {
    "pair": (tuple(map(" ".join, ALL_PAIRS)), lambda thing: f"{thing.colour} {thing.shape}"),
    "colour": (tuple(COLOURS), lambda thing: thing.colour),
    "shape": (SHAPES, lambda thing: thing.shape),
    "size": (SIZES, lambda thing: thing.size),
    "texture": (TEXTURES, lambda thing: thing.texture),
    "place": (tuple(itertools.chain(*PLACES)), lambda thing: PLACES[third_of(thing.y)][third_of(thing.x)]),
}


def load(argument: str, split: str, download: bool = False) -> ImageData:
    """``count`` training scenes, a tenth of that for validation and for the test; ``download`` has nothing to do.

    Six pairs of colour and shape (``scenes.HELD_OUT``) appear in no scene of training and validation; in every second scene of
    the test, those of odd numbers, there is one. With ``held_out=false`` all pairs appear everywhere.
    """
    side, objects, count, label, holds_out, graphs = _options(argument)
    _, images, captions, held, labels = _drawn(split, side, objects, count, label, holds_out)
    features = {
        "image": images,
        "caption": captions[:, 0],
        "captions": captions,
        "held_out": held,
    }
    names = None
    if labels is not None:
        features["label"], names = labels, LABELS[label][0]
    name = f"shapes{_told(argument)}"
    if not graphs:
        return ImageData(name, split, ImageSpec(side, side, 3), features, names)
    del features["image"]
    truth = _graphs(split, side, objects, count, label, holds_out)
    return with_graphs(name, split, images, graph_kind(objects[1]), *truth, features, names)


def scenes_of(argument: str, split: str) -> list[Scene]:
    """The scenes that ``load`` draws: what they hold, and boxes, masks and relations of that."""
    _, objects, count, _, holds_out, _ = _options(argument)
    return [scene for scene, _ in _scenes(split, objects, count, holds_out)]


def _options(argument: str) -> tuple[int, tuple[int, int], int, str, bool, bool]:
    before, given = only_options("shapes", argument, DEFAULTS, WANTED)
    ends = [int(word) if word in map(str, range(1, MOST + 1)) else 0 for word in given["objects"].split("-")]
    objects = (ends[0], ends[-1])
    count = int(given["count"]) if given["count"].isascii() and given["count"].isdecimal() else 0
    good = given["side"] in map(str, SIDES) and len(ends) <= 2 and 1 <= objects[0] <= objects[1]
    switches = [given[name] for name in ("held_out", "graphs")]
    good = good and 1 <= count <= MOST_SCENES and given["label"] in LABELS and set(switches) <= {"true", "false"}
    if before or not good:
        raise InvalidInput(f"shapes got {argument!r}; known are ?{WANTED}; at most {MOST_SCENES:,} scenes.")
    return int(given["side"]), objects, count, given["label"], *(switch == "true" for switch in switches)


def _told(argument: str) -> str:
    """The options that are not their defaults, in order."""
    _, given = only_options("shapes", argument, DEFAULTS, WANTED)
    changed = [f"{name}={value}" for name, value in given.items() if value != DEFAULTS[name]]
    return f"?{'&'.join(changed)}" if changed else ""


def _scenes(
    split: str, objects: tuple[int, int], count: int, holds_out: bool
) -> list[tuple[Scene, np.random.Generator]]:
    """Each with the generator that drew it, which goes on to its sentences."""
    size = count if split == "train" else max(HELD_BACK, count // 10)
    found = []
    for number in range(size):
        generator = np.random.Generator(np.random.Philox(key=(1 << 64) + (SPLITS.index(split) << 32) + number))
        unseen = holds_out and split == "test" and number % 2
        pairs = HELD_OUT if unseen else SEEN_PAIRS if holds_out else ALL_PAIRS
        found.append((scene_of(generator, *objects, pairs, SEEN_PAIRS if holds_out else ALL_PAIRS), generator))
    return found


@functools.lru_cache(maxsize=4)
def _drawn(
    split: str, side: int, objects: tuple[int, int], count: int, label: str, holds_out: bool
) -> tuple[list[Scene], np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Scenes, images, captions ``[n, 5, 128]``, ``held_out`` and labels (None where scenes hold several things)."""
    drawn = _scenes(split, objects, count, holds_out)
    scenes = [scene for scene, _ in drawn]
    images = np.concatenate([pictures(scenes[start : start + BLOCK], side) for start in range(0, len(scenes), BLOCK)])
    texts = [captions_of(s, s.relations(side) if len(s.things) > 1 else [[None]], g) for s, g in drawn]
    captions = characters(list(itertools.chain.from_iterable(texts)), LENGTH).reshape(len(scenes), -1, LENGTH)
    pairs = set(HELD_OUT)
    held = np.array([any((t.colour, t.shape) in pairs for t in scene.things) for scene in scenes], np.int64)
    labels = None
    if objects == (1, 1):
        words, word_of = LABELS[label]
        labels = np.array([words.index(word_of(scene.things[0])) for scene in scenes], np.int64)
    for array in (images, captions, held, *(() if labels is None else (labels,))):
        array.setflags(write=False)
    return scenes, images, captions, held, labels


@functools.lru_cache(maxsize=4)
def _graphs(
    split: str, side: int, objects: tuple[int, int], count: int, label: str, holds_out: bool
) -> tuple[list, list, list, list]:
    """Names, relations, boxes and masks. Partners are drawn apart from scenes and sentences, which are the same without
    graphs.
    """
    scenes = _drawn(split, side, objects, count, label, holds_out)[0]
    start = (1 << 65) + (SPLITS.index(split) << 32)
    generators = [np.random.Generator(np.random.Philox(key=start + number)) for number in range(len(scenes))]
    return truths_of(scenes, generators)
