"""Runs hostile command lines of ``keras-gen`` in one process: wrong words, numbers, names, places and damaged files.

    python benchmarks/hostile.py [--commands 1000] [--seed 0]

They are drawn, with a fixed seed, from a grammar of the commands and options there are and of values that should not be given.
Each must end with exit code 0 or 2, without a traceback, within its time; and nothing that stood there before (folders, files
of other kinds, a run's weights) may be gone or changed at the end. Prints a JSON object; exit code 1 if a command failed.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from click.testing import CliRunner

from keras_gen.cli import main as keras_gen

LIMIT = 120  # seconds a command
INTEGERS = [
    "0",
    "1",
    "-1",
    "-3",
    "3",
    "1e9",
    "1000000000",
    "9" * 400,
    "9" * 5000,
    "nan",
    "inf",
    "",
    " 5",
    "5.0",
    "None",
]
INTEGERS += ["0x10", "1_0", "\u0662", "4294967295", "4294967296", "-9223372036854775809", "True", "--", "a\0"]
LISTS = ["", ",", "0", "0,1", "1,,2", "-1,0", "0,99999999999", "x", "1.5", "0," * 500, "9" * 5000]
NAMES = [
    "",
    "x",
    "digits",
    "digit",
    "digits:",
    "mnist",
    "../digits",
    "image_folder:",
    "image_folder:.",
    "image_folder:thesis",
]
NAMES += [
    "image_folder:" + "y" * 5000,
    "image_folder:thesis?size=\u0663",
    "image_folder:thesis?size=1e9",
    "a\0b",
    "\udcff",
    "*",
]
NAMES += [
    "inception_v3",
    "inception_v3:note.txt",
    "network:note.txt",
    "network:thesis",
    "pixels",
    "random_conv",
    "classifier_mnist",
]
NAMES += [
    "train",
    "test",
    "fid",
    "fid,fid",
    "nll",
    "onnx",
    "saved_model",
    "onnx,onnx",
    ",",
    "tflite",
    "linear",
    "spherical",
]
INPUTS = [
    "run",
    "run/model.keras",
    "run/artifact",
    "run/report.json",
    "run/checkpoints",
    "half",
    "torn",
    "odd",
    "bytes",
    "tampered",
]
INPUTS += [
    "thesis",
    "note.txt",
    "empty",
    "none",
    "link",
    "dangling",
    "loop",
    "pipe",
    "fake.keras",
    "cut.keras",
    "folder.keras",
    "run/",
]
PLACES = [
    "new.png",
    "new",
    "note.txt",
    "thesis",
    "thesis.png",
    "link.png",
    "dangling.png",
    "loop",
    "pipe.png",
    "note.txt/below",
]
PLACES += [
    "sub/new.png",
    "run/samples/new.png",
    "mine.md",
    "empty",
    "run",
    "half",
    "torn",
    "run/artifact",
    "dangling",
    "link",
]
ANYWHERE = [
    "",
    "~",
    "/dev/null",
    "/dev/full",
    "/proc/self/mem",
    "/proc/none/x.png",
    "z" * 300,
    "z" * 300 + ".png",
    "d/" * 3000,
]
ANYWHERE += [
    "a\0b",
    "a\0.png",
    "\udcff",
    "\udcff.png",
    "new\nline.png",
    "\u202e.png",
    " .png",
    ".png",
    "-",
    "C:\\x.png",
    "-x",
]
SETTINGS = [
    "epochs",
    "batch_size",
    "units",
    "latent_dim",
    "seed",
    "beta",
    "dtype",
    "data",
    "learning_rate",
    "checkpoint_every",
    "x",
    "",
]
VALUES = [*INTEGERS, "float16", "float32", "mixed_bfloat16", "-0.0", "1e400", "1e-400", "[]", "{}", "digits", "\udcff"]
RECIPES = ["vae_digits", "vae_digits", "vae_digit", "", "VAE_DIGITS", "../x", "a\0", "\udcff", "vae_mnist"]
# Where a bad value happens to be a good one, training is short. The last setting of a name counts.
SHORT = ["--set", "epochs=1", "--set", "batch_size=600", "--set", "units=4", "--fit-only"]
PROTECTED = [
    "thesis",
    "thesis.png",
    "note.txt",
    "mine.md",
    "target",
    "run/model.keras",
    "run/checkpoints",
    "run/recipe.json",
]


class Grammar:
    """Command lines from a seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.latent = {
            "interpolate": {"--pairs": INTEGERS, "--steps": INTEGERS, "--path": NAMES},
            "traverse": {"--dimensions": LISTS, "--steps": INTEGERS, "--reach": VALUES},
            "manifold": {"--side": INTEGERS},
            "arithmetic": {"--plus": LISTS, "--minus": LISTS, "--add": LISTS, "--draws": INTEGERS, "--scale": VALUES},
        }

    def line(self) -> list[str]:
        """One command line."""
        made = getattr(
            self,
            self.random.choice(["train", "train", "sample", "evaluate", "export", "verify", "pictures", "results"]),
        )()
        if self.random.random() < 0.03:  # something nobody asked for
            made.insert(
                self.random.randrange(len(made) + 1), self.random.choice(["--nothing", "-q", "\0", "\udcff", "--out"])
            )
        return made

    def pick(self, *values: list[str]) -> str:
        return self.random.choice([value for part in values for value in part])

    def some(self, options: dict[str, list[str]], share: float = 0.5) -> list[str]:
        chosen = [option for option in options if self.random.random() < share]
        return [word for option in chosen for word in (option, self.random.choice(options[option]))]

    def place(self) -> str:
        return self.pick(PLACES, PLACES, ANYWHERE)

    def train(self) -> list[str]:
        words = ["train", self.pick(RECIPES)]
        for _ in range(self.random.randrange(4)):
            words += [
                "--set",
                f"{self.pick(SETTINGS)}={self.pick(VALUES)}" if self.random.random() < 0.9 else self.pick(NAMES),
            ]
        words += self.some({"--data": NAMES}, 0.3) + ["--out", self.place()]
        words += [flag for flag in ("--resume", "--dry-run") if self.random.random() < 0.3]
        return words + (SHORT if self.random.random() < 0.9 or "--dry-run" not in words else [])

    def sample(self) -> list[str]:
        words = ["sample", self.pick(INPUTS, ANYWHERE), "--out", self.place()]
        return words + self.some({"-n": INTEGERS, "--seed": INTEGERS, "--label": INTEGERS})

    def evaluate(self) -> list[str]:
        words = ["evaluate", self.pick(INPUTS, ANYWHERE)]
        options = {
            "--metrics": NAMES,
            "--samples": INTEGERS,
            "--reference": NAMES,
            "--features": NAMES,
            "--data": NAMES,
        }
        return words + self.some(options | {"--seed": INTEGERS}) + ["--out", self.place()]

    def export(self) -> list[str]:
        return ["export", self.pick(INPUTS, ANYWHERE), *self.some({"--to": NAMES}), "--out", self.place()]

    def verify(self) -> list[str]:
        return ["verify", self.pick(INPUTS, PLACES, ANYWHERE)]

    def pictures(self) -> list[str]:
        command = self.random.choice(list(self.latent))
        words = ["latent", command, self.pick(INPUTS, ANYWHERE), "--out", self.place()]
        share = 0.95 if command == "arithmetic" else 0.5
        return words + self.some(self.latent[command] | {"--seed": INTEGERS, "--label": INTEGERS}, share)

    def results(self) -> list[str]:
        words = ["results", *(self.pick(INPUTS, ANYWHERE) for _ in range(self.random.randrange(3)))]
        for option in ("--folder", "--out"):
            if self.random.random() < 0.6:
                words += [option, self.place()]
        return words


