"""The process itself: on loopback, without TensorFlow, patient but not for ever, and gone only when all is answered."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from served import artifact

from keras_gen.exporters.loaded_artifact import LoadedArtifact

PROGRAM = """
import sys
from keras_gen.serving.limits import Limits
from keras_gen.serving.server import serve
limits = Limits(head_seconds=1.2, body_bytes=100_000, poll_seconds=0.1, body_seconds=SECONDS[0], answer_seconds=SECONDS[1])
serve((sys.argv[1],), port=0, limits=limits, say=lambda text: print(text, flush=True))
print({"tensorflow", "keras", "onnx", "tf2onnx"} & set(sys.modules), flush=True)
"""
HEAD = b"POST /v1/models/coder:predict HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
BODY = json.dumps({"seed": 5, "instances": [{}, {}]}).encode()


@contextlib.contextmanager
def running(place, seconds=(60.0, 60.0)):
    """A server's process, and its port. ``seconds``: how long it waits for a body, and for an answer to be taken."""
    command = [sys.executable, "-c", PROGRAM.replace("SECONDS", str(seconds)), str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(r"Serving coder at http://127\.0\.0\.1:(\d+)", line)
        assert found, line + process.stderr.read()
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(artifact("coder"), seconds=(1.5, 4.0)) as (process, port):
        yield process, port


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def all_of(connection) -> bytes:
    """What comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def whole(body=BODY, close=True):
    ending = b"Connection: close\r\n" if close else b""
    return HEAD + ending + b"Content-Length: %d\r\n\r\n" % len(body) + body


def assert_answers(port):
    with connected(port) as connection:
        connection.sendall(whole())
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    wanted = LoadedArtifact(artifact("coder")).sample(2, seed=5)
    np.testing.assert_array_equal(json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"], wanted)


def test_it_answers_and_holds_no_tensorflow(server):
    process, port = server
    assert_answers(port)
    with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
        libraries = maps.read()
    assert "onnxruntime" in libraries and "tensorflow" not in libraries


def test_heads_and_bodies_that_do_not_come_end_the_connection(server):
    _, port = server
    start = time.monotonic()
    with connected(port) as silent, connected(port) as half_a_head, connected(port) as half_a_body:
        half_a_head.sendall(HEAD)
        half_a_body.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert_answers(port)  # others are served meanwhile
        assert all_of(silent) == b"" and all_of(half_a_head) == b""
        answer = all_of(half_a_body)
        assert answer.startswith(b"HTTP/1.1 408") and b"did not come within 1.5 s" in answer
    assert 1.0 < time.monotonic() - start < 40
    with connected(port) as trickle:  # a byte now and then does not help
        with contextlib.suppress(OSError):
            for byte in HEAD:
                trickle.sendall(bytes([byte]))
                if select.select([trickle], [], [], 0.05)[0]:
                    break
        assert all_of(trickle) == b""
    assert_answers(port)


def test_a_body_is_not_read_beyond_its_limit_and_half_of_one_harms_nobody(server):
    _, port = server
    with connected(port) as declared:
        declared.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        assert all_of(declared).startswith(b"HTTP/1.1 413")
    with connected(port) as chunked:
        chunked.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 20_000_000 and not select.select([chunked], [], [], 0)[0]:
                chunked.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
                sent += 10_000
        assert sent < 10_000_000  # what the sockets hold, and not all
    with connected(port) as truncated:
        truncated.sendall(whole()[:-5])
    for nonsense in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with connected(port) as strange:
            strange.sendall(nonsense)
            assert all_of(strange).startswith(b"HTTP/1.1 400")
    assert_answers(port)


def test_who_does_not_take_the_answer_is_not_waited_for(server):
    """Far more answers are asked for than the sockets hold, and none is read."""
    _, port = server
    request = whole(json.dumps({"instances": [{}] * 1000}).encode(), close=False)
    with connected(port) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        start = time.monotonic()
        with pytest.raises(OSError):
            lazy.settimeout(0.2)
            while time.monotonic() - start < 60:
                with contextlib.suppress(TimeoutError):
                    lazy.sendall(request)
        assert time.monotonic() - start < 50
    assert_answers(port)


def test_it_stops_when_all_is_answered(tmp_path):
    with running(artifact("coder")) as (process, port):
        idle, late = connected(port), connected(port)
        late.sendall(whole()[:-5])
        idle.sendall(whole(close=False))
        assert idle.recv(20).startswith(b"HTTP/1.1 200")
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):
            for _ in range(200):  # until it listens no more
                connected(port).close()
                time.sleep(0.1)
        late.sendall(whole()[-5:])
        answer = all_of(late)
        assert answer.startswith(b"HTTP/1.1 200") and b"predictions" in answer
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert output.splitlines() == ["Stopped; what was asked has been answered.", "set()"]
        for connection in (idle, late):
            connection.close()


def test_stopped_in_the_middle_of_much_work_it_finishes_what_it_took():
    """Each request that a connection carried whole is answered, the last of them after the signal."""
    with running(artifact("coder")) as (process, port):
        assert_answers(port)
        connections = [connected(port) for _ in range(40)]
        body = json.dumps({"instances": [{}] * 25}).encode()
        answers = [b""] * len(connections)
        for connection in connections:
            connection.sendall(whole(body))
        time.sleep(0.3)  # in which the kernel's queue is emptied
        os.kill(process.pid, signal.SIGTERM)

        def read(place):
            answers[place] = all_of(connections[place])

        threads = [threading.Thread(target=read, args=(place,)) for place in range(len(connections))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        process.communicate(timeout=60)
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert process.returncode == 0
