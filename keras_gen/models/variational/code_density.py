"""A density of an autoencoder's codes, fitted after training: what makes it one that can be sampled."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer
from keras_gen.core.errors import InvalidInput
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.losses.latent_distributions import chosen_components


class CodeDensity(keras.layers.Layer):
    """A mixture of Gaussians of full covariance, by scikit-learn's EM. Before it is fitted, N(0, I).

    It travels as plain arrays among the model's weights: log-weights ``[K]``, means ``[K, d]``, Cholesky factors ``[K, d, d]``.
    """

    def __init__(self, components: int, latent_dim: int):
        super().__init__(name="code_density", dtype="float32")
        self.components, self.latent_dim = integer("components", components, 1), latent_dim

        def state(name: str, values: np.ndarray) -> keras.Variable:
            initializer = keras.initializers.Constant(values.astype("float32"))
            return self.add_weight(shape=values.shape, initializer=initializer, trainable=False, name=name)

        self.log_weights = state("log_weights", np.full(components, -np.log(components)))
        self.means = state("means", np.zeros((components, latent_dim)))
        self.factors = state("factors", np.tile(np.eye(latent_dim), (components, 1, 1)))
        self.built = True

    def noise_spec(self) -> NoiseSpec:
        """``z``, and ``z_component``, which chooses a component."""
        return {"z": Normal((self.latent_dim,)), "z_component": Uniform((1,))}

    def draw(self, epsilon: Any, uniform: Any) -> tf.Tensor:
        """Codes ``[n, d]`` of noise ``[n, d]`` and ``[n, 1]``."""
        index = chosen_components(tf.convert_to_tensor(self.log_weights), uniform)
        mean, factor = tf.gather(self.means.value, index), tf.gather(self.factors.value, index)
        return mean + tf.reduce_sum(factor * epsilon[:, None], axis=-1)

    def fit(self, codes: np.ndarray, seed: int) -> None:
        """Fits all of it to codes ``[n, d]``."""
        from sklearn.mixture import GaussianMixture

        if len(codes) < 2 * self.components:
            raise InvalidInput(
                f"{len(codes)} codes are too few for {self.components} Gaussians; give at least {2 * self.components} images, "
                "or fewer components."
            )
        # EM in double precision; codes that a network made of few images may lie on a plane, hence the floor.
        floor = 1e-6 + 1e-4 * float(np.var(codes, axis=0).mean())
        found = GaussianMixture(self.components, random_state=seed, reg_covar=floor).fit(codes.astype(np.float64))
        self.log_weights.assign(np.log(np.maximum(found.weights_, 1e-12)).astype("float32"))
        self.means.assign(found.means_.astype("float32"))
        self.factors.assign(np.linalg.cholesky(found.covariances_).astype("float32"))
