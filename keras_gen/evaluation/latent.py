"""Walks through a model's latent space: between points, along single dimensions, over the plane, there and back."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import BELOW_ONE, Normal, Uniform, draw
from keras_gen.core.registry import Registry

BATCH = 256
MOST_DIMENSIONS = 10  # walked where none are named; papers' latents have up to some hundreds
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


# --- what all tools ask of a model ------------------------------------------------------------------------------------


def has_latent(model: Any) -> bool:
    """Whether the model takes a vector called ``z``, in which one can interpolate."""
    return "z" in model.noise_spec() and len(model.noise_spec()["z"].shape) == 1


def is_decoded(model: Any) -> bool:
    """Whether ``decode`` takes the noise ``z`` itself; where a mixture or a layer makes latents of it, it does not."""
    return not any(name.startswith("z_") for name in model.noise_spec())


def latent_of(model: Any) -> Normal | Uniform:
    """How the model's ``z`` is distributed; ``InvalidInput`` for a model that takes no vector ``z``."""
    if not has_latent(model):
        raise InvalidInput(
            f"{type(model).__name__} takes {sorted(model.noise_spec())}; wanted a latent vector 'z' to walk through. "
            "Give a VAE, a GAN or another model whose noise_spec() has one."
        )
    return model.noise_spec()["z"]


def at_least(argument: str, value: Any, least: int) -> int:
    """The value, or an ``InvalidInput`` unless it is an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidInput(f"{argument}={value!r}; give an integer of at least {least}.")
    return int(value)


def held(model: Any, conditions: Mapping[str, Any], rows: int, repeats: int) -> dict[str, np.ndarray]:
    """The conditions of ``rows`` rows of images, each held along its row: name -> ``[rows * repeats]``.

    One value is that of all rows. A condition left out is its kind's default, row by row, as in ``sample``.
    """
    checked = model.checked_conditions(conditions, rows)
    return {name: np.repeat(values, repeats, axis=0) for name, values in checked.items()}


def render(
    model: Any, noise: Mapping[str, np.ndarray], conditions: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """What noise shows: images as fractions of the highest level, float32 ``[n, h, w, c]`` in ``[0, 1]``.

    A decoder's mean where images are binary, since a coin a pixel would hide what the latent says (not where pixels are drawn
    in order, and fit each other); else the model's own image. Conditions left out are their kinds' defaults.
    """
    count = len(next(iter(noise.values())))
    inputs = held(model, conditions or {}, count, 1)
    binary = model.image_spec.levels == 2 and has_latent(model) and not model.draws_in_order
    means = binary and hasattr(model, "mean_images")
    decoded = binary and hasattr(model, "decode") and is_decoded(model) and not inputs
    parts = []
    for start in range(0, count, BATCH):
        part = slice(start, start + BATCH)
        batch = {name: values[part] for name, values in noise.items()}
        conditions = {name: values[part] for name, values in inputs.items()}
        if means:
            parts.append(np.asarray(model.mean_images(batch, conditions), np.float32))
            continue
        if decoded:
            parts.append(np.asarray(model.decode(batch["z"]), np.float32))
            continue
        parts.append(model.images_of(batch, conditions).astype(np.float32) / (model.image_spec.levels - 1))
    return np.concatenate(parts)


# --- the walks --------------------------------------------------------------------------------------------------------


def interpolation(
    model: Any, pairs: int = 6, steps: int = 10, *, path: str | None = None, seed: int = 0, **conditions: Any
) -> np.ndarray:
    """Images on the way between pairs of noise points, ends included: float32 ``[pairs, steps, h, w, c]``, ``[0, 1]``.

    ``z`` moves; any other noise of a pair stays what it is at its start, so that nothing but the walk changes.

    Args:
        model: one that takes a latent vector ``z``.
        pairs, steps: how many walks (at least 1) of how many images (at least 2).
        path: ``"linear"`` or ``"spherical"``; default: along the sphere for normal ``z``, straight for uniform.
        seed: of the ends: the seed's draw i goes to draw ``pairs + i``.
        conditions: of conditional models, one for all walks or one a walk; default: labels in turn.

    Raises:
        InvalidInput: a model without ``z``, an unknown path, an arc through uniform noise (it leaves the cube).
    """
    kind = latent_of(model)
    pairs, steps = at_least("pairs", pairs, 1), at_least("steps", steps, 2)
    walk: Path = PATHS.get(path_of(model, path))
    if walk is spherical and isinstance(kind, Uniform):
        raise InvalidInput(
            f"path='spherical' leaves [0, 1), from which {type(model).__name__}'s uniform z is drawn; give path='linear'."
        )
    ends = draw(model.noise_spec(), 2 * pairs, seed)
    noise = {name: np.repeat(values[:pairs], steps, axis=0) for name, values in ends.items()}
    fractions = np.linspace(0.0, 1.0, steps)
    between = walk(ends["z"][:pairs].astype(np.float64), ends["z"][pairs:].astype(np.float64), fractions)
    noise["z"] = between.reshape(pairs * steps, -1).astype(np.float32)
    images = render(model, noise, held(model, conditions, pairs, steps))
    return images.reshape(pairs, steps, *images.shape[1:])


def path_of(model: Any, path: str | None = None) -> str:
    """The path's name; None is ``"spherical"`` where ``z`` is normal, and ``"linear"`` where it is uniform."""
    if path is None:
        return "linear" if isinstance(latent_of(model), Uniform) else "spherical"
    return path


