"""Sides of a comparison run in turn, round by round, in one process: what disturbs one round disturbs all its sides."""

import argparse
import datetime
import importlib.metadata
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_gen

RESULTS = Path(__file__).with_name("results.jsonl")
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "onnxruntime")
# Both libraries' worker threads spin for some milliseconds after their last work; the next side need not pay for that.
SECONDS_BETWEEN = 0.02
CLOCKS = {"wall": time.perf_counter, "CPU": time.process_time}
clock = "wall"


def arguments(description: str, rounds: int, seconds_warm_up: float = 5.0) -> argparse.Namespace:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each side ({rounds})")
    parser.add_argument(
        "--warm-up", type=float, default=seconds_warm_up, help=f"seconds of each side before ({seconds_warm_up:g})"
    )
    parser.add_argument(
        "--one-core", action="store_true", help="CPU time on one core: what a busy machine still leaves comparable"
    )
    parser.add_argument("--record", action="store_true", help=f"append the figures to {RESULTS.name}")
    options = parser.parse_args()
    if options.one_core:
        global clock
        clock = "CPU"
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before either library starts its threads
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}; give an integer of at least 1")
    return options


def cores() -> int:
    """How many cores this process may use: PyTorch's threads, which it does not count itself."""
    return len(os.sched_getaffinity(0))


def alternate(sides: Mapping[str, Callable[[], None]], rounds: int, seconds_warm_up: float) -> dict[str, list[float]]:
    """Seconds of each side's call, a number a round. Every other round goes backwards: drift then favours no side.

    Before, each side runs until ``seconds_warm_up`` have passed, twice at least: the first call traces and compiles.
    """
    for side in sides.values():
        side()
        start = time.perf_counter()
        side()
        while time.perf_counter() - start < seconds_warm_up:
            side()
    now, times = CLOCKS[clock], {name: [] for name in sides}
    for turn in range(rounds):
        for name in list(sides)[:: -1 if turn % 2 else 1]:
            time.sleep(SECONDS_BETWEEN)
            start = now()
            sides[name]()
            times[name].append(now() - start)
    return times


def report(
    times: Mapping[str, Sequence[float]],
    *,
    steps: int = 1,
    ours: str | None = None,
    others: Sequence[str] = (),
    targets: Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    record: bool = False,
) -> dict[str, dict[str, Any]]:
    """Prints each side's milliseconds a step, and how many times ours each of ``others`` takes.

    A ratio is taken in each round; the median, least and largest of them are given. ``targets`` are ratios to reach,
    ``limits`` milliseconds to stay below. Returns the figures; ``record`` appends them to ``results.jsonl``.
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, seconds in times.items():
        figures[name] = {"median_ms": 1e3 * statistics.median(seconds) / steps, "min_ms": 1e3 * min(seconds) / steps}
        if name in others:
            ratios = [theirs / mine for theirs, mine in zip(seconds, times[ours])]
            figures[name] |= {"ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)]}
        if name in (targets or {}):
            figures[name] |= {"target": targets[name], "met": figures[name]["ratio"] >= targets[name]}
        if name in (limits or {}):
            figures[name] |= {"limit_ms": limits[name], "met": figures[name]["median_ms"] <= limits[name]}
    width = max(map(len, times))
    for name, row in figures.items():
        print(f"{name:{width}}  median {row['median_ms']:8.2f} ms  min {row['min_ms']:8.2f} ms{_verdict(row)}")
    others_share = cpu_share_taken_by_others()
    if others_share is not None and clock == "wall":
        print(f"{others_share:.0%} of the CPU time went to others; beyond a few percent, wait for a quiet machine.")
    if record:
        with RESULTS.open("a", encoding="utf-8") as file:
            circumstances = _circumstances(len(times[name]), steps, ours, others_share)
            file.write(json.dumps(_rounded(circumstances | {"sides": figures})) + "\n")
        print(f"appended to {RESULTS}")
    return figures


def _verdict(row: Mapping[str, Any]) -> str:
    words = ""
    if "ratio" in row:
        low, high = row["ratio_range"]
        words += f"  {row['ratio']:.2f} x ours ({low:.2f} to {high:.2f})"
    if "met" in row:
        wanted = f"target {row['target']:g}" if "target" in row else f"limit {row['limit_ms']:g} ms"
        words += f"  {wanted}: {'met' if row['met'] else 'MISSED'}"
    return words


def _cpu_seconds() -> tuple[float, float, float]:
    """Of all cores since boot: seconds that passed, and that were not idle; and those of this process and its children.

    What a hypervisor stole counts as not idle. Zeros where there is no ``/proc/stat``.
    """
    try:
        ticks = [int(count) for count in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0, 0.0, 0.0
    hertz = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / hertz, (sum(ticks) - ticks[3] - ticks[4]) / hertz, sum(os.times()[:4])


BEGAN = _cpu_seconds()


def cpu_share_taken_by_others() -> float | None:
    """Which part of the machine's CPU time went to other processes, or to other machines on its host, since the start.

    None where the system does not say.
    """
    passed, busy, own = (now - then for now, then in zip(_cpu_seconds(), BEGAN))
    return max(0.0, (busy - own) / passed) if passed else None


def _circumstances(rounds: int, steps: int, ours: str | None, others: float | None) -> dict[str, Any]:
    versions = {"python": sys.version.split()[0], "keras_gen": keras_gen.__version__}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": cores(),
        "clock": clock,
        "cpu_share_taken_by_others": others,
        "versions": versions,
        "rounds": rounds,
        "steps_a_round": steps,
        "ours": ours,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return round(value, 3) if isinstance(value, float) else value
