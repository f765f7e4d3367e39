"""Feature spaces in which sets of images are compared, by name; none is downloaded.

A feature space is deterministic, and each row of features a function of its image alone. Spaces that rest on a classifier
give its probabilities too, which the Inception Score wants.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import Normal, draw
from keras_gen.core.registry import Registry

BATCH = 250
# The random network: its seed is part of the metric's definition, not the user's to choose.
SEED, WIDTH, WIDEST, SMALLEST_MAP, FEWEST_LAYERS, OUTPUTS = 0, 32, 256, 4, 3, 64


class Read(NamedTuple):
    """What a space makes of images: features float32 ``[n, d]``, and probabilities ``[n, classes]`` or None."""

    features: np.ndarray
    probabilities: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class FeatureSpace:
    """``read(images uint8 [n, h, w, c], image_spec)`` gives a ``Read``.

    ``label`` is how metrics' names spell the space; ``description`` says what it is in a sentence; ``classifies`` whether it
    gives probabilities. ``check(image_spec)`` raises ``InvalidInput`` where it cannot read such images, or its weights are
    not there.
    """

    label: str
    description: str
    read: Callable[[Any, ImageSpec], Read]
    classifies: bool = False
    check: Callable[[ImageSpec], None] = lambda spec: None


# Data set -> the space that its images are compared in unless another is named.
TRAINED_FOR = {"mnist": "classifier_mnist", "binarized_mnist": "classifier_mnist", "cifar10": "classifier_cifar10"}
ONE_SHAPE = "classifier_shapes"  # of scenes of one shape, at their usual size and with their usual labels
ANY_IMAGES = "random_conv"

# Name -> function of what follows the name after a colon (None: nothing) that gives the space.
FEATURES = Registry("feature space")


def feature_space(name: str) -> FeatureSpace:
    """The space called ``name``, or ``"name:argument"``: ``"random_conv"``, ``"inception_v3:weights.h5"``."""
    kind, colon, argument = str(name).partition(":")
    return FEATURES.get(kind)(argument if colon else None)


def default_space(data: str) -> str:
    """The name of the space for a data set's images: of a classifier trained on them, where there is one.

    Of a task made of a data set, as ``upscale:cifar10?factor=4``, the images are that one's; the other way round they are not.
    """
    name, _, options = data.partition("?")
    if name == "shapes" and "objects=1" in (told := options.split("&")):
        return ANY_IMAGES if any(each.partition("=")[0] in ("side", "label") for each in told) else ONE_SHAPE
    *tasks, name = name.split(":")
    return ANY_IMAGES if "reverse" in tasks else TRAINED_FOR.get(name, ANY_IMAGES)


def without_argument(name: str, argument: str | None) -> None:
    """Refuses what a user wrote after a name that takes nothing."""
    if argument is not None:
        raise InvalidInput(f"Feature space {name!r} takes no argument, got {argument!r}; write {name!r} alone.")


def in_batches(network: Callable[[tf.Tensor], Any], images: np.ndarray, size: int = BATCH) -> list[np.ndarray]:
    """The network's outputs for all images, ``size`` at a time.

    A short batch is filled up: one shape, hence one traced graph and the same kernels for every image.
    """
    parts = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        filled = np.concatenate([batch, np.zeros((size - len(batch), *images.shape[1:]), images.dtype)])
        parts.append([output.numpy()[: len(batch)] for output in tf.nest.flatten(network(tf.constant(filled)))])
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def pixels(images: Any, spec: ImageSpec) -> np.ndarray:
    """The pixels themselves, as fractions of the highest level: float32 ``[n, h * w * c]`` in ``[0, 1]``."""
    images = spec.check(images)
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(spec.levels - 1)


def random_conv(images: Any, spec: ImageSpec) -> np.ndarray:
    """What a fixed, untrained convolutional network makes of the images: float32 ``[n, 64]``.

    Naeem et al. 2020 on random embeddings ("R64"): far from ImageNet, a random network with 64 outputs tells sets
    apart at least as fairly as a trained one. Theirs is VGG16; this one is smaller: 3x3 convolutions with ReLU, of
    stride 2 until the map is at most 4x4 and at least three of them, of 32 maps doubling to at most 256, then a random
    projection. Weights are He-normal from the project's Philox draws, so every machine has the same ones. Numbers
    compare between images of one shape only: another shape is another network.
    """
    return in_batches(_random_network(spec), spec.check(images))[0]


def _pixels(argument: str | None) -> FeatureSpace:
    without_argument("pixels", argument)
    return FeatureSpace("pixels", "the pixels themselves", lambda images, spec: Read(pixels(images, spec)))


def _random_conv(argument: str | None) -> FeatureSpace:
    without_argument("random_conv", argument)
    description = "64 outputs of a fixed random convolutional network"
    return FeatureSpace("random-conv", description, lambda images, spec: Read(random_conv(images, spec)))


FEATURES.register("pixels", _pixels)
FEATURES.register("random_conv", _random_conv)
for _name in ("classifier_mnist", "classifier_cifar10", "classifier_shapes", "network", "inception_v3"):
    FEATURES.register(_name, f"keras_gen.metrics.network_features:{_name}")


@functools.lru_cache(maxsize=8)
def _random_network(spec: ImageSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    kernels, strides = [], []
    height, width, maps = spec.shape
    while max(height, width) > SMALLEST_MAP or len(kernels) < FEWEST_LAYERS:
        strides.append(2 if max(height, width) > SMALLEST_MAP else 1)
        outputs = min(WIDTH << len(kernels), WIDEST)
        kernels.append(_weights(f"kernel_{len(kernels)}", (3, 3, maps, outputs), gain=2.0))
        height, width, maps = -(-height // strides[-1]), -(-width // strides[-1]), outputs
    projection = _weights("projection", (height * width * maps, OUTPUTS), gain=1.0)

    @tf.function(input_signature=[tf.TensorSpec((BATCH, *spec.shape), tf.uint8)])
    def network(images: tf.Tensor) -> tf.Tensor:
        hidden = ops.cast(images, "float32") * (2.0 / (spec.levels - 1)) - 1.0
        for kernel, stride in zip(kernels, strides, strict=True):
            hidden = ops.relu(ops.conv(hidden, kernel, strides=stride, padding="same"))
        return ops.matmul(ops.reshape(hidden, (BATCH, -1)), projection)

    return network


def _weights(name: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """N(0, gain / fan-in), He et al. 2015 where a ReLU follows (gain 2)."""
    normal = draw({f"random_conv/{name}": Normal(shape)}, 1, SEED)[f"random_conv/{name}"][0]
    return normal * np.float32(np.sqrt(gain / np.prod(shape[:-1])))
