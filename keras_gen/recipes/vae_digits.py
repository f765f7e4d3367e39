"""VAE with a 2-D latent space on scikit-learn's digits (8x8, 17 levels, embedded).

Kingma and Welling 2014, with a discretized Gaussian decoder. About 30 s on 2 busy CPU cores. Expect a test ELBO of about
-96 nats (2.17 bits/dim); nothing is published on this data.
"""

import keras_gen as kg
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def vae_digits(
    data: str = "digits",
    epochs: PositiveInt = 60,
    batch_size: PositiveInt = 64,
    learning_rate: PositiveFloat = 2e-3,
    latent_dim: PositiveInt = 2,
    units: PositiveInt = 128,
    beta: float = 1.0,
    dtype: Precision = "float32",
    checkpoint_every: PositiveInt = 20,
    seed: int = 0,
) -> Recipe:
    """A small MLP each way; the 2-D latent plane is drawn as a manifold."""

    def model(spec: kg.ImageSpec, steps: int) -> kg.VAE:
        import keras

        vae = kg.VAE(spec, latent_dim, hidden=(units, units), beta=beta, dtype=dtype, seed=seed)
        vae.compile(keras.optimizers.Adam(learning_rate))
        return vae

    return Recipe(data, model, epochs, batch_size, seed, checkpoint_every=checkpoint_every, sample_every=10)
