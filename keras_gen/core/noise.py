"""The randomness that sampling takes, as plain data: who draws it and where does not matter.

Host draws use NumPy's Philox keyed by SHA-256 of ``"<seed>:<name>"``. That recipe stands in every artifact's manifest, so
a program with NumPy alone draws the noise that the live model drew, and a seed gives the same picture everywhere. Image i
of a seed does not depend on how many images are drawn.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Input, check_inputs

if TYPE_CHECKING:
    import tensorflow as tf

DRAW = "numpy Generator(Philox(key=first 16 bytes, little endian, of sha256('<seed>:<name>')))"
BELOW_ONE = float(np.nextafter(np.float32(1.0), np.float32(0.0)))  # uniform noise ends here


@dataclass(frozen=True)
class Normal(Input):
    """Independent standard normal float32 of ``shape`` an example: ``standard_normal(dtype=float32)``."""

    shape: tuple[int, ...]
    kind: ClassVar[str] = "normal"
    dtype: ClassVar[str] = "float32"
    distribution: ClassVar[str] = "normal"
    uniforms: ClassVar[int] = 2

    def describe(self) -> dict[str, Any]:
        """Its entry in a manifest."""
        return {**super().describe(), "mean": 0.0, "stddev": 1.0}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Normal":
        """The kind that an entry describes."""
        return cls(tuple(entry["shape"][1:]))

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, *shape]``."""
        return generator.standard_normal((n, *self.shape), dtype=np.float32)

    def of_uniforms(self, uniforms: "tf.Tensor") -> "tf.Tensor":
        """``[n, *shape]`` by Box and Muller 1958; 1 - u lies in (0, 1]."""
        import tensorflow as tf

        return tf.sqrt(-2.0 * tf.math.log(1.0 - uniforms[0])) * tf.cos(2.0 * math.pi * uniforms[1])


@dataclass(frozen=True)
class Uniform(Input):
    """Independent uniform float32 in ``[0, 1)`` of ``shape`` an example: ``random(dtype=float32)``."""

    shape: tuple[int, ...]
    kind: ClassVar[str] = "uniform"
    dtype: ClassVar[str] = "float32"
    distribution: ClassVar[str] = "uniform"
    uniforms: ClassVar[int] = 1

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """float32 ``[n, *shape]`` in ``[0, 1)``."""
        array = super().check(name, values, n)
        if not ((array >= 0.0) & (array < 1.0)).all():
            raise InvalidInput(f"{name} leaves [0, 1); draw it with keras_gen.core.noise.draw.")
        return array

    def describe(self) -> dict[str, Any]:
        """Its entry in a manifest."""
        return {**super().describe(), "low": 0.0, "high": 1.0}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Uniform":
        """The kind that an entry describes."""
        return cls(tuple(entry["shape"][1:]))

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, *shape]``."""
        return generator.random((n, *self.shape), dtype=np.float32)

    def of_uniforms(self, uniforms: "tf.Tensor") -> "tf.Tensor":
        """``[n, *shape]``: the uniforms themselves."""
        return uniforms[0]


NoiseSpec = Mapping[str, Normal | Uniform]


class NoiseStream:
    """The noise of one seed, a batch after the other: two takes of 5 are one take of 10."""

    def __init__(self, spec: Mapping[str, Input], seed: int):
        self.spec, seed = spec, integer("seed", seed)
        self._generators = {name: _generator(seed, name) for name in spec}

    def take(self, n: int) -> dict[str, np.ndarray]:
        """Name -> ``[n, *shape]`` for the next ``n`` examples."""
        return {name: kind.draw(self._generators[name], n) for name, kind in self.spec.items()}


def _generator(seed: int, name: str) -> np.random.Generator:
    key = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def draw(spec: Mapping[str, Input], n: int, seed: int) -> dict[str, np.ndarray]:
    """The first ``n`` examples of the seed's noise: name -> ``[n, *shape]``."""
    return NoiseStream(spec, seed).take(n)


def check_noise(spec: NoiseSpec, noise: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The noise as arrays, or ``InvalidInput`` unless it has the names, shapes, dtypes and ranges of ``spec``.

    Lists of Python's numbers become float32. Arrays and tensors must be of it: those of another precision were not drawn by
    the recipe, and would give other pictures than their seed's.
    """
    if set(noise) != set(spec):
        raise InvalidInput(f"noise has {sorted(noise)}; this model takes {sorted(spec)}. See model.noise_spec().")
    for name, kind in spec.items():
        dtype = getattr(noise[name], "dtype", None)
        found = getattr(dtype, "name", dtype)
        if dtype is not None and found != kind.dtype:
            raise InvalidInput(
                f"noise {name!r} is {found}; wanted {kind.wanted(None)}. Draw it with keras_gen.core.noise.draw."
            )
    named = {f"noise {name!r}": kind for name, kind in spec.items()}
    checked = check_inputs(named, {f"noise {name!r}": noise[name] for name in spec}, "noise")
    return dict(zip(spec, checked.values(), strict=True))
