"""Single numbers at the border: what came, what was wanted, in one form of words for the whole project."""

import math
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput

LARGEST_SEED = 2**32 - 1  # what NumPy's and Keras' generators take


def integer(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """``value`` as an ``int``: Python's and NumPy's integers alike, booleans not. Otherwise ``InvalidInput`` names it.

    Args:
        name: how the user calls it, as ``"latent_dim"``.
        least, most: its bounds, both included; None for no bound.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or (least is not None and value < least) or (most is not None and value > most):
        raise InvalidInput(f"{name}={value!r}; give an integer{_range(least, most)}.")
    return int(value)


def number(
    name: str, value: Any, least: float | None = None, most: float | None = None, *, above: bool = False
) -> float:
    """``value`` as a finite ``float``: Python's and NumPy's numbers alike, booleans not. Otherwise ``InvalidInput`` names it.

    Args:
        name: how the user calls it, as ``"beta"``.
        least, most: its bounds, both included; None for no bound.
        above: ``least`` itself is refused too.
    """
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    low = real and least is not None and (value <= least if above else value < least)
    if not real or not math.isfinite(value) or low or (most is not None and value > most):
        raise InvalidInput(f"{name}={value!r}; give a finite number{_range(least, most, above)}.")
    return float(value)


def sizes(**values: Any) -> list[int]:
    """Each value as an ``int`` of at least 1, under its own name."""
    return [integer(name, value, 1) for name, value in values.items()]


def integers(name: str, values: Any, least: int | None = None, most: int | None = None) -> tuple[int, ...]:
    """A list, tuple or vector of integers as a tuple of ``int``; a single one is ``InvalidInput``, as every wrong part is."""
    if not isinstance(values, (list, tuple)) and not (isinstance(values, np.ndarray) and values.ndim == 1):
        raise InvalidInput(f"{name}={values!r}; give a tuple of integers{_range(least, most)}.")
    return tuple(integer(f"{name}[{place}]", value, least, most) for place, value in enumerate(values))


def odd(name: str, value: Any, least: int = 1) -> int:
    """``value`` as an odd ``int`` of at least ``least``: the size of a kernel that has a middle."""
    if integer(name, value) < least or value % 2 == 0:
        raise InvalidInput(f"{name}={value!r}; give an odd integer of at least {least}.")
    return int(value)


def nearest_sizes(height: int, width: int, step: int, least: int = 1) -> str:
    """The good sizes next to these, ``"64x64 or 96x96"``: sides that are multiples of ``step`` of at least ``least``."""
    least = -(-least // step) * step
    below, above = (
        [max(least, f(side) * step) for side in (height, width)] for f in (lambda s: s // step, lambda s: -(-s // step))
    )
    return " or ".join(dict.fromkeys(f"{h}x{w}" for h, w in (below, above)))


def rate(name: str, value: Any) -> float:
    """``value`` as a ``float`` of at least 0 and less than 1: a dropout's rate, a moving average's decay."""
    if number(name, value, 0, 1) == 1:
        raise InvalidInput(f"{name}={value!r}; give a number of at least 0 and less than 1.")
    return float(value)


def _range(least: float | None, most: float | None, above: bool = False) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}" if not above else f" above {least}, at most {most}"
    if least is not None:
        return f" above {least}" if above else f" of at least {least}"
    return "" if most is None else f" of at most {most}"
