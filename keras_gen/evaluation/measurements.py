"""The metrics of any model: likelihoods, distances between sets of images, copies; those of translators have their own file."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_gen.core.image_data import ImageData
from keras_gen.evaluation.measurement import Lines, line, measurement
from keras_gen.evaluation.memorisation import memorisation
from keras_gen.evaluation.subject import Subject
from keras_gen.metrics.active_units import active_units
from keras_gen.metrics.bootstrap import bootstrap_error
from keras_gen.metrics.density_coverage import density_coverage
from keras_gen.metrics.estimate import Estimate, mean_with_error, spelled
from keras_gen.metrics.features import pixels
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.inception_score import inception_score
from keras_gen.metrics.kernel_distance import kernel_distance
from keras_gen.metrics.likelihood import bits_per_dim
from keras_gen.metrics.moments import Moments
from keras_gen.metrics.parzen import parzen_score
from keras_gen.metrics.precision_recall import precision_recall
from keras_gen.metrics.sliced_wasserstein import laplacian_swd

PRECISION_NEIGHBOURS = 3  # k of precision and recall (Kynkaanniemi et al. 2019)
COVERAGE_NEIGHBOURS = 5  # k of density and coverage (Naeem et al. 2020)
SUBSET, SUBSETS = 1_000, 100  # of the kernel distance (Binkowski et al. 2018)
SPLITS = 10  # of the Inception Score (Salimans et al. 2016)
PARZEN_IMAGES = 1_000  # of the validation split, on which the windows' width is chosen (Goodfellow et al. 2014)
MEMORISATION_IMAGES = 1_000  # enough for a median; every one is compared with the whole training set
# Resampling a Frechet distance costs an eigendecomposition a time: seconds each beyond this many dimensions.
WIDEST_RESAMPLED = 256
USED = 0.01  # nats of KL from which on a latent counts as used


# --- what the model says of images ---------------------------------------------------------------------------------------


def _wants(attribute: str, what: str) -> Callable[[Subject], str | None]:
    return lambda subject: None if hasattr(subject.model, attribute) else f"the model has no {attribute} ({what})."


@measurement("nll", missing=_wants("log_prob", "explicit densities alone"))
def _exact(subject: Subject) -> Lines:
    """Exact, or the bound by dequantization with one draw an image, whose lines say so."""
    began, test = time.perf_counter(), subject.test
    dequantized = hasattr(subject.model, "dequantization_spec") and subject.model.dequantization_spec()
    draws = {"seed": subject.seed} if dequantized else {}
    log_prob = np.asarray(subject.model.log_prob(test.images, **draws, **subject.conditions(test)))
    return _negative(log_prob, "_dequantized" if dequantized else "", test, began)


def _negative(log_prob: np.ndarray, protocol: str, test: ImageData, began: float) -> Lines:
    """Negative log-likelihood and bits per dimension of one set of log-probabilities, or of bounds on them."""
    tail = f"{protocol}_{spelled(len(log_prob))}_{test.split}"
    return [
        line(f"nll{tail}", mean_with_error(-log_prob), "nats", test.split, began),
        line(f"bits_per_dim{tail}", bits_per_dim(log_prob, test.image_spec), "bits/dim", test.split, began),
    ]


@measurement("elbo", missing=_wants("elbo", "variational models alone"))
def _bound(subject: Subject) -> Lines:
    """The ELBO, its bits per dimension, and its parts: E_q[log p(x|z)] with the bound's own draws, and KL(q || p)."""
    began, test = time.perf_counter(), subject.test
    log_likelihood, groups, means = subject.latent_terms
    kl = groups.sum(axis=1)
    bound = log_likelihood - kl
    tail = f"{spelled(len(test))}_{test.split}"
    return [
        line(f"elbo_{tail}", mean_with_error(bound), "nats", test.split, began),
        line(f"elbo_reconstruction_{tail}", mean_with_error(log_likelihood), "nats", test.split, began),
        line(f"elbo_kl_{tail}", mean_with_error(kl), "nats", test.split, began),
        line(f"bits_per_dim_elbo_{tail}", bits_per_dim(bound, test.image_spec), "bits/dim", test.split, began),
        line(f"active_units_{tail}", active_units(means), "latents", test.split, began, len(test), of=means.shape[1]),
        line(
            f"used_latents_{tail}",
            int((groups.mean(axis=0) > USED).sum()),
            "latents",
            test.split,
            began,
            len(test),
            per_latent=[round(float(value), 4) for value in groups.mean(axis=0)],
        ),
    ]


