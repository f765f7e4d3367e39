"""The mathematics of autoregressive models: what sees what, what sums to one, and that sampling is the density's own."""

import functools
import itertools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.noise import draw
from keras_gen.exporters.formats import FORMATS
from keras_gen.layers.causal_lstm import apart, side_by_side, skewed, unskewed
from keras_gen.layers.dropout import Dropout
from keras_gen.layers.lstm_scan import lstm_scan
from keras_gen.losses.pixel_distributions import CoupledLogisticMixture, LogisticMixture, logistic_level_log_prob

row_lstm = functools.partial(kg.PixelRNN, cell="row_lstm")
diagonal = functools.partial(kg.PixelRNN, cell="diagonal_bilstm")
SMALL = {
    "pixel_cnn": lambda spec, **kw: kg.PixelCNN(spec, 6, 2, first_kernel=3, **kw),
    "gated": lambda spec, **kw: kg.GatedPixelCNN(spec, 6, 2, first_kernel=3, **kw),
    "row_lstm": lambda spec, **kw: row_lstm(spec, filters=6, layers_deep=2, first_kernel=3, **kw),
    "diagonal_bilstm": lambda spec, **kw: diagonal(spec, filters=6, layers_deep=2, first_kernel=3, **kw),
    "plus_plus": lambda spec, **kw: kg.PixelCNNPlusPlus(spec, 6, 1, dropout=0.0, **kw),
}
OUTPUTS = ("bernoulli", "softmax", "logistic_mixture")
every_model = pytest.mark.parametrize("name", SMALL)


def build(name, spec, **arguments):
    """A model with weights as different as training makes them."""
    keras.utils.set_random_seed(3)
    model = SMALL[name](kg.ImageSpec(*spec), **arguments)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + generator.normal(0.0, 0.3, variable.shape))
    return model


def combinations():
    """Every model with every output it takes, on one channel and on several."""
    for name, output, channels in itertools.product(SMALL, OUTPUTS, (1, 2, 3)):
        if name == "plus_plus" and channels > 1 and output != "logistic_mixture":
            continue
        yield pytest.param(name, output, channels, id=f"{name}-{output}-{channels}")


