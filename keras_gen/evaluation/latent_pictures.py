"""The latent tools on a run or ``.keras`` file: each draws one picture and returns what it shows, in words.

``conditions`` are the words of a command line, by name, as ``Sampler.parsed_conditions`` reads them.
"""

import os
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_gen.core.pictures import check_grid, check_png, image_grid, save_picture
from keras_gen.evaluation import latent, latent_arithmetic, latent_attributes
from keras_gen.evaluation.captions import caption_walk
from keras_gen.evaluation.latent import at_least
from keras_gen.loading import load

Location = str | os.PathLike
NONE: Mapping[str, str] = types.MappingProxyType({})


def interpolate(
    run: Location,
    out: Location,
    *,
    pairs: int = 6,
    steps: int = 10,
    path: str | None = None,
    seed: int = 0,
    conditions: Mapping[str, str] = NONE,
) -> str:
    """Walks between pairs of noise points, one a row; see ``latent.interpolation``."""
    model = _model(run, out)
    check_grid(at_least("pairs", pairs, 1) * at_least("steps", steps, 2), model.image_spec, steps)
    images = latent.interpolation(model, pairs, steps, path=path, seed=seed, **model.parsed_conditions(conditions))
    save_picture(image_grid(np.concatenate(images), columns=steps), out)
    return f"{pairs} {latent.path_of(model, path)} walks of {steps} steps between draws of seed {seed}, one a row"


def captions(
    run: Location, out: Location, *, first: str, second: str, rows: int = 6, steps: int = 8, seed: int = 0
) -> str:
    """Walks from one sentence to another, the noise of a row the same; see ``captions.caption_walk``."""
    model, rows = _model(run, out), at_least("rows", rows, 1)
    check_grid(rows * at_least("steps", steps, 2), model.image_spec, steps)
    images = caption_walk(model, [first] * rows, [second] * rows, steps, seed)
    save_picture(image_grid(np.concatenate(images), model.image_spec, columns=steps), out)
    return f"{rows} draws of seed {seed} on the way from {first!r} to {second!r}, one a row"


def traverse(
    run: Location,
    out: Location,
    *,
    dimensions: Sequence[int] | None = None,
    steps: int = 10,
    reach: float = 3.0,
    seed: int = 0,
    conditions: Mapping[str, str] = NONE,
) -> str:
    """Single dimensions of z moved, one a row; see ``latent.traversal``."""
    model = _model(run, out)
    given, rows = model.parsed_conditions(conditions), latent.dimensions_of(model, dimensions)
    check_grid(max(1, len(rows)) * at_least("steps", steps, 2), model.image_spec, steps)
    images = latent.traversal(model, dimensions, steps, reach=reach, seed=seed, **given)
    save_picture(image_grid(np.concatenate(images), columns=steps), out)
    return f"dimensions {', '.join(map(str, rows))} of z, one a row, in {steps} steps; the rest is the first draw of seed {seed}"


def manifold(run: Location, out: Location, *, side: int = 20) -> str:
    """The plane of a 2-d latent; see ``latent.manifold``."""
    model = _model(run, out)
    check_grid(at_least("side", side, 1) ** 2, model.image_spec, side)
    images = latent.manifold(model, side)
    save_picture(image_grid(images, columns=side), out)
    return f"the latent plane at {side} x {side} points, evenly in probability"


def arithmetic(
    run: Location,
    out: Location,
    *,
    plus: Sequence[int],
    minus: Sequence[int],
    add: Sequence[int],
    seed: int = 0,
    draws: int = latent_arithmetic.DRAWS,
    scale: float = 0.25,
    conditions: Mapping[str, str] = NONE,
) -> str:
    """A sum of concepts; see ``latent_arithmetic.arithmetic``."""
    model = _model(run, out)
    options = {"seed": seed, "draws": draws, "scale": scale, **model.parsed_conditions(conditions)}
    check_grid(at_least("draws", draws, 1), model.image_spec, draws)  # as large as what is drawn to choose from
    result = latent_arithmetic.arithmetic(model, plus, minus, add, **options)
    save_picture(latent_arithmetic.picture(result), out)
    terms = (",".join(map(str, concept)) for concept in (plus, minus, add))
    return "mean({}) - mean({}) + mean({}) of the draws of seed {}; below, the same sum of their pixels".format(
        *terms, seed
    )


def attribute(
    run: Location,
    out: Location,
    *,
    probe: Location,
    source: int,
    target: int,
    rows: int = 6,
    steps: int = 6,
    draws: int = latent_attributes.DRAWS,
    reach: float = 1.0,
    seed: int = 0,
    conditions: Mapping[str, str] = NONE,
) -> str:
    """An attribute moved along the vector between two of a probe's labels, a sample a row; see ``latent_attributes.move``."""
    model = _model(run, out)
    check_grid(at_least("rows", rows, 1) * at_least("steps", steps, 2), model.image_spec, steps)
    options = {"rows": rows, "steps": steps, "draws": draws, "reach": reach, "seed": seed}
    found = latent_attributes.move(model, load(probe), source, target, **options, **model.parsed_conditions(conditions))
    save_picture(image_grid(np.concatenate(found.images), columns=steps), out)
    return (
        f"samples called {source} moved by mean({target}) - mean({source}), of {found.made_of[1]} and {found.made_of[0]} "
        f"samples; of {found.moved} others the probe calls {found.shares[-1]:.0%} {target} in the end"
    )


def _model(run: Location, out: Location) -> Any:
    """The model, loaded after ``out`` was found to be a name for a picture."""
    check_png(out)
    return load(run)
