"""A training step of Glow on 32x32x3 images, batch 32, against the same network in PyTorch; and 64 samples of it.

Three levels of 8 steps, width 64: actnorm, direct 1x1 convolution (its determinant in float64), affine coupling with edge
channels and zero convolutions, learnt priors; the loss read after every step. PyTorch eager, contiguous and channels_last.
Sampling: the exported graph in ONNX Runtime against PyTorch's eager inverse, whose inverted matrices are kept too.
"""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from alternate import alternate, arguments, cores, report
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn
from torch.nn import functional

import keras_gen
from keras_gen.core.noise import draw

BATCH, LEVELS, DEPTH, WIDTH, STEPS, SAMPLES = 32, 3, 8, 64, 2, 64
OURS, INVERTING = "keras_gen", "keras_gen memory='invert'"
CONTIGUOUS, CHANNELS_LAST = "torch", "torch channels_last"


def edged(x: torch.Tensor) -> torch.Tensor:
    """Padded by 1 with zeros, and a channel of ones there."""
    padded = functional.pad(x, (1, 1, 1, 1))
    edge = functional.pad(torch.zeros_like(x[:1, :1]), (1, 1, 1, 1), value=1.0).expand(len(x), -1, -1, -1)
    return torch.cat([padded, edge], dim=1)


