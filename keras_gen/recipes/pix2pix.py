"""pix2pix (Isola et al. 2017): pairs of images, colorization, super-resolution.

Each trains on L1 alone with ``--set adversarial_weight=0``, and on the adversary alone with ``--set l1_weight=0``.
"""

from typing import Literal

import keras_gen as kg
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    Expected,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Published,
    Rate,
)
from keras_gen.recipes.translation import TranslationRecipe


class Pix2PixRecipe(TranslationRecipe):
    """A ``Pix2Pix``."""

    # Halvings of the U-Net; None: down to 1 pixel.
    downs: PositiveInt | None = None
    # False: the paper's encoder-decoder, without skips.
    skips: bool = True
    dropout: Rate = 0.5
    # Whether the discriminator sees the source.
    conditional: bool = True
    predicts: Literal["image", "colour"] = "image"
    l1_weight: NonNegativeFloat = 100.0

    def network(self, spec: "kg.ImageSpec", source_spec: "kg.ImageSpec | None" = None) -> "kg.Pix2Pix":
        """The model for images of ``spec``, made of those of ``source_spec``."""
        names = ("downs", "skips", "dropout", "conditional", "predicts", "l1_weight")
        own = {name: getattr(self, name) for name in names}
        return kg.Pix2Pix(spec, source_spec, **self.model_options(), **own)


class Pix2PixShapes(Pix2PixRecipe):
    """pix2pix on drawn shapes, outline to picture (32 px).

    Isola et al. 2017, scaled down to 32 px; the data come along, and an outline tells the whole picture, so that the true one is
    known. At the paper's rate and weight of the adversary squares keep the circles' colour for 20 epochs, so the generator learns
    at 2e-3 and the adversary counts a tenth; patches of 16 pixels. No number is published on this data. About 7 min on one CPU
    core.
    """

    cost = Cost(7)
    expected = Expected("psnr", 27.3, "dB")

    data: str = "drawn_shapes"
    epochs: PositiveInt = 24
    batch_size: PositiveInt = 4
    width: PositiveInt = 20
    patch_layers: NonNegativeInt | None = 1
    adversarial_weight: NonNegativeFloat = 0.1
    learning_rate: PositiveFloat = 2e-3
    discriminator_learning_rate: PositiveFloat | None = 2e-4
    augment: Augmentation | None = None
    checkpoint_every: PositiveInt = 5


class Pix2PixMaps(Pix2PixRecipe):
    """pix2pix from street maps to aerial photographs (128 px).

    Isola et al. 2017, section 4 and appendix 6.2, at half the width and half the size, on 360 of its 1,096 pairs. No number is
    published that a run could repeat: the paper's are votes of people. About 50 min on one CPU core.
    """

    cost = Cost(50)

    data: str = "pix2pix_maps_128_subset"
    epochs: PositiveInt = 60
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 10


class Pix2PixMapsReverse(Pix2PixMaps):
    """pix2pix from aerial photographs to street maps (128 px).

    Isola et al. 2017, ``pix2pix_maps`` the other way. No number is published that a run could repeat. About 50 min on one CPU
    core.
    """

    cost = Cost(50)

    data: str = "reverse:pix2pix_maps_128_subset"


class Pix2PixCamVid(Pix2PixRecipe):
    """pix2pix from painted classes to streets, CamVid (128 px).

    Isola et al. 2017, its Cityscapes task on a set of 367 frames, at half the width and half the size. No number is published
    on this data. About 60 min on one CPU core.
    """

    cost = Cost(60)

    data: str = "camvid_256?size=128"
    epochs: PositiveInt = 60
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 10


class CIFAR10Pix2PixRecipe(Pix2PixRecipe):
    """What the tasks made of CIFAR-10 share. Batches larger than the paper's, and larger rates, cost less at this size."""

    batch_size: PositiveInt = 32
    downs: PositiveInt | None = 4
    learning_rate: PositiveFloat = 5e-4
    discriminator_learning_rate: PositiveFloat | None = 2e-4
    augment: Augmentation | None = "flip"
    epochs: PositiveInt = 8
    patch_layers: NonNegativeInt | None = 1
    sample_every: PositiveInt | None = 1


class ColorizeCIFAR10(CIFAR10Pix2PixRecipe):
    """pix2pix colorizes CIFAR-10, lightness kept.

    Isola et al. 2017, section 4.2 (there ImageNet at 256 px), scaled down to 32 px: a and b of CIE Lab are predicted of L;
    patches of 16 pixels. No number is published on this data. About 30 min on one CPU core.
    """

    cost = Cost(30)
    expected = Expected("accuracy_translated", 0.896)

    data: str = "colorize:cifar10"
    predicts: Literal["image", "colour"] = "colour"


class UpscaleCIFAR10(CIFAR10Pix2PixRecipe):
    """pix2pix enlarges CIFAR-10 four times.

    The networks and losses of Isola et al. 2017, which has no such task, at 32 px: of 8x8 pixels, enlarged by bicubic
    interpolation, what they once were; patches of 16 pixels. No number is published on this data. About 30 min on one CPU core.
    """

    cost = Cost(30)

    data: str = "upscale:cifar10?factor=4"


class Pix2PixFacadesFull(Pix2PixRecipe):
    """pix2pix on CMP facades, the paper's (256 px).

    Isola et al. 2017, 400 pairs, 200 epochs of batches of one at a constant rate, networks of 64 maps. The data have to be
    fetched (pix2pix's own ``facades``, the photograph left and the labels right in each file) and named:
    ``--data reverse:paired_folder:PATH``. About 2 hours on a GPU; no CPU will do.
    """

    cost = Cost(120, "1 GPU")
    published = (
        Published("fid_inception", 119.1, "the authors' weights, measured by mmgeneration, Inception features"),
    )

    data: str = "reverse:paired_folder:facades"
    epochs: PositiveInt = 200
    width: PositiveInt = 64
    falling: bool = False
    checkpoint_every: PositiveInt = 20
    sample_every: PositiveInt | None = 10
