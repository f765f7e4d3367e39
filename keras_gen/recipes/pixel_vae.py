"""PixelVAE (Gulrajani et al. 2017)."""

from typing import Any

import keras_gen as kg
from keras_gen.recipes.optimizer import OneOptimizerRecipe, Optimizer
from keras_gen.recipes.recipe import (
    Cost,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Precision,
    Published,
    SampleCount,
)


class PixelVAEMNIST(OneOptimizerRecipe):
    """PixelVAE on binarized MNIST.

    Gulrajani et al. 2017: a VAE whose decoder draws pixel after pixel, given those before it and z. Fixed binarization
    (Larochelle and Murray 2011). Strided convolutions to 32 latents and back to 24 maps of 28 x 28; behind these a gated PixelCNN
    that sees 7 x 7 pixels and, in two blocks, 3 x 3 of that, so little that what is far has to come through z. The KL warms up
    over an epoch; Muon with weight decay, bfloat16. What implementers get wrong: a decoder that sees the whole image does
    without z, and the loss does not say so; the report shows KL and active units. About 4 min an epoch on one CPU core.
    """

    family = "variational"
    published = (
        Published(
            "nll", 79.78, "PixelHVAE + VampPrior, Tomczak and Welling 2018, table 1, static MNIST, 5,000 samples"
        ),
    )
    cost = Cost(30)

    data: str = "binarized_mnist"
    epochs: PositiveInt = 8
    batch_size: PositiveInt = 32
    dtype: Precision = "mixed_bfloat16"
    optimizer: Optimizer = "muon"
    learning_rate: PositiveFloat = 4e-3
    weight_decay: NonNegativeFloat = 0.1
    latent_dim: PositiveInt = 32
    # Of the encoder's first layer and the decoder's last but one.
    width: PositiveInt = 32
    filters: PositiveInt = 24
    blocks: PositiveInt = 2
    first_kernel: PositiveInt = 7
    kernel_size: PositiveInt = 3
    # Training steps over which the KL's weight rises.
    warm_up: NonNegativeInt = 1_500
    # Nats a latent below which its KL costs no more.
    free_bits: NonNegativeFloat = 0.0
    # k of the importance-weighted bound in the report: every draw is a pass through the pixels' network.
    importance_samples: PositiveInt = 100
    importance_images: PositiveInt | None = 1_000
    sample_every: PositiveInt | None = None
    samples: SampleCount = 2_000

    def network(self, spec: "kg.ImageSpec") -> "kg.PixelVAE":
        """A ``PixelVAE`` of convolutions."""
        pixels = {name: getattr(self, name) for name in ("filters", "blocks", "first_kernel", "kernel_size")}
        outer = {"architecture": "convolutional", "width": self.width, "unit_inputs": True}
        options = {name: getattr(self, name) for name in ("warm_up", "free_bits", "dtype", "seed")}
        return kg.PixelVAE(spec, self.latent_dim, **pixels, **outer, **options)

    @property
    def evaluation(self) -> dict[str, Any]:
        """With the importance-weighted bound."""
        bound = {name: getattr(self, name) for name in ("importance_samples", "importance_images")}
        return {**super().evaluation, **bound}
