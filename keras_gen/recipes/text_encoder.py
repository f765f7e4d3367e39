"""Text encoders, with which models of text to images read their captions."""

from pathlib import Path
from typing import Any

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.optimizer import OneOptimizerRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveFloat, PositiveInt


def check_captions(data: Any) -> None:
    """``InvalidInput`` unless the data hold captions."""
    if "caption" not in data.features:
        raise InvalidInput(
            f"{data.name} holds no captions; give a set that does, as --data 'shapes?objects=1' or "
            "--data captioned_folder:PATH."
        )


class TextEncoderRecipe(OneOptimizerRecipe):
    """A ``TextEncoder``: the char-CNN-RNN of Reed et al. 2016a, an image side trained beside it or a classifier's features."""

    family = "text"

    batch_size: PositiveInt = 40
    # Maps of the first convolution; the second has 4/3 and the third 2/3 of that. The paper's: 384.
    width: PositiveInt = 96
    # Of the embeddings. The paper's: 1024.
    features: PositiveInt = 128
    # Maps of the image side's first convolution.
    image_width: PositiveInt = 24
    # A run of a classifier whose features are the image side, as they are; None: convolutions that learn too.
    classifier: str | None = None
    margin: PositiveFloat = 1.0

    def network(self, spec: "kg.ImageSpec", length: int = 201, vocabulary: tuple[str, ...] = ()) -> "kg.TextEncoder":
        """The model for captions of this length and these words."""
        maps = (self.width, max(1, self.width * 4 // 3), max(1, self.width * 2 // 3))
        options = {"maps": maps, "features": self.features, "width": self.image_width, "margin": self.margin}
        if self.classifier is not None:
            found = kg.load(Path(self.classifier))
            if not isinstance(found, kg.Classifier):
                raise InvalidInput(
                    f"classifier={self.classifier!r} is a {type(found).__name__}; give a classifier's run."
                )
            options |= {"image_network": found, "trains_images": False, "features": found.feature_count}
        return kg.TextEncoder(spec, length, vocabulary=vocabulary, dtype=self.dtype, seed=self.seed, **options)

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for data with captions."""
        from keras_gen.core.captions import vocabulary_of

        check_captions(data)
        captions = data.features.get("captions", data.features["caption"])
        made = self.network(data.image_spec, captions.shape[-1], vocabulary_of(captions))
        self.compile(made, steps)
        return made


class TextEncoderShapes(TextEncoderRecipe):
    """Text encoder of drawn shapes, a char-CNN-RNN.

    Reed et al. 2016a, its network at a quarter of the width and its loss (the image side, there GoogLeNet's features, is
    trained beside it), on scenes of one shape; ``text_to_image_shapes`` reads its captions with it. Pairs of colour and shape
    that the test alone has are counted apart. No number is published on this data. About 13 min on one CPU core.
    """

    cost = Cost(13)
    expected = Expected("caption_retrieval_1of100", 0.982)

    data: str = "shapes?objects=1"
    epochs: PositiveInt = 80
    learning_rate: PositiveFloat = 2e-3
    checkpoint_every: PositiveInt = 20
    sample_every: PositiveInt | None = None


class TextEncoderAnimeFaces(TextEncoderRecipe):
    """Text encoder of drawn faces and their tags.

    Reed et al. 2016a, as ``text_encoder_shapes``, of sentences as "aqua hair blue eyes"; faces that have the same tags are not
    set against each other. No number is published on this data. About 10 min on one CPU core.
    """

    cost = Cost(10)

    data: str = "anime_faces_64_subset"
    epochs: PositiveInt = 20
    width: PositiveInt = 48
    features: PositiveInt = 64
    checkpoint_every: PositiveInt = 10


class TextEncoderFlickr8k(TextEncoderRecipe):
    """Text encoder of photographs, Flickr8k (64 px).

    Reed et al. 2016a at half the width on the photographs of Hodosh et al. 2013, five captions each. No number is published on
    this data at this size. About 60 min on one CPU core.
    """

    cost = Cost(60)

    data: str = "flickr8k_64"
    epochs: PositiveInt = 30
    width: PositiveInt = 192
    features: PositiveInt = 256
    image_width: PositiveInt = 32
    checkpoint_every: PositiveInt = 10
