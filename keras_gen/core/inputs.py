"""What endpoints take: noise, labels, images, masks. Each kind answers for itself at every border.

check      what a Python caller gave       -> arrays [n, *shape], or one clear InvalidInput
read       what a batch holds              -> the numbers it stands for
parse      what the command line gave      -> what check takes
receive    what a stranger sent             -> what check takes; no file is opened by a name that was sent
describe   the manifest's entry; ``of`` makes the kind of an entry again
draw       examples from a NumPy generator: noise of a seed; of other kinds, what tests and references are made of
defaults   what a condition is where it is left out
of_uniforms  a draw inside a training step's graph

A kind of your own is a subclass of ``Input``, registered: ``INPUT_KINDS.register("angle", Angle)``. Where it is numbers within a
range it says ``dtype``, ``shape`` and ``range`` and how it is drawn; the rest is here.
"""

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.input_kinds import INPUT_KINDS

if TYPE_CHECKING:  # what runs artifacts goes through the kinds, and has no TensorFlow
    import tensorflow as tf

IN_TURN = "in turn"
PICTURE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # of pictures that are sent, by content
_URL_SAFE = str.maketrans("-_ ", "+/+")  # a query's plus became a blank


class Input:
    """One input of an endpoint: an array ``[n, *shape]`` of ``dtype``. Kinds are frozen dataclasses."""

    kind: ClassVar[str]
    """Its name in manifests and in ``INPUT_KINDS``."""
    dtype: str
    """NumPy's name of it."""
    shape: tuple[int, ...]
    """Of one example."""
    distribution: ClassVar[str | None] = None
    """Of noise, which a seed draws; None of what is given."""
    range: tuple[float, float] | None = None
    """The interval that holds all values, both ends included; None where there is none."""
    default: str | float | None = None
    """What a condition left out is: ``IN_TURN`` (the integers of the range), a number, or None: it has to be given."""
    of_data: ClassVar[bool] = True
    """Whether a batch to train on, or to measure on, holds it; a way of sampling is none of the data's."""
    converts: ClassVar[bool] = True
    """Whether a batch may hold it in another precision; pixels come as they are."""
    uniforms: ClassVar[int | None] = None
    """How many uniform numbers ``of_uniforms`` makes one value of; None: it cannot be drawn in a training step."""

    # --- borders ----------------------------------------------------------------------------------------------------

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """``values`` as an array ``[n, *shape]`` of ``dtype``; of what is given (no noise), one example serves all ``n``.

        Args:
            name: of the input, for messages.
            values: an array, a tensor or lists; numbers of another precision are converted.
            n: how many examples there are; None: as many as ``values`` hold.

        Raises:
            InvalidInput: another type or shape, NaN, infinity, or a value outside the range.
        """
        array, floats = as_array(name, values), self.dtype.startswith("float")
        one_for_all = array.shape == tuple(self.shape) and n is not None and self.distribution is None
        whole = array.ndim == len(self.shape) + 1 and array.shape[1:] == tuple(self.shape) and n in (None, len(array))
        if array.dtype.kind not in ("fiu" if floats else "iu") or not (one_for_all or whole):
            raise InvalidInput(f"{name} is {array.dtype} {list(array.shape)}; wanted {self.wanted(n)}.")
        with np.errstate(over="ignore"):
            converted = array.astype(self.dtype, copy=False)
        if floats and not np.isfinite(converted).all():
            raise InvalidInput(f"{name} holds NaN or infinite values; wanted finite numbers: {self.wanted(n)}.")
        if self.range is not None and array.size:
            # Integers are compared before a conversion could wrap them round, floats after it rounded them.
            compared = converted if floats else array
            low, high = compared.min(), compared.max()
            if low < self.range[0] or high > self.range[1]:
                wrong = low if low < self.range[0] else high
                raise InvalidInput(f"{name} {wrong} is out of range; wanted {self.values()}.")
        return np.broadcast_to(converted, (len(array) if n is None else n, *self.shape))

    def read(self, name: str, values: Any) -> Any:
        """What a batch to train on may hold in its place: a kind that stands for text makes numbers of it, others leave it."""
        return values

    def wanted(self, n: int | None) -> str:
        """What ``check`` takes, in words."""
        shape = ", ".join(map(str, ("n" if n is None else n, *self.shape)))
        alone = f", or one {list(self.shape)} for all" if self.shape else ", or one for all"
        many = "" if n is None or self.distribution else alone
        return f"[{shape}] of {self.dtype}{many}{f', {self.values()}' if self.range else ''}"

    def values(self) -> str:
        """Its range in words."""
        low, high = self.range or (-np.inf, np.inf)
        return f"{'numbers' if self.dtype.startswith('float') else 'integers'} in [{low}, {high}]"

    def parse(self, name: str, text: str) -> Any:
        """What ``check`` takes, from a word of the command line: a number; of a vector, numbers separated by commas."""
        number = float if self.dtype.startswith("float") else int
        words = text.split(",")
        if len(self.shape) > 1 or len(words) != (self.shape[0] if self.shape else 1):
            count = f"{self.shape[0]} numbers, separated by commas" if len(self.shape) == 1 else "one number"
            wish = "it has to be given in Python" if len(self.shape) > 1 else f"give {count}"
            raise InvalidInput(f"{name}={text!r} stands for [{', '.join(map(str, self.shape))}]; {wish}.")
        try:
            array = np.array([number(word) for word in words] if self.shape else number(words[0]))
        except ValueError as error:
            what = "number" if number is float else "integer"
            raise InvalidInput(f"{name}={text!r} is no {what}; give {self.values()}.") from error
        if array.dtype == object:  # an integer beyond all of NumPy's
            raise InvalidInput(f"{name}={text!r} is out of range; give {self.values()}.")
        return array

    def receive(self, name: str, sent: Any) -> Any:
        """What ``check`` takes, from a request: text or bytes of one example, or numbers ``[*shape]`` or ``[n, *shape]``.

        Text is read as ``parse`` reads it, but whatever it says, no file is opened by its name.
        """
        return self.parse(name, as_text(name, sent)) if isinstance(sent, (str, bytes)) else sent

    # --- manifests --------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Its entry in a manifest: programs that know no kind of this name read dtype, shape, range and default."""
        entry = {
            "kind": self.kind,
            "dtype": self.dtype,
            "shape": [None, *self.shape],
            "distribution": self.distribution,
        }
        if self.range is not None:
            entry["range"] = list(self.range)
        return entry if self.default is None else {**entry, "default": self.default}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Input":
        """The kind that an entry describes; ``input_of`` compares it with the whole entry."""
        return cls()

    # --- draws ------------------------------------------------------------------------------------------------------

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, *shape]``; the generator is left where one draw of each of ``n`` examples after the other would leave it."""
        raise NotImplementedError(f"{type(self).__name__} must say how it is drawn.")

    def defaults(self, n: int) -> np.ndarray | None:
        """``[n, *shape]`` where it was left out, or None where it has to be given."""
        if self.default is None:
            return None
        if self.default != IN_TURN:
            return np.full((n, *self.shape), self.default, self.dtype)
        low, high = map(int, self.range)
        return (low + np.arange(n) % (high - low + 1)).astype(self.dtype)

    def of_uniforms(self, uniforms: "tf.Tensor") -> "tf.Tensor":
        """A draw inside a graph, ``[n, *shape]``, of float32 ``[self.uniforms, n, *shape]`` in ``[0, 1)``."""
        raise InvalidInput(f"{type(self).__name__} cannot be drawn in a training step; take it from the batch.")


# --- the kinds that are given --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labels(Input):
    """A condition: one int32 class an example, in ``[0, count - 1]``. Left out, the classes come in turn."""

    count: int
    kind: ClassVar[str] = "labels"
    dtype: ClassVar[str] = "int32"
    shape: ClassVar[tuple[int, ...]] = ()
    default: ClassVar[str] = IN_TURN
    uniforms: ClassVar[int] = 1

    @property
    def range(self) -> tuple[int, int]:
        """``(0, count - 1)``."""
        return (0, self.count - 1)

    def wanted(self, n: int | None) -> str:
        """What ``check`` takes, in words."""
        return f"{'n' if n is None else n} {self.values()}, or one for all"

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Labels":
        """The kind that an entry describes."""
        return cls(int(entry["range"][1]) + 1)

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Uniform: ``[n]``."""
        return generator.integers(0, self.count, n, dtype=np.int32)

    def of_uniforms(self, uniforms: "tf.Tensor") -> "tf.Tensor":
        """Uniform: ``floor(u count)``, ``[n]``."""
        import tensorflow as tf

        # u is at most 1 - 2^-24, and u * count, rounded, stays below count: what is missing, count * 2^-24, is at least half
        # the distance to the float below. Beyond 2^24 classes some could not be reached.
        return tf.cast(tf.floor(uniforms[0] * float(self.count)), tf.int32)


