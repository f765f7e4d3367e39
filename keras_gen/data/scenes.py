"""Scenes of coloured, textured shapes: what lies where, drawn with soft edges, and what is known of it.

All lengths are fractions of a picture's side, so one scene can be drawn at any size; x grows to the right, y downwards.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from keras_gen.data.drawing import covered, outside_polygon, pixel_middles
from keras_gen.data.relations import relation

SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted")
COLOURS = {
    "red": (214, 48, 44),
    "orange": (243, 138, 32),
    "yellow": (247, 208, 52),
    "green": (62, 160, 78),
    "blue": (44, 106, 208),
    "purple": (124, 62, 168),
    "pink": (240, 128, 178),
    "black": (46, 48, 56),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
ROOMY = ("circle", "square", "heart")  # something fits inside of these
# Of each shape the colour that trainings do not see it in: every shape, and six of the colours.
HELD_OUT = tuple((list(COLOURS)[(3 * place + 1) % len(COLOURS)], shape) for place, shape in enumerate(SHAPES))
MOST = 8  # things of a scene
# A thing's radius, small and large, and how much larger or smaller it is among so many things.
RADII = {"small": (0.105, 0.13), "large": (0.19, 0.235)}
ROOM = (1.35, 1.15, 1.0, 0.92, 0.85, 0.8, 0.75, 0.7)
GAP = 0.02
TRIES = 40  # of finding a place, before the scene is begun anew
# The ground's colours at the top and at the bottom.
GROUNDS = np.array(
    [
        [(214, 234, 240), (250, 246, 236)],
        [(252, 238, 222), (246, 250, 240)],
        [(228, 240, 224), (250, 250, 244)],
        [(232, 226, 244), (250, 244, 244)],
    ],
    np.float32,
)
# Of a lone thing: where its middle lies, by the third of the picture.
THIRDS = ((None, 0.40), (0.47, 0.53), (0.60, None))


@dataclasses.dataclass(frozen=True)
class Thing:
    """One shape: its four words, the middle, the radius of a circle of about its area, how far it is turned (radians)."""

    size: str
    texture: str
    colour: str
    shape: str
    x: float
    y: float
    radius: float
    turned: float


@dataclasses.dataclass(frozen=True)
class Scene:
    """Things on a ground (which of ``GROUNDS``, and how much lighter), in no order: the smaller lie on the larger."""

    things: tuple[Thing, ...]
    ground: int
    lighter: float

    def masks(self, side: int) -> np.ndarray:
        """Which pixels show each thing, what lies on it left out: bool ``[things, side, side]``."""
        return self._seen(whole_masks(self, side))

    def boxes(self, side: int) -> np.ndarray:
        """``(x0, y0, x1, y1)`` of the pixels that each thing takes, fractions of the side: float32 ``[things, 4]``."""
        return _boxes(whole_masks(self, side))

    def relations(self, side: int) -> list[list[str | None]]:
        """How each thing lies to each other one, ``[subject][object]``: None of a thing to itself."""
        whole, numbers = whole_masks(self, side), range(len(self.things))
        boxes = _boxes(whole).tolist()
        centres = [(_mean(mask.sum(axis=0)) / side, _mean(mask.sum(axis=1)) / side) for mask in self._seen(whole)]
        return [
            [None if s == o else relation(boxes[s], centres[s], boxes[o], centres[o]) for o in numbers] for s in numbers
        ]

    def whole_and_seen(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Which pixels each thing takes, and which of these are not hidden by another: bool ``[things, side, side]`` each."""
        whole = whole_masks(self, side)
        return whole, self._seen(whole)

    def _seen(self, whole: np.ndarray) -> np.ndarray:
        seen, order = whole.copy(), drawing_order(self.things)
        for above, number in enumerate(order):
            seen[number] &= ~whole[list(order[above + 1 :])].any(axis=0)
        return seen


def _boxes(masks: np.ndarray) -> np.ndarray:
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return np.array(boxes, np.float32) / masks.shape[-1]


def _mean(counts: np.ndarray) -> float:
    """The mean place of pixels, of how many there are at each."""
    return float(counts @ (np.arange(len(counts)) + 0.5) / counts.sum())


# --- what lies where -----------------------------------------------------------------------------------------------------


def scene_of(
    generator: np.random.Generator,
    least: int,
    most: int,
    first: Sequence[tuple[str, str]],
    others: Sequence[tuple[str, str]],
) -> Scene:
    """A scene of ``least`` to ``most`` things, each of one of the (colour, shape) pairs that its first, or others, may have.

    Things do not overlap, but for a small one that may lie inside of a large one.
    """
    count = int(generator.integers(least, most + 1))
    ground, lighter = int(generator.integers(len(GROUNDS))), float(generator.uniform(-6.0, 6.0))
    while True:
        things: list[Thing] = []
        for number in range(count):
            thing = _thing(generator, things, count, others if number else first)
            if thing is None:
                break
            things.append(thing)
        else:
            return Scene(tuple(things), ground, lighter)


