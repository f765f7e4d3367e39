"""ProGAN: what Karras et al. 2018 say of its networks, and growth as a function of images seen."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.layers.equalized import EqualizedConvolution, EqualizedDense
from keras_gen.layers.minibatch_deviation import MinibatchDeviation
from keras_gen.layers.pixel_normalization import PixelNormalization
from keras_gen.losses.penalties import Penalty
from keras_gen.models.adversarial.growth import GrowthSchedule
from keras_gen.networks.growing import GrowingDiscriminator, GrowingGenerator, doubled, halved, maps_at
from keras_gen.recipes.recipe import build
from keras_gen.training.ema import copy_of, update_average

SMALL = {"stages": 2, "channels": 2, "width": 6, "maps": 24}


def numbers_in(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)


def standing(network, stage, fading=False, fade=1.0):
    network.stand(stage, fading)
    network.fade.assign(fade)
    return network


def tiny(**changes):
    keras.utils.set_random_seed(3)
    settings = {"schedule": {"steady": 32, "fade": 64}, "latent_dim": 4, "width": 6, "maps": 24, "ema_decay": 0.9}
    model = kg.ProgressiveGAN(kg.ImageSpec(8, 8, 1), **{**settings, **changes})
    model.compile()
    return model


def test_the_networks_have_the_weights_of_the_authors():
    """Counted from the authors' code for CIFAR-10."""
    sizes = {"stages": 3, "channels": 3, "width": 128, "maps": 4096}
    assert numbers_in(GrowingGenerator(128, **sizes)) == 1_296_908
    assert numbers_in(GrowingDiscriminator(**sizes)) == 1_298_689


@pytest.mark.parametrize("side, maps", [(4, 512), (16, 512), (32, 512), (64, 256), (256, 64), (1024, 16)])
def test_maps_of_the_largest_networks(side, maps):
    """Karras et al. 2018, table 2."""
    assert maps_at(side, 512, 8192) == maps


def test_layers_that_only_begin_to_come_leave_the_pair_as_it_was():
    generator, z = GrowingGenerator(4, **SMALL), np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    before = standing(generator, 1)(z)
    np.testing.assert_array_equal(standing(generator, 2, True, 0.0)(z), doubled(before))
    discriminator = GrowingDiscriminator(**SMALL)
    images = np.random.default_rng(1).normal(size=(5, 16, 16, 2)).astype("float32")
    before = standing(discriminator, 1)(halved(images))
    np.testing.assert_array_equal(standing(discriminator, 2, True, 0.0)(images), before)


def test_layers_that_have_come_leave_nothing_to_the_old_image():
    for network, given in (
        (GrowingGenerator(4, **SMALL), np.ones((3, 4), "float32")),
        (GrowingDiscriminator(**SMALL), np.random.default_rng(0).normal(size=(3, 16, 16, 2)).astype("float32")),
    ):
        standing(network, 2, True, 1.0)
        old, new = network.of_images[1].kernel, network.of_images[2].kernel
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(network(given) ** 2)
        slopes = tape.gradient(total, [old.value, new.value])
        assert np.abs(slopes[0]).max() == 0 and np.abs(slopes[1]).max() > 0
        whole = network(given)
        np.testing.assert_allclose(standing(network, 2)(given), whole, atol=1e-6)


def test_weights_in_use_are_those_that_have_a_gradient():
    """At every moment of the growth; none that the optimizer would warn about, none forgotten."""
    for network, given in (
        (GrowingGenerator(4, **SMALL), lambda side: np.ones((3, 4), "float32")),
        (GrowingDiscriminator(**SMALL), lambda side: np.ones((3, side, side, 2), "float32")),
    ):
        for stage, fading in ((0, False), (1, True), (1, False), (2, True), (2, False)):
            standing(network, stage, fading, 0.5)
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(network(given(4 << stage)))
            weights = network.trainable_variables
            slopes = tape.gradient(total, [weight.value for weight in weights])
            reached = {weight.path for weight, slope in zip(weights, slopes) if slope is not None}
            assert reached == {weight.path for weight in network.in_use()}


def test_an_equalized_layer_keeps_the_variance_and_learns_at_one_speed():
    generator = np.random.default_rng(0)
    wide = EqualizedConvolution(64, 3, gain=1.0, padding="valid")
    images = generator.normal(size=(64, 3, 3, 40)).astype("float32")
    assert np.var(wide(images)) == pytest.approx(1.0, rel=0.1)
    dense = EqualizedDense((2, 2, 50), gain=1.0)
    spread = dense(generator.normal(size=(256, 30)).astype("float32"))
    assert spread.shape == (256, 2, 2, 50) and np.var(spread) == pytest.approx(1.0, rel=0.1)
    # After one step of Adam each weight has moved by the rate, what is multiplied with by rate * scale.
    before = wide(images).numpy()
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-12)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(wide(images))
    slope = tape.gradient(total, [wide.kernel.value])
    optimizer.apply(slope, [wide.kernel])
    moved = 0.01 / np.sqrt(9 * 40) * np.einsum("nhwc,hwc->n", images, -np.sign(slope[0].numpy()[..., 0]))
    np.testing.assert_allclose((wide(images).numpy() - before)[:, 0, 0, 0], moved, atol=1e-4)