def traversal(
    model: Any,
    dimensions: Sequence[int] | None = None,
    steps: int = 10,
    *,
    reach: float = 3.0,
    seed: int = 0,
    **conditions: Any,
) -> np.ndarray:
    """What single dimensions of ``z`` do: float32 ``[dimensions, steps, h, w, c]`` in ``[0, 1]``.

    In each row one dimension moves evenly, from low to high; the others, all other noise and the condition are those of
    the seed's first draw (as beta-VAE, Higgins et al. 2017, figure 2, looks for factors).

    Args:
        model: one that takes a latent vector ``z``.
        dimensions: which, from 0; default: all, or the first ten.
        steps: images a row, at least 2.
        reach: normal ``z`` moves over ``[-reach, reach]``; uniform ``z`` over its own range, ``[0, 1)``.
        seed: of the draw.
        conditions: of conditional models, one of each; default: that of the first sample, such as class 0.

    Raises:
        InvalidInput: a model without ``z``, a dimension that it has not, ``steps`` or ``reach`` that make no walk.
    """
    kind = latent_of(model)
    dimensions, steps = dimensions_of(model, dimensions), at_least("steps", steps, 2)
    if isinstance(reach, bool) or not isinstance(reach, (int, float)) or not 0.0 < reach < math.inf:
        raise InvalidInput(f"reach={reach!r}; give a number above 0, such as 3.0: how far from 0 the normal z goes.")
    low, high = (0.0, BELOW_ONE) if isinstance(kind, Uniform) else (-reach, reach)
    count = len(dimensions) * steps
    noise = {name: np.repeat(values, count, axis=0) for name, values in draw(model.noise_spec(), 1, seed).items()}
    for row, dimension in enumerate(dimensions):
        noise["z"][row * steps : (row + 1) * steps, dimension] = np.linspace(low, high, steps)
    images = render(model, noise, held(model, conditions, 1, count))
    return images.reshape(len(dimensions), steps, *images.shape[1:])


def dimensions_of(model: Any, dimensions: Sequence[int] | None = None) -> list[int]:
    """The dimensions of ``z`` to walk along, checked; None is all of them, or the first ten."""
    size = latent_of(model).shape[0]
    if dimensions is None:
        return list(range(min(size, MOST_DIMENSIONS)))
    chosen = list(dimensions) if np.iterable(dimensions) else [dimensions]
    for dimension in chosen:
        if isinstance(dimension, bool) or not isinstance(dimension, (int, np.integer)) or not 0 <= dimension < size:
            raise InvalidInput(
                f"dimensions hold {dimension!r}; {type(model).__name__}'s z has {size}, give integers from 0 to {size - 1}."
            )
    if not chosen:
        raise InvalidInput(f"dimensions hold none; give integers from 0 to {size - 1}, such as 0,1.")
    return [int(dimension) for dimension in chosen]


# --- the plane, there and back ----------------------------------------------------------------------------------------


def manifold_points(side: int = 20) -> np.ndarray:
    """``side`` x ``side`` points of equal probability: float32 ``[side * side, 2]``, row by row from the top left.

    Kingma and Welling 2014, appendix A: a regular grid of the unit square through the inverse Gaussian CDF.
    """
    side, inverse = at_least("side", side, 1), statistics.NormalDist().inv_cdf
    values = np.array([inverse((index + 0.5) / side) for index in range(side)], np.float32)
    across, down = np.meshgrid(values, values[::-1])
    return np.stack([across, down], axis=-1).reshape(-1, 2)


def has_manifold(model: Any) -> bool:
    """Whether the model's latent is a plane that ``manifold`` can draw: ``decode`` of two normal numbers alone."""
    plane = has_latent(model) and latent_of(model) == Normal((2,))
    return plane and hasattr(model, "decode") and is_decoded(model) and not model.condition_spec()


