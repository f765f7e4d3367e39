"""A small convolutional classifier, whose last hidden layer is a feature space for metrics."""

from typing import Any

import keras
from keras import layers

from keras_gen.core.checks import rate, sizes
from keras_gen.core.image_spec import ImageSpec

FEATURES = "features"  # name of the layer that metrics read


def convolutional_classifier(
    spec: ImageSpec,
    classes: int,
    width: int = 32,
    features: int = 64,
    *,
    flips: bool = False,
    pooled: bool = False,
    dropout: float = 0.2,
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[0, 1]`` to logits ``[b, classes]``; the layer ``"features"`` gives ``[b, features]``.

    Pairs of 3x3 convolutions with batch normalization, of ``width`` maps doubling at every halving, then one more and the mean
    over the image. The second of a pair has stride 2; if ``pooled`` the first sees the image at its full size and is then
    max-pooled, which costs about twice as much and tells small things better. In training the images are shifted a little,
    and turned and zoomed, or, if ``flips``, mirrored and a rectangle of every second one painted over (Zhong et al. 2020).
    Built of Keras' own layers alone, so that its file loads without this package.
    """
    classes, width, features = sizes(classes=classes, width=width, features=features)
    dropout = rate("dropout", dropout)
    images = x = keras.Input(spec.shape)
    if flips:
        x = layers.RandomFlip("horizontal")(x)
        # Whole pixels: between them a bilinear shift would blur what is told apart by texture.
        x = layers.RandomTranslation(0.125, 0.125, fill_mode="reflect", interpolation="nearest")(x)
        x = layers.RandomErasing((0.5, 0.5), (0.02, 0.25), fill_value=0.5, value_range=(0, 1))(x)
    else:  # what a mirror would turn into another thing can still be drawn at a slant
        x = layers.RandomRotation(0.04, fill_mode="constant")(x)
        x = layers.RandomZoom(0.1, 0.1, fill_mode="constant")(x)
        x = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")(x)
    if pooled:
        x = _convolved(x, width)
    for stage in range(spec.halvings()):
        maps = width << (stage + pooled)
        x = _convolved(x, maps, pool=pooled)
        x = _convolved(x, maps, stride=1 if pooled else 2)
        x = layers.Dropout(dropout)(x) if dropout else x
    if not pooled:
        x = _convolved(x, width << spec.halvings())
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(features, activation="relu", name=FEATURES, dtype="float32")(x)
    return keras.Model(images, layers.Dense(classes, dtype="float32")(x), name="classifier")


def _convolved(x: Any, maps: int, *, stride: int = 1, pool: bool = False) -> Any:
    x = layers.Conv2D(maps, 3, stride, "same", use_bias=False)(x)
    x = layers.MaxPooling2D()(x) if pool else x
    return layers.ReLU()(layers.BatchNormalization()(x))
