"""A user's first lines are the project's own; what somebody should read still comes through."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_gen.core import quiet

ROOT = Path(__file__).parent.parent
# As a user has it: the tests' own environment silences TensorFlow further.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)

BANNERS = b"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1.1   1 port.cc:153] oneDNN custom operations are on. You may see slightly different numerical results.
I0000 00:00:1.1   1 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available CPU instructions.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
"""
NO_GPU = b"""I0000 00:00:1.1   1 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
E0000 00:00:1.1   1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)
"""
REAL = (
    b"W0000 00:00:1.1   1 gpu_device.cc:2433] Cannot dlopen some GPU libraries.\nfile.py:3: UserWarning: yours\nno end"
)

# A training whose user warns in Python's two ways and writes to standard error below Python, as C++ code does.
TRAINING = """
import logging, os, sys, warnings
from keras_gen import runner
from keras_gen.training.history import HistoryLog

before = HistoryLog.on_epoch_end
def on_epoch_end(self, epoch, logs=None):
    warnings.warn("a warning of Python's")
    logging.getLogger("user").warning("a warning of logging's")
    os.write(2, b"a line of C++ code\\n")
    before(self, epoch, logs)
HistoryLog.on_epoch_end = on_epoch_end
runner.train("vae_digits", {"epochs": 1, "batch_size": 256, "units": 8}, out=sys.argv[1], fit_only=True)
"""


def process(*words):
    return subprocess.run([sys.executable, *map(str, words)], env=ENVIRONMENT, capture_output=True, text=True)


def test_banners_go_and_all_else_stays():
    assert quiet.without_banners(BANNERS + NO_GPU + REAL, gpu=False) == REAL
    assert quiet.without_banners(NO_GPU + BANNERS + REAL, gpu=True) == NO_GPU + REAL


def test_a_command_shows_its_run_and_nothing_else(tmp_path):
    """Train, measure and export; on no terminal, so that each line of progress is a line."""
    settings = [word for name in ("epochs=1", "batch_size=256", "units=8") for word in ("--set", name)]
    found = process("-m", "keras_gen.cli", "train", "vae_digits", *settings, "--out", tmp_path / "run")
    assert found.returncode == 0, found.stderr
    head, *progress = found.stderr.splitlines()
    assert re.fullmatch(
        r"vae_digits: VAE, [\d,]+ weights, on digits \(1,258 training, 180 validation images\), 1 epoch of batch 256 -> "
        + re.escape(str(tmp_path / "run")),
        head,
    )
    assert len(progress) == 1 and progress[0].startswith("vae_digits  epoch 1/1 ")
    assert (
        found.stdout.split()[0] == "vae_digits" and found.stdout.splitlines()[-1] == f"Run folder: {tmp_path / 'run'}"
    )


def test_warnings_come_through(tmp_path):
    found = process("-c", TRAINING, tmp_path / "run")
    assert found.returncode == 0, found.stderr
    for line in ("UserWarning: a warning of Python's", "a warning of logging's", "a line of C++ code"):
        assert line in found.stderr
    assert "oneDNN" not in found.stderr


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        ("import os; os.write(2, b'first\\n'); raise ImportError('half installed')", "ImportError: half installed"),
        ("import os; os.write(2, b'first\\n'); os.abort()", "Fatal Python error: Aborted"),
    ],
    ids=["error", "abort"],
)
def test_a_tensorflow_that_does_not_load_says_so(tmp_path, broken, shown):
    (tmp_path / "tensorflow.py").write_text(broken)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras_gen; import tensorflow"
    found = process("-c", code)
    assert found.returncode != 0 and shown in found.stderr
    assert "first" in found.stderr or "abort" in broken  # what was held is lost with the process, and alone then


def test_who_asks_for_tensorflows_log_gets_it_whole():
    code = "import sys, keras_gen; print([type(finder).__module__ for finder in sys.meta_path])"
    for level, held in (("0", False), ("2", True)):
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": level},
            capture_output=True,
            text=True,
        )
        assert ("keras_gen.core.quiet" in found.stdout) == held, found.stderr
