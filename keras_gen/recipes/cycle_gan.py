"""CycleGAN (Zhu et al. 2017): two sets of images of which no two belong together."""

import keras_gen as kg
from keras_gen.recipes.recipe import Cost, NonNegativeFloat, NonNegativeInt, PositiveInt, Published
from keras_gen.recipes.translation import TranslationRecipe


class CycleGANRecipe(TranslationRecipe):
    """A ``CycleGAN``: least squares, both generators before both discriminators, pools of 50."""

    objective: str = "least_squares"
    # The paper's (D(G(a)) - 1)^2, of the half that the objective has before it.
    adversarial_weight: NonNegativeFloat = 2.0
    # Residual blocks; None: 9 from 256 px on, else 6.
    blocks: NonNegativeInt | None = None
    cycle_weight: NonNegativeFloat = 10.0
    # Relative to ``cycle_weight``: 0.5 keeps colours.
    identity_weight: NonNegativeFloat = 0.0
    # Images a domain.
    pool_size: NonNegativeInt = 50

    def network(self, spec: "kg.ImageSpec", source_spec: "kg.ImageSpec | None" = None) -> "kg.CycleGAN":
        """The model for images of ``spec`` (domain B) and of ``source_spec`` (A)."""
        names = ("blocks", "cycle_weight", "identity_weight", "pool_size")
        own = {name: getattr(self, name) for name in names}
        return kg.CycleGAN(spec, source_spec, **self.model_options(), **own)


class CycleGANMaps(CycleGANRecipe):
    """CycleGAN between street maps and aerial photos (64 px).

    Zhu et al. 2017, appendix 7.1, at half the width and a quarter of the size, on 360 of its 1,096 pairs, shuffled apart: who
    belongs to whom is hidden from training and known to the report. No number is published that a run could repeat: the
    paper's are votes of people. About 80 min on one CPU core.
    """

    cost = Cost(80)

    data: str = "unpaired:pix2pix_maps_128_subset?size=64"
    epochs: PositiveInt = 50
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 5


class CycleGANOrangeLemon(CycleGANRecipe):
    """CycleGAN from oranges to lemons and back (64 px).

    Zhu et al. 2017, its apples and oranges, at half the width and a quarter of the size on two classes of Tiny-ImageNet;
    identity weight 0.5 keeps the background. No number is published on this data. About 2 h on one CPU core.
    """

    cost = Cost(120)

    data: str = "unpaired_classes:tiny_imagenet_10_subset?source=orange&image=lemon"
    epochs: PositiveInt = 40
    identity_weight: NonNegativeFloat = 0.5
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 5


class CycleGANHorse2ZebraFull(CycleGANRecipe):
    """CycleGAN on horse2zebra, the paper's (256 px).

    Zhu et al. 2017: 9 blocks, 64 maps, patches of 70 pixels, 100 epochs and 100 of falling rates. The data have to be fetched
    (CycleGAN's own, ``trainA`` and ``trainB``) and named: ``--data unpaired_folder:PATH``. About 2 days on a GPU; no CPU will do.
    """

    cost = Cost(2 * 24 * 60, "1 GPU")
    published = (
        Published("fid_inception", 62.1, "the authors' weights, measured by mmgeneration, Inception features"),
    )

    data: str = "unpaired_folder:horse2zebra"
    epochs: PositiveInt = 200
    width: PositiveInt = 64
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 10
