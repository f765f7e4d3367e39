"""What the recipes of classifiers share."""

from typing import Any

import keras_gen as kg
from keras_gen.recipes.optimizer import Optimizer, annealed
from keras_gen.recipes.recipe import Recipe


def classifier_recipe(
    data: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    *,
    optimizer: Optimizer = "adam",
    weight_decay: float = 0.0,
    **model_arguments: Any,
) -> Recipe:
    """A ``Classifier`` of ten classes, its optimizer's rate falling to zero along a cosine."""

    def model(spec: Any, steps: int) -> Any:
        classifier = kg.Classifier(spec, 10, seed=seed, **model_arguments)
        classifier.compile(annealed(optimizer, learning_rate, steps, weight_decay))
        return classifier

    return Recipe(data, model, epochs, batch_size, seed)
