"""Numbers at the border: which are taken, which refused, and in what words."""

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.core.checks import integer, integers, number, odd, rate, sizes
from keras_gen.layers.causal_blocks import GatedBlock, Head, ResidualBlock
from keras_gen.layers.causal_lstm import DiagonalBiLSTM
from keras_gen.layers.causal_pyramid import Pyramid, PyramidEntrance, PyramidReadout
from keras_gen.layers.dropout import Dropout
from keras_gen.layers.gated_resnet import GatedResnet
from keras_gen.layers.masked_convolution import MaskedConv2D, RowsAboveConv2D
from keras_gen.networks.classifier import convolutional_classifier
from keras_gen.networks.convolutional import convolutional_decoder, convolutional_encoder
from keras_gen.networks.dcgan import dcgan_discriminator, dcgan_generator
from keras_gen.networks.mlp import mlp_decoder, mlp_encoder

SPEC = kg.ImageSpec(8, 8, 1, 4)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_python_and_numpy_are_one_kind(value):
    found = integer("k", value, 1, 5)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize("value", [True, np.bool_(True), 3.0, "3", None, 0, 6, np.int32(-1), [3]])
def test_what_is_no_integer_in_range_is_named(value):
    with pytest.raises(kg.InvalidInput, match=r"^k=.*; give an integer from 1 to 5\.$"):
        integer("k", value, 1, 5)


def test_the_words_of_one_bound():
    with pytest.raises(kg.InvalidInput, match="of at least 1"):
        integer("k", 0, 1)
    with pytest.raises(kg.InvalidInput, match="of at most 2"):
        integer("k", 3, most=2)
    with pytest.raises(kg.InvalidInput, match="give an integer\\."):
        integer("seed", "a")
    assert integer("seed", -7) == -7


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2)])
def test_numbers_of_python_and_numpy_are_one_kind(value):
    found = number("beta", value, 0)
    assert found == 2.0 and type(found) is float


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, True, -0.1])
def test_what_is_no_finite_number_in_range_is_named(value):
    with pytest.raises(kg.InvalidInput, match="^beta=.*finite number of at least 0"):
        number("beta", value, 0)


def test_a_bound_can_be_left_out_itself():
    assert number("rate", 1e-9, 0, above=True) == 1e-9
    with pytest.raises(kg.InvalidInput, match="above 0"):
        number("rate", 0.0, 0, above=True)


def test_several_integers():
    assert sizes(a=np.int64(2), b=3) == [2, 3]
    with pytest.raises(kg.InvalidInput, match="^b=0; give an integer of at least 1"):
        sizes(a=1, b=0)
    for values in ([8, 4], (np.int32(8), 4), np.array([8, 4])):
        found = integers("hidden", values, 1)
        assert found == (8, 4) and {type(value) for value in found} == {int}


@pytest.mark.parametrize(
    "values", [8, "88", None, {8: 4}, np.int64(8), np.array(8), np.ones((2, 2), int), [8, True], [8, 0]]
)
def test_what_are_no_integers(values):
    with pytest.raises(kg.InvalidInput, match=r"(?s)^hidden.*integers? of at least 1"):
        integers("hidden", values, 1)


def test_odd_numbers_and_rates():
    assert (
        odd("kernel_size", np.int64(3), 3) == 3 and rate("dropout", np.float32(0.5)) == 0.5 and rate("dropout", 0) == 0
    )
    for value in (1, 4, 3.0, True, "3"):
        with pytest.raises(kg.InvalidInput, match="^kernel_size=.*integer"):
            odd("kernel_size", value, 3)
    for value in (1, -0.1, float("nan"), "0.5", True, None):
        with pytest.raises(kg.InvalidInput, match="^dropout=.*number"):
            rate("dropout", value)


