"""What a server answers: what ONNX Runtime gives, whatever the protocol and the form it was asked in."""

import base64
import io
import json

import numpy as np
import pytest
from openapi_spec_validator import validate
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from served import artifact, direct, listed, png, with_client

from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import draw
from keras_gen.core.pictures import image_grid
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.serving.rest_v1 import TYPES as V1_TYPES

ENDPOINTS = [("everything", endpoint) for endpoint in ("sample", "complete", "mean")]
ENDPOINTS += [("coder", endpoint) for endpoint in ("sample", "encode", "decode")]
V1, V2 = "/v1/models/{}:predict", "/v2/models/{}/infer"


def drawn(name, endpoint, n=5):
    return draw(LoadedArtifact(artifact(name)).inputs[endpoint], n, 3)


@pytest.mark.parametrize(("name", "endpoint"), ENDPOINTS)
def test_rows_columns_and_tensors_give_what_onnx_runtime_gives(name, endpoint):
    inputs = drawn(name, endpoint)
    wanted, lists = direct(name, endpoint, inputs), listed(inputs)

    @with_client(name)
    async def ask(client):
        columns = await client.post(V1.format(name), json={"signature_name": endpoint, "inputs": lists})
        outputs = columns.json()["outputs"]
        outputs = outputs if len(wanted) > 1 else dict.fromkeys(wanted, outputs)
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        by_rows = await client.post(V1.format(name), json={"signature_name": endpoint, "instances": rows})
        predictions = by_rows.json()["predictions"]
        kinds = client.models[name].current.artifact.inputs[endpoint]
        datatypes = {"float32": "FP32", "int32": "INT32", "uint8": "UINT8"}
        tensors = [
            {
                "name": key,
                "shape": list(values.shape),
                "datatype": datatypes[kinds[key].dtype],
                "data": values.ravel().tolist(),
            }
            for key, values in inputs.items()
        ]
        asked = {"inputs": tensors, "id": "me", "parameters": {"signature_name": endpoint}}
        inferred = (await client.post(V2.format(name), json=asked)).json()
        assert (inferred["model_name"], inferred["model_version"], inferred["id"]) == (name, "1", "me")
        assert {tensor["name"] for tensor in inferred["outputs"]} == set(wanted)
        for tensor in inferred["outputs"]:
            value = wanted[tensor["name"]]
            assert tensor["shape"] == list(value.shape)
            np.testing.assert_array_equal(np.array(tensor["data"], value.dtype).reshape(value.shape), value)
        for key, value in wanted.items():
            np.testing.assert_array_equal(np.array(outputs[key], value.dtype), value)
            one = [row[key] if len(wanted) > 1 else row for row in predictions]
            np.testing.assert_array_equal(np.array(one, value.dtype), value)

    ask()


@with_client("everything", "coder")
async def test_a_seed_gives_the_images_of_sample(client):
    source = np.arange(20, dtype=np.uint8).reshape(4, 5, 1) % 17
    given = {"caption": "a red square", "source": source}
    cases = [("coder", {}, {})]
    cases += [("everything", {**sent, "source": source.tolist()}, sent) for sent in (given, {**given, "label": 2})]
    for name, sent, conditions in cases:
        wanted = LoadedArtifact(artifact(name)).sample(4, seed=9, **conditions)
        body = {"seed": 9, "instances": [sent] * 4}
        answer = await client.post(V1.format(name), json=body)
        np.testing.assert_array_equal(answer.json()["predictions"], wanted)
    first = (await client.post(V1.format("coder"), json={"instances": [{}]})).json()
    np.testing.assert_array_equal(first["predictions"], LoadedArtifact(artifact("coder")).sample(1, seed=0))


@with_client("everything", "coder")
async def test_text_and_bytes_stand_for_what_their_kind_reads(client):
    source = (np.arange(20).reshape(4, 5) * 13).astype(np.uint8)
    levels = np.round(source * (16 / 255)).astype(np.uint8)[..., None]
    wanted = LoadedArtifact(artifact("everything")).sample(2, seed=1, caption="a blue square", source=levels, label=1)
    coded = base64.b64encode(png(source)).decode()
    binary = {"b64": coded}
    for caption in ("a blue square", {"b64": base64.b64encode(b"a blue square").decode()}):
        for picture in (coded, binary, levels.tolist()):
            instance = {"caption": caption, "source": picture, "label": 1}
            answer = await client.post(V1.format("everything"), json={"seed": 1, "instances": [instance] * 2})
            np.testing.assert_array_equal(answer.json()["predictions"], wanted)
    tensors = [
        {"name": "caption", "shape": [2], "datatype": "BYTES", "data": ["a blue square"] * 2},
        {"name": "source", "shape": [2, 1], "datatype": "BYTES", "data": [coded] * 2},
        {"name": "label", "shape": [2], "datatype": "INT32", "data": [1, 1]},
    ]
    answer = await client.post(V2.format("everything"), json={"inputs": tensors, "parameters": {"seed": 1}})
    np.testing.assert_array_equal(answer.json()["outputs"][0]["data"], wanted.ravel())
    # An endpoint of one input takes its values without a name.
    images = [{"b64": base64.b64encode(png(np.full((8, 8), 255, np.uint8))).decode()}]
    for form in ("instances", "inputs"):
        body = {"signature_name": "encode", form: images}
        answer = (await client.post(V1.format("coder"), json=body)).json()
        outputs = answer["predictions"][0] if form == "instances" else answer["outputs"]
        mean = direct("coder", "encode", {"image": np.full((1, 8, 8, 1), 16, np.uint8)})["mean"]
        np.testing.assert_array_equal(np.array(outputs["mean"], np.float32).reshape(1, -1), mean)