def sensitivity(model, trials=8):
    """Which inputs move which outputs: boolean [h, w, parameters, h, w, c], by gradients at several random images."""
    spec = model.image_spec

    @tf.function
    def jacobian(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            parameters = model.parameters_of(image)
        return tape.jacobian(parameters, image, experimental_use_pfor=False)

    moved = 0.0
    for trial in range(trials):
        image = np.random.default_rng(trial).normal(size=(1, *spec.shape)).astype(np.float32)
        moved = moved + np.abs(jacobian(tf.constant(image)).numpy()[0, :, :, :, 0])
    return moved > 0.0


@pytest.mark.parametrize("name,output,channels", combinations())
def test_no_output_sees_what_it_must_not(name, output, channels):
    model = build(name, (3, 4, channels, 2), output=output, mixtures=2)
    moved = sensitivity(model, trials=2)
    pixels = 12
    moved = moved.reshape(pixels, -1, pixels, channels)
    coupled = model.distribution.couples_channels
    per_channel = moved.shape[1] if coupled else moved.shape[1] // channels
    for pixel, parameter, seen, channel in itertools.product(*map(range, moved.shape)):
        own = 0 if coupled else parameter // per_channel
        if seen > pixel or (seen == pixel and channel >= own):
            assert not moved[pixel, parameter, seen, channel]
    assert moved.any()


def claimed_context(name, height, width):
    """The pixels that the paper lets each pixel see, boolean [pixel, pixel], from the layers' taps alone."""
    places = [(y, x) for y in range(height) for x in range(width)]
    index = {place: i for i, place in enumerate(places)}
    if name in ("gated", "plus_plus"):  # all that comes before
        return np.tri(len(places), k=-1, dtype=bool)

    def convolved(seen, taps):
        result = np.zeros_like(seen)
        for (y, x), i in index.items():
            for dy, dx in taps:
                if (y + dy, x + dx) in index:
                    result[i] |= seen[index[y + dy, x + dx]]
        return result

    above = [(-1, -1), (-1, 0), (-1, 1)]
    seen = convolved(np.eye(len(places), dtype=bool), [*above, (0, -1)])  # 3 x 3, mask A

    def swept(seen, side):
        """What a diagonal LSTM's states receive: the one beside and the one above."""
        received = seen.copy()
        for y, x in sorted(places, key=lambda place: (place[0], side * place[1])):
            for neighbour in ((y, x - side), (y - 1, x)):
                if neighbour in index:
                    received[index[y, x]] |= received[index[neighbour]]
        return received

    for _ in range(2):
        if name == "pixel_cnn":
            seen = convolved(seen, [*above, (0, -1), (0, 0)])
            continue
        if name == "diagonal_bilstm":  # the map from the right is shifted down by a row
            seen = seen | swept(seen, 1) | convolved(swept(seen, -1), [(-1, 0)])
            continue
        received = convolved(seen, [(0, -1), (0, 0)])
        for i, (y, x) in enumerate(places):  # rows in order: the state receives the three above it
            for dx in (-1, 0, 1):
                if (y - 1, x + dx) in index:
                    received[i] |= received[index[y - 1, x + dx]]
        seen = received | seen  # the residual
    return seen


@every_model
def test_every_pixel_sees_the_whole_context_that_the_model_claims(name):
    height, width = (4, 4) if name == "plus_plus" else (3, 5)
    arguments = {"gated": {"blocks": 5}, "plus_plus": {"resnets": 2}}.get(name, {})
    keras.utils.set_random_seed(3)
    spec = kg.ImageSpec(height, width, 1, 2)
    if name == "gated":
        model = kg.GatedPixelCNN(spec, 6, first_kernel=3, **arguments)
    elif name == "plus_plus":
        model = kg.PixelCNNPlusPlus(spec, 8, dropout=0.0, **arguments)
    else:
        model = build(name, spec.shape + (2,))
    pixels = height * width
    seen = sensitivity(model).reshape(pixels, -1, pixels).any(axis=1)
    np.testing.assert_array_equal(seen, claimed_context(name, height, width))


def test_the_gated_stacks_have_no_blind_spot_and_pixel_cnn_has():
    """The pixel up and to the right, two columns away and one row above: the paper's figure 1."""
    blind = build("pixel_cnn", (3, 5, 1, 2)), (1 * 5 + 0, 0 * 5 + 4)
    pixel, unseen = blind[1]
    seen = sensitivity(blind[0]).reshape(15, -1, 15).any(axis=1)
    assert not seen[pixel, unseen]
    gated = kg.GatedPixelCNN(kg.ImageSpec(3, 5, 1, 2), 6, 5, first_kernel=3)
    assert sensitivity(gated).reshape(15, -1, 15).any(axis=1)[pixel, unseen]


def all_images(spec):
    values = itertools.product(range(spec.levels), repeat=spec.dimensions)
    return np.array(list(values), np.uint8).reshape(-1, *spec.shape)


@pytest.mark.parametrize("spec", [(3, 3, 1, 2), (2, 2, 1, 4), (1, 2, 3, 3)], ids=str)
@pytest.mark.parametrize("output", [None, "logistic_mixture"])
@every_model
def test_the_probabilities_of_all_images_sum_to_one(name, output, spec):
    model = build(name, spec, output=output, mixtures=2)
    log_prob = model.log_prob(all_images(model.image_spec), batch_size=1_000).astype(np.float64)
    assert abs(np.exp(log_prob).sum() - 1.0) < 1e-5


@pytest.mark.parametrize("spec", [(2, 2, 1, 2), (1, 2, 3, 2), (2, 1, 1, 5)], ids=str)
@every_model
def test_samples_come_as_often_as_their_probability_says(name, spec):
    model = build(name, spec, mixtures=2)
    images = all_images(model.image_spec)
    probability = np.exp(model.log_prob(images).astype(np.float64))
    samples = model.sample(20_000, seed=1, batch_size=20_000)
    base = model.image_spec.levels ** np.arange(model.image_spec.dimensions)[::-1]
    counts = np.bincount(samples.reshape(len(samples), -1) @ base, minlength=len(images))
    expected = len(samples) * probability / probability.sum()
    common = expected >= 5.0
    observed = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum())
    if wanted[-1] < 1e-9:
        observed, wanted = observed[:-1], wanted[:-1]
    assert scipy.stats.chisquare(observed, wanted).pvalue > 1e-4


