"""What models that turn a source image into another share: domain A is ``source``, domain B is ``image``."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import number
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Input
from keras_gen.losses.adversarial import Objective, checked_per_example, per_example
from keras_gen.models.adversarial.adversarial_model import AdversarialModel


class TranslationModel(AdversarialModel):
    """Its condition is a ``source`` image; a batch holds ``"image"`` and ``"source"``, uint8, of which ``fit`` takes a dict.

    Args:
        image_spec: the images that are made.
        source_spec: the images that they are made of, of the same sides; None: of the same kind.
        objective: as of ``GAN``.
        adversarial_weight: what the objective counts in the generator's loss.
        discriminator_weight: what it counts in the discriminator's.
    """

    draws_images = True

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        source_spec: ImageSpec | Sequence[int] | None,
        *,
        objective: Any,
        adversarial_weight: float,
        discriminator_weight: float,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.source_spec = self.image_spec if source_spec is None else ImageSpec.from_any(source_spec)
        if self.source_spec.shape[:2] != self.image_spec.shape[:2]:
            raise InvalidInput(
                f"source_spec is of {self.source_spec.height}x{self.source_spec.width} pixels, image_spec of "
                f"{self.image_spec.height}x{self.image_spec.width}; a source becomes an image of its own size: resize one."
            )
        self.objective = Objective.from_any(objective)
        self.adversarial_weight = number("adversarial_weight", adversarial_weight, 0.0)
        self.discriminator_weight = number("discriminator_weight", discriminator_weight, 0.0, above=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("adversarial_weight", "discriminator_weight")
        own = {"source_spec": self.source_spec.get_config(), "objective": self.objective.saved()}
        return {**super().get_config(), **own, **{name: getattr(self, name) for name in names}}

    def condition_spec(self) -> Mapping[str, Input]:
        """``{"source": Images(source_spec)}``."""
        return {"source": Images(self.source_spec)}

    # --- losses -----------------------------------------------------------------------------------------------------

    def discriminator_pays(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """The weighed objective on patch maps ``[b, h, w, 1]``: ``[b]``."""
        loss = self.objective.discriminator_loss
        self.watch_verdicts(self.objective, real_logits, fake_logits)
        return self.discriminator_weight * checked_per_example(loss(real_logits, fake_logits), loss)

    def generator_pays(self, fake_logits: tf.Tensor, real_logits: Any) -> tf.Tensor:
        """The weighed objective on patch maps: ``[b]``. ``real_logits()`` is asked where the objective compares the two."""
        loss = self.objective.generator_loss
        reals = (real_logits(),) if self.objective.needs_reals else ()
        return self.adversarial_weight * checked_per_example(loss(fake_logits, *reals), loss)

    # --- ways in ----------------------------------------------------------------------------------------------------

    # On sources, not on batches: Keras' own, after the check that a graph cannot make.

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras' ``predict`` on sources: what ``call`` gives for each."""
        return keras.Model.predict(self, self._checked_arrays(x), *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Keras' ``predict_on_batch`` on sources."""
        return keras.Model.predict_on_batch(self, self._checked_arrays(x))

    predict_step = keras.Model.predict_step

    def _checked_arrays(self, x: Any) -> Any:
        return self.check_sources(x) if isinstance(x, (np.ndarray, tf.Tensor, list, Mapping)) else x

    def check_sources(self, sources: Any) -> Any:
        """What ``call`` was given, a batch or the sources alone: those, or ``InvalidInput``; in a graph of dtype and shape."""
        sources = sources.get("source") if isinstance(sources, Mapping) else sources
        known = not isinstance(sources, keras.KerasTensor) and not (
            tf.is_tensor(sources) and not hasattr(sources, "numpy")
        )
        if sources is not None and known:
            return self.condition_spec()["source"].check("source", sources)
        shape = getattr(sources, "shape", None)
        if shape is None or tuple(shape)[1:] != self.source_spec.shape or sources.dtype != "uint8":
            came = (
                type(sources).__name__
                if shape is None
                else f"{keras.backend.standardize_dtype(sources.dtype)} {list(shape)}"
            )
            wanted = ", ".join(map(str, self.source_spec.shape))
            raise InvalidInput(f"{type(self).__name__} got {came}; wanted sources [n, {wanted}], uint8.")
        return sources


def absolute_error(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The mean over pixels and channels of each example: ``[b]`` float32."""
    return per_example(tf.abs(tf.cast(one, tf.float32) - tf.cast(other, tf.float32)))