ALL_PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
SEEN_PAIRS = tuple(pair for pair in ALL_PAIRS if pair not in HELD_OUT)


def _thing(
    generator: np.random.Generator, others: Sequence[Thing], count: int, pairs: Sequence[tuple[str, str]]
) -> Thing | None:
    """One that fits among the others, or None where none was found."""
    colour, shape = pairs[generator.integers(len(pairs))]
    size, texture = SIZES[generator.integers(2)], TEXTURES[generator.integers(3)]
    turned = float(generator.uniform(-0.3, 0.3))
    radius = float(generator.uniform(*RADII[size])) * ROOM[count - 1]
    if count == 1:
        x, y = (_within(generator, radius, THIRDS[generator.integers(3)]) for _ in range(2))
        return Thing(size, texture, colour, shape, x, y, radius, turned)
    outer = [other for other in others if other.shape in ROOMY and 0.42 * other.radius >= 0.1]
    if outer and generator.random() < 0.4:
        around = outer[0]
        alone = all(math.hypot(o.x - around.x, o.y - around.y) > around.radius for o in others if o is not around)
        if alone:
            x, y = (middle + generator.uniform(-0.04, 0.04) for middle in (around.x, around.y))
            return Thing("small", texture, colour, shape, float(x), float(y), 0.42 * around.radius, turned)
    for _ in range(TRIES):
        x, y = (_within(generator, radius, (None, None)) for _ in range(2))
        if all(math.hypot(x - o.x, y - o.y) > 1.15 * (radius + o.radius) + GAP for o in others):
            return Thing(size, texture, colour, shape, x, y, radius, turned)
    return None


def _within(generator: np.random.Generator, radius: float, ends: tuple[float | None, float | None]) -> float:
    low, high = 1.15 * radius, 1 - 1.15 * radius
    low, high = low if ends[0] is None else ends[0], high if ends[1] is None else ends[1]
    return low + (high - low) * generator.random()  # generator.uniform to the last bit, in a third of the time


def third_of(place: float) -> int:
    """0, 1 or 2: in which third of ``THIRDS`` a lone thing's middle lies."""
    return 0 if place < 0.435 else 1 if place < 0.565 else 2


def drawing_order(things: Sequence[Thing]) -> tuple[int, ...]:
    """Numbers of the things, the largest first: what lies inside of another is drawn after it."""
    return tuple(sorted(range(len(things)), key=lambda number: -things[number].radius))


# --- pictures ------------------------------------------------------------------------------------------------------------

REACH, STEPS = 1.6, 161  # of the tables: how far from the middle, in radii, and how many steps a radius is cut into


@functools.lru_cache(maxsize=1)
def _tables() -> np.ndarray:
    """How far each point lies outside of each shape of radius 1: float32 ``[shapes, y, x]`` of a grid to ``REACH``."""
    points = np.linspace(-REACH, REACH, 2 * STEPS, dtype=np.float32)
    places = np.stack(np.meshgrid(points, points), -1)
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    five = np.arange(10) * np.pi / 5 - np.pi / 2
    arm, tip = 0.38, 1.05
    outlines = {
        "square": (np.array([-0.86, 0.86, 0.86, -0.86]), np.array([-0.86, -0.86, 0.86, 0.86])),
        "triangle": (1.2 * np.array([0, 0.87, -0.87]), 1.2 * np.array([-0.85, 0.65, 0.65])),
        "star": tuple(np.where(np.arange(10) % 2, 0.52, 1.2) * f(five) for f in (np.cos, np.sin)),
        "heart": (
            1.08 * np.sin(around) ** 3,
            -(13 * np.cos(around) - 5 * np.cos(2 * around) - 2 * np.cos(3 * around) - np.cos(4 * around)) / 14.5 - 0.1,
        ),
        "cross": (
            np.array([-arm, arm, arm, tip, tip, arm, arm, -arm, -arm, -tip, -tip, -arm]),
            np.array([-tip, -tip, -arm, -arm, arm, arm, tip, tip, arm, arm, -arm, -arm]),
        ),
    }
    tables = [
        np.hypot(places[..., 0], places[..., 1]) - 0.97
        if shape == "circle"
        else outside_polygon(places, *(side.astype(np.float32) for side in outlines[shape]))[..., 0]
        for shape in SHAPES
    ]
    return np.stack(tables).astype(np.float32)


