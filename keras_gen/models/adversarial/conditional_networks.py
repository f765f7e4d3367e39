"""What a class-conditional pair of networks takes and gives, of the user's own networks too."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec

ANY = None  # a shape that may be any


def checked_conditional_generator(network: Any, spec: ImageSpec, latent_dim: int) -> keras.Model:
    """The network, or ``InvalidInput`` unless it maps ``z`` ``[b, latent_dim]`` and ``label`` ``[b]`` to images."""
    return checked_ports(network, "generator", {"z": (latent_dim,), "label": ()}, {"images": spec.shape})


def checked_conditional_discriminator(network: Any, spec: ImageSpec, classes: int, conditioning: str) -> keras.Model:
    """The network, or ``InvalidInput`` unless it maps images, and labels where it does not classify them, to its verdicts."""
    if conditioning == "auxiliary":
        return checked_ports(
            network, "discriminator", {"image": spec.shape}, {"logits": ANY, "logits of the classes": (classes,)}
        )
    return checked_ports(network, "discriminator", {"image": spec.shape, "label": ()}, {"logits": ANY})


def checked_ports(network: Any, what: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> keras.Model:
    """The network, or ``InvalidInput`` unless it is functional and its inputs and outputs have these shapes, in this order."""
    wanted = " and ".join(f"{name} {_size(shape)}" for name, shape in inputs.items())
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise InvalidInput(
            f"{what}={network!r} is not a functional Keras model; with classes it is keras.Model(inputs, outputs) of {wanted}."
        )
    for side, tensors, ports in (("takes", network.inputs, inputs), ("gives", network.outputs, outputs)):
        found: Sequence[tuple] = [tuple(tensor.shape)[1:] for tensor in tensors]
        if len(found) != len(ports) or any(s is not ANY and s != f for s, f in zip(ports.values(), found)):
            wish = " and ".join(f"{name} {_size(shape)}" for name, shape in ports.items())
            raise InvalidInput(f"{what} {side} {' and '.join(map(_size, found))}; wanted {wish}, in this order.")
    for name, tensor in zip(inputs, network.inputs):
        if name == "label" and not tensor.dtype.startswith("int"):
            raise InvalidInput(
                f"{what} takes labels as {tensor.dtype}; wanted integers: keras.Input((), dtype='int32', name='label')."
            )
    return network


def _size(shape: Any) -> str:
    return "[b, ...]" if shape is ANY else f"[{', '.join(['b', *map(str, shape)])}]"
