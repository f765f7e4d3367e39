"""Large pictures by a function of pictures of one size: overlapping tiles, blended. NumPy alone.

Programs under ``export/`` that run where keras_gen is not installed carry a copy of this file, which the tests compare.
"""

from collections.abc import Callable

import numpy as np


def tiled(
    function: Callable[[np.ndarray], np.ndarray], picture: np.ndarray, size: tuple[int, int], overlap: int | None = None
) -> np.ndarray:
    """What ``function`` makes of a picture ``[h, w, c]`` of any size, uint8 ``[h, w, c']``.

    The picture is cut into tiles of ``size`` that overlap by at least ``overlap`` pixels. Of an overlap the outer quarter of
    each tile, where it saw least around a pixel, is left out; in between one tile's share falls as the next one's rises, so
    that there is no seam. Where all that a pixel depends on lies within a quarter of the overlap, the whole is what the
    function would make of it at once. A side shorter than a tile is mirrored at its ends until it is as long, and cut again.

    Args:
        function: uint8 tiles ``[n, *size, c]`` to uint8 ``[n, *size, c']``.
        picture: uint8.
        size: height and width of a tile.
        overlap: pixels; None for a quarter of the tile's shorter side.
    """
    height, width = picture.shape[:2]
    overlap = min(size) // 4 if overlap is None else min(overlap, min(size) - 1)
    short = [max(0, tile - side) for tile, side in zip(size, (height, width))]
    if any(short):
        ends = [(missing // 2, missing - missing // 2) for missing in short]
        whole = tiled(function, np.pad(picture, [*ends, (0, 0)], mode="symmetric"), size, overlap)
        return whole[ends[0][0] : ends[0][0] + height, ends[1][0] : ends[1][0] + width]
    rows, columns = (starts(side, tile, overlap) for side, tile in zip((height, width), size))
    places = [(top, left) for top in rows for left in columns]
    tiles = np.stack([picture[top : top + size[0], left : left + size[1]] for top, left in places])
    made = function(tiles)
    if len(places) == 1:
        return made[0]
    total = np.zeros((height, width, made.shape[-1]), np.float64)
    shares = np.zeros((height, width, 1), np.float64)
    for (top, left), tile in zip(places, made):
        down = share(size[0], overlap, top == 0, top + size[0] == height)
        across = share(size[1], overlap, left == 0, left + size[1] == width)
        place, here = np.s_[top : top + size[0], left : left + size[1]], down[:, None, None] * across[None, :, None]
        total[place] += here * tile
        shares[place] += here
    return np.round(total / shares).astype(np.uint8)


def starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: as few as cover it, evenly spread, each overlapping the next by ``overlap`` or more."""
    count = max(1, -(-(side - overlap) // (tile - overlap)))
    return [round(number * (side - tile) / max(1, count - 1)) for number in range(count)]


def share(tile: int, overlap: int, first: bool, last: bool) -> np.ndarray:
    """A tile's share of each of its pixels along a side, ``[tile]`` in ``[0, 1]``; whole to the end of the first and last one."""
    places, cut = np.arange(tile) + 0.5, overlap // 4
    rising, falling = ((np.clip((way - cut) / max(1, overlap - 2 * cut), 0.0, 1.0)) for way in (places, tile - places))
    return np.where(first, 1.0, rising) * np.where(last, 1.0, falling)
