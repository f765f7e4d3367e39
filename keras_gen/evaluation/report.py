"""Measures a model, or an artifact, by what it can do; writes ``report.json``, ``report.html`` and pictures."""

import logging
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_gen
from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.files import check_file, check_name, read_json, write_json
from keras_gen.core.image_data import ImageData
from keras_gen.evaluation import (  # noqa: F401 they enter their metrics
    caption_measurements,
    scene_measurements,
    translation_measurements,
)
from keras_gen.evaluation.measurement import Measurement, chosen_measurements
from keras_gen.evaluation.measurements import PRECISION_NEIGHBOURS
from keras_gen.evaluation.report_html import write_html
from keras_gen.evaluation.report_pictures import draw_pictures
from keras_gen.evaluation.subject import Subject
from keras_gen.evaluation.translation import source_of
from keras_gen.metrics.features import default_space, feature_space
from keras_gen.training.progress import weight_count

SCHEMA = "keras_gen/report/1"

log = logging.getLogger(__name__)


def evaluate(
    model: Any,
    train: ImageData,
    test: ImageData,
    *,
    out: str | os.PathLike,
    samples: int = 10_000,
    seed: int = 0,
    features: str | None = None,
    metrics: Sequence[str] | None = None,
    reference: ImageData | None = None,
    validation: ImageData | None = None,
    importance_samples: int | None = None,
    importance_images: int | None = None,
    name: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measures the model, writes ``<out>/report.json``, ``report.html`` and ``pictures/*.png``, and returns the report.

    Every number's name is its protocol: what, with which parameters, on how many images of which split, in which feature
    space. What is measured depends on what the model can do; see ``MEASUREMENTS``. A report that is there already is kept in
    the new one's ``history``.

    Args:
        model: a model, or a ``LoadedArtifact``: a ``Sampler`` with an ``image_spec``.
        train, test: images the model was and was not trained on, of the model's ``image_spec``.
        out: the folder.
        samples: images drawn, and compared with as many real ones: of ``reference``; by default of ``test``, if it holds so
            many; otherwise of ``train``, if that does; otherwise both numbers shrink to the size of ``test``. A model that
            makes images of others is given ``test``'s sources, as many of them at most.
        seed: of all noise and of all choices of images.
        features: the feature space, by name: ``"random_conv"``, ``"classifier_mnist"``, ``"network:FILE.keras"``,
            ``"inception_v3"``, ``"inception_v3:WEIGHTS.h5"``, ``"pixels"``; default: ``default_space`` of the data set.
        metrics: names of ``MEASUREMENTS``; default: all that apply.
        reference: the split that samples are compared with: ``train``, ``test`` or a third.
        validation: the split on which Parzen windows choose their width; None leaves that score out.
        importance_samples: k of the importance-weighted bound (models with ``log_prob_bound``); None leaves it out.
        importance_images: how many test images it is taken on; default: all.
        name: what the report calls the model; default: the model's own name.
        about: more of the report: how the model came to be.

    Raises:
        InvalidInput: data that is not the model's, or arguments that cannot be; before anything long is done.
        OutputFailed: the folder cannot be written to.
    """
    out, began = check_name(out), time.perf_counter()
    options = {"importance_samples": importance_samples, "importance_images": importance_images}
    features = features or default_space(test.name)
    subject, wanted = check_evaluation(
        model,
        train,
        test,
        samples=samples,
        seed=seed,
        features=features,
        metrics=metrics,
        reference=reference,
        validation=validation,
        **options,
    )
    real = subject.real
    before = _history(out / "report.json")
    check_file(out / "report.html")
    _make_folder(out / "pictures")
    lines = []
    for metric, measurement in wanted.items():
        log.info("measuring %s", metric)
        lines += measurement.measure(subject)
    report = {
        "schema": SCHEMA,
        "model": _described(model, name),
        "image_spec": model.image_spec.get_config(),
        "data": {
            "name": test.name,
            **{data.split: len(data) for data in (train, test, real)},
            **({} if all(data.redistributable for data in (train, test, real)) else {"redistributable": False}),
        },
        "features": {"name": features, "description": subject.space.description},
        "seed": seed,
        "metrics": lines,
        "pictures": draw_pictures(subject, out),
        "versions": _versions(),
        "hardware": _hardware(),
        "measured": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(time.perf_counter() - began, 1),
        **(about or {}),
    }
    write_json(out / "report.json", {**report, "history": before})
    write_html(out, report)
    return report


def check_evaluation(
    model: Any,
    train: ImageData,
    test: ImageData,
    *,
    samples: int = 10_000,
    seed: int = 0,
    features: str | None = None,
    metrics: Sequence[str] | None = None,
    reference: ImageData | None = None,
    validation: ImageData | None = None,
    importance_samples: int | None = None,
    importance_images: int | None = None,
) -> tuple[Subject, dict[str, Measurement]]:
    """What ``evaluate`` would measure with these arguments, and on what; its ``InvalidInput`` if it would refuse them."""
    splits = {"train": train, "test": test, "reference": reference, "validation": validation}
    _check(model, splits, samples, importance_samples, importance_images)
    space = feature_space(features or default_space(test.name))
    space.check(model.image_spec)
    translates = source_of(model) is not None
    real = reference or (test if translates else _comparison(train, test, samples))
    samples = min(samples, len(real.images), len(test.features["source"]) if translates else samples)
    options = {"importance_samples": importance_samples, "importance_images": importance_images}
    subject = Subject(model, train, test, real, samples, space, seed, options, validation)
    return subject, chosen_measurements(subject, metrics)


def _described(model: Any, name: str | None) -> dict[str, Any]:
    described = {
        "name": name or getattr(model, "name", type(model).__name__),
        "class": getattr(model, "model_class", type(model).__name__),
    }
    if (format_ := getattr(model, "format", None)) is not None:
        return {**described, "artifact": format_}
    return {**described, "parameters": weight_count(model)}


def _versions() -> dict[str, str]:
    modules = {"keras_gen": keras_gen, "keras": keras, "tensorflow": tf, "numpy": np}
    return {**{name: module.__version__ for name, module in modules.items()}, "python": platform.python_version()}


def _hardware() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    return ", ".join(names) or f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _history(path: Path) -> list[dict[str, Any]]:
    """Earlier reports of this folder, oldest first. What cannot be read, or is none, is not overwritten."""
    check_file(path)
    if not path.exists():
        return []
    try:
        before = read_json(path, "repair it")
    except InvalidInput as error:
        raise InvalidInput(
            f"{path} cannot be read, so what it held would be lost ({error}); move it elsewhere."
        ) from error
    history = before.pop("history", []) if isinstance(before, dict) else None
    if not isinstance(history, list) or before.get("schema") != SCHEMA:
        raise InvalidInput(f"{path} is no report of schema {SCHEMA!r} and would be lost; move it elsewhere.")
    return [*history, before]


# --- before the work -------------------------------------------------------------------------------------------------


def _check(
    model: Any,
    splits: Mapping[str, ImageData | None],
    samples: int,
    importance_samples: Any,
    importance_images: Any,
) -> None:
    for role, data in splits.items():
        if data is None:
            continue
        if data.image_spec != model.image_spec:
            raise InvalidInput(
                f"{role}={data.name!r} holds {data.image_spec}, the model makes {model.image_spec}; measure it on "
                "data of its own kind."
            )
        if len(data) <= PRECISION_NEIGHBOURS:
            raise InvalidInput(
                f"{role} holds {len(data)} images; precision and recall need at least {PRECISION_NEIGHBOURS + 1}."
            )
    _check_conditions(model, splits["test"])
    wanted = (("samples", samples, PRECISION_NEIGHBOURS + 1), ("importance_samples", importance_samples, 1))
    for argument, value, least in (*wanted, ("importance_images", importance_images, 1)):
        if value is None and argument != "samples":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidInput(f"{argument}={value!r}; give an integer of at least {least}.")
    if importance_samples is not None and not hasattr(model, "log_prob_bound"):
        raise InvalidInput(
            f"{type(model).__name__} has no log_prob_bound, which takes importance samples; leave importance_samples out."
        )


def _check_conditions(model: Any, test: ImageData) -> None:
    test.check_kinds(model.condition_spec())
    for name, kind in model.condition_spec().items():
        if not kind.of_data:
            continue
        if name not in test.features:
            raise InvalidInput(
                f"{type(model).__name__} wants a {name} for each image, which {test.name} does not have."
            )
        try:
            kind.check(name, test.features[name], len(test.features[name]))
        except InvalidInput as error:
            raise InvalidInput(f"{test.name}: {error} Measure the model on the data that it was trained on.") from error


def _make_folder(folder: Path) -> None:
    """A place that cannot be written to is better known before an hour of measuring than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(f"Could not make {folder}: {error.strerror or error}. Choose another place.") from error


def _comparison(train: ImageData, test: ImageData, samples: int) -> ImageData:
    return train if len(test) < samples <= len(train) else test
