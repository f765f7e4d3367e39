"""BigGAN: its networks, attention, orthogonal regularization, truncation, standing statistics and average."""

import itertools

import keras
import numpy as np
import onnxruntime
import pytest
import scipy.stats
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen import data
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.evaluation import report_pictures
from keras_gen.evaluation.subject import Subject
from keras_gen.evaluation.truncation import truncation_curve
from keras_gen.exporters import conversion
from keras_gen.exporters.formats import traced
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.modulated_batch_normalization import ModulatedBatchNormalization
from keras_gen.layers.self_attention import SelfAttention
from keras_gen.layers.spectral_normalization import SpectralNormalization
from keras_gen.layers.truncation import truncated_normal
from keras_gen.losses.orthogonality import OrthogonalRegularizer, orthogonality
from keras_gen.metrics.features import feature_space
from keras_gen.models.adversarial.papers import BIG_PAPERS
from keras_gen.networks.big_gan import PLANS, big_gan_discriminator, big_gan_generator, noise_of
from keras_gen.training.standing_statistics import take_standing_statistics

SPEC = kg.ImageSpec(8, 8, 1, 17)
SMALL = dict(
    latent_dim=6,
    width=2,
    shared_embedding=5,
    orthogonal_weight=0.0,
    critic_steps=1,
    ema_decay=None,
    discriminator_attention=(),
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)


def small(**arguments):
    keras.utils.set_random_seed(5)
    return kg.BigGAN(SPEC, 3, **{**SMALL, **arguments})


def of_kind(network, kind):
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]


# --- the networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paper,generator,discriminator",
    [("biggan_cifar10", 4_304_387, 4_207_361), ("biggan_cifar10_studiogan", 9_416_196, 9_641_090)],
)
def test_the_published_configurations_have_their_numbers_of_weights(paper, generator, discriminator):
    model = kg.BigGAN((32, 32, 3), 10, **BIG_PAPERS.get(paper).arguments, ema_decay=None)
    assert (parameters(model.generator), parameters(model.discriminator)) == (generator, discriminator)
    attended = [len(of_kind(network, SelfAttention)) for network in (model.generator, model.discriminator)]
    assert attended == ([1, 1] if paper.endswith("studiogan") else [0, 0])


@pytest.mark.parametrize("side", PLANS)
def test_every_size_has_a_pair(side):
    spec, plan = kg.ImageSpec(side, side, 3), PLANS[side]
    generator = big_gan_generator(spec, noise_of(spec, 2), 1, 3, shared_embedding=4, initializer="normal")
    discriminator = big_gan_discriminator(spec, 1, 3, initializer="normal")
    assert generator.output_shape == (None, side, side, 3) and discriminator.output_shape == (None, 1)
    assert plan.start << len(plan.ups) == side and side >> len(plan.downs) in (4, 7, 8)
    blocks = [[layer.output.shape[1:] for layer in of_kind(n, layers.Add)] for n in (generator, discriminator)]
    sides = [plan.start << n for n in range(1, len(plan.ups) + 1)]
    assert blocks[0] == [(each, each, maps) for each, maps in zip(sides, plan.ups)]
    sides = [side >> n for n in range(1, len(plan.downs) + 1)]
    sides += sides[-1:] * len(plan.flats)
    assert blocks[1][: len(sides)] == [(each, each, maps) for each, maps in zip(sides, plan.downs + plan.flats)]
    for network in (generator, discriminator):
        assert [each.output.shape[1] for each in of_kind(network, SelfAttention)] == list(plan.attention)


def test_the_papers_sizes():
    assert noise_of(kg.ImageSpec(128, 128, 3)) == 120 and noise_of(kg.ImageSpec(256, 256, 3)) == 140
    assert noise_of(kg.ImageSpec(32, 32, 3)) == 80


def test_all_but_the_generators_embeddings_have_spectral_norm_1():
    for shared, split in ((5, True), (5, False), (None, False)):
        model = small(shared_embedding=shared, split_noise=split, attention=[8], discriminator_attention=[4])
        for network in (model.generator, model.discriminator):
            wrapped = {id(each.layer) for each in of_kind(network, SpectralNormalization)}
            kernels = of_kind(network, (layers.Dense, layers.Conv2D, layers.Embedding))
            raw = [each for each in kernels if id(each) not in wrapped]
            embeddings = {None: 4, 5: 1}[shared] if network is model.generator else 0
            assert [type(each) for each in raw] == [layers.Embedding] * embeddings
    dense = of_kind(model.discriminator, layers.Dense)
    assert len(dense) == 1 and dense[0].use_bias


