"""Every test process has two logical CPU devices; one strategy over them serves all tests of a process.

A second strategy object in one process would reuse the first one's collective keys and abort.

Memory that a test is done with is given back after it; ``pytest --memory`` tells which tests keep or need most.
"""

import ctypes
import gc
import os
import resource
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_gen  # noqa: F401, I001  before TensorFlow, whose banners it leaves out
import keras
import pytest
import tensorflow as tf

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


MIB = 2**20
GROWTH = 24 * MIB  # of a test, from which on looking for what can be freed is worth its time
BEFORE = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption(
        "--memory", action="store_true", help="Tell each worker's peak and the tests that need most memory."
    )


def resident():
    """Bytes of this process in memory; 0 where the system does not say."""
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[1]) * resource.getpagesize() if statistics.exists() else 0


def give_back():
    """Frees models with the functions that refer to them, and what XLA and tf2onnx left in the allocator's lists.

    They allocate a hundred megabytes in small pieces; glibc keeps those for the next time, in an arena a thread.
    """
    keras.backend.clear_session()
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    item.stash[BEFORE] = resident()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A worker cannot send what a test logged of file names that are no UTF-8, unless they are spelled out."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Memory after a test; what is said of it travels with the report, from a worker too."""
    result = yield
    used = resident() - item.stash[BEFORE]
    if used > GROWTH:
        give_back()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    item.user_properties.append(
        ("memory", (os.environ.get("PYTEST_XDIST_WORKER", "main"), used, resident() - item.stash[BEFORE], peak))
    )
    return result


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--memory"):
        return
    found = [
        (report.nodeid, *dict(report.user_properties)["memory"])
        for report in terminalreporter.getreports("")
        if report.when == "teardown"
    ]
    terminalreporter.section("memory, in MiB")
    for worker in sorted({worker for _, worker, *_ in found}):
        terminalreporter.write_line(
            f"peak of {worker}: {max(peak for _, w, _, _, peak in found if w == worker) / MIB:.0f}"
        )
    for test, _, used, kept, _ in sorted(found, key=lambda each: -each[3])[:20]:
        terminalreporter.write_line(f"used {used / MIB:6.0f}  kept {kept / MIB:6.0f}  {test}")


@pytest.fixture(scope="session")
def two_replicas():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def digits():
    from keras_gen import data

    return data.load("digits")


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of features that end in the middle of every set."""
    small = {f"{name}.rows_a_block": lambda dimensions: 7 for name in ("feature_sets", "moments", "inception_score")}
    small |= {"sliced_wasserstein.rows_a_block": lambda dimensions: 7, "sliced_wasserstein.PROJECTED_BYTES": 20_000}
    small |= {"moments.CACHED_BYTES": 0, "moments.FEWEST_ROWS": 3}
    small |= {"kernel_distance.ROWS": 7, "kernel_distance.COLUMNS": 11}
    small |= {"precision_recall.QUERY_ROWS": 7, "precision_recall.REFERENCE_ROWS": 11}
    for name, value in small.items():
        monkeypatch.setattr(f"keras_gen.metrics.{name}", value)
