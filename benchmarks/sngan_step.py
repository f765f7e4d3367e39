"""A training step of SNGAN's residual pair on 32x32x3 images: keras_gen as it comes against the same networks in PyTorch.

Miyato et al. 2018 and its code, 32 maps: the generator's turn on 128 fakes, then five of the discriminator on 64 reals and
64 fakes, hinge loss, every kernel of the discriminator with spectral norm 1. PyTorch's side is written as its users write it
(mimicry): nearest upsampling, then a convolution; a convolution, then a mean; ``parametrizations.spectral_norm``, whose power
iteration runs at every call.
"""

from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from dcgan_step import BFLOAT16, CHANNELS_LAST, CONTIGUOUS, OURS, check_same_size
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

import keras_gen

BATCH, LATENT, WIDTH, TURNS = 64, 128, 32, 5


def plain(layer: nn.Module) -> nn.Module:
    """A generator's layer."""
    return layer


class Block(nn.Module):
    """Norm, ReLU, 3x3, norm, ReLU, 3x3 beside a shortcut; ``resize`` is ``"up"``, ``"down"`` or None."""

    def __init__(self, given: int, maps: int, resize: str | None, norm: Callable, wrap: Callable, first: bool = False):
        super().__init__()
        inner = given if resize == "down" and not first else maps
        self.norms = nn.ModuleList([norm(given), norm(inner)])
        self.first = wrap(nn.Conv2d(given, inner, 3, padding=1))
        self.second = wrap(nn.Conv2d(inner, maps, 3, padding=1))
        self.shortcut = wrap(nn.Conv2d(given, maps, 1)) if resize or given != maps else nn.Identity()
        self.resize, self.is_first = resize, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = x if self.is_first else functional.relu(self.norms[0](x))
        if self.resize == "up":
            inner, x = (functional.interpolate(each, scale_factor=2) for each in (inner, x))
        if self.is_first:  # of an image: a mean of three maps costs less than one of 32
            x = functional.avg_pool2d(x, 2)
        inner = self.second(functional.relu(self.norms[1](self.first(inner))))
        x = self.shortcut(x)
        if self.resize == "down":
            inner = functional.avg_pool2d(inner, 2)
            x = x if self.is_first else functional.avg_pool2d(x, 2)
        return inner + x


class Sum(nn.Module):
    """Over the last maps."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=(2, 3))


def torch_networks() -> tuple[nn.Module, nn.Module]:
    """The layers of ``networks/resnet_gan.py``."""
    ups = [Block(WIDTH, WIDTH, "up", nn.BatchNorm2d, plain) for _ in range(3)]
    generator = nn.Sequential(
        nn.Linear(LATENT, 4 * 4 * WIDTH),
        nn.Unflatten(1, (WIDTH, 4, 4)),
        *ups,
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        nn.Conv2d(WIDTH, 3, 3, padding=1),
        nn.Tanh(),
    )
    none = nn.Identity
    discriminator = nn.Sequential(
        Block(3, WIDTH, "down", none, spectral_norm, first=True),
        Block(WIDTH, WIDTH, "down", none, spectral_norm),
        Block(WIDTH, WIDTH, None, none, spectral_norm),
        Block(WIDTH, WIDTH, None, none, spectral_norm),
        nn.ReLU(),
        Sum(),
        spectral_norm(nn.Linear(WIDTH, 1, bias=False)),
    )
    return generator, discriminator


def torch_execution(images: np.ndarray, layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on five fresh batches."""
    generator, discriminator = (network.to(memory_format=layout) for network in torch_networks())
    adams = [torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.0, 0.9)) for each in (generator, discriminator)]
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        adams[0].zero_grad()
        discriminator.requires_grad_(False)
        generator_loss = -discriminator(generator(torch.randn(2 * BATCH, LATENT))).mean()
        generator_loss.backward()
        adams[0].step()
        discriminator.requires_grad_(True)
        for _ in range(TURNS):
            reals = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
            with torch.no_grad():
                fakes = generator(torch.randn(BATCH, LATENT))
            adams[1].zero_grad()
            loss = functional.relu(1 - discriminator(reals.contiguous(memory_format=layout))).mean()
            loss = loss + functional.relu(1 + discriminator(fakes)).mean()
            loss.backward()
            adams[1].step()
        return loss.detach(), generator_loss.detach()

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12)
    torch.set_num_threads(cores())
    images = np.pad(digits(), ((0, 0), (2, 2), (2, 2), (0, 0))).repeat(3, axis=-1)
    sides = {}
    for name, policy in ((OURS, "float32"), (BFLOAT16, "mixed_bfloat16")):
        model = keras_gen.GAN.named("sngan", keras_gen.ImageSpec(32, 32, 3), width=WIDTH, dtype=policy)
        assert (model.critic_steps, model.generator_batch, model.latent_dim) == (TURNS, 2, LATENT)
        sides[name] = keras_execution(model, images, BATCH)
    check_same_size(model, torch_networks())
    sides |= {
        CONTIGUOUS: torch_execution(images, torch.contiguous_format),
        CHANNELS_LAST: torch_execution(images, torch.channels_last),
    }
    times = alternate({name: turn(side, 1) for name, side in sides.items()}, options.rounds, options.warm_up)
    others, targets = [BFLOAT16, CONTIGUOUS, CHANNELS_LAST], {CONTIGUOUS: 1.15, CHANNELS_LAST: 1.15}
    report(times, ours=OURS, others=others, targets=targets, record=options.record)


if __name__ == "__main__":
    main()