def test_a_chunk_of_noise_enters_with_its_block_and_the_class_everywhere():
    keras.utils.set_random_seed(1)
    generator = big_gan_generator(kg.ImageSpec(16, 16, 1), 6, 2, 3, shared_embedding=4)
    first = next(layer.output for layer in generator.layers if isinstance(layer, layers.Reshape))
    blocks = [layer.output for layer in generator.layers if isinstance(layer, layers.Add)]
    inside = keras.Model(generator.inputs, [first, *blocks])
    z, labels = normal(4, 6), np.array([0, 1, 2, 0], np.int32)
    before = [value.numpy() for value in inside([z, labels])]
    for chunk in range(3):
        moved = z.copy()
        moved[:, 2 * chunk : 2 * chunk + 2] += 1.0
        changes = [np.abs(value - old).max() for value, old in zip(inside([moved, labels]), before)]
        assert not any(changes[:chunk]) and all(change > 1e-4 for change in changes[chunk:])
    changes = [np.abs(value - old).max() for value, old in zip(inside([z, (labels + 1) % 3]), before)]
    assert changes[0] == 0.0 and changes[1] > 1e-4  # the same noise, another class


def test_without_chunks_all_noise_enters_first():
    model = small(split_noise=False, latent_dim=7)
    dense = next(each for each in of_kind(model.generator, layers.Dense) if each.use_bias)
    assert dense.kernel.shape[0] == 7
    gains = [each for each in of_kind(model.generator, layers.Dense) if not each.use_bias]
    assert len(gains) == 4 and all(each.kernel.shape[0] == 5 for each in gains)


# --- modulated batch normalization ------------------------------------------------------------------------------------


def test_a_modulation_of_zero_is_plain_batch_normalization_and_statistics_know_no_class():
    x, zero = 3.0 * normal(6, 4, 4, 2) + 1.0, np.zeros((6, 2), np.float32)
    modulated, plain = ModulatedBatchNormalization(), BatchNormalization()
    for training in (True, True, False):
        np.testing.assert_allclose(
            modulated([x, zero, zero], training=training), plain(x, training=training), atol=1e-5
        )
    np.testing.assert_allclose(modulated.moving_variance, plain.moving_variance, rtol=1e-5)
    gains, biases = normal(6, 2), normal(6, 2, seed=1)
    wanted = plain(x, training=True) * (1 + gains[:, None, None]) + biases[:, None, None]
    np.testing.assert_allclose(modulated([x, gains, biases], training=True), wanted, atol=1e-5)
    np.testing.assert_allclose(modulated.moving_mean, plain.moving_mean, rtol=1e-5)
    assert ModulatedBatchNormalization.from_config(modulated.get_config()).get_config() == modulated.get_config()


def test_an_embedding_of_zero_leaves_the_generators_normalizations_plain():
    generator = small(split_noise=False).generator
    [embedding] = of_kind(generator, layers.Embedding)
    embedding.embeddings.assign(np.zeros(embedding.embeddings.shape))
    for norm in of_kind(generator, ModulatedBatchNormalization):
        features, *modulation = norm.input
        inside = keras.Model(generator.inputs, [features, norm.output, *modulation])
        x, y, gains, biases = inside([normal(4, 6), np.arange(4) % 3])
        assert not np.any(gains) and not np.any(biases)
        np.testing.assert_allclose(y, x / np.sqrt(1 + norm.epsilon), rtol=1e-5, atol=1e-7)


# --- attention ----------------------------------------------------------------------------------------------------------


def attention(gamma=0.7):
    keras.utils.set_random_seed(2)
    layer = SelfAttention("orthogonal")
    x = normal(2, 4, 6, 8)
    layer(x)
    layer.gamma.assign(gamma)
    return layer, x


