"""A training step of CycleGAN at 64 px, batch 1, 32 maps, 6 blocks: keras_gen as it comes against the same networks in PyTorch.

Both generators, then both discriminators on fakes out of pools of 50, as in the paper's own code
(github.com/junyanz/pytorch-CycleGAN-and-pix2pix) without identity loss; uint8 images in, both losses read after every step.
"""

import functools
import itertools
import random
from collections.abc import Callable

import numpy as np
import torch
from alternate import arguments, cores
from torch import nn
from torch_translators import (
    check_same_size,
    compare_steps,
    enlarged_shapes,
    initialized,
    patch_discriminator,
    torch_batches,
    translation_resnet,
)

import keras_gen

SIDE, WIDTH, BLOCKS, HALVINGS, BATCH, STEPS = 64, 32, 6, 2, 1, 3


class Pool:
    """Fifty earlier images."""

    def __init__(self) -> None:
        self.images: list[torch.Tensor] = []

    def exchange(self, batch: torch.Tensor) -> torch.Tensor:
        """What comes back for each image."""
        returned = []
        for image in batch:
            if len(self.images) < 50:
                self.images.append(image.clone())
                returned.append(image)
            elif random.random() < 0.5:
                place = random.randrange(50)
                returned.append(self.images[place])
                self.images[place] = image.clone()
            else:
                returned.append(image)
        return torch.stack(returned)


def torch_execution(pairs: dict[str, np.ndarray], layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on fresh images."""
    there, back = (initialized(translation_resnet(WIDTH, BLOCKS), layout) for _ in range(2))
    of_b, of_a = (initialized(patch_discriminator(3, WIDTH, HALVINGS), layout) for _ in range(2))
    adam = functools.partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
    generator_adam = adam(itertools.chain(there.parameters(), back.parameters()))
    discriminator_adam = adam(itertools.chain(of_b.parameters(), of_a.parameters()))
    batches, pools, l1 = torch_batches(pairs, BATCH, layout), (Pool(), Pool()), nn.functional.l1_loss

    def verdict(discriminator: nn.Module, images: torch.Tensor, real: float) -> torch.Tensor:
        logits = discriminator(images)
        return nn.functional.mse_loss(logits, torch.full_like(logits, real))

    def step() -> tuple:
        a, b = next(batches)
        fake_b, fake_a = there(a), back(b)
        for discriminator in (of_b, of_a):
            discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        cycle = l1(back(fake_b), a) + l1(there(fake_a), b)
        generator_loss = verdict(of_b, fake_b, 1.0) + verdict(of_a, fake_a, 1.0) + 10.0 * cycle
        generator_loss.backward()
        generator_adam.step()
        for discriminator in (of_b, of_a):
            discriminator.requires_grad_(True)
        discriminator_adam.zero_grad()
        shown = [pool.exchange(fake.detach()) for pool, fake in zip(pools, (fake_b, fake_a))]
        parts = ((of_b, b, shown[0]), (of_a, a, shown[1]))
        discriminator_loss = sum(0.5 * (verdict(of, real, 1.0) + verdict(of, fake, 0.0)) for of, real, fake in parts)
        discriminator_loss.backward()
        discriminator_adam.step()
        return discriminator_loss.detach(), generator_loss.detach()

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=20)
    torch.set_num_threads(cores())
    pairs = enlarged_shapes(SIDE)
    model = keras_gen.CycleGAN((SIDE, SIDE, 3), width=WIDTH, blocks=BLOCKS, patch_layers=HALVINGS)
    model.compile()
    check_same_size(model.generator, translation_resnet(WIDTH, BLOCKS))
    check_same_size(model.discriminator, patch_discriminator(3, WIDTH, HALVINGS))
    compare_steps(model, pairs, BATCH, torch_execution, STEPS, options)


if __name__ == "__main__":
    main()
