"""Sliced Wasserstein distance: of feature sets, and of images' patches, scale by scale."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from scipy.ndimage import convolve1d

from keras_gen.core.errors import InvalidInput
from keras_gen.metrics.feature_sets import BLOCK_BYTES, check_count, check_pair, lots, order_by_content, rows_a_block
from keras_gen.metrics.moments import Moments

# Bytes of float64 that the projections of both sets may take at once; one direction at a time is the least.
PROJECTED_BYTES = 1 << 28
# Bytes of float32 that both sets' patches of a level may take; beyond, they are cut out again for each turn of projections.
HELD_BYTES = 1 << 30
PATCH, SMALLEST_LEVEL = 7, 16  # pixels a side
BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0  # Burt & Adelson 1983
# Of levels that patches of 8-bit images differ by at all: a deviation below this is rounding.
NO_SPREAD = 1e-6

# Gives a set's rows, in blocks [b, d]; each call gives them again.
Rows = Callable[[], Iterable[np.ndarray]]


def sliced_wasserstein(real: Any, fake: Any, projections: int = 512, *, seed: int = 0) -> float:
    """Sliced Wasserstein-1 distance: the mean over random directions of the distance of the projections on them.

    Rabin et al. 2011 with absolute differences for squares, as Karras et al. 2018 take it. For sets of one size
    that is the mean absolute difference of the sorted projections; for others the area between their quantile functions.
    In the features' unit; symmetric; 0 on itself; the order of rows does not matter, but for rounding.

    Args:
        real, fake: features ``[n, d]`` and ``[m, d]``, computed with in float64, some directions at a time.
        projections: 512 in the paper's code.
        seed: of the directions; at least 0.

    Raises:
        InvalidInput: NaN or infinite features, no samples, dimensions that differ.
    """
    projections = check_count("projections", projections, 1, "to average over")
    real, fake = check_pair(real, fake)
    lines = directions(real.shape[1], projections, seed)
    return _mean_distance(lambda: _blocks(real), lambda: _blocks(fake), len(real), len(fake), lines)


def laplacian_swd(
    real_images: Any, fake_images: Any, *, levels: int = 256, patches: int = 128, projections: int = 512, seed: int = 0
) -> dict[int, float]:
    """Karras et al. 2018, section 5: the sliced Wasserstein distance of patches on each level of a Laplacian pyramid.

    Levels go from full size down to the last of at least 16 pixels, each half of the one before (rounded up). From each
    level of each image ``patches`` neighbourhoods of 7x7 pixels are taken at random; a set's are normalised by their mean
    and standard deviation in each channel. So contrast and tint of a whole set do not count, its textures do.

    Images are ordered by what they hold and both sets' patches lie at the same random places: the order of the images does
    not matter, swapping the sets changes nothing, and a set's distance to itself is 0. Memory is bounded: up to 1 GiB of
    patches are held (75 kB a colour image of either set), more are cut out again for each turn of projections.

    Args:
        real_images, fake_images: uint8 ``[n, h, w, c]`` and ``[m, h, w, c]``, at least 16 pixels a side; 16,384 in the paper.
        levels: pixels lie in ``[0, levels - 1]``; for the check alone, the distance does not change with the scale.
        patches: an image and level, 128 in the paper.
        projections: 512 in the paper's code.
        seed: of places and directions; at least 0.

    Returns:
        The distance times 1,000, as the paper prints it, of each level by its shorter side in pixels, the finest first.
        The paper's last column is their mean.

    Raises:
        InvalidInput: other than uint8 images of one shape, too small ones, no images, or patches without any spread.
    """
    patches = check_count("patches", patches, 1, "of each image")
    projections = check_count("projections", projections, 1, "to average over")
    real, fake = (
        _check_images(images, what, levels) for images, what in ((real_images, "real"), (fake_images, "fake"))
    )
    if real.shape[1:] != fake.shape[1:]:
        raise InvalidInput(
            f"real images have shape {list(real.shape[1:])}, fake ones {list(fake.shape[1:])}; resize one side."
        )
    lines = directions(PATCH * PATCH * real.shape[3], projections, seed)
    orders = [order_by_content(images.reshape(len(images), -1)) for images in (real, fake)]
    distances = {}
    sides = level_sides(*real.shape[1:3])
    for level, side in enumerate(sides):
        rows = []
        for images, order, what in zip((real, fake), orders, ("real", "fake")):
            cut = _patches(images, order, level, len(sides), patches, seed)
            if 4 * lines.shape[1] * patches * (len(real) + len(fake)) <= HELD_BYTES:
                cut = _held(cut)
            rows.append(_normalised(cut, real.shape[3], f"{what} images at level {side}"))
        distances[side] = 1e3 * _mean_distance(*rows, patches * len(real), patches * len(fake), lines)
    return distances


def directions(dimensions: int, count: int, seed: int) -> np.ndarray:
    """Unit vectors, uniform on the sphere: float64 ``[count, dimensions]``. A smaller count gives the first ones."""
    normal = lots(seed).standard_normal((count, dimensions))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def level_sides(height: int, width: int) -> list[int]:
    """The shorter side of each level of the pyramid, the finest first."""
    sides = []
    while (side := min(height, width)) >= SMALLEST_LEVEL:
        sides.append(side)
        height, width = (height + 1) // 2, (width + 1) // 2
    return sides


def laplacian_level(images: np.ndarray, level: int, count: int) -> np.ndarray:
    """Burt & Adelson 1983: what level ``level`` of ``count`` adds to the coarser ones, float64 ``[n, h', w', c]``.

    Image ``[n, h, w, c]``; the last level is the image itself, filtered and halved that often.
    """
    image = images.astype(np.float64)
    for _ in range(level):
        image = _down(image)
    return image if level == count - 1 else image - _up(_down(image), image.shape)


def _down(image: np.ndarray) -> np.ndarray:
    return _smooth(image, 1.0)[:, ::2, ::2]


def _up(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    spread = np.zeros(shape)
    spread[:, ::2, ::2] = image
    return _smooth(spread, 2.0)  # three of four pixels are 0, half of them along each axis


def _smooth(image: np.ndarray, gain: float) -> np.ndarray:
    """Mirrored at the border without repeating it, as OpenCV's pyrDown and the paper's code do."""
    return convolve1d(convolve1d(image, gain * BINOMIAL, axis=1, mode="mirror"), gain * BINOMIAL, axis=2, mode="mirror")


def corners(n: int, height: int, width: int, patches: int, seed: int, level: int) -> np.ndarray:
    """Upper left corners ``(y, x)`` of each image's patches: int64 ``[n, patches, 2]``."""
    room = (height - PATCH + 1, width - PATCH + 1)
    return lots(seed, 1 + level).integers(0, room, (n, patches, 2))


