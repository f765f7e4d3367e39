"""Memory of a training step of the LSTM models against the number of rows: linear, if twice the rows take twice the memory.

Each size runs in a process of its own, since a process's peak never falls. What TensorFlow, the model and a step on 7 rows take
is subtracted. Images are 28 pixels wide, batch 16, two layers of h = 16.
"""

import argparse
import multiprocessing
import resource

import numpy as np

BATCH, WIDTH, FILTERS, LAYERS, STEPS = 16, 28, 16, 2, 2
ROWS = (14, 28, 56, 112)
LEAST_ROWS = 7
MEGABYTE = 1024  # ru_maxrss counts kilobytes on Linux


def peak(cell: str, rows: int) -> float:
    """Megabytes at the peak of a few training steps."""
    import keras_gen

    model = keras_gen.PixelRNN(keras_gen.ImageSpec(rows, WIDTH, 1, 2), cell, FILTERS, LAYERS)
    model.compile()
    images = np.random.default_rng(0).integers(0, 2, (BATCH * STEPS, rows, WIDTH, 1)).astype(np.uint8)
    model.fit(images, batch_size=BATCH, verbose=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    processes = multiprocessing.get_context("spawn")
    for cell in ("row_lstm", "diagonal_bilstm"):
        measured = {}
        for rows in (LEAST_ROWS, *ROWS):
            with processes.Pool(1) as pool:
                measured[rows] = pool.apply(peak, (cell, rows))
        base = measured.pop(LEAST_ROWS)
        for rows, megabytes in measured.items():
            each = (megabytes - base) / (rows - LEAST_ROWS)
            print(f"{cell:16}{rows:4} rows  {megabytes - base:8.1f} MB above {LEAST_ROWS} rows  {each:6.2f} MB a row")


if __name__ == "__main__":
    main()
