"""``keras-gen serve`` under load: batches against one image a run, and twice as much asked as it can do.

    python benchmarks/serving.py [ARTIFACT ...] [--seconds 5] [--rounds 2] [--overload 20]

Of each artifact two servers are started on loopback, one with ``--batch 64``, one with ``--batch 1``, and asked in turns by a
process of closed loops (the next request when the last is answered), one image a request. Then two processes ask the first server
for twice what it did, whatever it answers. Without artifacts a pixel-by-pixel model and a GAN of the presets are exported first.
Prints a JSON object an artifact; exit code 1 if an image depended on who else was asking, or a server failed otherwise than by
refusing.
"""

import argparse
import collections
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from keras_gen.core.noise import draw
from keras_gen.exporters.opened_artifact import OpenedArtifact

PRESETS = ("gated_pixel_cnn_classes_mnist", "text_to_image_shapes")
LOOPS = 32  # requests under way at a time; in overload, of each of the two processes
TOO_MUCH = 64  # images that the overloaded server admits


def server(artifact, *options):
    """A server's process and its port."""
    command = [sys.executable, "-m", "keras_gen.cli", "serve", f"it={artifact}", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, int(re.search(r":(\d+) \(", process.stdout.readline())[1])


def body_of(artifact, seed):
    """One image of the seed; what has to be given is drawn."""
    kinds = OpenedArtifact(artifact, "onnx").inputs["sample"]
    asked = {name: kind for name, kind in kinds.items() if kind.distribution is None and kind.default is None}
    instance = {name: values[0].tolist() for name, values in draw(asked, 1, 0).items()}
    return {"instances": [instance], "seed": seed}


def client(port, body, loops, seconds, rate, first):
    """Asks for ``seconds``, by ``loops`` threads; with a ``rate``, so many requests a second, as near as the loops come to it."""
    found, until, lock = [], time.monotonic() + seconds, threading.Lock()
    due = iter(range(10**9))

    def loop():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.monotonic() < until:
            with lock:
                number = next(due)
            if rate and (pause := until - seconds + number / rate - time.monotonic()) > 0:
                time.sleep(pause)
            start = time.monotonic()
            connection.request("POST", "/v1/models/it:predict", json.dumps({**body, "seed": first + number}))
            answer = connection.getresponse()
            answer.read()
            found.append((answer.status, time.monotonic() - start))

    threads = [threading.Thread(target=loop) for _ in range(loops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def clients(count, port, body, loops, seconds, rate=0.0):
    """The same in processes of their own: (status, seconds) of each request, and how long it took."""
    command = [sys.executable, __file__, "--client", str(port), json.dumps(body), str(loops), str(seconds), str(rate)]
    start = time.monotonic()
    running = [
        subprocess.Popen([*command, str(1_000_000 * place)], stdout=subprocess.PIPE, text=True)
        for place in range(count)
    ]
    found = [tuple(pair) for process in running for pair in json.loads(process.communicate()[0])]
    return found, time.monotonic() - start


def told(found, seconds):
    """Requests a second that were answered, and how long those took."""
    good = [took for status, took in found if status == 200]
    return {
        "answered_per_second": round(len(good) / seconds, 1),
        "median_ms": round(float(np.median(good)) * 1000, 1) if good else None,
        "p99_ms": round(float(np.percentile(good, 99)) * 1000, 1) if good else None,
        "statuses": dict(sorted(collections.Counter(status for status, _ in found).items())),
    }


def memory(process):
    """Resident MiB of a process: now, and the most it ever had."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return [int(re.search(rf"{name}:\s+(\d+)", text)[1]) >> 10 for name in ("VmRSS", "VmHWM")]


def one(port, body):
    """The images of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/v1/models/it:predict", json.dumps(body))
    return connection.getresponse().read()


def independent(port, body):
    """Whether each of 24 seeds gives the same bytes alone as among the others."""
    bodies = [{**body, "seed": seed} for seed in range(24)]
    alone, together = [one(port, each) for each in bodies], [None] * len(bodies)

    def ask(place):
        together[place] = one(port, bodies[place])

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return alone == together


def measured(artifact, options):
    """All of one artifact."""
    sides, body = {}, body_of(artifact, 0)
    try:
        sides["batches"] = server(artifact, "--batch", "64", "--waiting", str(TOO_MUCH))
        sides["one_a_run"] = server(artifact, "--batch", "1")
        same = independent(sides["batches"][1], body)
        found, seconds = {name: [] for name in sides}, dict.fromkeys(sides, 0.0)
        for _ in range(options.rounds):
            for name, (_, port) in sides.items():
                answers, _ = clients(1, port, body, LOOPS, options.seconds)
                found[name] += answers
                seconds[name] += options.seconds
        closed = {name: told(found[name], seconds[name]) for name in sides}
        rates = {name: closed[name]["answered_per_second"] for name in sides}
        process, port = sides["batches"]
        before = memory(process)[0]
        answers, _ = clients(
            2, port, body, 2 * TOO_MUCH, options.overload, rates["batches"]
        )  # each asks for all it can do
        after = one(port, body)
        return {
            "artifact": Path(artifact).name,
            "pixels_do_not_depend_on_company": same and after == one(port, body),
            **closed,
            "ratio": round(rates["batches"] / rates["one_a_run"], 2),
            "overload": {
                "asked_per_second": round(len(answers) / options.overload, 1),
                **told(answers, options.overload),
                "memory_mib_before_after_most": [before, *memory(process)],
            },
        }
    finally:
        for process, _ in sides.values():
            process.terminate()
        for process, _ in sides.values():
            process.wait(60)


def main():
    """The command."""
    if sys.argv[1:2] == ["--client"]:
        port, body, loops, seconds, rate, first = sys.argv[2:]
        found = client(int(port), json.loads(body), int(loops), float(seconds), float(rate), int(first))
        print(json.dumps(found))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifacts", nargs="*")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round (5)")
    parser.add_argument("--rounds", type=int, default=2, help="of each side, in turns (2)")
    parser.add_argument("--overload", type=float, default=20.0, help="seconds of it (20)")
    options = parser.parse_args()
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        for name in () if options.artifacts else PRESETS:
            out = str(Path(folder) / name)
            command = [sys.executable, "-m", "keras_gen.cli", "export", f"preset:{name}", "--to", "onnx", "--out", out]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            options.artifacts.append(out)
        for artifact in options.artifacts:
            result = measured(artifact, options)
            print(json.dumps(result, indent=2))
            statuses = {*result["batches"]["statuses"], *result["overload"]["statuses"]}
            bad |= not result["pixels_do_not_depend_on_company"] or not statuses <= {200, 503}
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