def test_enlarging_is_upsampling_and_then_the_convolution():
    joined, plain = EqualizedConvolution(5, enlarge=True), EqualizedConvolution(5)
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    found = joined(images)
    plain.build((None, 8, 8, 3))
    plain.set_weights(joined.get_weights())
    np.testing.assert_allclose(found, plain(doubled(images)), atol=1e-5)
    assert found.shape == joined.compute_output_shape((2, 4, 4, 3))


def test_pixel_normalization_gives_each_pixel_a_mean_square_of_one():
    images = 7 * np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype("float32")
    normalized = PixelNormalization()(images)
    np.testing.assert_allclose(np.mean(np.square(normalized), axis=-1), 1.0, rtol=1e-5)


def test_the_deviation_of_a_batch():
    layer = MinibatchDeviation()
    same = np.ones((4, 2, 2, 3), "float32")
    np.testing.assert_allclose(layer(same)[..., 3], 1e-4, rtol=1e-3)  # the root of 1e-8
    two = np.stack([np.zeros((2, 2, 1)), np.full((2, 2, 1), 6.0)]).astype("float32")
    np.testing.assert_allclose(layer(two)[..., 1], 3.0, rtol=1e-6)
    grouped = MinibatchDeviation(2)(np.concatenate([two, same[:2, ..., :1]]))
    np.testing.assert_allclose(grouped[:2, ..., 1], 3.0, rtol=1e-6)
    np.testing.assert_allclose(grouped[2:, ..., 1], 1e-4, rtol=1e-3)
    with pytest.raises(kg.InvalidInput, match="batch of 3 on a replica makes no whole groups of 2"):
        MinibatchDeviation(2)(same[:3])


def test_the_penalty_is_of_the_slope_over_its_target():
    """A critic of the wanted slope pays nothing, one of twice that slope the whole weight."""
    penalty = Penalty.from_any("gradient", 10.0, 750.0)
    slopes = np.zeros((2, 2, 2, 1), "float32")
    slopes[:, 0, 0, 0] = 750.0, 1500.0
    np.testing.assert_allclose(penalty(slopes), [0.0, 10.0], atol=1e-9)


def test_the_schedule_of_the_paper():
    schedule = GrowthSchedule.of(kg.ImageSpec(32, 32, 3))
    assert schedule.grown == 2_400_000
    found = {
        thousands: schedule.at(thousands * 1000) for thousands in (0, 399, 400, 600, 800, 1199, 2399, 2400, 20_000)
    }
    assert {thousands: (place.side, place.fading) for thousands, place in found.items()} == {
        0: (4, False),
        399: (4, False),
        400: (8, True),
        600: (8, True),
        800: (8, False),
        1199: (8, False),
        2399: (32, True),
        2400: (32, False),
        20_000: (32, False),
    }
    assert (found[400].fade, found[600].fade, found[800].fade) == (0.0, 0.5, 1.0)
    assert found[2399].fade == pytest.approx(399 / 400)
    phases = [schedule.at(images).phase for images in range(0, 2_400_001, 400_000)]
    assert phases == list(range(7))
    table = schedule.table(1_000_000).splitlines()
    assert len(table) == 8 and "800,000" in table[3] and "1,000,000" in table[3] and table[4].endswith("(not reached)")
    assert GrowthSchedule.of(kg.ImageSpec(32, 32, 3), {"start": 32}).at(0) == (3, False, 1.0)
    own = GrowthSchedule.of(kg.ImageSpec(16, 16, 1), {"steady": [10, 20], "fade": 5})
    assert [own.at(images).phase for images in (9, 10, 15, 34, 35, 40)] == [0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    "spec, given, message",
    [
        ((28, 28, 1), None, r"do not grow from 4x4 by doubling; give images of 32x32 \(data sets: pad:NAME\?size=32\)"),
        ((16, 32, 1), None, "give images of 32x32"),
        ((4, 4, 1), None, "give images of 8x8"),
        ((16, 16, 1), {"steady": 0}, "steady=0; give an integer of at least 1"),
        ((16, 16, 1), {"fade": [1, 2, 3]}, r"fade=\[1, 2, 3\] for 2 doublings"),
        ((16, 16, 1), {"start": 5}, "start=5; give one of 4, 8, 16 pixels a side"),
        ((16, 16, 1), {"speed": 1}, "give {'start': pixels"),
    ],
)
def test_what_does_not_grow_is_refused(spec, given, message):
    with pytest.raises(kg.InvalidInput, match=message):
        kg.ProgressiveGAN(spec, schedule=given)


