"""VAE on binarized MNIST (fixed binarization; Larochelle and Murray 2011).

The one-layer sizes of Burda et al. 2016: 50 latents, two layers of 200 each way, Bernoulli decoder; ReLU in place of
their tanh, which learns slowly here. Theirs trains 3,280 epochs at batch 20 and reaches a test NLL of 88.71 nats (k = 1,
appendix table 3, 5,000 importance samples); this one 100 epochs with a cosine decay from 1e-3.
Expect 92. About 4 min on a CPU core, 21 on a slow and busy machine.
"""

import keras_gen as kg
from keras_gen.recipes.recipe import PositiveFloat, PositiveInt, Precision, Recipe


def vae_mnist(
    data: str = "binarized_mnist",
    epochs: PositiveInt = 100,
    batch_size: PositiveInt = 50,
    learning_rate: PositiveFloat = 1e-3,
    latent_dim: PositiveInt = 50,
    units: PositiveInt = 200,
    beta: float = 1.0,
    importance_samples: int = 5000,
    dtype: Precision = "float32",
    seed: int = 0,
) -> Recipe:
    """Trained on the 50,000 training images; the bound and the importance-weighted NLL are of the 10,000 test images."""

    def model(spec: kg.ImageSpec, steps: int) -> kg.VAE:
        import keras

        from keras_gen.core.replicas import replica_count

        vae = kg.VAE(spec, latent_dim, hidden=(units, units), beta=beta, dtype=dtype, seed=seed)
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.01)
        optimizer = keras.optimizers.Adam(schedule)
        # 25 compiled steps a call: a step of 1 ms would otherwise wait on Python. Neither works on several GPUs in step.
        alone = replica_count() == 1
        vae.compile(optimizer, jit_compile=alone or "auto", steps_per_execution=25 if alone else 1)
        return vae

    return Recipe(
        data,
        model,
        epochs,
        batch_size,
        seed,
        checkpoint_every=10,
        sample_every=max(1, epochs // 10),
        evaluation={"samples": 10_000, "importance_samples": importance_samples, "importance_images": 2_000},
        published=(("nll", 88.71, "Burda et al. 2016, appendix table 3, VAE 1 layer k = 1, 5,000 samples"),),
    )
