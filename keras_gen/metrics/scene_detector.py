"""Finds the things of a drawn scene (``data.scenes``) in a picture by their colours, and tells their shapes by what they cover.

Nothing is learnt, and no scene is known: every pixel goes to the colour, or to the ground, that it is nearest to among the shades
that drawings have of them; pixels of a colour that touch are a thing. Samples are looked at exactly as drawings are.
"""

import functools

import numpy as np
from scipy import ndimage

from keras_gen.data.scenes import COLOURS, GROUNDS, SHAPES, Scene, Thing, marked, whole_masks

# How dark outlines are, how light things, how much of a mark (a stripe, a dot) a pixel holds; shadows on the ground.
OUTLINES, LIGHTS, MARKS, SHADOWS = (0.5, 0.6, 0.7), (0.8, 0.9, 1.0, 1.1), (0.0, 0.3, 0.6, 0.9), (0.78, 0.9, 1.0)
FEWEST = 4  # pixels of a thing in a picture of 32x32; of larger ones as large a share
TURNS = (-0.25, 0.0, 0.25)  # radians, of the shapes that a thing is compared with
SIDE = 16  # pixels that it is brought to for that


def coloured(images: np.ndarray) -> np.ndarray:
    """What each pixel shows, uint8 ``[n, h, w, 3]`` to ``[n, h, w]``: the place of its colour among ``COLOURS``, -1 the
    ground.
    """
    palette, numbers = _palette()
    pixels = images.reshape(-1, 3).astype(np.float32)
    found = [
        # |x - p|^2 less |x|^2, which all have in common.
        numbers[((palette**2).sum(1) - 2 * part @ palette.T).argmin(1)]
        for part in np.array_split(pixels, max(1, len(pixels) >> 16))
    ]
    return np.concatenate(found).reshape(images.shape[:3])


@functools.lru_cache(maxsize=1)
def _palette() -> tuple[np.ndarray, np.ndarray]:
    """Colours ``[k, 3]`` that drawings have, and what each is of: the place of a thing's colour, or -1."""
    shades, numbers = [], []
    for number, colour in enumerate(np.array(list(COLOURS.values()), np.float32)):
        mark = marked(colour)
        shades += [colour * light for light in OUTLINES]
        shades += [(colour + share * (mark - colour)) * light for share in MARKS for light in LIGHTS]
        numbers += [number] * (len(shades) - len(numbers))
    shades += [ground * shadow for ground in GROUNDS.reshape(-1, 3) for shadow in SHADOWS]
    numbers += [-1] * (len(shades) - len(numbers))
    return np.minimum(np.array(shades, np.float32), 255), np.array(numbers)


def things_of(colours: np.ndarray) -> dict[str, np.ndarray]:
    """Of each colour that a picture ``[h, w]`` of ``coloured`` shows, the mask of its largest thing with its holes filled: bool
    ``[h, w]``.
    """
    fewest, found = FEWEST * colours.size / 1024, {}
    for number, name in enumerate(COLOURS):
        parts, count = ndimage.label(colours == number, np.ones((3, 3)))
        if count:
            sizes = np.bincount(parts.reshape(-1))[1:]
            if sizes.max() >= fewest:
                found[name] = ndimage.binary_fill_holes(parts == 1 + sizes.argmax())
    return found


def shape_of(mask: np.ndarray) -> str:
    """Which of ``SHAPES`` a mask ``[h, w]`` is likest to, brought to the size of its box."""
    names, known = _shapes()
    return names[np.abs(known - _boxed(mask)).mean(axis=(1, 2)).argmin()]


@functools.lru_cache(maxsize=1)
def _shapes() -> tuple[list[str], np.ndarray]:
    """Names, and masks of each shape at each of ``TURNS``."""
    names, masks = [], []
    for shape in SHAPES:
        for turned in TURNS:
            thing = Thing("large", "plain", "red", shape, 0.5, 0.5, 0.3, turned)
            names.append(shape)
            masks.append(_boxed(whole_masks(Scene((thing,), 0, 0.0), 128)[0]))
    return names, np.array(masks)


def _boxed(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    places = [np.clip((np.arange(SIDE) + 0.5) * side / SIDE - 0.5, 0, side - 1) for side in cut.shape]
    return ndimage.map_coordinates(cut, np.meshgrid(*places, indexing="ij"), order=1)
