"""What a paired translator's network sees of a source and predicts of an image: all of it, or its colour alone."""

from typing import Any

import tensorflow as tf

from keras_gen.core import lab
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.registry import Registry


class WholeImage:
    """Levels as they are, brought to ``[-1, 1]``."""

    def __init__(self, source_spec: ImageSpec, image_spec: ImageSpec):
        self.source_spec, self.image_spec = source_spec, image_spec
        self.seen, self.predicted = source_spec.channels, image_spec.channels

    def source(self, sources: Any) -> tf.Tensor:
        """uint8 sources as the networks see them: float32 ``[b, h, w, seen]`` in ``[-1, 1]``."""
        return self.source_spec.to_unit(sources)

    def target(self, images: Any) -> tf.Tensor:
        """uint8 images as the generator is to predict them: float32 ``[b, h, w, predicted]`` in ``[-1, 1]``."""
        return self.image_spec.to_unit(images)

    def image(self, sources: Any, predicted: Any) -> tf.Tensor:
        """uint8 images ``[b, h, w, c]`` of uint8 sources and what was predicted of them."""
        return self.image_spec.from_unit(predicted)


class Colour(WholeImage):
    """Zhang et al. 2016; pix2pix's colorization: a and b of CIE Lab, given L. The source's lightness is kept exactly.

    Sources are grey, or colours of which the lightness alone is seen.
    """

    def __init__(self, source_spec: ImageSpec, image_spec: ImageSpec):
        super().__init__(source_spec, image_spec)
        if image_spec.channels != 3 or source_spec.channels not in (1, 3):
            raise InvalidInput(
                f"predicts='colour' got sources of {source_spec.channels} channels and images of {image_spec.channels}; wanted "
                "grey sources (or colours, of which the lightness is seen) and images of 3 channels, RGB."
            )
        self.seen, self.predicted = 1, 2

    def source(self, sources: Any) -> tf.Tensor:
        """``L / 50 - 1``, in ``[-1, 1]``."""
        return lab.lightness(self._grey(sources)) / 50.0 - 1.0

    def target(self, images: Any) -> tf.Tensor:
        """``ab / 110``, in ``[-1, 1]``."""
        return lab.rgb_to_lab(_fractions(self.image_spec, images))[..., 1:] / lab.HIGHEST_AB

    def image(self, sources: Any, predicted: Any) -> tf.Tensor:
        """The colours at the sources' lightness, made paler where no screen shows them so."""
        rgb = lab.coloured(self._grey(sources), tf.cast(predicted, tf.float32) * lab.HIGHEST_AB)
        return self.image_spec.from_unit(2.0 * rgb - 1.0)

    def _grey(self, sources: Any) -> tf.Tensor:
        fractions = _fractions(self.source_spec, sources)
        return fractions if self.source_spec.channels == 1 else lab.grey_of(fractions)


def _fractions(spec: ImageSpec, images: Any) -> tf.Tensor:
    return tf.cast(images, tf.float32) / (spec.levels - 1)


PREDICTIONS = Registry("prediction")
PREDICTIONS.register("image", WholeImage)
PREDICTIONS.register("colour", Colour)
