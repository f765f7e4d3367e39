"""Vector arithmetic on visual concepts: smiling woman - neutral woman + neutral man = smiling man.

Radford, Metz and Chintala 2016, section 6.3.2 and figure 7.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import IN_TURN
from keras_gen.core.noise import BELOW_ONE, Uniform, draw
from keras_gen.core.pictures import beside, image_grid, sign, stacked
from keras_gen.evaluation.latent import at_least, encoded, held, latent_of, render

DRAWS = 100  # the report's sample grid shows as many, ten a row
CENTRE = 4  # of a 3 x 3 block, row by row
CONCEPTS = ("plus", "minus", "add")


@dataclasses.dataclass(frozen=True, eq=False)
class Arithmetic:
    """What ``arithmetic`` found; images are float32 fractions of the highest level, in ``[0, 1]``."""

    exemplars: np.ndarray
    """The k exemplars of plus, minus and add: ``[3, k, h, w, c]``."""
    means: np.ndarray
    """What the model makes of each concept's mean z: ``[3, h, w, c]``."""
    points: np.ndarray
    """z of the block, row by row, float32 ``[9, d]``; in the middle ``mean(plus) - mean(minus) + mean(add)``."""
    block: np.ndarray
    """What the model makes of ``points``: ``[9, h, w, c]``."""
    pixels: np.ndarray
    """The same sum of the exemplars' images, clipped to ``[0, 1]``: ``[h, w, c]``."""

    @property
    def centre(self) -> np.ndarray:
        """The image of the sum itself: ``[h, w, c]``."""
        return self.block[CENTRE]

    @property
    def neighbours(self) -> np.ndarray:
        """The images around it: ``[8, h, w, c]``."""
        return np.delete(self.block, CENTRE, axis=0)


def arithmetic(
    model: Any,
    plus: Sequence[int] | np.ndarray,
    minus: Sequence[int] | np.ndarray,
    add: Sequence[int] | np.ndarray,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    scale: float = 0.25,
    **conditions: Any,
) -> Arithmetic:
    """``y = mean(plus) - mean(minus) + mean(add)`` in latent space, its surroundings, and the same in pixel space.

    Each concept is a few exemplars, equally many in each; the paper takes three, since single ones were unstable. An
    exemplar is the index of a draw of ``seed``: the report's sample grid shows the first 100, ten a row, so that the
    image in row r and column c (from 0) is draw ``10 r + c``. Or a concept is uint8 images ``[k, h, w, c]``, where the
    model has ``encode``, and their z the posterior's mean.

    Of three normal means of k draws the sum has the variance of 3 / k draws: three exemplars land where samples lie.
    Sums of uniform z that leave ``[0, 1)`` are clipped to it. Noise other than z is, in all that is computed, that of the
    seed's first draw.

    Args:
        model: one that takes a latent vector ``z``.
        plus, minus, add: the concepts.
        seed: of the draws, and of the neighbours'.
        draws: from how many draws the indices choose.
        scale: eight neighbours of y have uniform noise in ``[-scale, scale]`` added to it.
        conditions: of conditional models, one of each, under which everything is drawn.

    Raises:
        InvalidInput: a model without ``z``, an empty concept, concepts of different sizes, an index outside the draws,
            images for a model without ``encode``, conditions left out or several.
    """
    kind, spec = latent_of(model), model.noise_spec()
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0.0 <= scale < math.inf:
        raise InvalidInput(f"scale={scale!r}; give a number of at least 0, such as the paper's 0.25.")
    _check_conditions(model, conditions)
    noise = draw(spec, at_least("draws", draws, 1), seed)
    given = {name: _checked(model, name, value, draws) for name, value in zip(CONCEPTS, (plus, minus, add))}
    if len({len(concept) for concept in given.values()}) > 1:
        sizes = ", ".join(f"{name} {len(concept)}" for name, concept in given.items())
        raise InvalidInput(f"The concepts hold unequally many exemplars ({sizes}); give each as many: three, say.")
    latents, exemplars = zip(*(_resolved(model, concept, noise, conditions) for concept in given.values()))
    means = np.mean(latents, axis=1, dtype=np.float64)  # [3, d]
    points = _surroundings(means[0] - means[1] + means[2], scale, seed)
    if isinstance(kind, Uniform):
        points = np.clip(points, 0.0, BELOW_ONE)
    z = np.concatenate([means, points]).astype(np.float32)  # [3 + 9, d]
    computed = {**{name: np.repeat(values[:1], len(z), axis=0) for name, values in noise.items()}, "z": z}
    images = render(model, computed, held(model, conditions, 1, len(z)))
    pixels = np.mean(exemplars, axis=1)  # [3, h, w, c]
    pixels = np.clip(pixels[0] - pixels[1] + pixels[2], 0.0, 1.0)
    return Arithmetic(np.stack(exemplars), images[:3], z[3:], images[3:], pixels)


