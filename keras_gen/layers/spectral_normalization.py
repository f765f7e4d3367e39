"""Layers whose kernel has spectral norm 1 (Miyato et al. 2018), and networks made of them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gen.core.errors import InvalidInput

_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_KERNELS = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, *_TRANSPOSED, layers.Embedding)


@keras.saving.register_keras_serializable("keras_gen")
class SpectralNormalization(layers.Wrapper):
    """Miyato et al. 2018, algorithm 1: the wrapped layer computed with ``kernel / sigma(kernel)``.

    The raw kernel is kept, trained and saved; the gradient goes through sigma, with the singular vector ``u`` held constant.
    A call changes nothing, so that a critic that is called on reals, on fakes and for the generator is one function: ``u``
    moves by one power iteration where ``advance`` is called, which ``AdversarialModel`` does once a turn. ``u`` is saved.
    ``keras.layers.SpectralNormalization`` overwrites its kernel at every call instead.

    Args:
        layer: a ``Dense``, ``Conv1D`` to ``Conv3D``, one of their transposes, or an ``Embedding``.
    """

    def __init__(self, layer: layers.Layer, **kwargs: Any):
        if not isinstance(layer, _KERNELS) or getattr(layer, "groups", 1) != 1:
            raise InvalidInput(
                f"SpectralNormalization got {layer!r}; wanted one of {', '.join(kind.__name__ for kind in _KERNELS)} "
                "(of one group)."
            )
        kwargs.setdefault("name", layer.name)
        kwargs.setdefault("dtype", layer.dtype_policy)
        # No autocast of its own: sigma is of the kernel as it is stored, whatever the layer computes in.
        super().__init__(layer, autocast=False, **kwargs)
        self.supports_masking = layer.supports_masking

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "SpectralNormalization":
        """The layer of a ``get_config``, which stays whole: Keras' wrapper takes its layer out of it."""
        return super().from_config(dict(config), custom_objects)

    def build(self, input_shape: Any) -> None:
        """Builds the layer and draws ``u`` from N(0, 1), normalized."""
        super().build(input_shape)
        # The seed is fixed: replicas must start from one vector, and what it is matters for a few turns alone.
        self.u = self.add_weight(
            shape=(self._matrix(self.kernel).shape[1],),
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=0),
            trainable=False,
            autocast=False,
            dtype="float32",
            aggregation="only_first_replica",
            name="u",
        )
        self.built = True

    @property
    def kernel(self) -> keras.Variable:
        """The raw kernel."""
        names = ("_kernel", "kernel", "_embeddings", "embeddings")
        return next(v for v in (getattr(self.layer, name, None) for name in names) if isinstance(v, keras.Variable))

    def sigma(self) -> Any:
        """The kernel's spectral norm as ``u`` sees it, a scalar: ``|W u| / |u|``, at most the largest singular value."""
        return _norm(ops.matmul(self._raw_matrix(), ops.stop_gradient(_unit(self.u.value))))

    def advance(self) -> None:
        """One power iteration: ``u`` towards the kernel's first right singular vector."""
        matrix = ops.stop_gradient(self._raw_matrix())
        self.u.assign(_unit(ops.matmul(ops.transpose(matrix), _unit(ops.matmul(matrix, self.u.value)))))

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        """What the layer makes of the inputs with its normalized kernel."""
        normalized = ops.cast(ops.cast(self.kernel, "float32") / self.sigma(), self.kernel.dtype)
        with keras.StatelessScope(state_mapping=[(self.kernel, normalized)]):
            return self.layer(inputs, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the layer."""
        return self.layer.compute_output_shape(input_shape)

    def _raw_matrix(self) -> Any:
        return self._matrix(ops.cast(self.kernel, "float32"))

    def _matrix(self, kernel: Any) -> Any:
        """``[all else, outputs]``; transposed convolutions keep their outputs last but one."""
        if isinstance(self.layer, _TRANSPOSED):
            rank = len(kernel.shape)
            kernel = ops.transpose(kernel, (*range(rank - 2), rank - 1, rank - 2))
        return ops.reshape(kernel, (-1, kernel.shape[-1]))


def _norm(vector: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(vector)) + 1e-24)


def _unit(vector: Any) -> Any:
    return vector / _norm(vector)


def spectrally_normalized(network: keras.Model) -> keras.Model:
    """A network of the same weights with every kernel normalized; the network itself where each is already.

    ``InvalidInput`` names a layer whose matrices no one knows how to normalize: wrap it, or leave it to its author.
    """
    found = [layer for layer in network._flatten_layers(recursive=False, include_self=False)]
    for layer in found:
        known = isinstance(layer, (*_KERNELS, SpectralNormalization)) or isinstance(layer, keras.Model)
        if not known and any(len(variable.shape) > 1 for variable in layer.trainable_variables):
            raise InvalidInput(
                f"Layer {layer.name!r} ({type(layer).__name__}) has matrices that spectral normalization does not know; "
                "build the network of Dense, convolutions and Embedding, or normalize it yourself and leave constraint out."
            )
    if not _has_raw_kernels(network):
        return network
    normalized = keras.models.clone_model(network, clone_function=_wrapped)
    for layer, clone in zip(found, normalized._flatten_layers(recursive=False, include_self=False), strict=True):
        _copy_weights(layer, clone)
    return normalized


def _has_raw_kernels(network: keras.Model) -> bool:
    for layer in network._flatten_layers(recursive=False, include_self=False):
        if isinstance(layer, _KERNELS) or (isinstance(layer, keras.Model) and _has_raw_kernels(layer)):
            return True
    return False


def _wrapped(layer: layers.Layer) -> layers.Layer:
    if isinstance(layer, keras.Model):
        return spectrally_normalized(layer)
    clone = layer.__class__.from_config(layer.get_config())
    return SpectralNormalization(clone) if isinstance(layer, _KERNELS) else clone


def _copy_weights(layer: layers.Layer, clone: layers.Layer) -> None:
    if isinstance(layer, keras.Model):
        return  # made with its weights
    inner = clone.layer if isinstance(clone, SpectralNormalization) and isinstance(layer, _KERNELS) else clone
    inner.set_weights(layer.get_weights())


def advance_buffers(networks: Sequence[keras.Model]) -> None:
    """Calls ``advance`` of every layer that has one: buffers that move once a turn, however often a network is called."""
    for network in networks:
        for layer in network._flatten_layers():
            if callable(getattr(layer, "advance", None)):
                layer.advance()
