"""The settings of the papers, one entry each: what ``GAN.named`` and ``BigGAN.named`` build.

Networks are ``networks/dcgan.py``'s where an entry names none. LSGAN and WGAN were trained on 64 px and more; theirs are DCGAN's
too, of other sizes.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_gen.core.registry import Registry
from keras_gen.training.adam import Adam
from keras_gen.training.linear_decay import LinearDecay
from keras_gen.training.momentum_ramp import MomentumRampSGD

Optimizers = tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]


@dataclasses.dataclass(frozen=True)
class Paper:
    """A published system.

    Args:
        source: paper and table.
        arguments: of ``GAN``, or of ``BigGAN``.
        optimizers: ``f(steps, critic_steps)`` gives the generator's and the discriminator's; ``steps`` of the generator to
            come, or None for rates that stay.
        batch_size: of a critic turn.
        steps: the generator's, in all.
    """

    source: str
    arguments: Mapping[str, Any]
    optimizers: Callable[[int | None, int], Optimizers]
    batch_size: int
    steps: int


def _adam(
    rate: float,
    beta_1: float,
    beta_2: float = 0.999,
    falling: bool = False,
    discriminator_rate: float | None = None,
) -> Callable[..., Optimizers]:
    """``rate`` is both players', or the generator's alone."""

    def optimizers(steps: int | None, critic_steps: int) -> Optimizers:
        falls = falling and steps is not None
        players = ((rate, 1), (discriminator_rate or rate, critic_steps))
        rates = [LinearDecay(each, steps * turns) if falls else each for each, turns in players]
        return tuple(Adam(each, beta_1=beta_1, beta_2=beta_2) for each in rates)

    return optimizers


def _gan_2014(steps: int | None, critic_steps: int) -> Optimizers:
    """The rate is divided by 1.000004 every step; momentum rises from epoch 1 to 250, of 500 batches each.

    The discriminator's rate is halved for the 1/2 before its loss in the authors' code.
    """

    def sgd(rate: float) -> keras.optimizers.SGD:
        falling = keras.optimizers.schedules.ExponentialDecay(rate, 1, 1 / 1.000004)
        return MomentumRampSGD(falling, 0.5, 0.7, begin=500, end=250 * 500)

    return sgd(0.1), sgd(0.05)


def _wgan(steps: int | None, critic_steps: int) -> Optimizers:
    """Without momentum, which makes a clipped critic unstable; decay and epsilon are those of the authors' framework."""
    return tuple(keras.optimizers.RMSprop(5e-5, rho=0.99, epsilon=1e-8) for _ in range(2))


PAPERS = Registry("paper")
for _name, _paper in {
    "gan_2014": Paper(
        "Goodfellow et al. 2014 and its code: both gradients at one point, from the same fakes",
        {
            "objective": "non_saturating",
            "order": "simultaneous",
            "networks": "maxout",
            "noise": "uniform",
            "width": 240,
        },
        _gan_2014,
        batch_size=100,
        steps=250 * 500,
    ),
    "dcgan": Paper(
        "Radford et al. 2015, section 4",
        {"objective": "non_saturating"},
        _adam(2e-4, 0.5),
        batch_size=128,
        steps=100_000,
    ),
    "lsgan": Paper(
        "Mao et al. 2017, section 4, targets 0, 1, 1 and the rate of its code",
        # The code's noise is uniform on [-1, 1]: batch normalization after the first layer takes its scale out.
        {"objective": "least_squares", "latent_dim": 1024, "noise": "uniform"},
        _adam(1e-3, 0.5),
        batch_size=64,
        steps=1_000_000,
    ),
    "wgan": Paper(
        "Arjovsky et al. 2017, algorithm 1, with the longer turns of its code",
        {
            "objective": "wasserstein",
            "constraint": "clip",
            "clip": 0.01,
            "critic_steps": 5,
            "critic_schedule": {"steps": 100, "first": 25, "every": 500},
            "fresh_noise": True,
        },
        _wgan,
        batch_size=64,
        steps=200_000,
    ),
    "wgan_gp": Paper(
        "Gulrajani et al. 2017, algorithm 1; rate, second batch and decay of its CIFAR-10 code",
        {
            "objective": "wasserstein",
            "penalty": "gradient",
            "penalty_weight": 10.0,
            "latent_dim": 128,
            "critic_steps": 5,
            "generator_batch": 2,
            "networks": "wgan_gp_resnet",
            "width": 128,
        },
        _adam(2e-4, 0.0, 0.9, falling=True),
        batch_size=64,
        steps=100_000,
    ),
    "sngan": Paper(
        "Miyato et al. 2018, table 3 and its code for CIFAR-10: hinge, 5 turns of which the generator's comes first",
        {
            "objective": "hinge",
            "constraint": "spectral",
            "latent_dim": 128,
            "critic_steps": 5,
            "generator_batch": 2,
            "order": "generator_first",
            "networks": "sngan_resnet",
            "width": 128,
            "generator_width": 256,
        },
        _adam(2e-4, 0.0, 0.9, falling=True),
        batch_size=64,
        steps=50_000,
    ),
}.items():
    PAPERS.register(_name, _paper)

# Those of ``BigGAN``; its authors' scripts leave the orthogonal regularization out.
BIG_PAPERS = Registry("paper")
for _name, _paper in {
    "biggan_imagenet128": Paper(
        "Brock et al. 2019, section 3 and appendix C, for ImageNet at 128 px",
        {"width": 96, "latent_dim": 120, "critic_steps": 2, "ema_start": 20_000},
        _adam(5e-5, 0.0, discriminator_rate=2e-4),
        batch_size=2048,
        steps=150_000,
    ),
    "biggan_cifar10": Paper(
        "the authors' PyTorch code, launch_cifar_ema.sh: neither shared embedding nor split noise nor attention",
        {
            "width": 64,
            "latent_dim": 128,
            "shared_embedding": None,
            "split_noise": False,
            "attention": (),
            "initializer": "normal",
            "orthogonal_weight": 0.0,
            "critic_steps": 4,
            "ema_start": 1_000,
        },
        _adam(2e-4, 0.0),
        batch_size=50,
        steps=125_000,
    ),
    "biggan_cifar10_studiogan": Paper(
        "PyTorch-StudioGAN, configs/CIFAR10/BigGAN.yaml: the whole system at 32 px",
        {
            "width": 96,
            "latent_dim": 80,
            "attention": (16,),
            "orthogonal_weight": 0.0,
            "critic_steps": 5,
            "ema_start": 1_000,
        },
        _adam(2e-4, 0.5),
        batch_size=64,
        steps=100_000,
    ),
}.items():
    BIG_PAPERS.register(_name, _paper)