class Dial(Input):
    """A way of sampling that is a number, ``[n]`` float32. Tests draw it from ``usual``, a part of its range."""

    dtype: ClassVar[str] = "float32"
    shape: ClassVar[tuple[int, ...]] = ()
    of_data: ClassVar[bool] = False
    usual: ClassVar[tuple[float, float]]

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n]``, uniform."""
        low, high = self.usual
        return low + (high - low) * generator.random(n, dtype=np.float32)


@dataclass(frozen=True)
class Temperature(Dial):
    """What the standard deviation of a flow's noise is multiplied by, ``[n]``: 1 samples the model, less its likelier images."""

    kind: ClassVar[str] = "temperature"
    range: ClassVar[tuple[float, float]] = (0.001, 10.0)
    default: ClassVar[float] = 1.0
    usual: ClassVar[tuple[float, float]] = (0.5, 1.0)


@dataclass(frozen=True)
class Truncation(Dial):
    """Where a GAN's normal noise ends, ``[n]``: every ``|z| <= t`` (Brock et al. 2019, section 3.1).

    Small ones give good images that are alike. Left out it is 10, beyond all noise: ``z`` stays as it is.
    """

    kind: ClassVar[str] = "truncation"
    range: ClassVar[tuple[float, float]] = (0.01, 10.0)
    default: ClassVar[float] = 10.0
    usual: ClassVar[tuple[float, float]] = (0.5, 2.0)


