"""pix2pix and CycleGAN: losses by hand, dropout as an input, pools, lightness kept, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen.core import lab
from keras_gen.core.noise import draw
from keras_gen.models.translation.image_pool import ImagePool

SPEC = kg.ImageSpec(8, 8, 1, 17)
RANDOM = np.random.default_rng(0)
A, B = (RANDOM.integers(0, 17, (8, 8, 8, 1), dtype=np.uint8) for _ in range(2))
PAIRS = {"source": A, "image": B}


def unit(images):
    return images.astype(np.float64) / 8.0 - 1.0


def scaled(factor):
    """A generator that multiplies its image."""
    image = keras.Input(SPEC.shape)
    return keras.Model(image, layers.Rescaling(factor)(image))


def verdict(channels, weights):
    """A discriminator whose logit at a pixel is the weighed sum of its channels, and 1/4."""
    layer = layers.Conv2D(1, 1)
    network = keras.Sequential([keras.Input((8, 8, channels)), layer])
    network.set_weights([np.reshape(weights, (1, 1, channels, 1)), np.array([0.25])])
    return network


def pix2pix(**arguments):
    keras.utils.set_random_seed(5)
    model = kg.Pix2Pix(SPEC, **{"width": 2, "patch_layers": 0, **arguments})
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), run_eagerly=True)  # graphs are the contract's
    return model


def cycle_gan(**arguments):
    keras.utils.set_random_seed(6)
    networks = {"width": 2, "blocks": 0, "patch_layers": 0}
    model = kg.CycleGAN(SPEC, **{**networks, **arguments})
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4), run_eagerly=True)
    return model


def weights_of(*networks):
    return [weight for network in networks for weight in network.get_weights()]


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


# --- losses by hand -----------------------------------------------------------------------------------------------------


def test_pix2pix_pays_what_the_paper_says():
    model = pix2pix(generator=scaled(0.5), discriminator=verdict(2, [1.0, -2.0]), l1_weight=100.0)
    a, b = unit(A), unit(B)
    real, fake = a - 2.0 * b + 0.25, a - 2.0 * (0.5 * a) + 0.25
    fakes = model.make_fakes(PAIRS, {}, training=True)
    bce = lambda logits, of: np.log1p(np.exp(-logits if of else logits)).mean((1, 2, 3))  # noqa: E731
    found = model.discriminator_loss(PAIRS, fakes, training=True)
    np.testing.assert_allclose(found, 0.5 * (bce(real, 1) + bce(fake, 0)), rtol=1e-5)
    l1 = np.abs(b - 0.5 * a).mean((1, 2, 3))
    np.testing.assert_allclose(model.generator_loss(PAIRS, fakes, True), bce(fake, 1) + 100.0 * l1, rtol=1e-5)


def test_the_discriminator_looks_at_the_source_unless_told_not_to():
    other = {**PAIRS, "source": A[::-1]}
    for conditional in (True, False):
        model = pix2pix(conditional=conditional)
        one, two = (model.logits(each["source"], unit(B)).numpy() for each in (PAIRS, other))
        assert (np.abs(one - two).max() > 1e-6) == conditional


@pytest.mark.parametrize("factor,identity_weight", [(1.0, 0.5), (-1.0, 0.5), (-1.0, 0.0)])
def test_cycle_gan_pays_what_the_paper_says(factor, identity_weight):
    """Generators that change nothing, or turn the sign: either comes back whole, and only one leaves its own domain alone."""
    networks = {"generator": scaled(factor), "generator_ba": scaled(factor)}
    networks |= {"discriminator": verdict(1, [1.0]), "discriminator_a": verdict(1, [3.0])}
    model = cycle_gan(**networks, identity_weight=identity_weight, pool_size=0)
    a, b = unit(A), unit(B)
    fakes = model.make_fakes(PAIRS, {}, training=True)
    of_b, of_a = (lambda x: x + 0.25), (lambda x: 3.0 * x + 0.25)
    mean = lambda values: values.mean((1, 2, 3))  # noqa: E731
    paid = 0.5 * (mean((of_b(b) - 1) ** 2) + mean(of_b(factor * a) ** 2))
    paid += 0.5 * (mean((of_a(a) - 1) ** 2) + mean(of_a(factor * b) ** 2))
    np.testing.assert_allclose(model.discriminator_loss(PAIRS, fakes, True), paid, rtol=1e-5)
    owed = mean((of_b(factor * a) - 1) ** 2) + mean((of_a(factor * b) - 1) ** 2)
    identity = (1.0 - factor) * (mean(np.abs(a)) + mean(np.abs(b)))
    owed += 10.0 * identity_weight * identity
    np.testing.assert_allclose(model.generator_loss(PAIRS, fakes, True), owed, rtol=1e-5)
    result = model.get_metrics_result()
    assert float(result["cycle_loss"]) == 0.0
    assert identity_weight == 0.0 or float(result["identity_loss"]) == pytest.approx(identity.mean(), abs=1e-6)


@pytest.mark.parametrize("make", [pix2pix, cycle_gan])
def test_each_side_moves_its_own_networks_alone(make):
    for still in (0, 1):
        model = make()
        sides = (model.generator_side, model.discriminator_side)
        before = [weights_of(*side) for side in sides]
        rates = (0.0 if side == still else 1e-3 for side in (0, 1))
        model.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
        model.train_on_batch(PAIRS)
        assert_same(weights_of(*sides[still]), before[still])
        moved = [np.abs(x - y).max() for x, y in zip(weights_of(*sides[1 - still]), before[1 - still])]
        assert max(moved) > 0.0


@pytest.mark.parametrize("make", [pix2pix, cycle_gan])
def test_other_objectives_play_too(make):
    """One that wants the reals in the generator's loss; one without a threshold."""
    for name in ("relativistic_average", "wasserstein"):
        model = make(objective=name)
        fakes = model.make_fakes(PAIRS, draw(model.noise_spec(), 8, 0), training=True)
        for question in (model.discriminator_loss, model.generator_loss):
            assert np.isfinite(question(PAIRS, fakes, training=True)).all()