def test_attention_by_hand():
    layer, x = attention()
    assert [each.kernel.shape[-1] for each in (layer.theta, layer.phi, layer.g, layer.o)] == [1, 1, 4, 8]
    assert not any(each.layer.use_bias for each in (layer.theta, layer.phi, layer.g, layer.o))

    def mapped(each, maps):
        return maps @ (each.kernel.numpy()[0, 0] / float(each.sigma()))

    def pooled(maps):
        return maps.reshape(2, 2, 2, 3, 2, -1).max((2, 4)).reshape(2, 6, -1)

    scores = mapped(layer.theta, x).reshape(2, 24, 1) @ pooled(mapped(layer.phi, x)).transpose(0, 2, 1)
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(layer.attention(x), shares, rtol=1e-4)
    np.testing.assert_allclose(np.sum(layer.attention(x), -1), 1.0, rtol=1e-6)
    wanted = x + 0.7 * mapped(layer.o, (shares @ pooled(mapped(layer.g, x))).reshape(2, 4, 6, 4))
    np.testing.assert_allclose(layer(x), wanted, atol=1e-5)
    again = SelfAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_attention_does_not_know_where_its_places_are():
    """Squares that are pooled together change places: so does what comes out, and nothing else."""
    layer, x = attention()
    order = np.array([4, 2, 0, 5, 1, 3])

    def moved(maps):
        squares = (
            np.asarray(maps).reshape(2, 2, 2, 3, 2, 8).transpose(0, 1, 3, 2, 4, 5).reshape(2, 6, 2, 2, 8)[:, order]
        )
        return squares.reshape(2, 2, 3, 2, 2, 8).transpose(0, 1, 3, 2, 4, 5).reshape(2, 4, 6, 8)

    np.testing.assert_allclose(layer(moved(x)), moved(layer(x)), atol=1e-5)


def test_new_attention_is_the_identity_in_an_exported_graph_too():
    layer, x = attention(gamma=0.0)
    np.testing.assert_array_equal(layer(x), x)
    attentive, plain = small(attention=[8]), small(attention=[])
    others = [w for w in attentive.generator.weights if "self_attention" not in w.path]
    for mine, its in zip(plain.generator.weights, others, strict=True):
        mine.assign(its)
    graph = traced(attentive.endpoints())["sample"]
    session = onnxruntime.InferenceSession(conversion.convert(graph, 17).SerializeToString())
    given = draw({**plain.noise_spec(), **plain.condition_spec()}, 16, seed=4)
    images = plain.images_of({"z": given["z"]}, {name: given[name] for name in ("label", "truncation")})
    [found] = session.run(None, {each.name: given[each.name.split(":")[0]] for each in session.get_inputs()})
    assert np.abs(found.astype(int) - images).max() <= 1 and (found != images).mean() < 0.01 and images.std() > 1
    [layer] = of_kind(attentive.generator, SelfAttention)
    layer.gamma.assign(2.0)
    assert (attentive.images_of({"z": given["z"]}, {"label": given["label"]}) != images).any()


# --- orthogonal regularization --------------------------------------------------------------------------------------------


def test_orthogonality_by_hand():
    assert float(orthogonality(tf.constant([[1.0, 1.0], [0.0, 1.0]]))) == 2.0
    assert float(orthogonality(tf.constant([[3.0, 0.0], [0.0, 0.5]]))) == 0.0  # lengths do not count
    for shape, axis in itertools.product([(7, 4), (4, 7), (3, 3, 2, 5)], (-1, 0)):
        kernel = normal(*shape)
        vectors = np.moveaxis(kernel, axis, 0).reshape(shape[axis], -1)
        products = vectors @ vectors.T
        np.fill_diagonal(products, 0.0)
        assert float(orthogonality(kernel, axis)) == pytest.approx((products**2).sum(), rel=1e-5)
    keras.utils.set_random_seed(0)
    for shape in ((6, 6), (3, 3, 2, 9)):
        kernel = keras.initializers.Orthogonal()(shape)
        matrix = np.reshape(kernel, (-1, shape[-1]))
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(shape[-1]), atol=1e-5)
        assert float(orthogonality(kernel)) < 1e-10


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_orthogonalitys_gradient_is_the_true_one(shape):
    kernel, step = tf.constant(normal(*shape)), 1e-2
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = orthogonality(kernel)
    found = tape.gradient(value, kernel).numpy()
    products = kernel.numpy().T @ kernel.numpy()
    np.fill_diagonal(products, 0.0)
    np.testing.assert_allclose(found, 4.0 * kernel.numpy() @ products, rtol=1e-4, atol=1e-4)
    for place in np.ndindex(shape):
        nudge = np.zeros(shape, np.float32)
        nudge[place] = step
        slope = (float(orthogonality(kernel + nudge)) - float(orthogonality(kernel - nudge))) / (2 * step)
        assert slope == pytest.approx(found[place], rel=2e-2, abs=2e-2)


