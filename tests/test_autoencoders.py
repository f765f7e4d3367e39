"""The autoencoder against principal components, and the VAE's parts as models: what they refuse, give and hide."""

import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import Normal, draw
from keras_gen.evaluation import latent
from keras_gen.losses.latent_distributions import DiagonalGaussian
from keras_gen.recipes.recipe import build

GREY, BINARY = kg.ImageSpec(4, 4, 1, 17), kg.ImageSpec(4, 4, 1, 2)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 17, (64, 4, 4, 1), dtype=np.uint8)
BITS = RANDOM.integers(0, 2, (64, 4, 4, 1), dtype=np.uint8)
LABELS = np.arange(64) % 3


# --- the autoencoder ---------------------------------------------------------------------------------------------------


def at_principal_components(images, size):
    """A linear autoencoder whose code is the projection on the first components, and the eigenvalues (values in ``[-1, 1]``)."""
    model = kg.Autoencoder(GREY, size, hidden=())
    x = (images.reshape(len(images), -1) / 8.0 - 1.0).astype(np.float64)
    mean, (values, vectors) = x.mean(0), np.linalg.eigh(np.cov(x.T, bias=True))
    components = vectors[:, ::-1][:, :size]
    model.encoder.set_weights([components, -mean @ components])
    model.decoder.set_weights([components.T, mean])
    return model, values[::-1]


def loss_and_gradients(model, images):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x={"image": images}, y_pred=model(images, training=True))
    return float(loss), [gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)]


def test_a_linear_autoencoders_optimum_is_the_principal_subspace():
    """Baldi and Hornik 1989: there the gradient vanishes, and what is lost are the left-out eigenvalues."""
    model, values = at_principal_components(IMAGES, 5)
    loss, gradients = loss_and_gradients(model, IMAGES)
    assert loss == pytest.approx(values[5:].sum() / 4.0, rel=1e-4)  # values in [0, 1] are half as far apart
    assert max(np.abs(each).max() for each in gradients) < 1e-4
    model.decoder.set_weights([weight * 0.9 for weight in model.decoder.get_weights()])
    worse, gradients = loss_and_gradients(model, IMAGES)
    assert worse > loss and max(np.abs(each).max() for each in gradients) > 0.01


def test_corruption_is_a_pure_function_of_its_noise():
    image = tf.constant(IMAGES[:3] / 8.0 - 1.0, tf.float32)
    for kind, noise in (("masking", 0.25), ("gaussian", 0.5)):
        model = kg.Autoencoder(GREY, 2, hidden=(4,), corruption=kind, noise=noise)
        drawn = draw(model.corruption_spec(), 3, 0)
        one, other = (np.asarray(model.corrupted(image, drawn)) for _ in range(2))
        np.testing.assert_array_equal(one, other)
        if kind == "masking":
            hidden = drawn["corruption"] < 0.25
            assert (one[hidden] == -1.0).all() and (one[~hidden] == image.numpy()[~hidden]).all() and hidden.any()
        else:
            np.testing.assert_allclose(one - image.numpy(), 0.5 * drawn["corruption"], atol=1e-6)


def test_the_best_linear_denoiser_is_wieners():
    """Of a Gaussian source of covariance C in noise s, ``C (C + s^2 I)^-1``: there the mean gradient over the noise vanishes."""
    model = kg.Autoencoder(GREY, 16, hidden=(), corruption="gaussian", noise=0.8)
    x = (IMAGES.reshape(64, -1) / 8.0 - 1.0).astype(np.float64)
    mean, covariance = x.mean(0), np.cov(x.T, bias=True)
    wiener = np.linalg.solve(covariance + 0.64 * np.eye(16), covariance)
    model.encoder.set_weights([wiener, mean - mean @ wiener])
    model.decoder.set_weights([np.eye(16), np.zeros(16)])
    many = np.repeat(IMAGES, 400, axis=0)
    _, gradients = loss_and_gradients(model, many)
    assert max(np.abs(each).max() for each in gradients) < 0.02
    model.encoder.set_weights([np.eye(16), np.zeros(16)])  # the identity: best without noise
    _, gradients = loss_and_gradients(model, many)
    assert max(np.abs(each).max() for each in gradients) > 0.1


