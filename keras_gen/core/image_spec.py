"""What an image is: its size, its channels and how many values a channel can take."""

import dataclasses
from typing import Any

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.finite import finite


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """Images are uint8 ``[n, height, width, channels]`` with values in ``[0, levels - 1]``.

    ``levels`` is 256 for ordinary images, 2 for binarized ones, 17 for scikit-learn's digits.
    """

    height: int
    width: int
    channels: int
    levels: int = 256

    def __post_init__(self):
        for name, low, high in (("height", 1, None), ("width", 1, None), ("channels", 1, None), ("levels", 2, 256)):
            object.__setattr__(self, name, integer(f"ImageSpec's {name}", getattr(self, name), low, high))

    @classmethod
    def from_any(cls, value: Any) -> "ImageSpec":
        """An ``ImageSpec`` from one, from its config, or from ``(height, width, channels[, levels])``."""
        if isinstance(value, cls):
            return value
        names = [field.name for field in dataclasses.fields(cls)]
        if isinstance(value, dict) and set(names[:3]) <= set(value) <= set(names):
            return cls(**value)
        if isinstance(value, (tuple, list)) and len(value) in (3, 4):
            return cls(*value)
        raise InvalidInput(
            f"image_spec={value!r} is not an image's description; give ImageSpec(height, width, channels, levels)."
        )

    def get_config(self) -> dict[str, int]:
        """The four numbers as a dict, for JSON and Keras configs."""
        return dataclasses.asdict(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return (self.height, self.width, self.channels)

    @property
    def dimensions(self) -> int:
        """How many values one image holds; the divisor of bits per dimension."""
        return self.height * self.width * self.channels

    def halvings(self) -> int:
        """How often convolutional networks halve both sides: without a remainder, down to 4 px; to 2 px below 16.

        8 -> 2 (2 left), 16 -> 2 (4 left), 28 -> 2 (7 left), 32 -> 3, 64 -> 4. One that cannot be halved is ``InvalidInput``.
        """
        count, height, width = 0, self.height, self.width
        smallest = 4 if min(height, width) >= 16 else 2
        while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * smallest:
            count, height, width = count + 1, height // 2, width // 2
        if not count:
            raise InvalidInput(
                f"The default convolutional networks cannot halve {self.height}x{self.width} images; use even sides of at "
                "least 4 (8, 16, 28, 32, 64 ...), or pass networks of your own."
            )
        return count

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels} images of {self.levels} levels"

    def to_unit(self, images: Any) -> Any:
        """Levels ``[0, levels - 1]`` (any dtype) to floats in ``[-1, 1]``, in Keras' float type."""
        import keras

        return keras.ops.cast(images, keras.config.floatx()) * (2.0 / (self.levels - 1)) - 1.0

    def from_unit(self, values: Any) -> Any:
        """Floats in ``[-1, 1]`` (clipped) to the nearest level, uint8; they have to be ``finite``."""
        from keras import ops

        scaled = (finite(ops.cast(values, "float32")) + 1.0) * ((self.levels - 1) / 2.0)
        return ops.cast(ops.round(ops.clip(scaled, 0.0, self.levels - 1.0)), "uint8")

    def check(self, images: Any, what: str = "images") -> np.ndarray:
        """The images as a uint8 array, or an ``InvalidInput`` that says what came and what was wanted."""
        array = as_array(images, what)
        wanted = f"wanted uint8 [n, {self.height}, {self.width}, {self.channels}] in [0, {self.levels - 1}]"
        if array.dtype != np.uint8:
            reason = f"are {array.dtype}"
            if array.dtype.kind == "f" and array.size and not np.isfinite(array).all():
                reason += " and hold NaN or infinite values; find where they come from before training on them"
            else:
                reason += f"; scale them to whole levels and pass {what}.astype('uint8')"
            raise InvalidInput(f"{what} {reason}; {wanted}.")
        if array.ndim != 4:
            hint = f" Add the channel axis with {what}[..., None]." if array.ndim == 3 and self.channels == 1 else ""
            raise InvalidInput(f"{what} have rank {array.ndim} and shape {list(array.shape)}; {wanted}.{hint}")
        if array.shape[1:] != self.shape:
            if array.shape[1:] == (self.height, self.width, 1):
                raise InvalidInput(
                    f"{what} have shape {list(array.shape)}; {wanted}. Where grey is meant, repeat it: "
                    f"np.repeat({what}, {self.channels}, axis=-1)."
                )
            raise InvalidInput(
                f"{what} have shape {list(array.shape)}; {wanted}. Resize them, or build the model with "
                f"image_spec=ImageSpec{(*array.shape[1:], self.levels)}."
            )
        if not len(array):
            raise InvalidInput(f"{what} hold no image at all; give at least one.")
        if self.levels < 256 and (highest := int(array.max())) >= self.levels:
            raise InvalidInput(
                f"{what} reach level {highest}; {wanted}. Quantise them, or build the model with levels={highest + 1} or more."
            )
        return array

    @classmethod
    def of(cls, images: np.ndarray, levels: int = 256) -> "ImageSpec":
        """The spec of a rank-4 array of images."""
        array = as_array(images, "images")
        if array.ndim != 4:
            raise InvalidInput(f"images have shape {list(array.shape)}; wanted [n, height, width, channels].")
        return cls(*array.shape[1:], levels)


def as_array(values: Any, what: str) -> np.ndarray:
    """``np.asarray``; what it cannot make an array of (rows of several lengths ...) is an ``InvalidInput``."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"{what} make no array ({error}); give a NumPy array of them.") from error
