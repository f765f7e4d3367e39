"""Where the labels enter a class-conditional pair of generator and discriminator, the same for every architecture.

kind            the generator's                                the discriminator's
concatenation   one-hot beside z                               one-hot maps beside the image        Mirza and Osindero 2014
projection      a gain and a bias a class in each batch norm   + <embedding, features>              Miyato and Koyama 2018
auxiliary       a gain and a bias a class in each batch norm   classifies: a second output          Odena et al. 2017

A generator without batch normalization has its label beside z in each of them.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_gen.core.errors import InvalidInput
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.conditional_batch_normalization import ConditionalBatchNormalization
from keras_gen.layers.labels import ConcatenateLabels

CONDITIONINGS = ("concatenation", "projection", "auxiliary")


def checked_conditioning(classes: int | None, conditioning: str | None) -> str | None:
    """The kind of conditioning: concatenation where there are classes and none is named."""
    if conditioning is None:
        return None if classes is None else "concatenation"
    if conditioning not in CONDITIONINGS:
        raise InvalidInput(f"conditioning={conditioning!r}; give one of {', '.join(CONDITIONINGS)}.")
    if classes is None:
        raise InvalidInput(
            f"conditioning={conditioning!r} without classes; give classes=10, as many as there are labels."
        )
    return conditioning


def label_input() -> keras.KerasTensor:
    """One integer an example."""
    return keras.Input((), dtype="int32", name="label")


class GeneratorInputs:
    """A generator's inputs: ``z`` and, with ``classes``, ``label``.

    ``start`` is what its first layer takes. ``normalizes=False``: the generator has no batch normalization for labels to be in.
    """

    def __init__(self, latent_dim: int, classes: int | None, conditioning: str | None, normalizes: bool = True):
        self.classes, self.conditioning = classes, checked_conditioning(classes, conditioning)
        self.inputs = self.start = keras.Input((latent_dim,), name="z")
        self._in_norms = False
        if classes is not None:
            z, self.label = self.inputs, label_input()
            self.inputs, self._in_norms = [z, self.label], normalizes and self.conditioning != "concatenation"
            if not self._in_norms:
                self.start = ConcatenateLabels(classes)([z, self.label])

    def normalized(self, x: Any) -> Any:
        """Batch normalization of features, conditional where the kind asks for it."""
        if self._in_norms:
            return ConditionalBatchNormalization(self.classes)([x, self.label])
        return BatchNormalization()(x)

    def network(self, images: Any) -> keras.Model:
        """The generator that gives ``images``."""
        return keras.Model(self.inputs, images, name="generator")


class DiscriminatorInputs:
    """A discriminator's inputs: ``image`` and, where its verdict is one of image and label, ``label``."""

    def __init__(self, shape: tuple[int, int, int], classes: int | None, conditioning: str | None):
        self.classes, self.conditioning = classes, checked_conditioning(classes, conditioning)
        self.inputs = self.image = keras.Input(shape, name="image")
        if self.conditioning in ("concatenation", "projection"):
            self.label = label_input()
            self.inputs = [self.image, self.label]

    def with_label(self, x: Any) -> Any:
        """Features or an image, with the label beside them where the kind asks for it."""
        return ConcatenateLabels(self.classes)([x, self.label]) if self.conditioning == "concatenation" else x

    def network(
        self,
        features: Any,
        initializer: Any,
        use_bias: bool = True,
        wrap: Callable[[layers.Layer], layers.Layer] = lambda layer: layer,
    ) -> keras.Model:
        """The discriminator that ends in ``features`` ``[b, d]``: logits ``[b, 1]``, and the classes' if it classifies.

        ``wrap``: what becomes of the layers made here, such as ``SpectralNormalization``.
        """

        def dense(units: int) -> layers.Layer:
            return wrap(layers.Dense(units, use_bias=use_bias, kernel_initializer=initializer(), dtype="float32"))

        outputs = dense(1)(features)
        if self.conditioning == "projection":
            embeddings = layers.Embedding(
                self.classes, features.shape[-1], embeddings_initializer=initializer(), dtype="float32"
            )
            embedding = wrap(embeddings)(self.label)
            outputs = layers.Add(dtype="float32")([outputs, layers.Dot(1, dtype="float32")([features, embedding])])
        elif self.conditioning == "auxiliary":
            outputs = [outputs, dense(self.classes)(features)]
        return keras.Model(self.inputs, outputs, name="discriminator")