@pytest.mark.parametrize("shared,split", [(5, True), (None, False)])
def test_all_of_the_generator_is_regularized_but_the_shared_embedding(shared, split):
    weight = 0.3
    model = small(shared_embedding=shared, split_noise=split, orthogonal_weight=weight, attention=[8])
    kinds = (layers.Dense, layers.Conv2D)
    kernels = [layer.kernel for layer in of_kind(model.generator, kinds)]
    wanted = sum(float(orthogonality(kernel)) for kernel in kernels)
    if shared is None:
        wanted += sum(float(orthogonality(e.embeddings, 0)) for e in of_kind(model.generator, layers.Embedding))
    assert sum(map(float, model.generator.losses)) == pytest.approx(weight * wanted, rel=1e-5)
    assert not model.discriminator.losses and not small().generator.losses
    kernels[0].assign(2.0 * kernels[0])  # the raw kernel, whatever its spectral norm
    more = wanted + 15.0 * float(orthogonality(kernels[0] / 2.0))
    assert sum(map(float, model.generator.losses)) == pytest.approx(weight * more, rel=1e-5)
    regularizer = OrthogonalRegularizer(0.2, 0)
    assert OrthogonalRegularizer.from_config(regularizer.get_config()).get_config() == {"weight": 0.2, "axis": 0}


# --- truncation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [0.01, 0.5, 1.0, 2.0, 4.0, 9.0])
def test_truncated_noise_is_truncated_normal_and_rises_with_the_noise(bound):
    z = np.sort(normal(200_000))
    found = truncated_normal(z, np.float32(bound)).numpy()
    assert np.abs(found).max() <= np.float32(bound) and (np.diff(found) >= -2e-6).all()
    exact = scipy.stats.truncnorm(-bound, bound)
    wanted = np.sign(z) * -exact.ppf(scipy.stats.norm.cdf(-np.abs(z.astype(float))))
    np.testing.assert_allclose(found, wanted, atol=5e-6)
    assert found.mean() == pytest.approx(0.0, abs=4 * exact.std() / len(z) ** 0.5)
    assert found.var() == pytest.approx(exact.var(), rel=0.02)


def test_a_bound_beyond_all_noise_changes_nothing():
    z = np.concatenate([normal(1_000), [0.0, 4.9, -4.9]]).astype(np.float32)
    np.testing.assert_allclose(truncated_normal(z, np.float32(8.0)), z, atol=5e-6)
    np.testing.assert_array_equal(truncated_normal(z, np.float32(10.0)), z)
    far = np.array([-8.2, 6.5, 8.2], np.float32)
    assert np.isfinite(truncated_normal(far, np.float32(3.0))).all()
    np.testing.assert_allclose(truncated_normal(far, np.float32(3.0)), [-3.0, 3.0, 3.0], atol=1e-4)


def test_truncation_is_a_way_of_sampling():
    model = small()
    images = model.sample(12, seed=3)
    np.testing.assert_array_equal(images, model.sample(12, seed=3, truncation=10))
    noise = draw(model.noise_spec(), 12, seed=3)["z"]
    for bound in (0.5, 1.7):
        labels = np.arange(12) % 3
        wanted = model.images_of({"z": truncated_normal(noise, np.float32(bound)).numpy()}, {"label": labels})
        np.testing.assert_array_equal(model.sample(12, seed=3, truncation=bound), wanted)
    assert (model.sample(12, seed=3, truncation=0.5) != images).any()
    narrow = model.sample(6, truncation=0.01, label=1)
    assert np.ptp(narrow.astype(int), axis=0).max() <= 1 < np.ptp(model.sample(6, label=1).astype(int), axis=0).max()
    assert set(model.step_spec()) == {"z", "label"}  # no step draws a bound
    plain = model([noise, np.arange(12) % 3])
    np.testing.assert_array_equal(
        plain, model({"z": noise, "label": np.arange(12) % 3, "truncation": np.full(12, 10.0)})
    )


@pytest.mark.parametrize("truncation", [0, -1.0, 0.001, 11, np.nan, "high"])
def test_truncations_that_are_none_are_refused(truncation):
    model = small()
    with pytest.raises(kg.InvalidInput, match=r"truncation.*(\[0.01, 10.0\]|float32)"):
        model.sample(2, truncation=truncation)
    with pytest.raises(kg.InvalidInput, match="truncation"):
        model.standing_statistics(truncation)


# --- standing statistics --------------------------------------------------------------------------------------------------


def linear():
    """``z`` ``[b, 4]`` through a dense layer and batch normalization."""
    keras.utils.set_random_seed(3)
    dense = layers.Dense(3, bias_initializer="normal")
    return keras.Sequential([keras.Input((4,)), dense, BatchNormalization()]), dense


