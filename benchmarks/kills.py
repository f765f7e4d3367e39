"""Kills training and export at random moments, over all trainers, and looks at what is left.

    python benchmarks/kills.py [--kills 50] [--seed 0] [--folder FOLDER]

A run (of a likelihood model, a two-player model, a classifier, each tiny, on the embedded digits) is started, killed by
SIGKILL after a random time, and resumed until it ends; its weights, optimizers included, must be those of an uninterrupted
run, bit for bit, and its history must have each epoch once. Then exports of the run into its own folder are killed in the
same way: at every moment an artifact must stand there, whole by its checksums, and the export after the kills must count on
from its version and leave no temporary file. Half of the kills go to training, half to export. Processes are forked from one that
has imported TensorFlow and not yet used it, so that the time until a kill is spent in our code.

Prints a JSON object; exit code 1 if anything was lost. 50 kills take about 15 min on two cores.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

TINY = {"epochs": "6", "batch_size": "128"}
TRAINERS = {
    "vae_digits": {**TINY, "units": "8", "checkpoint_every": "1"},
    "dcgan_digits": {**TINY, "width": "4", "latent_dim": "4", "checkpoint_every": "1"},
    "classifier_mnist": {**TINY, "width": "4", "features": "4"},
}
FORKS = multiprocessing.get_context("forkserver")
PRELOADED = ["keras", "tensorflow", "keras_gen.runner", "keras_gen.exporters.artifact", "keras_gen.evaluation.report"]


# --- what is run in a process of its own --------------------------------------------------------------------------------


def train(recipe: str, settings: dict[str, str], folder: Path) -> None:
    from keras_gen import runner

    resume = (folder / "recipe.json").exists()
    runner.train(recipe, settings, data="digits", out=folder, resume=resume, fit_only=True)


def export(run: Path, times: int) -> None:
    from keras_gen import runner

    for _ in range(times):
        runner.export(run)


def compare(one: Path, other: Path) -> None:
    import numpy as np

    import keras_gen as kg
    from keras_gen.training.history import read_history

    histories = [
        [
            {name: value for name, value in line.items() if name != "seconds"}
            for line in read_history(run / "history.jsonl")
        ]
        for run in (one, other)
    ]
    assert histories[0] == histories[1], "the histories differ"
    models = [kg.load(run) for run in (one, other)]
    names = [
        name for name in ("optimizer", "generator_optimizer", "discriminator_optimizer") if hasattr(models[0], name)
    ]
    for name in ("model", *names):
        parts = models if name == "model" else [getattr(model, name) for model in models]
        if parts[0] is None:
            continue
        for a, b in zip(parts[0].variables, parts[1].variables, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=f"{name}: {a.path}")


def check_artifact(folder: Path) -> None:
    from keras_gen.exporters.manifest import check_files, read_manifest

    check_files(folder, read_manifest(folder))


def quietly(log: Path, function, *arguments) -> None:
    """In the child: what is written goes to a log file."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)


# --- who kills ----------------------------------------------------------------------------------------------------------


class Stress:
    """Starts, kills and counts; ``problems`` is what was lost."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.random = folder, random.Random(seed)
        self.kills, self.problems = {"training": 0, "export": 0}, []

    def run(self, function, *arguments, kill_after: float | None = None) -> bool:
        """Whether the process ended by itself; a failure of its own is a problem."""
        process = FORKS.Process(target=quietly, args=(self.folder / "log.txt", function, *arguments))
        process.start()
        process.join(kill_after)
        if process.is_alive():
            process.kill()
            process.join()
            return False
        if process.exitcode:
            self.problems.append(f"{function.__name__} {arguments[0]}: exit code {process.exitcode}; see the log")
        return True

    def timed(self, function, *arguments) -> float:
        began = time.monotonic()
        self.run(function, *arguments)
        return time.monotonic() - began

    def training(self, recipe: str, kills: int) -> Path:
        """Kills runs of ``recipe`` so often; each ends at last as the uninterrupted one, whose folder is returned."""
        straight, settings = self.folder / recipe, TRAINERS[recipe]
        seconds, runs, left = self.timed(train, recipe, settings, straight), 0, kills
        while left or not runs:
            run, ended = self.folder / f"{recipe}-{runs}", False
            while not ended:
                moment, began = self.random.uniform(0.1, seconds) if left else None, time.monotonic()
                ended = self.run(train, recipe, settings, run, kill_after=moment)
                if ended:  # the first run was the slower: most kills shall come before the end
                    seconds = min(seconds, time.monotonic() - began)
                left -= not ended
                self.kills["training"] += not ended
            self.run(compare, straight, run)
            runs += 1
            if hidden := [str(path) for path in run.rglob(".*")]:
                self.problems.append(f"left behind: {hidden}")
        return straight

    def export(self, run: Path, kills: int) -> None:
        """Kills exports into ``run`` so often, while somebody looks whether the artifact is there."""
        artifact = run / "artifact"
        seconds, done = self.timed(export, run, 1), threading.Event()
        seconds = min(seconds, self.timed(export, run, 1))
        poller = threading.Thread(target=self.poll, args=(artifact / "manifest.json", done))
        poller.start()
        for _ in range(kills):
            while self.run(export, run, 3, kill_after=self.random.uniform(0.1, 2 * seconds)):
                pass
            self.kills["export"] += 1
            self.run(check_artifact, artifact)
        before = json.loads((artifact / "manifest.json").read_text())["version"]
        self.run(export, run, 1)
        done.set()
        poller.join()
        if (now := json.loads((artifact / "manifest.json").read_text())["version"]) != before + 1:
            self.problems.append(f"version {now} follows {before}")
        if hidden := [str(path) for path in run.rglob(".*")]:
            self.problems.append(f"left behind: {hidden}")

    def poll(self, path: Path, done: threading.Event) -> None:
        while not done.is_set():
            if not path.exists():
                self.problems.append(f"{path} was missing")
                return
            time.sleep(0.0002)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    options = parser.parse_args()
    FORKS.set_forkserver_preload(PRELOADED)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        stress, shares = Stress(folder, options.seed), 2 * len(options.trainers)
        for index, recipe in enumerate(options.trainers):
            share = [options.kills // shares + (2 * index + part < options.kills % shares) for part in range(2)]
            stress.export(stress.training(recipe, share[0]), share[1])
        seconds = round(time.monotonic() - began)
        found = {"kills": stress.kills, "trainers": options.trainers, "seconds": seconds, "problems": stress.problems}
        print(json.dumps(found, indent=2))
        if stress.problems:
            print((folder / "log.txt").read_text()[-4000:], file=sys.stderr)
    return bool(stress.problems)


if __name__ == "__main__":
    sys.exit(main())
