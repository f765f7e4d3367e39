"""A training step of GAN-INT-CLS at 64 px, the paper's widths, batch 16: keras_gen against the same networks in PyTorch.

One turn of the discriminator (real, wrong and fake pairs) and one of the generator (as many fakes, and half as many of mixed
captions), as in the paper's own code (github.com/reedscot/icml2016); uint8 images and rows of characters in, losses read after
every step. The frozen encoder is one matrix on both sides: what is compared is the game.
"""

import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import torch
from alternate import arguments, cores
from torch import nn
from torch_translators import check_same_size, compare_steps, initialized

import keras_gen
from keras_gen import data

SIDE, LATENT, FEATURES, PROJECTION, MAPS, GENERATOR_MAPS, BATCH, STEPS = 64, 100, 1024, 128, 64, 128, 16, 1


class Residual(nn.Module):
    """1x1, 3x3, 3x3, a quarter of the maps in between, added to what came."""

    def __init__(self, maps: int, activation: nn.Module):
        super().__init__()
        inner = maps // 4
        parts = [nn.Conv2d(maps, inner, 1, bias=False), nn.BatchNorm2d(inner), activation]
        parts += [nn.Conv2d(inner, inner, 3, 1, 1, bias=False), nn.BatchNorm2d(inner), activation]
        self.block = nn.Sequential(*parts, nn.Conv2d(inner, maps, 3, 1, 1, bias=False), nn.BatchNorm2d(maps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.block(x)


class Generator(nn.Module):
    """``networks.text_gan.text_generator``."""

    def __init__(self):
        super().__init__()
        self.text = nn.Sequential(nn.Linear(FEATURES, PROJECTION), nn.LeakyReLU(0.2, True))
        maps = GENERATOR_MAPS * 8
        layers = [
            nn.Linear(PROJECTION + LATENT, 16 * maps, bias=False),
            nn.Unflatten(1, (maps, 4, 4)),
            nn.BatchNorm2d(maps),
        ]
        for stage in range(3):
            layers += [Residual(maps, nn.ReLU(True))] if stage < 2 else []
            layers += [
                nn.ReLU(True),
                nn.ConvTranspose2d(maps, maps // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(maps // 2),
            ]
            maps //= 2
        self.images = nn.Sequential(*layers, nn.ReLU(True), nn.ConvTranspose2d(maps, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Images ``[b, 3, 64, 64]``."""
        return self.images(torch.cat([self.text(embedding), z], 1))


class Discriminator(nn.Module):
    """``networks.text_gan.text_discriminator``."""

    def __init__(self):
        super().__init__()

        def halved(taken: int, given: int, *more: nn.Module) -> list[nn.Module]:
            return [nn.Conv2d(taken, given, 4, 2, 1, bias=False), nn.BatchNorm2d(given), *more]

        leaky = functools.partial(nn.LeakyReLU, 0.2, True)
        first = [nn.Conv2d(3, MAPS, 4, 2, 1, bias=False), leaky(), *halved(MAPS, 2 * MAPS, leaky())]
        rest = [*halved(2 * MAPS, 4 * MAPS), *halved(4 * MAPS, 8 * MAPS), Residual(8 * MAPS, leaky()), leaky()]
        self.image = nn.Sequential(*first, *rest)
        self.text = nn.Sequential(nn.Linear(FEATURES, PROJECTION, bias=False), nn.BatchNorm1d(PROJECTION), leaky())
        joined = nn.Conv2d(8 * MAPS + PROJECTION, 8 * MAPS, 1, bias=False)
        self.verdict = nn.Sequential(joined, nn.BatchNorm2d(8 * MAPS), leaky(), nn.Flatten(), nn.Linear(128 * MAPS, 1))

    def forward(self, image: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Logits ``[b, 1]``."""
        text = self.text(embedding)[:, :, None, None].expand(-1, -1, 4, 4)
        return self.verdict(torch.cat([self.image(image), text], 1))


def batches_of(captioned: dict[str, np.ndarray], layout: torch.memory_format) -> Iterator[tuple]:
    """Images in [-1, 1] and the rows of four of their captions, for ever, shuffled anew each epoch."""
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(captioned["image"]))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            images = torch.from_numpy(captioned["image"][rows]).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
            captions = captioned["captions"][rows][:, random.integers(0, 5, 4)]
            yield images.contiguous(memory_format=layout), torch.from_numpy(captions).float()


def torch_execution(captioned: dict[str, np.ndarray], layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    generator, discriminator = (initialized(network(), layout) for network in (Generator, Discriminator))
    encoder = nn.Linear(captioned["captions"].shape[-1], FEATURES).requires_grad_(False)
    adam = functools.partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
    generator_adam, discriminator_adam = adam(generator.parameters()), adam(discriminator.parameters())
    loss, batches = nn.BCEWithLogitsLoss(reduction="none"), batches_of(captioned, layout)

    def verdict(image: torch.Tensor, embedding: torch.Tensor, real: float) -> torch.Tensor:
        logits = discriminator(image, embedding)
        return loss(logits, torch.full_like(logits, real))

    def step() -> tuple:
        images, captions = next(batches)
        t = encoder(captions).mean(1)
        fakes = generator(torch.randn(BATCH, LATENT), t)
        mixed = 0.5 * (t + t.roll(-1, 0))[::2]
        between = generator(torch.randn(len(mixed), LATENT), mixed)
        discriminator.requires_grad_(True)
        discriminator_adam.zero_grad()
        wrong, fake = verdict(images.roll(-1, 0), t, 0.0), verdict(fakes.detach(), t, 0.0)
        discriminator_loss = (verdict(images, t, 1.0) + 0.5 * (wrong + fake)).mean()
        discriminator_loss.backward()
        discriminator_adam.step()
        discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        generator_loss = torch.cat([verdict(fakes, t, 1.0), verdict(between, mixed, 1.0)]).mean()
        generator_loss.backward()
        generator_adam.step()
        return discriminator_loss.detach(), generator_loss.detach()

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12)
    torch.set_num_threads(cores())
    scenes = data.load(f"shapes?side={SIDE}&objects=1&count=1600")
    captioned = {name: scenes.features[name] for name in ("image", "caption", "captions")}
    length = captioned["caption"].shape[-1]
    encoder = keras.Sequential([keras.Input((length,)), keras.layers.Dense(FEATURES)])
    model = keras_gen.TextToImageGAN((SIDE, SIDE, 3), LATENT, encoder=encoder, length=length)
    model.compile()
    check_same_size(model.generator, Generator())
    check_same_size(model.discriminator, Discriminator())
    compare_steps(model, captioned, BATCH, torch_execution, STEPS, options)


if __name__ == "__main__":
    main()
