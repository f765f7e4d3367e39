"""TensorFlow's start without its banners: the lines that say nothing to do, and nothing but them, are left out.

They come from C++ code before any log level is read (``TF_CPP_MIN_LOG_LEVEL`` does not reach them), so standard error is
held while TensorFlow is imported, and what is no banner is written out afterwards: warnings, errors, other threads' lines.
"""

import contextlib
import faulthandler
import importlib.machinery
import os
import re
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

STDERR = 2
BANNER = re.compile(
    rb"All log messages before absl::InitializeLog|oneDNN custom operations are on|"
    rb"This TensorFlow binary is optimized to use available CPU|To enable the following instructions:"
)
# Said where there is no GPU to be used. Where there is one, these lines say what keeps TensorFlow from it.
NO_GPU = re.compile(rb"Could not find cuda drivers on your machine|failed call to cuInit")
DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")  # of Linux, of Linux on Windows


def start_quietly() -> None:
    """From here on ``import tensorflow`` shows no banners, whoever imports it. Nothing, where it is imported already."""
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds TensorFlow as it is found without it, and holds standard error while it is loaded; once."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, with a loader that is quiet. None for all else, which others find."""
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                with contextlib.suppress(ValueError):
                    sys.meta_path.remove(self)
                with banners_left_out():
                    execute(module)
                    if not has_gpu_driver():
                        # The first look at the devices has its own complaint; without a driver it decides nothing.
                        module.config.list_physical_devices()

            spec.loader.exec_module = exec_module
        return spec


def has_gpu_driver() -> bool:
    """Whether this machine has an NVIDIA driver, and so perhaps a GPU."""
    return any(os.path.exists(place) for place in DRIVERS)


@contextlib.contextmanager
def banners_left_out() -> Iterator[None]:
    """Holds what the process writes to standard error, and writes it out at the end, an error's too, without banners."""
    import tempfile  # here: the command's help needs none

    try:
        real = os.dup(STDERR)
    except OSError:  # closed, as of a service
        yield
        return
    with tempfile.TemporaryFile() as held, _death_is_seen(real):
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        finally:
            if sys.stderr:
                sys.stderr.flush()
            os.dup2(real, STDERR)
            held.seek(0)
            _write(real, without_banners(held.read(), gpu=has_gpu_driver()))
            os.close(real)


def without_banners(text: bytes, gpu: bool) -> bytes:
    """The lines of ``text`` that are no banner; on a machine with a ``gpu``, those about it stay."""
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if not BANNER.search(line) and (gpu or not NO_GPU.search(line)))


@contextlib.contextmanager
def _death_is_seen(real: int) -> Iterator[None]:
    """A processor that TensorFlow cannot use ends the process at once, with what was held: then Python says where."""
    if faulthandler.is_enabled():
        yield
        return
    faulthandler.enable(real)
    try:
        yield
    finally:
        faulthandler.disable()


def _write(descriptor: int, text: bytes) -> None:
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(descriptor, text) :]
