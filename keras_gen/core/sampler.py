"""Sampling by seed: the same for a live model and for an artifact that was read back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import Labels, NoiseSpec, NoiseStream

DEFAULT_BATCH_SIZE = 64


class Sampler:
    """What can be sampled by seed: it says what noise it eats and what images that gives.

    A subclass has ``noise_spec``, ``images_of`` and, if it wants labels, ``condition_spec``.
    """

    # Whether a batch of another size is compiled for anew: long loops of small steps, under XLA.
    compiled_sampling = False

    def noise_spec(self) -> NoiseSpec:
        """Name -> distribution and per-example shape of the noise that it eats."""
        raise NotImplementedError(f"{type(self).__name__} must say what noise it eats.")

    def condition_spec(self) -> Mapping[str, Labels]:
        """Name -> what else it eats: the labels of class-conditional models."""
        return {}

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """Images of noise (and conditions) given as arrays: uint8 ``[n, h, w, c]``."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of noise.")

    def checked_conditions(
        self, conditions: Mapping[str, Any], n: int, *, required: bool = False
    ) -> dict[str, np.ndarray]:
        """The conditions of ``n`` examples as arrays. Those left out, or None, go through the classes, unless ``required``."""
        spec, given = self.condition_spec(), {name: value for name, value in conditions.items() if value is not None}
        if unknown := set(given) - set(spec):
            raise InvalidInput(
                f"{type(self).__name__} got the condition {sorted(unknown)[0]!r}; it takes {', '.join(spec) or 'none'}."
            )
        if missing := [name for name in spec if name not in given and required]:
            raise InvalidInput(f"{type(self).__name__} wants {missing[0]}=, one an image.")
        return {name: kind.check(name, given.get(name, np.arange(n) % kind.count), n) for name, kind in spec.items()}

    def sample(self, n: int, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any) -> np.ndarray:
        """``n`` images, uint8 ``[n, h, w, c]``; a seed gives the same images whatever the batch size.

        Class-conditional models take ``label``, one or ``n`` integers; without it the classes come in turn.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InvalidInput(f"n={n!r} images cannot be drawn; give an integer of at least 1.")
        if not self.noise_spec():
            raise InvalidInput(
                f"{type(self).__name__} draws no images from noise; it works on images that it is given."
            )
        return self.drawn(self.images_of, n, seed, self.checked_conditions(conditions, n), batch_size)

    def drawn(
        self,
        draw: Callable[[dict[str, np.ndarray], dict[str, np.ndarray]], np.ndarray],
        n: int,
        seed: int,
        inputs: Mapping[str, np.ndarray],
        batch_size: int,
    ) -> np.ndarray:
        """``draw(noise, inputs)`` of ``n`` examples, batch by batch; the noise is the seed's, whatever the batch size."""
        batch_size = integer("batch_size", batch_size, 1)
        stream = NoiseStream(self.noise_spec(), seed)
        parts = []
        for start in range(0, n, batch_size):
            part = slice(start, min(start + batch_size, n))
            size = part.stop - start
            both = [stream.take(size), {name: values[part] for name, values in inputs.items()}]
            if start and size < batch_size and self.compiled_sampling:
                # XLA compiles once a batch size: the short last batch is filled up rather than compiled for.
                both = [_filled(values, batch_size) for values in both]
            parts.append(draw(*both)[:size])
        return np.concatenate(parts)


def _filled(values: Mapping[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([value, np.repeat(value[-1:], size - len(value), axis=0)])
        for name, value in values.items()
    }
