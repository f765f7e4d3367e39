"""Glow."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.checks import number, sizes
from keras_gen.core.image_spec import ImageSpec
from keras_gen.layers.act_norm import ActNorm, ZeroConvolution
from keras_gen.layers.coupling import ChannelCoupling
from keras_gen.layers.gaussian_prior import FactorOut, TopPrior
from keras_gen.layers.image_range import Centre, Logit
from keras_gen.layers.invertible import Invertible
from keras_gen.layers.invertible_convolution import InvertibleConvolution
from keras_gen.layers.squeeze import Squeeze
from keras_gen.models.flows.flow_model import FlowModel
from keras_gen.networks.coupling_networks import GlowNetwork


@keras.saving.register_keras_serializable("keras_gen")
class Glow(FlowModel):
    """Kingma and Dhariwal 2018: a step is actnorm, an invertible 1x1 convolution and an affine coupling.

    A level squeezes 2x2 and makes ``depth`` steps; half of the channels then leave, under a Gaussian that the others tell.

    Args:
        image_spec: the images; both sides must halve ``levels`` times.
        levels: how often (28 px: 2; 32 px: 3).
        depth: steps a level.
        width: of the networks in couplings.
        lu: whether the 1x1 convolutions are kept as an LU decomposition.
        learn_top: whether the prior of what is left in the end is learnt; else it is standard normal.
        alpha: None: pixels go through ``x - 1/2``, as the paper's; a number: through ``logit(alpha + (1 - 2 alpha) x)``, which
            spreads the one level that most pixels of a drawing have.
        memory: ``"store"`` activations for the gradient, or ``"invert"`` the steps: memory that does not grow with depth, for
            about half as much time again (``MultiScaleFlow``).
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        levels: int = 3,
        depth: int = 32,
        width: int = 512,
        *,
        lu: bool = False,
        learn_top: bool = True,
        alpha: float | None = None,
        memory: str = "store",
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        self.levels, self.depth, self.width = sizes(levels=levels, depth=depth, width=width)
        self.lu, self.learn_top = bool(lu), bool(learn_top)
        self.alpha = None if alpha is None else number("alpha", alpha, 0.0, 0.49, above=True)
        self.check_halvings("levels", self.levels)
        self.memory = memory
        self.finish(memory)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("levels", "depth", "width", "lu", "learn_top", "alpha", "memory")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def make_steps(self) -> list[Invertible]:
        """From the image in [0, 1] to noise."""
        steps: list[Invertible] = [Centre() if self.alpha is None else Logit(self.alpha)]
        channels = self.image_spec.channels
        for level in range(self.levels):
            steps.append(Squeeze())
            channels *= 4
            for _ in range(self.depth):
                network = GlowNetwork(2 * (channels // 2), self.width)
                steps += [ActNorm(), InvertibleConvolution(self.lu), ChannelCoupling(network, scale="sigmoid")]
            if level < self.levels - 1:
                steps.append(FactorOut(ZeroConvolution(2 * (channels // 2))))
                channels //= 2
        return [*steps, TopPrior(ZeroConvolution(2 * channels))] if self.learn_top else steps
