"""Every test process has two logical CPU devices; one strategy over them serves all tests of a process.

A second strategy object in one process would reuse the first one's collective keys and abort.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_gen  # noqa: F401, I001  before TensorFlow, whose banners it leaves out
import keras
import pytest
import tensorflow as tf

pytest_plugins = ["worker_memory"]

_CPU = tf.config.list_physical_devices("CPU")[0]
# One operation at a time: of a sum of three gradients, TensorFlow's AddN begins with the one whose buffer is free first, so with
# several threads two runs of one step may differ in the last bit.
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A worker cannot send what a test logged of file names that are no UTF-8, unless they are spelled out."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def settings_of_keras():
    """Each test leaves Keras' settings as it found them.

    Keras makes its policy from the float type when it is first asked for one, which after ``clear_session`` may be inside
    of a test that has changed that type.
    """
    settings = keras.config
    before = settings.floatx(), settings.image_data_format(), settings.dtype_policy()
    yield
    settings.set_floatx(before[0])
    settings.set_image_data_format(before[1])
    settings.set_dtype_policy(before[2])


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