def _patches(images: np.ndarray, order: np.ndarray, level: int, count: int, patches: int, seed: int) -> Rows:
    """Rows ``[b, c * 49]``, channel after channel. float32: an 8-bit image's finest level is exact in it."""
    at_once = max(1, BLOCK_BYTES // (8 * images[0].size))

    def cut() -> Iterator[np.ndarray]:
        height, width = (-(-side // 2**level) for side in images.shape[1:3])
        places = corners(len(images), height, width, patches, seed, level)
        for start in range(0, len(images), at_once):
            pyramid = laplacian_level(images[order[start : start + at_once]], level, count).astype(np.float32)
            windows = np.lib.stride_tricks.sliding_window_view(pyramid, (PATCH, PATCH), axis=(1, 2))
            y, x = np.moveaxis(places[start : start + at_once], 2, 0)
            chosen = windows[np.arange(len(pyramid))[:, None], y, x]  # [b, patches, c, 7, 7]
            yield chosen.reshape(-1, images.shape[3] * PATCH * PATCH)

    return cut


def _held(rows: Rows) -> Rows:
    blocks = list(rows())
    return lambda: blocks


def _normalised(rows: Rows, channels: int, what: str) -> Rows:
    """The same rows in float64, of mean 0 and variance 1 over all pixels of a channel."""
    moments = Moments(channels)
    for block in rows():
        moments.update(block.reshape(len(block), channels, -1).transpose(0, 2, 1).reshape(-1, channels))
    spread = np.sqrt(moments.covariance.diagonal() * ((moments.count - 1) / moments.count))
    if spread.min() < NO_SPREAD:
        raise InvalidInput(f"the {what} hold one single value in a channel: patches without contrast have no distance.")
    mean, spread = (np.repeat(values, PATCH * PATCH) for values in (moments.mean, spread))
    return lambda: ((block - mean) / spread for block in rows())


def _mean_distance(real: Rows, fake: Rows, n: int, m: int, lines: np.ndarray) -> float:
    """The mean over ``lines`` ``[lines, d]`` of the Wasserstein-1 distance of n and m rows projected on them."""
    at_once = max(1, PROJECTED_BYTES // (8 * (n + m)))
    total = 0.0
    for first in range(0, len(lines), at_once):
        here = lines[first : first + at_once]
        total += _wasserstein(_sorted_along(real(), n, here), _sorted_along(fake(), m, here)).sum()
    return float(total / len(lines))


def _sorted_along(blocks: Iterable[np.ndarray], n: int, lines: np.ndarray) -> np.ndarray:
    """``[lines, n]``, each row ascending."""
    result, start = np.empty((len(lines), n)), 0
    for block in blocks:
        result[:, start : start + len(block)] = lines @ block.T
        start += len(block)
    result.sort(axis=1)
    return result


def _wasserstein(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Area between the quantile functions of ascending ``[lines, n]`` and ``[lines, m]``: ``[lines]``."""
    n, m = ours.shape[1], theirs.shape[1]
    if n == m:
        np.subtract(ours, theirs, out=ours)
        return np.abs(ours, out=ours).mean(axis=1)
    # Both functions are constant between neighbouring multiples of 1/n and 1/m; in units of 1/(nm) these are integers.
    levels = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(levels, prepend=0) / (n * m)
    return np.array([np.abs(a[(levels - 1) // m] - b[(levels - 1) // n]) @ widths for a, b in zip(ours, theirs)])


def _blocks(features: np.ndarray) -> Iterator[np.ndarray]:
    rows = rows_a_block(features.shape[1])
    return (features[start : start + rows].astype(np.float64) for start in range(0, len(features), rows))


def _check_images(values: Any, what: str, levels: int) -> np.ndarray:
    images = np.asarray(values)
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images) or not images.shape[3]:
        raise InvalidInput(
            f"{what} images are {images.dtype} {list(images.shape)}; wanted uint8 [n, h, w, c], at least 1 image."
        )
    if min(images.shape[1:3]) < SMALLEST_LEVEL:
        raise InvalidInput(
            f"{what} images are {images.shape[1]}x{images.shape[2]} pixels; the smallest level has {SMALLEST_LEVEL} a side."
        )
    if images.max() >= levels:
        raise InvalidInput(
            f"{what} images reach {images.max()}; wanted at most {levels - 1}, the highest of {levels} levels."
        )
    return images
