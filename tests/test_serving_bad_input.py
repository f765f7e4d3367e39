"""What should not be sent: one clear error each, and the server answers the next as before."""

import asyncio
import base64
import json
import re
import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from served import artifact, png, with_client

from keras_gen.cli import main
from keras_gen.core.errors import InvalidInput
from keras_gen.exporters.formats import FormatFailed
from keras_gen.serving.versions import places_of

PREDICT, INFER, PICTURE = (
    "/v1/models/everything:predict",
    "/v2/models/everything/infer",
    "/models/everything/sample.png",
)
SOURCE = np.zeros((4, 5, 1), int).tolist()
GOOD = {"caption": "a red square", "source": SOURCE}
BOMB = base64.b64encode(png(np.zeros((12_000, 12_000), np.uint8))).decode()


def v1(**body):
    return "POST", PREDICT, json.dumps(body)


def instance(**values):
    return v1(instances=[{**GOOD, **values}])


def v2(**tensor):
    whole = {"name": "z", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1.0], **tensor}
    return "POST", INFER, json.dumps({"inputs": [whole]})


def picture(query):
    return "GET", f"{PICTURE}?{query}", b""


BAD = {
    "no such model": (
        ("POST", "/v1/models/other:predict", "{}"),
        404,
        r"Servable not found for request: Latest\(other\)",
    ),
    "no such version": (("POST", "/v1/models/everything/versions/7:predict", "{}"), 404, "Specific"),
    "a path as a name": (("POST", "/v1/models/..%2f..%2fetc%2fpasswd:predict", "{}"), 404, "Malformed request"),
    "dots as a name": (("GET", "/v2/models/%2e%2e", ""), 404, "Malformed request|Servable not found"),
    "zero byte in a name": (("GET", "/v1/models/a%00b", ""), 404, "Servable not found"),
    "no such page": (("GET", "/v3", ""), 404, "Malformed request: GET /v3"),
    "another method": (("DELETE", PREDICT, ""), 405, "Method Not Allowed"),
    "empty body": (("POST", PREDICT, b""), 400, "no complete JSON"),
    "truncated JSON": (("POST", PREDICT, b'{"instances": [{"z": [0.1'), 400, "no complete JSON"),
    "invalid UTF-8": (("POST", PREDICT, b'{"instances": "\xff"}'), 400, "no UTF-8 text"),
    "a list": (("POST", PREDICT, b"[]"), 400, "JSON list; send an object"),
    "deep nesting": (("POST", PREDICT, b'{"instances": ' + b"[" * 100_000), 400, "no complete JSON"),
    "deep arrays": (
        (
            "POST",
            PREDICT,
            json.dumps({"inputs": {"z": [0], "caption": ["red"], "source": [SOURCE]}}).replace(
                "[0]", "[" * 90 + "1" + "]" * 90, 1
            ),
        ),
        400,
        "z makes no array",
    ),
    "endless number": (("POST", PREDICT, b'{"seed": ' + b"9" * 5000 + b"}"), 400, "no complete JSON"),
    "unknown key": (v1(instances=[GOOD], stream=True), 400, "The body holds 'stream'"),
    "no form": (v1(), 400, "holds no 'instances'"),
    "both forms": (v1(instances=[GOOD], inputs={}), 400, "both 'instances' and 'inputs'"),
    "no instance": (v1(instances=[]), 400, "one example at least"),
    "no column": (v1(inputs={}), 400, "holds no example"),
    "unlike rows": (v1(instances=[GOOD, {}]), 400, r"instance 1 holds \[\], instance 0"),
    "unlike columns": (
        v1(inputs={"label": [0, 1], "source": [SOURCE] * 3, "caption": ["red"] * 2}),
        400,
        "wanted 2, or one",
    ),
    "a value for a list": (v1(inputs={"label": 3}), 400, "give a list, one value an example"),
    "plain values": (v1(instances=[3]), 400, "has to be an object of u, z, label, caption, source"),
    "signature": (v1(instances=[GOOD], signature_name="train"), 400, "has no signature 'train'; it has sample"),
    "seed": (v1(instances=[GOOD], seed=-1), 400, "seed=-1; give an integer"),
    "seed of another type": (v1(instances=[GOOD], seed=True), 400, "seed=True"),
    "name of an input": (instance(labels=1), 400, "There is no input 'labels'"),
    "input missing": (v1(instances=[{"source": SOURCE}]), 400, "'sample' wants caption="),
    "shape": (instance(z=[0.0]), 400, r"z is float64 \[1, 1\]; wanted \[1, 2\]"),
    "ragged": (
        v1(inputs={"z": [[0.0], [0.0, 1.0]], "caption": ["red"] * 2, "source": [SOURCE] * 2}),
        400,
        "z makes no array",
    ),
    "dtype": (instance(label=0.5), 400, "label is float64"),
    "null": (instance(label=None), 400, "label is object"),
    "NaN": (("POST", PREDICT, json.dumps({"instances": [{**GOOD, "z": [float("nan"), 0]}]})), 400, "NaN or infinite"),
    "infinite": (instance(z=[1e999, 0]), 400, "NaN or infinite"),
    "label out of range": (instance(label=3), 400, r"label 3 is out of range; wanted integers in \[0, 2\]"),
    "huge label": (instance(label=10**30), 400, "label is object"),
    "pixel out of range": (instance(source=np.full((4, 5, 1), 17).tolist()), 400, "source reaches from 17 to 17"),
    "empty sentence": (instance(caption=""), 400, "is empty; give a sentence"),
    "unknown word": (instance(caption="a green square"), 400, "'green', which is not known"),
    "no base64": (instance(source={"b64": "%%"}), 400, "no base64"),
    "b64 of no text": (instance(source={"b64": 3}), 400, "no base64"),
    "no picture": (instance(source=base64.b64encode(b"hello").decode()), 400, "no picture that can be read"),
    "decompression bomb": (instance(source=BOMB), 400, "is 12000x12000 pixels; wanted 5x4"),
    "a file of the server": (instance(source="/etc/passwd"), 400, "no base64|no picture"),
    "a million images": (
        ("POST", PREDICT, '{"instances": [' + ",".join(["{}"] * 1_000_000) + "]}"),
        400,
        "1,000,000 examples",
    ),
    "compressed": (("POST", PREDICT, b"x"), 415, "The body is gzip"),
    "too long": (("POST", PREDICT, b" " * (5 << 20)), 413, "longer than 4 MiB"),
    "tensor's name": (v2(name="w"), 400, "There is no input 'w'"),
    "tensor's type": (v2(datatype="INT64"), 400, "z is 'INT64'; wanted FP32"),
    "tensor's size": (v2(data=[1.0]), 400, "holds 1 values of float64; wanted 2 numbers"),
    "tensor's shape": (v2(shape=[1, -2]), 400, "has the shape"),
    "tensor of a million": (v2(shape=[10**9, 2]), 400, "examples at once"),
    "tensor without data": (v2(data=None), 400, "no list of data"),
    "tensor of text": (v2(data=["x", "y"]), 400, "values of <U1"),
    "binary tensor": (v2(parameters={"binary_data_size": 8}, data=[]), 400, "no list of data"),
    "tensor's unknown key": (v2(values=[]), 400, "An input holds 'values'"),
    "no such output": (("POST", INFER, '{"inputs": [{}], "outputs": [{"name": "x"}]}'), 400, "among image"),
    "n": (picture("n=0"), 400, "at least 1"),
    "n of other digits": (picture("n=%D9%A3"), 400, "no integer"),
    "n of a million": (picture("n=1000000&caption=red"), 400, "at most|examples at once"),
    "seed of a picture": (picture("seed=4294967296"), 400, "seed=4294967296; give an integer"),
    "twice": (picture("n=1&n=2"), 400, "a name twice"),
    "query that is no UTF-8": (picture("caption=%ff"), 400, "query cannot be read"),
    "unknown in a query": (picture("labels=1"), 400, "gives 'labels'; it takes seed, n, label, caption, source"),
    "noise in a query": (picture("z=1,2"), 400, "gives 'z'; it takes seed"),
    "condition missing": (picture("caption=red"), 400, "'sample' wants source="),
    "no such endpoint": (("GET", "/models/everything/train.png", ""), 404, "has no endpoint train"),
    "no images": (("GET", "/models/everything/mean.png", ""), 400, "gives no images"),
    "too much": (
        ("POST", f"{PICTURE}?caption=red&source={base64.b64encode(png(np.zeros((4, 5), np.uint8))).decode()}", b"x"),
        400,
        "stands for nothing",
    ),
}