def naive(model, noise, label=None):
    """The reference sampler: the whole network anew for every channel of every pixel."""
    spec = model.image_spec
    condition = model._condition(label)
    parameters_of = tf.function(lambda x: model.parameters_of(x, condition))
    images = np.zeros((len(noise["u"]), *spec.shape), np.uint8)
    for y, x, c in itertools.product(range(spec.height), range(spec.width), range(spec.channels)):
        scaled = spec.to_unit(images)
        here = {name: values[:, y, x] for name, values in noise.items()}
        earlier = [scaled[:, y, x, before] for before in range(c)]
        images[:, y, x, c] = model.distribution.draw(parameters_of(scaled)[:, y, x], c, earlier, here)
    return images


@pytest.mark.parametrize("spec", [(6, 8, 1, 2), (4, 4, 3, 5), (1, 1, 1, 2)], ids=str)
@every_model
def test_cached_sampling_equals_naive_for_a_thousand_images(name, spec):
    model = build(name, spec, mixtures=2)
    noise = draw(model.noise_spec(), 1_000, seed=2)
    np.testing.assert_array_equal(model.images_of(noise), naive(model, noise))


@pytest.mark.parametrize("name", ["pixel_cnn", "diagonal_bilstm"])
def test_a_thousand_exported_images_equal_naive_ones(name, tmp_path):
    model = build(name, (5, 6, 1, 2))
    manifest = model.export(tmp_path / "artifact", format=["saved_model", "onnx"])
    noise = draw(model.noise_spec(), 1_000, seed=3)
    wanted = naive(model, noise)
    for form, entry in manifest["formats"].items():
        run = FORMATS.get(form).load(tmp_path / "artifact", entry)
        np.testing.assert_array_equal(run("sample", noise)["image"], wanted)


def test_a_class_conditional_model_hears_its_class():
    spec = kg.ImageSpec(4, 4, 1, 2)
    keras.utils.set_random_seed(1)
    model = kg.GatedPixelCNN(spec, 8, 2, classes=2)
    model.compile(keras.optimizers.Adam(1e-2))
    labels = np.arange(256) % 2
    images = np.broadcast_to(labels[:, None, None, None], (256, 4, 4, 1)).astype(np.uint8)
    model.fit(images, labels, batch_size=32, epochs=5, verbose=0)
    # All draws are of one size: XLA compiles each for itself.
    assert model.sample(50, label=1).mean() > 0.9 and model.sample(50, label=np.zeros(50, int)).mean() < 0.1
    assert model.sample(50).mean(axis=(1, 2, 3)).round().tolist() == [0, 1] * 25  # classes in turn
    assert (model.log_prob(images[:2], label=labels[:2]) > model.log_prob(images[:2], label=1 - labels[:2])).all()
    noise = draw(model.noise_spec(), 50, seed=2)
    label = np.arange(50, dtype=np.int32) % 2
    np.testing.assert_array_equal(model.images_of(noise, {"label": label}), naive(model, noise, label))
    again = kg.GatedPixelCNN.from_config(model.get_config())
    assert again.classes == 2
    with pytest.raises(kg.InvalidInput, match="label 2 is out of range"):
        model.sample(4, label=2)
    with pytest.raises(kg.InvalidInput, match="wanted 4 integers"):
        model.sample(4, label=[0, 1])
    with pytest.raises(kg.InvalidInput, match="wants label="):
        model.log_prob(images[:2])
    with pytest.raises(kg.InvalidInput, match="train and measure it on images with labels"):
        model.fit(images, batch_size=32, verbose=0)
    with pytest.raises(kg.InvalidInput, match="label 2 is out of range"):
        model.fit(images, labels + 1, batch_size=32, verbose=0)
    with pytest.raises(kg.InvalidInput, match="wants a label for each image"):
        model.fit(tf.data.Dataset.from_tensor_slices(images).batch(32), verbose=0)
    with pytest.raises(kg.InvalidInput, match="condition 'colour'"):
        model.sample(4, colour=1)


