"""Feature spaces in which sets of images are compared, by name; these need no download.

A feature space is a function ``(images uint8 [n, h, w, c], image_spec) -> float32 [n, d]``, deterministic, each row a
function of its image alone.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import Normal, draw
from keras_gen.core.registry import Registry

BATCH = 250
# The random network: its seed is part of the metric's definition, not the user's to choose.
SEED, WIDTH, WIDEST, SMALLEST_MAP, FEWEST_LAYERS, OUTPUTS = 0, 32, 256, 4, 3, 64

FEATURES = Registry("feature space")


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
    images = spec.check(images)
    network = _random_network(spec)
    result = np.empty((len(images), OUTPUTS), np.float32)
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        # Short batches are filled up: one shape, hence one traced graph and the same kernels for every image.
        filled = np.concatenate([batch, np.zeros((BATCH - len(batch), *spec.shape), np.uint8)])
        result[start : start + len(batch)] = network(tf.constant(filled)).numpy()[: len(batch)]
    return result


FEATURES.register("pixels", pixels)
FEATURES.register("random_conv", random_conv)


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
