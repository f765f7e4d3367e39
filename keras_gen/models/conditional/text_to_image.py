"""Text to image: a generative adversarial network that is given a sentence (Reed et al. 2016b)."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.captions import LENGTH, Caption
from keras_gen.core.checks import integer, integers, number, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.losses.adversarial import non_saturating_generator_loss, per_example
from keras_gen.losses.text_matching import matching_discriminator_loss, mixed_generator_loss
from keras_gen.models.adversarial.adversarial_model import AdversarialModel, Batch
from keras_gen.models.adversarial.conditional_networks import ANY, checked_ports
from keras_gen.models.conditional.captions import chosen_captions, embedded, wrong_images
from keras_gen.models.conditional.text_encoder import TextEncoder
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.char_cnn_rnn import FEATURES, MAPS, char_cnn_rnn
from keras_gen.networks.text_gan import text_discriminator, text_generator

SHARES = ("accuracy_on_reals", "accuracy_on_fakes")
WRONG = "accuracy_on_wrong"


@keras.saving.register_keras_serializable("keras_gen")
class TextToImageGAN(AdversarialModel):
    """GAN-INT-CLS of Reed et al. 2016b: images of sentences.

    ``fit`` wants a ``caption`` for each image, and where the batch holds ``captions`` (several an image) averages the embeddings
    of some of them. The encoder is frozen; its weights are saved and exported with the model. An image that a caption is wrong
    for is one of the batch with another caption, and another ``label`` where the batch holds labels.

    Args:
        image_spec: the images; the default networks are the paper's at 64 px.
        latent_dim: size of the noise ``z``.
        encoder: a ``TextEncoder``, or a Keras model of your own, integers ``[b, length] -> [b, features]``. None: the default
            network as it begins, untrained: random features of the characters, which tell sentences apart and no more.
        image_encoder: Keras model of images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, features]`` of the captions' space, by which
            samples are judged (R-precision); a ``TextEncoder`` brings its own. None: nothing judges so.
        generator: Keras model of ``z`` and embedding ``[b, features]`` to images ``[b, h, w, c]`` in ``[-1, 1]``.
        discriminator: Keras model of image and embedding to logits ``[b, ...]``.
        length, vocabulary: of the captions, see ``core.captions.Caption``; a ``TextEncoder`` brings its own.
        matching: whether the discriminator also rejects real images with wrong captions (CLS).
        mixing: whether the generator is also paid for means of two captions (INT).
        mixed_weight: what that counts.
        captions_averaged: of how many captions of an image the mean embedding is taken, where the batch holds several.
        width, generator_width: maps of the discriminator's first layer, and of the generator's last but one.
        projection: what both networks project the embedding to.
        normalized_text: whether the generator normalizes its projection as the discriminator does, see ``text_generator``.
        encoder_maps, encoder_features: of the untrained encoder.
        **kwargs: turns, order and average, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 100,
        *,
        encoder: Any = None,
        image_encoder: keras.Model | None = None,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        length: int | None = None,
        vocabulary: Sequence[str] | None = None,
        matching: bool = True,
        mixing: bool = True,
        mixed_weight: float = 1.0,
        captions_averaged: int = 4,
        width: int = 64,
        generator_width: int = 128,
        projection: int = 128,
        normalized_text: bool = False,
        encoder_maps: Sequence[int] = MAPS,
        encoder_features: int = FEATURES,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.latent_dim, self.width, self.projection = sizes(latent_dim=latent_dim, width=width, projection=projection)
        self.generator_width, self.captions_averaged = sizes(
            generator_width=generator_width, captions_averaged=captions_averaged
        )
        self.encoder_maps = integers("encoder_maps", encoder_maps, 1)
        self.encoder_features = integer("encoder_features", encoder_features, 1)
        self.matching, self.mixing, self.normalized_text = bool(matching), bool(mixing), bool(normalized_text)
        self.mixed_weight = number("mixed_weight", mixed_weight, 0.0)
        if isinstance(encoder, TextEncoder):
            length = encoder.length if length is None else length
            vocabulary = encoder.caption.vocabulary if vocabulary is None else vocabulary
            encoder, image_encoder = encoder.text_network, image_encoder or encoder.image_network
        self.caption = Caption(
            LENGTH if length is None else integer("length", length, 1), () if vocabulary is None else vocabulary
        )
        self._make_networks(encoder, image_encoder, generator, discriminator)
        self.track(*SHARES, *((WRONG,) if self.matching else ()))
        self.finish()

    def _make_networks(self, encoder: Any, image_encoder: Any, generator: Any, discriminator: Any) -> None:
        spec, length = self.image_spec, self.caption.length
        with dtype_policy(self.dtype_policy.name):
            encoder = encoder or char_cnn_rnn(length, self.encoder_maps, self.encoder_features, "he_normal")
            self.encoder = checked_network(encoder, "encoder", (length,), (-1,))
            features = self.encoder.output_shape[-1]
            generator = generator or text_generator(
                spec, self.latent_dim, features, self.generator_width, self.projection, self.normalized_text
            )
            discriminator = discriminator or text_discriminator(spec, features, self.width, self.projection)
        self.encoder.trainable = False
        self.image_encoder = image_encoder
        if image_encoder is not None:
            self.image_encoder = checked_network(image_encoder, "image_encoder", spec.shape, (features,))
            self.image_encoder.trainable = False
        embedding = {"embedding": (features,)}
        self.generator = checked_ports(
            generator, "generator", {"z": (self.latent_dim,), **embedding}, {"images": spec.shape}
        )
        self.discriminator = checked_ports(
            discriminator, "discriminator", {"image": spec.shape, **embedding}, {"logits": ANY}
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("latent_dim", "matching", "mixing", "mixed_weight", "captions_averaged", "width", "generator_width")
        names += ("projection", "normalized_text", "encoder_maps", "encoder_features")
        networks = ("encoder", "image_encoder", "generator", "discriminator")
        return {
            **super().get_config(),
            **self.config_of(**{name: getattr(self, name) for name in networks}),
            **{name: getattr(self, name) for name in names},
            "length": self.caption.length,
            "vocabulary": list(self.caption.vocabulary),
        }

    # --- sampling ---------------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``."""
        return {"z": Normal((self.latent_dim,))}

    def condition_spec(self) -> Mapping[str, Input]:
        """``{"caption": Caption}``."""
        return {"caption": self.caption}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged generator's image of ``z`` and ``caption``: uint8 ``[n, h, w, c]``."""
        return self.image_spec.from_unit(self.call({"z": noise["z"], "caption": conditions["caption"]}))

    def images_of_embeddings(self, z: Any, embeddings: Any) -> np.ndarray:
        """Images of noise ``[n, latent_dim]`` and of embeddings ``[n, features]`` that no sentence may have: uint8."""
        network, z = self.averaged(self.generator), tf.convert_to_tensor(z, tf.float32)
        return self.image_spec.from_unit(
            network([z, tf.convert_to_tensor(embeddings, tf.float32)], training=False)
        ).numpy()

    def embed_captions(self, captions: Any) -> np.ndarray:
        """float32 ``[n, features]`` of ``n`` sentences, or of rows of characters ``[n, length]``."""
        rows = self.caption.check("captions", [captions] if isinstance(captions, str) else captions)
        return embedded(self.encoder, tf.constant(rows)[:, None]).numpy()

    # On noise and captions, not on images: Keras' own.
    predict, predict_on_batch = keras.Model.predict, keras.Model.predict_on_batch
    predict_step = keras.Model.predict_step

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The generator's images ``[n, h, w, c]`` in ``[-1, 1]`` of a dict of ``z`` ``[n, latent_dim]`` and ``caption``
        ``[n, length]``, or a pair of both: those of ``sample`` before rounding; with ``training=True`` not the averaged one's.
        """
        given = inputs if isinstance(inputs, Mapping) else dict(zip(("z", "caption"), inputs))
        if set(given) != {"z", "caption"}:
            raise InvalidInput(f"{type(self).__name__} got {sorted(given)}; wanted noise z and caption.")
        network = self.generator if training else self.averaged(self.generator)
        z, captions = tf.convert_to_tensor(given["z"]), tf.convert_to_tensor(given["caption"])
        return network([z, embedded(self.encoder, captions[:, None])], training=training)

    # --- the game ---------------------------------------------------------------------------------------------------

    def step_spec(self) -> Mapping[str, Input]:
        """The noise, that of the mixed captions' fakes, and which captions of an image are averaged."""
        mixed = {"mixed_z": Normal((self.latent_dim,))} if self.mixing else {}
        return {**self.noise_spec(), **mixed, "captions": Uniform((self.captions_averaged,))}

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """``"image"`` ``G(z, t)`` ``[b, h, w, c]`` in ``[-1, 1]`` and ``"embedding"`` t ``[b, features]`` of the captions.

        When training, ``"mixed"`` and ``"mixed_embedding"`` ``[(b + 1) // 2, ...]`` too, of the means of each two neighbours (the
        batch is in random order): an image a pair, with noise of its own.
        """
        captions = chosen_captions(batch, noise["captions"], self.caption.length)
        t = tf.stop_gradient(embedded(self.encoder, captions))
        fakes = {"image": self.generator([noise["z"], t], training=training), "embedding": t}
        if not (self.mixing and training):
            return fakes
        mixed = 0.5 * (t + tf.roll(t, -1, axis=0))[::2]
        images = self.generator([noise["mixed_z"][::2], mixed], training=training)
        return {**fakes, "mixed": images, "mixed_embedding": mixed}

    def shown_to_discriminator(self, batch: Batch, fakes: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Those of captions as they are: it never sees a mixed one."""
        return {name: fakes[name] for name in ("image", "embedding")}

    def discriminator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """``matching_discriminator_loss``, each of its two or three batches normalized apart: ``[b]``."""
        t, reals = fakes["embedding"], self.image_spec.to_unit(batch["image"])
        real = self._verdict(reals, t, training)
        wrong, found = None, 1.0
        if self.matching:
            others, found = wrong_images(reals, batch, training)
            wrong = self._verdict(others, t, training)
            self.observe(WRONG, per_example(wrong < 0), found)
        fake = self._verdict(fakes["image"], t, training)
        for name, right in zip(SHARES, (real > 0, fake < 0)):
            self.observe(name, per_example(right))
        return matching_discriminator_loss(real, fake, wrong, found)

    def generator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """``-log D(G(z, t), t)`` of the captions' fakes, and of the mixed ones where there are any: ``[b]``."""
        plain = non_saturating_generator_loss(self._verdict(fakes["image"], fakes["embedding"], training))
        if "mixed" not in fakes:
            return plain
        mixed = self._verdict(fakes["mixed"], fakes["mixed_embedding"], training)
        return mixed_generator_loss(plain, non_saturating_generator_loss(mixed), self.mixed_weight)

    def _verdict(self, images: tf.Tensor, embeddings: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.cast(self.discriminator([images, embeddings], training=training), tf.float32)
