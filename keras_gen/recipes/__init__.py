"""Floor 5: experiments by name, a class of settings each; those of one model share a file."""

from typing import Any

from keras_gen.core.registry import Registry


class Recipes(Registry):
    """Names of recipes. ``RECIPES.register("mine", MyRecipe)`` adds one of your own, for this process."""

    def name_of(self, kind: type) -> str:
        """The name that a recipe's class is registered under; of one that is not, the class' own."""
        return next((name for name, target in self._entries.items() if _place(target) == _place(kind)), kind.__name__)

    def enter(self, kind: type) -> str:
        """Registers a recipe's class under its own name, unless it has one already; returns the name.

        A class defined anew (a notebook's cell run again) takes the place of the one before it.
        """
        name = self.name_of(kind)
        if name in self and _place(self._entries[name]) == _place(kind):
            self._entries[name] = kind
        else:
            self.register(name, kind)
        return name


def _place(target: Any) -> str:
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"


RECIPES = Recipes("recipe")
for _module, _classes in {
    "vae": {
        "vae_digits": "VAEDigits",
        "vae_mnist": "VAEMNIST",
        "iwae_mnist": "IWAEMNIST",
        "iwae_2_layers_mnist": "IWAETwoLayersMNIST",
        "vamp_mnist": "VampMNIST",
        "conditional_vae_mnist": "ConditionalVAEMNIST",
    },
    "pixel_vae": {"pixel_vae_mnist": "PixelVAEMNIST"},
    "autoencoder": {"autoencoder_mnist": "AutoencoderMNIST"},
    "gan_2014": {"gan_2014_mnist": "GAN2014MNIST"},
    "dcgan": {
        "dcgan_digits": "DCGANDigits",
        "dcgan_mnist": "DCGANMNIST",
        "dcgan_classes_mnist": "DCGANClassesMNIST",
        "dcgan_cifar10": "DCGANCIFAR10",
        "dcgan_cifar10_full": "DCGANCIFAR10Full",
        "dcgan_anime_faces": "DCGANAnimeFaces",
    },
    "lsgan": {"lsgan_mnist": "LSGANMNIST"},
    "wgan": {"wgan_mnist": "WGANMNIST"},
    "wgan_gp": {
        "wgan_gp_mnist": "WGANGPMNIST",
        "wgan_gp_cifar10": "WGANGPCIFAR10",
        "wgan_gp_cifar10_full": "WGANGPCIFAR10Full",
    },
    "progan": {
        "progan_mnist": "ProGANMNIST",
        "progan_cifar10": "ProGANCIFAR10",
        "progan_cifar10_full": "ProGANCIFAR10Full",
        "progan_anime_faces": "ProGANAnimeFaces",
    },
    "sngan": {
        "sngan_mnist": "SNGANMNIST",
        "sngan_classes_mnist": "SNGANClassesMNIST",
        "sngan_cifar10": "SNGANCIFAR10",
        "sngan_cifar10_full": "SNGANCIFAR10Full",
    },
    "big_gan": {
        "biggan_mnist": "BigGANMNIST",
        "biggan_cifar10": "BigGANCIFAR10",
        "biggan_tiny_imagenet": "BigGANTinyImageNet",
        "biggan_cifar10_author_full": "BigGANCIFAR10AuthorFull",
        "biggan_cifar10_full": "BigGANCIFAR10Full",
    },
    "pix2pix": {
        "pix2pix_shapes": "Pix2PixShapes",
        "pix2pix_maps": "Pix2PixMaps",
        "pix2pix_maps_reverse": "Pix2PixMapsReverse",
        "pix2pix_camvid": "Pix2PixCamVid",
        "colorize_cifar10": "ColorizeCIFAR10",
        "upscale_cifar10": "UpscaleCIFAR10",
        "pix2pix_facades_full": "Pix2PixFacadesFull",
    },
    "cycle_gan": {
        "cycle_gan_maps": "CycleGANMaps",
        "cycle_gan_orange_lemon": "CycleGANOrangeLemon",
        "cycle_gan_horse2zebra_full": "CycleGANHorse2ZebraFull",
    },
    "pixel_cnn": {"pixel_cnn_mnist": "PixelCNNMNIST"},
    "gated_pixel_cnn": {
        "gated_pixel_cnn_mnist": "GatedPixelCNNMNIST",
        "gated_pixel_cnn_classes_mnist": "GatedPixelCNNClassesMNIST",
        "gated_pixel_cnn_cifar10": "GatedPixelCNNCIFAR10",
    },
    "pixel_cnn_pp": {
        "pixel_cnn_pp_mnist": "PixelCNNPlusPlusMNIST",
        "pixel_cnn_pp_cifar10": "PixelCNNPlusPlusCIFAR10",
        "pixel_cnn_pp_cifar10_full": "PixelCNNPlusPlusCIFAR10Full",
    },
    "pixel_rnn": {"row_lstm_mnist": "RowLSTMMNIST", "diagonal_bilstm_mnist": "DiagonalBiLSTMMNIST"},
    "real_nvp": {
        "real_nvp_mnist": "RealNVPMNIST",
        "real_nvp_cifar10": "RealNVPCIFAR10",
        "real_nvp_cifar10_full": "RealNVPCIFAR10Full",
    },
    "glow": {"glow_mnist": "GlowMNIST", "glow_cifar10": "GlowCIFAR10", "glow_cifar10_full": "GlowCIFAR10Full"},
    "classifier": {
        "classifier_mnist": "ClassifierMNIST",
        "classifier_cifar10": "ClassifierCIFAR10",
        "classifier_anime_hair": "ClassifierAnimeHair",
        "classifier_anime_eyes": "ClassifierAnimeEyes",
        "classifier_shapes": "ClassifierShapes",
    },
    "text_encoder": {
        "text_encoder_shapes": "TextEncoderShapes",
        "text_encoder_anime_faces": "TextEncoderAnimeFaces",
        "text_encoder_flickr8k": "TextEncoderFlickr8k",
    },
    "style_encoder": {"style_encoder_shapes": "StyleEncoderShapes"},
    "text_to_image": {
        "text_to_image_shapes": "TextToImageShapes",
        "text_to_image_shape_pairs": "TextToImageShapePairs",
        "text_to_image_anime_faces": "TextToImageAnimeFaces",
        "text_to_image_flickr8k": "TextToImageFlickr8k",
    },
    "scene_graph": {
        "scene_graph_shapes": "SceneGraphShapes",
        "scene_graph_coco_full": "SceneGraphCOCOFull",
    },
}.items():
    for _name, _class in _classes.items():
        RECIPES.register(_name, f"keras_gen.recipes.{_module}:{_class}")
