"""Flows whole: the change of variables against Jacobians and integrals, accounting in bits, starts, gradients, borders."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import draw
from keras_gen.layers.act_norm import ActNorm
from keras_gen.layers.coupling import ChannelCoupling
from keras_gen.layers.image_range import Centre, Logit
from keras_gen.layers.invertible import Invertible
from keras_gen.models.flows.flow_model import FlowModel
from keras_gen.models.flows.multi_scale import MultiScaleFlow, standard_normal_log_prob
from keras_gen.training.history import SampleGrid

GLOW = dict(levels=2, depth=2, width=6)
NVP = dict(scales=2, features=4, blocks=1)


def digits(n, spec=(8, 8, 1, 17), seed=0):
    spec = kg.ImageSpec.from_any(spec)
    return np.random.default_rng(seed).integers(0, spec.levels, (n, *spec.shape), dtype=np.uint8)


def wide_flow(model, seed=0):
    """The model's layers in float64, every weight moved at random."""
    with_dtype = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        flow = MultiScaleFlow(model.make_steps(), dtype="float64")
        for layer in flow._flatten_layers(include_self=False):
            layer.dtype_policy = keras.DTypePolicy("float64")
        flow.build((None, *model.image_spec.shape))
    finally:
        keras.config.set_dtype_policy(with_dtype)
    generator = np.random.default_rng(seed)
    for variable in flow.variables:
        if "permutation" not in variable.path and "signs" not in variable.path:
            noise = generator.normal(0.0, 0.1, variable.shape)
            variable.assign(np.abs(variable + noise) if "variance" in variable.path else variable + noise)
    return flow