@pytest.mark.parametrize("bound", [0.8, 10.0])
def test_standing_statistics_of_a_linear_generator_are_the_gaussians(bound):
    network, dense = linear()
    z = list(truncated_normal(normal(200, 500, 4), np.float32(bound)))
    take_standing_statistics(network, z)
    [norm] = of_kind(network, BatchNormalization)
    spread = scipy.stats.truncnorm(-bound, bound).var()
    variance = spread * (dense.kernel.numpy() ** 2).sum(0) * (1 - 1 / 500)
    np.testing.assert_allclose(norm.moving_mean, dense.bias, atol=5 * (variance.max() / 100_000) ** 0.5)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=0.03)
    before = [norm.moving_mean.numpy(), norm.moving_variance.numpy()]
    take_standing_statistics(network, z[::-1])
    np.testing.assert_allclose([norm.moving_mean, norm.moving_variance], before, rtol=1e-5, atol=1e-6)
    outputs = network(np.concatenate(z)).numpy()
    np.testing.assert_allclose(outputs.var(0), 1.0, rtol=0.01)


def test_statistics_stay_where_a_batch_fails():
    network, _ = linear()
    [norm] = of_kind(network, BatchNormalization)

    def batches():
        yield normal(8, 4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_standing_statistics(network, batches())
    assert norm.seen is None and not np.any(norm.moving_mean) and (norm.moving_variance.numpy() == 1.0).all()
    for wrong, given, message in (
        (network, [], "No batch"),
        (keras.Sequential([keras.Input((4,))]), [], "no layer of"),
    ):
        with pytest.raises(kg.InvalidInput, match=message):
            take_standing_statistics(wrong, given)


def test_standing_statistics_are_those_of_what_samples(tmp_path):
    model = small(ema_decay=0.5, ema_start=0)
    [own, kept] = ([w.numpy() for w in network.weights] for network in (model.generator, model.averages[0]))
    images = model.sample(8)
    model.standing_statistics(0.7, batches=3, batch_size=32, seed=1)
    changed = [w.path for w, old in zip(model.averages[0].weights, kept) if (w.numpy() != old).any()]
    assert len(changed) == 6 and all("moving_" in path for path in changed)
    assert all((w.numpy() == old).all() for w, old in zip(model.generator.weights, own))
    standing = model.sample(8, truncation=0.7)
    assert (model.sample(8) != images).any()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").sample(8, truncation=0.7), standing)
    # Every batch is normalized by its own statistics on the way, as the generator is in training.
    given = model.generator_inputs({**draw(model.step_spec(), 32, seed=1), "truncation": np.full(32, 0.7, np.float32)})
    trained = small(ema_decay=None).generator
    for norm in of_kind(trained, BatchNormalization):
        norm.momentum = 0.0
    trained(given, training=True)
    model.standing_statistics(0.7, batches=1, batch_size=32, seed=1)
    for one, other in zip(*(of_kind(network, BatchNormalization) for network in (trained, model.averages[0]))):
        np.testing.assert_allclose(one.moving_mean, other.moving_mean, atol=1e-5)
        np.testing.assert_allclose(one.moving_variance, other.moving_variance, rtol=1e-4, atol=1e-6)


def test_the_curve_and_the_pictures_of_truncation(tmp_path):
    model, digits, seen = small(), data.load("digits", "test"), []
    train, test = data.load("digits").first(80), digits.first(80)
    rows = truncation_curve(model, digits, (0.01, 10.0), samples=40, space="pixels", before=seen.append)
    assert seen == [0.01, 10.0] == [row["truncation"] for row in rows]
    assert list(rows[0]) == [
        "truncation",
        "fid40_test_pixels",
        "precision_k3_40_test_pixels",
        "recall_k3_40_test_pixels",
    ]
    own = ImageData("its own samples", "test", SPEC, {"image": model.sample(40)})
    narrow, wide = ([*row.values()][1:] for row in truncation_curve(model, own, (0.01, 10), samples=40, space="pixels"))
    assert wide[0] == pytest.approx(0.0, abs=1e-6) and wide[1:] == [1.0, 1.0]
    assert narrow[0] > 0.01 and narrow[2] < 0.2  # three images, one a class
    with pytest.raises(kg.InvalidInput, match="GAN samples without truncation"):
        truncation_curve(kg.GAN(SPEC, 4, width=4), digits)
    subject = Subject(model, train, test, test, 40, feature_space("pixels"), 0)
    pictures = report_pictures.draw_pictures(subject, tmp_path)
    assert (tmp_path / pictures["truncations"]["file"]).is_file() and "10.0, a row each" in pictures["truncations"][
        "shows"
    ]


# --- the average -----------------------------------------------------------------------------------------------------------


def test_the_average_is_the_weights_until_it_starts_and_has_buffers_too():
    model = small(ema_decay=0.75, ema_start=2, attention=[8])
    model.compile(*(keras.optimizers.SGD(0.05) for _ in range(2)))
    images = np.random.default_rng(0).integers(0, 17, (8, *SPEC.shape), dtype=np.uint8)
    batch = {"image": tf.constant(images), "label": tf.constant(np.arange(8) % 3)}
    average, generator = model.averages[0], model.generator
    for step in (1, 2, 3):
        before = [w.numpy() for w in average.weights]
        model.train_step(batch)
        moved = 0
        for kept, old, now in zip(average.weights, before, generator.weights):
            wanted = now.numpy() if step < 2 else 0.75 * old + 0.25 * now.numpy()
            np.testing.assert_allclose(kept, wanted, rtol=1e-6, atol=1e-7 if step > 1 else 0)
            moved += (old != now.numpy()).any()
        buffers = [w.path.rsplit("/", 1)[-1] for w in generator.non_trainable_variables]
        assert {"moving_mean", "moving_variance", "u"} == set(buffers) and moved > len(buffers)


# --- settings ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paper", BIG_PAPERS)
def test_the_papers_build(paper):
    sizes = {"attention": ()} if BIG_PAPERS.get(paper).arguments.get("attention") else {}
    model = kg.BigGAN.named(paper, SPEC, classes=3, width=1, latent_dim=6, **sizes)
    rates = {"biggan_imagenet128": (5e-5, 2e-4)}.get(paper, (2e-4, 2e-4))
    both = (model.generator_optimizer, model.discriminator_optimizer)
    assert [float(each.learning_rate.numpy()) for each in both] == pytest.approx(rates)
    assert {each.beta_1 for each in both} == {0.5 if paper.endswith("studiogan") else 0.0}
    assert model.compiled and model.paper == paper and model.ema_decay == 0.9999
    with pytest.raises(kg.InvalidInput, match="Unknown paper"):
        kg.GAN.named(paper, SPEC)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(latent_dim=7), r"latent_dim=7 does not split into 2 chunks.*latent_dim=8"),
        (dict(image_spec=(8, 16, 1), latent_dim=None), "no networks for 8x16.*16x16"),
        (dict(image_spec=(48, 48, 3)), "no networks for 48x48 images.*Resize them to 32x32"),
        (dict(shared_embedding=None), "shared_embedding=None.*split_noise=False"),
        (dict(shared_embedding=0), "shared_embedding=0"),
        (
            dict(attention=[16]),
            r"attention=\[16\]: no block of the generator gives maps of 16x16; give it some of the sides 8",
        ),
        (
            dict(discriminator_attention=[8]),
            "no block of the discriminator gives maps of 8x8; give it some of the sides 4",
        ),
        (dict(initializer="uniform"), "Unknown initializer 'uniform'"),
        (dict(orthogonal_weight=-1), "orthogonal_weight=-1"),
        (dict(classes=0), "classes=0"),
        (dict(ema_start=-1, ema_decay=0.9), "ema_start=-1"),
        (dict(paper="dcgan"), "Unknown paper 'dcgan'"),
    ],
)
def test_what_cannot_be_built_says_why(arguments, message):
    with pytest.raises(kg.InvalidInput, match=message):
        kg.BigGAN(**{"image_spec": SPEC, "classes": 3, **SMALL, **arguments})


def test_data_without_labels_and_an_average_that_is_none_are_refused():
    model = small()
    with pytest.raises(kg.InvalidInput, match="wants a label for each image"):
        model.fit(np.zeros((4, 8, 8, 1), np.uint8), batch_size=2, verbose=0)
    with pytest.raises(kg.InvalidInput, match="ema_start=5 without ema_decay"):
        kg.GAN(SPEC, 4, width=4, ema_start=5)


def test_gathered_gradients_are_refused():
    for wrapped in (lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer):
        gathering = wrapped(keras.optimizers.Adam(1e-3, gradient_accumulation_steps=2))
        with pytest.raises(kg.InvalidInput, match="gradient_accumulation_steps=2.*larger batch_size"):
            small().compile(keras.optimizers.SGD(0.1), gathering)
