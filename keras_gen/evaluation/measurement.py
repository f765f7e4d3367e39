"""What a metric of a report is, and the metrics there are, by name.

A line's name is its protocol: what, with which parameters, of how many images of which split, in which feature space.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from keras_gen.core.errors import InvalidInput
from keras_gen.evaluation.subject import Subject
from keras_gen.metrics.estimate import Estimate

Lines = list[dict[str, Any]]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One metric of a report.

    ``measure(subject)`` gives its lines. ``missing(subject)`` says in words what the metric would want of this model or
    these images, or None where it can be taken; asked for by name, it is then refused, otherwise left out.
    """

    measure: Callable[[Subject], Lines]
    missing: Callable[[Subject], str | None] = lambda subject: None
    by_default: bool = True


MEASUREMENTS: dict[str, Measurement] = {}


def chosen_measurements(subject: Subject, names: Iterable[str] | None) -> dict[str, Measurement]:
    """Those asked for, or all that apply. ``InvalidInput`` for an unknown name, or one that cannot be had here."""
    if names is None:
        found = {
            name: entry for name, entry in MEASUREMENTS.items() if entry.by_default and entry.missing(subject) is None
        }
        if not found:
            raise InvalidInput(
                f"{type(subject.model).__name__} makes images of its inputs alone and has no densities; nothing here can "
                "measure it."
            )
        return found
    names = list(names)
    if not names:
        raise InvalidInput(f"No metric was named; give some of {', '.join(MEASUREMENTS)}.")
    for name in names:
        if name not in MEASUREMENTS:
            raise InvalidInput(f"Unknown metric {name!r}; known: {', '.join(MEASUREMENTS)}.")
        if (reason := MEASUREMENTS[name].missing(subject)) is not None:
            raise InvalidInput(f"Metric {name!r} cannot be measured here: {reason}")
    return {name: MEASUREMENTS[name] for name in dict.fromkeys(names)}


def measurement(name: str, **options: Any) -> Callable:
    """Enters the decorated function as a metric; ``options`` are ``Measurement``'s."""

    def enter(measure: Callable[[Subject], Lines]) -> Callable[[Subject], Lines]:
        MEASUREMENTS[name] = Measurement(measure, **options)
        return measure

    return enter


def line(
    name: str, value: Any, unit: str, split: str, began: float, n: int | None = None, **more: Any
) -> dict[str, Any]:
    """One line of the report, of a number or an ``Estimate``."""
    if isinstance(value, Estimate):
        value, more["stderr"], n = value
    log.info("%s = %s %s", name, value, unit)
    known = {key: entry for key, entry in more.items() if entry is not None}
    seconds = round(time.perf_counter() - began, 3)
    return {"name": name, "value": value, **known, "n": n, "split": split, "unit": unit, "seconds": seconds}