MODELS = {
    "glow": lambda: kg.Glow((4, 4, 2, 17), **GLOW),
    "glow_lu": lambda: kg.Glow((4, 4, 1, 17), **GLOW, lu=True, learn_top=False, alpha=0.01),
    "real_nvp": lambda: kg.RealNVP((4, 4, 2, 17), **NVP),
    "real_nvp_patches": lambda: kg.RealNVP((4, 8, 1, 17), scales=3, features=4, blocks=1, patch=2),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_flow_is_a_bijection_whose_volume_is_its_jacobians(name):
    model = MODELS[name]()
    flow, size = wide_flow(model), model.image_spec.dimensions
    x = tf.constant(np.random.default_rng(1).uniform(0.05, 0.95, (2, *model.image_spec.shape)))
    z, log_det = flow.forward(x)
    assert z.dtype == tf.float64 and z.shape == (2, size)  # what leaves and what stays is all there is
    np.testing.assert_allclose(flow.inverse(z), x, atol=1e-8)
    copies = tf.repeat(x[:1], size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        picked = tf.linalg.trace(flow.forward(copies)[0])
    jacobian = tape.gradient(picked, copies).numpy().reshape(size, size)
    np.testing.assert_allclose(log_det[0], np.linalg.slogdet(jacobian)[1], atol=1e-7)


def test_what_leaves_adds_up_on_cifar10():
    glow = MultiScaleFlow(kg.Glow.make_steps(_settings(kg.ImageSpec(32, 32, 3), levels=3, depth=1, width=2)))
    glow.build((None, 32, 32, 3))
    assert [math.prod(shape) for shape in glow.leaving] == [1536, 768, 768]
    nvp = kg.RealNVP((32, 32, 3), features=2, blocks=1).flow
    assert nvp.leaving == [(16, 16, 6), (16, 16, 6)]
    assert [math.prod(shape) for shape in kg.Glow((28, 28, 1), 2, 1, 2).flow.leaving] == [392, 392]


def _settings(spec, **settings):
    class Settings:
        image_spec, lu, learn_top, alpha = spec, False, True, None

    for name, value in settings.items():
        setattr(Settings, name, value)
    return Settings


# --- densities that are known -----------------------------------------------------------------------------------------


def test_a_density_of_two_pixels_integrates_to_one():
    model = kg.RealNVP((1, 2, 1, 4), scales=1, features=4, blocks=1)
    flow = wide_flow(model, seed=4)
    side = 400
    middles = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 1, 2, 1)
    z, log_det = flow.forward(tf.constant(grid))
    density = np.exp((standard_normal_log_prob(z) + log_det).numpy()).reshape(side, side)
    # Of the whole plane that is all but what the logit's alpha puts outside of the unit square.
    low, high = flow.steps[0].inverse(tf.constant([-40.0, 40.0], tf.float64)).numpy()
    wide = low + (high - low) * middles
    grid = np.stack(np.meshgrid(wide, wide), -1).reshape(-1, 1, 2, 1)
    z, log_det = flow.forward(tf.constant(grid))
    whole = np.exp((standard_normal_log_prob(z) + log_det).numpy()).mean() * (high - low) ** 2
    assert density.std() / density.mean() > 0.1
    np.testing.assert_allclose(whole, 1.0, atol=2e-3)


class ToNormal(Invertible):
    """``x`` in (0, 1) to the normal quantile: standard normal noise if ``x`` is uniform, so the density of ``x`` is 1."""

    def forward(self, x, training=False):
        y = tf.math.ndtri(tf.clip_by_value(x, 1e-7, 1.0 - 6e-8))
        return y, tf.reduce_sum(0.5 * tf.square(y) + 0.5 * math.log(2.0 * math.pi), axis=(1, 2, 3))

    def inverse(self, y):
        return 0.5 * tf.math.erfc(-y / math.sqrt(2.0))


class AfterLogit(ToNormal):
    """Takes ``logit(alpha + (1 - 2 alpha) x)`` back first."""

    def forward(self, x, training=False):
        back = Logit(0.05).inverse(x)
        _, there = Logit(0.05).forward(back)
        y, log_det = super().forward(back)
        return y, log_det - there


class AfterCentre(ToNormal):
    def forward(self, x, training=False):
        return super().forward(x + 0.5)


@pytest.mark.parametrize("levels", [256, 32, 2])
@pytest.mark.parametrize("steps", [(Logit, AfterLogit), (Centre, AfterCentre)], ids=["logit", "centre"])
def test_a_uniform_density_costs_the_bits_of_the_levels(steps, levels):
    class Known(FlowModel):
        def __init__(self, image_spec):
            super().__init__(image_spec)
            self.finish()

        def make_steps(self):
            return [step() for step in steps]

    model = Known((4, 4, 1, levels))
    images = np.concatenate([digits(3, (4, 4, 1, levels)), np.full((1, 4, 4, 1), levels - 1, np.uint8)])
    for samples in (1, 3):
        np.testing.assert_allclose(model.bits_per_dim(images, samples), math.log2(levels), atol=2e-4)


def test_at_its_start_glow_is_known_in_closed_form():
    """Coupling and priors are zero: actnorm is nothing, W a rotation, half of each map times 0.881 a step."""
    model = kg.Glow((4, 4, 1, 256), levels=2, depth=3, width=4)
    images, u = digits(2, (4, 4, 1, 256)), draw(model.dequantization_spec(), 2, 0)["u"]
    log_scale = 3 * 8 * -math.log1p(math.exp(-2.0)) + 3 * 4 * -math.log1p(math.exp(-2.0))
    z, log_det = model.flow.forward(model.dequantized(images, u))
    np.testing.assert_allclose(log_det, log_scale, atol=1e-4)
    wanted = -0.5 * (z.numpy() ** 2).sum(1) - 8 * math.log(2 * math.pi) + log_scale - 16 * math.log(256)
    np.testing.assert_allclose(model.image_log_prob(images, u), wanted, rtol=1e-6)


def test_the_bound_rises_with_samples_to_a_distribution_over_all_images():
    model = kg.RealNVP((1, 2, 1, 3), scales=1, features=4, blocks=1)
    generator = np.random.default_rng(4)
    for variable in model.flow.trainable_variables:
        variable.assign(variable + generator.normal(0.0, 0.2, variable.shape))
    every = np.array(list(itertools.product(range(3), repeat=2)), np.uint8).reshape(9, 1, 2, 1)
    one = np.mean([model.log_prob(every, 1, seed) for seed in range(60)], axis=0)
    few = np.mean([model.log_prob(every, 8, seed) for seed in range(20)], axis=0)
    many = model.log_prob(every, 3_000)
    assert one.mean() < few.mean() < many.mean()
    inside = np.exp(many.astype(np.float64)).sum()  # all but the density outside of the unit square, which alpha leaves
    middles = (np.arange(200) + 0.5) / 200
    grid = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 1, 2, 1).astype(np.float32)
    z, log_det = model.flow.forward(tf.constant(grid))
    np.testing.assert_allclose(inside, np.exp(standard_normal_log_prob(z) + log_det).mean(), rtol=2e-2)


