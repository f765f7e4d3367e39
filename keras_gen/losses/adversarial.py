"""What the two players of a GAN pay: pure functions of logits, per example, unreduced."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_gen.core.registry import Registry


def per_example(values: Any) -> Any:
    """``[b, ...]`` to ``[b]`` float32: the mean over a patch map, or the value itself."""
    values = ops.cast(values, "float32")
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def minimax_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Goodfellow 2014, eq. 1, negated: ``-log D(x) - log(1 - D(G(z)))``. Logits ``[b, ...]``; returns ``[b]`` nats."""
    return per_example(ops.softplus(-real_logits)) + per_example(ops.softplus(fake_logits))


def minimax_generator_loss(fake_logits: Any) -> Any:
    """Goodfellow 2014, eq. 1: ``log(1 - D(G(z)))``, which saturates where D is sure. Returns ``[b]`` nats."""
    return -per_example(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: Any) -> Any:
    """Goodfellow 2014, section 3: ``-log D(G(z))``, same fixed point, strong gradient early. Returns ``[b]`` nats."""
    return per_example(ops.softplus(-fake_logits))


@dataclasses.dataclass(frozen=True)
class Objective:
    """A pair of losses that belong together."""

    name: str
    generator_loss: Callable[[Any], Any]
    discriminator_loss: Callable[[Any, Any], Any]


OBJECTIVES = Registry("adversarial objective")
for _objective in (
    Objective("minimax", minimax_generator_loss, minimax_discriminator_loss),
    Objective("non_saturating", non_saturating_generator_loss, minimax_discriminator_loss),
):
    OBJECTIVES.register(_objective.name, _objective)
