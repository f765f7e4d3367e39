"""Turning images into others: the same for a live model and for an artifact that was read back."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.core.noise import NoiseStream
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE, Sampler, with_defaults
from keras_gen.core.tiles import tiled

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Translation:
    """One direction of a translator.

    Args:
        sampler: whose it is.
        inputs: what it takes: noise, ``source`` (``Images``), and what else is given.
        image_spec: what it makes.
        run: ``f(noise, conditions)`` gives uint8 ``[n, h, w, c]``.
    """

    sampler: Sampler
    inputs: Mapping[str, Input]
    image_spec: ImageSpec
    run: Callable[[Arrays, Arrays], np.ndarray]

    @property
    def source_spec(self) -> ImageSpec:
        """What it is made of."""
        return self.inputs["source"].spec

    def images(
        self,
        sources: Any,
        seed: int = 0,
        batch_size: int = DEFAULT_BATCH_SIZE,
        conditions: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Of uint8 sources ``[n, h, w, c]`` images, uint8 ``[n, h, w, c']``; a seed draws what noise there is, one an image."""
        sources = self.inputs["source"].check("source", sources)
        given = self._given({"source": sources, **(conditions or {})}, len(sources))
        return self.sampler.drawn(self.run, len(sources), seed, given, batch_size)

    def pictures(
        self,
        sources: Iterator[np.ndarray],
        seed: int = 0,
        overlap: int | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        conditions: Mapping[str, Any] | None = None,
    ) -> Iterator[np.ndarray]:
        """Of uint8 pictures ``[h, w, c]`` of any sizes pictures of the same sizes, one after the other, by overlapping tiles.

        All tiles of a picture share its noise. Picture i of a seed has the noise of its image i: where a picture is of the
        sources' size, it becomes what ``images`` gives.
        """
        self.sampler.check_sampling()
        batch_size, spec = integer("batch_size", batch_size, 1), self.source_spec
        stream = NoiseStream({name: kind for name, kind in self.inputs.items() if kind.distribution is not None}, seed)
        for picture in sources:
            noise = stream.take(1)

            def translated(tiles: np.ndarray, noise: Arrays = noise) -> np.ndarray:
                parts = []
                for start in range(0, len(tiles), batch_size):
                    part = tiles[start : start + batch_size]
                    given = self._given({"source": part, **(conditions or {})}, len(part))
                    shared = {name: np.repeat(values, len(part), axis=0) for name, values in noise.items()}
                    parts.append(self.run(shared, given))
                return np.concatenate(parts)

            yield tiled(translated, picture, (spec.height, spec.width), overlap)

    def _given(self, given: Mapping[str, Any], n: int) -> dict[str, np.ndarray]:
        spec = {name: kind for name, kind in self.inputs.items() if kind.distribution is None}
        return with_defaults(spec, given, n, type(self.sampler).__name__)


def translates(inputs: Mapping[str, Input]) -> bool:
    """Whether an endpoint of these inputs is one that makes an image of another."""
    return isinstance(inputs.get("source"), Images)
