"""The networks of the GAN papers and their labels: sizes, blocks, maxout, conditional normalization, projection, classifier."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen.core.inputs import Labels
from keras_gen.core.noise import Normal, Uniform
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.layers import upsampling_convolution
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.conditional_batch_normalization import ConditionalBatchNormalization
from keras_gen.layers.labels import ConcatenateLabels
from keras_gen.layers.maxout import Maxout
from keras_gen.layers.resampling_convolution import ConvolutionMeanPool, UpsampledConvolution
from keras_gen.layers.spectral_normalization import SpectralNormalization
from keras_gen.layers.upsampling_convolution import FEW_MAPS, UpsamplingConvolution, quick
from keras_gen.losses.adversarial import class_loss
from keras_gen.networks.class_conditioning import CONDITIONINGS
from keras_gen.networks.gan_pairs import PAIRS
from keras_gen.networks.residual import ResidualBlocks, glorot, glorot_of_relu
from keras_gen.networks.resnet_gan import resnet_discriminator, resnet_generator

SPEC = kg.ImageSpec(8, 8, 1, 17)


def parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paper,spec,generator,discriminator",
    [
        ("gan_2014", (28, 28, 1), 2_503_984, 1_231_441),
        ("wgan_gp", (32, 32, 3), 1_204_483, 1_053_825),
        ("sngan", (32, 32, 3), 4_276_739, 1_053_824),
    ],
)
def test_full_size_networks_have_the_papers_parameters(paper, spec, generator, discriminator):
    model = kg.GAN.named(paper, spec)
    assert (parameters(model.generator), parameters(model.discriminator)) == (generator, discriminator)


@pytest.mark.parametrize("side,first,halvings,last", [(8, 2, 1, 4), (28, 7, 2, 7), (32, 4, 2, 8), (64, 4, 3, 8)])
def test_the_residual_pair_at_other_sizes(side, first, halvings, last):
    spec = kg.ImageSpec(side, side, 3)
    generator, discriminator = resnet_generator(spec, 5, 4), resnet_discriminator(spec, 4)
    assert generator.output_shape == (None, side, side, 3) and discriminator.output_shape == (None, 1)
    start = next(layer for layer in generator.layers if isinstance(layer, layers.Reshape))
    assert start.output.shape[1:] == (first, first, 4)
    assert kinds(discriminator).count("ConvolutionMeanPool") == halvings
    assert discriminator.layers[-2].input.shape[1:] == (last, last, 4)
    assert "BatchNormalization" in kinds(generator) and "BatchNormalization" not in kinds(discriminator)


def test_the_pair_of_2014_is_built_as_in_its_code():
    model = kg.GAN.named("gan_2014", (28, 28, 1))
    dense = [layer for layer in model.generator.layers if isinstance(layer, layers.Dense)]
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [
        (1200, "relu"),
        (1200, "relu"),
        (784, "linear"),
    ]
    assert all(0.049 < np.abs(layer.kernel.numpy()).max() <= 0.05 for layer in dense)
    pieces = [layer for layer in model.discriminator.layers if isinstance(layer, Maxout)]
    assert [layer.output.shape[-1] for layer in pieces] == [240, 240]
    assert all(np.abs(layer.kernel.numpy()).max() <= 0.005 for layer in pieces)
    dropped = [layer for layer in model.discriminator.layers if type(layer).__name__ == "Dropout"]
    assert [layer.rate for layer in dropped] == [0.2, 0.5, 0.5] and len({layer.seed for layer in dropped}) == 3
    assert model.noise_spec() == {"z": Uniform((100,))}
    inputs = model.generator_inputs({"z": np.array([[0.0, 0.5, 1.0]])})
    np.testing.assert_allclose(inputs, [[-(3**0.5), 0.0, 3**0.5]])


def test_dropout_of_the_critic_drops_afresh_at_every_call():
    discriminator = kg.GAN.named("gan_2014", SPEC, width=8).discriminator
    x = tf.random.stateless_normal((4, 8, 8, 1), [0, 0])
    verdicts = [discriminator(x, training=training).numpy() for training in (True, True, False, False)]
    assert (verdicts[0] != verdicts[1]).all() and (verdicts[2] == verdicts[3]).all()


@pytest.mark.parametrize("dataset", [False, True], ids=["arrays", "dataset"])
def test_the_generator_of_2014_starts_at_the_mean_image(digits, dataset):
    model = kg.GAN.named("gan_2014", digits.image_spec, width=8, ema_decay=0.0)
    model.compile(*(keras.optimizers.SGD(1e-12) for _ in range(2)))
    images = digits.features["image"]
    model.fit(tf.data.Dataset.from_tensor_slices(images).batch(100, True) if dataset else images, verbose=0)
    made = model.sample(500).mean(0)
    assert np.abs(made - images.mean(0)).mean() < 0.5  # of 16 levels; a grey start is 4.6 off
    bias = model.generator.layers[-3].bias.numpy()
    model.fit(images[:128] // 2, verbose=0)
    np.testing.assert_allclose(model.generator.layers[-3].bias.numpy(), bias, atol=1e-6)  # once, before the first step


# --- layers ---------------------------------------------------------------------------------------------------------


def test_maxout_is_the_largest_of_its_pieces_and_convex():
    layer = Maxout(3, 5, bias_initializer="normal")
    x, y = normal(7, 4), normal(7, 4, seed=1)
    found = layer(x).numpy()
    kernel, bias = (weight.numpy() for weight in layer.weights)
    np.testing.assert_allclose(found, (x @ kernel + bias).reshape(7, 3, 5).max(-1), atol=1e-6)
    assert (layer((x + y) / 2).numpy() <= (found + layer(y).numpy()) / 2 + 1e-6).all()
    relu = Maxout(1, 2, use_bias=False)
    relu.build((None, 1))
    relu.kernel.assign([[1.0, 0.0]])
    np.testing.assert_array_equal(relu(x[:, :1]), np.maximum(x[:, :1], 0.0))
    assert Maxout.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("kind", [ConvolutionMeanPool, UpsampledConvolution])
@pytest.mark.parametrize("normalized", [False, True])
def test_a_joined_convolution_is_the_two_layers_and_has_their_gradients(kind, normalized):
    keras.utils.set_random_seed(0)
    joined = kind(5, bias_initializer="normal", activation="tanh")
    assert kind.from_config(joined.get_config()).get_config() == joined.get_config()
    plain = layers.Conv2D(5, 3, padding="same", bias_initializer="normal")
    if normalized:
        joined, plain = SpectralNormalization(joined), SpectralNormalization(plain)

    def two(x):
        found = (
            layers.AveragePooling2D(2)(plain(x)) if kind is ConvolutionMeanPool else plain(layers.UpSampling2D(2)(x))
        )
        return tf.tanh(found)

    x = tf.constant(normal(2, 6, 4, 3))
    joined(x), two(x)
    plain.set_weights(joined.get_weights())
    results = []
    for function, layer in ((joined, joined), (two, plain)):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x)
            slope = tape.gradient(y, x)  # as a gradient penalty has it
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(slope**2)
        results.append([y, *outer.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])])
    assert joined.compute_output_shape((None, 6, 4, 3)) == (None, *results[0][0].shape[1:])
    for one, other in zip(*results):  # rounding goes with the largest of the sums
        np.testing.assert_allclose(one, other, atol=3e-6 * max(1.0, np.abs(other).max()), rtol=1e-5)


@pytest.mark.parametrize("filters,form", [(3, "quick"), (FEW_MAPS, "quick"), (FEW_MAPS + 1, None)])
def test_the_quicker_transposed_convolution_has_the_plain_ones_numbers_and_gradients(filters, form, monkeypatch):
    keras.utils.set_random_seed(0)
    quicker = []
    monkeypatch.setattr(upsampling_convolution, "quick", lambda *args: quicker.append("quick") or quick(*args))
    ours = UpsamplingConvolution(filters, activation="tanh", bias_initializer="normal")
    plain = layers.Conv2DTranspose(filters, 4, 2, "same", activation="tanh", bias_initializer="normal")
    x = tf.constant(normal(2, 3, 5, 6))
    ours(x), plain(x)
    plain.set_weights(ours.get_weights())
    results = []
    for layer, arguments in ((ours, {"training": True}), (plain, {})):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, **arguments)
            slope = tape.gradient(y, x)
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(slope**2)
        results.append([y, *outer.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])])
    assert quicker == ([form] if form else [])
    np.testing.assert_allclose(*[found[0] for found in results], atol=1e-6)
    for one, other in zip(*results):  # rounding goes with the largest of the sums
        np.testing.assert_allclose(one, other, atol=3e-6 * max(1.0, np.abs(other).max()), rtol=1e-5)
    np.testing.assert_array_equal(ours(x, training=False), plain(x))  # what is exported
    assert len(quicker) == bool(form)
    assert UpsamplingConvolution.from_config(ours.get_config()).get_config() == ours.get_config()
    with pytest.raises(kg.InvalidInput, match="kernel_size=5"):
        UpsamplingConvolution(3, 5)


def test_blocks_are_the_papers():
    def convolution(x, layer):
        return tf.nn.conv2d(x, layer.kernel, 1, "SAME") + layer.bias

    def pooled(x):
        return tf.nn.avg_pool2d(x, 2, 2, "VALID")

    def larger(x):
        return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)

    blocks, x, inputs = ResidualBlocks(), tf.constant(normal(2, 4, 4, 3)), keras.Input((4, 4, 3))
    for name in ("up", "down", "first", "flat"):
        network = keras.Model(inputs, getattr(blocks, name)(inputs, 3))
        one, two, *shortcut = sorted(
            (layer for layer in network.layers if isinstance(layer, layers.Conv2D)),
            key=lambda each: -each.kernel_size[0],
        )
        if name != "first":
            hidden = tf.nn.relu(x)
        if name == "up":
            wanted = convolution(tf.nn.relu(convolution(larger(hidden), one)), two)
            wanted += convolution(larger(x), *shortcut)  # the papers' order: upsampling first
        elif name == "flat":
            wanted = x + convolution(tf.nn.relu(convolution(hidden, one)), two)
        else:
            inner = convolution(x if name == "first" else hidden, one)
            wanted = pooled(convolution(tf.nn.relu(inner), two)) + pooled(convolution(x, *shortcut))
        np.testing.assert_allclose(network(x), wanted, atol=2e-5)
        assert len(shortcut) == (name != "flat")
    assert np.var(glorot_of_relu()((3, 3, 64, 32)).numpy()) == pytest.approx(4 / (9 * 96), rel=0.05)
    assert np.var(glorot()((1, 1, 64, 32)).numpy()) == pytest.approx(2 / 96, rel=0.1)


def test_labels_beside_features_and_images():
    layer, labels = ConcatenateLabels(3), np.array([2, 0])
    np.testing.assert_array_equal(layer([np.ones((2, 1), np.float32), labels]), [[1, 0, 0, 1], [1, 1, 0, 0]])
    maps = layer([normal(2, 4, 5, 1), labels]).numpy()
    assert (
        maps.shape == (2, 4, 5, 4) and (maps[0, ..., 1:] == [0, 0, 1]).all() and (maps[1, ..., 1:] == [1, 0, 0]).all()
    )


def test_conditional_batch_normalization():
    x, labels = 3.0 * normal(6, 4, 4, 2) + 1.0, np.array([0, 1, 2, 0, 1, 2], np.int32)
    conditional, plain = ConditionalBatchNormalization(3), BatchNormalization()
    for training in (True, True, False):
        np.testing.assert_allclose(conditional([x, labels], training=training), plain(x, training=training), atol=1e-5)
    for one, other in (
        (conditional.moving_mean, plain.moving_mean),
        (conditional.moving_variance, plain.moving_variance),
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    conditional.gains.assign(gains := normal(3, 2))
    conditional.biases.assign(biases := normal(3, 2, seed=1))
    wanted = plain(x, training=True).numpy() * gains[labels][:, None, None] + biases[labels][:, None, None]
    np.testing.assert_allclose(conditional([x, labels], training=True), wanted, atol=1e-5)
    again = ConditionalBatchNormalization.from_config(conditional.get_config())
    assert again.get_config() == conditional.get_config() and again.classes == 3


def test_conditional_batch_normalization_is_of_the_global_batch(two_replicas):
    x, labels = normal(6, 4, 4, 2), np.array([0, 1, 2, 2, 1, 0], np.int32)
    alone = ConditionalBatchNormalization(3)
    wanted = alone([x, labels], training=True).numpy()
    with two_replicas.scope():
        shared = ConditionalBatchNormalization(3)
        shared.build([x.shape, labels.shape])

    def call():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return shared([tf.constant(x)[replica * 3 :][:3], tf.constant(labels)[replica * 3 :][:3]], training=True)

    found = two_replicas.experimental_local_results(tf.function(lambda: two_replicas.run(call))())
    np.testing.assert_allclose(np.concatenate(found), wanted, atol=1e-5)
    np.testing.assert_allclose(shared.moving_variance.numpy(), alone.moving_variance.numpy(), atol=1e-6)


# --- labels in the networks -----------------------------------------------------------------------------------------


def conditional_gan(networks="dcgan", conditioning="projection", **arguments):
    keras.utils.set_random_seed(3)
    return kg.GAN(SPEC, 4, networks=networks, classes=3, conditioning=conditioning, width=4, seed=2, **arguments)


@pytest.mark.parametrize("networks", PAIRS)
@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_every_pair_takes_labels_in_every_way(networks, conditioning):
    model = conditional_gan(networks, conditioning, constraint="spectral", objective="hinge")
    z, labels = normal(6, 4), np.arange(6) % 3
    if networks == "maxout" or conditioning == "concatenation":
        assert "ConcatenateLabels" in kinds(model.generator)
    else:  # new gains are equal, so that classes would be too
        norms = [layer for layer in model.generator.layers if isinstance(layer, ConditionalBatchNormalization)]
        assert (
            norms
            and "ConcatenateLabels" not in kinds(model.generator)
            and "BatchNormalization" not in kinds(model.generator)
        )
        for layer in norms:
            layer.gains.assign(1.0 + 0.3 * normal(*layer.gains.shape))
    one, other = (model.generator([z, label]).numpy() for label in (labels, (labels + 1) % 3))
    assert one.shape == (6, 8, 8, 1) and np.abs(one - other).reshape(6, -1).max(1).min() > 1e-5
    normalized = [layer for layer in model.discriminator.layers if isinstance(layer, SpectralNormalization)]
    assert any(isinstance(each.layer, layers.Embedding) for each in normalized) == (conditioning == "projection")
    logits = model.logits(one, False, labels)
    assert logits.shape == (6, 1)
    moved = np.abs(logits - model.logits(one, False, (labels + 1) % 3)).max()
    assert (moved == 0.0) if conditioning == "auxiliary" else (moved > 1e-7)


def test_projection_by_hand():
    discriminator = resnet_discriminator(SPEC, 4, 3, "projection", pooling="sum")
    x, labels = normal(6, 8, 8, 1), np.arange(6) % 3
    embedding = next(layer for layer in discriminator.layers if isinstance(layer, layers.Embedding))
    dense = next(layer for layer in discriminator.layers if isinstance(layer, layers.Dense))
    pooling = next(layer for layer in discriminator.layers if type(layer).__name__ == "SumPooling2D")
    features = keras.Model(discriminator.inputs[0], [pooling.input, pooling.output])
    maps, phi = (value.numpy() for value in features(x))
    np.testing.assert_allclose(phi, maps.sum((1, 2)), rtol=1e-5)
    e = embedding.embeddings.numpy()
    wanted = phi @ dense.kernel.numpy()[:, 0] + (phi * e[labels]).sum(1)
    np.testing.assert_allclose(discriminator([x, labels])[:, 0], wanted, rtol=1e-4, atol=1e-5)
    permutation = np.array([2, 0, 1])
    embedding.embeddings.assign(e[np.argsort(permutation)])
    np.testing.assert_allclose(discriminator([x, permutation[labels]])[:, 0], wanted, rtol=1e-4, atol=1e-5)
    embedding.embeddings.assign(np.zeros_like(e))
    np.testing.assert_array_equal(discriminator([x, labels]), discriminator([x, labels[::-1]]))


def test_the_auxiliary_classifiers_losses_by_hand():
    logits, labels = normal(5, 3), np.array([0, 2, 1, 1, 0])
    cross_entropy = np.log(np.exp(logits).sum(1)) - logits[np.arange(5), labels]
    np.testing.assert_allclose(class_loss(logits, labels), cross_entropy, rtol=1e-5)
    model = conditional_gan(
        conditioning="auxiliary", class_weights=(0.7, 0.3), objective="wasserstein", penalty="drift"
    )
    images, fakes = np.random.default_rng(0).integers(0, 17, (5, *SPEC.shape), dtype=np.uint8), normal(5, *SPEC.shape)
    batch, fake_labels = {"image": images, "label": labels}, (labels + 1) % 3
    made = {"image": tf.constant(fakes), "label": fake_labels}
    (real, real_classes), (fake, fake_classes) = (
        [out.numpy() for out in model.discriminator(x)] for x in (images / 8.0 - 1.0, fakes)
    )
    wanted = (fake - real)[:, 0] + 0.7 * class_loss(real_classes, labels).numpy()
    np.testing.assert_allclose(model.discriminator_loss(batch, made, training=False), wanted, rtol=1e-4, atol=1e-6)
    wanted = -fake[:, 0] + 0.3 * class_loss(fake_classes, fake_labels).numpy()
    np.testing.assert_allclose(model.generator_loss(batch, made, training=False), wanted, rtol=1e-4, atol=1e-6)


def test_labels_of_fakes_are_drawn_in_the_step():
    model = conditional_gan()
    model.compile()
    assert model.step_spec() == {"z": Normal((4,)), "label": Labels(3)} and model.condition_spec() == {
        "label": Labels(3)
    }
    batch = {"image": np.zeros((64, *SPEC.shape), np.uint8), "label": np.zeros(64, np.int32)}
    drawn = [model.make_fakes(batch, model._noise(batch, turn), False)["label"].numpy() for turn in (0, 1, 0)]
    assert set(drawn[0]) == {0, 1, 2} and (drawn[0] != drawn[1]).any() and (drawn[0] == drawn[2]).all()


@pytest.mark.parametrize("conditioning", ["projection", "concatenation"])
def test_another_label_is_another_image_live_and_exported(conditioning, tmp_path):
    model = conditional_gan(conditioning=conditioning)
    for variable in model.generator.variables:
        if "gains" in variable.path or "kernel" in variable.path:
            variable.assign(variable + 0.3 * normal(*variable.shape))
    model.export(tmp_path / "artifact", format=["saved_model", "onnx"])
    exported = [LoadedArtifact(tmp_path / "artifact", format=each) for each in ("saved_model", "onnx")]
    for sampler in (model, *exported):
        images = [sampler.sample(4, seed=1, label=label) for label in (0, 2)]
        assert (images[0] != images[1]).reshape(4, -1).any(1).all()
        np.testing.assert_allclose(images[1].astype(int), model.sample(4, seed=1, label=2).astype(int), atol=1)


# --- networks of the user's own, and bad input ------------------------------------------------------------------------


def own_networks(classes=3, dtype="int32", outputs=1, latent=4):
    z, label, image = keras.Input((latent,)), keras.Input((), dtype=dtype), keras.Input(SPEC.shape)
    made = layers.Dense(64, "tanh")(layers.Concatenate()([z, layers.Embedding(classes, 2)(label)]))
    generator = keras.Model([z, label], layers.Reshape(SPEC.shape)(made))
    features = layers.Flatten()(image)
    if outputs == 2:
        return generator, keras.Model(image, [layers.Dense(1)(features), layers.Dense(classes)(features)])
    other = layers.Embedding(classes, 3)(label)
    return generator, keras.Model([image, label], layers.Dense(1)(layers.Concatenate()([features, other])))


@pytest.mark.parametrize("conditioning,outputs", [("concatenation", 1), ("auxiliary", 2)])
def test_a_users_own_conditional_networks_train(conditioning, outputs):
    generator, discriminator = own_networks(outputs=outputs)
    own = {"generator": generator, "discriminator": discriminator}
    model = kg.GAN(SPEC, 4, **own, classes=3, conditioning=conditioning, objective="wasserstein", penalty="gradient")
    images, labels = np.zeros((8, *SPEC.shape), np.uint8), np.arange(8) % 3
    assert np.isfinite(model.fit(images, labels, batch_size=4, verbose=0).history["generator_loss"]).all()
    again = kg.GAN.from_config(model.get_config())
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize(
    "arguments,message",
    [
        (
            {"conditioning": "projektion", "classes": 3},
            "'projektion'; give one of concatenation, projection, auxiliary",
        ),
        ({"conditioning": "projection"}, "without classes; give classes=10"),
        ({"classes": 0}, "classes=0; give an integer of at least 1"),
        ({"noise": "gamma"}, "noise='gamma'; give one of normal, uniform"),
        ({"networks": "dcgam"}, "Did you mean 'dcgan'"),
        ({"generator_width": 0}, "generator_width=0"),
        ({"classes": 3, "class_weights": (1, 1)}, "belong to conditioning='auxiliary'"),
        ({"classes": 3, "conditioning": "auxiliary", "class_weights": (1,)}, "give two numbers"),
        ({"classes": 3, "conditioning": "auxiliary", "class_weights": (1, -1)}, "class_weights=-1"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(kg.InvalidInput, match=message):
        kg.GAN(SPEC, 4, **arguments)


@pytest.mark.parametrize(
    "conditioning,own,message",
    [
        (
            "projection",
            {"latent": 5},
            r"generator takes \[b, 5\] and \[b\]; wanted z \[b, 4\] and label \[b\], in this order",
        ),
        ("projection", {"dtype": "float32"}, "generator takes labels as float32; wanted integers"),
        (
            "projection",
            {"outputs": 2},
            r"discriminator takes \[b, 8, 8, 1\]; wanted image \[b, 8, 8, 1\] and label \[b\]",
        ),
        (
            "auxiliary",
            {"outputs": 2, "classes": 4},
            r"\[b, 4\]; wanted logits \[b, \.\.\.\] and logits of the classes \[b, 3\]",
        ),
    ],
)
def test_networks_that_take_no_such_labels_are_refused(conditioning, own, message):
    generator, discriminator = own_networks(**own)
    with pytest.raises(kg.InvalidInput, match=message):
        kg.GAN(SPEC, 4, generator=generator, discriminator=discriminator, classes=3, conditioning=conditioning)


def test_labels_that_are_missing_or_out_of_range_are_refused():
    model, images = conditional_gan(), np.zeros((8, *SPEC.shape), np.uint8)
    before = model.get_weights()
    with pytest.raises(kg.InvalidInput, match="wants a label for each image"):
        model.fit(images, batch_size=4, verbose=0)
    with pytest.raises(kg.InvalidInput, match=r"label 3 is out of range; wanted integers in \[0, 2\]"):
        model.fit(images, np.full(8, 3), batch_size=4, verbose=0)
    with pytest.raises(kg.InvalidInput, match="label 3 is out of range"):
        model.sample(2, label=3)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)