@with_client("everything", "coder")
async def test_status_metadata_and_health(client):
    def state(version):
        return {
            "version": version,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }

    for path in ("/v1/models/coder", "/v1/models/coder/versions/1"):
        assert (await client.get(path)).json() == {"model_version_status": [state("1")]}
    for path in ("/v1/models/coder/metadata", "/v1/models/coder/versions/1/metadata"):
        found = (await client.get(path)).json()
        assert found["model_spec"] == {"name": "coder", "signature_name": "", "version": "1"}
        signatures = found["metadata"]["signature_def"]["signature_def"]
        assert signatures["serving_default"] == signatures["sample"]
        encode = signatures["encode"]
        assert encode["method_name"] == "tensorflow/serving/predict"
        dims = [{"size": size, "name": ""} for size in ("-1", "8", "8", "1")]
        shape = {"dim": dims, "unknown_rank": False}
        assert encode["inputs"] == {"image": {"dtype": "DT_UINT8", "tensor_shape": shape, "name": "image"}}
        assert set(encode["outputs"]) == {"mean", "log_variance"}
    assert (await client.get("/v2")).json()["name"] == "keras_gen"
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    assert (await client.get("/v2/models/coder/ready")).json() == {"name": "coder", "ready": True}
    found = (await client.get("/v2/models/coder/versions/1?signature_name=decode")).json()
    assert found["inputs"] == [{"name": "z", "datatype": "FP32", "shape": [-1, 2]}]
    assert found["platform"] == "onnxruntime_onnx" and found["versions"] == ["1"]
    assert (await client.get("/health")).json() == {"ready": True, "models": {"everything": 1, "coder": 1}}
    assert set(V1_TYPES) >= {"float32", "int32", "uint8"}


def pixels_of(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@with_client("everything", "coder")
async def test_pictures_are_those_of_sample(client):
    coder, everything = LoadedArtifact(artifact("coder")), LoadedArtifact(artifact("everything"))
    one = pixels_of(await client.get("/models/coder/sample.png?seed=4"))
    np.testing.assert_array_equal(one, np.round(coder.sample(1, seed=4)[0, ..., 0] * (255 / 16)))
    grid = pixels_of(await client.get("/models/coder/versions/1/sample.png?seed=4&n=7"))
    np.testing.assert_array_equal(grid, np.asarray(image_grid(coder.sample(7, seed=4), coder.image_spec)))
    decoded = pixels_of(await client.get("/models/coder/decode.png?seed=4&n=2"))
    noise = draw(coder.inputs["decode"], 2, 4)
    np.testing.assert_array_equal(decoded, np.asarray(image_grid(direct("coder", "decode", noise)["mean_image"])))
    source = (np.arange(20).reshape(4, 5) * 13).astype(np.uint8)
    levels = np.round(source * (16 / 255)).astype(np.uint8)[..., None]
    wanted = image_grid(
        everything.sample(3, seed=2, caption="a red square", source=levels, label=1), ImageSpec(4, 5, 1, 17)
    )
    query = {"seed": 2, "n": 3, "caption": "a red square", "label": 1}
    coded = base64.b64encode(png(source)).decode()
    answers = [await client.get("/models/everything/sample.png", params={**query, "source": coded})]
    answers += [await client.post("/models/everything/sample.png", params=query, content=png(source))]
    query["known_mask"] = 0
    known = base64.b64encode(png(np.zeros((4, 5), np.uint8))).decode()
    whole = {**query, "source": coded, "known_image": known}
    answers += [await client.get("/models/everything/complete.png", params=whole)]
    for answer in answers:
        np.testing.assert_array_equal(pixels_of(answer), np.asarray(wanted))


@with_client("everything", "coder")
async def test_the_description_is_openapi_and_every_path_of_it_is_there(client):
    found = (await client.get("/openapi.json")).json()
    validate(found)
    assert len(found["paths"]) >= 20
    for path, operations in found["paths"].items():
        for method in operations:
            assert (await client.request(method, path)).status_code in (200, 400), path
    predict = found["paths"]["/v1/models/everything:predict"]["post"]["requestBody"]["content"]["application/json"]
    instance = predict["schema"]["oneOf"][0]["properties"]["instances"]["items"]
    assert instance["required"] == ["caption", "source"]
    assert instance["properties"]["label"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 2}


@with_client("coder")
async def test_counters_count(client):
    for n in (1, 3):
        await client.post(V1.format("coder"), json={"instances": [{}] * n})
    await client.post(V1.format("coder"), content=b"{")
    await client.get("/models/coder/sample.png")
    await client.get(f"/v1/models/{'nobody' * 3}")
    text = (await client.get("/metrics")).text
    assert "keras_gen_rows" in (await client.get("/monitoring/prometheus/metrics")).text
    samples = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["keras_gen_requests_total", "coder", "v1", "200"] == 2
    assert samples["keras_gen_requests_total", "coder", "v1", "400"] == 1
    assert samples["keras_gen_requests_total", "coder", "models", "200"] == 1
    assert samples["keras_gen_requests_total", "", "v1", "404"] == 1
    assert samples["keras_gen_rows_total", "sample", "coder"] == 5
    assert samples["keras_gen_batch_rows_count", "sample", "coder"] == 3
    assert samples["keras_gen_waiting_rows", "sample", "coder"] == 0
    assert samples["keras_gen_model_version", "coder"] == 1
    assert "nobody" not in text


def test_infinities_are_written_as_tensorflow_serving_writes_them():
    from keras_gen.serving.answering import json_response

    assert json.loads(json_response([float("-inf")]).body) == [float("-inf")]
