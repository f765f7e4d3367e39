"""Whole processes, from start to exit: the command's help, and the first image from an ONNX file.

Files are warm in the page cache after the first call, which is not counted; the process itself starts anew each time.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from alternate import alternate, arguments, report

import keras_gen

DRAW = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
HELP, FIRST_IMAGE = "keras-gen --help", "draw.py ARTIFACT -n 1"


def process(*command: str | Path) -> Callable[[], None]:
    """A side: this interpreter running ``command``, its output thrown away."""
    line = [sys.executable, *map(str, command)]

    def run() -> None:
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)

    return run


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=15, seconds_warm_up=0.0)
    with tempfile.TemporaryDirectory() as folder:
        artifact, picture = Path(folder) / "artifact", Path(folder) / "x.png"
        keras_gen.GAN(keras_gen.ImageSpec(28, 28, 1), latent_dim=100).export(artifact, format="onnx")
        sides = {
            HELP: process("-m", "keras_gen.cli", "--help"),
            FIRST_IMAGE: process(DRAW, artifact, "-n", "1", "--out", picture),
        }
        times = alternate(sides, options.rounds, options.warm_up)
    report(times, limits={HELP: 500.0, FIRST_IMAGE: 1000.0}, record=options.record)


if __name__ == "__main__":
    main()
