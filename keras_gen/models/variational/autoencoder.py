"""The autoencoder, plain and denoising."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.border import is_batched
from keras_gen.core.checks import integer, number
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.core.replicas import global_mean
from keras_gen.losses.likelihoods import bernoulli_log_prob, sum_per_image
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.models.variational.code_density import CodeDensity
from keras_gen.networks.encoder_decoder import EncoderDecoder

CORRUPTIONS = ("masking", "gaussian")


@keras.saving.register_keras_serializable("keras_gen")
class Autoencoder(GenerativeModel):
    """Hinton and Salakhutdinov 2006; with a corruption, the denoising one of Vincent et al. 2010.

    It is no generative model: nothing says how its codes are distributed, and codes drawn at random decode to nothing. With
    ``components``, ``fit`` ends by fitting a mixture of that many Gaussians to the training images' codes, which can be drawn.

    What is minimized is summed over an image: the squared error of values in ``[0, 1]``, or, of binary images, the
    cross-entropy of their logits.

    Args:
        image_spec: the images.
        latent_dim: size of the code.
        encoder: Keras model ``[b, h, w, c]`` in ``[-1, 1]`` ``-> [b, latent_dim]``.
        decoder: Keras model ``[b, latent_dim] -> [b, h, w, c]``: images in ``[-1, 1]``, of binary ones logits.
        architecture, hidden, activation, width: of the default networks, see ``VAE``. ``hidden=()`` makes linear ones.
        corruption: None, ``"masking"`` (a share ``noise`` of the values is set to the lowest level) or ``"gaussian"`` (of
            standard deviation ``noise``, in units of images in ``[-1, 1]``): what the encoder sees in training; the target is
            the clean image.
        noise: how strong it is.
        components: Gaussians of the codes' density; None: no density, and no samples.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 32,
        *,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        architecture: str = "mlp",
        hidden: Sequence[int] = (500, 500),
        activation: str = "relu",
        width: int = 32,
        corruption: str | None = None,
        noise: float = 0.3,
        components: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        spec = self.image_spec
        self.latent_dim, self.corruption = integer("latent_dim", latent_dim, 1), corruption
        if corruption not in (None, *CORRUPTIONS):
            raise InvalidInput(f"corruption={corruption!r} is unknown; give one of {', '.join(CORRUPTIONS)}, or None.")
        self.noise = number("noise", noise, 0, 1 if corruption == "masking" else None)
        self.networks = EncoderDecoder(spec, architecture, hidden, activation, width)
        with dtype_policy(self.dtype_policy.name):
            encoder = encoder or self.networks.encoder(latent_dim)
            decoder = decoder or self.networks.decoder(latent_dim, spec.channels)
        self.encoder = checked_network(encoder, "encoder", spec.shape, (latent_dim,))
        self.decoder = checked_network(decoder, "decoder", (latent_dim,), spec.shape)
        self.density = None if components is None else CodeDensity(components, latent_dim)
        self.error_tracker = keras.metrics.Mean("squared_error")
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        networks = self.config_of(encoder=self.encoder, decoder=self.decoder)
        shared = ("architecture", "hidden", "activation", "width")
        parts = {name: value for name, value in self.networks.get_config().items() if name in shared}
        own = {name: getattr(self, name) for name in ("latent_dim", "corruption", "noise")}
        components = self.density and self.density.components
        return {**super().get_config(), **networks, **parts, **own, "components": components}

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """Of the codes' density; nothing without one."""
        return {} if self.density is None else self.density.noise_spec()

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """What codes from the density decode to: uint8 ``[n, h, w, c]``."""
        decoded = self._decoded(self.density.draw(noise["z"], noise["z_component"]))
        return self.image_spec.from_unit(2.0 * decoded - 1.0)

    def mean_images(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """The same before it is rounded to levels: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        return self._decoded(self.density.draw(noise["z"], noise["z_component"])).numpy()

    def _code(self, images: Any, training: bool = False) -> tf.Tensor:
        return tf.cast(self.encoder(self.image_spec.to_unit(images), training=training), tf.float32)

    def _decoded(self, codes: Any) -> tf.Tensor:
        """As fractions of the highest level, in ``[0, 1]``."""
        decoded = tf.cast(self.decoder(codes, training=False), tf.float32)
        if self.image_spec.levels == 2:
            return tf.sigmoid(decoded)
        return tf.clip_by_value(0.5 * decoded + 0.5, 0.0, 1.0)

    def encode(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Codes of uint8 images: float32 ``[n, latent_dim]``."""
        images, size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        return np.concatenate([self._code(images[i : i + size]).numpy() for i in range(0, len(images), size)])

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Images of codes ``[n, latent_dim]``: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise InvalidInput(f"z has shape {list(z.shape)}; wanted [n, {self.latent_dim}].")
        return self._decoded(z).numpy()

    def reconstruct(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """There and back: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        codes, size = self.encode(images, batch_size), batch_size
        return np.concatenate([self.decode(codes[i : i + size]) for i in range(0, len(codes), size)])

    def endpoints(self) -> dict[str, Endpoint]:
        """``encode``: image -> code; ``decode``: z, ``reconstruct``: image -> image in ``[0, 1]``; ``sample`` of a density."""
        image, unit = {"image": Images(self.image_spec)}, {"mean_image": (0.0, 1.0)}
        drawn = {} if self.density is None else super().endpoints()
        code: dict[str, Input] = {"z": Normal((self.latent_dim,))}
        return {
            **drawn,
            "encode": Endpoint(lambda inputs: {"code": self._code(inputs["image"])}, image, {"code": None}),
            "decode": Endpoint(lambda inputs: {"mean_image": self._decoded(inputs["z"])}, code, unit),
            "reconstruct": Endpoint(
                lambda inputs: {"mean_image": self._decoded(self._code(inputs["image"]))}, image, unit
            ),
        }

    def fit_density(self, images: np.ndarray) -> None:
        """Fits the density to the codes of uint8 images, which ``fit`` does with its own in the end."""
        if self.density is None:
            raise InvalidInput("This autoencoder has no density to fit; build it with components=, such as 20.")
        self.density.fit(self.encode(images), self.seed)

    # --- training ---------------------------------------------------------------------------------------------------

    def corrupted(self, image: Any, noise: Mapping[str, Any]) -> tf.Tensor:
        """Images in ``[-1, 1]`` as the encoder sees them in training: a pure function of ``corruption_spec``'s noise."""
        if self.corruption == "masking":
            return tf.where(noise["corruption"] < self.noise, -1.0, image)
        return image + self.noise * noise["corruption"] if self.corruption else image

    def corruption_spec(self) -> NoiseSpec:
        """``{"corruption": ...}``, or nothing."""
        kind = {"masking": Uniform, "gaussian": Normal}.get(self.corruption)
        return {} if kind is None else {"corruption": kind(self.image_spec.shape)}

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """What the decoder gives for a batch (a dict, or images) that the call's noise corrupts: ``[b, h, w, c]``."""
        images = self.batch_of(inputs)["image"]
        noise = self.call_noise(self.corruption_spec(), images.shape[0] or tf.shape(images)[0], training)
        image = self.corrupted(self.image_spec.to_unit(images), noise)
        return tf.cast(self.decoder(self.encoder(image, training=training), training=training), tf.float32)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The error against the clean images, summed over each, this replica's share of the global mean."""
        images, binary = self.batch_of(x)["image"], self.image_spec.levels == 2
        target = 0.5 * self.image_spec.to_unit(images) + 0.5
        squared = sum_per_image(tf.square((tf.sigmoid(y_pred) if binary else 0.5 * y_pred + 0.5) - target))
        self.error_tracker.update_state(squared)
        loss = global_mean(-bernoulli_log_prob(images, y_pred) if binary else squared)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **kwargs: Any) -> keras.callbacks.History:
        """See ``GenerativeModel``; in the end the density, where there is one, is fitted to the codes of what was trained on."""
        history = super().fit(x, y, *arguments, **kwargs)
        if self.density is not None and not is_batched(x):
            self.fit_density(self.as_image_data(x, y).images)
        return history