# What is built of sizes: how, the smallest arguments that work, and of which each is a size of at least 1 (0 for the optional).
MODELS = [
    (kg.VAE, {"latent_dim": 2}),
    (kg.VAE, {"architecture": "convolutional", "latent_dim": 2, "width": 2}),
    (kg.GAN, {"latent_dim": 2, "width": 2, "critic_steps": 2}),
    (kg.Classifier, {"classes": 2, "width": 2, "features": 2}),
    (kg.PixelCNN, {"filters": 2, "blocks": 1, "first_kernel": 3, "kernel_size": 3, "head": 2}),
    (kg.PixelCNN, {"output": "logistic_mixture", "mixtures": 1, "filters": 2, "blocks": 1}),
    (kg.GatedPixelCNN, {"filters": 2, "blocks": 1, "first_kernel": 3, "kernel_size": 3, "head": 2, "classes": 2}),
    (kg.PixelRNN, {"filters": 2, "layers_deep": 1, "first_kernel": 3, "head": 2}),
    (kg.PixelCNNPlusPlus, {"filters": 2, "resnets": 1, "levels": 1}),
]
NETWORKS = [
    (convolutional_encoder, {"outputs": 2, "width": 2}),
    (convolutional_decoder, {"latent_dim": 2, "channels": 1, "width": 2}),
    (dcgan_generator, {"latent_dim": 2, "width": 2}),
    (dcgan_discriminator, {"width": 2}),
    (mlp_encoder, {"outputs": 2}),
    (mlp_decoder, {"latent_dim": 2, "channels": 1}),
    (convolutional_classifier, {"classes": 2, "width": 2, "features": 2}),
]
LAYERS = [
    (MaskedConv2D, {"filters": 2, "rows": 1, "groups": 1, "blocks": 1, "stride": 1}),
    (MaskedConv2D.of_size, {"filters": 2, "kernel_size": 3}),
    (RowsAboveConv2D, {"filters": 2, "rows": 1, "half": 1, "stride": 1}),
    (ResidualBlock, {"filters": 2, "kernel_size": 3, "groups": 1}),
    (GatedBlock, {"filters": 2, "kernel_size": 3, "groups": 1, "conditions": 1}),
    (Head, {"filters": 2, "parameters": 2, "groups": 1}),
    (DiagonalBiLSTM, {"filters": 2, "groups": 1}),
    (PyramidEntrance, {"filters": 2}),
    (Pyramid, {"filters": 2, "resnets": 1, "levels": 1, "seed": 1}),
    (PyramidReadout, {"parameters": 2}),
    (GatedResnet, {"filters": 2, "seed": 1}),
    (Dropout, {"rate": 0.5, "seed": 1}),
]
BUILT = [
    *((make, (SPEC,), sizes) for make, sizes in [*MODELS, *NETWORKS]),
    *((make, (), sizes) for make, sizes in LAYERS),
]


@pytest.mark.parametrize("make,first,arguments", BUILT, ids=lambda value: getattr(value, "__name__", ""))
def test_sizes_are_checked_wherever_they_are_given(make, first, arguments):
    def wrong(name, value):
        return {**arguments, name: value}

    for name in (name for name, value in arguments.items() if isinstance(value, int)):
        for value in (-1, 2.5, "2", True, [2]):
            if (name, value) != ("seed", -1):
                with pytest.raises(kg.InvalidInput, match=f"^{name}="):
                    make(*first, **wrong(name, value))
        if name not in ("seed", "half", "conditions"):
            with pytest.raises(kg.InvalidInput, match=f"^{name}=0"):
                make(*first, **wrong(name, 0))


@pytest.mark.parametrize("make,arguments", [*MODELS, *LAYERS], ids=lambda value: getattr(value, "__name__", ""))
def test_numpy_integers_make_the_same_as_pythons(make, arguments):
    first = (SPEC,) if (make, arguments) in MODELS else ()
    given = {name: np.int64(value) if isinstance(value, int) else value for name, value in arguments.items()}
    config = make(*first, **given).get_config()
    for name, value in arguments.items():
        if name in config:
            assert config[name] == value and type(config[name]) is type(value)
    keras.saving.serialize_keras_object(config)


@pytest.mark.parametrize(
    "make,arguments",
    [
        (kg.VAE, {"hidden": 8}),
        (kg.VAE, {"hidden": (8, 0)}),
        (kg.VAE, {"beta": "1"}),
        (kg.VAE, {"beta": float("nan")}),
        (kg.VAE, {"width": 0}),
        (mlp_encoder, {"outputs": 2, "hidden": 8}),
        (mlp_decoder, {"latent_dim": 2, "channels": 1, "hidden": (2.5,)}),
        (kg.Classifier, {"dropout": 1.0}),
        (kg.Classifier, {"dropout": True}),
        (kg.Classifier, {"binarize": 1.5}),
        (kg.PixelCNNPlusPlus, {"filters": 2, "dropout": "0.5"}),
        (kg.GAN, {"ema_decay": 1.0}),
        (kg.GAN, {"ema_decay": False}),
    ],
)
def test_other_numbers_are_checked_too(make, arguments):
    name = list(arguments)[-1]
    with pytest.raises(kg.InvalidInput, match=rf"^{name}(\[\d\])?="):
        make(SPEC, **arguments)