def _no_importance(subject: Subject) -> str | None:
    if not hasattr(subject.model, "log_prob_bound"):
        return "the model has no log_prob_bound, which takes importance samples."
    return None if subject.options.get("importance_samples") else "give importance_samples (5,000 are usual)."


@measurement("iw_nll", missing=_no_importance)
def _importance_weighted(subject: Subject) -> Lines:
    """Burda et al. 2016."""
    began, model, test = time.perf_counter(), subject.model, subject.test
    k, count = subject.options["importance_samples"], subject.options.get("importance_images")
    rows = test.random_rows(count or len(test), subject.seed)
    bound = model.log_prob_bound(test.images[rows], k, seed=subject.seed, **subject.conditions(test, rows))
    return _negative(bound, f"_iw{k}", test, began)


# --- samples against real images -----------------------------------------------------------------------------------------


def _draws(subject: Subject) -> str | None:
    return None if subject.model.is_sampled() else "the model draws no images from noise."


def _at_least(count: int) -> Callable[[Subject], str | None]:
    def missing(subject: Subject) -> str | None:
        if (reason := _draws(subject)) is not None:
            return reason
        few = f"it wants at least {count} samples and as many real images, there are {subject.samples}; give more."
        return few if subject.samples < count else None

    return missing


def _compared(
    subject: Subject, name: str, value: Any, unit: str, began: float, ceiling: float | None = None, **more: Any
) -> dict[str, Any]:
    """A line on the samples; ``ceiling`` is what as many real images score in their place."""
    return line(name, value, unit, subject.real.split, began, subject.samples, **more, real_images_score=ceiling)


@measurement("fid", missing=_at_least(2))
def _frechet(subject: Subject) -> Lines:
    """Heusel et al. 2017."""
    began = time.perf_counter()
    real, fake = subject.real_read.features, subject.fake_read.features
    reference = Moments.of(real)
    value = frechet_distance(reference, Moments.of(fake))
    error = None
    if fake.shape[1] <= WIDEST_RESAMPLED:

        def resampled(rows: np.ndarray) -> float:
            return frechet_distance(reference, Moments.of(fake[rows]))

        error = bootstrap_error(resampled, len(fake), seed=subject.seed)
    other = subject.other_read
    ceiling = other and frechet_distance(reference, Moments.of(other.features))
    return [_compared(subject, f"fid{subject.tail}", value, "distance", began, ceiling, stderr=error)]


