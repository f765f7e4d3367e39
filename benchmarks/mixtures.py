"""Every adversarial objective on 8 Gaussians on a ring and 25 on a grid: modes found, samples near one, as table and picture.

Protocol of VEEGAN and PacGAN (Srivastava et al. 2017, Lin et al. 2018): of 2,500 samples, those within 3 standard deviations
of the nearest mode are of high quality, and a mode is found if one such sample lies at it. A point is an image of one pixel
and two channels, its coordinates in 256 levels, so that the models are plain ``GAN``s with networks of one's own; a level is
0.77 to 0.88 standard deviations wide, and the first row of the table says what real points score that way.
"""

import argparse
import dataclasses
import io
import itertools
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

import keras_gen
from keras_gen.core.files import written_beside
from keras_gen.core.pictures import save_picture
from keras_gen.training.linear_decay import LinearDecay

SPEC = keras_gen.ImageSpec(1, 1, 2)
SAMPLES, NEAR = 2_500, 3.0  # standard deviations
LATENT, WIDTH, LAYERS, BATCH, TURNS = 2, 64, 3, 128, 6_000


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Equally likely Gaussians of one standard deviation, in ``[-reach, reach]`` squared."""

    modes: np.ndarray
    stddev: float
    reach: float

    def images(self, count: int, seed: int) -> np.ndarray:
        """Draws: uint8 ``[count, 1, 1, 2]``."""
        random = np.random.default_rng(seed)
        points = self.modes[random.integers(len(self.modes), size=count)]
        points = points + self.stddev * random.standard_normal((count, 2))
        return SPEC.from_unit(points / self.reach).numpy().reshape(-1, 1, 1, 2)

    def points(self, images: np.ndarray) -> np.ndarray:
        """Images ``[n, 1, 1, 2]`` as coordinates ``[n, 2]``."""
        return SPEC.to_unit(images).numpy().reshape(-1, 2) * self.reach

    def score(self, points: np.ndarray) -> tuple[int, float]:
        """Modes found, and the share of points near one."""
        distances = np.linalg.norm(points[:, None] - self.modes, axis=-1)  # [n, modes]
        near = distances.min(axis=1) <= NEAR * self.stddev
        return len(np.unique(distances[near].argmin(axis=1))), float(near.mean())


ANGLES = 2 * np.pi * np.arange(8) / 8
MIXTURES = {
    "8 on a ring": Mixture(2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1), 0.02, 2.25),
    "25 on a grid": Mixture(np.array([*itertools.product(range(-4, 5, 2), repeat=2)], float), 0.05, 4.5),
}


def adam(rate: Any) -> keras.optimizers.Optimizer:
    """Without momentum, with which the players circle round each other (Mescheder et al. 2018 and WGAN-GP choose the same)."""
    return keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99)


@dataclasses.dataclass(frozen=True)
class Player:
    """One row: ``GAN``'s arguments and what it learns with."""

    arguments: Mapping[str, Any]
    learning_rate: float = 3e-3
    optimizer: Callable[[Any], keras.optimizers.Optimizer] = adam
    # Factor on the points before the discriminator: where its slope is bounded to 1, the unit of length decides what it can
    # tell apart.
    unit: float = 1.0


PLAYERS = {
    "minimax": Player({"objective": "minimax"}),
    "non-saturating": Player({"objective": "non_saturating"}),
    "least squares": Player({"objective": "least_squares"}),
    "Wasserstein, clipped": Player(
        {"objective": "wasserstein", "constraint": "clip", "clip": 0.1, "critic_steps": 3},
        1e-3,
        keras.optimizers.RMSprop,
    ),
    "Wasserstein, gradient penalty": Player(
        {
            "objective": "wasserstein",
            "penalty": "gradient",
            "penalty_weight": 0.1,
            "penalty_target": 4.5,
            "critic_steps": 3,
        }
    ),
    "hinge, spectral norm": Player({"objective": "hinge", "constraint": "spectral"}, unit=10.0),
    "relativistic average": Player({"objective": "relativistic_average"}),
    "non-saturating, R1": Player({"objective": "non_saturating", "penalty": "r1", "penalty_weight": 0.01}),
}


def networks(reach: float, unit: float) -> dict[str, keras.Model]:
    """Both perceptrons of three layers of 64 units on points in their own coordinates, ``[-reach, reach]``."""
    generator = keras.Sequential([keras.Input((LATENT,))], name="generator")
    discriminator = keras.Sequential(
        [keras.Input(SPEC.shape), layers.Flatten(), layers.Rescaling(reach * unit)], name="discriminator"
    )
    for _ in range(LAYERS):
        generator.add(layers.Dense(WIDTH, activation="relu"))
        discriminator.add(layers.Dense(WIDTH))
        discriminator.add(layers.LeakyReLU(0.2))
    generator.add(layers.Dense(2))
    generator.add(layers.Rescaling(1 / reach))
    generator.add(layers.Reshape(SPEC.shape))
    discriminator.add(layers.Dense(1))
    return {"generator": generator, "discriminator": discriminator}


