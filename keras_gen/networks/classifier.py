"""A small convolutional classifier, whose last hidden layer is a feature space for metrics."""

import keras
from keras import layers

from keras_gen.core.image_spec import ImageSpec

FEATURES = "features"  # name of the layer that metrics read


def convolutional_classifier(
    spec: ImageSpec, classes: int, width: int = 32, features: int = 64, *, flips: bool = False, dropout: float = 0.2
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[0, 1]`` to logits ``[b, classes]``; the layer ``"features"`` gives ``[b, features]``.

    Pairs of 3x3 convolutions with batch normalization, the second of stride 2, of ``width`` maps doubling at every halving,
    then their mean over the image. In training the images are turned, shifted and zoomed a little, and mirrored if
    ``flips``. Built of Keras' own layers alone, so that its file loads without this package.
    """
    images = x = keras.Input(spec.shape)
    if flips:
        x = layers.RandomFlip("horizontal")(x)
    else:  # what a mirror would turn into another thing can still be drawn at a slant
        x = layers.RandomRotation(0.04, fill_mode="constant")(x)
        x = layers.RandomZoom(0.1, 0.1, fill_mode="constant")(x)
    x = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")(x)
    for stage in range(spec.halvings()):
        for stride in (1, 2):
            x = layers.Conv2D(width << stage, 3, stride, "same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(width << spec.halvings(), 3, padding="same", use_bias=False)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.Dense(features, activation="relu", name=FEATURES, dtype="float32")(x)
    return keras.Model(images, layers.Dense(classes, dtype="float32")(x), name="classifier")