@dataclass(frozen=True)
class Switch(Input):
    """A way of sampling that is on or off for each image, ``[n]`` of 0 and 1; left out, it is off. Drawn by a coin in tests."""

    kind: ClassVar[str] = "switch"
    dtype: ClassVar[str] = "int32"
    shape: ClassVar[tuple[int, ...]] = ()
    range: ClassVar[tuple[int, int]] = (0, 1)
    default: ClassVar[int] = 0
    of_data: ClassVar[bool] = False

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """int32 ``[n]``; booleans and integers are taken, one for all or ``n``."""
        array = as_array(name, values)
        return super().check(name, array.astype(np.int32) if array.dtype == bool else array, n)

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n]``."""
        return generator.integers(0, 2, n, dtype=np.int32)


@dataclass(frozen=True)
class Images(Input):
    """Images of ``spec``. Drawn uniformly over the levels where a test needs some."""

    spec: ImageSpec
    kind: ClassVar[str] = "images"
    dtype: ClassVar[str] = "uint8"
    converts: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.spec.shape

    @property
    def range(self) -> tuple[int, int]:
        """``(0, levels - 1)``."""
        return (0, self.spec.levels - 1)

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """uint8 ``[n, height, width, channels]``; one image serves all ``n``."""
        array = as_array(name, values)
        if n is not None and array.shape == self.shape:
            array = array[None]
        images = self.spec.check(array, f"{name}s")
        if n is not None and len(images) not in (1, n):
            raise InvalidInput(f"{name}s hold {len(images)} images; wanted {n}, or one for all.")
        return np.broadcast_to(images, (len(images) if n is None else n, *self.shape))

    def parse(self, name: str, text: str) -> np.ndarray:
        """The picture of a file, ``[height, width, channels]``: of the images' size, its values brought to their levels."""
        return self._pixels(name, f"{name}={text!r}", os.fspath(text))

    def receive(self, name: str, sent: Any) -> np.ndarray:
        """The picture whose file was sent, as bytes or as their base64; of numbers, uint8."""
        if not isinstance(sent, (str, bytes)):
            array = as_array(name, sent)
            return array.astype(np.uint8) if array.dtype.kind in "iu" and _within(name, array, self) else array
        if isinstance(sent, str):
            try:
                sent = base64.b64decode(sent.translate(_URL_SAFE) + "=" * (-len(sent) % 4), validate=True)
            except ValueError as error:
                raise InvalidInput(f"{name} is no base64 ({error}); give that of a picture's file.") from error
        return self._pixels(name, name, io.BytesIO(sent), PICTURE_FORMATS)

    def _pixels(self, name: str, what: str, file: Any, formats: tuple[str, ...] | None = None) -> np.ndarray:
        """``[height, width, channels]``. The size is compared when the header alone has been read: nothing larger is decoded."""
        from PIL import Image, UnidentifiedImageError

        mode = {1: "L", 3: "RGB"}.get(self.spec.channels)
        if mode is None:
            raise InvalidInput(f"{name}: no picture file holds {self.spec}; give the array in Python.")
        try:
            with Image.open(file, formats=formats) as picture:
                if picture.size != (self.spec.width, self.spec.height):
                    size = f"{picture.width}x{picture.height}"
                    raise InvalidInput(
                        f"{what} is {size} pixels; wanted {self.spec.width}x{self.spec.height}: resize it first."
                    )
                pixels = np.asarray(picture.convert(mode), np.float64)
        except InvalidInput:
            raise
        except Exception as error:  # Pillow's readers raise many kinds of errors on damaged bytes
            why = (
                ""
                if isinstance(error, UnidentifiedImageError)
                else f": {str(error).rstrip('.') or type(error).__name__}"
            )
            raise InvalidInput(f"{what} is no picture that can be read{why}.") from error
        return np.round(pixels * (self.range[1] / 255)).astype(np.uint8).reshape(self.shape)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Images":
        """The kind that an entry describes."""
        return cls(ImageSpec(*entry["shape"][1:], levels=entry["range"][1] + 1))

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, height, width, channels]``."""
        return generator.integers(0, self.spec.levels, (n, *self.shape), dtype=np.uint8)


@dataclass(frozen=True)
class KnownPixels(Input):
    """Which pixels are known, uint8 ``[h, w, 1]``: in each image the first so many in raster order.

    Drawn as a prefix of uniform length where a test needs some.
    """

    spec: ImageSpec
    kind: ClassVar[str] = "known_pixels"
    dtype: ClassVar[str] = "uint8"
    range: ClassVar[tuple[int, int]] = (0, 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, 1)``."""
        return (self.spec.height, self.spec.width, 1)

    def check(self, name: str, values: Any, n: int | None = None) -> np.ndarray:
        """uint8 ``[n, h, w, 1]`` of booleans ``[h, w]`` or ``[n, h, w]``; a known pixel after an unknown one is refused."""
        mask, size = as_array(name, values), self.shape[:2]
        one_for_all = mask.shape == size and n is not None
        whole = mask.ndim == 3 and mask.shape[1:] == size and n in (None, len(mask))
        if mask.dtype != bool or not (one_for_all or whole):
            raise InvalidInput(
                f"{name} is {mask.dtype} {list(mask.shape)}; wanted booleans {list(size)}, or {['n' if n is None else n, *size]}."
            )
        mask = np.broadcast_to(mask, (len(mask) if n is None else n, *size))
        flat = mask.reshape(len(mask), -1)
        broken = (flat[:, 1:] & ~flat[:, :-1]).any(axis=1)
        if broken.any():
            raise InvalidInput(
                f"{name} of image {int(broken.argmax())} knows a pixel that comes after an unknown one; the model draws in "
                "raster order and can condition on a first part alone: whole rows from the top, and the left of the next."
            )
        return mask[..., None].astype(np.uint8)

    def parse(self, name: str, text: str) -> np.ndarray:
        """So many rows from the top: booleans ``[h, w]``."""
        if not text.isdecimal() or not 0 <= int(text) <= self.spec.height:
            raise InvalidInput(
                f"{name}={text!r}; give how many rows are known, an integer from 0 to {self.spec.height}."
            )
        return np.broadcast_to(np.arange(self.spec.height)[:, None] < int(text), self.shape[:2])

    def receive(self, name: str, sent: Any) -> np.ndarray:
        """As ``parse``; of numbers ``[..., h, w, 1]``, which are 0 or 1, the booleans that they stand for."""
        if isinstance(sent, (str, bytes)):
            return super().receive(name, sent)
        array = as_array(name, sent)
        numbers = array.dtype.kind in "iu" and array.shape[-3:] == self.shape and _within(name, array, self)
        return array[..., 0].astype(bool) if numbers else array

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "KnownPixels":
        """The kind that an entry describes."""
        return cls(ImageSpec(*entry["shape"][1:]))

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``[n, height, width, 1]``."""
        pixels = self.spec.height * self.spec.width
        lengths = generator.integers(0, pixels + 1, n)
        return (np.arange(pixels) < lengths[:, None]).astype(np.uint8).reshape(n, *self.shape)


# --- all inputs of an endpoint -------------------------------------------------------------------------------------------


def as_array(name: str, values: Any) -> np.ndarray:
    """``values`` as an array, or an ``InvalidInput`` for ragged lists and what else makes none."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"{name} makes no array ({error}); give one of rows of equal shape.") from error


