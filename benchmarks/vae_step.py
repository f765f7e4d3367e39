"""A training step of the VAE on binary 28x28 images, batch 128: keras_gen, plain and compiled, against PyTorch.

Two hidden layers of 500 units on each side, 50 latents; Bernoulli log-likelihood summed over the pixels, KL in closed
form, Adam 1e-3. An execution of 8 steps reports once, so every side's loss is read after every 8 steps.
"""

import os
from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, report
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn
from torch.nn import functional

import keras_gen

BATCH, LATENT, HIDDEN, EXECUTION, STEPS = 128, 50, 500, 8, 48
PLAIN, COMPILED = "keras_gen", "keras_gen jit_compile, steps_per_execution=8"
ADAM, FUSED = "torch", "torch fused Adam"


def torch_networks() -> tuple[nn.Module, nn.Module]:
    """The layers of ``networks/mlp.py``."""

    def mlp(inputs: int, outputs: int) -> nn.Module:
        hidden = [nn.Linear(inputs, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True)]
        return nn.Sequential(*hidden, nn.Linear(HIDDEN, outputs))

    return mlp(28 * 28, 2 * LATENT), mlp(LATENT, 28 * 28)


def torch_execution(images: np.ndarray, fused: bool | None = None) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    encoder, decoder = torch_networks()
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3, fused=fused)
    batches = numpy_batches(images, BATCH)

    def step() -> tuple:
        pixels = torch.from_numpy(next(batches)).float().flatten(1)
        mean, log_variance = encoder(2 * pixels - 1).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = functional.binary_cross_entropy_with_logits(decoder(z), pixels, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
        loss = (reconstruction + kl) / BATCH
        adam.zero_grad()
        loss.backward()
        adam.step()
        return (loss.detach(),)

    return step


def keras_model(**compile_options) -> keras_gen.VAE:
    """The package's own, as a user writes it."""
    model = keras_gen.VAE(keras_gen.ImageSpec(28, 28, 1, levels=2), latent_dim=LATENT, hidden=(HIDDEN, HIDDEN))
    model.compile(**compile_options)
    ours = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    theirs = sum(w.numel() for network in torch_networks() for w in network.parameters())
    assert ours == theirs, f"the model has {ours} parameters in keras_gen, {theirs} in PyTorch"
    return model


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=30)
    torch.set_num_threads(os.cpu_count())
    images = digits(levels=2)
    plain, compiled = keras_model(), keras_model(jit_compile=True, steps_per_execution=EXECUTION)
    sides = {
        COMPILED: turn(keras_execution(compiled, images, BATCH), STEPS // EXECUTION),
        PLAIN: turn(keras_execution(plain, images, BATCH), STEPS, EXECUTION),
        ADAM: turn(torch_execution(images), STEPS, EXECUTION),
        FUSED: turn(torch_execution(images, fused=True), STEPS, EXECUTION),
    }
    times = alternate(sides, options.rounds, options.warm_up)
    others = [PLAIN, ADAM, FUSED]
    report(times, steps=STEPS, ours=COMPILED, others=others, targets={ADAM: 1.2}, record=options.record)


if __name__ == "__main__":
    main()
