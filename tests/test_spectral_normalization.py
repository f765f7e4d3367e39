"""Spectral normalization against NumPy's singular values; its buffer moves once a turn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gen as kg
from keras_gen.layers.spectral_normalization import SpectralNormalization, advance_buffers, spectrally_normalized

LAYERS = {
    "dense": (lambda: layers.Dense(5), (3, 7), lambda k: k),
    "convolution": (lambda: layers.Conv2D(4, 3, padding="same"), (2, 4, 4, 3), lambda k: k.reshape(-1, 4)),
    "transposed": (
        lambda: layers.Conv2DTranspose(4, 3, 2),
        (2, 3, 3, 6),
        lambda k: np.moveaxis(k, -2, 0).reshape(4, -1),  # [kh, kw, out, in]
    ),
    "embedding": (lambda: layers.Embedding(5, 6), (3,), lambda k: k),
}
every_layer = pytest.mark.parametrize("what", LAYERS)


def built(what):
    keras.utils.set_random_seed(3)
    make, shape, matrix = LAYERS[what]
    layer = SpectralNormalization(make())
    if what == "embedding":
        inputs = np.array([0, 3, 4])
    else:
        inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    layer(inputs)
    return layer, inputs, matrix


@every_layer
def test_sigma_becomes_the_largest_singular_value(what):
    layer, inputs, matrix = built(what)
    raw = layer.kernel.numpy()
    for _ in range(100):
        layer.advance()
    largest = np.linalg.svd(matrix(raw), compute_uv=False)[0]
    assert float(layer.sigma()) == pytest.approx(largest, rel=1e-5)
    plain = LAYERS[what][0]()
    plain(inputs)
    plain.set_weights([raw / largest, *layer.layer.get_weights()[1:]])
    np.testing.assert_allclose(layer(inputs), plain(inputs), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(layer.kernel.numpy(), raw)


@every_layer
def test_the_gradient_goes_through_sigma(what):
    """Finite differences in float64 of the normalized kernel times random numbers, u held."""
    layer, inputs, matrix = built(what)
    for _ in range(2):
        layer.advance()
    raw, u = layer.kernel.numpy().astype(np.float64), layer.u.numpy().astype(np.float64)
    side = matrix(raw).shape.index(len(u))

    def normalized(kernel):
        as_matrix = matrix(kernel)
        return kernel / np.linalg.norm(as_matrix @ u if side == 1 else u @ as_matrix)

    weights = np.random.default_rng(1).normal(size=raw.shape)
    with tf.GradientTape() as tape:
        value = tf.convert_to_tensor(layer.kernel) / layer.sigma()
        total = tf.reduce_sum(value * tf.constant(weights, tf.float32))
    found = np.asarray(tf.convert_to_tensor(tape.gradient(total, layer.kernel.value)))
    assert np.abs(found - weights / np.linalg.norm(raw)).max() > 1e-3  # sigma is no constant
    for index in [tuple(i) for i in np.random.default_rng(2).integers(0, raw.shape, (6, raw.ndim))]:
        step = np.zeros_like(raw)
        step[index] = 1e-5
        wanted = np.sum(weights * (normalized(raw + step) - normalized(raw - step))) / 2e-5
        assert found[index] == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_a_call_moves_nothing_and_a_turn_moves_u_once():
    keras.utils.set_random_seed(5)
    model = kg.GAN((8, 8, 1, 17), latent_dim=3, width=4, objective="hinge", constraint="spectral", penalty="r1")
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    normalized = [layer for layer in model.discriminator.layers if isinstance(layer, SpectralNormalization)]
    assert len(normalized) == 3
    images = np.random.default_rng(0).integers(0, 17, (8, 8, 8, 1), dtype=np.uint8)
    before = [weight.copy() for weight in model.discriminator.get_weights()]
    model.evaluate(images, verbose=0)
    model.discriminator(np.zeros((2, 8, 8, 1), np.float32), training=True)
    for one, other in zip(before, model.discriminator.get_weights()):
        np.testing.assert_array_equal(one, other)
    wanted = []
    for layer in normalized:
        kernel = layer.kernel.numpy()
        matrix, u = kernel.reshape(-1, kernel.shape[-1]), layer.u.numpy()
        once = matrix.T @ (matrix @ u)
        wanted.append(once / np.linalg.norm(once))
    model.train_on_batch(images)
    for layer, u in zip(normalized, wanted):
        np.testing.assert_allclose(layer.u.numpy(), u, atol=1e-5)


def test_a_users_network_is_normalized_whole_and_once():
    inside = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(5, 3), layers.LeakyReLU(0.2)])
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(3, 2, 2), inside, layers.Flatten(), layers.Dense(1)]
    )
    normalized = spectrally_normalized(network)
    kernels = [layer for layer in normalized._flatten_layers() if isinstance(layer, SpectralNormalization)]
    assert len(kernels) == 3
    for one, other in zip(network.trainable_variables, normalized.trainable_variables):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    for _ in range(60):
        advance_buffers([normalized])
    assert all(float(layer.sigma()) > 0 for layer in kernels)
    points = np.random.default_rng(0).normal(size=(2, 16, 8, 8, 1)).astype(np.float32)
    rise = np.abs(np.asarray(normalized(points[0]) - normalized(points[1])))[:, 0]
    # A kernel as a matrix has norm 1, so one of k x k taps has at most k (Miyato et al. 2018, section 2.1).
    assert (rise <= 1 * 3 * np.linalg.norm((points[0] - points[1]).reshape(16, -1), axis=1) * 1.001).all()
    assert spectrally_normalized(normalized) is normalized


def test_an_unknown_matrix_is_refused():
    network = keras.Sequential([keras.Input((8, 1)), layers.LSTM(2), layers.Dense(1)])
    with pytest.raises(kg.InvalidInput, match="'lstm.*LSTM.*does not know"):
        spectrally_normalized(network)
    with pytest.raises(kg.InvalidInput, match="SpectralNormalization got"):
        SpectralNormalization(layers.ReLU())


def test_half_precision_normalizes_the_stored_kernel():
    layer = SpectralNormalization(layers.Dense(5, dtype="mixed_bfloat16"))
    outputs = layer(np.ones((2, 7), np.float32))
    assert outputs.dtype == "bfloat16" and layer.kernel.dtype == layer.sigma().dtype.name == "float32"
    for _ in range(100):
        layer.advance()
    largest = np.linalg.svd(layer.kernel.numpy(), compute_uv=False)[0]
    assert float(layer.sigma()) == pytest.approx(largest, rel=1e-5)


def test_an_exported_generator_holds_the_normalized_kernel(tmp_path):
    import onnx

    generator = keras.Sequential(
        [
            keras.Input((3,)),
            SpectralNormalization(layers.Dense(64)),
            layers.Reshape((8, 8, 1)),
            layers.Activation("tanh"),
        ]
    )
    model = kg.GAN((8, 8, 1, 17), latent_dim=3, width=4, generator=generator)
    model.export(tmp_path / "artifact", format=["onnx", "saved_model"])
    proto = onnx.load(tmp_path / "artifact" / "onnx" / "sample.onnx")
    operations = [node.op_type for node in proto.graph.node]
    assert "Sqrt" not in operations and operations.count("MatMul") + operations.count("Gemm") == 1