class ActNorm(nn.Module):
    """``(x + shift) exp(3 log_scale)``."""

    def __init__(self, channels: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape."""
        return (x + self.shift) * torch.exp(3.0 * self.log_scale)


class ZeroConvolution(nn.Module):
    """An edge convolution of zeros, with a scale."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs + 1, outputs, 3)
        nn.init.zeros_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)
        self.log_scale = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As many positions."""
        return self.convolution(edged(x)) * torch.exp(3.0 * self.log_scale)


class Step(nn.Module):
    """Actnorm, 1x1, coupling."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.norm = ActNorm(channels)
        self.matrix = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0].contiguous())
        self.first, self.second = nn.Conv2d(half + 1, WIDTH, 3, bias=False), nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
        self.norms = nn.ModuleList([ActNorm(WIDTH), ActNorm(WIDTH)])
        self.last = ZeroConvolution(WIDTH, channels)

    def network(self, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Shift and log-scale."""
        h = functional.relu(self.norms[0](self.first(edged(kept))))
        h = functional.relu(self.norms[1](self.second(h)))
        shift, raw = self.last(h).chunk(2, dim=1)
        return shift, functional.logsigmoid(raw + 2.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output and log-determinant."""
        positions = x.shape[2] * x.shape[3]
        x = functional.conv2d(self.norm(x), self.matrix[:, :, None, None])
        kept, changed = x.chunk(2, dim=1)
        shift, log_scale = self.network(kept)
        fixed = 3.0 * self.norm.log_scale.sum() + torch.linalg.slogdet(self.matrix.double())[1].float()
        y = torch.cat([kept, (changed + shift) * torch.exp(log_scale)], dim=1)
        return y, positions * fixed + log_scale.sum((1, 2, 3))

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Back; the inverted matrix is computed once."""
        if not hasattr(self, "inverted"):
            self.inverted = torch.linalg.inv(self.matrix.double()).float()[:, :, None, None]
        kept, changed = y.chunk(2, dim=1)
        shift, log_scale = self.network(kept)
        x = torch.cat([kept, changed * torch.exp(-log_scale) - shift], dim=1)
        x = functional.conv2d(x, self.inverted)
        return x * torch.exp(-3.0 * self.norm.log_scale) - self.norm.shift


class Glow(nn.Module):
    """The layers of ``keras_gen.Glow``."""

    def __init__(self):
        super().__init__()
        self.levels, self.priors, channels = nn.ModuleList(), nn.ModuleList(), 3
        for level in range(LEVELS):
            channels *= 4
            self.levels.append(nn.ModuleList(Step(channels) for _ in range(DEPTH)))
            last = level == LEVELS - 1
            self.priors.append(
                ZeroConvolution(channels, 2 * channels) if last else ZeroConvolution(channels // 2, channels)
            )
            channels //= 2

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """Nats of images in [0, 1]."""
        x, total = x - 0.5, 0.0
        for level, (steps, prior) in enumerate(zip(self.levels, self.priors)):
            x = functional.pixel_unshuffle(x, 2)
            for step in steps:
                x, change = step(x)
                total = total + change
            kept, gone = (torch.zeros_like(x), x) if level == LEVELS - 1 else x.chunk(2, dim=1)
            mean, log_scale = prior(kept).chunk(2, dim=1)
            noise = (gone - mean) * torch.exp(-log_scale)
            total = total - 0.5 * (noise.square() + math.log(2.0 * math.pi)).sum((1, 2, 3)) - log_scale.sum((1, 2, 3))
            x = kept
        return total

    def sample(self, noise: list[torch.Tensor]) -> torch.Tensor:
        """Images of noise, a map a level, as levels."""
        x = None
        for level in reversed(range(LEVELS)):
            kept = torch.zeros_like(noise[level]) if x is None else x
            mean, log_scale = self.priors[level](kept).chunk(2, dim=1)
            gone = noise[level] * torch.exp(log_scale) + mean
            x = gone if x is None else torch.cat([x, gone], dim=1)
            for step in reversed(self.levels[level]):
                x = step.inverse(x)
            x = functional.pixel_shuffle(x, 2)
        return ((x + 0.5) * 256.0).clamp(0.0, 255.0).to(torch.uint8)


def torch_execution(images: np.ndarray, layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    network = Glow().to(memory_format=layout)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        batch = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().contiguous(memory_format=layout)
        adam.zero_grad()
        loss = -network.log_prob((batch + torch.rand_like(batch)) / 256.0).mean()
        loss.backward()
        adam.step()
        return (loss.detach(),)

    return step


def torch_sampler(layout: torch.memory_format) -> Callable[[], None]:
    """64 images of fresh noise."""
    network = Glow().to(memory_format=layout).eval()
    shapes = [(6, 16, 16), (12, 8, 8), (48, 4, 4)]

    def run() -> None:
        with torch.inference_mode():
            noise = [torch.randn(SAMPLES, *shape).contiguous(memory_format=layout) for shape in shapes]
            network.sample(noise).numpy()

    with torch.no_grad():
        run()
    return run


def keras_model(memory: str = "store") -> keras_gen.Glow:
    """The package's own, as a user writes it."""
    model = keras_gen.Glow((32, 32, 3), LEVELS, DEPTH, WIDTH, memory=memory)
    model.compile()
    ours = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    theirs = sum(w.numel() for w in Glow().parameters())
    assert ours == theirs, f"the model has {ours} parameters in keras_gen, {theirs} in PyTorch"
    return model


def onnx_sampler(model: keras_gen.Glow, folder: Path) -> Callable[[], None]:
    """The exported endpoint, with fresh noise."""
    model.export(folder, format=["onnx"])
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "sample.onnx"))
    seeds = iter(range(1_000_000))
    temperature = np.ones(SAMPLES, np.float32)

    def run() -> None:
        session.run(["image"], {**draw(model.noise_spec(), SAMPLES, next(seeds)), "temperature": temperature})

    return run


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=15)
    torch.set_num_threads(cores())
    images = np.repeat(np.pad(digits(), ((0, 0), (2, 2), (2, 2), (0, 0))), 3, axis=-1)
    sides = {}
    for name, memory in ((OURS, "store"), (INVERTING, "invert")):
        model = keras_model(memory)
        model.start(images[:256])
        sides[name] = turn(keras_execution(model, images, BATCH), STEPS)
    layouts = {CONTIGUOUS: torch.contiguous_format, CHANNELS_LAST: torch.channels_last}
    sides |= {name: turn(torch_execution(images, layout), STEPS) for name, layout in layouts.items()}
    times = alternate(sides, options.rounds, options.warm_up)
    targets = dict.fromkeys(layouts, 1.15)
    report(times, steps=STEPS, ours=OURS, others=[INVERTING, *layouts], targets=targets, record=options.record)

    print(f"\n{SAMPLES} samples")
    model = keras_model()  # untrained on every side
    model.start(images[:256])
    with tempfile.TemporaryDirectory() as folder:
        ours = "ONNX Runtime, 64 samples"
        sides = {ours: onnx_sampler(model, Path(folder) / "artifact")}
        sides |= {f"{name}, 64 samples": torch_sampler(layout) for name, layout in layouts.items()}
        times = alternate(sides, options.rounds, options.warm_up)
        others = [name for name in sides if name != ours]
        report(times, ours=ours, others=others, targets=dict.fromkeys(others, 1.0), record=options.record)


if __name__ == "__main__":
    main()
