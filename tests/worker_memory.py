"""Memory and CPU time of the test processes, told by ``--memory``; what a worker may have, by ``--worker-memory``.

Memory is given back after each test, but what XLA has compiled and TensorFlow has traced stays in a process until it ends. So a
worker of ``pytest -n 2 --dist worksteal`` that has grown beyond ``SPARE`` of what it may have finishes the tests it has begun and
ends, and a new one takes the others. A run in which a worker passed the whole of it fails, and the summary names the tests that
need most.
"""

import ctypes
import gc
import os
import resource
import sys
from collections import Counter
from pathlib import Path

import pytest
from xdist.scheduler.worksteal import MIN_PENDING, WorkStealingScheduling

MIB, GIB = 2**20, 2**30
GROWTH = 24 * MIB  # of a test, from which on looking for what can be freed is worth its time
SPARE = 0.6  # of what a worker may have: a new one costs some ten seconds, and two more tests have begun by then
BEFORE = pytest.StashKey[tuple[int, float]]()


def pytest_addoption(parser):
    parser.addoption("--memory", action="store_true", help="Tell each worker's peak, and the tests that need most.")
    parser.addoption(
        "--worker-memory", type=float, default=3.0, metavar="GIB", help="What a worker may have; above, the run fails."
    )


def resident():
    """Bytes of this process in memory; 0 where the system does not say."""
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[1]) * resource.getpagesize() if statistics.exists() else 0


def processor_seconds():
    """CPU time of this process and of those that it ran; unlike the clock's, it hardly depends on what else the machine does."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def give_back():
    """Frees models with the functions that refer to them, and what XLA and tf2onnx left in the allocator's lists.

    They allocate a hundred megabytes in small pieces; glibc keeps those for the next time, in an arena a thread.
    """
    if keras := sys.modules.get("keras"):
        keras.backend.clear_session()
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    item.stash[BEFORE] = resident(), processor_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """After a test; what is said of it travels with the report, from a worker too."""
    result = yield
    (before, began), used = item.stash[BEFORE], resident()
    if used - before > GROWTH:
        give_back()
    now = resident()
    said = {
        "worker": os.environ.get("PYTEST_XDIST_WORKER", "main"),
        "used": used - before,
        "kept": now - before,
        "now": now,
        "seconds": processor_seconds() - began,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # Linux counts in KiB
    }
    item.user_properties.append(("memory", said))
    return result


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.pluginmanager.register(Peaks(config), "peaks")
    if config.getoption("dist", "no") == "worksteal" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Renewal(config), "renewal")


class Peaks:
    """What the tests needed, told at the end; a run whose workers needed too much is no success."""

    def __init__(self, config):
        self.allowed = config.getoption("worker_memory") * GIB
        self.asked = config.getoption("memory")
        self.tests = []
        self.peaks = {}

    def pytest_runtest_logreport(self, report):
        if memory := dict(report.user_properties).get("memory"):
            self.tests.append((memory, report.nodeid))
            self.peaks[memory["worker"]] = max(memory["peak"], self.peaks.get(memory["worker"], 0))

    def too_large(self):
        return [worker for worker, peak in self.peaks.items() if worker != "main" and peak > self.allowed]

    def pytest_sessionfinish(self, session):
        if self.too_large() and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        too_large = self.too_large()
        if not (self.asked or too_large):
            return
        terminalreporter.section("memory, in MiB")
        for worker, peak in self.peaks.items():
            above = f", of {self.allowed / MIB:.0f} allowed" if worker in too_large else ""
            terminalreporter.write_line(f"peak of {worker}: {peak / MIB:.0f}{above}", red=bool(above))
        for memory, test in sorted(self.tests, key=lambda each: -each[0]["kept"])[:20]:
            used, kept = memory["used"] / MIB, memory["kept"] / MIB
            terminalreporter.write_line(f"used {used:6.0f}  kept {kept:6.0f}  {test}")
        terminalreporter.section("CPU time, in seconds")
        files = Counter()
        for memory, test in self.tests:
            files[test.partition("::")[0]] += memory["seconds"]
        for file, seconds in files.most_common(15):
            terminalreporter.write_line(f"{seconds:6.0f}  {file}")
        for memory, test in sorted(self.tests, key=lambda each: -each[0]["seconds"])[:40]:
            terminalreporter.write_line(f"{memory['seconds']:6.1f}  {test}")


class Retiring(WorkStealingScheduling):
    """Takes from a worker that is to end all tests that it has not begun; it ends when it has run the others."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.retired = set()

    def retire(self, node):
        self.retired.add(node)

    def add_node_collection(self, node, collection):
        """Tests are told to a worker by their number, so what a new one finds must be what the first ones found."""
        if self.collection is not None and list(collection) != self.collection:
            pytest.exit(
                "The tests were changed while they ran; run them again.", returncode=pytest.ExitCode.USAGE_ERROR
            )
        super().add_node_collection(node, collection)

    def check_schedule(self):
        for node in self.retired & set(self.nodes):
            not_begun = self.node2pending[node][MIN_PENDING:]
            if not not_begun and not node.shutting_down:
                node.shutdown()
            elif not_begun and self.steal_requested_from_node is None:
                node.send_steal(not_begun)
                self.steal_requested_from_node = node
        super().check_schedule()

    def has_work(self):
        """Whether a worker that joins would find tests to run."""
        return bool(self.pending) or any(len(pending) > MIN_PENDING for pending in self.node2pending.values())


class Renewal:
    """A new worker in place of one that has grown."""

    def __init__(self, config):
        self.config = config
        self.grown = config.getoption("worker_memory") * GIB * SPARE

    def pytest_xdist_make_scheduler(self, config, log):
        self.scheduler = Retiring(config, log)
        return self.scheduler

    def pytest_runtest_logreport(self, report):
        memory = dict(report.user_properties).get("memory")
        if memory and memory["now"] > self.grown:
            self.scheduler.retire(report.node)

    def pytest_testnodedown(self, node, error):
        if error is not None or node not in self.scheduler.retired:
            return
        node.gateway.exit()  # or the process stays until all are done
        session = self.config.pluginmanager.getplugin("dsession")
        if self.scheduler.has_work() and not session.shuttingdown:
            session._clone_node(node)  # as xdist replaces a worker that has crashed
