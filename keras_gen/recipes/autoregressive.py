"""What the recipes of autoregressive models share."""

from collections.abc import Callable
from typing import Any, Literal

from keras_gen.recipes.recipe import Recipe

Optimizer = Literal["adam", "muon"]


def autoregressive_recipe(
    data: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    build: Callable[[Any], Any],
    *,
    optimizer: Optimizer = "adam",
    augment: str | None = None,
    samples: int = 2_000,
    published: tuple[tuple[str, float, str], ...] = (),
) -> Recipe:
    """``build(spec)`` gives the model; the optimizer's rate falls to zero along a cosine, a checkpoint an epoch."""

    def model(spec: Any, steps: int) -> Any:
        import keras

        from keras_gen.training.adam import Adam
        from keras_gen.training.muon import Muon

        made = build(spec)
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        made.compile({"adam": Adam, "muon": Muon}[optimizer](rate))
        return made

    return Recipe(
        data,
        model,
        epochs,
        batch_size,
        seed,
        augment,
        sample_every=max(1, epochs // 10),
        evaluation={"samples": samples},
        published=published,
    )
