"""Small classifiers, whose features and probabilities serve the metrics offline."""

from typing import Any, ClassVar

import keras_gen as kg
from keras_gen.recipes.optimizer import OneOptimizerRecipe, Optimizer
from keras_gen.recipes.recipe import Cost, Expected, NonNegativeFloat, PositiveFloat, PositiveInt, Precision, Share


class ClassifierRecipe(OneOptimizerRecipe):
    """A ``Classifier``; the accuracy is of the test images."""

    family = "classifier"
    classes: ClassVar[int] = 10

    width: PositiveInt
    features: PositiveInt

    def model_options(self) -> dict[str, Any]:
        """Arguments of ``Classifier`` beside the classes."""
        return {name: getattr(self, name) for name in ("width", "features", "dtype", "seed")}

    def network(self, spec: "kg.ImageSpec") -> "kg.Classifier":
        """A ``Classifier``."""
        return kg.Classifier(spec, self.classes, **self.model_options())


class ClassifierMNIST(ClassifierRecipe):
    """Classifier of MNIST, the metrics' feature space.

    Five 3x3 convolutions with batch normalization (LeCun et al. 1998 for the data; no paper is followed); slanted, shifted and
    zoomed images, half of them binarized at random, so that binarized MNIST can be measured too (FID, KID, precision ...).
    Expect 99.5 % of the test images right, 98.9 % of binarized ones. About 13 min on one busy CPU core.
    """

    cost = Cost(13)
    expected = Expected("accuracy", 0.995)

    data: str = "mnist"
    epochs: PositiveInt = 8
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 2e-3
    width: PositiveInt = 24
    features: PositiveInt = 64
    # Of the training images, binarized at random.
    binarize: Share = 0.5

    def model_options(self) -> dict[str, Any]:
        """With binarized images."""
        return {**super().model_options(), "binarize": self.binarize}


class ClassifierCIFAR10(ClassifierRecipe):
    """Classifier of CIFAR-10, the metrics' feature space.

    Seven 3x3 convolutions with batch normalization and max pooling (Krizhevsky 2009 for the data; no paper is followed); mirrored
    and shifted images with rectangles painted over (Zhong et al. 2020), Muon, bfloat16. Its features and probabilities serve
    the metrics offline (FID of Heusel et al. 2017 ...). Expect 93.1 % of the test images right. About 3.2 min an epoch on one CPU
    core, 70 min in all.
    """

    cost = Cost(70)
    expected = Expected("accuracy", 0.931)

    data: str = "cifar10"
    epochs: PositiveInt = 22
    batch_size: PositiveInt = 128
    dtype: Precision = "mixed_bfloat16"
    learning_rate: PositiveFloat = 1e-2
    optimizer: Optimizer = "muon"
    weight_decay: NonNegativeFloat = 0.1
    width: PositiveInt = 48
    features: PositiveInt = 128

    def model_options(self) -> dict[str, Any]:
        """Images are mirrored; layers pooled, not dropped."""
        return {**super().model_options(), "flips": True, "pooled": True, "dropout": 0.0}


class ClassifierAnimeHair(ClassifierRecipe):
    """Classifier of drawn faces by hair colour, a probe.

    Nine 3x3 convolutions with batch normalization (Krizhevsky et al. 2012 for the mirrored and shifted images; no paper is
    followed) on 2,250 faces of 64 px, twelve colours, tags now and then wrong. Says what colour a sample's hair is, for the
    vector arithmetic of Radford et al. 2015 on ``dcgan_anime_faces``. No number is published on this data. About 3 min on one
    CPU core.
    """

    cost = Cost(3)
    classes: ClassVar[int] = 12

    data: str = "anime_faces_64_subset"
    epochs: PositiveInt = 30
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 2e-3
    width: PositiveInt = 16
    features: PositiveInt = 64
    checkpoint_every: PositiveInt = 10

    def model_options(self) -> dict[str, Any]:
        """Images are mirrored."""
        return {**super().model_options(), "flips": True}


class ClassifierAnimeEyes(ClassifierAnimeHair):
    """Classifier of drawn faces by eye colour, a probe.

    As ``classifier_anime_hair`` (Krizhevsky et al. 2012 for the mirrored and shifted images), of eleven colours. Says whether a
    face drawn of a sentence has the eyes that it was told. No number is published on this data. About 3 min on one CPU core.
    """

    cost = Cost(3)
    classes: ClassVar[int] = 11

    data: str = "anime_faces_64_subset?label=eyes"


class ClassifierShapes(ClassifierRecipe):
    """Classifier of drawn shapes by colour and shape, a probe.

    Five 3x3 convolutions with batch normalization (LeCun et al. 1998 for the idea; no paper is followed) on scenes of one shape,
    all 48 pairs of colour and shape, those too that models of text to images are not shown. Says whether an image drawn of a
    sentence shows what it was told. No number is published on this data. About 6 min on one CPU core.
    """

    cost = Cost(6)
    expected = Expected("accuracy", 1.0)
    classes: ClassVar[int] = 48

    data: str = "shapes?objects=1&held_out=false"
    epochs: PositiveInt = 16
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 2e-3
    width: PositiveInt = 16
    features: PositiveInt = 64
    checkpoint_every: PositiveInt = 4
