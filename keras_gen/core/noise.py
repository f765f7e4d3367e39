"""The randomness that sampling eats, as plain data: who draws it and where does not matter.

Host draws use NumPy's Philox keyed by SHA-256 of ``"<seed>:<name>"``. That recipe stands in every artifact's manifest, so
a program with NumPy alone draws the noise that the live model drew, and a seed gives the same picture everywhere. Image i
of a seed does not depend on how many images are drawn.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec

DRAW = "numpy Generator(Philox(key=first 16 bytes, little endian, of sha256('<seed>:<name>')))"


@dataclasses.dataclass(frozen=True)
class Normal:
    """Independent standard normal float32 of ``shape`` an example: ``standard_normal(dtype=float32)``."""

    shape: tuple[int, ...]
    dtype: ClassVar[str] = "float32"

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, *shape]``."""
        return generator.standard_normal((n, *self.shape), dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"distribution": "normal", "mean": 0.0, "stddev": 1.0}


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Independent uniform float32 in ``[0, 1)`` of ``shape`` an example: ``random(dtype=float32)``."""

    shape: tuple[int, ...]
    dtype: ClassVar[str] = "float32"

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, *shape]``."""
        return generator.random((n, *self.shape), dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"distribution": "uniform", "low": 0.0, "high": 1.0}


@dataclasses.dataclass(frozen=True)
class Images:
    """Not noise but an input: images of ``spec``. Drawn uniformly over the levels where a test needs some."""

    spec: ImageSpec
    dtype: ClassVar[str] = "uint8"

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.spec.shape

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, height, width, channels]``."""
        return generator.integers(0, self.spec.levels, (n, *self.shape), dtype=np.uint8)

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"distribution": None, "range": [0, self.spec.levels - 1]}


@dataclasses.dataclass(frozen=True)
class Labels:
    """Not noise but a condition: one int32 class an example, in ``[0, count - 1]``. Drawn uniformly where a test needs some."""

    count: int
    dtype: ClassVar[str] = "int32"
    shape: ClassVar[tuple[int, ...]] = ()

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n]``."""
        return generator.integers(0, self.count, n, dtype=np.int32)

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"distribution": None, "range": [0, self.count - 1]}

    def check(self, name: str, values: Any, n: int) -> np.ndarray:
        """``n`` labels as int32 ``[n]`` (one for all is repeated), or an ``InvalidInput``."""
        array = np.asarray(values)
        if array.dtype.kind not in "iu" or array.ndim > 1 or (array.ndim == 1 and len(array) != n):
            raise InvalidInput(
                f"{name} is {array.dtype} {list(array.shape)}; wanted {n} integers in [0, {self.count - 1}], or one for all."
            )
        if array.size and (array.min() < 0 or array.max() >= self.count):
            wrong = int(array.min() if array.min() < 0 else array.max())
            raise InvalidInput(f"{name} {wrong} is out of range; wanted integers in [0, {self.count - 1}].")
        return np.broadcast_to(array.astype(np.int32), (n,))


@dataclasses.dataclass(frozen=True)
class KnownPixels:
    """Not noise but an input: which pixels are kept, uint8 ``[h, w, 1]``, a prefix of the raster scan.

    Drawn as a prefix of uniform length where a test needs some.
    """

    spec: ImageSpec
    dtype: ClassVar[str] = "uint8"

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, 1)``."""
        return (self.spec.height, self.spec.width, 1)

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, height, width, 1]``."""
        pixels = self.spec.height * self.spec.width
        lengths = generator.integers(0, pixels + 1, n)
        return (np.arange(pixels) < lengths[:, None]).astype(np.uint8).reshape(n, *self.shape)

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"distribution": None, "range": [0, 1]}


Input = Normal | Uniform | Images | Labels | KnownPixels
NoiseSpec = Mapping[str, Normal | Uniform]
_DRAWN: Mapping[str, type] = {"normal": Normal, "uniform": Uniform}


def drawn_kind(entry: Mapping[str, Any]) -> Normal | Uniform | Labels | None:
    """What a manifest's input entry (``describe`` with dtype and shape) stands for; None of images and masks."""
    kind, shape = _DRAWN.get(entry["distribution"]), tuple(entry["shape"][1:])
    if kind is not None:
        return kind(shape)
    is_label = entry["distribution"] is None and entry["dtype"] == Labels.dtype and shape == Labels.shape
    return Labels(entry["range"][1] + 1) if is_label else None


class NoiseStream:
    """The noise of one seed, a batch after the other: two takes of 5 are one take of 10."""

    def __init__(self, spec: Mapping[str, Input], seed: int):
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InvalidInput(f"seed={seed!r} is a {type(seed).__name__}; give an integer.")
        self.spec = spec
        self._generators = {name: _generator(int(seed), name) for name in spec}

    def take(self, n: int) -> dict[str, np.ndarray]:
        """Name -> ``[n, *shape]`` for the next ``n`` examples."""
        return {name: kind.draw(self._generators[name], n) for name, kind in self.spec.items()}


def _generator(seed: int, name: str) -> np.random.Generator:
    key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def draw(spec: Mapping[str, Input], n: int, seed: int) -> dict[str, np.ndarray]:
    """The first ``n`` examples of the seed's noise: name -> ``[n, *shape]``."""
    return NoiseStream(spec, seed).take(n)


def check_noise(spec: NoiseSpec, noise: Mapping[str, Any]) -> None:
    """Raises ``InvalidInput`` unless ``noise`` has the names and per-example shapes of ``spec``."""
    if set(noise) != set(spec):
        raise InvalidInput(f"noise has {sorted(noise)}; this model eats {sorted(spec)}. See model.noise_spec().")
    for name, kind in spec.items():
        shape = tuple(noise[name].shape)
        if len(shape) != len(kind.shape) + 1 or shape[1:] != tuple(kind.shape):
            raise InvalidInput(
                f"noise {name!r} has shape {list(shape)}; wanted [n, {', '.join(map(str, kind.shape))}]."
            )
        values = np.asarray(noise[name])
        if isinstance(kind, Uniform) and not ((values >= 0.0) & (values < 1.0)).all():  # NaN does not lie there
            raise InvalidInput(f"noise {name!r} leaves [0, 1); draw it with keras_gen.core.noise.draw.")
