"""A training step of DCGAN on 28x28 images, batch 64: keras_gen as it comes against the same networks in PyTorch.

One discriminator and one generator turn a step, the fakes of the first serving the second, as in PyTorch's own example
(github.com/pytorch/examples, dcgan/main.py); uint8 images in, both losses read after every step.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn

import keras_gen

BATCH, LATENT, WIDTH, STEPS = 64, 100, 64, 16
OURS, BFLOAT16, CONTIGUOUS, CHANNELS_LAST = "keras_gen", "keras_gen mixed_bfloat16", "torch", "torch channels_last"
TUNED = "torch channels_last, fused Adam, frozen critic"


def torch_networks(normalized: bool = True) -> tuple[nn.Module, nn.Module]:
    """The layers of ``networks/dcgan.py``, in place where PyTorch's example works in place.

    ``normalized``: batch normalization in the discriminator.
    """
    convolution = functools.partial(nn.Conv2d, kernel_size=4, stride=2, padding=1)
    transposed = functools.partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)
    generator = nn.Sequential(
        nn.Linear(LATENT, 7 * 7 * 2 * WIDTH, bias=False),
        nn.Unflatten(1, (2 * WIDTH, 7, 7)),
        nn.BatchNorm2d(2 * WIDTH),
        nn.ReLU(inplace=True),
        transposed(2 * WIDTH, WIDTH, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        transposed(WIDTH, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        convolution(1, WIDTH, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        convolution(WIDTH, 2 * WIDTH, bias=False),
        *([nn.BatchNorm2d(2 * WIDTH)] if normalized else []),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Flatten(),
        nn.Linear(7 * 7 * 2 * WIDTH, 1),
    )
    for layer in (*generator, *discriminator):
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    return generator, discriminator


def torch_execution(images: np.ndarray, layout: torch.memory_format, tuned: bool = False) -> Callable[[], tuple]:
    """One eager step on a fresh batch; ``tuned``, beyond the example: fused Adam, no critic gradients nobody uses."""
    generator, discriminator = (network.to(memory_format=layout) for network in torch_networks())
    adam = functools.partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999), fused=tuned or None)
    generator_adam, discriminator_adam = adam(generator.parameters()), adam(discriminator.parameters())
    loss = nn.BCEWithLogitsLoss()
    real, fake = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        reals = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
        fakes = generator(torch.randn(BATCH, LATENT))
        discriminator_adam.zero_grad()
        discriminator_loss = loss(discriminator(reals.contiguous(memory_format=layout)), real)
        discriminator_loss = discriminator_loss + loss(discriminator(fakes.detach()), fake)
        discriminator_loss.backward()
        discriminator_adam.step()
        generator_adam.zero_grad()
        if tuned:
            discriminator.requires_grad_(False)
        generator_loss = loss(discriminator(fakes), real)
        generator_loss.backward()
        generator_adam.step()
        discriminator.requires_grad_(True)
        return discriminator_loss.detach(), generator_loss.detach()

    return step


def check_same_size(model: keras_gen.GAN, torch_pair: tuple[nn.Module, nn.Module]) -> None:
    """Both libraries' networks have equally many trainable parameters, or there is nothing to compare."""
    for ours, theirs in zip((model.generator, model.discriminator), torch_pair):
        count = sum(int(np.prod(weight.shape)) for weight in ours.trainable_variables)
        torch_count = sum(weight.numel() for weight in theirs.parameters())
        assert count == torch_count, f"{ours.name} has {count} parameters in keras_gen, {torch_count} in PyTorch"
        print(f"{ours.name}: {count} parameters on both sides")


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=30)
    torch.set_num_threads(cores())
    images = digits()
    sides = {}
    for name, policy in ((OURS, "float32"), (BFLOAT16, "mixed_bfloat16")):
        model = keras_gen.GAN(keras_gen.ImageSpec(28, 28, 1), latent_dim=LATENT, width=WIDTH, dtype=policy)
        model.compile()
        sides[name] = keras_execution(model, images, BATCH)
    check_same_size(model, torch_networks())
    sides |= {
        CONTIGUOUS: torch_execution(images, torch.contiguous_format),
        CHANNELS_LAST: torch_execution(images, torch.channels_last),
        TUNED: torch_execution(images, torch.channels_last, tuned=True),
    }
    times = alternate({name: turn(side, STEPS) for name, side in sides.items()}, options.rounds, options.warm_up)
    others, targets = [BFLOAT16, CONTIGUOUS, CHANNELS_LAST, TUNED], {CONTIGUOUS: 1.3, CHANNELS_LAST: 1.3}
    report(times, steps=STEPS, ours=OURS, others=others, targets=targets, record=options.record)


if __name__ == "__main__":
    main()