# --- pix2pix ------------------------------------------------------------------------------------------------------------


def test_dropout_is_an_input():
    model = pix2pix(dropout=0.25)
    # Kernels of 0.02 would hide it behind the rounding to levels.
    model.generator.set_weights([weight * 10.0 for weight in model.generator.get_weights()])
    assert {name: kind.shape for name, kind in model.noise_spec().items()} == {"drop1": (2, 2, 4), "drop2": (4, 4, 2)}
    plain = model.translate(A, deterministic=True)
    np.testing.assert_array_equal(plain, model.translate(A, seed=7, deterministic=True))
    np.testing.assert_array_equal(model.translate(A, seed=1), model.translate(A, seed=1))
    assert not np.array_equal(model.translate(A, seed=1), model.translate(A, seed=2))
    assert not np.array_equal(model.translate(A, seed=1), plain)
    ones = [np.ones((8, *kind.shape), np.float32) for kind in model.noise_spec().values()]
    np.testing.assert_array_equal(plain, SPEC.from_unit(model.generator([unit(A), *ones])))
    # Nothing dropped: every map is scaled as those that stay in training.
    kept = {name: np.full((8, *kind.shape), 0.25, np.float32) for name, kind in model.noise_spec().items()}
    scaled_up = SPEC.from_unit(model.generator([unit(A), *(one / 0.75 for one in ones)]))
    np.testing.assert_array_equal(model.generate(kept, {"source": A}), scaled_up)
    dropped = {name: np.nextafter(values, np.float32(0)) for name, values in kept.items()}
    zeros = SPEC.from_unit(model.generator([unit(A), *(0.0 * one for one in ones)]))
    np.testing.assert_array_equal(model.generate(dropped, {"source": A}), zeros)
    assert pix2pix(dropout=0.0).noise_spec() == {} and set(pix2pix(dropout=0.0).condition_spec()) == {"source"}


def test_a_picture_does_not_depend_on_the_rest_of_its_batch():
    model = pix2pix()
    model.generator.set_weights([weight * 10.0 for weight in model.generator.get_weights()])
    whole = model.translate(A, seed=3)
    np.testing.assert_array_equal(whole, model.translate(A, seed=3, batch_size=3))
    np.testing.assert_array_equal(whole[:2], model.translate(A[:2], seed=3))


