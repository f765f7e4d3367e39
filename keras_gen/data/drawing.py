"""Flat shapes with soft edges: how far each pixel lies outside of an outline, and how much of it the shape covers."""

import numpy as np


def pixel_middles(side: int) -> np.ndarray:
    """x and y of the middles of the pixels of a square picture: float32 ``[side, side, 2]``."""
    return np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1).astype(np.float32)


def covered(distance: np.ndarray) -> np.ndarray:
    """The share of a pixel that a shape covers, by the distance of its middle from the outline in pixels, negative inside."""
    return np.clip(0.5 - distance, 0, 1)


def outside_polygon(places: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far ``places`` ``[..., 2]`` lie outside of the polygon of the corners ``x``, ``y`` ``[corners]``, negative inside.

    Returns ``[..., 1]``. An angle of 180 degrees or more does no harm, sides that cross do.
    """
    to_x, to_y = np.roll(x, -1) - x, np.roll(y, -1) - y
    right, down = places[..., :1] - x, places[..., 1:] - y  # [..., corners]
    share = np.clip((right * to_x + down * to_y) / (to_x**2 + to_y**2), 0, 1)
    nearest = np.hypot(right - share * to_x, down - share * to_y).min(axis=-1, keepdims=True)
    # A ray to the right crosses an odd number of sides if it begins inside.
    crosses = (down >= 0) != (down >= to_y)
    ahead = (right * to_y < down * to_x) == (to_y > 0)
    inside = (crosses & ahead).sum(-1, keepdims=True) % 2 == 1
    return np.where(inside, -nearest, nearest)
