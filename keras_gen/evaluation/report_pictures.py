"""The pictures of a report: what people look at before they read a number."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.core.pictures import image_grid, save_picture, stacked
from keras_gen.evaluation import latent
from keras_gen.evaluation.caption_pictures import caption_pictures
from keras_gen.evaluation.captions import caption_of
from keras_gen.evaluation.memorisation import nearest_training_images
from keras_gen.evaluation.scene_pictures import scene_pictures
from keras_gen.evaluation.scenes import graph_of
from keras_gen.evaluation.style import style_pictures, transfers
from keras_gen.evaluation.subject import Subject
from keras_gen.evaluation.translation import source_of
from keras_gen.evaluation.translation_pictures import translation_pictures

COLUMNS = 10
WALKS = 6
# Ways of sampling that are a number: what each is tried at.
DIALS = {"temperature": (0.3, 0.5, 0.7, 0.85, 1.0), "truncation": (0.1, 0.4, 0.7, 1.0, 2.0, 10.0)}


def draw_pictures(subject: Subject, out: Path) -> dict[str, dict[str, str]]:
    """Draws what the model allows below ``out``; name -> file (relative to ``out``) and what it shows."""
    if not subject.model.is_sampled():
        return _saved(style_pictures(subject) if transfers(subject.model) else {}, out)
    model, test, fakes, seed = subject.model, subject.test, subject.fakes, subject.seed
    means = model.image_spec.levels == 2 and hasattr(model, "decode") and not model.draws_in_order
    shows = "the decoder's means" if means else "samples"
    if source_of(model) is None:
        drawn = {"samples": (_samples(subject), f"{shows} of the first 100 noise draws of seed {seed}")}
    else:
        grid = image_grid(fakes[: COLUMNS**2], test.image_spec, columns=COLUMNS)
        drawn = {"samples": (grid, f"the model's images of {test.split} sources"), **translation_pictures(subject)}
    if caption_of(model):
        drawn |= caption_pictures(subject)
    if graph_of(model):
        drawn |= scene_pictures(subject)
    drawn["real_and_fake"] = (
        stacked(
            [image_grid(images[: 3 * COLUMNS], test.image_spec, columns=COLUMNS) for images in (subject.reals, fakes)]
        ),
        f"above: {subject.real.split} images, a random subset; below: samples",
    )
    drawn["nearest"] = (
        _nearest(fakes, subject.train),
        "top row: samples; below each, its nearest training images by pixel distance",
    )
    if latent.has_latent(model):
        walk = latent.interpolation(model, WALKS, COLUMNS, seed=seed, **subject.shown_conditions(WALKS))
        grid = image_grid(walk.reshape(-1, *walk.shape[2:]), columns=COLUMNS)
        drawn["interpolation"] = (grid, f"each row: from one noise point to another ({latent.path_of(model)})")
        if latent.has_manifold(model):
            plane = image_grid(latent.manifold(model), columns=20)
            drawn["manifold"] = (plane, "the latent plane, evenly in probability (inverse Gaussian CDF)")
    if hasattr(model, "elbo_terms"):
        drawn["latent_kl"] = (
            _latent_kl(subject),
            f"KL to the prior of each latent on the {test.split} images, in nats, largest first; groups of a mixture are one",
        )
        drawn["traversals"] = (
            _traversals(subject),
            "each row: one latent from -3 to 3, the others as drawn; those of the largest KL first where it splits",
        )
    if hasattr(model, "encode") and hasattr(model, "decode"):
        drawn["reconstructions"] = (
            _reconstructions(subject),
            f"{test.split} images, below each its reconstruction",
        )
    if hasattr(model, "encode") and hasattr(model, "decode") and not model.condition_spec():
        codes = latent.random_codes(model, test.images, 3 * COLUMNS, seed)
        drawn["random_codes"] = (
            image_grid(codes, columns=COLUMNS),
            f"codes drawn at random, normal with the mean and variance of each number of the {test.split} images' codes: what "
            "samples of an autoencoder would be without a density of its codes, and of a VAE nearly are",
        )
    if hasattr(model, "complete"):
        drawn["completions"] = (
            _completions(subject),
            f"top row: {test.split} images; below, their upper half as given; then five completions of it",
        )
    for name in DIALS.keys() & model.condition_spec().keys():
        rows = ", ".join(map(str, DIALS[name]))
        drawn[f"{name}s"] = (_dialled(model, name, seed), f"the same noise at the {name}s {rows}, a row each")
    return _saved(drawn, out)


def _saved(drawn: dict[str, tuple[Image.Image, str]], out: Path) -> dict[str, dict[str, str]]:
    for name, (picture, _) in drawn.items():
        save_picture(picture, out / "pictures" / f"{name}.png")
    return {name: {"file": f"pictures/{name}.png", "shows": text} for name, (_, text) in drawn.items()}


def _samples(subject: Subject) -> Image.Image:
    noise = draw(subject.model.noise_spec(), COLUMNS**2, subject.seed)
    return image_grid(latent.render(subject.model, noise, subject.shown_conditions(COLUMNS**2)), columns=COLUMNS)


def _dialled(model: Any, name: str, seed: int) -> Image.Image:
    noise = draw(model.noise_spec(), COLUMNS, seed)
    rows = [
        latent.render(
            model, noise, {**model.shown_conditions(COLUMNS, seed), name: np.full(COLUMNS, value, np.float32)}
        )
        for value in DIALS[name]
    ]
    return image_grid(np.concatenate(rows), columns=COLUMNS)


def _nearest(fakes: np.ndarray, train: ImageData, neighbours: int = 4) -> Image.Image:
    spec, fakes = train.image_spec, fakes[:COLUMNS]
    rows = nearest_training_images(fakes, train.images, spec.levels, min(neighbours, len(train)))[1]
    below = train.images[rows.T.reshape(-1)]  # all nearest first, then all second nearest ...
    return stacked([image_grid(fakes, spec, columns=len(fakes)), image_grid(below, spec, columns=len(fakes))])


def _completions(subject: Subject) -> Image.Image:
    """``COLUMNS`` images, their upper half, and five completions of it."""
    model, test, seed = subject.model, subject.test, subject.seed
    spec, rows = test.image_spec, test.random_rows(COLUMNS, seed)
    originals, conditions = test.images[rows], subject.conditions(test, rows)
    known = np.zeros(spec.shape[:2], bool)
    known[: max(1, spec.height // 2)] = True
    given = np.where(known[None, :, :, None], originals / (spec.levels - 1), 0.5)
    drawn = [model.complete(originals, known, seed + turn, **conditions) for turn in range(5)]
    below = image_grid(np.concatenate(drawn), spec, columns=len(originals))
    above = np.concatenate([originals / (spec.levels - 1), given]).astype(np.float32)
    return stacked([image_grid(above, columns=len(originals)), below])


def _reconstructions(subject: Subject) -> Image.Image:
    test, spec = subject.test, subject.test.image_spec
    rows = test.random_rows(3 * COLUMNS, subject.seed)
    originals = test.images[rows]
    copies = latent.reconstructions(subject.model, originals, **subject.conditions(test, rows))
    shown = originals.astype(np.float32) / (spec.levels - 1)
    pairs = [np.concatenate([shown[i : i + COLUMNS], copies[i : i + COLUMNS]]) for i in range(0, len(shown), COLUMNS)]
    return stacked([image_grid(pair, columns=len(pair) // 2) for pair in pairs])


def _latent_kl(subject: Subject) -> Image.Image:
    """A bar a latent."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # not pyplot: no display, no global state

    values = np.sort(subject.latent_terms[1].mean(axis=0))[::-1]
    figure = Figure(figsize=(6, 2.5), layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(len(values)), values)
    axes.set(xlabel="latent", ylabel="KL, nats")
    axes.grid(alpha=0.3, axis="y")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _traversals(subject: Subject) -> Image.Image:
    model, kl = subject.model, subject.latent_terms[1].mean(axis=0)
    size = latent.latent_of(model).shape[0]
    order = np.argsort(-kl[:size], kind="stable") if len(kl) >= size else np.arange(size)
    shown = subject.shown_conditions(1)
    walk = latent.traversal(model, order[:WALKS].tolist(), COLUMNS, seed=subject.seed, **shown)
    return image_grid(walk.reshape(-1, *walk.shape[2:]), columns=COLUMNS)
