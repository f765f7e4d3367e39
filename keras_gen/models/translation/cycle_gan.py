"""CycleGAN (Zhu et al. 2017): translation between two sets of images of which no two belong together."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, number, sizes
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.finite import finite_images
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images
from keras_gen.core.noise import NoiseSpec
from keras_gen.core.replicas import gathered, global_noise, own_rows
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE
from keras_gen.core.translation import Translation
from keras_gen.models.adversarial.adversarial_model import Batch
from keras_gen.models.generative_model import dtype_policy
from keras_gen.models.translation.image_pool import ImagePool
from keras_gen.models.translation.translation_model import TranslationModel, absolute_error
from keras_gen.networks.patch_discriminator import patch_discriminator
from keras_gen.networks.translation_resnet import check_sides, translation_resnet, usual_blocks

POOL = -3  # the turn of the noise that decides what the pools give back
NETWORKS = ("generator", "generator_ba", "discriminator", "discriminator_a")


@keras.saving.register_keras_serializable("keras_gen")
class CycleGAN(TranslationModel):
    """Zhu et al. 2017: G makes images (domain B) of sources (domain A), F sources of images; F(G(a)) is a again, G(F(b)) b.

    Each player pays in both domains, G and F first, for the same fakes. ``fit(a, b)`` takes two sets of any lengths, or a dict
    with ``"source"`` (a) and ``"image"`` (b). A discriminator is shown fakes out of a pool of
    earlier ones. There is no noise: ``sample(n, source=...)`` is ``translate_ab``.

    The pools are part of the model's saved state. Under a strategy each replica holds the same one of all replicas' fakes, so
    that two replicas do what one device would.

    Args:
        image_spec: the images of domain B.
        source_spec: those of domain A, of the same sides; None: of the same kind.
        generator: G, a Keras model ``[b, h, w, c] -> [b, h, w, c']``, both in ``[-1, 1]``.
        generator_ba: F, the other way.
        discriminator: of domain B, a Keras model of images to logits ``[b, ...]``.
        discriminator_a: of domain A.
        width: maps of the default networks' layers next to the image.
        blocks: residual blocks of the default generators; None: 9 from 256 px on, else 6.
        patch_layers: of the default discriminators, see ``Pix2Pix``.
        cycle_weight: what the mean absolute error after there and back counts, each way, of values in ``[-1, 1]``.
        identity_weight: relative to ``cycle_weight``: what it costs G to change an image of domain B, and F one of domain A. 0.5
            keeps colours; 0 in the paper but for paintings.
        pool_size: images a domain; 0 shows the discriminators the fresh fakes.
        objective: as of ``GAN``; the paper's is ``"least_squares"``.
        adversarial_weight: what the objective counts in the generators' loss; 2 makes the paper's ``(D(G(a)) - 1)^2`` of the 1/2
            that the objective has before it.
        discriminator_weight: what it counts in the discriminators'.
        **kwargs: turns and average, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    unpaired = True

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        source_spec: ImageSpec | Sequence[int] | None = None,
        *,
        generator: keras.Model | None = None,
        generator_ba: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        discriminator_a: keras.Model | None = None,
        width: int = 64,
        blocks: int | None = None,
        patch_layers: int | None = None,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        pool_size: int = 50,
        objective: Any = "least_squares",
        adversarial_weight: float = 2.0,
        discriminator_weight: float = 1.0,
        order: str = "generator_first",
        **kwargs: Any,
    ):
        weights = {"adversarial_weight": adversarial_weight, "discriminator_weight": discriminator_weight}
        super().__init__(image_spec, source_spec, objective=objective, order=order, **weights, **kwargs)
        (self.width,) = sizes(width=width)
        self.blocks = None if blocks is None else integer("blocks", blocks, 0)
        self.patch_layers = None if patch_layers is None else integer("patch_layers", patch_layers, 0)
        self.cycle_weight = number("cycle_weight", cycle_weight, 0.0)
        self.identity_weight = number("identity_weight", identity_weight, 0.0)
        self.pool_size = integer("pool_size", pool_size, 0)
        if self.identity_weight and self.source_spec.channels != self.image_spec.channels:
            raise InvalidInput(
                f"identity_weight={identity_weight} wants both generators to leave an image as it is; sources have "
                f"{self.source_spec.channels} channels and images {self.image_spec.channels}: set it to 0."
            )
        with dtype_policy(self.dtype_policy.name):
            self._make_networks(generator, generator_ba, discriminator, discriminator_a)
        specs = {"image": self.image_spec, "source": self.source_spec} if self.pool_size else {}
        self.pools = {name: ImagePool(self.pool_size, spec.shape, f"pool_of_{name}s") for name, spec in specs.items()}
        self._backwards = None
        self.track_verdicts(self.objective)
        self.track("cycle_loss", *(("identity_loss",) if self.identity_weight else ()))
        self.finish()

    def _make_networks(self, *given: keras.Model | None) -> None:
        a, b = self.source_spec, self.image_spec
        blocks = usual_blocks(a.height, a.width) if self.blocks is None else self.blocks
        if None in given[:2]:
            check_sides(a.height, a.width)
        for name, network, taken, made in zip(NETWORKS, given, (a, b, b, a), (b, a, None, None), strict=True):
            if network is None and made is not None:
                network = translation_resnet(taken.channels, made.channels, self.width, blocks, name=name)
            elif network is None:
                network = patch_discriminator(taken.shape, self.width, self.patch_layers)
                network.name = name
            # Fully convolutional networks leave the sides open.
            open_sides = getattr(network, "inputs", None) and None in network.inputs[0].shape[1:]
            if made is not None and open_sides:
                network_of_size = keras.Model(image := keras.Input(taken.shape), network(image))
                checked_network(network_of_size, name, taken.shape, made.shape)
            else:
                network = checked_network(network, name, taken.shape, None if made is None else made.shape)
            setattr(self, name, network)

    @property
    def generator_side(self) -> list[keras.Model]:
        """G and F."""
        return [self.generator, self.generator_ba]

    @property
    def discriminator_side(self) -> list[keras.Model]:
        """Of B and of A."""
        return [self.discriminator, self.discriminator_a]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("width", "blocks", "patch_layers", "cycle_weight", "identity_weight", "pool_size")
        networks = self.config_of(**{name: getattr(self, name) for name in NETWORKS})
        return {**super().get_config(), **networks, **{name: getattr(self, name) for name in names}}

    def save_own_variables(self, store: Any) -> None:
        """Also what the pools hold."""
        super().save_own_variables(store)
        for pool in self.pools.values():
            pool.save(store)

    def load_own_variables(self, store: Any) -> None:
        """Also what the pools held."""
        for pool in self.pools.values():
            pool.load(store)
        pools = {pool.name for pool in self.pools.values()}
        super().load_own_variables({name: store[name] for name in store.keys() if name not in pools})

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """None: an image has one translation."""
        return {}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged G's image of ``source``: uint8 ``[n, h, w, c]``."""
        network = self.averaged(self.generator)
        return self.image_spec.from_unit(network(self.source_spec.to_unit(conditions["source"]), training=False))

    def generate_ba(self, images: Any) -> tf.Tensor:
        """The averaged F's source of an image: uint8 ``[n, h, w, c]``."""
        network = self.averaged(self.generator_ba)
        return self.source_spec.from_unit(network(self.image_spec.to_unit(images), training=False))

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``, the same as ``translate_ab``, and ``translate_ba``: each takes a ``source`` and gives an ``image``."""
        endpoints, levels = super().endpoints(), {"image": (0, self.source_spec.levels - 1)}
        backwards = Endpoint(
            lambda given: {"image": self.generate_ba(given["source"])}, {"source": Images(self.image_spec)}, levels
        )
        return {**endpoints, "translate_ab": endpoints["sample"], "translate_ba": backwards}

    def translations(self) -> Mapping[str, Translation]:
        """``translate_ab`` and ``translate_ba``."""
        inputs = {"source": Images(self.image_spec)}
        return {
            "translate_ab": Translation(self, self.condition_spec(), self.image_spec, self.images_of),
            "translate_ba": Translation(self, inputs, self.source_spec, self._images_of_ba),
        }

    def translate_ab(self, images: Any, *, batch_size: int = DEFAULT_BATCH_SIZE) -> np.ndarray:
        """Images of domain A, uint8 ``[n, h, w, c]``, as images of domain B."""
        return self.translations()["translate_ab"].images(images, batch_size=batch_size)

    def translate_ba(self, images: Any, *, batch_size: int = DEFAULT_BATCH_SIZE) -> np.ndarray:
        """Images of domain B, uint8 ``[n, h, w, c]``, as images of domain A."""
        return self.translations()["translate_ba"].images(images, batch_size=batch_size)

    def _images_of_ba(self, noise: Mapping[str, Any], conditions: Mapping[str, Any]) -> np.ndarray:
        if self._backwards is None:
            signature = [tf.TensorSpec((None, *self.image_spec.shape), tf.uint8)]
            self._backwards = tf.function(self.generate_ba, input_signature=signature)
        with finite_images(type(self).__name__):
            return self._backwards(tf.convert_to_tensor(conditions["source"])).numpy()

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """G of sources (or of a batch), in ``[-1, 1]``."""
        network = self.generator if training else self.averaged(self.generator)
        return network(self.source_spec.to_unit(self.check_sources(inputs)), training=training)

    # --- the three questions ----------------------------------------------------------------------------------------

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """``{"image": G(a), "source": F(b)}``, each ``[b, h, w, c]`` in ``[-1, 1]``."""
        reals = self._reals(batch)
        return {
            "image": self.generator(reals["source"], training=training),
            "source": self.generator_ba(reals["image"], training=training),
        }

    def shown_to_discriminator(self, batch: Batch, fakes: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What the pools give back for the fakes; the pools move on."""
        return {name: self._pooled(self.pools[name], images) for name, images in fakes.items()} if self.pools else fakes

    def _pooled(self, pool: ImagePool, fakes: tf.Tensor) -> tf.Tensor:
        everyone = gathered(tf.stop_gradient(tf.cast(fakes, tf.float32)))
        turn = self.discriminator_optimizer.iterations
        noise = global_noise(pool.noise_spec(), tf.shape(everyone)[0], self.seed, turn, POOL)
        return tf.cast(own_rows(pool.exchange(everyone, noise)), fakes.dtype)

    def discriminator_loss(self, batch: Batch, fakes: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """The objective's, on images and on sources, real and fake."""
        reals = self._reals(batch)
        return sum(
            self.discriminator_pays(*(self.logits(name, of[name], training) for of in (reals, fakes)))
            for name in ("image", "source")
        )

    def generator_loss(self, batch: Batch, fakes: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """The objective's, on the fakes of both domains; cycle and identity errors, weighed."""
        reals = self._reals(batch)
        paid = sum(
            self.generator_pays(
                self.logits(name, fakes[name], training), lambda name=name: self.logits(name, reals[name], training)
            )
            for name in ("image", "source")
        )
        cycle = absolute_error(self.generator_ba(fakes["image"], training=training), reals["source"])
        cycle += absolute_error(self.generator(fakes["source"], training=training), reals["image"])
        self.observe("cycle_loss", cycle)
        paid += self.cycle_weight * cycle
        if not self.identity_weight:
            return paid
        identity = absolute_error(self.generator(reals["image"], training=training), reals["image"])
        identity += absolute_error(self.generator_ba(reals["source"], training=training), reals["source"])
        self.observe("identity_loss", identity)
        return paid + self.cycle_weight * self.identity_weight * identity

    def logits(self, domain: str, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """A discriminator's verdicts, float32 ``[b, h', w', 1]``; ``domain`` is ``"image"`` (B) or ``"source"`` (A)."""
        network = self.discriminator if domain == "image" else self.discriminator_a
        return tf.cast(network(images, training=training), tf.float32)

    def _reals(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {"image": self.image_spec.to_unit(batch["image"]), "source": self.source_spec.to_unit(batch["source"])}
