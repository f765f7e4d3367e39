"""Training steps of VAEs on binary 28x28 images against PyTorch: an MLP, convolutions, and an IWAE of 50 samples.

MLP: two layers of 500 units each way, batch 128. Convolutions: 32 and 64 maps and back, batch 128. IWAE: two tanh layers of 200
units each way, batch 20. 50 latents; Bernoulli log-likelihood summed over the pixels; KL in closed form, or for the IWAE at its
draws; Adam 1e-3. An execution of 8 steps reports once, so every side's loss is read after every 8 steps. Ours is the model that
XLA compiles where layers are dense, the plain graph where they are convolutions, which XLA does not run well on a CPU. Beside the
IWAE stands the one whose gradient goes through one draw (``resample=True``, as ``iwae_mnist`` trains): other, unbiased gradients.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from alternate import alternate, arguments, cores, report
from feeding import digits, keras_execution, numpy_batches, turn
from torch import nn
from torch.nn import functional

import keras_gen

LATENT, EXECUTION, STEPS = 50, 8, 16
LAYOUTS = {"torch": torch.contiguous_format, "torch channels_last": torch.channels_last}
Networks = tuple[nn.Module, nn.Module]


def mlps(hidden: int, activation: type[nn.Module]) -> Networks:
    """The layers of ``networks/mlp.py``."""

    def mlp(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, hidden), activation()] + [
            nn.Linear(hidden, outputs)
        ]

    encoder = nn.Sequential(nn.Flatten(), *mlp(28 * 28, 2 * LATENT))
    return encoder, nn.Sequential(*mlp(LATENT, 28 * 28), nn.Unflatten(1, (1, 28, 28)))


def convolutions() -> Networks:
    """The layers of ``networks/convolutional.py``."""
    relu = {"inplace": True}
    encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(**relu), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(**relu)),
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 2 * LATENT)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(LATENT, 64 * 7 * 7), nn.ReLU(**relu), nn.Unflatten(1, (64, 7, 7))),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(**relu), nn.ConvTranspose2d(32, 1, 4, 2, 1)),
    )
    return encoder, decoder


def negative_elbo(networks: Networks, images: torch.Tensor) -> torch.Tensor:
    """KL in closed form, one draw an image."""
    encoder, decoder = networks
    mean, log_variance = encoder(2 * images - 1).chunk(2, dim=1)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    reconstruction = functional.binary_cross_entropy_with_logits(decoder(z), images, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
    return (reconstruction + kl) / len(images)


def negative_iwae(samples: int) -> Callable[[Networks, torch.Tensor], torch.Tensor]:
    """Burda et al. 2016, eq. 8: each image is encoded once."""

    def loss(networks: Networks, images: torch.Tensor) -> torch.Tensor:
        encoder, decoder = networks
        mean, log_variance = (part[:, None] for part in encoder(2 * images - 1).chunk(2, dim=1))
        epsilon = torch.randn(len(images), samples, LATENT)
        z = mean + torch.exp(0.5 * log_variance) * epsilon
        logits = decoder(z.flatten(0, 1)).view(len(images), samples, -1)
        pixels = images.flatten(1)[:, None].expand_as(logits)
        log_likelihood = -functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(-1)
        log_ratio = 0.5 * (z.square() - epsilon.square() - log_variance).sum(-1)
        return (math.log(samples) - torch.logsumexp(log_likelihood - log_ratio, 1)).mean()

    return loss


def torch_execution(
    networks: Networks, images: np.ndarray, batch: int, loss_of: Callable, layout: torch.memory_format, fused: bool
) -> Callable[[], tuple]:
    """One eager step on a fresh batch."""
    encoder, decoder = (network.to(memory_format=layout) for network in networks)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3, fused=fused or None)
    batches = numpy_batches(images, batch)

    def step() -> tuple:
        pixels = torch.from_numpy(next(batches)).permute(0, 3, 1, 2).float().contiguous(memory_format=layout)
        loss = loss_of((encoder, decoder), pixels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return (loss.detach(),)

    return step


COMPARISONS = {
    "MLP": {
        "options": {"hidden": (500, 500)},
        "networks": lambda: mlps(500, nn.ReLU),
        "loss": negative_elbo,
        "batch": 128,
        "layouts": ("torch",),
        "compiled": True,
        "target": 1.3,
    },
    "convolutional": {
        "options": {"architecture": "convolutional", "width": 32},
        "networks": convolutions,
        "loss": negative_elbo,
        "batch": 128,
        "layouts": ("torch", "torch channels_last"),
        "compiled": False,
        "target": 1.2,
    },
    "IWAE": {
        "options": {"hidden": (200, 200), "activation": "tanh", "bound": "iwae", "samples": 50},
        "networks": lambda: mlps(200, nn.Tanh),
        "loss": negative_iwae(50),
        "batch": 20,
        "layouts": ("torch",),
        "compiled": True,
        "beside": {"resample": True},
        "target": 1.2,
    },
}


def compare(name: str, options, images: np.ndarray) -> None:
    """One of ``COMPARISONS``."""
    case = COMPARISONS[name]
    plain, compiled = name, f"{name} jit_compile, steps_per_execution={EXECUTION}"
    together = {"jit_compile": True, "steps_per_execution": EXECUTION}
    made = {compiled: (case["options"], together), plain: (case["options"], {})}
    if beside := case.get("beside"):
        words = ", ".join(f"{key}={value}" for key, value in beside.items())
        made[f"{compiled}, {words}"] = ({**case["options"], **beside}, together)
    models = {}
    for side, (settings, how) in made.items():
        models[side] = keras_gen.VAE(keras_gen.ImageSpec(28, 28, 1, levels=2), LATENT, **settings)
        models[side].compile(**how)
    count = sum(int(np.prod(w.shape)) for w in models[plain].trainable_variables)
    theirs = sum(w.numel() for network in case["networks"]() for w in network.parameters())
    assert count == theirs, f"the model has {count} parameters in keras_gen, {theirs} in PyTorch"
    print(f"{name}: {count} parameters on both sides")

    sides = {}
    for side, model in models.items():
        together = 1 if side == plain else EXECUTION
        execute = keras_execution(model, images, case["batch"])
        sides[side] = turn(execute, STEPS // together, EXECUTION // together)
    unfused = [f"{name} {layout}" for layout in case["layouts"]]
    for fused in (False, True):
        for layout in case["layouts"]:
            arguments_ = (case["networks"](), images, case["batch"], case["loss"], LAYOUTS[layout], fused)
            side = f"{name} {layout}{' fused Adam' if fused else ''}"
            sides[side] = turn(torch_execution(*arguments_), STEPS, EXECUTION)
    times = alternate(sides, options.rounds, options.warm_up)
    ours = compiled if case["compiled"] else plain
    others = [side for side in sides if side != ours]
    targets = dict.fromkeys(unfused, case["target"])
    report(times, steps=STEPS, ours=ours, others=others, targets=targets, record=options.record)


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=30)
    torch.set_num_threads(cores())
    images = digits(levels=2)
    for name in COMPARISONS:
        compare(name, options, images)


if __name__ == "__main__":
    main()
