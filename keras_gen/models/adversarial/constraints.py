"""What holds a discriminator's slope, and which parts of a GAN contradict each other."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.core.registry import Registry
from keras_gen.layers.spectral_normalization import spectrally_normalized
from keras_gen.losses.adversarial import Objective
from keras_gen.losses.penalties import Penalty

log = logging.getLogger(__name__)


def clip_weights(networks: Sequence[keras.Model], bound: float) -> None:
    """Every trainable weight into ``[-bound, bound]``, gains and biases of normalizations too, as the authors' code does."""
    for network in networks:
        for variable in network.trainable_variables:
            variable.assign(ops.clip(variable, -bound, bound))


@dataclasses.dataclass(frozen=True)
class Constraint:
    """What is done to a discriminator once (``network -> network``), and after its every update (networks, bound)."""

    prepare: Callable[[keras.Model], keras.Model] = lambda network: network
    after_update: Callable[[Sequence[keras.Model], float], None] = lambda networks, bound: None


CONSTRAINTS = Registry("constraint")
CONSTRAINTS.register("none", Constraint())
CONSTRAINTS.register("clip", Constraint(after_update=clip_weights))
CONSTRAINTS.register("spectral", Constraint(prepare=spectrally_normalized))


def check_shapes(generator: Any, discriminator: Any) -> None:
    """``InvalidInput`` that names both networks where one does not take what the other gives."""
    # Of what is no functional or Sequential model Keras knows no shapes; what each must be by itself is checked apart.
    given, taken = getattr(generator, "output_shape", None), getattr(discriminator, "input_shape", None)
    taken = taken[0] if isinstance(taken, list) else taken  # the image, then its label
    if isinstance(given, tuple) and isinstance(taken, tuple) and given[1:] != taken[1:]:
        raise InvalidInput(
            f"The networks do not meet: generator {generator.name!r} gives {_sizes(given)}, discriminator "
            f"{discriminator.name!r} takes {_sizes(taken)}; give both the image's size."
        )


def check_agreement(
    objective: Objective,
    penalties: Sequence[Penalty],
    constraint: str | None,
    discriminator: keras.Model,
    generator_batch: int,
) -> None:
    """``InvalidInput`` where parts contradict each other; a warning where they work against each other."""
    slopes = [penalty.name for penalty in penalties if penalty.of_gradients]
    if constraint == "clip" and slopes:
        raise InvalidInput(
            f"constraint='clip' and penalty {slopes[0]!r} both bound the critic's slope, and clipped weights cannot reach the "
            "slope that the penalty asks for; give one of them."
        )
    if constraint == "clip" and objective.logarithmic:
        raise InvalidInput(
            f"constraint='clip' with objective {objective.name!r}: a clipped critic's logits stay near 0, where a loss of "
            "probabilities learns nothing; give objective='wasserstein', or leave the constraint out."
        )
    if objective.needs_reals and generator_batch > 1:
        raise InvalidInput(
            f"objective {objective.name!r} compares fakes with the batch's reals; leave generator_batch={generator_batch} out."
        )
    if slopes and (layer := _batch_normalization(discriminator)):
        log.warning(
            "penalty %r is of each example's own slope, but batch normalization (layer %r of discriminator %r) couples the "
            "examples of a batch; use layer normalization (keras.layers.LayerNormalization), or none.",
            *(slopes[0], layer, discriminator.name),
        )
    if not objective.bounded and not slopes and constraint is None:
        log.warning(
            "objective %r without a penalty or a constraint: the critic's loss has no lower bound; give penalty='gradient', "
            "constraint='clip' or constraint='spectral'.",
            objective.name,
        )


def _batch_normalization(network: keras.Model) -> str | None:
    layers = network._flatten_layers()
    return next((layer.name for layer in layers if isinstance(layer, keras.layers.BatchNormalization)), None)


def _sizes(shape: tuple) -> str:
    return f"[b, {', '.join(map(str, shape[1:]))}]"
