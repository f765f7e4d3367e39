"""Variational autoencoders: Kingma and Welling 2014, and what Burda et al. 2016 and Tomczak and Welling 2018 made of them."""

from typing import Any, Literal

from keras_gen.recipes.recipe import (
    Cost,
    Expected,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Published,
    Share,
)
from keras_gen.recipes.variational import VariationalRecipe


class VAEDigits(VariationalRecipe):
    """VAE of two latents on scikit-learn's digits (8x8).

    Kingma and Welling 2014, with a discretized Gaussian decoder; the 2-D latent plane is drawn as a manifold. About 30 s on 2
    busy CPU cores. Expect a test ELBO of about -96 nats (2.17 bits/dim); nothing is published on this data.
    """

    cost = Cost(0.5, "2 cores")
    expected = Expected("elbo", -96, "nats")

    data: str = "digits"
    epochs: PositiveInt = 60
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 2e-3
    latent_dim: PositiveInt = 2
    units: PositiveInt = 128
    checkpoint_every: PositiveInt = 20
    sample_every: PositiveInt | None = 10


class VAEMNIST(VariationalRecipe):
    """VAE on binarized MNIST.

    Fixed binarization (Larochelle and Murray 2011); trained on the 50,000 training images. One layer of 50 latents, two gated
    layers of 200 units each way, Bernoulli decoder whose bias starts at the mean image. Burda et al. 2016 train tanh layers of
    these sizes for 3,280 epochs at batch 20 and reach a test NLL of 88.71 nats (k = 1, appendix table 3, 5,000 importance
    samples). What an epoch buys depends on the layer: after 40 epochs ReLU layers stand at 94.9 nats and overfit (2.0 nats
    between training and test bound), tanh layers at 93.3 with the mean image in the bias and 94.9 without, gated ones at
    90.4. About 7 min on one CPU core.
    """

    published = (Published("nll", 88.71, "Burda et al. 2016, appendix table 3, VAE 1 layer k = 1, 5,000 samples"),)
    cost = Cost(7)
    expected = Expected("nll", 87.8, "nats")

    data: str = "binarized_mnist"
    epochs: PositiveInt = 200
    batch_size: PositiveInt = 100
    final_rate: Share = 0.01
    weight_decay: NonNegativeFloat = 0.05
    latent_dim: PositiveInt = 50
    units: PositiveInt = 200
    activation: Literal["relu", "tanh", "gated"] = "gated"
    importance_samples: PositiveInt | None = 5_000
    importance_images: PositiveInt | None = 2_000
    steps_per_execution: PositiveInt = 25
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = None

    def options(self, spec: Any) -> dict[str, Any]:
        """Inputs in ``[0, 1]``; of binary images the mean in the decoder's bias."""
        return {"unit_inputs": True, "pixel_bias": spec.levels == 2}


class IWAEMNIST(VAEMNIST):
    """IWAE of 50 samples on binarized MNIST.

    Burda et al. 2016: ``vae_mnist``'s networks trained on the importance-weighted bound of 50 draws an image. The gradient goes
    through one of them, chosen by its weight (their section 3), which takes half the time. Theirs reaches 87.10 nats
    (appendix table 3, 5,000 samples). About 25 min on one CPU core.
    """

    published = (Published("nll", 87.10, "Burda et al. 2016, appendix table 3, IWAE 1 layer k = 50, 5,000 samples"),)
    cost = Cost(25)

    epochs: PositiveInt = 60
    # Draws of the posterior an image.
    draws: PositiveInt = 50
    # The gradient goes through one of them, chosen by its weight.
    resample: bool = True

    def options(self, spec: Any) -> dict[str, Any]:
        """The bound of Burda et al. 2016."""
        return {**super().options(spec), "bound": "iwae", "samples": self.draws, "resample": self.resample}


class IWAETwoLayersMNIST(IWAEMNIST):
    """IWAE of two stochastic layers on binarized MNIST.

    Burda et al. 2016: 100 latents below 50, q(z1|x) q(z2|z1), 100 units in the networks between. Theirs reaches 85.32 nats with
    50 samples (appendix table 3). About 40 min on one CPU core.
    """

    published = (Published("nll", 85.32, "Burda et al. 2016, appendix table 3, IWAE 2 layers k = 50, 5,000 samples"),)
    cost = Cost(40)

    lower_latent_dim: PositiveInt = 100

    def options(self, spec: Any) -> dict[str, Any]:
        """Two layers, inferred from below."""
        lower = {"lower_latent_dim": self.lower_latent_dim, "lower_hidden": (self.units // 2, self.units // 2)}
        return {**super().options(spec), "hierarchy": "bottom_up", **lower}


class VampMNIST(VAEMNIST):
    """Hierarchical VAE with a VampPrior on binarized MNIST.

    Tomczak and Welling 2018: two stochastic layers of 40 latents, q(z2|x) q(z1|x,z2), gated layers of 300 units, KL warmed up.
    Theirs, of 500 pseudo-images, reaches 83.19 nats (static MNIST, table 1); this one has 100 of them. About 24 min
    on one CPU core.
    """

    published = (Published("nll", 83.19, "Tomczak and Welling 2018, table 1, HVAE + VampPrior, static MNIST"),)
    cost = Cost(24)

    latent_dim: PositiveInt = 40
    units: PositiveInt = 300
    epochs: PositiveInt = 200
    lower_latent_dim: PositiveInt = 40
    components: PositiveInt = 100
    # Training steps over which the KL's weight rises.
    warm_up: NonNegativeInt = 25_000

    def options(self, spec: Any) -> dict[str, Any]:
        """Two layers, inferred from above; the mixture of pseudo-images' posteriors on the upper."""
        prior = {"prior": "vamp", "components": self.components, "warm_up": self.warm_up}
        return {**super().options(spec), **prior, "hierarchy": "top_down", "lower_latent_dim": self.lower_latent_dim}


class ConditionalVAEMNIST(VariationalRecipe):
    """Class-conditional VAE on MNIST, 256 levels.

    Kingma et al. 2014 (M2, labels given) and Sohn et al. 2015: q(z|x,y), p(x|z,y), so that z says how a digit is written and the
    label which. A mixture of three logistics a pixel (Salimans et al. 2017, eq. 2); samples show its mean, and go through the
    classes. The bounds are on log P(x|y). No number is published for this decoder; what one may hope for is an ELBO below that
    of flows, since pixels are independent given z. About 20 min on one CPU core.
    """

    cost = Cost(20)
    expected = Expected("bits_per_dim_elbo", 1.252)

    data: str = "mnist"
    epochs: PositiveInt = 60
    batch_size: PositiveInt = 100
    final_rate: Share = 0.01
    weight_decay: NonNegativeFloat = 0.05
    latent_dim: PositiveInt = 20
    units: PositiveInt = 300
    activation: Literal["relu", "tanh", "gated"] = "gated"
    classes: PositiveInt = 10
    mixtures: PositiveInt = 3
    steps_per_execution: PositiveInt = 25
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = None

    def options(self, spec: Any) -> dict[str, Any]:
        """Labels, and the pixels' distribution."""
        pixels = {} if spec.levels == 2 else {"likelihood": "logistic_mixture", "mixtures": self.mixtures}
        return {"classes": self.classes, "unit_inputs": True, **pixels}
