"""One attribute of a picture moved by vector arithmetic: a face's z - mean(z of black hair) + mean(z of aqua hair).

Radford, Metz and Chintala 2016, section 6.3.2: a vector of averaged samples, added along its axis to others. The paper's
authors chose the samples by eye; here a classifier does, and then tells how often the sum shows what it should.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import BELOW_ONE, Uniform, draw
from keras_gen.evaluation.latent import at_least, held, latent_of, render

DRAWS = 2_000  # of which the probe finds some of each kind
LEAST = 3  # samples of each: the paper's three, since single ones were unstable


@dataclasses.dataclass(frozen=True, eq=False)
class Move:
    """What ``move`` found; images are float32 fractions of the highest level, in ``[0, 1]``."""

    images: np.ndarray
    """Rows of samples that the probe calls ``source``, moved step by step: ``[rows, steps, h, w, c]``."""
    fractions: np.ndarray
    """How much of the vector each step adds: ``[steps]``, from 0 to 1."""
    shares: np.ndarray
    """Which share of the moved samples the probe calls ``target`` at each step: ``[steps]``."""
    moved: int
    """How many samples the shares are of: those that made the vector are not among them."""
    made_of: tuple[int, int]
    """How many samples called source and target the vector was made of."""
    vector: np.ndarray
    """``mean(target) - mean(source)``, float32 ``[d]``."""


def move(
    model: Any,
    probe: Any,
    source: int,
    target: int,
    *,
    rows: int = 6,
    steps: int = 6,
    draws: int = DRAWS,
    reach: float = 1.0,
    seed: int = 0,
    **conditions: Any,
) -> Move:
    """Samples that a probe calls ``source``, moved along ``mean(z | target) - mean(z | source)``.

    The vector is made of all of the seed's first ``draws`` that the probe calls one or the other; moved, and counted, are
    samples of a second set of as many draws, so that no sample tells of itself. Noise other than z stays a sample's own.
    Sums of uniform z that leave ``[0, 1)`` are clipped to it.

    Args:
        model: one that takes a latent vector ``z``.
        probe: a ``Classifier`` of images of the model's spec.
        source, target: two of its labels.
        rows, steps: of the picture: samples moved, and images a row, from 0 to the whole vector.
        draws: in each of the two sets.
        reach: times the vector that the last step adds.
        seed: of the draws.
        conditions: of conditional models, one of each, under which everything is drawn.

    Raises:
        InvalidInput: a model without ``z``, a probe of other images or none at all, labels that it has not, or too few
            samples that it calls so.
    """
    kind = latent_of(model)
    rows, steps, draws = at_least("rows", rows, 1), at_least("steps", steps, 2), at_least("draws", draws, 2)
    if isinstance(reach, bool) or not isinstance(reach, (int, float)) or not 0.0 < reach < math.inf:
        raise InvalidInput(f"reach={reach!r}; give a number above 0, such as 1.0: how much of the vector is added.")
    _check_probe(model, probe, {"source": source, "target": target})
    noise = draw(model.noise_spec(), 2 * draws, seed)
    given = held(model, conditions, 1, 2 * draws)
    called = _called(probe, render(model, noise, given))
    first = np.arange(2 * draws) < draws
    groups = {label: np.flatnonzero(first & (called == label)) for label in (source, target)}
    moved = np.flatnonzero(~first & (called == source))
    for label, found, least in [*((label, found, LEAST) for label, found in groups.items()), (source, moved, rows)]:
        if len(found) < least:
            raise InvalidInput(
                f"Of {draws} draws the probe calls {len(found)} by label {label}; {least} are wanted. Raise draws, or choose "
                "a label that the model draws more often."
            )
    means = {label: noise["z"][found].mean(axis=0, dtype=np.float64) for label, found in groups.items()}
    vector, fractions = means[target] - means[source], np.linspace(0.0, 1.0, steps)
    images, shares = [], []
    for fraction in fractions:
        z = noise["z"][moved] + reach * fraction * vector
        z = np.clip(z, 0.0, BELOW_ONE) if isinstance(kind, Uniform) else z
        inputs = {**{name: values[moved] for name, values in noise.items()}, "z": z.astype(np.float32)}
        shown = render(model, inputs, {name: values[moved] for name, values in given.items()})
        shares.append(np.mean(_called(probe, shown) == target))
        images.append(shown[:rows])
    made_of = tuple(len(groups[label]) for label in (source, target))
    return Move(np.stack(images, axis=1), fractions, np.array(shares), len(moved), made_of, vector.astype(np.float32))


def _check_probe(model: Any, probe: Any, labels: dict[str, Any]) -> None:
    if not hasattr(probe, "classify"):
        raise InvalidInput(
            f"The probe is a {type(probe).__name__}; give a Classifier, such as a run of classifier_anime_hair."
        )
    if probe.image_spec != model.image_spec:
        raise InvalidInput(
            f"The probe reads {probe.image_spec}, the model draws {model.image_spec}; give one of these."
        )
    for name, label in labels.items():
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)) or not 0 <= label < probe.classes:
            raise InvalidInput(
                f"{name}={label!r}; give a label of the probe's, an integer from 0 to {probe.classes - 1}."
            )
    if labels["source"] == labels["target"]:
        raise InvalidInput(f"source and target are both {labels['source']}; give two labels.")


def _called(probe: Any, fractions: np.ndarray) -> np.ndarray:
    """The probe's likeliest label of each image, ``[n]``."""
    levels = np.round(fractions * (probe.image_spec.levels - 1)).astype(np.uint8)
    return probe.classify(levels).argmax(axis=-1)
