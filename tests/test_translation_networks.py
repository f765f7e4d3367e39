"""Networks that translate, and their layers, against the papers' tables, NumPy and each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.layers.halving_convolution import HalvingConvolution
from keras_gen.layers.instance_normalization import FEW_IMAGES, InstanceNormalization
from keras_gen.layers.reflection_padding import ReflectionPadding
from keras_gen.layers.upsampling_convolution import UpsamplingConvolution
from keras_gen.networks.patch_discriminator import patch_discriminator, receptive_field, usual_halvings, verdicts
from keras_gen.networks.translation_resnet import check_sides, translation_resnet, usual_blocks
from keras_gen.networks.unet import dropout_spec, unet, unet_downs

RANDOM = np.random.default_rng(0)


def count(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


# --- layers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("affine", [True, False])
def test_each_map_of_each_image_gets_mean_0_and_variance_1(affine):
    layer, maps = InstanceNormalization(affine), 3.0 + 2.0 * normal(3, 6, 5, 4)
    for training in (False, True):
        found = np.asarray(layer(maps, training=training))
        np.testing.assert_allclose(found.mean((1, 2)), 0.0, atol=1e-5)
        np.testing.assert_allclose(found.var((1, 2)), 1.0, atol=1e-4)
    assert len(layer.trainable_weights) == (2 if affine else 0) and not layer.non_trainable_weights


@pytest.mark.parametrize("batch", [1, FEW_IMAGES, FEW_IMAGES + 1])
def test_the_quick_ways_of_training_have_the_plain_ones_values_and_gradients(batch):
    layer, maps, slope = InstanceNormalization(), normal(batch, 5, 4, 3), normal(batch, 5, 4, 3)
    layer.build(maps.shape)
    layer.gain.assign(normal(3))
    layer.bias.assign(normal(3))
    found = {}
    for training in (False, True):
        with tf.GradientTape() as tape:
            x = tf.constant(maps)
            tape.watch(x)
            y = layer(x, training=training)
        found[training] = [y, *tape.gradient(y, [x, *layer.trainable_variables], slope)]
    for plain, quick in zip(found[False], found[True], strict=True):
        np.testing.assert_allclose(quick, plain, atol=2e-5)


def test_an_image_is_normalized_whatever_its_batch():
    layer, maps = InstanceNormalization(), normal(4, 3, 3, 2)
    for training in (False, True):
        alone = [layer(maps[i : i + 1], training=training) for i in range(4)]
        np.testing.assert_allclose(layer(maps, training=training), tf.concat(alone, 0), atol=1e-6)


@pytest.mark.parametrize("pixels", [1, 3])
def test_borders_are_mirrored_as_numpy_does(pixels):
    maps = normal(2, 5, 4, 3)
    wanted = np.pad(maps, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)], mode="reflect")
    layer = ReflectionPadding(pixels)
    np.testing.assert_array_equal(layer(maps), wanted)
    assert layer.compute_output_shape((None, None, 4, 3)) == (None, None, 4 + 2 * pixels, 3)


@pytest.mark.parametrize("batch,height,width,filters", [(1, 1, 1, 7), (2, 4, 2, 6), (1, 8, 8, 5), (1, 3, 5, 9)])
@pytest.mark.parametrize("layer", [UpsamplingConvolution, HalvingConvolution])
def test_products_of_few_pixels_are_the_convolutions(layer, batch, height, width, filters):
    factor, leaving = (1, 2) if layer is UpsamplingConvolution else (2, 1)
    made = layer(filters, bias_initializer="normal", activation="tanh")
    maps = normal(batch, factor * height, factor * width, 3)
    found = {}
    for training in (False, True):
        with tf.GradientTape() as tape:
            x = tf.constant(maps)
            tape.watch(x)
            y = made(x, training=training)
            weighed = y * tf.cos(tf.range(1.0, 1.0 + filters))
        found[training] = [y, *tape.gradient(weighed, [x, *made.trainable_variables])]
    assert found[True][0].shape == (batch, leaving * height, leaving * width, filters)
    for plain, quick in zip(found[False], found[True], strict=True):
        np.testing.assert_allclose(quick, plain, atol=2e-5)
    with pytest.raises(kg.InvalidInput, match="got kernel_size=3"):
        layer(4, 3)


# --- the U-Net ----------------------------------------------------------------------------------------------------------


def test_the_papers_u_net_weight_for_weight():
    network = unet((256, 256, 3), 3)
    assert count(network) == 54_413_955  # gains and biases of instance normalization are batch normalization's
    noise = dropout_spec(256, 256)
    assert [kind.shape for kind in noise.values()] == [(2, 2, 512), (4, 4, 512), (8, 8, 512)]
    assert sum(int(np.prod(kind.shape)) for kind in noise.values()) == 43_008
    assert [tuple(each.shape[1:]) for each in network.inputs[1:]] == [kind.shape for kind in noise.values()]
    sides = [network.get_layer(f"e{level}").output.shape[1:] for level in range(1, 9)]
    maps = [64, 128, 256, 512, 512, 512, 512, 512]
    assert sides == [(256 >> level, 256 >> level, m) for level, m in enumerate(maps, start=1)]
    assert {layer.name for layer in network.layers if "bias" in str([w.path for w in layer.weights])} - {"d8"} == {
        f"{side}{level}_normalization" for side, levels in (("e", range(2, 8)), ("d", range(1, 8))) for level in levels
    }


@pytest.mark.parametrize("side,downs", [(256, 8), (128, 7), (64, 6), (32, 5), (8, 3)])
def test_u_nets_go_down_to_one_pixel(side, downs):
    assert unet_downs(side, side) == downs
    if side <= 64:
        network = unet((side, side, 1), 2, width=1)
        assert network.output_shape == (None, side, side, 2)
        assert network.get_layer(f"e{downs}").output.shape[1:3] == (1, 1)
        assert len(network.inputs) - 1 == min(3, downs - 1)


def test_sides_need_not_be_equal_nor_powers_of_two():
    assert unet_downs(96, 64) == 5 and unet_downs(48, 48) == 4 and unet_downs(28, 28, downs=2) == 2
    assert unet((24, 16, 1), 1, width=1).output_shape == (None, 24, 16, 1)


@pytest.mark.parametrize(
    "sides,downs,message",
    [
        ((28, 28), None, "cannot halve 28x28 images 3 times.*multiples of 8.*24x24 or 32x32, or downs=2"),
        ((100, 100), None, "96x96 or 128x128"),
        ((130, 256), None, "128x256 or 192x256"),
        ((64, 64), 7, "multiples of 128.*128x128, or downs=6 at most"),
        ((5, 5), None, "multiples of 4.*are 4x4 or 8x8"),
        ((64, 64), 0, "downs=0"),
    ],
)
def test_sizes_that_cannot_be_halved_name_the_nearest_good_ones(sides, downs, message):
    with pytest.raises(kg.InvalidInput, match=message):
        unet_downs(*sides, downs)


def test_skips_carry_the_first_layer_past_a_bottleneck_of_zeros():
    """Without skips nothing of the image is left then."""
    for skips in (True, False):
        keras.utils.set_random_seed(1)
        network = unet((8, 8, 1), 1, width=4, skips=skips, dropped=False)
        network.get_layer("d1").kernel.assign(tf.zeros_like(network.get_layer("d1").kernel))
        one, other = network(normal(1, 8, 8, 1)), network(normal(1, 8, 8, 1))
        assert (np.abs(one - other).max() > 1e-6) == skips


def test_factors_multiply_what_the_decoder_passes_on():
    network, plain = unet((8, 8, 1), 1, width=2), unet((8, 8, 1), 1, width=2, dropped=False)
    plain.set_weights(network.get_weights())
    image, ones = normal(3, 8, 8, 1), [np.ones((3, *kind.shape), np.float32) for kind in dropout_spec(8, 8, 2).values()]
    np.testing.assert_allclose(network([image, *ones]), plain(image), atol=1e-6)
    zeros = [np.zeros_like(ones[0]), ones[1]]
    assert np.abs(network([image, *zeros]) - plain(image)).max() > 1e-7


# --- discriminators -----------------------------------------------------------------------------------------------------


def test_the_papers_discriminators_weight_for_weight():
    network = patch_discriminator((256, 256, 6))
    assert count(network) == 2_768_705 and network.output_shape == (None, 30, 30, 1)
    # CycleGAN's code counts 896 biases more, which its normalization takes out again.
    assert count(patch_discriminator((256, 256, 3), affine=False)) == 2_764_737 - (128 + 256 + 512)
    assert [receptive_field(halvings) for halvings in range(7)] == [1, 16, 34, 70, 142, 286, 574]
    assert [verdicts(256, halvings) for halvings in range(4)] == [256, 126, 62, 30]
    assert [usual_halvings(side, side) for side in (256, 128, 64, 32, 16, 4)] == [3, 3, 2, 2, 1, 0]


@pytest.mark.parametrize("halvings,side", [(0, 6), (1, 32), (2, 64), (3, 128)])
def test_a_verdict_sees_its_patch_and_no_pixel_more(halvings, side):
    """By gradient; normalization, which sees whole maps, is taken out."""
    network = patch_discriminator((side, side, 1), width=1, halvings=halvings)
    inside = [layer for layer in network.layers if not isinstance(layer, InstanceNormalization)]
    for layer in inside:
        if layer.weights:
            layer.kernel.assign(tf.ones_like(layer.kernel))
    image = tf.ones((1, side, side, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        x = image
        for layer in inside[1:]:
            x = layer(x)
        place = (x.shape[1] // 2, x.shape[2] // 2)
        verdict = x[0, place[0], place[1], 0]
    seen = np.argwhere(np.abs(tape.gradient(verdict, image).numpy()[0, :, :, 0]) > 0)
    assert (seen.max(0) - seen.min(0) + 1).tolist() == [receptive_field(halvings)] * 2
    assert x.shape[1] == verdicts(side, halvings) == network.output_shape[1]


def test_sides_of_odd_halves_keep_the_patches():
    network = patch_discriminator((21, 30, 1), width=1, halvings=2)
    assert network.output_shape[1:3] == (verdicts(21, 2), verdicts(30, 2)) == (3, 5)


def test_images_smaller_than_the_patches_are_refused():
    with pytest.raises(
        kg.InvalidInput, match="leaves nothing of 16x16 images; give sides of at least 24, or patch_layers=1"
    ):
        patch_discriminator((16, 16, 3), halvings=3)


# --- CycleGAN's generator -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks,published", [(9, 11_378_179), (6, 7_837_699)])
def test_the_papers_translator_weight_for_weight(blocks, published):
    """The published count has biases before normalizations, which take them out again, and neither gains nor biases after."""
    maps = [64, 128, 256, *[256] * 2 * blocks, 128, 64]
    assert count(translation_resnet(3, 3, 64, blocks, affine=False)) == published - sum(maps)
    assert count(translation_resnet(3, 3, 64, blocks)) == published + sum(maps)
    assert usual_blocks(256, 256) == 9 and usual_blocks(128, 128) == 6


def test_one_translator_serves_every_size_that_divides():
    network = translation_resnet(1, 2, width=2, blocks=1)
    for height, width in ((8, 12), (16, 8)):
        assert network(normal(2, height, width, 1)).shape == (2, height, width, 2)


@pytest.mark.parametrize("sides,near", [((30, 30), "28x28 or 32x32"), ((6, 16), "8x16"), ((4, 4), "8x8")])
def test_sizes_that_would_not_come_back_name_the_nearest_good_ones(sides, near):
    with pytest.raises(kg.InvalidInput, match=f"multiples of 4 of at least 8. The nearest good sizes are {near}"):
        check_sides(*sides)


def test_half_resolutions_are_those_of_symmetric_padding():
    """Strided and transposed convolutions against their sums: zeros stand before the first row and column."""
    network = translation_resnet(1, 1, width=1, blocks=0)  # of which the first strided one takes one map
    down = next(layer for layer in network.layers if getattr(layer, "strides", None) == (2, 2))
    up = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2DTranspose))
    image = normal(6, 6)
    padded, kernel = np.pad(image, 1), np.asarray(down.kernel)[:, :, 0, 0]
    wanted = [[(padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] * kernel).sum() for x in range(3)] for y in range(3)]
    found = down(np.pad(image, ((1, 0), (1, 0)))[None, :, :, None])
    np.testing.assert_allclose(found[0, :, :, 0], wanted, atol=1e-5)
    spread, kernel = np.zeros((13, 13)), np.asarray(up.kernel)[:, :, 0, 0]
    for y in range(6):
        for x in range(6):
            spread[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] += image[y, x] * kernel
    maps = np.zeros((1, 6, 6, up.kernel.shape[3]), np.float32)
    maps[0, :, :, 0] = image
    np.testing.assert_allclose(up(maps)[0, 1:, 1:, 0], spread[1:, 1:], atol=1e-5)
