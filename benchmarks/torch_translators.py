"""The networks of ``unet.py``, ``patch_discriminator.py`` and ``translation_resnet.py`` in PyTorch, and what both sides are fed.

Laid out as in the papers' own PyTorch code (github.com/junyanz/pytorch-CycleGAN-and-pix2pix), in place where it works in place.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import torch
from alternate import alternate, report
from feeding import keras_execution, turn
from torch import nn

from keras_gen import data


def enlarged_shapes(side: int) -> dict[str, np.ndarray]:
    """Drawn shapes and their outlines, uint8 ``[1600, side, side, 3]`` each: training on noise soon degenerates."""
    shapes = data.load("drawn_shapes")
    factor = side // shapes.image_spec.height
    images, sources = (shapes.features[name] for name in ("image", "source"))
    large = {"image": images, "source": sources.repeat(3, axis=-1)}
    return {name: values.repeat(factor, axis=1).repeat(factor, axis=2) for name, values in large.items()}


def torch_batches(pairs: dict[str, np.ndarray], batch: int, layout: torch.memory_format) -> Iterator[tuple]:
    """``(source, image)`` in [-1, 1], for ever, shuffled anew each epoch."""
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(pairs["image"]))
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            both = (torch.from_numpy(pairs[name][rows]).permute(0, 3, 1, 2) for name in ("source", "image"))
            yield tuple(each.float().mul_(2 / 255).sub_(1).contiguous(memory_format=layout) for each in both)


def initialized(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """Kernels from N(0, 0.02)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    return network.to(memory_format=layout)


def _norm(maps: int) -> nn.Module:
    return nn.InstanceNorm2d(maps, affine=True)


class UNet(nn.Module):
    """``downs`` halvings, skips, three dropouts of 0.5."""

    def __init__(self, downs: int, width: int, channels: int = 3):
        super().__init__()
        maps = [channels, *(width * min(1 << level, 8) for level in range(downs))]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in range(1, downs + 1):
            parts = [nn.LeakyReLU(0.2)] if level > 1 else []
            parts.append(nn.Conv2d(maps[level - 1], maps[level], 4, 2, 1, bias=False))
            self.down.append(nn.Sequential(*parts, *([_norm(maps[level])] if 1 < level < downs else [])))
        for place in range(1, downs):
            taken = maps[downs - place + 1] * (1 if place == 1 else 2)
            parts = [nn.ReLU(), nn.ConvTranspose2d(taken, maps[downs - place], 4, 2, 1, bias=False)]
            dropout = [nn.Dropout(0.5)] if place <= 3 else []
            self.up.append(nn.Sequential(*parts, _norm(maps[downs - place]), *dropout))
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, channels, 4, 2, 1), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[b, c, h, w]`` to the same shape."""
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
        for layer, skip in zip(self.up, kept[-2::-1]):
            x = torch.cat([layer(x), skip], 1)
        return self.last(x)


def patch_discriminator(channels: int, width: int, halvings: int) -> nn.Module:
    """PatchGAN."""
    layers, maps = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)], width
    for level in range(1, halvings + 1):
        more = width * min(1 << level, 8)
        convolution = nn.Conv2d(maps, more, 4, 2 if level < halvings else 1, 1, bias=False)
        layers += [convolution, _norm(more), nn.LeakyReLU(0.2, True)]
        maps = more
    return nn.Sequential(*layers, nn.Conv2d(maps, 1, 4, 1, 1))


class Residual(nn.Module):
    """Two convolutions, added to what came."""

    def __init__(self, maps: int):
        super().__init__()
        parts = [nn.ReflectionPad2d(1), nn.Conv2d(maps, maps, 3, bias=False), _norm(maps), nn.ReLU(True)]
        self.block = nn.Sequential(*parts, nn.ReflectionPad2d(1), nn.Conv2d(maps, maps, 3, bias=False), _norm(maps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.block(x)


def translation_resnet(width: int, blocks: int, channels: int = 3) -> nn.Module:
    """CycleGAN's generator."""
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7, bias=False), _norm(width), nn.ReLU(True)]
    for level in (1, 2):
        layers += [
            nn.Conv2d(width << (level - 1), width << level, 3, 2, 1, bias=False),
            _norm(width << level),
            nn.ReLU(True),
        ]
    layers += [Residual(4 * width) for _ in range(blocks)]
    for level in (1, 0):
        up = nn.ConvTranspose2d(width << (level + 1), width << level, 3, 2, 1, output_padding=1, bias=False)
        layers += [up, _norm(width << level), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())


def compare_steps(
    model: Any, pairs: dict[str, np.ndarray], batch: int, torch_execution: Callable, steps: int, options: Any
) -> None:
    """The model's training step against PyTorch's, contiguous and ``channels_last``, in turn; at least 1.15 times as fast."""
    layouts = {"torch": torch.contiguous_format, "torch channels_last": torch.channels_last}
    sides = {"keras_gen": keras_execution(model, pairs, batch)}
    sides |= {name: torch_execution(pairs, layout) for name, layout in layouts.items()}
    times = alternate({name: turn(side, steps) for name, side in sides.items()}, options.rounds, options.warm_up)
    targets = dict.fromkeys(layouts, 1.15)
    report(times, steps=steps, ours="keras_gen", others=list(layouts), targets=targets, record=options.record)


def check_same_size(ours: keras.Model, theirs: nn.Module) -> None:
    """Equally many trainable parameters, or there is nothing to compare."""
    count = sum(int(np.prod(weight.shape)) for weight in ours.trainable_variables)
    torch_count = sum(weight.numel() for weight in theirs.parameters())
    assert count == torch_count, f"{ours.name} has {count} parameters in keras_gen, {torch_count} in PyTorch"
    print(f"{ours.name}: {count} parameters on both sides")
