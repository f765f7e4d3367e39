"""What a critic pays for its slope or its size: pure functions, per example, unreduced.

A penalty says where it looks (``at``); the model, which holds the critic, brings what is seen there. ``gradients`` are those
of the critic's logit with respect to its image, ``[b, h, w, c]``.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import number
from keras_gen.core.errors import InvalidInput
from keras_gen.core.own_functions import saved_function, saved_name
from keras_gen.core.registry import Registry
from keras_gen.losses.adversarial import checked_per_example, per_example

PLACES = ("between", "reals", "fakes", "real_logits")


def _squared_norm(gradients: Any) -> Any:
    gradients = ops.cast(gradients, "float32")
    return ops.sum(ops.square(ops.reshape(gradients, (ops.shape(gradients)[0], -1))), axis=1)


def gradient_norm(gradients: Any) -> Any:
    """Euclidean norm over all pixels and channels of each example: ``[b, ...]`` to ``[b]`` float32."""
    return ops.sqrt(_squared_norm(gradients) + 1e-12)  # the root's own slope at 0 is infinite


def gradient_penalty(gradients: Any, target: float = 1.0) -> Any:
    """Gulrajani et al. 2017, eq. 3: ``(norm / target - 1)^2``, ``[b]``.

    Over the target as in Karras et al. 2018, so that a weight means the same for every target.
    """
    return ops.square(gradient_norm(gradients) / target - 1.0)


def one_sided_gradient_penalty(gradients: Any, target: float = 1.0) -> Any:
    """Gulrajani et al. 2017, section 4: slopes above the target alone pay, ``max(0, norm / target - 1)^2``, ``[b]``."""
    return ops.square(ops.relu(gradient_norm(gradients) / target - 1.0))


def zero_centred_gradient_penalty(gradients: Any) -> Any:
    """Mescheder et al. 2018, eq. 9 and 10: ``1/2 norm^2``, ``[b]``; R1 at reals, R2 at fakes."""
    return 0.5 * _squared_norm(gradients)


def drift_penalty(real_logits: Any) -> Any:
    """Karras et al. 2018, appendix A.1: ``D(x)^2``, which holds the critic's level near zero, ``[b]``."""
    return per_example(ops.square(ops.cast(real_logits, "float32")))


@keras.saving.register_keras_serializable("keras_gen")
@dataclasses.dataclass(frozen=True)
class Penalty:
    """``weight * function(values)``, added to what the discriminator pays for each example of a training turn.

    Args:
        name: how reports call it.
        function: ``f(values) -> [b]``; ``f(values, target)`` where there is a target.
        at: whose values. ``"between"``: the critic's gradient at a random point between a real and a fake; ``"reals"``,
            ``"fakes"``: its gradient there; ``"real_logits"``: its logits ``[b, ...]``.
        weight: at least 0.
        target: above 0; None for a function without one.
    """

    name: str
    function: Callable[..., Any]
    at: str = "between"
    weight: float = 10.0
    target: float | None = None

    def __post_init__(self):
        if self.at not in PLACES:
            raise InvalidInput(f"Penalty at={self.at!r}; give one of {', '.join(PLACES)}.")
        number("penalty_weight", self.weight, 0.0)
        if self.target is not None:
            number("penalty_target", self.target, 0.0, above=True)

    def __call__(self, values: Any) -> Any:
        """What each example pays, ``[b]``."""
        paid = self.function(values) if self.target is None else self.function(values, self.target)
        return self.weight * checked_per_example(paid, self.function)

    @property
    def of_gradients(self) -> bool:
        """It looks at the critic's slope, not at its logits."""
        return self.at != "real_logits"

    @classmethod
    def from_any(cls, penalty: Any, weight: float | None = None, target: float | None = None) -> "Penalty":
        """A penalty, one by name, of a function of gradients ``[b, h, w, c]``, or of a configuration; settings changed."""
        if isinstance(penalty, dict):
            penalty = keras.saving.deserialize_keras_object(penalty)
        if not isinstance(penalty, cls):
            penalty = cls(_name(penalty), penalty) if callable(penalty) else PENALTIES.get(penalty)
        changes = {} if weight is None else {"weight": weight}
        if target is not None:
            changes["target"] = target
            if penalty.target is None and len(inspect.signature(penalty.function).parameters) < 2:
                raise InvalidInput(
                    f"penalty_target={target}, but the penalty {penalty.name!r} has no target; leave it out."
                )
        return dataclasses.replace(penalty, **changes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the function by its registered name."""
        config = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**config, "function": saved_name(self.function, "The penalty")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Penalty":
        """The penalty of a ``get_config``."""
        return cls(**{**config, "function": saved_function(config["function"])})


def _name(function: Callable) -> str:
    return getattr(function, "__name__", "own")


def saved_penalty(penalty: Any) -> Any:
    """What stands for a ``penalty`` argument in a model's configuration: a name, the parts, or a list of these."""
    if isinstance(penalty, (list, tuple)):
        return [saved_penalty(each) for each in penalty]
    if penalty is None or isinstance(penalty, (str, dict)):
        return penalty
    return keras.saving.serialize_keras_object(Penalty.from_any(penalty))


def penalties_of(penalty: Any, weight: Any = None, target: float | None = None) -> tuple[Penalty, ...]:
    """The penalties of a model's arguments: none, one, or several with a weight each.

    ``target`` goes to those that have one; ``InvalidInput`` where none has, or where weights and penalties do not pair.
    """
    several = isinstance(penalty, (list, tuple))
    given = list(penalty) if several else [] if penalty is None else [penalty]
    weights = list(weight) if isinstance(weight, (list, tuple)) else [weight] * len(given)
    if len(weights) != len(given) or (several and weight is not None and not isinstance(weight, (list, tuple))):
        raise InvalidInput(f"penalty={penalty!r} with penalty_weight={weight!r}; give one weight for each penalty.")
    if not given and (weight is not None or target is not None):
        raise InvalidInput(
            "penalty_weight or penalty_target was given without a penalty; name one, such as 'gradient'."
        )
    plain = [Penalty.from_any(each) for each in given]
    takes = [target if len(given) == 1 or each.target is not None else None for each in plain]
    if target is not None and takes == [None] * len(plain):
        raise InvalidInput(f"penalty_target={target}, but none of the penalties has a target; leave it out.")
    return tuple(Penalty.from_any(*each) for each in zip(plain, weights, takes))


PENALTIES = Registry("penalty")
for _penalty in (
    Penalty("gradient", gradient_penalty, target=1.0),
    Penalty("one_sided_gradient", one_sided_gradient_penalty, target=1.0),
    Penalty("r1", zero_centred_gradient_penalty, at="reals"),
    Penalty("r2", zero_centred_gradient_penalty, at="fakes"),
    Penalty("drift", drift_penalty, at="real_logits", weight=1e-3),
):
    PENALTIES.register(_penalty.name, _penalty)
for _function in (gradient_penalty, one_sided_gradient_penalty, zero_centred_gradient_penalty, drift_penalty):
    keras.saving.register_keras_serializable("keras_gen")(_function)