# --- encoding, sampling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["glow", "real_nvp"])
def test_codes_lead_back_and_temperature_scales_them(name):
    model = MODELS[name]()
    images = digits(20, model.image_spec)
    model.start(images)
    z = model.encode(images)
    assert z.shape == (20, model.image_spec.dimensions) and z.dtype == np.float32
    np.testing.assert_allclose(model.decode(z), (images + 0.5) / 17, atol=1e-4)
    np.testing.assert_array_equal(model.images_of({"z": z}), images)
    assert np.abs(model.encode(images, seed=1) - z).max() > 1e-3
    # Every standard deviation: sampling at T is decoding T z.
    noise = draw(model.noise_spec(), 5, 2)["z"]
    for temperature in (1.0, 0.5):
        wanted = model.images_of({"z": np.float32(temperature) * noise})
        np.testing.assert_array_equal(model.sample(5, seed=2, temperature=temperature), wanted)
        np.testing.assert_array_equal(np.floor(model.decode(np.float32(temperature) * noise) * 17).clip(0, 16), wanted)
    assert np.ptp(model.sample(5, temperature=0.001).astype(int), axis=0).max() <= 1


@pytest.mark.parametrize("temperature", [0.0, -1.0, 11.0, float("nan")])
def test_temperatures_that_are_none_are_refused(temperature):
    with pytest.raises(kg.InvalidInput, match="temperature"):
        kg.Glow((4, 4, 1, 4), 1, 1, 2).sample(2, temperature=temperature)


# --- the start from data ----------------------------------------------------------------------------------------------


def act_norms(model):
    return [layer for layer in model.flow._flatten_layers() if isinstance(layer, ActNorm)]