def manifold(model: Any, side: int = 20) -> np.ndarray:
    """What a decoder of a 2-d latent makes of ``manifold_points``: float32 ``[side * side, h, w, c]`` in ``[0, 1]``.

    ``InvalidInput`` for a model that ``has_manifold`` denies.
    """
    if not has_manifold(model):
        wanted = [*model.condition_spec()]
        raise InvalidInput(
            f"A manifold is drawn of models that decode a normal z of 2 dimensions alone; this {type(model).__name__} "
            f"has {'a' if hasattr(model, 'decode') else 'no'} decode and takes {dict(model.noise_spec())}"
            f"{''.join(f' and a {name}' for name in wanted)}. Give a VAE built with latent_dim=2."
        )
    return np.asarray(model.decode(manifold_points(side)), np.float32)


def reconstructions(model: Any, images: np.ndarray, **conditions: Any) -> np.ndarray:
    """Images encoded to (the mean of) their latents and decoded: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
    if hasattr(model, "reconstruct"):
        return np.asarray(model.reconstruct(images, **conditions), np.float32)
    return np.asarray(model.decode(encoded(model, images, **conditions)), np.float32)


def encoded_interpolation(
    model: Any, starts: np.ndarray, ends: np.ndarray, steps: int = 10, **conditions: Any
) -> np.ndarray:
    """From one given image to another, straight through their codes: float32 ``[n, steps, h, w, c]`` in ``[0, 1]``.

    Args:
        model: one with ``encode`` and ``decode``.
        starts, ends: uint8 images ``[n, h, w, c]``.
        steps: images a walk, ends included, at least 2.
        conditions: of conditional models, one for all walks or one a walk.
    """
    _check_codes(model)
    steps = at_least("steps", steps, 2)
    if len(starts) != len(ends):
        raise InvalidInput(f"There are {len(starts)} starts and {len(ends)} ends; give as many of each.")
    codes = [encoded(model, images, **conditions) for images in (starts, ends)]
    walk = linear(*codes, np.linspace(0.0, 1.0, steps)).astype(np.float32)  # [n, steps, d]
    given = held(model, conditions, len(starts), steps) if conditions else {}
    images = np.asarray(model.decode(walk.reshape(-1, walk.shape[-1]), **given), np.float32)
    return images.reshape(len(starts), steps, *images.shape[1:])


def attribute_arithmetic(
    model: Any, images: np.ndarray, plus: np.ndarray, minus: np.ndarray, strengths: Sequence[float] = (0.0, 0.5, 1.0)
) -> np.ndarray:
    """``decode(code + a (mean code of plus - mean code of minus))``: float32 ``[n, strengths, h, w, c]`` in ``[0, 1]``.

    Args:
        model: one with ``encode`` and ``decode`` that takes no conditions.
        images: uint8, those that are changed.
        plus, minus: uint8 images with and without the attribute.
        strengths: values of a; 0 is the reconstruction.
    """
    _check_codes(model)
    direction = encoded(model, plus).mean(axis=0) - encoded(model, minus).mean(axis=0)
    moved = encoded(model, images)[:, None] + np.asarray(strengths, np.float32)[:, None] * direction
    found = np.asarray(model.decode(moved.reshape(-1, moved.shape[-1]).astype(np.float32)), np.float32)
    return found.reshape(len(images), len(strengths), *found.shape[1:])


def random_codes(model: Any, images: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """What codes drawn at random decode to: float32 ``[count, h, w, c]`` in ``[0, 1]``.

    From a normal distribution of the mean and variance, a dimension, of the given images' codes: of a VAE near its prior, of an
    autoencoder no distribution that its codes have.
    """
    _check_codes(model)
    codes, count = encoded(model, images), at_least("count", count, 1)
    noise = draw({"code": Normal(codes.shape[1:])}, count, seed)["code"]
    return np.asarray(model.decode(codes.mean(axis=0) + codes.std(axis=0) * noise), np.float32)


def _check_codes(model: Any) -> None:
    if not (hasattr(model, "encode") and hasattr(model, "decode")):
        raise InvalidInput(f"{type(model).__name__} does not encode and decode; give an autoencoder, VAE or flow.")


def encoded(model: Any, images: np.ndarray, **conditions: Any) -> np.ndarray:
    """The images' latents, or their posterior's means: float32 ``[n, d]``."""
    found = model.encode(images, **conditions)
    return np.asarray(found[0] if isinstance(found, tuple) else found, np.float32)
