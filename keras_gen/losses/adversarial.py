"""What the two players of a GAN pay: pure functions of logits, per example, unreduced."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.core.own_functions import saved_function, saved_name
from keras_gen.core.registry import Registry
from keras_gen.core.replicas import global_batch_mean


def per_example(values: Any) -> Any:
    """``[b, ...]`` to ``[b]`` float32: the mean over a patch map, or the value itself."""
    values = ops.cast(values, "float32")
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def checked_per_example(values: Any, function: Callable) -> Any:
    """``values`` of ``function`` if they are ``[b]``; a mean taken early would weigh a batch as if it were one example."""
    if len(values.shape) != 1:
        raise InvalidInput(
            f"{getattr(function, '__name__', function)} gives {list(values.shape)}; wanted [b], one number for each example: "
            "reduce over everything but the first axis and leave the mean over the batch to the step."
        )
    return values


def minimax_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Goodfellow 2014, eq. 1, negated: ``-log D(x) - log(1 - D(G(z)))``. Logits ``[b, ...]``; returns ``[b]`` nats."""
    return per_example(ops.softplus(-real_logits)) + per_example(ops.softplus(fake_logits))


def minimax_generator_loss(fake_logits: Any) -> Any:
    """Goodfellow 2014, eq. 1: ``log(1 - D(G(z)))``, which saturates where D is sure. Returns ``[b]`` nats."""
    return -per_example(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: Any) -> Any:
    """Goodfellow 2014, section 3: ``-log D(G(z))``, same fixed point, strong gradient early. Returns ``[b]`` nats."""
    return per_example(ops.softplus(-fake_logits))


def least_squares_discriminator_loss(real_logits: Any, fake_logits: Any, fake: float = 0.0, real: float = 1.0) -> Any:
    """Mao et al. 2017, eq. 2: ``1/2 (D(x) - real)^2 + 1/2 (D(G(z)) - fake)^2`` (their b and a) of a linear D, ``[b]``."""
    return 0.5 * (per_example(ops.square(real_logits - real)) + per_example(ops.square(fake_logits - fake)))


def least_squares_generator_loss(fake_logits: Any, wanted: float = 1.0) -> Any:
    """Mao et al. 2017, eq. 2: ``1/2 (D(G(z)) - wanted)^2`` (their c), ``[b]``."""
    return 0.5 * per_example(ops.square(fake_logits - wanted))


def wasserstein_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Arjovsky et al. 2017, eq. 3, negated: ``f(G(z)) - f(x)``; minus its mean estimates the distance. Returns ``[b]``."""
    return per_example(fake_logits) - per_example(real_logits)


def wasserstein_generator_loss(fake_logits: Any) -> Any:
    """Arjovsky et al. 2017: ``-f(G(z))``; the hinge's generator pays the same. Returns ``[b]``."""
    return -per_example(fake_logits)


def hinge_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Lim and Ye 2017; Miyato et al. 2018, eq. 16: ``max(0, 1 - D(x)) + max(0, 1 + D(G(z)))``. Returns ``[b]``."""
    return per_example(ops.relu(1.0 - real_logits)) + per_example(ops.relu(1.0 + fake_logits))


def relativistic_average_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """Jolicoeur-Martineau 2018, RaSGAN: how much likelier real the reals are than the mean fake. Returns ``[b]`` nats.

    ``-log s(D(x) - mean D(G(z))) - log(1 - s(D(G(z)) - mean D(x)))``, s the sigmoid, means over the global batch.
    """
    more_real = real_logits - global_batch_mean(fake_logits)
    more_fake = fake_logits - global_batch_mean(real_logits)
    return per_example(ops.softplus(-more_real)) + per_example(ops.softplus(more_fake))


def relativistic_average_generator_loss(fake_logits: Any, real_logits: Any) -> Any:
    """Jolicoeur-Martineau 2018: the discriminator's loss with reals and fakes exchanged. Returns ``[b]`` nats."""
    return relativistic_average_discriminator_loss(fake_logits, real_logits)


def class_loss(class_logits: Any, labels: Any) -> Any:
    """Odena et al. 2017, eq. 3, negated: cross-entropy of an auxiliary classifier. ``[b, classes]``, ``[b]``; ``[b]`` nats."""
    class_logits = ops.cast(class_logits, "float32")
    return ops.sparse_categorical_crossentropy(ops.cast(labels, "int32"), class_logits, from_logits=True)


