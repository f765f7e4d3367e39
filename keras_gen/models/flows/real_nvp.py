"""RealNVP."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.checks import integer, number, sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.coupling import ChannelCoupling, CheckerboardCoupling
from keras_gen.layers.flow_batch_normalization import FlowBatchNormalization
from keras_gen.layers.gaussian_prior import FactorOut
from keras_gen.layers.image_range import Logit
from keras_gen.layers.invertible import Invertible
from keras_gen.layers.squeeze import CheckerboardChannels, Squeeze
from keras_gen.models.flows.flow_model import FlowModel
from keras_gen.networks.coupling_networks import ResidualNetwork


@keras.saving.register_keras_serializable("keras_gen")
class RealNVP(FlowModel):
    """Dinh et al. 2017: masked affine couplings, batch normalization as part of the flow, the multi-scale architecture.

    A scale makes three checkerboard couplings, squeezes, and makes three channel couplings; then a checkerboard half of its
    variables leaves. The last scale makes four checkerboard couplings. Features double after a squeeze and at each scale.

    Args:
        image_spec: the images; both sides must halve ``scales - 1`` times.
        scales: how many.
        features: maps of the first couplings' networks.
        blocks: residual blocks of every network.
        alpha: pixels go through ``logit(alpha + (1 - 2 alpha) x)``.
        patch: 2: networks of checkerboard couplings see patches of 2x2 pixels as one position, at a quarter of the cost.
        growth: what features are multiplied by after a squeeze and at each scale; the paper doubles them.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        scales: int = 2,
        features: int = 64,
        blocks: int = 8,
        *,
        alpha: float = 0.05,
        patch: int = 1,
        growth: int = 2,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.scales, self.features, self.blocks = sizes(scales=scales, features=features, blocks=blocks)
        self.alpha = number("alpha", alpha, 0.0, 0.49, above=True)
        self.patch, self.growth = integer("patch", patch, 1, 2), integer("growth", growth, 1)
        self.check_halvings("scales", self.scales, less=1)
        self.finish()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("scales", "features", "blocks", "alpha", "patch", "growth")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def make_steps(self) -> list[Invertible]:
        """From the image in [0, 1] to noise."""
        steps: list[Invertible] = [Logit(self.alpha)]
        channels, features = self.image_spec.channels, self.features
        for _ in range(self.scales - 1):
            steps += self._checkerboards(3, channels, features, self.patch)
            channels, features = 4 * channels, self.growth * features
            steps.append(Squeeze())
            for change_first in (False, True, False):
                network = ResidualNetwork(channels, features, self.blocks)
                coupling = ChannelCoupling(network, change_first, scale="tanh", amplitude=1.0)
                steps += [coupling, FlowBatchNormalization("first" if change_first else "last")]
            steps += [CheckerboardChannels(), FactorOut()]
            channels, features = channels // 2, features
        whole = self.halves(self.scales)  # 7x7 maps have no patches
        return steps + self._checkerboards(4, channels, features, self.patch if whole else 1)

    def _checkerboards(self, count: int, channels: int, features: int, patch: int) -> list[Invertible]:
        steps: list[Invertible] = []
        for index in range(count):
            keep, change = ("odd", "even") if index % 2 else ("even", "odd")
            network = ResidualNetwork(2 * channels, features, self.blocks, keep=keep, patch=patch)
            coupling = CheckerboardCoupling(network, keep == "odd", scale="tanh", amplitude=0.0)
            steps += [coupling, FlowBatchNormalization(change)]
        return steps