def test_other_bad_settings_are_refused():
    with pytest.raises(kg.InvalidInput, match="got classes; its own networks grow"):
        kg.ProgressiveGAN((8, 8, 1), classes=3)
    images = np.zeros((12, 8, 8, 1), np.uint8)
    with pytest.raises(kg.InvalidInput, match="batch_size=6 makes no whole groups of 4"):
        tiny(group=4).fit(images, batch_size=6, verbose=0)
    with pytest.raises(kg.InvalidInput, match="the discriminator compares the examples of a batch"):
        tiny().fit(images, batch_size=1, verbose=0)
    with pytest.raises(kg.InvalidInput, match="side=8; the model has grown to 4x4; train it further"):
        tiny().at_resolution(8)
    recipe = build("progan_mnist", {"epochs": 2, "data": "drawn_shapes"})
    with pytest.raises(kg.InvalidInput, match="shows 1,600 images, and its networks grow for 120,000(.|\n)*fading in"):
        recipe.model((32, 32, 1), steps=100)


def test_growth_restarts_optimizers_and_leaves_averages_of_layers_to_come():
    model = tiny()
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1)).astype(np.uint8)
    new = [weight for weight in model.generator.trainable_variables if "8px" in weight.path]
    before = [weight.numpy() for weight in new]
    assert len(new) == 6 and model.place == (0, False, 1.0)
    model.fit(images[:32], batch_size=16, verbose=0)
    assert model.steps_made() == 2 and int(model.generator_optimizer.iterations.numpy()) == 2
    for now, old in zip(new, before):
        np.testing.assert_array_equal(now, old)
    averages = {weight.path: weight for weight in model.averages[0].trainable_weights + model.averages[0].weights}
    for now in new:  # to the bit: the average of layers that stand still is themselves
        np.testing.assert_array_equal(now, averages[now.path])
    # 32 images were shown: the next step fades, with new optimizers.
    model.phase()
    assert model.place == (1, True, 0.0)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        kept = {variable.name: np.abs(variable.numpy()).max() for variable in optimizer.variables}
        assert kept.pop("learning_rate") == pytest.approx(1e-3)
        assert len(kept) > 10 and set(kept.values()) == {0}
    # The first of them at a share of 0, which gives the new layers no gradient yet.
    model.fit(images[:32], batch_size=16, verbose=0)
    assert model.steps_made() == 4 and int(model.generator_optimizer.iterations.numpy()) == 2
    assert any(np.abs(now.numpy() - old).max() > 1e-4 for now, old in zip(new, before))


def test_an_average_lasts_as_many_images_whatever_the_batch():
    model = tiny(ema_decay=0.999, ema_batch=16)
    model._batch = 64
    assert model.average_decay() == pytest.approx(0.999**4)
    network = keras.Sequential([keras.layers.Dense(3)])
    network.build((None, 2))
    average = copy_of(network)
    for _ in range(5):
        update_average(average, network, 0.7)
    for kept, now in zip(average.weights, network.weights):
        np.testing.assert_array_equal(kept, now)


def test_reals_fade_as_fakes_do():
    model = tiny()
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
    unit = images / 127.5 - 1.0
    pooled = unit.reshape(4, 4, 2, 4, 2, 1).mean((2, 4))
    np.testing.assert_allclose(model._reals({"image": images})["image"], pooled, atol=1e-6)
    model.images_seen.assign(32 + 16)
    model._stand(model.place)
    wanted = 0.75 * doubled(pooled) + 0.25 * unit
    np.testing.assert_allclose(model._reals({"image": images})["image"], wanted, atol=1e-6)
    model.images_seen.assign(96)
    model._stand(model.place)
    np.testing.assert_allclose(model._reals({"image": images})["image"], unit, atol=1e-6)


def test_a_smaller_model_is_the_live_one_of_that_phase(tmp_path):
    keras.utils.set_random_seed(5)
    sizes = {"latent_dim": 4, "width": 6, "maps": 24, "schedule": {"steady": [10, 20], "fade": [10, 20]}}
    model = kg.ProgressiveGAN(kg.ImageSpec(16, 16, 1), **sizes)
    model.images_seen.assign(20)  # stands at 8 px
    enlarged = model.sample(5, seed=1)
    smaller = model.at_resolution(8)
    assert smaller.image_spec.shape == (8, 8, 1) and smaller.schedule.grown == 20
    images = smaller.sample(5, seed=1)
    np.testing.assert_array_equal(enlarged, images.repeat(2, axis=1).repeat(2, axis=2))
    smaller.export(tmp_path / "artifact", "onnx")
    loaded = LoadedArtifact(tmp_path / "artifact")
    assert np.abs(loaded.sample(5, seed=1).astype(int) - images).max() <= 1
    # What fades in is not reached yet.
    model.images_seen.assign(50)
    with pytest.raises(kg.InvalidInput, match="grown to 8x8, so give one of 8"):
        model.at_resolution(16)