def picture(result: Arithmetic) -> Image.Image:
    """The sum as the paper's figure draws it.

    In columns the exemplars of plus, minus and add, below each its mean z; right the 3 x 3 block. Below, the same in pixel
    space: the exemplars' mean images and their sum.
    """
    columns = [
        stacked([image_grid(exemplars, columns=1), image_grid(mean[None])])
        for exemplars, mean in zip(result.exemplars, result.means)
    ]
    pixel_means = [image_grid(mean[None]) for mean in np.mean(result.exemplars, axis=1)]
    size = max(16, min(pixel_means[0].size) // 3)  # of all signs, so that columns stand below columns
    above = _equation(columns, image_grid(result.block, columns=3), size)
    return stacked([above, _equation(pixel_means, image_grid(result.pixels[None]), size)], gap=36)


def _equation(terms: Sequence[Image.Image], total: Image.Image, size: int) -> Image.Image:
    """``a - b + c = total``, side by side."""
    minus, plus, equals = (sign(which, size) for which in "-+=")
    return beside([terms[0], minus, terms[1], plus, terms[2], equals, total])


def _surroundings(centre: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """The point among eight neighbours: ``[9, d]`` of ``[d]``."""
    noise = draw({"neighbours": Uniform(centre.shape)}, 8, seed)["neighbours"].astype(np.float64)
    return np.insert(centre + scale * (2.0 * noise - 1.0), CENTRE, centre, axis=0)


# --- the concepts -----------------------------------------------------------------------------------------------------


def _check_conditions(model: Any, conditions: Mapping[str, Any]) -> None:
    """Everything is drawn under the same conditions: a sum of samples of several classes has none of its own."""
    for name, kind in model.condition_spec().items():
        if conditions.get(name) is None and kind.default in (None, IN_TURN):
            raise InvalidInput(
                f"{type(model).__name__} draws under a {name}; give one {name}= for the whole sum, and choose the "
                f"exemplars from model.sample({DRAWS}, seed, {name}=...)."
            )


def _checked(model: Any, name: str, given: Any, draws: int) -> np.ndarray:
    """A concept as indices ``[k]`` or as uint8 images ``[k, h, w, c]``."""
    if isinstance(given, np.ndarray) and given.ndim > 1:
        if not hasattr(model, "encode"):
            raise InvalidInput(
                f"{name} holds images, which {type(model).__name__} cannot encode; give indices of draws."
            )
        return model.image_spec.check(given, name)
    indices = list(given) if np.iterable(given) else [given]
    if not indices:
        raise InvalidInput(f"{name} holds no exemplar; give indices of draws, such as 3,17,41.")
    for index in indices:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < draws:
            images = ", or uint8 images [k, h, w, c]" if hasattr(model, "encode") else ""
            raise InvalidInput(
                f"{name} holds {index!r}; wanted indices of the seed's first {draws} draws, integers from 0 to "
                f"{draws - 1} (raise draws to choose from more){images}."
            )
    return np.array(indices)


def _resolved(
    model: Any, concept: np.ndarray, noise: Mapping[str, np.ndarray], conditions: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Its exemplars' z ``[k, d]`` and images ``[k, h, w, c]`` in ``[0, 1]``."""
    if concept.ndim > 1:
        images = concept.astype(np.float32) / (model.image_spec.levels - 1)
        known = {name: conditions[name] for name, kind in model.condition_spec().items() if kind.of_data}
        return encoded(model, concept, **known), images
    chosen = {name: values[concept] for name, values in noise.items()}
    return chosen["z"], render(model, chosen, held(model, conditions, 1, len(concept)))
