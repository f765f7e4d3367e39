"""Sampling by seed: the same for a live model and for an artifact that was read back."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.inputs import Input, as_array, check_inputs
from keras_gen.core.noise import NoiseSpec, NoiseStream, check_noise, draw

if TYPE_CHECKING:
    from keras_gen.core.image_data import ImageData

DEFAULT_BATCH_SIZE = 64


class Sampler:
    """What can be sampled by seed: it says what noise it takes and what images that gives.

    A subclass has ``noise_spec``, ``images_of`` and, if it takes more than noise, ``condition_spec``.
    """

    # Whether ``sample`` and ``images_of`` give images; None: as soon as there is noise. A translator makes them of images alone.
    draws_images: bool | None = None
    # Whether a batch of another size is compiled for anew: long loops of small steps, under XLA.
    compiled_sampling = False
    # Whether each pixel is drawn given those before it, so that one decided otherwise changes all that follow.
    draws_in_order = False

    def noise_spec(self) -> NoiseSpec:
        """Name -> distribution and per-example shape of the noise that it takes."""
        raise NotImplementedError(f"{type(self).__name__} must say what noise it takes.")

    def condition_spec(self) -> Mapping[str, Input]:
        """Name -> what else it takes, such as the labels of class-conditional models."""
        return {}

    def is_sampled(self) -> bool:
        """Whether ``sample`` gives images: of noise, or of the images that a translator without noise is given."""
        return bool(self.noise_spec()) if self.draws_images is None else self.draws_images

    def images_of(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """Images of noise (and conditions) given as arrays: uint8 ``[n, h, w, c]``."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of noise.")

    def check_sampling(self) -> None:
        """Raises where whatever would be drawn means nothing. An artifact was proven when it was written."""

    def translations(self) -> Mapping[str, Any]:
        """Name -> ``core.translation.Translation`` of what turns an image into another; most samplers have none."""
        return {}

    def checked_inputs(
        self, noise: Mapping[str, Any], conditions: Mapping[str, Any]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Noise and conditions of ``images_of``; the noise, or else the first condition of rows, tells the number of examples."""
        noise = check_noise(self.noise_spec(), noise)
        spec = self._known(conditions)
        arrays = {name: as_array(name, value) for name, value in conditions.items() if value is not None}
        rows = [len(array) for name, array in arrays.items() if array.ndim == len(spec[name].shape) + 1]
        sizes = [len(values) for values in noise.values()] or rows
        if not sizes:
            wish = ", ".join(spec) or "noise"
            raise InvalidInput(f"{type(self).__name__} got nothing to make images of; give {wish}, one an image.")
        return noise, self.checked_conditions(conditions, sizes[0])

    def checked_conditions(
        self, conditions: Mapping[str, Any], n: int, *, required: bool = False
    ) -> dict[str, np.ndarray]:
        """The conditions of ``n`` examples as arrays. Those left out, or None, are their kind's defaults, unless ``required``."""
        return with_defaults(self._known(conditions), conditions, n, type(self).__name__, required=required)

    def parsed_conditions(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Conditions from words of a command line, each parsed by its kind: what ``sample`` takes."""
        spec = self._known(texts)
        return {name: spec[name].parse(name, text) for name, text in texts.items()}

    def shown_conditions(self, n: int, seed: int, data: "ImageData | None" = None) -> dict[str, np.ndarray]:
        """Conditions to look at a model under: the kinds' defaults or, where a kind has none, ``n`` of the data's at random (one
        after the other again where there are fewer), and what they do not hold the seed draws.
        """
        asked = {name: kind for name, kind in self.condition_spec().items() if kind.default is None}
        held = [name for name, kind in asked.items() if data is not None and kind.of_data and name in data.features]
        given = {name: data.features[name][np.resize(data.random_rows(n, seed, name), n)] for name in held}
        drawn = draw({name: kind for name, kind in asked.items() if name not in held}, n, seed)
        return self.checked_conditions({**given, **drawn}, n)

    def _known(self, conditions: Mapping[str, Any]) -> Mapping[str, Input]:
        """The model's conditions; ``InvalidInput`` if another is given."""
        spec = self.condition_spec()
        if unknown := [name for name, value in conditions.items() if value is not None and name not in spec]:
            raise InvalidInput(
                f"{type(self).__name__} got the condition {unknown[0]!r}; it takes {', '.join(spec) or 'none'}."
            )
        return spec

    def sample(self, n: int, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any) -> np.ndarray:
        """``n`` images, uint8 ``[n, h, w, c]``; a seed gives the same images whatever the batch size.

        Conditions are those of ``condition_spec``, one for all images or ``n``. Class-conditional models take ``label``, an
        integer; without it the classes come in turn.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InvalidInput(f"n={n!r} images cannot be drawn; give an integer of at least 1.")
        if not self.is_sampled():
            raise InvalidInput(
                f"{type(self).__name__} draws no images from noise; it works on images that it is given."
            )
        return self.drawn(self.images_of, n, seed, self.checked_conditions(conditions, n), batch_size)

    def drawn(
        self,
        draw: Callable[[dict[str, np.ndarray], dict[str, np.ndarray]], np.ndarray],
        n: int,
        seed: int,
        inputs: Mapping[str, np.ndarray],
        batch_size: int,
    ) -> np.ndarray:
        """``draw(noise, inputs)`` of ``n`` examples, batch by batch; the noise is the seed's, whatever the batch size."""
        batch_size = integer("batch_size", batch_size, 1)
        self.check_sampling()
        stream = NoiseStream(self.noise_spec(), seed)
        parts = []
        for start in range(0, n, batch_size):
            part = slice(start, min(start + batch_size, n))
            size = part.stop - start
            both = [stream.take(size), {name: values[part] for name, values in inputs.items()}]
            if start and size < batch_size and self.compiled_sampling:
                # XLA compiles once a batch size: the short last batch is filled up rather than compiled for.
                both = [_filled(values, batch_size) for values in both]
            parts.append(draw(*both)[:size])
        return np.concatenate(parts)


def with_defaults(
    spec: Mapping[str, Input], given: Mapping[str, Any], n: int, what: str, *, required: bool = False
) -> dict[str, np.ndarray]:
    """Inputs of ``n`` examples as arrays; those left out, or None, are their kind's defaults, unless ``required``."""
    given = {name: value for name, value in given.items() if value is not None}
    if not required:
        defaults = {name: kind.defaults(n) for name, kind in spec.items() if name not in given}
        given |= {name: values for name, values in defaults.items() if values is not None}
    checked = check_inputs(spec, given, what, n)
    return {name: checked[name] for name in spec}


def _filled(values: Mapping[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([value, np.repeat(value[-1:], size - len(value), axis=0)])
        for name, value in values.items()
    }
