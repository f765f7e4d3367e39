"""What images and sentences are trained to by Reed et al. 2016: pure functions, per example, unreduced."""

from typing import Any

from keras import ops

from keras_gen.losses.adversarial import per_example

HALF = 0.5


def joint_embedding_loss(
    images: Any, texts: Any, all_images: Any, all_texts: Any, same: Any, margin: float = 1.0
) -> Any:
    """Reed et al. 2016a, equations 2 to 4, as the authors' code has it: the structured joint embedding, both ways.

    With scores ``s_ij``, the products of image i and text j: ``1/B sum_j [max(0, m + s_ij - s_ii) + max(0, m + s_ji - s_ii)]``
    over the j that are of another kind than i.

    Args:
        images, texts: embeddings of the pairs that pay, ``[b, d]``.
        all_images, all_texts: of all pairs, ``[B, d]``.
        same: which of all are of one kind with a pair (itself too), booleans ``[b, B]``.

    Returns ``[b]``.
    """
    own = ops.sum(images * texts, axis=-1, keepdims=True)  # s_ii
    to_texts, to_images = (
        ops.relu(margin + ops.matmul(one, ops.transpose(others)) - own)
        for one, others in ((images, all_texts), (texts, all_images))
    )
    return ops.mean(ops.where(same, 0.0, to_texts + to_images), axis=1)


def matching_discriminator_loss(real: Any, fake: Any, wrong: Any = None, found: Any = 1.0) -> Any:
    """Reed et al. 2016b, algorithm 1: real images with their captions against fakes, and real images with captions of others.

    ``-log D(x, t) - (log(1 - D(x', t)) + log(1 - D(G(z, t), t))) / 2`` of logits ``[b, ...]``; without ``wrong`` (the plain GAN)
    the fakes count whole. ``found`` ``[b]``: 0 where there was no other image to be wrong. Returns ``[b]`` nats.
    """
    real, fake = per_example(ops.softplus(-real)), per_example(ops.softplus(fake))
    return real + fake if wrong is None else real + HALF * (found * per_example(ops.softplus(wrong)) + fake)


def mixed_generator_loss(plain: Any, mixed: Any, weight: float = 1.0) -> Any:
    """Reed et al. 2016b, equation 5: what the generator pays for fakes of its captions and of mixed ones.

    ``plain`` is ``[b]``, ``mixed`` ``[(b + 1) // 2]``. Mixed caption k stands in row 2 k, so that the mean over the rows is
    ``(sum plain + weight sum mixed) / (b + (b + 1) // 2)``.
    Returns ``[b]``.
    """
    size, half = ops.shape(plain)[0], ops.shape(mixed)[0]
    spread = ops.reshape(ops.stack([mixed, ops.zeros_like(mixed)], axis=1), (-1,))[:size]
    return (plain + weight * spread) * (ops.cast(size, "float32") / ops.cast(size + half, "float32"))
