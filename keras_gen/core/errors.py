"""The two errors a user meets: what came in was wrong, or what goes out could not be written."""


class InvalidInput(ValueError):
    """Something given to keras_gen is unusable: the text says what came, what was wanted and what to do."""


class TrainingDiverged(RuntimeError):
    """The loss or a weight became NaN or infinite; the text names the step and the last good checkpoint."""


class OutputFailed(OSError):
    """A file could not be written (disk full, no permission); nothing that existed before was touched."""


class ExportFailed(RuntimeError):
    """The model cannot leave in this format, or what was written did not agree with it; no artifact was written."""
