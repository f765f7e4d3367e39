"""What is exported of a model: a pure function and the inputs that it takes."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_gen.core.inputs import Input


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """``function`` maps a dict of tensors (one an input, batch first, any batch size) to a dict of tensors.

    ``ranges`` tells, for each output, the interval its values lie in, or None where there is no bound. ``compiled`` asks for
    XLA where the format can carry it (a SavedModel; ONNX gets the plain graph). ``sequential`` says that each value of an
    output is drawn in raster order given those before it, so that one decided otherwise changes all that follow.
    """

    function: Callable[[Mapping[str, Any]], dict[str, Any]]
    inputs: Mapping[str, Input]
    ranges: Mapping[str, tuple[float, float] | None]
    compiled: bool = False
    sequential: bool = False