@with_client("everything", body_bytes=4 << 20, waiting_rows=50)
async def test_each_is_one_error_and_harms_no_other(client):
    good = {"instances": [{**GOOD, "label": 1}], "seed": 3}
    wanted, wrong = (await client.post(PREDICT, json=good)).json(), {}
    for name, ((method, path, body), status, match) in BAD.items():
        headers = {"content-encoding": "gzip"} if name == "compressed" else {}
        bad, beside = await asyncio.gather(
            client.request(method, path, content=body, headers=headers), client.post(PREDICT, json=good)
        )
        error = bad.json()["error"]
        if bad.status_code != status or not re.search(match, error) or len(error) > 1500 or beside.json() != wanted:
            wrong[name] = (bad.status_code, error[:300], beside.status_code)
    assert not wrong
    text = (await client.get("/metrics")).text
    assert 'status="500"' not in text and 'status="0"' not in text
    assert client.models["everything"].current.batchers["sample"].admitted_rows == 0


@with_client("coder", body_bytes=1000, held_bytes=2500)
async def test_bodies_beyond_what_is_held_at_a_time_are_refused_and_what_was_held_is_free_again(client):
    hold = asyncio.Event()

    async def slow():
        yield b" " * 900
        await hold.wait()
        yield b"{}"

    waiting = [asyncio.ensure_future(client.post("/v1/models/coder:predict", content=slow())) for _ in range(2)]
    await asyncio.sleep(0.05)
    refused = await client.post("/v1/models/coder:predict", content=b" " * 900)
    assert refused.status_code == 503 and refused.headers["retry-after"] == "1" and "no room" in refused.json()["error"]
    hold.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [400, 400]
    assert (await client.post("/v1/models/coder:predict", content=b" " * 900)).status_code == 400


