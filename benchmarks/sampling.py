"""Sampling a PixelCNN, 28x28 binary, same weights: the exported sampler against what others do, and against its limits.

Milliseconds an image. The limit is the bare matrix products: for every pixel and layer one of the batch's rows with the
kernel's live taps, in NumPy. ``model.predict`` is run for a few pixels and multiplied up: its cost does not depend on which.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from alternate import alternate, arguments, report

import keras_gen
from keras_gen.core.noise import draw

FILTERS, BLOCKS = 32, 5
SMALL, LARGE = 16, 64
PREDICTED_PIXELS = 28


def model_of(side: int) -> keras_gen.PixelCNN:
    """The model for images of ``side`` pixels."""
    return keras_gen.PixelCNN(keras_gen.ImageSpec(side, side, 1, 2), FILTERS, BLOCKS)


def full_recomputation(model: keras_gen.PixelCNN, batch: int) -> Callable[[], None]:
    """One compiled loop over the pixels, the whole network in each turn."""
    spec = model.image_spec
    pixels = spec.height * spec.width
    uniform = tf.constant(draw(model.noise_spec(), batch, 0)["u"].reshape(batch, pixels))

    @tf.function(jit_compile=True)
    def drawn(uniform: tf.Tensor) -> tf.Tensor:
        def body(i: tf.Tensor, image: tf.Tensor) -> tuple:
            logits = tf.reshape(
                model.parameters_of(2.0 * tf.reshape(image, (batch, *spec.shape)) - 1.0), (batch, pixels)
            )
            level = tf.cast(tf.gather(uniform, i, axis=1) < tf.sigmoid(tf.gather(logits, i, axis=1)), tf.float32)
            return i + 1, image + level[:, None] * tf.one_hot(i, pixels)

        return tf.while_loop(lambda i, _: i < pixels, body, (0, tf.zeros((batch, pixels))))[1]

    return lambda: drawn(uniform).numpy()


def predict_a_pixel(model: keras_gen.PixelCNN, batch: int) -> Callable[[], None]:
    """``predict`` of the whole network, as tutorials draw each pixel."""

    class Network(keras.Model):
        def call(self, x: tf.Tensor) -> tf.Tensor:
            return model.parameters_of(x)

    network, images = Network(), np.zeros((batch, *model.image_spec.shape), np.float32)

    def run() -> None:
        for _ in range(PREDICTED_PIXELS):
            network.predict(images, verbose=0)

    return run


def bare_products(batch: int, pixels: int) -> Callable[[], None]:
    """Every layer's product for every pixel: ``[batch, live taps x in] @ [live taps x in, out]``."""
    wide = 2 * FILTERS
    block = [(wide, FILTERS), (5 * FILTERS, FILTERS), (FILTERS, wide)]
    shapes = [(24, wide), *(block * BLOCKS), (wide, wide), (wide, 1)]
    generator = np.random.default_rng(0)
    products = [
        (
            generator.normal(size=(batch, inputs)).astype(np.float32),
            generator.normal(size=(inputs, outputs)).astype(np.float32),
            np.empty((batch, outputs), np.float32),
        )
        for inputs, outputs in shapes
    ]

    def run() -> None:
        for _ in range(pixels):
            for x, kernel, out in products:
                np.matmul(x, kernel, out=out)

    return run


def exported(model: keras_gen.PixelCNN, folder: Path) -> dict[str, Callable[[int], Callable[[], None]]]:
    """The artifact's samplers, loaded as a server would: name -> batch -> call."""
    model.export(folder, format=["saved_model", "onnx"])
    saved = tf.saved_model.load(str(folder / "saved_model" / "1"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # small products: a second thread only waits
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "sample.onnx"), options)

    def of_saved(batch: int) -> Callable[[], None]:
        noise = {name: tf.constant(value) for name, value in draw(model.noise_spec(), batch, 0).items()}
        return lambda: saved.signatures["sample"](**noise)["image"].numpy()

    def of_onnx(batch: int) -> Callable[[], None]:
        noise = draw(model.noise_spec(), batch, 0)
        return lambda: session.run(["image"], noise)

    return {"SavedModel": of_saved, "ONNX Runtime": of_onnx}


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=5, seconds_warm_up=1.0)
    model = model_of(28)
    with tempfile.TemporaryDirectory() as folder:
        samplers = exported(model, Path(folder) / "artifact")
        record = options.record

        print(f"\nbatch {SMALL}, ms an image")
        ours = f"SavedModel, batch {SMALL}"
        sides = {
            ours: samplers["SavedModel"](SMALL),
            "full recomputation, one XLA loop": full_recomputation(model, SMALL),
        }
        times = alternate(sides, max(2, options.rounds // 2), options.warm_up)
        start = time.perf_counter()
        predict_a_pixel(model, SMALL)()
        predicted = (time.perf_counter() - start) * 28 * 28 / PREDICTED_PIXELS
        times["predict a pixel"] = [predicted] * len(times[ours])
        targets = {"full recomputation, one XLA loop": 150.0, "predict a pixel": 1000.0}
        report(times, steps=SMALL, ours=ours, others=list(targets), targets=targets, record=record)

        print(f"\nbatch {LARGE}, ms an image")
        ours = "bare matrix products"
        sides = {ours: bare_products(LARGE, 28 * 28)}
        sides |= {f"{name}, batch {LARGE}": make(LARGE) for name, make in samplers.items()}
        times = alternate(sides, options.rounds, options.warm_up)
        others = [name for name in sides if name != ours]
        # Times the limit: at most 4 is wanted of the SavedModel, 3 times that of ONNX Runtime.
        report(times, steps=LARGE, ours=ours, others=others, record=record)

    print(f"\nms a pixel of {LARGE} images, by image size")
    sides = {}
    for side in (16, 28, 64):
        sized = model_of(side)
        noise = {name: tf.constant(value) for name, value in draw(sized.noise_spec(), LARGE, 0).items()}
        function = tf.function(sized.generate, jit_compile=True)
        sides[f"{side}x{side}"] = (lambda f, n: lambda: f(n).numpy())(function, noise)
    times = alternate(sides, options.rounds, options.warm_up)
    a_pixel = {name: [s / int(name.split("x")[0]) ** 2 for s in seconds] for name, seconds in times.items()}
    report(a_pixel, ours="16x16", others=["28x28", "64x64"], record=record)


if __name__ == "__main__":
    main()
