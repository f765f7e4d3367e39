"""How the KL term is weighed in training; what is reported is always the bound itself."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_gen.core.checks import integer, number
from keras_gen.core.errors import InvalidInput


def warmed_up(beta: float, step: Any, steps: int) -> Any:
    """``beta`` times what rises evenly from 0 at step 0 to 1 at step ``steps`` (Bowman et al. 2016; Sonderby et al. 2016)."""
    return beta if not steps else beta * ops.minimum(ops.cast(step, "float32") / steps, 1.0)


def free_bits(kl: Any, nats: float) -> Any:
    """``sum_j max(nats, KL_j)`` of the batch's mean KL by groups ``[g]``: no gradient below (Kingma et al. 2016, eq. 15)."""
    return ops.sum(ops.maximum(kl, nats))


def capacity_penalty(kl: Any, step: Any, nats: float, steps: int, weight: float) -> Any:
    """``weight |KL - C|`` of the batch's mean KL, C rising from 0 to ``nats`` over ``steps`` (Burgess et al. 2018, eq. 8)."""
    target = nats * ops.minimum(ops.cast(step, "float32") / steps, 1.0)
    return weight * ops.abs(kl - target)


def checked_capacity(given: Any) -> dict[str, float] | None:
    """``{"nats": C, "steps": n, "weight": gamma}``, or None."""
    if given is None:
        return None
    wanted = {"nats", "steps", "weight"}
    if not isinstance(given, Mapping) or set(given) != wanted:
        raise InvalidInput(
            f"capacity={given!r}; give {{'nats': 25.0, 'steps': 100_000, 'weight': 1000.0}}: where the KL is to be in the end, "
            "after how many training steps, and the weight of its distance from there."
        )
    steps = integer("capacity's steps", given["steps"], 1)
    return {
        "nats": number("capacity's nats", given["nats"], 0),
        "steps": steps,
        "weight": number("capacity's weight", given["weight"], 0, above=True),
    }