@keras.saving.register_keras_serializable("keras_gen")
@dataclasses.dataclass(frozen=True)
class Objective:
    """A pair of losses that belong together, each of logits ``[b, ...]`` and of ``[b]``.

    Args:
        name: how reports call it.
        generator_loss: ``f(fake_logits)``, or ``f(fake_logits, real_logits)`` where it ``needs_reals``.
        discriminator_loss: ``f(real_logits, fake_logits)``.
        needs_reals: the generator's loss compares its fakes with the reals of the batch.
        logarithmic: a loss of probabilities, for which a critic must be free to be sure.
        bounded: the discriminator's loss has a lower bound, so that it needs no constraint and no penalty.
        threshold: the logit above which the discriminator takes an image for real, for its accuracy; None: it decides
            nothing by one logit alone.
        estimates_distance: the generator pays ``-f(G(z))``, so that the critic's mean on reals minus that on fakes is what the
            two play for: with a critic of slope 1 the Wasserstein distance (Arjovsky et al. 2017, section 3).
    """

    name: str
    generator_loss: Callable[..., Any]
    discriminator_loss: Callable[[Any, Any], Any]
    needs_reals: bool = False
    logarithmic: bool = False
    bounded: bool = True
    threshold: float | None = None
    estimates_distance: bool = False

    @classmethod
    def from_any(cls, objective: Any) -> "Objective":
        """An objective, one by name, or of a pair of functions ``(generator_loss, discriminator_loss)``."""
        if isinstance(objective, cls):
            return objective
        if isinstance(objective, (tuple, list)):
            if len(objective) != 2 or not all(map(callable, objective)):
                raise InvalidInput(
                    f"objective={objective!r}; a pair of functions is (generator_loss(fake_logits), "
                    "discriminator_loss(real_logits, fake_logits)), each giving [b]."
                )
            return cls(getattr(objective[0], "__name__", "own"), *objective)
        return OBJECTIVES.get(objective)

    def saved(self) -> Any:
        """What stands for it in a model's configuration: its name, or its parts."""
        known = self.name in OBJECTIVES and OBJECTIVES.get(self.name) is self
        return self.name if known else keras.saving.serialize_keras_object(self)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, functions by their registered names."""
        config = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for loss in ("generator_loss", "discriminator_loss"):
            config[loss] = saved_name(config[loss], f"The objective's {loss}")
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """The objective of a ``get_config``."""
        losses = {loss: saved_function(config[loss]) for loss in ("generator_loss", "discriminator_loss")}
        return cls(**{**config, **losses})


OBJECTIVES = Registry("adversarial objective")
for _objective in (
    Objective("minimax", minimax_generator_loss, minimax_discriminator_loss, logarithmic=True, threshold=0.0),
    Objective(
        "non_saturating", non_saturating_generator_loss, minimax_discriminator_loss, logarithmic=True, threshold=0.0
    ),
    # Of least squares the midpoint between the two targets.
    Objective("least_squares", least_squares_generator_loss, least_squares_discriminator_loss, threshold=0.5),
    # Targets -1, 1, 0: the Pearson chi^2 divergence of p + q and 2 q (Mao et al. 2017, eq. 8).
    Objective(
        "least_squares_chi2",
        functools.partial(least_squares_generator_loss, wanted=0.0),
        functools.partial(least_squares_discriminator_loss, fake=-1.0),
        threshold=0.0,
    ),
    Objective(
        "wasserstein",
        wasserstein_generator_loss,
        wasserstein_discriminator_loss,
        bounded=False,
        estimates_distance=True,
    ),
    Objective("hinge", wasserstein_generator_loss, hinge_discriminator_loss, threshold=0.0, estimates_distance=True),
    Objective(
        "relativistic_average",
        relativistic_average_generator_loss,
        relativistic_average_discriminator_loss,
        needs_reals=True,
        logarithmic=True,
    ),
):
    OBJECTIVES.register(_objective.name, _objective)
# A user's own pair may hold one of these; its file then names it.
for _loss in (
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
    hinge_discriminator_loss,
    relativistic_average_discriminator_loss,
    relativistic_average_generator_loss,
):
    keras.saving.register_keras_serializable("keras_gen")(_loss)
