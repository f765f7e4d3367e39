"""Feature spaces of trained networks: the project's classifiers, a user's own, Inception v3.

Weights come from files that are there already; nothing is downloaded. Files are read by Keras with ``safe_mode`` on.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.errors import InvalidInput
from keras_gen.core.files import sha256
from keras_gen.core.image_spec import ImageSpec
from keras_gen.metrics.features import FeatureSpace, Read, in_batches, without_argument

SHIPPED = Path(__file__).parent / "weights"
LAYER = "features"  # of a classifier's network, whose output is read
INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"  # as keras.applications calls it
INCEPTION_SIDE, INCEPTION_BATCH = 299, 50
DIGEST = 8  # characters of a weight file's SHA-256 in a metric's name


def classifier_mnist(argument: str | None = None) -> FeatureSpace:
    """The recipe ``classifier_mnist``'s network: 64 features and 10 probabilities of 28x28x1 images, grey or binarized,
    or of the middle of padded ones."""
    return _shipped("classifier_mnist", "MNIST", argument, rim=4)


def classifier_cifar10(argument: str | None = None) -> FeatureSpace:
    """The recipe ``classifier_cifar10``'s network: 128 features and 10 probabilities of 32x32x3 images."""
    return _shipped("classifier_cifar10", "CIFAR-10", argument)


def classifier_shapes(argument: str | None = None) -> FeatureSpace:
    """The recipe ``classifier_shapes``'s network: 64 features and 48 probabilities (colours and shapes) of 32x32x3 images."""
    return _shipped("classifier_shapes", "drawn shapes", argument)


def _shipped(name: str, data: str, argument: str | None, rim: int = 0) -> FeatureSpace:
    without_argument(name, argument)
    return _classifier(name.replace("_", "-"), f"this project's classifier of {data}", SHIPPED / f"{name}.keras", rim)


def network(argument: str | None = None) -> FeatureSpace:
    """A user's classifier from a ``.keras`` file: logits out, and a layer called ``"features"``."""
    if not argument:
        raise InvalidInput("Feature space 'network' needs a file; write network:PATH.keras.")
    path = Path(argument)
    if path.suffix != ".keras" or not path.is_file():
        raise InvalidInput(f"Feature space 'network' got {argument!r}; give an existing .keras file of a classifier.")
    return _classifier(f"network-{sha256(path)[:DIGEST]}", f"the classifier in {path.name}", path)


def inception_v3(argument: str | None = None) -> FeatureSpace:
    """Inception v3 (Szegedy et al. 2016): 2,048 pooled features and 1,000 ImageNet probabilities.

    Images are resized to 299 x 299 bilinearly with antialiasing and scaled to ``[-1, 1]``; grey ones are repeated over three
    channels. Weights: the file given, else the one that ``keras.applications`` keeps. These are Keras' weights, not those of
    the 2015 graph that papers measure FID with; numbers of the two do not compare, so the name carries the file's SHA-256.
    """
    path = Path(argument) if argument else _keras_home() / "models" / INCEPTION_FILE
    if not path.is_file():
        raise InvalidInput(
            f"There are no Inception v3 weights at {path}, and none are downloaded silently. Fetch Keras' once with: "
            "python -c 'import keras; keras.applications.InceptionV3()', or give a file: inception_v3:WEIGHTS.h5. "
            "classifier_mnist and random_conv need no file."
        )
    if path.suffix != ".h5":
        raise InvalidInput(f"Inception v3 weights come as a .h5 file, got {path}; save them with model.save_weights.")

    def check(spec: ImageSpec) -> None:
        if spec.channels not in (1, 3):
            raise InvalidInput(f"Inception v3 reads grey or colour images; these have {spec.channels} channels.")
        _inception(path)

    def read(images: np.ndarray, spec: ImageSpec) -> Read:
        check(spec)
        return Read(*in_batches(_inception_reader(path, spec), spec.check(images), INCEPTION_BATCH))

    digest = sha256(path)[:DIGEST]
    return FeatureSpace(f"inception-v3-{digest}", f"Inception v3 with the weights {path.name}", read, True, check)


def _classifier(label: str, description: str, path: Path, rim: int = 0) -> FeatureSpace:
    """The space of a classifier's file, which reads the middle of images that have up to ``rim`` rows and columns more."""

    def check(spec: ImageSpec) -> None:
        shape = _loaded(path).input_shape[1:]
        if shape[2] != spec.channels or not all(0 <= beyond <= rim for beyond in _rims(shape, spec)):
            raise InvalidInput(
                f"{label} reads images of {'x'.join(map(str, shape))}, these are {spec}; choose another feature space "
                "(random_conv takes any images)."
            )

    def read(images: np.ndarray, spec: ImageSpec) -> Read:
        check(spec)
        shape = _loaded(path).input_shape[1:]
        top, left = (beyond // 2 for beyond in _rims(shape, spec))
        middle = spec.check(images)[:, top : top + shape[0], left : left + shape[1]]
        return Read(*in_batches(_classifier_reader(path, spec.levels), middle))

    return FeatureSpace(label, description, read, True, check)


def _rims(shape: tuple, spec: ImageSpec) -> tuple[int, int]:
    """How many rows and columns images have beyond a classifier's."""
    return spec.height - shape[0], spec.width - shape[1]


@functools.lru_cache(maxsize=4)
def _loaded(path: Path) -> keras.Model:
    """The network of a ``.keras`` file, its parts checked."""
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise InvalidInput(f"{path} cannot be read as a Keras model: {error}") from error
    names = {layer.name for layer in getattr(model, "layers", ())}
    if LAYER not in names or len(model.inputs) != 1 or len(model.input_shape) != 4 or len(model.output_shape) != 2:
        raise InvalidInput(
            f"{path} is no classifier of images with a layer called {LAYER!r}; save a network as keras_gen.Classifier has."
        )
    return model


@functools.lru_cache(maxsize=4)
def _classifier_reader(path: Path, levels: int) -> Callable[[tf.Tensor], tuple]:
    model = _loaded(path)
    reader = keras.Model(model.inputs, [model.get_layer(LAYER).output, *model.outputs])

    @tf.function
    def read(images: tf.Tensor) -> tuple:
        features, logits = reader(tf.cast(images, tf.float32) / (levels - 1), training=False)
        return features, tf.nn.softmax(logits)

    return read


@functools.lru_cache(maxsize=1)
def _inception(path: Path) -> keras.Model:
    model = keras.applications.InceptionV3(weights=None, include_top=True)
    try:
        model.load_weights(path)
    except Exception as error:
        raise InvalidInput(f"{path} holds no weights of Inception v3 with its classifier: {error}") from error
    return keras.Model(model.inputs, [model.get_layer("avg_pool").output, model.output])


@functools.lru_cache(maxsize=1)
def _inception_reader(path: Path, spec: ImageSpec) -> Callable[[tf.Tensor], tuple]:
    reader = _inception(path)

    @tf.function
    def read(images: tf.Tensor) -> tuple:
        x = tf.cast(images, tf.float32) * (2.0 / (spec.levels - 1)) - 1.0
        x = tf.image.resize(x, (INCEPTION_SIDE, INCEPTION_SIDE), "bilinear", antialias=True)
        return tuple(reader(tf.image.grayscale_to_rgb(x) if spec.channels == 1 else x, training=False))

    return read


def _keras_home() -> Path:
    """Where ``keras.applications`` keeps what it downloaded."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
