"""Line drawings of images: Canny's edges (Canny 1986), for translating edges into pictures."""

import numpy as np
from scipy import ndimage

SIGMA = 1.0  # pixels
# Shares of an image's own steepest slope: an edge begins above the one and goes on above the other.
HIGH, LOW = 0.35, 0.15
EDGE, PAPER = 0, 1


def edges(lightness: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
    """The edges of ``lightness`` float ``[n, h, w]``: uint8 ``[n, h, w]``, 0 where there is one, 1 elsewhere.

    Slopes of the smoothed image; of these the ridges, where no neighbour across the edge is steeper; of the ridges those
    connected with a steep one. An even image has none.
    """
    smooth = ndimage.gaussian_filter(np.asarray(lightness, np.float32), (0, sigma, sigma))
    slopes = np.stack([_sobel(smooth, along, across) for along, across in ((1, 2), (2, 1))])
    steepness = np.hypot(*slopes)
    ridges = (steepness > 0) & _is_ridge(steepness, slopes)
    top = steepness.max(axis=(1, 2), keepdims=True)
    # Below a level's step in a whole image there is rounding alone.
    weak = ridges & (steepness > LOW * top) & (top > 1e-3)
    within_image = np.zeros((3, 3, 3), bool)
    within_image[1] = True
    pieces, count = ndimage.label(weak, within_image)
    steep = np.zeros(count + 1, bool)
    steep[pieces[weak & (steepness > HIGH * top)]] = True
    steep[0] = False
    return np.where(steep[pieces], EDGE, PAPER).astype(np.uint8)


def _sobel(images: np.ndarray, along: int, across: int) -> np.ndarray:
    """Not SciPy's: of three axes, that one averages over the images too."""
    return ndimage.correlate1d(ndimage.correlate1d(images, [-1, 0, 1], along), [1, 2, 1], across)


def _is_ridge(steepness: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Whether both neighbours in the direction of the slope, of the eight there are, are less steep (or one just as steep)."""
    padded = np.pad(steepness, ((0, 0), (1, 1), (1, 1)))
    height, width = steepness.shape[1:]
    octant = np.round(np.arctan2(slopes[0], slopes[1]) / (np.pi / 4)).astype(int) % 4
    ridge = np.zeros(steepness.shape, bool)
    for number, (down, right) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        behind = padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        ridge |= (octant == number) & (steepness > ahead) & (steepness >= behind)
    return ridge
