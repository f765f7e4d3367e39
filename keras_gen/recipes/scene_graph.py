"""Images of scene graphs by sg2im."""

from typing import Any, Literal

import keras_gen as kg
from keras_gen.core.errors import InvalidInput
from keras_gen.recipes.adversarial import AdversarialRecipe
from keras_gen.recipes.recipe import (
    Cost,
    Expected,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Published,
    Rate,
    SampleCount,
)


class SceneGraphRecipe(AdversarialRecipe):
    """A ``SceneGraphToImage``; the paper's optimizers: Adam 1e-4, beta1 0.9, batches of 32 (Johnson et al. 2018, section 3)."""

    family = "graph"

    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 1e-4
    beta_1: Rate = 0.9
    # Of the vectors of objects and relations, and of the graph's inner layers; the paper's: 128 and 512.
    features: PositiveInt = 128
    hidden: PositiveInt = 512
    # Of the graph; 0: each object is seen alone, the published ablation.
    convolutions: NonNegativeInt = 5
    # Normal numbers a pixel.
    noise_channels: PositiveInt = 32
    # Maps of the refinement's coarsest module and its finest; from one to the next half as many. The paper's: 1024 and 64.
    refinement_width: PositiveInt = 1024
    finest_width: PositiveInt = 64
    # Maps of either discriminator's first convolution, doubled at each of ``discriminator_layers``.
    discriminator_width: PositiveInt = 64
    discriminator_layers: PositiveInt = 3
    object_layers: PositiveInt = 3
    object_features: PositiveInt = 1024
    # Pixels that objects are cut out to.
    crop_size: PositiveInt = 32
    pixel_weight: NonNegativeFloat = 1.0
    box_weight: NonNegativeFloat = 10.0
    mask_weight: NonNegativeFloat = 0.1
    # 0: no discriminator of images; with both others 0, none of objects.
    image_weight: NonNegativeFloat = 0.01
    object_weight: NonNegativeFloat = 0.01
    class_weight: NonNegativeFloat = 0.1
    box_activation: Literal["sigmoid", "relu", "linear"] = "sigmoid"
    image_activation: Literal["tanh", "linear"] = "tanh"
    # Steps after which the generator's batch normalization takes its moving statistics; None: never.
    freeze_after: NonNegativeInt | None = None

    def network(self, spec: "kg.ImageSpec", graph: Any = None) -> "kg.SceneGraphToImage":
        """The model for graphs of this kind (None: of one object and one relation)."""
        if graph is None:
            graph = {"objects": ["object"], "relations": ["beside"], "most_objects": 1, "most_relations": 1}
        names = ("features", "hidden", "convolutions", "noise_channels", "object_features", "crop_size", "pixel_weight")
        names += ("box_weight", "mask_weight", "image_weight", "object_weight", "class_weight", "box_activation")
        own = {name: getattr(self, name) for name in (*names, "image_activation", "freeze_after")}
        modules = spec.halvings() + 1
        narrowing = [max(self.finest_width, self.refinement_width >> place) for place in range(modules)]
        maps = [
            self.discriminator_width << place for place in range(max(self.discriminator_layers, self.object_layers))
        ]
        return kg.SceneGraphToImage(
            spec,
            graph,
            refinement_maps=(*narrowing[:-1], self.finest_width),
            discriminator_maps=maps[: self.discriminator_layers],
            object_maps=maps[: self.object_layers],
            **own,
            **self.model_options(),
        )

    def model_for(self, data: Any, steps: int) -> Any:
        """The compiled model for data with graphs."""
        if "graph" not in data.kinds:
            raise InvalidInput(
                f"{data.name} holds no graphs; give a set that does, as --data 'shapes?objects=1-6&graphs=true' or "
                "--data coco:PATH."
            )
        made = self.network(data.image_spec, data.kinds["graph"])
        self.compile(made, steps)
        return made


class SceneGraphShapes(SceneGraphRecipe):
    """sg2im on drawn shapes (32 px).

    Johnson et al. 2018, a refinement of four modules and networks of a half to a tenth of the width, on scenes of one to six
    things called as "small red circle". Where a thing lies no graph says, only on which side of another, so boxes can be right no
    further than that. Ablations by ``--set``: ``convolutions=0``, ``object_weight=0`` with ``class_weight=0``,
    ``image_weight=0``. No number is published on this data. About 45 min on one CPU core.
    """

    cost = Cost(45)
    expected = Expected("flipped_relation_accuracy", 1.0)

    data: str = "shapes?objects=1-6&count=10000&held_out=false&graphs=true"
    epochs: PositiveInt = 16
    learning_rate: PositiveFloat = 1e-3
    beta_1: Rate = 0.5
    falling: bool = True
    features: PositiveInt = 48
    hidden: PositiveInt = 256
    noise_channels: PositiveInt = 8
    refinement_width: PositiveInt = 128
    finest_width: PositiveInt = 32
    discriminator_width: PositiveInt = 32
    object_layers: PositiveInt = 2
    object_features: PositiveInt = 256
    crop_size: PositiveInt = 16
    # Higher than for photographs: a thing's name says its colour and shape, and these are what there is to draw.
    mask_weight: NonNegativeFloat = 1.0
    class_weight: NonNegativeFloat = 0.5
    ema_decay: Rate | None = 0.999
    checkpoint_every: PositiveInt = 5
    samples: SampleCount = 1_000


class SceneGraphCOCOFull(SceneGraphRecipe):
    """sg2im on COCO-Stuff in full size (64 px), for a GPU.

    Johnson et al. 2018, networks, losses and the code's own settings: 28.2 million weights, batches of 32, 1,000,000 steps, the
    normalization frozen after 100,000. Wants the photographs and annotations of COCO 2017 in ``coco:PATH`` (``--data``), with
    those of stuff. This project has not run it. About four days on one GPU of 2018, too long for a CPU.
    """

    cost = Cost(6000, "1 GPU")
    published = (Published("inception_score", 6.7, "Johnson et al. 2018, table 1, Inception features, 64 px"),)

    data: str = "coco:~/coco?size=64"
    epochs: PositiveInt = 1280
    box_activation: Literal["sigmoid", "relu", "linear"] = "relu"
    image_activation: Literal["tanh", "linear"] = "linear"
    freeze_after: NonNegativeInt | None = 100_000
    checkpoint_every: PositiveInt = 20
    sample_every: PositiveInt | None = 20