def test_l1_alone_has_no_discriminator_and_counts_its_steps(tmp_path):
    model = pix2pix(adversarial_weight=0.0)
    assert model.discriminator is None and model.discriminator_side == []
    history = model.fit(PAIRS, batch_size=4, epochs=2, verbose=0).history
    assert (
        model.steps_made() == 4 and history["discriminator_loss"] == [0.0, 0.0] and "accuracy_on_reals" not in history
    )
    np.testing.assert_allclose(history["generator_loss"], 100.0 * np.array(history["l1"]), rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.fit(PAIRS, batch_size=4, verbose=0)
    assert again.steps_made() == 6
    assert_same(weights_of(model.generator), weights_of(again.generator))


def constant_generator():
    """One value, learnt, whatever the source."""
    layer = layers.Conv2D(1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-0.1))
    return keras.Sequential([keras.Input(SPEC.shape), layer])


def test_l1_learns_the_median_and_the_adversary_chooses():
    """One source, two images equally likely: L1 is content with anything between, the discriminator with neither of that."""
    black_and_white = np.zeros((8, *SPEC.shape), np.uint8)
    black_and_white[::2] = 16
    skewed = {"source": A[:1].repeat(8, 0), "image": black_and_white.copy()}
    skewed["image"][1:4:2] = (
        12  # levels 16, 12, 16, 12, 16, 0, 16, 0: the median lies between 12 and 16, the mean is 11
    )
    model = pix2pix(generator=constant_generator(), adversarial_weight=0.0, l1_weight=1.0)
    model.compile(keras.optimizers.Adam(0.05), keras.optimizers.Adam(0.05))
    for _ in range(40):
        model.train_on_batch(skewed)
    level = float(8.0 * (model.generator.get_weights()[1][0] + 1.0))
    assert 11.5 < level < 16.5
    pair = {**skewed, "image": black_and_white}
    wide = keras.Sequential([keras.Input((8, 8, 2)), layers.Conv2D(16, 1), layers.LeakyReLU(0.2), layers.Conv2D(1, 1)])
    found = {}
    for weight in (0.0, 1.0):
        networks = {"generator": constant_generator(), **({"discriminator": wide} if weight else {})}
        model = pix2pix(**networks, adversarial_weight=weight, l1_weight=0.5)
        model.compile(keras.optimizers.Adam(0.015, beta_1=0.5), keras.optimizers.Adam(0.03, beta_1=0.5))
        for _ in range(80):
            model.train_on_batch(pair)
        found[weight] = abs(float(model.generator.get_weights()[1][0]))
    assert found[0.0] < 0.3 and found[1.0] > 0.7, found


def test_colours_are_predicted_at_the_lightness_that_is_given():
    spec, grey = kg.ImageSpec(8, 8, 3), kg.ImageSpec(8, 8, 1)
    model = kg.Pix2Pix(spec, grey, predicts="colour", width=2, patch_layers=0, dropout=0.0)
    model.generator.set_weights([weight * 30.0 for weight in model.generator.get_weights()])  # colours no screen shows
    sources = RANDOM.integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    images = model.translate(sources)
    assert images.shape == (4, 8, 8, 3) and (images.max(-1) - images.min(-1)).max() > 60
    kept = lab.grey_of(images.astype(np.float32) / 255.0) * 255.0
    assert np.abs(kept - sources).max() <= 1.0
    # What is learnt from: the colour of the true image, L1 in its units.
    truth = model.prediction.target(images)
    np.testing.assert_allclose(model.prediction.image(sources, truth).numpy().astype(int), images, atol=2)
    coloured = kg.Pix2Pix(spec, predicts="colour", width=2, patch_layers=0, dropout=0.0)
    np.testing.assert_allclose(coloured.prediction.source(images), model.prediction.source(sources), atol=0.02)


# --- CycleGAN -----------------------------------------------------------------------------------------------------------


def test_without_noise_to_sample_is_to_translate():
    model = cycle_gan()
    forth, back = model.translate_ab(A), model.translate_ba(B)
    np.testing.assert_array_equal(forth, model.sample(8, source=A))
    np.testing.assert_array_equal(forth, model.sample(8, seed=5, source=A, batch_size=3))
    np.testing.assert_array_equal(forth, model.images_of({}, {"source": A}))
    np.testing.assert_array_equal(forth[:1].repeat(3, 0), model.sample(3, source=A[0]))
    np.testing.assert_array_equal(back, SPEC.from_unit(model.generator_ba(unit(B).astype(np.float32))))
    np.testing.assert_allclose(model.predict(A, verbose=0), model(A), atol=1e-6)
    with pytest.raises(kg.InvalidInput, match="CycleGAN wants source=, one an image"):
        model.sample(3)
    with pytest.raises(kg.InvalidInput, match="nothing to make images of; give source"):
        model.images_of({})