def test_a_density_of_the_codes_is_drawn_as_it_was_fitted():
    model = kg.Autoencoder(GREY, 2, hidden=(6,), components=2, seed=1)
    with pytest.raises(kg.InvalidInput, match="too few for 2 Gaussians"):
        model.fit_density(IMAGES[:3])
    codes = np.concatenate([RANDOM.normal((5, 0), (1.0, 0.2), (300, 2)), RANDOM.normal((-5, 3), (0.3, 1.0), (700, 2))])
    model.density.fit(codes, 0)
    noise = draw(model.noise_spec(), 4_000, 0)
    drawn = np.asarray(model.density.draw(noise["z"], noise["z_component"]))
    right = drawn[:, 0] > 0
    assert right.mean() == pytest.approx(0.3, abs=0.03)
    for side, of in ((right, codes[:300]), (~right, codes[300:])):
        np.testing.assert_allclose(drawn[side].mean(0), of.mean(0), atol=0.15)
        np.testing.assert_allclose(np.cov(drawn[side].T), np.cov(of.T), atol=0.15)


def test_without_a_density_an_autoencoder_has_no_samples():
    model = kg.Autoencoder(BINARY, 3, hidden=(6,))
    assert set(model.endpoints()) == {"encode", "decode", "reconstruct"}
    with pytest.raises(kg.InvalidInput, match="draws no images from noise"):
        model.sample(3)
    with pytest.raises(kg.InvalidInput, match="no density to fit.*components="):
        model.fit_density(BITS)
    np.testing.assert_allclose(model.reconstruct(BITS), model.decode(model.encode(BITS)), atol=1e-6)
    assert latent.random_codes(model, BITS, 5).shape == (5, 4, 4, 1)


# --- VAEs --------------------------------------------------------------------------------------------------------------


def conditional(**options):
    return kg.ConditionalVAE(BINARY, 3, classes=3, hidden=(8,), **options)


@pytest.mark.parametrize(
    "build,expected",
    [
        (lambda: kg.BetaVAE(BINARY, hidden=(4,)), {"beta": 4.0}),
        (conditional, {"classes": 3}),
        (lambda: kg.IWAE(BINARY, 3, hidden=(4,), samples=5), {"bound": "iwae", "samples": 5}),
        (lambda: kg.VampVAE(BINARY, 3, hidden=(4,), components=3), {"prior": "vamp", "components": 3}),
        (lambda: kg.HierarchicalVAE(BINARY, 3, hidden=(4,), lower_latent_dim=2), {"hierarchy": "top_down"}),
    ],
    ids=["beta", "conditional", "iwae", "vamp", "hierarchical"],
)
def test_named_variants_are_settings_of_the_one_class(build, expected):
    model = build()
    config = model.get_config()
    assert {name: config[name] for name in expected} == expected
    again = type(model).from_config(config)
    assert again.get_config() == config
    given = {"label": LABELS} if model.classes else {}
    assert np.isfinite(model.elbo(BITS, **given)).all()


def two_layers(hierarchy, prior="standard_normal"):
    return kg.VAE(
        BINARY, 3, hidden=(8,), hierarchy=hierarchy, lower_latent_dim=2, lower_hidden=(5, 6), prior=prior, components=4
    )


def calmed(model):
    """The model with variances near 1: under a narrow one the weights of draws have endless variance."""
    latents = model.latents
    lower = latents.lower_posterior if hasattr(latents, "lower_posterior") else latents.upper_encoder
    for network in (model.encoder, latents.lower_prior, lower):
        network.set_weights([weight * 0.5 for weight in network.get_weights()])
    return model


@pytest.mark.parametrize("hierarchy,prior", [("top_down", "vamp"), ("top_down", "mixture"), ("bottom_up", "mixture")])
def test_a_second_layer_is_drawn_ancestrally_and_bounded_by_more_samples(hierarchy, prior):
    model = calmed(two_layers(hierarchy, prior))
    many = np.repeat(BITS, 20, axis=0)
    one, more = (model.log_prob_bound(many, k).mean() for k in (1, 20))
    assert one < more
    assert one == pytest.approx(model.elbo(many).mean(), abs=0.25)
    for network in (model.decoder, model.latents.lower_prior):  # untrained ones hardly move
        network.set_weights([weight * 4.0 for weight in network.get_weights()])
    noise = draw(model.noise_spec(), 4, 0)
    z = model.prior_distribution().draw(noise["z"], noise["z_component"])
    p = DiagonalGaussian.of(model.latents.lower_prior(z))
    lower = p.mean + np.exp(0.5 * np.asarray(p.log_variance)) * noise["z_lower"]
    seen = np.concatenate([lower, z], -1) if hierarchy == "top_down" else lower
    np.testing.assert_allclose(model.mean_images(noise), model.pixel_mean(model.decoder(seen)), atol=1e-5)
    assert model.encode(BITS)[0].shape == (64, 3) and model.decode(np.zeros((2, 3))).shape == (2, 4, 4, 1)


