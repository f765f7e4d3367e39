"""Drawn shapes of 32 pixels: outlines as the source, the same shapes in colour as the image. No download, nothing random left.

One to three shapes lie on a sheet; what a shape is decides its colour, and the light comes from the upper left, so an outline
tells the whole picture. Picture i of a split is a function of the split and i. Edges are soft: a pixel is covered by as much as
its middle lies within a shape, up to half a pixel.
"""

import functools

import numpy as np

from keras_gen.core.image_data import SPLITS, ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.data.drawing import covered, outside_polygon, pixel_middles

SIDE = 32
SPEC, SOURCE = ImageSpec(SIDE, SIDE, 3), ImageSpec(SIDE, SIDE, 1)
COUNTS = {"train": 1_600, "validation": 160, "test": 320}
# Corners, how far each second one is from the middle, and the colour. A circle has no corner.
SHAPES = (
    (0, 1.0, (228, 87, 46)),
    (4, 1.0, (46, 134, 171)),
    (3, 1.0, (242, 177, 52)),
    (10, 0.45, (123, 75, 148)),
)
ABOVE, BELOW = np.array((214, 234, 240), np.float32), np.array((250, 246, 236), np.float32)  # the sheet
LINE = 0.7  # pixels: half a line's width
PLACES = pixel_middles(SIDE)


def load(split: str, download: bool = False) -> ImageData:
    """``train`` 1,600, ``validation`` 160, ``test`` 320 pairs; ``download`` has nothing to do."""
    images, sources = _drawn(split)
    return ImageData("drawn_shapes", split, SPEC, {"image": images, "source": sources}, source_spec=SOURCE)


@functools.lru_cache(maxsize=3)
def _drawn(split: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [picture(split, number) for number in range(COUNTS[split])]
    images, sources = (np.stack(side) for side in zip(*pairs, strict=True))
    images.setflags(write=False)
    sources.setflags(write=False)
    return images, sources


def picture(split: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 ``[32, 32, 3]`` and outline uint8 ``[32, 32, 1]``, black on white."""
    generator = np.random.Generator(np.random.Philox(key=(SPLITS.index(split) << 32) + number))
    image = ABOVE + (BELOW - ABOVE) * (PLACES[..., 1:] / SIDE)
    outline = np.full((SIDE, SIDE, 1), 255, np.float32)
    for _ in range(generator.integers(1, 4)):
        corners, inner, colour = SHAPES[generator.integers(len(SHAPES))]
        radius = generator.uniform(5.0, 8.5)
        middle, turned = generator.uniform(radius, SIDE - radius, 2), generator.uniform(0, 2 * np.pi)
        distance = _outside(middle.astype(np.float32), radius, corners, inner, turned)
        inside, line, colour = covered(distance), covered(np.abs(distance) - LINE), np.array(colour, np.float32)
        shadow = np.pad(inside, ((1, 0), (1, 0), (0, 0)))[:-1, :-1]
        light = np.clip(0.5 - 0.35 / radius * (PLACES - middle).sum(-1, keepdims=True), 0, 1)
        image = image * (1 - 0.25 * shadow)
        image = image + inside * (np.minimum(colour * (0.75 + 0.4 * light), 255) - image)
        image = image + line * (0.45 * colour - image)
        outline = (outline + inside * (255 - outline)) * (1 - line)
    return np.round(image).astype(np.uint8), np.round(outline).astype(np.uint8)


def _outside(middle: np.ndarray, radius: float, corners: int, inner: float, turned: float) -> np.ndarray:
    """``[32, 32, 1]``: how far each pixel lies outside of the shape, in pixels; negative inside."""
    places = PLACES - middle
    if not corners:
        return np.hypot(places[..., :1], places[..., 1:]) - np.float32(radius)
    angles = turned + 2 * np.pi * np.arange(corners) / corners
    reach = radius * np.where(np.arange(corners) % 2, inner, 1.0)
    return outside_polygon(places, *(reach * np.stack([np.cos(angles), np.sin(angles)])).astype(np.float32))
