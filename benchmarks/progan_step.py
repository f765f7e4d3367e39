"""A step of ProGAN's last phase on 32x32x3 images, 64 maps, batch 16: keras_gen as it comes against PyTorch; compiling a phase.

Karras et al. 2018, appendix A: both sides move at once, Wasserstein loss, gradient penalty towards 750, drift, the batch's
deviation, equalized learning rates, an average of the generator. PyTorch's side is written as its users write it (nearest
upsampling, then a convolution; one tape for the penalty), with the same layers, fakes made once a step and shared by both sides.

Growing costs one compiled step a phase; how many seconds in all is printed beside the ratio.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from dcgan_step import BFLOAT16, CHANNELS_LAST, CONTIGUOUS, OURS, check_same_size
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn
from torch.nn import functional

import keras_gen

BATCH, LATENT, WIDTH, STAGES, TARGET = 16, 128, 64, 3, 750.0
STEPS = 4


class Equalized(nn.Module):
    """A convolution whose kernel is multiplied by ``gain / sqrt(fan_in)`` at every use."""

    def __init__(self, given: int, maps: int, size: int, gain: float = math.sqrt(2.0), padding: int | None = None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(maps, given, size, size))
        self.bias = nn.Parameter(torch.zeros(maps))
        self.scale, self.padding = gain / math.sqrt(given * size * size), size // 2 if padding is None else padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


def normalized(x: torch.Tensor) -> torch.Tensor:
    """Pixel normalization."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class Generator(nn.Module):
    """At full size; the images of smaller ones have weights that stand still."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(LATENT, 16 * WIDTH))
        self.bias = nn.Parameter(torch.zeros(WIDTH))
        self.convolutions = nn.ModuleList([Equalized(WIDTH, WIDTH, 3) for _ in range(2 * STAGES + 1)])
        self.images = nn.ModuleList([Equalized(WIDTH, 3, 1, gain=1.0) for _ in range(STAGES + 1)])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = normalized(z) @ (self.weight * (math.sqrt(2.0 / LATENT) / 4))
        x = x.view(-1, WIDTH, 4, 4) + self.bias[:, None, None]
        x = normalized(functional.leaky_relu(x, 0.2))
        for place, convolution in enumerate(self.convolutions):
            if place % 2:
                x = functional.interpolate(x, scale_factor=2)
            x = normalized(functional.leaky_relu(convolution(x), 0.2))
        return self.images[-1](x)


class Discriminator(nn.Module):
    """At full size."""

    def __init__(self):
        super().__init__()
        self.images = nn.ModuleList([Equalized(3, WIDTH, 1) for _ in range(STAGES + 1)])
        self.convolutions = nn.ModuleList([Equalized(WIDTH, WIDTH, 3) for _ in range(2 * STAGES)])
        self.last, self.whole = Equalized(WIDTH + 1, WIDTH, 3), Equalized(WIDTH, WIDTH, 4, padding=0)
        self.verdict = Equalized(WIDTH, 1, 1, gain=1.0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = functional.leaky_relu(self.images[-1](images), 0.2)
        for place, convolution in enumerate(self.convolutions):
            x = functional.leaky_relu(convolution(x), 0.2)
            if place % 2:
                x = functional.avg_pool2d(x, 2)
        deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
        x = torch.cat([x, deviation.expand(x.shape[0], 1, 4, 4)], 1)
        x = functional.leaky_relu(self.whole(functional.leaky_relu(self.last(x), 0.2)), 0.2)
        return self.verdict(x).flatten(1)


def torch_execution(images: np.ndarray, layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    generator, discriminator = (network.to(memory_format=layout) for network in (Generator(), Discriminator()))
    average = [each.detach().clone() for each in generator.parameters()]
    # Both sides' gradients are wanted before either moves, and kept apart: each loss asks for its own side's.
    sides = [list(generator.parameters()), list(discriminator.parameters())]
    adams = [torch.optim.Adam(each, lr=1e-3, betas=(0.0, 0.99), eps=1e-8) for each in sides]
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        reals = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
        reals = reals.contiguous(memory_format=layout)
        fakes = generator(torch.randn(BATCH, LATENT))
        shown = fakes.detach()
        points = (reals + torch.rand(BATCH, 1, 1, 1) * (shown - reals)).requires_grad_(True)
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) / TARGET - 1).square().mean()
        verdicts = discriminator(reals)
        loss = discriminator(shown).mean() - verdicts.mean() + 10 * penalty + 1e-3 * verdicts.square().mean()
        of_discriminator = torch.autograd.grad(loss, sides[1], allow_unused=True)
        generator_loss = -discriminator(fakes).mean()
        of_generator = torch.autograd.grad(generator_loss, sides[0], allow_unused=True)
        for adam, weights, gradients in zip(adams, sides, (of_generator, of_discriminator)):
            for weight, gradient in zip(weights, gradients):
                weight.grad = gradient
            adam.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, sides[0], 1e-3)
        return loss.detach(), generator_loss.detach()

    return step


def seconds_of_compiling(images: np.ndarray) -> float:
    """What the first step of each phase takes more than the second, all phases together."""
    phases = 2 * STAGES + 1
    model = keras_gen.ProgressiveGAN(
        (32, 32, 3), LATENT, width=WIDTH, schedule={"steady": 2 * BATCH, "fade": 2 * BATCH}
    )
    model.compile()
    execution, lost = keras_execution(model, images, BATCH), 0.0
    for _ in range(phases):
        first, second = (_seconds(execution) for _ in range(2))
        lost += first - second
    return lost


def _seconds(execution: Callable[[], tuple]) -> float:
    start = time.perf_counter()
    for value in execution():
        float(value)
    return time.perf_counter() - start


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12)
    torch.set_num_threads(cores())
    images = np.pad(digits(), ((0, 0), (2, 2), (2, 2), (0, 0))).repeat(3, axis=-1)
    sides = {}
    for name, policy in ((OURS, "float32"), (BFLOAT16, "mixed_bfloat16")):
        # Without growth it is in its last phase from the start.
        model = keras_gen.ProgressiveGAN((32, 32, 3), LATENT, width=WIDTH, schedule={"start": 32}, dtype=policy)
        model.compile()
        sides[name] = keras_execution(model, images, BATCH)
    check_same_size(model, (Generator(), Discriminator()))
    sides |= {
        CONTIGUOUS: torch_execution(images, torch.contiguous_format),
        CHANNELS_LAST: torch_execution(images, torch.channels_last),
    }
    times = alternate({name: turn(side, STEPS) for name, side in sides.items()}, options.rounds, options.warm_up)
    others, targets = [BFLOAT16, CONTIGUOUS, CHANNELS_LAST], {CONTIGUOUS: 1.15, CHANNELS_LAST: 1.15}
    report(times, steps=STEPS, ours=OURS, others=others, targets=targets, record=options.record)
    print(f"compiling all {2 * STAGES + 1} phases: {seconds_of_compiling(images):.0f} s")


if __name__ == "__main__":
    main()
