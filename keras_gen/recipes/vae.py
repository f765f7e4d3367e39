"""Variational autoencoders (Kingma and Welling 2014)."""

from keras_gen.recipes.recipe import Cost, Expected, PositiveFloat, PositiveInt, Published, Share
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

    Fixed binarization (Larochelle and Murray 2011); trained on the 50,000 training images. The one-layer sizes of Burda et al.
    2016: 50 latents, two layers of 200 each way, Bernoulli decoder; ReLU in place of their tanh, which learns slowly here.
    Theirs trains 3,280 epochs at batch 20 and reaches a test NLL of 88.71 nats (k = 1, appendix table 3, 5,000 importance
    samples); this one 100 epochs with a cosine decay from 1e-3. Expect 92. About 4 min on a CPU core, 21 on a slow and busy
    machine.
    """

    published = (Published("nll", 88.71, "Burda et al. 2016, appendix table 3, VAE 1 layer k = 1, 5,000 samples"),)
    cost = Cost(4)
    expected = Expected("nll", 92, "nats")

    data: str = "binarized_mnist"
    epochs: PositiveInt = 100
    batch_size: PositiveInt = 50
    final_rate: Share = 0.01
    latent_dim: PositiveInt = 50
    units: PositiveInt = 200
    importance_samples: PositiveInt | None = 5_000
    importance_images: PositiveInt | None = 2_000
    steps_per_execution: PositiveInt = 25
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = None
