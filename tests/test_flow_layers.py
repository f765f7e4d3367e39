"""Invertible layers as mathematics: inverses, log-determinants against Jacobians, tables of places, data-dependent starts."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import InvalidInput
from keras_gen.layers.act_norm import ActNorm, ZeroConvolution
from keras_gen.layers.coupling import ChannelCoupling, CheckerboardCoupling, checkerboard
from keras_gen.layers.flow_batch_normalization import FlowBatchNormalization
from keras_gen.layers.gaussian_prior import FactorOut, TopPrior
from keras_gen.layers.image_range import Centre, Logit
from keras_gen.layers.invertible import starting
from keras_gen.layers.invertible_convolution import InvertibleConvolution
from keras_gen.layers.squeeze import CheckerboardChannels, Squeeze, checkerboard_order
from keras_gen.layers.weight_norm_convolution import WeightNormConvolution
from keras_gen.networks.coupling_networks import GlowNetwork, ResidualNetwork

WIDE = {"dtype": "float64"}


def glow_network(outputs):
    return GlowNetwork(outputs, 5, **WIDE)


def residual_network(outputs, **options):
    return ResidualNetwork(outputs, 4, 1, **options, **WIDE)


LAYERS = {
    "centre": (lambda: Centre(**WIDE), (2, 2, 1)),
    "logit": (lambda: Logit(0.05, **WIDE), (2, 2, 2)),
    "squeeze": (lambda: Squeeze(**WIDE), (2, 4, 2)),
    "squeeze_ordered": (lambda: Squeeze(ordered=True, **WIDE), (4, 2, 2)),
    "checkerboard_channels": (lambda: CheckerboardChannels(**WIDE), (2, 1, 8)),
    "act_norm": (lambda: ActNorm(**WIDE), (2, 3, 2)),
    "direct": (lambda: InvertibleConvolution(**WIDE), (2, 2, 3)),
    "lu": (lambda: InvertibleConvolution(lu=True, **WIDE), (2, 2, 3)),
    "channels_sigmoid": (lambda: ChannelCoupling(glow_network(4), **WIDE), (2, 2, 4)),
    "channels_odd": (lambda: ChannelCoupling(glow_network(2), **WIDE), (3, 2, 3)),
    "channels_first_tanh": (
        lambda: ChannelCoupling(residual_network(4), change_first=True, scale="tanh", **WIDE),
        (2, 2, 4),
    ),
    "checkerboard_tanh": (
        lambda: CheckerboardCoupling(residual_network(4, keep="even"), scale="tanh", amplitude=0.7, **WIDE),
        (3, 2, 2),
    ),
    "checkerboard_patch": (
        lambda: CheckerboardCoupling(residual_network(2, keep="odd", patch=2), keep_odd=True, scale="tanh", **WIDE),
        (4, 4, 1),
    ),
    "batch_norm_even": (lambda: FlowBatchNormalization("even", **WIDE), (3, 3, 2)),
    "batch_norm_last": (lambda: FlowBatchNormalization("last", **WIDE), (2, 2, 3)),
    "top_prior": (lambda: TopPrior(ZeroConvolution(4, **WIDE), **WIDE), (2, 2, 2)),
}


def shaken(layer, shape, seed=0):
    """Built, its weights moved at random, its moving variances away from 1."""
    keras.utils.set_random_seed(seed)
    layer.build((None, *shape))
    generator = np.random.default_rng(seed)
    for variable in layer.variables:
        if "permutation" in variable.path or "signs" in variable.path:
            continue
        if "variance" in variable.path:
            variable.assign(generator.uniform(0.5, 2.0, variable.shape))
        else:
            variable.assign(variable + generator.normal(0.0, 0.2, variable.shape))
    return layer


def images(shape, n=2, seed=1):
    return tf.constant(np.random.default_rng(seed).uniform(0.05, 0.95, (n, *shape)))


def jacobian(function, x):
    """``[d, d]`` of one example ``[1, ...]``: the i-th of d copies gives the gradient of the i-th output."""
    size = math.prod(x.shape[1:])
    copies = tf.repeat(x, size, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        picked = tf.linalg.trace(tf.reshape(function(copies), (size, size)))
    return tape.gradient(picked, copies).numpy().reshape(size, size)


def jacobian_log_det(function, x):
    return np.linalg.slogdet(jacobian(function, x))[1]


@pytest.mark.parametrize("name", LAYERS)
def test_inverse_and_log_determinant(name):
    make, shape = LAYERS[name]
    layer, x = shaken(make(), shape), images(shape)
    y, log_det = layer.forward(x)
    assert tuple(y.shape[1:]) == tuple(layer.compute_output_shape((None, *shape)))[1:]
    np.testing.assert_allclose(layer.inverse(y), x, atol=1e-9)
    found = np.broadcast_to(np.asarray(log_det, np.float64), (2,))
    for row in range(2):
        wanted = jacobian_log_det(lambda one: layer.forward(one)[0], x[row : row + 1])
        np.testing.assert_allclose(found[row], wanted, atol=1e-8)


@pytest.mark.parametrize("prior", [False, True])
def test_what_leaves_is_standardized_with_its_log_determinant(prior):
    layer = shaken(FactorOut(ZeroConvolution(4, **WIDE) if prior else None, **WIDE), (2, 2, 4))
    x = images((2, 2, 4), 1)
    (kept, noise), log_det = layer.forward(x)
    np.testing.assert_array_equal(kept, x[..., :2])
    np.testing.assert_allclose(layer.inverse((kept, noise)), x, atol=1e-12)
    wanted = jacobian_log_det(lambda one: tf.concat(layer.forward(one)[0], -1), x)
    np.testing.assert_allclose(np.asarray(log_det).reshape(-1)[0], wanted, atol=1e-10)


def test_a_prior_that_starts_at_zero_is_standard_normal():
    layer = FactorOut(ZeroConvolution(4, **WIDE), **WIDE)
    layer.build((None, 2, 2, 4))
    x = images((2, 2, 4))
    (_, noise), log_det = layer.forward(x)
    np.testing.assert_array_equal(noise, x[..., 2:])
    np.testing.assert_array_equal(log_det, 0.0)


# --- places -----------------------------------------------------------------------------------------------------------


def test_squeeze_table():
    """Channel c * 4 + 2 dy + dx; ordered: the pixels (0, 0) and (1, 1), then (0, 1) and (1, 0)."""
    block = tf.constant([[[[0.0, 10.0], [1.0, 11.0]], [[2.0, 12.0], [3.0, 13.0]]]])  # value: 10 channel + 2 dy + dx
    for ordered, wanted in ((False, [0, 1, 2, 3, 10, 11, 12, 13]), (True, [0, 3, 10, 13, 1, 2, 11, 12])):
        layer = Squeeze(ordered)
        layer.build((None, 2, 2, 2))
        np.testing.assert_array_equal(layer.forward(block)[0][0, 0, 0], wanted)
    np.testing.assert_array_equal(checkerboard_order(1), [0, 3, 1, 2])


def test_ordered_channels_are_an_ordered_squeeze_and_halves_of_a_checkerboard():
    x = images((4, 6, 2))
    plain, ordered, reorder = Squeeze(**WIDE), Squeeze(ordered=True, **WIDE), CheckerboardChannels(**WIDE)
    for layer, shape in ((plain, (4, 6, 2)), (ordered, (4, 6, 2)), (reorder, (2, 3, 8))):
        layer.build((None, *shape))
    y = ordered.forward(x)[0]
    np.testing.assert_array_equal(reorder.forward(plain.forward(x)[0])[0], y)
    even = checkerboard(4, 6)
    halves = ordered.forward(tf.cast(np.broadcast_to(even, x.shape), tf.float64))[0].numpy()
    assert (halves[..., :4] == 1).all() and (halves[..., 4:] == 0).all()


def test_odd_sides_cannot_be_squeezed():
    with pytest.raises(InvalidInput, match="7x6.*even"):
        Squeeze().build((None, 7, 6, 1))


def test_a_checkerboard_coupling_changes_one_colour_by_the_other():
    layer = shaken(CheckerboardCoupling(residual_network(2, keep="even"), scale="tanh", **WIDE), (4, 4, 1))
    other = shaken(
        CheckerboardCoupling(residual_network(2, keep="odd"), keep_odd=True, scale="tanh", **WIDE), (4, 4, 1)
    )
    x, even = images((4, 4, 1), 1), checkerboard(4, 4)[0, ..., 0]
    slopes = jacobian(lambda each: layer.forward(each)[0], x)
    kept = even.reshape(-1)
    np.testing.assert_array_equal(slopes[kept], np.eye(16)[kept])
    off_diagonal = slopes[~kept][:, ~kept] - np.diag(np.diag(slopes)[~kept])
    np.testing.assert_array_equal(off_diagonal, 0.0)
    assert np.abs(slopes[~kept][:, kept]).max() > 1e-3
    both = other.forward(layer.forward(x)[0])[0]
    assert (np.abs(both - x) > 1e-6).all()


# --- starts -----------------------------------------------------------------------------------------------------------


def test_act_norm_starts_at_mean_0_and_deviation_1_and_only_then():
    x = tf.constant(np.random.default_rng(0).normal(3.0, 5.0, (20, 3, 3, 4)))
    layer = ActNorm(**WIDE)
    layer.build((None, 3, 3, 4))
    np.testing.assert_array_equal(layer.forward(x)[0], x)
    with starting([layer]):
        y = layer.forward(x)[0].numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1.0, atol=1e-6)
    before = [weight.numpy() for weight in layer.weights]
    layer.forward(2.0 * x)
    np.testing.assert_array_equal(layer.forward(x)[0], y)
    assert all((a == b.numpy()).all() for a, b in zip(before, layer.weights))


def test_the_start_walks_through_a_network_in_order():
    network = GlowNetwork(4, 6, **WIDE)
    network.build((None, 4, 4, 2))
    x = tf.constant(np.random.default_rng(0).normal(1.0, 3.0, (30, 4, 4, 2)))
    with starting(network._flatten_layers()):
        network(x)
    first = network.convolutions[0](x)
    second = network.convolutions[1](tf.nn.relu(first))
    for found in (first.numpy(), second.numpy()):
        np.testing.assert_allclose(found.mean((0, 1, 2)), 0.0, atol=1e-6)
        np.testing.assert_allclose(found.std((0, 1, 2)), 1.0, atol=1e-4)  # the 1e-6 under a small deviation
    np.testing.assert_array_equal(network(x), 0.0)


def test_lu_starts_at_the_direct_form():
    matrices = []
    for lu in (False, True):
        keras.utils.set_random_seed(3)
        layer = InvertibleConvolution(lu, **WIDE)
        layer.build((None, 2, 2, 6))
        matrices.append(layer.weights_matrix().numpy())
        assert abs(float(layer.log_det())) < 1e-5  # a rotation
    np.testing.assert_allclose(*matrices, atol=1e-6)
    np.testing.assert_allclose(matrices[0] @ matrices[0].T, np.eye(6), atol=1e-5)


def test_the_log_determinant_of_many_channels_stays_finite():
    layer = InvertibleConvolution()
    layer.build((None, 1, 1, 96))
    layer.matrix.assign(1e-2 * np.eye(96, dtype=np.float32))  # a determinant of 1e-192
    np.testing.assert_allclose(layer.log_det(), 96 * math.log(1e-2), rtol=1e-6)


def test_a_coupling_starts_where_the_papers_say():
    x = images((2, 2, 4))
    layer = ChannelCoupling(GlowNetwork(4, 5, **WIDE), **WIDE)  # sigmoid(2) = 0.881
    layer.build((None, 2, 2, 4))
    y, log_det = layer.forward(x)
    np.testing.assert_allclose(y[..., 2:], x[..., 2:] / (1.0 + math.exp(-2.0)), rtol=1e-12)
    np.testing.assert_allclose(log_det, -8 * math.log1p(math.exp(-2.0)), rtol=1e-12)
    layer = CheckerboardCoupling(residual_network(2, keep="even"), scale="tanh", amplitude=0.0, **WIDE)
    layer.build((None, 2, 2, 1))
    np.testing.assert_array_equal(layer.forward(images((2, 2, 1)))[1], 0.0)


@pytest.mark.parametrize("channels", [1, 6])  # joined before, and summed after the convolution
def test_the_edge_channel_is_ones_outside_of_the_image(channels):
    layer = ZeroConvolution(4, 3, **WIDE)
    layer.build((None, 3, 3, channels))
    kernel = np.zeros((3, 3, channels + 1, 4))
    kernel[:, :, -1] = 1.0
    layer.kernel.assign(kernel)
    seen = layer(images((3, 3, channels), 1))[0, ..., 0].numpy()
    np.testing.assert_array_equal(seen, [[5, 3, 5], [3, 0, 3], [5, 3, 5]])


def test_weight_norm_is_of_each_output():
    layer = shaken(WeightNormConvolution(3, 3, magnitude=True, **WIDE), (1, 1, 2))
    kernel = layer.kernel.numpy()
    x = images((1, 1, 2), 1)
    wanted = x.numpy()[0, 0, 0] @ (kernel / np.sqrt((kernel**2).sum((0, 1, 2))))[1, 1] * layer.magnitude.numpy()
    np.testing.assert_allclose(layer(x)[0, 0, 0], wanted, rtol=1e-9)


# --- batch normalization ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", ["odd", "first"])
def test_flow_batch_normalization_in_training(changed):
    layer = FlowBatchNormalization(changed, momentum=0.8, **WIDE)
    layer.build((None, 2, 3, 4))
    x = np.random.default_rng(0).normal(2.0, 3.0, (50, 2, 3, 4))
    y, log_det = layer.forward(tf.constant(x), training=True)
    mask = layer.mask[0].astype(bool)
    np.testing.assert_array_equal(y.numpy()[:, ~mask], x[:, ~mask])
    wanted = 0.0
    for channel in range(4):
        if (here := mask[..., channel]).any():
            values = x[..., channel][:, here]
            found = y.numpy()[..., channel][:, here]
            np.testing.assert_allclose([found.mean(), found.std()], [0.0, 1.0], atol=1e-3)
            np.testing.assert_allclose(layer.moving_mean.numpy()[channel], 0.2 * values.mean())
            np.testing.assert_allclose(layer.moving_variance.numpy()[channel], 0.8 + 0.2 * values.var())
            wanted -= 0.5 * here.sum() * math.log(values.var() + 1e-4)
    np.testing.assert_allclose(log_det, wanted, rtol=1e-10)


def test_in_evaluation_no_image_depends_on_its_batch():
    layer = shaken(FlowBatchNormalization("last", **WIDE), (2, 2, 4))
    x = images((2, 2, 4), 6)
    np.testing.assert_array_equal(layer.forward(x)[0][:2], layer.forward(x[:2])[0])


def test_one_channel_has_no_halves():
    with pytest.raises(InvalidInput, match="squeeze"):
        ChannelCoupling(glow_network(2)).build((None, 4, 4, 1))
