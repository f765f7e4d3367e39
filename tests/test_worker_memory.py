"""The bound on the memory of test processes, on runs of small tests that grow."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

TESTS = """
import os

import pytest

kept = []


def say(what):
    with open("said.txt", "a") as file:
        file.write(f"{what} {os.getpid()}\\n")


@pytest.fixture(scope="module")
def opened():
    yield
    say("closed")


@pytest.mark.parametrize("n", range(40))
def test_grows(opened, n):
    kept.append(os.urandom(1) * (BYTES))
    say(f"test-{n}")
"""

CHANGING = """
import os


def pytest_collection_modifyitems(items):
    if os.environ["PYTEST_XDIST_WORKER"] not in ("gw0", "gw1"):
        items.reverse()
"""


def run(folder, bytes_a_test, *words):
    (folder / "test_growing.py").write_text(TESTS.replace("BYTES", str(bytes_a_test)))
    command = [sys.executable, "-m", "pytest", "-p", "worker_memory", "-p", "no:cacheprovider", *words, str(folder)]
    environment = {"PYTHONPATH": str(Path(__file__).parent), "PATH": ""}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = [line.split() for line in (folder / "said.txt").read_text().splitlines()]
    return result, [line for line in said if line[0] != "closed"], [pid for what, pid in said if what == "closed"]


def test_a_worker_that_has_grown_is_replaced_and_every_test_runs_once(tmp_path):
    result, tests, closed = run(tmp_path, 20 * 2**20, "-n", "2", "--dist", "worksteal", "--worker-memory", "0.3")
    assert result.returncode == 0 and "40 passed" in result.stdout, result.stdout + result.stderr
    assert sorted(name for name, _ in tests) == sorted(f"test-{n}" for n in range(40))
    a_process = Counter(pid for _, pid in tests)
    # 0.6 of 0.3 GiB is some 8 such tests and the interpreter; two more have begun by then, or a few that take no time.
    assert len(a_process) >= 4 and max(a_process.values()) < 15
    assert sorted(closed) == sorted(a_process)  # each ended as a session does
    assert "crash" not in result.stdout and "MiB" not in result.stdout


def test_tests_that_change_while_they_run_are_said(tmp_path):
    (tmp_path / "conftest.py").write_text(CHANGING)
    result, *_ = run(tmp_path, 20 * 2**20, "-n", "2", "--dist", "worksteal", "--worker-memory", "0.3")
    assert result.returncode == 4 and "changed while they ran" in result.stdout + result.stderr, result.stdout


def test_a_run_with_too_large_a_worker_fails_and_names_its_test(tmp_path):
    result, tests, _ = run(tmp_path, 90 * 2**20, "-n", "2", "--dist", "worksteal", "--worker-memory", "0.1", "-k", "1")
    assert result.returncode == 1 and "passed" in result.stdout and "failed" not in result.stdout, result.stdout
    assert "of 102 allowed" in result.stdout and "test_growing.py::test_grows[1" in result.stdout


def test_one_process_is_not_bound(tmp_path):
    result, tests, _ = run(tmp_path, 90 * 2**20, "--worker-memory", "0.1", "-k", "11")
    assert result.returncode == 0 and len(tests) == 1 and "MiB" not in result.stdout, result.stdout