def test_importance_weights_of_two_layers_average_to_the_probability():
    """Over all images of 2x2 bits the unbiased estimates of P(x) sum to 1, whichever way latents are inferred."""
    every = np.array([[index >> bit & 1 for bit in range(4)] for index in range(16)], np.uint8).reshape(16, 2, 2, 1)
    for hierarchy in ("top_down", "bottom_up"):
        two = {"hierarchy": hierarchy, "lower_latent_dim": 2}
        model = calmed(kg.VAE((2, 2, 1, 2), 2, hidden=(6,), prior="mixture", components=3, **two))
        model.decoder.set_weights([weight * 3.0 for weight in model.decoder.get_weights()])
        probabilities = np.exp(model.log_prob_bound(every, 20_000))
        assert probabilities.sum() == pytest.approx(1.0, abs=0.05) and probabilities.std() > 0.01


def pixel_vae(levels=2, **options):
    """One whose network is far from its start, and whose map matters."""
    options = {"filters": 3, "blocks": 1, "first_kernel": 3, "hidden": (6,), **options}
    model = kg.PixelVAE((2, 2, 1, levels), 2, **options)
    model.decoder.set_weights([weight * 3.0 for weight in model.decoder.get_weights()])
    return model


def all_images(levels):
    grid = np.indices((levels,) * 4).reshape(4, -1).T
    return np.ascontiguousarray(grid.reshape(-1, 2, 2, 1), np.uint8)


@pytest.mark.parametrize("levels,output", [(2, None), (3, "softmax"), (3, "logistic_mixture")])
def test_an_autoregressive_decoder_is_a_distribution_of_images_given_z(levels, output):
    model, images = pixel_vae(levels, output=output), all_images(levels)
    probabilities = []
    for z in RANDOM.standard_normal((2, 1, 2)).astype("float32"):
        decoded = tf.repeat(model.decoder(z), len(images), axis=0)
        probabilities.append(np.exp(model.pixel_log_prob(images, decoded)))
        assert probabilities[-1].sum() == pytest.approx(1.0, abs=1e-5)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3  # it looks at z
    # Pixels depend on each other: their joint is no product.
    first, last = images[:, 0, 0, 0] == 0, images[:, 1, 1, 0] == 0
    both, one, other = (probabilities[0][rows].sum() for rows in (first & last, first, last))
    assert abs(both - one * other) > 1e-4


def test_a_decoder_that_draws_in_order_draws_as_the_naive_loop_does():
    model = pixel_vae(classes=3)
    noise, label = draw(model.noise_spec(), 12, 0), {"label": np.arange(12) % 3}
    decoded, naive = model._drawn(noise, label), np.zeros((12, 2, 2, 1), np.uint8)
    middle = np.zeros_like(naive)
    for place in np.ndindex(2, 2):
        for images, uniform in ((naive, noise["u"][:, *place]), (middle, 0.5)):
            logits = model.distribution._parameters_of(model.image_spec.to_unit(images), decoded)
            images[:, *place] = uniform < tf.sigmoid(logits[:, *place])
    np.testing.assert_array_equal(model.generate(noise, label), naive)
    np.testing.assert_array_equal(tf.function(model.distribution.mean)(decoded), middle)
    assert len(np.unique(naive, axis=0)) > 3 and model.draws_in_order


