"""A transposed convolution's forward and backward pass: the sub-pixel form against TensorFlow's own, by sizes, in one run."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from alternate import alternate, arguments, report

from keras_gen.layers.upsampling_convolution import FEW_MAPS, quick

# side, maps in, maps out, batch
SIZES = (
    (7, 64, 32, 64),
    (14, 64, 8, 64),
    (14, 64, 4, 64),
    (14, 64, 3, 64),
    (14, 64, 1, 64),
    (14, 32, 1, 64),
    (16, 48, 3, 64),
    (32, 128, 3, 16),
    (32, 64, 3, 64),
)
PASSES = 8


def passes(form: Callable, side: int, maps: int, outputs: int, batch: int) -> Callable[[], None]:
    """``PASSES`` times one form's outputs and their gradients with respect to its input and kernel."""
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(batch, side, side, maps)).astype(np.float32))
    kernel = tf.Variable(random.normal(size=(4, 4, outputs, maps)).astype(np.float32))
    slope = tf.constant(random.normal(size=(batch, 2 * side, 2 * side, outputs)).astype(np.float32))

    @tf.function
    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = form(x, kernel)
        return [y, *tape.gradient(y, [x, kernel], output_gradients=slope)]

    def run() -> None:
        for _ in range(PASSES):
            gradients()[-1].numpy()

    return run


def own(x: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
    """TensorFlow's, as Keras calls it."""
    shape = (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2])
    return tf.nn.conv2d_transpose(x, kernel, shape, 2)


def main() -> None:
    """The command."""
    options = arguments(__doc__, rounds=15, seconds_warm_up=0.3)
    print(f"The layer takes the sub-pixel form where at most {FEW_MAPS} maps leave.")
    for size in SIZES:
        name = "{} px, {} to {} maps, batch {}".format(*size)
        ours, others = f"{name}: sub-pixel", f"{name}: TensorFlow's"
        sides = {ours: passes(lambda x, k: quick(x, k.value()), *size), others: passes(own, *size)}
        times = alternate(sides, options.rounds, options.warm_up)
        report(times, steps=PASSES, ours=ours, others=[others], record=options.record)


if __name__ == "__main__":
    main()
