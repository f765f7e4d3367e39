"""What a manifest must hold, field by field, whoever wrote it: types, names, shapes, ranges, before anything is loaded."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from keras_gen.core.errors import InvalidInput

# Of one example: a side, and all values (those of 1024 x 1024 colour images fit). A batch of 64 of the largest is one GiB.
MOST_SIDE, MOST_VALUES = 1 << 20, 1 << 22
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool")


def _is_inside(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(sign in name for sign in "\\:\0"):
        raise ValueError(f"names the file {name!r}, which lies outside the artifact; do not use it")
    return name


def _is_shape(shape: list[int | None]) -> list[int | None]:
    if shape[0] is not None or None in shape[1:]:
        raise ValueError("wanted null (the batch) first, then integers")
    if math.prod(shape[1:]) > MOST_VALUES:
        raise ValueError(f"wanted at most {MOST_VALUES} values an example")
    return shape


def _is_range(ends: list[int | float] | None) -> list[int | float] | None:
    if ends is not None and ends[0] > ends[1]:
        raise ValueError("wanted the lower end first")
    return ends


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
File = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_is_inside)]
Side = Annotated[int, Field(ge=0, le=MOST_SIDE)]
Shape = Annotated[list[Side | None], Field(min_length=1, max_length=8), AfterValidator(_is_shape)]
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[Annotated[list[Number], Field(min_length=2, max_length=2)] | None, AfterValidator(_is_range)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class _Array(_Fields):
    dtype: Literal[DTYPES]
    shape: Shape


class _Input(_Array):
    kind: Name | None = None  # artifacts of before kinds had names have none
    distribution: Name | None
    range: Range = None
    default: Number | str | None = None


class _Output(_Array):
    range: Range


class _Endpoint(_Fields):
    inputs: Annotated[dict[Name, _Input], Field(min_length=1)]
    outputs: Annotated[dict[Name, _Output], Field(min_length=1)]
    sequential: bool = False


class _Format(_Fields):
    """A folder ``path`` of all endpoints, or ``files``, one an endpoint."""

    path: str | None = None  # of these files, each is one of the manifest's own
    files: dict[Name, str] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "_Format":
        if (self.path is None) == (self.files is None):
            raise ValueError("wanted either 'path' or 'files'")
        return self


class _Parity(_Fields):
    batch_sizes: list[Count]
    max_abs_error: Annotated[float, Field(ge=0.0)]
    differing_fraction: Share


class _File(_Fields):
    sha256: Digest
    bytes: Count


class _ImageSpec(_Fields):
    model_config = ConfigDict(extra="forbid")
    height: Annotated[int, Field(ge=1, le=MOST_SIDE)]
    width: Annotated[int, Field(ge=1, le=MOST_SIDE)]
    channels: Annotated[int, Field(ge=1, le=MOST_SIDE)]
    levels: Annotated[int, Field(ge=2, le=256)]


class _Manifest(_Fields):
    model_config = ConfigDict(protected_namespaces=())
    schema_: str = Field(alias="schema")
    model: Annotated[str, StringConstraints(max_length=1024)]
    keras_gen: str
    versions: dict[str, str]
    version: Annotated[int, Field(ge=1)]
    image_spec: _ImageSpec
    trained_with: str
    draw: str
    endpoints: Annotated[dict[Name, _Endpoint], Field(min_length=1)]
    formats: Annotated[dict[Name, _Format], Field(min_length=1)]
    parity: dict[Name, dict[Name, _Parity]]
    files: dict[File, _File]
    manifest_sha256: Digest


def check_fields(manifest: Mapping[str, Any]) -> None:
    """``InvalidInput`` about the first field that is missing, of a wrong type, or beyond all measure."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise InvalidInput(_in_words(error.errors(include_url=False)[0])) from error


def _in_words(error: Mapping[str, Any]) -> str:
    # Pydantic's marks of keys and of the members of a union say nothing to a reader of the file.
    where = ".".join(str(part) for part in error["loc"] if part != "[key]" and "[" not in str(part))
    found = "missing" if error["type"] == "missing" else f"{error['input']!r:.60}"
    if error["type"] == "value_error" and "file" in str(error["ctx"]["error"]):
        return str(error["ctx"]["error"])
    return f"field {where!r} is {found}; {error['msg']}"
