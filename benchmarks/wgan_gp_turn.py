"""A critic's turn of WGAN-GP on 28x28 images, batch 64: keras_gen as it comes against the same networks in PyTorch.

Gulrajani et al. 2017, algorithm 1, lines 3 to 9: fakes of a generator that stands still, the penalty at random points between
reals and fakes, for which the critic is differentiated twice, and Adam. DCGAN's networks, no batch normalization in the critic.
"""

from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from dcgan_step import BATCH, BFLOAT16, CHANNELS_LAST, CONTIGUOUS, LATENT, OURS, WIDTH, check_same_size, torch_networks
from feeding import digits, keras_execution, numpy_batches, turn

import keras_gen

TURNS, WEIGHT = 8, 10.0
# The generator waits for so many turns before its first step: none of them comes while this measures.
NEVER = {"steps": 1_000_000_000, "first": 1}


def torch_execution(images: np.ndarray, layout: torch.memory_format) -> Callable[[], tuple]:
    """One eager turn on a fresh batch."""
    generator, critic = (network.to(memory_format=layout) for network in torch_networks(normalized=False))
    adam = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.0, 0.9))
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        reals = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().mul_(2 / 255).sub_(1)
        reals = reals.contiguous(memory_format=layout)
        with torch.no_grad():
            fakes = generator(torch.randn(BATCH, LATENT))
        points = (reals + torch.rand(BATCH, 1, 1, 1) * (fakes - reals)).requires_grad_(True)
        (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        adam.zero_grad()
        loss = critic(fakes).mean() - critic(reals).mean() + WEIGHT * penalty
        loss.backward()
        adam.step()
        return (loss.detach(),)

    return step


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=30)
    torch.set_num_threads(cores())
    images = digits()
    given = {"networks": "dcgan", "width": WIDTH, "latent_dim": LATENT, "critic_steps": 1, "critic_schedule": NEVER}
    sides = {}
    for name, policy in ((OURS, "float32"), (BFLOAT16, "mixed_bfloat16")):
        model = keras_gen.GAN.named("wgan_gp", keras_gen.ImageSpec(28, 28, 1), dtype=policy, **given)
        sides[name] = keras_execution(model, images, BATCH)
    check_same_size(model, torch_networks(normalized=False))
    sides |= {
        CONTIGUOUS: torch_execution(images, torch.contiguous_format),
        CHANNELS_LAST: torch_execution(images, torch.channels_last),
    }
    times = alternate({name: turn(side, TURNS) for name, side in sides.items()}, options.rounds, options.warm_up)
    others, targets = [BFLOAT16, CONTIGUOUS, CHANNELS_LAST], {CONTIGUOUS: 1.2, CHANNELS_LAST: 1.2}
    report(times, steps=TURNS, ours=OURS, others=others, targets=targets, record=options.record)


if __name__ == "__main__":
    main()
