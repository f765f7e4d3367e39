"""Exponential moving average of a network's weights, kept as a second network."""

from typing import Any

import keras


def copy_of(network: keras.Model) -> keras.Model:
    """A network of the same configuration and weights that is never trained by gradients."""
    copy = network.__class__.from_config(network.get_config())
    if len(copy.weights) != len(network.weights):  # a subclassed network makes its weights when it is built
        copy.build_from_config(network.get_build_config())
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def update_average(average: keras.Model, network: keras.Model, decay: Any, buffers: bool = False) -> None:
    """Moves ``average`` by ``1 - decay`` towards ``network``; buffers (moving statistics, seeds) are copied.

    Weights lag together, as in Karras et al. 2018, section 4.1; averaging batch statistics a second time would make them
    those of no network. BigGAN's code does average them: ``buffers``, those that are no counters.
    """
    learnt = {id(variable) for layer in network._flatten_layers() for variable in layer._trainable_variables}
    for kept, now in zip(average.variables, network.variables):
        moves = id(now) in learnt or (buffers and now.dtype.startswith("float"))
        # So written, of equal weights it is exactly themselves, and without decay exactly the network's.
        kept.assign(now + (kept - now) * decay if moves else now)
