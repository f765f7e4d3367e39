"""A style encoder: what of a picture its caption does not tell, as the noise that a text-to-image model makes it of."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.captions import Caption
from keras_gen.core.checks import integer, sizes
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.core.replicas import global_mean
from keras_gen.models.adversarial.conditional_networks import checked_ports
from keras_gen.models.conditional.captions import chosen_captions, embedded
from keras_gen.models.conditional.text_to_image import TextToImageGAN
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.networks.text_gan import style_network

BATCH = 250


@keras.saving.register_keras_serializable("keras_gen")
class StyleEncoder(GenerativeModel):
    """Reed et al. 2016b, section 4.4: ``S`` gives back the noise of a generated image, ``E |z - S(G(z, t))|^2``.

    Of a real image it gives the noise that a model of text to image would have made it of; with another caption, an image of
    that caption in the style of the first: ``transfer``. The generator and the encoder of captions stay as they are, and are
    saved with it. It shares the models' data, checkpoints and export. Its training images it draws itself, of captions.

    Args:
        image_spec: the images.
        text_to_image: the ``TextToImageGAN`` whose (averaged) generator, encoder and words are taken.
        generator, encoder, length, vocabulary: or these one by one, as of a ``TextToImageGAN``.
        network: Keras model of images ``[b, h, w, c]`` in ``[-1, 1]`` to ``[b, latent_dim]``; default: convolutions as the
            discriminator's.
        width: maps of the default network's first layer.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        text_to_image: TextToImageGAN | None = None,
        *,
        generator: keras.Model | None = None,
        encoder: keras.Model | None = None,
        length: int | None = None,
        vocabulary: Sequence[str] = (),
        network: keras.Model | None = None,
        width: int = 32,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        if text_to_image is not None:
            generator, encoder = map(_copy, (text_to_image.averaged(text_to_image.generator), text_to_image.encoder))
            length, vocabulary = text_to_image.caption.length, text_to_image.caption.vocabulary
        if generator is None or encoder is None or length is None:
            raise InvalidInput(
                "A StyleEncoder learns from a generator of text to image; give it a TextToImageGAN, as StyleEncoder(spec, model)."
            )
        (self.width,) = sizes(width=width)
        self.caption = Caption(integer("length", length, 1), vocabulary)
        self.encoder = checked_network(encoder, "encoder", (self.caption.length,), (-1,))
        features, latent_dim = self.encoder.output_shape[-1], _latent_of(generator)
        self.generator = checked_ports(
            generator,
            "generator",
            {"z": (latent_dim,), "embedding": (features,)},
            {"images": self.image_spec.shape},
        )
        self.generator.trainable = self.encoder.trainable = False
        self.z = Normal((latent_dim,))
        with dtype_policy(self.dtype_policy.name):
            network = network or style_network(self.image_spec, latent_dim, self.width)
        self.network = checked_network(network, "network", self.image_spec.shape, (latent_dim,))
        self.explained_tracker = keras.metrics.Mean("explained")
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        networks = {name: getattr(self, name) for name in ("generator", "encoder", "network")}
        own = {"length": self.caption.length, "vocabulary": list(self.caption.vocabulary), "width": self.width}
        return {**super().get_config(), **self.config_of(**networks), **own}

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """None: images are asked for with ``transfer``."""
        return {}

    def condition_spec(self) -> Mapping[str, Input]:
        """The captions that it draws its training images of."""
        return {"caption": self.caption}

    def endpoints(self) -> dict[str, Endpoint]:
        """``style``: ``image`` to ``z`` ``[b, latent_dim]``; ``transfer``: ``style``, an image, and ``caption`` to ``image``."""
        kind = Images(self.image_spec)

        def transfer(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"image": self._drawn(self._styles(inputs["style"]), inputs["caption"])}

        return {
            "style": Endpoint(lambda inputs: {"z": self._styles(inputs["image"])}, {"image": kind}, {"z": None}),
            "transfer": Endpoint(
                transfer, {"style": kind, "caption": self.caption}, {"image": (0, self.image_spec.levels - 1)}
            ),
        }

    def styles(self, images: Any, batch_size: int = BATCH) -> np.ndarray:
        """The noise of uint8 images ``[n, h, w, c]``: float32 ``[n, latent_dim]``."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        return self._in_batches(self._styles, batch_size, images)

    def transfer(self, images: Any, captions: Any, batch_size: int = BATCH) -> np.ndarray:
        """Images uint8 ``[n, h, w, c]`` of ``n`` captions (sentences or rows; or one sentence) in the style of ``n`` images."""
        images, batch_size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        given = [captions] * len(images) if isinstance(captions, str) else captions
        rows = self.caption.check("captions", given)
        if len(rows) != len(images):
            raise InvalidInput(f"{len(rows)} captions came for {len(images)} images; give one each, or one for all.")
        return self._in_batches(lambda some, words: self._drawn(self._styles(some), words), batch_size, images, rows)

    def drawn(self, z: Any, captions: Any, batch_size: int = BATCH) -> np.ndarray:
        """The generator's images uint8 ``[n, h, w, c]`` of noise ``[n, latent_dim]`` and ``n`` captions."""
        z, rows = np.asarray(z, np.float32), self.caption.check("captions", captions)
        if z.shape != (len(rows), *self.z.shape):
            raise InvalidInput(
                f"z has shape {list(z.shape)} for {len(rows)} captions; wanted {[len(rows), *self.z.shape]}."
            )
        return self._in_batches(self._drawn, integer("batch_size", batch_size, 1), z, rows)

    @staticmethod
    def _in_batches(function: Any, size: int, *arrays: np.ndarray) -> np.ndarray:
        starts = range(0, len(arrays[0]), size)
        return np.concatenate(
            [np.asarray(function(*(each[start : start + size] for each in arrays))) for start in starts]
        )

    def _styles(self, images: Any) -> tf.Tensor:
        return tf.cast(self.network(self.image_spec.to_unit(images), training=False), tf.float32)

    def _drawn(self, z: Any, captions: Any) -> tf.Tensor:
        z = tf.convert_to_tensor(z)
        t = embedded(self.encoder, tf.convert_to_tensor(captions)[:, None])
        return self.image_spec.from_unit(self.generator([z, t], training=False))

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Of a batch (a dict with ``"image"`` and ``"caption"``) the noise drawn for its captions and what ``network`` finds of
        the images made of both, ``[b, latent_dim]`` each.
        """
        batch = self.batch_of(inputs)
        size = batch["caption"].shape[0] or tf.shape(batch["caption"])[0]
        noise = self.call_noise({"z": self.z, "captions": Uniform((1,))}, size, training)
        z, captions = noise["z"], chosen_captions(batch, noise["captions"], self.caption.length)
        images = self.generator([z, embedded(self.encoder, captions)], training=False)
        return z, tf.cast(self.network(tf.stop_gradient(images), training=training), tf.float32)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The squared distance over ``latent_dim``, this replica's share of the global mean: 1 where nothing is found."""
        z, found = y_pred
        error = tf.reduce_mean(tf.square(z - found), axis=1)
        self.explained_tracker.update_state(1.0 - error)
        return global_mean(error)


def _copy(network: keras.Model) -> keras.Model:
    """The network as it is now: what it belongs to may go on to be trained."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _latent_of(generator: keras.Model) -> int:
    """The size of a generator's noise: its input called ``z``, or its first one."""
    inputs = list(getattr(generator, "inputs", None) or [])
    if len(inputs) != 2:
        raise InvalidInput(f"generator={type(generator).__name__} has {len(inputs)} inputs; wanted z and embedding.")
    named = [each for each in inputs if each.name == "z"]
    return int((named or inputs)[0].shape[-1])
