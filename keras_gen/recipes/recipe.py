"""What an experiment is, and how the settings that a user types become one."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from keras_gen.core.errors import InvalidInput
from keras_gen.recipes import RECIPES

# The dtype policies that a recipe may train under.
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

__all__ = [
    "NonNegativeFloat",
    "PositiveFloat",
    "PositiveInt",
    "Precision",
    "Recipe",
    "build",
    "documentation",
    "settings_of",
]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One experiment. ``model(image_spec, steps)`` gives a compiled model, ``steps`` being all the training steps to come.

    ``published`` are the numbers to hold the measured ones against: (metric, value, source). ``evaluation`` are options of
    ``keras_gen.evaluation.report.evaluate``.
    """

    data: str
    model: Callable[[Any, int], Any]
    epochs: int
    batch_size: int
    seed: int = 0
    augment: str | None = None
    checkpoint_every: int = 1
    sample_every: int = 1
    evaluation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: tuple[tuple[str, float, str], ...] = ()


def settings_of(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Every setting of a recipe with its value: what was given (strings are parsed by the setting's type), else its default.

    An unknown recipe or setting, or a value of the wrong type or range, is an ``InvalidInput``.
    """
    function = RECIPES.get(name)
    parameters = inspect.signature(function).parameters
    settings = {key: parameter.default for key, parameter in parameters.items()}
    for key, value in (given or {}).items():
        if key not in parameters:
            raise InvalidInput(f"Recipe {name!r} has no setting {key!r}. It has: {', '.join(parameters)}.")
        try:
            settings[key] = pydantic.TypeAdapter(parameters[key].annotation).validate_python(value)
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            raise InvalidInput(f"{key}={value!r} does not fit recipe {name!r}: {problem['msg']}.") from error
    return settings


def build(name: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings (complete, as ``settings_of`` gives them)."""
    return RECIPES.get(name)(**settings)


def documentation(name: str) -> str:
    """The recipe file's docstring: source, cost and the number to expect."""
    return inspect.cleandoc(sys.modules[RECIPES.get(name).__module__].__doc__ or "")
