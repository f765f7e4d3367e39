"""A training step of PixelCNN on binary 28x28 images, batch 32: float32 and bfloat16 against the same network in PyTorch.

PyTorch's side multiplies full k x k kernels by their masks, as its implementations of PixelCNN do; the other computes the
rows that live. 7 x 7 mask A, 7 residual blocks of 32 in 64 features, two 1 x 1 layers; Adam; the loss read after every step.
"""

from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn

import keras_gen

BATCH, FILTERS, BLOCKS, STEPS = 32, 32, 7, 4
OURS, BFLOAT16 = "keras_gen", "keras_gen mixed_bfloat16"
CONTIGUOUS, CHANNELS_LAST = "torch", "torch channels_last"


class Masked(nn.Conv2d):
    """A k x k convolution times its mask."""

    def __init__(self, inputs: int, outputs: int, size: int, centre: bool):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(1, 1, size, size)
        mask[..., size // 2, size // 2 + centre :] = 0.0
        mask[..., size // 2 + 1 :, :] = 0.0
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, in, h, w]`` to ``[b, out, h, w]``."""
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class Residual(nn.Module):
    """2h -> h, masked 3 x 3, h -> 2h, added."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(2 * FILTERS, FILTERS, 1),
            nn.ReLU(),
            Masked(FILTERS, FILTERS, 3, centre=True),
            nn.ReLU(),
            nn.Conv2d(FILTERS, 2 * FILTERS, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, 2h, h, w]`` to the same."""
        return x + self.inside(x)


def torch_network() -> nn.Module:
    """The layers of ``keras_gen.PixelCNN``."""
    return nn.Sequential(
        Masked(1, 2 * FILTERS, 7, centre=False),
        *(Residual() for _ in range(BLOCKS)),
        nn.ReLU(),
        nn.Conv2d(2 * FILTERS, 2 * FILTERS, 1),
        nn.ReLU(),
        nn.Conv2d(2 * FILTERS, 1, 1),
    )


def torch_execution(images: np.ndarray, layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    network = torch_network().to(memory_format=layout)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss = nn.BCEWithLogitsLoss(reduction="sum")
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        batch = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().contiguous(memory_format=layout)
        adam.zero_grad()
        nats = loss(network(2.0 * batch - 1.0), batch) / BATCH
        nats.backward()
        adam.step()
        return (nats.detach(),)

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=20)
    torch.set_num_threads(cores())
    images = (digits() > 127).astype(np.uint8)
    spec = keras_gen.ImageSpec(28, 28, 1, 2)
    sides = {}
    for name, policy in ((OURS, "float32"), (BFLOAT16, "mixed_bfloat16")):
        model = keras_gen.PixelCNN(spec, FILTERS, BLOCKS, dtype=policy)
        model.compile()
        sides[name] = keras_execution(model, images, BATCH)
    live = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    full = sum(w.numel() for w in torch_network().parameters())
    print(f"{live} weights here; {full} in PyTorch's full kernels, {full - live} of them in rows that never live")
    sides |= {
        CONTIGUOUS: torch_execution(images, torch.contiguous_format),
        CHANNELS_LAST: torch_execution(images, torch.channels_last),
    }
    times = alternate({name: turn(side, STEPS) for name, side in sides.items()}, options.rounds, options.warm_up)
    others = [CONTIGUOUS, CHANNELS_LAST]
    report(times, steps=STEPS, ours=OURS, others=others, targets=dict.fromkeys(others, 1.25), record=options.record)
    del times[OURS]
    print("\nbfloat16:")
    report(times, steps=STEPS, ours=BFLOAT16, others=others, targets=dict.fromkeys(others, 1.7), record=options.record)


if __name__ == "__main__":
    main()
