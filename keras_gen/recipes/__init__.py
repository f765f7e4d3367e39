"""Floor 5: experiments by name, one readable file each."""

from keras_gen.core.registry import Registry

RECIPES = Registry("recipe")
for _name in (
    "vae_digits",
    "dcgan_digits",
    "vae_mnist",
    "dcgan_mnist",
    "pixel_cnn_mnist",
    "gated_pixel_cnn_mnist",
    "row_lstm_mnist",
    "diagonal_bilstm_mnist",
    "gated_pixel_cnn_classes_mnist",
    "gated_pixel_cnn_cifar10",
    "pixel_cnn_pp_mnist",
    "pixel_cnn_pp_cifar10",
    "classifier_cifar10",
    "classifier_mnist",
):
    RECIPES.register(_name, f"keras_gen.recipes.{_name}:{_name}")