def furnish() -> None:
    """What stands in the current folder: a run, damaged copies of it, and things that are not ours."""
    run = ["train", "vae_digits", "--set", "epochs=1", "--set", "units=8", "--out", "run"]
    made = CliRunner().invoke(keras_gen, run)
    if made.exit_code:
        sys.exit(f"no run to be hostile to: {made.output}")
    for copy in ("half", "torn", "odd", "bytes"):
        shutil.copytree("run", copy)
    shutil.copytree("run/artifact", "tampered")
    with open("tampered/onnx/sample.onnx", "ab") as file:
        file.write(b"x")
    Path("half/recipe.json").write_text(Path("run/recipe.json").read_text()[:100])
    Path("torn/history.jsonl").write_text("{\n{\n")
    Path("torn/report.json").write_text('{"schema": "keras_gen/report/1", "metrics": 3}')
    Path("odd/model.keras").unlink()
    Path("odd/checkpoints/epoch-abc.keras").touch()
    Path("odd/checkpoints/epoch-00009.keras").mkdir()
    for name in ("recipe.json", "report.json", "history.jsonl"):
        Path("bytes", name).write_bytes(b"\xff\xfe\0")
    for folder in ("thesis", "thesis.png", "empty", "folder.keras"):
        Path(folder).mkdir()
    for name in ("thesis/chapter.txt", "thesis.png/chapter.txt", "note.txt", "mine.md", "target", "fake.keras"):
        Path(name).write_text("years of work")
    Path("cut.keras").write_bytes(Path("run/model.keras").read_bytes()[:5000])
    for link, target in (
        ("link", "thesis"),
        ("link.png", "target"),
        ("dangling", "nowhere"),
        ("dangling.png", "nowhere"),
        ("loop", "loop"),
    ):
        os.symlink(target, link)
    for pipe in ("pipe", "pipe.png"):
        os.mkfifo(pipe)


def contents() -> dict[str, str]:
    """Every protected file with its checksum."""
    paths = [path for name in PROTECTED for path in (Path(name), *Path(name).rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def too_long(*_) -> None:
    raise TimeoutError(f"not done after {LIMIT} s")


def attempt(words: list[str], codes: collections.Counter) -> str | None:
    """What was wrong with how this command line ended, if anything; its exit code is counted."""
    signal.alarm(LIMIT)
    try:
        result = CliRunner().invoke(keras_gen, words)
    finally:
        signal.alarm(0)
    codes[f"{words[0]} {result.exit_code}"] += 1
    if result.exit_code in (0, 2) and "Traceback" not in result.output:
        return None
    if result.exc_info is None:
        return f"exit code {result.exit_code}"
    return "".join(traceback.format_exception(*result.exc_info)[-3:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, too_long)
    began, grammar, problems, home = time.monotonic(), Grammar(options.seed), [], os.getcwd()
    codes = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "work").mkdir()
        os.chdir(Path(folder, "work"))
        furnish()
        before = contents()
        for _ in range(options.commands):
            words = grammar.line()
            if (problem := attempt(words, codes)) is not None:
                problems.append({"command": [word[:80] for word in words], "problem": problem})
                print(json.dumps(problems[-1], indent=2), flush=True)
            if contents() != before:
                problems.append({"command": words, "problem": "something that stood there was changed"})
                print(json.dumps(problems[-1], indent=2), flush=True)
                before = contents()
        os.chdir(home)
    found = {"commands": options.commands, "seconds": round(time.monotonic() - began), "exit codes": codes}
    print(json.dumps({**found, "problems": len(problems)}, indent=2))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
