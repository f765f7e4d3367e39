"""Style encoders: the noise of an image, for another caption in its style."""

from pathlib import Path
from typing import Any

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.optimizer import OneOptimizerRecipe
from keras_gen.recipes.recipe import Cost, Expected, PositiveFloat, PositiveInt
from keras_gen.recipes.text_encoder import check_captions


class StyleEncoderRecipe(OneOptimizerRecipe):
    """A ``StyleEncoder`` of a model of text to image that was trained before (Reed et al. 2016b, section 4.4)."""

    family = "text"

    batch_size: PositiveInt = 64
    # The run or preset of a TextToImageGAN.
    text_to_image: str
    # Maps of the first layer.
    width: PositiveInt = 32

    def network(self, spec: "kg.ImageSpec") -> "kg.StyleEncoder":
        """The model, of the generator that ``text_to_image`` names."""
        try:
            found = kg.load(
                self.text_to_image if self.text_to_image.startswith("preset:") else Path(self.text_to_image)
            )
        except InvalidInput as error:
            raise InvalidInput(
                f"text_to_image={self.text_to_image!r}: {error} Train one first (keras-gen train text_to_image_shapes --out "
                "runs/text_to_image_shapes), and name its run with --set text_to_image=RUN."
            ) from error
        if not isinstance(found, kg.TextToImageGAN):
            raise InvalidInput(
                f"text_to_image={self.text_to_image!r} is a {type(found).__name__}; give a TextToImageGAN's run."
            )
        if found.image_spec != spec:
            raise InvalidInput(
                f"text_to_image={self.text_to_image!r} makes {found.image_spec}, the data hold {spec}; train on its data."
            )
        return kg.StyleEncoder(spec, found, width=self.width, dtype=self.dtype, seed=self.seed)

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for data with captions."""
        check_captions(data)
        made = self.network(data.image_spec)
        self.compile(made, steps)
        return made


class StyleEncoderShapes(StyleEncoderRecipe):
    """Style encoder of drawn shapes: other words, same ground.

    Reed et al. 2016b, section 4.4: convolutions that find the noise of an image that ``text_to_image_shapes`` made, whose run it
    wants at ``runs/text_to_image_shapes``. No number is published on this data. About 3 min on one CPU core.
    """

    cost = Cost(3)
    expected = Expected("style_ground_correlation", 0.33)

    data: str = "shapes?objects=1"
    epochs: PositiveInt = 15
    learning_rate: PositiveFloat = 1e-3
    text_to_image: str = "runs/text_to_image_shapes"
    checkpoint_every: PositiveInt = 5
    sample_every: PositiveInt | None = None