class _Layer:
    """One thing of each of several scenes at once: arrays of ``[n, 1, 1]`` of what ``Thing`` has, in pixels of ``side``."""

    def __init__(self, things: Sequence[Thing], side: int):
        def column(values: Sequence[float]) -> np.ndarray:
            return np.array(values, np.float32)[:, None, None]

        self.side, self.radius = side, column([thing.radius * side for thing in things])
        places = pixel_middles(side)
        self.right = places[..., 0] - column([thing.x * side for thing in things])
        self.down = places[..., 1] - column([thing.y * side for thing in things])
        turned = column([thing.turned for thing in things])
        cosine, sine = np.cos(turned), np.sin(turned)
        self.u, self.v = cosine * self.right + sine * self.down, cosine * self.down - sine * self.right
        self.shapes = np.array([SHAPES.index(thing.shape) for thing in things])[:, None, None]
        self.textures = np.array([TEXTURES.index(thing.texture) for thing in things])[:, None, None]
        self.colour = np.array([COLOURS[thing.colour] for thing in things], np.float32)[:, None, None]

    def outside(self) -> np.ndarray:
        """How far each pixel lies outside of its thing, in pixels, negative inside: ``[n, side, side]``."""
        x, y = (
            np.clip(np.rint((part / self.radius + REACH) * ((2 * STEPS - 1) / (2 * REACH))), 0, 2 * STEPS - 1)
            for part in (self.u, self.v)
        )
        return _tables()[self.shapes, y.astype(np.intp), x.astype(np.intp)] * self.radius

    def marks(self) -> np.ndarray:
        """The share of each pixel that stripes or dots take, ``[n, side, side]``."""
        pixel = self.side / 32  # patterns are of the picture's size, not of the thing's
        period = 4.6 * pixel
        across = (self.u + self.v) / np.sqrt(2).astype(np.float32)
        stripe = np.abs(np.mod(across, period) - period / 2) - period / 4
        dot = np.hypot(*(np.mod(part + period / 2, period) - period / 2 for part in (self.u, self.v))) - 1.3 * pixel
        return np.where(self.textures == 1, covered(stripe), np.where(self.textures == 2, covered(dot), 0))


def pictures(scenes: Sequence[Scene], side: int) -> np.ndarray:
    """The scenes as uint8 ``[n, side, side, 3]``. The light comes from the upper left."""
    grounds = GROUNDS[[scene.ground for scene in scenes]]  # [n, 2, 3]
    lighter = np.array([scene.lighter for scene in scenes], np.float32)[:, None, None, None]
    share = (np.arange(side, dtype=np.float32)[None, :, None, None] + 0.5) / side
    images = np.repeat(grounds[:, None, None, 0] * (1 - share) + grounds[:, None, None, 1] * share, side, 2) + lighter
    orders = [drawing_order(scene.things) for scene in scenes]
    for place in range(max(map(len, orders))):
        rows = [row for row, order in enumerate(orders) if len(order) > place]
        layer = _Layer([scenes[row].things[orders[row][place]] for row in rows], side)
        images[rows] = _drawn(images[rows], layer)
    return np.clip(np.round(images), 0, 255).astype(np.uint8)


def _drawn(images: np.ndarray, layer: _Layer) -> np.ndarray:
    outside = layer.outside()
    inside, line = covered(outside)[..., None], covered(np.abs(outside) - 0.4 * layer.side / 32)[..., None]
    step = max(1, layer.side // 32)
    shadow = np.pad(inside, ((0, 0), (step, 0), (step, 0), (0, 0)))[:, :-step, :-step]
    light = np.clip(0.5 - 0.3 * (layer.right + layer.down) / layer.radius, 0, 1)[..., None]
    fill = layer.colour + layer.marks()[..., None] * (marked(layer.colour) - layer.colour)
    images = images * (1 - 0.22 * shadow)
    images = images + inside * (np.minimum(fill * (0.85 + 0.28 * light), 255) - images)
    return images + line * (0.5 * layer.colour - images)


def marked(colour: np.ndarray) -> np.ndarray:
    """The colour of stripes and dots on a colour ``[..., 3]``: lighter, on the lightest ones darker."""
    light = colour.sum(axis=-1, keepdims=True) > 480
    return np.where(light, 0.68 * colour, 255 - 0.3 * (255 - colour))


def whole_masks(scene: Scene, side: int) -> np.ndarray:
    """Which pixels each thing takes, whatever lies on it: bool ``[things, side, side]``; at least the one of its middle."""
    layer = _Layer(scene.things, side)
    masks = layer.outside() < 0
    for mask, thing in zip(masks, scene.things, strict=True):
        mask[min(int(thing.y * side), side - 1), min(int(thing.x * side), side - 1)] = True
    return masks
