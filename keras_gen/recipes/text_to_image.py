"""Images of sentences by GAN-INT-CLS and its simpler variants."""

from pathlib import Path
from typing import Any

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.adversarial import AdversarialRecipe
from keras_gen.recipes.recipe import (
    Augmentation,
    Cost,
    Expected,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Rate,
    SampleCount,
)
from keras_gen.recipes.text_encoder import check_captions


class TextToImageRecipe(AdversarialRecipe):
    """A ``TextToImageGAN``; the paper's optimizers: Adam 2e-4, beta1 0.5, batches of 64 (Reed et al. 2016b, section 5)."""

    family = "text"

    batch_size: PositiveInt = 64
    # The run, .keras file or preset of a text encoder, trained before; or a Keras model of your own in a .keras file.
    encoder: str
    latent_dim: PositiveInt = 100
    # Maps of the discriminator's first layer, and of the generator's last but one; the paper's: 64 and 128.
    width: PositiveInt = 32
    generator_width: PositiveInt = 32
    # What either network projects the embedded caption to.
    projection: PositiveInt = 64
    # Not the paper's; these encoders' embeddings vary a tenth as much as the noise does.
    normalized_text: bool = True
    # CLS: whether real images with captions of others are rejected too.
    matching: bool = True
    # INT: whether the generator is also paid for means of two captions.
    mixing: bool = True
    mixed_weight: NonNegativeFloat = 1.0
    # Captions of an image whose mean embedding is taken, where there are several.
    captions_averaged: PositiveInt = 4
    falling: bool = True
    ema_decay: Rate | None = 0.999
    samples: SampleCount = 1_000

    def network(self, spec: "kg.ImageSpec", length: int | None = None) -> "kg.TextToImageGAN":
        """The model with the encoder that ``encoder`` names, for captions of this length."""
        names = ("latent_dim", "width", "generator_width", "projection", "normalized_text", "matching", "mixing")
        own = {name: getattr(self, name) for name in (*names, "mixed_weight", "captions_averaged")}
        return kg.TextToImageGAN(
            spec, encoder=self._encoder(spec, length), length=length, **own, **self.model_options()
        )

    def _encoder(self, spec: "kg.ImageSpec", length: int | None) -> Any:
        path = Path(self.encoder)
        try:
            found = kg.load(self.encoder)
        except InvalidInput as error:
            raise InvalidInput(
                f"encoder={self.encoder!r}: {error} Train one first (keras-gen train text_encoder_shapes --out "
                "runs/text_encoder_shapes), and name its run with --set encoder=RUN."
            ) from error
        if isinstance(found, kg.TextEncoder):
            if found.image_spec != spec or length not in (None, found.length):
                raise InvalidInput(
                    f"encoder={self.encoder!r} was trained on {found.image_spec} and captions of {found.length} characters, "
                    f"the data hold {spec} and {length}; train one on the same data."
                )
        elif path.suffix != ".keras" or hasattr(found, "image_spec"):
            raise InvalidInput(f"encoder={self.encoder!r} is a {type(found).__name__}; give a text encoder.")
        return found

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for data with captions."""
        check_captions(data)
        made = self.network(data.image_spec, data.features["caption"].shape[-1])
        self.compile(made, steps)
        return made


class TextToImageShapes(TextToImageRecipe):
    """GAN-INT-CLS on drawn shapes (32 px).

    Reed et al. 2016b, networks of a half and a quarter of the width, on scenes of one coloured, textured shape with five captions
    each; pairs of colour and shape that the test alone has are counted apart. Wants the encoder of ``keras-gen train
    text_encoder_shapes --out runs/text_encoder_shapes``. Without ``matching`` it is GAN-INT, without ``mixing`` GAN-CLS, without
    both GAN. The generator learns five times as fast as the discriminator, which otherwise soon knows every fake. No number is
    published on this data. About 40 min on one CPU core.
    """

    cost = Cost(40)
    expected = Expected("caption_accuracy", 0.292)

    data: str = "shapes?objects=1"
    epochs: PositiveInt = 60
    learning_rate: PositiveFloat = 1e-3
    discriminator_learning_rate: PositiveFloat | None = 2e-4
    encoder: str = "runs/text_encoder_shapes"
    # What is asked for is one sentence, too.
    captions_averaged: PositiveInt = 1
    checkpoint_every: PositiveInt = 5


class TextToImageShapePairs(TextToImageShapes):
    """GAN-INT-CLS on scenes of two drawn shapes (32 px).

    Reed et al. 2016b, as ``text_to_image_shapes``, of sentences as "a small red circle left of a blue square": harder. Wants the
    encoder of ``keras-gen train text_encoder_shapes --data 'shapes?objects=1-2' --out runs/text_encoder_shape_pairs``. No number
    is published on this data. About 60 min on one CPU core.
    """

    cost = Cost(60)

    data: str = "shapes?objects=1-2"
    epochs: PositiveInt = 90
    encoder: str = "runs/text_encoder_shape_pairs"


class TextToImageAnimeFaces(TextToImageRecipe):
    """GAN-INT-CLS on drawn faces and their tags (64 px).

    Reed et al. 2016b, networks of a half and a quarter of the width, on 2,250 faces whose colours of hair and eyes are the
    captions; those with the tags of a caption are never wrong for it. Wants the encoder of ``keras-gen train
    text_encoder_anime_faces --out runs/text_encoder_anime_faces``. No number is published on this data. About 50 min on one CPU
    core.
    """

    cost = Cost(50)

    data: str = "anime_faces_64_subset"
    epochs: PositiveInt = 60
    encoder: str = "runs/text_encoder_anime_faces"
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 5


class TextToImageFlickr8k(TextToImageRecipe):
    """GAN-CLS on photographs, Flickr8k (64 px).

    Reed et al. 2016b, which has MS COCO (there CLS without INT, and three captions averaged), at a quarter of the width, on 5,997
    photographs of Hodosh et al. 2013. Wants the encoder of ``keras-gen train text_encoder_flickr8k --out
    runs/text_encoder_flickr8k``. No number is published on this data at this size. About 3 hours on one CPU core.
    """

    cost = Cost(180)

    data: str = "flickr8k_64"
    epochs: PositiveInt = 60
    encoder: str = "runs/text_encoder_flickr8k"
    generator_width: PositiveInt = 48
    projection: PositiveInt = 128
    mixing: bool = False
    captions_averaged: PositiveInt = 3
    augment: Augmentation | None = "flip"
    checkpoint_every: PositiveInt = 10
    sample_every: PositiveInt | None = 5