def test_fit_starts_once_and_the_start_is_saved(tmp_path):
    images = digits(64)
    model = kg.Glow((8, 8, 1, 17), **GLOW)
    model.compile(keras.optimizers.SGD(0.0))
    model.fit(images, batch_size=16, verbose=0)
    assert model.has_started()
    u = draw(model.dequantization_spec(), 64, 0)["u"]
    x = model.dequantized(images, u)
    for step in model.flow.steps[:3]:
        x, _ = step.forward(x)
        if isinstance(step, ActNorm):  # of 64 images, the first noise among them
            np.testing.assert_allclose(x.numpy().std((0, 1, 2)), 1.0, atol=0.05)
    before = [weight.numpy() for weight in model.flow.weights]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.has_started()
    again.fit(digits(64, seed=5) // 4, batch_size=16, verbose=0)
    for old, new in zip(before, again.flow.weights):
        np.testing.assert_array_equal(old, new.numpy())


def test_two_replicas_start_alike(two_replicas):
    images = digits(64)
    starts = []
    for scope in (None, two_replicas):
        keras.utils.set_random_seed(1)
        with scope.scope() if scope else tf.init_scope():
            model = kg.Glow((8, 8, 1, 17), **GLOW)
            model.compile(keras.optimizers.SGD(0.0))
        model.fit(images, batch_size=16, verbose=0)
        starts.append([weight.numpy() for weight in model.flow.weights])
    for one, two in zip(*starts):
        np.testing.assert_array_equal(one, two)


def test_whatever_gives_batches_starts_a_flow_and_loses_none():
    images = digits(32)

    class Batches(keras.utils.PyDataset):
        num_batches = 2

        def __getitem__(self, index):
            return images[16 * index : 16 * index + 16]

    seen = []

    def generator():
        for index in range(2):
            seen.append(index)
            yield images[16 * index : 16 * index + 16]

    sources = [tf.data.Dataset.from_tensor_slices(images).batch(16), Batches(), generator()]
    for source in sources:
        model = kg.Glow((8, 8, 1, 17), 1, 1, 4)
        history = model.fit(source, verbose=0).history
        assert model.has_started() and np.isfinite(history["loss"]).all()
        assert model.steps_made() == 2
    assert seen == [0, 1]
    model = kg.Glow((8, 8, 1, 17), 1, 1, 4)
    model.train_on_batch(images)
    assert model.has_started()


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("traced", [False, True])
def test_the_gradient_by_inversion_is_the_gradient(traced):
    flows = []
    for memory in ("store", "invert"):
        keras.utils.set_random_seed(2)
        flow = wide_flow(kg.Glow((4, 4, 1, 17), **GLOW, lu=traced))
        flow.memory = memory
        flows.append(flow)
    x = tf.constant(np.random.default_rng(1).uniform(0.05, 0.95, (3, 4, 4, 1)))
    found = []
    for flow in flows:

        def slopes(flow=flow):
            with tf.GradientTape() as tape:
                tape.watch(x)
                z, log_det = flow.forward(x, training=True)
                loss = tf.reduce_mean(standard_normal_log_prob(z) + tf.range(3.0, dtype=tf.float64) * log_det)
            return tape.gradient(loss, [x, *(variable.value for variable in flow.trainable_variables)])

        found.append((tf.function(slopes) if traced else slopes)())
    assert len(found[0]) > 20
    for stored, inverted in zip(*found):
        np.testing.assert_allclose(inverted, stored, rtol=1e-7, atol=1e-9)
    assert max(np.abs(each).max() for each in found[0]) > 1e-2


def test_inverting_trains_as_storing_does():
    images, histories = digits(32), []
    for memory in ("store", "invert"):
        keras.utils.set_random_seed(3)
        model = kg.Glow((8, 8, 1, 17), **GLOW, memory=memory)
        model.compile(keras.optimizers.SGD(1e-3))
        histories.append(model.fit(images, batch_size=8, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


# --- borders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: kg.Glow((28, 28, 1), 3), r"halves both sides 3 times.*28x28.*multiples of 8 \(24, 32 .*levels=2"),
        (lambda: kg.Glow((27, 28, 1), 1), r"27x28.*multiples of 2 \(26, 28, 30 .*pad or crop\)\."),
        (lambda: kg.RealNVP((14, 14, 1), 3), "halves both sides 2 times.*scales=2"),
        (lambda: kg.Glow((4, 4, 1), 0), "levels=0"),
        (lambda: kg.Glow((4, 4, 1), 1, memory="forget"), "memory='forget'.*store, invert"),
        (lambda: kg.RealNVP((4, 4, 1), alpha=0.5), "alpha=0.5"),
        (lambda: kg.RealNVP((4, 4, 1), patch=3), "patch=3"),
    ],
)
def test_what_no_flow_can_be_built_of(make, message):
    with pytest.raises(kg.InvalidInput, match=message):
        make()


def test_what_no_flow_can_measure():
    model = kg.Glow((4, 4, 1, 4), 1, 1, 2)
    with pytest.raises(kg.InvalidInput, match="level 9.*levels=10"):
        model.log_prob(np.full((1, 4, 4, 1), 9, np.uint8))
    with pytest.raises(kg.InvalidInput, match="samples=0"):
        model.log_prob(digits(1, (4, 4, 1, 4)), samples=0)
    with pytest.raises(kg.InvalidInput, match=r"\[2, 15\].*\[n, 16\]"):
        model.decode(np.zeros((2, 15), np.float32))


def test_what_overflows_on_the_way_to_an_image_is_refused(tmp_path, caplog):
    """Networks may overflow though every weight is finite: a level cast of NaN would be a black pixel."""
    model = kg.Glow((4, 4, 1, 4), 1, 1, 2)
    last = next(step for step in model.flow.steps if isinstance(step, ChannelCoupling)).network.last
    last.kernel.assign(np.where(np.indices(last.kernel.shape).sum(0) % 2, 1.0, -1.0))
    last.log_scale.assign(np.full(last.log_scale.shape, 60.0))  # its exponential, cubed, is infinite
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    for draws in (lambda: model.sample(8), lambda: model.decode(np.ones((2, 16), np.float32))):
        with pytest.raises(kg.TrainingDiverged, match="Glow makes NaN or infinite values.*lower one"):
            draws()
    with pytest.raises(kg.ExportFailed, match="Endpoint '(sample|decode)' makes NaN.*Nothing was written"):
        model.export(tmp_path / "artifact")
    grid = SampleGrid(tmp_path, epochs=1)
    grid.set_model(model)
    grid.on_epoch_end(0)  # training goes on: its likelihoods may be sound
    assert "No samples are shown of epoch 1: Glow makes NaN" in caplog.text and not list(tmp_path.iterdir())


def test_noise_that_no_image_has_still_gives_images():
    """Couplings that divide by next to nothing, one after the other, stay within what float32 holds."""
    model = kg.Glow((8, 8, 1), 1, 4, 4, alpha=1e-6)
    for step in model.flow.steps:
        if isinstance(step, ChannelCoupling):
            step.network.last.shift.assign(np.full(step.network.last.shift.shape, -30.0, np.float32))
    assert np.isfinite(model.decode(draw(model.noise_spec(), 4, 0)["z"])).all()
    assert model.sample(4).max() == 255