def test_a_class_conditional_model_is_exported_with_its_labels(tmp_path):
    model = kg.GatedPixelCNN(kg.ImageSpec(3, 4, 1, 2), 4, 1, classes=3)
    manifest = model.export(tmp_path / "artifact", format=["saved_model", "onnx"])
    inputs = manifest["endpoints"]["sample"]["inputs"]
    said = {"dtype": "int32", "shape": [None], "distribution": None, "range": [0, 2]}
    assert inputs["label"] == {"kind": "labels", **said, "default": "in turn"}


@every_model
def test_equal_models_compute_equal_bits_however_many_were_built_before(name):
    """TensorFlow orders sums by the names of layers, which Keras counts through the process: a resumed run would drift."""
    keras.backend.clear_session()
    first, second = (build(name, (4, 4, 1, 2)) for _ in range(2))
    assert [variable.path for variable in first.stack[0].variables] == [v.path for v in second.stack[0].variables]
    images = np.random.default_rng(0).integers(0, 2, (64, 4, 4, 1), dtype=np.uint8)
    np.testing.assert_array_equal(first.log_prob(images), second.log_prob(images))


# --- completion -------------------------------------------------------------------------------------------------------


@every_model
def test_completion_keeps_what_is_known_and_draws_the_rest(name):
    model = build(name, (4, 4, 1, 2))
    images = np.random.default_rng(0).integers(0, 2, (6, 4, 4, 1), dtype=np.uint8)
    top = np.zeros((4, 4), bool)
    top[:2] = True
    completed = model.complete(images, top, seed=5)
    np.testing.assert_array_equal(completed[:, :2], images[:, :2])
    np.testing.assert_array_equal(model.complete(images, ~np.zeros((4, 4), bool)), images)
    np.testing.assert_array_equal(model.complete(images, np.zeros((4, 4), bool), seed=5), model.sample(6, seed=5))
    # Unknown pixels do not matter, and each is drawn as the naive sampler would after the known ones.
    other = np.where(top[None, :, :, None], images, 1 - images)
    np.testing.assert_array_equal(completed, model.complete(other, top, seed=5))
    noise = draw(model.noise_spec(), 6, seed=5)
    redrawn = model.distribution.draw(
        model.parameters_of(model.image_spec.to_unit(completed))[:, 2, 1],
        0,
        [],
        {k: v[:, 2, 1] for k, v in noise.items()},
    )
    np.testing.assert_array_equal(completed[:, 2, 1, 0], redrawn)


def test_a_short_last_batch_is_completed_without_compiling_anew():
    model = build("pixel_cnn", (4, 4, 1, 2))
    images, top = np.zeros((7, 4, 4, 1), np.uint8), np.arange(16).reshape(4, 4) < 6
    completed = model.complete(images, top, seed=5, batch_size=3)
    assert model._complete_function.experimental_get_tracing_count() == 1
    np.testing.assert_array_equal(completed, model.complete(images, top, seed=5))


