"""Muon: its step by singular values, what it leaves to Adam, masks, replicas."""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.training.adam import Adam
from keras_gen.training.muon import Muon


def stepped(optimizer, starts, gradients):
    """The weights after one step a gradient."""
    weights = [keras.Variable(start) for start in starts]
    optimizer.build(weights)
    for gradient in gradients:
        optimizer.apply(gradient, weights)
    return [weight.numpy() for weight in weights]


def test_a_kernel_moves_by_its_momentum_made_orthogonal():
    generator = np.random.default_rng(0)
    start = generator.normal(size=(1, 3, 8, 9)).astype(np.float32)
    gradients = generator.normal(size=(3, *start.shape)).astype(np.float32)
    wanted, momentum = start.reshape(24, 9).astype(float), np.zeros((24, 9))
    for gradient in gradients.reshape(3, 24, 9):
        momentum = 0.9 * momentum + gradient
        u, s, v = np.linalg.svd(gradient + 0.9 * momentum, full_matrices=False)
        s = s / np.linalg.norm(s)
        for _ in range(5):  # what Newton-Schulz does to the singular values (Jordan et al. 2024)
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        assert (abs(s - 1) < 0.35).all()
        wanted -= 1e-2 * 0.2 * np.sqrt(24) * (u * s) @ v
    found = stepped(Muon(1e-2, momentum=0.9), [start], [[gradient] for gradient in gradients])[0]
    np.testing.assert_allclose(found.reshape(24, 9), wanted, atol=1e-5)


def test_biases_first_layers_and_outputs_take_the_steps_of_adam():
    generator = np.random.default_rng(1)
    starts = [generator.normal(size=shape).astype(np.float32) for shape in ((5,), (3, 3, 1, 9), (1, 1, 20, 7), (20, 8))]
    gradients = [[generator.normal(size=s.shape).astype(np.float32) for s in starts] for _ in range(4)]
    found = stepped(Muon(1e-2, adam_lr_ratio=0.3), starts, gradients)
    adam = stepped(Adam(3e-3), starts, gradients)
    for ours, theirs in zip(found[:3], adam[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert abs(found[3] - adam[3]).max() > 1e-3


def test_its_settings_survive_a_round_trip():
    one = Muon(3e-3, adam_lr_ratio=0.5, fewest_features=4, weight_decay=0.1, adam_weight_decay=0.2, momentum=0.8)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    assert type(again) is Muon and again.get_config() == one.get_config()
    assert (again.fewest_features, again.adam_lr_ratio, again.momentum) == (4, 0.5, 0.8)
    assert (again.weight_decay, again.adam_weight_decay) == (0.1, 0.2)


def pixel_rnn():
    keras.utils.set_random_seed(3)
    model = kg.PixelRNN((6, 6, 1, 2), "diagonal_bilstm", 8, 1, first_kernel=5)
    model.compile(Muon(1e-3))
    return model


def test_masked_taps_stay_at_rest():
    keras.utils.set_random_seed(3)
    model = kg.PixelCNN((6, 6, 1, 2), 8, 1)
    model.compile(optimizer := Muon(1e-3))
    layer = model.stack[1].past  # 3 x 3, mask B, 8 features to 8
    assert not optimizer._should_use_adamw(layer.kernel)
    before = layer.kernel.numpy()
    model.fit(np.random.default_rng(2).integers(0, 2, (32, 6, 6, 1), dtype=np.uint8), batch_size=8, verbose=0)
    moved, masked = abs(layer.kernel.numpy() - before), layer.mask == 0
    assert masked.any() and (moved[masked] == 0).all() and moved[~masked].min() > 0


def test_two_replicas_take_the_step_of_one(two_replicas):
    images = np.random.default_rng(2).integers(0, 2, (64, 6, 6, 1), dtype=np.uint8)
    one = pixel_rnn()
    with two_replicas.scope():
        two = pixel_rnn()
    before = one.get_weights()
    for model in (one, two):
        model.fit(images, batch_size=16, epochs=2, verbose=0)
    for start, left, right in zip(before, one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=2e-5)
        assert abs(left - start).max() > 1e-4
