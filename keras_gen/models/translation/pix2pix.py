"""pix2pix (Isola et al. 2017): paired translation, colorization, super-resolution."""

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
from keras_gen.core.inputs import Input, Switch
from keras_gen.core.noise import NoiseSpec, Uniform
from keras_gen.core.sampler import DEFAULT_BATCH_SIZE
from keras_gen.core.translation import Translation
from keras_gen.models.adversarial.adversarial_model import Batch
from keras_gen.models.generative_model import dtype_policy
from keras_gen.models.translation.predictions import PREDICTIONS
from keras_gen.models.translation.translation_model import TranslationModel, absolute_error
from keras_gen.networks.patch_discriminator import patch_discriminator
from keras_gen.networks.unet import unet


@keras.saving.register_keras_serializable("keras_gen")
class Pix2Pix(TranslationModel):
    """Isola et al. 2017: a U-Net, judged by patches of (source, image) and held near the true image by L1.

    Its only noise is dropout, in translation too. The masks are inputs, drawn from the seed: a seed gives one picture, another
    seed another, and ``deterministic=True`` leaves dropout out: ``model.translate(sources, deterministic=True)``. Where the
    paper has batch normalization over batches of one there is instance normalization, so that a picture does not depend on the
    rest of its batch.

    Args:
        image_spec: the images that are made.
        source_spec: the images that they are made of, of the same sides; None: of the same kind.
        generator: Keras model ``[b, h, w, c] -> [b, h, w, c']``, both in ``[-1, 1]``; further inputs are factors that dropout
            multiplies maps by, 0 or ``1 / (1 - dropout)``, noise under the inputs' names.
        discriminator: Keras model of source and image beside each other, ``[b, h, w, c + c'] -> [b, ...]`` logits; of the image
            alone if not ``conditional``.
        width: maps of the default networks' layers next to the image.
        downs: how often the default U-Net halves the sides; None: down to 1 pixel where they are powers of two.
        skips: False leaves the skips of the default U-Net out, an encoder-decoder.
        patch_layers: layers of stride 2 of the default discriminator: it sees patches of 1, 16, 34, 70, 142 pixels for 0, 1, 2,
            3, 4. None: 3 from 128 px on, 2 from 32.
        dropout: its rate, in the three innermost layers of the default U-Net's decoder; 0 for none, and no noise.
        conditional: whether the discriminator sees the source too.
        predicts: ``"image"``, or ``"colour"``: a and b of CIE Lab, where the sources' lightness is kept exactly.
        objective: as of ``GAN``; the paper's is ``"non_saturating"``.
        l1_weight: what the mean absolute error counts, of values in ``[-1, 1]``.
        adversarial_weight: what the objective counts in the generator's loss; 0 trains on L1 alone, without a discriminator.
        discriminator_weight: what it counts in the discriminator's: 1/2 slows it (section 3.3).
        **kwargs: turns, order and average, see ``AdversarialModel``; ``seed``, ``dtype``, ``name``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        source_spec: ImageSpec | Sequence[int] | None = None,
        *,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        width: int = 64,
        downs: int | None = None,
        skips: bool = True,
        patch_layers: int | None = None,
        dropout: float = 0.5,
        conditional: bool = True,
        predicts: str = "image",
        objective: Any = "non_saturating",
        l1_weight: float = 100.0,
        adversarial_weight: float = 1.0,
        discriminator_weight: float = 0.5,
        **kwargs: Any,
    ):
        weights = {"adversarial_weight": adversarial_weight, "discriminator_weight": discriminator_weight}
        super().__init__(image_spec, source_spec, objective=objective, **weights, **kwargs)
        (self.width,) = sizes(width=width)
        self.downs = None if downs is None else integer("downs", downs, 2)
        self.patch_layers = None if patch_layers is None else integer("patch_layers", patch_layers, 0)
        self.skips, self.dropout, self.conditional = bool(skips), rate("dropout", dropout), bool(conditional)
        self.l1_weight, self.predicts = number("l1_weight", l1_weight, 0.0), predicts
        if not self.l1_weight and not self.adversarial_weight:
            raise InvalidInput("l1_weight=0 and adversarial_weight=0 leave nothing to learn from; give one of them.")
        self.prediction = PREDICTIONS.get(predicts)(self.source_spec, self.image_spec)
        with dtype_policy(self.dtype_policy.name):
            self._make_networks(generator, discriminator)
        self.track("l1")
        if self.discriminator is not None:
            self.track_verdicts(self.objective)
        self.finish()

    def _make_networks(self, generator: keras.Model | None, discriminator: keras.Model | None) -> None:
        sides, prediction = self.image_spec.shape[:2], self.prediction
        if generator is None:
            options = {"downs": self.downs, "skips": self.skips, "dropped": self.dropout > 0.0}
            generator = unet((*sides, prediction.seen), prediction.predicted, self.width, **options)
        self.generator = _checked_generator(generator, (*sides, prediction.seen), (*sides, prediction.predicted))
        self.factors = {each.name: Uniform(tuple(each.shape[1:])) for each in (self.generator.inputs or [])[1:]}
        self.discriminator = None
        if self.adversarial_weight:
            seen = (*sides, prediction.predicted + (prediction.seen if self.conditional else 0))
            if discriminator is None:
                discriminator = patch_discriminator(seen, self.width, self.patch_layers)
            self.discriminator = checked_network(discriminator, "discriminator", seen)
        elif discriminator is not None:
            raise InvalidInput(
                "adversarial_weight=0 trains without a discriminator; leave it out, or give it a weight."
            )

    @property
    def discriminator_side(self) -> list[keras.Model]:
        """The discriminator; nothing where L1 alone is learnt from."""
        return [] if self.discriminator is None else [self.discriminator]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("width", "downs", "skips", "patch_layers", "dropout", "conditional", "predicts", "l1_weight")
        networks = self.config_of(generator=self.generator, discriminator=self.discriminator)
        return {**super().get_config(), **networks, **{name: getattr(self, name) for name in names}}

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"drop1": Uniform([2, 2, 512]), ...}`` at the paper's size; nothing without dropout."""
        return dict(self.factors) if self.dropout else {}

    def condition_spec(self) -> Mapping[str, Input]:
        """``{"source": Images(source_spec)}`` and, where there is dropout, ``{"deterministic": Switch()}``."""
        return {**super().condition_spec(), **({"deterministic": Switch()} if self.noise_spec() else {})}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged generator's image of ``source``: uint8 ``[n, h, w, c]``."""
        predicted = self._predicted(self.averaged(self.generator), conditions, noise, training=False)
        return self.prediction.image(conditions["source"], predicted)

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``, and the same under the name of what it does: ``translate``."""
        endpoints = super().endpoints()
        return {**endpoints, "translate": endpoints["sample"]}

    def translations(self) -> Mapping[str, Translation]:
        """``translate``."""
        inputs = {**self.noise_spec(), **self.condition_spec()}
        return {"translate": Translation(self, inputs, self.image_spec, self.images_of)}

    def translate(
        self, images: Any, seed: int = 0, *, batch_size: int = DEFAULT_BATCH_SIZE, **conditions: Any
    ) -> np.ndarray:
        """Images of sources ``[n, h, w, c]``, uint8; the seed draws the dropout, ``deterministic=True`` leaves it out."""
        return self.translations()["translate"].images(images, seed, batch_size, conditions)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """What is predicted of sources (or of a batch), in ``[-1, 1]``: without dropout, or in training with the call's own."""
        sources, noise = self.check_sources(inputs), {}
        if training and self.noise_spec():
            noise = self.call_noise(self.noise_spec(), sources.shape[0] or tf.shape(sources)[0], training)
        network = self.generator if training else self.averaged(self.generator)
        return self._predicted(network, {"source": sources}, noise, training)

    def _predicted(
        self, network: keras.Model, given: Mapping[str, Any], noise: Mapping[str, Any], training: bool
    ) -> Any:
        source = self.prediction.source(given["source"])
        if not self.factors:
            return network(source, training=training)
        return network([source, *self._dropout(given, noise)], training=training)

    def _dropout(self, given: Mapping[str, Any], noise: Mapping[str, Any]) -> list[tf.Tensor]:
        """The factors of each map's values: 0 where u is below the rate, else ``1 / (1 - rate)``; 1 where it is left out."""
        rows = tf.shape(given["source"])[0]
        if not noise:
            return [tf.ones((rows, *kind.shape)) for kind in self.factors.values()]
        masks = [tf.cast(noise[name] >= self.dropout, tf.float32) / (1.0 - self.dropout) for name in self.factors]
        if "deterministic" not in given:
            return masks
        plain = tf.reshape(given["deterministic"] > 0, (-1, 1, 1, 1))
        return [tf.where(plain, 1.0, mask) for mask in masks]

    # --- the three questions ----------------------------------------------------------------------------------------

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """What is predicted of the batch's sources, ``[b, h, w, c]`` in ``[-1, 1]``."""
        return self._predicted(self.generator, {"source": batch["source"]}, noise, training)

    def discriminator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on (source, image) and (source, fake)."""
        if self.discriminator is None:
            return tf.zeros(tf.shape(fakes)[:1])
        return self.discriminator_pays(
            self._real_logits(batch, training), self.logits(batch["source"], fakes, training)
        )

    def generator_loss(self, batch: Batch, fakes: tf.Tensor, training: bool) -> tf.Tensor:
        """The objective's, on (source, fake), and L1."""
        error = absolute_error(self.prediction.target(batch["image"]), fakes)
        self.observe("l1", error)
        paid = self.l1_weight * error
        if self.discriminator is None:
            return paid
        logits = self.logits(batch["source"], fakes, training)
        return paid + self.generator_pays(logits, lambda: self._real_logits(batch, training))

    def logits(self, sources: Any, predicted: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The discriminator's verdicts, float32 ``[b, h', w', 1]``, on uint8 sources and images in ``[-1, 1]``."""
        seen = predicted
        if self.conditional:
            source = self.prediction.source(sources)
            seen = tf.concat([source, tf.cast(predicted, source.dtype)], axis=-1)
        return tf.cast(self.discriminator(seen, training=training), tf.float32)

    def _real_logits(self, batch: Batch, training: bool) -> tf.Tensor:
        return self.logits(batch["source"], self.prediction.target(batch["image"]), training)


def _checked_generator(generator: Any, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> keras.Model:
    """Of one input, or of further ones, factors of any shape."""
    taken = getattr(generator, "inputs", None) or []
    if len(taken) < 2:
        return checked_network(generator, "generator", inputs, outputs)
    shapes = [tuple(each.shape)[1:] for each in (*taken[:1], *generator.outputs)]
    if shapes != [inputs, outputs] or any(None in each.shape[1:] for each in taken):
        sides = ", ".join(map(str, shapes))
        raise InvalidInput(
            f"generator takes and gives {sides}; wanted {inputs} first, factors of known shapes, and {outputs}."
        )
    return generator
