"""What the recipes of autoregressive models share."""

from collections.abc import Callable
from typing import Any

from keras_gen.recipes.optimizer import Optimizer, annealed
from keras_gen.recipes.recipe import Recipe


def autoregressive_recipe(
    data: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    build: Callable[[Any], Any],
    *,
    optimizer: Optimizer = "adam",
    weight_decay: float = 0.0,
    augment: str | None = None,
    samples: int = 2_000,
    published: tuple[tuple[str, float, str], ...] = (),
) -> Recipe:
    """``build(spec)`` gives the model; the optimizer's rate falls to zero along a cosine, a checkpoint an epoch."""

    def model(spec: Any, steps: int) -> Any:
        made = build(spec)
        made.compile(annealed(optimizer, learning_rate, steps, weight_decay))
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