def _within(name: str, array: np.ndarray, kind: Input) -> bool:
    """Whether all values lie in the kind's range; ``InvalidInput`` where one does not."""
    if array.size and not kind.range[0] <= array.min() <= array.max() <= kind.range[1]:
        raise InvalidInput(f"{name} reaches from {array.min()} to {array.max()}; wanted {kind.values()}.")
    return True


def as_text(name: str, sent: str | bytes) -> str:
    """What was sent as text; ``InvalidInput`` for bytes that are no UTF-8."""
    try:
        return sent if isinstance(sent, str) else sent.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is no UTF-8 text ({error}).") from error


def check_inputs(
    kinds: Mapping[str, Input], given: Mapping[str, Any], what: str, n: int | None = None
) -> dict[str, np.ndarray]:
    """All inputs of an endpoint as arrays of ``n`` rows, each checked by its kind.

    Args:
        kinds: name -> kind.
        given: name -> value; None counts as not given. The first says how many examples there are, unless ``n`` does.
        what: takes them, for messages.

    Raises:
        InvalidInput: a name too many or missing, or what a kind refuses.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if unknown := [name for name in given if name not in kinds]:
        raise InvalidInput(f"{what} got {unknown[0]!r}; it takes {', '.join(kinds) or 'none'}.")
    if missing := [name for name in kinds if name not in given]:
        raise InvalidInput(f"{what} wants {missing[0]}=, one an image.")
    checked: dict[str, np.ndarray] = {}
    for name, value in given.items():
        checked[name] = kinds[name].check(name, value, n)
        n = len(checked[name])
    return checked


def input_of(name: str, entry: Mapping[str, Any]) -> Input:
    """The kind of an input from its entry in a manifest; ``InvalidInput`` if no kind of that name says the same."""
    kind = entry.get("kind") or _kind_before_names(name, entry)
    if kind not in INPUT_KINDS:
        raise InvalidInput(
            f"input {name!r} is of kind {kind!r}, which is unknown here (known: {', '.join(INPUT_KINDS)}); import the module "
            "that registers it first."
        )
    try:
        made = INPUT_KINDS.get(kind).of(entry)
    except (InvalidInput, TypeError, ValueError, KeyError, IndexError) as error:
        raise InvalidInput(f"input {name!r} is no {kind}: {dict(entry)!r:.200}.") from error
    said = made.describe()
    # Artifacts of before kinds had names tell neither kind nor default.
    if "kind" not in entry:
        said = {key: value for key, value in said.items() if key not in ("kind", "default")}
    if said != entry:
        raise InvalidInput(f"input {name!r} is described as {dict(entry)!r:.200}; {kind} are {said!r:.200}.")
    return made


def _kind_before_names(name: str, entry: Mapping[str, Any]) -> str | None:
    if entry.get("distribution") is not None:
        return entry["distribution"]
    if len(entry["shape"]) == 1:
        return Labels.kind
    return KnownPixels.kind if name == "known_mask" else Images.kind