def test_completion_refuses_what_is_no_prefix():
    model = build("pixel_cnn", (4, 4, 1, 2))
    images = np.zeros((3, 4, 4, 1), np.uint8)
    right = np.zeros((4, 4), bool)
    right[:, 2:] = True
    with pytest.raises(kg.InvalidInput, match="image 0 knows a pixel that comes after an unknown one"):
        model.complete(images, right)
    one_bad = np.zeros((3, 4, 4), bool)
    one_bad[2, 3, 3] = True
    with pytest.raises(kg.InvalidInput, match="image 2 knows"):
        model.complete(images, one_bad)
    with pytest.raises(kg.InvalidInput, match=r"wanted booleans \[4, 4\]"):
        model.complete(images, np.zeros((4, 4), np.uint8))
    with pytest.raises(kg.InvalidInput, match=r"bool \[3, 4\]"):
        model.complete(images, np.zeros((3, 4), bool))


# --- distributions ----------------------------------------------------------------------------------------------------


def float64_level_log_prob(levels, mean, log_scale):
    """By the distribution function and its mirror, whichever keeps the digits."""
    edges = 2.0 * (np.arange(levels + 1) - 0.5) / (levels - 1) - 1.0
    edges[0], edges[-1] = -np.inf, np.inf
    z = (edges - mean) / np.exp(np.float64(log_scale))
    left, right = scipy.special.expit(z), scipy.special.expit(-z)
    with np.errstate(divide="ignore"):
        return np.log(np.where(z[1:] < 0, np.diff(left), -np.diff(right)))


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("mean,log_scale", [(0.1, -1.0), (-0.97, -4.0), (1.4, -2.0), (0.3, 1.0), (-0.5, -6.5)])
def test_the_discretized_logistic_equals_a_float64_reference(levels, mean, log_scale):
    x = np.linspace(-1.0, 1.0, levels, dtype=np.float32)
    found = np.asarray(logistic_level_log_prob(x, np.float32(mean), np.float32(log_scale), levels), np.float64)
    reference = float64_level_log_prob(levels, mean, log_scale)
    visible = reference > -60.0
    np.testing.assert_allclose(found[visible], reference[visible], rtol=2e-4, atol=2e-4)
    assert abs(np.exp(found).sum() - 1.0) < 2e-4


@pytest.mark.parametrize("mixture", [LogisticMixture, CoupledLogisticMixture])
def test_every_pixels_256_probabilities_sum_to_one(mixture):
    distribution = mixture(kg.ImageSpec(1, 1, 1, 256), mixtures=4)
    parameters = np.random.default_rng(0).normal(0.0, 1.0, (1, 1, 1, distribution.parameters)).astype(np.float32)
    parameters[..., 8:] -= 3.0  # log-scales
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1)
    log_prob = np.asarray(distribution.log_prob(levels, np.repeat(parameters, 256, axis=0)), np.float64)
    assert abs(np.exp(log_prob).sum() - 1.0) < 1e-5


def test_the_coupled_mixture_moves_means_by_earlier_channels():
    """Salimans et al. 2017, eq. 3: mean_b = m_b + tanh(c) x_r + tanh(c') x_g, with a float64 sum over components."""
    spec = kg.ImageSpec(1, 1, 3, 256)
    distribution = CoupledLogisticMixture(spec, mixtures=2)
    p = np.random.default_rng(1).normal(0.0, 0.5, distribution.parameters).reshape(-1, 2)
    image = np.array([30, 200, 90], np.uint8)
    x = image / 127.5 - 1.0
    weights, coefficients = scipy.special.log_softmax(p[0]), np.tanh(p[7:])
    means = np.array([p[1], p[3] + coefficients[0] * x[0], p[5] + coefficients[1] * x[0] + coefficients[2] * x[1]])
    each = np.array(
        [sum(float64_level_log_prob(256, means[c, k], p[2 + 2 * c, k])[image[c]] for c in range(3)) for k in range(2)]
    )
    found = distribution.log_prob(image[None, None, None], p.reshape(1, 1, 1, -1).astype(np.float32))
    np.testing.assert_allclose(found, [scipy.special.logsumexp(weights + each)], rtol=1e-5)


# --- layers -----------------------------------------------------------------------------------------------------------