@with_client("coder", body_seconds=0.1)
async def test_a_body_that_does_not_come_is_not_waited_for(client):
    async def never():
        yield b"{"
        await asyncio.sleep(30)

    late = await client.post("/v1/models/coder:predict", content=never())
    assert late.status_code == 408 and late.headers["connection"] == "close"
    assert "did not come within 0.1 s" in late.json()["error"]


@with_client("coder")
async def test_who_goes_away_is_not_computed_for(client):
    body = json.dumps({"instances": [{}] * 900}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    path = "/v1/models/coder:predict"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    await client.app(scope, receive, send)
    assert sent[0]["status"] == 499
    assert client.models["coder"].current.room.rows == 0
    assert (await client.post(path, json={"instances": [{}]})).status_code == 200


@with_client("coder")
async def test_what_fails_in_the_model_is_the_servers_fault(client):
    def failing(endpoint, inputs):
        raise FormatFailed("out of memory")

    served = client.models["coder"].current.artifact
    whole, served._run = served._run, failing
    answer = await client.post("/v1/models/coder:predict", json={"instances": [{}]})
    assert answer.status_code == 500 and "out of memory" in answer.json()["error"]
    served._run = whole
    assert (await client.post("/v1/models/coder:predict", json={"instances": [{}]})).status_code == 200


def test_places_that_cannot_be_served_are_refused_by_the_command(tmp_path):
    good = str(artifact("coder"))
    (tmp_path / "empty").mkdir()
    for arguments, match in (
        ([good, good], "Two models are called 'coder'"),
        ([f"a/b={good}"], "cannot be a model's name"),
        ([f"={good}"], "cannot be a model's name"),
        ([str(tmp_path / "empty")], "no artifact, and no folder of versions"),
        ([str(tmp_path / "absent")], "no artifact, and no folder of versions"),
        ([good, "--host", "no such host"], "Nothing can be served at no such host:8501"),
    ):
        result = CliRunner().invoke(main, ["serve", *arguments])
        assert result.exit_code == 2 and match in result.output, result.output
    assert list(places_of((good, f"again={good}"))) == ["coder", "again"]
    shutil.copytree(good, tmp_path / "run" / "artifact")
    assert places_of((str(tmp_path / "run"),)) == {"run": tmp_path / "run" / "artifact"}
    with pytest.raises(InvalidInput, match="cannot be a model's name"):
        places_of((f"é={good}",))


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("keras_gen.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(main, ["serve", "anything"])
    assert result.exit_code == 2 and "Serving needs uvicorn; run: pip install 'keras_gen[serve]'" in result.output