def test_the_recipe_of_a_pixel_vae_trains_and_is_measured():
    """Not by a whole run: every number of images that its report draws would be compiled for."""
    train = kg.data.load("digits").first(64)
    recipe = build("pixel_vae_mnist", {"filters": 3, "blocks": 1, "width": 3, "latent_dim": 2, "importance_samples": 2})
    model = recipe.model(train.image_spec, steps=2)
    model.fit(train, batch_size=recipe.batch_size, verbose=0)
    assert model.objective.warm_up == recipe.warm_up and isinstance(model.optimizer, kg.Muon)
    assert model.distribution.output_name == "softmax"
    bound = model.log_prob_bound(train.images[:4], recipe.evaluation["importance_samples"])
    assert np.isfinite(bound).all() and recipe.evaluation["importance_images"] == 1_000


def test_an_autoregressive_decoder_refuses_what_it_cannot_be():
    for options, message in (
        ({"filters": 4}, "filters=4 do not split among the image's 3 channels.*multiple of 3"),
        ({"filters": 3, "first_kernel": 1}, "first_kernel=1"),
        ({"filters": 3, "kernel_size": 2}, "kernel_size=2"),
        ({"filters": 3, "pixel_bias": True}, "pixel_bias starts at logits, which AutoregressiveLikelihood has not"),
        ({"filters": 3, "scale": 0.1}, "this one is AutoregressiveLikelihood"),
        ({"filters": 3, "output": "bernoulli"}, "256 levels"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            kg.PixelVAE((4, 4, 3), 2, hidden=(4,), **options)


def test_a_vamp_of_one_image_is_that_images_posterior():
    model = kg.VAE(BINARY, 3, hidden=(6,), prior="vamp", components=1)
    model.prior.pseudo_images.assign(BITS[:1].astype("float32"))
    mean, log_variance = model.encode(BITS[:1])
    mixture = model.prior_distribution()
    np.testing.assert_allclose(mixture.means, mean, atol=1e-6)
    z = mean + np.exp(0.5 * log_variance) * RANDOM.standard_normal((200, 3)).astype("float32")
    q = DiagonalGaussian(mean, log_variance)
    np.testing.assert_allclose(mixture.kl_from(q, z), np.zeros((200, 1)), atol=1e-4)  # KL(q || q), at every draw


def test_labels_condition_every_method():
    model = conditional()
    model.fit(BITS, LABELS, batch_size=16, epochs=2, verbose=0)
    z = RANDOM.standard_normal((1, 3)).astype("float32")
    pictures = [model.decode(z, label=[label]) for label in range(3)]
    assert np.abs(pictures[0] - pictures[1]).max() > 1e-4  # the class changes the picture of one code
    nats = model.log_prob_bound(BITS, 20, label=LABELS)
    assert nats.shape == (64,) and (nats != model.log_prob_bound(BITS, 20, label=(LABELS + 1) % 3)).any()
    assert model.reconstruct(BITS, label=LABELS).shape == BITS.shape
    for method in (model.encode, model.elbo, model.reconstruct, model.log_prob_bound):
        with pytest.raises(kg.InvalidInput, match="ConditionalVAE wants label="):
            method(BITS)
        with pytest.raises(kg.InvalidInput, match="out of range"):
            method(BITS, label=LABELS + 1)
    with pytest.raises(kg.InvalidInput, match="label"):
        model.fit(BITS, batch_size=16, verbose=0)


def test_walks_between_images_and_attributes_go_through_the_code():
    model = kg.VAE(BINARY, 3, hidden=(6,))
    walk = latent.encoded_interpolation(model, BITS[:2], BITS[2:4], 5)
    np.testing.assert_allclose(walk[:, 0], model.reconstruct(BITS[:2]), atol=1e-5)
    np.testing.assert_allclose(walk[:, -1], model.reconstruct(BITS[2:4]), atol=1e-5)
    moved = latent.attribute_arithmetic(model, BITS[:2], BITS[4:8], BITS[8:12], (0.0, 2.0))
    code = [model.encode(part)[0] for part in (BITS[:2], BITS[4:8], BITS[8:12])]
    np.testing.assert_allclose(
        moved[:, 1], model.decode(code[0] + 2.0 * (code[1].mean(0) - code[2].mean(0))), atol=1e-5
    )
    labelled = conditional()
    assert latent.encoded_interpolation(labelled, BITS[:2], BITS[2:4], 3, label=[1, 2]).shape == (2, 3, 4, 4, 1)
    with pytest.raises(kg.InvalidInput, match="2 starts and 1 ends"):
        latent.encoded_interpolation(model, BITS[:2], BITS[:1])
    with pytest.raises(kg.InvalidInput, match="GAN does not encode and decode"):
        latent.random_codes(kg.GAN((8, 8, 1), 2, width=4), BITS, 3)


def test_a_mixtures_noise_is_not_its_latent():
    """What is shown of noise goes through the prior; the plane of a mixture's noise is no map of its latents."""
    model = kg.VAE(BINARY, 2, hidden=(6,), prior="mixture", components=3)
    noise = draw(model.noise_spec(), 5, 0)
    np.testing.assert_allclose(latent.render(model, noise), model.mean_images(noise), atol=1e-6)
    assert np.abs(latent.render(model, noise) - model.decode(noise["z"])).max() > 1e-3
    assert not latent.has_manifold(model)


def test_a_collapsed_posterior_is_said(caplog):
    model = kg.VAE(BINARY, 2, hidden=(6,))
    model.encoder.set_weights([weight * 0.0 for weight in model.encoder.get_weights()])
    model.compile("sgd")
    model.optimizer.learning_rate = 0.0
    model.fit(BITS, batch_size=16, verbose=0)
    assert "posterior has collapsed: none of VAE's 2 latents" in caplog.text and "free_bits" in caplog.text


@pytest.mark.parametrize(
    "options,message",
    [
        ({"beta": -0.1}, "beta=-0.1; give a finite number of at least 0"),
        ({"samples": 0}, "samples=0; give an integer of at least 1"),
        ({"bound": "tight"}, "bound='tight' is unknown; give one of elbo, iwae"),
        ({"prior": "vampire"}, "Unknown prior 'vampire'. Did you mean 'vamp'"),
        ({"prior": Normal((3,))}, "prior=.*or a Prior of yours"),
        ({"prior": "vamp", "classes": 3}, "labels do not leave it; give prior='mixture'"),
        ({"prior": "vamp", "hierarchy": "bottom_up", "lower_latent_dim": 2}, "bottom_up.* do not leave it"),
        ({"hierarchy": "sideways", "lower_latent_dim": 2}, "hierarchy='sideways' is unknown"),
        ({"hierarchy": "top_down"}, "lower_latent_dim=None; give an integer"),
        ({"lower_latent_dim": 2}, "give hierarchy= too"),
        ({"hierarchy": "top_down", "lower_latent_dim": 2, "classes": 3}, "takes no labels here"),
        ({"bound": "iwae", "samples": 2, "free_bits": 0.1}, "leave free_bits and capacity out"),
        ({"resample": True}, "chooses among the draws of bound='iwae'"),
        ({"capacity": {"nats": 3.0}}, "give {'nats': 25.0"),
        ({"capacity": {"nats": 3.0, "steps": 9, "weight": 1.0}, "beta": 2.0}, "leave beta, warm_up and free_bits out"),
        ({"scale": 0.1}, "scale=0.1 is of a Gaussian likelihood, this one is bernoulli"),
        ({"likelihood": "gaussian", "scale": 0.0}, "scale=0.0; give a finite number above 0"),
        ({"likelihood": "gaussian", "pixel_bias": True}, "pixel_bias starts at logits"),
        ({"warm_up": 0.5}, "warm_up=0.5; give an integer"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(options, message):
    with pytest.raises(kg.InvalidInput, match=message):
        kg.VAE(BINARY, 3, hidden=(4,), **options)


def test_autoencoders_refuse_what_they_cannot_be():
    for options, message in (
        ({"corruption": "salt"}, "corruption='salt' is unknown; give one of masking, gaussian, or None"),
        ({"corruption": "masking", "noise": 1.5}, "noise=1.5; give a finite number from 0 to 1"),
        ({"components": 0}, "components=0; give an integer of at least 1"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            kg.Autoencoder(GREY, 3, hidden=(4,), **options)
    model = kg.Autoencoder(GREY, 3, hidden=(4,))
    with pytest.raises(kg.InvalidInput, match=r"z has shape \[2, 4\]; wanted \[n, 3\]"):
        model.decode(np.zeros((2, 4)))
    with pytest.raises(kg.InvalidInput, match="reach level 36"):
        model.encode(IMAGES + 20)
    with pytest.raises(kg.InvalidInput, match="k=0"):
        kg.VAE(BINARY, 3, hidden=(4,)).log_prob_bound(BITS, 0)
