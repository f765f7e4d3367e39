"""A training step of a Diagonal BiLSTM PixelRNN on binary 28x28 images, batch 16, against a PyTorch loop over diagonals.

Two layers of h = 16. Both sides skew the maps and go a diagonal a turn of a loop. Here each direction is a loop of its own
that XLA compiles, its gradient written out, and both run at once; there one loop runs both, and autograd records it.
"""

from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from feeding import digits, keras_execution, numpy_batches, turn
from pixel_cnn_step import Masked
from torch import nn

import keras_gen

BATCH, FILTERS, LAYERS, STEPS, SIZE = 16, 16, 2, 2, 28
OURS, OTHER = "keras_gen", "torch loop"


class DiagonalBiLSTM(nn.Module):
    """The layer of ``keras_gen.layers.causal_lstm``, features last."""

    def __init__(self):
        super().__init__()
        self.inputs = nn.ModuleList([nn.Linear(2 * FILTERS, 4 * FILTERS) for _ in range(2)])
        self.recurrent = nn.Parameter(torch.randn(2, 2 * FILTERS, 4 * FILTERS) * 0.1)
        self.widen = nn.Linear(FILTERS, 2 * FILTERS)
        inside = torch.arange(SIZE)[None] <= torch.arange(2 * SIZE - 1)[:, None]
        self.register_buffer("inside", inside.float()[:, None, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, h, w, 2f]`` to the same."""
        sides = [self.inputs[0](x), self.inputs[1](x).flip(2)]
        gates = torch.stack([skewed(side) for side in sides], dim=1)  # [diagonals, 2, h, b, 4f]
        h = c = gates.new_zeros(2, SIZE, len(x), FILTERS)
        states = []
        for gate, mask in zip(gates, self.inside):
            above = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1)
            received = torch.cat([h, above], dim=-1).reshape(2, -1, 2 * FILTERS)
            sums = gate + torch.bmm(received, self.recurrent).reshape(gate.shape)
            output, forget, write = torch.sigmoid(sums[..., : 3 * FILTERS]).chunk(3, dim=-1)
            c = (forget * c + write * torch.tanh(sums[..., 3 * FILTERS :])) * mask
            h = output * torch.tanh(c) * mask
            states.append(h)
        states = torch.stack(states)
        left, right = unskewed(states[:, 0]), unskewed(states[:, 1]).flip(2)
        shifted = torch.cat([torch.zeros_like(right[:, :1]), right[:, :-1]], dim=1)
        return x + self.widen(left + shifted)


def skewed(maps: torch.Tensor) -> torch.Tensor:
    """``[b, h, w, c]`` to ``[diagonals, h, b, c]``."""
    flat = nn.functional.pad(maps, (0, 0, 0, SIZE)).flatten(1, 2)[:, : SIZE * (2 * SIZE - 1)]
    return flat.unflatten(1, (SIZE, 2 * SIZE - 1)).permute(2, 1, 0, 3)


def unskewed(diagonals: torch.Tensor) -> torch.Tensor:
    """The inverse."""
    flat = nn.functional.pad(diagonals.permute(2, 1, 0, 3).flatten(1, 2), (0, 0, 0, SIZE))
    return flat.unflatten(1, (SIZE, 2 * SIZE))[:, :, :SIZE]


class PixelRNN(nn.Module):
    """First layer, LSTMs, head."""

    def __init__(self):
        super().__init__()
        self.first = Masked(1, 2 * FILTERS, 7, centre=False)
        self.lstms = nn.Sequential(*(DiagonalBiLSTM() for _ in range(LAYERS)))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(2 * FILTERS, 2 * FILTERS), nn.ReLU(), nn.Linear(2 * FILTERS, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, 1, h, w]`` to logits of the same shape."""
        return self.head(self.lstms(self.first(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


def torch_execution(images: np.ndarray) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    network = PixelRNN()
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss = nn.BCEWithLogitsLoss(reduction="sum")
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        batch = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float()
        adam.zero_grad()
        nats = loss(network(2.0 * batch - 1.0), batch) / BATCH
        nats.backward()
        adam.step()
        return (nats.detach(),)

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=12)
    torch.set_num_threads(cores())
    images = (digits() > 127).astype(np.uint8)
    model = keras_gen.PixelRNN(keras_gen.ImageSpec(SIZE, SIZE, 1, 2), "diagonal_bilstm", FILTERS, LAYERS)
    model.compile()
    sides = {OURS: keras_execution(model, images, BATCH), OTHER: torch_execution(images)}
    times = alternate({name: turn(side, STEPS) for name, side in sides.items()}, options.rounds, options.warm_up)
    report(times, steps=STEPS, ours=OURS, others=[OTHER], targets={OTHER: 2.0}, record=options.record)


if __name__ == "__main__":
    main()
