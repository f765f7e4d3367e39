"""What leaves with a model: a pure function and the inputs that it eats."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_gen.core.noise import Input


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """``function`` maps a dict of tensors (one an input, batch first, any batch size) to a dict of tensors.

    ``ranges`` tells, for each output, the interval its values lie in, or None where there is no bound.
    """

    function: Callable[[Mapping[str, Any]], dict[str, Any]]
    inputs: Mapping[str, Input]
    ranges: Mapping[str, tuple[float, float] | None]