def test_two_sets_of_any_lengths():
    model = cycle_gan()
    history = model.fit(A, B[:5], batch_size=4, validation_data=(A[:3], B[:2]), verbose=0).history
    assert model.steps_made() == 2
    assert {"cycle_loss", "val_cycle_loss", "accuracy_on_reals", "generator_loss"} <= set(history)
    with pytest.raises(kg.InvalidInput, match=r"wants two sets of images: fit\(a, b\)"):
        model.fit(A, batch_size=4)


def exchanged_one_by_one(pool, stored, size, images, swap, place):
    """Zhu et al. 2017, of one image after the other, in NumPy."""
    returned = []
    for image, u, v in zip(images, swap, place):
        if stored < size:
            pool[stored] = image
            stored += 1
            returned.append(image)
        elif u < 0.5:
            returned.append(pool[int(v * size)].copy())
            pool[int(v * size)] = image
        else:
            returned.append(image)
    return np.stack(returned), stored


def test_a_pool_of_earlier_images():
    size, pool = 6, ImagePool(6, (1, 2, 1), "pool")
    kept, stored, old, seen = np.zeros((size, 1, 2, 1), np.float32), 0, 0, 0
    for step, batch in enumerate([1, 4, 3, 5, 9, *[4] * 60]):  # filled within the third
        images = RANDOM.standard_normal((batch, 1, 2, 1)).astype(np.float32)
        noise = draw(pool.noise_spec(), batch, seed=step)
        full = stored == size
        wanted, stored = exchanged_one_by_one(
            kept, stored, size, images, *(noise[f"pool_{n}"] for n in ("swap", "place"))
        )
        found = pool.exchange(tf.constant(images), noise).numpy()
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(pool.images, kept)
        assert int(pool.stored) == stored <= size
        if full:
            old, seen = old + int((found != images).any((1, 2, 3)).sum()), seen + batch
    assert abs(old / seen - 0.5) < 0.1
    store = {}
    pool.save(store)
    again = ImagePool(size, (1, 2, 1), "pool")
    again.load(store)
    np.testing.assert_array_equal(again.images, pool.images)
    assert int(again.stored) == stored
    with pytest.raises(kg.InvalidInput, match=r"holds \[6, 1, 2, 1\]; wanted at most \[5, 1, 2, 1\]"):
        ImagePool(5, (1, 2, 1), "pool").load(store)
    again.load({})
    assert int(again.stored) == 0


def test_training_goes_on_in_the_middle_of_the_pools_filling(tmp_path):
    straight = cycle_gan(pool_size=10)
    straight.fit(A, B, batch_size=4, verbose=0)
    assert [int(pool.stored) for pool in straight.pools.values()] == [8, 8]
    straight.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    for model in (straight, resumed):
        model.fit(A, B, batch_size=4, epochs=2, verbose=0)
    assert_same(straight.get_weights(), resumed.get_weights())
    for name, pool in straight.pools.items():
        assert int(pool.stored) == int(resumed.pools[name].stored) == 10
        np.testing.assert_array_equal(pool.images, resumed.pools[name].images)
    # What was stored are fakes, each of its own: the pool is no view of a later batch.
    stored = straight.pools["image"].images.numpy().reshape(10, -1)
    assert len(np.unique(stored, axis=0)) == 10


def test_discriminators_pay_for_what_the_pool_gives_and_generators_for_the_fresh():
    model = cycle_gan(pool_size=4)
    shown = []
    paid = model.discriminator_loss
    model.discriminator_loss = lambda batch, fakes, training: (shown.append(fakes), paid(batch, fakes, training))[1]
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4), run_eagerly=True)
    for _ in range(3):
        pool = {name: each.images.numpy() for name, each in model.pools.items()}
        fresh = {name: value.numpy() for name, value in model.make_fakes(PAIRS, {}, training=True).items()}
        model.train_on_batch(PAIRS)
        for name, images in shown[-1].items():
            known = np.concatenate([fresh[name], pool[name]])
            assert all((np.abs(known - image).max((1, 2, 3)) < 1e-5).any() for image in images.numpy())
    assert np.abs(shown[-1]["image"].numpy() - fresh["image"]).max() > 1e-4


