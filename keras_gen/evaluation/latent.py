"""Walks through a model's latent space: between points, over the plane, there and back."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import draw
from keras_gen.core.registry import Registry

BATCH = 256
Path = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def linear(start: np.ndarray, end: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """``(1 - t) a + t b``: points ``[..., d]``, fractions ``[t]`` in ``[0, 1]``; returns ``[..., t, d]``."""
    fraction = fraction[:, None]
    return (1.0 - fraction) * start[..., None, :] + fraction * end[..., None, :]


def spherical(start: np.ndarray, end: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Along the arc between the two directions (Shoemake 1985), as White 2016 does for Gaussian noise.

    A straight line between two normal points of many dimensions passes nearer the origin than any sample lies. Shapes
    as in ``linear``, which it becomes where the directions agree or oppose each other, or a point is the origin.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.sum(start * end, axis=-1) / np.maximum(lengths, 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))[..., None, None]
    sine = np.sin(angle)
    has_arc = (sine > 1e-6) & (lengths[..., None, None] > 0.0)
    share, safe = fraction[:, None], np.where(has_arc, sine, 1.0)
    arc = np.sin((1.0 - share) * angle) / safe * start[..., None, :] + np.sin(share * angle) / safe * end[..., None, :]
    return np.where(has_arc, arc, linear(start, end, fraction))


PATHS = Registry("path")
PATHS.register("linear", linear)
PATHS.register("spherical", spherical)


def has_latent(model: Any) -> bool:
    """Whether the model eats a vector called ``z``, through which one can walk."""
    return "z" in model.noise_spec() and len(model.noise_spec()["z"].shape) == 1


def render(model: Any, noise: Mapping[str, np.ndarray]) -> np.ndarray:
    """What noise shows: images as fractions of the highest level, float32 ``[n, h, w, c]`` in ``[0, 1]``.

    A decoder's mean where images are binary, since a coin a pixel would hide what the latent says; else the model's own
    image.
    """
    binary = model.image_spec.levels == 2 and hasattr(model, "decode") and has_latent(model)
    count = len(next(iter(noise.values())))
    parts = []
    for start in range(0, count, BATCH):
        batch = {name: values[start : start + BATCH] for name, values in noise.items()}
        if binary:
            parts.append(np.asarray(model.decode(batch["z"]), np.float32))
        else:
            parts.append(model.images_of(batch).astype(np.float32) / (model.image_spec.levels - 1))
    return np.concatenate(parts)


def interpolation(model: Any, pairs: int = 6, steps: int = 10, *, path: str = "spherical", seed: int = 0) -> np.ndarray:
    """Images on the way between pairs of noise points, ends included: float32 ``[pairs, steps, h, w, c]``, ``[0, 1]``.

    ``z`` moves; any other noise of a pair stays what it is at its start, so that nothing but the walk changes.
    ``path`` is ``"linear"`` or ``"spherical"``. Raises ``InvalidInput`` for a model without a latent vector ``z``.
    """
    walk: Path = PATHS.get(path)
    if not has_latent(model):
        raise InvalidInput(f"This model eats {sorted(model.noise_spec())}; wanted a latent vector 'z' to walk through.")
    if pairs < 1 or steps < 2:
        raise InvalidInput(f"pairs={pairs}, steps={steps}; give at least 1 and 2.")
    ends = draw(model.noise_spec(), 2 * pairs, seed)
    noise = {name: np.repeat(values[:pairs], steps, axis=0) for name, values in ends.items()}
    fractions = np.linspace(0.0, 1.0, steps)
    between = walk(ends["z"][:pairs].astype(np.float64), ends["z"][pairs:].astype(np.float64), fractions)
    noise["z"] = between.reshape(pairs * steps, -1).astype(np.float32)
    images = render(model, noise)
    return images.reshape(pairs, steps, *images.shape[1:])


def manifold_points(side: int = 20) -> np.ndarray:
    """``side`` x ``side`` points of equal probability: float32 ``[side * side, 2]``, row by row from the top left.

    Kingma and Welling 2014, appendix A: a regular grid of the unit square through the inverse Gaussian CDF.
    """
    inverse = statistics.NormalDist().inv_cdf
    values = np.array([inverse((index + 0.5) / side) for index in range(side)], np.float32)
    across, down = np.meshgrid(values, values[::-1])
    return np.stack([across, down], axis=-1).reshape(-1, 2)


def manifold(model: Any, side: int = 20) -> np.ndarray:
    """What a decoder of a 2-d latent makes of ``manifold_points``: float32 ``[side * side, h, w, c]`` in ``[0, 1]``."""
    if not hasattr(model, "decode") or not has_latent(model) or model.noise_spec()["z"].shape != (2,):
        raise InvalidInput(
            "A manifold is drawn of models with decode and a latent of 2 dimensions; build it with latent_dim=2."
        )
    return np.asarray(model.decode(manifold_points(side)), np.float32)


def reconstructions(model: Any, images: np.ndarray) -> np.ndarray:
    """Images encoded to (the mean of) their latents and decoded: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
    encoded = model.encode(images)
    return np.asarray(model.decode(encoded[0] if isinstance(encoded, tuple) else encoded), np.float32)