def test_skewing_moves_each_row_one_further_and_back():
    maps = np.arange(2 * 3 * 4 * 1, dtype=np.float32).reshape(2, 3, 4, 1) + 1.0
    diagonals = np.asarray(skewed(maps))
    assert diagonals.shape == (6, 1, 3, 2)
    for y, x in itertools.product(range(3), range(4)):
        np.testing.assert_array_equal(diagonals[x + y, 0, y, :], maps[:, y, x, 0])
    np.testing.assert_array_equal(unskewed(diagonals), maps)


@pytest.mark.parametrize("count", [1, 4, 6])
def test_images_stand_side_by_side_and_come_apart(count):
    maps = np.random.default_rng(0).normal(size=(count, 2, 3, 2)).astype(np.float32)
    lines = np.asarray(side_by_side(maps))
    assert lines.shape == (-(-count // 4), 2, 12, 2)
    np.testing.assert_array_equal(lines[0, :, :3], maps[0])
    np.testing.assert_array_equal(np.asarray(apart(lines, 3))[:count], maps)


@pytest.mark.parametrize(
    "looks,receives,carried", [((-1, 0), (-1, 0, 1), False), ((0,), (0, -1), True)], ids=["row", "diagonal"]
)
def test_the_written_gradient_of_the_lstm_is_the_tapes(looks, receives, carried):
    lines, features, places, batch, filters = 5, 3, 4, 2, 2
    generator = np.random.default_rng(0)

    def drawn(*shape):
        return tf.constant(generator.normal(size=shape), tf.float32)

    weights = [
        drawn(lines, features, places, batch),
        drawn(len(looks) * features + len(receives) * filters, 4 * filters),
    ]
    weights.append(drawn(4 * filters))
    upstream = drawn(lines, filters, places, batch)
    carries = (generator.random((lines, places)) < 0.7).astype(np.float32) if carried else None

    def at_place(x, p):
        return x[:, p] if 0 <= p < places else tf.zeros_like(x[:, 0])

    def place_by_place(maps, kernel, bias):
        h = c = tf.zeros((filters, places, batch))
        states = []
        for t in range(lines):
            kept = tf.ones(places) if carries is None else carries[t]
            beside, c = h * kept[None, :, None], c * kept[None, :, None]
            line = []
            for p in range(places):
                seen = [at_place(maps[t], p + step) for step in looks]
                seen += [at_place(beside if step == 0 else h, p + step) for step in receives]
                o, f, i, g = tf.split(tf.transpose(kernel) @ tf.concat(seen, 0) + bias[:, None], 4)
                memory = tf.sigmoid(f) * c[:, p] + tf.sigmoid(i) * tf.tanh(g)
                line.append((tf.sigmoid(o) * tf.tanh(memory), memory))
            h, c = (tf.stack(part, axis=1) for part in zip(*line))
            states.append(h)
        return tf.stack(states)

    def scan(maps, kernel, bias):
        return lstm_scan(maps, kernel, bias, looks=looks, receives=receives, carries=carries)

    found = []
    anything = [tf.TensorSpec((lines, features, places, None)), *(tf.TensorSpec(w.shape) for w in weights[1:])]
    compiled = tf.function(scan, jit_compile=True, input_signature=anything)  # the gradient is then a program by itself
    for function in (place_by_place, scan, compiled):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            states = function(*weights)
        found.append([states, *tape.gradient(states, weights, upstream)])
    for got in found[1:]:
        for wanted, value in zip(found[0], got, strict=True):
            np.testing.assert_allclose(wanted, value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["row_lstm", "diagonal_bilstm"])
def test_a_compiled_walk_says_what_the_plain_graph_says(cell):
    model = kg.PixelRNN(kg.ImageSpec(5, 6, 1, 2), cell, 3, 2, first_kernel=3)
    for gates in model.stack[1].input_to_state:  # output, forget, input, content: forget gates start open
        np.testing.assert_array_equal(np.reshape(gates.bias, (4, 3)).T, [[0.0, 1.0, 0.0, 0.0]] * 3)
    images = np.random.default_rng(0).integers(0, 2, (7, 5, 6, 1)).astype(np.uint8)
    np.testing.assert_allclose(model.log_prob(images), model.image_log_prob(images), rtol=1e-5)
    model.compile()
    gradients = []
    for log_prob in (model.image_log_prob, model.call):
        with tf.GradientTape() as tape:
            nats = tf.reduce_sum(log_prob(images))
        gradients.append(tape.gradient(nats, model.trainable_variables))
    for wanted, value in zip(*gradients, strict=True):
        np.testing.assert_allclose(wanted, value, rtol=1e-4, atol=1e-4)


def test_dropout_keeps_the_mean_and_draws_anew():
    layer = Dropout(0.25, seed=4)
    x = np.ones((64, 8, 8, 4), np.float32)
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert abs(first.mean() - 1.0) < 0.02 and set(np.unique(first)) == {np.float32(0.0), np.float32(1.0 / 0.75)}
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(x, training=False), x)


# --- bad input --------------------------------------------------------------------------------------------------------


BAD = {
    "bernoulli of grey": (
        lambda: kg.PixelCNN((4, 4, 1, 16), output="bernoulli"),
        "one of binary images; these have 16",
    ),
    "unknown output": (lambda: kg.PixelCNN((4, 4, 1, 2), output="gaussian"), "Unknown output 'gaussian'"),
    "channels": (lambda: kg.PixelCNN((4, 4, 3), filters=16), "filters=16 do not split among the image's 3 channels"),
    "head": (lambda: kg.PixelCNN((4, 4, 3), filters=6, head=10), "10 features do not split"),
    "even kernel": (lambda: kg.PixelCNN((4, 4, 1, 2), first_kernel=4), "first_kernel=4; give an odd"),
    "even gated kernel": (lambda: kg.GatedPixelCNN((4, 4, 1, 2), kernel_size=4), "kernel_size=4; give an odd"),
    "blind first kernel": (lambda: kg.GatedPixelCNN((4, 4, 1, 2), first_kernel=1), "first_kernel=1.*at least 3"),
    "filters": (lambda: kg.GatedPixelCNN((4, 4, 1, 2), filters=0), "filters=0"),
    "cell": (lambda: kg.PixelRNN((4, 4, 1, 2), cell="gru"), "Unknown cell 'gru'"),
    "odd pyramid": (lambda: kg.PixelCNNPlusPlus((6, 6, 1, 2), 4, 1, 3), r"halves the sides 2 times.*levels=2"),
    "independent channels": (lambda: kg.PixelCNNPlusPlus((4, 4, 3), 4, 1, output="softmax"), "3 channels of a pixel"),
    "dropout": (lambda: kg.PixelCNNPlusPlus((4, 4, 3), 4, 1, dropout=1.0), "dropout=1.0"),
    "classes": (lambda: kg.PixelCNN((4, 4, 1, 2), classes=3), "PixelCNN takes no classes"),
    "mixtures": (lambda: kg.PixelCNN((4, 4, 1), output="logistic_mixture", mixtures=0), "mixtures=0"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arguments_are_refused_with_one_clear_error(what):
    make, message = BAD[what]
    with pytest.raises(kg.InvalidInput, match=message):
        make()


def test_bad_images_and_noise_are_refused():
    model = build("gated", (4, 4, 1, 2))
    with pytest.raises(kg.InvalidInput, match="reach level 3"):
        model.log_prob(np.full((1, 4, 4, 1), 3, np.uint8))
    noise = draw(model.noise_spec(), 2, 0)
    for wrong, message in ((1.0, r"leaves \[0, 1\)"), (-0.1, r"leaves \[0, 1\)"), (np.nan, "holds NaN")):
        with pytest.raises(kg.InvalidInput, match=f"noise 'u' {message}"):
            model.images_of({"u": np.full_like(noise["u"], wrong)})
