"""A training step of pix2pix at 128 px, batch 1, the paper's 64 maps: keras_gen as it comes against the same networks in PyTorch.

One turn of the 70x70 PatchGAN and one of the U-Net on the same fake, as in the paper's own code
(github.com/junyanz/pytorch-CycleGAN-and-pix2pix); uint8 pairs in, both losses read after every step.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
from alternate import arguments, cores
from torch import nn
from torch_translators import (
    UNet,
    check_same_size,
    compare_steps,
    enlarged_shapes,
    initialized,
    patch_discriminator,
    torch_batches,
)

import keras_gen

SIDE, DOWNS, WIDTH, HALVINGS, BATCH, STEPS = 128, 7, 64, 3, 1, 2


def torch_execution(pairs: dict[str, np.ndarray], layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on a fresh pair."""
    generator, discriminator = UNet(DOWNS, WIDTH), patch_discriminator(6, WIDTH, HALVINGS)
    generator, discriminator = (initialized(network, layout) for network in (generator, discriminator))
    adam = functools.partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
    generator_adam, discriminator_adam = adam(generator.parameters()), adam(discriminator.parameters())
    loss, batches = nn.BCEWithLogitsLoss(), torch_batches(pairs, BATCH, layout)

    def verdict(source: torch.Tensor, image: torch.Tensor, real: float) -> torch.Tensor:
        logits = discriminator(torch.cat([source, image], 1))
        return loss(logits, torch.full_like(logits, real))

    def step() -> tuple:
        source, image = next(batches)
        fake = generator(source)
        discriminator.requires_grad_(True)
        discriminator_adam.zero_grad()
        discriminator_loss = 0.5 * (verdict(source, fake.detach(), 0.0) + verdict(source, image, 1.0))
        discriminator_loss.backward()
        discriminator_adam.step()
        discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        generator_loss = verdict(source, fake, 1.0) + 100.0 * nn.functional.l1_loss(fake, image)
        generator_loss.backward()
        generator_adam.step()
        return discriminator_loss.detach(), generator_loss.detach()

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12)
    torch.set_num_threads(cores())
    pairs = enlarged_shapes(SIDE)
    model = keras_gen.Pix2Pix((SIDE, SIDE, 3), width=WIDTH, patch_layers=HALVINGS)
    model.compile()
    check_same_size(model.generator, UNet(DOWNS, WIDTH))
    check_same_size(model.discriminator, patch_discriminator(6, WIDTH, HALVINGS))
    compare_steps(model, pairs, BATCH, torch_execution, STEPS, options)


if __name__ == "__main__":
    main()