def trained(player: Player, mixture: Mixture, turns: int, seed: int) -> keras_gen.GAN:
    """The player after so many turns of its discriminator, each on new draws; both rates fall to 0."""
    keras.utils.set_random_seed(seed)
    model = keras_gen.GAN(
        SPEC, LATENT, **networks(mixture.reach, player.unit), **player.arguments, ema_decay=None, seed=seed
    )
    steps = turns // model.critic_steps
    rates = (LinearDecay(player.learning_rate, count) for count in (steps, steps * model.critic_steps))
    model.compile(*map(player.optimizer, rates), steps_per_execution=min(20, steps))
    model.fit(mixture.images(steps * model.critic_steps * BATCH, seed), batch_size=BATCH, verbose=0)
    return model


def play(turns: int, seed: int) -> tuple[dict, dict]:
    """Points ``[2500, 2]`` and scores by (player, mixture), that of real points among the scores."""
    points, scores = {}, {}
    for mixture_name, mixture in MIXTURES.items():
        scores["real points", mixture_name] = mixture.score(mixture.points(mixture.images(SAMPLES, seed + 1)))
        for name, player in PLAYERS.items():
            began = time.perf_counter()
            model = trained(player, mixture, turns, seed)
            key = name, mixture_name
            points[key] = mixture.points(model.sample(SAMPLES, seed=seed))
            scores[key] = found, share = mixture.score(points[key])
            seconds = time.perf_counter() - began
            print(f"{mixture_name}, {name}: {found} modes, {share:.1%} near one, {seconds:.1f} s", flush=True)
    return points, scores


def picture(points: Mapping[tuple[str, str], np.ndarray], path: Path) -> None:
    """A row a player, a column a mixture; black rings are the modes, 3 standard deviations wide, dots are samples."""
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

    # Two players a row of the page, so that it is no taller than a screen.
    across = 2
    rows = -(-len(PLAYERS) // across)
    figure = Figure(figsize=(8, 2.15 * rows), layout="constrained")
    axes = figure.subplots(rows, across * len(MIXTURES), squeeze=False)
    for index, name in enumerate(PLAYERS):
        for column, (mixture_name, mixture) in enumerate(MIXTURES.items()):
            at = axes[index // across][index % across * len(MIXTURES) + column]
            at.scatter(*points[name, mixture_name].T, s=1.5, c="#c0392b", alpha=0.35, linewidths=0)
            widths = np.full(len(mixture.modes), 2 * NEAR * mixture.stddev)
            at.add_collection(
                EllipseCollection(
                    *(widths, widths, 0 * widths),
                    units="xy",
                    offsets=mixture.modes,
                    transOffset=at.transData,
                    facecolors="none",
                    edgecolors="black",
                    linewidths=0.5,
                )
            )
            found, share = mixture.score(points[name, mixture_name])
            at.set(xlim=(-mixture.reach, mixture.reach), ylim=(-mixture.reach, mixture.reach), xticks=[], yticks=[])
            at.set(aspect="equal")
            at.set_title(f"{name}\n{found} of {len(mixture.modes)}, {share:.0%}", fontsize=7)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    save_picture(Image.open(drawn).convert("RGB").quantize(32), path)


def table(scores: Mapping[tuple[str, str], tuple[int, float]]) -> str:
    """The scores in Markdown."""
    lines = [
        "| objective |" + "".join(f" {name}: modes | near one |" for name in MIXTURES),
        "|---|" + "---|---|" * len(MIXTURES),
    ]
    for name in ("real points", *PLAYERS):
        cells = (scores[name, mixture] for mixture in MIXTURES)
        lines.append(f"| {name} |" + "".join(f" {found} | {share:.1%} |" for found, share in cells))
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each discriminator, on {BATCH} points ({TURNS})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for mixtures.md and mixtures.png, such as results")
    options = parser.parse_args()
    if options.turns < 3:
        parser.error(f"--turns {options.turns}; give at least 3")
    start = time.perf_counter(), time.process_time()
    points, scores = play(options.turns, options.seed)
    passed, computed = time.perf_counter() - start[0], time.process_time() - start[1]
    cost = f"{passed:.0f} s, of which {computed:.0f} s of CPU, on {os.cpu_count()} cores"
    print(f"{table(scores)}\n{cost}")
    if options.out:
        picture(points, options.out / "mixtures.png")
        command = shlex.join(["python", "benchmarks/mixtures.py", *sys.argv[1:]])
        text = (
            f"# Mixtures of Gaussians\n\n`{command}`: {options.turns} turns of each discriminator on {BATCH} points; {cost}.\n"
            f"A mode is found if one of {SAMPLES:,} samples lies within {NEAR:g} standard deviations of it (near one).\n"
            f"What it shows is in [benchmarks/README.md](../benchmarks/README.md).\n\n{table(scores)}\n\n"
            "![samples and modes](mixtures.png)\n"
        )
        with written_beside(options.out / "mixtures.md") as beside:
            beside.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