# --- rates, and what is refused -----------------------------------------------------------------------------------------


def test_the_rate_is_constant_and_then_falls_in_a_straight_line():
    rate = kg.LinearDecay(2e-4, 200, constant=0.5)
    assert [float(rate(step)) for step in (0, 50, 100)] == pytest.approx([2e-4] * 3)
    assert [float(rate(step)) for step in (125, 150, 175, 200, 300)] == pytest.approx([1.5e-4, 1e-4, 0.5e-4, 0.0, 0.0])


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: kg.Pix2Pix((28, 28, 1)), "cannot halve 28x28.*24x24 or 32x32, or downs=2"),
        (lambda: kg.Pix2Pix((8, 8, 1), (8, 16, 1)), "source_spec is of 8x16 pixels, image_spec of 8x8.*resize one"),
        (lambda: kg.Pix2Pix((8, 8, 1), predicts="colour"), "images of 1; wanted.*3 channels, RGB"),
        (lambda: kg.Pix2Pix((8, 8, 3), predicts="depth"), "colour, image"),
        (lambda: kg.Pix2Pix((8, 8, 1), l1_weight=0, adversarial_weight=0), "nothing to learn from"),
        (lambda: kg.Pix2Pix((8, 8, 1), adversarial_weight=0, discriminator=verdict(2, [1, 1])), "leave it out"),
        (lambda: kg.Pix2Pix((8, 8, 1), patch_layers=3), "leaves nothing of 8x8 images"),
        (lambda: kg.Pix2Pix((8, 8, 1), generator=verdict(2, [1, 1])), r"generator takes \[b, 8, 8, 2\]"),
        (lambda: kg.Pix2Pix((8, 8, 1), dropout=1.0), "dropout=1.0"),
        (lambda: kg.CycleGAN((30, 30, 3)), "28x28 or 32x32"),
        (lambda: kg.CycleGAN((8, 8, 3), (8, 8, 1), identity_weight=0.5), "1 channels and images 3: set it to 0"),
        (lambda: kg.CycleGAN((8, 8, 3), pool_size=-1), "pool_size=-1"),
        (lambda: kg.CycleGAN((8, 8, 3), objective="cycle"), "Known: hinge"),
    ],
)
def test_what_cannot_be_built_is_said_at_once(make, message):
    with pytest.raises(kg.InvalidInput, match=message):
        make()


def test_what_cannot_be_translated_is_said_at_once():
    model = pix2pix()
    with pytest.raises(kg.InvalidInput, match=r"shape \[8, 8, 8, 3\]; wanted uint8 \[n, 8, 8, 1\]"):
        model.translate(A.repeat(3, -1))
    with pytest.raises(kg.InvalidInput, match="wants a source for each image"):
        model.fit(B, batch_size=4)
    with pytest.raises(kg.InvalidInput, match=r"rank 2 and shape \[2, 3\]; wanted uint8 \[n, 8, 8, 1\]"):
        model(np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize("way", ["__call__", "predict", "predict_on_batch"])
def test_every_way_in_wants_sources_as_they_are(way):
    """Floats, or levels that there are not, would be translated as something else."""
    grey = kg.ImageSpec(8, 8, 1, 17)
    give = getattr(kg.Pix2Pix(SPEC, grey, width=2, patch_layers=0), way)
    assert np.shape(give(np.full((2, 8, 8, 1), 16, np.uint8))) == (2, *SPEC.shape)
    for sources, message in (
        (np.zeros((2, 8, 8, 1), np.float32), "float32"),
        (np.full((2, 8, 8, 1), 17, np.uint8), r"level 17.*\[0, 16\]"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"\[2, 8, 8, 3\]"),
        ({"image": np.zeros((2, 8, 8, 1), np.uint8)}, "wanted sources"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            give(sources)


def test_a_graph_wants_sources_of_their_dtype():
    graph = tf.function(pix2pix(), autograph=False, input_signature=[tf.TensorSpec((None, 8, 8, 1))])
    with pytest.raises(kg.InvalidInput, match=r"float32 \[None, 8, 8, 1\]; wanted sources"):
        graph.get_concrete_function()
