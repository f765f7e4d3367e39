"""A classifier: not a generative model, but what metrics measure them with."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, number, rate, sizes
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Labels
from keras_gen.core.noise import NoiseSpec, Uniform
from keras_gen.core.replicas import global_mean
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.networks.classifier import FEATURES, convolutional_classifier


@keras.saving.register_keras_serializable("keras_gen")
class Classifier(GenerativeModel):
    """Trained on labelled images by cross-entropy; it shares the models' data, checkpoints and export, and takes no noise.

    Its ``network``, saved alone, is a feature space: ``model.network.save("mine.keras")``, then
    ``keras-gen evaluate RUN --features network:mine.keras``.

    Args:
        image_spec: the images.
        classes: how many labels there are, ``0 ... classes - 1``.
        network: Keras model ``[b, h, w, c]`` in ``[0, 1]`` ``-> [b, classes]`` logits, with a layer called ``"features"``.
        width, features, pooled, dropout: of the default network; see ``convolutional_classifier``.
        flips: whether a mirrored image shows the same thing.
        binarize: share of the training images whose pixels are drawn anew as 0 or 1 with their value as probability, so
            that features serve binarized images too.
    """

    predicts_conditions = True

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        classes: int = 10,
        *,
        network: keras.Model | None = None,
        width: int = 32,
        features: int = 64,
        flips: bool = False,
        pooled: bool = False,
        dropout: float = 0.2,
        binarize: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.classes = classes = integer("classes", classes, 2)
        self.width, self.feature_count = sizes(width=width, features=features)
        self.dropout, self.binarize = rate("dropout", dropout), number("binarize", binarize, 0, 1)
        self.flips, self.pooled = flips, pooled
        with dtype_policy(self.dtype_policy.name):
            network = network or convolutional_classifier(
                self.image_spec,
                classes,
                self.width,
                self.feature_count,
                flips=flips,
                pooled=pooled,
                dropout=self.dropout,
            )
        self.network = checked_network(network, "network", self.image_spec.shape, (classes,))
        if not getattr(self.network, "inputs", None):
            raise InvalidInput(
                f"network={type(self.network).__name__} is a subclassed model, in which metrics cannot read the layer "
                f"{FEATURES!r}; give a functional or Sequential one."
            )
        if FEATURES not in {layer.name for layer in network.layers}:
            raise InvalidInput(f"network has no layer called {FEATURES!r}, whose output metrics read; name one so.")
        self.accuracy_tracker = keras.metrics.Mean("accuracy")
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("classes", "width", "flips", "pooled", "dropout", "binarize")
        own = {**{name: getattr(self, name) for name in names}, "features": self.feature_count}
        return {**super().get_config(), **self.config_of(network=self.network), **own}

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """None: it makes no images."""
        return {}

    def condition_spec(self) -> Mapping[str, Labels]:
        """The labels that it is trained on."""
        return {"label": Labels(self.classes)}

    def endpoints(self) -> dict[str, Endpoint]:
        """``classify``: images to probabilities ``[b, classes]`` and features ``[b, features]``."""
        reader = keras.Model(self.network.inputs, [self.network.get_layer(FEATURES).output, self.network.output])

        def classify(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            features, logits = reader(self._fractions(inputs["image"]), training=False)
            return {"probabilities": tf.nn.softmax(tf.cast(logits, tf.float32)), "features": features}

        ranges = {"probabilities": (0, 1), "features": None}
        return {"classify": Endpoint(classify, {"image": Images(self.image_spec)}, ranges)}

    def classify(self, images: Any, batch_size: int = 256) -> np.ndarray:
        """Probabilities of the classes, float32 ``[n, classes]``, of uint8 images ``[n, h, w, c]``."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        logits = self.network.predict(self._fractions(images).numpy(), batch_size=batch_size, verbose=0)
        return tf.nn.softmax(tf.cast(logits, tf.float32)).numpy()

    def _fractions(self, images: Any) -> tf.Tensor:
        """Levels as fractions of the highest: ``[0, 1]``."""
        return tf.cast(images, tf.float32) / (self.image_spec.levels - 1)

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Logits ``[b, classes]`` of a batch (dict with ``"image"``, or images); it looks at no label."""
        images = self._fractions(self.batch_of(inputs)["image"])
        if training and self.binarize:
            images = self._partly_binarized(images)
        return tf.cast(self.network(images, training=training), tf.float32)

    def _partly_binarized(self, images: tf.Tensor) -> tf.Tensor:
        size = images.shape[0] or tf.shape(images)[0]
        spec = {"pixels": Uniform(self.image_spec.shape), "chosen": Uniform((1, 1, 1))}
        drawn = self.call_noise(spec, size, training=True)
        binary = tf.cast(drawn["pixels"] < images, images.dtype)
        return tf.where(drawn["chosen"] < self.binarize, binary, images)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The cross-entropy, this replica's share of the global mean."""
        labels = tf.cast(x["label"], tf.int32)
        self.accuracy_tracker.update_state(tf.equal(tf.argmax(y_pred, -1, tf.int32), labels))
        return global_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y_pred))
