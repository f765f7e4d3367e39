"""A text encoder: no generative model, but what a text-to-image model reads its captions with."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.captions import LENGTH, Caption
from keras_gen.core.checks import integer, integers, number, sizes
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.core.noise import NoiseSpec, Uniform
from keras_gen.core.replicas import global_mean
from keras_gen.losses.text_matching import joint_embedding_loss
from keras_gen.models.classifier import Classifier
from keras_gen.models.conditional.captions import alike, chosen_captions, of_all
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.networks.char_cnn_rnn import FEATURES, MAPS, char_cnn_rnn
from keras_gen.networks.classifier import FEATURES as FEATURE_LAYER
from keras_gen.networks.convolutional import convolutional_encoder

BATCH = 250


@keras.saving.register_keras_serializable("keras_gen")
class TextEncoder(GenerativeModel):
    """Reed et al. 2016a: images and their captions as vectors whose products are large where the two belong together.

    It shares the models' data, checkpoints and export, and takes no noise. In a batch, an image and a caption that says the same
    as its own are not set against each other; where an image has several captions, one of them is drawn each time.

    Args:
        image_spec: the images.
        length: of the rows of characters that captions come as, ``data.features["caption"].shape[1]``.
        vocabulary: the words that captions may have, ``core.captions.vocabulary_of``; empty: any.
        text_network: Keras model, integers ``[b, length] -> [b, features]``; default: ``networks.char_cnn_rnn``.
        image_network: Keras model ``[b, h, w, c]`` in ``[-1, 1] -> [b, features]``, or a ``Classifier``, whose features are then
            taken; default: strided convolutions.
        trains_images: whether the image side learns too; the paper's, GoogLeNet's features, does not.
        maps, features: of the default text network.
        width: of the default image network.
        margin: by which a pair's product should be the larger one.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        length: int = LENGTH,
        *,
        vocabulary: Sequence[str] = (),
        text_network: keras.Model | None = None,
        image_network: Any = None,
        trains_images: bool = True,
        maps: Sequence[int] = MAPS,
        features: int = FEATURES,
        width: int = 32,
        margin: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.length, self.features, self.width = sizes(length=length, features=features, width=width)
        self.maps, self.margin = integers("maps", maps, 1), number("margin", margin, 0.0, above=True)
        self.caption = Caption(self.length, vocabulary)
        self.trains_images = bool(trains_images)
        with dtype_policy(self.dtype_policy.name):
            text_network = text_network or char_cnn_rnn(self.length, self.maps, self.features)
            if isinstance(image_network, Classifier):
                image_network = _features_of(image_network)
            image_network = image_network or convolutional_encoder(self.image_spec, self.features, self.width)
        self.text_network = checked_network(text_network, "text_network", (self.length,), (-1,))
        self.image_network = checked_network(image_network, "image_network", self.image_spec.shape, (-1,))
        sides = [network.output_shape[-1] for network in (self.text_network, self.image_network)]
        if sides[0] != sides[1]:
            raise InvalidInput(
                f"text_network gives {sides[0]} features, image_network {sides[1]}; they are multiplied and must be as many: "
                f"features={sides[1]}."
            )
        self.image_network.trainable = self.trains_images
        self.retrieval_tracker = keras.metrics.Mean("retrieval")
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("length", "trains_images", "maps", "features", "width", "margin")
        own = {name: getattr(self, name) for name in names}
        networks = self.config_of(text_network=self.text_network, image_network=self.image_network)
        return {**super().get_config(), **networks, **own, "vocabulary": list(self.caption.vocabulary)}

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """None: it makes no images."""
        return {}

    def condition_spec(self) -> Mapping[str, Input]:
        """The captions that it is trained on."""
        return {"caption": self.caption}

    def endpoints(self) -> dict[str, Endpoint]:
        """``embed_caption`` and ``embed_image``: to ``embedding`` ``[b, features]``."""

        def of_caption(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"embedding": tf.cast(self.text_network(inputs["caption"], training=False), tf.float32)}

        def of_image(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            images = self.image_spec.to_unit(inputs["image"])
            return {"embedding": tf.cast(self.image_network(images, training=False), tf.float32)}

        ranges = {"embedding": None}
        return {
            "embed_caption": Endpoint(of_caption, {"caption": self.caption}, ranges),
            "embed_image": Endpoint(of_image, {"image": Images(self.image_spec)}, ranges),
        }

    def embed_captions(self, captions: Any, batch_size: int = BATCH) -> np.ndarray:
        """float32 ``[n, features]`` of ``n`` sentences, or of rows of characters ``[n, length]``."""
        rows = self.caption.check("captions", [captions] if isinstance(captions, str) else captions)
        return self.text_network.predict(rows, batch_size=integer("batch_size", batch_size, 1), verbose=0)

    def embed_images(self, images: Any, batch_size: int = BATCH) -> np.ndarray:
        """float32 ``[n, features]`` of uint8 images ``[n, h, w, c]``."""
        images = self.image_spec.to_unit(self.image_spec.check(images))
        return self.image_network.predict(images, batch_size=integer("batch_size", batch_size, 1), verbose=0)

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of a batch (a dict with ``"image"`` and ``"caption"``) the embeddings of images and of captions ``[b, features]``, and
        which captions these are ``[b, length]``.
        """
        batch, draws = self.batch_of(inputs), None
        if training:
            size = batch["image"].shape[0] or tf.shape(batch["image"])[0]
            draws = self.call_noise({"captions": Uniform((1,))}, size, training=True)["captions"]
        rows = chosen_captions(batch, draws, self.length)[:, 0]
        images = self.image_network(self.image_spec.to_unit(batch["image"]), training=training and self.trains_images)
        texts = self.text_network(rows, training=training)
        return tf.cast(images, tf.float32), tf.cast(texts, tf.float32), tf.cast(rows, tf.int32)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The joint embedding's loss over the global batch, this replica's share."""
        images, texts, rows = y_pred
        all_images, all_texts, all_rows = (of_all(values, training) for values in y_pred)
        same = alike(rows, all_rows)
        own = tf.reduce_sum(images * texts, axis=1)
        best = tf.reduce_max(tf.where(same, -np.inf, tf.matmul(images, all_texts, transpose_b=True)), axis=1)
        self.retrieval_tracker.update_state(own > best)
        return global_mean(joint_embedding_loss(images, texts, all_images, all_texts, same, self.margin))


def _features_of(classifier: Classifier) -> keras.Model:
    """The features of a classifier, which takes fractions, of images in ``[-1, 1]``."""
    given = keras.Input(classifier.image_spec.shape, name="image")
    network = classifier.network
    reader = keras.Model(network.inputs, network.get_layer(FEATURE_LAYER).output)
    return keras.Model(given, reader(keras.layers.Rescaling(0.5, 0.5, dtype="float32")(given)), name="image_encoder")
