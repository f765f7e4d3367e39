"""What an experiment is: a class of settings. Each field is a setting that a user may change; the class itself says the rest."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin

import pydantic
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_core import PydanticCustomError

from keras_gen.core.errors import InvalidInput
from keras_gen.recipes import RECIPES
from keras_gen.recipes.problems import described

# The dtype policies that a recipe may train under.
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
# From 0 to below 1: a dropout rate, the decay of an average.
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
# From 0 to 1, both included: a share.
Share = Annotated[float, Field(ge=0.0, le=1.0)]
# Enough images for the metrics that compare sets.
SampleCount = Annotated[int, Field(ge=4)]
# ``keras_gen.core.image_data.AUGMENTATIONS``, which would load TensorFlow here.
Augmentation = Literal["flip", "jitter", "jitter_flip"]
# What Keras' and NumPy's generators take.
Seed = Annotated[int, Field(ge=0, lt=2**32)]

__all__ = [
    "Augmentation",
    "Cost",
    "Expected",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Precision",
    "Published",
    "Rate",
    "Recipe",
    "SampleCount",
    "Seed",
    "Share",
    "build",
    "class_of",
    "documentation",
    "settings_of",
]


class Published(NamedTuple):
    """A number to hold the measured one against. ``metric`` is how the names of the report's lines begin that it belongs to."""

    metric: str
    value: float
    source: str


class Expected(NamedTuple):
    """The number that a run should give, to the digits that it is sure of. ``metric`` is how the name of its line begins."""

    metric: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.metric} {self.value} {self.unit}".rstrip()


class Cost(NamedTuple):
    """How long training takes, and on what."""

    minutes: float
    on: str = "1 core"

    def __str__(self) -> str:
        seconds = 60 * self.minutes
        sizes = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))
        size, unit = next((each for each in sizes if seconds >= 2 * each[0]), sizes[-1])
        return f"{round(seconds / size, 1):g} {unit}, {self.on}"


class Recipe(pydantic.BaseModel):
    """The settings that all experiments have. A recipe is a subclass of a family's base: other defaults, fields of its own,
    ``network``, and a docstring whose first line says what it is, and the rest source, cost and the number to expect.

    Making one (``DCGANMNIST(epochs=3)``) checks every setting; what does not fit is an ``InvalidInput``. It never changes.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    # What kind of model; ``keras-gen list`` groups by it.
    family: ClassVar[str] = "other"
    # These three are of one class' settings and data, so a subclass has none but its own.
    published: ClassVar[tuple[Published, ...]] = ()
    expected: ClassVar[Expected | None] = None
    cost: ClassVar[Cost | None] = None

    data: str
    epochs: PositiveInt
    batch_size: PositiveInt
    dtype: Precision = "float32"
    seed: Seed = 0
    augment: Augmentation | None = None
    # Epochs from one checkpoint, or grid of samples, to the next; None: ten grids in all.
    checkpoint_every: PositiveInt = 1
    sample_every: PositiveInt | None = 1
    # Drawn for the report.
    samples: SampleCount = 10_000

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except pydantic.ValidationError as error:
            raise InvalidInput(described(error, RECIPES.name_of(type(self)), type(self).model_fields)) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Takes from a subclass what was said of its parent's numbers alone."""
        for name, none in (("published", ()), ("expected", None), ("cost", None)):
            if name not in cls.__dict__:
                setattr(cls, name, none)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _as_typed(cls, value: Any, about: pydantic.ValidationInfo) -> Any:
        """``none`` of the command line is None where a setting may be; True and False are no numbers."""
        alternatives = _alternatives(cls.model_fields[about.field_name].annotation)
        if isinstance(value, str) and value.lower() == "none" and type(None) in alternatives:
            return None
        if isinstance(value, bool) and bool not in alternatives and alternatives & {int, float}:
            raise PydanticCustomError("no_boolean", "a number is wanted")
        return value

    def network(self, spec: Any) -> Any:
        """The model of these settings for images of ``spec`` (an ``ImageSpec``), not compiled."""
        raise NotImplementedError

    def compile(self, model: Any, steps: int) -> None:
        """Gives the model its optimizers, for ``steps`` training steps to come."""
        raise NotImplementedError

    def model(self, spec: Any, steps: int) -> Any:
        """The compiled model."""
        made = self.network(spec)
        self.compile(made, steps)
        return made

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for this ``ImageData``."""
        return self.model(data.image_spec, steps)

    def callbacks(self, folder: Path, training: Any, validation: Any, first_epoch: int) -> list[Any]:
        """Callbacks that watch this family's trainings beside those that watch all; what they add to the logs is kept.

        Args:
            folder: the run's. training, validation: its ``ImageData``. first_epoch: how many epochs lie behind.
        """
        return []

    def final_model(self, model: Any, folder: Path) -> Any:
        """The model that a run ends with: the trained one, or one that the callbacks kept in ``folder``."""
        return model

    @property
    def evaluation(self) -> dict[str, Any]:
        """Options of ``keras_gen.evaluation.report.evaluate``."""
        return {"samples": self.samples}

    @property
    def grid_every(self) -> int:
        """Epochs from one grid of samples to the next."""
        return self.sample_every or max(1, self.epochs // 10)

    def changed(self) -> dict[str, Any]:
        """The settings that are not their defaults."""
        return {key: value for key, value in self.settings().items() if getattr(self, key) != self.default(key)}

    @classmethod
    def default(cls, setting: str) -> Any:
        """A setting's default; of one that has to be given, pydantic's ``PydanticUndefined``."""
        return cls.model_fields[setting].get_default(call_default_factory=True)

    def settings(self) -> dict[str, Any]:
        """Every setting with its value, as JSON has it: what ``recipe.json`` keeps."""
        return self.model_dump(mode="json")


def build(recipe: str | Recipe | type[Recipe], settings: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe (a name, a class or an object) with these settings in place of its own; strings are parsed by the setting's type.

    An unknown recipe or setting, or a value of the wrong type or range, is an ``InvalidInput``.
    """
    if isinstance(recipe, Recipe):
        return type(recipe)(**{**recipe.settings(), **(settings or {})})
    return (recipe if isinstance(recipe, type) else class_of(recipe))(**(settings or {}))


def settings_of(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Every setting of a recipe with its value: what was given, else its default."""
    return build(name, given).settings()


def documentation(name: str) -> str:
    """The recipe's docstring: source, cost and the number to expect."""
    return inspect.cleandoc(class_of(name).__doc__ or "")


def class_of(name: str) -> type[Recipe]:
    """The class of a registered recipe."""
    kind = RECIPES.get(name)
    if not (isinstance(kind, type) and issubclass(kind, Recipe)):
        raise InvalidInput(f"{name!r} is registered as {kind!r}, which is no recipe; register a subclass of Recipe.")
    return kind


def _alternatives(annotation: Any) -> set[Any]:
    """The types that a setting may have, without their bounds."""
    kinds = (annotation, *get_args(annotation))
    return {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}
