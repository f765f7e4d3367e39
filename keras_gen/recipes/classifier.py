"""What the recipes of classifiers share."""

from typing import Any

import keras_gen as kg
from keras_gen.recipes.recipe import Recipe


def classifier_recipe(
    data: str, epochs: int, batch_size: int, learning_rate: float, seed: int, **model_arguments: Any
) -> Recipe:
    """A ``Classifier`` of ten classes under Adam, its rate falling to zero along a cosine."""

    def model(spec: Any, steps: int) -> Any:
        import keras

        from keras_gen.training.adam import Adam

        classifier = kg.Classifier(spec, 10, seed=seed, **model_arguments)
        classifier.compile(Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps)))
        return classifier

    return Recipe(data, model, epochs, batch_size, seed)
