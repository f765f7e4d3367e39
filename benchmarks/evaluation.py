"""A whole report of 10,000 samples of an exported 28x28x1 generator, classifier features included, without its model.

Everything that `keras-gen evaluate ARTIFACT` does: checksums, drawing in ONNX Runtime, features of samples, of as many images of
both splits and of the training set, FID with its bootstrap, KID, Inception Score, precision, recall, density, coverage, both
memorisation ratios, pictures and HTML. The images are drawn at random: what they show does not change the time.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from alternate import arguments, report

import keras_gen
from keras_gen.core.image_data import ImageData
from keras_gen.evaluation import evaluate
from keras_gen.exporters.loaded_artifact import LoadedArtifact

SAMPLES, TRAIN, LIMIT_MS = 10_000, 55_000, 120_000.0
NAME = "report of 10,000 samples"


def images(split: str, count: int, seed: int) -> ImageData:
    """Uniform noise in MNIST's shape."""
    spec = keras_gen.ImageSpec(28, 28, 1)
    drawn = np.random.default_rng(seed).integers(0, 256, (count, *spec.shape), dtype=np.uint8)
    return ImageData("noise", split, spec, {"image": drawn})


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=1)
    train, test = images("train", TRAIN, 0), images("test", SAMPLES, 1)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        model = keras_gen.GAN(train.image_spec)
        model.compile()
        model.export(Path(folder) / "artifact", "onnx")
        for turn in range(options.rounds):
            start = time.perf_counter()
            found = evaluate(
                LoadedArtifact(Path(folder) / "artifact"),
                train,
                test,
                samples=SAMPLES,
                features="classifier_mnist",
                out=Path(folder) / str(turn),
            )
            times.append(time.perf_counter() - start)
    for line in found["metrics"]:
        print(f"{line['name']:60}{line['seconds']:8.1f} s")
    report({NAME: times}, limits={NAME: LIMIT_MS}, record=options.record)


if __name__ == "__main__":
    main()
