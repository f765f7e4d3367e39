"""What `fit` takes from a user, and what it refuses, beyond the contract suite."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg

SPEC = kg.ImageSpec(8, 8, 1, 17)


@pytest.fixture(scope="module")
def vae():
    model = kg.VAE(SPEC, latent_dim=2, hidden=(8,))
    model.compile()
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 17, (32, 8, 8, 1), dtype=np.uint8)


def test_datasets_of_every_usual_shape(vae, images):
    labels = np.arange(32)
    for whole in (images, (images, labels), {"image": images, "label": labels}):
        dataset = tf.data.Dataset.from_tensor_slices(whole).batch(8)
        assert np.isfinite(vae.fit(dataset, verbose=0, validation_data=dataset).history["val_loss"][0])


def test_validation_and_evaluation_take_a_short_last_batch(vae, images):
    history = vae.fit(images, batch_size=16, validation_data=images[:5], verbose=0).history
    assert np.isfinite(history["val_loss"][0])
    assert np.isfinite(vae.evaluate(images[:5], batch_size=4, verbose=0)).all()


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda x: tf.data.Dataset.from_tensor_slices(x), r"\.batch\(n"),
        (lambda x: tf.data.Dataset.from_tensor_slices(x.astype("float32")).batch(8), "float32"),
        (lambda x: tf.data.Dataset.from_tensor_slices(x).batch(8).take(0), "empty"),
        (lambda x: tf.data.Dataset.from_tensor_slices({"picture": x}).batch(8), "key 'image'"),
        (lambda x: tf.data.Dataset.from_tensor_slices(x[:, :4]).batch(8), r"wanted uint8 \[b, 8, 8, 1\]"),
    ],
)
def test_bad_datasets_are_refused(vae, images, make, message):
    with pytest.raises(kg.InvalidInput, match=message):
        vae.fit(make(images), verbose=0)


def test_a_datasets_levels_are_watched(vae, images):
    dataset = tf.data.Dataset.from_tensor_slices(images + np.uint8(100)).batch(8)
    with pytest.raises(kg.InvalidInput, match="exceed level 16"):
        vae.fit(dataset, verbose=0)


def test_other_mistakes_are_refused(vae, images):
    with pytest.raises(kg.InvalidInput, match="makes no full batch"):
        vae.fit(images, batch_size=64, verbose=0)
    with pytest.raises(kg.InvalidInput, match="validation_split"):
        vae.fit(images, validation_split=0.1, verbose=0)
    with pytest.raises(kg.InvalidInput, match="n=0 images"):
        vae.sample(0)
    with pytest.raises(kg.InvalidInput, match="seed='a'"):
        vae.sample(1, seed="a")
    with pytest.raises(kg.InvalidInput, match=r"wanted \[n, 2\]"):
        vae.images_of({"z": np.zeros((3, 5), np.float32)})
    with pytest.raises(kg.InvalidInput, match="takes \\['z'\\]"):
        vae.images_of({"noise": np.zeros((3, 2), np.float32)})


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: kg.VAE((8, 8, 1), likelihood="bernoulli"), "256 levels.*binarize"),
        (lambda: kg.VAE((8, 8, 1), likelihood="laplace"), "bernoulli, gaussian"),
        (lambda: kg.VAE((8, 8, 1), latent_dim=0), "at least 1"),
        (lambda: kg.VAE((8, 8, 1), architecture="transformer"), "mlp, convolutional"),
        (lambda: kg.VAE((8, 8, 1), beta=-1.0), "at least 0"),
        (lambda: kg.VAE((9, 9, 1), architecture="convolutional"), "cannot halve 9x9"),
        (lambda: kg.VAE((8, 8)), "ImageSpec"),
        (lambda: kg.ImageSpec(8, 8, 1, 300), "levels=300"),
        (lambda: kg.ImageSpec(0, 8, 1), "height=0"),
        (lambda: kg.GAN((8, 8, 1), objective="least"), "Known: hinge, .*, minimax, non_saturating, .*wasserstein"),
        (lambda: kg.GAN((8, 8, 1), critic_steps=0), "critic_steps=0"),
        (lambda: kg.GAN((8, 8, 1), ema_decay=1.5), "ema_decay=1.5"),
        (lambda: kg.GAN((7, 7, 1)), "cannot halve 7x7"),
        (lambda: kg.GAN((8, 8, 1), generator="dcgan"), "not a built Keras model"),
    ],
)
def test_bad_models_are_refused(build, message):
    with pytest.raises(kg.InvalidInput, match=message):
        build()


def test_networks_of_the_users_own_are_checked_and_used():
    encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6)])
    model = kg.VAE(SPEC, latent_dim=3, encoder=encoder)
    assert model.encoder is encoder
    with pytest.raises(kg.InvalidInput, match=r"encoder gives \[b, 6\]; wanted \[b, 8\]"):
        kg.VAE(SPEC, latent_dim=4, encoder=encoder)
    patches = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, 2, "same")])
    gan = kg.GAN(SPEC, latent_dim=4, width=4, discriminator=patches)
    history = gan.fit(np.zeros((8, 8, 8, 1), np.uint8), batch_size=8, verbose=0).history
    assert np.isfinite(history["generator_loss"]).all()


def test_train_on_batch_serves_every_turn(images):
    gan = kg.GAN(SPEC, latent_dim=4, width=4, critic_steps=3)
    gan.compile()
    gan.train_on_batch({"image": images[:8]})
    assert int(gan.discriminator_optimizer.iterations.numpy()) == 3
    assert int(gan.generator_optimizer.iterations.numpy()) == 1


def test_the_same_optimizer_for_both_players_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(kg.InvalidInput, match="Give two"):
        kg.GAN(SPEC, width=4).compile(adam, adam)


def test_what_replicas_cannot_do_is_refused(two_replicas, images):
    with two_replicas.scope():
        model = kg.VAE(SPEC, latent_dim=2, hidden=(8,))
        with pytest.raises(kg.InvalidInput, match="jit_compile"):
            model.compile(jit_compile=True)
        with pytest.raises(kg.InvalidInput, match="steps_per_execution"):
            model.compile(steps_per_execution=4)
        model.compile()
    with pytest.raises(kg.InvalidInput, match="2 replicas"):
        model.fit(images, batch_size=5, verbose=0)
    with pytest.raises(kg.InvalidInput, match="drop_remainder=True"):
        model.fit(tf.data.Dataset.from_tensor_slices(images).batch(8), verbose=0)


def test_xla_and_several_steps_a_call_train_the_same_weights(images):
    """XLA reorders sums, so equal to rounding; the noise must be the same stream."""
    models = []
    for options in ({}, {"jit_compile": True, "steps_per_execution": 4}):
        keras.utils.set_random_seed(3)
        model = kg.VAE(SPEC, latent_dim=2, hidden=(8,))
        model.compile(keras.optimizers.SGD(1e-4), **options)
        model.fit(images, batch_size=8, epochs=2, verbose=0)
        models.append(model)
    for plain, compiled in zip(*(model.get_weights() for model in models)):
        np.testing.assert_allclose(plain, compiled, atol=1e-5)


def test_elbo_and_codes(vae, images):
    bound = vae.elbo(images, seed=1)
    np.testing.assert_array_equal(bound, vae.elbo(images, seed=1))
    assert bound.shape == (32,) and (bound < 0).all()
    mean, log_variance = vae.encode(images)
    assert mean.shape == log_variance.shape == (32, 2)
    decoded = vae.decode(mean)
    assert decoded.shape == images.shape and 0 <= decoded.min() and decoded.max() <= 1
