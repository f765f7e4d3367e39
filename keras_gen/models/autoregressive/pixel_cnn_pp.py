"""PixelCNN++."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.checks import rate, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.causal import CausalLayer
from keras_gen.layers.causal_pyramid import Pyramid, PyramidEntrance, PyramidReadout
from keras_gen.losses.pixel_distributions import CoupledLogisticMixture, PixelDistribution
from keras_gen.models.autoregressive.autoregressive_model import AutoregressiveModel


@keras.saving.register_keras_serializable("keras_gen")
class PixelCNNPlusPlus(AutoregressiveModel):
    """Salimans, Karpathy, Chen and Kingma 2017: a pyramid of gated residual blocks, mixtures that couple the channels.

    Args:
        image_spec: the images.
        filters: features of both streams (160 in the paper).
        resnets: blocks of a level on the way down (5).
        levels: sizes of the pyramid (3); sides must be multiples of ``2 ** (levels - 1)``. Default: as many as fit, up to 3.
        dropout: rate (0.5).
        output: ``"logistic_mixture"`` (default beyond binary), or ``"bernoulli"``, ``"softmax"`` for one channel: the network
            sees whole pixels alone, so channels depend on each other through the mixture's coefficients.
        mixtures, seed: see ``AutoregressiveModel``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        filters: int = 160,
        resnets: int = 5,
        levels: int | None = None,
        *,
        dropout: float = 0.5,
        output: str | None = None,
        **kwargs: Any,
    ):
        spec = ImageSpec.from_any(image_spec)
        binary = spec.levels == 2 and spec.channels == 1
        super().__init__(spec, output=output or ("bernoulli" if binary else "logistic_mixture"), **kwargs)
        fitting = [n for n in (3, 2, 1) if spec.height % 2 ** (n - 1) == 0 and spec.width % 2 ** (n - 1) == 0]
        levels = fitting[0] if levels is None else levels
        self.filters, self.resnets, self.levels = sizes(filters=filters, resnets=resnets, levels=levels)
        levels = self.levels
        if spec.height % 2 ** (levels - 1) or spec.width % 2 ** (levels - 1):
            raise InvalidInput(
                f"A pyramid of {levels} levels halves the sides {levels - 1} times, which {spec.height}x{spec.width} images do "
                f"not allow; give levels={fitting[0]}, or pad or crop the images to multiples of {2 ** (levels - 1)}."
            )
        self.dropout = rate("dropout", dropout)
        self.finish()

    def make_distribution(self) -> PixelDistribution:
        """The coupled mixture, or for one channel what was asked for."""
        if self.output_name == "logistic_mixture":
            return CoupledLogisticMixture(self.image_spec, self.mixtures)
        if self.image_spec.channels > 1:
            raise InvalidInput(
                f"output={self.output_name!r} leaves the {self.image_spec.channels} channels of a pixel independent of each "
                "other in this network; use output='logistic_mixture', or a model with channel masks (PixelCNN, GatedPixelCNN)."
            )
        return super().make_distribution()

    def make_stack(self) -> list[CausalLayer]:
        """Entrance, pyramid, readout."""
        return [
            PyramidEntrance(self.filters),
            Pyramid(self.filters, self.resnets, self.levels, self.dropout, self.seed),
            PyramidReadout(self.distribution.parameters),
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("filters", "resnets", "levels", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
