"""What truncated noise trades: quality for variety."""

from collections.abc import Callable, Sequence
from typing import Any

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.metrics.estimate import spelled
from keras_gen.metrics.features import default_space, feature_space
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.moments import Moments
from keras_gen.metrics.precision_recall import precision_recall

NEIGHBOURS = 3  # k of precision and recall (Kynkaanniemi et al. 2019)


def truncation_curve(
    model: Any,
    real: ImageData,
    truncations: Sequence[float] = (0.1, 0.4, 0.7, 1.0, 1.5, 10.0),
    *,
    samples: int = 10_000,
    space: str | None = None,
    seed: int = 0,
    before: Callable[[float], Any] | None = None,
) -> list[dict[str, float]]:
    """FID, precision and recall of samples at each truncation: one dict each, as rows of a table (Brock et al. 2019, figure 17).

    The same noise at every truncation, against the same images.

    Args:
        model: a ``BigGAN``, live or exported.
        real: what samples are compared with; a random subset of as many, or all.
        truncations: as ``sample`` takes them; 10 is none.
        samples: how many are drawn at each.
        space: of the features, a name; None for the data's own.
        seed: of noise and subset.
        before: called with each truncation before its samples are drawn: ``model.standing_statistics``, whose last stay.
    """
    if "truncation" not in model.condition_spec():
        raise InvalidInput(f"{type(model).__name__} samples without truncation; give a BigGAN.")
    features = feature_space(space or default_space(real.name))
    features.check(real.image_spec)
    reals = features.read(real.random_subset(samples, seed).images, real.image_spec).features
    tail, reference = f"{spelled(samples)}_{real.split}_{features.label}", Moments.of(reals)
    rows = []
    for truncation in truncations:
        if before is not None:
            before(truncation)
        drawn = model.sample(samples, seed=seed, truncation=truncation)
        fakes = features.read(drawn, real.image_spec).features
        shares = precision_recall(reals, fakes, NEIGHBOURS)
        rows.append(
            {
                "truncation": float(truncation),
                f"fid{tail}": frechet_distance(reference, Moments.of(fakes)),
                f"precision_k{NEIGHBOURS}_{tail}": shares.precision,
                f"recall_k{NEIGHBOURS}_{tail}": shares.recall,
            }
        )
    return rows
