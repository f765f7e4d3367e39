"""BigGAN's pair of networks (Brock et al. 2019, appendix B; at 32 and 64 px those of the authors' PyTorch code)."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_gen.core.checks import integers, number, sizes
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.registry import Registry
from keras_gen.layers.batch_normalization import BatchNormalization
from keras_gen.layers.modulated_batch_normalization import ModulatedBatchNormalization
from keras_gen.layers.self_attention import SelfAttention
from keras_gen.layers.spectral_normalization import SpectralNormalization
from keras_gen.layers.sum_pooling import SumPooling2D
from keras_gen.losses.orthogonality import OrthogonalRegularizer
from keras_gen.networks.class_conditioning import DiscriminatorInputs, label_input
from keras_gen.networks.residual import ResidualBlocks


class Plan(NamedTuple):
    """Maps in multiples of the networks' width.

    Args:
        start: side of the generator's first maps.
        first: those.
        ups: after each of the generator's blocks, which double the sides.
        downs: after each of the discriminator's blocks that halve the sides.
        flats: and after each of those that follow, which do not.
        attention: sides of the maps that attention stands behind, unless others are given.
    """

    start: int
    first: int
    ups: tuple[int, ...]
    downs: tuple[int, ...]
    flats: tuple[int, ...]
    attention: tuple[int, ...]


# By the images' side. 32 px and more are those of the paper and its code (attention at 32 px is StudioGAN's), smaller ones ours.
PLANS = {
    8: Plan(4, 4, (4,), (4,), (), ()),
    16: Plan(4, 4, (4, 4), (4,), (4, 4), (8,)),
    28: Plan(7, 4, (4, 4), (4, 4), (4, 4), (14,)),
    32: Plan(4, 4, (4, 4, 4), (4, 4), (4, 4), (16,)),
    64: Plan(4, 16, (16, 8, 4, 2), (1, 2, 4, 8), (16,), (32,)),
    128: Plan(4, 16, (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), (16,), (64,)),
    256: Plan(4, 16, (16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16), (16,), (64,)),
}

# What makes an initializer, a new one for each layer.
INITIALIZERS = Registry("initializer")
INITIALIZERS.register("orthogonal", keras.initializers.Orthogonal)
INITIALIZERS.register("normal", functools.partial(keras.initializers.RandomNormal, stddev=0.02))


def plan_of(spec: ImageSpec) -> Plan:
    """The plan for images of this size; ``InvalidInput`` names the nearest size that has one."""
    if spec.height != spec.width or spec.height not in PLANS:
        nearest = min(PLANS, key=lambda side: abs(side - max(spec.height, spec.width)))
        raise InvalidInput(
            f"BigGAN has no networks for {spec.height}x{spec.width} images; its sides are {', '.join(map(str, PLANS))}. Resize "
            f"them to {nearest}x{nearest}, or give latent_dim=, generator= and discriminator=."
        )
    return PLANS[spec.height]


def noise_of(spec: ImageSpec, chunk: int = 20) -> int:
    """The size of ``z`` that gives the first layer and each block a chunk of it: 120 at 128 px, as in the paper."""
    return chunk * (len(plan_of(spec).ups) + 1)


def big_gan_generator(
    spec: ImageSpec,
    latent_dim: int,
    width: int,
    classes: int,
    *,
    shared_embedding: int | None = 128,
    split_noise: bool = True,
    attention: Sequence[int] | None = None,
    initializer: str = "orthogonal",
    orthogonal_weight: float = 0.0,
) -> keras.Model:
    """Noise ``[b, latent_dim]`` and labels ``[b]`` to images ``[b, h, w, c]`` in ``[-1, 1]``.

    Every kernel has spectral norm 1, but for the embeddings, which that cripples (so the authors' code says).

    Args:
        spec: the images, of a size in ``PLANS``.
        latent_dim: size of ``z``.
        width: what ``PLANS`` multiplies: 96 in the paper.
        classes: how many.
        shared_embedding: size of the one vector a class that all batch normalizations make gains and biases of; None: each
            has an embedding of its own.
        split_noise: ``z`` is cut into equal chunks, one for the first layer and one beside the class' vector in each block.
        attention: sides of maps behind which it stands; None for those of the plan.
        initializer: ``"orthogonal"`` or ``"normal"``, of standard deviation 0.02.
        orthogonal_weight: of ``losses.orthogonality`` on every kernel and embedding but the shared one.
    """
    latent_dim, width, classes = sizes(latent_dim=latent_dim, width=width, classes=classes)
    plan = plan_of(spec)
    attended = _sides("generator", attention, plan.attention, [plan.start << n for n in range(1, len(plan.ups) + 1)])
    chunks = _checked_chunks(latent_dim, len(plan.ups) + 1, split_noise, shared_embedding)
    make, normalized = _makers(initializer, orthogonal_weight)
    z, label = keras.Input((latent_dim,), name="z"), label_input()
    parts = ops.split(z, chunks, axis=1) if split_noise else [z] * (len(plan.ups) + 1)
    shared = shared_embedding and layers.Embedding(classes, shared_embedding, embeddings_initializer=make())(label)

    def modulated(part: Any) -> Callable[[Any], Any]:
        """Batch normalization by the class and the block's chunk of noise."""
        if shared_embedding is None:
            vector = label
        else:
            vector = layers.Concatenate()([shared, part]) if split_noise else shared

        def affine(maps: int) -> Any:
            if shared_embedding is not None:
                return normalized(layers.Dense(maps, use_bias=False, kernel_initializer=make()))(vector)
            regularizer = _regularizer(orthogonal_weight, axis=0)
            own = layers.Embedding(classes, maps, embeddings_initializer=make(), embeddings_regularizer=regularizer)
            return own(vector)

        return lambda x: ModulatedBatchNormalization()([x, affine(x.shape[-1]), affine(x.shape[-1])])

    x = normalized(layers.Dense(plan.start**2 * plan.first * width, kernel_initializer=make()))(parts[0])
    x = layers.Reshape((plan.start, plan.start, plan.first * width))(x)
    for maps, part in zip(plan.ups, parts[1:] if split_noise else parts):
        x = ResidualBlocks(modulated(part), make, make, normalized).up(x, maps * width)
        if x.shape[1] in attended:
            x = SelfAttention(make(), _regularizer(orthogonal_weight))(x)
    x = layers.ReLU()(BatchNormalization()(x))
    x = normalized(layers.Conv2D(spec.channels, 3, padding="same", kernel_initializer=make()))(x)
    # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
    return keras.Model([z, label], layers.Activation("tanh", dtype="float32")(x), name="generator")


def big_gan_discriminator(
    spec: ImageSpec,
    width: int,
    classes: int,
    *,
    attention: Sequence[int] | None = None,
    initializer: str = "orthogonal",
) -> keras.Model:
    """Images ``[b, h, w, c]`` in ``[-1, 1]`` and labels ``[b]`` to logits ``[b, 1]``, by a projection (Miyato and Koyama 2018).

    Every kernel has spectral norm 1, the embedding's too. Arguments are as for the generator.
    """
    width, classes = sizes(width=width, classes=classes)
    plan = plan_of(spec)
    attended = _sides(
        "discriminator", attention, plan.attention, [spec.height >> n + 1 for n in range(len(plan.downs))]
    )
    make, normalized = _makers(initializer, 0.0)
    given = DiscriminatorInputs(spec.shape, classes, "projection")
    blocks = ResidualBlocks(kernel=make, shortcut=make, wrap=normalized, wide=True)
    x = given.image
    for block, maps in enumerate(plan.downs):
        x = (blocks.down if block else blocks.first)(x, maps * width)
        if x.shape[1] in attended:
            x = SelfAttention(make())(x)
    for maps in plan.flats:
        x = blocks.flat(x, maps * width)
    return given.network(SumPooling2D()(layers.ReLU()(x)), make, wrap=normalized)


def _makers(initializer: str, orthogonal_weight: float) -> tuple[Callable, Callable]:
    """What makes an initializer, and what becomes of a layer: regularized, of spectral norm 1."""
    made = INITIALIZERS.get(initializer)

    def normalized(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.Embedding):
            layer.embeddings_regularizer = _regularizer(orthogonal_weight, axis=0)
        else:
            layer.kernel_regularizer = _regularizer(orthogonal_weight)
        return SpectralNormalization(layer)

    return made, normalized


def _regularizer(weight: float, axis: int = -1) -> OrthogonalRegularizer | None:
    weight = number("orthogonal_weight", weight, 0.0)
    return OrthogonalRegularizer(weight, axis) if weight else None


def _checked_chunks(latent_dim: int, chunks: int, split_noise: bool, shared_embedding: int | None) -> int:
    """How many; ``InvalidInput`` where ``z`` cannot be cut so, or where its chunks would enter nowhere."""
    if shared_embedding is not None:
        sizes(shared_embedding=shared_embedding)
    if not split_noise:
        return chunks
    if shared_embedding is None:
        raise InvalidInput(
            "split_noise=True with shared_embedding=None: chunks of z enter beside the shared vector; give shared_embedding=128, "
            "or split_noise=False."
        )
    if latent_dim % chunks:
        fits = max(1, round(latent_dim / chunks)) * chunks
        raise InvalidInput(
            f"latent_dim={latent_dim} does not split into {chunks} chunks, one for the first layer and one a block; give "
            f"latent_dim={fits}, or split_noise=False."
        )
    return chunks


def _sides(network: str, given: Sequence[int] | None, planned: Sequence[int], there: Sequence[int]) -> tuple[int, ...]:
    """The sides that attention stands behind; ``InvalidInput`` if no block ends there."""
    if given is None:
        return tuple(planned)
    found = integers("attention", given, 1)
    if wrong := [side for side in found if side not in there]:
        raise InvalidInput(
            f"attention={list(found)}: no block of the {network} gives maps of {wrong[0]}x{wrong[0]}; give it some of the sides "
            f"{', '.join(map(str, sorted(there)))}, or ()."
        )
    return found
