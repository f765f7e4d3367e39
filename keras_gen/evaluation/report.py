"""Measures a model by what it can do, and writes ``report.json`` and pictures."""

import logging
import os
import platform
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import keras_gen
from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.files import write_json
from keras_gen.core.image_data import ImageData
from keras_gen.core.noise import draw
from keras_gen.core.pictures import image_grid, save_picture, stacked
from keras_gen.evaluation import latent
from keras_gen.evaluation.memorisation import memorisation, nearest_training_images
from keras_gen.losses.divergences import standard_normal_kl
from keras_gen.metrics.features import FEATURES
from keras_gen.metrics.likelihood import Estimate, bits_per_dim, importance_weighted_log_prob, mean_with_error
from keras_gen.metrics.precision_recall import precision_recall

SCHEMA = "keras_gen/report/1"
NEIGHBOURS = 3  # k of precision and recall, as in the paper
MEMORISATION_IMAGES = 1_000  # enough for a median; every one is compared with the whole training set
COLUMNS = 10

log = logging.getLogger(__name__)


def evaluate(
    model: Any,
    train: ImageData,
    test: ImageData,
    *,
    out: str | os.PathLike,
    samples: int = 10_000,
    seed: int = 0,
    features: str = "random_conv",
    importance_samples: int | None = None,
    importance_images: int | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Measures the model, writes ``<out>/report.json`` and ``<out>/pictures/*.png``, and returns the report.

    Every number's name is its protocol: what, with which parameters, on how many images of which split. Models with an
    exact ``log_prob`` get a negative log-likelihood, those with an ``elbo`` the bound and its two parts, every model
    precision, recall and the distance to the training images.

    Args:
        model: anything with the contract's ``image_spec``, ``noise_spec``, ``images_of`` and ``sample``.
        train, test: images the model was and was not trained on, of the model's ``image_spec``.
        out: the folder.
        samples: images drawn, and compared with as many real ones: of ``test``, if it holds so many; otherwise of
            ``train``, if that does; otherwise both numbers shrink to the size of ``test``.
        seed: of all noise and of all choices of images.
        features: the feature space of precision and recall, by name.
        importance_samples: k of the importance-weighted bound (models with ``log_weight``); None leaves it out.
        importance_images: how many test images it is taken on; default: all.
        name: what the report calls the model; default: the model's own name.

    Raises:
        InvalidInput: data that is not the model's, or arguments that cannot be; before anything long is done.
        OutputFailed: the folder cannot be written to.
    """
    out = Path(out)
    _check(model, train, test, samples, features, importance_samples, importance_images)
    _make_folder(out / "pictures")
    real = _comparison(train, test, samples)
    count = min(samples, len(real))
    log.info("drawing %d samples", count)
    fakes = model.sample(count, seed=seed)
    metrics = [*_exact(model, test), *_bound(model, test, seed)]
    if importance_samples:
        metrics += _importance_weighted(model, test, importance_samples, importance_images, seed)
    metrics += _precision_recall(fakes, real, train, test, features, seed)
    metrics.append(_memorisation(fakes, train, test, seed))
    report = {
        "schema": SCHEMA,
        "model": _described(model, name),
        "image_spec": model.image_spec.get_config(),
        "data": {"name": test.name, train.split: len(train), test.split: len(test)},
        "seed": seed,
        "metrics": metrics,
        "pictures": _pictures(model, train, test, fakes, seed, out),
        "versions": _versions(),
    }
    write_json(out / "report.json", report)
    return report


def spelled(count: int) -> str:
    """A count as names hold it: ``10k``, ``359``."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def _described(model: Any, name: str | None) -> dict[str, Any]:
    weights = getattr(model, "trainable_variables", [])
    return {
        "name": name or getattr(model, "name", type(model).__name__),
        "class": type(model).__name__,
        "parameters": int(sum(np.prod(weight.shape) for weight in weights)),
    }


def _versions() -> dict[str, str]:
    modules = {"keras_gen": keras_gen, "keras": keras, "tensorflow": tf, "numpy": np}
    return {**{name: module.__version__ for name, module in modules.items()}, "python": platform.python_version()}


# --- before the work -------------------------------------------------------------------------------------------------


def _check(
    model: Any,
    train: ImageData,
    test: ImageData,
    samples: int,
    features: str,
    importance_samples: Any,
    importance_images: Any,
) -> None:
    for role, data in (("train", train), ("test", test)):
        if data.image_spec != model.image_spec:
            raise InvalidInput(
                f"{role}={data.name!r} holds {data.image_spec}, the model makes {model.image_spec}; measure it on "
                "data of its own kind."
            )
        if len(data) <= NEIGHBOURS:
            raise InvalidInput(f"{role} holds {len(data)} images; precision and recall need at least {NEIGHBOURS + 1}.")
    if not model.noise_spec():
        raise InvalidInput(
            f"{type(model).__name__} makes images of its inputs alone; this report is of models that sample from noise."
        )
    for name in getattr(model, "condition_spec", dict)():
        if name not in test.features:
            raise InvalidInput(
                f"{type(model).__name__} wants a {name} for each image, which {test.name} does not have."
            )
    FEATURES.get(features)
    wanted = (("samples", samples, NEIGHBOURS + 1), ("importance_samples", importance_samples, 1))
    for argument, value, least in (*wanted, ("importance_images", importance_images, 1)):
        if value is None and argument != "samples":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidInput(f"{argument}={value!r}; give an integer of at least {least}.")
    if importance_samples is not None and not hasattr(model, "log_weight"):
        raise InvalidInput(
            f"{type(model).__name__} has no log_weight to take importance samples of; leave importance_samples out."
        )


def _make_folder(folder: Path) -> None:
    """A place that cannot be written to is better known before an hour of measuring than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(f"Could not make {folder}: {error.strerror or error}. Choose another place.") from error


def _comparison(train: ImageData, test: ImageData, samples: int) -> ImageData:
    return train if len(test) < samples <= len(train) else test


def _chosen(data: ImageData, count: int, seed: int) -> np.ndarray:
    """``count`` of the images by lot (files are often sorted), or all of them."""
    return data.images if count >= len(data) else data.images[_lot(data, count, seed)]


def _lot(data: ImageData, count: int, seed: int) -> np.ndarray:
    """``count`` rows of the data by lot, in order."""
    return np.sort(np.random.Generator(np.random.Philox(key=seed)).permutation(len(data))[:count])


# --- metrics ---------------------------------------------------------------------------------------------------------


def _entry(
    name: str, value: Any, unit: str, split: str, seconds: float, n: int | None = None, **more: Any
) -> dict[str, Any]:
    """One line of the report, of a number or an ``Estimate``."""
    if isinstance(value, Estimate):
        value, more["stderr"], n = value
    log.info("%s = %s %s", name, value, unit)
    known = {key: entry for key, entry in more.items() if entry is not None}
    return {"name": name, "value": value, **known, "n": n, "split": split, "unit": unit, "seconds": round(seconds, 3)}


def _exact(model: Any, test: ImageData) -> list[dict[str, Any]]:
    if not hasattr(model, "log_prob"):
        return []
    started = time.perf_counter()
    log_prob = np.asarray(model.log_prob(test.images, **_conditions(model, test)))
    return _negative(log_prob, "", test, time.perf_counter() - started)


def _conditions(model: Any, data: ImageData) -> dict[str, np.ndarray]:
    """What the model wants to know beside an image: the data's labels."""
    return {name: data.features[name] for name in getattr(model, "condition_spec", dict)()}


def _negative(log_prob: np.ndarray, protocol: str, test: ImageData, seconds: float) -> list[dict[str, Any]]:
    """Negative log-likelihood and bits per dimension of one set of log-probabilities, or of bounds on them."""
    tail = f"{protocol}_{spelled(len(log_prob))}_{test.split}"
    return [
        _entry(f"nll{tail}", mean_with_error(-log_prob), "nats", test.split, seconds),
        _entry(f"bits_per_dim{tail}", bits_per_dim(log_prob, test.image_spec), "bits/dim", test.split, seconds),
    ]


def _bound(model: Any, test: ImageData, seed: int) -> list[dict[str, Any]]:
    """The ELBO, its bits per dimension, and its parts: E_q[log p(x|z)] with the bound's own draws, and KL(q || p)."""
    if not hasattr(model, "elbo"):
        return []
    started = time.perf_counter()
    bound = np.asarray(model.elbo(test.images, seed=seed), np.float64)
    kl = np.asarray(standard_normal_kl(*model.encode(test.images)), np.float64)
    seconds, tail = time.perf_counter() - started, f"{spelled(len(test))}_{test.split}"
    return [
        _entry(f"elbo_{tail}", mean_with_error(bound), "nats", test.split, seconds),
        _entry(f"elbo_reconstruction_{tail}", mean_with_error(bound + kl), "nats", test.split, seconds),
        _entry(f"elbo_kl_{tail}", mean_with_error(kl), "nats", test.split, seconds),
        _entry(f"bits_per_dim_elbo_{tail}", bits_per_dim(bound, test.image_spec), "bits/dim", test.split, seconds),
    ]


def _importance_weighted(model: Any, test: ImageData, k: int, count: int | None, seed: int) -> list[dict[str, Any]]:
    images = _chosen(test, count or len(test), seed)
    started = time.perf_counter()
    bound = importance_weighted_log_prob(model.log_weight, images, (model.latent_dim,), k, seed=seed)
    return _negative(bound, f"_iw{k}", test, time.perf_counter() - started)


def _precision_recall(
    fakes: np.ndarray, real: ImageData, train: ImageData, test: ImageData, features: str, seed: int
) -> list[dict[str, Any]]:
    """Both shares, each beside what as many real images of the other split score: the ceiling at this sample size."""
    started = time.perf_counter()
    extract, count = FEATURES.get(features), len(fakes)
    spec = real.image_spec
    real_features = extract(_chosen(real, count, seed), spec)
    shares = precision_recall(real_features, extract(fakes, spec), NEIGHBOURS)
    seconds = time.perf_counter() - started
    other = test if real is train else train
    ceiling = (None, None)
    if len(other) >= count:
        ceiling = precision_recall(real_features, extract(_chosen(other, count, seed), spec), NEIGHBOURS)
    tail = f"k{NEIGHBOURS}_{spelled(count)}_{real.split}_{features.replace('_', '-')}"
    return [
        _entry(f"{what}_{tail}", share, "fraction", real.split, seconds, count, real_images_score=best)
        for what, share, best in zip(("precision", "recall"), shares, ceiling)
    ]


def _memorisation(fakes: np.ndarray, train: ImageData, test: ImageData, seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    samples, held_out = fakes[:MEMORISATION_IMAGES], _chosen(test, MEMORISATION_IMAGES, seed)
    found = memorisation(samples, train.images, held_out, train.image_spec.levels, seed)
    details = {"interval": found.interval and list(found.interval), "verdict": found.verdict}
    details |= {"sample_distance": found.sample_distance, "test_distance": found.test_distance}
    seconds = time.perf_counter() - started
    return _entry("nearest_train_distance_ratio", found.ratio, "ratio", test.split, seconds, len(samples), **details)


# --- pictures --------------------------------------------------------------------------------------------------------


def _pictures(
    model: Any, train: ImageData, test: ImageData, fakes: np.ndarray, seed: int, out: Path
) -> dict[str, dict[str, str]]:
    """Draws what the model allows; name -> file (relative to ``out``) and what it shows."""
    means = model.image_spec.levels == 2 and hasattr(model, "decode")
    shows = "the decoder's means" if means else "samples"
    drawn = {"samples": (_samples(model, seed), f"{shows} of the first 100 noise draws of seed {seed}")}
    drawn["nearest"] = (
        _nearest(fakes, train),
        "top row: samples; below each, its nearest training images by pixel distance",
    )
    if latent.has_latent(model):
        walk = latent.interpolation(model, steps=COLUMNS, seed=seed)
        grid = image_grid(walk.reshape(-1, *walk.shape[2:]), columns=COLUMNS)
        drawn["interpolation"] = (grid, "each row: from one noise point to another along the sphere")
        if hasattr(model, "decode") and model.noise_spec()["z"].shape == (2,):
            plane = image_grid(latent.manifold(model), columns=20)
            drawn["manifold"] = (plane, "the latent plane, evenly in probability (inverse Gaussian CDF)")
    if hasattr(model, "encode") and hasattr(model, "decode"):
        drawn["reconstructions"] = (
            _reconstructions(model, test, seed),
            f"{test.split} images, below each its reconstruction",
        )
    if hasattr(model, "complete"):
        drawn["completions"] = (
            _completions(model, test, seed),
            f"top row: {test.split} images; below, their upper half as given; then five completions of it",
        )
    for name, (picture, _) in drawn.items():
        save_picture(picture, out / "pictures" / f"{name}.png")
    return {name: {"file": f"pictures/{name}.png", "shows": text} for name, (_, text) in drawn.items()}


def _samples(model: Any, seed: int) -> Image.Image:
    return image_grid(latent.render(model, draw(model.noise_spec(), COLUMNS**2, seed)), columns=COLUMNS)


def _nearest(fakes: np.ndarray, train: ImageData, neighbours: int = 4) -> Image.Image:
    spec, fakes = train.image_spec, fakes[:COLUMNS]
    rows = nearest_training_images(fakes, train.images, spec.levels, min(neighbours, len(train)))[1]
    below = train.images[rows.T.reshape(-1)]  # all nearest first, then all second nearest ...
    return stacked([image_grid(fakes, spec, columns=len(fakes)), image_grid(below, spec, columns=len(fakes))])


def _completions(model: Any, test: ImageData, seed: int) -> Image.Image:
    """``COLUMNS`` images, their upper half, and five completions of it."""
    spec, chosen = test.image_spec, _lot(test, COLUMNS, seed)
    originals = test.images[chosen]
    conditions = {name: values[chosen] for name, values in _conditions(model, test).items()}
    known = np.zeros(spec.shape[:2], bool)
    known[: max(1, spec.height // 2)] = True
    given = np.where(known[None, :, :, None], originals / (spec.levels - 1), 0.5)
    drawn = [model.complete(originals, known, seed + turn, **conditions) for turn in range(5)]
    below = image_grid(np.concatenate(drawn), spec, columns=len(originals))
    rows = np.concatenate([originals / (spec.levels - 1), given]).astype(np.float32)
    return stacked([image_grid(rows, columns=len(originals)), below])


def _reconstructions(model: Any, test: ImageData, seed: int) -> Image.Image:
    originals = _chosen(test, 3 * COLUMNS, seed)
    copies, spec = latent.reconstructions(model, originals), test.image_spec
    shown = originals.astype(np.float32) / (spec.levels - 1)
    pairs = [np.concatenate([shown[i : i + COLUMNS], copies[i : i + COLUMNS]]) for i in range(0, len(shown), COLUMNS)]
    return stacked([image_grid(pair, columns=len(pair) // 2) for pair in pairs])
