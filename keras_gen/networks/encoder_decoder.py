"""The default encoders and decoders by the name of their architecture."""

from collections.abc import Sequence

import keras

from keras_gen.core.checks import integer, integers
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.networks.convolutional import convolutional_decoder, convolutional_encoder
from keras_gen.networks.mlp import mlp_decoder, mlp_encoder

ARCHITECTURES = ("mlp", "convolutional")


class EncoderDecoder:
    """Makes the two networks of one description.

    Args:
        spec: the images.
        architecture: ``"mlp"`` or ``"convolutional"``.
        hidden: units of the MLP's hidden layers; the decoder's in reverse order.
        activation: theirs; ``"gated"``: gated layers.
        width: maps of the convolutional networks' layer next to the image.
        classes: with labels beside what each takes.
        pixel_bias: the decoder ends in a bias a pixel, which ``fit`` starts at the logit of the training images' mean.
    """

    def __init__(
        self,
        spec: ImageSpec,
        architecture: str,
        hidden: Sequence[int],
        activation: str,
        width: int,
        classes: int | None = None,
        pixel_bias: bool = False,
    ):
        if architecture not in ARCHITECTURES:
            raise InvalidInput(f"architecture={architecture!r} is unknown; give one of {', '.join(ARCHITECTURES)}.")
        self.spec, self.architecture, self.activation = spec, architecture, activation
        self.hidden, self.width = integers("hidden", hidden, 1), integer("width", width, 1)
        self.classes = None if classes is None else integer("classes", classes, 1)

        self.pixel_bias = bool(pixel_bias)

    def encoder(self, outputs: int) -> keras.Model:
        """Images to ``[b, outputs]``."""
        if self.architecture == "mlp":
            return mlp_encoder(self.spec, outputs, self.hidden, self.activation, self.classes)
        return convolutional_encoder(self.spec, outputs, self.width, self.classes)

    def decoder(self, inputs: int, parameters: int) -> keras.Model:
        """``[b, inputs]`` to ``[b, h, w, parameters]``."""
        if self.architecture == "mlp":
            return mlp_decoder(
                self.spec, inputs, parameters, self.hidden, self.activation, self.classes, self.pixel_bias
            )
        return convolutional_decoder(self.spec, inputs, parameters, self.width, self.classes, self.pixel_bias)

    def get_config(self) -> dict:
        """What a model's constructor was given of it."""
        names = ("architecture", "activation", "width", "classes", "pixel_bias")
        return {**{name: getattr(self, name) for name in names}, "hidden": list(self.hidden)}