@measurement("kid", missing=_at_least(4))
def _kernel(subject: Subject) -> Lines:
    """Binkowski et al. 2018."""
    began = time.perf_counter()
    size = min(SUBSET, subject.samples // 2)  # of a whole set there is but one subset, and no error

    def distance(features: np.ndarray) -> Estimate:
        return kernel_distance(
            subject.real_read.features, features, subsets=SUBSETS, subset_size=size, seed=subject.seed
        )

    ceiling = None if subject.other_read is None else distance(subject.other_read.features).value
    value, error, _ = distance(subject.fake_read.features)
    name = f"kid_{SUBSETS}x{size}_{subject.tail}"
    return [_compared(subject, name, value, "distance", began, ceiling, stderr=error)]


def _no_score(subject: Subject) -> str | None:
    if not subject.space.classifies:
        return f"{subject.space.label} gives no class probabilities; choose the features of a classifier."
    return _at_least(2 * SPLITS)(subject)


@measurement("inception_score", missing=_no_score)
def _inception_score(subject: Subject) -> Lines:
    """Salimans et al. 2016, of whichever classifier the name says."""
    began = time.perf_counter()
    score = inception_score(subject.fake_read.probabilities, splits=SPLITS, seed=subject.seed)
    ceiling = inception_score(subject.real_read.probabilities, splits=SPLITS, seed=subject.seed).value
    name = f"inception_score_{SPLITS}splits_{spelled(subject.samples)}_{subject.space.label}"
    return [_compared(subject, name, score.value, "score", began, ceiling, deviation=score.deviation)]


def _pair(subject: Subject, names: tuple[str, str], metric: Callable, k: int, began: float) -> Lines:
    """Two shares of the samples, each with its ceiling."""
    real = subject.real_read.features
    shares = metric(real, subject.fake_read.features, k)
    ceiling = (None, None) if subject.other_read is None else metric(real, subject.other_read.features, k)
    return [
        _compared(subject, f"{what}_k{k}_{subject.tail}", share, "fraction", began, best)
        for what, share, best in zip(names, shares, ceiling, strict=True)
    ]


@measurement("precision_recall", missing=_at_least(PRECISION_NEIGHBOURS + 1))
def _precision_recall(subject: Subject) -> Lines:
    """Kynkaanniemi et al. 2019."""
    began = time.perf_counter()
    return _pair(subject, ("precision", "recall"), precision_recall, PRECISION_NEIGHBOURS, began)


@measurement("density_coverage", missing=_at_least(COVERAGE_NEIGHBOURS + 1))
def _density_coverage(subject: Subject) -> Lines:
    """Naeem et al. 2020."""
    began = time.perf_counter()
    return _pair(subject, ("density", "coverage"), density_coverage, COVERAGE_NEIGHBOURS, began)


def _no_validation(subject: Subject) -> str | None:
    if subject.validation is None:
        return "the width of its windows is chosen on validation images; give validation."
    return _draws(subject)


@measurement("parzen", missing=_no_validation)
def _parzen(subject: Subject) -> Lines:
    """Goodfellow et al. 2014; beside it what as many training images score in the samples' place."""
    began, spec, test = time.perf_counter(), subject.test.image_spec, subject.test
    held_out = subject.validation.random_subset(PARZEN_IMAGES, subject.seed).images
    sides = pixels(held_out, spec), pixels(test.images, spec)
    score, sigma = parzen_score(pixels(subject.fakes, spec), *sides)
    ceiling = None
    if len(subject.train) >= subject.samples:
        some = subject.train.random_subset(subject.samples, subject.seed).images
        ceiling = parzen_score(pixels(some, spec), *sides).score.value
    name, unit = f"parzen_{spelled(subject.samples)}_{test.split}", "nats of Parzen windows, no likelihood"
    return [line(name, score, unit, test.split, began, sigma=sigma, real_images_score=ceiling)]


def _too_small_for_pyramids(subject: Subject) -> str | None:
    side = min(subject.real.image_spec.shape[:2])
    return _draws(subject) if side >= 16 else f"its patches want images of at least 16 px, these have {side}."


@measurement("swd", missing=_too_small_for_pyramids, by_default=False)
def _sliced_wasserstein(subject: Subject) -> Lines:
    """Karras et al. 2018, a line a level of the pyramid."""
    began, spec = time.perf_counter(), subject.real.image_spec
    levels = laplacian_swd(subject.reals, subject.fakes, levels=spec.levels, seed=subject.seed)
    tail = f"{spelled(subject.samples)}_{subject.real.split}"
    return [_compared(subject, f"swd{size}px_{tail}", value, "1e-3", began) for size, value in levels.items()]


@measurement("memorisation", missing=_draws)
def _memorisation(subject: Subject) -> Lines:
    """How near the training images are, in pixels, and in features where these are no pixels."""
    lines, held_out = [], subject.test.random_subset(MEMORISATION_IMAGES, subject.seed).images
    samples, train = subject.fakes[:MEMORISATION_IMAGES], subject.train
    spec, scale = train.image_spec, train.image_spec.levels - 1
    sides: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "nearest_train_distance_ratio": lambda images: images.reshape(len(images), -1)
    }
    if subject.space.label != "pixels":
        name = f"nearest_train_distance_ratio_{subject.space.label}"
        sides[name] = lambda images: subject.space.read(images, spec).features
    for name, read in sides.items():
        began = time.perf_counter()
        unit = scale if name == "nearest_train_distance_ratio" else 1.0
        found = memorisation(read(samples), read(train.images), read(held_out), unit, subject.seed)
        details = {"interval": found.interval and list(found.interval), "verdict": found.verdict}
        details |= {"sample_distance": found.sample_distance, "test_distance": found.test_distance}
        lines.append(line(name, found.ratio, "ratio", subject.test.split, began, len(samples), **details))
    return lines


@measurement("accuracy", missing=_wants("classify", "classifiers alone"))
def _accuracy(subject: Subject) -> Lines:
    """Share of the test images classified right; of binarized ones too, where the classifier was trained on such."""
    lines = []
    sides = {"": subject.test}
    if getattr(subject.model, "binarize", 0.0) and subject.test.image_spec.levels > 2:
        sides["_binarized"] = subject.test.binarized(subject.seed)
    for suffix, data in sides.items():
        began = time.perf_counter()
        images = data.images * np.uint8(subject.test.image_spec.levels - 1) if suffix else data.images
        right = subject.model.classify(images).argmax(axis=1) == data.features["label"]
        name = f"accuracy{suffix}_{spelled(len(data))}_{data.split}"
        lines.append(line(name, mean_with_error(right), "fraction", data.split, began))
    return lines
