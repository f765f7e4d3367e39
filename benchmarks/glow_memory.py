"""Memory of a training step of Glow by depth: activations stored, or computed again by inverting the steps.

Each side runs in a process of its own, since a process's peak never falls. What TensorFlow, the model and a step of depth 4 take
is subtracted. Images are 32x32x3, batch 128, one level of 16x16x12, width 128; targets: 64 steps.
"""

import multiprocessing
import resource

import numpy as np
from alternate import arguments

BATCH, LEVELS, WIDTH, STEPS = 128, 1, 128, 1
DEPTHS, LEAST_DEPTH = (16, 64), 4
MEGABYTE = 1024  # ru_maxrss counts kilobytes on Linux


def peak(memory: str, depth: int) -> float:
    """Megabytes at the peak of a few training steps."""
    import keras_gen

    model = keras_gen.Glow((32, 32, 3), LEVELS, depth, WIDTH, memory=memory)
    model.compile()
    model.started.assign(1.0)
    images = np.random.default_rng(0).integers(0, 256, (BATCH * STEPS, 32, 32, 3)).astype(np.uint8)
    model.fit(images, batch_size=BATCH, verbose=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def main() -> None:
    """The command."""
    arguments(__doc__, rounds=1)
    processes = multiprocessing.get_context("spawn")
    for memory in ("store", "invert"):
        measured = {}
        for depth in (LEAST_DEPTH, *DEPTHS):
            with processes.Pool(1) as pool:
                measured[depth] = pool.apply(peak, (memory, depth))
        base = measured.pop(LEAST_DEPTH)
        for depth, megabytes in measured.items():
            each = (megabytes - base) / (depth - LEAST_DEPTH)
            print(f"{memory:8}{depth:4} steps  {megabytes:8.1f} MB in all, {each:6.2f} MB a step")


if __name__ == "__main__":
    main()
